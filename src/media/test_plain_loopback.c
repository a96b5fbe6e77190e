/* Goal: plain RTP gets into the graph and out of it: by port or by SSRC, in the clear or with SRTP,
 * simulcast by layer or at its best, with RTCP both ways; and what is hostile is dropped under its
 * cause and hurts nobody else.
 * Method: the engine with two workers and real sockets on 127.0.0.1; this thread plays the senders
 * and receivers with sockets of its own. Each wait ends when what it waits for has come, and fails
 * after WAIT_US. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dtls/dtls.h"
#include "media/forward.h"
#include "media/plain.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/udp.h"
#include "net/waiter.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "unit.h"

enum {
    AUDIO = 0,
    VIDEO = 1,
    TRACKS = 2,
    GOT_MAX = 1024,
    PT_IN = 102,
    LAYERS = TR_TRACK_LAYERS,
    EVENTS_MAX = 64,
};

#define WAIT_US (20 * TR_SECOND)

struct rig {
    struct tr_media *media;
    struct tr_dtls_cert *cert;
    struct tr_srtp_engine *engine;
    struct tr_media_event events[EVENTS_MAX];
    int events_count;
};

struct got {
    struct tr_rtp rtp;
    struct tr_addr from;
    uint32_t number; /* of the sender's, in the payload */
    uint8_t level;   /* of an audio level extension with id 1 */
    size_t len;
};

struct host { /* a socket with what it has received */
    struct tr_udp *udp;
    struct tr_addr addr;
    struct tr_srtp *in; /* opens what comes; NULL: in the clear */
    struct got got[GOT_MAX];
    int count;
    int bad; /* neither RTP nor RTCP, or not to be opened */
    int reports, sender_reports, plis, nacks;
    struct tr_rtcp_report sr;
    struct tr_addr rtcp_from;
};

/* --- the rig --- */

static bool rig_open(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    r->engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    struct tr_media_conf conf = {
        .workers = 2,
        .bind = { tr_addr_v4(127, 0, 0, 1, 0) },
        .bind_count = 1,
        .cert = r->cert,
        .packets_max = 8192,
        .gso = true,
    };
    return CHECK(tr_media_create(&r->media, &conf) == TR_OK);
}

static void rig_close(struct rig *r)
{
    tr_media_destroy(r->media);
    tr_srtp_engine_destroy(r->engine);
    tr_dtls_cert_destroy(r->cert);
}

static bool host_open_at(struct host *h, struct tr_addr ip)
{
    memset(h, 0, sizeof *h);
    if (tr_udp_open(&h->udp, &ip, 1, 0, false) != TR_OK)
        return false;
    h->addr = ip;
    h->addr.port = tr_udp_port(h->udp);
    return true;
}

static void host_open(struct host *h)
{
    CHECK(host_open_at(h, tr_addr_v4(127, 0, 0, 1, 0)));
}

static void host_close(struct host *h)
{
    tr_udp_close(h->udp);
    tr_srtp_destroy(h->in);
}

static void take_rtcp(struct host *h, struct tr_slice datagram)
{
    struct tr_rd it;
    struct tr_rtcp_pkt pkt;
    uint8_t buf[1500];
    size_t n;
    if (h->in &&
        tr_srtcp_unprotect(h->in, datagram, (struct tr_buf){ buf, sizeof buf }, &n) == TR_OK)
        datagram = tr_slice(buf, n);
    if (tr_rtcp_iter_init(&it, datagram) != TR_OK) {
        h->bad++;
        return;
    }
    while (tr_rtcp_next(&it, &pkt)) {
        h->reports += pkt.type == TR_RTCP_RR;
        h->plis += pkt.type == TR_RTCP_PSFB && pkt.count == TR_PSFB_PLI;
        h->nacks += pkt.type == TR_RTCP_RTPFB && pkt.count == TR_RTPFB_NACK;
        if (pkt.type == TR_RTCP_SR && tr_rtcp_report(&pkt, &h->sr) == TR_OK)
            h->sender_reports++;
    }
}

static void take_rtp(struct host *h, const struct tr_addr *from, struct tr_slice datagram)
{
    struct got *g = &h->got[h->count];
    uint8_t buf[2000];
    uint64_t index;
    size_t n;
    if (tr_rtp_parse(&g->rtp, datagram) != TR_OK || h->count == GOT_MAX - 1) {
        h->bad++;
        return;
    }
    struct tr_slice payload = tr_slice(datagram.p + g->rtp.hdr_len, datagram.n - g->rtp.hdr_len);
    if (h->in) {
        if (tr_srtp_unprotect(h->in, datagram, g->rtp.hdr_len, (struct tr_buf){ buf, sizeof buf },
                              &n, &index) != TR_OK) {
            h->bad++;
            return;
        }
        payload = tr_slice(buf, n);
    }
    g->from = *from;
    g->len = payload.n;
    g->number = payload.n >= 4 ? tr_get32(payload.p + payload.n - 4) : 0;
    g->level = g->rtp.has_ext && g->rtp.ext.n >= 2 ? g->rtp.ext.p[1] : 0;
    h->count++;
}

static void take(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct host *h = arg;
    if (tr_demux(datagram) == TR_DEMUX_RTCP) {
        h->rtcp_from = path->remote;
        take_rtcp(h, datagram);
    } else {
        take_rtp(h, &path->remote, datagram);
    }
}

static void host_turn(struct host *h)
{
    while (tr_udp_receive(h->udp, 0, take, h)) {
    }
}

static void take_events(struct rig *r)
{
    struct tr_media_event ev;
    for (tr_media_poll(r->media, &ev); ev.kind != TR_MEDIA_NONE; tr_media_poll(r->media, &ev)) {
        tr_free(ev.stats);
        if (r->events_count < EVENTS_MAX)
            r->events[r->events_count++] = ev;
    }
}

/* Turns until cond holds; fails the test after WAIT_US. */
#define WAIT_FOR(r, h, cond)                                                                       \
    do {                                                                                           \
        tr_usec wait_end = tr_clock_now() + WAIT_US;                                               \
        while (host_turn(h), take_events(r), !(cond) && tr_clock_now() < wait_end)                 \
            tr_clock_sleep(TR_MSEC);                                                               \
        CHECK(cond);                                                                               \
    } while (0)

/* --- packets: the number of the packet is the end of its payload --- */

struct packet {
    uint16_t seq;
    uint32_t ts, ssrc, number;
    uint8_t pt;
    bool keyframe, video;
    uint8_t level; /* audio: a level extension with id 1; 0: none */
    size_t len;
};

static size_t put_packet(const struct packet *k, uint8_t *p)
{
    struct tr_wr w = tr_wr(p, 1500);
    tr_rtp_put(&w, true, k->pt ? k->pt : PT_IN, k->seq, k->ts, k->ssrc, k->level != 0);
    if (k->level) {
        tr_wr_u16(&w, 0xbede);
        tr_wr_u16(&w, 1);
        tr_wr_u8(&w, 0x10);
        tr_wr_u8(&w, k->level);
        tr_wr_u16(&w, 0);
    }
    if (k->video) { /* a VP8 descriptor with a picture id, and the frame's first byte */
        tr_wr_u16(&w, 0x9080);
        tr_wr_u16(&w, (uint16_t)(0x8000u | (k->number & 0x7fff)));
        tr_wr_u8(&w, k->keyframe ? 0x00 : 0x01);
    }
    tr_wr_zero(&w, k->len);
    tr_wr_u32(&w, k->number);
    return tr_wr_len(&w);
}

static void send_bytes(struct host *h, const struct tr_addr *to, const void *p, size_t n)
{
    struct tr_path path = { .local = h->addr, .remote = *to };
    tr_udp_send(h->udp, &path, tr_slice(p, n));
    tr_udp_flush(h->udp);
}

static void send_packet(struct host *h, const struct tr_addr *to, const struct packet *k)
{
    uint8_t buf[1500];
    send_bytes(h, to, buf, put_packet(k, buf));
}

static void send_audio(struct host *h, const struct tr_addr *to, uint16_t seq, uint32_t ssrc)
{
    struct packet k = { .seq = seq, .ts = seq * 960u, .ssrc = ssrc, .number = seq, .len = 80 };
    send_packet(h, to, &k);
}

static void send_video(struct host *h, const struct tr_addr *to, uint16_t seq, uint32_t ssrc,
                       bool keyframe)
{
    struct packet k = { .seq = seq,
                        .ts = seq * 3000u,
                        .ssrc = ssrc,
                        .number = seq,
                        .video = true,
                        .keyframe = keyframe,
                        .len = 900 };
    send_packet(h, to, &k);
}

/* --- plain peers --- */

static void fill_tracks(struct tr_track_conf *t, int layers)
{
    memset(t, 0, TRACKS * sizeof *t);
    for (int i = 0; i < TRACKS; i++) {
        bool video = i == VIDEO;
        t[i].used = t[i].recv = true;
        t[i].video = video;
        t[i].codec = video ? TR_CODEC_VP8 : TR_CODEC_OPUS;
        t[i].clock_rate = video ? 90000 : 48000;
        t[i].pt = video ? 96 : 111;
        t[i].fb_pli = t[i].fb_nack = video;
        t[i].layers_count = video ? layers : 1;
        t[i].ext.id[TR_EXT_AUDIO_LEVEL] = video ? 0 : 1;
    }
}

static struct tr_media_port port_for(int mline, int layer, bool rtcp)
{
    return (struct tr_media_port){ .feeds = { .mline = mline, .layer = layer, .rtcp = rtcp },
                                   .bind = tr_addr_v4(127, 0, 0, 1, 0) };
}

/* Audio on a port, each video layer on one, and RTCP for the video on the last. */
static tr_id open_source(struct rig *r, int layers, struct tr_addr *locals)
{
    struct tr_track_conf tracks[TRACKS];
    struct tr_media_port ports[2 + LAYERS];
    tr_id id = 0;
    fill_tracks(tracks, layers);
    ports[0] = port_for(AUDIO, 0, false);
    for (int i = 0; i < layers; i++)
        ports[1 + i] = port_for(VIDEO, i, false);
    ports[1 + layers] = port_for(VIDEO, TR_PLAIN_BY_SSRC, true);
    struct tr_media_plain_conf conf = {
        .tracks = tracks, .tracks_count = TRACKS, .ports = ports, .ports_count = 2 + layers
    };
    CHECK(tr_media_plain_create(r->media, &conf, locals, &id) == TR_OK);
    return id;
}

static struct tr_forward_conf forward_to(const struct host *h)
{
    return (struct tr_forward_conf){ .host = "127.0.0.1", .port = h->addr.port };
}

static tr_id forward(struct rig *r, tr_id peer, int mline, const struct tr_forward_conf *conf)
{
    tr_id id = 0;
    CHECK(tr_media_forward_create(r->media, (struct tr_media_end){ peer, mline }, conf, &id) ==
          TR_OK);
    tr_clock_sleep(20 * TR_MSEC); /* it is attached */
    return id;
}

static struct tr_media_counters counters(struct rig *r)
{
    struct tr_media_counters sums;
    tr_clock_sleep(150 * TR_MSEC); /* workers publish them from time to time */
    take_events(r);
    tr_media_counters(r->media, &sums);
    return sums;
}

/* All that came is one stream: numbers without gaps or steps back. */
static bool is_continuous(const struct host *h)
{
    for (int i = 1; i < h->count; i++) {
        if ((uint16_t)(h->got[i - 1].rtp.seq + 1) != h->got[i].rtp.seq ||
            h->got[i - 1].rtp.ssrc != h->got[i].rtp.ssrc ||
            tr_ts_diff(h->got[i].rtp.ts, h->got[i - 1].rtp.ts) < 0)
            return false;
    }
    return true;
}

/* --- tests --- */

TEST(audio_goes_through)
{
    struct rig r;
    struct host in, out;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&out);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.ssrc = 7777;
        conf.pt = 33;
        conf.audio_level_id = 1;
        tr_id id = forward(&r, peer, AUDIO, &conf);
        for (uint16_t i = 0; i < 100; i++) {
            uint16_t seq = (uint16_t)(65500u + i);
            struct packet k = {
                .seq = seq, .ts = i, .ssrc = 5, .number = seq, .level = 0x85, .len = 80
            };
            send_packet(&in, &ports[0], &k);
        }
        WAIT_FOR(&r, &out, out.count == 100);
        CHECK(is_continuous(&out));
        CHECK_INT(out.got[0].rtp.ssrc, 7777);
        CHECK_INT(out.got[0].rtp.pt, 33);
        CHECK(out.got[0].rtp.marker);
        CHECK_INT(out.got[50].number, (uint16_t)(65500u + 50));
        CHECK_INT(out.got[50].level, 0x85);
        CHECK_INT(out.got[50].len, 84);
        struct tr_forward_info info;
        CHECK(tr_media_forward_info(r.media, id, &info));
        CHECK_INT(info.state, TR_FORWARD_READY);
        CHECK_INT(info.packets, 100);
        CHECK_INT(info.dropped, 0);
        tr_media_forward_close(r.media, id);
        CHECK(!tr_media_forward_info(r.media, id, &info));
        tr_clock_sleep(20 * TR_MSEC);
        send_audio(&in, &ports[0], 200, 5);
        tr_clock_sleep(50 * TR_MSEC);
        host_turn(&out);
        CHECK_INT(out.count, 100);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
}

/* SRTP in by one suite, out by another; what is in the clear is not believed. */
TEST(srtp_in_and_out)
{
    static const enum tr_srtp_profile suites[] = { TR_SRTP_AES128_CM_SHA1_32,
                                                   TR_SRTP_AES128_CM_SHA1_80,
                                                   TR_SRTP_AEAD_AES_128_GCM };
    for (int i = 0; i < 3; i++) {
        struct rig r;
        struct host in, out;
        struct tr_track_conf tracks[TRACKS];
        struct tr_addr local;
        struct tr_srtp_keys key_in = { .key = "0123456789abcdef", .salt = "salt, inwards" };
        struct tr_srtp_keys key_out = { .key = "fedcba9876543210", .salt = "salt outwards" };
        enum tr_srtp_profile suite_in = suites[i], suite_out = suites[(i + 1) % 3];
        host_open(&in);
        host_open(&out);
        if (rig_open(&r)) {
            struct tr_media_port port = port_for(AUDIO, 0, false);
            struct tr_media_plain_conf conf = { .tracks = tracks,
                                                .tracks_count = TRACKS,
                                                .ports = &port,
                                                .ports_count = 1,
                                                .srtp = suite_in,
                                                .keys = key_in };
            tr_id peer = 0;
            fill_tracks(tracks, 1);
            CHECK(tr_media_plain_create(r.media, &conf, &local, &peer) == TR_OK);
            struct tr_srtp *protect = tr_srtp_create(r.engine, suite_in, TR_SRTP_OUT, &key_in);
            struct tr_forward_conf f = forward_to(&out);
            f.srtp = suite_out;
            f.keys = key_out;
            out.in = tr_srtp_create(r.engine, suite_out, TR_SRTP_IN, &key_out);
            forward(&r, peer, AUDIO, &f);
            for (uint16_t seq = 0; seq < 50; seq++) {
                uint8_t buf[1500];
                struct packet k = { .seq = seq, .ssrc = 9, .number = seq, .len = 100 };
                size_t n = put_packet(&k, buf);
                struct tr_srtp_job job = { .out = buf,
                                           .out_size = sizeof buf,
                                           .hdr_len = TR_RTP_HDR_MIN,
                                           .payload = tr_slice(buf + 12, n - 12),
                                           .index = TR_SRTP_AUTO };
                send_bytes(&in, &local, buf, n); /* in the clear */
                CHECK(tr_srtp_protect(protect, &job) == TR_OK);
                send_bytes(&in, &local, buf, job.out_len);
            }
            WAIT_FOR(&r, &out, out.count == 50);
            CHECK(is_continuous(&out));
            CHECK_INT(out.bad, 0);
            CHECK_INT(out.got[49].number, 49);
            CHECK_INT(counters(&r).drops[TR_DROP_SRTP_AUTH], 50);
            tr_srtp_destroy(protect);
            tr_id twice = 0;
            f.ssrc = 4242;
            forward(&r, peer, AUDIO, &f);
            CHECK(tr_media_forward_create(r.media, (struct tr_media_end){ peer, AUDIO }, &f,
                                          &twice) == TR_ERR_EXISTS);
        }
        host_close(&in);
        host_close(&out); /* its SRTP uses the rig's engine */
        rig_close(&r);
    }
}

static void send_layers(struct host *in, const struct tr_addr *ports, int layers, uint16_t seq,
                        bool keyframe)
{
    for (int l = 0; l < layers; l++)
        send_video(in, &ports[1 + l], seq, 100u + (uint32_t)l, keyframe);
}

/* The best layer that flows, as one stream; and each layer by itself. */
TEST(simulcast_at_its_best_and_layer_by_layer)
{
    struct rig r;
    struct host in, best, each[LAYERS];
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&best);
    for (int i = 0; i < LAYERS; i++)
        host_open(&each[i]);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, LAYERS, ports);
        struct tr_forward_conf conf = forward_to(&best);
        conf.layer = TR_FORWARD_BEST;
        forward(&r, peer, VIDEO, &conf);
        for (int i = 0; i < LAYERS; i++) {
            conf = forward_to(&each[i]);
            conf.layer = i;
            forward(&r, peer, VIDEO, &conf);
        }
        uint16_t seq = 10;
        for (int i = 0; i < 40; i++, seq++) {
            send_layers(&in, ports, LAYERS, seq, i % 10 == 0);
            tr_clock_sleep(2 * TR_MSEC);
        }
        WAIT_FOR(&r, &each[2], each[2].count == 40);
        WAIT_FOR(&r, &each[0], each[0].count == 40);
        WAIT_FOR(&r, &best, best.count >= 30);
        tr_clock_sleep(400 * TR_MSEC); /* the best one falls silent */
        for (int i = 0; i < 40; i++, seq++) {
            send_layers(&in, ports, 1, seq, i % 10 == 0);
            tr_clock_sleep(10 * TR_MSEC);
        }
        WAIT_FOR(&r, &best, best.count >= 30 + 30);
        CHECK(is_continuous(&best) && is_continuous(&each[0]) && is_continuous(&each[2]));
        host_turn(&each[2]);
        CHECK_INT(each[2].count, 40);
        CHECK_INT(each[1].got[0].rtp.ssrc == 101 || each[1].count == 0, 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&best);
    for (int i = 0; i < LAYERS; i++)
        host_close(&each[i]);
}

/* As remote publishers have it: one port, SSRCs agreed upon. */
TEST(one_port_for_all_by_ssrc)
{
    struct rig r;
    struct host in, audio, video;
    struct tr_track_conf tracks[TRACKS];
    struct tr_addr locals[2];
    host_open(&in);
    host_open(&audio);
    host_open(&video);
    if (rig_open(&r)) {
        struct tr_media_port ports[2] = { port_for(TR_PLAIN_BY_SSRC, TR_PLAIN_BY_SSRC, false),
                                          port_for(TR_PLAIN_BY_SSRC, TR_PLAIN_BY_SSRC, true) };
        struct tr_media_plain_conf conf = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = ports, .ports_count = 2
        };
        tr_id peer = 0;
        fill_tracks(tracks, LAYERS);
        tracks[AUDIO].layers[0].ssrc = 1000;
        for (uint32_t l = 0; l < LAYERS; l++)
            tracks[VIDEO].layers[l].ssrc = 1010 + l;
        CHECK(tr_media_plain_create(r.media, &conf, locals, &peer) == TR_OK);
        struct tr_forward_conf f = forward_to(&audio);
        forward(&r, peer, AUDIO, &f);
        f = forward_to(&video);
        f.layer = 2;
        forward(&r, peer, VIDEO, &f);
        for (uint16_t i = 0; i < 30; i++) {
            send_audio(&in, &locals[0], i, 1000);
            for (uint32_t l = 0; l < LAYERS; l++)
                send_video(&in, &locals[0], i, 1010 + l, i == 0);
            send_video(&in, &locals[0], i, 1013, true); /* nobody's */
        }
        WAIT_FOR(&r, &audio, audio.count == 30);
        WAIT_FOR(&r, &video, video.count == 30);
        CHECK_INT(video.got[0].rtp.ssrc, 1012);
        CHECK(is_continuous(&audio) && is_continuous(&video));
        CHECK_INT(counters(&r).drops[TR_DROP_RTP_UNKNOWN_SSRC], 30);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&audio);
    host_close(&video);
}

static void send_rtcp(struct host *h, const struct tr_addr *to, uint32_t ssrc, tr_ntp ntp,
                      uint32_t rtp_ts)
{
    uint8_t buf[200];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    struct tr_rtcp_report sr = { .ssrc = ssrc, .ntp = ntp, .rtp_ts = rtp_ts };
    if (ntp)
        tr_rtcp_put_sr(&w, &sr, NULL, 0);
    else
        tr_rtcp_put_rr(&w, ssrc, NULL, 0);
    send_bytes(h, to, buf, tr_wr_len(&w));
}

static void send_pli(struct host *h, const struct tr_addr *to, uint32_t media)
{
    uint8_t buf[100];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rtcp_put_rr(&w, 1, NULL, 0);
    tr_rtcp_put_pli(&w, 1, media);
    send_bytes(h, to, buf, tr_wr_len(&w));
}

/* A receiver's PLI reaches the sender; the sender's clock reaches the receiver. */
TEST(rtcp_both_ways)
{
    struct rig r;
    struct host in, in_rtcp, out, out_rtcp;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&in_rtcp);
    host_open(&out);
    host_open(&out_rtcp);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.rtcp_port = out_rtcp.addr.port;
        conf.ssrc = 77;
        tr_id id = forward(&r, peer, VIDEO, &conf);
        struct tr_forward_info info;
        CHECK(tr_media_forward_info(r.media, id, &info) && info.local_rtcp_port);
        WAIT_FOR(&r, &out_rtcp, out_rtcp.reports >= 1); /* opens the way */
        CHECK_INT(out_rtcp.rtcp_from.port, info.local_rtcp_port);
        send_video(&in, &ports[1], 1, 5, true);
        WAIT_FOR(&r, &out, out.count == 1);
        send_rtcp(&in_rtcp, &ports[2], 5, 0, 0); /* latches */
        WAIT_FOR(&r, &in_rtcp, in_rtcp.reports >= 1);
        int before = in_rtcp.plis;
        send_pli(&out_rtcp, &out_rtcp.rtcp_from, 77);
        WAIT_FOR(&r, &in_rtcp, in_rtcp.plis > before);
        CHECK(tr_media_forward_info(r.media, id, &info));
        CHECK_INT(info.keyframes, 1);
        for (int i = 0; i < 50; i++)
            send_pli(&out_rtcp, &out_rtcp.rtcp_from, 77);
        tr_clock_sleep(50 * TR_MSEC);
        host_turn(&in_rtcp);
        CHECK(in_rtcp.plis <= before + 2); /* one per 500 ms */

        tr_ntp wall = tr_ntp_from_unix_us(tr_clock_unix_us());
        send_rtcp(&in_rtcp, &ports[2], 5, wall, 1 * 3000u);
        WAIT_FOR(&r, &out_rtcp, out_rtcp.sender_reports >= 1);
        CHECK_INT(out_rtcp.sr.ssrc, 77);
        CHECK_INT(out_rtcp.sr.packets, 1);
        /* The report's clock reading is the forwarded packet's timestamp plus what has passed. */
        int64_t passed = tr_ntp_to_unix_us(out_rtcp.sr.ntp) - tr_ntp_to_unix_us(wall);
        int64_t ticks = tr_ts_diff(out_rtcp.sr.rtp_ts, out.got[0].rtp.ts);
        CHECK(ticks - passed * 90000 / TR_SECOND > -450);
        CHECK(ticks - passed * 90000 / TR_SECOND < 450);

        send_video(&in, &ports[1], 2, 5, false);
        for (uint16_t seq = 5; seq < 12; seq++)
            send_video(&in, &ports[1], seq, 5, false);
        WAIT_FOR(&r, &in_rtcp, in_rtcp.nacks >= 1); /* 3 and 4 are missed */
        struct tr_addr other = tr_addr_v4(127, 0, 0, 1, info.local_rtcp_port);
        uint8_t junk[50] = { 0x80, 205 };
        send_bytes(&in, &other, junk, sizeof junk);
        WAIT_FOR(&r, &out, tr_media_forward_info(r.media, id, &info) && info.rtcp_bad == 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&in_rtcp);
    host_close(&out);
    host_close(&out_rtcp);
}

static void send_nack(struct host *h, const struct tr_addr *to, uint32_t media, uint16_t seq)
{
    uint8_t buf[100];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rtcp_put_rr(&w, 1, NULL, 0);
    tr_rtcp_put_nack(&w, 1, media, &seq, 1);
    send_bytes(h, to, buf, tr_wr_len(&w));
}

/* The same packet again, also for a stream that has no RTCP port of its own; up to a fifth. */
TEST(what_a_receiver_misses_is_sent_again)
{
    struct rig r;
    struct host in, out, rtcp;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&out);
    host_open(&rtcp);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 2, ports);
        struct tr_forward_info info = { 0 };
        struct tr_forward_conf conf = forward_to(&out);
        conf.rtcp_port = rtcp.addr.port;
        conf.ssrc = 1010;
        tr_id first = forward(&r, peer, VIDEO, &conf);
        conf.rtcp_port = 0;
        conf.ssrc = 1011;
        conf.layer = 1;
        tr_id second = forward(&r, peer, VIDEO, &conf);
        WAIT_FOR(&r, &rtcp, rtcp.reports >= 1);
        send_video(&in, &ports[2], 0, 101, true);
        WAIT_FOR(&r, &out, out.count == 1);
        send_nack(&rtcp, &rtcp.rtcp_from, 1011, out.got[0].rtp.seq); /* it was not kept */
        tr_clock_sleep(20 * TR_MSEC);
        for (uint16_t i = 1; i < 10; i++)
            send_video(&in, &ports[2], i, 101, false);
        WAIT_FOR(&r, &out, out.count == 10);
        CHECK(is_continuous(&out));
        send_nack(&rtcp, &rtcp.rtcp_from, 1011, out.got[5].rtp.seq);
        WAIT_FOR(&r, &out, out.count == 11);
        CHECK_INT(out.got[10].rtp.seq, out.got[5].rtp.seq);
        CHECK_INT(out.got[10].rtp.ts, out.got[5].rtp.ts);
        CHECK_INT(out.got[10].number, 5);
        CHECK(tr_media_forward_info(r.media, second, &info) && info.resent == 1);
        for (int i = 0; i < 200; i++)
            send_nack(&rtcp, &rtcp.rtcp_from, 1011, out.got[5].rtp.seq);
        WAIT_FOR(&r, &out, out.count >= 12);
        tr_clock_sleep(100 * TR_MSEC);
        host_turn(&out);
        CHECK(out.count < 20);
        CHECK(tr_media_forward_info(r.media, first, &info) && info.resent == 0);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
    host_close(&rtcp);
}

/* A renegotiation takes layers away whose packets are kept for who might miss them. */
TEST(layers_that_are_gone_keep_no_packets)
{
    struct rig r;
    struct host in, out, rtcp;
    struct tr_addr ports[8];
    struct tr_track_conf tracks[TRACKS];
    host_open(&in);
    host_open(&out);
    host_open(&rtcp);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 2, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.rtcp_port = rtcp.addr.port;
        conf.ssrc = 1010;
        conf.layer = 1;
        forward(&r, peer, VIDEO, &conf);
        WAIT_FOR(&r, &rtcp, rtcp.reports >= 1);
        send_nack(&rtcp, &rtcp.rtcp_from, 1010, 1); /* from now on */
        tr_clock_sleep(20 * TR_MSEC);
        for (uint16_t i = 0; i < 10; i++)
            send_video(&in, &ports[2], i, 101, i == 0);
        WAIT_FOR(&r, &out, out.count == 10);
        CHECK(counters(&r).packets_in_use >= 10);
        fill_tracks(tracks, 1);
        CHECK(tr_media_peer_tracks(r.media, peer, tracks, TRACKS) == TR_OK);
        tr_media_flush(r.media);
        tr_clock_sleep(2 * TR_SECOND + 200 * TR_MSEC);
        CHECK(counters(&r).packets_in_use < 10);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
    host_close(&rtcp);
}

TEST(what_is_hostile_is_counted_and_hurts_nobody_else)
{
    struct rig r;
    struct host in, stranger, out, fine_in, fine_out;
    struct tr_addr ports[8], fine[8];
    host_open(&in);
    host_open(&stranger);
    host_open(&out);
    host_open(&fine_in);
    host_open(&fine_out);
    if (rig_open(&r)) {
        struct tr_rng rng = tr_rng_seeded(1);
        tr_id peer = open_source(&r, 1, ports), other = open_source(&r, 1, fine);
        struct tr_forward_conf conf = forward_to(&out);
        forward(&r, peer, AUDIO, &conf);
        conf = forward_to(&fine_out);
        forward(&r, other, AUDIO, &conf);
        send_audio(&in, &ports[0], 1, 5);
        WAIT_FOR(&r, &out, out.count == 1);
        send_audio(&in, &ports[0], 2, 5);
        for (uint16_t i = 0; i < 20; i++) {
            uint8_t junk[300];
            tr_rng_fill(&rng, junk, sizeof junk);
            junk[0] &= 0x3f; /* no RTP */
            send_bytes(&in, &ports[0], junk, 1 + tr_rng_below(&rng, sizeof junk));
            send_audio(&in, &ports[0], i, 666);     /* another SSRC */
            send_audio(&stranger, &ports[0], i, 5); /* another sender */
            send_audio(&in, &ports[0], 2, 5);       /* again */
        }
        uint8_t rtcp_junk[60] = { 0x81, 200, 0, 44 };
        send_bytes(&in, &ports[2], rtcp_junk, sizeof rtcp_junk);
        struct tr_media_counters c = counters(&r);
        CHECK_INT(c.drops[TR_DROP_RTP_BAD], 20);
        CHECK_INT(c.drops[TR_DROP_RTP_UNKNOWN_SSRC], 20);
        CHECK_INT(c.drops[TR_DROP_UNKNOWN_ADDR], 20);
        CHECK_INT(c.drops[TR_DROP_RTP_DUPLICATE], 20);
        CHECK_INT(c.drops[TR_DROP_RTCP_BAD], 1);

        /* As much as the machine can send, until it is too much. */
        uint8_t big[1500];
        struct packet k = { .ssrc = 5, .len = 1300 };
        tr_usec until = tr_clock_now() + WAIT_US;
        for (uint16_t seq = 3; c.drops[TR_DROP_RATE] == 0 && tr_clock_now() < until;) {
            for (int i = 0; i < 64; i++) {
                k.seq = seq++;
                struct tr_path path = { .local = in.addr, .remote = ports[0] };
                tr_udp_send(in.udp, &path, tr_slice(big, put_packet(&k, big)));
            }
            tr_udp_flush(in.udp);
            tr_media_counters(r.media, &c);
        }
        CHECK(c.drops[TR_DROP_RATE] > 0);
        for (uint16_t i = 0; i < 50; i++) {
            send_audio(&fine_in, &fine[0], i, 5);
            tr_clock_sleep(TR_MSEC);
        }
        WAIT_FOR(&r, &fine_out, fine_out.count == 50);
        CHECK(is_continuous(&fine_out));
    }
    rig_close(&r);
    host_close(&in);
    host_close(&stranger);
    host_close(&out);
    host_close(&fine_in);
    host_close(&fine_out);
}

/* A new SSRC, the same one with other numbers, another sender: all after silence, or not at all. */
TEST(a_sender_that_begins_anew_goes_on_as_one_stream)
{
    struct rig r;
    struct host in, next, out;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&next);
    host_open(&out);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        forward(&r, peer, AUDIO, &conf);
        for (uint16_t i = 0; i < 10; i++)
            send_audio(&in, &ports[0], (uint16_t)(100 + i), 5);
        WAIT_FOR(&r, &out, out.count == 10);
        tr_clock_sleep(TR_PLAIN_SSRC_US + 20 * TR_MSEC);
        for (uint16_t i = 0; i < 10; i++)
            send_audio(&in, &ports[0], (uint16_t)(40000 + i), 6);
        WAIT_FOR(&r, &out, out.count == 20);
        for (uint16_t i = 0; i < 11; i++) /* the first one is not believed */
            send_audio(&in, &ports[0], (uint16_t)(10000 + i), 6);
        WAIT_FOR(&r, &out, out.count == 30);
        tr_clock_sleep(TR_PLAIN_SENDER_US + 20 * TR_MSEC);
        for (uint16_t i = 0; i < 10; i++)
            send_audio(&next, &ports[0], i, 7);
        WAIT_FOR(&r, &out, out.count == 40);
        CHECK(is_continuous(&out));
        CHECK_INT(out.got[39].number, 9);
        CHECK_INT(out.got[39].rtp.ssrc, 5);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&next);
    host_close(&out);
}

TEST(names_and_ipv6)
{
    struct rig r;
    struct host in, out, six;
    struct tr_addr ports[8], loopback;
    host_open(&in);
    host_open(&out);
    CHECK(tr_addr_parse_ip(&loopback, "::1", 0) == TR_OK);
    bool have_six = host_open_at(&six, loopback);
    if (rig_open(&r)) {
        struct tr_forward_info info = { 0 };
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.host = "localhost";
        conf.family = 4;
        tr_id id = forward(&r, peer, AUDIO, &conf);
        conf.host = "no-such-name.invalid";
        tr_id never = forward(&r, peer, AUDIO, &conf);
        conf.host = "::1";
        conf.port = six.addr.port;
        if (have_six)
            forward(&r, peer, AUDIO, &conf);
        WAIT_FOR(&r, &out,
                 tr_media_forward_info(r.media, id, &info) && info.state == TR_FORWARD_READY);
        CHECK(tr_addr_is_loopback(&info.to));
        WAIT_FOR(&r, &out,
                 tr_media_forward_info(r.media, never, &info) &&
                     info.state == TR_FORWARD_UNRESOLVED);
        tr_clock_sleep(20 * TR_MSEC);
        for (uint16_t i = 0; i < 5; i++)
            send_audio(&in, &ports[0], i, 5);
        WAIT_FOR(&r, &out, out.count == 5);
        if (have_six)
            WAIT_FOR(&r, &six, six.count == 5);
        conf.host = "localhost";
        forward(&r, peer, AUDIO, &conf); /* under way when everything ends */
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
    if (have_six)
        host_close(&six);
}

TEST(senders_that_are_given_are_the_only_ones)
{
    struct rig r;
    struct host in, other, out;
    struct tr_track_conf tracks[TRACKS];
    struct tr_addr local;
    host_open(&in);
    host_open(&other);
    host_open(&out);
    if (rig_open(&r)) {
        struct tr_media_port port = port_for(AUDIO, 0, false);
        struct tr_media_plain_conf conf = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = &port, .ports_count = 1
        };
        tr_id peer = 0;
        fill_tracks(tracks, 1);
        port.feeds.sender = in.addr;
        CHECK(tr_media_plain_create(r.media, &conf, &local, &peer) == TR_OK);
        struct tr_forward_conf f = forward_to(&out);
        forward(&r, peer, AUDIO, &f);
        send_audio(&other, &local, 1, 5);
        send_audio(&in, &local, 2, 5);
        WAIT_FOR(&r, &out, out.count == 1);
        CHECK_INT(out.got[0].number, 2);
        CHECK_INT(counters(&r).drops[TR_DROP_UNKNOWN_ADDR], 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&other);
    host_close(&out);
}

TEST(what_makes_no_sense_is_refused)
{
    struct rig r;
    if (rig_open(&r)) {
        struct tr_track_conf tracks[TRACKS];
        struct tr_addr ports[8];
        tr_id id = 0, peer = open_source(&r, 1, ports);
        struct tr_media_end source = { peer, AUDIO }, nobody = { 12345, AUDIO };
        struct tr_forward_conf conf = { .host = "127.0.0.1", .port = 9 };
        struct tr_media_port port = port_for(AUDIO, 0, false);
        struct tr_media_plain_conf plain = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = &port, .ports_count = 1
        };
        fill_tracks(tracks, 1);
        CHECK(tr_media_forward_create(r.media, nobody, &conf, &id) == TR_ERR_NOTFOUND);
        conf.port = 0;
        CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_ERR_INVAL);
        conf.port = 9;
        conf.layer = 3;
        CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_ERR_INVAL);
        conf.layer = 0;
        conf.host = "";
        CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_ERR_INVAL);
        port.bind = ports[0]; /* taken */
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_IO);
        port.bind = tr_addr_v4(127, 0, 0, 1, 0);
        port.group = tr_addr_v4(10, 0, 0, 1, 0);
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_INVAL);
        port.group = (struct tr_addr){ 0 };
        plain.ports_count = 0;
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_LIMIT);
        plain.ports_count = 1;
        tracks[VIDEO].clock_rate = 0;
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_INVAL);
        /* More than a source takes: the rest is silent, and goes like the others. */
        conf.host = "127.0.0.1";
        for (int i = 0; i < TR_FORWARDS_SOURCE_MAX + 3; i++)
            CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_OK);
        tr_clock_sleep(20 * TR_MSEC);
        tr_media_peer_close(r.media, peer);
        tr_media_forward_close(r.media, id);
        take_events(&r);
    }
    rig_close(&r);
}

TEST(multicast)
{
    struct rig r;
    struct host in, out;
    struct tr_track_conf tracks[TRACKS];
    struct tr_addr local;
    host_open(&in);
    host_open(&out);
    if (rig_open(&r)) {
        struct tr_media_port port = port_for(AUDIO, 0, false);
        struct tr_media_plain_conf conf = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = &port, .ports_count = 1
        };
        tr_id peer = 0;
        fill_tracks(tracks, 1);
        port.group = tr_addr_v4(239, 255, 77, 1, 0);
        snprintf(port.iface, sizeof port.iface, "lo");
        CHECK(tr_media_plain_create(r.media, &conf, &local, &peer) == TR_OK);
        CHECK(tr_addr_ip_eq(&local, &port.group));
        struct tr_forward_conf f = forward_to(&out);
        forward(&r, peer, AUDIO, &f);
        send_audio(&in, &local, 2, 5); /* from 127.0.0.1 it goes by lo */
        WAIT_FOR(&r, &out, out.count == 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
}

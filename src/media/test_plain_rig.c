/* See test_plain_rig.h. */
#include "media/test_plain_rig.h"

#include <string.h>

#include "base/mem.h"
#include "unit.h"

/* --- the rig --- */

bool rig_open(struct rig *r)
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

void rig_close(struct rig *r)
{
    tr_media_destroy(r->media);
    tr_srtp_engine_destroy(r->engine);
    tr_dtls_cert_destroy(r->cert);
}

bool host_open_at(struct host *h, struct tr_addr ip)
{
    memset(h, 0, sizeof *h);
    if (tr_udp_open(&h->udp, &ip, 1, 0, false) != TR_OK)
        return false;
    h->addr = ip;
    h->addr.port = tr_udp_port(h->udp);
    return true;
}

void host_open(struct host *h)
{
    CHECK(host_open_at(h, tr_addr_v4(127, 0, 0, 1, 0)));
}

void host_close(struct host *h)
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

void host_turn(struct host *h)
{
    while (tr_udp_receive(h->udp, 0, take, h)) {
    }
}

void take_events(struct rig *r)
{
    struct tr_media_event ev;
    for (tr_media_poll(r->media, &ev); ev.kind != TR_MEDIA_NONE; tr_media_poll(r->media, &ev)) {
        tr_free(ev.stats);
        if (r->events_count < EVENTS_MAX)
            r->events[r->events_count++] = ev;
    }
}

/* --- packets --- */

size_t put_packet(const struct packet *k, uint8_t *p)
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

void send_bytes(struct host *h, const struct tr_addr *to, const void *p, size_t n)
{
    struct tr_path path = { .local = h->addr, .remote = *to };
    tr_udp_send(h->udp, &path, tr_slice(p, n));
    tr_udp_flush(h->udp);
}

void send_packet(struct host *h, const struct tr_addr *to, const struct packet *k)
{
    uint8_t buf[1500];
    send_bytes(h, to, buf, put_packet(k, buf));
}

void send_audio(struct host *h, const struct tr_addr *to, uint16_t seq, uint32_t ssrc)
{
    struct packet k = { .seq = seq, .ts = seq * 960u, .ssrc = ssrc, .number = seq, .len = 80 };
    send_packet(h, to, &k);
}

void send_video(struct host *h, const struct tr_addr *to, uint16_t seq, uint32_t ssrc,
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

void fill_tracks(struct tr_track_conf *t, int layers)
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

struct tr_media_port port_for(int mline, int layer, bool rtcp)
{
    return (struct tr_media_port){ .feeds = { .mline = mline, .layer = layer, .rtcp = rtcp },
                                   .bind = tr_addr_v4(127, 0, 0, 1, 0) };
}

static tr_id open_ports(struct rig *r, int layers, const struct tr_media_port *ports, int count,
                        struct tr_addr *locals)
{
    struct tr_track_conf tracks[TRACKS];
    struct tr_media_plain_conf conf = {
        .tracks = tracks, .tracks_count = TRACKS, .ports = ports, .ports_count = count
    };
    tr_id id = 0;
    fill_tracks(tracks, layers);
    CHECK(tr_media_plain_create(r->media, &conf, locals, &id) == TR_OK);
    return id;
}

tr_id open_port(struct rig *r, const struct tr_media_port *port, struct tr_addr *local)
{
    return open_ports(r, 1, port, 1, local);
}

tr_id open_source(struct rig *r, int layers, struct tr_addr *locals)
{
    struct tr_media_port ports[2 + LAYERS];
    ports[0] = port_for(AUDIO, 0, false);
    for (int i = 0; i < layers; i++)
        ports[1 + i] = port_for(VIDEO, i, false);
    ports[1 + layers] = port_for(VIDEO, TR_PLAIN_BY_SSRC, true);
    return open_ports(r, layers, ports, 2 + layers, locals);
}

struct tr_forward_conf forward_to(const struct host *h)
{
    return (struct tr_forward_conf){ .host = "127.0.0.1", .port = h->addr.port };
}

tr_id forward(struct rig *r, tr_id peer, int mline, const struct tr_forward_conf *conf)
{
    tr_id id = 0;
    CHECK(tr_media_forward_create(r->media, (struct tr_media_end){ peer, mline }, conf, &id) ==
          TR_OK);
    tr_clock_sleep(20 * TR_MSEC); /* it is attached */
    return id;
}

struct tr_media_counters counters(struct rig *r)
{
    struct tr_media_counters sums;
    tr_clock_sleep(150 * TR_MSEC); /* workers publish them from time to time */
    take_events(r);
    tr_media_counters(r->media, &sums);
    return sums;
}

uint64_t dropped(struct rig *r, enum tr_drop cause, uint64_t least)
{
    tr_usec end = tr_clock_now() + WAIT_US;
    uint64_t count = counters(r).drops[cause];
    while (count < least && tr_clock_now() < end)
        count = counters(r).drops[cause];
    return count;
}

bool is_continuous(const struct host *h)
{
    for (int i = 1; i < h->count; i++) {
        if ((uint16_t)(h->got[i - 1].rtp.seq + 1) != h->got[i].rtp.seq ||
            h->got[i - 1].rtp.ssrc != h->got[i].rtp.ssrc ||
            tr_ts_diff(h->got[i].rtp.ts, h->got[i - 1].rtp.ts) < 0)
            return false;
    }
    return true;
}

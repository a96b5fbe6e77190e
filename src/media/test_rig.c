/* The engine and its clients; see test_rig.h. */
#include "media/test_rig.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ice/cand.h"
#include "net/random.h"
#include "net/waiter.h"
#include "peer/remote_test.h"
#include "peer/rtp_meta.h"
#include "rtp/rtp.h"
#include "stun/stun.h"

enum { WORKERS = 2 };

static bool open_with(struct rig *r, int workers, struct tr_addr ip, uint16_t port,
                      const enum tr_srtp_profile *profiles, const struct tr_media_turn_conf *turn)
{
    int64_t unix_s = tr_clock_unix_us() / TR_SECOND;
    memset(r, 0, sizeof *r);
    r->ip = ip;
    r->rng = tr_random_system();
    r->server_cert = tr_dtls_cert_create(unix_s);
    r->cert = tr_dtls_cert_create(unix_s);
    r->ctx = tr_dtls_ctx_create(r->cert);
    r->engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    r->pool = tr_pkt_pool_create(1024);
    r->waiter = tr_waiter_open();
    struct tr_media_conf conf = {
        .workers = workers,
        .port = port,
        .bind = { ip },
        .bind_count = 1,
        .tcp = true,
        .cert = r->server_cert,
        .packets_max = 8192,
        .gso = true,
        .coalesce_us = 500,
    };
    if (turn)
        conf.turn = *turn;
    if (profiles)
        memcpy(conf.profiles, profiles, sizeof conf.profiles);
    return CHECK(tr_media_create(&r->media, &conf) == TR_OK);
}

bool rig_open(struct rig *r, const enum tr_srtp_profile *profiles)
{
    return open_with(r, WORKERS, tr_addr_v4(127, 0, 0, 1, 0), 0, profiles, NULL);
}

bool rig_open_at(struct rig *r, const char *text)
{
    struct tr_addr ip = { 0 };
    return CHECK(tr_addr_parse_ip(&ip, text, 0) == TR_OK) &&
           open_with(r, WORKERS, ip, 0, NULL, NULL);
}

bool rig_open_relay(struct rig *r, int workers, uint16_t port,
                    const struct tr_media_turn_conf *turn)
{
    return open_with(r, workers, tr_addr_v4(127, 0, 0, 1, 0), port, NULL, turn);
}

static void client_close(struct client *c)
{
    tr_peer_destroy(c->peer);
    tr_udp_close(c->udp);
    tr_udp_close(c->other);
    tr_streams_close(c->streams);
}

void rig_close(struct rig *r)
{
    tr_media_destroy(r->media);
    for (int i = 0; i < r->clients_count; i++)
        client_close(&r->clients[i]);
    tr_free(r->stats);
    tr_pkt_pool_destroy(r->pool);
    tr_srtp_engine_destroy(r->engine);
    tr_dtls_ctx_destroy(r->ctx);
    tr_dtls_cert_destroy(r->cert);
    tr_dtls_cert_destroy(r->server_cert);
    tr_waiter_close(r->waiter);
}

static void take_events(struct rig *r)
{
    struct tr_media_event ev;
    for (;;) {
        tr_media_poll(r->media, &ev);
        if (ev.kind == TR_MEDIA_NONE)
            return;
        if (ev.kind == TR_MEDIA_STATS) {
            tr_free(r->stats);
            r->stats = ev.stats;
            r->stats_cookie = ev.cookie;
        }
        if (r->events_count < EVENTS_MAX)
            r->events[r->events_count++] = ev;
    }
}

int events_of(const struct rig *r, enum tr_media_event_kind kind, tr_id peer)
{
    int n = 0;
    for (int i = 0; i < r->events_count; i++)
        n += r->events[i].kind == kind && (peer == 0 || r->events[i].peer == peer);
    return n;
}

/* --- media: a marker, the sender's number, and bytes that follow from it --- */

uint8_t pattern(uint16_t number, size_t i)
{
    return (uint8_t)(number * 31u + i);
}

size_t payload_head(int mline, bool keyframe, uint16_t number, uint8_t *p)
{
    struct tr_wr w = tr_wr(p, 32);
    if (mline == VIDEO) {
        tr_wr_u8(&w, 0x90); /* X, S: each packet is a frame */
        tr_wr_u8(&w, 0x80); /* I */
        tr_wr_u16(&w, 0x8000u | (number & 0x7fff));
        tr_wr_u8(&w, keyframe ? 0x00 : 0x01);
    }
    tr_wr_str(&w, "TRNG");
    tr_wr_u16(&w, number);
    return tr_wr_len(&w);
}

static void take_media(struct client *c, int mline, const struct tr_pkt *pkt)
{
    struct received *in = &c->in[mline];
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    const uint8_t *p = pkt->buf + pkt->off;
    size_t head = mline == VIDEO ? 5 : 0;
    if (pkt->len < head + 6 || memcmp(p + head, "TRNG", 4) != 0) {
        in->damaged++;
        return;
    }
    uint16_t number = tr_get16(p + head + 4);
    for (size_t i = head + 6; i < pkt->len; i++) {
        if (p[i] != pattern(number, i)) {
            in->damaged++;
            return;
        }
    }
    if (in->packets++ == 0)
        in->first = m->ext_seq;
    if (m->ext_seq > in->last)
        in->last = m->ext_seq;
    in->number_last = number;
    in->seen[number % SEQS_MAX]++;
    in->repaired += (m->flags & TR_RTP_RETRANSMITTED) != 0;
    in->keyframes += (m->flags & TR_RTP_KEYFRAME) != 0;
}

struct tr_slice check_of(struct rig *r, const struct tr_media_peer_conf *creds, bool nominate,
                         uint8_t buf[CHECK_BYTES])
{
    uint8_t txid[TR_STUN_TXID];
    char username[128];
    struct tr_wr w = tr_wr(buf, CHECK_BYTES);
    tr_rng_fill(&r->rng, txid, sizeof txid);
    snprintf(username, sizeof username, "%s:clientufrag", creds->ufrag);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str(username));
    tr_stun_put_u32(&w, TR_STUN_PRIORITY, 1234567);
    tr_stun_put_u64(&w, TR_STUN_ICE_CONTROLLING, 1);
    if (nominate)
        tr_stun_put(&w, TR_STUN_USE_CANDIDATE, tr_slice(NULL, 0));
    tr_stun_put_integrity(&w, tr_slice_str(creds->pwd), false);
    tr_stun_put_fingerprint(&w);
    return tr_stun_end(&w);
}

void send_check(struct client *c, struct tr_udp *udp, const struct tr_path *path)
{
    uint8_t buf[CHECK_BYTES];
    tr_udp_send(udp, path, check_of(c->rig, &c->creds, false, buf));
    tr_udp_flush(udp);
}

bool client_other(struct client *c, struct tr_path *path)
{
    tr_udp_close(c->other);
    c->other = NULL;
    if (!open_socket(c->rig, &c->other))
        return false;
    tr_peer_path(c->peer, path);
    path->local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(c->other));
    return true;
}

/* --- streams --- */

struct tr_path client_tcp_path(const struct client *c)
{
    struct tr_path path = { .local = c->local, .remote = c->rig->ip };
    path.remote.port = tr_media_tcp_port(c->rig->media);
    path.remote.proto = TR_PROTO_TCP;
    return path;
}

void client_stream_send(struct client *c, struct tr_slice datagram)
{
    struct tr_stream_conf conf = { .framing = TR_FRAMING_RFC4571 };
    struct tr_addr from = c->rig->ip, to = client_tcp_path(c).remote;
    tr_usec now = tr_clock_now();
    from.proto = TR_PROTO_TCP;
    if (!c->stream)
        CHECK_INT(
            tr_streams_dial(c->streams, now, &from, &to, &conf, NULL, 5 * TR_SECOND, &c->stream),
            TR_OK);
    (void)!tr_stream_write(c->streams, now, c->stream, tr_slice(NULL, 0), datagram,
                           TR_STREAM_MEDIA);
}

static void stream_send_run(struct client *c, const struct tr_tx_msg *msg)
{
    for (size_t at = 0; at < msg->len; at += msg->segment) {
        size_t left = msg->len - at;
        client_stream_send(c, tr_slice(msg->p + at, left < msg->segment ? left : msg->segment));
    }
    tr_streams_flush(c->streams, tr_clock_now());
}

void send_some(struct client *c, struct tr_udp *udp, const struct tr_path *path, int mline,
               int count, bool keyframe)
{
    struct tr_tx_item items[TR_PEER_RUN_MAX] = { 0 };
    struct tr_tx_msg msgs[TR_PEER_RUN_MAX];
    struct tr_buf out = { .n = (size_t)count * TR_PEER_PACKET_MAX };
    for (int i = 0; i < count; i++) {
        struct tr_pkt *pkt = tr_pkt_alloc(c->rig->pool);
        uint16_t number = (uint16_t)c->next_seq[mline];
        uint8_t *p = tr_pkt_data(pkt);
        pkt->len = (uint16_t)(mline == VIDEO ? PAYLOAD - 3 * (i % 4) : 80);
        for (size_t k = payload_head(mline, keyframe && i == 0, number, p); k < pkt->len; k++)
            p[k] = pattern(number, k);
        memset(pkt->meta, 0, sizeof pkt->meta);
        *tr_rtp_meta(pkt) = (struct tr_rtp_meta){
            .flags = mline == AUDIO ? TR_RTP_AUDIO_LEVEL : 0,
            .audio_level = AUDIO_LEVEL,
        };
        items[i] = (struct tr_tx_item){ .pkt = pkt,
                                        .ext_seq = c->next_seq[mline]++,
                                        .ts = c->ts[mline],
                                        .marker = i == count - 1 };
    }
    c->ts[mline] += mline == VIDEO ? 3000 : 960;
    out.p = tr_udp_reserve(udp, out.n);
    int n = tr_peer_send_run(c->peer, tr_clock_now(), mline, items, count, out, msgs);
    for (int i = 0; i < n && path->remote.proto == TR_PROTO_TCP; i++)
        stream_send_run(c, &msgs[i]);
    for (int i = 0; i < n && path->remote.proto == TR_PROTO_UDP; i++)
        tr_udp_commit(udp, path, msgs[i].p, msgs[i].len, msgs[i].count > 1 ? msgs[i].segment : 0);
    for (int i = 0; i < count; i++)
        tr_pkt_unref(&items[i].pkt);
    tr_udp_flush(udp);
}

void client_send(struct client *c, int mline, int count, bool keyframe)
{
    struct tr_path path;
    if (CHECK(tr_peer_path(c->peer, &path)))
        send_some(c, c->udp, &path, mline, count, keyframe);
}

/* --- clients --- */

static void client_speak(struct client *c, tr_usec now)
{
    struct tr_peer_out out;
    for (;;) {
        tr_peer_poll(c->peer, now, &out);
        switch (out.kind) {
        case TR_PEER_NONE:
            tr_udp_flush(c->udp);
            if (c->streams)
                tr_streams_flush(c->streams, now);
            return;
        case TR_PEER_SEND:
            if (out.path.remote.proto == TR_PROTO_TCP)
                client_stream_send(c, out.data);
            else
                tr_udp_send(c->udp, &out.path, out.data);
            break;
        case TR_PEER_UP: c->up = true; break;
        case TR_PEER_DOWN: c->down = true; break;
        case TR_PEER_KEYFRAME: c->keyframes_asked++; break;
        case TR_PEER_NACK: c->nacks += out.seqs_count; break;
        case TR_PEER_VALID:
        case TR_PEER_INVALID:
        case TR_PEER_SR:
        case TR_PEER_KEYFRAME_NEEDED:
        case TR_PEER_BANDWIDTH:
        case TR_PEER_DATA: break;
        }
    }
}

static void client_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct client *c = arg;
    tr_usec now = tr_clock_now();
    if (tr_demux(datagram) != TR_DEMUX_RTP) {
        tr_peer_input(c->peer, now, *path, datagram);
        return;
    }
    bool video = datagram.n > 500;
    if (video && c->drop_every && ++c->drop_count % c->drop_every == 0)
        return;
    struct tr_pkt *pkt = tr_pkt_alloc(c->rig->pool);
    int mline;
    if (tr_peer_rtp(c->peer, now, datagram, pkt, &mline) == TR_OK && pkt->len > 0)
        take_media(c, mline, pkt);
    tr_pkt_unref(&pkt);
}

static void client_stream(void *arg, const struct tr_stream_event *ev)
{
    struct client *c = arg;
    struct tr_path path = client_tcp_path(c);
    if (ev->kind == TR_STREAM_FRAME) {
        client_datagram(c, &path, ev->data);
    } else if (ev->kind == TR_STREAM_CLOSED) {
        c->stream = 0; /* what is sent next connects again */
        c->streams_closed++;
    }
}

static void client_turn(struct client *c)
{
    if (!c->peer)
        return;
    while (c->streams && tr_streams_run(c->streams, tr_clock_now())) {
    }
    while (tr_udp_receive(c->udp, 0, client_datagram, c)) {
    }
    while (c->other && tr_udp_receive(c->other, 0, client_datagram, c)) {
    }
    tr_usec now = tr_clock_now();
    if (tr_peer_next_timeout(c->peer) <= now)
        tr_peer_timeout(c->peer, now);
    client_speak(c, now);
}

void rig_turn(struct rig *r)
{
    for (int i = 0; i < r->clients_count; i++)
        client_turn(&r->clients[i]);
    if (r->also)
        r->also(r->also_arg);
    take_events(r);
    (void)tr_waiter_wait(r->waiter, TR_MSEC);
}

void run_for(struct rig *r, tr_usec us)
{
    tr_usec end = tr_clock_now() + us;
    while (tr_clock_now() < end)
        rig_turn(r);
}

uint32_t ssrc_of(int client, int mline, bool out, bool rtx)
{
    return 0x10000u + (uint32_t)client * 16 + (uint32_t)mline * 4 + (out ? 2 : 0) + (rtx ? 1 : 0);
}

void fill_tracks(struct tr_track_conf *t, int client, bool mirrored)
{
    memset(t, 0, TRACKS * sizeof *t);
    for (int i = 0; i < TRACKS; i++) {
        bool video = i == VIDEO;
        t[i].used = t[i].recv = t[i].send = true;
        t[i].video = video;
        snprintf(t[i].mid, sizeof t[i].mid, "%d", i);
        t[i].codec = video ? TR_CODEC_VP8 : TR_CODEC_OPUS;
        t[i].clock_rate = video ? 90000 : 48000;
        t[i].pt = video ? PT_VIDEO : PT_AUDIO;
        t[i].rtx_pt = video ? PT_RTX : 0;
        t[i].ext.id[TR_EXT_MID] = t[i].ext_send.id[TR_EXT_MID] = 4;
        t[i].ext.id[TR_EXT_ABS_SEND_TIME] = t[i].ext_send.id[TR_EXT_ABS_SEND_TIME] = 3;
        t[i].ext.id[TR_EXT_AUDIO_LEVEL] = t[i].ext_send.id[TR_EXT_AUDIO_LEVEL] = video ? 0 : 1;
        t[i].fb_nack = t[i].fb_pli = t[i].fb_remb = video;
        t[i].layers_count = 1;
        t[i].layers[0].ssrc = ssrc_of(client, i, mirrored, false);
        t[i].layers[0].rtx_ssrc = video ? ssrc_of(client, i, mirrored, true) : 0;
        t[i].out_ssrc = ssrc_of(client, i, !mirrored, false);
        t[i].out_rtx_ssrc = video ? ssrc_of(client, i, !mirrored, true) : 0;
        snprintf(t[i].cname, sizeof t[i].cname, "cname");
    }
}

bool open_socket(const struct rig *r, struct tr_udp **udp)
{
    return CHECK(tr_udp_open(udp, &r->ip, 1, 0, true) == TR_OK);
}

bool client_start(struct client *c)
{
    struct rig *r = c->rig;
    tr_usec now = tr_clock_now();
    struct tr_peer_conf conf = { .dtls_ctx = r->ctx,
                                 .ice_role = TR_ICE_CONTROLLING,
                                 .dtls_role = TR_DTLS_CLIENT,
                                 .engine = r->engine,
                                 .rng = &r->rng,
                                 .wall_offset_us = tr_clock_unix_us() - now };
    struct tr_track_conf tracks[TRACKS];
    struct tr_peer_remote server = remote_of(c->creds.ufrag, c->creds.pwd, r->server_cert);
    struct tr_addr there = r->ip, tcp = client_tcp_path(c).remote;
    there.port = r->via ? r->via : tr_media_port(r->media);
    struct tr_ice_cand local = tr_ice_cand_make(TR_ICE_HOST, &c->local, NULL, 65535);
    struct tr_ice_cand remote = tr_ice_cand_make(TR_ICE_HOST, &there, NULL, 65535);
    if (c->streams) {
        local = tr_ice_cand_make_tcp(TR_ICE_HOST, TR_ICE_TCP_ACTIVE, &c->local, NULL, 8191);
        remote = tr_ice_cand_make_tcp(TR_ICE_HOST, TR_ICE_TCP_PASSIVE, &tcp, NULL, 8191);
    }
    conf.ufrag = "clientufrag";
    conf.pwd = "clientpasswordclientpassword";
    server.lite = server.passive = true;
    fill_tracks(tracks, (int)(c - r->clients), true);
    c->peer = tr_peer_create(&conf, now);
    return CHECK(c->peer) && CHECK(tr_peer_set_tracks(c->peer, now, tracks, TRACKS) == TR_OK) &&
           CHECK(tr_peer_set_remote(c->peer, now, &server) == TR_OK) &&
           CHECK(tr_peer_add_local(c->peer, now, &local) == TR_OK) &&
           CHECK(tr_peer_add_remote(c->peer, now, &remote) == TR_OK);
}

static struct client *open_client(struct rig *r, bool tcp)
{
    struct client *c = &r->clients[r->clients_count++];
    struct tr_track_conf tracks[TRACKS];
    struct tr_peer_remote remote =
        remote_of("clientufrag", "clientpasswordclientpassword", r->cert);
    *c = (struct client){ .rig = r, .next_seq = { 65000, 65100 } };
    tr_rng_ice_chars(&r->rng, c->creds.ufrag, 8);
    tr_rng_ice_chars(&r->rng, c->creds.pwd, 24);
    c->id = tr_media_peer_create(r->media, &c->creds);
    fill_tracks(tracks, (int)(c - r->clients), false);
    bool ok = CHECK(c->id != 0) && open_socket(r, &c->udp);
    if (ok && tcp)
        ok = CHECK(tr_streams_open(&c->streams, &(struct tr_streams_conf){ 0 }, client_stream, c) ==
                   TR_OK);
    if (!ok)
        return NULL;
    CHECK(tr_media_peer_tracks(r->media, c->id, tracks, TRACKS) == TR_OK);
    tr_media_peer_remote(r->media, c->id, &remote);
    c->local = r->ip;
    c->local.port = tcp ? TR_ICE_TCP_ACTIVE_PORT : tr_udp_port(c->udp);
    c->local.proto = tcp ? TR_PROTO_TCP : TR_PROTO_UDP;
    return client_start(c) ? c : NULL;
}

struct client *client_open(struct rig *r)
{
    return open_client(r, false);
}

struct client *client_open_tcp(struct rig *r)
{
    return open_client(r, true);
}

tr_id route(struct rig *r, const struct client *from, const struct client *to, int mline)
{
    struct tr_route_conf conf = tr_route_conf_default();
    return tr_media_route(r->media, end(from, mline), end(to, mline), &conf);
}

void ask_stats(struct rig *r, tr_id peer)
{
    static uint64_t cookie;
    tr_media_query(r->media, peer, ++cookie);
    WAIT_FOR(r, r->stats_cookie == cookie);
}

int worker_of(struct rig *r, const struct client *c)
{
    ask_stats(r, c->id);
    return CHECK(r->stats) ? r->stats->worker : -1;
}

void send_frames(struct rig *r, struct client *c, int frames)
{
    for (int i = 0; i < frames; i++) {
        client_send(c, VIDEO, 10, i == 0);
        client_send(c, AUDIO, 1, false);
        run_for(r, 3 * TR_MSEC);
    }
}

bool open_two_apart(struct rig *r, struct client **a, struct client **b)
{
    int first = -1;
    *a = *b = NULL;
    while (!*b && r->clients_count < CLIENTS_MAX) {
        struct client *c = client_open(r);
        if (!c)
            return false;
        WAIT_FOR(r, c->up);
        int worker = worker_of(r, c);
        if (!*a) {
            *a = c;
            first = worker;
        } else if (worker != first) {
            *b = c;
        }
    }
    return CHECK(*a && *b);
}

struct tr_media_counters counters(struct rig *r)
{
    struct tr_media_counters sums;
    run_for(r, 150 * TR_MSEC); /* workers publish them from time to time */
    tr_media_counters(r->media, &sums);
    return sums;
}

bool open_on_one_worker(struct rig *r, struct client **out, int count)
{
    int have[2] = { 0 };
    struct client *all[2][CLIENTS_MAX];
    while (r->clients_count < CLIENTS_MAX) {
        struct client *c = client_open(r);
        if (!c)
            return false;
        WAIT_FOR(r, c->up);
        int worker = worker_of(r, c);
        if (worker < 0)
            return false;
        all[worker][have[worker]++] = c;
        if (have[worker] == count) {
            memcpy(out, all[worker], (size_t)count * sizeof *out);
            return true;
        }
    }
    return CHECK(false);
}

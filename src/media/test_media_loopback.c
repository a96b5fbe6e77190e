/* Goal: the engine as the server runs it (two workers, real sockets and threads) connects real
 * clients, forwards between them, repairs losses, limits key frame requests, follows a client to
 * another address, and ends without a trace.
 * Method: clients are peers of our own (full agent, DTLS client) that this thread drives over
 * sockets on 127.0.0.1. Nothing here waits for a fixed time: each wait ends when what it waits for
 * has come, and fails after WAIT_US. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ice/cand.h"
#include "media/media.h"
#include "media/plain.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/udp.h"
#include "net/waiter.h"
#include "peer/peer.h"
#include "peer/rtp_meta.h"
#include "rtp/rtp.h"
#include "srtp/srtp.h"
#include "stun/stun.h"
#include "unit.h"

enum {
    CLIENTS_MAX = 24,
    EVENTS_MAX = 256,
    AUDIO = 0,
    VIDEO = 1,
    TRACKS = 2,
    PAYLOAD = 1100,
    SEQS_MAX = 4096,
    PT_AUDIO = 111,
    PT_VIDEO = 96,
    PT_RTX = 97,
};

#define WAIT_US (20 * TR_SECOND)

struct received { /* by one client on one m-line */
    int packets;
    int damaged;
    int repaired; /* came by retransmission */
    int keyframes;
    int64_t first, last;
    uint16_t number_last;   /* of the sender's, in the payload */
    uint8_t seen[SEQS_MAX]; /* by the sender's number */
};

struct client {
    struct rig *rig;
    tr_id id; /* of its peer in the engine */
    struct tr_udp *udp;
    struct tr_udp *other; /* a second socket, for a path change */
    struct tr_addr local;
    struct tr_peer *peer;
    bool up, down;
    int64_t next_seq[TRACKS];
    uint32_t ts[TRACKS];
    int keyframes_asked;
    int nacks;      /* numbers that the engine asked for again */
    int drop_every; /* of received video datagrams; 0: none */
    int drop_count;
    struct received in[TRACKS];
    struct tr_media_peer_conf creds;
};

struct rig {
    struct tr_media *media;
    struct tr_dtls_cert *server_cert, *cert;
    struct tr_dtls_ctx *ctx;
    struct tr_srtp_engine *engine;
    struct tr_pkt_pool *pool;
    struct tr_rng rng;
    int waiter;
    struct client clients[CLIENTS_MAX];
    int clients_count;
    struct tr_media_event events[EVENTS_MAX];
    int events_count;
    struct tr_media_peer_stats *stats; /* of the last query */
    uint64_t stats_cookie;
};

/* --- the rig --- */

static bool rig_open(struct rig *r, const enum tr_srtp_profile *profiles)
{
    int64_t unix_s = tr_clock_unix_us() / TR_SECOND;
    memset(r, 0, sizeof *r);
    r->rng = tr_random_system();
    r->server_cert = tr_dtls_cert_create(unix_s);
    r->cert = tr_dtls_cert_create(unix_s);
    r->ctx = tr_dtls_ctx_create(r->cert);
    r->engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    r->pool = tr_pkt_pool_create(1024);
    r->waiter = tr_waiter_open();
    struct tr_media_conf conf = {
        .workers = 2,
        .bind = { tr_addr_v4(127, 0, 0, 1, 0) },
        .bind_count = 1,
        .cert = r->server_cert,
        .packets_max = 8192,
        .gso = true,
    };
    if (profiles)
        memcpy(conf.profiles, profiles, sizeof conf.profiles);
    return CHECK(tr_media_create(&r->media, &conf) == TR_OK);
}

static void client_close(struct client *c)
{
    tr_peer_destroy(c->peer);
    tr_udp_close(c->udp);
    tr_udp_close(c->other);
}

static void rig_close(struct rig *r)
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

static int events_of(const struct rig *r, enum tr_media_event_kind kind, tr_id peer)
{
    int n = 0;
    for (int i = 0; i < r->events_count; i++)
        n += r->events[i].kind == kind && (peer == 0 || r->events[i].peer == peer);
    return n;
}

/* --- media: a marker, the sender's number, and bytes that follow from it --- */

static uint8_t pattern(uint16_t number, size_t i)
{
    return (uint8_t)(number * 31u + i);
}

static size_t payload_head(int mline, bool keyframe, uint16_t number, uint8_t *p)
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

static void send_some(struct client *c, struct tr_udp *udp, const struct tr_path *path, int mline,
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
        items[i] = (struct tr_tx_item){ .pkt = pkt,
                                        .ext_seq = c->next_seq[mline]++,
                                        .ts = c->ts[mline],
                                        .marker = i == count - 1 };
    }
    c->ts[mline] += mline == VIDEO ? 3000 : 960;
    out.p = tr_udp_reserve(udp, out.n);
    int n = tr_peer_send_run(c->peer, tr_clock_now(), mline, items, count, out, msgs);
    for (int i = 0; i < n; i++)
        tr_udp_commit(udp, path, msgs[i].p, msgs[i].len, msgs[i].count > 1 ? msgs[i].segment : 0);
    for (int i = 0; i < count; i++)
        tr_pkt_unref(&items[i].pkt);
    tr_udp_flush(udp);
}

static void client_send(struct client *c, int mline, int count, bool keyframe)
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
        case TR_PEER_NONE: tr_udp_flush(c->udp); return;
        case TR_PEER_SEND: tr_udp_send(c->udp, &out.path, out.data); break;
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

static void client_turn(struct client *c)
{
    if (!c->peer)
        return;
    while (tr_udp_receive(c->udp, 0, client_datagram, c)) {
    }
    while (c->other && tr_udp_receive(c->other, 0, client_datagram, c)) {
    }
    tr_usec now = tr_clock_now();
    if (tr_peer_next_timeout(c->peer) <= now)
        tr_peer_timeout(c->peer, now);
    client_speak(c, now);
}

static void rig_turn(struct rig *r)
{
    for (int i = 0; i < r->clients_count; i++)
        client_turn(&r->clients[i]);
    take_events(r);
    (void)tr_waiter_wait(r->waiter, TR_MSEC);
}

/* Turns until cond holds; fails the test after WAIT_US. */
#define WAIT_FOR(r, cond)                                                                          \
    do {                                                                                           \
        tr_usec wait_end = tr_clock_now() + WAIT_US;                                               \
        while (!(cond) && tr_clock_now() < wait_end)                                               \
            rig_turn(r);                                                                           \
        CHECK(cond);                                                                               \
    } while (0)

static void run_for(struct rig *r, tr_usec us)
{
    tr_usec end = tr_clock_now() + us;
    while (tr_clock_now() < end)
        rig_turn(r);
}

static uint32_t ssrc_of(int client, int mline, bool out, bool rtx)
{
    return 0x10000u + (uint32_t)client * 16 + (uint32_t)mline * 4 + (out ? 2 : 0) + (rtx ? 1 : 0);
}

/* The m-lines as the engine sees them, or as the client does (mirrored). */
static void fill_tracks(struct tr_track_conf *t, int client, bool mirrored)
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
        t[i].fb_nack = t[i].fb_pli = t[i].fb_remb = video;
        t[i].layers_count = 1;
        t[i].layers[0].ssrc = ssrc_of(client, i, mirrored, false);
        t[i].layers[0].rtx_ssrc = video ? ssrc_of(client, i, mirrored, true) : 0;
        t[i].out_ssrc = ssrc_of(client, i, !mirrored, false);
        t[i].out_rtx_ssrc = video ? ssrc_of(client, i, !mirrored, true) : 0;
        snprintf(t[i].cname, sizeof t[i].cname, "cname");
    }
}

static struct tr_peer_remote remote_of(const char *ufrag, const char *pwd,
                                       const struct tr_dtls_cert *cert)
{
    const struct tr_dtls_fingerprint *f = tr_dtls_cert_fingerprint(cert);
    struct tr_peer_remote remote = { .fingerprint_len = (uint8_t)f->len };
    snprintf(remote.ufrag, sizeof remote.ufrag, "%s", ufrag);
    snprintf(remote.pwd, sizeof remote.pwd, "%s", pwd);
    snprintf(remote.fingerprint_alg, sizeof remote.fingerprint_alg, "%s",
             tr_dtls_digest_name(f->digest));
    memcpy(remote.fingerprint, f->bytes, f->len);
    return remote;
}

static bool open_socket(struct tr_udp **udp)
{
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, 0);
    return CHECK(tr_udp_open(udp, &loopback, 1, 0, true) == TR_OK);
}

static bool client_start(struct client *c)
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
    struct tr_addr there = tr_addr_v4(127, 0, 0, 1, tr_media_port(r->media));
    struct tr_ice_cand local = tr_ice_cand_make(TR_ICE_HOST, &c->local, NULL, 65535);
    struct tr_ice_cand remote = tr_ice_cand_make(TR_ICE_HOST, &there, NULL, 65535);
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

/* A client whose peer the engine knows; it begins to connect. */
static struct client *client_open(struct rig *r)
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
    bool ok = CHECK(c->id != 0) && open_socket(&c->udp);
    if (!ok)
        return NULL;
    CHECK(tr_media_peer_tracks(r->media, c->id, tracks, TRACKS) == TR_OK);
    tr_media_peer_remote(r->media, c->id, &remote);
    c->local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(c->udp));
    return client_start(c) ? c : NULL;
}

static struct tr_media_end end(const struct client *c, int mline)
{
    return (struct tr_media_end){ .peer = c->id, .mline = mline };
}

static tr_id route(struct rig *r, const struct client *from, const struct client *to, int mline)
{
    struct tr_route_conf conf = tr_route_conf_default();
    return tr_media_route(r->media, end(from, mline), end(to, mline), &conf);
}

static void ask_stats(struct rig *r, tr_id peer)
{
    static uint64_t cookie;
    tr_media_query(r->media, peer, ++cookie);
    WAIT_FOR(r, r->stats_cookie == cookie);
}

static int worker_of(struct rig *r, const struct client *c)
{
    ask_stats(r, c->id);
    return CHECK(r->stats) ? r->stats->worker : -1;
}

static void send_frames(struct rig *r, struct client *c, int frames)
{
    for (int i = 0; i < frames; i++) {
        client_send(c, VIDEO, 10, i == 0);
        client_send(c, AUDIO, 1, false);
        run_for(r, 3 * TR_MSEC);
    }
}

/* --- tests --- */

TEST(echo)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, AUDIO); /* waits until the peer is there */
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        WAIT_FOR(r, events_of(r, TR_MEDIA_PEER_UP, c->id) == 1);
        send_frames(r, c, 20);
        WAIT_FOR(r, c->in[VIDEO].packets == 200 && c->in[AUDIO].packets == 20);
        CHECK_INT(c->in[VIDEO].damaged + c->in[AUDIO].damaged, 0);
        CHECK_INT(c->in[VIDEO].last - c->in[VIDEO].first, 199);
        CHECK_INT(c->in[VIDEO].keyframes, 1);
        WAIT_FOR(r, events_of(r, TR_MEDIA_RECEIVING, c->id) == 2);
        ask_stats(r, c->id);
        CHECK(r->stats && r->stats->tracks_count == TRACKS);
        CHECK_STR(r->stats->ice_state, "connected");
        CHECK_STR(r->stats->dtls_state, "connected");
        CHECK_STR(r->stats->srtp_profile, "AEAD_AES_128_GCM");
        CHECK_INT(r->stats->tracks[VIDEO].layers[0].packets, 200);
        CHECK_INT(r->stats->tracks[VIDEO].out_packets, 200);
        tr_media_peer_close(r->media, c->id);
        WAIT_FOR(r, c->down);
        ask_stats(r, c->id);
        CHECK(r->stats == NULL);
    }
    rig_close(r);
    tr_free(r);
}

TEST(echo_with_each_profile)
{
    static const enum tr_srtp_profile profiles[] = { TR_SRTP_AES128_CM_SHA1_80,
                                                     TR_SRTP_AEAD_AES_256_GCM };
    static const char *const names[] = { "AES128_CM_SHA1_80", "AEAD_AES_256_GCM" };
    struct rig *r = tr_alloc(sizeof *r);
    for (int i = 0; i < 2; i++) {
        enum tr_srtp_profile only[TR_SRTP_PROFILES] = { profiles[i] };
        if (rig_open(r, only)) {
            struct client *c = client_open(r);
            route(r, c, c, VIDEO);
            WAIT_FOR(r, c->up);
            client_send(c, VIDEO, 10, true);
            WAIT_FOR(r, c->in[VIDEO].packets == 10);
            CHECK_INT(c->in[VIDEO].damaged, 0);
            ask_stats(r, c->id);
            CHECK(r->stats && strcmp(r->stats->srtp_profile, names[i]) == 0);
        }
        rig_close(r);
    }
    tr_free(r);
}

/* Two clients on different workers; the kernel spreads them, so open some until it has. */
static bool open_two_apart(struct rig *r, struct client **a, struct client **b)
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

TEST(call_across_workers)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && open_two_apart(r, &a, &b)) {
        for (int i = 0; i < TRACKS; i++) {
            route(r, a, b, i);
            route(r, b, a, i);
        }
        run_for(r, 20 * TR_MSEC); /* the routes are wired */
        for (int i = 0; i < 20; i++) {
            client_send(a, VIDEO, 10, i == 0);
            client_send(b, VIDEO, 10, i == 0);
            client_send(a, AUDIO, 1, false);
            run_for(r, 3 * TR_MSEC);
        }
        WAIT_FOR(r, a->in[VIDEO].packets == 200 && b->in[VIDEO].packets == 200);
        WAIT_FOR(r, b->in[AUDIO].packets == 20);
        CHECK_INT(a->in[VIDEO].damaged + b->in[VIDEO].damaged, 0);
        CHECK_INT(b->in[VIDEO].last - b->in[VIDEO].first, 199);
        tr_media_peer_close(r->media, a->id);
        WAIT_FOR(r, a->down);
        client_send(b, VIDEO, 10, true); /* to nobody */
        run_for(r, 50 * TR_MSEC);
        CHECK(!b->down);
    }
    rig_close(r);
    tr_free(r);
}

/* A loses every 7th datagram that it gets: all come in the end, by RTX, under their old numbers. */
static void check_repair(struct rig *r, struct client *from, struct client *to)
{
    route(r, from, to, VIDEO);
    run_for(r, 20 * TR_MSEC);
    to->drop_every = 7;
    uint16_t first = (uint16_t)from->next_seq[VIDEO];
    send_frames(r, from, 20);
    int missing = 200;
    tr_usec until = tr_clock_now() + WAIT_US;
    while (missing > 0 && tr_clock_now() < until) {
        rig_turn(r);
        missing = 0;
        for (int i = 0; i < 190; i++) /* what no later packet shows missing cannot be asked for */
            missing += to->in[VIDEO].seen[(uint16_t)(first + i) % SEQS_MAX] == 0;
    }
    CHECK_INT(missing, 0);
    CHECK(to->in[VIDEO].repaired > 10);
    CHECK_INT(to->in[VIDEO].damaged, 0);
}

TEST(losses_are_repaired_here_and_across_workers)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && open_two_apart(r, &a, &b)) {
        check_repair(r, a, b);
        check_repair(r, b, b);
        struct tr_media_counters sums;
        run_for(r, 150 * TR_MSEC);
        tr_media_counters(r->media, &sums);
        CHECK(sums.rtx_out > 20 && sums.nacks_in > 20);
        CHECK_INT(sums.peers, r->clients_count);
        CHECK_INT(sums.routes, 1); /* the second took the sink of the first */
    }
    rig_close(r);
    tr_free(r);
}

static struct tr_media_counters counters(struct rig *r)
{
    struct tr_media_counters sums;
    run_for(r, 150 * TR_MSEC); /* workers publish them from time to time */
    tr_media_counters(r->media, &sums);
    return sums;
}

/* Half of all is lost, retransmissions too, so the client asks again and again. */
TEST(what_is_sent_again_is_a_part_of_what_is_sent)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        c->drop_every = 2;
        send_frames(r, c, 80);
        struct tr_media_counters sums = counters(r);
        CHECK(sums.drops[TR_DROP_RESEND] > 0);
        CHECK(sums.rtx_out > 50 && sums.rtx_out < 64 + 32 + 80 * 10 / 5);
    }
    rig_close(r);
    tr_free(r);
}

TEST(a_client_that_floods_is_held_to_a_multiple_of_what_it_was_told)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r), *other = client_open(r);
        WAIT_FOR(r, c->up && other->up);
        struct tr_media_counters sums = { 0 };
        tr_usec until = tr_clock_now() + WAIT_US;
        while (sums.drops[TR_DROP_RATE] == 0 && tr_clock_now() < until) {
            client_send(c, VIDEO, TR_PEER_RUN_MAX, false);
            rig_turn(r);
            tr_media_counters(r->media, &sums);
        }
        CHECK(sums.drops[TR_DROP_RATE] > 0);
        CHECK(sums.bytes_in > 4000000);
        route(r, other, other, VIDEO);
        send_frames(r, other, 5);
        WAIT_FOR(r, other->in[VIDEO].packets == 50);
        CHECK(!c->down);
    }
    rig_close(r);
    tr_free(r);
}

/* What the client loses on its way up is asked for by the engine. */
TEST(losses_of_the_uplink_are_asked_for)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 5, true);
        c->next_seq[VIDEO] += 3;
        for (int i = 0; i < 5; i++) {
            client_send(c, VIDEO, 5, false);
            run_for(r, 5 * TR_MSEC);
        }
        WAIT_FOR(r, c->nacks >= 3);
    }
    rig_close(r);
    tr_free(r);
}

TEST(key_frames_are_asked_for_but_not_more_often_than_every_500_ms)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 5, true); /* the stream is known */
        run_for(r, 50 * TR_MSEC);
        tr_usec start = tr_clock_now();
        for (int i = 0; i < 100; i++) {
            tr_media_keyframe(r->media, end(c, VIDEO));
            run_for(r, 10 * TR_MSEC);
        }
        int asked = c->keyframes_asked;
        CHECK(asked >= 2 && asked <= (int)((tr_clock_now() - start) / (500 * TR_MSEC)) + 1);
    }
    rig_close(r);
    tr_free(r);
}

/* --- taps --- */

enum { HELD_MAX = 512 };

struct tap_log {
    _Atomic int packets, damaged, reports;
    _Atomic bool closed;
    struct tr_pkt *held[HELD_MAX]; /* by the worker's thread, until closed */
    int held_count;
};

static bool open_on_one_worker(struct rig *r, struct client **out, int count)
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

static void check_late(struct rig *r, struct client *a, struct client *b, struct client *c)
{
    route(r, a, b, VIDEO);
    client_send(a, VIDEO, 10, true);
    client_send(a, VIDEO, 10, false);
    WAIT_FOR(r, b->in[VIDEO].packets == 20);
    int asked = a->keyframes_asked;
    route(r, a, c, VIDEO);
    WAIT_FOR(r, c->in[VIDEO].packets == 20);
    CHECK_INT(c->in[VIDEO].keyframes, 1);
    client_send(a, VIDEO, 10, false);
    WAIT_FOR(r, b->in[VIDEO].packets == 30 && c->in[VIDEO].packets == 30);
    CHECK_INT(c->in[VIDEO].last - c->in[VIDEO].first, 29);
    CHECK_INT(c->in[VIDEO].damaged, 0);
    CHECK_INT(a->keyframes_asked, asked);
    /* When it has left the ring, the publisher is asked. */
    run_for(r, 1300 * TR_MSEC);
    client_send(a, VIDEO, 10, false);
    WAIT_FOR(r, b->in[VIDEO].packets == 40);
    route(r, a, a, VIDEO);
    WAIT_FOR(r, a->keyframes_asked > asked);
    CHECK_INT(a->in[VIDEO].packets, 0);
}

/* The second of two listeners finds the key frame of the first in the ring. */
TEST(who_comes_late_begins_with_the_last_key_frame)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *three[3] = { 0 };
        if (open_on_one_worker(r, three, 3))
            check_late(r, three[0], three[1], three[2]);
    }
    rig_close(r);
    tr_free(r);
}
static void tap_packets(void *arg, uint16_t track, struct tr_pkt *const *pkts, int count)
{
    struct tap_log *log = arg;
    if (track != 7)
        log->damaged++;
    for (int i = 0; i < count && log->held_count < HELD_MAX; i++)
        log->held[log->held_count++] = tr_pkt_ref(pkts[i]);
    log->packets += count;
}

static void tap_report(void *arg, uint16_t track, const struct tr_tap_sr *sr)
{
    struct tap_log *log = arg;
    log->reports++;
}

static void tap_closed(void *arg)
{
    struct tap_log *log = arg;
    for (int i = 0; i < log->held_count; i++)
        tr_pkt_unref(&log->held[i]);
    log->closed = true;
}

static struct tr_tap tap_of(struct tap_log *log)
{
    return (struct tr_tap){
        .packets = tap_packets, .sender_report = tap_report, .closed = tap_closed, .arg = log
    };
}

TEST(a_tap_gets_packets_and_reports_until_it_is_closed)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct tap_log *log = tr_alloc(sizeof *log);
    if (rig_open(r, NULL)) {
        struct tr_tap to = tap_of(log);
        struct client *c = client_open(r);
        tr_id tap = tr_media_tap_create(r->media, &to);
        tr_media_tap_route(r->media, end(c, VIDEO), tap, 7); /* before the peer is up */
        WAIT_FOR(r, c->up);
        tr_peer_set_tx_clock(c->peer, VIDEO, c->ts[VIDEO], tr_clock_now());
        send_frames(r, c, 10);
        WAIT_FOR(r, log->packets == 100);
        WAIT_FOR(r, log->reports >= 1);
        tr_media_tap_close(r->media, tap);
        WAIT_FOR(r, log->closed);
        client_send(c, VIDEO, 10, false);
        run_for(r, 50 * TR_MSEC);
        CHECK_INT(log->packets, 100);
        CHECK_INT(log->damaged, 0);
    }
    rig_close(r);
    tr_free(log);
    tr_free(r);
}

TEST(a_tap_that_is_open_at_the_end_lets_go_of_its_packets)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct tap_log *log = tr_alloc(sizeof *log);
    if (rig_open(r, NULL)) {
        struct tr_tap to = tap_of(log);
        struct client *c = client_open(r);
        tr_media_tap_route(r->media, end(c, VIDEO), tr_media_tap_create(r->media, &to), 7);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, log->packets == 10);
    }
    rig_close(r);
    CHECK(log->closed);
    tr_free(log);
    tr_free(r);
}

/* --- a second path --- */

static void send_check(struct client *c, struct tr_udp *udp, const struct tr_path *path)
{
    uint8_t txid[TR_STUN_TXID], buf[512];
    char username[128];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rng_fill(&c->rig->rng, txid, sizeof txid);
    snprintf(username, sizeof username, "%s:clientufrag", c->creds.ufrag);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str(username));
    tr_stun_put_u32(&w, TR_STUN_PRIORITY, 1234567);
    tr_stun_put_u64(&w, TR_STUN_ICE_CONTROLLING, 1);
    tr_stun_put_integrity(&w, tr_slice_str(c->creds.pwd), false);
    tr_stun_put_fingerprint(&w);
    tr_udp_send(udp, path, tr_stun_end(&w));
    tr_udp_flush(udp);
}

/* Media from four more sockets, of which the kernel gives some to the other worker. */
TEST(a_second_path_may_arrive_at_another_worker)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, c->in[VIDEO].packets == 10);
        for (int i = 1; i <= 6; i++) {
            struct tr_path path;
            struct tr_media_counters before, after;
            tr_udp_close(c->other);
            c->other = NULL;
            if (!open_socket(&c->other))
                break;
            tr_peer_path(c->peer, &path);
            path.local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(c->other));
            send_some(c, c->other, &path, VIDEO, 1, false); /* not proven yet: dropped */
            run_for(r, 120 * TR_MSEC);
            tr_media_counters(r->media, &before);
            CHECK_INT(before.drops[TR_DROP_UNKNOWN_ADDR], i);
            send_check(c, c->other, &path);
            run_for(r, 120 * TR_MSEC);
            int have = c->in[VIDEO].packets;
            send_some(c, c->other, &path, VIDEO, 10, false);
            WAIT_FOR(r, c->in[VIDEO].packets >= have + 10);
            run_for(r, 120 * TR_MSEC);
            tr_media_counters(r->media, &after);
            CHECK_INT(after.drops[TR_DROP_UNKNOWN_ADDR], i);
        }
        ask_stats(r, c->id);
        CHECK(r->stats && r->stats->pairs_count >= 7);
    }
    rig_close(r);
    tr_free(r);
}

/* More paths than the agent keeps: the newest one works, the oldest makes room for it. */
TEST(a_client_may_move_often)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, c->in[VIDEO].packets == 10);
        for (int i = 1; i <= TR_ICE_PATH_MAX + 2; i++) {
            struct tr_path path;
            tr_udp_close(c->other);
            c->other = NULL;
            if (!open_socket(&c->other))
                break;
            tr_peer_path(c->peer, &path);
            path.local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(c->other));
            send_check(c, c->other, &path);
            int have = c->in[VIDEO].packets;
            tr_usec end = tr_clock_now() + WAIT_US;
            do { /* what overtakes the check is from nobody */
                send_some(c, c->other, &path, VIDEO, 10, false);
                run_for(r, 20 * TR_MSEC);
            } while (c->in[VIDEO].packets < have + 10 && tr_clock_now() < end);
            CHECK(c->in[VIDEO].packets >= have + 10);
        }
    }
    rig_close(r);
    tr_free(r);
}

/* A client that dies without a word, and another at the same address; see ADDR_QUIET_US. */
TEST(an_address_is_given_away_only_when_it_is_silent)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct tr_path path;
        struct client *a = client_open(r), *b = client_open(r);
        route(r, a, a, VIDEO);
        WAIT_FOR(r, a->up && b->up);
        tr_peer_path(a->peer, &path);
        send_check(b, a->udp, &path); /* it is in use */
        client_send(a, VIDEO, 10, true);
        WAIT_FOR(r, a->in[VIDEO].packets == 10);

        tr_peer_destroy(a->peer);
        a->peer = NULL;
        tr_usec quiet = tr_clock_now() + 5 * TR_SECOND + 100 * TR_MSEC;
        while (tr_clock_now() < quiet)
            rig_turn(r);
        struct client *c = client_open(r);
        tr_udp_close(c->udp);
        c->udp = a->udp;
        c->local = a->local;
        a->udp = NULL;
        tr_peer_destroy(c->peer);
        c->up = false;
        CHECK(client_start(c));
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, c->in[VIDEO].packets == 10);
    }
    rig_close(r);
    tr_free(r);
}

/* --- plain RTP --- */

static void send_plain(struct tr_udp *udp, const struct tr_path *path, uint16_t number,
                       bool keyframe)
{
    uint8_t buf[1200];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rtp_put(&w, true, 100, number, number * 3000u, 77, false);
    uint8_t *payload = tr_wr_skip(&w, 1000);
    for (size_t i = payload_head(VIDEO, keyframe, number, payload); i < 1000; i++)
        payload[i] = pattern(number, i);
    tr_udp_send(udp, path, tr_wr_slice(&w));
    tr_udp_flush(udp);
}

/* A source of plain RTP is like a client's: it is routed, its losses are repaired from the ring. */
TEST(plain_rtp_reaches_a_client)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct tr_udp *udp = NULL;
    if (rig_open(r, NULL) && open_socket(&udp)) {
        struct tr_route_conf conf = tr_route_conf_default();
        struct tr_track_conf tracks[TRACKS];
        struct tr_media_port port = { .feeds = { .mline = VIDEO },
                                      .bind = tr_addr_v4(127, 0, 0, 1, 0) };
        struct tr_media_plain_conf plain = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = &port, .ports_count = 1
        };
        struct tr_path path = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(udp)) };
        tr_id peer = 0;
        struct client *c = client_open(r);
        fill_tracks(tracks, CLIENTS_MAX, false);
        for (int i = 0; i < TRACKS; i++) {
            tracks[i].send = false;
            tracks[i].layers[0] = (struct tr_track_layer){ 0 };
        }
        CHECK(tr_media_plain_create(r->media, &plain, &path.remote, &peer) == TR_OK);
        tr_media_route(r->media, (struct tr_media_end){ peer, VIDEO }, end(c, VIDEO), &conf);
        WAIT_FOR(r, c->up);
        run_for(r, 20 * TR_MSEC);
        c->drop_every = 5;
        for (uint16_t number = 0; number < 50; number++) {
            send_plain(udp, &path, number, number == 0);
            run_for(r, 2 * TR_MSEC);
        }
        WAIT_FOR(r, c->in[VIDEO].packets >= 49 && c->in[VIDEO].repaired >= 5);
        CHECK_INT(c->in[VIDEO].damaged, 0);
        WAIT_FOR(r, events_of(r, TR_MEDIA_RECEIVING, peer) >= 1);
        ask_stats(r, peer);
        CHECK(r->stats && r->stats->tracks[VIDEO].layers[0].packets == 50);
        tr_media_peer_close(r->media, peer);
        ask_stats(r, peer);
        CHECK(r->stats == NULL);
    }
    tr_udp_close(udp);
    rig_close(r);
    tr_free(r);
}

/* --- ends --- */

TEST(peers_that_never_came_and_peers_in_mid_handshake_go_without_a_trace)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct tr_media_peer_conf creds = { .ufrag = "nobody", .pwd = "0123456789012345678901" };
        tr_id never = tr_media_peer_create(r->media, &creds);
        CHECK(never != 0);
        CHECK(tr_media_peer_create(r->media, &creds) == 0); /* the ufrag is taken */
        ask_stats(r, never);
        CHECK(r->stats && r->stats->worker == -1);
        tr_media_peer_close(r->media, never);
        struct client *c = client_open(r);
        rig_turn(r);
        tr_media_peer_close(r->media, c->id); /* taken over or not: control cannot know yet */
        ask_stats(r, c->id);
        CHECK(r->stats == NULL);
        client_open(r);
        rig_turn(r);
    }
    rig_close(r); /* the second one is in its handshake */
    tr_free(r);
}

TEST(a_silent_peer_is_reported_gone)
{
    struct rig *r = tr_alloc(sizeof *r);
    memset(r, 0, sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        WAIT_FOR(r, c->up);
        tr_peer_close(c->peer, tr_clock_now()); /* close_notify */
        WAIT_FOR(r, events_of(r, TR_MEDIA_PEER_DOWN, c->id) == 1);
        tr_media_peer_close(r->media, c->id);
    }
    rig_close(r);
    tr_free(r);
}

/* A route that is made before its sink has m-lines waits for them. */
TEST(a_route_waits_for_the_m_lines_of_both_ends)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && (a = client_open(r)) && (b = client_open(r))) {
        struct tr_track_conf tracks[TRACKS];
        WAIT_FOR(r, a->up && b->up);
        fill_tracks(tracks, (int)(b - r->clients), false);
        tracks[VIDEO].send = false;
        CHECK(tr_media_peer_tracks(r->media, b->id, tracks, TRACKS) == TR_OK);
        fill_tracks(tracks, (int)(a - r->clients), false);
        tracks[VIDEO].recv = false;
        CHECK(tr_media_peer_tracks(r->media, a->id, tracks, TRACKS) == TR_OK);
        route(r, a, b, VIDEO);
        run_for(r, 20 * TR_MSEC);
        fill_tracks(tracks, (int)(a - r->clients), false);
        CHECK(tr_media_peer_tracks(r->media, a->id, tracks, TRACKS) == TR_OK);
        fill_tracks(tracks, (int)(b - r->clients), false);
        CHECK(tr_media_peer_tracks(r->media, b->id, tracks, TRACKS) == TR_OK);
        run_for(r, 20 * TR_MSEC);
        b->drop_every = 5; /* the ring is kept, too */
        send_frames(r, a, 10);
        WAIT_FOR(r, b->in[VIDEO].repaired > 5);
    }
    rig_close(r);
    tr_free(r);
}

/* A client that had one layer gets a second: who listens on another worker is told of it. */
TEST(a_renegotiation_reaches_those_who_listen_on_another_worker)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && open_two_apart(r, &a, &b)) {
        struct tr_track_conf tracks[TRACKS];
        int n = (int)(a - r->clients);
        uint32_t better = ssrc_of(CLIENTS_MAX, VIDEO, false, false);
        route(r, a, b, VIDEO);
        run_for(r, 20 * TR_MSEC);
        client_send(a, VIDEO, 10, true);
        WAIT_FOR(r, b->in[VIDEO].packets == 10);
        fill_tracks(tracks, n, false);
        tracks[VIDEO].layers_count = 2;
        tracks[VIDEO].layers[1].ssrc = better;
        CHECK(tr_media_peer_tracks(r->media, a->id, tracks, TRACKS) == TR_OK);
        run_for(r, 20 * TR_MSEC);
        fill_tracks(tracks, n, true);
        tracks[VIDEO].out_ssrc = better;
        CHECK(tr_peer_set_tracks(a->peer, tr_clock_now(), tracks, TRACKS) == TR_OK);
        b->drop_every = 5; /* and the new layer is kept for retransmission */
        send_frames(r, a, 5);
        WAIT_FOR(r, b->in[VIDEO].packets > 50 && b->in[VIDEO].repaired > 5);
        CHECK(events_of(r, TR_MEDIA_LAYER, b->id) >= 1);
    }
    rig_close(r);
    tr_free(r);
}

TEST(a_failed_start_leaves_other_descriptors_alone)
{
    struct tr_media *media = NULL;
    struct tr_dtls_cert *cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    struct tr_media_conf conf = {
        .workers = 2, .bind = { tr_addr_v4(192, 0, 2, 77, 0) }, .bind_count = 1, .cert = cert
    };
    int before = tr_waiter_open();
    tr_waiter_close(before);
    CHECK(tr_media_create(&media, &conf) == TR_ERR_IO);
    CHECK(media == NULL);
    int after = tr_waiter_open(); /* the lowest free one: 0 if standard input was closed */
    CHECK_INT(after, before);
    tr_waiter_close(after);
    tr_dtls_cert_destroy(cert);
}

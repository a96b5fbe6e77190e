/* Goal: the engine gives each client what its link can take, and no more: simulcast layers follow a
 * bottleneck down within 3 s and up within 10 s, pictures never stand still for more than 2 s,
 * audio goes on, and publishers are told what nobody asks for.
 * Method: one worker of the engine in virtual time: its thread is ended, and the test turns it. Its
 * sockets are real, but what lies between them and the clients (peers of our own) is a simulated
 * link: rate, queue, delay, jitter, seeded. The publisher's packets are handed to its sources. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ice/cand.h"
#include "media/worker.h"
#include "net/clock.h"
#include "peer/ingress.h"
#include "peer/remote_test.h"
#include "sim/media.h"
#include "unit.h"

enum {
    SUBSCRIBERS_MAX = 3,
    CLIENTS_MAX = SUBSCRIBERS_MAX + 1,
    LAYERS = 3,
    AUDIO = 0,
    VIDEO = 1,
    TRACKS = 2,
    PT_AUDIO = 111,
    PT_VIDEO = 96,
    PT_RTX = 97,
    QUEUE_MAX = 2048,
    DATAGRAM_MAX = 1500,
    PACKET_BYTES = 1000,
    KEY_TIMES = 4, /* a key frame is so many times as large as others */
    AUDIO_BYTES = 80,
    IP_UDP = 28,
    FRAMES_AHEAD = 512,
};

#define STEP_US TR_MSEC
#define FRAME_US (33 * TR_MSEC)
#define AUDIO_US (20 * TR_MSEC)
#define KEYFRAME_US (60 * TR_MSEC) /* from the request to the frame */
#define DELAY_US (20 * TR_MSEC)

static const uint32_t layer_bps[LAYERS] = { 100000, 280000, 650000 };

struct in_flight {
    tr_usec at;
    struct tr_path path;
    uint16_t len;
    uint8_t bytes[DATAGRAM_MAX];
};

struct queue { /* one direction of a link; what is in it arrives in order */
    struct in_flight *slots;
    int first, count;
    tr_usec free_at, last_at; /* when the bottleneck is idle */
};

struct decoder { /* shows a frame when all before it since a key frame has come */
    bool has[FRAMES_AHEAD], ends[FRAMES_AHEAD], key[FRAMES_AHEAD]; /* packets, by number */
    int64_t newest, shown;
    bool started;
    tr_usec shown_us, freeze_us, asked_us;
    int layer[FRAMES_AHEAD];
    int layer_shown;
    uint64_t frames;
};

struct client {
    tr_id id;
    struct tr_udp *udp;
    struct tr_peer *peer;
    struct tr_addr local;
    bool up;
    uint32_t rate_bps, queue_bytes; /* of its downlink; 0: none */
    tr_usec jitter_us;
    uint32_t loss_ppm; /* both ways */
    struct queue down, back;
    struct decoder video;
    int64_t audio_first, audio_last;
    uint64_t audio_packets, dropped;
    tr_usec audio_us, audio_gap_us;
    tr_id routes[TRACKS];
    struct tr_media_peer_conf creds;
};

struct layer_sender {
    int64_t seq;
    uint32_t frame;
    tr_usec key_at; /* 0: none is asked for */
    tr_usec asked_seen;
    bool stopped;
};

static struct {
    struct tr_media *media;
    struct worker *w;
    struct tr_dtls_cert *server_cert, *cert;
    struct tr_dtls_ctx *ctx;
    struct tr_srtp_engine *engine;
    struct tr_pkt_pool *pool;
    struct tr_rng rng;
    tr_usec now;
    struct client clients[CLIENTS_MAX]; /* 0: the publisher */
    int clients_count;
    struct layer_sender layers[LAYERS];
    int64_t audio_seq;
    tr_usec frame_at, audio_at;
    uint32_t video_ts, audio_ts;
    uint8_t tl0;
    bool single; /* the video has one layer, the best, at the rate that the publisher is told */
    uint32_t single_bps;
    tr_usec single_at;
} rig;

/* --- links --- */

static void push(struct queue *q, tr_usec at, const struct tr_path *path, struct tr_slice data)
{
    if (q->count == QUEUE_MAX || data.n > DATAGRAM_MAX)
        return;
    struct in_flight *f = &q->slots[(q->first + q->count++) % QUEUE_MAX];
    f->at = at > q->last_at ? at : q->last_at;
    f->path = *path;
    f->len = (uint16_t)data.n;
    memcpy(f->bytes, data.p, data.n);
    q->last_at = f->at;
}

static struct in_flight *pop(struct queue *q)
{
    if (q->count == 0 || q->slots[q->first].at > rig.now)
        return NULL;
    struct in_flight *f = &q->slots[q->first];
    q->first = (q->first + 1) % QUEUE_MAX;
    q->count--;
    return f;
}

static bool is_lost(const struct client *c)
{
    return c->loss_ppm && tr_rng_below(&rig.rng, 1000000) < c->loss_ppm;
}

/* From the engine's socket into the client's downlink. */
static void downlink(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct client *c = arg;
    tr_usec at = rig.now;
    if (is_lost(c))
        return;
    if (c->rate_bps) {
        uint32_t bytes = (uint32_t)datagram.n + IP_UDP;
        tr_usec start = c->down.free_at > rig.now ? c->down.free_at : rig.now;
        if ((uint64_t)(start - rig.now) * c->rate_bps / 8 / TR_SECOND + bytes > c->queue_bytes) {
            c->dropped++;
            return;
        }
        at = c->down.free_at = start + (tr_usec)bytes * 8 * TR_SECOND / c->rate_bps;
    }
    if (c->jitter_us)
        at += (tr_usec)tr_rng_below(&rig.rng, (uint64_t)c->jitter_us);
    push(&c->down, at + DELAY_US, path, datagram);
}

/* --- what a client sees --- */

static void show(struct decoder *d)
{
    for (int64_t n = d->shown + 1; n <= d->newest; n++) {
        if (!d->has[n % FRAMES_AHEAD])
            return;
        if (!d->ends[n % FRAMES_AHEAD])
            continue;
        if (rig.now - d->shown_us > d->freeze_us)
            d->freeze_us = rig.now - d->shown_us;
        d->shown = n;
        d->shown_us = rig.now;
        d->layer_shown = d->layer[n % FRAMES_AHEAD];
        d->frames++;
    }
}

static void take_video(struct decoder *d, const struct tr_pkt *pkt, const struct sim_payload *p)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    int64_t n = m->ext_seq;
    bool key = p->keyframe && p->start;
    if (!d->started && !key)
        return;
    if (!d->started) {
        *d = (struct decoder){ .started = true, .shown = n - 1, .newest = n - 1 };
        d->shown_us = rig.now;
    }
    if (n <= d->shown || n > d->shown + FRAMES_AHEAD - 1)
        return;
    for (int64_t i = d->newest + 1; i <= n; i++)
        d->has[i % FRAMES_AHEAD] = false;
    d->newest = n > d->newest ? n : d->newest;
    d->has[n % FRAMES_AHEAD] = true;
    d->ends[n % FRAMES_AHEAD] = (m->flags & TR_RTP_MARKER) != 0;
    d->key[n % FRAMES_AHEAD] = key;
    d->layer[n % FRAMES_AHEAD] = (int)p->source;
    show(d);
    if (key && d->shown < n - 1 && rig.now - d->shown_us > 100 * TR_MSEC)
        d->shown = n - 1; /* what is missing before it is given up */
    show(d);
}

static void take_audio(struct client *c, const struct tr_pkt *pkt)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    if (c->audio_packets++ == 0)
        c->audio_first = m->ext_seq;
    else if (rig.now - c->audio_us > c->audio_gap_us)
        c->audio_gap_us = rig.now - c->audio_us;
    c->audio_last = m->ext_seq > c->audio_last ? m->ext_seq : c->audio_last;
    c->audio_us = rig.now;
}

static void arrive(struct client *c, const struct in_flight *f)
{
    struct tr_slice data = tr_slice(f->bytes, f->len);
    struct sim_payload p;
    int mline;
    if (tr_demux(data) != TR_DEMUX_RTP) {
        tr_peer_input(c->peer, rig.now, f->path, data);
        return;
    }
    struct tr_pkt *pkt = tr_pkt_alloc(rig.pool);
    if (tr_peer_rtp(c->peer, rig.now, data, pkt, &mline) == TR_OK && pkt->len > 0 &&
        CHECK(sim_payload_read(&p, mline == VIDEO, tr_pkt_slice(pkt)) == TR_OK)) {
        if (mline == VIDEO)
            take_video(&c->video, pkt, &p);
        else
            take_audio(c, pkt);
    }
    tr_pkt_unref(&pkt);
}

static void speak(struct client *c)
{
    struct tr_peer_out out;
    if (tr_peer_next_timeout(c->peer) <= rig.now)
        tr_peer_timeout(c->peer, rig.now);
    for (;;) {
        tr_peer_poll(c->peer, rig.now, &out);
        if (out.kind == TR_PEER_NONE)
            return;
        if (out.kind == TR_PEER_SEND && !is_lost(c))
            push(&c->back, rig.now + DELAY_US, &out.path, out.data);
        else if (out.kind == TR_PEER_UP)
            c->up = true;
        else if (out.kind == TR_PEER_KEYFRAME_NEEDED)
            tr_peer_request_keyframe(c->peer, out.mline, out.layer);
    }
}

/* A decoder that has waited too long asks for a key frame. */
static void watch(struct client *c)
{
    struct decoder *d = &c->video;
    if (!d->started || d->newest == d->shown || rig.now - d->shown_us < 300 * TR_MSEC ||
        rig.now - d->asked_us < 500 * TR_MSEC)
        return;
    d->asked_us = rig.now;
    tr_peer_request_keyframe(c->peer, VIDEO, 0);
}

static void client_step(struct client *c)
{
    struct in_flight *f;
    while (tr_udp_receive(c->udp, 0, downlink, c)) {
    }
    while ((f = pop(&c->down)))
        arrive(c, f);
    watch(c);
    speak(c);
    bool sent = false;
    while ((f = pop(&c->back))) {
        tr_udp_send(c->udp, &f->path, tr_slice(f->bytes, f->len));
        sent = true;
    }
    if (sent)
        tr_udp_flush(c->udp);
}

/* --- the publisher --- */

static struct source *source_of(int mline)
{
    struct source_key key = { .peer = rig.clients[0].id, .mline = mline };
    return source_find(rig.w, &key);
}

static void hand_in(struct source *s, const struct sim_payload *p, size_t n, int layer, int64_t seq,
                    uint32_t ts, bool marker)
{
    struct tr_pkt *pkt = tr_pkt_alloc(rig.w->pool);
    if (!CHECK(pkt))
        return;
    pkt->len = (uint16_t)n;
    pkt->recv_us = rig.now;
    sim_payload_write(p, tr_pkt_data(pkt), n);
    *tr_rtp_meta(pkt) = (struct tr_rtp_meta){ .ext_seq = seq,
                                              .ts = ts,
                                              .ssrc = 100 + (uint32_t)layer,
                                              .layer = (uint8_t)layer,
                                              .pt = p->video ? PT_VIDEO : PT_AUDIO,
                                              .codec = p->video ? TR_CODEC_VP8 : TR_CODEC_OPUS,
                                              .flags = marker ? TR_RTP_MARKER : 0 };
    tr_ingress_payload(tr_rtp_meta(pkt), tr_pkt_slice(pkt));
    source_packet(s, pkt);
}

static void send_frame(struct source *s, int layer)
{
    struct layer_sender *l = &rig.layers[layer];
    if (s->keyframe_asked_us[layer] != l->asked_seen) {
        l->asked_seen = s->keyframe_asked_us[layer];
        l->key_at = l->key_at ? l->key_at : rig.now + KEYFRAME_US;
    }
    bool key = l->frame == 0 || (l->key_at && rig.now >= l->key_at);
    l->key_at = key ? 0 : l->key_at;
    uint32_t bytes = (rig.single ? rig.single_bps : layer_bps[layer]) / 8 * 33 / 1000;
    bytes = bytes * (80 + (uint32_t)tr_rng_below(&rig.rng, 40)) / 100 * (key ? KEY_TIMES : 1);
    uint32_t count = (bytes + PACKET_BYTES - 1) / PACKET_BYTES;
    struct sim_payload p = { .video = true,
                             .keyframe = key,
                             .source = (uint32_t)layer,
                             .frame = l->frame,
                             .count = (uint16_t)count,
                             .temporal = key ? 0 : l->frame & 1,
                             .sent_us = rig.now };
    if (p.temporal == 0)
        rig.tl0++;
    p.tl0picidx = rig.tl0;
    for (uint32_t i = 0; i < count; i++) {
        p.index = (uint16_t)i;
        p.start = i == 0;
        size_t n = bytes / count < 60 ? 60 : bytes / count;
        hand_in(s, &p, n, layer, l->seq++, rig.video_ts, i == count - 1);
    }
    l->frame++;
}

/* As an encoder does: down at once, up by a few percent a second. */
static void adapt_single(void)
{
    const struct wpeer *p = wpeer_find(rig.w, rig.clients[0].id);
    uint32_t told = p && p->uplink_bps ? p->uplink_bps - 100000 : UINT32_MAX;
    uint32_t up = rig.single_bps + rig.single_bps / 12;
    if (rig.now < rig.single_at)
        return;
    rig.single_at = rig.now + TR_SECOND;
    rig.single_bps = told < up ? told : up;
    if (rig.single_bps > layer_bps[LAYERS - 1])
        rig.single_bps = layer_bps[LAYERS - 1];
}

static void publish(void)
{
    struct source *audio = source_of(AUDIO), *video = source_of(VIDEO);
    if (!audio || !video)
        return;
    if (rig.now >= rig.audio_at) {
        struct sim_payload p = { .sent_us = rig.now };
        hand_in(audio, &p, AUDIO_BYTES, 0, rig.audio_seq++, rig.audio_ts, false);
        rig.audio_ts += 960;
        rig.audio_at += AUDIO_US;
    }
    if (rig.now < rig.frame_at)
        return;
    adapt_single();
    for (int i = 0; i < (rig.single ? 1 : LAYERS); i++) {
        if (!rig.layers[i].stopped)
            send_frame(video, i);
    }
    rig.video_ts += 2970;
    rig.frame_at += FRAME_US;
}

/* --- the rig --- */

static void drain_events(void)
{
    struct tr_media_event ev;
    do
        tr_media_poll(rig.media, &ev);
    while (ev.kind != TR_MEDIA_NONE);
}

static void run(tr_usec us)
{
    for (tr_usec until = rig.now + us; rig.now < until; rig.now += STEP_US) {
        publish();
        for (int i = 0; i < rig.clients_count; i++)
            client_step(&rig.clients[i]);
        worker_turn(rig.w, rig.now, UINT32_MAX);
        drain_events();
    }
}

static uint32_t ssrc_of(int client, int mline, bool out, bool rtx)
{
    return 0x10000u + (uint32_t)client * 16 + (uint32_t)mline * 4 + (out ? 2 : 0) + (rtx ? 1 : 0);
}

static void fill_tracks(struct tr_track_conf *t, int client, bool mirrored)
{
    static const uint8_t ids[TR_EXT_COUNT] = {
        [TR_EXT_MID] = 4, [TR_EXT_ABS_SEND_TIME] = 3, [TR_EXT_TRANSPORT_CC] = 5
    };
    bool publisher = client == 0;
    memset(t, 0, TRACKS * sizeof *t);
    for (int i = 0; i < TRACKS; i++) {
        bool video = i == VIDEO;
        t[i].used = true;
        t[i].recv = publisher != mirrored;
        t[i].send = publisher == mirrored;
        t[i].video = video;
        snprintf(t[i].mid, sizeof t[i].mid, "%d", i);
        t[i].codec = video ? TR_CODEC_VP8 : TR_CODEC_OPUS;
        t[i].clock_rate = video ? 90000 : 48000;
        t[i].pt = video ? PT_VIDEO : PT_AUDIO;
        t[i].rtx_pt = video ? PT_RTX : 0;
        memcpy(t[i].ext.id, ids, sizeof ids);
        memcpy(t[i].ext_send.id, ids, sizeof ids);
        t[i].fb_nack = t[i].fb_pli = t[i].fb_remb = video;
        t[i].fb_transport_cc = true;
        t[i].layers_count = 1;
        t[i].layers[0].ssrc = ssrc_of(client, i, mirrored, false);
        t[i].layers[0].rtx_ssrc = video ? ssrc_of(client, i, mirrored, true) : 0;
        t[i].out_ssrc = ssrc_of(client, i, !mirrored, false);
        t[i].out_rtx_ssrc = video ? ssrc_of(client, i, !mirrored, true) : 0;
        snprintf(t[i].cname, sizeof t[i].cname, "cname");
    }
    if (publisher && !mirrored) {
        t[VIDEO].layers_count = rig.single ? 1 : LAYERS;
        for (int i = 1; i < t[VIDEO].layers_count; i++)
            t[VIDEO].layers[i].ssrc = 0x20000u + (uint32_t)i;
    }
}

static bool start_peer(struct client *c)
{
    struct tr_peer_conf conf = { .ufrag = "clientufrag",
                                 .pwd = "clientpasswordclientpassword",
                                 .dtls_ctx = rig.ctx,
                                 .ice_role = TR_ICE_CONTROLLING,
                                 .dtls_role = TR_DTLS_CLIENT,
                                 .engine = rig.engine,
                                 .rng = &rig.rng };
    struct tr_track_conf tracks[TRACKS];
    struct tr_peer_remote server = remote_of(c->creds.ufrag, c->creds.pwd, rig.server_cert);
    struct tr_addr there = tr_addr_v4(127, 0, 0, 1, tr_media_port(rig.media));
    struct tr_ice_cand local = tr_ice_cand_make(TR_ICE_HOST, &c->local, NULL, 65535);
    struct tr_ice_cand remote = tr_ice_cand_make(TR_ICE_HOST, &there, NULL, 65535);
    server.lite = server.passive = true;
    fill_tracks(tracks, (int)(c - rig.clients), true);
    c->peer = tr_peer_create(&conf, rig.now);
    return CHECK(c->peer) && CHECK(tr_peer_set_tracks(c->peer, rig.now, tracks, TRACKS) == TR_OK) &&
           CHECK(tr_peer_set_remote(c->peer, rig.now, &server) == TR_OK) &&
           CHECK(tr_peer_add_local(c->peer, rig.now, &local) == TR_OK) &&
           CHECK(tr_peer_add_remote(c->peer, rig.now, &remote) == TR_OK);
}

static struct client *add_client(void)
{
    struct client *c = &rig.clients[rig.clients_count];
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, 0);
    struct tr_peer_remote remote =
        remote_of("clientufrag", "clientpasswordclientpassword", rig.cert);
    struct tr_track_conf tracks[TRACKS];
    c->down.slots = tr_alloc(QUEUE_MAX * sizeof *c->down.slots);
    c->back.slots = tr_alloc(QUEUE_MAX * sizeof *c->back.slots);
    c->queue_bytes = 64 << 10;
    tr_rng_ice_chars(&rig.rng, c->creds.ufrag, 8);
    tr_rng_ice_chars(&rig.rng, c->creds.pwd, 24);
    c->id = tr_media_peer_create(rig.media, &c->creds);
    fill_tracks(tracks, rig.clients_count, false);
    CHECK(c->id && tr_udp_open(&c->udp, &loopback, 1, 0, false) == TR_OK);
    c->local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(c->udp));
    CHECK(tr_media_peer_tracks(rig.media, c->id, tracks, TRACKS) == TR_OK);
    tr_media_peer_remote(rig.media, c->id, &remote);
    start_peer(c);
    rig.clients_count++;
    return c;
}

static void subscribe(struct client *c)
{
    struct tr_route_conf conf = tr_route_conf_default();
    for (int i = 0; i < TRACKS; i++) {
        struct tr_media_end from = { .peer = rig.clients[0].id, .mline = i };
        struct tr_media_end to = { .peer = c->id, .mline = i };
        c->routes[i] = tr_media_route(rig.media, from, to, &conf);
    }
}

static struct route *route_of(const struct client *c)
{
    struct wpeer *p = wpeer_find(rig.w, c->id);
    return p && p->sinks[VIDEO] ? p->sinks[VIDEO]->route : NULL;
}

static void rig_start(uint64_t seed, int subscribers, bool single)
{
    memset(&rig, 0, sizeof rig);
    rig.single = single;
    rig.single_bps = layer_bps[LAYERS - 1];
    rig.rng = tr_rng_seeded(seed);
    rig.server_cert = tr_dtls_cert_create(1700000000);
    rig.cert = tr_dtls_cert_create(1700000000);
    rig.ctx = tr_dtls_ctx_create(rig.cert);
    rig.engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    rig.pool = tr_pkt_pool_create(1024);
    struct tr_media_conf conf = { .workers = 1,
                                  .bind = { tr_addr_v4(127, 0, 0, 1, 0) },
                                  .bind_count = 1,
                                  .cert = rig.server_cert,
                                  .packets_max = 8192 };
    if (!CHECK(tr_media_create(&rig.media, &conf) == TR_OK))
        return;
    tr_media_stop(rig.media);
    rig.w = &rig.media->workers[0];
    rig.w->rng = tr_rng_seeded(seed + 1000);
    rig.now = tr_clock_now() + TR_SECOND; /* after all that the thread has seen */
    rig.frame_at = rig.now + (tr_usec)tr_rng_below(&rig.rng, FRAME_US);
    rig.audio_at = rig.now + (tr_usec)tr_rng_below(&rig.rng, AUDIO_US);
    add_client();
    for (int i = 0; i < subscribers; i++)
        subscribe(add_client());
}

static void rig_open(uint64_t seed, int subscribers)
{
    rig_start(seed, subscribers, false);
}

static void rig_close(void)
{
    tr_media_destroy(rig.media);
    for (int i = 0; i < rig.clients_count; i++) {
        struct client *c = &rig.clients[i];
        tr_peer_destroy(c->peer);
        tr_udp_close(c->udp);
        tr_free(c->down.slots);
        tr_free(c->back.slots);
    }
    tr_pkt_pool_destroy(rig.pool);
    tr_srtp_engine_destroy(rig.engine);
    tr_dtls_ctx_destroy(rig.ctx);
    tr_dtls_cert_destroy(rig.cert);
    tr_dtls_cert_destroy(rig.server_cert);
}

static void note(const char *what, const struct client *c)
{
    struct tr_media_peer_stats *s = tr_alloc(sizeof *s);
    struct route *r = route_of(c);
    tr_peer_stats(wpeer_find(rig.w, c->id)->peer, s);
    unit_note("    %s: layer %d of %d bound %d.%d, estimate %u acked %u over %u probes %u/%u, "
              "%d frames, freeze %d ms, dropped %d",
              what, r->layer.current, r->layer.target, r->bound_spatial, r->bound_temporal,
              s->bandwidth.estimate_bps, s->bandwidth.acked_bps, s->bandwidth.overuses,
              s->bandwidth.probes_good, s->bandwidth.probes, (int)c->video.frames,
              (int)(c->video.freeze_us / 1000), (int)c->dropped);
    tr_free(s);
}

/* How long until the client sees a layer within bounds. */
static tr_usec run_until_layer(const struct client *c, int least, int most, tr_usec limit)
{
    tr_usec start = rig.now;
    while (rig.now - start < limit && (c->video.layer_shown < least || c->video.layer_shown > most))
        run(10 * TR_MSEC);
    return rig.now - start;
}

/* --- tests --- */

TEST(layers_follow_a_bottleneck_down_and_up)
{
    FOR_EACH_SEED (seed, 12) {
        rig_open(seed, 1);
        struct client *c = &rig.clients[1];
        c->rate_bps = 1000000;
        c->jitter_us = 3 * TR_MSEC;
        run(10 * TR_SECOND);
        if (!CHECK(c->up && c->video.layer_shown == 2))
            note("start", c);
        c->video.freeze_us = 0;
        c->rate_bps = 200000;
        if (!CHECK(run_until_layer(c, 0, 0, 5 * TR_SECOND) < 3 * TR_SECOND))
            note("down", c);
        run(15 * TR_SECOND);
        if (!CHECK(c->video.layer_shown == 0 && c->video.freeze_us < 2 * TR_SECOND))
            note("low", c);
        uint64_t audio = c->audio_packets;
        int64_t last = c->audio_last;
        c->audio_gap_us = 0;
        run(5 * TR_SECOND);
        /* Of those sent: how many come in a time depends on the queue at its ends, too. */
        int64_t sent = c->audio_last - last;
        audio = c->audio_packets - audio;
        if (!CHECK(sent > 200 && audio >= (uint64_t)sent * 98 / 100) ||
            !CHECK(c->audio_gap_us < 150 * TR_MSEC)) {
            note("audio", c);
            unit_note("    %d of %d packets, gap %d ms", (int)audio, (int)sent,
                      (int)(c->audio_gap_us / 1000));
        }
        c->rate_bps = 1000000;
        if (!CHECK(run_until_layer(c, 2, 2, 15 * TR_SECOND) < 10 * TR_SECOND))
            note("up", c);
        run(10 * TR_SECOND);
        if (!CHECK(c->video.layer_shown == 2 && c->video.freeze_us < 2 * TR_SECOND))
            note("end", c);
        CHECK(c->audio_packets >= (uint64_t)(c->audio_last - c->audio_first) * 98 / 100);
        rig_close();
    }
}

/* A radio that loses packets has not lost its bandwidth: best layer, nearly all pictures. */
TEST(random_loss_of_5_percent_is_borne)
{
    FOR_EACH_SEED (seed, 12) {
        rig_open(seed, 1);
        struct client *c = &rig.clients[1];
        c->loss_ppm = 50000;
        run(15 * TR_SECOND);
        if (!CHECK(c->up && c->video.layer_shown == 2))
            note("start", c);
        uint64_t frames = c->video.frames;
        c->video.freeze_us = 0;
        run(20 * TR_SECOND);
        if (!CHECK(c->video.frames - frames >= 20 * 30 * 9 / 10 && c->video.layer_shown == 2 &&
                   c->video.freeze_us < TR_SECOND))
            note("lossy", c);
        rig_close();
    }
}

/* There is no smaller layer to go to, so the sender must send less; and more again later. */
TEST(a_stream_of_one_layer_follows_its_only_viewer)
{
    FOR_EACH_SEED (seed, 8) {
        rig_start(seed, 1, true);
        struct client *c = &rig.clients[1];
        c->rate_bps = 1000000;
        run(10 * TR_SECOND);
        uint64_t frames = c->video.frames;
        c->video.freeze_us = 0;
        c->rate_bps = 300000;
        run(20 * TR_SECOND);
        if (!CHECK(c->video.frames - frames > 20 * 30 / 2 && c->video.freeze_us < TR_SECOND &&
                   rig.single_bps < 300000))
            note("narrow", c);
        c->rate_bps = 1000000;
        run(30 * TR_SECOND);
        if (!CHECK(rig.single_bps > 600000))
            note("wide again", c);
        rig_close();
    }
}

TEST(a_stream_of_one_layer_goes_on_for_those_who_can_take_it)
{
    rig_start(1, 2, true);
    rig.clients[1].rate_bps = 300000;
    run(20 * TR_SECOND);
    if (!CHECK(wpeer_find(rig.w, rig.clients[0].id)->uplink_bps == 0))
        note("slow", &rig.clients[1]);
    CHECK(rig.clients[2].video.freeze_us < 300 * TR_MSEC);
    rig_close();
}

TEST(one_slow_client_does_not_slow_others)
{
    FOR_EACH_SEED (seed, 3) {
        rig_open(seed, 3);
        rig.clients[1].rate_bps = 200000;
        rig.clients[2].rate_bps = 500000;
        run(25 * TR_SECOND);
        for (int i = 0; i < 3; i++) {
            if (!CHECK(rig.clients[1 + i].video.layer_shown == i))
                note("shared", &rig.clients[1 + i]);
        }
        CHECK(rig.clients[3].video.freeze_us < 200 * TR_MSEC);
        rig_close();
    }
}

TEST(video_is_held_where_only_audio_fits_and_comes_back)
{
    FOR_EACH_SEED (seed, 12) {
        rig_open(seed, 1);
        struct client *c = &rig.clients[1];
        run(5 * TR_SECOND);
        c->rate_bps = 100000;
        run(10 * TR_SECOND);
        uint64_t audio = c->audio_packets;
        int held = 0;
        for (int i = 0; i < 100; i++) {
            run(100 * TR_MSEC);
            held += route_of(c)->bound_spatial < 0;
        }
        if (!CHECK(held > 50)) /* it is tried again now and then */
            note("held", c);
        CHECK(c->audio_packets - audio >= 460);
        c->rate_bps = 0;
        if (!CHECK(run_until_layer(c, 2, 2, 15 * TR_SECOND) < 10 * TR_SECOND))
            note("back", c);
        rig_close();
    }
}

TEST(what_the_client_asks_for_is_an_upper_bound)
{
    rig_open(1, 1);
    struct client *c = &rig.clients[1];
    struct tr_route_conf conf = tr_route_conf_default();
    run(5 * TR_SECOND);
    CHECK_INT(c->video.layer_shown, 2);
    conf.substream_max = 1;
    tr_media_route_set(rig.media, c->routes[VIDEO], &conf);
    run(3 * TR_SECOND);
    CHECK_INT(c->video.layer_shown, 1);
    c->rate_bps = 200000;
    CHECK(run_until_layer(c, 0, 0, 5 * TR_SECOND) < 3 * TR_SECOND);
    rig_close();
}

TEST(a_publisher_is_told_of_layers_that_nobody_asks_for)
{
    rig_open(1, 2);
    struct tr_route_conf conf = tr_route_conf_default();
    run(5 * TR_SECOND);
    struct wpeer *p = wpeer_find(rig.w, rig.clients[0].id);
    CHECK_INT(p->uplink_bps, 0);
    conf.substream_max = 1;
    for (int i = 1; i <= 2; i++)
        tr_media_route_set(rig.media, rig.clients[i].routes[VIDEO], &conf);
    run(29 * TR_SECOND);
    CHECK_INT(p->uplink_bps, 0);
    run(2 * TR_SECOND);
    CHECK(p->uplink_bps > layer_bps[0] + layer_bps[1]);
    CHECK(p->uplink_bps < layer_bps[0] + layer_bps[1] + layer_bps[2]);
    rig.layers[2].stopped = true;
    run(2 * TR_SECOND);
    conf.substream_max = 2;
    tr_media_route_set(rig.media, rig.clients[1].routes[VIDEO], &conf);
    run(200 * TR_MSEC);
    CHECK_INT(p->uplink_bps, 0);
    rig.layers[2].stopped = false;
    run(2 * TR_SECOND);
    CHECK_INT(rig.clients[1].video.layer_shown, 2);
    CHECK_INT(rig.clients[2].video.layer_shown, 1);
    rig_close();
}

/* Three hundred come within a millisecond, by one client's taking the stream again and again. */
TEST(a_crowd_that_comes_at_once_is_no_burst)
{
    enum { CROWD = 300, BURST_MAX = 1 << 20 };
    rig_open(1, 2);
    struct client *calm = &rig.clients[1], *crowd = &rig.clients[2];
    run(5 * TR_SECOND);
    tr_media_keyframe(rig.media, (struct tr_media_end){ rig.clients[0].id, VIDEO });
    run(300 * TR_MSEC);
    const struct tr_media_counters before = rig.w->counters, *c = &rig.w->counters;
    uint64_t bytes = tr_udp_counters(rig.w->udp)->bytes_out, frames = crowd->video.frames;
    calm->video.freeze_us = 0;
    for (int i = 0; i < CROWD; i++)
        subscribe(crowd);
    run(5 * TR_MSEC);
    bytes = tr_udp_counters(rig.w->udp)->bytes_out - bytes;
    uint64_t caught = c->catch_ups - before.catch_ups;
    uint64_t refused = c->catch_ups_refused - before.catch_ups_refused;
    if (!CHECK(caught >= 2 && caught + refused == CROWD && bytes < BURST_MAX))
        unit_note("    %d caught up, %d did not, %d bytes", (int)caught, (int)refused, (int)bytes);
    run(TR_SECOND); /* one key frame for all */
    CHECK(crowd->video.frames > frames);
    CHECK(c->plis_out - before.plis_out <= LAYERS * 3);
    CHECK(calm->video.freeze_us < 300 * TR_MSEC);
    rig_close();
}

/* A client is a struct tr_peer with its owner's duties: what it says goes to the swarm's queue,
 * what comes is counted and judged (flow.c), its next deadline stands in the world's heap. One
 * engine, one certificate and one pool of packets serve all.
 *
 * The peer knows one stream a track. The upper layers of a simulcast are tracks of their own, which
 * stand behind those of the m-lines. */
#include "tring-load/rtc.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "ice/cand.h"
#include "net/clock.h"
#include "net/random.h"
#include "peer/from_sdp.h"
#include "peer/stats.h"
#include "tring-load/rtc_sdp.h"
#include "rtp/rtp.h"
#include "sdp/write.h"
#include "srtp/srtp.h"

enum { SPEAK_MAX = 1000, POOL_SPARE = 4096 };

/* --- the world --- */

static struct tr_sdp_fingerprint fingerprint_of(const struct tr_dtls_cert *cert)
{
    const struct tr_dtls_fingerprint *f = tr_dtls_cert_fingerprint(cert);
    struct tr_sdp_fingerprint out = { .hash = TR_SDP_SHA256, .len = (uint8_t)f->len };
    memcpy(out.bytes, f->bytes, f->len);
    return out;
}

enum tr_err rtc_world_init(struct rtc_world *w, const struct load_options *o)
{
    memset(w, 0, sizeof *w);
    w->options = o;
    w->rng = tr_random_system();
    w->wall_offset_us = tr_clock_unix_us() - tr_clock_now();
    w->measure_from = w->measure_to = TR_NEVER;
    tr_heap_init(&w->timers, (uint32_t)o->clients);
    enum tr_err err = tr_swarm_open(&w->swarm, (uint32_t)o->clients, o->gro);
    if (err != TR_OK)
        return err;
    /* Taken as needed; what senders keep bounds it. */
    w->pool =
        tr_pkt_pool_create((uint32_t)o->clients * RTC_OUTS_MAX * SIM_SENDER_RING + POOL_SPARE);
    w->engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    w->cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    w->dtls = w->cert ? tr_dtls_ctx_create(w->cert) : NULL;
    if (!w->pool || !w->engine || !w->dtls)
        return TR_ERR_NOMEM;
    w->fingerprint = fingerprint_of(w->cert);
    return streams_open(w);
}

void rtc_world_deinit(struct rtc_world *w)
{
    streams_close(w);
    tr_swarm_close(w->swarm);
    tr_pkt_pool_destroy(w->pool);
    tr_srtp_engine_destroy(w->engine);
    tr_dtls_ctx_destroy(w->dtls);
    tr_dtls_cert_destroy(w->cert);
    tr_heap_deinit(&w->timers);
}

void rtc_world_reset(struct rtc_world *w)
{
    memset(&w->totals, 0, sizeof w->totals);
    memset(&w->delay, 0, sizeof w->delay);
    memset(&w->late, 0, sizeof w->late);
    w->epoch++;
}

/* --- the peer --- */

static void note_profile(struct rtc *c)
{
    static struct tr_media_peer_stats stats;
    struct rtc_world *w = c->world;
    tr_peer_stats(c->peer, &stats);
    if (!stats.srtp_profile || strstr(w->profiles, stats.srtp_profile))
        return;
    size_t n = strlen(w->profiles);
    snprintf(w->profiles + n, sizeof w->profiles - n, "%s%s", n ? "," : "", stats.srtp_profile);
}

static void handle_out(struct rtc *c, tr_usec now, const struct tr_peer_out *out)
{
    struct sim_sender *s = c->sending ? rtc_flow_sender(c, out->mline) : NULL;
    switch (out->kind) {
    case TR_PEER_SEND: rtc_send(c, &out->path, out->data); break;
    case TR_PEER_UP:
        c->up = c->sending = true;
        c->up_us = now;
        note_profile(c);
        break;
    case TR_PEER_DOWN:
        c->down = true;
        c->sending = false;
        c->down_reason = out->reason;
        break;
    case TR_PEER_KEYFRAME:
        c->world->totals.keyframes_asked++;
        if (s)
            sim_sender_keyframe(s);
        break;
    case TR_PEER_NACK:
        c->world->totals.nacked += (uint64_t)out->seqs_count;
        if (s)
            sim_sender_nack(s, now, out->seqs, out->seqs_count);
        break;
    case TR_PEER_NONE:
    case TR_PEER_VALID:
    case TR_PEER_INVALID:
    case TR_PEER_SR:
    case TR_PEER_KEYFRAME_NEEDED:
    case TR_PEER_BANDWIDTH:
    case TR_PEER_DATA: break;
    }
}

void rtc_schedule(struct rtc *c)
{
    tr_usec next = tr_usec_min(relay_next(c), rtc_flow_next(c));
    if (c->peer)
        next = tr_usec_min(next, tr_peer_next_timeout(c->peer));
    if (tr_heap_set(&c->world->timers, &c->timer, next) != TR_OK)
        c->down = true;
}

static void speak(struct rtc *c, tr_usec now)
{
    struct tr_peer_out out;
    for (int i = 0; i < SPEAK_MAX; i++) {
        tr_peer_poll(c->peer, now, &out);
        if (out.kind == TR_PEER_NONE)
            break;
        handle_out(c, now, &out);
    }
    struct tr_media_counters counters = { 0 };
    tr_peer_take_counters(c->peer, &counters);
    c->world->totals.nacks_sent += counters.nacks_out;
    rtc_schedule(c);
}

static void run_timers(struct rtc *c, tr_usec now)
{
    relay_timeout(c, now);
    if (!c->peer) {
        rtc_schedule(c);
        return;
    }
    rtc_flow_run(c, now);
    if (tr_peer_next_timeout(c->peer) <= now)
        tr_peer_timeout(c->peer, now);
    speak(c, now);
}

tr_usec rtc_world_run(struct rtc_world *w, tr_usec now)
{
    struct tr_heap_node *node;
    while ((node = tr_heap_min(&w->timers)) && node->key <= now) {
        struct rtc *c = TR_CONTAINER_OF(node, struct rtc, timer);
        tr_heap_remove(&w->timers, node);
        run_timers(c, now);
    }
    streams_run(w, now);
    tr_swarm_flush(w->swarm);
    node = tr_heap_min(&w->timers);
    return tr_usec_min(node ? node->key : TR_NEVER, streams_next(w));
}

void rtc_take(struct rtc *c, tr_usec now, const struct tr_path *path, struct tr_slice datagram)
{
    if (!c->peer)
        return;
    if (tr_demux(datagram) == TR_DEMUX_RTP) {
        rtc_flow_input(c, now, datagram);
        /* A gap makes a NACK due; nothing else does. */
        if (tr_peer_next_timeout(c->peer) < c->timer.key)
            rtc_schedule(c);
        return;
    }
    tr_peer_input(c->peer, now, *path, datagram);
    speak(c, now);
}

static void take_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct rtc *c = arg;
    tr_usec now = tr_clock_now();
    if (!relay_input(c, now, path, datagram))
        rtc_take(c, now, path, datagram);
}

void rtc_send(struct rtc *c, const struct tr_path *path, struct tr_slice datagram)
{
    if (c->relay.ready && tr_addr_eq(&path->local, &c->relay.addr))
        relay_send(c, tr_clock_now(), &path->remote, datagram);
    else if (path->remote.proto == TR_PROTO_TCP)
        tcp_send(c, tr_clock_now(), &path->remote, datagram);
    else
        tr_swarm_send(c->world->swarm, c->socket, &path->remote, datagram);
}

void rtc_path_gone(struct rtc *c, tr_usec now, const struct tr_path *path)
{
    if (!c->peer)
        return;
    tr_peer_path_gone(c->peer, now, path);
    speak(c, now);
}

enum rtc_carrier rtc_carrier(const struct rtc *c)
{
    struct tr_path path;
    if (!c->peer || !tr_peer_path(c->peer, &path))
        return RTC_NOTHING;
    if (c->relay.ready && tr_addr_eq(&path.local, &c->relay.addr))
        return RTC_TURN;
    return path.remote.proto == TR_PROTO_TCP ? RTC_TCP : RTC_UDP;
}

void rtc_world_wait(struct rtc_world *w, tr_usec timeout_us)
{
    tr_swarm_wait(w->swarm, timeout_us, take_datagram);
    streams_run(w, tr_clock_now());
    tr_swarm_flush(w->swarm);
}

/* --- life --- */

static struct tr_sdp_local_media new_ssrcs(struct tr_rng *rng)
{
    return (struct tr_sdp_local_media){ .ssrc = tr_rng_u32(rng) | 1,
                                        .rtx_ssrc = tr_rng_u32(rng) & ~1u };
}

enum tr_err rtc_init(struct rtc *c, struct rtc_world *w, uint32_t number)
{
    struct rtc_wish wish = c->wish;
    *c = (struct rtc){ .world = w, .number = number, .wish = wish };
    tr_rng_ice_chars(&w->rng, c->ufrag, sizeof c->ufrag - 1);
    tr_rng_ice_chars(&w->rng, c->pwd, sizeof c->pwd - 1);
    for (int i = 0; i < RTC_KINDS; i++)
        c->ssrcs[i] = new_ssrcs(&w->rng);
    for (size_t i = 0; i < TR_ARRAY_LEN(c->upper); i++)
        c->upper[i] = new_ssrcs(&w->rng);
    c->arena = tr_arena_create(TR_SDP_ARENA_MAX);
    if (!c->arena)
        return TR_ERR_NOMEM;
    enum tr_err err = tr_swarm_add(w->swarm, &w->options->bind, c, &c->socket, &c->local);
    c->has_socket = err == TR_OK;
    return err == TR_OK && w->options->turn.on ? relay_open(c, tr_clock_now()) : err;
}

void rtc_deinit(struct rtc *c)
{
    if (!c->world)
        return;
    rtc_flow_end(c);
    tr_peer_destroy(c->peer);
    c->peer = NULL;
    relay_close(c, tr_clock_now());
    tcp_close(c, tr_clock_now());
    tr_heap_remove(&c->world->timers, &c->timer);
    tr_arena_destroy(c->arena);
    if (c->has_socket)
        tr_swarm_remove(c->world->swarm, c->socket);
    c->world = NULL;
}

static enum tr_err create_peer(struct rtc *c, tr_usec now, bool offerer)
{
    struct rtc_world *w = c->world;
    struct tr_peer_conf conf = {
        .ufrag = c->ufrag,
        .pwd = c->pwd,
        .ice_role = offerer ? TR_ICE_CONTROLLING : TR_ICE_CONTROLLED,
        .dtls_role = TR_DTLS_SERVER, /* unless the other side is passive */
        .dtls_ctx = w->dtls,
        .profiles = { w->options->profile },
        .engine = w->engine,
        .rng = &w->rng,
        .wall_offset_us = w->wall_offset_us,
    };
    struct tr_ice_cand cands[RTC_CANDS_MAX];
    int count = rtc_candidates(c, cands);
    enum tr_err err = TR_OK;
    c->peer = tr_peer_create(&conf, now);
    for (int i = 0; c->peer && err == TR_OK && i < count; i++)
        err = tr_peer_add_local(c->peer, now, &cands[i]);
    return c->peer ? err : TR_ERR_NOMEM;
}

static void add_candidates(struct rtc *c, tr_usec now, const struct tr_sdp *theirs)
{
    const struct tr_sdp_media *m = &theirs->media[tr_sdp_tag(theirs)];
    struct tr_ice_cand cand;
    for (int i = 0; i < m->cand_count; i++) {
        if (tr_ice_cand_parse(&cand, tr_slice_str(m->cands[i])) == TR_OK &&
            tr_addr_is_v4(&cand.addr) == tr_addr_is_v4(&c->local))
            (void)!tr_peer_add_remote(c->peer, now, &cand); /* more than fit are of no use */
    }
}

static void set_rid(const struct rtc *c, struct tr_track_conf *t, size_t layer)
{
    if (!c->world->options->rids)
        return;
    snprintf(t->out_rid, sizeof t->out_rid, "%s", rtc_rids[layer]);
    t->out_rtx_ssrc = 0;
}

/* The upper layers of what we send, each as a track like that of the m-line. */
static int add_layers(const struct rtc *c, struct tr_track_conf *tracks, int count)
{
    int mlines = count;
    for (int i = 0; i < mlines && c->world->options->layers > 1; i++) {
        if (!tracks[i].used || !tracks[i].video || !tracks[i].send || !c->wish.send)
            continue;
        set_rid(c, &tracks[i], 0);
        for (size_t k = 0; k < TR_ARRAY_LEN(c->upper) && count < TR_PEER_TRACKS_MAX; k++) {
            struct tr_track_conf *t = &tracks[count++];
            *t = tracks[i];
            t->recv = false;
            t->out_ssrc = c->upper[k].ssrc;
            t->out_rtx_ssrc = t->rtx_pt ? c->upper[k].rtx_ssrc : 0;
            set_rid(c, t, k + 1);
        }
    }
    return count;
}

static enum tr_err set_tracks(struct rtc *c, tr_usec now, const struct tr_sdp *theirs)
{
    static const struct tr_sdp_local_media none;
    struct tr_track_conf tracks[TR_PEER_TRACKS_MAX];
    struct tr_sdp_media_params p;
    c->mlines = theirs->media_count;
    for (int i = 0; i < c->mlines; i++) {
        tr_sdp_media_params(c->ours, theirs, (unsigned)i, false, &p);
        tr_track_from_sdp(&p, i < RTC_KINDS ? &c->ssrcs[i] : &none, rtc_cname, &tracks[i]);
        c->video[i] = tracks[i].video;
        tracks[i].send = tracks[i].send && i < RTC_KINDS;
    }
    c->tracks = add_layers(c, tracks, c->mlines);
    c->ins = tr_alloc((size_t)c->mlines * sizeof *c->ins);
    if (!c->ins)
        return TR_ERR_NOMEM;
    enum tr_err err = tr_peer_set_tracks(c->peer, now, tracks, c->tracks);
    tr_peer_set_bitrate(c->peer, c->world->options->remb_bps);
    return err == TR_OK ? rtc_flow_start(c, now, tracks) : err;
}

/* Both descriptions are known: go. */
static enum tr_err connect_peer(struct rtc *c, tr_usec now, const struct tr_sdp *theirs,
                                bool offerer)
{
    struct tr_peer_remote remote;
    if (theirs->media_count != c->ours->media_count || theirs->media_count > TR_PEER_TRACKS_MAX ||
        tr_sdp_tag(theirs) < 0 || tr_sdp_tag(c->ours) < 0)
        return TR_ERR_PROTO;
    enum tr_err err = create_peer(c, now, offerer);
    if (err == TR_OK)
        err = set_tracks(c, now, theirs);
    tr_remote_from_sdp(c->ours, theirs, &remote);
    if (err == TR_OK)
        err = tr_peer_set_remote(c->peer, now, &remote);
    if (err != TR_OK)
        return err;
    add_candidates(c, now, theirs);
    tr_arena_destroy(c->arena); /* both descriptions have served: there may be thousands */
    c->arena = NULL;
    c->ours = NULL;
    speak(c, now);
    return TR_OK;
}

static char *text_of(const struct rtc *c)
{
    char *text;
    if (tr_sdp_text(c->arena, c->ours, &text) != TR_OK)
        return NULL;
    return tr_strdup(text);
}

char *rtc_offer(struct rtc *c)
{
    if (rtc_sdp_offer(c, c->arena, &c->ours) != TR_OK)
        return NULL;
    return text_of(c);
}

enum tr_err rtc_accept(struct rtc *c, tr_usec now, const char *answer)
{
    const char *reason;
    struct tr_sdp *theirs;
    enum tr_err err = tr_sdp_parse(c->arena, tr_slice_str(answer), &theirs, &reason);
    return err == TR_OK ? connect_peer(c, now, theirs, true) : err;
}

char *rtc_answer(struct rtc *c, tr_usec now, const char *offer)
{
    const char *reason;
    struct tr_sdp *theirs;
    struct tr_sdp_local local;
    const char *const *candidates;
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    policy.data = policy.simulcast = false;
    if (!c->world->options->twcc)
        policy.exts &= ~(1u << TR_EXT_TRANSPORT_CC);
    int count = rtc_sdp_candidates(c, c->arena, &candidates);
    rtc_sdp_local(c, candidates, count, &local);
    if (count < 0 || tr_sdp_parse(c->arena, tr_slice_str(offer), &theirs, &reason) != TR_OK ||
        tr_sdp_answer(c->arena, theirs, &policy, &local, &c->ours) != TR_OK)
        return NULL;
    char *text = text_of(c);
    if (text && connect_peer(c, now, theirs, false) == TR_OK)
        return text;
    tr_free(text);
    return NULL;
}

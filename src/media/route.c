/* What goes out. A route takes a run of its source, leaves out what its sink does not get (other
 * simulcast layers, upper temporal layers), renumbers the rest so that the client sees one stream,
 * and has the peer protect the run straight into the send buffer. */
#include <string.h>

#include "base/mem.h"
#include "base/prefetch.h"
#include "media/out.h"
#include "media/worker.h"
#include "payload/codec.h"

/* What a client can have sent again is bounded, or a NACK of a few bytes would fetch kilobytes:
 * each packet a few times, and all of them together a part of what it is sent anyway. */
enum {
    RESEND_TIMES = 3,
    RESEND_FORGET_MS = 5000,  /* by then the number stands for another packet */
    RESEND_BUDGET = 64 << 10, /* at the start */
    RESEND_BUDGET_MAX = 256 << 10,
    RESEND_BUDGET_MIN = 8 << 10, /* however narrow the client's link is */
    CATCH_UP_BYTES = 192 << 10,  /* to a client that comes to a stream in its midst, */
    CATCH_UPS_SOURCE = 1 << 19,  /* and at once to all who come to it, */
    CATCH_UPS_WORKER = 1 << 21,  /* and to any: half of what the kernel holds of what we send; */
    CATCH_UPS_A_SECOND = 8,      /* and so often: 34 Mbit/s of a source, 134 of a worker */
    EGRESS_BYTES = TR_TX_BATCH_MAX * TR_PEER_PACKET_MAX,
};

/* So long after it was sent again so many times does a packet count as lost once more. It grows: a
 * queue that has overflowed takes a while to drain. */
static const uint16_t resend_gap_ms[RESEND_TIMES + 1] = { 0, 20, 160, 320 };

static uint32_t random_ts(struct worker *w)
{
    return tr_rng_u32(&w->rng);
}

struct sink *sink_of(struct wpeer *p, int mline)
{
    if (mline < 0 || mline >= p->tracks_count)
        return NULL;
    if (!p->sinks[mline]) {
        struct sink *k = tr_alloc(sizeof *k);
        if (!k)
            return NULL;
        k->peer = p;
        k->tr_peer = p->peer;
        k->mline = mline;
        k->told_substream = k->told_temporal = -1;
        k->resend_budget = RESEND_BUDGET;
        /* Below 2^15, so that a receiver cannot mistake the first rollover (RFC 3711 3.3.1). */
        tr_rewrite_init(&k->rw, (uint16_t)tr_rng_u32(&p->worker->rng), random_ts(p->worker));
        p->sinks[mline] = k;
    }
    return p->sinks[mline];
}

/* --- sending --- */

static void emit(void *arg, const struct tr_tx_msg *msg)
{
    out_run(arg, msg);
}

void egress_seal(struct worker *w)
{
    if (w->egress.jobs_count > 0) {
        tr_udp_hold(w->udp, w->egress.out.p + w->egress.used);
        tr_tx_batch_seal(&w->egress, w->engine, emit, w);
    }
    w->egress.out = (struct tr_buf){ 0 };
}

/* Returns how many bytes were queued. */
static size_t send_items(struct sink *k, const struct tr_tx_item *items, int n)
{
    struct worker *w = k->peer->worker;
    if (!tr_tx_batch_has_room(&w->egress, n)) {
        egress_seal(w);
        w->egress.out.p = tr_udp_reserve(w->udp, EGRESS_BYTES);
        w->egress.out.n = EGRESS_BYTES;
    }
    return tr_peer_send(k->tr_peer, w->now, k->mline, items, n, &w->egress);
}

static void send_first(struct sink *k, const struct tr_tx_item *items, int n)
{
    resend_earn(&k->resend_budget, send_items(k, items, n), RESEND_BUDGET_MAX);
}

static void send_again(struct sink *k, const struct tr_tx_item *items, int n)
{
    k->resend_budget -= (int64_t)send_items(k, items, n);
}

static void fill_item(struct tr_tx_item *item, struct tr_pkt *pkt, const struct tr_rewritten *r,
                      bool resend)
{
    *item = (struct tr_tx_item){
        .pkt = pkt,
        .ext_seq = r->ext_seq,
        .ts = r->ts,
        .picture_id = r->picture_id,
        .tl0picidx = r->tl0picidx,
        .rewrite = r->payload,
        .frame_off = r->frame_off,
        .mask = r->mask,
        .masked = r->masked,
        .marker = r->marker,
        .resend = resend,
    };
}

static void tell_layer(struct route *r, int substream, int temporal)
{
    struct sink *k = r->sink;
    if (substream == k->told_substream && temporal == k->told_temporal)
        return;
    if (r->source->facts.layers == 1 && !r->scalable)
        return;
    struct tr_media_event ev = {
        .kind = TR_MEDIA_LAYER,
        .peer = k->peer->id,
        .mline = k->mline,
        .substream = substream == k->told_substream ? -1 : substream,
        .temporal = temporal == k->told_temporal ? -1 : temporal,
    };
    k->told_substream = substream;
    k->told_temporal = temporal;
    worker_tell(k->peer->worker, &ev);
}

/* A lower stream's key frame is waited for, because the client cannot take the old stream. */
static bool is_falling(const struct route *r)
{
    return r->layer.target >= 0 && r->layer.current > r->layer.target &&
           r->bound_spatial < r->layer.current;
}

/* Even its fewest frames are too many: they would fill the path that the key frame must come by. */
static bool is_choking(const struct route *r, const struct tr_rtp_meta *m)
{
    return m->layer == r->layer.current && is_falling(r) && m->layer < TR_RATES_SPATIAL &&
           r->source->rates.bps[m->layer][0] > r->sink->bandwidth_bps;
}

/* Whether the packet goes to the sink, and as what. */
static bool take_packet(struct route *r, struct tr_pkt *pkt, struct tr_rewritten *out)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    struct worker *w = r->sink->peer->worker;
    uint32_t origin = source_origin(r->source, m->layer);
    struct tr_layer_out layer;
    if (pkt->len == 0 || is_choking(r, m)) { /* padding, or as good: what follows closes up */
        tr_rewrite_skip(&r->sink->rw, origin, m);
        return false;
    }
    bool starts = !r->source->facts.video || (m->flags & TR_RTP_KEYFRAME);
    r->scalable = r->scalable || m->spatial > 0 || (m->dd_at && m->temporal > 0);
    if (!tr_layer_take(&r->layer, m, tr_rtp_dd(pkt), starts, &layer)) {
        if (m->layer == r->layer.current)
            tr_rewrite_skip(&r->sink->rw, origin, m);
        return false;
    }
    if (layer.switched) {
        tr_rewrite_switch(&r->sink->rw, w->now, origin, r->source->facts.clock_rate, m);
        route_clock(r);
        if (r->source->facts.layers > 1)
            tell_layer(r, m->layer, r->sink->told_temporal);
    }
    tr_rewrite_layers(&r->sink->rw, origin, m, &layer.svc);
    if (m->temporal > r->temporal_seen)
        r->temporal_seen = m->temporal;
    if (m->spatial > r->spatial_seen)
        r->spatial_seen = m->spatial;
    return tr_rewrite_packet(&r->sink->rw, w->now, origin, m, out) == TR_OK;
}

static void layers_tick(struct route *r)
{
    int layer = r->source->facts.layers > 1 ? r->layer.current : r->spatial_seen;
    tr_usec now = r->sink->peer->worker->now;
    if (r->layer.current < 0 || now - r->temporal_since < TEMPORAL_WINDOW_US)
        return;
    if (r->temporal_seen >= 0) /* silence is no lower layer */
        tell_layer(r, layer, r->temporal_seen);
    r->temporal_since = now;
    r->temporal_seen = r->spatial_seen = -1;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static bool is_held(const struct route *r)
{
    return r->conf.paused || r->bound_spatial < 0;
}

/* What was asked for, within what the client can take. The old stream goes on with as few frames as
 * there can be while it falls. */
static void limit_layers(struct route *r)
{
    tr_layer_limit_temporal(&r->layer,
                            is_falling(r) ? 0 : least(r->conf.temporal_max, r->bound_temporal));
}

static void begin_layers(struct route *r)
{
    tr_layer_init(&r->layer);
    limit_layers(r);
}

static void choose_layer(struct route *r)
{
    struct source *s = r->source;
    tr_usec fallback = r->conf.fallback_us ? r->conf.fallback_us : TR_LAYER_FALLBACK_US;
    tr_layer_update(&r->layer, r->sink->peer->worker->now, s->last_us, s->facts.layers,
                    least(r->conf.substream_max, r->bound_spatial), fallback);
    limit_layers(r);
}

static void ask_for_layer(struct route *r)
{
    if (r->source->facts.video && !is_held(r) && tr_layer_waits(&r->layer) &&
        tr_peer_can_send(r->sink->tr_peer, r->sink->mline))
        source_keyframe(r->source, r->layer.target);
}

/* What was saved up on a wide link would fill a narrow one. */
static void bound_resends(struct sink *k)
{
    tr_usec now = k->peer->worker->now;
    uint32_t bps;
    if (!tr_peer_adapts(k->tr_peer))
        return;
    tr_peer_bandwidth(k->tr_peer, now, &bps);
    if (bps == 0)
        return;
    int64_t most = (int64_t)bps / 8 / RESEND_PART; /* of a second */
    most = most > RESEND_BUDGET_MIN ? most : RESEND_BUDGET_MIN;
    if (k->resend_budget > most)
        k->resend_budget = most;
}

void route_layer_tick(struct route *r)
{
    bound_resends(r->sink);
    layers_tick(r);
    choose_layer(r);
    ask_for_layer(r);
}

void route_prefetch(const struct route *r, int near)
{
    if (near == PREFETCH_STEPS) /* each step needs the lines of the one before */
        tr_prefetch(r, 2);
    else if (near == PREFETCH_STEPS - 1)
        tr_prefetch(r->sink, 3);
    else
        tr_peer_send_prefetch(r->sink->tr_peer, r->sink->mline, near);
}

void route_run(struct route *r, struct tr_pkt *const *pkts, int count)
{
    struct tr_tx_item items[TR_PEER_RUN_MAX];
    struct tr_rewritten to;
    int n = 0;
    if (is_held(r))
        return;
    if (!tr_peer_can_send(r->sink->tr_peer, r->sink->mline)) {
        begin_layers(r); /* when it can again, with a key frame: it has missed these */
        return;
    }
    if (r->layer.target < 0 || r->source->facts.layers > 1)
        choose_layer(r);
    for (int i = 0; i < count; i++) {
        if (!take_packet(r, pkts[i], &to))
            continue;
        fill_item(&items[n++], pkts[i], &to, false);
        if (n == TR_PEER_RUN_MAX) {
            send_first(r->sink, items, n);
            n = 0;
        }
    }
    if (n > 0)
        send_first(r->sink, items, n);
    ask_for_layer(r); /* only now: the key frame may have been in this run */
}

/* --- the beginning --- */

/* When hundreds come at once, the same packets to each of them would be a burst that takes other
 * packets with it; one new key frame serves them all. */
static bool may_catch_up(struct source *s, uint32_t bytes)
{
    struct worker *w = s->worker;
    tr_usec now = w->now * CATCH_UPS_A_SECOND; /* the clock of a bucket that fills so fast */
    bool may = bytes <= CATCH_UP_BYTES &&
               rate_count_take_some(&s->catch_ups, now, CATCH_UPS_SOURCE, bytes) &&
               rate_count_take_some(&w->catch_ups, now, CATCH_UPS_WORKER, bytes);
    w->counters.catch_ups += may;
    w->counters.catch_ups_refused += !may;
    return may;
}

/* Sends what came since the last key frame, so that the client has a picture at once and the
 * publisher need not make another one. false: the ring does not reach so far, or it is too much. */
static bool catch_up(struct route *r)
{
    struct tr_pkt *pkts[TR_PEER_RUN_MAX];
    int64_t at, end;
    uint32_t bytes;
    int n = 0;
    if (!source_since_keyframe(r->source, r->layer.target, &at, &end, &bytes) ||
        !may_catch_up(r->source, bytes))
        return false;
    for (; at < end; at++) {
        struct tr_pkt *pkt = source_ring_get(r->source, r->layer.target, at);
        if (pkt)
            pkts[n++] = pkt;
        if (n == TR_PEER_RUN_MAX || at == end - 1) {
            route_run(r, pkts, n);
            n = 0;
        }
    }
    egress_seal(r->sink->peer->worker);
    return true;
}

static void tell_playout_delay(const struct route *r)
{
    tr_peer_set_playout_delay(r->sink->tr_peer, r->sink->mline, r->conf.playout);
}

void route_start(struct route *r)
{
    tell_playout_delay(r);
    if (!r->source->facts.video || is_held(r) || !source_flows(r->source))
        return; /* a stream that has not begun starts with a key frame anyway */
    choose_layer(r);
    bool ready = tr_peer_can_send(r->sink->tr_peer, r->sink->mline);
    if (tr_layer_waits(&r->layer) && !(ready && catch_up(r)))
        source_keyframe(r->source, r->layer.target);
}

/* --- retransmission --- */

/* A packet that was asked for will not come: the picture can only go on with a key frame, and not
 * every client says so at once. */
static void give_up(struct sink *k)
{
    struct route *r = k->route;
    if (r && r->source->facts.video && r->layer.current >= 0)
        source_keyframe(r->source, r->layer.current);
}

/* Whether seq may go out once more; it counts as sent then. */
static bool may_resend(struct sink *k, uint16_t seq, tr_usec now)
{
    uint32_t now_ms = (uint32_t)(now / TR_MSEC);
    if (!k->resends)
        k->resends = tr_alloc(RESEND_SLOTS * sizeof *k->resends);
    if (!k->resends)
        return false;
    struct resend *r = &k->resends[seq & (RESEND_SLOTS - 1)];
    if (r->seq != seq || now_ms - r->at_ms > RESEND_FORGET_MS)
        *r = (struct resend){ .seq = seq };
    if (now_ms - r->at_ms < resend_gap_ms[r->count])
        return false; /* it is on its way: nobody asks for too much */
    if (r->count == RESEND_TIMES || k->resend_budget <= 0) {
        k->peer->worker->counters.drops[TR_DROP_RESEND]++;
        give_up(k);
        return false;
    }
    r->count++;
    r->at_ms = now_ms;
    return true;
}

static struct tr_pkt *find_sent(const struct sink *k, uint16_t seq, struct tr_rewritten *to)
{
    const struct source *s = k->route ? k->route->source : NULL;
    return s && !tr_rewrite_is_past(&k->rw, seq) ? source_find_sent(s, &k->rw, seq, to) : NULL;
}

void sink_nacks(struct sink *k, const uint16_t *seqs, int count)
{
    struct tr_tx_item items[TR_PEER_RUN_MAX];
    struct tr_rewritten to;
    int n = 0;
    if (!tr_peer_takes_nacks(k->peer->peer, k->mline))
        return;
    for (int i = 0; i < count; i++) {
        struct tr_pkt *pkt = find_sent(k, seqs[i], &to);
        if (!pkt || !may_resend(k, seqs[i], k->peer->worker->now))
            continue;
        fill_item(&items[n++], pkt, &to, true);
        if (n == TR_PEER_RUN_MAX) {
            send_again(k, items, n);
            n = 0;
        }
    }
    if (n > 0)
        send_again(k, items, n);
    egress_seal(k->peer->worker);
}

/* --- layers and clock --- */

void route_clock(struct route *r)
{
    const struct source *s = r->source;
    int layer = r->layer.current;
    uint32_t offset;
    if (layer < 0 || !s->clock[layer].known ||
        !tr_rewrite_ts_offset(&r->sink->rw, source_origin(s, layer), &offset))
        return;
    tr_peer_set_tx_clock(r->sink->peer->peer, r->sink->mline, s->clock[layer].rtp + offset,
                         s->clock[layer].at);
}

/* --- life --- */

static struct tr_slice route_key(const tr_id *id)
{
    return tr_slice(id, sizeof *id);
}

void route_destroy(struct route *r)
{
    struct worker *w = r->source->worker;
    source_remove_route(r->source, r);
    tr_map_remove(w->routes, route_key(&r->id));
    if (r->sink->route == r)
        r->sink->route = NULL;
    w->counters.routes--;
    source_unused(r->source);
    tr_free(r);
}

static struct source *source_for(struct worker *w, const struct msg_route *m)
{
    struct source *s = source_find(w, &m->source);
    if (s)
        return s;
    if (m->source_worker == w->index)
        return NULL; /* the m-line is not received: nothing to forward */
    return source_create(w, &m->source, NULL, &m->facts, m->source_worker);
}

static void keep_ring_for(const struct route *r)
{
    if (tr_peer_takes_nacks(r->sink->peer->peer, r->sink->mline))
        (void)!source_keep_ring(r->source); /* without memory for it nothing is sent again */
}

/* After a pause: the client starts over at a key frame. */
static void resume(struct route *r)
{
    begin_layers(r);
    if (r->source->facts.video)
        source_keyframe(r->source, -1);
}

void route_bound(struct route *r, int spatial, int temporal)
{
    bool held = is_held(r);
    if (spatial == r->bound_spatial && temporal == r->bound_temporal)
        return;
    r->bound_spatial = (int8_t)spatial;
    r->bound_temporal = (int8_t)temporal;
    if (held && !is_held(r))
        resume(r);
    if (is_held(r))
        return;
    choose_layer(r);
    ask_for_layer(r);
}

static void add_route(struct worker *w, const struct msg_route *m)
{
    struct wpeer *p = wpeer_find(w, m->sink_peer);
    struct sink *k = p ? sink_of(p, m->sink_mline) : NULL;
    struct source *s = k ? source_for(w, m) : NULL;
    struct route *r = s ? tr_alloc(sizeof *r) : NULL;
    if (!r || source_add_route(s, r) != TR_OK) {
        tr_free(r);
        if (s)
            source_unused(s);
        return;
    }
    r->id = m->route;
    r->source = s;
    r->sink = k;
    r->conf = m->conf;
    r->temporal_seen = r->spatial_seen = -1;
    r->bound_spatial = r->bound_temporal = TR_SVC_ALL;
    if (tr_map_add(w->routes, route_key(&r->id), r) != TR_OK) {
        source_remove_route(s, r);
        source_unused(s);
        tr_free(r);
        return;
    }
    w->counters.routes++;
    begin_layers(r);
    if (k->route)
        route_destroy(k->route);
    k->route = r;
    keep_ring_for(r);
    route_start(r);
}

/* A renegotiation may have changed what the source sends: the owner knows by its tracks, a shadow
 * learns it here. */
static void set_route(struct route *r, const struct msg_route *m)
{
    bool held = is_held(r);
    r->conf = m->conf;
    if (source_is_shadow(r->source) && m->facts.layers > 0)
        r->source->facts = m->facts;
    keep_ring_for(r);
    tell_playout_delay(r);
    if (held && !is_held(r))
        resume(r);
    route_layer_tick(r);
}

void route_message(struct worker *w, const struct msg *m)
{
    const struct msg_route *mr = &m->u.route;
    if (m->kind == MSG_ROUTE_ADD) {
        add_route(w, mr);
        return;
    }
    struct route *r = tr_map_get(w->routes, route_key(&mr->route));
    if (!r)
        return;
    if (m->kind == MSG_ROUTE_REMOVE)
        route_destroy(r);
    else
        set_route(r, mr);
}

/* What comes in. A source gathers the packets of a turn into a run; at the end of the turn the run
 * goes once to each route here, once to each other worker that has routes for it, and to its taps.
 * It keeps the packets of the last second for retransmissions where somebody can ask for them. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "media/forward.h"
#include "media/ports.h"
#include "media/worker.h"

static struct tr_slice source_map_key(const struct source_key *key)
{
    return tr_slice(key, sizeof *key);
}

struct source *source_find(struct worker *w, const struct source_key *key)
{
    return tr_map_get(w->sources, source_map_key(key));
}

static uint32_t next_serial(struct worker *w)
{
    return ++w->next_serial & 0x3fffffff;
}

struct source *source_create(struct worker *w, const struct source_key *key, struct wpeer *peer,
                             const struct source_facts *facts, int owner)
{
    struct source *s = tr_alloc(sizeof *s);
    if (!s)
        return NULL;
    s->key = *key;
    for (int i = 0; i < TR_TRACK_LAYERS; i++)
        s->serials[i] = next_serial(w);
    for (int i = 0; i < TR_TRACK_LAYERS; i++)
        s->keyframe_seq[i] = -1;
    s->worker = w;
    s->peer = peer;
    s->owner = owner;
    s->facts = *facts;
    s->rates.since = w->now;
    uplink_init(s);
    if (tr_map_add(w->sources, source_map_key(key), s) != TR_OK) {
        tr_free(s);
        return NULL;
    }
    return s;
}

static void drop_run(struct source *s)
{
    for (int i = 0; i < s->run_count; i++)
        tr_pkt_unref(&s->run[i]);
    s->run_count = 0;
}

static void free_ring(struct ring *ring)
{
    if (!ring)
        return;
    for (int i = 0; i < RING_SLOTS; i++)
        tr_pkt_unref(&ring->slots[i]);
    tr_free(ring);
}

static void deactivate(struct source *s)
{
    for (struct source **at = &s->worker->active; *at; at = &(*at)->next_active) {
        if (*at == s) {
            *at = s->next_active;
            return;
        }
    }
}

static void tell_tap_gone(struct source *s, int i)
{
    struct tr_media_event ev = { .kind = (enum tr_media_event_kind)EVENT_TAP_GONE,
                                 .peer = s->taps[i].tap };
    worker_tell(s->worker, &ev);
    s->taps[i] = s->taps[--s->taps_count];
}

static void tell_forward_gone(struct forward *f, struct source *s)
{
    struct tr_media_event ev = { .kind = (enum tr_media_event_kind)EVENT_TAP_GONE,
                                 .peer = forward_id(f) };
    forward_detach(f);
    worker_tell(s->worker, &ev); /* only now: control frees it */
}

void source_destroy(struct source *s)
{
    if (!s)
        return;
    while (s->taps_count > 0)
        tell_tap_gone(s, s->taps_count - 1);
    while (s->forwards)
        tell_forward_gone(s->forwards, s);
    tr_map_remove(s->worker->sources, source_map_key(&s->key));
    s->peer = NULL;
    s->plain = NULL;
    for (uint32_t i = 0; i < s->routes_count; i++) {
        struct route *r = s->routes[i];
        tr_map_remove(s->worker->routes, tr_slice(&r->id, sizeof r->id));
        if (r->sink->route == r)
            r->sink->route = NULL;
        s->worker->counters.routes--;
        tr_free(r);
    }
    tr_free(s->routes);
    if (s->run_count > 0)
        deactivate(s);
    drop_run(s);
    for (int i = 0; i < TR_TRACK_LAYERS; i++)
        free_ring(s->rings[i]);
    tr_free(s);
}

void source_unused(struct source *s)
{
    if (source_is_shadow(s) && s->routes_count == 0)
        source_destroy(s);
}

enum tr_err source_add_route(struct source *s, struct route *r)
{
    if (s->routes_count == s->routes_size) {
        uint32_t size = s->routes_size ? s->routes_size * 2 : 4;
        struct route **routes = tr_realloc(s->routes, size * sizeof(void *));
        if (!routes)
            return TR_ERR_NOMEM;
        s->routes = routes;
        s->routes_size = size;
    }
    r->at = s->routes_count;
    s->routes[s->routes_count++] = r;
    return TR_OK;
}

void source_remove_route(struct source *s, struct route *r)
{
    struct route *last = s->routes[--s->routes_count];
    s->routes[r->at] = last;
    last->at = r->at;
}

/* --- the ring --- */

enum tr_err source_keep_ring(struct source *s)
{
    for (int i = 0; i < s->facts.layers; i++) {
        if (s->rings[i])
            continue;
        s->rings[i] = tr_alloc(sizeof *s->rings[i]);
        if (!s->rings[i])
            return TR_ERR_NOMEM;
        s->rings[i]->oldest = 0;
        s->rings[i]->newest = -1;
    }
    return TR_OK;
}

static void expire(struct ring *ring, tr_usec before)
{
    for (; ring->oldest <= ring->newest; ring->oldest++) {
        struct tr_pkt **slot = &ring->slots[ring->oldest & (RING_SLOTS - 1)];
        if (*slot && (*slot)->recv_us >= before)
            return;
        tr_pkt_unref(slot);
    }
}

static void store(struct ring *ring, struct tr_pkt *pkt)
{
    int64_t seq = tr_rtp_meta(pkt)->ext_seq;
    if (ring->oldest > ring->newest || seq - ring->newest > RING_SLOTS) {
        expire(ring, TR_NEVER);
        ring->oldest = seq;
        ring->newest = seq - 1;
    }
    if (seq < ring->oldest)
        return;
    while (ring->newest < seq) {
        ring->newest++;
        if (ring->newest - ring->oldest >= RING_SLOTS)
            tr_pkt_unref(&ring->slots[ring->oldest++ & (RING_SLOTS - 1)]);
    }
    struct tr_pkt **slot = &ring->slots[seq & (RING_SLOTS - 1)];
    if (!*slot) /* else it has come before: a number stands for the same bytes, always */
        *slot = tr_pkt_ref(pkt);
}

struct tr_pkt *source_ring_get(const struct source *s, int layer, int64_t ext_seq)
{
    const struct ring *ring = layer < TR_TRACK_LAYERS ? s->rings[layer] : NULL;
    if (!ring || ext_seq < ring->oldest || ext_seq > ring->newest)
        return NULL;
    struct tr_pkt *pkt = ring->slots[ext_seq & (RING_SLOTS - 1)];
    return pkt && tr_rtp_meta_const(pkt)->ext_seq == ext_seq ? pkt : NULL;
}

struct tr_pkt *source_find_sent(const struct source *s, const struct tr_rewrite *rw, uint16_t seq,
                                struct tr_rewritten *to)
{
    uint32_t origin;
    int64_t in_seq;
    if (tr_rewrite_reverse(rw, seq, &origin, &in_seq) != TR_OK)
        return NULL;
    int layer = (int)(origin & 3);
    struct tr_pkt *pkt =
        origin == source_origin(s, layer) ? source_ring_get(s, layer, in_seq) : NULL;
    if (!pkt || tr_rewrite_again(rw, seq, tr_rtp_meta_const(pkt), to) != TR_OK)
        return NULL;
    return pkt;
}

bool source_since_keyframe(const struct source *s, int layer, int64_t *first, int64_t *end,
                           uint32_t *bytes)
{
    const struct ring *ring = s->rings[layer];
    *bytes = 0;
    *first = s->keyframe_seq[layer];
    if (!ring || *first < 0 || !source_ring_get(s, layer, *first))
        return false;
    for (*end = *first; *end <= ring->newest; ++*end) {
        const struct tr_pkt *pkt = source_ring_get(s, layer, *end);
        *bytes += pkt ? pkt->len : 0;
    }
    return true;
}

bool source_flows(const struct source *s)
{
    for (int i = 0; i < s->facts.layers; i++) {
        if (s->last_us[i] != 0)
            return true;
    }
    return false;
}

/* --- packets --- */

static void forward_now(struct source *s);

/* The client sends the layer under another SSRC: numbers and timestamps begin anew, and so does
 * each sink, at the next key frame. */
static void restart_layer(struct source *s, int layer)
{
    forward_now(s);
    s->serials[layer] = next_serial(s->worker);
    s->keyframe_seq[layer] = -1;
    if (s->rings[layer])
        expire(s->rings[layer], TR_NEVER);
    for (uint32_t i = 0; i < s->routes_count; i++) {
        if (s->routes[i]->layer.current == layer)
            s->routes[i]->layer.current = -1;
    }
    for (int i = 0; i < s->taps_count; i++) {
        if (s->taps[i].layer.current == layer)
            s->taps[i].layer.current = -1;
    }
    for (struct forward *f = s->forwards; f; f = forward_next(f))
        forward_restart_layer(f, layer);
}

/* When packets get scarce, what is new comes before what might be asked for again. */
static tr_usec ring_time(const struct worker *w, const struct tr_pkt_pool *pool)
{
    return tr_pkt_pool_in_use(pool) > w->media->conf.packets_max / 4 * 3 ? RING_SCARCE_US : RING_US;
}

static void tell_talking(struct source *s)
{
    struct tr_media_event ev = {
        .kind = TR_MEDIA_TALKING,
        .peer = s->key.peer,
        .mline = (int)s->key.mline,
        .on = s->talk.on,
        .level = s->talk.mean,
    };
    worker_tell(s->worker, &ev);
}

void source_negotiated(struct source *s, const struct source_facts *facts)
{
    if (facts && s->held)
        s->returns = facts->video;
    if (facts)
        s->facts = *facts;
    s->held = !facts;
}

/* The first packet after a hold. Most senders begin with a key frame by themselves. */
static void come_back(struct source *s, const struct tr_rtp_meta *m)
{
    s->returns = false;
    if (!(m->flags & TR_RTP_KEYFRAME))
        source_keyframe(s, -1);
}

void source_packet(struct source *s, struct tr_pkt *pkt)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    struct worker *w = s->worker;
    if (s->returns)
        come_back(s, m);
    if (s->run_count == RUN_MAX)
        forward_now(s);
    if (s->ssrcs[m->layer] != m->ssrc) {
        if (s->last_us[m->layer] != 0)
            restart_layer(s, m->layer);
        s->ssrcs[m->layer] = m->ssrc;
    }
    if (s->run_count == 0) {
        s->next_active = w->active;
        w->active = s;
    }
    s->last_us[m->layer] = w->now;
    if (pkt->len > 0)
        tr_rates_count(&s->rates, s->facts.layers > 1 ? m->layer : m->spatial, m->temporal,
                       pkt->len);
    if (m->flags & TR_RTP_KEYFRAME) {
        s->keyframe_pending[m->layer] = false;
        if (s->keyframe_seq[m->layer] < 0 || m->ts != s->keyframe_ts[m->layer]) {
            s->keyframe_seq[m->layer] = m->ext_seq;
            s->keyframe_ts[m->layer] = m->ts;
        }
    }
    if ((m->flags & TR_RTP_AUDIO_LEVEL) && tr_talk_packet(&s->talk, w->now, m->audio_level & 0x7f))
        tell_talking(s);
    struct ring *ring = s->rings[m->layer];
    if (ring) {
        expire(ring, w->now - ring_time(w, pkt->pool));
        store(ring, pkt);
    }
    s->run[s->run_count++] = pkt;
}

static void share_run(struct source *s, int worker)
{
    struct msg m = { .kind = MSG_RUN, .worker = s->worker->index };
    for (int at = 0; at < s->run_count; at += MSG_RUN_MAX) {
        int left = s->run_count - at;
        m.u.run.source = s->key;
        m.u.run.count = left < MSG_RUN_MAX ? left : MSG_RUN_MAX;
        for (int i = 0; i < m.u.run.count; i++)
            m.u.run.pkts[i] = tr_pkt_ref(s->run[at + i]);
        worker_send(s->worker, worker, &m, false);
    }
}

static void tap_run(struct source *s, struct tap_route *t)
{
    struct tr_pkt *pkts[RUN_MAX];
    struct tr_layer_out layer;
    int n = 0;
    tr_layer_update(&t->layer, s->worker->now, s->last_us, s->facts.layers, TR_TRACK_LAYERS - 1,
                    TR_LAYER_FALLBACK_US);
    for (int i = 0; i < s->run_count; i++) {
        const struct tr_rtp_meta *m = tr_rtp_meta_const(s->run[i]);
        if (s->run[i]->len == 0)
            continue; /* padding */
        if (tr_layer_take(&t->layer, m, tr_rtp_dd(s->run[i]),
                          !s->facts.video || (m->flags & TR_RTP_KEYFRAME), &layer))
            pkts[n++] = s->run[i];
    }
    if (n > 0)
        t->to.packets(t->to.arg, t->track, pkts, n);
    if (tr_layer_waits(&t->layer))
        source_keyframe(s, t->layer.target);
}

/* Gives the run to all its takers; what goes to clients is in the egress batch, which borrows the
 * packets. */
static void hand_out(struct source *s)
{
    for (int i = 0; s->shares_count > 0 && i < s->worker->media->workers_count; i++) {
        if (s->shares[i] > 0)
            share_run(s, i);
    }
    for (uint32_t i = 0; i < s->routes_count; i++) {
        for (uint32_t near = 1; near <= PREFETCH_STEPS && i + near < s->routes_count; near++)
            route_prefetch(s->routes[i + near], (int)near);
        route_run(s->routes[i], s->run, s->run_count);
    }
    for (int i = 0; i < s->taps_count; i++)
        tap_run(s, &s->taps[i]);
    for (struct forward *f = s->forwards; f; f = forward_next(f))
        forward_run(f, s->run, s->run_count);
}

static void forward_now(struct source *s)
{
    if (s->run_count == 0)
        return;
    hand_out(s);
    egress_seal(s->worker);
    drop_run(s);
    deactivate(s);
}

void sources_forward(struct worker *w)
{
    for (struct source *s = w->active; s; s = s->next_active)
        hand_out(s);
    egress_seal(w);
    for (struct source *s = w->active; s; s = s->next_active)
        drop_run(s);
    w->active = NULL;
}

/* --- key frames --- */

static void ask_here(struct source *s, int layer)
{
    tr_usec now = s->worker->now;
    if (s->held || s->returns) { /* nobody is there to make it: see come_back */
        s->keyframe_pending[layer] = false;
        return;
    }
    if (s->keyframe_asked_us[layer] != 0 && now - s->keyframe_asked_us[layer] < KEYFRAME_EVERY_US) {
        s->keyframe_pending[layer] = true; /* asked again by the tick, unless one comes meanwhile */
        return;
    }
    s->keyframe_asked_us[layer] = now;
    s->keyframe_pending[layer] = false;
    if (s->plain) {
        plain_request_keyframe(s->plain, (int)s->key.mline, layer);
        return;
    }
    tr_peer_request_keyframe(s->peer->peer, (int)s->key.mline, layer);
    wpeer_touch(s->peer);
}

void source_keyframe(struct source *s, int layer)
{
    if (!s->facts.video || layer >= s->facts.layers)
        return;
    if (source_is_shadow(s)) {
        tr_usec now = s->worker->now;
        int slot = layer < 0 ? 0 : layer;
        /* The owner limits again; this keeps a storm of requests from crossing over. */
        if (s->keyframe_asked_us[slot] != 0 && now - s->keyframe_asked_us[slot] < LAYER_TICK_US)
            return;
        s->keyframe_asked_us[slot] = now;
        struct msg m = { .kind = MSG_KEYFRAME, .worker = s->worker->index };
        m.u.keyframe.source = s->key;
        m.u.keyframe.layer = layer;
        worker_send(s->worker, s->owner, &m, true);
        return;
    }
    for (int i = 0; i < s->facts.layers; i++) {
        if (layer < 0 || layer == i)
            ask_here(s, i);
    }
}

/* --- clocks --- */

void source_clock(struct source *s, int layer, uint32_t rtp, tr_usec at)
{
    if (layer < 0 || layer >= TR_TRACK_LAYERS)
        return;
    s->clock[layer].known = true;
    s->clock[layer].rtp = rtp;
    s->clock[layer].at = at;
    for (uint32_t i = 0; i < s->routes_count; i++)
        route_clock(s->routes[i]);
}

void source_sender_report(struct source *s, int layer, uint32_t ssrc, const struct tr_sr *sr)
{
    int64_t offset;
    struct tr_clock_offset *wall = s->plain ? plain_wall(s->plain) : &s->peer->wall;
    tr_clock_offset_sample(wall, sr->at, sr->ntp);
    if (!sr->ntp || !tr_clock_offset_get(wall, &offset))
        return;
    tr_usec at = tr_ntp_to_unix_us(sr->ntp) + offset;
    source_clock(s, layer, sr->rtp, at);
    struct msg m = { .kind = MSG_SR, .worker = s->worker->index };
    m.u.sr.source = s->key;
    m.u.sr.layer = layer;
    m.u.sr.rtp = sr->rtp;
    m.u.sr.at = at;
    for (int i = 0; s->shares_count > 0 && i < s->worker->media->workers_count; i++) {
        if (s->shares[i] > 0)
            worker_send(s->worker, i, &m, false);
    }
    struct tr_tap_sr tap_sr = {
        .ssrc = ssrc, .ntp = sr->ntp, .rtp_ts = sr->rtp, .recv_us = sr->at
    };
    for (int i = 0; i < s->taps_count; i++)
        s->taps[i].to.sender_report(s->taps[i].to.arg, s->taps[i].track, &tap_sr);
}

/* --- ticks --- */

void source_tick(struct source *s)
{
    tr_usec now = s->worker->now;
    for (int i = 0; i < TR_TRACK_LAYERS; i++) { /* also of layers that are not sent any more */
        if (s->rings[i])
            expire(s->rings[i], now - RING_US);
    }
    for (int i = 0; i < s->facts.layers; i++) {
        bool receiving = s->last_us[i] != 0 && now - s->last_us[i] < TICK_US;
        if (source_is_shadow(s) || receiving == s->receiving[i])
            continue;
        s->receiving[i] = receiving;
        struct tr_media_event ev = {
            .kind = TR_MEDIA_RECEIVING,
            .peer = s->key.peer,
            .mline = (int)s->key.mline,
            .on = receiving,
            .substream = s->facts.layers > 1 ? i : -1,
        };
        worker_tell(s->worker, &ev);
    }
}

void source_layer_tick(struct source *s)
{
    for (int i = 0; !source_is_shadow(s) && i < s->facts.layers; i++) {
        if (s->keyframe_pending[i])
            ask_here(s, i);
    }
    tr_rates_update(&s->rates, s->worker->now, s->facts.layers == 1);
    uplink_source_tick(s);
    for (uint32_t i = 0; i < s->routes_count; i++)
        route_layer_tick(s->routes[i]);
}

/* --- messages --- */

static void take_run(struct worker *w, const struct msg *m)
{
    struct source *s = source_find(w, &m->u.run.source);
    for (int i = 0; i < m->u.run.count; i++) {
        struct tr_pkt *pkt = m->u.run.pkts[i];
        if (s && source_is_shadow(s))
            source_packet(s, pkt);
        else
            tr_pkt_unref(&pkt);
    }
}

/* Each TAP_ADD is answered by one EVENT_TAP_GONE: now, at the removal, or when the source goes. */
static void add_tap(struct worker *w, struct source *s, const struct msg *m)
{
    bool here = s && !source_is_shadow(s);
    if (here && m->u.tap.forward && s->forwards_count < TR_FORWARDS_SOURCE_MAX) {
        forward_attach(m->u.tap.forward, s);
        return;
    }
    if (!here || m->u.tap.forward || s->taps_count == TAPS_MAX) {
        struct tr_media_event ev = { .kind = (enum tr_media_event_kind)EVENT_TAP_GONE,
                                     .peer = m->u.tap.tap };
        worker_tell(w, &ev);
        return;
    }
    struct tap_route *t = &s->taps[s->taps_count++];
    *t = (struct tap_route){ .tap = m->u.tap.tap, .to = m->u.tap.to, .track = m->u.tap.track };
    tr_layer_init(&t->layer);
    if (source_flows(s))
        source_keyframe(s, -1);
}

static void remove_tap(struct source *s, tr_id tap, uint16_t track)
{
    for (struct forward *f = s->forwards; f; f = forward_next(f)) {
        if (forward_id(f) == tap) {
            tell_forward_gone(f, s);
            return;
        }
    }
    for (int i = 0; i < s->taps_count; i++) {
        if (s->taps[i].tap == tap && s->taps[i].track == track) {
            tell_tap_gone(s, i);
            return;
        }
    }
}

static void change_share(struct source *s, int worker, int delta)
{
    TR_ASSERT(worker >= 0 && worker < TR_MEDIA_WORKERS_MAX);
    if (delta < 0 && s->shares[worker] == 0)
        return;
    if (s->shares[worker] == 0)
        uplink_asked_by(s, worker, TR_TRACK_LAYERS - 1, UINT32_MAX); /* until it says less */
    s->shares[worker] += (uint32_t)delta;
    s->shares_count += delta;
}

/* What was said before, as at each renegotiation, does not disturb the counting. */
static void listen_to(struct source *s, const struct tr_talk_conf *conf)
{
    if (s->talk.conf.packets == conf->packets && s->talk.conf.level == conf->level)
        return;
    s->talk = (struct tr_talk){ .conf = *conf, .on = s->talk.on, .changed_us = s->talk.changed_us };
}

static const struct source_key *key_of(const struct msg *m)
{
    if (m->kind == MSG_TAP_ADD || m->kind == MSG_TAP_REMOVE)
        return &m->u.tap.source;
    if (m->kind == MSG_KEYFRAME || m->kind == MSG_ASKED)
        return &m->u.keyframe.source;
    if (m->kind == MSG_TALK)
        return &m->u.talk.source;
    return m->kind == MSG_SR ? &m->u.sr.source : &m->u.share.source;
}

void source_message(struct worker *w, const struct msg *m)
{
    if (m->kind == MSG_RUN) {
        take_run(w, m);
        return;
    }
    struct source *s = source_find(w, key_of(m));
    if (m->kind == MSG_TAP_ADD)
        add_tap(w, s, m);
    else if (s && m->kind == MSG_TAP_REMOVE)
        remove_tap(s, m->u.tap.tap, m->u.tap.track);
    else if (s && m->kind == MSG_SHARE)
        change_share(s, m->worker, m->u.share.delta);
    else if (s && !source_is_shadow(s) && m->kind == MSG_KEYFRAME)
        source_keyframe(s, m->u.keyframe.layer);
    else if (s && m->kind == MSG_TALK)
        listen_to(s, &m->u.talk.conf);
    else if (s && !source_is_shadow(s) && m->kind == MSG_ASKED)
        uplink_asked_by(s, m->worker, m->u.keyframe.layer, m->u.keyframe.best_bps);
    else if (s && source_is_shadow(s) && m->kind == MSG_SR)
        source_clock(s, m->u.sr.layer, m->u.sr.rtp, m->u.sr.at);
}

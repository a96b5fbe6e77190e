/* Who gets what of one client's bandwidth. On each layer tick, and at once when the estimate falls,
 * the allocator is told what each sink's source costs layer by layer; what it grants becomes the
 * bound of the route. Without an estimate there are no bounds. */
#include "media/worker.h"

/* The sender of a single layer is told to send less (uplink.c), which takes him a moment. */
#define PATIENCE_US (4 * TR_SECOND)

static void describe(const struct sink *k, struct tr_alloc_stream *a)
{
    const struct route *r = k->route;
    const struct source *s = r->source;
    a->off = r->conf.paused;
    a->bps = s->facts.video ? s->rates.bps : NULL;
    a->audio_bps = s->facts.video ? 0 : tr_rates_all(&s->rates);
    a->spatial_max = (int8_t)r->conf.substream_max;
    a->temporal_max = (int8_t)r->conf.temporal_max;
    a->priority = r->conf.priority;
    a->patience_us = s->facts.layers < 2 ? PATIENCE_US : 0;
}

static int gather(struct wpeer *p, struct tr_alloc_stream **streams, struct route **routes)
{
    int n = 0;
    for (int i = 0; i < p->tracks_count && n < TR_ALLOC_STREAMS_MAX; i++) {
        struct sink *k = p->sinks[i];
        if (!k || !k->route)
            continue;
        describe(k, &k->share);
        routes[n] = k->route;
        streams[n++] = &k->share;
    }
    return n;
}

/* What is left of the bandwidth when the others have what they were given. */
static uint32_t could_have(const struct tr_alloc_stream *a, const struct tr_alloc_sum *sum,
                           uint32_t bps)
{
    uint32_t own = 0;
    if (a->bps && a->spatial >= 0) {
        int temporal = a->temporal < TR_ALLOC_TEMPORAL ? a->temporal : TR_ALLOC_TEMPORAL - 1;
        own = a->bps[a->spatial][temporal];
    }
    uint32_t others = sum->used_bps > own ? sum->used_bps - own : 0;
    return bps > others ? bps - others : 1;
}

void wpeer_share(struct wpeer *p)
{
    struct tr_alloc_stream *streams[TR_ALLOC_STREAMS_MAX];
    struct route *routes[TR_ALLOC_STREAMS_MAX];
    tr_usec now = p->worker->now;
    uint32_t bps;
    bool sure = tr_peer_bandwidth(p->peer, now, &bps);
    if (!tr_peer_adapts(p->peer))
        return;
    int n = gather(p, streams, routes);
    struct tr_alloc_sum sum = tr_alloc_run(streams, n, now, bps ? bps : UINT32_MAX, sure);
    tr_peer_want(p->peer, now, sum.wanted_bps);
    for (int i = 0; i < n; i++) {
        const struct tr_alloc_stream *a = streams[i];
        routes[i]->sink->bandwidth_bps = bps;
        routes[i]->sink->could_bps = sure && bps ? could_have(a, &sum, bps) : 0;
        if (bps == 0 || !a->bps || a->idle)
            route_bound(routes[i], TR_SVC_ALL, TR_SVC_ALL);
        else
            route_bound(routes[i], a->spatial, a->temporal);
    }
    if (tr_peer_next_timeout(p->peer) <= now)
        wpeer_touch(p); /* a probe has begun */
}

/* What a client need not send. When nobody has asked for a simulcast layer for a while, its sender
 * is told a total that has no room for it (REMB); it is lifted as soon as somebody does. "Asked"
 * is what the routes were told, and not what the bandwidth of their clients allows: who is on a
 * bad link now may be on a good one in a second, and a sender takes many to come back. A tap or
 * forwarder asks for all. Routes of other workers: their shadow of the source tells its owner when
 * that changes.
 *
 * A stream of one layer cannot be had smaller: where it is too much for every viewer, its sender is
 * told what the best of them can take, or they would see nothing. */
#include "media/worker.h"

/* Browsers take twenty seconds and more to come back, so who only looks at a small picture for a
 * moment must not cost the others the large one. */
#define UNASKED_US (30 * TR_SECOND)
#define FLOWING_US (2 * TR_SECOND)

enum {
    ROOM_PERCENT = 125, /* of the layers that are asked for: they must not suffer */
    AUDIO_BPS = 100000,
    LIMIT_MIN_BPS = 150000,
    NOBODY = -1,
    EVERYTHING = TR_TRACK_LAYERS - 1,
    FOLLOW_PERCENT = 75, /* of what a viewer can take: encoders overshoot, losses are resent */
    FOLLOW_MIN_BPS = 60000,
};

#define ANY_RATE UINT32_MAX

static int asked_here(const struct source *s)
{
    int asked = s->taps_count > 0 || s->forwards_count > 0 ? EVERYTHING : NOBODY;
    for (uint32_t i = 0; i < s->routes_count && asked < EVERYTHING; i++) {
        const struct tr_route_conf *conf = &s->routes[i]->conf;
        if (!conf->paused && conf->substream_max > asked)
            asked = conf->substream_max;
    }
    return asked < EVERYTHING ? asked : EVERYTHING;
}

static int asked_anywhere(const struct source *s)
{
    int asked = asked_here(s);
    for (int i = 0; s->shares_count > 0 && i < s->worker->media->workers_count; i++) {
        if (s->shares[i] > 0 && s->uplink.asked_by[i] > asked)
            asked = s->uplink.asked_by[i];
    }
    return asked;
}

static uint32_t best_here(const struct source *s)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < s->routes_count; i++) {
        const struct route *r = s->routes[i];
        uint32_t could = r->sink->could_bps ? r->sink->could_bps : ANY_RATE;
        if (!r->conf.paused && could > best)
            best = could;
    }
    return best;
}

static uint32_t best_anywhere(const struct source *s)
{
    uint32_t best = best_here(s);
    for (int i = 0; s->shares_count > 0 && i < s->worker->media->workers_count; i++) {
        if (s->shares[i] > 0 && s->uplink.best_by[i] > best)
            best = s->uplink.best_by[i];
    }
    return best;
}

static void tell_owner(struct source *s, int asked, uint32_t best_bps)
{
    struct msg m = { .kind = MSG_ASKED, .worker = s->worker->index };
    m.u.keyframe.source = s->key;
    m.u.keyframe.layer = asked;
    m.u.keyframe.best_bps = best_bps;
    worker_send(s->worker, s->owner, &m, true);
}

static bool differs(uint32_t a, uint32_t b)
{
    uint32_t more = a > b ? a : b, less = a > b ? b : a;
    return more - less > more / 16;
}

/* A stream that fits is left alone; one that was bounded is, when the bound is above all it ever
 * was. */
static void follow_best(struct source *s)
{
    uint32_t best = best_anywhere(s), to = (uint32_t)((uint64_t)best * FOLLOW_PERCENT / 100);
    bool free = best == 0 || best == ANY_RATE || to >= s->rates.peak[0];
    if (free || (s->uplink.follow_bps == 0 && best >= tr_rates_all(&s->rates)))
        to = 0;
    else if (to < FOLLOW_MIN_BPS)
        to = FOLLOW_MIN_BPS;
    if (differs(to, s->uplink.follow_bps))
        s->uplink.follow_bps = to;
}

static void single_layer_tick(struct source *s)
{
    if (!source_is_shadow(s)) {
        follow_best(s);
        return;
    }
    uint32_t best = best_here(s);
    if (!differs(best, s->uplink.best_bps))
        return;
    s->uplink.best_bps = best;
    tell_owner(s, asked_here(s), best);
}

void uplink_init(struct source *s)
{
    s->uplink.asked = EVERYTHING;
    s->uplink.asked_us = s->worker->now;
}

void uplink_asked_by(struct source *s, int worker, int layer, uint32_t best_bps)
{
    s->uplink.asked_by[worker] = (int8_t)layer;
    s->uplink.best_by[worker] = best_bps;
}

void uplink_source_tick(struct source *s)
{
    if (!s->facts.video)
        return;
    if (s->facts.layers < 2) {
        single_layer_tick(s);
        return;
    }
    int asked = source_is_shadow(s) ? asked_here(s) : asked_anywhere(s);
    if (asked == s->uplink.asked)
        return;
    s->uplink.asked = (int8_t)asked;
    s->uplink.asked_us = s->worker->now;
    s->uplink.limit_bps = 0;
    if (source_is_shadow(s))
        tell_owner(s, asked, 0);
}

static bool flows(const struct source *s)
{
    for (int i = 0; i < s->facts.layers; i++) {
        if (s->last_us[i] != 0 && s->worker->now - s->last_us[i] < FLOWING_US)
            return true;
    }
    return false;
}

/* What the layers that are asked for need; 0: it may send what it wants. The lowest always goes on,
 * so that whoever comes has something to see. */
static uint32_t limit_of(struct source *s)
{
    tr_usec now = s->worker->now;
    if (!s->facts.video)
        return AUDIO_BPS;
    if (s->facts.layers < 2)
        return s->uplink.follow_bps;
    if (s->uplink.asked >= s->facts.layers - 1 || now - s->uplink.asked_us < UNASKED_US)
        return 0;
    if (s->uplink.limit_bps == 0) { /* fixed now: what is sent follows it, and must not lead it */
        uint64_t sum = 0;
        for (int i = 0; i == 0 || i <= s->uplink.asked; i++)
            sum += s->rates.peak[i];
        sum = sum * ROOM_PERCENT / 100;
        s->uplink.limit_bps = sum < LIMIT_MIN_BPS ? LIMIT_MIN_BPS : (uint32_t)sum;
    }
    return s->uplink.limit_bps;
}

static uint32_t limit_of_peer(struct wpeer *p)
{
    uint64_t sum = 0;
    bool any = false;
    for (int i = 0; i < p->tracks_count; i++) {
        struct source *s = p->sources[i];
        if (!s || !flows(s))
            continue;
        uint32_t limit = limit_of(s);
        if (limit == 0)
            return 0;
        any |= s->facts.video;
        sum += limit;
    }
    return any && sum < UINT32_MAX ? (uint32_t)sum : 0;
}

void uplink_peer_tick(struct wpeer *p)
{
    uint32_t limit = limit_of_peer(p), told = p->told_bps;
    if (limit && (!told || limit < told))
        told = limit;
    if (told == p->uplink_bps)
        return;
    p->uplink_bps = told;
    tr_peer_set_bitrate(p->peer, told);
    wpeer_touch(p);
}

/* Steps. What a video can be sent as is a list of layers from the cheapest to the best: all
 * temporal layers of the lowest spatial one, then those of the next, where a step that costs less
 * than the one before it takes its place. Upper spatial layers start with two temporal layers,
 * where there are that many: a large picture at 7 frames a second helps nobody who did not ask for
 * it.
 *
 * Rounds. In each round each stream goes one step up, in the order of priority, while it fits.
 * "Fits" differs: to stay where one was may cost up to STAY of what there is, to climb only CLIMB
 * of it. */
#include "bwe/alloc.h"

#include "base/assert.h"

enum {
    STEPS_MAX = TR_ALLOC_SPATIAL * TR_ALLOC_TEMPORAL,
    FALLS_MAX = 4,
    ALL = TR_ALLOC_TEMPORAL - 1
};

#define AFTER_FALL_US (2 * TR_SECOND) /* and twice as long for each fall in short succession */
#define SOON_US (10 * TR_SECOND)      /* a fall so soon after the rise was a failed try */
#define STARVE_US TR_SECOND           /* the lowest layer may be too much for so long */

static const double STAY = 1.1, CLIMB = 0.9, ROOMY = 0.75;

struct step {
    int8_t spatial, temporal;
    uint32_t bps;
};

struct climb { /* one stream while it is worked on */
    struct step steps[STEPS_MAX];
    int count;
    int at; /* -1: paused */
    bool done;
};

static bool is_worth(const struct tr_alloc_stream *s, int spatial, int temporal)
{
    const uint32_t *bps = s->bps[spatial];
    bool upper = spatial > 0 && s->bps[0][0] > 0;
    bool more = bps[ALL] > bps[0] && s->temporal_max > 0; /* unless it is what was asked for */
    return bps[temporal] > 0 && !(upper && temporal == 0 && more);
}

/* The highest temporal layer stands for all that may ever come. */
static int8_t name_temporal(const struct tr_alloc_stream *s, int spatial, int temporal)
{
    bool highest = s->bps[spatial][temporal] >= s->bps[spatial][ALL];
    int8_t t = (int8_t)(highest ? ALL : temporal);
    return t < s->temporal_max ? t : s->temporal_max;
}

static void list_steps(const struct tr_alloc_stream *s, struct climb *c)
{
    c->count = 0;
    int spatial_max = s->spatial_max < TR_ALLOC_SPATIAL ? s->spatial_max : TR_ALLOC_SPATIAL - 1;
    for (int l = 0; l <= spatial_max || (l < TR_ALLOC_SPATIAL && c->count == 0); l++) {
        uint32_t before = 0;
        for (int t = 0; t < TR_ALLOC_TEMPORAL && t <= s->temporal_max; t++) {
            uint32_t bps = s->bps[l][t];
            if (!is_worth(s, l, t) || bps <= before)
                continue;
            before = bps;
            while (c->count > 0 && c->steps[c->count - 1].bps >= bps)
                c->count--; /* better and no dearer */
            c->steps[c->count++] = (struct step){ .spatial = (int8_t)l,
                                                  .temporal = name_temporal(s, l, t),
                                                  .bps = bps };
        }
    }
}

static bool is_above(const struct step *step, const struct tr_alloc_stream *s)
{
    if (s->spatial != step->spatial)
        return step->spatial > s->spatial;
    return step->temporal > s->temporal;
}

/* A try that failed is repeated later and later, unless there is much more to go by now. */
static bool may_climb(const struct tr_alloc_stream *s, tr_usec now, bool roomy)
{
    return !s->lowered_us || now - s->lowered_us >= AFTER_FALL_US << (roomy ? 0 : s->falls);
}

/* Whether the stream can go to its next step, with `used` bits a second spoken for. */
static bool fits(const struct tr_alloc_stream *s, const struct climb *c, tr_usec now, double used,
                 double bps)
{
    const struct step *next = &c->steps[c->at + 1];
    double more = (double)next->bps - (c->at >= 0 ? c->steps[c->at].bps : 0);
    bool climbs = !s->started || is_above(next, s);
    if (s->started && climbs && !may_climb(s, now, used + more <= ROOMY * bps))
        return false;
    return used + more <= (climbs ? CLIMB : STAY) * bps;
}

/* One that starves gets its lowest layer for a while: estimates err. */
static bool is_borne(struct tr_alloc_stream *s, tr_usec now, bool may_pause)
{
    if (!s->starving_us)
        s->starving_us = now;
    bool runs = !s->started || s->spatial >= 0;
    tr_usec patience = s->patience_us ? s->patience_us : STARVE_US;
    return !may_pause || (runs && now - s->starving_us < patience);
}

static double first_round(struct tr_alloc_stream *s, struct climb *c, tr_usec now, double used,
                          double bps, bool may_pause)
{
    bool fit = fits(s, c, now, used, bps);
    if (fit)
        s->starving_us = 0;
    if (!fit && !is_borne(s, now, may_pause)) {
        c->done = true;
        return used;
    }
    c->at = 0;
    return used + c->steps[0].bps;
}

static bool settle(struct tr_alloc_stream *s, const struct climb *c, tr_usec now)
{
    struct step to = { .spatial = -1 };
    if (c->at >= 0)
        to = c->steps[c->at];
    if (s->started && to.spatial == s->spatial && to.temporal == s->temporal)
        return false;
    bool up = is_above(&to, s);
    bool chosen = c->at < c->count - 1; /* there is better: it is for want of bandwidth */
    if (!s->started || c->count == 0) { /* nothing was chosen before, or nothing can be */
        s->started = c->count > 0;
    } else if (up) {
        s->raised_us = now;
    } else if (chosen) {
        if (!s->raised_us || now - s->raised_us >= SOON_US)
            s->falls = 0;
        else if (s->falls < FALLS_MAX)
            s->falls++;
        s->lowered_us = now;
    }
    bool changed = to.spatial != s->spatial || to.temporal != s->temporal;
    s->spatial = to.spatial;
    s->temporal = to.temporal;
    return changed;
}

/* The next stream in the order of priority, then of place; -1: that was the last. */
static int next_in_order(struct tr_alloc_stream *const *s, int n, int after)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        bool later = after < 0 || s[i]->priority < s[after]->priority ||
                     (s[i]->priority == s[after]->priority && i > after);
        if (later && (best < 0 || s[i]->priority > s[best]->priority))
            best = i;
    }
    return best;
}

/* What each can be sent as. Returns what audio takes. */
static double prepare(struct tr_alloc_stream *const *streams, int n, struct climb *climbs,
                      struct tr_alloc_sum *sum)
{
    double audio = 0;
    for (int i = 0; i < n; i++) {
        struct tr_alloc_stream *s = streams[i];
        struct climb *c = &climbs[i];
        c->count = 0;
        c->at = -1;
        if (s->bps && !s->off)
            list_steps(s, c);
        else if (!s->bps && !s->off)
            audio += s->audio_bps;
        c->done = s->idle = c->count == 0;
        if (c->count > 0)
            sum->wanted_bps += c->steps[c->count - 1].bps;
    }
    sum->wanted_bps += (uint32_t)audio;
    return audio;
}

static double climb_one(struct tr_alloc_stream *s, struct climb *c, tr_usec now, double used,
                        double bps)
{
    if (c->at + 1 >= c->count || !fits(s, c, now, used, bps)) {
        c->done = true;
        return used;
    }
    used += (double)c->steps[c->at + 1].bps - c->steps[c->at].bps;
    c->at++;
    return used;
}

struct tr_alloc_sum tr_alloc_run(struct tr_alloc_stream *const *streams, int n, tr_usec now,
                                 uint32_t bps, bool may_pause)
{
    struct climb climbs[TR_ALLOC_STREAMS_MAX];
    int order[TR_ALLOC_STREAMS_MAX];
    struct tr_alloc_sum sum = { 0 };
    TR_ASSERT(n >= 0 && n <= TR_ALLOC_STREAMS_MAX);
    for (int i = 0, at = -1; i < n; i++)
        order[i] = at = next_in_order(streams, n, at);
    double used = prepare(streams, n, climbs, &sum);
    for (int round = 0; round < STEPS_MAX; round++) {
        for (int k = 0; k < n; k++) {
            struct tr_alloc_stream *s = streams[order[k]];
            struct climb *c = &climbs[order[k]];
            if (!c->done && round == 0)
                used = first_round(s, c, now, used, bps, may_pause);
            else if (!c->done)
                used = climb_one(s, c, now, used, bps);
        }
    }
    for (int i = 0; i < n; i++) {
        if (streams[i]->bps)
            sum.changed |= settle(streams[i], &climbs[i], now);
    }
    sum.used_bps = (uint32_t)used;
    return sum;
}

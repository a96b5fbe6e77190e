/* For each decode target one bit is kept: intact, when every frame of it that others refer to has
 * been forwarded since a frame from which it decodes. That is all that the format's switch
 * indication promises (AV1 RTP specification A.7), and it makes one rule of four: up, down, spatial
 * and temporal. A frame that is left out breaks the targets that need it; a frame with a switch
 * indication that itself decodes mends its targets; and the best intact target at or below what is
 * wanted is the one that is forwarded. Where no such target is left, as below the layer in use of a
 * stream whose layers are independent between key frames, the old one goes on until a key frame.
 *
 * Chains would allow to switch earlier, at the price of frames that do not decode.
 *
 * Whether a frame decodes: with a descriptor all frames that it refers to must have been forwarded,
 * which is a set of the last 64 frames. Without one, VP8 and VP9 say it in their own words: frames
 * of the layers in use refer to no others, and bits tell where a layer above begins.
 *
 * Loss is not looked at. What was lost on the way here will be sent again, or a key frame comes. */
#include "media/svc.h"

#define EVEN 0x5555555555555555ull

enum {
    TEMPORAL_PATIENCE = 100, /* frames without a switching point, then a key frame must do */
    WINDOW = 64,
};

void tr_svc_begin(struct tr_svc *s)
{
    *s = (struct tr_svc){ .want_spatial = s->want_spatial, .want_temporal = s->want_temporal };
}

static uint8_t bound(int layer)
{
    return (uint8_t)(layer < 0 ? 0 : layer < TR_SVC_ALL ? layer : TR_SVC_ALL);
}

void tr_svc_want(struct tr_svc *s, int spatial, int temporal)
{
    s->want_spatial = bound(spatial);
    s->want_temporal = bound(temporal);
}

static unsigned targets_of(const struct tr_svc *s)
{
    return s->targets ? s->targets : TR_RTP_GRID * TR_RTP_GRID;
}

static struct tr_dd_target layers_of(const struct tr_rtp_dd *dd, unsigned target)
{
    if (dd && dd->dd.targets)
        return dd->target[target];
    return (struct tr_dd_target){ .spatial = (uint8_t)(target / TR_RTP_GRID),
                                  .temporal = target % TR_RTP_GRID };
}

static bool is_better(struct tr_dd_target a, struct tr_dd_target b)
{
    return a.spatial != b.spatial ? a.spatial > b.spatial : a.temporal > b.temporal;
}

/* All active decode targets with layers up to these; when there is none, the lowest. */
static uint64_t targets_up_to(const struct tr_svc *s, const struct tr_rtp_dd *dd, unsigned spatial,
                              unsigned temporal)
{
    uint64_t set = 0;
    int lowest = -1;
    for (unsigned i = 0; i < targets_of(s); i++) {
        struct tr_dd_target l = layers_of(dd, i);
        if (!(s->active >> i & 1))
            continue;
        if ((l.spatial <= spatial || spatial == TR_SVC_ALL) &&
            (l.temporal <= temporal || temporal == TR_SVC_ALL))
            set |= 1ull << (2 * i);
        if (lowest < 0 || is_better(layers_of(dd, (unsigned)lowest), l))
            lowest = (int)i;
    }
    return set || lowest < 0 ? set : 1ull << (2 * lowest);
}

static unsigned best_of(uint64_t set, const struct tr_rtp_dd *dd)
{
    unsigned best = (unsigned)__builtin_ctzll(set) / 2;
    for (set &= set - 1; set; set &= set - 1) {
        unsigned i = (unsigned)__builtin_ctzll(set) / 2;
        if (is_better(layers_of(dd, i), layers_of(dd, best)))
            best = i;
    }
    return best;
}

static uint32_t squeeze(uint64_t set)
{
    uint32_t mask = 0;
    for (; set; set &= set - 1)
        mask |= 1u << __builtin_ctzll(set) / 2;
    return mask;
}

/* Whether the decode targets are others than with the frame before. Without a key frame (it is on
 * its way again) everything was forwarded, since nobody could tell what it is. */
static bool note_targets(struct tr_svc *s, const struct tr_rtp_dd *dd)
{
    uint8_t targets = dd ? dd->dd.targets : 0, serial = dd ? dd->dd.serial : 0;
    uint32_t active = targets ? dd->dd.active : UINT32_MAX;
    if (s->began && dd && !targets)
        return false; /* unknown structure: the old one stands */
    if (s->began && s->targets == targets && s->serial == serial && s->active == active)
        return false;
    if (s->serial != serial || s->targets != targets)
        s->intact = EVEN;
    s->targets = targets;
    s->serial = serial;
    s->active = active;
    if (s->current >= targets_of(s))
        s->current = 0;
    return true;
}

/* What is wanted counts from the next picture on: in the middle of one, the frame that ends what is
 * forwarded may be gone already. True: the sets of decode targets are made anew. */
static bool note_wish(struct tr_svc *s, const struct tr_rtp_meta *m, const struct tr_rtp_dd *dd)
{
    bool changed = note_targets(s, dd);
    bool picture = !s->began || m->ts != s->ts;
    bool wish = s->max_spatial != s->want_spatial || s->max_temporal != s->want_temporal;
    if (!changed && !(picture && wish))
        return false;
    s->max_spatial = s->want_spatial;
    s->max_temporal = s->want_temporal;
    s->allowed = targets_up_to(s, dd, s->max_spatial, s->max_temporal);
    s->goal = s->allowed ? (uint8_t)best_of(s->allowed, dd) : s->current;
    return changed;
}

static bool decodes(const struct tr_svc *s, const struct tr_rtp_meta *m, const struct tr_rtp_dd *dd)
{
    if (m->flags & TR_RTP_KEYFRAME)
        return true;
    if (dd)
        return dd->dd.targets && !dd->dd.far_refs && (dd->dd.refs & ~s->sent) == 0;
    return m->spatial <= s->spatial + ((m->flags & TR_RTP_SPATIAL_SYNC) ? 1 : 0) &&
           m->temporal <= s->temporal + ((m->flags & TR_RTP_TEMPORAL_SYNC) ? 1 : 0);
}

static void choose(struct tr_svc *s, const struct tr_rtp_dd *dd, unsigned target)
{
    struct tr_dd_target l = layers_of(dd, target);
    s->current = (uint8_t)target;
    s->spatial = l.spatial;
    s->temporal = l.temporal;
    s->below = targets_up_to(s, dd, l.spatial, l.temporal);
    s->told = 0; /* so that the mask is made anew */
}

/* The decode targets that remain have to be told once they are not all. */
static void note_mask(struct tr_svc *s, bool key)
{
    uint64_t remain = s->intact & s->below;
    if (s->targets == 0 || (s->told != 0 && (s->told & ~remain) == 0))
        return;
    s->told = remain;
    s->mask = squeeze(remain);
    s->masked = (s->masked && !key) || s->mask != s->active;
}

static void note_waiting(struct tr_svc *s, const struct tr_rtp_dd *dd)
{
    if (s->current == s->goal) {
        s->waited = 0;
        return;
    }
    s->lacks_spatial = s->spatial != layers_of(dd, s->goal).spatial;
    if (s->waited < UINT16_MAX)
        s->waited++;
}

/* Without a descriptor a frame says nothing of spatial layers above its own; of those in use it may
 * be taken that they are like it. */
static uint64_t grid_up_to(unsigned spatial)
{
    return UINT64_MAX >> (56 - 8 * spatial);
}

/* The first packet that is seen of a frame decides for all of it. */
static void decide(struct tr_svc *s, const struct tr_rtp_meta *m, const struct tr_rtp_dd *dd,
                   bool changed)
{
    uint64_t needed = m->dtis >> 1 & EVEN, present = needed | (m->dtis & EVEN);
    uint64_t mended = needed & ~m->dtis;
    bool key = m->flags & TR_RTP_KEYFRAME;
    if (key)
        mended = EVEN;
    else if (s->targets == 0)
        mended &= grid_up_to(m->spatial > s->spatial ? m->spatial : s->spatial);
    mended = decodes(s, m, dd) ? s->intact | mended : s->intact;
    uint64_t eligible = mended & s->allowed;
    unsigned best = s->current;
    if (eligible)
        best = eligible >> (2 * s->goal) & 1 ? s->goal : best_of(eligible, dd);
    if (best != s->current || key || changed)
        choose(s, dd, best);
    s->forward = key || (present >> (2 * s->current) & 1);
    s->intact = s->forward ? mended : s->intact & ~needed;
    note_mask(s, key);
    note_waiting(s, dd);
}

static void next_frame(struct tr_svc *s, const struct tr_rtp_meta *m, const struct tr_rtp_dd *dd)
{
    unsigned step = (uint16_t)(m->frame - s->frame);
    s->seen = step < WINDOW ? s->seen << step : 0;
    s->sent = step < WINDOW ? s->sent << step : 0;
    if (s->began && step <= WINDOW) {
        s->seen |= 1ull << (step - 1);
        s->sent |= (uint64_t)s->forward << (step - 1);
    }
    bool changed = note_wish(s, m, dd);
    s->frame = m->frame;
    s->ts = m->ts;
    decide(s, m, dd, changed);
    s->began = true;
}

/* A packet behind newer ones goes the way of its frame. A frame of which nothing was seen goes if
 * it is of the decode target in use. */
static bool take_late(struct tr_svc *s, const struct tr_rtp_meta *m)
{
    unsigned back = (uint16_t)(s->frame - m->frame);
    if (back == 0)
        return s->forward;
    uint64_t bit = back <= WINDOW ? 1ull << (back - 1) : 0;
    if (s->seen & bit)
        return (s->sent & bit) != 0;
    bool forward = (m->dtis >> (2 * s->current) & 3) != TR_DTI_ABSENT;
    s->seen |= bit;
    s->sent |= forward ? bit : 0;
    return forward;
}

bool tr_svc_take(struct tr_svc *s, const struct tr_rtp_meta *m, const struct tr_rtp_dd *dd,
                 struct tr_svc_out *out)
{
    bool late = s->began && m->ext_seq < s->newest;
    *out = (struct tr_svc_out){ .top = TR_SVC_TOP_NONE };
    if (!(m->flags & TR_RTP_SCALABLE))
        return true;
    if (!late) {
        s->newest = m->ext_seq;
        if (!s->began || m->frame != s->frame)
            next_frame(s, m, dd);
    }
    out->top = s->spatial;
    out->masked = s->masked;
    out->mask = s->mask;
    return late ? take_late(s, m) : s->forward;
}

bool tr_svc_needs_keyframe(const struct tr_svc *s)
{
    return s->waited > (s->lacks_spatial ? 0 : TEMPORAL_PATIENCE);
}

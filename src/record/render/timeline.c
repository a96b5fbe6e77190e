/* The solver.
 *
 * For each part of a track:
 *  1. Its sender reports are cut in spans where (rtp, ntp) lie on one line: a sender whose wall
 *     clock was set, or whose media clock jumped, starts a new span. A lone report that fits
 *     neither side is thrown away.
 *  2. In each span Theil-Sen finds the media clock's drift against the sender's wall clock. It
 *     stands up to 29 % of wrong points, needs no threshold, and looks at the future as well.
 *  3. The offset from the sender's wall clock to ours is the lower envelope of (arrival - sent):
 *     minima in slices of time, with a line through them, since both clocks drift.
 *     All tracks of a participant use the offset of one master (its first audio track), so what
 *     the sender took at one moment is shown at one moment, whatever the network did to video.
 *  4. A part without usable reports is placed by the lower envelope of its own arrivals, with the
 *     nominal clock in the place of the sender's wall clock.
 *  5. Trust: when a track's own envelope is more than 500 ms away from the master's, its reports
 *     lie, and it is placed by its own arrivals. */
#include "record/render/timeline.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    THIN_MAX = 400,
    BINS_MAX = 600,
    STEP_US = 50000, /* a report this far off the line of the one before starts a span */
    TRUST_US = 500000,
    PPM_MAX = 1000 /* no crystal is worse; more is a lie */
};

struct span {              /* one line from ts to the sender's wall clock, and from there to ours */
    int64_t ts0, base_us;  /* ts0 lies at base_us + media.at0 */
    struct rn_line media;  /* sender wall = base + x + at0 + slope * x; x = media us since ts0 */
    struct rn_line offset; /* recv = wall + offset(wall - base) */
    int64_t from_ts;       /* applies from here */
    int64_t last_ts;       /* of its last report */
    bool sr, has_offset;
};

struct solved { /* of one part */
    struct rn_track *track;
    struct rn_part *part;
    struct span spans[RN_PIECES_MAX];
    uint32_t count;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof(*v), by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static uint32_t thin(const struct rn_point *in, uint32_t n, struct rn_point out[THIN_MAX])
{
    uint32_t m = n < THIN_MAX ? n : THIN_MAX;
    for (uint32_t i = 0; i < m; i++)
        out[i] = in[m > 1 ? (uint64_t)i * (n - 1) / (m - 1) : 0];
    return m;
}

enum tr_err rn_theil_sen(const struct rn_point *points, uint32_t n, double slope_min_span,
                         struct rn_line *out)
{
    struct rn_point p[THIN_MAX];
    *out = (struct rn_line){ 0 };
    uint32_t m = thin(points, n, p);
    if (m == 0)
        return TR_OK;
    double *v = tr_alloc(((size_t)m * (m - 1) / 2 + m) * sizeof(*v));
    if (!v)
        return TR_ERR_NOMEM;
    uint32_t pairs = 0;
    if (m >= 3 && p[m - 1].x - p[0].x >= slope_min_span) {
        for (uint32_t i = 0; i < m; i++) {
            for (uint32_t k = i + 1; k < m; k++) {
                if (p[k].x > p[i].x)
                    v[pairs++] = (p[k].y - p[i].y) / (p[k].x - p[i].x);
            }
        }
    }
    if (pairs)
        out->slope = median(v, pairs);
    for (uint32_t i = 0; i < m; i++)
        v[i] = p[i].y - out->slope * p[i].x;
    out->at0 = median(v, m);
    tr_free(v);
    return TR_OK;
}

static double media_us(int64_t ticks, uint32_t clock)
{
    return (double)ticks * 1e6 / clock;
}

static bool agree(const struct rn_sr *a, const struct rn_sr *b, uint32_t clock)
{
    double media = media_us(b->ts - a->ts, clock);
    double off = fabs((double)(b->ntp_us - a->ntp_us) - media);
    return off < STEP_US + fabs(media) * PPM_MAX / 1e6;
}

/* The line of reports [from, to); false when its slope is no crystal's. */
static enum tr_err fit_media(struct span *s, const struct rn_sr *srs, const uint32_t *idx,
                             uint32_t n, uint32_t clock)
{
    struct rn_point *p = tr_alloc(n * sizeof(*p));
    if (!p)
        return TR_ERR_NOMEM;
    s->ts0 = srs[idx[0]].ts;
    s->base_us = srs[idx[0]].ntp_us;
    s->last_ts = srs[idx[n - 1]].ts;
    for (uint32_t i = 0; i < n; i++) {
        const struct rn_sr *r = &srs[idx[i]];
        p[i].x = media_us(r->ts - s->ts0, clock);
        p[i].y = (double)(r->ntp_us - s->base_us) - p[i].x;
    }
    enum tr_err err = rn_theil_sen(p, n, 8e6, &s->media);
    tr_free(p);
    s->sr = fabs(s->media.slope) <= PPM_MAX / 1e6;
    return err;
}

static enum tr_err end_span(struct solved *v, uint32_t *idx, uint32_t *n)
{
    enum tr_err err = TR_OK;
    if (*n && v->count < RN_PIECES_MAX) {
        struct span *s = &v->spans[v->count];
        *s = (struct span){ 0 };
        err = fit_media(s, v->part->srs, idx, *n, v->track->meta.clock);
        v->count += s->sr;
    }
    *n = 0;
    return err;
}

/* Where between two reports the sender's media clock jumped: at the packet whose timestamp moved
 * least like its arrival. After a mere step of the wall clock any place is as good. */
static int64_t find_jump(const struct solved *v, int64_t after_ts, int64_t to_ts)
{
    double worst = -1;
    int64_t at = to_ts;
    for (uint32_t i = 1; i < v->part->count; i++) {
        const struct rn_packet *p = &v->part->packets[i], *q = p - 1;
        if (q->ts < after_ts || p->ts > to_ts)
            continue;
        double off =
            fabs(media_us(p->ts - q->ts, v->track->meta.clock) - (double)(p->recv_us - q->recv_us));
        if (off > worst) {
            worst = off;
            at = p->ts;
        }
    }
    return at;
}

static enum tr_err cut_spans(struct solved *v)
{
    const struct rn_part *part = v->part;
    uint32_t clock = v->track->meta.clock, n = 0;
    enum tr_err err = TR_OK;
    if (part->sr_count == 0)
        return TR_OK;
    uint32_t *idx = tr_alloc(part->sr_count * sizeof(*idx));
    if (!idx)
        return TR_ERR_NOMEM;
    for (uint32_t i = 0; i < part->sr_count && !err; i++) {
        const struct rn_sr *srs = part->srs, *last = n ? &srs[idx[n - 1]] : NULL;
        if (last && !agree(last, &srs[i], clock)) {
            if (i + 1 < part->sr_count && agree(last, &srs[i + 1], clock))
                continue; /* alone in its opinion */
            err = end_span(v, idx, &n);
        }
        idx[n++] = i;
    }
    if (!err)
        err = end_span(v, idx, &n);
    tr_free(idx);
    for (uint32_t i = 0; i < v->count; i++)
        v->spans[i].from_ts =
            i ? find_jump(v, v->spans[i - 1].last_ts, v->spans[i].ts0) : INT64_MIN;
    return err;
}

/* No reports: the nominal clock is the "wall clock". */
static void nominal_span(struct solved *v)
{
    v->spans[0] =
        (struct span){ .ts0 = v->part->count ? v->part->packets[0].ts : 0, .from_ts = INT64_MIN };
    v->count = 1;
}

static double wall_since_base(const struct span *s, int64_t ts, uint32_t clock)
{
    double x = media_us(ts - s->ts0, clock);
    return x + s->media.at0 + s->media.slope * x;
}

/* The lower envelope of (arrival - sent) over the packets of span i. */
static enum tr_err fit_offset(struct solved *v, uint32_t i)
{
    struct span *s = &v->spans[i];
    const struct rn_part *part = v->part;
    uint32_t clock = v->track->meta.clock, n = 0;
    int64_t to_ts = i + 1 < v->count ? v->spans[i + 1].from_ts : INT64_MAX;
    struct rn_point bins[BINS_MAX];
    double first = 0, width = 1e6;
    if (part->count) {
        double total = media_us(part->packets[part->count - 1].ts - part->packets[0].ts, clock);
        width = fmax(width, fabs(total) / (BINS_MAX - 2));
    }
    bool any = false;
    for (uint32_t k = 0; k < part->count; k++) {
        const struct rn_packet *p = &part->packets[k];
        if (p->ts < s->from_ts || p->ts >= to_ts)
            continue;
        double wall = wall_since_base(s, p->ts, clock);
        double y = (double)(p->recv_us - s->base_us) - wall;
        if (!any || wall >= first + width) { /* order is by sequence, so time mostly ascends */
            if (n == BINS_MAX)
                break;
            bins[n++] = (struct rn_point){ wall, y };
            first = wall;
            any = true;
        } else if (y < bins[n - 1].y) {
            bins[n - 1].y = y;
        }
    }
    s->has_offset = n > 0;
    return rn_theil_sen(bins, n, 20e6, &s->offset);
}

static enum tr_err solve_part(struct solved *v)
{
    enum tr_err err = cut_spans(v);
    if (!err && v->count == 0)
        nominal_span(v);
    for (uint32_t i = 0; i < v->count && !err; i++)
        err = fit_offset(v, i);
    return err;
}

static double offset_at(const struct span *s, double wall_unix_us)
{
    return s->offset.at0 + s->offset.slope * (wall_unix_us - (double)s->base_us);
}

/* The span of the master whose wall clock is the one of this span: the nearest in offset. */
static const struct span *master_span(const struct solved *all, uint32_t count,
                                      const struct rn_track *master, const struct span *of)
{
    const struct span *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; all[i].track == master && k < all[i].count; k++) {
            const struct span *s = &all[i].spans[k];
            if (!s->sr || !s->has_offset)
                continue;
            if (!best || fabs(offset_at(s, (double)of->base_us) - of->offset.at0) <
                             fabs(offset_at(best, (double)of->base_us) - of->offset.at0))
                best = s;
        }
    }
    return best;
}

static struct rn_track *find_master(const struct solved *all, uint32_t count, uint16_t participant)
{
    struct rn_track *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct rn_track *t = all[i].track;
        bool sr = all[i].count && all[i].spans[0].sr;
        if (!sr || t->meta.participant != participant)
            continue;
        if (!best || (best->meta.kind != TR_META_AUDIO && t->meta.kind == TR_META_AUDIO))
            best = t;
    }
    return best;
}

static struct rn_piece make_piece(const struct rn_call *call, const struct span *s,
                                  const struct span *master, uint32_t clock)
{
    struct rn_piece p = { .from_ts = s->from_ts, .ts0 = s->ts0, .sr = s->sr };
    struct rn_line off = s->offset;
    if (master && s->sr) {
        double theirs = offset_at(master, (double)s->base_us);
        if (fabs(theirs - s->offset.at0) <= TRUST_US || !s->has_offset)
            off = (struct rn_line){ theirs, master->offset.slope };
        else
            p.sr = false;
    }
    if (fabs(off.slope) > PPM_MAX / 1e6)
        off.slope = 0;
    /* time = wall + off(wall - base) - start, with wall - base = x + at0 + slope * x */
    double wall0 = s->media.at0, per_x = (1 + s->media.slope) * (1 + off.slope);
    p.t0_us = (double)(s->base_us - call->start_us) + wall0 + off.at0 + off.slope * wall0;
    p.us_per_tick = per_x * 1e6 / clock;
    return p;
}

static void place(const struct rn_call *call, const struct solved *all, uint32_t count,
                  const struct solved *v)
{
    struct rn_track *t = v->track;
    struct rn_track *master = find_master(all, count, t->meta.participant);
    for (uint32_t i = 0; i < v->count; i++) {
        const struct span *s = &v->spans[i];
        const struct span *m = master && s->sr ? master_span(all, count, master, s) : NULL;
        struct rn_piece p = make_piece(call, s, m, t->meta.clock);
        v->part->pieces[v->part->piece_count++] = p;
        t->drift_ppm = (p.us_per_tick * t->meta.clock / 1e6 - 1) * -1e6;
        t->sync_sr &= p.sr;
    }
}

enum tr_err rn_timeline_solve(struct rn_call *call)
{
    uint32_t max = 1, count = 0;
    for (uint32_t i = 0; i < call->track_count; i++)
        max += call->tracks[i]->part_count;
    struct solved *all = tr_alloc(max * sizeof(*all));
    if (!all)
        return TR_ERR_NOMEM;
    enum tr_err err = TR_OK;
    for (uint32_t i = 0; i < call->track_count && !err; i++) {
        struct rn_track *t = call->tracks[i];
        t->sync_sr = t->part_count > 0;
        for (uint32_t k = 0; k < t->part_count && !err; k++) {
            all[count] = (struct solved){ .track = t, .part = t->parts[k] };
            err = solve_part(&all[count++]);
        }
    }
    for (uint32_t i = 0; i < count && !err; i++)
        place(call, all, count, &all[i]);
    tr_free(all);
    return err;
}

int64_t rn_timeline_at(const struct rn_part *part, int64_t ts)
{
    TR_ASSERT(part->piece_count > 0);
    uint32_t i = part->piece_count - 1;
    while (i > 0 && part->pieces[i].from_ts > ts)
        i--;
    const struct rn_piece *p = &part->pieces[i];
    double t = p->t0_us + (double)(ts - p->ts0) * p->us_per_tick;
    /* a hostile journal may lead anywhere; a year either way is far enough */
    return t > 3e13 ? 30000000000000 : t < -3e13 ? -30000000000000 : llrint(t);
}

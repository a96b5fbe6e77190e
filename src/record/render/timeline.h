/* The time line: where each RTP timestamp of a call lies, in microseconds since its start.
 * Sender reports tell what the sender's media clocks say in its wall clock; arrivals tell where
 * that wall clock lies in ours. Solved once for the whole call, so a first report that comes late
 * serves the packets before it as well. */
#ifndef TR_RENDER_TIMELINE_H
#define TR_RENDER_TIMELINE_H

#include "record/render/load.h"

/* Fills pieces of every part, and drift_ppm and sync_sr of the tracks. NOMEM only. */
TR_MUST_USE enum tr_err rn_timeline_solve(struct rn_call *call);
/* Microseconds since call->start_us; may be negative. */
int64_t rn_timeline_at(const struct rn_part *part, int64_t ts);

/* Theil-Sen: the median of the slopes of all pairs, and the median of what is left. The points are
 * thinned to 400. slope_min_span: with less between first and last x the slope is 0. x ascending.
 * NOMEM only. */
struct rn_point {
    double x, y;
};
struct rn_line {
    double at0, slope;
};
TR_MUST_USE enum tr_err rn_theil_sen(const struct rn_point *points, uint32_t n,
                                     double slope_min_span, struct rn_line *out);

#endif

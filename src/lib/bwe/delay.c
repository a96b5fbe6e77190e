/* Packets that left within a few milliseconds are a group. From one group to the next, what the
 * arrival took longer than the departure is how much the queue grew. The sum of that, smoothed,
 * over time is a line; its slope (least squares over the last points) says whether the queue
 * grows.
 *
 * The threshold for that slope adapts: it creeps up while the slope stays above it, so that a flow
 * which always fills the queue (TCP) does not starve ours, and comes down slowly afterwards. */
#include "bwe/bwe_int.h"

#define BURST_US (5 * TR_MSEC)
#define BURST_MAX_US (100 * TR_MSEC)
#define JUMP_US (3 * TR_SECOND) /* no queue grows by that at once: the clock did */
#define REORDERED_MAX 3

static const double SMOOTHING = 0.9;
static const double GAIN = 4;
static const double DELTAS_MAX = 60;
static const double THRESHOLD_START = 12.5, THRESHOLD_MIN = 6, THRESHOLD_MAX = 600;
static const double THRESHOLD_UP = 0.0087, THRESHOLD_DOWN = 0.039;
static const double THRESHOLD_FAR = 15; /* a spike: the threshold does not follow */
static const double OVER_MS = 10;

void bwe_delay_init(struct bwe_delay *d)
{
    *d = (struct bwe_delay){ .threshold = THRESHOLD_START };
}

/* What was learnt of the path's noise stays, the line begins anew. */
static void restart(struct bwe_delay *d)
{
    double threshold = d->threshold;
    bwe_delay_init(d);
    d->threshold = threshold;
}

static double slope(const struct bwe_delay *d)
{
    uint32_t origin = d->points[d->points_next % d->points_count].at_us;
    double sum_x = 0, sum_y = 0, num = 0, den = 0;
    for (int i = 0; i < d->points_count; i++) {
        sum_x += (int32_t)(d->points[i].at_us - origin) / 1000.0;
        sum_y += (double)d->points[i].delay_ms;
    }
    double mean_x = sum_x / d->points_count, mean_y = sum_y / d->points_count;
    for (int i = 0; i < d->points_count; i++) {
        double x = (int32_t)(d->points[i].at_us - origin) / 1000.0 - mean_x;
        num += x * ((double)d->points[i].delay_ms - mean_y);
        den += x * x;
    }
    return den > 0 ? num / den : 0;
}

static void adapt_threshold(struct bwe_delay *d, double value, tr_usec at)
{
    double size = value < 0 ? -value : value;
    double ms = d->threshold_at ? (double)(at - d->threshold_at) / 1000 : 0;
    d->threshold_at = at;
    if (size > d->threshold + THRESHOLD_FAR)
        return;
    if (ms > 100)
        ms = 100;
    double k = size < d->threshold ? THRESHOLD_DOWN : THRESHOLD_UP;
    d->threshold += k * (size - d->threshold) * ms;
    if (d->threshold < THRESHOLD_MIN)
        d->threshold = THRESHOLD_MIN;
    if (d->threshold > THRESHOLD_MAX)
        d->threshold = THRESHOLD_MAX;
}

static void detect(struct bwe_delay *d, double trend, tr_usec at, double since_ms)
{
    double deltas = d->deltas < DELTAS_MAX ? d->deltas : DELTAS_MAX;
    double value = deltas * trend * GAIN;
    if (value > d->threshold) {
        d->over_ms += d->over_count ? since_ms : since_ms / 2;
        d->over_count++;
        if (d->over_ms > OVER_MS && d->over_count > 1 && trend >= d->trend) {
            d->over_ms = 0;
            d->over_count = 0;
            d->usage = TR_BWE_OVERUSE;
        }
    } else {
        d->over_ms = 0;
        d->over_count = 0;
        d->usage = value < -d->threshold ? TR_BWE_UNDERUSE : TR_BWE_NORMAL;
    }
    d->trend = trend;
    adapt_threshold(d, value, at);
}

static void add_point(struct bwe_delay *d, double grew_ms, double since_ms, tr_usec at)
{
    if (d->deltas < UINT32_MAX)
        d->deltas++;
    d->delay_ms += grew_ms;
    d->smooth_ms = SMOOTHING * d->smooth_ms + (1 - SMOOTHING) * d->delay_ms;
    d->points[d->points_next].at_us = (uint32_t)at;
    d->points[d->points_next].delay_ms = (float)d->smooth_ms;
    d->points_next = (uint8_t)((d->points_next + 1) % BWE_TREND_POINTS);
    if (d->points_count < BWE_TREND_POINTS)
        d->points_count++;
    if (d->points_count == BWE_TREND_POINTS)
        detect(d, slope(d), at, since_ms);
}

/* `now` is complete: compares it with the group before. */
static void end_group(struct bwe_delay *d)
{
    tr_usec sent = d->now.last_sent - d->before.last_sent;
    tr_usec arrived = d->now.last_arrival - d->before.last_arrival;
    if (arrived - sent > JUMP_US || sent - arrived > JUMP_US) {
        restart(d);
        return;
    }
    if (arrived < 0) {
        if (++d->reordered >= REORDERED_MAX)
            restart(d);
        return;
    }
    d->reordered = 0;
    add_point(d, (double)(arrived - sent) / 1000, (double)sent / 1000, d->now.last_arrival);
}

static bool is_of_group(const struct bwe_group *g, tr_usec sent, tr_usec arrival)
{
    if (sent - g->first_sent <= BURST_US)
        return true;
    /* A burst on the path: it came right behind, closer than it had been sent. */
    tr_usec gap = arrival - g->last_arrival;
    return gap < sent - g->last_sent && gap <= BURST_US &&
           arrival - g->first_arrival < BURST_MAX_US;
}

void bwe_delay_packet(struct bwe_delay *d, tr_usec sent, tr_usec arrival)
{
    struct bwe_group one = {
        .first_sent = sent, .last_sent = sent, .first_arrival = arrival, .last_arrival = arrival
    };
    if (d->groups > 0 && sent < d->now.first_sent)
        return; /* overtaken: its group has been compared already */
    if (d->groups > 0 && is_of_group(&d->now, sent, arrival)) {
        if (sent > d->now.last_sent)
            d->now.last_sent = sent;
        if (arrival > d->now.last_arrival)
            d->now.last_arrival = arrival;
        return;
    }
    if (d->groups == 2)
        end_group(d);
    if (d->groups > 0)
        d->before = d->now;
    d->now = one;
    d->groups = d->groups > 0 ? 2 : 1;
}

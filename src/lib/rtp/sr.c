/* The two mappings are kept apart because they live apart: a stream's timestamps run in step with
 * its sender's wall clock (each report refreshes that), while wall clock against wall clock drifts
 * and steps, and is only known up to the transit time. The least of many transit times is close to
 * constant; two windows, of which the older is thrown away whole, bound how long a wrong one
 * (after a step, or a change of path) can stay. */
#include "rtp/sr.h"

static int64_t ticks_to_us(int64_t ticks, uint32_t clock)
{
    return ticks * TR_SECOND / clock;
}

void tr_sr_init(struct tr_sr *sr, uint32_t clock)
{
    *sr = (struct tr_sr){ .clock = clock };
}

void tr_sr_update(struct tr_sr *sr, tr_usec now, tr_ntp ntp, uint32_t rtp)
{
    sr->valid = true;
    sr->ntp = ntp;
    sr->rtp = rtp;
    sr->at = now;
}

bool tr_sr_wall(const struct tr_sr *sr, uint32_t ts, int64_t *unix_us)
{
    if (!sr->valid || sr->ntp == 0 || sr->clock == 0)
        return false;
    int64_t ticks = (int32_t)(ts - sr->rtp);
    *unix_us = tr_ntp_to_unix_us(sr->ntp) + ticks_to_us(ticks, sr->clock);
    return true;
}

uint32_t tr_sr_rtp_at(const struct tr_sr *sr, tr_usec local)
{
    int64_t us = local - sr->at;
    int64_t ticks = us / TR_SECOND * sr->clock + us % TR_SECOND * sr->clock / TR_SECOND;
    return sr->rtp + (uint32_t)(uint64_t)ticks;
}

void tr_sr_lsr(const struct tr_sr *sr, tr_usec now, uint32_t *lsr, uint32_t *dlsr)
{
    *lsr = sr->valid ? tr_ntp_middle(sr->ntp) : 0;
    *dlsr = 0;
    if (*lsr != 0) {
        uint64_t us = now > sr->at ? (uint64_t)(now - sr->at) : 0;
        uint64_t us_max = 65535ull * (uint64_t)TR_SECOND;
        *dlsr = (uint32_t)(((us < us_max ? us : us_max) << 16) / (uint64_t)TR_SECOND);
    }
}

void tr_clock_offset_init(struct tr_clock_offset *o, tr_usec window)
{
    *o = (struct tr_clock_offset){ .window = window, .now_min = INT64_MAX, .last_min = INT64_MAX };
}

void tr_clock_offset_sample(struct tr_clock_offset *o, tr_usec now, tr_ntp sent)
{
    if (sent == 0)
        return;
    tr_usec age = now - o->window_start;
    if (age >= o->window) {
        o->last_min = age < 2 * o->window ? o->now_min : INT64_MAX;
        o->now_min = INT64_MAX;
        o->window_start = now;
    }
    int64_t offset = now - tr_ntp_to_unix_us(sent);
    if (offset < o->now_min)
        o->now_min = offset;
}

bool tr_clock_offset_get(const struct tr_clock_offset *o, int64_t *offset)
{
    int64_t least = o->now_min < o->last_min ? o->now_min : o->last_min;
    if (least == INT64_MAX)
        return false;
    *offset = least;
    return true;
}

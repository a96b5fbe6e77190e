/* Bounds by time, and by what was sent. `rate` is how much one sender may deliver: a bucket of
 * bytes. Senders follow what they are told with some delay, and not all do at all: this is no
 * congestion control, it keeps one of them from flooding those that listen to it. Inside of
 * src/media only. */
#ifndef TR_RATE_H
#define TR_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

enum {
    RATE_DEFAULT_BPS = 10000000,
    RATE_LEAST_BPS = 2500000, /* told less, a client may still be on its way down from here */
    RATE_TIMES = 4,
    RATE_PACKET_BYTES = 200, /* what a packet costs besides its bytes: small ones are many */
};

struct rate { /* bytes: a second's worth at most, and what is left of it */
    int64_t max, left;
    tr_usec at;
};

static inline void rate_set(struct rate *r, uint32_t told_bps)
{
    uint32_t bps = told_bps ? told_bps : RATE_DEFAULT_BPS;
    r->max = (int64_t)(bps > RATE_LEAST_BPS ? bps : RATE_LEAST_BPS) / 8 * RATE_TIMES;
}

static inline void rate_init(struct rate *r, uint32_t told_bps, tr_usec now)
{
    rate_set(r, told_bps);
    r->left = r->max;
    r->at = now;
}

/* Counts a packet; false: it is too much. */
static inline bool rate_take(struct rate *r, tr_usec now, size_t bytes)
{
    tr_usec since = tr_usec_min(now - r->at, TR_SECOND);
    r->at = now;
    r->left += r->max * since / TR_SECOND;
    if (r->left > r->max)
        r->left = r->max;
    if (r->left <= 0)
        return false;
    r->left -= (int64_t)bytes + RATE_PACKET_BYTES;
    return true;
}

struct rate_count { /* packets or bytes: a second's worth at most; zeroed: full */
    uint32_t left;
    tr_usec at;
};

/* All of them or none. */
static inline bool rate_count_take_some(struct rate_count *r, tr_usec now, uint32_t per_second,
                                        uint32_t n)
{
    tr_usec since = tr_usec_min(now - r->at, TR_SECOND);
    uint32_t more = (uint32_t)(since * per_second / TR_SECOND);
    if (more > 0) {
        r->at = now;
        r->left = r->left + more < per_second ? r->left + more : per_second;
    }
    if (r->left < n)
        return false;
    r->left -= n;
    return true;
}

static inline bool rate_count_take(struct rate_count *r, tr_usec now, uint32_t per_second)
{
    return rate_count_take_some(r, now, per_second, 1);
}

/* What may be sent again is a part of what was sent: bytes saved up, less than 0 when the last one
 * was more than there was. */
enum { RESEND_PART = 5 }; /* one byte for so many: 20 % */

static inline void resend_earn(int64_t *budget, size_t sent, int64_t max)
{
    *budget += (int64_t)sent / RESEND_PART;
    if (*budget > max)
        *budget = max;
}

#endif

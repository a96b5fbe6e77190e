/* Three kinds of time that must not be mixed:
 *   tr_usec      monotonic microseconds, the `now` of every entry point; net/clock reads them
 *   RTP ticks    uint32_t in the clock rate of a payload type; named *_rtp or *_ts
 *   tr_ntp       64-bit NTP wall clock (RFC 5905 section 6), as carried in sender reports */
#ifndef TR_TIME_H
#define TR_TIME_H

#include <stdint.h>

typedef int64_t tr_usec;
typedef uint64_t tr_ntp;

#define TR_MSEC ((tr_usec)1000)
#define TR_SECOND ((tr_usec)1000000)
#define TR_NEVER INT64_MAX

static inline tr_usec tr_usec_min(tr_usec a, tr_usec b)
{
    return a < b ? a : b;
}

/* The first multiple of step that is not before `at`; at >= 0. */
static inline tr_usec tr_usec_up(tr_usec at, tr_usec step)
{
    return (at + step - 1) / step * step;
}

/* Unix microseconds to NTP and back, without loss until the era ends in 2036. */
static inline tr_ntp tr_ntp_from_unix_us(int64_t unix_us)
{
    uint64_t us = (uint64_t)unix_us + 2208988800ull * 1000000ull;
    uint64_t frac = ((us % 1000000u) << 32) / 1000000u;
    return ((us / 1000000u) << 32) | frac;
}

static inline int64_t tr_ntp_to_unix_us(tr_ntp ntp)
{
    uint64_t us = (ntp >> 32) * 1000000u;
    us += ((ntp & 0xffffffffu) * 1000000u + (1u << 31)) >> 32; /* to the nearest */
    return (int64_t)(us - 2208988800ull * 1000000ull);
}

/* The middle 32 bits, as in LSR and DLSR (RFC 3550 section 6.4.1); 1/65536 s. */
static inline uint32_t tr_ntp_middle(tr_ntp ntp)
{
    return (uint32_t)(ntp >> 16);
}

#endif

/* Sender reports as clocks: from RTP timestamps to the sender's wall clock (RFC 3550 6.4.1), and
 * from that to ours by the least delay seen. One owner, one thread, no allocation. */
#ifndef TR_SR_H
#define TR_SR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct tr_sr { /* the last sender report of one stream; zeroed with clock set: none yet */
    uint32_t clock;
    bool valid;
    tr_ntp ntp;
    uint32_t rtp;
    tr_usec at; /* arrival */
};

void tr_sr_init(struct tr_sr *sr, uint32_t clock);
void tr_sr_update(struct tr_sr *sr, tr_usec now, tr_ntp ntp, uint32_t rtp);
/* The sender's wall clock, in Unix microseconds, when it sampled ts; ts within half a circle of the
 * last report. False: no report yet, or one without a wall clock (NTP 0). */
bool tr_sr_wall(const struct tr_sr *sr, uint32_t ts, int64_t *unix_us);
/* The timestamp that the stream should have reached at a local time; transit is left aside. */
uint32_t tr_sr_rtp_at(const struct tr_sr *sr, tr_usec local);
/* LSR and DLSR for a report block; both 0 when there was none. */
void tr_sr_lsr(const struct tr_sr *sr, tr_usec now, uint32_t *lsr, uint32_t *dlsr);

/* How far a sender's wall clock is from our monotonic clock: the least (arrival - sent) over the
 * last one to two windows, which is the true offset plus the least transit time. All streams of
 * one participant (one CNAME) share it. A step of the sender's clock to the front shows at once,
 * one to the back after at most two windows. */
struct tr_clock_offset {
    tr_usec window;
    tr_usec window_start;
    int64_t now_min;  /* this window; INT64_MAX: no sample */
    int64_t last_min; /* the window before */
};

void tr_clock_offset_init(struct tr_clock_offset *o, tr_usec window); /* e.g. 60 s */
void tr_clock_offset_sample(struct tr_clock_offset *o, tr_usec now, tr_ntp sent);
/* local time = Unix microseconds of the sender + *offset. False: no sample. */
bool tr_clock_offset_get(const struct tr_clock_offset *o, int64_t *offset);

#endif

/* What is missing from one RTP stream and when to ask for it (RFC 4585 generic NACK).
 * Used through recv.h. Entries are kept in order of sequence number. One owner, one thread, no
 * allocation. Drop policy: when the list is full the oldest is given up, and whatever is given up
 * raises keyframe_needed. */
#ifndef TR_NACK_H
#define TR_NACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum tr_nack_limits {
    TR_NACK_MAX = 512,   /* missing packets at a time */
    TR_NACK_TRIES = 10,  /* requests for one packet */
    TR_NACK_REORDER = 2, /* packets received after the gap that make it a loss at once */
};
#define TR_NACK_REORDER_US (10 * TR_MSEC) /* or this long after the gap */
#define TR_NACK_RETRY_MIN_US (20 * TR_MSEC)
#define TR_NACK_AGE_MAX_US TR_SECOND

struct tr_nack_entry {
    int64_t seq;      /* unwrapped */
    tr_usec found;    /* when the gap was seen */
    tr_usec next;     /* when to ask (again) */
    uint32_t arrival; /* count of packets when the gap was seen */
    uint32_t tries;
};

struct tr_nack {
    struct tr_nack_entry entries[TR_NACK_MAX];
    uint32_t count;
    uint32_t arrivals; /* packets received, wraps */
    tr_usec next;      /* earliest moment with something to do; TR_NEVER */
    bool keyframe_needed;
    uint64_t requested; /* sequence numbers asked for, retries included */
    uint64_t given_up;
};

void tr_nack_init(struct tr_nack *n);
/* Numbers first .. end - 1 are missing as of now. */
void tr_nack_gap(struct tr_nack *n, tr_usec now, int64_t first, int64_t end);
/* A packet has come, whichever; true when it was missing. */
bool tr_nack_arrived(struct tr_nack *n, tr_usec now, int64_t seq);
/* All before seq is no longer wanted (a keyframe starts there, say). */
void tr_nack_forget_before(struct tr_nack *n, int64_t seq);
/* Up to max numbers to ask for now, sorted; gives up what is too old. */
unsigned tr_nack_poll(struct tr_nack *n, tr_usec now, tr_usec rtt, uint16_t *out, unsigned max);

#endif

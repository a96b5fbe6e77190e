/* Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01):
 * the receiver's side as a state machine that writes feedback packets, and the reader of them.
 * Drive the receiver: packet() for each arrival -> when next_timeout has passed, build() until it
 * returns false. One owner, one thread, no allocation. */
#ifndef TR_TWCC_H
#define TR_TWCC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "rtp/rtcp.h"

enum tr_twcc_limits {
    TR_TWCC_RING = 2048,      /* sequence numbers that one receiver remembers; power of two */
    TR_TWCC_BYTES_MAX = 1200, /* of one feedback packet */
    TR_TWCC_STALE_MAX = 16    /* this many packets in a row from far behind: the sender restarted */
};

struct tr_twcc_recv {
    int64_t begin;    /* first unwrapped number to report next */
    int64_t end;      /* one past the highest received */
    int64_t reported; /* numbers before were reported at least once */
    tr_usec origin;   /* arrivals are 250 us ticks since here */
    tr_usec interval; /* between feedback packets */
    tr_usec due;      /* TR_NEVER: nothing to report */
    uint64_t dropped; /* packets too far behind to be reported */
    uint8_t stale;    /* such packets in a row */
    uint8_t fb_count; /* feedback packet counter */
    bool started;
    uint32_t arrival[TR_TWCC_RING]; /* ticks + 1 at unwrapped number mod ring; 0: not received */
};

void tr_twcc_recv_init(struct tr_twcc_recv *r, tr_usec interval); /* e.g. 100 ms */
void tr_twcc_recv_packet(struct tr_twcc_recv *r, tr_usec now, uint16_t seq);
tr_usec tr_twcc_recv_next_timeout(const struct tr_twcc_recv *r); /* TR_NEVER: nothing to report */
/* Appends one feedback packet of at most min(TR_TWCC_BYTES_MAX, room) bytes; false when nothing is
 * left to report or there is no room for one. After a late packet, the numbers from it on are
 * reported again. */
bool tr_twcc_recv_build(struct tr_twcc_recv *r, struct tr_wr *w, uint32_t sender, uint32_t media);

struct tr_twcc_fb {
    uint16_t base_seq;
    uint16_t count;    /* of packets reported on */
    int32_t reference; /* 64 ms units, 24 bits signed: wraps after 12 days */
    uint8_t fb_count;
};

struct tr_twcc_item {
    uint16_t seq;
    bool received;
    int64_t at_us; /* arrival on the receiver's clock, if received: reference + all deltas so far */
};

/* Reads a feedback message (PT 205, FMT 15) into items[0 .. out->count - 1], in order of sequence
 * number. LIMIT: more than max. BADMSG: truncated, empty, or reserved symbols. */
TR_MUST_USE enum tr_err tr_twcc_read(const struct tr_rtcp_fb *fb, struct tr_twcc_fb *out,
                                     struct tr_twcc_item *items, uint32_t max);

#endif

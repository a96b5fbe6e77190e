/* One received RTP stream (SSRC): statistics for receiver reports (RFC 3550 A.1, A.3, A.8),
 * duplicates, and loss detection with NACKs (nack.h).
 * Drive: packet() for each arrival -> when next_timeout has passed, nacks(). One owner, one thread,
 * no allocation. Packets must have been authenticated: there is no probation. */
#ifndef TR_RECV_H
#define TR_RECV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "rtp/nack.h"
#include "rtp/rtcp.h"
#include "rtp/sr.h"

enum tr_recv_limits {
    TR_RECV_HISTORY = 1024,    /* sequence numbers remembered for duplicates; power of two */
    TR_RECV_DROPOUT_MAX = 3000 /* a jump ahead beyond this needs a second packet to be believed */
};

enum tr_recv_kind {
    TR_RECV_NEW,     /* newer than all before */
    TR_RECV_FILL,    /* late or retransmitted, not seen before */
    TR_RECV_DUP,     /* seen before: drop */
    TR_RECV_OLD,     /* behind all memory: drop */
    TR_RECV_SUSPECT, /* a large jump: drop; the next in sequence will confirm it */
    TR_RECV_RESTART  /* as NEW, and the sender restarted its numbering: statistics began anew */
};

struct tr_recv_stats {
    uint64_t received; /* without duplicates, without retransmissions */
    uint64_t repaired; /* missing packets that came by retransmission */
    uint64_t duplicate;
    uint64_t dropped; /* OLD and SUSPECT */
    uint64_t restarts;
};

struct tr_rtp_recv {
    struct tr_recv_stats stats;
    struct tr_nack *nack; /* borrowed; NULL: no NACKs */
    uint32_t clock;
    bool started;
    int64_t base, max;        /* unwrapped: first and highest; max starts in 0..65535 */
    int32_t suspect;          /* sequence number that would confirm a jump; -1: none */
    uint64_t period_received; /* received since base; the RFC's "received" */
    uint64_t expected_prior, received_prior;
    bool have_transit;
    uint32_t transit;
    uint32_t jitter_q4; /* RTP ticks << 4 */
    uint64_t seen[TR_RECV_HISTORY / 64];
};

/* clock > 0: RTP clock rate. nack NULL: a stream without NACKs. */
void tr_rtp_recv_init(struct tr_rtp_recv *r, uint32_t clock, struct tr_nack *nack);
/* is_rtx: unwrapped from a retransmission: fills gaps, but the loss of the original stays on the
 * books and jitter is left alone. */
enum tr_recv_kind tr_rtp_recv_packet(struct tr_rtp_recv *r, tr_usec now, uint16_t seq, uint32_t ts,
                                     bool is_rtx);
/* Sequence numbers to request now, sorted, at most max. */
unsigned tr_rtp_recv_nacks(struct tr_rtp_recv *r, tr_usec now, tr_usec rtt, uint16_t *out,
                           unsigned max);
tr_usec tr_rtp_recv_next_timeout(const struct tr_rtp_recv *r);
/* True once after packets were given up; a decoder needs a keyframe to go on. */
bool tr_rtp_recv_take_keyframe_needed(struct tr_rtp_recv *r);
/* A keyframe starts at seq: what is missing before it need not be asked for any more. */
void tr_rtp_recv_keyframe(struct tr_rtp_recv *r, uint16_t seq);
/* Report block for a receiver report; begins the next interval of the fraction lost.
 * sr may be NULL. False (block untouched): nothing received yet. */
bool tr_rtp_recv_report(struct tr_rtp_recv *r, tr_usec now, uint32_t ssrc, const struct tr_sr *sr,
                        struct tr_rtcp_block *out);
uint32_t tr_rtp_recv_jitter(const struct tr_rtp_recv *r); /* RTP ticks */
uint64_t tr_rtp_recv_expected(const struct tr_rtp_recv *r);
int64_t tr_rtp_recv_lost(const struct tr_rtp_recv *r); /* may be negative after a restart */

#endif

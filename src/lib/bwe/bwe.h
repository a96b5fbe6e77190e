/* How much may be sent to one client: a bandwidth estimator at the sender, of the GoogCC family
 * (draft-ietf-rmcat-gcc-02, draft-holmer-rmcat-transport-wide-cc-extensions-01).
 *
 * With transport-cc each packet gets a number by tr_bwe_sent, which is one store into a ring; all
 * the rest happens when feedback arrives. Without it the client's own estimate (REMB) is an upper
 * bound, and the loss that its receiver reports tell is acted on.
 *
 * Drive: sent for each packet, feedback / report / remb as they come -> when next_timeout has
 * passed: timeout, then send `probe` bytes of padding and count them by sent -> target.
 * One owner, one thread; time comes in. Memory: about 1 KiB, and 8 bytes a packet of history:
 * TR_BWE_HISTORY_MIN at first, doubled in a feedback while it covers too little time. */
#ifndef TR_BWE_H
#define TR_BWE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "rtp/twcc.h"

struct tr_bwe;

enum tr_bwe_limits {
    TR_BWE_HISTORY_MIN = 128,  /* packets; powers of two */
    TR_BWE_HISTORY_MAX = 2048, /* also the most packets of one feedback */
    TR_BWE_MIN_BPS = 30000,    /* the target never falls below */
    TR_BWE_PADDING_MAX = 255   /* bytes of padding that one packet can carry */
};

struct tr_bwe_conf {
    uint32_t start_bps; /* 0: 300 kbit/s */
    uint32_t max_bps;   /* 0: 100 Mbit/s */
    bool transport_cc;  /* else REMB and receiver reports */
    bool can_probe;     /* the owner can send padding */
};

struct tr_bwe_packet { /* one that was sent */
    uint32_t at_us;    /* low bits of the time */
    uint16_t bytes;
    uint8_t cluster; /* probe that it belongs to; 0: none */
    uint8_t state;   /* enum of bwe.c: waiting, lost, arrived */
};

struct tr_bwe_history {         /* all that the packet path touches */
    struct tr_bwe_packet *ring; /* NULL: no transport-cc */
    int64_t next; /* transport-wide number of the next packet; the low 16 bits are sent */
    uint64_t bytes;
    uint32_t mask;
    uint8_t cluster;
};

/* NULL: memory is out. history: the caller's memory, filled in here, emptied by destroy; it must
 * not move meanwhile. */
struct tr_bwe *tr_bwe_create(const struct tr_bwe_conf *conf, struct tr_bwe_history *history,
                             tr_usec now);
void tr_bwe_destroy(struct tr_bwe *bwe); /* NULL is fine */

/* What is sent goes another way from now on: what was learnt of the old one holds no more, and its
 * losses are none of the new one's. */
void tr_bwe_moved(struct tr_bwe *bwe, tr_usec now);

/* Takes down one packet of so many bytes on the wire; returns the number that it carries. */
static inline uint16_t tr_bwe_sent(struct tr_bwe_history *h, tr_usec now, uint16_t bytes)
{
    h->ring[(uint64_t)h->next & h->mask] =
        (struct tr_bwe_packet){ .at_us = (uint32_t)now, .bytes = bytes, .cluster = h->cluster };
    h->bytes += bytes;
    return (uint16_t)h->next++;
}

/* items: fb->count of them, as tr_twcc_read left them. Reports on packets that were never sent, are
 * too old, or were reported before are ignored and counted. */
void tr_bwe_feedback(struct tr_bwe *bwe, tr_usec now, const struct tr_twcc_fb *fb,
                     const struct tr_twcc_item *items);
/* Without transport-cc: what the client lost of `expected` packets since its last report; the rate
 * at which is sent to it. */
void tr_bwe_report(struct tr_bwe *bwe, tr_usec now, uint32_t lost, uint32_t expected);
void tr_bwe_remb(struct tr_bwe *bwe, tr_usec now, uint64_t bps);
void tr_bwe_send_rate(struct tr_bwe *bwe, uint32_t bps); /* without transport-cc, now and then */
/* Round trip as the receiver reports tell it. */
void tr_bwe_rtt(struct tr_bwe *bwe, tr_usec rtt);
/* How much could be put to use; probes look no further than that. */
void tr_bwe_want(struct tr_bwe *bwe, tr_usec now, uint32_t bps);

tr_usec tr_bwe_next_timeout(const struct tr_bwe *bwe);
void tr_bwe_timeout(struct tr_bwe *bwe, tr_usec now);
/* Padding that is due now, in bytes on the wire; 0: none. */
uint32_t tr_bwe_probe(struct tr_bwe *bwe, tr_usec now);

/* Bits a second, between TR_BWE_MIN_BPS and the maximum. */
uint32_t tr_bwe_target(const struct tr_bwe *bwe);
/* What the owner should keep to: the target when it is more than a guess (sure); until then at
 * least 1 Mbit/s; 0, no bound, when the client says nothing about what it gets. */
uint32_t tr_bwe_bound(const struct tr_bwe *bwe, tr_usec now, bool *sure);

enum tr_bwe_usage { TR_BWE_NORMAL, TR_BWE_OVERUSE, TR_BWE_UNDERUSE };

struct tr_bwe_stats {
    bool known;                               /* the client has said something */
    uint32_t target_bps, delay_bps, loss_bps; /* the least of the two counts */
    uint32_t acked_bps, sent_bps;             /* as the client got it, as it was sent */
    uint32_t loss_ppm;
    tr_usec rtt_us;
    enum tr_bwe_usage usage;
    uint32_t feedbacks, overuses, probes, probes_good;
    uint32_t ignored; /* reports on packets that nobody sent, too old, or twice */
};
void tr_bwe_stats(const struct tr_bwe *bwe, struct tr_bwe_stats *out);

#endif

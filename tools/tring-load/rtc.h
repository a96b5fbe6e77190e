/* The WebRTC side of one client: SDP, ICE (full agent), DTLS, SRTP and media, on its own socket.
 * One thread. An rtc_world is shared by all clients. */
#ifndef TR_RTC_H
#define TR_RTC_H

#include <stdbool.h>

#include "base/heap.h"
#include "base/rng.h"
#include "tring-load/measure.h"
#include "net/swarm.h"
#include "tring-load/options.h"
#include "sdp/negotiate.h"
#include "sim/media.h"

enum { RTC_AUDIO, RTC_VIDEO, RTC_KINDS, RTC_SEEN_BITS = 4096 };

struct rtc_totals {                    /* of all clients since the last reset */
    uint64_t sent, sent_bytes;         /* media packets, resent ones not counted */
    uint64_t received, received_bytes; /* media datagrams as they came, dropped ones too */
    uint64_t dropped;                  /* on purpose */
    uint64_t refused;                  /* that the peer did not open: replay, forged, unknown */
    uint64_t delivered;                /* different packets of the measured time */
    uint64_t repaired, duplicate, damaged, padding;
    uint64_t nacked, keyframes_asked; /* by the server */
    uint64_t nacks_sent;
};

struct rtc_world {
    const struct load_options *options;
    struct tr_swarm *swarm;
    struct tr_pkt_pool *pool;
    struct tr_srtp_engine *engine;
    struct tr_dtls_cert *cert;
    struct tr_dtls_ctx *dtls;
    struct tr_sdp_fingerprint fingerprint;
    struct tr_rng rng;
    int64_t wall_offset_us;
    struct tr_heap timers;
    struct rtc_totals totals;
    tr_usec measure_from, measure_to; /* packets made in this time count */
    struct hist delay;
    struct hist late;  /* how far behind its own clock this side sent */
    char profiles[64]; /* names of those that were agreed */
};

TR_MUST_USE enum tr_err rtc_world_init(struct rtc_world *w, const struct load_options *options);
void rtc_world_deinit(struct rtc_world *w);
/* Runs the timers that are due; returns when the next one is. */
tr_usec rtc_world_run(struct rtc_world *w, tr_usec now);
void rtc_world_wait(struct rtc_world *w, tr_usec timeout_us);
void rtc_world_reset(struct rtc_world *w); /* totals and delays begin anew */

struct rtc_incoming { /* one received stream */
    bool any;
    int64_t newest;
    uint64_t seen[RTC_SEEN_BITS / 64];
};

struct rtc {
    struct rtc_world *world;
    struct tr_heap_node timer;
    struct tr_peer *peer;
    uint32_t socket;
    bool has_socket, up, down, sending;
    struct tr_addr local;
    char ufrag[9], pwd[25];
    struct tr_sdp_local_media ssrcs[RTC_KINDS]; /* by m-line */
    struct tr_arena *arena;                     /* of ours */
    struct tr_sdp *ours;
    int mline_of[RTC_KINDS]; /* -1: not in the SDP */
    struct sim_sender senders[RTC_KINDS];
    struct rtc_incoming in[RTC_KINDS];
    tr_usec up_us, first_media_us; /* 0: not yet */
    const char *down_reason;
};

/* Opens the socket. IO, LIMIT, NOMEM. */
TR_MUST_USE enum tr_err rtc_init(struct rtc *c, struct rtc_world *w);
void rtc_deinit(struct rtc *c);
/* Text of our offer; the caller frees it by tr_free. NULL: out of memory. */
char *rtc_offer(struct rtc *c);
/* Takes the answer to it and connects. */
TR_MUST_USE enum tr_err rtc_accept(struct rtc *c, tr_usec now, const char *answer);
/* Answers an offer and connects. NULL: the offer is of no use. */
char *rtc_answer(struct rtc *c, tr_usec now, const char *offer);

#endif

/* The WebRTC side of one client: SDP, ICE (full agent), DTLS, SRTP and media, on its own socket.
 * One thread. An rtc_world is shared by all clients. */
#ifndef TR_RTC_H
#define TR_RTC_H

#include <stdbool.h>

#include "base/heap.h"
#include "base/rng.h"
#include "net/swarm.h"
#include "peer/peer.h"
#include "sdp/negotiate.h"
#include "sim/media.h"
#include "tring-load/measure.h"
#include "tring-load/options.h"
#include "tring-load/relay.h"
#include "tring-load/streams.h"
#include "tring-load/tcp.h"

struct tr_streams;
struct tr_tls;

enum {
    RTC_KINDS = 2,                      /* m-lines of an offer at most: audio, video */
    RTC_OUTS_MAX = 1 + TR_TRACK_LAYERS, /* streams that a client sends at most */
    RTC_SEEN_BITS = 1024,
};

struct rtc_totals {                    /* of all clients since the last reset */
    uint64_t sent, sent_bytes;         /* media packets, resent ones not counted */
    uint64_t expected;                 /* what of it should come out of the server */
    uint64_t received, received_bytes; /* media datagrams as they came, dropped ones too */
    uint64_t dropped;                  /* on purpose */
    uint64_t undecryptable;            /* that SRTP did not open */
    uint64_t refused;                  /* by the peer for another reason */
    uint64_t delivered;                /* different packets of the measured time */
    uint64_t probing;                  /* padding of a retransmission stream: nobody's media */
    uint64_t repaired, duplicate, damaged, padding, out_of_order;
    uint64_t misrouted;                           /* of another sender than the m-line had before */
    uint64_t by_layer[TR_TRACK_LAYERS];           /* delivered video */
    uint64_t nacked, keyframes_asked, nacks_sent; /* the first two by the server */
};

struct rtc_world {
    const struct load_options *options;
    struct tr_swarm *swarm;
    struct tr_streams *streams; /* NULL: nothing goes over TCP */
    struct tr_stream_quota *streams_quota;
    struct tr_tls *tls;
    struct tr_pkt_pool *pool;
    struct tr_srtp_engine *engine;
    struct tr_dtls_cert *cert;
    struct tr_dtls_ctx *dtls;
    struct tr_sdp_fingerprint fingerprint;
    struct tr_rng rng;
    int64_t wall_offset_us;
    struct tr_heap timers;
    struct rtc_totals totals;
    uint32_t epoch;                   /* counts resets */
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

struct rtc_in { /* what is received on one m-line */
    bool any;
    uint32_t source; /* who sends it; the layer left out */
    int64_t newest;
    uint32_t epoch; /* of what follows: it is of the measured time */
    int64_t first;
    uint64_t unique;     /* different numbers from first on */
    uint32_t next_frame; /* of the first frame that was not expected yet */
    uint64_t seen[RTC_SEEN_BITS / 64];
};

struct rtc_wish {
    bool send, recv; /* of our offer */
    int takers;      /* who get what we send */
};

struct rtc {
    struct rtc_world *world;
    uint32_t number; /* of this client: told in what it sends */
    struct rtc_wish wish;
    struct tr_heap_node timer;
    struct tr_peer *peer;
    uint32_t socket;
    bool has_socket, up, down, sending;
    struct tr_addr local;
    struct relay relay;
    struct tcp tcp;
    char ufrag[9], pwd[25];
    struct tr_sdp_local_media ssrcs[RTC_KINDS];           /* by m-line; of the lowest layer */
    struct tr_sdp_local_media upper[TR_TRACK_LAYERS - 1]; /* of the layers above */
    struct tr_arena *arena;                               /* of ours; NULL once connected */
    struct tr_sdp *ours;
    int mlines, tracks; /* the tracks behind the m-lines are the upper layers */
    bool video[TR_PEER_TRACKS_MAX];
    struct sim_sender *outs[RTC_OUTS_MAX];
    int outs_count;
    struct rtc_in *ins;                               /* by m-line */
    tr_usec up_us, first_media_us, first_keyframe_us; /* 0: not yet */
    const char *down_reason;
};

/* What carries a client's media. */
enum rtc_carrier { RTC_NOTHING, RTC_UDP, RTC_TCP, RTC_TURN, RTC_CARRIERS };

/* Opens the socket, and begins to allocate where there is a TURN server: an offer or answer has to
 * wait for relay.ready. IO, LIMIT, NOMEM. */
TR_MUST_USE enum tr_err rtc_init(struct rtc *c, struct rtc_world *w, uint32_t number);
void rtc_deinit(struct rtc *c);
enum rtc_carrier rtc_carrier(const struct rtc *c);
/* Text of our offer; the caller frees it by tr_free. NULL: out of memory. */
char *rtc_offer(struct rtc *c);
/* Takes the answer to it and connects. */
TR_MUST_USE enum tr_err rtc_accept(struct rtc *c, tr_usec now, const char *answer);
/* Answers an offer and connects. NULL: the offer is of no use. */
char *rtc_answer(struct rtc *c, tr_usec now, const char *offer);

/* For relay.c, tcp.c and flow.c: a datagram that came for the client, one that it sends, a stream
 * that is gone, its timer. */
void rtc_take(struct rtc *c, tr_usec now, const struct tr_path *path, struct tr_slice datagram);
void rtc_send(struct rtc *c, const struct tr_path *path, struct tr_slice datagram);
void rtc_path_gone(struct rtc *c, tr_usec now, const struct tr_path *path);
void rtc_schedule(struct rtc *c);

/* flow.c: media out and in. track: as in struct tr_peer; a client's senders start when it is up. */
TR_MUST_USE enum tr_err rtc_flow_start(struct rtc *c, tr_usec now, const struct tr_track_conf *t);
void rtc_flow_end(struct rtc *c);
tr_usec rtc_flow_next(const struct rtc *c); /* when rtc_flow_run has something to send */
void rtc_flow_run(struct rtc *c, tr_usec now);
struct sim_sender *rtc_flow_sender(struct rtc *c, int track); /* NULL: not sent */
void rtc_flow_input(struct rtc *c, tr_usec now, struct tr_slice datagram);
/* Numbers of the measured time that never came, of all that the client receives. */
uint64_t rtc_flow_missing(const struct rtc *c);

#endif

/* What the engine tells about itself: counters of all workers, and the state of one peer (for the
 * Admin API's handle_info and the metrics). Plain values, copied out of the workers. */
#ifndef TR_STATS_H
#define TR_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"
#include "peer/track_stats.h"
#include "srtp/profile.h"

enum { TR_STATS_TRACKS_MAX = 64, TR_STATS_PAIRS_MAX = 16 };

/* Why a datagram or a packet was not used. One counter each, so that an attack has a name. */
enum tr_drop {
    TR_DROP_UNKNOWN_ADDR, /* not STUN, from an address without an authenticated check; or plain
                             RTP from another host than the one that feeds the port */
    TR_DROP_STUN_BAD,
    TR_DROP_STUN_AUTH,
    TR_DROP_STUN_UNKNOWN_UFRAG,
    TR_DROP_DTLS,
    TR_DROP_RTP_BAD,
    TR_DROP_RTP_UNKNOWN_SSRC,
    TR_DROP_SRTP_AUTH,
    TR_DROP_SRTP_REPLAY,
    TR_DROP_RTP_DUPLICATE, /* authentic but seen before: repair not needed, or a probe */
    TR_DROP_RTCP_BAD,
    TR_DROP_NO_BUFFER,      /* packet pool empty */
    TR_DROP_MAILBOX_FULL,   /* the other worker did not keep up */
    TR_DROP_SEND,           /* the kernel did not take it */
    TR_DROP_RATE,           /* a client that sends far more than it was told to */
    TR_DROP_RESEND,         /* a retransmission beyond what a sink may ask for */
    TR_DROP_DATA_QUEUE,     /* an SCTP packet, between two threads: the other one did not keep up */
    TR_DROP_DATA_BAD,       /* SCTP packets and messages, DCEP: malformed, or over a limit */
    TR_DROP_DATA_SLOW,      /* a message to a client that does not take them fast enough */
    TR_DROP_DATA_UNWANTED,  /* data that nobody negotiated, or of an association that is over */
    TR_DROP_STREAM,         /* to a client over TCP, whose stream is gone or does not take more */
    TR_DROP_FLOOD,          /* STUN or RTCP of a client, far more than it can have to say */
    TR_DROP_RTP_UNKNOWN_PT, /* a payload type that was not negotiated for its m-line */
    TR_DROP_COUNT
};

const char *tr_drop_name(enum tr_drop drop);                    /* snake_case, for metrics */
const char *tr_srtp_profile_name(enum tr_srtp_profile profile); /* NULL: none */

struct tr_media_counters {
    uint64_t datagrams_in;
    uint64_t bytes_in;
    uint64_t datagrams_out;
    uint64_t bytes_out;
    uint64_t sends;    /* system calls that sent */
    uint64_t receives; /* system calls that received */
    uint64_t rtp_in;
    uint64_t rtp_out; /* forwarded packets */
    uint64_t rtx_out; /* retransmissions */
    uint64_t nacks_in;
    uint64_t nacks_out;
    uint64_t plis_in;
    uint64_t plis_out;
    uint64_t catch_ups;         /* clients that began with the last key frame, */
    uint64_t catch_ups_refused; /* and those that must wait for the next, for it was too much */
    uint64_t data_in;           /* messages on data channels */
    uint64_t data_out;
    uint64_t streams_accepted; /* TCP connections of clients */
    uint64_t
        streams_refused; /* ... that had no authenticated check to show, or there was no room */
    uint64_t drops[TR_DROP_COUNT];
    uint32_t streams; /* now */
    uint32_t peers;
    uint32_t routes;
    uint32_t packets_in_use;
};

/* sum += add */
void tr_counters_add(struct tr_media_counters *sum, const struct tr_media_counters *add);

struct tr_stats_pair {
    struct tr_addr local;
    struct tr_addr remote;
    bool selected;
    bool nominated;
    const char *state; /* as RFC 8445 6.1.2.6 has it; of a lite agent "succeeded" */
    uint64_t priority;
    tr_usec rtt_us;        /* 0: unknown, as a lite agent's always is */
    tr_usec last_check_us; /* 0: none yet */
};

struct tr_stats_bandwidth { /* how much can be sent to the client */
    bool known;             /* some video is sent, and the client tells what it gets */
    bool transport_cc;      /* else by REMB and its reports */
    uint32_t estimate_bps;
    uint32_t delay_bps, loss_bps; /* by the delay, by the losses: the estimate is the less */
    uint32_t acked_bps, sent_bps; /* as it arrived, as it was sent */
    uint32_t loss_ppm;
    uint32_t overuses, probes, probes_good;
};

struct tr_media_peer_stats {
    int worker;            /* -1: no check has arrived yet */
    const char *ice_state; /* "new", "checking", "connected", "failed" */
    const char *ice_role;  /* "controlled", "controlling" */
    uint32_t ice_restarts;
    uint32_t ice_switches; /* to another path, within one generation of credentials */
    int pairs_count;
    struct tr_stats_pair pairs[TR_STATS_PAIRS_MAX];
    uint64_t ice_checks;
    uint64_t ice_refused;
    uint64_t ice_malformed, ice_unauthenticated; /* of the refused */
    uint64_t ice_paths_dropped;                  /* made room for others */
    const char *dtls_state; /* "new", "connecting", "connected", "closed", "failed" */
    const char *dtls_role;  /* "server", "client" */
    uint32_t dtls_retransmissions;
    char dtls_cipher[40];
    char remote_fingerprint[208]; /* hash name and hex; a SHA-512 fits */
    const char *srtp_profile;     /* "AEAD_AES_128_GCM" ...; NULL before the handshake */
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
    uint64_t drops[TR_DROP_COUNT];
    uint32_t remb_bps;      /* received; 0: none */
    uint32_t remb_sent_bps; /* what the client is allowed to send; 0: nothing was said */
    bool twcc_sent;         /* it is told what of its packets arrived */
    struct tr_stats_bandwidth bandwidth;
    tr_usec created_us, connected_us;
    int tracks_count;
    struct tr_stats_track tracks[TR_STATS_TRACKS_MAX];
};

#endif

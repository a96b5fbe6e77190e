/* The RTP streams of a peer: those it receives, by SSRC, and what it sends on each m-line. Inside
 * of src/peer. */
#ifndef TR_PEER_STREAMS_H
#define TR_PEER_STREAMS_H

#include "payload/dd.h"
#include "peer/peer.h"
#include "rtp/ext.h"
#include "rtp/recv.h"
#include "rtp/sr.h"

enum { PEER_SSRC_NONE = 0xff };

struct peer_stream { /* one received SSRC */
    uint32_t ssrc;
    uint8_t mline;
    uint8_t layer;
    bool rtx;        /* carries retransmissions of `primary` */
    uint8_t primary; /* index of the stream that it repairs; PEER_SSRC_NONE: not known yet */
    bool keyframe_asked;
    bool sr_new;
    int64_t last_seq; /* unwrapped, of the newest packet */
    struct tr_rtp_recv recv;
    struct tr_nack *nack;
    struct tr_sr sr;
    uint64_t packets, bytes, rtx_packets;
    uint64_t rate_bytes; /* at the last report, for the bitrate */
    uint32_t bitrate_bps;
    uint32_t nacks_sent, plis_sent, firs_sent;
    uint64_t lost_taken;
    tr_usec last_us;
    tr_usec learnt_us; /* when its SSRC came unannounced; 0: it is the one of the m-line */
};

/* What the client receives on one m-line. A packet touches the first lines of the cache only: at
 * many sinks a turn, what is read from memory costs more than what is done with it. */
struct peer_tx {
    bool enabled; /* the m-line is sent now */
    bool rtx;     /* retransmissions go by RTX */
    bool pad;     /* packets may be padded */
    bool nack;    /* the client may ask for packets again */
    uint8_t pt, rtx_pt, red_pt;
    uint16_t rtx_seq;
    uint32_t ssrc, rtx_ssrc;
    int64_t next_seq;    /* one past the newest sent */
    int64_t resend_from; /* older packets were formed otherwise: they cannot be sent again */
    uint64_t packets, octets, rtx_packets;
    struct tr_ext_block ext;
    /* what a packet does not touch */
    bool delay; /* the client is told how long to hold back, in units of 10 ms */
    uint16_t delay_min, delay_max;
    bool clock_known;
    uint32_t clock_rtp;
    tr_usec clock_at;
    uint64_t rate_octets;
    uint32_t bitrate_bps;
    uint64_t packets_at_report;
    bool keyframe_asked;
    uint8_t fir_seen; /* last FIR sequence number + 1 is not needed: equality only */
    bool fir_any;
    uint16_t nacks[TR_PEER_NACKS_MAX];
    int nacks_count;
    uint32_t nacks_received, plis_received, firs_received;
    uint8_t remote_fraction;
    int32_t remote_lost, lost_taken;
    uint32_t remote_seq;
    uint32_t remote_jitter;
    tr_usec rtt_us;
};

struct peer_track {
    struct peer_tx *tx;               /* NULL: was never sent */
    uint8_t streams[TR_TRACK_LAYERS]; /* index of the primary stream; PEER_SSRC_NONE */
    uint8_t fir_seq;
    struct tr_dd_structure *dd; /* by layer; NULL: no dependency descriptors are read */
    struct tr_track_conf conf;
};

#endif

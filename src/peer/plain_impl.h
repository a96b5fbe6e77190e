/* Inside of src/peer: the state of a plain RTP session, shared by its files.
 *   plain.c       life and media in        plain_rtcp.c   reports and feedback, both ways */
#ifndef TR_PLAIN_IMPL_H
#define TR_PLAIN_IMPL_H

#include "peer/plain.h"
#include "peer/rtp_meta.h"
#include "peer/stats.h"
#include "rtp/recv.h"

#define PLAIN_REPORT_US TR_SECOND

struct plain_latch { /* where something was heard from */
    bool known;
    struct tr_addr from;
    tr_usec heard;
};

struct plain_stream { /* one layer of an m-line */
    struct plain_latch sender;
    bool started; /* the rest is known */
    uint32_t ssrc;
    uint32_t alias;   /* the SSRC as the graph sees it: another one after each restart */
    uint8_t pt;       /* learnt: what else comes under the SSRC (DTMF, comfort noise) is left out */
    int64_t last_seq; /* unwrapped, of the newest packet */
    tr_usec last_us;
    struct tr_rtp_recv recv;
    struct tr_nack *nack; /* NULL: not negotiated */
    struct tr_sr sr;
    bool sr_new;
    bool keyframe_asked;
    uint64_t packets, bytes, rate_bytes;
    uint32_t bitrate_bps;
    uint32_t nacks_sent, plis_sent;
    uint64_t lost_taken;
};

struct plain_track {
    struct tr_track_conf conf;
    struct plain_stream streams[TR_TRACK_LAYERS];
    uint8_t fir_seq;
};

struct plain_port {
    struct tr_plain_port conf;
    struct plain_latch rtcp;
    bool rtcp_in_clear; /* a sender of SRTP whose RTCP is not protected: so is the answer */
    tr_usec report_due;
};

struct tr_plain {
    struct plain_port ports[TR_PLAIN_PORTS_MAX];
    int ports_count;
    struct plain_track *tracks;
    int tracks_count;
    enum tr_srtp_profile profile;
    struct tr_srtp *in, *out; /* NULL: plain */
    struct tr_rng *rng;
    uint32_t rtcp_ssrc;
    tr_usec rate_at, created_us;
    struct tr_media_counters counters; /* since the last take */
    uint64_t drops[TR_DROP_COUNT];
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
    uint8_t rtcp_buf[1500];
};

void plain_drop(struct tr_plain *plain, enum tr_drop why);
bool plain_feeds(const struct plain_port *port, int mline, int layer);
/* Whether `from` may speak: nobody else was heard of late. */
bool plain_may_speak(const struct plain_port *port, const struct plain_latch *latch, tr_usec now,
                     const struct tr_addr *from);
void plain_heard(struct plain_latch *latch, tr_usec now, const struct tr_addr *from);

/* plain_rtcp.c */
void plain_rtcp_input(struct tr_plain *plain, tr_usec now, int port, const struct tr_addr *from,
                      struct tr_slice datagram);
/* The RTCP that is due on a port; empty when there is none. */
struct tr_slice plain_rtcp_output(struct tr_plain *plain, tr_usec now, int port);
tr_usec plain_rtcp_next(const struct tr_plain *plain, int port);

#endif

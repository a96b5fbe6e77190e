/* What plain RTP senders deliver for the m-lines of one participant, as a state machine: no
 * sockets, clock or threads. It checks, orders and describes packets as tr_peer does for WebRTC
 * clients, and says what RTCP to send back. RFC 3550, 3551; SRTP by a given key (RFC 3711, 7714).
 *
 * Drive: input or request_keyframe -> poll until TR_PLAIN_NONE -> sleep to next_timeout.
 * One owner, one thread. Nothing is allocated by input. What a hostile sender can cause is bounded:
 * one stream a layer, and one sender at a time. */
#ifndef TR_PLAIN_H
#define TR_PLAIN_H

#include "base/addr.h"
#include "base/err.h"
#include "base/pkt.h"
#include "base/slice.h"
#include "base/time.h"
#include "peer/track.h"
#include "rtp/sr.h"
#include "srtp/srtp.h"

struct tr_media_counters;
struct tr_media_peer_stats;
struct tr_plain;
struct tr_rng;

enum { TR_PLAIN_PORTS_MAX = 16, TR_PLAIN_BY_SSRC = -1 };

/* After so much silence another SSRC, or another sender, may take over. */
#define TR_PLAIN_SSRC_US (200 * TR_MSEC)
#define TR_PLAIN_SENDER_US TR_SECOND

struct tr_plain_port {     /* what comes in on a port */
    int mline;             /* BY_SSRC: all m-lines */
    int layer;             /* of simulcast; BY_SSRC: all layers of the m-line */
    bool rtcp;             /* RTCP only */
    struct tr_addr sender; /* nobody else is heard: address, and port unless 0; any: learnt */
};

struct tr_plain_conf {
    const struct tr_plain_port *ports; /* copied */
    int ports_count;
    enum tr_srtp_profile srtp;
    struct tr_srtp_keys keys;
    struct tr_srtp_engine *engine; /* borrowed, of the owner's thread */
    struct tr_rng *rng;            /* borrowed */
};

enum tr_plain_kind {
    TR_PLAIN_NONE,
    TR_PLAIN_SEND,            /* data from port to `to` */
    TR_PLAIN_SR,              /* a sender report for mline, layer */
    TR_PLAIN_KEYFRAME_NEEDED, /* packets of mline, layer are lost for good */
};

struct tr_plain_out { /* valid until the next call */
    enum tr_plain_kind kind;
    int port;
    struct tr_addr to;
    struct tr_slice data;
    int mline;
    int layer;
    uint32_t ssrc;
    const struct tr_sr *sr;
};

/* NULL: memory is out, or a port or profile makes no sense. */
struct tr_plain *tr_plain_create(const struct tr_plain_conf *conf, tr_usec now);
void tr_plain_destroy(struct tr_plain *plain); /* NULL is fine */
/* All m-lines by index; streams whose facts did not change keep their state. NOMEM, LIMIT,
 * INVAL. */
TR_MUST_USE enum tr_err tr_plain_set_tracks(struct tr_plain *plain,
                                            const struct tr_track_conf *tracks, int count);
/* One datagram. OK: it was media; pkt holds payload and meta (rtp_meta.h; after a restart of the
 * sender's numbering the SSRC there is another one), *mline is its track; a payload of 0 bytes was
 * padding. IGNORED: RTCP, taken. Any other error: dropped and counted. */
TR_MUST_USE enum tr_err tr_plain_input(struct tr_plain *plain, tr_usec now, int port,
                                       const struct tr_addr *from, struct tr_slice datagram,
                                       struct tr_pkt *pkt, int *mline);
void tr_plain_request_keyframe(struct tr_plain *plain, int mline, int layer);
void tr_plain_poll(struct tr_plain *plain, tr_usec now, struct tr_plain_out *out);
tr_usec tr_plain_next_timeout(const struct tr_plain *plain);
/* Packets lost since the last call. */
uint32_t tr_plain_take_lost(struct tr_plain *plain, int mline);
void tr_plain_stats(const struct tr_plain *plain, struct tr_media_peer_stats *out);
/* Adds what was counted since the last call to the owner's sums. */
void tr_plain_take_counters(struct tr_plain *plain, struct tr_media_counters *sums);

#endif

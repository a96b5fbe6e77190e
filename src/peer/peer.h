/* One WebRTC connection as a state machine: ICE, DTLS, SRTP, RTP streams and RTCP; BUNDLE and
 * rtcp-mux only. No sockets, clock or threads. RFC 8834, 8835, 8827.
 *
 * Drive: one of input/rtp/timeout/set_* -> poll until TR_PEER_NONE -> sleep to next_timeout.
 * The packet path is apart from the rest: tr_peer_rtp opens one media packet, tr_peer_send forms
 * a run of them in a batch, which is then sealed; none allocates or needs a poll of its own.
 *
 * One owner, one thread, one arena. All that a hostile peer can cause is bounded: streams, NACKs
 * and RTCP per turn. */
#ifndef TR_PEER_H
#define TR_PEER_H

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/pkt.h"
#include "base/slice.h"
#include "base/time.h"
#include "dtls/dtls.h"
#include "ice/ice.h"
#include "peer/track.h"
#include "peer/tx.h"
#include "rtp/sr.h"

struct tr_ice_cand;
struct tr_media_counters;
struct tr_media_peer_stats;
struct tr_peer;
struct tr_rng;
struct tr_srtp_engine;

enum {
    TR_PEER_NACKS_MAX = 128, /* sequence numbers of one NACK event */
};

struct tr_peer_conf {
    tr_id id; /* the owner's, for its own use */
    const char *ufrag, *pwd;
    bool lite;                 /* servers; else a full agent (test client, load generator) */
    enum tr_ice_role ice_role; /* full agent only */
    enum tr_dtls_role dtls_role;
    struct tr_dtls_ctx *dtls_ctx;                    /* borrowed */
    enum tr_srtp_profile profiles[TR_SRTP_PROFILES]; /* preference; all NONE: dtls.h's default */
    struct tr_srtp_engine *engine;                   /* borrowed, of the owner's thread */
    struct tr_rng *rng;                              /* borrowed */
    tr_usec consent_us;                              /* 0: 30 s */
    int64_t wall_offset_us;                          /* Unix microseconds minus `now` */
};

enum tr_peer_kind {
    TR_PEER_NONE,
    TR_PEER_SEND,            /* data on path */
    TR_PEER_VALID,           /* path belongs to this peer from now on */
    TR_PEER_INVALID,         /* and no longer */
    TR_PEER_UP,              /* DTLS is done, media can flow */
    TR_PEER_DOWN,            /* gone; reason. Nothing but destroy makes sense afterwards */
    TR_PEER_KEYFRAME,        /* the client asks for a key frame of what it receives on mline */
    TR_PEER_NACK,            /* the client misses seqs of what it receives on mline */
    TR_PEER_SR,              /* a sender report for what the client sends on mline, layer */
    TR_PEER_KEYFRAME_NEEDED, /* packets of mline, layer are lost for good */
    TR_PEER_BANDWIDTH,       /* tr_peer_bandwidth has fallen */
    TR_PEER_DATA,            /* data: what the client sent inside of DTLS (SCTP) */
};

struct tr_peer_out { /* valid until the next call on the same peer */
    enum tr_peer_kind kind;
    struct tr_path path;
    struct tr_slice data;
    const char *reason; /* DOWN: a Janus hang-up reason, static */
    int mline;
    int layer;
    const uint16_t *seqs; /* NACK */
    int seqs_count;
    const struct tr_sr *sr; /* SR */
    uint32_t ssrc;          /* SR */
};

/* NULL when memory is out or the credentials are unusable. */
struct tr_peer *tr_peer_create(const struct tr_peer_conf *conf, tr_usec now);
void tr_peer_destroy(struct tr_peer *peer); /* NULL is fine */
tr_id tr_peer_id(const struct tr_peer *peer);

/* The other side's credentials and fingerprint; again after an ICE restart. */
TR_MUST_USE enum tr_err tr_peer_set_remote(struct tr_peer *peer, tr_usec now,
                                           const struct tr_peer_remote *remote);
TR_MUST_USE enum tr_err tr_peer_restart(struct tr_peer *peer, tr_usec now, const char *ufrag,
                                        const char *pwd);
/* All m-lines by index. Streams whose facts did not change keep their state. INVAL: nothing has
 * changed; any other error is the end of the peer. */
TR_MUST_USE enum tr_err tr_peer_set_tracks(struct tr_peer *peer, tr_usec now,
                                           const struct tr_track_conf *tracks, int count);
/* Full agents. */
TR_MUST_USE enum tr_err tr_peer_add_local(struct tr_peer *peer, tr_usec now,
                                          const struct tr_ice_cand *cand);
TR_MUST_USE enum tr_err tr_peer_add_remote(struct tr_peer *peer, tr_usec now,
                                           const struct tr_ice_cand *cand);
void tr_peer_close(struct tr_peer *peer, tr_usec now); /* close_notify, then poll it out */

/* STUN, DTLS and RTCP. The counters say why something was dropped. */
void tr_peer_input(struct tr_peer *peer, tr_usec now, struct tr_path path,
                   struct tr_slice datagram);
/* Opens one RTP packet into pkt: its data becomes the payload, its meta is filled (rtp_meta.h).
 * OK: *mline is the track it belongs to; a payload of 0 bytes was padding, which only takes its
 * place in the numbering. Any error: dropped and counted, pkt may hold garbage. */
TR_MUST_USE enum tr_err tr_peer_rtp(struct tr_peer *peer, tr_usec now, struct tr_slice datagram,
                                    struct tr_pkt *pkt, int *mline);
/* One packet for the client inside of DTLS (TR_DTLS_DATA_MAX). AGAIN: not up; LIMIT: too long, or
 * too many wait to be polled; CLOSED; NOMEM; IO. */
TR_MUST_USE enum tr_err tr_peer_send_data(struct tr_peer *peer, struct tr_slice data);
/* The stream that was this path is gone. */
void tr_peer_path_gone(struct tr_peer *peer, tr_usec now, const struct tr_path *path);
void tr_peer_timeout(struct tr_peer *peer, tr_usec now);
tr_usec tr_peer_next_timeout(const struct tr_peer *peer);
void tr_peer_poll(struct tr_peer *peer, tr_usec now, struct tr_peer_out *out);

/* Asks the client for a key frame of a layer (PLI, or FIR where only that was negotiated). */
void tr_peer_request_keyframe(struct tr_peer *peer, int mline, int layer);
/* REMB: what the client may send in all; 0: 10 Mbit/s. */
void tr_peer_set_bitrate(struct tr_peer *peer, uint32_t bps);

/* Whether there is anything to bound: some video is sent. */
bool tr_peer_adapts(const struct tr_peer *peer);
/* How much may be sent to the client, in all its streams and with all headers; 0: no bound. False:
 * it is a guess to begin with. */
bool tr_peer_bandwidth(struct tr_peer *peer, tr_usec now, uint32_t *bps);
/* What would be sent if it could: how far to look for more. */
void tr_peer_want(struct tr_peer *peer, tr_usec now, uint32_t bps);

/* Where to send; false: nowhere yet. */
bool tr_peer_path(const struct tr_peer *peer, struct tr_path *path);
/* Reports need the clock of what the client receives on mline: rtp is due at local time `at`. */
void tr_peer_set_tx_clock(struct tr_peer *peer, int mline, uint32_t rtp, tr_usec at);
/* How long the client should hold back what it receives on mline, told with each packet where it
 * takes the playout-delay extension. */
void tr_peer_set_playout_delay(struct tr_peer *peer, int mline, struct tr_playout_delay delay);

/* Losses since the last call, for slow-link events. */
uint32_t tr_peer_take_lost(struct tr_peer *peer, int mline, bool uplink);
void tr_peer_stats(const struct tr_peer *peer, struct tr_media_peer_stats *out);
/* Adds what was counted since the last call to the owner's sums. */
void tr_peer_take_counters(struct tr_peer *peer, struct tr_media_counters *sums);

#endif

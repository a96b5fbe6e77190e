/* The media engine as the control thread sees it: peers, and the graph of sources, sinks and routes
 * that is wired between them. Packets never come up here.
 *
 * All functions are called on the control thread only and do not block: they post commands to the
 * worker that owns the thing. What happens comes back as events: `wake` is called (on any thread)
 * when there are some, then tr_media_poll drains them.
 *
 * An end is (peer, m-line). As a source it is what the client sends on that m-line; as a sink what
 * the client receives on it. A tap is a sink outside of the engine (a recorder). A route joins one
 * source to one sink. A route whose ends are not up yet waits; it goes with either end. */
#ifndef TR_MEDIA_H
#define TR_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/time.h"
#include "peer/stats.h"
#include "media/event.h"
#include "media/tap.h"
#include "media/turn.h"
#include "peer/track.h"
#include "srtp/profile.h"

struct tr_dtls_cert;
struct tr_media;

enum {
    TR_MEDIA_WORKERS_MAX = 64,
    TR_MEDIA_ADDRS_MAX = 8,
    TR_MEDIA_PEERS_MAX = 1 << 16,
    TR_MEDIA_ROUTES_MAX = 1 << 20,
};

struct tr_media_conf {
    int workers;   /* 0: one for each core but one */
    uint16_t port; /* the one UDP port; 0: any free one (tests) */
    /* To bind (ports ignored), and as clients know them (any: the same). None: the relay alone. */
    struct tr_addr bind[TR_MEDIA_ADDRS_MAX], known[TR_MEDIA_ADDRS_MAX];
    int bind_count;
    bool tcp; /* ICE-TCP, too, at tcp_port of the same addresses; 0: any free one */
    uint16_t tcp_port;
    struct tr_media_turn_conf turn; /* bind_count 0: no relay */
    struct tr_dtls_cert *cert;      /* borrowed */
    tr_usec consent_us;             /* silence after which a peer is gone; 0: 30 s */
    uint32_t packets_max;           /* per worker; 0: 65536 */
    enum tr_srtp_profile profiles[TR_SRTP_PROFILES]; /* preference; all NONE: dtls.h's default */
    bool gso;                                        /* use UDP_SEGMENT where the kernel has it */
    tr_usec coalesce_us; /* packets of such an interval share a turn, doc/adr/0011; 0: off */
    void (*wake)(void *arg);
    void *wake_arg;
};

struct tr_media_end {
    tr_id peer;
    int mline;
};

TR_MUST_USE enum tr_err tr_media_create(struct tr_media **media, const struct tr_media_conf *conf);
/* Ends the workers: no media flows, `wake` is not called. The rest may still be, to take down. */
void tr_media_stop(struct tr_media *media);
/* Stops and frees everything. NULL is fine. */
void tr_media_destroy(struct tr_media *media);
uint16_t tr_media_port(const struct tr_media *media);
uint16_t tr_media_tcp_port(const struct tr_media *media); /* 0: none, or it could not be opened */

/* --- peers --- */

struct tr_media_peer_conf {  /* copied */
    char ufrag[33], pwd[65]; /* ours */
};

/* 0 when the limit is reached or memory is out. */
tr_id tr_media_peer_create(struct tr_media *media, const struct tr_media_peer_conf *conf);
/* The client's side of ICE and DTLS, from its SDP; again after an ICE restart. */
void tr_media_peer_remote(struct tr_media *media, tr_id peer, const struct tr_peer_remote *remote);
/* ICE restart: our new credentials; the old path flows on until the new one is nominated. */
TR_MUST_USE enum tr_err tr_media_peer_restart(struct tr_media *media, tr_id peer,
                                              const struct tr_media_peer_conf *conf);
/* All m-lines as negotiated, by index; replaces what was there. */
TR_MUST_USE enum tr_err tr_media_peer_tracks(struct tr_media *media, tr_id peer,
                                             const struct tr_track_conf *tracks, int count);
/* Ends the peer and every route on it; sends a DTLS close_notify. No event follows. */
void tr_media_peer_close(struct tr_media *media, tr_id peer);
/* Upper bound for what the client sends in all, told by REMB; 0: 10 Mbit/s. */
void tr_media_peer_bitrate(struct tr_media *media, tr_id peer, uint32_t bps);
/* Asks for the state and statistics of a peer; a TR_MEDIA_STATS event with this cookie follows. */
void tr_media_query(struct tr_media *media, tr_id peer, uint64_t cookie);

/* --- the graph --- */

struct tr_route_conf {
    bool paused;
    int substream_max;   /* upper bound, 0..2: simulcast, or spatial layers of a single stream */
    int temporal_max;    /* 0..2; 3: all */
    uint8_t priority;    /* when the client cannot take all of its routes: more comes first */
    tr_usec fallback_us; /* a silent layer is left after this; 0: 250 ms */
    struct tr_playout_delay playout;
};

static inline struct tr_route_conf tr_route_conf_default(void)
{
    return (struct tr_route_conf){ .substream_max = 2, .temporal_max = 3 };
}

/* 0 when the limit is reached or memory is out. A sink takes one route at a time: a new route to
 * the same sink replaces the old one (the stream goes on without a break in its numbering). */
tr_id tr_media_route(struct tr_media *media, struct tr_media_end source, struct tr_media_end sink,
                     const struct tr_route_conf *conf);
void tr_media_route_set(struct tr_media *media, tr_id route, const struct tr_route_conf *conf);
void tr_media_route_remove(struct tr_media *media, tr_id route); /* stale is fine */
/* Asks the source for a key frame (at most one per 500 ms a source goes out). */
void tr_media_keyframe(struct tr_media *media, struct tr_media_end source);

/* A tap (tap.h) and a route to it. track: the tap's own number for the source. The tap's `closed`
 * is called when the last worker has let go of it. */
tr_id tr_media_tap_create(struct tr_media *media, const struct tr_tap *tap);
tr_id tr_media_tap_route(struct tr_media *media, struct tr_media_end source, tr_id tap,
                         uint16_t track);
void tr_media_tap_close(struct tr_media *media, tr_id tap);

/* --- who talks --- */

struct tr_talk_conf {
    uint16_t packets; /* of audio in a row, whose mean level decides; 0: nobody listens */
    uint8_t level;    /* -dBov: a louder mean (a smaller number) is talking */
};

/* TR_MEDIA_TALKING follows when somebody starts or stops to talk, if the client sends its audio
 * level (RFC 6464). Kept for when the client comes, and the m-line is negotiated. */
void tr_media_talk(struct tr_media *media, struct tr_media_end source,
                   const struct tr_talk_conf *conf);

/* --- events --- */

/* The next event; NONE when there is none. */
void tr_media_poll(struct tr_media *media, struct tr_media_event *event);
/* Hands over what the workers had no room for; false: some of it still waits, so call again in a
 * millisecond. tr_media_poll does it, too, but nothing need wake its caller. */
bool tr_media_flush(struct tr_media *media);
/* Sums over the workers; cheap, for /metrics. */
void tr_media_counters(const struct tr_media *media, struct tr_media_counters *out);
/* Of one worker, from 0; false: there is no such. */
bool tr_media_worker_counters(const struct tr_media *media, int worker,
                              struct tr_media_counters *out);

#endif

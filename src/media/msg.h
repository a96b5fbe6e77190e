/* What control and the workers tell each other. Small messages of one size go through mailboxes;
 * what is larger is allocated by the sender and freed by the receiver. Inside of src/media only. */
#ifndef TR_MEDIA_MSG_H
#define TR_MEDIA_MSG_H

#include "base/addr.h"
#include "base/pkt.h"
#include "media/media.h"
#include "media/source_key.h"
#include "peer/peer.h"

enum {
    MSG_RUN_MAX = 24, /* packets of one RUN */
    MSG_RELAY_MAX = 20,
    INBOX_SLOTS = 4096,
    EVENT_SLOTS = 8192,
};

struct peer_birth { /* what a worker needs to make a peer; waits in net/claim.h until one does */
    tr_id id;
    struct tr_media_peer_conf conf;
};

struct plain_birth; /* plain.c */

enum msg_kind {
    /* control -> worker */
    MSG_STOP,
    MSG_PEER_REMOTE,  /* remote: allocated */
    MSG_PEER_RESTART, /* creds: allocated */
    MSG_PEER_TRACKS,  /* tracks: allocated, count */
    MSG_PEER_CLOSE,
    MSG_PEER_BITRATE,
    MSG_PEER_QUERY,
    MSG_PEER_DATA, /* it may have data channels */
    MSG_PLAIN_ADD, /* plain: allocated */
    MSG_SHARE,     /* to the source's worker: another one takes its runs, or no longer */
    MSG_ROUTE_ADD, /* to the sink's worker */
    MSG_ROUTE_SET,
    MSG_ROUTE_REMOVE,
    MSG_TAP_ADD, /* to the source's worker */
    MSG_TAP_REMOVE,
    MSG_TALK,        /* to the source's worker */
    MSG_ASKED,       /* to the source's worker: the best layer that another one's routes ask for */
    MSG_RELAY_RENEW, /* dtls: a reference */
    MSG_KEYFRAME,    /* control or worker -> the source's worker; layer -1: whatever is taken */
    /* worker -> worker */
    MSG_RUN, /* may be lost */
    MSG_SR,
    MSG_DATAGRAM, /* pkt holds a datagram for a peer that lives here; may be lost */
    MSG_STREAM,   /* moved: a stream of a peer that lives here */
    MSG_ADDR_ADD, /* datagrams from path.remote are `peer`'s, of the sender */
    MSG_ADDR_REMOVE,
    MSG_RELAY_IN,       /* a datagram of a relay's client whose allocation is here; may be lost */
    MSG_RELAY_OUT,      /* packets of a peer to such a client; may be lost */
    MSG_RELAY_FLOW_ADD, /* the client of this path has its allocation at the sender */
    MSG_RELAY_FLOW_REMOVE,
    MSG_RELAY_TO_CLIENT, /* a datagram to a client that is heard here; may be lost */
    MSG_RELAY_FLOW_GONE, /* a client whose DTLS was at the sender, and its allocation here */
    MSG_RELAY_STREAM,    /* moved: a client's stream that belongs here */
    /* data thread -> worker */
    MSG_DATA, /* SCTP packets to the peer's client; may be lost */
};

struct msg_route {
    tr_id route;
    struct source_key source;
    struct source_facts facts;
    int source_worker;
    int sink_mline;
    tr_id sink_peer;
    struct tr_route_conf conf;
};

struct msg {
    enum msg_kind kind;
    int worker; /* the sender, or the one meant (SHARE) */
    tr_id peer;
    union {
        struct tr_peer_remote *remote;
        struct tr_media_peer_conf *creds;
        struct {
            struct tr_track_conf *list;
            int count;
        } tracks;
        uint32_t bps;
        uint64_t cookie;
        struct plain_birth *plain;
        struct {
            struct source_key source;
            int delta;
        } share;
        struct msg_route route;
        struct {
            tr_id tap;
            struct source_key source;
            struct tr_tap to;
            struct forward *forward; /* instead of `to`; NULL: a tap */
            uint16_t track;
        } tap;
        struct {
            struct source_key source;
            int layer;
            uint32_t best_bps; /* ASKED */
        } keyframe;
        struct {
            struct source_key source;
            struct tr_talk_conf conf;
        } talk;
        struct {
            struct source_key source;
            int count;
            struct tr_pkt *pkts[MSG_RUN_MAX];
        } run;
        struct {
            int count;
            struct tr_pkt *pkts[MSG_RUN_MAX];
        } data;
        struct {
            struct source_key source;
            int layer;
            uint32_t rtp; /* is due at local time `at` */
            tr_usec at;
        } sr;
        struct {
            struct tr_path path;
            struct tr_pkt *pkt;
        } datagram;
        struct {
            struct tr_path path;
            int count;
            struct tr_pkt *pkts[MSG_RELAY_MAX];
        } relay;
        struct tr_stream_moved *moved;
        struct tr_dtls_ctx *dtls;
        struct tr_path path;
    } u;
};

enum event_extra {                      /* worker -> control, besides enum tr_media_event_kind */
                   EVENT_ADOPTED = 100, /* peer lives on `worker` now */
                   EVENT_TAP_GONE,      /* a worker let go of one route of the tap (in peer) */
};

struct event_msg {
    struct tr_media_event ev;
    int worker;
};

#endif

/* A media worker: one thread, one set of sockets, its own peers, sources and routes. Inside of
 * src/media only. worker.c: loop and messages; worker_in.h: datagrams; worker_peer.c: peers;
 * graph.h: the rest.
 *
 * A turn: take messages, read datagrams until dry or the budget is spent, run timers; then forward
 * the runs that came together, once for each sink; then let the peers speak; then send. */
#ifndef TR_WORKER_H
#define TR_WORKER_H

#include "base/heap.h"
#include "base/map.h"
#include "base/rng.h"
#include "media/graph.h"
#include "media/published.h"
#include "media/rate.h"
#include "net/claim.h"
#include "net/mailbox.h"
#include "net/thread.h"
#include "net/udp.h"
#include "srtp/srtp.h"

enum {
    /* The agent tells of a new path before it tells which old one made room for it. */
    WPEER_PATHS = TR_ICE_PATH_MAX * 2,
    WORKER_TAG_INBOX = TR_UDP_SOCKETS_MAX, /* of the waiter; sockets have theirs below */
    WORKER_TAG_PORTS,
    WORKER_TAG_TCP,
    WORKER_TAG_RELAYED,
    WORKER_TAG_RELAY_STREAMS,
    WORKER_TAG_RELAY, /* and as many as sockets, for the relay's clients */
    WORKER_TAG_RELAY_DTLS = WORKER_TAG_RELAY + TR_UDP_SOCKETS_MAX,       /* and as many again */
    WORKER_TAG_RELAY_OTHER = WORKER_TAG_RELAY_DTLS + TR_UDP_SOCKETS_MAX, /* two */
    WORKER_TAG_END = WORKER_TAG_RELAY_OTHER + 2,
};

struct wpeer {
    tr_id id;
    struct worker *worker;
    struct tr_peer *peer;
    struct tr_heap_node timer;
    struct wpeer *next_dirty;
    bool dirty;
    int tracks_count;
    struct tr_track_conf *tracks;
    struct source **sources;  /* by m-line; NULL: not received */
    struct sink **sinks;      /* by m-line; NULL: nothing was routed here yet */
    struct forward *forwards; /* of all its sources; forward.c */
    struct tr_clock_offset wall;
    struct rate rate;              /* that it may send */
    struct rate_count stun, rtcp;  /* packets of these kinds */
    uint32_t told_bps, uplink_bps; /* what it is to send: by control; as told, for unused layers */
    bool data;                     /* it may have data channels */
    struct rate data_rate;
    char ufrags[2][33]; /* registered in claims: current, and the one before a restart */
    struct tr_path paths[WPEER_PATHS];
    int path_workers[WPEER_PATHS]; /* where its datagrams arrive */
    int paths_count;
};

struct worker {
    struct tr_media *media;
    int index;
    struct tr_thread thread;
    struct tr_mailbox *inbox;
    struct tr_outbox events;                   /* to control */
    struct tr_outbox to[TR_MEDIA_WORKERS_MAX]; /* messages to workers that may not be lost */
    struct tr_udp *udp;
    int waiter;
    struct tr_pkt_pool *pool;
    struct tr_srtp_engine *engine;
    struct tr_rng rng;
    tr_usec now;
    tr_usec tick_due, layer_tick_due;
    bool stop, stirred;     /* stirred: something may have been counted since the last tick */
    bool asked;             /* this turn had a request of TURN, whose sender waits for the answer */
    struct tr_map *addrs;   /* remote address and socket -> struct addr_entry */
    struct tr_map *peers;   /* id -> wpeer */
    struct tr_map *ufrags;  /* ours -> wpeer */
    struct tr_map *sources; /* key -> source */
    struct tr_map *routes;  /* id -> route */
    uint32_t next_serial;
    struct tr_heap timers;
    struct ports *ports;          /* ports.h; NULL: none needed yet */
    struct tcp *tcp;              /* tcp.h; NULL: there is no ICE-TCP */
    struct relay *relay;          /* relay.h; NULL: none */
    struct tr_throttle *throttle; /* of answers to strangers */
    struct source *active;
    struct wpeer *dirty;
    int arrival_worker;          /* of the datagram being handled: where its path belongs */
    struct rate_count catch_ups; /* bytes; see route.c */
    struct tr_pkt *spare;        /* taken from the pool, not used yet */
    struct tr_tx_batch egress;   /* packets to many sinks; its buffer lies in the send queue */
    struct tr_media_counters counters;
    _Atomic uint64_t published[PUBLISHED_MEDIA];
};

struct tr_media {
    struct tr_media_conf conf;
    struct worker *workers;
    int workers_count;
    struct tr_mailbox *events;
    struct tr_claims *claims;
    struct tr_dtls_ctx *dtls_ctx;
    struct tr_stream_quota *tcp_streams, *relay_streams; /* of ICE-TCP; of the relay */
    struct tr_rng rng;
    int64_t wall_offset_us;
    uint16_t port, tcp_port, turn_port; /* tcp_port 0: none */
    struct control *control;            /* media.c, wiring.c */
    struct data_thread *data;           /* data.c; NULL: no peer has had data channels yet */
};

/* worker.c */
TR_MUST_USE enum tr_err worker_init(struct worker *w, struct tr_media *media, int index,
                                    uint16_t port, uint16_t turn_port);
/* The end, in three steps over all workers: owners first, then what lies in queues, then memory. */
void worker_empty(struct worker *w);
void worker_drain(struct worker *w);
void worker_deinit(struct worker *w);
void worker_run(void *arg);
bool worker_turn(struct worker *w, tr_usec now, uint32_t ready); /* true: not all is read dry */
void worker_tell(struct worker *w, const struct tr_media_event *ev);
/* To another worker; reliable: kept until there is room. */
void worker_send(struct worker *w, int to, const struct msg *m, bool reliable);

/* worker_peer.c */
struct wpeer *wpeer_find(struct worker *w, tr_id id);
void wpeer_adopt(struct worker *w, struct peer_birth *birth); /* takes birth */
struct wpeer *wpeer_of_ufrag(struct worker *w, struct tr_slice ufrag);
void wpeer_destroy(struct wpeer *p);
void wpeer_touch(struct wpeer *p); /* it may have something to say at the end of the turn */
void wpeer_speak(struct wpeer *p); /* poll until it has nothing more to say */
void wpeer_tick(struct wpeer *p);
void wpeer_message(struct worker *w, const struct msg *m);

/* worker_data.c */
void wpeer_data_in(struct wpeer *p, struct tr_slice packet); /* out of DTLS */
void worker_data_message(struct worker *w, const struct msg *m);

#endif

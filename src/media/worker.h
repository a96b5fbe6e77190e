/* A media worker: one thread, one set of sockets, its own peers, sources and routes. Inside of
 * src/media only. Files: worker.c (loop, datagrams, messages), worker_peer.c (peers), source.c (what
 * comes in), route.c (what goes out).
 *
 * A turn: take messages, read datagrams until dry or the budget is spent, run timers; then forward
 * the runs that came together, once for each sink; then let the peers speak; then send. */
#ifndef TR_WORKER_H
#define TR_WORKER_H

#include <stdatomic.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/rng.h"
#include "media/layer.h"
#include "media/msg.h"
#include "media/rewrite.h"
#include "net/claim.h"
#include "net/mailbox.h"
#include "net/thread.h"
#include "net/udp.h"
#include "srtp/srtp.h"

enum {
    RUN_MAX = 64,     /* packets of one source in a turn; more starts the forwarding early */
    RING_SLOTS = 512, /* packets of one layer kept for retransmission, a power of two */
    RESENDS_MAX =
        64, /* retransmissions remembered per sink, so that one is not sent twice a round trip */
    TAPS_MAX = 4, /* per source */
    PUBLISHED = (sizeof(struct tr_media_counters) + 7) / 8,
};

#define RING_US TR_SECOND /* packets are kept this long */
#define KEYFRAME_EVERY_US (500 * TR_MSEC)
#define TICK_US TR_SECOND
#define LAYER_TICK_US (100 * TR_MSEC)
#define TEMPORAL_WINDOW_US (TR_SECOND / 2) /* long enough to hold a frame of each temporal layer */

struct worker;
struct route;

struct sink { /* what a client receives on one m-line */
    struct wpeer *peer;
    int mline;
    struct route *route; /* NULL: nothing is routed here now */
    struct tr_rewrite rw;
    struct {
        uint16_t seq;
        tr_usec at;
    } resends[RESENDS_MAX];
    uint32_t resends_next;
    int told_substream, told_temporal;
};

struct route {
    tr_id id;
    struct source *source;
    struct sink *sink;
    struct tr_route_conf conf;
    struct tr_layer_choice layer;
    int temporal_seen; /* highest temporal layer forwarded in this window */
    tr_usec temporal_since;
    struct route *next; /* of the same source */
};

struct ring {
    struct tr_pkt *slots[RING_SLOTS];
    int64_t oldest, newest; /* oldest > newest: empty */
};

struct tap_route {
    tr_id tap;
    struct tr_tap to;
    uint16_t track;
    struct tr_layer_choice layer; /* of simulcast a tap gets one layer, the best that flows */
};

struct source { /* what a client sends on one m-line, or the shadow of one that lives elsewhere */
    struct source_key key;
    uint32_t serials[TR_TRACK_LAYERS]; /* of this worker; make the origins of struct tr_rewrite */
    uint32_t ssrcs[TR_TRACK_LAYERS];
    struct worker *worker;
    struct wpeer *peer; /* NULL: a shadow */
    int owner;          /* worker of the peer */
    struct source_facts facts;
    struct route *routes;
    struct tap_route taps[TAPS_MAX];
    int taps_count;
    uint16_t shares[TR_MEDIA_WORKERS_MAX]; /* routes on other workers */
    int shares_count;
    struct tr_pkt *run[RUN_MAX];
    int run_count;
    struct source *next_active;
    struct ring *rings[TR_TRACK_LAYERS]; /* made when a sink that can ask is routed */
    tr_usec last_us[TR_TRACK_LAYERS];
    tr_usec keyframe_asked_us[TR_TRACK_LAYERS];
    bool keyframe_pending[TR_TRACK_LAYERS];
    bool receiving[TR_TRACK_LAYERS]; /* as last told */
    struct {
        bool known;
        uint32_t rtp;
        tr_usec at;
    } clock[TR_TRACK_LAYERS];
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
    struct source **sources; /* by m-line; NULL: not received */
    struct sink **sinks;     /* by m-line; NULL: nothing was routed here yet */
    struct tr_clock_offset wall;
    char ufrags[2][33]; /* registered in claims: current, and the one before a restart */
    struct tr_path paths[TR_ICE_PATH_MAX];
    int path_workers[TR_ICE_PATH_MAX]; /* where its datagrams arrive */
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
    bool stop;
    struct tr_map *addrs;   /* remote address and socket -> struct addr_entry */
    struct tr_map *peers;   /* id -> wpeer */
    struct tr_map *ufrags;  /* ours -> wpeer */
    struct tr_map *sources; /* key -> source */
    struct tr_map *routes;  /* id -> route */
    uint32_t next_serial;
    struct tr_heap timers;
    struct source *active;
    struct wpeer *dirty;
    int arrival_worker;   /* of the datagram being handled: where its path belongs */
    struct tr_pkt *spare; /* taken from the pool, not used yet */
    struct tr_media_counters counters;
    _Atomic uint64_t published[PUBLISHED];
};

struct tr_media {
    struct tr_media_conf conf;
    struct worker *workers;
    int workers_count;
    struct tr_mailbox *events;
    struct tr_claims *claims;
    struct tr_dtls_ctx *dtls_ctx;
    struct tr_rng rng;
    int64_t wall_offset_us;
    uint16_t port;
    struct control *control; /* media.c, wiring.c */
};

/* worker.c */
TR_MUST_USE enum tr_err worker_init(struct worker *w, struct tr_media *media, int index,
                                    uint16_t port);
/* The end, in three steps over all workers: owners first, then what lies in queues, then memory. */
void worker_empty(struct worker *w);
void worker_drain(struct worker *w);
void worker_deinit(struct worker *w);
void worker_run(void *arg);
void worker_tell(struct worker *w, const struct tr_media_event *ev);
/* To another worker; reliable: kept until there is room. */
void worker_send(struct worker *w, int to, const struct msg *m, bool reliable);

/* Whose datagrams come from path.remote: `here`, or a peer of another worker. */
void worker_addr_add(struct worker *w, const struct tr_path *path, tr_id peer, struct wpeer *here,
                     int worker);
void worker_addr_remove(struct worker *w, const struct tr_path *path, tr_id peer);

/* worker_peer.c */
struct wpeer *wpeer_find(struct worker *w, tr_id id);
void wpeer_adopt(struct worker *w, struct peer_birth *birth); /* takes birth */
struct wpeer *wpeer_of_ufrag(struct worker *w, struct tr_slice ufrag);
void wpeer_destroy(struct wpeer *p);
void wpeer_touch(struct wpeer *p); /* it may have something to say at the end of the turn */
void wpeer_speak(struct wpeer *p); /* poll until it has nothing more to say */
void wpeer_tick(struct wpeer *p);
void wpeer_message(struct worker *w, const struct msg *m);

/* source.c */
struct source *source_find(struct worker *w, const struct source_key *key);
struct source *source_create(struct worker *w, const struct source_key *key, struct wpeer *peer,
                             const struct source_facts *facts, int owner);
void source_destroy(struct source *s);
void source_unused(struct source *s); /* destroys a shadow that has no routes */
/* Takes the reference. */
void source_packet(struct source *s, struct tr_pkt *pkt);
void source_forward(struct source *s);
bool source_flows(const struct source *s);         /* at least one packet has come */
void source_keyframe(struct source *s, int layer); /* -1: all layers */
void source_clock(struct source *s, int layer, uint32_t rtp, tr_usec at);
void source_sender_report(struct source *s, int layer, uint32_t ssrc, const struct tr_sr *sr);
void source_tick(struct source *s);
void source_layer_tick(struct source *s);
TR_MUST_USE enum tr_err source_keep_ring(struct source *s);
struct tr_pkt *source_ring_get(const struct source *s, int layer, int64_t ext_seq); /* borrowed */
void source_message(struct worker *w, const struct msg *m);

/* route.c */
void route_message(struct worker *w, const struct msg *m);
void route_destroy(struct route *r);
void route_run(struct route *r, struct tr_pkt *const *pkts, int count);
void route_layer_tick(struct route *r);
void route_clock(struct route *r); /* the source's clock or the rewriting has changed */
void sink_nacks(struct sink *k, const uint16_t *seqs, int count);
struct sink *sink_of(struct wpeer *p, int mline); /* makes it when needed; NULL: out of memory */

#endif

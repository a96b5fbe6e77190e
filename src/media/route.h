/* What goes out, on one worker: the sinks of its clients and the routes that end in them. Inside of
 * src/media only; see graph.h. */
#ifndef TR_ROUTE_H
#define TR_ROUTE_H

#include "bwe/alloc.h"
#include "media/layer.h"
#include "media/msg.h"
#include "media/rewrite.h"

enum {
    RESEND_SLOTS = 128, /* retransmissions that a sink remembers, a power of two */
    PREFETCH_STEPS = 5, /* routes ahead of the one that runs */
};

struct route;
struct source;
struct worker;
struct wpeer;

struct resend { /* a packet that was sent again */
    uint16_t seq;
    uint16_t count; /* 0: free */
    uint32_t at_ms;
};

struct sink { /* what a client receives on one m-line */
    struct wpeer *peer;
    struct tr_peer *tr_peer; /* of peer */
    int mline;
    struct route *route;    /* NULL: nothing is routed here now */
    int64_t resend_budget;  /* bytes; see route.c */
    uint32_t bandwidth_bps; /* what the client can take; 0: not known */
    uint32_t could_bps;     /* ... of this stream alone */
    struct resend *resends; /* RESEND_SLOTS by the low bits of seq, a newer number takes the place;
                             * NULL: the client has not asked for any */
    struct tr_rewrite rw;
    int told_substream, told_temporal;
    struct tr_alloc_stream share; /* of the client's bandwidth */
};

struct route {
    struct source *source;
    struct sink *sink;
    struct tr_route_conf conf;
    int8_t bound_spatial, bound_temporal; /* what the client can take; -1: it is held */
    struct tr_layer_choice layer;
    int temporal_seen; /* highest temporal layer forwarded in this window; -1: no packet */
    int spatial_seen;  /* likewise */
    bool scalable;     /* the source has sent spatial layers in one stream */
    tr_usec temporal_since;
    uint32_t at; /* in the source's array */
    tr_id id;
};

void route_message(struct worker *w, const struct msg *m);
void route_destroy(struct route *r);
/* Asks the memory for what route_run will read; near: how many runs of other routes come before. */
void route_prefetch(const struct route *r, int near);
void route_run(struct route *r, struct tr_pkt *const *pkts, int count);
/* The sink can take the stream from now on, or again. */
void route_start(struct route *r);
void route_layer_tick(struct route *r);
/* The best layers that the client can take: simulcast layer or spatial layer; -1: none. */
void route_bound(struct route *r, int spatial, int temporal);
void route_clock(struct route *r); /* the source's clock or the rewriting has changed */
/* Protects and queues what routes have added since the last time. The send queue and the peers may
 * not be touched in between. */
void egress_seal(struct worker *w);
void sink_nacks(struct sink *k, const uint16_t *seqs, int count);
struct sink *sink_of(struct wpeer *p, int mline); /* makes it when needed; NULL: out of memory */

/* share.c */
void wpeer_share(struct wpeer *p); /* its bandwidth among its sinks */

#endif

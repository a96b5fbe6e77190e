/* The graph on one worker: sources, the routes from them, and the sinks that these end in. Inside
 * of src/media only. source.c: what comes in; route.c: what goes out. Everything here belongs to
 * one worker and its thread; what lives on another is named by a key, and has a shadow here.
 * Routes and sinks are in route.h. */
#ifndef TR_GRAPH_H
#define TR_GRAPH_H

#include "media/msg.h"
#include "media/rate.h"
#include "media/rates.h"
#include "media/route.h"
#include "media/talk.h"
#include "media/uplink.h"
#include "rtp/sr.h"

enum {
    RUN_MAX = 64,     /* packets of one source in a turn; more starts the forwarding early */
    RING_SLOTS = 512, /* packets of one layer kept for retransmission, a power of two */
    TAPS_MAX = 4,     /* per source */
};

#define RING_US TR_SECOND              /* packets are kept this long */
#define RING_SCARCE_US (150 * TR_MSEC) /* ... when three of four packets are in use */
#define KEYFRAME_EVERY_US (500 * TR_MSEC)
#define TICK_US TR_SECOND
#define LAYER_TICK_US (100 * TR_MSEC)
#define TEMPORAL_WINDOW_US (TR_SECOND / 2) /* long enough to hold a frame of each temporal layer */

struct forward;
struct plain;
struct route;
struct worker;
struct wpeer;

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
    struct wpeer *peer;  /* who sends it: a client, */
    struct plain *plain; /* or a plain peer; neither: a shadow */
    int owner;           /* worker of the peer */
    struct source_facts facts;
    bool held, returns;    /* not received at present; was held, and no packet has come since */
    struct route **routes; /* in no order */
    uint32_t routes_count, routes_size;
    struct tap_route taps[TAPS_MAX];
    int taps_count;
    struct forward *forwards;
    int forwards_count;
    struct tr_talk talk;
    uint32_t shares[TR_MEDIA_WORKERS_MAX]; /* routes on other workers */
    int shares_count;
    struct uplink uplink;
    struct tr_rates rates;
    struct rate_count catch_ups; /* bytes; see route.c */
    struct tr_pkt *run[RUN_MAX];
    int run_count;
    struct source *next_active;
    struct ring *rings[TR_TRACK_LAYERS]; /* made when a sink that can ask is routed */
    tr_usec last_us[TR_TRACK_LAYERS];
    int64_t keyframe_seq[TR_TRACK_LAYERS]; /* where the newest began; -1: none yet */
    uint32_t keyframe_ts[TR_TRACK_LAYERS];
    tr_usec keyframe_asked_us[TR_TRACK_LAYERS];
    bool keyframe_pending[TR_TRACK_LAYERS];
    bool receiving[TR_TRACK_LAYERS]; /* as last told */
    struct {
        bool known;
        uint32_t rtp;
        tr_usec at;
    } clock[TR_TRACK_LAYERS];
};

static inline bool source_is_shadow(const struct source *s)
{
    return !s->peer && !s->plain;
}

/* source.c */
struct source *source_find(struct worker *w, const struct source_key *key);
struct source *source_create(struct worker *w, const struct source_key *key, struct wpeer *peer,
                             const struct source_facts *facts, int owner);
void source_destroy(struct source *s);
void source_unused(struct source *s); /* destroys a shadow that has no routes */
/* Its m-line was negotiated again; facts NULL: as one that is not received for now. */
void source_negotiated(struct source *s, const struct source_facts *facts);
/* Takes the reference. */
void source_packet(struct source *s, struct tr_pkt *pkt);
/* Forwards the runs of all active sources. */
void sources_forward(struct worker *w);
bool source_flows(const struct source *s);         /* at least one packet has come */
void source_keyframe(struct source *s, int layer); /* -1: all layers */
void source_clock(struct source *s, int layer, uint32_t rtp, tr_usec at);
void source_sender_report(struct source *s, int layer, uint32_t ssrc, const struct tr_sr *sr);
void source_tick(struct source *s);
void source_layer_tick(struct source *s);
TR_MUST_USE enum tr_err source_add_route(struct source *s, struct route *r);
void source_remove_route(struct source *s, struct route *r);
TR_MUST_USE enum tr_err source_keep_ring(struct source *s);
struct tr_pkt *source_ring_get(const struct source *s, int layer, int64_t ext_seq); /* borrowed */
/* The packet that somebody knows as seq by rw, and as what; NULL: the ring does not have it. */
struct tr_pkt *source_find_sent(const struct source *s, const struct tr_rewrite *rw, uint16_t seq,
                                struct tr_rewritten *to);
/* The packets of a layer from the newest key frame on: first <= number < end. false: the ring does
 * not reach so far. */
bool source_since_keyframe(const struct source *s, int layer, int64_t *first, int64_t *end,
                           uint32_t *bytes);
void source_message(struct worker *w, const struct msg *m);

/* What numbers of a layer are of, for struct tr_rewrite: another one after each restart. */
static inline uint32_t source_origin(const struct source *s, int layer)
{
    return s->serials[layer] << 2 | (uint32_t)layer;
}

#endif

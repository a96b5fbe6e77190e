/* A worker's UDP ports beside the one of WebRTC: those that plain RTP comes in by (plain.c), those
 * of forwarders' RTCP, and the way out of forwarded RTP (forward.c). Inside of src/media only; of
 * one worker. */
#ifndef TR_PORTS_H
#define TR_PORTS_H

#include "base/heap.h"
#include "base/map.h"
#include "media/msg.h"
#include "net/swarm.h"
#include "net/udp.h"

struct forward;
struct source;
struct worker;

struct port { /* the owner of a socket embeds it */
    void (*in)(struct port *port, const struct tr_path *path, struct tr_slice datagram);
};

struct port_timer { /* zeroed means: not set */
    struct tr_heap_node node;
    void (*due)(struct port_timer *timer);
};

struct ports {
    struct worker *worker;
    struct tr_swarm *swarm;
    struct tr_udp *out; /* NULL: nothing has been forwarded yet */
    bool out_v6;
    struct tr_heap timers;
    struct tr_map *plains; /* id -> struct plain */
    struct plain *dirty;   /* those that may have something to say */
};

/* Makes them when needed; NULL: memory or descriptors are out. */
struct ports *ports_of(struct worker *w);
void ports_empty(struct worker *w); /* plain peers end */
void ports_destroy(struct worker *w);
void ports_read(struct worker *w);
void ports_timers(struct worker *w);
void ports_speak(struct worker *w); /* and send what waits */
void ports_tick(struct worker *w);
tr_usec ports_next_timeout(const struct worker *w);

/* plain.c */
struct plain;
struct plain *plain_find(struct worker *w, tr_id id); /* NULL */
void plain_destroy(struct plain *p);
void plain_speak(struct plain *p);
struct plain *plain_next_dirty(struct plain *p); /* takes p off the list */
void plain_tick(struct plain *p);
void plain_request_keyframe(struct plain *p, int mline, int layer);
struct tr_clock_offset *plain_wall(struct plain *p);
struct forward **plain_forwards(struct plain *p); /* as in struct wpeer */
/* PLAIN_ADD, and what is said to a peer; false: it is none of ours. */
bool plain_message(struct worker *w, const struct msg *m);
void plain_birth_free(struct plain_birth *birth); /* closes its sockets */

/* forward.c */
/* Its source is here; LIMIT, NOMEM, IO leave it silent. */
void forward_attach(struct forward *f, struct source *s);
void forward_detach(struct forward *f);
struct forward *forward_next(const struct forward *f); /* of the same source */
tr_id forward_id(const struct forward *f);
void forward_run(struct forward *f, struct tr_pkt *const *pkts, int count);
/* The source's layer begins anew under another SSRC. */
void forward_restart_layer(struct forward *f, int layer);
/* Control: names that have been looked up. */
void forward_take_resolved(struct tr_media *media);
bool forward_is_ready(const struct forward *f);

#endif

/* The control thread's picture of the engine: which worker has which peer, what is wired. Inside
 * of src/media only. media.c: life, peers, events; wiring.c: routes and taps.
 *
 * Control is the only one that orders things. What is asked for before a peer lives somewhere
 * waits here, and is sent when its worker reports EVENT_ADOPTED; messages to one worker keep their
 * order. */
#ifndef TR_CONTROL_H
#define TR_CONTROL_H

#include "base/idtab.h"
#include "media/key_use.h"
#include "media/worker.h"

enum { NOWHERE = -1, WAITING_EVENTS_MAX = 256 };

struct ctl_data_route;
struct ctl_route;
struct forward;
struct tr_resolver;

struct ctl_talk { /* a wish of tr_media_talk */
    int mline;
    struct tr_talk_conf conf;
    struct ctl_talk *next;
};

struct ctl_peer {
    tr_id id;
    int worker;   /* NOWHERE: no check has arrived yet */
    bool closing; /* closed before its adoption was known */
    struct tr_media_peer_conf creds;
    bool have_remote;
    struct tr_peer_remote remote;
    bool restart; /* creds are newer than those that the worker took over */
    struct tr_track_conf *tracks;
    int tracks_count;
    uint32_t bitrate_bps;
    struct ctl_talk *talks;
    struct ctl_route *sources; /* routes from this peer, and to it */
    struct ctl_route *sinks;
    bool up;                                    /* DTLS is done */
    bool data_known;                            /* the data thread has heard of it */
    bool data;                                  /* m=application is negotiated */
    struct ctl_data_route *data_from, *data_to; /* data.c */
};

struct ctl_tap {
    tr_id id;
    struct tr_tap to;        /* of a forwarder: `closed` only */
    struct forward *forward; /* NULL: a tap like others */
    int wired;               /* routes that workers hold */
    bool closed;
    struct ctl_route *routes;
};

struct ctl_route {
    tr_id id;
    struct tr_media_end source;
    struct tr_media_end sink; /* peer 0: a tap */
    tr_id tap;
    uint16_t track;
    struct tr_route_conf conf;
    bool wired;
    int source_worker, sink_worker;                /* while wired */
    struct ctl_route *next_of_source, **at_source; /* what points here */
    struct ctl_route *next_of_sink, **at_sink;     /* a tap's routes are a list of this kind, too */
};

struct control {
    struct tr_idtab *peers;
    struct tr_idtab *routes;
    struct tr_idtab *taps;
    struct tr_idtab *data_routes; /* NULL: there was none yet */
    struct tr_outbox to[TR_MEDIA_WORKERS_MAX];
    struct tr_media_event waiting[WAITING_EVENTS_MAX]; /* made here rather than by a worker */
    int waiting_count;
    unsigned plains;              /* made so far: they are spread over the workers */
    struct tr_resolver *resolver; /* NULL: no name has been asked for yet */
    int forwards_count;           /* forward.c */
    struct key_uses key_uses;
};

struct ctl_peer *ctl_peer(const struct tr_media *media, tr_id id); /* NULL: gone, or going */
/* LIMIT: out of memory; what the message owns is the caller's again. */
TR_MUST_USE enum tr_err ctl_post(struct tr_media *media, int worker, const struct msg *m);

void ctl_drain_events(struct tr_media *media); /* at the end: frees those that nobody took */

/* data.c */
void ctl_data_adopted(struct tr_media *media, const struct ctl_peer *p);
void ctl_data_up(struct tr_media *media, struct ctl_peer *p);
void ctl_data_gone(struct tr_media *media, struct ctl_peer *p);
void ctl_data_deinit(struct tr_media *media);

/* wiring.c */
void wiring_adopted(struct tr_media *media, struct ctl_peer *p); /* wires what waited for it */
/* Other m-lines hold: tells the routes, and wires those that waited for one. */
void wiring_negotiated(struct tr_media *media, struct ctl_peer *p);
void wiring_peer_gone(struct tr_media *media, struct ctl_peer *p);
void wiring_tap_gone(struct tr_media *media, tr_id tap);
/* A forwarder as a tap; 0: the limit is reached or memory is out. */
tr_id wiring_forward(struct tr_media *media, struct tr_media_end source, struct forward *f,
                     const struct tr_tap *to);
void wiring_forward_ready(struct tr_media *media, tr_id tap); /* its host is known now */
void wiring_deinit(struct tr_media *media);

#endif

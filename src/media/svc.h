/* Which frames of one scalable stream a route forwards: spatial and temporal layers of VP9, and of
 * anything that carries a dependency descriptor; temporal layers of VP8. A pure machine, and all
 * codecs look alike to it: ingress says of each frame what it is to each decode target.
 *
 * Whatever is wanted and when, the frames that it lets through decode: it goes to another decode
 * target only when all that this one needs has been forwarded. */
#ifndef TR_SVC_H
#define TR_SVC_H

#include <stdbool.h>
#include <stdint.h>

#include "peer/rtp_meta.h"

enum { TR_SVC_ALL = 3 }; /* spatial or temporal bound: no limit */

struct tr_svc { /* zeroed: nothing is wanted but the lowest layers, no key frame came yet */
    /* sets of decode targets, a bit in two, as the dtis of packets lie */
    uint64_t intact;  /* they decode, if what is now sent is received */
    uint64_t allowed; /* at or below what is wanted */
    uint64_t below;   /* at or below the current one */
    uint64_t told;    /* as in mask */
    /* sets of frames: bit n is the frame n + 1 before `frame` */
    uint64_t seen, sent;
    int64_t newest; /* sequence number */
    uint32_t ts;
    uint32_t active;
    uint32_t mask; /* of the decode targets that the receiver still gets, while `masked` */
    uint16_t frame;
    uint16_t waited; /* frames */
    uint8_t want_spatial, want_temporal;
    uint8_t max_spatial, max_temporal;  /* what `allowed` was made for */
    uint8_t targets, serial;            /* of the descriptors; 0: the grid of rtp_meta.h */
    uint8_t goal;                       /* the best that is allowed */
    uint8_t current, spatial, temporal; /* decode target and its layers */
    bool began, forward, masked, lacks_spatial;
};

enum { TR_SVC_TOP_NONE = 255 };

struct tr_svc_out { /* what a receiver has to be told of the choice */
    uint8_t top;    /* spatial layer whose end is the end of the picture; TOP_NONE: not known */
    bool masked;    /* the descriptor must say which decode targets remain: mask */
    uint32_t mask;
};

/* Begins anew at the next packet, which must be of a key frame. What is wanted stays. */
void tr_svc_begin(struct tr_svc *s);
/* The best layers that the route may forward, from the next picture on; TR_SVC_ALL: any. */
void tr_svc_want(struct tr_svc *s, int spatial, int temporal);
/* A packet, in order of arrival: true when it is to be forwarded. dd: its descriptor, or NULL. */
bool tr_svc_take(struct tr_svc *s, const struct tr_rtp_meta *m, const struct tr_rtp_dd *dd,
                 struct tr_svc_out *out);
/* What is wanted cannot be reached without a key frame. */
bool tr_svc_needs_keyframe(const struct tr_svc *s);

#endif

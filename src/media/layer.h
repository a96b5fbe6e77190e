/* Which layers a route forwards: of simulcast streams the best one that flows, at or below what was
 * asked for, and of this one the spatial and temporal layers that svc.h lets through. A pure
 * machine. The stream in use changes only on a key frame of the new one; until then the old one
 * goes on. */
#ifndef TR_LAYER_H
#define TR_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "media/svc.h"
#include "peer/track.h"

enum { TR_LAYER_MAX = TR_TRACK_LAYERS - 1 };
#define TR_LAYER_FALLBACK_US (250 * TR_MSEC)

struct tr_layer_choice {
    int current; /* -1: nothing forwarded yet */
    int target;  /* layer to move to; equal to current when settled; -1: none flows */
    struct tr_svc svc;
};

struct tr_layer_out {
    bool switched; /* the first packet of another stream */
    struct tr_svc_out svc;
};

void tr_layer_init(struct tr_layer_choice *c);
/* last_us: when each of `count` streams last had a packet (0: never). Updates the target. max: the
 * best that may be taken; of a single stream it is the spatial layer, TR_LAYER_MAX being any. */
void tr_layer_update(struct tr_layer_choice *c, tr_usec now, const tr_usec *last_us, int count,
                     int max, tr_usec fallback_us);
void tr_layer_limit_temporal(struct tr_layer_choice *c, int max); /* TR_SVC_ALL: any */
/* A key frame of the target is needed. */
bool tr_layer_waits(const struct tr_layer_choice *c);
/* A packet: true when it is to be forwarded. starts: a receiver may begin with it. */
bool tr_layer_take(struct tr_layer_choice *c, const struct tr_rtp_meta *m,
                   const struct tr_rtp_dd *dd, bool starts, struct tr_layer_out *out);

#endif

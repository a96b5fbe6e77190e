/* Which simulcast layer a route forwards: the best one that flows, at or below what was asked for.
 * A pure machine. The layer in use changes only on a key frame of the new one; until then the old
 * one goes on, and `ask` says which layer needs a key frame. */
#ifndef TR_LAYER_H
#define TR_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "peer/track.h"

#define TR_LAYER_FALLBACK_US (250 * TR_MSEC)

struct tr_layer_choice {
    int current; /* -1: nothing forwarded yet */
    int target;  /* layer to move to; equal to current when settled; -1: none flows */
};

void tr_layer_init(struct tr_layer_choice *c);
/* last_us: when each of `count` layers last had a packet (0: never). Updates the target. */
void tr_layer_update(struct tr_layer_choice *c, tr_usec now, const tr_usec *last_us, int count,
                     int max, tr_usec fallback_us);
/* A key frame of the target is waited for. */
bool tr_layer_waits(const struct tr_layer_choice *c);
/* A packet of a layer: true when it is to be forwarded; *switched when it is the first of its
 * layer. */
bool tr_layer_take(struct tr_layer_choice *c, int layer, bool keyframe, bool *switched);

#endif

/* Shares what may be sent to one client over the streams that it takes: audio first, then the
 * lowest layer of each video in the order of priority, then layer by layer in turn as long as it
 * fits. What does not even fit with its lowest layer is paused, audio never.
 *
 * A pure machine. It does not flap: to stay may cost a tenth more than there is, to climb must
 * leave a tenth, and after a fall a stream waits before it climbs, longer each time it fell soon
 * again. */
#ifndef TR_ALLOC_H
#define TR_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum tr_alloc_limits {
    TR_ALLOC_SPATIAL = 3,  /* simulcast or spatial layers */
    TR_ALLOC_TEMPORAL = 4, /* the last row entry means: all there are */
    TR_ALLOC_STREAMS_MAX = 64
};

struct tr_alloc_stream {
    /* The caller's, before each run. */
    const uint32_t (*bps)[TR_ALLOC_TEMPORAL]; /* [spatial][temporal]: of the stream with all that
                                                 this layer rests on; 0: the layer does not flow */
    uint32_t audio_bps;                       /* audio; then bps is NULL */
    int8_t spatial_max, temporal_max;         /* upper bounds that were asked for */
    uint8_t priority;                         /* more comes first */
    bool off;                                 /* not wanted now: takes nothing */
    tr_usec patience_us; /* how long the lowest layer may be too much; 0: a second */
    /* The allocator's; zeroed at first. spatial -1: paused, or idle. */
    bool idle; /* nothing flows, or it is off */
    bool started;
    int8_t spatial, temporal;
    uint8_t falls;       /* in short succession */
    tr_usec raised_us;   /* last time to a higher layer */
    tr_usec lowered_us;  /* last time to a lower one */
    tr_usec starving_us; /* since when not even the lowest layer fits; 0: it does */
};

struct tr_alloc_sum {
    uint32_t used_bps;   /* by what was chosen */
    uint32_t wanted_bps; /* by the best layers that are allowed and flow */
    bool changed;
};

/* bps: what there is; may_pause: else the lowest layers go out whatever they cost.
 * n <= TR_ALLOC_STREAMS_MAX. */
struct tr_alloc_sum tr_alloc_run(struct tr_alloc_stream *const *streams, int n, tr_usec now,
                                 uint32_t bps, bool may_pause);

#endif

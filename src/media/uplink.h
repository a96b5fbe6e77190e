/* Which layers of a source are asked for, and what its sender is told of it. Inside of src/media
 * only. */
#ifndef TR_UPLINK_H
#define TR_UPLINK_H

#include "media/msg.h"

struct source;
struct wpeer;

struct uplink {                            /* of a source */
    int8_t asked_by[TR_MEDIA_WORKERS_MAX]; /* best layer that the routes of each other ask for */
    int8_t asked;                          /* by all; -1: nobody asks for anything */
    tr_usec asked_us;                      /* since when */
    uint32_t limit_bps;                    /* what the layers asked for need; 0: not worked out */
    /* Of a stream of one layer: what the best of its viewers can take; 0: there is none. */
    uint32_t best_by[TR_MEDIA_WORKERS_MAX], best_bps;
    uint32_t follow_bps; /* what its sender is told for that; 0: nothing */
};

void uplink_init(struct source *s);
void uplink_asked_by(struct source *s, int worker, int layer, uint32_t best_bps);
void uplink_source_tick(struct source *s);
void uplink_peer_tick(struct wpeer *p); /* after its sources */

#endif

/* What the layers of a source cost: bits a second of each simulcast or spatial layer and each
 * temporal layer in it, with the headers that they will have on the wire. A pure machine. */
#ifndef TR_RATES_H
#define TR_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    TR_RATES_SPATIAL = 3,
    TR_RATES_TEMPORAL = 4,
    TR_RATES_HEADERS = 64 /* bytes of IP, UDP, RTP with extensions, and tag, about */
};

struct tr_rates {
    uint32_t bytes[TR_RATES_SPATIAL][TR_RATES_TEMPORAL]; /* of this window */
    uint32_t own[TR_RATES_SPATIAL][TR_RATES_TEMPORAL];   /* bits a second of the layer alone */
    /* Bits a second of all that the layer rests on; 0: it does not flow. */
    uint32_t bps[TR_RATES_SPATIAL][TR_RATES_TEMPORAL];
    uint32_t peak[TR_RATES_SPATIAL]; /* the most that each simulcast layer ever had, slowly
                                        forgotten */
    tr_usec since;
    bool fresh[TR_RATES_SPATIAL]; /* began within the last window: its figure is rough */
};

static inline void tr_rates_count(struct tr_rates *r, unsigned spatial, unsigned temporal,
                                  uint32_t payload)
{
    spatial = spatial < TR_RATES_SPATIAL ? spatial : TR_RATES_SPATIAL - 1;
    temporal = temporal < TR_RATES_TEMPORAL ? temporal : TR_RATES_TEMPORAL - 1;
    r->bytes[spatial][temporal] += payload + TR_RATES_HEADERS;
}

/* Now and then; stacked: a spatial layer rests on those below (SVC), else each stands alone. */
void tr_rates_update(struct tr_rates *r, tr_usec now, bool stacked);
/* All that flows, up to the best. */
uint32_t tr_rates_all(const struct tr_rates *r);

#endif

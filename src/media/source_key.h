/* How workers tell each other which source is meant, and what they know of it. Inside of src/media
 * only. */
#ifndef TR_SOURCE_KEY_H
#define TR_SOURCE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/idtab.h"
#include "peer/track.h"

struct source_key { /* what a client sends on one m-line; no padding: it is a map key */
    tr_id peer;
    int64_t mline;
};

struct source_facts {
    int layers;
    uint32_t clock_rate;
    bool video;
};

static inline struct source_facts source_facts_of(const struct tr_track_conf *t)
{
    return (struct source_facts){ .layers = t->layers_count > 0 ? t->layers_count : 1,
                                  .clock_rate = t->clock_rate,
                                  .video = t->video };
}

#endif

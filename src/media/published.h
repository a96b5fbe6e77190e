/* Counters of one thread that others read: whole words, none of them ever half written. Inside of
 * src/media only. */
#ifndef TR_PUBLISHED_H
#define TR_PUBLISHED_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "peer/stats.h"

#define PUBLISHED_WORDS(type) ((sizeof(type) + 7) / 8)

enum { PUBLISHED_MEDIA = PUBLISHED_WORDS(struct tr_media_counters) };

static inline void published_put(_Atomic uint64_t *to, const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 8, to++) {
        uint64_t word = 0;
        memcpy(&word, (const uint8_t *)from + at, bytes - at < 8 ? bytes - at : 8);
        atomic_store_explicit(to, word, memory_order_relaxed);
    }
}

static inline void published_get(const _Atomic uint64_t *from, void *to, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 8, from++) {
        uint64_t word = atomic_load_explicit(from, memory_order_relaxed);
        memcpy((uint8_t *)to + at, &word, bytes - at < 8 ? bytes - at : 8);
    }
}

static inline void counters_publish(_Atomic uint64_t to[PUBLISHED_MEDIA],
                                    const struct tr_media_counters *counters)
{
    published_put(to, counters, sizeof *counters);
}

static inline void counters_collect(const _Atomic uint64_t from[PUBLISHED_MEDIA],
                                    struct tr_media_counters *sum)
{
    struct tr_media_counters counters;
    published_get(from, &counters, sizeof counters);
    tr_counters_add(sum, &counters);
}

#endif

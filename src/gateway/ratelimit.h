/* A token bucket for each source address (IPv6: each /64). The table is bounded; the source that
 * was silent for longest makes room, which can only be to its favour. */
#ifndef TR_RATELIMIT_H
#define TR_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"

struct tr_ratelimit;

/* per_s 0: everything passes. NULL when memory is out. */
struct tr_ratelimit *tr_ratelimit_create(uint32_t per_s, uint32_t burst, uint32_t sources_max,
                                         uint64_t seed);
/* One request in each interval; 0: everything passes. */
struct tr_ratelimit *tr_ratelimit_create_every(tr_usec interval, uint32_t burst,
                                               uint32_t sources_max, uint64_t seed);
void tr_ratelimit_destroy(struct tr_ratelimit *limit); /* NULL is fine */
bool tr_ratelimit_take(struct tr_ratelimit *limit, const struct tr_addr *source, tr_usec now);
/* Whether the next one would be refused; takes nothing. */
bool tr_ratelimit_spent(const struct tr_ratelimit *limit, const struct tr_addr *source,
                        tr_usec now);

#endif

/* How much is answered to those who have proven nothing: token buckets by the prefix of the source
 * (/32 and /24, /64 and /48) in a table of fixed size, where newcomers can only take the place of
 * the idle. One owner, one thread. */
#ifndef TR_THROTTLE_H
#define TR_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"

struct tr_throttle;

/* NULL: memory is out. slots: rounded up to a power of two, of 16 bytes each; that of a lone sender
 * is idle again after 1 / per_second.
 * per_second: answers to a host, at once or spread; its network may have ten times as many; 0: no
 * bound. */
struct tr_throttle *tr_throttle_create(uint32_t slots, uint32_t per_second, uint64_t seed);
void tr_throttle_destroy(struct tr_throttle *throttle); /* NULL is fine */
bool tr_throttle_allow(struct tr_throttle *throttle, tr_usec now, const struct tr_addr *source);

#endif

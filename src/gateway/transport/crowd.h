/* How many connections each source address has (IPv6: each /64), so that one of them cannot take
 * all that there are. Memory grows with the connections alone. Control thread. */
#ifndef TR_CROWD_H
#define TR_CROWD_H

#include <stdint.h>

#include "base/addr.h"

struct tr_crowd;
struct tr_crowd_source;

/* each_max: connections of one source. NULL when memory is out. */
struct tr_crowd *tr_crowd_create(uint32_t sources_max, uint32_t each_max, uint64_t seed);
void tr_crowd_destroy(struct tr_crowd *crowd); /* NULL is fine; all have left */
/* One more of this address, to be given back to leave; NULL: it has its share, or memory is out. */
struct tr_crowd_source *tr_crowd_enter(struct tr_crowd *crowd, const struct tr_addr *addr);
void tr_crowd_leave(struct tr_crowd *crowd, struct tr_crowd_source *source); /* NULL is fine */

#endif

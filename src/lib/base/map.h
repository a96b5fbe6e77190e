/* Hash map from short byte keys (an address, a ufrag, a name) to pointers. Open addressing, keyed
 * hash so that a peer cannot choose collisions; grows by doubling up to the stated maximum.
 * Keys are copied (at most TR_MAP_KEY_MAX bytes). One thread at a time. */
#ifndef TR_MAP_H
#define TR_MAP_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { TR_MAP_KEY_MAX = 64 };

struct tr_map;

/* seed: random in the server. max: entries at most. NULL when memory is out. */
struct tr_map *tr_map_create(uint32_t max, uint64_t seed);
void tr_map_destroy(struct tr_map *map); /* NULL is fine; values are the caller's */
void *tr_map_get(const struct tr_map *map, struct tr_slice key); /* NULL when absent */
/* EXISTS: the key is there (its value stays); INVAL: key empty or too long; LIMIT; NOMEM. */
TR_MUST_USE enum tr_err tr_map_add(struct tr_map *map, struct tr_slice key, void *value);
void *tr_map_remove(struct tr_map *map, struct tr_slice key); /* the value, or NULL */
uint32_t tr_map_count(const struct tr_map *map);
/* Walks all entries: *cursor starts at 0; false at the end. No change of the map while walking. */
int tr_map_next(const struct tr_map *map, uint32_t *cursor, struct tr_slice *key, void **value);

#endif

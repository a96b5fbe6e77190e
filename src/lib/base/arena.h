/* Arena: everything that one owner (a peer) needs, freed in one go.
 * Grows by blocks up to a maximum stated at creation. One thread at a time. */
#ifndef TR_ARENA_H
#define TR_ARENA_H

#include <stddef.h>

struct tr_arena;

/* bytes_max bounds the room in all blocks together. NULL when memory is out. */
struct tr_arena *tr_arena_create(size_t bytes_max);
void tr_arena_destroy(struct tr_arena *arena); /* NULL is fine */
/* Zeroed, aligned to 16 bytes; NULL when memory or the maximum is reached. Never freed alone. */
void *tr_arena_alloc(struct tr_arena *arena, size_t n);
char *tr_arena_strdup(struct tr_arena *arena, const char *s);
size_t tr_arena_bytes(const struct tr_arena *arena); /* taken from the heap so far */

#endif

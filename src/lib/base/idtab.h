/* Ids with a generation: what crosses an ownership border instead of a pointer.
 * An id is (generation << 24 | slot + 1), so 0 is never valid and an id of something that has gone
 * looks up to NULL even after its slot was used again. One thread at a time. */
#ifndef TR_IDTAB_H
#define TR_IDTAB_H

#include <stdint.h>

typedef uint64_t tr_id; /* 0: none */

enum { TR_ID_SLOT_BITS = 24 };

struct tr_idtab;

/* max: slots at most, below 2^24; the table grows by doubling up to it. NULL when memory is out. */
struct tr_idtab *tr_idtab_create(uint32_t max);
void tr_idtab_destroy(struct tr_idtab *tab); /* NULL is fine; values are the caller's */
/* 0 when the maximum is reached or memory is out. value must not be NULL. */
tr_id tr_idtab_add(struct tr_idtab *tab, void *value);
void *tr_idtab_get(const struct tr_idtab *tab, tr_id id); /* NULL when unknown or stale */
void *tr_idtab_remove(struct tr_idtab *tab, tr_id id);    /* the value, or NULL */
uint32_t tr_idtab_count(const struct tr_idtab *tab);
/* Walks the live entries: start with 0, pass back what it returned; 0 at the end. */
tr_id tr_idtab_next(const struct tr_idtab *tab, tr_id after);

static inline uint32_t tr_id_slot(tr_id id) /* dense index of a valid id, from 0 */
{
    return (uint32_t)(id & ((1u << TR_ID_SLOT_BITS) - 1)) - 1;
}

#endif

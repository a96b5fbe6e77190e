/* Timer heap: intrusive, keyed by an absolute time. The owner embeds a node; no allocation per
 * timer, one array that doubles up to the stated maximum. One thread at a time. */
#ifndef TR_HEAP_H
#define TR_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct tr_heap_node { /* zeroed means: not in a heap */
    tr_usec key;
    uint32_t pos; /* index + 1 */
};

struct tr_heap { /* zeroed means: empty */
    struct tr_heap_node **nodes;
    uint32_t count;
    uint32_t size;
    uint32_t max;
};

void tr_heap_init(struct tr_heap *heap, uint32_t max);
void tr_heap_deinit(struct tr_heap *heap);
/* Inserts the node or moves it to its new key; TR_NEVER removes it.
 * NOMEM, LIMIT only for a node that was not in the heap. */
TR_MUST_USE enum tr_err tr_heap_set(struct tr_heap *heap, struct tr_heap_node *node, tr_usec key);
void tr_heap_remove(struct tr_heap *heap, struct tr_heap_node *node); /* not in the heap is fine */
struct tr_heap_node *tr_heap_min(const struct tr_heap *heap);         /* NULL when empty */

#endif

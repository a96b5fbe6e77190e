/* A binary heap in an array of pointers; each node knows its place, so a change costs log n. */
#include "base/heap.h"

#include "base/assert.h"
#include "base/mem.h"

enum { FIRST_SIZE = 16 };

void tr_heap_init(struct tr_heap *heap, uint32_t max)
{
    *heap = (struct tr_heap){ .max = max };
}

void tr_heap_deinit(struct tr_heap *heap)
{
    tr_free(heap->nodes);
    *heap = (struct tr_heap){ 0 };
}

static bool is_in(const struct tr_heap *heap, const struct tr_heap_node *node)
{
    return node->pos <= heap->count && heap->nodes[node->pos - 1] == node;
}

static void put(struct tr_heap *heap, uint32_t i, struct tr_heap_node *node)
{
    heap->nodes[i] = node;
    node->pos = i + 1;
}

static void sift_up(struct tr_heap *heap, uint32_t i, struct tr_heap_node *node)
{
    while (i > 0 && node->key < heap->nodes[(i - 1) / 2]->key) {
        put(heap, i, heap->nodes[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(heap, i, node);
}

static void sift_down(struct tr_heap *heap, uint32_t i, struct tr_heap_node *node)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->nodes[child + 1]->key < heap->nodes[child]->key)
            child++;
        if (node->key <= heap->nodes[child]->key)
            break;
        put(heap, i, heap->nodes[child]);
        i = child;
    }
    put(heap, i, node);
}

static enum tr_err make_room(struct tr_heap *heap)
{
    if (heap->count < heap->size)
        return TR_OK;
    if (heap->count >= heap->max)
        return TR_ERR_LIMIT;
    uint32_t size = heap->size ? heap->size : FIRST_SIZE / 2;
    size = size > heap->max / 2 ? heap->max : size * 2;
    struct tr_heap_node **nodes = tr_realloc(heap->nodes, size * sizeof *nodes);
    if (!nodes)
        return TR_ERR_NOMEM;
    heap->nodes = nodes;
    heap->size = size;
    return TR_OK;
}

enum tr_err tr_heap_set(struct tr_heap *heap, struct tr_heap_node *node, tr_usec key)
{
    if (key == TR_NEVER) {
        tr_heap_remove(heap, node);
        return TR_OK;
    }
    if (node->pos == 0) {
        enum tr_err err = make_room(heap);
        if (err != TR_OK)
            return err;
        node->key = key;
        sift_up(heap, heap->count++, node);
        return TR_OK;
    }
    TR_ASSERT(is_in(heap, node));
    tr_usec old = node->key;
    node->key = key;
    if (key < old)
        sift_up(heap, node->pos - 1, node);
    else
        sift_down(heap, node->pos - 1, node);
    return TR_OK;
}

void tr_heap_remove(struct tr_heap *heap, struct tr_heap_node *node)
{
    if (node->pos == 0)
        return;
    uint32_t i = node->pos - 1;
    TR_ASSERT(is_in(heap, node));
    struct tr_heap_node *last = heap->nodes[--heap->count];
    node->pos = 0;
    if (last == node)
        return;
    if (i > 0 && last->key < heap->nodes[(i - 1) / 2]->key)
        sift_up(heap, i, last);
    else
        sift_down(heap, i, last);
}

struct tr_heap_node *tr_heap_min(const struct tr_heap *heap)
{
    return heap->count ? heap->nodes[0] : NULL;
}

/* Blocks of 4 KiB in a list; objects come from the first one. An object larger than a block gets
 * one of its own, put behind the first so that the room left there is still used. The last block
 * before the maximum is as small as it must be. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { BLOCK_BYTES = 4096, ALIGN = 16 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    size_t pad; /* keeps data aligned to 16 */
    uint8_t data[];
};

struct tr_arena {
    struct block *blocks;
    size_t bytes;
    size_t bytes_max;
};

struct tr_arena *tr_arena_create(size_t bytes_max)
{
    struct tr_arena *arena = tr_alloc(sizeof *arena);
    if (arena)
        arena->bytes_max = bytes_max;
    return arena;
}

void tr_arena_destroy(struct tr_arena *arena)
{
    if (!arena)
        return;
    while (arena->blocks) {
        struct block *b = arena->blocks;
        arena->blocks = b->next;
        tr_free(b);
    }
    tr_free(arena);
}

static struct block *add_block(struct tr_arena *arena, size_t n)
{
    size_t left = arena->bytes_max - arena->bytes;
    size_t size = BLOCK_BYTES - sizeof(struct block);
    if (n > left)
        return NULL;
    size = size < n ? n : size;
    size = size > left ? left : size;
    struct block *b = tr_alloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    struct block *first = arena->blocks;
    struct block **at = first && n > BLOCK_BYTES - sizeof *b ? &first->next : &arena->blocks;
    b->next = *at;
    *at = b;
    arena->bytes += size;
    return b;
}

void *tr_arena_alloc(struct tr_arena *arena, size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    n = n ? n : 1; /* every object has an address of its own */
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct block *b = arena->blocks;
    if (!b || b->size - b->used < n)
        b = add_block(arena, n);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += n;
    TR_ASSERT(b->used <= b->size);
    return p;
}

char *tr_arena_strdup(struct tr_arena *arena, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = tr_arena_alloc(arena, n);
    if (copy)
        memcpy(copy, s, n);
    return copy;
}

size_t tr_arena_bytes(const struct tr_arena *arena)
{
    return arena->bytes;
}

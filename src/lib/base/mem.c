/* Each block carries its size in a 16-byte header, so that the alignment stays that of malloc. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct block {
    size_t n;
    size_t magic;
};

enum { MAGIC = 0x74726d65 };

_Static_assert(sizeof(struct block) == 16, "keeps the alignment of malloc");

static atomic_size_t in_use;
static _Atomic uint64_t allocs;
static _Atomic uint64_t fail_after = UINT64_MAX;

static bool may_allocate(void)
{
    atomic_fetch_add_explicit(&allocs, 1, memory_order_relaxed);
    uint64_t left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    while (left != UINT64_MAX && left > 0) {
        if (atomic_compare_exchange_weak_explicit(&fail_after, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return left > 0;
}

static struct block *block_of(void *p)
{
    struct block *b = (struct block *)p - 1;
    TR_ASSERT(b->magic == MAGIC);
    return b;
}

void *tr_alloc(size_t n)
{
    if (n > SIZE_MAX - sizeof(struct block) || !may_allocate())
        return NULL;
    struct block *b = calloc(1, sizeof *b + n);
    if (!b)
        return NULL;
    b->n = n;
    b->magic = MAGIC;
    atomic_fetch_add_explicit(&in_use, n, memory_order_relaxed);
    return b + 1;
}

void tr_free(void *p)
{
    if (!p)
        return;
    struct block *b = block_of(p);
    atomic_fetch_sub_explicit(&in_use, b->n, memory_order_relaxed);
    b->magic = 0;
    free(b);
}

char *tr_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = tr_alloc(n);
    if (copy)
        memcpy(copy, s, n);
    return copy;
}

void *tr_realloc(void *p, size_t n)
{
    void *bigger = tr_alloc(n);
    if (!bigger)
        return NULL;
    if (p) {
        size_t old = block_of(p)->n;
        memcpy(bigger, p, old < n ? old : n);
        tr_free(p);
    }
    return bigger;
}

size_t tr_mem_in_use(void)
{
    return atomic_load(&in_use);
}

uint64_t tr_mem_allocs(void)
{
    return atomic_load(&allocs);
}

void tr_mem_fail_after(uint64_t n)
{
    atomic_store(&fail_after, n);
}

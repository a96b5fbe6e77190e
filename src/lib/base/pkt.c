/* Two lists. `local` belongs to the pool's thread. `returned` is a stack that any thread pushes on;
 * the pool's thread takes the whole stack with one exchange when `local` is empty, so there is no
 * pop that could meet a reused head (ABA). Chunks are never given back: a pool's size is its
 * owner's peak. */
#include "base/pkt.h"

#include "base/assert.h"
#include "base/mem.h"

enum { CHUNK_PACKETS = 32 };

struct chunk {
    struct chunk *next;
    struct tr_pkt packets[CHUNK_PACKETS];
};

struct tr_pkt_pool {
    struct tr_pkt *local;
    struct chunk *chunks;
    uint32_t total;
    uint32_t max;
    _Atomic uint32_t in_use;
    _Atomic(struct tr_pkt *) returned;
};

struct tr_pkt_pool *tr_pkt_pool_create(uint32_t packets_max)
{
    struct tr_pkt_pool *pool = tr_alloc(sizeof *pool);
    if (pool)
        pool->max = packets_max;
    return pool;
}

void tr_pkt_pool_destroy(struct tr_pkt_pool *pool)
{
    if (!pool)
        return;
    TR_ASSERT(atomic_load(&pool->in_use) == 0);
    while (pool->chunks) {
        struct chunk *c = pool->chunks;
        pool->chunks = c->next;
        tr_free(c);
    }
    tr_free(pool);
}

static void add_chunk(struct tr_pkt_pool *pool)
{
    uint32_t n = pool->max - pool->total;
    if (n == 0)
        return;
    struct chunk *c = tr_alloc(sizeof *c);
    if (!c)
        return;
    c->next = pool->chunks;
    pool->chunks = c;
    n = n < CHUNK_PACKETS ? n : CHUNK_PACKETS;
    for (uint32_t i = 0; i < n; i++) {
        c->packets[i].pool = pool;
        c->packets[i].next = pool->local;
        pool->local = &c->packets[i];
    }
    pool->total += n;
}

struct tr_pkt *tr_pkt_alloc(struct tr_pkt_pool *pool)
{
    if (!pool->local)
        pool->local = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
    if (!pool->local)
        add_chunk(pool);
    struct tr_pkt *pkt = pool->local;
    if (!pkt)
        return NULL;
    pool->local = pkt->next;
    pkt->next = NULL;
    pkt->off = TR_PKT_HEADROOM;
    pkt->len = 0;
    atomic_store_explicit(&pkt->refs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->in_use, 1, memory_order_relaxed);
    return pkt;
}

void tr_pkt_free(struct tr_pkt *pkt)
{
    struct tr_pkt_pool *pool = pkt->pool;
    struct tr_pkt *head = atomic_load_explicit(&pool->returned, memory_order_relaxed);
    do {
        pkt->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&pool->returned, &head, pkt,
                                                    memory_order_release, memory_order_relaxed));
    /* Last: once this reads zero the pool may be destroyed. */
    atomic_fetch_sub_explicit(&pool->in_use, 1, memory_order_release);
}

uint32_t tr_pkt_pool_in_use(const struct tr_pkt_pool *pool)
{
    return atomic_load_explicit(&pool->in_use, memory_order_acquire);
}

/* Goal: packets come back to their pool from any thread, exactly once, with their bytes untouched.
 * Method: one thread allocates and shares, others check and drop; the thread sanitizer watches. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/pkt.h"

TEST(pkt_layout)
{
    struct tr_pkt_pool *pool = tr_pkt_pool_create(1);
    struct tr_pkt *p = tr_pkt_alloc(pool);
    CHECK_INT(p->off, TR_PKT_HEADROOM);
    CHECK_INT(tr_pkt_slice(p).n, 0);
    CHECK(tr_pkt_data(p) + TR_PKT_DATA_MAX + TR_PKT_TAILROOM == p->buf + TR_PKT_BYTES);
    CHECK((uintptr_t)p->meta % 16 == 0 && (uintptr_t)p->buf % 16 == 0);
    CHECK(tr_pkt_alloc(pool) == NULL); /* the maximum */
    CHECK_INT(tr_pkt_pool_in_use(pool), 1);
    tr_pkt_unref(&p);
    CHECK(p == NULL);
    tr_pkt_unref(&p);
    CHECK_INT(tr_pkt_pool_in_use(pool), 0);
    tr_pkt_pool_destroy(pool);
    tr_pkt_pool_destroy(NULL);
}

TEST(pkt_goes_back_with_the_last_reference)
{
    struct tr_pkt_pool *pool = tr_pkt_pool_create(1);
    struct tr_pkt *a = tr_pkt_alloc(pool), *b = tr_pkt_ref(a), *c;
    tr_pkt_unref(&a);
    CHECK(tr_pkt_alloc(pool) == NULL);
    tr_pkt_unref(&b);
    c = tr_pkt_alloc(pool);
    CHECK(c != NULL);
    tr_pkt_unref(&c);
    tr_pkt_pool_destroy(pool);
}

TEST(pkt_maximum_across_chunks)
{
    enum { MAX = 100 };
    struct tr_pkt *held[MAX];
    struct tr_pkt_pool *pool = tr_pkt_pool_create(MAX);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MAX; i++) {
            held[i] = tr_pkt_alloc(pool);
            CHECK(held[i] != NULL);
        }
        CHECK(tr_pkt_alloc(pool) == NULL);
        for (int i = 0; i < MAX; i++)
            tr_pkt_unref(&held[i]);
    }
    tr_pkt_pool_destroy(pool);
}

TEST_OOM(pkt_out_of_memory)
{
    struct tr_pkt_pool *pool = tr_pkt_pool_create(1);
    struct tr_pkt *p = pool ? tr_pkt_alloc(pool) : NULL;
    enum tr_err err = p ? TR_OK : TR_ERR_NOMEM;
    tr_pkt_unref(&p);
    tr_pkt_pool_destroy(pool);
    return err;
}

enum { READERS = 3, RING = 64, ROUNDS = 20000 };

/* A ring a reader: the allocating thread fills slots, the reader empties them. */
struct reader {
    pthread_t thread;
    _Atomic(struct tr_pkt *) ring[RING];
    int bad;
};

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct tr_pkt *p;
        while (!(p = atomic_exchange_explicit(&r->ring[i % RING], NULL, memory_order_acquire)))
            sched_yield();
        struct tr_slice s = tr_pkt_slice(p);
        if (s.n != 4 || tr_get32(s.p) != (uint32_t)i)
            r->bad++;
        tr_pkt_unref(&p);
    }
    return NULL;
}

static void share(struct reader *r, int i, struct tr_pkt *p)
{
    struct tr_pkt *free_slot = NULL;
    while (!atomic_compare_exchange_weak_explicit(&r->ring[i % RING], &free_slot, tr_pkt_ref(p),
                                                  memory_order_release, memory_order_relaxed)) {
        struct tr_pkt *again = p;
        tr_pkt_unref(&again);
        free_slot = NULL;
        sched_yield();
    }
}

TEST(pkt_across_threads)
{
    static struct reader readers[READERS];
    struct tr_pkt_pool *pool =
        tr_pkt_pool_create(RING); /* scarce: packets are used again at once */
    memset(readers, 0, sizeof readers);
    for (int r = 0; r < READERS; r++)
        CHECK_INT(pthread_create(&readers[r].thread, NULL, reader_main, &readers[r]), 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct tr_pkt *p;
        while (!(p = tr_pkt_alloc(pool)))
            sched_yield();
        tr_put32(tr_pkt_data(p), (uint32_t)i);
        p->len = 4;
        for (int r = 0; r < READERS; r++)
            share(&readers[r], i, p);
        tr_pkt_unref(&p);
    }
    for (int r = 0; r < READERS; r++) {
        CHECK_INT(pthread_join(readers[r].thread, NULL), 0);
        CHECK_INT(readers[r].bad, 0);
    }
    CHECK_INT(tr_pkt_pool_in_use(pool), 0);
    tr_pkt_pool_destroy(pool);
}

/* The packet: the one refcounted type. It comes from a pool, is filled by its owner, and is
 * immutable once a second reference exists. Any thread may hold and drop references; only the
 * pool's own thread may allocate. Memory goes back to the pool without a lock. */
#ifndef TR_PKT_H
#define TR_PKT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/time.h"

enum {
    TR_PKT_BYTES = 1800,   /* room for data: headroom + an MTU + tailroom */
    TR_PKT_HEADROOM = 128, /* kept free before data for headers added later */
    TR_PKT_TAILROOM = 64,  /* kept free after data for a tag or padding */
    TR_PKT_DATA_MAX = TR_PKT_BYTES - TR_PKT_HEADROOM - TR_PKT_TAILROOM,
    TR_PKT_META = 64 /* bytes that the user of the pool defines (media/rtp facts) */
};

struct tr_pkt_pool;

struct tr_pkt {
    _Atomic uint32_t refs;
    uint16_t off; /* of the data in buf */
    uint16_t len; /* of the data */
    tr_usec recv_us;
    struct tr_pkt_pool *pool;
    struct tr_pkt *next; /* of the pool's free list; the user's while allocated and unshared */
    _Alignas(16) uint8_t meta[TR_PKT_META];
    _Alignas(16) uint8_t buf[TR_PKT_BYTES];
};

/* packets_max bounds the memory; packets are taken from the heap in chunks as needed and kept.
 * NULL when memory is out. */
struct tr_pkt_pool *tr_pkt_pool_create(uint32_t packets_max);
/* Every packet must be back (asserted). NULL is fine. */
void tr_pkt_pool_destroy(struct tr_pkt_pool *pool);
/* A packet with one reference, off = TR_PKT_HEADROOM, len = 0, or NULL when the maximum is
 * reached. Pool's thread only. meta and buf are not cleared. */
struct tr_pkt *tr_pkt_alloc(struct tr_pkt_pool *pool);
uint32_t tr_pkt_pool_in_use(const struct tr_pkt_pool *pool);

static inline struct tr_pkt *tr_pkt_ref(struct tr_pkt *pkt)
{
    atomic_fetch_add_explicit(&pkt->refs, 1, memory_order_relaxed);
    return pkt;
}

void tr_pkt_free(struct tr_pkt *pkt); /* internal: last reference gone */

/* Drops the reference and sets the pointer to NULL; a NULL pointer is fine. */
static inline void tr_pkt_unref(struct tr_pkt **pkt)
{
    struct tr_pkt *p = *pkt;
    *pkt = NULL;
    if (p && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        tr_pkt_free(p);
}

static inline uint8_t *tr_pkt_data(struct tr_pkt *pkt)
{
    return pkt->buf + pkt->off;
}

static inline struct tr_slice tr_pkt_slice(const struct tr_pkt *pkt)
{
    return tr_slice(pkt->buf + pkt->off, pkt->len);
}

#endif

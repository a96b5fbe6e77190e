/* A prefix is a key of its own length: /32 and /24 of IPv4 in its mapped form, /64 and /56 of IPv6,
 * where a host has a whole /64. Counts stand in the map in place of pointers. */
#include "net/stream_quota.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

enum {
    CONNECTIONS = 32768,
    OF_ADDRESS = 1024,
    ADDRESSES_WORTH = 4, /* of a network */
    HANDSHAKES = 512,
    UNPROVEN = 4096,
};

struct tr_stream_quota {
    pthread_mutex_t lock;
    struct tr_stream_bounds max;
    struct tr_map *counts; /* key: prefix */
    uint32_t count;
    uint32_t crowd[STREAM_CROWDS], crowd_max[STREAM_CROWDS];
};

struct prefixes {
    struct tr_slice address, network;
};

static struct prefixes prefixes_of(const struct tr_addr *addr)
{
    bool v4 = tr_addr_is_v4(addr);
    return (struct prefixes){ .address = tr_slice(addr->ip, v4 ? 16 : 8),
                              .network = tr_slice(addr->ip, v4 ? 15 : 7) };
}

static uint32_t or_default(uint32_t v, uint32_t def)
{
    return v ? v : def;
}

static struct tr_stream_bounds with_defaults(const struct tr_stream_bounds *b)
{
    uint32_t address = or_default(b->address_max, OF_ADDRESS);
    uint32_t network =
        address > UINT32_MAX / ADDRESSES_WORTH ? UINT32_MAX : address * ADDRESSES_WORTH;
    return (struct tr_stream_bounds){ .connections_max =
                                          or_default(b->connections_max, CONNECTIONS),
                                      .address_max = address,
                                      .network_max = or_default(b->network_max, network),
                                      .handshakes_max = or_default(b->handshakes_max, HANDSHAKES),
                                      .unproven_max = or_default(b->unproven_max, UNPROVEN) };
}

struct tr_stream_quota *tr_stream_quota_create(const struct tr_stream_bounds *bounds, uint64_t seed)
{
    struct tr_stream_quota *q = tr_alloc(sizeof *q);
    if (!q)
        return NULL;
    q->max = with_defaults(bounds);
    q->crowd_max[STREAM_HANDSHAKES] = q->max.handshakes_max;
    q->crowd_max[STREAM_UNPROVEN] = q->max.unproven_max;
    q->counts = tr_map_create(2 * q->max.connections_max, seed);
    if (!q->counts) {
        tr_free(q);
        return NULL;
    }
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

void tr_stream_quota_destroy(struct tr_stream_quota *q)
{
    if (!q)
        return;
    TR_ASSERT(q->count == 0 && q->crowd[STREAM_HANDSHAKES] == 0 && q->crowd[STREAM_UNPROVEN] == 0);
    pthread_mutex_destroy(&q->lock);
    tr_map_destroy(q->counts);
    tr_free(q);
}

uint32_t stream_quota_most(const struct tr_stream_quota *q)
{
    return q->max.connections_max;
}

static uintptr_t count_of(const struct tr_stream_quota *q, struct tr_slice key)
{
    return (uintptr_t)tr_map_get(q->counts, key);
}

static enum tr_err set_count(struct tr_stream_quota *q, struct tr_slice key, uintptr_t n)
{
    tr_map_remove(q->counts, key);
    return n ? tr_map_add(q->counts, key, (void *)n) : TR_OK;
}

static enum tr_err take_prefixes(struct tr_stream_quota *q, const struct tr_addr *addr)
{
    struct prefixes p = prefixes_of(addr);
    uintptr_t address = count_of(q, p.address), network = count_of(q, p.network);
    if (address >= q->max.address_max || network >= q->max.network_max)
        return TR_ERR_LIMIT;
    enum tr_err err = set_count(q, p.address, address + 1);
    if (err != TR_OK)
        return err;
    err = set_count(q, p.network, network + 1);
    if (err != TR_OK) /* a count that was there has its room still */
        TR_ASSERT(set_count(q, p.address, address) == TR_OK);
    return err;
}

static void give_prefixes(struct tr_stream_quota *q, const struct tr_addr *addr)
{
    struct prefixes p = prefixes_of(addr);
    uintptr_t address = count_of(q, p.address), network = count_of(q, p.network);
    TR_ASSERT(address > 0 && network > 0);
    enum tr_err a = set_count(q, p.address, address - 1);
    enum tr_err n = set_count(q, p.network, network - 1);
    TR_ASSERT(a == TR_OK && n == TR_OK); /* there was room for them */
}

enum tr_err stream_quota_take(struct tr_stream_quota *q, const struct tr_addr *addr)
{
    pthread_mutex_lock(&q->lock);
    enum tr_err err = q->count < q->max.connections_max ? TR_OK : TR_ERR_LIMIT;
    if (err == TR_OK && addr)
        err = take_prefixes(q, addr);
    q->count += err == TR_OK;
    pthread_mutex_unlock(&q->lock);
    return err;
}

void stream_quota_give(struct tr_stream_quota *q, const struct tr_addr *addr)
{
    pthread_mutex_lock(&q->lock);
    TR_ASSERT(q->count > 0);
    q->count--;
    if (addr)
        give_prefixes(q, addr);
    pthread_mutex_unlock(&q->lock);
}

bool stream_quota_enter(struct tr_stream_quota *q, enum stream_crowd crowd)
{
    pthread_mutex_lock(&q->lock);
    bool room = q->crowd[crowd] < q->crowd_max[crowd];
    q->crowd[crowd] += room;
    pthread_mutex_unlock(&q->lock);
    return room;
}

void stream_quota_leave(struct tr_stream_quota *q, enum stream_crowd crowd)
{
    pthread_mutex_lock(&q->lock);
    TR_ASSERT(q->crowd[crowd] > 0);
    q->crowd[crowd]--;
    pthread_mutex_unlock(&q->lock);
}

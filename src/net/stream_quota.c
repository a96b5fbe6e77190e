/* A prefix is a key of its own length: /32 and /24 of IPv4 in its mapped form, /64 and /56 of IPv6,
 * where a host has a whole /64. Counts stand in the map in place of pointers. */
#include "net/stream_quota.h"

#include "base/assert.h"
#include "base/map.h"

struct prefixes {
    struct tr_slice address, network;
};

static struct prefixes prefixes_of(const struct tr_addr *addr)
{
    bool v4 = tr_addr_is_v4(addr);
    return (struct prefixes){ .address = tr_slice(addr->ip, v4 ? 16 : 8),
                              .network = tr_slice(addr->ip, v4 ? 15 : 7) };
}

enum tr_err stream_quota_init(struct stream_quota *quota, uint32_t most, uint32_t address_max,
                              uint32_t network_max, uint64_t seed)
{
    quota->address_max = address_max;
    quota->network_max = network_max;
    quota->counts = tr_map_create(2 * most, seed);
    return quota->counts ? TR_OK : TR_ERR_NOMEM;
}

void stream_quota_deinit(struct stream_quota *quota)
{
    tr_map_destroy(quota->counts);
}

static uintptr_t count_of(const struct stream_quota *quota, struct tr_slice key)
{
    return (uintptr_t)tr_map_get(quota->counts, key);
}

static enum tr_err set_count(struct stream_quota *quota, struct tr_slice key, uintptr_t n)
{
    tr_map_remove(quota->counts, key);
    return n ? tr_map_add(quota->counts, key, (void *)n) : TR_OK;
}

enum tr_err stream_quota_take(struct stream_quota *quota, const struct tr_addr *addr)
{
    struct prefixes p = prefixes_of(addr);
    uintptr_t address = count_of(quota, p.address), network = count_of(quota, p.network);
    if (address >= quota->address_max || network >= quota->network_max)
        return TR_ERR_LIMIT;
    enum tr_err err = set_count(quota, p.address, address + 1);
    if (err != TR_OK)
        return err;
    err = set_count(quota, p.network, network + 1);
    if (err != TR_OK) /* a count that was there has its room still */
        TR_ASSERT(set_count(quota, p.address, address) == TR_OK);
    return err;
}

void stream_quota_give(struct stream_quota *quota, const struct tr_addr *addr)
{
    struct prefixes p = prefixes_of(addr);
    uintptr_t address = count_of(quota, p.address), network = count_of(quota, p.network);
    TR_ASSERT(address > 0 && network > 0);
    enum tr_err a = set_count(quota, p.address, address - 1);
    enum tr_err n = set_count(quota, p.network, network - 1);
    TR_ASSERT(a == TR_OK && n == TR_OK); /* there was room for them */
}

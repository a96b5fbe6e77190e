/* Token buckets as one time each: when the bucket will be full again. An answer moves that time on
 * by the price of one; what lies further ahead than a second's worth is refused. A bucket whose
 * time has passed is full, which is the same as not known: it can make room. So a flood of lone
 * senders takes slots for 1 / per_second each, and when all slots of a set are taken newcomers
 * wait, while those who were there keep theirs (though their network, idle ten times as soon, may
 * lose its). */
#include "turn/throttle.h"

#include "base/mem.h"

enum { WAYS = 4, NETWORK_SHARE = 10, SLOTS_MAX = 1 << 24 };

struct slot { /* WAYS of them lie in one cache line */
    uint64_t key;
    tr_usec full_at;
};

struct tr_throttle {
    uint64_t seed;
    tr_usec host_price, network_price;
    uint32_t sets; /* a power of two */
    struct slot slots[];
};

struct tr_throttle *tr_throttle_create(uint32_t slots, uint32_t per_second, uint64_t seed)
{
    uint32_t sets = 1;
    while (sets * WAYS < slots && sets * WAYS < SLOTS_MAX)
        sets *= 2;
    struct tr_throttle *t = tr_alloc(sizeof *t + sizeof *t->slots * WAYS * sets);
    if (!t)
        return NULL;
    t->sets = sets;
    t->seed = seed;
    t->host_price = per_second ? TR_SECOND / per_second : 0;
    t->network_price = t->host_price / NETWORK_SHARE;
    return t;
}

void tr_throttle_destroy(struct tr_throttle *throttle)
{
    tr_free(throttle);
}

/* The bucket of the first `bytes` bytes of an address; NULL: no room. */
static struct slot *find(struct tr_throttle *t, tr_usec now, const struct tr_addr *source,
                         size_t bytes)
{
    struct tr_addr prefix = { .port = (uint16_t)bytes };
    for (size_t i = 0; i < bytes; i++)
        prefix.ip[i] = source->ip[i];
    uint64_t key = tr_addr_hash(&prefix, t->seed);
    struct slot *set = &t->slots[(size_t)(key & (t->sets - 1)) * WAYS], *idle = NULL;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].full_at <= now)
            idle = &set[i];
    }
    if (idle)
        *idle = (struct slot){ .key = key, .full_at = now };
    return idle;
}

static bool holds(struct slot *s, tr_usec now, tr_usec price)
{
    if (!s)
        return false;
    s->full_at = s->full_at > now ? s->full_at : now;
    return s->full_at + price - now <= TR_SECOND;
}

bool tr_throttle_allow(struct tr_throttle *throttle, tr_usec now, const struct tr_addr *source)
{
    bool v4 = tr_addr_is_v4(source);
    if (throttle->host_price == 0)
        return true;
    struct slot *host = find(throttle, now, source, v4 ? 16 : 8);
    bool known = host && host->full_at > now;
    if (!holds(host, now, throttle->host_price))
        return false;
    host->full_at += throttle->host_price; /* now it is not idle: its network takes another slot */
    struct slot *network = find(throttle, now, source, v4 ? 15 : 6);
    if (network ? holds(network, now, throttle->network_price) : known) {
        if (network)
            network->full_at += throttle->network_price;
        return true;
    }
    host->full_at -= throttle->host_price;
    return false;
}

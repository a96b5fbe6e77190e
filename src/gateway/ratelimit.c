/* Buckets hold time: a source may ask when the time that its requests have used up lies no further
 * ahead than the burst allows (the generic cell rate algorithm: one number a source, no refill). */
#include "gateway/ratelimit.h"

#include <string.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/mem.h"

struct source {
    uint8_t key[16];
    tr_usec due; /* when all that was taken will have been paid for */
    TAILQ_ENTRY(source) link;
};

struct tr_ratelimit {
    tr_usec cost;   /* of one request */
    tr_usec credit; /* burst */
    uint32_t max;
    struct tr_map *by_addr;
    TAILQ_HEAD(, source) recent; /* the longest silent first */
};

struct tr_ratelimit *tr_ratelimit_create_every(tr_usec interval, uint32_t burst,
                                               uint32_t sources_max, uint64_t seed)
{
    struct tr_ratelimit *limit = tr_alloc(sizeof(*limit));
    if (!limit)
        return NULL;
    TAILQ_INIT(&limit->recent);
    limit->max = sources_max;
    limit->cost = interval;
    limit->credit = interval * burst;
    limit->by_addr = tr_map_create(sources_max, seed);
    if (!limit->by_addr) {
        tr_ratelimit_destroy(limit);
        return NULL;
    }
    return limit;
}

struct tr_ratelimit *tr_ratelimit_create(uint32_t per_s, uint32_t burst, uint32_t sources_max,
                                         uint64_t seed)
{
    const tr_usec interval = per_s > 0 ? (TR_SECOND + per_s - 1) / per_s : 0;
    const uint32_t twice = per_s < UINT32_MAX / 2 ? per_s * 2 : UINT32_MAX;
    return tr_ratelimit_create_every(interval, burst > 0 ? burst : twice, sources_max, seed);
}

void tr_ratelimit_destroy(struct tr_ratelimit *limit)
{
    if (!limit)
        return;
    struct source *s;
    while ((s = TAILQ_FIRST(&limit->recent))) {
        TAILQ_REMOVE(&limit->recent, s, link);
        tr_free(s);
    }
    tr_map_destroy(limit->by_addr);
    tr_free(limit);
}

static struct source *find_source(struct tr_ratelimit *limit, const uint8_t key[16], tr_usec now)
{
    struct source *s = tr_map_get(limit->by_addr, tr_slice(key, 16));
    if (s) {
        TAILQ_REMOVE(&limit->recent, s, link);
        TAILQ_INSERT_TAIL(&limit->recent, s, link);
        return s;
    }
    if (tr_map_count(limit->by_addr) >= limit->max && (s = TAILQ_FIRST(&limit->recent))) {
        TAILQ_REMOVE(&limit->recent, s, link);
        tr_map_remove(limit->by_addr, tr_slice(s->key, 16));
        tr_free(s);
    }
    s = tr_alloc(sizeof(*s));
    if (!s)
        return NULL;
    memcpy(s->key, key, 16);
    s->due = now;
    if (tr_map_add(limit->by_addr, tr_slice(key, 16), s) != TR_OK) {
        tr_free(s);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&limit->recent, s, link);
    return s;
}

static void key_of(const struct tr_addr *source, uint8_t key[16])
{
    memcpy(key, source->ip, 16);
    if (!tr_addr_is_v4(source))
        memset(key + 8, 0, 8);
}

bool tr_ratelimit_spent(const struct tr_ratelimit *limit, const struct tr_addr *source, tr_usec now)
{
    uint8_t key[16];
    key_of(source, key);
    const struct source *s = tr_map_get(limit->by_addr, tr_slice(key, 16));
    return s && s->due > now && s->due - now + limit->cost > limit->credit;
}

bool tr_ratelimit_take(struct tr_ratelimit *limit, const struct tr_addr *source, tr_usec now)
{
    if (limit->cost == 0)
        return true;
    uint8_t key[16];
    key_of(source, key);

    struct source *s = find_source(limit, key, now);
    if (!s)
        return false;
    tr_usec due = (s->due > now ? s->due : now) + limit->cost;
    if (due - now > limit->credit)
        return false;
    s->due = due;
    return true;
}

/* Linear probing with backward-shift deletion, so there are no tombstones to age. The load stays at
 * or below one half. The hash is SipHash-1-3's shape reduced to what short keys need: keyed, and
 * good enough that chosen keys do not collide without knowing the seed. */
#include "base/map.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

struct entry {
    void *value; /* NULL: free */
    uint64_t hash;
    uint8_t len;
    uint8_t key[TR_MAP_KEY_MAX];
};

struct tr_map {
    struct entry *entries;
    uint32_t size; /* a power of two, or 0 */
    uint32_t count;
    uint32_t max;
    uint64_t seed;
};

enum { FIRST_SIZE = 16 };

static uint64_t rotl(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotl(v[1], 13) ^ v[0], v[0] = rotl(v[0], 32);
    v[2] += v[3], v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotl(v[1], 17) ^ v[2], v[2] = rotl(v[2], 32);
}

static uint64_t hash_key(uint64_t seed, struct tr_slice key)
{
    uint64_t k0 = seed, k1 = seed * 0x9e3779b97f4a7c15ull + 1;
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull,
                      k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull };
    size_t i = 0;
    uint64_t m;
    for (; i + 8 <= key.n; i += 8) {
        memcpy(&m, key.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    m = (uint64_t)key.n << 56;
    for (size_t j = 0; i + j < key.n; j++)
        m |= (uint64_t)key.p[i + j] << (8 * j);
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
    v[2] ^= 0xff;
    sip_round(v), sip_round(v), sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct tr_map *tr_map_create(uint32_t max, uint64_t seed)
{
    TR_ASSERT(max > 0 && max <= 1u << 30);
    struct tr_map *map = tr_alloc(sizeof *map);
    if (map) {
        map->max = max;
        map->seed = seed;
    }
    return map;
}

void tr_map_destroy(struct tr_map *map)
{
    if (!map)
        return;
    tr_free(map->entries);
    tr_free(map);
}

/* The entry with the key, or the free one where it would go. The table is never full. */
static struct entry *probe(const struct tr_map *map, uint64_t hash, struct tr_slice key)
{
    for (uint32_t i = (uint32_t)hash & (map->size - 1);; i = (i + 1) & (map->size - 1)) {
        struct entry *e = &map->entries[i];
        if (!e->value || (e->hash == hash && tr_slice_eq(tr_slice(e->key, e->len), key)))
            return e;
    }
}

void *tr_map_get(const struct tr_map *map, struct tr_slice key)
{
    if (map->size == 0 || key.n == 0 || key.n > TR_MAP_KEY_MAX)
        return NULL;
    return probe(map, hash_key(map->seed, key), key)->value;
}

static enum tr_err grow(struct tr_map *map)
{
    uint32_t old_size = map->size;
    struct entry *old = map->entries;
    uint32_t size = old_size ? old_size * 2 : FIRST_SIZE;
    struct entry *entries = tr_alloc(size * sizeof *entries);
    if (!entries)
        return TR_ERR_NOMEM;
    map->entries = entries;
    map->size = size;
    for (uint32_t i = 0; i < old_size; i++) {
        if (old[i].value)
            *probe(map, old[i].hash, tr_slice(old[i].key, old[i].len)) = old[i];
    }
    tr_free(old);
    return TR_OK;
}

enum tr_err tr_map_add(struct tr_map *map, struct tr_slice key, void *value)
{
    TR_ASSERT(value);
    if (key.n == 0 || key.n > TR_MAP_KEY_MAX)
        return TR_ERR_INVAL;
    if (tr_map_get(map, key))
        return TR_ERR_EXISTS;
    if (map->count >= map->max)
        return TR_ERR_LIMIT;
    if ((map->count + 1) * 2 > map->size) {
        enum tr_err err = grow(map);
        if (err != TR_OK)
            return err;
    }
    uint64_t hash = hash_key(map->seed, key);
    struct entry *e = probe(map, hash, key);
    *e = (struct entry){ .value = value, .hash = hash, .len = (uint8_t)key.n };
    memcpy(e->key, key.p, key.n);
    map->count++;
    return TR_OK;
}

void *tr_map_remove(struct tr_map *map, struct tr_slice key)
{
    if (!tr_map_get(map, key))
        return NULL;
    struct entry *e = probe(map, hash_key(map->seed, key), key);
    void *value = e->value;
    uint32_t mask = map->size - 1;
    uint32_t hole = (uint32_t)(e - map->entries);
    for (uint32_t i = (hole + 1) & mask; map->entries[i].value; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)map->entries[i].hash & mask;
        /* An entry may fill the hole unless its home lies behind the hole on its way here. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole].value = NULL;
    map->count--;
    return value;
}

uint32_t tr_map_count(const struct tr_map *map)
{
    return map->count;
}

int tr_map_next(const struct tr_map *map, uint32_t *cursor, struct tr_slice *key, void **value)
{
    for (uint32_t i = *cursor; i < map->size; i++) {
        const struct entry *e = &map->entries[i];
        if (e->value) {
            *cursor = i + 1;
            *key = tr_slice(e->key, e->len);
            *value = e->value;
            return 1;
        }
    }
    *cursor = map->size;
    return 0;
}

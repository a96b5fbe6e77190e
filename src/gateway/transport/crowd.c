/* A source is in the map while it has a connection, and counts them. */
#include "gateway/transport/crowd.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct tr_crowd_source {
    uint8_t key[16];
    uint32_t count;
};

struct tr_crowd {
    uint32_t each_max;
    struct tr_map *sources;
};

struct tr_crowd *tr_crowd_create(uint32_t sources_max, uint32_t each_max, uint64_t seed)
{
    struct tr_crowd *crowd = tr_alloc(sizeof(*crowd));
    if (!crowd)
        return NULL;
    crowd->each_max = each_max;
    crowd->sources = tr_map_create(sources_max, seed);
    if (!crowd->sources) {
        tr_free(crowd);
        return NULL;
    }
    return crowd;
}

void tr_crowd_destroy(struct tr_crowd *crowd)
{
    if (!crowd)
        return;
    tr_map_destroy(crowd->sources);
    tr_free(crowd);
}

struct tr_crowd_source *tr_crowd_enter(struct tr_crowd *crowd, const struct tr_addr *addr)
{
    uint8_t key[16];
    memcpy(key, addr->ip, sizeof(key));
    if (!tr_addr_is_v4(addr))
        memset(key + 8, 0, 8);
    struct tr_crowd_source *source = tr_map_get(crowd->sources, tr_slice(key, sizeof(key)));
    if (!source) {
        source = tr_alloc(sizeof(*source));
        if (!source)
            return NULL;
        memcpy(source->key, key, sizeof(key));
        if (tr_map_add(crowd->sources, tr_slice(key, sizeof(key)), source) != TR_OK) {
            tr_free(source);
            return NULL;
        }
    }
    if (source->count == crowd->each_max)
        return NULL;
    source->count++;
    return source;
}

void tr_crowd_leave(struct tr_crowd *crowd, struct tr_crowd_source *source)
{
    if (!source || --source->count > 0)
        return;
    tr_map_remove(crowd->sources, tr_slice(source->key, sizeof(source->key)));
    tr_free(source);
}

/* Goal: heap, map, id table and arena do what a naive model does, keep their maximum, and survive
 * every allocation failing. Method: random operations from a seed beside the model. */
#include "unit.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/heap.h"
#include "base/idtab.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"

enum { ITEMS = 60, OPS = 600, SEEDS = 100 };

/* -- heap ------------------------------------------------------------------------------------- */

static tr_usec model_min(const struct tr_heap_node *nodes, const bool *in)
{
    tr_usec min = TR_NEVER;
    for (int i = 0; i < ITEMS; i++)
        min = in[i] ? tr_usec_min(min, nodes[i].key) : min;
    return min;
}

static void heap_op(struct tr_heap *heap, struct tr_heap_node *node, bool *in, struct tr_rng *rng)
{
    uint64_t op = tr_rng_below(rng, 10);
    if (op < 7) {
        bool room = *in || heap->count < heap->max;
        tr_usec key = (tr_usec)tr_rng_below(rng, 50) - 10;
        CHECK_INT(tr_heap_set(heap, node, key), room ? TR_OK : TR_ERR_LIMIT);
        *in = room;
    } else if (op == 7) {
        CHECK_INT(tr_heap_set(heap, node, TR_NEVER), TR_OK);
        *in = false;
    } else {
        tr_heap_remove(heap, node);
        *in = false;
    }
}

TEST(heap_matches_model)
{
    FOR_EACH_SEED (seed, SEEDS) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct tr_heap_node nodes[ITEMS] = { 0 };
        bool in[ITEMS] = { false };
        struct tr_heap heap;
        tr_heap_init(&heap, 20 + (uint32_t)tr_rng_below(&rng, ITEMS));
        for (int op = 0; op < OPS; op++) {
            uint64_t i = tr_rng_below(&rng, ITEMS);
            heap_op(&heap, &nodes[i], &in[i], &rng);
            struct tr_heap_node *min = tr_heap_min(&heap);
            CHECK_INT(min ? min->key : TR_NEVER, model_min(nodes, in));
        }
        tr_usec last = INT64_MIN;
        for (struct tr_heap_node *min; (min = tr_heap_min(&heap)); tr_heap_remove(&heap, min)) {
            CHECK(min->key >= last);
            last = min->key;
        }
        tr_heap_deinit(&heap);
    }
}

TEST_OOM(heap_out_of_memory)
{
    struct tr_heap_node nodes[40] = { 0 };
    struct tr_heap heap;
    enum tr_err err = TR_OK;
    tr_heap_init(&heap, 40);
    for (size_t i = 0; i < TR_ARRAY_LEN(nodes) && err == TR_OK; i++) {
        err = tr_heap_set(&heap, &nodes[i], (tr_usec)(40 - i));
        CHECK_INT(heap.count, i + (err == TR_OK));
        CHECK_INT(nodes[i].pos != 0, err == TR_OK);
    }
    tr_heap_deinit(&heap);
    return err;
}

/* -- map -------------------------------------------------------------------------------------- */

/* Few keys, so that runs of neighbours form and deletion shifts them back. */
static struct tr_slice map_key(char *buf, uint64_t i)
{
    int n = snprintf(buf, TR_MAP_KEY_MAX, "%0*d", 1 + (int)(i % 60), (int)i);
    return tr_slice(buf, (size_t)n);
}

static void map_check(const struct tr_map *map, const bool *in, int *values)
{
    uint32_t live = 0, walked = 0, cursor = 0;
    char buf[TR_MAP_KEY_MAX];
    struct tr_slice key;
    void *value;
    for (uint64_t i = 0; i < ITEMS; i++) {
        CHECK(tr_map_get(map, map_key(buf, i)) == (in[i] ? &values[i] : NULL));
        live += in[i];
    }
    while (tr_map_next(map, &cursor, &key, &value)) {
        CHECK(tr_slice_eq(key, map_key(buf, (uint64_t)((int *)value - values))));
        walked++;
    }
    CHECK_INT(walked, live);
    CHECK_INT(tr_map_count(map), live);
}

static void map_op(struct tr_map *map, uint64_t i, bool *in, int *value, bool remove, uint32_t max)
{
    char buf[TR_MAP_KEY_MAX];
    struct tr_slice key = map_key(buf, i);
    if (remove) {
        CHECK(tr_map_remove(map, key) == (*in ? value : NULL));
        *in = false;
        return;
    }
    enum tr_err want = *in ? TR_ERR_EXISTS : tr_map_count(map) == max ? TR_ERR_LIMIT : TR_OK;
    CHECK_INT(tr_map_add(map, key, value), want);
    *in = *in || want == TR_OK;
}

TEST(map_matches_model)
{
    FOR_EACH_SEED (seed, SEEDS) {
        struct tr_rng rng = tr_rng_seeded(seed);
        bool in[ITEMS] = { false };
        int values[ITEMS] = { 0 };
        uint32_t max = 20 + (uint32_t)tr_rng_below(&rng, ITEMS);
        struct tr_map *map = tr_map_create(max, tr_rng_u64(&rng));
        for (int op = 0; op < OPS; op++) {
            uint64_t i = tr_rng_below(&rng, ITEMS);
            map_op(map, i, &in[i], &values[i], tr_rng_below(&rng, 2), max);
            if (op % 7 == 0)
                map_check(map, in, values);
        }
        map_check(map, in, values);
        tr_map_destroy(map);
    }
}

TEST(map_refuses_bad_keys)
{
    uint8_t big[TR_MAP_KEY_MAX + 1] = { 0 };
    struct tr_map *map = tr_map_create(2, 1);
    CHECK_INT(tr_map_add(map, tr_slice(NULL, 0), &big), TR_ERR_INVAL);
    CHECK_INT(tr_map_add(map, tr_slice(big, sizeof big), &big), TR_ERR_INVAL);
    CHECK_INT(tr_map_add(map, tr_slice(big, sizeof big - 1), &big), TR_OK);
    CHECK_INT(tr_map_add(map, tr_slice(big, sizeof big - 2), &big),
              TR_OK); /* a prefix is another */
    CHECK_INT(tr_map_add(map, tr_slice_str("x"), &big), TR_ERR_LIMIT);
    CHECK(tr_map_get(map, tr_slice(big, sizeof big)) == NULL);
    CHECK(tr_map_remove(map, tr_slice(NULL, 0)) == NULL);
    tr_map_destroy(map);
    tr_map_destroy(NULL);
}

TEST_OOM(map_out_of_memory)
{
    struct tr_map *map = tr_map_create(100, 7);
    enum tr_err err = map ? TR_OK : TR_ERR_NOMEM;
    char buf[TR_MAP_KEY_MAX];
    for (uint64_t i = 0; i < 100 && err == TR_OK; i++) {
        err = tr_map_add(map, map_key(buf, i), buf);
        CHECK_INT(tr_map_count(map), i + (err == TR_OK));
        CHECK(i == 0 || tr_map_get(map, map_key(buf, i - 1)) == buf);
    }
    tr_map_destroy(map);
    return err;
}

/* -- id table --------------------------------------------------------------------------------- */

TEST(idtab_stale_ids_find_nothing)
{
    int a = 0, b = 0;
    struct tr_idtab *tab = tr_idtab_create(1);
    tr_id first = tr_idtab_add(tab, &a);
    CHECK(first != 0 && tr_id_slot(first) == 0);
    CHECK_INT(tr_idtab_add(tab, &b), 0); /* full */
    CHECK(tr_idtab_remove(tab, first) == &a);
    CHECK(tr_idtab_remove(tab, first) == NULL);
    tr_id second = tr_idtab_add(tab, &b);
    CHECK(second != first && tr_id_slot(second) == tr_id_slot(first));
    CHECK(tr_idtab_get(tab, first) == NULL);
    CHECK(tr_idtab_get(tab, second) == &b);
    CHECK(tr_idtab_get(tab, 0) == NULL);
    CHECK(tr_idtab_get(tab, UINT64_MAX) == NULL);
    CHECK(tr_idtab_get(tab, second + 1) == NULL);
    tr_idtab_destroy(tab);
    tr_idtab_destroy(NULL);
}

static void idtab_check(const struct tr_idtab *tab, const tr_id *ids, int *values)
{
    uint32_t live = 0, walked = 0;
    for (int i = 0; i < ITEMS; i++) {
        CHECK(ids[i] == 0 || tr_idtab_get(tab, ids[i]) == &values[i]);
        live += ids[i] != 0;
    }
    for (tr_id id = tr_idtab_next(tab, 0); id; id = tr_idtab_next(tab, id)) {
        int *value = tr_idtab_get(tab, id);
        CHECK(value && ids[value - values] == id);
        walked++;
    }
    CHECK_INT(walked, live);
    CHECK_INT(tr_idtab_count(tab), live);
}

TEST(idtab_matches_model)
{
    FOR_EACH_SEED (seed, SEEDS) {
        struct tr_rng rng = tr_rng_seeded(seed);
        tr_id ids[ITEMS] = { 0 }, gone = 0;
        int values[ITEMS] = { 0 };
        uint32_t max = 20 + (uint32_t)tr_rng_below(&rng, ITEMS);
        struct tr_idtab *tab = tr_idtab_create(max);
        for (int op = 0; op < OPS; op++) {
            uint64_t i = tr_rng_below(&rng, ITEMS);
            bool full = tr_idtab_count(tab) == max;
            if (ids[i]) {
                gone = ids[i];
                CHECK(tr_idtab_remove(tab, ids[i]) == &values[i]);
                ids[i] = 0;
            } else {
                ids[i] = tr_idtab_add(tab, &values[i]);
                CHECK_INT(ids[i] == 0, full);
            }
            CHECK(tr_idtab_get(tab, gone) == NULL);
            if (op % 7 == 0)
                idtab_check(tab, ids, values);
        }
        tr_idtab_destroy(tab);
    }
}

TEST_OOM(idtab_out_of_memory)
{
    int value = 0;
    struct tr_idtab *tab = tr_idtab_create(100);
    enum tr_err err = tab ? TR_OK : TR_ERR_NOMEM;
    for (uint32_t i = 0; i < 100 && err == TR_OK; i++) {
        err = tr_idtab_add(tab, &value) ? TR_OK : TR_ERR_NOMEM;
        CHECK_INT(tr_idtab_count(tab), i + (err == TR_OK));
    }
    tr_idtab_destroy(tab);
    return err;
}

/* -- arena ------------------------------------------------------------------------------------ */

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

TEST(arena_objects_are_apart_zeroed_and_aligned)
{
    enum { OBJECTS = 300 };
    FOR_EACH_SEED (seed, 20) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct tr_arena *arena = tr_arena_create(1 << 20);
        struct tr_buf objects[OBJECTS];
        for (int i = 0; i < OBJECTS; i++) {
            size_t n = tr_rng_below(&rng, 20) ? tr_rng_below(&rng, 300) : tr_rng_below(&rng, 9000);
            objects[i] = (struct tr_buf){ .p = tr_arena_alloc(arena, n), .n = n };
            CHECK(objects[i].p && (uintptr_t)objects[i].p % 16 == 0 && all_zero(objects[i].p, n));
            memset(objects[i].p, 1 + i % 255, n);
        }
        for (int i = 0; i < OBJECTS; i++) {
            for (size_t k = 0; k < objects[i].n; k++)
                CHECK(objects[i].p[k] == 1 + i % 255);
        }
        tr_arena_destroy(arena);
    }
}

TEST(arena_keeps_its_maximum)
{
    struct tr_arena *arena = tr_arena_create(100); /* far below a block */
    CHECK(tr_arena_alloc(arena, 101) == NULL);
    CHECK(tr_arena_alloc(arena, SIZE_MAX) == NULL);
    CHECK(tr_arena_alloc(arena, SIZE_MAX - 15) == NULL);
    CHECK(tr_arena_alloc(arena, 64) != NULL);
    CHECK_STR(tr_arena_strdup(arena, "fifteen letters"), "fifteen letters");
    CHECK(tr_arena_strdup(arena, "sixteen  letters") == NULL);
    CHECK(tr_arena_bytes(arena) <= 100);
    tr_arena_destroy(arena);
    tr_arena_destroy(NULL);
}

TEST(arena_large_object_leaves_the_block_in_use)
{
    struct tr_arena *arena = tr_arena_create(1 << 20);
    char *a = tr_arena_alloc(arena, 16);
    CHECK(tr_arena_alloc(arena, 100000) != NULL);
    size_t bytes = tr_arena_bytes(arena);
    CHECK(tr_arena_alloc(arena, 16) == a + 16);
    CHECK_INT(tr_arena_bytes(arena), bytes);
    tr_arena_destroy(arena);
}

TEST_OOM(arena_out_of_memory)
{
    struct tr_arena *arena = tr_arena_create(1 << 20);
    enum tr_err err = arena ? TR_OK : TR_ERR_NOMEM;
    for (size_t n = 1; n < 20000 && err == TR_OK; n *= 3)
        err = tr_arena_alloc(arena, n) ? TR_OK : TR_ERR_NOMEM;
    tr_arena_destroy(arena);
    return err;
}

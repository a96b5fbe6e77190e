/* Goal: a viewer gets the best layer that flows, at or below what it asked for, and changes layers
 * at key frames only. Method: tables, then random layers against the rules, over many seeds. */
#include "media/layer.h"

#include "base/rng.h"
#include "unit.h"

enum { NOW = 10000000, LAYERS = 3 };
#define FALLBACK TR_LAYER_FALLBACK_US

TEST(the_best_that_flows_at_or_below_what_was_asked)
{
    static const struct {
        bool flows[LAYERS];
        int max, target;
    } cases[] = {
        { { 1, 1, 1 }, 2, 2 }, { { 1, 1, 1 }, 1, 1 }, { { 1, 1, 1 }, 0, 0 }, { { 1, 0, 1 }, 1, 0 },
        { { 1, 1, 0 }, 2, 1 }, { { 0, 0, 1 }, 0, 2 }, { { 0, 1, 1 }, 0, 1 }, { { 0, 0, 0 }, 2, -1 },
        { { 1, 0, 0 }, 2, 0 }, { { 0, 1, 0 }, 9, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tr_layer_choice c;
        tr_usec last[LAYERS];
        for (int l = 0; l < LAYERS; l++)
            last[l] = cases[i].flows[l] ? NOW - FALLBACK : l == 1 ? NOW - FALLBACK - 1 : 0;
        tr_layer_init(&c);
        tr_layer_update(&c, NOW, last, LAYERS, cases[i].max, FALLBACK);
        if (!CHECK(c.target == cases[i].target))
            unit_note("    case %d: %d, not %d", (int)i, c.target, cases[i].target);
        CHECK_INT(tr_layer_waits(&c), cases[i].target >= 0);
    }
}

static struct tr_layer_out last_out;

/* A packet of a simulcast stream without layers of its own. */
static bool take(struct tr_layer_choice *c, int layer, bool key, bool *switched)
{
    struct tr_rtp_meta m = { .layer = (uint8_t)layer };
    bool taken = tr_layer_take(c, &m, NULL, key, &last_out);
    *switched = taken && last_out.switched;
    return taken;
}

TEST(changes_at_a_key_frame_of_the_target)
{
    struct tr_layer_choice c;
    tr_usec last[LAYERS] = { NOW, NOW, NOW };
    bool switched;
    tr_layer_init(&c);
    CHECK(!take(&c, 0, true, &switched)); /* nothing was chosen yet */
    tr_layer_update(&c, NOW, last, LAYERS, 0, FALLBACK);
    CHECK(!take(&c, 0, false, &switched) && !switched);
    CHECK(!take(&c, 1, true, &switched) && !switched);
    CHECK(take(&c, 0, true, &switched) && switched);
    CHECK(take(&c, 0, true, &switched) && !switched);
    tr_layer_update(&c, NOW, last, LAYERS, 2, FALLBACK);
    CHECK(tr_layer_waits(&c));
    CHECK(take(&c, 0, false, &switched) && !switched); /* the old one goes on until then */
    CHECK(!take(&c, 1, true, &switched));              /* on the way is not there */
    CHECK(!take(&c, 2, false, &switched));
    CHECK(take(&c, 2, true, &switched) && switched);
    CHECK(!tr_layer_waits(&c));
    CHECK(!take(&c, 0, true, &switched));
    last[0] = last[1] = last[2] = NOW - TR_SECOND; /* all silent: the choice stays */
    tr_layer_update(&c, NOW, last, LAYERS, 0, FALLBACK);
    CHECK_INT(c.target, 2);
    CHECK(take(&c, 2, false, &switched));
}

TEST(random_layers_keep_the_rules)
{
    FOR_EACH_SEED (seed, 300) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct tr_layer_choice c;
        tr_usec last[LAYERS] = { 0 }, now = NOW;
        bool switched;
        int max = 2;
        tr_layer_init(&c);
        for (int n = 0; n < 2000; n++) {
            now += (tr_usec)tr_rng_below(&rng, 30000);
            int layer = (int)tr_rng_below(&rng, LAYERS);
            bool key = tr_rng_below(&rng, 10) == 0;
            if (tr_rng_below(&rng, 50) == 0)
                max = (int)tr_rng_below(&rng, 4);
            if (tr_rng_below(&rng, 4) != 0 ||
                layer != n / 300 % LAYERS) /* one is away for a time */
                last[layer] = now;
            tr_layer_update(&c, now, last, LAYERS, max, FALLBACK);
            struct tr_layer_choice before = c;
            bool taken = take(&c, layer, key, &switched);
            CHECK(!switched || (taken && key && layer == before.target));
            CHECK_INT(c.current, switched ? layer : before.current);
            CHECK_INT(taken, layer == c.current);
            CHECK_INT(c.target, before.target);
            CHECK(c.target < 0 || c.target < LAYERS);
            for (int l = c.target + 1; l <= max && l < LAYERS && c.target >= 0; l++)
                CHECK(last[l] == 0 || now - last[l] > FALLBACK || c.target > max);
        }
    }
}

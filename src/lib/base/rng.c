/* What a caller needs is made from fill() alone, so that a new generator is one function. */
#include "base/rng.h"

#include <string.h>

#include "base/assert.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void seeded_fill(struct tr_rng *rng, void *out, size_t n)
{
    uint8_t *p = out;
    while (n > 0) {
        uint64_t v = splitmix64(&rng->state);
        size_t take = n < sizeof v ? n : sizeof v;
        memcpy(p, &v, take);
        p += take;
        n -= take;
    }
}

struct tr_rng tr_rng_seeded(uint64_t seed)
{
    return (struct tr_rng){ .fill = seeded_fill, .state = seed };
}

void tr_rng_fill(struct tr_rng *rng, void *out, size_t n)
{
    rng->fill(rng, out, n);
}

uint32_t tr_rng_u32(struct tr_rng *rng)
{
    uint32_t v;
    rng->fill(rng, &v, sizeof v);
    return v;
}

uint64_t tr_rng_u64(struct tr_rng *rng)
{
    uint64_t v;
    rng->fill(rng, &v, sizeof v);
    return v;
}

uint64_t tr_rng_below(struct tr_rng *rng, uint64_t below)
{
    TR_ASSERT(below > 0);
    /* Values under 2^64 mod below would make the low results likelier. */
    uint64_t reject = (0 - below) % below;
    uint64_t v;
    do {
        v = tr_rng_u64(rng);
    } while (v < reject);
    return v % below;
}

void tr_rng_ice_chars(struct tr_rng *rng, char *out, size_t n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    rng->fill(rng, out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = alphabet[(uint8_t)out[i] & 63];
    out[n] = '\0';
}

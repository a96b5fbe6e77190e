/* Randomness comes in from outside: the server hands in the system's generator (net/random.h),
 * the simulator and tests a seeded one, so that a failing run replays from its seed. */
#ifndef TR_RNG_H
#define TR_RNG_H

#include <stddef.h>
#include <stdint.h>

struct tr_rng {
    void (*fill)(struct tr_rng *rng, void *out, size_t n);
    uint64_t state; /* of the seeded generator; unused by others */
};

/* Deterministic (splitmix64); for simulations and tests, never for secrets. */
struct tr_rng tr_rng_seeded(uint64_t seed);
void tr_rng_fill(struct tr_rng *rng, void *out, size_t n);
uint32_t tr_rng_u32(struct tr_rng *rng);
uint64_t tr_rng_u64(struct tr_rng *rng);
/* Uniform in [0, below); below > 0. */
uint64_t tr_rng_below(struct tr_rng *rng, uint64_t below);
/* n ice-chars (RFC 8839 section 5.4: ALPHA / DIGIT / "+" / "/") and a NUL. */
void tr_rng_ice_chars(struct tr_rng *rng, char *out, size_t n);

#endif

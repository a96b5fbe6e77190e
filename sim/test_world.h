/* What the tests of calls share: identities for both sides, runs that replay from their seed. */
#ifndef TR_SIM_TEST_WORLD_H
#define TR_SIM_TEST_WORLD_H

#include "sim/call.h"
#include "unit.h"

static struct sim_identity identities[SIM_SIDES];
static struct sim_call call;

static inline bool world_begin(void)
{
    sim_seed_openssl(1);
    return CHECK(sim_identity_init(&identities[0]) == TR_OK &&
                 sim_identity_init(&identities[1]) == TR_OK);
}

static inline void world_end(void)
{
    sim_identity_deinit(&identities[0]);
    sim_identity_deinit(&identities[1]);
}

static inline struct sim_link link_of(unsigned loss_pct, tr_usec delay_us)
{
    return (struct sim_link){ .loss_ppm = loss_pct * 10000,
                              .delay_us = delay_us,
                              .jitter_us = delay_us / 4 };
}

static inline struct sim *call_begin(uint64_t seed, const struct sim_call_conf *conf)
{
    sim_seed_openssl(seed);
    struct sim *sim = sim_create(seed);
    CHECK_INT(sim_call_init(&call, sim, identities, conf), TR_OK);
    return sim;
}

static inline void call_end(struct sim *sim)
{
    sim_call_deinit(&call);
    sim_destroy(sim);
}

static inline struct sim_side *server_side(void)
{
    return &call.sides[SIM_SERVER];
}

static inline struct sim_side *client_side(void)
{
    return &call.sides[SIM_CLIENT];
}

#endif

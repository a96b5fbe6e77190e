/* A TURN and STUN server in the simulated network: tr_turn with the duties of its owner, on one
 * address, UDP and TCP (messages of proto TCP), and an endpoint for each relayed port.
 * Memory is the caller's; init/deinit. One thread. */
#ifndef TR_SIM_TURN_HOST_H
#define TR_SIM_TURN_HOST_H

#include "sim/sim.h"
#include "turn/turn.h"
#include "turn/turn_conf.h"

enum { SIM_TURN_RELAYS_MAX = 16 };

#define SIM_TURN_USER "sim"
#define SIM_TURN_PASSWORD "secret"

struct sim_turn_relay {
    struct sim_turn_host *host;
    struct sim_endpoint *endpoint; /* NULL: free */
    tr_id id;
};

struct sim_turn_host {
    struct sim *sim;
    struct tr_addr addr;
    struct tr_rng rng;
    struct tr_turn_auth *auth;
    struct tr_turn_policy *policy;
    struct tr_turn *turn;
    struct sim_endpoint *udp, *tcp;
    struct sim_timer timer;
    uint16_t next_port;
    struct sim_turn_relay relays[SIM_TURN_RELAYS_MAX];
};

/* NOMEM; deinit is fine after it. */
TR_MUST_USE enum tr_err sim_turn_host_init(struct sim_turn_host *h, struct sim *sim,
                                           struct tr_addr addr);
void sim_turn_host_deinit(struct sim_turn_host *h);

#endif

/* Between sim.c and nat.c. */
#ifndef TR_SIM_NAT_INT_H
#define TR_SIM_NAT_INT_H

#include "sim/nat.h"

struct sim_nat_mapping {
    bool used;
    struct tr_addr inside;
    struct tr_addr to; /* as far as the mapping depends on it */
    uint16_t port;     /* outside */
    tr_usec last_us;   /* when something went out */
    struct tr_addr remotes[SIM_NAT_REMOTES_MAX];
    int remotes_count; /* ever; the last so many are kept */
};

struct sim_nat {
    struct sim_nat_conf conf;
    struct sim_nat *next; /* of the sim */
    uint16_t next_port;
    struct sim_nat_mapping mappings[SIM_NAT_MAPPINGS_MAX];
};

void sim_add_nat(struct sim *sim, struct sim_nat *nat);
/* What the source of a datagram becomes on its way out; false: it is not let out. */
bool sim_nat_out(struct sim_nat *nat, tr_usec now, struct tr_addr *from, const struct tr_addr *to);
/* What the destination becomes on its way in; false: it is not let in. */
bool sim_nat_in(const struct sim_nat *nat, tr_usec now, struct tr_addr *to,
                const struct tr_addr *from);

#endif

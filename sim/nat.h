/* A NAT with a network behind it, in the words of RFC 4787: how addresses are mapped, what is
 * let in from outside, and for how long. NATs may stand behind each other. Networks behind
 * different NATs do not see each other's addresses; those behind the same one do. */
#ifndef TR_SIM_NAT_H
#define TR_SIM_NAT_H

#include "sim/sim.h"

enum { SIM_NAT_MAPPINGS_MAX = 64, SIM_NAT_REMOTES_MAX = 16 }; /* the oldest makes room */

enum sim_nat_rule {
    SIM_NAT_ANY,     /* endpoint independent */
    SIM_NAT_ADDRESS, /* address dependent */
    SIM_NAT_PORT,    /* address and port dependent */
};

struct sim_nat_conf {
    struct tr_addr ip;     /* its address outside */
    struct sim_nat *outer; /* behind which it stands itself; NULL: none */
    enum sim_nat_rule mapping, filtering;
    bool preserves_ports; /* the outer port is the inner one where that is free */
    bool hairpin;         /* hosts behind it reach each other by outer addresses */
    bool no_udp;          /* lets TCP through only */
    tr_usec timeout_us;   /* of a mapping over which nothing goes out; 0: 2 minutes */
};

/* The sim destroys it. NULL when memory is out. */
struct sim_nat *sim_nat_create(struct sim *sim, const struct sim_nat_conf *conf);
/* As if it was switched off and on: all mappings are gone, the next have other ports. */
void sim_nat_forget(struct sim_nat *nat);
void sim_nat_set_timeout(struct sim_nat *nat, tr_usec us);

#endif

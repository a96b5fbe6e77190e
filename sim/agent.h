/* An ICE agent with what a browser does around it: it gathers its address as others see it and a
 * relayed one from a TURN server, by UDP and, when that is silent, by TCP; candidates travel to the
 * other side as they are found. No DTLS: what flows is counted datagrams.
 * Memory is the caller's; init/deinit. One thread. */
#ifndef TR_SIM_AGENT_H
#define TR_SIM_AGENT_H

#include "ice/cand.h"
#include "ice/ice.h"
#include "sim/nat.h"
#include "turn/client.h"

enum { SIM_AGENT_CANDS_MAX = 4, SIM_AGENT_WAYS = 2 };

struct sim_agent_conf {
    struct tr_addr addr;
    struct sim_nat *nat; /* NULL: none */
    struct tr_addr turn; /* of the server; port 0: gathers nothing */
    enum tr_ice_role role;
    bool lite;
    tr_usec signal_us; /* until the other side has a candidate of this one */
};

struct sim_agent_way { /* to the TURN server: UDP, TCP */
    struct sim_agent *agent;
    struct sim_endpoint *endpoint;
    struct tr_turn_client *turn;
    struct sim_timer timer;
    struct tr_addr server, relayed;
    bool ready;
};

struct sim_agent {
    struct sim *sim;
    struct sim_agent_conf conf;
    struct sim_agent *other;
    struct tr_arena *arena;
    struct tr_ice *ice;
    struct sim_timer timer, signal, fall_back;
    struct sim_agent_way ways[SIM_AGENT_WAYS];
    struct tr_ice_cand cands[SIM_AGENT_CANDS_MAX]; /* found; the first so many are signalled */
    int cands_count, signalled;
    struct tr_addr mapped;
    struct tr_path path; /* selected */
    bool selected, failed;
    int selections;
    tr_usec selected_us;
    uint64_t got; /* datagrams of sim_agent_say */
};

TR_MUST_USE enum tr_err sim_agent_init(struct sim_agent *a, struct sim *sim,
                                       const struct sim_agent_conf *conf);
void sim_agent_deinit(struct sim_agent *a);
/* Both begin. */
void sim_agents_meet(struct sim_agent *a, struct sim_agent *b);
void sim_agent_say(struct sim_agent *a); /* one datagram on the selected path */
bool sim_agent_is_relayed(const struct sim_agent *a);
/* What the remote end of the selected path is to the other side, or "relay" when this side's own
 * is: "host", "srflx", "prflx", "relay"; "-": none is selected. */
const char *sim_agent_type(const struct sim_agent *a);

#endif

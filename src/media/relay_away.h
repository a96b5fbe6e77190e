/* Clients of the relay that another worker hears than the one that has their allocation. Inside of
 * the relay only. */
#ifndef TR_MEDIA_RELAY_AWAY_H
#define TR_MEDIA_RELAY_AWAY_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "turn/turn.h"

struct msg;
struct relay;
struct rport;

enum { RELAY_FLOWS = TR_TURN_FLOWS_MAX };

struct rflow { /* of a client */
    struct tr_path path;
    int worker; /* that hears it; ours: the usual case */
};

TR_MUST_USE enum tr_err relay_away_init(struct relay *r);
void relay_away_deinit(struct relay *r);
/* The worker that a message has to be handled by. */
int relay_home_of(struct relay *r, const struct tr_path *flow, struct tr_slice msg);
/* The allocation of that flow, which we hear, goes with it wherever it lives. */
void relay_flow_gone(struct relay *r, const struct tr_path *flow);
void relay_away_message(struct relay *r, const struct msg *m);
/* The client of p has these flows; one that is new is heard by r->arrival. */
void relay_client_flows(struct rport *p, const struct tr_path *paths, int n);
int relay_hears(const struct rport *p, const struct tr_path *path); /* which worker */

#endif

/* Inside of the TURN server: which allocation a flow belongs to. */
#ifndef TR_TURN_FLOW_H
#define TR_TURN_FLOW_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct tr_turn;
struct turn_alloc;

struct turn_flow_slot {
    struct turn_alloc *alloc; /* NULL: free */
    uint64_t hash;
};

struct turn_flows {
    struct turn_flow_slot *slots;
    uint32_t size, count;
    uint64_t key;
};

struct turn_alloc *turn_flow_find(const struct tr_turn *t, const struct tr_path *flow);
TR_MUST_USE enum tr_err turn_flow_add(struct tr_turn *t, struct turn_alloc *a,
                                      const struct tr_path *flow);
void turn_flow_remove(struct tr_turn *t, struct turn_alloc *a, int which);
/* The owner is told. */
void turn_flows_changed(struct tr_turn *t, struct turn_alloc *a);
/* The client has spoken on flow: if it was moving there, it has arrived. */
void turn_flow_confirm(struct tr_turn *t, struct turn_alloc *a, const struct tr_path *flow);

#endif

/* What a TURN server is allowed and given: turn.h. */
#ifndef TR_TURN_CONF_H
#define TR_TURN_CONF_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "turn/binding.h"

struct tr_rng;
struct tr_turn_auth;
struct tr_turn_policy;
struct tr_throttle;

struct tr_turn_quota { /* shared by the servers of a node; all may be NULL: no bounds */
    void *arg;
    /* One allocation more for this credential (its stable part, auth.h) and client; *share: what
     * draw and give take. LIMIT: 486. */
    enum tr_err (*take)(void *arg, struct tr_slice credential, const struct tr_addr *client,
                        void **share);
    void (*give)(void *arg, void *share);
    /* How many of so many bytes the credential and the node may relay now; asked for a part of a
     * second at a time, never for each packet. */
    uint32_t (*draw)(void *arg, void *share, tr_usec now, uint32_t bytes);
};

struct tr_turn_conf { /* pointers are borrowed */
    int index;        /* of this server, below TR_TURN_SERVERS_MAX */
    const struct tr_turn_auth *auth;
    const struct tr_turn_policy *policy;
    struct tr_throttle *throttle; /* of answers to the unproven; of this server. NULL: no bound */
    struct tr_turn_quota quota;
    struct tr_rng *rng;
    uint32_t allocations_max;                /* of this server */
    uint32_t permissions_max;                /* of an allocation; 0: 256 */
    uint32_t channels_max;                   /* of an allocation; 0: 256 */
    uint32_t peers_a_second;                 /* new permissions of an allocation; 0: 50 */
    uint32_t connections_max;                /* TCP peers of an allocation; 0: 16 */
    uint32_t lifetime_s, lifetime_max_s;     /* 0: 600, 3600 */
    uint32_t allocation_bps, allocation_pps; /* each way; 0: no bound */
    bool relay_v4, relay_v6, tcp_peers, mobility;
    struct tr_binding_conf binding; /* RFC 5780; answers come by MESSAGE's flow */
};

#endif

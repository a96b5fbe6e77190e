/* What a TURN server counts: what it did, and each refusal under its cause. */
#ifndef TR_TURN_COUNTERS_H
#define TR_TURN_COUNTERS_H

#include <stdint.h>

enum tr_turn_refusal {
    TR_TURN_REFUSED_MALFORMED,     /* does not parse, or breaks the rules: 400, 420, 437 */
    TR_TURN_REFUSED_NO_CREDENTIAL, /* 401 to a first request: normal */
    TR_TURN_REFUSED_CREDENTIAL,    /* a wrong or expired one: 401, 441 */
    TR_TURN_REFUSED_NONCE,         /* 438 */
    TR_TURN_REFUSED_THROTTLED,     /* unproven, too many of its neighbours: no answer */
    TR_TURN_REFUSED_QUOTA,         /* 486 */
    TR_TURN_REFUSED_CAPACITY,      /* 508: ports, memory or a table are out */
    TR_TURN_REFUSED_PEER,          /* 403: the policy forbids the peer */
    TR_TURN_REFUSED_FAMILY,        /* 440, 443 */
    TR_TURN_REFUSED_TRANSPORT,     /* 442 */
    TR_TURN_REFUSED_MOBILITY,      /* 405, and tickets that are none */
    TR_TURN_REFUSED_UNKNOWN_FLOW,  /* data of nobody's */
    TR_TURN_REFUSED_UNKNOWN_CHANNEL,
    TR_TURN_REFUSED_NO_PERMISSION, /* data from or to a peer without one */
    TR_TURN_REFUSED_RATE,          /* data over a bound of bits or packets */
    TR_TURN_REFUSED_COUNT
};

const char *tr_turn_refusal_name(enum tr_turn_refusal refusal); /* "no_permission" ... */

struct tr_turn_counters {
    uint64_t bindings, allocations, refreshes, permissions, channels, moves;
    uint64_t allocations_now;
    uint64_t packets_to_peers, bytes_to_peers, packets_to_clients, bytes_to_clients;
    uint64_t refused[TR_TURN_REFUSED_COUNT];
};

#endif

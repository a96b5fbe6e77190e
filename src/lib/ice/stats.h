/* What an ICE agent tells the admin API. Counters only grow; reading changes nothing. */
#ifndef TR_ICE_STATS_H
#define TR_ICE_STATS_H

#include "ice/ice.h"

enum tr_ice_state { TR_ICE_NEW, TR_ICE_CHECKING, TR_ICE_CONNECTED, TR_ICE_STATE_FAILED };

enum tr_ice_pair_state {
    TR_ICE_PAIR_FROZEN,
    TR_ICE_PAIR_WAITING,
    TR_ICE_PAIR_IN_PROGRESS,
    TR_ICE_PAIR_SUCCEEDED,
    TR_ICE_PAIR_FAILED
};

struct tr_ice_stats {
    enum tr_ice_state state;
    enum tr_ice_role role;
    uint32_t restarts;
    uint32_t switches;           /* selections after the first of a generation */
    uint64_t checks_received;    /* Binding requests that parse */
    uint64_t checks_answered;    /* with success */
    uint64_t rejected_malformed; /* does not parse, a wrong FINGERPRINT, or is of no use here */
    uint64_t rejected_400;       /* no USERNAME, no integrity, no PRIORITY */
    uint64_t rejected_401;       /* unknown ufrag or wrong password */
    uint64_t rejected_420;       /* unknown comprehension-required attributes */
    uint64_t rejected_487;       /* role conflict */
    uint64_t rejected_closed;    /* came after FAILED */
    uint64_t rejected_response;  /* unknown transaction, wrong address, wrong integrity */
    uint64_t paths_dropped;      /* pushed out by TR_ICE_PATH_MAX */
    uint64_t pairs_dropped;      /* pushed out by, or no room in, TR_ICE_PAIR_MAX */
    uint64_t sends_dropped;      /* the owner did not poll */
    uint64_t checks_sent;        /* retransmissions and consent checks included */
    uint64_t responses_received; /* authenticated */
    uint64_t proofs_begun;       /* lite: nominated paths that were asked for an answer first */
    uint64_t proofs_failed;      /* ... and gave none */
    tr_usec rtt_us;              /* smoothed, of the selected pair of a full agent; 0: unknown */
    uint32_t pairs;              /* how many tr_ice_pair_stats gives */
};

struct tr_ice_pair_stats {
    struct tr_path path;
    enum tr_ice_pair_state state;
    uint64_t priority;
    bool nominated;
    bool selected;
    tr_usec rtt_us;       /* 0: unknown (in lite: of a path that was proven) */
    tr_usec last_seen_us; /* absolute time of the last authenticated packet; TR_NEVER: none */
};

void tr_ice_stats(const struct tr_ice *ice, struct tr_ice_stats *out);
/* The valid paths of a lite agent, the pairs of a full one. false: no such index. */
bool tr_ice_pair_stats(const struct tr_ice *ice, uint32_t index, struct tr_ice_pair_stats *out);

#endif

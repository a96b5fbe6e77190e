/* Inside lib/ice: pairs and checks of a full agent (ice_full.c), and what reads them. */
#ifndef TR_ICE_PAIR_H
#define TR_ICE_PAIR_H

#include "ice/ice_state.h"

enum ice_what { ICE_CHECK, ICE_NOMINATE, ICE_CONSENT };

struct ice_txn {
    bool live; /* waits for an answer and is sent again */
    enum ice_what what;
    enum tr_ice_role role; /* that the request claimed */
    uint8_t sends;
    uint8_t id[TR_STUN_TXID];
    tr_usec sent_us, rto_us;
    tr_usec next_us; /* to send again or to give up */
};

struct ice_pair {
    bool used;
    bool nominate_on_success; /* controlled: USE-CANDIDATE came before our own check succeeded */
    bool nominating;          /* controlling: its next check carries USE-CANDIDATE */
    bool forced;              /* controlling: the owner wants this one */
    bool nominated;
    bool learnt; /* its remote address came with a check, not by signalling */
    uint8_t gen;
    enum tr_ice_pair_state state;
    uint32_t triggered; /* place in the triggered-check queue; 0: not in it */
    struct tr_path path;
    struct ice_cand local, remote;
    uint64_t priority;
    struct ice_txn txn;
    bool has_previous;
    uint8_t previous[TR_STUN_TXID]; /* cancelled, but an answer still counts */
    tr_usec rtt_us;
    tr_usec seen_us; /* last authenticated response */
};

struct ice_full {
    struct ice_pair pair[TR_ICE_PAIR_MAX];
    int top; /* slots from here on were never used: most agents have a handful of pairs */
    uint32_t trigger_seq;
    tr_usec next_check_us;  /* Ta */
    tr_usec first_valid_us; /* of this generation; TR_NEVER */
    tr_usec consent_us;     /* last proof of consent on the selected pair */
    tr_usec next_consent_us;
};

#endif

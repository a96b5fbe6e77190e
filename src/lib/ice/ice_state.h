/* Inside lib/ice: the agent's state. These parts share it (ice_int.h is what they call):
 *   ice.c        creation, credentials, candidates, restart, timers, statistics
 *   ice_path.c   the table of valid 4-tuples and the selection (lite and full)
 *   ice_input.c  judging packets
 *   ice_proof.c  the own check of a lite agent before it moves
 *   ice_full.c   pairs and checks of a full agent
 *   ice_out.c    what poll hands out */
#ifndef TR_ICE_STATE_H
#define TR_ICE_STATE_H

#include "base/rng.h"
#include "ice/cand.h"
#include "ice/ice.h"
#include "ice/stats.h"
#include "stun/stun.h"

#define ICE_TA (50 * TR_MSEC)                /* RFC 8445 14.2: pace of new checks */
#define ICE_RTO (500 * TR_MSEC)              /* RFC 8445 14.3: at least this */
#define ICE_RTO_MAX (1600 * TR_MSEC)         /* doubling stops here, see ice_full.c */
#define ICE_CONSENT_INTERVAL (5 * TR_SECOND) /* RFC 7675 5.1, times 0.8 to 1.2 */
#define ICE_EXPIRY (30 * TR_SECOND)
#define ICE_SETTLE (250 * TR_MSEC)     /* controlling: wait for better pairs before nominating */
#define ICE_RETRY (5 * TR_SECOND)      /* a failed pair is tried again, see ice_full.c */
#define ICE_SILENT (3 * TR_SECOND)     /* clients check more often, see ice_proof.c, ice_path.c */
#define ICE_RENOMINATE (1 * TR_SECOND) /* see ice_path.c */

enum {
    ICE_SENDS_MAX = 16,                   /* waiting in poll; more are dropped like lost packets */
    ICE_PATH_SLOTS = TR_ICE_PATH_MAX + 4, /* room for paths that wait to be reported INVALID */
    ICE_LEARNT_MAX = 8,                   /* pairs at a time, see ice_full.c */
    ICE_TRIES = 7,                        /* Rc of RFC 8489 6.2.1 */
    ICE_MSG_MAX = 512                     /* the longest: a check with a 256-character ufrag */
};

struct ice_local_cred {
    char ufrag[TR_ICE_LOCAL_UFRAG_MAX + 1];
    char pwd[TR_ICE_LOCAL_PWD_MAX + 1];
};

struct ice_remote_cred {
    bool set;
    char ufrag[TR_ICE_UFRAG_MAX + 1];
    char pwd[TR_ICE_PWD_MAX + 1];
};

struct ice_cand {        /* what checks need of a candidate */
    struct tr_addr addr; /* local: the address that sends */
    uint32_t priority;
    uint32_t foundation; /* hash */
    uint8_t tcptype;     /* enum tr_ice_tcptype */
};

enum ice_slot { ICE_FREE, ICE_LIVE, ICE_DYING };

struct ice_path { /* a 4-tuple from which something authenticated came */
    enum ice_slot slot;
    bool announced; /* VALID was handed out */
    bool nominated;
    bool plain_since; /* a check without USE-CANDIDATE came after the last one with it */
    bool proven;      /* lite: our own check was answered there */
    bool renewed;     /* its last check was of credentials that we were not told of */
    uint8_t gen;
    uint32_t remote_priority; /* as the first check said */
    struct tr_path path;
    uint64_t priority;
    tr_usec since_us, seen_us, nominated_us, proven_us;
    tr_usec rtt_us; /* of the proof; 0: unknown */
};

struct ice_proof { /* lite: an own check that waits for its answer */
    int8_t path;   /* index, or -1 */
    uint8_t sends; /* 0: waits for the peer's password */
    uint8_t id[TR_STUN_TXID];
    tr_usec started_us, next_us;
};

enum ice_send_kind { ICE_SEND_REQUEST, ICE_SEND_SUCCESS, ICE_SEND_ERROR };

struct ice_send { /* encoded when polled */
    enum ice_send_kind kind;
    uint8_t gen;
    bool auth; /* answers: with integrity */
    bool sha256;
    bool use_candidate;
    uint8_t unknown_count;
    uint16_t code;
    uint16_t unknown[TR_STUN_UNKNOWN_MAX];
    uint8_t txid[TR_STUN_TXID];
    uint32_t priority;
    struct tr_path path;
};

struct tr_ice {
    bool lite;
    bool failed;
    bool report_failed;
    bool report_selected;
    bool report_paths;
    bool has_old; /* the generation before a restart is still answered */
    uint8_t cur;  /* index of the current generation's credentials */
    uint8_t selected_gen;
    int8_t selected; /* index of path, or -1 */
    enum tr_ice_role role;
    uint64_t tie_breaker;
    uint32_t paths_ever; /* that there have been; stops at 2 */
    struct ice_proof proof;
    struct tr_rng *rng;
    tr_usec now, next_us;
    tr_usec consent_us, setup_us;
    tr_usec setup_deadline_us; /* TR_NEVER: not armed */
    struct ice_local_cred local_cred[2];
    struct ice_remote_cred remote_cred[2];
    struct ice_cand local[TR_ICE_LOCAL_MAX];
    struct ice_cand remote[TR_ICE_REMOTE_MAX];
    uint8_t local_count, remote_count;
    struct ice_path path[ICE_PATH_SLOTS];
    struct ice_send send[ICE_SENDS_MAX];
    uint8_t send_head, send_count;
    struct tr_ice_stats stats;
    struct ice_full *full; /* NULL when lite */
    uint8_t msg[ICE_MSG_MAX];
};

#endif

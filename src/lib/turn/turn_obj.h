/* Inside of the TURN server: its objects.
 *
 * An allocation belongs to one flow (two while its client moves) and has one or two relays, one of
 * each family. It is found by flow (turn_flow.c), its relays and connections by id. What the owner
 * is to be told hangs in one queue whose nodes are part of the objects, so that telling needs no
 * memory and the order is kept; only messages take one of a fixed number of buffers. */
#ifndef TR_TURN_OBJ_H
#define TR_TURN_OBJ_H

#include "base/heap.h"
#include "base/map.h"
#include "base/rng.h"
#include "stun/stun.h"
#include "turn/auth.h"
#include "turn/turn.h"
#include "turn/turn_flow.h"
#include "turn/turn_peers.h"
#include "turn/turn_rate.h"

enum {
    TURN_RELAYS = 2, /* of an allocation: IPv4 and IPv6 */
    TURN_FLOWS = TR_TURN_FLOWS_MAX,
    TURN_SENDS = 16,
    TURN_SEND_MAX = 1536,
    TURN_TOKEN = 8,
    TURN_TICKET = 20,       /* the secret part */
    TURN_TICKET_VALUE = 32, /* with the index of the server and the id of the allocation */
    TURN_FIRST_CHANNEL = 0x4000,
    TURN_LAST_CHANNEL = 0x7fff,
};

#define TURN_PENDING_US                                                                            \
    (30 * TR_SECOND) /* answers of the owner, reserved ports, unbound TCP peers */

struct turn_event {
    struct turn_event *next, *prev; /* NULL: not queued */
    enum tr_turn_kind kind;
};

enum turn_timer_kind { TURN_TIMER_ALLOC, TURN_TIMER_CONN, TURN_TIMER_TOKEN };

struct turn_timer {
    struct tr_heap_node node;
    enum turn_timer_kind kind;
};

struct turn_send {
    struct turn_event event;
    struct turn_send *next_free;
    struct tr_path flow;
    size_t n;
    uint8_t bytes[TURN_SEND_MAX];
};

struct turn_cred { /* what answers are signed with, and who may ask */
    uint8_t key[TR_STUN_KEY_MAX];
    uint8_t key_n;
    bool sha256;
    uint8_t user_hash[16];
};

/* FAILED: `code` says why. CLOSING: CLOSE waits in the queue. */
enum turn_relay_state {
    TURN_RELAY_NONE,
    TURN_RELAY_OPENING,
    TURN_RELAY_UP,
    TURN_RELAY_FAILED,
    TURN_RELAY_CLOSING
};

struct turn_relay {
    struct turn_alloc *alloc;
    tr_id id;
    void *user;
    struct tr_addr addr;
    tr_usec expires;
    uint8_t state; /* enum turn_relay_state */
    uint8_t port;  /* enum tr_turn_port */
    bool v6, told; /* told: OPEN was polled */
    uint16_t code;
    struct turn_token *token; /* of a reserved port, until OPEN is polled */
    struct turn_event event;
};

struct turn_alloc {
    struct tr_path flow[TURN_FLOWS]; /* the one in use first */
    uint8_t flows;                   /* 0: detached, 2: moving to the second one */
    bool up, tcp, mobile, dead, fingerprint;
    bool issued;              /* of the credential: policy.h */
    bool lent;                /* the share still is that of a reservation */
    struct turn_peers *peers; /* NULL: none yet */
    struct turn_rate rate;
    struct turn_relay relay[TURN_RELAYS];
    tr_id id;
    struct turn_timer timer;
    void *share; /* of the quota */
    struct turn_conn *conns;
    uint16_t conn_count;
    bool has_token, has_last_ticket;
    uint8_t txid[TR_STUN_TXID]; /* of the Allocate request */
    uint32_t lifetime_s;        /* asked for by it */
    uint8_t token[TURN_TOKEN];
    uint8_t ticket[TURN_TICKET], last_ticket[TURN_TICKET];
    struct turn_cred cred;
};

enum turn_conn_state { TURN_CONN_DIALING, TURN_CONN_WAITING, TURN_CONN_JOINED, TURN_CONN_CLOSED };

struct turn_conn { /* a TCP peer */
    struct turn_event event;
    struct turn_timer timer;
    struct turn_relay *relay;
    struct turn_conn *next; /* of the allocation */
    tr_id id;
    uint32_t number; /* CONNECTION-ID */
    enum turn_conn_state state;
    bool told, fingerprint; /* told: the owner knows it */
    struct tr_addr peer;
    struct tr_path flow; /* JOINED */
    uint8_t txid[TR_STUN_TXID];
    struct turn_cred cred; /* of the Connect request */
};

struct turn_token { /* a reserved port */
    struct turn_event event;
    struct turn_timer timer;
    uint8_t token[TURN_TOKEN];
    struct turn_cred cred;
    void *share;
    uint16_t port; /* 0: not known yet */
    bool v6;
};

struct tr_turn {
    struct tr_turn_conf conf;
    struct turn_bound bound[TURN_BOUNDS];
    struct turn_flows flows;
    struct tr_idtab *relays, *allocs, *conns;
    struct tr_map *conn_numbers, *tokens;
    struct tr_heap timers;
    struct turn_event events; /* the head of the ring */
    struct turn_send *sends, *free_sends, *held;
    struct tr_rng txids; /* of indications; no secret */
    struct tr_turn_counters counters;
};

#endif

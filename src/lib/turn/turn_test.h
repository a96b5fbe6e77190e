/* A TURN server in a test: signed requests in, what the owner would do about its events, answers
 * out. For the tests, the fuzz target and the benchmark of turn.h. */
#ifndef TR_TURN_TEST_H
#define TR_TURN_TEST_H

#include "base/rng.h"
#include "stun/stun.h"
#include "turn/turn.h"

#define RIG_REALM "test"
#define RIG_USER "anna"
#define RIG_OTHER_USER "bert"

enum { RIG_MSG = 2048, RIG_NO_ANSWER = -1, RIG_CONNS = 32 };

struct rig_msg {
    uint8_t bytes[RIG_MSG];
    struct tr_wr w;
};

struct rig {
    struct tr_turn *turn;
    struct tr_turn_auth *auth;
    struct tr_turn_policy *policy;
    struct tr_rng rng;
    tr_usec now;
    const char *user;
    const char *name, *password; /* instead of `user`, where they are not NULL */
    bool sha256, fingerprint;

    bool hold;            /* OPEN and DIAL are not answered */
    enum tr_err open_err; /* what OPEN is answered with */
    int fail_v6;          /* OPEN of that family fails */
    uint16_t next_port;

    struct tr_turn_out last[16]; /* the last event of each kind */
    int seen[16];                /* how many of each kind */
    int open_now, reserved_now, shares;
    tr_id held; /* OPEN that waits for rig_answer_held */
    struct rig_conn {
        tr_id id;
        bool dialing;
    } conns[RIG_CONNS];        /* what the owner has */
    uint32_t shares_max, draw; /* of the quota */
    int draws;
    uint8_t answer[RIG_MSG];
    struct tr_stun m; /* parsed answer; borrows from it */

    struct rig_msg data;  /* the last data that was sent */
    struct tr_slice sent; /* the last request; borrows from its struct rig_msg */
    struct tr_path nonce_flow;
    tr_usec nonce_at;
    uint8_t nonce[128];
    size_t nonce_n;
};

/* conf: what differs from zero; auth, policy, rng and quota are the rig's. NOMEM. */
enum tr_err rig_open(struct rig *rig, const struct tr_turn_conf *conf);
void rig_close(struct rig *rig);
struct tr_path rig_flow(unsigned i); /* of a UDP client */
struct tr_path rig_tcp(unsigned i);
struct tr_addr rig_peer(unsigned i);    /* 203.0.114.i, port 5000 + i */
struct tr_addr rig_peer_v6(unsigned i); /* 2600::i */

void rig_begin(struct rig_msg *msg, struct rig *rig, uint16_t method);
/* With credential: the code of the error answer, 0 for success, RIG_NO_ANSWER. */
int rig_ask(struct rig *rig, const struct tr_path *flow, struct rig_msg *msg);
struct tr_slice rig_sign(struct rig *rig, const struct tr_path *flow, struct rig_msg *msg);
int rig_send(struct rig *rig, const struct tr_path *flow, struct tr_slice msg); /* as it is */
void rig_poll(struct rig *rig);
void rig_wait(struct rig *rig, tr_usec us); /* with the server's timers */

extern const struct tr_turn_conf rig_plain; /* IPv4, and nothing besides */

struct rig_ticket {
    uint8_t p[64];
    size_t n;
};

int rig_allocate(struct rig *rig, const struct tr_path *flow);
/* With one attribute more. */
int rig_allocate_with(struct rig *rig, const struct tr_path *flow, uint16_t type,
                      struct tr_slice value);
int rig_allocate_tcp(struct rig *rig, const struct tr_path *flow);
int rig_permit(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer);
int rig_bind(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer,
             uint16_t number);
int rig_refresh(struct rig *rig, const struct tr_path *flow, uint32_t lifetime_s);
/* Of a mobile client: the ticket in the last answer; by which it moves to flow. */
bool rig_keep_ticket(const struct rig *rig, struct rig_ticket *ticket);
int rig_move(struct rig *rig, const struct tr_path *flow, const struct rig_ticket *ticket);
int rig_connect(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer);
int rig_connection_bind(struct rig *rig, const struct tr_path *flow, uint32_t number);
/* Sends "hello"; *out as of tr_turn_input. */
enum tr_err rig_channel_data(struct rig *rig, const struct tr_path *flow, uint16_t number,
                             struct tr_turn_data *out);
enum tr_err rig_send_data(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer,
                          struct tr_turn_data *out);
/* As the owner: late answers, the connection ends, a peer connects. */
void rig_answer_held(struct rig *rig);
void rig_connected(struct rig *rig, tr_id connection, enum tr_err err);
void rig_hangup(struct rig *rig, tr_id connection);
enum tr_err rig_incoming(struct rig *rig, tr_id relay, const struct tr_addr *peer,
                         tr_id *connection);
int rig_conns(const struct rig *rig);
void rig_put_transport(struct rig_msg *msg, unsigned protocol);
void rig_put_byte(struct rig_msg *msg, uint16_t type, uint8_t v, size_t n); /* then zeros to n */
uint32_t rig_u32(const struct rig *rig, uint16_t type);                     /* of the answer */
uint64_t rig_refused(const struct rig *rig, enum tr_turn_refusal why);

#endif

/* Inside of the TURN server: what its files do for each other. */
#ifndef TR_TURN_INT_H
#define TR_TURN_INT_H

#include "turn/turn_obj.h"

struct turn_req { /* a request whose credential holds */
    struct tr_turn *t;
    tr_usec now;
    const struct tr_path *flow;
    const struct tr_stun *m;
    struct turn_alloc *alloc; /* of the flow, or NULL */
    struct tr_turn_identity who;
};

struct turn_answer { /* a message on its way into the queue */
    struct tr_turn *t;
    struct turn_send *send; /* NULL: no buffer is free, the writer is bad */
    struct tr_wr w;
};

/* turn_out.c */
TR_MUST_USE enum tr_err turn_queue_init(struct tr_turn *t);
void turn_event_push(struct tr_turn *t, struct turn_event *e, enum tr_turn_kind kind);
bool turn_event_drop(struct turn_event *e); /* false: it was not queued */
void turn_answer_begin(struct turn_answer *a, struct tr_turn *t, const struct tr_path *flow,
                       enum tr_stun_class cls, uint16_t method, const uint8_t txid[TR_STUN_TXID]);
void turn_answer_queue(struct turn_answer *a); /* as it is */
/* cred NULL: without integrity. */
void turn_answer_end(struct turn_answer *a, const struct turn_cred *cred, bool fingerprint);
void turn_indicate_begin(struct turn_answer *a, struct tr_turn *t, const struct tr_path *flow,
                         uint16_t method);

/* turn.c */
void turn_check(const struct tr_turn *t);
/* Counts a refusal; returns err. */
enum tr_err turn_refused(struct tr_turn *t, enum tr_turn_refusal why, enum tr_err err);
TR_MUST_USE enum tr_err turn_timer_set(struct tr_turn *t, struct turn_timer *timer,
                                       enum turn_timer_kind kind, tr_usec at);

/* turn_alloc.c */
/* For q's flow and credential, with no relay; takes over share, but only when it succeeds. */
TR_MUST_USE enum tr_err turn_alloc_create(struct turn_req *q, void *share, struct turn_alloc **out);
TR_MUST_USE enum tr_err turn_relay_open(struct tr_turn *t, struct turn_alloc *a, bool v6,
                                        enum tr_turn_port port);
void turn_relay_fail(struct turn_alloc *a, bool v6, enum tr_stun_code code);
void turn_alloc_close(struct tr_turn *t, struct turn_alloc *a);
void turn_relay_close(struct tr_turn *t, struct turn_relay *r); /* and the allocation of the last */
void turn_relay_told(struct turn_relay *r);                     /* CLOSE was polled */
void turn_alloc_timeout(struct tr_turn *t, tr_usec now, struct turn_alloc *a);
void turn_alloc_renew(struct tr_turn *t, struct turn_alloc *a); /* its relays' lifetimes changed */
struct turn_relay *turn_alloc_relay(struct turn_alloc *a, bool v6); /* UP, or NULL */
void turn_alloc_answer(struct tr_turn *t, tr_usec now, struct turn_alloc *a);
tr_usec turn_lifetime(const struct tr_turn_conf *conf, uint32_t asked_s);

/* turn_request.c */
enum tr_err turn_on_request(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                            const struct tr_stun *m);
enum tr_err turn_refuse(struct turn_req *q, enum tr_stun_code code, enum tr_turn_refusal why);
void turn_accept_begin(struct turn_req *q, struct turn_answer *a);
void turn_accept_end(struct turn_req *q, struct turn_answer *a);
struct turn_cred turn_req_cred(const struct turn_req *q);
bool turn_req_owns(const struct turn_req *q, const struct turn_cred *cred);
/* Reads a peer that the request names and judges it. OK, or what turn_refuse returned. */
TR_MUST_USE enum tr_err turn_req_peer(struct turn_req *q, struct tr_slice value, bool with_port,
                                      struct tr_addr *peer, bool *own);

/* turn_allocate.c */
enum tr_err turn_on_allocate(struct turn_req *q);
enum tr_err turn_on_refresh(struct turn_req *q);

/* turn_move.c: tickets and tokens */
void turn_new_ticket(struct tr_turn *t, struct turn_alloc *a);
void turn_ticket_value(const struct tr_turn *t, const struct turn_alloc *a,
                       uint8_t out[TURN_TICKET_VALUE]);
/* The allocation that the ticket names also has the request's flow now. OK, or what turn_refuse
 * returned. */
TR_MUST_USE enum tr_err turn_move(struct turn_req *q, struct tr_slice ticket,
                                  struct turn_alloc **out);
/* A token for the allocation's next higher port, which is known when its relay is open. Takes over
 * share when it succeeds. */
TR_MUST_USE enum tr_err turn_token_create(struct turn_req *q, struct turn_alloc *a, void *share);
void turn_token_start(struct tr_turn *t, tr_usec now, struct turn_alloc *a);
struct turn_token *turn_token_find(const struct tr_turn *t, struct tr_slice value);
void turn_token_end(struct tr_turn *t, struct turn_token *k);
/* The port, and the share of the quota, go to the relay's allocation. */
void turn_token_use(struct tr_turn *t, struct turn_token *k, struct turn_relay *r);

/* turn_tcp.c */
enum tr_err turn_on_connect(struct turn_req *q);
enum tr_err turn_on_connection_bind(struct turn_req *q);
void turn_conn_close(struct tr_turn *t, struct turn_conn *c, bool tell);
void turn_conn_timeout(struct tr_turn *t, struct turn_conn *c);

#endif

/* The insides of the relay, shared by its files: relay.c has the server and the clients over UDP,
 * relay_ports.c the relayed addresses, relay_own.c the short way to our own peers, relay_stream.c
 * clients over TCP and TLS and TCP peers, relay_dtls.c clients over DTLS, relay_away.c clients that
 * another worker hears. */
#ifndef TR_MEDIA_RELAY_INT_H
#define TR_MEDIA_RELAY_INT_H

#include "media/relay.h"
#include "media/relay_away.h"
#include "media/turn.h"
#include "media/worker.h"
#include "net/gather.h"
#include "net/swarm.h"
#include "net/udp.h"
#include "turn/turn.h"

struct tr_stream_moved;
struct relay_dtls;
struct tr_streams;

enum {
    RELAY_OWN_MAX = TR_MEDIA_ADDRS_MAX,
    RELAY_PUBLISHED = PUBLISHED_WORDS(struct tr_media_turn_counters),
    NO_SOCKET = -1,
};

struct rport { /* a relayed address: `user` of lib/turn */
    struct relay *relay;
    tr_id id;                       /* of lib/turn */
    struct tr_addr at;              /* ours, to be bound */
    struct tr_addr relayed;         /* the same as its client knows it */
    int fd;                         /* NO_SOCKET: no peer but our own has needed it yet */
    uint32_t socket;                /* of the swarm */
    struct tr_addr df_peer;         /* the last whose data must not be fragmented */
    tr_id listener;                 /* of TCP peers, instead of a socket */
    struct rflow flow[RELAY_FLOWS]; /* of its client; as lib/turn has them, the one in use first */
    int flows;
    /* Our media addresses, in the order of the engine's, as the client calls them. */
    struct tr_addr own[RELAY_OWN_MAX];
};

struct rslot {
    struct rport *port; /* NULL: free, unless it is held */
    tr_usec held;       /* reserved, or in use by another program, until then */
};

struct relay {
    struct worker *worker;
    const struct tr_media_turn_conf *conf;
    struct tr_turn *turn;
    struct tr_throttle *throttle;
    struct tr_udp *udp, *other; /* other: RFC 5780; NULL: none */
    struct tr_swarm *swarm;
    struct tr_gather *to_clients, *to_peers;
    struct tr_map *away; /* flows whose allocation lives on another worker -> struct away */
    struct rslot *slots; /* this worker's part of the ports */
    uint32_t slots_count;
    struct tr_streams *streams; /* NULL: none are taken */
    bool streams_again;         /* frames may wait that the descriptor does not tell of */
    struct tr_map *conns;       /* connection id of lib/turn -> struct rconn */
    struct relay_dtls *dtls;    /* NULL: none are taken */
    struct tr_path flow;        /* of the message that is being handled */
    int arrival;                /* worker that it arrived at */
    struct tr_media_dtls_counters dtls_counters;
    _Atomic uint64_t published[RELAY_PUBLISHED];
};

/* relay.c */
/* A message of a client: a datagram, or one frame of a stream. */
void relay_input(struct relay *r, const struct tr_path *flow, struct tr_slice msg);
void relay_poll(struct relay *r); /* does what the server wants done */
/* Data that a peer has sent to p: to its client, if it may. */
void relay_deliver(struct rport *p, const struct tr_addr *peer, struct tr_slice data);

/* relay_ports.c */
TR_MUST_USE enum tr_err relay_ports_init(struct relay *r);
void relay_ports_deinit(struct relay *r);
/* Answers the server's OPEN; NULL: with an error. */
struct rport *relay_port_open(struct relay *r, const struct tr_turn_out *out);
void relay_port_close(struct rport *p);
void relay_port_unreserve(struct relay *r, uint16_t port);
/* Opens its socket; false: it cannot be had. */
bool relay_port_bind(struct rport *p);
int relay_port_worker(const struct tr_media *media, uint16_t port); /* -1: none of ours */
struct rport *relay_port_find(struct relay *r, const struct tr_addr *relayed); /* NULL */
struct rport *relay_port_at(struct relay *r, uint16_t port);                   /* NULL */

/* relay_stream.c; without TCP all of them do nothing */
TR_MUST_USE enum tr_err relay_stream_open(struct relay *r);
void relay_stream_close(struct relay *r);
bool relay_stream_read(struct relay *r, uint32_t ready);
tr_usec relay_stream_next_timeout(const struct relay *r);
void relay_stream_flush(struct relay *r);
/* keep: it may not be dropped when the client does not take it fast enough. */
void relay_stream_send(struct relay *r, const struct tr_path *flow, struct tr_slice head,
                       struct tr_slice data, bool keep);
void relay_stream_proven(struct relay *r, const struct tr_path *flow);
/* While a frame of this flow is being handled: it belongs there. */
void relay_stream_hand_over(struct relay *r, const struct tr_path *flow, int to);
void relay_stream_take_over(struct relay *r, struct tr_stream_moved *moved);
TR_MUST_USE enum tr_err relay_stream_listen(struct rport *p);
void relay_stream_unlisten(struct rport *p);
void relay_stream_dial(struct rport *p, tr_id connection, const struct tr_addr *peer);
void relay_stream_undial(struct relay *r, tr_id connection);
void relay_stream_join(struct relay *r, const struct tr_path *flow, tr_id connection);

/* relay_dtls.c; without DTLS all of them do nothing */
TR_MUST_USE enum tr_err relay_dtls_open(struct relay *r);
void relay_dtls_close(struct relay *r);
/* A datagram of a client by UDP; false: it is not DTLS. */
bool relay_dtls_input(struct relay *r, const struct tr_path *path, struct tr_slice datagram);
bool relay_dtls_read(struct relay *r, uint32_t ready);
void relay_dtls_timers(struct relay *r);
tr_usec relay_dtls_next_timeout(const struct relay *r);
/* By the association of that flow, if it is here. */
void relay_dtls_send(struct relay *r, const struct tr_path *flow, struct tr_slice head,
                     struct tr_slice data, uint8_t pad);
void relay_dtls_renew(struct relay *r, struct tr_dtls_ctx *ctx);     /* takes the reference */
bool relay_dtls_proven(struct relay *r, const struct tr_path *flow); /* false: it is not here */

/* relay_own.c */
void relay_own_in(struct rport *p, const struct tr_addr *peer, struct tr_slice data);
void relay_own_passed(struct relay *r, const struct msg *m);

#endif

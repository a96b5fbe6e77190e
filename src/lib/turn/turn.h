/* TURN server as a state machine: no sockets, clock or threads. RFC 8656; TCP peers (6062), moving
 * clients (8016), credentials (8489 9.2), stateless Binding answers. One owner, one thread: a
 * server for each worker. What all of them share (who may, how much) lies behind auth.h and
 * `quota`.
 *
 * A client is known by its flow: the path that its messages come by (addr.h: `proto` tells UDP from
 * TCP; TLS and DTLS are the owner's, who hands in what was inside). Nothing is kept of a client
 * before it has proven its address by a nonce and itself by a credential.
 *
 * Drive: one of input/opened/connected/incoming/hangup/timeout -> poll until TR_TURN_NONE -> sleep
 * to next_timeout. Data is apart: input tells at once what a client's data is for, and
 * tr_turn_deliver how a peer's is told to the client; neither allocates or needs a poll. */
#ifndef TR_TURN_H
#define TR_TURN_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/slice.h"
#include "base/time.h"
#include "turn/counters.h"
#include "turn/turn_conf.h"

struct tr_turn;

enum {
    TR_TURN_HEAD_MAX = 48,      /* in front of a peer's data, as a Data indication from IPv6 */
    TR_TURN_MESSAGE_MAX = 1600, /* longest STUN message that is read, without a Send's data */
    TR_TURN_CHANNEL_HEAD = 4,
    TR_TURN_FLOWS_MAX = 2,
    TR_TURN_SERVERS_MAX = 64, /* of one node: tickets, tokens and connection ids name theirs */
};

enum tr_turn_kind {
    TR_TURN_NONE,
    TR_TURN_MESSAGE,   /* data on flow to a client; 5780: flow.local may be any address of ours */
    TR_TURN_OPEN,      /* a relayed address of the relay's family is needed: answer by opened */
    TR_TURN_CLOSE,     /* the relay is gone, `user` can be freed; it may come before opened */
    TR_TURN_UNRESERVE, /* the port `reserved` that was kept by PAIR is not needed any more */
    TR_TURN_MOVED,     /* the client of the relay has these flows now: two while it moves */
    TR_TURN_DIAL,      /* connect from the relay's address to peer: answer by connected */
    TR_TURN_JOIN,      /* the stream of flow carries this connection's bytes from now on */
    TR_TURN_UNDIAL,    /* close the connection to the peer */
};

enum tr_turn_port { TR_TURN_PORT_ANY, TR_TURN_PORT_EVEN, TR_TURN_PORT_PAIR, TR_TURN_PORT_RESERVED };

struct tr_turn_out { /* valid until the next call on the same server */
    enum tr_turn_kind kind;
    tr_id relay;
    void *user;                              /* as of opened; NULL at OPEN */
    struct tr_path flow;                     /* MESSAGE, JOIN */
    struct tr_path flows[TR_TURN_FLOWS_MAX]; /* MOVED: the one in use first; of flows_count */
    int flows_count;
    struct tr_slice data;   /* MESSAGE */
    bool v6, tcp;           /* OPEN; v6 also at UNRESERVE */
    enum tr_turn_port port; /* OPEN; PAIR: an even one, and keep the next higher port, too */
    uint16_t reserved;      /* OPEN with RESERVED: that port, which is not kept any more */
    tr_id connection;       /* DIAL, JOIN, UNDIAL */
    struct tr_addr peer;    /* DIAL */
};

struct tr_turn_data { /* what a client wants to be sent; data.p NULL: nothing */
    tr_id relay;
    void *user;
    struct tr_addr peer;
    struct tr_slice data; /* of the datagram that was handed in */
    bool own;             /* peer is one of our own media ports: policy.h */
    bool dont_fragment;
};

struct tr_turn_frame { /* around a peer's data for the client: head, data, pad zero bytes */
    struct tr_path flow;
    uint8_t head[TR_TURN_HEAD_MAX];
    uint8_t head_n, pad;
};

/* NULL: memory is out, or the conf is unusable. */
struct tr_turn *tr_turn_create(const struct tr_turn_conf *conf, tr_usec now);
void tr_turn_destroy(struct tr_turn *turn); /* relays end without a word; NULL is fine */

/* A datagram, or one framed message of a stream. IGNORED: neither STUN nor ChannelData. Any
 * error: counted and dropped (an answer may wait in poll). OK: see *out, then poll. */
TR_MUST_USE enum tr_err tr_turn_input(struct tr_turn *turn, tr_usec now, const struct tr_path *flow,
                                      struct tr_slice msg, struct tr_turn_data *out);
/* Which server a message is for, when another one made the ticket, token or connection that it
 * names; -1: this one, as always when the flow has an allocation here, or when the credential does
 * not hold: strangers do not reach the others by this one. The owner then hands the message (and
 * its stream) over there. */
int tr_turn_home(const struct tr_turn *turn, tr_usec now, const struct tr_path *flow,
                 struct tr_slice msg);
/* The answer to OPEN; user comes back in events and data. UNSUPPORTED is told as 440, any other
 * error as 508. Ignored when the relay was closed meanwhile. */
void tr_turn_opened(struct tr_turn *turn, tr_usec now, tr_id relay, enum tr_err err,
                    const struct tr_addr *relayed, void *user);
/* Data of n bytes came from peer to the relay. OK: send it as *frame says. AUTH: no permission;
 * LIMIT: over the bound; NOTFOUND: the relay is gone. */
TR_MUST_USE enum tr_err tr_turn_deliver(struct tr_turn *turn, tr_usec now, tr_id relay,
                                        const struct tr_addr *peer, size_t n,
                                        struct tr_turn_frame *frame);
/* The kernel was told by ICMP that the relay's data did not reach peer: RFC 8656 11.5. data: the
 * next-hop MTU where the type has one, else 0. */
void tr_turn_icmp(struct tr_turn *turn, tr_usec now, tr_id relay, const struct tr_addr *peer,
                  uint8_t type, uint8_t code, uint32_t data);

/* TCP peers. connected: the answer to DIAL. incoming: a peer has connected to the relay;
 * *connection names it; AUTH, LIMIT: close it. hangup: either end of it, or its join, is gone. */
void tr_turn_connected(struct tr_turn *turn, tr_usec now, tr_id connection, enum tr_err err);
TR_MUST_USE enum tr_err tr_turn_incoming(struct tr_turn *turn, tr_usec now, tr_id relay,
                                         const struct tr_addr *peer, tr_id *connection);
void tr_turn_hangup(struct tr_turn *turn, tr_usec now, tr_id connection);
/* How many of n bytes may pass on a joined connection now, by the bounds of its allocation,
 * credential and node. 0: try again later, which is counted as a refusal. */
size_t tr_turn_stream_room(struct tr_turn *turn, tr_usec now, tr_id connection, bool to_peer,
                           size_t n);
void tr_turn_stream_passed(struct tr_turn *turn, tr_id connection, bool to_peer, size_t n);
/* The stream of a client is gone, and its allocation with it, unless that may still move. */
void tr_turn_flow_gone(struct tr_turn *turn, tr_usec now, const struct tr_path *flow);

void tr_turn_timeout(struct tr_turn *turn, tr_usec now);
tr_usec tr_turn_next_timeout(const struct tr_turn *turn);
void tr_turn_poll(struct tr_turn *turn, struct tr_turn_out *out);
const struct tr_turn_counters *tr_turn_counters(const struct tr_turn *turn);

#endif

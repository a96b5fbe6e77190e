/* TURN client as a state machine: one allocation with its permissions and channels, kept alive
 * until closed. For tring-load, the simulator and tests. RFC 8656, long-term credentials.
 * Drive: one of start/send/input/timeout/close -> poll until TR_TURN_CLIENT_NONE -> sleep to
 * next_timeout. */
#ifndef TR_TURN_CLIENT_H
#define TR_TURN_CLIENT_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

struct tr_rng;
struct tr_turn_client;

enum { TR_TURN_CLIENT_PEERS_MAX = 32, TR_TURN_CLIENT_DATA_MAX = 1500 };

struct tr_turn_client_conf { /* copied */
    struct tr_path server;   /* proto of its addresses: UDP with retransmission, TCP without */
    const char *username, *password;
    bool v6;             /* REQUESTED-ADDRESS-FAMILY */
    bool sha256;         /* be a client of RFC 8489: what it adds is used where it is offered */
    uint32_t lifetime_s; /* 0: 600 */
    struct tr_rng *rng;  /* borrowed */
};

enum tr_turn_client_kind {
    TR_TURN_CLIENT_NONE,
    TR_TURN_CLIENT_SEND,      /* data to the server */
    TR_TURN_CLIENT_ALLOCATED, /* relayed, mapped */
    TR_TURN_CLIENT_DATA,      /* data from peer; borrowed from what was handed in */
    TR_TURN_CLIENT_FAILED,    /* code: of the server, 0: silence */
};

struct tr_turn_client_out { /* valid until the next call */
    enum tr_turn_client_kind kind;
    struct tr_slice data;
    struct tr_addr peer, relayed, mapped;
    int code;
};

/* NULL: memory is out, or the credential is too long. Begins at once: poll. */
struct tr_turn_client *tr_turn_client_create(const struct tr_turn_client_conf *conf, tr_usec now);
void tr_turn_client_destroy(struct tr_turn_client *client); /* NULL is fine */
/* To a peer: by a channel as soon as one is bound, before that by a Send indication once the
 * permission holds; what comes earlier waits. LIMIT: too long, or too many packets wait, or too
 * many peers, or the last SEND was not polled. CLOSED: the allocation, or the way to this peer, is
 * gone. NOMEM. */
TR_MUST_USE enum tr_err tr_turn_client_send(struct tr_turn_client *client, tr_usec now,
                                            const struct tr_addr *peer, struct tr_slice data);
/* A datagram of the server, or one framed message. IGNORED: nothing of ours. BADMSG, AUTH:
 * dropped. */
TR_MUST_USE enum tr_err tr_turn_client_input(struct tr_turn_client *client, tr_usec now,
                                             struct tr_slice msg);
/* Gives the allocation back; next_timeout is TR_NEVER when that is done. */
void tr_turn_client_close(struct tr_turn_client *client, tr_usec now);
void tr_turn_client_timeout(struct tr_turn_client *client, tr_usec now);
tr_usec tr_turn_client_next_timeout(const struct tr_turn_client *client);
void tr_turn_client_poll(struct tr_turn_client *client, tr_usec now,
                         struct tr_turn_client_out *out);

#endif

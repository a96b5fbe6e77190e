/* The way of one client through a TURN server: an allocation, over the client's own UDP socket or
 * over a TCP or TLS connection. Part of struct rtc; one thread. */
#ifndef TR_TRING_LOAD_RELAY_H
#define TR_TRING_LOAD_RELAY_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/slice.h"
#include "base/time.h"

struct rtc;
struct tr_stream_event;
struct tr_turn_client;

struct relay { /* zeroed: there is none */
    struct tr_turn_client *turn;
    tr_id stream;        /* over TCP */
    struct tr_addr addr; /* the relayed address */
    bool ready, failed;
    int code; /* failed: the server's error; 0: it is silent or gone */
    tr_usec ready_us;
};

/* Begins to allocate; `ready` or `failed` follows. */
TR_MUST_USE enum tr_err relay_open(struct rtc *c, tr_usec now);
void relay_close(struct rtc *c, tr_usec now);
/* Whether a datagram on the client's socket was the TURN server's, and has been dealt with. */
bool relay_input(struct rtc *c, tr_usec now, const struct tr_path *path, struct tr_slice datagram);
void relay_send(struct rtc *c, tr_usec now, const struct tr_addr *peer, struct tr_slice datagram);
void relay_event(struct rtc *c, const struct tr_stream_event *event);
tr_usec relay_next(const struct rtc *c); /* when relay_timeout is due */
void relay_timeout(struct rtc *c, tr_usec now);

#endif

/* The TCP connections of all clients in one set: to a TURN server (relay.h), or to the server's own
 * TCP port (tcp.h). Part of struct rtc_world; one thread. */
#ifndef TR_TRING_LOAD_STREAMS_H
#define TR_TRING_LOAD_STREAMS_H

#include "base/err.h"
#include "base/time.h"

struct rtc_world;

enum stream_tag { STREAM_RELAY, STREAM_ICE }; /* of what is dialed, whose user is the client */

/* Opens none where nothing goes over TCP. IO, NOMEM. */
TR_MUST_USE enum tr_err streams_open(struct rtc_world *w);
void streams_close(struct rtc_world *w);
void streams_run(struct rtc_world *w, tr_usec now); /* reads, and writes what waits */
tr_usec streams_next(const struct rtc_world *w);

#endif

/* ICE-TCP of one client (RFC 6544): it is the active side, and connects to the passive candidates
 * of the server; packets go in the frames of RFC 4571. Part of struct rtc; one thread. */
#ifndef TR_TRING_LOAD_TCP_H
#define TR_TRING_LOAD_TCP_H

#include "base/addr.h"
#include "base/idtab.h"
#include "base/slice.h"
#include "base/time.h"

struct rtc;
struct tr_stream_event;

enum { TCP_STREAMS_MAX = 4 }; /* candidates of the server beyond these are not connected to */

struct tcp { /* zeroed: nothing is connected yet */
    struct {
        tr_id id; /* 0: gone, or never there */
        struct tr_addr remote;
    } streams[TCP_STREAMS_MAX];
    int count;
};

/* What the ICE agent calls our end of all streams, whatever ports they have. */
struct tr_addr tcp_local(const struct rtc *c);
/* Connects first where it has not; what cannot be written is lost, as a datagram would be. */
void tcp_send(struct rtc *c, tr_usec now, const struct tr_addr *to, struct tr_slice datagram);
void tcp_event(struct rtc *c, const struct tr_stream_event *event);
void tcp_close(struct rtc *c, tr_usec now);

#endif

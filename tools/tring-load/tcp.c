/* A stream begins with the first check on its pair. One that ends is a path that is gone, and the
 * next check on the pair connects again. */
#include "tring-load/tcp.h"

#include "ice/cand.h"
#include "net/clock.h"
#include "net/stream.h"
#include "tring-load/rtc.h"

#define DIAL_US (5 * TR_SECOND)

struct tr_addr tcp_local(const struct rtc *c)
{
    struct tr_addr at = c->local;
    at.proto = TR_PROTO_TCP;
    at.port = TR_ICE_TCP_ACTIVE_PORT;
    return at;
}

/* -1: there is no room for another. */
static int slot_of(struct tcp *t, const struct tr_addr *to)
{
    for (int i = 0; i < t->count; i++) {
        if (tr_addr_eq(&t->streams[i].remote, to))
            return i;
    }
    if (t->count == TCP_STREAMS_MAX)
        return -1;
    t->streams[t->count].remote = *to;
    return t->count++;
}

void tcp_send(struct rtc *c, tr_usec now, const struct tr_addr *to, struct tr_slice datagram)
{
    struct rtc_world *w = c->world;
    struct tr_stream_conf conf = { .framing = TR_FRAMING_RFC4571, .tag = STREAM_ICE };
    int i = slot_of(&c->tcp, to);
    if (i < 0)
        return;
    tr_id *id = &c->tcp.streams[i].id;
    if (!*id) {
        if (tr_streams_dial(w->streams, now, &w->options->bind, to, &conf, NULL, DIAL_US, id) !=
            TR_OK)
            return;
        tr_stream_set_user(w->streams, *id, c);
    }
    (void)!tr_stream_write(w->streams, now, *id, tr_slice(NULL, 0), datagram, TR_STREAM_MEDIA);
}

void tcp_event(struct rtc *c, const struct tr_stream_event *event)
{
    tr_usec now = tr_clock_now();
    int i = 0;
    while (i < c->tcp.count && c->tcp.streams[i].id != event->id)
        i++;
    if (i == c->tcp.count)
        return;
    struct tr_path path = { .local = tcp_local(c), .remote = c->tcp.streams[i].remote };
    if (event->kind == TR_STREAM_FRAME) {
        rtc_take(c, now, &path, event->data);
    } else if (event->kind == TR_STREAM_CLOSED) {
        c->tcp.streams[i].id = 0;
        rtc_path_gone(c, now, &path);
    }
}

void tcp_close(struct rtc *c, tr_usec now)
{
    for (int i = 0; i < c->tcp.count; i++) {
        if (c->tcp.streams[i].id)
            tr_stream_end(c->world->streams, now, c->tcp.streams[i].id, true);
    }
    c->tcp = (struct tcp){ 0 };
}

/* Each client has a tr_turn_client of its own. What that says goes to the swarm or to the client's
 * stream; what peers say comes back through rtc_take as if it had come from their address. */
#include "tring-load/relay.h"

#include "net/clock.h"
#include "net/stream.h"
#include "tring-load/rtc.h"
#include "turn/client.h"

#define DIAL_US (10 * TR_SECOND)

static bool is_channel_data(struct tr_slice msg)
{
    return msg.p[0] >= 0x40;
}

static void fail(struct rtc *c, int code)
{
    c->relay.failed = true;
    c->relay.code = code;
    if (c->peer && !c->down) {
        c->down = true;
        c->down_reason = "the TURN allocation was lost";
    }
}

static void say(struct rtc *c, tr_usec now, struct tr_slice msg)
{
    const struct load_turn *t = &c->world->options->turn;
    enum tr_stream_worth worth = is_channel_data(msg) ? TR_STREAM_MEDIA : TR_STREAM_KEEP;
    if (t->server.proto == TR_PROTO_UDP)
        tr_swarm_send(c->world->swarm, c->socket, &t->server, msg);
    else /* what cannot be written is lost, as a datagram would be */
        (void)!tr_stream_write(c->world->streams, now, c->relay.stream, tr_slice(NULL, 0), msg,
                               worth);
}

static void speak(struct rtc *c, tr_usec now)
{
    struct tr_turn_client_out out;
    for (;;) {
        tr_turn_client_poll(c->relay.turn, now, &out);
        switch (out.kind) {
        case TR_TURN_CLIENT_NONE: rtc_schedule(c); return;
        case TR_TURN_CLIENT_SEND: say(c, now, out.data); break;
        case TR_TURN_CLIENT_ALLOCATED:
            c->relay.addr = out.relayed;
            c->relay.ready = true;
            c->relay.ready_us = now;
            break;
        case TR_TURN_CLIENT_DATA:
            rtc_take(c, now, &(struct tr_path){ .local = c->relay.addr, .remote = out.peer },
                     out.data);
            break;
        case TR_TURN_CLIENT_FAILED: fail(c, out.code); break;
        }
    }
}

static void begin(struct rtc *c, tr_usec now)
{
    const struct load_turn *t = &c->world->options->turn;
    struct tr_turn_client_conf conf = { .server = { .local = c->local, .remote = t->server },
                                        .username = t->user,
                                        .password = t->password,
                                        .v6 = !tr_addr_is_v4(&c->local),
                                        .sha256 = true,
                                        .rng = &c->world->rng };
    c->relay.turn = tr_turn_client_create(&conf, now);
    if (c->relay.turn)
        speak(c, now);
    else
        fail(c, 0);
}

void relay_event(struct rtc *c, const struct tr_stream_event *event)
{
    tr_usec now = tr_clock_now();
    if (c->relay.stream != event->id)
        return;
    if (event->kind == TR_STREAM_CONNECTED) {
        begin(c, now);
    } else if (event->kind == TR_STREAM_FRAME && c->relay.turn) {
        (void)!tr_turn_client_input(c->relay.turn, now, event->data);
        speak(c, now);
    } else if (event->kind == TR_STREAM_CLOSED) {
        c->relay.stream = 0;
        fail(c, 0);
    }
}

enum tr_err relay_open(struct rtc *c, tr_usec now)
{
    struct rtc_world *w = c->world;
    const struct load_turn *t = &w->options->turn;
    struct tr_stream_conf conf = { .framing = TR_FRAMING_TURN, .tls = w->tls, .tag = STREAM_RELAY };
    if (t->server.proto == TR_PROTO_UDP) {
        begin(c, now);
        return TR_OK;
    }
    enum tr_err err = tr_streams_dial(w->streams, now, &w->options->bind, &t->server, &conf, NULL,
                                      DIAL_US, &c->relay.stream);
    if (err == TR_OK)
        tr_stream_set_user(w->streams, c->relay.stream, c);
    return err;
}

void relay_close(struct rtc *c, tr_usec now)
{
    if (c->relay.turn) {
        tr_turn_client_close(c->relay.turn, now);
        speak(c, now);
    }
    if (c->relay.stream)
        tr_stream_end(c->world->streams, now, c->relay.stream, true);
    tr_turn_client_destroy(c->relay.turn);
    c->relay = (struct relay){ 0 };
}

bool relay_input(struct rtc *c, tr_usec now, const struct tr_path *path, struct tr_slice datagram)
{
    if (!c->relay.turn || !tr_addr_eq(&path->remote, &c->world->options->turn.server) ||
        tr_turn_client_input(c->relay.turn, now, datagram) == TR_ERR_IGNORED)
        return false;
    speak(c, now);
    return true;
}

void relay_send(struct rtc *c, tr_usec now, const struct tr_addr *peer, struct tr_slice datagram)
{
    /* What finds no room is lost, as a datagram may be. */
    (void)!tr_turn_client_send(c->relay.turn, now, peer, datagram);
    speak(c, now);
}

tr_usec relay_next(const struct rtc *c)
{
    return c->relay.turn ? tr_turn_client_next_timeout(c->relay.turn) : TR_NEVER;
}

void relay_timeout(struct rtc *c, tr_usec now)
{
    if (relay_next(c) > now)
        return;
    tr_turn_client_timeout(c->relay.turn, now);
    speak(c, now);
}

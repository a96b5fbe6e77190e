/* Clients of the relay over TCP and TLS, and TCP peers (RFC 6062). A stream of a client carries
 * TURN messages and is known to the server by its path, like a flow of datagrams. The connection
 * to a peer is paused until a stream of the client is joined to it; from then on bytes go from one
 * to the other inside of net/stream.h, as fast as the bounds of the allocation let them.
 *
 * A stream that has come to another worker than the one which its first message is for moves there
 * with that message. */
#include "base/mem.h"
#include "media/msg.h"
#include "media/relay_int.h"
#include "net/stream.h"
#include "net/waiter.h"

enum {
    CONNECTIONS_MAX = 1 << 16,
    FRAME_MAX = 65535 + 4,
    TAG_CLIENT = 0,
    TAG_PEER = 1 << 16, /* and the relayed port that it has come to */
};

#define DIAL_US (30 * TR_SECOND) /* RFC 6062 5.2 */

struct rconn { /* the connection to a TCP peer */
    tr_id connection, stream;
    bool up;
};

static const struct tr_stream_conf peer_stream = {
    .framing = TR_FRAMING_RAW, .paused = true, .proven = true, .tag = TAG_PEER
};

/* --- TCP peers --- */

static struct rconn *conn_of(struct relay *r, tr_id connection)
{
    return tr_map_get(r->conns, tr_slice(&connection, sizeof connection));
}

static struct rconn *conn_add(struct relay *r, tr_id connection)
{
    struct rconn *c = tr_alloc(sizeof *c);
    if (!c)
        return NULL;
    c->connection = connection;
    if (tr_map_add(r->conns, tr_slice(&c->connection, sizeof c->connection), c) == TR_OK)
        return c;
    tr_free(c);
    return NULL;
}

static void conn_remove(struct relay *r, struct rconn *c)
{
    tr_map_remove(r->conns, tr_slice(&c->connection, sizeof c->connection));
    tr_free(c);
}

void relay_stream_dial(struct rport *p, tr_id connection, const struct tr_addr *peer)
{
    struct relay *r = p->relay;
    tr_usec now = r->worker->now;
    struct rconn *c = r->streams ? conn_add(r, connection) : NULL;
    enum tr_err err =
        c ? tr_streams_dial(r->streams, now, &p->at, peer, &peer_stream, NULL, DIAL_US, &c->stream)
          : TR_ERR_LIMIT;
    if (err == TR_OK) {
        tr_stream_set_user(r->streams, c->stream, c);
        return;
    }
    if (c)
        conn_remove(r, c);
    tr_turn_connected(r->turn, now, connection, err);
}

static size_t joined_room(void *arg, uint64_t connection, bool to_peer, size_t n)
{
    struct relay *r = arg;
    return tr_turn_stream_room(r->turn, r->worker->now, connection, to_peer, n);
}

static void joined_passed(void *arg, uint64_t connection, bool to_peer, size_t n)
{
    struct relay *r = arg;
    tr_turn_stream_passed(r->turn, connection, to_peer, n);
}

static const struct tr_stream_meter meter = { .room = joined_room, .passed = joined_passed };

void relay_stream_undial(struct relay *r, tr_id connection)
{
    struct rconn *c = conn_of(r, connection);
    if (!c)
        return;
    tr_stream_end(r->streams, r->worker->now, c->stream, true);
    conn_remove(r, c);
}

void relay_stream_join(struct relay *r, const struct tr_path *flow, tr_id connection)
{
    struct rconn *c = conn_of(r, connection);
    tr_id client = r->streams ? tr_streams_find(r->streams, flow) : 0;
    tr_stream_proven(r->streams, client);
    if (c && tr_stream_join(r->streams, r->worker->now, client, c->stream, connection) == TR_OK)
        return;
    tr_turn_hangup(r->turn, r->worker->now, connection);
    relay_stream_undial(r, connection);
}

enum tr_err relay_stream_listen(struct rport *p)
{
    struct tr_stream_conf conf = peer_stream;
    struct tr_addr at = p->at;
    if (!p->relay->streams)
        return TR_ERR_UNSUPPORTED;
    conf.tag |= p->at.port;
    return tr_streams_listen(p->relay->streams, &at, true, &conf, &p->listener);
}

void relay_stream_unlisten(struct rport *p)
{
    if (p->listener)
        tr_streams_unlisten(p->relay->streams, p->listener);
    p->listener = 0;
}

static void peer_came(struct relay *r, const struct tr_stream_event *ev)
{
    tr_usec now = r->worker->now;
    tr_id connection;
    struct rport *p = relay_port_at(r, (uint16_t)ev->tag);
    if (!p || tr_turn_incoming(r->turn, now, p->id, &ev->path.remote, &connection) != TR_OK) {
        tr_stream_end(r->streams, now, ev->id, false);
        return;
    }
    struct rconn *c = conn_add(r, connection);
    if (c) {
        *c = (struct rconn){ .connection = connection, .stream = ev->id, .up = true };
        tr_stream_set_user(r->streams, ev->id, c);
    } else {
        tr_turn_hangup(r->turn, now, connection);
        tr_stream_end(r->streams, now, ev->id, false);
    }
}

static void peer_connected(struct relay *r, struct rconn *c)
{
    c->up = true;
    tr_turn_connected(r->turn, r->worker->now, c->connection, TR_OK);
}

static void peer_gone(struct relay *r, struct rconn *c)
{
    if (c->up)
        tr_turn_hangup(r->turn, r->worker->now, c->connection);
    else
        tr_turn_connected(r->turn, r->worker->now, c->connection, TR_ERR_IO);
    conn_remove(r, c);
}

/* --- clients --- */

static void stream_event(void *arg, const struct tr_stream_event *ev)
{
    struct relay *r = arg;
    switch (ev->kind) {
    case TR_STREAM_ACCEPTED:
        if (ev->tag & TAG_PEER)
            peer_came(r, ev);
        break;
    case TR_STREAM_CONNECTED: peer_connected(r, ev->user); break;
    case TR_STREAM_FRAME: relay_input(r, &ev->path, ev->data); return;
    case TR_STREAM_CLOSED:
        if (ev->user)
            peer_gone(r, ev->user);
        else
            tr_turn_flow_gone(r->turn, r->worker->now, &ev->path);
        break;
    case TR_STREAM_WRITABLE: break;
    }
    relay_poll(r);
}

void relay_stream_send(struct relay *r, const struct tr_path *flow, struct tr_slice head,
                       struct tr_slice data, bool keep)
{
    tr_id id = r->streams ? tr_streams_find(r->streams, flow) : 0;
    /* What it does not take is counted there. */
    if (id)
        (void)!tr_stream_write(r->streams, r->worker->now, id, head, data,
                               keep ? TR_STREAM_KEEP : TR_STREAM_MEDIA);
}

void relay_stream_proven(struct relay *r, const struct tr_path *flow)
{
    if (r->streams && flow->remote.proto == TR_PROTO_TCP)
        tr_stream_proven(r->streams, tr_streams_find(r->streams, flow));
}

void relay_stream_hand_over(struct relay *r, const struct tr_path *flow, int to)
{
    struct msg m = { .kind = MSG_RELAY_STREAM, .worker = r->worker->index };
    m.u.moved = tr_stream_detach(r->streams, tr_streams_find(r->streams, flow), true);
    if (m.u.moved)
        worker_send(r->worker, to, &m, true);
}

void relay_stream_take_over(struct relay *r, struct tr_stream_moved *moved)
{
    tr_id id;
    if (tr_stream_adopt(r->streams, r->worker->now, moved, NULL, &id) == TR_OK)
        r->streams_again = true;
}

/* --- the turn --- */

bool relay_stream_read(struct relay *r, uint32_t ready)
{
    tr_usec now = r->worker->now;
    if (!r->streams || !(r->streams_again || (ready >> WORKER_TAG_RELAY_STREAMS & 1) ||
                         tr_streams_next_timeout(r->streams) <= now))
        return false;
    r->streams_again = tr_streams_run(r->streams, now);
    return r->streams_again;
}

tr_usec relay_stream_next_timeout(const struct relay *r)
{
    return r->streams ? tr_streams_next_timeout(r->streams) : TR_NEVER;
}

void relay_stream_flush(struct relay *r)
{
    if (r->streams)
        tr_streams_flush(r->streams, r->worker->now);
}

/* --- life --- */

static enum tr_err listen_all(struct relay *r, uint16_t port, struct tr_tls *tls)
{
    const struct tr_stream_conf conf = {
        .framing = TR_FRAMING_TURN, .tls = tls, .frame_max = FRAME_MAX, .tag = TAG_CLIENT
    };
    enum tr_err err = TR_OK;
    for (int i = 0; err == TR_OK && i < r->conf->bind_count; i++) {
        struct tr_addr at = r->conf->bind[i];
        tr_id listener;
        at.port = port;
        at.proto = TR_PROTO_TCP;
        err = tr_streams_listen(r->streams, &at, true, &conf, &listener);
    }
    return err;
}

enum tr_err relay_stream_open(struct relay *r)
{
    struct tr_streams_conf conf = { .quota = r->worker->media->relay_streams,
                                    .meter = &meter,
                                    .seed = tr_rng_u64(&r->worker->rng) };
    if (!r->conf->tcp)
        return TR_OK;
    r->conns = tr_map_create(CONNECTIONS_MAX, tr_rng_u64(&r->worker->rng));
    enum tr_err err =
        r->conns ? tr_streams_open(&r->streams, &conf, stream_event, r) : TR_ERR_NOMEM;
    if (err == TR_OK)
        err = tr_waiter_add(r->worker->waiter, tr_streams_fd(r->streams), WORKER_TAG_RELAY_STREAMS);
    if (err == TR_OK)
        err = listen_all(r, tr_udp_port(r->udp), NULL);
    for (int i = 0; err == TR_OK && r->conf->tls && i < r->conf->tls_ports_count; i++)
        err = listen_all(r, r->conf->tls_ports[i], r->conf->tls);
    return err;
}

void relay_stream_close(struct relay *r)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *conn;
    tr_streams_close(r->streams);
    while (r->conns && tr_map_next(r->conns, &cursor, &key, &conn))
        tr_free(conn);
    tr_map_destroy(r->conns);
}

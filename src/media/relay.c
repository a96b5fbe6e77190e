/* The TURN server of a worker and its clients over UDP. All workers listen at the same port, and
 * the kernel keeps a client on one of them, where its allocation lives then. Only a client that
 * moves, or that takes what another worker has reserved, arrives elsewhere: its datagrams are
 * passed on, one by one, for as long as the allocation lives (relay_away.c).
 *
 * Data takes the short way: one look-up in the server says whom it is for, and it is copied into
 * the queue that it leaves by at the end of the turn (net/gather.h), with those of its flow. */
#include "media/relay_int.h"

#include <string.h>

#include "base/mem.h"
#include "media/msg.h"
#include "media/worker_in.h"
#include "net/quota.h"
#include "net/waiter.h"
#include "turn/throttle.h"

enum {
    BATCHES_A_TURN = 16, /* per socket: others must not wait longer */
    OTHER_SOCKETS = 2,   /* of the two addresses of RFC 5780 */
    THROTTLE_SLOTS = 1 << 14,
};

_Static_assert((int)WORKER_TAG_END <= (int)TR_WAITER_MAX, "the waiter has a bit for each socket");

/* --- out --- */

static int socket_of(const struct relay *r, const struct tr_path *flow)
{
    const struct tr_udp *udp =
        r->other && flow->local.port == tr_udp_port(r->other) ? r->other : r->udp;
    for (int i = 0; i < r->conf->bind_count; i++) {
        if (tr_addr_ip_eq(&r->conf->bind[i], &flow->local))
            return tr_udp_fd(udp, i);
    }
    return NO_SOCKET;
}

static void send_datagram(struct relay *r, const struct tr_path *flow, struct tr_slice head,
                          struct tr_slice data, uint8_t pad)
{
    const struct tr_gather_out out = {
        .fd = socket_of(r, flow), .to = flow->remote, .head = head, .data = data, .pad = pad
    };
    if (out.fd >= 0)
        tr_gather_put(r->to_clients, &out);
}

/* To a client without a stream, that is heard here. */
static void send_here(struct relay *r, const struct tr_path *flow, struct tr_slice head,
                      struct tr_slice data, uint8_t pad)
{
    if (flow->remote.proto == TR_PROTO_DTLS)
        relay_dtls_send(r, flow, head, data, pad);
    else
        send_datagram(r, flow, head, data, pad);
}

static void pass_on(struct relay *r, int to, enum msg_kind kind, const struct tr_path *flow,
                    struct tr_slice datagram)
{
    struct msg m = { .kind = kind, .worker = r->worker->index };
    m.u.datagram.path = *flow;
    m.u.datagram.pkt = worker_pkt_of(r->worker, datagram);
    if (m.u.datagram.pkt)
        worker_send(r->worker, to, &m, false);
}

static void pass_frame(struct relay *r, int to, const struct tr_turn_frame *frame,
                       struct tr_slice data)
{
    uint8_t bytes[TR_DTLS_ANYBODY_MAX];
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    tr_wr_bytes(&w, frame->head, frame->head_n);
    tr_wr_bytes(&w, data.p, data.n);
    tr_wr_zero(&w, frame->pad);
    if (!w.bad)
        pass_on(r, to, MSG_RELAY_TO_CLIENT, &frame->flow, tr_wr_slice(&w));
}

void relay_deliver(struct rport *p, const struct tr_addr *peer, struct tr_slice data)
{
    struct relay *r = p->relay;
    int here = r->worker->index;
    struct tr_turn_frame frame;
    if (tr_turn_deliver(r->turn, r->worker->now, p->id, peer, data.n, &frame) != TR_OK)
        return;
    struct tr_slice head = tr_slice(frame.head, frame.head_n);
    if (frame.flow.remote.proto == TR_PROTO_TCP) /* which pads by itself */
        relay_stream_send(r, &frame.flow, head, data, false);
    else if (frame.flow.remote.proto == TR_PROTO_DTLS && relay_hears(p, &frame.flow) != here)
        pass_frame(r, relay_hears(p, &frame.flow), &frame, data);
    else
        send_here(r, &frame.flow, head, data, frame.pad);
}

static void tell_client(struct relay *r, const struct tr_path *flow, struct tr_slice message)
{
    const struct tr_slice none = { 0 };
    bool away = r->arrival != r->worker->index && tr_path_eq(flow, &r->flow);
    if (flow->remote.proto == TR_PROTO_TCP)
        relay_stream_send(r, flow, none, message, true);
    else if (away)
        pass_on(r, r->arrival, MSG_RELAY_TO_CLIENT, flow, message);
    else
        send_here(r, flow, none, message, 0);
}

/* --- the server's wishes --- */

static void handle_out(struct relay *r, const struct tr_turn_out *out)
{
    struct rport *p = out->user;
    switch (out->kind) {
    case TR_TURN_MESSAGE: tell_client(r, &out->flow, out->data); break;
    case TR_TURN_OPEN:
        p = relay_port_open(r, out);
        if (p)
            relay_client_flows(p, &r->flow, 1);
        break;
    case TR_TURN_CLOSE:
        if (p)
            relay_client_flows(p, NULL, 0);
        relay_port_close(p);
        break;
    case TR_TURN_UNRESERVE: relay_port_unreserve(r, out->reserved); break;
    case TR_TURN_MOVED:
        if (p)
            relay_client_flows(p, out->flows, out->flows_count);
        break;
    case TR_TURN_DIAL: relay_stream_dial(p, out->connection, &out->peer); break;
    case TR_TURN_JOIN: relay_stream_join(r, &out->flow, out->connection); break;
    case TR_TURN_UNDIAL: relay_stream_undial(r, out->connection); break;
    case TR_TURN_NONE: break;
    }
}

void relay_poll(struct relay *r)
{
    struct tr_turn_out out;
    for (tr_turn_poll(r->turn, &out); out.kind != TR_TURN_NONE; tr_turn_poll(r->turn, &out))
        handle_out(r, &out);
}

/* --- in --- */

static void data_out(const struct tr_turn_data *data)
{
    struct rport *p = data->user;
    if (data->own) {
        relay_own_in(p, &data->peer, data->data);
        return;
    }
    if (p->fd < 0)
        return;
    if (data->dont_fragment)
        p->df_peer = data->peer;
    tr_gather_put(p->relay->to_peers, &(struct tr_gather_out){ .fd = p->fd,
                                                               .to = data->peer,
                                                               .data = data->data,
                                                               .df = data->dont_fragment });
}

/* A message that is to be handled here, wherever it has arrived. */
static void handle_in(struct relay *r, const struct tr_path *flow, struct tr_slice msg, int arrival)
{
    struct tr_turn_data data;
    if (tr_turn_input(r->turn, r->worker->now, flow, msg, &data) == TR_OK && data.data.p) {
        data_out(&data);
        return;
    }
    r->worker->asked = true;
    r->flow = *flow;
    r->arrival = arrival;
    relay_poll(r);
}

void relay_input(struct relay *r, const struct tr_path *flow, struct tr_slice msg)
{
    int home = relay_home_of(r, flow, msg);
    if (home == r->worker->index)
        handle_in(r, flow, msg, home);
    else if (flow->remote.proto == TR_PROTO_TCP)
        relay_stream_hand_over(r, flow, home);
    else
        pass_on(r, home, MSG_RELAY_IN, flow, msg);
}

static void client_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    if (!relay_dtls_input(arg, path, datagram))
        relay_input(arg, path, datagram);
}

static void peer_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    relay_deliver(arg, &path->remote, datagram);
}

/* peer: without a port where our own link is the one that says no. */
static void icmp_in(void *arg, const struct tr_addr *peer, uint8_t type, uint8_t code,
                    uint32_t data)
{
    struct rport *p = arg;
    struct relay *r = p->relay;
    bool ours = peer->port == 0 && tr_addr_ip_eq(peer, &p->df_peer);
    relay_poll(r); /* p knows the flow of its client then */
    tr_turn_icmp(r->turn, r->worker->now, p->id, ours ? &p->df_peer : peer, type, code, data);
    if (p->flows > 0) {
        r->flow = p->flow[0].path;
        r->arrival = p->flow[0].worker;
    }
    relay_poll(r);
}

/* ready: of its sockets, from bit 0 on. */
static bool read_clients(struct relay *r, struct tr_udp *udp, uint32_t ready)
{
    bool more = false;
    for (int i = 0; udp && tr_udp_fd(udp, i) >= 0; i++) {
        bool again = (ready >> i & 1) != 0;
        for (int n = 0; again && n < BATCHES_A_TURN; n++)
            again = tr_udp_receive(udp, i, client_in, r);
        more |= again;
    }
    return more;
}

bool relay_read(struct worker *w, uint32_t ready)
{
    struct relay *r = w->relay;
    bool more = r && read_clients(r, r->udp, ready >> WORKER_TAG_RELAY);
    more |= r && read_clients(r, r->other, ready >> WORKER_TAG_RELAY_OTHER);
    if (r && (ready >> WORKER_TAG_RELAYED & 1))
        tr_swarm_wait(r->swarm, 0, peer_in);
    more |= r && relay_stream_read(r, ready);
    more |= r && relay_dtls_read(r, ready);
    return more;
}

void relay_message(struct worker *w, const struct msg *m)
{
    struct relay *r = w->relay;
    switch ((int)m->kind) {
    case MSG_RELAY_FLOW_ADD:
    case MSG_RELAY_FLOW_REMOVE:
    case MSG_RELAY_FLOW_GONE: relay_away_message(r, m); break;
    case MSG_RELAY_TO_CLIENT: {
        struct tr_pkt *pkt = m->u.datagram.pkt;
        const struct tr_slice none = { 0 };
        send_here(r, &m->u.datagram.path, none, tr_pkt_slice(pkt), 0);
        tr_pkt_unref(&pkt);
        break;
    }
    case MSG_RELAY_STREAM: relay_stream_take_over(r, m->u.moved); break;
    case MSG_RELAY_RENEW: relay_dtls_renew(r, m->u.dtls); break;
    case MSG_RELAY_OUT: relay_own_passed(r, m); break;
    case MSG_RELAY_IN: {
        struct tr_pkt *pkt = m->u.datagram.pkt;
        handle_in(r, &m->u.datagram.path, tr_pkt_slice(pkt), m->worker);
        tr_pkt_unref(&pkt);
        break;
    }
    default: break;
    }
}

/* --- time --- */

void relay_timers(struct worker *w)
{
    struct relay *r = w->relay;
    if (!r)
        return;
    relay_dtls_timers(r);
    if (tr_turn_next_timeout(r->turn) > w->now)
        return;
    tr_turn_timeout(r->turn, w->now);
    r->arrival = w->index;
    relay_poll(r);
}

tr_usec relay_next_timeout(const struct worker *w)
{
    if (!w->relay)
        return TR_NEVER;
    tr_usec next =
        tr_usec_min(tr_turn_next_timeout(w->relay->turn), relay_stream_next_timeout(w->relay));
    return tr_usec_min(next, relay_dtls_next_timeout(w->relay));
}

void relay_flush(struct worker *w)
{
    if (!w->relay)
        return;
    tr_gather_flush(w->relay->to_peers);
    tr_gather_flush(w->relay->to_clients);
    relay_stream_flush(w->relay);
}

/* --- life --- */

static bool has_family(const struct tr_media_turn_conf *conf, bool v4)
{
    for (int i = 0; i < conf->bind_count; i++) {
        if (tr_addr_is_v4(&conf->bind[i]) == v4)
            return true;
    }
    return false;
}

static struct tr_turn *create_server(struct relay *r)
{
    struct worker *w = r->worker;
    const struct tr_media_turn_conf *c = r->conf;
    uint32_t workers = (uint32_t)w->media->workers_count;
    struct tr_turn_conf conf = {
        .index = w->index,
        .auth = c->auth,
        .policy = c->policy,
        .throttle = r->throttle,
        .rng = &w->rng,
        .allocations_max = (c->allocations_max + workers - 1) / workers,
        .lifetime_s = c->lifetime_s,
        .lifetime_max_s = c->lifetime_max_s,
        .allocation_bps = c->allocation_bps,
        .allocation_pps = c->allocation_pps,
        .relay_v4 = has_family(c, true),
        .relay_v6 = has_family(c, false),
        .tcp_peers = c->tcp,
        .mobility = c->mobility,
    };
    if (r->other) {
        conf.binding = (struct tr_binding_conf){ .main = c->bind[0],
                                                 .other = c->bind[1],
                                                 .main_known = c->known[0],
                                                 .other_known = c->known[1] };
        conf.binding.main.port = tr_udp_port(r->udp);
        conf.binding.other.port = tr_udp_port(r->other);
    }
    if (c->quota)
        conf.quota = (struct tr_turn_quota){
            .arg = c->quota, .take = tr_quota_take, .give = tr_quota_give, .draw = tr_quota_draw
        };
    return tr_turn_create(&conf, w->now);
}

static enum tr_err watch(struct relay *r)
{
    int waiter = r->worker->waiter;
    enum tr_err err = tr_waiter_add(waiter, tr_swarm_fd(r->swarm), WORKER_TAG_RELAYED);
    for (int i = 0; err == TR_OK && tr_udp_fd(r->udp, i) >= 0; i++)
        err = tr_waiter_add(waiter, tr_udp_fd(r->udp, i), (unsigned)(WORKER_TAG_RELAY + i));
    for (int i = 0; err == TR_OK && r->other && tr_udp_fd(r->other, i) >= 0; i++)
        err = tr_waiter_add(waiter, tr_udp_fd(r->other, i), (unsigned)(WORKER_TAG_RELAY_OTHER + i));
    return err;
}

static enum tr_err open_tables(struct relay *r)
{
    struct worker *w = r->worker;
    bool gso = w->media->conf.gso;
    r->to_clients = tr_gather_create(gso, tr_rng_u64(&w->rng));
    r->to_peers = tr_gather_create(gso, tr_rng_u64(&w->rng));
    r->throttle =
        tr_throttle_create(THROTTLE_SLOTS, r->conf->unproven_per_second, tr_rng_u64(&w->rng));
    enum tr_err err = relay_ports_init(r);
    if (err == TR_OK)
        err = relay_away_init(r);
    if (err != TR_OK)
        return err;
    r->turn = r->throttle ? create_server(r) : NULL;
    bool ok = r->to_clients && r->to_peers && r->turn;
    return ok ? TR_OK : TR_ERR_NOMEM;
}

enum tr_err relay_open(struct worker *w, uint16_t port)
{
    const struct tr_media_conf *conf = &w->media->conf;
    if (conf->turn.bind_count == 0)
        return TR_OK;
    struct relay *r = tr_alloc(sizeof *r);
    if (!r)
        return TR_ERR_NOMEM;
    w->relay = r;
    r->worker = w;
    r->conf = &conf->turn;
    r->arrival = w->index;
    enum tr_err err = tr_udp_open(&r->udp, r->conf->bind, r->conf->bind_count, port, conf->gso);
    if (err == TR_OK && r->conf->other_port > 0)
        err = tr_udp_open(&r->other, r->conf->bind, OTHER_SOCKETS, r->conf->other_port, conf->gso);
    if (err == TR_OK)
        err = open_tables(r);
    if (err == TR_OK)
        err = tr_swarm_open(&r->swarm, r->slots_count, true);
    if (err != TR_OK)
        return err;
    tr_swarm_on_icmp(r->swarm, icmp_in);
    err = watch(r);
    if (err == TR_OK)
        err = relay_stream_open(r);
    return err == TR_OK ? relay_dtls_open(r) : err;
}

void relay_close(struct worker *w)
{
    struct relay *r = w->relay;
    if (!r)
        return;
    tr_turn_destroy(r->turn);
    relay_ports_deinit(r);
    relay_stream_close(r);
    relay_dtls_close(r);
    tr_swarm_close(r->swarm);
    tr_udp_close(r->udp);
    tr_udp_close(r->other);
    tr_gather_destroy(r->to_clients);
    tr_gather_destroy(r->to_peers);
    tr_throttle_destroy(r->throttle);
    relay_away_deinit(r);
    tr_free(r);
    w->relay = NULL;
}

uint16_t relay_port(const struct worker *w)
{
    return w->relay ? tr_udp_port(w->relay->udp) : 0;
}

uint16_t tr_media_turn_port(const struct tr_media *media)
{
    return media->turn_port;
}

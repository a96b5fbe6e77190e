/* The loop of a worker, its messages, its life. */
#include "media/worker.h"

#include "base/assert.h"
#include "base/mem.h"
#include "dtls/dtls.h"
#include "media/ports.h"
#include "media/relay.h"
#include "media/tcp.h"
#include "media/worker_in.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/stream.h"
#include "net/waiter.h"
#include "turn/throttle.h"

enum {
    MESSAGES_A_TURN = 256,
    BATCHES_A_TURN = 16, /* per socket: media of others must not wait longer */
    ADDRS_MAX = TR_MEDIA_PEERS_MAX * 2,
    TABLE_MAX = TR_MEDIA_PEERS_MAX * 4,
    THROTTLE_SLOTS = 4096,
    UNPROVEN_A_SECOND = 10,
};

void worker_tell(struct worker *w, const struct tr_media_event *ev)
{
    struct event_msg m = { .ev = *ev, .worker = w->index };
    if (tr_outbox_post(&w->events, &m) != TR_OK)
        tr_free(m.ev.stats);
}

/* Lets go of what a message holds that will not be delivered. */
static void drop_packets(const struct msg *m)
{
    for (int i = 0; m->kind == MSG_RUN && i < m->u.run.count; i++) {
        struct tr_pkt *pkt = m->u.run.pkts[i];
        tr_pkt_unref(&pkt);
    }
    for (int i = 0; m->kind == MSG_DATA && i < m->u.data.count; i++) {
        struct tr_pkt *pkt = m->u.data.pkts[i];
        tr_pkt_unref(&pkt);
    }
    for (int i = 0; m->kind == MSG_RELAY_OUT && i < m->u.relay.count; i++) {
        struct tr_pkt *pkt = m->u.relay.pkts[i];
        tr_pkt_unref(&pkt);
    }
    if (m->kind == MSG_DATAGRAM || m->kind == MSG_RELAY_IN || m->kind == MSG_RELAY_TO_CLIENT) {
        struct tr_pkt *pkt = m->u.datagram.pkt;
        tr_pkt_unref(&pkt);
    }
    if (m->kind == MSG_STREAM || m->kind == MSG_RELAY_STREAM)
        tr_stream_moved_destroy(m->u.moved);
}

void worker_send(struct worker *w, int to, const struct msg *m, bool reliable)
{
    TR_ASSERT(to >= 0 && to < w->media->workers_count && to != w->index);
    enum tr_err err =
        reliable ? tr_outbox_post(&w->to[to], m) : tr_mailbox_post(w->media->workers[to].inbox, m);
    if (err == TR_OK)
        return;
    w->counters.drops[TR_DROP_MAILBOX_FULL]++;
    drop_packets(m);
}

/* --- messages --- */

static void message_in(struct worker *w, const struct msg *m)
{
    switch (m->kind) {
    case MSG_STOP: w->stop = true; break;
    case MSG_PEER_REMOTE:
    case MSG_PEER_RESTART:
    case MSG_PEER_TRACKS:
    case MSG_PEER_CLOSE:
    case MSG_PEER_BITRATE:
    case MSG_PEER_QUERY:
        if (!plain_message(w, m))
            wpeer_message(w, m);
        break;
    case MSG_PLAIN_ADD: plain_message(w, m); break;
    case MSG_PEER_DATA:
    case MSG_DATA: worker_data_message(w, m); break;
    case MSG_ROUTE_ADD:
    case MSG_ROUTE_SET:
    case MSG_ROUTE_REMOVE: route_message(w, m); break;
    case MSG_SHARE:
    case MSG_TAP_ADD:
    case MSG_TAP_REMOVE:
    case MSG_TALK:
    case MSG_ASKED:
    case MSG_KEYFRAME:
    case MSG_RUN:
    case MSG_SR: source_message(w, m); break;
    case MSG_DATAGRAM: worker_datagram_passed(w, m); break;
    case MSG_RELAY_IN:
    case MSG_RELAY_OUT:
    case MSG_RELAY_FLOW_ADD:
    case MSG_RELAY_FLOW_REMOVE:
    case MSG_RELAY_TO_CLIENT:
    case MSG_RELAY_FLOW_GONE:
    case MSG_RELAY_RENEW:
    case MSG_RELAY_STREAM: relay_message(w, m); break;
    case MSG_STREAM: tcp_take_over(w, m->u.moved); break;
    case MSG_ADDR_ADD: worker_addr_add(w, &m->u.path, m->peer, NULL, m->worker); break;
    case MSG_ADDR_REMOVE: worker_addr_remove(w, &m->u.path, m->peer); break;
    }
}

static void read_messages(struct worker *w)
{
    struct msg m;
    for (int i = 0; i < MESSAGES_A_TURN && tr_mailbox_take(w->inbox, &m); i++)
        message_in(w, &m);
}

/* --- the turn --- */

static bool read_sockets(struct worker *w, uint32_t ready)
{
    bool more = false;
    for (int i = 0; tr_udp_fd(w->udp, i) >= 0; i++) {
        bool again = (ready >> i & 1) != 0;
        for (int n = 0; again && n < BATCHES_A_TURN; n++)
            again = tr_udp_receive(w->udp, i, worker_datagram_in, w);
        more |= again;
    }
    if (w->ports && (ready >> WORKER_TAG_PORTS & 1))
        ports_read(w);
    more |= tcp_read(w, ready);
    more |= relay_read(w, ready);
    return more;
}

static void run_timers(struct worker *w)
{
    struct tr_heap_node *node;
    while ((node = tr_heap_min(&w->timers)) && node->key <= w->now) {
        struct wpeer *p = TR_CONTAINER_OF(node, struct wpeer, timer);
        tr_heap_remove(&w->timers, node); /* set again when it has spoken */
        tr_peer_timeout(p->peer, w->now);
        wpeer_touch(p);
    }
    ports_timers(w);
    relay_timers(w);
}

static void let_speak(struct worker *w)
{
    while (w->dirty) {
        struct wpeer *p = w->dirty;
        w->dirty = p->next_dirty;
        p->dirty = false;
        w->arrival_worker = w->index;
        wpeer_speak(p);
    }
    ports_speak(w);
}

static void publish(struct worker *w)
{
    const struct tr_udp_counters *u = tr_udp_counters(w->udp);
    struct tr_media_counters *c = &w->counters;
    c->datagrams_in = u->datagrams_in;
    c->bytes_in = u->bytes_in;
    c->datagrams_out = u->datagrams_out;
    c->bytes_out = u->bytes_out;
    c->sends = u->sends;
    c->receives = u->receives;
    c->drops[TR_DROP_SEND] = u->send_dropped;
    tcp_count(w, c);
    c->packets_in_use = tr_pkt_pool_in_use(w->pool);
    counters_publish(w->published, c);
}

static void each_peer(struct worker *w, void (*visit)(struct wpeer *p))
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *p;
    while (tr_map_next(w->peers, &cursor, &key, &p))
        visit(p);
}

static void layer_tick(struct worker *w)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *s;
    while (tr_map_next(w->sources, &cursor, &key, &s))
        source_layer_tick(s);
    each_peer(w, wpeer_share);
    each_peer(w, uplink_peer_tick);
    relay_tick(w);
    publish(w);
    w->stirred = false;
}

static void shadow_tick(struct worker *w)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *value;
    while (tr_map_next(w->sources, &cursor, &key, &value)) {
        struct source *s = value;
        if (source_is_shadow(s))
            source_tick(s);
    }
}

static void ticks(struct worker *w)
{
    if (w->now >= w->layer_tick_due) {
        w->layer_tick_due = tr_usec_up(w->now + 1, LAYER_TICK_US);
        layer_tick(w);
    }
    if (w->now >= w->tick_due) {
        w->tick_due = tr_usec_up(w->now + 1, TICK_US);
        each_peer(w, wpeer_tick);
        ports_tick(w);
        shadow_tick(w);
    }
}

static bool flush_outboxes(struct worker *w)
{
    bool empty = tr_outbox_flush(&w->events);
    for (int i = 0; i < w->media->workers_count; i++)
        empty &= i == w->index || tr_outbox_flush(&w->to[i]);
    return empty;
}

static tr_usec time_to_sleep(const struct worker *w, bool delivered)
{
    const struct tr_heap_node *node = tr_heap_min(&w->timers);
    tr_usec next = tr_usec_min(ports_next_timeout(w), relay_next_timeout(w));
    next = tr_usec_min(next, tcp_next_timeout(w));
    if (w->stirred || w->ports || tr_map_count(w->peers) > 0 || tr_map_count(w->sources) > 0)
        next = tr_usec_min(next, tr_usec_min(w->tick_due, w->layer_tick_due));
    if (node)
        next = tr_usec_min(next, node->key);
    if (!delivered)
        next = tr_usec_min(next, w->now + TR_MSEC);
    if (next == TR_NEVER)
        return TR_NEVER;
    return next <= w->now ? 0 : next - w->now;
}

bool worker_turn(struct worker *w, tr_usec now, uint32_t ready)
{
    w->now = now;
    w->asked = false;
    read_messages(w);
    /* What ends by its time is counted as well. */
    w->stirred |= ready != 0 || relay_next_timeout(w) <= now || tcp_next_timeout(w) <= now;
    bool busy = read_sockets(w, ready);
    run_timers(w);
    ticks(w);
    sources_forward(w);
    let_speak(w);
    tcp_flush(w);
    relay_flush(w);
    tr_udp_flush(w->udp);
    return busy;
}

/* Where datagrams come at short intervals, those of one interval share a turn: the worker sleeps
 * until it is over, whatever comes. Who comes alone is served at once, and a turn that answered a
 * request puts nothing off: its sender will ask the next one. */
static void coalesce(const struct worker *w, tr_usec before)
{
    tr_usec interval = w->media->conf.coalesce_us;
    if (w->now - before >= 2 * interval)
        return;
    tr_usec left = w->now + interval - tr_clock_now();
    if (left > 0)
        tr_clock_sleep(left);
}

void worker_run(void *arg)
{
    struct worker *w = arg;
    uint32_t ready = 0;
    for (;;) {
        tr_usec before = w->now;
        bool busy = worker_turn(w, tr_clock_now(), ready);
        bool delivered = flush_outboxes(w);
        if (w->stop)
            break;
        if (!busy && ready && !w->asked)
            coalesce(w, before);
        bool asleep = !busy && tr_mailbox_sleep(w->inbox);
        ready = tr_waiter_wait(w->waiter, asleep ? time_to_sleep(w, delivered) : 0);
        if (asleep && (ready >> WORKER_TAG_INBOX & 1))
            tr_mailbox_awake(w->inbox);
        else if (asleep)
            tr_mailbox_awake_by_other(w->inbox);
        if (busy)
            ready = UINT32_MAX; /* some were not read dry */
    }
}

/* --- life --- */

static enum tr_err open_tables(struct worker *w)
{
    w->addrs = tr_map_create(ADDRS_MAX, tr_rng_u64(&w->rng));
    w->peers = tr_map_create(TR_MEDIA_PEERS_MAX, tr_rng_u64(&w->rng));
    w->ufrags = tr_map_create(TR_MEDIA_PEERS_MAX * 2, tr_rng_u64(&w->rng));
    w->sources = tr_map_create(TABLE_MAX, tr_rng_u64(&w->rng));
    w->routes = tr_map_create(TR_MEDIA_ROUTES_MAX, tr_rng_u64(&w->rng));
    w->throttle = tr_throttle_create(THROTTLE_SLOTS, UNPROVEN_A_SECOND, tr_rng_u64(&w->rng));
    w->pool = tr_pkt_pool_create(w->media->conf.packets_max);
    w->engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    w->inbox = tr_mailbox_create(INBOX_SLOTS, sizeof(struct msg), NULL, NULL);
    tr_heap_init(&w->timers, TR_MEDIA_PEERS_MAX);
    bool ok = w->addrs && w->peers && w->ufrags && w->sources && w->routes && w->pool &&
              w->throttle && w->engine && w->inbox;
    return ok ? TR_OK : TR_ERR_NOMEM;
}

static enum tr_err open_waiter(struct worker *w)
{
    w->waiter = tr_waiter_open();
    enum tr_err err = w->waiter < 0
                          ? TR_ERR_IO
                          : tr_waiter_add(w->waiter, tr_mailbox_fd(w->inbox), WORKER_TAG_INBOX);
    for (int i = 0; err == TR_OK && tr_udp_fd(w->udp, i) >= 0; i++)
        err = tr_waiter_add(w->waiter, tr_udp_fd(w->udp, i), (unsigned)i);
    return err;
}

enum tr_err worker_init(struct worker *w, struct tr_media *media, int index, uint16_t port,
                        uint16_t turn_port)
{
    const struct tr_media_conf *conf = &media->conf;
    w->media = media;
    w->index = index;
    w->waiter = -1;
    w->rng = tr_random_system();
    enum tr_err err = open_tables(w);
    if (err == TR_OK)
        err = tr_udp_open(&w->udp, conf->bind, conf->bind_count, port, conf->gso);
    if (err == TR_OK)
        err = open_waiter(w);
    if (err == TR_OK)
        err = relay_open(w, turn_port);
    if (err == TR_OK)
        tr_outbox_init(&w->events, media->events);
    return err;
}

static void drop_message(const struct msg *m)
{
    if (m->kind == MSG_PEER_REMOTE)
        tr_free(m->u.remote);
    else if (m->kind == MSG_PEER_RESTART)
        tr_free(m->u.creds);
    else if (m->kind == MSG_PEER_TRACKS)
        tr_free(m->u.tracks.list);
    else if (m->kind == MSG_PLAIN_ADD)
        plain_birth_free(m->u.plain);
    else if (m->kind == MSG_RELAY_RENEW)
        tr_dtls_ctx_destroy(m->u.dtls);
    else
        drop_packets(m);
}

static void destroy_all(struct worker *w)
{
    ports_empty(w);
    uint32_t cursor = 0;
    struct tr_slice key;
    void *value;
    while (w->peers && tr_map_next(w->peers, &cursor, &key, &value)) {
        wpeer_destroy(value);
        cursor = 0; /* the map has changed */
    }
    cursor = 0;
    while (w->sources && tr_map_next(w->sources, &cursor, &key, &value)) {
        source_destroy(value);
        cursor = 0;
    }
    cursor = 0;
    while (w->addrs && tr_map_next(w->addrs, &cursor, &key, &value))
        tr_free(value);
}

void worker_empty(struct worker *w)
{
    destroy_all(w);
    tr_pkt_unref(&w->spare);
}

static void empty_inbox(const struct worker *w)
{
    struct msg m;
    while (w->inbox && tr_mailbox_take(w->inbox, &m))
        drop_message(&m);
}

void worker_drain(struct worker *w)
{
    for (int i = 0; i < w->media->workers_count; i++) {
        struct tr_outbox *out = &w->to[i];
        while (out->to && out->waiting > 0) { /* a connection on its way is owned by its message */
            tr_outbox_flush(out);
            empty_inbox(&w->media->workers[i]);
        }
        if (out->to)
            tr_outbox_deinit(out);
    }
    if (w->events.to)
        tr_outbox_deinit(&w->events);
    empty_inbox(w);
}

void worker_deinit(struct worker *w)
{
    ports_destroy(w);
    relay_close(w);
    tr_throttle_destroy(w->throttle);
    tcp_close(w);
    tr_waiter_close(w->waiter);
    tr_udp_close(w->udp);
    tr_heap_deinit(&w->timers);
    tr_map_destroy(w->addrs);
    tr_map_destroy(w->peers);
    tr_map_destroy(w->ufrags);
    tr_map_destroy(w->sources);
    tr_map_destroy(w->routes);
    tr_pkt_pool_destroy(w->pool);
    tr_srtp_engine_destroy(w->engine);
    tr_mailbox_destroy(w->inbox);
}

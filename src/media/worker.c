/* The loop of a worker, its messages, and the way of a datagram: known address -> its peer; unknown
 * address -> only an authenticated STUN check is let in, and says whose the address is. */
#include "media/worker.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "dtls/dtls.h"
#include "ice/ice.h"
#include "media/path_key.h"
#include "media/ports.h"
#include "media/relay.h"
#include "media/tcp.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/stream.h"
#include "net/waiter.h"
#include "peer/rtp_meta.h"
#include "rtp/rtp.h"
#include "stun/stun.h"
#include "turn/binding.h"
#include "turn/throttle.h"

enum {
    MESSAGES_A_TURN = 256,
    BATCHES_A_TURN = 16, /* per socket: media of others must not wait longer */
    ADDRS_MAX = TR_MEDIA_PEERS_MAX * 2,
    TABLE_MAX = TR_MEDIA_PEERS_MAX * 4,
    CHECKS_A_SECOND = 200,   /* of one peer; a browser paces 20 */
    REPORTS_A_SECOND = 1000, /* its RTCP: 64 streams, feedback 20 times a second and more */
    THROTTLE_SLOTS = 4096,
    BINDING_BYTES = 256,
    UNPROVEN_A_SECOND = 10,
};

#define ADDR_QUIET_US (5 * TR_SECOND) /* clients that live say something more often */

struct addr_entry {
    tr_id peer;
    struct wpeer *here; /* NULL: lives on `worker` */
    int worker;
    struct rate rate; /* that may be passed on there: nobody has looked at it yet */
    tr_usec heard;
};

void worker_addr_add(struct worker *w, const struct tr_path *path, tr_id peer, struct wpeer *here,
                     int worker)
{
    struct path_key key = path_key_by_remote(path);
    struct tr_slice k = path_key_slice(&key);
    struct addr_entry *e = tr_map_get(w->addrs, k);
    if (!e) {
        e = tr_alloc(sizeof *e);
        if (!e || tr_map_add(w->addrs, k, e) != TR_OK) {
            tr_free(e);
            return; /* its datagrams count as unknown; ICE will fail and say so */
        }
    }
    *e = (struct addr_entry){ .peer = peer, .here = here, .worker = worker, .heard = w->now };
    rate_init(&e->rate, 0, w->now);
}

void worker_addr_remove(struct worker *w, const struct tr_path *path, tr_id peer)
{
    struct path_key key = path_key_by_remote(path);
    struct tr_slice k = path_key_slice(&key);
    struct addr_entry *e = tr_map_get(w->addrs, k);
    /* The address may be another peer's by now. */
    if (e && e->peer == peer)
        tr_free(tr_map_remove(w->addrs, k));
}

struct wpeer *worker_addr_peer(struct worker *w, const struct tr_path *path)
{
    struct path_key key = path_key_by_remote(path);
    const struct addr_entry *e = tr_map_get(w->addrs, path_key_slice(&key));
    return e ? e->here : NULL;
}

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

/* --- datagrams --- */

static void media_in(struct worker *w, struct wpeer *p, struct tr_slice datagram)
{
    int mline;
    if (!w->spare)
        w->spare = tr_pkt_alloc(w->pool);
    if (!w->spare) {
        w->counters.drops[TR_DROP_NO_BUFFER]++;
        return;
    }
    if (tr_peer_rtp(p->peer, w->now, datagram, w->spare, &mline) != TR_OK)
        return;
    if (!rate_take(&p->rate, w->now, datagram.n)) {
        w->counters.drops[TR_DROP_RATE]++;
        return;
    }
    struct tr_pkt *pkt = w->spare;
    w->spare = NULL;
    w->counters.rtp_in++;
    if (mline < p->tracks_count && p->sources[mline])
        source_packet(p->sources[mline], pkt);
    else
        tr_pkt_unref(&pkt);
}

/* Whether a client may have so much to say besides media. */
static bool is_flood(struct worker *w, struct wpeer *p, enum tr_demux kind)
{
    bool flood = (kind == TR_DEMUX_STUN && !rate_count_take(&p->stun, w->now, CHECKS_A_SECOND)) ||
                 (kind == TR_DEMUX_RTCP && !rate_count_take(&p->rtcp, w->now, REPORTS_A_SECOND));
    w->counters.drops[TR_DROP_FLOOD] += flood;
    return flood;
}

static void peer_in(struct worker *w, struct wpeer *p, const struct tr_path *path,
                    struct tr_slice datagram)
{
    enum tr_demux kind = tr_demux(datagram);
    if (kind == TR_DEMUX_RTP)
        media_in(w, p, datagram);
    else if (is_flood(w, p, kind))
        return;
    else
        tr_peer_input(p->peer, w->now, *path, datagram);
    wpeer_touch(p);
    if (kind == TR_DEMUX_STUN)
        wpeer_speak(p); /* a new path must be known before the next datagram of the batch */
}

struct tr_pkt *worker_pkt_of(struct worker *w, struct tr_slice bytes)
{
    struct tr_pkt *pkt = bytes.n <= TR_PKT_DATA_MAX ? tr_pkt_alloc(w->pool) : NULL;
    if (!pkt) {
        w->counters.drops[TR_DROP_NO_BUFFER]++;
        return NULL;
    }
    memcpy(tr_pkt_data(pkt), bytes.p, bytes.n);
    pkt->len = (uint16_t)bytes.n;
    return pkt;
}

/* To the worker where the peer lives; the copy is in a packet of our pool. */
static void pass_on(struct worker *w, int to, tr_id peer, const struct tr_path *path,
                    struct tr_slice datagram)
{
    struct tr_pkt *pkt = worker_pkt_of(w, datagram);
    if (!pkt)
        return;
    struct msg m = { .kind = MSG_DATAGRAM, .worker = w->index, .peer = peer };
    m.u.datagram.path = *path;
    m.u.datagram.pkt = pkt;
    worker_send(w, to, &m, false);
}

static bool proves(void *arg, const char *pwd)
{
    return tr_ice_check_auth(*(const struct tr_slice *)arg, tr_slice_str(pwd)) == TR_OK;
}

/* Anybody may ask which address he is seen by. Answered without state, over UDP. */
static void answer_binding(struct worker *w, const struct tr_path *path, struct tr_slice datagram)
{
    static const struct tr_binding_conf conf = { 0 };
    uint8_t buf[BINDING_BYTES];
    struct tr_wr answer = tr_wr(buf, sizeof buf);
    struct tr_path out;
    struct tr_stun m;
    if (path->remote.proto != TR_PROTO_UDP ||
        tr_stun_parse(&m, datagram, TR_STUN_FOR_TURN) != TR_OK || (m.has & TR_STUN_HAS_USERNAME) ||
        !tr_throttle_allow(w->throttle, w->now, &path->remote) ||
        tr_binding_answer(&conf, path, &m, &answer, &out) != TR_OK)
        w->counters.drops[TR_DROP_STUN_BAD]++;
    else
        tr_udp_send(w->udp, &out, tr_wr_slice(&answer));
}

/* A check from an address that is nobody's yet; whether it is one. */
static bool stranger(struct worker *w, const struct tr_path *path, struct tr_slice datagram)
{
    struct tr_slice ufrag;
    struct tr_claim_result claim;
    if (tr_demux(datagram) != TR_DEMUX_STUN) {
        w->counters.drops[TR_DROP_UNKNOWN_ADDR]++;
        return false;
    }
    if (tr_ice_peek_ufrag(datagram, &ufrag) != TR_OK) {
        answer_binding(w, path, datagram);
        return false;
    }
    enum tr_err err = tr_claims_take(w->media->claims, ufrag, w->index, proves, &datagram, &claim);
    if (err != TR_OK) {
        w->counters.drops[err == TR_ERR_AUTH ? TR_DROP_STUN_AUTH : TR_DROP_STUN_UNKNOWN_UFRAG]++;
        return false;
    }
    if (claim.peer)
        wpeer_adopt(w, claim.peer);
    if (claim.owner != w->index) {
        if (path->remote.proto == TR_PROTO_TCP)
            tcp_hand_over(w, path, claim.owner);
        else
            pass_on(w, claim.owner, 0, path, datagram);
        return true;
    }
    struct wpeer *p = wpeer_of_ufrag(w, ufrag);
    if (p)
        peer_in(w, p, path, datagram);
    return p != NULL;
}

/* A silent address may have another client by now: one that crashed and came back, or that a NAT
 * gave the port to. One in use is never given away, or whoever can forge it could cut off a call
 * with a check for a peer of his own. */
static bool is_given_away(const struct addr_entry *e, struct worker *w, struct tr_slice datagram)
{
    struct tr_slice ufrag;
    if (w->now - e->heard < ADDR_QUIET_US || tr_ice_peek_ufrag(datagram, &ufrag) != TR_OK)
        return false;
    return !e->here || wpeer_of_ufrag(w, ufrag) != e->here;
}

bool worker_datagram(struct worker *w, const struct tr_path *path, struct tr_slice datagram)
{
    struct path_key key = path_key_by_remote(path);
    struct addr_entry *e = tr_map_get(w->addrs, path_key_slice(&key));
    w->arrival_worker = w->index;
    if (!e || (path->remote.proto != TR_PROTO_TCP && is_given_away(e, w, datagram)))
        return stranger(w, path, datagram);
    e->heard = w->now;
    if (e->here)
        peer_in(w, e->here, path, datagram);
    else if (rate_take(&e->rate, w->now, datagram.n))
        pass_on(w, e->worker, e->peer, path, datagram);
    else
        w->counters.drops[TR_DROP_RATE]++;
    return true;
}

static void datagram_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    (void)worker_datagram(arg, path, datagram);
}

static void datagram_passed(struct worker *w, const struct msg *m)
{
    struct tr_pkt *pkt = m->u.datagram.pkt;
    struct tr_slice datagram = tr_pkt_slice(pkt), ufrag;
    struct path_key key = path_key_by_remote(&m->u.datagram.path);
    struct addr_entry *e = tr_map_get(w->addrs, path_key_slice(&key));
    struct wpeer *p = e ? e->here : wpeer_find(w, m->peer);
    if (!p && tr_ice_peek_ufrag(datagram, &ufrag) == TR_OK)
        p = wpeer_of_ufrag(w, ufrag);
    w->arrival_worker = m->worker;
    if (p)
        peer_in(w, p, &m->u.datagram.path, datagram);
    else
        w->counters.drops[TR_DROP_UNKNOWN_ADDR]++;
    tr_pkt_unref(&pkt);
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
    case MSG_DATAGRAM: datagram_passed(w, m); break;
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
            again = tr_udp_receive(w->udp, i, datagram_in, w);
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

/* The loop of the data thread: messages, timers, and packets on their way to the workers, several
 * of one peer at a time. What the hub does is in data_hub.c. */
#include "media/data_thread.h"

#include "base/assert.h"
#include "base/mem.h"
#include "media/control.h"
#include "media/data_hub.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/waiter.h"

enum {
    DATA_INBOX_SLOTS = 8192,
    DATA_PACKETS_MAX = 16384,        /* on their way to the workers */
    DATA_EVENT_BYTES_MAX = 16 << 20, /* that control has not taken */
    MESSAGES_A_TURN = 512,
    TAG_INBOX = 0,
};

struct data_thread {
    struct tr_media *media;
    struct tr_thread thread;
    struct tr_mailbox *inbox;
    struct tr_outbox orders; /* control's, to the inbox */
    struct tr_outbox events; /* the thread's, to control */
    _Atomic int64_t event_bytes;
    struct tr_pkt_pool *pool;
    int waiter;
    bool stop;
    struct hub hub;
    struct msg batch; /* packets of one peer */
    int batch_worker;
    _Atomic uint64_t published[PUBLISHED_MEDIA];
};

/* --- to the workers and to control --- */

static void flush_batch(struct data_thread *t)
{
    struct msg *m = &t->batch;
    if (m->u.data.count == 0)
        return;
    if (tr_mailbox_post(t->media->workers[t->batch_worker].inbox, m) != TR_OK) {
        t->hub.counters.drops[TR_DROP_DATA_QUEUE] += (uint64_t)m->u.data.count;
        for (int i = 0; i < m->u.data.count; i++)
            tr_pkt_unref(&m->u.data.pkts[i]);
    }
    m->u.data.count = 0;
}

static void on_send(void *arg, tr_id peer, int worker, struct tr_slice packet)
{
    struct data_thread *t = arg;
    struct msg *m = &t->batch;
    struct tr_pkt *pkt = packet.n <= TR_PKT_DATA_MAX ? tr_pkt_alloc(t->pool) : NULL;
    if (!pkt) {
        t->hub.counters.drops[TR_DROP_DATA_QUEUE]++;
        return;
    }
    memcpy(tr_pkt_data(pkt), packet.p, packet.n);
    pkt->len = (uint16_t)packet.n;
    if (m->peer != peer || t->batch_worker != worker || m->u.data.count == MSG_RUN_MAX)
        flush_batch(t);
    m->peer = peer;
    t->batch_worker = worker;
    m->u.data.pkts[m->u.data.count++] = pkt;
}

static int64_t event_cost(const struct tr_data_event *data)
{
    return (int64_t)(data->len + sizeof *data);
}

static void on_tell(void *arg, const struct tr_media_event *event)
{
    struct data_thread *t = arg;
    struct event_msg m = { .ev = *event, .worker = NOWHERE };
    int64_t cost = event_cost(event->data);
    if (atomic_fetch_add(&t->event_bytes, cost) + cost <= DATA_EVENT_BYTES_MAX &&
        tr_outbox_post(&t->events, &m) == TR_OK)
        return;
    atomic_fetch_sub(&t->event_bytes, cost);
    t->hub.counters.drops[TR_DROP_DATA_QUEUE]++;
    tr_free(event->data);
}

void data_thread_taken(struct data_thread *t, const struct tr_data_event *data)
{
    atomic_fetch_sub(&t->event_bytes, event_cost(data));
}

/* --- messages --- */

static void packet_in(struct data_thread *t, const struct data_msg *m, tr_usec now)
{
    struct tr_pkt *pkt = m->u.pkt;
    hub_packet(&t->hub, now, m->id, tr_pkt_slice(pkt));
    tr_pkt_unref(&pkt);
}

static void message_in(struct data_thread *t, const struct data_msg *m, tr_usec now)
{
    struct hub *hub = &t->hub;
    switch (m->kind) {
    case DATA_STOP: t->stop = true; break;
    case DATA_OPEN: hub_open(hub, now, m->id, &m->u.open); break;
    case DATA_UP: hub_up(hub, now, m->id, m->u.up.worker, m->u.up.even); break;
    case DATA_GONE: hub_gone(hub, now, m->id); break;
    case DATA_LISTEN: hub_listen(hub, m->id, m->u.on); break;
    case DATA_ROUTE:
        hub_route(hub, m->id, m->u.route->from, m->u.route->to, &m->u.route->conf);
        tr_free(m->u.route);
        break;
    case DATA_ROUTE_PAUSE: hub_route_pause(hub, now, m->id, m->u.on); break;
    case DATA_ROUTE_REMOVE: hub_route_remove(hub, now, m->id); break;
    case DATA_SAY:
        hub_say(hub, now, m->id, m->u.say);
        tr_free(m->u.say);
        break;
    case DATA_PACKET: packet_in(t, m, now); break;
    }
}

static bool read_messages(struct data_thread *t, tr_usec now)
{
    struct data_msg m;
    for (int i = 0; i < MESSAGES_A_TURN; i++) {
        if (!tr_mailbox_take(t->inbox, &m))
            return false;
        message_in(t, &m, now);
    }
    return true;
}

static void run(void *arg)
{
    struct data_thread *t = arg;
    while (!t->stop) {
        tr_usec now = tr_clock_now();
        bool more = read_messages(t, now);
        if (hub_next_timeout(&t->hub) <= now)
            hub_timeout(&t->hub, now);
        flush_batch(t);
        bool told = tr_outbox_flush(&t->events);
        counters_publish(t->published, &t->hub.counters);
        if (more || t->stop || !tr_mailbox_sleep(t->inbox))
            continue;
        tr_usec next = hub_next_timeout(&t->hub);
        next = told ? next : tr_usec_min(next, now + TR_MSEC);
        tr_usec wait = next == TR_NEVER ? TR_NEVER : next > now ? next - now : 0;
        tr_waiter_wait(t->waiter, wait);
        tr_mailbox_awake(t->inbox);
    }
}

/* --- for control and the workers --- */

struct data_thread *data_thread_create(struct tr_media *media)
{
    struct data_thread *t = tr_alloc(sizeof *t);
    if (!t)
        return NULL;
    struct hub_conf conf = {
        .seed = tr_rng_u64(&media->rng), .send = on_send, .tell = on_tell, .arg = t
    };
    t->media = media;
    t->batch.kind = MSG_DATA;
    t->waiter = tr_waiter_open();
    t->inbox = tr_mailbox_create(DATA_INBOX_SLOTS, sizeof(struct data_msg), NULL, NULL);
    t->pool = tr_pkt_pool_create(DATA_PACKETS_MAX);
    enum tr_err err = hub_init(&t->hub, &conf);
    tr_outbox_init(&t->events, media->events);
    tr_outbox_init(&t->orders, t->inbox);
    if (err == TR_OK && t->waiter >= 0 && t->inbox && t->pool &&
        tr_waiter_add(t->waiter, tr_mailbox_fd(t->inbox), TAG_INBOX) == TR_OK &&
        tr_thread_start(&t->thread, "tring-data", run, t) == TR_OK)
        return t;
    data_thread_drain(t);
    data_thread_destroy(t);
    return NULL;
}

enum tr_err data_thread_order(struct data_thread *t, const struct data_msg *m)
{
    return tr_outbox_post(&t->orders, m);
}

bool data_thread_flush(struct data_thread *t)
{
    return tr_outbox_flush(&t->orders);
}

enum tr_err data_thread_packet(struct data_thread *t, tr_id peer, struct tr_pkt *pkt)
{
    struct data_msg m = { .kind = DATA_PACKET, .id = peer, .u.pkt = pkt };
    return tr_mailbox_post(t->inbox, &m);
}

void data_thread_counters(const struct data_thread *t, struct tr_media_counters *sum)
{
    counters_collect(t->published, sum);
}

/* --- the end --- */

void data_thread_stop(struct data_thread *t)
{
    struct data_msg stop = { .kind = DATA_STOP };
    if (!t || !t->thread.started)
        return;
    bool posted = data_thread_order(t, &stop) == TR_OK;
    while (posted && !data_thread_flush(t))
        tr_clock_sleep(TR_MSEC);
    tr_thread_join(&t->thread);
}

static void drop_message(const struct data_msg *m)
{
    struct tr_pkt *pkt = m->kind == DATA_PACKET ? m->u.pkt : NULL;
    tr_pkt_unref(&pkt);
    if (m->kind == DATA_ROUTE)
        tr_free(m->u.route);
    if (m->kind == DATA_SAY)
        tr_free(m->u.say);
}

/* What control and the thread have kept back owns memory too: through the mailboxes it goes the
 * usual way. */
void data_thread_drain(struct data_thread *t)
{
    struct data_msg m;
    bool empty = !t || !t->inbox;
    if (!t)
        return;
    hub_deinit(&t->hub);
    flush_batch(t);
    while (!empty) {
        empty = data_thread_flush(t);
        while (tr_mailbox_take(t->inbox, &m))
            drop_message(&m);
    }
    while (!tr_outbox_flush(&t->events))
        ctl_drain_events(t->media);
}

void data_thread_destroy(struct data_thread *t)
{
    if (!t)
        return;
    tr_mailbox_destroy(t->inbox);
    tr_waiter_close(t->waiter);
    tr_pkt_pool_destroy(t->pool);
    tr_free(t);
}

/* The set: its tables, its one epoll, and how connections come into it and leave it. Opening them
 * is in stream_open.c, reading in stream_in.c, writing in stream_out.c, time in stream_timer.c,
 * handing over and joining in stream_move.c.
 *
 * epoll is level triggered and watches what a connection can use at the moment. What is readable
 * though epoll does not know it (inside of OpenSSL, or handed over) stands in the list `more`; what
 * was written in this turn in `dirty`; what has ended in `dead`, until its owner knows. */
#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/stream_int.h"

enum { READY_MAX = 64, BUCKETS_MAX = 1 << 16 };

#define LISTENER_BIT (UINT64_C(1) << 63)

const char *tr_stream_reason_name(enum tr_stream_reason reason)
{
    static const char *const names[TR_STREAM_REASON_COUNT] = {
        [TR_STREAM_REMOTE] = "remote",
        [TR_STREAM_ERROR] = "error",
        [TR_STREAM_TLS] = "tls",
        [TR_STREAM_MALFORMED] = "malformed",
        [TR_STREAM_OVERSIZED] = "oversized",
        [TR_STREAM_UNPROVEN] = "unproven",
        [TR_STREAM_SLOW] = "slow",
        [TR_STREAM_IDLE] = "idle",
        [TR_STREAM_CONGESTED] = "congested",
        [TR_STREAM_JOINED] = "joined",
        [TR_STREAM_NO_ROOM] = "no_room",
        [TR_STREAM_NO_MEMORY] = "no_memory",
    };
    return names[reason];
}

/* --- lists --- */

void conn_list_add(struct tr_streams *set, struct conn *c, enum conn_list list)
{
    if (c->listed[list])
        return;
    c->listed[list] = true;
    struct conn *last = set->lists[list].last;
    c->links[list] = (struct conn_link){ .prev = last };
    if (last)
        last->links[list].next = c;
    else
        set->lists[list].first = c;
    set->lists[list].last = c;
}

void conn_list_remove(struct tr_streams *set, struct conn *c, enum conn_list list)
{
    struct conn_link *link = &c->links[list];
    if (!c->listed[list])
        return;
    c->listed[list] = false;
    if (link->prev)
        link->prev->links[list].next = link->next;
    else
        set->lists[list].first = link->next;
    if (link->next)
        link->next->links[list].prev = link->prev;
    else
        set->lists[list].last = link->prev;
}

/* --- by path --- */

static struct conn **bucket_of(const struct tr_streams *set, const struct tr_path *path)
{
    uint64_t h = tr_addr_hash(&path->remote, set->conf.seed);
    return &set->buckets[tr_addr_hash(&path->local, h) & set->buckets_mask];
}

static void path_remove(struct tr_streams *set, struct conn *c)
{
    struct conn **at = bucket_of(set, &c->path);
    while (*at && *at != c)
        at = &(*at)->hash_next;
    if (*at)
        *at = c->hash_next;
}

tr_id tr_streams_find(const struct tr_streams *set, const struct tr_path *path)
{
    const struct conn *c = *bucket_of(set, path);
    while (c && !tr_path_eq(&c->path, path))
        c = c->hash_next;
    return c && conn_of(set, c->id) ? c->id : 0;
}

/* --- connections --- */

struct conn *conn_of(const struct tr_streams *set, tr_id id)
{
    struct conn *c = id & LISTENER_BIT ? NULL : tr_idtab_get(set->conns, id);
    return c && c->state < CONN_LINGER ? c : NULL;
}

struct conn *conn_create(const struct tr_stream_conf *conf, int fd, const struct tr_path *path)
{
    struct conn *c = tr_alloc(sizeof *c);
    if (!c)
        return NULL;
    c->fd = fd;
    c->path = *path;
    c->path.local.proto = c->path.remote.proto = TR_PROTO_TCP;
    c->tag = conf->tag;
    c->framing = conf->framing;
    c->frame_max = conf->frame_max ? conf->frame_max : TR_STREAM_FRAME_MAX;
    c->idle_us = conf->idle_us ? conf->idle_us : 660 * TR_SECOND;
    c->paused = conf->paused;
    c->proven = conf->proven;
    return c;
}

void conn_free(struct conn *c)
{
    if (!c)
        return;
    conn_uncount(c);
    SSL_free(c->ssl);
    if (c->fd >= 0)
        close(c->fd);
    stream_queue_deinit(&c->out);
    tr_free(c->part);
    tr_free(c);
}

static uint32_t events_of(const struct conn *c)
{
    bool blocked = c->blocked_since != 0;
    bool open = c->state == CONN_OPEN && !c->paused && !c->held && !c->rests_until;
    bool reads = c->state == CONN_HANDSHAKE || open || (c->state == CONN_LINGER && c->shut) ||
                 c->write_wants_read;
    bool writes = c->state == CONN_DIALING || c->read_wants_write ||
                  (blocked && c->state != CONN_HANDSHAKE && !c->write_wants_read);
    return (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
}

void conn_watch(struct tr_streams *set, struct conn *c)
{
    struct epoll_event ev = { .events = events_of(c), .data.u64 = c->id };
    if (c->state == CONN_DEAD || ev.events == c->events)
        return;
    c->events = ev.events;
    if (epoll_ctl(set->epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0)
        conn_fail(set, c, TR_STREAM_NO_MEMORY);
}

/* --- how many there may be --- */

enum tr_err conn_count(struct tr_streams *set, struct conn *c)
{
    enum tr_err err = stream_quota_take(set->quota, c->client ? NULL : &c->path.remote);
    if (err == TR_OK)
        c->quota = set->quota;
    return err;
}

void conn_uncount(struct conn *c)
{
    if (c->quota)
        stream_quota_give(c->quota, c->client ? NULL : &c->path.remote);
    c->quota = NULL;
}

static enum conn_list list_of(enum stream_crowd crowd)
{
    return (enum conn_list)(LIST_CROWDS + (int)crowd);
}

enum tr_err conn_crowd(struct tr_streams *set, struct conn *c, enum stream_crowd crowd)
{
    enum conn_list list = list_of(crowd);
    while (!stream_quota_enter(set->quota, crowd)) {
        struct conn *oldest = set->lists[list].first;
        if (!oldest)
            return TR_ERR_LIMIT;
        conn_fail(set, oldest, TR_STREAM_NO_ROOM);
    }
    conn_list_add(set, c, list);
    set->counters.handshakes_now += crowd == STREAM_HANDSHAKES;
    return TR_OK;
}

void conn_uncrowd(struct tr_streams *set, struct conn *c, enum stream_crowd crowd)
{
    enum conn_list list = list_of(crowd);
    if (!c->listed[list])
        return;
    conn_list_remove(set, c, list);
    stream_quota_leave(set->quota, crowd);
    set->counters.handshakes_now -= crowd == STREAM_HANDSHAKES;
}

void conn_uncrowd_all(struct tr_streams *set, struct conn *c)
{
    for (int i = 0; i < STREAM_CROWDS; i++)
        conn_uncrowd(set, c, (enum stream_crowd)i);
}

/* --- in and out of the tables --- */

enum tr_err conn_enter(struct tr_streams *set, struct conn *c)
{
    c->id = tr_idtab_add(set->conns, c);
    if (!c->id)
        return TR_ERR_NOMEM;
    c->events = events_of(c);
    struct epoll_event ev = { .events = c->events, .data.u64 = c->id };
    enum tr_err err = tr_heap_set(&set->timers, &c->timer, TR_NEVER - 1);
    if (err == TR_OK && epoll_ctl(set->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
        err = TR_ERR_IO;
    if (err != TR_OK) {
        tr_heap_remove(&set->timers, &c->timer);
        tr_idtab_remove(set->conns, c->id);
        c->id = 0;
        return err;
    }
    struct conn **bucket = bucket_of(set, &c->path);
    c->hash_next = *bucket;
    *bucket = c;
    c->since = c->last_in = set->now;
    set->counters.connections_now++;
    set->counters.queued_now += c->out.size;
    conn_arm(set, c);
    return TR_OK;
}

void conn_leave(struct tr_streams *set, struct conn *c)
{
    path_remove(set, c);
    conn_uncrowd_all(set, c);
    for (int i = 0; i < LIST_COUNT; i++)
        conn_list_remove(set, c, (enum conn_list)i);
    tr_heap_remove(&set->timers, &c->timer);
    set->counters.connections_now--;
    set->counters.queued_now -= c->out.size;
    if (set->current == c)
        set->current = NULL;
}

static void tell(struct tr_streams *set, const struct conn *c, enum tr_stream_kind kind,
                 struct tr_slice data)
{
    struct tr_stream_event event = { .kind = kind,
                                     .id = c->id,
                                     .tag = c->tag,
                                     .user = c->user,
                                     .path = c->path,
                                     .tls = c->ssl != NULL,
                                     .data = data,
                                     .reason = c->reason };
    set->handler(set->arg, &event);
}

bool conn_tell(struct tr_streams *set, struct conn *c, enum tr_stream_kind kind,
               struct tr_slice data)
{
    set->current = c;
    tell(set, c, kind, data);
    bool here = set->current == c && c->state == CONN_OPEN;
    set->current = NULL;
    return here;
}

/* What it is joined to has nothing more to write than what it has. */
static void part_from_other(struct tr_streams *set, struct conn *c)
{
    struct conn *other = c->joined ? conn_of(set, c->joined) : NULL;
    c->joined = 0;
    if (!other || other->joined != c->id)
        return;
    other->joined = 0;
    conn_linger(set, other, TR_STREAM_JOINED);
}

static void end(struct tr_streams *set, struct conn *c)
{
    conn_leave(set, c);
    conn_uncount(c);
    c->state = CONN_DEAD;
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(c->fd);
    c->fd = -1;
    conn_list_add(set, c, LIST_DEAD);
    part_from_other(set, c);
}

void conn_fail(struct tr_streams *set, struct conn *c, enum tr_stream_reason reason)
{
    if (c->state == CONN_DEAD)
        return;
    if (c->state != CONN_LINGER) /* one that lingers has its reason */
        c->reason = reason;
    if (c->state != CONN_LINGER || c->told)
        set->counters.ended[c->reason]++;
    end(set, c);
}

void conn_linger(struct tr_streams *set, struct conn *c, enum tr_stream_reason reason)
{
    if (c->state != CONN_OPEN) {
        conn_fail(set, c, reason);
        return;
    }
    c->reason = reason;
    c->state = CONN_LINGER;
    c->since = set->now;
    c->held = c->paused = false;
    conn_arm(set, c);
    conn_list_add(set, c, LIST_DIRTY);
    part_from_other(set, c);
}

void tr_stream_end(struct tr_streams *set, tr_usec now, tr_id id, bool linger)
{
    struct conn *c = id & LISTENER_BIT ? NULL : tr_idtab_get(set->conns, id);
    if (!c)
        return;
    set->now = now > set->now ? now : set->now;
    c->told = false;
    if (c->state == CONN_DEAD || (c->state == CONN_LINGER && linger))
        return;
    if (linger && c->state == CONN_OPEN)
        conn_linger(set, c, TR_STREAM_REMOTE);
    else
        end(set, c);
}

void conn_reap(struct tr_streams *set)
{
    struct conn *c;
    while ((c = set->lists[LIST_DEAD].first)) {
        conn_list_remove(set, c, LIST_DEAD);
        tr_idtab_remove(set->conns, c->id);
        if (c->told)
            tell(set, c, TR_STREAM_CLOSED, tr_slice(NULL, 0));
        conn_free(c);
    }
}

void tr_stream_set_user(struct tr_streams *set, tr_id id, void *user)
{
    struct conn *c = conn_of(set, id);
    if (c)
        c->user = user;
}

void tr_stream_proven(struct tr_streams *set, tr_id id)
{
    struct conn *c = conn_of(set, id);
    if (!c)
        return;
    c->proven = true;
    conn_uncrowd(set, c, STREAM_UNPROVEN);
}

void tr_stream_pause(struct tr_streams *set, tr_id id, bool paused)
{
    struct conn *c = conn_of(set, id);
    if (!c || c->paused == paused)
        return;
    c->paused = paused;
    c->last_in = set->now;
    c->frame_begun = 0;
    if (!paused && c->state == CONN_OPEN)
        conn_list_add(set, c, LIST_MORE);
    conn_watch(set, c);
}

void tr_stream_set_framing(struct tr_streams *set, tr_id id, enum tr_framing framing)
{
    struct conn *c = conn_of(set, id);
    if (!c)
        return;
    c->framing = framing;
    if (c->part_n > 0) { /* what is part of one may be whole of another */
        c->part_whole = true;
        conn_list_add(set, c, LIST_MORE);
    }
}

/* --- the set --- */

static void take_conf(struct tr_streams *set, const struct tr_streams_conf *conf)
{
    set->conf = *conf;
#define DEFAULT(field, value) set->conf.field = set->conf.field ? set->conf.field : (value)
    DEFAULT(handshake_us, 10 * TR_SECOND);
    DEFAULT(proof_us, 10 * TR_SECOND);
    DEFAULT(proof_bytes, 4096);
    DEFAULT(frame_us, 10 * TR_SECOND);
    DEFAULT(queue_bytes, 256 << 10);
    DEFAULT(queue_us, 500 * TR_MSEC);
    DEFAULT(queues_bytes, UINT64_C(256) << 20);
#undef DEFAULT
}

static enum tr_err open_tables(struct tr_streams *set)
{
    static const struct tr_stream_bounds defaults;
    set->quota = set->conf.quota;
    if (!set->quota)
        set->quota = set->own_quota = tr_stream_quota_create(&defaults, set->conf.seed);
    if (!set->quota)
        return TR_ERR_NOMEM;
    uint32_t most = stream_quota_most(set->quota), buckets = 64;
    while (buckets < most / 2 && buckets < BUCKETS_MAX)
        buckets *= 2;
    set->buckets_mask = buckets - 1;
    set->buckets = tr_alloc(buckets * sizeof(struct conn *));
    set->conns = tr_idtab_create(most);
    set->listeners = tr_idtab_create(TR_STREAM_LISTENERS_MAX);
    set->in = tr_alloc(STREAM_IN_BYTES);
    tr_heap_init(&set->timers, most);
    tr_heap_init(&set->listener_timers, TR_STREAM_LISTENERS_MAX);
    return set->buckets && set->conns && set->listeners && set->in ? TR_OK : TR_ERR_NOMEM;
}

enum tr_err tr_streams_open(struct tr_streams **out, const struct tr_streams_conf *conf,
                            tr_stream_h *handler, void *arg)
{
    struct tr_streams *set = tr_alloc(sizeof *set);
    if (!set)
        return TR_ERR_NOMEM;
    take_conf(set, conf);
    set->handler = handler;
    set->arg = arg;
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    enum tr_err err = set->epoll < 0 ? TR_ERR_IO : open_tables(set);
    if (err != TR_OK) {
        tr_streams_close(set);
        return err;
    }
    *out = set;
    return TR_OK;
}

static void close_all(struct tr_streams *set)
{
    tr_id id;
    while (set->listeners && (id = tr_idtab_next(set->listeners, 0)) != 0)
        tr_streams_unlisten(set, id | LISTENER_BIT);
    while (set->conns && (id = tr_idtab_next(set->conns, 0)) != 0) {
        struct conn *c = tr_idtab_remove(set->conns, id);
        conn_uncrowd_all(set, c);
        conn_free(c);
    }
}

void tr_streams_close(struct tr_streams *set)
{
    if (!set)
        return;
    int saved = errno; /* the caller may want to say why */
    close_all(set);
    if (set->epoll >= 0)
        close(set->epoll);
    tr_idtab_destroy(set->conns);
    tr_idtab_destroy(set->listeners);
    tr_stream_quota_destroy(set->own_quota);
    tr_heap_deinit(&set->timers);
    tr_heap_deinit(&set->listener_timers);
    while (set->spares_n > 0)
        stream_queue_deinit(&set->spares[--set->spares_n]);
    tr_free(set->buckets);
    tr_free(set->in);
    tr_free(set);
    errno = saved;
}

int tr_streams_fd(const struct tr_streams *set)
{
    return set->epoll;
}

const struct tr_streams_counters *tr_streams_counters(const struct tr_streams *set)
{
    return &set->counters;
}

static void conn_ready(struct tr_streams *set, struct conn *c, uint32_t events)
{
    bool hangup = events & (EPOLLERR | EPOLLHUP);
    if (c->state == CONN_DIALING) {
        conn_dialed(set, c);
        return;
    }
    if (c->state == CONN_HANDSHAKE) {
        conn_handshake(set, c);
        return;
    }
    if (events & EPOLLOUT && !c->read_wants_write && !conn_writable(set, c))
        return;
    if (hangup && !(c->events & EPOLLIN))
        conn_fail(set, c, TR_STREAM_ERROR); /* it would be told again and again */
    else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) || c->read_wants_write)
        conn_read(set, c);
}

static void event(struct tr_streams *set, const struct epoll_event *ev)
{
    if (ev->data.u64 & LISTENER_BIT) {
        listener_accept(set, ev->data.u64);
        return;
    }
    struct conn *c = tr_idtab_get(set->conns, ev->data.u64);
    if (c && c->state != CONN_DEAD)
        conn_ready(set, c, ev->events);
}

/* Those in the list now; what they leave for later is for the next run. */
static void read_more(struct tr_streams *set)
{
    struct conn *c;
    uint32_t n = 0;
    for (c = set->lists[LIST_MORE].first; c; c = c->links[LIST_MORE].next)
        n++;
    for (; n > 0 && (c = set->lists[LIST_MORE].first); n--) {
        conn_list_remove(set, c, LIST_MORE);
        if (conn_writable(set, c))
            conn_read(set, c);
    }
}

static void run_timers(struct tr_streams *set)
{
    struct tr_heap_node *node;
    while ((node = tr_heap_min(&set->timers)) && node->key <= set->now)
        conn_due(set, TR_CONTAINER_OF(node, struct conn, timer));
    while ((node = tr_heap_min(&set->listener_timers)) && node->key <= set->now)
        listener_due(set, TR_CONTAINER_OF(node, struct listener, timer));
}

bool tr_streams_run(struct tr_streams *set, tr_usec now)
{
    struct epoll_event ready[READY_MAX];
    TR_ASSERT(!set->running);
    set->running = true;
    set->now = now > set->now ? now : set->now;
    int n = epoll_wait(set->epoll, ready, READY_MAX, 0);
    read_more(set);
    for (int i = 0; i < n; i++)
        event(set, &ready[i]);
    run_timers(set);
    conn_reap(set);
    set->running = false;
    return n == READY_MAX || set->lists[LIST_MORE].first;
}

tr_usec tr_streams_next_timeout(const struct tr_streams *set)
{
    const struct tr_heap_node *conn = tr_heap_min(&set->timers);
    const struct tr_heap_node *listener = tr_heap_min(&set->listener_timers);
    if (set->lists[LIST_MORE].first || set->lists[LIST_DEAD].first)
        return set->now;
    return tr_usec_min(conn ? conn->key : TR_NEVER, listener ? listener->key : TR_NEVER);
}

/* The engine's front: life, peers, events. See control.h for how control and workers share the
 * work. */
#include "media/media.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "dtls/dtls.h"
#include "media/control.h"
#include "media/data_thread.h"
#include "media/ports.h"
#include "media/relay.h"
#include "media/tcp.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/resolve.h"

enum { PACKETS_DEFAULT = 65536, TAPS_LIMIT = 1 << 16 };

struct ctl_peer *ctl_peer(const struct tr_media *media, tr_id id)
{
    struct ctl_peer *p = tr_idtab_get(media->control->peers, id);
    return p && !p->closing ? p : NULL;
}

enum tr_err ctl_post(struct tr_media *media, int worker, const struct msg *m)
{
    TR_ASSERT(worker >= 0 && worker < media->workers_count);
    return tr_outbox_post(&media->control->to[worker], m);
}

/* --- life --- */

static enum tr_err open_tables(struct tr_media *media)
{
    struct control *c = tr_alloc(sizeof *c);
    media->control = c;
    if (!c)
        return TR_ERR_NOMEM;
    c->peers = tr_idtab_create(TR_MEDIA_PEERS_MAX);
    c->routes = tr_idtab_create(TR_MEDIA_ROUTES_MAX);
    c->taps = tr_idtab_create(TAPS_LIMIT);
    media->claims = tr_claims_create(TR_MEDIA_PEERS_MAX * 2, tr_rng_u64(&media->rng));
    media->events = tr_mailbox_create(EVENT_SLOTS, sizeof(struct event_msg), media->conf.wake,
                                      media->conf.wake_arg);
    media->dtls_ctx = tr_dtls_ctx_create(media->conf.cert);
    media->tcp_streams =
        tr_stream_quota_create(&(struct tr_stream_bounds){ 0 }, tr_rng_u64(&media->rng));
    media->relay_streams =
        tr_stream_quota_create(&media->conf.turn.streams, tr_rng_u64(&media->rng));
    media->workers = tr_alloc((size_t)media->workers_count * sizeof *media->workers);
    for (int i = 0; media->workers && i < media->workers_count; i++) {
        media->workers[i].media = media; /* destroy goes over all, opened or not */
        media->workers[i].waiter = -1;
    }
    bool ok = c->peers && c->routes && c->taps && media->claims && media->events &&
              media->dtls_ctx && media->tcp_streams && media->relay_streams && media->workers;
    return ok ? TR_OK : TR_ERR_NOMEM;
}

/* A port that cannot be had is no reason not to start: the owner is told by tr_media_tcp_port. */
static enum tr_err open_tcp(struct tr_media *media)
{
    enum tr_err err = media->conf.tcp ? TR_OK : TR_ERR_IO;
    for (int i = 0; err == TR_OK && i < media->workers_count; i++)
        err = tcp_open(&media->workers[i], &media->tcp_port);
    if (err == TR_OK)
        return TR_OK;
    media->tcp_port = 0;
    for (int i = 0; i < media->workers_count; i++)
        tcp_close(&media->workers[i]);
    return err == TR_ERR_NOMEM ? err : TR_OK;
}

static enum tr_err open_workers(struct tr_media *media)
{
    enum tr_err err;
    media->port = media->conf.port;
    media->turn_port = media->conf.turn.port;
    media->tcp_port = media->conf.tcp_port;
    for (int i = 0; i < media->workers_count; i++) {
        err = worker_init(&media->workers[i], media, i, media->port, media->turn_port);
        if (err != TR_OK)
            return err;
        media->port = tr_udp_port(media->workers[i].udp);
        media->turn_port = relay_port(&media->workers[i]);
    }
    err = open_tcp(media);
    if (err != TR_OK)
        return err;
    for (int i = 0; i < media->workers_count; i++) {
        tr_outbox_init(&media->control->to[i], media->workers[i].inbox);
        for (int k = 0; k < media->workers_count; k++)
            tr_outbox_init(&media->workers[i].to[k], media->workers[k].inbox);
    }
    for (int i = 0; i < media->workers_count; i++) {
        err = tr_thread_start(&media->workers[i].thread, "tring-media", worker_run,
                              &media->workers[i]);
        if (err != TR_OK)
            return err;
    }
    return TR_OK;
}

/* One core is left to control, the disk and the rest: ADR 0010. */
static int default_workers(void)
{
    int cores = tr_thread_cores();
    return cores > 1 ? cores - 1 : 1;
}

enum tr_err tr_media_create(struct tr_media **out, const struct tr_media_conf *conf)
{
    if (conf->bind_count < 0 || conf->bind_count > TR_MEDIA_ADDRS_MAX ||
        conf->turn.bind_count < 0 || conf->turn.bind_count > TR_MEDIA_TURN_ADDRS_MAX)
        return TR_ERR_INVAL;
    struct tr_media *media = tr_alloc(sizeof *media);
    if (!media)
        return TR_ERR_NOMEM;
    media->conf = *conf;
    if (media->conf.packets_max == 0)
        media->conf.packets_max = PACKETS_DEFAULT;
    media->workers_count = conf->workers > 0 ? conf->workers : default_workers();
    if (media->workers_count > TR_MEDIA_WORKERS_MAX)
        media->workers_count = TR_MEDIA_WORKERS_MAX;
    media->rng = tr_random_system();
    media->wall_offset_us = tr_clock_unix_us() - tr_clock_now();
    enum tr_err err = open_tables(media);
    if (err == TR_OK)
        err = open_workers(media);
    if (err != TR_OK) {
        tr_media_destroy(media);
        return err;
    }
    *out = media;
    return TR_OK;
}

void tr_media_stop(struct tr_media *media)
{
    struct msg stop = { .kind = MSG_STOP };
    for (int i = 0; media->workers && i < media->workers_count; i++) {
        if (!media->workers[i].thread.started)
            continue;
        /* Its inbox empties as it runs, so the outbox does too. */
        bool posted = ctl_post(media, i, &stop) == TR_OK;
        while (posted && !tr_outbox_flush(&media->control->to[i]))
            tr_clock_sleep(TR_MSEC);
        tr_thread_join(&media->workers[i].thread);
    }
    data_thread_stop(media->data);
}

/* What control has kept back owns memory as well: through the inbox it goes the usual way. */
static void drain_messages(struct tr_media *media, int worker)
{
    struct tr_outbox *out = &media->control->to[worker];
    worker_drain(&media->workers[worker]);
    while (out->to && out->waiting > 0) {
        tr_outbox_flush(out);
        worker_drain(&media->workers[worker]);
    }
}

void ctl_drain_events(struct tr_media *media)
{
    struct event_msg m;
    while (media->events && tr_mailbox_take(media->events, &m)) {
        tr_free(m.ev.stats);
        tr_free(m.ev.data);
    }
}

static void free_peer(struct ctl_peer *p)
{
    while (p->talks) {
        struct ctl_talk *talk = p->talks;
        p->talks = talk->next;
        tr_free(talk);
    }
    tr_free(p->tracks);
    tr_free(p);
}

static void free_peers(struct tr_media *media)
{
    struct control *c = media->control;
    tr_id id;
    while (c->peers && (id = tr_idtab_next(c->peers, 0))) {
        struct ctl_peer *p = tr_idtab_remove(c->peers, id);
        if (media->claims)
            tr_free(tr_claims_remove(media->claims, tr_slice_str(p->creds.ufrag)));
        free_peer(p);
    }
}

void tr_media_destroy(struct tr_media *media)
{
    if (!media)
        return;
    struct control *c = media->control;
    int workers = media->workers ? media->workers_count : 0;
    tr_media_stop(media);
    if (c)
        tr_resolver_destroy(c->resolver);
    data_thread_drain(media->data);
    for (int i = 0; i < workers; i++)
        worker_empty(&media->workers[i]);
    for (int i = 0; i < workers; i++)
        drain_messages(media, i);
    ctl_drain_events(media);
    data_thread_destroy(media->data);
    if (c) {
        ctl_data_deinit(media);
        free_peers(media);
        wiring_deinit(media); /* taps let go of their packets before the pools end */
    }
    for (int i = 0; i < workers; i++)
        worker_deinit(&media->workers[i]);
    if (c) {
        tr_idtab_destroy(c->peers);
        tr_idtab_destroy(c->routes);
        tr_idtab_destroy(c->taps);
        key_uses_deinit(&c->key_uses);
        tr_free(c);
    }
    tr_claims_destroy(media->claims);
    tr_mailbox_destroy(media->events);
    tr_dtls_ctx_destroy(media->dtls_ctx);
    tr_stream_quota_destroy(media->tcp_streams);
    tr_stream_quota_destroy(media->relay_streams);
    tr_free(media->workers);
    tr_free(media);
}

uint16_t tr_media_port(const struct tr_media *media)
{
    return media->port;
}

uint16_t tr_media_tcp_port(const struct tr_media *media)
{
    return media->tcp_port;
}

/* --- peers --- */

static enum tr_err register_birth(struct tr_media *media, const struct ctl_peer *p)
{
    struct peer_birth *birth = tr_alloc(sizeof *birth);
    if (!birth)
        return TR_ERR_NOMEM;
    birth->id = p->id;
    birth->conf = p->creds;
    enum tr_err err = tr_claims_add(media->claims, tr_slice_str(p->creds.ufrag), p->creds.pwd,
                                    TR_CLAIM_NOBODY, birth);
    if (err != TR_OK)
        tr_free(birth);
    return err;
}

tr_id tr_media_peer_create(struct tr_media *media, const struct tr_media_peer_conf *conf)
{
    struct ctl_peer *p = tr_alloc(sizeof *p);
    if (!p)
        return 0;
    p->creds = *conf;
    p->worker = NOWHERE;
    p->id = tr_idtab_add(media->control->peers, p);
    if (!p->id || register_birth(media, p) != TR_OK) {
        tr_idtab_remove(media->control->peers, p->id);
        tr_free(p);
        return 0;
    }
    return p->id;
}

/* A peer whose worker cannot be told, for want of memory, is of no use. */
static void give_up(struct tr_media *media, const struct ctl_peer *p)
{
    struct control *c = media->control;
    if (c->waiting_count == WAITING_EVENTS_MAX)
        return;
    c->waiting[c->waiting_count++] = (struct tr_media_event){ .kind = TR_MEDIA_PEER_DOWN,
                                                              .peer = p->id,
                                                              .reason = "Out of memory" };
    if (media->conf.wake)
        media->conf.wake(media->conf.wake_arg);
}

static void post_remote(struct tr_media *media, const struct ctl_peer *p)
{
    struct msg m = { .kind = MSG_PEER_REMOTE, .peer = p->id };
    m.u.remote = tr_alloc(sizeof *m.u.remote);
    if (m.u.remote)
        *m.u.remote = p->remote;
    if (!m.u.remote || ctl_post(media, p->worker, &m) != TR_OK) {
        tr_free(m.u.remote);
        give_up(media, p);
    }
}

void tr_media_peer_remote(struct tr_media *media, tr_id id, const struct tr_peer_remote *remote)
{
    struct ctl_peer *p = ctl_peer(media, id);
    if (!p)
        return;
    p->remote = *remote;
    p->have_remote = true;
    if (p->worker != NOWHERE)
        post_remote(media, p);
}

static void post_restart(struct tr_media *media, struct ctl_peer *p)
{
    struct msg m = { .kind = MSG_PEER_RESTART, .peer = p->id };
    m.u.creds = tr_alloc(sizeof *m.u.creds);
    if (m.u.creds)
        *m.u.creds = p->creds;
    if (!m.u.creds || ctl_post(media, p->worker, &m) != TR_OK) {
        tr_claims_remove(media->claims, tr_slice_str(p->creds.ufrag)); /* no peer in it */
        tr_free(m.u.creds);
        give_up(media, p);
    }
    p->restart = false;
}

enum tr_err tr_media_peer_restart(struct tr_media *media, tr_id id,
                                  const struct tr_media_peer_conf *conf)
{
    struct ctl_peer *p = ctl_peer(media, id);
    if (!p)
        return TR_ERR_NOTFOUND;
    struct tr_media_peer_conf old = p->creds;
    if (p->worker == NOWHERE) {
        struct peer_birth *birth = tr_claims_remove(media->claims, tr_slice_str(old.ufrag));
        p->creds = *conf;
        if (!birth) { /* taken over, the news is on its way */
            p->restart = true;
            return TR_OK;
        }
        tr_free(birth);
        return register_birth(media, p);
    }
    enum tr_err err =
        tr_claims_add(media->claims, tr_slice_str(conf->ufrag), conf->pwd, p->worker, NULL);
    if (err != TR_OK)
        return err;
    p->creds = *conf;
    post_restart(media, p);
    return TR_OK;
}

static void post_talk(struct tr_media *media, const struct ctl_peer *p, const struct ctl_talk *talk)
{
    struct msg m = { .kind = MSG_TALK, .peer = p->id };
    m.u.talk.source = (struct source_key){ .peer = p->id, .mline = talk->mline };
    m.u.talk.conf = talk->conf;
    (void)!ctl_post(media, p->worker, &m);
}

/* And what is wished of m-lines, which the worker knows only now. */
static void post_tracks(struct tr_media *media, const struct ctl_peer *p)
{
    size_t bytes = (size_t)p->tracks_count * sizeof *p->tracks;
    struct msg m = { .kind = MSG_PEER_TRACKS, .peer = p->id };
    m.u.tracks.list = tr_alloc(bytes);
    m.u.tracks.count = p->tracks_count;
    if (m.u.tracks.list)
        memcpy(m.u.tracks.list, p->tracks, bytes);
    if (!m.u.tracks.list || ctl_post(media, p->worker, &m) != TR_OK) {
        tr_free(m.u.tracks.list);
        give_up(media, p);
        return;
    }
    for (const struct ctl_talk *talk = p->talks; talk; talk = talk->next)
        post_talk(media, p, talk);
}

enum tr_err tr_media_peer_tracks(struct tr_media *media, tr_id id,
                                 const struct tr_track_conf *tracks, int count)
{
    struct ctl_peer *p = ctl_peer(media, id);
    if (!p)
        return TR_ERR_NOTFOUND;
    if (count < 1 || count > TR_PEER_TRACKS_MAX)
        return TR_ERR_LIMIT;
    struct tr_track_conf *copy = tr_alloc((size_t)count * sizeof *copy);
    if (!copy)
        return TR_ERR_NOMEM;
    memcpy(copy, tracks, (size_t)count * sizeof *copy);
    tr_free(p->tracks);
    p->tracks = copy;
    p->tracks_count = count;
    if (p->worker != NOWHERE) {
        post_tracks(media, p);
        wiring_negotiated(media, p);
    }
    return TR_OK;
}

static void forget_peer(struct tr_media *media, struct ctl_peer *p)
{
    tr_idtab_remove(media->control->peers, p->id);
    free_peer(p);
}

static void post_close(struct tr_media *media, const struct ctl_peer *p)
{
    struct msg m = { .kind = MSG_PEER_CLOSE, .peer = p->id };
    (void)!ctl_post(media, p->worker, &m); /* consent by silence ends it if this is lost */
}

void tr_media_peer_close(struct tr_media *media, tr_id id)
{
    struct ctl_peer *p = ctl_peer(media, id);
    if (!p)
        return;
    wiring_peer_gone(media, p);
    ctl_data_gone(media, p);
    if (p->worker == NOWHERE) {
        struct peer_birth *birth = tr_claims_remove(media->claims, tr_slice_str(p->creds.ufrag));
        p->closing = !birth; /* taken over: close it when we hear by whom */
        tr_free(birth);
    } else {
        post_close(media, p);
    }
    if (!p->closing)
        forget_peer(media, p);
}

void tr_media_peer_bitrate(struct tr_media *media, tr_id id, uint32_t bps)
{
    struct ctl_peer *p = ctl_peer(media, id);
    struct msg m = { .kind = MSG_PEER_BITRATE, .peer = id, .u.bps = bps };
    if (!p)
        return;
    p->bitrate_bps = bps;
    if (p->worker != NOWHERE)
        (void)!ctl_post(media, p->worker, &m);
}

void tr_media_talk(struct tr_media *media, struct tr_media_end source,
                   const struct tr_talk_conf *conf)
{
    struct ctl_peer *p = ctl_peer(media, source.peer);
    struct ctl_talk *talk = p ? p->talks : NULL;
    while (talk && talk->mline != source.mline)
        talk = talk->next;
    if (p && !talk && (talk = tr_alloc(sizeof *talk))) {
        talk->mline = source.mline;
        talk->next = p->talks;
        p->talks = talk;
    }
    if (!talk)
        return;
    talk->conf = *conf;
    if (p->worker != NOWHERE)
        post_talk(media, p, talk);
}

void tr_media_query(struct tr_media *media, tr_id id, uint64_t cookie)
{
    const struct ctl_peer *p = ctl_peer(media, id);
    struct msg m = { .kind = MSG_PEER_QUERY, .peer = id, .u.cookie = cookie };
    if (p && p->worker != NOWHERE && ctl_post(media, p->worker, &m) == TR_OK)
        return;
    struct control *c = media->control;
    if (c->waiting_count == WAITING_EVENTS_MAX)
        return;
    struct tr_media_event ev = { .kind = TR_MEDIA_STATS, .peer = id, .cookie = cookie };
    if (p)
        ev.stats = tr_alloc(sizeof *ev.stats);
    if (ev.stats) {
        ev.stats->worker = NOWHERE;
        ev.stats->ice_state = ev.stats->dtls_state = "new";
        ev.stats->dtls_role = "server";
    }
    c->waiting[c->waiting_count++] = ev;
    if (media->conf.wake)
        media->conf.wake(media->conf.wake_arg);
}

/* --- events --- */

static void adopted(struct tr_media *media, tr_id id, int worker)
{
    struct ctl_peer *p = tr_idtab_get(media->control->peers, id); /* one that closes, too */
    if (!p)
        return;
    p->worker = worker;
    if (p->closing) {
        post_close(media, p);
        forget_peer(media, p);
        return;
    }
    if (p->restart) {
        if (tr_claims_add(media->claims, tr_slice_str(p->creds.ufrag), p->creds.pwd, worker,
                          NULL) != TR_OK)
            give_up(media, p);
        post_restart(media, p);
    }
    if (p->tracks_count > 0)
        post_tracks(media, p);
    if (p->have_remote)
        post_remote(media, p);
    if (p->bitrate_bps)
        tr_media_peer_bitrate(media, id, p->bitrate_bps);
    ctl_data_adopted(media, p);
    wiring_adopted(media, p);
}

static void note_up(struct tr_media *media, tr_id id)
{
    struct ctl_peer *p = ctl_peer(media, id);
    if (!p)
        return;
    p->up = true;
    ctl_data_up(media, p);
}

static bool next_waiting(struct control *c, struct tr_media_event *event)
{
    if (c->waiting_count == 0)
        return false;
    *event = c->waiting[0];
    c->waiting_count--;
    memmove(c->waiting, c->waiting + 1, (size_t)c->waiting_count * sizeof c->waiting[0]);
    return true;
}

bool tr_media_flush(struct tr_media *media)
{
    bool empty = true;
    for (int i = 0; i < media->workers_count; i++)
        empty &= tr_outbox_flush(&media->control->to[i]);
    if (media->data)
        empty &= data_thread_flush(media->data);
    return empty;
}

void tr_media_poll(struct tr_media *media, struct tr_media_event *event)
{
    struct event_msg m;
    *event = (struct tr_media_event){ .kind = TR_MEDIA_NONE };
    tr_media_flush(media);
    forward_take_resolved(media);
    if (next_waiting(media->control, event))
        return;
    for (;;) {
        while (tr_mailbox_take(media->events, &m)) {
            if ((int)m.ev.kind == EVENT_ADOPTED)
                adopted(media, m.ev.peer, m.worker);
            else if ((int)m.ev.kind == EVENT_TAP_GONE)
                wiring_tap_gone(media, m.ev.peer);
            else {
                if (m.ev.kind == TR_MEDIA_PEER_UP)
                    note_up(media, m.ev.peer);
                else if (m.ev.data)
                    data_thread_taken(media->data, m.ev.data);
                *event = m.ev;
                return;
            }
        }
        if (tr_mailbox_sleep(media->events))
            return;
    }
}

bool tr_media_worker_counters(const struct tr_media *media, int worker,
                              struct tr_media_counters *out)
{
    if (worker < 0 || worker >= media->workers_count)
        return false;
    memset(out, 0, sizeof *out);
    counters_collect(media->workers[worker].published, out);
    return true;
}

void tr_media_counters(const struct tr_media *media, struct tr_media_counters *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < media->workers_count; i++)
        counters_collect(media->workers[i].published, out);
    if (media->data)
        data_thread_counters(media->data, out);
}

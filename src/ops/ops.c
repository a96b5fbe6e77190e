/* Watching. Each PeerConnection is in one of three queues, each in the order of what is due:
 *
 *   NEW      a second after it began, so that a short call is measured, too
 *   STEADY   every five seconds
 *   CLOSING  its last question is under way; it has two seconds
 *
 * Questions go out in bundles: thousands of peers are asked evenly and not all at once, and the
 * loop of the control thread, whose every turn costs by the number of its connections, is not woken
 * for each (doc/bench/README.md). Summaries are written together, once a second: when a room of
 * hundreds ends, that is one transaction and not hundreds of them. */
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "media/media.h"
#include "net/log.h"
#include "ops/ops_int.h"

enum { BUNDLE_MS = 200, BUNDLE = TR_OPS_ASK_PER_S * BUNDLE_MS / 1000, RING_FIRST = 8 };

#define FIRST_US TR_SECOND
#define LAST_US (2 * TR_SECOND)
#define WRITE_US TR_SECOND
#define PRUNE_US (600 * TR_SECOND)
#define SILENT_US (2 * TR_SECOND)
#define DAY_US (24 * 3600 * TR_SECOND)

static struct tr_slice key_of(const tr_id *peer)
{
    return tr_slice(peer, sizeof *peer);
}

struct ops_watched *ops_find(const struct tr_ops *ops, tr_id peer)
{
    return tr_map_get(ops->by_peer, key_of(&peer));
}

/* --- queues --- */

static void enqueue(struct tr_ops *ops, struct ops_watched *w, enum ops_queue queue, tr_usec due)
{
    w->queue = queue;
    w->due = due;
    TAILQ_INSERT_TAIL(&ops->queues[queue], w, link);
}

static void requeue(struct tr_ops *ops, struct ops_watched *w, enum ops_queue queue, tr_usec due)
{
    TAILQ_REMOVE(&ops->queues[w->queue], w, link);
    enqueue(ops, w, queue, due);
}

static void forget(struct tr_ops *ops, struct ops_watched *w)
{
    TAILQ_REMOVE(&ops->queues[w->queue], w, link);
    tr_map_remove(ops->by_peer, key_of(&w->peer));
    json_decref(w->candidates);
    tr_free(w->ring);
    tr_free(w);
}

/* --- the ring --- */

const struct ops_sample *ops_ring_get(const struct ops_watched *w, int i)
{
    return &w->ring[(w->head + i) % w->size];
}

static bool grow(struct ops_watched *w)
{
    uint16_t size = w->size ? (uint16_t)(w->size * 2) : RING_FIRST;
    if (size > TR_OPS_SAMPLES_MAX)
        size = TR_OPS_SAMPLES_MAX;
    struct ops_sample *ring = tr_alloc(size * sizeof *ring);
    if (!ring)
        return false;
    for (int i = 0; i < w->count; i++)
        ring[i] = *ops_ring_get(w, i);
    tr_free(w->ring);
    w->ring = ring;
    w->size = size;
    w->head = 0;
    return true;
}

static void keep_sample(struct ops_watched *w, const struct ops_sample *sample)
{
    if (w->count == w->size && w->size < TR_OPS_SAMPLES_MAX && !grow(w) && w->size == 0)
        return;
    if (w->count < w->size) {
        w->ring[(w->head + w->count++) % w->size] = *sample;
        return;
    }
    w->ring[w->head] = *sample;
    w->head = (uint16_t)((w->head + 1) % w->size);
}

/* --- answers --- */

static void note_codecs(struct ops_watched *w, const struct tr_media_peer_stats *stats)
{
    w->codecs[0] = '\0';
    for (int i = 0; i < stats->tracks_count && i < TR_STATS_TRACKS_MAX; i++) {
        const struct tr_stats_track *t = &stats->tracks[i];
        size_t n = strlen(w->codecs);
        if (t->used && !strstr(w->codecs, t->codec) && n + strlen(t->codec) + 3 < sizeof w->codecs)
            snprintf(w->codecs + n, sizeof w->codecs - n, "%s%s", n ? ", " : "", t->codec);
    }
}

static void note_path(struct ops_watched *w, const struct tr_media_peer_stats *stats)
{
    for (int i = 0; i < stats->pairs_count && i < TR_STATS_PAIRS_MAX; i++) {
        if (stats->pairs[i].selected)
            w->path = (struct ops_path){ .local = stats->pairs[i].local,
                                         .remote = stats->pairs[i].remote,
                                         .known = true };
    }
}

/* A stream that had come and comes no more: a muted camera, or a picture that froze. */
static bool is_video_silent(const struct tr_media_peer_stats *stats, tr_usec now)
{
    bool flowed = false, flows = false;
    for (int i = 0; i < stats->tracks_count && i < TR_STATS_TRACKS_MAX; i++) {
        const struct tr_stats_track *t = &stats->tracks[i];
        for (int k = 0; t->video && k < t->layers_count && k < TR_STATS_LAYERS_MAX; k++) {
            flowed = flowed || t->layers[k].last_us > 0;
            flows = flows || now - t->layers[k].last_us < SILENT_US;
        }
    }
    return flowed && !flows;
}

static void note_layer(struct ops_watched *w, const struct tr_media_peer_stats *stats)
{
    for (int i = 0; i < stats->tracks_count && i < TR_STATS_TRACKS_MAX; i++) {
        const struct tr_stats_route *r = &stats->tracks[i].route;
        if (!stats->tracks[i].video || !r->routed)
            continue;
        if (w->layer >= 0 && r->layer >= 0 && r->layer != w->layer)
            w->layer_changes++;
        w->layer = (int8_t)r->layer;
        return; /* of the first video; the others would mix with it */
    }
}

static void note_stats(struct tr_ops *ops, struct ops_watched *w,
                       const struct tr_media_peer_stats *stats, tr_usec now)
{
    struct ops_sample sample;
    int64_t unix_us = ops->conf.unix_us();
    ops_measure(stats, unix_us / 1000, &w->totals, &sample);
    w->ice_state = stats->ice_state;
    w->srtp_profile = stats->srtp_profile;
    memcpy(w->cipher, stats->dtls_cipher, sizeof w->cipher);
    w->ice_switches = stats->ice_switches;
    w->ice_restarts = stats->ice_restarts;
    if (stats->connected_us && !w->up_us)
        w->up_us = unix_us - (now - stats->connected_us);
    note_codecs(w, stats);
    note_path(w, stats);
    note_layer(w, stats);
    w->video_silent += is_video_silent(stats, now);
    if (!w->up_us)
        return; /* nothing was measured yet */
    ops_mean_add(w->means, &sample);
    keep_sample(w, &sample);
    ops->counters.samples++;
}

static void finish(struct tr_ops *ops, struct ops_watched *w)
{
    struct ops_finished *f = ops->finished_count < TR_OPS_FINISHED_MAX ? ops_finish(ops, w) : NULL;
    if (f) {
        if (ops->finished_count++ == 0)
            ops->write_due = ops->conf.clock() + WRITE_US;
        STAILQ_INSERT_TAIL(&ops->finished, f, link);
    } else {
        ops->counters.lost++;
    }
    forget(ops, w);
}

static void answer_view(struct tr_ops *ops, const struct tr_media_event *event, tr_usec now)
{
    struct ops_view *view;
    TAILQ_FOREACH(view, &ops->views, link)
    {
        if (view->cookie == event->cookie) {
            ops_view_answer(ops, view, event->stats, now);
            return;
        }
    }
}

bool tr_ops_media_event(struct tr_ops *ops, tr_usec now, const struct tr_media_event *event)
{
    if (event->kind != TR_MEDIA_STATS || event->cookie < OPS_COOKIE)
        return false;
    uint64_t kind = event->cookie - OPS_COOKIE;
    struct ops_watched *w = ops_find(ops, event->peer);
    if (kind >= OPS_COOKIE_VIEW)
        answer_view(ops, event, now);
    else if (w && event->stats)
        note_stats(ops, w, event->stats, now);
    if (w && kind == OPS_COOKIE_LAST && w->queue == OPS_CLOSING)
        finish(ops, w);
    tr_free(event->stats);
    return true;
}

/* --- what the gateway tells --- */

static void copy_member(char *to, size_t size, const json_t *query, const char *name)
{
    const json_t *value = json_object_get(query, name);
    if (json_is_string(value))
        tr_utf8_copy(to, size, json_string_value(value));
    else if (json_is_integer(value))
        snprintf(to, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

void ops_who_read(struct ops_who *who, const json_t *query)
{
    static const char *const names[] = { "id", "display", "username" }; /* the last one wins */
    for (int i = 0; i < 3; i++)
        copy_member(who->user, sizeof who->user, query, names[i]);
    copy_member(who->peer, sizeof who->peer, query, "peer");
    copy_member(who->room, sizeof who->room, query, "room");
    copy_member(who->role, sizeof who->role, query, "type");
}

static void ask_who(struct ops_watched *w, struct tr_handle *handle)
{
    json_t *query = tr_handle_query(handle);
    ops_who_read(&w->who, query);
    json_decref(query);
}

static void opened(void *arg, struct tr_handle *handle, tr_id peer)
{
    struct tr_ops *ops = arg;
    struct tr_handle_facts facts;
    struct ops_watched *w = tr_alloc(sizeof *w);
    if (!w || tr_map_add(ops->by_peer, key_of(&peer), w) != TR_OK) {
        ops->counters.unwatched++;
        tr_free(w);
        return;
    }
    tr_handle_facts(handle, &facts);
    w->peer = peer;
    w->session = facts.session;
    w->handle = facts.handle;
    w->layer = -1;
    w->started_us = ops->conf.unix_us();
    tr_utf8_copy(w->plugin, sizeof w->plugin, facts.plugin);
    tr_utf8_copy(w->opaque_id, sizeof w->opaque_id, facts.opaque_id ? facts.opaque_id : "");
    if (!tr_addr_is_any(&facts.client))
        tr_addr_ip_str(&facts.client, w->client);
    enqueue(ops, w, OPS_NEW, ops->conf.clock() + FIRST_US);
}

static void closing(void *arg, struct tr_handle *handle, tr_id peer, const char *reason)
{
    struct tr_ops *ops = arg;
    struct ops_watched *w = ops_find(ops, peer);
    if (!w)
        return;
    ask_who(w, handle);
    w->ended_us = ops->conf.unix_us();
    tr_utf8_copy(w->reason, sizeof w->reason, reason);
    json_t *described = tr_pc_describe(tr_handle_pc(handle));
    w->candidates =
        json_incref(json_object_get(json_object_get(described, "candidates"), "remote"));
    json_decref(described);
    requeue(ops, w, OPS_CLOSING, ops->conf.clock() + LAST_US);
    tr_media_query(ops->conf.media, peer, OPS_COOKIE + OPS_COOKIE_LAST);
}

void tr_ops_call(struct tr_ops *ops, const struct tr_handle *handle, const char *call)
{
    struct tr_handle_facts facts;
    tr_handle_facts(handle, &facts);
    struct ops_watched *w = ops ? ops_find(ops, facts.peer) : NULL;
    if (w)
        snprintf(w->call, sizeof w->call, "%s", call);
}

/* --- time --- */

static void ask(struct tr_ops *ops, struct ops_watched *w, tr_usec now)
{
    struct tr_handle *handle = tr_handle_find(ops->conf.gw, w->session, w->handle);
    if (handle)
        ask_who(w, handle);
    tr_media_query(ops->conf.media, w->peer, OPS_COOKIE + OPS_COOKIE_SAMPLE);
    requeue(ops, w, OPS_STEADY, now + TR_OPS_SAMPLE_US);
}

static void ask_next(struct tr_ops *ops, tr_usec now)
{
    int left = BUNDLE;
    if (now - ops->asked < BUNDLE_MS * TR_MSEC)
        return;
    for (enum ops_queue q = OPS_NEW; q <= OPS_STEADY; q++) {
        struct ops_watched *w;
        while (left > 0 && (w = TAILQ_FIRST(&ops->queues[q])) && w->due <= now) {
            ask(ops, w, now);
            ops->asked = now;
            left--;
        }
    }
}

static enum tr_err write_rows(struct tr_ops *ops)
{
    const struct ops_finished *f;
    enum tr_err err = tr_sql_begin(ops->conf.db);
    STAILQ_FOREACH(f, &ops->finished, link)
    {
        if (err == TR_OK)
            err = tr_connections_add(ops->conf.db, &f->row);
    }
    if (err == TR_OK)
        return tr_sql_commit(ops->conf.db);
    tr_sql_rollback(ops->conf.db);
    return err;
}

static void write_finished(struct tr_ops *ops)
{
    struct ops_finished *f;
    if (ops->finished_count == 0)
        return;
    if (write_rows(ops) == TR_OK) {
        ops->counters.written += ops->finished_count;
    } else {
        ops->counters.lost += ops->finished_count;
        tr_log(TR_LOG_ERROR, "ops", "summaries are not written count=%u error=\"%s\"",
               ops->finished_count, tr_sql_error(ops->conf.db));
    }
    while ((f = STAILQ_FIRST(&ops->finished))) {
        STAILQ_REMOVE_HEAD(&ops->finished, link);
        tr_free(f);
    }
    ops->finished_count = 0;
}

static void prune(struct tr_ops *ops, tr_usec now)
{
    int64_t before = ops->conf.unix_us() - ops->conf.keep_days * DAY_US;
    if (tr_connections_prune(ops->conf.db, before, ops->conf.keep_max) != TR_OK)
        tr_log(TR_LOG_ERROR, "ops", "old summaries are not removed error=\"%s\"",
               tr_sql_error(ops->conf.db));
    ops->prune_due = now + PRUNE_US;
}

void tr_ops_timeout(struct tr_ops *ops, tr_usec now)
{
    struct ops_watched *w;
    struct ops_view *view;
    ask_next(ops, now);
    while ((w = TAILQ_FIRST(&ops->queues[OPS_CLOSING])) && w->due <= now)
        finish(ops, w);
    while ((view = TAILQ_FIRST(&ops->views)) && view->deadline <= now)
        ops_view_answer(ops, view, NULL, now);
    if (ops->finished_count > 0 && ops->write_due <= now)
        write_finished(ops);
    if (ops->prune_due <= now)
        prune(ops, now);
}

tr_usec tr_ops_next_timeout(const struct tr_ops *ops)
{
    const tr_usec bundle = ops->asked + BUNDLE_MS * TR_MSEC;
    tr_usec next = ops->prune_due;
    for (enum ops_queue q = OPS_NEW; q <= OPS_STEADY; q++) {
        const struct ops_watched *w = TAILQ_FIRST(&ops->queues[q]);
        if (w)
            next = tr_usec_min(next, w->due > bundle ? w->due : bundle);
    }
    if (!TAILQ_EMPTY(&ops->queues[OPS_CLOSING]))
        next = tr_usec_min(next, TAILQ_FIRST(&ops->queues[OPS_CLOSING])->due);
    if (!TAILQ_EMPTY(&ops->views))
        next = tr_usec_min(next, TAILQ_FIRST(&ops->views)->deadline);
    return ops->finished_count > 0 ? tr_usec_min(next, ops->write_due) : next;
}

/* --- making --- */

static enum tr_err init(struct tr_ops *ops, const struct tr_ops_conf *conf)
{
    ops->conf = *conf;
    ops->conf.keep_days = conf->keep_days ? conf->keep_days : 30;
    ops->conf.keep_max = conf->keep_max ? conf->keep_max : 10000;
    for (int q = 0; q < OPS_QUEUES; q++)
        TAILQ_INIT(&ops->queues[q]);
    STAILQ_INIT(&ops->finished);
    TAILQ_INIT(&ops->views);
    ops->version = tr_strdup(conf->version ? conf->version : "");
    ops->by_peer = tr_map_create(TR_OPS_WATCHED_MAX, tr_rng_u64(conf->rng));
    if (!ops->version || !ops->by_peer)
        return TR_ERR_NOMEM;
    ops->started = ops->prune_due = conf->clock();
    ops->next_view = OPS_COOKIE + OPS_COOKIE_VIEW;
    enum tr_err err = tr_connections_init(conf->db);
    if (err == TR_OK)
        err = ops_routes(ops);
    if (err == TR_OK)
        tr_gateway_observe(conf->gw, &(struct tr_gateway_observer){ opened, closing, ops });
    return err;
}

enum tr_err tr_ops_create(struct tr_ops **out, const struct tr_ops_conf *conf)
{
    struct tr_ops *ops = tr_alloc(sizeof *ops);
    if (!ops)
        return TR_ERR_NOMEM;
    enum tr_err err = init(ops, conf);
    if (err != TR_OK) {
        tr_ops_destroy(ops);
        return err;
    }
    *out = ops;
    return TR_OK;
}

void tr_ops_destroy(struct tr_ops *ops)
{
    struct ops_watched *w;
    struct ops_view *view;
    if (!ops)
        return;
    while ((w = TAILQ_FIRST(&ops->queues[OPS_CLOSING])))
        finish(ops, w);
    write_finished(ops);
    for (int q = 0; q < OPS_QUEUES; q++) {
        while ((w = TAILQ_FIRST(&ops->queues[q])))
            forget(ops, w);
    }
    while ((view = TAILQ_FIRST(&ops->views))) {
        TAILQ_REMOVE(&ops->views, view, link);
        tr_free(view);
    }
    tr_map_destroy(ops->by_peer);
    tr_free(ops->version);
    tr_free(ops);
}

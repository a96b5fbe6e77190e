/* A worker's peers: made when their first authenticated check arrives, spoken to by messages of
 * control, and asked at the end of each turn what they have to say. */
#include <string.h>

#include "base/mem.h"
#include "media/out.h"
#include "media/tcp.h"
#include "media/worker.h"
#include "media/worker_in.h"

enum {
    SLOW_LINK_LOST = 4,
    SPEAK_MAX = 256,
};

struct wpeer *wpeer_find(struct worker *w, tr_id id)
{
    return tr_map_get(w->peers, tr_slice(&id, sizeof id));
}

struct wpeer *wpeer_of_ufrag(struct worker *w, struct tr_slice ufrag)
{
    return tr_map_get(w->ufrags, ufrag);
}

static struct tr_peer *create_peer(struct worker *w, tr_id id,
                                   const struct tr_media_peer_conf *birth)
{
    struct tr_peer_conf conf = {
        .id = id,
        .ufrag = birth->ufrag,
        .pwd = birth->pwd,
        .lite = true,
        .dtls_role = TR_DTLS_SERVER,
        .dtls_ctx = w->media->dtls_ctx,
        .engine = w->engine,
        .rng = &w->rng,
        .consent_us = w->media->conf.consent_us,
        .wall_offset_us = w->media->wall_offset_us,
    };
    memcpy(conf.profiles, w->media->conf.profiles, sizeof conf.profiles);
    return tr_peer_create(&conf, w->now);
}

static void tell_adopted(struct worker *w, tr_id id)
{
    struct tr_media_event ev = { .kind = (enum tr_media_event_kind)EVENT_ADOPTED, .peer = id };
    worker_tell(w, &ev);
}

static void tell_down(struct worker *w, tr_id id, const char *reason)
{
    struct tr_media_event ev = { .kind = TR_MEDIA_PEER_DOWN, .peer = id, .reason = reason };
    worker_tell(w, &ev);
}

static enum tr_err register_peer(struct wpeer *p)
{
    struct worker *w = p->worker;
    enum tr_err err = tr_map_add(w->peers, tr_slice(&p->id, sizeof p->id), p);
    if (err != TR_OK)
        return err;
    err = tr_map_add(w->ufrags, tr_slice_str(p->ufrags[0]), p);
    if (err != TR_OK)
        tr_map_remove(w->peers, tr_slice(&p->id, sizeof p->id));
    return err;
}

static void forget_ufrag(struct wpeer *p, int i)
{
    if (!p->ufrags[i][0])
        return;
    struct tr_slice ufrag = tr_slice_str(p->ufrags[i]);
    tr_map_remove(p->worker->ufrags, ufrag);
    tr_claims_remove(p->worker->media->claims, ufrag);
    p->ufrags[i][0] = '\0';
}

void wpeer_adopt(struct worker *w, struct peer_birth *birth)
{
    struct wpeer *p = tr_alloc(sizeof *p);
    if (p) {
        p->id = birth->id;
        p->worker = w;
        p->peer = create_peer(w, birth->id, &birth->conf);
        tr_clock_offset_init(&p->wall, 60 * TR_SECOND);
        memcpy(p->ufrags[0], birth->conf.ufrag, sizeof p->ufrags[0]);
        rate_init(&p->rate, 0, w->now);
    }
    tell_adopted(w, birth->id);
    if (!p || !p->peer || register_peer(p) != TR_OK) {
        tell_down(w, birth->id, "Out of memory");
        tr_claims_remove(w->media->claims, tr_slice_str(birth->conf.ufrag)); /* it is ours */
        if (p)
            tr_peer_destroy(p->peer);
        tr_free(p);
    } else {
        w->counters.peers++;
    }
    tr_free(birth);
}

/* --- paths --- */

static void forget_path(struct wpeer *p, int i)
{
    struct worker *w = p->worker;
    struct msg m = {
        .kind = MSG_ADDR_REMOVE, .worker = w->index, .peer = p->id, .u.path = p->paths[i]
    };
    if (p->paths[i].remote.proto == TR_PROTO_TCP)
        tcp_path_gone(w, &p->paths[i]);
    if (p->path_workers[i] == w->index)
        worker_addr_remove(w, &p->paths[i], p->id);
    else
        worker_send(w, p->path_workers[i], &m, true);
    p->paths_count--;
    p->paths[i] = p->paths[p->paths_count];
    p->path_workers[i] = p->path_workers[p->paths_count];
}

void wpeer_destroy(struct wpeer *p)
{
    struct worker *w = p->worker;
    for (int i = 0; i < p->tracks_count; i++) {
        source_destroy(p->sources[i]);
        if (p->sinks[i] && p->sinks[i]->route)
            route_destroy(p->sinks[i]->route);
        if (p->sinks[i])
            tr_free(p->sinks[i]->resends);
        tr_free(p->sinks[i]);
    }
    while (p->paths_count > 0)
        forget_path(p, p->paths_count - 1);
    forget_ufrag(p, 0);
    forget_ufrag(p, 1);
    for (struct wpeer **at = &w->dirty; *at; at = &(*at)->next_dirty) {
        if (*at == p) {
            *at = p->next_dirty;
            break;
        }
    }
    tr_heap_remove(&w->timers, &p->timer);
    tr_map_remove(w->peers, tr_slice(&p->id, sizeof p->id));
    tr_peer_take_counters(p->peer, &w->counters);
    tr_peer_destroy(p->peer);
    tr_free(p->tracks);
    tr_free(p->sources);
    tr_free(p->sinks);
    tr_free(p);
    w->counters.peers--;
}

static void add_path(struct wpeer *p, const struct tr_path *path)
{
    struct worker *w = p->worker;
    int arrival = w->arrival_worker;
    if (p->paths_count == WPEER_PATHS)
        return; /* the agent has less, so this cannot happen */
    p->paths[p->paths_count] = *path;
    p->path_workers[p->paths_count++] = arrival;
    if (path->remote.proto == TR_PROTO_TCP)
        tcp_path_valid(w, path);
    if (arrival == w->index) {
        worker_addr_add(w, path, p->id, p, w->index);
        return;
    }
    struct msg m = { .kind = MSG_ADDR_ADD, .worker = w->index, .peer = p->id, .u.path = *path };
    worker_send(w, arrival, &m, true);
}

static void remove_path(struct wpeer *p, const struct tr_path *path)
{
    for (int i = 0; i < p->paths_count; i++) {
        if (tr_path_eq(&p->paths[i], path)) {
            forget_path(p, i);
            return;
        }
    }
}

/* --- what peers say --- */

void wpeer_touch(struct wpeer *p)
{
    if (p->dirty)
        return;
    p->dirty = true;
    p->next_dirty = p->worker->dirty;
    p->worker->dirty = p;
}

static void handle_out(struct wpeer *p, const struct tr_peer_out *out)
{
    struct worker *w = p->worker;
    struct tr_media_event ev = { .kind = TR_MEDIA_PEER_UP, .peer = p->id };
    struct source *s = out->mline < p->tracks_count ? p->sources[out->mline] : NULL;
    struct sink *k = out->mline < p->tracks_count ? p->sinks[out->mline] : NULL;
    switch (out->kind) {
    case TR_PEER_SEND: out_datagram(w, &out->path, out->data); break;
    case TR_PEER_VALID: add_path(p, &out->path); break;
    case TR_PEER_INVALID: remove_path(p, &out->path); break;
    case TR_PEER_UP:
        worker_tell(w, &ev);
        for (int i = 0; i < p->tracks_count; i++) {
            if (p->sinks[i] && p->sinks[i]->route)
                route_start(p->sinks[i]->route);
        }
        break;
    case TR_PEER_DOWN: tell_down(w, p->id, out->reason); break;
    case TR_PEER_KEYFRAME:
        if (k && k->route)
            source_keyframe(k->route->source, k->route->layer.current);
        break;
    case TR_PEER_NACK:
        if (k)
            sink_nacks(k, out->seqs, out->seqs_count);
        break;
    case TR_PEER_SR:
        if (s)
            source_sender_report(s, out->layer, out->ssrc, out->sr);
        break;
    case TR_PEER_KEYFRAME_NEEDED:
        if (s)
            source_keyframe(s, out->layer);
        break;
    case TR_PEER_DATA: wpeer_data_in(p, out->data); break;
    case TR_PEER_BANDWIDTH: wpeer_share(p); break;
    case TR_PEER_NONE: break;
    }
}

void wpeer_speak(struct wpeer *p)
{
    struct tr_peer_out out;
    int said = 0;
    do {
        tr_peer_poll(p->peer, p->worker->now, &out);
        handle_out(p, &out);
    } while (out.kind != TR_PEER_NONE && ++said < SPEAK_MAX);
    tr_peer_take_counters(p->peer, &p->worker->counters);
    tr_usec next =
        out.kind == TR_PEER_NONE ? tr_peer_next_timeout(p->peer) : p->worker->now; /* more to say */
    if (tr_heap_set(&p->worker->timers, &p->timer, next) != TR_OK)
        tell_down(p->worker, p->id, "Out of memory");
}

void wpeer_tick(struct wpeer *p)
{
    for (int i = 0; i < p->tracks_count; i++) {
        if (p->sources[i])
            source_tick(p->sources[i]);
        for (int up = 0; up < 2; up++) {
            uint32_t lost = tr_peer_take_lost(p->peer, i, up);
            if (lost <= SLOW_LINK_LOST)
                continue;
            struct tr_media_event ev = {
                .kind = TR_MEDIA_SLOW_LINK, .peer = p->id, .mline = i, .uplink = up, .lost = lost
            };
            worker_tell(p->worker, &ev);
        }
    }
}

/* --- messages of control --- */

static enum tr_err grow_tracks(struct wpeer *p, int count)
{
    struct source **sources = tr_realloc(p->sources, (size_t)count * sizeof(void *));
    if (!sources)
        return TR_ERR_NOMEM;
    p->sources = sources;
    struct sink **sinks = tr_realloc(p->sinks, (size_t)count * sizeof(void *));
    if (!sinks)
        return TR_ERR_NOMEM;
    p->sinks = sinks;
    return TR_OK;
}

static enum tr_err update_source(struct wpeer *p, int mline)
{
    const struct tr_track_conf *t = &p->tracks[mline];
    struct source_facts facts = source_facts_of(t);
    struct source_key key = { .peer = p->id, .mline = mline };
    bool wanted = t->used && t->recv;
    /* One that is not received any more stays: its routes may be taken up again. */
    if (p->sources[mline]) {
        source_negotiated(p->sources[mline], wanted ? &facts : NULL);
    } else if (wanted) {
        p->sources[mline] = source_create(p->worker, &key, p, &facts, p->worker->index);
        return p->sources[mline] ? TR_OK : TR_ERR_NOMEM;
    }
    return TR_OK;
}

static enum tr_err set_tracks(struct wpeer *p, const struct tr_track_conf *tracks, int count)
{
    if (count < p->tracks_count)
        return TR_ERR_INVAL;
    enum tr_err err = tr_peer_set_tracks(p->peer, p->worker->now, tracks, count);
    if (err == TR_OK)
        err = grow_tracks(p, count);
    struct tr_track_conf *copy = err == TR_OK ? tr_alloc((size_t)count * sizeof *copy) : NULL;
    if (!copy)
        return err == TR_OK ? TR_ERR_NOMEM : err;
    memcpy(copy, tracks, (size_t)count * sizeof *copy);
    tr_free(p->tracks);
    p->tracks = copy;
    p->tracks_count = count;
    for (int i = 0; i < count && err == TR_OK; i++)
        err = update_source(p, i);
    return err;
}

static void restart(struct worker *w, struct wpeer *p, const struct tr_media_peer_conf *creds)
{
    if (!p || tr_peer_restart(p->peer, w->now, creds->ufrag, creds->pwd) != TR_OK) {
        tr_claims_remove(w->media->claims, tr_slice_str(creds->ufrag)); /* of nobody now */
        return;
    }
    /* Checks with the old credentials may still come until the new pair is selected. */
    forget_ufrag(p, 1);
    memcpy(p->ufrags[1], p->ufrags[0], sizeof p->ufrags[1]);
    memcpy(p->ufrags[0], creds->ufrag, sizeof p->ufrags[0]);
    if (tr_map_add(w->ufrags, tr_slice_str(p->ufrags[0]), p) != TR_OK)
        tell_down(w, p->id, "Out of memory");
}

static struct tr_stats_route route_stats(const struct route *r)
{
    const struct sink *k = r->sink;
    bool simulcast = r->source->facts.layers > 1;
    return (struct tr_stats_route){
        .routed = true,
        .paused = r->conf.paused,
        .simulcast = simulcast,
        .svc = !simulcast && r->scalable,
        .source_peer = r->source->key.peer,
        .source_mline = r->source->key.mline,
        .layer = simulcast || r->layer.current < 0 ? r->layer.current : k->told_substream,
        .layer_target = r->layer.target,
        .temporal = k->told_temporal,
        .layer_max = r->conf.substream_max,
        .temporal_max = r->conf.temporal_max,
        .layer_bound = r->bound_spatial,
        .temporal_bound = r->bound_temporal,
    };
}

static void answer_query(struct worker *w, struct wpeer *p, const struct msg *m)
{
    struct tr_media_event ev = { .kind = TR_MEDIA_STATS, .peer = m->peer, .cookie = m->u.cookie };
    if (p)
        ev.stats = tr_alloc(sizeof *ev.stats);
    if (ev.stats) {
        tr_peer_stats(p->peer, ev.stats);
        ev.stats->worker = w->index;
        for (int i = 0; i < p->tracks_count && i < TR_STATS_TRACKS_MAX; i++) {
            if (p->sinks[i] && p->sinks[i]->route)
                ev.stats->tracks[i].route = route_stats(p->sinks[i]->route);
        }
    }
    worker_tell(w, &ev);
}

static void close_peer(struct wpeer *p)
{
    tr_peer_close(p->peer, p->worker->now);
    wpeer_speak(p);
    wpeer_destroy(p);
}

static void tell_unusable(struct wpeer *p, enum tr_err err)
{
    if (err != TR_OK)
        tell_down(p->worker, p->id, err == TR_ERR_NOMEM ? "Out of memory" : "Invalid SDP");
}

void wpeer_message(struct worker *w, const struct msg *m)
{
    struct wpeer *p = wpeer_find(w, m->peer);
    switch ((int)m->kind) {
    case MSG_PEER_REMOTE:
        if (p)
            tell_unusable(p, tr_peer_set_remote(p->peer, w->now, m->u.remote));
        tr_free(m->u.remote);
        break;
    case MSG_PEER_RESTART:
        restart(w, p, m->u.creds);
        tr_free(m->u.creds);
        break;
    case MSG_PEER_TRACKS:
        if (p)
            tell_unusable(p, set_tracks(p, m->u.tracks.list, m->u.tracks.count));
        tr_free(m->u.tracks.list);
        break;
    case MSG_PEER_BITRATE:
        if (p) {
            p->told_bps = p->uplink_bps = m->u.bps;
            tr_peer_set_bitrate(p->peer, m->u.bps);
            rate_set(&p->rate, m->u.bps);
        }
        break;
    case MSG_PEER_QUERY: answer_query(w, p, m); break;
    case MSG_PEER_CLOSE:
        if (p)
            close_peer(p);
        return;
    default: break;
    }
    if (p)
        wpeer_touch(p);
}

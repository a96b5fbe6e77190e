/* Control opens the ports, so that who asks for them learns at once where they are, and gives them
 * to one worker with everything else that a plain peer needs. There they are read like other
 * sockets; peer/plain.h judges the packets, and what passes goes to the m-line's source as if a
 * client had sent it. */
#include "media/plain.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "media/control.h"
#include "media/ports.h"
#include "media/rate.h"
#include "media/worker_in.h"
#include "net/port.h"

enum { SPEAK_MAX = 64, SLOW_LINK_LOST = 4 };

struct plain_birth { /* all that the worker needs */
    tr_id id;
    struct tr_plain_conf conf; /* its ports are below */
    struct tr_plain_port feeds[TR_PLAIN_PORTS_MAX];
    int fds[TR_PLAIN_PORTS_MAX]; /* -1: taken over */
    struct tr_addr locals[TR_PLAIN_PORTS_MAX];
    uint32_t bitrate_bps;
    int tracks_count;
    struct tr_track_conf *tracks;
};

struct plain_socket {
    struct port port;
    struct plain *plain;
    int index;
    uint32_t socket; /* of the swarm */
};

struct plain {
    tr_id id;
    struct worker *worker;
    struct tr_plain *rx;
    struct plain_socket sockets[TR_PLAIN_PORTS_MAX];
    int sockets_count;
    struct source **sources; /* by m-line; NULL: not sent */
    int tracks_count;
    struct tr_clock_offset wall;
    struct rate rate;
    struct forward *forwards;
    struct port_timer timer;
    struct plain *next_dirty;
    bool dirty;
};

/* --- on the worker: life --- */

struct plain *plain_find(struct worker *w, tr_id id)
{
    return w->ports ? tr_map_get(w->ports->plains, tr_slice(&id, sizeof id)) : NULL;
}

static void touch(struct plain *p)
{
    if (p->dirty)
        return;
    p->dirty = true;
    p->next_dirty = p->worker->ports->dirty;
    p->worker->ports->dirty = p;
}

struct plain *plain_next_dirty(struct plain *p)
{
    p->dirty = false;
    return p->next_dirty;
}

static void take_datagram(struct port *port, const struct tr_path *path, struct tr_slice datagram)
{
    struct plain_socket *s = TR_CONTAINER_OF(port, struct plain_socket, port);
    struct plain *p = s->plain;
    struct worker *w = p->worker;
    int mline;
    struct tr_pkt *pkt = worker_spare(w);
    if (!pkt)
        return;
    touch(p);
    if (tr_plain_input(p->rx, w->now, s->index, &path->remote, datagram, pkt, &mline) == TR_OK)
        worker_media_in(w, mline < p->tracks_count ? p->sources[mline] : NULL, &p->rate,
                        datagram.n);
}

static void timer_due(struct port_timer *timer)
{
    touch(TR_CONTAINER_OF(timer, struct plain, timer));
}

static enum tr_err set_tracks(struct plain *p, const struct tr_track_conf *tracks, int count)
{
    enum tr_err err = tr_plain_set_tracks(p->rx, tracks, count);
    struct source **sources =
        err == TR_OK ? tr_realloc(p->sources, (size_t)count * sizeof(void *)) : NULL;
    if (!sources)
        return err == TR_OK ? TR_ERR_NOMEM : err;
    p->sources = sources;
    p->tracks_count = count;
    for (int i = 0; i < count; i++) {
        struct source_facts facts = source_facts_of(&tracks[i]);
        struct source_key key = { .peer = p->id, .mline = i };
        bool wanted = tracks[i].used && tracks[i].recv;
        if (sources[i])
            source_negotiated(sources[i], wanted ? &facts : NULL);
        if (sources[i] || !wanted)
            continue;
        sources[i] = source_create(p->worker, &key, NULL, &facts, p->worker->index);
        if (!sources[i])
            return TR_ERR_NOMEM;
        sources[i]->plain = p;
    }
    return TR_OK;
}

static enum tr_err adopt_sockets(struct plain *p, struct plain_birth *birth)
{
    struct ports *ports = p->worker->ports;
    for (int i = 0; i < birth->conf.ports_count; i++) {
        struct plain_socket *s = &p->sockets[i];
        *s = (struct plain_socket){ .port.in = take_datagram, .plain = p, .index = i };
        enum tr_err err =
            tr_swarm_adopt(ports->swarm, birth->fds[i], &birth->locals[i], &s->port, &s->socket);
        if (err != TR_OK)
            return err;
        birth->fds[i] = -1;
        p->sockets_count = i + 1;
    }
    return TR_OK;
}

static enum tr_err open_plain(struct plain *p, struct plain_birth *birth)
{
    struct worker *w = p->worker;
    birth->conf.ports = birth->feeds;
    birth->conf.engine = w->engine;
    birth->conf.rng = &w->rng;
    p->rx = tr_plain_create(&birth->conf, w->now);
    if (!p->rx)
        return TR_ERR_NOMEM;
    enum tr_err err = set_tracks(p, birth->tracks, birth->tracks_count);
    if (err == TR_OK)
        err = tr_map_add(w->ports->plains, tr_slice(&p->id, sizeof p->id), p);
    return err == TR_OK ? adopt_sockets(p, birth) : err;
}

static void tell_down(struct worker *w, tr_id id, enum tr_err err)
{
    struct tr_media_event ev = { .kind = TR_MEDIA_PEER_DOWN, .peer = id };
    ev.reason = err == TR_ERR_INVAL ? "Invalid streams" : "Out of memory";
    worker_tell(w, &ev);
}

static void create(struct worker *w, struct plain_birth *birth)
{
    struct ports *ports = ports_of(w);
    struct plain *p = ports ? tr_alloc(sizeof *p) : NULL;
    enum tr_err err = TR_ERR_NOMEM;
    if (p) {
        p->id = birth->id;
        p->worker = w;
        p->timer.due = timer_due;
        tr_clock_offset_init(&p->wall, 60 * TR_SECOND);
        rate_init(&p->rate, birth->bitrate_bps, w->now);
        w->counters.peers++;
        err = open_plain(p, birth);
    }
    if (err != TR_OK) {
        tell_down(w, birth->id, err);
        plain_destroy(p);
    }
    plain_birth_free(birth);
}

static void leave_dirty(struct plain *p)
{
    struct plain **at = &p->worker->ports->dirty;
    while (*at && *at != p)
        at = &(*at)->next_dirty;
    if (*at)
        *at = p->next_dirty;
}

void plain_destroy(struct plain *p)
{
    if (!p)
        return;
    struct worker *w = p->worker;
    for (int i = 0; i < p->tracks_count; i++)
        source_destroy(p->sources[i]);
    for (int i = 0; i < p->sockets_count; i++)
        tr_swarm_remove(w->ports->swarm, p->sockets[i].socket);
    leave_dirty(p);
    tr_heap_remove(&w->ports->timers, &p->timer.node);
    if (plain_find(w, p->id) == p)
        tr_map_remove(w->ports->plains, tr_slice(&p->id, sizeof p->id));
    if (p->rx)
        tr_plain_take_counters(p->rx, &w->counters);
    tr_plain_destroy(p->rx);
    tr_free(p->sources);
    tr_free(p);
    w->counters.peers--;
}

/* --- on the worker: speaking --- */

static void handle_out(struct plain *p, const struct tr_plain_out *out)
{
    struct source *s = out->mline < p->tracks_count ? p->sources[out->mline] : NULL;
    if (out->kind == TR_PLAIN_SEND)
        tr_swarm_send(p->worker->ports->swarm, p->sockets[out->port].socket, &out->to, out->data);
    else if (s && out->kind == TR_PLAIN_SR)
        source_sender_report(s, out->layer, out->ssrc, out->sr);
    else if (s && out->kind == TR_PLAIN_KEYFRAME_NEEDED)
        source_keyframe(s, out->layer);
}

void plain_speak(struct plain *p)
{
    struct worker *w = p->worker;
    struct tr_plain_out out;
    int said = 0;
    do {
        tr_plain_poll(p->rx, w->now, &out);
        handle_out(p, &out);
    } while (out.kind != TR_PLAIN_NONE && ++said < SPEAK_MAX);
    tr_plain_take_counters(p->rx, &w->counters);
    /* More to say: in the next turn. */
    tr_usec next = out.kind == TR_PLAIN_NONE ? tr_plain_next_timeout(p->rx) : w->now;
    if (tr_heap_set(&w->ports->timers, &p->timer.node, next) != TR_OK)
        tell_down(w, p->id, TR_ERR_NOMEM);
}

void plain_tick(struct plain *p)
{
    for (int i = 0; i < p->tracks_count; i++) {
        if (p->sources[i])
            source_tick(p->sources[i]);
        uint32_t lost = tr_plain_take_lost(p->rx, i);
        if (lost <= SLOW_LINK_LOST)
            continue;
        struct tr_media_event ev = {
            .kind = TR_MEDIA_SLOW_LINK, .peer = p->id, .mline = i, .uplink = true, .lost = lost
        };
        worker_tell(p->worker, &ev);
    }
}

void plain_request_keyframe(struct plain *p, int mline, int layer)
{
    tr_plain_request_keyframe(p->rx, mline, layer);
    touch(p);
}

struct tr_clock_offset *plain_wall(struct plain *p)
{
    return &p->wall;
}

struct forward **plain_forwards(struct plain *p)
{
    return &p->forwards;
}

/* --- on the worker: messages --- */

static void answer_query(struct plain *p, const struct msg *m)
{
    struct tr_media_event ev = { .kind = TR_MEDIA_STATS, .peer = m->peer, .cookie = m->u.cookie };
    ev.stats = tr_alloc(sizeof *ev.stats);
    if (ev.stats) {
        tr_plain_stats(p->rx, ev.stats);
        ev.stats->worker = p->worker->index;
    }
    worker_tell(p->worker, &ev);
}

static void change_tracks(struct plain *p, const struct msg *m)
{
    enum tr_err err = set_tracks(p, m->u.tracks.list, m->u.tracks.count);
    if (err != TR_OK)
        tell_down(p->worker, p->id, err);
    tr_free(m->u.tracks.list);
}

bool plain_message(struct worker *w, const struct msg *m)
{
    if (m->kind == MSG_PLAIN_ADD) {
        create(w, m->u.plain);
        return true;
    }
    struct plain *p = plain_find(w, m->peer);
    if (p && m->kind == MSG_PEER_TRACKS)
        change_tracks(p, m);
    else if (p && m->kind == MSG_PEER_BITRATE)
        rate_set(&p->rate, m->u.bps);
    else if (p && m->kind == MSG_PEER_QUERY)
        answer_query(p, m);
    else if (p && m->kind == MSG_PEER_CLOSE)
        plain_destroy(p);
    else
        return false;
    return true;
}

/* --- control --- */

void plain_birth_free(struct plain_birth *birth)
{
    if (!birth)
        return;
    for (int i = 0; i < birth->conf.ports_count; i++)
        tr_port_close(birth->fds[i]);
    tr_free(birth->tracks);
    tr_free(birth);
}

static enum tr_err check(const struct tr_media_plain_conf *conf)
{
    if (conf->ports_count < 1 || conf->ports_count > TR_PLAIN_PORTS_MAX || conf->tracks_count < 1 ||
        conf->tracks_count > TR_PEER_TRACKS_MAX)
        return TR_ERR_LIMIT;
    for (int i = 0; i < conf->tracks_count; i++) {
        const struct tr_track_conf *t = &conf->tracks[i];
        bool sound =
            t->clock_rate > 0 && t->layers_count >= 1 && t->layers_count <= TR_TRACK_LAYERS;
        if (t->used && (t->send || (t->recv && !sound)))
            return TR_ERR_INVAL;
    }
    for (int i = 0; i < conf->ports_count; i++) {
        const struct tr_plain_port *f = &conf->ports[i].feeds;
        if (f->mline < TR_PLAIN_BY_SSRC || f->mline >= TR_PEER_TRACKS_MAX ||
            f->layer < TR_PLAIN_BY_SSRC || f->layer >= TR_TRACK_LAYERS)
            return TR_ERR_INVAL;
    }
    return TR_OK;
}

static enum tr_err open_ports(struct plain_birth *birth, const struct tr_media_plain_conf *conf)
{
    for (int i = 0; i < conf->ports_count; i++)
        birth->fds[i] = -1;
    birth->conf.ports_count = conf->ports_count;
    for (int i = 0; i < conf->ports_count; i++) {
        const struct tr_media_port *port = &conf->ports[i];
        struct tr_port_conf open = { .bind = port->bind,
                                     .group = port->group,
                                     .iface = port->iface };
        if (tr_addr_is_any(&open.bind))
            open.bind = tr_addr_v4(0, 0, 0, 0, open.bind.port);
        birth->feeds[i] = port->feeds;
        enum tr_err err = tr_port_open(&open, &birth->fds[i], &birth->locals[i]);
        if (err != TR_OK)
            return err;
    }
    return TR_OK;
}

static struct plain_birth *make_birth(const struct tr_media_plain_conf *conf, enum tr_err *err)
{
    struct plain_birth *birth = tr_alloc(sizeof *birth);
    size_t bytes = (size_t)conf->tracks_count * sizeof *conf->tracks;
    *err = TR_ERR_NOMEM;
    if (!birth)
        return NULL;
    birth->conf.srtp = conf->srtp;
    birth->conf.keys = conf->keys;
    birth->bitrate_bps = conf->bitrate_bps;
    birth->tracks_count = conf->tracks_count;
    birth->tracks = tr_alloc(bytes);
    if (birth->tracks) {
        memcpy(birth->tracks, conf->tracks, bytes);
        *err = open_ports(birth, conf);
    }
    if (*err == TR_OK)
        return birth;
    plain_birth_free(birth);
    return NULL;
}

static struct ctl_peer *register_peer(struct tr_media *media,
                                      const struct tr_media_plain_conf *conf)
{
    struct ctl_peer *p = tr_alloc(sizeof *p);
    size_t bytes = (size_t)conf->tracks_count * sizeof *conf->tracks;
    if (!p)
        return NULL;
    p->tracks = tr_alloc(bytes);
    p->id = p->tracks ? tr_idtab_add(media->control->peers, p) : 0;
    if (!p->id) {
        tr_free(p->tracks);
        tr_free(p);
        return NULL;
    }
    memcpy(p->tracks, conf->tracks, bytes);
    p->tracks_count = conf->tracks_count;
    p->worker = (int)(media->control->plains++ % (unsigned)media->workers_count);
    p->bitrate_bps = conf->bitrate_bps;
    return p;
}

enum tr_err tr_media_plain_create(struct tr_media *media, const struct tr_media_plain_conf *conf,
                                  struct tr_addr *locals, tr_id *id)
{
    struct msg m = { .kind = MSG_PLAIN_ADD };
    enum tr_err err = check(conf);
    if (err != TR_OK)
        return err;
    m.u.plain = make_birth(conf, &err);
    if (!m.u.plain)
        return err;
    struct ctl_peer *p = register_peer(media, conf);
    if (!p) {
        plain_birth_free(m.u.plain);
        return TR_ERR_LIMIT;
    }
    m.u.plain->id = p->id;
    memcpy(locals, m.u.plain->locals, (size_t)conf->ports_count * sizeof *locals);
    err = ctl_post(media, p->worker, &m);
    if (err != TR_OK) {
        plain_birth_free(m.u.plain);
        tr_media_peer_close(media, p->id);
        return err;
    }
    *id = p->id;
    return TR_OK;
}

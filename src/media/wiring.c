/* Routes and taps as control sees them. A route is wired when both of its ends live on a worker:
 * the sink's worker gets the route, and the source's worker, where it is another, is told to
 * share. */
#include "base/mem.h"
#include "media/control.h"
#include "media/ports.h"

static struct source_key key_of(struct tr_media_end end)
{
    return (struct source_key){ .peer = end.peer, .mline = end.mline };
}

static void post(struct tr_media *media, int worker, const struct msg *m)
{
    /* Wiring messages own nothing; without memory for one the route stays silent. */
    (void)!ctl_post(media, worker, m);
}

static void post_share(struct tr_media *media, const struct ctl_route *r, int delta)
{
    struct msg m = { .kind = MSG_SHARE, .worker = r->sink_worker };
    m.u.share.source = key_of(r->source);
    m.u.share.delta = delta;
    if (r->sink_worker != r->source_worker)
        post(media, r->source_worker, &m);
}

/* Where the peer lives, the m-line must have been negotiated: its facts go with the route. */
static const struct tr_track_conf *track_of(const struct ctl_peer *p, int mline)
{
    bool is = p && p->worker != NOWHERE && mline >= 0 && mline < p->tracks_count;
    return is && p->tracks[mline].used ? &p->tracks[mline] : NULL;
}

static struct source_facts facts_of(const struct tr_media *media, struct tr_media_end end)
{
    const struct tr_track_conf *t = track_of(ctl_peer(media, end.peer), end.mline);
    return t ? source_facts_of(t) : (struct source_facts){ 0 };
}

static struct msg route_msg(const struct tr_media *media, const struct ctl_route *r,
                            enum msg_kind kind)
{
    struct msg m = { .kind = kind };
    m.u.route = (struct msg_route){
        .route = r->id,
        .source = key_of(r->source),
        .facts = facts_of(media, r->source),
        .source_worker = r->source_worker,
        .sink_peer = r->sink.peer,
        .sink_mline = r->sink.mline,
        .conf = r->conf,
    };
    return m;
}

static struct msg tap_msg(const struct ctl_route *r, const struct ctl_tap *tap, enum msg_kind kind)
{
    struct msg m = { .kind = kind };
    m.u.tap.tap = r->tap;
    m.u.tap.source = key_of(r->source);
    m.u.tap.track = r->track;
    if (tap)
        m.u.tap.to = tap->to;
    if (tap)
        m.u.tap.forward = tap->forward;
    return m;
}

static void wire_tap(struct tr_media *media, struct ctl_route *r, const struct ctl_peer *from)
{
    struct ctl_tap *tap = tr_idtab_get(media->control->taps, r->tap);
    if (!tap || tap->closed || (tap->forward && !forward_is_ready(tap->forward)))
        return;
    r->source_worker = r->sink_worker = from->worker;
    struct msg m = tap_msg(r, tap, MSG_TAP_ADD);
    if (ctl_post(media, from->worker, &m) != TR_OK)
        return;
    tap->wired++;
    r->wired = true;
}

static void wire(struct tr_media *media, struct ctl_route *r)
{
    const struct ctl_peer *from = ctl_peer(media, r->source.peer);
    const struct ctl_peer *to = ctl_peer(media, r->sink.peer);
    const struct tr_track_conf *track = track_of(from, r->source.mline);
    const struct tr_track_conf *out = track_of(to, r->sink.mline);
    if (r->wired || !track || !track->recv)
        return;
    if (r->tap) {
        wire_tap(media, r, from);
        return;
    }
    if (!out || !out->send)
        return; /* until it is negotiated: see tr_media_peer_tracks */
    r->source_worker = from->worker;
    r->sink_worker = to->worker;
    struct msg m = route_msg(media, r, MSG_ROUTE_ADD);
    post(media, r->sink_worker, &m);
    post_share(media, r, 1);
    r->wired = true;
}

static void unwire(struct tr_media *media, struct ctl_route *r)
{
    if (!r->wired)
        return;
    r->wired = false;
    if (r->tap) {
        struct msg m = tap_msg(r, NULL, MSG_TAP_REMOVE);
        post(media, r->source_worker, &m);
        return;
    }
    struct msg m = route_msg(media, r, MSG_ROUTE_REMOVE);
    post_share(media, r, -1);
    post(media, r->sink_worker, &m);
}

/* Each route is on the list of its source's peer, and of its sink's peer or of its tap. */
static void link_source(struct ctl_route **list, struct ctl_route *r)
{
    r->next_of_source = *list;
    r->at_source = list;
    if (*list)
        (*list)->at_source = &r->next_of_source;
    *list = r;
}

static void link_sink(struct ctl_route **list, struct ctl_route *r)
{
    r->next_of_sink = *list;
    r->at_sink = list;
    if (*list)
        (*list)->at_sink = &r->next_of_sink;
    *list = r;
}

static void unlink_route(struct ctl_route *r)
{
    *r->at_source = r->next_of_source;
    if (r->next_of_source)
        r->next_of_source->at_source = r->at_source;
    *r->at_sink = r->next_of_sink;
    if (r->next_of_sink)
        r->next_of_sink->at_sink = r->at_sink;
}

static void destroy_route(struct tr_media *media, struct ctl_route *r)
{
    unwire(media, r);
    unlink_route(r);
    tr_idtab_remove(media->control->routes, r->id);
    tr_free(r);
}

/* sinks: the list of the other end. */
static struct ctl_route *create_route(struct tr_media *media, struct tr_media_end source,
                                      struct ctl_route **sinks)
{
    struct ctl_peer *from = ctl_peer(media, source.peer);
    struct ctl_route *r = from ? tr_alloc(sizeof *r) : NULL;
    if (!r)
        return NULL;
    r->source = source;
    r->id = tr_idtab_add(media->control->routes, r);
    if (!r->id) {
        tr_free(r);
        return NULL;
    }
    link_source(&from->sources, r);
    link_sink(sinks, r);
    return r;
}

/* A sink has one route: the one before goes. */
static void replace_route_to(struct tr_media *media, struct ctl_peer *to, int mline)
{
    for (struct ctl_route *r = to->sinks; r; r = r->next_of_sink) {
        if (r->sink.mline == mline) {
            destroy_route(media, r);
            return;
        }
    }
}

tr_id tr_media_route(struct tr_media *media, struct tr_media_end source, struct tr_media_end sink,
                     const struct tr_route_conf *conf)
{
    struct ctl_peer *to = ctl_peer(media, sink.peer);
    if (!to)
        return 0;
    replace_route_to(media, to, sink.mline);
    struct ctl_route *r = create_route(media, source, &to->sinks);
    if (!r)
        return 0;
    r->sink = sink;
    r->conf = *conf;
    wire(media, r);
    return r->id;
}

static void update_route(struct tr_media *media, const struct ctl_route *r)
{
    struct msg m = route_msg(media, r, MSG_ROUTE_SET);
    if (r->wired && !r->tap)
        post(media, r->sink_worker, &m);
}

void tr_media_route_set(struct tr_media *media, tr_id route, const struct tr_route_conf *conf)
{
    struct ctl_route *r = tr_idtab_get(media->control->routes, route);
    if (!r)
        return;
    r->conf = *conf;
    update_route(media, r);
}

void tr_media_route_remove(struct tr_media *media, tr_id route)
{
    struct ctl_route *r = tr_idtab_get(media->control->routes, route);
    if (r)
        destroy_route(media, r);
}

void tr_media_keyframe(struct tr_media *media, struct tr_media_end source)
{
    const struct ctl_peer *p = ctl_peer(media, source.peer);
    struct msg m = { .kind = MSG_KEYFRAME };
    m.u.keyframe.source = key_of(source);
    m.u.keyframe.layer = -1;
    if (p && p->worker != NOWHERE)
        post(media, p->worker, &m);
}

/* --- taps --- */

tr_id tr_media_tap_create(struct tr_media *media, const struct tr_tap *to)
{
    struct ctl_tap *tap = tr_alloc(sizeof *tap);
    if (!tap)
        return 0;
    tap->to = *to;
    tap->id = tr_idtab_add(media->control->taps, tap);
    if (!tap->id) {
        tr_free(tap);
        return 0;
    }
    return tap->id;
}

tr_id tr_media_tap_route(struct tr_media *media, struct tr_media_end source, tr_id id,
                         uint16_t track)
{
    struct ctl_tap *tap = tr_idtab_get(media->control->taps, id);
    struct ctl_route *r = tap && !tap->closed ? create_route(media, source, &tap->routes) : NULL;
    if (!r)
        return 0;
    r->tap = id;
    r->track = track;
    wire(media, r);
    return r->id;
}

tr_id wiring_forward(struct tr_media *media, struct tr_media_end source, struct forward *f,
                     const struct tr_tap *to)
{
    tr_id id = tr_media_tap_create(media, to);
    struct ctl_tap *tap = tr_idtab_get(media->control->taps, id);
    if (!tap)
        return 0;
    tap->forward = f;
    if (tr_media_tap_route(media, source, id, 0))
        return id;
    tr_idtab_remove(media->control->taps, id); /* f is still the caller's */
    tr_free(tap);
    return 0;
}

void wiring_forward_ready(struct tr_media *media, tr_id id)
{
    struct ctl_tap *tap = tr_idtab_get(media->control->taps, id);
    for (struct ctl_route *r = tap ? tap->routes : NULL; r; r = r->next_of_sink)
        wire(media, r);
}

static void finish_tap(struct tr_media *media, struct ctl_tap *tap)
{
    if (!tap->closed || tap->wired > 0)
        return;
    tr_idtab_remove(media->control->taps, tap->id);
    tap->to.closed(tap->to.arg);
    tr_free(tap);
}

void tr_media_tap_close(struct tr_media *media, tr_id id)
{
    struct ctl_tap *tap = tr_idtab_get(media->control->taps, id);
    if (!tap || tap->closed)
        return;
    tap->closed = true;
    while (tap->routes)
        destroy_route(media, tap->routes);
    finish_tap(media, tap);
}

void wiring_tap_gone(struct tr_media *media, tr_id id)
{
    struct ctl_tap *tap = tr_idtab_get(media->control->taps, id);
    if (!tap)
        return;
    tap->wired--;
    finish_tap(media, tap);
}

/* --- peers come and go --- */

void wiring_adopted(struct tr_media *media, struct ctl_peer *p)
{
    for (struct ctl_route *r = p->sources; r; r = r->next_of_source)
        wire(media, r);
    for (struct ctl_route *r = p->sinks; r; r = r->next_of_sink)
        wire(media, r);
}

void wiring_negotiated(struct tr_media *media, struct ctl_peer *p)
{
    for (struct ctl_route *r = p->sources; r; r = r->next_of_source)
        update_route(media, r);
    for (struct ctl_route *r = p->sinks; r; r = r->next_of_sink)
        update_route(media, r);
    wiring_adopted(media, p);
}

void wiring_peer_gone(struct tr_media *media, struct ctl_peer *p)
{
    while (p->sources)
        destroy_route(media, p->sources);
    while (p->sinks)
        destroy_route(media, p->sinks);
}

void wiring_deinit(struct tr_media *media)
{
    struct control *c = media->control;
    tr_id id;
    while (c->routes && (id = tr_idtab_next(c->routes, 0)))
        tr_free(tr_idtab_remove(c->routes, id));
    while (c->taps && (id = tr_idtab_next(c->taps, 0))) {
        struct ctl_tap *tap = tr_idtab_remove(c->taps, id);
        tap->to.closed(tap->to.arg);
        tr_free(tap);
    }
}

/* Data channels, the part of the control thread: what data.h asks for becomes messages to the data
 * thread. Control knows which peers have channels, and which routes there are, so that the thread
 * hears of a peer's end exactly when it has heard of the peer. */
#include "media/data.h"

#include <string.h>

#include "base/mem.h"
#include "media/control.h"
#include "media/data_thread.h"

struct ctl_data_route {
    tr_id id;
    struct ctl_peer *from, *to;
    struct ctl_data_route *next_of_from, *next_of_to;
};

/* The thread, started for the first who needs it. */
static enum tr_err start(struct tr_media *media)
{
    struct control *c = media->control;
    if (!c->data_routes)
        c->data_routes = tr_idtab_create(TR_DATA_ROUTES_MAX);
    if (c->data_routes && !media->data)
        media->data = data_thread_create(media);
    return c->data_routes && media->data ? TR_OK : TR_ERR_NOMEM;
}

static enum tr_err order(struct tr_media *media, struct ctl_peer *p, const struct data_msg *m)
{
    enum tr_err err = data_thread_order(media->data, m);
    p->data_known |= err == TR_OK;
    return err == TR_OK ? TR_OK : TR_ERR_NOMEM;
}

/* --- peers --- */

void ctl_data_adopted(struct tr_media *media, const struct ctl_peer *p)
{
    struct msg m = { .kind = MSG_PEER_DATA, .peer = p->id };
    if (p->data && p->worker != NOWHERE)
        (void)!ctl_post(media, p->worker, &m); /* without it the peer just has no channels */
}

void ctl_data_up(struct tr_media *media, struct ctl_peer *p)
{
    struct data_msg m = { .kind = DATA_UP, .id = p->id };
    if (!p->data || !p->up)
        return;
    m.u.up.worker = p->worker;
    m.u.up.even = p->remote.passive; /* then we are the DTLS client */
    (void)!order(media, p, &m);
}

enum tr_err tr_media_data_open(struct tr_media *media, tr_id peer, const struct tr_data_conf *conf)
{
    struct ctl_peer *p = ctl_peer(media, peer);
    struct data_msg m = { .kind = DATA_OPEN, .id = peer, .u.open = *conf };
    bool first = p && !p->data;
    if (!p)
        return TR_ERR_NOTFOUND;
    enum tr_err err = start(media);
    if (err == TR_OK)
        err = order(media, p, &m);
    if (err != TR_OK || !first)
        return err;
    p->data = true;
    ctl_data_adopted(media, p);
    ctl_data_up(media, p);
    return TR_OK;
}

void tr_media_data_listen(struct tr_media *media, tr_id peer, bool on)
{
    struct ctl_peer *p = ctl_peer(media, peer);
    struct data_msg m = { .kind = DATA_LISTEN, .id = peer, .u.on = on };
    if (p && start(media) == TR_OK)
        (void)!order(media, p, &m);
}

/* A text behind *at, which moves on; NULL stays NULL. */
static const char *put_text(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t n = strlen(text) + 1;
    char *to = memcpy(*at, text, n);
    *at += n;
    return to;
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

enum tr_err tr_media_data_send(struct tr_media *media, tr_id peer,
                               const struct tr_data_message *message)
{
    struct ctl_peer *p = ctl_peer(media, peer);
    struct data_msg m = { .kind = DATA_SAY, .id = peer };
    if (!p || !p->data)
        return TR_ERR_NOTFOUND;
    if (message->len > TR_DATA_MESSAGE_MAX || text_size(message->label) > TR_DATA_NAME_MAX + 1 ||
        text_size(message->protocol) > TR_DATA_NAME_MAX + 1)
        return TR_ERR_LIMIT;
    m.u.say = tr_alloc(sizeof *m.u.say + text_size(message->label) + text_size(message->protocol) +
                       message->len);
    if (!m.u.say)
        return TR_ERR_NOMEM;
    char *at = (char *)(m.u.say + 1);
    *m.u.say = (struct tr_data_message){ .label = put_text(&at, message->label),
                                         .protocol = put_text(&at, message->protocol),
                                         .binary = message->binary,
                                         .bytes = at,
                                         .len = message->len };
    if (message->len > 0)
        memcpy(at, message->bytes, message->len);
    enum tr_err err = order(media, p, &m);
    if (err != TR_OK)
        tr_free(m.u.say);
    return err;
}

/* --- routes --- */

static struct ctl_data_route *find_route(const struct tr_media *media, tr_id id)
{
    const struct control *c = media->control;
    return c->data_routes ? tr_idtab_get(c->data_routes, id) : NULL;
}

static void forget_route(struct tr_media *media, struct ctl_data_route *r)
{
    struct ctl_data_route **at = &r->from->data_from;
    while (*at != r)
        at = &(*at)->next_of_from;
    *at = r->next_of_from;
    at = &r->to->data_to;
    while (*at != r)
        at = &(*at)->next_of_to;
    *at = r->next_of_to;
    tr_idtab_remove(media->control->data_routes, r->id);
    tr_free(r);
}

void tr_media_data_route_remove(struct tr_media *media, tr_id route)
{
    struct ctl_data_route *r = find_route(media, route);
    struct data_msg m = { .kind = DATA_ROUTE_REMOVE, .id = route };
    if (!r)
        return;
    forget_route(media, r);
    (void)!data_thread_order(media->data, &m);
}

void tr_media_data_route_pause(struct tr_media *media, tr_id route, bool paused)
{
    struct data_msg m = { .kind = DATA_ROUTE_PAUSE, .id = route, .u.on = paused };
    if (find_route(media, route))
        (void)!data_thread_order(media->data, &m);
}

static struct ctl_data_route *add_route(struct tr_media *media, struct ctl_peer *from,
                                        struct ctl_peer *to)
{
    struct ctl_data_route *r = tr_alloc(sizeof *r);
    if (!r)
        return NULL;
    r->id = tr_idtab_add(media->control->data_routes, r);
    if (!r->id) {
        tr_free(r);
        return NULL;
    }
    r->from = from;
    r->to = to;
    r->next_of_from = from->data_from;
    from->data_from = r;
    r->next_of_to = to->data_to;
    to->data_to = r;
    return r;
}

static enum tr_err order_route(struct tr_media *media, const struct ctl_data_route *r,
                               const struct tr_data_route_conf *conf)
{
    struct data_msg m = { .kind = DATA_ROUTE, .id = r->id };
    m.u.route = tr_alloc(sizeof *m.u.route + text_size(conf->label) + text_size(conf->prefix));
    if (!m.u.route)
        return TR_ERR_NOMEM;
    char *at = (char *)(m.u.route + 1);
    *m.u.route = (struct data_msg_route){ .from = r->from->id, .to = r->to->id, .conf = *conf };
    m.u.route->conf.label = put_text(&at, conf->label);
    m.u.route->conf.prefix = put_text(&at, conf->prefix);
    enum tr_err err = order(media, r->from, &m);
    if (err == TR_OK)
        r->to->data_known = true;
    else
        tr_free(m.u.route);
    return err;
}

tr_id tr_media_data_route(struct tr_media *media, tr_id from, tr_id to,
                          const struct tr_data_route_conf *conf)
{
    struct ctl_peer *source = ctl_peer(media, from), *sink = ctl_peer(media, to);
    if (!source || !sink || text_size(conf->label) > TR_DATA_NAME_MAX + 1 ||
        text_size(conf->prefix) > TR_DATA_PREFIX_MAX + 1 || start(media) != TR_OK)
        return 0;
    for (struct ctl_data_route *r = sink->data_to; r; r = r->next_of_to) {
        if (r->from == source) {
            tr_media_data_route_remove(media, r->id);
            break;
        }
    }
    struct ctl_data_route *r = add_route(media, source, sink);
    if (!r)
        return 0;
    if (order_route(media, r, conf) != TR_OK) {
        forget_route(media, r);
        return 0;
    }
    return r->id;
}

/* --- the end --- */

/* The data thread drops the routes of a peer with it. */
void ctl_data_gone(struct tr_media *media, struct ctl_peer *p)
{
    struct data_msg m = { .kind = DATA_GONE, .id = p->id };
    while (p->data_from)
        forget_route(media, p->data_from);
    while (p->data_to)
        forget_route(media, p->data_to);
    if (p->data_known)
        (void)!data_thread_order(media->data, &m);
    p->data = p->data_known = false;
}

void ctl_data_deinit(struct tr_media *media)
{
    struct control *c = media->control;
    tr_id id;
    while (c->data_routes && (id = tr_idtab_next(c->data_routes, 0)))
        forget_route(media, tr_idtab_get(c->data_routes, id));
    tr_idtab_destroy(c->data_routes);
    c->data_routes = NULL;
}

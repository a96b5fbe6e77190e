/* See data_hub.h. A peer's entry begins with the first word about it, whatever that is: a route may
 * be wired before the peer has negotiated channels, and both before it is up. Its association
 * begins when it is negotiated and up.
 *
 *   packet -> SCTP -> message -> each route of the sender -> the receiver's queue -> SCTP -> packet
 */
#include "media/data_hub.h"

#include "base/assert.h"
#include "base/mem.h"

_Static_assert((int)TR_DATA_MESSAGE_MAX == (int)TR_SCTP_MESSAGE_MAX, "data.h promises it");
_Static_assert((int)TR_DATA_CHANNELS_MAX == (int)TR_SCTP_CHANNELS_MAX, "data.h promises it");
_Static_assert((int)TR_DATA_NAME_MAX == (int)TR_DCEP_NAME_MAX, "data.h promises it");

enum { PEERS_MAX = 1 << 16, SCTP_PORT = 5000 };

#define DEFAULT_LABEL "JanusDataChannel"

static const struct tr_dcep_delivery reliable = { .reliability = TR_DCEP_RELIABLE };

/* --- life --- */

enum tr_err hub_init(struct hub *hub, const struct hub_conf *conf)
{
    *hub = (struct hub){ .conf = *conf };
    hub->peers = tr_map_create(PEERS_MAX, conf->seed);
    hub->routes = tr_map_create(TR_DATA_ROUTES_MAX, conf->seed);
    return hub->peers && hub->routes ? TR_OK : TR_ERR_NOMEM;
}

static struct hub_peer *find_peer(const struct hub *hub, tr_id id)
{
    return tr_map_get(hub->peers, tr_slice(&id, sizeof id));
}

static struct hub_peer *need_peer(struct hub *hub, tr_id id)
{
    struct hub_peer *p = find_peer(hub, id);
    if (p)
        return p;
    p = tr_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->hub = hub;
    p->id = id;
    queue_init(p);
    if (tr_map_add(hub->peers, tr_slice(&p->id, sizeof p->id), p) != TR_OK) {
        tr_free(p);
        return NULL;
    }
    return p;
}

/* --- backpressure --- */

/* A sender waits while a patient receiver of its is full. */
static void update_hold(struct hub_peer *p)
{
    bool hold = false;
    for (const struct hub_route *r = p->speaks_to; r && !hold; r = r->next_of_from)
        hold = r->patient && !r->paused && queue_is_full(r->to);
    if (p->sctp)
        tr_sctp_hold(p->sctp, hold);
}

static void flush(struct hub_peer *p)
{
    bool was_full = queue_is_full(p);
    queue_flush(p);
    if (!was_full || queue_is_full(p))
        return;
    for (const struct hub_route *r = p->hears; r; r = r->next_of_to)
        update_hold(r->from);
}

/* --- what comes in --- */

static void tell(struct hub_peer *p, enum tr_media_event_kind kind,
                 const struct tr_sctp_channel *channel, bool binary, struct tr_slice bytes)
{
    size_t label = strlen(channel->label) + 1, protocol = strlen(channel->protocol) + 1;
    struct tr_data_event *data =
        p->listen ? tr_alloc(sizeof *data + label + protocol + bytes.n + 1) : NULL;
    if (!data)
        return;
    char *text = (char *)(data + 1);
    data->label = memcpy(text, channel->label, label);
    data->protocol = memcpy(text + label, channel->protocol, protocol);
    data->bytes = text + label + protocol;
    if (bytes.n > 0)
        memcpy(text + label + protocol, bytes.p, bytes.n);
    data->binary = binary;
    data->len = bytes.n;
    struct tr_media_event event = { .kind = kind, .peer = p->id, .data = data };
    p->hub->conf.tell(p->hub->conf.arg, &event);
}

static struct hub_key key_of(const struct hub_route *r, const struct tr_sctp_channel *c)
{
    if (r->label)
        return (struct hub_key){
            .label = r->label, .protocol = "", .delivery = c->delivery, .stream = -1
        };
    return (struct hub_key){ .label = c->label,
                             .protocol = c->protocol,
                             .delivery = c->delivery,
                             .stream = c->negotiated ? c->id : -1 };
}

static void relay(struct hub_route *r, const struct tr_sctp_out *in, struct hub_message **shared)
{
    struct hub_key key = key_of(r, in->channel);
    struct hub_message *prefixed = NULL;
    if (r->paused)
        return;
    if (!r->to->conf.port || r->to->failed) { /* it has no channels */
        r->from->hub->counters.drops[TR_DROP_DATA_UNWANTED]++;
        return;
    }
    if (r->prefix && !in->binary) /* a text that the prefix makes too long goes without */
        prefixed = message_create(r->from->hub, false, r->prefix, in->data);
    if (prefixed)
        queue_put(r->to, &key, false, r->patient, false, tr_slice(prefixed->bytes, prefixed->len),
                  &prefixed);
    else
        queue_put(r->to, &key, false, r->patient, in->binary, in->data, shared);
    message_unref(r->from->hub, prefixed);
}

static void on_message(struct hub_peer *p, const struct tr_sctp_out *in)
{
    struct hub_message *shared = NULL;
    p->hub->counters.data_in++;
    tell(p, TR_MEDIA_DATA_MESSAGE, in->channel, in->binary, in->data);
    for (struct hub_route *r = p->speaks_to; r; r = r->next_of_from)
        relay(r, in, &shared);
    message_unref(p->hub, shared);
    update_hold(p);
}

struct spoken { /* is there a channel that a route takes to this key? */
    const struct hub_route *route;
    const struct hub_key *key;
};

static bool leads_to(const void *arg, const struct tr_sctp_channel *channel)
{
    const struct spoken *s = arg;
    struct hub_key key = key_of(s->route, channel);
    return key_eq(&key, s->key);
}

bool hub_is_spoken_on(const struct hub_peer *p, const struct hub_key *key)
{
    for (const struct hub_route *r = p->hears; r; r = r->next_of_to) {
        struct spoken spoken = { .route = r, .key = key };
        if (r->from->sctp && tr_sctp_find(r->from->sctp, leads_to, &spoken))
            return true;
    }
    return false;
}

/* Somebody has stopped to speak. */
static void sweep_receivers(struct hub_peer *p)
{
    for (const struct hub_route *r = p->speaks_to; r; r = r->next_of_from)
        queue_sweep(r->to);
}

static void on_closed(struct hub_peer *p, const struct tr_sctp_channel *channel)
{
    tell(p, TR_MEDIA_DATA_CLOSED, channel, false, tr_slice(NULL, 0));
    queue_channel_closed(p, channel->id);
    sweep_receivers(p);
}

/* --- associations --- */

static void count_association(struct hub *hub, const struct tr_sctp *sctp)
{
    const struct tr_sctp_stats *s = tr_sctp_stats(sctp);
    hub->counters.drops[TR_DROP_DATA_BAD] += s->bad_packets + s->bad_messages + s->refused_channels;
    hub->counters.drops[TR_DROP_DATA_QUEUE] += s->lost_packets;
}

static void end_association(struct hub_peer *p)
{
    if (!p->sctp)
        return;
    count_association(p->hub, p->sctp);
    tr_sctp_destroy(p->sctp);
    p->sctp = NULL;
    queue_free(p);
    sweep_receivers(p);
    for (const struct hub_route *r = p->hears; r; r = r->next_of_to)
        update_hold(r->from);
}

static void begin_association(struct hub_peer *p)
{
    struct hub *hub = p->hub;
    struct tr_sctp_conf conf = { .local_port = SCTP_PORT,
                                 .remote_port = p->conf.port,
                                 .even = p->even,
                                 .message_max = p->conf.message_max,
                                 .user = p };
    if (p->sctp || !p->up || !p->conf.port)
        return;
    if (!hub->stack)
        hub->stack = tr_sctp_stack_create(hub->now);
    if (hub->stack)
        p->sctp = tr_sctp_create(hub->stack, hub->now, &conf);
    p->failed = !p->sctp;
}

static void handle(struct hub_peer *p, const struct tr_sctp_out *out)
{
    switch (out->kind) {
    case TR_SCTP_SEND: p->hub->conf.send(p->hub->conf.arg, p->id, p->worker, out->data); break;
    case TR_SCTP_UP:
    case TR_SCTP_WRITABLE:
        p->blocked = false;
        flush(p);
        break;
    case TR_SCTP_OPEN: tell(p, TR_MEDIA_DATA_OPEN, out->channel, false, tr_slice(NULL, 0)); break;
    case TR_SCTP_MESSAGE: on_message(p, out); break;
    case TR_SCTP_CLOSED: on_closed(p, out->channel); break;
    case TR_SCTP_DOWN:
        p->failed = true;
        end_association(p);
        break;
    case TR_SCTP_NONE: break;
    }
}

/* What one says may make others speak, until all are silent. */
static void let_speak(struct hub *hub)
{
    struct tr_sctp_out out;
    struct tr_sctp *sctp;
    while (hub->stack && (sctp = tr_sctp_stack_next(hub->stack))) {
        struct hub_peer *p = tr_sctp_user(sctp);
        if (!p)
            continue; /* of a test, which has its clients in the same stack */
        do {
            tr_sctp_poll(p->sctp, &out);
            handle(p, &out);
        } while (out.kind != TR_SCTP_NONE && p->sctp);
    }
}

/* --- what control says --- */

void hub_open(struct hub *hub, tr_usec now, tr_id id, const struct tr_data_conf *conf)
{
    hub->now = now;
    struct hub_peer *p = need_peer(hub, id);
    if (!p)
        return;
    uint16_t port = p->conf.port ? p->conf.port : conf->port;
    p->conf = (struct tr_data_conf){ .port = port, .message_max = conf->message_max };
    if (p->sctp)
        tr_sctp_set_message_max(p->sctp, conf->message_max);
    begin_association(p);
    let_speak(hub);
}

void hub_up(struct hub *hub, tr_usec now, tr_id id, int worker, bool even)
{
    hub->now = now;
    struct hub_peer *p = need_peer(hub, id);
    if (!p)
        return;
    p->up = true;
    p->even = even;
    p->worker = worker;
    begin_association(p);
    let_speak(hub);
}

void hub_listen(struct hub *hub, tr_id id, bool on)
{
    struct hub_peer *p = need_peer(hub, id);
    if (p)
        p->listen = on;
}

static void unlink_route(struct hub_route *r)
{
    struct hub_route **at = &r->from->speaks_to;
    while (*at != r)
        at = &(*at)->next_of_from;
    *at = r->next_of_from;
    at = &r->to->hears;
    while (*at != r)
        at = &(*at)->next_of_to;
    *at = r->next_of_to;
}

static void free_route(struct hub *hub, struct hub_route *r)
{
    struct hub_peer *from = r->from, *to = r->to;
    tr_map_remove(hub->routes, tr_slice(&r->id, sizeof r->id));
    unlink_route(r);
    tr_free(r->label);
    tr_free(r->prefix);
    tr_free(r);
    update_hold(from);
    queue_sweep(to);
}

void hub_gone(struct hub *hub, tr_usec now, tr_id id)
{
    struct hub_peer *p = find_peer(hub, id);
    hub->now = now;
    if (!p)
        return;
    while (p->speaks_to)
        free_route(hub, p->speaks_to);
    while (p->hears)
        free_route(hub, p->hears);
    end_association(p);
    queue_free(p);
    tr_map_remove(hub->peers, tr_slice(&p->id, sizeof p->id));
    tr_free(p);
    let_speak(hub);
}

void hub_deinit(struct hub *hub)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *value;
    while (hub->peers && tr_map_next(hub->peers, &cursor, &key, &value)) {
        hub_gone(hub, hub->now, ((struct hub_peer *)value)->id);
        cursor = 0; /* the map has changed */
    }
    tr_sctp_stack_destroy(hub->stack);
    tr_map_destroy(hub->peers);
    tr_map_destroy(hub->routes);
}

void hub_route(struct hub *hub, tr_id id, tr_id from, tr_id to,
               const struct tr_data_route_conf *conf)
{
    struct hub_route *r = tr_alloc(sizeof *r);
    if (!r)
        return;
    r->id = id;
    r->from = need_peer(hub, from);
    r->to = need_peer(hub, to);
    r->paused = conf->paused;
    r->patient = conf->patient;
    r->label = conf->label ? tr_strdup(conf->label) : NULL;
    r->prefix = conf->prefix ? tr_strdup(conf->prefix) : NULL;
    if (!r->from || !r->to || (conf->label && !r->label) || (conf->prefix && !r->prefix) ||
        tr_map_add(hub->routes, tr_slice(&r->id, sizeof r->id), r) != TR_OK) {
        tr_free(r->label);
        tr_free(r->prefix);
        tr_free(r);
        return;
    }
    r->next_of_from = r->from->speaks_to;
    r->from->speaks_to = r;
    r->next_of_to = r->to->hears;
    r->to->hears = r;
    update_hold(r->from);
}

static struct hub_route *find_route(const struct hub *hub, tr_id id)
{
    return tr_map_get(hub->routes, tr_slice(&id, sizeof id));
}

void hub_route_pause(struct hub *hub, tr_usec now, tr_id id, bool paused)
{
    struct hub_route *r = find_route(hub, id);
    hub->now = now;
    if (!r)
        return;
    r->paused = paused;
    update_hold(r->from);
    let_speak(hub);
}

void hub_route_remove(struct hub *hub, tr_usec now, tr_id id)
{
    struct hub_route *r = find_route(hub, id);
    hub->now = now;
    if (r)
        free_route(hub, r);
    let_speak(hub);
}

void hub_say(struct hub *hub, tr_usec now, tr_id id, const struct tr_data_message *message)
{
    struct hub_peer *p = find_peer(hub, id);
    struct hub_message *shared = NULL;
    struct hub_key key = { .label = message->label ? message->label : DEFAULT_LABEL,
                           .protocol = message->protocol ? message->protocol : "",
                           .delivery = reliable,
                           .stream = -1 };
    hub->now = now;
    if (!p)
        return;
    queue_put(p, &key, true, false, message->binary, tr_slice(message->bytes, message->len),
              &shared);
    message_unref(hub, shared);
    let_speak(hub);
}

void hub_packet(struct hub *hub, tr_usec now, tr_id id, struct tr_slice packet)
{
    struct hub_peer *p = find_peer(hub, id);
    hub->now = now;
    if (!p || !p->sctp) {
        hub->counters.drops[TR_DROP_DATA_UNWANTED]++;
        return;
    }
    (void)!tr_sctp_input(p->sctp, now, packet); /* it counts what it drops */
    let_speak(hub);
}

void hub_timeout(struct hub *hub, tr_usec now)
{
    hub->now = now;
    if (!hub->stack)
        return;
    tr_sctp_stack_timeout(hub->stack, now);
    let_speak(hub);
}

tr_usec hub_next_timeout(const struct hub *hub)
{
    return hub->stack ? tr_sctp_stack_next_timeout(hub->stack) : TR_NEVER;
}

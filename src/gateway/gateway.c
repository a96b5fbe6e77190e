/* The gateway as a whole: its making and end, time, and what the media workers tell. */
#include "gateway/gateway.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gateway/core.h"
#include "sdp/negotiate.h"

enum {
    SESSIONS_DEFAULT = 65536,
    HANDLES_DEFAULT = 256,
    EVENTS_DEFAULT = 1000,
    EVENTS_BYTES_DEFAULT = 256 << 20,
    HANDLES_MAX = 65536, /* each costs some 36 KiB: 2.3 GiB together */
    SOURCES_MAX = 65536,
    WRONG_SECRETS = 20 /* of the Admin API, from one address at once; then one a second */
};

/* --- making --- */

static const size_t conf_texts[] = {
    offsetof(struct tr_gateway_conf, server_name),
    offsetof(struct tr_gateway_conf, version),
    offsetof(struct tr_gateway_conf, api_secret),
    offsetof(struct tr_gateway_conf, admin_secret),
    offsetof(struct tr_gateway_conf, local_ip),
    offsetof(struct tr_gateway_conf, public_ip),
    offsetof(struct tr_gateway_conf, token_auth_secret),
};

static const char **conf_text(struct tr_gateway_conf *conf, size_t i)
{
    return (const char **)(void *)((char *)conf + conf_texts[i]);
}

static enum tr_err copy_conf(struct tr_gateway_conf *to, const struct tr_gateway_conf *from)
{
    enum tr_err err = TR_OK;

    *to = *from;
    for (size_t i = 0; i < TR_ARRAY_LEN(conf_texts); i++) {
        const char **text = conf_text(to, i);
        *text = tr_strdup(*text ? *text : "");
        if (!*text)
            err = TR_ERR_NOMEM;
    }
    to->sessions_max = to->sessions_max ? to->sessions_max : SESSIONS_DEFAULT;
    to->handles_per_session_max =
        to->handles_per_session_max ? to->handles_per_session_max : HANDLES_DEFAULT;
    to->events_max = to->events_max ? to->events_max : EVENTS_DEFAULT;
    to->events_bytes_max = to->events_bytes_max ? to->events_bytes_max : EVENTS_BYTES_DEFAULT;
    return err;
}

static enum tr_err make_tables(struct tr_gateway *gw)
{
    struct tr_rng *rng = gw->services.rng;
    const struct tr_auth_conf auth = { .api_secret = gw->conf.api_secret,
                                       .token_auth = gw->conf.token_auth,
                                       .token_secret = gw->conf.token_auth_secret,
                                       .tokens_max = TR_GATEWAY_TOKENS_MAX,
                                       .seed = tr_rng_u64(rng) };

    tr_heap_init(&gw->timers, gw->conf.sessions_max);
    gw->auth = tr_auth_create(&auth);
    gw->limit =
        tr_ratelimit_create(gw->conf.rate_per_s, gw->conf.rate_burst, SOURCES_MAX, tr_rng_u64(rng));
    gw->wrong_secrets = tr_ratelimit_create(1, WRONG_SECRETS, SOURCES_MAX, tr_rng_u64(rng));
    gw->sessions_by_id = tr_map_create(gw->conf.sessions_max, tr_rng_u64(rng));
    gw->handles_by_id = tr_map_create(HANDLES_MAX, tr_rng_u64(rng));
    gw->handles_by_peer = tr_map_create(HANDLES_MAX, tr_rng_u64(rng));
    bool ok = gw->auth && gw->limit && gw->wrong_secrets && gw->sessions_by_id &&
              gw->handles_by_id && gw->handles_by_peer;
    return ok ? TR_OK : TR_ERR_NOMEM;
}

enum tr_err tr_gateway_create(struct tr_gateway **out, const struct tr_gateway_conf *conf,
                              const struct tr_gateway_services *services)
{
    *out = NULL;
    struct tr_gateway *gw = tr_alloc(sizeof(*gw));
    if (!gw)
        return TR_ERR_NOMEM;
    TAILQ_INIT(&gw->sessions);
    TAILQ_INIT(&gw->polls);
    TAILQ_INIT(&gw->pending);
    TAILQ_INIT(&gw->downs);
    gw->services = *services;
    gw->accepting = true;
    enum tr_err err = copy_conf(&gw->conf, conf);
    if (err == TR_OK)
        err = make_tables(gw);
    if (err != TR_OK) {
        tr_gateway_destroy(gw, 0);
        return err;
    }
    *out = gw;
    return TR_OK;
}

void tr_gateway_destroy(struct tr_gateway *gw, tr_usec now)
{
    if (!gw)
        return;
    while (!TAILQ_EMPTY(&gw->sessions)) {
        TAILQ_FIRST(&gw->sessions)->ending = true;
        tr_session_destroy(TAILQ_FIRST(&gw->sessions), now);
    }
    while (!TAILQ_EMPTY(&gw->pending))
        tr_pending_free(gw, TAILQ_FIRST(&gw->pending));
    for (int i = 0; i < gw->plugin_count; i++)
        gw->plugins[i]->ops->destroy(gw->plugins[i]);
    tr_auth_destroy(gw->auth);
    tr_ratelimit_destroy(gw->limit);
    tr_ratelimit_destroy(gw->wrong_secrets);
    tr_map_destroy(gw->sessions_by_id);
    tr_map_destroy(gw->handles_by_id);
    tr_map_destroy(gw->handles_by_peer);
    tr_heap_deinit(&gw->timers);
    for (size_t i = 0; i < TR_ARRAY_LEN(conf_texts); i++)
        tr_free((void *)(uintptr_t)*conf_text(&gw->conf, i));
    tr_free(gw);
}

void tr_gateway_stop(struct tr_gateway *gw, tr_usec now)
{
    gw->accepting = false;
    for (struct tr_session *s = TAILQ_FIRST(&gw->sessions); s; s = TAILQ_NEXT(s, of_gateway))
        for (struct tr_handle *h = TAILQ_FIRST(&s->handles); h; h = TAILQ_NEXT(h, of_session))
            tr_handle_hangup(h, "Server stopped", now);
    tr_gateway_settle(gw, now);
    while (!TAILQ_EMPTY(&gw->sessions))
        tr_session_destroy(TAILQ_FIRST(&gw->sessions), now);
}

/* --- plugins --- */

enum tr_err tr_gateway_add_plugin(struct tr_gateway *gw, struct tr_plugin *plugin)
{
    if (gw->plugin_count >= TR_GATEWAY_PLUGINS_MAX)
        return TR_ERR_LIMIT;
    if (tr_gateway_plugin(gw, plugin->ops->package))
        return TR_ERR_EXISTS;
    plugin->gw = gw;
    gw->plugins[gw->plugin_count++] = plugin;
    return TR_OK;
}

struct tr_plugin *tr_gateway_plugin(const struct tr_gateway *gw, const char *package)
{
    for (int i = 0; i < gw->plugin_count; i++)
        if (strcmp(gw->plugins[i]->ops->package, package) == 0)
            return gw->plugins[i];
    return NULL;
}

/* --- time --- */

static tr_usec plugin_next_timeout(const struct tr_plugin *plugin)
{
    return plugin->ops->next_timeout ? plugin->ops->next_timeout(plugin) : TR_NEVER;
}

void tr_gateway_timeout(struct tr_gateway *gw, tr_usec now)
{
    struct tr_waiting *poll;
    struct tr_pending *pending;

    tr_gateway_settle(gw, now);
    while ((poll = TAILQ_FIRST(&gw->polls)) && poll->deadline <= now) {
        tr_session_touch(poll->session, now);
        tr_poll_end(gw, poll);
    }
    while ((pending = TAILQ_FIRST(&gw->pending)) && pending->deadline <= now)
        tr_admin_answer(gw, pending, NULL, now);
    tr_session_expire(gw, now);
    for (int i = 0; i < gw->plugin_count; i++) {
        struct tr_plugin *plugin = gw->plugins[i];
        if (plugin_next_timeout(plugin) <= now)
            plugin->ops->timeout(plugin, now);
    }
    tr_gateway_settle(gw, now);
}

tr_usec tr_gateway_next_timeout(const struct tr_gateway *gw)
{
    const struct tr_heap_node *timer = tr_heap_min(&gw->timers);
    tr_usec next = timer && timer->key < TR_NEVER - 1 ? timer->key : TR_NEVER;

    if (!TAILQ_EMPTY(&gw->downs))
        return 0;
    if (!TAILQ_EMPTY(&gw->polls))
        next = tr_usec_min(next, TAILQ_FIRST(&gw->polls)->deadline);
    if (!TAILQ_EMPTY(&gw->pending))
        next = tr_usec_min(next, TAILQ_FIRST(&gw->pending)->deadline);
    for (int i = 0; i < gw->plugin_count; i++)
        next = tr_usec_min(next, plugin_next_timeout(gw->plugins[i]));
    return next;
}

struct tr_media *tr_gateway_media(const struct tr_gateway *gw)
{
    return gw->services.pc->media;
}

/* --- what the media workers tell --- */

static void on_up(struct tr_gateway *gw, struct tr_handle *handle, tr_usec now)
{
    if (handle->up)
        return;
    handle->up = now ? now : 1;
    gw->counters.webrtc_up++;
    tr_session_push(handle->session, tr_handle_push(handle, "webrtcup"));
    if (handle->plugin->ops->pc_up)
        handle->plugin->ops->pc_up(handle->plugin, handle, now);
}

static const char *kind_name(const struct tr_sdp_media_params *m)
{
    return m && m->kind == TR_SDP_VIDEO ? "video" : "audio";
}

static void on_receiving(struct tr_handle *handle, const struct tr_media_event *e)
{
    const struct tr_sdp_media_params *m = tr_pc_mline(handle, e->mline);
    json_t *event = tr_handle_push(handle, "media");

    json_object_set_new(event, "mid", json_string(m ? m->mid : ""));
    json_object_set_new(event, "type", json_string(kind_name(m)));
    if (e->substream >= 0)
        json_object_set_new(event, "substream", json_integer(e->substream));
    json_object_set_new(event, "receiving", json_boolean(e->on));
    if (!e->on)
        json_object_set_new(event, "seconds", json_integer(1));
    tr_session_push(handle->session, event);
}

static void on_slow_link(struct tr_handle *handle, const struct tr_media_event *e, tr_usec now)
{
    const struct tr_sdp_media_params *m = tr_pc_mline(handle, e->mline);
    const struct tr_plugin_ops *ops = handle->plugin->ops;
    json_t *event = tr_handle_push(handle, "slowlink");

    json_object_set_new(event, "mid", json_string(m ? m->mid : ""));
    json_object_set_new(event, "media", json_string(kind_name(m)));
    /* On the wire "uplink" is seen from the server: the client misses what we send. */
    json_object_set_new(event, "uplink", json_boolean(!e->uplink));
    json_object_set_new(event, "lost", json_integer(e->lost));
    tr_session_push(handle->session, event);
    if (ops->slow_link)
        ops->slow_link(handle->plugin, handle, e->mline, e->uplink, e->lost, now);
}

static void on_stats(struct tr_gateway *gw, const struct tr_media_event *e, tr_usec now)
{
    struct tr_pending *pending = tr_pending_find(gw, e->cookie);
    if (pending)
        tr_admin_answer(gw, pending, e->stats, now);
    tr_free(e->stats);
}

void tr_gateway_media_event(struct tr_gateway *gw, tr_usec now, const struct tr_media_event *event)
{
    if (event->kind == TR_MEDIA_STATS) {
        on_stats(gw, event, now);
        return;
    }
    struct tr_handle *handle = tr_handle_by_peer(gw, event->peer);
    if (!handle) {
        tr_free(event->data);
        return;
    }
    const struct tr_plugin_ops *ops = handle->plugin->ops;
    switch (event->kind) {
    case TR_MEDIA_PEER_UP: on_up(gw, handle, now); break;
    case TR_MEDIA_PEER_DOWN: tr_handle_hangup(handle, event->reason, now); break;
    case TR_MEDIA_RECEIVING: on_receiving(handle, event); break;
    case TR_MEDIA_SLOW_LINK: on_slow_link(handle, event, now); break;
    case TR_MEDIA_LAYER:
        if (ops->layer)
            ops->layer(handle->plugin, handle, event->mline, event->substream, event->temporal,
                       now);
        break;
    case TR_MEDIA_TALKING:
        if (ops->talking)
            ops->talking(handle->plugin, handle, event->mline, event->on, event->level, now);
        break;
    case TR_MEDIA_DATA_OPEN:
    case TR_MEDIA_DATA_MESSAGE:
    case TR_MEDIA_DATA_CLOSED: tr_free(event->data); break; /* no plugin listens yet */
    case TR_MEDIA_STATS:
    case TR_MEDIA_NONE: break;
    }
    tr_gateway_settle(gw, now);
}

/* --- the rest --- */

void tr_gateway_set_accepting(struct tr_gateway *gw, bool accepting)
{
    gw->accepting = accepting;
}

bool tr_gateway_accepting(const struct tr_gateway *gw)
{
    return gw->accepting;
}

void tr_gateway_counters(const struct tr_gateway *gw, struct tr_gateway_counters *out)
{
    *out = gw->counters;
}

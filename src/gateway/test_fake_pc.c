/* See test_fake_pc.h. */
#include "gateway/test_fake_pc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/error.h"
#include "sdp/negotiate.h"

struct fake_pc_log fake_pc;

/* --- pc.h --- */

struct tr_pc {
    struct tr_handle *handle;
    tr_id peer;
    bool exists;
};

struct tr_pc *tr_pc_create(struct tr_handle *handle, const struct tr_pc_services *services)
{
    struct tr_pc *pc = tr_alloc(sizeof(*pc));
    if (!pc)
        return NULL;
    pc->handle = handle;
    fake_pc.created++;
    return pc;
}

void tr_pc_destroy(struct tr_pc *pc, tr_usec now)
{
    fake_pc.destroyed += pc != NULL;
    tr_free(pc);
}

enum tr_err tr_pc_parse_jsep(struct tr_pc *pc, const json_t *jsep, struct tr_jsep *out, int *error,
                             const char **reason)
{
    const char *type = json_string_value(json_object_get(jsep, "type"));
    const char *sdp = json_string_value(json_object_get(jsep, "sdp"));
    bool offer = strcmp(type, "offer") == 0;

    if (!offer && strcmp(type, "answer") != 0) {
        *error = TR_API_JSEP_UNKNOWN_TYPE;
        *reason = "Unknown type";
        return TR_ERR_PROTO;
    }
    if (strcmp(sdp, "bad") == 0) {
        *error = TR_API_JSEP_INVALID_SDP;
        *reason = "Bad SDP";
        return TR_ERR_BADMSG;
    }
    *out = (struct tr_jsep){ .offer = offer, .update = pc->exists };
    return TR_OK;
}

enum tr_err tr_pc_trickle(struct tr_pc *pc, const json_t *candidate, tr_usec now, int *error,
                          const char **reason)
{
    if (json_is_object(candidate) && json_object_size(candidate) == 0) {
        *error = TR_API_MISSING_MANDATORY_ELEMENT;
        *reason = "Missing mandatory element (sdpMid or sdpMLineIndex)";
        return TR_ERR_BADMSG;
    }
    fake_pc.trickled++;
    return TR_OK;
}

bool tr_pc_exists(const struct tr_pc *pc)
{
    return pc->exists;
}

void tr_pc_close(struct tr_pc *pc, const char *reason, tr_usec now)
{
    pc->exists = false;
    pc->peer = 0;
    fake_pc.closed++;
    fake_pc.close_reason = reason;
}

json_t *tr_pc_describe(const struct tr_pc *pc)
{
    return json_pack("{s:{s:s, s:s}}", "sdps", "local", "v=0", "remote", "v=0");
}

tr_id tr_pc_peer(const struct tr_pc *pc)
{
    return pc->peer;
}

const struct tr_sdp_media_params *tr_pc_mline(const struct tr_handle *handle, int mline)
{
    static const struct tr_sdp_media_params lines[] = {
        { .kind = TR_SDP_AUDIO, .active = true, .mid = "a0" },
        { .kind = TR_SDP_VIDEO, .active = true, .mid = "v1" },
    };
    return mline >= 0 && mline < 2 ? &lines[mline] : NULL;
}

bool fake_pc_try_up(struct tr_handle *handle, tr_id peer)
{
    struct tr_pc *pc = tr_handle_pc(handle);
    if (tr_handle_set_peer(handle, peer) != TR_OK)
        return false;
    pc->exists = true;
    pc->peer = peer;
    return true;
}

void fake_pc_up(struct tr_handle *handle, tr_id peer)
{
    if (!fake_pc_try_up(handle, peer))
        abort();
}

/* --- media/media.h --- */

void tr_media_query(struct tr_media *media, tr_id peer, uint64_t cookie)
{
    fake_pc.query_peer = peer;
    fake_pc.query_cookie = cookie;
    fake_pc.queries++;
}

bool tr_media_worker_counters(const struct tr_media *media, int worker,
                              struct tr_media_counters *out)
{
    *out = (struct tr_media_counters){ .datagrams_in = 7 };
    return worker == 0;
}

void tr_media_counters(const struct tr_media *media, struct tr_media_counters *out)
{
    *out = (struct tr_media_counters){ .datagrams_in = 7, .rtp_out = 3 };
}

const char *tr_drop_name(enum tr_drop drop)
{
    return drop == TR_DROP_STUN_BAD ? "stun_bad" : "other";
}

/* --- a client --- */

static void fake_send(struct tr_client *client, struct tr_slice json)
{
    struct fake_client *c = (struct fake_client *)(void *)client;
    if (c->count == FAKE_CLIENT_MAX)
        abort();
    c->got[c->count] = json_loadb((const char *)json.p, json.n, 0, NULL);
    if (!c->got[c->count++])
        abort(); /* what we send is JSON */
}

static const struct tr_client_ops ws_ops = { "janus.transport.websockets", fake_send, NULL };
static const struct tr_client_ops http_ops = { "janus.transport.http", fake_send, NULL };

void fake_client_init(struct fake_client *c, bool polls, bool admin)
{
    *c = (struct fake_client){ .client = { .ops = polls ? &http_ops : &ws_ops,
                                           .addr = tr_addr_v4(192, 0, 2, 1, 9),
                                           .polls = polls,
                                           .admin = admin } };
}

void fake_client_clear(struct fake_client *c)
{
    for (int i = 0; i < c->count; i++)
        json_decref(c->got[i]);
    c->count = 0;
}

const json_t *fake_got(const struct fake_client *c, int i)
{
    i = i < 0 ? c->count - 1 : i;
    return i >= 0 && i < c->count ? c->got[i] : NULL;
}

const json_t *fake_at(const json_t *message, const char *path)
{
    char part[64];
    while (message && *path) {
        size_t n = strcspn(path, ".");
        snprintf(part, sizeof(part), "%.*s", (int)n, path);
        message = json_is_array(message) ? json_array_get(message, strtoul(part, NULL, 10))
                                         : json_object_get(message, part);
        path += n + (path[n] == '.');
    }
    return message;
}

const char *fake_text(const json_t *message, const char *path)
{
    const char *text = json_string_value(fake_at(message, path));
    return text ? text : "";
}

json_int_t fake_int(const json_t *message, const char *path)
{
    return json_integer_value(fake_at(message, path));
}

/* --- a plugin --- */

static struct fake_plugin *fake_of(struct tr_plugin *plugin)
{
    return (struct fake_plugin *)(void *)plugin;
}

static void enter(struct tr_plugin *plugin)
{
    struct fake_plugin *f = fake_of(plugin);
    f->reentered |= f->in_call;
    f->in_call = true;
}

static void leave(struct tr_plugin *plugin)
{
    fake_of(plugin)->in_call = false;
}

static json_t *on_now(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    return json_pack("{s:s, s:b}", plugin->ops->tag, "done", "jsep", msg->jsep != NULL);
}

static json_t *on_later(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    enter(plugin);
    json_t *jsep = msg->jsep ? json_pack("{s:s, s:s}", "type", "answer", "sdp", "v=0") : NULL;
    tr_handle_event(msg->handle, msg->transaction, json_pack("{s:s}", "result", "ok"), jsep);
    leave(plugin);
    return NULL;
}

static json_t *on_mute(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    return NULL;
}

static json_t *on_bye(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    enter(plugin);
    tr_handle_close_pc(msg->handle, msg->now);
    tr_handle_event(msg->handle, msg->transaction, json_pack("{s:s}", "result", "bye"), NULL);
    leave(plugin);
    return NULL;
}

static enum tr_err on_attach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    struct fake_plugin *f = fake_of(plugin);
    if (f->refuse_attach)
        return TR_ERR_LIMIT;
    f->attached++;
    tr_handle_set_user(handle, f);
    return TR_OK;
}

static void on_detach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    fake_of(plugin)->detached++;
}

static void on_up(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    fake_of(plugin)->ups++;
}

static void on_down(struct tr_plugin *plugin, struct tr_handle *handle, const char *reason,
                    tr_usec now)
{
    enter(plugin);
    fake_of(plugin)->downs++;
    fake_of(plugin)->down_reason = reason;
    leave(plugin);
}

static void on_slow(struct tr_plugin *plugin, struct tr_handle *handle, int mline, bool uplink,
                    uint32_t lost, tr_usec now)
{
    fake_of(plugin)->slow++;
}

static void on_layer(struct tr_plugin *plugin, struct tr_handle *handle, int mline, int substream,
                     int temporal, tr_usec now)
{
    fake_of(plugin)->layers++;
}

static json_t *on_query(struct tr_plugin *plugin, struct tr_handle *handle)
{
    return json_pack("{s:s}", "mood", "fine");
}

static json_t *on_admin(struct tr_plugin *plugin, json_t *request, tr_usec now)
{
    return json_pack("{s:O}", "echo", request);
}

static void on_destroy(struct tr_plugin *plugin)
{
    fake_of(plugin)->destroyed++;
}

static const struct tr_field level_fields[] = { { "level", TR_FIELD_UINT, true }, { NULL } };
static const struct tr_plugin_request both_rows[] = {
    { "now", true, level_fields, on_now },
    { "later", false, level_fields, on_later },
    { "mute", true, NULL, on_mute },
    { NULL },
};
static const struct tr_plugin_request async_rows[] = {
    { "later", false, level_fields, on_later },
    { "bye", false, NULL, on_bye },
    { NULL },
};
static const struct tr_plugin_request single_rows[] = { { "any", false, NULL, on_later },
                                                        { NULL } };

#define COMMON                                                                                     \
    .description = "A double", .author = "The Tring authors", .version_string = "0.0.1",           \
    .version = 1, .attach = on_attach, .detach = on_detach, .pc_up = on_up, .pc_down = on_down,    \
    .slow_link = on_slow, .layer = on_layer, .query = on_query, .destroy = on_destroy,             \
    .errors = { 470, 471, 472, 475, 474, 483 }

const struct tr_plugin_ops fake_both_ops = { .package = "janus.plugin.both",
                                             .tag = "both",
                                             .name = "Both",
                                             .requests = both_rows,
                                             .admin = on_admin,
                                             COMMON };
const struct tr_plugin_ops fake_async_ops = {
    .package = "janus.plugin.async", .tag = "async", .name = "Async", .requests = async_rows, COMMON
};
const struct tr_plugin_ops fake_single_ops = { .package = "janus.plugin.single",
                                               .tag = "single",
                                               .name = "Single",
                                               .requests = single_rows,
                                               .single_request = true,
                                               COMMON };

/* --- the whole --- */

static int64_t rig_unix_us(void *arg, tr_usec now)
{
    return ((struct rig *)arg)->unix_us + now;
}

enum tr_err rig_create(struct rig *rig, const struct tr_gateway_conf *conf)
{
    static const struct tr_gateway_conf plain = { .server_name = "test",
                                                  .version = "0.1.0",
                                                  .admin_secret = "boss",
                                                  .session_timeout = 60 * TR_SECOND };
    fake_pc = (struct fake_pc_log){ 0 };
    *rig = (struct rig){ .rng = tr_rng_seeded(7),
                         .both.plugin.ops = &fake_both_ops,
                         .async.plugin.ops = &fake_async_ops,
                         .single.plugin.ops = &fake_single_ops,
                         .now = TR_SECOND,
                         .unix_us = 1700000000 * TR_SECOND };
    rig->pc.rng = &rig->rng;
    const struct tr_gateway_services services = {
        .rng = &rig->rng, .pc = &rig->pc, .unix_us = rig_unix_us, .arg = rig
    };
    enum tr_err err = tr_gateway_create(&rig->gw, conf ? conf : &plain, &services);
    if (err != TR_OK)
        return err;
    if (tr_gateway_add_plugin(rig->gw, &rig->both.plugin) != TR_OK ||
        tr_gateway_add_plugin(rig->gw, &rig->async.plugin) != TR_OK ||
        tr_gateway_add_plugin(rig->gw, &rig->single.plugin) != TR_OK)
        abort();
    fake_client_init(&rig->ws, false, false);
    fake_client_init(&rig->ws2, false, false);
    fake_client_init(&rig->http, true, false);
    fake_client_init(&rig->admin, true, true);
    return TR_OK;
}

void rig_destroy(struct rig *rig)
{
    struct fake_client *clients[] = { &rig->ws, &rig->ws2, &rig->http, &rig->admin };
    for (int i = 0; i < 4; i++) {
        tr_gateway_client_gone(rig->gw, rig->now, &clients[i]->client);
        fake_client_clear(clients[i]);
    }
    tr_gateway_destroy(rig->gw, rig->now);
}

__attribute__((format(printf, 4, 0))) static const json_t *say(struct rig *rig,
                                                               struct fake_client *client,
                                                               const struct tr_request_path *path,
                                                               const char *fmt, va_list ap)
{
    char text[8192];
    vsnprintf(text, sizeof(text), fmt, ap);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    int before = client->count;
    if (tr_gateway_input(rig->gw, rig->now, &client->client, path, tr_slice_str(text)) != TR_OK)
        return NULL;
    return client->count > before ? client->got[before] : NULL;
}

const json_t *rig_say(struct rig *rig, struct fake_client *client, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const json_t *reply = say(rig, client, NULL, fmt, ap);
    va_end(ap);
    return reply;
}

const json_t *rig_post(struct rig *rig, struct fake_client *client, uint64_t session,
                       uint64_t handle, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const json_t *reply = say(rig, client, &(struct tr_request_path){ session, handle }, fmt, ap);
    va_end(ap);
    return reply;
}

uint64_t rig_session(struct rig *rig, struct fake_client *client)
{
    return (uint64_t)fake_int(rig_say(rig, client, "{'janus':'create','transaction':'c'}"),
                              "data.id");
}

uint64_t rig_handle(struct rig *rig, struct fake_client *client, uint64_t session,
                    const char *package)
{
    return (uint64_t)fake_int(rig_post(rig, client, session, 0,
                                       "{'janus':'attach','transaction':'a','plugin':'%s',"
                                       "'opaque_id':'op'}",
                                       package),
                              "data.id");
}

void rig_sleep(struct rig *rig, tr_usec us)
{
    tr_usec end = rig->now + us;
    for (tr_usec next; (next = tr_gateway_next_timeout(rig->gw)) <= end;) {
        rig->now = next > rig->now ? next : rig->now;
        tr_gateway_timeout(rig->gw, rig->now);
    }
    rig->now = end;
}

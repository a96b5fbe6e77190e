/* handle_info: what the control thread knows of a handle at once, and what its media worker answers
 * a moment later, in the layout that tools for the Admin API read. An answer that does not come in
 * time is sent without the media part. */
#include <string.h>

#include "base/mem.h"
#include "gateway/api.h"

#define ANSWER_US (2 * TR_SECOND)

/* --- what waits --- */

struct tr_pending *tr_pending_find(const struct tr_gateway *gw, uint64_t cookie)
{
    struct tr_pending *p;
    for (p = TAILQ_FIRST(&gw->pending); p; p = TAILQ_NEXT(p, of_gateway))
        if (p->cookie == cookie)
            break;
    return p;
}

void tr_pending_free(struct tr_gateway *gw, struct tr_pending *pending)
{
    LIST_REMOVE(pending, of_client);
    TAILQ_REMOVE(&gw->pending, pending, of_gateway);
    gw->pending_count--;
    tr_free(pending);
}

static struct tr_pending *pending_add(const struct tr_api *api)
{
    struct tr_gateway *gw = api->gw;
    size_t n = strlen(api->transaction) + 1;

    if (gw->pending_count >= TR_GATEWAY_PENDING_MAX)
        return NULL;
    struct tr_pending *p = tr_alloc(sizeof(*p) + n);
    if (!p)
        return NULL;
    memcpy(p->transaction, api->transaction, n);
    p->cookie = ++gw->cookie;
    p->client = api->client;
    p->session_id = api->session_id;
    p->handle_id = api->handle_id;
    p->deadline = api->now + ANSWER_US;
    LIST_INSERT_HEAD(&api->client->pending, p, of_client);
    TAILQ_INSERT_TAIL(&gw->pending, p, of_gateway);
    gw->pending_count++;
    return p;
}

/* --- what the control thread knows --- */

static json_t *handle_object(struct tr_handle *handle, tr_usec now)
{
    const struct tr_session *s = handle->session;
    json_t *info =
        json_pack("{s:I, s:I, s:s, s:I}", "session_id", (json_int_t)s->id, "session_last_activity",
                  (json_int_t)s->last_activity, "session_transport",
                  s->transport ? s->transport : "", "handle_id", (json_int_t)handle->id);
    if (handle->opaque_id)
        json_object_set_new(info, "opaque_id", json_string(handle->opaque_id));
    json_object_set_new(info, "created", json_integer(handle->created));
    json_object_set_new(info, "current_time", json_integer(now));
    json_object_set_new(info, "plugin", json_string(handle->plugin->ops->package));
    json_object_set_new(info, "plugin_specific", tr_handle_query(handle));
    return info;
}

static void add_control(json_t *info, const struct tr_handle *handle)
{
    json_object_set_new(info, "ice-mode", json_string("lite"));
    json_object_set_new(info, "ice-role", json_string("controlled"));
    json_object_set_new(info, "queued-packets", json_integer(0));
    json_t *described = tr_pc_describe(handle->pc); /* sdps, flags */
    if (json_is_object(described))
        json_object_update(info, described);
    json_decref(described);
}

json_t *tr_handle_describe(struct tr_handle *handle, const struct tr_media_peer_stats *stats,
                           tr_usec now)
{
    json_t *info = handle_object(handle, now);
    add_control(info, handle);
    json_object_set_new(info, "webrtc",
                        stats ? tr_admin_webrtc(handle->session->gw, stats) : json_object());
    return info;
}

/* --- the request and its answers --- */

void tr_admin_answer(struct tr_gateway *gw, struct tr_pending *pending,
                     const struct tr_media_peer_stats *stats, tr_usec now)
{
    struct tr_api api = { .gw = gw,
                          .client = pending->client,
                          .now = now,
                          .transaction = pending->transaction,
                          .session_id = pending->session_id,
                          .handle_id = pending->handle_id };
    struct tr_handle *handle = tr_handle_find(gw, pending->session_id, pending->handle_id);

    if (!handle) {
        tr_api_error(&api, TR_API_HANDLE_NOT_FOUND, "No such handle");
    } else {
        json_t *info = tr_handle_describe(handle, stats, now);
        json_t *reply = tr_api_reply(&api, "success");
        json_object_set_new(reply, "handle_id", json_integer((json_int_t)api.handle_id));
        json_object_set_new(reply, "info", info);
        tr_api_send(&api, reply);
    }
    tr_pending_free(gw, pending);
}

void tr_admin_handle_info(struct tr_api *api)
{
    bool plugin_only = json_is_true(json_object_get(api->request, "plugin_only"));

    if (plugin_only) {
        json_t *info = handle_object(api->handle, api->now);
        json_t *reply = tr_api_reply(api, "success");
        json_object_set_new(reply, "handle_id", json_integer((json_int_t)api->handle_id));
        json_object_set_new(reply, "info", info);
        tr_api_send(api, reply);
        return;
    }
    struct tr_pending *pending = pending_add(api);
    if (!pending)
        tr_api_error(api, TR_API_UNKNOWN, "Too many requests wait for the media workers");
    else if (api->handle->peer)
        tr_media_query(api->gw->services.pc->media, api->handle->peer, pending->cookie);
    else
        tr_admin_answer(api->gw, pending, NULL, api->now);
}

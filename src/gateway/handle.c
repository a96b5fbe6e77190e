/* Handles: a plugin's end of a session, with one PeerConnection at most.
 *
 * No plugin is ever called from within one of its own calls: the end of a PeerConnection, which a
 * plugin may cause itself, is noted and told when the entry point of the gateway settles. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gateway/core.h"

static struct tr_slice id_key(const uint64_t *id)
{
    return tr_slice(id, sizeof(*id));
}

struct tr_handle *tr_handle_by_id(const struct tr_gateway *gw, uint64_t id)
{
    return tr_map_get(gw->handles_by_id, id_key(&id));
}

struct tr_handle *tr_handle_by_peer(const struct tr_gateway *gw, tr_id peer)
{
    return tr_map_get(gw->handles_by_peer, id_key(&peer));
}

struct tr_handle *tr_handle_find(struct tr_gateway *gw, uint64_t session_id, uint64_t handle_id)
{
    struct tr_handle *handle = tr_handle_by_id(gw, handle_id);
    return handle && handle->session->id == session_id ? handle : NULL;
}

static uint64_t free_id(struct tr_gateway *gw)
{
    uint64_t id;
    do
        id = 1 + tr_rng_below(gw->services.rng, TR_API_ID_END - 1);
    while (tr_handle_by_id(gw, id));
    return id;
}

static void handle_free(struct tr_handle *handle)
{
    tr_free(handle->opaque_id);
    tr_free(handle);
}

static void handle_unlink(struct tr_handle *handle)
{
    struct tr_session *session = handle->session;
    struct tr_gateway *gw = session->gw;

    tr_map_remove(gw->handles_by_id, id_key(&handle->id));
    if (handle->peer)
        tr_map_remove(gw->handles_by_peer, id_key(&handle->peer));
    gw->counters.peers -= handle->peer != 0;
    TAILQ_REMOVE(&session->handles, handle, of_session);
    session->handle_count--;
    gw->counters.handles--;
}

/* opaque_id may be NULL; the half-built handle is freed by the caller. */
static enum tr_err handle_fill(struct tr_handle *handle, const char *opaque_id)
{
    struct tr_gateway *gw = handle->session->gw;

    if (opaque_id && !(handle->opaque_id = tr_strdup(opaque_id)))
        return TR_ERR_NOMEM;
    handle->pc = tr_pc_create(handle, gw->services.pc);
    if (!handle->pc)
        return TR_ERR_NOMEM;
    return tr_map_add(gw->handles_by_id, id_key(&handle->id), handle);
}

struct tr_handle *tr_handle_attach(struct tr_session *session, struct tr_plugin *plugin,
                                   const char *opaque_id, tr_usec now, int *code)
{
    struct tr_gateway *gw = session->gw;

    *code = TR_API_PLUGIN_ATTACH;
    if (session->handle_count >= gw->conf.handles_per_session_max)
        return NULL;
    struct tr_handle *handle = tr_alloc(sizeof(*handle));
    if (!handle)
        return NULL;
    handle->session = session;
    handle->id = free_id(gw);
    handle->plugin = plugin;
    handle->created = now;
    if (handle_fill(handle, opaque_id) != TR_OK) {
        tr_pc_destroy(handle->pc, now);
        handle_free(handle);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&session->handles, handle, of_session);
    session->handle_count++;
    gw->counters.handles++;
    if (plugin->ops->attach(plugin, handle, now) != TR_OK) {
        handle_unlink(handle);
        tr_pc_destroy(handle->pc, now);
        handle_free(handle);
        return NULL;
    }
    gw->counters.handles_attached++;
    return handle;
}

static void tell_down(struct tr_handle *handle, tr_usec now)
{
    const char *reason = handle->down;
    if (!reason)
        return;
    handle->down = NULL;
    TAILQ_REMOVE(&handle->session->gw->downs, handle, of_down);
    if (handle->plugin->ops->pc_down)
        handle->plugin->ops->pc_down(handle->plugin, handle, reason, now);
}

void tr_gateway_settle(struct tr_gateway *gw, tr_usec now)
{
    while (!TAILQ_EMPTY(&gw->downs))
        tell_down(TAILQ_FIRST(&gw->downs), now);
}

void tr_handle_hangup(struct tr_handle *handle, const char *reason, tr_usec now)
{
    struct tr_gateway *gw = handle->session->gw;

    if (!tr_pc_exists(handle->pc))
        return;
    handle->closing = reason;
    tr_pc_close(handle->pc, reason, now);
    (void)!tr_handle_set_peer(handle, 0);
    handle->closing = NULL;
    handle->up = 0;
    gw->counters.webrtc_down++;
    json_t *event = tr_handle_push(handle, "hangup");
    json_object_set_new(event, "reason", json_string(reason));
    tr_session_push(handle->session, event);
    if (!handle->down) {
        handle->down = reason;
        TAILQ_INSERT_TAIL(&gw->downs, handle, of_down);
    }
}

void tr_handle_detach(struct tr_handle *handle, tr_usec now)
{
    struct tr_session *session = handle->session;

    tr_handle_hangup(handle, "Detach", now);
    tell_down(handle, now);
    handle->plugin->ops->detach(handle->plugin, handle, now);
    tr_session_push(session, tr_handle_push(handle, "detached"));
    if (handle->down) /* closed in detach: the plugin knows */
        TAILQ_REMOVE(&session->gw->downs, handle, of_down);
    handle_unlink(handle);
    tr_pc_destroy(handle->pc, now);
    handle_free(handle);
}

/* --- for pc.c --- */

struct tr_pc *tr_handle_pc(const struct tr_handle *handle)
{
    return handle->pc;
}

static void tell_closing(struct tr_handle *handle)
{
    const struct tr_gateway_observer *o = &handle->session->gw->observer;
    if (o->closing)
        o->closing(o->arg, handle, handle->peer, handle->closing ? handle->closing : "Close PC");
}

enum tr_err tr_handle_set_peer(struct tr_handle *handle, tr_id peer)
{
    struct tr_gateway *gw = handle->session->gw;
    const struct tr_gateway_observer *o = &gw->observer;

    if (peer == handle->peer)
        return TR_OK;
    if (peer) {
        enum tr_err err = tr_map_add(gw->handles_by_peer, id_key(&peer), handle);
        if (err != TR_OK)
            return err;
        gw->counters.peers++;
    }
    if (handle->peer) {
        tell_closing(handle);
        tr_map_remove(gw->handles_by_peer, id_key(&handle->peer));
        gw->counters.peers--;
    }
    handle->peer = peer;
    if (peer && o->opened)
        o->opened(o->arg, handle, peer);
    return TR_OK;
}

/* --- services for plugins --- */

uint64_t tr_handle_id(const struct tr_handle *handle)
{
    return handle->id;
}

uint64_t tr_handle_session_id(const struct tr_handle *handle)
{
    return handle->session->id;
}

const char *tr_handle_opaque_id(const struct tr_handle *handle)
{
    return handle->opaque_id;
}

void *tr_handle_user(const struct tr_handle *handle)
{
    return handle->user;
}

void tr_handle_set_user(struct tr_handle *handle, void *user)
{
    handle->user = user;
}

json_t *tr_handle_push(const struct tr_handle *handle, const char *kind)
{
    json_t *event = json_pack("{s:s, s:I, s:I}", "janus", kind, "session_id",
                              (json_int_t)handle->session->id, "sender", (json_int_t)handle->id);
    if (handle->opaque_id && handle->session->gw->conf.opaqueid_in_api)
        json_object_set_new(event, "opaque_id", json_string(handle->opaque_id));
    return event;
}

void tr_handle_event(struct tr_handle *handle, const char *transaction, json_t *data, json_t *jsep)
{
    const struct tr_plugin_ops *ops = handle->plugin->ops;
    json_t *event =
        json_pack("{s:s, s:I}", "janus", "event", "session_id", (json_int_t)handle->session->id);

    if (transaction)
        json_object_set_new(event, "transaction", json_string(transaction));
    json_object_set_new(event, "sender", json_integer((json_int_t)handle->id));
    if (handle->opaque_id && handle->session->gw->conf.opaqueid_in_api)
        json_object_set_new(event, "opaque_id", json_string(handle->opaque_id));
    if (data && !json_object_get(data, ops->tag))
        json_object_set_new(data, ops->tag, json_string("event"));
    json_object_set_new(event, "plugindata",
                        json_pack("{s:s, s:o}", "plugin", ops->package, "data", data));
    if (jsep)
        json_object_set_new(event, "jsep", jsep);
    tr_session_push(handle->session, event);
}

void tr_handle_error(struct tr_handle *handle, const char *transaction, int code, const char *fmt,
                     ...)
{
    char reason[TR_REASON_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    tr_handle_event(handle, transaction,
                    json_pack("{s:s, s:i, s:s}", handle->plugin->ops->tag, "event", "error_code",
                              code, "error", reason),
                    NULL);
}

void tr_handle_close_pc(struct tr_handle *handle, tr_usec now)
{
    tr_handle_hangup(handle, "Close PC", now);
}

/* The video room's table of requests, and its end of a handle's life. What a handle may ask for
 * depends on what it has become (impl.h): the asynchronous requests are dispatched by its role. */
#include "plugin/videoroom/videoroom.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gateway/plugin.h"
#include "plugin/videoroom/forward.h"
#include "plugin/videoroom/permanent.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/reply.h"
#include "plugin/videoroom/requests.h"
#include "plugin/videoroom/room.h"
#include "plugin/videoroom/subscriber.h"

enum { ROOMS_DEFAULT = 10000, PARTICIPANTS_DEFAULT = 10000 };

/* --- asynchronous requests --- */

static bool asks_for(const struct tr_msg *msg, const char *request)
{
    return strcasecmp(json_string_value(json_object_get(msg->body, "request")), request) == 0;
}

static bool joins(const struct tr_msg *msg)
{
    return asks_for(msg, "join") || asks_for(msg, "joinandconfigure");
}

static void refuse(const struct tr_msg *msg, int code, const char *text)
{
    tr_handle_error(msg->handle, msg->transaction, code, "%s", text);
}

static void ask_nobody(struct tr_vr_session *session, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = { { "ptype", TR_FIELD_STRING, true }, { NULL } };
    struct tr_vr_error e;
    if (!joins(msg)) {
        refuse(msg, TR_VR_JOIN_FIRST, "Invalid request on unconfigured participant");
        return;
    }
    if (!tr_vr_check(msg->body, fields, &e)) {
        tr_vr_refuse(msg, &e);
        return;
    }
    const char *ptype = json_string_value(json_object_get(msg->body, "ptype"));
    if (strcasecmp(ptype, "publisher") == 0)
        tr_vr_join_publisher(session, msg);
    else if (asks_for(msg, "join") &&
             (strcasecmp(ptype, "subscriber") == 0 || strcasecmp(ptype, "listener") == 0))
        tr_vr_sub_join(session, msg);
    else
        refuse(msg, TR_VR_INVALID_ELEMENT, "Invalid element (ptype)");
}

static void ask_publisher(struct tr_vr_session *session, const struct tr_msg *msg)
{
    static const struct {
        const char *name;
        tr_vr_async *handle;
    } rows[] = { { "publish", tr_vr_publish },
                 { "configure", tr_vr_configure },
                 { "unpublish", tr_vr_unpublish },
                 { "leave", tr_vr_leave } };
    if (joins(msg)) {
        refuse(msg, TR_VR_ALREADY_JOINED, "Already in as a publisher on this handle");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (asks_for(msg, rows[i].name)) {
            rows[i].handle(session, msg);
            return;
        }
    }
    refuse(msg, TR_VR_INVALID_REQUEST, "This request is not for publishers");
}

static json_t *ask(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_session *session = tr_handle_user(msg->handle);
    (void)plugin;
    switch (session->role) {
    case TR_VR_NOBODY: ask_nobody(session, msg); break;
    case TR_VR_PUBLISHER: ask_publisher(session, msg); break;
    case TR_VR_SUBSCRIBER:
        if (joins(msg))
            refuse(msg, TR_VR_ALREADY_JOINED, "Already in as a subscriber on this handle");
        else
            tr_vr_sub_request(session, msg);
        break;
    }
    return NULL;
}

/* --- the life of a handle --- */

static enum tr_err attach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    (void)now;
    struct tr_vr_session *session = tr_alloc(sizeof *session);
    if (!session)
        return TR_ERR_NOMEM;
    session->vr = (struct tr_vr *)plugin;
    session->handle = handle;
    tr_handle_set_user(handle, session);
    return TR_OK;
}

static void detach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    (void)plugin;
    struct tr_vr_session *session = tr_handle_user(handle);
    if (session->role == TR_VR_PUBLISHER)
        tr_vr_publisher_leave(session->publisher, "leaving", now);
    else if (session->role == TR_VR_SUBSCRIBER)
        tr_vr_sub_gone(session, now);
    tr_handle_set_user(handle, NULL);
    tr_free(session);
}

static void pc_up(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    (void)plugin;
    struct tr_vr_session *session = tr_handle_user(handle);
    if (session->role == TR_VR_PUBLISHER)
        tr_vr_publisher_up(session->publisher, now);
    else if (session->role == TR_VR_SUBSCRIBER)
        tr_vr_sub_pc_up(session, now);
}

static void pc_down(struct tr_plugin *plugin, struct tr_handle *handle, const char *reason,
                    tr_usec now)
{
    (void)plugin;
    struct tr_vr_session *session = tr_handle_user(handle);
    if (session->role == TR_VR_PUBLISHER)
        tr_vr_publisher_down(session->publisher, now);
    else if (session->role == TR_VR_SUBSCRIBER)
        tr_vr_sub_pc_down(session, reason, now);
}

static void slow_link(struct tr_plugin *plugin, struct tr_handle *handle, int mline, bool uplink,
                      uint32_t lost, tr_usec now)
{
    (void)plugin;
    struct tr_vr_session *session = tr_handle_user(handle);
    if (session->role == TR_VR_PUBLISHER && uplink)
        tr_vr_publisher_slow_link(session->publisher);
    else if (session->role == TR_VR_SUBSCRIBER)
        tr_vr_sub_slow_link(session, mline, uplink, lost, now);
}

static void layer(struct tr_plugin *plugin, struct tr_handle *handle, int mline, int substream,
                  int temporal, tr_usec now)
{
    (void)plugin;
    struct tr_vr_session *session = tr_handle_user(handle);
    if (session->role == TR_VR_SUBSCRIBER)
        tr_vr_sub_layer(session, mline, substream, temporal, now);
}

static void talking(struct tr_plugin *plugin, struct tr_handle *handle, int mline, bool on,
                    int level, tr_usec now)
{
    (void)plugin;
    struct tr_vr_session *session = tr_handle_user(handle);
    if (session->role == TR_VR_PUBLISHER)
        tr_vr_publisher_talking(session->publisher, mline, on, level, now);
}

static json_t *query(struct tr_plugin *plugin, struct tr_handle *handle)
{
    (void)plugin;
    const struct tr_vr_session *session = tr_handle_user(handle);
    switch (session->role) {
    case TR_VR_PUBLISHER: return tr_vr_publisher_query(session->publisher);
    case TR_VR_SUBSCRIBER: return tr_vr_sub_query(session);
    case TR_VR_NOBODY: break;
    }
    return json_pack("{s:s}", "type", "none");
}

/* --- the table --- */

static const struct tr_plugin_request requests[] = {
    { "create", true, NULL, tr_vr_create },
    { "edit", true, NULL, tr_vr_edit },
    { "destroy", true, NULL, tr_vr_destroy },
    { "list", true, NULL, tr_vr_list },
    { "exists", true, NULL, tr_vr_exists },
    { "allowed", true, NULL, tr_vr_allowed },
    { "kick", true, NULL, tr_vr_kick },
    { "moderate", true, NULL, tr_vr_moderate },
    { "listparticipants", true, NULL, tr_vr_listparticipants },
    { "enable_recording", true, NULL, tr_vr_enable_recording },
    { "rtp_forward", true, NULL, tr_vr_rtp_forward },
    { "stop_rtp_forward", true, NULL, tr_vr_stop_rtp_forward },
    { "listforwarders", true, NULL, tr_vr_listforwarders },
    { "publish_remotely", true, NULL, tr_vr_publish_remotely },
    { "unpublish_remotely", true, NULL, tr_vr_unpublish_remotely },
    { "listremotes", true, NULL, tr_vr_list_remotes },
    { "list_remotes", true, NULL, tr_vr_list_remotes }, /* as the documentation has it */
    { "add_remote_publisher", true, NULL, tr_vr_add_remote_publisher },
    { "update_remote_publisher", true, NULL, tr_vr_update_remote_publisher },
    { "remove_remote_publisher", true, NULL, tr_vr_remove_remote_publisher },
    { "join", false, NULL, ask },
    { "joinandconfigure", false, NULL, ask },
    { "configure", false, NULL, ask },
    { "publish", false, NULL, ask },
    { "unpublish", false, NULL, ask },
    { "start", false, NULL, ask },
    { "pause", false, NULL, ask },
    { "switch", false, NULL, ask },
    { "subscribe", false, NULL, ask },
    { "unsubscribe", false, NULL, ask },
    { "update", false, NULL, ask },
    { "leave", false, NULL, ask },
    { NULL, false, NULL, NULL },
};

/* The synchronous requests once more, without a handle. */
static json_t *admin(struct tr_plugin *plugin, json_t *request, tr_usec now)
{
    static const struct tr_field fields[] = { { "request", TR_FIELD_STRING, true }, { NULL } };
    const struct tr_msg msg = { .gw = plugin->gw, .body = request, .now = now };
    struct tr_vr_error e;
    if (!tr_vr_check(request, fields, &e))
        return tr_vr_error_json(&e);
    for (const struct tr_plugin_request *row = requests; row->name; row++) {
        if (row->sync && asks_for(&msg, row->name))
            return row->handle(plugin, &msg);
    }
    tr_vr_fail(&e, TR_VR_INVALID_REQUEST, "Unknown request");
    return tr_vr_error_json(&e);
}

static void vr_free(struct tr_vr *vr)
{
    tr_vr_rooms_destroy(vr, 0);
    tr_map_destroy(vr->rooms);
    tr_heap_deinit(&vr->timers);
    tr_free(vr->token_secret);
    tr_free(vr->admin_key);
    tr_free(vr->mjr_dir);
    tr_free(vr);
}

static void destroy(struct tr_plugin *plugin)
{
    vr_free((struct tr_vr *)plugin);
}

static tr_usec next_timeout(const struct tr_plugin *plugin)
{
    return tr_vr_rooms_next_timeout((const struct tr_vr *)plugin);
}

static void timeout(struct tr_plugin *plugin, tr_usec now)
{
    tr_vr_rooms_timeout((struct tr_vr *)plugin, now);
}

static const struct tr_plugin_ops ops = {
    .package = TR_VR_PACKAGE,
    .tag = "videoroom",
    .name = "VideoRoom",
    .description = "Rooms in which many send and many receive, without mixing.",
    .author = "Tring",
    .version_string = "0.1.0",
    .version = 1,
    .requests = requests,
    .errors = {
        .no_message = TR_VR_NO_MESSAGE,
        .invalid_json = TR_VR_INVALID_JSON,
        .invalid_request = TR_VR_INVALID_REQUEST,
        .missing_element = TR_VR_MISSING_ELEMENT,
        .invalid_element = TR_VR_INVALID_ELEMENT,
        .invalid_sdp = TR_VR_INVALID_SDP,
    },
    .attach = attach,
    .detach = detach,
    .pc_up = pc_up,
    .pc_down = pc_down,
    .slow_link = slow_link,
    .layer = layer,
    .talking = talking,
    .query = query,
    .admin = admin,
    .next_timeout = next_timeout,
    .timeout = timeout,
    .destroy = destroy,
};

/* --- making --- */

static bool copy_text(const char **text, char **copy)
{
    *copy = tr_strdup(*text ? *text : "");
    *text = *copy;
    return *copy != NULL;
}

struct tr_plugin *tr_videoroom_create(const struct tr_videoroom_conf *conf, tr_usec now)
{
    struct tr_vr *vr = tr_alloc(sizeof *vr);
    if (!vr)
        return NULL;
    vr->plugin.ops = &ops;
    vr->conf = *conf;
    vr->conf.rooms_max = conf->rooms_max ? conf->rooms_max : ROOMS_DEFAULT;
    vr->conf.participants_max =
        conf->participants_max ? conf->participants_max : PARTICIPANTS_DEFAULT;
    tr_heap_init(&vr->timers, vr->conf.rooms_max);
    vr->rooms = tr_map_create(vr->conf.rooms_max, tr_rng_u64(conf->rng));
    if (copy_text(&vr->conf.token_secret, &vr->token_secret) &&
        copy_text(&vr->conf.admin_key, &vr->admin_key) &&
        copy_text(&vr->conf.mjr_dir, &vr->mjr_dir) && vr->rooms &&
        tr_vr_permanent_load(vr, now) == TR_OK) {
        vr->conf.rooms = NULL; /* they were the caller's */
        vr->conf.room_count = 0;
        return &vr->plugin;
    }
    vr_free(vr);
    return NULL;
}

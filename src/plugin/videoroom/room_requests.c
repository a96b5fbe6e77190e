/* Requests about rooms as a whole. */
#include <strings.h>

#include "plugin/videoroom/permanent.h"
#include "plugin/videoroom/reply.h"
#include "plugin/videoroom/requests.h"
#include "plugin/videoroom/room.h"

static struct tr_vr *self(struct tr_plugin *plugin)
{
    return (struct tr_vr *)plugin;
}

static bool is_true(const json_t *body, const char *name)
{
    return json_is_true(json_object_get(body, name));
}

/* Rooms are kept in a database; without one, none can be. */
static bool check_permanent(const struct tr_vr *vr, const json_t *body, struct tr_vr_error *e)
{
    static const struct tr_field field[] = { { "permanent", TR_FIELD_BOOL, false }, { NULL } };
    if (!tr_vr_check(body, field, e))
        return false;
    return !is_true(body, "permanent") || vr->conf.db ||
           tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "No database, a permanent room cannot be kept");
}

static json_t *done(const char *kind, const struct tr_vr_room *room, bool permanent)
{
    json_t *data = tr_vr_data(kind, room);
    json_object_set_new(data, "permanent", json_boolean(permanent));
    return data;
}

json_t *tr_vr_create(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr *vr = self(plugin);
    struct tr_vr_error e;
    struct tr_vr_id id;
    bool ok = tr_vr_secret_ok(msg->body, "admin_key", vr->conf.admin_key, &e) &&
              tr_vr_id_read(vr, msg->body, "room", false, &id, &e) &&
              check_permanent(vr, msg->body, &e);
    struct tr_vr_room *room = ok ? tr_vr_room_make(vr, &id, msg->body, msg->now, &e) : NULL;
    if (!room)
        return tr_vr_error_json(&e);
    if (!tr_vr_tokens_take(room, msg->body, &e)) {
        tr_vr_room_destroy(room, msg->now);
        return tr_vr_error_json(&e);
    }
    bool kept = is_true(msg->body, "permanent") && tr_vr_permanent_save(room);
    return done("created", room, kept);
}

json_t *tr_vr_edit(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    struct tr_vr_room *room = tr_vr_room_owned(self(plugin), msg->body, &e);
    if (!room || !check_permanent(self(plugin), msg->body, &e) ||
        !tr_vr_room_conf_edit(&room->conf, msg->body, &e))
        return tr_vr_error_json(&e);
    tr_vr_room_schedule(room, msg->now);
    bool kept = is_true(msg->body, "permanent") && tr_vr_permanent_save(room);
    return done("edited", room, kept);
}

json_t *tr_vr_destroy(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    struct tr_vr_room *room = tr_vr_room_owned(self(plugin), msg->body, &e);
    if (!room || !check_permanent(self(plugin), msg->body, &e))
        return tr_vr_error_json(&e);
    bool forget = is_true(msg->body, "permanent");
    json_t *data = done("destroyed", room, forget);
    if (forget)
        tr_vr_permanent_forget(room);
    tr_vr_room_destroy(room, msg->now);
    return data;
}

json_t *tr_vr_exists(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    struct tr_vr_id id;
    if (!tr_vr_id_read(self(plugin), msg->body, "room", true, &id, &e))
        return tr_vr_error_json(&e);
    return json_pack("{s:s,s:o,s:b}", "videoroom", "success", "room", tr_vr_id_json(&id), "exists",
                     tr_vr_room_find(self(plugin), &id) != NULL);
}

static json_t *room_json(const struct tr_vr_room *room)
{
    json_t *o = json_pack("{s:o}", "room", tr_vr_id_json(&room->id));
    tr_vr_room_conf_tell(&room->conf, o);
    json_object_set_new(o, "num_participants", json_integer(room->publisher_count));
    return o;
}

json_t *tr_vr_list(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr *vr = self(plugin);
    struct tr_vr_error e;
    bool all = false;
    uint32_t cursor = 0;
    struct tr_slice key;
    void *value;
    if (json_object_get(msg->body, "admin_key")) {
        if (!tr_vr_secret_ok(msg->body, "admin_key", vr->conf.admin_key, &e))
            return tr_vr_error_json(&e);
        all = vr->conf.admin_key[0] != '\0';
    }
    if (!tr_vr_pay(&vr->budget, tr_map_count(vr->rooms), msg->now, &e))
        return tr_vr_error_json(&e);
    json_t *list = json_array();
    while (tr_map_next(vr->rooms, &cursor, &key, &value)) {
        const struct tr_vr_room *room = value;
        if (all || !room->conf.is_private)
            json_array_append_new(list, room_json(room));
    }
    return json_pack("{s:s,s:o}", "videoroom", "success", "list", list);
}

enum allowed_action { ENABLE, DISABLE, ADD, REMOVE, ACTIONS };

static enum allowed_action read_action(const json_t *body)
{
    static const char *const names[ACTIONS] = { "enable", "disable", "add", "remove" };
    const char *text = json_string_value(json_object_get(body, "action"));
    int i = 0;
    while (i < ACTIONS && strcasecmp(text, names[i]) != 0)
        i++;
    return (enum allowed_action)i;
}

json_t *tr_vr_allowed(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = { { "action", TR_FIELD_STRING, true }, { NULL } };
    struct tr_vr_error e;
    struct tr_vr_room *room =
        tr_vr_check(msg->body, fields, &e) && tr_vr_tokens_check(msg->body, &e)
            ? tr_vr_room_owned(self(plugin), msg->body, &e)
            : NULL;
    if (!room)
        return tr_vr_error_json(&e);
    enum allowed_action action = read_action(msg->body);
    if (action == ACTIONS) {
        tr_vr_fail(&e, TR_VR_INVALID_ELEMENT,
                   "Unsupported action (should be enable, disable, add or remove)");
        return tr_vr_error_json(&e);
    }
    if (action == ENABLE || action == DISABLE)
        room->check_tokens = action == ENABLE;
    else if (!tr_vr_tokens_change(room, msg->body, action == ADD, &e))
        return tr_vr_error_json(&e);
    if (room->permanent)
        (void)tr_vr_permanent_save(room);
    json_t *data = tr_vr_data("success", room);
    if (action != DISABLE)
        json_object_set_new(data, "allowed", tr_vr_tokens_json(room));
    return data;
}

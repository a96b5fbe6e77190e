/* Requests about those who are in a room. */
#include "plugin/videoroom/forward.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/record.h"
#include "plugin/videoroom/reply.h"
#include "plugin/videoroom/requests.h"
#include "plugin/videoroom/room.h"
#include "plugin/videoroom/subscriber.h"

static struct tr_vr *self(struct tr_plugin *plugin)
{
    return (struct tr_vr *)plugin;
}

/* The user that body.id names in the room that the request may change; NULL with an error. */
static struct tr_vr_publisher *user_of(struct tr_vr *vr, const json_t *body, struct tr_vr_error *e)
{
    struct tr_vr_id id;
    char user[TR_VR_ID_TEXT], where[TR_VR_ID_TEXT];
    const struct tr_vr_room *room = tr_vr_room_owned(vr, body, e);
    if (!room || !tr_vr_id_read(vr, body, "id", true, &id, e))
        return NULL;
    struct tr_vr_publisher *p = tr_vr_publisher_find(room, &id);
    if (!p)
        tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such user %s in room %s", tr_vr_id_text(&id, user),
                   tr_vr_id_text(&room->id, where));
    return p;
}

json_t *tr_vr_kick(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    struct tr_vr_publisher *p = user_of(self(plugin), msg->body, &e);
    if (p && p->dummy) {
        tr_vr_fail(&e, TR_VR_NO_SUCH_FEED, "A dummy publisher cannot be kicked");
        p = NULL;
    }
    if (!p)
        return tr_vr_error_json(&e);
    struct tr_vr_session *session = p->session;
    json_t *event = tr_vr_data("event", p->room);
    json_object_set_new(event, "leaving", json_string("ok"));
    json_object_set_new(event, "reason", json_string("kicked"));
    tr_vr_tell(p, event);
    tr_vr_publisher_leave(p, "kicked", msg->now);
    if (session)
        tr_handle_close_pc(session->handle, msg->now);
    return json_pack("{s:s}", "videoroom", "success");
}

static void tell_moderated(const struct tr_vr_stream *s)
{
    const struct tr_vr_publisher *p = s->publisher;
    json_t *event = tr_vr_data("event", p->room);
    json_object_set_new(event, "id", tr_vr_id_json(&p->id));
    json_object_set_new(event, "mid", json_string(s->mid));
    json_object_set_new(event, "moderation", json_string(s->moderated ? "muted" : "unmuted"));
    tr_vr_tell_others(p->room, NULL, event);
}

json_t *tr_vr_moderate(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = { { "mid", TR_FIELD_STRING, true },
                                              { "mute", TR_FIELD_BOOL, true },
                                              { NULL } };
    struct tr_vr_error e;
    const struct tr_vr_publisher *p =
        tr_vr_check(msg->body, fields, &e) ? user_of(self(plugin), msg->body, &e) : NULL;
    if (!p)
        return tr_vr_error_json(&e);
    const char *mid = json_string_value(json_object_get(msg->body, "mid"));
    struct tr_vr_stream *s = tr_vr_stream_by_mid(p, mid);
    if (!s) {
        tr_vr_fail(&e, TR_VR_NO_SUCH_FEED, "No such mid '%.32s' published by the user", mid);
        return tr_vr_error_json(&e);
    }
    bool mute = json_is_true(json_object_get(msg->body, "mute"));
    if (s->moderated != mute) {
        s->moderated = mute;
        tr_vr_subs_stream_set(s, msg->now);
        tr_vr_forwards_flow(s);
        tell_moderated(s);
    }
    return json_pack("{s:s}", "videoroom", "success");
}

static bool is_talking(const struct tr_vr_publisher *p)
{
    for (int i = 0; i < p->stream_count; i++) {
        if (p->streams[i]->talking)
            return true;
    }
    return false;
}

json_t *tr_vr_listparticipants(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    struct tr_vr_room *room = tr_vr_room_of(self(plugin), msg->body, &e);
    const struct tr_vr_publisher *p;
    if (!room || !tr_vr_pay(&room->budget, room->publisher_count, msg->now, &e))
        return tr_vr_error_json(&e);
    json_t *list = json_array();
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        json_t *one = json_pack("{s:o}", "id", tr_vr_id_json(&p->id));
        tr_vr_add_names(one, p);
        if (p->dummy)
            json_object_set_new(one, "dummy", json_true());
        if (p->remote)
            json_object_set_new(one, "remote", json_true());
        json_object_set_new(one, "publisher", json_boolean(p->up || p->dummy || p->remote));
        if (room->conf.audiolevel_event && p->up)
            json_object_set_new(one, "talking", json_boolean(is_talking(p)));
        json_array_append_new(list, one);
    }
    json_t *data = tr_vr_data("participants", room);
    json_object_set_new(data, "participants", list);
    return data;
}

json_t *tr_vr_enable_recording(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = { { "record", TR_FIELD_BOOL, true }, { NULL } };
    struct tr_vr_error e;
    struct tr_vr_room *room =
        tr_vr_check(msg->body, fields, &e) ? tr_vr_room_owned(self(plugin), msg->body, &e) : NULL;
    if (!room)
        return tr_vr_error_json(&e);
    bool on = json_is_true(json_object_get(msg->body, "record"));
    tr_vr_record_all(room, on, msg->now);
    return json_pack("{s:s,s:b}", "videoroom", "success", "record", on);
}

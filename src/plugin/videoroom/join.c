/* Joins of publishers, with or without an offer, and the end of being one. */
#include "plugin/videoroom/publish.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/requests.h"
#include "plugin/videoroom/room.h"

/* --- join --- */

/* Those that publish, and where the room tells of everybody those that do not. */
static void add_people(json_t *data, const struct tr_vr_publisher *self)
{
    const struct tr_vr_room *room = self->room;
    const struct tr_vr_publisher *p;
    json_t *publishers = json_array(), *attendees = json_array();
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        if (p == self)
            continue;
        if (p->up || p->dummy || p->remote) {
            json_array_append_new(publishers, tr_vr_publisher_json(p));
        } else if (room->conf.notify_joining) {
            json_t *one = json_pack("{s:o}", "id", tr_vr_id_json(&p->id));
            tr_vr_add_names(one, p);
            json_array_append_new(attendees, one);
        }
    }
    json_object_set_new(data, "publishers", publishers);
    if (room->conf.notify_joining)
        json_object_set(data, "attendees", attendees);
    json_decref(attendees);
}

static json_t *joined(const struct tr_vr_publisher *p)
{
    json_t *data = tr_vr_data("joined", p->room);
    json_object_set_new(data, "description", json_string(p->room->conf.description));
    json_object_set_new(data, "id", tr_vr_id_json(&p->id));
    json_object_set_new(data, "private_id", json_integer((json_int_t)p->private_id));
    add_people(data, p);
    return data;
}

static void tell_joining(const struct tr_vr_publisher *p)
{
    json_t *who = json_pack("{s:o}", "id", tr_vr_id_json(&p->id));
    json_t *event = tr_vr_data("event", p->room);
    tr_vr_add_names(who, p);
    json_object_set_new(event, "joining", who);
    tr_vr_tell_others(p->room, p, event);
}

/* The publisher that the message makes; NULL with an error: nothing has happened. */
static struct tr_vr_publisher *join(struct tr_vr_session *session, const struct tr_msg *msg,
                                    json_t **jsep, struct tr_vr_error *e)
{
    struct tr_vr_id id;
    struct tr_vr_room *room = tr_vr_room_enter(session->vr, msg->body, msg->now, e);
    /* told: joining, leaving, and the list of those who are there */
    if (!room || !tr_vr_publish_check(room, msg, e) ||
        !tr_vr_id_read(session->vr, msg->body, "id", false, &id, e) ||
        !tr_vr_pay(&room->budget, 3 * (uint64_t)room->publisher_count, msg->now, e))
        return NULL;
    struct tr_vr_publisher *p = tr_vr_publisher_add(room, session, &id, e);
    if (!p)
        return NULL;
    if (tr_vr_publish_negotiate(p, msg, jsep, e))
        return p;
    tr_vr_publisher_leave(p, NULL, msg->now);
    return NULL;
}

void tr_vr_join_publisher(struct tr_vr_session *session, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    json_t *jsep = NULL;
    struct tr_vr_publisher *p = join(session, msg, &jsep, &e);
    if (!p) {
        tr_vr_refuse(msg, &e);
        return;
    }
    (void)tr_vr_publish_obey(p, msg); /* "joining" tells the names */
    json_t *data = joined(p);
    if (jsep)
        tr_vr_add_streams(data, p);
    tr_handle_event(msg->handle, msg->transaction, data, jsep);
    if (p->room->conf.notify_joining)
        tell_joining(p);
}

/* --- the end --- */

void tr_vr_unpublish(struct tr_vr_session *session, const struct tr_msg *msg)
{
    const struct tr_vr_publisher *p = session->publisher;
    if (!p->negotiated) {
        tr_handle_error(msg->handle, msg->transaction, TR_VR_NOT_PUBLISHED,
                        "Can't unpublish, not published");
        return;
    }
    json_t *data = tr_vr_data("event", p->room);
    json_object_set_new(data, "unpublished", json_string("ok"));
    tr_handle_event(msg->handle, msg->transaction, data, NULL);
    tr_handle_close_pc(msg->handle, msg->now); /* pc_down tells the others */
}

void tr_vr_leave(struct tr_vr_session *session, const struct tr_msg *msg)
{
    json_t *data = tr_vr_data("event", session->publisher->room);
    json_object_set_new(data, "leaving", json_string("ok"));
    tr_handle_event(msg->handle, msg->transaction, data, NULL);
    tr_vr_publisher_leave(session->publisher, "leaving", msg->now);
    tr_handle_close_pc(msg->handle, msg->now);
}

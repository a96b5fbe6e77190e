/* A subscriber from its join to its end, and what publishers' changes mean to it.
 *
 * A publisher's change may concern many lines of many subscribers; each of these gets one offer for
 * all of it. A subscriber that joined with autoupdate off is told nothing: its lines fall silent,
 * and the next offer that it asks for has it all. */
#include "plugin/videoroom/speakers.h"
#include "plugin/videoroom/subscriber_impl.h"

#include "base/mem.h"

enum { SUBSCRIBERS_MAX = 10000 };

SLIST_HEAD(touched, tr_vr_subscriber);

/* --- join --- */

static const struct tr_field join_fields[] = {
    { "streams", TR_FIELD_ARRAY, false },
    { "private_id", TR_FIELD_UINT, false },
    { "autoupdate", TR_FIELD_BOOL, false },
    { "use_msid", TR_FIELD_BOOL, false },
    { "close_pc", TR_FIELD_BOOL, false },
    { "audio", TR_FIELD_BOOL, false },
    { "video", TR_FIELD_BOOL, false },
    { "data", TR_FIELD_BOOL, false },
    { "offer_audio", TR_FIELD_BOOL, false },
    { "offer_video", TR_FIELD_BOOL, false },
    { "offer_data", TR_FIELD_BOOL, false },
    { "substream", TR_FIELD_UINT, false },
    { "temporal", TR_FIELD_UINT, false },
    { "fallback", TR_FIELD_UINT, false },
    { "spatial_layer", TR_FIELD_UINT, false },
    { "temporal_layer", TR_FIELD_UINT, false },
    { NULL, TR_FIELD_BOOL, false },
};

static bool may_join(const struct tr_vr_room *room, const json_t *body, struct tr_vr_error *e)
{
    uint32_t max = room->vr->conf.participants_max;
    uint64_t private_id =
        (uint64_t)json_integer_value(json_object_get(body, "private_id")); /* 0: none */
    if (!tr_vr_check(body, join_fields, e))
        return false;
    if (room->conf.require_pvtid && (!private_id || !tr_vr_private_owner(room, private_id)))
        return tr_vr_fail(e, TR_VR_UNAUTHORIZED,
                          "Unauthorized (this room requires a valid private_id)");
    if (room->subscriber_count >= (max ? max : SUBSCRIBERS_MAX))
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "The room has too many subscribers");
    return true;
}

static bool flag(const json_t *body, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(body, name);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static struct tr_vr_subscriber *create(struct tr_vr_session *session, struct tr_vr_room *room,
                                       const json_t *body)
{
    struct tr_vr_subscriber *sub = tr_alloc(sizeof *sub);
    if (!sub)
        return NULL;
    sub->session = session;
    sub->room = room;
    sub->private_id = (uint64_t)json_integer_value(json_object_get(body, "private_id"));
    sub->paused = true; /* until "start" */
    sub->autoupdate = flag(body, "autoupdate", true);
    sub->use_msid = flag(body, "use_msid", false);
    sub->close_pc = flag(body, "close_pc", false);
    TAILQ_INSERT_TAIL(&room->subscribers, sub, of_room);
    room->subscriber_count++;
    session->subscriber = sub;
    session->role = TR_VR_SUBSCRIBER;
    return sub;
}

static void leave_room(struct tr_vr_subscriber *sub)
{
    TAILQ_REMOVE(&sub->room->subscribers, sub, of_room);
    sub->room->subscriber_count--;
    sub->session->subscriber = NULL;
    sub->session->role = TR_VR_NOBODY;
    for (int i = 0; i < sub->line_count; i++)
        tr_vr_line_free(sub->lines[i]);
    tr_free(sub->lines);
    tr_free(sub);
}

static bool read_wants(struct tr_vr_wants *wants, const struct tr_vr_room *room, const json_t *body,
                       bool *legacy, struct tr_vr_error *e)
{
    const json_t *streams = json_object_get(body, "streams");
    *legacy = !json_is_array(streams);
    if (!*legacy)
        return tr_vr_wants_read(wants, room, streams, e);
    if (!json_object_get(body, "feed"))
        return tr_vr_fail(e, TR_VR_MISSING_ELEMENT, "Missing mandatory element (streams)");
    return tr_vr_wants_legacy(wants, room, body, e);
}

static bool first_offer(struct tr_vr_subscriber *sub, const struct tr_vr_wants *wants, tr_usec now,
                        json_t **jsep, struct tr_vr_error *e)
{
    enum tr_err err = TR_OK;
    if (!tr_vr_lines_suffice(sub, wants))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Too many streams (a subscription has %d m-lines at most)",
                          TR_PC_MLINES_MAX);
    for (int i = 0; i < wants->count && err == TR_OK; i++) {
        err = tr_vr_line_take(sub, &wants->list[i]);
        err = err == TR_ERR_EXISTS ? TR_OK : err;
    }
    if (err == TR_OK)
        err = tr_vr_speakers_lines(sub, wants->speakers);
    if (err == TR_OK && sub->line_count == 0)
        return tr_vr_fail(e, TR_VR_INVALID_SDP, "Can't offer an SDP with no stream");
    if (err == TR_OK)
        err = tr_vr_lines_offer(sub, now, jsep);
    return err == TR_OK ||
           tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Error making an offer: %s", tr_err_str(err));
}

static void tell_attached(const struct tr_vr_subscriber *sub, const struct tr_msg *msg,
                          const struct tr_vr_publisher *feed, json_t *jsep)
{
    json_t *data = tr_vr_sub_data("attached", sub);
    if (feed) {
        json_object_set_new(data, "id", tr_vr_id_json(&feed->id));
        tr_vr_add_names(data, feed);
        json_object_set_new(data, "warning", json_string("deprecated_api"));
    }
    tr_handle_event(msg->handle, msg->transaction, data, jsep);
}

static bool join(struct tr_vr_session *session, const struct tr_msg *msg, struct tr_vr_error *e)
{
    struct tr_vr_wants wants;
    bool legacy;
    json_t *jsep = NULL;
    struct tr_vr_room *room = tr_vr_room_enter(session->vr, msg->body, msg->now, e);
    if (!room || !may_join(room, msg->body, e) || !read_wants(&wants, room, msg->body, &legacy, e))
        return false;
    struct tr_vr_subscriber *sub = create(session, room, msg->body);
    if (!sub)
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
    if (!first_offer(sub, &wants, msg->now, &jsep, e)) {
        leave_room(sub);
        return false;
    }
    tell_attached(sub, msg, legacy ? wants.list[0].stream->publisher : NULL, jsep);
    return true;
}

void tr_vr_sub_join(struct tr_vr_session *session, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    if (!join(session, msg, &e))
        tr_vr_refuse(msg, &e);
}

/* --- the life of its handle --- */

void tr_vr_sub_leave(struct tr_vr_session *session, tr_usec now)
{
    (void)now;
    if (session->subscriber)
        leave_room(session->subscriber);
}

void tr_vr_sub_gone(struct tr_vr_session *session, tr_usec now)
{
    tr_vr_sub_leave(session, now);
}

/* Routes wait for both of their ends by themselves. */
void tr_vr_sub_pc_up(struct tr_vr_session *session, tr_usec now)
{
    (void)session, (void)now;
}

/* There is nothing left to renegotiate: the handle may join again. */
void tr_vr_sub_pc_down(struct tr_vr_session *session, const char *reason, tr_usec now)
{
    (void)reason;
    tr_vr_sub_leave(session, now);
}

/* A subscriber sends nothing that it could send less of, and the engine follows its losses. */
void tr_vr_sub_slow_link(struct tr_vr_session *session, int mline, bool uplink, uint32_t lost,
                         tr_usec now)
{
    (void)session, (void)mline, (void)uplink, (void)lost, (void)now;
}

void tr_vr_sub_layer(struct tr_vr_session *session, int mline, int substream, int temporal,
                     tr_usec now)
{
    (void)now;
    const struct tr_vr_subscriber *sub = session->subscriber;
    if (mline < 0 || mline >= sub->line_count)
        return;
    struct tr_vr_line *line = sub->lines[mline];
    const struct tr_vr_stream *stream = tr_vr_line_stream(line);
    if (!stream || !(stream->simulcast || stream->svc))
        return; /* pages would show buttons for layers that there are not */
    if (substream >= 0)
        line->substream_is = substream;
    if (temporal >= 0)
        line->temporal_is = temporal;
    tr_vr_sub_tell_layers(line, substream, temporal);
}

json_t *tr_vr_sub_query(const struct tr_vr_session *session)
{
    const struct tr_vr_subscriber *sub = session->subscriber;
    const struct tr_vr_publisher *owner = tr_vr_private_owner(sub->room, sub->private_id);
    json_t *o =
        json_pack("{s:s,s:o,s:I,s:b,s:b,s:b,s:b,s:o}", "type", "subscriber", "room",
                  tr_vr_id_json(&sub->room->id), "private_id", (json_int_t)sub->private_id,
                  "paused", sub->paused, "autoupdate", sub->autoupdate, "use-msid", sub->use_msid,
                  "pending-offer", sub->changed || sub->restart, "streams", tr_vr_sub_streams(sub));
    if (owner && owner->display) /* as whom it is in the room */
        json_object_set_new(o, "display", json_string(owner->display));
    return o;
}

/* --- what happened to publishers --- */

static void touch(struct touched *list, struct tr_vr_subscriber *sub)
{
    if (sub->touched)
        return;
    sub->touched = true;
    SLIST_INSERT_HEAD(list, sub, of_touched);
}

static bool has_streams(const struct tr_vr_subscriber *sub)
{
    for (int i = 0; i < sub->line_count; i++)
        if (tr_vr_line_active(sub->lines[i]))
            return true;
    return false;
}

static void settle(struct tr_vr_subscriber *sub, tr_usec now)
{
    struct tr_handle *handle = sub->session->handle;
    if (sub->close_pc && !has_streams(sub))
        tr_handle_close_pc(handle, now); /* the rest follows from pc_down */
    else if (sub->changed && sub->autoupdate)
        tr_vr_sub_update(sub, NULL, now);
}

static void settle_all(struct touched *list, tr_usec now)
{
    struct tr_vr_subscriber *sub;
    while ((sub = SLIST_FIRST(list))) {
        SLIST_REMOVE_HEAD(list, of_touched);
        sub->touched = false;
        settle(sub, now);
    }
}

void tr_vr_subs_published(struct tr_vr_publisher *publisher, tr_usec now)
{
    struct touched list = SLIST_HEAD_INITIALIZER(list);
    for (int i = 0; i < publisher->stream_count; i++) {
        struct tr_vr_link *link;
        LIST_FOREACH(link, &publisher->streams[i]->links, of_stream)
        {
            tr_vr_line_follow(link);
            tr_vr_line_wire(link->line);
            touch(&list, link->line->sub);
        }
    }
    settle_all(&list, now);
}

void tr_vr_subs_stream_set(struct tr_vr_stream *stream, tr_usec now)
{
    (void)now;
    struct tr_vr_link *link;
    LIST_FOREACH(link, &stream->links, of_stream)
    {
        tr_vr_line_wire(link->line);
    }
}

void tr_vr_subs_unpublished(struct tr_vr_publisher *publisher, tr_usec now)
{
    struct touched list = SLIST_HEAD_INITIALIZER(list);
    for (int i = 0; i < publisher->stream_count; i++) {
        struct tr_vr_link *link;
        tr_vr_speakers_leave(publisher->streams[i], now);
        while ((link = LIST_FIRST(&publisher->streams[i]->links))) {
            touch(&list, link->line->sub);
            tr_vr_link_end(link);
        }
    }
    settle_all(&list, now);
}

void tr_vr_subs_owner_left(struct tr_vr_publisher *publisher, tr_usec now)
{
    struct tr_vr_subscriber *sub, *next;
    if (!publisher->room->conf.require_pvtid)
        return;
    for (sub = TAILQ_FIRST(&publisher->room->subscribers); sub; sub = next) {
        next = TAILQ_NEXT(sub, of_room);
        if (sub->private_id == publisher->private_id)
            tr_handle_close_pc(sub->session->handle, now);
    }
}

void tr_vr_subs_room_destroyed(struct tr_vr_room *room, tr_usec now)
{
    struct tr_vr_subscriber *sub;
    while ((sub = TAILQ_FIRST(&room->subscribers))) {
        struct tr_handle *handle = sub->session->handle;
        tr_handle_event(handle, NULL, tr_vr_data("destroyed", room), NULL);
        leave_room(sub);
        tr_handle_close_pc(handle, now);
    }
}

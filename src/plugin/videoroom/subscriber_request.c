/* The requests of a subscriber. One that changes lines is judged whole, then done, then answered
 * with at most one offer; while an offer waits for its answer the next one waits for both.
 *
 * An answer (jsep) may come with any request, though clients send it with "start". */
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "plugin/videoroom/speakers.h"
#include "plugin/videoroom/subscriber_impl.h"

static void tell_ok(const struct tr_vr_subscriber *sub, const struct tr_msg *msg, const char *name)
{
    json_t *data = tr_vr_data("event", sub->room);
    json_object_set_new(data, name, json_string("ok"));
    tr_handle_event(msg->handle, msg->transaction, data, NULL);
}

/* --- start, pause, leave --- */

static bool start(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e)
{
    (void)e;
    sub->paused = false;
    tr_vr_lines_wire(sub);
    tell_ok(sub, msg, "started");
    return true;
}

static bool do_pause(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e)
{
    (void)e;
    sub->paused = true;
    tr_vr_lines_wire(sub);
    tell_ok(sub, msg, "paused");
    return true;
}

static bool leave(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e)
{
    (void)e;
    tell_ok(sub, msg, "left");
    tr_vr_sub_leave(sub->session, msg->now);
    tr_handle_close_pc(msg->handle, msg->now);
    return true;
}

/* --- configure --- */

static const struct tr_field configure_fields[] = {
    { "streams", TR_FIELD_ARRAY, false }, { "restart", TR_FIELD_BOOL, false },
    { "update", TR_FIELD_BOOL, false },   { "audio", TR_FIELD_BOOL, false },
    { "video", TR_FIELD_BOOL, false },    { "data", TR_FIELD_BOOL, false },
    { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_field configure_stream_fields[] = {
    { "mid", TR_FIELD_STRING, false },
    { "send", TR_FIELD_BOOL, false },
    { "audio_level_averge", TR_FIELD_UINT, false }, /* spelt as in the API */
    { "audio_active_packets", TR_FIELD_UINT, false },
    { "substream", TR_FIELD_UINT, false },
    { "temporal", TR_FIELD_UINT, false },
    { "fallback", TR_FIELD_UINT, false },
    { "spatial_layer", TR_FIELD_UINT, false },
    { "temporal_layer", TR_FIELD_UINT, false },
    { "min_delay", TR_FIELD_INT, false },
    { "max_delay", TR_FIELD_INT, false },
    { NULL, TR_FIELD_BOOL, false },
};

struct line_wish {
    struct tr_vr_line *line; /* NULL: all video lines */
    struct tr_vr_wish wish;
};

static bool read_line_wish(struct line_wish *out, const struct tr_vr_subscriber *sub,
                           const json_t *object, struct tr_vr_error *e)
{
    if (!json_is_object(object))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element type (streams should be an array of objects)");
    if (!tr_vr_check(object, configure_stream_fields, e) || !tr_vr_wish_read(&out->wish, object, e))
        return false;
    const char *mid = json_string_value(json_object_get(object, "mid"));
    out->line = mid ? tr_vr_line_by_mid(sub, mid) : NULL;
    if (mid && !out->line)
        return tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such mid '%.64s' in the subscription", mid);
    return true;
}

/* A client that asks for layers waits to hear of them, and would wait for ever for those that it
 * gets already. */
static void tell_layers_asked(const struct tr_vr_line *line, const struct tr_vr_wish *wish)
{
    int substream = wish->spatial_layer >= 0 ? wish->spatial_layer : wish->substream;
    int temporal = wish->temporal_layer >= 0 ? wish->temporal_layer : wish->temporal;
    tr_vr_sub_tell_layers(line, substream == line->substream_is ? substream : -1,
                          temporal == line->temporal_is ? temporal : -1);
}

static void obey_line(struct tr_vr_line *line, const struct tr_vr_wish *wish)
{
    tr_vr_line_wish(line, wish);
    tr_vr_line_wire(line);
    tell_layers_asked(line, wish);
}

static void obey(const struct tr_vr_subscriber *sub, const struct line_wish *wish)
{
    if (wish->line)
        obey_line(wish->line, &wish->wish);
    for (int i = 0; !wish->line && i < sub->line_count; i++)
        if (sub->lines[i]->kind == TR_SDP_VIDEO)
            obey_line(sub->lines[i], &wish->wish);
}

static void set_kind(const struct tr_vr_subscriber *sub, enum tr_sdp_kind kind, const json_t *flag)
{
    for (int i = 0; json_is_boolean(flag) && i < sub->line_count; i++) {
        if (sub->lines[i]->kind != kind)
            continue;
        sub->lines[i]->send = json_is_true(flag);
        tr_vr_line_wire(sub->lines[i]);
    }
}

/* Reads the wishes twice: once to judge them all, once to obey. */
static bool configure_streams(struct tr_vr_subscriber *sub, const json_t *list,
                              struct tr_vr_error *e)
{
    size_t i;
    const json_t *object;
    struct line_wish wish;
    json_array_foreach((json_t *)list, i, object)
    {
        if (!read_line_wish(&wish, sub, object, e))
            return false;
    }
    json_array_foreach((json_t *)list, i, object)
    {
        if (read_line_wish(&wish, sub, object, e))
            obey(sub, &wish);
    }
    return true;
}

/* The new offer of an ICE restart goes with the answer to this request, or waits. */
static enum tr_err restart(struct tr_vr_subscriber *sub, tr_usec now, json_t **jsep)
{
    sub->restart = true;
    return tr_pc_offered(sub->session->handle) ? TR_OK : tr_vr_lines_offer(sub, now, jsep);
}

static bool configure(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e)
{
    const json_t *streams = json_object_get(msg->body, "streams");
    struct line_wish all;
    json_t *jsep = NULL;
    if (!tr_vr_check(msg->body, configure_fields, e))
        return false;
    if (json_is_array(streams) ? !configure_streams(sub, streams, e)
                               : !read_line_wish(&all, sub, msg->body, e))
        return false;
    if (!json_is_array(streams))
        obey(sub, &all);
    set_kind(sub, TR_SDP_AUDIO, json_object_get(msg->body, "audio"));
    set_kind(sub, TR_SDP_VIDEO, json_object_get(msg->body, "video"));
    set_kind(sub, TR_SDP_DATA, json_object_get(msg->body, "data"));
    if (json_is_true(json_object_get(msg->body, "restart")) &&
        restart(sub, msg->now, &jsep) != TR_OK)
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Error making an offer");
    json_t *data = tr_vr_data("event", sub->room);
    json_object_set_new(data, "configured", json_string("ok"));
    tr_handle_event(msg->handle, msg->transaction, data, jsep);
    return true;
}

/* --- subscribe, unsubscribe, update --- */

static const struct tr_field subscribe_fields[] = {
    { "streams", TR_FIELD_ARRAY, true },
    { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_field update_fields[] = {
    { "subscribe", TR_FIELD_ARRAY, false },
    { "unsubscribe", TR_FIELD_ARRAY, false },
    { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_field unsubscribe_stream_fields[] = {
    { "mid", TR_FIELD_STRING, false },
    { "sub_mid", TR_FIELD_STRING, false },
    { NULL, TR_FIELD_BOOL, false },
};

struct parting { /* what goes: a line, or a feed's streams */
    struct tr_vr_line *line;
    struct tr_vr_id feed;
    const char *mid; /* of the feed; NULL: all */
};

static bool read_parting(struct parting *out, const struct tr_vr_subscriber *sub,
                         const json_t *object, struct tr_vr_error *e)
{
    if (!json_is_object(object))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element type (streams should be an array of objects)");
    if (!tr_vr_check(object, unsubscribe_stream_fields, e) ||
        !tr_vr_id_read(sub->room->vr, object, "feed", false, &out->feed, e))
        return false;
    const char *sub_mid = json_string_value(json_object_get(object, "sub_mid"));
    out->line = sub_mid ? tr_vr_line_by_mid(sub, sub_mid) : NULL;
    out->mid = json_string_value(json_object_get(object, "mid"));
    if (!sub_mid && tr_vr_id_none(&out->feed))
        return tr_vr_fail(e, TR_VR_MISSING_ELEMENT, "Missing mandatory element (feed or sub_mid)");
    return true;
}

static bool parts(const struct parting *p, const struct tr_vr_link *link)
{
    if (p->line || link->line->speaker) /* a speaker's line is no feed's */
        return link->line == p->line;
    return tr_vr_id_eq(&p->feed, &link->stream->publisher->id) &&
           (!p->mid || strcmp(p->mid, link->stream->mid) == 0);
}

typedef void on_link(struct tr_vr_link *link);

static void mark(struct tr_vr_link *link)
{
    link->line->leaving = link->line->kind != TR_SDP_DATA;
}

static int each_parting(const struct tr_vr_subscriber *sub, const struct parting *p, on_link *act)
{
    int n = 0;
    for (int i = 0; i < sub->line_count; i++) {
        struct tr_vr_link *link = LIST_FIRST(&sub->lines[i]->links), *next;
        for (; link; link = next) {
            next = LIST_NEXT(link, of_line);
            if (!parts(p, link))
                continue;
            act(link);
            n++;
        }
    }
    return n;
}

/* All entries of the list, judged or acted on; how many links they met. -1: an error. */
static int for_partings(const struct tr_vr_subscriber *sub, const json_t *list, on_link *act,
                        struct tr_vr_error *e)
{
    size_t i;
    const json_t *object;
    struct parting p;
    int n = 0;
    json_array_foreach((json_t *)list, i, object)
    {
        if (!read_parting(&p, sub, object, e))
            return -1;
        if (p.line || !tr_vr_id_none(&p.feed))
            n += each_parting(sub, &p, act);
    }
    return n;
}

static void unmark_all(const struct tr_vr_subscriber *sub)
{
    for (int i = 0; i < sub->line_count; i++)
        sub->lines[i]->leaving = false;
}

/* Whether both lists can be obeyed; on the way the lines that will go are marked. */
static bool judge_update(const struct tr_vr_subscriber *sub, const json_t *subscribe,
                         const json_t *unsubscribe, struct tr_vr_wants *wants,
                         struct tr_vr_error *e)
{
    wants->count = wants->speakers = 0;
    if (for_partings(sub, unsubscribe, mark, e) < 0 ||
        (subscribe && !tr_vr_wants_read(wants, sub->room, subscribe, e)))
        return false;
    if (!tr_vr_lines_suffice(sub, wants))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Too many streams (a subscription has %d m-lines at most)",
                          TR_PC_MLINES_MAX);
    return true;
}

static bool update_lists(struct tr_vr_subscriber *sub, const struct tr_msg *msg,
                         const json_t *subscribe, const json_t *unsubscribe, struct tr_vr_error *e)
{
    struct tr_vr_wants wants;
    bool ok = judge_update(sub, subscribe, unsubscribe, &wants, e);
    unmark_all(sub);
    if (!ok)
        return false;
    int changes = for_partings(sub, unsubscribe, tr_vr_link_end, e);
    enum tr_err err = TR_OK;
    for (int i = 0; i < wants.count && (err == TR_OK || err == TR_ERR_EXISTS); i++) {
        err = tr_vr_line_take(sub, &wants.list[i]);
        changes += err == TR_OK;
    }
    int lines = sub->line_count;
    (void)!tr_vr_speakers_lines(sub, wants.speakers); /* there is room: it was judged */
    changes += sub->line_count - lines;
    if (changes == 0 && (err == TR_OK || err == TR_ERR_EXISTS)) {
        tr_handle_event(msg->handle, msg->transaction, tr_vr_sub_data("updated", sub), NULL);
        return true;
    }
    tr_vr_lines_wire(sub); /* a data line that goes on has other sources */
    tr_vr_sub_update(sub, msg->transaction, msg->now);
    return true;
}

static bool subscribe(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e)
{
    return tr_vr_check(msg->body, subscribe_fields, e) &&
           update_lists(sub, msg, json_object_get(msg->body, "streams"), NULL, e);
}

static bool unsubscribe(struct tr_vr_subscriber *sub, const struct tr_msg *msg,
                        struct tr_vr_error *e)
{
    return tr_vr_check(msg->body, subscribe_fields, e) &&
           update_lists(sub, msg, NULL, json_object_get(msg->body, "streams"), e);
}

static bool update(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e)
{
    if (!tr_vr_check(msg->body, update_fields, e))
        return false;
    const json_t *more = json_object_get(msg->body, "subscribe");
    const json_t *less = json_object_get(msg->body, "unsubscribe");
    if (json_array_size(more) == 0 && json_array_size(less) == 0)
        return tr_vr_fail(e, TR_VR_MISSING_ELEMENT,
                          "Missing mandatory element (subscribe or unsubscribe)");
    return update_lists(sub, msg, json_array_size(more) ? more : NULL, less, e);
}

/* --- switch --- */

static const struct tr_field switch_fields[] = {
    { "streams", TR_FIELD_ARRAY, false },
    { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_field switch_stream_fields[] = {
    { "mid", TR_FIELD_STRING, true },
    { "sub_mid", TR_FIELD_STRING, true },
    { "substream", TR_FIELD_UINT, false },
    { "temporal", TR_FIELD_UINT, false },
    { "spatial_layer", TR_FIELD_UINT, false },
    { "temporal_layer", TR_FIELD_UINT, false },
    { NULL, TR_FIELD_BOOL, false },
};

struct switching {
    struct tr_vr_line *line;
    struct tr_vr_want want;
};

static bool read_switching(struct switching *out, const struct tr_vr_subscriber *sub,
                           const json_t *object, struct tr_vr_error *e)
{
    if (!json_is_object(object))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element type (streams should be an array of objects)");
    if (!tr_vr_check(object, switch_stream_fields, e) ||
        !tr_vr_wish_read(&out->want.wish, object, e))
        return false;
    struct tr_vr_publisher *p = tr_vr_feed_read(sub->room, object, e);
    const char *mid = json_string_value(json_object_get(object, "mid"));
    const char *sub_mid = json_string_value(json_object_get(object, "sub_mid"));
    if (!p)
        return false;
    out->want.stream = tr_vr_stream_by_mid(p, mid);
    out->line = tr_vr_line_by_mid(sub, sub_mid);
    if (!out->want.stream || out->want.stream->disabled)
        return tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such mid '%.64s' in the feed", mid);
    if (!out->line)
        return tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such mid '%.64s' in the subscription",
                          sub_mid);
    return true;
}

static int switch_streams(struct tr_vr_subscriber *sub, const json_t *list, struct tr_vr_error *e)
{
    size_t i;
    const json_t *object;
    struct switching s;
    int changes = 0;
    json_array_foreach((json_t *)list, i, object)
    {
        if (!read_switching(&s, sub, object, e))
            return -1;
    }
    json_array_foreach((json_t *)list, i, object)
    {
        if (read_switching(&s, sub, object, e))
            changes += tr_vr_line_switch(s.line, &s.want) == TR_OK;
    }
    return changes;
}

/* The single-feed form: the first line of a kind gets the feed's first stream of it, and so on. */
static int switch_feed(const struct tr_vr_subscriber *sub, const struct tr_vr_publisher *p)
{
    int changes = 0, next[TR_SDP_OTHER + 1] = { 0 };
    for (int i = 0; i < sub->line_count; i++) {
        struct tr_vr_line *line = sub->lines[i];
        int *at = &next[line->kind];
        while (*at < p->stream_count &&
               (p->streams[*at]->kind != line->kind || p->streams[*at]->disabled))
            ++*at;
        if (*at == p->stream_count)
            continue;
        struct tr_vr_want want = { .stream = p->streams[(*at)++], .wish = tr_vr_wish_none() };
        changes += tr_vr_line_switch(line, &want) == TR_OK;
    }
    return changes;
}

static bool do_switch(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e)
{
    const struct tr_vr_publisher *feed = NULL;
    int changes;
    if (!tr_vr_check(msg->body, switch_fields, e))
        return false;
    const json_t *streams = json_object_get(msg->body, "streams");
    if (json_is_array(streams)) {
        changes = switch_streams(sub, streams, e);
    } else {
        feed = tr_vr_feed_read(sub->room, msg->body, e);
        changes = feed ? switch_feed(sub, feed) : -1;
    }
    if (changes < 0)
        return false;
    tr_vr_lines_wire(sub);
    json_t *data = tr_vr_sub_data("event", sub);
    json_object_set_new(data, "switched", json_string("ok"));
    json_object_set_new(data, "changes", json_integer(changes));
    if (feed) {
        json_object_set_new(data, "id", tr_vr_id_json(&feed->id));
        tr_vr_add_names(data, feed);
    }
    tr_handle_event(msg->handle, msg->transaction, data, NULL);
    if (sub->changed) /* a line that was not offered is in use again */
        tr_vr_sub_update(sub, NULL, msg->now);
    return true;
}

/* --- all of them --- */

static const struct {
    const char *name;
    bool (*handle)(struct tr_vr_subscriber *sub, const struct tr_msg *msg, struct tr_vr_error *e);
} requests[] = {
    { "start", start },         { "pause", do_pause }, { "configure", configure },
    { "subscribe", subscribe }, { "update", update },  { "unsubscribe", unsubscribe },
    { "switch", do_switch },    { "leave", leave },
};

/* False with an error; true also when there was none to take. */
static bool take_answer(struct tr_vr_subscriber *sub, const struct tr_msg *msg,
                        struct tr_vr_error *e)
{
    if (!msg->jsep)
        return true;
    if (msg->jsep->offer)
        return tr_vr_fail(e, TR_VR_INVALID_SDP_TYPE, "A subscriber answers, it offers nothing");
    enum tr_err err = tr_pc_accept_answer(msg->handle, msg->jsep, msg->now);
    if (err != TR_OK)
        return tr_vr_fail(e, TR_VR_INVALID_SDP, "Error processing the answer: %s", tr_err_str(err));
    tr_vr_lines_wire(sub);
    return true;
}

/* After an answer: what has changed since the offer. */
static void offer_the_rest(struct tr_vr_session *session, const struct tr_msg *msg)
{
    struct tr_vr_subscriber *sub = session->subscriber;
    if (msg->jsep && session->role == TR_VR_SUBSCRIBER && (sub->changed || sub->restart))
        tr_vr_sub_update(sub, NULL, msg->now);
}

void tr_vr_sub_request(struct tr_vr_session *session, const struct tr_msg *msg)
{
    const char *name = json_string_value(json_object_get(msg->body, "request"));
    struct tr_vr_error e = { 0 };
    size_t i = 0;
    while (i < TR_ARRAY_LEN(requests) && strcasecmp(requests[i].name, name ? name : "") != 0)
        i++;
    if (i == TR_ARRAY_LEN(requests))
        tr_vr_fail(&e, TR_VR_INVALID_REQUEST, "A subscriber has no request '%.64s'",
                   name ? name : "");
    else if (take_answer(session->subscriber, msg, &e) &&
             requests[i].handle(session->subscriber, msg, &e))
        e.code = 0;
    if (e.code)
        tr_vr_refuse(msg, &e);
    offer_the_rest(session, msg);
}

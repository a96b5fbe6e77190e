/* What a subscriber's requests ask for, read from JSON and judged whole before anything happens. */
#include "plugin/videoroom/subscriber_impl.h"

#include "base/assert.h"

#define FALLBACK_MAX_US (60 * TR_SECOND)
enum { DELAY_MAX_MS = 40950 }; /* what the playout-delay extension can say: 12 bits of 10 ms */

static const struct tr_field stream_fields[] = {
    { "speakers", TR_FIELD_UINT, false },       { "mid", TR_FIELD_STRING, false },
    { "crossrefid", TR_FIELD_STRING, false },   { "send", TR_FIELD_BOOL, false },
    { "substream", TR_FIELD_UINT, false },      { "temporal", TR_FIELD_UINT, false },
    { "fallback", TR_FIELD_UINT, false },       { "spatial_layer", TR_FIELD_UINT, false },
    { "temporal_layer", TR_FIELD_UINT, false }, { "min_delay", TR_FIELD_INT, false },
    { "max_delay", TR_FIELD_INT, false },       { NULL, TR_FIELD_BOOL, false },
};

struct tr_vr_wish tr_vr_wish_none(void)
{
    return (struct tr_vr_wish){ .send = -1,
                                .substream = -1,
                                .temporal = -1,
                                .spatial_layer = -1,
                                .temporal_layer = -1,
                                .fallback_us = -1,
                                .min_delay = -1,
                                .max_delay = -1 };
}

static bool read_layer(const json_t *object, const char *name, int *out, struct tr_vr_error *e)
{
    const json_t *v = json_object_get(object, name);
    if (!json_is_integer(v))
        return true;
    if (json_integer_value(v) < 0 || json_integer_value(v) > TR_VR_LAYER_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (%s should be 0, 1 or 2)",
                          name);
    *out = (int)json_integer_value(v);
    return true;
}

/* -1, or what the header extension can say. */
static int read_delay(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    json_int_t ms = json_is_integer(v) ? json_integer_value(v) : -1;
    return ms < 0 ? -1 : ms > DELAY_MAX_MS ? DELAY_MAX_MS : (int)ms;
}

bool tr_vr_wish_read(struct tr_vr_wish *wish, const json_t *object, struct tr_vr_error *e)
{
    const json_t *send = json_object_get(object, "send");
    const json_t *fallback = json_object_get(object, "fallback");
    const json_t *crossrefid = json_object_get(object, "crossrefid");
    *wish = tr_vr_wish_none();
    if (json_string_length(crossrefid) > TR_VR_CROSSREF_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (crossrefid should have %d bytes at most)",
                          TR_VR_CROSSREF_MAX);
    if (json_is_boolean(send))
        wish->send = json_is_true(send);
    if (json_is_integer(fallback))
        wish->fallback_us = json_integer_value(fallback) < FALLBACK_MAX_US
                                ? json_integer_value(fallback)
                                : FALLBACK_MAX_US;
    wish->crossrefid = json_string_value(crossrefid);
    wish->min_delay = read_delay(object, "min_delay");
    wish->max_delay = read_delay(object, "max_delay");
    return read_layer(object, "substream", &wish->substream, e) &&
           read_layer(object, "temporal", &wish->temporal, e) &&
           read_layer(object, "spatial_layer", &wish->spatial_layer, e) &&
           read_layer(object, "temporal_layer", &wish->temporal_layer, e);
}

/* A stream that is negotiated away may come back; then it can be asked for again. */
static bool is_there(const struct tr_vr_stream *s)
{
    return !s->disabled && s->kind != TR_SDP_OTHER;
}

static bool publishes(const struct tr_vr_publisher *p)
{
    for (int i = 0; p && i < p->stream_count; i++)
        if (is_there(p->streams[i]))
            return true;
    return false;
}

struct tr_vr_publisher *tr_vr_feed_read(const struct tr_vr_room *room, const json_t *object,
                                        struct tr_vr_error *e)
{
    char text[TR_VR_ID_TEXT];
    struct tr_vr_id id;
    if (!tr_vr_id_read(room->vr, object, "feed", true, &id, e))
        return NULL;
    struct tr_vr_publisher *p = tr_vr_publisher_find(room, &id);
    if (publishes(p))
        return p;
    tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such feed (%s)", tr_vr_id_text(&id, text));
    return NULL;
}

static bool add(struct tr_vr_wants *wants, struct tr_vr_stream *stream,
                const struct tr_vr_wish *wish, struct tr_vr_error *e)
{
    if (wants->count == (int)TR_ARRAY_LEN(wants->list))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (streams names too many streams)");
    wants->list[wants->count++] = (struct tr_vr_want){ .stream = stream, .wish = *wish };
    return true;
}

static bool read_speakers(struct tr_vr_wants *wants, const struct tr_vr_room *room,
                          const json_t *count, struct tr_vr_error *e)
{
    json_int_t max = room->conf.audio_speakers, n = json_integer_value(count);
    if (n < 1 || max == 0)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (this room has %d lines for speakers)", (int)max);
    wants->speakers = (int)(n < max ? n : max);
    return true;
}

static bool read_one(struct tr_vr_wants *wants, const struct tr_vr_room *room, const json_t *object,
                     struct tr_vr_error *e)
{
    struct tr_vr_wish wish;
    if (!json_is_object(object))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element type (streams should be an array of objects)");
    if (!tr_vr_check(object, stream_fields, e) || !tr_vr_wish_read(&wish, object, e))
        return false;
    if (json_object_get(object, "speakers"))
        return read_speakers(wants, room, json_object_get(object, "speakers"), e);
    struct tr_vr_publisher *p = tr_vr_feed_read(room, object, e);
    const char *mid = json_string_value(json_object_get(object, "mid"));
    if (!p)
        return false;
    struct tr_vr_stream *named = mid ? tr_vr_stream_by_mid(p, mid) : NULL;
    if (mid && (!named || !is_there(named)))
        return tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such mid '%.64s' in the feed", mid);
    if (named)
        return add(wants, named, &wish, e);
    for (int i = 0; i < p->stream_count; i++)
        if (is_there(p->streams[i]) && !add(wants, p->streams[i], &wish, e))
            return false;
    return true;
}

bool tr_vr_wants_read(struct tr_vr_wants *wants, const struct tr_vr_room *room, const json_t *list,
                      struct tr_vr_error *e)
{
    size_t i;
    const json_t *object;
    wants->count = wants->speakers = 0;
    if (json_array_size(list) == 0)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (streams is empty)");
    json_array_foreach((json_t *)list, i, object)
    {
        if (!read_one(wants, room, object, e))
            return false;
    }
    return true;
}

static bool flag(const json_t *body, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(body, name);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

bool tr_vr_wants_legacy(struct tr_vr_wants *wants, const struct tr_vr_room *room,
                        const json_t *body, struct tr_vr_error *e)
{
    static const char *const offers[] = { "offer_audio", "offer_video", "offer_data" };
    static const char *const sends[] = { "audio", "video", "data" };
    struct tr_vr_wish wish;
    wants->count = wants->speakers = 0;
    struct tr_vr_publisher *p = tr_vr_feed_read(room, body, e);
    if (!p || !tr_vr_wish_read(&wish, body, e))
        return false;
    for (int i = 0; i < p->stream_count; i++) {
        struct tr_vr_stream *s = p->streams[i];
        if (!is_there(s) || !flag(body, offers[s->kind], true))
            continue;
        wish.send = flag(body, sends[s->kind], true);
        if (!add(wants, s, &wish, e))
            return false;
    }
    return true;
}

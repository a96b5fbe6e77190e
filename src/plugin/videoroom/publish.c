/* Publishing. A message is checked whole, then its offer is answered, then its settings take effect
 * and the answer goes out: what fails before has changed nothing. */
#include "plugin/videoroom/publish.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "plugin/videoroom/forward.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/record.h"
#include "plugin/videoroom/requests.h"
#include "plugin/videoroom/room.h"
#include "plugin/videoroom/subscriber.h"

enum { OFFER_EVENTS = 10 /* an offer costs as much as so many events */ };
enum { BITRATE_MAX = 1 << 30, DELAY_MAX_MS = 40950 /* 12 bits of 10 ms */ };

/* --- what a body may say --- */

static const struct tr_field publish_fields[] = {
    { "descriptions", TR_FIELD_ARRAY, false },
    { "streams", TR_FIELD_ARRAY, false },
    { "audiocodec", TR_FIELD_STRING, false },
    { "videocodec", TR_FIELD_STRING, false },
    { "bitrate", TR_FIELD_UINT, false },
    { "keyframe", TR_FIELD_BOOL, false },
    { "record", TR_FIELD_BOOL, false },
    { "filename", TR_FIELD_STRING, false },
    { "display", TR_FIELD_STRING, false },
    { "metadata", TR_FIELD_OBJECT, false },
    { "secret", TR_FIELD_STRING, false },
    /* spelled as clients of the API have it */
    { "audio_level_averge", TR_FIELD_UINT, false },
    { "audio_active_packets", TR_FIELD_UINT, false },
    { "audio", TR_FIELD_BOOL, false },
    { "video", TR_FIELD_BOOL, false },
    { "data", TR_FIELD_BOOL, false },
    { "update", TR_FIELD_BOOL, false },
    { "restart", TR_FIELD_BOOL, false },
    { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_field stream_fields[] = {
    { "mid", TR_FIELD_STRING, false },
    { "send", TR_FIELD_BOOL, false },
    { "keyframe", TR_FIELD_BOOL, false },
    { "audio_level_averge", TR_FIELD_UINT, false },
    { "audio_active_packets", TR_FIELD_UINT, false },
    { "min_delay", TR_FIELD_INT, false },
    { "max_delay", TR_FIELD_INT, false },
    { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_field description_fields[] = {
    { "mid", TR_FIELD_STRING, true },
    { "description", TR_FIELD_STRING, true },
    { NULL, TR_FIELD_BOOL, false },
};

static bool check_items(const json_t *body, const char *name, const struct tr_field *fields,
                        struct tr_vr_error *e)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(body, name), i, item)
    {
        if (!json_is_object(item))
            return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                              "Invalid element type (%s should hold objects)", name);
        if (!tr_vr_check(item, fields, e))
            return false;
    }
    return true;
}

static bool room_takes(const struct tr_vr_codecs *codecs, enum tr_codec codec)
{
    for (int i = 0; i < codecs->count; i++) {
        if (codecs->list[i] == codec)
            return true;
    }
    return false;
}

static enum tr_codec codec_member(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? tr_codec_from_name(tr_slice_str(text)) : TR_CODEC_NONE;
}

static bool check_codec(const struct tr_vr_codecs *codecs, const json_t *body, const char *name,
                        struct tr_vr_error *e)
{
    if (!json_is_string(json_object_get(body, name)) ||
        room_takes(codecs, codec_member(body, name)))
        return true;
    return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (%s is unavailable in this room)",
                      name);
}

static bool check_names(const json_t *body, struct tr_vr_error *e)
{
    const json_t *metadata = json_object_get(body, "metadata");
    if (json_string_length(json_object_get(body, "display")) > TR_VR_TEXT_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (display should have %d bytes at most)", TR_VR_TEXT_MAX);
    if (json_is_object(metadata) &&
        json_dumpb(metadata, NULL, 0, JSON_COMPACT) > TR_VR_METADATA_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (metadata should have %d bytes at most)",
                          TR_VR_METADATA_MAX);
    return true;
}

/* New names are told to the publishers; new streams also to subscribers, who get offers. */
static bool pay(struct tr_vr_room *room, const struct tr_msg *msg, struct tr_vr_error *e)
{
    bool named = json_object_get(msg->body, "display") || json_object_get(msg->body, "metadata");
    uint64_t events = named ? room->publisher_count : 0;
    if (msg->jsep)
        events += room->publisher_count + OFFER_EVENTS * (uint64_t)room->subscriber_count;
    return tr_vr_pay(&room->budget, events, msg->now, e);
}

bool tr_vr_publish_check(struct tr_vr_room *room, const struct tr_msg *msg, struct tr_vr_error *e)
{
    const json_t *body = msg->body;
    if (!tr_vr_check(body, publish_fields, e) || !check_names(body, e) ||
        !check_items(body, "streams", stream_fields, e) ||
        !check_items(body, "descriptions", description_fields, e) ||
        !check_codec(&room->conf.audio, body, "audiocodec", e) ||
        !check_codec(&room->conf.video, body, "videocodec", e))
        return false;
    bool records = json_is_boolean(json_object_get(body, "record"));
    if (records && room->conf.lock_record && !tr_vr_secret_ok(body, "secret", room->conf.secret, e))
        return false;
    return pay(room, msg, e);
}

/* --- the offer --- */

/* What an answer says of Opus is what the publisher should send. */
static const char *const *opus_off(const struct tr_vr_room_conf *conf)
{
    static const char *const names[] = { "useinbandfec", "usedtx", NULL };
    static const char *const fec[] = { "useinbandfec", NULL };
    if (conf->opus_fec)
        return conf->opus_dtx ? NULL : names + 1;
    return conf->opus_dtx ? fec : names;
}

/* The room's wish for the profile of the codec that it likes best and that has one. */
static const char *profile_of(const struct tr_vr_room_conf *conf)
{
    for (int i = 0; i < conf->video.count; i++) {
        if (conf->video.list[i] == TR_CODEC_VP9 && conf->vp9_profile[0])
            return conf->vp9_profile;
        if (conf->video.list[i] == TR_CODEC_H264 && conf->h264_profile[0])
            return conf->h264_profile;
    }
    return NULL;
}

static bool may_publish(const struct tr_vr_publisher *p, const struct tr_jsep *offer,
                        struct tr_vr_error *e)
{
    const struct tr_vr_room_conf *conf = &p->room->conf;
    if (!offer->offer)
        return tr_vr_fail(e, TR_VR_INVALID_SDP_TYPE, "Publishers send offers, not answers");
    if (conf->require_e2ee && !offer->e2ee)
        return tr_vr_fail(e, TR_VR_UNAUTHORIZED, "Room requires end-to-end encrypted media");
    if (!p->negotiated && tr_vr_publishing(p->room) >= conf->publishers_max)
        return tr_vr_fail(e, TR_VR_PUBLISHERS_FULL,
                          "Maximum number of publishers (%u) already reached",
                          (unsigned)conf->publishers_max);
    return true;
}

static enum tr_err answer(struct tr_vr_publisher *p, const struct tr_msg *msg, json_t **jsep)
{
    const struct tr_vr_room_conf *conf = &p->room->conf;
    const struct tr_pc_policy policy = {
        .audio_codec = codec_member(msg->body, "audiocodec"),
        .video_codec = codec_member(msg->body, "videocodec"),
        .video_profile = profile_of(conf),
        .audio = conf->audio.list,
        .audio_count = conf->audio.count,
        .video = conf->video.list,
        .video_count = conf->video.count,
        .opus_off = opus_off(conf),
        .exts_off = tr_vr_room_conf_exts_off(conf),
        .recv_only = true,
    };
    enum tr_err err = tr_pc_answer(msg->handle, msg->jsep, &policy, msg->now, jsep);
    if (err == TR_OK && msg->jsep->e2ee)
        json_object_set_new(*jsep, "e2ee", json_true());
    return err;
}

bool tr_vr_publish_negotiate(struct tr_vr_publisher *p, const struct tr_msg *msg, json_t **jsep,
                             struct tr_vr_error *e)
{
    *jsep = NULL;
    if (!msg->jsep)
        return true;
    if (!may_publish(p, msg->jsep, e))
        return false;
    enum tr_err err = answer(p, msg, jsep);
    if (err == TR_OK) {
        p->negotiated = true;
        p->e2ee = msg->jsep->e2ee;
        err = tr_vr_streams_follow(p, msg->jsep); /* its SDP lives as long as it holds */
        tr_vr_forwards_follow(p);
    }
    if (err == TR_OK)
        return true;
    json_decref(*jsep);
    *jsep = NULL;
    return tr_vr_fail(e, TR_VR_INVALID_SDP, "Error processing the offer: %s", tr_err_str(err));
}

/* --- settings --- */

static uint32_t read_uint(const json_t *body, const char *name, uint32_t max, uint32_t otherwise)
{
    const json_t *v = json_object_get(body, name);
    if (!json_is_integer(v))
        return otherwise;
    return json_integer_value(v) < max ? (uint32_t)json_integer_value(v) : max;
}

static int read_delay(const json_t *body, const char *name, int otherwise)
{
    const json_t *v = json_object_get(body, name);
    json_int_t ms = json_is_integer(v) ? json_integer_value(v) : otherwise;
    return ms < 0 ? -1 : ms > DELAY_MAX_MS ? DELAY_MAX_MS : (int)ms;
}

static void describe(struct tr_vr_publisher *p, const json_t *body)
{
    const json_t *d;
    size_t i;
    json_array_foreach(json_object_get(body, "descriptions"), i, d)
    {
        const char *mid = json_string_value(json_object_get(d, "mid"));
        struct tr_vr_stream *s = tr_vr_stream_by_mid(p, mid);
        char text[TR_VR_TEXT_MAX + 1];
        if (!s)
            continue;
        tr_utf8_copy(text, sizeof text, json_string_value(json_object_get(d, "description")));
        tr_free(s->description);
        s->description = tr_strdup(text);
    }
}

/* Settings of one stream out of an object of "streams", or out of the body itself. */
static void set_levels(struct tr_vr_stream *s, const json_t *from)
{
    s->level_average = read_uint(from, "audio_level_averge", 127, s->level_average);
    s->active_packets = read_uint(from, "audio_active_packets", 1 << 20, s->active_packets);
}

static void set_stream(struct tr_vr_stream *s, const json_t *from, tr_usec now)
{
    const json_t *send = json_object_get(from, "send");
    if (json_is_boolean(send))
        s->send = json_is_true(send);
    s->min_delay = read_delay(from, "min_delay", s->min_delay);
    s->max_delay = read_delay(from, "max_delay", s->max_delay);
    set_levels(s, from);
    if (json_is_true(json_object_get(from, "keyframe")))
        tr_vr_publisher_keyframe(s->publisher, s->mid);
    tr_vr_subs_stream_set(s, now);
    tr_vr_forwards_flow(s);
}

static void set_streams(struct tr_vr_publisher *p, const json_t *body, tr_usec now)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(body, "streams"), i, item)
    {
        const char *mid = json_string_value(json_object_get(item, "mid"));
        struct tr_vr_stream *s = mid ? tr_vr_stream_by_mid(p, mid) : NULL;
        if (s)
            set_stream(s, item, now);
    }
}

/* The single-feed form: one flag for all streams of a kind. */
static void set_kind(struct tr_vr_publisher *p, const json_t *body, enum tr_sdp_kind kind,
                     bool *flag, tr_usec now)
{
    const json_t *on = json_object_get(body, tr_vr_kind_name(kind));
    if (!json_is_boolean(on))
        return;
    *flag = json_is_true(on);
    for (int i = 0; i < p->stream_count; i++) {
        struct tr_vr_stream *s = p->streams[i];
        if (s->kind == kind && s->send != *flag) {
            s->send = *flag;
            tr_vr_subs_stream_set(s, now);
            tr_vr_forwards_flow(s);
        }
    }
}

static bool set_names(struct tr_vr_publisher *p, const json_t *body)
{
    const char *display = json_string_value(json_object_get(body, "display"));
    json_t *metadata = json_object_get(body, "metadata");
    if (display) {
        tr_free(p->display);
        p->display = tr_strdup(display);
    }
    if (json_is_object(metadata)) {
        json_decref(p->metadata);
        p->metadata = json_deep_copy(metadata);
    }
    return display || json_is_object(metadata);
}

static void set_recording(struct tr_vr_publisher *p, const json_t *body)
{
    const json_t *record = json_object_get(body, "record");
    const char *filename = json_string_value(json_object_get(body, "filename"));
    if (json_is_boolean(record))
        p->record = json_is_true(record);
    if (!filename)
        return;
    char text[TR_VR_TEXT_MAX + 1];
    tr_utf8_copy(text, sizeof text, filename);
    tr_free(p->filename);
    p->filename = tr_strdup(text);
}

bool tr_vr_publish_obey(struct tr_vr_publisher *p, const struct tr_msg *msg)
{
    const json_t *body = msg->body;
    bool renamed = set_names(p, body);
    describe(p, body);
    set_kind(p, body, TR_SDP_AUDIO, &p->audio, msg->now);
    set_kind(p, body, TR_SDP_VIDEO, &p->video, msg->now);
    set_kind(p, body, TR_SDP_DATA, &p->data, msg->now);
    for (int i = 0; i < p->stream_count; i++)
        set_levels(p->streams[i], body);
    set_streams(p, body, msg->now);
    p->bitrate = read_uint(body, "bitrate", BITRATE_MAX, p->bitrate);
    tr_vr_publisher_bound(p);
    tr_vr_publisher_listen(p);
    set_recording(p, body);
    tr_vr_record_update(p, msg->now);
    if (json_is_true(json_object_get(body, "keyframe")))
        tr_vr_publisher_keyframe(p, NULL);
    if (msg->jsep && p->up) { /* a renegotiation; else this is said when media can flow */
        tr_vr_publisher_announce(p);
        tr_vr_subs_published(p, msg->now);
    }
    return renamed;
}

/* --- publish and configure --- */

static void tell_names(const struct tr_vr_publisher *p)
{
    json_t *event = tr_vr_data("event", p->room);
    json_object_set_new(event, "id", tr_vr_id_json(&p->id));
    tr_vr_add_names(event, p);
    tr_vr_tell_others(p->room, p, event);
}

void tr_vr_configure(struct tr_vr_session *session, const struct tr_msg *msg)
{
    struct tr_vr_publisher *p = session->publisher;
    struct tr_vr_error e;
    json_t *jsep = NULL;
    if (!tr_vr_publish_check(p->room, msg, &e) || !tr_vr_publish_negotiate(p, msg, &jsep, &e)) {
        tr_vr_refuse(msg, &e);
        return;
    }
    json_t *data = tr_vr_data("event", p->room);
    json_object_set_new(data, "configured", json_string("ok"));
    bool renamed = tr_vr_publish_obey(p, msg);
    if (jsep)
        tr_vr_add_streams(data, p);
    tr_handle_event(msg->handle, msg->transaction, data, jsep);
    if (renamed)
        tell_names(p);
}

void tr_vr_publish(struct tr_vr_session *session, const struct tr_msg *msg)
{
    if (session->publisher->negotiated) {
        tr_handle_error(msg->handle, msg->transaction, TR_VR_ALREADY_PUBLISHED,
                        "Can't publish, already published");
        return;
    }
    tr_vr_configure(session, msg);
}

/* Errors, ids and the objects that requests and events share. An object that goes to many handles
 * is built once: the gateway turns it into text at once and keeps no reference. */
#include "plugin/videoroom/reply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- errors --- */

bool tr_vr_fail(struct tr_vr_error *e, int code, const char *fmt, ...)
{
    va_list ap;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return false;
}

bool tr_vr_check(const json_t *object, const struct tr_field *fields, struct tr_vr_error *e)
{
    switch (tr_schema_check(object, fields, e->text)) {
    case TR_SCHEMA_MISSING: e->code = TR_VR_MISSING_ELEMENT; return false;
    case TR_SCHEMA_TYPE: e->code = TR_VR_INVALID_ELEMENT; return false;
    case TR_SCHEMA_OK: break;
    }
    return true;
}

json_t *tr_vr_error_json(const struct tr_vr_error *e)
{
    return json_pack("{s:s,s:i,s:s}", "videoroom", "event", "error_code", e->code, "error",
                     e->text);
}

void tr_vr_refuse(const struct tr_msg *msg, const struct tr_vr_error *e)
{
    tr_handle_error(msg->handle, msg->transaction, e->code, "%s", e->text);
}

/* --- ids --- */

static bool read_text_id(const json_t *v, const char *name, struct tr_vr_id *out,
                         struct tr_vr_error *e)
{
    const char *text = json_string_value(v);
    size_t n = json_string_length(v);
    if (!text || n == 0)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element type (%s should be a string, not empty)", name);
    if (n > TR_VR_ID_MAX || strlen(text) != n)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (%s should have %d bytes at most, none of them 0)", name,
                          TR_VR_ID_MAX);
    memcpy(out->text, text, n + 1);
    return true;
}

bool tr_vr_id_read(const struct tr_vr *vr, const json_t *object, const char *name, bool required,
                   struct tr_vr_id *out, struct tr_vr_error *e)
{
    const json_t *v = json_object_get(object, name);
    *out = (struct tr_vr_id){ 0 };
    if (!v || json_is_null(v))
        return required
                   ? tr_vr_fail(e, TR_VR_MISSING_ELEMENT, "Missing mandatory element (%s)", name)
                   : true;
    if (vr->conf.string_ids)
        return read_text_id(v, name, out, e);
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        (required && json_integer_value(v) == 0))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element type (%s should be a positive integer)", name);
    out->num = (uint64_t)json_integer_value(v);
    return true;
}

bool tr_vr_id_none(const struct tr_vr_id *id)
{
    return id->num == 0 && !id->text[0];
}

bool tr_vr_id_eq(const struct tr_vr_id *a, const struct tr_vr_id *b)
{
    return a->num == b->num && strcmp(a->text, b->text) == 0;
}

struct tr_slice tr_vr_id_key(const struct tr_vr_id *id)
{
    return id->text[0] ? tr_slice_str(id->text) : tr_slice(&id->num, sizeof id->num);
}

json_t *tr_vr_id_json(const struct tr_vr_id *id)
{
    return id->text[0] ? json_string(id->text) : json_integer((json_int_t)id->num);
}

const char *tr_vr_id_text(const struct tr_vr_id *id, char out[TR_VR_ID_TEXT])
{
    if (id->text[0])
        return id->text;
    snprintf(out, TR_VR_ID_TEXT, "%" PRIu64, id->num);
    return out;
}

/* --- objects --- */

json_t *tr_vr_data(const char *kind, const struct tr_vr_room *room)
{
    return json_pack("{s:s,s:o}", "videoroom", kind, "room", tr_vr_id_json(&room->id));
}

const char *tr_vr_kind_name(enum tr_sdp_kind kind)
{
    return kind == TR_SDP_AUDIO ? "audio" : kind == TR_SDP_VIDEO ? "video" : "data";
}

const char *tr_vr_codec_name(enum tr_codec codec)
{
    static const char *const names[TR_CODEC_COUNT] = {
        [TR_CODEC_OPUS] = "opus", [TR_CODEC_MULTIOPUS] = "multiopus",
        [TR_CODEC_G722] = "g722", [TR_CODEC_PCMU] = "pcmu",
        [TR_CODEC_PCMA] = "pcma", [TR_CODEC_L16] = "l16",
        [TR_CODEC_VP8] = "vp8",   [TR_CODEC_VP9] = "vp9",
        [TR_CODEC_H264] = "h264", [TR_CODEC_AV1] = "av1",
        [TR_CODEC_H265] = "h265",
    };
    return codec < TR_CODEC_COUNT && names[codec] ? names[codec] : "";
}

static void add_flag(json_t *object, const char *name, bool on)
{
    if (on)
        json_object_set_new(object, name, json_true());
}

static void add_text(json_t *object, const char *name, const char *text)
{
    if (text && text[0])
        json_object_set_new(object, name, json_string(text));
}

static void add_codec(json_t *object, const struct tr_vr_stream *s)
{
    if (s->kind == TR_SDP_DATA)
        return;
    add_text(object, "codec", tr_vr_codec_name(s->pt.codec));
    add_flag(object, "stereo", s->opus_stereo);
    add_flag(object, "fec", s->opus_fec);
    add_flag(object, "dtx", s->opus_dtx);
    if (s->pt.codec == TR_CODEC_H264)
        add_text(object, "h264_profile", s->profile);
    if (s->pt.codec == TR_CODEC_VP9)
        add_text(object, "vp9_profile", s->profile);
    add_flag(object, "simulcast", s->simulcast);
    add_flag(object, "svc", s->svc);
}

bool tr_vr_stream_tells_talking(const struct tr_vr_stream *s)
{
    const struct tr_vr_room_conf *conf = &s->publisher->room->conf;
    return s->kind == TR_SDP_AUDIO && conf->audiolevel_ext && conf->audiolevel_event;
}

bool tr_vr_stream_is_heard(const struct tr_vr_stream *s)
{
    const struct tr_vr_room_conf *conf = &s->publisher->room->conf;
    return tr_vr_stream_tells_talking(s) ||
           (s->kind == TR_SDP_AUDIO && conf->audiolevel_ext && conf->audio_speakers > 0);
}

static json_t *stream_json(const struct tr_vr_stream *s)
{
    json_t *o = json_pack("{s:s,s:i,s:s}", "type", tr_vr_kind_name(s->kind), "mindex", s->mindex,
                          "mid", s->mid);
    if (s->disabled) {
        add_flag(o, "disabled", true);
        return o;
    }
    add_text(o, "description", s->description);
    add_flag(o, "moderated", s->moderated);
    add_codec(o, s);
    if (tr_vr_stream_tells_talking(s))
        json_object_set_new(o, "talking", json_boolean(s->talking));
    return o;
}

void tr_vr_add_names(json_t *object, const struct tr_vr_publisher *publisher)
{
    add_text(object, "display", publisher->display);
    if (publisher->metadata)
        json_object_set(object, "metadata", publisher->metadata);
}

/* Clients of the single-feed form look at these instead of the streams. */
static void add_legacy_codecs(json_t *object, const struct tr_vr_publisher *publisher)
{
    static const char *const names[] = {
        [TR_SDP_AUDIO] = "audio_codec", [TR_SDP_VIDEO] = "video_codec"
    };
    for (int i = publisher->stream_count - 1; i >= 0; i--) {
        const struct tr_vr_stream *s = publisher->streams[i];
        if (s->kind <= TR_SDP_VIDEO && !s->disabled)
            add_text(object, names[s->kind], tr_vr_codec_name(s->pt.codec));
    }
}

void tr_vr_add_streams(json_t *object, const struct tr_vr_publisher *publisher)
{
    json_t *list = json_array();
    for (int i = 0; i < publisher->stream_count; i++)
        json_array_append_new(list, stream_json(publisher->streams[i]));
    json_object_set_new(object, "streams", list);
    add_legacy_codecs(object, publisher);
}

json_t *tr_vr_publisher_json(const struct tr_vr_publisher *publisher)
{
    json_t *o = json_pack("{s:o}", "id", tr_vr_id_json(&publisher->id));
    bool tells = false, talking = false;
    tr_vr_add_names(o, publisher);
    add_flag(o, "dummy", publisher->dummy);
    tr_vr_add_streams(o, publisher);
    for (int i = 0; i < publisher->stream_count; i++) {
        tells = tells || tr_vr_stream_tells_talking(publisher->streams[i]);
        talking = talking || publisher->streams[i]->talking;
    }
    if (tells)
        json_object_set_new(o, "talking", json_boolean(talking));
    return o;
}

/* --- events --- */

void tr_vr_tell(const struct tr_vr_publisher *publisher, json_t *data)
{
    if (publisher->session)
        tr_handle_event(publisher->session->handle, NULL, data, NULL);
    else
        json_decref(data);
}

void tr_vr_tell_others(const struct tr_vr_room *room, const struct tr_vr_publisher *but,
                       json_t *data)
{
    const struct tr_vr_publisher *p;
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        if (p != but)
            tr_vr_tell(p, json_incref(data));
    }
    json_decref(data);
}

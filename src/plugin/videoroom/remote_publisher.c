/* Publishers of other servers: each has a plain peer of its own, whose two ports (RTP, RTCP) carry
 * all of its streams. The room sees a publisher like others, up from the start. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "media/plain.h"
#include "plugin/videoroom/forward_impl.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/record.h"
#include "plugin/videoroom/room.h"
#include "plugin/videoroom/subscriber.h"

enum {
    PORT_MAX = 65535,
    EXT_ID_MAX = 14,
    PORT_RTP = 0,
    PORT_RTCP = 1,
    PORTS = 2,
};

struct tr_vr_source { /* of a remote publisher */
    struct tr_media *media;
    tr_id peer;
    enum tr_srtp_profile srtp;
    struct tr_srtp_keys keys;
    struct tr_track_conf tracks[TR_PC_MLINES_MAX]; /* [mindex] */
};

static struct tr_vr *self(struct tr_plugin *plugin)
{
    return (struct tr_vr *)plugin;
}

static json_t *success(void)
{
    return json_pack("{s:s}", "videoroom", "success");
}

/* --- streams --- */

static const struct tr_field stream_fields[] = {
    { "mid", TR_FIELD_STRING, true },
    { "mindex", TR_FIELD_UINT, true },
    { "type", TR_FIELD_STRING, true },
    { "codec", TR_FIELD_STRING, false },
    { "description", TR_FIELD_STRING, false },
    { "disabled", TR_FIELD_BOOL, false },
    { "stereo", TR_FIELD_BOOL, false },
    { "fec", TR_FIELD_BOOL, false },
    { "dtx", TR_FIELD_BOOL, false },
    { "h264_profile", TR_FIELD_STRING, false },
    { "vp9_profile", TR_FIELD_STRING, false },
    { "simulcast", TR_FIELD_BOOL, false },
    { "svc", TR_FIELD_BOOL, false },
    { "audiolevel_ext_id", TR_FIELD_INT, false },
    { "videoorient_ext_id", TR_FIELD_INT, false },
    { "playoutdelay_ext_id", TR_FIELD_INT, false },
    { NULL, TR_FIELD_STRING, false },
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static bool kind_of(const json_t *one, enum tr_sdp_kind *kind)
{
    static const enum tr_sdp_kind kinds[] = { TR_SDP_AUDIO, TR_SDP_VIDEO, TR_SDP_DATA };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        *kind = kinds[i];
        if (strcmp(tr_vr_kind_name(kinds[i]), text_of(one, "type")) == 0)
            return true;
    }
    return false;
}

static bool check_stream(const json_t *one, struct tr_vr_error *e)
{
    enum tr_sdp_kind kind;
    if (!tr_vr_check(one, stream_fields, e))
        return false;
    if (!kind_of(one, &kind))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (type)");
    if (strlen(text_of(one, "mid")) > TR_SDP_MID_MAX || strlen(text_of(one, "mid")) == 0)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (mid)");
    if (strlen(text_of(one, "description")) > TR_VR_TEXT_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (description is too long)");
    if (kind == TR_SDP_DATA)
        return true;
    if (!json_object_get(one, "codec"))
        return tr_vr_fail(e, TR_VR_MISSING_ELEMENT, "Missing mandatory element (codec)");
    enum tr_codec codec = tr_codec_from_name(tr_slice_str(text_of(one, "codec")));
    const struct tr_codec_info *info = tr_codec_info(codec);
    uint8_t wanted = kind == TR_SDP_VIDEO ? TR_CODEC_KIND_VIDEO : TR_CODEC_KIND_AUDIO;
    return (info->main && info->kind == wanted && info->clock > 0) ||
           tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (codec is not supported)");
}

static bool check_streams(const json_t *list, struct tr_vr_error *e)
{
    const json_t *one;
    size_t i;
    if (json_array_size(list) > TR_PC_MLINES_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (streams: at most %d)",
                          TR_PC_MLINES_MAX);
    json_array_foreach(list, i, one)
    {
        if (!check_stream(one, e))
            return false;
    }
    return true;
}

static bool has_codec(const struct tr_vr_codecs *codecs, enum tr_codec codec)
{
    for (int i = 0; i < codecs->count; i++) {
        if (codecs->list[i] == codec)
            return true;
    }
    return false;
}

static uint8_t ext_id(const json_t *one, const char *name)
{
    json_int_t id = json_integer_value(json_object_get(one, name));
    return id > 0 && id <= EXT_ID_MAX ? (uint8_t)id : 0;
}

static void take_codec(struct tr_vr_stream *s, const json_t *one)
{
    const struct tr_vr_room_conf *room = &s->publisher->room->conf;
    enum tr_codec codec = tr_codec_from_name(tr_slice_str(text_of(one, "codec")));
    const struct tr_codec_info *info = tr_codec_info(codec);
    bool video = s->kind == TR_SDP_VIDEO;
    s->pt = (struct tr_sdp_pt){
        .codec = codec,
        .pt = (uint8_t)(info->static_pt >= 0 ? info->static_pt : 96 + s->mindex),
        .rtx_pt = TR_SDP_PT_NONE,
        .channels = info->channels,
        .clock = info->clock,
    };
    s->disabled = s->disabled || !has_codec(video ? &room->video : &room->audio, codec);
    s->opus_stereo = json_is_true(json_object_get(one, "stereo"));
    s->opus_fec = json_is_true(json_object_get(one, "fec")) && room->opus_fec;
    s->opus_dtx = json_is_true(json_object_get(one, "dtx")) && room->opus_dtx;
    s->simulcast = video && json_is_true(json_object_get(one, "simulcast"));
    s->svc = video && json_is_true(json_object_get(one, "svc"));
    if (codec == TR_CODEC_H264)
        tr_utf8_copy(s->profile, sizeof s->profile, text_of(one, "h264_profile"));
    else if (codec == TR_CODEC_VP9)
        tr_utf8_copy(s->profile, sizeof s->profile, text_of(one, "vp9_profile"));
}

/* What the media engine is to expect of it. */
static void fill_track(const struct tr_vr_stream *s, const json_t *one, struct tr_track_conf *t)
{
    *t = (struct tr_track_conf){
        .used = s->kind != TR_SDP_DATA,
        .recv = s->kind != TR_SDP_DATA,
        .video = s->kind == TR_SDP_VIDEO,
        .codec = s->pt.codec,
        .clock_rate = s->pt.clock,
        .pt = s->pt.pt,
        .fb_nack = s->kind == TR_SDP_VIDEO, /* a Janus leaves it unanswered */
        .fb_pli = s->kind == TR_SDP_VIDEO,
        .layers_count = s->simulcast ? TR_TRACK_LAYERS : 1,
    };
    snprintf(t->mid, sizeof t->mid, "%s", s->mid);
    t->ext.id[TR_EXT_AUDIO_LEVEL] = ext_id(one, "audiolevel_ext_id");
    t->ext.id[TR_EXT_VIDEO_ORIENTATION] = ext_id(one, "videoorient_ext_id");
    t->ext.id[TR_EXT_PLAYOUT_DELAY] = ext_id(one, "playoutdelay_ext_id");
    for (int l = 0; l < t->layers_count; l++)
        t->layers[l].ssrc = tr_vr_remote_ssrc(s->mindex, l);
}

static bool set_description(struct tr_vr_stream *s, const char *text)
{
    char *copy = text[0] ? tr_strdup(text) : NULL;
    if (strcmp(s->description ? s->description : "", text) == 0) {
        tr_free(copy);
        return false;
    }
    tr_free(s->description);
    s->description = copy;
    return true;
}

static bool add_stream(struct tr_vr_publisher *p, const json_t *one, struct tr_vr_error *e)
{
    enum tr_sdp_kind kind;
    if (!kind_of(one, &kind))
        return false; /* it was checked */
    struct tr_vr_stream *s = tr_vr_stream_add(p, kind, text_of(one, "mid"));
    if (!s)
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Too many streams, or out of memory");
    s->send = true;
    /* Data channels are not carried between servers. */
    s->disabled = kind == TR_SDP_DATA || json_is_true(json_object_get(one, "disabled"));
    set_description(s, text_of(one, "description"));
    if (kind != TR_SDP_DATA)
        take_codec(s, one);
    fill_track(s, one, &p->source->tracks[s->mindex]);
    return true;
}

/* --- life --- */

void tr_vr_remote_end(struct tr_vr_publisher *p)
{
    if (!p->source)
        return;
    if (p->source->peer)
        tr_media_peer_close(p->source->media, p->source->peer);
    tr_free(p->source);
    p->source = NULL;
}

static bool refuse_ports(struct tr_vr_error *e, enum tr_err err)
{
    if (err == TR_ERR_NOTFOUND)
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "No such network interface");
    if (err == TR_ERR_INVAL)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (mcast)");
    return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "The ports could not be opened (%s)",
                      tr_err_str(err));
}

static bool open_source(struct tr_vr_publisher *p, const json_t *body, struct tr_addr *locals,
                        struct tr_vr_error *e)
{
    struct tr_vr_source *source = p->source;
    struct tr_media_port ports[PORTS] = { 0 };
    const char *group = json_string_value(json_object_get(body, "mcast"));
    uint32_t numbers[PORTS];
    if (!tr_vr_number_read(body, "port", PORT_MAX, &numbers[PORT_RTP], e) ||
        !tr_vr_number_read(body, "rtcp_port", PORT_MAX, &numbers[PORT_RTCP], e))
        return false;
    for (int i = 0; i < PORTS; i++) {
        ports[i].feeds = (struct tr_plain_port){ .mline = TR_PLAIN_BY_SSRC,
                                                 .layer = TR_PLAIN_BY_SSRC,
                                                 .rtcp = i == PORT_RTCP };
        ports[i].bind.port = (uint16_t)numbers[i];
        tr_utf8_copy(ports[i].iface, sizeof ports[i].iface, text_of(body, "iface"));
    }
    if (group && tr_addr_parse_ip(&ports[PORT_RTP].group, group, 0) != TR_OK)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (mcast)");
    struct tr_media_plain_conf conf = {
        .tracks = source->tracks,
        .tracks_count = p->stream_count,
        .ports = ports,
        .ports_count = PORTS,
        .srtp = source->srtp,
        .keys = source->keys,
    };
    enum tr_err err = tr_media_plain_create(source->media, &conf, locals, &source->peer);
    if (err != TR_OK)
        return refuse_ports(e, err);
    for (int i = 0; i < p->stream_count; i++)
        p->streams[i]->end = (struct tr_media_end){ .peer = source->peer, .mline = i };
    return true;
}

static bool set_names(struct tr_vr_publisher *p, const json_t *body)
{
    const char *display = json_string_value(json_object_get(body, "display"));
    json_t *metadata = json_object_get(body, "metadata");
    char *copy = display ? tr_strdup(display) : NULL;
    if (copy) {
        tr_free(p->display);
        p->display = copy;
    }
    if (metadata) {
        json_decref(p->metadata);
        p->metadata = json_incref(metadata);
    }
    return display || metadata;
}

static bool check_names(const json_t *body, struct tr_vr_error *e)
{
    const json_t *metadata = json_object_get(body, "metadata");
    if (strlen(text_of(body, "display")) > TR_VR_TEXT_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (display is too long)");
    return !metadata || json_dumpb(metadata, NULL, 0, JSON_COMPACT) <= TR_VR_METADATA_MAX ||
           tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (metadata is too long)");
}

static bool fill(struct tr_vr_publisher *p, const struct tr_msg *msg, struct tr_addr *locals,
                 struct tr_vr_error *e)
{
    const json_t *one;
    size_t i;
    p->remote = true;
    p->record = p->room->conf.record;
    p->source = tr_alloc(sizeof *p->source);
    if (!p->source)
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
    p->source->media = tr_gateway_media(msg->gw);
    set_names(p, msg->body);
    if (!tr_vr_srtp_read(msg->body, &p->source->srtp, &p->source->keys, e))
        return false;
    json_array_foreach(json_object_get(msg->body, "streams"), i, one)
    {
        if (!add_stream(p, one, e))
            return false;
    }
    return open_source(p, msg->body, locals, e);
}

static bool check_new(const json_t *body, struct tr_vr_error *e)
{
    static const struct tr_field fields[] = {
        { "display", TR_FIELD_STRING, false },     { "mcast", TR_FIELD_STRING, false },
        { "iface", TR_FIELD_STRING, false },       { "port", TR_FIELD_UINT, false },
        { "rtcp_port", TR_FIELD_UINT, false },     { "streams", TR_FIELD_ARRAY, true },
        { "metadata", TR_FIELD_OBJECT, false },    { "srtp_suite", TR_FIELD_UINT, false },
        { "srtp_crypto", TR_FIELD_STRING, false }, { NULL, TR_FIELD_STRING, false },
    };
    if (!tr_vr_check(body, fields, e) || !check_names(body, e))
        return false;
    const json_t *streams = json_object_get(body, "streams");
    if (json_array_size(streams) == 0)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (streams should not be empty)");
    return check_streams(streams, e);
}

json_t *tr_vr_add_remote_publisher(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr *vr = self(plugin);
    struct tr_vr_id id;
    struct tr_vr_error e;
    struct tr_addr locals[PORTS];
    char text[TR_ADDR_STR_MAX];
    bool ok = check_new(msg->body, &e) && tr_vr_id_read(vr, msg->body, "id", false, &id, &e);
    struct tr_vr_room *room = ok ? tr_vr_room_owned(vr, msg->body, &e) : NULL;
    struct tr_vr_publisher *p = room ? tr_vr_publisher_add(room, NULL, &id, &e) : NULL;
    if (p && !fill(p, msg, locals, &e)) {
        tr_vr_publisher_leave(p, NULL, msg->now);
        p = NULL;
    }
    if (!p)
        return tr_vr_error_json(&e);
    p->negotiated = true;
    tr_vr_publisher_up(p, msg->now);
    json_t *data = tr_vr_success_of(p);
    if (!tr_addr_is_any(&locals[PORT_RTP]))
        json_object_set_new(data, "ip", json_string(tr_addr_ip_str(&locals[PORT_RTP], text)));
    json_object_set_new(data, "port", json_integer(locals[PORT_RTP].port));
    json_object_set_new(data, "rtcp_port", json_integer(locals[PORT_RTCP].port));
    return data;
}

/* --- update, remove --- */

static struct tr_vr_publisher *remote_of(struct tr_vr *vr, const json_t *body,
                                         struct tr_vr_error *e)
{
    char text[TR_VR_ID_TEXT];
    struct tr_vr_publisher *p = tr_vr_forward_publisher(vr, body, "id", e);
    if (!p || p->remote)
        return p;
    tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such remote publisher (%s)", tr_vr_id_text(&p->id, text));
    return NULL;
}

/* The key is of the ports, which stay. */
static bool is_same_key(const struct tr_vr_publisher *p, const json_t *body, struct tr_vr_error *e)
{
    enum tr_srtp_profile srtp = p->source->srtp;
    struct tr_srtp_keys keys = p->source->keys;
    if (!tr_vr_srtp_read(body, &srtp, &keys, e))
        return false;
    return (srtp == p->source->srtp && memcmp(&keys, &p->source->keys, sizeof keys) == 0) ||
           tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                      "The SRTP key of a remote publisher cannot be changed");
}

static bool change_stream(struct tr_vr_stream *s, const json_t *one)
{
    const json_t *disabled = json_object_get(one, "disabled");
    bool changed = false;
    if (json_object_get(one, "description"))
        changed = set_description(s, text_of(one, "description"));
    if (disabled && s->kind != TR_SDP_DATA && s->disabled != json_is_true(disabled)) {
        s->disabled = json_is_true(disabled);
        changed = true;
    }
    return changed;
}

/* Streams that are known change, others are added; *changed: who is in the room needs to know. */
static bool update_streams(struct tr_vr_publisher *p, const json_t *list, bool *changed,
                           struct tr_vr_error *e)
{
    int known = p->stream_count;
    const json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        struct tr_vr_stream *s = tr_vr_stream_by_mid(p, text_of(one, "mid"));
        if (s)
            *changed |= change_stream(s, one);
        else if (json_integer_value(json_object_get(one, "mindex")) != p->stream_count)
            return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (mindex should be %d)",
                              p->stream_count);
        else if (!add_stream(p, one, e))
            return false;
    }
    if (p->stream_count == known)
        return true;
    *changed = true;
    for (int k = known; k < p->stream_count; k++)
        p->streams[k]->end = (struct tr_media_end){ .peer = p->source->peer, .mline = k };
    return tr_media_peer_tracks(p->source->media, p->source->peer, p->source->tracks,
                                p->stream_count) == TR_OK ||
           tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
}

json_t *tr_vr_update_remote_publisher(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = {
        { "display", TR_FIELD_STRING, false },     { "metadata", TR_FIELD_OBJECT, false },
        { "streams", TR_FIELD_ARRAY, true },       { "srtp_suite", TR_FIELD_UINT, false },
        { "srtp_crypto", TR_FIELD_STRING, false }, { NULL, TR_FIELD_STRING, false },
    };
    struct tr_vr_error e;
    const json_t *streams = json_object_get(msg->body, "streams");
    bool ok = tr_vr_check(msg->body, fields, &e) && check_names(msg->body, &e) &&
              check_streams(streams, &e);
    struct tr_vr_publisher *p = ok ? remote_of(self(plugin), msg->body, &e) : NULL;
    if (!p || !is_same_key(p, msg->body, &e))
        return tr_vr_error_json(&e);
    bool changed = set_names(p, msg->body);
    ok = update_streams(p, streams, &changed, &e);
    if (changed) {
        tr_vr_publisher_announce(p);
        tr_vr_record_update(p, msg->now);
        tr_vr_subs_published(p, msg->now);
    }
    return ok ? success() : tr_vr_error_json(&e);
}

json_t *tr_vr_remove_remote_publisher(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    struct tr_vr_publisher *p = remote_of(self(plugin), msg->body, &e);
    if (!p)
        return tr_vr_error_json(&e);
    tr_vr_publisher_leave(p, "leaving", msg->now);
    return success();
}

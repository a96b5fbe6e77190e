/* A room's settings are rows of a table: the member of "create", that of "edit", type, place and
 * default. Saving writes the members of a "create"; an edit is that object with the new members
 * laid over it, read again, so that both ways in are checked by the same code. */
#include "plugin/videoroom/room_conf.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/videoroom/impl.h"
#include "plugin/videoroom/reply.h"

enum { BITRATE_MIN = 64000, COUNT_MAX = 1 << 30, LEVEL_MAX = 127 };

struct setting {
    const char *name;     /* in "create" */
    const char *new_name; /* in "edit"; NULL: cannot be edited */
    enum tr_field_type type;
    size_t at;
    const char *text;
    uint32_t number; /* of a UINT; of a BOOL 1: true */
};

#define AT(member) offsetof(struct tr_vr_room_conf, member)
#define TEXT(name, new_name, text)                                                                 \
    {                                                                                              \
#        name, new_name, TR_FIELD_STRING, AT(name), text, 0                                        \
    }
#define UINT(name, member, new_name, number)                                                       \
    {                                                                                              \
        name, new_name, TR_FIELD_UINT, AT(member), NULL, number                                    \
    }
#define FLAG(name, new_name, on)                                                                   \
    {                                                                                              \
#        name, new_name, TR_FIELD_BOOL, AT(name), NULL, on                                         \
    }

static const struct setting settings[] = {
    TEXT(description, "new_description", ""),
    TEXT(secret, "new_secret", ""),
    TEXT(pin, "new_pin", ""),
    TEXT(rec_dir, "new_rec_dir", ""),
    TEXT(audiocodec, NULL, "opus"),
    TEXT(videocodec, NULL, "vp8"),
    TEXT(vp9_profile, NULL, ""),
    TEXT(h264_profile, NULL, ""),
    UINT("publishers", publishers_max, "new_publishers", 3),
    UINT("bitrate", bitrate, "new_bitrate", 0),
    UINT("fir_freq", fir_freq, "new_fir_freq", 0),
    UINT("audio_active_packets", audio_active_packets, NULL, 100),
    UINT("audio_level_average", audio_level_average, NULL, 25),
    UINT("audio_speakers", audio_speakers, NULL, 0),
    FLAG(is_private, "new_is_private", false),
    FLAG(require_pvtid, "new_require_pvtid", false),
    FLAG(require_e2ee, NULL, false),
    FLAG(signed_tokens, NULL, false),
    FLAG(notify_joining, NULL, false),
    FLAG(bitrate_cap, NULL, false),
    FLAG(opus_fec, NULL, true),
    FLAG(opus_dtx, NULL, false),
    FLAG(audiolevel_ext, NULL, true),
    FLAG(audiolevel_event, NULL, false),
    FLAG(videoorient_ext, NULL, true),
    FLAG(playoutdelay_ext, NULL, true),
    FLAG(transport_wide_cc_ext, NULL, true),
    FLAG(record, NULL, false),
    FLAG(lock_record, "new_lock_record", false),
    FLAG(dummy_publisher, NULL, false),
    FLAG(dummy_e2ee, NULL, false),
    { .name = NULL },
};

static char **text_of(const struct tr_vr_room_conf *conf, const struct setting *s)
{
    return (char **)(void *)((char *)(uintptr_t)conf + s->at);
}

static uint32_t *number_of(const struct tr_vr_room_conf *conf, const struct setting *s)
{
    return (uint32_t *)(void *)((char *)(uintptr_t)conf + s->at);
}

static bool *flag_of(const struct tr_vr_room_conf *conf, const struct setting *s)
{
    return (bool *)((char *)(uintptr_t)conf + s->at);
}

void tr_vr_room_conf_free(struct tr_vr_room_conf *conf)
{
    for (const struct setting *s = settings; s->name; s++) {
        if (s->type == TR_FIELD_STRING)
            tr_free(*text_of(conf, s));
    }
    json_decref(conf->dummy_streams);
    *conf = (struct tr_vr_room_conf){ 0 };
}

/* --- reading --- */

static bool set_text(struct tr_vr_room_conf *conf, const struct setting *s, const char *text,
                     struct tr_vr_error *e)
{
    if (strlen(text) > TR_VR_TEXT_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (%s should have %d bytes at most)", s->name,
                          TR_VR_TEXT_MAX);
    *text_of(conf, s) = tr_strdup(text);
    return *text_of(conf, s) || tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
}

static bool set(struct tr_vr_room_conf *conf, const struct setting *s, const json_t *body,
                struct tr_vr_error *e)
{
    const struct tr_field field[] = { { s->name, s->type, false }, { NULL } };
    const json_t *v = json_object_get(body, s->name);
    if (!tr_vr_check(body, field, e))
        return false;
    if (s->type == TR_FIELD_STRING)
        return set_text(conf, s, json_is_string(v) ? json_string_value(v) : s->text, e);
    if (s->type == TR_FIELD_BOOL) {
        *flag_of(conf, s) = json_is_boolean(v) ? json_is_true(v) : s->number != 0;
        return true;
    }
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : (json_int_t)s->number;
    *number_of(conf, s) = n < COUNT_MAX ? (uint32_t)n : COUNT_MAX;
    return true;
}

/* One name of a list of codecs: false when there is no such codec in the API. */
static bool add_codec(struct tr_vr_codecs *codecs, struct tr_slice name, bool video)
{
    enum tr_codec codec = tr_codec_from_name(name);
    /* known to the API, not to this build */
    bool isac = !video && name.n == 6 &&
                (memcmp(name.p, "isac16", 6) == 0 || memcmp(name.p, "isac32", 6) == 0);
    bool kind = video ? tr_codec_is_video(codec) : tr_codec_is_audio(codec);
    if (isac)
        return true;
    if (!kind || !tr_vr_codec_name(codec)[0])
        return false;
    codecs->list[codecs->count++] = codec;
    return true;
}

static bool read_codecs(struct tr_vr_codecs *codecs, const char *list, bool video)
{
    for (int i = 0; i < TR_VR_CODECS_MAX; i++) {
        size_t n = strcspn(list, ",");
        if (!add_codec(codecs, tr_slice(list, n), video))
            return false;
        if (!list[n])
            return true;
        list += n + 1;
    }
    return false;
}

static bool check_codecs(struct tr_vr_room_conf *conf, struct tr_vr_error *e)
{
    if (!read_codecs(&conf->audio, conf->audiocodec, false))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (audiocodec can only be or contain opus, multiopus, "
                          "isac32, isac16, g722, pcmu, pcma or l16)");
    if (!read_codecs(&conf->video, conf->videocodec, true))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (videocodec can only be or contain vp8, vp9, h264, "
                          "av1 or h265)");
    return true;
}

static bool keep_dummy_streams(struct tr_vr_room_conf *conf, const json_t *body,
                               struct tr_vr_error *e)
{
    static const struct tr_field fields[] = { { "dummy_streams", TR_FIELD_ARRAY, false },
                                              { NULL } };
    static const struct tr_field stream_fields[] = { { "codec", TR_FIELD_STRING, true },
                                                     { "fmtp", TR_FIELD_STRING, false },
                                                     { NULL } };
    const json_t *streams = json_object_get(body, "dummy_streams");
    const json_t *stream;
    size_t i;
    if (!tr_vr_check(body, fields, e))
        return false;
    if (!json_is_array(streams))
        return true;
    if (json_array_size(streams) > TR_PC_MLINES_MAX)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (dummy_streams: %d at most)",
                          TR_PC_MLINES_MAX);
    json_array_foreach(streams, i, stream)
    {
        if (!tr_vr_check(stream, stream_fields, e))
            return false;
    }
    conf->dummy_streams = json_deep_copy(streams);
    return true;
}

bool tr_vr_room_conf_read(struct tr_vr_room_conf *conf, const json_t *body, struct tr_vr_error *e)
{
    bool ok = true;
    *conf = (struct tr_vr_room_conf){ 0 };
    for (const struct setting *s = settings; s->name && ok; s++)
        ok = set(conf, s, body, e);
    ok = ok && check_codecs(conf, e) && keep_dummy_streams(conf, body, e);
    if (!ok) {
        tr_vr_room_conf_free(conf);
        return false;
    }
    if (conf->bitrate > 0 && conf->bitrate < BITRATE_MIN)
        conf->bitrate = BITRATE_MIN; /* below it not even sound comes through */
    if (conf->audio_speakers > TR_VR_SPEAKERS_MAX)
        conf->audio_speakers = TR_VR_SPEAKERS_MAX;
    if (conf->audio_level_average > LEVEL_MAX)
        conf->audio_level_average = LEVEL_MAX;
    return true;
}

bool tr_vr_room_conf_edit(struct tr_vr_room_conf *conf, const json_t *body, struct tr_vr_error *e)
{
    struct tr_vr_room_conf edited;
    json_t *all = tr_vr_room_conf_save(conf);
    bool ok = true;
    for (const struct setting *s = settings; s->name && ok; s++) {
        const struct tr_field field[] = { { s->new_name, s->type, false }, { NULL } };
        json_t *v = s->new_name ? json_object_get(body, s->new_name) : NULL;
        if (!v || json_is_null(v))
            continue;
        ok = tr_vr_check(body, field, e);
        json_object_set(all, s->name, v);
    }
    ok = ok && tr_vr_room_conf_read(&edited, all, e);
    json_decref(all);
    if (!ok)
        return false;
    tr_vr_room_conf_free(conf);
    *conf = edited;
    return true;
}

uint32_t tr_vr_room_conf_exts_off(const struct tr_vr_room_conf *conf)
{
    return (conf->audiolevel_ext ? 0 : 1u << TR_EXT_AUDIO_LEVEL) |
           (conf->videoorient_ext ? 0 : 1u << TR_EXT_VIDEO_ORIENTATION) |
           (conf->playoutdelay_ext ? 0 : 1u << TR_EXT_PLAYOUT_DELAY) |
           (conf->transport_wide_cc_ext ? 0 : 1u << TR_EXT_TRANSPORT_CC);
}

/* --- writing --- */

static json_t *value_of(const struct tr_vr_room_conf *conf, const struct setting *s)
{
    if (s->type == TR_FIELD_STRING)
        return json_string(*text_of(conf, s));
    return s->type == TR_FIELD_BOOL ? json_boolean(*flag_of(conf, s))
                                    : json_integer(*number_of(conf, s));
}

json_t *tr_vr_room_conf_save(const struct tr_vr_room_conf *conf)
{
    json_t *o = json_object();
    for (const struct setting *s = settings; s->name; s++)
        json_object_set_new(o, s->name, value_of(conf, s));
    if (conf->dummy_streams)
        json_object_set(o, "dummy_streams", conf->dummy_streams);
    return o;
}

/* What only those who know the secret, or nobody, should learn. */
static bool is_told(const struct setting *s)
{
    static const char *const hidden[] = { "secret",       "pin",        "vp9_profile",
                                          "h264_profile", "publishers", "signed_tokens",
                                          "dummy_e2ee",   NULL };
    for (const char *const *h = hidden; *h; h++) {
        if (strcmp(*h, s->name) == 0)
            return false;
    }
    return true;
}

void tr_vr_room_conf_tell(const struct tr_vr_room_conf *conf, json_t *object)
{
    for (const struct setting *s = settings; s->name; s++) {
        bool empty = s->type == TR_FIELD_STRING && !(*text_of(conf, s))[0];
        if (is_told(s) && !empty)
            json_object_set_new(object, s->name, value_of(conf, s));
    }
    json_object_set_new(object, "pin_required", json_boolean(conf->pin[0]));
    json_object_set_new(object, "max_publishers", json_integer(conf->publishers_max));
}

/* META records: a flat JSON object, by jansson. Numbers are range checked here so that nobody
 * behind has to; text is cut, never refused, since a long label must not cost a recording. */
#include "record/meta.h"

#include <jansson.h>
#include <string.h>

static const char *const kind_names[] = { "audio", "video", "data" };

enum tr_err tr_meta_encode(const struct tr_meta *meta, struct tr_buf buf, struct tr_slice *json)
{
    json_t *o =
        json_pack("{s:s, s:s, s:i, s:I, s:i, s:I, s:i}", "kind", kind_names[meta->kind], "codec",
                  meta->codec, "pt", meta->pt, "clock", (json_int_t)meta->clock, "channels",
                  meta->channels, "ssrc", (json_int_t)meta->ssrc, "participant", meta->participant);
    if (!o)
        return TR_ERR_NOMEM;
    const struct {
        const char *name, *value;
    } texts[] = { { "fmtp", meta->fmtp },
                  { "mid", meta->mid },
                  { "label", meta->label },
                  { "mjr", meta->mjr },
                  { "role", meta->role } };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        /* text that is no UTF-8 is left out: set_new then gets NULL and refuses */
        if (texts[i].value[0])
            json_object_set_new(o, texts[i].name, json_string(texts[i].value));
    }
    size_t n = json_dumpb(o, (char *)buf.p, buf.n, JSON_COMPACT);
    json_decref(o);
    *json = tr_slice(buf.p, n);
    return n == 0 || n > buf.n ? TR_ERR_LIMIT : TR_OK;
}

/* Cuts at a character's start, so that what was UTF-8 stays it. */
static void get_text(const json_t *o, const char *name, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(o, name));
    size_t n = s ? strlen(s) : 0;
    if (n >= size) {
        n = size - 1;
        while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
            n--;
    }
    if (n)
        memcpy(out, s, n);
    out[n] = 0;
}

static bool get_int(const json_t *o, const char *name, bool needed, json_int_t max, json_int_t *out)
{
    const json_t *v = json_object_get(o, name);
    *out = 0;
    if (!v)
        return !needed;
    *out = json_integer_value(v);
    return json_is_integer(v) && *out >= 0 && *out <= max;
}

static bool get_kind(const json_t *o, enum tr_meta_kind *out)
{
    const char *s = json_string_value(json_object_get(o, "kind"));
    for (unsigned i = 0; s && i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (strcmp(s, kind_names[i]) == 0) {
            *out = (enum tr_meta_kind)i;
            return true;
        }
    }
    return false;
}

static bool decode(struct tr_meta *meta, const json_t *o)
{
    json_int_t pt, clock, channels, ssrc, participant;
    if (!json_is_object(o) || !get_kind(o, &meta->kind) || !get_int(o, "pt", false, 127, &pt) ||
        !get_int(o, "clock", true, 384000, &clock) || clock < 1000 ||
        !get_int(o, "channels", false, 8, &channels) ||
        !get_int(o, "ssrc", false, UINT32_MAX, &ssrc) ||
        !get_int(o, "participant", true, TR_META_PARTICIPANT_MAX, &participant))
        return false;
    meta->pt = (uint8_t)pt;
    meta->clock = (uint32_t)clock;
    meta->channels = (uint8_t)channels;
    meta->ssrc = (uint32_t)ssrc;
    meta->participant = (uint16_t)participant;
    get_text(o, "codec", meta->codec, sizeof(meta->codec));
    get_text(o, "fmtp", meta->fmtp, sizeof(meta->fmtp));
    get_text(o, "mid", meta->mid, sizeof(meta->mid));
    get_text(o, "label", meta->label, sizeof(meta->label));
    get_text(o, "mjr", meta->mjr, sizeof(meta->mjr));
    get_text(o, "role", meta->role, sizeof(meta->role));
    return true;
}

enum tr_err tr_meta_decode(struct tr_meta *meta, struct tr_slice json)
{
    json_t *o = json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    memset(meta, 0, sizeof(*meta));
    bool ok = o && decode(meta, o);
    json_decref(o);
    return ok ? TR_OK : TR_ERR_BADMSG;
}

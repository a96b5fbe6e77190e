/* Forwarders of a publisher's streams. Those of one request are all made or none. A stream that is
 * muted is not forwarded either. */
#include "plugin/videoroom/forward.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/rng.h"
#include "plugin/videoroom/forward_impl.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/room.h"

enum { PORT_MAX = 65535, PT_MAX = 127, LAYERS = TR_TRACK_LAYERS };

/* --- what requests say --- */

bool tr_vr_number_read(const json_t *body, const char *name, uint32_t max, uint32_t *out,
                       struct tr_vr_error *e)
{
    json_int_t n = json_integer_value(json_object_get(body, name));
    *out = (uint32_t)n;
    if (n >= 0 && n <= max)
        return true;
    return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (%s should be at most %u)", name,
                      (unsigned)max);
}

/* As in SDES: a key and a salt of 30 bytes; what follows is left aside. */
static bool decode_key(const char *text, struct tr_srtp_keys *keys)
{
    enum { KEY = 16, SALT = 14, CHARS = 40, TEXT_MAX = 256 };
    uint8_t raw[TEXT_MAX];
    size_t n = strlen(text);
    if (n < CHARS || n > TEXT_MAX ||
        EVP_DecodeBlock(raw, (const unsigned char *)text, CHARS) != KEY + SALT)
        return false;
    *keys = (struct tr_srtp_keys){ 0 };
    memcpy(keys->key, raw, KEY);
    memcpy(keys->salt, raw + KEY, SALT);
    return true;
}

bool tr_vr_srtp_read(const json_t *body, enum tr_srtp_profile *srtp, struct tr_srtp_keys *keys,
                     struct tr_vr_error *e)
{
    json_t *suite = json_object_get(body, "srtp_suite");
    const char *crypto = json_string_value(json_object_get(body, "srtp_crypto"));
    if (!suite && !crypto)
        return true;
    if (!suite || !crypto) /* nobody who names a key wants to be heard in the clear */
        return tr_vr_fail(e, TR_VR_MISSING_ELEMENT, "Missing mandatory element (%s)",
                          suite ? "srtp_crypto" : "srtp_suite");
    json_int_t bits = json_integer_value(suite);
    if (bits != 32 && bits != 80)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid SRTP suite (%d)", (int)bits);
    if (!decode_key(crypto, keys))
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                          "Invalid element (srtp_crypto should be 30 bytes in base64)");
    *srtp = bits == 32 ? TR_SRTP_AES128_CM_SHA1_32 : TR_SRTP_AES128_CM_SHA1_80;
    return true;
}

bool tr_vr_destination_read(const json_t *body, struct tr_forward_conf *to, struct tr_vr_error *e)
{
    const char *host = json_string_value(json_object_get(body, "host"));
    const char *family = json_string_value(json_object_get(body, "host_family"));
    if (host)
        to->host = host;
    if (family && strcasecmp(family, "ipv4") == 0)
        to->family = 4;
    else if (family && strcasecmp(family, "ipv6") == 0)
        to->family = 6;
    else if (family)
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Unsupported protocol family (%.16s)", family);
    return tr_vr_srtp_read(body, &to->srtp, &to->keys, e);
}

bool tr_vr_forward_allowed(const struct tr_vr *vr, const json_t *body, struct tr_vr_error *e)
{
    const char *key = vr->conf.admin_key;
    if (vr->conf.lock_rtp_forward && !(key && key[0]))
        return tr_vr_fail(e, TR_VR_UNAUTHORIZED,
                          "Unauthorized (this server has no admin_key, so nothing is forwarded)");
    return !vr->conf.lock_rtp_forward || tr_vr_secret_ok(body, "admin_key", key, e);
}

struct tr_vr_publisher *tr_vr_forward_publisher(struct tr_vr *vr, const json_t *body,
                                                const char *name, struct tr_vr_error *e)
{
    struct tr_vr_id id;
    char text[TR_VR_ID_TEXT];
    struct tr_vr_room *room =
        tr_vr_id_read(vr, body, name, true, &id, e) ? tr_vr_room_owned(vr, body, e) : NULL;
    struct tr_vr_publisher *p = room ? tr_vr_publisher_find(room, &id) : NULL;
    if (room && !p)
        tr_vr_fail(e, TR_VR_NO_SUCH_FEED, "No such feed (%s)", tr_vr_id_text(&id, text));
    return p;
}

/* --- the lists of a publisher --- */

struct tr_vr_forwards *tr_vr_forwards_of(struct tr_vr_publisher *p, struct tr_media *media,
                                         struct tr_vr_error *e)
{
    if (p->forwards)
        return p->forwards;
    p->forwards = tr_alloc(sizeof *p->forwards);
    if (!p->forwards) {
        tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
        return NULL;
    }
    p->forwards->media = media;
    TAILQ_INIT(&p->forwards->list);
    TAILQ_INIT(&p->forwards->remotes);
    return p->forwards;
}

static bool is_taken(const struct tr_vr_forwards *all, uint32_t id)
{
    const struct tr_vr_forward *f;
    TAILQ_FOREACH(f, &all->list, of_publisher)
    {
        if (f->id == id)
            return true;
    }
    return id == 0;
}

static bool refuse(struct tr_vr_error *e, enum tr_err err, const struct tr_forward_conf *conf)
{
    switch ((int)err) {
    case TR_ERR_INVAL:
        return tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (host or port)");
    case TR_ERR_EXISTS:
        return tr_vr_fail(
            e, TR_VR_INVALID_ELEMENT,
            "This SRTP key was used with SSRC %u before, and a second time would give "
            "both streams away: give another key or SSRC",
            (unsigned)conf->ssrc);
    case TR_ERR_LIMIT: return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Too many forwarders");
    default:
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "The forwarder could not be made (%s)",
                          tr_err_str(err));
    }
}

struct tr_vr_forward *tr_vr_forward_add(struct tr_vr_stream *s, struct tr_media *media,
                                        const struct tr_forward_conf *conf,
                                        struct tr_vr_remote *remote, struct tr_vr_error *e)
{
    struct tr_vr_publisher *p = s->publisher;
    struct tr_vr_forwards *all = tr_vr_forwards_of(p, media, e);
    enum tr_err err = all && all->count == TR_VR_FORWARDS_MAX ? TR_ERR_LIMIT : TR_ERR_NOMEM;
    struct tr_vr_forward *f = all && all->count < TR_VR_FORWARDS_MAX ? tr_alloc(sizeof *f) : NULL;
    if (f) {
        f->conf = *conf;
        f->conf.paused = !tr_vr_stream_flows(s);
        f->host = tr_strdup(conf->host);
        f->conf.host = f->host;
        f->stream = s;
        f->remote = remote;
    }
    if (f && f->host)
        err = tr_media_forward_create(media, s->end, &f->conf, &f->forward);
    if (!f || err != TR_OK) {
        refuse(e, err, conf);
        if (f)
            tr_free(f->host);
        tr_free(f);
        return NULL;
    }
    do
        f->id = tr_rng_u32(p->room->vr->conf.rng) & 0x7fffffff;
    while (is_taken(all, f->id));
    TAILQ_INSERT_TAIL(&all->list, f, of_publisher);
    all->count++;
    return f;
}

void tr_vr_forward_remove(struct tr_vr_publisher *p, struct tr_vr_forward *f)
{
    tr_media_forward_close(p->forwards->media, f->forward);
    TAILQ_REMOVE(&p->forwards->list, f, of_publisher);
    p->forwards->count--;
    tr_free(f->host);
    tr_free(f);
}

void tr_vr_forwards_end(struct tr_vr_publisher *p)
{
    struct tr_vr_forward *f;
    struct tr_vr_remote *r;
    if (!p->forwards)
        return;
    while ((r = TAILQ_FIRST(&p->forwards->remotes)))
        tr_vr_remote_remove(p, r);
    while ((f = TAILQ_FIRST(&p->forwards->list)))
        tr_vr_forward_remove(p, f);
    tr_free(p->forwards);
    p->forwards = NULL;
}

void tr_vr_forwards_flow(const struct tr_vr_stream *s)
{
    const struct tr_vr_forwards *all = s->publisher->forwards;
    const struct tr_vr_forward *f;
    if (!all)
        return;
    TAILQ_FOREACH(f, &all->list, of_publisher)
    {
        if (f->stream == s)
            tr_media_forward_pause(all->media, f->forward, !tr_vr_stream_flows(s));
    }
}

/* --- rtp_forward --- */

struct wish { /* one forwarder that a request asks for */
    struct tr_vr_stream *stream;
    struct tr_forward_conf conf;
    const char *legacy; /* its members in the answer of the single-feed form: "video", "_2" */
    const char *suffix;
};

enum { WISHES_MAX = TR_VR_FORWARDS_MAX };

struct wishes {
    struct wish list[WISHES_MAX];
    int count;
};

static bool add_wish(struct wishes *all, const struct wish *w, struct tr_vr_error *e)
{
    if (!w->stream || w->conf.port == 0)
        return true; /* as the field does it: nothing to forward is no error */
    if (all->count == WISHES_MAX)
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Too many forwarders");
    all->list[all->count++] = *w;
    return true;
}

/* Port, SSRC and payload type of one layer; prefix and suffix make up the names. */
static bool read_layer(const json_t *body, const char *prefix, const char *suffix,
                       struct tr_forward_conf *conf, struct tr_vr_error *e)
{
    char name[32];
    uint32_t port, pt;
    snprintf(name, sizeof name, "%sport%s", prefix, suffix);
    if (!tr_vr_number_read(body, name, PORT_MAX, &port, e))
        return false;
    snprintf(name, sizeof name, "%sssrc%s", prefix, suffix);
    if (!tr_vr_number_read(body, name, UINT32_MAX, &conf->ssrc, e))
        return false;
    snprintf(name, sizeof name, "%spt%s", prefix, suffix);
    if (!tr_vr_number_read(body, name, PT_MAX, &pt, e))
        return false;
    conf->port = (uint16_t)port;
    conf->pt = (uint8_t)pt;
    return true;
}

/* A forwarder for each layer that has a port; for a plain viewer the best layer alone. */
static bool read_layers(const json_t *body, const char *prefix, struct wish w, struct wishes *all,
                        struct tr_vr_error *e)
{
    static const char *const suffixes[LAYERS] = { "", "_2", "_3" };
    char name[32];
    uint32_t rtcp_port;
    bool best = json_is_true(json_object_get(body, "simulcast"));
    bool video = w.stream && w.stream->kind == TR_SDP_VIDEO;
    snprintf(name, sizeof name, "%srtcp_port", prefix);
    if (!tr_vr_number_read(body, name, PORT_MAX, &rtcp_port, e))
        return false;
    for (int i = 0; i < (video && !best ? LAYERS : 1); i++) {
        w.suffix = suffixes[i];
        w.conf.layer = video && best ? TR_FORWARD_BEST : i;
        w.conf.rtcp_port = i == 0 ? (uint16_t)rtcp_port : 0;
        if (!read_layer(body, prefix, w.suffix, &w.conf, e) || !add_wish(all, &w, e))
            return false;
    }
    return true;
}

static const struct tr_field stream_fields[] = {
    { "mid", TR_FIELD_STRING, true },
    { "host", TR_FIELD_STRING, false },
    { "host_family", TR_FIELD_STRING, false },
    { "port", TR_FIELD_UINT, true },
    { "rtcp_port", TR_FIELD_UINT, false },
    { "ssrc", TR_FIELD_UINT, false },
    { "pt", TR_FIELD_UINT, false },
    { "simulcast", TR_FIELD_BOOL, false },
    { "srtp_suite", TR_FIELD_UINT, false },
    { "srtp_crypto", TR_FIELD_STRING, false },
    { "port_2", TR_FIELD_UINT, false },
    { "ssrc_2", TR_FIELD_UINT, false },
    { "pt_2", TR_FIELD_UINT, false },
    { "port_3", TR_FIELD_UINT, false },
    { "ssrc_3", TR_FIELD_UINT, false },
    { "pt_3", TR_FIELD_UINT, false },
    { NULL, TR_FIELD_STRING, false },
};

uint8_t tr_vr_forward_level_id(const struct tr_vr_stream *s)
{
    const struct tr_vr_session *session = s->publisher->session;
    const struct tr_sdp_media_params *m = session ? tr_pc_mline(session->handle, s->mindex) : NULL;
    uint8_t id = m ? m->ext_recv.id[TR_EXT_AUDIO_LEVEL] : 0;
    return id <= 14 ? id : 0;
}

static void fill_wish(struct wish *w, struct tr_vr_stream *s, const struct tr_forward_conf *to)
{
    *w = (struct wish){ .conf = *to };
    if (!s || s->kind == TR_SDP_DATA || !s->end.peer)
        return; /* data channels are not forwarded */
    w->stream = s;
    w->conf.audio_level_id = tr_vr_forward_level_id(s);
}

static bool read_streams(const struct tr_vr_publisher *p, const json_t *list,
                         const struct tr_forward_conf *to, struct wishes *all,
                         struct tr_vr_error *e)
{
    const json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        struct wish w;
        if (!tr_vr_check(one, stream_fields, e))
            return false;
        const char *mid = json_string_value(json_object_get(one, "mid"));
        fill_wish(&w, tr_vr_stream_by_mid(p, mid), to);
        if (!tr_vr_destination_read(one, &w.conf, e) || !read_layers(one, "", w, all, e))
            return false;
    }
    return true;
}

static struct tr_vr_stream *first_of(const struct tr_vr_publisher *p, enum tr_sdp_kind kind)
{
    for (int i = 0; i < p->stream_count; i++) {
        if (p->streams[i]->kind == kind)
            return p->streams[i];
    }
    return NULL;
}

static bool read_legacy(const struct tr_vr_publisher *p, const json_t *body,
                        const struct tr_forward_conf *to, struct wishes *all, struct tr_vr_error *e)
{
    struct wish audio, video;
    fill_wish(&audio, first_of(p, TR_SDP_AUDIO), to);
    fill_wish(&video, first_of(p, TR_SDP_VIDEO), to);
    audio.legacy = "audio";
    video.legacy = "video";
    return read_layers(body, "audio_", audio, all, e) && read_layers(body, "video_", video, all, e);
}

static json_t *forward_json(const struct tr_vr_forwards *all, const struct tr_vr_forward *f)
{
    struct tr_forward_info info;
    char text[TR_ADDR_STR_MAX];
    if (!tr_media_forward_info(all->media, f->forward, &info))
        return NULL;
    const char *host = info.state == TR_FORWARD_READY ? tr_addr_ip_str(&info.to, text) : f->host;
    json_t *o = json_pack("{s:I,s:s,s:i,s:s}", "stream_id", (json_int_t)f->id, "host", host, "port",
                          (int)f->conf.port, "type", tr_vr_kind_name(f->stream->kind));
    if (info.local_rtcp_port)
        json_object_set_new(o, "local_rtcp_port", json_integer(info.local_rtcp_port));
    if (f->conf.rtcp_port)
        json_object_set_new(o, "remote_rtcp_port", json_integer(f->conf.rtcp_port));
    if (f->conf.pt)
        json_object_set_new(o, "pt", json_integer(f->conf.pt));
    if (info.ssrc)
        json_object_set_new(o, "ssrc", json_integer((json_int_t)info.ssrc));
    if (f->conf.layer > 0)
        json_object_set_new(o, "substream", json_integer(f->conf.layer));
    if (f->conf.srtp != TR_SRTP_NONE)
        json_object_set_new(o, "srtp", json_true());
    return o;
}

/* What clients of the single-feed form look at. */
static void add_legacy(json_t *o, const struct wish *w, const struct tr_vr_forward *f)
{
    char name[32];
    snprintf(name, sizeof name, "%s_stream_id%s", w->legacy, w->suffix);
    json_object_set_new(o, name, json_integer((json_int_t)f->id));
    snprintf(name, sizeof name, "%s%s", w->legacy, w->suffix);
    json_object_set_new(o, name, json_integer(f->conf.port));
    if (f->conf.rtcp_port && f->stream->kind == TR_SDP_VIDEO)
        json_object_set_new(o, "video_rtcp", json_integer(f->conf.rtcp_port));
}

/* All of them, or none. */
static bool obey(struct tr_vr_publisher *p, struct tr_media *media, const struct wishes *all,
                 json_t *list, json_t *legacy, struct tr_vr_error *e)
{
    struct tr_vr_forward *made[WISHES_MAX];
    for (int i = 0; i < all->count; i++) {
        const struct wish *w = &all->list[i];
        made[i] = tr_vr_forward_add(w->stream, media, &w->conf, NULL, e);
        if (!made[i]) {
            while (i > 0)
                tr_vr_forward_remove(p, made[--i]);
            return false;
        }
        json_array_append_new(list, forward_json(p->forwards, made[i]));
        if (w->legacy)
            add_legacy(legacy, w, made[i]);
    }
    return true;
}

static json_t *forward_all(struct tr_vr_publisher *p, const struct tr_msg *msg,
                           const struct tr_forward_conf *to, struct tr_vr_error *e)
{
    struct wishes *all = tr_alloc(sizeof *all);
    const json_t *streams = json_object_get(msg->body, "streams");
    bool many = json_array_size(streams) > 0;
    json_t *list = json_array(), *legacy = json_pack("{s:s}", "warning", "deprecated_api");
    bool ok = all || tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
    ok =
        ok && (many ? read_streams(p, streams, to, all, e) : read_legacy(p, msg->body, to, all, e));
    ok = ok && obey(p, tr_gateway_media(msg->gw), all, list, legacy, e);
    tr_free(all);
    json_t *data = ok ? tr_vr_data("rtp_forward", p->room) : NULL;
    if (data) {
        json_object_set_new(data, "publisher_id", tr_vr_id_json(&p->id));
        json_object_set_new(legacy, "host", json_string(to->host));
        json_object_set(data, many ? "forwarders" : "rtp_stream", many ? list : legacy);
    }
    json_decref(list);
    json_decref(legacy);
    return data;
}

json_t *tr_vr_rtp_forward(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = {
        { "host", TR_FIELD_STRING, true },         { "host_family", TR_FIELD_STRING, false },
        { "simulcast", TR_FIELD_BOOL, false },     { "srtp_suite", TR_FIELD_UINT, false },
        { "srtp_crypto", TR_FIELD_STRING, false }, { "streams", TR_FIELD_ARRAY, false },
        { "video_port", TR_FIELD_UINT, false },    { "video_rtcp_port", TR_FIELD_UINT, false },
        { "video_ssrc", TR_FIELD_UINT, false },    { "video_pt", TR_FIELD_UINT, false },
        { "video_port_2", TR_FIELD_UINT, false },  { "video_ssrc_2", TR_FIELD_UINT, false },
        { "video_pt_2", TR_FIELD_UINT, false },    { "video_port_3", TR_FIELD_UINT, false },
        { "video_ssrc_3", TR_FIELD_UINT, false },  { "video_pt_3", TR_FIELD_UINT, false },
        { "audio_port", TR_FIELD_UINT, false },    { "audio_rtcp_port", TR_FIELD_UINT, false },
        { "audio_ssrc", TR_FIELD_UINT, false },    { "audio_pt", TR_FIELD_UINT, false },
        { "data_port", TR_FIELD_UINT, false },     { NULL, TR_FIELD_STRING, false },
    };
    struct tr_vr *vr = (struct tr_vr *)plugin;
    struct tr_forward_conf to = { 0 };
    struct tr_vr_error e;
    bool ok = tr_vr_check(msg->body, fields, &e) && tr_vr_forward_allowed(vr, msg->body, &e) &&
              tr_vr_destination_read(msg->body, &to, &e);
    struct tr_vr_publisher *p =
        ok ? tr_vr_forward_publisher(vr, msg->body, "publisher_id", &e) : NULL;
    json_t *data = p ? forward_all(p, msg, &to, &e) : NULL;
    return data ? data : tr_vr_error_json(&e);
}

/* --- stop_rtp_forward, listforwarders --- */

static struct tr_vr_forward *find(const struct tr_vr_publisher *p, json_int_t id)
{
    struct tr_vr_forward *f;
    if (!p->forwards)
        return NULL;
    TAILQ_FOREACH(f, &p->forwards->list, of_publisher)
    {
        if (f->id == id && !f->remote)
            return f;
    }
    return NULL;
}

json_t *tr_vr_stop_rtp_forward(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = { { "stream_id", TR_FIELD_UINT, true },
                                              { NULL, TR_FIELD_STRING, false } };
    struct tr_vr *vr = (struct tr_vr *)plugin;
    struct tr_vr_error e;
    bool ok = tr_vr_check(msg->body, fields, &e) && tr_vr_forward_allowed(vr, msg->body, &e);
    struct tr_vr_publisher *p =
        ok ? tr_vr_forward_publisher(vr, msg->body, "publisher_id", &e) : NULL;
    json_int_t id = json_integer_value(json_object_get(msg->body, "stream_id"));
    struct tr_vr_forward *f = p ? find(p, id) : NULL;
    if (p && !f)
        tr_vr_fail(&e, TR_VR_NO_SUCH_FEED, "No such stream (%lld)", (long long)id);
    if (!f)
        return tr_vr_error_json(&e);
    tr_vr_forward_remove(p, f);
    json_t *data = tr_vr_data("stop_rtp_forward", p->room);
    json_object_set_new(data, "publisher_id", tr_vr_id_json(&p->id));
    json_object_set_new(data, "stream_id", json_integer(id));
    return data;
}

/* NULL: it has none of its own. */
static json_t *forwarders_of(const struct tr_vr_publisher *p)
{
    const struct tr_vr_forward *f;
    if (!p->forwards)
        return NULL;
    json_t *list = json_array();
    TAILQ_FOREACH(f, &p->forwards->list, of_publisher)
    {
        if (!f->remote)
            json_array_append_new(list, forward_json(p->forwards, f));
    }
    json_t *o = json_pack("{s:o}", "publisher_id", tr_vr_id_json(&p->id));
    tr_vr_add_names(o, p);
    json_object_set(o, "forwarders", list);
    if (json_array_size(list) == 0) {
        json_decref(o);
        o = NULL;
    }
    json_decref(list);
    return o;
}

json_t *tr_vr_listforwarders(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    const struct tr_vr_publisher *p;
    const struct tr_vr_room *room = tr_vr_room_owned((struct tr_vr *)plugin, msg->body, &e);
    if (!room)
        return tr_vr_error_json(&e);
    json_t *list = json_array();
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        json_t *one = forwarders_of(p);
        if (one)
            json_array_append_new(list, one);
    }
    json_t *data = tr_vr_data("forwarders", room);
    json_object_set_new(data, "publishers", list);
    return data;
}

/* Wishes are read from untrusted JSON and kept within bounds; from them and from what both sides
 * have negotiated follow the routes, m-line by m-line. Everything here may be called again at
 * any time: what is wired already is changed, not made anew. */
#include "plugin/relay.h"

#include <ctype.h>
#include <string.h>

#include "gateway/gateway.h"
#include "media/data.h"

enum { SUBSTREAM_MAX = 2, TEMPORAL_MAX = 2, BITRATE_MAX = 1 << 30 };
#define FALLBACK_MAX_US (60 * TR_SECOND)

struct tr_relay_wishes tr_relay_wishes_default(void)
{
    return (struct tr_relay_wishes){
        .audio = true, .video = true, .substream = SUBSTREAM_MAX, .temporal = TEMPORAL_MAX
    };
}

static json_int_t read_int(const json_t *body, const char *name, json_int_t otherwise)
{
    const json_t *v = json_object_get(body, name);
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

static json_int_t at_most(json_int_t v, json_int_t max)
{
    return v < max ? v : max;
}

static bool read_bool(const json_t *body, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(body, name);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

enum tr_err tr_relay_wishes_read(struct tr_relay_wishes *wishes, const json_t *body,
                                 const char **field)
{
    json_int_t substream = read_int(body, "substream", wishes->substream);
    json_int_t temporal = read_int(body, "temporal", wishes->temporal);
    json_int_t spatial_layer = read_int(body, "spatial_layer", substream);
    json_int_t temporal_layer = read_int(body, "temporal_layer", temporal);
    *field = substream < 0 || substream > SUBSTREAM_MAX            ? "substream"
             : temporal < 0 || temporal > TEMPORAL_MAX             ? "temporal"
             : spatial_layer < 0 || spatial_layer > SUBSTREAM_MAX  ? "spatial_layer"
             : temporal_layer < 0 || temporal_layer > TEMPORAL_MAX ? "temporal_layer"
                                                                   : NULL;
    if (*field)
        return TR_ERR_INVAL;
    wishes->audio = read_bool(body, "audio", wishes->audio);
    wishes->video = read_bool(body, "video", wishes->video);
    wishes->bitrate = (uint32_t)at_most(read_int(body, "bitrate", wishes->bitrate), BITRATE_MAX);
    wishes->substream = (int)spatial_layer;
    wishes->temporal = (int)temporal_layer;
    wishes->fallback_us = at_most(read_int(body, "fallback", wishes->fallback_us), FALLBACK_MAX_US);
    return TR_OK;
}

static struct tr_route_conf route_conf(const struct tr_sdp_media_params *p,
                                       const struct tr_relay_wishes *sender,
                                       const struct tr_relay_wishes *receiver)
{
    return (struct tr_route_conf){
        .paused = p->kind == TR_SDP_AUDIO ? !sender->audio : !sender->video,
        .substream_max = receiver->substream,
        /* "all" must also take streams that count more than three layers */
        .temporal_max = receiver->temporal < TEMPORAL_MAX ? receiver->temporal : TEMPORAL_MAX + 1,
        .fallback_us = receiver->fallback_us,
    };
}

/* Whether what comes in on the one m-line can go out on the other. */
static bool fits(const struct tr_sdp_media_params *in, const struct tr_sdp_media_params *out)
{
    return in && out && in->recv && out->send && in->kind == out->kind && in->kind != TR_SDP_DATA &&
           in->pt_count > 0 && out->pt_count > 0 && in->pts[0].codec == out->pts[0].codec;
}

void tr_relay_wire(struct tr_relay *relay, struct tr_media *media, const struct tr_handle *from,
                   const struct tr_handle *to, const struct tr_relay_wishes *sender,
                   const struct tr_relay_wishes *receiver)
{
    int count = tr_pc_mline_count(from);
    relay->count = count > relay->count ? count : relay->count;
    for (int i = 0; i < relay->count; i++) {
        const struct tr_sdp_media_params *in = tr_pc_mline(from, i);
        if (!fits(in, tr_pc_mline(to, i))) {
            tr_media_route_remove(media, relay->routes[i]);
            relay->routes[i] = 0;
            continue;
        }
        struct tr_route_conf conf = route_conf(in, sender, receiver);
        if (relay->routes[i])
            tr_media_route_set(media, relay->routes[i], &conf);
        else
            relay->routes[i] = tr_media_route(media, tr_pc_end(from, i), tr_pc_end(to, i), &conf);
    }
    struct tr_media_end end = tr_pc_end(from, 0);
    tr_media_peer_bitrate(media, end.peer, sender->bitrate);
}

static bool has_data(const struct tr_handle *handle)
{
    for (int i = 0; i < tr_pc_mline_count(handle); i++) {
        const struct tr_sdp_media_params *p = tr_pc_mline(handle, i);
        if (p && p->kind == TR_SDP_DATA)
            return true;
    }
    return false;
}

void tr_relay_wire_data(struct tr_relay *relay, struct tr_media *media,
                        const struct tr_handle *from, const struct tr_handle *to,
                        const char *prefix)
{
    struct tr_data_route_conf conf = { .patient = true, .prefix = prefix };
    bool wanted = has_data(from) && has_data(to);
    if (wanted && !relay->data)
        relay->data =
            tr_media_data_route(media, tr_pc_end(from, 0).peer, tr_pc_end(to, 0).peer, &conf);
    if (wanted || !relay->data)
        return;
    tr_media_data_route_remove(media, relay->data);
    relay->data = 0;
}

void tr_relay_unwire(struct tr_relay *relay, struct tr_media *media)
{
    tr_media_data_route_remove(media, relay->data);
    for (int i = 0; i < relay->count; i++)
        tr_media_route_remove(media, relay->routes[i]);
    *relay = (struct tr_relay){ 0 };
}

/* The codec of an m-line in lower case, e.g. "vp8"; "" when there is none. */
static void codec_name(const struct tr_handle *handle, int mline, char out[16])
{
    const struct tr_sdp_media_params *p = tr_pc_mline(handle, mline);
    const char *name = p && p->pt_count > 0 ? tr_codec_info(p->pts[0].codec)->name : "";
    size_t n = 0;
    for (; name[n] && n < 15; n++)
        out[n] = (char)tolower((unsigned char)name[n]);
    out[n] = '\0';
}

/* Layers within one stream (SVC) go by other names than those of simulcast. */
static json_t *layers_event(const struct tr_handle *handle, int mline, int substream, int temporal)
{
    char codec[16];
    codec_name(handle, mline, codec);
    const struct tr_sdp_media_params *p = tr_pc_mline(handle, mline);
    bool svc = (strcmp(codec, "vp9") == 0 || strcmp(codec, "av1") == 0) && p && p->rid_count < 2;
    json_t *event = json_pack("{s:s}", "videocodec", codec);
    if (substream >= 0)
        json_object_set_new(event, svc ? "spatial_layer" : "substream", json_integer(substream));
    if (temporal >= 0)
        json_object_set_new(event, svc ? "temporal_layer" : "temporal", json_integer(temporal));
    return event;
}

void tr_relay_layers_reset(struct tr_relay_layers *layers)
{
    *layers = (struct tr_relay_layers){ .substream = -1, .temporal = -1 };
}

json_t *tr_relay_layers_changed(struct tr_relay_layers *layers, const struct tr_handle *handle,
                                int mline, int substream, int temporal)
{
    layers->mline = mline;
    if (substream >= 0)
        layers->substream = substream;
    if (temporal >= 0)
        layers->temporal = temporal;
    return layers_event(handle, mline, substream, temporal);
}

json_t *tr_relay_layers_asked(const struct tr_relay_layers *layers, const struct tr_handle *handle,
                              const json_t *body)
{
    json_int_t spatial = read_int(body, "substream", read_int(body, "spatial_layer", -1));
    json_int_t rate = read_int(body, "temporal", read_int(body, "temporal_layer", -1));
    int substream = spatial == layers->substream ? layers->substream : -1;
    int temporal = rate == layers->temporal ? layers->temporal : -1;
    if (substream < 0 && temporal < 0)
        return NULL;
    return layers_event(handle, layers->mline, substream, temporal);
}

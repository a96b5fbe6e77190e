/* The echo test: each handle's m-lines and data channels are routed back to themselves. One kind of
 * message, all of its members optional. */
#include "plugin/echotest.h"

#include <string.h>

#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "plugin/relay.h"
#include "plugin/side_record.h"

enum echotest_error {
    ECHO_NO_MESSAGE = 411,
    ECHO_INVALID_JSON = 412,
    ECHO_INVALID_ELEMENT = 413,
    ECHO_INVALID_SDP = 414,
};

#define ECHO_PACKAGE "janus.plugin.echotest"
/* What texts on data channels come back with; pages look for it. */
#define TEXT_PREFIX "Janus EchoTest here! You wrote: "

struct echotest {
    struct tr_plugin plugin;
    struct tr_recorder *recorder;
};

struct echo { /* a handle's state */
    struct tr_relay_wishes wishes;
    struct tr_relay relay;
    struct tr_relay_layers layers;
    struct tr_side_record record;
};

static const struct tr_field fields[] = {
    { "audio", TR_FIELD_BOOL, false },
    { "video", TR_FIELD_BOOL, false },
    { "bitrate", TR_FIELD_UINT, false },
    { "record", TR_FIELD_BOOL, false },
    { "filename", TR_FIELD_STRING, false },
    { "substream", TR_FIELD_UINT, false },
    { "temporal", TR_FIELD_UINT, false },
    { "fallback", TR_FIELD_UINT, false },
    { "svc", TR_FIELD_BOOL, false },
    { "spatial_layer", TR_FIELD_UINT, false },
    { "temporal_layer", TR_FIELD_UINT, false },
    { "audiocodec", TR_FIELD_STRING, false },
    { "videocodec", TR_FIELD_STRING, false },
    { "videoprofile", TR_FIELD_STRING, false },
    { "opusred", TR_FIELD_BOOL, false },
    { "min_delay", TR_FIELD_INT, false },
    { "max_delay", TR_FIELD_INT, false },
    { NULL, TR_FIELD_BOOL, false },
};

static bool asks_for_something(const json_t *body)
{
    for (const struct tr_field *f = fields; f->name; f++) {
        if (json_object_get(body, f->name))
            return true;
    }
    return false;
}

static enum tr_codec codec_member(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? tr_codec_from_name(tr_slice_str(text)) : TR_CODEC_NONE;
}

static enum tr_err negotiate(const struct tr_msg *msg, json_t **jsep)
{
    struct tr_pc_policy policy = {
        .audio_codec = codec_member(msg->body, "audiocodec"),
        .video_codec = codec_member(msg->body, "videocodec"),
        .video_profile = json_string_value(json_object_get(msg->body, "videoprofile")),
        .red = json_is_true(json_object_get(msg->body, "opusred")),
    };
    enum tr_err err = msg->jsep->offer ? TR_OK : TR_ERR_PROTO;
    if (err == TR_OK)
        err = tr_pc_answer(msg->handle, msg->jsep, &policy, msg->now, jsep);
    if (err == TR_OK && msg->jsep->e2ee)
        json_object_set_new(*jsep, "e2ee", json_true());
    if (err == TR_OK)
        return TR_OK;
    json_decref(*jsep);
    return err;
}

/* What was asked for has been negotiated, if need be; now it takes effect. */
static void obey(const struct echotest *p, const struct tr_msg *msg, struct echo *echo)
{
    tr_relay_wire(&echo->relay, tr_pc_media(msg->handle), msg->handle, msg->handle, &echo->wishes,
                  &echo->wishes);
    tr_relay_wire_data(&echo->relay, tr_pc_media(msg->handle), msg->handle, msg->handle,
                       TEXT_PREFIX);
    tr_side_record_read(&echo->record, p->recorder, msg->body, msg->now);
    tr_side_record_update(&echo->record, p->recorder, msg->handle, ECHO_PACKAGE, "", msg->now);
    json_t *layers = tr_relay_layers_asked(&echo->layers, msg->handle, msg->body);
    if (layers)
        tr_handle_event(msg->handle, NULL, layers, NULL);
}

static json_t *handle_message(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    const struct echotest *p = (const struct echotest *)plugin;
    struct echo *echo = tr_handle_user(msg->handle);
    const char *field;
    json_t *jsep = NULL;
    if (!msg->jsep && !asks_for_something(msg->body)) {
        tr_handle_error(msg->handle, msg->transaction, ECHO_INVALID_ELEMENT,
                        "Message error: no supported attributes found");
        return NULL;
    }
    struct tr_relay_wishes wishes = echo->wishes;
    if (tr_relay_wishes_read(&wishes, msg->body, &field) != TR_OK) {
        tr_handle_error(msg->handle, msg->transaction, ECHO_INVALID_ELEMENT,
                        "Invalid value (%s should be 0, 1 or 2)", field);
        return NULL;
    }
    enum tr_err err = msg->jsep ? negotiate(msg, &jsep) : TR_OK;
    if (err != TR_OK) {
        tr_handle_error(msg->handle, msg->transaction, ECHO_INVALID_SDP,
                        "Error processing the offer: %s", tr_err_str(err));
        return NULL;
    }
    echo->wishes = wishes;
    obey(p, msg, echo);
    tr_handle_event(msg->handle, msg->transaction, json_pack("{s:s}", "result", "ok"), jsep);
    return NULL;
}

static enum tr_err attach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    (void)plugin, (void)now;
    struct echo *echo = tr_alloc(sizeof *echo);
    if (!echo)
        return TR_ERR_NOMEM;
    echo->wishes = tr_relay_wishes_default();
    tr_relay_layers_reset(&echo->layers);
    tr_handle_set_user(handle, echo);
    return TR_OK;
}

static void end_media(struct echotest *p, struct tr_handle *handle, struct echo *echo, tr_usec now)
{
    tr_relay_unwire(&echo->relay, tr_pc_media(handle));
    tr_relay_layers_reset(&echo->layers);
    tr_side_record_stop(&echo->record, p->recorder, now);
}

static void detach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    struct echo *echo = tr_handle_user(handle);
    end_media((struct echotest *)plugin, handle, echo, now);
    tr_handle_set_user(handle, NULL);
    tr_free(echo);
}

static void pc_down(struct tr_plugin *plugin, struct tr_handle *handle, const char *reason,
                    tr_usec now)
{
    (void)reason;
    struct echo *echo = tr_handle_user(handle);
    end_media((struct echotest *)plugin, handle, echo, now);
    echo->wishes = tr_relay_wishes_default();
    tr_handle_event(handle, NULL, json_pack("{s:s}", "result", "done"), NULL);
}

static void layer(struct tr_plugin *plugin, struct tr_handle *handle, int mline, int substream,
                  int temporal, tr_usec now)
{
    (void)plugin, (void)now;
    struct echo *echo = tr_handle_user(handle);
    tr_handle_event(handle, NULL,
                    tr_relay_layers_changed(&echo->layers, handle, mline, substream, temporal),
                    NULL);
}

/* Losses on the way back to the client are no sign that it sends too much. */
static void slow_link(struct tr_plugin *plugin, struct tr_handle *handle, int mline, bool uplink,
                      uint32_t lost, tr_usec now)
{
    (void)plugin, (void)lost, (void)now;
    const struct echo *echo = tr_handle_user(handle);
    const struct tr_sdp_media_params *p = tr_pc_mline(handle, mline);
    if (!uplink || !p)
        return;
    bool video = p->kind == TR_SDP_VIDEO;
    json_t *event =
        json_pack("{s:s,s:s}", "event", "slow_link", "media", video ? "video" : "audio");
    if (video)
        json_object_set_new(event, "current-bitrate", json_integer(echo->wishes.bitrate));
    tr_handle_event(handle, NULL, event, NULL);
}

static json_t *query(struct tr_plugin *plugin, struct tr_handle *handle)
{
    (void)plugin;
    const struct echo *echo = tr_handle_user(handle);
    return json_pack("{s:b,s:b,s:i,s:i,s:i,s:b}", "audio_active", echo->wishes.audio,
                     "video_active", echo->wishes.video, "bitrate", (int)echo->wishes.bitrate,
                     "substream-target", echo->wishes.substream, "temporal-layer-target",
                     echo->wishes.temporal, "recording", echo->record.recording != 0);
}

static void destroy(struct tr_plugin *plugin)
{
    tr_free(plugin);
}

static const struct tr_plugin_request requests[] = {
    { "message", false, fields, handle_message },
    { NULL, false, NULL, NULL },
};

static const struct tr_plugin_ops ops = {
    .package = ECHO_PACKAGE,
    .tag = "echotest",
    .name = "EchoTest",
    .description = "Sends back what a client sends, to try out devices and connections.",
    .author = "Tring",
    .version_string = "0.1.0",
    .version = 1,
    .requests = requests,
    .single_request = true,
    .errors = {
        .no_message = ECHO_NO_MESSAGE,
        .invalid_json = ECHO_INVALID_JSON,
        .invalid_request = ECHO_INVALID_ELEMENT,
        .missing_element = ECHO_INVALID_ELEMENT,
        .invalid_element = ECHO_INVALID_ELEMENT,
        .invalid_sdp = ECHO_INVALID_SDP,
    },
    .attach = attach,
    .detach = detach,
    .pc_down = pc_down,
    .layer = layer,
    .slow_link = slow_link,
    .query = query,
    .destroy = destroy,
};

struct tr_plugin *tr_echotest_create(struct tr_recorder *recorder)
{
    struct echotest *p = tr_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->plugin.ops = &ops;
    p->recorder = recorder;
    return &p->plugin;
}

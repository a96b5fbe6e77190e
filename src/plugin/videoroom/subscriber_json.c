/* What a subscriber is told about its lines, member by member as clients of the API know it. */
#include "plugin/videoroom/subscriber_impl.h"

static void add_text(json_t *o, const char *name, const char *text)
{
    if (text && text[0])
        json_object_set_new(o, name, json_string(text));
}

static void add_sources(json_t *o, const struct tr_vr_line *line)
{
    json_t *ids = json_array();
    const struct tr_vr_link *link;
    LIST_FOREACH(link, &line->links, of_line)
    {
        json_array_append_new(ids, tr_vr_id_json(&link->stream->publisher->id));
    }
    json_object_set_new(o, "sources", json_integer((json_int_t)json_array_size(ids)));
    json_object_set_new(o, "source_ids", ids);
}

static void add_feed(json_t *o, const struct tr_vr_stream *s)
{
    const struct tr_vr_publisher *p = s->publisher;
    json_object_set_new(o, "feed_id", tr_vr_id_json(&p->id));
    add_text(o, "feed_mid", s->mid);
    add_text(o, "feed_display", p->display);
    if (p->metadata)
        json_object_set(o, "feed_metadata", p->metadata);
    add_text(o, "feed_description", s->description);
}

/* Of simulcast and of SVC the same facts under other names. */
static void add_layers(json_t *o, const struct tr_vr_line *line, const struct tr_vr_stream *s)
{
    if (s->simulcast) {
        json_t *sim = json_pack("{s:i,s:i,s:i,s:i}", "substream", line->substream_is,
                                "substream-target", line->substream, "temporal-layer",
                                line->temporal_is, "temporal-layer-target", line->temporal);
        if (line->fallback_us)
            json_object_set_new(sim, "fallback", json_integer(line->fallback_us));
        json_object_set_new(o, "simulcast", sim);
    }
    if (s->svc)
        json_object_set_new(o, "svc",
                            json_pack("{s:i,s:i,s:i,s:i}", "spatial-layer", line->substream_is,
                                      "spatial-layer-target", line->substream, "temporal-layer",
                                      line->temporal_is, "temporal-layer-target", line->temporal));
}

static void add_delay(json_t *o, const struct tr_vr_line *line)
{
    int min, max;
    if (tr_vr_line_delay(line, &min, &max))
        json_object_set_new(o, "playout-delay",
                            json_pack("{s:i,s:i}", "min-delay", min, "max-delay", max));
}

static void add_codec(json_t *o, const struct tr_vr_line *line, const struct tr_vr_stream *s)
{
    json_object_set_new(o, "codec", json_string(tr_vr_codec_name(s->pt.codec)));
    if (s->pt.codec == TR_CODEC_H264)
        add_text(o, "h264-profile", s->profile);
    if (s->pt.codec == TR_CODEC_VP9)
        add_text(o, "vp9-profile", s->profile);
    if (line->kind == TR_SDP_VIDEO) {
        add_delay(o, line);
        add_layers(o, line, s);
    }
}

static json_t *line_json(const struct tr_vr_line *line)
{
    const struct tr_vr_stream *s = tr_vr_line_stream(line);
    char mid[TR_VR_LINE_MID];
    json_t *o = json_pack("{s:s,s:b,s:i,s:s}", "type", tr_vr_kind_name(line->kind), "active",
                          tr_vr_line_active(line), "mindex", line->mindex, "mid",
                          tr_vr_line_mid(line, mid));
    add_text(o, "crossrefid", line->crossrefid);
    json_object_set_new(
        o, "ready", json_boolean(tr_pc_mline(line->sub->session->handle, line->mindex) != NULL));
    json_object_set_new(o, "send", json_boolean(line->send));
    if (line->speaker)
        json_object_set_new(o, "speaker", json_true());
    if (line->kind == TR_SDP_DATA && !LIST_EMPTY(&line->links))
        add_sources(o, line);
    if (s) {
        add_feed(o, s);
        add_codec(o, line, s);
    }
    return o;
}

json_t *tr_vr_sub_streams(const struct tr_vr_subscriber *sub)
{
    json_t *list = json_array();
    for (int i = 0; i < sub->line_count; i++)
        json_array_append_new(list, line_json(sub->lines[i]));
    return list;
}

json_t *tr_vr_sub_data(const char *kind, const struct tr_vr_subscriber *sub)
{
    json_t *data = tr_vr_data(kind, sub->room);
    json_object_set_new(data, "streams", tr_vr_sub_streams(sub));
    return data;
}

void tr_vr_sub_update(struct tr_vr_subscriber *sub, const char *transaction, tr_usec now)
{
    struct tr_handle *handle = sub->session->handle;
    json_t *jsep = NULL;
    if (tr_pc_offered(handle)) {
        sub->changed = true;
        if (transaction)
            tr_handle_event(handle, transaction, tr_vr_sub_data("updating", sub), NULL);
        return;
    }
    enum tr_err err = tr_vr_lines_offer(sub, now, &jsep);
    if (err == TR_OK)
        tr_handle_event(handle, transaction, tr_vr_sub_data("updated", sub), jsep);
    else
        tr_handle_error(handle, transaction, TR_VR_UNKNOWN_ERROR, "Error making an offer: %s",
                        tr_err_str(err));
}

static void tell_layer(const struct tr_vr_line *line, const char *name, int value)
{
    char mid[TR_VR_LINE_MID];
    json_t *data = tr_vr_data("event", line->sub->room);
    json_object_set_new(data, "mid", json_string(tr_vr_line_mid(line, mid)));
    json_object_set_new(data, name, json_integer(value));
    tr_handle_event(line->sub->session->handle, NULL, data, NULL);
}

void tr_vr_sub_tell_layers(const struct tr_vr_line *line, int substream, int temporal)
{
    const struct tr_vr_stream *s = tr_vr_line_stream(line);
    bool svc = s && s->svc;
    if (substream >= 0)
        tell_layer(line, svc ? "spatial_layer" : "substream", substream);
    if (temporal >= 0)
        tell_layer(line, svc ? "temporal_layer" : "temporal", temporal);
}

/* The streams of a publisher follow its m-lines: index by index, and a stream once made stays until
 * the publisher stops, since subscribers hang on it. An m-line that is negotiated away is disabled;
 * one that comes back as another kind stays so, as it could not go where the old one went. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/room.h"

struct tr_vr_stream *tr_vr_stream_add(struct tr_vr_publisher *p, enum tr_sdp_kind kind,
                                      const char *mid)
{
    struct tr_vr_stream *s = p->stream_count < TR_PC_MLINES_MAX ? tr_alloc(sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->publisher = p;
    s->mindex = p->stream_count;
    s->kind = kind;
    s->send = kind == TR_SDP_AUDIO ? p->audio : kind == TR_SDP_VIDEO ? p->video : p->data;
    s->min_delay = s->max_delay = -1;
    tr_utf8_copy(s->mid, sizeof s->mid, mid);
    LIST_INIT(&s->links);
    p->streams[p->stream_count++] = s;
    return s;
}

void tr_vr_streams_free(struct tr_vr_publisher *p)
{
    for (int i = 0; i < p->stream_count; i++) {
        tr_free(p->streams[i]->description);
        tr_free(p->streams[i]);
        p->streams[i] = NULL;
    }
    p->stream_count = 0;
}

static void take_profile(struct tr_vr_stream *s, const struct tr_sdp_codec *offered)
{
    s->profile[0] = '\0';
    if (s->pt.codec == TR_CODEC_H264)
        snprintf(s->profile, sizeof s->profile, "%06" PRIx32, s->pt.profile);
    else if (s->pt.codec == TR_CODEC_VP9 && offered && offered->fmtp &&
             strstr(offered->fmtp, "profile-id="))
        snprintf(s->profile, sizeof s->profile, "%" PRIu32, s->pt.profile);
}

static bool has_simulcast(const struct tr_sdp_media_params *m)
{
    for (int i = 0; i < m->group_count; i++) {
        if (m->groups[i].kind == TR_SDP_GROUP_SIM)
            return true;
    }
    return m->rid_count > 1;
}

/* offered: the publisher's m-line */
static void take_codec(struct tr_vr_stream *s, const struct tr_sdp_media_params *m,
                       const struct tr_sdp_media *offered)
{
    const struct tr_vr_room_conf *conf = &s->publisher->room->conf;
    const struct tr_sdp_codec *c = tr_sdp_codec_by_pt(offered, m->pts[0].pt);
    bool opus = m->pts[0].codec == TR_CODEC_OPUS && c;
    s->pt = m->pts[0];
    s->opus_fec = opus && conf->opus_fec && c->inband_fec;
    s->opus_dtx = opus && conf->opus_dtx && c->dtx;
    s->opus_stereo = opus && c->stereo;
    s->opus_red = tr_sdp_red(m) != NULL;
    s->simulcast = has_simulcast(m);
    s->descriptor = m->ext_recv.id[TR_EXT_DEPENDENCY_DESCRIPTOR] != 0;
    s->svc = s->descriptor && !s->simulcast; /* browsers offer it when a page asks for layers */
    take_profile(s, c);
}

static bool is_sent(const struct tr_sdp_media_params *m)
{
    return m && m->kind != TR_SDP_OTHER && (m->kind == TR_SDP_DATA || (m->recv && m->pt_count > 0));
}

static void follow(struct tr_vr_stream *s, const struct tr_sdp_media_params *m,
                   const struct tr_sdp_media *offered)
{
    s->disabled = !is_sent(m) || m->kind != s->kind;
    if (s->disabled)
        return;
    tr_utf8_copy(s->mid, sizeof s->mid, m->mid);
    if (s->kind != TR_SDP_DATA)
        take_codec(s, m, offered);
}

/* "L1T2" and the like are layers within one stream, too; "L1T1" and "" are none. */
static bool is_layered(const char *mode)
{
    return mode[0] && strcmp(mode, "L1T1") != 0;
}

/* What the client says of its encoder: the SDP does not show it. */
static void follow_svc(struct tr_vr_publisher *p, const json_t *list)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *mid = json_string_value(json_object_get(item, "mid"));
        const char *mode = json_string_value(json_object_get(item, "svc"));
        const json_t *mindex = json_object_get(item, "mindex");
        json_int_t at = json_is_integer(mindex) ? json_integer_value(mindex) : -1;
        struct tr_vr_stream *s = mid                               ? tr_vr_stream_by_mid(p, mid)
                                 : at >= 0 && at < p->stream_count ? p->streams[at]
                                                                   : NULL;
        if (s && s->kind == TR_SDP_VIDEO && s->pt.codec != TR_CODEC_VP8)
            s->svc = mode && is_layered(mode);
    }
}

enum tr_err tr_vr_streams_follow(struct tr_vr_publisher *p, const struct tr_jsep *jsep)
{
    const struct tr_sdp *offer = jsep->sdp;
    const struct tr_handle *handle = p->session->handle;
    int count = tr_pc_mline_count(handle);
    for (int i = 0; i < count && i < offer->media_count; i++) {
        const struct tr_sdp_media *offered = &offer->media[i];
        struct tr_vr_stream *s =
            i < p->stream_count ? p->streams[i] : tr_vr_stream_add(p, offered->kind, offered->mid);
        if (!s)
            return TR_ERR_NOMEM;
        s->end = tr_pc_end(handle, i);
        follow(s, tr_pc_mline(handle, i), offered);
    }
    follow_svc(p, jsep->svc);
    return TR_OK;
}

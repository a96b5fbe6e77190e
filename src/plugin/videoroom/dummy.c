/* What a dummy offers is what the room takes: a stream for each codec, or those that the room's
 * maker has listed. */
#include "plugin/videoroom/dummy.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/reply.h"

static void add(struct tr_vr_publisher *p, enum tr_codec codec, const char *fmtp)
{
    const struct tr_codec_info *info = tr_codec_info(codec);
    char mid[12];
    snprintf(mid, sizeof mid, "%d", p->stream_count);
    if (!info->main)
        return;
    bool video = tr_codec_is_video(codec);
    struct tr_vr_stream *s = tr_vr_stream_add(p, video ? TR_SDP_VIDEO : TR_SDP_AUDIO, mid);
    if (!s)
        return;
    s->pt = (struct tr_sdp_pt){
        .codec = codec,
        .pt = (uint8_t)(info->static_pt >= 0 ? info->static_pt : 96 + p->stream_count),
        .rtx_pt = TR_SDP_PT_NONE,
        .channels = info->channels,
        .clock = info->clock,
    };
    const char *profile = fmtp ? strstr(fmtp, "profile-level-id=") : NULL;
    if (profile)
        tr_utf8_copy(s->profile, 7, profile + strlen("profile-level-id="));
}

static void add_listed(struct tr_vr_publisher *p, const json_t *streams)
{
    const json_t *stream;
    size_t i;
    json_array_foreach(streams, i, stream)
    {
        const char *codec = json_string_value(json_object_get(stream, "codec"));
        add(p, tr_codec_from_name(tr_slice_str(codec)),
            json_string_value(json_object_get(stream, "fmtp")));
    }
}

void tr_vr_dummy_make(struct tr_vr_room *room)
{
    const struct tr_vr_id any = { 0 };
    struct tr_vr_error e;
    struct tr_vr_publisher *p =
        room->conf.dummy_publisher ? tr_vr_publisher_add(room, NULL, &any, &e) : NULL;
    if (!p)
        return;
    p->dummy = true;
    p->e2ee = room->conf.dummy_e2ee;
    p->display = tr_strdup("Dummy publisher");
    if (room->conf.dummy_streams) {
        add_listed(p, room->conf.dummy_streams);
        return;
    }
    for (int i = 0; i < room->conf.audio.count; i++)
        add(p, room->conf.audio.list[i], NULL);
    for (int i = 0; i < room->conf.video.count; i++)
        add(p, room->conf.video.list[i], NULL);
}

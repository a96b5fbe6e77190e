/* "record" requests of clients, as upstream's plugins have them; only what comes out differs: one
 * finished file instead of a dump per medium. */
#include "plugin/side_record.h"

#include <stdio.h>

#include "base/utf8.h"
#include "gateway/pc.h"
#include "record/meta.h"
#include "record/recorder.h"

static void name_mjr(struct tr_meta *meta, const char *base, int mline)
{
    int n = snprintf(meta->mjr, sizeof meta->mjr, "%s-%s-%d.mjr", base,
                     meta->kind == TR_META_VIDEO ? "video" : "audio", mline);
    if (n >= (int)sizeof meta->mjr)
        meta->mjr[0] = '\0'; /* a cut name would be another one */
}

void tr_record_end(struct tr_recorder *recorder, tr_id recording, struct tr_media_end end,
                   const struct tr_sdp_pt *pt, const char *mid, const struct tr_record_who *who,
                   tr_usec now)
{
    struct tr_meta meta = {
        .kind = tr_codec_is_video(pt->codec) ? TR_META_VIDEO : TR_META_AUDIO,
        .pt = pt->pt,
        .clock = pt->clock,
        .channels = pt->channels,
        .participant = who->participant,
    };
    tr_utf8_copy(meta.codec, sizeof meta.codec, tr_codec_info(pt->codec)->name);
    tr_utf8_copy(meta.mid, sizeof meta.mid, mid);
    tr_utf8_copy(meta.label, sizeof meta.label, who->label);
    tr_utf8_copy(meta.role, sizeof meta.role, who->role);
    if (who->mjr)
        name_mjr(&meta, who->mjr, end.mline);
    /* A track that finds no room is missing from the recording; the recorder counts it. */
    (void)!tr_recorder_track(recorder, recording, end, &meta, now);
}

static bool is_recorded(const struct tr_sdp_media_params *p)
{
    return p && p->recv && p->pt_count > 0 && (p->kind == TR_SDP_AUDIO || p->kind == TR_SDP_VIDEO);
}

void tr_record_handle(struct tr_recorder *recorder, tr_id recording, const struct tr_handle *handle,
                      uint16_t participant, const char *label, const char *role, const char *mjr,
                      tr_usec now)
{
    const struct tr_record_who who = {
        .participant = participant, .label = label, .role = role, .mjr = mjr
    };
    for (int i = 0; i < tr_pc_mline_count(handle); i++) {
        const struct tr_sdp_media_params *p = tr_pc_mline(handle, i);
        if (is_recorded(p))
            tr_record_end(recorder, recording, tr_pc_end(handle, i), &p->pts[0], p->mid, &who, now);
    }
}

void tr_side_record_read(struct tr_side_record *side, struct tr_recorder *recorder,
                         const json_t *body, tr_usec now)
{
    const json_t *record = json_object_get(body, "record");
    const char *name = json_string_value(json_object_get(body, "filename"));
    if (!recorder || !json_is_boolean(record))
        return;
    if (!json_is_true(record)) {
        tr_side_record_stop(side, recorder, now);
        return;
    }
    side->wanted = true;
    if (name && !side->recording)
        tr_utf8_copy(side->name, sizeof side->name, name);
}

static bool has_media(const struct tr_handle *handle)
{
    for (int i = 0; i < tr_pc_mline_count(handle); i++) {
        if (is_recorded(tr_pc_mline(handle, i)))
            return true;
    }
    return false;
}

void tr_side_record_update(struct tr_side_record *side, struct tr_recorder *recorder,
                           const struct tr_handle *handle, const char *plugin, const char *user,
                           tr_usec now)
{
    if (!recorder || !side->wanted || !has_media(handle))
        return;
    if (!side->recording)
        side->recording =
            tr_recorder_start_new(recorder, plugin, side->name[0] ? side->name : user, now);
    side->wanted = side->recording != 0;
    if (side->recording)
        tr_record_handle(recorder, side->recording, handle, 0, user, "", NULL, now);
}

void tr_side_record_stop(struct tr_side_record *side, struct tr_recorder *recorder, tr_usec now)
{
    if (recorder && side->recording)
        tr_recorder_stop(recorder, side->recording, now);
    *side = (struct tr_side_record){ 0 };
}

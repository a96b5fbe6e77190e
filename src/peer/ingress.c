/* The header first, the payload after it has been opened; between the two a retransmission is
 * turned into the packet that it repeats. */
#include "peer/ingress.h"

#include "payload/codec.h"
#include "payload/vp8.h"
#include "payload/vp9.h"

void tr_ingress_header(struct tr_rtp_meta *m, const struct tr_track_conf *conf,
                       const struct tr_rtp *rtp, int layer, int64_t ext_seq,
                       struct tr_ext_vals *ext)
{
    *m = (struct tr_rtp_meta){
        .ext_seq = ext_seq,
        .ts = rtp->ts,
        .ssrc = rtp->ssrc,
        .pt = conf->pt,
        .layer = (uint8_t)layer,
        .codec = (uint8_t)conf->codec,
        .flags = rtp->marker ? TR_RTP_MARKER : 0,
    };
    ext->present = 0;
    if (!rtp->has_ext)
        return;
    tr_ext_read(ext, &conf->ext, rtp->ext_profile, rtp->ext);
    if (tr_ext_has(ext, TR_EXT_AUDIO_LEVEL)) {
        m->flags |= TR_RTP_AUDIO_LEVEL;
        m->audio_level = (uint8_t)((ext->voice ? 0x80u : 0u) | ext->audio_level);
    }
}

static void describe_vp8(struct tr_rtp_meta *m, struct tr_slice payload)
{
    struct tr_vp8 d;
    if (tr_vp8_parse(&d, payload) != TR_OK)
        return;
    m->temporal = d.has_tid ? d.tid : 0;
    m->picture_id = d.picture_id;
    m->tl0picidx = d.tl0_pic_idx;
    m->flags |= (uint8_t)((d.keyframe ? TR_RTP_KEYFRAME : 0) |
                          (d.picture_id_bits == 15 ? TR_RTP_PICTURE_ID : 0) |
                          (d.has_tl0_pic_idx ? TR_RTP_TL0 : 0));
}

static void describe_vp9(struct tr_rtp_meta *m, struct tr_slice payload)
{
    struct tr_vp9 d;
    if (tr_vp9_parse(&d, payload) != TR_OK)
        return;
    m->temporal = d.tid;
    m->picture_id = d.picture_id;
    m->tl0picidx = d.tl0_pic_idx;
    m->flags |= (uint8_t)((d.keyframe ? TR_RTP_KEYFRAME : 0) |
                          (d.picture_id_bits == 15 ? TR_RTP_PICTURE_ID : 0) |
                          (d.tl0_pic_idx_at ? TR_RTP_TL0 : 0));
}

void tr_ingress_payload(struct tr_rtp_meta *m, struct tr_slice payload)
{
    switch (m->codec) {
    case TR_CODEC_VP8: describe_vp8(m, payload); break;
    case TR_CODEC_VP9: describe_vp9(m, payload); break;
    default:
        if (tr_codec_is_video((enum tr_codec)m->codec) &&
            tr_payload_is_keyframe((enum tr_codec)m->codec, payload))
            m->flags |= TR_RTP_KEYFRAME;
        break;
    }
}

/* The header first, the payload after it has been opened; between the two a retransmission is
 * turned into the packet that it repeats. */
#include "peer/ingress.h"

#include <string.h>

#include "payload/codec.h"
#include "payload/opus.h"
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

enum tr_err tr_ingress_red(struct tr_rtp_meta *m, const struct tr_track_conf *conf,
                           struct tr_slice *payload)
{
    struct tr_red red;
    if (tr_red_parse(&red, *payload) != TR_OK || !red.one_pt || red.primary_pt != conf->pt)
        return TR_ERR_BADMSG;
    m->red_len = (uint16_t)(red.primary.p - payload->p);
    *payload = red.primary;
    return TR_OK;
}

/* A frame of these layers on the grid of decode targets: it is `dti` to all at or above them. */
static uint64_t on_grid(unsigned spatial, unsigned temporal, enum tr_dti dti)
{
    uint64_t row = 0x55u * (unsigned)dti << (2 * temporal) & 0xff;
    return (row * 0x01010101u) << (8 * spatial) & UINT32_MAX;
}

static uint8_t within_grid(unsigned layer)
{
    return (uint8_t)(layer < TR_RTP_GRID ? layer : TR_RTP_GRID - 1);
}

static uint16_t flag_if(bool on, enum tr_rtp_flags flag)
{
    return (uint16_t)(on ? flag : 0);
}

/* RFC 7741 section 4.2: Y, a frame that refers to the lowest temporal layer only, is where its
 * layer may be taken up; one with N is needed by no other. Doubled, numbers wrap at 2^16. */
static void describe_vp8(struct tr_rtp_meta *m, struct tr_slice payload)
{
    struct tr_vp8 d;
    if (tr_vp8_parse(&d, payload) != TR_OK)
        return;
    m->temporal = d.has_tid ? d.tid : 0;
    m->picture_id = d.picture_id;
    m->tl0picidx = d.tl0_pic_idx;
    m->frame = (uint16_t)(d.picture_id_bits == 15 ? (uint32_t)d.picture_id << 1 : m->ts);
    bool discardable = d.non_reference && !d.layer_sync;
    m->dtis = on_grid(0, m->temporal, discardable ? TR_DTI_DISCARDABLE : TR_DTI_REQUIRED);
    if (d.layer_sync)
        m->dtis &= ~(0x01010101ull << (2 * m->temporal)); /* SWITCH, for its own layer */
    m->flags |= flag_if(d.keyframe, TR_RTP_KEYFRAME) |
                flag_if(d.picture_id_bits == 15, TR_RTP_PICTURE_ID) |
                flag_if(d.has_tl0_pic_idx, TR_RTP_TL0) |
                flag_if(d.layer_sync, TR_RTP_TEMPORAL_SYNC) | flag_if(d.has_tid, TR_RTP_SCALABLE);
}

/* RFC 9628 section 4.2. After U the temporal layers above refer to nothing older that is above, and
 * a frame without P starts its spatial layer. Lower spatial layers are always forwarded, also where
 * the upper do not refer to them (Z): they are small, and without them the way down would take a
 * key frame, just when bandwidth is short. */
static void describe_vp9(struct tr_rtp_meta *m, struct tr_slice payload)
{
    struct tr_vp9 d;
    if (tr_vp9_parse(&d, payload) != TR_OK)
        return;
    m->spatial = within_grid(d.sid);
    m->temporal = within_grid(d.tid);
    m->picture_id = d.picture_id;
    m->tl0picidx = d.tl0_pic_idx;
    m->frame = (uint16_t)((d.picture_id_bits == 15 ? d.picture_id : m->ts) << 2 | m->spatial);
    bool begins = d.switch_up || !d.inter;
    m->dtis = on_grid(m->spatial, m->temporal, begins ? TR_DTI_SWITCH : TR_DTI_REQUIRED);
    m->flags |= flag_if(d.keyframe, TR_RTP_KEYFRAME) |
                flag_if(d.picture_id_bits == 15, TR_RTP_PICTURE_ID) |
                flag_if(d.tl0_pic_idx_at, TR_RTP_TL0) | flag_if(d.end, TR_RTP_FRAME_END) |
                flag_if(!d.inter, TR_RTP_SPATIAL_SYNC) | flag_if(d.has_layers, TR_RTP_SCALABLE);
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

static void describe_by(struct tr_rtp_meta *m, const struct tr_dd *dd)
{
    enum { REPLACED = TR_RTP_KEYFRAME | TR_RTP_FRAME_END };
    m->flags = (uint16_t)((m->flags & ~REPLACED) | TR_RTP_SCALABLE);
    m->flags |= flag_if(dd->has_structure, TR_RTP_KEYFRAME) | flag_if(dd->end, TR_RTP_FRAME_END);
    m->frame = dd->frame;
    m->dtis = dd->targets ? dd->dtis : UINT64_MAX; /* not known: required by all */
    if (dd->targets == 0)
        return;
    m->spatial = dd->spatial;
    m->temporal = dd->temporal;
}

void tr_ingress_dependency(struct tr_pkt *pkt, struct tr_slice payload, struct tr_dd_structure *st,
                           struct tr_slice ext)
{
    struct tr_rtp_meta *m = tr_rtp_meta(pkt);
    size_t at = ((size_t)(payload.p - pkt->buf) + payload.n + 15) & ~(size_t)15;
    if (at + sizeof(struct tr_rtp_dd) + ext.n > TR_PKT_BYTES)
        return;
    struct tr_rtp_dd *kept = (struct tr_rtp_dd *)(void *)(pkt->buf + at);
    enum tr_err err = tr_dd_parse(&kept->dd, st, ext, m->ext_seq);
    if (err != TR_OK && err != TR_ERR_NOTFOUND)
        return;
    if (kept->dd.serial != st->serial)
        kept->dd.targets = 0; /* it brought a structure that another has replaced already */
    kept->len = (uint8_t)ext.n;
    memcpy(kept->target, st->target, kept->dd.targets * sizeof *st->target);
    memcpy(kept->bytes, ext.p, ext.n);
    m->dd_at = (uint16_t)at;
    describe_by(m, &kept->dd);
}

/* As vp8.c: one pass with a sticky-error cursor. The group-of-frames part of the scalability
 * structure is walked, since the frame lies behind it, but not kept: layer choice goes by the
 * indices that every packet carries. */
#include "payload/vp9.h"

static void read_picture_id(struct tr_vp9 *out, struct tr_rd *rd)
{
    out->picture_id_at = 1; /* always right behind the first byte */
    uint8_t b = tr_rd_u8(rd);
    out->picture_id_bits = b & 0x80 ? 15 : 7;
    out->picture_id = b & 0x7f;
    if (b & 0x80)
        out->picture_id = (uint16_t)((b & 0x7f) << 8 | tr_rd_u8(rd));
}

static void read_layers(struct tr_vp9 *out, struct tr_rd *rd, struct tr_slice payload)
{
    uint8_t b = tr_rd_u8(rd);
    out->has_layers = true;
    out->tid = b >> 5;
    out->switch_up = (b & 0x10) != 0;
    out->sid = (b >> 1) & 0x07;
    out->inter_layer = (b & 0x01) != 0;
    if (!out->flexible) {
        out->tl0_pic_idx_at = (uint8_t)(rd->p - payload.p);
        out->tl0_pic_idx = tr_rd_u8(rd);
    }
}

static void read_references(struct tr_vp9 *out, struct tr_rd *rd)
{
    uint8_t b;
    do {
        b = tr_rd_u8(rd);
        if (out->ref_count == TR_VP9_REFS_MAX) {
            rd->bad = true;
            return;
        }
        out->ref_diff[out->ref_count++] = b >> 1;
    } while (b & 1);
}

static void read_structure(struct tr_vp9 *out, struct tr_rd *rd)
{
    uint8_t b = tr_rd_u8(rd);
    out->has_ss = true;
    out->spatial_layers = (uint8_t)((b >> 5) + 1);
    out->has_sizes = (b & 0x10) != 0;
    for (unsigned i = 0; out->has_sizes && i < out->spatial_layers; i++) {
        out->width[i] = tr_rd_u16(rd);
        out->height[i] = tr_rd_u16(rd);
    }
    unsigned pictures = b & 0x08 ? tr_rd_u8(rd) : 0;
    for (unsigned i = 0; i < pictures && !rd->bad; i++) {
        uint8_t refs = (tr_rd_u8(rd) >> 2) & 0x03;
        (void)tr_rd_take(rd, refs);
    }
}

/* Uncompressed header: frame marker 10, two profile bits (a reserved one after profile 3), then
 * show_existing_frame and frame_type, both 0 for a keyframe. */
static bool header_says_keyframe(uint8_t b)
{
    bool profile3 = (b & 0x30) == 0x30;
    return b >> 6 == 2 && (b & (profile3 ? 0x06 : 0x0c)) == 0;
}

enum tr_err tr_vp9_parse(struct tr_vp9 *out, struct tr_slice payload)
{
    struct tr_rd rd = tr_rd(payload);
    *out = (struct tr_vp9){ 0 };
    uint8_t b = tr_rd_u8(&rd);
    out->inter = (b & 0x40) != 0;
    out->flexible = (b & 0x10) != 0;
    out->start = (b & 0x08) != 0;
    out->end = (b & 0x04) != 0;
    out->not_ref_upper = (b & 0x01) != 0;
    if (b & 0x80)
        read_picture_id(out, &rd);
    if (b & 0x20)
        read_layers(out, &rd, payload);
    if (out->flexible && out->inter)
        read_references(out, &rd);
    if (b & 0x02)
        read_structure(out, &rd);
    if (rd.bad || tr_rd_left(&rd) == 0)
        return TR_ERR_BADMSG;
    out->hdr_len = (uint16_t)(rd.p - payload.p);
    /* Upper spatial layers of a keyframe are predicted from the lowest, not from other pictures:
     * P is 0 for them, too, but a decoder cannot begin there. */
    out->keyframe = !out->inter && out->start && out->sid == 0 && !out->inter_layer;
    /* Senders without picture ids (ffmpeg) leave P at 0 on all packets: there the frame itself is
     * asked. Others are believed, so that end-to-end encrypted frames work. */
    if (out->keyframe && out->picture_id_bits == 0)
        out->keyframe = header_says_keyframe(rd.p[0]);
    return TR_OK;
}

void tr_vp9_rewrite(uint8_t *payload, const struct tr_vp9 *d, uint16_t picture_id,
                    uint8_t tl0_pic_idx)
{
    if (d->picture_id_bits == 15)
        tr_put16(payload + d->picture_id_at, picture_id | 0x8000u);
    else if (d->picture_id_bits == 7)
        payload[d->picture_id_at] = picture_id & 0x7f;
    if (d->tl0_pic_idx_at)
        payload[d->tl0_pic_idx_at] = tl0_pic_idx;
}

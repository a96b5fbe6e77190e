/* The descriptor is a chain of optional bytes that each announce the next. It is read once with a
 * sticky-error cursor; where the two fields that a layer switch must rewrite lie is kept, so that
 * the rewrite is two stores. */
#include "payload/vp8.h"

static uint8_t offset_of(const struct tr_rd *rd, struct tr_slice payload)
{
    return (uint8_t)(rd->p - payload.p); /* at most 6: the descriptor has fixed parts only */
}

static void read_extended(struct tr_vp8 *out, struct tr_rd *rd, struct tr_slice payload)
{
    uint8_t flags = tr_rd_u8(rd);
    if (flags & 0x80) {
        out->picture_id_at = offset_of(rd, payload);
        uint8_t b = tr_rd_u8(rd);
        out->picture_id_bits = b & 0x80 ? 15 : 7;
        out->picture_id = b & 0x7f;
        if (b & 0x80)
            out->picture_id = (uint16_t)((b & 0x7f) << 8 | tr_rd_u8(rd));
    }
    if (flags & 0x40) {
        out->has_tl0_pic_idx = true;
        out->tl0_pic_idx_at = offset_of(rd, payload);
        out->tl0_pic_idx = tr_rd_u8(rd);
    }
    if (flags & 0x30) {
        uint8_t b = tr_rd_u8(rd);
        out->has_tid = (flags & 0x20) != 0;
        out->has_key_idx = (flags & 0x10) != 0;
        if (out->has_tid) {
            out->tid = b >> 6;
            out->layer_sync = (b & 0x20) != 0;
        }
        if (out->has_key_idx)
            out->key_idx = b & 0x1f;
    }
}

/* Uncompressed data chunk, RFC 6386 section 9.1; a cleared lowest bit says keyframe. */
static void read_frame_header(struct tr_vp8 *out, struct tr_rd *rd)
{
    struct tr_slice tag = tr_rd_take(rd, 3);
    if (rd->bad)
        return;
    if (tr_rd_u24(rd) != 0x9d012a)
        return;
    struct tr_slice size = tr_rd_take(rd, 4);
    if (rd->bad || (tag.p[0] & 1))
        return;
    out->width = (uint16_t)((size.p[1] & 0x3f) << 8 | size.p[0]);
    out->height = (uint16_t)((size.p[3] & 0x3f) << 8 | size.p[2]);
}

enum tr_err tr_vp8_parse(struct tr_vp8 *out, struct tr_slice payload)
{
    struct tr_rd rd = tr_rd(payload);
    *out = (struct tr_vp8){ 0 };
    uint8_t b = tr_rd_u8(&rd);
    out->non_reference = (b & 0x20) != 0;
    out->start = (b & 0x10) != 0;
    out->partition = b & 0x07;
    if (b & 0x80)
        read_extended(out, &rd, payload);
    if (rd.bad || tr_rd_left(&rd) == 0)
        return TR_ERR_BADMSG;
    out->hdr_len = offset_of(&rd, payload);
    out->keyframe = out->start && out->partition == 0 && (rd.p[0] & 1) == 0;
    if (out->keyframe)
        read_frame_header(out, &rd);
    return TR_OK;
}

void tr_vp8_rewrite(uint8_t *payload, const struct tr_vp8 *d, uint16_t picture_id,
                    uint8_t tl0_pic_idx)
{
    if (d->picture_id_bits == 15)
        tr_put16(payload + d->picture_id_at, picture_id | 0x8000u);
    else if (d->picture_id_bits == 7)
        payload[d->picture_id_at] = picture_id & 0x7f;
    if (d->has_tl0_pic_idx)
        payload[d->tl0_pic_idx_at] = tl0_pic_idx;
}

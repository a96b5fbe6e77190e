/* NAL units are visited wherever a packet shows the start of one: as the packet itself, within a
 * STAP-A, or behind the header of a FU-A's first fragment. Only their types matter, and the size
 * in a whole SPS, which costs one short bit reader. */
#include "payload/h264.h"

enum nal_type {
    NAL_IDR = 5,
    NAL_SPS = 7,
    NAL_PPS = 8,
    NAL_LAST = 23,
    NAL_STAP_A = 24,
    NAL_FU_A = 28
};

static void note_type(struct tr_h264 *out, unsigned type)
{
    out->idr = out->idr || type == NAL_IDR;
    out->sps = out->sps || type == NAL_SPS;
    out->pps = out->pps || type == NAL_PPS;
}

static enum tr_err note_unit(struct tr_h264 *out, struct tr_slice nal)
{
    unsigned type = nal.p[0] & 0x1f;
    if (type == 0 || type > NAL_LAST)
        return TR_ERR_BADMSG;
    note_type(out, type);
    uint16_t width, height;
    if (type == NAL_SPS && tr_h264_sps_size(nal, &width, &height) == TR_OK) {
        out->width = width;
        out->height = height;
    }
    return TR_OK;
}

static enum tr_err note_stap_a(struct tr_h264 *out, struct tr_slice payload)
{
    struct tr_rd rd = tr_rd(payload);
    (void)tr_rd_u8(&rd);
    do {
        struct tr_slice nal = tr_rd_take(&rd, tr_rd_u16(&rd));
        if (rd.bad || nal.n == 0 || note_unit(out, nal) != TR_OK)
            return TR_ERR_BADMSG;
    } while (tr_rd_left(&rd) > 0);
    return TR_OK;
}

static enum tr_err note_fu_a(struct tr_h264 *out, struct tr_slice payload)
{
    if (payload.n < 3)
        return TR_ERR_BADMSG;
    if (payload.p[1] & 0x80)
        note_type(out, payload.p[1] & 0x1f);
    return TR_OK;
}

enum tr_err tr_h264_parse(struct tr_h264 *out, struct tr_slice payload)
{
    *out = (struct tr_h264){ 0 };
    if (payload.n < 1)
        return TR_ERR_BADMSG;
    enum tr_err err;
    switch (payload.p[0] & 0x1f) {
    case NAL_STAP_A: err = note_stap_a(out, payload); break;
    case NAL_FU_A: err = note_fu_a(out, payload); break;
    default: err = note_unit(out, payload); break;
    }
    out->keyframe = err == TR_OK && (out->idr || out->sps);
    return err;
}

/* Bits of an RBSP: emulation prevention bytes (00 00 03) are passed over on the way. */
struct bits {
    struct tr_slice s;
    size_t at;
    unsigned zeros; /* bytes of zero before at */
    unsigned left;  /* bits left in cur */
    uint8_t cur;
    bool bad;
};

static unsigned bit(struct bits *b)
{
    if (b->left == 0) {
        if (b->zeros >= 2 && b->at < b->s.n && b->s.p[b->at] == 3) {
            b->at++;
            b->zeros = 0;
        }
        if (b->at >= b->s.n) {
            b->bad = true;
            return 0;
        }
        b->cur = b->s.p[b->at++];
        b->zeros = b->cur == 0 ? b->zeros + 1 : 0;
        b->left = 8;
    }
    b->left--;
    return b->cur >> b->left & 1u;
}

static uint32_t bits(struct bits *b, unsigned n)
{
    uint32_t v = 0;
    while (n-- > 0)
        v = v << 1 | bit(b);
    return v;
}

static uint32_t ue(struct bits *b) /* Exp-Golomb, section 9.1 of H.264 */
{
    unsigned zeros = 0;
    while (!b->bad && bit(b) == 0)
        zeros++;
    if (zeros > 31)
        b->bad = true;
    if (b->bad)
        return 0;
    return (1u << zeros) - 1 + bits(b, zeros);
}

static int32_t se(struct bits *b)
{
    uint32_t v = ue(b);
    return v & 1 ? (int32_t)(v / 2 + 1) : -(int32_t)(v / 2);
}

static void skip_scaling_list(struct bits *b, unsigned size)
{
    int32_t last = 8, next = 8;
    for (unsigned i = 0; i < size && !b->bad; i++) {
        if (next != 0)
            next = (int32_t)(((int64_t)last + se(b) + 256) & 0xff);
        last = next == 0 ? last : next;
    }
}

/* The part of profiles from High up; returns chroma_format_idc, 1 (4:2:0) for the others. */
static uint32_t read_chroma(struct bits *b, uint32_t profile)
{
    static const uint8_t with_chroma[] = { 100, 110, 122, 244, 44,  83, 86,
                                           118, 128, 138, 139, 134, 135 };
    if (!memchr(with_chroma, (int)profile, sizeof(with_chroma)))
        return 1;
    uint32_t chroma = ue(b);
    if (chroma == 3 && bit(b)) /* separate_colour_plane_flag: as monochrome */
        chroma = 0;
    bool lists12 = chroma == 3;
    (void)ue(b);  /* bit_depth_luma_minus8 */
    (void)ue(b);  /* bit_depth_chroma_minus8 */
    (void)bit(b); /* qpprime_y_zero_transform_bypass_flag */
    if (bit(b)) { /* seq_scaling_matrix_present_flag */
        unsigned lists = lists12 ? 12 : 8;
        for (unsigned i = 0; i < lists && !b->bad; i++) {
            if (bit(b))
                skip_scaling_list(b, i < 6 ? 16 : 64);
        }
    }
    return chroma;
}

static void skip_order_count(struct bits *b)
{
    (void)ue(b); /* log2_max_frame_num_minus4 */
    uint32_t type = ue(b);
    if (type == 0) {
        (void)ue(b);
    } else if (type == 1) {
        (void)bit(b);
        (void)se(b);
        (void)se(b);
        uint32_t n = ue(b);
        if (n > 255)
            b->bad = true;
        while (n-- > 0 && !b->bad)
            (void)se(b);
    }
    (void)ue(b);  /* max_num_ref_frames */
    (void)bit(b); /* gaps_in_frame_num_value_allowed_flag */
}

static enum tr_err read_size(struct bits *b, uint32_t chroma, uint16_t *width, uint16_t *height)
{
    uint64_t w = ((uint64_t)ue(b) + 1) * 16;
    uint64_t map_h = ((uint64_t)ue(b) + 1) * 16;
    unsigned frame_mbs_only = bit(b);
    uint64_t h = map_h * (2 - frame_mbs_only);
    if (!frame_mbs_only)
        (void)bit(b); /* mb_adaptive_frame_field_flag */
    (void)bit(b);     /* direct_8x8_inference_flag */
    if (bit(b)) {
        uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
        uint64_t unit_y = (chroma == 1 ? 2u : 1u) * (2 - frame_mbs_only);
        uint64_t crop_x = (uint64_t)ue(b) + ue(b);
        uint64_t crop_y = (uint64_t)ue(b) + ue(b);
        if (crop_x * unit_x >= w || crop_y * unit_y >= h)
            return TR_ERR_BADMSG;
        w -= crop_x * unit_x;
        h -= crop_y * unit_y;
    }
    if (b->bad || w > UINT16_MAX || h > UINT16_MAX)
        return TR_ERR_BADMSG;
    *width = (uint16_t)w;
    *height = (uint16_t)h;
    return TR_OK;
}

enum tr_err tr_h264_sps_size(struct tr_slice nal, uint16_t *width, uint16_t *height)
{
    if (nal.n < 4 || (nal.p[0] & 0x1f) != NAL_SPS)
        return TR_ERR_BADMSG;
    struct bits b = { .s = nal, .at = 1 };
    uint32_t profile = bits(&b, 8);
    (void)bits(&b, 16); /* constraint flags, level_idc */
    (void)ue(&b);       /* seq_parameter_set_id */
    uint32_t chroma = read_chroma(&b, profile);
    skip_order_count(&b);
    return read_size(&b, chroma, width, height);
}

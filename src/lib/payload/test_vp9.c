/* Goal: the VP9 payload descriptor, flexible and not, is read and rewritten in place.
 * Method: a keyframe with a scalability structure, cut at every length, and short ones by hand. */
#include "payload/vp9.h"

#include "unit.h"

/* I L B V, not flexible; id 0x0102; TID 1, U, SID 0; TL0 9; SS: 3 layers with sizes, 2 pictures */
static const uint8_t key_svc[] = { 0xaa, 0x81, 0x02, 0x30, 0x09, 0x58, 0x01, 0x40, 0x00,
                                   0xb4, 0x02, 0x80, 0x01, 0x68, 0x05, 0x00, 0x02, 0xd0,
                                   0x02, 0x04, 0x01, 0x38, 0x01, 0x02, 0xee };

TEST(vp9_scalability_structure)
{
    struct tr_vp9 d;
    CHECK_INT(tr_vp9_parse(&d, tr_slice(key_svc, sizeof(key_svc))), TR_OK);
    CHECK(d.keyframe && d.start && !d.end && !d.inter && !d.flexible);
    CHECK_INT(d.picture_id_bits, 15);
    CHECK_INT(d.picture_id, 0x102);
    CHECK(d.has_layers && d.switch_up && !d.inter_layer);
    CHECK_INT(d.tid, 1);
    CHECK_INT(d.sid, 0);
    CHECK_INT(d.tl0_pic_idx, 9);
    CHECK(d.has_ss && d.has_sizes);
    CHECK_INT(d.spatial_layers, 3);
    CHECK_INT(d.width[0], 320);
    CHECK_INT(d.height[0], 180);
    CHECK_INT(d.width[2], 1280);
    CHECK_INT(d.height[2], 720);
    CHECK_INT(d.hdr_len, sizeof(key_svc) - 1);
}

TEST(vp9_every_truncation_is_refused)
{
    struct tr_vp9 d;
    for (size_t n = 0; n < sizeof(key_svc); n++) {
        uint8_t copy[sizeof(key_svc)];
        memcpy(copy, key_svc, n);
        CHECK_INT(tr_vp9_parse(&d, tr_slice(copy, n)), TR_ERR_BADMSG);
    }
}

TEST(vp9_flexible_references)
{
    static const uint8_t two[] = { 0xf4, 0x11, 0x26, 0x03, 0x04, 0x00 }; /* I P L F E; refs 1, 2 */
    static const uint8_t four[] = { 0xd0, 0x11, 0x03, 0x05, 0x07, 0x08, 0x00 };
    struct tr_vp9 d;
    CHECK_INT(tr_vp9_parse(&d, tr_slice(two, sizeof(two))), TR_OK);
    CHECK(d.flexible && d.inter && d.end && !d.start && !d.keyframe);
    CHECK_INT(d.picture_id_bits, 7);
    CHECK_INT(d.sid, 3);
    CHECK_INT(d.tid, 1);
    CHECK_INT(d.tl0_pic_idx_at, 0);
    CHECK_INT(d.ref_count, 2);
    CHECK_INT(d.ref_diff[0], 1);
    CHECK_INT(d.ref_diff[1], 2);
    CHECK_INT(tr_vp9_parse(&d, tr_slice(four, sizeof(four))), TR_ERR_BADMSG);
}

TEST(vp9_upper_layer_of_keyframe_is_no_start)
{
    static const uint8_t upper[] = { 0xa8, 0x05, 0x03, 0x01, 0x00 }; /* SID 1, D */
    struct tr_vp9 d;
    CHECK_INT(tr_vp9_parse(&d, tr_slice(upper, sizeof(upper))), TR_OK);
    CHECK(d.inter_layer && !d.keyframe);
}

TEST(vp9_rewrite)
{
    uint8_t p[sizeof(key_svc)];
    struct tr_vp9 d;
    memcpy(p, key_svc, sizeof(p));
    CHECK_INT(tr_vp9_parse(&d, tr_slice(p, sizeof(p))), TR_OK);
    tr_vp9_rewrite(p, &d, 0x7ffe, 200);
    CHECK_INT(tr_vp9_parse(&d, tr_slice(p, sizeof(p))), TR_OK);
    CHECK_INT(d.picture_id, 0x7ffe);
    CHECK_INT(d.tl0_pic_idx, 200);
    tr_vp9_rewrite(p, &d, 0x102, 9);
    CHECK(memcmp(p, key_svc, sizeof(p)) == 0);
}

/* Goal: the VP8 payload descriptor is read and rewritten in place without a change of its length.
 * Method: a descriptor with every field, cut at every length, and a table of short ones. */
#include "payload/vp8.h"

#include "unit.h"

static const uint8_t
    key_full[] = { /* X S, I L T K, 15-bit picture id 0x1234, TL0 7, TID 2 Y, key 5 */
                   0x90, 0xf0, 0x92, 0x34, 0x07, 0xa5,
                   /* keyframe tag, start code, 640x480 with scale bits set */
                   0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0xe0, 0x41, 0xff
    };

TEST(vp8_full_descriptor)
{
    struct tr_vp8 d;
    CHECK_INT(tr_vp8_parse(&d, tr_slice(key_full, sizeof(key_full))), TR_OK);
    CHECK(d.start && d.keyframe && !d.non_reference);
    CHECK_INT(d.partition, 0);
    CHECK_INT(d.picture_id_bits, 15);
    CHECK_INT(d.picture_id, 0x1234);
    CHECK(d.has_tl0_pic_idx && d.has_tid && d.layer_sync && d.has_key_idx);
    CHECK_INT(d.tl0_pic_idx, 7);
    CHECK_INT(d.tid, 2);
    CHECK_INT(d.key_idx, 5);
    CHECK_INT(d.hdr_len, 6);
    CHECK_INT(d.width, 640);
    CHECK_INT(d.height, 480);
}

TEST(vp8_every_truncation_is_safe)
{
    struct tr_vp8 d;
    for (size_t n = 0; n <= sizeof(key_full); n++) {
        uint8_t copy[sizeof(key_full)]; /* so that a sanitizer sees the end */
        memcpy(copy, key_full, n);
        enum tr_err err = tr_vp8_parse(&d, tr_slice(copy, n));
        CHECK_INT(err, n > 6 ? TR_OK : TR_ERR_BADMSG);
        CHECK_INT(err == TR_OK && d.width ? 1 : 0, n >= 16 ? 1 : 0);
    }
}

TEST(vp8_shapes)
{
    static const struct {
        uint8_t bytes[6];
        size_t n;
        enum tr_err err;
        int bits, id, hdr;
        bool key;
    } t[] = {
        { { 0x10, 0x00 }, 2, TR_OK, 0, 0, 1, true },                /* no extension */
        { { 0x10, 0x01 }, 2, TR_OK, 0, 0, 1, false },               /* inter frame */
        { { 0x00, 0x00 }, 2, TR_OK, 0, 0, 1, false },               /* middle of a keyframe */
        { { 0x11, 0x00 }, 2, TR_OK, 0, 0, 1, false },               /* second partition */
        { { 0x90, 0x80, 0x7f, 0x01 }, 4, TR_OK, 7, 127, 3, false }, /* 7-bit id */
        { { 0x90, 0x20, 0xc0, 0x01 }, 4, TR_OK, 0, 0, 3, false },   /* T only */
        { { 0x90, 0x80, 0x80 }, 3, TR_ERR_BADMSG, 0, 0, 0, false },
        { { 0x10 }, 1, TR_ERR_BADMSG, 0, 0, 0, false },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct tr_vp8 d;
        CHECK_INT(tr_vp8_parse(&d, tr_slice(t[i].bytes, t[i].n)), t[i].err);
        if (t[i].err != TR_OK)
            continue;
        CHECK_INT(d.picture_id_bits, t[i].bits);
        CHECK_INT(d.picture_id, t[i].id);
        CHECK_INT(d.hdr_len, t[i].hdr);
        CHECK_INT(d.keyframe, t[i].key);
    }
}

TEST(vp8_rewrite_keeps_lengths)
{
    uint8_t p[sizeof(key_full)];
    struct tr_vp8 d;
    memcpy(p, key_full, sizeof(p));
    CHECK_INT(tr_vp8_parse(&d, tr_slice(p, sizeof(p))), TR_OK);
    tr_vp8_rewrite(p, &d, 0x7fff, 255);
    CHECK_INT(tr_vp8_parse(&d, tr_slice(p, sizeof(p))), TR_OK);
    CHECK_INT(d.picture_id, 0x7fff);
    CHECK_INT(d.tl0_pic_idx, 255);
    tr_vp8_rewrite(p, &d, 0x1234, 7);
    CHECK(memcmp(p, key_full, sizeof(p)) == 0);

    uint8_t q[] = { 0x90, 0x80, 0x05, 0x01 };
    CHECK_INT(tr_vp8_parse(&d, tr_slice(q, sizeof(q))), TR_OK);
    tr_vp8_rewrite(q, &d, 0x0185, 9); /* seven bits there: cut */
    CHECK_INT(tr_vp8_parse(&d, tr_slice(q, sizeof(q))), TR_OK);
    CHECK_INT(d.picture_id_bits, 7);
    CHECK_INT(d.picture_id, 5);
    CHECK_INT(q[3], 0x01);
}

/* Goal: the AV1 payload format is read right: keyframes, elements with and without lengths, and
 * nothing that runs past the end.
 * Method: short payloads written by hand, the good ones also cut at every length. */
#include "payload/av1.h"

#include "unit.h"

/* N, W = 2: a sequence header OBU of three bytes with its length, then a frame to the end */
static const uint8_t key_w2[] = { 0x28, 0x03, 0x08, 0x00, 0x00, 0x30, 0x10, 0x20 };
/* the same with W = 0: each element has a length */
static const uint8_t key_w0[] = { 0x08, 0x03, 0x08, 0x00, 0x00, 0x03, 0x30, 0x10, 0x20 };

TEST(av1_keyframe_by_n_bit)
{
    struct tr_av1 d;
    CHECK_INT(tr_av1_parse(&d, tr_slice(key_w2, sizeof(key_w2))), TR_OK);
    CHECK(d.keyframe && d.sequence_header && !d.continued && !d.continues);
    CHECK_INT(d.count, 2);
    CHECK_INT(tr_av1_parse(&d, tr_slice(key_w0, sizeof(key_w0))), TR_OK);
    CHECK(d.keyframe && d.sequence_header);
    CHECK_INT(d.count, 0);
}

TEST(av1_walk)
{
    const struct tr_slice both[] = { tr_slice(key_w2, sizeof(key_w2)),
                                     tr_slice(key_w0, sizeof(key_w0)) };
    for (unsigned i = 0; i < 2; i++) {
        struct tr_av1_iter it;
        struct tr_av1_element e;
        tr_av1_iter_init(&it, both[i]);
        CHECK(tr_av1_next(&it, &e));
        CHECK_INT(e.type, TR_AV1_OBU_SEQUENCE_HEADER);
        CHECK_INT(e.data.n, 3);
        CHECK(tr_av1_next(&it, &e));
        CHECK_INT(e.type, TR_AV1_OBU_FRAME);
        CHECK_INT(e.data.n, 3);
        CHECK(!tr_av1_next(&it, &e));
        CHECK(!it.rd.bad);
    }
}

TEST(av1_truncation)
{
    struct tr_av1 d;
    for (size_t n = 0; n < sizeof(key_w0); n++) {
        uint8_t copy[sizeof(key_w0)];
        memcpy(copy, key_w0, n);
        enum tr_err err = tr_av1_parse(&d, tr_slice(copy, n));
        CHECK_INT(err, n == 5 ? TR_OK : TR_ERR_BADMSG); /* 5: exactly the first element */
        CHECK(err == TR_OK || !d.keyframe);
    }
}

TEST(av1_rules)
{
    static const uint8_t continued[] = { 0xd0, 0x08, 0x00 }; /* Z Y W=1: not a sequence header */
    static const uint8_t n_and_z[] = { 0x98, 0x08, 0x00 };
    static const uint8_t endless[] = { 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 };
    static const uint8_t huge[] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00 };
    struct tr_av1 d;
    CHECK_INT(tr_av1_parse(&d, tr_slice(continued, sizeof(continued))), TR_OK);
    CHECK(d.continued && d.continues && !d.keyframe && !d.sequence_header);
    CHECK_INT(tr_av1_parse(&d, tr_slice(n_and_z, sizeof(n_and_z))), TR_ERR_BADMSG);
    CHECK_INT(tr_av1_parse(&d, tr_slice(endless, sizeof(endless))), TR_ERR_BADMSG);
    CHECK_INT(tr_av1_parse(&d, tr_slice(huge, sizeof(huge))), TR_ERR_BADMSG);
}

/* Goal: the duration, DTX and stereo of an Opus packet, and the primary block of RED.
 * Method: RFC 6716's table of durations at its corners; RED written by hand and cut at every
 * length. */
#include "payload/opus.h"

#include "unit.h"

static uint32_t samples(uint8_t toc, uint8_t second)
{
    uint8_t p[] = { toc, second, 0 };
    return tr_opus_samples(tr_slice(p, sizeof(p)));
}

TEST(opus_durations) /* RFC 6716 table 2 */
{
    CHECK_INT(samples(0 << 3, 0), 480);
    CHECK_INT(samples(3 << 3, 0), 2880);
    CHECK_INT(samples(11 << 3, 0), 2880);
    CHECK_INT(samples(12 << 3, 0), 480);
    CHECK_INT(samples(15 << 3, 0), 960);
    CHECK_INT(samples(16 << 3, 0), 120);
    CHECK_INT(samples(31 << 3, 0), 960);
    CHECK_INT(samples(31 << 3 | 1, 0), 1920);
    CHECK_INT(samples(31 << 3 | 2, 0), 1920);
    CHECK_INT(samples(31 << 3 | 3, 6), 5760);
    CHECK_INT(samples(31 << 3 | 3, 7), 0); /* beyond 120 ms */
    CHECK_INT(samples(16 << 3 | 3, 48), 5760);
    CHECK_INT(samples(31 << 3 | 3, 0), 0); /* no frames */
    CHECK_INT(samples(3 << 3 | 3, 0xc2), 5760);
    CHECK_INT(tr_opus_samples(tr_slice(NULL, 0)), 0);
    CHECK_INT(tr_opus_samples(tr_slice("\x03", 1)), 0);
    CHECK(tr_opus_is_dtx(tr_slice("\xf8", 1)));
    CHECK(!tr_opus_is_dtx(tr_slice("\xf8\xff\xfe", 3)));
    CHECK(tr_opus_is_stereo(tr_slice("\xfc", 1)));
}

TEST(red_primary)
{
    /* two redundant blocks of 2 and 1 bytes, then the primary with pt 111 */
    uint8_t p[] = { 0xef, 0x0f, 0x00, 0x02, 0xef, 0x07, 0x80, 0x01, 0x6f, 'a', 'b', 'c', 'X', 'Y' };
    struct tr_red r;
    CHECK_INT(tr_red_parse(&r, tr_slice(p, sizeof(p))), TR_OK);
    CHECK(r.one_pt);
    CHECK_INT(r.primary_pt, 111);
    CHECK_INT(r.redundant, 2);
    CHECK(tr_slice_eq_str(r.primary, "XY"));
    for (size_t n = 0; n <= 12; n++) {
        uint8_t copy[sizeof(p)];
        memcpy(copy, p, n);
        CHECK_INT(tr_red_parse(&r, tr_slice(copy, n)), TR_ERR_BADMSG);
    }
    CHECK_INT(tr_red_parse(&r, tr_slice("\x6f"
                                        "X",
                                        2)),
              TR_OK);
    CHECK_INT(r.redundant, 0);
    p[4] = 0xee; /* the second block is of another type */
    CHECK_INT(tr_red_parse(&r, tr_slice(p, sizeof(p))), TR_OK);
    CHECK(!r.one_pt);
    uint8_t many[100];
    memset(many, 0x80, sizeof(many));
    CHECK_INT(tr_red_parse(&r, tr_slice(many, sizeof(many))), TR_ERR_BADMSG);
}

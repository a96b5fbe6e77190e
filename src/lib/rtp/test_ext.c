/* Goal: header extensions are read in both forms, and the blocks that we build read back the same.
 * Method: blocks written by hand, every length of them, and what the builder refuses. */
#include "rtp/ext.h"

#include "unit.h"

static const struct tr_ext_map map = { .id = {
                                           [TR_EXT_MID] = 1,
                                           [TR_EXT_RID] = 10,
                                           [TR_EXT_ABS_SEND_TIME] = 2,
                                           [TR_EXT_TRANSPORT_CC] = 3,
                                           [TR_EXT_AUDIO_LEVEL] = 4,
                                           [TR_EXT_VIDEO_ORIENTATION] = 5,
                                           [TR_EXT_PLAYOUT_DELAY] = 6,
                                           [TR_EXT_DEPENDENCY_DESCRIPTOR] = 7,
                                           [TR_EXT_ABS_CAPTURE_TIME] = 8,
                                       } };

TEST(ext_uris_round_trip)
{
    for (unsigned i = 0; i < TR_EXT_COUNT; i++)
        CHECK_INT(tr_ext_from_uri(tr_slice_str(tr_ext_uri((enum tr_ext)i))), i);
    CHECK_INT(tr_ext_from_uri(tr_slice_str("urn:x")), TR_EXT_COUNT);
    CHECK_INT(tr_ext_from_uri(tr_slice(NULL, 0)), TR_EXT_COUNT);
}

TEST(ext_read_one_byte)
{
    static const uint8_t p[] = { 0x11, 'a',  'b',  0x00, 0x22, 0x01, 0x02, 0x03, 0x31, 0xab,
                                 0xcd, 0x40, 0x9e, 0x50, 0x02, 0x62, 0x00, 0xa0, 0x14, 0x92,
                                 'x',  'y',  'z',  0x70, 0x99, 0xa0, 'h',  0xf0, 0x10, 0x77 };
    struct tr_ext_vals v;
    tr_ext_read(&v, &map, 0xbede, tr_slice(p, sizeof(p)));
    CHECK(tr_slice_eq_str(v.mid, "ab"));
    CHECK(tr_slice_eq_str(v.rid, "h"));
    CHECK_INT(v.abs_send_time, 0x010203);
    CHECK_INT(v.transport_seq, 0xabcd);
    CHECK(v.voice);
    CHECK_INT(v.audio_level, 0x1e);
    CHECK_INT(v.orientation, 2);
    CHECK_INT(v.playout_min, 10);
    CHECK_INT(v.playout_max, 20);
    CHECK_INT(v.dependency.n, 1);
    CHECK(!tr_ext_has(&v, TR_EXT_RRID) && !tr_ext_has(&v, TR_EXT_ABS_CAPTURE_TIME));
    CHECK(tr_ext_has(&v, TR_EXT_MID) && tr_ext_has(&v, TR_EXT_DEPENDENCY_DESCRIPTOR));
}

TEST(ext_read_two_byte)
{
    static const uint8_t p[] = { 1, 3, 'v', 'i',  'd',  0,    200,  1, 9, 4, 0,
                                 3, 2, 0,   5,    8,    16,   0,    0, 0, 1, 0,
                                 0, 0, 0,   0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 };
    struct tr_ext_vals v;
    tr_ext_read(&v, &map, 0x1000, tr_slice(p, sizeof(p)));
    CHECK(tr_slice_eq_str(v.mid, "vid"));
    CHECK(!tr_ext_has(&v, TR_EXT_AUDIO_LEVEL)); /* empty: wrong size */
    CHECK_INT(v.transport_seq, 5);
    CHECK_INT(v.capture_ntp, (tr_ntp)1 << 32);
    CHECK(v.has_capture_offset);
    CHECK_INT(v.capture_offset, -((int64_t)1 << 32));
}

TEST(ext_read_is_safe_at_every_length)
{
    static const uint8_t p[] = { 0x11, 'a', 'b', 0x22, 1, 2, 3, 0x87, 1, 2, 3, 4, 5, 6, 7, 8 };
    for (unsigned two = 0; two < 2; two++) {
        for (size_t n = 0; n <= sizeof(p); n++) {
            uint8_t copy[sizeof(p)];
            struct tr_ext_vals v;
            memcpy(copy, p, n);
            tr_ext_read(&v, &map, two ? 0x100f : 0xbede, tr_slice(copy, n));
            if (!two)
                CHECK_INT(tr_ext_has(&v, TR_EXT_ABS_SEND_TIME), n >= 7);
        }
    }
    struct tr_ext_vals v;
    tr_ext_read(&v, &map, 0x1234, tr_slice(p, sizeof(p))); /* a profile that we do not know */
    CHECK_INT(v.present, 0);
}

/*= rfc8285#4.2
*# If such an extension element is encountered, its length field MUST be ignored, processing of the
*# entire extension MUST terminate at that point type=test */
TEST(ext_id_zero_with_length_ends)
{
    static const uint8_t p[] = { 0x10, 'a', 0x01, 0x31, 0, 1 };
    struct tr_ext_vals v;
    tr_ext_read(&v, &map, 0xbede, tr_slice(p, sizeof(p)));
    CHECK_INT(v.present, 1u << TR_EXT_MID);
}

static void check_block(const struct tr_ext_block *b, const struct tr_ext_map *m, const char *mid)
{
    struct tr_ext_vals v;
    uint8_t p[TR_EXT_BLOCK_MAX];
    CHECK_INT(b->len % 4, 0);
    CHECK_INT(tr_get16(b->bytes + 2) * 4 + 4, b->len);
    memcpy(p, b->bytes, b->len);
    tr_ext_put_abs_send_time(p + b->at[TR_EXT_ABS_SEND_TIME], 1500 * TR_MSEC);
    tr_ext_put_transport_seq(p + b->at[TR_EXT_TRANSPORT_CC], 0xbeef);
    if (b->at[TR_EXT_AUDIO_LEVEL])
        tr_ext_put_audio_level(p + b->at[TR_EXT_AUDIO_LEVEL], true, 33);
    tr_ext_read(&v, m, tr_get16(p), tr_slice(p + 4, b->len - 4u));
    CHECK(tr_slice_eq_str(v.mid, mid));
    CHECK_INT(v.abs_send_time, 0x60000); /* 1.5 in 6.18 */
    CHECK_INT(v.transport_seq, 0xbeef);
    CHECK_INT(tr_ext_has(&v, TR_EXT_AUDIO_LEVEL), b->at[TR_EXT_AUDIO_LEVEL] != 0);
    if (b->at[TR_EXT_AUDIO_LEVEL])
        CHECK(v.voice && v.audio_level == 33);
}

TEST(ext_block_one_and_two_byte)
{
    uint32_t want = 1u << TR_EXT_MID | 1u << TR_EXT_ABS_SEND_TIME | 1u << TR_EXT_TRANSPORT_CC;
    struct tr_ext_block b;
    struct tr_ext_block_conf c = { .map = &map, .want = want, .mid = tr_slice_str("0") };
    CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
    CHECK_INT(tr_get16(b.bytes), 0xbede);
    CHECK_INT(b.len, 16); /* 4 + 2 + 4 + 3 + padding */
    CHECK_INT(b.at[TR_EXT_AUDIO_LEVEL], 0);
    check_block(&b, &map, "0");

    c.want |= 1u << TR_EXT_AUDIO_LEVEL;
    CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
    CHECK_INT(b.bytes[b.at[TR_EXT_AUDIO_LEVEL]], 127);
    check_block(&b, &map, "0");

    c.mid = tr_slice_str("a-mid-of-17-bytes");
    CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
    CHECK_INT(tr_get16(b.bytes), 0x1000);
    check_block(&b, &map, "a-mid-of-17-bytes");

    struct tr_ext_map high = map;
    high.id[TR_EXT_TRANSPORT_CC] = 15;
    c = (struct tr_ext_block_conf){ .map = &high, .want = want, .mid = tr_slice_str("1") };
    CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
    CHECK_INT(tr_get16(b.bytes), 0x1000);
    check_block(&b, &high, "1");
}

TEST(ext_block_limits)
{
    struct tr_ext_map none = { 0 };
    struct tr_ext_block b;
    struct tr_ext_block_conf c = { .map = &none,
                                   .want = 0x1ff & ~(1u << 8),
                                   .mid = tr_slice_str("0") };
    CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
    CHECK_INT(b.len, 0);
    c.want = 1u << TR_EXT_COUNT;
    CHECK_INT(tr_ext_block_build(&b, &c), TR_ERR_INVAL);
    c.map = &map;
    c.want = 1u << TR_EXT_MID;
    c.mid = tr_slice_str("0123456789012345678901234567890123");
    CHECK_INT(tr_ext_block_build(&b, &c), TR_ERR_LIMIT);
    CHECK_INT(b.len, 0);
    struct tr_ext_map all;
    memset(&all, 200, sizeof(all));
    for (unsigned i = 0; i < TR_EXT_COUNT; i++)
        all.id[i] = (uint8_t)(200 + i);
    c.map = &all;
    c.mid = c.rid = c.rrid = tr_slice("01234567890123456789012345678901", 32);
    c.want = ((1u << TR_EXT_COUNT) - 1) & ~(1u << TR_EXT_DEPENDENCY_DESCRIPTOR);
    CHECK_INT(tr_ext_block_build(&b, &c), TR_ERR_LIMIT);
    c.rid = c.rrid = tr_slice_str("hi");
    CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
}

TEST(descriptors_of_any_length_go_behind_the_block)
{
    static const uint32_t wants[] = { 1u << TR_EXT_DEPENDENCY_DESCRIPTOR,
                                      1u << TR_EXT_DEPENDENCY_DESCRIPTOR | 1u << TR_EXT_MID |
                                          1u << TR_EXT_ABS_SEND_TIME };
    uint8_t value[255];
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (uint8_t)(i + 1);
    for (unsigned k = 0; k < 2; k++) {
        struct tr_ext_block b;
        struct tr_ext_block_conf c = { .map = &map, .want = wants[k], .mid = tr_slice_str("12") };
        CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
        CHECK_INT(b.dd_id, map.id[TR_EXT_DEPENDENCY_DESCRIPTOR]);
        CHECK_INT(tr_get16(b.bytes), 0x1000);
        CHECK_INT(tr_ext_block_size(&b, 0), b.len);
        for (size_t n = 1; n <= sizeof value; n++) {
            uint8_t p[TR_EXT_BLOCK_MAX + 300];
            struct tr_ext_vals v;
            size_t size = tr_ext_block_size(&b, n);
            memset(p, 0xee, sizeof p);
            memcpy(p, b.bytes, b.len);
            memcpy(tr_ext_put_descriptor(p, &b, n), value, n);
            CHECK_INT(size % 4, 0);
            CHECK_INT(p[size], 0xee);
            CHECK_INT(tr_get16(p + 2), size / 4 - 1);
            tr_ext_read(&v, &map, tr_get16(p), tr_slice(p + 4, size - 4));
            CHECK_INT(v.present, wants[k]);
            CHECK(tr_slice_eq(v.dependency, tr_slice(value, n)));
        }
    }
}

TEST(playout_delay_in_a_block)
{
    struct tr_ext_block b;
    struct tr_ext_vals v;
    struct tr_ext_block_conf c = { .map = &map, .want = 1u << TR_EXT_PLAYOUT_DELAY };
    CHECK_INT(tr_ext_block_build(&b, &c), TR_OK);
    tr_ext_put_playout_delay(b.bytes + b.at[TR_EXT_PLAYOUT_DELAY], 0x123, 0xfff);
    tr_ext_read(&v, &map, tr_get16(b.bytes), tr_slice(b.bytes + 4, b.len - 4u));
    CHECK(tr_ext_has(&v, TR_EXT_PLAYOUT_DELAY));
    CHECK_INT(v.playout_min, 0x123);
    CHECK_INT(v.playout_max, 0xfff);
}

TEST(abs_send_time_wraps_at_64_s)
{
    uint8_t a[3], b[3];
    tr_ext_put_abs_send_time(a, 63 * TR_SECOND + 999999);
    CHECK(a[0] == 0xff && a[1] == 0xff && a[2] == 0xff);
    tr_ext_put_abs_send_time(a, 123456789);
    tr_ext_put_abs_send_time(b, 123456789 + 64 * TR_SECOND);
    CHECK(memcmp(a, b, 3) == 0);
}

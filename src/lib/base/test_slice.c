/* Goal: cursors never leave their bytes, keep their error, and integers survive the way there and
 * back. Method: tables, and random scripts of writes that a reader follows. */
#include "unit.h"

#include "base/rng.h"
#include "base/slice.h"
#include "base/time.h"

TEST(slice_eq)
{
    CHECK(tr_slice_eq(tr_slice(NULL, 0), tr_slice("x", 0)));
    CHECK(tr_slice_eq(tr_slice_str("abc"), tr_slice("abcd", 3)));
    CHECK(!tr_slice_eq(tr_slice_str("abc"), tr_slice_str("abd")));
    CHECK(!tr_slice_eq(tr_slice_str("abc"), tr_slice_str("ab")));
    CHECK(tr_slice_eq_str(tr_slice("a\0b", 1), "a"));
}

TEST(slice_reader_yields_zero_after_the_end)
{
    static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7 };
    struct tr_rd r = tr_rd(tr_slice(bytes, sizeof bytes));
    CHECK_INT(tr_rd_u16(&r), 0x0102);
    CHECK_INT(tr_rd_u24(&r), 0x030405);
    CHECK_INT(tr_rd_left(&r), 2);
    CHECK(!r.bad);
    CHECK_INT(tr_rd_u32(&r), 0);
    CHECK(r.bad);
    CHECK_INT(tr_rd_u8(&r), 0); /* there is a byte, but the error is sticky */
    CHECK(tr_rd_take(&r, 0).p == NULL);
    CHECK_INT(tr_rd_left(&r), 2);
}

TEST(slice_reader_of_nothing)
{
    struct tr_rd r = tr_rd(tr_slice(NULL, 0));
    CHECK_INT(tr_rd_take(&r, 0).n, 0);
    CHECK(!r.bad);
    CHECK_INT(tr_rd_u64(&r), 0);
    CHECK(r.bad);
}

TEST(slice_reader_huge_take)
{
    struct tr_rd r = tr_rd(tr_slice("ab", 2));
    CHECK_INT(tr_rd_take(&r, SIZE_MAX).n, 0);
    CHECK(r.bad);
}

TEST(slice_writer_stores_nothing_more_after_the_end)
{
    uint8_t buf[8];
    memset(buf, 0xee, sizeof buf);
    struct tr_wr w = tr_wr(buf, 5);
    tr_wr_u32(&w, 0x01020304);
    tr_wr_u16(&w, 0x0506);
    CHECK(w.bad);
    tr_wr_u8(&w, 7);
    tr_wr_str(&w, "");
    tr_wr_fmt(&w, "%d", 1);
    CHECK_INT(tr_wr_len(&w), 4);
    CHECK_INT(tr_wr_slice(&w).n, 0);
    for (size_t i = 4; i < sizeof buf; i++)
        CHECK_INT(buf[i], 0xee);
}

TEST(slice_writer_of_nothing)
{
    struct tr_wr w = tr_wr(NULL, 0);
    tr_wr_bytes(&w, NULL, 0);
    tr_wr_zero(&w, 0);
    CHECK(!w.bad);
    tr_wr_zero(&w, 1);
    CHECK(w.bad);
}

TEST(slice_wr_fmt)
{
    char buf[6];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_wr_fmt(&w, "%s=%d", "a", 12);
    CHECK(tr_slice_eq_str(tr_wr_slice(&w), "a=12"));
    tr_wr_fmt(&w, "%c", 'x'); /* one byte, and one for the NUL */
    CHECK(tr_slice_eq_str(tr_wr_slice(&w), "a=12x"));
    tr_wr_fmt(&w, "%c", 'y');
    CHECK(w.bad);
    CHECK_INT(tr_wr_len(&w), 5);
}

enum { STEPS = 64, WIDTHS = 5 };

static void write_value(struct tr_wr *w, uint64_t width, uint64_t v)
{
    switch (width) {
    case 0: tr_wr_u8(w, (uint8_t)v); break;
    case 1: tr_wr_u16(w, (uint16_t)v); break;
    case 2: tr_wr_u24(w, (uint32_t)v & 0xffffff); break;
    case 3: tr_wr_u32(w, (uint32_t)v); break;
    default: tr_wr_u64(w, v); break;
    }
}

static bool reads_back(struct tr_rd *r, uint64_t width, uint64_t v)
{
    switch (width) {
    case 0: return tr_rd_u8(r) == (uint8_t)v;
    case 1: return tr_rd_u16(r) == (uint16_t)v;
    case 2: return tr_rd_u24(r) == ((uint32_t)v & 0xffffff);
    case 3: return tr_rd_u32(r) == (uint32_t)v;
    default: return tr_rd_u64(r) == v;
    }
}

TEST(slice_reader_follows_writer)
{
    FOR_EACH_SEED (seed, 50) {
        uint8_t buf[STEPS * 8];
        struct tr_rng rng = tr_rng_seeded(seed);
        struct tr_wr w = tr_wr(buf, sizeof buf);
        for (int i = 0; i < STEPS; i++) {
            uint64_t width = tr_rng_below(&rng, WIDTHS);
            write_value(&w, width, tr_rng_u64(&rng));
        }
        rng = tr_rng_seeded(seed);
        struct tr_rd r = tr_rd(tr_wr_slice(&w));
        for (int i = 0; i < STEPS; i++) {
            uint64_t width = tr_rng_below(&rng, WIDTHS);
            CHECK(reads_back(&r, width, tr_rng_u64(&rng)));
        }
        CHECK(!r.bad && tr_rd_left(&r) == 0);
    }
}

TEST(time_ntp_round_trip)
{
    CHECK(tr_ntp_from_unix_us(0) == 2208988800ull << 32);
    CHECK(tr_ntp_from_unix_us(500000) == (2208988800ull << 32 | 0x80000000u));
    FOR_EACH_SEED (seed, 1000) {
        struct tr_rng rng = tr_rng_seeded(seed);
        int64_t us = (int64_t)tr_rng_below(&rng, 2085978495000000ull); /* until February 2036 */
        CHECK_INT(tr_ntp_to_unix_us(tr_ntp_from_unix_us(us)), us);
    }
    CHECK_INT(tr_ntp_middle(0x0123456789abcdefull), 0x456789ab);
    CHECK_INT(tr_usec_min(TR_NEVER, TR_SECOND), 1000 * TR_MSEC);
}

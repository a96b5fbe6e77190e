/* Goal: sender reports map timestamps to wall clocks, and the offset of two clocks follows its
 * least delay and its steps.
 * Method: made-up reports with known clocks, jitter and drift. */
#include "rtp/sr.h"

#include "base/rng.h"
#include "unit.h"

static const int64_t WALL = 1700000000000000; /* Unix microseconds */

static bool near(int64_t a, int64_t b, int64_t by)
{
    return a - b <= by && b - a <= by;
}

TEST(sr_maps_timestamps_to_wall_clock)
{
    struct tr_sr sr;
    int64_t us;
    tr_sr_init(&sr, 90000);
    CHECK(!tr_sr_wall(&sr, 5, &us));
    tr_sr_update(&sr, TR_SECOND, tr_ntp_from_unix_us(WALL), 0xffffff00);
    CHECK(tr_sr_wall(&sr, 0xffffff00, &us) && near(us, WALL, 1));
    CHECK(tr_sr_wall(&sr, 0xffffff00 + 90000u, &us) && near(us, WALL + 1000000, 1)); /* wraps */
    CHECK(tr_sr_wall(&sr, 0xffffff00 - 45000u, &us) && near(us, WALL - 500000, 1));
    tr_sr_update(&sr, TR_SECOND, 0, 7);
    CHECK(!tr_sr_wall(&sr, 7, &us)); /* a sender without a wall clock */
}

TEST(sr_extrapolates)
{
    struct tr_sr sr;
    tr_sr_init(&sr, 48000);
    tr_sr_update(&sr, 10 * TR_SECOND, 1, 1000);
    CHECK_INT(tr_sr_rtp_at(&sr, 10 * TR_SECOND), 1000);
    CHECK_INT(tr_sr_rtp_at(&sr, 11 * TR_SECOND + 500 * TR_MSEC), 73000);
    CHECK_INT((int32_t)tr_sr_rtp_at(&sr, 9 * TR_SECOND), -47000);
    CHECK_INT(tr_sr_rtp_at(&sr, 100010 * TR_SECOND), (uint32_t)(1000 + 100000ll * 48000));
}

TEST(sr_lsr_and_dlsr)
{
    struct tr_sr sr;
    uint32_t lsr, dlsr;
    tr_sr_init(&sr, 48000);
    tr_sr_lsr(&sr, 5, &lsr, &dlsr);
    CHECK(lsr == 0 && dlsr == 0);
    tr_sr_update(&sr, TR_SECOND, 0x1111222233334444, 1);
    tr_sr_lsr(&sr, 3 * TR_SECOND + 500 * TR_MSEC, &lsr, &dlsr);
    CHECK_INT(lsr, 0x22223333);
    CHECK_INT(dlsr, 5 * 65536 / 2);
    tr_sr_lsr(&sr, 1000000 * TR_SECOND, &lsr, &dlsr);
    CHECK_INT(dlsr, 65535u << 16);
}

/* The least transit time is 20 ms; the offset found must be that much above the true one, and must
 * be so again two windows after either clock stepped. */
TEST(clock_offset_is_the_envelope_and_follows_steps)
{
    FOR_EACH_SEED (seed, 50) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct tr_clock_offset o;
        int64_t got, step = 0;
        tr_usec window = 30 * TR_SECOND;
        tr_clock_offset_init(&o, window);
        CHECK(!tr_clock_offset_get(&o, &got));
        for (tr_usec now = TR_SECOND; now < 1000 * TR_SECOND; now += TR_SECOND) {
            int64_t transit =
                20000 + (int64_t)(tr_rng_below(&rng, 4) ? tr_rng_below(&rng, 80000) : 0);
            if (now == 300 * TR_SECOND)
                step = 2 * TR_SECOND; /* the sender's clock goes ahead */
            if (now == 600 * TR_SECOND)
                step = -3 * TR_SECOND; /* and back */
            tr_clock_offset_sample(&o, now, tr_ntp_from_unix_us(WALL + now + step - transit));
            CHECK(tr_clock_offset_get(&o, &got));
            bool settled = (now > 60 * TR_SECOND && now < 300 * TR_SECOND) ||
                           (now > 330 * TR_SECOND && now < 600 * TR_SECOND) ||
                           now > 600 * TR_SECOND + 2 * window;
            if (settled)
                CHECK(near(got, -WALL - step + 20000, 2));
        }
        tr_clock_offset_sample(&o, 5000 * TR_SECOND, tr_ntp_from_unix_us(WALL)); /* after a pause */
        CHECK(tr_clock_offset_get(&o, &got));
        CHECK(near(got, 5000 * TR_SECOND - WALL, 2));
    }
}

/* Goal: what layers cost is known at once when they begin, steady while they flow, and gone soon
 * after they stop. Method: packets at known rates, a clock that the test turns. */
#include "media/rates.h"
#include "unit.h"

static struct tr_rates r;
static tr_usec now;

static void begin(void)
{
    memset(&r, 0, sizeof r);
    now = r.since = TR_SECOND;
}

/* Two spatial layers, the upper one with two temporal layers, 100 packets a second each. */
static void flow(int ticks, bool upper, bool stacked)
{
    for (int i = 0; i < ticks * 10; i++) {
        tr_rates_count(&r, 0, 0, 125 - TR_RATES_HEADERS); /* 100 kbit/s */
        if (upper)
            tr_rates_count(&r, 1, i & 1u, 500 - TR_RATES_HEADERS); /* 400 kbit/s */
        now += 10 * TR_MSEC;
        if (i % 10 == 9)
            tr_rates_update(&r, now, stacked);
    }
}

TEST(rates_are_known_at_once_and_steady)
{
    begin();
    flow(1, true, false);
    CHECK(r.bps[0][0] == 100000 && r.bps[0][3] == 100000);
    CHECK(r.bps[1][0] == 200000 && r.bps[1][1] == 400000 && r.bps[1][3] == 400000);
    flow(100, true, false);
    CHECK(r.bps[1][0] == 200000 && r.bps[1][3] == 400000);
    CHECK_INT(r.bps[2][3], 0);
    CHECK_INT(tr_rates_all(&r), 400000);
}

TEST(rates_of_stacked_layers_hold_what_they_rest_on)
{
    begin();
    flow(20, true, true);
    CHECK(r.bps[0][3] == 100000 && r.bps[1][3] == 500000);
}

TEST(rates_of_a_silent_layer_end)
{
    begin();
    flow(50, true, false);
    flow(30, false, false);
    CHECK_INT(r.bps[1][3], 0);
    CHECK_INT(r.bps[0][3], 100000);
    CHECK(r.peak[1] > 350000);
    flow(7, true, false); /* and is back soon */
    CHECK(r.bps[1][3] > 300000);
}

TEST(rates_do_not_overflow)
{
    begin();
    for (int i = 0; i < 100; i++) {
        r.bytes[2][3] = r.bytes[1][2] = r.bytes[0][0] = UINT32_MAX;
        now += TR_SECOND / 2;
        tr_rates_update(&r, now, true);
    }
    CHECK(r.bps[2][3] > r.bps[1][3]);
}

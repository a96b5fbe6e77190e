/* Goal: who gets what of a bandwidth, in which order, and that it stays where it is when figures
 * tremble. Method: tables of layers, a clock that the test turns. */
#include "bwe/alloc.h"
#include "unit.h"

#define BPS 1000u

/* Three simulcast layers with two temporal layers each, kbit/s. */
static const uint32_t three[TR_ALLOC_SPATIAL][TR_ALLOC_TEMPORAL] = {
    { 100 * BPS, 150 * BPS, 150 * BPS, 150 * BPS },
    { 300 * BPS, 500 * BPS, 500 * BPS, 500 * BPS },
    { 1000 * BPS, 1500 * BPS, 1500 * BPS, 1500 * BPS },
};
static const uint32_t one[TR_ALLOC_SPATIAL][TR_ALLOC_TEMPORAL] = {
    { 1000 * BPS, 1000 * BPS, 1000 * BPS, 1000 * BPS },
};

static struct tr_alloc_stream video(const uint32_t (*bps)[TR_ALLOC_TEMPORAL])
{
    return (struct tr_alloc_stream){ .bps = bps, .spatial_max = 2, .temporal_max = 3 };
}

static tr_usec now;

static struct tr_alloc_sum run_one(struct tr_alloc_stream *s, int n, uint32_t kbps, bool may_pause)
{
    struct tr_alloc_stream *streams[TR_ALLOC_STREAMS_MAX];
    for (int i = 0; i < n; i++)
        streams[i] = &s[i];
    now += 100 * TR_MSEC;
    return tr_alloc_run(streams, n, now, kbps * BPS, may_pause);
}

static struct tr_alloc_sum run(struct tr_alloc_stream *s, int n, uint32_t kbps)
{
    return run_one(s, n, kbps, true);
}

/* Long enough for every waiting time. */
static struct tr_alloc_sum settle(struct tr_alloc_stream *s, int n, uint32_t kbps)
{
    struct tr_alloc_sum sum = { 0 };
    for (int i = 0; i < 600; i++)
        sum = run(s, n, kbps);
    return sum;
}

static bool is_at(const struct tr_alloc_stream *s, int spatial, int temporal)
{
    if (s->spatial == spatial && (spatial < 0 || s->temporal == temporal))
        return true;
    unit_note("    at %d, %d", s->spatial, s->temporal);
    return false;
}

TEST(alloc_takes_the_best_that_fits)
{
    static const struct {
        uint32_t kbps;
        int spatial, temporal;
    } rows[] = { { 5000, 2, 3 }, { 1700, 2, 3 }, { 1400, 1, 3 }, { 560, 1, 3 },
                 { 450, 0, 3 },  { 170, 0, 3 },  { 120, 0, 0 },  { 50, -1, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tr_alloc_stream s = video(three);
        struct tr_alloc_sum sum = settle(&s, 1, rows[i].kbps);
        CHECK(is_at(&s, rows[i].spatial, rows[i].temporal));
        CHECK_INT(sum.wanted_bps, 1500 * BPS);
        CHECK(sum.used_bps <= rows[i].kbps * BPS);
    }
}

TEST(alloc_obeys_upper_bounds)
{
    struct tr_alloc_stream s = video(three);
    s.spatial_max = 1;
    struct tr_alloc_sum sum = settle(&s, 1, 5000);
    CHECK(is_at(&s, 1, 3));
    CHECK_INT(sum.wanted_bps, 500 * BPS);
    s.temporal_max = 0;
    settle(&s, 1, 5000);
    CHECK(is_at(&s, 1, 0)); /* who asks for few frames gets them of the large picture */
}

TEST(alloc_serves_audio_first_and_never_stops_it)
{
    struct tr_alloc_stream s[2] = { video(three), { .audio_bps = 40 * BPS } };
    settle(s, 2, 160);
    CHECK(is_at(&s[0], 0, 0)); /* 150 would fit without the audio */
    struct tr_alloc_sum sum = settle(s, 2, 30);
    CHECK(is_at(&s[0], -1, 0));
    CHECK_INT(sum.used_bps, 40 * BPS);
}

TEST(alloc_gives_all_a_layer_before_anyone_gets_two)
{
    struct tr_alloc_stream s[3] = { video(three), video(three), video(three) };
    s[1].priority = 1;
    settle(s, 3, 1000);
    for (int i = 0; i < 3; i++)
        CHECK(s[i].spatial == (i == 1 ? 1 : 0));
    settle(s, 3, 120);
    CHECK(is_at(&s[1], 0, 0));
    CHECK(is_at(&s[0], -1, 0) && is_at(&s[2], -1, 0));
}

TEST(alloc_leaves_out_what_is_off_or_does_not_flow)
{
    static const uint32_t nothing[TR_ALLOC_SPATIAL][TR_ALLOC_TEMPORAL];
    static const uint32_t upper[TR_ALLOC_SPATIAL][TR_ALLOC_TEMPORAL] = {
        [1] = { 300 * BPS, 300 * BPS, 300 * BPS, 300 * BPS }
    };
    struct tr_alloc_stream s[3] = { video(three), video(nothing), video(upper) };
    s[0].off = true;
    s[2].spatial_max = 0; /* the lowest that flows is better than nothing */
    struct tr_alloc_sum sum = settle(s, 3, 1000);
    CHECK(is_at(&s[0], -1, 0) && is_at(&s[1], -1, 0) && is_at(&s[2], 1, 3));
    CHECK_INT(sum.used_bps, 300 * BPS);
    CHECK_INT(sum.wanted_bps, 300 * BPS);
}

TEST(alloc_falls_at_once_and_waits_before_it_climbs)
{
    struct tr_alloc_stream s = video(three);
    settle(&s, 1, 2000);
    CHECK(run(&s, 1, 600).changed);
    CHECK(is_at(&s, 1, 3));
    int ticks = 0;
    while (s.spatial != 2 && ticks < 100) {
        run(&s, 1, 2000);
        ticks++;
    }
    CHECK(ticks >= 20 && ticks <= 22); /* two seconds */
}

TEST(alloc_does_not_flap)
{
    struct tr_alloc_stream s = video(three);
    settle(&s, 1, 600);
    int changes = 0;
    for (int i = 0; i < 600; i++) /* about what the layer takes: 7 % either way */
        changes += run(&s, 1, i % 2 ? 470 : 540).changed;
    CHECK_INT(changes, 0);
    for (int i = 0; i < 1200; i++) /* about what the next one would need */
        changes += run(&s, 1, i % 20 < 10 ? 1300 : 1750).changed;
    CHECK(changes <= 12);
}

TEST(alloc_bears_a_stream_that_starves_for_a_second)
{
    struct tr_alloc_stream s = video(one);
    settle(&s, 1, 2000);
    for (int i = 0; i < 9; i++) {
        CHECK(!run(&s, 1, 300).changed);
        CHECK(is_at(&s, 0, 3));
    }
    settle(&s, 1, 300);
    CHECK(is_at(&s, -1, 0));
    settle(&s, 1, 1050); /* room to stay would not be room to begin */
    CHECK(is_at(&s, -1, 0));
    settle(&s, 1, 1200);
    CHECK(is_at(&s, 0, 3));
}

TEST(alloc_pauses_nothing_when_told_so)
{
    struct tr_alloc_stream s[2] = { video(one), video(three) };
    for (int i = 0; i < 100; i++)
        run_one(s, 2, 100, false);
    CHECK(is_at(&s[0], 0, 3) && is_at(&s[1], 0, 0));
}

TEST(alloc_fits_many_streams)
{
    static struct tr_alloc_stream s[TR_ALLOC_STREAMS_MAX];
    for (int i = 0; i < TR_ALLOC_STREAMS_MAX; i++) {
        s[i] = video(three);
        s[i].priority = (uint8_t)(i % 3);
    }
    struct tr_alloc_sum sum = settle(s, TR_ALLOC_STREAMS_MAX, 20000);
    CHECK(sum.used_bps <= 20000 * BPS);
    CHECK(sum.used_bps > 15000 * BPS);
    for (int i = 0; i < TR_ALLOC_STREAMS_MAX; i++)
        CHECK(s[i].spatial >= 0);
}

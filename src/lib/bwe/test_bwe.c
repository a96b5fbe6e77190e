/* Goal: the pieces of the estimator, one by one, and what feedback that lies cannot do to it.
 * Method: packets and feedback made by hand, time as an argument. */
#include "bwe/bwe.h"
#include "base/mem.h"
#include "base/rng.h"
#include "bwe/bwe_int.h"
#include "unit.h"

static struct tr_bwe_history history;

static struct tr_bwe *make(bool transport_cc)
{
    struct tr_bwe_conf conf = { .transport_cc = transport_cc, .can_probe = transport_cc };
    return tr_bwe_create(&conf, &history, TR_SECOND);
}

static uint32_t bound(const struct tr_bwe *b, tr_usec now)
{
    bool sure;
    return tr_bwe_bound(b, now, &sure);
}

/* Sends `n` packets a millisecond apart and reports on them: `late` us more for each. */
static tr_usec exchange(struct tr_bwe *b, tr_usec now, int n, tr_usec late)
{
    struct tr_twcc_item items[256];
    struct tr_twcc_fb fb = { .count = (uint16_t)n };
    for (int i = 0; i < n; i++) {
        uint16_t seq = tr_bwe_sent(&history, now, 1200);
        if (i == 0)
            fb.base_seq = seq;
        items[i] = (struct tr_twcc_item){ .seq = seq, .received = true, .at_us = now + late * i };
        now += TR_MSEC;
    }
    tr_bwe_feedback(b, now + 20 * TR_MSEC, &fb, items);
    return now + 20 * TR_MSEC;
}

TEST(bwe_rate_is_that_of_the_window)
{
    struct bwe_rate r = { 0 };
    for (tr_usec at = TR_SECOND; at < 3 * TR_SECOND; at += 10 * TR_MSEC)
        bwe_rate_add(&r, at, 1250); /* 1 Mbit/s */
    CHECK(bwe_rate_bps(&r) > 980000 && bwe_rate_bps(&r) < 1060000);
    for (tr_usec at = 3 * TR_SECOND; at < 4 * TR_SECOND; at += 10 * TR_MSEC)
        bwe_rate_add(&r, at, 250);
    CHECK(bwe_rate_bps(&r) > 190000 && bwe_rate_bps(&r) < 215000);
    bwe_rate_add(&r, 100 * TR_SECOND, 1);
    CHECK_INT(bwe_rate_bps(&r), 0);        /* after a silence it begins anew */
    bwe_rate_add(&r, -100 * TR_SECOND, 1); /* and a clock that goes back is no crash */
    CHECK_INT(bwe_rate_bps(&r), 0);
}

TEST(bwe_slope_tells_overuse_and_underuse)
{
    struct bwe_delay d;
    bwe_delay_init(&d);
    tr_usec sent = TR_SECOND, queue = 0;
    for (int i = 0; i < 100; i++, sent += 20 * TR_MSEC)
        bwe_delay_packet(&d, sent, sent + 50 * TR_MSEC);
    CHECK_INT(d.usage, TR_BWE_NORMAL);
    for (int i = 0; i < 20; i++, sent += 20 * TR_MSEC, queue += 10 * TR_MSEC)
        bwe_delay_packet(&d, sent, sent + 50 * TR_MSEC + queue);
    CHECK_INT(d.usage, TR_BWE_OVERUSE);
    for (int i = 0; i < 40; i++, sent += 20 * TR_MSEC, queue -= 5 * TR_MSEC)
        bwe_delay_packet(&d, sent, sent + 50 * TR_MSEC + queue);
    CHECK_INT(d.usage, TR_BWE_UNDERUSE);
}

TEST(bwe_jitter_is_no_overuse)
{
    FOR_EACH_SEED (seed, 50) {
        struct bwe_delay d;
        struct tr_rng rng = tr_rng_seeded(seed);
        int over = 0;
        bwe_delay_init(&d);
        for (int i = 0; i < 1000; i++) {
            tr_usec sent = TR_SECOND + i * 20 * TR_MSEC;
            bwe_delay_packet(&d, sent, sent + 50 * TR_MSEC + (tr_usec)tr_rng_below(&rng, 8000));
            over += d.usage == TR_BWE_OVERUSE;
        }
        CHECK(over < 10);
    }
}

TEST(bwe_bounds_only_what_it_knows)
{
    struct tr_bwe *b = make(true);
    tr_usec now = 2 * TR_SECOND;
    tr_bwe_want(b, now, 250000);
    CHECK_INT(tr_bwe_target(b), 300000);
    CHECK_INT(bound(b, now), 1000000);
    CHECK_INT(bound(b, now + 2 * TR_SECOND), 0); /* nothing said: nothing known */
    CHECK_INT(tr_bwe_next_timeout(b), TR_NEVER);
    now = exchange(b, now, 50, 1000);
    CHECK_INT(bound(b, now), 1000000);
    now = exchange(b, now + TR_SECOND, 50, 1000);
    CHECK(bound(b, now) == tr_bwe_target(b));
    tr_bwe_destroy(b);
}

TEST(bwe_probes_only_for_what_is_wanted)
{
    struct tr_bwe *b = make(true);
    tr_usec now = exchange(b, 2 * TR_SECOND, 20, 1000);
    CHECK_INT(tr_bwe_next_timeout(b), TR_NEVER);
    tr_bwe_want(b, now, 200000);
    CHECK_INT(tr_bwe_next_timeout(b), TR_NEVER);
    tr_bwe_want(b, now, 5000000);
    CHECK_INT(tr_bwe_next_timeout(b), now);
    uint64_t before = history.bytes;
    while (tr_bwe_next_timeout(b) != TR_NEVER) {
        uint32_t due = tr_bwe_probe(b, now);
        while (due > 0) {
            tr_bwe_sent(&history, now, 280);
            due = tr_bwe_probe(b, now);
        }
        CHECK(tr_bwe_next_timeout(b) > now);
        now = tr_usec_min(tr_bwe_next_timeout(b), now + 100 * TR_MSEC);
    }
    uint64_t bytes = history.bytes - before; /* 40 ms at 900 kbit/s */
    CHECK(bytes >= 4500 && bytes < 5500);
    tr_bwe_destroy(b);
}

TEST(bwe_probe_that_arrives_raises_the_target)
{
    struct tr_bwe *b = make(true);
    struct tr_twcc_item items[64];
    tr_usec now = exchange(b, 2 * TR_SECOND, 20, 1000);
    tr_bwe_want(b, now, 5000000);
    struct tr_twcc_fb fb = { .base_seq = (uint16_t)history.next };
    for (int i = 0; i < 40; i++, now += TR_MSEC) {
        while (tr_bwe_probe(b, now) > 0) {
            uint16_t seq = tr_bwe_sent(&history, now, 280);
            items[fb.count++] = (struct tr_twcc_item){ .seq = seq, .received = true, .at_us = now };
        }
    }
    tr_bwe_probe(b, now);
    tr_bwe_feedback(b, now, &fb, items);
    struct tr_bwe_stats stats;
    tr_bwe_stats(b, &stats);
    CHECK_INT(stats.probes_good, 1);
    CHECK(stats.target_bps > 800000 && stats.target_bps < 1100000);
    tr_bwe_destroy(b);
}

/* Goal: however fast a client says that its probes arrived, the maximum holds. */
TEST(bwe_probe_cannot_exceed_the_maximum)
{
    struct tr_bwe_conf conf = { .transport_cc = true, .can_probe = true, .max_bps = 500000 };
    struct tr_bwe *b = tr_bwe_create(&conf, &history, TR_SECOND);
    tr_usec now = exchange(b, 2 * TR_SECOND, 20, 1000);
    for (int round = 0; round < 5; round++, now += 4 * TR_SECOND) {
        struct tr_twcc_item items[128];
        struct tr_twcc_fb fb = { .base_seq = (uint16_t)history.next };
        tr_bwe_want(b, now, 90000000);
        for (int i = 0; i < 60; i++, now += TR_MSEC) {
            while (tr_bwe_probe(b, now) > 0 && fb.count < 128) {
                uint16_t seq = tr_bwe_sent(&history, now, 280);
                items[fb.count++] =
                    (struct tr_twcc_item){ .seq = seq, .received = true, .at_us = now };
            }
        }
        tr_bwe_feedback(b, now, &fb, items);
        struct tr_bwe_stats stats;
        tr_bwe_stats(b, &stats);
        CHECK(stats.target_bps <= 500000 && stats.delay_bps <= 500000);
    }
    tr_bwe_destroy(b);
}

TEST(bwe_history_grows_with_the_rate_and_keeps_what_it_knows)
{
    struct tr_bwe *b = make(true);
    tr_usec now = 2 * TR_SECOND;
    for (int i = 0; i < 100; i++)
        now = exchange(b, now - 20 * TR_MSEC, 100, 1000); /* 1000 packets a second */
    CHECK(history.mask + 1 >= 512);
    CHECK(history.mask + 1 <= TR_BWE_HISTORY_MAX);
    struct tr_bwe_stats stats;
    tr_bwe_stats(b, &stats);
    CHECK_INT(stats.ignored, 0);
    tr_bwe_destroy(b);
    b = make(true);
    for (int i = 0; i < 200; i++)
        now = exchange(b, now + TR_SECOND / 5, 1, 0); /* audio */
    CHECK_INT(history.mask + 1, TR_BWE_HISTORY_MIN);
    tr_bwe_destroy(b);
}

TEST(bwe_ignores_feedback_on_what_was_not_sent)
{
    struct tr_bwe *b = make(true);
    struct tr_twcc_item items[3] = { { .seq = 5, .received = true, .at_us = 1000 },
                                     { .seq = 65535, .received = true, .at_us = 2000 },
                                     { .seq = 40000, .received = false } };
    struct tr_twcc_fb fb = { .base_seq = 5, .count = 3 };
    struct tr_bwe_stats stats;
    tr_bwe_feedback(b, 2 * TR_SECOND, &fb, items);
    tr_usec now = exchange(b, 2 * TR_SECOND, 20, 1000);
    tr_bwe_stats(b, &stats);
    uint32_t acked = stats.acked_bps, ignored = stats.ignored;
    struct tr_twcc_item again[20];
    fb = (struct tr_twcc_fb){ .count = 20 };
    for (int i = 0; i < 20; i++) /* once more, a minute later by the client's clock */
        again[i] = (struct tr_twcc_item){ .seq = (uint16_t)i,
                                          .received = true,
                                          .at_us = 60 * TR_SECOND + i };
    tr_bwe_feedback(b, now, &fb, again);
    tr_bwe_stats(b, &stats);
    CHECK_INT(stats.acked_bps, acked);
    CHECK_INT(stats.ignored, ignored + 20);
    tr_bwe_destroy(b);
}

TEST(bwe_reference_time_may_wrap)
{
    struct tr_bwe *b = make(true);
    tr_usec now = 2 * TR_SECOND;
    int32_t ref = 0x7fffff - 20;
    for (int i = 0; i < 40; i++, now += 64 * TR_MSEC) {
        struct tr_twcc_item items[8];
        int32_t wrapped = (int32_t)((uint32_t)(ref + i) << 8) >> 8;
        struct tr_twcc_fb fb = { .reference = wrapped, .count = 8 };
        for (int k = 0; k < 8; k++) {
            uint16_t seq = tr_bwe_sent(&history, now + k * 8000, 1000);
            fb.base_seq = k ? fb.base_seq : seq;
            items[k] = (struct tr_twcc_item){ .seq = seq,
                                              .received = true,
                                              .at_us = (int64_t)wrapped * 64000 + k * 8000 };
        }
        tr_bwe_feedback(b, now + 64 * TR_MSEC, &fb, items);
    }
    struct tr_bwe_stats stats;
    tr_bwe_stats(b, &stats);
    CHECK(stats.acked_bps > 950000 && stats.acked_bps < 1100000);
    CHECK_INT(stats.usage, TR_BWE_NORMAL);
    tr_bwe_destroy(b);
}

TEST(bwe_small_loss_holds_and_large_loss_lowers)
{
    struct bwe_loss l = { 0 };
    struct bwe_facts f = { .now = TR_SECOND, .rtt = 50 * TR_MSEC, .sent = 1e6, .acked = 1e6 };
    for (int i = 0; i < 100; i++, f.now += 400 * TR_MSEC) {
        bwe_loss_add(&l, f.now - 350 * TR_MSEC, 5, 100);
        bwe_loss_update(&l, &f, 1e6);
    }
    CHECK(l.bound <= 0);
    for (int i = 0; i < 10; i++, f.now += 400 * TR_MSEC) {
        bwe_loss_add(&l, f.now - 350 * TR_MSEC, 20, 100);
        bwe_loss_update(&l, &f, 1e6);
    }
    CHECK(l.bound > 0 && l.bound < 800000);
    for (int i = 0; i < 100; i++, f.now += 400 * TR_MSEC) {
        bwe_loss_add(&l, f.now - 350 * TR_MSEC, 0, 100);
        bwe_loss_update(&l, &f, 1e6);
    }
    CHECK(l.bound <= 0);
}

TEST(bwe_remb_is_a_bound_only_where_it_is_one)
{
    struct tr_bwe *b = make(false);
    tr_usec now = TR_SECOND;
    CHECK(!history.ring);
    tr_bwe_want(b, now, 2000000);
    tr_bwe_send_rate(b, 1000000);
    tr_bwe_remb(b, now, 800000);
    CHECK_INT(bound(b, now), 800000);
    tr_bwe_send_rate(b, 150000);
    for (int i = 0; i < 20; i++) {
        now += TR_SECOND;
        tr_bwe_remb(b, now, 225000); /* all that the client ever sees, and a half */
    }
    CHECK(tr_bwe_target(b) > 2000000 && tr_bwe_target(b) <= 2800000);
    tr_bwe_send_rate(b, 500000);
    tr_bwe_remb(b, now, 400000);
    CHECK_INT(tr_bwe_target(b), 400000);
    for (int i = 0; i < 10; i++) {
        now += TR_SECOND;
        tr_bwe_report(b, now, 30, 100);
    }
    CHECK(tr_bwe_target(b) < 300000);
    tr_bwe_destroy(b);
}

TEST_OOM(bwe_without_memory)
{
    struct tr_bwe *b = make(true);
    if (!b)
        return TR_ERR_NOMEM;
    tr_usec now = 2 * TR_SECOND;
    for (int i = 0; i < 20; i++)
        now = exchange(b, now - 20 * TR_MSEC, 100, 1000);
    bool grown = history.mask + 1 > TR_BWE_HISTORY_MIN;
    tr_bwe_destroy(b);
    return grown ? TR_OK : TR_ERR_NOMEM;
}

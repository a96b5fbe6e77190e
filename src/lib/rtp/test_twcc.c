/* Goal: what the receiver saw is what the reader reads, to the tick, whatever the network does.
 * Method: hand-made packets for the format; then the generator against our own reader over seeded
 * loss, bursts, reordering, duplicates and pauses, in virtual time. */
#include "rtp/twcc.h"

#include "base/rng.h"
#include "unit.h"

enum { PACKETS = 3000, ITEMS_MAX = 65535 };

static struct tr_twcc_item items[ITEMS_MAX];

static enum tr_err read_packet(struct tr_slice s, struct tr_twcc_fb *fb)
{
    struct tr_rd it;
    struct tr_rtcp_pkt p;
    struct tr_rtcp_fb f;
    CHECK_INT(tr_rtcp_iter_init(&it, s), TR_OK);
    CHECK(tr_rtcp_next(&it, &p));
    CHECK(p.type == TR_RTCP_RTPFB && p.count == TR_RTPFB_TWCC);
    CHECK_INT(tr_rtcp_fb(&p, &f), TR_OK);
    return tr_twcc_read(&f, fb, items, ITEMS_MAX);
}

/* base 10, count 12, reference 2, fb 7; a run of 3 small, a one-bit vector (received, lost, 7
 * lost); deltas 1, 2, 3, 4 ticks */
static const uint8_t sample[] = { 0x8f, 205, 0, 6, 0, 0, 0,    1, 0,    0, 0, 2, 0, 10,
                                  0,    12,  0, 0, 2, 7, 0x20, 3, 0xa0, 0, 1, 2, 3, 4 };

TEST(twcc_read_sample)
{
    struct tr_twcc_fb fb;
    CHECK_INT(read_packet(tr_slice(sample, sizeof(sample)), &fb), TR_OK);
    CHECK_INT(fb.base_seq, 10);
    CHECK_INT(fb.count, 12);
    CHECK_INT(fb.reference, 2);
    CHECK_INT(fb.fb_count, 7);
    CHECK(items[0].received && items[1].received && items[2].received && items[3].received);
    CHECK_INT(items[0].at_us, 128250);
    CHECK_INT(items[3].at_us, 128000 + 250 * 10);
    for (unsigned i = 4; i < 12; i++)
        CHECK(!items[i].received && items[i].seq == 10 + i);
}

TEST(twcc_read_two_bit_and_large)
{
    /* two-bit vector: small, large, lost, small ...; large delta -5; reference -1 */
    static const uint8_t p[] = { 0x8f, 205,  0,    6,    0,    0, 0,    1,    0,    0,
                                 0,    2,    0xff, 0xff, 0,    4, 0xff, 0xff, 0xff, 0,
                                 0xd8, 0x40, 9,    0xff, 0xfb, 1, 0,    0 };
    struct tr_twcc_fb fb;
    uint8_t copy[sizeof(p)];
    memcpy(copy, p, sizeof(p));
    CHECK_INT(read_packet(tr_slice(copy, sizeof(copy)), &fb), TR_OK);
    CHECK_INT(fb.reference, -1);
    CHECK_INT(items[0].at_us, -64000 + 9 * 250);
    CHECK_INT(items[1].at_us, -64000 + 4 * 250);
    CHECK(items[1].seq == 0 && !items[2].received && items[3].received);
    copy[21] = 0xc0; /* the fourth symbol becomes reserved */
    CHECK_INT(read_packet(tr_slice(copy, sizeof(copy)), &fb), TR_ERR_BADMSG);
}

TEST(twcc_read_hostile)
{
    struct tr_rtcp_fb f = { .fci = tr_slice(sample + 12, sizeof(sample) - 12) };
    struct tr_twcc_fb fb;
    for (size_t n = 0; n < f.fci.n; n++) {
        uint8_t copy[sizeof(sample)];
        memcpy(copy, f.fci.p, n);
        struct tr_rtcp_fb cut = { .fci = tr_slice(copy, n) };
        CHECK_INT(tr_twcc_read(&cut, &fb, items, ITEMS_MAX), TR_ERR_BADMSG);
    }
    CHECK_INT(tr_twcc_read(&f, &fb, items, 11), TR_ERR_LIMIT);
    CHECK_INT(tr_twcc_read(&f, &fb, items, 12), TR_OK);
    static const uint8_t empty_run[] = { 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0 };
    f.fci = tr_slice(empty_run, sizeof(empty_run));
    CHECK_INT(tr_twcc_read(&f, &fb, items, ITEMS_MAX), TR_ERR_BADMSG);
}

/* What the network did, and what the feedback said. */
struct run {
    struct tr_twcc_recv r;
    tr_usec arrival[PACKETS]; /* 0: lost or not yet */
    int64_t reported[PACKETS];
    bool said[PACKETS];
    uint32_t packets;
    uint16_t first;
};

static void feedback(struct run *run, size_t room)
{
    uint8_t buf[TR_TWCC_BYTES_MAX + 300];
    struct tr_twcc_fb fb;
    for (;;) {
        struct tr_wr w = tr_wr(buf, room);
        if (!tr_twcc_recv_build(&run->r, &w, 1, 2))
            return;
        CHECK(tr_wr_len(&w) <= TR_TWCC_BYTES_MAX && tr_wr_len(&w) % 4 == 0);
        CHECK_INT(read_packet(tr_wr_slice(&w), &fb), TR_OK);
        CHECK_INT(fb.fb_count, (uint8_t)run->packets++);
        for (unsigned i = 0; i < fb.count; i++) {
            uint16_t at = (uint16_t)(items[i].seq - run->first);
            if (!CHECK(at < PACKETS) || !items[i].received || run->said[at])
                continue;
            run->said[at] = true;
            run->reported[at] = items[i].at_us;
        }
    }
}

static void arrive(struct run *run, tr_usec now, unsigned i)
{
    tr_twcc_recv_packet(&run->r, now, (uint16_t)(run->first + i));
    if (run->arrival[i] == 0)
        run->arrival[i] = now;
    CHECK(tr_twcc_recv_next_timeout(&run->r) <= now + 100 * TR_MSEC);
}

static void check_reports(struct run *run)
{
    for (unsigned i = 0; i < PACKETS; i++) {
        if (!CHECK(run->said[i] == (run->arrival[i] != 0)))
            return;
        if (run->said[i])
            CHECK_INT(run->reported[i], run->arrival[i] - run->arrival[i] % 250);
    }
}

TEST(twcc_generator_tells_what_arrived)
{
    static struct run run;
    FOR_EACH_SEED (seed, 150) {
        struct tr_rng rng = tr_rng_seeded(seed);
        memset(&run, 0, sizeof(run));
        tr_twcc_recv_init(&run.r, 100 * TR_MSEC);
        run.first = (uint16_t)tr_rng_u32(&rng);
        tr_usec now = 1000000 + (tr_usec)tr_rng_below(&rng, 1000000000);
        uint64_t loss = tr_rng_below(&rng, 60), late = tr_rng_below(&rng, 30);
        uint64_t gap_us = 1 + tr_rng_below(&rng, 3000);
        size_t room = seed % 3 == 0 ? 64 + tr_rng_below(&rng, 200) : TR_TWCC_BYTES_MAX + 300;
        int held = -1; /* a packet that will come late */
        for (unsigned i = 0; i < PACKETS; i++) {
            now += (tr_usec)tr_rng_below(&rng, 2 * gap_us);
            if (tr_rng_below(&rng, 500) == 0)
                now += (tr_usec)tr_rng_below(&rng, 20 * TR_SECOND);
            if (tr_rng_below(&rng, 100) < loss)
                continue;
            if (held < 0 && i > 0 && tr_rng_below(&rng, 100) < late) {
                held = (int)i;
                continue;
            }
            arrive(&run, now, i);
            if (tr_rng_below(&rng, 50) == 0)
                arrive(&run, now + 1, i);
            if (held >= 0 && (tr_rng_below(&rng, 5) == 0 || i - (unsigned)held > 500)) {
                arrive(&run, now, (unsigned)held);
                held = -1;
            }
            if (now >= tr_twcc_recv_next_timeout(&run.r))
                feedback(&run, room);
        }
        feedback(&run, room);
        CHECK_INT(tr_twcc_recv_next_timeout(&run.r), TR_NEVER);
        check_reports(&run);
    }
}

TEST(twcc_generator_size_of_steady_stream)
{
    struct tr_twcc_recv r;
    uint8_t buf[TR_TWCC_BYTES_MAX];
    tr_twcc_recv_init(&r, 100 * TR_MSEC);
    CHECK_INT(tr_twcc_recv_next_timeout(&r), TR_NEVER);
    for (unsigned i = 0; i < 100; i++)
        tr_twcc_recv_packet(&r, i * TR_MSEC, (uint16_t)i);
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    CHECK_INT(tr_twcc_recv_next_timeout(&r), 100 * TR_MSEC);
    CHECK(tr_twcc_recv_build(&r, &w, 1, 2));
    CHECK_INT(tr_wr_len(&w), 124); /* header, one run, 100 bytes of deltas, padding */
    CHECK(!tr_twcc_recv_build(&r, &w, 1, 2));
    w = tr_wr(buf, 30);
    tr_twcc_recv_packet(&r, TR_SECOND, 100);
    CHECK(!tr_twcc_recv_build(&r, &w, 1, 2)); /* no room */
    CHECK(!w.bad);
}

TEST(twcc_generator_survives_jumps)
{
    struct tr_twcc_recv r;
    uint8_t buf[TR_TWCC_BYTES_MAX];
    struct tr_twcc_fb fb;
    tr_twcc_recv_init(&r, 100 * TR_MSEC);
    tr_twcc_recv_packet(&r, 1000, 10);
    tr_twcc_recv_packet(&r, 2000, 20000); /* beyond the ring: begins anew there */
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    CHECK(tr_twcc_recv_build(&r, &w, 1, 2));
    CHECK_INT(read_packet(tr_wr_slice(&w), &fb), TR_OK);
    CHECK(fb.base_seq == 20000 && fb.count == 1);
    for (unsigned i = 0; i < TR_TWCC_STALE_MAX; i++) /* far behind: a few are dropped */
        tr_twcc_recv_packet(&r, 3000, (uint16_t)(100 + i));
    CHECK_INT(r.dropped, TR_TWCC_STALE_MAX);
    w = tr_wr(buf, sizeof(buf));
    CHECK(tr_twcc_recv_build(&r, &w, 1, 2)); /* then believed */
    CHECK_INT(read_packet(tr_wr_slice(&w), &fb), TR_OK);
    CHECK(fb.base_seq == 100 + TR_TWCC_STALE_MAX - 1 && fb.count == 1);
}

/* Goal: late packets, each of which has old numbers reported again, do not drive up our sending. */
TEST(twcc_late_packets_do_not_amplify)
{
    struct tr_twcc_recv r;
    uint8_t buf[TR_TWCC_BYTES_MAX];
    unsigned bytes = 0;
    tr_twcc_recv_init(&r, 100 * TR_MSEC);
    tr_twcc_recv_packet(&r, 0, 0);
    tr_twcc_recv_packet(&r, 0, TR_TWCC_RING - 1);
    for (unsigned i = 2; i < 1002; i++) { /* one second of them, backwards from the middle */
        tr_usec now = i * TR_MSEC;
        tr_twcc_recv_packet(&r, now, (uint16_t)(1500 - i));
        if (now < tr_twcc_recv_next_timeout(&r))
            continue;
        struct tr_wr w;
        do {
            w = tr_wr(buf, sizeof(buf));
            bytes += tr_twcc_recv_build(&r, &w, 1, 2) ? (unsigned)tr_wr_len(&w) : 0;
        } while (tr_wr_len(&w) > 0);
    }
    CHECK(bytes < 11 * (2 * TR_TWCC_RING + 100));
}

TEST(twcc_generator_is_due_before_the_ring_overruns)
{
    struct tr_twcc_recv r;
    tr_twcc_recv_init(&r, 100 * TR_MSEC);
    tr_usec now = TR_SECOND;
    for (unsigned i = 0; i <= TR_TWCC_RING / 2; i++)
        tr_twcc_recv_packet(&r, now, (uint16_t)i);
    CHECK_INT(tr_twcc_recv_next_timeout(&r), now);
}

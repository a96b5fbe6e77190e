/* Goal: the numbers of RFC 3550, and every loss asked for in time, without asking for packets that
 * are only late. Method: hand-made cases; then a lossy, reordering path with a sender that answers
 * NACKs, in virtual time. */
#include "rtp/recv.h"

#include "base/rng.h"
#include "unit.h"

static struct tr_nack nack;
static uint16_t out[TR_NACK_MAX];

static enum tr_recv_kind put(struct tr_rtp_recv *r, tr_usec now, unsigned seq)
{
    return tr_rtp_recv_packet(r, now, (uint16_t)seq, (uint32_t)(now * 90 / 1000), false);
}

TEST(recv_counts_and_reports)
{
    struct tr_rtp_recv r;
    struct tr_rtcp_block b;
    tr_rtp_recv_init(&r, 90000, NULL);
    CHECK(!tr_rtp_recv_report(&r, 0, 1, NULL, &b));
    for (unsigned i = 0; i < 100; i++) { /* every fourth is lost; the wrap is inside */
        if (i % 4 != 1)
            CHECK_INT(put(&r, i * 10000, 65500 + i), TR_RECV_NEW);
    }
    CHECK_INT(tr_rtp_recv_expected(&r), 100);
    CHECK_INT(tr_rtp_recv_lost(&r), 25);
    CHECK(tr_rtp_recv_report(&r, TR_SECOND, 42, NULL, &b));
    CHECK_INT(b.ssrc, 42);
    CHECK_INT(b.fraction, 64);
    CHECK_INT(b.lost, 25);
    CHECK_INT(b.ext_seq, 65599);
    CHECK_INT(b.jitter, 0);
    CHECK_INT(put(&r, TR_SECOND, 65600), TR_RECV_NEW);
    CHECK(tr_rtp_recv_report(&r, TR_SECOND, 42, NULL, &b));
    CHECK_INT(b.fraction, 0);
    CHECK(tr_rtp_recv_report(&r, TR_SECOND, 42, NULL, &b)); /* an interval with nothing */
    CHECK_INT(b.fraction, 0);
    CHECK_INT(tr_rtp_recv_next_timeout(&r), TR_NEVER);
}

TEST(recv_duplicates_late_and_early)
{
    struct tr_rtp_recv r;
    tr_rtp_recv_init(&r, 90000, NULL);
    CHECK_INT(put(&r, 0, 5), TR_RECV_NEW);
    CHECK_INT(put(&r, 0, 5), TR_RECV_DUP);
    CHECK_INT(put(&r, 0, 8), TR_RECV_NEW);
    CHECK_INT(put(&r, 0, 7), TR_RECV_FILL);
    CHECK_INT(put(&r, 0, 7), TR_RECV_DUP);
    CHECK_INT(put(&r, 0, 65535), TR_RECV_FILL); /* sent before the first that came */
    CHECK_INT(tr_rtp_recv_expected(&r), 10);
    CHECK_INT(tr_rtp_recv_lost(&r), 6);
    CHECK_INT(r.stats.duplicate, 2);
}

TEST(recv_rtx_repairs_but_loss_stays_on_the_books)
{
    struct tr_rtp_recv r;
    tr_rtp_recv_init(&r, 90000, &nack);
    put(&r, 0, 1);
    put(&r, 0, 3);
    CHECK_INT(tr_rtp_recv_packet(&r, 0, 2, 0, true), TR_RECV_FILL);
    CHECK_INT(tr_rtp_recv_packet(&r, 0, 2, 0, true), TR_RECV_DUP);
    CHECK_INT(r.stats.repaired, 1);
    CHECK_INT(r.stats.received, 2);
    CHECK_INT(tr_rtp_recv_lost(&r), 1);
    CHECK_INT(nack.count, 0);
    CHECK_INT(tr_rtp_recv_next_timeout(&r), TR_NEVER);
}

TEST(recv_jump_needs_a_second_packet)
{
    struct tr_rtp_recv r;
    tr_rtp_recv_init(&r, 90000, &nack);
    put(&r, 0, 100);
    CHECK_INT(put(&r, 0, 20000), TR_RECV_SUSPECT);
    CHECK_INT(put(&r, 0, 101), TR_RECV_NEW);
    CHECK_INT(put(&r, 0, 20000), TR_RECV_SUSPECT);
    CHECK_INT(put(&r, 0, 20001), TR_RECV_RESTART);
    CHECK_INT(put(&r, 0, 20002), TR_RECV_NEW);
    CHECK_INT(tr_rtp_recv_lost(&r), 0);
    CHECK(tr_rtp_recv_take_keyframe_needed(&r));
    CHECK(!tr_rtp_recv_take_keyframe_needed(&r));
    CHECK_INT(put(&r, 0, 18000), TR_RECV_OLD);
    CHECK_INT(put(&r, 0, 18001), TR_RECV_RESTART);
    CHECK_INT(r.stats.dropped, 3);
    CHECK_INT(r.stats.restarts, 2);
    CHECK_INT(tr_rtp_recv_packet(&r, 0, 1000, 0, true), TR_RECV_OLD); /* never by retransmission */
    CHECK_INT(tr_rtp_recv_packet(&r, 0, 1001, 0, true), TR_RECV_OLD);
}

TEST(recv_jitter)
{
    struct tr_rtp_recv r;
    tr_rtp_recv_init(&r, 8000, NULL);
    for (unsigned i = 0; i < 1000; i++) { /* alternately 0 and 10 ms late: D is always 80 ticks */
        tr_usec now = i * 20 * TR_MSEC + (i % 2 ? 10 * TR_MSEC : 0);
        (void)tr_rtp_recv_packet(&r, now, (uint16_t)i, i * 160, false);
    }
    CHECK(tr_rtp_recv_jitter(&r) >= 78 && tr_rtp_recv_jitter(&r) <= 80);
    (void)tr_rtp_recv_packet(&r, 20 * TR_SECOND, 1000, 0x80000000, false); /* the clock jumps */
    CHECK(tr_rtp_recv_jitter(&r) <= 80);
}

TEST(nack_waits_for_reordering_then_asks_and_retries)
{
    struct tr_rtp_recv r;
    tr_rtp_recv_init(&r, 90000, &nack);
    put(&r, 0, 1);
    put(&r, 0, 3);
    CHECK_INT(tr_rtp_recv_nacks(&r, 0, 0, out, 8), 0);
    CHECK_INT(tr_rtp_recv_next_timeout(&r), 10 * TR_MSEC);
    CHECK_INT(put(&r, 1, 2), TR_RECV_FILL); /* it was only late */
    CHECK_INT(tr_rtp_recv_next_timeout(&r), TR_NEVER);

    put(&r, 20 * TR_MSEC, 6); /* 4 and 5 are missing */
    CHECK_INT(tr_rtp_recv_nacks(&r, 29 * TR_MSEC, 0, out, 8), 0);
    CHECK_INT(tr_rtp_recv_nacks(&r, 30 * TR_MSEC, 0, out, 8), 2);
    CHECK(out[0] == 4 && out[1] == 5);
    CHECK_INT(tr_rtp_recv_next_timeout(&r), 50 * TR_MSEC); /* not sooner than 20 ms */
    CHECK_INT(tr_rtp_recv_nacks(&r, 50 * TR_MSEC, 100 * TR_MSEC, out, 8), 2);
    CHECK_INT(tr_rtp_recv_next_timeout(&r), 150 * TR_MSEC); /* not sooner than the round trip */
    CHECK_INT(tr_rtp_recv_packet(&r, 60 * TR_MSEC, 4, 0, true), TR_RECV_FILL);
    CHECK_INT(tr_rtp_recv_nacks(&r, 150 * TR_MSEC, 100 * TR_MSEC, out, 8), 1);
    CHECK_INT(out[0], 5);
}

TEST(nack_asks_at_once_when_overtaken)
{
    struct tr_rtp_recv r;
    tr_rtp_recv_init(&r, 90000, &nack);
    put(&r, 0, 1);
    put(&r, 0, 3);
    put(&r, 1, 4);
    CHECK_INT(tr_rtp_recv_nacks(&r, 1, 0, out, 8), 0);
    put(&r, 2, 6); /* 2 is overtaken, 5 is not */
    CHECK_INT(tr_rtp_recv_next_timeout(&r), 2);
    CHECK_INT(tr_rtp_recv_nacks(&r, 2, 0, out, 8), 1);
    CHECK_INT(out[0], 2);
    CHECK_INT(tr_rtp_recv_next_timeout(&r), 2 + 10 * TR_MSEC);
}

TEST(nack_gives_up_and_wants_a_keyframe)
{
    struct tr_rtp_recv r;
    unsigned asked = 0;
    tr_rtp_recv_init(&r, 90000, &nack);
    put(&r, 0, 1);
    put(&r, 0, 3);
    for (tr_usec now = 0; now < 2 * TR_SECOND; now += TR_MSEC)
        asked += tr_rtp_recv_nacks(&r, now, 0, out, 8);
    CHECK_INT(asked, TR_NACK_TRIES);
    CHECK_INT(nack.count, 0);
    CHECK_INT(nack.given_up, 1);
    CHECK(tr_rtp_recv_take_keyframe_needed(&r));
    CHECK_INT(tr_rtp_recv_next_timeout(&r), TR_NEVER);

    put(&r, 3 * TR_SECOND, 5);
    asked = 0;
    for (tr_usec now = 3 * TR_SECOND; now < 5 * TR_SECOND; now += TR_MSEC)
        asked += tr_rtp_recv_nacks(&r, now, 300 * TR_MSEC, out, 8);
    CHECK_INT(asked, 4); /* at 10, 310, 610, 910 ms: the age ends it */
    CHECK_INT(nack.count, 0);
}

TEST(nack_list_is_bounded)
{
    struct tr_rtp_recv r;
    tr_rtp_recv_init(&r, 90000, &nack);
    put(&r, 0, 0);
    put(&r, 0, 401);
    CHECK_INT(nack.count, 400);
    CHECK(!tr_rtp_recv_take_keyframe_needed(&r));
    put(&r, 0, 602); /* 200 more: the oldest 88 go */
    CHECK_INT(nack.count, TR_NACK_MAX);
    CHECK_INT(nack.entries[0].seq, 89);
    CHECK(tr_rtp_recv_take_keyframe_needed(&r));
    put(&r, 0, 3000); /* longer than the list: its end */
    CHECK_INT(nack.count, TR_NACK_MAX);
    CHECK_INT(nack.entries[0].seq, 3000 - TR_NACK_MAX);
    tr_rtp_recv_keyframe(&r, 2998);
    CHECK_INT(nack.count, 2);
    CHECK_INT(tr_rtp_recv_nacks(&r, 10 * TR_MSEC, 0, out, 1), 1); /* max is kept to */
    CHECK_INT(tr_rtp_recv_next_timeout(&r), 10 * TR_MSEC);
    CHECK_INT(tr_rtp_recv_nacks(&r, 10 * TR_MSEC, 0, out, 8), 1);
    CHECK_INT(out[0], 2999);
}

/* A path of 20 ms one way that loses packets in both directions and delays some by up to 6 ms. */
enum { SENT = 4000, FLIGHT_MAX = 4096 };

struct flight {
    tr_usec at;
    uint16_t seq;
    bool rtx;
};

struct path {
    struct flight flights[FLIGHT_MAX];
    unsigned count;
    uint64_t loss;
    struct tr_rng rng;
};

static void send_packet(struct path *p, tr_usec now, uint16_t seq, bool rtx)
{
    if (tr_rng_below(&p->rng, 100) < p->loss || p->count == FLIGHT_MAX)
        return;
    tr_usec delay =
        20 * TR_MSEC + (tr_rng_below(&p->rng, 20) ? 0 : (tr_usec)tr_rng_below(&p->rng, 6000));
    p->flights[p->count++] = (struct flight){ now + delay, seq, rtx };
}

static void deliver(struct path *p, tr_usec now, struct tr_rtp_recv *r, bool *got)
{
    for (unsigned i = 0; i < p->count;) {
        struct flight f = p->flights[i];
        if (f.at > now) {
            i++;
            continue;
        }
        memmove(&p->flights[i], &p->flights[i + 1], (--p->count - i) * sizeof(f));
        enum tr_recv_kind kind = tr_rtp_recv_packet(r, now, f.seq, 0, f.rtx);
        if (kind == TR_RECV_NEW || kind == TR_RECV_FILL)
            got[(uint16_t)(f.seq - 65000)] = true;
    }
}

TEST(nack_repairs_a_lossy_path)
{
    static struct path path;
    static bool got[65536];
    FOR_EACH_SEED (seed, 60) {
        struct tr_rtp_recv r;
        memset(&path, 0, sizeof(path));
        memset(got, 0, sizeof(got));
        path.rng = tr_rng_seeded(seed);
        path.loss = seed % 25;
        tr_rtp_recv_init(&r, 90000, &nack);
        unsigned sent = 0, nacks = 0;
        for (tr_usec now = 0; now < SENT * 2 * TR_MSEC + 3 * TR_SECOND; now += 500) {
            if (sent < SENT && now % (2 * TR_MSEC) == 0)
                send_packet(&path, now, (uint16_t)(65000 + sent++), false);
            deliver(&path, now, &r, got);
            if (now < tr_rtp_recv_next_timeout(&r))
                continue;
            unsigned n = tr_rtp_recv_nacks(&r, now, 40 * TR_MSEC, out, TR_NACK_MAX);
            for (unsigned i = 0; i < n; i++)
                send_packet(&path, now + 20 * TR_MSEC, out[i], true);
            nacks += n;
        }
        unsigned missing = 0;
        for (unsigned i = 0; i < SENT; i++)
            missing += !got[i];
        CHECK(missing <= 8); /* lost before the first or after the last that came, or ten times */
        CHECK_INT(nack.count, 0);
        CHECK(nacks <= SENT * path.loss * 2 / 100 + SENT / 100);
        CHECK(tr_rtp_recv_lost(&r) <= (int64_t)(SENT * (path.loss + 3) / 100));
    }
}

/* Goal: one bad client, publisher or subscriber, does not hurt the others: what it does too much of
 * is dropped under its cause, and a pair beside it loses nothing.
 * Method: the engine over real sockets (test_rig.h); the bad client protects packets of its own
 * make with the keys of its peer. In each test two innocents go on with their call meanwhile. */
#include <string.h>

#include "base/mem.h"
#include "media/test_rig.h"
#include "peer/peer_impl.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"

struct scene {
    struct rig rig;
    struct client *a, *b; /* innocent: a is heard and seen by b */
    struct client *bad;
    int sent[TRACKS]; /* by a */
};

/* --- the scene --- */

static struct scene *scene_open(void)
{
    struct scene *s = tr_alloc(sizeof *s);
    struct rig *r = &s->rig;
    if (!rig_open(r, NULL))
        return s;
    s->a = client_open(r);
    s->b = client_open(r);
    s->bad = client_open(r);
    route(r, s->a, s->b, AUDIO);
    route(r, s->a, s->b, VIDEO);
    WAIT_FOR(r, s->a->up && s->b->up && s->bad->up);
    run_for(r, 20 * TR_MSEC);
    return s;
}

static bool ready(const struct scene *s)
{
    return s->bad && s->a->up && s->b->up && s->bad->up;
}

/* A few packets of the innocent, the first of all a key frame. */
static void innocent_turn(struct scene *s)
{
    client_send(s->a, VIDEO, 3, s->sent[VIDEO] == 0);
    client_send(s->a, AUDIO, 1, false);
    s->sent[VIDEO] += 3;
    s->sent[AUDIO]++;
    rig_turn(&s->rig);
}

static void scene_close(struct scene *s)
{
    struct rig *r = &s->rig;
    if (ready(s)) {
        innocent_turn(s); /* shows what is missing before it */
        WAIT_FOR(r, s->b->in[VIDEO].packets == s->sent[VIDEO]);
        WAIT_FOR(r, s->b->in[AUDIO].packets == s->sent[AUDIO]);
        CHECK_INT(s->b->in[VIDEO].damaged + s->b->in[AUDIO].damaged, 0);
        CHECK(!s->a->down && !s->b->down);
    }
    rig_close(r);
    tr_free(s);
}

/* --- packets of the bad client's make --- */

static void send_datagram(struct client *c, struct tr_slice datagram)
{
    struct tr_path path;
    if (!CHECK(tr_peer_path(c->peer, &path)))
        return;
    tr_udp_send(c->udp, &path, datagram);
    tr_udp_flush(c->udp);
}

/* A packet of video that is a key frame, as the innocent's are. */
static void send_video(struct client *c, uint32_t ssrc, uint16_t number)
{
    uint8_t out[TR_PEER_PACKET_MAX];
    struct tr_wr w = tr_wr(out, sizeof out);
    tr_rtp_put(&w, true, PT_VIDEO, number, number * 3000u, ssrc, false);
    size_t header = tr_wr_len(&w), n = 1000;
    uint8_t *p = tr_wr_skip(&w, n);
    for (size_t i = payload_head(VIDEO, true, number, p); i < n; i++)
        p[i] = pattern(number, i);
    struct tr_srtp_job job = { .out = out,
                               .out_size = sizeof out,
                               .hdr_len = header,
                               .payload = tr_slice(p, n),
                               .index = TR_SRTP_AUTO };
    if (CHECK(tr_srtp_protect(c->peer->out, &job) == TR_OK))
        send_datagram(c, tr_slice(out, job.out_len));
}

static void send_rtcp(struct client *c, struct tr_wr *w)
{
    uint8_t out[TR_PEER_PACKET_MAX];
    size_t n;
    if (CHECK(tr_srtcp_protect(c->peer->out, tr_wr_slice(w), (struct tr_buf){ out, sizeof out },
                               &n) == TR_OK))
        send_datagram(c, tr_slice(out, n));
}

/* What the bad client receives, as the engine calls it. */
static uint32_t heard_ssrc(const struct scene *s)
{
    return ssrc_of((int)(s->bad - s->rig.clients), VIDEO, true, false);
}

/* --- publishers --- */

/* The numbers of the bad one leap by more than half of all that there are. Who sees it goes over to
 * the innocent on the same m-line, and gets every packet. */
TEST(leaps_of_one_do_not_break_the_m_line_for_the_next)
{
    struct scene *s = scene_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        struct client *viewer = client_open(r);
        uint32_t ssrc = ssrc_of((int)(s->bad - r->clients), VIDEO, false, false);
        uint16_t number = 100;
        route(r, s->bad, viewer, VIDEO);
        WAIT_FOR(r, viewer->up);
        run_for(r, 20 * TR_MSEC);
        for (int leap = 0; leap < 4; leap++) {
            send_video(s->bad, ssrc, number);
            send_video(s->bad, ssrc, ++number);
            WAIT_FOR(r, viewer->in[VIDEO].number_last == number);
            send_video(s->bad, ssrc, number = (uint16_t)(number + 30000)); /* not believed */
            number = (uint16_t)(number + 30000);
            innocent_turn(s);
        }
        WAIT_FOR(r, counters(r).drops[TR_DROP_RTP_DUPLICATE] >= 4);
        route(r, s->a, viewer, VIDEO);
        run_for(r, 20 * TR_MSEC);
        memset(&viewer->in[VIDEO], 0, sizeof viewer->in[VIDEO]);
        client_send(s->a, VIDEO, 10, true);
        s->sent[VIDEO] += 10;
        WAIT_FOR(r, viewer->in[VIDEO].packets >= 10);
        CHECK_INT(viewer->in[VIDEO].damaged, 0);
    }
    scene_close(s);
}

TEST(a_publisher_at_100_times_its_bitrate)
{
    struct scene *s = scene_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        enum { TOLD = 1000000, LEAST = 2500000, TIMES = 4 }; /* media/rate.h */
        tr_media_peer_bitrate(r->media, s->bad->id, TOLD);
        run_for(r, 20 * TR_MSEC);
        struct tr_media_counters before = counters(r), after;
        tr_usec start = tr_clock_now(), now;
        int turns = 0;
        do { /* 11 packets a millisecond, or as fast as this machine is */
            client_send(s->bad, VIDEO, 11, false);
            if (turns++ % 8 == 0)
                innocent_turn(s);
            else
                rig_turn(r);
            now = tr_clock_now();
        } while (now - start < TR_SECOND);
        after = counters(r);
        uint64_t taken = after.rtp_in - before.rtp_in - (uint64_t)turns / 8 * 4;
        CHECK(after.drops[TR_DROP_RATE] > before.drops[TR_DROP_RATE]);
        CHECK(taken < (uint64_t)LEAST * TIMES / 8 / PAYLOAD * 5 / 2); /* a second, and the start */
        CHECK(!s->bad->down);
    }
    scene_close(s);
}

TEST(a_publisher_whose_streams_fight_for_one_layer)
{
    struct scene *s = scene_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        struct client *viewer = client_open(r);
        route(r, s->bad, viewer, VIDEO);
        WAIT_FOR(r, viewer->up);
        run_for(r, 20 * TR_MSEC);
        for (int i = 0; i < 400; i++) {
            send_video(s->bad, 77 + (uint32_t)(i % 50), (uint16_t)(1000 + i));
            if (i % 4 == 0)
                innocent_turn(s);
        }
        WAIT_FOR(r, counters(r).drops[TR_DROP_RTP_UNKNOWN_SSRC] >= 300);
        CHECK_INT(viewer->in[VIDEO].damaged, 0);
    }
    scene_close(s);
}

/* --- subscribers --- */

static struct scene *subscriber_open(void)
{
    struct scene *s = scene_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        route(r, s->a, s->bad, VIDEO);
        run_for(r, 20 * TR_MSEC);
        innocent_turn(s);
        WAIT_FOR(r, s->bad->in[VIDEO].packets > 0);
    }
    return s;
}

static void ask_again(struct client *c, uint32_t ssrc, uint16_t newest)
{
    uint8_t buf[1100];
    uint16_t seqs[1000];
    struct tr_wr w = tr_wr(buf, sizeof buf - TR_SRTCP_OVERHEAD_MAX);
    for (unsigned i = 0; i < 1000; i++)
        seqs[i] = (uint16_t)(newest - 999 + i);
    tr_rtcp_put_rr(&w, 1, NULL, 0);
    tr_rtcp_put_nack(&w, 1, ssrc, seqs, 1000);
    send_rtcp(c, &w);
}

TEST(a_subscriber_that_asks_for_everything_again)
{
    struct scene *s = subscriber_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        uint64_t before = counters(r).rtx_out;
        for (int i = 0; i < 400; i++) {
            ask_again(s->bad, heard_ssrc(s), (uint16_t)s->bad->in[VIDEO].last);
            innocent_turn(s);
        }
        WAIT_FOR(r, counters(r).nacks_in > 100000);
        struct tr_media_counters sums = counters(r);
        uint64_t budget = 64 + (uint64_t)s->sent[VIDEO] / 5; /* packets: route.c */
        CHECK(sums.drops[TR_DROP_RESEND] > 1000);
        CHECK(sums.rtx_out - before <= budget + 32);
    }
    scene_close(s);
}

TEST(a_subscriber_that_asks_for_key_frames_all_the_time)
{
    struct scene *s = subscriber_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        uint8_t buf[100];
        int before = s->a->keyframes_asked;
        tr_usec start = tr_clock_now();
        for (int i = 0; i < 400; i++) {
            struct tr_wr w = tr_wr(buf, sizeof buf);
            tr_rtcp_put_rr(&w, 1, NULL, 0);
            if (i % 2)
                tr_rtcp_put_pli(&w, 1, heard_ssrc(s));
            else
                tr_rtcp_put_fir(&w, 1, heard_ssrc(s), (uint8_t)i);
            send_rtcp(s->bad, &w);
            innocent_turn(s);
        }
        int asked = s->a->keyframes_asked - before;
        /* One begins the time, and one may have been on its way before. */
        CHECK(asked >= 1 && asked <= (int)((tr_clock_now() - start) / (500 * TR_MSEC)) + 2);
        WAIT_FOR(r, counters(r).plis_in >= 300);
    }
    scene_close(s);
}

static void put_remb(struct tr_wr *w, int round)
{
    static const uint64_t bps[] = { 0, 1, UINT32_MAX, UINT64_MAX };
    uint32_t ssrc = 1;
    tr_rtcp_put_remb(w, 1, bps[round % 4], &ssrc, 1);
}

static void put_transport_garbage(struct tr_wr *w, struct tr_rng *rng)
{
    unsigned words = 2 + tr_rng_below(rng, 60);
    tr_wr_u8(w, 0x80 | TR_RTPFB_TWCC);
    tr_wr_u8(w, TR_RTCP_RTPFB);
    tr_wr_u16(w, (uint16_t)words);
    tr_rng_fill(rng, tr_wr_skip(w, words * 4), words * 4);
}

static void put_reports_of_anything(struct tr_wr *w, struct tr_rng *rng, uint32_t ssrc)
{
    struct tr_rtcp_block blocks[4];
    for (int i = 0; i < 4; i++) {
        tr_rng_fill(rng, &blocks[i], sizeof blocks[i]);
        blocks[i].ssrc = ssrc;
        blocks[i].lost %= 1 << 23;
    }
    tr_rtcp_put_rr(w, 1, blocks, 4);
}

TEST(feedback_of_random_bytes)
{
    struct scene *s = subscriber_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        uint8_t buf[800];
        for (int i = 0; i < 400; i++) {
            struct tr_wr w = tr_wr(buf, sizeof buf - TR_SRTCP_OVERHEAD_MAX);
            put_reports_of_anything(&w, &r->rng, heard_ssrc(s));
            put_remb(&w, i);
            if (i % 3 == 0)
                put_transport_garbage(&w, &r->rng);
            send_rtcp(s->bad, &w);
            innocent_turn(s);
        }
        CHECK(!s->bad->down);
    }
    scene_close(s);
}

/* By a path of its own that another worker hears: what that one passes on goes by the mailbox in
 * which the media of others comes. */
TEST(a_flood_that_is_passed_on_to_another_worker)
{
    enum { PATHS = 24, FLOOD = 6000 };
    const uint8_t rubbish[1200] = { 0x80, 100 };
    struct scene *s = subscriber_open();
    struct rig *r = &s->rig;
    struct client *c = s->bad;
    struct tr_path path;
    for (int i = 0; ready(s) && i < PATHS && counters(r).drops[TR_DROP_RATE] == 0; i++) {
        if (!client_other(c, &path))
            break;
        send_check(c, c->other, &path);
        run_for(r, 120 * TR_MSEC);
        for (int k = 0; k < FLOOD; k++) {
            tr_udp_send(c->other, &path, tr_slice(rubbish, sizeof rubbish));
            if (k % 64 == 0)
                innocent_turn(s);
        }
        tr_udp_flush(c->other);
        run_for(r, 120 * TR_MSEC);
    }
    CHECK(counters(r).drops[TR_DROP_RATE] > 0);
    scene_close(s);
}

/* Checks with the right password and authentic reports, as fast as they can be sent: what is above
 * a client's share is not looked at, and not answered. */
TEST(a_flood_of_checks_and_of_reports)
{
    struct scene *s = subscriber_open();
    struct rig *r = &s->rig;
    if (ready(s)) {
        uint8_t check[CHECK_BYTES], report[200];
        for (int i = 0; i < 100; i++) {
            for (int k = 0; k < 30; k++) {
                struct tr_wr w = tr_wr(report, sizeof report - TR_SRTCP_OVERHEAD_MAX);
                send_datagram(s->bad, check_of(r, &s->bad->creds, false, check));
                tr_rtcp_put_rr(&w, 1, NULL, 0);
                send_rtcp(s->bad, &w);
            }
            innocent_turn(s);
        }
        WAIT_FOR(r, counters(r).drops[TR_DROP_FLOOD] > 1000);
        CHECK_INT(counters(r).drops[TR_DROP_STUN_AUTH], 0);
        CHECK(!s->bad->down);
    }
    scene_close(s);
}

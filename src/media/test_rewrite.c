/* Goal: whatever sources do (switch, lose, reorder, get layers taken out), a client sees one
 * stream: numbers that close up, each used once, time and picture ids that go on; and its NACKs
 * find what was sent, or nothing. Method: tables, then random sources against a model that
 * remembers everything, over many seeds. Replay one: test_rewrite seed=17 */
#include "media/rewrite.h"

#include <stdlib.h>

#include "base/rng.h"
#include "unit.h"

enum { CLOCK = 90000 };

static struct tr_rtp_meta packet(int64_t seq, uint32_t ts)
{
    return (struct tr_rtp_meta){ .ext_seq = seq,
                                 .ts = ts,
                                 .picture_id = (uint16_t)(seq & 0x7fff),
                                 .tl0picidx = (uint8_t)seq,
                                 .flags = TR_RTP_PICTURE_ID | TR_RTP_TL0 };
}

static int64_t pass(struct tr_rewrite *rw, uint32_t origin, int64_t seq)
{
    struct tr_rtp_meta m = packet(seq, (uint32_t)seq * 100);
    struct tr_rewritten out;
    return tr_rewrite_packet(rw, 0, origin, &m, &out) == TR_OK ? out.ext_seq : -1;
}

static void start(struct tr_rewrite *rw, uint32_t origin, int64_t seq)
{
    struct tr_rtp_meta m = packet(seq, (uint32_t)seq * 100);
    tr_rewrite_switch(rw, 0, origin, CLOCK, &m);
}

static void skip(struct tr_rewrite *rw, uint32_t origin, int64_t seq)
{
    struct tr_rtp_meta m = packet(seq, (uint32_t)seq * 100);
    tr_rewrite_skip(rw, origin, &m);
}

TEST(first_packet_keeps_what_is_in_it)
{
    struct tr_rewrite rw;
    struct tr_rewritten out;
    struct tr_rtp_meta m = packet(70000, 5);
    tr_rewrite_init(&rw, 0xffff, 1000);
    CHECK_INT(tr_rewrite_packet(&rw, 0, 1, &m, &out), TR_ERR_NOTFOUND);
    tr_rewrite_switch(&rw, 0, 1, CLOCK, &m);
    CHECK_INT(tr_rewrite_packet(&rw, 0, 1, &m, &out), TR_OK);
    CHECK_INT(out.ext_seq, 0x7fff); /* the first is below 2^15 */
    CHECK_INT(out.ts, 1000);
    CHECK(!out.payload);
    CHECK_INT(out.picture_id, m.picture_id);
}

TEST(a_switch_goes_on_in_number_time_and_picture)
{
    struct tr_rewrite rw;
    struct tr_rewritten a, b;
    struct tr_rtp_meta m = packet(10, 4000), n = packet(900000, 77);
    tr_rewrite_init(&rw, 5, 0xfffffff0);
    tr_rewrite_switch(&rw, TR_SECOND, 1, CLOCK, &m);
    CHECK_INT(tr_rewrite_packet(&rw, TR_SECOND, 1, &m, &a), TR_OK);
    tr_rewrite_switch(&rw, TR_SECOND + 100 * TR_MSEC, 2, CLOCK, &n);
    CHECK_INT(tr_rewrite_packet(&rw, TR_SECOND + 100 * TR_MSEC, 2, &n, &b), TR_OK);
    CHECK_INT(b.ext_seq, a.ext_seq + 1);
    CHECK_INT((uint32_t)(b.ts - a.ts), CLOCK / 10);
    CHECK_INT(b.picture_id, (a.picture_id + 1) & 0x7fff);
    CHECK_INT(b.tl0picidx, (uint8_t)(a.tl0picidx + 1));
    CHECK(b.payload);
    CHECK_INT(pass(&rw, 1, 11), -1); /* what the old source sends now was never begun */
    CHECK_INT(pass(&rw, 3, 900001), -1);
    CHECK_INT(pass(&rw, 2, 900001), b.ext_seq + 1);
}

TEST(late_packets_get_the_numbers_that_were_kept)
{
    struct tr_rewrite rw;
    tr_rewrite_init(&rw, 0, 0);
    start(&rw, 1, 100);
    CHECK_INT(pass(&rw, 1, 100), 0);
    CHECK_INT(pass(&rw, 1, 103), 3);
    skip(&rw, 1, 104);
    CHECK_INT(pass(&rw, 1, 105), 4);
    start(&rw, 2, 50);
    CHECK_INT(pass(&rw, 2, 50), 5);
    CHECK_INT(pass(&rw, 1, 101), 1);
    CHECK_INT(pass(&rw, 1, 102), 2);
    CHECK_INT(pass(&rw, 1, 104), -1); /* left out */
    CHECK_INT(pass(&rw, 1, 99), -1);  /* before the beginning */
    CHECK_INT(pass(&rw, 1, 106), -1); /* after the end */
    CHECK_INT(pass(&rw, 2, 51), 6);
}

TEST(skips_close_up)
{
    static const struct {
        const char *in; /* s: skipped, p: passed, l: lost, from 10 on */
        int64_t last;
    } cases[] = {
        { "psp", 1 },  { "pssp", 1 }, { "pspsp", 2 }, { "pslp", 2 },
        { "plsp", 2 }, { "sssp", 0 }, { "pppp", 3 },  { "psssssssp", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tr_rewrite rw;
        int64_t last = -1;
        tr_rewrite_init(&rw, 0, 0);
        start(&rw, 1, 10);
        for (int64_t k = 0; cases[i].in[k]; k++) {
            if (cases[i].in[k] == 's')
                skip(&rw, 1, 10 + k);
            else if (cases[i].in[k] == 'p')
                last = pass(&rw, 1, 10 + k);
        }
        if (!CHECK(last == cases[i].last))
            unit_note("    %s", cases[i].in);
    }
}

/* A packet was lost, the one behind it left out, then came a switch. The number kept for the lost
 * one is the next source's; when it comes after all, and its source is back, it has none. */
TEST(a_number_kept_for_a_lost_packet_is_used_once)
{
    struct tr_rewrite rw;
    tr_rewrite_init(&rw, 0, 0);
    start(&rw, 1, 100);
    CHECK_INT(pass(&rw, 1, 100), 0);
    skip(&rw, 1, 102);
    start(&rw, 2, 50);
    CHECK_INT(pass(&rw, 2, 50), 1);
    start(&rw, 1, 110);
    CHECK_INT(pass(&rw, 1, 110), 2);
    CHECK_INT(pass(&rw, 1, 101), -1);
}

/* SRTP takes numbers by 16 bits: further than 2^15 it is somewhere else. */
TEST(a_gap_that_nobody_can_follow_is_made_small)
{
    struct tr_rewrite rw;
    uint32_t origin;
    int64_t seq;
    tr_rewrite_init(&rw, 7, 0);
    start(&rw, 1, 100);
    CHECK_INT(pass(&rw, 1, 100), 7);
    CHECK_INT(pass(&rw, 1, 40100), 9);
    CHECK_INT(pass(&rw, 1, 40099), -1);
    CHECK_INT(pass(&rw, 1, 30000), -1);
    CHECK_INT(pass(&rw, 1, 40101), 10);
    for (int64_t i = 2; i < 10; i++)
        skip(&rw, 1, i * 30000);
    CHECK_INT(pass(&rw, 1, 300000), 12);
    CHECK_INT(tr_rewrite_reverse(&rw, 9, &origin, &seq), TR_OK);
    CHECK_INT(seq, 40100);
    CHECK_INT(tr_rewrite_reverse(&rw, 8, &origin, &seq), TR_ERR_NOTFOUND);
    CHECK_INT(tr_rewrite_reverse(&rw, 12, &origin, &seq), TR_OK);
    CHECK_INT(seq, 300000);
}

/* A frame of many packets that is left out costs one epoch, not one each. */
TEST(long_skips_do_not_push_history_out)
{
    struct tr_rewrite rw;
    uint32_t origin;
    int64_t seq;
    tr_rewrite_init(&rw, 0, 0);
    start(&rw, 1, 0);
    CHECK_INT(pass(&rw, 1, 0), 0);
    for (int64_t i = 1; i < 1000; i++)
        skip(&rw, 1, i);
    CHECK_INT(pass(&rw, 1, 1000), 1);
    CHECK_INT(tr_rewrite_reverse(&rw, 0, &origin, &seq), TR_OK);
    CHECK_INT(seq, 0);
    CHECK_INT(tr_rewrite_reverse(&rw, 1, &origin, &seq), TR_OK);
    CHECK_INT(seq, 1000);
    CHECK_INT(tr_rewrite_reverse(&rw, 2, &origin, &seq), TR_ERR_NOTFOUND);
    CHECK_INT(tr_rewrite_reverse(&rw, 0xffff, &origin, &seq), TR_ERR_NOTFOUND);
}

TEST(what_is_told_of_layers_holds_from_a_packet_on)
{
    struct tr_rewrite rw;
    struct tr_rewritten out;
    struct tr_svc_out one = { .top = 1 }, two = { .top = 2, .masked = true, .mask = 5 };
    struct tr_rtp_meta m = packet(10, 0);
    m.flags |= TR_RTP_FRAME_END;
    m.spatial = 1;
    tr_rewrite_init(&rw, 0, 0);
    tr_rewrite_layers(&rw, 1, &m, &one); /* nothing began: nothing to tell */
    start(&rw, 1, 10);
    for (int i = 0; i < 6; i++, m.ext_seq++) {
        tr_rewrite_layers(&rw, 1, &m, i < 3 ? &one : &two);
        CHECK_INT(tr_rewrite_packet(&rw, 0, 1, &m, &out), TR_OK);
        CHECK_INT(out.ext_seq, i);
        CHECK_INT(out.marker, i < 3);
        CHECK(out.masked == (i >= 3) && out.mask == (i < 3 ? 0 : 5));
    }
    m.ext_seq = 11; /* late: told as it was then */
    tr_rewrite_layers(&rw, 1, &m, &one);
    CHECK_INT(tr_rewrite_packet(&rw, 0, 1, &m, &out), TR_OK);
    CHECK(out.ext_seq == 1 && out.marker && !out.masked);
    CHECK_INT(tr_rewrite_again(&rw, 4, &m, &out), TR_OK);
    CHECK(out.masked && !out.marker);
    CHECK(rw.count == 2); /* no history is made of what does not change */
    m.flags |= TR_RTP_MARKER;
    CHECK_INT(tr_rewrite_again(&rw, 4, &m, &out), TR_OK);
    CHECK(out.marker);
}

/* Differences of frame numbers are references: a switch moves them all by one offset. */
TEST(frame_numbers_go_on_and_keep_their_gaps)
{
    struct tr_rewrite rw;
    struct tr_rewritten out;
    struct tr_rtp_meta m = packet(10, 0), n = packet(500, 0);
    uint16_t last = 0;
    tr_rewrite_init(&rw, 0, 0);
    tr_rewrite_switch(&rw, 0, 1, CLOCK, &m);
    for (m.frame = 65500; m.ext_seq < 20; m.ext_seq++, m.frame = (uint16_t)(m.frame + 7)) {
        CHECK_INT(tr_rewrite_packet(&rw, 0, 1, &m, &out), TR_OK);
        CHECK_INT(out.frame_off, 0);
        last = (uint16_t)(m.frame + out.frame_off);
    }
    n.frame = 3;
    tr_rewrite_switch(&rw, 0, 2, CLOCK, &n);
    CHECK_INT(tr_rewrite_packet(&rw, 0, 2, &n, &out), TR_OK);
    CHECK_INT((uint16_t)(n.frame + out.frame_off), (uint16_t)(last + 1));
    uint16_t off = out.frame_off;
    n.ext_seq++;
    n.frame += 5;
    CHECK_INT(tr_rewrite_packet(&rw, 0, 2, &n, &out), TR_OK);
    CHECK_INT(out.frame_off, off);
}

/* --- against a model --- */

enum { SOURCES = 3, SENT_MAX = 200000, FRAME_PACKETS = 3, LATE = 4 };

struct sent { /* by outgoing number */
    bool used;
    uint32_t origin;
    struct tr_rtp_meta meta;
    struct tr_rewritten out;
};

struct source {
    int64_t seq;
    uint32_t ts, frame;
    int part;
    struct tr_rtp_meta late[LATE]; /* held back, to come later */
    int late_count;
};

struct world {
    struct tr_rewrite rw;
    struct tr_rng rng;
    tr_usec now;
    struct source sources[SOURCES];
    struct sent *sent;
    int64_t first, top;  /* outgoing numbers */
    int current, wanted; /* source */
    bool begun;
    bool temporal, lossy; /* leave out upper layers; lose and reorder */
    bool layered;         /* what is told of layers changes in between */
    struct tr_svc_out layers;
    uint64_t holes_allowed;
    uint32_t last_ts;
    uint16_t last_picture;
};

static bool chance(struct world *w, unsigned pct)
{
    return tr_rng_below(&w->rng, 100) < pct;
}

static struct tr_rtp_meta next_packet(struct source *s)
{
    struct tr_rtp_meta m = { .ext_seq = s->seq++, .ts = s->ts };
    m.picture_id = (uint16_t)(s->frame & 0x7fff);
    m.temporal = s->frame % 2;
    m.tl0picidx = (uint8_t)(s->frame / 2);
    m.frame = (uint16_t)(s->frame * 3); /* other streams have the numbers between */
    m.spatial = s->frame % 3 == 0;
    m.flags = TR_RTP_PICTURE_ID | TR_RTP_TL0;
    if (s->part == 0 && s->frame % 20 == 0)
        m.flags |= TR_RTP_KEYFRAME;
    if (++s->part == FRAME_PACKETS) {
        s->part = 0;
        s->frame++;
        s->ts += CLOCK / 30;
    }
    return m;
}

static void remember(struct world *w, uint32_t origin, const struct tr_rtp_meta *m,
                     const struct tr_rewritten *out)
{
    int64_t at = out->ext_seq - w->first;
    if (!CHECK(at >= 0 && at < SENT_MAX))
        return;
    CHECK(!w->sent[at].used);
    w->sent[at] = (struct sent){ .used = true, .origin = origin, .meta = *m, .out = *out };
    if (out->ext_seq <= w->top)
        return;
    if (!w->lossy)
        CHECK_INT(out->ext_seq, w->top + 1);
    if (w->top >= w->first) {
        CHECK((int32_t)(out->ts - w->last_ts) >= 0);
        uint16_t step = (uint16_t)((out->picture_id - w->last_picture) & 0x7fff);
        CHECK(w->lossy ? step < 400 : step <= (w->temporal ? 2 : 1));
    }
    w->top = out->ext_seq;
    w->last_ts = out->ts;
    w->last_picture = out->picture_id;
}

static void deliver(struct world *w, int source, const struct tr_rtp_meta *m)
{
    struct tr_rewritten out;
    uint32_t origin = 40 + (uint32_t)source;
    if (source == w->wanted && source != w->current && (m->flags & TR_RTP_KEYFRAME)) {
        tr_rewrite_switch(&w->rw, w->now, origin, CLOCK, m);
        w->current = source;
    }
    if (source != w->current)
        return;
    if (w->temporal && m->temporal > 0) {
        tr_rewrite_skip(&w->rw, origin, m);
        return;
    }
    if (w->layered && tr_rng_below(&w->rng, 40) == 0)
        w->layers = (struct tr_svc_out){ .top = (uint8_t)tr_rng_below(&w->rng, 3),
                                         .masked = chance(w, 50),
                                         .mask = (uint32_t)tr_rng_below(&w->rng, 16) };
    tr_rewrite_layers(&w->rw, origin, m, &w->layers);
    if (tr_rewrite_packet(&w->rw, w->now, origin, m, &out) == TR_OK)
        remember(w, origin, m, &out);
}

static void step_source(struct world *w, int i)
{
    struct source *s = &w->sources[i];
    struct tr_rtp_meta m = next_packet(s);
    if (s->late_count > 0 && chance(w, 30))
        deliver(w, i, &s->late[--s->late_count]);
    if (!w->lossy || chance(w, 90))
        deliver(w, i, &m);
    else if (s->late_count < LATE && chance(w, 50))
        s->late[s->late_count++] = m;
}

static void check_sent(struct world *w, int64_t at)
{
    const struct sent *s = &w->sent[at - w->first];
    struct tr_rewritten again;
    uint32_t origin;
    int64_t seq;
    enum tr_err err = tr_rewrite_reverse(&w->rw, (uint16_t)at, &origin, &seq);
    if (!s->used || err != TR_OK)
        return;
    CHECK_INT(origin, s->origin);
    CHECK_INT(seq, s->meta.ext_seq);
    CHECK_INT(tr_rewrite_again(&w->rw, (uint16_t)at, &s->meta, &again), TR_OK);
    CHECK_INT(again.ext_seq, at);
    CHECK_INT(again.ts, s->out.ts);
    CHECK_INT(again.picture_id, s->out.picture_id);
    CHECK_INT(again.tl0picidx, s->out.tl0picidx);
    CHECK_INT(again.payload, s->out.payload);
    CHECK_INT(again.frame_off, s->out.frame_off);
    CHECK_INT(again.marker, s->out.marker);
    CHECK(again.masked == s->out.masked && again.mask == s->out.mask);
}

/* The newest packets are always found; older ones truly or not at all. */
static void check_nacks(struct world *w)
{
    uint32_t origin;
    int64_t seq;
    for (int i = 0; i < 5 && w->top > w->first; i++) {
        int64_t span = w->top - w->first + 1;
        check_sent(w, w->top - (int64_t)tr_rng_below(&w->rng, (uint64_t)(span < 500 ? span : 500)));
    }
    if (w->top >= w->first)
        CHECK_INT(tr_rewrite_reverse(&w->rw, (uint16_t)w->top, &origin, &seq), TR_OK);
    CHECK_INT(tr_rewrite_reverse(&w->rw, (uint16_t)(w->top + 1), &origin, &seq), TR_ERR_NOTFOUND);
    CHECK_INT(tr_rewrite_reverse(&w->rw, (uint16_t)(w->top + 300), &origin, &seq), TR_ERR_NOTFOUND);
}

static void run(struct world *w, uint64_t seed, int steps)
{
    struct sent *sent = w->sent;
    *w = (struct world){ .rng = tr_rng_seeded(seed), .sent = sent, .current = -1 };
    memset(sent, 0, SENT_MAX * sizeof *sent);
    w->temporal = seed & 1;
    w->lossy = seed & 2;
    w->layered = seed & 4;
    w->layers.top = TR_SVC_TOP_NONE;
    w->now = TR_SECOND;
    for (int i = 0; i < SOURCES; i++) {
        w->sources[i].seq = (int64_t)tr_rng_below(&w->rng, 70000);
        w->sources[i].ts = tr_rng_u32(&w->rng);
        w->sources[i].frame = (uint32_t)tr_rng_below(&w->rng, 40000);
    }
    uint16_t first = (uint16_t)tr_rng_u32(&w->rng);
    tr_rewrite_init(&w->rw, first, tr_rng_u32(&w->rng));
    w->first = first & 0x7fff;
    w->top = w->first - 1;
    for (int n = 0; n < steps; n++) {
        w->now += TR_SECOND / 90;
        if (tr_rng_below(&w->rng, 200) == 0)
            w->wanted = (int)tr_rng_below(&w->rng, SOURCES);
        for (int i = 0; i < SOURCES; i++)
            step_source(w, i);
        if (n % 7 == 0)
            check_nacks(w);
    }
}

TEST(random_sources_make_one_stream)
{
    static struct world w;
    w.sent = calloc(SENT_MAX, sizeof *w.sent);
    FOR_EACH_SEED (seed, 300)
        run(&w, seed, 2000);
    free(w.sent);
}

TEST(numbers_wrap)
{
    static struct world w;
    w.sent = calloc(SENT_MAX, sizeof *w.sent);
    FOR_EACH_SEED (seed, 8) {
        run(&w, seed, 120000);
        CHECK(w.top > 65536 || w.temporal);
    }
    free(w.sent);
}

/* A source leaps by more than half of the numbers that there are: its receivers see one hole, or
 * they would take the packet for an old one for good. */
TEST(leaps_are_closed)
{
    struct tr_rewrite rw;
    struct tr_rewritten out;
    struct tr_rtp_meta m = { .ext_seq = 7 };
    uint32_t origin;
    int64_t in;
    tr_rewrite_init(&rw, 100, 0);
    tr_rewrite_switch(&rw, 0, 1, 90000, &m);
    CHECK(tr_rewrite_packet(&rw, 0, 1, &m, &out) == TR_OK && out.ext_seq == 100);
    m.ext_seq += 1 + TR_REWRITE_GAP_MAX; /* this could be repaired */
    CHECK(tr_rewrite_packet(&rw, 0, 1, &m, &out) == TR_OK);
    CHECK_INT(out.ext_seq, 101 + TR_REWRITE_GAP_MAX);
    m.ext_seq += 60001;
    CHECK(tr_rewrite_packet(&rw, 0, 1, &m, &out) == TR_OK);
    CHECK_INT(out.ext_seq, 103 + TR_REWRITE_GAP_MAX);
    CHECK(tr_rewrite_reverse(&rw, (uint16_t)out.ext_seq, &origin, &in) == TR_OK);
    CHECK_INT(in, m.ext_seq);
    CHECK(tr_rewrite_reverse(&rw, (uint16_t)(out.ext_seq - 1), &origin, &in) == TR_ERR_NOTFOUND);
    m.ext_seq -= 5; /* from within the leap: too late */
    CHECK(tr_rewrite_packet(&rw, 0, 1, &m, &out) == TR_ERR_NOTFOUND);
}

/* Goal: the solver alone, over an hour, which would be too long to render; and frames out of
 * packets for what the rendered calls do not contain.
 * Method: calls built in memory from packets and reports with known true times. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "record/render/assemble.h"
#include "record/render/depacketise.h"
#include "record/render/timeline.h"
#include "unit.h"

struct sender {
    double media_ppm, wall_ppm;
    int64_t wall0_us;
    int delay_us, jitter_us;
    int loss_pct;
    int64_t first_sr_us; /* negative: none */
};

static struct rn_track *make_track(const struct sender *s, enum tr_meta_kind kind, int seconds,
                                   struct tr_rng *rng)
{
    struct rn_track *t = tr_alloc(sizeof(*t));
    struct rn_part *p = tr_alloc(sizeof(*p));
    int per_s = kind == TR_META_AUDIO ? 50 : 25;
    t->meta.kind = kind;
    t->meta.clock = kind == TR_META_AUDIO ? 48000 : 90000;
    t->parts[0] = p;
    t->part_count = 1;
    p->packets = tr_alloc((size_t)(seconds * per_s) * sizeof(*p->packets));
    p->srs = tr_alloc((size_t)seconds * sizeof(*p->srs));
    for (int n = 0; n < seconds * per_s; n++) {
        int64_t us = (int64_t)n * 1000000 / per_s;
        if (tr_rng_below(rng, 100) < (uint64_t)s->loss_pct)
            continue;
        double u = (double)(tr_rng_below(rng, 1000000) + 1) / 1000001.0;
        p->packets[p->count++] = (struct rn_packet){
            .seq = n,
            .ts = llrint((double)us * t->meta.clock / 1e6 * (1 + s->media_ppm / 1e6)),
            .recv_us = us + s->delay_us + (int64_t)(-log(u) * s->jitter_us)
        };
    }
    for (int64_t us = s->first_sr_us; us >= 0 && us < seconds * 1000000ll; us += 3000000)
        p->srs[p->sr_count++] =
            (struct rn_sr){ .ts =
                                llrint((double)us * t->meta.clock / 1e6 * (1 + s->media_ppm / 1e6)),
                            .ntp_us = s->wall0_us + us + (int64_t)((double)us * s->wall_ppm / 1e6),
                            .recv_us = us + s->delay_us };
    return t;
}

static void free_track(struct rn_track *t)
{
    tr_free(t->parts[0]->packets);
    tr_free(t->parts[0]->srs);
    tr_free(t->parts[0]);
    tr_free(t);
}

/* Where true time us lies on the time line. */
static int64_t at(const struct rn_track *t, const struct sender *s, int64_t us)
{
    int64_t ts = llrint((double)us * t->meta.clock / 1e6 * (1 + s->media_ppm / 1e6));
    return rn_timeline_at(t->parts[0], ts);
}

TEST(timeline_an_hour_of_drift)
{
    FOR_EACH_SEED (seed, 4) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct sender a = { .media_ppm = 300,
                            .wall_ppm = seed & 1 ? 200 : -200,
                            .wall0_us = 1700000000000000 + 7200000000,
                            .delay_us = 30000,
                            .jitter_us = 20000,
                            .loss_pct = 5,
                            .first_sr_us = 10000000 };
        struct sender v = a;
        v.delay_us = 200000;
        struct rn_call call = { .track_count = 2, .end_us = 3600000000 };
        call.tracks[0] = make_track(&a, TR_META_AUDIO, 3600, &rng);
        call.tracks[1] = make_track(&v, TR_META_VIDEO, 3600, &rng);
        CHECK(rn_timeline_solve(&call) == TR_OK);
        for (int64_t us = 0; us < 3600000000; us += 60000000) {
            int64_t ta = at(call.tracks[0], &a, us), tv = at(call.tracks[1], &v, us);
            CHECK(llabs(ta - tv) < 5000);                      /* lip sync */
            CHECK(ta - us > 30000 - 15000 && ta - us < 70000); /* and our clock, with the delay */
        }
        CHECK(fabs(call.tracks[0]->drift_ppm - 300) < 10 && call.tracks[0]->sync_sr);
        free_track(call.tracks[0]);
        free_track(call.tracks[1]);
    }
}

TEST(timeline_lying_reports_are_not_trusted)
{
    struct tr_rng rng = tr_rng_seeded(3);
    struct sender a = { .wall0_us = 1700000000000000, .delay_us = 30000, .jitter_us = 5000 };
    struct sender v = a;
    v.wall0_us += 3000000; /* another clock: 3 s apart from the audio's */
    struct rn_call call = { .track_count = 2, .end_us = 60000000 };
    call.tracks[0] = make_track(&a, TR_META_AUDIO, 60, &rng);
    call.tracks[1] = make_track(&v, TR_META_VIDEO, 60, &rng);
    CHECK(rn_timeline_solve(&call) == TR_OK);
    CHECK(llabs(at(call.tracks[0], &a, 30000000) - at(call.tracks[1], &v, 30000000)) < 20000);
    CHECK(call.tracks[0]->sync_sr && !call.tracks[1]->sync_sr);
    free_track(call.tracks[0]);
    free_track(call.tracks[1]);
}

TEST(timeline_one_wild_report_is_ignored)
{
    struct tr_rng rng = tr_rng_seeded(4);
    struct sender a = { .wall0_us = 1700000000000000, .delay_us = 30000, .jitter_us = 5000 };
    struct rn_call call = { .track_count = 1, .end_us = 60000000 };
    call.tracks[0] = make_track(&a, TR_META_AUDIO, 60, &rng);
    call.tracks[0]->parts[0]->srs[7].ntp_us += 55000000;
    CHECK(rn_timeline_solve(&call) == TR_OK);
    CHECK_INT(call.tracks[0]->parts[0]->piece_count, 1);
    CHECK(llabs(at(call.tracks[0], &a, 30000000) - 30030000) < 10000);
    free_track(call.tracks[0]);
}

static struct rn_packet packet(int64_t seq, int64_t ts, bool marker, const void *p, size_t n)
{
    return (struct rn_packet){ .seq = seq, .ts = ts, .marker = marker, .p = p, .len = (uint16_t)n };
}

static void check_bytes(enum tr_codec codec, const struct rn_packet *k, uint32_t n,
                        const void *want, size_t want_n)
{
    uint8_t buf[512];
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    CHECK(rn_assemble(codec, k, n, &w) == TR_OK);
    CHECK(tr_slice_eq(tr_wr_slice(&w), tr_slice(want, want_n)));
}

TEST(assemble_h264_aggregates_and_fragments)
{
    struct rn_packet k[] = {
        packet(1, 0, false, "\x78\x00\x02\x67\x01\x00\x02\x68\x02", 9), /* STAP-A: SPS, PPS */
        packet(2, 0, false, "\x7c\x85\xaa", 3),                         /* FU-A start of IDR */
        packet(3, 0, false, "\x7c\x05\xbb", 3),
        packet(4, 0, true, "\x7c\x45\xcc", 3),
    };
    static const char want[] = "\0\0\0\1\x67\x01\0\0\0\1\x68\x02\0\0\0\1\x65\xaa\xbb\xcc";
    check_bytes(TR_CODEC_H264, k, 4, want, sizeof(want) - 1);
    uint8_t buf[64];
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    CHECK(rn_assemble(TR_CODEC_H264, k + 2, 2, &w) == TR_ERR_BADMSG); /* no start */
    w = tr_wr(buf, sizeof(buf));
    CHECK(rn_assemble(TR_CODEC_H264, k, 3, &w) == TR_ERR_BADMSG); /* no end */
    w = tr_wr(buf, 10);
    CHECK(rn_assemble(TR_CODEC_H264, k, 4, &w) == TR_ERR_LIMIT);
}

TEST(assemble_av1_gives_sizes_and_joins)
{
    struct rn_packet k[] = {
        /* N=1, W=2, Y=1: a sequence header of 3 bytes, the start of a frame */
        packet(1, 0, false, "\x68\x03\x08\x11\x22\x30\xaa", 7),
        packet(2, 0, true, "\x90\xbb\xcc", 3), /* Z=1, W=1: its end */
    };
    static const char want[] = "\x12\x00\x0a\x02\x11\x22\x32\x03\xaa\xbb\xcc";
    check_bytes(TR_CODEC_AV1, k, 2, want, sizeof(want) - 1);
}

/* A VP8 packet of one frame: picture id, TL0PICIDX, TID, and a first byte that is key or not. */
static void vp8_frame(uint8_t out[16], uint8_t pic, uint8_t tl0, uint8_t tid, bool sync, bool key)
{
    static const uint8_t start[] = { 0x9d, 0x01, 0x2a, 16, 0, 16, 0 };
    out[0] = 0x90;
    out[1] = 0xe0;
    out[2] = pic;
    out[3] = tl0;
    out[4] = (uint8_t)(tid << 6 | (sync ? 0x20 : 0));
    out[5] = key ? 0 : 1;
    out[6] = out[7] = 0;
    memcpy(out + 8, start, sizeof(start));
}

TEST(depacketise_knows_which_vp8_layers_a_loss_hurts)
{
    uint8_t data[10][16];
    struct rn_packet k[10];
    struct rn_part part = { .packets = k };
    /* base, upper, base, upper ...; frame 0 is the key */
    for (uint8_t n = 0; n < 10; n++) {
        vp8_frame(data[n], n, n / 2, n % 2, n == 7, n == 0);
        k[n] = packet(n, n * 3000, true, data[n], 15);
    }
    /* frame 3 (upper) is lost: 5 depends on it, 7 is a layer sync */
    memmove(&k[3], &k[4], 6 * sizeof(k[0]));
    part.count = 9;
    struct rn_depack d;
    struct rn_frame f;
    const int want[] = { 0, 1, 2, 4, 6, 7, 8, 9 };
    size_t got = 0;
    rn_depack_init(&d, &part, TR_CODEC_VP8);
    while (rn_depack_next(&d, &f) == TR_OK && got < 8)
        CHECK_INT(f.ts / 3000, want[got++]);
    CHECK_INT(got, 8);
    rn_depack_deinit(&d);
    /* base frame 4 is lost as well: nothing more comes */
    memmove(&k[3], &k[4], 5 * sizeof(k[0]));
    part.count = 8;
    got = 0;
    rn_depack_init(&d, &part, TR_CODEC_VP8);
    while (rn_depack_next(&d, &f) == TR_OK)
        CHECK(f.ts / 3000 == (int64_t)got++ && got <= 3);
    CHECK_INT(got, 3);
    CHECK_INT(d.dropped, 5);
    rn_depack_deinit(&d);
}

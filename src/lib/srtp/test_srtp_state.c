/* Goal: what an attacker sends changes nothing, what the network does to packets is followed.
 * Method: every byte of packets tampered with; the index estimate and the replay window against
 * plain models; wraps with reordering; written maxima; failing allocations. */
#include "base/mem.h"
#include "srtp/srtp_test.h"
#include "srtp/window.h"

struct pair {
    struct tr_srtp *out;
    struct tr_srtp *in;
    uint8_t packet[256];
    uint8_t text[256];
};

static void pair_init(struct pair *pair, struct tr_srtp_engine *engine,
                      enum tr_srtp_profile profile)
{
    struct tr_srtp_keys keys = test_keys(77);

    memset(pair, 0, sizeof(*pair));
    pair->out = tr_srtp_create(engine, profile, TR_SRTP_OUT, &keys);
    pair->in = tr_srtp_create(engine, profile, TR_SRTP_IN, &keys);
}

static void pair_deinit(struct pair *pair)
{
    tr_srtp_destroy(pair->out);
    tr_srtp_destroy(pair->in);
}

/* Protects a packet with an explicit or automatic index; returns its length, 0 on error. */
static size_t protect(struct pair *pair, uint32_t ssrc, uint16_t seq, uint64_t index)
{
    struct tr_srtp_job job = { .out = pair->packet,
                               .out_size = sizeof(pair->packet),
                               .index = index };

    job.hdr_len = test_rtp_header(pair->packet, ssrc, seq, 0, 0);
    job.payload = tr_slice("payload", 7);
    return tr_srtp_protect(pair->out, &job) == TR_OK ? job.out_len : 0;
}

static enum tr_err unprotect(struct pair *pair, size_t n, uint64_t *index)
{
    size_t len;

    return tr_srtp_unprotect(pair->in, tr_slice(pair->packet, n), 12,
                             (struct tr_buf){ pair->text, sizeof(pair->text) }, &len, index);
}

TEST(srtp_tampered_bytes_leave_no_trace)
{
    FOR_EACH_ENGINE(engine)
    FOR_EACH_PROFILE(profile)
    {
        struct pair pair;
        uint64_t index = 0;
        pair_init(&pair, engine, *profile);
        size_t n = protect(&pair, 5, 100, TR_SRTP_AUTO);
        for (size_t i = 0; i < n; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                pair.packet[i] ^= (uint8_t)(1u << bit);
                enum tr_err err = unprotect(&pair, n, &index);
                CHECK(err == TR_ERR_AUTH || (i == 0 && err == TR_ERR_BADMSG));
                pair.packet[i] ^= (uint8_t)(1u << bit);
            }
        }
        for (size_t cut = 0; cut < n; cut++)
            CHECK(unprotect(&pair, cut, &index) != TR_OK);
        CHECK_INT(unprotect(&pair, n, &index), TR_OK); /* none of that was held against it */
        CHECK_INT(unprotect(&pair, n, &index), TR_ERR_EXISTS);
        CHECK_INT(tr_srtp_stats(pair.in)->packets, 1);
        CHECK_INT(tr_srtp_stats(pair.in)->replayed, 1);
        pair_deinit(&pair);
    }
}

TEST(srtcp_tampered_bytes_leave_no_trace)
{
    FOR_EACH_ENGINE(engine)
    FOR_EACH_PROFILE(profile)
    {
        uint8_t plain[28] = { 0x80, 201, 0, 6, 0, 0, 0, 9 };
        struct pair pair;
        size_t n, len;
        pair_init(&pair, engine, *profile);
        struct tr_buf packet = { pair.packet, sizeof(pair.packet) };
        struct tr_buf text = { pair.text, sizeof(pair.text) };
        CHECK_INT(tr_srtcp_protect(pair.out, tr_slice(plain, sizeof(plain)), packet, &n), TR_OK);
        CHECK_INT(n, sizeof(plain) + tr_srtcp_overhead(*profile));
        for (size_t i = 0; i < n * 8; i++) {
            pair.packet[i / 8] ^= (uint8_t)(1u << i % 8);
            enum tr_err err = tr_srtcp_unprotect(pair.in, tr_slice(pair.packet, n), text, &len);
            CHECK(err == TR_ERR_AUTH || err == TR_ERR_BADMSG || err == TR_ERR_PROTO);
            pair.packet[i / 8] ^= (uint8_t)(1u << i % 8);
        }
        for (size_t cut = 0; cut < n; cut++)
            CHECK(tr_srtcp_unprotect(pair.in, tr_slice(pair.packet, cut), text, &len) != TR_OK);
        CHECK_INT(tr_srtcp_unprotect(pair.in, tr_slice(pair.packet, n), text, &len), TR_OK);
        CHECK(len == sizeof(plain) && memcmp(pair.text, plain, len) == 0);
        CHECK_INT(tr_srtcp_unprotect(pair.in, tr_slice(pair.packet, n), text, &len), TR_ERR_EXISTS);
        pair_deinit(&pair);
    }
}

/* In place, and with the replay window of 128: the oldest that still counts, the first too old. */
TEST(srtcp_window)
{
    struct tr_srtp_engine *engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    uint8_t saved[2][64];
    size_t n = 0, len;
    struct pair pair;

    pair_init(&pair, engine, TR_SRTP_AEAD_AES_128_GCM);
    for (size_t i = 0; i < 130; i++) {
        uint8_t p[64] = { 0x80, 201, 0, 1, 0, 0, 0, 9 };
        CHECK_INT(tr_srtcp_protect(pair.out, tr_slice(p, 8), (struct tr_buf){ p, 64 }, &n), TR_OK);
        if (i == 1 || i == 2)
            memcpy(saved[i - 1], p, n);
        else
            CHECK_INT(tr_srtcp_unprotect(pair.in, tr_slice(p, n), (struct tr_buf){ p, 64 }, &len),
                      TR_OK);
    }
    struct tr_buf text = { pair.text, sizeof(pair.text) };
    CHECK_INT(tr_srtcp_unprotect(pair.in, tr_slice(saved[0], n), text, &len), TR_ERR_EXISTS);
    CHECK_INT(tr_srtcp_unprotect(pair.in, tr_slice(saved[1], n), text, &len), TR_OK);
    pair_deinit(&pair);
    tr_srtp_engine_destroy(engine);
}

/* RFC 3711 appendix A, as written there; the two readings differ only at a distance of 2^15. */
static uint64_t estimate_by_the_book(uint64_t top, uint16_t seq)
{
    uint32_t roc = (uint32_t)(top >> 16), s_l = (uint16_t)top;
    int64_t v = roc;

    if (s_l < 32768) {
        if ((int64_t)seq - s_l > 32768)
            v = (int64_t)roc - 1;
    } else if (s_l - 32768 > seq) {
        v = (int64_t)roc + 1;
    }
    return v < 0 ? seq : (uint64_t)v << 16 | seq;
}

TEST(srtp_index_estimate_is_the_rfcs)
{
    FOR_EACH_SEED (seed, 20) {
        struct tr_rng rng = tr_rng_seeded(seed);
        for (int i = 0; i < 20000; i++) {
            uint64_t top = tr_rng_below(&rng, UINT64_C(1) << (16 + tr_rng_below(&rng, 5)));
            uint16_t seq = (uint16_t)tr_rng_u32(&rng);
            if ((uint16_t)(seq - (uint16_t)top) == 32768)
                continue;
            CHECK_INT(srtp_index_estimate(top, seq), estimate_by_the_book(top, seq));
        }
    }
}

TEST(srtp_window_is_a_set)
{
    enum { SPAN = 8000 };
    static bool seen[SPAN];

    FOR_EACH_SEED (seed, 50) {
        struct tr_rng rng = tr_rng_seeded(seed);
        uint64_t ring[TR_SRTP_WINDOW / 64] = { 0 }, top = 0, at = 0;
        memset(seen, 0, sizeof(seen));
        srtp_window_mark(ring, TR_SRTP_WINDOW, &top, 0);
        seen[0] = true;
        for (int i = 0; i < 4000; i++) {
            at += tr_rng_below(&rng, tr_rng_below(&rng, 100) == 0 ? 1500 : 4);
            uint64_t back = tr_rng_below(&rng, 1100), index = at > back ? at - back : 0;
            if (tr_rng_below(&rng, 2))
                index = at;
            if (index >= SPAN)
                break;
            bool old = index < top && top - index >= TR_SRTP_WINDOW;
            CHECK_INT(srtp_window_seen(ring, TR_SRTP_WINDOW, top, index), old || seen[index]);
            srtp_window_mark(ring, TR_SRTP_WINDOW, &top, index);
            seen[index] = seen[index] || !old;
        }
    }
}

/* 200000 packets, three wraps, each delayed by up to 500 places, some twice: all arrive once. */
TEST(srtp_rollover_with_reordering)
{
    enum { COUNT = 200000, SWAP = 500 };
    static uint32_t order[COUNT];
    struct tr_srtp_engine *engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);

    FOR_EACH_SEED (seed, 2) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct pair pair;
        uint64_t index;
        pair_init(&pair, engine, TR_SRTP_AEAD_AES_128_GCM);
        for (uint32_t i = 0; i < COUNT; i++)
            order[i] = i;
        for (uint32_t i = 0; i + SWAP < COUNT; i += SWAP)
            for (uint32_t k = 0; k < SWAP; k++) {
                uint32_t other = i + (uint32_t)tr_rng_below(&rng, SWAP), t = order[i + k];
                order[i + k] = order[other];
                order[other] = t;
            }
        for (uint32_t i = 0; i < COUNT; i++) {
            uint64_t want = 30000 + order[i];
            size_t n = protect(&pair, 5, (uint16_t)want, want);
            CHECK_INT(unprotect(&pair, n, &index), TR_OK);
            CHECK_INT(index, want);
            if (tr_rng_below(&rng, 100) == 0)
                CHECK_INT(unprotect(&pair, n, &index), TR_ERR_EXISTS);
        }
        pair_deinit(&pair);
    }
    tr_srtp_engine_destroy(engine);
}

/* Automatic indices follow the sequence number over the wrap and refuse to go over it twice;
 * an explicit index repeats a packet byte for byte. */
TEST(srtp_outbound_index_is_used_once)
{
    struct tr_srtp_engine *engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    uint8_t first[256];
    struct pair pair;
    uint64_t index;

    pair_init(&pair, engine, TR_SRTP_AES128_CM_SHA1_80);
    for (uint32_t i = 65530; i < 65550; i++) {
        size_t n = protect(&pair, 5, (uint16_t)i, TR_SRTP_AUTO);
        CHECK_INT(unprotect(&pair, n, &index), TR_OK);
        CHECK_INT(index, i);
        if (i == 65534)
            memcpy(first, pair.packet, n);
    }
    CHECK_INT(protect(&pair, 5, 65534, TR_SRTP_AUTO), 0);
    CHECK_INT(tr_srtp_stats(pair.out)->replayed, 1);
    size_t n = protect(&pair, 5, 65534, 65534);
    CHECK(n > 0 && memcmp(pair.packet, first, n) == 0);
    CHECK_INT(protect(&pair, 5, 65533, 65534), 0);           /* not the index of that packet */
    CHECK(protect(&pair, 5, 65529, TR_SRTP_AUTO) > 0);       /* late, but never sent */
    CHECK(protect(&pair, 6, 0xffff, TR_SRTP_INDEX_MAX) > 0); /* the last index there is */
    CHECK_INT(protect(&pair, 6, 0, TR_SRTP_AUTO), 0);
    pair_deinit(&pair);
    tr_srtp_engine_destroy(engine);
}

TEST(srtp_job_limits)
{
    struct tr_srtp_engine *engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    struct pair pair;
    struct tr_srtp_job job = { .out_size = 12 + 7 + 10 + 3, .hdr_len = 12 };

    pair_init(&pair, engine, TR_SRTP_AES128_CM_SHA1_80);
    job.out = pair.packet;
    job.payload = tr_slice("payload", 7);
    job.index = TR_SRTP_AUTO;
    test_rtp_header(pair.packet, 1, 1, 0, 0);
    job.pad = 4;
    CHECK_INT(tr_srtp_protect(pair.out, &job), TR_ERR_LIMIT);
    job.pad = 3;
    pair.packet[0] |= 0x20;
    CHECK_INT(tr_srtp_protect(pair.out, &job), TR_ERR_INVAL);
    pair.packet[0] = 0x40;
    CHECK_INT(tr_srtp_protect(pair.out, &job), TR_ERR_INVAL);
    pair.packet[0] = 0x80;
    job.hdr_len = 11;
    CHECK_INT(tr_srtp_protect(pair.out, &job), TR_ERR_INVAL);
    job.hdr_len = 12;
    CHECK_INT(tr_srtp_protect(pair.out, &job), TR_OK);
    CHECK_INT(job.out_len, job.out_size);
    pair_deinit(&pair);
    tr_srtp_engine_destroy(engine);
}

/* Streams that come and go for days fit, and what stays is not touched. */
TEST(srtp_retired_ssrcs_make_room)
{
    struct tr_srtp_engine *engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    struct pair pair;
    uint64_t index;

    pair_init(&pair, engine, TR_SRTP_AEAD_AES_128_GCM);
    tr_srtp_retire(pair.out, 99);
    size_t n = protect(&pair, 7, 1, TR_SRTP_AUTO);
    CHECK_INT(unprotect(&pair, n, &index), TR_OK);
    for (uint32_t ssrc = 100; ssrc < 3000; ssrc++) {
        CHECK(protect(&pair, ssrc, 1, TR_SRTP_AUTO) > 0);
        tr_srtp_retire(pair.out, ssrc);
    }
    CHECK(protect(&pair, 7, 1, TR_SRTP_AUTO) == 0); /* it was sent */
    n = protect(&pair, 7, 2, TR_SRTP_AUTO);
    CHECK_INT(unprotect(&pair, n, &index), TR_OK);
    CHECK_INT(tr_srtp_stats(pair.out)->full, 0);
    pair_deinit(&pair);
    tr_srtp_engine_destroy(engine);
}

/* Only SSRCs that authenticate take room, and only so much. */
TEST(srtp_ssrc_table_is_bounded)
{
    struct tr_srtp_engine *engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    struct pair pair;
    uint64_t index;

    pair_init(&pair, engine, TR_SRTP_AEAD_AES_128_GCM);
    for (uint32_t ssrc = 0; ssrc < 2000; ssrc++) {
        size_t n = protect(&pair, ssrc, 1, TR_SRTP_AUTO);
        CHECK_INT(n > 0, ssrc < TR_SRTP_OUT_SSRC_MAX);
        if (n == 0)
            continue;
        pair.packet[n - 1] ^= 1;
        CHECK_INT(unprotect(&pair, n, &index), TR_ERR_AUTH);
        pair.packet[n - 1] ^= 1;
        CHECK_INT(unprotect(&pair, n, &index), ssrc < TR_SRTP_IN_SSRC_MAX ? TR_OK : TR_ERR_LIMIT);
    }
    size_t n = protect(&pair, 3, 2, TR_SRTP_AUTO);
    CHECK_INT(unprotect(&pair, n, &index), TR_OK);
    CHECK(tr_srtp_stats(pair.in)->full > 0);
    pair_deinit(&pair);
    tr_srtp_engine_destroy(engine);
}

TEST_OOM(srtp_out_of_memory)
{
    struct tr_srtp_keys keys = test_keys(1);
    struct tr_srtp_engine *engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    struct tr_srtp *out = NULL;
    uint8_t p[64];
    struct tr_srtp_job job = { .out = p, .out_size = sizeof(p), .hdr_len = 12 };
    enum tr_err err = TR_ERR_NOMEM;

    if (engine)
        out = tr_srtp_create(engine, TR_SRTP_AES128_CM_SHA1_80, TR_SRTP_OUT, &keys);
    if (out) {
        job.index = TR_SRTP_AUTO;
        test_rtp_header(p, 1, 1, 0, 0);
        err = tr_srtp_protect(out, &job);
    }
    tr_srtp_destroy(out);
    tr_srtp_engine_destroy(engine);
    return err;
}

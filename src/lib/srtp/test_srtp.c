/* Goal: the bytes are those of the RFCs, with either engine, in any batch.
 * Method: the vectors of RFC 3711 appendix B and RFC 7714 sections 16 and 17; random packets sealed
 * by one engine, compared with and opened by the other. */
#include "base/mem.h"
#include "srtp/engine.h"
#include "srtp/kdf.h"
#include "srtp/srtp_test.h"
#include "srtp/stream.h"

/*= rfc3711#B.3 type=test */
TEST(srtp_kdf_rfc3711)
{
    struct tr_srtp_keys master;
    struct srtp_session_keys keys;
    uint8_t want[20];

    unhex("E1F97A0D3E018BE0D64FA32C06DE4139", master.key, sizeof(master.key));
    unhex("0EC675AD498AFEEBB6960B3AABE6", master.salt, sizeof(master.salt));
    CHECK_INT(srtp_derive(&keys, TR_SRTP_AES128_CM_SHA1_80, &master, SRTP_LABEL_RTP_KEY), TR_OK);
    unhex("C61E7A93744F39EE10734AFE3FF7A087", want, sizeof(want));
    CHECK(memcmp(keys.key, want, 16) == 0);
    unhex("30CBBC08863D8C85D49DB34A9AE1", want, sizeof(want));
    CHECK(memcmp(keys.salt, want, 14) == 0);
    unhex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4", want, sizeof(want));
    CHECK(memcmp(keys.auth, want, 20) == 0);
}

/*= rfc3711#B.2 type=test */
TEST(srtp_cm_keystream_rfc3711)
{
    struct srtp_session_keys keys = { 0 };
    uint8_t text[64 + 4] = { 0 }, want[48], tag[10];

    unhex("2B7E151628AED2A6ABF7158809CF4F3C", keys.key, sizeof(keys.key));
    unhex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB"
          "41E95B3BB0A2E8DD477901E4FCA894C0",
          want, sizeof(want));
    FOR_EACH_ENGINE(engine)
    {
        struct srtp_key *key =
            engine->key_create(engine, TR_SRTP_AES128_CM_SHA1_80, TR_SRTP_OUT, &keys);
        struct srtp_op op = { .key = key, .src = text, .dst = text, .n = 48, .tag = tag };
        memset(text, 0, sizeof(text));
        op.aad = text;
        op.aad_len = 48;
        unhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000", op.iv, sizeof(op.iv));
        engine->seal(engine, &op, 1);
        CHECK(memcmp(text, want, sizeof(want)) == 0);
        engine->key_destroy(key);
    }
}

/* A context that uses these session keys instead of derived ones. */
static struct tr_srtp *with_session_keys(struct tr_srtp_engine *engine,
                                         enum tr_srtp_profile profile, enum tr_srtp_dir dir)
{
    struct tr_srtp_keys any = test_keys(1);
    struct srtp_session_keys keys = { 0 };
    struct tr_srtp *srtp = tr_srtp_create(engine, profile, dir, &any);

    for (uint8_t i = 0; i < 32; i++)
        keys.key[i] = i;
    unhex("517569642070726f2071756f", keys.salt, sizeof(keys.salt));
    engine->key_destroy(srtp->rtp);
    engine->key_destroy(srtp->rtcp);
    srtp->rtp = engine->key_create(engine, profile, dir, &keys);
    srtp->rtcp = engine->key_create(engine, profile, dir, &keys);
    return srtp;
}

static void check_gcm_rtp(struct tr_srtp_engine *engine, enum tr_srtp_profile profile,
                          const char *want_hex)
{
    static const char *plain_hex = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973"
                                   "20646976 69736120 696e2070 61727465 73207472 6573";
    uint8_t plain[64], want[96], got[96];
    size_t n = unhex(plain_hex, plain, sizeof(plain)), len = 0;
    size_t want_len = unhex(want_hex, want, sizeof(want));
    struct tr_srtp *out = with_session_keys(engine, profile, TR_SRTP_OUT);
    struct tr_srtp *in = with_session_keys(engine, profile, TR_SRTP_IN);
    struct tr_srtp_job job = { .out = got, .out_size = sizeof(got), .hdr_len = 12 };
    uint64_t index = 0;

    memcpy(got, plain, 12);
    job.payload = tr_slice(plain + 12, n - 12);
    job.index = TR_SRTP_AUTO;
    CHECK_INT(tr_srtp_protect(out, &job), TR_OK);
    CHECK_INT(job.out_len, want_len);
    CHECK(memcmp(got, want, want_len) == 0);
    CHECK_INT(tr_srtp_unprotect(in, tr_slice(want, want_len), 12,
                                (struct tr_buf){ got, sizeof(got) }, &len, &index),
              TR_OK);
    CHECK(len == n - 12 && memcmp(got, plain + 12, len) == 0);
    CHECK_INT(index, 0xf17b);
    tr_srtp_destroy(out);
    tr_srtp_destroy(in);
}

/*= rfc7714#16.1.1 type=test */
/*= rfc7714#16.2.1 type=test */
TEST(srtp_gcm_rfc7714)
{
    FOR_EACH_ENGINE(engine)
    {
        check_gcm_rtp(engine, TR_SRTP_AEAD_AES_128_GCM,
                      "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca"
                      "be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1"
                      "6a9152cf 765ee439 0cce");
        check_gcm_rtp(engine, TR_SRTP_AEAD_AES_256_GCM,
                      "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa"
                      "b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff"
                      "d6b0f9bb 7878d7a7 6c13");
    }
}

static void check_gcm_rtcp(struct tr_srtp_engine *engine, enum tr_srtp_profile profile,
                           const char *want_hex)
{
    static const char *plain_hex = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930"
                                   "4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef";
    uint8_t plain[64], want[96], got[96];
    size_t n = unhex(plain_hex, plain, sizeof(plain)), len = 0;
    size_t want_len = unhex(want_hex, want, sizeof(want));
    struct tr_buf buf = { got, sizeof(got) };
    struct tr_srtp *out = with_session_keys(engine, profile, TR_SRTP_OUT);
    struct tr_srtp *in = with_session_keys(engine, profile, TR_SRTP_IN);
    struct srtp_stream *stream;

    CHECK_INT(srtp_stream_get(out, 0x4d617273, &stream), TR_OK);
    stream->rtcp_top = 0x5d4;
    CHECK_INT(tr_srtcp_protect(out, tr_slice(plain, n), buf, &len), TR_OK);
    CHECK_INT(len, want_len);
    CHECK(memcmp(got, want, want_len) == 0);
    CHECK_INT(tr_srtcp_unprotect(in, tr_slice(want, want_len), buf, &len), TR_OK);
    CHECK(len == n && memcmp(got, plain, n) == 0);
    CHECK_INT(tr_srtcp_unprotect(in, tr_slice(want, want_len), buf, &len), TR_ERR_EXISTS);
    tr_srtp_destroy(out);
    tr_srtp_destroy(in);
}

/*= rfc7714#17.1 type=test */
/*= rfc7714#17.3 type=test */
TEST(srtcp_gcm_rfc7714)
{
    FOR_EACH_ENGINE(engine)
    {
        check_gcm_rtcp(engine, TR_SRTP_AEAD_AES_128_GCM,
                       "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7"
                       "6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458"
                       "96cf4d2f c5abf872 45d9eade 800005d4");
        check_gcm_rtcp(engine, TR_SRTP_AEAD_AES_256_GCM,
                       "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d"
                       "bffe0a50 a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c"
                       "4446839f 57ff6f6c b26ac3be 800005d4");
    }
}

enum { BUF = 1800, RUN = 80 };

struct run {
    uint8_t payload[RUN][BUF];
    uint8_t out[RUN][BUF];
    struct tr_srtp_job jobs[RUN];
};

/* Random payloads for run->jobs; half of them in place, a few with padding. */
static void random_run(struct run *run, struct tr_rng *rng, uint16_t seq, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tr_srtp_job *job = &run->jobs[i];
        size_t len = tr_rng_below(rng, 1300);
        memset(job, 0, sizeof(*job));
        tr_rng_fill(rng, run->payload[i], len);
        job->out = run->out[i];
        job->out_size = BUF;
        job->hdr_len =
            test_rtp_header(job->out, 1000 + (uint32_t)tr_rng_below(rng, 3), (uint16_t)(seq + i),
                            tr_rng_below(rng, 16), tr_rng_below(rng, 5));
        job->payload = tr_slice(run->payload[i], len);
        job->pad = (uint8_t)(tr_rng_below(rng, 4) == 0 ? tr_rng_below(rng, 255) : 0);
        job->index = TR_SRTP_AUTO;
        if (tr_rng_below(rng, 2)) {
            memcpy(job->out + job->hdr_len, run->payload[i], len);
            job->payload.p = job->out + job->hdr_len;
        }
    }
}

static void check_opens(struct tr_srtp *in, const struct tr_srtp_job *job, const uint8_t *payload)
{
    uint8_t text[BUF];
    uint64_t index;
    size_t len = 0, n = job->payload.n;

    CHECK_INT(tr_srtp_unprotect(in, tr_slice(job->out, job->out_len), job->hdr_len,
                                (struct tr_buf){ text, sizeof(text) }, &len, &index),
              TR_OK);
    CHECK_INT(len, n + job->pad);
    CHECK(memcmp(text, payload, n) == 0);
    CHECK_INT(index, job->index);
    if (job->pad > 0) {
        CHECK_INT(text[len - 1], job->pad);
        CHECK(job->out[0] & 0x20);
    }
}

/* Every batch size around the number of lanes, so that each way to split a batch is taken. */
TEST(srtp_engines_agree_in_any_batch)
{
    static struct run mine, other;
    struct tr_srtp_engine *a = tr_srtp_engine_create(TR_SRTP_ENGINE_OPENSSL);
    struct tr_srtp_engine *b = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);

    FOR_EACH_PROFILE(profile)
    {
        struct tr_srtp_keys keys = test_keys(*profile);
        struct tr_srtp *out_a = tr_srtp_create(a, *profile, TR_SRTP_OUT, &keys);
        struct tr_srtp *out_b = tr_srtp_create(b, *profile, TR_SRTP_OUT, &keys);
        struct tr_srtp *in_a = tr_srtp_create(a, *profile, TR_SRTP_IN, &keys);
        struct tr_srtp *in_b = tr_srtp_create(b, *profile, TR_SRTP_IN, &keys);
        uint16_t seq = 65000;
        for (size_t n = 1; n <= RUN; n++) {
            struct tr_rng rng = tr_rng_seeded(n), same = tr_rng_seeded(n);
            random_run(&mine, &rng, seq, n);
            random_run(&other, &same, seq, n);
            seq = (uint16_t)(seq + n);
            CHECK_INT(tr_srtp_protect_run(out_a, mine.jobs, n), n);
            CHECK_INT(tr_srtp_protect_run(out_b, other.jobs, n), n);
            for (size_t i = 0; i < n; i++) {
                CHECK_INT(mine.jobs[i].out_len, other.jobs[i].out_len);
                CHECK(memcmp(mine.out[i], other.out[i], mine.jobs[i].out_len) == 0);
                check_opens(in_b, &mine.jobs[i], mine.payload[i]);
                check_opens(in_a, &other.jobs[i], other.payload[i]);
            }
        }
        tr_srtp_destroy(out_a);
        tr_srtp_destroy(out_b);
        tr_srtp_destroy(in_a);
        tr_srtp_destroy(in_b);
    }
    tr_srtp_engine_destroy(a);
    tr_srtp_engine_destroy(b);
}

/* One batch of three contexts with three profiles. */
TEST(srtp_batch_of_several_contexts)
{
    static struct run run;

    FOR_EACH_ENGINE(engine)
    {
        struct tr_srtp *out[TR_SRTP_PROFILES], *in[TR_SRTP_PROFILES];
        struct tr_rng rng = tr_rng_seeded(3);
        for (size_t i = 0; i < TR_SRTP_PROFILES; i++) {
            struct tr_srtp_keys keys = test_keys(i);
            out[i] = tr_srtp_create(engine, test_profiles[i], TR_SRTP_OUT, &keys);
            in[i] = tr_srtp_create(engine, test_profiles[i], TR_SRTP_IN, &keys);
        }
        random_run(&run, &rng, 1, RUN);
        for (size_t i = 0; i < RUN; i++)
            run.jobs[i].srtp = out[i % TR_SRTP_PROFILES];
        CHECK_INT(tr_srtp_protect_batch(engine, run.jobs, RUN), RUN);
        for (size_t i = 0; i < RUN; i++)
            check_opens(in[i % TR_SRTP_PROFILES], &run.jobs[i], run.payload[i]);
        for (size_t i = 0; i < TR_SRTP_PROFILES; i++) {
            tr_srtp_destroy(out[i]);
            tr_srtp_destroy(in[i]);
        }
    }
}

TEST(srtp_unprotect_in_place)
{
    FOR_EACH_ENGINE(engine)
    FOR_EACH_PROFILE(profile)
    {
        struct tr_srtp_keys keys = test_keys(9);
        struct tr_srtp *out = tr_srtp_create(engine, *profile, TR_SRTP_OUT, &keys);
        struct tr_srtp *in = tr_srtp_create(engine, *profile, TR_SRTP_IN, &keys);
        uint8_t p[256];
        struct tr_srtp_job job = { .out = p, .out_size = sizeof(p), .index = TR_SRTP_AUTO };
        size_t len;
        uint64_t index;
        job.hdr_len = test_rtp_header(p, 7, 7, 0, 1);
        job.payload = tr_slice("in place", 8);
        CHECK_INT(tr_srtp_protect(out, &job), TR_OK);
        CHECK_INT(tr_srtp_unprotect(in, tr_slice(p, job.out_len), job.hdr_len,
                                    (struct tr_buf){ p + job.hdr_len, 8 }, &len, &index),
                  TR_OK);
        CHECK(len == 8 && memcmp(p + job.hdr_len, "in place", 8) == 0);
        tr_srtp_destroy(out);
        tr_srtp_destroy(in);
    }
}

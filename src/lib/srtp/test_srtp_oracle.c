/* Goal: any packet of ours opens in libsrtp and the other way round.
 * Method: random lengths, CSRCs, extensions and SSRCs over sequence number wraps, both directions,
 * both engines, all profiles; byte equality as well. */
#include <srtp2/srtp.h>

#include "srtp/srtp_test.h"

enum { BUF = 1700, SSRCS = 5, PACKETS = 1500 };

static void policy_of(enum tr_srtp_profile profile, srtp_crypto_policy_t *rtp,
                      srtp_crypto_policy_t *rtcp)
{
    if (profile == TR_SRTP_AEAD_AES_128_GCM) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(rtcp);
    } else if (profile == TR_SRTP_AEAD_AES_256_GCM) {
        srtp_crypto_policy_set_aes_gcm_256_16_auth(rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(rtcp);
    } else if (profile == TR_SRTP_AES128_CM_SHA1_32) {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(rtp);
        srtp_crypto_policy_set_rtcp_default(rtcp);
    } else {
        srtp_crypto_policy_set_rtp_default(rtp);
        srtp_crypto_policy_set_rtcp_default(rtcp);
    }
}

static srtp_t oracle(enum tr_srtp_profile profile, bool inbound, const struct tr_srtp_keys *keys)
{
    unsigned char key[TR_SRTP_KEY_MAX + TR_SRTP_SALT_MAX];
    srtp_policy_t policy = { .window_size = 1024, .key = key };
    srtp_t s = NULL;

    policy.ssrc.type = inbound ? ssrc_any_inbound : ssrc_any_outbound;
    policy_of(profile, &policy.rtp, &policy.rtcp);
    memcpy(key, keys->key, tr_srtp_key_len(profile));
    memcpy(key + tr_srtp_key_len(profile), keys->salt, tr_srtp_salt_len(profile));
    CHECK_INT(srtp_create(&s, &policy), srtp_err_status_ok);
    return s;
}

struct world {
    struct tr_srtp *out;
    struct tr_srtp *in;
    srtp_t their_out;
    srtp_t their_in;
};

static void check_rtp(struct world *w, struct tr_rng *rng, uint32_t ssrc, uint16_t seq)
{
    uint8_t payload[1400], ours[BUF], theirs[BUF], text[BUF];
    size_t n = tr_rng_below(rng, sizeof(payload)), len = 0;
    struct tr_srtp_job job = { .out = ours, .out_size = BUF, .index = TR_SRTP_AUTO };
    int their_len;
    uint64_t index;

    tr_rng_fill(rng, payload, n);
    job.hdr_len = test_rtp_header(ours, ssrc, seq, tr_rng_below(rng, 16), tr_rng_below(rng, 6));
    job.payload = tr_slice(payload, n);
    memcpy(theirs, ours, job.hdr_len);
    if (n > 0)
        memcpy(theirs + job.hdr_len, payload, n);
    their_len = (int)(job.hdr_len + n);
    CHECK_INT(tr_srtp_protect(w->out, &job), TR_OK);
    CHECK_INT(srtp_protect(w->their_out, theirs, &their_len), srtp_err_status_ok);
    CHECK_INT(job.out_len, their_len);
    CHECK(memcmp(ours, theirs, job.out_len) == 0);

    CHECK_INT(tr_srtp_unprotect(w->in, tr_slice(theirs, (size_t)their_len), job.hdr_len,
                                (struct tr_buf){ text, BUF }, &len, &index),
              TR_OK);
    CHECK(len == n && memcmp(text, payload, n) == 0);
    CHECK_INT(srtp_unprotect(w->their_in, ours, &their_len), srtp_err_status_ok);
    CHECK(memcmp(ours + job.hdr_len, payload, n) == 0);
}

static void check_rtcp(struct world *w, struct tr_rng *rng, uint32_t ssrc)
{
    uint8_t plain[400] = { 0x80, 200 }, ours[BUF], theirs[BUF], text[BUF];
    size_t n = 8 + 4 * tr_rng_below(rng, 90), len = 0, out_len = 0;
    int their_len = (int)n;

    tr_put16(plain + 2, (uint16_t)(n / 4 - 1));
    tr_put32(plain + 4, ssrc);
    tr_rng_fill(rng, plain + 8, n - 8);
    memcpy(theirs, plain, n);
    CHECK_INT(srtp_protect_rtcp(w->their_out, theirs, &their_len), srtp_err_status_ok);
    CHECK_INT(tr_srtcp_unprotect(w->in, tr_slice(theirs, (size_t)their_len),
                                 (struct tr_buf){ text, BUF }, &len),
              TR_OK);
    CHECK(len == n && memcmp(text, plain, n) == 0);
    CHECK_INT(tr_srtcp_protect(w->out, tr_slice(plain, n), (struct tr_buf){ ours, BUF }, &out_len),
              TR_OK);
    their_len = (int)out_len;
    CHECK_INT(srtp_unprotect_rtcp(w->their_in, ours, &their_len), srtp_err_status_ok);
    CHECK(their_len == (int)n && memcmp(ours, plain, n) == 0);
}

TEST(srtp_agrees_with_libsrtp)
{
    CHECK_INT(srtp_init(), srtp_err_status_ok);
    FOR_EACH_ENGINE(engine)
    FOR_EACH_PROFILE(profile)
    {
        struct tr_rng rng = tr_rng_seeded(*profile);
        struct tr_srtp_keys keys = test_keys(*profile);
        struct world w = { tr_srtp_create(engine, *profile, TR_SRTP_OUT, &keys),
                           tr_srtp_create(engine, *profile, TR_SRTP_IN, &keys),
                           oracle(*profile, false, &keys), oracle(*profile, true, &keys) };
        uint16_t seq[SSRCS];
        for (size_t i = 0; i < SSRCS; i++)
            seq[i] = (uint16_t)(i == 0 ? 65500 : tr_rng_u32(&rng));
        for (int i = 0; i < PACKETS; i++) {
            size_t k = tr_rng_below(&rng, SSRCS);
            seq[k] = (uint16_t)(seq[k] + (k == 1 ? 1 + tr_rng_below(&rng, 9000) : 1));
            check_rtp(&w, &rng, 0x1000 + (uint32_t)k, seq[k]);
            if (i % 10 == 0)
                check_rtcp(&w, &rng, 0x1000 + (uint32_t)k);
        }
        tr_srtp_destroy(w.out);
        tr_srtp_destroy(w.in);
        srtp_dealloc(w.their_out);
        srtp_dealloc(w.their_in);
    }
    srtp_shutdown();
}

/* Shared by the tests of lib/srtp: hex, packets, and the engines that this machine can run. */
#ifndef TR_SRTP_TEST_H
#define TR_SRTP_TEST_H

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "srtp/srtp.h"
#include "unit.h"

enum { TEST_PROFILES = TR_SRTP_PROFILES + 1 };

static const enum tr_srtp_profile test_profiles[TEST_PROFILES] = { TR_SRTP_AEAD_AES_128_GCM,
                                                                   TR_SRTP_AEAD_AES_256_GCM,
                                                                   TR_SRTP_AES128_CM_SHA1_80,
                                                                   TR_SRTP_AES128_CM_SHA1_32 };

#define FOR_EACH_PROFILE(p)                                                                        \
    for (const enum tr_srtp_profile *p = test_profiles; p < test_profiles + TEST_PROFILES; p++)

/* Skips an engine that the CPU lacks. */
#define FOR_EACH_ENGINE(e)                                                                         \
    for (int e##_kind = TR_SRTP_ENGINE_OPENSSL; e##_kind <= TR_SRTP_ENGINE_IPSEC_MB; e##_kind++)   \
        for (struct tr_srtp_engine *e = tr_srtp_engine_create((enum tr_srtp_kind)e##_kind); e;     \
             tr_srtp_engine_destroy(e), e = NULL)

static inline size_t unhex(const char *hex, uint8_t *out, size_t size)
{
    size_t n = 0;

    for (; *hex; hex++) {
        if (*hex == ' ')
            continue;
        char two[3] = { hex[0], hex[1], 0 };
        if (n < size)
            out[n++] = (uint8_t)strtoul(two, NULL, 16);
        hex++;
    }
    return n;
}

static inline struct tr_srtp_keys test_keys(uint64_t seed)
{
    struct tr_rng rng = tr_rng_seeded(seed);
    struct tr_srtp_keys keys;

    tr_rng_fill(&rng, &keys, sizeof(keys));
    return keys;
}

/* An RTP header of 12 + 4 * csrcs bytes and, if ext_words > 0, an extension. Returns its length. */
static inline size_t test_rtp_header(uint8_t *p, uint32_t ssrc, uint16_t seq, size_t csrcs,
                                     size_t ext_words)
{
    size_t n = 12 + 4 * csrcs;

    memset(p, 0x5a, n);
    p[0] = (uint8_t)(0x80 | csrcs | (ext_words > 0 ? 0x10 : 0));
    p[1] = 96;
    tr_put16(p + 2, seq);
    tr_put32(p + 4, seq * 3000u);
    tr_put32(p + 8, ssrc);
    if (ext_words > 0) {
        tr_put16(p + n, 0xbede);
        tr_put16(p + n + 2, (uint16_t)ext_words);
        memset(p + n + 4, 0x10, 4 * ext_words);
        n += 4 + 4 * ext_words;
    }
    return n;
}

#endif

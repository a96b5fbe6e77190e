/* Microseconds of CPU a protected packet: each profile, both engines and libsrtp2, payloads of 100
 * and 1200 bytes, runs of 1, 2, 8, 16 and 32 packets; and an opened one.
 *   ninja -C build bench/srtp_bench && build/bench/srtp_bench
 * The packets of a run come from a shared source and go to a buffer of the subscriber, as in the
 * server: the copy is the encryption. libsrtp works in place, so its copy is counted with it. */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "srtp/srtp.h"

enum { PACKETS = 200000, RUN_MAX = 32, HEADER = 20, BUF = 1400 };

static uint8_t source[RUN_MAX][BUF];
static uint8_t target[RUN_MAX][BUF];

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void header(uint8_t *p, uint16_t seq)
{
    memset(p, 0, HEADER);
    p[0] = 0x90;
    p[1] = 96;
    tr_put16(p + 2, seq);
    tr_put32(p + 8, 0x1234);
    tr_put16(p + 12, 0xbede);
    tr_put16(p + 14, 1);
}

static double bench_protect(struct tr_srtp *out, size_t payload, size_t run)
{
    struct tr_srtp_job jobs[RUN_MAX] = { 0 };
    uint16_t seq = 0;
    double start = cpu_seconds();

    for (size_t i = 0; i < PACKETS / run; i++) {
        for (size_t k = 0; k < run; k++) {
            header(target[k], seq++);
            jobs[k].out = target[k];
            jobs[k].out_size = BUF;
            jobs[k].hdr_len = HEADER;
            jobs[k].payload = tr_slice(source[k], payload);
            jobs[k].index = TR_SRTP_AUTO;
        }
        if (tr_srtp_protect_run(out, jobs, run) != run)
            fprintf(stderr, "a packet was not protected\n");
    }
    return (cpu_seconds() - start) / PACKETS * 1e6;
}

static double bench_unprotect(struct tr_srtp *out, struct tr_srtp *in, size_t payload)
{
    struct tr_srtp_job job = { .out_size = BUF, .hdr_len = HEADER, .index = TR_SRTP_AUTO };
    double spent = 0;

    for (uint32_t i = 0; i < PACKETS / RUN_MAX; i++) {
        size_t lens[RUN_MAX], len;
        uint64_t index;
        for (uint32_t k = 0; k < RUN_MAX; k++) {
            header(target[k], (uint16_t)(i * RUN_MAX + k));
            job.out = target[k];
            job.payload = tr_slice(source[k], payload);
            job.index = TR_SRTP_AUTO;
            if (tr_srtp_protect(out, &job) != TR_OK)
                return 0;
            lens[k] = job.out_len;
        }
        double start = cpu_seconds();
        for (uint32_t k = 0; k < RUN_MAX; k++)
            if (tr_srtp_unprotect(in, tr_slice(target[k], lens[k]), HEADER,
                                  (struct tr_buf){ source[k], BUF }, &len, &index) != TR_OK)
                return 0;
        spent += cpu_seconds() - start;
    }
    return spent / (PACKETS / RUN_MAX * RUN_MAX) * 1e6;
}

static double bench_libsrtp(enum tr_srtp_profile profile, size_t payload)
{
    unsigned char key[64] = { 1, 2, 3 };
    srtp_policy_t policy = { .ssrc.type = ssrc_any_outbound, .key = key, .window_size = 1024 };
    uint16_t seq = 0;
    srtp_t s;

    srtp_crypto_policy_set_rtp_default(&policy.rtp);
    if (profile == TR_SRTP_AEAD_AES_128_GCM)
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
    if (profile == TR_SRTP_AEAD_AES_256_GCM)
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
    policy.rtcp = policy.rtp;
    if (srtp_create(&s, &policy))
        return 0;
    double start = cpu_seconds();
    for (size_t i = 0; i < PACKETS; i++) {
        uint8_t *p = target[i % RUN_MAX];
        int len = (int)(HEADER + payload);
        header(p, seq++);
        memcpy(p + HEADER, source[i % RUN_MAX], payload);
        srtp_protect(s, p, &len);
    }
    double us = (cpu_seconds() - start) / PACKETS * 1e6;
    srtp_dealloc(s);
    return us;
}

static void bench_engine(struct tr_srtp_engine *engine, enum tr_srtp_profile profile,
                         size_t payload)
{
    static const size_t runs[] = { 1, 2, 8, 16, 32 };
    const struct tr_srtp_keys keys = { { 1, 2, 3 }, { 4 } };

    printf("  %-9s %4zu bytes:", tr_srtp_engine_name(engine), payload);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct tr_srtp *out = tr_srtp_create(engine, profile, TR_SRTP_OUT, &keys);
        printf("  run %2zu %.3f", runs[i], bench_protect(out, payload, runs[i]));
        tr_srtp_destroy(out);
    }
    struct tr_srtp *out = tr_srtp_create(engine, profile, TR_SRTP_OUT, &keys);
    struct tr_srtp *in = tr_srtp_create(engine, profile, TR_SRTP_IN, &keys);
    printf("  open %.3f\n", bench_unprotect(out, in, payload));
    tr_srtp_destroy(out);
    tr_srtp_destroy(in);
}

int main(void)
{
    static const enum tr_srtp_profile profiles[TR_SRTP_PROFILES] = { TR_SRTP_AEAD_AES_128_GCM,
                                                                     TR_SRTP_AEAD_AES_256_GCM,
                                                                     TR_SRTP_AES128_CM_SHA1_80 };
    static const char *names[TR_SRTP_PROFILES] = { "AEAD_AES_128_GCM", "AEAD_AES_256_GCM",
                                                   "AES_CM_128_HMAC_SHA1_80" };
    struct tr_srtp_engine *engines[2] = { tr_srtp_engine_create(TR_SRTP_ENGINE_IPSEC_MB),
                                          tr_srtp_engine_create(TR_SRTP_ENGINE_OPENSSL) };

    srtp_init();
    for (size_t i = 0; i < TR_SRTP_PROFILES; i++) {
        printf("%s (us a packet)\n", names[i]);
        for (size_t payload = 100; payload <= 1200; payload += 1100) {
            for (size_t k = 0; k < 2; k++)
                if (engines[k])
                    bench_engine(engines[k], profiles[i], payload);
            printf("  %-9s %4zu bytes:  %.3f\n", "libsrtp2", payload,
                   bench_libsrtp(profiles[i], payload));
        }
    }
    tr_srtp_engine_destroy(engines[0]);
    tr_srtp_engine_destroy(engines[1]);
    return 0;
}

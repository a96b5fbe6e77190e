/* Unprotect with a known key. First byte, bit 0: RTP or RTCP; bit 1: feed the rest as it is, or
 * protect it first so that what lies behind authentication is reached; bits 2-3: profile. Second
 * byte: length of the RTP header. The rest: the packet.
 * What opens must be what was protected; nothing may be opened twice. */
#include <stdlib.h>
#include <string.h>

#include "srtp/srtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLAIN_MAX = 2000, BUF = PLAIN_MAX + 300 };

static const enum tr_srtp_profile profiles[4] = { TR_SRTP_AEAD_AES_128_GCM,
                                                  TR_SRTP_AEAD_AES_256_GCM,
                                                  TR_SRTP_AES128_CM_SHA1_80,
                                                  TR_SRTP_AES128_CM_SHA1_32 };

struct contexts {
    struct tr_srtp *out;
    struct tr_srtp *in;
};

static void must(int ok)
{
    if (!ok)
        abort();
}

static void fuzz_rtp(struct contexts *c, size_t hdr_len, const uint8_t *data, size_t size,
                     int structured)
{
    static uint8_t packet[BUF], text[BUF];
    uint64_t index;
    size_t len = 0;

    if (size > PLAIN_MAX)
        return;
    memcpy(packet, data, size);
    if (structured && hdr_len <= size) {
        struct tr_srtp_job job = { .out = packet, .out_size = BUF, .hdr_len = hdr_len };
        job.payload = tr_slice(packet + hdr_len, size - hdr_len);
        job.index = TR_SRTP_AUTO;
        if (tr_srtp_protect(c->out, &job) != TR_OK)
            return;
        must(tr_srtp_unprotect(c->in, tr_slice(packet, job.out_len), hdr_len,
                               (struct tr_buf){ text, BUF }, &len, &index) == TR_OK);
        must(len == size - hdr_len && memcmp(text, data + hdr_len, len) == 0);
        size = job.out_len;
        must(tr_srtp_unprotect(c->in, tr_slice(packet, size), hdr_len, (struct tr_buf){ text, BUF },
                               &len, &index) == TR_ERR_EXISTS);
        return;
    }
    must(tr_srtp_unprotect(c->in, tr_slice(packet, size), hdr_len, (struct tr_buf){ text, BUF },
                           &len, &index) != TR_OK);
}

static void fuzz_rtcp(struct contexts *c, const uint8_t *data, size_t size, int structured)
{
    static uint8_t packet[BUF], text[BUF];
    size_t len = 0, n = 0;

    if (size > PLAIN_MAX)
        return;
    if (structured) {
        if (tr_srtcp_protect(c->out, tr_slice(data, size), (struct tr_buf){ packet, BUF }, &n))
            return;
        must(tr_srtcp_unprotect(c->in, tr_slice(packet, n), (struct tr_buf){ text, BUF }, &len) ==
             TR_OK);
        must(len == size && memcmp(text, data, len) == 0);
        return;
    }
    must(tr_srtcp_unprotect(c->in, tr_slice(data, size), (struct tr_buf){ text, BUF }, &len) !=
         TR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tr_srtp_keys keys = { { 1, 2, 3 }, { 4, 5, 6 } };
    static struct tr_srtp_engine *engine;
    struct contexts c;

    if (size < 2)
        return 0;
    if (!engine)
        engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    c.out = tr_srtp_create(engine, profiles[data[0] >> 2 & 3], TR_SRTP_OUT, &keys);
    c.in = tr_srtp_create(engine, profiles[data[0] >> 2 & 3], TR_SRTP_IN, &keys);
    if (data[0] & 1)
        fuzz_rtcp(&c, data + 2, size - 2, data[0] & 2);
    else
        fuzz_rtp(&c, data[1], data + 2, size - 2, data[0] & 2);
    tr_srtp_destroy(c.out);
    tr_srtp_destroy(c.in);
    return 0;
}

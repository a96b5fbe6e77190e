/* a=fingerprint (RFC 8122 section 5): names of hashes, and colon-separated hex both ways. */
#include <strings.h>

#include "base/assert.h"
#include "dtls/dtls.h"

static const struct {
    const char *name;
    size_t len;
} digests[] = {
    [TR_DTLS_SHA1] = { "sha-1", 20 },
    [TR_DTLS_SHA256] = { "sha-256", 32 },
    [TR_DTLS_SHA384] = { "sha-384", 48 },
    [TR_DTLS_SHA512] = { "sha-512", 64 },
};

const char *tr_dtls_digest_name(enum tr_dtls_digest digest)
{
    return (size_t)digest < TR_ARRAY_LEN(digests) ? digests[digest].name : "";
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

enum tr_err tr_dtls_fingerprint_parse(struct tr_dtls_fingerprint *out, struct tr_slice hash,
                                      struct tr_slice hex)
{
    size_t d = 0;

    while (d < TR_ARRAY_LEN(digests) &&
           (strlen(digests[d].name) != hash.n ||
            strncasecmp(digests[d].name, (const char *)hash.p, hash.n) != 0))
        d++;
    if (d == TR_ARRAY_LEN(digests))
        return TR_ERR_UNSUPPORTED;
    if (hex.n != 3 * digests[d].len - 1)
        return TR_ERR_BADMSG;
    *out = (struct tr_dtls_fingerprint){ .digest = (enum tr_dtls_digest)d, .len = digests[d].len };
    for (size_t i = 0; i < out->len; i++) {
        int high = hex_digit(hex.p[3 * i]), low = hex_digit(hex.p[3 * i + 1]);
        if (high < 0 || low < 0 || (i > 0 && hex.p[3 * i - 1] != ':'))
            return TR_ERR_BADMSG;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return TR_OK;
}

const char *tr_dtls_fingerprint_str(const struct tr_dtls_fingerprint *fingerprint,
                                    char out[TR_DTLS_FINGERPRINT_STR_MAX])
{
    static const char digit[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < fingerprint->len && i < TR_DTLS_DIGEST_MAX; i++) {
        if (i > 0)
            out[n++] = ':';
        out[n++] = digit[fingerprint->bytes[i] >> 4];
        out[n++] = digit[fingerprint->bytes[i] & 15];
    }
    out[n] = 0;
    return out;
}

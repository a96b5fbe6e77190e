/* SHA-1 and older are treated like hashes that nobody knows: RFC 8122 section 5.1 lets a receiver
 * ignore them, and a forged certificate of the same SHA-1 is no longer out of reach. */
#include "sdp/fingerprint.h"

#include <string.h>

#include "base/assert.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum tr_err hex_bytes(const char *text, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++, text += 2) {
        if (i && *text++ != ':')
            return TR_ERR_BADMSG;
        int high = hex_digit(text[0]);
        int low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return TR_ERR_BADMSG;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return *text ? TR_ERR_BADMSG : TR_OK;
}

enum tr_err tr_sdp_fingerprint_parse(struct tr_sdp_fingerprint *out, const char *text)
{
    static const struct {
        const char *name;
        enum tr_sdp_hash hash;
        uint8_t len;
    } hashes[] = { { "sha-256 ", TR_SDP_SHA256, 32 },
                   { "sha-384 ", TR_SDP_SHA384, 48 },
                   { "sha-512 ", TR_SDP_SHA512, 64 } };
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < TR_ARRAY_LEN(hashes); i++) {
        if (strncasecmp(text, hashes[i].name, 8) != 0)
            continue;
        text += 8;
        enum tr_err err = hex_bytes(text + strspn(text, " "), out->bytes, hashes[i].len);
        out->hash = err ? TR_SDP_HASH_NONE : hashes[i].hash;
        out->len = err ? 0 : hashes[i].len;
        return err;
    }
    return TR_ERR_UNSUPPORTED;
}

/* Certificate fingerprints as SDP carries them (RFC 8122 section 5). Values only; any thread. */
#ifndef TR_SDP_FINGERPRINT_H
#define TR_SDP_FINGERPRINT_H

#include <stdint.h>

#include "base/err.h"

enum { TR_SDP_HASH_MAX = 64 };

enum tr_sdp_hash { TR_SDP_HASH_NONE, TR_SDP_SHA256, TR_SDP_SHA384, TR_SDP_SHA512 };

struct tr_sdp_fingerprint {
    enum tr_sdp_hash hash;
    uint8_t len;
    uint8_t bytes[TR_SDP_HASH_MAX];
};

/* Takes "sha-256 AB:CD:...". UNSUPPORTED: an unknown or weak hash. BADMSG: broken. */
TR_MUST_USE enum tr_err tr_sdp_fingerprint_parse(struct tr_sdp_fingerprint *out, const char *text);

#endif

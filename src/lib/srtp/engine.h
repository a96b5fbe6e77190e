/* What SRTP needs of a crypto library: seal many packets, open one. Inside of lib/srtp only.
 *
 * An op is one packet. For GCM, aad is the additional data. For AES-CM, the tag is HMAC-SHA1 over
 * aad[0..aad_len), which lies in the protected packet: when sealing, the op's own output is part of
 * it, so the engine encrypts first; when opening, `trail` (the rollover counter of RTP) is hashed
 * behind it, and decryption happens after the tag was found right. */
#ifndef TR_SRTP_ENGINE_H
#define TR_SRTP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srtp/kdf.h"
#include "srtp/srtp.h"

enum { SRTP_BATCH = 64, SRTP_TRAIL_MAX = 4, SRTP_KEY_LINES = 16 /* of the cache, at most */ };

struct srtp_key { /* session keys as the engine likes them; the engine's struct starts with it */
    enum tr_srtp_profile profile;
    uint8_t salt[16];
};

struct srtp_op {
    struct srtp_key *key;
    const uint8_t *src;
    uint8_t *dst; /* src, or no overlap */
    size_t n;
    const uint8_t *aad;
    size_t aad_len;
    uint8_t *tag;          /* seal: tr_srtp_overhead bytes are written there */
    const uint8_t *expect; /* open: the tag to find */
    uint8_t trail[SRTP_TRAIL_MAX];
    size_t trail_len; /* open only */
    uint8_t iv[16];   /* 12 used by GCM */
};

struct tr_srtp_engine {
    const char *name;
    struct srtp_key *(*key_create)(struct tr_srtp_engine *engine, enum tr_srtp_profile profile,
                                   enum tr_srtp_dir dir, const struct srtp_session_keys *keys);
    void (*key_destroy)(struct srtp_key *key); /* cleanses; NULL is fine */
    void (*seal)(struct tr_srtp_engine *engine, struct srtp_op *ops,
                 size_t n); /* n <= SRTP_BATCH */
    bool (*open)(struct tr_srtp_engine *engine, struct srtp_op *op);
    void (*destroy)(struct tr_srtp_engine *engine);
    struct srtp_op ops[SRTP_BATCH]; /* scratch of srtp.c */
};

struct tr_srtp_engine *srtp_engine_openssl(void);
struct tr_srtp_engine *
srtp_engine_ipsec_mb(void); /* NULL also when the CPU or the build lacks it */

#endif

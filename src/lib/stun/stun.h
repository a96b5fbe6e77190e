/* STUN messages (RFC 8489) without I/O: parse, check, write. TURN and ICE are built on it.
 *
 * A parsed message borrows from the packet. Attributes that stand behind MESSAGE-INTEGRITY or
 * MESSAGE-INTEGRITY-SHA256 are not covered by it and are never reported. Parsing proves nothing:
 * call tr_stun_check_integrity before believing a word. Stateless, thread safe, no allocation. */
#ifndef TR_STUN_H
#define TR_STUN_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "stun/stun_proto.h"

enum tr_stun_limits {
    TR_STUN_ATTRS_MAX = 64,  /* attributes in one message; more is BADMSG */
    TR_STUN_UNKNOWN_MAX = 8, /* unknown attributes remembered for a 420 answer */
    TR_STUN_USERNAME_MAX = 512,
    TR_STUN_TEXT_MAX = 763 /* bytes of REALM, NONCE, SOFTWARE */
};

/* Which comprehension-required attributes count as known. */
enum tr_stun_usage { TR_STUN_FOR_ICE, TR_STUN_FOR_TURN };

enum tr_stun_has { /* bits of tr_stun.has */
                   TR_STUN_HAS_USERNAME = 1 << 0,
                   TR_STUN_HAS_REALM = 1 << 1,
                   TR_STUN_HAS_NONCE = 1 << 2,
                   TR_STUN_HAS_SOFTWARE = 1 << 3,
                   TR_STUN_HAS_XOR_MAPPED = 1 << 4,
                   TR_STUN_HAS_MAPPED = 1 << 5,
                   TR_STUN_HAS_ERROR = 1 << 6,
                   TR_STUN_HAS_PRIORITY = 1 << 7,
                   TR_STUN_HAS_USE_CANDIDATE = 1 << 8,
                   TR_STUN_HAS_CONTROLLING = 1 << 9,
                   TR_STUN_HAS_CONTROLLED = 1 << 10,
                   TR_STUN_HAS_MI = 1 << 11,
                   TR_STUN_HAS_MI256 = 1 << 12,
                   TR_STUN_HAS_FINGERPRINT = 1 << 13
};

struct tr_stun {
    struct tr_slice raw;
    enum tr_stun_class cls;
    uint16_t method; /* enum tr_stun_method, or one that we do not know */
    uint16_t error_code;
    uint32_t has; /* enum tr_stun_has */
    uint32_t priority;
    uint64_t tie_breaker; /* of ICE-CONTROLLING or ICE-CONTROLLED */
    const uint8_t *txid;  /* TR_STUN_TXID bytes */
    struct tr_slice username, realm, nonce, software, reason;
    struct tr_addr xor_mapped, mapped;
    uint16_t unknown[TR_STUN_UNKNOWN_MAX]; /* comprehension required, not known */
    uint8_t unknown_count;
    uint16_t trusted_end; /* offset behind the last attribute that integrity covers */
    uint16_t mi_at, mi256_at, fingerprint_at; /* offset of the attribute header; 0: absent */
};

/* Cheap look at the header for demultiplexing (RFC 7983): a STUN message by length and cookie? */
bool tr_stun_is(struct tr_slice pkt);
/* IGNORED: not STUN. BADMSG: broken, or a wrong FINGERPRINT. Of repeated attributes the first
 * counts. */
TR_MUST_USE enum tr_err tr_stun_parse(struct tr_stun *m, struct tr_slice pkt,
                                      enum tr_stun_usage usage);

/* Walks the trusted attributes: *at starts at 0; false at the end. */
bool tr_stun_next(const struct tr_stun *m, uint16_t *at, uint16_t *type, struct tr_slice *value);
bool tr_stun_find(const struct tr_stun *m, uint16_t type, struct tr_slice *value); /* the first */
/* The value of MAPPED-ADDRESS (xored false) or of any XOR-*-ADDRESS (true). */
TR_MUST_USE enum tr_err tr_stun_read_addr(const struct tr_stun *m, struct tr_slice value,
                                          bool xored, struct tr_addr *out);

/* Verifies the strongest integrity attribute that is there, in constant time. The key is the
 * password (short term) or what tr_stun_long_term_key made. NOTFOUND: none there; AUTH: wrong. */
TR_MUST_USE enum tr_err tr_stun_check_integrity(const struct tr_stun *m, struct tr_slice key);
/* Long-term keys of RFC 8489 18.5.1: MD5 or SHA-256 of username ":" realm ":" password. The strings
 * come prepared (OpaqueString). Returns the length of the key. */
size_t tr_stun_long_term_key(struct tr_slice username, struct tr_slice realm,
                             struct tr_slice password, bool sha256, uint8_t out[TR_STUN_KEY_MAX]);

/* HMAC-SHA1 or HMAC-SHA256 of at least 4 bytes; returns the length of the digest. For secrets that
 * passwords and nonces are made from. */
size_t tr_stun_mac(bool sha256, struct tr_slice key, struct tr_slice text,
                   uint8_t out[TR_STUN_SHA256]);

/* Writing, with an empty writer: begin, attributes, then integrity (optional), then fingerprint
 * (optional), then tr_stun_end; all errors stick in the writer, so test w->bad or the empty slice
 * once. */
void tr_stun_begin(struct tr_wr *w, enum tr_stun_class cls, uint16_t method,
                   const uint8_t txid[TR_STUN_TXID]);
void tr_stun_put(struct tr_wr *w, uint16_t type, struct tr_slice value);
void tr_stun_put_u32(struct tr_wr *w, uint16_t type, uint32_t v);
void tr_stun_put_u64(struct tr_wr *w, uint16_t type, uint64_t v);
void tr_stun_put_addr(struct tr_wr *w, uint16_t type, const struct tr_addr *addr, bool xored);
void tr_stun_put_error(struct tr_wr *w, enum tr_stun_code code); /* with its standard phrase */
void tr_stun_put_unknown(struct tr_wr *w, const uint16_t *types, size_t n);
void tr_stun_put_integrity(struct tr_wr *w, struct tr_slice key, bool sha256);
void tr_stun_put_fingerprint(struct tr_wr *w);
struct tr_slice tr_stun_end(struct tr_wr *w); /* the whole message; empty when the writer is bad */

#endif

/* An association without OpenSSL: after the handshake only records of data and alerts come and go,
 * and those need two keys and two counters, a hundred bytes in place of forty thousand.
 * AES-GCM suites of DTLS 1.2 (RFC 5288, 6347). Inside of lib/dtls. */
#ifndef TR_DTLS_REST_H
#define TR_DTLS_REST_H

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/slice.h"
#include "dtls/dtls.h"

enum {
    DTLS_KEY_MAX = 32,
    DTLS_SALT = 4,
    DTLS_NONCE = 8, /* the explicit part, at the front of each record's body */
    DTLS_TAG = 16
};

struct dtls_half {
    uint8_t key[DTLS_KEY_MAX];
    uint8_t salt[DTLS_SALT];
};

struct dtls_rest {
    const EVP_CIPHER *cipher;
    const char *name;
    struct dtls_half read, write;
    uint64_t write_seq;   /* of the next record */
    uint64_t write_nonce; /* its explicit nonce */
    uint64_t read_top;    /* one past the newest record opened */
    uint64_t read_seen;   /* bit i: read_top - 1 - i was opened */
};

/* Takes the state of a connected SSL over. close_notify: what the SSL has just written as its last
 * record, which is not sent: it tells the counters. UNSUPPORTED: another suite. */
TR_MUST_USE enum tr_err dtls_rest_init(struct dtls_rest *rest, SSL *ssl, enum tr_dtls_role role,
                                       struct tr_slice close_notify);
/* A whole record into out: header, nonce, text, tag. Returns its length, 0 when it failed. */
size_t dtls_rest_seal(struct dtls_rest *rest, uint8_t type, struct tr_slice text,
                      struct tr_buf out);
/* The text of a record into out, which has room for the record's body. AUTH: not of this
 * association; EXISTS: opened before, or too old. */
TR_MUST_USE enum tr_err dtls_rest_open(struct dtls_rest *rest, struct tr_slice record,
                                       struct tr_buf out, size_t *n);

#endif

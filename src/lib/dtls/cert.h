/* Certificates out of files' bytes, and into OpenSSL's contexts: what a server of TLS and DTLS
 * shares with the self-signed ones of dtls.h. */
#ifndef TR_DTLS_CERT_H
#define TR_DTLS_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/err.h"
#include "base/slice.h"

struct tr_dtls_cert;

enum { TR_DTLS_CHAIN_MAX = 8 };

/* A chain in PEM, leaf first, and the leaf's key. BADMSG: not PEM, or encrypted; LIMIT: the chain
 * is too long; AUTH: the key is not the leaf's; NOMEM. */
TR_MUST_USE enum tr_err tr_dtls_cert_read(struct tr_dtls_cert **cert, struct tr_slice chain,
                                          struct tr_slice key);
/* The same one for another owner; NULL: memory is out. */
struct tr_dtls_cert *tr_dtls_cert_dup(const struct tr_dtls_cert *cert);
int64_t tr_dtls_cert_expires(const struct tr_dtls_cert *cert); /* Unix seconds; 0: unreadable */
bool tr_dtls_cert_use(const struct tr_dtls_cert *cert, SSL_CTX *ctx); /* with its chain */
/* In place of whatever its context has: for a handshake that begins. */
bool tr_dtls_cert_use_once(const struct tr_dtls_cert *cert, SSL *ssl);

#endif

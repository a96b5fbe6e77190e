/* Certificates out of files' bytes, and into OpenSSL's contexts: what a server of TLS and DTLS
 * shares with the self-signed ones of dtls.h. */
#ifndef TR_DTLS_CERT_H
#define TR_DTLS_CERT_H

#include <stdbool.h>

#include <openssl/types.h>

#include "base/err.h"
#include "base/slice.h"

struct tr_dtls_cert;

enum { TR_DTLS_CHAIN_MAX = 8 };

/* A chain in PEM, leaf first, and the leaf's key. BADMSG: not PEM, or encrypted; LIMIT: the chain
 * is too long; AUTH: the key is not the leaf's; NOMEM. */
TR_MUST_USE enum tr_err tr_dtls_cert_read(struct tr_dtls_cert **cert, struct tr_slice chain,
                                          struct tr_slice key);
bool tr_dtls_cert_use(const struct tr_dtls_cert *cert, SSL_CTX *ctx); /* with its chain */

#endif

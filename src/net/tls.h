/* TLS settings of streams (stream.h) and the certificates for them: TLS 1.2 and 1.3, AEAD suites
 * with forward secrecy, ALPN, no tickets kept, no renegotiation. A server's certificate comes from
 * PEM files or is self-signed in memory (tr_dtls_cert_create), and the same one serves DTLS.
 * A tr_tls may be used by all threads, also while one of them renews its certificate. */
#ifndef TR_TLS_H
#define TR_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tr_dtls_cert;
struct tr_tls;

enum { TR_TLS_ALPN_MAX = 4, TR_TLS_PEM_BYTES_MAX = 1 << 18 };

struct tr_tls_conf {
    const struct tr_dtls_cert *cert; /* of a server; NULL: a client, which trusts anybody */
    /* Server: takes the first of these that the client offers; a client that offers none is served
     * as well, one that offers only others is refused. Client: offers these. NULL ends the list. */
    const char *alpn[TR_TLS_ALPN_MAX];
    bool ktls; /* let the kernel encrypt where it can */
};

/* NULL: memory is out, or the conf is unusable. Nothing of conf is kept. */
struct tr_tls *tr_tls_create(const struct tr_tls_conf *conf);
void tr_tls_destroy(struct tr_tls *tls); /* after its connections; NULL is fine */
/* New connections get this certificate, the others keep theirs. On error nothing has changed. */
TR_MUST_USE enum tr_err tr_tls_renew(struct tr_tls *tls, const struct tr_dtls_cert *cert);

/* Reads a chain, leaf first, and its key. IO: a file cannot be read (errno); BADMSG: not PEM, or
 * encrypted; AUTH: the key is not the certificate's; NOMEM. */
TR_MUST_USE enum tr_err tr_tls_cert_load(struct tr_dtls_cert **cert, const char *cert_file,
                                         const char *key_file);
/* Differs when one of the files has changed; 0: one is not there. */
uint64_t tr_tls_files_stamp(const char *cert_file, const char *key_file);

#endif

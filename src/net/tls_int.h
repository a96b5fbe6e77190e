/* OpenSSL's side of tls.h. Inside of src/net only. */
#ifndef TR_TLS_INT_H
#define TR_TLS_INT_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* A connection over fd at the start of its handshake, with the certificate of now. server_name: of
 * a client, may be NULL. NULL: memory is out. */
SSL *tls_ssl(struct tr_tls *tls, int fd, const char *server_name);

#endif

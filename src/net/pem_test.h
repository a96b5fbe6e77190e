/* For tests: a certificate, or its key, as a PEM file. */
#ifndef TR_NET_PEM_TEST_H
#define TR_NET_PEM_TEST_H

#include <openssl/pem.h>

#include "dtls/internal.h"
#include "unit.h"

static inline void write_pem(const char *path, const struct tr_dtls_cert *cert, bool key)
{
    FILE *f = fopen(path, "w");
    if (!CHECK(f != NULL))
        return;
    CHECK_INT(key ? PEM_write_PrivateKey(f, cert->key, NULL, NULL, 0, NULL, NULL)
                  : PEM_write_X509(f, cert->x509),
              1);
    fclose(f);
}

#endif

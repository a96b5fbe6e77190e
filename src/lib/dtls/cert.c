/* A self-signed certificate says nothing: what counts is its fingerprint in the SDP. One from files
 * is for those who check names: TURN over TLS and DTLS. */
#include "dtls/cert.h"

#include <limits.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "dtls/internal.h"

enum { DAY_S = 86400, YEAR_S = 365 * DAY_S };

static const EVP_MD *digest_of(enum tr_dtls_digest digest)
{
    switch (digest) {
    case TR_DTLS_SHA1: return EVP_sha1();
    case TR_DTLS_SHA256: return EVP_sha256();
    case TR_DTLS_SHA384: return EVP_sha384();
    case TR_DTLS_SHA512: return EVP_sha512();
    }
    return NULL;
}

bool dtls_cert_fingerprint(const X509 *x509, enum tr_dtls_digest digest,
                           struct tr_dtls_fingerprint *out)
{
    unsigned len = 0;

    if (X509_digest(x509, digest_of(digest), out->bytes, &len) != 1)
        return false;
    out->digest = digest;
    out->len = len;
    return true;
}

static bool fill_in(X509 *x509, EVP_PKEY *key, int64_t now_unix_s)
{
    X509_NAME *name = X509_get_subject_name(x509);
    uint8_t serial[8];
    uint64_t number = 1;

    /* tidy: allow random - the key that it goes with comes from the same generator */
    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return false;
    number = tr_get64(serial) >> 1; /* positive */
    return X509_set_version(x509, X509_VERSION_3) &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), number) &&
           ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)(now_unix_s - DAY_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)(now_unix_s + YEAR_S)) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"WebRTC", -1, -1,
                                      0) &&
           X509_set_issuer_name(x509, name) && X509_set_pubkey(x509, key) &&
           X509_sign(x509, key, EVP_sha256()) > 0;
}

struct tr_dtls_cert *tr_dtls_cert_create(int64_t now_unix_s)
{
    struct tr_dtls_cert *cert = tr_alloc(sizeof(*cert));

    if (!cert)
        return NULL;
    cert->key = EVP_EC_gen("P-256");
    cert->x509 = X509_new();
    if (!cert->key || !cert->x509 || !fill_in(cert->x509, cert->key, now_unix_s) ||
        !dtls_cert_fingerprint(cert->x509, TR_DTLS_SHA256, &cert->fingerprint)) {
        tr_dtls_cert_destroy(cert);
        return NULL;
    }
    return cert;
}

void tr_dtls_cert_destroy(struct tr_dtls_cert *cert)
{
    if (!cert)
        return;
    sk_X509_pop_free(cert->chain, X509_free);
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    tr_free(cert);
}

struct tr_dtls_cert *tr_dtls_cert_dup(const struct tr_dtls_cert *cert)
{
    struct tr_dtls_cert *copy = tr_alloc(sizeof(*copy));

    if (!copy)
        return NULL;
    copy->fingerprint = cert->fingerprint;
    copy->chain = cert->chain ? X509_chain_up_ref(cert->chain) : NULL;
    if (X509_up_ref(cert->x509))
        copy->x509 = cert->x509;
    if (EVP_PKEY_up_ref(cert->key))
        copy->key = cert->key;
    if (copy->x509 && copy->key && (copy->chain || !cert->chain))
        return copy;
    tr_dtls_cert_destroy(copy);
    return NULL;
}

int64_t tr_dtls_cert_expires(const struct tr_dtls_cert *cert)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    bool ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(cert->x509));
    ASN1_TIME_free(epoch);
    return ok ? (int64_t)days * DAY_S + seconds : 0;
}

const struct tr_dtls_fingerprint *tr_dtls_cert_fingerprint(const struct tr_dtls_cert *cert)
{
    return &cert->fingerprint;
}

/* --- from PEM --- */

static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1; /* or OpenSSL would ask at the terminal */
}

static enum tr_err read_chain(struct tr_dtls_cert *cert, BIO *pem)
{
    cert->x509 = PEM_read_bio_X509(pem, NULL, no_password, NULL);
    cert->chain = sk_X509_new_null();
    if (!cert->x509)
        return TR_ERR_BADMSG;
    if (!cert->chain)
        return TR_ERR_NOMEM;
    for (;;) {
        X509 *next = PEM_read_bio_X509(pem, NULL, no_password, NULL);
        if (!next)
            break;
        bool full = sk_X509_num(cert->chain) == TR_DTLS_CHAIN_MAX;
        if (full || sk_X509_push(cert->chain, next) == 0) {
            X509_free(next);
            return full ? TR_ERR_LIMIT : TR_ERR_NOMEM;
        }
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return at_end ? TR_OK : TR_ERR_BADMSG;
}

static enum tr_err read_pem(struct tr_dtls_cert *cert, BIO *chain, BIO *key)
{
    if (!chain || !key)
        return TR_ERR_NOMEM;
    enum tr_err err = read_chain(cert, chain);
    if (err != TR_OK)
        return err;
    cert->key = PEM_read_bio_PrivateKey(key, NULL, no_password, NULL);
    if (!cert->key || !dtls_cert_fingerprint(cert->x509, TR_DTLS_SHA256, &cert->fingerprint))
        return TR_ERR_BADMSG;
    return X509_check_private_key(cert->x509, cert->key) == 1 ? TR_OK : TR_ERR_AUTH;
}

static BIO *bio_of(struct tr_slice s)
{
    return s.n <= INT_MAX ? BIO_new_mem_buf(s.n ? (const void *)s.p : "", (int)s.n) : NULL;
}

enum tr_err tr_dtls_cert_read(struct tr_dtls_cert **out, struct tr_slice chain, struct tr_slice key)
{
    struct tr_dtls_cert *cert = tr_alloc(sizeof(*cert));

    if (!cert)
        return TR_ERR_NOMEM;
    ERR_clear_error();
    BIO *chain_bio = bio_of(chain), *key_bio = bio_of(key);
    enum tr_err err = read_pem(cert, chain_bio, key_bio);
    BIO_free(chain_bio);
    BIO_free(key_bio);
    ERR_clear_error();
    if (err == TR_OK)
        *out = cert;
    else
        tr_dtls_cert_destroy(cert);
    return err;
}

bool tr_dtls_cert_use(const struct tr_dtls_cert *cert, SSL_CTX *ctx)
{
    return SSL_CTX_use_certificate(ctx, cert->x509) == 1 &&
           (!cert->chain || SSL_CTX_set1_chain(ctx, cert->chain) == 1) &&
           SSL_CTX_use_PrivateKey(ctx, cert->key) == 1;
}

bool tr_dtls_cert_use_once(const struct tr_dtls_cert *cert, SSL *ssl)
{
    SSL_certs_clear(ssl); /* one of another kind of key would be chosen by some clients */
    return SSL_use_cert_and_key(ssl, cert->x509, cert->key, cert->chain, 1) == 1;
}

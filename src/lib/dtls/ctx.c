/* The certificate and the settings that all associations share. The certificate is self-signed
 * and says nothing: what counts is its fingerprint in the SDP. The peer's is checked in
 * OpenSSL's verify callback, so that a wrong one ends the handshake before any key is made. */
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "dtls/internal.h"

enum { DAY_S = 86400, YEAR_S = 365 * DAY_S };

/* AES-128-GCM first: fastest, and what every browser has. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

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

static bool take_fingerprint(const X509 *x509, enum tr_dtls_digest digest,
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
        !take_fingerprint(cert->x509, TR_DTLS_SHA256, &cert->fingerprint)) {
        tr_dtls_cert_destroy(cert);
        return NULL;
    }
    return cert;
}

void tr_dtls_cert_destroy(struct tr_dtls_cert *cert)
{
    if (!cert)
        return;
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    tr_free(cert);
}

const struct tr_dtls_fingerprint *tr_dtls_cert_fingerprint(const struct tr_dtls_cert *cert)
{
    return &cert->fingerprint;
}

/*= rfc8122#6.2: the fingerprint of the certificate must match, else the session is torn down */
static int verify_peer(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *x509 = X509_STORE_CTX_get0_cert(store);
    struct tr_dtls *dtls = SSL_get_app_data(ssl);
    struct tr_dtls_fingerprint seen;

    (void)arg;
    if (x509 && take_fingerprint(x509, dtls->remote.digest, &seen) &&
        seen.len == dtls->remote.len &&
        CRYPTO_memcmp(seen.bytes, dtls->remote.bytes, seen.len) == 0)
        return 1;
    dtls->fingerprint_bad = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

static bool set_up(SSL_CTX *ssl_ctx, const struct tr_dtls_cert *cert)
{
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_ECDH_USE |
                                     SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ssl_ctx, 1); /* a datagram is read whole */
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, verify_peer, NULL);
    return SSL_CTX_set_min_proto_version(ssl_ctx, DTLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(ssl_ctx, DTLS1_2_VERSION) &&
           SSL_CTX_set_max_send_fragment(ssl_ctx, TR_DTLS_MTU) && /* sizes the write buffer */
           SSL_CTX_set_cipher_list(ssl_ctx, ciphers) &&
           SSL_CTX_set1_groups_list(ssl_ctx, "X25519:P-256:P-384") &&
           SSL_CTX_use_certificate(ssl_ctx, cert->x509) == 1 &&
           SSL_CTX_use_PrivateKey(ssl_ctx, cert->key) == 1;
}

struct tr_dtls_ctx *tr_dtls_ctx_create(const struct tr_dtls_cert *cert)
{
    struct tr_dtls_ctx *ctx = tr_alloc(sizeof(*ctx));

    if (!ctx)
        return NULL;
    ctx->bio_method = dtls_bio_method();
    ctx->ssl_ctx = SSL_CTX_new(DTLS_method());
    if (!ctx->bio_method || !ctx->ssl_ctx || !set_up(ctx->ssl_ctx, cert)) {
        tr_dtls_ctx_destroy(ctx);
        return NULL;
    }
    return ctx;
}

void tr_dtls_ctx_destroy(struct tr_dtls_ctx *ctx)
{
    if (!ctx)
        return;
    SSL_CTX_free(ctx->ssl_ctx);
    BIO_meth_free(ctx->bio_method);
    tr_free(ctx);
}

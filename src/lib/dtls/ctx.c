/* The settings that all associations share. The peer's certificate is checked in OpenSSL's verify
 * callback, so that a wrong one ends the handshake before any key is made. */
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "dtls/cert.h"
#include "dtls/internal.h"

/* AES-128-GCM first: fastest, and what every browser has. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

/*= rfc8122#6.2: the fingerprint of the certificate must match, else the session is torn down */
static int verify_peer(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *x509 = X509_STORE_CTX_get0_cert(store);
    struct tr_dtls *dtls = SSL_get_app_data(ssl);
    struct tr_dtls_fingerprint seen;

    (void)arg;
    if (dtls->anybody)
        return 1;
    if (x509 && dtls_cert_fingerprint(x509, dtls->remote.digest, &seen) &&
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
    SSL_CTX_set_cookie_generate_cb(ssl_ctx, dtls_cookie_make);
    SSL_CTX_set_cookie_verify_cb(ssl_ctx, dtls_cookie_check);
    return SSL_CTX_set_min_proto_version(ssl_ctx, DTLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(ssl_ctx, DTLS1_2_VERSION) &&
           SSL_CTX_set_max_send_fragment(ssl_ctx, TR_DTLS_MTU) && /* sizes the write buffer */
           SSL_CTX_set_cipher_list(ssl_ctx, ciphers) &&
           SSL_CTX_set1_groups_list(ssl_ctx, "X25519:P-256:P-384") &&
           tr_dtls_cert_use(cert, ssl_ctx);
}

struct tr_dtls_ctx *tr_dtls_ctx_create(const struct tr_dtls_cert *cert)
{
    struct tr_dtls_ctx *ctx = tr_alloc(sizeof(*ctx));

    if (!ctx)
        return NULL;
    atomic_init(&ctx->refs, 1);
    ctx->bio_method = dtls_bio_method();
    ctx->ssl_ctx = SSL_CTX_new(DTLS_method());
    if (!ctx->bio_method || !ctx->ssl_ctx || !set_up(ctx->ssl_ctx, cert)) {
        tr_dtls_ctx_destroy(ctx);
        return NULL;
    }
    return ctx;
}

struct tr_dtls_ctx *tr_dtls_ctx_ref(struct tr_dtls_ctx *ctx)
{
    atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

void tr_dtls_ctx_destroy(struct tr_dtls_ctx *ctx)
{
    if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(ctx->ssl_ctx);
    BIO_meth_free(ctx->bio_method);
    tr_free(ctx);
}

/* The certificate is renewed by making a new SSL_CTX: OpenSSL counts who uses the old one, and a
 * lock guards only the pointer, for as long as it takes to start a connection.
 *
 * A client does not check the server's certificate: it is a tool for tests and load. */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "dtls/cert.h"
#include "dtls/dtls.h"
#include "net/tls_int.h"

enum { ALPN_BYTES_MAX = 128 };

struct tr_tls {
    pthread_mutex_t lock;
    SSL_CTX *ctx; /* under the lock */
    bool server, ktls;
    uint8_t alpn[ALPN_BYTES_MAX]; /* as on the wire: each with its length in front */
    unsigned alpn_n;
};

static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

/*= rfc7443#4: the server picks a protocol that it knows, or the handshake fails */
static int choose_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_n, const uint8_t *offered,
                       unsigned offered_n, void *arg)
{
    const struct tr_tls *tls = arg;
    (void)ssl;
    uint8_t *chosen;
    if (SSL_select_next_proto(&chosen, out_n, tls->alpn, tls->alpn_n, offered, offered_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_alpn(struct tr_tls *tls, SSL_CTX *ctx)
{
    if (tls->alpn_n == 0)
        return true;
    if (!tls->server)
        return SSL_CTX_set_alpn_protos(ctx, tls->alpn, tls->alpn_n) == 0; /* 0 is success */
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, tls);
    return true;
}

static bool set_up(struct tr_tls *tls, SSL_CTX *ctx, const struct tr_dtls_cert *cert)
{
    uint64_t options = SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF;
    SSL_CTX_set_options(ctx, options | (tls->ktls ? SSL_OP_ENABLE_KTLS : 0));
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1); /* one call for the record's header and its body */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) && SSL_CTX_set_num_tickets(ctx, 0) &&
           SSL_CTX_set_cipher_list(ctx, ciphers) &&
           SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") &&
           (!cert || tr_dtls_cert_use(cert, ctx)) && set_alpn(tls, ctx);
}

static SSL_CTX *make_ctx(struct tr_tls *tls, const struct tr_dtls_cert *cert)
{
    SSL_CTX *ctx = SSL_CTX_new(tls->server ? TLS_server_method() : TLS_client_method());
    if (ctx && set_up(tls, ctx, cert))
        return ctx;
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return NULL;
}

static bool take_alpn(struct tr_tls *tls, const struct tr_tls_conf *conf)
{
    struct tr_wr w = tr_wr(tls->alpn, sizeof tls->alpn);
    for (int i = 0; i < TR_TLS_ALPN_MAX && conf->alpn[i]; i++) {
        size_t n = strlen(conf->alpn[i]);
        w.bad |= n == 0 || n > UINT8_MAX;
        tr_wr_u8(&w, (uint8_t)n);
        tr_wr_str(&w, conf->alpn[i]);
    }
    tls->alpn_n = (unsigned)tr_wr_len(&w);
    return !w.bad;
}

struct tr_tls *tr_tls_create(const struct tr_tls_conf *conf)
{
    struct tr_tls *tls = tr_alloc(sizeof *tls);
    if (!tls)
        return NULL;
    tls->server = conf->cert != NULL;
    tls->ktls = conf->ktls;
    pthread_mutex_init(&tls->lock, NULL);
    tls->ctx = take_alpn(tls, conf) ? make_ctx(tls, conf->cert) : NULL;
    if (!tls->ctx) {
        tr_tls_destroy(tls);
        return NULL;
    }
    return tls;
}

void tr_tls_destroy(struct tr_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->ctx);
    pthread_mutex_destroy(&tls->lock);
    tr_free(tls);
}

enum tr_err tr_tls_renew(struct tr_tls *tls, const struct tr_dtls_cert *cert)
{
    SSL_CTX *fresh = tls->server ? make_ctx(tls, cert) : NULL;
    if (!fresh)
        return tls->server ? TR_ERR_NOMEM : TR_ERR_INVAL;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->ctx;
    tls->ctx = fresh;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old);
    return TR_OK;
}

SSL *tls_ssl(struct tr_tls *tls, int fd, const char *server_name)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->ctx);
    pthread_mutex_unlock(&tls->lock);
    bool named = !server_name || (ssl && SSL_set_tlsext_host_name(ssl, server_name) == 1);
    if (!ssl || !named || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    if (tls->server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

/* --- files --- */

static enum tr_err read_file(const char *path, uint8_t *out, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return TR_ERR_IO;
    ssize_t got = 0;
    *n = 0;
    while (*n < TR_TLS_PEM_BYTES_MAX && (got = read(fd, out + *n, TR_TLS_PEM_BYTES_MAX - *n)) > 0)
        *n += (size_t)got;
    int why = errno;
    close(fd);
    errno = why;
    if (got < 0)
        return TR_ERR_IO;
    return *n < TR_TLS_PEM_BYTES_MAX ? TR_OK : TR_ERR_BADMSG;
}

enum tr_err tr_tls_cert_load(struct tr_dtls_cert **cert, const char *cert_file,
                             const char *key_file)
{
    uint8_t *chain = tr_alloc(2 * TR_TLS_PEM_BYTES_MAX), *key = chain + TR_TLS_PEM_BYTES_MAX;
    size_t chain_n, key_n;
    if (!chain)
        return TR_ERR_NOMEM;
    enum tr_err err = read_file(cert_file, chain, &chain_n);
    if (err == TR_OK)
        err = read_file(key_file, key, &key_n);
    if (err == TR_OK)
        err = tr_dtls_cert_read(cert, tr_slice(chain, chain_n), tr_slice(key, key_n));
    int why = errno;
    OPENSSL_cleanse(chain, 2 * TR_TLS_PEM_BYTES_MAX);
    tr_free(chain);
    errno = why;
    return err;
}

static uint64_t stamp_of(const char *path, uint64_t h)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return 0;
    uint64_t facts[] = { (uint64_t)st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
                         (uint64_t)st.st_mtim.tv_nsec };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        h = (h ^ facts[i]) * 0x100000001b3ull;
    return h | 1;
}

uint64_t tr_tls_files_stamp(const char *cert_file, const char *key_file)
{
    uint64_t cert = stamp_of(cert_file, 0xcbf29ce484222325ull);
    return cert ? stamp_of(key_file, cert) : 0;
}

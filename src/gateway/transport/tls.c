/* The certificate of the TLS listeners. libwebsockets makes an SSL_CTX for each listener and keeps
 * it; so the certificate is not in there but chosen when a handshake begins. All of it is on the
 * loop's thread. */
#include <openssl/ssl.h>

#include "dtls/cert.h"
#include "dtls/dtls.h"
#include "gateway/transport/web_impl.h"

static int choose_cert(SSL *ssl, void *arg)
{
    const struct tr_web *web = arg;
    return web->cert && tr_dtls_cert_use_once(web->cert, ssl);
}

int tr_web_tls_made(const struct listener *listener, void *ssl_ctx)
{
    SSL_CTX_set_cert_cb(ssl_ctx, choose_cert, listener->web);
    return 0;
}

enum tr_err tr_web_renew(struct tr_web *web, const struct tr_dtls_cert *cert)
{
    struct tr_dtls_cert *copy = tr_dtls_cert_dup(cert);
    if (!copy)
        return TR_ERR_NOMEM;
    tr_dtls_cert_destroy(web->cert);
    web->cert = copy;
    return TR_OK;
}

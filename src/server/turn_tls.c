/* The relay's certificate: its own, else that of the web server. Clients over TLS and DTLS that
 * come after a renewal get the new one; the workers take it over by message (media/turn.h). */
#include "dtls/dtls.h"
#include "net/tls.h"
#include "server/certs.h"
#include "server/turn_int.h"

static enum tr_err use_first(struct tr_turn_service *s, const struct tr_dtls_cert *cert)
{
    const struct tr_tls_conf conf = { .cert = cert,
                                      .alpn = { "stun.turn", "stun.nat-discovery" },
                                      .ktls = true };
    s->tls = tr_tls_create(&conf);
    s->dtls = tr_dtls_ctx_create(cert);
    return s->tls && s->dtls ? TR_OK : TR_ERR_NOMEM;
}

static enum tr_err use_cert(void *arg, const struct tr_dtls_cert *cert)
{
    struct tr_turn_service *s = arg;
    if (!s->media)
        return use_first(s, cert);
    struct tr_dtls_ctx *dtls = tr_dtls_ctx_create(cert);
    enum tr_err err = dtls ? tr_tls_renew(s->tls, cert) : TR_ERR_NOMEM;
    if (err == TR_OK)
        err = tr_media_turn_renew(s->media, dtls);
    tr_dtls_ctx_destroy(dtls); /* the workers have theirs */
    return err;
}

bool turn_has_cert(const struct tr_config *config)
{
    return config->turn.tls_cert[0] || config->http.tls_cert[0];
}

enum tr_err turn_make_tls(struct tr_turn_service *s, struct tr_certs *certs, const char **why)
{
    const struct tr_config *c = s->config;
    const struct tr_certs_user user = { use_cert, s };
    const char *detail = "";
    bool own = c->turn.tls_cert[0] != '\0';
    const char *cert_file = own ? c->turn.tls_cert : c->http.tls_cert;
    const char *key_file = own ? c->turn.tls_key : c->http.tls_key;
    if (tr_certs_watch(certs, cert_file, key_file, &user, &detail) == TR_OK)
        return TR_OK;
    /* Not IO: this is no port that can be done without. */
    return turn_fail(why, TR_ERR_INVAL, "the relay's TLS certificate or key cannot be used",
                     detail);
}

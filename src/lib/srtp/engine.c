/* Chooses the engine: ipsec-mb where it runs, else OpenSSL. */
#include "srtp/engine.h"

#ifndef TR_HAVE_IPSEC_MB
struct tr_srtp_engine *srtp_engine_ipsec_mb(void)
{
    return NULL;
}
#endif

struct tr_srtp_engine *tr_srtp_engine_create(enum tr_srtp_kind kind)
{
    struct tr_srtp_engine *engine = NULL;

    if (kind != TR_SRTP_ENGINE_OPENSSL)
        engine = srtp_engine_ipsec_mb();
    if (!engine && kind != TR_SRTP_ENGINE_IPSEC_MB)
        engine = srtp_engine_openssl();
    return engine;
}

void tr_srtp_engine_destroy(struct tr_srtp_engine *engine)
{
    if (engine)
        engine->destroy(engine);
}

const char *tr_srtp_engine_name(const struct tr_srtp_engine *engine)
{
    return engine->name;
}

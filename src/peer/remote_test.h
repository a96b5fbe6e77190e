/* For tests and benches: what a peer has to know of another one that needs no signalling. */
#ifndef TR_PEER_REMOTE_TEST_H
#define TR_PEER_REMOTE_TEST_H

#include <stdio.h>
#include <string.h>

#include "dtls/dtls.h"
#include "peer/track.h"

static inline struct tr_peer_remote remote_of(const char *ufrag, const char *pwd,
                                              const struct tr_dtls_cert *cert)
{
    const struct tr_dtls_fingerprint *f = tr_dtls_cert_fingerprint(cert);
    struct tr_peer_remote remote = { .fingerprint_len = (uint8_t)f->len };
    snprintf(remote.ufrag, sizeof remote.ufrag, "%s", ufrag);
    snprintf(remote.pwd, sizeof remote.pwd, "%s", pwd);
    snprintf(remote.fingerprint_alg, sizeof remote.fingerprint_alg, "%s",
             tr_dtls_digest_name(f->digest));
    memcpy(remote.fingerprint, f->bytes, f->len);
    return remote;
}

#endif

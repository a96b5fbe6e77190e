/* The insides of the turn section's service, shared by its files: turn.c puts together what the
 * engine's relay is given, turn_rules.c says whom it serves, where to and how much, turn_tls.c has
 * its certificate, ice_servers.c tells clients of it, turn_metrics.c what it counts. */
#ifndef TR_SERVER_TURN_INT_H
#define TR_SERVER_TURN_INT_H

#include "media/media.h"
#include "server/config.h"
#include "server/turn.h"

struct tr_turn_service {
    const struct tr_config *config; /* borrowed */
    struct tr_rng *rng;
    struct tr_turn_auth *auth;
    struct tr_turn_policy *policy;
    struct tr_quota *quota;
    struct tr_tls *tls; /* NULL: no certificate */
    struct tr_dtls_ctx *dtls;
    struct tr_media *media;                        /* NULL: not made yet */
    struct tr_addr known[TR_MEDIA_TURN_ADDRS_MAX]; /* our addresses, as clients know them */
    int known_count;
};

/* All of these fill in *why (static) on error. */
enum tr_err turn_fail(const char **why, enum tr_err err, const char *what, const char *detail);
TR_MUST_USE enum tr_err turn_make_auth(struct tr_turn_service *s, const char **why);
TR_MUST_USE enum tr_err turn_make_policy(struct tr_turn_service *s, bool alone,
                                         const struct tr_media_conf *media, const char **why);
TR_MUST_USE enum tr_err turn_make_quota(struct tr_turn_service *s, const char **why);
bool turn_has_cert(const struct tr_config *config);
/* Sets tls and dtls, and renews them when the files have changed. */
TR_MUST_USE enum tr_err turn_make_tls(struct tr_turn_service *s, struct tr_certs *certs,
                                      const char **why);

uint16_t turn_tls_port(const struct tr_config *config, int i); /* of turn.tls_ports */

#endif

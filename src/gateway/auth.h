/* Who may use the API: a static secret, stored tokens with a list of plugins, and signed tokens
 *   expiry,realm,descriptor,...:base64(HMAC-SHA1(secret, text before ':'))
 * whose descriptors are plugin packages. Any one that is valid suffices. All comparisons take the
 * same time wherever the texts differ. */
#ifndef TR_AUTH_H
#define TR_AUTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tr_auth;

enum { TR_TOKEN_MAX = 1024, TR_TOKEN_PLUGINS_MAX = 32 };

struct tr_auth_conf { /* copied; NULL or "": off */
    const char *api_secret;
    bool token_auth;
    const char *token_secret;
    uint32_t tokens_max;
    uint64_t seed;
};

struct tr_auth *tr_auth_create(const struct tr_auth_conf *conf);
void tr_auth_destroy(struct tr_auth *auth); /* NULL is fine */
bool tr_auth_tokens_on(const struct tr_auth *auth);
/* May a request with these (each may be NULL) be served? unix_s: wall clock. */
bool tr_auth_check(const struct tr_auth *auth, const char *secret, const char *token,
                   int64_t unix_s);
/* May it attach to the plugin? The secret opens all of them, a token those that it names. */
bool tr_auth_plugin(const struct tr_auth *auth, const char *secret, const char *token,
                    const char *package, int64_t unix_s);

/* A signed token: its form, realm, expiry and signature, and the descriptor when one is given. */
bool tr_token_signed_ok(const char *key, const char *token, const char *realm,
                        const char *descriptor, int64_t unix_s);
bool tr_secret_equal(const char *a, const char *b);

/* --- stored tokens; UNSUPPORTED when they are off --- */

/* A new token for an array of package names. EXISTS; LIMIT; INVAL: text or names will not do. */
TR_MUST_USE enum tr_err tr_auth_add(struct tr_auth *auth, const char *token, const json_t *plugins);
TR_MUST_USE enum tr_err tr_auth_allow(struct tr_auth *auth, const char *token,
                                      const json_t *plugins, bool allow);
TR_MUST_USE enum tr_err tr_auth_remove(struct tr_auth *auth, const char *token); /* NOTFOUND */
/* Package names that a token may use, or NULL when it is unknown. New reference. */
json_t *tr_auth_allowed(const struct tr_auth *auth, const char *token);
json_t *tr_auth_list(const struct tr_auth *auth); /* [{"token","allowed_plugins"}] */

#endif

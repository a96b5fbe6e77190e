/* Stored tokens sit in a map under their SHA-256, so that a look-up tells nothing about how much of
 * a guess was right and a token of any length is a short key. Signed tokens are checked without
 * state. */
#include "gateway/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/mem.h"

struct token {
    uint8_t key[32];
    json_t *plugins; /* array of names */
    TAILQ_ENTRY(token) link;
    char text[];
};

struct tr_auth {
    char *api_secret;   /* NULL: none */
    char *token_secret; /* NULL: no signed tokens */
    bool stored;
    struct tr_map *by_hash;
    TAILQ_HEAD(, token) tokens; /* in the order of their making */
};

static bool given(const char *s)
{
    return s && *s;
}

bool tr_secret_equal(const char *a, const char *b)
{
    uint8_t ha[32], hb[32];

    if (!EVP_Digest(a, strlen(a), ha, NULL, EVP_sha256(), NULL) ||
        !EVP_Digest(b, strlen(b), hb, NULL, EVP_sha256(), NULL))
        return false;
    return CRYPTO_memcmp(ha, hb, sizeof(ha)) == 0;
}

struct tr_auth *tr_auth_create(const struct tr_auth_conf *conf)
{
    struct tr_auth *auth = tr_alloc(sizeof(*auth));
    if (!auth)
        return NULL;
    TAILQ_INIT(&auth->tokens);
    auth->stored = conf->token_auth;
    auth->by_hash = tr_map_create(conf->tokens_max, conf->seed);
    auth->api_secret = given(conf->api_secret) ? tr_strdup(conf->api_secret) : NULL;
    auth->token_secret = given(conf->token_secret) ? tr_strdup(conf->token_secret) : NULL;
    if (!auth->by_hash || (given(conf->api_secret) && !auth->api_secret) ||
        (given(conf->token_secret) && !auth->token_secret)) {
        tr_auth_destroy(auth);
        return NULL;
    }
    return auth;
}

static void token_free(struct tr_auth *auth, struct token *t)
{
    TAILQ_REMOVE(&auth->tokens, t, link);
    tr_map_remove(auth->by_hash, tr_slice(t->key, sizeof(t->key)));
    json_decref(t->plugins);
    OPENSSL_cleanse(t->text, strlen(t->text));
    tr_free(t);
}

static void secret_free(char *secret)
{
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    tr_free(secret);
}

void tr_auth_destroy(struct tr_auth *auth)
{
    if (!auth)
        return;
    while (!TAILQ_EMPTY(&auth->tokens))
        token_free(auth, TAILQ_FIRST(&auth->tokens));
    tr_map_destroy(auth->by_hash);
    secret_free(auth->api_secret);
    secret_free(auth->token_secret);
    tr_free(auth);
}

bool tr_auth_tokens_on(const struct tr_auth *auth)
{
    return auth->stored || auth->token_secret;
}

/* --- signed tokens --- */

static bool signature_ok(const char *key, struct tr_slice text, const char *signature)
{
    uint8_t mac[20];
    unsigned mac_len = sizeof(mac);
    char want[29]; /* base64 of 20 bytes, and the NUL */

    if (!HMAC(EVP_sha1(), key, (int)strlen(key), text.p, text.n, mac, &mac_len))
        return false;
    EVP_EncodeBlock((unsigned char *)want, mac, (int)mac_len);
    size_t n = strlen(signature);
    return n == strlen(want) && CRYPTO_memcmp(want, signature, n) == 0;
}

/* Splits the next comma-separated part off the front of *text; false when there is none. */
static bool next_part(struct tr_slice *text, struct tr_slice *part)
{
    if (!text->p)
        return false;
    const uint8_t *comma = text->n ? memchr(text->p, ',', text->n) : NULL;
    size_t n = comma ? (size_t)(comma - text->p) : text->n;
    *part = tr_slice(text->p, n);
    *text = comma ? tr_slice(comma + 1, text->n - n - 1) : tr_slice(NULL, 0);
    return true;
}

static bool expiry_ok(struct tr_slice part, int64_t unix_s)
{
    int64_t expiry = 0;

    if (part.n == 0 || part.n > 15)
        return false;
    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] < '0' || part.p[i] > '9')
            return false;
        expiry = expiry * 10 + (part.p[i] - '0');
    }
    return expiry > unix_s;
}

bool tr_token_signed_ok(const char *key, const char *token, const char *realm,
                        const char *descriptor, int64_t unix_s)
{
    const char *colon = strchr(token, ':');
    if (!colon || strlen(token) > TR_TOKEN_MAX)
        return false;
    struct tr_slice text = tr_slice(token, (size_t)(colon - token)), part;
    if (!signature_ok(key, text, colon + 1))
        return false;
    if (!next_part(&text, &part) || !expiry_ok(part, unix_s))
        return false;
    if (!next_part(&text, &part) || !tr_slice_eq_str(part, realm))
        return false;
    while (descriptor && next_part(&text, &part))
        if (tr_slice_eq_str(part, descriptor))
            return true;
    return !descriptor;
}

/* --- stored tokens --- */

static struct token *find_token(const struct tr_auth *auth, const char *text)
{
    uint8_t key[32];

    if (!EVP_Digest(text, strlen(text), key, NULL, EVP_sha256(), NULL))
        return NULL;
    return tr_map_get(auth->by_hash, tr_slice(key, sizeof(key)));
}

static size_t plugin_index(const struct token *t, const char *package)
{
    size_t i;
    for (i = 0; i < json_array_size(t->plugins); i++)
        if (strcmp(json_string_value(json_array_get(t->plugins, i)), package) == 0)
            break;
    return i;
}

static bool token_allows(const struct token *t, const char *package)
{
    return plugin_index(t, package) < json_array_size(t->plugins);
}

static bool names_ok(const json_t *plugins)
{
    size_t i, n = json_array_size(plugins);
    for (i = 0; i < n; i++)
        if (!json_is_string(json_array_get(plugins, i)))
            return false;
    return n <= TR_TOKEN_PLUGINS_MAX;
}

static enum tr_err allow_names(struct token *t, const json_t *plugins)
{
    for (size_t i = 0; i < json_array_size(plugins); i++) {
        const char *name = json_string_value(json_array_get(plugins, i));
        if (plugin_index(t, name) < json_array_size(t->plugins))
            continue;
        if (json_array_size(t->plugins) >= TR_TOKEN_PLUGINS_MAX)
            return TR_ERR_LIMIT;
        if (json_array_append_new(t->plugins, json_string(name)) != 0)
            return TR_ERR_NOMEM;
    }
    return TR_OK;
}

enum tr_err tr_auth_add(struct tr_auth *auth, const char *text, const json_t *plugins)
{
    size_t n = strlen(text);
    if (!auth->stored)
        return TR_ERR_UNSUPPORTED;
    if (n == 0 || n > TR_TOKEN_MAX || !names_ok(plugins))
        return TR_ERR_INVAL;
    if (find_token(auth, text))
        return TR_ERR_EXISTS;
    struct token *t = tr_alloc(sizeof(*t) + n + 1);
    if (!t)
        return TR_ERR_NOMEM;
    memcpy(t->text, text, n);
    t->plugins = json_array();
    enum tr_err err = TR_ERR_NOMEM;
    if (t->plugins && EVP_Digest(text, n, t->key, NULL, EVP_sha256(), NULL))
        err = allow_names(t, plugins);
    if (err == TR_OK)
        err = tr_map_add(auth->by_hash, tr_slice(t->key, sizeof(t->key)), t);
    if (err != TR_OK) {
        json_decref(t->plugins);
        tr_free(t);
        return err;
    }
    TAILQ_INSERT_TAIL(&auth->tokens, t, link);
    return TR_OK;
}

enum tr_err tr_auth_allow(struct tr_auth *auth, const char *text, const json_t *plugins, bool allow)
{
    if (!auth->stored)
        return TR_ERR_UNSUPPORTED;
    struct token *t = find_token(auth, text);
    if (!t)
        return TR_ERR_NOTFOUND;
    if (!names_ok(plugins))
        return TR_ERR_INVAL;
    if (allow)
        return allow_names(t, plugins);
    for (size_t i = 0; i < json_array_size(plugins); i++)
        json_array_remove(t->plugins,
                          plugin_index(t, json_string_value(json_array_get(plugins, i))));
    return TR_OK;
}

enum tr_err tr_auth_remove(struct tr_auth *auth, const char *text)
{
    if (!auth->stored)
        return TR_ERR_UNSUPPORTED;
    struct token *t = find_token(auth, text);
    if (!t)
        return TR_ERR_NOTFOUND;
    token_free(auth, t);
    return TR_OK;
}

json_t *tr_auth_allowed(const struct tr_auth *auth, const char *text)
{
    const struct token *t = find_token(auth, text);
    return t ? json_copy(t->plugins) : NULL;
}

json_t *tr_auth_list(const struct tr_auth *auth)
{
    json_t *list = json_array();
    for (const struct token *t = TAILQ_FIRST(&auth->tokens); t; t = TAILQ_NEXT(t, link))
        json_array_append_new(list, json_pack("{s:s, s:o}", "token", t->text, "allowed_plugins",
                                              json_copy(t->plugins)));
    return list;
}

/* --- the judgement --- */

static bool secret_ok(const struct tr_auth *auth, const char *secret)
{
    return auth->api_secret && secret && tr_secret_equal(auth->api_secret, secret);
}

/* package NULL: for any. A text with a comma is a signed token where those are on. */
static bool token_ok(const struct tr_auth *auth, const char *token, const char *package,
                     int64_t unix_s)
{
    if (!token)
        return false;
    if (auth->token_secret && strchr(token, ','))
        return tr_token_signed_ok(auth->token_secret, token, "janus", package, unix_s);
    if (!auth->stored)
        return false;
    const struct token *t = find_token(auth, token);
    return t && (!package || token_allows(t, package));
}

bool tr_auth_check(const struct tr_auth *auth, const char *secret, const char *token,
                   int64_t unix_s)
{
    if (!auth->api_secret && !tr_auth_tokens_on(auth))
        return true;
    return secret_ok(auth, secret) || token_ok(auth, token, NULL, unix_s);
}

bool tr_auth_plugin(const struct tr_auth *auth, const char *secret, const char *token,
                    const char *package, int64_t unix_s)
{
    if (!tr_auth_tokens_on(auth) || secret_ok(auth, secret))
        return true;
    return token_ok(auth, token, package, unix_s);
}

/* Who a request is from, told from the request alone.
 *
 * A nonce is text: the cookie of RFC 8489 9.2.1 with the features that we have, then base64 of the
 * time it was made and of a MAC over that time and the client's address. Whoever sends it back has
 * received it, so the address is his, and nothing had to be kept. Over TCP, whose handshake proves
 * the port, the MAC leaves that out: the second connection of RFC 6062 comes with the nonce of the
 * first. All servers of a node share the key; their clocks may differ by a turn of their loops.
 *
 * Bidding down: an attacker on the path could strip or shorten PASSWORD-ALGORITHMS, or the cookie.
 * The client echoes the list under its integrity, where another one than ours is refused; and a
 * nonce without our very cookie is not ours.
 *
 * The key of a time-limited credential is derived anew for each request (HMAC, base64, digest:
 * about a microsecond), so that there is no cache to fill before the proof, nor to keep right. An
 * old secret is tried when the current one does not fit. An unknown name costs less time than a
 * wrong password; names are no secret here. */
#include "turn/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"

enum {
    NONCE_LIFE_S = 600,
    CLOCKS_DIFFER_S = 2,
    NONCE_KEY = 32,
    COOKIE = 13,    /* bytes of "obMatJos2" and the features */
    NONCE_RAW = 15, /* time and MAC */
    NONCE_MAC = 11, /* of the MAC that are sent */
    NONCE_TEXT = COOKIE + NONCE_RAW / 3 * 4,
    EXPIRY_DIGITS = 15,
    PASSWORD_TEXT = (TR_STUN_SHA1 + 2) / 3 * 4,
    ALGORITHM_MD5 = 1,
    ALGORITHM_SHA256 = 2,
};

_Static_assert((int)NONCE_TEXT <= (int)TR_TURN_NONCE_MAX, "the nonce fits");

/* RFC 8489 18.1: bit 0 (the leftmost of 24) is password algorithms, bit 1 username anonymity. A
 * client that sees the latter must send USERHASH, which time-limited credentials cannot have. */
static const char cookie_names[] = "obMatJos2gAAA", cookie_hashes[] = "obMatJos2wAAA";
/* PASSWORD-ALGORITHMS: the best first; no parameters. */
static const uint8_t algorithms[8] = { 0, ALGORITHM_SHA256, 0, 0, 0, ALGORITHM_MD5, 0, 0 };

struct user {
    char name[TR_TURN_CREDENTIAL_MAX];
    uint8_t md5[TR_STUN_KEY_MAX], sha256[TR_STUN_KEY_MAX]; /* keys */
    uint8_t hash[TR_STUN_SHA256];                          /* USERHASH */
};

struct secret {
    uint8_t p[TR_TURN_SECRET_MAX];
    size_t n;
};

struct tr_turn_auth {
    char realm[TR_TURN_REALM_MAX + 1];
    uint8_t key[NONCE_KEY];
    const char *cookie;
    int64_t nonce_life_s, wall_offset_us;
    struct secret secrets[TR_TURN_SECRETS_MAX];
    int secrets_count, users_count;
    struct user users[TR_TURN_USERS_MAX];
};

struct claim { /* what a request says of itself */
    struct tr_slice userhash, offered, chosen;
    bool sha256; /* the key is made with SHA-256 */
    bool has_userhash, has_offered, has_chosen;
};

/* --- create --- */

static bool add_user(struct tr_turn_auth *auth, const struct tr_turn_user *conf)
{
    struct user *u = &auth->users[auth->users_count++];
    struct tr_slice name = tr_slice_str(conf->name), realm = tr_slice_str(auth->realm);
    struct tr_slice password = tr_slice_str(conf->password);
    char both[TR_TURN_CREDENTIAL_MAX + TR_TURN_REALM_MAX + 2];
    if (name.n == 0 || name.n >= sizeof u->name)
        return false;
    memcpy(u->name, name.p, name.n);
    tr_stun_long_term_key(name, realm, password, false, u->md5);
    tr_stun_long_term_key(name, realm, password, true, u->sha256);
    int n = snprintf(both, sizeof both, "%s:%s", u->name, auth->realm);
    return EVP_Digest(both, (size_t)n, u->hash, NULL, EVP_sha256(), NULL) == 1;
}

static bool add_secret(struct tr_turn_auth *auth, const char *text)
{
    struct secret *s = &auth->secrets[auth->secrets_count++];
    s->n = strlen(text);
    if (s->n == 0 || s->n > sizeof s->p)
        return false;
    memcpy(s->p, text, s->n);
    return true;
}

static bool configure(struct tr_turn_auth *auth, const struct tr_turn_auth_conf *conf)
{
    size_t realm = conf->realm ? strlen(conf->realm) : 0;
    tr_usec life = conf->nonce_life_us ? conf->nonce_life_us : NONCE_LIFE_S * TR_SECOND;
    if (realm == 0 || realm > TR_TURN_REALM_MAX || life < TR_SECOND || conf->users_count < 0 ||
        conf->users_count > TR_TURN_USERS_MAX)
        return false;
    memcpy(auth->realm, conf->realm, realm);
    auth->nonce_life_s = life / TR_SECOND;
    auth->wall_offset_us = conf->wall_offset_us;
    for (int i = 0; i < TR_TURN_SECRETS_MAX; i++)
        if (conf->secrets[i] && !add_secret(auth, conf->secrets[i]))
            return false;
    for (int i = 0; i < conf->users_count; i++)
        if (!add_user(auth, &conf->users[i]))
            return false;
    auth->cookie = auth->secrets_count > 0 ? cookie_names : cookie_hashes;
    return true;
}

struct tr_turn_auth *tr_turn_auth_create(const struct tr_turn_auth_conf *conf, struct tr_rng *rng)
{
    struct tr_turn_auth *auth = tr_alloc(sizeof *auth);
    if (!auth)
        return NULL;
    tr_rng_fill(rng, auth->key, sizeof auth->key);
    if (configure(auth, conf))
        return auth;
    tr_turn_auth_destroy(auth);
    return NULL;
}

void tr_turn_auth_destroy(struct tr_turn_auth *auth)
{
    if (auth)
        OPENSSL_cleanse(auth, sizeof *auth);
    tr_free(auth);
}

const char *tr_turn_auth_realm(const struct tr_turn_auth *auth)
{
    return auth->realm;
}

/* --- nonces --- */

static uint32_t seconds(tr_usec now)
{
    return (uint32_t)(now / TR_SECOND);
}

static void make_nonce(const struct tr_turn_auth *auth, uint32_t at, const struct tr_addr *client,
                       uint8_t out[NONCE_TEXT + 1])
{
    uint8_t text[4 + sizeof client->ip + 3], raw[NONCE_RAW], mac[TR_STUN_SHA256];
    struct tr_wr w = tr_wr(text, sizeof text);
    tr_wr_u32(&w, at);
    tr_wr_bytes(&w, client->ip, sizeof client->ip);
    tr_wr_u16(&w, client->proto == TR_PROTO_TCP ? 0 : client->port);
    tr_wr_u8(&w, client->proto);
    tr_stun_mac(true, tr_slice(auth->key, sizeof auth->key), tr_wr_slice(&w), mac);
    tr_put32(raw, at);
    memcpy(raw + 4, mac, NONCE_MAC);
    memcpy(out, auth->cookie, COOKIE);
    EVP_EncodeBlock(out + COOKIE, raw, sizeof raw); /* and a NUL */
}

/* When a nonce says that it was made. */
static bool read_time(struct tr_slice nonce, uint32_t *at)
{
    uint8_t raw[6];
    if (nonce.n != NONCE_TEXT || EVP_DecodeBlock(raw, nonce.p + COOKIE, 8) != (int)sizeof raw)
        return false;
    *at = tr_get32(raw);
    return true;
}

static bool nonce_holds(const struct tr_turn_auth *auth, tr_usec now, const struct tr_addr *client,
                        struct tr_slice nonce)
{
    uint8_t want[NONCE_TEXT + 1];
    uint32_t at;
    if (!read_time(nonce, &at))
        return false;
    int32_t age = (int32_t)(seconds(now) - at);
    if (age < -CLOCKS_DIFFER_S || age > auth->nonce_life_s)
        return false;
    make_nonce(auth, at, client, want);
    return CRYPTO_memcmp(want, nonce.p, NONCE_TEXT) == 0;
}

void tr_turn_auth_challenge(const struct tr_turn_auth *auth, tr_usec now,
                            const struct tr_path *flow, struct tr_wr *w)
{
    uint8_t nonce[NONCE_TEXT + 1];
    make_nonce(auth, seconds(now), &flow->remote, nonce);
    tr_stun_put(w, TR_STUN_REALM, tr_slice_str(auth->realm));
    tr_stun_put(w, TR_STUN_NONCE, tr_slice(nonce, NONCE_TEXT));
    tr_stun_put(w, TR_STUN_PASSWORD_ALGORITHMS, tr_slice(algorithms, sizeof algorithms));
}

/* --- the request --- */

static void read_claim(const struct tr_stun *m, struct claim *c)
{
    uint16_t at = 0, type;
    struct tr_slice value;
    *c = (struct claim){ 0 };
    while (tr_stun_next(m, &at, &type, &value)) {
        if (type == TR_STUN_USERHASH && !c->has_userhash) {
            c->has_userhash = true;
            c->userhash = value;
        } else if (type == TR_STUN_PASSWORD_ALGORITHMS && !c->has_offered) {
            c->has_offered = true;
            c->offered = value;
        } else if (type == TR_STUN_PASSWORD_ALGORITHM && !c->has_chosen) {
            c->has_chosen = true;
            c->chosen = value;
        }
    }
}

/* RFC 8489 9.2.4: with neither attribute it is MD5; else both, our own list, and one of it. */
static bool algorithm_is_sound(struct claim *c)
{
    if (!c->has_offered && !c->has_chosen)
        return true;
    if (!tr_slice_eq(c->offered, tr_slice(algorithms, sizeof algorithms)) || c->chosen.n != 4 ||
        tr_get16(c->chosen.p + 2) != 0)
        return false;
    unsigned chosen = tr_get16(c->chosen.p);
    c->sha256 = chosen == ALGORITHM_SHA256;
    return c->sha256 || chosen == ALGORITHM_MD5;
}

static bool proves(const struct tr_stun *m, const struct tr_turn_identity *who)
{
    return tr_stun_check_integrity(m, tr_slice(who->key, who->key_n)) == TR_OK;
}

static void set_name(struct tr_turn_identity *who, struct tr_slice name)
{
    size_t n = name.n < sizeof who->name ? name.n : sizeof who->name - 1;
    who->name_n = (uint8_t)n;
    memcpy(who->name, name.p, n);
}

static const struct user *find_user(const struct tr_turn_auth *auth, const struct tr_stun *m,
                                    const struct claim *c)
{
    bool by_name = (m->has & TR_STUN_HAS_USERNAME) != 0;
    for (int i = 0; i < auth->users_count; i++) {
        const struct user *u = &auth->users[i];
        struct tr_slice hash = tr_slice(u->hash, sizeof u->hash);
        if (by_name ? tr_slice_eq_str(m->username, u->name) : tr_slice_eq(c->userhash, hash))
            return u;
    }
    return NULL;
}

static bool check_user(const struct user *u, const struct tr_stun *m, const struct claim *c,
                       struct tr_turn_identity *who)
{
    who->key_n = c->sha256 ? TR_STUN_SHA256 : TR_STUN_MD5;
    memcpy(who->key, c->sha256 ? u->sha256 : u->md5, who->key_n);
    set_name(who, tr_slice_str(u->name));
    memcpy(who->user_hash, u->hash, sizeof who->user_hash);
    return proves(m, who);
}

/* --- time-limited credentials --- */

/* "expiry" or "expiry:id"; *id: what stays the same when it is renewed. */
static bool read_expiry(struct tr_slice name, int64_t *expiry_s, struct tr_slice *id)
{
    size_t n = 0;
    int64_t v = 0;
    for (; n < name.n && n < EXPIRY_DIGITS && name.p[n] >= '0' && name.p[n] <= '9'; n++)
        v = v * 10 + (name.p[n] - '0');
    if (n < 4 || (n < name.n && name.p[n] != ':'))
        return false;
    *expiry_s = v;
    *id = n + 1 < name.n ? tr_slice(name.p + n + 1, name.n - n - 1) : name;
    return true;
}

static int64_t wall_s(const struct tr_turn_auth *auth, tr_usec now)
{
    return (now + auth->wall_offset_us) / TR_SECOND;
}

static struct tr_slice limited_password(const struct secret *secret, struct tr_slice name,
                                        uint8_t out[PASSWORD_TEXT + 1])
{
    uint8_t mac[TR_STUN_SHA256];
    size_t n = tr_stun_mac(false, tr_slice(secret->p, secret->n), name, mac);
    return tr_slice(out, (size_t)EVP_EncodeBlock(out, mac, (int)n));
}

static bool is_marked(struct tr_slice id)
{
    const size_t n = sizeof TR_TURN_ISSUED - 1;
    return id.n >= n && memcmp(id.p, TR_TURN_ISSUED, n) == 0;
}

static bool check_limited(const struct tr_turn_auth *auth, tr_usec now, const struct tr_stun *m,
                          const struct claim *c, bool fresh, struct tr_turn_identity *who)
{
    uint8_t password[PASSWORD_TEXT + 1], hash[TR_STUN_SHA256];
    struct tr_slice name = m->username, id;
    int64_t expiry_s;
    bool ok = false;
    if (!(m->has & TR_STUN_HAS_USERNAME) || !read_expiry(name, &expiry_s, &id) ||
        (fresh && expiry_s <= wall_s(auth, now)))
        return false;
    for (int i = 0; i < auth->secrets_count && !ok; i++) {
        struct tr_slice pw = limited_password(&auth->secrets[i], name, password);
        who->key_n = (uint8_t)tr_stun_long_term_key(name, tr_slice_str(auth->realm), pw, c->sha256,
                                                    who->key);
        ok = proves(m, who);
    }
    OPENSSL_cleanse(password, sizeof password);
    tr_stun_mac(true, tr_slice(auth->key, sizeof auth->key), name, hash);
    memcpy(who->user_hash, hash, sizeof who->user_hash);
    set_name(who, id);
    who->issued = is_marked(id);
    return ok;
}

enum tr_err tr_turn_auth_issue(const struct tr_turn_auth *auth, tr_usec now, tr_usec life,
                               const char *id, char name[TR_TURN_CREDENTIAL_MAX],
                               char password[TR_TURN_CREDENTIAL_MAX])
{
    long long expiry_s = wall_s(auth, now) + life / TR_SECOND;
    if (auth->secrets_count == 0 || expiry_s < 1000)
        return TR_ERR_INVAL;
    int n = snprintf(name, TR_TURN_CREDENTIAL_MAX, "%lld:" TR_TURN_ISSUED "%s", expiry_s, id);
    if (n < 0 || n >= TR_TURN_CREDENTIAL_MAX)
        return TR_ERR_INVAL;
    limited_password(&auth->secrets[0], tr_slice_str(name), (uint8_t *)password);
    return TR_OK;
}

/* --- all of it --- */

static enum tr_turn_proof judge(const struct tr_turn_auth *auth, tr_usec now,
                                const struct tr_path *flow, const struct tr_stun *m, bool fresh,
                                struct tr_turn_identity *who)
{
    struct claim c;
    const uint32_t needed = TR_STUN_HAS_REALM | TR_STUN_HAS_NONCE;
    if (!(m->has & (TR_STUN_HAS_MI | TR_STUN_HAS_MI256)))
        return TR_TURN_PROOF_NONE;
    read_claim(m, &c);
    bool named = (m->has & TR_STUN_HAS_USERNAME) || c.has_userhash;
    if ((m->has & needed) != needed || !named || !algorithm_is_sound(&c))
        return TR_TURN_PROOF_BAD;
    who->sha256 = (m->has & TR_STUN_HAS_MI256) != 0;
    const struct user *u = find_user(auth, m, &c);
    if (!(u ? check_user(u, m, &c, who) : check_limited(auth, now, m, &c, fresh, who)))
        return TR_TURN_PROOF_WRONG;
    /* RFC 8489 9.2.4: an old nonce is told only to who has the key; the others get 401. */
    return nonce_holds(auth, now, &flow->remote, m->nonce) ? TR_TURN_PROOF_OK : TR_TURN_PROOF_STALE;
}

enum tr_turn_proof tr_turn_auth_check(const struct tr_turn_auth *auth, tr_usec now,
                                      const struct tr_path *flow, const struct tr_stun *m,
                                      bool fresh, struct tr_turn_identity *who)
{
    *who = (struct tr_turn_identity){ 0 };
    enum tr_turn_proof proof = judge(auth, now, flow, m, fresh, who);
    if (proof != TR_TURN_PROOF_OK)
        OPENSSL_cleanse(who, sizeof *who);
    return proof;
}

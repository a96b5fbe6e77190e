/* What the client says, and which answers it believes.
 *
 * With `sha256` it is a client of RFC 8489: where the nonce says that the server has password
 * algorithms, a challenge without their list has been tampered with and is not followed; the list
 * is sent back with the choice, all under MESSAGE-INTEGRITY-SHA256. Without it, it is a client of
 * RFC 5389, as browsers are. */
#include <openssl/evp.h>
#include <stdio.h>

#include "turn/client_int.h"

enum {
    COOKIE = 9,
    FEATURES = 4, /* base64 of 24 bits */
    HAS_ALGORITHMS = 0x80,
    HAS_ANONYMITY = 0x40,
    ALGORITHM_MD5 = 1,
    ALGORITHM_SHA256 = 2,
    TRANSPORT_UDP = 17,
    FAMILY_V6 = 2,
};

/* The first of the security features of a nonce; none without the cookie. */
static unsigned features(struct tr_slice nonce)
{
    uint8_t raw[3];
    if (nonce.n < COOKIE + FEATURES || memcmp(nonce.p, "obMatJos2", COOKIE) != 0 ||
        EVP_DecodeBlock(raw, nonce.p + COOKIE, FEATURES) != (int)sizeof raw)
        return 0;
    return raw[0];
}

/* The strongest algorithm of a list that we have; 0: none. */
static unsigned choose(struct tr_slice offered)
{
    struct tr_rd r = tr_rd(offered);
    unsigned best = 0;
    while (tr_rd_left(&r) > 0) {
        unsigned algorithm = tr_rd_u16(&r);
        size_t n = tr_rd_u16(&r);
        tr_rd_take(&r, (n + 3) & ~(size_t)3);
        if (r.bad)
            return 0;
        if ((algorithm == ALGORITHM_MD5 || algorithm == ALGORITHM_SHA256) && n == 0)
            best = algorithm > best ? algorithm : best;
    }
    return best;
}

static bool keep(struct tr_slice text, char *out, size_t size, uint16_t *n)
{
    if (text.n == 0 || text.n > size)
        return false;
    memcpy(out, text.p, text.n);
    *n = (uint16_t)text.n;
    return true;
}

static bool hash_name(const struct tr_turn_client *c, struct credential *cred)
{
    char both[TR_STUN_USERNAME_MAX + CLIENT_TEXT_MAX + 2];
    int n = snprintf(both, sizeof both, "%s:%.*s", c->username, (int)cred->realm_n, cred->realm);
    return EVP_Digest(both, (size_t)n, cred->hash, NULL, EVP_sha256(), NULL) == 1;
}

static bool negotiate(const struct tr_turn_client *c, const struct tr_stun *m,
                      struct credential *cred)
{
    unsigned has = c->may_sha256 ? features(m->nonce) : 0;
    struct tr_slice offered;
    if (!(has & HAS_ALGORITHMS))
        return true;
    if (!tr_stun_find(m, TR_STUN_PASSWORD_ALGORITHMS, &offered) ||
        offered.n > sizeof cred->offered || choose(offered) == 0)
        return false;
    memcpy(cred->offered, offered.p, offered.n);
    cred->offered_n = (uint16_t)offered.n;
    cred->modern = true;
    cred->sha256 = choose(offered) == ALGORITHM_SHA256;
    cred->anonymous = (has & HAS_ANONYMITY) != 0;
    return !cred->anonymous || hash_name(c, cred);
}

enum tr_err client_challenged(struct tr_turn_client *c, const struct tr_stun *m)
{
    struct credential cred = { 0 };
    if (!keep(m->realm, cred.realm, sizeof cred.realm, &cred.realm_n) ||
        !keep(m->nonce, cred.nonce, sizeof cred.nonce, &cred.nonce_n) || !negotiate(c, m, &cred))
        return TR_ERR_AUTH;
    cred.key_n = (uint16_t)tr_stun_long_term_key(tr_slice_str(c->username),
                                                 tr_slice(cred.realm, cred.realm_n),
                                                 tr_slice_str(c->password), cred.sha256, cred.key);
    c->cred = cred;
    return TR_OK;
}

/* A success must prove itself once we have a key. An error need not, for the server may not have
 * known us; who forges one must have seen the transaction id. */
bool client_believes(const struct tr_turn_client *c, const struct tr_stun *m)
{
    struct tr_slice key = tr_slice(c->cred.key, c->cred.key_n);
    uint32_t want = c->cred.modern ? TR_STUN_HAS_MI256 : TR_STUN_HAS_MI;
    if (m->cls == TR_STUN_ERROR && !(m->has & (TR_STUN_HAS_MI | TR_STUN_HAS_MI256)))
        return true;
    return key.n > 0 && (m->has & want) && tr_stun_check_integrity(m, key) == TR_OK;
}

/* --- writing --- */

static void put_credential(const struct tr_turn_client *c, struct tr_wr *w)
{
    const struct credential *cred = &c->cred;
    if (cred->key_n == 0)
        return;
    if (cred->anonymous)
        tr_stun_put(w, TR_STUN_USERHASH, tr_slice(cred->hash, sizeof cred->hash));
    else
        tr_stun_put(w, TR_STUN_USERNAME, tr_slice_str(c->username));
    tr_stun_put(w, TR_STUN_REALM, tr_slice(cred->realm, cred->realm_n));
    tr_stun_put(w, TR_STUN_NONCE, tr_slice(cred->nonce, cred->nonce_n));
    if (cred->modern) {
        uint32_t chosen = cred->sha256 ? ALGORITHM_SHA256 : ALGORITHM_MD5;
        tr_stun_put(w, TR_STUN_PASSWORD_ALGORITHMS, tr_slice(cred->offered, cred->offered_n));
        tr_stun_put_u32(w, TR_STUN_PASSWORD_ALGORITHM, chosen << 16);
    }
    tr_stun_put_integrity(w, tr_slice(cred->key, cred->key_n), cred->modern);
}

static void finish(struct tr_turn_client *c, struct tr_wr *w)
{
    c->send_n = tr_stun_end(w).n;
}

void client_write_request(struct tr_turn_client *c, const struct tx *tx,
                          const struct client_peer *peer)
{
    struct tr_wr w = tr_wr(c->buf, sizeof c->buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, tx->method, tx->txid);
    if (tx->method == TR_TURN_ALLOCATE) {
        tr_stun_put_u32(&w, TR_TURN_REQUESTED_TRANSPORT, (uint32_t)TRANSPORT_UDP << 24);
        if (c->v6)
            tr_stun_put_u32(&w, TR_TURN_REQUESTED_ADDRESS_FAMILY, (uint32_t)FAMILY_V6 << 24);
    }
    if (tx->method == TR_TURN_ALLOCATE || tx->method == TR_TURN_REFRESH)
        tr_stun_put_u32(&w, TR_TURN_LIFETIME, c->state == CLIENT_CLOSING ? 0 : c->lifetime_s);
    if (tx->method == TR_TURN_CHANNEL_BIND)
        tr_stun_put_u32(&w, TR_TURN_CHANNEL_NUMBER,
                        (uint32_t)(CLIENT_FIRST_CHANNEL + (peer - c->peers)) << 16);
    if (peer)
        tr_stun_put_addr(&w, TR_TURN_XOR_PEER_ADDRESS, &peer->addr, true);
    put_credential(c, &w);
    tr_stun_put_fingerprint(&w);
    finish(c, &w);
}

void client_write_data(struct tr_turn_client *c, const struct client_peer *peer,
                       struct tr_slice data)
{
    struct tr_wr w = tr_wr(c->buf, sizeof c->buf);
    if (peer->bound) {
        tr_wr_u16(&w, (uint16_t)(CLIENT_FIRST_CHANNEL + (peer - c->peers)));
        tr_wr_u16(&w, (uint16_t)data.n);
        if (data.n > 0)
            tr_wr_bytes(&w, data.p, data.n);
        if (c->server.remote.proto == TR_PROTO_TCP)
            tr_wr_zero(&w, -data.n & 3);
        c->send_n = tr_wr_slice(&w).n;
        return;
    }
    uint8_t txid[TR_STUN_TXID];
    tr_rng_fill(c->rng, txid, sizeof txid);
    tr_stun_begin(&w, TR_STUN_INDICATION, TR_TURN_SEND, txid);
    tr_stun_put_addr(&w, TR_TURN_XOR_PEER_ADDRESS, &peer->addr, true);
    tr_stun_put(&w, TR_TURN_DATA_ATTR, data);
    finish(c, &w);
}

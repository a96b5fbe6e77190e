/* Any packet at the door of a TURN server: nobody gets in without the key, the answer to a Binding
 * request keeps its size and parses. The same attributes are then sent by somebody who has a
 * credential and a nonce: what he is told must fit what he left out. */
#include "turn/auth.h"

#include "base/assert.h"
#include "base/rng.h"
#include "turn/binding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NOW (50 * TR_SECOND)
#define REALM "fuzz"

static struct tr_turn_auth *auth;
static const struct tr_path flow = { .local = { .ip = { 0x20, 1, [15] = 1 }, .port = 3478 },
                                     .remote = { .ip = { 0x20, 1, [15] = 9 }, .port = 4000 } };

static void begin(void)
{
    static const struct tr_turn_user users[] = { { "user", "password" } };
    struct tr_turn_auth_conf conf = {
        .realm = REALM, .secrets = { "north", "south" }, .users = users, .users_count = 1
    };
    struct tr_rng rng = tr_rng_seeded(1);
    auth = tr_turn_auth_create(&conf, &rng);
    TR_ASSERT(auth);
}

static void check_binding(const struct tr_stun *m, bool discovery)
{
    static uint8_t buf[70000];
    struct tr_binding_conf conf = { .main = flow.local };
    struct tr_wr w = tr_wr(buf, sizeof buf);
    struct tr_path out;
    struct tr_stun answer;
    if (discovery) {
        conf.other = tr_addr_v4(192, 0, 2, 2, 3479);
        conf.main = tr_addr_v4(192, 0, 2, 1, 3478);
    }
    enum tr_err err = tr_binding_answer(&conf, &flow, m, &w, &out);
    TR_ASSERT((err == TR_OK) == (m->cls == TR_STUN_REQUEST && m->method == TR_STUN_BINDING));
    if (err != TR_OK)
        return;
    TR_ASSERT(tr_wr_len(&w) + 48 <= 2 * (m->raw.n + 48));
    TR_ASSERT(tr_stun_parse(&answer, tr_wr_slice(&w), TR_STUN_FOR_TURN) == TR_OK);
}

/* What was received, under the integrity of a user who holds a nonce of ours. */
static void check_signed(const struct tr_stun *m, bool sha256, bool with_nonce)
{
    static uint8_t buf[70000], nonce_buf[400];
    uint8_t key[TR_STUN_KEY_MAX];
    struct tr_stun challenge, again;
    struct tr_turn_identity who;
    struct tr_slice value, name = tr_slice_str("user");
    uint16_t at = 0, type;
    struct tr_wr c = tr_wr(nonce_buf, sizeof nonce_buf), w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&c, TR_STUN_ERROR, TR_TURN_ALLOCATE, m->txid);
    tr_turn_auth_challenge(auth, NOW, &flow, &c);
    TR_ASSERT(tr_stun_parse(&challenge, tr_stun_end(&c), TR_STUN_FOR_TURN) == TR_OK);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_TURN_ALLOCATE, m->txid);
    tr_stun_put(&w, TR_STUN_USERNAME, name);
    if (with_nonce) {
        tr_stun_put(&w, TR_STUN_REALM, challenge.realm);
        tr_stun_put(&w, TR_STUN_NONCE, challenge.nonce);
    }
    while (tr_stun_next(m, &at, &type, &value))
        tr_stun_put(&w, type, value);
    size_t n =
        tr_stun_long_term_key(name, tr_slice_str(REALM), tr_slice_str("password"), sha256, key);
    tr_stun_put_integrity(&w, tr_slice(key, n), sha256);
    if (tr_stun_parse(&again, tr_stun_end(&w), TR_STUN_FOR_TURN) != TR_OK)
        return; /* two attributes too many, or too long */
    enum tr_turn_proof proof = tr_turn_auth_check(auth, NOW, &flow, &again, true, &who);
    TR_ASSERT(proof != TR_TURN_PROOF_NONE);
    TR_ASSERT(!with_nonce || proof != TR_TURN_PROOF_STALE);
    bool ok = proof == TR_TURN_PROOF_OK;
    TR_ASSERT(ok == (who.key_n > 0) && (!ok || (who.name_n == 4 && who.sha256 == sha256)));
    TR_ASSERT(!ok || who.key_n == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tr_stun m;
    struct tr_turn_identity who;
    if (!auth)
        begin();
    if (n < 1 || tr_stun_parse(&m, tr_slice(data + 1, n - 1), TR_STUN_FOR_TURN) != TR_OK)
        return 0;
    enum tr_turn_proof proof = tr_turn_auth_check(auth, NOW, &flow, &m, data[0] & 1, &who);
    TR_ASSERT(proof != TR_TURN_PROOF_OK && who.key_n == 0);
    check_binding(&m, data[0] >> 1 & 1);
    check_signed(&m, data[0] >> 2 & 1, data[0] >> 3 & 1);
    return 0;
}

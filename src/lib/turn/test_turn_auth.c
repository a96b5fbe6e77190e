/* Goal: who has a credential and the nonce sent to him gets in, by each algorithm; nobody else, and
 * nobody is talked down to the weaker one.
 * Method: requests as clients write them, then the same with one thing wrong. Values of the
 * credentials were computed elsewhere. */
#include "turn/auth.h"

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

#define REALM "example.org"
#define WALL_S INT64_C(1700000000)
#define NOW (1000 * TR_SECOND)

static const uint8_t both_algorithms[8] = { 0, 2, 0, 0, 0, 1, 0, 0 };
static const uint8_t only_md5[4] = { 0, 1, 0, 0 }, choose_sha256[4] = { 0, 2, 0, 0 };
static const uint8_t txid[TR_STUN_TXID] = "abcdefghijkl";

struct request { /* what a client puts together; zeroed parts are left out */
    const char *name, *password;
    const char *key_name; /* of the key, when the name itself is not sent */
    struct tr_slice hash, nonce, offered, chosen;
    bool sha256_key, sha256_mac, no_realm;
};

static struct tr_turn_auth *make(const char *secret, const char *old, bool users)
{
    static const struct tr_turn_user table[] = { { "bert", "ernie" },
                                                 { "\xe3\x83\x9e\xe3\x83\x88"
                                                   "\xe3\x83\xaa\xe3\x83\x83"
                                                   "\xe3\x82\xaf\xe3\x82\xb9",
                                                   "TheMatrIX" } };
    struct tr_rng rng = tr_rng_seeded(1);
    struct tr_turn_auth_conf conf = { .realm = REALM,
                                      .secrets = { secret, old },
                                      .users = table,
                                      .users_count = users ? 2 : 0,
                                      .wall_offset_us = WALL_S * TR_SECOND - NOW };
    return tr_turn_auth_create(&conf, &rng);
}

static uint8_t proto = TR_PROTO_UDP; /* of all requests */

static struct tr_path flow_of(uint16_t port)
{
    struct tr_path flow = { .local = tr_addr_v4(192, 0, 2, 1, 3478),
                            .remote = tr_addr_v4(198, 51, 100, 7, port) };
    flow.local.proto = flow.remote.proto = proto;
    return flow;
}

/* The nonce of a challenge; it is read as a client reads it. */
static struct tr_slice challenge(const struct tr_turn_auth *auth, tr_usec now, uint16_t port,
                                 uint8_t keep[TR_TURN_NONCE_MAX])
{
    uint8_t buf[300];
    struct tr_stun m;
    struct tr_slice offered;
    struct tr_path flow = flow_of(port);
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_ERROR, TR_TURN_ALLOCATE, txid);
    tr_stun_put_error(&w, TR_STUN_UNAUTHENTICATED);
    tr_turn_auth_challenge(auth, now, &flow, &w);
    CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_TURN), TR_OK);
    CHECK(tr_slice_eq_str(m.realm, REALM));
    CHECK(tr_stun_find(&m, TR_STUN_PASSWORD_ALGORITHMS, &offered));
    CHECK(tr_slice_eq(offered, tr_slice(both_algorithms, 8)));
    CHECK(m.nonce.n > 13 && m.nonce.n <= TR_TURN_NONCE_MAX);
    memcpy(keep, m.nonce.p, m.nonce.n);
    return tr_slice(keep, m.nonce.n);
}

static enum tr_turn_proof ask(const struct tr_turn_auth *auth, tr_usec now, uint16_t port,
                              const struct request *r, bool fresh, struct tr_turn_identity *who)
{
    uint8_t buf[1200], key[TR_STUN_KEY_MAX];
    struct tr_stun m;
    struct tr_path flow = flow_of(port);
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_TURN_ALLOCATE, txid);
    if (r->name)
        tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str(r->name));
    if (r->hash.n)
        tr_stun_put(&w, TR_STUN_USERHASH, r->hash);
    if (!r->no_realm)
        tr_stun_put(&w, TR_STUN_REALM, tr_slice_str(REALM));
    if (r->nonce.n)
        tr_stun_put(&w, TR_STUN_NONCE, r->nonce);
    if (r->offered.n)
        tr_stun_put(&w, TR_STUN_PASSWORD_ALGORITHMS, r->offered);
    if (r->chosen.n)
        tr_stun_put(&w, TR_STUN_PASSWORD_ALGORITHM, r->chosen);
    if (r->password) {
        const char *name = r->key_name ? r->key_name : r->name ? r->name : "";
        size_t n = tr_stun_long_term_key(tr_slice_str(name), tr_slice_str(REALM),
                                         tr_slice_str(r->password), r->sha256_key, key);
        tr_stun_put_integrity(&w, tr_slice(key, n), r->sha256_mac);
    }
    CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_TURN), TR_OK);
    return tr_turn_auth_check(auth, now, &flow, &m, fresh, who);
}

static struct request good_limited(struct tr_slice nonce)
{
    return (struct request){
        .name = "1800000000:anna", .password = "hcODHAE/R+P6eKoXy+CURRRDzsg=", .nonce = nonce
    };
}

TEST(named_users_get_in_by_both_algorithms)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who, first;
    struct tr_turn_auth *auth = make("north", NULL, true);
    struct tr_slice nonce = challenge(auth, NOW, 5, keep);
    struct request r = { .name = "bert", .password = "ernie", .nonce = nonce };
    CHECK_INT(ask(auth, NOW, 5, &r, true, &first), TR_TURN_PROOF_OK);
    CHECK(first.key_n == TR_STUN_MD5 && !first.sha256);
    CHECK(first.name_n == 4 && memcmp(first.name, "bert", 4) == 0);
    r.offered = tr_slice(both_algorithms, 8);
    r.chosen = tr_slice(choose_sha256, 4);
    r.sha256_key = r.sha256_mac = true;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_OK);
    CHECK(who.key_n == TR_STUN_SHA256 && who.sha256);
    CHECK(memcmp(who.user_hash, first.user_hash, sizeof who.user_hash) == 0);
    r.chosen = tr_slice(only_md5, 4);
    r.sha256_key = false;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_OK);
    CHECK(who.key_n == TR_STUN_MD5 && who.sha256);
    tr_turn_auth_destroy(auth);
}

/* The hash of the sample request in RFC 8489, appendix B.1. */
TEST(userhash_stands_for_a_named_user)
{
    static const uint8_t hash[32] = { 0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69, 0x92, 0xbd,
                                      0xa9, 0x52, 0xc6, 0x78, 0x04, 0x17, 0xda, 0x0f,
                                      0x24, 0x81, 0x94, 0x15, 0x56, 0x9e, 0x60, 0xb2,
                                      0x05, 0xc4, 0x6e, 0x41, 0x40, 0x7f, 0x17, 0x04 };
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who;
    struct tr_turn_auth *auth = make("north", NULL, true);
    struct request r = { .hash = tr_slice(hash, sizeof hash),
                         .key_name = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83"
                                     "\xe3\x82\xaf\xe3\x82\xb9",
                         .password = "TheMatrIX",
                         .nonce = challenge(auth, NOW, 5, keep),
                         .offered = tr_slice(both_algorithms, 8),
                         .chosen = tr_slice(choose_sha256, 4),
                         .sha256_key = true,
                         .sha256_mac = true };
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_OK);
    CHECK(who.name_n == 18 && memcmp(who.user_hash, hash, sizeof who.user_hash) == 0);
    r.hash.n = 31;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_WRONG);
    tr_turn_auth_destroy(auth);
}

/* A client must hash its name when it sees the bit, so only where that can work is it set. */
TEST(anonymity_is_offered_only_without_secrets)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_auth *limited = make("north", NULL, true), *named = make(NULL, NULL, true);
    CHECK(memcmp(challenge(limited, NOW, 5, keep).p, "obMatJos2gAAA", 13) == 0);
    CHECK(memcmp(challenge(named, NOW, 5, keep).p, "obMatJos2wAAA", 13) == 0);
    tr_turn_auth_destroy(limited);
    tr_turn_auth_destroy(named);
}

TEST(time_limited_credentials_get_in)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who, again;
    struct tr_turn_auth *auth = make("north", NULL, false);
    struct request r = good_limited(challenge(auth, NOW, 5, keep));
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_OK);
    CHECK(who.name_n == 4 && memcmp(who.name, "anna", 4) == 0);
    r.offered = tr_slice(both_algorithms, 8);
    r.chosen = tr_slice(choose_sha256, 4);
    r.sha256_key = r.sha256_mac = true;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &again), TR_TURN_PROOF_OK);
    CHECK(memcmp(who.user_hash, again.user_hash, sizeof who.user_hash) == 0);
    r.name = "1800000001:anna";
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_WRONG);
    tr_turn_auth_destroy(auth);
}

TEST(issued_credentials_get_in_until_they_expire)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    char name[TR_TURN_CREDENTIAL_MAX], password[TR_TURN_CREDENTIAL_MAX];
    struct tr_turn_identity who;
    struct tr_turn_auth *auth = make("north", "south", false);
    for (int i = 0; i < 2; i++) {
        const char *id = i ? "" : "carl:7";
        CHECK_INT(tr_turn_auth_issue(auth, NOW, 300 * TR_SECOND, id, name, password), TR_OK);
        CHECK_STR(name, i ? "1700000300:tring~" : "1700000300:tring~carl:7");
        struct request r = { .name = name, .password = password };
        r.nonce = challenge(auth, NOW + 299 * TR_SECOND, 5, keep);
        CHECK_INT(ask(auth, NOW + 299 * TR_SECOND, 5, &r, true, &who), TR_TURN_PROOF_OK);
        CHECK_INT(who.name_n, i ? 6 : 12);
        CHECK(who.issued);
        r.name = i ? "1700000300" : "1700000300:carl:7"; /* without the mark it is another one */
        CHECK_INT(ask(auth, NOW + 299 * TR_SECOND, 5, &r, true, &who), TR_TURN_PROOF_WRONG);
        CHECK(!who.issued);
        r.name = name;
        CHECK_INT(ask(auth, NOW + 300 * TR_SECOND, 5, &r, true, &who), TR_TURN_PROOF_WRONG);
        CHECK_INT(who.key_n, 0);
        CHECK_INT(ask(auth, NOW + 300 * TR_SECOND, 5, &r, false, &who), TR_TURN_PROOF_OK);
    }
    char longest[TR_TURN_CREDENTIAL_MAX] = { 0 };
    memset(longest, 'x', sizeof longest - 1);
    CHECK_INT(tr_turn_auth_issue(auth, NOW, TR_SECOND, longest, name, password), TR_ERR_INVAL);
    longest[TR_TURN_CREDENTIAL_MAX - 12 - strlen(TR_TURN_ISSUED)] = '\0';
    CHECK_INT(tr_turn_auth_issue(auth, NOW, TR_SECOND, longest, name, password), TR_OK);
    tr_turn_auth_destroy(auth);
    auth = make(NULL, NULL, true);
    CHECK_INT(tr_turn_auth_issue(auth, NOW, TR_SECOND, "x", name, password), TR_ERR_INVAL);
    tr_turn_auth_destroy(auth);
}

TEST(the_old_secret_still_works)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who;
    struct tr_turn_auth *auth = make("south", "north", false);
    struct request r = good_limited(challenge(auth, NOW, 5, keep));
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_OK);
    tr_turn_auth_destroy(auth);
    auth = make("south", "east", false);
    r.nonce = challenge(auth, NOW, 5, keep);
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_WRONG);
    tr_turn_auth_destroy(auth);
}

TEST(names_that_are_no_expiry_are_unknown)
{
    static const char *const names[] = { "",
                                         "999",
                                         ":anna",
                                         "x1800000000:anna",
                                         "18000000x0",
                                         "nobody",
                                         "1800000000000000:anna",
                                         "1800000000/anna" };
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who;
    struct tr_turn_auth *auth = make("north", NULL, true);
    struct tr_slice nonce = challenge(auth, NOW, 5, keep);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct request r = { .name = names[i], .password = "x", .nonce = nonce };
        if (!CHECK(ask(auth, NOW, 5, &r, true, &who) == TR_TURN_PROOF_WRONG))
            unit_note("    %s", names[i]);
    }
    tr_turn_auth_destroy(auth);
}

TEST(a_nonce_is_of_one_address_and_time)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who;
    struct tr_turn_auth *auth = make("north", NULL, false);
    struct request r = good_limited(challenge(auth, NOW, 5, keep));
    CHECK_INT(ask(auth, NOW + 600 * TR_SECOND, 5, &r, true, &who), TR_TURN_PROOF_OK);
    CHECK_INT(ask(auth, NOW + 601 * TR_SECOND, 5, &r, true, &who), TR_TURN_PROOF_STALE);
    CHECK_INT(ask(auth, NOW, 6, &r, true, &who), TR_TURN_PROOF_STALE);
    CHECK_INT(ask(auth, NOW - 2 * TR_SECOND, 5, &r, true, &who), TR_TURN_PROOF_OK);
    CHECK_INT(ask(auth, NOW - 3 * TR_SECOND, 5, &r, true, &who), TR_TURN_PROOF_STALE);
    size_t n = r.nonce.n;
    for (size_t i = 0; i < n; i++) {
        keep[i] ^= 1;
        CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_STALE);
        keep[i] ^= 1;
    }
    r.nonce.n = n - 1;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_STALE);
    r.nonce.n = n;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_OK);
    r.password = "wrong"; /* nobody learns without the key that a nonce was old */
    CHECK_INT(ask(auth, NOW, 6, &r, true, &who), TR_TURN_PROOF_WRONG);
    tr_turn_auth_destroy(auth);
}

/* RFC 6062: ConnectionBind comes by another connection. */
TEST(a_nonce_is_of_all_connections_of_an_address)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who;
    struct tr_turn_auth *auth = make("north", NULL, false);
    proto = TR_PROTO_TCP;
    struct request r = good_limited(challenge(auth, NOW, 5, keep));
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_OK);
    CHECK_INT(ask(auth, NOW, 6, &r, true, &who), TR_TURN_PROOF_OK);
    proto = TR_PROTO_UDP;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_STALE);
    CHECK_INT(ask(auth, NOW, 0, &r, true, &who), TR_TURN_PROOF_STALE);
    tr_turn_auth_destroy(auth);
}

TEST(requests_that_lack_something)
{
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_identity who;
    struct tr_turn_auth *auth = make("north", NULL, false);
    struct tr_slice nonce = challenge(auth, NOW, 5, keep);
    struct request r = { 0 };
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_NONE);
    r = good_limited(nonce);
    r.password = NULL;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_NONE);
    r = good_limited(nonce);
    r.name = NULL;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_BAD);
    r = good_limited(tr_slice(NULL, 0));
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_BAD);
    r = good_limited(nonce);
    r.no_realm = true;
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_BAD);
    r = good_limited(nonce);
    r.sha256_key = true; /* but it says nothing of it */
    CHECK_INT(ask(auth, NOW, 5, &r, true, &who), TR_TURN_PROOF_WRONG);
    tr_turn_auth_destroy(auth);
}

/* RFC 8489 9.2.4. What an attacker made of the list comes back under the client's integrity. */
TEST(bidding_down_is_seen)
{
    static const uint8_t choose_other[4] = { 0, 3, 0, 0 }, parameters[8] = { 0, 2, 0, 4 };
    uint8_t keep[TR_TURN_NONCE_MAX];
    struct tr_turn_auth *auth = make("north", NULL, false);
    struct tr_slice nonce = challenge(auth, NOW, 5, keep), none = tr_slice(NULL, 0);
    struct tr_slice both = tr_slice(both_algorithms, 8), md5 = tr_slice(only_md5, 4);
    struct tr_slice sha256 = tr_slice(choose_sha256, 4);
    const struct {
        struct tr_slice offered, chosen;
        enum tr_turn_proof want;
    } table[] = {
        { none, none, TR_TURN_PROOF_OK },
        { both, md5, TR_TURN_PROOF_OK },
        { md5, md5, TR_TURN_PROOF_BAD },
        { both, none, TR_TURN_PROOF_BAD },
        { none, md5, TR_TURN_PROOF_BAD },
        { sha256, sha256, TR_TURN_PROOF_BAD },
        { both, tr_slice(choose_other, 4), TR_TURN_PROOF_BAD },
        { both, tr_slice(parameters, 8), TR_TURN_PROOF_BAD },
        { both, tr_slice(parameters, 4), TR_TURN_PROOF_BAD },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tr_turn_identity who;
        struct request r = good_limited(nonce);
        r.offered = table[i].offered;
        r.chosen = table[i].chosen;
        if (!CHECK(ask(auth, NOW, 5, &r, true, &who) == table[i].want))
            unit_note("    row %zu", i);
    }
    tr_turn_auth_destroy(auth);
}

TEST(unusable_configurations)
{
    char longest[TR_TURN_SECRET_MAX + 2] = { 0 };
    const struct tr_turn_user nameless = { "", "x" };
    struct tr_rng rng = tr_rng_seeded(1);
    memset(longest, 'x', sizeof longest - 1);
    const struct tr_turn_auth_conf table[] = {
        { .realm = NULL },
        { .realm = "" },
        { .realm = longest },
        { .realm = REALM, .secrets = { "" } },
        { .realm = REALM, .secrets = { longest } },
        { .realm = REALM, .users_count = TR_TURN_USERS_MAX + 1 },
        { .realm = REALM, .users_count = -1 },
        { .realm = REALM, .users = &nameless, .users_count = 1 },
        { .realm = REALM, .nonce_life_us = 1 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        CHECK(tr_turn_auth_create(&table[i], &rng) == NULL);
    tr_turn_auth_destroy(NULL);
}

TEST_OOM(turn_auth_create)
{
    struct tr_turn_auth *auth = make("north", "south", true);
    if (!auth)
        return TR_ERR_NOMEM;
    CHECK_STR(tr_turn_auth_realm(auth), REALM);
    tr_turn_auth_destroy(auth);
    return TR_OK;
}

/* Goal: a lite agent answers, refuses, learns, selects and forgets as ice.h promises.
 * Method: checks written by hand, one at a time; virtual time. */
#include "ice/ice.h"

#include "base/arena.h"
#include "base/rng.h"
#include "ice/cand.h"
#include "ice/stats.h"
#include "stun/stun.h"
#include "unit.h"

#define UFRAG "localufrag"
#define PWD "localpasswordlocalpassword"
#define PEER "peer"
#define PEER_PWD "peerpasswordpeerpassword"
#define UFRAG2 "secondufrag"
#define PWD2 "secondpasswordsecondpassword"

struct fix { /* an agent and what it said last */
    struct tr_arena *arena;
    struct tr_rng rng;
    struct tr_ice *ice;
    tr_usec now;
    uint8_t answer_bytes[600];
    struct tr_stun answer;
    int sends, valid, selected, invalid, failed;
    struct tr_path selected_path, invalid_path;
    enum tr_stun_code answer_code; /* of the peer's errors; 0: 487 */
    int asked;                     /* own checks of the agent, and the last one */
    uint8_t asked_txid[TR_STUN_TXID];
    struct tr_path asked_path;
};

struct check { /* how to write one; zero means the good default */
    const char *username, *pwd;
    uint32_t priority;
    bool use, no_username, no_integrity, no_priority, controlled, sha256, unknown, tcp;
    uint16_t port; /* of the peer */
};

static struct tr_path path_of(uint16_t port)
{
    return (struct tr_path){ .local = tr_addr_v4(192, 0, 2, 1, 3478),
                             .remote = tr_addr_v4(198, 51, 100, 7, port) };
}

/* The agent's own check: it is for the peer, and says that the agent is controlled. */
static void note_own_check(struct fix *f, const struct tr_ice_out *out)
{
    struct tr_stun m;
    CHECK_INT(tr_stun_parse(&m, out->data, TR_STUN_FOR_ICE), TR_OK);
    CHECK_INT(m.cls, TR_STUN_REQUEST);
    CHECK(m.has & TR_STUN_HAS_CONTROLLED && m.has & TR_STUN_HAS_PRIORITY);
    CHECK(!(m.has & TR_STUN_HAS_USE_CANDIDATE));
    CHECK(m.username.n > 5 && memcmp(m.username.p, PEER ":", 5) == 0);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str(PEER_PWD)), TR_OK);
    f->asked++;
    memcpy(f->asked_txid, m.txid, sizeof f->asked_txid);
    f->asked_path = out->path;
}

static void drain(struct fix *f)
{
    struct tr_ice_out out;
    f->asked = 0;
    f->sends = f->valid = f->selected = f->invalid = f->failed = 0;
    for (tr_ice_poll(f->ice, &out); out.kind != TR_ICE_NONE; tr_ice_poll(f->ice, &out)) {
        switch (out.kind) {
        case TR_ICE_SEND:
            if (!(out.data.p[0] & 1) && !(out.data.p[1] & 0x10)) {
                note_own_check(f, &out);
                break;
            }
            f->sends++;
            memcpy(f->answer_bytes, out.data.p, out.data.n);
            CHECK_INT(
                tr_stun_parse(&f->answer, tr_slice(f->answer_bytes, out.data.n), TR_STUN_FOR_ICE),
                TR_OK);
            CHECK(f->answer.has & TR_STUN_HAS_FINGERPRINT);
            break;
        case TR_ICE_VALID: f->valid++; break;
        case TR_ICE_SELECTED:
            f->selected++;
            f->selected_path = out.path;
            break;
        case TR_ICE_INVALID:
            f->invalid++;
            f->invalid_path = out.path;
            break;
        case TR_ICE_FAILED: f->failed++; break;
        case TR_ICE_NONE: break;
        }
    }
}

static enum tr_err feed(struct fix *f, const struct check *c)
{
    uint8_t buf[600], txid[TR_STUN_TXID];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rng_fill(&f->rng, txid, sizeof txid);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    if (!c->no_username)
        tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str(c->username ? c->username : UFRAG ":peer"));
    if (!c->no_priority)
        tr_stun_put_u32(&w, TR_STUN_PRIORITY, c->priority ? c->priority : 1000);
    tr_stun_put_u64(&w, c->controlled ? TR_STUN_ICE_CONTROLLED : TR_STUN_ICE_CONTROLLING, 5);
    if (c->use)
        tr_stun_put(&w, TR_STUN_USE_CANDIDATE, tr_slice(NULL, 0));
    if (c->unknown)
        tr_stun_put_u32(&w, 0x7123, 1);
    if (!c->no_integrity)
        tr_stun_put_integrity(&w, tr_slice_str(c->pwd ? c->pwd : PWD), c->sha256);
    tr_stun_put_fingerprint(&w);
    struct tr_path path = path_of(c->port ? c->port : 1000);
    path.local.proto = path.remote.proto = c->tcp ? TR_PROTO_TCP : TR_PROTO_UDP;
    enum tr_err err = tr_ice_input(f->ice, f->now, path, tr_stun_end(&w));
    drain(f);
    if (f->sends)
        CHECK(memcmp(f->answer.txid, txid, sizeof txid) == 0);
    return err;
}
#define FEED(f, ...) feed(f, &(struct check){ __VA_ARGS__ })

/* The peer answers the agent's last own check; from another port, or with another password. */
static enum tr_err prove_as(struct fix *f, enum tr_stun_class cls, const char *pwd, uint16_t port)
{
    uint8_t buf[200];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    struct tr_path path = f->asked_path;
    path.remote.port = port ? port : path.remote.port;
    tr_stun_begin(&w, cls, TR_STUN_BINDING, f->asked_txid);
    if (cls == TR_STUN_ERROR)
        tr_stun_put_error(&w, f->answer_code ? f->answer_code : TR_STUN_ROLE_CONFLICT);
    else
        tr_stun_put_addr(&w, TR_STUN_XOR_MAPPED_ADDRESS, &path.local, true);
    if (pwd)
        tr_stun_put_integrity(&w, tr_slice_str(pwd), false);
    tr_stun_put_fingerprint(&w);
    enum tr_err err = tr_ice_input(f->ice, f->now, path, tr_stun_end(&w));
    drain(f);
    return err;
}

static void prove(struct fix *f)
{
    CHECK_INT(f->asked, 1);
    CHECK_INT(prove_as(f, TR_STUN_SUCCESS, PEER_PWD, 0), TR_OK);
}

static void know_peer(struct fix *f)
{
    CHECK_INT(tr_ice_set_remote(f->ice, f->now, PEER, PEER_PWD, false), TR_OK);
}

static void setup(struct fix *f)
{
    *f = (struct fix){ .arena = tr_arena_create(1 << 20), .rng = tr_rng_seeded(1), .now = 1000 };
    f->ice = tr_ice_create(
        f->arena,
        &(struct tr_ice_conf){ .lite = true, .ufrag = UFRAG, .pwd = PWD, .rng = &f->rng });
    CHECK(f->ice);
}

static void teardown(struct fix *f)
{
    tr_ice_destroy(f->ice);
    tr_arena_destroy(f->arena);
}

static void pass(struct fix *f, tr_usec us) /* time goes by; timeouts are served */
{
    tr_usec end = f->now + us;
    while (tr_ice_next_timeout(f->ice) <= end) {
        f->now = tr_ice_next_timeout(f->ice) > f->now ? tr_ice_next_timeout(f->ice) : f->now;
        tr_ice_timeout(f->ice, f->now);
        drain(f);
        if (f->invalid || f->failed || f->selected)
            return;
    }
    f->now = end;
}

TEST(ice_lite_answers_a_check)
{
    for (int sha256 = 0; sha256 < 2; sha256++) {
        struct fix f;
        setup(&f);
        CHECK_INT(FEED(&f, .sha256 = sha256 != 0), TR_OK);
        CHECK_INT(f.sends, 1);
        CHECK_INT(f.answer.cls, TR_STUN_SUCCESS);
        struct tr_path path = path_of(1000);
        CHECK(tr_addr_eq(&f.answer.xor_mapped, &path.remote));
        CHECK_INT(tr_stun_check_integrity(&f.answer, tr_slice_str(PWD)), TR_OK);
        CHECK_INT(!!(f.answer.has & TR_STUN_HAS_MI256), sha256);
        CHECK(!(f.answer.has & TR_STUN_HAS_USERNAME));
        CHECK_INT(f.valid, 1);
        CHECK_INT(f.selected, 0);
        CHECK_INT(FEED(&f, .use = true), TR_OK);
        CHECK_INT(f.valid, 0);
        CHECK_INT(f.selected, 1);
        CHECK(tr_path_eq(&f.selected_path, &path));
        CHECK_INT(FEED(&f, .use = true), TR_OK);
        CHECK_INT(f.selected, 0);
        teardown(&f);
    }
}

/*= rfc8489#9.1.3
 *= type=test
 *# This response MUST use an error code of 401 (Unauthenticated). */
TEST(ice_lite_refusals)
{
    static const struct {
        struct check check;
        enum tr_err want;
        uint16_t code;
        bool signed_;
    } table[] = {
        { { .no_username = true }, TR_ERR_PROTO, 400, false },
        { { .no_integrity = true }, TR_ERR_PROTO, 400, false },
        { { .no_priority = true }, TR_ERR_PROTO, 400, true },
        { { .username = "other:peer" }, TR_ERR_AUTH, 401, false },
        { { .username = "localufra:peer" }, TR_ERR_AUTH, 401, false },
        { { .username = UFRAG }, TR_ERR_AUTH, 401, false },
        { { .username = ":" UFRAG }, TR_ERR_AUTH, 401, false },
        { { .pwd = "localpasswordlocalpassworD" }, TR_ERR_AUTH, 401, false },
        { { .pwd = "x", .sha256 = true }, TR_ERR_AUTH, 401, false },
        { { .unknown = true }, TR_ERR_PROTO, 420, true },
        { { .controlled = true }, TR_ERR_PROTO, 487, true },
        { { .controlled = true, .use = true }, TR_ERR_PROTO, 487, true },
    };
    struct fix f;
    setup(&f);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        enum tr_err err = feed(&f, &table[i].check);
        CHECK_INT(err, table[i].want);
        CHECK_INT(f.sends, 1);
        CHECK_INT(f.answer.cls, TR_STUN_ERROR);
        CHECK_INT(f.answer.error_code, table[i].code);
        CHECK_INT(tr_stun_check_integrity(&f.answer, tr_slice_str(PWD)),
                  table[i].signed_ ? TR_OK : TR_ERR_NOTFOUND);
        CHECK_INT(f.valid + f.selected + f.invalid + f.failed, 0);
        CHECK(tr_ice_next_timeout(f.ice) == TR_NEVER);
    }
    struct tr_ice_stats s;
    tr_ice_stats(f.ice, &s);
    CHECK_INT(s.rejected_400, 3);
    CHECK_INT(s.rejected_401, 6);
    CHECK_INT(s.rejected_420, 1);
    CHECK_INT(s.rejected_487, 2);
    CHECK_INT(s.checks_answered, 0);
    CHECK_INT(s.pairs, 0);
    teardown(&f);
}

TEST(ice_lite_420_names_the_attribute)
{
    struct fix f;
    struct tr_slice value;
    setup(&f);
    CHECK_INT(FEED(&f, .unknown = true), TR_ERR_PROTO);
    CHECK(tr_stun_find(&f.answer, TR_STUN_UNKNOWN_ATTRIBUTES, &value));
    CHECK(value.n == 2 && tr_get16(value.p) == 0x7123);
    teardown(&f);
}

TEST(ice_lite_ignores_what_is_no_check)
{
    static const uint8_t dtls[40] = { 22, 254, 253 };
    struct fix f;
    uint8_t buf[100] = { 0 };
    setup(&f);
    CHECK_INT(tr_ice_input(f.ice, f.now, path_of(1), tr_slice(dtls, sizeof dtls)), TR_ERR_IGNORED);
    for (int cls = TR_STUN_INDICATION; cls <= TR_STUN_ERROR; cls++) {
        struct tr_wr w = tr_wr(buf, sizeof buf);
        tr_stun_begin(&w, (enum tr_stun_class)cls, TR_STUN_BINDING, buf + 80);
        CHECK_INT(tr_ice_input(f.ice, f.now, path_of(1), tr_stun_end(&w)), TR_ERR_IGNORED);
    }
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_TURN_ALLOCATE, buf + 80);
    CHECK_INT(tr_ice_input(f.ice, f.now, path_of(1), tr_stun_end(&w)), TR_ERR_IGNORED);
    tr_put16(buf + 2, 4);
    CHECK_INT(tr_ice_input(f.ice, f.now, path_of(1), tr_slice(buf, 20)), TR_ERR_BADMSG);
    drain(&f);
    CHECK_INT(f.sends, 0);
    teardown(&f);
}

TEST(ice_lite_keepalive_may_lack_priority)
{
    struct fix f;
    setup(&f);
    CHECK_INT(FEED(&f, 0), TR_OK);
    CHECK_INT(FEED(&f, .no_priority = true), TR_OK);
    CHECK_INT(FEED(&f, .no_priority = true, .port = 2), TR_ERR_PROTO);
    teardown(&f);
}

TEST(ice_lite_follows_a_later_nomination)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true, .priority = 2000);
    CHECK_INT(f.selected, 1);
    /* Aggressive nomination: a lower pair right behind it changes nothing ... */
    FEED(&f, .port = 2, .use = true, .priority = 1000);
    CHECK_INT(f.selected + f.asked, 0);
    /* ... a higher one does. */
    FEED(&f, .port = 3, .use = true, .priority = 3000);
    prove(&f);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 3);
    /* The peer stops nominating the selected pair: its word counts whatever the priority. */
    FEED(&f, .port = 3, .priority = 3000);
    pass(&f, TR_SECOND);
    FEED(&f, .port = 2, .use = true, .priority = 1000);
    prove(&f);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 2);
    /* The selected pair is silent for a while: the same. What was proven need not be again. */
    FEED(&f, .port = 3, .use = true, .priority = 3000);
    CHECK_INT(f.selected, 1);
    pass(&f, 2 * TR_SECOND);
    FEED(&f, .port = 1, .use = true, .priority = 10);
    prove(&f);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 1);
    /* A check without USE-CANDIDATE never selects. */
    pass(&f, 2 * TR_SECOND);
    FEED(&f, .port = 4, .priority = 4000);
    CHECK_INT(f.selected, 0);
    teardown(&f);
}

/* A check can be sent in anybody's name, by somebody who has a call of his own. */
TEST(ice_lite_has_a_new_path_proven)
{
    struct fix f;
    struct tr_path path;
    struct tr_ice_stats s;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true, .priority = 1000);
    CHECK_INT(f.selected, 1);
    f.now += TR_SECOND;
    FEED(&f, .port = 2, .use = true, .priority = 2000);
    CHECK_INT(f.valid, 1);
    CHECK_INT(f.selected, 0);
    CHECK_INT(f.asked, 1);
    CHECK_INT(f.asked_path.remote.port, 2);
    /* Answers that prove nothing: not signed (any STUN server's), ours, of another address. */
    CHECK_INT(prove_as(&f, TR_STUN_SUCCESS, NULL, 0), TR_ERR_AUTH);
    CHECK_INT(prove_as(&f, TR_STUN_ERROR, NULL, 0), TR_ERR_AUTH);
    CHECK_INT(prove_as(&f, TR_STUN_SUCCESS, PWD, 0), TR_ERR_AUTH);
    CHECK_INT(prove_as(&f, TR_STUN_SUCCESS, PEER_PWD, 1), TR_ERR_IGNORED);
    f.asked_txid[3] ^= 1;
    CHECK_INT(prove_as(&f, TR_STUN_SUCCESS, PEER_PWD, 0), TR_ERR_IGNORED);
    f.asked_txid[3] ^= 1;
    /* Nominating it again and again asks no more often. */
    for (int i = 0; i < 10; i++) {
        FEED(&f, .port = 2, .use = true, .priority = 2000);
        CHECK_INT(f.selected + f.asked, 0);
    }
    /* Nor does nominating others, but now and then. */
    for (uint16_t port = 10; port < 20; port++) {
        FEED(&f, .port = port, .use = true, .priority = 3000);
        CHECK_INT(f.asked, 0);
    }
    CHECK(tr_ice_selected(f.ice, &path) && path.remote.port == 1);
    int asked = 0;
    for (int i = 0; i < 100; i++) {
        f.now += 100 * TR_MSEC;
        if (i % 10 == 0)
            FEED(&f, .port = 1);
        tr_ice_timeout(f.ice, f.now);
        drain(&f);
        asked += f.asked;
    }
    CHECK_INT(asked, 4);
    tr_ice_stats(f.ice, &s);
    CHECK_INT(s.proofs_begun, 1);
    CHECK_INT(s.proofs_failed, 1);
    CHECK(tr_ice_selected(f.ice, &path) && path.remote.port == 1);
    /* A signed refusal is an answer, too. */
    FEED(&f, .port = 2, .use = true, .priority = 2000);
    CHECK_INT(f.asked, 1);
    CHECK_INT(prove_as(&f, TR_STUN_ERROR, PEER_PWD, 0), TR_OK);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 2);
    teardown(&f);
}

/* An ICE restart that has not reached us: the peer cannot sign what we ask him. */
TEST(ice_lite_follows_a_restart_that_it_was_not_told_of)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true);
    f.now += TR_SECOND;
    FEED(&f, .port = 2, .use = true, .username = UFRAG ":newufrag");
    CHECK_INT(f.asked, 1);
    CHECK_INT(prove_as(&f, TR_STUN_ERROR, NULL, 0), TR_ERR_AUTH); /* the old path lives */
    f.now += 4 * TR_SECOND;
    tr_ice_timeout(f.ice, f.now);
    drain(&f);
    CHECK_INT(f.asked, 1);
    CHECK_INT(prove_as(&f, TR_STUN_ERROR, NULL, 0), TR_ERR_AUTH); /* of any other kind */
    f.answer_code = TR_STUN_UNAUTHENTICATED;
    CHECK_INT(prove_as(&f, TR_STUN_ERROR, NULL, 0), TR_OK);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 2);
    f.now += 4 * TR_SECOND;
    FEED(&f, .port = 3, .use = true); /* of credentials that we know: a signature it must be */
    CHECK_INT(f.asked, 1);
    CHECK_INT(prove_as(&f, TR_STUN_ERROR, NULL, 0), TR_ERR_AUTH);
    CHECK_INT(f.selected, 0);
    teardown(&f);
}

/* The first path is taken on trust, but only while it is the only one: else a liar would begin with
 * his own and nominate another. */
TEST(ice_lite_trusts_only_the_first_path)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1);
    FEED(&f, .port = 2, .use = true);
    CHECK_INT(f.selected, 0);
    prove(&f);
    CHECK_INT(f.selected, 1);
    f.now += TR_SECOND;
    FEED(&f, .port = 1, .use = true, .priority = 5000); /* never proven */
    CHECK_INT(f.selected, 0);
    prove(&f);
    CHECK_INT(f.selected, 1);
    f.now += 25 * TR_SECOND;
    FEED(&f, .port = 1);
    FEED(&f, .port = 2);
    f.now += 10 * TR_SECOND; /* too long ago for a proof */
    FEED(&f, .port = 2, .use = true, .priority = 9000);
    CHECK_INT(f.selected, 0);
    prove(&f);
    CHECK_INT(f.selected, 1);
    teardown(&f);
}

/* A client that nominates once does not know that it has another port. */
TEST(ice_lite_follows_when_a_nat_forgets)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true);
    f.now += 5 * TR_SECOND;
    FEED(&f, .port = 1);
    f.now += 4 * TR_SECOND;
    FEED(&f, .port = 2);
    CHECK_INT(f.asked, 1);
    CHECK_INT(f.selected, 0);
    CHECK_INT(prove_as(&f, TR_STUN_SUCCESS, NULL, 0), TR_ERR_AUTH);
    CHECK_INT(prove_as(&f, TR_STUN_SUCCESS, PEER_PWD, 0), TR_OK);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 2);
    f.now += 5 * TR_SECOND;
    FEED(&f, .port = 2);
    CHECK_INT(f.asked + f.selected, 0);
    f.now += 5 * TR_SECOND;
    FEED(&f, .port = 3); /* and once more, but the old one is heard again before the answer */
    CHECK_INT(f.asked, 1);
    FEED(&f, .port = 2);
    FEED(&f, .port = 3);
    CHECK_INT(f.asked, 0);
    teardown(&f);
}

/* Clients that keep other paths alive check them without nominating them. */
TEST(ice_lite_stays_when_other_paths_are_checked)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true);
    f.now += 2 * TR_SECOND;
    FEED(&f, .port = 2);
    CHECK_INT(f.asked, 0);
    for (int i = 0; i < 4; i++) {
        f.now += 4 * TR_SECOND;
        FEED(&f, .port = 2);
        CHECK_INT(f.asked + f.selected, 0);
        FEED(&f, .port = 1);
    }
    FEED(&f, .port = 3); /* the selected one was heard just now */
    CHECK_INT(f.asked, 0);
    teardown(&f);
}

/* A stream cannot be opened in another's name. */
TEST(ice_lite_follows_to_tcp_at_once)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true);
    f.now += 2 * TR_SECOND;
    FEED(&f, .port = 2, .use = true, .tcp = true);
    CHECK_INT(f.asked, 0);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.proto, TR_PROTO_TCP);
    teardown(&f);
}

TEST(ice_lite_signalled_priority_counts)
{
    struct fix f;
    setup(&f);
    struct tr_addr addr = path_of(2).remote;
    struct tr_ice_cand cand = tr_ice_cand_make(TR_ICE_HOST, &addr, NULL, 65535);
    CHECK_INT(tr_ice_add_remote(f.ice, f.now, &cand), TR_OK);
    CHECK_INT(tr_ice_add_remote(f.ice, f.now, &cand), TR_ERR_EXISTS);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true, .priority = 2000);
    FEED(&f, .port = 2, .use = true, .priority = 1000);
    prove(&f);
    CHECK_INT(f.selected, 1);
    teardown(&f);
}

TEST(ice_lite_fails_on_silence)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .use = true);
    tr_usec start = f.now;
    pass(&f, 20 * TR_SECOND);
    FEED(&f, 0);
    pass(&f, 29 * TR_SECOND);
    CHECK_INT(f.failed, 0);
    pass(&f, 2 * TR_SECOND);
    CHECK_INT(f.failed, 1);
    CHECK_INT(f.invalid, 1);
    CHECK_INT(f.now - start, 50 * TR_SECOND);
    CHECK(tr_ice_next_timeout(f.ice) == TR_NEVER);
    CHECK_INT(FEED(&f, .use = true), TR_ERR_CLOSED);
    CHECK_INT(f.sends, 0);
    /* A restart brings it back. */
    CHECK_INT(tr_ice_restart(f.ice, f.now, UFRAG2, PWD2), TR_OK);
    CHECK_INT(FEED(&f, .use = true), TR_ERR_AUTH);
    know_peer(&f);
    CHECK_INT(FEED(&f, .username = UFRAG2 ":p", .pwd = PWD2, .use = true), TR_OK);
    prove(&f);
    CHECK_INT(f.selected, 1);
    teardown(&f);
}

TEST(ice_lite_fails_when_nobody_comes)
{
    struct fix f;
    setup(&f);
    CHECK_INT(tr_ice_set_remote(f.ice, f.now, "peer", PWD, false), TR_OK);
    CHECK_INT(tr_ice_set_remote(f.ice, f.now, "peer", PWD, false), TR_OK);
    CHECK_INT(tr_ice_set_remote(f.ice, f.now, "peer", PWD2, false), TR_ERR_EXISTS);
    CHECK_INT(tr_ice_set_remote(f.ice, f.now, "p", PWD, false), TR_ERR_INVAL);
    CHECK_INT(tr_ice_set_remote(f.ice, f.now, "pe:er", PWD, false), TR_ERR_INVAL);
    CHECK_INT(tr_ice_set_remote(f.ice, f.now, "peer", "short", false), TR_ERR_INVAL);
    pass(&f, 31 * TR_SECOND);
    CHECK_INT(f.failed, 1);
    teardown(&f);
}

TEST(ice_lite_silent_selected_path_gives_way)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true, .priority = 2000);
    FEED(&f, .port = 2, .use = true, .priority = 1000);
    pass(&f, 20 * TR_SECOND);
    FEED(&f, .port = 2);
    pass(&f, 20 * TR_SECOND);
    CHECK_INT(f.invalid, 1);
    CHECK_INT(f.invalid_path.remote.port, 1);
    prove(&f);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 2);
    CHECK_INT(f.failed, 0);
    teardown(&f);
}

TEST(ice_lite_bounds_paths)
{
    struct fix f;
    struct tr_ice_stats s;
    setup(&f);
    FEED(&f, .port = 1, .use = true);
    for (uint16_t port = 2; port <= 100; port++) {
        f.now += TR_MSEC;
        CHECK_INT(FEED(&f, .port = port), TR_OK);
        CHECK_INT(f.invalid, port > TR_ICE_PATH_MAX);
        if (f.invalid)
            CHECK_INT(f.invalid_path.remote.port, port - TR_ICE_PATH_MAX + 1);
    }
    tr_ice_stats(f.ice, &s);
    CHECK_INT(s.pairs, TR_ICE_PATH_MAX);
    CHECK_INT(s.paths_dropped, 100 - TR_ICE_PATH_MAX);
    struct tr_path path;
    CHECK(tr_ice_selected(f.ice, &path) && path.remote.port == 1);
    struct tr_ice_pair_stats p;
    CHECK(tr_ice_pair_stats(f.ice, 0, &p) && p.selected && p.nominated);
    CHECK(!tr_ice_pair_stats(f.ice, TR_ICE_PATH_MAX, &p));
    teardown(&f);
}

TEST(ice_lite_restart_keeps_the_old_path)
{
    struct fix f;
    setup(&f);
    know_peer(&f);
    FEED(&f, .port = 1, .use = true);
    FEED(&f, .port = 9);
    CHECK_INT(tr_ice_restart(f.ice, f.now, UFRAG2, PWD2), TR_OK);
    CHECK_STR(tr_ice_ufrag(f.ice), UFRAG2);
    CHECK_STR(tr_ice_pwd(f.ice), PWD2);
    CHECK_INT(FEED(&f, .port = 1, .use = true), TR_OK);
    CHECK_INT(tr_stun_check_integrity(&f.answer, tr_slice_str(PWD)), TR_OK);
    CHECK_INT(f.selected, 0);
    CHECK_INT(FEED(&f, .port = 2, .username = UFRAG2 ":p", .pwd = PWD), TR_ERR_AUTH);
    CHECK_INT(FEED(&f, .port = 2, .username = UFRAG2 ":p", .pwd = PWD2), TR_OK);
    CHECK_INT(f.valid, 1);
    CHECK_INT(f.selected, 0);
    /* A straggler of the old session must not end the restart. */
    CHECK_INT(FEED(&f, .port = 2, .use = true), TR_OK);
    CHECK_INT(f.selected, 0);
    CHECK_INT(FEED(&f, .port = 2, .username = UFRAG2 ":p", .pwd = PWD2, .use = true), TR_OK);
    CHECK_INT(f.selected + f.asked, 0); /* the answer to the restart is not here yet */
    know_peer(&f);
    drain(&f);
    prove(&f);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.selected_path.remote.port, 2);
    CHECK_INT(f.invalid, 2);
    CHECK_INT(FEED(&f, .port = 1), TR_ERR_AUTH);
    teardown(&f);
}

TEST(ice_lite_restart_on_the_same_path)
{
    struct fix f;
    setup(&f);
    FEED(&f, .use = true);
    CHECK_INT(tr_ice_restart(f.ice, f.now, NULL, NULL), TR_OK);
    /* and once more before anything happened */
    CHECK_INT(tr_ice_restart(f.ice, f.now, UFRAG2, PWD2), TR_OK);
    CHECK_INT(FEED(&f, 0), TR_OK);
    CHECK_INT(FEED(&f, .username = UFRAG2 ":p", .pwd = PWD2, .use = true), TR_OK);
    CHECK_INT(f.valid, 0);
    CHECK_INT(f.selected, 1);
    CHECK_INT(f.invalid, 0);
    CHECK_INT(FEED(&f, 0), TR_ERR_AUTH);
    teardown(&f);
}

TEST(ice_full_queue_asks_to_poll_first)
{
    struct fix f;
    uint8_t buf[200] = { 0 };
    setup(&f);
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, buf + 180);
    struct tr_slice pkt = tr_stun_end(&w);
    enum tr_err err = TR_ERR_PROTO;
    int n = 0;
    for (; err == TR_ERR_PROTO && n < 1000; n++)
        err = tr_ice_input(f.ice, f.now, path_of(1), pkt);
    CHECK_INT(err, TR_ERR_AGAIN);
    CHECK(n < 100);
    drain(&f);
    CHECK_INT(tr_ice_input(f.ice, f.now, path_of(1), pkt), TR_ERR_PROTO);
    teardown(&f);
}

TEST(ice_peek_and_auth)
{
    uint8_t buf[200], txid[TR_STUN_TXID] = { 0 };
    struct tr_slice ufrag;
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str("mine:yours"));
    CHECK_INT(tr_ice_check_auth(tr_stun_end(&w), tr_slice_str(PWD)), TR_ERR_NOTFOUND);
    tr_stun_put_integrity(&w, tr_slice_str(PWD), false);
    struct tr_slice pkt = tr_stun_end(&w);
    CHECK_INT(tr_ice_peek_ufrag(pkt, &ufrag), TR_OK);
    CHECK(tr_slice_eq_str(ufrag, "mine"));
    CHECK_INT(tr_ice_check_auth(pkt, tr_slice_str(PWD)), TR_OK);
    CHECK_INT(tr_ice_check_auth(pkt, tr_slice_str(PWD2)), TR_ERR_AUTH);
    CHECK_INT(tr_ice_peek_ufrag(tr_slice(buf, 20), &ufrag), TR_ERR_IGNORED);
}

TEST(ice_create_checks_credentials)
{
    struct tr_arena *arena = tr_arena_create(1 << 20);
    struct tr_rng rng = tr_rng_seeded(3);
    struct tr_ice_conf conf = { .lite = true, .rng = &rng };
    struct tr_ice *ice = tr_ice_create(arena, &conf);
    CHECK(ice && strlen(tr_ice_ufrag(ice)) == 16 && strlen(tr_ice_pwd(ice)) == 24);
    CHECK_INT(tr_ice_restart(ice, 5, "abcd", NULL), TR_ERR_INVAL);
    tr_ice_destroy(ice);
    tr_ice_destroy(NULL);
    conf.ufrag = "abcd";
    CHECK(!tr_ice_create(arena, &conf));
    conf.pwd = "0123456789012345678901";
    CHECK(tr_ice_create(arena, &conf));
    conf.ufrag = "ab cd";
    CHECK(!tr_ice_create(arena, &conf));
    tr_arena_destroy(arena);
}

TEST_OOM(ice_create_oom)
{
    struct tr_rng rng = tr_rng_seeded(3);
    struct tr_arena *arena = tr_arena_create(1 << 20);
    if (!arena)
        return TR_ERR_NOMEM;
    struct tr_ice *lite = tr_ice_create(arena, &(struct tr_ice_conf){ .lite = true, .rng = &rng });
    struct tr_ice *full = tr_ice_create(arena, &(struct tr_ice_conf){ .rng = &rng });
    tr_ice_destroy(lite);
    tr_ice_destroy(full);
    tr_arena_destroy(arena);
    return lite && full ? TR_OK : TR_ERR_NOMEM;
}

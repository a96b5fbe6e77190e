/* Goal: two agents find each other, keep each other, and part from each other, over bad links too.
 * Method: both in one process over a simulated network: virtual time, loss, delay with jitter
 * (which reorders), NAT mapping, blocked paths. Hundreds of seeds. Replay one: test_ice_pair <test>
 * seed=17 */
#include "ice/ice.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"
#include "ice/cand.h"
#include "ice/stats.h"
#include "unit.h"

enum { WIRE_MAX = 256, PKT_MAX = 600, PEERS = 2 };

struct flight {
    bool used;
    int to;
    tr_usec at;
    struct tr_path path; /* as the receiver sees it */
    size_t n;
    uint8_t data[PKT_MAX];
};

struct peer {
    struct tr_ice *ice;
    struct tr_rng rng;
    bool selected, failed, lite;
    struct tr_path path;
    int valid, invalid, selections, failures;
    struct tr_addr nat_inside, nat_outside; /* what the network makes of one of its addresses */
    bool has_nat;
};

struct net {
    struct tr_arena *arena;
    struct tr_rng rng;
    tr_usec now;
    int loss_pct;
    tr_usec delay_us, jitter_us;
    struct tr_addr blocked; /* nothing from or to this address gets through; port 0: none */
    bool cut;
    int sent;
    struct peer peer[PEERS];
    struct flight wire[WIRE_MAX];
};

static struct tr_addr addr(const char *text)
{
    struct tr_addr a = { 0 };
    CHECK_INT(tr_addr_parse(&a, text), TR_OK);
    return a;
}

static struct tr_addr tcp_addr(const char *text)
{
    struct tr_addr a = addr(text);
    a.proto = TR_PROTO_TCP;
    return a;
}

static struct net *net_create(uint64_t seed)
{
    struct net *net = tr_alloc(sizeof *net);
    net->arena = tr_arena_create(1 << 20);
    net->rng = tr_rng_seeded(seed);
    net->delay_us = 20 * TR_MSEC;
    return net;
}

static void net_destroy(struct net *net)
{
    for (int i = 0; i < PEERS; i++)
        tr_ice_destroy(net->peer[i].ice);
    tr_arena_destroy(net->arena);
    tr_free(net);
}

static struct peer *add_peer(struct net *net, int i, enum tr_ice_role role, bool lite)
{
    struct peer *p = &net->peer[i];
    p->rng = tr_rng_seeded(tr_rng_u64(&net->rng));
    p->lite = lite;
    struct tr_ice_conf conf = { .role = role, .lite = lite, .rng = &p->rng };
    p->ice = tr_ice_create(net->arena, &conf);
    return p;
}

static void deliver_later(struct net *net, int from, const struct tr_ice_out *out)
{
    struct tr_path path = { .local = out->path.remote, .remote = out->path.local };
    struct peer *me = &net->peer[from], *you = &net->peer[!from];
    bool blocked = net->blocked.port && (tr_addr_eq(&path.local, &net->blocked) ||
                                         tr_addr_eq(&path.remote, &net->blocked));
    net->sent++;
    if (net->cut || blocked || tr_rng_below(&net->rng, 100) < (uint64_t)net->loss_pct)
        return;
    if (me->has_nat && tr_addr_eq(&path.remote, &me->nat_inside))
        path.remote = me->nat_outside;
    if (you->has_nat && tr_addr_eq(&path.local, &you->nat_inside))
        return; /* nobody reaches the inside */
    if (you->has_nat && tr_addr_eq(&path.local, &you->nat_outside))
        path.local = you->nat_inside;
    for (int i = 0; i < WIRE_MAX; i++) {
        struct flight *f = &net->wire[i];
        if (f->used)
            continue;
        *f = (struct flight){ .used = true, .to = !from, .path = path, .n = out->data.n };
        f->at = net->now + net->delay_us +
                (tr_usec)tr_rng_below(&net->rng, (uint64_t)net->jitter_us + 1);
        memcpy(f->data, out->data.p, out->data.n);
        return;
    }
}

static void drain(struct net *net, int i)
{
    struct peer *p = &net->peer[i];
    struct tr_ice_out out;
    for (tr_ice_poll(p->ice, &out); out.kind != TR_ICE_NONE; tr_ice_poll(p->ice, &out)) {
        switch (out.kind) {
        case TR_ICE_SEND: deliver_later(net, i, &out); break;
        case TR_ICE_VALID: p->valid++; break;
        case TR_ICE_INVALID: p->invalid++; break;
        case TR_ICE_SELECTED:
            p->selected = true;
            p->path = out.path;
            p->selections++;
            break;
        case TR_ICE_FAILED:
            p->failed = true;
            p->selected = false;
            p->failures++;
            break;
        case TR_ICE_NONE: break;
        }
    }
}

static struct flight *next_flight(struct net *net)
{
    struct flight *next = NULL;
    for (int i = 0; i < WIRE_MAX; i++)
        if (net->wire[i].used && (!next || net->wire[i].at < next->at))
            next = &net->wire[i];
    return next;
}

/* One event; false when nothing happens before end. */
static bool step(struct net *net, tr_usec end)
{
    struct flight *f = next_flight(net);
    tr_usec at = f ? f->at : TR_NEVER;
    int who = -1;
    for (int i = 0; i < PEERS; i++)
        if (tr_ice_next_timeout(net->peer[i].ice) < at) {
            at = tr_ice_next_timeout(net->peer[i].ice);
            who = i;
        }
    if (at > end)
        return false;
    net->now = at > net->now ? at : net->now;
    if (who >= 0) {
        tr_ice_timeout(net->peer[who].ice, net->now);
        drain(net, who);
        return true;
    }
    f->used = false;
    (void)!tr_ice_input(net->peer[f->to].ice, net->now, f->path, tr_slice(f->data, f->n));
    drain(net, f->to);
    return true;
}

static void run(struct net *net, tr_usec us)
{
    tr_usec end = net->now + us;
    int steps = 0;
    drain(net, 0);
    drain(net, 1);
    while (step(net, end))
        if (!CHECK(++steps < 100000)) /* a timeout that comes again and again */
            break;
    net->now = end;
}

static void local(struct net *net, int i, const char *text, uint16_t pref)
{
    struct tr_addr a = addr(text);
    struct tr_ice_cand c = tr_ice_cand_make(TR_ICE_HOST, &a, NULL, pref);
    CHECK_INT(tr_ice_add_local(net->peer[i].ice, net->now, &c), TR_OK);
}

static void remote(struct net *net, int i, const char *text, uint16_t pref)
{
    struct tr_addr a = addr(text);
    struct tr_ice_cand c = tr_ice_cand_make(TR_ICE_HOST, &a, NULL, pref);
    CHECK_INT(tr_ice_add_remote(net->peer[i].ice, net->now, &c), TR_OK);
}

static void exchange(struct net *net)
{
    for (int i = 0; i < PEERS; i++) {
        const struct peer *you = &net->peer[!i];
        CHECK_INT(tr_ice_set_remote(net->peer[i].ice, net->now, tr_ice_ufrag(you->ice),
                                    tr_ice_pwd(you->ice), you->lite),
                  TR_OK);
    }
}

static bool mirrored(const struct net *net)
{
    const struct tr_path *a = &net->peer[0].path, *b = &net->peer[1].path;
    return tr_addr_eq(&a->local, &b->remote) && tr_addr_eq(&a->remote, &b->local);
}

static bool both_selected(const struct net *net)
{
    return net->peer[0].selected && net->peer[1].selected;
}

/* Peer 0 full with one address, peer 1 the server with one. */
static struct net *client_and_server(uint64_t seed)
{
    struct net *net = net_create(seed);
    add_peer(net, 0, TR_ICE_CONTROLLED, false); /* the server being lite makes it controlling */
    add_peer(net, 1, TR_ICE_CONTROLLED, true);
    local(net, 0, "10.0.0.1:5000", 65535);
    local(net, 1, "192.0.2.1:3478", 65535);
    remote(net, 0, "192.0.2.1:3478", 65535);
    exchange(net);
    return net;
}

/* Two full agents with two addresses each. */
static struct net *two_full(uint64_t seed, enum tr_ice_role a, enum tr_ice_role b)
{
    struct net *net = net_create(seed);
    add_peer(net, 0, a, false);
    add_peer(net, 1, b, false);
    for (int i = 0; i < PEERS; i++) {
        local(net, i, i ? "10.0.0.2:5000" : "10.0.0.1:5000", 65535);
        local(net, i, i ? "10.1.0.2:5000" : "10.1.0.1:5000", 1000);
        remote(net, !i, i ? "10.0.0.2:5000" : "10.0.0.1:5000", 65535);
        remote(net, !i, i ? "10.1.0.2:5000" : "10.1.0.1:5000", 1000);
    }
    return net;
}

TEST(pair_full_lite_connects_fast)
{
    struct net *net = client_and_server(1);
    run(net, 200 * TR_MSEC); /* a check, and the nomination one Ta later */
    CHECK(both_selected(net) && mirrored(net));
    CHECK_INT(net->sent, 4);
    CHECK_INT(tr_ice_role(net->peer[0].ice), TR_ICE_CONTROLLING);
    struct tr_ice_stats s;
    tr_ice_stats(net->peer[0].ice, &s);
    CHECK_INT(s.rtt_us, 40 * TR_MSEC);
    CHECK_INT(s.state, TR_ICE_CONNECTED);
    net_destroy(net);
}

TEST(pair_full_lite_bad_link)
{
    FOR_EACH_SEED (seed, 300) {
        struct net *net = client_and_server(seed);
        net->loss_pct = 30;
        net->delay_us = 80 * TR_MSEC;
        net->jitter_us = 200 * TR_MSEC;
        run(net, 29 * TR_SECOND);
        CHECK(both_selected(net) && mirrored(net));
        CHECK(net->sent < 60);
        net_destroy(net);
    }
}

TEST(pair_full_full_bad_link)
{
    FOR_EACH_SEED (seed, 300) {
        struct net *net = two_full(seed, TR_ICE_CONTROLLING, TR_ICE_CONTROLLED);
        net->loss_pct = 30;
        net->delay_us = 80 * TR_MSEC;
        net->jitter_us = 100 * TR_MSEC;
        exchange(net);
        run(net, 25 * TR_SECOND);
        CHECK(both_selected(net) && mirrored(net));
        CHECK(net->sent < 400);
        net_destroy(net);
    }
}

TEST(pair_prefers_the_best_pair)
{
    FOR_EACH_SEED (seed, 50) {
        struct net *net = two_full(seed, TR_ICE_CONTROLLING, TR_ICE_CONTROLLED);
        exchange(net);
        run(net, 5 * TR_SECOND);
        CHECK(both_selected(net) && mirrored(net));
        struct tr_addr best = addr("10.0.0.1:5000");
        CHECK(tr_addr_eq(&net->peer[0].path.local, &best));
        net_destroy(net);
    }
}

/*= rfc8445#7.2.5.1
 *= type=test
 *# the agent MUST switch to the controlling role */
TEST(pair_role_conflict)
{
    FOR_EACH_SEED (seed, 200) {
        enum tr_ice_role same = seed % 2 ? TR_ICE_CONTROLLING : TR_ICE_CONTROLLED;
        struct net *net = two_full(seed, same, same);
        net->loss_pct = seed % 3 ? 20 : 0;
        net->jitter_us = 50 * TR_MSEC;
        exchange(net);
        run(net, 29 * TR_SECOND);
        CHECK(both_selected(net) && mirrored(net));
        CHECK(tr_ice_role(net->peer[0].ice) != tr_ice_role(net->peer[1].ice));
        net_destroy(net);
    }
}

TEST(pair_peer_reflexive_both_ways)
{
    FOR_EACH_SEED (seed, 50) { /* neither was told the address that works */
        struct net *net = client_and_server(seed);
        struct peer *a = &net->peer[0];
        a->has_nat = true;
        a->nat_inside = addr("10.0.0.1:5000");
        a->nat_outside = addr("203.0.113.9:61000");
        net->loss_pct = 10;
        run(net, 20 * TR_SECOND);
        CHECK(both_selected(net));
        CHECK(tr_addr_eq(&net->peer[1].path.remote, &a->nat_outside));
        CHECK(tr_addr_eq(&a->path.local, &a->nat_inside));
        net_destroy(net);
    }
}

TEST(pair_full_peer_reflexive)
{
    FOR_EACH_SEED (seed, 50) {
        struct net *net = net_create(seed);
        struct peer *a = add_peer(net, 0, TR_ICE_CONTROLLED, false);
        add_peer(net, 1, TR_ICE_CONTROLLING, false);
        a->has_nat = true;
        a->nat_inside = addr("10.0.0.1:5000");
        a->nat_outside = addr("203.0.113.9:61000");
        local(net, 0, "10.0.0.1:5000", 65535);
        local(net, 1, "192.0.2.1:3478", 65535);
        remote(net, 0, "192.0.2.1:3478", 65535);
        remote(net, 1, "10.0.0.1:5000", 65535);
        exchange(net);
        run(net, 20 * TR_SECOND);
        CHECK(both_selected(net));
        CHECK(tr_addr_eq(&net->peer[1].path.remote, &a->nat_outside));
        net_destroy(net);
    }
}

/*= rfc8445#7.3
 *= type=test
 *# If this happens, the agent MUST immediately generate a response */
TEST(pair_checks_before_the_answer)
{
    struct net *net = two_full(5, TR_ICE_CONTROLLING, TR_ICE_CONTROLLED);
    struct peer *a = &net->peer[0], *b = &net->peer[1];
    CHECK_INT(tr_ice_set_remote(b->ice, 0, tr_ice_ufrag(a->ice), tr_ice_pwd(a->ice), false), TR_OK);
    run(net, TR_SECOND);
    CHECK(!a->selected && a->valid > 0);
    CHECK_INT(tr_ice_set_remote(a->ice, net->now, tr_ice_ufrag(b->ice), tr_ice_pwd(b->ice), false),
              TR_OK);
    run(net, 5 * TR_SECOND);
    CHECK(both_selected(net) && mirrored(net));
    net_destroy(net);
}

TEST(pair_wrong_password)
{
    struct net *net = net_create(7);
    add_peer(net, 0, TR_ICE_CONTROLLING, false);
    add_peer(net, 1, TR_ICE_CONTROLLED, true);
    local(net, 0, "10.0.0.1:5000", 65535);
    remote(net, 0, "192.0.2.1:3478", 65535);
    CHECK_INT(tr_ice_set_remote(net->peer[0].ice, 0, tr_ice_ufrag(net->peer[1].ice),
                                "0123456789012345678901", true),
              TR_OK);
    run(net, 40 * TR_SECOND);
    CHECK_INT(net->peer[0].failures, 1);
    CHECK_INT(net->peer[1].valid, 0);
    CHECK(net->sent < 60);
    struct tr_ice_stats s;
    tr_ice_stats(net->peer[0].ice, &s);
    CHECK(s.rejected_response > 0);
    CHECK_INT(s.responses_received, 0);
    CHECK_INT(s.state, TR_ICE_STATE_FAILED);
    net_destroy(net);
}

/*= rfc7675#5.1
 *= type=test
 *# if a valid STUN binding response has not been received from the remote peer's transport address
 *# in 30 seconds, the endpoint MUST cease transmission on that 5-tuple. */
TEST(pair_consent_survives_loss_and_ends_by_silence)
{
    FOR_EACH_SEED (seed, 50) {
        struct net *net = seed % 2 ? client_and_server(seed)
                                   : two_full(seed, TR_ICE_CONTROLLING, TR_ICE_CONTROLLED);
        exchange(net);
        run(net, 5 * TR_SECOND);
        CHECK(both_selected(net));
        net->loss_pct = 5;
        int before = net->sent;
        run(net, 120 * TR_SECOND); /* RFC 7675 does not repeat: at 20 % loss some calls would end */
        CHECK(both_selected(net));
        CHECK(net->sent - before < 300);
        net->loss_pct = 0;
        run(net, 10 * TR_SECOND);
        net->cut = true;
        run(net, 20 * TR_SECOND);
        CHECK_INT(net->peer[0].failures + net->peer[1].failures, 0);
        run(net, 20 * TR_SECOND);
        for (int i = 0; i < PEERS; i++) {
            CHECK_INT(net->peer[i].failures, 1);
            CHECK_INT(net->peer[i].valid, net->peer[i].invalid);
            CHECK(tr_ice_next_timeout(net->peer[i].ice) == TR_NEVER);
        }
        before = net->sent;
        run(net, 60 * TR_SECOND);
        CHECK_INT(net->sent, before);
        net_destroy(net);
    }
}

static void restart(struct net *net)
{
    for (int i = 0; i < PEERS; i++) {
        CHECK_INT(tr_ice_restart(net->peer[i].ice, net->now, NULL, NULL), TR_OK);
        net->peer[i].selections = 0;
    }
}

TEST(pair_restart_full_lite)
{
    FOR_EACH_SEED (seed, 100) {
        struct net *net = client_and_server(seed);
        struct tr_path path;
        run(net, TR_SECOND);
        CHECK(both_selected(net));
        net->loss_pct = 5;
        restart(net);
        run(net, 60 * TR_SECOND); /* the signalling takes its time: consent of the old goes on */
        CHECK(tr_ice_selected(net->peer[0].ice, &path) && tr_ice_selected(net->peer[1].ice, &path));
        CHECK_INT(net->peer[1].selections, 0);
        exchange(net);
        remote(net, 0, "192.0.2.1:3478", 65535);
        run(net, 20 * TR_SECOND);
        CHECK_INT(net->peer[0].selections, 1);
        CHECK_INT(net->peer[1].selections, 1);
        CHECK_INT(net->peer[0].failures + net->peer[1].failures, 0);
        CHECK(mirrored(net));
        run(net, 60 * TR_SECOND);
        CHECK_INT(net->peer[0].failures + net->peer[1].failures, 0);
        net_destroy(net);
    }
}

TEST(pair_restart_full_full_moves)
{
    FOR_EACH_SEED (seed, 100) {
        struct net *net = two_full(seed, TR_ICE_CONTROLLING, TR_ICE_CONTROLLED);
        exchange(net);
        run(net, 5 * TR_SECOND);
        CHECK(both_selected(net));
        net->loss_pct = 5;
        restart(net);
        if (seed % 3 == 0) /* a second restart before the first is done */
            restart(net);
        remote(net, 0, "10.1.0.2:5000", 65535);
        remote(net, 1, "10.1.0.1:5000", 65535);
        net->blocked = addr("10.0.0.1:5000");
        exchange(net);
        run(net, 25 * TR_SECOND);
        struct tr_addr second = addr("10.1.0.1:5000");
        CHECK(both_selected(net) && mirrored(net));
        CHECK(tr_addr_eq(&net->peer[0].path.local, &second));
        run(net, 60 * TR_SECOND);
        CHECK_INT(net->peer[0].failures + net->peer[1].failures, 0);
        net_destroy(net);
    }
}

TEST(pair_restart_after_failure)
{
    struct net *net = two_full(3, TR_ICE_CONTROLLING, TR_ICE_CONTROLLED);
    exchange(net);
    run(net, 5 * TR_SECOND);
    net->cut = true;
    run(net, 60 * TR_SECOND);
    CHECK(net->peer[0].failed && net->peer[1].failed);
    net->cut = false;
    restart(net);
    exchange(net);
    remote(net, 0, "10.0.0.2:5000", 65535);
    run(net, 5 * TR_SECOND);
    CHECK(both_selected(net) && mirrored(net));
    net_destroy(net);
}

TEST(pair_path_change_in_mid_call)
{
    FOR_EACH_SEED (seed, 100) {
        struct net *net = client_and_server(seed);
        run(net, 10 * TR_SECOND);
        CHECK(both_selected(net));
        net->loss_pct = 5;
        net->blocked = addr("10.0.0.1:5000"); /* leaves the house */
        local(net, 0, "100.64.0.1:7000", 100);
        struct tr_path path = { .local = addr("100.64.0.1:7000"),
                                .remote = addr("192.0.2.1:3478") };
        CHECK_INT(tr_ice_nominate(net->peer[0].ice, net->now, path), TR_OK);
        run(net, 15 * TR_SECOND);
        CHECK(both_selected(net) && mirrored(net));
        CHECK(tr_addr_eq(&net->peer[0].path.local, &path.local));
        net->loss_pct = 0; /* six lost in a row would end consent */
        run(net, 60 * TR_SECOND);
        CHECK_INT(net->peer[0].failures + net->peer[1].failures, 0);
        CHECK_INT(net->peer[1].valid - net->peer[1].invalid, 1); /* the old one was forgotten */
        path.local.port = 1;
        CHECK_INT(tr_ice_nominate(net->peer[0].ice, net->now, path), TR_ERR_NOTFOUND);
        CHECK_INT(tr_ice_nominate(net->peer[1].ice, net->now, path), TR_ERR_INVAL);
        net_destroy(net);
    }
}

TEST(pair_many_candidates_are_bounded)
{
    struct net *net = net_create(11);
    struct tr_ice_stats s;
    add_peer(net, 0, TR_ICE_CONTROLLING, false);
    add_peer(net, 1, TR_ICE_CONTROLLED, true);
    for (uint16_t i = 1; i <= TR_ICE_LOCAL_MAX + 2; i++) {
        struct tr_addr a = tr_addr_v4(10, 0, 0, (uint8_t)i, 5000);
        struct tr_ice_cand c = tr_ice_cand_make(TR_ICE_HOST, &a, NULL, i);
        CHECK_INT(tr_ice_add_local(net->peer[0].ice, 0, &c),
                  i <= TR_ICE_LOCAL_MAX ? TR_OK : TR_ERR_LIMIT);
    }
    for (uint16_t i = 1; i <= TR_ICE_REMOTE_MAX + 2; i++) {
        struct tr_addr a = tr_addr_v4(192, 0, 2, (uint8_t)i, 3478);
        struct tr_ice_cand c = tr_ice_cand_make(TR_ICE_HOST, &a, NULL, i);
        CHECK_INT(tr_ice_add_remote(net->peer[0].ice, 0, &c),
                  i <= TR_ICE_REMOTE_MAX ? TR_OK : TR_ERR_LIMIT);
    }
    tr_ice_stats(net->peer[0].ice, &s);
    CHECK_INT(s.pairs, TR_ICE_PAIR_MAX);
    CHECK(s.pairs_dropped > 0);
    struct tr_ice_pair_stats p; /* the best pair is among them */
    uint64_t best = 0;
    for (uint32_t i = 0; tr_ice_pair_stats(net->peer[0].ice, i, &p); i++)
        best = p.priority > best ? p.priority : best;
    CHECK(best == tr_ice_pair_priority(tr_ice_priority(TR_ICE_HOST, TR_ICE_LOCAL_MAX, 1),
                                       tr_ice_priority(TR_ICE_HOST, TR_ICE_REMOTE_MAX, 1)));
    exchange(net);
    net->cut = true;
    run(net, 40 * TR_SECOND); /* no storm: one new check every 50 ms and their repetitions */
    CHECK_INT(net->peer[0].failures, 1);
    CHECK(net->sent < 2500);
    net_destroy(net);
}

TEST(pair_candidate_kinds)
{
    struct net *net = net_create(11);
    struct tr_ice_stats s;
    struct tr_ice *ice = add_peer(net, 0, TR_ICE_CONTROLLING, false)->ice;
    add_peer(net, 1, TR_ICE_CONTROLLED, true);
    struct tr_addr base = addr("10.0.0.1:5000"), mapped = addr("203.0.113.1:6000");
    struct tr_ice_cand host = tr_ice_cand_make(TR_ICE_HOST, &base, NULL, 65535);
    struct tr_ice_cand srflx = tr_ice_cand_make(TR_ICE_SRFLX, &mapped, &base, 65535);
    struct tr_ice_cand relay = tr_ice_cand_make(TR_ICE_RELAY, &mapped, &base, 65535);
    struct tr_ice_cand bad = host;
    CHECK_INT(tr_ice_add_local(ice, 0, &host), TR_OK);
    CHECK_INT(tr_ice_add_local(ice, 0, &srflx), TR_ERR_EXISTS); /* sends from the same base */
    CHECK_INT(tr_ice_add_local(ice, 0, &relay), TR_OK);
    bad.proto = TR_ICE_TCP;
    CHECK_INT(tr_ice_add_local(ice, 0, &bad), TR_ERR_UNSUPPORTED);
    bad = host;
    bad.component = 2;
    CHECK_INT(tr_ice_add_remote(ice, 0, &bad), TR_ERR_UNSUPPORTED);
    remote(net, 0, "192.0.2.1:3478", 65535);
    remote(net, 0, "[2001:db8::1]:3478", 65535); /* no local address of that family */
    tr_ice_stats(ice, &s);
    CHECK_INT(s.pairs, 2);
    net_destroy(net);
}

/* --- TCP (RFC 6544) --- */

static struct tr_ice_cand tcp_cand(const char *text, enum tr_ice_tcptype tcptype)
{
    struct tr_addr a = tcp_addr(text);
    return tr_ice_cand_make_tcp(TR_ICE_HOST, tcptype, &a, NULL, 8191);
}

/* Peer 0 is a full agent that connects, peer 1 the server that listens; the port that the
 * connection gets is what the server sees. */
static struct net *tcp_client_and_server(uint64_t seed)
{
    struct net *net = net_create(seed);
    struct tr_ice_cand active = tcp_cand("10.0.0.1:9", TR_ICE_TCP_ACTIVE);
    struct tr_ice_cand passive = tcp_cand("192.0.2.1:443", TR_ICE_TCP_PASSIVE);
    struct peer *p = add_peer(net, 0, TR_ICE_CONTROLLED, false);
    add_peer(net, 1, TR_ICE_CONTROLLED, true);
    p->has_nat = true;
    p->nat_inside = tcp_addr("10.0.0.1:9");
    p->nat_outside = tcp_addr("203.0.113.9:61000");
    CHECK_INT(tr_ice_add_local(p->ice, 0, &active), TR_OK);
    CHECK_INT(tr_ice_add_local(net->peer[1].ice, 0, &passive), TR_OK);
    CHECK_INT(tr_ice_add_remote(p->ice, 0, &passive), TR_OK);
    exchange(net);
    return net;
}

TEST(pair_tcp_active_connects_to_passive)
{
    FOR_EACH_SEED (seed, 50) {
        struct net *net = tcp_client_and_server(seed);
        struct peer *p = &net->peer[0];
        net->jitter_us = 300 * TR_MSEC;
        run(net, 10 * TR_SECOND);
        CHECK(both_selected(net));
        CHECK(tr_addr_eq(&p->path.local, &p->nat_inside)); /* goes by its candidate */
        CHECK(tr_addr_eq(&net->peer[1].path.remote, &p->nat_outside));
        run(net, 60 * TR_SECOND);
        CHECK_INT(p->failures + net->peer[1].failures, 0);
        net_destroy(net);
    }
}

TEST(pair_tcp_stream_ends)
{
    struct net *net = tcp_client_and_server(3);
    struct peer *p = &net->peer[0];
    run(net, TR_SECOND);
    CHECK(both_selected(net));
    tr_ice_path_gone(p->ice, net->now, &p->path);
    run(net, TR_SECOND);
    CHECK_INT(p->failures, 1);
    CHECK_INT(net->peer[1].failures, 0); /* it waits for another path */
    net_destroy(net);
}

TEST(pair_tcp_types)
{
    static const enum tr_ice_tcptype types[] = { TR_ICE_TCP_ACTIVE, TR_ICE_TCP_PASSIVE,
                                                 TR_ICE_TCP_SO };
    for (int l = 0; l < 3; l++) {
        for (int r = 0; r < 3; r++) {
            struct net *net = net_create(1);
            struct tr_ice_stats s;
            struct tr_ice *ice = add_peer(net, 0, TR_ICE_CONTROLLING, false)->ice;
            add_peer(net, 1, TR_ICE_CONTROLLED, true);
            struct tr_ice_cand mine = tcp_cand("10.0.0.1:9", types[l]);
            struct tr_ice_cand theirs = tcp_cand("192.0.2.1:443", types[r]);
            CHECK_INT(tr_ice_add_local(ice, 0, &mine), TR_OK);
            CHECK_INT(tr_ice_add_remote(ice, 0, &theirs), TR_OK);
            remote(net, 0, "192.0.2.1:443", 65535); /* of UDP, as the local one is not */
            tr_ice_stats(ice, &s);
            CHECK_INT(s.pairs, types[l] == TR_ICE_TCP_ACTIVE && types[r] == TR_ICE_TCP_PASSIVE);
            net_destroy(net);
        }
    }
}

TEST(pair_tcp_only_when_udp_does_not_get_through)
{
    FOR_EACH_SEED (seed, 50) {
        bool open = seed % 2;
        struct net *net = tcp_client_and_server(seed);
        local(net, 0, "10.0.0.1:5000", 65535);
        local(net, 1, "192.0.2.1:3478", 65535);
        remote(net, 0, "192.0.2.1:3478", 65535);
        if (!open)
            net->blocked = addr("192.0.2.1:3478");
        run(net, 5 * TR_SECOND);
        CHECK(both_selected(net));
        CHECK_INT(net->peer[0].path.remote.proto, open ? TR_PROTO_UDP : TR_PROTO_TCP);
        net_destroy(net);
    }
}

TEST(pair_hostile_candidates_form_none)
{
    static const char *const lines[] = {
        "candidate:1 1 udp 2130706431 0.0.0.0 5000 typ host",
        "candidate:1 1 udp 2130706431 :: 5000 typ host",
        "candidate:1 1 udp 2130706431 192.0.2.1 0 typ host",
        "candidate:1 2 udp 2130706431 192.0.2.1 5000 typ host",
        "candidate:1 256 udp 2130706431 192.0.2.1 5000 typ host",
        "candidate:1 1 tcp 2130706431 192.0.2.1 5000 typ host",              /* no tcptype */
        "candidate:1 1 tcp 2130706431 192.0.2.1 0 typ host tcptype passive", /* nobody's port */
        "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host tcptype passive",
    };
    struct net *net = net_create(1);
    struct tr_ice_stats s;
    struct tr_ice *ice = add_peer(net, 0, TR_ICE_CONTROLLING, false)->ice;
    add_peer(net, 1, TR_ICE_CONTROLLED, true);
    struct tr_ice_cand active = tcp_cand("10.0.0.1:9", TR_ICE_TCP_ACTIVE);
    CHECK_INT(tr_ice_add_local(ice, 0, &active), TR_OK);
    local(net, 0, "10.0.0.1:5000", 65535);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct tr_ice_cand cand;
        CHECK_INT(tr_ice_cand_parse(&cand, tr_slice_str(lines[i])), TR_OK);
        if (!CHECK(tr_ice_add_remote(ice, 0, &cand) == TR_ERR_UNSUPPORTED))
            unit_note("    %s", lines[i]);
    }
    tr_ice_stats(ice, &s);
    CHECK_INT(s.pairs, 0);
    exchange(net);
    run(net, 40 * TR_SECOND);
    CHECK_INT(net->sent, 0);
    net_destroy(net);
}

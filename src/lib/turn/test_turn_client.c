/* Goal: the client gets its allocation, talks to peers over it and keeps it for as long as it
 * wants, whatever the link does; it follows no answer that is not of the server.
 * Method: client and server back to back in virtual time over a link that loses datagrams, with a
 * peer that sends back what it gets; forged answers by hand. */
#include "turn/client.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "stun/stun.h"
#include "turn/auth.h"
#include "turn/policy.h"
#include "turn/turn.h"
#include "turn/turn_conf.h"
#include "unit.h"

enum { FLIGHTS_MAX = 256, DELAY_MS = 20, TO_CLIENT = 0, TO_SERVER, TO_PEER, TO_RELAY };

struct flight {
    tr_usec at;
    int to;
    struct tr_addr peer; /* PEER, RELAY */
    size_t n;
    uint8_t data[1600];
};

struct world {
    struct tr_rng rng;
    tr_usec now;
    unsigned loss_pct;
    struct tr_turn_auth *auth;
    struct tr_turn_policy *policy;
    struct tr_turn *server;
    struct tr_turn_client *client;
    struct tr_path flow; /* as the server sees it */
    tr_id relay;
    struct flight flights[FLIGHTS_MAX];
    int flights_count;
    int allocated, failed, code, echoes, closed, sent;
    bool channels_only; /* all data came over a channel */
    struct tr_addr relayed, mapped, echoed_by;
};

static struct world world; /* big */

static struct tr_addr peer_addr(uint8_t i)
{
    return tr_addr_v4(198, 51, 100, i, 7000);
}

static void launch(struct world *w, int to, const struct tr_addr *peer, struct tr_slice head,
                   struct tr_slice data)
{
    bool lossy = to == TO_CLIENT || to == TO_SERVER;
    if (lossy && w->flow.remote.proto == TR_PROTO_UDP && tr_rng_below(&w->rng, 100) < w->loss_pct)
        return;
    TR_ASSERT(w->flights_count < FLIGHTS_MAX && head.n + data.n <= sizeof w->flights->data);
    struct flight *f = &w->flights[w->flights_count++];
    *f = (struct flight){ .at = w->now + DELAY_MS * TR_MSEC, .to = to, .n = head.n + data.n };
    if (peer)
        f->peer = *peer;
    if (head.n)
        memcpy(f->data, head.p, head.n);
    if (data.n)
        memcpy(f->data + head.n, data.p, data.n);
}

static void poll_client(struct world *w)
{
    struct tr_turn_client_out out;
    for (int i = 0;; i++) {
        TR_ASSERT(i < 1000);
        tr_turn_client_poll(w->client, w->now, &out);
        switch (out.kind) {
        case TR_TURN_CLIENT_NONE: return;
        case TR_TURN_CLIENT_SEND:
            w->sent++;
            launch(w, TO_SERVER, NULL, tr_slice(NULL, 0), out.data);
            break;
        case TR_TURN_CLIENT_ALLOCATED:
            w->allocated++;
            w->relayed = out.relayed;
            w->mapped = out.mapped;
            break;
        case TR_TURN_CLIENT_DATA:
            w->echoes++;
            w->echoed_by = out.peer;
            break;
        case TR_TURN_CLIENT_FAILED:
            w->failed++;
            w->code = out.code;
            break;
        }
    }
}

static void poll_server(struct world *w)
{
    struct tr_turn_out out;
    struct tr_addr relayed = tr_addr_v4(192, 0, 2, 1, 50000);
    for (int i = 0;; i++) {
        TR_ASSERT(i < 1000);
        tr_turn_poll(w->server, &out);
        if (out.kind == TR_TURN_NONE)
            return;
        if (out.kind == TR_TURN_MESSAGE) {
            launch(w, TO_CLIENT, NULL, tr_slice(NULL, 0), out.data);
        } else if (out.kind == TR_TURN_OPEN) {
            w->relay = out.relay;
            if (out.v6)
                relayed = (struct tr_addr){ .ip = { 0x26, [15] = 1 }, .port = 50000 };
            tr_turn_opened(w->server, w->now, out.relay, TR_OK, &relayed, w);
        } else if (out.kind == TR_TURN_CLOSE) {
            w->closed++;
        }
    }
}

static void arrive(struct world *w, struct flight *f)
{
    struct tr_slice data = tr_slice(f->data, f->n);
    struct tr_turn_data relay;
    struct tr_turn_frame frame;
    switch (f->to) {
    case TO_CLIENT:
        (void)!tr_turn_client_input(w->client, w->now, data);
        poll_client(w);
        break;
    case TO_SERVER:
        relay.data.p = NULL;
        if (tr_turn_input(w->server, w->now, &w->flow, data, &relay) == TR_OK && relay.data.p) {
            w->channels_only = w->channels_only && f->data[0] >= 0x40;
            launch(w, TO_PEER, &relay.peer, tr_slice(NULL, 0), relay.data);
        }
        poll_server(w);
        break;
    case TO_PEER: launch(w, TO_RELAY, &f->peer, tr_slice(NULL, 0), data); break;
    case TO_RELAY:
        if (tr_turn_deliver(w->server, w->now, w->relay, &f->peer, data.n, &frame) == TR_OK) {
            memset(f->data + f->n, 0, frame.pad);
            launch(w, TO_CLIENT, NULL, tr_slice(frame.head, frame.head_n),
                   tr_slice(f->data, f->n + frame.pad));
        }
        break;
    default: break;
    }
}

static tr_usec next_event(const struct world *w, int *flight)
{
    tr_usec at =
        tr_usec_min(tr_turn_client_next_timeout(w->client), tr_turn_next_timeout(w->server));
    *flight = -1;
    for (int i = 0; i < w->flights_count; i++) {
        if (w->flights[i].at < at || (*flight < 0 && w->flights[i].at == at)) {
            at = w->flights[i].at;
            *flight = i;
        }
    }
    return at;
}

static void run(struct world *w, tr_usec us)
{
    tr_usec end = w->now + us;
    for (int i = 0;; i++) {
        int flight;
        tr_usec at = next_event(w, &flight);
        TR_ASSERT(i < 100000);
        if (at > end)
            break;
        w->now = at > w->now ? at : w->now;
        if (flight >= 0) {
            struct flight f = w->flights[flight];
            w->flights[flight] = w->flights[--w->flights_count];
            arrive(w, &f);
            continue;
        }
        tr_turn_client_timeout(w->client, w->now);
        poll_client(w);
        tr_turn_timeout(w->server, w->now);
        poll_server(w);
    }
    w->now = end;
}

static enum tr_err make_server(struct world *w, const char *password)
{
    static const char *const allow[] = { "198.51.100.0/24", "2001:db8::/32" };
    struct tr_turn_user user = { "anna", password };
    struct tr_turn_auth_conf auth = { .realm = "example.org", .users = &user, .users_count = 1 };
    struct tr_turn_policy_conf policy = { .allow = allow, .allow_count = 2 };
    const char *bad;
    w->auth = tr_turn_auth_create(&auth, &w->rng);
    enum tr_err err = tr_turn_policy_create(&w->policy, &policy, &bad);
    struct tr_turn_conf conf = { .auth = w->auth,
                                 .policy = w->policy,
                                 .rng = &w->rng,
                                 .allocations_max = 10,
                                 .relay_v4 = true,
                                 .relay_v6 = true };
    if (w->auth && err == TR_OK)
        w->server = tr_turn_create(&conf, w->now);
    return w->server ? TR_OK : TR_ERR_NOMEM;
}

static void end(struct world *w)
{
    tr_turn_client_destroy(w->client);
    tr_turn_destroy(w->server);
    tr_turn_policy_destroy(w->policy);
    tr_turn_auth_destroy(w->auth);
    *w = (struct world){ 0 };
}

static enum tr_err begin(struct world *w, uint64_t seed, struct tr_turn_client_conf conf)
{
    *w = (struct world){ .rng = tr_rng_seeded(seed), .now = TR_SECOND, .channels_only = true };
    w->flow.local = tr_addr_v4(192, 0, 2, 1, 3478);
    w->flow.remote = tr_addr_v4(203, 0, 113, 5, 40000);
    w->flow.local.proto = w->flow.remote.proto = conf.server.remote.proto;
    conf.username = conf.username ? conf.username : "anna";
    conf.password = "secret";
    conf.rng = &w->rng;
    enum tr_err err = make_server(w, "secret");
    if (err == TR_OK)
        w->client = tr_turn_client_create(&conf, w->now);
    if (!w->client) {
        end(w);
        return TR_ERR_NOMEM;
    }
    poll_client(w);
    return TR_OK;
}

static enum tr_err say(struct world *w, uint8_t peer, const char *text)
{
    struct tr_addr to = peer_addr(peer);
    enum tr_err err = tr_turn_client_send(w->client, w->now, &to, tr_slice_str(text));
    poll_client(w);
    return err;
}

TEST(client_allocates_and_talks)
{
    for (int i = 0; i < 8; i++) {
        struct tr_turn_client_conf conf = { .sha256 = i & 1, .v6 = i >> 1 & 1 };
        conf.server.remote.proto = i & 4 ? TR_PROTO_TCP : TR_PROTO_UDP;
        struct tr_addr to =
            conf.v6 ? (struct tr_addr){ .ip = { 0x20, 1, 0xd, 0xb8 }, .port = 9 } : peer_addr(1);
        CHECK_INT(begin(&world, (uint64_t)i, conf), TR_OK);
        CHECK_INT(tr_turn_client_send(world.client, world.now, &to, tr_slice_str("early")), TR_OK);
        poll_client(&world);
        run(&world, TR_SECOND);
        CHECK_INT(world.allocated, 1);
        CHECK_INT(world.echoes, 1);
        CHECK(tr_addr_eq(&world.echoed_by, &to));
        CHECK_INT(world.relayed.port, 50000);
        CHECK(tr_addr_is_v4(&world.relayed) != conf.v6);
        CHECK(tr_addr_ip_eq(&world.mapped, &world.flow.remote));
        world.channels_only = true;
        CHECK_INT(tr_turn_client_send(world.client, world.now, &to, tr_slice_str("later")), TR_OK);
        poll_client(&world);
        run(&world, TR_SECOND);
        CHECK_INT(world.echoes, 2);
        CHECK(world.channels_only);
        CHECK_INT(tr_turn_counters(world.server)->allocations_now, 1);
        tr_turn_client_close(world.client, world.now);
        poll_client(&world);
        run(&world, TR_SECOND);
        CHECK_INT(world.closed, 1);
        CHECK_INT(world.failed, 0);
        CHECK_INT(tr_turn_client_next_timeout(world.client), TR_NEVER);
        CHECK_INT(say(&world, 1, "late"), TR_ERR_CLOSED);
        end(&world);
    }
}

TEST(client_gets_through_a_lossy_link)
{
    FOR_EACH_SEED (seed, 300) {
        CHECK_INT(begin(&world, seed, (struct tr_turn_client_conf){ .sha256 = seed & 1 }), TR_OK);
        world.loss_pct = (unsigned)(seed % 31);
        for (uint8_t p = 0; p < 4; p++)
            CHECK_INT(say(&world, p, "x"), TR_OK);
        run(&world, 60 * TR_SECOND);
        CHECK_INT(world.allocated, 1);
        CHECK_INT(world.failed, 0);
        world.loss_pct = 0;
        int echoes = world.echoes;
        for (uint8_t p = 0; p < 4; p++)
            CHECK_INT(say(&world, p, "x"), TR_OK);
        run(&world, TR_SECOND);
        CHECK_INT(world.echoes, echoes + 4);
        CHECK(world.sent < 150);
        end(&world);
    }
}

/* Lifetimes, permissions, channels and nonces all end within these hours. */
TEST(client_keeps_what_it_has)
{
    for (int i = 0; i < 4; i++) {
        struct tr_turn_client_conf conf = { .lifetime_s = i & 1 ? 90 : 0, .sha256 = i >> 1 };
        CHECK_INT(begin(&world, 1, conf), TR_OK);
        for (int hour = 0; hour < 3; hour++) {
            CHECK_INT(say(&world, 1, "x"), TR_OK);
            run(&world, 3600 * TR_SECOND);
            CHECK_INT(world.echoes, hour + 1);
        }
        CHECK_INT(world.failed, 0);
        CHECK_INT(world.closed, 0);
        CHECK_INT(tr_turn_counters(world.server)->allocations, 1);
        end(&world);
    }
}

TEST(client_is_told_no)
{
    CHECK_INT(begin(&world, 1, (struct tr_turn_client_conf){ .username = "bert" }), TR_OK);
    CHECK_INT(say(&world, 1, "x"), TR_OK);
    run(&world, TR_SECOND);
    CHECK_INT(world.failed, 1);
    CHECK_INT(world.code, 401);
    CHECK_INT(say(&world, 1, "x"), TR_ERR_CLOSED);
    CHECK_INT(tr_turn_client_next_timeout(world.client), TR_NEVER);
    end(&world);

    CHECK_INT(begin(&world, 1, (struct tr_turn_client_conf){ 0 }), TR_OK);
    struct tr_addr inside = tr_addr_v4(10, 0, 0, 1, 22);
    CHECK_INT(tr_turn_client_send(world.client, world.now, &inside, tr_slice_str("x")), TR_OK);
    poll_client(&world);
    run(&world, TR_SECOND);
    CHECK_INT(tr_turn_client_send(world.client, world.now, &inside, tr_slice_str("x")),
              TR_ERR_CLOSED);
    CHECK_INT(say(&world, 1, "x"), TR_OK); /* the allocation is well */
    run(&world, TR_SECOND);
    CHECK_INT(world.echoes, 1);
    end(&world);
}

TEST(client_gives_up_on_silence)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        struct tr_turn_client_conf conf = { 0 };
        conf.server.remote.proto = tcp ? TR_PROTO_TCP : TR_PROTO_UDP;
        CHECK_INT(begin(&world, 1, conf), TR_OK);
        world.flights_count = 0;
        world.loss_pct = 100;
        run(&world, 25 * TR_SECOND);
        CHECK_INT(world.failed, 0);
        run(&world, 15 * TR_SECOND);
        CHECK_INT(world.failed, 1);
        CHECK_INT(world.code, 0);
        CHECK_INT(world.sent, tcp ? 1 : 8);
        end(&world);
    }
}

TEST(client_bounds_what_waits)
{
    uint8_t big[TR_TURN_CLIENT_DATA_MAX + 1] = { 0 };
    struct tr_addr to = peer_addr(1);
    CHECK_INT(begin(&world, 1, (struct tr_turn_client_conf){ 0 }), TR_OK);
    CHECK_INT(tr_turn_client_send(world.client, world.now, &to, tr_slice(big, sizeof big)),
              TR_ERR_LIMIT);
    for (int i = 0; i < 8; i++)
        CHECK_INT(say(&world, 1, "x"), TR_OK);
    CHECK_INT(say(&world, 1, "x"), TR_ERR_LIMIT);
    run(&world, TR_SECOND);
    CHECK_INT(world.echoes, 8);
    for (uint8_t p = 2; p <= TR_TURN_CLIENT_PEERS_MAX; p++) {
        CHECK_INT(say(&world, p, "x"), TR_OK);
        run(&world, TR_SECOND);
    }
    CHECK_INT(world.echoes, 8 + TR_TURN_CLIENT_PEERS_MAX - 1);
    CHECK_INT(say(&world, 100, "x"), TR_ERR_LIMIT);
    end(&world);
}

/* --- answers by hand --- */

static struct tr_slice forge(struct world *w, enum tr_stun_class cls, enum tr_stun_code code,
                             const char *nonce, bool list, uint8_t *buf, size_t size)
{
    static const uint8_t algorithms[8] = { 0, 2, 0, 0, 0, 1, 0, 0 };
    struct tr_stun m;
    TR_ASSERT(w->flights_count > 0);
    struct flight *f = &w->flights[w->flights_count - 1]; /* the newest request */
    CHECK_INT(tr_stun_parse(&m, tr_slice(f->data, f->n), TR_STUN_FOR_TURN), TR_OK);
    struct tr_wr out = tr_wr(buf, size);
    tr_stun_begin(&out, cls, m.method, m.txid);
    if (code)
        tr_stun_put_error(&out, code);
    tr_stun_put_addr(&out, TR_TURN_XOR_RELAYED_ADDRESS, &w->flow.local, true);
    tr_stun_put(&out, TR_STUN_REALM, tr_slice_str("example.org"));
    tr_stun_put(&out, TR_STUN_NONCE, tr_slice_str(nonce));
    if (list)
        tr_stun_put(&out, TR_STUN_PASSWORD_ALGORITHMS, tr_slice(algorithms, 8));
    return tr_stun_end(&out);
}

TEST(client_is_not_talked_down)
{
    uint8_t buf[500];
    CHECK_INT(begin(&world, 1, (struct tr_turn_client_conf){ .sha256 = true }), TR_OK);
    struct tr_slice msg =
        forge(&world, TR_STUN_ERROR, 401, "obMatJos2gAAAxyz", false, buf, sizeof buf);
    CHECK_INT(tr_turn_client_input(world.client, world.now, msg), TR_ERR_AUTH);
    CHECK_INT(tr_turn_client_input(world.client, world.now, msg), TR_ERR_AUTH);
    poll_client(&world);
    run(&world, TR_SECOND); /* the true answer still counts */
    CHECK_INT(world.allocated, 1);
    end(&world);
}

TEST(client_hashes_its_name_where_it_must)
{
    uint8_t buf[500];
    struct tr_stun m;
    struct tr_slice hash;
    CHECK_INT(begin(&world, 1, (struct tr_turn_client_conf){ .sha256 = true }), TR_OK);
    struct tr_slice msg =
        forge(&world, TR_STUN_ERROR, 401, "obMatJos2wAAAxyz", true, buf, sizeof buf);
    CHECK_INT(tr_turn_client_input(world.client, world.now, msg), TR_OK);
    poll_client(&world);
    struct flight *f = &world.flights[world.flights_count - 1];
    CHECK_INT(tr_stun_parse(&m, tr_slice(f->data, f->n), TR_STUN_FOR_TURN), TR_OK);
    CHECK(!(m.has & TR_STUN_HAS_USERNAME) && (m.has & TR_STUN_HAS_MI256));
    CHECK(tr_stun_find(&m, TR_STUN_USERHASH, &hash) && hash.n == 32);
    end(&world);
}

TEST(client_believes_no_stranger)
{
    uint8_t buf[500];
    CHECK_INT(begin(&world, 1, (struct tr_turn_client_conf){ 0 }), TR_OK);
    struct tr_slice msg = forge(&world, TR_STUN_SUCCESS, 0, "x", false, buf, sizeof buf);
    CHECK_INT(tr_turn_client_input(world.client, world.now, msg), TR_ERR_AUTH);
    buf[10] ^= 1; /* another transaction */
    CHECK_INT(tr_turn_client_input(world.client, world.now, msg), TR_ERR_IGNORED);
    CHECK_INT(tr_turn_client_input(world.client, world.now, tr_slice("\x40\x01\0\x09x", 5)),
              TR_ERR_BADMSG);
    CHECK_INT(tr_turn_client_input(world.client, world.now, tr_slice("\x40\x01\0\x01x", 5)),
              TR_ERR_IGNORED);
    CHECK_INT(tr_turn_client_input(world.client, world.now, tr_slice_str("rubbish")),
              TR_ERR_IGNORED);
    run(&world, TR_SECOND);
    CHECK_INT(world.allocated, 1);
    end(&world);
}

TEST_OOM(client_create_and_wait)
{
    enum tr_err err = begin(&world, 1, (struct tr_turn_client_conf){ 0 });
    if (err != TR_OK)
        return err;
    err = say(&world, 1, "x");
    end(&world);
    return err;
}

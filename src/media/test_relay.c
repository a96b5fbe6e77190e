/* Goal: what goes through the relay arrives whole, whichever workers the allocation and the peer
 * live on; who may not have it gets nothing; and garbage changes nothing.
 * Method: the engine with two workers, and tunnels: a socket that a client (test_rig.h) takes for
 * the server, and behind it a TURN client that brings its datagrams there by the relay. */
#include <string.h>

#include "base/mem.h"
#include "dtls/dtls.h"
#include "media/test_rig.h"
#include "media/turn.h"
#include "net/quota.h"
#include "stun/stun.h"
#include "turn/auth.h"
#include "turn/client.h"
#include "turn/policy.h"

enum { TUNNELS_MAX = 16, MIN_PORT = 42000, MAX_PORT = 42999, GARBAGE = 3000 };

struct tunnel {
    struct net *net;
    struct tr_udp *front, *back;
    struct tr_turn_client *turn;
    struct tr_dtls *dtls; /* NULL: it speaks to the relay in the clear */
    struct tr_addr client, peer, relayed;
    int failed; /* code; 0: not yet */
    int answers, echoes;
};

struct net { /* a rig with a relay */
    struct rig *rig;
    struct tr_turn_auth *auth;
    struct tr_turn_policy *policy;
    struct tr_quota *quota;
    struct tr_dtls_ctx *dtls;
    struct tunnel tunnels[TUNNELS_MAX];
    int tunnels_count;
};

/* --- tunnels --- */

static void turn_speak(struct tunnel *t);

static struct tr_path path_to_relay(const struct tunnel *t)
{
    return (struct tr_path){ .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(t->back)),
                             .remote =
                                 tr_addr_v4(127, 0, 0, 1, tr_media_turn_port(t->net->rig->media)) };
}

static void dtls_speak(struct tunnel *t)
{
    struct tr_path path = path_to_relay(t);
    struct tr_dtls_out out;
    for (tr_dtls_poll(t->dtls, &out); out.kind != TR_DTLS_NONE; tr_dtls_poll(t->dtls, &out)) {
        if (out.kind == TR_DTLS_SEND)
            tr_udp_send(t->back, &path, out.data);
        if (out.kind != TR_DTLS_DATA)
            continue;
        (void)!tr_turn_client_input(t->turn, tr_clock_now(), out.data);
        turn_speak(t);
    }
}

static void to_relay(struct tunnel *t, struct tr_slice data)
{
    struct tr_path path = path_to_relay(t);
    if (!t->dtls)
        tr_udp_send(t->back, &path, data);
    else if (tr_dtls_send(t->dtls, data) == TR_OK) /* before it is connected: repeated soon */
        dtls_speak(t);
}

static void turn_speak(struct tunnel *t)
{
    struct tr_turn_client_out out;
    struct tr_path to_client = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(t->front)),
                                 .remote = t->client };
    for (;;) {
        tr_turn_client_poll(t->turn, tr_clock_now(), &out);
        switch (out.kind) {
        case TR_TURN_CLIENT_NONE: return;
        case TR_TURN_CLIENT_SEND: to_relay(t, out.data); break;
        case TR_TURN_CLIENT_ALLOCATED: t->relayed = out.relayed; break;
        case TR_TURN_CLIENT_DATA:
            t->answers += tr_stun_is(out.data);
            t->echoes++;
            if (t->client.port)
                tr_udp_send(t->front, &to_client, out.data);
            break;
        case TR_TURN_CLIENT_FAILED: t->failed = out.code ? out.code : -1; break;
        }
    }
}

static void tunnel_speak(struct tunnel *t)
{
    turn_speak(t);
    if (t->dtls)
        dtls_speak(t);
    tr_udp_flush(t->back);
    tr_udp_flush(t->front);
}

static void from_client(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct tunnel *t = arg;
    t->client = path->remote;
    (void)!tr_turn_client_send(t->turn, tr_clock_now(), &t->peer, datagram);
    tunnel_speak(t);
}

static void from_server(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct tunnel *t = arg;
    (void)path;
    if (t->dtls)
        (void)!tr_dtls_input(t->dtls, tr_clock_now(), datagram);
    else
        (void)!tr_turn_client_input(t->turn, tr_clock_now(), datagram);
    tunnel_speak(t);
}

static void tunnels_turn(void *arg)
{
    struct net *net = arg;
    for (int i = 0; i < net->tunnels_count; i++) {
        struct tunnel *t = &net->tunnels[i];
        while (tr_udp_receive(t->back, 0, from_server, t)) {
        }
        while (tr_udp_receive(t->front, 0, from_client, t)) {
        }
        if (tr_turn_client_next_timeout(t->turn) <= tr_clock_now())
            tr_turn_client_timeout(t->turn, tr_clock_now());
        if (t->dtls && tr_dtls_next_timeout(t->dtls) <= tr_clock_now())
            tr_dtls_timeout(t->dtls, tr_clock_now());
        tunnel_speak(t);
    }
}

/* Its peer is our own media port. */
static struct tunnel *tunnel_open(struct net *net)
{
    struct tunnel *t = &net->tunnels[net->tunnels_count];
    struct tr_turn_client_conf conf = { .username = "ann", .password = "secret" };
    *t = (struct tunnel){ .net = net, .peer = tr_addr_v4(127, 0, 0, 1, 0) };
    t->peer.port = tr_media_port(net->rig->media);
    if (!open_socket(net->rig, &t->front) || !open_socket(net->rig, &t->back))
        return NULL;
    conf.server.local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(t->back));
    conf.server.remote = tr_addr_v4(127, 0, 0, 1, tr_media_turn_port(net->rig->media));
    conf.rng = &net->rig->rng;
    t->turn = tr_turn_client_create(&conf, tr_clock_now());
    net->tunnels_count++;
    return CHECK(t->turn) ? t : NULL;
}

static struct tunnel *tunnel_open_dtls(struct net *net)
{
    const struct tr_dtls_conf conf = { .ctx = net->dtls, .role = TR_DTLS_CLIENT, .anybody = true };
    struct tunnel *t = tunnel_open(net);
    if (!t)
        return NULL;
    t->dtls = tr_dtls_create(&conf);
    tr_dtls_start(t->dtls, tr_clock_now());
    return t;
}

static int worker_of_tunnel(const struct tunnel *t) /* ports are dealt in pairs */
{
    return (t->relayed.port - MIN_PORT) / 2 % 2;
}

/* One whose allocation lives on that worker. */
static struct tunnel *tunnel_on(struct net *net, int worker)
{
    while (net->tunnels_count < TUNNELS_MAX) {
        struct tunnel *t = tunnel_open(net);
        if (!t)
            return NULL;
        WAIT_FOR(net->rig, t->relayed.port != 0);
        if (worker_of_tunnel(t) == worker)
            return t;
    }
    CHECK(false);
    return NULL;
}

/* --- the net --- */

static uint16_t free_port(void)
{
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, 0);
    struct tr_udp *udp = NULL;
    if (!CHECK(tr_udp_open(&udp, &loopback, 1, 0, false) == TR_OK))
        return 0;
    uint16_t port = tr_udp_port(udp);
    tr_udp_close(udp);
    return port;
}

static bool net_open(struct net *net, const char *allow)
{
    static const struct tr_turn_user user = { "ann", "secret" };
    struct tr_rng rng = tr_rng_seeded(5);
    uint16_t port = free_port();
    const char *bad;
    struct tr_turn_policy_conf policy = { .allow = &allow,
                                          .allow_count = allow ? 1 : 0,
                                          .private = true,
                                          .media = { tr_addr_v4(127, 0, 0, 1, port) },
                                          .media_count = 1 };
    *net = (struct net){ .rig = tr_alloc(sizeof *net->rig) };
    net->auth = tr_turn_auth_create(
        &(struct tr_turn_auth_conf){ .realm = "test", .users = &user, .users_count = 1 }, &rng);
    struct tr_dtls_cert *cert = tr_dtls_cert_create(1700000000);
    net->dtls = tr_dtls_ctx_create(cert);
    tr_dtls_cert_destroy(cert);
    net->quota = tr_quota_create(&(struct tr_quota_conf){ .per_credential = TUNNELS_MAX - 1 });
    CHECK(tr_turn_policy_create(&net->policy, &policy, &bad) == TR_OK);
    struct tr_media_turn_conf conf = { .auth = net->auth,
                                       .policy = net->policy,
                                       .quota = net->quota,
                                       .dtls = net->dtls,
                                       .bind = { tr_addr_v4(127, 0, 0, 1, 0) },
                                       .bind_count = 1,
                                       .min_port = MIN_PORT,
                                       .max_port = MAX_PORT,
                                       .allocations_max = 100,
                                       .mobility = true };
    if (!CHECK(net->auth && net->quota) || !rig_open_relay(net->rig, port, &conf))
        return false;
    net->rig->also = tunnels_turn;
    net->rig->also_arg = net;
    return true;
}

static void net_close(struct net *net)
{
    rig_close(net->rig);
    for (int i = 0; i < net->tunnels_count; i++) {
        tr_turn_client_destroy(net->tunnels[i].turn);
        tr_dtls_destroy(net->tunnels[i].dtls);
        tr_udp_close(net->tunnels[i].front);
        tr_udp_close(net->tunnels[i].back);
    }
    tr_turn_auth_destroy(net->auth);
    tr_turn_policy_destroy(net->policy);
    tr_quota_destroy(net->quota);
    tr_dtls_ctx_destroy(net->dtls);
    tr_free(net->rig);
}

static struct client *client_by(struct tunnel *t)
{
    struct rig *r = t->net->rig;
    r->via = tr_udp_port(t->front);
    struct client *c = client_open(r);
    r->via = 0;
    return c;
}

static struct tr_turn_counters relay_counters(struct net *net)
{
    struct tr_turn_counters c;
    run_for(net->rig, 150 * TR_MSEC); /* workers publish them from time to time */
    tr_media_turn_counters(net->rig->media, &c);
    return c;
}

/* --- tests --- */

TEST(a_call_by_the_relay_to_our_own_media)
{
    struct net net;
    if (net_open(&net, NULL)) {
        struct tunnel *t = tunnel_open(&net);
        struct client *c = client_by(t);
        route(net.rig, c, c, AUDIO);
        route(net.rig, c, c, VIDEO);
        WAIT_FOR(net.rig, c->up);
        send_frames(net.rig, c, 20);
        WAIT_FOR(net.rig, c->in[VIDEO].packets == 200 && c->in[AUDIO].packets == 20);
        CHECK_INT(c->in[VIDEO].damaged + c->in[AUDIO].damaged, 0);
        struct tr_turn_counters counters = relay_counters(&net);
        CHECK_INT(counters.allocations_now, 1);
        CHECK(counters.packets_to_peers > 220 && counters.packets_to_clients > 220);
        tr_media_peer_close(net.rig->media, c->id);
        WAIT_FOR(net.rig, c->down);
    }
    net_close(&net);
}

TEST(a_call_by_the_relay_over_dtls)
{
    struct net net;
    if (net_open(&net, NULL)) {
        struct tunnel *t = tunnel_open_dtls(&net);
        struct client *c = client_by(t);
        route(net.rig, c, c, VIDEO);
        WAIT_FOR(net.rig, c->up);
        send_frames(net.rig, c, 20);
        WAIT_FOR(net.rig, c->in[VIDEO].packets == 200);
        CHECK_INT(c->in[VIDEO].damaged, 0);
        CHECK_INT(relay_counters(&net).allocations_now, 1);
        tr_dtls_close(t->dtls);
        tunnel_speak(t);
        WAIT_FOR(net.rig, relay_counters(&net).allocations_now == 0); /* at once */
    }
    net_close(&net);
}

/* Asks the engine to take the path by this tunnel. */
static void nominate(struct tunnel *t, struct client *c)
{
    uint8_t buf[CHECK_BYTES];
    struct tr_slice check = check_of(t->net->rig, &c->creds, true, buf);
    (void)!tr_turn_client_send(t->turn, tr_clock_now(), &t->peer, check);
}

/* The peer stays where it was adopted; its datagrams come and go by the other worker. */
TEST(a_path_by_the_allocation_of_another_worker)
{
    struct net net;
    if (net_open(&net, NULL)) {
        struct tunnel *first = tunnel_on(&net, 0), *second = tunnel_on(&net, 1);
        struct client *c = client_by(first);
        route(net.rig, c, c, VIDEO);
        WAIT_FOR(net.rig, c->up);
        second->client = first->client;
        tr_usec until = tr_clock_now() + WAIT_US;
        while (second->answers == 0 && tr_clock_now() < until) {
            nominate(second, c);
            run_for(net.rig, 20 * TR_MSEC);
        }
        CHECK(second->answers > 0);
        struct tunnel t = *first; /* from now on all goes by the other one */
        first->front = second->front;
        second->front = t.front;
        /* Media moves there when the engine has had an answer by it. */
        for (int i = 0; i < 100 && (second->echoes < 200 || c->in[VIDEO].packets < 200); i++) {
            if (i % 16 == 15)
                nominate(second, c);
            send_frames(net.rig, c, 3);
        }
        CHECK(second->echoes >= 200);
        CHECK(c->in[VIDEO].packets >= 200);
        CHECK_INT(c->in[VIDEO].damaged, 0);
    }
    net_close(&net);
}

static void echo_back(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct tr_path back = { .local = path->local, .remote = path->remote };
    tr_udp_send(*(struct tr_udp **)arg, &back, datagram);
}

TEST(a_peer_elsewhere)
{
    struct net net;
    if (net_open(&net, "127.0.0.1")) {
        struct tunnel *t = tunnel_open(&net);
        struct tr_udp *echo = NULL;
        uint8_t data[1000] = "ping";
        CHECK(open_socket(net.rig, &echo));
        struct tr_addr peer = tr_addr_v4(127, 0, 0, 1, tr_udp_port(echo));
        for (int i = 0; i < 4000 && t->echoes < 300; i++) {
            if (i < 300) /* sizes that need padding as a Data indication, too */
                (void)!tr_turn_client_send(t->turn, tr_clock_now(), &peer,
                                           tr_slice(data, 100 + (size_t)i));
            tunnel_speak(t);
            rig_turn(net.rig);
            while (tr_udp_receive(echo, 0, echo_back, &echo)) {
            }
            tr_udp_flush(echo);
        }
        CHECK_INT(t->echoes, 300);
        tr_udp_close(echo);
    }
    net_close(&net);
}

TEST(peers_that_nobody_may_reach)
{
    struct net net;
    if (net_open(&net, NULL)) {
        struct tunnel *t = tunnel_open(&net);
        static const char *const peers[] = { "127.0.0.2:10", "10.0.0.1:80", "169.254.169.254:80",
                                             "203.0.113.9:9", "8.8.8.8:53" };
        WAIT_FOR(net.rig, t->relayed.port != 0);
        for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
            struct tr_addr peer;
            CHECK(tr_addr_parse(&peer, peers[i]) == TR_OK);
            (void)!tr_turn_client_send(t->turn, tr_clock_now(), &peer, tr_slice("x", 1));
            tunnel_speak(t);
        }
        run_for(net.rig, 100 * TR_MSEC);
        struct tr_turn_counters c = relay_counters(&net);
        CHECK_INT(c.packets_to_peers, 0);
        CHECK(c.refused[TR_TURN_REFUSED_PEER] >= 5);
    }
    net_close(&net);
}

TEST(one_allocation_too_many)
{
    struct net net;
    if (net_open(&net, NULL)) {
        for (int i = 0; i < TUNNELS_MAX - 1; i++) {
            struct tunnel *t = tunnel_open(&net);
            WAIT_FOR(net.rig, t && t->relayed.port != 0);
        }
        struct tunnel *t = tunnel_open(&net);
        WAIT_FOR(net.rig, t && t->failed != 0);
        CHECK_INT(t->failed, 486);
        tr_turn_client_close(net.tunnels[0].turn, tr_clock_now());
        run_for(net.rig, 50 * TR_MSEC);
        CHECK_INT(relay_counters(&net).allocations_now, TUNNELS_MAX - 2);
    }
    net_close(&net);
}

static void count_mapped(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct tr_stun m;
    int *got = arg;
    (void)path;
    if (tr_stun_parse(&m, datagram, TR_STUN_FOR_TURN) == TR_OK && m.cls == TR_STUN_SUCCESS &&
        (m.has & TR_STUN_HAS_XOR_MAPPED))
        (*got)++;
}

/* The media port answers as well as the one of the relay. */
TEST(binding_requests_of_strangers)
{
    struct net net;
    if (net_open(&net, NULL)) {
        struct tr_udp *udp = NULL;
        CHECK(open_socket(net.rig, &udp));
        const uint16_t ports[] = { tr_media_port(net.rig->media),
                                   tr_media_turn_port(net.rig->media) };
        for (int i = 0; i < 2; i++) {
            uint8_t buf[64], txid[TR_STUN_TXID] = { (uint8_t)i };
            int got = 0;
            struct tr_wr w = tr_wr(buf, sizeof buf);
            struct tr_path path = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(udp)),
                                    .remote = tr_addr_v4(127, 0, 0, 1, ports[i]) };
            tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
            tr_udp_send(udp, &path, tr_stun_end(&w));
            tr_udp_flush(udp);
            for (int k = 0; k < 1000 && got == 0; k++) {
                rig_turn(net.rig);
                tr_udp_receive(udp, 0, count_mapped, &got);
            }
            CHECK_INT(got, 1);
        }
        tr_udp_close(udp);
    }
    net_close(&net);
}

TEST(garbage_at_the_relay)
{
    struct net net;
    if (net_open(&net, NULL)) {
        struct tr_udp *udp = NULL;
        struct tunnel *t = tunnel_open(&net);
        WAIT_FOR(net.rig, t->relayed.port != 0);
        CHECK(open_socket(net.rig, &udp));
        struct tr_path path = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(udp)) };
        for (int i = 0; i < GARBAGE; i++) {
            uint8_t bytes[200];
            path.remote = tr_addr_v4(127, 0, 0, 1, tr_media_turn_port(net.rig->media));
            if (i % 3 == 0)
                path.remote.port = t->relayed.port;
            tr_rng_fill(&net.rig->rng, bytes, sizeof bytes);
            bytes[0] &= i % 2 ? 0x7f : 0xff;
            tr_udp_send(udp, &path, tr_slice(bytes, bytes[1] % sizeof bytes));
            if (i % 50 == 0) {
                tr_udp_flush(udp);
                rig_turn(net.rig);
            }
        }
        tr_udp_close(udp);
        CHECK_INT(t->echoes, 0);
        struct client *c = client_by(t);
        route(net.rig, c, c, VIDEO);
        WAIT_FOR(net.rig, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(net.rig, c->in[VIDEO].packets == 10);
    }
    net_close(&net);
}

/* See test_relay_rig.h. */
#include "media/test_relay_rig.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "dtls/dtls.h"
#include "media/turn.h"
#include "net/quota.h"
#include "net/random.h"
#include "net/sockaddr.h"
#include "stun/stun.h"
#include "turn/auth.h"
#include "turn/client.h"
#include "turn/policy.h"

enum { PORT_TRIES = 100, PORT_FROM = 10000, PORTS = 20000 };

/* --- tunnels --- */

static void turn_speak(struct tunnel *t);

static struct tr_path path_to_relay(const struct tunnel *t)
{
    return (struct tr_path){ .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(t->back)),
                             .remote =
                                 tr_addr_v4(127, 0, 0, 1, tr_media_turn_port(t->net->rig->media)) };
}

static void from_relay(struct tunnel *t, struct tr_slice message)
{
    if (t->raw && message.n <= sizeof t->last) {
        memcpy(t->last, message.p, message.n);
        t->last_n = message.n;
    }
    if (t->raw)
        return;
    (void)!tr_turn_client_input(t->turn, tr_clock_now(), message);
    turn_speak(t);
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
        from_relay(t, out.data);
    }
}

void to_relay(struct tunnel *t, struct tr_slice data)
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

void tunnel_speak(struct tunnel *t)
{
    if (!t->raw)
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
        from_relay(t, datagram);
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
        if (!t->raw && tr_turn_client_next_timeout(t->turn) <= tr_clock_now())
            tr_turn_client_timeout(t->turn, tr_clock_now());
        if (t->dtls && tr_dtls_next_timeout(t->dtls) <= tr_clock_now())
            tr_dtls_timeout(t->dtls, tr_clock_now());
        tunnel_speak(t);
    }
}

struct tunnel *tunnel_open(struct net *net)
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

struct tunnel *tunnel_open_dtls(struct net *net)
{
    const struct tr_dtls_conf conf = { .ctx = net->dtls, .role = TR_DTLS_CLIENT, .anybody = true };
    struct tunnel *t = tunnel_open(net);
    if (!t)
        return NULL;
    t->dtls = tr_dtls_create(&conf);
    tr_dtls_start(t->dtls, tr_clock_now());
    return t;
}

int worker_of_port(const struct net *net, uint16_t relayed_port)
{
    return (relayed_port - MIN_PORT) / 2 % net->workers; /* ports are dealt in pairs */
}

struct tunnel *tunnel_on(struct net *net, int worker)
{
    while (net->tunnels_count < TUNNELS_MAX) {
        struct tunnel *t = tunnel_open(net);
        if (!t)
            return NULL;
        WAIT_FOR(net->rig, t->relayed.port != 0);
        if (worker_of_port(net, t->relayed.port) == worker)
            return t;
    }
    CHECK(false);
    return NULL;
}

struct tunnel *tunnel_open_raw(struct net *net, bool dtls)
{
    struct tunnel *t = dtls ? tunnel_open_dtls(net) : tunnel_open(net);
    if (t)
        t->raw = true;
    return t;
}

/* --- the net --- */

static bool is_free(int type, uint16_t port)
{
    struct sockaddr_storage ss;
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, port);
    socklen_t n = tr_sockaddr_put(&ss, &loopback);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    bool is = fd >= 0 && bind(fd, (struct sockaddr *)&ss, n) == 0;
    if (fd >= 0)
        close(fd);
    return is;
}

/* Below those that the kernel hands out, which the connections of other tests could be given. */
static uint16_t free_port(void)
{
    struct tr_rng rng = tr_random_system();
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = (uint16_t)(PORT_FROM + tr_rng_below(&rng, PORTS));
        if (is_free(SOCK_DGRAM, port) && is_free(SOCK_STREAM, port))
            return port;
    }
    CHECK(false);
    return 0;
}

bool net_open(struct net *net, const char *allow)
{
    return net_open_with(net, &(struct net_conf){ .allow = allow });
}

bool net_open_with(struct net *net, const struct net_conf *nc)
{
    static const struct tr_turn_user user = { "ann", "secret" };
    struct tr_rng rng = tr_rng_seeded(5);
    uint16_t port = free_port();
    const char *bad;
    struct tr_turn_policy_conf policy = { .allow = &nc->allow,
                                          .allow_count = nc->allow ? 1 : 0,
                                          .private = true,
                                          .media = { tr_addr_v4(127, 0, 0, 1, port) },
                                          .media_count = 1 };
    *net =
        (struct net){ .rig = tr_alloc(sizeof *net->rig), .workers = nc->workers ? nc->workers : 2 };
    net->auth = tr_turn_auth_create(
        &(struct tr_turn_auth_conf){ .realm = "test", .users = &user, .users_count = 1 }, &rng);
    struct tr_dtls_cert *cert = tr_dtls_cert_create(1700000000);
    net->dtls = tr_dtls_ctx_create(cert);
    tr_dtls_cert_destroy(cert);
    net->quota = tr_quota_create(&(struct tr_quota_conf){ .per_credential = QUOTA });
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
                                       .allocation_bps = nc->allocation_bps,
                                       .unproven_per_second = nc->unproven_per_second,
                                       .tcp = nc->tcp,
                                       .streams = nc->streams,
                                       .mobility = true };
    if (!CHECK(net->auth && net->quota) || !rig_open_relay(net->rig, net->workers, port, &conf))
        return false;
    net->rig->also = tunnels_turn;
    net->rig->also_arg = net;
    return true;
}

void net_close(struct net *net)
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

struct client *client_by(struct tunnel *t)
{
    struct rig *r = t->net->rig;
    r->via = tr_udp_port(t->front);
    struct client *c = client_open(r);
    r->via = 0;
    return c;
}

struct tr_media_turn_counters all_counters(struct net *net)
{
    struct tr_media_turn_counters c;
    run_for(net->rig, 150 * TR_MSEC); /* workers publish them from time to time */
    tr_media_turn_counters(net->rig->media, &c);
    return c;
}

struct tr_turn_counters relay_counters(struct net *net)
{
    return all_counters(net).turn;
}

/* Goal: what goes through the relay arrives whole, whichever workers the allocation and the peer
 * live on; who may not have it gets nothing; and garbage changes nothing.
 * Method: tunnels of test_relay_rig.h, and sockets of strangers. */
#include "dtls/dtls.h"
#include "media/test_relay_rig.h"
#include "media/turn.h"
#include "stun/stun.h"
#include "turn/client.h"

enum { GARBAGE = 3000 };

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

/* So many fit into the sockets' buffers, however late the worker is. */
enum { UNDER_WAY = 50 };

TEST(a_peer_elsewhere)
{
    struct net net;
    if (net_open(&net, "127.0.0.1")) {
        struct tunnel *t = tunnel_open(&net);
        struct tr_udp *echo = NULL;
        uint8_t data[1000] = "ping";
        CHECK(open_socket(net.rig, &echo));
        struct tr_addr peer = tr_addr_v4(127, 0, 0, 1, tr_udp_port(echo));
        int sent = 0;
        tr_usec limit = tr_clock_now() + WAIT_US;
        while (t->echoes < 300 && tr_clock_now() < limit) {
            if (sent < 300 && sent < t->echoes + UNDER_WAY) { /* also sizes that need padding */
                (void)!tr_turn_client_send(t->turn, tr_clock_now(), &peer,
                                           tr_slice(data, 100 + (size_t)sent));
                sent++;
            }
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
        for (int i = 0; i < QUOTA; i++) {
            struct tunnel *t = tunnel_open(&net);
            WAIT_FOR(net.rig, t && t->relayed.port != 0);
        }
        struct tunnel *t = tunnel_open(&net);
        WAIT_FOR(net.rig, t && t->failed != 0);
        CHECK_INT(t->failed, 486);
        tr_turn_client_close(net.tunnels[0].turn, tr_clock_now());
        run_for(net.rig, 50 * TR_MSEC);
        CHECK_INT(relay_counters(&net).allocations_now, QUOTA - 1);
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

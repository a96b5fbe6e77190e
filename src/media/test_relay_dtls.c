/* Goal: a client over DTLS gets what lives on another worker than its association does, as a client
 * over UDP does: a reserved port, and its own allocation after a move; data goes both ways, and the
 * end of the association is the end of the allocation.
 * Method: associations that say what is written here; the relayed port tells the worker. */
#include <string.h>

#include "dtls/internal.h"
#include "media/test_relay_ask.h"
#include "stun/stun.h"

static void leave(struct tunnel *t)
{
    tr_dtls_close(t->dtls);
    tunnel_speak(t);
}

TEST(a_reserved_port_of_another_worker)
{
    const uint8_t pair = RESERVE_NEXT;
    struct net net;
    struct request first = request_of(TR_TURN_ALLOCATE, TR_TURN_EVEN_PORT, tr_slice(&pair, 1));
    struct request second = { .method = TR_TURN_ALLOCATE };
    if (net_open(&net, "127.0.0.1")) {
        struct tunnel *a = tunnel_open_raw(&net, true);
        uint16_t port = a ? allocate(a, &first, TR_TURN_RESERVATION_TOKEN, &second) : 0;
        struct tunnel *b = tunnel_beside(&net, true, worker_of_port(&net, port), -1);
        if (CHECK(b)) {
            CHECK_INT(allocate(b, &second, 0, NULL), port + 1);
            check_data(b);
            CHECK_INT(relay_counters(&net).allocations_now, 2);
            leave(b);
            WAIT_FOR(net.rig, relay_counters(&net).allocations_now == 1); /* at once */
        }
    }
    net_close(&net);
}

TEST(a_move_to_an_association_of_another_worker)
{
    struct net net;
    struct tr_stun m;
    struct request first = request_of(TR_TURN_ALLOCATE, TR_TURN_MOBILITY_TICKET, tr_slice("", 0));
    struct request move = { .method = TR_TURN_REFRESH };
    const struct request stay = { .method = TR_TURN_REFRESH };
    if (net_open(&net, "127.0.0.1")) {
        struct tunnel *a = tunnel_open_raw(&net, true);
        uint16_t port = a ? allocate(a, &first, TR_TURN_MOBILITY_TICKET, &move) : 0;
        struct tunnel *b = tunnel_beside(&net, true, worker_of_port(&net, port), -1);
        if (CHECK(b)) {
            CHECK_INT(ask(b, &move, &m), 0);
            CHECK_INT(ask(b, &stay, &m), 0); /* it speaks by its new flow */
            leave(a);
            check_data(b);
            CHECK_INT(relay_counters(&net).allocations_now, 1);
        }
    }
    net_close(&net);
}

TEST(what_dtls_refuses_is_counted)
{
    static const uint8_t header[13] = { 22, 254, 253 };
    struct net net;
    if (net_open(&net, NULL)) {
        struct tunnel *a = tunnel_open_raw(&net, true);
        const struct request plain = { .method = TR_TURN_ALLOCATE };
        CHECK(a && allocate(a, &plain, 0, NULL) > 0);
        struct tunnel *b = tunnel_open_raw(&net, true);
        struct tr_path path = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(b->back)),
                                .remote =
                                    tr_addr_v4(127, 0, 0, 1, tr_media_turn_port(net.rig->media)) };
        tr_udp_send(b->back, &path, tr_slice(header, sizeof header));
        tr_udp_flush(b->back);
        WAIT_FOR(net.rig, all_counters(&net).dtls.refused[TR_MEDIA_DTLS_REFUSED_MALFORMED] == 1);
        WAIT_FOR(net.rig, all_counters(&net).dtls.handshakes == 2);
        CHECK_INT(all_counters(&net).dtls.associations_now, 2);
        leave(a);
        WAIT_FOR(net.rig, all_counters(&net).dtls.associations_now == 1);
    }
    net_close(&net);
}

/* --- hellos by hand --- */

struct greeter { /* a client that says no more than its ClientHello */
    struct tr_dtls *dtls;
    uint8_t hello[TR_DTLS_MTU]; /* with a cookie that is good */
    size_t n;
};

static void keep_hello(struct greeter *g)
{
    struct tr_dtls_out out;
    for (tr_dtls_poll(g->dtls, &out); out.kind != TR_DTLS_NONE; tr_dtls_poll(g->dtls, &out)) {
        if (out.kind == TR_DTLS_SEND && out.data.n <= sizeof g->hello) {
            memcpy(g->hello, out.data.p, out.data.n);
            g->n = out.data.n;
        }
    }
}

static void cookie_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct greeter *g = arg;
    (void)path;
    (void)!tr_dtls_input(g->dtls, tr_clock_now(), datagram);
}

static bool greeter_open(struct greeter *g, struct net *net, struct tr_udp *udp,
                         const struct tr_path *path)
{
    const struct tr_dtls_conf conf = { .ctx = net->dtls, .role = TR_DTLS_CLIENT, .anybody = true };
    *g = (struct greeter){ .dtls = tr_dtls_create(&conf) };
    tr_dtls_start(g->dtls, tr_clock_now());
    keep_hello(g);
    tr_udp_send(udp, path, tr_slice(g->hello, g->n));
    tr_udp_flush(udp);
    g->n = 0;
    for (int i = 0; i < 100 && g->n == 0; i++) {
        run_for(net->rig, 5 * TR_MSEC);
        tr_udp_receive(udp, 0, cookie_in, g);
        keep_hello(g);
    }
    return CHECK(g->n > 0);
}

/* Two ClientHellos of one path in turn, each with its cookie: each ends the other's handshake and
 * begins one, for which the server signs. */
TEST(hellos_are_throttled_though_their_cookies_are_good)
{
    enum { HELLOS = 400 };
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, 0);
    struct tr_path path = { .local = loopback, .remote = loopback };
    struct greeter g[2] = { 0 };
    struct tr_udp *udp = NULL;
    struct net net;
    if (net_open_with(&net, &(struct net_conf){ .unproven_per_second = 20 }) &&
        CHECK(tr_udp_open(&udp, &loopback, 1, 0, false) == TR_OK)) {
        path.local.port = tr_udp_port(udp);
        path.remote.port = tr_media_turn_port(net.rig->media);
        if (greeter_open(&g[0], &net, udp, &path) && greeter_open(&g[1], &net, udp, &path)) {
            for (int i = 0; i < HELLOS; i++)
                tr_udp_send(udp, &path, tr_slice(g[i % 2].hello, g[i % 2].n));
            tr_udp_flush(udp);
            WAIT_FOR(net.rig, all_counters(&net).dtls.refused[TR_MEDIA_DTLS_REFUSED_THROTTLED] >=
                                  HELLOS / 4); /* half are those of the one that is there */
        }
    }
    net_close(&net);
    tr_udp_close(udp);
    tr_dtls_destroy(g[0].dtls);
    tr_dtls_destroy(g[1].dtls);
}

static bool is_shown(struct tunnel *t, const struct tr_dtls_cert *cert)
{
    tunnel_speak(t);
    WAIT_FOR(t->net->rig, tr_dtls_is_connected(t->dtls));
    X509 *seen = SSL_get0_peer_certificate(t->dtls->ssl);
    return seen && X509_cmp(seen, cert->x509) == 0;
}

TEST(a_certificate_is_renewed)
{
    const struct request plain = { .method = TR_TURN_ALLOCATE };
    const struct request stay = { .method = TR_TURN_REFRESH };
    struct tr_dtls_cert *cert = tr_dtls_cert_create(1700000000);
    struct tr_dtls_ctx *ctx = tr_dtls_ctx_create(cert);
    struct net net;
    struct tr_stun m;
    if (net_open(&net, NULL)) {
        struct tunnel *a = tunnel_open_raw(&net, true);
        CHECK(a && !is_shown(a, cert) && allocate(a, &plain, 0, NULL) > 0);
        CHECK_INT(tr_media_turn_renew(net.rig->media, ctx), TR_OK);
        run_for(net.rig, 50 * TR_MSEC);
        for (int i = 0; i < 4; i++) { /* of both workers, most likely */
            struct tunnel *b = tunnel_open_raw(&net, true);
            CHECK(b && is_shown(b, cert) && allocate(b, &plain, 0, NULL) > 0);
        }
        CHECK_INT(ask(a, &stay, &m), 0); /* it lives on */
    }
    net_close(&net);
    tr_dtls_ctx_destroy(ctx);
    tr_dtls_cert_destroy(cert);
}

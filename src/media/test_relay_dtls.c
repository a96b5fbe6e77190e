/* Goal: a client over DTLS gets what lives on another worker than its association does, as a client
 * over UDP does: a reserved port, and its own allocation after a move; data goes both ways, and the
 * end of the association is the end of the allocation.
 * Method: associations that say what is written here; the relayed port tells the worker. */
#include <string.h>

#include "dtls/internal.h"
#include "media/test_relay_rig.h"
#include "net/udp.h"
#include "stun/stun.h"

enum { ATTR_MAX = 64, PAIR = 0x80 };

struct request { /* one attribute besides what is always there */
    uint16_t method, attr;
    uint8_t value[ATTR_MAX];
    size_t value_n;
};

static struct request request_of(uint16_t method, uint16_t attr, struct tr_slice value)
{
    struct request q = { .method = method, .attr = attr };
    if (CHECK(value.n <= sizeof q.value)) {
        memcpy(q.value, value.p, value.n);
        q.value_n = value.n;
    }
    return q;
}

/* challenge: the 401 whose realm and nonce are used; NULL: none yet */
static struct tr_slice write_request(struct tr_wr *w, const struct request *q, uint8_t first,
                                     const struct tr_stun *challenge)
{
    const uint8_t txid[TR_STUN_TXID] = { first };
    uint8_t key[TR_STUN_KEY_MAX];
    tr_stun_begin(w, TR_STUN_REQUEST, q->method, txid);
    if (q->method == TR_TURN_ALLOCATE)
        tr_stun_put_u32(w, TR_TURN_REQUESTED_TRANSPORT, 17u << 24);
    if (q->attr)
        tr_stun_put(w, q->attr, tr_slice(q->value, q->value_n));
    if (challenge) {
        size_t n = tr_stun_long_term_key(tr_slice_str("ann"), challenge->realm,
                                         tr_slice_str("secret"), false, key);
        tr_stun_put(w, TR_STUN_USERNAME, tr_slice_str("ann"));
        tr_stun_put(w, TR_STUN_REALM, challenge->realm);
        tr_stun_put(w, TR_STUN_NONCE, challenge->nonce);
        tr_stun_put_integrity(w, tr_slice(key, n), false);
    }
    return tr_stun_end(w);
}

static bool answered(const struct tunnel *t, uint8_t first, struct tr_stun *m)
{
    return tr_stun_parse(m, tr_slice(t->last, t->last_n), TR_STUN_FOR_TURN) == TR_OK &&
           m->txid[0] == first && m->cls != TR_STUN_INDICATION;
}

static void exchange(struct tunnel *t, const struct request *q, const struct tr_stun *challenge,
                     struct tr_stun *m)
{
    static uint8_t first;
    uint8_t bytes[1000];
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    struct tr_slice msg = write_request(&w, q, ++first, challenge);
    t->last_n = 0;
    for (int i = 0; i < 50 && !answered(t, first, m); i++) {
        to_relay(t, msg);
        tunnel_speak(t);
        for (int k = 0; k < 100 && !answered(t, first, m); k++)
            rig_turn(t->net->rig);
    }
    CHECK(answered(t, first, m));
}

/* The code of the answer; 0: success. *m borrows from t. */
static int ask(struct tunnel *t, const struct request *q, struct tr_stun *m)
{
    uint8_t bytes[sizeof t->last];
    struct tr_stun challenge;
    exchange(t, q, NULL, &challenge);
    if (challenge.error_code != TR_STUN_UNAUTHENTICATED)
        return -1;
    memcpy(bytes, t->last, t->last_n);
    CHECK(tr_stun_parse(&challenge, tr_slice(bytes, t->last_n), TR_STUN_FOR_TURN) == TR_OK);
    exchange(t, q, &challenge, m);
    return m->error_code;
}

/* The relayed port; 0: refused. found: the attribute that is wanted besides; 0: none. */
static uint16_t allocate(struct tunnel *t, const struct request *q, uint16_t found,
                         struct request *next)
{
    struct tr_stun m;
    struct tr_slice value;
    struct tr_addr relayed;
    CHECK_INT(ask(t, q, &m), 0);
    if (!CHECK(tr_stun_find(&m, TR_TURN_XOR_RELAYED_ADDRESS, &value) &&
               tr_stun_read_addr(&m, value, true, &relayed) == TR_OK))
        return 0;
    if (found && CHECK(tr_stun_find(&m, found, &value)))
        *next = request_of(next->method, found, value);
    return relayed.port;
}

/* One whose association lives on the other worker than that port. */
static struct tunnel *elsewhere(struct net *net, uint16_t port)
{
    const struct request plain = { .method = TR_TURN_ALLOCATE };
    const struct request stop =
        request_of(TR_TURN_REFRESH, TR_TURN_LIFETIME, tr_slice("\0\0\0", 4));
    struct tr_stun m;
    while (net->tunnels_count < TUNNELS_MAX) {
        struct tunnel *t = tunnel_open_raw(net);
        uint16_t at = t ? allocate(t, &plain, 0, NULL) : 0;
        if (at == 0)
            return NULL;
        CHECK_INT(ask(t, &stop, &m), 0);
        if (worker_of_port(at) != worker_of_port(port))
            return t;
    }
    CHECK(false);
    return NULL;
}

static bool has_data(const struct tunnel *t)
{
    struct tr_stun m;
    struct tr_slice data;
    return tr_stun_parse(&m, tr_slice(t->last, t->last_n), TR_STUN_FOR_TURN) == TR_OK &&
           m.method == TR_TURN_DATA && tr_stun_find(&m, TR_TURN_DATA_ATTR, &data) &&
           tr_slice_eq(data, tr_slice_str("ping"));
}

static void echo_back(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    tr_udp_send(arg, path, datagram);
}

static struct tr_slice write_send(struct tr_wr *w, const struct tr_addr *peer)
{
    static const uint8_t txid[TR_STUN_TXID] = "data";
    tr_stun_begin(w, TR_STUN_INDICATION, TR_TURN_SEND, txid);
    tr_stun_put_addr(w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    tr_stun_put(w, TR_TURN_DATA_ATTR, tr_slice_str("ping"));
    return tr_stun_end(w);
}

/* To a peer and back. */
static void check_data(struct tunnel *t)
{
    uint8_t bytes[200];
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    struct tr_udp *echo = NULL;
    struct tr_stun m;
    struct tr_slice peer = { 0 };
    if (!CHECK(open_socket(t->net->rig, &echo)))
        return;
    struct tr_addr at = tr_addr_v4(127, 0, 0, 1, tr_udp_port(echo));
    struct tr_slice msg = write_send(&w, &at);
    CHECK(tr_stun_parse(&m, msg, TR_STUN_FOR_TURN) == TR_OK &&
          tr_stun_find(&m, TR_TURN_XOR_PEER_ADDRESS, &peer));
    const struct request permit =
        request_of(TR_TURN_CREATE_PERMISSION, TR_TURN_XOR_PEER_ADDRESS, peer);
    CHECK_INT(ask(t, &permit, &m), 0);
    for (int i = 0; i < 2000 && !has_data(t); i++) {
        if (i % 20 == 0)
            to_relay(t, msg);
        tunnel_speak(t);
        rig_turn(t->net->rig);
        while (tr_udp_receive(echo, 0, echo_back, echo)) {
        }
        tr_udp_flush(echo);
    }
    CHECK(has_data(t));
    tr_udp_close(echo);
}

static void leave(struct tunnel *t)
{
    tr_dtls_close(t->dtls);
    tunnel_speak(t);
}

TEST(a_reserved_port_of_another_worker)
{
    const uint8_t pair = PAIR;
    struct net net;
    struct request first = request_of(TR_TURN_ALLOCATE, TR_TURN_EVEN_PORT, tr_slice(&pair, 1));
    struct request second = { .method = TR_TURN_ALLOCATE };
    if (net_open(&net, "127.0.0.1")) {
        struct tunnel *a = tunnel_open_raw(&net);
        uint16_t port = a ? allocate(a, &first, TR_TURN_RESERVATION_TOKEN, &second) : 0;
        struct tunnel *b = elsewhere(&net, port);
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
        struct tunnel *a = tunnel_open_raw(&net);
        uint16_t port = a ? allocate(a, &first, TR_TURN_MOBILITY_TICKET, &move) : 0;
        struct tunnel *b = elsewhere(&net, port);
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
        struct tunnel *a = tunnel_open_raw(&net);
        const struct request plain = { .method = TR_TURN_ALLOCATE };
        CHECK(a && allocate(a, &plain, 0, NULL) > 0);
        struct tunnel *b = tunnel_open_raw(&net);
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
        struct tunnel *a = tunnel_open_raw(&net);
        CHECK(a && !is_shown(a, cert) && allocate(a, &plain, 0, NULL) > 0);
        CHECK_INT(tr_media_turn_renew(net.rig->media, ctx), TR_OK);
        run_for(net.rig, 50 * TR_MSEC);
        for (int i = 0; i < 4; i++) { /* of both workers, most likely */
            struct tunnel *b = tunnel_open_raw(&net);
            CHECK(b && is_shown(b, cert) && allocate(b, &plain, 0, NULL) > 0);
        }
        CHECK_INT(ask(a, &stay, &m), 0); /* it lives on */
    }
    net_close(&net);
    tr_dtls_ctx_destroy(ctx);
    tr_dtls_cert_destroy(cert);
}

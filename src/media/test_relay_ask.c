/* See test_relay_ask.h. */
#include "media/test_relay_ask.h"

#include <string.h>

#include "net/udp.h"

struct request request_of(uint16_t method, uint16_t attr, struct tr_slice value)
{
    struct request q = { .method = method, .attr = attr };
    if (CHECK(value.n <= sizeof q.value)) {
        memcpy(q.value, value.p, value.n);
        q.value_n = value.n;
    }
    return q;
}

struct tr_slice write_request(struct tr_wr *w, const struct request *q, uint8_t first,
                              const struct tr_stun *challenge)
{
    const uint8_t txid[TR_STUN_TXID] = { first };
    uint8_t key[TR_STUN_KEY_MAX];
    tr_stun_begin(w, TR_STUN_REQUEST, q->method, txid);
    if (q->method == TR_TURN_ALLOCATE)
        tr_stun_put_u32(w, TR_TURN_REQUESTED_TRANSPORT, (q->tcp ? 6u : 17u) << 24);
    if (q->attr)
        tr_stun_put(w, q->attr, tr_slice(q->value, q->value_n));
    if (q->mobile)
        tr_stun_put(w, TR_TURN_MOBILITY_TICKET, tr_slice("", 0));
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

int ask(struct tunnel *t, const struct request *q, struct tr_stun *m)
{
    const struct request first = { .method =
                                       TR_TURN_ALLOCATE }; /* others are too short for a 401 */
    uint8_t bytes[sizeof t->last];
    struct tr_stun challenge;
    exchange(t, &first, NULL, &challenge);
    if (challenge.error_code != TR_STUN_UNAUTHENTICATED)
        return -1;
    memcpy(bytes, t->last, t->last_n);
    CHECK(tr_stun_parse(&challenge, tr_slice(bytes, t->last_n), TR_STUN_FOR_TURN) == TR_OK);
    exchange(t, q, &challenge, m);
    return m->error_code;
}

uint16_t allocate(struct tunnel *t, const struct request *q, uint16_t found, struct request *next)
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

struct tunnel *tunnel_beside(struct net *net, bool dtls, int worker, int other)
{
    const struct request plain = { .method = TR_TURN_ALLOCATE };
    const struct request stop =
        request_of(TR_TURN_REFRESH, TR_TURN_LIFETIME, tr_slice("\0\0\0", 4));
    struct tr_stun m;
    while (net->tunnels_count < TUNNELS_MAX) {
        struct tunnel *t = tunnel_open_raw(net, dtls);
        uint16_t at = t ? allocate(t, &plain, 0, NULL) : 0;
        if (at == 0)
            return NULL;
        CHECK_INT(ask(t, &stop, &m), 0);
        t->worker = worker_of_port(net, at);
        if (t->worker != worker && t->worker != other)
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

void check_data(struct tunnel *t)
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

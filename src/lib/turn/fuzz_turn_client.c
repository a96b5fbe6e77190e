/* The life of a TURN client from bytes: time passing, sends, close, raw messages, and a server that
 * knows the key and answers the newest requests, rightly or not. Polling ends, timeouts make
 * progress, what is sent parses, data lies inside of what came in. */
#include "turn/client.h"

#include "base/assert.h"
#include "base/rng.h"
#include "stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { POLLS_MAX = 200, REALM_BYTE_MAX = 40 };

struct life {
    struct tr_turn_client *client;
    tr_usec now;
    uint8_t request[2000]; /* the newest */
    size_t request_n;
    struct tr_slice in;
    uint8_t key[TR_STUN_KEY_MAX];
    size_t key_n;
    bool over;
};

static void on_send(struct life *l, struct tr_slice msg)
{
    struct tr_stun m;
    TR_ASSERT(msg.n <= sizeof l->request);
    if (msg.p[0] >= 0x40)
        return;
    TR_ASSERT(tr_stun_parse(&m, msg, TR_STUN_FOR_TURN) == TR_OK);
    TR_ASSERT(m.cls == TR_STUN_REQUEST || m.method == TR_TURN_SEND);
    if (m.cls != TR_STUN_REQUEST)
        return;
    memcpy(l->request, msg.p, msg.n);
    l->request_n = msg.n;
}

static void poll(struct life *l)
{
    struct tr_turn_client_out out;
    for (int i = 0; i < POLLS_MAX; i++) {
        tr_turn_client_poll(l->client, l->now, &out);
        switch (out.kind) {
        case TR_TURN_CLIENT_NONE: return;
        case TR_TURN_CLIENT_SEND: on_send(l, out.data); break;
        case TR_TURN_CLIENT_DATA:
            TR_ASSERT(out.data.n == 0 ||
                      (out.data.p >= l->in.p && out.data.p + out.data.n <= l->in.p + l->in.n));
            break;
        case TR_TURN_CLIENT_FAILED:
            TR_ASSERT(!l->over);
            l->over = true;
            break;
        case TR_TURN_CLIENT_ALLOCATED: TR_ASSERT(!l->over); break;
        }
    }
    TR_ASSERT(!"polling ends");
}

static void input(struct life *l, struct tr_slice msg)
{
    l->in = msg;
    (void)!tr_turn_client_input(l->client, l->now, msg);
    poll(l);
}

static void learn_key(struct life *l, const struct tr_stun *m)
{
    struct tr_slice chosen;
    bool sha256 = tr_stun_find(m, TR_STUN_PASSWORD_ALGORITHM, &chosen) && chosen.p[1] == 2;
    if (m->has & TR_STUN_HAS_REALM)
        l->key_n = tr_stun_long_term_key(tr_slice_str("user"), m->realm, tr_slice_str("password"),
                                         sha256, l->key);
}

/* An answer to the newest request, made of what the bytes say. */
static void answer(struct life *l, struct tr_rd *r)
{
    static uint8_t buf[3000];
    struct tr_stun m;
    struct tr_addr addr = tr_addr_v4(192, 0, 2, 1, 5000);
    struct tr_wr w = tr_wr(buf, sizeof buf);
    unsigned what = tr_rd_u8(r);
    if (l->request_n == 0 ||
        tr_stun_parse(&m, tr_slice(l->request, l->request_n), TR_STUN_FOR_TURN) != TR_OK)
        return;
    learn_key(l, &m);
    bool error = what & 1;
    tr_stun_begin(&w, error ? TR_STUN_ERROR : TR_STUN_SUCCESS, m.method, m.txid);
    if (error) {
        static const enum tr_stun_code codes[] = { TR_STUN_UNAUTHENTICATED, TR_STUN_STALE_NONCE,
                                                   TR_TURN_FORBIDDEN, TR_TURN_ALLOCATION_MISMATCH };
        tr_stun_put_error(&w, codes[what >> 1 & 3]);
    } else {
        tr_stun_put_u32(&w, TR_TURN_LIFETIME, tr_rd_u8(r));
        if (what & 2)
            tr_stun_put_addr(&w, TR_TURN_XOR_RELAYED_ADDRESS, &addr, true);
    }
    if (what & 8) {
        tr_stun_put(&w, TR_STUN_REALM, tr_rd_take(r, tr_rd_u8(r) % REALM_BYTE_MAX));
        tr_stun_put(&w, TR_STUN_NONCE, tr_rd_take(r, tr_rd_u8(r) % REALM_BYTE_MAX));
    }
    if (what & 16)
        tr_stun_put(&w, TR_STUN_PASSWORD_ALGORITHMS, tr_rd_take(r, tr_rd_u8(r) % 16));
    if (what & 32)
        tr_stun_put_integrity(&w, tr_slice(l->key, l->key_n), what & 64);
    input(l, tr_stun_end(&w));
}

static void pass(struct life *l, tr_usec us)
{
    l->now += us;
    for (int i = 0; tr_turn_client_next_timeout(l->client) <= l->now; i++) {
        TR_ASSERT(i < POLLS_MAX);
        tr_turn_client_timeout(l->client, l->now);
        poll(l);
    }
}

static void step(struct life *l, struct tr_rd *r)
{
    struct tr_addr peer = tr_addr_v4(198, 51, 100, 0, 7000);
    switch (tr_rd_u8(r) % 6) {
    case 0: pass(l, tr_rd_u16(r) * 10 * TR_MSEC); break;
    case 1:
    case 2: answer(l, r); break;
    case 3:
        peer.ip[15] = tr_rd_u8(r) % 40;
        if (tr_turn_client_send(l->client, l->now, &peer, tr_rd_take(r, tr_rd_u8(r))) == TR_OK)
            TR_ASSERT(!l->over);
        poll(l);
        break;
    case 4: input(l, tr_rd_take(r, tr_rd_u8(r))); break;
    case 5:
        if (tr_rd_u8(r) > 250) {
            tr_turn_client_close(l->client, l->now);
            poll(l);
        }
        break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    struct tr_rng rng = tr_rng_seeded(data[0]);
    struct tr_turn_client_conf conf = { .username = "user",
                                        .password = "password",
                                        .sha256 = data[0] & 1,
                                        .v6 = data[0] >> 1 & 1,
                                        .rng = &rng };
    conf.server.remote.proto = data[0] & 4 ? TR_PROTO_TCP : TR_PROTO_UDP;
    struct life l = { .now = TR_SECOND, .client = tr_turn_client_create(&conf, TR_SECOND) };
    struct tr_rd r = tr_rd(tr_slice(data + 1, n - 1));
    poll(&l);
    while (!r.bad && tr_rd_left(&r) > 0)
        step(&l, &r);
    pass(&l, 1000 * TR_SECOND);
    tr_turn_client_destroy(l.client);
    return 0;
}

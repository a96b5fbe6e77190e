/* Goal: the answer says where the request came from, leaves by the socket that was asked for, and
 * is never worth a forged request.
 * Method: tables of requests; the bound on sizes is checked for each of them. */
#include "turn/binding.h"

#include "stun/stun.h"
#include "unit.h"

static const uint8_t txid[TR_STUN_TXID] = "abcdefghijkl";
static uint8_t answer_bytes[1600];

struct question {
    bool v6, tcp, fingerprint, discovery, has_port;
    uint32_t change;
    uint16_t unknown;
    size_t padding;
    int at; /* socket: bit 0 the other IP, bit 1 the other port */
};

static struct tr_addr ours(bool v6, bool other_ip, bool other_port)
{
    struct tr_addr a = tr_addr_v4(192, 0, 2, other_ip ? 2 : 1, other_port ? 3479 : 3478);
    if (v6)
        a = (struct tr_addr){ .ip = { 0x20, 1, [15] = other_ip ? 2 : 1 }, .port = a.port };
    return a;
}

static struct tr_slice write_question(const struct question *q, uint8_t *buf, size_t size)
{
    static const uint8_t zeros[1400];
    struct tr_wr w = tr_wr(buf, size);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    if (q->change)
        tr_stun_put_u32(&w, TR_STUN_CHANGE_REQUEST, q->change);
    if (q->has_port)
        tr_stun_put_u32(&w, TR_STUN_RESPONSE_PORT, 9999u << 16);
    if (q->padding)
        tr_stun_put(&w, TR_STUN_PADDING, tr_slice(zeros, q->padding));
    if (q->unknown)
        tr_stun_put_u32(&w, q->unknown, 0);
    if (q->fingerprint)
        tr_stun_put_fingerprint(&w);
    return tr_stun_end(&w);
}

static enum tr_err ask(const struct question *q, struct tr_stun *answer, struct tr_path *path,
                       struct tr_path *out)
{
    uint8_t buf[1500];
    struct tr_stun m;
    struct tr_binding_conf conf = { .main = ours(q->v6, false, false) };
    struct tr_slice msg = write_question(q, buf, sizeof buf);
    struct tr_wr w = tr_wr(answer_bytes, sizeof answer_bytes);
    if (q->discovery)
        conf.other = ours(q->v6, true, true);
    *path = (struct tr_path){ .local = ours(q->v6, q->at & 1, q->at >> 1 & 1),
                              .remote = tr_addr_v4(198, 51, 100, 7, 4242) };
    if (q->v6)
        path->remote = (struct tr_addr){ .ip = { 0x20, 1, [14] = 9 }, .port = 4242 };
    path->local.proto = path->remote.proto = q->tcp ? TR_PROTO_TCP : TR_PROTO_UDP;
    CHECK_INT(tr_stun_parse(&m, msg, TR_STUN_FOR_TURN), TR_OK);
    enum tr_err err = tr_binding_answer(&conf, path, &m, &w, out);
    size_t headers = q->v6 ? 48 : 28;
    if (err == TR_OK) {
        CHECK(tr_wr_len(&w) + headers <= 2 * (msg.n + headers));
        CHECK_INT(tr_stun_parse(answer, tr_wr_slice(&w), TR_STUN_FOR_TURN), TR_OK);
        CHECK(memcmp(answer->txid, txid, sizeof txid) == 0);
        CHECK_INT(!!(answer->has & TR_STUN_HAS_FINGERPRINT), q->fingerprint);
    }
    return err;
}

static struct tr_addr addr_of(const struct tr_stun *m, uint16_t type)
{
    struct tr_slice value;
    struct tr_addr a = { 0 };
    if (tr_stun_find(m, type, &value))
        CHECK_INT(tr_stun_read_addr(m, value, false, &a), TR_OK);
    return a;
}

TEST(binding_tells_the_address)
{
    for (int i = 0; i < 8; i++) {
        struct question q = { .v6 = i & 1, .tcp = i >> 1 & 1, .fingerprint = i >> 2 & 1 };
        struct tr_stun m;
        struct tr_path path, out;
        struct tr_slice value;
        CHECK_INT(ask(&q, &m, &path, &out), TR_OK);
        CHECK(m.cls == TR_STUN_SUCCESS && m.method == TR_STUN_BINDING);
        CHECK(tr_addr_ip_eq(&m.xor_mapped, &path.remote) && m.xor_mapped.port == path.remote.port);
        CHECK(tr_path_eq(&path, &out));
        CHECK(!tr_stun_find(&m, TR_STUN_OTHER_ADDRESS, &value));
        CHECK(!tr_stun_find(&m, TR_STUN_RESPONSE_ORIGIN, &value));
    }
}

TEST(binding_moves_as_asked)
{
    for (int i = 0; i < 32; i++) {
        int at = i & 3;
        bool ip = i >> 2 & 1, port = i >> 3 & 1, v6 = i >> 4;
        struct question q = { .discovery = true, .v6 = v6, .at = at };
        struct tr_stun m;
        struct tr_path path, out;
        q.change = (ip ? 4 : 0) | (port ? 2 : 0);
        CHECK_INT(ask(&q, &m, &path, &out), TR_OK);
        struct tr_addr want = ours(v6, (at & 1) ^ ip, (at >> 1 & 1) ^ port);
        struct tr_addr other = ours(v6, !(at & 1), !(at >> 1 & 1));
        struct tr_addr told = addr_of(&m, TR_STUN_OTHER_ADDRESS);
        CHECK(tr_addr_eq(&out.local, &want) && tr_addr_eq(&out.remote, &path.remote));
        CHECK(tr_addr_eq(&told, &other));
        told = addr_of(&m, TR_STUN_RESPONSE_ORIGIN);
        CHECK(tr_addr_eq(&told, &want) || (v6 && !q.change)); /* there was no room for it */
    }
}

/* Behind a NAT that maps both addresses; and at a third address, which has no other. */
TEST(binding_tells_what_clients_know)
{
    struct tr_binding_conf conf = { .main = ours(false, false, false),
                                    .other = ours(false, true, true),
                                    .main_known = tr_addr_v4(198, 51, 100, 1, 0),
                                    .other_known = tr_addr_v4(198, 51, 100, 2, 0) };
    struct tr_path out, path = { conf.main, tr_addr_v4(203, 0, 113, 7, 4242) };
    struct question q = { .padding = 64 };
    uint8_t buf[200];
    struct tr_slice value, msg = write_question(&q, buf, sizeof buf);
    struct tr_stun m, answer;
    struct tr_wr w = tr_wr(answer_bytes, sizeof answer_bytes);
    CHECK_INT(tr_stun_parse(&m, msg, TR_STUN_FOR_TURN), TR_OK);
    CHECK_INT(tr_binding_answer(&conf, &path, &m, &w, &out), TR_OK);
    CHECK_INT(tr_stun_parse(&answer, tr_wr_slice(&w), TR_STUN_FOR_TURN), TR_OK);
    struct tr_addr want = tr_addr_v4(198, 51, 100, 2, 3479);
    struct tr_addr told = addr_of(&answer, TR_STUN_OTHER_ADDRESS);
    CHECK(tr_addr_eq(&told, &want));
    want = tr_addr_v4(198, 51, 100, 1, 3478);
    told = addr_of(&answer, TR_STUN_RESPONSE_ORIGIN);
    CHECK(tr_addr_eq(&told, &want));
    CHECK(tr_addr_eq(&out.local, &path.local));

    path.local = tr_addr_v4(192, 0, 2, 3, 3478);
    w = tr_wr(answer_bytes, sizeof answer_bytes);
    CHECK_INT(tr_binding_answer(&conf, &path, &m, &w, &out), TR_OK);
    CHECK_INT(tr_stun_parse(&answer, tr_wr_slice(&w), TR_STUN_FOR_TURN), TR_OK);
    CHECK(!tr_stun_find(&answer, TR_STUN_OTHER_ADDRESS, &value));
    CHECK(tr_path_eq(&out, &path));
}

TEST(binding_answers_at_another_port)
{
    struct question q = { .discovery = true, .has_port = true };
    struct tr_stun m;
    struct tr_path path, out;
    CHECK_INT(ask(&q, &m, &path, &out), TR_OK);
    CHECK_INT(out.remote.port, 9999);
    CHECK_INT(m.xor_mapped.port, 4242);
    CHECK(tr_addr_ip_eq(&out.remote, &path.remote));
    q.discovery = false;
    CHECK_INT(ask(&q, &m, &path, &out), TR_OK);
    CHECK_INT(out.remote.port, 4242);
}

TEST(binding_pads_as_far_as_it_may)
{
    struct tr_slice value;
    struct tr_stun m;
    struct tr_path path, out;
    for (size_t n = 1; n < 1400; n += 13) {
        struct question q = { .discovery = true, .padding = n, .fingerprint = n & 1 };
        CHECK_INT(ask(&q, &m, &path, &out), TR_OK);
        CHECK(tr_stun_find(&m, TR_STUN_PADDING, &value));
        CHECK_INT(value.n, n & ~(size_t)3);
        q.discovery = false;
        CHECK_INT(ask(&q, &m, &path, &out), TR_OK);
        CHECK(!tr_stun_find(&m, TR_STUN_PADDING, &value));
    }
}

TEST(binding_refuses)
{
    static const struct {
        struct question q;
        int code;
    } table[] = {
        { { .change = 4 }, 420 },
        { { .change = 2, .discovery = true, .tcp = true }, 420 },
        { { .change = 1, .discovery = true }, 0 },
        { { .unknown = 0x7001 }, 420 },
        { { .unknown = 0x7001, .fingerprint = true }, 420 },
        { { .unknown = 0x9001 }, 0 },
        { { .padding = 8, .has_port = true, .discovery = true }, 400 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tr_stun m;
        struct tr_path path, out;
        CHECK_INT(ask(&table[i].q, &m, &path, &out), TR_OK);
        if (!CHECK(m.error_code == table[i].code))
            unit_note("    row %zu: %d", i, m.error_code);
        CHECK(tr_path_eq(&path, &out));
    }
}

TEST(binding_leaves_the_rest_alone)
{
    uint8_t buf[100], small[30];
    struct tr_stun m;
    struct tr_path path = { 0 }, out;
    struct tr_binding_conf conf = { 0 };
    for (int cls = 0; cls < 4; cls++) {
        for (uint16_t method = 1; method < 4; method += 2) {
            struct tr_wr w = tr_wr(buf, sizeof buf);
            tr_stun_begin(&w, (enum tr_stun_class)cls, method, txid);
            CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_TURN), TR_OK);
            struct tr_wr answer = tr_wr(small, sizeof small);
            CHECK_INT(tr_binding_answer(&conf, &path, &m, &answer, &out),
                      cls == 0 && method == 1 ? TR_ERR_LIMIT : TR_ERR_IGNORED);
        }
    }
}

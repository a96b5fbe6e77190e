/* Goal: bad datagrams are counted and change nothing; a handshake survives them.
 * Method: hand-made records for each rule of the filter; ClientHellos cut into fragments by hand
 * and shuffled; alerts and messages of the wrong role during a
 * handshake; garbage for connected ends; floods against the budgets. */
#include "dtls/dtls_test.h"
#include "dtls/filter.h"

static size_t record(uint8_t *p, uint8_t type, uint16_t version, uint16_t epoch, const void *body,
                     size_t n)
{
    p[0] = type;
    tr_put16(p + 1, version);
    tr_put16(p + 3, epoch);
    memset(p + 5, 0, 6);
    tr_put16(p + 11, (uint16_t)n);
    memcpy(p + DTLS_RECORD_HEADER, body, n);
    return DTLS_RECORD_HEADER + n;
}

/* A fragment of a handshake message in a record of its own. */
static size_t fragment(uint8_t *p, uint64_t record_seq, uint8_t type, uint16_t seq,
                       struct tr_slice message, size_t offset, size_t n)
{
    uint8_t body[1500];

    body[0] = type;
    tr_put24(body + 1, (uint32_t)message.n);
    tr_put16(body + 4, seq);
    tr_put24(body + 6, (uint32_t)offset);
    tr_put24(body + 9, (uint32_t)n);
    memcpy(body + 12, message.p + offset, n);
    size_t len = record(p, DTLS_HANDSHAKE, 0xfefd, 0, body, 12 + n);
    tr_put16(p + 5, (uint16_t)(record_seq >> 32));
    tr_put32(p + 7, (uint32_t)record_seq);
    return len;
}

TEST(dtls_filter_rules)
{
    static const struct {
        uint8_t type;
        uint16_t version, epoch;
        const char *body;
        size_t n;
        bool connected;
        size_t counter; /* offset in the stats of what must go up */
    } table[] = {
#define C(name) offsetof(struct tr_dtls_stats, name)
#define HELLO "\1\0\0\1\0\0\0\0\0\0\0\1x"
        { 22, 0xfefd, 0, HELLO, 13, false, C(accepted) },
        { 22, 0xfeff, 0, HELLO, 13, false, C(accepted) },
        { 22, 0x0303, 0, HELLO, 13, false, C(malformed) },
        { 19, 0xfefd, 0, HELLO, 13, false, C(malformed) },
        { 26, 0xfefd, 0, HELLO, 13, false, C(malformed) },
        { 22, 0xfefd, 0, "", 0, false, C(malformed) },
        { 22, 0xfefd, 0, HELLO, 12, false, C(malformed) }, /* fragment beyond record */
        { 22, 0xfefd, 0, "\1\0\0\1\0\0\0\0\1\0\0\1x", 13, false,
          C(malformed) },                                                       /* beyond message */
        { 22, 0xfefd, 0, "\1\0\0\1\0\0\0\0\0\0\0\0", 12, false, C(malformed) }, /* empty */
        { 22, 0xfefd, 0, "\1\1\0\0\0\0\0\0\0\0\0\1x", 13, false, C(malformed) },   /* 64 KiB */
        { 22, 0xfefd, 0, "\1\0\0\1\1\0\0\0\0\0\0\1x", 13, false, C(malformed) },   /* number 256 */
        { 22, 0xfefd, 0, "\2\0\0\1\0\0\0\0\0\0\0\1x", 13, false, C(unexpected) },  /* ServerHello */
        { 22, 0xfefd, 0, "\24\0\0\1\0\0\0\0\0\0\0\1x", 13, false, C(unexpected) }, /* Finished */
        { 22, 0xfefd, 1, HELLO, 13, false, C(epoch) },
        { 22, 0xfefd, 0, HELLO, 13, true, C(epoch) },
        { 20, 0xfefd, 0, "\1", 1, false, C(accepted) },
        { 20, 0xfefd, 0, "\2", 1, false, C(malformed) },
        { 20, 0xfefd, 0, "\1\1", 2, false, C(malformed) },
        { 20, 0xfefd, 1, "\1", 1, true, C(unexpected) },
        { 21, 0xfefd, 0, "\2\50", 2, false, C(alerts) },
        { 21, 0xfefd, 0, "\2\50", 2, true, C(alerts) },
        { 21, 0xfefd, 1, "encrypted", 9, true, C(accepted) },
        { 23, 0xfefd, 0, "data", 4, false, C(unexpected) },
        { 23, 0xfefd, 1, "data", 4, true, C(accepted) },
        { 23, 0xfefd, 2, "data", 4, true, C(epoch) },
        { 24, 0xfefd, 1, "heartbeat", 9, true, C(unexpected) },
        { 25, 0xfefd, 1, "cid", 3, true, C(unexpected) },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct dtls_filter filter;
        uint8_t p[64];
        dtls_filter_init(&filter, TR_DTLS_SERVER);
        filter.connected = table[i].connected;
        filter.epoch = table[i].connected ? 1 : 0;
        size_t n =
            record(p, table[i].type, table[i].version, table[i].epoch, table[i].body, table[i].n);
        bool pass = dtls_filter_record(&filter, TR_SECOND, tr_slice(p, n));
        uint64_t counted;
        memcpy(&counted, (const char *)&filter.stats + table[i].counter, sizeof(counted));
        if (!CHECK(counted == 1 && pass == (table[i].counter == C(accepted))))
            unit_note("    row %zu", i);
    }
}

TEST(dtls_filter_rate_after_handshake)
{
    struct dtls_filter filter;
    uint8_t p[64];
    size_t n = record(p, DTLS_HANDSHAKE, 0xfefd, 1, "encrypted", 9), passed = 0;

    dtls_filter_init(&filter, TR_DTLS_SERVER);
    filter.connected = true;
    filter.epoch = 1;
    for (tr_usec now = TR_SECOND; now < 11 * TR_SECOND; now += TR_MSEC)
        passed += dtls_filter_record(&filter, now, tr_slice(p, n));
    CHECK(passed >= 100 && passed <= 105);
    CHECK_INT(filter.stats.limited, 10000 - passed);
    filter.resends_left = 0;
    CHECK(!dtls_filter_record(&filter, 12 * TR_SECOND, tr_slice(p, n)));
}

static void start_pair(struct net *net, const struct id *server, const struct id *client)
{
    struct tr_dtls_conf a = conf_of(server, client, TR_DTLS_SERVER);
    struct tr_dtls_conf b = conf_of(client, server, TR_DTLS_CLIENT);

    net->a.dtls = tr_dtls_create(&a);
    net->b.dtls = tr_dtls_create(&b);
    net_start(net);
}

/* The client's hello arrives in pieces, in any order, some twice. */
TEST(dtls_fragmented_client_hello)
{
    struct id server = id_create(), client = id_create();

    FOR_EACH_SEED (seed, 60) {
        struct net net;
        net_init(&net, seed);
        start_pair(&net, &server, &client);
        CHECK_INT(net.count, 1);
        struct flying hello = net.flying[0];
        struct tr_slice message = tr_slice(hello.p + 25, hello.n - 25);
        size_t step = 1 + tr_rng_below(&net.rng, message.n);
        step = step < 16 ? 16 : step;
        net.count = 0;
        net.jitter = seed % 2 ? 15 * TR_MSEC : 0;
        net.dup_pct = 20;
        uint64_t number =
            30; /* not the client's own, and not so far ahead that those are too old */
        for (size_t at = 0; at < message.n; at += step) {
            uint8_t p[TR_DTLS_DATAGRAM_MAX];
            size_t n = message.n - at < step ? message.n - at : step;
            net_put(&net, &net.a, tr_slice(p, fragment(p, number++, 1, 0, message, at, n)));
        }
        net.dup_pct = 0;
        net_run(&net, 5 * TR_SECOND);
        CHECK(net.a.connected && net.b.connected);
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
}

/* A hello of 3000 bytes, as with a post-quantum key share: three fragments in three datagrams. */
TEST(dtls_large_client_hello)
{
    struct id server = id_create(), client = id_create();
    struct net net;
    uint8_t big[3000], p[TR_DTLS_DATAGRAM_MAX];

    net_init(&net, 1);
    start_pair(&net, &server, &client);
    struct flying hello = net.flying[0];
    size_t n = hello.n - 25, pad = sizeof(big) - n;
    memcpy(big, hello.p + 25, n);
    /* the extensions' length stands behind version, random, session id, cookie, ciphers, methods */
    size_t at = 34;
    at += 1u + big[at];
    at += 1u + big[at];
    at += 2u + tr_get16(big + at);
    at += 1u + big[at];
    tr_put16(big + at, (uint16_t)(tr_get16(big + at) + pad));
    tr_put16(big + n, 0xfade); /* an extension that nobody knows */
    tr_put16(big + n + 2, (uint16_t)(pad - 4));
    memset(big + n + 4, 0, pad - 4);
    for (size_t i = 0; i < 3; i++) /* the last one first */
        CHECK_INT(tr_dtls_input(net.a.dtls, net.now,
                                tr_slice(p, fragment(p, 10 + i, 1, 0, tr_slice(big, sizeof(big)),
                                                     (2 - i) * 1000, 1000))),
                  TR_OK);
    net_poll(&net);
    CHECK_INT(net.a.sent, 1); /* it answered: the whole hello was read */
    net_deinit(&net);
    id_destroy(&server);
    id_destroy(&client);
}

/* Junk from every side at every step: random bytes, records with random contents, bent copies of
 * real datagrams, datagrams of the other role sent back. */
static void throw_junk(struct net *net, struct end *to)
{
    uint8_t p[600];
    size_t n = 1 + tr_rng_below(&net->rng, sizeof(p) - DTLS_RECORD_HEADER);
    uint8_t type = (uint8_t)(20 + tr_rng_below(&net->rng, 6));

    tr_rng_fill(&net->rng, p, sizeof(p));
    if (tr_rng_below(&net->rng, 2)) {
        uint8_t body[600];
        memcpy(body, p, n);
        if (tr_rng_below(&net->rng, 2)) { /* a plausible fragment header */
            body[0] = (uint8_t)tr_rng_below(&net->rng, 25);
            memset(body + 1, 0, 11);
        }
        n = record(p, type, 0xfefd, (uint16_t)tr_rng_below(&net->rng, 3), body, n);
    }
    enum tr_err err = tr_dtls_input(to->dtls, net->now, tr_slice(p, n));
    (void)err;
}

TEST(dtls_junk_does_not_end_a_connection)
{
    struct id server = id_create(), client = id_create();

    FOR_EACH_SEED (seed, 60) {
        struct net net;
        net_init(&net, seed);
        start_pair(&net, &server, &client);
        net_run(&net, 3 * TR_SECOND);
        CHECK(net.a.connected && net.b.connected);
        for (int i = 0; i < 200; i++) {
            throw_junk(&net, &net.a);
            throw_junk(&net, &net.b);
            net_poll(&net);
        }
        CHECK_INT(tr_dtls_send(net.a.dtls, tr_slice("still", 5)), TR_OK);
        CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice("here", 4)), TR_OK);
        net_poll(&net);
        net_run(&net, 4 * TR_SECOND);
        CHECK(net.b.data_n == 5 && net.a.data_n == 4);
        CHECK(net.a.reason == TR_DTLS_REASON_NONE && net.b.reason == TR_DTLS_REASON_NONE);
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
}

/* During the handshake: what the filter can see is wrong does no harm. */
TEST(dtls_alerts_and_wrong_roles_during_handshake)
{
    struct id server = id_create(), client = id_create();
    struct net net;
    uint8_t p[128];

    net_init(&net, 1);
    start_pair(&net, &server, &client);
    struct flying hello = net.flying[0];
    for (int step = 0; step < 10; step++) {
        struct tr_slice alert = tr_slice(p, record(p, DTLS_ALERT, 0xfefd, 0, "\2\50", 2));
        CHECK_INT(tr_dtls_input(net.a.dtls, net.now, alert), TR_ERR_BADMSG);
        CHECK_INT(tr_dtls_input(net.b.dtls, net.now, alert), TR_ERR_BADMSG);
        CHECK_INT(tr_dtls_input(net.b.dtls, net.now, tr_slice(hello.p, hello.n)), TR_ERR_BADMSG);
        CHECK_INT(tr_dtls_input(net.b.dtls, net.now, tr_slice("\200rtp", 4)), TR_ERR_IGNORED);
        net_run(&net, net.now + 3 * TR_MSEC);
    }
    net_run(&net, 3 * TR_SECOND);
    CHECK(net.a.connected && net.b.connected);
    CHECK_INT(tr_dtls_stats(net.a.dtls)->alerts, 10);
    CHECK_INT(tr_dtls_stats(net.b.dtls)->unexpected, 10);
    net_deinit(&net);
    id_destroy(&server);
    id_destroy(&client);
}

/* A hello that OpenSSL rejects is forgiven three times. */
TEST(dtls_server_survives_broken_hello)
{
    struct id server = id_create(), client = id_create();
    uint8_t p[128], junk[40] = { 0xfe, 0xfd };

    for (unsigned bad = 1; bad <= 5; bad++) {
        struct net net;
        net_init(&net, 1);
        struct tr_dtls_conf a = conf_of(&server, &client, TR_DTLS_SERVER);
        struct tr_dtls_conf b = conf_of(&client, &server, TR_DTLS_CLIENT);
        net.a.dtls = tr_dtls_create(&a);
        net.b.dtls = tr_dtls_create(&b);
        tr_dtls_start(net.a.dtls, net.now);
        for (unsigned i = 0; i < bad; i++) {
            enum tr_err err = tr_dtls_input(
                net.a.dtls, net.now,
                tr_slice(p, fragment(p, i, 1, 0, tr_slice(junk, sizeof(junk)), 0, sizeof(junk))));
            CHECK_INT(err, i <= TR_DTLS_RESTARTS_MAX ? TR_OK : TR_ERR_IGNORED);
        }
        net_start(&net);
        net_run(&net, 3 * TR_SECOND);
        CHECK_INT(net.a.connected, bad <= TR_DTLS_RESTARTS_MAX);
        CHECK_INT(net.a.reason,
                  bad <= TR_DTLS_RESTARTS_MAX ? TR_DTLS_REASON_NONE : TR_DTLS_REASON_ERROR);
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
}

TEST(dtls_handshake_bytes_are_bounded)
{
    struct id server = id_create(), client = id_create();
    struct tr_dtls_conf conf = conf_of(&server, &client, TR_DTLS_SERVER);
    struct tr_dtls *dtls = tr_dtls_create(&conf);
    static uint8_t message[16000], p[TR_DTLS_DATAGRAM_MAX];
    struct tr_dtls_out out;
    size_t fed = 0;

    tr_dtls_start(dtls, TR_SECOND);
    for (uint64_t i = 0; fed < 200000; i++) {
        size_t n = fragment(p, i, 11, (uint16_t)(2 + i % 3), tr_slice(message, sizeof(message)),
                            i % 10 * 1000, 1000);
        if (tr_dtls_input(dtls, TR_SECOND, tr_slice(p, n)) == TR_ERR_IGNORED)
            break;
        fed += n;
    }
    CHECK(fed > TR_DTLS_HANDSHAKE_BYTES_MAX && fed < TR_DTLS_HANDSHAKE_BYTES_MAX + 4000);
    tr_dtls_poll(dtls, &out);
    CHECK(out.kind == TR_DTLS_CLOSED && out.reason == TR_DTLS_REASON_LIMIT);
    tr_dtls_destroy(dtls);
    id_destroy(&server);
    id_destroy(&client);
}

TEST(dtls_records_of_a_datagram_are_bounded)
{
    struct id server = id_create(), client = id_create();
    struct tr_dtls_conf conf = conf_of(&server, &client, TR_DTLS_SERVER);
    struct tr_dtls *dtls = tr_dtls_create(&conf);
    uint8_t p[TR_DTLS_DATAGRAM_MAX];
    size_t n = 0;

    tr_dtls_start(dtls, TR_SECOND);
    for (int i = 0; i < 40; i++)
        n += record(p + n, DTLS_CHANGE_CIPHER_SPEC, 0xfefd, 0, "\1", 1);
    CHECK_INT(tr_dtls_input(dtls, TR_SECOND, tr_slice(p, n)), TR_OK);
    CHECK_INT(tr_dtls_stats(dtls)->accepted, TR_DTLS_RECORDS_MAX);
    CHECK_INT(tr_dtls_stats(dtls)->limited, 1);
    tr_dtls_destroy(dtls);
    id_destroy(&server);
    id_destroy(&client);
}

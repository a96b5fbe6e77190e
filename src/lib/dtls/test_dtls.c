/* Goal: two associations connect over any network that lets something through, agree on keys, and
 * refuse what they must.
 * Method: virtual time, simulated loss, delay, reordering and duplication by seed; each single
 * datagram of a handshake lost once; certificates, profiles and closing. */
#include <malloc.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "dtls/dtls_test.h"
#include "dtls/internal.h"

static void connect_ends(struct net *net, const struct id *server, const struct id *client)
{
    struct tr_dtls_conf a = conf_of(server, client, TR_DTLS_SERVER);
    struct tr_dtls_conf b = conf_of(client, server, TR_DTLS_CLIENT);

    net->a.dtls = tr_dtls_create(&a);
    net->b.dtls = tr_dtls_create(&b);
    net_start(net);
}

static void check_connected(struct net *net)
{
    static const struct tr_srtp_keys zero;
    struct tr_srtp_keys *ka = &net->a.client, *kb = &net->b.client;

    CHECK(net->a.connected && net->b.connected);
    CHECK_INT(net->a.reason, TR_DTLS_REASON_NONE);
    CHECK_INT(net->a.profile, net->b.profile);
    CHECK(memcmp(ka, kb, sizeof(*ka)) == 0 && memcmp(ka, &zero, sizeof(zero)) != 0);
    CHECK(memcmp(&net->a.server, &net->b.server, sizeof(net->a.server)) == 0);
    CHECK(memcmp(ka, &net->a.server, sizeof(*ka)) != 0);
}

TEST(dtls_connects_and_talks)
{
    struct id server = id_create(), client = id_create();
    struct net net;

    net_init(&net, 1);
    connect_ends(&net, &server, &client);
    CHECK_INT(tr_dtls_send(net.a.dtls, tr_slice("early", 5)), TR_ERR_AGAIN);
    net_run(&net, 2 * TR_SECOND);
    check_connected(&net);
    CHECK_INT(net.a.profile, TR_SRTP_AEAD_AES_128_GCM);
    CHECK_INT(net.a.sent + net.b.sent, 4); /* nothing was repeated, every flight is one datagram */
    CHECK_INT(tr_dtls_next_timeout(net.a.dtls), TR_NEVER);

    CHECK_INT(tr_dtls_send(net.a.dtls, tr_slice("hello ", 6)), TR_OK);
    CHECK_INT(tr_dtls_send(net.a.dtls, tr_slice("world", 5)), TR_OK);
    CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice("reply", 5)), TR_OK);
    CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice(net.flying, TR_DTLS_DATA_MAX)), TR_OK);
    CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice(net.flying, TR_DTLS_DATA_MAX + 1)), TR_ERR_LIMIT);
    net_poll(&net);
    net_run(&net, 3 * TR_SECOND);
    CHECK(net.b.data_n == 11 && memcmp(net.b.data, "hello world", 11) == 0);
    CHECK(net.a.data_n == 5 + TR_DTLS_DATA_MAX && memcmp(net.a.data, "reply", 5) == 0);

    tr_dtls_close(net.b.dtls);
    net_poll(&net);
    net_run(&net, 4 * TR_SECOND);
    CHECK_INT(net.b.reason, TR_DTLS_REASON_LOCAL);
    CHECK_INT(net.a.reason, TR_DTLS_REASON_ALERT);
    CHECK_INT(tr_dtls_send(net.a.dtls, tr_slice("late", 4)), TR_ERR_CLOSED);
    net_deinit(&net);
    id_destroy(&server);
    id_destroy(&client);
}

/* Which ends are at rest makes no difference that can be seen. */
TEST(dtls_at_rest_talks_and_closes)
{
    struct id server = id_create(), client = id_create();

    for (int resting = 1; resting < 8; resting++) { /* bits: server, client; who closes */
        struct net net;
        net_init(&net, (uint64_t)resting);
        connect_ends(&net, &server, &client);
        net_run(&net, 2 * TR_SECOND);
        check_connected(&net);
        CHECK_INT(tr_dtls_send(net.a.dtls, tr_slice("before ", 7)), TR_OK);
        CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice("before ", 7)), TR_OK);
        for (int twice = 0; twice < 2; twice++) {
            if (resting & 1)
                tr_dtls_rest(net.a.dtls);
            if (resting & 2)
                tr_dtls_rest(net.b.dtls);
        }
        CHECK((net.a.dtls->ssl == NULL) == (resting & 1));
        CHECK(strstr(tr_dtls_cipher(net.a.dtls), "GCM") != NULL);
        CHECK(tr_dtls_is_connected(net.a.dtls) && tr_dtls_is_connected(net.b.dtls));
        for (int i = 0; i < 3; i++) {
            CHECK_INT(tr_dtls_send(net.a.dtls, tr_slice("a", 1)), TR_OK);
            CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice("b", 1)), TR_OK);
        }
        CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice(net.flying, TR_DTLS_DATA_MAX)), TR_OK);
        CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice(net.flying, TR_DTLS_DATA_MAX + 1)),
                  TR_ERR_LIMIT);
        net_poll(&net);
        net_run(&net, 3 * TR_SECOND);
        CHECK(net.b.data_n == 10 && memcmp(net.b.data, "before aaa", 10) == 0);
        CHECK(net.a.data_n == 10 + TR_DTLS_DATA_MAX && memcmp(net.a.data, "before bbb", 10) == 0);
        struct end *closer = resting & 4 ? &net.a : &net.b;
        struct end *other = resting & 4 ? &net.b : &net.a;
        tr_dtls_close(closer->dtls);
        net_poll(&net);
        net_run(&net, 4 * TR_SECOND);
        CHECK_INT(closer->reason, TR_DTLS_REASON_LOCAL);
        CHECK_INT(other->reason, TR_DTLS_REASON_ALERT);
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
}

/* Forged, repeated and broken records at rest change nothing. */
TEST(dtls_at_rest_is_not_fooled)
{
    struct id server = id_create(), client = id_create();
    struct tr_dtls_out out;
    struct net net;

    net_init(&net, 1);
    connect_ends(&net, &server, &client);
    net_run(&net, 2 * TR_SECOND);
    tr_dtls_rest(net.a.dtls);
    tr_dtls_rest(net.b.dtls);
    CHECK_INT(tr_dtls_send(net.b.dtls, tr_slice("once", 4)), TR_OK);
    tr_dtls_poll(net.b.dtls, &out);
    if (CHECK(out.kind == TR_DTLS_SEND)) {
        uint8_t record[64], broken[64];
        size_t n = out.data.n;
        memcpy(record, out.data.p, n);
        for (size_t i = 0; i < n; i++) {
            memcpy(broken, record, n);
            broken[i] ^= 1;
            (void)!tr_dtls_input(net.a.dtls, net.now, tr_slice(broken, n));
            (void)!tr_dtls_input(net.a.dtls, net.now, tr_slice(record, i));
        }
        net_poll(&net);
        CHECK_INT(net.a.data_n, 0);
        for (int i = 0; i < 3; i++)
            CHECK_INT(tr_dtls_input(net.a.dtls, net.now, tr_slice(record, n)), TR_OK);
        net_poll(&net);
        CHECK_INT(net.a.data_n, 4);
        CHECK(tr_dtls_is_connected(net.a.dtls));
    }
    net_deinit(&net);
    id_destroy(&server);
    id_destroy(&client);
}

/* Any one datagram lost costs about one retransmission, not a second. */
TEST(dtls_any_datagram_lost)
{
    if (!dtls_timer_is_shared())
        return; /* timer.c: this OpenSSL repeats flights in real time only */
    struct id server = id_create(), client = id_create();

    for (int nth = 1; nth <= 4; nth++) {
        struct net net;
        net_init(&net, 1);
        net.drop_nth = nth;
        connect_ends(&net, &server, &client);
        net_run(&net, TR_SECOND + 300 * TR_MSEC);
        CHECK_INT(net.lost, 1);
        check_connected(&net);
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
}

TEST(dtls_connects_over_bad_network)
{
    if (!dtls_timer_is_shared())
        return;
    struct id server = id_create(), client = id_create();
    unsigned in_time = 0, seeds = 0;

    FOR_EACH_SEED (seed, 120) {
        struct net net;
        net_init(&net, seed);
        net.loss_pct = 30;
        net.dup_pct = 10;
        net.delay = 30 * TR_MSEC;
        net.jitter = 60 * TR_MSEC;
        connect_ends(&net, &server, &client);
        net_run(&net, 20 * TR_SECOND);
        check_connected(&net);
        CHECK(net.a.sent + net.b.sent < 60);
        in_time += net.a.connected && net.b.connected;
        seeds++;
        net_deinit(&net);
    }
    CHECK_INT(in_time, seeds);
    id_destroy(&server);
    id_destroy(&client);
}

TEST(dtls_gives_up_after_15_seconds)
{
    struct id server = id_create(), client = id_create();
    struct net net;

    net_init(&net, 1);
    net.loss_pct = 100;
    connect_ends(&net, &server, &client);
    net_run(&net, TR_SECOND + TR_DTLS_HANDSHAKE_TIMEOUT - 1);
    CHECK_INT(net.b.reason, TR_DTLS_REASON_NONE);
    net_run(&net, TR_SECOND + TR_DTLS_HANDSHAKE_TIMEOUT);
    CHECK_INT(net.a.reason, TR_DTLS_REASON_TIMEOUT);
    CHECK_INT(net.b.reason, TR_DTLS_REASON_TIMEOUT);
    if (dtls_timer_is_shared()) {
        CHECK_INT(net.b.sent, 12); /* after 0, 60, 180, 420 ms ... then every 2 s */
        CHECK_INT(tr_dtls_stats(net.b.dtls)->retransmits, 11);
    }
    net_deinit(&net);
    id_destroy(&server);
    id_destroy(&client);
}

TEST(dtls_wrong_fingerprint)
{
    struct id server = id_create(), client = id_create(), other = id_create();

    for (int wrong = 0; wrong < 2; wrong++) {
        struct tr_dtls_conf a = conf_of(&server, wrong ? &client : &other, TR_DTLS_SERVER);
        struct tr_dtls_conf b = conf_of(&client, wrong ? &other : &server, TR_DTLS_CLIENT);
        struct net net;
        net_init(&net, 1);
        net.a.dtls = tr_dtls_create(&a);
        net.b.dtls = tr_dtls_create(&b);
        net_start(&net);
        net_run(&net, 30 * TR_SECOND);
        CHECK(!net.a.connected && !net.b.connected);
        CHECK_INT((wrong ? &net.b : &net.a)->reason, TR_DTLS_REASON_FINGERPRINT);
        CHECK_INT((wrong ? &net.a : &net.b)->reason, TR_DTLS_REASON_TIMEOUT);
        CHECK((wrong ? &net.b : &net.a)->sent >= 1); /* its alert */
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
    id_destroy(&other);
}

/* The fingerprint of the same certificate by each hash that SDP may name. */
TEST(dtls_fingerprint_digests)
{
    static const char *names[] = { "sha-1", "SHA-256", "sha-384", "sha-512" };
    static const EVP_MD *(*md[])(void) = { EVP_sha1, EVP_sha256, EVP_sha384, EVP_sha512 };
    struct id server = id_create(), client = id_create();
    X509 *x509 = SSL_CTX_get0_certificate(client.ctx->ssl_ctx);

    for (size_t i = 0; i < 4; i++) {
        struct tr_dtls_conf a = conf_of(&server, &client, TR_DTLS_SERVER);
        struct tr_dtls_conf b = conf_of(&client, &server, TR_DTLS_CLIENT);
        struct tr_dtls_fingerprint made = { 0 };
        char text[TR_DTLS_FINGERPRINT_STR_MAX];
        unsigned len = 0;
        struct net net;
        X509_digest(x509, md[i](), made.bytes, &len);
        made.len = len;
        tr_dtls_fingerprint_str(&made, text);
        CHECK_INT(tr_dtls_fingerprint_parse(&a.remote, tr_slice_str(names[i]), tr_slice_str(text)),
                  TR_OK);
        net_init(&net, 1);
        net.a.dtls = tr_dtls_create(&a);
        net.b.dtls = tr_dtls_create(&b);
        net_start(&net);
        net_run(&net, 2 * TR_SECOND);
        check_connected(&net);
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
}

TEST(dtls_fingerprint_text)
{
    struct tr_dtls_fingerprint f;
    struct tr_slice sha1 = tr_slice_str("sha-1");
    char text[TR_DTLS_FINGERPRINT_STR_MAX];
    const char *good = "4a:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";

    CHECK_INT(tr_dtls_fingerprint_parse(&f, sha1, tr_slice_str(good)), TR_OK);
    CHECK_INT(f.len, 20);
    CHECK_STR(tr_dtls_fingerprint_str(&f, text),
              "4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB");
    CHECK_STR(tr_dtls_digest_name(f.digest), "sha-1");
    CHECK_INT(tr_dtls_fingerprint_parse(&f, tr_slice_str("md5"), tr_slice_str(good)),
              TR_ERR_UNSUPPORTED);
    CHECK_INT(tr_dtls_fingerprint_parse(&f, tr_slice_str("sha-256"), tr_slice_str(good)),
              TR_ERR_BADMSG);
    CHECK_INT(tr_dtls_fingerprint_parse(&f, sha1, tr_slice(good, 58)), TR_ERR_BADMSG);
    for (size_t i = 0; i < 59; i++) {
        char bad[64];
        memcpy(bad, good, 60);
        bad[i] = 'x';
        CHECK_INT(tr_dtls_fingerprint_parse(&f, sha1, tr_slice_str(bad)), TR_ERR_BADMSG);
    }
}

#define G1 TR_SRTP_AEAD_AES_128_GCM
#define G2 TR_SRTP_AEAD_AES_256_GCM
#define CM TR_SRTP_AES128_CM_SHA1_80

/* The server's order decides among what the client offers. */
TEST(dtls_profile_negotiation)
{
    static const struct {
        enum tr_srtp_profile server[TR_SRTP_PROFILES];
        enum tr_srtp_profile client[TR_SRTP_PROFILES];
        enum tr_srtp_profile want;
    } table[] = {
        { { 0 }, { CM, G2, G1 }, G1 }, { { 0 }, { CM, G2 }, G2 },
        { { 0 }, { CM }, CM },         { { CM, G1 }, { G1, G2, CM }, CM },
        { { G2 }, { 0 }, G2 },         { { G1 }, { CM }, TR_SRTP_NONE },
    };
    struct id server = id_create(), client = id_create();

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct tr_dtls_conf a = conf_of(&server, &client, TR_DTLS_SERVER);
        struct tr_dtls_conf b = conf_of(&client, &server, TR_DTLS_CLIENT);
        struct net net;
        memcpy(a.profiles, table[i].server, sizeof(a.profiles));
        memcpy(b.profiles, table[i].client, sizeof(b.profiles));
        net_init(&net, 1);
        net.a.dtls = tr_dtls_create(&a);
        net.b.dtls = tr_dtls_create(&b);
        net_start(&net);
        net_run(&net, 3 * TR_SECOND);
        CHECK_INT(net.a.profile, table[i].want);
        CHECK_INT(net.b.profile, table[i].want);
        if (table[i].want == TR_SRTP_NONE)
            CHECK(net.a.reason == TR_DTLS_REASON_PROFILE || net.b.reason == TR_DTLS_REASON_PROFILE);
        else
            check_connected(&net);
        net_deinit(&net);
    }
    id_destroy(&server);
    id_destroy(&client);
}

/* An identity with an RSA key, as old endpoints have. */
static struct id rsa_id_create(void)
{
    struct id id = { .cert = tr_dtls_cert_create(NOW_UNIX) };
    unsigned len = 0;

    EVP_PKEY_free(id.cert->key);
    id.cert->key = EVP_RSA_gen(2048);
    X509_set_pubkey(id.cert->x509, id.cert->key);
    X509_sign(id.cert->x509, id.cert->key, EVP_sha256());
    X509_digest(id.cert->x509, EVP_sha256(), id.cert->fingerprint.bytes, &len);
    id.ctx = tr_dtls_ctx_create(id.cert);
    return id;
}

TEST(dtls_rsa_peer)
{
    struct id ours = id_create(), rsa = rsa_id_create();

    for (int as_server = 0; as_server < 2; as_server++) {
        struct net net;
        net_init(&net, 1);
        connect_ends(&net, as_server ? &rsa : &ours, as_server ? &ours : &rsa);
        net_run(&net, 3 * TR_SECOND);
        check_connected(&net);
        net_deinit(&net);
    }
    id_destroy(&ours);
    id_destroy(&rsa);
}

TEST(dtls_unusable_conf)
{
    struct id id = id_create();
    struct tr_dtls_conf conf = conf_of(&id, &id, TR_DTLS_SERVER);

    conf.remote.len = 0;
    CHECK(tr_dtls_create(&conf) == NULL);
    conf = conf_of(&id, &id, TR_DTLS_SERVER);
    conf.profiles[0] = (enum tr_srtp_profile)2;
    CHECK(tr_dtls_create(&conf) == NULL);
    tr_dtls_destroy(NULL);
    id_destroy(&id);
}

/* Our own allocations fail one after the other; a datagram lost for want of memory is one lost. */
TEST_OOM(dtls_out_of_memory)
{
    enum tr_err err = TR_ERR_NOMEM;
    struct id id = { .cert = tr_dtls_cert_create(NOW_UNIX) };
    struct tr_dtls *dtls = NULL;
    struct tr_dtls_out out;

    id.ctx = id.cert ? tr_dtls_ctx_create(id.cert) : NULL;
    if (id.ctx) {
        struct tr_dtls_conf conf = conf_of(&id, &id, TR_DTLS_CLIENT);
        dtls = tr_dtls_create(&conf);
    }
    if (dtls) {
        tr_dtls_start(dtls, TR_SECOND);
        tr_dtls_poll(dtls, &out);
        err = out.kind == TR_DTLS_SEND ? TR_OK : TR_ERR_NOMEM;
    }
    tr_dtls_destroy(dtls);
    id_destroy(&id);
    return err;
}

static size_t heap_bytes(void)
{
    return mallinfo2().uordblks;
}

/* Prints what an association costs; the bound is a ratchet. 22 KB are OpenSSL's message buffer,
 * which DTLS keeps for repeated messages, and 8 KB the SSL itself. */
TEST(dtls_memory_per_association)
{
    enum { N = 20 };
    struct id server = id_create(), client = id_create();
    static struct net nets[N];
    struct tr_dtls *servers[N];
    size_t start, fresh, done;

    for (int warm = 0; warm < 2; warm++) { /* the first round fills OpenSSL's caches */
        struct tr_dtls_conf a = conf_of(&server, &client, TR_DTLS_SERVER);
        start = heap_bytes();
        for (int i = 0; i < N; i++)
            servers[i] = tr_dtls_create(&a);
        fresh = heap_bytes();
        for (int i = 0; i < N; i++) {
            struct tr_dtls_conf b = conf_of(&client, &server, TR_DTLS_CLIENT);
            net_init(&nets[i], 1);
            nets[i].a.dtls = servers[i];
            nets[i].b.dtls = tr_dtls_create(&b);
            net_start(&nets[i]);
            net_run(&nets[i], 2 * TR_SECOND);
            check_connected(&nets[i]);
            tr_dtls_destroy(nets[i].b.dtls);
            nets[i].b.dtls = NULL;
            free(nets[i].flying);
            nets[i].flying = NULL;
        }
        done = heap_bytes();
        for (int i = 0; i < N; i++)
            net_deinit(&nets[i]);
    }
    if (fresh > start) { /* sanitizers do not fill in mallinfo */
        printf("     bytes of heap: %zu before, %zu after the handshake\n", (fresh - start) / N,
               (done - start) / N);
        CHECK((done - start) / N < 44000);
    }
    id_destroy(&server);
    id_destroy(&client);
}

/* Goal: streams over TLS carry frames as plain ones do, and cannot be held open, starved or fed
 * rubbish. Method: our own clients, and OpenSSL over memory, whose bytes we send as slowly as we
 * like. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "dtls/dtls.h"
#include "net/pem_test.h"
#include "net/stream_test.h"

struct tls_rig {
    struct rig rig;
    struct tr_dtls_cert *cert;
    struct tr_tls *tls;
};

static void tls_rig_init(struct tls_rig *t, const struct tr_streams_conf *conf)
{
    t->tls = server_tls(&t->cert, "stun.turn");
    rig_init(&t->rig, conf, TR_FRAMING_TURN, t->tls);
}

static void tls_rig_deinit(struct tls_rig *t)
{
    rig_deinit(&t->rig);
    tr_tls_destroy(t->tls);
    tr_dtls_cert_destroy(t->cert);
}

/* --- a client of OpenSSL's over memory --- */

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void client_init(struct client *c, const struct tr_addr *to, int receive_bytes,
                        const char *alpn)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = SSL_new(c->ctx);
    SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(c->ssl);
    if (alpn)
        CHECK_INT(SSL_set_alpn_protos(c->ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn)), 0);
    c->fd = client_socket(to, receive_bytes);
}

static void client_deinit(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
}

/* What OpenSSL has written, `step` bytes at a time. */
static void client_push(struct client *c, struct rig *rig, int step)
{
    uint8_t bytes[4096];
    int n;
    while ((n = BIO_read(SSL_get_wbio(c->ssl), bytes, step < 4096 ? step : 4096)) > 0) {
        client_send(c->fd, bytes, (size_t)n);
        rig_turn(rig);
    }
}

static void client_pull(struct client *c)
{
    uint8_t bytes[4096];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
        BIO_write(SSL_get_rbio(c->ssl), bytes, (int)n);
}

static bool client_handshake(struct client *c, struct rig *rig, int step)
{
    for (int i = 0; i < 2000; i++) {
        int done = SSL_do_handshake(c->ssl);
        client_push(c, rig, step);
        if (done == 1)
            return true;
        if (SSL_get_error(c->ssl, done) != SSL_ERROR_WANT_READ)
            return false;
        rig_turn(rig);
        client_pull(c);
    }
    return false;
}

static size_t client_take(struct client *c, struct rig *rig, uint8_t *p, size_t n)
{
    size_t have = 0;
    for (int i = 0; i < 20000 && have < n; i++) {
        int got = SSL_read(c->ssl, p + have, (int)(n - have));
        if (got > 0) {
            have += (size_t)got;
            continue;
        }
        rig_turn(rig);
        client_pull(c);
    }
    return have;
}

TEST(frames_over_tls_byte_by_byte)
{
    struct tls_rig t;
    struct client c;
    uint8_t back[2 * sizeof hello];
    tls_rig_init(&t, NULL);
    t.rig.echo = true;
    client_init(&c, &t.rig.at, 0, NULL);
    CHECK(client_handshake(&c, &t.rig, 1));
    CHECK_INT(SSL_version(c.ssl), TLS1_3_VERSION);
    CHECK(rig_until(&t.rig, &t.rig.accepted, 1));
    CHECK(t.rig.tls);
    for (size_t i = 0; i < sizeof hello; i++) { /* a record for each byte, byte by byte */
        CHECK_INT(SSL_write(c.ssl, hello + i, 1), 1);
        client_push(&c, &t.rig, 1);
    }
    CHECK_INT(SSL_write(c.ssl, hello, sizeof hello), sizeof hello);
    client_push(&c, &t.rig, 7);
    CHECK_INT(client_take(&c, &t.rig, back, sizeof back), sizeof back);
    CHECK(memcmp(back, hello, sizeof hello) == 0 &&
          memcmp(back + sizeof hello, hello, sizeof hello) == 0);
    CHECK_INT(t.rig.frames, 2);
    client_deinit(&c);
    CHECK(rig_until(&t.rig, &t.rig.closed, 1));
    CHECK_INT(t.rig.reasons[TR_STREAM_REMOTE], 1);
    tls_rig_deinit(&t);
}

TEST(tls_1_2_and_not_below)
{
    for (int version = TLS1_1_VERSION; version <= TLS1_2_VERSION; version++) {
        struct tls_rig t;
        struct client c;
        tls_rig_init(&t, NULL);
        client_init(&c, &t.rig.at, 0, NULL);
        SSL_set_security_level(c.ssl, 0);
        SSL_set_min_proto_version(c.ssl, version);
        SSL_set_max_proto_version(c.ssl, version);
        CHECK_INT(client_handshake(&c, &t.rig, 4096), version == TLS1_2_VERSION);
        CHECK_INT(t.rig.accepted, version == TLS1_2_VERSION);
        client_deinit(&c);
        tls_rig_deinit(&t);
    }
}

TEST(alpn_is_ours_or_none)
{
    static const struct {
        const char *offer;
        bool taken;
    } rows[] = { { "\x9stun.turn", true },
                 { "\x2h2\x9stun.turn", true },
                 { "\x8http/1.1", false },
                 { NULL, true } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_rig t;
        struct client c;
        const uint8_t *chosen;
        unsigned n;
        tls_rig_init(&t, NULL);
        client_init(&c, &t.rig.at, 0, rows[i].offer);
        CHECK_INT(client_handshake(&c, &t.rig, 4096), rows[i].taken);
        SSL_get0_alpn_selected(c.ssl, &chosen, &n);
        CHECK_INT(n, rows[i].taken && rows[i].offer ? 9 : 0);
        CHECK_INT(counters(&t.rig)->ended[TR_STREAM_TLS], !rows[i].taken);
        CHECK_INT(t.rig.closed, 0); /* nobody knew of it */
        client_deinit(&c);
        tls_rig_deinit(&t);
    }
}

TEST(a_slow_handshake_is_ended)
{
    struct tls_rig t;
    tls_rig_init(&t, NULL);
    int silent = client_socket(&t.rig.at, 0), begun = client_socket(&t.rig.at, 0);
    for (int i = 0; i < 9; i++) { /* a ClientHello of which there is always a byte more */
        client_send(begun, i == 0 ? "\x16" : i == 1 ? "\x03" : "\x01", 1);
        rig_pass(&t.rig, TR_SECOND);
    }
    CHECK_INT(counters(&t.rig)->handshakes_now, 2);
    rig_pass(&t.rig, 2 * TR_SECOND);
    CHECK_INT(counters(&t.rig)->handshakes_now, 0);
    CHECK_INT(counters(&t.rig)->ended[TR_STREAM_SLOW], 2);
    CHECK(client_sees_end(&t.rig, silent) && client_sees_end(&t.rig, begun));
    CHECK_INT(t.rig.accepted + t.rig.closed, 0);
    close(silent);
    close(begun);
    tls_rig_deinit(&t);
}

TEST(silence_after_the_handshake_is_ended)
{
    struct tls_rig t;
    struct client c;
    tls_rig_init(&t, NULL);
    client_init(&c, &t.rig.at, 0, NULL);
    CHECK(client_handshake(&c, &t.rig, 4096));
    CHECK(rig_until(&t.rig, &t.rig.accepted, 1));
    rig_pass(&t.rig, 11 * TR_SECOND);
    CHECK_INT(t.rig.reasons[TR_STREAM_UNPROVEN], 1);
    client_deinit(&c);
    tls_rig_deinit(&t);
}

TEST(rubbish_is_no_handshake)
{
    struct tls_rig t;
    tls_rig_init(&t, NULL);
    int fd = client_socket(&t.rig.at, 0);
    client_send(fd, hello, sizeof hello);
    CHECK(client_sees_end(&t.rig, fd));
    CHECK_INT(counters(&t.rig)->ended[TR_STREAM_TLS], 1);
    close(fd);
    tls_rig_deinit(&t);
}

TEST(handshakes_at_once_are_bounded)
{
    const struct tr_stream_bounds four = { .handshakes_max = 4 };
    struct tls_rig t;
    struct client c;
    int fds[5];
    t.tls = server_tls(&t.cert, "stun.turn");
    rig_init_bounded(&t.rig, &four, TR_FRAMING_TURN, t.tls);
    for (int i = 0; i < 5; i++)
        fds[i] = client_socket(&t.rig.at, 0);
    CHECK(client_sees_end(&t.rig, fds[0])); /* the oldest had to go */
    CHECK_INT(counters(&t.rig)->ended[TR_STREAM_NO_ROOM], 1);
    CHECK_INT(counters(&t.rig)->handshakes_now, 4);
    client_init(&c, &t.rig.at, 0, NULL);
    CHECK(client_handshake(&c, &t.rig, 4096)); /* who is quick gets in */
    CHECK_INT(counters(&t.rig)->ended[TR_STREAM_NO_ROOM], 2);
    client_deinit(&c);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    tls_rig_deinit(&t);
}

TEST(media_is_dropped_in_whole_frames_over_tls)
{
    enum { COUNT = 4000, SIZE = 1004 };
    static uint8_t in[COUNT * SIZE];
    uint8_t frame[SIZE] = { 0x40, 1, 0x3, 0xe8 };
    struct tls_rig t;
    struct client c;
    tls_rig_init(&t, &(struct tr_streams_conf){ .queue_us = 1000 * TR_SECOND });
    client_init(&c, &t.rig.at, 4096, NULL);
    CHECK(client_handshake(&c, &t.rig, 4096));
    CHECK(rig_until(&t.rig, &t.rig.accepted, 1));
    for (uint32_t i = 0; i < COUNT; i++) {
        tr_put32(frame + 4, i);
        CHECK_INT(tr_stream_write(t.rig.set, t.rig.now, t.rig.last, tr_slice(NULL, 0),
                                  tr_slice(frame, SIZE), TR_STREAM_MEDIA),
                  TR_OK);
        tr_streams_flush(t.rig.set, t.rig.now);
    }
    uint64_t dropped = counters(&t.rig)->dropped_full;
    CHECK(dropped > 100);
    size_t n = (COUNT - dropped) * SIZE, wrong = 0;
    CHECK_INT(client_take(&c, &t.rig, in, n), n);
    uint32_t last = 0;
    for (size_t at = 0; at < n; at += SIZE) {
        uint32_t number = tr_get32(in + at + 4);
        wrong += tr_get32(in + at) != 0x400103e8 || (at > 0 && number <= last);
        last = number;
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(last, COUNT - 1);
    client_deinit(&c);
    tls_rig_deinit(&t);
}

TEST(our_own_client_many_times)
{
    enum { COUNT = 60 };
    struct tls_rig t;
    struct rig client;
    struct tr_tls *tls = tr_tls_create(&(struct tr_tls_conf){ .alpn = { "stun.turn" } });
    uint8_t big[16000] = { 0x40, 1, 62, 124 };
    tls_rig_init(&t, NULL);
    rig_init(&client, NULL, TR_FRAMING_TURN, NULL);
    t.rig.echo = true;
    for (int i = 0; i < COUNT; i++) {
        tr_id id = rig_dial(&client, &t.rig.at, TR_FRAMING_TURN, tls);
        for (int n = 0; n < 2; n++)
            CHECK_INT(tr_stream_write(client.set, client.now, id, tr_slice(NULL, 0),
                                      tr_slice(n ? big : hello, n ? sizeof big : 9),
                                      TR_STREAM_KEEP),
                      TR_OK);
        t.rig.got_n = client.got_n = 0;
        for (int n = 0; n < 2000 && client.frames < 2u * (unsigned)(i + 1); n++) {
            rig_turn(&client);
            rig_turn(&t.rig);
        }
        CHECK_INT(client.got_n, 9 + sizeof big);
    }
    CHECK_INT(client.connected, COUNT);
    CHECK_INT(counters(&t.rig)->handshakes, COUNT);
    rig_deinit(&client);
    tr_tls_destroy(tls);
    tls_rig_deinit(&t);
}

/* --- certificates --- */

static bool is_shown(struct client *c, const struct tr_dtls_cert *cert)
{
    X509 *seen = SSL_get1_peer_certificate(c->ssl);
    bool same = seen && X509_cmp(seen, cert->x509) == 0;
    X509_free(seen);
    return same;
}

TEST(a_certificate_from_files_is_renewed)
{
    char dir[] = "/tmp/tring-tls-XXXXXX", cert_file[64], key_file[64];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
    snprintf(key_file, sizeof key_file, "%s/key.pem", dir);
    struct tls_rig t;
    struct client before, after;
    struct tr_dtls_cert *loaded = NULL;
    tls_rig_init(&t, NULL);
    struct tr_dtls_cert *fresh = tr_dtls_cert_create(1700000000);
    CHECK_INT(tr_tls_files_stamp(cert_file, key_file), 0);
    CHECK_INT(tr_tls_cert_load(&loaded, cert_file, key_file), TR_ERR_IO);
    write_pem(cert_file, fresh, false);
    write_pem(key_file, t.cert, true);
    CHECK_INT(tr_tls_cert_load(&loaded, cert_file, key_file), TR_ERR_AUTH);
    CHECK_INT(tr_tls_cert_load(&loaded, key_file, cert_file), TR_ERR_BADMSG);
    uint64_t stamp = tr_tls_files_stamp(cert_file, key_file);
    unlink(key_file);
    write_pem(key_file, fresh, true);
    CHECK(stamp != 0 && tr_tls_files_stamp(cert_file, key_file) != stamp);
    CHECK_INT(tr_tls_cert_load(&loaded, cert_file, key_file), TR_OK);
    client_init(&before, &t.rig.at, 0, NULL);
    CHECK(client_handshake(&before, &t.rig, 4096) && is_shown(&before, t.cert));
    CHECK_INT(tr_tls_renew(t.tls, loaded), TR_OK);
    client_init(&after, &t.rig.at, 0, NULL);
    CHECK(client_handshake(&after, &t.rig, 4096) && is_shown(&after, fresh));
    SSL_write(before.ssl, hello, sizeof hello); /* the old connection lives on */
    client_push(&before, &t.rig, 4096);
    CHECK(rig_until(&t.rig, &t.rig.frames, 1));
    client_deinit(&before);
    client_deinit(&after);
    tr_dtls_cert_destroy(loaded);
    tr_dtls_cert_destroy(fresh);
    tls_rig_deinit(&t);
    unlink(cert_file);
    unlink(key_file);
    rmdir(dir);
}

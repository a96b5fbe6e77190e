/* What stands before any state: the first byte says how the rest is used. Even: it is a datagram
 * from an unknown path. Odd: it is XORed over a ClientHello whose cookie is good. Whatever is then
 * a ClientHello must be accepted or refused in order, proven or not. */
#include <stdlib.h>

#include "dtls/listen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tr_dtls_ctx *ctx;
static struct tr_dtls_cert *cert;
static const struct tr_dtls_cookies cookies = { { 4, 2 } };
static uint8_t good[TR_DTLS_DATAGRAM_MAX];
static size_t good_n;

static enum tr_dtls_greeting greet(struct tr_slice datagram, struct tr_wr *answer)
{
    struct tr_path path = { .local = tr_addr_v4(192, 0, 2, 1, 5349),
                            .remote = tr_addr_v4(203, 0, 113, 7, 4711) };
    return tr_dtls_hello(&cookies, 600 * TR_SECOND, &path, datagram, answer);
}

static void set_up(void)
{
    uint8_t bytes[TR_DTLS_VERIFY_MAX];
    struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
    struct tr_dtls_out out;
    cert = tr_dtls_cert_create(1700000000);
    ctx = tr_dtls_ctx_create(cert);
    struct tr_dtls *client = tr_dtls_create(
        &(struct tr_dtls_conf){ .ctx = ctx, .role = TR_DTLS_CLIENT, .anybody = true });
    if (!client)
        abort();
    tr_dtls_start(client, TR_SECOND);
    tr_dtls_poll(client, &out);
    if (greet(out.data, &answer) != TR_DTLS_HELLO_ANSWER ||
        tr_dtls_input(client, TR_SECOND, tr_wr_slice(&answer)) != TR_OK)
        abort();
    tr_dtls_poll(client, &out);
    good_n = out.data.n;
    memcpy(good, out.data.p, good_n);
    tr_dtls_destroy(client);
}

static void serve(struct tr_slice datagram)
{
    struct tr_dtls_out out;
    struct tr_dtls *server = tr_dtls_accept(ctx, 600 * TR_SECOND, datagram);
    if (!server)
        return;
    if (!tr_dtls_hello_is(server, datagram))
        abort();
    do
        tr_dtls_poll(server, &out);
    while (out.kind != TR_DTLS_NONE);
    tr_dtls_destroy(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[TR_DTLS_VERIFY_MAX], hello[TR_DTLS_DATAGRAM_MAX];
    struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
    if (!ctx)
        set_up();
    if (size == 0)
        return 0;
    struct tr_slice in = tr_slice(data + 1, size - 1);
    if (data[0] & 1) {
        memcpy(hello, good, good_n);
        for (size_t i = 0; i < in.n && i < good_n; i++)
            hello[i] ^= in.p[i];
        in = tr_slice(hello, good_n);
    }
    enum tr_dtls_greeting greeting = greet(in, &answer);
    bool answered = greeting == TR_DTLS_HELLO_ANSWER || greeting == TR_DTLS_HELLO_STALE;
    if (answered && tr_wr_len(&answer) >= in.n)
        abort(); /* no amplification */
    if (greeting != TR_DTLS_HELLO_NONE)
        serve(in); /* also of what was not proven: it must stand that */
    return 0;
}

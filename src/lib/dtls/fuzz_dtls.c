/* The server's input. The bytes are a sequence of steps: a first byte below 250 is the length of a
 * datagram divided by 8, and the datagram follows; 250 and above move time on. Bytes of length zero
 * ask for a real client's next datagrams to be delivered, so that the later states are reached. */
#include <stdlib.h>

#include "dtls/dtls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tr_dtls_ctx *ctx;
static struct tr_dtls_cert *cert;

static void set_up(void)
{
    cert = tr_dtls_cert_create(1700000000);
    ctx = tr_dtls_ctx_create(cert);
    if (!ctx)
        abort();
}

static struct tr_dtls *start(enum tr_dtls_role role, tr_usec now)
{
    struct tr_dtls_conf conf = { .ctx = ctx, .role = role };
    struct tr_dtls *dtls;

    conf.remote = *tr_dtls_cert_fingerprint(cert);
    dtls = tr_dtls_create(&conf);
    if (!dtls)
        abort();
    tr_dtls_start(dtls, now);
    return dtls;
}

static void pass_on(struct tr_dtls *from, struct tr_dtls *to, tr_usec now)
{
    struct tr_dtls_out out;

    for (tr_dtls_poll(from, &out); out.kind != TR_DTLS_NONE; tr_dtls_poll(from, &out)) {
        if (out.kind == TR_DTLS_SEND && to) {
            enum tr_err err = tr_dtls_input(to, now, out.data);
            (void)err;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_rd rd = tr_rd(tr_slice(data, size));
    tr_usec now = TR_SECOND;
    struct tr_dtls *server, *client = NULL;

    if (!ctx)
        set_up();
    server = start(TR_DTLS_SERVER, now);
    while (tr_rd_left(&rd) > 0) {
        uint8_t step = tr_rd_u8(&rd);
        if (step >= 250) {
            now += (tr_usec)(step - 249) * 100 * TR_MSEC;
            tr_dtls_timeout(server, now);
        } else if (step == 0) {
            if (!client)
                client = start(TR_DTLS_CLIENT, now);
            pass_on(client, server, now);
            pass_on(server, client, now);
        } else {
            size_t n = (size_t)step * 8;
            enum tr_err err;
            n = n < tr_rd_left(&rd) ? n : tr_rd_left(&rd);
            err = tr_dtls_input(server, now, tr_rd_take(&rd, n));
            (void)err;
        }
        pass_on(server, client, now);
    }
    tr_dtls_destroy(server);
    tr_dtls_destroy(client);
    return 0;
}

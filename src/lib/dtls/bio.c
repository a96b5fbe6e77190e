/* The BIO between OpenSSL and our queues. It keeps datagram boundaries: a read gives the one
 * record of tr_dtls.incoming, a write becomes one datagram; but what is written in the same call
 * goes into the same datagram as far as it fits, because OpenSSL repeats a flight message by
 * message, and a flight in five datagrams is lost more easily than one. A write that finds no
 * room is reported as done, as a network would: retransmission makes up for it. */
#include "dtls/internal.h"

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static int bio_read(BIO *bio, char *out, int size)
{
    struct tr_dtls *dtls = BIO_get_data(bio);
    size_t n = dtls->incoming.n;

    BIO_clear_retry_flags(bio);
    if (n == 0 || size <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (n > (size_t)size)
        n = (size_t)size;
    memcpy(out, dtls->incoming.p, n);
    dtls->incoming = tr_slice(NULL, 0);
    return (int)n;
}

/* Records of epoch 0 are in the clear, so their numbers can be others than OpenSSL's (listen.c). */
static struct tr_slice shifted(const struct tr_dtls *dtls, struct tr_slice record, uint8_t *p)
{
    if (dtls->shift == 0 || record.n < DTLS_RECORD_HEADER || record.n > TR_DTLS_DATAGRAM_MAX ||
        tr_get16(record.p + 3) != 0)
        return record;
    memcpy(p, record.p, record.n);
    tr_put64(p + 3, (tr_get64(p + 3) + dtls->shift) & 0xffffffffffff);
    return tr_slice(p, record.n);
}

static int bio_write(BIO *bio, const char *data, int n)
{
    struct tr_dtls *dtls = BIO_get_data(bio);
    struct tr_slice records = tr_slice(data, n > 0 ? (size_t)n : 0);
    uint8_t moved[TR_DTLS_DATAGRAM_MAX];
    enum tr_err err = TR_ERR_IGNORED;

    BIO_clear_retry_flags(bio);
    if (n <= 0)
        return 0;
    if (dtls->capture.p) {
        dtls->captured = records.n <= dtls->capture.n ? records.n : 0;
        memcpy(dtls->capture.p, records.p, dtls->captured);
        return n;
    }
    records = shifted(dtls, records, moved);
    if (dtls->packing)
        err = dtls_queue_extend(&dtls->out, records, TR_DTLS_MTU);
    if (err == TR_ERR_IGNORED)
        err = dtls_queue_push(&dtls->out, records);
    if (err != TR_OK)
        dtls->filter.stats.queue_full++;
    dtls->packing = true;
    dtls->written++;
    return n;
}

static long bio_ctrl(BIO *bio, int command, long arg, void *ptr)
{
    struct tr_dtls *dtls = BIO_get_data(bio);

    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU: return TR_DTLS_MTU;
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
        if (dtls_timer_is_shared())
            dtls->next_timeout = ptr;
        return 1;
    default: return 0;
    }
}

BIO_METHOD *dtls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tring dtls");

    if (method && BIO_meth_set_create(method, bio_create) && BIO_meth_set_read(method, bio_read) &&
        BIO_meth_set_write(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* OpenSSL's DTLS record layer is large and has a history: records of a coming epoch and
 * fragments of messages are buffered before anything is proven (CVE-2014-3506, CVE-2016-2179,
 * CVE-2026-54874), and an alert or a stray message in the clear can end a handshake. So only
 * this comes through:
 *   - records of the current epoch; a Finished that overtakes its ChangeCipherSpec is repeated
 *     soon
 *   - handshake messages that the other role sends, with fragments inside of their message, and
 *     not more than TR_DTLS_HANDSHAKE_BYTES_MAX altogether
 *   - alerts and data only under the keys
 *   - after the handshake, data freely; alerts and what may be a repeated Finished at a low rate */
#include "dtls/filter.h"

enum {
    MESSAGE_HEADER = 12,
    MESSAGE_MAX = 16384,  /* a chain of certificates; the largest message there is */
    MESSAGE_SEQ_MAX = 16, /* a handshake has up to 12 each way */
    TOKENS_MAX = 4,
    RESENDS_MAX = 11 /* at 13, OpenSSL declares the connection dead */
};

#define TOKEN_EVERY (100 * TR_MSEC)

enum handshake_type { /* RFC 5246 section 7.4, RFC 6347 section 4.3.2 */
                      CLIENT_HELLO = 1,
                      SERVER_HELLO = 2,
                      HELLO_VERIFY_REQUEST = 3,
                      CERTIFICATE = 11,
                      SERVER_KEY_EXCHANGE = 12,
                      CERTIFICATE_REQUEST = 13,
                      SERVER_HELLO_DONE = 14,
                      CERTIFICATE_VERIFY = 15,
                      CLIENT_KEY_EXCHANGE = 16
};

void dtls_filter_init(struct dtls_filter *filter, enum tr_dtls_role role)
{
    *filter = (struct dtls_filter){ .role = role };
    filter->tokens = TOKENS_MAX;
    filter->resends_left = RESENDS_MAX;
}

bool dtls_record_next(struct dtls_filter *filter, struct tr_slice *datagram,
                      struct tr_slice *record)
{
    size_t n;

    if (datagram->n == 0)
        return false;
    if (datagram->n < DTLS_RECORD_HEADER ||
        (n = tr_get16(datagram->p + 11)) > datagram->n - DTLS_RECORD_HEADER) {
        filter->stats.malformed++;
        *datagram = tr_slice(NULL, 0);
        return false;
    }
    *record = tr_slice(datagram->p, DTLS_RECORD_HEADER + n);
    datagram->p += record->n;
    datagram->n -= record->n;
    return true;
}

static bool message_expected(enum tr_dtls_role role, uint8_t type)
{
    switch (type) {
    case CLIENT_HELLO:
    case CERTIFICATE_VERIFY:
    case CLIENT_KEY_EXCHANGE: return role == TR_DTLS_SERVER;
    case SERVER_HELLO:
    case HELLO_VERIFY_REQUEST:
    case SERVER_KEY_EXCHANGE:
    case CERTIFICATE_REQUEST:
    case SERVER_HELLO_DONE: return role == TR_DTLS_CLIENT;
    case CERTIFICATE: return true;
    default: return false;
    }
}

/* The handshake messages, or fragments of them, of one record in the clear. */
static bool messages_pass(struct dtls_filter *filter, struct tr_slice body)
{
    struct tr_rd rd = tr_rd(body);

    while (tr_rd_left(&rd) > 0) {
        uint8_t type = tr_rd_u8(&rd);
        uint32_t length = tr_rd_u24(&rd);
        uint16_t seq = tr_rd_u16(&rd);
        uint32_t offset = tr_rd_u24(&rd), fragment = tr_rd_u24(&rd);
        tr_rd_take(&rd, fragment);
        if (rd.bad || length > MESSAGE_MAX || offset + fragment > length ||
            (fragment == 0 && length > 0) || seq > MESSAGE_SEQ_MAX) {
            filter->stats.malformed++;
            return false;
        }
        if (!message_expected(filter->role, type)) {
            filter->stats.unexpected++;
            return false;
        }
    }
    return true;
}

static bool handshake_pass(struct dtls_filter *filter, unsigned epoch, struct tr_slice body)
{
    if (epoch == 0 && !messages_pass(filter, body))
        return false;
    filter->handshake_bytes += body.n;
    if (dtls_filter_spent(filter)) {
        filter->stats.limited++;
        return false;
    }
    return true;
}

static bool token(struct dtls_filter *filter, tr_usec now)
{
    while (filter->tokens < TOKENS_MAX && now - filter->refilled_us >= TOKEN_EVERY) {
        filter->tokens++;
        filter->refilled_us += TOKEN_EVERY;
    }
    if (filter->tokens == 0) {
        filter->stats.limited++;
        return false;
    }
    if (filter->tokens == TOKENS_MAX)
        filter->refilled_us = now;
    filter->tokens--;
    return true;
}

static bool during_handshake(struct dtls_filter *filter, uint8_t type, unsigned epoch,
                             struct tr_slice body)
{
    if (type == DTLS_HANDSHAKE)
        return handshake_pass(filter, epoch, body);
    if (type == DTLS_CHANGE_CIPHER_SPEC && epoch == 0) {
        if (body.n == 1 && body.p[0] == 1)
            return true;
        filter->stats.malformed++;
        return false;
    }
    if (type == DTLS_ALERT && epoch > 0)
        return true;
    filter->stats.unexpected++;
    return false;
}

static bool after_handshake(struct dtls_filter *filter, tr_usec now, uint8_t type)
{
    if (type == DTLS_APPLICATION_DATA)
        return true;
    if (type == DTLS_ALERT)
        return token(filter, now);
    if (type == DTLS_HANDSHAKE && filter->resends_left > 0)
        return token(filter, now);
    filter->stats.unexpected++;
    return false;
}

bool dtls_filter_record(struct dtls_filter *filter, tr_usec now, struct tr_slice record)
{
    uint8_t type = record.p[0];
    uint16_t version = tr_get16(record.p + 1), epoch = tr_get16(record.p + 3);
    struct tr_slice body = tr_slice(record.p + DTLS_RECORD_HEADER, record.n - DTLS_RECORD_HEADER);
    bool pass;

    if (type < DTLS_CHANGE_CIPHER_SPEC || type > DTLS_CID || body.n == 0 ||
        (version != 0xfeff && version != 0xfefd)) {
        filter->stats.malformed++;
        return false;
    }
    if (type == DTLS_ALERT && epoch == 0) {
        filter->stats.alerts++;
        return false;
    }
    if (epoch != filter->epoch) {
        filter->stats.epoch++;
        return false;
    }
    pass = filter->connected ? after_handshake(filter, now, type)
                             : during_handshake(filter, type, epoch, body);
    filter->stats.accepted += pass;
    return pass;
}

/* OpenSSL has its own way to do this, DTLSv1_listen, which wants a socket to itself, and an SSL to
 * look at the first packet of anybody. Here the ClientHello is read by us, and the cookie is a MAC
 * over where it came from and everything else in it, so nothing needs to be kept.
 *
 * An SSL that is made afterwards has not seen the first ClientHello, and would wait for it. So it
 * is told: the proven one without its cookie is what the first one was. It answers by a
 * HelloVerifyRequest, which was sent already and goes nowhere; then comes the proven one. */
#include "dtls/listen.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "dtls/internal.h"

enum {
    COOKIE = 16,
    MESSAGE_HEADER = 12,
    CLIENT_HELLO = 1,
    HELLO_VERIFY_REQUEST = 3,
    DTLS_1_0 = 0xfeff, /* what a HelloVerifyRequest says, whatever is spoken later */
    SESSION_ID_MAX = 32,
};

#define COOKIE_SLOT (60 * TR_SECOND)

struct hello {
    uint16_t version;    /* of the record */
    uint64_t record_seq; /* epoch 0 */
    uint16_t message_seq;
    struct tr_slice front; /* version, random, session id */
    struct tr_slice random;
    struct tr_slice cookie;
    struct tr_slice back; /* all behind the cookie */
};

/* The record and message around a ClientHello's body; false: that is not what it is. */
static bool read_headers(struct tr_rd *rd, struct hello *hello, struct tr_slice *body)
{
    uint8_t type = tr_rd_u8(rd);
    hello->version = tr_rd_u16(rd);
    hello->record_seq = tr_rd_u64(rd); /* the epoch on top */
    uint16_t record_n = tr_rd_u16(rd);
    struct tr_rd record = tr_rd(tr_rd_take(rd, record_n));
    uint8_t message = tr_rd_u8(&record);
    uint32_t length = tr_rd_u24(&record);
    hello->message_seq = tr_rd_u16(&record);
    uint32_t offset = tr_rd_u24(&record), fragment = tr_rd_u24(&record);
    *body = tr_rd_take(&record, length);
    return !rd->bad && !record.bad && type == DTLS_HANDSHAKE && message == CLIENT_HELLO &&
           (hello->version == DTLS_1_0 || hello->version == DTLS1_2_VERSION) &&
           hello->record_seq >> 48 == 0 && offset == 0 && fragment == length;
}

static bool read_hello(struct tr_slice datagram, struct hello *hello)
{
    struct tr_rd rd = tr_rd(datagram);
    struct tr_slice body;
    if (datagram.n > TR_DTLS_DATAGRAM_MAX || !read_headers(&rd, hello, &body))
        return false;
    rd = tr_rd(body);
    tr_rd_u16(&rd);
    hello->random = tr_rd_take(&rd, 32);
    uint8_t id_n = tr_rd_u8(&rd);
    tr_rd_take(&rd, id_n);
    hello->front = tr_slice(body.p, body.n - tr_rd_left(&rd));
    hello->cookie = tr_rd_take(&rd, tr_rd_u8(&rd));
    hello->back = tr_slice(rd.p, tr_rd_left(&rd));
    uint16_t suites = tr_rd_u16(&rd);
    tr_rd_take(&rd, suites);
    tr_rd_take(&rd, tr_rd_u8(&rd)); /* compression */
    return !rd.bad && id_n <= SESSION_ID_MAX && suites > 0;
}

/* Only for the count: what was no whole ClientHello. */
static bool is_fragment(struct tr_slice datagram)
{
    struct tr_rd rd = tr_rd(datagram);
    uint8_t type = tr_rd_u8(&rd);
    tr_rd_take(&rd, DTLS_RECORD_HEADER - 1);
    uint8_t message = tr_rd_u8(&rd);
    uint32_t length = tr_rd_u24(&rd);
    tr_rd_u16(&rd);
    uint32_t offset = tr_rd_u24(&rd), fragment = tr_rd_u24(&rd);
    return !rd.bad && type == DTLS_HANDSHAKE && message == CLIENT_HELLO &&
           (offset > 0 || fragment < length);
}

static void put_addr(struct tr_wr *w, const struct tr_addr *a)
{
    tr_wr_bytes(w, a->ip, sizeof(a->ip));
    tr_wr_u16(w, a->port);
    tr_wr_u8(w, a->proto);
}

/*= rfc6347#4.2.1: Cookie = HMAC(Secret, Client-IP, Client-Parameters) */
static bool make_cookie(const struct tr_dtls_cookies *cookies, uint64_t slot,
                        const struct tr_path *path, const struct hello *hello,
                        uint8_t cookie[COOKIE])
{
    uint8_t text[TR_DTLS_DATAGRAM_MAX + 64], mac[EVP_MAX_MD_SIZE];
    struct tr_wr w = tr_wr(text, sizeof(text));
    unsigned n = 0;

    tr_wr_u64(&w, slot);
    put_addr(&w, &path->remote);
    put_addr(&w, &path->local);
    tr_wr_bytes(&w, hello->front.p, hello->front.n);
    tr_wr_bytes(&w, hello->back.p, hello->back.n);
    if (w.bad ||
        !HMAC(EVP_sha256(), cookies->key, sizeof(cookies->key), text, tr_wr_len(&w), mac, &n))
        return false;
    memcpy(cookie, mac, COOKIE);
    return true;
}

static bool cookie_is_good(const struct tr_dtls_cookies *cookies, uint64_t slot,
                           const struct tr_path *path, const struct hello *hello)
{
    uint8_t cookie[COOKIE];

    return hello->cookie.n == COOKIE && make_cookie(cookies, slot, path, hello, cookie) &&
           CRYPTO_memcmp(cookie, hello->cookie.p, COOKIE) == 0;
}

/*= rfc6347#4.2.1: the server MUST use the record sequence number in the ClientHello as the record
 *# sequence number in the HelloVerifyRequest */
static void put_verify_request(struct tr_wr *w, const struct hello *hello,
                               const uint8_t cookie[COOKIE])
{
    uint32_t length = 2 + 1 + COOKIE;

    tr_wr_u8(w, DTLS_HANDSHAKE);
    tr_wr_u16(w, DTLS_1_0);
    tr_wr_u64(w, hello->record_seq);
    tr_wr_u16(w, (uint16_t)(MESSAGE_HEADER + length));
    tr_wr_u8(w, HELLO_VERIFY_REQUEST);
    tr_wr_u24(w, length);
    tr_wr_u16(w, 0); /* message 0 */
    tr_wr_u24(w, 0);
    tr_wr_u24(w, length);
    tr_wr_u16(w, DTLS_1_0);
    tr_wr_u8(w, COOKIE);
    tr_wr_bytes(w, cookie, COOKIE);
}

enum tr_dtls_greeting tr_dtls_hello(const struct tr_dtls_cookies *cookies, tr_usec now,
                                    const struct tr_path *path, struct tr_slice datagram,
                                    struct tr_wr *answer)
{
    struct hello hello;
    uint8_t cookie[COOKIE];
    uint64_t slot = (uint64_t)(now / COOKIE_SLOT);

    if (!read_hello(datagram, &hello))
        return is_fragment(datagram) ? TR_DTLS_HELLO_FRAGMENT : TR_DTLS_HELLO_NONE;
    /* A client counts its records and messages: the proven one is never its first. */
    bool counts = hello.message_seq == 1 && hello.record_seq > 0;
    if (counts && (cookie_is_good(cookies, slot, path, &hello) ||
                   cookie_is_good(cookies, slot - 1, path, &hello)))
        return TR_DTLS_HELLO_PROVEN;
    if (!make_cookie(cookies, slot, path, &hello, cookie))
        return TR_DTLS_HELLO_NONE;
    put_verify_request(answer, &hello, cookie);
    if (answer->bad)
        return TR_DTLS_HELLO_NONE;
    return hello.cookie.n > 0 ? TR_DTLS_HELLO_STALE : TR_DTLS_HELLO_ANSWER;
}

/* --- the association --- */

/* OpenSSL's callbacks: it makes the very cookie that will come, and believes it. */
int dtls_cookie_make(SSL *ssl, unsigned char *cookie, unsigned *n)
{
    (void)ssl;
    memset(cookie, 0, COOKIE);
    *n = COOKIE;
    return 1;
}

int dtls_cookie_check(SSL *ssl, const unsigned char *cookie, unsigned n)
{
    (void)ssl, (void)cookie, (void)n;
    return 1; /* tr_dtls_hello has looked */
}

static struct tr_slice first_hello(const struct hello *hello, uint8_t *p, size_t size)
{
    struct tr_wr w = tr_wr(p, size);
    uint32_t length = (uint32_t)(hello->front.n + 1 + hello->back.n);

    tr_wr_u8(&w, DTLS_HANDSHAKE);
    tr_wr_u16(&w, hello->version);
    tr_wr_u64(&w, hello->record_seq - 1);
    tr_wr_u16(&w, (uint16_t)(MESSAGE_HEADER + length));
    tr_wr_u8(&w, CLIENT_HELLO);
    tr_wr_u24(&w, length);
    tr_wr_u16(&w, 0);
    tr_wr_u24(&w, 0);
    tr_wr_u24(&w, length);
    tr_wr_bytes(&w, hello->front.p, hello->front.n);
    tr_wr_u8(&w, 0); /* no cookie */
    tr_wr_bytes(&w, hello->back.p, hello->back.n);
    return tr_wr_slice(&w);
}

/* false: OpenSSL did not ask for a cookie, so it has refused the ClientHello. */
static bool prime(struct tr_dtls *dtls, const struct hello *hello)
{
    uint8_t record[TR_DTLS_DATAGRAM_MAX], request[64];

    SSL_set_options(dtls->ssl, SSL_OP_COOKIE_EXCHANGE);
    dtls->incoming = first_hello(hello, record, sizeof(record));
    dtls->capture = (struct tr_buf){ request, sizeof(request) };
    dtls->captured = 0;
    ERR_clear_error();
    int done = SSL_do_handshake(dtls->ssl);
    bool asked = SSL_get_error(dtls->ssl, done) == SSL_ERROR_WANT_READ && dtls->captured > 0 &&
                 request[DTLS_RECORD_HEADER] == HELLO_VERIFY_REQUEST;
    dtls->capture = (struct tr_buf){ 0 };
    dtls->incoming = tr_slice(NULL, 0);
    memcpy(dtls->hello_random, hello->random.p, sizeof(dtls->hello_random));
    /*= rfc6347#4.2.1: the server MUST use the record sequence number in the ClientHello as the
     *# record sequence number in its initial ServerHello. OpenSSL is at 1 by now. */
    dtls->shift = hello->record_seq - 1;
    return asked;
}

struct tr_dtls *tr_dtls_accept(struct tr_dtls_ctx *ctx, tr_usec now, struct tr_slice datagram)
{
    const struct tr_dtls_conf conf = { .ctx = ctx, .role = TR_DTLS_SERVER, .anybody = true };
    struct hello hello;
    struct tr_dtls *dtls = read_hello(datagram, &hello) ? tr_dtls_create(&conf) : NULL;

    if (!dtls)
        return NULL;
    tr_dtls_start(dtls, now);
    if (!prime(dtls, &hello) || tr_dtls_input(dtls, now, datagram) != TR_OK) {
        tr_dtls_destroy(dtls);
        return NULL;
    }
    return dtls;
}

bool tr_dtls_hello_is(const struct tr_dtls *dtls, struct tr_slice datagram)
{
    struct hello hello;

    return !read_hello(datagram, &hello) ||
           memcmp(dtls->hello_random, hello.random.p, sizeof(dtls->hello_random)) == 0;
}

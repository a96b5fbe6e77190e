/* A DTLS server for clients that nothing is known of: TURN (RFC 7350). Any address may send a
 * ClientHello; nothing is kept of it before it has shown, by a cookie that was sent there, that it
 * receives what is sent to it (RFC 6347 4.2.1). Client and server ask for no certificate of the
 * other and for no SRTP: tr_dtls_conf.anybody.
 *
 * The owner of the socket keeps associations by path and hands each datagram to the one of its
 * path. When there is none, or the datagram is a ClientHello of another handshake
 * (tr_dtls_hello_is), it asks tr_dtls_hello; what is accepted there replaces the one that was. It
 * bounds how many there are, and how many in their handshake. With the first data of the client the
 * association goes to rest by itself (dtls.h). */
#ifndef TR_DTLS_LISTEN_H
#define TR_DTLS_LISTEN_H

#include "base/addr.h"
#include "dtls/dtls.h"

enum {
    TR_DTLS_COOKIE_KEY = 32,
    TR_DTLS_VERIFY_MAX = 44, /* bytes of an answer; a ClientHello has at least 67 */
};

struct tr_dtls_cookies {
    uint8_t key[TR_DTLS_COOKIE_KEY]; /* random; the same for all threads of a port */
};

enum tr_dtls_greeting {
    TR_DTLS_HELLO_NONE,     /* not a ClientHello, or a broken one: drop it */
    TR_DTLS_HELLO_FRAGMENT, /* a piece of one: drop it */
    TR_DTLS_HELLO_ANSWER,   /* without a cookie: send *answer, and forget it */
    TR_DTLS_HELLO_STALE,    /* with one that is not good, or not any more: likewise */
    TR_DTLS_HELLO_PROVEN,   /* tr_dtls_accept may follow */
};

/* Stateless. A cookie is good for one to two minutes, one path and one ClientHello. */
enum tr_dtls_greeting tr_dtls_hello(const struct tr_dtls_cookies *cookies, tr_usec now,
                                    const struct tr_path *path, struct tr_slice datagram,
                                    struct tr_wr *answer);
/* The association that the proven ClientHello asks for, with it as its first input: poll. NULL:
 * memory is out, or OpenSSL does not like it. */
struct tr_dtls *tr_dtls_accept(struct tr_dtls_ctx *ctx, tr_usec now, struct tr_slice datagram);
/* false: the datagram begins with a ClientHello, but not the one that was accepted. */
bool tr_dtls_hello_is(const struct tr_dtls *dtls, struct tr_slice datagram);

#endif

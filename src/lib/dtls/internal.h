/* Shared by the files of lib/dtls. */
#ifndef TR_DTLS_INTERNAL_H
#define TR_DTLS_INTERNAL_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "dtls/dtls.h"
#include "dtls/filter.h"
#include "dtls/queue.h"
#include "dtls/rest.h"

struct tr_dtls_cert {
    EVP_PKEY *key;
    X509 *x509;
    STACK_OF(X509) * chain;                 /* NULL: self-signed */
    struct tr_dtls_fingerprint fingerprint; /* SHA-256 */
};

struct tr_dtls_ctx {
    _Atomic uint32_t refs; /* owners, and associations */
    SSL_CTX *ssl_ctx;
    BIO_METHOD *bio_method;
};

enum dtls_state { DTLS_IDLE, DTLS_HANDSHAKING, DTLS_CONNECTED, DTLS_CLOSED };

struct tr_dtls {
    struct tr_dtls_ctx *ctx;
    enum tr_dtls_role role;
    bool anybody;
    enum dtls_state state;
    struct tr_dtls_fingerprint remote;
    enum tr_srtp_profile profiles[TR_SRTP_PROFILES];
    struct dtls_filter filter;
    SSL *ssl;               /* NULL once closed, or at rest */
    struct dtls_rest *rest; /* NULL: not at rest */
    bool keeps_ssl;         /* rest was tried and is not possible */
    bool heard;             /* data of the peer */
    struct tr_buf capture;  /* where OpenSSL's records go in place of the queue, while set */
    size_t captured;
    unsigned restarts;
    uint8_t hello_random[32]; /* of the ClientHello that was accepted (listen.h) */
    uint64_t shift;           /* added to the numbers of records in the clear that are sent */

    struct tr_slice
        incoming;           /* the record that the BIO gives to OpenSSL; borrowed, one call long */
    struct dtls_queue out;  /* datagrams */
    struct dtls_queue data; /* application records */
    uint64_t written;       /* times that OpenSSL has written */
    bool packing;           /* the last datagram of out is of this call: more may be added */

    tr_usec now;
    tr_usec give_up_at;
    tr_usec retransmit_at;
    tr_usec interval;
    struct timeval *next_timeout; /* OpenSSL's own, see timer.c; NULL where out of reach */

    bool fingerprint_bad;
    bool tell_connected;
    bool tell_closed;
    enum tr_dtls_reason reason;
    enum tr_srtp_profile profile;
    struct tr_srtp_keys client, server;
};

bool dtls_cert_fingerprint(const X509 *x509, enum tr_dtls_digest digest,
                           struct tr_dtls_fingerprint *out);
int dtls_cookie_make(SSL *ssl, unsigned char *cookie, unsigned *n);
int dtls_cookie_check(SSL *ssl, const unsigned char *cookie, unsigned n);
BIO_METHOD *dtls_bio_method(void); /* NULL when memory is out */
bool dtls_timer_is_shared(void);   /* OpenSSL shows where it keeps its timer */
unsigned dtls_timer_cb(SSL *ssl, unsigned duration_us);
/* After each call into OpenSSL; before: dtls->written at its start. */
void dtls_timer_update(struct tr_dtls *dtls, uint64_t before);
/* Repeats the flight. IO: OpenSSL gave up. */
TR_MUST_USE enum tr_err dtls_timer_fire(struct tr_dtls *dtls);

#endif

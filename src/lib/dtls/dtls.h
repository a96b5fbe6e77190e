/* DTLS 1.2 endpoint for DTLS-SRTP (RFC 6347, 5763, 5764, 8827) as a state machine over OpenSSL:
 * no sockets, no clock of its own. Peers are proven by the fingerprint in their SDP, nothing
 * else.
 * Drive: one of start/input/timeout/send/close -> poll until TR_DTLS_NONE -> sleep to next_timeout.
 *
 * Feed only datagrams whose path has passed an authenticated ICE check: who can forge those can
 * make a handshake fail or spend its byte budget. After the handshake nothing unauthenticated
 * ends the association.
 *
 * A cert and a ctx are made at start and may be shared by all threads; one tr_dtls has one owner
 * and one thread. */
#ifndef TR_DTLS_H
#define TR_DTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "srtp/profile.h"

enum tr_dtls_limits {
    TR_DTLS_MTU = 1200,                  /* largest datagram sent */
    TR_DTLS_DATA_MAX = 1200 - 37,        /* application data of one */
    TR_DTLS_DATAGRAM_MAX = 2048,         /* largest datagram read */
    TR_DTLS_ANYBODY_MAX = 2048 - 37,     /* application data, likewise, with conf.anybody */
    TR_DTLS_RECORDS_MAX = 16,            /* records read of one datagram */
    TR_DTLS_HANDSHAKE_BYTES_MAX = 65536, /* read per association before it is given up */
    TR_DTLS_QUEUE_BYTES_MAX = 32768,     /* waiting to be polled, each way; newest dropped */
    TR_DTLS_RESTARTS_MAX = 3,            /* a server forgives so many broken ClientHellos */
    TR_DTLS_DIGEST_MAX = 64,
    TR_DTLS_FINGERPRINT_STR_MAX = 3 * TR_DTLS_DIGEST_MAX
};

#define TR_DTLS_RETRANSMIT_FIRST (60 * TR_MSEC) /* doubles */
#define TR_DTLS_RETRANSMIT_MAX (2 * TR_SECOND)
#define TR_DTLS_HANDSHAKE_TIMEOUT (15 * TR_SECOND)

enum tr_dtls_role { TR_DTLS_SERVER, TR_DTLS_CLIENT }; /* a=setup:passive, a=setup:active */
enum tr_dtls_digest { TR_DTLS_SHA1, TR_DTLS_SHA256, TR_DTLS_SHA384, TR_DTLS_SHA512 };
enum tr_dtls_kind {
    TR_DTLS_NONE,
    TR_DTLS_SEND,      /* data: a datagram for the peer */
    TR_DTLS_CONNECTED, /* profile and keys, unless it is for anybody */
    TR_DTLS_DATA,      /* data: one application record (SCTP) */
    TR_DTLS_CLOSED     /* reason; once, after the last SEND */
};
enum tr_dtls_reason {
    TR_DTLS_REASON_NONE,
    TR_DTLS_REASON_LOCAL,       /* tr_dtls_close */
    TR_DTLS_REASON_ALERT,       /* the peer's close_notify or fatal alert, authenticated */
    TR_DTLS_REASON_TIMEOUT,     /* no handshake within 15 s */
    TR_DTLS_REASON_FINGERPRINT, /* the peer's certificate is not the one of its SDP */
    TR_DTLS_REASON_PROFILE,     /* no SRTP profile in common */
    TR_DTLS_REASON_LIMIT,       /* handshake byte budget spent */
    TR_DTLS_REASON_ERROR        /* the handshake failed, or memory is out */
};

struct tr_dtls_cert;
struct tr_dtls_ctx;
struct tr_dtls;

struct tr_dtls_fingerprint {
    enum tr_dtls_digest digest;
    size_t len;
    uint8_t bytes[TR_DTLS_DIGEST_MAX];
};

struct tr_dtls_conf {
    struct tr_dtls_ctx *ctx; /* becomes one more owner's */
    enum tr_dtls_role role;
    bool anybody; /* no certificate is asked for, and no SRTP: listen.h; the rest is unused */
    struct tr_dtls_fingerprint remote; /* a=fingerprint of the peer */
    /* In order of preference, TR_SRTP_NONE ends the list; an empty list is AEAD_AES_128_GCM,
     * AEAD_AES_256_GCM, AES128_CM_SHA1_80. The DTLS server's order decides. */
    enum tr_srtp_profile profiles[TR_SRTP_PROFILES];
};

struct tr_dtls_out { /* valid until the next call on the same association */
    enum tr_dtls_kind kind;
    struct tr_slice data;
    enum tr_srtp_profile profile;
    struct tr_srtp_keys client; /* what the DTLS client sends with */
    struct tr_srtp_keys server;
    enum tr_dtls_reason reason;
};

struct tr_dtls_stats { /* records, by what became of them */
    uint64_t accepted;
    uint64_t malformed;  /* type, version, length, fragment header */
    uint64_t epoch;      /* of the future, or of the past after the handshake */
    uint64_t alerts;     /* not authenticated: ignored */
    uint64_t unexpected; /* a type or message that this role does not take now */
    uint64_t limited;    /* over a budget or rate */
    uint64_t queue_full; /* datagrams and data that nobody polled */
    uint64_t retransmits;
};

/* Self-signed, ECDSA P-256, valid from a day before now for a year. NULL when memory is out. */
struct tr_dtls_cert *tr_dtls_cert_create(int64_t now_unix_s);
void tr_dtls_cert_destroy(struct tr_dtls_cert *cert); /* NULL is fine; its contexts live on */
const struct tr_dtls_fingerprint *tr_dtls_cert_fingerprint(const struct tr_dtls_cert *cert);

/* "sha-256" and "AB:CD:..", as in a=fingerprint (RFC 8122); the name in any case.
 * UNSUPPORTED: unknown hash; BADMSG: not hex, or not as long as the hash. */
TR_MUST_USE enum tr_err tr_dtls_fingerprint_parse(struct tr_dtls_fingerprint *out,
                                                  struct tr_slice hash, struct tr_slice hex);
/* Upper-case hex with colons; returns out. */
const char *tr_dtls_fingerprint_str(const struct tr_dtls_fingerprint *fingerprint,
                                    char out[TR_DTLS_FINGERPRINT_STR_MAX]);
const char *tr_dtls_digest_name(enum tr_dtls_digest digest); /* "sha-256" ... */

struct tr_dtls_ctx *tr_dtls_ctx_create(const struct tr_dtls_cert *cert);
/* One more owner, on any thread; returns ctx. Each owner destroys it once, and it lives on until
 * its last association has gone. */
struct tr_dtls_ctx *tr_dtls_ctx_ref(struct tr_dtls_ctx *ctx);
void tr_dtls_ctx_destroy(struct tr_dtls_ctx *ctx); /* NULL is fine */

/* NULL when memory is out or the conf is unusable (fingerprint length, unknown profile). */
struct tr_dtls *tr_dtls_create(const struct tr_dtls_conf *conf);
void tr_dtls_destroy(struct tr_dtls *dtls); /* says nothing to the peer; NULL is fine */
/* The path is usable: a client sends its ClientHello, both start the handshake timeout. Later calls
 * do nothing. */
void tr_dtls_start(struct tr_dtls *dtls, tr_usec now);
/* IGNORED: not DTLS, not started, or closed. BADMSG: no record of it was accepted, counted by
 * cause. */
TR_MUST_USE enum tr_err tr_dtls_input(struct tr_dtls *dtls, tr_usec now, struct tr_slice datagram);
void tr_dtls_timeout(struct tr_dtls *dtls, tr_usec now);
tr_usec tr_dtls_next_timeout(const struct tr_dtls *dtls); /* absolute; TR_NEVER when idle */
void tr_dtls_poll(struct tr_dtls *dtls, struct tr_dtls_out *out);
/* One application record. AGAIN: not connected; LIMIT: empty, too long, or the queue is full;
 * CLOSED; NOMEM; IO. */
TR_MUST_USE enum tr_err tr_dtls_send(struct tr_dtls *dtls, struct tr_slice data);
void tr_dtls_close(struct tr_dtls *dtls); /* close_notify, then CLOSED(LOCAL) */

/* The peer has proven that it is connected, too: by a packet under the keys that came of it, for
 * one. From now on the association takes some hundred bytes in place of about 40 KiB; all else goes
 * on as before. Does nothing when not connected, or when the cipher suite is not an AES-GCM one. */
void tr_dtls_rest(struct tr_dtls *dtls);

bool tr_dtls_is_connected(const struct tr_dtls *dtls);
/* As OpenSSL names it, "ECDHE-ECDSA-AES128-GCM-SHA256"; "" while there is none. */
const char *tr_dtls_cipher(const struct tr_dtls *dtls);
const struct tr_dtls_stats *tr_dtls_stats(const struct tr_dtls *dtls);

#endif

/* Credentials of TURN clients (RFC 8489 9.2) without state for each: nonces that prove the client's
 * address and tell their age, long-term keys of named users, and time-limited credentials (username
 * "expiry" or "expiry:id", password base64(HMAC-SHA1(secret, username))). MD5 and SHA-256 keys,
 * USERHASH (of named users only: nobody can know the name behind the hash of a time-limited one),
 * PASSWORD-ALGORITHMS with the nonce cookie against bidding down. Made once, read by all threads;
 * reading takes no lock.
 *
 * What we hand out ourselves has an id that begins with TR_TURN_ISSUED. The password goes by the
 * whole username, so nobody without the secret can take that mark off. */
#ifndef TR_TURN_AUTH_H
#define TR_TURN_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "stun/stun.h"

#define TR_TURN_ISSUED "tring~"

struct tr_rng;
struct tr_turn_auth;

enum {
    TR_TURN_SECRETS_MAX = 2, /* the current one and the one before it, while it is rotated */
    TR_TURN_USERS_MAX = 64,
    TR_TURN_NONCE_MAX = 64,       /* bytes of a nonce as text */
    TR_TURN_CREDENTIAL_MAX = 128, /* with the NUL */
    TR_TURN_REALM_MAX = 127,
    TR_TURN_SECRET_MAX = 256,
};

struct tr_turn_user {
    const char *name, *password;
};

struct tr_turn_auth_conf { /* copied */
    const char *realm;
    const char *secrets[TR_TURN_SECRETS_MAX]; /* NULL: none */
    const struct tr_turn_user *users;
    int users_count;
    tr_usec nonce_life_us;  /* 0: 600 s */
    int64_t wall_offset_us; /* Unix microseconds minus `now`: expiry is wall time */
};

/* What is not OK has proven no address either: answers to it are throttled. */
enum tr_turn_proof {
    TR_TURN_PROOF_OK,
    TR_TURN_PROOF_NONE,  /* no credential: 401 with realm and nonce */
    TR_TURN_PROOF_BAD,   /* 400: attributes are missing or contradict each other */
    TR_TURN_PROOF_STALE, /* 438 */
    TR_TURN_PROOF_WRONG, /* 401: unknown, expired, or the integrity does not match */
};

struct tr_turn_identity { /* who asks; by value, an allocation keeps it */
    uint8_t key[TR_STUN_KEY_MAX];
    uint8_t key_n;
    bool sha256;    /* answers carry MESSAGE-INTEGRITY-SHA256 */
    bool issued;    /* handed out by tr_turn_auth_issue */
    uint8_t name_n; /* the stable part of the username (its id): quotas go by it */
    char name[TR_TURN_CREDENTIAL_MAX]; /* a longer one is cut */
    uint8_t user_hash[16]; /* of the whole username: all requests of an allocation have the same */
};

/* NULL: memory is out, or the conf is unusable. */
struct tr_turn_auth *tr_turn_auth_create(const struct tr_turn_auth_conf *conf, struct tr_rng *rng);
void tr_turn_auth_destroy(struct tr_turn_auth *auth); /* wipes keys; NULL is fine */

/* m: parsed as TR_STUN_FOR_TURN. *who is written when OK, and wiped otherwise.
 * fresh: an expired credential is refused (Allocate); else the allocation that it made lives on. */
enum tr_turn_proof tr_turn_auth_check(const struct tr_turn_auth *auth, tr_usec now,
                                      const struct tr_path *flow, const struct tr_stun *m,
                                      bool fresh, struct tr_turn_identity *who);
/* Adds REALM, NONCE for this flow and PASSWORD-ALGORITHMS to an error answer. */
void tr_turn_auth_challenge(const struct tr_turn_auth *auth, tr_usec now,
                            const struct tr_path *flow, struct tr_wr *w);
/* A credential for one of our own clients: marked as such. INVAL: there is no secret, or it does
 * not fit. */
TR_MUST_USE enum tr_err tr_turn_auth_issue(const struct tr_turn_auth *auth, tr_usec now,
                                           tr_usec life, const char *id,
                                           char name[TR_TURN_CREDENTIAL_MAX],
                                           char password[TR_TURN_CREDENTIAL_MAX]);
const char *tr_turn_auth_realm(const struct tr_turn_auth *auth);

#endif

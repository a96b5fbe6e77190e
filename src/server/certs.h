/* The certificates of the configuration, for all that speaks TLS or DTLS: read from their files at
 * start, looked at again each minute and when somebody asks for it, and handed on when they have
 * changed. What cannot be used (a file of the new pair beside one of the old) is said once in the
 * log, and tried again each minute; until then the last good one is in use.
 * One thread, except tr_certs_ask. Drive: timeout when next_timeout is due. */
#ifndef TR_SERVER_CERTS_H
#define TR_SERVER_CERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct tr_certs;
struct tr_dtls_cert;

enum { TR_CERTS_PAIRS_MAX = 2, TR_CERTS_USERS_MAX = 2 };

#define TR_CERTS_LOOK_US (60 * TR_SECOND)

struct tr_certs_user {
    /* New connections get this one, those that are up live on. Called with the first one before
     * tr_certs_watch returns. The cert is not kept. On error the one before it stays in use. */
    enum tr_err (*use)(void *arg, const struct tr_dtls_cert *cert);
    void *arg;
};

struct tr_certs_counters {
    uint64_t renewed; /* pairs of files, after the first time */
    uint64_t refused; /* such as could not be used; each state of the files once */
};

struct tr_certs *tr_certs_create(tr_usec now); /* NULL: memory is out */
void tr_certs_destroy(struct tr_certs *certs); /* NULL is fine */
/* The texts are borrowed. On error nobody watches, and *why says what is wrong (static or
 * the system's): what tr_tls_cert_load returns, what `use` does, or LIMIT. */
TR_MUST_USE enum tr_err tr_certs_watch(struct tr_certs *certs, const char *cert_file,
                                       const char *key_file, const struct tr_certs_user *user,
                                       const char **why);
void tr_certs_ask(struct tr_certs *certs); /* look now; any thread, which then wakes the owner */
tr_usec tr_certs_next_timeout(const struct tr_certs *certs);
void tr_certs_timeout(struct tr_certs *certs, tr_usec now);

void tr_certs_counters(const struct tr_certs *certs, struct tr_certs_counters *out);
/* The i-th pair's certificate file, and when what is in use expires (Unix seconds); false: none. */
bool tr_certs_at(const struct tr_certs *certs, int i, const char **cert_file, int64_t *expires);

#endif

/* Files are compared by what stat says of them, and read when that has changed; or again and again
 * while they cannot be used, as then the time of change is too coarse to be trusted: both files may
 * be written within one tick of the file system's clock. What is used is what was read and checked
 * in one go, so nobody ever serves half of a pair. */
#include "server/certs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "dtls/cert.h"
#include "dtls/dtls.h"
#include "net/log.h"
#include "net/tls.h"

struct pair {
    const char *cert_file, *key_file; /* borrowed */
    uint64_t stamp;                   /* of what is in use, or was last complained of */
    bool bad;                         /* what the files hold now is not in use */
    int64_t expires;
    struct tr_certs_user users[TR_CERTS_USERS_MAX];
    int users_count;
};

struct tr_certs {
    struct pair pairs[TR_CERTS_PAIRS_MAX];
    int pairs_count;
    tr_usec next;
    _Atomic bool asked;
    struct tr_certs_counters counters;
};

struct tr_certs *tr_certs_create(tr_usec now)
{
    struct tr_certs *certs = tr_alloc(sizeof *certs);
    if (certs)
        certs->next = now + TR_CERTS_LOOK_US;
    return certs;
}

void tr_certs_destroy(struct tr_certs *certs)
{
    tr_free(certs);
}

static const char *why_of(enum tr_err err)
{
    switch ((int)err) {
    case TR_ERR_IO: return strerrordesc_np(errno);
    case TR_ERR_AUTH: return "the key is not the certificate's";
    case TR_ERR_BADMSG: return "a file is not PEM, or not whole, or encrypted";
    case TR_ERR_LIMIT: return "the chain is too long";
    default: return tr_err_str(err);
    }
}

static enum tr_err use(struct pair *p, const struct tr_certs_user *users, int count)
{
    struct tr_dtls_cert *cert;
    enum tr_err err = tr_tls_cert_load(&cert, p->cert_file, p->key_file);
    if (err != TR_OK)
        return err;
    for (int i = 0; i < count; i++) {
        enum tr_err one = users[i].use(users[i].arg, cert);
        err = err == TR_OK ? one : err;
    }
    if (err == TR_OK)
        p->expires = tr_dtls_cert_expires(cert);
    tr_dtls_cert_destroy(cert);
    return err;
}

/* That of these files, maybe a new one; NULL: there is no room. */
static struct pair *pair_of(struct tr_certs *certs, const char *cert_file, const char *key_file)
{
    for (int i = 0; i < certs->pairs_count; i++) {
        struct pair *p = &certs->pairs[i];
        if (strcmp(p->cert_file, cert_file) == 0 && strcmp(p->key_file, key_file) == 0)
            return p->users_count < TR_CERTS_USERS_MAX ? p : NULL;
    }
    if (certs->pairs_count == TR_CERTS_PAIRS_MAX)
        return NULL;
    struct pair *p = &certs->pairs[certs->pairs_count];
    *p = (struct pair){ .cert_file = cert_file,
                        .key_file = key_file,
                        .stamp = tr_tls_files_stamp(cert_file, key_file) };
    return p;
}

enum tr_err tr_certs_watch(struct tr_certs *certs, const char *cert_file, const char *key_file,
                           const struct tr_certs_user *user, const char **why)
{
    struct pair *p = pair_of(certs, cert_file, key_file);
    if (!p) {
        *why = "too many certificates are in use";
        return TR_ERR_LIMIT;
    }
    enum tr_err err = use(p, user, 1);
    if (err != TR_OK) {
        *why = why_of(err);
        return err;
    }
    p->users[p->users_count++] = *user;
    if (p == &certs->pairs[certs->pairs_count])
        certs->pairs_count++;
    return TR_OK;
}

static void look(struct tr_certs *certs, struct pair *p, bool asked)
{
    uint64_t stamp = tr_tls_files_stamp(p->cert_file, p->key_file); /* before they are read */
    bool changed = stamp != p->stamp;
    if (!changed && !p->bad)
        return;
    enum tr_err err = use(p, p->users, p->users_count);
    p->stamp = stamp;
    if (err == TR_OK) {
        certs->counters.renewed++;
        tr_log(TR_LOG_INFO, "tls", "a new certificate is in use file=\"%s\" expires=%" PRId64,
               p->cert_file, p->expires);
    } else if (changed || asked) {
        const char *why = why_of(err);
        certs->counters.refused += changed;
        tr_log(TR_LOG_WARN, "tls",
               "the new certificate cannot be used, the one before it is file=\"%s\" key=\"%s\" "
               "why=\"%s\"",
               p->cert_file, p->key_file, why);
    }
    p->bad = err != TR_OK;
}

void tr_certs_ask(struct tr_certs *certs)
{
    atomic_store(&certs->asked, true);
}

tr_usec tr_certs_next_timeout(const struct tr_certs *certs)
{
    if (certs->pairs_count == 0)
        return TR_NEVER;
    return atomic_load(&certs->asked) ? 0 : certs->next;
}

void tr_certs_timeout(struct tr_certs *certs, tr_usec now)
{
    bool asked = atomic_exchange(&certs->asked, false);
    if (!asked && now < certs->next)
        return;
    certs->next = now + TR_CERTS_LOOK_US;
    for (int i = 0; i < certs->pairs_count; i++)
        look(certs, &certs->pairs[i], asked);
}

void tr_certs_counters(const struct tr_certs *certs, struct tr_certs_counters *out)
{
    *out = certs->counters;
}

bool tr_certs_at(const struct tr_certs *certs, int i, const char **cert_file, int64_t *expires)
{
    if (i >= certs->pairs_count)
        return false;
    *cert_file = certs->pairs[i].cert_file;
    *expires = certs->pairs[i].expires;
    return true;
}

/* Goal: a new pair of files is taken within a minute, or when asked for; anything else leaves what
 * is in use, and is told of once.
 * Method: files in a folder of the test, written as tools for certificates do, in virtual time. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/log.h"
#include "net/pem_test.h"
#include "server/certs.h"

enum { PATH_BYTES = 64 };

struct user {
    enum tr_err answer;
    int calls;
    struct tr_dtls_fingerprint seen;
};

struct files {
    char dir[PATH_BYTES], cert[PATH_BYTES], key[PATH_BYTES];
    struct tr_dtls_cert *old, *fresh;
    struct tr_certs *certs;
    struct user user;
    tr_usec now;
    int warnings;
    char last[TR_LOG_LINE_MAX];
};

static enum tr_err take(void *arg, const struct tr_dtls_cert *cert)
{
    struct user *u = arg;
    u->calls++;
    u->seen = *tr_dtls_cert_fingerprint(cert);
    return u->answer;
}

static bool has(const struct user *u, const struct tr_dtls_cert *cert)
{
    return memcmp(u->seen.bytes, cert->fingerprint.bytes, cert->fingerprint.len) == 0;
}

static void hear(void *arg, const char *line, size_t n)
{
    struct files *f = arg;
    snprintf(f->last, sizeof f->last, "%.*s", (int)n, line);
    f->warnings += strstr(f->last, "warn") != NULL;
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static enum tr_err watch(struct files *f, struct user *u, const char **why)
{
    const struct tr_certs_user user = { take, u };
    return tr_certs_watch(f->certs, f->cert, f->key, &user, why);
}

static void files_init(struct files *f)
{
    const char *why = "";
    *f = (struct files){ .dir = "/tmp/tring-certs-XXXXXX", .now = TR_SECOND };
    CHECK(mkdtemp(f->dir) != NULL);
    snprintf(f->cert, sizeof f->cert, "%.40s/cert.pem", f->dir);
    snprintf(f->key, sizeof f->key, "%.40s/key.pem", f->dir);
    tr_log_set_sink(hear, f);
    f->old = tr_dtls_cert_create(1700000000);
    f->fresh = tr_dtls_cert_create(1700000000);
    f->certs = tr_certs_create(f->now);
    write_pem(f->cert, f->old, false);
    write_pem(f->key, f->old, true);
    CHECK_INT(watch(f, &f->user, &why), TR_OK);
    CHECK(f->user.calls == 1 && has(&f->user, f->old));
}

static void files_deinit(struct files *f)
{
    tr_certs_destroy(f->certs);
    tr_dtls_cert_destroy(f->old);
    tr_dtls_cert_destroy(f->fresh);
    tr_log_set_sink(NULL, NULL);
    unlink(f->cert);
    unlink(f->key);
    rmdir(f->dir);
}

/* Another one in its place, as tools do: a file of the same name is a new one. */
static void exchange(const char *path, const struct tr_dtls_cert *cert, bool key)
{
    unlink(path);
    write_pem(path, cert, key);
}

static void minutes(struct files *f, int n)
{
    for (; n > 0; n--) {
        f->now += TR_CERTS_LOOK_US;
        CHECK(tr_certs_next_timeout(f->certs) <= f->now);
        tr_certs_timeout(f->certs, f->now);
    }
}

static struct tr_certs_counters counters(const struct files *f)
{
    struct tr_certs_counters c;
    tr_certs_counters(f->certs, &c);
    return c;
}

TEST(a_new_pair_is_taken_within_a_minute)
{
    struct files f;
    const char *file;
    int64_t expires;
    files_init(&f);
    minutes(&f, 3);
    CHECK_INT(f.user.calls, 1);
    exchange(f.cert, f.fresh, false);
    exchange(f.key, f.fresh, true);
    tr_certs_timeout(f.certs, f.now + TR_CERTS_LOOK_US / 2); /* not due */
    CHECK_INT(f.user.calls, 1);
    minutes(&f, 3);
    CHECK(f.user.calls == 2 && has(&f.user, f.fresh));
    CHECK_INT(counters(&f).renewed, 1);
    CHECK_INT(counters(&f).refused + (uint64_t)f.warnings, 0);
    CHECK(tr_certs_at(f.certs, 0, &file, &expires) && !tr_certs_at(f.certs, 1, &file, &expires));
    CHECK_STR(file, f.cert);
    CHECK_INT(expires, 1700000000 + 365 * 86400);
    files_deinit(&f);
}

TEST(half_of_a_pair_is_waited_for)
{
    struct files f;
    struct stat was;
    files_init(&f);
    write_pem(f.cert, f.fresh, false);
    minutes(&f, 3);
    CHECK_INT(f.user.calls, 1);
    CHECK_INT(f.warnings, 1);
    CHECK(strstr(f.last, "the key is not the certificate's") != NULL);
    CHECK_INT(counters(&f).refused, 1);
    CHECK_INT(stat(f.key, &was), 0);
    write_pem(f.key, f.fresh, true);
    const struct timespec times[2] = { was.st_atim, was.st_mtim };
    CHECK_INT(utimensat(AT_FDCWD, f.key, times, 0), 0); /* as if in the same tick */
    minutes(&f, 3);
    CHECK(f.user.calls == 2 && has(&f.user, f.fresh));
    CHECK_INT(f.warnings, 1);
    CHECK_INT(counters(&f).renewed, 1);
    files_deinit(&f);
}

TEST(what_is_no_certificate_is_not_used)
{
    static const struct {
        const char *text, *why; /* NULL: the file is gone */
    } rows[] = {
        { "", "not PEM" },
        { "-----BEGIN CERTIFICATE-----\nMIIB", "not whole" },
        { "rubbish\n", "not PEM" },
        { NULL, "No such file" },
    };
    struct files f;
    files_init(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unlink(f.cert);
        if (rows[i].text)
            write_text(f.cert, rows[i].text);
        minutes(&f, 2);
        CHECK_INT(f.warnings, i + 1);
        CHECK(strstr(f.last, rows[i].why) != NULL);
    }
    CHECK_INT(f.user.calls, 1);
    exchange(f.cert, f.old, false);
    minutes(&f, 1);
    CHECK(f.user.calls == 2 && has(&f.user, f.old));
    files_deinit(&f);
}

TEST(who_asks_is_answered_at_once)
{
    struct files f;
    files_init(&f);
    CHECK(tr_certs_next_timeout(f.certs) > f.now);
    exchange(f.cert, f.fresh, false);
    tr_certs_ask(f.certs);
    CHECK(tr_certs_next_timeout(f.certs) <= f.now);
    tr_certs_timeout(f.certs, f.now);
    tr_certs_ask(f.certs);
    tr_certs_timeout(f.certs, f.now);
    CHECK_INT(f.warnings, 2); /* each time */
    CHECK_INT(counters(&f).refused, 1);
    exchange(f.key, f.fresh, true);
    tr_certs_ask(f.certs);
    tr_certs_timeout(f.certs, f.now);
    CHECK(f.user.calls == 2 && has(&f.user, f.fresh));
    files_deinit(&f);
}

TEST(all_who_use_a_pair_get_the_new_one)
{
    struct files f;
    struct user other = { 0 };
    const char *why = "";
    files_init(&f);
    CHECK_INT(watch(&f, &other, &why), TR_OK);
    CHECK(f.user.calls == 1 && other.calls == 1);
    exchange(f.cert, f.fresh, false);
    exchange(f.key, f.fresh, true);
    f.user.answer = TR_ERR_NOMEM;
    minutes(&f, 1);
    CHECK(f.warnings == 1 && counters(&f).renewed == 0);
    f.user.answer = TR_OK; /* memory is back */
    minutes(&f, 1);
    CHECK(has(&f.user, f.fresh) && has(&other, f.fresh));
    CHECK_INT(counters(&f).renewed, 1);
    CHECK_INT(watch(&f, &other, &why), TR_ERR_LIMIT);
    files_deinit(&f);
}

TEST(a_pair_that_is_bad_from_the_start)
{
    struct files f;
    struct tr_certs *none = tr_certs_create(0);
    const char *why = "";
    files_init(&f);
    const struct tr_certs_user user = { take, &f.user };
    CHECK_INT(tr_certs_watch(none, f.key, f.cert, &user, &why), TR_ERR_BADMSG);
    CHECK(strstr(why, "not PEM") != NULL);
    CHECK_INT(tr_certs_watch(none, "/nowhere", f.key, &user, &why), TR_ERR_IO);
    CHECK_STR(why, "No such file or directory");
    CHECK(tr_certs_next_timeout(none) == TR_NEVER && f.user.calls == 1);
    tr_certs_destroy(none);
    files_deinit(&f);
}

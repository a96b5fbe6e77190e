/* The renderer. A place is one job under work, and goes through
 *   RENDER   tring-render makes tmp-<call>-<token>.webm out of the journal
 *   VERIFY   tring-render --verify decodes all of it and compares the length
 *   PUBLISH  the disk thread gives it its name
 * Each step that goes wrong ends in fail(), which puts the job back or buries it.
 *
 * The row is written before the job is completed: a crash in between renders once more, and no row
 * is left PROCESSING without a job. Beside the lease there is a watch on progress, so a child that
 * hangs is killed.
 *
 * "clean" jobs wait in the same queue, with their time in the future, and remove the originals. */
#include "record/renderer.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/slice.h"
#include "net/child.h"
#include "net/log.h"
#include "record/manifest.h"
#include "record/recorder.h"
#include "record/recorder_disk.h"
#include "store/calls.h"
#include "store/jobs.h"

enum {
    PATH_BYTES = TR_JOURNAL_PATH_MAX,
    REASON_BYTES = 200,
    EXIT_NEVER = 3,    /* of tring-render: another try will not help */
    EXIT_NOT_RUN = 127 /* of net/child: the program could not be executed */
};
#define POLL_US (200 * TR_MSEC)
#define BEAT_US (20 * TR_SECOND)
#define ROW_US (1 * TR_SECOND)      /* between two writes of the progress */
#define STALL_US (600 * TR_SECOND)  /* without progress: killed */
#define RECHECK_US (60 * TR_SECOND) /* the wall clock may have been set */

static const char RENDER[] = "render", CLEAN[] = "clean";

enum state { FREE, RENDERING, VERIFYING, PUBLISHING };

struct place {
    enum state state;
    struct tr_job job;
    struct tr_child *child;
    uint64_t cookie;
    char tmp[PATH_BYTES], product[PATH_BYTES];
    int64_t duration_ms, bytes;
    int progress, told;
    bool stalled;
    tr_usec moved_at, beat_at, row_at;
};

struct tr_renderer {
    struct tr_renderer_conf conf;
    char dir[PATH_BYTES], render_path[PATH_BYTES];
    char owner[33];
    struct tr_jobs jobs;
    uint64_t cookie;
    struct place places[TR_RECORDER_RENDERS_MAX];
    bool cleaning;
    uint64_t clean_cookie;
    struct tr_job clean;
    tr_usec render_due, clean_due, polled_at;
    struct tr_renderer_counters counters;
};

static const char *call_of(const struct tr_job *job)
{
    return job->payload;
}

static void journal_path(const struct tr_renderer *r, const char *call, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%.800s/journal/%.40s", r->dir, call);
}

/* A row or job that cannot be written stays as it is; the next start takes it up. */
static void must_store(const struct tr_renderer *r, enum tr_err err, const char *call)
{
    if (err != TR_OK && err != TR_ERR_NOTFOUND)
        tr_log(TR_LOG_ERROR, "record", "the database refused call=%s error=\"%s\"", call,
               tr_sql_error(r->conf.db));
}

static void row_failed(struct tr_renderer *r, const char *call, const char *reason)
{
    tr_log(TR_LOG_WARN, "record", "recording failed call=%s: %s", call, reason);
    must_store(r, tr_calls_failed(r->conf.db, call, reason), call);
}

/* --- the queue --- */

static void enqueue(struct tr_renderer *r, const char *kind, const char *call, int64_t at)
{
    char key[TR_JOB_KEY_MAX];
    int64_t id;
    snprintf(key, sizeof key, "%s/%s/1", kind, call);
    enum tr_err err = tr_jobs_enqueue(&r->jobs, at, key, kind, 0, call, &id);
    if (err == TR_ERR_EXISTS) {
        err = tr_jobs_requeue(&r->jobs, at, id);
        err = err == TR_ERR_PROTO ? TR_OK : err; /* it waits or runs already */
    }
    must_store(r, err, call);
}

void tr_renderer_enqueue(struct tr_renderer *r, const char *call)
{
    must_store(r, tr_calls_processing(r->conf.db, call, 0), call);
    enqueue(r, RENDER, call, r->conf.unix_us());
    r->render_due = 0;
}

void tr_renderer_resume(struct tr_renderer *r, const char *call)
{
    char key[TR_JOB_KEY_MAX];
    struct tr_job job;
    snprintf(key, sizeof key, "%s/%s/1", RENDER, call);
    enum tr_err err = tr_jobs_find(&r->jobs, key, &job);
    if (err == TR_ERR_NOTFOUND || (err == TR_OK && job.state == TR_JOB_DONE))
        tr_renderer_enqueue(r, call);
    else if (err == TR_OK && (job.state == TR_JOB_DEAD || job.state == TR_JOB_CANCELLED))
        row_failed(r, call, job.error[0] ? job.error : "Processing was given up");
}

enum tr_err tr_renderer_recover(struct tr_renderer *r)
{
    int64_t now = r->conf.unix_us();
    enum tr_err err = tr_jobs_expire(&r->jobs, now, RENDER, r->owner);
    return err ? err : tr_jobs_expire(&r->jobs, now, CLEAN, r->owner);
}

/* When to look for a job again, on the monotonic clock. Never at once: a queue that says "due" and
 * gives nothing must not make the loop spin. */
static tr_usec due(struct tr_renderer *r, const char *kind, tr_usec now)
{
    int64_t at;
    if (tr_jobs_next_at(&r->jobs, kind, &at) != TR_OK)
        return now + RECHECK_US;
    if (at == INT64_MAX)
        return TR_NEVER;
    int64_t wait = at - r->conf.unix_us();
    return now + (wait < POLL_US ? POLL_US : wait > RECHECK_US ? RECHECK_US : wait);
}

/* --- the end of a job --- */

static void leave(struct tr_renderer *r, struct place *p)
{
    tr_child_destroy(p->child);
    p->child = NULL;
    p->state = FREE;
    r->counters.rendering--;
    r->render_due = 0;
}

static void drop_product(struct tr_renderer *r, const struct place *p)
{
    if (tr_disk_remove(r->conf.disk, 0, p->tmp) != TR_OK)
        tr_log(TR_LOG_WARN, "record", "left behind: %s", p->tmp);
}

/* The job was taken from us, or is over: what the queue says about it is what the row gets. */
static void settle(struct tr_renderer *r, const struct tr_job *claimed)
{
    struct tr_job job;
    if (tr_jobs_get(&r->jobs, claimed->id, &job) != TR_OK)
        return;
    if (job.state == TR_JOB_DEAD || job.state == TR_JOB_CANCELLED)
        row_failed(r, call_of(claimed), job.error[0] ? job.error : "Processing was given up");
    else if (job.state == TR_JOB_READY)
        must_store(r, tr_calls_processing(r->conf.db, call_of(claimed), 0), call_of(claimed));
}

static void fail(struct tr_renderer *r, struct place *p, const char *reason, bool for_good)
{
    struct tr_job *job = &p->job;
    tr_log(TR_LOG_WARN, "record", "rendering failed call=%s attempt=%d: %s", call_of(job),
           job->attempts, reason);
    r->counters.failures++;
    enum tr_err err =
        tr_jobs_fail(&r->jobs, r->conf.unix_us(), job->id, job->token, reason, r->conf.rng);
    if (err == TR_OK && for_good)
        err = tr_jobs_cancel(&r->jobs, r->conf.unix_us(), job->id);
    if (err != TR_OK && err != TR_ERR_PROTO)
        must_store(r, err, call_of(job));
    settle(r, job);
    drop_product(r, p);
    leave(r, p);
}

static void succeed(struct tr_renderer *r, struct place *p)
{
    const char *call = call_of(&p->job);
    int64_t now = r->conf.unix_us();
    must_store(r, tr_calls_ready(r->conf.db, call, p->product, p->bytes, p->duration_ms), call);
    must_store(r, tr_jobs_complete(&r->jobs, now, p->job.id, p->job.token), call);
    tr_log(TR_LOG_INFO, "record", "recording ready call=%s duration_ms=%" PRId64 " bytes=%" PRId64,
           call, p->duration_ms, p->bytes);
    enqueue(r, CLEAN, call, now + r->conf.keep_originals_us);
    r->clean_due = 0;
    r->counters.rendered++;
    leave(r, p);
}

/* --- children --- */

/* Why the child ended, in words for the list of calls: its last line without names of files. */
static void reason_of(const struct place *p, const struct tr_child_end *end, char *out, size_t size)
{
    char line[REASON_BYTES];
    tr_child_last_error(p->child, line, sizeof line);
    const char *text = line;
    if (strncmp(text, "tring-render: ", 14) == 0)
        text += 14;
    const char *colon = text[0] == '/' ? strstr(text, ": ") : NULL;
    text = colon ? colon + 2 : text;
    const char *what =
        p->state == VERIFYING ? "The finished file is not whole" : "Processing failed";
    if (p->stalled)
        snprintf(out, size, "%s: no progress for %d minutes", what,
                 (int)(STALL_US / TR_SECOND / 60));
    else if (end->code < 0)
        snprintf(out, size, "%s: the program was ended by signal %d", what, end->signal);
    else if (end->code == EXIT_NOT_RUN)
        snprintf(out, size, "%s: tring-render cannot be started", what);
    else if (end->code == EXIT_NEVER)
        snprintf(out, size, "There is nothing to play in it: %s", text[0] ? text : "no media");
    else if (text[0])
        snprintf(out, size, "%s: %s", what, text);
    else
        snprintf(out, size, "%s with code %d", what, end->code);
}

static bool start_child(struct tr_renderer *r, struct place *p, const char *const *argv,
                        enum state state, tr_usec now)
{
    tr_child_destroy(p->child);
    p->child = NULL;
    p->state = state;
    p->moved_at = now;
    struct tr_child_conf conf = { .argv = argv, .nice = r->conf.nice };
    return tr_child_start(&p->child, &conf) == TR_OK;
}

struct args {
    const char *argv[32];
    int n;
    char numbers[4][24];
    int numbers_used;
};

static void add(struct args *a, const char *text)
{
    a->argv[a->n++] = text;
}

static void add_number(struct args *a, const char *name, int64_t value)
{
    char *text = a->numbers[a->numbers_used++];
    snprintf(text, sizeof a->numbers[0], "%" PRId64, value);
    add(a, name);
    add(a, text);
}

static void start_render(struct tr_renderer *r, struct place *p, tr_usec now)
{
    char journal[PATH_BYTES];
    const char *call = call_of(&p->job);
    journal_path(r, call, journal);
    snprintf(p->tmp, sizeof p->tmp, "%.800s/tmp-%.40s-%" PRId64 ".webm", r->dir, call,
             p->job.token);
    snprintf(p->product, sizeof p->product, "%.800s/%.40s.webm", r->dir, call);
    struct args a = { .argv = { r->render_path, "-q", "--json", "-o", p->tmp }, .n = 5 };
    add_number(&a, "--progress-fd", TR_CHILD_PROGRESS_FD);
    if (r->conf.height > 0)
        add_number(&a, "--height", r->conf.height);
    if (r->conf.fps > 0)
        add_number(&a, "--fps", r->conf.fps);
    if (r->conf.threads > 0)
        add_number(&a, "--threads", r->conf.threads);
    add(&a, "--");
    add(&a, journal);
    if (!start_child(r, p, a.argv, RENDERING, now))
        fail(r, p, "Processing failed: tring-render cannot be started", false);
}

static void start_verify(struct tr_renderer *r, struct place *p, tr_usec now)
{
    struct args a = { .argv = { r->render_path, "--verify", p->tmp }, .n = 3 };
    add_number(&a, "--expect-ms", p->duration_ms);
    if (!start_child(r, p, a.argv, VERIFYING, now))
        fail(r, p, "Processing failed: tring-render cannot be started", false);
}

/* The manifest is the last line of the output. */
static bool read_manifest(struct place *p)
{
    const char *out = tr_child_out(p->child);
    size_t end = strlen(out);
    while (end && out[end - 1] == '\n')
        end--;
    size_t start = end;
    while (start && out[start - 1] != '\n')
        start--;
    struct tr_manifest *m = tr_alloc(sizeof *m);
    bool ok = m && tr_manifest_decode(m, tr_slice(out + start, end - start)) == TR_OK &&
              m->duration_ms >= 0 && m->bytes > 0;
    if (ok) {
        p->duration_ms = m->duration_ms;
        p->bytes = m->bytes;
    }
    tr_free(m);
    return ok;
}

static void child_ended(struct tr_renderer *r, struct place *p, const struct tr_child_end *end,
                        tr_usec now)
{
    char reason[REASON_BYTES + 64];
    if (end->code != 0) {
        reason_of(p, end, reason, sizeof reason);
        fail(r, p, reason, end->code == EXIT_NEVER && p->state == RENDERING);
    } else if (p->state == RENDERING && !read_manifest(p)) {
        fail(r, p, "Processing failed: tring-render did not say what it made", false);
    } else if (p->state == RENDERING) {
        start_verify(r, p, now);
    } else {
        p->state = PUBLISHING;
        p->cookie = ++r->cookie;
        if (tr_disk_publish(r->conf.disk, p->cookie, p->tmp, p->product) != TR_OK)
            fail(r, p, "Processing failed: out of memory", false);
    }
}

/* "progress 12.3"; 100 is kept for the verified file. */
static void read_progress(struct place *p, tr_usec now)
{
    const char *line = tr_child_progress(p->child);
    if (p->state != RENDERING || strncmp(line, "progress ", 9) != 0)
        return;
    long percent = strtol(line + 9, NULL, 10);
    percent = percent < 0 ? 0 : percent > 99 ? 99 : percent;
    if (percent > p->progress) {
        p->progress = (int)percent;
        p->moved_at = now;
    }
}

/* false: the job is no longer ours. */
static bool keep_alive(struct tr_renderer *r, struct place *p, tr_usec now)
{
    if (p->progress != p->told && now - p->row_at >= ROW_US) {
        must_store(r, tr_calls_processing(r->conf.db, call_of(&p->job), p->progress),
                   call_of(&p->job));
        p->told = p->progress;
        p->row_at = now;
    }
    if (now - p->beat_at < BEAT_US)
        return true;
    p->beat_at = now;
    return tr_jobs_beat(&r->jobs, r->conf.unix_us(), p->job.id, p->job.token, p->progress) !=
           TR_ERR_AUTH;
}

static void work(struct tr_renderer *r, struct place *p, tr_usec now)
{
    struct tr_child_end end;
    if (!keep_alive(r, p, now)) {
        settle(r, &p->job);
        drop_product(r, p);
        leave(r, p);
        return;
    }
    if (p->state == PUBLISHING)
        return;
    bool ended = tr_child_poll(p->child, &end);
    read_progress(p, now);
    if (ended) {
        child_ended(r, p, &end, now);
    } else if (now - p->moved_at > STALL_US) {
        p->stalled = true;
        tr_child_kill(p->child);
    }
}

/* --- claims --- */

/* A call that was removed, or whose file is there: nothing to do. */
static bool wanted(struct tr_renderer *r, const struct tr_job *job)
{
    struct tr_call row;
    enum tr_err err = tr_calls_get(r->conf.db, call_of(job), &row);
    return err != TR_ERR_NOTFOUND && !(err == TR_OK && row.rec == TR_CALL_REC_READY);
}

static void claim_render(struct tr_renderer *r, struct place *p, tr_usec now)
{
    struct tr_job job;
    while (tr_jobs_claim(&r->jobs, r->conf.unix_us(), RENDER, r->owner, &job) == TR_OK) {
        if (!wanted(r, &job)) {
            must_store(r, tr_jobs_complete(&r->jobs, r->conf.unix_us(), job.id, job.token),
                       call_of(&job));
            continue;
        }
        *p = (struct place){ .beat_at = now, .row_at = now };
        p->job = job;
        r->counters.rendering++;
        start_render(r, p, now);
        return;
    }
}

static void claim_clean(struct tr_renderer *r)
{
    char journal[PATH_BYTES];
    struct tr_call row;
    struct tr_job *job = &r->clean;
    if (r->cleaning || tr_jobs_claim(&r->jobs, r->conf.unix_us(), CLEAN, r->owner, job) != TR_OK)
        return;
    bool ready =
        tr_calls_get(r->conf.db, call_of(job), &row) == TR_OK && row.rec == TR_CALL_REC_READY;
    if (!ready) { /* it is rendered once more: that enqueues this job again */
        must_store(r, tr_jobs_complete(&r->jobs, r->conf.unix_us(), job->id, job->token),
                   call_of(job));
        return;
    }
    journal_path(r, call_of(job), journal);
    r->clean_cookie = ++r->cookie;
    r->cleaning =
        tr_disk_clean(r->conf.disk, r->clean_cookie, journal, row.file, row.bytes) == TR_OK;
}

static void cleaned(struct tr_renderer *r, const char *error)
{
    int64_t now = r->conf.unix_us();
    struct tr_job *job = &r->clean;
    r->cleaning = false;
    r->clean_due = 0;
    if (error[0])
        tr_log(TR_LOG_WARN, "record", "originals stay call=%s: %s", call_of(job), error);
    must_store(r,
               error[0] ? tr_jobs_fail(&r->jobs, now, job->id, job->token, error, r->conf.rng)
                        : tr_jobs_complete(&r->jobs, now, job->id, job->token),
               call_of(job));
}

void tr_renderer_report(struct tr_renderer *r, const struct tr_disk_report *report, tr_usec now)
{
    char reason[REASON_BYTES + 64];
    if (report->kind == TR_DISK_REMOVED) {
        if (r->cleaning && report->id == r->clean_cookie)
            cleaned(r, report->error);
        return;
    }
    for (int i = 0; i < TR_RECORDER_RENDERS_MAX; i++) {
        struct place *p = &r->places[i];
        if (p->state != PUBLISHING || p->cookie != report->id)
            continue;
        snprintf(reason, sizeof reason, "The finished file cannot be kept: %s", report->error);
        if (report->error[0])
            fail(r, p, reason, false);
        else
            succeed(r, p);
    }
}

/* --- time --- */

void tr_renderer_timeout(struct tr_renderer *r, tr_usec now)
{
    r->polled_at = now;
    for (int i = 0; i < TR_RECORDER_RENDERS_MAX; i++) {
        if (r->places[i].state != FREE)
            work(r, &r->places[i], now);
    }
    if (now >= r->render_due) {
        for (int i = 0; i < r->conf.renders_max; i++) {
            if (r->places[i].state == FREE)
                claim_render(r, &r->places[i], now);
        }
        r->render_due = due(r, RENDER, now);
    }
    if (now >= r->clean_due) {
        claim_clean(r);
        r->clean_due = due(r, CLEAN, now);
    }
}

tr_usec tr_renderer_next_timeout(const struct tr_renderer *r)
{
    tr_usec next = r->cleaning ? TR_NEVER : r->clean_due;
    if (r->counters.rendering < (uint32_t)r->conf.renders_max)
        next = tr_usec_min(next, r->render_due);
    if (r->counters.rendering > 0 || r->cleaning)
        next = tr_usec_min(next, r->polled_at + POLL_US);
    return next;
}

void tr_renderer_counters(const struct tr_renderer *r, struct tr_renderer_counters *out)
{
    *out = r->counters;
}

/* --- life --- */

enum tr_err tr_renderer_create(struct tr_renderer **out, const struct tr_renderer_conf *conf)
{
    struct tr_renderer *r = tr_alloc(sizeof *r);
    if (!r)
        return TR_ERR_NOMEM;
    r->conf = *conf;
    int max = conf->renders_max > 0 ? conf->renders_max : 1;
    r->conf.renders_max = max < TR_RECORDER_RENDERS_MAX ? max : TR_RECORDER_RENDERS_MAX;
    snprintf(r->dir, sizeof r->dir, "%s", conf->dir);
    snprintf(r->render_path, sizeof r->render_path, "%s", conf->render_path);
    tr_call_id_make(conf->rng, r->owner);
    struct tr_jobs_conf jobs = { .backoff_us = conf->backoff_us };
    enum tr_err err = tr_jobs_init(&r->jobs, conf->db, &jobs);
    if (err) {
        tr_free(r);
        return err;
    }
    *out = r;
    return TR_OK;
}

void tr_renderer_destroy(struct tr_renderer *r)
{
    if (!r)
        return;
    for (int i = 0; i < TR_RECORDER_RENDERS_MAX; i++) {
        struct place *p = &r->places[i];
        if (p->state == FREE)
            continue;
        tr_child_destroy(p->child);
        if (p->state != PUBLISHING)
            tr_disk_remove_path(p->tmp);
        must_store(r, tr_jobs_release(&r->jobs, r->conf.unix_us(), p->job.id, p->job.token),
                   call_of(&p->job));
    }
    if (r->cleaning)
        must_store(r, tr_jobs_release(&r->jobs, r->conf.unix_us(), r->clean.id, r->clean.token),
                   call_of(&r->clean));
    tr_free(r);
}

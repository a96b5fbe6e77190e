/* Goal: the tables keep what they promise over restarts, and no two workers ever own a job.
 * Method: a database file in a temp folder, two connections as two processes, time as a number; a
 * crash is a connection that is closed in the middle. */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/calls.h"
#include "store/jobs.h"
#include "store/lock.h"
#include "store/reports.h"
#include "store/rooms.h"
#include "unit.h"

static char dir[64], path[100];

static void temp_db(void)
{
    strcpy(dir, "/tmp/tring-store-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/db", dir);
}

static void remove_db(void)
{
    const char *const tails[] = { "", "-wal", "-shm" };
    for (int i = 0; i < 3; i++) {
        char p[120];
        snprintf(p, sizeof(p), "%s%s", path, tails[i]);
        unlink(p);
    }
    rmdir(dir);
}

static struct tr_sql *open_db(void)
{
    struct tr_sql *db = NULL;
    CHECK(tr_sql_open(&db, path) == TR_OK);
    return db;
}

TEST(sql_migrates_once_and_forward_only)
{
    temp_db();
    const char *const steps[] = { "CREATE TABLE t(a TEXT UNIQUE)",
                                  "INSERT INTO t VALUES('x'); INSERT INTO t VALUES('y')" };
    struct tr_sql *db = open_db();
    CHECK(tr_sql_migrate(db, "m", steps, 1) == TR_OK);
    tr_sql_close(db);
    db = open_db();
    CHECK(tr_sql_migrate(db, "m", steps, 2) == TR_OK);
    CHECK(tr_sql_migrate(db, "m", steps, 2) == TR_OK);
    CHECK(tr_sql_migrate(db, "m", steps, 1) == TR_ERR_UNSUPPORTED);
    struct tr_sql_stmt *st = tr_sql_use(db, "SELECT count(*) FROM t");
    CHECK(tr_sql_step(st) == TR_OK && tr_sql_int(st, 0) == 2);
    tr_sql_reset(st);
    st = tr_sql_use(db, "INSERT INTO t VALUES(?1)");
    tr_sql_bind_text(st, 1, "x");
    CHECK(tr_sql_run(st) == TR_ERR_EXISTS);
    const char *const broken[] = { "CREATE TABLE u(a)", "no sql" };
    CHECK(tr_sql_migrate(db, "n", broken, 2) == TR_ERR_IO);
    CHECK(tr_sql_error(db)[0]);
    CHECK(tr_sql_exec(db, "SELECT * FROM u") == TR_ERR_IO); /* rolled back */
    tr_sql_close(db);
    remove_db();
}

TEST(sql_a_broken_statement_is_an_error_not_a_crash)
{
    struct tr_sql *db = NULL;
    CHECK(tr_sql_open(&db, ":memory:") == TR_OK);
    struct tr_sql_stmt *st = tr_sql_use(db, "SELEC");
    CHECK(st == NULL);
    tr_sql_bind_int(st, 1, 1);
    CHECK(tr_sql_run(st) == TR_ERR_IO);
    st = tr_sql_use(db, "SELECT 1");
    tr_sql_bind_int(st, 7, 1); /* no such parameter */
    CHECK(tr_sql_run(st) == TR_ERR_IO);
    tr_sql_close(db);
    CHECK(tr_sql_open(&db, "/nonexistent/dir/db") == TR_ERR_IO);
}

static void count_row(void *user, const struct tr_call *call)
{
    struct tr_call *last = user;
    CHECK(last->started_us == 0 || call->started_us <= last->started_us);
    CHECK(strcmp(call->id, last->id) != 0);
    int64_t n = last->bytes + 1;
    *last = *call;
    last->bytes = n; /* counts */
}

TEST(calls_go_through_their_life)
{
    temp_db();
    struct tr_sql *db = open_db();
    CHECK(tr_calls_init(db) == TR_OK);
    struct tr_call c = {
        .id = "abc", .plugin = "videocall", .caller = "anna", .callee = "bert", .started_us = 1000
    };
    CHECK(tr_calls_add(db, &c) == TR_OK);
    CHECK(tr_calls_add(db, &c) == TR_ERR_EXISTS);
    CHECK(tr_calls_answered(db, "abc", 2000) == TR_OK);
    CHECK(tr_calls_answered(db, "nope", 2000) == TR_ERR_NOTFOUND);
    CHECK(tr_calls_recording(db, "abc", "/spool/abc") == TR_OK);
    CHECK(tr_calls_ended(db, "abc", 9000, "hangup") == TR_OK);
    CHECK(tr_calls_ended(db, "abc", 9999, "timeout") == TR_OK);
    CHECK(tr_calls_processing(db, "abc", 250) == TR_OK);
    tr_sql_close(db);
    db = open_db();
    CHECK(tr_calls_init(db) == TR_OK);
    struct tr_call got;
    CHECK(tr_calls_get(db, "abc", &got) == TR_OK);
    CHECK(got.rec == TR_CALL_REC_PROCESSING && got.progress == 100 && got.ended_us == 9000);
    CHECK_STR(got.end_reason, "hangup");
    CHECK_STR(got.journal, "/spool/abc");
    CHECK(tr_calls_ready(db, "abc", "/rec/abc.webm", 77, 8000) == TR_OK);
    CHECK(tr_calls_get(db, "abc", &got) == TR_OK);
    CHECK(got.rec == TR_CALL_REC_READY && got.bytes == 77 && got.duration_ms == 8000);
    CHECK(tr_calls_failed(db, "abc", "disk") == TR_OK);
    CHECK(tr_calls_remove(db, "abc") == TR_OK);
    CHECK(tr_calls_get(db, "abc", &got) == TR_ERR_NOTFOUND);
    tr_sql_close(db);
    remove_db();
}

struct unfinished {
    int rows;
    char first[TR_CALL_ID_MAX];
};

static void note_unfinished(void *user, const struct tr_call *call)
{
    struct unfinished *u = user;
    if (u->rows++ == 0)
        snprintf(u->first, sizeof(u->first), "%s", call->id);
}

TEST(calls_list_pages_and_recovery)
{
    struct tr_sql *db = NULL;
    CHECK(tr_sql_open(&db, ":memory:") == TR_OK && tr_calls_init(db) == TR_OK);
    for (int i = 0; i < 25; i++) {
        struct tr_call c = { .plugin = "videocall", .callee = "bert", .started_us = 1000 + i / 3 };
        snprintf(c.id, sizeof(c.id), "id%02d", i);
        strcpy(c.caller, i % 5 ? "anna" : "zoe");
        c.rec = i % 2 ? TR_CALL_REC_RECORDING : TR_CALL_REC_NONE;
        CHECK(tr_calls_add(db, &c) == TR_OK);
    }
    struct tr_call_filter f = { .limit = 10 };
    struct tr_call last = { 0 };
    int pages = 0;
    for (int64_t before = -1; last.bytes != before && pages < 10; pages++) {
        before = last.bytes;
        char id[TR_CALL_ID_MAX];
        strcpy(id, last.id);
        f.before_us = last.started_us;
        f.before_id = id;
        CHECK(tr_calls_list(db, &f, count_row, &last) == TR_OK);
    }
    CHECK_INT(last.bytes, 25);
    last = (struct tr_call){ 0 };
    f = (struct tr_call_filter){ .party = "zoe", .recorded_only = true, .limit = 100 };
    CHECK(tr_calls_list(db, &f, count_row, &last) == TR_OK);
    CHECK_INT(last.bytes, 2); /* 5 and 15 */
    uint32_t n;
    CHECK(tr_calls_ended(db, "id03", 1, "x") == TR_OK);
    CHECK(tr_calls_recover(db, 5000, &n) == TR_OK && n == 24);
    CHECK(tr_calls_recover(db, 5000, &n) == TR_OK && n == 0);
    tr_sql_close(db);
}

TEST(calls_unfinished_are_found)
{
    temp_db();
    struct tr_sql *db = open_db();
    struct unfinished u = { 0 };
    CHECK(tr_calls_init(db) == TR_OK);
    for (int i = 0; i < 5; i++) {
        struct tr_call c = { .plugin = "videocall", .started_us = 100 + i };
        snprintf(c.id, sizeof(c.id), "id%d", i);
        CHECK(tr_calls_add(db, &c) == TR_OK);
        CHECK(i == 0 || tr_calls_ended(db, c.id, 500, "x") == TR_OK);
    }
    CHECK(tr_calls_recording(db, "id2", "dir") == TR_OK);
    CHECK(tr_calls_processing(db, "id3", 5) == TR_OK);
    CHECK(tr_calls_ready(db, "id4", "file", 5, 5) == TR_OK);
    CHECK(tr_calls_unfinished(db, 100, note_unfinished, &u) == TR_OK && u.rows == 3);
    CHECK_STR(u.first, "id0");
    u.rows = 0;
    CHECK(tr_calls_unfinished(db, 2, note_unfinished, &u) == TR_OK && u.rows == 2);
    tr_sql_close(db);
    remove_db();
}

static const struct tr_jobs_conf conf = {
    .lease_us = 60, .backoff_us = 100, .backoff_max_us = 350, .max_attempts = 3
};

TEST(jobs_two_claimers_never_share)
{
    temp_db();
    struct tr_sql *a = open_db(), *b = open_db();
    struct tr_jobs ja, jb;
    CHECK(tr_jobs_init(&ja, a, &conf) == TR_OK);
    CHECK(tr_jobs_init(&jb, b, &conf) == TR_OK);
    int64_t id, same;
    char key[32];
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "render/%d", i);
        CHECK(tr_jobs_enqueue(&ja, 10 + i, key, "render", i == 7, "{}", &id) == TR_OK);
    }
    CHECK(tr_jobs_enqueue(&jb, 5, key, "render", 0, "{}", &same) == TR_ERR_EXISTS && same == id);
    bool seen[32] = { false };
    struct tr_job job;
    for (int i = 0; i < 20; i++) {
        CHECK(tr_jobs_claim(i % 2 ? &ja : &jb, 50, "render", "w", &job) == TR_OK);
        CHECK(job.id < 32 && !seen[job.id] && job.token == 1 && job.attempts == 1);
        seen[job.id] = true;
        if (i == 0)
            CHECK_STR(job.key, "render/7"); /* priority */
        if (i == 1)
            CHECK_STR(job.key, "render/0"); /* then age */
    }
    CHECK(tr_jobs_claim(&ja, 50, "render", "w", &job) == TR_ERR_NOTFOUND);
    CHECK(tr_jobs_claim(&ja, 50, "other", "w", &job) == TR_ERR_NOTFOUND);
    tr_sql_close(a);
    tr_sql_close(b);
    remove_db();
}

TEST(jobs_a_crashed_worker_is_fenced)
{
    temp_db();
    struct tr_sql *a = open_db();
    struct tr_jobs ja, jb;
    struct tr_job one, two;
    int64_t id, at;
    CHECK(tr_jobs_init(&ja, a, &conf) == TR_OK);
    CHECK(tr_jobs_enqueue(&ja, 0, "k", "render", 0, "payload", &id) == TR_OK);
    CHECK(tr_jobs_next_at(&ja, "render", &at) == TR_OK && at == 0);
    CHECK(tr_jobs_claim(&ja, 0, "render", "one", &one) == TR_OK);
    CHECK(tr_jobs_beat(&ja, 30, id, one.token, 40) == TR_OK); /* until 90 */
    CHECK(tr_jobs_next_at(&ja, "render", &at) == TR_OK && at == 90);
    tr_sql_close(a); /* kill -9 */

    struct tr_sql *b = open_db();
    CHECK(tr_jobs_init(&jb, b, &conf) == TR_OK);
    CHECK(tr_jobs_claim(&jb, 89, "render", "two", &two) == TR_ERR_NOTFOUND);
    CHECK(tr_jobs_claim(&jb, 90, "render", "two", &two) == TR_OK);
    CHECK(two.token == 2 && two.attempts == 2 && two.progress == 0);
    CHECK_STR(two.payload, "payload");
    /* the first wakes up again */
    struct tr_rng rng = tr_rng_seeded(1);
    CHECK(tr_jobs_beat(&jb, 95, id, one.token, 50) == TR_ERR_AUTH);
    CHECK(tr_jobs_complete(&jb, 95, id, one.token) == TR_ERR_AUTH);
    CHECK(tr_jobs_fail(&jb, 95, id, one.token, "x", &rng) == TR_ERR_AUTH);
    CHECK(tr_jobs_complete(&jb, 96, id, two.token) == TR_OK);
    CHECK(tr_jobs_complete(&jb, 97, id, two.token) == TR_ERR_AUTH);
    CHECK(tr_jobs_get(&jb, id, &two) == TR_OK && two.state == TR_JOB_DONE);
    CHECK(tr_jobs_next_at(&jb, "render", &at) == TR_OK && at == INT64_MAX);
    tr_sql_close(b);
    remove_db();
}

TEST(jobs_of_a_killed_server_are_claimable_at_once)
{
    temp_db();
    struct tr_sql *db = open_db();
    struct tr_jobs jobs;
    struct tr_job job;
    int64_t id;
    CHECK(tr_jobs_init(&jobs, db, &conf) == TR_OK);
    CHECK(tr_jobs_enqueue(&jobs, 100, "k1", "render", 0, "", &id) == TR_OK);
    CHECK(tr_jobs_claim(&jobs, 100, "render", "boot-1", &job) == TR_OK);
    CHECK(tr_jobs_expire(&jobs, 110, "render", "boot-1") == TR_OK); /* its own */
    CHECK(tr_jobs_claim(&jobs, 110, "render", "boot-2", &job) == TR_ERR_NOTFOUND);
    CHECK(tr_jobs_expire(&jobs, 110, "other", "boot-2") == TR_OK);
    CHECK(tr_jobs_claim(&jobs, 110, "render", "boot-2", &job) == TR_ERR_NOTFOUND);
    CHECK(tr_jobs_expire(&jobs, 110, "render", "boot-2") == TR_OK);
    int64_t token = job.token;
    CHECK(tr_jobs_claim(&jobs, 110, "render", "boot-2", &job) == TR_OK);
    CHECK(job.id == id && job.token != token && job.attempts == 2);
    tr_sql_close(db);
    remove_db();
}

TEST(jobs_back_off_then_die_then_are_requeued)
{
    struct tr_sql *db = NULL;
    struct tr_jobs jobs;
    struct tr_job job;
    struct tr_rng rng = tr_rng_seeded(7);
    int64_t id, now = 0;
    uint32_t n;
    CHECK(tr_sql_open(&db, ":memory:") == TR_OK && tr_jobs_init(&jobs, db, &conf) == TR_OK);
    CHECK(tr_jobs_enqueue(&jobs, 0, "k", "render", 0, "", &id) == TR_OK);
    const int64_t waits[] = { 100, 200 };
    for (int i = 0; i < 2; i++) {
        CHECK(tr_jobs_claim(&jobs, now, "render", "w", &job) == TR_OK);
        CHECK(tr_jobs_fail(&jobs, now, id, job.token, "bad input", &rng) == TR_OK);
        CHECK(tr_jobs_get(&jobs, id, &job) == TR_OK && job.state == TR_JOB_READY);
        int64_t wait = job.run_at_us - now;
        CHECK(wait >= waits[i] * 8 / 10 && wait <= waits[i] * 12 / 10);
        CHECK(tr_jobs_claim(&jobs, job.run_at_us - 1, "render", "w", &job) == TR_ERR_NOTFOUND);
        now += 1000;
    }
    CHECK(tr_jobs_claim(&jobs, now, "render", "w", &job) == TR_OK);
    CHECK(tr_jobs_release(&jobs, now, id, job.token) == TR_OK); /* no penalty */
    CHECK(tr_jobs_claim(&jobs, now, "render", "w", &job) == TR_OK && job.attempts == 3);
    CHECK(tr_jobs_fail(&jobs, now, id, job.token, "bad input", &rng) == TR_OK);
    CHECK(tr_jobs_find(&jobs, "k", &job) == TR_OK && job.state == TR_JOB_DEAD);
    CHECK_STR(job.error, "bad input");
    CHECK(tr_jobs_count(&jobs, TR_JOB_DEAD, &n) == TR_OK && n == 1);
    CHECK(tr_jobs_cancel(&jobs, now, id) == TR_ERR_PROTO);
    CHECK(tr_jobs_requeue(&jobs, now, 999) == TR_ERR_NOTFOUND);
    CHECK(tr_jobs_requeue(&jobs, now, id) == TR_OK);
    CHECK(tr_jobs_requeue(&jobs, now, id) == TR_ERR_PROTO);
    /* a poison job: every worker dies, nobody reports */
    for (int i = 0; i < 3; i++, now += 1000)
        CHECK(tr_jobs_claim(&jobs, now, "render", "w", &job) == TR_OK);
    CHECK(tr_jobs_claim(&jobs, now, "render", "w", &job) == TR_ERR_NOTFOUND);
    CHECK(tr_jobs_get(&jobs, id, &job) == TR_OK && job.state == TR_JOB_DEAD);
    tr_sql_close(db);
}

TEST(a_folder_is_locked_once)
{
    char folder[] = "/tmp/tring-lock-XXXXXX", file[64];
    int first, second;
    CHECK(mkdtemp(folder) != NULL);
    CHECK(tr_folder_lock(folder, "lock", &first) == TR_OK);
    CHECK(first >= 0);
    CHECK(tr_folder_lock(folder, "lock", &second) == TR_ERR_EXISTS);
    CHECK_INT(second, -1);
    tr_folder_unlock(second);
    tr_folder_unlock(first);
    CHECK(tr_folder_lock(folder, "lock", &second) == TR_OK); /* the file that was left is no lock */
    tr_folder_unlock(second);
    snprintf(file, sizeof file, "%s/lock", folder);
    unlink(file);
    CHECK(symlink("/dev/null", file) == 0);
    CHECK(tr_folder_lock(folder, "lock", &first) == TR_ERR_IO);
    unlink(file);
    rmdir(folder);
    CHECK(tr_folder_lock(folder, "lock", &first) == TR_ERR_IO);
}

/* A claim reads the open jobs alone, however many are over: the plan says so. */
TEST(claims_do_not_walk_past_finished_jobs)
{
    struct tr_sql *db;
    struct tr_jobs jobs;
    char plan[200];
    CHECK(tr_sql_open(&db, ":memory:") == TR_OK);
    CHECK(tr_jobs_init(&jobs, db, NULL) == TR_OK);
    struct tr_sql_stmt *st =
        tr_sql_use(db, "EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE kind = ?2 AND state IN (0, 1)"
                       " AND ((state = 0 AND run_at <= ?1) OR (state = 1 AND lease_until <= ?1))"
                       " ORDER BY priority DESC, run_at, id LIMIT 1");
    CHECK(tr_sql_step(st) == TR_OK);
    tr_sql_text(st, 3, plan, sizeof plan);
    CHECK(strstr(plan, "jobs_open") != NULL);
    CHECK(tr_sql_step(st) == TR_ERR_NOTFOUND); /* nor does it sort */
    tr_sql_close(db);
}

/* --- rooms --- */

static char rooms_seen[200];

static void note_room(void *user, const char *id, const char *text)
{
    size_t n = strlen(rooms_seen);
    (void)user;
    snprintf(rooms_seen + n, sizeof(rooms_seen) - n, "%s=%s ", id, text);
}

static const char *rooms_of(struct tr_sql *db, const char *plugin)
{
    rooms_seen[0] = '\0';
    CHECK_INT(tr_rooms_each(db, plugin, note_room, NULL), TR_OK);
    return rooms_seen;
}

TEST(rooms_are_kept_by_plugin_and_id)
{
    struct tr_sql *db;
    char *long_text = tr_alloc(TR_ROOM_CONF_MAX + 1);
    memset(long_text, 'x', TR_ROOM_CONF_MAX);
    temp_db();
    CHECK_INT(tr_sql_open(&db, path), TR_OK);
    CHECK_INT(tr_rooms_init(db), TR_OK);
    CHECK_INT(tr_rooms_put(db, "video", "2", "b"), TR_OK);
    CHECK_INT(tr_rooms_put(db, "video", "1", "a"), TR_OK);
    CHECK_INT(tr_rooms_put(db, "audio", "1", "z"), TR_OK);
    CHECK_INT(tr_rooms_put(db, "video", "2", "c"), TR_OK);
    CHECK_INT(tr_rooms_put(db, "video", "3", long_text), TR_ERR_LIMIT);
    tr_sql_close(db);
    CHECK_INT(tr_sql_open(&db, path), TR_OK);
    CHECK_INT(tr_rooms_init(db), TR_OK);
    CHECK_STR(rooms_of(db, "video"), "1=a 2=c ");
    CHECK_INT(tr_rooms_remove(db, "video", "1"), TR_OK);
    CHECK_INT(tr_rooms_remove(db, "video", "1"), TR_ERR_NOTFOUND);
    CHECK_STR(rooms_of(db, "video"), "2=c ");
    CHECK_STR(rooms_of(db, "audio"), "1=z ");
    tr_sql_close(db);
    remove_db();
    tr_free(long_text);
}

/* --- reports --- */

static int report_count;

static void note_report(void *user, const struct tr_report *report)
{
    int64_t *before = user;
    CHECK(report->at_us <= *before);
    *before = report->at_us;
    report_count++;
}

static int reports_at(struct tr_sql *db, int64_t now)
{
    int64_t before = INT64_MAX;
    report_count = 0;
    CHECK_INT(tr_reports_list(db, now, 1000, note_report, &before), TR_OK);
    return report_count;
}

static void put_report(struct tr_sql *db, struct tr_rng *rng, int64_t at, const char *source,
                       char code[TR_REPORT_CODE_MAX])
{
    struct tr_report report = { .at_us = at, .verdict = "good" };
    snprintf(report.source, sizeof report.source, "%s", source);
    CHECK_INT(tr_reports_put(db, rng, &report, "{}"), TR_OK);
    memcpy(code, report.code, TR_REPORT_CODE_MAX);
}

TEST(reports_go_by_age_and_by_number)
{
    struct tr_sql *db;
    struct tr_rng rng = tr_rng_seeded(1);
    struct tr_report report;
    char quiet[TR_REPORT_CODE_MAX], first[TR_REPORT_CODE_MAX], code[TR_REPORT_CODE_MAX], source[64];
    char *body = tr_alloc(TR_REPORT_BODY_MAX);
    int64_t at = TR_SECOND;
    CHECK_INT(tr_sql_open(&db, ":memory:"), TR_OK);
    CHECK_INT(tr_reports_init(db), TR_OK);
    put_report(db, &rng, at++, "192.0.2.0/24", quiet);
    put_report(db, &rng, at++, "203.0.113.0/24", first);
    for (int i = 0; i < TR_REPORTS_PER_SOURCE_MAX; i++)
        put_report(db, &rng, at++, "203.0.113.0/24", code);
    CHECK_INT(reports_at(db, at), TR_REPORTS_PER_SOURCE_MAX + 1);
    CHECK_INT(tr_reports_get(db, at, first, &report, body), TR_ERR_NOTFOUND); /* made room */
    CHECK_INT(tr_reports_get(db, at, quiet, &report, body), TR_OK);
    CHECK_STR(report.source, "192.0.2.0/24");
    CHECK_STR(body, "{}");

    for (int i = 0; i < TR_REPORTS_MAX; i++) {
        snprintf(source, sizeof source, "10.%d.%d.0/24", i / 250, i % 250);
        put_report(db, &rng, at++, source, code);
    }
    struct tr_sql_stmt *st = tr_sql_use(db, "SELECT count(*) FROM reports");
    CHECK(tr_sql_step(st) == TR_OK && tr_sql_int(st, 0) == TR_REPORTS_MAX);
    tr_sql_reset(st);
    CHECK_INT(reports_at(db, at), TR_REPORTS_LIST_MAX);
    CHECK_INT(tr_reports_get(db, at, quiet, &report, body), TR_ERR_NOTFOUND);

    at += TR_REPORT_KEEP_US + TR_SECOND;
    CHECK_INT(reports_at(db, at), 0); /* too old, whether it was swept or not */
    CHECK_INT(tr_reports_get(db, at, code, &report, body), TR_ERR_NOTFOUND);
    put_report(db, &rng, at, source, code);
    st = tr_sql_use(db, "SELECT count(*) FROM reports");
    CHECK(tr_sql_step(st) == TR_OK && tr_sql_int(st, 0) == 1);
    tr_sql_reset(st);
    tr_sql_close(db);
    tr_free(body);
}

TEST(reports_never_share_a_code)
{
    struct tr_sql *db;
    struct tr_rng rng = tr_rng_seeded(7), again = tr_rng_seeded(7);
    char a[TR_REPORT_CODE_MAX], b[TR_REPORT_CODE_MAX];
    CHECK_INT(tr_sql_open(&db, ":memory:"), TR_OK);
    CHECK_INT(tr_reports_init(db), TR_OK);
    put_report(db, &rng, 1, "x", a);
    put_report(db, &again, 2, "x", b); /* draws the same first */
    CHECK(strcmp(a, b) != 0);
    CHECK_INT(reports_at(db, 3), 2);
    tr_sql_close(db);
}

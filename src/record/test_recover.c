/* Goal: after kill -9 at any moment, the next start lists every call with its end, renders what was
 * recorded, and does it again without harm.
 * Method: journals whose END is cut off, rows and jobs as a killed server leaves them. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/log.h"
#include "record/recorder_test.h"
#include "store/jobs.h"
#include "unit.h"

#define WORKS                                                                                      \
    "[ $verify = 1 ] && exit 0; echo product >$out; "                                              \
    "echo '{\"v\":1,\"file\":\"x\",\"duration_ms\":100,\"bytes\":8}'"

static void quiet(void *arg, const char *line, size_t n)
{
}

/* A journal that ends inside of a record, with the name that says "in work". */
static void cut_journal(struct desk *d, const char *id)
{
    char path[200], part[220];
    struct stat st;
    snprintf(path, sizeof path, "%s/journal/%s/seg-000001.cj", d->dir, id);
    snprintf(part, sizeof part, "%s.part", path);
    CHECK(stat(path, &st) == 0);
    CHECK(truncate(path, st.st_size - 32 - 20 - 10) == 0); /* END, and a bit of CLOCK */
    CHECK(rename(path, part) == 0);
}

static void record_some(struct desk *d, const char *id)
{
    struct tr_meta ann = desk_opus;
    tr_usec now = tr_clock_now();
    desk_call(d, id, "customer-1", "agent:Ann");
    tr_id rec = tr_recorder_start(d->rec, id, now);
    strcpy(ann.label, "customer-1");
    CHECK(tr_recorder_track(d->rec, rec, (struct tr_media_end){ 5, 0 }, &ann, now) == TR_OK);
    ann.participant = 1;
    strcpy(ann.label, "agent:Ann");
    CHECK(tr_recorder_track(d->rec, rec, (struct tr_media_end){ 6, 0 }, &ann, now) == TR_OK);
    desk_feed(d, 1, 10);
}

static void open_crashed(struct desk *d)
{
    tr_log_set_sink(quiet, NULL);
    desk_open(d);
    desk_start(d);
    record_some(d, "cut");
    int64_t before = tr_clock_unix_us();
    desk_crash(d);
    cut_journal(d, "cut");
    CHECK(desk_row(d, "cut").ended_us == 0 && before > 0);
}

TEST(a_cut_off_call_ends_at_its_last_record_and_is_rendered)
{
    struct desk d;
    open_crashed(&d);
    desk_call(&d, "talk", "a", "b");  /* not recorded */
    desk_call(&d, "early", "a", "b"); /* killed before the journal was made */
    CHECK(tr_calls_recording(d.db, "early", "x") == TR_OK);
    tr_clock_sleep(300 * TR_MSEC);
    int64_t now = tr_clock_unix_us();
    desk_script(&d, WORKS);
    desk_start(&d);
    struct tr_call row = desk_row(&d, "cut");
    CHECK(row.ended_us >= row.started_us && row.ended_us < now - 200 * TR_MSEC);
    CHECK_STR(row.end_reason, "server stopped");
    CHECK_INT(row.rec, TR_CALL_REC_PROCESSING);
    CHECK(desk_row(&d, "talk").ended_us >= now);
    CHECK_INT(desk_row(&d, "early").rec, TR_CALL_REC_FAILED);
    CHECK(tr_recorder_recover(d.rec, tr_clock_now()) == TR_OK); /* once more */
    CHECK(desk_wait(&d, "cut", TR_CALL_REC_READY));
    CHECK(tr_recorder_recover(d.rec, tr_clock_now()) == TR_OK);
    CHECK_INT(desk_row(&d, "cut").rec, TR_CALL_REC_READY);
    CHECK(desk_row(&d, "cut").ended_us == row.ended_us);
    desk_close(&d);
}

TEST(a_job_that_ran_is_claimed_at_once)
{
    struct desk d;
    struct tr_jobs jobs;
    struct tr_job job;
    open_crashed(&d);
    desk_start(&d); /* makes the job */
    CHECK_INT(desk_row(&d, "cut").rec, TR_CALL_REC_PROCESSING);
    CHECK(tr_jobs_init(&jobs, d.db, NULL) == TR_OK);
    CHECK(tr_jobs_claim(&jobs, tr_clock_unix_us(), "render", "a dead one", &job) == TR_OK);
    desk_crash(&d);
    char left[128];
    snprintf(left, sizeof left, "%s/tmp-cut-1.webm.99.tmp", d.dir);
    fclose(fopen(left, "w"));
    desk_script(&d, WORKS);
    desk_start(&d);
    CHECK(access(left, F_OK) != 0);
    CHECK(desk_wait(&d, "cut", TR_CALL_REC_READY)); /* well within the lease of a minute */
    desk_close(&d);
}

TEST(a_row_in_processing_tells_how_its_job_ended)
{
    struct desk d;
    struct tr_jobs jobs;
    struct tr_job job;
    open_crashed(&d);
    desk_start(&d);
    CHECK(tr_jobs_init(&jobs, d.db, &(struct tr_jobs_conf){ .max_attempts = 1 }) == TR_OK);
    CHECK(tr_jobs_claim(&jobs, tr_clock_unix_us(), "render", "x", &job) == TR_OK);
    CHECK(tr_jobs_fail(&jobs, tr_clock_unix_us(), job.id, job.token, "broken", &d.rng) == TR_OK);
    desk_crash(&d);
    desk_start(&d);
    CHECK_INT(desk_row(&d, "cut").rec, TR_CALL_REC_FAILED);
    CHECK_STR(desk_row(&d, "cut").error, "broken");
    /* no job at all: it is made */
    CHECK(tr_calls_processing(d.db, "cut", 5) == TR_OK);
    CHECK(tr_sql_exec(d.db, "DELETE FROM jobs") == TR_OK);
    desk_script(&d, WORKS);
    CHECK(tr_recorder_recover(d.rec, tr_clock_now()) == TR_OK);
    CHECK(desk_wait(&d, "cut", TR_CALL_REC_READY));
    desk_close(&d);
}

TEST(a_journal_without_a_row_gets_one)
{
    struct desk d;
    char path[128];
    open_crashed(&d);
    CHECK(tr_calls_remove(d.db, "cut") == TR_OK);
    snprintf(path, sizeof path, "%s/journal/empty", d.dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/journal/..x", d.dir);
    mkdir(path, 0700);
    desk_script(&d, WORKS);
    desk_start(&d);
    struct tr_call row = desk_row(&d, "cut");
    CHECK_STR(row.caller, "customer-1");
    CHECK_STR(row.callee, "agent:Ann");
    CHECK(row.started_us > 0 && row.ended_us >= row.started_us);
    struct tr_call none;
    CHECK(tr_calls_get(d.db, "empty", &none) == TR_ERR_NOTFOUND);
    CHECK(tr_calls_get(d.db, "..x", &none) == TR_ERR_NOTFOUND);
    CHECK(desk_wait(&d, "cut", TR_CALL_REC_READY));
    desk_close(&d);
}

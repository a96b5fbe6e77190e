/* Goal: a finished journal becomes a verified product, or the row says why not; no child, no file
 * and no job is left behind on the way.
 * Method: shell scripts in the place of tring-render, which see the same arguments. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/log.h"
#include "record/recorder_test.h"
#include "store/jobs.h"
#include "unit.h"

#define CALL_A "0123456789abcdef0123456789abcdef"
#define SAY_DONE "echo '{\"v\":1,\"file\":\"x\",\"duration_ms\":61000,\"bytes\":8}'"

static void quiet(void *arg, const char *line, size_t n)
{
}

static void record_call(struct desk *d, const char *id)
{
    tr_usec now = tr_clock_now();
    desk_call(d, id, "customer-1", "agent:Ann");
    tr_id rec = tr_recorder_start(d->rec, id, now);
    CHECK(tr_recorder_track(d->rec, rec, (struct tr_media_end){ 5, 0 }, &desk_opus, now) == TR_OK);
    desk_feed(d, 1, 10);
    tr_recorder_stop(d->rec, rec, now);
    CHECK(desk_wait_idle(d));
}

static void open_started(struct desk *d)
{
    tr_log_set_sink(quiet, NULL);
    desk_open(d);
    desk_start(d);
}

static struct tr_job find_job(struct desk *d, const char *key)
{
    struct tr_jobs jobs;
    struct tr_job job = { .id = 0 };
    CHECK(tr_jobs_init(&jobs, d->db, NULL) == TR_OK);
    CHECK(tr_jobs_find(&jobs, key, &job) == TR_OK);
    return job;
}

static int lines_of(struct desk *d, const char *name)
{
    char path[128];
    int n = 0, c;
    snprintf(path, sizeof path, "%s/%s", d->dir, name);
    FILE *f = fopen(path, "r");
    while (f && (c = fgetc(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

TEST(a_product_is_verified_and_published)
{
    struct desk d;
    open_started(&d);
    desk_script(&d, "dir=${0%/*}\n"
                    "if [ $verify = 1 ]; then echo $expect >>$dir/verified; exit 0; fi\n"
                    "[ -f $journal/seg-000001.cj ] || exit 5\n"
                    "echo progress 40.0 >&3; echo product >$out\n"
                    "while [ ! -e $dir/go ]; do sleep 0.05; done\n"
                    "echo noise; " SAY_DONE);
    record_call(&d, CALL_A);
    struct tr_call row = desk_row(&d, CALL_A);
    CHECK_INT(row.rec, TR_CALL_REC_PROCESSING);
    for (int i = 0; i < 2000 && desk_row(&d, CALL_A).progress != 40; i++) {
        tr_recorder_timeout(d.rec, tr_clock_now());
        tr_clock_sleep(5 * TR_MSEC);
    }
    CHECK_INT(desk_row(&d, CALL_A).progress, 40);
    CHECK(!desk_file_exists(&d, CALL_A ".webm")); /* not before it was verified */
    struct tr_recorder_counters c;
    tr_recorder_counters(d.rec, &c);
    CHECK_INT(c.rendering, 1);
    char go[128];
    snprintf(go, sizeof go, "%s/go", d.dir);
    fclose(fopen(go, "w"));
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_READY));
    row = desk_row(&d, CALL_A);
    CHECK_INT(row.duration_ms, 61000);
    CHECK_INT(row.bytes, 8);
    CHECK(strstr(row.file, CALL_A ".webm") != NULL);
    CHECK(desk_file_exists(&d, CALL_A ".webm"));
    CHECK(desk_file_exists(&d, "journal/" CALL_A)); /* originals stay for an hour */
    CHECK_INT(lines_of(&d, "verified"), 1);
    CHECK_INT(find_job(&d, "render/" CALL_A "/1").state, TR_JOB_DONE);
    CHECK_INT(find_job(&d, "clean/" CALL_A "/1").state, TR_JOB_READY);
    tr_recorder_counters(d.rec, &c);
    CHECK_INT(c.rendered, 1);
    CHECK_INT(c.rendering, 0);
    desk_close(&d);
}

TEST(originals_go_when_their_time_is_over)
{
    struct desk d;
    tr_log_set_sink(quiet, NULL);
    desk_open(&d);
    d.conf.keep_originals_us = 0;
    desk_start(&d);
    desk_script(&d, "[ $verify = 1 ] && exit 0; echo product >$out; " SAY_DONE);
    record_call(&d, CALL_A);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_READY));
    for (int i = 0; i < 1000 && desk_file_exists(&d, "journal/" CALL_A); i++) {
        tr_recorder_timeout(d.rec, tr_clock_now());
        tr_clock_sleep(5 * TR_MSEC);
    }
    CHECK(!desk_file_exists(&d, "journal/" CALL_A));
    CHECK(desk_file_exists(&d, CALL_A ".webm"));
    desk_close(&d);
}

TEST(originals_stay_when_the_product_has_gone)
{
    struct desk d;
    static const off_t sizes[] = { -1, 3 }; /* removed, cut */
    for (int k = 0; k < 2; k++) {
        char path[200];
        struct tr_job job = { .attempts = 0 };
        tr_log_set_sink(quiet, NULL);
        desk_open(&d);
        d.conf.keep_originals_us = TR_SECOND / 2;
        desk_start(&d);
        desk_script(&d, "[ $verify = 1 ] && exit 0; echo product >$out; " SAY_DONE);
        record_call(&d, CALL_A);
        CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_READY));
        snprintf(path, sizeof path, "%s/" CALL_A ".webm", d.dir);
        CHECK((sizes[k] < 0 ? unlink(path) : truncate(path, sizes[k])) == 0);
        for (int i = 0; i < 1000 && job.attempts < 2; i++) {
            tr_recorder_timeout(d.rec, tr_clock_now());
            tr_clock_sleep(5 * TR_MSEC);
            job = find_job(&d, "clean/" CALL_A "/1");
        }
        CHECK_STR(job.error, "the finished file is not there, or not whole");
        CHECK(desk_file_exists(&d, "journal/" CALL_A));
        desk_close(&d);
    }
}

/* How many names in the spool start so. */
static int files_like(const struct desk *d, const char *start)
{
    int n = 0;
    DIR *dir = opendir(d->dir);
    CHECK(dir != NULL);
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += strncmp(e->d_name, start, strlen(start)) == 0;
    if (dir)
        closedir(dir);
    return n;
}

TEST(a_failure_is_tried_again)
{
    struct desk d;
    open_started(&d);
    desk_script(&d, "[ $verify = 1 ] && exit 0\n"
                    "echo try >>${0%/*}/tries; echo part >$out; echo part >$out.77.tmp\n"
                    "[ $(wc -l <${0%/*}/tries) -ge 3 ] || { echo 'no luck' >&2; exit 1; }\n"
                    "rm $out.77.tmp; " SAY_DONE);
    record_call(&d, CALL_A);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_READY));
    CHECK_INT(lines_of(&d, "tries"), 3);
    CHECK_STR(desk_row(&d, CALL_A).error, "");
    struct tr_recorder_counters c;
    tr_recorder_counters(d.rec, &c);
    CHECK_INT(c.render_failures, 2);
    desk_stop(&d);
    CHECK_INT(files_like(&d, "tmp-"), 0);
    desk_close(&d);
}

TEST(what_never_works_is_given_up_with_the_reason)
{
    struct desk d;
    open_started(&d);
    desk_script(&d, "echo x >>${0%/*}/tries; echo first line >&2\n"
                    "echo \"tring-render: $out: no space left\" >&2; exit 1");
    record_call(&d, CALL_A);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_FAILED));
    CHECK_STR(desk_row(&d, CALL_A).error, "Processing failed: no space left");
    CHECK_INT(lines_of(&d, "tries"), 8);
    CHECK_INT(find_job(&d, "render/" CALL_A "/1").state, TR_JOB_DEAD);
    CHECK(desk_file_exists(&d, "journal/" CALL_A));
    desk_close(&d);
}

TEST(what_cannot_work_is_not_tried_again)
{
    struct desk d;
    open_started(&d);
    desk_script(&d, "echo x >>${0%/*}/tries; echo 'tring-render: /a/b: not found' >&2; exit 3");
    record_call(&d, CALL_A);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_FAILED));
    CHECK_STR(desk_row(&d, CALL_A).error, "There is nothing to play in it: not found");
    CHECK_INT(lines_of(&d, "tries"), 1);
    desk_close(&d);
}

static void expect_reason(const char *script, const char *reason)
{
    struct desk d;
    open_started(&d);
    desk_script(&d, script);
    record_call(&d, CALL_A);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_FAILED));
    CHECK_STR(desk_row(&d, CALL_A).error, reason);
    CHECK(!desk_file_exists(&d, CALL_A ".webm"));
    desk_close(&d);
}

TEST(every_step_can_go_wrong)
{
    expect_reason("kill -9 $$", "Processing failed: the program was ended by signal 9");
    expect_reason("exit 0", "Processing failed: tring-render did not say what it made");
    expect_reason("[ $verify = 0 ] || { echo 'no sound' >&2; exit 1; }; echo x >$out; " SAY_DONE,
                  "The finished file is not whole: no sound");
    expect_reason("[ $verify = 1 ] && { rm $out; exit 0; }; echo x >$out; " SAY_DONE,
                  "The finished file cannot be kept: No such file or directory");
    expect_reason("exit 9", "Processing failed with code 9");
}

TEST(a_missing_program_is_told)
{
    struct desk d;
    open_started(&d);
    unlink(d.render);
    record_call(&d, CALL_A);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_FAILED));
    CHECK_STR(desk_row(&d, CALL_A).error, "Processing failed: tring-render cannot be started");
    desk_close(&d);
}

TEST(a_stop_ends_the_child_and_gives_the_job_back)
{
    struct desk d;
    open_started(&d);
    desk_script(&d, "echo $$ >${0%/*}/pid; echo x >$out; sleep 1000");
    record_call(&d, CALL_A);
    for (int i = 0; i < 2000 && lines_of(&d, "pid") == 0; i++) {
        tr_recorder_timeout(d.rec, tr_clock_now());
        tr_clock_sleep(5 * TR_MSEC);
    }
    char path[128];
    int pid = 0;
    snprintf(path, sizeof path, "%s/pid", d.dir);
    FILE *f = fopen(path, "r");
    CHECK(f && fscanf(f, "%d", &pid) == 1 && pid > 0);
    fclose(f);
    desk_stop(&d);
    CHECK(kill(pid, 0) != 0 && errno == ESRCH);
    struct tr_job job = find_job(&d, "render/" CALL_A "/1");
    CHECK(job.state == TR_JOB_READY && job.attempts == 0);
    CHECK_INT(desk_row(&d, CALL_A).rec, TR_CALL_REC_PROCESSING);
    desk_script(&d, "[ $verify = 1 ] && exit 0; echo product >$out; " SAY_DONE);
    desk_start(&d);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_READY));
    desk_close(&d);
}

TEST(several_are_rendered_at_once_up_to_the_limit)
{
    struct desk d;
    tr_log_set_sink(quiet, NULL);
    desk_open(&d);
    d.conf.renders_max = 2;
    desk_start(&d);
    desk_script(&d, "[ $verify = 1 ] && exit 0; echo product >$out; sleep 0.1; " SAY_DONE);
    const char *const ids[] = { "a", "b", "c", "d" };
    for (int i = 0; i < 4; i++)
        record_call(&d, ids[i]);
    uint32_t most = 0;
    for (int i = 0; i < 2000 && desk_row(&d, "d").rec != TR_CALL_REC_READY; i++) {
        struct tr_recorder_counters c;
        tr_recorder_timeout(d.rec, tr_clock_now());
        tr_recorder_counters(d.rec, &c);
        most = c.rendering > most ? c.rendering : most;
        CHECK(tr_recorder_next_timeout(d.rec) > 0);
        tr_clock_sleep(5 * TR_MSEC);
    }
    CHECK_INT(most, 2);
    for (int i = 0; i < 4; i++)
        CHECK(desk_wait(&d, ids[i], TR_CALL_REC_READY));
    desk_close(&d);
}

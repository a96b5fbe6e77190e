/* Goal: what a tap hands over ends as a file that plays, in sync, also after kill -9.
 * Method: synthetic participants that flash and beep are replayed into the recorder's tap; the real
 * tring-render, found beside this test, does the rest. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/child.h"
#include "net/clock.h"
#include "net/log.h"
#include "record/recorder_test.h"
#include "record/render/synth_test.h"
#include "unit.h"

enum { SECONDS = 4 };

static char program[400];

static void quiet(void *arg, const char *line, size_t n)
{
}

/* A desk whose recorder uses the real program, and a journal to replay. */
static void open_desk(struct desk *d, char *journal, size_t size)
{
    struct synth_conf conf = {
        .seconds = SECONDS,
        .people = 2,
        .seed = 3,
        .person = { { .seq0 = 65500, .ts0 = 4294900000u, .jitter_us = 10000, .loss_pct = 2 },
                    { .wall_offset_us = 7200000000,
                      .audio_delay_us = 30000,
                      .first_sr_us = 500000 } },
    };
    ssize_t n = readlink("/proc/self/exe", program, 300);
    CHECK(n > 0);
    program[n > 0 ? n : 0] = 0;
    strcpy(strrchr(program, '/'), "/tring-render");
    tr_log_set_sink(quiet, NULL);
    desk_open(d);
    snprintf(journal, size, "%s/synth", d->dir);
    CHECK(synth_journal(journal, &conf));
    synth_cleanup();
    d->conf.render_path = program;
    desk_start(d);
}

static void replay(struct desk *d, const char *id, const char *journal)
{
    desk_call(d, id, "customer-1", "agent:Ann");
    tr_id recording = tr_recorder_start(d->rec, id, tr_clock_now());
    CHECK(recording != 0);
    CHECK(desk_replay(d, recording, journal) > SECONDS * 100);
}

static bool wait_ready(struct desk *d, const char *id)
{
    for (int i = 0; i < 8; i++) {
        if (desk_wait(d, id, TR_CALL_REC_READY))
            return true;
    }
    return false;
}

static void check_row(struct desk *d, const char *id)
{
    struct tr_call row = desk_row(d, id);
    struct stat st;
    CHECK_INT(row.rec, TR_CALL_REC_READY);
    CHECK_STR(row.error, "");
    CHECK(row.duration_ms > SECONDS * 1000 - 200 && row.duration_ms < SECONDS * 1000 + 2000);
    CHECK(stat(row.file, &st) == 0 && st.st_size == row.bytes && row.bytes > 10000);
}

/* The journal that was recorded, with one channel a participant, so that it can be measured. */
static void check_sync(struct desk *d, const char *id)
{
    char journal[160], out[160];
    struct synth_result result[2];
    struct tr_child *child;
    struct tr_child_end end = { .code = -2 };
    snprintf(journal, sizeof journal, "%s/journal/%s", d->dir, id);
    snprintf(out, sizeof out, "%s/split.webm", d->dir);
    const char *argv[] = { program, "-q", "--audio", "split", "-o", out, journal, NULL };
    if (!CHECK(tr_child_start(&child, &(struct tr_child_conf){ .argv = argv }) == TR_OK))
        return;
    while (!tr_child_poll(child, &end))
        tr_clock_sleep(10 * TR_MSEC);
    tr_child_destroy(child);
    CHECK_INT(end.code, 0);
    CHECK(synth_measure(out, 2, result));
    for (int i = 0; i < 2; i++) {
        CHECK(result[i].pairs >= SECONDS - 2);
        CHECK(result[i].worst_ms < 40 && result[i].worst_ms > -40);
    }
}

TEST(a_recorded_call_plays_in_sync)
{
    struct desk d;
    char journal[160];
    open_desk(&d, journal, sizeof journal);
    replay(&d, "whole", journal);
    tr_recorder_stop_all(d.rec, tr_clock_now());
    CHECK(wait_ready(&d, "whole"));
    check_row(&d, "whole");
    check_sync(&d, "whole");
    desk_close(&d);
}

TEST(a_call_that_was_cut_off_plays_as_far_as_it_went)
{
    struct desk d;
    char journal[160], whole[160], part[180];
    struct stat st;
    open_desk(&d, journal, sizeof journal);
    replay(&d, "cut", journal);
    desk_crash(&d);
    snprintf(whole, sizeof whole, "%s/journal/cut/seg-000001.cj", d.dir);
    snprintf(part, sizeof part, "%s.part", whole);
    CHECK(stat(whole, &st) == 0 && truncate(whole, st.st_size - 300) == 0);
    CHECK(rename(whole, part) == 0);
    desk_start(&d);
    CHECK(wait_ready(&d, "cut"));
    check_row(&d, "cut");
    desk_close(&d);
}

TEST(a_call_without_media_says_that_there_is_nothing)
{
    struct desk d;
    char journal[160];
    open_desk(&d, journal, sizeof journal);
    desk_call(&d, "rubbish", "a", "b");
    tr_id recording = tr_recorder_start(d.rec, "rubbish", tr_clock_now());
    struct tr_media_end end = { 5, 0 };
    CHECK(tr_recorder_track(d.rec, recording, end, &desk_opus, tr_clock_now()) == TR_OK);
    tr_recorder_stop(d.rec, recording, tr_clock_now());
    CHECK(desk_wait(&d, "rubbish", TR_CALL_REC_FAILED));
    CHECK_STR(desk_row(&d, "rubbish").error, "Nothing was received from either side");
    desk_close(&d);
}

/* Goal: whatever clocks and network a participant has, sound and picture of the product are within
 * 40 ms of what the sender's clock says, and the length is the call's.
 * Method: journals with flashes and beeps are made, rendered, decoded and measured. */
#include <dirent.h>
#include <libavutil/log.h>
#include <stdlib.h>
#include <unistd.h>

#include "record/render/compose.h"
#include "record/render/synth_test.h"
#include "record/render/verify.h"
#include "unit.h"

static char dir[64], out[100];
static struct tr_manifest manifest;

__attribute__((constructor)) static void setup(void)
{
    av_log_set_level(AV_LOG_QUIET);
    atexit(synth_cleanup);
}

static void temp_dir(void)
{
    strcpy(dir, "/tmp/tring-render-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    snprintf(out, sizeof(out), "%s/out.webm", dir);
}

static void remove_dir(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static enum tr_err render(void)
{
    struct rn_options opt = {
        .out = out, .height = 120, .fps = 25, .threads = 1, .audio = RN_AUDIO_SPLIT
    };
    const char *paths[] = { dir };
    struct rn_call *call = NULL;
    char reason[160];
    enum tr_err err = rn_load(&call, paths, 1);
    if (!err)
        err = rn_compose(call, &opt, &manifest, reason, sizeof(reason));
    rn_call_free(call);
    return err;
}

static struct synth_conf two_people(int seconds)
{
    struct synth_conf c = { .seconds = seconds, .people = 2, .seed = 1 };
    for (int i = 0; i < 2; i++)
        c.person[i] = (struct synth_person){ .audio_delay_us = 20000,
                                             .video_delay_us = 20000,
                                             .jitter_us = 2000,
                                             .seq0 = 100,
                                             .ts0 = 5000 };
    return c;
}

/* Renders and wants each of the two in sync, with at least `pairs` flashes and beeps. */
static void check_sync(const struct synth_conf *conf, int pairs)
{
    struct synth_result r[2];
    temp_dir();
    CHECK(synth_journal(dir, conf));
    CHECK(render() == TR_OK);
    CHECK(synth_measure(out, conf->people, r));
    for (int i = 0; i < 2 && i < conf->people; i++) {
        bool ok = CHECK(r[i].pairs >= pairs);
        ok &= CHECK(r[i].worst_ms <= 40 && r[i].worst_ms >= -40);
        if (!ok)
            unit_note("    person %d: %d pairs, %d flashes, %d beeps, worst %.1f, mean %.1f ms\n",
                      i, r[i].pairs, r[i].flashes, r[i].beeps, r[i].worst_ms, r[i].mean_ms);
    }
    int64_t want = conf->seconds * 1000 + 500;
    if (!CHECK(r[0].duration_ms >= want - 100 && r[0].duration_ms <= want + 100))
        unit_note("    %d ms, not %d\n", (int)r[0].duration_ms, (int)want);
    struct rn_verify v;
    char reason[160];
    CHECK(rn_verify(out, want, &v, reason, sizeof(reason)) == TR_OK);
    CHECK(rn_verify(out, want + 5000, &v, reason, sizeof(reason)) == TR_ERR_BADMSG);
    remove_dir();
}

TEST(render_plain_call)
{
    struct synth_conf c = two_people(10);
    check_sync(&c, 8);
    CHECK(manifest.width == 320 && manifest.height == 120 && manifest.track_count == 4);
    CHECK(!manifest.truncated && manifest.holes == 0);
    for (int i = 0; i < 4; i++)
        CHECK(manifest.tracks[i].sync_sr && manifest.tracks[i].lost == 0 &&
              manifest.tracks[i].frames > 290);
}

TEST(render_wrong_clocks_late_reports_and_unequal_delays)
{
    struct synth_conf c = two_people(40);
    c.person[0].media_ppm = 300;
    c.person[0].wall_offset_us = 7200 * 1000000ll;
    c.person[0].first_sr_us = 10000000;
    c.person[0].video_delay_us = 180000; /* arrival would be 160 ms wrong */
    c.person[1].media_ppm = -300;
    c.person[1].wall_ppm = 300;
    c.person[1].wall_offset_us = -3600 * 1000000ll;
    c.person[1].audio_delay_us = 150000;
    check_sync(&c, 37);
    CHECK(manifest.tracks[0].drift_ppm > 250 && manifest.tracks[0].drift_ppm < 350);
    CHECK(manifest.tracks[2].drift_ppm < -250 && manifest.tracks[2].drift_ppm > -350);
}

TEST(render_loss_jitter_duplicates_and_wraps)
{
    struct synth_conf c = two_people(30);
    for (int i = 0; i < 2; i++) {
        c.person[i].loss_pct = 5;
        c.person[i].duplicate_pct = 3;
        c.person[i].jitter_us = 30000;
        c.person[i].seq0 = 65000;
        c.person[i].ts0 = 0u - 48000u * 3;
    }
    c.person[1].ts0 = 0u - 123456789u - 90000u * 5;
    check_sync(&c, 15);
    CHECK(manifest.tracks[0].duplicates > 10 && manifest.tracks[0].lost > 5);
}

TEST(render_without_reports_places_by_arrival)
{
    struct synth_conf c = two_people(15);
    for (int i = 0; i < 2; i++) {
        c.person[i].first_sr_us = -1;
        c.person[i].jitter_us = 15000;
    }
    check_sync(&c, 12);
    CHECK(!manifest.tracks[0].sync_sr && !manifest.tracks[3].sync_sr);
}

TEST(render_wall_clock_steps_and_stalls)
{
    struct synth_conf c = two_people(20);
    c.person[0].wall_step_at_us = 8000000;
    c.person[0].wall_step_us = 3600 * 1000000ll;
    c.person[1].stall_from_us = 5000000;
    c.person[1].stall_to_us = 8500000;
    check_sync(&c, 17);
}

TEST(render_mute_gap_and_resize)
{
    struct synth_conf c = two_people(20);
    c.person[0].mute_from_us = 4000000;
    c.person[0].mute_to_us = 14000000;
    c.person[1].resize_at_us = 9000000;
    check_sync(&c, 8);
    CHECK(manifest.tracks[3].width == 320 && manifest.tracks[3].height == 240);
}

TEST(render_h264)
{
    struct synth_conf c = two_people(8);
    c.person[0].h264 = c.person[1].h264 = true;
    c.person[0].loss_pct = 2;
    check_sync(&c, 5);
}

TEST(render_one_and_three_people_and_audio_only)
{
    struct synth_conf c = two_people(4);
    struct synth_result r[2];
    c.people = 1;
    check_sync(&c, 3);
    CHECK(manifest.width == 160);
    c.people = 3;
    c.person[2] = c.person[0];
    temp_dir();
    CHECK(synth_journal(dir, &c) && render() == TR_OK);
    CHECK(manifest.width == 160 && manifest.height == 120 && manifest.track_count == 6);
    remove_dir();
    c.people = 2;
    c.person[0].no_video = c.person[1].no_video = true;
    temp_dir();
    CHECK(synth_journal(dir, &c) && render() == TR_OK);
    CHECK(synth_measure(out, 2, r));
    CHECK(r[0].beeps == 4 && r[1].beeps == 4 && r[0].flashes == 0);
    CHECK(r[0].duration_ms >= 4400 && r[0].duration_ms <= 4600);
    remove_dir();
}

TEST(render_survives_hostile_payloads)
{
    FOR_EACH_SEED (seed, 3) {
        struct synth_conf c = two_people(6);
        struct synth_result r[2];
        c.seed = seed;
        for (int i = 0; i < 2; i++) {
            c.person[i].corrupt_pct = 30;
            c.person[i].h264 = i == 1;
        }
        temp_dir();
        CHECK(synth_journal(dir, &c) && render() == TR_OK);
        CHECK(synth_measure(out, 2, r));
        CHECK(r[0].duration_ms >= 6400 && r[0].duration_ms <= 6600);
        CHECK(manifest.width == 320 && manifest.height == 120);
        remove_dir();
    }
}

static void damage(const char *name, long cut_tail, long at, long n)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "r+b");
    if (!CHECK(f != NULL))
        return;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    if (n) {
        fseek(f, at, SEEK_SET);
        for (long i = 0; i < n; i++)
            fputc((int)(i * 37 & 255), f);
    }
    fflush(f);
    if (cut_tail)
        CHECK(ftruncate(fileno(f), size - cut_tail) == 0);
    fclose(f);
}

TEST(render_killed_and_damaged_journal)
{
    struct synth_conf c = two_people(20);
    struct synth_result r[2];
    temp_dir();
    CHECK(synth_journal(dir, &c));
    char from[100], to[120]; /* kill -9: the last segment keeps its name and is torn */
    snprintf(from, sizeof(from), "%s/seg-000003.cj", dir);
    snprintf(to, sizeof(to), "%s.part", from);
    CHECK(rename(from, to) == 0);
    damage("seg-000003.cj.part", 5000, 0, 0);
    damage("seg-000002.cj", 0, 40000, 3000);
    damage("seg-000001.cj", 0, 0, 10); /* even the header */
    CHECK(render() == TR_OK);
    CHECK(manifest.truncated && manifest.holes >= 2);
    CHECK(synth_measure(out, 2, r));
    for (int i = 0; i < 2; i++)
        CHECK(r[i].pairs >= 16 && r[i].worst_ms <= 40 && r[i].worst_ms >= -40);
    CHECK(r[0].duration_ms > 18000 && r[0].duration_ms < 20600);
    remove_dir();
}

TEST(render_refuses_nothing_and_writes_nothing)
{
    temp_dir();
    CHECK(render() == TR_ERR_NOTFOUND);
    CHECK(access(out, F_OK) != 0);
    struct synth_conf c = two_people(1);
    CHECK(synth_journal(dir, &c));
    snprintf(out, sizeof(out), "%s/none/out.webm", dir);
    CHECK(render() == TR_ERR_IO);
    remove_dir();
}

/* Goal: what a tap hands over is in the journal, nothing ever holds up the tap, and every way that
 * a recording can end leaves a row that tells the truth.
 * Method: a double of the media engine (recorder_test.h), the real disk thread on a temp folder,
 * file calls that fail or stall on demand. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/log.h"
#include "net/thread.h"
#include "peer/rtp_meta.h"
#include "record/reader.h"
#include "record/recorder_test.h"
#include "rtp/rtp.h"
#include "unit.h"

#define CALL_A "0123456789abcdef0123456789abcdef"

static void quiet(void *arg, const char *line, size_t n)
{
}

static void open_quiet(struct desk *d)
{
    tr_log_set_sink(quiet, NULL);
    desk_open(d);
}

static tr_id start(struct desk *d, const char *id)
{
    tr_usec now = tr_clock_now();
    desk_call(d, id, "customer-1", "agent:Ann");
    tr_id rec = tr_recorder_start(d->rec, id, now);
    CHECK(rec != 0);
    CHECK(tr_recorder_track(d->rec, rec, (struct tr_media_end){ 5, 0 }, &desk_opus, now) == TR_OK);
    return rec;
}

struct content {
    int meta, rtp, sr, event;
    int64_t next_seq; /* of each track's in order */
    bool order;
    struct tr_segment head;
    struct tr_reader_stats stats;
};

static struct content read_journal(struct desk *d, const char *id)
{
    char path[160];
    const char *paths[] = { path };
    struct tr_reader *reader;
    struct tr_record rec;
    struct content c = { .order = true };
    snprintf(path, sizeof path, "%s/journal/%s", d->dir, id);
    if (!CHECK(tr_reader_open(&reader, paths, 1) == TR_OK))
        return c;
    while (tr_reader_next(reader, &rec)) {
        struct tr_rtp h;
        c.meta += rec.type == TR_JOURNAL_META;
        c.sr += rec.type == TR_JOURNAL_SR;
        c.event += rec.type == TR_JOURNAL_EVENT;
        if (rec.type != TR_JOURNAL_RTP)
            continue;
        c.rtp++;
        CHECK(tr_rtp_parse(&h, rec.payload) == TR_OK && h.hdr_len == 12);
        c.order = c.order && rec.ext_seq == (uint64_t)c.next_seq && h.seq == (uint16_t)rec.ext_seq;
        c.next_seq = (int64_t)rec.ext_seq + 1;
    }
    tr_reader_segment(reader, &c.head);
    c.stats = tr_reader_stats(reader);
    tr_reader_close(reader);
    return c;
}

TEST(packets_become_records_with_their_headers)
{
    struct desk d;
    open_quiet(&d);
    desk_start(&d);
    start(&d, CALL_A);
    CHECK_INT(desk_row(&d, CALL_A).rec, TR_CALL_REC_RECORDING);
    const struct tr_tap *tap = fake_tap();
    struct tr_pkt *run[60];
    for (int i = 0; i < 60; i++) {
        run[i] = desk_packet(&d, 0x11223344, 65500 + i, 1000u + 960u * (unsigned)i, 100);
        tr_rtp_meta(run[i])->flags = i == 59 ? TR_RTP_MARKER : 0;
    }
    tap->packets(tap->arg, 1, run, 60); /* more than one message */
    for (int i = 0; i < 60; i++)
        tr_pkt_unref(&run[i]);
    struct tr_tap_sr sr = { .ssrc = 0x11223344, .ntp = 9, .rtp_ts = 8, .recv_us = tr_clock_now() };
    tap->sender_report(tap->arg, 1, &sr);
    desk_stop(&d);
    struct content c = read_journal(&d, CALL_A);
    CHECK_INT(c.meta, 1);
    CHECK_INT(c.sr, 1);
    CHECK_INT(c.rtp, 60);
    CHECK_INT(c.next_seq, 65560);
    CHECK(c.stats.closed && c.stats.holes == 0);
    CHECK(c.head.call[0] == 0x01 && c.head.call[15] == 0xef);
    CHECK_INT(desk_row(&d, CALL_A).rec, TR_CALL_REC_PROCESSING);
    desk_close(&d);
}

TEST(tracks_are_added_once_and_again_with_another_codec)
{
    struct desk d;
    open_quiet(&d);
    desk_start(&d);
    tr_usec now = tr_clock_now();
    tr_id rec = start(&d, CALL_A);
    struct tr_media_end end = { 5, 0 };
    struct tr_meta other = desk_opus;
    strcpy(other.codec, "PCMU");
    CHECK_INT(fake_routes(), 1);
    CHECK(tr_recorder_track(d.rec, rec, end, &desk_opus, now) == TR_OK);
    CHECK_INT(fake_routes(), 1);
    CHECK(tr_recorder_track(d.rec, rec, end, &other, now) == TR_OK);
    CHECK_INT(fake_routes(), 1);
    for (int i = 1; i < 63; i++)
        CHECK(tr_recorder_track(d.rec, rec, (struct tr_media_end){ 5, i }, &other, now) == TR_OK);
    end.mline = 63;
    CHECK(tr_recorder_track(d.rec, rec, end, &other, now) == TR_ERR_LIMIT);
    desk_feed(&d, 1, 1);
    tr_recorder_stop(d.rec, rec, now);
    tr_recorder_stop(d.rec, rec, now);
    CHECK(tr_recorder_track(d.rec, rec, end, &other, now) == TR_ERR_NOTFOUND);
    desk_stop(&d);
    CHECK_INT(read_journal(&d, CALL_A).meta, 64);
    desk_close(&d);
}

TEST(a_recording_of_its_own_has_a_row_that_ends)
{
    struct desk d;
    open_quiet(&d);
    desk_start(&d);
    tr_id rec = tr_recorder_start_new(d.rec, "echotest", "<script>", tr_clock_now());
    CHECK(rec != 0);
    desk_stop(&d);
    struct tr_call row = { .ended_us = 0 };
    struct tr_sql_stmt *st = tr_sql_use(d.db, "SELECT id FROM calls");
    CHECK(tr_sql_step(st) == TR_OK);
    tr_sql_text(st, 0, row.id, sizeof row.id);
    tr_sql_reset(st);
    row = desk_row(&d, row.id);
    CHECK_STR(row.caller, "<script>");
    CHECK(row.ended_us >= row.started_us && row.answered_us == row.started_us);
    CHECK_INT(row.rec, TR_CALL_REC_FAILED); /* no packet came */
    CHECK_STR(row.error, "Nothing was received from either side");
    desk_close(&d);
}

TEST(ids_that_are_no_file_names_are_refused)
{
    struct desk d;
    open_quiet(&d);
    desk_start(&d);
    const char *const bad[] = { "../x", "",    "a/b",
                                "-rf",  "a.b", "1234567890123456789012345678901234567890" };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(tr_recorder_start(d.rec, bad[i], tr_clock_now()) == 0);
    CHECK(tr_recorder_start(d.rec, "unknown", tr_clock_now()) == 0); /* no row */
    CHECK(tr_recorder_idle(d.rec));
    desk_close(&d);
}

TEST(the_engine_lets_go_later)
{
    struct desk d;
    open_quiet(&d);
    desk_start(&d);
    tr_id rec = start(&d, CALL_A);
    const struct tr_tap *tap = fake_tap();
    struct tr_tap late = *tap;
    fake_hold(true);
    tr_recorder_stop(d.rec, rec, tr_clock_now());
    for (int i = 0; i < 20; i++) {
        struct tr_pkt *pkt = desk_packet(&d, 7, i, 0, 20);
        late.packets(late.arg, 1, &pkt, 1);
        tr_pkt_unref(&pkt);
        tr_recorder_timeout(d.rec, tr_clock_now());
        tr_clock_sleep(TR_MSEC);
    }
    CHECK(!tr_recorder_idle(d.rec));
    fake_hold(false);
    CHECK(desk_wait_idle(&d));
    CHECK_INT(read_journal(&d, CALL_A).rtp, 20);
    desk_close(&d);
}

/* --- disks that fail --- */

static struct faulty {
    struct tr_file_ops ops;
    _Atomic int code; /* of writes and creates */
    _Atomic bool stall;
} faulty;

static ssize_t faulty_write(const struct tr_file_ops *ops, int fd, const void *p, size_t n)
{
    while (atomic_load(&faulty.stall))
        tr_clock_sleep(TR_MSEC);
    int code = atomic_load(&faulty.code);
    return code ? -code : tr_file_ops_system.write(ops, fd, p, n);
}

static int faulty_create(const struct tr_file_ops *ops, const char *path)
{
    int code = atomic_load(&faulty.code);
    return code ? -code : tr_file_ops_system.create(ops, path);
}

static void open_faulty(struct desk *d)
{
    open_quiet(d);
    faulty.ops = tr_file_ops_system;
    faulty.ops.write = faulty_write;
    faulty.ops.create = faulty_create;
    atomic_store(&faulty.code, 0);
    atomic_store(&faulty.stall, false);
    d->conf.ops = &faulty.ops;
}

TEST(a_full_disk_fails_the_recording_at_once_and_says_so)
{
    struct desk d;
    open_faulty(&d);
    desk_start(&d);
    tr_id rec = start(&d, CALL_A);
    desk_feed(&d, 1, 10);
    atomic_store(&faulty.code, ENOSPC);
    CHECK(desk_wait(&d, CALL_A, TR_CALL_REC_FAILED));
    CHECK_STR(desk_row(&d, CALL_A).error, "Disk full: No space left on device");
    CHECK(fake_tap() == NULL); /* nothing is handed over any more */
    tr_recorder_stop(d.rec, rec, tr_clock_now());
    CHECK(desk_wait_idle(&d));
    CHECK_INT(desk_row(&d, CALL_A).rec, TR_CALL_REC_FAILED);
    atomic_store(&faulty.code, EIO);
    start(&d, "b");
    CHECK(desk_wait(&d, "b", TR_CALL_REC_FAILED));
    CHECK_STR(desk_row(&d, "b").error, "Disk error: Input/output error");
    struct tr_recorder_counters c;
    tr_recorder_counters(d.rec, &c);
    CHECK_INT(c.failed, 2);
    CHECK_INT(c.started, 2);
    desk_close(&d);
}

static int64_t little_room(const char *dir)
{
    return 5000000;
}

TEST(no_recording_starts_when_the_disk_is_nearly_full)
{
    struct desk d;
    open_quiet(&d);
    d.conf.free_bytes = little_room;
    d.conf.disk_min_free = 500000000;
    desk_start(&d);
    desk_call(&d, CALL_A, "a", "b");
    CHECK(tr_recorder_start(d.rec, CALL_A, tr_clock_now()) == 0);
    CHECK_INT(desk_row(&d, CALL_A).rec, TR_CALL_REC_FAILED);
    CHECK_STR(desk_row(&d, CALL_A).error, "Disk full: 5 MB are free, and recording needs 500 MB");
    desk_close(&d);
}

TEST(a_disk_that_stalls_never_holds_up_the_tap)
{
    struct desk d;
    open_faulty(&d);
    desk_start(&d);
    start(&d, CALL_A);
    atomic_store(&faulty.stall, true);
    tr_usec slowest = 0;
    for (int i = 0; i < 40000; i++) {
        struct tr_pkt *pkt = desk_packet(&d, 7, i, 0, 1000);
        tr_usec before = tr_clock_now();
        fake_tap()->packets(fake_tap()->arg, 1, &pkt, 1);
        tr_usec took = tr_clock_now() - before;
        slowest = took > slowest ? took : slowest;
        tr_pkt_unref(&pkt);
    }
    CHECK(tr_pkt_pool_in_use(d.pool) <= 16384); /* TR_DISK_PACKETS_MAX */
    CHECK(slowest < TR_SECOND);
    atomic_store(&faulty.stall, false);
    desk_stop(&d);
    struct content c = read_journal(&d, CALL_A);
    CHECK(c.rtp > 1000 && c.rtp < 40000);
    CHECK(c.event >= 1); /* says that packets are missing */
    CHECK_INT(desk_row(&d, CALL_A).rec, TR_CALL_REC_PROCESSING);
    desk_close(&d);
}

/* --- threads --- */

struct feeder {
    struct desk *d;
    struct tr_tap tap;
    struct tr_pkt *pkts[2000];
    uint16_t track;
    struct tr_thread thread;
};

static void feed(void *arg)
{
    struct feeder *f = arg;
    for (int i = 0; i < 2000; i += 8) {
        f->tap.packets(f->tap.arg, f->track, f->pkts + i, 8);
        for (int k = i; k < i + 8; k++)
            tr_pkt_unref(&f->pkts[k]);
        if (i % 400 == 0)
            tr_clock_sleep(TR_MSEC);
    }
}

TEST(two_workers_feed_one_recording)
{
    static struct feeder feeders[2];
    struct desk d;
    open_quiet(&d);
    desk_start(&d);
    tr_id rec = start(&d, CALL_A);
    CHECK(tr_recorder_track(d.rec, rec, (struct tr_media_end){ 6, 0 }, &desk_opus,
                            tr_clock_now()) == TR_OK);
    for (int w = 0; w < 2; w++) {
        feeders[w] = (struct feeder){ .d = &d, .tap = *fake_tap(), .track = (uint16_t)(w + 1) };
        for (int i = 0; i < 2000; i++)
            feeders[w].pkts[i] = desk_packet(&d, (uint32_t)w, i, 0, 200);
    }
    for (int w = 0; w < 2; w++)
        CHECK(tr_thread_start(&feeders[w].thread, "feeder", feed, &feeders[w]) == TR_OK);
    for (int i = 0; i < 20; i++) {
        tr_recorder_timeout(d.rec, tr_clock_now());
        tr_clock_sleep(TR_MSEC);
    }
    for (int w = 0; w < 2; w++)
        tr_thread_join(&feeders[w].thread);
    desk_stop(&d);
    CHECK_INT(read_journal(&d, CALL_A).rtp, 4000);
    desk_close(&d);
}

TEST(a_recorder_may_go_with_recordings_open)
{
    struct desk d;
    open_quiet(&d);
    desk_start(&d);
    start(&d, CALL_A);
    desk_feed(&d, 1, 5);
    desk_crash(&d);
    struct content c = read_journal(&d, CALL_A);
    CHECK_INT(c.rtp, 5);
    CHECK(c.stats.closed);
    desk_close(&d);
}

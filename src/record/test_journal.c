/* Goal: what the journal accepted can be read back after any crash or disk fault, up to the last
 * complete record, and nothing a file holds makes the reader fail.
 * Method: real files in a temp folder through a table of file calls that fails or shortens chosen
 * ones; then cuts at every byte of the tail and flips of bytes in the middle. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "record/crc32c.h"
#include "record/journal.h"
#include "record/manifest.h"
#include "record/meta.h"
#include "record/reader.h"
#include "unit.h"

static char dir[64];

static void temp_dir(void)
{
    strcpy(dir, "/tmp/tring-journal-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
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

/* Fails the nth call of any kind with `code`; writes may be cut to `write_max`. */
struct faulty {
    struct tr_file_ops ops;
    int calls, fail_at, code;
    size_t write_max;
};

static int fault(const struct tr_file_ops *ops)
{
    struct faulty *f = (struct faulty *)(uintptr_t)ops;
    return ++f->calls >= f->fail_at && f->fail_at ? -f->code : 0;
}

#define FAULTY(name, params, args)                                                                 \
    static int faulty_##name params                                                                \
    {                                                                                              \
        int r = fault(ops);                                                                        \
        return r < 0 ? r : tr_file_ops_system.name args;                                           \
    }
FAULTY(mkdir, (const struct tr_file_ops *ops, const char *p), (ops, p))
FAULTY(create, (const struct tr_file_ops *ops, const char *p), (ops, p))
FAULTY(reserve, (const struct tr_file_ops *ops, int fd, int64_t o, int64_t n), (ops, fd, o, n))
FAULTY(truncate, (const struct tr_file_ops *ops, int fd, int64_t n), (ops, fd, n))
FAULTY(sync, (const struct tr_file_ops *ops, int fd), (ops, fd))
FAULTY(rename, (const struct tr_file_ops *ops, const char *a, const char *b), (ops, a, b))
FAULTY(sync_dir, (const struct tr_file_ops *ops, const char *p), (ops, p))

static int faulty_close(const struct tr_file_ops *ops, int fd) /* the fd goes away in any case */
{
    int r = fault(ops), c = tr_file_ops_system.close(ops, fd);
    return r < 0 ? r : c;
}

static ssize_t faulty_write(const struct tr_file_ops *ops, int fd, const void *p, size_t n)
{
    const struct faulty *f = (const struct faulty *)ops;
    int r = fault(ops);
    if (f->write_max && n > f->write_max)
        n = f->write_max;
    return r < 0 ? r : tr_file_ops_system.write(ops, fd, p, n);
}

static struct faulty faulty_ops(int fail_at, int code, size_t write_max)
{
    return (struct faulty){ .ops = { faulty_mkdir, faulty_create, faulty_write, faulty_reserve,
                                     faulty_truncate, faulty_sync, faulty_close, faulty_rename,
                                     faulty_sync_dir },
                            .fail_at = fail_at,
                            .code = code,
                            .write_max = write_max };
}

static struct tr_journal *open_journal(const struct tr_file_ops *ops, tr_usec segment_us)
{
    struct tr_journal_conf conf = { .dir = dir, .ops = ops, .segment_us = segment_us };
    memcpy(conf.call, "0123456789abcdef", 16);
    struct tr_journal *j = NULL;
    const char *reason;
    if (tr_journal_open(&j, &conf, 1000, 1700000000000000, &reason) != TR_OK)
        return NULL;
    return j;
}

/* Packet i: 20 + i % 1000 bytes of a pattern that depends on i. */
static size_t make_packet(uint64_t i, uint8_t *out)
{
    size_t n = 20 + i % 1000;
    for (size_t k = 0; k < n; k++)
        out[k] = (uint8_t)(i * 7 + k);
    return n;
}

static enum tr_err put_packet(struct tr_journal *j, uint64_t i)
{
    uint8_t p[1100];
    size_t n = make_packet(i, p);
    return tr_journal_rtp(j, 1000 + (tr_usec)i * 10000, 1, i, tr_slice(p, n));
}

static bool is_packet(const struct tr_record *rec)
{
    uint8_t p[1100];
    return rec->type == TR_JOURNAL_RTP &&
           tr_slice_eq(rec->payload, tr_slice(p, make_packet(rec->ext_seq, p)));
}

static struct tr_slice read_file(const char *name)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return tr_slice(NULL, 0);
    uint8_t *p = tr_alloc(4 << 20);
    size_t n = fread(p, 1, 4 << 20, f);
    fclose(f);
    return tr_slice(p, n);
}

TEST(crc32c_known_values)
{
    CHECK_INT(tr_crc32c(0, "123456789", 9), 0xe3069283);
    CHECK_INT(tr_crc32c_portable(0, "123456789", 9), 0xe3069283);
    uint8_t zeros[32] = { 0 }; /* RFC 3720 appendix B.4 */
    CHECK_INT(tr_crc32c(0, zeros, 32), 0x8a9136aa);
    struct tr_rng rng = tr_rng_seeded(1);
    uint8_t p[257];
    for (size_t n = 0; n < sizeof(p); n++) {
        tr_rng_fill(&rng, p, n);
        uint32_t want = tr_crc32c_portable(0, p, n);
        CHECK(tr_crc32c(0, p, n) == want);
        CHECK(tr_crc32c(tr_crc32c(0, p, n / 3), p + n / 3, n - n / 3) == want);
    }
}

TEST(meta_survives_a_round_trip)
{
    struct tr_meta m = { .kind = TR_META_VIDEO,
                         .codec = "VP8",
                         .pt = 96,
                         .clock = 90000,
                         .ssrc = 0xfedcba98,
                         .participant = 1,
                         .label = "Zo\xc3\xab \"x\"",
                         .role = "agent" };
    uint8_t buf[TR_META_JSON_MAX];
    struct tr_slice json;
    struct tr_meta back;
    CHECK(tr_meta_encode(&m, (struct tr_buf){ buf, sizeof(buf) }, &json) == TR_OK);
    CHECK(tr_meta_decode(&back, json) == TR_OK);
    CHECK(memcmp(&m, &back, sizeof(m)) == 0);
    CHECK(tr_meta_encode(&m, (struct tr_buf){ buf, 20 }, &json) == TR_ERR_LIMIT);
    const char *bad[] = { "",
                          "[]",
                          "{\"kind\":\"audio\"}",
                          "{\"kind\":\"x\",\"clock\":90000}",
                          "{\"kind\":\"audio\",\"clock\":0,\"participant\":0}",
                          "{\"kind\":\"audio\",\"clock\":8000,\"participant\":64}",
                          "{\"kind\":\"audio\",\"clock\":8000,\"participant\":-1}" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(tr_meta_decode(&back, tr_slice_str(bad[i])) == TR_ERR_BADMSG);
}

TEST(manifest_summary_is_read_back)
{
    static struct tr_manifest m, back;
    m = (struct tr_manifest){
        .duration_ms = 61000, .bytes = 5, .truncated = true, .track_count = 1, .file = "/x/y.webm"
    };
    char *text = tr_manifest_encode(&m);
    CHECK(text && strstr(text, "\"start\":\"1970-01-01T00:00:00.000000Z\""));
    CHECK(tr_manifest_decode(&back, tr_slice_str(text)) == TR_OK);
    CHECK(back.truncated && back.duration_ms == 61000 && back.bytes == 5);
    CHECK_STR(back.file, "/x/y.webm");
    free(text);
    CHECK(tr_manifest_decode(&back, tr_slice_str("{}")) == TR_ERR_BADMSG);
}

TEST(journal_segment_names)
{
    static const struct {
        const char *name;
        uint32_t number; /* 0: no segment */
    } t[] = {
        { "seg-000001.cj", 1 }, { "seg-000012.cj.part", 12 }, { "seg-999999.cj", 999999 },
        { "seg-7.cj", 7 },      { "seg-0000001.cj", 0 },      { "seg-.cj", 0 },
        { "seg--1.cj", 0 },     { "seg- 1.cj", 0 },           { "seg-000001.cjx", 0 },
        { "seg-000001", 0 },    { "leg-000001.cj", 0 },       { "", 0 },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        uint32_t n = 0;
        CHECK_INT(tr_journal_segment(t[i].name, &n), t[i].number != 0);
        CHECK_INT(n, t[i].number);
    }
}

TEST(journal_reads_back_over_rotations)
{
    temp_dir();
    struct faulty f = faulty_ops(0, 0, 1000); /* every write is short */
    struct tr_journal *j = open_journal(&f.ops, 2 * TR_SECOND);
    CHECK(tr_journal_meta(j, 1000, 1, tr_slice_str("{\"a\":1}")) == TR_OK);
    for (uint64_t i = 0; i < 500; i++) { /* five seconds */
        tr_usec now = 1000 + (tr_usec)i * 10000;
        CHECK(put_packet(j, i) == TR_OK);
        if (i % 25 == 0) {
            CHECK(tr_journal_flush(j, now, 1700000000000000 + now) == TR_OK);
            CHECK(tr_journal_sync(j, now) == TR_OK);
        }
    }
    CHECK(tr_journal_sr(j, 9, 1, 77, 0x123456789abcdef0, 42) == TR_OK);
    CHECK(tr_journal_loss(j, 9, 1, 100, 105) == TR_OK);
    CHECK_INT(tr_journal_stats(j).segments, 3);
    CHECK(tr_journal_close(j, 6000000, 1700000006000000) == TR_OK);

    struct tr_reader *r = NULL;
    const char *paths[] = { dir };
    CHECK(tr_reader_open(&r, paths, 1) == TR_OK);
    struct tr_record rec;
    uint64_t next = 0;
    int metas = 0, ends = 0, srs = 0, losses = 0;
    while (tr_reader_next(r, &rec)) {
        uint32_t ssrc, rtp;
        tr_ntp ntp;
        uint64_t last;
        if (rec.type == TR_JOURNAL_RTP)
            CHECK(rec.ext_seq == next++ && is_packet(&rec));
        metas += rec.type == TR_JOURNAL_META;
        ends += rec.type == TR_JOURNAL_END;
        srs += tr_record_sr(&rec, &ssrc, &ntp, &rtp) && ssrc == 77 && rtp == 42 &&
               ntp == 0x123456789abcdef0;
        losses += tr_record_loss(&rec, &last) && rec.ext_seq == 100 && last == 105;
    }
    CHECK_INT(next, 500);
    CHECK_INT(metas, 3); /* one each segment */
    CHECK_INT(ends, 3);
    CHECK_INT(srs, 1);
    CHECK_INT(losses, 1);
    struct tr_reader_stats s = tr_reader_stats(r);
    CHECK(s.closed && s.holes == 0 && s.segments == 3 && s.missing == 0);
    tr_reader_close(r);
    remove_dir();
}

TEST(journal_every_fault_is_sticky_and_leaves_a_prefix)
{
    for (int at = 1; at < 40; at++) {
        temp_dir();
        struct faulty f = faulty_ops(at, at % 2 ? ENOSPC : EIO, 0);
        struct tr_journal *j = open_journal(&f.ops, TR_SECOND);
        uint64_t accepted = 0;
        for (uint64_t i = 0; j && i < 300; i++) {
            bool failed = tr_journal_failed(j);
            if (put_packet(j, i) == TR_OK)
                accepted++;
            CHECK(!failed || tr_journal_failed(j));
            if (i % 25 == 0 && tr_journal_flush(j, 1000 + (tr_usec)i * 10000, 1) == TR_OK &&
                tr_journal_sync(j, 1000 + (tr_usec)i * 10000) != TR_OK)
                CHECK(tr_journal_error(j)[0]);
        }
        if (j) {
            CHECK_INT(accepted + tr_journal_stats(j).dropped, 300);
            bool failed = tr_journal_failed(j);
            enum tr_err err = tr_journal_close(j, 4000000, 1);
            CHECK(!failed || err == TR_ERR_IO);
        }
        struct tr_reader *r = NULL;
        const char *paths[] = { dir };
        if (tr_reader_open(&r, paths, 1) == TR_OK) {
            struct tr_record rec;
            uint64_t next = 0;
            while (tr_reader_next(r, &rec)) {
                if (rec.type == TR_JOURNAL_RTP)
                    CHECK(rec.ext_seq == next++ && is_packet(&rec));
            }
            CHECK(next <= accepted);
            tr_reader_close(r);
        }
        remove_dir();
    }
}

TEST(scan_survives_a_cut_at_every_byte)
{
    temp_dir();
    struct tr_journal *j = open_journal(NULL, 0);
    for (uint64_t i = 0; i < 20; i++)
        CHECK(put_packet(j, i) == TR_OK);
    CHECK(tr_journal_close(j, 2000, 1) == TR_OK);
    struct tr_slice all = read_file("seg-000001.cj");
    CHECK(all.n > 1000);
    uint64_t best = 0;
    for (size_t cut = 0; cut <= all.n; cut++) {
        struct tr_scan scan;
        struct tr_record rec;
        uint64_t next = 0;
        tr_scan_init(&scan, tr_slice(all.p, cut));
        while (tr_scan_next(&scan, &rec)) {
            if (rec.type == TR_JOURNAL_RTP)
                CHECK(rec.ext_seq == next++ && is_packet(&rec));
        }
        CHECK(next >= best);
        best = next;
        CHECK(scan.ended == (cut == all.n));
    }
    CHECK_INT(best, 20);
    tr_free((void *)(uintptr_t)all.p);
    remove_dir();
}

TEST(scan_resyncs_after_damage)
{
    temp_dir();
    struct tr_journal *j = open_journal(NULL, 0);
    for (uint64_t i = 0; i < 400; i++)
        CHECK(put_packet(j, i) == TR_OK);
    CHECK(tr_journal_close(j, 2000, 1) == TR_OK);
    struct tr_slice all = read_file("seg-000001.cj");
    uint8_t *copy = tr_alloc(all.n);
    FOR_EACH_SEED (seed, 100) {
        struct tr_rng rng = tr_rng_seeded(seed);
        memcpy(copy, all.p, all.n);
        size_t at = tr_rng_below(&rng, all.n), n = 1 + tr_rng_below(&rng, 3000);
        n = at + n > all.n ? all.n - at : n;
        tr_rng_fill(&rng, copy + at, n);
        struct tr_scan scan;
        struct tr_record rec;
        uint64_t packets = 0;
        tr_scan_init(&scan, tr_slice(copy, all.n));
        while (tr_scan_next(&scan, &rec)) {
            if (rec.type == TR_JOURNAL_RTP) {
                CHECK(is_packet(&rec));
                packets++;
            }
        }
        CHECK(packets >= 240); /* the damage is at most some small packets, ~3000 bytes */
        CHECK(scan.holes <= 2);
    }
    tr_free(copy);
    tr_free((void *)(uintptr_t)all.p);
    remove_dir();
}

TEST(reader_refuses_what_is_no_journal)
{
    temp_dir();
    struct tr_reader *r = NULL;
    const char *empty[] = { dir }, *absent[] = { "/nonexistent/x" }, *device[] = { "/dev/zero" };
    CHECK(tr_reader_open(&r, empty, 1) == TR_ERR_NOTFOUND);
    CHECK(tr_reader_open(&r, absent, 1) == TR_ERR_NOTFOUND);
    CHECK(tr_reader_open(&r, device, 1) == TR_ERR_IO);
    remove_dir();
}

TEST(journal_goes_on_in_an_existing_directory)
{
    temp_dir();
    struct tr_journal *j = open_journal(NULL, 0);
    CHECK(put_packet(j, 0) == TR_OK && tr_journal_flush(j, 2000, 1) == TR_OK);
    struct tr_journal *k = open_journal(NULL, 0); /* the first one was "killed" */
    CHECK(put_packet(k, 1) == TR_OK);
    CHECK(tr_journal_close(k, 3000, 1) == TR_OK);
    struct tr_reader *r = NULL;
    const char *paths[] = { dir };
    CHECK(tr_reader_open(&r, paths, 1) == TR_OK);
    struct tr_record rec;
    uint64_t next = 0;
    while (tr_reader_next(r, &rec))
        if (rec.type == TR_JOURNAL_RTP)
            CHECK(rec.ext_seq == next++);
    CHECK_INT(next, 2);
    tr_reader_close(r);
    CHECK(tr_journal_close(j, 3000, 1) == TR_OK);
    remove_dir();
}

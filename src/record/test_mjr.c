/* Goal: tracks that ask for it become .mjr files, byte for byte as Janus' tools read them; a name
 * that cannot be written fails alone. That the tools do read them is seen in test/browser. */
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/journal.h"
#include "record/meta.h"
#include "record/mjr.h"
#include "record/reader.h"
#include "unit.h"

static char dir[64], journal[96], path[160];

static const char *at(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put_meta(struct tr_journal *j, uint16_t track, enum tr_meta_kind kind,
                     const char *codec, const char *label, const char *mjr)
{
    struct tr_meta meta = { .kind = kind, .clock = 48000 };
    uint8_t buf[TR_META_JSON_MAX];
    struct tr_slice json;
    snprintf(meta.codec, sizeof meta.codec, "%s", codec);
    snprintf(meta.label, sizeof meta.label, "%s", label);
    snprintf(meta.mjr, sizeof meta.mjr, "%s", mjr);
    CHECK_INT(tr_meta_encode(&meta, (struct tr_buf){ buf, sizeof buf }, &json), TR_OK);
    CHECK_INT(tr_journal_meta(j, 1000, track, json), TR_OK);
}

static void put_packets(struct tr_journal *j, uint16_t track, tr_usec from)
{
    for (int i = 0; i < 3; i++) {
        char packet[32];
        snprintf(packet, sizeof packet, "packet %d of track %d", i, track);
        CHECK_INT(tr_journal_rtp(j, from + i * 20 * TR_MSEC, track, (uint64_t)i,
                                 tr_slice(packet, strlen(packet))),
                  TR_OK);
    }
}

/* Track 0 asks for sub/a.mjr, track 1 for nothing, track 2 for what cannot be. */
static struct tr_reader *record(void)
{
    struct tr_journal_conf conf = { .dir = journal };
    struct tr_journal *j = NULL;
    struct tr_reader *reader = NULL;
    const char *reason, *dirs[] = { journal };
    strcpy(dir, "/tmp/tring-mjr-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    snprintf(journal, sizeof journal, "%s/journal", dir);
    CHECK_INT(tr_journal_open(&j, &conf, TR_SECOND, 1700000000 * TR_SECOND, &reason), TR_OK);
    put_meta(j, 0, TR_META_AUDIO, "opus", "Anna", at("sub/a.mjr"));
    put_meta(j, 1, TR_META_VIDEO, "VP8", "../B b", "");
    put_meta(j, 2, TR_META_AUDIO, "opus", "", at("no/such/folder.mjr"));
    for (uint16_t track = 0; track < 3; track++)
        put_packets(j, track, 2 * TR_SECOND);
    CHECK_INT(tr_journal_close(j, 3 * TR_SECOND, 1700000002 * TR_SECOND), TR_OK);
    CHECK_INT(tr_reader_open(&reader, dirs, 1), TR_OK);
    return reader;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(name);
}

static void end(struct tr_reader *reader)
{
    tr_reader_close(reader);
    CHECK_INT(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static size_t slurp(const char *name, uint8_t *out, size_t size)
{
    FILE *f = fopen(at(name), "rb");
    size_t n = f ? fread(out, 1, size, f) : 0;
    if (f)
        fclose(f);
    return n;
}

TEST(tracks_become_the_files_they_ask_for)
{
    static const char json[] =
        "{\"t\":\"a\",\"c\":\"opus\",\"s\":1700000000000000,\"u\":1700000001000000}";
    struct tr_reader *reader = record();
    uint8_t bytes[1024];
    uint32_t files;
    const char *failed;
    CHECK_INT(tr_mjr_export(reader, NULL, &files, &failed), TR_ERR_IO);
    CHECK_INT(files, 1);
    CHECK_STR(failed, at("no/such/folder.mjr"));
    size_t n = slurp("sub/a.mjr", bytes, sizeof bytes);
    struct tr_rd rd = tr_rd(tr_slice(bytes, n));
    CHECK(tr_slice_eq(tr_rd_take(&rd, 8), tr_slice_str("MJR00002")));
    CHECK(tr_slice_eq(tr_rd_take(&rd, tr_rd_u16(&rd)), tr_slice_str(json)));
    for (uint32_t i = 0; i < 3; i++) {
        char packet[32];
        snprintf(packet, sizeof packet, "packet %u of track 0", i);
        CHECK(tr_slice_eq(tr_rd_take(&rd, 4), tr_slice_str("MEET")));
        CHECK_INT(tr_rd_u32(&rd), i * 20);
        CHECK(tr_slice_eq(tr_rd_take(&rd, tr_rd_u16(&rd)), tr_slice_str(packet)));
    }
    CHECK(!rd.bad && tr_rd_left(&rd) == 0);
    CHECK(access(at("sub/a.mjr.part"), F_OK) != 0);
    end(reader);
}

TEST(all_tracks_into_a_folder)
{
    struct tr_reader *reader = record();
    uint32_t files;
    const char *failed;
    CHECK_INT(tr_mjr_export(reader, dir, &files, &failed), TR_OK);
    CHECK_INT(files, 3);
    CHECK(access(at("Anna-audio-0.mjr"), R_OK) == 0);
    CHECK(access(at("___B_b-video-1.mjr"), R_OK) == 0);
    CHECK(access(at("track-audio-2.mjr"), R_OK) == 0);
    end(reader);
}

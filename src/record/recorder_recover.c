/* What a crash left behind, taken up at the start, before anything else runs. Doing it twice does
 * no harm.
 *   - a call without an end ended at the last record of its journal
 *   - a recording that was open is complete as far as it goes: it is rendered
 *   - one that was in processing goes on
 *   - a journal without a row (the database was lost) gets one
 *   - products that were never finished are removed
 * Only the last segments of a journal are read: they say when it ended. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/log.h"
#include "record/journal.h"
#include "record/reader.h"
#include "record/recorder_int.h"
#include "store/calls.h"

enum { CALLS_MAX = 16384, LOOK_BACK = 3, META_RECORDS_MAX = 256 };

static const char STOPPED[] = "server stopped";

struct found {
    char id[TR_CALL_ID_MAX];
    enum tr_call_rec rec;
    bool ended;
};

struct founds {
    uint32_t count;
    struct found *list;
};

static void note(void *user, const struct tr_call *call)
{
    struct founds *f = user;
    struct found *to = &f->list[f->count++];
    snprintf(to->id, sizeof to->id, "%s", call->id);
    to->rec = call->rec;
    to->ended = call->ended_us != 0;
}

static void journal_path(const struct tr_recorder *rec, const char *id, char *out, size_t size)
{
    snprintf(out, size, "%s/journal/%.40s", rec->dir, id);
}

static bool is_part(const char *name) /* of a segment: it was not completed */
{
    return strstr(name, ".part") != NULL;
}

struct tail { /* of a journal: its last segments, newest first */
    unsigned numbers[LOOK_BACK];
    bool parts[LOOK_BACK];
    int count;
};

static void insert(struct tail *t, unsigned number, bool part)
{
    int at = t->count;
    while (at > 0 && t->numbers[at - 1] < number)
        at--;
    if (at == LOOK_BACK)
        return;
    int last = t->count < LOOK_BACK ? t->count++ : LOOK_BACK - 1;
    for (int i = last; i > at; i--) {
        t->numbers[i] = t->numbers[i - 1];
        t->parts[i] = t->parts[i - 1];
    }
    t->numbers[at] = number;
    t->parts[at] = part;
}

static struct tail find_tail(const char *dir)
{
    struct tail t = { .count = 0 };
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && (e = readdir(d));) {
        uint32_t n;
        if (tr_journal_segment(e->d_name, &n) && n > 0)
            insert(&t, n, is_part(e->d_name));
    }
    if (d)
        closedir(d);
    return t;
}

/* When the last record of a segment was made, on the wall clock; 0: it says nothing. */
static int64_t last_of_segment(const char *path)
{
    struct tr_reader *reader;
    struct tr_segment head;
    struct tr_record record;
    tr_usec last = 0;
    if (tr_reader_open(&reader, &path, 1) != TR_OK)
        return 0;
    while (tr_reader_next(reader, &record))
        last = record.recv_us > last ? record.recv_us : last;
    bool ok = tr_reader_segment(reader, &head) && last >= head.mono0_us &&
              last - head.mono0_us < 24 * 3600 * TR_SECOND;
    tr_reader_close(reader);
    return ok ? head.wall0_us + (last - head.mono0_us) : 0;
}

static int64_t last_record(const char *dir, const struct tail *t)
{
    int64_t at = 0;
    for (int i = 0; i < t->count && at == 0; i++) {
        char path[TR_JOURNAL_PATH_MAX];
        snprintf(path, sizeof path, "%.900s/seg-%06u.cj%s", dir, t->numbers[i],
                 t->parts[i] ? ".part" : "");
        at = last_of_segment(path);
    }
    return at;
}

static void must_store(const struct tr_recorder *rec, enum tr_err err, const char *call)
{
    if (err != TR_OK && err != TR_ERR_NOTFOUND)
        tr_log(TR_LOG_ERROR, "record", "the database refused call=%s error=\"%s\"", call,
               tr_sql_error(rec->db));
}

static void take_up(struct tr_recorder *rec, const struct found *f)
{
    char dir[TR_JOURNAL_PATH_MAX];
    journal_path(rec, f->id, dir, sizeof dir);
    struct tail tail = find_tail(dir);
    int64_t end = f->ended ? 0 : last_record(dir, &tail);
    if (end)
        must_store(rec, tr_calls_ended(rec->db, f->id, end, STOPPED), f->id);
    if (f->rec == TR_CALL_REC_PROCESSING)
        tr_renderer_resume(rec->renderer, f->id);
    else if (f->rec == TR_CALL_REC_RECORDING && tail.count > 0)
        tr_renderer_enqueue(rec->renderer, f->id);
    else if (f->rec == TR_CALL_REC_RECORDING)
        must_store(
            rec, tr_calls_failed(rec->db, f->id, "The server stopped before anything was written"),
            f->id);
}

static enum tr_err take_up_rows(struct tr_recorder *rec)
{
    struct founds f = { .list = tr_alloc(CALLS_MAX * sizeof *f.list) };
    if (!f.list)
        return TR_ERR_NOMEM;
    enum tr_err err = tr_calls_unfinished(rec->db, CALLS_MAX, note, &f);
    /* One transaction, or each of a thousand rows would wait for the disk some times. */
    bool whole = err == TR_OK && f.count > 0 && tr_sql_begin(rec->db) == TR_OK;
    for (uint32_t i = 0; i < f.count && !err; i++)
        take_up(rec, &f.list[i]);
    if (whole)
        err = tr_sql_commit(rec->db);
    if (whole && err)
        tr_sql_rollback(rec->db);
    tr_free(f.list);
    return err;
}

/* --- journals without a row --- */

/* The names of both sides, and the start. */
static bool describe(const char *dir, struct tr_call *row)
{
    struct tr_reader *reader;
    struct tr_segment head;
    struct tr_record record;
    if (tr_reader_open(&reader, &dir, 1) != TR_OK)
        return false;
    bool ok = tr_reader_segment(reader, &head);
    row->started_us = ok ? head.wall0_us : 0;
    for (int i = 0; i < META_RECORDS_MAX && tr_reader_next(reader, &record); i++) {
        struct tr_meta meta;
        if (record.type != TR_JOURNAL_META || tr_meta_decode(&meta, record.payload) != TR_OK)
            continue;
        snprintf(meta.participant ? row->callee : row->caller, sizeof row->caller, "%s",
                 meta.label);
    }
    tr_reader_close(reader);
    return ok;
}

static void adopt(struct tr_recorder *rec, const char *id)
{
    struct tr_call row = { .rec = TR_CALL_REC_RECORDING };
    size_t n = strlen(id);
    if (n >= sizeof row.id || tr_calls_get(rec->db, id, &row) != TR_ERR_NOTFOUND)
        return;
    memcpy(row.id, id, n + 1);
    snprintf(row.plugin, sizeof row.plugin, "recovered");
    journal_path(rec, id, row.journal, sizeof row.journal);
    struct tail tail = find_tail(row.journal);
    if (tail.count == 0 || !describe(row.journal, &row)) {
        tr_log(TR_LOG_WARN, "record", "a journal without a call stays: %s", row.journal);
        return;
    }
    int64_t end = last_record(row.journal, &tail);
    enum tr_err err = tr_calls_add(rec->db, &row);
    if (!err)
        err = tr_calls_answered(rec->db, id, row.started_us);
    if (!err)
        err = tr_calls_ended(rec->db, id, end ? end : row.started_us, STOPPED);
    must_store(rec, err, id);
    if (!err)
        tr_renderer_enqueue(rec->renderer, id);
    tr_log(TR_LOG_INFO, "record", "a journal without a call was taken up call=%s", id);
}

static void adopt_journals(struct tr_recorder *rec)
{
    char path[TR_RECORDER_DIR_MAX + 16];
    snprintf(path, sizeof path, "%s/journal", rec->dir);
    DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (tr_recorder_valid_id(e->d_name))
            adopt(rec, e->d_name);
    }
    if (d)
        closedir(d);
}

enum tr_err tr_recorder_recover(struct tr_recorder *rec, tr_usec now)
{
    char unfinished[TR_RECORDER_DIR_MAX + 16];
    uint32_t count;
    snprintf(unfinished, sizeof unfinished, "%s/tmp-", rec->dir);
    tr_disk_remove_path(unfinished);
    enum tr_err err = tr_renderer_recover(rec->renderer);
    if (!err)
        err = take_up_rows(rec);
    if (!err)
        err = tr_calls_recover(rec->db, rec->unix_us(), &count); /* those without a journal */
    if (!err)
        adopt_journals(rec);
    return err;
}

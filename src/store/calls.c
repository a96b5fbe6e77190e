/* The calls table. Every change is one UPDATE by id whose row count tells whether the call exists.
 * The list is paged by (started_us, id), which stays right while new calls come in. */
#include "store/calls.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static const char *const rec_names[] = { "none", "recording", "processing", "ready", "failed" };

static const char *const steps[] = {
    "CREATE TABLE calls("
    " id TEXT PRIMARY KEY, plugin TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT NULL,"
    " started_us INTEGER NOT NULL, answered_us INTEGER NOT NULL DEFAULT 0,"
    " ended_us INTEGER NOT NULL DEFAULT 0, end_reason TEXT NOT NULL DEFAULT '',"
    " rec INTEGER NOT NULL DEFAULT 0, progress INTEGER NOT NULL DEFAULT 0,"
    " error TEXT NOT NULL DEFAULT '', journal TEXT NOT NULL DEFAULT '',"
    " file TEXT NOT NULL DEFAULT '', bytes INTEGER NOT NULL DEFAULT 0,"
    " duration_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX calls_started ON calls(started_us DESC, id DESC);"
    "CREATE INDEX calls_caller ON calls(caller, started_us);"
    "CREATE INDEX calls_callee ON calls(callee, started_us);"
    "CREATE INDEX calls_open ON calls(ended_us) WHERE ended_us = 0",
    "CREATE INDEX calls_unfinished ON calls(started_us, id) WHERE ended_us = 0 OR rec IN (1, 2)",
};

#define COLUMNS                                                                                    \
    "id, plugin, caller, callee, started_us, answered_us, ended_us, end_reason, rec, progress,"    \
    " error, journal, file, bytes, duration_ms"

const char *tr_call_rec_str(enum tr_call_rec rec)
{
    return (size_t)rec < TR_ARRAY_LEN(rec_names) ? rec_names[rec] : "?";
}

void tr_call_id_make(struct tr_rng *rng, char id[33])
{
    uint8_t bytes[16];
    tr_rng_fill(rng, bytes, sizeof(bytes));
    for (int i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

enum tr_err tr_calls_init(struct tr_sql *db)
{
    return tr_sql_migrate(db, "calls", steps, TR_ARRAY_LEN(steps));
}

enum tr_err tr_calls_add(struct tr_sql *db, const struct tr_call *call)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "INSERT INTO calls(id, plugin, caller, callee, started_us, rec, journal)"
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    tr_sql_bind_text(st, 1, call->id);
    tr_sql_bind_text(st, 2, call->plugin);
    tr_sql_bind_text(st, 3, call->caller);
    tr_sql_bind_text(st, 4, call->callee);
    tr_sql_bind_int(st, 5, call->started_us);
    tr_sql_bind_int(st, 6, call->rec);
    tr_sql_bind_text(st, 7, call->journal);
    return tr_sql_run(st);
}

/* Runs an UPDATE whose ?1 is the id; NOTFOUND when it changed no row. */
static enum tr_err update(struct tr_sql *db, struct tr_sql_stmt *st, const char *id)
{
    tr_sql_bind_text(st, 1, id);
    enum tr_err err = tr_sql_run(st);
    return err ? err : tr_sql_changes(db) ? TR_OK : TR_ERR_NOTFOUND;
}

enum tr_err tr_calls_answered(struct tr_sql *db, const char *id, int64_t at_us)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "UPDATE calls SET answered_us = ?2 WHERE id = ?1");
    tr_sql_bind_int(st, 2, at_us);
    return update(db, st, id);
}

enum tr_err tr_calls_ended(struct tr_sql *db, const char *id, int64_t at_us, const char *reason)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "UPDATE calls SET"
                       " end_reason = CASE ended_us WHEN 0 THEN ?3 ELSE end_reason END,"
                       " ended_us = CASE ended_us WHEN 0 THEN ?2 ELSE ended_us END WHERE id = ?1");
    tr_sql_bind_int(st, 2, at_us);
    tr_sql_bind_text(st, 3, reason);
    return update(db, st, id);
}

enum tr_err tr_calls_recording(struct tr_sql *db, const char *id, const char *journal)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "UPDATE calls SET rec = ?2, journal = ?3, error = '' WHERE id = ?1");
    tr_sql_bind_int(st, 2, TR_CALL_REC_RECORDING);
    tr_sql_bind_text(st, 3, journal);
    return update(db, st, id);
}

enum tr_err tr_calls_processing(struct tr_sql *db, const char *id, int progress)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "UPDATE calls SET rec = ?2, progress = max(0, min(100, ?3)) WHERE id = ?1");
    tr_sql_bind_int(st, 2, TR_CALL_REC_PROCESSING);
    tr_sql_bind_int(st, 3, progress);
    return update(db, st, id);
}

enum tr_err tr_calls_ready(struct tr_sql *db, const char *id, const char *file, int64_t bytes,
                           int64_t duration_ms)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "UPDATE calls SET rec = ?2, progress = 100, error = '', file = ?3,"
                       " bytes = ?4, duration_ms = ?5 WHERE id = ?1");
    tr_sql_bind_int(st, 2, TR_CALL_REC_READY);
    tr_sql_bind_text(st, 3, file);
    tr_sql_bind_int(st, 4, bytes);
    tr_sql_bind_int(st, 5, duration_ms);
    return update(db, st, id);
}

enum tr_err tr_calls_failed(struct tr_sql *db, const char *id, const char *error)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "UPDATE calls SET rec = ?2, error = ?3 WHERE id = ?1");
    tr_sql_bind_int(st, 2, TR_CALL_REC_FAILED);
    tr_sql_bind_text(st, 3, error);
    return update(db, st, id);
}

enum tr_err tr_calls_remove(struct tr_sql *db, const char *id)
{
    return update(db, tr_sql_use(db, "DELETE FROM calls WHERE id = ?1"), id);
}

static void read_row(const struct tr_sql_stmt *st, struct tr_call *c)
{
    int64_t rec = tr_sql_int(st, 8);
    tr_sql_text(st, 0, c->id, sizeof(c->id));
    tr_sql_text(st, 1, c->plugin, sizeof(c->plugin));
    tr_sql_text(st, 2, c->caller, sizeof(c->caller));
    tr_sql_text(st, 3, c->callee, sizeof(c->callee));
    c->started_us = tr_sql_int(st, 4);
    c->answered_us = tr_sql_int(st, 5);
    c->ended_us = tr_sql_int(st, 6);
    tr_sql_text(st, 7, c->end_reason, sizeof(c->end_reason));
    c->rec = rec >= 0 && rec <= TR_CALL_REC_FAILED ? (enum tr_call_rec)rec : TR_CALL_REC_FAILED;
    c->progress = (int)tr_sql_int(st, 9);
    tr_sql_text(st, 10, c->error, sizeof(c->error));
    tr_sql_text(st, 11, c->journal, sizeof(c->journal));
    tr_sql_text(st, 12, c->file, sizeof(c->file));
    c->bytes = tr_sql_int(st, 13);
    c->duration_ms = tr_sql_int(st, 14);
}

static enum tr_err each_row(struct tr_sql_stmt *st,
                            void (*row)(void *user, const struct tr_call *call), void *user)
{
    enum tr_err err;
    struct tr_call call;
    while ((err = tr_sql_step(st)) == TR_OK) {
        read_row(st, &call);
        row(user, &call);
    }
    return err == TR_ERR_NOTFOUND ? TR_OK : err;
}

enum tr_err tr_calls_get(struct tr_sql *db, const char *id, struct tr_call *out)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "SELECT " COLUMNS " FROM calls WHERE id = ?1");
    tr_sql_bind_text(st, 1, id);
    enum tr_err err = tr_sql_step(st);
    if (err == TR_OK)
        read_row(st, out);
    tr_sql_reset(st);
    return err;
}

enum tr_err tr_calls_list(struct tr_sql *db, const struct tr_call_filter *filter,
                          void (*row)(void *user, const struct tr_call *call), void *user)
{
    struct tr_sql_stmt *st = tr_sql_use(
        db, "SELECT " COLUMNS " FROM calls WHERE (?1 IS NULL OR caller = ?1 OR callee = ?1)"
            " AND (?2 = 0 OR rec <> 0)"
            " AND (?3 = 0 OR started_us < ?3 OR (started_us = ?3 AND id < ?4))"
            " ORDER BY started_us DESC, id DESC LIMIT ?5");
    uint32_t limit = filter->limit < 1 ? 1 : filter->limit > 1000 ? 1000 : filter->limit;
    tr_sql_bind_text(st, 1, filter->party);
    tr_sql_bind_int(st, 2, filter->recorded_only);
    tr_sql_bind_int(st, 3, filter->before_us);
    tr_sql_bind_text(st, 4, filter->before_id ? filter->before_id : "");
    tr_sql_bind_int(st, 5, limit);
    return each_row(st, row, user);
}

enum tr_err tr_calls_unfinished(struct tr_sql *db, uint32_t max,
                                void (*row)(void *user, const struct tr_call *call), void *user)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "SELECT " COLUMNS " FROM calls WHERE ended_us = 0 OR rec IN (1, 2)"
                       " ORDER BY started_us, id LIMIT ?1");
    tr_sql_bind_int(st, 1, max);
    return each_row(st, row, user);
}

enum tr_err tr_calls_recover(struct tr_sql *db, int64_t at_us, uint32_t *count)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "UPDATE calls SET ended_us = ?1, end_reason = 'server stopped'"
                       " WHERE ended_us = 0");
    tr_sql_bind_int(st, 1, at_us);
    enum tr_err err = tr_sql_run(st);
    *count = err ? 0 : (uint32_t)tr_sql_changes(db);
    return err;
}

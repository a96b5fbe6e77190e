/* SQLite behind tr_sql.
 *
 * Statements are kept in an array and found by the address of their text: all are literals, so
 * the address is the identity and no hashing is needed; 128 of them is far above what the modules
 * have. An error of a bind is kept in the statement and shown by the next step, so callers bind a
 * row and look at one result.
 *
 * WAL with synchronous=FULL: a state that was answered to a client survives power loss; readers of
 * other processes (tring-render's jobs) do not block the server. */
#include "store/sql.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

struct tr_sql_stmt {
    struct tr_sql *db;
    const char *text;
    sqlite3_stmt *st;
    int bind_error; /* sticky until the next use */
};

struct tr_sql {
    sqlite3 *lite;
    char error[256];
    uint32_t count;
    struct tr_sql_stmt stmts[TR_SQL_STMT_MAX];
};

static enum tr_err map_error(struct tr_sql *db, int rc)
{
    snprintf(db->error, sizeof(db->error), "%s", sqlite3_errmsg(db->lite));
    if (sqlite3_extended_errcode(db->lite) == SQLITE_CONSTRAINT_UNIQUE ||
        sqlite3_extended_errcode(db->lite) == SQLITE_CONSTRAINT_PRIMARYKEY)
        return TR_ERR_EXISTS;
    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
        return TR_ERR_AGAIN;
    return (rc & 0xff) == SQLITE_NOMEM ? TR_ERR_NOMEM : TR_ERR_IO;
}

enum tr_err tr_sql_exec(struct tr_sql *db, const char *text)
{
    int rc = sqlite3_exec(db->lite, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? TR_OK : map_error(db, rc);
}

enum tr_err tr_sql_open(struct tr_sql **out, const char *path)
{
    struct tr_sql *db = tr_alloc(sizeof(*db));
    if (!db)
        return TR_ERR_NOMEM;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    enum tr_err err = TR_ERR_IO;
    if (sqlite3_open_v2(path, &db->lite, flags, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(db->lite, TR_SQL_BUSY_MS);
        err = tr_sql_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                              "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
                              "CREATE TABLE IF NOT EXISTS schema_version("
                              " module TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID");
    }
    if (err) {
        tr_sql_close(db);
        return err;
    }
    *out = db;
    return TR_OK;
}

void tr_sql_close(struct tr_sql *db)
{
    if (!db)
        return;
    for (uint32_t i = 0; i < db->count; i++)
        sqlite3_finalize(db->stmts[i].st);
    sqlite3_close(db->lite);
    tr_free(db);
}

const char *tr_sql_error(const struct tr_sql *db)
{
    return db->error;
}

static enum tr_err module_version(struct tr_sql *db, const char *module, int64_t *version)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "SELECT version FROM schema_version WHERE module = ?1");
    tr_sql_bind_text(st, 1, module);
    enum tr_err err = tr_sql_step(st);
    *version = err ? 0 : tr_sql_int(st, 0);
    tr_sql_reset(st);
    return err == TR_ERR_NOTFOUND ? TR_OK : err;
}

static enum tr_err set_version(struct tr_sql *db, const char *module, int64_t version)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "INSERT INTO schema_version(module, version) VALUES(?1, ?2)"
                       " ON CONFLICT(module) DO UPDATE SET version = ?2");
    tr_sql_bind_text(st, 1, module);
    tr_sql_bind_int(st, 2, version);
    return tr_sql_run(st);
}

enum tr_err tr_sql_migrate(struct tr_sql *db, const char *module, const char *const *steps,
                           uint32_t count)
{
    /* One transaction: two programs that start together do not both apply a step. */
    enum tr_err err = tr_sql_begin(db);
    if (err)
        return err;
    int64_t version;
    err = module_version(db, module, &version);
    if (!err && version > (int64_t)count)
        err = TR_ERR_UNSUPPORTED;
    for (int64_t i = version; i < (int64_t)count && !err; i++)
        err = tr_sql_exec(db, steps[i]);
    if (!err && version < (int64_t)count)
        err = set_version(db, module, count);
    if (!err)
        err = tr_sql_commit(db);
    if (err)
        tr_sql_rollback(db);
    return err;
}

enum tr_err tr_sql_begin(struct tr_sql *db)
{
    return tr_sql_run(tr_sql_use(db, "BEGIN IMMEDIATE"));
}

enum tr_err tr_sql_commit(struct tr_sql *db)
{
    return tr_sql_run(tr_sql_use(db, "COMMIT"));
}

void tr_sql_rollback(struct tr_sql *db)
{
    if (!sqlite3_get_autocommit(db->lite))
        (void)!tr_sql_run(tr_sql_use(db, "ROLLBACK"));
}

struct tr_sql_stmt *tr_sql_use(struct tr_sql *db, const char *text)
{
    for (uint32_t i = 0; i < db->count; i++) {
        if (db->stmts[i].text == text) {
            tr_sql_reset(&db->stmts[i]);
            sqlite3_clear_bindings(db->stmts[i].st);
            db->stmts[i].bind_error = SQLITE_OK;
            return &db->stmts[i];
        }
    }
    if (db->count == TR_SQL_STMT_MAX) {
        snprintf(db->error, sizeof(db->error), "too many statements");
        return NULL;
    }
    struct tr_sql_stmt *st = &db->stmts[db->count];
    *st = (struct tr_sql_stmt){ .db = db, .text = text };
    int rc = sqlite3_prepare_v3(db->lite, text, -1, SQLITE_PREPARE_PERSISTENT, &st->st, NULL);
    if (rc != SQLITE_OK) {
        map_error(db, rc);
        return NULL;
    }
    db->count++;
    return st;
}

static void note(struct tr_sql_stmt *st, int rc)
{
    if (rc != SQLITE_OK && st->bind_error == SQLITE_OK)
        st->bind_error = rc;
}

void tr_sql_bind_int(struct tr_sql_stmt *st, int index, int64_t v)
{
    if (st)
        note(st, sqlite3_bind_int64(st->st, index, v));
}

void tr_sql_bind_text(struct tr_sql_stmt *st, int index, const char *v)
{
    if (st)
        note(st, sqlite3_bind_text(st->st, index, v, -1, SQLITE_TRANSIENT));
}

void tr_sql_bind_blob(struct tr_sql_stmt *st, int index, struct tr_slice v)
{
    if (st)
        note(st, sqlite3_bind_blob64(st->st, index, v.p ? v.p : (const void *)"", v.n,
                                     SQLITE_TRANSIENT));
}

enum tr_err tr_sql_step(struct tr_sql_stmt *st)
{
    if (!st)
        return TR_ERR_IO;
    int rc = st->bind_error ? st->bind_error : sqlite3_step(st->st);
    if (rc == SQLITE_ROW)
        return TR_OK;
    enum tr_err err = rc == SQLITE_DONE ? TR_ERR_NOTFOUND : map_error(st->db, rc);
    sqlite3_reset(st->st); /* releases its locks */
    return err;
}

enum tr_err tr_sql_run(struct tr_sql_stmt *st)
{
    enum tr_err err;
    do
        err = tr_sql_step(st);
    while (err == TR_OK);
    return err == TR_ERR_NOTFOUND ? TR_OK : err;
}

int64_t tr_sql_int(const struct tr_sql_stmt *st, int column)
{
    return sqlite3_column_int64(st->st, column);
}

void tr_sql_text(const struct tr_sql_stmt *st, int column, char *out, size_t size)
{
    TR_ASSERT(size > 0);
    const char *s = (const char *)sqlite3_column_text(st->st, column);
    size_t n = s ? strnlen(s, size - 1) : 0;
    if (n)
        memcpy(out, s, n);
    out[n] = 0;
}

struct tr_slice tr_sql_blob(const struct tr_sql_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st->st, column);
    return tr_slice(p, (size_t)sqlite3_column_bytes(st->st, column));
}

void tr_sql_reset(struct tr_sql_stmt *st)
{
    if (st)
        sqlite3_reset(st->st);
}

int64_t tr_sql_changes(const struct tr_sql *db)
{
    return sqlite3_changes64(db->lite);
}

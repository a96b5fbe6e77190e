/* SQLite, thin: one connection, prepared statements that are kept, typed binds and columns with a
 * sticky error, flat transactions, migrations by a version for each module. One owner, one thread
 * (the control thread); it blocks on the disk, so it is for names and states, never for media.
 * Opened with WAL, synchronous=FULL, foreign keys and a busy timeout. */
#ifndef TR_STORE_SQL_H
#define TR_STORE_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tr_sql;
struct tr_sql_stmt;

enum tr_sql_limits { TR_SQL_STMT_MAX = 128, TR_SQL_BUSY_MS = 5000 };

/* path: a file, or ":memory:". IO: not a database, or no access. */
TR_MUST_USE enum tr_err tr_sql_open(struct tr_sql **out, const char *path);
void tr_sql_close(struct tr_sql *db);              /* NULL is fine; finalizes the statements */
const char *tr_sql_error(const struct tr_sql *db); /* text of the last failure, "" when none */

/* Applies the steps that this file has not seen yet, in one transaction. Each module (calls, jobs)
 * has a version of its own by name. Steps are only ever added at the end.
 * UNSUPPORTED: the file comes from a newer program. */
TR_MUST_USE enum tr_err tr_sql_migrate(struct tr_sql *db, const char *module,
                                       const char *const *steps, uint32_t count);
/* Statements without result, several allowed. */
TR_MUST_USE enum tr_err tr_sql_exec(struct tr_sql *db, const char *text);

/* Transactions: begin takes the write lock at once, so that a claim cannot fail half way.
 * AGAIN: another process held the lock for the whole busy timeout. */
TR_MUST_USE enum tr_err tr_sql_begin(struct tr_sql *db);
TR_MUST_USE enum tr_err tr_sql_commit(struct tr_sql *db);
void tr_sql_rollback(struct tr_sql *db); /* outside a transaction is fine */

/* The statement for this text, prepared once and kept (by the text's address: pass a literal);
 * reset and without binds. NULL: LIMIT or a mistake in the text, see tr_sql_error(). */
struct tr_sql_stmt *tr_sql_use(struct tr_sql *db, const char *text);
/* Binds ?1, ?2 ...; a failure shows at step. NULL statements are fine. Text is copied. */
void tr_sql_bind_int(struct tr_sql_stmt *st, int index, int64_t v);
void tr_sql_bind_text(struct tr_sql_stmt *st, int index, const char *v); /* NULL: SQL NULL */
void tr_sql_bind_blob(struct tr_sql_stmt *st, int index, struct tr_slice v);
/* OK: a row is there; NOTFOUND: no (more) row; EXISTS: a UNIQUE constraint; AGAIN: busy; IO. */
TR_MUST_USE enum tr_err tr_sql_step(struct tr_sql_stmt *st);
/* Steps to the end, ignoring rows, and resets. OK, EXISTS, AGAIN or IO. */
TR_MUST_USE enum tr_err tr_sql_run(struct tr_sql_stmt *st);
/* Columns of the present row, from 0. Copies are cut to the size and ended by NUL. */
int64_t tr_sql_int(const struct tr_sql_stmt *st, int column);
void tr_sql_text(const struct tr_sql_stmt *st, int column, char *out, size_t size);
struct tr_slice tr_sql_blob(const struct tr_sql_stmt *st, int column); /* until the next step */
void tr_sql_reset(struct tr_sql_stmt *st); /* ends a read; call it when not stepping to the end */
int64_t tr_sql_changes(const struct tr_sql *db); /* rows changed by the last run */

#endif

/* The table of reports; see reports.h. Bodies are text: what is in them is the page's affair. Each
 * insert makes room first, in the same transaction, so the limits hold whatever happens between. */
#include "store/reports.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* No 0 and O, 1, I and L, U and V: a code is read out on the telephone. */
static const char alphabet[] = "23456789ABCDEFGHJKMNPQRSTWXYZ";

enum { CODE_CHARS = 8, CODE_TRIES = 4 };

static const char *const steps[] = {
    "CREATE TABLE reports("
    " code TEXT PRIMARY KEY, at_us INTEGER NOT NULL, source TEXT NOT NULL, verdict TEXT NOT NULL,"
    " body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX reports_at ON reports(at_us DESC, code DESC);"
    "CREATE INDEX reports_source ON reports(source, at_us DESC, code DESC)",
};

enum tr_err tr_reports_init(struct tr_sql *db)
{
    return tr_sql_migrate(db, "reports", steps, TR_ARRAY_LEN(steps));
}

bool tr_report_code_read(const char *typed, char code[TR_REPORT_CODE_MAX])
{
    int n = 0;
    for (; *typed; typed++) {
        char c = (char)toupper((unsigned char)*typed);
        if (c == ' ' || c == '-')
            continue;
        if (n == CODE_CHARS || !strchr(alphabet, c))
            return false;
        code[n++] = c;
    }
    code[n] = 0;
    return n == CODE_CHARS;
}

static void make_code(struct tr_rng *rng, char code[TR_REPORT_CODE_MAX])
{
    for (int i = 0; i < CODE_CHARS; i++)
        code[i] = alphabet[tr_rng_below(rng, sizeof(alphabet) - 1)];
    code[CODE_CHARS] = 0;
}

/* So that one more fits. */
static enum tr_err make_room(struct tr_sql *db, const struct tr_report *report)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "DELETE FROM reports WHERE at_us < ?1");
    tr_sql_bind_int(st, 1, report->at_us - TR_REPORT_KEEP_US);
    enum tr_err err = tr_sql_run(st);
    if (err)
        return err;
    st = tr_sql_use(db, "DELETE FROM reports WHERE code IN (SELECT code FROM reports"
                        " WHERE source = ?1 ORDER BY at_us DESC, code DESC LIMIT -1 OFFSET ?2)");
    tr_sql_bind_text(st, 1, report->source);
    tr_sql_bind_int(st, 2, TR_REPORTS_PER_SOURCE_MAX - 1);
    err = tr_sql_run(st);
    if (err)
        return err;
    st = tr_sql_use(db, "DELETE FROM reports WHERE code IN (SELECT code FROM reports"
                        " ORDER BY at_us DESC, code DESC LIMIT -1 OFFSET ?1)");
    tr_sql_bind_int(st, 1, TR_REPORTS_MAX - 1);
    return tr_sql_run(st);
}

static enum tr_err insert(struct tr_sql *db, const struct tr_report *report, const char *body)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "INSERT INTO reports(code, at_us, source, verdict, body)"
                       " VALUES(?1, ?2, ?3, ?4, ?5)");
    tr_sql_bind_text(st, 1, report->code);
    tr_sql_bind_int(st, 2, report->at_us);
    tr_sql_bind_text(st, 3, report->source);
    tr_sql_bind_text(st, 4, report->verdict);
    tr_sql_bind_text(st, 5, body);
    return tr_sql_run(st);
}

enum tr_err tr_reports_put(struct tr_sql *db, struct tr_rng *rng, struct tr_report *report,
                           const char *body)
{
    if (strlen(body) >= TR_REPORT_BODY_MAX)
        return TR_ERR_LIMIT;
    enum tr_err err = tr_sql_begin(db);
    if (err)
        return err;
    err = make_room(db, report);
    for (int i = 0; i < CODE_TRIES && !err; i++) {
        make_code(rng, report->code);
        err = insert(db, report, body);
        if (err != TR_ERR_EXISTS)
            break;
        err = i + 1 < CODE_TRIES ? TR_OK : TR_ERR_EXISTS;
    }
    if (!err)
        err = tr_sql_commit(db);
    if (err)
        tr_sql_rollback(db);
    return err;
}

static void read_row(const struct tr_sql_stmt *st, struct tr_report *report)
{
    tr_sql_text(st, 0, report->code, sizeof(report->code));
    report->at_us = tr_sql_int(st, 1);
    tr_sql_text(st, 2, report->source, sizeof(report->source));
    tr_sql_text(st, 3, report->verdict, sizeof(report->verdict));
}

enum tr_err tr_reports_get(struct tr_sql *db, int64_t now_us, const char *code,
                           struct tr_report *report, char *body)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "SELECT code, at_us, source, verdict, body FROM reports"
                                            " WHERE code = ?1 AND at_us >= ?2");
    tr_sql_bind_text(st, 1, code);
    tr_sql_bind_int(st, 2, now_us - TR_REPORT_KEEP_US);
    enum tr_err err = tr_sql_step(st);
    if (err)
        return err;
    read_row(st, report);
    tr_sql_text(st, 4, body, TR_REPORT_BODY_MAX);
    tr_sql_reset(st);
    return TR_OK;
}

enum tr_err tr_reports_list(struct tr_sql *db, int64_t now_us, uint32_t limit,
                            void (*row)(void *user, const struct tr_report *report), void *user)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "SELECT code, at_us, source, verdict FROM reports"
                                            " WHERE at_us >= ?1 ORDER BY at_us DESC, code DESC"
                                            " LIMIT ?2");
    struct tr_report report;
    tr_sql_bind_int(st, 1, now_us - TR_REPORT_KEEP_US);
    tr_sql_bind_int(st, 2, limit < TR_REPORTS_LIST_MAX ? limit : TR_REPORTS_LIST_MAX);
    enum tr_err err;
    while ((err = tr_sql_step(st)) == TR_OK) {
        read_row(st, &report);
        row(user, &report);
    }
    return err == TR_ERR_NOTFOUND ? TR_OK : err;
}

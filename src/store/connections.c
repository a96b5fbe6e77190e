/* The connections table; paged like calls.c. The list does not read the series, which is most of a
 * row: it lies at the end of it, where SQLite need not look. */
#include "store/connections.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static const char *const steps[] = {
    "CREATE TABLE connections("
    " id TEXT PRIMARY KEY, plugin TEXT NOT NULL, call TEXT NOT NULL, room TEXT NOT NULL,"
    " who TEXT NOT NULL, reason TEXT NOT NULL, started_us INTEGER NOT NULL,"
    " up_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, summary TEXT NOT NULL,"
    " series TEXT NOT NULL);"
    "CREATE INDEX connections_ended ON connections(ended_us DESC, id DESC);"
    "CREATE INDEX connections_call ON connections(call) WHERE call <> ''",
};

#define COLUMNS "id, plugin, call, room, who, reason, started_us, up_us, ended_us, summary"

enum { SUMMARY_COLUMN = 9, SERIES_COLUMN };

enum tr_err tr_connections_init(struct tr_sql *db)
{
    return tr_sql_migrate(db, "connections", steps, TR_ARRAY_LEN(steps));
}

enum tr_err tr_connections_add(struct tr_sql *db, const struct tr_connection *row)
{
    const char *series = row->series ? row->series : "{}";
    if (strlen(row->summary) >= TR_CONNECTION_SUMMARY_MAX ||
        strlen(series) >= TR_CONNECTION_SERIES_MAX)
        return TR_ERR_LIMIT;
    struct tr_sql_stmt *st =
        tr_sql_use(db, "INSERT INTO connections(" COLUMNS ", series)"
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    const char *const texts[] = {
        row->id, row->plugin, row->call, row->room, row->who, row->reason
    };
    for (int i = 0; i < (int)TR_ARRAY_LEN(texts); i++)
        tr_sql_bind_text(st, i + 1, texts[i]);
    tr_sql_bind_int(st, 7, row->started_us);
    tr_sql_bind_int(st, 8, row->up_us);
    tr_sql_bind_int(st, 9, row->ended_us);
    tr_sql_bind_text(st, 10, row->summary);
    tr_sql_bind_text(st, 11, series);
    return tr_sql_run(st);
}

/* summary and series stay where they are: read them first. */
static void read_row(const struct tr_sql_stmt *st, struct tr_connection *c)
{
    tr_sql_text(st, 0, c->id, sizeof(c->id));
    tr_sql_text(st, 1, c->plugin, sizeof(c->plugin));
    tr_sql_text(st, 2, c->call, sizeof(c->call));
    tr_sql_text(st, 3, c->room, sizeof(c->room));
    tr_sql_text(st, 4, c->who, sizeof(c->who));
    tr_sql_text(st, 5, c->reason, sizeof(c->reason));
    c->started_us = tr_sql_int(st, 6);
    c->up_us = tr_sql_int(st, 7);
    c->ended_us = tr_sql_int(st, 8);
}

enum tr_err tr_connections_list(struct tr_sql *db, const struct tr_connection_filter *filter,
                                void (*row)(void *user, const struct tr_connection *c), void *user)
{
    struct tr_sql_stmt *st = tr_sql_use(
        db, "SELECT " COLUMNS " FROM connections WHERE"
            " (?1 IS NULL OR instr(lower(who || ' ' || room || ' ' || call || ' ' || reason || ' '"
            " || plugin), lower(?1)) > 0)"
            " AND (?2 IS NULL OR call = ?2)"
            " AND (?3 = 0 OR ended_us < ?3 OR (ended_us = ?3 AND id < ?4))"
            " ORDER BY ended_us DESC, id DESC LIMIT ?5");
    uint32_t limit = filter->limit < 1 ? 1 : filter->limit;
    limit = limit > TR_CONNECTIONS_LIST_MAX ? TR_CONNECTIONS_LIST_MAX : limit;
    char *summary = tr_alloc(TR_CONNECTION_SUMMARY_MAX);
    if (!summary)
        return TR_ERR_NOMEM;
    tr_sql_bind_text(st, 1, filter->text);
    tr_sql_bind_text(st, 2, filter->call);
    tr_sql_bind_int(st, 3, filter->before_us);
    tr_sql_bind_text(st, 4, filter->before_id ? filter->before_id : "");
    tr_sql_bind_int(st, 5, limit);
    enum tr_err err;
    while ((err = tr_sql_step(st)) == TR_OK) {
        struct tr_connection c = { .summary = summary };
        read_row(st, &c);
        tr_sql_text(st, SUMMARY_COLUMN, summary, TR_CONNECTION_SUMMARY_MAX);
        row(user, &c);
    }
    tr_free(summary);
    return err == TR_ERR_NOTFOUND ? TR_OK : err;
}

enum tr_err tr_connections_get(struct tr_sql *db, const char *id,
                               void (*row)(void *user, const struct tr_connection *c), void *user)
{
    char *text = tr_alloc(TR_CONNECTION_SUMMARY_MAX + TR_CONNECTION_SERIES_MAX);
    if (!text)
        return TR_ERR_NOMEM;
    struct tr_sql_stmt *st =
        tr_sql_use(db, "SELECT " COLUMNS ", series FROM connections WHERE id = ?1");
    tr_sql_bind_text(st, 1, id);
    enum tr_err err = tr_sql_step(st);
    if (err == TR_OK) {
        struct tr_connection c = { .summary = text, .series = text + TR_CONNECTION_SUMMARY_MAX };
        read_row(st, &c);
        tr_sql_text(st, SUMMARY_COLUMN, text, TR_CONNECTION_SUMMARY_MAX);
        tr_sql_text(st, SERIES_COLUMN, text + TR_CONNECTION_SUMMARY_MAX, TR_CONNECTION_SERIES_MAX);
        row(user, &c);
    }
    tr_sql_reset(st);
    tr_free(text);
    return err;
}

enum tr_err tr_connections_prune(struct tr_sql *db, int64_t before_us, uint32_t keep)
{
    struct tr_sql_stmt *st = tr_sql_use(
        db, "DELETE FROM connections WHERE ended_us < ?1 OR id IN"
            " (SELECT id FROM connections ORDER BY ended_us DESC, id DESC LIMIT -1 OFFSET ?2)");
    tr_sql_bind_int(st, 1, before_us);
    tr_sql_bind_int(st, 2, keep);
    return tr_sql_run(st);
}

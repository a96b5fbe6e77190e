/* The table of rooms; see rooms.h. Columns by meaning would tie it to the settings of each plugin
 * and ask for a migration with every new one; the text needs none, and nobody searches in it. */
#include "store/rooms.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static const char *const steps[] = {
    "CREATE TABLE rooms(plugin TEXT NOT NULL, id TEXT NOT NULL, conf TEXT NOT NULL,"
    " PRIMARY KEY(plugin, id)) WITHOUT ROWID",
};

enum tr_err tr_rooms_init(struct tr_sql *db)
{
    return tr_sql_migrate(db, "rooms", steps, TR_ARRAY_LEN(steps));
}

enum tr_err tr_rooms_put(struct tr_sql *db, const char *plugin, const char *id, const char *conf)
{
    if (strlen(id) >= TR_ROOM_ID_MAX || strlen(conf) >= TR_ROOM_CONF_MAX)
        return TR_ERR_LIMIT;
    struct tr_sql_stmt *st = tr_sql_use(db, "INSERT INTO rooms(plugin, id, conf) VALUES(?1, ?2, ?3)"
                                            " ON CONFLICT(plugin, id) DO UPDATE SET conf = ?3");
    tr_sql_bind_text(st, 1, plugin);
    tr_sql_bind_text(st, 2, id);
    tr_sql_bind_text(st, 3, conf);
    return tr_sql_run(st);
}

enum tr_err tr_rooms_remove(struct tr_sql *db, const char *plugin, const char *id)
{
    struct tr_sql_stmt *st = tr_sql_use(db, "DELETE FROM rooms WHERE plugin = ?1 AND id = ?2");
    tr_sql_bind_text(st, 1, plugin);
    tr_sql_bind_text(st, 2, id);
    enum tr_err err = tr_sql_run(st);
    return err ? err : tr_sql_changes(db) ? TR_OK : TR_ERR_NOTFOUND;
}

enum tr_err tr_rooms_each(struct tr_sql *db, const char *plugin,
                          void (*row)(void *user, const char *id, const char *conf), void *user)
{
    struct tr_sql_stmt *st =
        tr_sql_use(db, "SELECT id, conf FROM rooms WHERE plugin = ?1 ORDER BY id");
    char id[TR_ROOM_ID_MAX];
    char *conf = tr_alloc(TR_ROOM_CONF_MAX);
    if (!conf)
        return TR_ERR_NOMEM;
    tr_sql_bind_text(st, 1, plugin);
    enum tr_err err;
    while ((err = tr_sql_step(st)) == TR_OK) {
        tr_sql_text(st, 0, id, sizeof(id));
        tr_sql_text(st, 1, conf, TR_ROOM_CONF_MAX);
        row(user, id, conf);
    }
    tr_free(conf);
    return err == TR_ERR_NOTFOUND ? TR_OK : err;
}

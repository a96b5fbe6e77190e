/* The table of rooms that outlive the server, of all plugins that have rooms. What a room is made
 * of is the plugin's affair: the body of its "create" request, as text.
 * One owner, one thread: that of the tr_sql handed in. */
#ifndef TR_STORE_ROOMS_H
#define TR_STORE_ROOMS_H

#include "base/err.h"
#include "store/sql.h"

enum tr_room_limits {
    TR_ROOM_ID_MAX = 128,
    TR_ROOM_CONF_MAX = 64 * 1024 /* bytes; a longer one is refused */
};

/* Makes or updates the table. */
TR_MUST_USE enum tr_err tr_rooms_init(struct tr_sql *db);
/* A new room, or other settings for the one that is there. LIMIT: id or conf is too long. */
TR_MUST_USE enum tr_err tr_rooms_put(struct tr_sql *db, const char *plugin, const char *id,
                                     const char *conf);
/* NOTFOUND: there is no such room. */
TR_MUST_USE enum tr_err tr_rooms_remove(struct tr_sql *db, const char *plugin, const char *id);
/* All rooms of a plugin, by id. The texts are valid during the callback, which must not use db. */
TR_MUST_USE enum tr_err tr_rooms_each(struct tr_sql *db, const char *plugin,
                                      void (*row)(void *user, const char *id, const char *conf),
                                      void *user);

#endif

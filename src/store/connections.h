/* The table of PeerConnections that are over: who, when, why it ended, and how good it was. What
 * was measured is the affair of whoever writes it: JSON text, which is only kept here.
 * One owner, one thread: that of the tr_sql handed in. Times are Unix microseconds, 0: never. */
#ifndef TR_STORE_CONNECTIONS_H
#define TR_STORE_CONNECTIONS_H

#include <stdint.h>

#include "base/err.h"
#include "store/calls.h"
#include "store/sql.h"

enum tr_connection_limits {
    TR_CONNECTION_ID_MAX = 33,
    TR_CONNECTION_TEXT_MAX = 128,
    TR_CONNECTION_SUMMARY_MAX = 8 * 1024, /* bytes with the NUL; a longer one is refused */
    TR_CONNECTION_SERIES_MAX = 64 * 1024, /* likewise */
    TR_CONNECTIONS_LIST_MAX = 500         /* rows of one tr_connections_list */
};

struct tr_connection {
    char id[TR_CONNECTION_ID_MAX]; /* tr_call_id_make */
    char plugin[64];
    char call[TR_CALL_ID_MAX];         /* of the table of calls; "": no call of the support desk */
    char room[TR_CONNECTION_TEXT_MAX]; /* "": none */
    char who[TR_CONNECTION_TEXT_MAX];  /* "": not known */
    char reason[TR_CONNECTION_TEXT_MAX];
    int64_t started_us, up_us, ended_us;
    const char *summary; /* JSON object */
    const char *series;  /* JSON object; NULL in lists */
};

/* Makes or updates the table. */
TR_MUST_USE enum tr_err tr_connections_init(struct tr_sql *db);
/* EXISTS: the id is taken. LIMIT: summary or series is too long. */
TR_MUST_USE enum tr_err tr_connections_add(struct tr_sql *db, const struct tr_connection *row);

struct tr_connection_filter {
    const char *text;  /* in who, room, call, reason or plugin, in any case; NULL: all */
    const char *call;  /* NULL: all */
    int64_t before_us; /* ended before; 0: no bound. For the next page pass the last row's ... */
    const char *before_id; /* ... ended_us and id */
    uint32_t limit;        /* 1 .. TR_CONNECTIONS_LIST_MAX */
};

/* The last to end first. The row is valid during the callback, which must not use db. */
TR_MUST_USE enum tr_err tr_connections_list(struct tr_sql *db,
                                            const struct tr_connection_filter *filter,
                                            void (*row)(void *user, const struct tr_connection *c),
                                            void *user);
/* One, with its series. NOTFOUND. */
TR_MUST_USE enum tr_err tr_connections_get(struct tr_sql *db, const char *id,
                                           void (*row)(void *user, const struct tr_connection *c),
                                           void *user);
/* Removes what ended before, and the oldest beyond `keep` rows. */
TR_MUST_USE enum tr_err tr_connections_prune(struct tr_sql *db, int64_t before_us, uint32_t keep);

#endif

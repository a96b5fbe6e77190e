/* The table of calls: who with whom, when, how it ended, and what became of the recording.
 * One owner, one thread: that of the tr_sql handed in. Times are Unix microseconds, 0: not yet. */
#ifndef TR_STORE_CALLS_H
#define TR_STORE_CALLS_H

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "store/sql.h"

enum tr_call_limits { TR_CALL_ID_MAX = 40, TR_CALL_NAME_MAX = 128, TR_CALL_PATH_MAX = 1024 };

enum tr_call_rec { /* the recording's state */
                   TR_CALL_REC_NONE,
                   TR_CALL_REC_RECORDING,
                   TR_CALL_REC_PROCESSING,
                   TR_CALL_REC_READY,
                   TR_CALL_REC_FAILED
};

struct tr_call {
    char id[TR_CALL_ID_MAX]; /* random, from the caller */
    char plugin[32];
    char caller[TR_CALL_NAME_MAX];
    char callee[TR_CALL_NAME_MAX];
    int64_t started_us, answered_us, ended_us;
    char end_reason[64];
    enum tr_call_rec rec;
    int progress; /* 0 .. 100 while PROCESSING */
    char error[256];
    char journal[TR_CALL_PATH_MAX]; /* the journal's directory */
    char file[TR_CALL_PATH_MAX];    /* the product */
    int64_t bytes, duration_ms;     /* of the product */
};

/* A new id: 32 hexadecimal digits and a NUL. It names files as well, and nobody can guess it. */
void tr_call_id_make(struct tr_rng *rng, char id[33]);
/* Makes or updates the table. */
TR_MUST_USE enum tr_err tr_calls_init(struct tr_sql *db);
/* id, plugin, caller, callee, started_us, rec and journal are stored. EXISTS: the id is taken. */
TR_MUST_USE enum tr_err tr_calls_add(struct tr_sql *db, const struct tr_call *call);
/* All below: NOTFOUND when there is no such call. */
TR_MUST_USE enum tr_err tr_calls_answered(struct tr_sql *db, const char *id, int64_t at_us);
/* The first end counts; a second is OK and changes nothing. */
TR_MUST_USE enum tr_err tr_calls_ended(struct tr_sql *db, const char *id, int64_t at_us,
                                       const char *reason);
TR_MUST_USE enum tr_err tr_calls_recording(struct tr_sql *db, const char *id, const char *journal);
TR_MUST_USE enum tr_err tr_calls_processing(struct tr_sql *db, const char *id, int progress);
TR_MUST_USE enum tr_err tr_calls_ready(struct tr_sql *db, const char *id, const char *file,
                                       int64_t bytes, int64_t duration_ms);
TR_MUST_USE enum tr_err tr_calls_failed(struct tr_sql *db, const char *id, const char *error);
TR_MUST_USE enum tr_err tr_calls_remove(struct tr_sql *db, const char *id);
TR_MUST_USE enum tr_err tr_calls_get(struct tr_sql *db, const char *id, struct tr_call *out);

struct tr_call_filter {
    const char *party;  /* caller or callee, NULL: all */
    bool recorded_only; /* rec is not NONE */
    int64_t before_us;  /* started before; 0: no bound. For the next page pass the last row's ... */
    const char *before_id; /* ... started_us and id; NULL on the first page */
    uint32_t limit;        /* rows at most, 1 .. 1000 */
};

/* Newest first. The row is valid during the callback, which must not use db. */
TR_MUST_USE enum tr_err tr_calls_list(struct tr_sql *db, const struct tr_call_filter *filter,
                                      void (*row)(void *user, const struct tr_call *call),
                                      void *user);
/* Calls without an end, and those whose recording is RECORDING or PROCESSING, oldest first, at most
 * max of them: what a start after a crash looks at. The callback must not use db. */
TR_MUST_USE enum tr_err tr_calls_unfinished(struct tr_sql *db, uint32_t max,
                                            void (*row)(void *user, const struct tr_call *call),
                                            void *user);
/* After a crash: calls without an end get ended_us = at_us and reason "server stopped". Returns in
 * *count how many. Their recordings stay RECORDING: the caller enqueues them. */
TR_MUST_USE enum tr_err tr_calls_recover(struct tr_sql *db, int64_t at_us, uint32_t *count);

const char *tr_call_rec_str(enum tr_call_rec rec); /* "none", "recording", ... never NULL */

#endif

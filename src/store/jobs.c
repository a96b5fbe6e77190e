/* The job queue. A claim is one UPDATE ... RETURNING: SQLite takes the write lock for it, so two
 * claimers cannot get the same job. Each claim raises the token; beat, complete, fail and release
 * name (id, token) in their WHERE, and zero changed rows is the fence.
 *
 * A worker that is killed says nothing; its job comes back when the lease has run out. Such a crash
 * counts as an attempt, so a job that kills every worker (poison) ends as DEAD. */
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum {
    LEASE_US = 60000000,
    BACKOFF_US = 10000000,
    BACKOFF_MAX_US = 1800000000,
    MAX_ATTEMPTS = 8,
    JITTER_PCT = 20
};

static const char *const state_names[] = { "ready", "run", "done", "dead", "cancelled" };

static const char *const steps[] = {
    "CREATE TABLE jobs("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, priority INTEGER NOT NULL DEFAULT 0,"
    " run_at INTEGER NOT NULL, lease_until INTEGER NOT NULL DEFAULT 0,"
    " owner TEXT NOT NULL DEFAULT '', token INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0, progress INTEGER NOT NULL DEFAULT 0,"
    " payload TEXT NOT NULL, error TEXT NOT NULL DEFAULT '',"
    " created INTEGER NOT NULL, updated INTEGER NOT NULL);"
    "CREATE INDEX jobs_pick ON jobs(kind, state, priority DESC, run_at)",
    /* Jobs that are over stay for ever: a claim must not walk past them. */
    "DROP INDEX jobs_pick;"
    "CREATE INDEX jobs_open ON jobs(kind, priority DESC, run_at, id) WHERE state IN (0, 1)",
};

#define COLUMNS                                                                                    \
    "id, token, state, key, kind, owner, priority, attempts, progress, run_at, lease_until,"       \
    " created, updated, error, payload"

const char *tr_job_state_str(enum tr_job_state state)
{
    return (size_t)state < TR_ARRAY_LEN(state_names) ? state_names[state] : "?";
}

enum tr_err tr_jobs_init(struct tr_jobs *jobs, struct tr_sql *db, const struct tr_jobs_conf *conf)
{
    jobs->db = db;
    jobs->conf = conf ? *conf : (struct tr_jobs_conf){ 0 };
    struct tr_jobs_conf *c = &jobs->conf;
    c->lease_us = c->lease_us ? c->lease_us : LEASE_US;
    c->backoff_us = c->backoff_us ? c->backoff_us : BACKOFF_US;
    c->backoff_max_us = c->backoff_max_us ? c->backoff_max_us : BACKOFF_MAX_US;
    c->max_attempts = c->max_attempts ? c->max_attempts : MAX_ATTEMPTS;
    return tr_sql_migrate(db, "jobs", steps, TR_ARRAY_LEN(steps));
}

static void read_row(const struct tr_sql_stmt *st, struct tr_job *j)
{
    int64_t state = tr_sql_int(st, 2);
    j->id = tr_sql_int(st, 0);
    j->token = tr_sql_int(st, 1);
    j->state = state >= 0 && state <= TR_JOB_CANCELLED ? (enum tr_job_state)state : TR_JOB_DEAD;
    tr_sql_text(st, 3, j->key, sizeof(j->key));
    tr_sql_text(st, 4, j->kind, sizeof(j->kind));
    tr_sql_text(st, 5, j->owner, sizeof(j->owner));
    j->priority = (int)tr_sql_int(st, 6);
    j->attempts = (int)tr_sql_int(st, 7);
    j->progress = (int)tr_sql_int(st, 8);
    j->run_at_us = tr_sql_int(st, 9);
    j->lease_until_us = tr_sql_int(st, 10);
    j->created_us = tr_sql_int(st, 11);
    j->updated_us = tr_sql_int(st, 12);
    tr_sql_text(st, 13, j->error, sizeof(j->error));
    tr_sql_text(st, 14, j->payload, sizeof(j->payload));
}

/* One row or NOTFOUND, and the end of the statement. */
static enum tr_err read_one(struct tr_sql_stmt *st, struct tr_job *out)
{
    enum tr_err err = tr_sql_step(st);
    if (err)
        return err;
    read_row(st, out);
    return tr_sql_run(st); /* to the end: an UPDATE ... RETURNING commits there */
}

enum tr_err tr_jobs_find(struct tr_jobs *jobs, const char *key, struct tr_job *out)
{
    struct tr_sql_stmt *st = tr_sql_use(jobs->db, "SELECT " COLUMNS " FROM jobs WHERE key = ?1");
    tr_sql_bind_text(st, 1, key);
    return read_one(st, out);
}

enum tr_err tr_jobs_get(struct tr_jobs *jobs, int64_t id, struct tr_job *out)
{
    struct tr_sql_stmt *st = tr_sql_use(jobs->db, "SELECT " COLUMNS " FROM jobs WHERE id = ?1");
    tr_sql_bind_int(st, 1, id);
    return read_one(st, out);
}

enum tr_err tr_jobs_enqueue(struct tr_jobs *jobs, int64_t now, const char *key, const char *kind,
                            int priority, const char *payload, int64_t *id)
{
    if (strlen(key) >= TR_JOB_KEY_MAX || strlen(kind) >= TR_JOB_KIND_MAX ||
        strlen(payload) >= TR_JOB_PAYLOAD_MAX)
        return TR_ERR_INVAL;
    struct tr_sql_stmt *st = tr_sql_use(
        jobs->db, "INSERT INTO jobs(key, kind, priority, payload, run_at, created, updated)"
                  " VALUES(?1, ?2, ?3, ?4, ?5, ?5, ?5) RETURNING id");
    tr_sql_bind_text(st, 1, key);
    tr_sql_bind_text(st, 2, kind);
    tr_sql_bind_int(st, 3, priority);
    tr_sql_bind_text(st, 4, payload);
    tr_sql_bind_int(st, 5, now);
    enum tr_err err = tr_sql_step(st);
    if (err == TR_OK) {
        *id = tr_sql_int(st, 0);
        return tr_sql_run(st);
    }
    if (err != TR_ERR_EXISTS)
        return err;
    st = tr_sql_use(jobs->db, "SELECT id FROM jobs WHERE key = ?1");
    tr_sql_bind_text(st, 1, key);
    err = tr_sql_step(st);
    *id = err ? 0 : tr_sql_int(st, 0);
    tr_sql_reset(st);
    return err ? err : TR_ERR_EXISTS;
}

/* Leases that ran out on the last attempt: nobody is left to fail them. */
static enum tr_err bury(struct tr_jobs *jobs, int64_t now, const char *kind)
{
    struct tr_sql_stmt *st = tr_sql_use(
        jobs->db, "UPDATE jobs SET state = 3, updated = ?1, error = 'the worker stopped'"
                  " WHERE kind = ?2 AND state IN (0, 1) AND state = 1 AND lease_until <= ?1"
                  " AND attempts >= ?3");
    tr_sql_bind_int(st, 1, now);
    tr_sql_bind_text(st, 2, kind);
    tr_sql_bind_int(st, 3, jobs->conf.max_attempts);
    return tr_sql_run(st);
}

enum tr_err tr_jobs_claim(struct tr_jobs *jobs, int64_t now, const char *kind, const char *owner,
                          struct tr_job *out)
{
    enum tr_err err = bury(jobs, now, kind);
    if (err)
        return err;
    struct tr_sql_stmt *st = tr_sql_use(
        jobs->db,
        "UPDATE jobs SET state = 1, owner = ?3, token = token + 1, attempts = attempts + 1,"
        " progress = 0, lease_until = ?4, updated = ?1 WHERE id = (SELECT id FROM jobs"
        " WHERE kind = ?2 AND state IN (0, 1)" /* as the index has it */
        " AND ((state = 0 AND run_at <= ?1) OR (state = 1 AND lease_until <= ?1))"
        " ORDER BY priority DESC, run_at, id LIMIT 1) RETURNING " COLUMNS);
    tr_sql_bind_int(st, 1, now);
    tr_sql_bind_text(st, 2, kind);
    tr_sql_bind_text(st, 3, owner);
    tr_sql_bind_int(st, 4, now + jobs->conf.lease_us);
    return read_one(st, out);
}

/* Runs a fenced UPDATE: ?1 now, ?2 id, ?3 token. */
static enum tr_err fenced(struct tr_jobs *jobs, struct tr_sql_stmt *st, int64_t now, int64_t id,
                          int64_t token)
{
    tr_sql_bind_int(st, 1, now);
    tr_sql_bind_int(st, 2, id);
    tr_sql_bind_int(st, 3, token);
    enum tr_err err = tr_sql_run(st);
    return err ? err : tr_sql_changes(jobs->db) ? TR_OK : TR_ERR_AUTH;
}

#define FENCE " WHERE id = ?2 AND token = ?3 AND state = 1"

enum tr_err tr_jobs_beat(struct tr_jobs *jobs, int64_t now, int64_t id, int64_t token, int progress)
{
    struct tr_sql_stmt *st = tr_sql_use(jobs->db, "UPDATE jobs SET lease_until = ?4, updated = ?1,"
                                                  " progress = max(0, min(100, ?5))" FENCE);
    tr_sql_bind_int(st, 4, now + jobs->conf.lease_us);
    tr_sql_bind_int(st, 5, progress);
    return fenced(jobs, st, now, id, token);
}

enum tr_err tr_jobs_complete(struct tr_jobs *jobs, int64_t now, int64_t id, int64_t token)
{
    struct tr_sql_stmt *st = tr_sql_use(
        jobs->db, "UPDATE jobs SET state = 2, progress = 100, error = '', updated = ?1" FENCE);
    return fenced(jobs, st, now, id, token);
}

enum tr_err tr_jobs_release(struct tr_jobs *jobs, int64_t now, int64_t id, int64_t token)
{
    struct tr_sql_stmt *st =
        tr_sql_use(jobs->db, "UPDATE jobs SET state = 0, attempts = attempts - 1, run_at = ?1,"
                             " progress = 0, updated = ?1" FENCE);
    return fenced(jobs, st, now, id, token);
}

static int64_t backoff(const struct tr_jobs_conf *conf, int attempts, struct tr_rng *rng)
{
    int64_t wait = conf->backoff_us;
    for (int i = 1; i < attempts && wait < conf->backoff_max_us; i++)
        wait *= 2;
    wait = wait < conf->backoff_max_us ? wait : conf->backoff_max_us;
    int64_t span = wait * JITTER_PCT / 100;
    return wait - span + (int64_t)tr_rng_below(rng, (uint64_t)(2 * span + 1));
}

enum tr_err tr_jobs_fail(struct tr_jobs *jobs, int64_t now, int64_t id, int64_t token,
                         const char *error, struct tr_rng *rng)
{
    struct tr_job job;
    enum tr_err err = tr_jobs_get(jobs, id, &job);
    if (err)
        return err == TR_ERR_NOTFOUND ? TR_ERR_AUTH : err;
    char cut[TR_JOB_ERROR_MAX];
    snprintf(cut, sizeof(cut), "%s", error);
    bool dead = job.attempts >= jobs->conf.max_attempts;
    struct tr_sql_stmt *st =
        tr_sql_use(jobs->db, "UPDATE jobs SET state = ?4, run_at = ?5, error = ?6, progress = 0,"
                             " updated = ?1" FENCE);
    tr_sql_bind_int(st, 4, dead ? TR_JOB_DEAD : TR_JOB_READY);
    tr_sql_bind_int(st, 5, now + backoff(&jobs->conf, job.attempts, rng));
    tr_sql_bind_text(st, 6, cut);
    return fenced(jobs, st, now, id, token);
}

enum tr_err tr_jobs_expire(struct tr_jobs *jobs, int64_t now, const char *kind, const char *owner)
{
    struct tr_sql_stmt *st =
        tr_sql_use(jobs->db, "UPDATE jobs SET lease_until = ?1, updated = ?1"
                             " WHERE kind = ?2 AND state IN (0, 1) AND state = 1"
                             " AND owner <> ?3 AND lease_until > ?1");
    tr_sql_bind_int(st, 1, now);
    tr_sql_bind_text(st, 2, kind);
    tr_sql_bind_text(st, 3, owner);
    return tr_sql_run(st);
}

/* An UPDATE by an operator: NOTFOUND and PROTO are told apart afterwards. */
static enum tr_err by_hand(struct tr_jobs *jobs, struct tr_sql_stmt *st, int64_t now, int64_t id)
{
    tr_sql_bind_int(st, 1, now);
    tr_sql_bind_int(st, 2, id);
    enum tr_err err = tr_sql_run(st);
    if (err || tr_sql_changes(jobs->db))
        return err;
    struct tr_job job;
    err = tr_jobs_get(jobs, id, &job);
    return err ? err : TR_ERR_PROTO;
}

enum tr_err tr_jobs_requeue(struct tr_jobs *jobs, int64_t now, int64_t id)
{
    return by_hand(jobs,
                   tr_sql_use(jobs->db, "UPDATE jobs SET state = 0, attempts = 0, run_at = ?1,"
                                        " updated = ?1, error = '', progress = 0"
                                        " WHERE id = ?2 AND state IN (2, 3, 4)"),
                   now, id);
}

enum tr_err tr_jobs_cancel(struct tr_jobs *jobs, int64_t now, int64_t id)
{
    return by_hand(jobs,
                   tr_sql_use(jobs->db, "UPDATE jobs SET state = 4, updated = ?1"
                                        " WHERE id = ?2 AND state IN (0, 1)"),
                   now, id);
}

enum tr_err tr_jobs_next_at(struct tr_jobs *jobs, const char *kind, int64_t *at_us)
{
    struct tr_sql_stmt *st =
        tr_sql_use(jobs->db, "SELECT min(CASE state WHEN 0 THEN run_at ELSE lease_until END)"
                             " FROM jobs WHERE kind = ?1 AND state IN (0, 1)"
                             " HAVING count(*) > 0");
    tr_sql_bind_text(st, 1, kind);
    enum tr_err err = tr_sql_step(st);
    *at_us = err ? INT64_MAX : tr_sql_int(st, 0);
    tr_sql_reset(st);
    return err == TR_ERR_NOTFOUND ? TR_OK : err;
}

enum tr_err tr_jobs_count(struct tr_jobs *jobs, enum tr_job_state state, uint32_t *count)
{
    struct tr_sql_stmt *st = tr_sql_use(jobs->db, "SELECT count(*) FROM jobs WHERE state = ?1");
    tr_sql_bind_int(st, 1, state);
    enum tr_err err = tr_sql_step(st);
    *count = err ? 0 : (uint32_t)tr_sql_int(st, 0);
    tr_sql_reset(st);
    return err;
}

/* Job queue in SQL: at least once, with leases and fencing. A worker claims a job for a lease,
 * beats while it works, then completes or fails it; each claim has a higher token, and only the
 * latest token may beat, complete or fail, so a worker that slept through its lease cannot
 * overwrite another's result. A lease that runs out makes the job claimable again. Several
 * processes may share the file.
 * Times are Unix microseconds and arguments; randomness (jitter) comes in. */
#ifndef TR_STORE_JOBS_H
#define TR_STORE_JOBS_H

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "store/sql.h"

enum tr_job_limits {
    TR_JOB_KEY_MAX = 160,
    TR_JOB_KIND_MAX = 32,
    TR_JOB_OWNER_MAX = 64,
    TR_JOB_PAYLOAD_MAX = 4096,
    TR_JOB_ERROR_MAX = 512
};

enum tr_job_state { TR_JOB_READY, TR_JOB_RUN, TR_JOB_DONE, TR_JOB_DEAD, TR_JOB_CANCELLED };

struct tr_jobs_conf {       /* zero means the default */
    int64_t lease_us;       /* 60 s */
    int64_t backoff_us;     /* 10 s: the n-th retry waits backoff * 2^n, +- 20 % ... */
    int64_t backoff_max_us; /* ... but at most 30 min */
    int max_attempts;       /* 8, then DEAD until requeued */
};

struct tr_job {
    int64_t id;
    int64_t token; /* of the claim; 0 before the first */
    enum tr_job_state state;
    char key[TR_JOB_KEY_MAX]; /* idempotency key, e.g. "render/<call>/1" */
    char kind[TR_JOB_KIND_MAX];
    char owner[TR_JOB_OWNER_MAX];
    int priority;
    int attempts; /* claims so far */
    int progress; /* 0 .. 100, of the running attempt */
    int64_t run_at_us, lease_until_us, created_us, updated_us;
    char error[TR_JOB_ERROR_MAX];
    char payload[TR_JOB_PAYLOAD_MAX]; /* JSON or whatever the kind defines; text */
};

struct tr_jobs { /* caller's memory; borrows db */
    struct tr_sql *db;
    struct tr_jobs_conf conf;
};

TR_MUST_USE enum tr_err tr_jobs_init(struct tr_jobs *jobs, struct tr_sql *db,
                                     const struct tr_jobs_conf *conf);
/* EXISTS: a job with this key is known in any state; *id is that one's. INVAL: text too long. */
TR_MUST_USE enum tr_err tr_jobs_enqueue(struct tr_jobs *jobs, int64_t now, const char *key,
                                        const char *kind, int priority, const char *payload,
                                        int64_t *id);
/* The best claimable job of the kind: highest priority, then longest waiting. NOTFOUND: none.
 * A job whose last lease ran out with no attempt left becomes DEAD on the way. */
TR_MUST_USE enum tr_err tr_jobs_claim(struct tr_jobs *jobs, int64_t now, const char *kind,
                                      const char *owner, struct tr_job *out);
/* The four below: AUTH when the token is not the latest or the job does not run (any more). */
TR_MUST_USE enum tr_err tr_jobs_beat(struct tr_jobs *jobs, int64_t now, int64_t id, int64_t token,
                                     int progress);
TR_MUST_USE enum tr_err tr_jobs_complete(struct tr_jobs *jobs, int64_t now, int64_t id,
                                         int64_t token);
/* READY again after the backoff, or DEAD when attempts are used up. */
TR_MUST_USE enum tr_err tr_jobs_fail(struct tr_jobs *jobs, int64_t now, int64_t id, int64_t token,
                                     const char *error, struct tr_rng *rng);
/* Gives it back without a penalty (the worker shuts down). */
TR_MUST_USE enum tr_err tr_jobs_release(struct tr_jobs *jobs, int64_t now, int64_t id,
                                        int64_t token);
/* After a restart on a single node: leases of other owners run out now, so that what a killed
 * server left running can be claimed at once. Their tokens are fenced by the next claim. */
TR_MUST_USE enum tr_err tr_jobs_expire(struct tr_jobs *jobs, int64_t now, const char *kind,
                                       const char *owner);
/* By hand: DEAD, CANCELLED or DONE -> READY with attempts 0. PROTO: it is READY or runs. */
TR_MUST_USE enum tr_err tr_jobs_requeue(struct tr_jobs *jobs, int64_t now, int64_t id);
TR_MUST_USE enum tr_err tr_jobs_cancel(struct tr_jobs *jobs, int64_t now, int64_t id);
TR_MUST_USE enum tr_err tr_jobs_get(struct tr_jobs *jobs, int64_t id, struct tr_job *out);
TR_MUST_USE enum tr_err tr_jobs_find(struct tr_jobs *jobs, const char *key, struct tr_job *out);
/* When claim() has something next (run_at or end of a lease); INT64_MAX: nothing waits. */
TR_MUST_USE enum tr_err tr_jobs_next_at(struct tr_jobs *jobs, const char *kind, int64_t *at_us);
/* Jobs in a state, e.g. for a metric. */
TR_MUST_USE enum tr_err tr_jobs_count(struct tr_jobs *jobs, enum tr_job_state state,
                                      uint32_t *count);
const char *tr_job_state_str(enum tr_job_state state);

#endif

/* From finished journals to finished files: jobs in the store's queue, tring-render as a child
 * process for each, its product verified before it gets its name and its call's row becomes READY,
 * the originals removed some time after that. Inside of src/record; control thread.
 *
 * A job that fails is tried again with growing pauses (store/jobs.h) and dies in the end; then the
 * row is FAILED and says why. Originals of failed recordings stay. */
#ifndef TR_RENDERER_H
#define TR_RENDERER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct tr_disk;
struct tr_disk_report;
struct tr_renderer;
struct tr_rng;
struct tr_sql;

struct tr_renderer_conf { /* texts are copied, the rest is borrowed; see recorder.h */
    struct tr_sql *db;
    struct tr_rng *rng;
    struct tr_disk *disk;
    int64_t (*unix_us)(void);
    const char *dir;
    const char *render_path;
    int renders_max, nice, threads, fps, height;
    int64_t keep_originals_us;
    int64_t backoff_us;
};

struct tr_renderer_counters {
    uint32_t rendering; /* now */
    uint64_t rendered, failures;
};

TR_MUST_USE enum tr_err tr_renderer_create(struct tr_renderer **r,
                                           const struct tr_renderer_conf *conf);
/* Ends the children and gives their jobs back. NULL is fine. */
void tr_renderer_destroy(struct tr_renderer *r);
/* At the start: jobs that a server before this one was running are claimable at once. */
TR_MUST_USE enum tr_err tr_renderer_recover(struct tr_renderer *r);
/* The journal of this call is complete; its row becomes PROCESSING. Again is fine. */
void tr_renderer_enqueue(struct tr_renderer *r, const char *call);
/* A row that is PROCESSING, after a restart: its job goes on, or the row tells how it ended. */
void tr_renderer_resume(struct tr_renderer *r, const char *call);
/* PUBLISHED, REMOVED */
void tr_renderer_report(struct tr_renderer *r, const struct tr_disk_report *report, tr_usec now);
void tr_renderer_timeout(struct tr_renderer *r, tr_usec now);
tr_usec tr_renderer_next_timeout(const struct tr_renderer *r);
void tr_renderer_counters(const struct tr_renderer *r, struct tr_renderer_counters *out);

#endif

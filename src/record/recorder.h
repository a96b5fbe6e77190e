/* Recordings from their start to the finished file. Control thread only; it never blocks on a disk.
 *
 *   start -> a journal is opened on the disk thread; track -> a tap on the media engine hands
 * packets
 *   to it; stop -> the journal is closed, a render job is put in the queue, tring-render runs as a
 *   child process, its product is verified, the call's row becomes READY. Originals are kept
 *   until then and `keep_originals_us` longer.
 *
 * The state of a recording is its call's row (store/calls.h); this module writes it. What a crash
 * leaves behind (rows still RECORDING or PROCESSING, journals without END) is taken up by recover.
 *
 * A full disk, or one that stalls, never reaches a call: the recording fails, its row says why. */
#ifndef TR_RECORDER_H
#define TR_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/idtab.h"
#include "base/time.h"
#include "media/media.h"
#include "record/meta.h"

struct tr_recorder;
struct tr_rng;
struct tr_sql;
struct tr_file_ops;

enum {
    TR_RECORDINGS_MAX = 4096,   /* open at once */
    TR_RECORDER_QUEUE = 16384,  /* messages to the disk thread; packets beyond are counted drops */
    TR_RECORDER_RENDERS_MAX = 4 /* children at once */
};

struct tr_recorder_conf {   /* texts are copied */
    struct tr_media *media; /* borrowed, as are db and rng */
    struct tr_sql *db;      /* calls and jobs; used on the control thread */
    struct tr_rng *rng;
    int64_t (*unix_us)(void);       /* wall clock */
    const char *dir;                /* journals in dir/journal/<id>, products in dir/<id>.webm */
    const char *render_path;        /* the tring-render program */
    int renders_max;                /* children at once; 0: 1 */
    int nice, threads, fps, height; /* of tring-render; 0: its defaults */
    int64_t keep_originals_us;
    int64_t disk_min_free;         /* bytes; below, no new recording starts; open ones go on */
    int64_t backoff_us;            /* first retry of a failed render; 0: 10 s */
    const struct tr_file_ops *ops; /* NULL: the system's */
    int64_t (*free_bytes)(const char *dir); /* room on its file system; NULL: the system's */
};

TR_MUST_USE enum tr_err tr_recorder_create(struct tr_recorder **rec,
                                           const struct tr_recorder_conf *conf);
/* Closes what is open (their journals get an END, their jobs stay queued), ends the children. After
 * the media engine has let go of the taps: call tr_recorder_stop_all, run the media events until
 * tr_recorder_idle, then destroy. NULL is fine. */
void tr_recorder_destroy(struct tr_recorder *rec);
void tr_recorder_stop_all(struct tr_recorder *rec, tr_usec now);
bool tr_recorder_idle(const struct tr_recorder *rec); /* no journal is open */

/* At the start: calls that a crash cut off are ended at their last record and rendered. */
TR_MUST_USE enum tr_err tr_recorder_recover(struct tr_recorder *rec, tr_usec now);

/* id: of a row in the calls table; it becomes RECORDING, or FAILED at once when the disk is full.
 * 0: refused, the row says why. */
tr_id tr_recorder_start(struct tr_recorder *rec, const char *id, tr_usec now);
/* The same with a row of its own, for recordings that are no call of the desk: caller is the label
 * that the list shows. */
tr_id tr_recorder_start_new(struct tr_recorder *rec, const char *plugin, const char *label,
                            tr_usec now);
/* Records what a client sends on an m-line. LIMIT, NOTFOUND, NOMEM. The same end again is fine;
 * with another codec it becomes a track of its own. */
TR_MUST_USE enum tr_err tr_recorder_track(struct tr_recorder *rec, tr_id recording,
                                          struct tr_media_end source, const struct tr_meta *meta,
                                          tr_usec now);
/* That end is not recorded any more; stale is fine. */
void tr_recorder_untrack(struct tr_recorder *rec, tr_id recording, struct tr_media_end source);
void tr_recorder_stop(struct tr_recorder *rec, tr_id recording, tr_usec now); /* stale is fine */

/* Progress of children, retries, clean-up of old originals; the control loop calls it when due. */
void tr_recorder_timeout(struct tr_recorder *rec, tr_usec now);
tr_usec tr_recorder_next_timeout(const struct tr_recorder *rec);

struct tr_recorder_counters {
    uint32_t open;      /* now */
    uint32_t rendering; /* now */
    uint64_t started, failed, rendered, render_failures;
    uint64_t packets, packets_dropped, bytes;
};
void tr_recorder_counters(const struct tr_recorder *rec, struct tr_recorder_counters *out);

#endif

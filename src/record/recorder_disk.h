/* The disk thread ("tring-disk") and the two ways to it: from the control thread, in order and
 * without loss; from media workers, bounded and dropping. The thread owns all journals, moves
 * finished products to their names and removes what is no longer needed. It is the only one that
 * waits for a disk. Inside of src/record.
 *
 * Limits: TR_RECORDER_QUEUE messages, TR_DISK_PACKETS_MAX packets held at once, so that a disk that
 * stalls cannot empty the workers' pools; what comes beyond is dropped and counted. */
#ifndef TR_RECORDER_DISK_H
#define TR_RECORDER_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/idtab.h"
#include "base/slice.h"
#include "media/tap.h"
#include "record/journal.h"

struct tr_disk;

enum { TR_DISK_PACKETS_MAX = 16384, TR_DISK_TEXT_MAX = 200 };

struct tr_disk_conf {
    const char *dir; /* whose file system is asked for free room; copied */
    int64_t (*free_bytes)(const char *dir);
    const struct tr_file_ops *ops; /* NULL: the system's */
};

enum tr_disk_kind {
    TR_DISK_FAILED,    /* a journal: error says why; its close is still to be asked for */
    TR_DISK_CLOSED,    /* a journal, complete */
    TR_DISK_PUBLISHED, /* the product has its name; or not: error */
    TR_DISK_REMOVED    /* or not: error */
};

struct tr_disk_report {
    enum tr_disk_kind kind;
    uint64_t id;                  /* the journal's, or the cookie of the request */
    uint64_t packets;             /* CLOSED: written */
    uint64_t dropped;             /* CLOSED: lost in front of the disk, or refused */
    char error[TR_DISK_TEXT_MAX]; /* "" when it went well */
};

struct tr_disk_counters {
    uint64_t packets, dropped, bytes;
};

TR_MUST_USE enum tr_err tr_disk_create(struct tr_disk **disk, const struct tr_disk_conf *conf);
/* Writes what was handed over, closes the journals that are open, ends the thread. NULL is fine. */
void tr_disk_destroy(struct tr_disk *disk);

/* --- control thread --- */

/* id: of a table with at most TR_RECORDINGS_MAX entries. NOMEM. */
TR_MUST_USE enum tr_err tr_disk_open(struct tr_disk *disk, tr_id id, const char *dir,
                                     const uint8_t call[16]);
TR_MUST_USE enum tr_err tr_disk_meta(struct tr_disk *disk, tr_id id, uint16_t track,
                                     struct tr_slice json);
/* After the last packet was handed over. */
TR_MUST_USE enum tr_err tr_disk_close(struct tr_disk *disk, tr_id id);
/* Renames and syncs the folder, so that the name survives a power loss. */
TR_MUST_USE enum tr_err tr_disk_publish(struct tr_disk *disk, uint64_t cookie, const char *from,
                                        const char *to);
/* A journal's folder with its segments and nothing else, or all files whose name begins so; absent
 * is fine. */
TR_MUST_USE enum tr_err tr_disk_remove(struct tr_disk *disk, uint64_t cookie, const char *path);
/* false: nothing to report. Also sends on what had to wait. */
bool tr_disk_poll(struct tr_disk *disk, struct tr_disk_report *report);
/* The journal of a recording whose product is there with this size; else it stays, with an error.
 * Reported as REMOVED. */
TR_MUST_USE enum tr_err tr_disk_clean(struct tr_disk *disk, uint64_t cookie, const char *journal,
                                      const char *product, int64_t bytes);
int64_t tr_disk_free_bytes(const struct tr_disk *disk); /* as of some seconds ago */
void tr_disk_counters(const struct tr_disk *disk, struct tr_disk_counters *out);

/* --- any thread; never block, never allocate --- */

void tr_disk_packets(struct tr_disk *disk, tr_id id, uint16_t track, struct tr_pkt *const *pkts,
                     int count);
void tr_disk_sr(struct tr_disk *disk, tr_id id, uint16_t track, const struct tr_tap_sr *sr);

/* Also used at the start, before there is a thread. A negated errno, or 0. */
int tr_disk_remove_path(const char *path);

#endif

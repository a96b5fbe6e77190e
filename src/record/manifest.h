/* What rendering says about its product: the line that `tring-render --json` prints and the server
 * reads back, and what is kept beside the file.
 *   {"v":1,"call":"<32 hex>","epoch":0,"start":"2026-01-31T12:00:00.000000Z",
 *    "duration_ms":61000,
 *    "width":1280,"height":480,"file":"...","bytes":123,"sync":"sr","truncated":false,
 *    "segments":2,"holes":0,"hole_bytes":0,"cpu_ms":900,
 *    "tracks":[{"id":1,"participant":0,"kind":"video","codec":"VP8",
 *    "sync":"sr","drift_ppm":-31.2,"packets":1,"lost":0,"duplicates":0,"frames":1,
 *    "dropped_frames":0,"start_ms":120,"end_ms":60990,"width":640,"height":480,
 *    "label":"","role":""}]} */
#ifndef TR_RECORD_MANIFEST_H
#define TR_RECORD_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "record/journal.h"
#include "record/meta.h"

struct tr_manifest_track {
    uint16_t id;
    struct tr_meta meta;
    bool sync_sr;     /* placed by sender reports; false: by arrival */
    double drift_ppm; /* of the sender's media clock against ours */
    uint64_t packets, lost, duplicates;
    uint64_t frames, dropped_frames; /* decoded; incomplete or refused */
    int64_t start_ms, end_ms;        /* on the product's time line */
    int width, height;               /* largest seen, video only */
};

struct tr_manifest {
    uint8_t call[16];
    uint64_t epoch;
    int64_t start_wall_us;
    int64_t duration_ms;
    int width, height;
    char file[TR_JOURNAL_PATH_MAX];
    int64_t bytes;
    bool truncated; /* no END: the recorder was killed, or ran out of disk */
    uint32_t segments;
    uint64_t holes, hole_bytes;
    int64_t cpu_ms;
    uint32_t track_count;
    struct tr_manifest_track tracks[TR_JOURNAL_TRACKS_MAX];
};

/* One line of JSON without newline, from the heap; free() it. NULL when memory is out. */
char *tr_manifest_encode(const struct tr_manifest *m);
/* Reads the summary back, not the tracks. BADMSG: not such a line. */
TR_MUST_USE enum tr_err tr_manifest_decode(struct tr_manifest *m, struct tr_slice json);

#endif

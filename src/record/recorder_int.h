/* What the parts of the recorder share: recorder.c (recordings that are open) and
 * recorder_recover.c (what a crash left behind). Inside of src/record. */
#ifndef TR_RECORDER_INT_H
#define TR_RECORDER_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/idtab.h"
#include "base/time.h"
#include "record/recorder.h"
#include "record/recorder_disk.h"
#include "record/renderer.h"

enum { TR_RECORDER_DIR_MAX = 800 }; /* so that all paths in it fit */

struct tr_recorder {
    struct tr_media *media;
    struct tr_sql *db;
    struct tr_rng *rng;
    int64_t (*unix_us)(void);
    char dir[TR_RECORDER_DIR_MAX];
    int64_t disk_min_free;
    struct tr_idtab *recordings;
    struct tr_disk *disk;
    struct tr_renderer *renderer;
    tr_usec polled_at;
    uint64_t started, failed;
};

/* Letters, digits, '-' and '_': an id names files. */
bool tr_recorder_valid_id(const char *id);

#endif

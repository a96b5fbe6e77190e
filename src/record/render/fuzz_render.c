/* Arbitrary bytes as a segment whose magics and checksums are mended first, so that mutations reach
 * what is behind them: load, solve, put all frames of all tracks together. The decoders are fuzzed
 * by their own projects. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/crc32c.h"
#include "record/render/depacketise.h"
#include "record/render/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *p, size_t n)
{
    for (size_t at = TR_JOURNAL_HEADER; at + TR_JOURNAL_RECORD <= n;) {
        uint8_t *r = p + at;
        size_t len = tr_get32(r + 8) % 2048, left = n - at - TR_JOURNAL_RECORD;
        len = len < left ? len : left;
        tr_put32(r, TR_JOURNAL_MAGIC);
        tr_put32(r + 8, (uint32_t)len);
        tr_put32(r + 4, tr_crc32c(0, r + 8, TR_JOURNAL_RECORD - 8 + len));
        at += TR_JOURNAL_RECORD + len;
    }
}

static void walk(const struct rn_track *t)
{
    for (uint32_t i = 0; i < t->part_count; i++) {
        struct rn_depack d;
        struct rn_frame f;
        rn_depack_init(&d, t->parts[i], t->codec);
        while (rn_depack_knows(t->codec) && rn_depack_next(&d, &f) == TR_OK) {
            volatile uint8_t last = f.data.p[f.data.n + RN_FRAME_PAD - 1];
            if (last != 0)
                abort();
            rn_timeline_at(t->parts[i], f.ts);
        }
        rn_depack_deinit(&d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("journal", 0);
    char path[64];
    const char *paths[] = { path };
    struct rn_call *call = NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    mend(copy, size);
    bool ok = fd >= 0 && write(fd, copy, size) == (ssize_t)size;
    free(copy);
    if (ok && rn_load(&call, paths, 1) == TR_OK) {
        if (rn_timeline_solve(call) == TR_OK) {
            for (uint32_t i = 0; i < call->track_count; i++)
                walk(call->tracks[i]);
        }
        rn_call_free(call);
    }
    close(fd);
    return 0;
}

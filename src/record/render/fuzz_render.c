/* Arbitrary bytes as a segment: load, solve, put all frames of all tracks together. The decoders
 * behind are fuzzed by their own projects. */
#include <stdlib.h>
#include <sys/mman.h>
#include <stdio.h>
#include <unistd.h>

#include "record/render/depacketise.h"
#include "record/render/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    if (fd >= 0 && write(fd, data, size) == (ssize_t)size && rn_load(&call, paths, 1) == TR_OK) {
        if (rn_timeline_solve(call) == TR_OK) {
            for (uint32_t i = 0; i < call->track_count; i++)
                walk(call->tracks[i]);
        }
        rn_call_free(call);
    }
    close(fd);
    return 0;
}

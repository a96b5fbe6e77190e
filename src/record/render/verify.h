/* Is a product whole? Opens it, wants one video and one audio stream, decodes all of it, and
 * compares its length. */
#ifndef TR_RENDER_VERIFY_H
#define TR_RENDER_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rn_verify {
    int64_t video_ms, audio_ms; /* end of the last decoded frame */
    uint64_t video_frames, audio_frames, errors;
    int width, height;
};

/* expect_ms < 0: any length. BADMSG: not whole, *reason says what is wrong; IO: cannot be read. */
TR_MUST_USE enum tr_err rn_verify(const char *path, int64_t expect_ms, struct rn_verify *out,
                                  char *reason, size_t reason_size);

#endif

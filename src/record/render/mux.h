/* The product: WebM with VP8 and Opus. Written under a temporary name beside the target, synced and
 * renamed at the end, so a file of the target's name is always whole. */
#ifndef TR_RENDER_MUX_H
#define TR_RENDER_MUX_H

#include "base/err.h"
#include "record/render/audio.h"
#include "record/render/video.h"

struct rn_mux_conf {
    const char *path;
    int width, height, fps;
    int threads; /* of the video encoder */
};

struct rn_mux;

/* IO: the file cannot be made; UNSUPPORTED: libavcodec lacks libvpx or libopus; NOMEM. */
TR_MUST_USE enum tr_err rn_mux_open(struct rn_mux **out, const struct rn_mux_conf *conf);
/* The picture to paint on; its content stays from frame to frame. */
TR_MUST_USE enum tr_err rn_mux_canvas(struct rn_mux *m, struct rn_canvas *canvas);
TR_MUST_USE enum tr_err rn_mux_video(struct rn_mux *m, int64_t at_us); /* encodes the canvas */
/* The next RN_CHUNK stereo samples, interleaved. */
TR_MUST_USE enum tr_err rn_mux_audio(struct rn_mux *m, const float stereo[2 * RN_CHUNK]);
/* Ends the file and gives it its name. */
TR_MUST_USE enum tr_err rn_mux_finish(struct rn_mux *m, int64_t *bytes);
/* Without finish() the temporary file is removed. NULL is fine. */
void rn_mux_close(struct rn_mux *m);
const char *rn_mux_error(const struct rn_mux *m); /* "" or libav's text */

#endif

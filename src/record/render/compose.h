/* One pass over a call: decode, lay out, mix, encode. */
#ifndef TR_RENDER_COMPOSE_H
#define TR_RENDER_COMPOSE_H

#include "record/manifest.h"
#include "record/render/load.h"

enum rn_audio_layout {
    RN_AUDIO_MIX,  /* everybody in the middle */
    RN_AUDIO_SPLIT /* first participant left, second right, others in the middle */
};

enum { RN_CELLS_MAX = 16, RN_FPS_MAX = 60, RN_HEIGHT_MIN = 64, RN_HEIGHT_MAX = 2160 };

struct rn_options {
    const char *out;
    int height; /* of the whole picture */
    int fps;
    int threads;
    enum rn_audio_layout audio;
    void (*progress)(void *user, double percent); /* ascending, the last one is 100 */
    void *user;
};

/* Renders the call and fills the manifest but for cpu_ms. *reason: text for an operator.
 * INVAL: options out of range; else as rn_mux_open() and the decoders. */
TR_MUST_USE enum tr_err rn_compose(struct rn_call *call, const struct rn_options *opt,
                                   struct tr_manifest *manifest, char *reason, size_t reason_size);

#endif

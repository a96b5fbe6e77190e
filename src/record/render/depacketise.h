/* From a part's packets to whole video frames, in decoding order. A frame with a packet missing is
 * dropped, and so is what depends on it, up to the next keyframe (VP8's temporal layers are told
 * apart): the decoder never sees a damaged frame. */
#ifndef TR_RENDER_DEPACKETISE_H
#define TR_RENDER_DEPACKETISE_H

#include "record/render/load.h"

enum { RN_FRAME_MAX = 4 << 20, RN_FRAME_PAD = 64 };

struct rn_depack {
    const struct rn_part *part;
    enum tr_codec codec;
    uint32_t at;      /* next packet */
    int64_t next_seq; /* that goes on where the last frame ended */
    bool started, need_key;
    bool upper_lost;  /* VP8: upper temporal layers wait for a layer sync */
    bool has_picture; /* VP8, VP9: picture id of the last frame that was given out */
    uint32_t picture; /* with its width in the upper half */
    bool has_tl0;
    uint8_t tl0; /* VP8: TL0PICIDX of the last frame that was given out */
    uint8_t *buf;
    size_t used, size;
    uint64_t frames, dropped;
};

struct rn_frame {
    int64_t ts;
    bool keyframe;
    struct tr_slice data; /* until the next call; RN_FRAME_PAD zero bytes follow */
};

void rn_depack_init(struct rn_depack *d, const struct rn_part *part, enum tr_codec codec);
void rn_depack_deinit(struct rn_depack *d);
/* NOTFOUND: no more frames. NOMEM. */
TR_MUST_USE enum tr_err rn_depack_next(struct rn_depack *d, struct rn_frame *frame);
bool rn_depack_knows(enum tr_codec codec);

#endif

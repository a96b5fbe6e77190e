/* One participant's cell of the picture: decodes the frames of its video tracks up to a time and
 * paints the last one, scaled into the cell with its shape kept; a dark tile before the first
 * frame, while muted, and when nothing came for 5 s. Pull it with ascending times. */
#ifndef TR_RENDER_VIDEO_H
#define TR_RENDER_VIDEO_H

#include "record/render/load.h"

enum { RN_SIDE_MAX = 4096, RN_STALL_US = 5000000 };

struct rn_canvas { /* YUV 4:2:0, 8 bit; planes belong to the encoder's frame */
    uint8_t *plane[3];
    int stride[3];
    int width, height;
};

struct rn_rect { /* even numbers */
    int x, y, w, h;
};

struct rn_cell;

/* Borrows call. NULL: memory is out. */
struct rn_cell *rn_cell_create(struct rn_call *call, uint16_t participant, struct rn_rect rect);
void rn_cell_destroy(struct rn_cell *cell); /* NULL is fine */
/* True when the cell shows something else than after the last call. */
TR_MUST_USE enum tr_err rn_cell_advance(struct rn_cell *cell, int64_t at_us, bool *changed);
void rn_cell_paint(struct rn_cell *cell, struct rn_canvas *canvas);

struct rn_video_stats {
    uint64_t frames, dropped; /* given to the decoder; incomplete or refused by it */
    int width, height;        /* largest */
};

struct rn_video_stats rn_cell_stats(const struct rn_cell *cell, const struct rn_track *track);

#endif

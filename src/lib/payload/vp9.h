/* VP9 payload descriptor (RFC 9628 section 4.2). Stateless; any thread. */
#ifndef TR_VP9_H
#define TR_VP9_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { TR_VP9_SPATIAL_MAX = 8, TR_VP9_REFS_MAX = 3 };

struct tr_vp9 {
    bool inter;              /* P: predicted from an earlier picture */
    bool start;              /* B: start of a frame (of one spatial layer) */
    bool end;                /* E: end of a frame (of one spatial layer) */
    bool flexible;           /* F */
    bool not_ref_upper;      /* Z: not a reference for upper spatial layers */
    uint8_t picture_id_bits; /* 0 (absent), 7 or 15 */
    uint16_t picture_id;
    uint8_t picture_id_at; /* offset in the payload; 0 when absent */
    bool has_layers;       /* L: the next five are there */
    uint8_t tid;
    bool switch_up; /* U: a higher temporal layer may be chosen from the next picture on */
    uint8_t sid;
    bool inter_layer;       /* D: predicted from the spatial layer below */
    uint8_t tl0_pic_idx;    /* non-flexible mode only */
    uint8_t tl0_pic_idx_at; /* offset in the payload; 0 when absent */
    uint8_t ref_count;      /* flexible mode only */
    uint8_t ref_diff[TR_VP9_REFS_MAX];
    bool has_ss;            /* V: scalability structure */
    uint8_t spatial_layers; /* N_S + 1, from the structure */
    bool has_sizes;         /* width and height are there for each spatial layer */
    uint16_t width[TR_VP9_SPATIAL_MAX];
    uint16_t height[TR_VP9_SPATIAL_MAX];
    uint16_t hdr_len; /* of the descriptor */
    bool keyframe;    /* first packet of a keyframe, lowest spatial layer */
};

/* BADMSG: truncated, more references than allowed, or nothing follows the descriptor. */
TR_MUST_USE enum tr_err tr_vp9_parse(struct tr_vp9 *out, struct tr_slice payload);
/* As tr_vp8_rewrite. */
void tr_vp9_rewrite(uint8_t *payload, const struct tr_vp9 *d, uint16_t picture_id,
                    uint8_t tl0_pic_idx);

#endif

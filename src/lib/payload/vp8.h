/* VP8 payload descriptor (RFC 7741 section 4.2), keyframe header (RFC 6386 section 9.1), and the
 * in-place rewrite that keeps picture ids continuous over a layer switch. Stateless; any thread. */
#ifndef TR_VP8_H
#define TR_VP8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tr_vp8 {
    bool non_reference;      /* N: no other frame needs this one */
    bool start;              /* S: start of a partition */
    uint8_t partition;       /* PID; a frame starts where start is set and this is 0 */
    uint8_t picture_id_bits; /* 0 (absent), 7 or 15 */
    uint16_t picture_id;
    bool has_tl0_pic_idx;
    uint8_t tl0_pic_idx;
    bool has_tid;
    uint8_t tid;
    bool layer_sync; /* Y: may be the first frame of its temporal layer for a decoder */
    bool has_key_idx;
    uint8_t key_idx;
    uint8_t hdr_len;        /* of the descriptor */
    uint8_t picture_id_at;  /* offset in the payload; 0 when absent */
    uint8_t tl0_pic_idx_at; /* offset in the payload; 0 when absent */
    bool keyframe;          /* first packet of a keyframe */
    uint16_t width, height; /* of a keyframe whose header is whole; else 0 */
};

/* BADMSG: truncated, or nothing follows the descriptor. */
TR_MUST_USE enum tr_err tr_vp8_parse(struct tr_vp8 *out, struct tr_slice payload);
/* Stores a new picture id (cut to the width that is there) and TL0PICIDX into the payload that d
 * was parsed from, or into a copy of it; lengths do not change. Absent fields stay absent. */
void tr_vp8_rewrite(uint8_t *payload, const struct tr_vp8 *d, uint16_t picture_id,
                    uint8_t tl0_pic_idx);

#endif

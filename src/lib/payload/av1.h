/* AV1 payloads (AOMedia "RTP Payload Format For AV1" v1.0 section 4.4): aggregation header and the
 * walk over OBU elements. Stateless; any thread. */
#ifndef TR_AV1_H
#define TR_AV1_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tr_av1_obu {
    TR_AV1_OBU_SEQUENCE_HEADER = 1,
    TR_AV1_OBU_TEMPORAL_DELIMITER = 2,
    TR_AV1_OBU_FRAME_HEADER = 3,
    TR_AV1_OBU_TILE_GROUP = 4,
    TR_AV1_OBU_METADATA = 5,
    TR_AV1_OBU_FRAME = 6
};

struct tr_av1 {
    bool continued; /* Z: the first element continues an OBU of the packet before */
    bool continues; /* Y: the last element goes on in the next packet */
    uint8_t count;  /* W: number of elements, 0 when each has a length */
    bool keyframe;  /* N: first packet of a new coded video sequence, which a keyframe opens */
    bool sequence_header; /* holds the start of a sequence header OBU; may be a repetition */
};

struct tr_av1_iter {
    struct tr_rd rd;
    uint8_t left;   /* elements to go when W > 0 */
    bool counted;   /* W > 0 */
    bool continued; /* the next element continues an OBU */
};

struct tr_av1_element {
    struct tr_slice data;
    bool continued; /* no OBU header at its start */
    uint8_t type;   /* enum tr_av1_obu; of a continued one 0 */
};

/* BADMSG: truncated, an element longer than the packet, or N together with Z. */
TR_MUST_USE enum tr_err tr_av1_parse(struct tr_av1 *out, struct tr_slice payload);
void tr_av1_iter_init(struct tr_av1_iter *it, struct tr_slice payload);
/* False at the end or where the payload breaks (it->rd.bad then). */
bool tr_av1_next(struct tr_av1_iter *it, struct tr_av1_element *out);

#endif

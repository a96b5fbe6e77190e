/* H.265 payloads (RFC 7798): single NAL unit, aggregation packet and fragmentation unit, no more
 * than keyframe detection needs; sprop-max-don-diff = 0. Stateless; any thread. */
#ifndef TR_H265_H
#define TR_H265_H

#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"

struct tr_h265 {
    bool keyframe;       /* holds the start of an IRAP picture, or a VPS or SPS */
    bool irap;           /* holds (the start of) an IRAP picture */
    bool parameter_sets; /* holds (the start of) a VPS or SPS */
};

TR_MUST_USE enum tr_err tr_h265_parse(struct tr_h265 *out, struct tr_slice payload); /* BADMSG */

#endif

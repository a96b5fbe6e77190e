/* H.264 payloads (RFC 6184): single NAL unit, STAP-A and FU-A, no more than forwarding needs.
 * Stateless; any thread. */
#ifndef TR_H264_H
#define TR_H264_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tr_h264 {
    bool keyframe; /* holds the start of an IDR slice, or a sequence parameter set */
    bool idr;      /* holds (the start of) an IDR slice */
    bool sps;      /* holds (the start of) a sequence parameter set */
    bool pps;
    uint16_t width, height; /* from a whole SPS; else 0 */
};

/* BADMSG: truncated, or a packetization of the interleaved mode, which WebRTC does not use. */
TR_MUST_USE enum tr_err tr_h264_parse(struct tr_h264 *out, struct tr_slice payload);
/* Luma size after cropping, of a SPS NAL unit that starts with its header byte. BADMSG: not one,
 * truncated, or absurd. */
TR_MUST_USE enum tr_err tr_h264_sps_size(struct tr_slice nal, uint16_t *width, uint16_t *height);

#endif

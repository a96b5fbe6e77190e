/* Frames of a byte stream, without I/O: where a message begins and ends in what was read so far,
 * and what belongs around one that is written. No state, no allocation; any thread. */
#ifndef TR_FRAME_H
#define TR_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tr_framing {
    TR_FRAMING_RAW,     /* no frames: whatever is there */
    TR_FRAMING_RFC4571, /* 16 bits of length, then the packet: ICE-TCP (RFC 6544) */
    TR_FRAMING_TURN,    /* STUN messages and ChannelData padded to 4 (RFC 8656 12.5) */
};

enum {
    TR_FRAME_HEAD_MAX = 2, /* bytes that tr_frame_wrap puts in front */
    TR_FRAME_PAD_MAX = 3,
};

/* Takes the first frame off *in: *frame is the packet itself, without length field and padding,
 * which for RFC 4571 may be empty. AGAIN: it is not whole yet, *need is the number of bytes from
 * the start of *in at which to look again. LIMIT: it is longer than max. BADMSG: this is none of
 * the framing; as early as the bytes tell. Both are final: the stream cannot be read on. */
TR_MUST_USE enum tr_err tr_frame_next(enum tr_framing framing, size_t max, struct tr_slice *in,
                                      struct tr_slice *frame, size_t *need);

struct tr_frame_wrap {
    uint8_t head[TR_FRAME_HEAD_MAX];
    uint8_t head_n;
    uint8_t pad; /* zero bytes behind it */
};

/* What a packet of n bytes is written with. LIMIT: the framing cannot carry so many. */
TR_MUST_USE enum tr_err tr_frame_wrap(enum tr_framing framing, size_t n, struct tr_frame_wrap *out);

#endif

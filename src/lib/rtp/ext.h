/* RTP header extensions (RFC 8285), one-byte and two-byte: read a fixed set in one pass; build,
 * once per sink, a block of constant size whose varying fields are stores at constant offsets.
 * Stateless; any thread. */
#ifndef TR_EXT_H
#define TR_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

enum tr_ext {
    TR_EXT_MID,               /* RFC 9143 */
    TR_EXT_RID,               /* RFC 8852 rtp-stream-id */
    TR_EXT_RRID,              /* RFC 8852 repaired-rtp-stream-id */
    TR_EXT_ABS_SEND_TIME,     /* 24 bits, 6.18 fixed-point seconds */
    TR_EXT_TRANSPORT_CC,      /* draft-holmer-rmcat-transport-wide-cc-extensions-01 */
    TR_EXT_AUDIO_LEVEL,       /* RFC 6464 */
    TR_EXT_VIDEO_ORIENTATION, /* 3GPP TS 26.114 section 7.4.5 */
    TR_EXT_PLAYOUT_DELAY,
    TR_EXT_DEPENDENCY_DESCRIPTOR, /* AV1 RTP specification, appendix A */
    TR_EXT_ABS_CAPTURE_TIME,
    TR_EXT_COUNT
};

enum tr_ext_limits {
    TR_EXT_BLOCK_MAX = 128, /* a template block with its header */
    TR_EXT_NAME_MAX = 32    /* MID, RID in a template block */
};

struct tr_ext_map { /* as negotiated; 0: not */
    uint8_t id[TR_EXT_COUNT];
};

struct tr_ext_vals {  /* slices borrow from the packet */
    uint32_t present; /* bit 1 << enum tr_ext */
    struct tr_slice mid, rid, rrid;
    struct tr_slice dependency;
    uint32_t abs_send_time;
    uint16_t transport_seq;
    bool voice;           /* audio level: V */
    uint8_t audio_level;  /* -dBov: 0 loudest, 127 silence */
    uint8_t orientation;  /* as sent: bits 0-1 are the rotation in steps of 90 degrees */
    uint16_t playout_min; /* units of 10 ms */
    uint16_t playout_max;
    tr_ntp capture_ntp;
    bool has_capture_offset;
    int64_t capture_offset; /* signed Q32.32 seconds */
};

const char *tr_ext_uri(enum tr_ext ext);
enum tr_ext tr_ext_from_uri(struct tr_slice uri); /* TR_EXT_COUNT when unknown */

struct tr_ext_iter {
    struct tr_rd rd;
    bool two_byte;
};

/* profile and data as in struct tr_rtp; an unknown profile has no elements. */
void tr_ext_iter_init(struct tr_ext_iter *it, uint16_t profile, struct tr_slice data);
/* False at the end, and at an element that runs out of the data (it->rd.bad then). */
bool tr_ext_next(struct tr_ext_iter *it, uint8_t *id, struct tr_slice *value);
/* All known elements in one pass; the last of several with one id counts. An element of the wrong
 * size is left out. Never fails: the header extension is a hint, not a condition. */
void tr_ext_read(struct tr_ext_vals *out, const struct tr_ext_map *map, uint16_t profile,
                 struct tr_slice data);

static inline bool tr_ext_has(const struct tr_ext_vals *v, enum tr_ext ext)
{
    return (v->present >> ext & 1) != 0;
}

struct tr_ext_block {
    uint8_t len;                     /* with its header, a multiple of 4; 0: no extension at all */
    uint8_t at[TR_EXT_COUNT];        /* where the value of an element starts in bytes; 0: absent */
    uint8_t dd_id;                   /* packets may carry a dependency descriptor; 0: not */
    uint8_t tail;                    /* where it goes: behind the last element */
    uint8_t bytes[TR_EXT_BLOCK_MAX]; /* goes after the CSRCs of each packet; X bit set */
};

/* want: bits 1 << enum tr_ext. An element is in the block when it is wanted and its id in map is
 * not 0; MID, RID and RRID also need their text here. Values other than the texts start as 0, or
 * silence for the audio level. Two-byte form when an id is above 14, a text longer than 16, or the
 * dependency descriptor is wanted: a stream keeps to one form (RFC 8285 section 4.1.2).
 * LIMIT: too long. */
struct tr_ext_block_conf {
    const struct tr_ext_map *map;
    uint32_t want;
    struct tr_slice mid, rid, rrid;
};

TR_MUST_USE enum tr_err tr_ext_block_build(struct tr_ext_block *out,
                                           const struct tr_ext_block_conf *conf);

/* Bytes of the block with a dependency descriptor of n <= 255 bytes; 0 bytes: none. */
static inline size_t tr_ext_block_size(const struct tr_ext_block *b, size_t n)
{
    return n ? (b->tail + 2u + n + 3u) & ~(size_t)3 : b->len;
}
/* Makes a copy of the block's bytes at p one with room for a descriptor of n > 0 bytes; returns
 * where these go. It is tr_ext_block_size(b, n) bytes long then. */
uint8_t *tr_ext_put_descriptor(uint8_t *p, const struct tr_ext_block *b, size_t n);

/* Stores to out + at of a block; 3 bytes, 2 bytes, 1 byte. */
void tr_ext_put_abs_send_time(uint8_t *p, tr_usec now);
static inline void tr_ext_put_transport_seq(uint8_t *p, uint16_t seq)
{
    tr_put16(p, seq);
}
/* Units of 10 ms, 12 bits each. */
static inline void tr_ext_put_playout_delay(uint8_t *p, uint16_t min, uint16_t max)
{
    p[0] = (uint8_t)(min >> 4);
    p[1] = (uint8_t)((min & 15) << 4 | (max >> 8 & 15));
    p[2] = (uint8_t)max;
}
static inline void tr_ext_put_audio_level(uint8_t *p, bool voice, uint8_t level)
{
    p[0] = (uint8_t)((voice ? 0x80u : 0u) | (level & 0x7fu));
}

#endif

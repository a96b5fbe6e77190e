/* Opus packets (RFC 6716 section 3) and redundant audio (RFC 2198). Stateless; any thread. */
#ifndef TR_OPUS_H
#define TR_OPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
    TR_OPUS_CLOCK = 48000,
    TR_OPUS_SAMPLES_MAX = 5760, /* 120 ms, RFC 6716 section 3.2.5 (R5) */
    TR_RED_BLOCKS_MAX = 16      /* redundant blocks that are looked at; more is BADMSG */
};

/* Duration in samples at 48 kHz, 0 when the packet is malformed. */
uint32_t tr_opus_samples(struct tr_slice packet);
/* A guess by size: the encoder sends one or two bytes for silence under DTX. */
bool tr_opus_is_dtx(struct tr_slice packet);
bool tr_opus_is_stereo(struct tr_slice packet); /* the TOC's s bit */

struct tr_red {
    uint8_t primary_pt;      /* payload type of the primary encoding */
    struct tr_slice primary; /* the newest data: what a receiver without RED gets */
    uint8_t redundant;       /* blocks before it */
    bool one_pt;             /* they are all of the primary's type */
};

/* Finds the primary block. BADMSG: truncated, lengths that do not add up, too many blocks, or no
 * primary data. */
TR_MUST_USE enum tr_err tr_red_parse(struct tr_red *out, struct tr_slice payload);

#endif

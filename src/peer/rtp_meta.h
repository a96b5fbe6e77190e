/* The facts of a media packet that every reader needs, set once at ingress and kept in the packet
 * (struct tr_pkt.meta). The packet's data is the payload alone, decrypted, without padding. The RTP
 * header and its extensions are gone: what egress needs of them is here.
 *
 * Two things that only some packets have lie in the buffer beside the payload, so that they travel
 * with it and cost others nothing: a dependency descriptor behind it, and before it what RED adds
 * to the newest Opus frame, so that who knows nothing of RED sees Opus. */
#ifndef TR_RTP_META_H
#define TR_RTP_META_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pkt.h"
#include "payload/dd.h"

enum tr_rtp_flags {
    TR_RTP_MARKER = 1 << 0,
    TR_RTP_KEYFRAME = 1 << 1, /* first packet of a key frame */
    TR_RTP_AUDIO_LEVEL = 1 << 2,
    TR_RTP_RETRANSMITTED = 1 << 3, /* arrived by RTX */
    TR_RTP_PICTURE_ID = 1 << 4,
    TR_RTP_TL0 = 1 << 5,
    TR_RTP_SCALABLE = 1 << 6,      /* dtis and frame say something: some layers may be left out */
    TR_RTP_FRAME_END = 1 << 7,     /* last packet of a frame, which is of one spatial layer */
    TR_RTP_SPATIAL_SYNC = 1 << 8,  /* without a descriptor: no reference to another picture */
    TR_RTP_TEMPORAL_SYNC = 1 << 9, /* ... to the lowest temporal layer only */
};

enum {
    TR_RTP_GRID = 4
}; /* without a descriptor, (spatial, temporal) is number spatial * 4 + temporal */

struct tr_rtp_meta {
    int64_t ext_seq;     /* unwrapped sequence number of the layer's stream */
    uint32_t ts;         /* as received */
    uint32_t ssrc;       /* as received; of the original stream when it came by RTX */
    uint64_t dtis;       /* what the frame is to each decode target, as in payload/dd.h */
    uint16_t flags;      /* enum tr_rtp_flags */
    uint16_t frame;      /* all packets of a frame have the same number; see SCALABLE */
    uint8_t layer;       /* simulcast layer, lowest first */
    uint8_t codec;       /* enum tr_codec */
    uint8_t pt;          /* as received */
    uint8_t audio_level; /* RFC 6464: V flag and -dBov */
    uint8_t spatial;     /* layer within the stream, 0 when unknown */
    uint8_t temporal;    /* temporal layer, 0 when unknown */
    uint8_t tl0picidx;   /* VP8, VP9: when TR_RTP_TL0 */
    uint16_t picture_id; /* VP8, VP9: when TR_RTP_PICTURE_ID */
    uint16_t dd_at;      /* where in the buffer its descriptor lies; 0: none */
    uint16_t red_len;    /* bytes before the data: with them it is the RED payload that came */
};

/* The dependency descriptor of a packet, in its buffer behind the payload. */
struct tr_rtp_dd {
    struct tr_dd dd; /* targets 0: its structure is not known, only bytes and frame count */
    uint8_t len;
    struct tr_dd_target target[TR_DD_TARGETS_MAX];
    uint8_t bytes[]; /* as received */
};

_Static_assert(sizeof(struct tr_rtp_meta) <= TR_PKT_META, "fits in the packet");

static inline struct tr_rtp_meta *tr_rtp_meta(struct tr_pkt *pkt)
{
    return (struct tr_rtp_meta *)(void *)pkt->meta;
}

static inline const struct tr_rtp_meta *tr_rtp_meta_const(const struct tr_pkt *pkt)
{
    return (const struct tr_rtp_meta *)(const void *)pkt->meta;
}

/* NULL: the packet has none. */
static inline const struct tr_rtp_dd *tr_rtp_dd(const struct tr_pkt *pkt)
{
    uint16_t at = tr_rtp_meta_const(pkt)->dd_at;
    return at ? (const struct tr_rtp_dd *)(const void *)(pkt->buf + at) : NULL;
}

#endif

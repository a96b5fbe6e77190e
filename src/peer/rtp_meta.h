/* The facts of a media packet that every reader needs, set once at ingress and kept in the packet
 * (struct tr_pkt.meta). The packet's data is the payload alone, decrypted, without padding. The RTP
 * header and its extensions are gone: what egress needs of them is here. */
#ifndef TR_RTP_META_H
#define TR_RTP_META_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pkt.h"

enum tr_rtp_flags {
    TR_RTP_MARKER = 1 << 0,
    TR_RTP_KEYFRAME = 1 << 1, /* first packet of a key frame */
    TR_RTP_AUDIO_LEVEL = 1 << 2,
    TR_RTP_RETRANSMITTED = 1 << 3, /* arrived by RTX */
    TR_RTP_PICTURE_ID = 1 << 4,
    TR_RTP_TL0 = 1 << 5,
};

struct tr_rtp_meta {
    int64_t ext_seq;     /* unwrapped sequence number of the layer's stream */
    uint32_t ts;         /* as received */
    uint32_t ssrc;       /* as received; of the original stream when it came by RTX */
    uint8_t flags;       /* enum tr_rtp_flags */
    uint8_t layer;       /* simulcast layer, lowest first */
    uint8_t codec;       /* enum tr_codec */
    uint8_t pt;          /* as received */
    uint8_t audio_level; /* RFC 6464: V flag and -dBov */
    uint8_t temporal;    /* temporal layer, 0 when unknown */
    uint8_t tl0picidx;   /* VP8, VP9: when TR_RTP_TL0 */
    uint16_t picture_id; /* VP8, VP9: when TR_RTP_PICTURE_ID */
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

#endif

/* The codecs that Tring can carry, as SDP names them, and the one question that forwarding asks of
 * all of them: does a decoder that saw nothing before start here? Stateless; any thread. */
#ifndef TR_CODEC_H
#define TR_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum tr_codec {
    TR_CODEC_NONE, /* unknown or not set */
    TR_CODEC_OPUS,
    TR_CODEC_MULTIOPUS,
    TR_CODEC_G722,
    TR_CODEC_PCMU,
    TR_CODEC_PCMA,
    TR_CODEC_L16,
    TR_CODEC_CN,              /* comfort noise, RFC 3389 */
    TR_CODEC_TELEPHONE_EVENT, /* RFC 4733 */
    TR_CODEC_RED,             /* RFC 2198 */
    TR_CODEC_VP8,
    TR_CODEC_VP9,
    TR_CODEC_H264,
    TR_CODEC_H265,
    TR_CODEC_AV1,
    TR_CODEC_RTX, /* RFC 4588; clock rate and kind are those of the codec it repairs */
    TR_CODEC_ULPFEC,
    TR_CODEC_FLEXFEC,
    TR_CODEC_COUNT
};

enum tr_codec_kind {
    TR_CODEC_KIND_AUDIO = 1,
    TR_CODEC_KIND_VIDEO = 2,
    TR_CODEC_KIND_ANY = 3 /* RED, RTX */
};

struct tr_codec_info {
    const char *name; /* as in a=rtpmap; compared without case */
    uint32_t clock;   /* usual RTP clock rate; 0: that of another codec, or several are usual */
    uint8_t channels; /* as in a=rtpmap: Opus is always 2; 0 for video */
    uint8_t kind;     /* enum tr_codec_kind */
    int8_t static_pt; /* RFC 3551's payload type; -1 when there is none */
    bool main;        /* carries media itself: not RTX, RED, FEC, CN or telephone-event */
};

/* Never NULL; that of TR_CODEC_NONE has the name "". */
const struct tr_codec_info *tr_codec_info(enum tr_codec codec);
/* The encoding name of a=rtpmap, any case, e.g. "opus", "VP8". TR_CODEC_NONE when unknown. */
enum tr_codec tr_codec_from_name(struct tr_slice name);
/* TR_CODEC_NONE when RFC 3551 assigns no known codec to it. */
enum tr_codec tr_codec_from_static_pt(uint8_t pt);
bool tr_codec_is_video(enum tr_codec codec); /* video and nothing else */
bool tr_codec_is_audio(enum tr_codec codec); /* audio, RED included */

/* True when this RTP payload holds the start of a frame that decodes without any other.
 * Audio: always true. Rubbish is no keyframe. */
bool tr_payload_is_keyframe(enum tr_codec codec, struct tr_slice payload);
/* Stores another picture id and TL0PICIDX into a VP8 or VP9 payload, where it has them. */
void tr_payload_renumber(enum tr_codec codec, uint8_t *payload, size_t n, uint16_t picture_id,
                         uint8_t tl0_pic_idx);
/* Width and height, where this payload states them (VP8 keyframe, VP9 with SS, H.264 SPS). */
bool tr_payload_frame_size(enum tr_codec codec, struct tr_slice payload, uint16_t *width,
                           uint16_t *height);

#endif

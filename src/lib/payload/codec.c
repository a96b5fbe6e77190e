/* One table of codecs, indexed by the enum; lookups walk it, since it is short and only signalling
 * asks for names. The keyframe question is answered by each format's own parser: a payload that
 * does not parse is never a keyframe. */
#include "payload/codec.h"

#include <strings.h>

#include "payload/av1.h"
#include "payload/h264.h"
#include "payload/h265.h"
#include "payload/vp8.h"
#include "payload/vp9.h"

#define AUDIO TR_CODEC_KIND_AUDIO
#define VIDEO TR_CODEC_KIND_VIDEO
#define ANY TR_CODEC_KIND_ANY

static const struct tr_codec_info infos[TR_CODEC_COUNT] = {
    [TR_CODEC_NONE] = { "", 0, 0, 0, -1, false },
    [TR_CODEC_OPUS] = { "opus", 48000, 2, AUDIO, -1, true },
    [TR_CODEC_MULTIOPUS] = { "multiopus", 48000, 6, AUDIO, -1, true },
    /* G.722 samples at 16 kHz, but its RTP clock is 8 kHz (RFC 3551 section 4.5.2). */
    [TR_CODEC_G722] = { "G722", 8000, 1, AUDIO, 9, true },
    [TR_CODEC_PCMU] = { "PCMU", 8000, 1, AUDIO, 0, true },
    [TR_CODEC_PCMA] = { "PCMA", 8000, 1, AUDIO, 8, true },
    /* RFC 3551 assigns 10 and 11 to it at 44.1 kHz only, stereo and mono. */
    [TR_CODEC_L16] = { "L16", 0, 1, AUDIO, -1, true },
    [TR_CODEC_CN] = { "CN", 8000, 1, AUDIO, 13, false },
    [TR_CODEC_TELEPHONE_EVENT] = { "telephone-event", 8000, 1, AUDIO, -1, false },
    [TR_CODEC_RED] = { "red", 0, 0, ANY, -1, false },
    [TR_CODEC_VP8] = { "VP8", 90000, 0, VIDEO, -1, true },
    [TR_CODEC_VP9] = { "VP9", 90000, 0, VIDEO, -1, true },
    [TR_CODEC_H264] = { "H264", 90000, 0, VIDEO, -1, true },
    [TR_CODEC_H265] = { "H265", 90000, 0, VIDEO, -1, true },
    [TR_CODEC_AV1] = { "AV1", 90000, 0, VIDEO, -1, true },
    [TR_CODEC_RTX] = { "rtx", 0, 0, ANY, -1, false },
    [TR_CODEC_ULPFEC] = { "ulpfec", 90000, 0, VIDEO, -1, false },
    [TR_CODEC_FLEXFEC] = { "flexfec-03", 90000, 0, VIDEO, -1, false },
};

const struct tr_codec_info *tr_codec_info(enum tr_codec codec)
{
    unsigned i = (unsigned)codec;
    return &infos[i < TR_CODEC_COUNT ? i : TR_CODEC_NONE];
}

enum tr_codec tr_codec_from_name(struct tr_slice name)
{
    for (unsigned i = TR_CODEC_NONE + 1; i < TR_CODEC_COUNT; i++) {
        if (strlen(infos[i].name) == name.n &&
            strncasecmp(infos[i].name, (const char *)name.p, name.n) == 0)
            return (enum tr_codec)i;
    }
    return TR_CODEC_NONE;
}

enum tr_codec tr_codec_from_static_pt(uint8_t pt)
{
    for (unsigned i = TR_CODEC_NONE + 1; i < TR_CODEC_COUNT; i++) {
        if (infos[i].static_pt >= 0 && infos[i].static_pt == (int)pt)
            return (enum tr_codec)i;
    }
    return TR_CODEC_NONE;
}

bool tr_codec_is_video(enum tr_codec codec)
{
    return tr_codec_info(codec)->kind == VIDEO;
}

bool tr_codec_is_audio(enum tr_codec codec)
{
    return tr_codec_info(codec)->kind == AUDIO || codec == TR_CODEC_RED;
}

static bool vp8_keyframe(struct tr_slice payload)
{
    struct tr_vp8 d;
    return tr_vp8_parse(&d, payload) == TR_OK && d.keyframe;
}

static bool vp9_keyframe(struct tr_slice payload)
{
    struct tr_vp9 d;
    return tr_vp9_parse(&d, payload) == TR_OK && d.keyframe;
}

static bool h264_keyframe(struct tr_slice payload)
{
    struct tr_h264 d;
    return tr_h264_parse(&d, payload) == TR_OK && d.keyframe;
}

static bool h265_keyframe(struct tr_slice payload)
{
    struct tr_h265 d;
    return tr_h265_parse(&d, payload) == TR_OK && d.keyframe;
}

static bool av1_keyframe(struct tr_slice payload)
{
    struct tr_av1 d;
    return tr_av1_parse(&d, payload) == TR_OK && d.keyframe;
}

bool tr_payload_is_keyframe(enum tr_codec codec, struct tr_slice payload)
{
    switch ((int)codec) {
    case TR_CODEC_VP8: return vp8_keyframe(payload);
    case TR_CODEC_VP9: return vp9_keyframe(payload);
    case TR_CODEC_H264: return h264_keyframe(payload);
    case TR_CODEC_H265: return h265_keyframe(payload);
    case TR_CODEC_AV1: return av1_keyframe(payload);
    default: return tr_codec_is_audio(codec);
    }
}

void tr_payload_renumber(enum tr_codec codec, uint8_t *payload, size_t n, uint16_t picture_id,
                         uint8_t tl0_pic_idx)
{
    struct tr_vp8 vp8;
    struct tr_vp9 vp9;
    if (codec == TR_CODEC_VP8 && tr_vp8_parse(&vp8, tr_slice(payload, n)) == TR_OK)
        tr_vp8_rewrite(payload, &vp8, picture_id, tl0_pic_idx);
    if (codec == TR_CODEC_VP9 && tr_vp9_parse(&vp9, tr_slice(payload, n)) == TR_OK)
        tr_vp9_rewrite(payload, &vp9, picture_id, tl0_pic_idx);
}

static bool vp8_size(struct tr_slice payload, uint16_t *width, uint16_t *height)
{
    struct tr_vp8 d;
    if (tr_vp8_parse(&d, payload) != TR_OK || d.width == 0 || d.height == 0)
        return false;
    *width = d.width;
    *height = d.height;
    return true;
}

static bool vp9_size(struct tr_slice payload, uint16_t *width, uint16_t *height)
{
    struct tr_vp9 d;
    if (tr_vp9_parse(&d, payload) != TR_OK || !d.has_sizes)
        return false;
    unsigned top = d.spatial_layers - 1u;
    if (d.width[top] == 0 || d.height[top] == 0)
        return false;
    *width = d.width[top];
    *height = d.height[top];
    return true;
}

static bool h264_size(struct tr_slice payload, uint16_t *width, uint16_t *height)
{
    struct tr_h264 d;
    if (tr_h264_parse(&d, payload) != TR_OK || d.width == 0)
        return false;
    *width = d.width;
    *height = d.height;
    return true;
}

bool tr_payload_frame_size(enum tr_codec codec, struct tr_slice payload, uint16_t *width,
                           uint16_t *height)
{
    switch ((int)codec) {
    case TR_CODEC_VP8: return vp8_size(payload, width, height);
    case TR_CODEC_VP9: return vp9_size(payload, width, height);
    case TR_CODEC_H264: return h264_size(payload, width, height);
    default: return false;
    }
}

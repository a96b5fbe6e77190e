/* Names, and the keyframe and size questions on packets that real encoders made (test/corpus). */
#include "payload/codec.h"

#include "payload/opus.h"
#include "payload/vp8.h"
#include "unit.h"

static struct tr_slice load(const char *name, uint8_t *buf, size_t max)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", TEST_CORPUS, name);
    FILE *f = fopen(path, "rb");
    if (!CHECK(f != NULL))
        return tr_slice(NULL, 0);
    size_t n = fread(buf, 1, max, f);
    fclose(f);
    return tr_slice(buf, n);
}

TEST(codec_names_round_trip)
{
    for (unsigned i = 1; i < TR_CODEC_COUNT; i++) {
        const struct tr_codec_info *info = tr_codec_info((enum tr_codec)i);
        CHECK(info->name[0] != 0);
        CHECK_INT(tr_codec_from_name(tr_slice_str(info->name)), i);
        if (info->static_pt >= 0)
            CHECK_INT(tr_codec_from_static_pt((uint8_t)info->static_pt), i);
    }
    CHECK_INT(tr_codec_from_name(tr_slice_str("OPUS")), TR_CODEC_OPUS);
    CHECK_INT(tr_codec_from_name(tr_slice_str("opu")), TR_CODEC_NONE);
    CHECK_INT(tr_codec_from_name(tr_slice_str("opusx")), TR_CODEC_NONE);
    CHECK_INT(tr_codec_from_name(tr_slice(NULL, 0)), TR_CODEC_NONE);
    CHECK_INT(tr_codec_from_static_pt(255), TR_CODEC_NONE);
    CHECK_STR(tr_codec_info((enum tr_codec)9999)->name, "");
    CHECK(tr_codec_is_video(TR_CODEC_AV1) && !tr_codec_is_video(TR_CODEC_RTX));
    CHECK(tr_codec_is_audio(TR_CODEC_RED) && !tr_codec_is_audio(TR_CODEC_VP8));
}

TEST(codec_real_packets)
{
    static const struct {
        const char *file;
        enum tr_codec codec;
        bool keyframe;
        int width, height;
    } t[] = {
        { "vp8-0", TR_CODEC_VP8, true, 320, 240 }, { "vp8-1", TR_CODEC_VP8, false, 0, 0 },
        { "vp8-8", TR_CODEC_VP8, false, 0, 0 },    { "vp8-11", TR_CODEC_VP8, false, 0, 0 },
        { "vp9-0", TR_CODEC_VP9, true, 0, 0 },     { "vp9-1", TR_CODEC_VP9, false, 0, 0 },
        { "vp9-11", TR_CODEC_VP9, false, 0, 0 },   { "h264-0", TR_CODEC_H264, true, 320, 240 },
        { "h264-19", TR_CODEC_H264, false, 0, 0 }, { "h264b-0", TR_CODEC_H264, true, 1920, 1080 },
        { "h265-0", TR_CODEC_H265, true, 0, 0 },   { "h265-7", TR_CODEC_H265, false, 0, 0 },
        { "opus-0", TR_CODEC_OPUS, true, 0, 0 },
    };
    uint8_t buf[2048];
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct tr_slice p = load(t[i].file, buf, sizeof(buf));
        uint16_t w = 0, h = 0;
        if (!CHECK(tr_payload_is_keyframe(t[i].codec, p) == t[i].keyframe))
            unit_note("    %s", t[i].file);
        CHECK_INT(tr_payload_frame_size(t[i].codec, p, &w, &h), t[i].width > 0);
        CHECK_INT(w, t[i].width);
        CHECK_INT(h, t[i].height);
    }
    CHECK_INT(tr_opus_samples(load("opus-0", buf, sizeof(buf))), 960);
}

TEST(codec_rubbish_is_no_keyframe)
{
    for (unsigned c = 0; c < TR_CODEC_COUNT; c++) {
        bool audio = tr_codec_is_audio((enum tr_codec)c);
        CHECK_INT(tr_payload_is_keyframe((enum tr_codec)c, tr_slice(NULL, 0)), audio);
    }
}

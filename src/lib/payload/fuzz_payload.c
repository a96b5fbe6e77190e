/* All payload parsers on the same bytes. */
#include <stdlib.h>

#include "base/assert.h"
#include "payload/av1.h"
#include "payload/codec.h"
#include "payload/h264.h"
#include "payload/opus.h"
#include "payload/vp8.h"
#include "payload/vp9.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rewrite(struct tr_slice s)
{
    struct tr_vp8 vp8;
    struct tr_vp9 vp9;
    uint8_t *copy = malloc(s.n + 1);
    if (!copy)
        return;
    memcpy(copy, s.p, s.n);
    if (tr_vp8_parse(&vp8, s) == TR_OK) {
        TR_ASSERT(vp8.hdr_len < s.n);
        tr_vp8_rewrite(copy, &vp8, 0x1234, 0x56);
        TR_ASSERT(tr_vp8_parse(&vp8, tr_slice(copy, s.n)) == TR_OK);
        TR_ASSERT(vp8.picture_id_bits != 15 || vp8.picture_id == 0x1234);
    }
    memcpy(copy, s.p, s.n);
    if (tr_vp9_parse(&vp9, s) == TR_OK) {
        TR_ASSERT(vp9.hdr_len < s.n);
        tr_vp9_rewrite(copy, &vp9, 0x1234, 0x56);
        TR_ASSERT(tr_vp9_parse(&vp9, tr_slice(copy, s.n)) == TR_OK);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_slice s = tr_slice(data, size);
    uint16_t w, h;
    struct tr_red red;
    for (unsigned c = 0; c <= TR_CODEC_COUNT; c++) {
        (void)tr_payload_is_keyframe((enum tr_codec)c, s);
        (void)tr_payload_frame_size((enum tr_codec)c, s, &w, &h);
    }
    if (tr_red_parse(&red, s) == TR_OK)
        TR_ASSERT(red.primary.n <= size);
    TR_ASSERT(tr_opus_samples(s) <= TR_OPUS_SAMPLES_MAX);
    (void)!tr_h264_sps_size(s, &w, &h);
    (void)tr_codec_from_name(s);
    if (size > 0)
        rewrite(s);
    return 0;
}

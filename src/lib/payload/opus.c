/* Durations come from the TOC byte alone (RFC 6716 table 2), and the frame count byte of code 3. */
#include "payload/opus.h"

static uint32_t frame_samples(unsigned config)
{
    static const uint16_t silk[] = { 480, 960, 1920, 2880 };
    if (config < 12)
        return silk[config & 3];
    if (config < 16)
        return config & 1 ? 960 : 480; /* hybrid */
    return 120u << (config & 3);       /* CELT */
}

uint32_t tr_opus_samples(struct tr_slice packet)
{
    if (packet.n < 1)
        return 0;
    uint32_t frames;
    switch (packet.p[0] & 3) {
    case 0: frames = 1; break;
    case 3: frames = packet.n > 1 ? packet.p[1] & 0x3fu : 0; break;
    default: frames = 2; break;
    }
    uint32_t samples = frames * frame_samples(packet.p[0] >> 3);
    return samples <= TR_OPUS_SAMPLES_MAX ? samples : 0;
}

bool tr_opus_is_dtx(struct tr_slice packet)
{
    return packet.n >= 1 && packet.n <= 2;
}

bool tr_opus_is_stereo(struct tr_slice packet)
{
    return packet.n >= 1 && (packet.p[0] & 4) != 0;
}

enum tr_err tr_red_parse(struct tr_red *out, struct tr_slice payload)
{
    struct tr_rd rd = tr_rd(payload);
    uint8_t pts[TR_RED_BLOCKS_MAX];
    size_t skip = 0;
    uint8_t b;
    *out = (struct tr_red){ .one_pt = true };
    while ((b = tr_rd_u8(&rd)) & 0x80) {
        if (out->redundant == TR_RED_BLOCKS_MAX)
            return TR_ERR_BADMSG;
        pts[out->redundant++] = b & 0x7f;
        skip += tr_rd_u24(&rd) & 0x3ff; /* 14 bits of timestamp offset, 10 of length */
    }
    (void)tr_rd_take(&rd, skip);
    if (rd.bad || tr_rd_left(&rd) == 0)
        return TR_ERR_BADMSG;
    out->primary_pt = b;
    out->primary = tr_slice(rd.p, tr_rd_left(&rd));
    for (unsigned i = 0; i < out->redundant; i++)
        out->one_pt = out->one_pt && pts[i] == b;
    return TR_OK;
}

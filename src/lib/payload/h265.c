/* As h264.c, with two-byte NAL unit headers. */
#include "payload/h265.h"

enum nal_type {
    NAL_IRAP_FIRST = 16,
    NAL_IRAP_LAST = 23,
    NAL_VPS = 32,
    NAL_SPS = 33,
    NAL_LAST = 47,
    NAL_AP = 48,
    NAL_FU = 49
};

static void note_type(struct tr_h265 *out, unsigned type)
{
    out->irap = out->irap || (type >= NAL_IRAP_FIRST && type <= NAL_IRAP_LAST);
    out->parameter_sets = out->parameter_sets || type == NAL_VPS || type == NAL_SPS;
}

static unsigned type_of(struct tr_slice nal)
{
    return nal.p[0] >> 1 & 0x3f;
}

static enum tr_err note_ap(struct tr_h265 *out, struct tr_slice payload)
{
    struct tr_rd rd = tr_rd(payload);
    (void)tr_rd_u16(&rd);
    do {
        struct tr_slice nal = tr_rd_take(&rd, tr_rd_u16(&rd));
        if (rd.bad || nal.n < 2 || type_of(nal) > NAL_LAST)
            return TR_ERR_BADMSG;
        note_type(out, type_of(nal));
    } while (tr_rd_left(&rd) > 0);
    return TR_OK;
}

enum tr_err tr_h265_parse(struct tr_h265 *out, struct tr_slice payload)
{
    *out = (struct tr_h265){ 0 };
    if (payload.n < 3)
        return TR_ERR_BADMSG;
    unsigned type = type_of(payload);
    if (type == NAL_AP) {
        enum tr_err err = note_ap(out, payload);
        if (err != TR_OK)
            return err;
    } else if (type == NAL_FU) {
        if (payload.n < 4)
            return TR_ERR_BADMSG;
        if (payload.p[2] & 0x80)
            note_type(out, payload.p[2] & 0x3f);
    } else if (type <= NAL_LAST) {
        note_type(out, type);
    } else {
        return TR_ERR_BADMSG;
    }
    out->keyframe = out->irap || out->parameter_sets;
    return TR_OK;
}

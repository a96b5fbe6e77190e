/* The iterator does the bounds; parse walks the whole payload with it, so that a packet that breaks
 * half-way counts as broken as a whole. */
#include "payload/av1.h"

enum { LEB128_MAX = 5 }; /* 35 bits: far beyond any packet */

static size_t leb128(struct tr_rd *rd)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < LEB128_MAX; i++) {
        uint8_t b = tr_rd_u8(rd);
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80))
            return (size_t)v;
    }
    rd->bad = true;
    return 0;
}

void tr_av1_iter_init(struct tr_av1_iter *it, struct tr_slice payload)
{
    *it = (struct tr_av1_iter){ .rd = tr_rd(payload) };
    uint8_t b = tr_rd_u8(&it->rd);
    it->continued = (b & 0x80) != 0;
    it->left = b >> 4 & 0x03;
    it->counted = it->left > 0;
}

bool tr_av1_next(struct tr_av1_iter *it, struct tr_av1_element *out)
{
    if (it->rd.bad || (it->counted ? it->left == 0 : tr_rd_left(&it->rd) == 0))
        return false;
    bool last = it->counted && --it->left == 0;
    size_t n = last ? tr_rd_left(&it->rd) : leb128(&it->rd);
    struct tr_slice data = tr_rd_take(&it->rd, n);
    if (it->rd.bad)
        return false;
    *out = (struct tr_av1_element){ .data = data, .continued = it->continued };
    if (!it->continued && data.n > 0)
        out->type = data.p[0] >> 3 & 0x0f;
    it->continued = false;
    return true;
}

enum tr_err tr_av1_parse(struct tr_av1 *out, struct tr_slice payload)
{
    *out = (struct tr_av1){ 0 };
    if (payload.n < 2)
        return TR_ERR_BADMSG;
    uint8_t b = payload.p[0];
    bool new_sequence = (b & 0x08) != 0;
    out->continued = (b & 0x80) != 0;
    out->continues = (b & 0x40) != 0;
    out->count = b >> 4 & 0x03;
    if (new_sequence && out->continued)
        return TR_ERR_BADMSG;
    struct tr_av1_iter it;
    struct tr_av1_element e;
    tr_av1_iter_init(&it, payload);
    while (tr_av1_next(&it, &e)) {
        if (!e.continued && e.data.n > 0 && e.type == TR_AV1_OBU_SEQUENCE_HEADER)
            out->sequence_header = true;
    }
    if (it.rd.bad)
        return TR_ERR_BADMSG;
    out->keyframe = new_sequence;
    return TR_OK;
}

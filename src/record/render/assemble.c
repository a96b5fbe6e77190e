/* One function for each codec; each walks the frame's packets once and writes through a bounded
 * cursor, whose sticky error is looked at in the end. Fragments that do not start, or do not end,
 * are malformed here: frames come complete. */
#include "record/render/assemble.h"

#include "payload/av1.h"
#include "payload/vp8.h"
#include "payload/vp9.h"

enum { NAL_STAP_A = 24, NAL_FU_A = 28, NAL_SINGLE_MAX = 23 };

static enum tr_err vp8(const struct rn_packet *k, struct tr_wr *w)
{
    struct tr_vp8 d;
    if (tr_vp8_parse(&d, tr_slice(k->p, k->len)) != TR_OK)
        return TR_ERR_BADMSG;
    tr_wr_bytes(w, k->p + d.hdr_len, (size_t)k->len - d.hdr_len);
    return TR_OK;
}

static enum tr_err vp9(const struct rn_packet *k, struct tr_wr *w)
{
    struct tr_vp9 d;
    if (tr_vp9_parse(&d, tr_slice(k->p, k->len)) != TR_OK)
        return TR_ERR_BADMSG;
    tr_wr_bytes(w, k->p + d.hdr_len, (size_t)k->len - d.hdr_len);
    return TR_OK;
}

static enum tr_err h264_stap(struct tr_slice s, struct tr_wr *w)
{
    struct tr_rd r = tr_rd(s);
    tr_rd_u8(&r);
    while (tr_rd_left(&r) && !r.bad) {
        struct tr_slice nal = tr_rd_take(&r, tr_rd_u16(&r));
        tr_wr_u32(w, 1);
        tr_wr_bytes(w, nal.p, nal.n);
    }
    return r.bad ? TR_ERR_BADMSG : TR_OK;
}

/* open: an FU-A is under way. */
static enum tr_err h264(const struct rn_packet *k, bool *open, struct tr_wr *w)
{
    struct tr_slice s = tr_slice(k->p, k->len);
    uint8_t type = s.p[0] & 0x1f;
    if (type == NAL_STAP_A)
        return *open ? TR_ERR_BADMSG : h264_stap(s, w);
    if (type == NAL_FU_A) {
        bool start = s.n > 1 && (s.p[1] & 0x80), end = s.n > 1 && (s.p[1] & 0x40);
        if (s.n < 3 || start == *open)
            return TR_ERR_BADMSG;
        if (start) {
            tr_wr_u32(w, 1);
            tr_wr_u8(w, (uint8_t)((s.p[0] & 0xe0) | (s.p[1] & 0x1f)));
        }
        tr_wr_bytes(w, s.p + 2, s.n - 2);
        *open = !end;
        return TR_OK;
    }
    if (type == 0 || type > NAL_SINGLE_MAX || *open)
        return TR_ERR_BADMSG;
    tr_wr_u32(w, 1);
    tr_wr_bytes(w, s.p, s.n);
    return TR_OK;
}

static void put_leb128(struct tr_wr *w, size_t v)
{
    do {
        tr_wr_u8(w, (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0)));
        v >>= 7;
    } while (v);
}

/* An OBU with a size field. Elements in RTP normally lack it; one that has it is copied. */
static enum tr_err put_obu(struct tr_wr *w, struct tr_slice obu)
{
    if (obu.n == 0)
        return TR_ERR_BADMSG;
    size_t head = obu.p[0] & 0x04 ? 2 : 1; /* extension byte */
    if (obu.n < head)
        return TR_ERR_BADMSG;
    if (obu.p[0] & 0x02) {
        tr_wr_bytes(w, obu.p, obu.n);
        return TR_OK;
    }
    tr_wr_u8(w, obu.p[0] | 0x02);
    if (head == 2)
        tr_wr_u8(w, obu.p[1]);
    put_leb128(w, obu.n - head);
    tr_wr_bytes(w, obu.p + head, obu.n - head);
    return TR_OK;
}

/* The bytes of an OBU that is spread over packets are gathered at the end of the output's room and
 * then written with their size in front of it; the room is twice the payloads. */
static enum tr_err av1(const struct rn_packet *packets, uint32_t count, struct tr_wr *w)
{
    size_t all = 0, n = 0;
    for (uint32_t i = 0; i < count; i++)
        all += packets[i].len;
    if ((size_t)(w->end - w->p) < 2 * all + 32u * count)
        return TR_ERR_LIMIT;
    uint8_t *gather = w->end - all;
    struct tr_wr out = tr_wr(w->p, (size_t)(gather - w->p));
    bool open = false;
    tr_wr_u16(&out, 0x1200); /* temporal delimiter with size 0 */
    for (uint32_t i = 0; i < count; i++) {
        struct tr_slice payload = tr_slice(packets[i].p, packets[i].len);
        struct tr_av1 head;
        struct tr_av1_iter it;
        struct tr_av1_element e, next;
        if (packets[i].len == 0)
            continue;
        if (tr_av1_parse(&head, payload) != TR_OK || head.continued != open)
            return TR_ERR_BADMSG;
        tr_av1_iter_init(&it, payload);
        for (bool more = tr_av1_next(&it, &e); more; e = next) {
            more = tr_av1_next(&it, &next);
            memcpy(gather + n, e.data.p, e.data.n);
            n += e.data.n;
            open = !more && head.continues;
            bool delimiter = n && (gather[0] >> 3 & 15) == TR_AV1_OBU_TEMPORAL_DELIMITER;
            if (!open && !delimiter && put_obu(&out, tr_slice(gather, n)) != TR_OK)
                return TR_ERR_BADMSG;
            n = open ? n : 0;
        }
    }
    w->p = out.p;
    w->bad |= out.bad;
    return open ? TR_ERR_BADMSG : TR_OK;
}

enum tr_err rn_assemble(enum tr_codec codec, const struct rn_packet *packets, uint32_t count,
                        struct tr_wr *out)
{
    bool open = false;
    enum tr_err err = codec == TR_CODEC_AV1 ? av1(packets, count, out) : TR_OK;
    for (uint32_t i = 0; i < count && !err && codec != TR_CODEC_AV1; i++) {
        if (packets[i].len == 0) /* padding that probed for bandwidth */
            continue;
        if (codec == TR_CODEC_VP8)
            err = vp8(&packets[i], out);
        else if (codec == TR_CODEC_VP9)
            err = vp9(&packets[i], out);
        else
            err = h264(&packets[i], &open, out);
    }
    if (err)
        return err;
    return open ? TR_ERR_BADMSG : out->bad ? TR_ERR_LIMIT : TR_OK;
}

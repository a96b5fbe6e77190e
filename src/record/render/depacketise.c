/* Frames are the runs of packets with one timestamp. A frame is complete when
 *   - its packets are numbered without a gap,
 *   - nothing is missing before it: the number goes on from the frame before, or the codec says
 *     that a frame starts here, and
 *   - nothing is missing after it: the marker is set, or the next packet goes on with another
 *     timestamp.
 * A hole between complete frames may be a lost frame, or padding that nobody recorded. Picture ids
 * that go on tell the latter. With VP8's temporal layers a lost upper frame does no harm to the
 * base layer, which TL0PICIDX shows. Everything else waits for a keyframe. */
#include "record/render/depacketise.h"

#include "base/mem.h"
#include "payload/av1.h"
#include "payload/vp8.h"
#include "payload/vp9.h"
#include "record/render/assemble.h"

struct look { /* at a run of packets with one timestamp */
    const struct rn_packet *first;
    uint32_t count;
    bool whole, keyframe;
    bool follows; /* its number goes on from the frame before */
};

void rn_depack_init(struct rn_depack *d, const struct rn_part *part, enum tr_codec codec)
{
    *d = (struct rn_depack){ .part = part, .codec = codec, .need_key = true };
}

void rn_depack_deinit(struct rn_depack *d)
{
    tr_free(d->buf);
    d->buf = NULL;
}

bool rn_depack_knows(enum tr_codec codec)
{
    return codec == TR_CODEC_VP8 || codec == TR_CODEC_VP9 || codec == TR_CODEC_H264 ||
           codec == TR_CODEC_AV1;
}

/* May this payload be the first of a frame? H.264 does not say. */
static bool starts_frame(enum tr_codec codec, struct tr_slice payload)
{
    struct tr_vp8 vp8;
    struct tr_vp9 vp9;
    struct tr_av1 av1;
    switch ((int)codec) {
    case TR_CODEC_VP8:
        return tr_vp8_parse(&vp8, payload) == TR_OK && vp8.start && vp8.partition == 0;
    case TR_CODEC_VP9: return tr_vp9_parse(&vp9, payload) == TR_OK && vp9.start && !vp9.inter_layer;
    case TR_CODEC_AV1: return tr_av1_parse(&av1, payload) == TR_OK && !av1.continued;
    default: return tr_payload_is_keyframe(codec, payload);
    }
}

static bool next_run(struct rn_depack *d, struct look *l)
{
    const struct rn_part *part = d->part;
    while (d->at < part->count && part->packets[d->at].len == 0) { /* padding between frames */
        if (d->started && part->packets[d->at].seq == d->next_seq)
            d->next_seq++;
        d->at++;
    }
    if (d->at >= part->count)
        return false;
    const struct rn_packet *p = &part->packets[d->at];
    uint32_t n = 1, left = part->count - d->at;
    bool gap = false;
    *l = (struct look){ .first = p };
    l->keyframe = tr_payload_is_keyframe(d->codec, tr_slice(p->p, p->len));
    for (; n < left && p[n].ts == p->ts; n++) {
        gap |= p[n].seq != p[n - 1].seq + 1;
        l->keyframe |= d->codec == TR_CODEC_H264 &&
                       tr_payload_is_keyframe(d->codec, tr_slice(p[n].p, p[n].len));
    }
    l->count = n;
    l->follows = d->started && p->seq == d->next_seq;
    bool begun = l->follows || starts_frame(d->codec, tr_slice(p->p, p->len));
    bool done = p[n - 1].marker || (n < left && p[n].seq == p[n - 1].seq + 1);
    l->whole = !gap && begun && done;
    d->at += n;
    d->next_seq = p[n - 1].seq + 1;
    d->started = true;
    return true;
}

/* The picture id with its width in the upper half, so that a change of width never "goes on". */
static bool picture_of(enum tr_codec codec, const struct rn_packet *p, uint32_t *id)
{
    struct tr_vp8 vp8;
    struct tr_vp9 vp9;
    if (codec == TR_CODEC_VP8 && tr_vp8_parse(&vp8, tr_slice(p->p, p->len)) == TR_OK) {
        *id = (uint32_t)vp8.picture_id_bits << 16 | vp8.picture_id;
        return vp8.picture_id_bits > 0;
    }
    if (codec == TR_CODEC_VP9 && tr_vp9_parse(&vp9, tr_slice(p->p, p->len)) == TR_OK) {
        *id = (uint32_t)vp9.picture_id_bits << 16 | vp9.picture_id;
        return vp9.picture_id_bits > 0;
    }
    return false;
}

/* VP8 with temporal layers knows: 1 when this frame needs only frames that were given out, 0 when
 * not, -1 when it cannot be told. */
static int layers_intact(const struct rn_depack *d, const struct rn_packet *p)
{
    struct tr_vp8 v;
    if (d->codec != TR_CODEC_VP8 || !d->has_tl0 ||
        tr_vp8_parse(&v, tr_slice(p->p, p->len)) != TR_OK || !v.has_tl0_pic_idx || !v.has_tid)
        return -1;
    if (v.tid == 0)
        return v.tl0_pic_idx == (uint8_t)(d->tl0 + 1);
    return v.tl0_pic_idx == d->tl0 && (v.layer_sync || !d->upper_lost);
}

/* Is no frame missing before this one? Padding that nobody recorded leaves holes in the numbers,
 * but not in the picture ids. */
static bool goes_on(const struct rn_depack *d, const struct look *l)
{
    uint32_t id, bits = d->picture >> 16;
    if (l->follows)
        return true;
    return d->has_picture && picture_of(d->codec, l->first, &id) &&
           id == (bits << 16 | ((d->picture + 1) & ((1u << bits) - 1)));
}

static bool decodable(struct rn_depack *d, const struct look *l)
{
    if (!l->whole)
        return false;
    if (l->keyframe)
        return true;
    bool next = goes_on(d, l);
    d->upper_lost |= !next;
    int layers = layers_intact(d, l->first);
    if (layers >= 0)
        return layers == 1;
    return !d->need_key && next;
}

static void remember(struct rn_depack *d, const struct look *l)
{
    struct tr_vp8 v;
    d->need_key = false;
    d->has_picture = picture_of(d->codec, l->first, &d->picture);
    if (d->codec == TR_CODEC_VP8 &&
        tr_vp8_parse(&v, tr_slice(l->first->p, l->first->len)) == TR_OK) {
        d->has_tl0 = v.has_tl0_pic_idx;
        d->tl0 = v.tl0_pic_idx;
        d->upper_lost &= !l->keyframe && !(v.has_tid && v.tid > 0 && v.layer_sync);
    }
}

static enum tr_err assemble(struct rn_depack *d, const struct look *l)
{
    size_t need = RN_FRAME_PAD;
    for (uint32_t i = 0; i < l->count; i++)
        need += 2u * l->first[i].len + 32;
    if (need > 2 * RN_FRAME_MAX)
        return TR_ERR_LIMIT;
    if (need > d->size) {
        uint8_t *p = tr_realloc(d->buf, need);
        if (!p)
            return TR_ERR_NOMEM;
        d->buf = p;
        d->size = need;
    }
    struct tr_wr w = tr_wr(d->buf, d->size - RN_FRAME_PAD);
    enum tr_err err = rn_assemble(d->codec, l->first, l->count, &w);
    d->used = tr_wr_len(&w);
    memset(d->buf + d->used, 0, RN_FRAME_PAD);
    return err;
}

enum tr_err rn_depack_next(struct rn_depack *d, struct rn_frame *frame)
{
    struct look l;
    while (next_run(d, &l)) {
        enum tr_err err = decodable(d, &l) ? assemble(d, &l) : TR_ERR_IGNORED;
        if (err == TR_ERR_NOMEM)
            return err;
        if (err || d->used == 0) {
            d->dropped++;
            d->need_key = d->upper_lost = true;
            continue;
        }
        remember(d, &l);
        d->frames++;
        *frame = (struct rn_frame){ .ts = l.first->ts,
                                    .keyframe = l.keyframe,
                                    .data = tr_slice(d->buf, d->used) };
        return TR_OK;
    }
    return TR_ERR_NOTFOUND;
}

/* Layer choice and renumbering of one stream whose packets say anything: descriptors read from the
 * input, flags, layers, numbers that jump. Nothing that was sent changes when it is sent again. */
#include "base/assert.h"
#include "media/layer.h"
#include "media/rewrite.h"
#include "peer/ingress.h"

enum { RECORD = 12, PAYLOAD = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tr_pkt pkt;

/* One packet of a record: control, frame, sequence, layers, dtis; then a length and a descriptor.
 * Returns what is left. */
static struct tr_rd make_packet(struct tr_rd r, struct tr_dd_structure *st, int64_t *seq)
{
    struct tr_rtp_meta *m = tr_rtp_meta(&pkt);
    *m = (struct tr_rtp_meta){ .codec = TR_CODEC_VP9 };
    uint8_t control = tr_rd_u8(&r), layers = tr_rd_u8(&r);
    *seq += (int8_t)tr_rd_u8(&r);
    m->ext_seq = *seq;
    m->flags = (uint16_t)((control & 0x1f) << 5 | (control & 0x20 ? TR_RTP_KEYFRAME : 0));
    m->frame = tr_rd_u16(&r);
    m->ts = m->frame / 3u;
    m->spatial = layers % TR_RTP_GRID;
    m->temporal = layers >> 4 & 3;
    m->dtis = (uint64_t)tr_rd_u32(&r) << 32 | tr_rd_u24(&r);
    if (!(control & 0x40))
        return r;
    size_t n = tr_rd_u8(&r);
    struct tr_slice ext = tr_rd_take(&r, n < tr_rd_left(&r) ? n : tr_rd_left(&r));
    tr_ingress_dependency(&pkt, tr_slice(pkt.buf + TR_PKT_HEADROOM, PAYLOAD), st, ext);
    return r;
}

static void pass(struct tr_layer_choice *choice, struct tr_rewrite *rw)
{
    const struct tr_rtp_meta *m = tr_rtp_meta(&pkt);
    struct tr_layer_out out;
    struct tr_rewritten to, again;
    if (!tr_layer_take(choice, m, tr_rtp_dd(&pkt), m->flags & TR_RTP_KEYFRAME, &out)) {
        tr_rewrite_skip(rw, 1, m);
        return;
    }
    if (out.switched)
        tr_rewrite_switch(rw, 0, 1, 90000, m);
    tr_rewrite_layers(rw, 1, m, &out.svc);
    if (tr_rewrite_packet(rw, 0, 1, m, &to) != TR_OK)
        return;
    TR_ASSERT(tr_rewrite_again(rw, (uint16_t)to.ext_seq, m, &again) != TR_OK ||
              (again.mask == to.mask && again.masked == to.masked && again.marker == to.marker));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_rd r = tr_rd(tr_slice(data, size));
    struct tr_dd_structure st = { 0 };
    struct tr_layer_choice choice;
    struct tr_rewrite rw;
    int64_t seq = 1000;
    tr_layer_init(&choice);
    choice.target = 0;
    tr_rewrite_init(&rw, 0, 0);
    while (tr_rd_left(&r) >= RECORD) {
        uint8_t wish = r.p[0] >> 7 ? r.p[1] : 0xff;
        if (wish != 0xff)
            tr_svc_want(&choice.svc, wish & 3, wish >> 2 & 3);
        r = make_packet(r, &st, &seq);
        pass(&choice, &rw);
    }
    return 0;
}

/* Goal: whatever layers are wanted and when, what is forwarded of a scalable stream decodes: no
 * frame refers to one that was left out. What is wanted comes as soon as the stream allows, and
 * numbers close up. Method: streams of every kind, made of the bytes that senders use and read by
 * ingress, against a model decoder that knows the true references; many seeds. Replay: seed=17 */
#include "media/layer.h"
#include "media/rewrite.h"

#include <stdlib.h>

#include "base/rng.h"
#include "payload/dd_tables.h"
#include "peer/ingress.h"
#include "unit.h"

enum { FRAMES_MAX = 6000, REFS = 2, PICTURES = 400, PARTS_MAX = 3, NOW = 1000000 };

enum kind { L1T3, L3T3, L2T2_KEY, VP9_SVC, VP9_KSVC, VP8_T3, KINDS };

struct frame { /* as the sender knows it; refs are indices, or -1 */
    int spatial, temporal;
    int refs[REFS];
    bool key; /* of the whole picture */
    bool forwarded, decodes, disturbed;
};

struct world {
    struct tr_rng rng;
    enum kind kind;
    bool lossy;
    struct tr_layer_choice choice;
    struct tr_rewrite rw;
    struct tr_pkt pkt;
    struct tr_dd_structure st;
    struct frame frames[FRAMES_MAX];
    int count, picture, since_key; /* pictures */
    int spatial_layers;
    int64_t seq, out_next;
    uint32_t ts;
    int want_spatial, want_temporal, wanted_at; /* picture */
    int last_of_layer[4][3];                    /* newest frame of each spatial, temporal layer */
    struct late {
        struct tr_pkt pkt;
        int frame;
    } late[8];
    int late_count;
    int top_end; /* spatial layer of the frame that carried the marker; -1: none in this picture */
};

static bool chance(struct world *w, unsigned pct)
{
    return tr_rng_below(&w->rng, 100) < pct;
}

static const struct ddt_structure *table_of(enum kind kind)
{
    return kind == L1T3 ? &ddt_l1t3 : kind == L3T3 ? &ddt_l3t3 : &ddt_l2t2_key;
}

static int temporal_of(const struct world *w)
{
    static const int three[] = { 0, 2, 1, 2 };
    return w->kind == L2T2_KEY ? w->since_key % 2 : three[w->since_key % 4];
}

/* The template of a frame in its structure, by its place in the pattern. */
static unsigned index_of(const struct world *w, int spatial, bool key)
{
    static const unsigned l1t3[] = { 1, 3, 2, 4 }, three[] = { 1, 3, 2, 4 };
    if (w->kind == L2T2_KEY)
        return (unsigned)spatial * 3 + (key ? 0 : 1 + (unsigned)w->since_key % 2);
    if (key)
        return (unsigned)spatial * 5;
    return (unsigned)spatial * 5 + (w->kind == L1T3 ? l1t3 : three)[w->since_key % 4];
}

/* The true references: the newest lower temporal frame of the layer, and the layer below. */
static void refer(struct world *w, struct frame *f, bool key)
{
    int n = 0, newest = -1;
    bool inter_layer = w->kind == L3T3 || w->kind == VP9_SVC || key;
    f->refs[0] = f->refs[1] = -1;
    for (int t = 0; t <= f->temporal && !key; t++) {
        int i = w->last_of_layer[f->spatial][t];
        if ((t < f->temporal || t == 0) && i > newest)
            newest = i;
    }
    if (newest >= 0)
        f->refs[n++] = newest;
    if (f->spatial > 0 && inter_layer)
        f->refs[n] = w->count - 1;
}

static struct tr_slice vp9_payload(const struct world *w, const struct frame *f, bool first,
                                   bool last, uint8_t *p)
{
    bool inter = !f->key, inter_layer = f->spatial > 0 && (f->key || w->kind == VP9_SVC);
    uint32_t picture = 0x7f80u + (unsigned)w->picture;
    p[0] = (uint8_t)(0x80 | (inter ? 0x40 : 0) | 0x20 | (first ? 8 : 0) | (last ? 4 : 0));
    tr_put16(p + 1, (uint16_t)(0x8000 | picture));
    p[3] = (uint8_t)(f->temporal << 5 | 0x10 | f->spatial << 1 | inter_layer);
    p[4] = (uint8_t)(w->picture / 4);
    p[5] = 0x82;
    return tr_slice(p, 20);
}

static struct tr_slice vp8_payload(const struct world *w, const struct frame *f, bool first,
                                   uint8_t *p)
{
    p[0] = (uint8_t)(0x80 | (f->temporal == 2 ? 0x20 : 0) | (first ? 0x10 : 0));
    p[1] = 0xe0;
    tr_put16(p + 2, (uint16_t)(0x8000 | (0x7f80u + (unsigned)w->picture)));
    p[4] = (uint8_t)(w->picture / 4);
    p[5] = (uint8_t)(f->temporal << 6 | (f->temporal && w->since_key % 4 != 3 ? 0x20 : 0));
    p[6] = f->key ? 0 : 1;
    return tr_slice(p, 20);
}

/* One packet as ingress leaves it. */
static void make_packet(struct world *w, const struct frame *f, int part, int parts, bool marker)
{
    bool first = part == 0, last = part == parts - 1;
    struct tr_rtp_meta *m = tr_rtp_meta(&w->pkt);
    uint8_t *p = w->pkt.buf + TR_PKT_HEADROOM, ext[TR_DD_BYTES_MAX];
    struct tr_slice payload = tr_slice(p, 20);
    *m = (struct tr_rtp_meta){ .ext_seq = w->seq++, .ts = w->ts };
    m->flags = marker ? TR_RTP_MARKER : 0;
    m->codec = w->kind == VP8_T3 ? TR_CODEC_VP8 : TR_CODEC_VP9;
    if (w->kind == VP8_T3)
        payload = vp8_payload(w, f, first, p);
    else if (w->kind >= VP9_SVC)
        payload = vp9_payload(w, f, first, last, p);
    else
        m->codec = TR_CODEC_AV1;
    memset(p + 7, 0, 13);
    tr_ingress_payload(m, payload);
    if (w->kind >= VP9_SVC)
        return;
    struct ddt_frame d = { .start = first, .end = last, .frame = (uint16_t)(65000 + w->count) };
    d.index = index_of(w, f->spatial, f->key);
    d.attach = first && f->key && f->spatial == 0;
    tr_ingress_dependency(&w->pkt, payload, &w->st,
                          tr_slice(ext, ddt_write(ext, table_of(w->kind), &d)));
    CHECK(m->dd_at != 0 && m->spatial == f->spatial && m->temporal == f->temporal);
}

static void receive(struct world *w, const struct tr_pkt *pkt, int frame, bool late)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    struct frame *f = &w->frames[frame];
    struct tr_layer_out out;
    struct tr_rewritten to;
    if (!tr_layer_take(&w->choice, m, tr_rtp_dd(pkt), m->flags & TR_RTP_KEYFRAME, &out)) {
        tr_rewrite_skip(&w->rw, 1, m);
        return;
    }
    if (out.switched)
        tr_rewrite_switch(&w->rw, NOW, 1, 90000, m);
    tr_rewrite_layers(&w->rw, 1, m, &out.svc);
    enum tr_err err = tr_rewrite_packet(&w->rw, NOW, 1, m, &to);
    if (late)
        return; /* it may have been let go long ago */
    CHECK_INT(err, TR_OK);
    f->forwarded = true;
    if (!w->lossy)
        CHECK_INT(to.ext_seq, w->out_next++);
    if (to.marker && !(m->flags & TR_RTP_FRAME_END) && w->kind != VP8_T3)
        CHECK(false);
    if (to.marker)
        w->top_end = f->spatial;
}

static void send_frame(struct world *w, struct frame *f, bool last_layer)
{
    int parts = 1 + (int)tr_rng_below(&w->rng, PARTS_MAX);
    for (int i = 0; i < parts; i++) {
        make_packet(w, f, i, parts, last_layer && i == parts - 1);
        if (!w->lossy || chance(w, 95)) {
            receive(w, &w->pkt, w->count, false);
            continue;
        }
        f->disturbed = true;
        struct late *l = &w->late[w->late_count];
        l->pkt = w->pkt;
        l->frame = w->count;
        w->late_count += w->late_count < 7;
    }
}

/* The model decoder: all that it was given must decode. */
static void decode(struct world *w, int i)
{
    struct frame *f = &w->frames[i];
    f->decodes = f->forwarded;
    for (int k = 0; k < REFS; k++) {
        const struct frame *ref = f->refs[k] >= 0 ? &w->frames[f->refs[k]] : NULL;
        if (!ref)
            continue;
        f->disturbed = f->disturbed || ref->disturbed;
        f->decodes = f->decodes && ref->decodes;
    }
    if (f->forwarded && !f->disturbed && !CHECK(f->decodes))
        unit_note("    kind %d picture %d S%dT%d", w->kind, w->picture, f->spatial, f->temporal);
}

static void send_picture(struct world *w, bool key)
{
    if (key)
        w->since_key = 0;
    w->top_end = -1;
    int top = -1;
    for (int s = 0; s < w->spatial_layers; s++) {
        struct frame *f = &w->frames[w->count];
        *f = (struct frame){ .spatial = s, .temporal = temporal_of(w), .key = key };
        refer(w, f, key);
        send_frame(w, f, s == w->spatial_layers - 1);
        w->last_of_layer[s][f->temporal] = w->count;
        decode(w, w->count);
        top = f->forwarded ? s : top;
        w->count++;
    }
    if (!w->lossy)
        CHECK_INT(w->top_end, top); /* the marker is on the last frame that was sent */
    w->since_key++;
    w->picture++;
    w->ts += 3000;
}

static void check_choice(const struct world *w, bool key)
{
    const struct tr_svc *s = &w->choice.svc;
    int layers = w->spatial_layers - 1, temporal = w->kind == L2T2_KEY ? 1 : 2;
    int want_s = w->want_spatial < layers ? w->want_spatial : layers;
    int want_t = w->want_temporal < temporal ? w->want_temporal : temporal;
    int is_s = s->spatial < layers ? s->spatial : layers;
    int is_t = s->temporal < temporal ? s->temporal : temporal;
    int pictures = w->picture - w->wanted_at;
    bool keyed = key && pictures > 0;
    bool independent = w->kind == L2T2_KEY; /* the way down takes a key frame */
    if (keyed || (pictures > 1 && !independent && w->since_key > 1))
        CHECK(is_s <= want_s && (is_s < want_s || is_t <= want_t));
    if (keyed)
        CHECK(is_s == want_s && is_t == want_t && !tr_svc_needs_keyframe(s));
    if (pictures > 8 && is_s == want_s) /* a whole pattern has passed: temporal layers are there */
        CHECK_INT(is_t, want_t);
    if (pictures > 8)
        CHECK_INT(tr_svc_needs_keyframe(s), is_s != want_s);
}

static void run(struct world *w, uint64_t seed)
{
    *w = (struct world){ .rng = tr_rng_seeded(seed), .kind = (enum kind)(seed % KINDS) };
    w->lossy = seed / KINDS % 2;
    w->spatial_layers = w->kind == L2T2_KEY ? 2 : w->kind == L1T3 || w->kind == VP8_T3 ? 1 : 3;
    memset(w->last_of_layer, -1, sizeof w->last_of_layer);
    w->seq = (int64_t)tr_rng_below(&w->rng, 100000);
    w->ts = tr_rng_u32(&w->rng);
    tr_layer_init(&w->choice);
    w->choice.target = 0;
    w->want_spatial = w->want_temporal = 3;
    tr_rewrite_init(&w->rw, 0, 0);
    for (int n = 0; n < PICTURES; n++) {
        bool key = n == 0 || chance(w, 2);
        if (n > 0 && chance(w, 8)) {
            w->want_spatial = (int)tr_rng_below(&w->rng, 4);
            w->want_temporal = (int)tr_rng_below(&w->rng, 4);
            w->wanted_at = w->picture;
            tr_svc_want(&w->choice.svc, w->want_spatial, w->want_temporal);
        }
        send_picture(w, key);
        if (!w->lossy)
            check_choice(w, key);
        if (w->late_count > 0 && chance(w, 30)) {
            struct late *l = &w->late[--w->late_count];
            receive(w, &l->pkt, l->frame, true);
        }
    }
}

TEST(what_is_forwarded_decodes)
{
    struct world *w = calloc(1, sizeof *w);
    FOR_EACH_SEED (seed, 600)
        run(w, seed);
    free(w);
}

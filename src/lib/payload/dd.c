/* A descriptor is read bit by bit with a sticky error, as its tables are written in the
 * specification (A.8.2, by the names there). A new structure is built beside the old one and takes
 * its place when the whole descriptor has proved to be sound.
 *
 * Frame differences become a bit set at once: who asks is a forwarder, and its question is whether
 * all frames referred to have been sent. Chains are walked, not kept: switching by indications is
 * stricter, for every frame that follows such a switch is decodable (A.7). */
#include "payload/dd.h"

#include "base/assert.h"

enum { MANDATORY_BITS = 24, EXTENDED_BITS = 5 };
enum { MASK_FLAG_BYTE = 3, MASK_FLAG = 0x40 };

struct bits {
    const uint8_t *p;
    uint32_t at, end;
    bool bad;
};

static uint32_t get(struct bits *b, unsigned n)
{
    uint32_t v = 0;
    if (b->bad || b->end - b->at < n) {
        b->bad = true;
        return 0;
    }
    for (; n > 0; n--, b->at++)
        v = v << 1 | (b->p[b->at / 8] >> (7 - b->at % 8) & 1u);
    return v;
}

/* ns(n): values 0..n-1, of which the first take a bit less. */
static uint32_t get_ns(struct bits *b, uint32_t n)
{
    unsigned w = 0;
    for (uint32_t x = n; x != 0; x >>= 1)
        w++;
    uint32_t m = (1u << w) - n, v = get(b, w - 1);
    return v < m ? v : (v << 1) - m + get(b, 1);
}

static void template_layers(struct bits *b, struct tr_dd_structure *st)
{
    enum { SAME, NEXT_TEMPORAL, NEXT_SPATIAL, END };
    uint8_t spatial = 0, temporal = 0;
    uint32_t next;
    do {
        if (st->templates == TR_DD_TEMPLATES_MAX || spatial >= TR_DD_SPATIAL_MAX ||
            temporal >= TR_DD_TEMPORAL_MAX) {
            b->bad = true;
            return;
        }
        st->spatial[st->templates] = spatial;
        st->temporal[st->templates++] = temporal;
        next = get(b, 2);
        if (next == NEXT_TEMPORAL)
            temporal++;
        if (next == NEXT_SPATIAL) {
            temporal = 0;
            spatial++;
        }
    } while (next != END && !b->bad);
}

static uint64_t get_dtis(struct bits *b, unsigned targets)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < targets; i++)
        v |= (uint64_t)get(b, 2) << (2 * i);
    return v;
}

static uint16_t template_fdiffs(struct bits *b)
{
    uint16_t refs = 0;
    while (get(b, 1) && !b->bad)
        refs |= (uint16_t)(1u << get(b, 4));
    return refs;
}

static void template_chains(struct bits *b, struct tr_dd_structure *st)
{
    st->chains = (uint8_t)get_ns(b, st->targets + 1u);
    for (unsigned i = 0; st->chains && i < st->targets; i++)
        (void)get_ns(b, st->chains); /* decode_target_protected_by */
    for (unsigned i = 0; !b->bad && i < (unsigned)st->templates * st->chains; i++)
        (void)get(b, 4); /* template_chain_fdiff */
}

static void decode_target_layers(struct tr_dd_structure *st)
{
    for (unsigned t = 0; t < st->templates; t++) {
        for (unsigned i = 0; i < st->targets; i++) {
            struct tr_dd_target *d = &st->target[i];
            if (tr_dd_dti(st->dtis[t], i) == TR_DTI_ABSENT)
                continue;
            d->spatial = st->spatial[t] > d->spatial ? st->spatial[t] : d->spatial;
            d->temporal = st->temporal[t] > d->temporal ? st->temporal[t] : d->temporal;
        }
    }
}

static uint16_t get_size(struct bits *b)
{
    uint32_t v = get(b, 16) + 1;
    return (uint16_t)(v > UINT16_MAX ? UINT16_MAX : v);
}

static uint32_t all_of(unsigned targets)
{
    return targets >= 32 ? UINT32_MAX : (1u << targets) - 1;
}

static void template_dependency_structure(struct bits *b, struct tr_dd_structure *st)
{
    st->id_offset = (uint8_t)get(b, 6);
    st->targets = (uint8_t)(get(b, 5) + 1);
    template_layers(b, st);
    for (unsigned i = 0; i < st->templates && !b->bad; i++)
        st->dtis[i] = get_dtis(b, st->targets);
    for (unsigned i = 0; i < st->templates && !b->bad; i++)
        st->refs[i] = template_fdiffs(b);
    template_chains(b, st);
    decode_target_layers(st);
    if (b->bad || !get(b, 1))
        return;
    st->sizes = (uint8_t)(st->spatial[st->templates - 1] + 1);
    for (unsigned i = 0; i < st->sizes; i++) {
        st->width[i] = get_size(b);
        st->height[i] = get_size(b);
    }
}

static void frame_fdiffs(struct bits *b, struct tr_dd *out)
{
    uint32_t size;
    out->refs = 0;
    while ((size = get(b, 2)) != 0 && !b->bad) {
        uint32_t back = get(b, 4 * size); /* minus one */
        if (back < TR_DD_REFS_SPAN)
            out->refs |= 1ull << back;
        else
            out->far_refs = true;
    }
}

static void mandatory(struct bits *b, struct tr_dd *out)
{
    out->start = get(b, 1);
    out->end = get(b, 1);
    out->template_id = (uint8_t)get(b, 6);
    out->frame = (uint16_t)get(b, 16);
}

/* Everything behind the templates' own table; st is what the frame goes by. */
static enum tr_err frame_definition(struct bits *b, struct tr_dd *out,
                                    const struct tr_dd_structure *st, bool dtis, bool fdiffs,
                                    bool chains)
{
    unsigned index = (out->template_id + 64u - st->id_offset) % 64u;
    if (index >= st->templates)
        return TR_ERR_NOTFOUND;
    out->spatial = st->spatial[index];
    out->temporal = st->temporal[index];
    out->targets = st->targets;
    out->serial = st->serial;
    out->dtis = dtis ? get_dtis(b, st->targets) : st->dtis[index];
    out->refs = st->refs[index];
    if (fdiffs)
        frame_fdiffs(b, out);
    for (unsigned i = 0; chains && i < st->chains; i++)
        (void)get(b, 8); /* frame_chain_fdiff */
    out->bits = (uint16_t)b->at;
    return b->bad ? TR_ERR_BADMSG : TR_OK;
}

static enum tr_err read_with(struct bits *b, struct tr_dd *out, const struct tr_dd_structure *st,
                             uint32_t flags)
{
    out->active = out->has_structure ? all_of(st->targets) : st->active;
    out->mask_at = (uint16_t)b->at;
    if (out->has_mask)
        out->active = get(b, st->targets) & all_of(st->targets);
    return frame_definition(b, out, st, flags & 4, flags & 2, flags & 1);
}

static void remember(struct tr_dd_structure *st, const struct tr_dd *dd, int64_t seq)
{
    if ((!dd->has_structure && !dd->has_mask) || seq < st->active_seq)
        return;
    st->active = dd->active;
    st->active_seq = seq;
}

/* A descriptor that brings its structure. */
static enum tr_err read_new(struct bits *b, struct tr_dd *out, struct tr_dd_structure *st,
                            uint32_t flags, int64_t seq)
{
    struct tr_dd_structure next = { .seq = seq,
                                    .active_seq = seq,
                                    .serial = (uint8_t)(st->serial + 1) };
    template_dependency_structure(b, &next);
    enum tr_err err = b->bad ? TR_ERR_BADMSG : read_with(b, out, &next, flags);
    if (err == TR_ERR_NOTFOUND)
        err = TR_ERR_BADMSG; /* its own structure does not know it */
    if (err == TR_OK && (st->targets == 0 || seq >= st->seq)) {
        next.active = out->active;
        *st = next;
    }
    return err;
}

enum tr_err tr_dd_parse(struct tr_dd *out, struct tr_dd_structure *st, struct tr_slice ext,
                        int64_t seq)
{
    struct bits b = { .p = ext.p, .end = (uint32_t)ext.n * 8 };
    *out = (struct tr_dd){ 0 };
    if (ext.n < 3 || ext.n > TR_DD_BYTES_MAX)
        return TR_ERR_BADMSG;
    mandatory(&b, out);
    uint32_t flags = ext.n > 3 ? get(&b, EXTENDED_BITS) : 0;
    out->has_structure = flags >> 4 & 1;
    out->has_mask = flags >> 3 & 1;
    if (out->has_structure && !out->start)
        return TR_ERR_BADMSG;
    if (out->has_structure)
        return read_new(&b, out, st, flags, seq);
    if (st->targets == 0)
        return TR_ERR_NOTFOUND;
    enum tr_err err = read_with(&b, out, st, flags);
    if (err == TR_OK)
        remember(st, out, seq);
    return err;
}

/* --- writing --- */

struct put {
    uint8_t *p;
    uint32_t at;
};

static void put(struct put *w, uint32_t v, unsigned n)
{
    while (n-- > 0) {
        uint8_t bit = (uint8_t)(0x80u >> (w->at % 8));
        uint8_t *to = &w->p[w->at++ / 8];
        *to = (uint8_t)(v >> n & 1 ? *to | bit : *to & ~bit);
    }
}

/* Copies the bits from..to of the source behind what is there. */
static void put_bits(struct put *w, const uint8_t *from, uint32_t at, uint32_t end)
{
    struct bits b = { .p = from, .at = at, .end = end };
    while (b.at < b.end) {
        unsigned n = b.end - b.at < 32 ? b.end - b.at : 32;
        put(w, get(&b, n), n);
    }
}

size_t tr_dd_put_masked(uint8_t *out, size_t room, const struct tr_dd *dd, struct tr_slice ext,
                        uint32_t mask)
{
    size_t len = tr_dd_masked_len(dd);
    if (len > room || len > TR_DD_BYTES_MAX)
        return 0;
    TR_ASSERT(dd->targets > 0 && dd->bits <= ext.n * 8 && dd->mask_at <= dd->bits);
    struct put w = { .p = out };
    memcpy(out, ext.p, dd->mask_at / 8);
    w.at = dd->mask_at / 8 * 8;
    put_bits(&w, ext.p, w.at, dd->mask_at);
    if (dd->bits == MANDATORY_BITS)
        put(&w, 0, EXTENDED_BITS);
    put(&w, mask, dd->targets);
    put_bits(&w, ext.p, dd->mask_at + (dd->has_mask ? dd->targets : 0u), dd->bits);
    put(&w, 0, (8 - w.at % 8) % 8);
    out[MASK_FLAG_BYTE] |= MASK_FLAG;
    return len;
}

/* For tests: writes dependency descriptors from tables in the notation of the specification's
 * examples (A.10), independently of the reader. */
#ifndef TR_DD_TEST_H
#define TR_DD_TEST_H

#include "payload/dd.h"

enum { DDT_TEMPLATES = 24, DDT_CHAINS = 4 };

struct ddt_template {
    uint8_t spatial, temporal;
    const char *dtis;           /* a letter a decode target: - D S R */
    uint8_t fdiffs[3];          /* 0: no more */
    uint8_t chains[DDT_CHAINS]; /* differences */
};

struct ddt_structure {
    uint8_t id_offset;
    uint8_t chains;
    const char *protected_by; /* a digit a decode target */
    uint16_t width, height;   /* of the best spatial layer, halved for each below; 0: not stated */
    struct ddt_template t[DDT_TEMPLATES]; /* ends at the first without dtis */
};

struct ddt_frame {
    bool start, end;
    unsigned index; /* of the template */
    uint16_t frame;
    bool attach; /* the structure */
    bool masked;
    uint32_t mask;
    const char *dtis;       /* NULL: the template's, like the next two */
    const uint16_t *fdiffs; /* ends with 0 */
    const uint8_t *chains;
};

struct ddt_bits {
    uint8_t *p;
    unsigned at;
};

static inline void ddt_put(struct ddt_bits *w, unsigned n, uint32_t v)
{
    for (; n > 0; n--, w->at++) {
        if (w->at % 8 == 0)
            w->p[w->at / 8] = 0;
        w->p[w->at / 8] |= (uint8_t)((v >> (n - 1) & 1) << (7 - w->at % 8));
    }
}

static inline void ddt_put_ns(struct ddt_bits *w, uint32_t n, uint32_t v)
{
    unsigned bits = 0;
    for (uint32_t x = n; x; x >>= 1)
        bits++;
    uint32_t m = (1u << bits) - n;
    if (v < m)
        ddt_put(w, bits - 1, v);
    else
        ddt_put(w, bits, v + m);
}

static inline void ddt_put_dtis(struct ddt_bits *w, const char *dtis)
{
    for (; *dtis; dtis++)
        ddt_put(w, 2, *dtis == 'D' ? 1 : *dtis == 'S' ? 2 : *dtis == 'R' ? 3 : 0);
}

static inline unsigned ddt_count(const struct ddt_structure *s)
{
    unsigned n = 0;
    while (n < DDT_TEMPLATES && s->t[n].dtis)
        n++;
    return n;
}

static inline void ddt_put_layers(struct ddt_bits *w, const struct ddt_structure *s)
{
    for (const struct ddt_template *t = s->t; t + 1 < s->t + ddt_count(s); t++)
        ddt_put(w, 2, t[1].spatial != t->spatial ? 2 : t[1].temporal != t->temporal);
    ddt_put(w, 2, 3);
}

static inline void ddt_put_chains(struct ddt_bits *w, const struct ddt_structure *s)
{
    unsigned targets = (unsigned)strlen(s->t[0].dtis);
    ddt_put_ns(w, targets + 1, s->chains);
    for (unsigned i = 0; s->chains && i < targets; i++)
        ddt_put_ns(w, s->chains, (uint32_t)(s->protected_by[i] - '0'));
    for (unsigned i = 0; i < ddt_count(s); i++)
        for (unsigned c = 0; c < s->chains; c++)
            ddt_put(w, 4, s->t[i].chains[c]);
}

static inline void ddt_put_structure(struct ddt_bits *w, const struct ddt_structure *s)
{
    unsigned n = ddt_count(s), top = s->t[n - 1].spatial;
    ddt_put(w, 6, s->id_offset);
    ddt_put(w, 5, (uint32_t)strlen(s->t[0].dtis) - 1);
    ddt_put_layers(w, s);
    for (unsigned i = 0; i < n; i++)
        ddt_put_dtis(w, s->t[i].dtis);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < 3 && s->t[i].fdiffs[k]; k++)
            ddt_put(w, 5, 16u + s->t[i].fdiffs[k] - 1u);
        ddt_put(w, 1, 0);
    }
    ddt_put_chains(w, s);
    ddt_put(w, 1, s->width != 0);
    for (unsigned i = 0; s->width && i <= top; i++) {
        ddt_put(w, 16, (s->width >> (top - i)) - 1u);
        ddt_put(w, 16, (s->height >> (top - i)) - 1u);
    }
}

/* Returns the bytes; `out` has room for TR_DD_BYTES_MAX. */
static inline size_t ddt_write(uint8_t *out, const struct ddt_structure *s,
                               const struct ddt_frame *f)
{
    struct ddt_bits w = { .p = out };
    ddt_put(&w, 1, f->start);
    ddt_put(&w, 1, f->end);
    ddt_put(&w, 6, (s->id_offset + f->index) % 64);
    ddt_put(&w, 16, f->frame);
    if (!f->attach && !f->masked && !f->dtis && !f->fdiffs && !f->chains)
        return 3;
    ddt_put(&w, 1, f->attach);
    ddt_put(&w, 1, f->masked);
    ddt_put(&w, 1, f->dtis != NULL);
    ddt_put(&w, 1, f->fdiffs != NULL);
    ddt_put(&w, 1, f->chains != NULL);
    if (f->attach)
        ddt_put_structure(&w, s);
    if (f->masked)
        ddt_put(&w, (unsigned)strlen(s->t[0].dtis), f->mask);
    if (f->dtis)
        ddt_put_dtis(&w, f->dtis);
    for (const uint16_t *d = f->fdiffs; d && *d; d++) {
        unsigned size = *d > 256 ? 3 : *d > 16 ? 2 : 1;
        ddt_put(&w, 2, size);
        ddt_put(&w, 4 * size, *d - 1u);
    }
    if (f->fdiffs)
        ddt_put(&w, 2, 0);
    for (unsigned c = 0; f->chains && c < s->chains; c++)
        ddt_put(&w, 8, f->chains[c]);
    return (w.at + 7) / 8;
}

#endif

/* Views of bytes and cursors over them.
 * A reader or writer has a sticky error: read or write a whole structure, then test `bad` once.
 * A reader that ran out yields zeros; a writer that ran out stores nothing more. All integers are
 * in network byte order. */
#ifndef TR_SLICE_H
#define TR_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tr_slice { /* borrowed, read only; p may be NULL when n is 0 */
    const uint8_t *p;
    size_t n;
};

struct tr_buf { /* borrowed, writable */
    uint8_t *p;
    size_t n;
};

static inline struct tr_slice tr_slice(const void *p, size_t n)
{
    return (struct tr_slice){ .p = p, .n = n };
}

static inline struct tr_slice tr_slice_str(const char *s)
{
    return tr_slice(s, strlen(s));
}

static inline bool tr_slice_eq(struct tr_slice a, struct tr_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool tr_slice_eq_str(struct tr_slice a, const char *s)
{
    return tr_slice_eq(a, tr_slice_str(s));
}

static inline uint16_t tr_get16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t tr_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t tr_get64(const uint8_t *p)
{
    return (uint64_t)tr_get32(p) << 32 | tr_get32(p + 4);
}

static inline void tr_put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void tr_put24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)v;
}

static inline void tr_put32(uint8_t *p, uint32_t v)
{
    tr_put16(p, (uint16_t)(v >> 16));
    tr_put16(p + 2, (uint16_t)v);
}

static inline void tr_put64(uint8_t *p, uint64_t v)
{
    tr_put32(p, (uint32_t)(v >> 32));
    tr_put32(p + 4, (uint32_t)v);
}

struct tr_rd {
    const uint8_t *p;
    const uint8_t *end;
    bool bad;
};

struct tr_wr {
    uint8_t *p; /* next byte to write */
    uint8_t *start;
    uint8_t *end;
    bool bad;
};

static inline struct tr_rd tr_rd(struct tr_slice s)
{
    return (struct tr_rd){ .p = s.p, .end = s.p ? s.p + s.n : NULL };
}

static inline size_t tr_rd_left(const struct tr_rd *r)
{
    return (size_t)(r->end - r->p);
}

/* The next n bytes, or an empty slice with the error set. */
struct tr_slice tr_rd_take(struct tr_rd *r, size_t n);
uint8_t tr_rd_u8(struct tr_rd *r);
uint16_t tr_rd_u16(struct tr_rd *r);
uint32_t tr_rd_u24(struct tr_rd *r);
uint32_t tr_rd_u32(struct tr_rd *r);
uint64_t tr_rd_u64(struct tr_rd *r);

static inline struct tr_wr tr_wr(void *p, size_t n)
{
    uint8_t *b = p;
    return (struct tr_wr){ .p = b, .start = b, .end = b ? b + n : NULL };
}

static inline size_t tr_wr_len(const struct tr_wr *w)
{
    return (size_t)(w->p - w->start);
}

/* What was written so far; empty when the writer is bad. */
struct tr_slice tr_wr_slice(const struct tr_wr *w);
/* Room for n bytes, not initialised; NULL with the error set when there is none. */
uint8_t *tr_wr_skip(struct tr_wr *w, size_t n);
void tr_wr_u8(struct tr_wr *w, uint8_t v);
void tr_wr_u16(struct tr_wr *w, uint16_t v);
void tr_wr_u24(struct tr_wr *w, uint32_t v);
void tr_wr_u32(struct tr_wr *w, uint32_t v);
void tr_wr_u64(struct tr_wr *w, uint64_t v);
void tr_wr_bytes(struct tr_wr *w, const void *p, size_t n);
void tr_wr_zero(struct tr_wr *w, size_t n);
void tr_wr_str(struct tr_wr *w, const char *s); /* without the NUL */
/* printf into the cursor. The NUL is not kept, but needs one byte of room. */
void tr_wr_fmt(struct tr_wr *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

/* Cursors: every access goes through take or skip, so the bounds are checked in two places only. */
#include "base/slice.h"

#include <stdarg.h>
#include <stdio.h>

struct tr_slice tr_rd_take(struct tr_rd *r, size_t n)
{
    if (r->bad || tr_rd_left(r) < n) {
        r->bad = true;
        return tr_slice(NULL, 0);
    }
    struct tr_slice s = tr_slice(r->p, n);
    if (n > 0)
        r->p += n;
    return s;
}

uint8_t tr_rd_u8(struct tr_rd *r)
{
    struct tr_slice s = tr_rd_take(r, 1);
    return s.p ? s.p[0] : 0;
}

uint16_t tr_rd_u16(struct tr_rd *r)
{
    struct tr_slice s = tr_rd_take(r, 2);
    return s.p ? tr_get16(s.p) : 0;
}

uint32_t tr_rd_u24(struct tr_rd *r)
{
    struct tr_slice s = tr_rd_take(r, 3);
    return s.p ? (uint32_t)s.p[0] << 16 | (uint32_t)s.p[1] << 8 | s.p[2] : 0;
}

uint32_t tr_rd_u32(struct tr_rd *r)
{
    struct tr_slice s = tr_rd_take(r, 4);
    return s.p ? tr_get32(s.p) : 0;
}

uint64_t tr_rd_u64(struct tr_rd *r)
{
    struct tr_slice s = tr_rd_take(r, 8);
    return s.p ? tr_get64(s.p) : 0;
}

struct tr_slice tr_wr_slice(const struct tr_wr *w)
{
    return w->bad ? tr_slice(NULL, 0) : tr_slice(w->start, tr_wr_len(w));
}

uint8_t *tr_wr_skip(struct tr_wr *w, size_t n)
{
    if (w->bad || (size_t)(w->end - w->p) < n) {
        w->bad = true;
        return NULL;
    }
    uint8_t *p = w->p;
    if (n > 0)
        w->p += n;
    return p;
}

void tr_wr_u8(struct tr_wr *w, uint8_t v)
{
    uint8_t *p = tr_wr_skip(w, 1);
    if (p)
        p[0] = v;
}

void tr_wr_u16(struct tr_wr *w, uint16_t v)
{
    uint8_t *p = tr_wr_skip(w, 2);
    if (p)
        tr_put16(p, v);
}

void tr_wr_u24(struct tr_wr *w, uint32_t v)
{
    uint8_t *p = tr_wr_skip(w, 3);
    if (p)
        tr_put24(p, v);
}

void tr_wr_u32(struct tr_wr *w, uint32_t v)
{
    uint8_t *p = tr_wr_skip(w, 4);
    if (p)
        tr_put32(p, v);
}

void tr_wr_u64(struct tr_wr *w, uint64_t v)
{
    uint8_t *p = tr_wr_skip(w, 8);
    if (p)
        tr_put64(p, v);
}

void tr_wr_bytes(struct tr_wr *w, const void *src, size_t n)
{
    uint8_t *p = tr_wr_skip(w, n);
    if (p && n > 0)
        memcpy(p, src, n);
}

void tr_wr_zero(struct tr_wr *w, size_t n)
{
    uint8_t *p = tr_wr_skip(w, n);
    if (p && n > 0)
        memset(p, 0, n);
}

void tr_wr_str(struct tr_wr *w, const char *s)
{
    tr_wr_bytes(w, s, strlen(s));
}

void tr_wr_fmt(struct tr_wr *w, const char *fmt, ...)
{
    if (w->bad)
        return;
    size_t room = (size_t)(w->end - w->p);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf((char *)w->p, room, fmt, ap);
    va_end(ap);
    /* vsnprintf needs one byte more for its NUL, which is not kept. */
    if (n < 0 || (size_t)n >= room)
        w->bad = true;
    else
        w->p += n;
}

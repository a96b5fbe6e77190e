/* The receiver. Arrivals lie in a ring by transport-wide number; [begin, end) is what the next
 * feedback covers. A slot is cleared when `end` runs over it, so that a number not received reads
 * as 0. When feedback is built, begin moves up to where it ended; a packet that comes late pulls
 * it back, and the numbers from there on are reported once more (their sender takes the first
 * report of each). The ring bounds how far back that can be.
 *
 * The writer. Symbols (not received, small delta, large delta) are cut into chunks greedily: a run
 * if it is at least as long as a vector would be, else a vector of fourteen one-bit symbols if all
 * of them are 0 or 1, else one of seven two-bit symbols. Deltas go to a buffer of their own, since
 * they follow the chunks. A packet ends where its bytes or the reach of a delta (8 s) end; the rest
 * goes into the next one. */
#include "rtp/twcc.h"

#include "base/assert.h"
#include "rtp/rtp.h"

enum {
    TICK_US = 250,
    REF_TICKS = 256, /* 64 ms */
    HDR = 20,        /* with the fixed part of the feedback */
    CHUNK = 2,
    FIRST_CHUNK = 16, /* a vector and its deltas at most */
    RUN_MAX = 8191,
    ONE_BIT = 14, /* symbols in a vector of one-bit symbols */
    TWO_BIT = 7
};
enum symbol { SYM_LOST = 0, SYM_SMALL = 1, SYM_LARGE = 2, SYM_RESERVED = 3 };

void tr_twcc_recv_init(struct tr_twcc_recv *r, tr_usec interval)
{
    memset(r, 0, sizeof(*r));
    r->interval = interval;
    r->due = TR_NEVER;
}

static uint32_t *slot(struct tr_twcc_recv *r, int64_t seq)
{
    return &r->arrival[(uint64_t)seq % TR_TWCC_RING];
}

static void begin_at(struct tr_twcc_recv *r, int64_t seq)
{
    memset(r->arrival, 0, sizeof(r->arrival));
    r->begin = r->end = r->reported = seq;
    r->stale = 0;
}

/* Makes room for seq >= end; what falls out of the ring unreported is not reported any more. */
static void extend(struct tr_twcc_recv *r, int64_t seq)
{
    if (seq - r->end >= TR_TWCC_RING) {
        begin_at(r, seq);
    } else {
        for (int64_t s = r->end; s <= seq; s++)
            *slot(r, s) = 0;
    }
    r->end = seq + 1;
    if (r->begin < r->end - TR_TWCC_RING)
        r->begin = r->end - TR_TWCC_RING;
}

/* False: too far behind to be reported. */
static bool admit(struct tr_twcc_recv *r, int64_t seq)
{
    if (seq >= r->end) {
        extend(r, seq);
    } else if (seq <= r->end - TR_TWCC_RING) {
        r->dropped++;
        if (++r->stale < TR_TWCC_STALE_MAX)
            return false;
        begin_at(r, seq);
        r->end = seq + 1;
    } else if (seq < r->begin) {
        r->begin = seq;
    }
    r->stale = 0;
    return true;
}

void tr_twcc_recv_packet(struct tr_twcc_recv *r, tr_usec now, uint16_t seq)
{
    if (!r->started) {
        r->started = true;
        /* Whole reference units before, so that ticks and references have one origin. */
        r->origin = now - now % (REF_TICKS * TICK_US);
        begin_at(r, seq);
    }
    int64_t full = r->end - 1 + tr_seq_diff(seq, (uint16_t)(r->end - 1));
    if (full < r->end && full > r->end - TR_TWCC_RING && *slot(r, full) != 0)
        return; /* a duplicate: the first arrival counts */
    if (!admit(r, full))
        return;
    uint32_t ticks = (uint32_t)((uint64_t)(now - r->origin) / TICK_US) + 1;
    *slot(r, full) = ticks != 0 ? ticks : 1; /* 0, after 12 days, would mean not received */
    if (r->due == TR_NEVER)
        r->due = now + r->interval;
    /* Before the ring overruns what was not reported. A late packet does not count: else a peer
     * could have us repeat half the ring for each packet of his. */
    if (r->end - (r->begin > r->reported ? r->begin : r->reported) > TR_TWCC_RING / 2)
        r->due = now;
}

tr_usec tr_twcc_recv_next_timeout(const struct tr_twcc_recv *r)
{
    return r->due;
}

static uint32_t at_most(uint32_t n, uint32_t max)
{
    return n < max ? n : max;
}

/* One feedback packet in the making. */
struct making {
    struct tr_wr chunks; /* in place, behind the header */
    struct tr_wr deltas; /* in delta_buf */
    size_t room;         /* for chunks and deltas together */
    uint32_t reference;
    uint32_t count; /* symbols there are */
    uint32_t done;  /* symbols written */
    uint8_t delta_buf[TR_TWCC_BYTES_MAX];
    uint8_t syms[TR_TWCC_RING];
    int16_t ticks[TR_TWCC_RING]; /* delta of each received one */
};

/* Symbols and deltas of [begin, end), up to a delta out of reach. */
static void collect(struct tr_twcc_recv *r, struct making *m)
{
    bool any = false;
    uint32_t last = 0;
    for (int64_t s = r->begin; s < r->end; s++) {
        uint32_t at = *slot(r, s);
        if (at == 0) {
            m->syms[m->count++] = SYM_LOST;
            continue;
        }
        at--;
        if (!any) {
            any = true;
            m->reference = at / REF_TICKS;
            last = m->reference * REF_TICKS;
        }
        int32_t delta = (int32_t)(at - last);
        if (delta < INT16_MIN || delta > INT16_MAX)
            break;
        m->ticks[m->count] = (int16_t)delta;
        m->syms[m->count++] = delta >= 0 && delta <= UINT8_MAX ? SYM_SMALL : SYM_LARGE;
        last = at;
    }
}

static uint32_t run_length(const struct making *m)
{
    uint32_t n = 1;
    while (m->done + n < m->count && n < RUN_MAX && m->syms[m->done + n] == m->syms[m->done])
        n++;
    return n;
}

static bool fits_one_bit(const struct making *m)
{
    uint32_t n = at_most(m->count - m->done, ONE_BIT);
    return !memchr(m->syms + m->done, SYM_LARGE, n);
}

static size_t delta_bytes(const struct making *m, uint32_t n)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++)
        bytes += m->syms[m->done + i]; /* a symbol's value is the size of its delta */
    return bytes;
}

static void put_deltas(struct making *m, uint32_t n)
{
    for (uint32_t end = m->done + n; m->done < end; m->done++) {
        if (m->syms[m->done] == SYM_SMALL)
            tr_wr_u8(&m->deltas, (uint8_t)m->ticks[m->done]);
        else if (m->syms[m->done] == SYM_LARGE)
            tr_wr_u16(&m->deltas, (uint16_t)m->ticks[m->done]);
    }
}

static unsigned vector_chunk(const struct making *m, uint32_t n, bool one_bit)
{
    unsigned v = one_bit ? 2 : 3; /* 1 for a vector, then the size of its symbols */
    for (uint32_t i = 0; i < (one_bit ? ONE_BIT : TWO_BIT); i++)
        v = v << (one_bit ? 1 : 2) | (i < n ? m->syms[m->done + i] : 0u);
    return v;
}

/* False: no room for another chunk with its deltas. */
static bool put_chunk(struct making *m)
{
    size_t used = tr_wr_len(&m->chunks) + tr_wr_len(&m->deltas);
    if (used + CHUNK > m->room)
        return false;
    size_t room = m->room - used - CHUNK; /* for deltas */
    bool one_bit = fits_one_bit(m);
    uint32_t n = at_most(m->count - m->done, one_bit ? ONE_BIT : TWO_BIT);
    uint32_t run = run_length(m);
    unsigned sym = m->syms[m->done];
    if (run >= n)
        n = sym == SYM_LOST ? run : at_most(run, (uint32_t)room / sym);
    if (n == 0 || delta_bytes(m, n) > room)
        return false;
    tr_wr_u16(&m->chunks, (uint16_t)(run >= n ? sym << 13 | n : vector_chunk(m, n, one_bit)));
    put_deltas(m, n);
    return true;
}

static void put_header(struct tr_twcc_recv *r, uint8_t *p, size_t bytes, uint32_t sender,
                       uint32_t media, const struct making *m)
{
    uint32_t origin = (uint32_t)(r->origin / (REF_TICKS * TICK_US));
    p[0] = 0x80 | TR_RTPFB_TWCC;
    p[1] = TR_RTCP_RTPFB;
    tr_put16(p + 2, (uint16_t)(bytes / 4 - 1));
    tr_put32(p + 4, sender);
    tr_put32(p + 8, media);
    tr_put16(p + 12, (uint16_t)r->begin);
    tr_put16(p + 14, (uint16_t)m->done);
    tr_put24(p + 16, (origin + m->reference) & 0xffffff);
    p[19] = r->fb_count++;
}

bool tr_twcc_recv_build(struct tr_twcc_recv *r, struct tr_wr *w, uint32_t sender, uint32_t media)
{
    size_t max = at_most((uint32_t)(w->end - w->p), TR_TWCC_BYTES_MAX) & ~(size_t)3;
    if (r->begin == r->end || w->bad || max < HDR + FIRST_CHUNK)
        return false;
    uint8_t *p = w->p;
    struct making m;
    m.reference = m.count = m.done = 0;
    m.room = max - HDR;
    m.chunks = tr_wr(p + HDR, m.room);
    m.deltas = tr_wr(m.delta_buf, sizeof(m.delta_buf));
    collect(r, &m);
    while (m.done < m.count && put_chunk(&m))
        ;
    TR_ASSERT(m.done > 0 && !m.chunks.bad && !m.deltas.bad);
    tr_wr_bytes(&m.chunks, m.delta_buf, tr_wr_len(&m.deltas));
    tr_wr_zero(&m.chunks, (4 - tr_wr_len(&m.chunks) % 4) % 4);
    size_t bytes = HDR + tr_wr_len(&m.chunks);
    TR_ASSERT(!m.chunks.bad);
    put_header(r, p, bytes, sender, media, &m);
    (void)tr_wr_skip(w, bytes);
    r->begin += m.done;
    if (r->begin > r->reported)
        r->reported = r->begin;
    if (r->begin == r->end)
        r->due = TR_NEVER;
    return true;
}

/* Spreads one chunk over the next items as symbols (in at_us, for now). */
static bool read_chunk(uint16_t chunk, struct tr_twcc_item *items, uint32_t *n, uint32_t count)
{
    bool vector = (chunk & 0x8000) != 0;
    bool two_bit = (chunk & 0x4000) != 0;
    uint32_t size = !vector ? chunk & RUN_MAX : two_bit ? TWO_BIT : ONE_BIT;
    uint32_t end = *n + at_most(size, count - *n); /* a last vector may reach beyond the count */
    for (uint32_t i = 0; *n < end; i++) {
        unsigned sym;
        if (!vector)
            sym = chunk >> 13 & 3;
        else
            sym = two_bit ? chunk >> (12 - 2 * i) & 3 : chunk >> (13 - i) & 1;
        if (sym == SYM_RESERVED)
            return false;
        items[(*n)++].at_us = sym;
    }
    return size > 0;
}

enum tr_err tr_twcc_read(const struct tr_rtcp_fb *fb, struct tr_twcc_fb *out,
                         struct tr_twcc_item *items, uint32_t max)
{
    struct tr_rd rd = tr_rd(fb->fci);
    out->base_seq = tr_rd_u16(&rd);
    out->count = tr_rd_u16(&rd);
    out->reference = (int32_t)(tr_rd_u24(&rd) ^ 0x800000) - 0x800000; /* sign of 24 bits */
    out->fb_count = tr_rd_u8(&rd);
    if (rd.bad || out->count == 0)
        return TR_ERR_BADMSG;
    if (out->count > max)
        return TR_ERR_LIMIT;
    for (uint32_t n = 0; n < out->count;) {
        uint16_t chunk = tr_rd_u16(&rd);
        if (rd.bad || !read_chunk(chunk, items, &n, out->count))
            return TR_ERR_BADMSG;
    }
    int64_t at = (int64_t)out->reference * REF_TICKS * TICK_US;
    for (uint32_t i = 0; i < out->count; i++) {
        struct tr_twcc_item *item = &items[i];
        int64_t sym = item->at_us;
        if (sym != SYM_LOST)
            at += (sym == SYM_SMALL ? tr_rd_u8(&rd) : (int16_t)tr_rd_u16(&rd)) * TICK_US;
        *item = (struct tr_twcc_item){ .seq = (uint16_t)(out->base_seq + i),
                                       .received = sym != SYM_LOST,
                                       .at_us = at };
    }
    return rd.bad ? TR_ERR_BADMSG : TR_OK;
}

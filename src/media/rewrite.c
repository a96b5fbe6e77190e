/* The newest epoch is open to the right. A switch closes it at the last number that went out, and
 * opens the next one; a skip does the same with one number left out in between, and so does another
 * choice of layers without one.
 *
 * No number is handed out twice, or two packets would be encrypted with one nonce. */
#include "media/rewrite.h"

void tr_rewrite_init(struct tr_rewrite *rw, uint16_t first_seq, uint32_t first_ts)
{
    *rw = (struct tr_rewrite){ .out_next = first_seq & 0x7fff, .ts_last = first_ts };
}

static struct tr_rewrite_epoch *newest(struct tr_rewrite *rw)
{
    return rw->count ? &rw->epochs[(rw->count - 1) % TR_REWRITE_EPOCHS] : NULL;
}

static struct tr_rewrite_epoch *open_epoch(struct tr_rewrite *rw)
{
    struct tr_rewrite_epoch *e = &rw->epochs[rw->count % TR_REWRITE_EPOCHS];
    rw->count++;
    return e;
}

static uint32_t known_epochs(const struct tr_rewrite *rw)
{
    return rw->count < TR_REWRITE_EPOCHS ? rw->count : TR_REWRITE_EPOCHS;
}

/* What epochs may still hand out ends where the last number was handed out. That goes for all of
 * them: with packets lost before a skip, an older one has numbers above it, too. */
static void close_epochs(struct tr_rewrite *rw)
{
    for (uint32_t i = 1; i <= known_epochs(rw); i++) {
        struct tr_rewrite_epoch *e = &rw->epochs[(rw->count - i) % TR_REWRITE_EPOCHS];
        int64_t end = e->in_start + (rw->out_next - e->out_start);
        if (e->in_end > end)
            e->in_end = end;
    }
}

/* A source may leap ahead by any distance. A receiver that saw its stream do so would guess the
 * rollover wrong and open no packet of it any more (RFC 3711 section 3.3.1), of this source or the
 * next. So from incoming number `in` on there is a hole of one. */
static struct tr_rewrite_epoch *close_gap(struct tr_rewrite *rw, int64_t in)
{
    struct tr_rewrite_epoch next = *newest(rw);
    close_epochs(rw);
    next.in_start = in;
    next.out_start = rw->out_next + 1;
    struct tr_rewrite_epoch *e = open_epoch(rw);
    *e = next;
    return e;
}

void tr_rewrite_switch(struct tr_rewrite *rw, tr_usec now, uint32_t origin, uint32_t clock_rate,
                       const struct tr_rtp_meta *m)
{
    uint32_t ts = rw->ts_last;
    if (rw->count > 0) {
        int64_t ticks = (now - rw->last_us) * (int64_t)clock_rate / TR_SECOND;
        ts += ticks > 0 ? (uint32_t)ticks : 1;
    }
    bool goes_on = rw->count > 0;
    close_epochs(rw);
    rw->begun = rw->out_next;
    struct tr_rewrite_epoch *e = open_epoch(rw);
    *e = (struct tr_rewrite_epoch){
        .in_start = m->ext_seq,
        .in_end = INT64_MAX,
        .out_start = rw->out_next,
        .origin = origin,
        .top = TR_SVC_TOP_NONE,
        .ts_off = ts - m->ts,
        .picture_off = goes_on ? (uint16_t)(rw->picture_last + 1 - m->picture_id) : 0,
        .tl0_off = goes_on ? (uint8_t)(rw->tl0_last + 1 - m->tl0picidx) : 0,
        .frame_off = goes_on ? (uint16_t)(rw->frame_last + 1 - m->frame) : 0,
    };
}

static const struct tr_rewrite_epoch *find_in(const struct tr_rewrite *rw, uint32_t origin,
                                              int64_t in)
{
    for (uint32_t i = 1; i <= known_epochs(rw); i++) {
        const struct tr_rewrite_epoch *e = &rw->epochs[(rw->count - i) % TR_REWRITE_EPOCHS];
        if (e->origin == origin && in >= e->in_start && in < e->in_end)
            return e;
    }
    return NULL;
}

static void apply(const struct tr_rewrite_epoch *e, const struct tr_rtp_meta *m,
                  struct tr_rewritten *out)
{
    *out = (struct tr_rewritten){
        .ext_seq = e->out_start + (m->ext_seq - e->in_start),
        .ts = m->ts + e->ts_off,
        .picture_id = (uint16_t)((m->picture_id + e->picture_off) & 0x7fff),
        .tl0picidx = (uint8_t)(m->tl0picidx + e->tl0_off),
        .frame_off = e->frame_off,
        .mask = e->mask,
        .masked = e->masked,
        .marker =
            (m->flags & TR_RTP_MARKER) || ((m->flags & TR_RTP_FRAME_END) && m->spatial == e->top),
    };
    out->payload = ((m->flags & TR_RTP_PICTURE_ID) && (e->picture_off & 0x7fff) != 0) ||
                   ((m->flags & TR_RTP_TL0) && e->tl0_off != 0);
}

enum tr_err tr_rewrite_packet(struct tr_rewrite *rw, tr_usec now, uint32_t origin,
                              const struct tr_rtp_meta *m, struct tr_rewritten *out)
{
    const struct tr_rewrite_epoch *e = find_in(rw, origin, m->ext_seq);
    if (!e)
        return TR_ERR_NOTFOUND;
    if (e->out_start + (m->ext_seq - e->in_start) - rw->out_next > TR_REWRITE_GAP_MAX)
        e = close_gap(rw, m->ext_seq); /* only the newest reaches so far */
    apply(e, m, out);
    if (out->ext_seq >= rw->out_next) {
        rw->out_next = out->ext_seq + 1;
        rw->ts_last = out->ts;
        rw->picture_last = out->picture_id;
        rw->tl0_last = out->tl0picidx;
        rw->frame_last = (uint16_t)(m->frame + out->frame_off);
        rw->last_us = now;
    }
    return TR_OK;
}

void tr_rewrite_layers(struct tr_rewrite *rw, uint32_t origin, const struct tr_rtp_meta *m,
                       const struct tr_svc_out *layers)
{
    struct tr_rewrite_epoch *e = newest(rw);
    if (!e || e->origin != origin || m->ext_seq < e->in_start)
        return;
    if (e->top == layers->top && e->masked == layers->masked && e->mask == layers->mask)
        return;
    int64_t out = e->out_start + (m->ext_seq - e->in_start);
    if (out < rw->out_next)
        return;
    if (m->ext_seq > e->in_start) {
        struct tr_rewrite_epoch next = *e;
        e->in_end = m->ext_seq;
        next.in_start = m->ext_seq;
        next.out_start = out;
        e = open_epoch(rw);
        *e = next;
    }
    e->top = layers->top;
    e->masked = layers->masked;
    e->mask = layers->mask;
}

void tr_rewrite_skip(struct tr_rewrite *rw, uint32_t origin, const struct tr_rtp_meta *m)
{
    struct tr_rewrite_epoch *e = newest(rw);
    if (!e || e->origin != origin || m->ext_seq < e->in_start)
        return;
    int64_t out = e->out_start + (m->ext_seq - e->in_start);
    if (out < rw->out_next)
        return; /* late: its number was given to the packet after it, or is a hole already */
    if (out - rw->out_next > TR_REWRITE_GAP_MAX) {
        close_gap(rw, m->ext_seq + 1);
        return;
    }
    if (m->ext_seq == e->in_start) { /* the epoch has sent nothing yet: no new one is needed */
        e->in_start++;
        return;
    }
    struct tr_rewrite_epoch next = *e;
    e->in_end = m->ext_seq;
    next.in_start = m->ext_seq + 1;
    next.out_start = out;
    *open_epoch(rw) = next;
}

static const struct tr_rewrite_epoch *find_out(const struct tr_rewrite *rw, uint16_t seq,
                                               int64_t *out)
{
    *out = rw->out_next + (int16_t)(uint16_t)(seq - (uint16_t)rw->out_next);
    for (uint32_t i = 1; *out < rw->out_next && i <= known_epochs(rw); i++) {
        const struct tr_rewrite_epoch *e = &rw->epochs[(rw->count - i) % TR_REWRITE_EPOCHS];
        if (*out >= e->out_start)
            return e->in_start + (*out - e->out_start) < e->in_end ? e : NULL;
    }
    return NULL;
}

bool tr_rewrite_is_past(const struct tr_rewrite *rw, uint16_t seq)
{
    return rw->out_next + (int16_t)(uint16_t)(seq - (uint16_t)rw->out_next) < rw->begun;
}

enum tr_err tr_rewrite_reverse(const struct tr_rewrite *rw, uint16_t seq, uint32_t *origin,
                               int64_t *in_seq)
{
    int64_t out;
    const struct tr_rewrite_epoch *e = find_out(rw, seq, &out);
    if (!e)
        return TR_ERR_NOTFOUND;
    *origin = e->origin;
    *in_seq = e->in_start + (out - e->out_start);
    return TR_OK;
}

enum tr_err tr_rewrite_again(const struct tr_rewrite *rw, uint16_t seq, const struct tr_rtp_meta *m,
                             struct tr_rewritten *out)
{
    int64_t number;
    const struct tr_rewrite_epoch *e = find_out(rw, seq, &number);
    if (!e)
        return TR_ERR_NOTFOUND;
    apply(e, m, out);
    out->ext_seq = number;
    return TR_OK;
}

bool tr_rewrite_ts_offset(const struct tr_rewrite *rw, uint32_t origin, uint32_t *offset)
{
    if (rw->count == 0)
        return false;
    const struct tr_rewrite_epoch *e = &rw->epochs[(rw->count - 1) % TR_REWRITE_EPOCHS];
    *offset = e->ts_off;
    return e->origin == origin;
}

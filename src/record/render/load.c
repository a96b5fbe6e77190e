/* Reads all records of a journal once, in the order of arrival, and sorts packets into parts.
 *
 * A part begins with a new SSRC, or where the newest packet's timestamp moves 2 s more or less than
 * the time of arrival did: the sender restarted its clock, or froze it while muted. A network stall
 * looks the same; that is harmless, since each part finds its own place on the time line.
 *
 * Retransmitted packets come late and some packets come twice: sorting by sequence number at the
 * end puts that right. */
#include "record/render/load.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SPLIT_US = 2000000 };
#define TIME_MAX (INT64_MAX / 4) /* so that differences of hostile times do not overflow */

/* Makes room for one more element; doubles. */
static enum tr_err grow(void **items, uint32_t count, uint32_t *size, size_t item, uint32_t max)
{
    if (count < *size)
        return TR_OK;
    if (count >= max)
        return TR_ERR_LIMIT;
    uint32_t n = *size ? *size * 2 : 64;
    void *p = tr_realloc(*items, n * item);
    if (!p)
        return TR_ERR_NOMEM;
    *items = p;
    *size = n;
    return TR_OK;
}

static struct rn_track *find_track(const struct rn_call *call, uint16_t id)
{
    for (uint32_t i = 0; i < call->track_count; i++) {
        if (call->tracks[i]->id == id)
            return call->tracks[i];
    }
    return NULL;
}

static enum tr_err load_meta(struct rn_call *call, const struct tr_record *rec)
{
    struct tr_meta meta;
    if (tr_meta_decode(&meta, rec->payload) != TR_OK)
        return TR_OK; /* a track that nobody can read; its packets are skipped */
    struct rn_track *t = find_track(call, rec->track);
    if (!t) {
        if (call->track_count == TR_JOURNAL_TRACKS_MAX)
            return TR_OK;
        t = tr_alloc(sizeof(*t));
        if (!t)
            return TR_ERR_NOMEM;
        t->id = rec->track;
        t->meta = meta;
        t->codec = tr_codec_from_name(tr_slice_str(meta.codec));
        call->tracks[call->track_count++] = t;
    }
    return TR_OK;
}

static struct rn_part *last_part(const struct rn_track *t, uint32_t ssrc)
{
    for (uint32_t i = t->part_count; i > 0; i--) {
        if (t->parts[i - 1]->ssrc == ssrc)
            return t->parts[i - 1];
    }
    return NULL;
}

static struct rn_part *new_part(struct rn_track *t, uint32_t ssrc)
{
    if (t->part_count == RN_PARTS_MAX)
        return NULL;
    struct rn_part *p = tr_alloc(sizeof(*p));
    if (!p)
        return NULL;
    p->ssrc = ssrc;
    t->parts[t->part_count++] = p;
    return p;
}

static bool jumped(const struct rn_part *p, int64_t ts, tr_usec recv_us, uint32_t clock)
{
    int64_t media_us = (ts - p->newest_ts) * 1000000 / clock;
    int64_t off = media_us - (recv_us - p->newest_recv);
    return off > SPLIT_US || off < -SPLIT_US;
}

static enum tr_err load_rtp(struct rn_call *call, const struct tr_record *rec)
{
    struct tr_rtp h;
    struct rn_track *t = find_track(call, rec->track);
    if (!t || tr_rtp_parse(&h, rec->payload) != TR_OK)
        return TR_OK;
    struct tr_slice payload = tr_slice(rec->payload.p + h.hdr_len, rec->payload.n - h.hdr_len);
    if (h.padding && tr_rtp_strip_padding(&payload) != TR_OK)
        return TR_OK;
    if (call->packets >= RN_PACKETS_MAX)
        return TR_ERR_LIMIT;
    struct rn_part *p = last_part(t, h.ssrc);
    if (p) { /* a copy tries it: only the newest packet may split */
        struct tr_unwrap seq_try = p->seq_unwrap, ts_try = p->ts_unwrap;
        int64_t seq = tr_unwrap16(&seq_try, h.seq), ts = tr_unwrap32(&ts_try, h.ts);
        if (seq > p->newest_seq && jumped(p, ts, rec->recv_us, t->meta.clock))
            p = NULL;
    }
    bool fresh = !p;
    if (fresh && !(p = new_part(t, h.ssrc))) {
        t->dropped++;
        return TR_OK;
    }
    enum tr_err err =
        grow((void **)&p->packets, p->count, &p->size, sizeof(*p->packets), RN_PACKETS_MAX);
    if (err)
        return err;
    struct rn_packet *k = &p->packets[p->count++];
    *k = (struct rn_packet){ .seq = tr_unwrap16(&p->seq_unwrap, h.seq),
                             .ts = tr_unwrap32(&p->ts_unwrap, h.ts),
                             .recv_us = rec->recv_us,
                             .p = payload.p,
                             .len = (uint16_t)payload.n,
                             .pt = h.pt,
                             .marker = h.marker };
    if (fresh || k->seq > p->newest_seq) {
        p->newest_seq = k->seq;
        p->newest_ts = k->ts;
        p->newest_recv = k->recv_us;
    }
    call->packets++;
    return TR_OK;
}

static enum tr_err load_sr(struct rn_call *call, const struct tr_record *rec)
{
    uint32_t ssrc, rtp;
    tr_ntp ntp;
    struct rn_track *t = find_track(call, rec->track);
    if (!t || !tr_record_sr(rec, &ssrc, &ntp, &rtp) || ntp == 0)
        return TR_OK;
    struct rn_part *p = last_part(t, ssrc);
    if (!p || p->sr_count >= RN_SRS_MAX)
        return TR_OK;
    enum tr_err err = grow((void **)&p->srs, p->sr_count, &p->sr_size, sizeof(*p->srs), RN_SRS_MAX);
    if (err)
        return err;
    struct tr_unwrap u = p->ts_unwrap; /* a report must not move the packets' unwrapping */
    p->srs[p->sr_count++] = (struct rn_sr){ .ts = tr_unwrap32(&u, rtp),
                                            .ntp_us = tr_ntp_to_unix_us(ntp),
                                            .recv_us = rec->recv_us };
    return TR_OK;
}

static enum tr_err load_event(struct rn_call *call, const struct tr_record *rec)
{
    struct rn_track *t = find_track(call, rec->track);
    if (!t)
        return TR_OK;
    json_t *o = json_loadb((const char *)rec->payload.p, rec->payload.n, 0, NULL);
    const char *name = json_string_value(json_object_get(o, "event"));
    bool mute = name && strcmp(name, "mute") == 0, unmute = name && strcmp(name, "unmute") == 0;
    json_decref(o);
    if ((!mute && !unmute) || t->mute_count == RN_MUTES_MAX)
        return TR_OK;
    if (!t->mutes && !(t->mutes = tr_alloc(RN_MUTES_MAX * sizeof(*t->mutes))))
        return TR_ERR_NOMEM;
    t->mutes[t->mute_count++] = (struct rn_mute){ .at_us = rec->recv_us, .muted = mute };
    return TR_OK;
}

static enum tr_err load_record(struct rn_call *call, const struct tr_record *rec)
{
    if (rec->recv_us < 0 || rec->recv_us > TIME_MAX)
        return TR_OK;
    if (rec->recv_us < call->start_us)
        call->start_us = rec->recv_us;
    if (rec->recv_us > call->end_us)
        call->end_us = rec->recv_us;
    switch (rec->type) {
    case TR_JOURNAL_META: return load_meta(call, rec);
    case TR_JOURNAL_RTP: return load_rtp(call, rec);
    case TR_JOURNAL_SR: return load_sr(call, rec);
    case TR_JOURNAL_EVENT: return load_event(call, rec);
    case TR_JOURNAL_CLOCK:
    case TR_JOURNAL_LOSS:
    case TR_JOURNAL_END: break;
    }
    return TR_OK;
}

static int by_seq(const void *a, const void *b)
{
    const struct rn_packet *x = a, *y = b;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (x->recv_us > y->recv_us) - (x->recv_us < y->recv_us);
}

/* Telephone events and comfort noise share the SSRC: only META's payload type is media. When no
 * packet has it, META is wrong, and all count. */
static void filter_pt(const struct rn_track *t, struct rn_part *p)
{
    uint32_t match = 0;
    for (uint32_t i = 0; i < p->count; i++)
        match += p->packets[i].pt == t->meta.pt;
    for (uint32_t i = 0; i < p->count && match; i++) {
        /* an empty packet only says that its number is not lost */
        if (p->packets[i].pt != t->meta.pt)
            p->packets[i].len = 0;
    }
}

static void sort_part(struct rn_track *t, struct rn_part *p)
{
    uint32_t n = 0;
    filter_pt(t, p);
    qsort(p->packets, p->count, sizeof(*p->packets), by_seq);
    for (uint32_t i = 0; i < p->count; i++) {
        if (n && p->packets[n - 1].seq == p->packets[i].seq) {
            t->duplicates++;
            continue;
        }
        if (n)
            t->lost += (uint64_t)(p->packets[i].seq - p->packets[n - 1].seq - 1);
        p->packets[n++] = p->packets[i];
    }
    p->count = n;
    t->packets += n;
}

enum tr_err rn_load(struct rn_call **out, const char *const *paths, uint32_t count)
{
    struct rn_call *call = tr_alloc(sizeof(*call));
    if (!call)
        return TR_ERR_NOMEM;
    call->start_us = INT64_MAX;
    call->end_us = INT64_MIN;
    enum tr_err err = tr_reader_open(&call->reader, paths, count);
    if (!err && tr_reader_stats(call->reader).e2ee)
        err = TR_ERR_UNSUPPORTED;
    struct tr_record rec;
    while (!err && tr_reader_next(call->reader, &rec))
        err = load_record(call, &rec);
    if (!err && call->start_us > call->end_us)
        err = TR_ERR_NOTFOUND;
    if (!err &&
        (uint64_t)call->end_us - (uint64_t)call->start_us > (uint64_t)RN_HOURS_MAX * 3600 * 1000000)
        err = TR_ERR_LIMIT;
    if (err) {
        rn_call_free(call);
        return err;
    }
    for (uint32_t i = 0; i < call->track_count; i++) {
        for (uint32_t k = 0; k < call->tracks[i]->part_count; k++)
            sort_part(call->tracks[i], call->tracks[i]->parts[k]);
    }
    if (tr_reader_segment(call->reader, &call->segment))
        call->start_wall_us = call->segment.wall0_us + (call->start_us - call->segment.mono0_us);
    *out = call;
    return TR_OK;
}

static void free_part(struct rn_part *p)
{
    tr_free(p->packets);
    tr_free(p->srs);
    tr_free(p);
}

void rn_call_free(struct rn_call *call)
{
    if (!call)
        return;
    for (uint32_t i = 0; i < call->track_count; i++) {
        struct rn_track *t = call->tracks[i];
        for (uint32_t k = 0; k < t->part_count; k++)
            free_part(t->parts[k]);
        tr_free(t->mutes);
        tr_free(t);
    }
    tr_reader_close(call->reader);
    tr_free(call);
}

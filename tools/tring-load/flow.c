/* Media of one client. What it sends are frames by sim/media.h, one sender a stream; the layers of
 * a simulcast beat in time. What it receives is judged by its payload: who made it, which frame
 * and part it is, and when it was made; a packet counts when it was made within the measured time,
 * whenever it arrives, and each number of a stream counts once.
 *
 * How many packets should arrive is known where each receiver gets all that is sent. With
 * simulcast it is not: there, the frames from the first to the last that came are expected whole.
 */
#include <string.h>

#include "base/mem.h"
#include "tring-load/rtc.h"

enum {
    KEEP_VIDEO = 512, /* packets for retransmission */
    KEEP_AUDIO = 64,
    LAYER_BITS = 2, /* of a payload's source */
};

/* --- out --- */

static void send_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct rtc *c = arg;
    c->world->totals.sent_bytes += datagram.n;
    rtc_send(c, path, datagram);
}

static uint32_t layer_bps(const struct load_options *o, int layer)
{
    static const uint32_t divisors[TR_TRACK_LAYERS] = { 10, 3, 1 };
    return o->layers == 1 ? o->video_bps : o->video_bps / divisors[layer];
}

static enum tr_err add_sender(struct rtc *c, tr_usec first, int track, bool video, int layer)
{
    const struct load_options *o = c->world->options;
    struct sim_sender *s = tr_alloc(sizeof *s);
    if (!s)
        return TR_ERR_NOMEM;
    struct sim_sender_conf conf = {
        .peer = c->peer,
        .mline = track,
        .video = video,
        .bitrate_bps = layer_bps(o, layer),
        .fps = o->fps,
        .packet_bytes = o->packet_bytes,
        .keyframe_every = o->keyframe_every,
        .frame_packets = o->frame_packets,
        .spread_pct = o->spread_pct,
        .audio_bytes = o->audio_bytes,
        .audio_pps = o->audio_pps,
        .audio_even = o->audio_even,
        .source = c->number << LAYER_BITS | (uint32_t)layer,
        .keep = video ? KEEP_VIDEO : KEEP_AUDIO,
        .first_ts = tr_rng_u32(&c->world->rng),
        .first_seq = (uint16_t)(tr_rng_u32(&c->world->rng) & 0x7fff),
        .pool = c->world->pool,
        .send = send_datagram,
        .arg = c,
    };
    sim_sender_init(s, &conf, first);
    c->outs[c->outs_count++] = s;
    return TR_OK;
}

enum tr_err rtc_flow_start(struct rtc *c, tr_usec now, const struct tr_track_conf *t)
{
    const struct load_options *o = c->world->options;
    enum tr_err err = TR_OK;
    /* Clients do not beat in time. */
    tr_usec period = TR_SECOND / o->fps;
    tr_usec first = now + (tr_usec)tr_rng_below(&c->world->rng, (uint64_t)period);
    for (int i = 0; err == TR_OK && i < c->tracks && c->outs_count < RTC_OUTS_MAX; i++) {
        int layer = i < c->mlines ? 0 : i - c->mlines + 1;
        if (t[i].used && t[i].send)
            err = add_sender(c, first, i, t[i].video, layer);
    }
    c->sending = false; /* until the peer is up */
    return err;
}

void rtc_flow_end(struct rtc *c)
{
    for (int i = 0; i < c->outs_count; i++) {
        sim_sender_deinit(c->outs[i]);
        tr_free(c->outs[i]);
    }
    c->outs_count = 0;
    tr_free(c->ins);
    c->ins = NULL;
}

struct sim_sender *rtc_flow_sender(struct rtc *c, int track)
{
    for (int i = 0; i < c->outs_count; i++) {
        if (c->outs[i]->conf.mline == track)
            return c->outs[i];
    }
    return NULL;
}

tr_usec rtc_flow_next(const struct rtc *c)
{
    tr_usec next = TR_NEVER;
    for (int i = 0; c->sending && i < c->outs_count; i++)
        next = tr_usec_min(next, sim_sender_next(c->outs[i]));
    return next;
}

void rtc_flow_run(struct rtc *c, tr_usec now)
{
    struct rtc_world *w = c->world;
    for (int i = 0; c->sending && i < c->outs_count; i++) {
        struct sim_sender *s = c->outs[i];
        if (sim_sender_next(s) > now)
            continue;
        uint64_t before = s->packets;
        tr_usec late = now - sim_sender_next(s);
        sim_sender_run(s, now);
        if (now < w->measure_from || now >= w->measure_to)
            continue;
        w->totals.sent += s->packets - before;
        if (w->options->layers == 1)
            w->totals.expected += (s->packets - before) * (uint64_t)c->wish.takers;
        hist_add(&w->late, late);
    }
}

/* --- in --- */

/* True when the number is new to the stream. */
static bool is_first(struct rtc_in *in, int64_t seq)
{
    uint64_t bit = (uint64_t)seq % RTC_SEEN_BITS;
    if (!in->any) {
        in->any = true;
        in->newest = seq - 1;
    }
    if (seq <= in->newest - RTC_SEEN_BITS)
        return false;
    if (seq > in->newest + RTC_SEEN_BITS)
        memset(in->seen, 0, sizeof in->seen);
    else
        for (int64_t s = in->newest + 1; s <= seq; s++)
            in->seen[(uint64_t)s % RTC_SEEN_BITS / 64] &= ~(UINT64_C(1) << ((uint64_t)s % 64));
    if (seq > in->newest)
        in->newest = seq;
    bool first = !(in->seen[bit / 64] >> (bit % 64) & 1);
    in->seen[bit / 64] |= UINT64_C(1) << (bit % 64);
    return first;
}

static void count_number(struct rtc *c, struct rtc_in *in, int64_t seq)
{
    if (in->epoch != c->world->epoch) {
        in->epoch = c->world->epoch;
        in->first = seq;
        in->unique = 0;
        in->next_frame = 0;
    }
    if (seq >= in->first)
        in->unique++;
}

uint64_t rtc_flow_missing(const struct rtc *c)
{
    uint64_t sum = 0;
    for (int i = 0; c->ins && i < c->mlines; i++) {
        const struct rtc_in *in = &c->ins[i];
        if (in->any && in->epoch == c->world->epoch && in->newest >= in->first)
            sum += (uint64_t)(in->newest - in->first + 1) - in->unique;
    }
    return sum;
}

/* Frames that nothing came of were expected, too: taken as large as this one. */
static void expect_frames(struct rtc_totals *t, struct rtc_in *in, const struct sim_payload *p)
{
    if (in->next_frame == 0)
        in->next_frame = p->frame;
    if ((int32_t)(p->frame - in->next_frame) < 0)
        return;
    t->expected += (uint64_t)(p->frame - in->next_frame + 1) * p->count;
    in->next_frame = p->frame + 1;
}

static void count_delivered(struct rtc *c, tr_usec now, struct rtc_in *in,
                            const struct sim_payload *p, bool repaired)
{
    struct rtc_world *w = c->world;
    struct rtc_totals *t = &w->totals;
    if (p->sent_us < w->measure_from || p->sent_us >= w->measure_to)
        return;
    t->delivered++;
    if (w->options->layers > 1)
        expect_frames(t, in, p);
    uint32_t layer = p->source & ((1u << LAYER_BITS) - 1);
    if (p->video && layer < TR_TRACK_LAYERS)
        t->by_layer[layer]++;
    if (!repaired)
        hist_add(&w->delay, now - p->sent_us);
}

static void judge(struct rtc *c, tr_usec now, const struct tr_pkt *pkt, int mline)
{
    struct rtc_totals *t = &c->world->totals;
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    struct rtc_in *in = &c->ins[mline];
    struct sim_payload p;
    bool repaired = (m->flags & TR_RTP_RETRANSMITTED) != 0, known = in->any;
    t->out_of_order += known && !repaired && m->ext_seq < in->newest;
    if (!is_first(in, m->ext_seq)) {
        t->duplicate++;
        return;
    }
    count_number(c, in, m->ext_seq);
    t->padding += pkt->len == 0;
    if (pkt->len == 0)
        return;
    if (sim_payload_read(&p, c->video[mline], tr_pkt_slice(pkt)) != TR_OK) {
        t->damaged++;
        return;
    }
    uint32_t source = p.source >> LAYER_BITS;
    t->misrouted += known && source != in->source;
    in->source = source;
    if (c->first_media_us == 0)
        c->first_media_us = now;
    if (c->first_keyframe_us == 0 && p.keyframe)
        c->first_keyframe_us = now;
    t->repaired += repaired;
    count_delivered(c, now, in, &p, repaired);
}

static bool is_lost(struct rtc_world *w)
{
    double loss = w->options->loss;
    return loss > 0 && (double)tr_rng_below(&w->rng, 1000000) < loss * 1e6;
}

static void count_refused(struct rtc_totals *t, enum tr_err err)
{
    if (err == TR_ERR_AUTH)
        t->undecryptable++;
    else if (err == TR_ERR_EXISTS)
        t->duplicate++;
    else if (err == TR_ERR_IGNORED)
        t->probing++;
    else
        t->refused++;
}

void rtc_flow_input(struct rtc *c, tr_usec now, struct tr_slice datagram)
{
    struct rtc_world *w = c->world;
    w->totals.received++;
    w->totals.received_bytes += datagram.n;
    if (is_lost(w)) {
        w->totals.dropped++;
        return;
    }
    struct tr_pkt *pkt = tr_pkt_alloc(w->pool);
    int mline;
    if (!pkt)
        return;
    enum tr_err err = tr_peer_rtp(c->peer, now, datagram, pkt, &mline);
    if (err == TR_OK)
        judge(c, now, pkt, mline);
    else
        count_refused(&w->totals, err);
    tr_pkt_unref(&pkt);
}

/* RTCP goes to where RTCP has come from: a sender opens the way (a report is enough), which is what
 * gets through a NAT and needs no configuration. Without SRTP there is no proof in it, so it must
 * at least come from the host that media comes from.
 *
 * A sender of SRTP may send its RTCP in the clear (Janus does): that opens the way and nothing
 * more; its clock is not believed. */
#include "base/rng.h"
#include "peer/plain_impl.h"
#include "rtp/rtcp.h"

enum {
    RTCP_IN_MAX = 1500,
    NACKS_MAX = 64,
    NACK_ROOM = 12 + 4 * NACKS_MAX,
    KEYFRAME_ROOM = 20,
    EMPTY_REPORT = 8,
    REPORT_JITTER_US = 200000,
};

#define RTT_US (50 * TR_MSEC) /* nothing that we send is reported on, so nobody measures it */

/* --- in --- */

/* Media that is known to come from another host than this. */
static bool is_stranger(const struct tr_plain *plain, const struct plain_port *rtcp,
                        const struct tr_addr *from)
{
    bool media = false;
    for (int i = 0; i < plain->tracks_count * TR_TRACK_LAYERS; i++) {
        int mline = i / TR_TRACK_LAYERS, layer = i % TR_TRACK_LAYERS;
        const struct plain_latch *sender = &plain->tracks[mline].streams[layer].sender;
        if (!sender->known || !plain_feeds(rtcp, mline, layer))
            continue;
        if (tr_addr_ip_eq(&sender->from, from))
            return false;
        media = true;
    }
    return media;
}

static struct plain_stream *stream_of_ssrc(struct tr_plain *plain, const struct plain_port *port,
                                           uint32_t ssrc)
{
    for (int i = 0; i < plain->tracks_count; i++) {
        for (int l = 0; l < TR_TRACK_LAYERS; l++) {
            struct plain_stream *s = &plain->tracks[i].streams[l];
            if (s->started && s->ssrc == ssrc && plain_feeds(port, i, l))
                return s;
        }
    }
    return NULL;
}

/* Opens it, or takes it as it is. false: it is neither. */
static bool open_rtcp(struct tr_plain *plain, struct tr_slice in, uint8_t *buf, struct tr_rd *it,
                      bool *proven)
{
    size_t n;
    *proven = true;
    if (!plain->in)
        return tr_rtcp_iter_init(it, in) == TR_OK;
    if (tr_srtcp_unprotect(plain->in, in, (struct tr_buf){ buf, RTCP_IN_MAX }, &n) == TR_OK)
        return tr_rtcp_iter_init(it, tr_slice(buf, n)) == TR_OK;
    *proven = false;
    return tr_rtcp_iter_init(it, in) == TR_OK;
}

static void input_report(struct tr_plain *plain, tr_usec now, const struct plain_port *port,
                         const struct tr_rtcp_pkt *pkt)
{
    struct tr_rtcp_report report;
    if (tr_rtcp_report(pkt, &report) != TR_OK || !report.sender)
        return;
    struct plain_stream *s = stream_of_ssrc(plain, port, report.ssrc);
    if (!s)
        return;
    tr_sr_update(&s->sr, now, report.ntp, report.rtp_ts);
    s->sr_new = true;
}

void plain_rtcp_input(struct tr_plain *plain, tr_usec now, int n, const struct tr_addr *from,
                      struct tr_slice datagram)
{
    uint8_t buf[RTCP_IN_MAX];
    struct plain_port *port = &plain->ports[n];
    struct tr_rd it;
    struct tr_rtcp_pkt pkt;
    bool proven;
    if (datagram.n > sizeof buf || !open_rtcp(plain, datagram, buf, &it, &proven)) {
        plain_drop(plain, TR_DROP_RTCP_BAD);
        return;
    }
    if (!plain_may_speak(port, &port->rtcp, now, from) || is_stranger(plain, port, from)) {
        plain_drop(plain, TR_DROP_UNKNOWN_ADDR);
        return;
    }
    if (!port->rtcp.known)
        port->report_due = now;
    plain_heard(&port->rtcp, now, from);
    port->rtcp_in_clear = !proven;
    while (proven && tr_rtcp_next(&it, &pkt)) {
        if (pkt.type == TR_RTCP_SR)
            input_report(plain, now, port, &pkt);
    }
}

/* --- out --- */

static size_t room(const struct tr_wr *w)
{
    return (size_t)(w->end - w->p);
}

/* Each stream is reported on by the first port that can. */
static bool serves(const struct tr_plain *plain, int n, int mline, int layer)
{
    for (int i = 0; i < n; i++) {
        if (plain->ports[i].rtcp.known && plain_feeds(&plain->ports[i], mline, layer))
            return false;
    }
    return plain->ports[n].rtcp.known && plain_feeds(&plain->ports[n], mline, layer);
}

typedef void stream_fn(struct tr_plain *plain, struct plain_track *t, struct plain_stream *s,
                       tr_usec now, struct tr_wr *w);

static void each_stream(struct tr_plain *plain, int n, tr_usec now, struct tr_wr *w, stream_fn *fn)
{
    for (int i = 0; i < plain->tracks_count; i++) {
        struct plain_track *t = &plain->tracks[i];
        for (int l = 0; l < t->conf.layers_count; l++) {
            if (t->streams[l].started && serves(plain, n, i, l))
                fn(plain, t, &t->streams[l], now, w);
        }
    }
}

static void put_report(struct tr_plain *plain, int n, tr_usec now, struct tr_wr *w)
{
    struct tr_rtcp_block blocks[TR_RTCP_BLOCKS_MAX];
    unsigned count = 0;
    for (int i = 0; i < plain->tracks_count; i++) {
        struct plain_track *t = &plain->tracks[i];
        for (int l = 0; l < t->conf.layers_count && count < TR_RTCP_BLOCKS_MAX; l++) {
            struct plain_stream *s = &t->streams[l];
            if (s->started && serves(plain, n, i, l) &&
                tr_rtp_recv_report(&s->recv, now, s->ssrc, &s->sr, &blocks[count]))
                count++;
        }
    }
    tr_rtcp_put_rr(w, plain->rtcp_ssrc, blocks, count);
}

static void put_nacks(struct tr_plain *plain, struct plain_track *t, struct plain_stream *s,
                      tr_usec now, struct tr_wr *w)
{
    uint16_t seqs[NACKS_MAX];
    if (!s->nack || tr_rtp_recv_next_timeout(&s->recv) > now || room(w) < NACK_ROOM)
        return;
    unsigned n = tr_rtp_recv_nacks(&s->recv, now, RTT_US, seqs, NACKS_MAX);
    if (n == 0)
        return;
    tr_rtcp_put_nack(w, plain->rtcp_ssrc, s->ssrc, seqs, n);
    s->nacks_sent += n;
    plain->counters.nacks_out += n;
}

static void put_keyframe_request(struct tr_plain *plain, struct plain_track *t,
                                 struct plain_stream *s, tr_usec now, struct tr_wr *w)
{
    if (!s->keyframe_asked || room(w) < KEYFRAME_ROOM)
        return;
    s->keyframe_asked = false;
    s->plis_sent++;
    plain->counters.plis_out++;
    if (t->conf.fb_fir && !t->conf.fb_pli)
        tr_rtcp_put_fir(w, plain->rtcp_ssrc, s->ssrc, t->fir_seq++);
    else
        tr_rtcp_put_pli(w, plain->rtcp_ssrc, s->ssrc);
}

tr_usec plain_rtcp_next(const struct tr_plain *plain, int n)
{
    const struct plain_port *port = &plain->ports[n];
    if (!port->rtcp.known)
        return TR_NEVER;
    tr_usec next = port->report_due;
    for (int i = 0; i < plain->tracks_count; i++) {
        const struct plain_track *t = &plain->tracks[i];
        for (int l = 0; l < t->conf.layers_count; l++) {
            const struct plain_stream *s = &t->streams[l];
            if (!s->started || !serves(plain, n, i, l))
                continue;
            if (s->keyframe_asked)
                return 0;
            if (s->nack)
                next = tr_usec_min(next, tr_rtp_recv_next_timeout(&s->recv));
        }
    }
    return next;
}

struct tr_slice plain_rtcp_output(struct tr_plain *plain, tr_usec now, int n)
{
    struct plain_port *port = &plain->ports[n];
    const struct tr_slice nothing = { 0 };
    if (plain_rtcp_next(plain, n) > now)
        return nothing;
    struct tr_wr w = tr_wr(plain->rtcp_buf, sizeof plain->rtcp_buf - TR_SRTCP_OVERHEAD_MAX);
    bool report = port->report_due <= now;
    if (report) {
        put_report(plain, n, now, &w);
        port->report_due = now + PLAIN_REPORT_US - REPORT_JITTER_US / 2 +
                           (tr_usec)tr_rng_below(plain->rng, REPORT_JITTER_US);
    } else {
        tr_rtcp_put_rr(&w, plain->rtcp_ssrc, NULL, 0);
    }
    each_stream(plain, n, now, &w, put_nacks);
    each_stream(plain, n, now, &w, put_keyframe_request);
    struct tr_slice in = tr_wr_slice(&w);
    if (in.n == 0 || (in.n <= EMPTY_REPORT && !report))
        return nothing; /* what was due had settled itself */
    if (!plain->out || port->rtcp_in_clear)
        return in;
    size_t len;
    struct tr_buf out = { .p = plain->rtcp_buf, .n = sizeof plain->rtcp_buf };
    if (tr_srtcp_protect(plain->out, in, out, &len) != TR_OK)
        return nothing;
    return tr_slice(plain->rtcp_buf, len);
}

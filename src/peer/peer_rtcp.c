/* Reports and feedback. In: sender reports become clocks, report blocks become statistics, and
 * feedback becomes events for the owner. Out: one compound packet at a time, built when it is due:
 * always a report first (RFC 3550 section 6.1), then what waits: REMB, transport-cc, NACK, PLI. */
#include <string.h>

#include "base/rng.h"
#include "peer/peer_impl.h"

enum {
    RTCP_IN_MAX = 1600,
    NACKS_A_STREAM_MAX = 64,
    REPORT_JITTER_US = 200000,
    /* Reports of many peers leave in one turn: to wake up for each costs more than all of it. */
    REPORT_GRID_US = 100000,
    FEEDBACK_ROOM = 80,           /* left in the packet for one more message */
    SENDER_REPORT_ROOM = 28 + 40, /* with its CNAME */
    TMMBR_MAX = 16,
    BOUND_ROOM = 20 + 4 * TR_RTCP_SSRCS_MAX + 12 + 8 * TMMBR_MAX,
    ALL_STREAMS = -1,
};

static tr_ntp ntp_at(const struct tr_peer *peer, tr_usec now)
{
    return tr_ntp_from_unix_us(now + peer->conf.wall_offset_us);
}

/* --- in --- */

/* The track whose outgoing stream has this SSRC; NULL. */
static struct peer_tx *tx_of_ssrc(struct tr_peer *peer, uint32_t ssrc)
{
    for (int i = 0; i < peer->tracks_count; i++) {
        struct peer_tx *tx = peer_tx_of(peer, i);
        if (tx && peer->tracks[i].conf.out_ssrc == ssrc)
            return tx;
    }
    return NULL;
}

static void input_block(struct tr_peer *peer, tr_usec now, const struct tr_rtcp_block *block)
{
    struct peer_tx *tx = tx_of_ssrc(peer, block->ssrc);
    if (!tx)
        return;
    peer_bwe_block(peer, now, tx, block);
    tx->remote_fraction = block->fraction;
    tx->remote_lost = block->lost;
    tx->remote_jitter = block->jitter;
    tr_usec rtt = tr_rtcp_rtt(block, ntp_at(peer, now));
    if (rtt < 0)
        return;
    tx->rtt_us = rtt;
    if (peer->bwe)
        tr_bwe_rtt(peer->bwe, rtt);
}

static void input_report(struct tr_peer *peer, tr_usec now, const struct tr_rtcp_pkt *pkt)
{
    struct tr_rtcp_report report;
    struct tr_rtcp_block block;
    if (tr_rtcp_report(pkt, &report) != TR_OK)
        return;
    for (unsigned i = 0; i < report.block_count; i++) {
        tr_rtcp_report_block(&report, i, &block);
        input_block(peer, now, &block);
    }
    int n = report.sender ? peer_stream_find(peer, report.ssrc) : -1;
    if (n < 0)
        return;
    struct peer_stream *s = &peer->streams[n];
    tr_sr_update(&s->sr, now, report.ntp, report.rtp_ts);
    s->sr_new = !s->rtx;
}

static void input_nack(struct tr_peer *peer, const struct tr_rtcp_fb *fb)
{
    struct peer_tx *tx = tx_of_ssrc(peer, fb->media);
    struct tr_rtcp_nack_iter it;
    uint16_t seq;
    if (!tx)
        return;
    tr_rtcp_nack_init(&it, fb);
    while (tr_rtcp_nack_next(&it, &seq)) {
        tx->nacks_received++;
        peer->counters.nacks_in++;
        if (tx->nacks_count < TR_PEER_NACKS_MAX)
            tx->nacks[tx->nacks_count++] = seq;
        else
            peer_drop(peer, TR_DROP_RESEND);
    }
}

static void ask_keyframe(struct tr_peer *peer, struct peer_tx *tx)
{
    tx->keyframe_asked = true;
    tx->plis_received++;
    peer->counters.plis_in++;
}

static void input_fir(struct tr_peer *peer, const struct tr_rtcp_fb *fb)
{
    uint32_t ssrc;
    uint8_t seq;
    for (unsigned i = 0; i < TR_RTCP_SSRCS_MAX && tr_rtcp_fir(fb, i, &ssrc, &seq); i++) {
        struct peer_tx *tx = tx_of_ssrc(peer, ssrc);
        /* A repeated number repeats the request, it is no new one (RFC 5104 section 4.3.1.2). */
        if (!tx || (tx->fir_any && tx->fir_seen == seq))
            continue;
        tx->fir_any = true;
        tx->fir_seen = seq;
        tx->firs_received++;
        ask_keyframe(peer, tx);
    }
}

static void input_remb(struct tr_peer *peer, tr_usec now, uint64_t bps)
{
    peer->remb_bps = bps > UINT32_MAX ? UINT32_MAX : (uint32_t)bps;
    if (peer->bwe)
        tr_bwe_remb(peer->bwe, now, bps);
}

static void input_psfb(struct tr_peer *peer, tr_usec now, const struct tr_rtcp_pkt *pkt,
                       const struct tr_rtcp_fb *fb)
{
    struct tr_rtcp_remb remb;
    struct peer_tx *tx = tx_of_ssrc(peer, fb->media);
    if (pkt->count == TR_PSFB_PLI && tx)
        ask_keyframe(peer, tx);
    else if (pkt->count == TR_PSFB_FIR)
        input_fir(peer, fb);
    else if (pkt->count == TR_PSFB_AFB && tr_rtcp_remb(fb, &remb) == TR_OK)
        input_remb(peer, now, remb.bps);
}

static void input_packet(struct tr_peer *peer, tr_usec now, const struct tr_rtcp_pkt *pkt)
{
    struct tr_rtcp_fb fb;
    if (pkt->type == TR_RTCP_SR || pkt->type == TR_RTCP_RR)
        input_report(peer, now, pkt);
    else if ((pkt->type == TR_RTCP_RTPFB || pkt->type == TR_RTCP_PSFB) &&
             tr_rtcp_fb(pkt, &fb) != TR_OK)
        peer_drop(peer, TR_DROP_RTCP_BAD);
    else if (pkt->type == TR_RTCP_RTPFB && pkt->count == TR_RTPFB_NACK)
        input_nack(peer, &fb);
    else if (pkt->type == TR_RTCP_RTPFB && pkt->count == TR_RTPFB_TWCC)
        peer_bwe_feedback(peer, now, &fb);
    else if (pkt->type == TR_RTCP_PSFB)
        input_psfb(peer, now, pkt, &fb);
}

void peer_rtcp_input(struct tr_peer *peer, tr_usec now, struct tr_slice datagram)
{
    uint8_t plain[RTCP_IN_MAX];
    size_t n;
    if (!peer->up || datagram.n > sizeof plain) {
        peer_drop(peer, TR_DROP_RTCP_BAD);
        return;
    }
    enum tr_err err =
        tr_srtcp_unprotect(peer->in, datagram, (struct tr_buf){ plain, sizeof plain }, &n);
    if (err != TR_OK) {
        peer_drop(peer, err == TR_ERR_AUTH     ? TR_DROP_SRTP_AUTH
                        : err == TR_ERR_EXISTS ? TR_DROP_SRTP_REPLAY
                                               : TR_DROP_RTCP_BAD);
        return;
    }
    peer_proven(peer);
    struct tr_rd it;
    struct tr_rtcp_pkt pkt;
    if (tr_rtcp_iter_init(&it, tr_slice(plain, n)) != TR_OK) {
        peer_drop(peer, TR_DROP_RTCP_BAD);
        return;
    }
    while (tr_rtcp_next(&it, &pkt))
        input_packet(peer, now, &pkt);
}

/* --- out --- */

static size_t room(const struct tr_wr *w)
{
    return (size_t)(w->end - w->p);
}

static void put_sender_report(struct tr_peer *peer, tr_usec now, struct peer_track *t,
                              struct tr_wr *w)
{
    struct peer_tx *tx = t->tx;
    int64_t since_us = now - tx->clock_at;
    struct tr_rtcp_report sr = {
        .ssrc = t->conf.out_ssrc,
        .ntp = ntp_at(peer, now),
        .rtp_ts = tx->clock_rtp + (uint32_t)(since_us * (int64_t)t->conf.clock_rate / TR_SECOND),
        .packets = (uint32_t)tx->packets,
        .octets = (uint32_t)tx->octets,
    };
    tr_rtcp_put_sr(w, &sr, NULL, 0);
    tr_rtcp_put_sdes(w, sr.ssrc, tr_slice_str(t->conf.cname));
    tx->packets_at_report = tx->packets;
}

static uint32_t rate(uint64_t bytes, tr_usec us)
{
    return (uint32_t)(bytes * 8 * (uint64_t)TR_SECOND / (uint64_t)us);
}

static void update_bitrates(struct tr_peer *peer, tr_usec now)
{
    tr_usec us = now - peer->rate_at;
    if (us < PEER_RATE_US)
        return;
    peer->rate_at = now;
    for (int i = 0; i < peer->streams_count; i++) {
        struct peer_stream *s = &peer->streams[i];
        s->bitrate_bps = rate(s->bytes - s->rate_bytes, us);
        s->rate_bytes = s->bytes;
    }
    for (int i = 0; i < peer->tracks_count; i++) {
        struct peer_tx *tx = peer->tracks[i].tx;
        if (!tx)
            continue;
        tx->bitrate_bps = rate(tx->octets - tx->rate_octets, us);
        tx->rate_octets = tx->octets;
    }
    if (peer->bwe)
        tr_bwe_send_rate(peer->bwe, rate(peer->bytes_out - peer->rate_bytes_out, us));
    peer->rate_bytes_out = peer->bytes_out;
}

static void put_receiver_report(struct tr_peer *peer, tr_usec now, struct tr_wr *w)
{
    struct tr_rtcp_block blocks[TR_RTCP_BLOCKS_MAX];
    unsigned n = 0;
    for (; peer->report_stream < peer->streams_count && n < TR_RTCP_BLOCKS_MAX;
         peer->report_stream++) {
        struct peer_stream *s = &peer->streams[peer->report_stream];
        if (!s->rtx && tr_rtp_recv_report(&s->recv, now, s->ssrc, &s->sr, &blocks[n]))
            n++;
    }
    tr_rtcp_put_rr(w, peer->rtcp_ssrc, blocks, n);
}

uint32_t peer_bound(const struct tr_peer *peer)
{
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct tr_track_conf *conf = &peer->tracks[i].conf;
        if (conf->used && conf->recv && conf->video && (conf->fb_remb || conf->fb_tmmbr))
            return peer->bitrate_bps ? peer->bitrate_bps : PEER_REMB_DEFAULT;
    }
    return 0;
}

/* REMB bounds all video of the client; where it is not agreed on, TMMBR bounds each stream. */
static void put_bound(struct tr_peer *peer, uint32_t bps, struct tr_wr *w)
{
    uint32_t remb[PEER_STREAMS_MAX], tmmbr[PEER_STREAMS_MAX];
    unsigned rembs = 0, tmmbrs = 0;
    for (int i = 0; i < peer->streams_count; i++) {
        const struct peer_stream *s = &peer->streams[i];
        const struct tr_track_conf *conf = &peer->tracks[s->mline].conf;
        if (s->rtx || !conf->video)
            continue;
        if (conf->fb_tmmbr && tmmbrs < TMMBR_MAX)
            tmmbr[tmmbrs++] = s->ssrc;
        else if (!conf->fb_tmmbr && rembs < TR_RTCP_SSRCS_MAX)
            remb[rembs++] = s->ssrc;
    }
    if (rembs > 0)
        tr_rtcp_put_remb(w, peer->rtcp_ssrc, bps, remb, rembs);
    if (tmmbrs > 0)
        tr_rtcp_put_tmmbr(w, peer->rtcp_ssrc, bps / tmmbrs, tmmbr, tmmbrs);
}

/* The regular report: what we send, what we receive, what may be sent to us. */
static void put_reports(struct tr_peer *peer, tr_usec now, struct tr_wr *w)
{
    update_bitrates(peer, now);
    put_receiver_report(peer, now, w);
    for (; peer->report_track < peer->tracks_count; peer->report_track++) {
        struct peer_tx *tx = peer_tx_of(peer, peer->report_track);
        if (!tx || !tx->clock_known || tx->packets == tx->packets_at_report)
            continue;
        if (room(w) < SENDER_REPORT_ROOM)
            return;
        put_sender_report(peer, now, &peer->tracks[peer->report_track], w);
    }
    if (peer->report_stream < peer->streams_count || room(w) < BOUND_ROOM)
        return; /* still due: the next packet goes on from here */
    uint32_t bound = peer_bound(peer);
    if (bound > 0)
        put_bound(peer, bound, w);
    peer->report_stream = peer->report_track = 0;
    tr_usec due = now + PEER_REPORT_US - REPORT_JITTER_US / 2 +
                  (tr_usec)tr_rng_below(peer->conf.rng, REPORT_JITTER_US);
    peer->report_due = tr_usec_up(due, REPORT_GRID_US);
}

/* The largest round trip of what we send, as a guess for what we receive. */
static tr_usec peer_rtt(const struct tr_peer *peer)
{
    tr_usec rtt = 0;
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct peer_tx *tx = peer->tracks[i].tx;
        if (tx && tx->rtt_us > rtt)
            rtt = tx->rtt_us;
    }
    return rtt ? rtt : 50 * TR_MSEC;
}

static bool nacks_are_due(const struct peer_stream *s, tr_usec now)
{
    return s->nack && tr_rtp_recv_next_timeout(&s->recv) <= now;
}

/* Of which streams one packet tells. A server tells of all at once. A client speaks as browsers do:
 * of one stream, behind a report on that stream, as there are servers that take the first report
 * for what the whole packet is about. */
static int feedback_stream(const struct tr_peer *peer, tr_usec now)
{
    int i = 0;
    if (peer->conf.lite)
        return ALL_STREAMS;
    while (i < peer->streams_count && !peer->streams[i].keyframe_asked &&
           !nacks_are_due(&peer->streams[i], now))
        i++;
    return i;
}

static bool is_told(int which, int stream)
{
    return which == ALL_STREAMS || which == stream;
}

static void put_early_report(struct tr_peer *peer, tr_usec now, int which, struct tr_wr *w)
{
    struct tr_rtcp_block block;
    unsigned n = 0;
    if (which != ALL_STREAMS && which < peer->streams_count) {
        struct peer_stream *s = &peer->streams[which];
        n = tr_rtp_recv_report(&s->recv, now, s->ssrc, &s->sr, &block);
    }
    tr_rtcp_put_rr(w, peer->rtcp_ssrc, &block, n);
}

static void put_nacks(struct tr_peer *peer, tr_usec now, int which, struct tr_wr *w)
{
    uint16_t seqs[NACKS_A_STREAM_MAX];
    for (int i = 0; i < peer->streams_count; i++) {
        struct peer_stream *s = &peer->streams[i];
        if (!is_told(which, i) || !nacks_are_due(s, now) ||
            room(w) < FEEDBACK_ROOM + sizeof seqs * 2)
            continue;
        unsigned n = tr_rtp_recv_nacks(&s->recv, now, peer_rtt(peer), seqs, NACKS_A_STREAM_MAX);
        if (n == 0)
            continue;
        tr_rtcp_put_nack(w, peer->rtcp_ssrc, s->ssrc, seqs, n);
        s->nacks_sent += n;
        peer->counters.nacks_out += n;
    }
}

static void put_keyframe_requests(struct tr_peer *peer, int which, struct tr_wr *w)
{
    peer->feedback_due = false;
    for (int i = 0; i < peer->streams_count; i++) {
        struct peer_stream *s = &peer->streams[i];
        if (!s->keyframe_asked)
            continue;
        if (!is_told(which, i) || room(w) < FEEDBACK_ROOM) {
            peer->feedback_due = true;
            return;
        }
        struct peer_track *t = &peer->tracks[s->mline];
        s->keyframe_asked = false;
        s->plis_sent++;
        peer->counters.plis_out++;
        if (t->conf.fb_pli || !t->conf.fb_fir) {
            tr_rtcp_put_pli(w, peer->rtcp_ssrc, s->ssrc);
        } else {
            s->firs_sent++;
            tr_rtcp_put_fir(w, peer->rtcp_ssrc, s->ssrc, t->fir_seq++);
        }
    }
}

static tr_usec nack_due(const struct tr_peer *peer)
{
    tr_usec due = TR_NEVER;
    for (int i = 0; i < peer->streams_count; i++) {
        if (peer->streams[i].nack)
            due = tr_usec_min(due, tr_rtp_recv_next_timeout(&peer->streams[i].recv));
    }
    return due;
}

static tr_usec twcc_due(const struct tr_peer *peer)
{
    return peer->twcc ? tr_twcc_recv_next_timeout(peer->twcc) : TR_NEVER;
}

tr_usec peer_rtcp_next(const struct tr_peer *peer)
{
    if (!peer->up || !peer->have_path)
        return TR_NEVER;
    if (peer->feedback_due)
        return 0;
    return tr_usec_min(peer->report_due, tr_usec_min(nack_due(peer), twcc_due(peer)));
}

/* What waits besides the regular report; which streams it is about: feedback_stream. */
static void put_feedback(struct tr_peer *peer, tr_usec now, int which, struct tr_wr *w)
{
    put_nacks(peer, now, which, w);
    put_keyframe_requests(peer, which, w);
    if (twcc_due(peer) <= now)
        (void)tr_twcc_recv_build(peer->twcc, w, peer->rtcp_ssrc, peer->twcc_media_ssrc);
}

struct tr_slice peer_rtcp_output(struct tr_peer *peer, tr_usec now)
{
    if (peer_rtcp_next(peer) > now || !peer->have_path)
        return tr_slice(NULL, 0);
    struct tr_wr w = tr_wr(peer->rtcp_buf, sizeof peer->rtcp_buf - TR_SRTCP_OVERHEAD_MAX);
    bool report = peer->report_due <= now;
    int which = feedback_stream(peer, now);
    if (report)
        put_reports(peer, now, &w);
    else
        put_early_report(peer, now, which, &w);
    size_t head = tr_wr_slice(&w).n;
    if (!report || which == ALL_STREAMS)
        put_feedback(peer, now, which, &w);
    struct tr_slice plain = tr_wr_slice(&w);
    size_t n;
    struct tr_buf out = { .p = peer->rtcp_buf, .n = sizeof peer->rtcp_buf };
    if (plain.n == head && !report)
        return tr_slice(NULL, 0); /* what was due had settled itself */
    if (plain.n == 0 || tr_srtcp_protect(peer->out, plain, out, &n) != TR_OK)
        return tr_slice(NULL, 0);
    return tr_slice(peer->rtcp_buf, n);
}

/* Media in. A packet is parsed, its stream looked up by SSRC, opened straight into the packet that
 * the graph will share, and described in its meta. What comes out no longer shows whether it came
 * first hand or by retransmission.
 *
 * Streams are announced in SDP by SSRC, or (simulcast by RID, and clients that announce nothing)
 * learnt from the MID and RID header extensions of a packet that has authenticated. The table is
 * bounded by what the m-lines allow: one stream and its retransmissions a layer. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "peer/ingress.h"
#include "peer/peer_impl.h"
#include "rtp/rtp.h"

enum { TWCC_INTERVAL_US = 100000 };

#define TAKE_OVER_US (TR_SECOND / 2)

static uint32_t slot_of(uint32_t ssrc)
{
    return (ssrc * 2654435761u) >> 24 & (PEER_SSRC_SLOTS - 1);
}

int peer_stream_find(const struct tr_peer *peer, uint32_t ssrc)
{
    for (uint32_t i = slot_of(ssrc);; i = (i + 1) & (PEER_SSRC_SLOTS - 1)) {
        uint8_t n = peer->slots[i];
        if (n == PEER_SSRC_NONE)
            return -1;
        if (peer->streams[n].ssrc == ssrc)
            return n;
    }
}

static void index_stream(struct tr_peer *peer, int n)
{
    uint32_t i = slot_of(peer->streams[n].ssrc);
    while (peer->slots[i] != PEER_SSRC_NONE)
        i = (i + 1) & (PEER_SSRC_SLOTS - 1);
    peer->slots[i] = (uint8_t)n;
}

int peer_stream_of_layer(const struct tr_peer *peer, int mline, int layer, bool rtx)
{
    for (int i = 0; i < peer->streams_count; i++) {
        const struct peer_stream *s = &peer->streams[i];
        if (s->mline == mline && s->layer == layer && s->rtx == rtx)
            return i;
    }
    return -1;
}

static void reindex(struct tr_peer *peer)
{
    memset(peer->slots, PEER_SSRC_NONE, sizeof peer->slots);
    for (int i = 0; i < peer->streams_count; i++)
        index_stream(peer, i);
}

static void link_streams(struct tr_peer *peer, int n)
{
    struct peer_stream *s = &peer->streams[n];
    struct peer_track *t = &peer->tracks[s->mline];
    if (!s->rtx) {
        t->streams[s->layer] = (uint8_t)n;
        int rtx = peer_stream_of_layer(peer, s->mline, s->layer, true);
        if (rtx >= 0)
            peer->streams[rtx].primary = (uint8_t)n;
        return;
    }
    s->primary = t->streams[s->layer];
}

/* NACK lists are large and the arena takes nothing back: those of ended streams are kept. */
static struct tr_nack *take_nack(struct tr_peer *peer)
{
    if (peer->spare_nacks_count > 0)
        return peer->spare_nacks[--peer->spare_nacks_count];
    return tr_arena_alloc(peer->arena, sizeof(struct tr_nack));
}

static void give_nack(struct tr_peer *peer, struct peer_stream *s)
{
    if (!s->nack)
        return;
    TR_ASSERT(peer->spare_nacks_count < peer->streams_size);
    peer->spare_nacks[peer->spare_nacks_count++] = s->nack;
    s->nack = NULL;
}

static bool wants_nack(const struct tr_track_conf *conf, bool rtx)
{
    return conf->fb_nack && !rtx;
}

static void start_stream(struct tr_peer *peer, struct peer_stream *s)
{
    const struct tr_track_conf *conf = &peer->tracks[s->mline].conf;
    if (wants_nack(conf, s->rtx))
        s->nack = take_nack(peer); /* NULL: memory is out, the stream goes without */
    if (peer->tracks[s->mline].dd && !s->rtx)
        peer->tracks[s->mline].dd[s->layer] = (struct tr_dd_structure){ 0 };
    tr_rtp_recv_init(&s->recv, conf->clock_rate, s->nack);
    tr_sr_init(&s->sr, conf->clock_rate);
}

/* Room for one stream more. Pointers to streams end here. */
static enum tr_err grow_streams(struct tr_peer *peer)
{
    if (peer->streams_count < peer->streams_size)
        return TR_OK;
    int size = peer->streams_size ? peer->streams_size * 2 : PEER_STREAMS_FIRST;
    if (size > PEER_STREAMS_MAX)
        return TR_ERR_LIMIT;
    struct peer_stream *streams = tr_arena_alloc(peer->arena, (size_t)size * sizeof *streams);
    struct tr_nack **spare = tr_arena_alloc(peer->arena, (size_t)size * sizeof(void *));
    if (!streams || !spare)
        return TR_ERR_NOMEM;
    if (peer->streams_size > 0) {
        memcpy(streams, peer->streams, (size_t)peer->streams_count * sizeof *streams);
        memcpy(spare, peer->spare_nacks, (size_t)peer->spare_nacks_count * sizeof(void *));
    }
    peer->streams = streams;
    peer->spare_nacks = spare;
    peer->streams_size = size;
    return TR_OK;
}

enum tr_err peer_stream_add(struct tr_peer *peer, uint32_t ssrc, int mline, int layer, bool rtx,
                            int *index)
{
    int n = peer_stream_of_layer(peer, mline, layer, rtx);
    if (n >= 0) { /* the sender changed its SSRC: the layer begins anew, the table does not grow */
        give_nack(peer, &peer->streams[n]);
    } else {
        enum tr_err err = grow_streams(peer);
        if (err != TR_OK)
            return err;
        n = peer->streams_count++;
    }
    struct peer_stream *s = &peer->streams[n];
    *s = (struct peer_stream){ .ssrc = ssrc,
                               .mline = (uint8_t)mline,
                               .layer = (uint8_t)layer,
                               .rtx = rtx,
                               .primary = PEER_SSRC_NONE };
    start_stream(peer, s);
    reindex(peer);
    link_streams(peer, n);
    if (index)
        *index = n;
    return TR_OK;
}

/* Whether the m-lines say that this SSRC is another stream now. */
static bool is_moved(const struct tr_peer *peer, const struct peer_stream *s)
{
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct tr_track_conf *conf = &peer->tracks[i].conf;
        for (int l = 0; conf->used && conf->recv && l < conf->layers_count; l++) {
            bool here = i == s->mline && l == s->layer;
            if (conf->layers[l].ssrc == s->ssrc && !(here && !s->rtx))
                return true;
            if (conf->layers[l].rtx_ssrc == s->ssrc && !(here && s->rtx))
                return true;
        }
    }
    return false;
}

static bool still_fits(const struct tr_peer *peer, const struct peer_stream *s)
{
    const struct tr_track_conf *conf = &peer->tracks[s->mline].conf;
    return conf->used && conf->recv && s->layer < conf->layers_count &&
           conf->clock_rate == s->recv.clock && wants_nack(conf, s->rtx) == (s->nack != NULL) &&
           !is_moved(peer, s);
}

void peer_streams_reset(struct tr_peer *peer)
{
    int kept = 0;
    for (int i = 0; i < peer->tracks_count; i++)
        memset(peer->tracks[i].streams, PEER_SSRC_NONE, sizeof peer->tracks[i].streams);
    for (int i = 0; i < peer->streams_count; i++) {
        if (still_fits(peer, &peer->streams[i]))
            peer->streams[kept++] = peer->streams[i];
        else
            give_nack(peer, &peer->streams[i]);
    }
    for (int i = 0; i < kept; i++)
        peer->streams[i].primary = PEER_SSRC_NONE;
    peer->streams_count = kept;
    reindex(peer);
    for (int i = 0; i < kept; i++)
        link_streams(peer, i);
}

static enum tr_err keep_structures(struct tr_peer *peer, struct peer_track *t)
{
    if (t->dd || !t->conf.video || !t->conf.ext.id[TR_EXT_DEPENDENCY_DESCRIPTOR])
        return TR_OK;
    t->dd = tr_arena_alloc(peer->arena, TR_TRACK_LAYERS * sizeof *t->dd);
    return t->dd ? TR_OK : TR_ERR_NOMEM;
}

enum tr_err peer_rx_track(struct tr_peer *peer, int mline)
{
    const struct tr_track_conf *conf = &peer->tracks[mline].conf;
    if (!conf->used || !conf->recv)
        return TR_OK;
    enum tr_err err = keep_structures(peer, &peer->tracks[mline]);
    if (err != TR_OK)
        return err;
    for (int i = 0; i < conf->layers_count; i++) {
        const struct tr_track_layer *l = &conf->layers[i];
        err = TR_OK;
        if (l->ssrc && peer_stream_find(peer, l->ssrc) < 0)
            err = peer_stream_add(peer, l->ssrc, mline, i, false, NULL);
        if (err == TR_OK && l->rtx_ssrc && peer_stream_find(peer, l->rtx_ssrc) < 0)
            err = peer_stream_add(peer, l->rtx_ssrc, mline, i, true, NULL);
        if (err != TR_OK)
            return err;
    }
    if (conf->fb_transport_cc && conf->ext.id[TR_EXT_TRANSPORT_CC] && !peer->twcc) {
        peer->twcc = tr_arena_alloc(peer->arena, sizeof *peer->twcc);
        if (!peer->twcc)
            return TR_ERR_NOMEM;
        tr_twcc_recv_init(peer->twcc, TWCC_INTERVAL_US);
    }
    return TR_OK;
}

/* --- learning a stream --- */

static int mline_of_mid(const struct tr_peer *peer, struct tr_slice mid)
{
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct tr_track_conf *conf = &peer->tracks[i].conf;
        if (conf->used && conf->recv && tr_slice_eq_str(mid, conf->mid))
            return i;
    }
    return -1;
}

static bool is_red(const struct tr_track_conf *conf, uint8_t pt)
{
    return conf->red_pt && pt == conf->red_pt;
}

/* Without a MID the payload type decides, where only one m-line uses it (RFC 8843 section 9.2). */
static int mline_of_pt(const struct tr_peer *peer, uint8_t pt)
{
    int found = -1;
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct tr_track_conf *conf = &peer->tracks[i].conf;
        bool has = conf->pt == pt || is_red(conf, pt) || (conf->rtx_pt && conf->rtx_pt == pt);
        if (!conf->used || !conf->recv || !has)
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

static int layer_of_rid(const struct tr_track_conf *conf, struct tr_slice rid)
{
    for (int i = 0; i < conf->layers_count; i++) {
        if (conf->layers[i].rid[0] && tr_slice_eq_str(rid, conf->layers[i].rid))
            return i;
    }
    return -1;
}

struct guess {
    int mline;
    int layer;
    bool rtx;
};

static int guess_mline(const struct tr_peer *peer, const struct tr_rtp *rtp)
{
    struct tr_ext_vals ext;
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct tr_track_conf *conf = &peer->tracks[i].conf;
        if (!conf->used || !conf->recv || !conf->ext.id[TR_EXT_MID])
            continue;
        /* BUNDLE: one id for all m-lines (RFC 8843 section 7.2). */
        tr_ext_read(&ext, &conf->ext, rtp->ext_profile, rtp->ext);
        /* One that names no m-line is nobody's packet (RFC 8843 section 9.2). */
        if (tr_ext_has(&ext, TR_EXT_MID))
            return mline_of_mid(peer, ext.mid);
        break;
    }
    return mline_of_pt(peer, rtp->pt);
}

/* Where a packet of an unknown SSRC would belong; nothing is stored before it authenticates. */
static bool guess_stream(const struct tr_peer *peer, const struct tr_rtp *rtp, struct guess *g)
{
    struct tr_ext_vals ext;
    int mline = guess_mline(peer, rtp);
    if (mline < 0)
        return false;
    const struct tr_track_conf *conf = &peer->tracks[mline].conf;
    tr_ext_read(&ext, &conf->ext, rtp->ext_profile, rtp->ext);
    *g = (struct guess){ .mline = mline, .rtx = conf->rtx_pt && rtp->pt == conf->rtx_pt };
    if (conf->layers_count == 1)
        g->layer = 0; /* whatever it is called */
    else if (tr_ext_has(&ext, TR_EXT_RRID))
        g->layer = layer_of_rid(conf, ext.rrid);
    else if (tr_ext_has(&ext, TR_EXT_RID))
        g->layer = layer_of_rid(conf, ext.rid);
    else
        return false; /* a simulcast layer that does not say which: wait for one that does */
    return g->layer >= 0 && (g->rtx || rtp->pt == conf->pt || is_red(conf, rtp->pt));
}

/* Streams that claim the same layer in turn would begin it anew with each packet, here and at all
 * who receive it. */
static bool may_take_over(const struct tr_peer *peer, tr_usec now, const struct guess *g)
{
    int n = peer_stream_of_layer(peer, g->mline, g->layer, g->rtx);
    return n < 0 || !peer->streams[n].learnt_us || now - peer->streams[n].learnt_us >= TAKE_OVER_US;
}

/* --- one packet --- */

/* The unwrapped number nearest to the newest of the stream. */
static int64_t unwrap_near(int64_t last, uint16_t seq)
{
    return last + tr_seq_diff(seq, (uint16_t)last);
}

/* A retransmission becomes the packet that it repeats (RFC 4588 section 4). */
static enum tr_err unwrap_rtx(struct tr_peer *peer, struct peer_stream *rtx,
                              struct tr_slice *payload, struct tr_rtp_meta *m,
                              struct peer_stream **primary)
{
    if (rtx->primary == PEER_SSRC_NONE || payload->n <= 2)
        return TR_ERR_IGNORED; /* padding that probes for bandwidth, or of a stream not seen yet */
    *primary = &peer->streams[rtx->primary];
    if (!(*primary)->recv.started)
        return TR_ERR_IGNORED; /* its numbers cannot be unwrapped yet */
    m->ext_seq = unwrap_near((*primary)->last_seq, tr_get16(payload->p));
    m->ssrc = (*primary)->ssrc;
    m->flags |= TR_RTP_RETRANSMITTED;
    *payload = tr_slice(payload->p + 2, payload->n - 2);
    (*primary)->rtx_packets++;
    return TR_OK;
}

static enum tr_err open_packet(struct tr_peer *peer, const struct tr_rtp *rtp,
                               struct tr_slice datagram, struct tr_pkt *pkt,
                               struct tr_slice *payload, uint64_t *index)
{
    struct tr_buf dst = { .p = pkt->buf + TR_PKT_HEADROOM, .n = TR_PKT_DATA_MAX };
    size_t n;
    enum tr_err err = tr_srtp_unprotect(peer->in, datagram, rtp->hdr_len, dst, &n, index);
    if (err == TR_ERR_EXISTS)
        peer_drop(peer, TR_DROP_SRTP_REPLAY);
    else if (err != TR_OK)
        peer_drop(peer, err == TR_ERR_AUTH ? TR_DROP_SRTP_AUTH : TR_DROP_RTP_BAD);
    if (err != TR_OK)
        return err;
    *payload = tr_slice(dst.p, n);
    if (rtp->padding && tr_rtp_strip_padding(payload) != TR_OK) {
        peer_drop(peer, TR_DROP_RTP_BAD);
        return TR_ERR_BADMSG;
    }
    return TR_OK;
}

/* Opens the packet and finds the stream that it is of: known, or announced by its extensions, which
 * count only once the packet has proved itself. */
static enum tr_err open_stream(struct tr_peer *peer, tr_usec now, const struct tr_rtp *rtp,
                               struct tr_slice datagram, struct tr_pkt *pkt,
                               struct tr_slice *payload, uint64_t *index, int *stream)
{
    struct guess guess = { 0 };
    *stream = peer_stream_find(peer, rtp->ssrc);
    if (*stream < 0 && (!guess_stream(peer, rtp, &guess) || !may_take_over(peer, now, &guess))) {
        peer_drop(peer, TR_DROP_RTP_UNKNOWN_SSRC);
        return TR_ERR_NOTFOUND;
    }
    enum tr_err err = open_packet(peer, rtp, datagram, pkt, payload, index);
    if (err != TR_OK)
        return err;
    if (*stream >= 0)
        return TR_OK;
    err = peer_stream_add(peer, rtp->ssrc, guess.mline, guess.layer, guess.rtx, stream);
    if (err == TR_OK)
        peer->streams[*stream].learnt_us = now;
    else
        peer_drop(peer, TR_DROP_RTP_UNKNOWN_SSRC);
    return err;
}

static enum tr_err account(struct tr_peer *peer, struct peer_stream *s, tr_usec now,
                           struct tr_rtp_meta *m, size_t payload_len)
{
    bool rtx = (m->flags & TR_RTP_RETRANSMITTED) != 0;
    enum tr_recv_kind kind = tr_rtp_recv_packet(&s->recv, now, (uint16_t)m->ext_seq, m->ts, rtx);
    if (kind == TR_RECV_DUP || kind == TR_RECV_OLD || kind == TR_RECV_SUSPECT) {
        peer_drop(peer, TR_DROP_RTP_DUPLICATE);
        return TR_ERR_EXISTS;
    }
    if (m->ext_seq > s->last_seq)
        s->last_seq = m->ext_seq;
    if (m->flags & TR_RTP_KEYFRAME)
        tr_rtp_recv_keyframe(&s->recv, (uint16_t)m->ext_seq);
    s->packets++;
    s->bytes += payload_len;
    s->last_us = now;
    return TR_OK;
}

/* What an opened packet says, and of which stream it is in the end. */
static enum tr_err read_packet(struct tr_peer *peer, tr_usec now, const struct tr_rtp *rtp,
                               uint64_t index, struct tr_rtp_meta *m, struct tr_ext_vals *ext,
                               struct tr_slice *payload, struct peer_stream **s)
{
    const struct tr_track_conf *conf = &peer->tracks[(*s)->mline].conf;
    tr_ingress_header(m, conf, rtp, (*s)->layer, (int64_t)index, ext);
    if (tr_ext_has(ext, TR_EXT_TRANSPORT_CC) && peer->twcc) {
        peer->twcc_media_ssrc = rtp->ssrc;
        tr_twcc_recv_packet(peer->twcc, now, ext->transport_seq);
    }
    if ((*s)->rtx)
        return unwrap_rtx(peer, *s, payload, m, s);
    if (is_red(conf, rtp->pt) && payload->n > 0)
        return tr_ingress_red(m, conf, payload);
    if (rtp->pt == conf->pt)
        return TR_OK;
    peer_drop(peer, TR_DROP_RTP_UNKNOWN_PT); /* comfort noise, say */
    return TR_ERR_IGNORED;
}

enum tr_err tr_peer_rtp(struct tr_peer *peer, tr_usec now, struct tr_slice datagram,
                        struct tr_pkt *pkt, int *mline)
{
    struct tr_rtp rtp;
    struct tr_ext_vals ext;
    struct tr_slice payload;
    uint64_t index;
    int stream;
    if (!peer->up || peer->down || tr_rtp_parse(&rtp, datagram) != TR_OK) {
        peer_drop(peer, TR_DROP_RTP_BAD);
        return TR_ERR_BADMSG;
    }
    enum tr_err err = open_stream(peer, now, &rtp, datagram, pkt, &payload, &index, &stream);
    if (err != TR_OK)
        return err;
    peer_proven(peer);
    peer->packets_in++;
    peer->bytes_in += datagram.n;
    struct peer_stream *s = &peer->streams[stream];
    struct tr_rtp_meta *m = tr_rtp_meta(pkt);
    err = read_packet(peer, now, &rtp, index, m, &ext, &payload, &s);
    if (err == TR_ERR_BADMSG)
        peer_drop(peer, TR_DROP_RTP_BAD);
    if (err != TR_OK)
        return err;
    tr_ingress_payload(m, payload);
    if (tr_ext_has(&ext, TR_EXT_DEPENDENCY_DESCRIPTOR) && peer->tracks[s->mline].dd)
        tr_ingress_dependency(pkt, payload, &peer->tracks[s->mline].dd[s->layer], ext.dependency);
    err = account(peer, s, now, m, payload.n);
    if (err != TR_OK)
        return err;
    pkt->off = (uint16_t)(payload.p - pkt->buf);
    pkt->len = (uint16_t)payload.n;
    pkt->recv_us = now;
    *mline = s->mline;
    return TR_OK;
}

void tr_peer_request_keyframe(struct tr_peer *peer, int mline, int layer)
{
    if (mline < 0 || mline >= peer->tracks_count || layer < 0 || layer >= TR_TRACK_LAYERS)
        return;
    int n = peer_stream_of_layer(peer, mline, layer, false);
    if (n < 0)
        return;
    peer->streams[n].keyframe_asked = true;
    peer->feedback_due = true;
}

uint32_t tr_peer_take_lost(struct tr_peer *peer, int mline, bool uplink)
{
    if (mline < 0 || mline >= peer->tracks_count)
        return 0;
    if (!uplink) {
        struct peer_tx *tx = peer->tracks[mline].tx;
        if (!tx)
            return 0;
        int32_t lost = tx->remote_lost - tx->lost_taken;
        tx->lost_taken = tx->remote_lost;
        return lost > 0 ? (uint32_t)lost : 0;
    }
    uint64_t sum = 0;
    for (int i = 0; i < peer->streams_count; i++) {
        struct peer_stream *s = &peer->streams[i];
        if (s->mline != mline || s->rtx)
            continue;
        int64_t lost = tr_rtp_recv_lost(&s->recv);
        if (lost > (int64_t)s->lost_taken)
            sum += (uint64_t)lost - s->lost_taken;
        s->lost_taken = lost > 0 ? (uint64_t)lost : 0;
    }
    return (uint32_t)sum;
}

/* A port says what its packets feed, an SSRC tells apart what one port carries. There is nothing
 * but that and the sender's address to know a stream by, so both are believed for as long as it
 * flows, and somebody else only after silence. What is announced (layers[].ssrc) is never learnt.
 *
 * Numbers are unwrapped here where SRTP would have done it. When a sender starts its numbering
 * anew, under a new SSRC or the old one, the graph sees a new SSRC, which is how its sources know
 * that numbers and timestamps begin anew. */
#include "peer/plain.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "peer/ingress.h"
#include "peer/plain_impl.h"
#include "rtp/rtp.h"

enum { SEQS = 1 << 16, ALIAS_STEP = 0x9e3779b1 };

void plain_drop(struct tr_plain *plain, enum tr_drop why)
{
    plain->counters.drops[why]++;
    plain->drops[why]++;
}

/* --- life --- */

static bool is_sound(const struct tr_plain_port *port)
{
    return port->mline >= TR_PLAIN_BY_SSRC && port->mline < TR_PEER_TRACKS_MAX &&
           port->layer >= TR_PLAIN_BY_SSRC && port->layer < TR_TRACK_LAYERS;
}

static bool open_srtp(struct tr_plain *plain, const struct tr_plain_conf *conf)
{
    plain->profile = conf->srtp;
    if (conf->srtp == TR_SRTP_NONE)
        return true;
    plain->in = tr_srtp_create(conf->engine, conf->srtp, TR_SRTP_IN, &conf->keys);
    plain->out = tr_srtp_create(conf->engine, conf->srtp, TR_SRTP_OUT, &conf->keys);
    return plain->in && plain->out;
}

struct tr_plain *tr_plain_create(const struct tr_plain_conf *conf, tr_usec now)
{
    if (conf->ports_count < 1 || conf->ports_count > TR_PLAIN_PORTS_MAX)
        return NULL;
    struct tr_plain *plain = tr_alloc(sizeof *plain);
    if (!plain)
        return NULL;
    plain->rng = conf->rng;
    plain->rtcp_ssrc = tr_rng_u32(conf->rng);
    plain->rate_at = plain->created_us = now;
    plain->ports_count = conf->ports_count;
    bool ok = open_srtp(plain, conf);
    for (int i = 0; i < conf->ports_count; i++) {
        plain->ports[i].conf = conf->ports[i];
        ok = ok && is_sound(&conf->ports[i]);
    }
    if (ok)
        return plain;
    tr_plain_destroy(plain);
    return NULL;
}

static void free_nacks(struct plain_track *t)
{
    for (int i = 0; i < TR_TRACK_LAYERS; i++)
        tr_free(t->streams[i].nack);
}

void tr_plain_destroy(struct tr_plain *plain)
{
    if (!plain)
        return;
    for (int i = 0; i < plain->tracks_count; i++)
        free_nacks(&plain->tracks[i]);
    tr_free(plain->tracks);
    tr_srtp_destroy(plain->in);
    tr_srtp_destroy(plain->out);
    tr_free(plain);
}

static bool is_received(const struct tr_track_conf *conf)
{
    return conf->used && conf->recv;
}

/* NACK lists are large: they are made for what is sent, when it is announced. */
static enum tr_err set_track(struct plain_track *t, const struct tr_track_conf *conf)
{
    for (int i = 0; i < TR_TRACK_LAYERS; i++) {
        struct plain_stream *s = &t->streams[i];
        bool here = is_received(conf) && i < conf->layers_count;
        bool nack = here && conf->fb_nack;
        bool same = here && nack == (s->nack != NULL) && conf->clock_rate == t->conf.clock_rate &&
                    conf->codec == t->conf.codec && conf->layers[i].ssrc == t->conf.layers[i].ssrc;
        if (same)
            continue;
        tr_free(s->nack);
        *s = (struct plain_stream){ .nack = nack ? tr_alloc(sizeof *s->nack) : NULL };
        if (nack && !s->nack)
            return TR_ERR_NOMEM;
    }
    t->conf = *conf;
    return TR_OK;
}

enum tr_err tr_plain_set_tracks(struct tr_plain *plain, const struct tr_track_conf *tracks,
                                int count)
{
    if (count < plain->tracks_count || count > TR_PEER_TRACKS_MAX)
        return TR_ERR_LIMIT;
    for (int i = 0; i < count; i++) {
        if (is_received(&tracks[i]) && (tracks[i].clock_rate == 0 || tracks[i].layers_count < 1 ||
                                        tracks[i].layers_count > TR_TRACK_LAYERS))
            return TR_ERR_INVAL;
    }
    struct plain_track *all = tr_realloc(plain->tracks, (size_t)count * sizeof *all);
    if (!all)
        return TR_ERR_NOMEM;
    plain->tracks = all;
    plain->tracks_count = count;
    for (int i = 0; i < count; i++) {
        enum tr_err err = set_track(&all[i], &tracks[i]);
        if (err != TR_OK)
            return err;
    }
    for (int i = 0; i < count; i++) { /* they may have moved */
        for (int l = 0; l < TR_TRACK_LAYERS; l++)
            all[i].streams[l].recv.nack = all[i].streams[l].nack;
    }
    return TR_OK;
}

/* --- who speaks --- */

bool plain_feeds(const struct plain_port *port, int mline, int layer)
{
    return (port->conf.mline == TR_PLAIN_BY_SSRC || port->conf.mline == mline) &&
           (port->conf.layer == TR_PLAIN_BY_SSRC || port->conf.layer == layer);
}

bool plain_may_speak(const struct plain_port *port, const struct plain_latch *latch, tr_usec now,
                     const struct tr_addr *from)
{
    const struct tr_addr *only = &port->conf.sender;
    if (!tr_addr_is_any(only) &&
        (!tr_addr_ip_eq(only, from) || (only->port && only->port != from->port)))
        return false;
    return !latch->known || tr_addr_eq(&latch->from, from) ||
           now - latch->heard >= TR_PLAIN_SENDER_US;
}

void plain_heard(struct plain_latch *latch, tr_usec now, const struct tr_addr *from)
{
    *latch = (struct plain_latch){ .known = true, .from = *from, .heard = now };
}

/* --- which stream --- */

struct place {
    int mline;
    int layer;
};

static bool find_announced(const struct tr_plain *plain, const struct plain_port *port,
                           uint32_t ssrc, struct place *at)
{
    for (int i = 0; i < plain->tracks_count; i++) {
        const struct tr_track_conf *conf = &plain->tracks[i].conf;
        for (int l = 0; is_received(conf) && l < conf->layers_count; l++) {
            if (conf->layers[l].ssrc != ssrc || !plain_feeds(port, i, l))
                continue;
            *at = (struct place){ .mline = i, .layer = l };
            return true;
        }
    }
    return false;
}

/* Where packets of a port go whose SSRC says nothing. */
static bool is_place(const struct tr_plain *plain, const struct plain_port *port, struct place *at)
{
    if (port->conf.mline == TR_PLAIN_BY_SSRC || port->conf.mline >= plain->tracks_count)
        return false;
    const struct tr_track_conf *conf = &plain->tracks[port->conf.mline].conf;
    int layer = port->conf.layer;
    if (layer == TR_PLAIN_BY_SSRC)
        layer = conf->layers_count == 1 ? 0 : -1;
    *at = (struct place){ .mline = port->conf.mline, .layer = layer };
    return is_received(conf) && layer >= 0 && layer < conf->layers_count &&
           conf->layers[layer].ssrc == 0;
}

/* The stream that a packet belongs to, or would begin; NULL: it is nobody's. */
static struct plain_stream *find_stream(struct tr_plain *plain, const struct plain_port *port,
                                        tr_usec now, const struct tr_rtp *rtp, struct place *at)
{
    if (!find_announced(plain, port, rtp->ssrc, at) && !is_place(plain, port, at))
        return NULL;
    struct plain_stream *s = &plain->tracks[at->mline].streams[at->layer];
    bool quiet = now - s->last_us >= TR_PLAIN_SSRC_US;
    bool other = s->ssrc != rtp->ssrc || s->pt != rtp->pt;
    return s->started && other && !quiet ? NULL : s;
}

/* --- one packet --- */

static enum tr_err open_packet(struct tr_plain *plain, const struct tr_rtp *rtp,
                               struct tr_slice datagram, struct tr_pkt *pkt,
                               struct tr_slice *payload)
{
    struct tr_buf dst = { .p = pkt->buf + TR_PKT_HEADROOM, .n = TR_PKT_DATA_MAX };
    size_t n = datagram.n - rtp->hdr_len;
    uint64_t index;
    enum tr_err err = TR_OK;
    if (plain->in)
        err = tr_srtp_unprotect(plain->in, datagram, rtp->hdr_len, dst, &n, &index);
    else if (n > dst.n)
        err = TR_ERR_LIMIT;
    else
        memcpy(dst.p, datagram.p + rtp->hdr_len, n);
    *payload = tr_slice(dst.p, n);
    if (err == TR_OK && rtp->padding)
        err = tr_rtp_strip_padding(payload);
    if (err != TR_OK)
        plain_drop(plain, err == TR_ERR_EXISTS ? TR_DROP_SRTP_REPLAY
                          : err == TR_ERR_AUTH ? TR_DROP_SRTP_AUTH
                                               : TR_DROP_RTP_BAD);
    return err;
}

static void begin_stream(struct plain_stream *s, const struct tr_track_conf *conf,
                         const struct tr_rtp *rtp)
{
    s->started = true;
    s->ssrc = s->alias = rtp->ssrc;
    s->pt = rtp->pt;
    s->last_seq = 0;
    tr_rtp_recv_init(&s->recv, conf->clock_rate, s->nack);
    tr_sr_init(&s->sr, conf->clock_rate);
}

/* The unwrapped number; room is left in front of the first one, for packets that it overtook. */
static int64_t number(struct plain_stream *s, enum tr_recv_kind kind, uint16_t seq)
{
    if (kind == TR_RECV_RESTART) {
        s->alias += ALIAS_STEP;
        s->last_seq = 0;
    }
    int64_t at = s->last_seq ? s->last_seq + tr_seq_diff(seq, (uint16_t)s->last_seq) : SEQS + seq;
    if (at > s->last_seq)
        s->last_seq = at;
    return at;
}

static enum tr_err account(struct tr_plain *plain, struct plain_stream *s, tr_usec now,
                           const struct tr_rtp *rtp, int64_t *seq)
{
    enum tr_recv_kind kind = tr_rtp_recv_packet(&s->recv, now, rtp->seq, rtp->ts, false);
    if (kind == TR_RECV_DUP || kind == TR_RECV_OLD || kind == TR_RECV_SUSPECT) {
        plain_drop(plain, TR_DROP_RTP_DUPLICATE);
        return TR_ERR_EXISTS;
    }
    *seq = number(s, kind, rtp->seq);
    return TR_OK;
}

static void describe(struct plain_stream *s, const struct tr_track_conf *conf,
                     const struct tr_rtp *rtp, int layer, int64_t seq, struct tr_slice payload,
                     struct tr_rtp_meta *m)
{
    struct tr_ext_vals ext;
    tr_ingress_header(m, conf, rtp, layer, seq, &ext);
    m->ssrc = s->alias;
    tr_ingress_payload(m, payload);
    if (m->flags & TR_RTP_KEYFRAME)
        tr_rtp_recv_keyframe(&s->recv, rtp->seq);
}

static enum tr_err input_rtp(struct tr_plain *plain, tr_usec now, struct plain_port *port,
                             const struct tr_addr *from, struct tr_slice datagram,
                             struct tr_pkt *pkt, int *mline)
{
    struct tr_rtp rtp;
    struct place at;
    struct tr_slice payload;
    int64_t seq;
    if (port->conf.rtcp || tr_rtp_parse(&rtp, datagram) != TR_OK) {
        plain_drop(plain, TR_DROP_RTP_BAD);
        return TR_ERR_BADMSG;
    }
    struct plain_stream *s = find_stream(plain, port, now, &rtp, &at);
    if (!s) {
        plain_drop(plain, TR_DROP_RTP_UNKNOWN_SSRC);
        return TR_ERR_NOTFOUND;
    }
    if (!plain_may_speak(port, &s->sender, now, from)) {
        plain_drop(plain, TR_DROP_UNKNOWN_ADDR);
        return TR_ERR_AUTH;
    }
    enum tr_err err = open_packet(plain, &rtp, datagram, pkt, &payload);
    if (err != TR_OK)
        return err;
    const struct tr_track_conf *conf = &plain->tracks[at.mline].conf;
    plain_heard(&s->sender, now, from);
    if (!s->started || s->ssrc != rtp.ssrc || s->pt != rtp.pt)
        begin_stream(s, conf, &rtp);
    s->last_us = now;
    err = account(plain, s, now, &rtp, &seq);
    if (err != TR_OK)
        return err;
    describe(s, conf, &rtp, at.layer, seq, payload, tr_rtp_meta(pkt));
    s->packets++;
    s->bytes += payload.n;
    pkt->off = (uint16_t)(payload.p - pkt->buf);
    pkt->len = (uint16_t)payload.n;
    pkt->recv_us = now;
    *mline = at.mline;
    return TR_OK;
}

enum tr_err tr_plain_input(struct tr_plain *plain, tr_usec now, int port,
                           const struct tr_addr *from, struct tr_slice datagram, struct tr_pkt *pkt,
                           int *mline)
{
    plain->packets_in++;
    plain->bytes_in += datagram.n;
    if (tr_demux(datagram) != TR_DEMUX_RTCP)
        return input_rtp(plain, now, &plain->ports[port], from, datagram, pkt, mline);
    plain_rtcp_input(plain, now, port, from, datagram);
    return TR_ERR_IGNORED;
}

void tr_plain_request_keyframe(struct tr_plain *plain, int mline, int layer)
{
    if (mline >= 0 && mline < plain->tracks_count && layer >= 0 && layer < TR_TRACK_LAYERS)
        plain->tracks[mline].streams[layer].keyframe_asked = true;
}

/* --- out --- */

static void update_bitrates(struct tr_plain *plain, tr_usec now)
{
    tr_usec us = now - plain->rate_at;
    if (us < PLAIN_REPORT_US)
        return;
    plain->rate_at = now;
    for (int i = 0; i < plain->tracks_count; i++) {
        for (int l = 0; l < TR_TRACK_LAYERS; l++) {
            struct plain_stream *s = &plain->tracks[i].streams[l];
            s->bitrate_bps =
                (uint32_t)((s->bytes - s->rate_bytes) * 8 * (uint64_t)TR_SECOND / (uint64_t)us);
            s->rate_bytes = s->bytes;
        }
    }
}

/* What the streams have to tell: reports of the sender, and losses that stay. */
static bool poll_streams(struct tr_plain *plain, struct tr_plain_out *out)
{
    for (int i = 0; i < plain->tracks_count; i++) {
        for (int l = 0; l < plain->tracks[i].conf.layers_count; l++) {
            struct plain_stream *s = &plain->tracks[i].streams[l];
            if (!s->started)
                continue;
            *out = (struct tr_plain_out){
                .kind = TR_PLAIN_SR, .mline = i, .layer = l, .ssrc = s->alias, .sr = &s->sr
            };
            if (s->sr_new) {
                s->sr_new = false;
                return true;
            }
            out->kind = TR_PLAIN_KEYFRAME_NEEDED;
            if (tr_rtp_recv_take_keyframe_needed(&s->recv))
                return true;
        }
    }
    return false;
}

void tr_plain_poll(struct tr_plain *plain, tr_usec now, struct tr_plain_out *out)
{
    update_bitrates(plain, now);
    if (poll_streams(plain, out))
        return;
    *out = (struct tr_plain_out){ .kind = TR_PLAIN_NONE };
    for (int i = 0; i < plain->ports_count; i++) {
        out->data = plain_rtcp_output(plain, now, i);
        if (out->data.n == 0)
            continue;
        plain->packets_out++;
        plain->bytes_out += out->data.n;
        out->kind = TR_PLAIN_SEND;
        out->port = i;
        out->to = plain->ports[i].rtcp.from;
        return;
    }
}

tr_usec tr_plain_next_timeout(const struct tr_plain *plain)
{
    tr_usec next = TR_NEVER;
    for (int i = 0; i < plain->ports_count; i++)
        next = tr_usec_min(next, plain_rtcp_next(plain, i));
    return next;
}

/* --- statistics --- */

uint32_t tr_plain_take_lost(struct tr_plain *plain, int mline)
{
    uint64_t sum = 0;
    if (mline < 0 || mline >= plain->tracks_count)
        return 0;
    for (int l = 0; l < TR_TRACK_LAYERS; l++) {
        struct plain_stream *s = &plain->tracks[mline].streams[l];
        int64_t lost = s->started ? tr_rtp_recv_lost(&s->recv) : 0;
        if (lost > (int64_t)s->lost_taken)
            sum += (uint64_t)lost - s->lost_taken;
        s->lost_taken = lost > 0 ? (uint64_t)lost : 0;
    }
    return (uint32_t)sum;
}

static void layer_stats(const struct plain_track *t, int layer, struct tr_stats_layer *out)
{
    const struct plain_stream *s = &t->streams[layer];
    out->ssrc = t->conf.layers[layer].ssrc;
    if (!s->started)
        return;
    int64_t lost = tr_rtp_recv_lost(&s->recv);
    out->ssrc = s->ssrc;
    out->packets = s->packets;
    out->bytes = s->bytes;
    out->lost = lost > 0 ? (uint64_t)lost : 0;
    out->jitter_rtp = tr_rtp_recv_jitter(&s->recv);
    out->bitrate_bps = s->bitrate_bps;
    out->nacks = s->nacks_sent;
    out->plis = s->plis_sent;
    out->last_us = s->last_us;
}

static void track_stats(const struct plain_track *t, struct tr_stats_track *out)
{
    out->used = t->conf.used;
    out->video = t->conf.video;
    out->pt = t->conf.pt;
    memcpy(out->mid, t->conf.mid, sizeof out->mid);
    snprintf(out->codec, sizeof out->codec, "%s", tr_codec_info(t->conf.codec)->name);
    out->layers_count = t->conf.recv ? t->conf.layers_count : 0;
    for (int i = 0; i < out->layers_count; i++)
        layer_stats(t, i, &out->layers[i]);
}

void tr_plain_stats(const struct tr_plain *plain, struct tr_media_peer_stats *out)
{
    memset(out, 0, sizeof *out);
    out->ice_state = out->dtls_state = "new"; /* it has none */
    out->dtls_role = "server";
    out->srtp_profile = tr_srtp_profile_name(plain->profile);
    out->packets_in = plain->packets_in;
    out->bytes_in = plain->bytes_in;
    out->packets_out = plain->packets_out;
    out->bytes_out = plain->bytes_out;
    memcpy(out->drops, plain->drops, sizeof out->drops);
    out->created_us = plain->created_us;
    out->tracks_count = plain->tracks_count;
    for (int i = 0; i < plain->tracks_count; i++)
        track_stats(&plain->tracks[i], &out->tracks[i]);
}

void tr_plain_take_counters(struct tr_plain *plain, struct tr_media_counters *sums)
{
    tr_counters_add(sums, &plain->counters);
    memset(&plain->counters, 0, sizeof plain->counters);
}

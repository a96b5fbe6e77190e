/* A video payload: 6 bytes of VP8 descriptor, 10 bytes of frame header (zeros in packets that do
 * not start a frame), the body. An audio payload: the Opus TOC, the body. The body: magic, source,
 * frame, index and count of packets, time of sending, filler, and a checksum of all of it;
 * descriptors are left out of it, for a server may rewrite them. */
#include "sim/media.h"

#include "base/assert.h"
#include "payload/vp8.h"

enum {
    MAGIC = 0x7472696e,
    VP8_DESCRIPTOR = 6,
    VP8_FRAME = 10,
    CHECKSUM = 4,
    PACKET_BYTES = 1100,
    AUDIO_BYTES = 120,
    KEYFRAME_EVERY = 300, /* frames, and on request */
    KEYFRAME_SIZE = 4,    /* times an ordinary frame */
    FRAME_PACKETS_MAX = TR_PEER_RUN_MAX,
    OPUS_TOC = 0xf8, /* fullband, 20 ms, mono, one frame */
    AUDIO_PPS = 50,
    AUDIO_CLOCK = 48000,
    VIDEO_CLOCK = 90000,
};

#define PATIENCE_US (20 * TR_MSEC) /* until a sender that could not send looks again */

/* --- payloads --- */

static size_t body_at(bool video)
{
    return video ? VP8_DESCRIPTOR + VP8_FRAME : 1;
}

static uint32_t checksum(const uint8_t *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    for (; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(h ^ h >> 32);
}

static void write_vp8(const struct sim_payload *p, uint8_t *out)
{
    static const uint8_t key[VP8_FRAME] = { 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01 };
    uint16_t picture = (uint16_t)(p->frame & 0x7fff);
    out[0] = (uint8_t)(0x80 | (p->temporal ? 0x20 : 0) | (p->start ? 0x10 : 0)); /* X, N, S */
    out[1] = 0xe0;                                                               /* I, L, T */
    tr_put16(out + 2, (uint16_t)(0x8000 | picture));
    out[4] = p->tl0picidx;
    out[5] = (uint8_t)(p->temporal << 6);
    memset(out + VP8_DESCRIPTOR, 0, VP8_FRAME);
    if (p->start && p->keyframe)
        memcpy(out + VP8_DESCRIPTOR, key, VP8_FRAME);
    else if (p->start)
        out[VP8_DESCRIPTOR] = 0x11; /* an interframe to be shown */
}

void sim_payload_write(const struct sim_payload *p, uint8_t *out, size_t n)
{
    size_t at = body_at(p->video);
    TR_ASSERT(n >= SIM_PAYLOAD_MIN);
    if (p->video)
        write_vp8(p, out);
    else
        out[0] = OPUS_TOC;
    struct tr_wr w = tr_wr(out + at, n - at - CHECKSUM);
    tr_wr_u32(&w, MAGIC);
    tr_wr_u32(&w, p->source);
    tr_wr_u32(&w, p->frame);
    tr_wr_u16(&w, p->index);
    tr_wr_u16(&w, p->count);
    tr_wr_u64(&w, (uint64_t)p->sent_us);
    memset(w.p, (int)(p->frame * 31 + p->index), (size_t)(w.end - w.p));
    tr_put32(out + n - CHECKSUM, checksum(out + at, n - at - CHECKSUM));
}

enum tr_err sim_payload_read(struct sim_payload *out, bool video, struct tr_slice in)
{
    size_t at = body_at(video);
    if (in.n < SIM_PAYLOAD_MIN ||
        tr_get32(in.p + in.n - CHECKSUM) != checksum(in.p + at, in.n - at - CHECKSUM))
        return TR_ERR_BADMSG;
    struct tr_rd r = tr_rd(tr_slice(in.p + at, in.n - at));
    if (tr_rd_u32(&r) != MAGIC)
        return TR_ERR_BADMSG;
    *out = (struct sim_payload){ .video = video };
    out->source = tr_rd_u32(&r);
    out->frame = tr_rd_u32(&r);
    out->index = tr_rd_u16(&r);
    out->count = tr_rd_u16(&r);
    out->sent_us = (tr_usec)tr_rd_u64(&r);
    struct tr_vp8 d;
    if (!video)
        return TR_OK;
    if (tr_vp8_parse(&d, in) != TR_OK || d.hdr_len != VP8_DESCRIPTOR)
        return TR_ERR_BADMSG;
    out->keyframe = d.keyframe;
    out->start = d.start;
    out->temporal = d.tid;
    out->tl0picidx = d.tl0_pic_idx;
    return TR_OK;
}

/* --- sender --- */

void sim_sender_init(struct sim_sender *s, const struct sim_sender_conf *conf, tr_usec now)
{
    *s = (struct sim_sender){ .conf = *conf, .next_us = now, .keyframe_due = true };
    s->ts = conf->first_ts;
    s->ext_seq = conf->first_seq & 0x7fff;
    if (s->conf.fps == 0)
        s->conf.fps = 30;
    if (s->conf.bitrate_bps == 0)
        s->conf.bitrate_bps = 1000000;
    if (s->conf.packet_bytes == 0)
        s->conf.packet_bytes = PACKET_BYTES;
    if (s->conf.keyframe_every == 0)
        s->conf.keyframe_every = KEYFRAME_EVERY;
    if (s->conf.audio_bytes == 0)
        s->conf.audio_bytes = AUDIO_BYTES;
    if (s->conf.audio_pps == 0)
        s->conf.audio_pps = AUDIO_PPS;
    if (s->conf.keep == 0 || s->conf.keep > SIM_SENDER_RING)
        s->conf.keep = SIM_SENDER_RING;
}

void sim_sender_deinit(struct sim_sender *s)
{
    for (int i = 0; i < SIM_SENDER_RING; i++)
        tr_pkt_unref(&s->ring[i].pkt);
}

tr_usec sim_sender_next(const struct sim_sender *s)
{
    return s->next_us;
}

void sim_sender_keyframe(struct sim_sender *s)
{
    s->keyframe_due = true;
}

static void send_run(struct sim_sender *s, tr_usec now, const struct tr_tx_item *items, int n)
{
    static _Thread_local uint8_t room[TR_PEER_RUN_MAX * TR_PEER_PACKET_MAX];
    struct tr_tx_msg msgs[TR_PEER_RUN_MAX];
    struct tr_path path;
    struct tr_buf out = { .p = room, .n = (size_t)n * TR_PEER_PACKET_MAX };
    int count = tr_peer_send_run(s->conf.peer, now, s->conf.mline, items, n, out, msgs);
    if (count == 0 || !tr_peer_path(s->conf.peer, &path))
        return;
    for (int i = 0; i < count; i++) { /* as the kernel cuts UDP_SEGMENT */
        const struct tr_tx_msg *m = &msgs[i];
        for (uint32_t at = 0; at < m->len; at += m->segment) {
            uint32_t len = m->len - at < m->segment ? m->len - at : m->segment;
            s->conf.send(s->conf.arg, &path, tr_slice(m->p + at, len));
        }
    }
}

static struct tr_tx_item *next_item(struct sim_sender *s)
{
    struct tr_pkt *pkt = tr_pkt_alloc(s->conf.pool);
    if (!pkt)
        return NULL;
    struct tr_tx_item *item = &s->ring[(uint64_t)s->ext_seq % s->conf.keep];
    tr_pkt_unref(&item->pkt);
    *item = (struct tr_tx_item){ .pkt = pkt, .ext_seq = s->ext_seq++, .ts = s->ts };
    *tr_rtp_meta(pkt) = (struct tr_rtp_meta){ 0 };
    return item;
}

/* The parts of a frame are about equal, so that a server that sends them as one message pads. Of
 * a frame of a fixed number of packets the first are a byte shorter, as when a browser cuts it. */
static uint32_t part_size(const struct sim_sender *s, uint32_t share, uint32_t index)
{
    uint32_t less = index % 5;
    if (s->conf.frame_packets)
        less = index < s->frame % s->conf.frame_packets;
    else if (!s->conf.video && s->conf.audio_even)
        less = 0;
    return share - less < SIM_PAYLOAD_MIN ? SIM_PAYLOAD_MIN : share - less;
}

static void send_frame(struct sim_sender *s, tr_usec now, struct sim_payload *p, uint32_t bytes)
{
    struct tr_tx_item items[FRAME_PACKETS_MAX];
    uint32_t most = s->conf.packet_bytes;
    uint32_t count = (bytes + most - 1) / most;
    count = count > FRAME_PACKETS_MAX ? FRAME_PACKETS_MAX : count;
    bytes = bytes > count * most ? count * most : bytes;
    p->count = (uint16_t)count;
    p->sent_us = now;
    p->frame = s->frame;
    p->source = s->conf.source;
    uint32_t made = 0;
    for (; made < count; made++) {
        struct tr_tx_item *item = next_item(s);
        if (!item)
            break;
        p->index = (uint16_t)made;
        p->start = made == 0;
        item->marker = s->conf.video ? made + 1 == count : s->frame == 0;
        item->pkt->len = (uint16_t)part_size(s, bytes / count, made);
        sim_payload_write(p, tr_pkt_data(item->pkt), item->pkt->len);
        items[made] = *item;
    }
    tr_peer_set_tx_clock(s->conf.peer, s->conf.mline, s->ts, s->next_us); /* when it was due */
    send_run(s, now, items, (int)made);
    s->packets += made;
    s->frame++;
}

/* How large this frame is: a fixed number of packets, or the mean of the bitrate, more for a key
 * frame, and more or less by a hash of its number. */
static uint32_t frame_bytes(const struct sim_sender *s, bool key)
{
    const struct sim_sender_conf *c = &s->conf;
    if (c->frame_packets)
        return c->frame_packets * c->packet_bytes;
    uint32_t mean = c->bitrate_bps / 8 / c->fps;
    if (c->spread_pct) {
        uint32_t hash = (s->frame + 1) * 2654435761u >> 16;
        mean = (uint32_t)((uint64_t)mean * (100 - c->spread_pct + hash % (2 * c->spread_pct + 1)) /
                          100);
    }
    mean = mean < SIM_PAYLOAD_MIN ? SIM_PAYLOAD_MIN : mean;
    return key ? mean * KEYFRAME_SIZE : mean + s->frame % 7;
}

static void video_frame(struct sim_sender *s, tr_usec now)
{
    bool key = s->keyframe_due || s->frame % s->conf.keyframe_every == 0;
    struct sim_payload p = { .video = true, .keyframe = key };
    p.temporal = key ? 0 : s->frame & 1;
    if (p.temporal == 0)
        s->tl0picidx++;
    p.tl0picidx = s->tl0picidx;
    s->keyframe_due = false;
    s->keyframes += key;
    send_frame(s, now, &p, frame_bytes(s, key));
    s->ts += VIDEO_CLOCK / s->conf.fps;
    s->next_us += TR_SECOND / s->conf.fps;
}

static void audio_frame(struct sim_sender *s, tr_usec now)
{
    struct sim_payload p = { .video = false };
    send_frame(s, now, &p, s->conf.audio_bytes + (s->conf.audio_even ? 0 : s->frame % 16));
    s->ts += AUDIO_CLOCK / s->conf.audio_pps;
    s->next_us += TR_SECOND / s->conf.audio_pps;
}

void sim_sender_run(struct sim_sender *s, tr_usec now)
{
    while (s->next_us <= now) {
        if (!tr_peer_can_send(s->conf.peer, s->conf.mline)) {
            s->next_us = now + PATIENCE_US;
            return;
        }
        if (s->conf.video)
            video_frame(s, now);
        else
            audio_frame(s, now);
    }
}

void sim_sender_nack(struct sim_sender *s, tr_usec now, const uint16_t *seqs, int count)
{
    struct tr_tx_item items[TR_PEER_RUN_MAX];
    int n = 0;
    for (int i = 0; i < count; i++) {
        int64_t seq = s->ext_seq + (int16_t)(uint16_t)(seqs[i] - (uint16_t)s->ext_seq);
        const struct tr_tx_item *item = &s->ring[(uint64_t)seq % s->conf.keep];
        if (!item->pkt || item->ext_seq != seq)
            continue;
        items[n] = *item;
        items[n++].resend = true;
        if (n == TR_PEER_RUN_MAX) {
            send_run(s, now, items, n);
            s->resent += (uint64_t)n;
            n = 0;
        }
    }
    if (n > 0)
        send_run(s, now, items, n);
    s->resent += (uint64_t)n;
}

/* --- receiver --- */

static bool mark_seen(struct sim_receiver *r, int64_t seq)
{
    uint64_t bit = (uint64_t)seq % SIM_SEEN_BITS;
    if (r->packets + r->duplicate == 0)
        r->first = r->last = seq;
    if (r->last - seq >= SIM_SEEN_BITS)
        return false;
    for (; r->last < seq; r->last++) {
        uint64_t next = (uint64_t)(r->last + 1) % SIM_SEEN_BITS;
        r->seen[next / 64] &= ~(UINT64_C(1) << (next % 64));
    }
    if (r->seen[bit / 64] >> (bit % 64) & 1)
        return false;
    r->seen[bit / 64] |= UINT64_C(1) << (bit % 64);
    r->first = seq < r->first ? seq : r->first;
    return true;
}

static void check_payload(struct sim_receiver *r, tr_usec now, const struct tr_pkt *pkt)
{
    struct sim_payload p;
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    if (pkt->len == 0) {
        r->padding++;
        return;
    }
    if (sim_payload_read(&p, r->video, tr_pkt_slice(pkt)) != TR_OK ||
        p.keyframe != ((m->flags & TR_RTP_KEYFRAME) != 0 && r->video)) {
        r->corrupt++;
        return;
    }
    r->keyframes += p.keyframe;
    if (now - p.sent_us > r->delay_us)
        r->delay_us = now - p.sent_us;
}

void sim_receiver_packet(struct sim_receiver *r, tr_usec now, const struct tr_pkt *pkt)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    if (r->packets > 0 && m->ssrc != r->ssrc) { /* another stream: its numbers are its own */
        r->ssrc_changes++;
        memset(r->seen, 0, sizeof r->seen);
        r->first = r->last = m->ext_seq;
        r->packets = r->duplicate = 0;
    }
    bool newest = r->packets == 0 || m->ext_seq > r->last;
    if (!mark_seen(r, m->ext_seq)) {
        r->duplicate++;
        return;
    }
    r->ssrc = m->ssrc;
    r->repaired += (m->flags & TR_RTP_RETRANSMITTED) != 0;
    if (newest) {
        r->ts_back += r->packets > 0 && (int32_t)(m->ts - r->last_ts) < 0;
        r->last_ts = m->ts;
    }
    if (r->packets > 0 && now - r->last_us > r->gap_us)
        r->gap_us = now - r->last_us;
    r->last_us = now;
    r->packets++;
    check_payload(r, now, pkt);
}

uint64_t sim_receiver_missing(const struct sim_receiver *r)
{
    return r->packets ? (uint64_t)(r->last - r->first + 1) - r->packets : 0;
}

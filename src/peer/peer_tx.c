/* Media out. A run of packets for one track is protected straight from the shared packets into
 * the caller's buffer: header and extension are written there, the payload is encrypted on its
 * way. The packets of a run come to lie one behind the other, so that the kernel can be given
 * many as one message (UDP_SEGMENT); for that all but the last must be of one length, and RTP
 * padding makes up the few bytes that packets of one video frame differ by.
 *
 * Why a retransmission is safe with GCM: with RTX it is a new packet of another SSRC. Without RTX
 * the same packet goes out again under its old index, which needs it to be the same byte for
 * byte; so a track without RTX has no varying header extension and no padding. */
#include <string.h>

#include "base/assert.h"
#include "base/prefetch.h"
#include "base/rng.h"
#include "payload/codec.h"
#include "peer/peer_impl.h"
#include "rtp/rtp.h"

enum {
    PAD_MAX = 24, /* bytes of padding that are still cheaper than a message of its own */
    MESSAGE_BYTES_MAX = 60000,
    RTX_OSN_BYTES = 2,
};
#define RESEND_NOTHING INT64_MAX

static bool has_rtx(const struct tr_track_conf *conf)
{
    return conf->out_rtx_ssrc && conf->rtx_pt;
}

static uint32_t wanted_extensions(const struct tr_peer *peer, const struct peer_track *t)
{
    const struct tr_track_conf *conf = &t->conf;
    uint32_t want = 1u << TR_EXT_MID | 1u << TR_EXT_RID;
    want |= 1u << (conf->video ? TR_EXT_DEPENDENCY_DESCRIPTOR : TR_EXT_AUDIO_LEVEL);
    if (has_rtx(conf))
        want |= 1u << TR_EXT_ABS_SEND_TIME;
    if (peer_bwe_takes(peer, conf))
        want |= 1u << TR_EXT_TRANSPORT_CC;
    if (t->tx->delay)
        want |= 1u << TR_EXT_PLAYOUT_DELAY;
    return want;
}

static bool is_same(const struct peer_tx *a, const struct peer_tx *b)
{
    return a->pt == b->pt && a->red_pt == b->red_pt && a->ssrc == b->ssrc && a->rtx == b->rtx &&
           a->pad == b->pad && a->ext.dd_id == b->ext.dd_id && a->ext.len == b->ext.len &&
           memcmp(a->ext.bytes, b->ext.bytes, a->ext.len) == 0;
}

/* An m-line that comes back has other SSRCs (gateway/pc.h). Those of before never return, which is
 * the condition for forgetting how far they got. A new SSRC's index starts over, so it no longer
 * follows the packets' own numbers, and the same bytes cannot be made again without RTX. */
static void change_ssrcs(struct tr_peer *peer, struct peer_tx *tx, const struct peer_tx *before)
{
    if (!before->ssrc || before->ssrc == tx->ssrc || !peer->out)
        return;
    tr_srtp_retire(peer->out, before->ssrc);
    if (before->rtx_ssrc)
        tr_srtp_retire(peer->out, before->rtx_ssrc);
    if (tx->next_seq > 0)
        tx->resend_from = RESEND_NOTHING;
}

enum tr_err peer_tx_track(struct tr_peer *peer, int mline)
{
    struct peer_track *t = &peer->tracks[mline];
    if (!t->conf.used || !t->conf.send) {
        if (t->tx)
            t->tx->enabled = false;
        return TR_OK;
    }
    if (!t->tx) {
        t->tx = tr_arena_alloc(peer->arena, sizeof *t->tx);
        if (!t->tx)
            return TR_ERR_NOMEM;
        t->tx->rtx_seq = (uint16_t)(tr_rng_u32(peer->conf.rng) & 0x7fff);
    }
    struct tr_ext_block_conf ext = { .map = &t->conf.ext_send,
                                     .want = wanted_extensions(peer, t),
                                     .mid = tr_slice_str(t->conf.mid),
                                     .rid = tr_slice_str(t->conf.out_rid) };
    struct peer_tx before = *t->tx;
    enum tr_err err = tr_ext_block_build(&t->tx->ext, &ext);
    if (t->tx->ext.at[TR_EXT_PLAYOUT_DELAY])
        tr_ext_put_playout_delay(t->tx->ext.bytes + t->tx->ext.at[TR_EXT_PLAYOUT_DELAY],
                                 t->tx->delay_min, t->tx->delay_max);
    t->tx->enabled = true;
    t->tx->pt = t->conf.pt;
    t->tx->rtx_pt = t->conf.rtx_pt;
    t->tx->red_pt = t->conf.red_pt;
    t->tx->ssrc = t->conf.out_ssrc;
    t->tx->rtx_ssrc = t->conf.out_rtx_ssrc;
    t->tx->rtx = has_rtx(&t->conf);
    t->tx->nack = t->conf.fb_nack;
    t->tx->pad = !t->tx->nack || t->tx->rtx;
    /* Under an old index only the same bytes may go out again: with others, GCM would give its key
     * away. */
    if (!is_same(&before, t->tx) && before.resend_from != RESEND_NOTHING)
        t->tx->resend_from = t->tx->next_seq;
    change_ssrcs(peer, t->tx, &before);
    return err;
}

/* What the extension can say: 12 bits of 10 ms. */
static uint16_t delay_units(uint16_t ms)
{
    return ms / 10 < 0xfff ? ms / 10 : 0xfff;
}

void tr_peer_set_playout_delay(struct tr_peer *peer, int mline, struct tr_playout_delay delay)
{
    struct peer_tx *tx = peer_tx_of(peer, mline);
    uint16_t min = delay_units(delay.min_ms), max = delay_units(delay.max_ms);
    if (!tx || (tx->delay == delay.on && tx->delay_min == min && tx->delay_max == max))
        return;
    tx->delay = delay.on;
    tx->delay_min = min < max ? min : max;
    tx->delay_max = max;
    (void)!peer_tx_track(peer, mline); /* it has memory for all that it needs */
}

struct peer_tx *peer_tx_of(const struct tr_peer *peer, int mline)
{
    if (mline < 0 || mline >= peer->tracks_count)
        return NULL;
    struct peer_tx *tx = peer->tracks[mline].tx;
    return tx && tx->enabled ? tx : NULL;
}

bool tr_peer_can_send(const struct tr_peer *peer, int mline)
{
    return peer->up && !peer->down && peer->have_path && peer_tx_of(peer, mline);
}

bool tr_peer_takes_nacks(const struct tr_peer *peer, int mline)
{
    const struct peer_tx *tx = peer_tx_of(peer, mline);
    return tx && tx->nack;
}

void tr_peer_set_tx_clock(struct tr_peer *peer, int mline, uint32_t rtp, tr_usec at)
{
    struct peer_tx *tx = peer_tx_of(peer, mline);
    if (!tx)
        return;
    tx->clock_known = true;
    tx->clock_rtp = rtp;
    tx->clock_at = at;
}

static bool by_rtx(const struct peer_tx *tx, const struct tr_tx_item *item)
{
    return item->resend && tx->rtx;
}

/* RED that came goes on as RED where the receiver takes it and calls Opus by the same number; else
 * it gets the newest block, which is the packet's data. */
static bool is_red(const struct peer_tx *tx, const struct tr_rtp_meta *m)
{
    return tx->red_pt && m->red_len && m->pt == tx->pt;
}

static struct tr_slice payload_of(const struct peer_tx *tx, const struct tr_pkt *pkt)
{
    size_t before =
        tx->red_pt && is_red(tx, tr_rtp_meta_const(pkt)) ? tr_rtp_meta_const(pkt)->red_len : 0;
    return tr_slice(pkt->buf + pkt->off - before, pkt->len + before);
}

/* The packet's dependency descriptor, where the receiver takes such; NULL: none. */
static const struct tr_rtp_dd *descriptor_of(const struct peer_tx *tx,
                                             const struct tr_tx_item *item)
{
    return tx->ext.dd_id ? tr_rtp_dd(item->pkt) : NULL;
}

static bool is_masked(const struct tr_rtp_dd *d, const struct tr_tx_item *item)
{
    return item->masked && d->dd.targets && tr_dd_masked_len(&d->dd) <= TR_DD_BYTES_MAX;
}

static size_t header_size(const struct peer_tx *tx, const struct tr_tx_item *item)
{
    const struct tr_rtp_dd *d = descriptor_of(tx, item);
    size_t n = !d ? 0 : is_masked(d, item) ? tr_dd_masked_len(&d->dd) : d->len;
    return TR_RTP_HDR_MIN + tr_ext_block_size(&tx->ext, n);
}

static void write_descriptor(const struct tr_ext_block *block, const struct tr_rtp_dd *d,
                             const struct tr_tx_item *item, uint8_t *ext)
{
    enum { FRAME_AT = 1 }; /* behind start, end and template */
    bool masked = is_masked(d, item);
    size_t n = masked ? tr_dd_masked_len(&d->dd) : d->len;
    uint8_t *at = tr_ext_put_descriptor(ext, block, n);
    if (masked)
        tr_dd_put_masked(at, n, &d->dd, tr_slice(d->bytes, d->len), item->mask);
    else
        memcpy(at, d->bytes, n);
    tr_put16(at + FRAME_AT, (uint16_t)(d->dd.frame + item->frame_off));
}

static void write_header(struct peer_tx *tx, tr_usec now, const struct tr_tx_item *item, uint8_t *p)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(item->pkt);
    bool rtx = by_rtx(tx, item);
    p[0] = (uint8_t)(0x80 | (tx->ext.len ? 0x10 : 0));
    uint8_t pt = rtx ? tx->rtx_pt : is_red(tx, m) ? tx->red_pt : tx->pt;
    p[1] = (uint8_t)((item->marker ? 0x80 : 0) | pt);
    tr_put16(p + 2, rtx ? tx->rtx_seq++ : (uint16_t)item->ext_seq);
    tr_put32(p + 4, item->ts);
    tr_put32(p + 8, rtx ? tx->rtx_ssrc : tx->ssrc);
    uint8_t *ext = p + TR_RTP_HDR_MIN;
    memcpy(ext, tx->ext.bytes, tx->ext.len);
    if (tx->ext.at[TR_EXT_ABS_SEND_TIME])
        tr_ext_put_abs_send_time(ext + tx->ext.at[TR_EXT_ABS_SEND_TIME], now);
    if (tx->ext.at[TR_EXT_AUDIO_LEVEL] && (m->flags & TR_RTP_AUDIO_LEVEL))
        ext[tx->ext.at[TR_EXT_AUDIO_LEVEL]] = m->audio_level;
    const struct tr_rtp_dd *d = descriptor_of(tx, item);
    if (d)
        write_descriptor(&tx->ext, d, item, ext);
}

/* Where the payload is read from: the shared packet, or a copy behind the header where its first
 * bytes must change (retransmission format, VP8 or VP9 descriptor). */
static struct tr_slice place_payload(const struct peer_tx *tx, const struct tr_tx_item *item,
                                     uint8_t *at)
{
    struct tr_slice payload = payload_of(tx, item->pkt);
    bool rtx = by_rtx(tx, item);
    if (!rtx && !item->rewrite)
        return payload;
    uint8_t *copy = at + (rtx ? RTX_OSN_BYTES : 0);
    memcpy(copy, payload.p, payload.n);
    if (item->rewrite)
        tr_payload_renumber((enum tr_codec)tr_rtp_meta_const(item->pkt)->codec, copy, payload.n,
                            item->picture_id, item->tl0picidx);
    if (!rtx)
        return tr_slice(at, payload.n);
    tr_put16(at, (uint16_t)item->ext_seq);
    return tr_slice(at, payload.n + RTX_OSN_BYTES);
}

static size_t plain_size(const struct peer_tx *tx, const struct tr_tx_item *item)
{
    return header_size(tx, item) + payload_of(tx, item->pkt).n +
           (by_rtx(tx, item) ? RTX_OSN_BYTES : 0);
}

/* Too long for the buffer, or a packet that can no longer be formed as it was: left out. */
static bool is_sendable(const struct peer_tx *tx, const struct tr_tx_item *item)
{
    if (plain_size(tx, item) + TR_SRTP_OVERHEAD_MAX > TR_PEER_PACKET_MAX)
        return false;
    return !item->resend || tx->rtx ||
           (tx->nack && item->ext_seq >= tx->resend_from && item->ext_seq < tx->next_seq);
}

struct group { /* items first .. first + count - 1 as one message */
    int first, count;
    size_t segment; /* plain size of all but perhaps the last */
};

/* As many items as fit one message: all within PAD_MAX of the longest, the last may be shorter. */
static struct group next_group(const struct peer_tx *tx, const struct tr_tx_item *items, int n,
                               int first)
{
    size_t longest = plain_size(tx, &items[first]), shortest = longest;
    size_t slack = tx->pad ? PAD_MAX : 0;
    int i = first + 1;
    for (; i < n && is_sendable(tx, &items[i]); i++) {
        size_t size = plain_size(tx, &items[i]);
        size_t hi = size > longest ? size : longest, lo = size < shortest ? size : shortest;
        if ((size_t)(i - first + 1) * (hi + TR_SRTP_OVERHEAD_MAX) > MESSAGE_BYTES_MAX)
            break;
        if (hi - lo > slack) {
            if (size < longest)
                i++; /* a short last one */
            break;
        }
        longest = hi;
        shortest = lo;
    }
    return (struct group){ .first = first, .count = i - first, .segment = longest };
}

void tr_peer_send_prefetch(const struct tr_peer *peer, int mline, int near)
{
    if (near > 2) {
        tr_prefetch(peer, 2);
        return;
    }
    if (!peer->out || mline >= peer->tracks_count)
        return;
    if (near == 2)
        tr_prefetch(&peer->tracks[mline], 1);
    else if (peer->tracks[mline].tx)
        tr_prefetch(peer->tracks[mline].tx, 2);
    tr_srtp_prefetch(peer->out, near);
    if (near == 1 && peer->sent.ring)
        tr_prefetch(&peer->sent.ring[(uint64_t)peer->sent.next & peer->sent.mask], 1);
}

static void count_sent(struct tr_peer *peer, struct peer_tx *tx, const struct tr_tx_item *item)
{
    if (item->resend) {
        tx->rtx_packets++;
        peer->rtx_out++;
        return;
    }
    if (item->ext_seq >= tx->next_seq)
        tx->next_seq = item->ext_seq + 1;
    tx->packets++;
    tx->octets += item->pkt->len;
    peer->rtp_out++;
}

/* Adds the jobs of one group to the batch; they come to lie one behind the other. */
static void add_group(struct tr_peer *peer, struct peer_tx *tx, tr_usec now,
                      const struct tr_tx_item *items, const struct group *g,
                      struct tr_tx_batch *batch)
{
    size_t overhead = tr_srtp_overhead(peer->profile);
    for (int i = 0; i < g->count; i++) {
        const struct tr_tx_item *item = &items[g->first + i];
        uint8_t *at = batch->out.p + batch->used;
        size_t size = plain_size(tx, item), header = header_size(tx, item);
        size_t pad = i == g->count - 1 ? 0 : g->segment - size;
        write_header(tx, now, item, at);
        if (tx->ext.at[TR_EXT_TRANSPORT_CC])
            tr_ext_put_transport_seq(at + TR_RTP_HDR_MIN + tx->ext.at[TR_EXT_TRANSPORT_CC],
                                     peer_bwe_count(peer, now, size + pad + overhead));
        batch->jobs[batch->jobs_count++] = (struct tr_srtp_job){
            .srtp = peer->out,
            .out = at,
            .out_size = size + pad + overhead,
            .hdr_len = header,
            .payload = place_payload(tx, item, at + header),
            .pad = (uint8_t)pad,
            .index = item->resend && !by_rtx(tx, item) ? (uint64_t)item->ext_seq : TR_SRTP_AUTO,
        };
        batch->used += size + pad + overhead;
        peer->packets_out++;
        peer->bytes_out += size + pad + overhead;
        count_sent(peer, tx, item);
    }
    batch->groups[batch->groups_count++] = (struct tr_tx_group){ .peer = peer, .jobs = g->count };
}

size_t tr_peer_send(struct tr_peer *peer, tr_usec now, int mline, const struct tr_tx_item *items,
                    int n, struct tr_tx_batch *batch)
{
    size_t before = batch->used;
    if (!tr_peer_can_send(peer, mline))
        return 0;
    TR_ASSERT(n >= 0 && n <= TR_PEER_RUN_MAX && tr_tx_batch_has_room(batch, n));
    struct peer_tx *tx = peer->tracks[mline].tx;
    for (int first = 0; first < n;) {
        if (!is_sendable(tx, &items[first])) {
            first++;
            continue;
        }
        struct group g = next_group(tx, items, n, first);
        add_group(peer, tx, now, items, &g, batch);
        first += g.count;
    }
    return batch->used - before;
}

/* A failed job leaves a hole that UDP_SEGMENT cannot skip: what came before it is sent as one
 * message, what came after as the next. */
static void emit_group(const struct tr_tx_group *g, const struct tr_srtp_job *jobs,
                       void (*emit)(void *arg, const struct tr_tx_msg *msg), void *arg)
{
    struct tr_tx_msg msg = { .path = &g->peer->path };
    for (int i = 0; i < g->jobs; i++) {
        bool made = jobs[i].err == TR_OK;
        if (made && msg.count++ == 0) {
            msg.p = jobs[i].out;
            msg.segment = (uint16_t)jobs[i].out_len;
        }
        msg.len += made ? (uint32_t)jobs[i].out_len : 0;
        if (msg.count == 0 || (made && i < g->jobs - 1))
            continue;
        emit(arg, &msg);
        msg = (struct tr_tx_msg){ .path = msg.path };
    }
}

void tr_tx_batch_seal(struct tr_tx_batch *batch, struct tr_srtp_engine *engine,
                      void (*emit)(void *arg, const struct tr_tx_msg *msg), void *arg)
{
    const struct tr_srtp_job *jobs = batch->jobs;
    tr_srtp_protect_batch(engine, batch->jobs, (size_t)batch->jobs_count);
    for (int i = 0; i < batch->groups_count; i++) {
        emit_group(&batch->groups[i], jobs, emit, arg);
        jobs += batch->groups[i].jobs;
    }
    batch->jobs_count = batch->groups_count = 0;
    batch->used = 0;
}

static void note_msg(void *arg, const struct tr_tx_msg *msg)
{
    struct tr_tx_msg **next = arg;
    *(*next)++ = *msg;
}

int tr_peer_send_run(struct tr_peer *peer, tr_usec now, int mline, const struct tr_tx_item *items,
                     int n, struct tr_buf out, struct tr_tx_msg *msgs)
{
    struct tr_tx_batch batch;
    struct tr_tx_msg *next = msgs;
    if (n <= 0 || n > TR_PEER_RUN_MAX)
        return 0;
    batch.out = out;
    batch.used = 0;
    batch.jobs_count = batch.groups_count = 0;
    if (!tr_tx_batch_has_room(&batch, n))
        return 0;
    tr_peer_send(peer, now, mline, items, n, &batch);
    tr_tx_batch_seal(&batch, peer->conf.engine, note_msg, &next);
    return (int)(next - msgs);
}

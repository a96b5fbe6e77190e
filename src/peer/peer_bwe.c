/* How much the client can take. The estimator exists where video is sent: audio alone has nothing
 * to give way. With transport-cc all streams of the connection share one numbering, and the header
 * extension has a place for it on each m-line that negotiated it, except where a packet may have
 * to go out again byte for byte (peer_tx.c).
 *
 * Probes are packets of nothing but padding under the number of a retransmission stream: receivers
 * drop them by RFC 4588, and they need no packet to repeat, which a paused video would not have. */
#include "base/rng.h"
#include "peer/peer_impl.h"
#include "rtp/rtp.h"

enum {
    PADDING_LEAST = 32,
    UDP_IP_BYTES = 28,
    DROP_PERCENT = 90, /* of what was told: less is told at once */
};

bool peer_bwe_takes(const struct tr_peer *peer, const struct tr_track_conf *conf)
{
    bool again = conf->fb_nack && !(conf->out_rtx_ssrc && conf->rtx_pt);
    return peer->sent.ring && conf->fb_transport_cc && !again &&
           conf->ext_send.id[TR_EXT_TRANSPORT_CC];
}

struct wishes { /* of all m-lines together */
    bool video, transport_cc;
    int padding; /* m-line whose retransmission stream takes it; -1: none */
};

static struct wishes read_tracks(const struct tr_peer *peer)
{
    struct wishes w = { .padding = -1 };
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct tr_track_conf *conf = &peer->tracks[i].conf;
        if (!conf->used || !conf->send || !conf->video)
            continue;
        bool rtx = conf->out_rtx_ssrc && conf->rtx_pt;
        bool cc = conf->fb_transport_cc && conf->ext_send.id[TR_EXT_TRANSPORT_CC] &&
                  (rtx || !conf->fb_nack);
        w.video = true;
        w.transport_cc |= cc;
        if (cc && rtx && w.padding < 0)
            w.padding = i;
    }
    return w;
}

enum tr_err peer_bwe_tracks(struct tr_peer *peer, tr_usec now)
{
    struct wishes w = read_tracks(peer);
    struct tr_bwe_conf conf = { .transport_cc = w.transport_cc, .can_probe = w.padding >= 0 };
    peer->padding_mline = w.padding;
    if (!w.video || (peer->bwe && peer->bwe_conf.transport_cc == conf.transport_cc &&
                     peer->bwe_conf.can_probe == conf.can_probe))
        return TR_OK; /* one that is not needed any more may be again */
    tr_bwe_destroy(peer->bwe);
    peer->bwe_conf = conf;
    peer->bwe = tr_bwe_create(&conf, &peer->sent, now);
    if (peer->bwe)
        return TR_OK;
    peer_fail(peer, "Out of memory"); /* m-lines may have a place for numbers that there are not */
    return TR_ERR_NOMEM;
}

uint16_t peer_bwe_count(struct tr_peer *peer, tr_usec now, size_t bytes)
{
    return tr_bwe_sent(&peer->sent, now, (uint16_t)(bytes + UDP_IP_BYTES));
}

void peer_bwe_feedback(struct tr_peer *peer, tr_usec now, const struct tr_rtcp_fb *fb)
{
    struct tr_twcc_item items[TR_BWE_HISTORY_MAX];
    struct tr_twcc_fb twcc;
    if (!peer->bwe)
        return;
    if (tr_twcc_read(fb, &twcc, items, TR_BWE_HISTORY_MAX) == TR_OK)
        tr_bwe_feedback(peer->bwe, now, &twcc, items);
    else
        peer_drop(peer, TR_DROP_RTCP_BAD);
}

void peer_bwe_block(struct tr_peer *peer, tr_usec now, struct peer_tx *tx,
                    const struct tr_rtcp_block *block)
{
    int64_t lost = (int64_t)block->lost - tx->remote_lost;
    int32_t expected = (int32_t)(block->ext_seq - tx->remote_seq);
    bool first = tx->remote_seq == 0;
    tx->remote_seq = block->ext_seq;
    if (peer->bwe && !first && expected > 0 && lost >= 0 && lost <= expected)
        tr_bwe_report(peer->bwe, now, (uint32_t)lost, (uint32_t)expected);
}

void peer_bwe_moved(struct tr_peer *peer, tr_usec now)
{
    if (!peer->bwe)
        return;
    tr_bwe_moved(peer->bwe, now);
    peer->bwe_told = 0;
}

void tr_peer_want(struct tr_peer *peer, tr_usec now, uint32_t bps)
{
    if (peer->bwe && peer->up && !peer->down)
        tr_bwe_want(peer->bwe, now, bps);
}

bool tr_peer_adapts(const struct tr_peer *peer)
{
    return peer->bwe != NULL;
}

bool tr_peer_bandwidth(struct tr_peer *peer, tr_usec now, uint32_t *bps)
{
    bool sure = false;
    *bps = peer->bwe ? tr_bwe_bound(peer->bwe, now, &sure) : 0;
    peer->bwe_told = *bps;
    return sure;
}

bool peer_bwe_dropped(struct tr_peer *peer, tr_usec now)
{
    if (!peer->bwe || !peer->bwe_told)
        return false;
    bool sure;
    uint32_t bps = tr_bwe_bound(peer->bwe, now, &sure);
    if (bps == 0 || bps > (uint64_t)peer->bwe_told * DROP_PERCENT / 100)
        return false;
    peer->bwe_told = bps;
    return true;
}

tr_usec peer_bwe_next(const struct tr_peer *peer)
{
    if (!peer->bwe || !peer->up || !peer->have_path)
        return TR_NEVER;
    return tr_bwe_next_timeout(peer->bwe);
}

static size_t write_padding(struct tr_peer *peer, tr_usec now, struct peer_tx *tx, uint8_t pad,
                            uint8_t *p, size_t room)
{
    size_t header = TR_RTP_HDR_MIN + (size_t)tx->ext.len;
    size_t size = header + pad + tr_srtp_overhead(peer->profile);
    struct tr_wr w = tr_wr(p, room);
    tr_rtp_put(&w, false, tx->rtx_pt, tx->rtx_seq++, tx->clock_rtp, tx->rtx_ssrc, true);
    tr_wr_bytes(&w, tx->ext.bytes, tx->ext.len);
    if (tx->ext.at[TR_EXT_ABS_SEND_TIME])
        tr_ext_put_abs_send_time(p + TR_RTP_HDR_MIN + tx->ext.at[TR_EXT_ABS_SEND_TIME], now);
    tr_ext_put_transport_seq(p + TR_RTP_HDR_MIN + tx->ext.at[TR_EXT_TRANSPORT_CC],
                             peer_bwe_count(peer, now, size));
    struct tr_srtp_job job = { .out = p,
                               .out_size = room,
                               .hdr_len = header,
                               .payload = tr_slice(p + header, 0),
                               .pad = pad,
                               .index = TR_SRTP_AUTO };
    if (w.bad || tr_srtp_protect(peer->out, &job) != TR_OK)
        return 0;
    peer->packets_out++;
    peer->bytes_out += job.out_len;
    return job.out_len;
}

struct tr_slice peer_bwe_output(struct tr_peer *peer, tr_usec now)
{
    struct peer_tx *tx = peer_tx_of(peer, peer->padding_mline);
    if (!tx || !tx->ext.at[TR_EXT_TRANSPORT_CC] || peer_bwe_next(peer) > now)
        return tr_slice(NULL, 0);
    uint32_t due = tr_bwe_probe(peer->bwe, now);
    if (due == 0)
        return tr_slice(NULL, 0);
    uint32_t pad = due < PADDING_LEAST        ? PADDING_LEAST
                   : due < TR_BWE_PADDING_MAX ? due
                                              : TR_BWE_PADDING_MAX;
    size_t n = write_padding(peer, now, tx, (uint8_t)pad, peer->rtcp_buf, sizeof peer->rtcp_buf);
    return tr_slice(peer->rtcp_buf, n);
}

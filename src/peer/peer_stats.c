/* What a peer tells about itself; copies, made on demand. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "ice/stats.h"
#include "peer/peer_impl.h"

const char *tr_drop_name(enum tr_drop drop)
{
    switch (drop) {
    case TR_DROP_UNKNOWN_ADDR: return "unknown_address";
    case TR_DROP_STUN_BAD: return "stun_malformed";
    case TR_DROP_STUN_AUTH: return "stun_unauthenticated";
    case TR_DROP_STUN_UNKNOWN_UFRAG: return "stun_unknown_ufrag";
    case TR_DROP_DTLS: return "dtls";
    case TR_DROP_RTP_BAD: return "rtp_malformed";
    case TR_DROP_RTP_UNKNOWN_SSRC: return "rtp_unknown_ssrc";
    case TR_DROP_SRTP_AUTH: return "srtp_unauthenticated";
    case TR_DROP_SRTP_REPLAY: return "srtp_replayed";
    case TR_DROP_RTP_DUPLICATE: return "rtp_duplicate";
    case TR_DROP_RTCP_BAD: return "rtcp_malformed";
    case TR_DROP_NO_BUFFER: return "no_buffer";
    case TR_DROP_MAILBOX_FULL: return "mailbox_full";
    case TR_DROP_SEND: return "send_failed";
    case TR_DROP_RATE: return "rate";
    case TR_DROP_RESEND: return "resend_budget";
    case TR_DROP_DATA_QUEUE: return "data_queue_full";
    case TR_DROP_DATA_BAD: return "data_malformed";
    case TR_DROP_DATA_SLOW: return "data_receiver_slow";
    case TR_DROP_DATA_UNWANTED: return "data_unwanted";
    case TR_DROP_STREAM: return "stream";
    case TR_DROP_FLOOD: return "flood";
    case TR_DROP_RTP_UNKNOWN_PT: return "rtp_unknown_pt";
    case TR_DROP_COUNT: break;
    }
    return "unknown";
}

static const char *ice_state_name(enum tr_ice_state state)
{
    switch (state) {
    case TR_ICE_NEW: return "new";
    case TR_ICE_CHECKING: return "checking";
    case TR_ICE_CONNECTED: return "connected";
    case TR_ICE_STATE_FAILED: break;
    }
    return "failed";
}

static const char *pair_state_name(enum tr_ice_pair_state state)
{
    switch (state) {
    case TR_ICE_PAIR_FROZEN: return "frozen";
    case TR_ICE_PAIR_WAITING: return "waiting";
    case TR_ICE_PAIR_IN_PROGRESS: return "in-progress";
    case TR_ICE_PAIR_SUCCEEDED: return "succeeded";
    case TR_ICE_PAIR_FAILED: break;
    }
    return "failed";
}

const char *tr_srtp_profile_name(enum tr_srtp_profile profile)
{
    switch (profile) {
    case TR_SRTP_AES128_CM_SHA1_80: return "AES128_CM_SHA1_80";
    case TR_SRTP_AES128_CM_SHA1_32: return "AES128_CM_SHA1_32";
    case TR_SRTP_AEAD_AES_128_GCM: return "AEAD_AES_128_GCM";
    case TR_SRTP_AEAD_AES_256_GCM: return "AEAD_AES_256_GCM";
    case TR_SRTP_NONE: break;
    }
    return NULL;
}

static const char *dtls_state_name(const struct tr_peer *peer)
{
    if (peer->up)
        return peer->down ? "closed" : "connected";
    if (!peer->dtls)
        return "new";
    return peer->down ? "failed" : "connecting";
}

static void ice_stats(const struct tr_peer *peer, struct tr_media_peer_stats *out)
{
    struct tr_ice_stats ice;
    struct tr_ice_pair_stats pair;
    tr_ice_stats(peer->ice, &ice);
    out->ice_state = ice_state_name(ice.state);
    out->ice_checks = ice.checks_received;
    out->ice_refused = ice.checks_received - ice.checks_answered;
    out->ice_role = ice.role == TR_ICE_CONTROLLING ? "controlling" : "controlled";
    out->ice_restarts = ice.restarts;
    out->ice_switches = ice.switches;
    out->ice_malformed = ice.rejected_malformed;
    out->ice_unauthenticated = ice.rejected_400 + ice.rejected_401;
    out->ice_paths_dropped = ice.paths_dropped;
    for (uint32_t i = 0; i < TR_STATS_PAIRS_MAX && tr_ice_pair_stats(peer->ice, i, &pair); i++) {
        out->pairs[out->pairs_count++] = (struct tr_stats_pair){
            .local = pair.path.local,
            .remote = pair.path.remote,
            .selected = pair.selected,
            .nominated = pair.nominated,
            .state = pair_state_name(pair.state),
            .priority = pair.priority,
            .rtt_us = pair.rtt_us,
            .last_check_us = pair.last_seen_us == TR_NEVER ? 0 : pair.last_seen_us,
        };
    }
}

static void dtls_stats(const struct tr_peer *peer, struct tr_media_peer_stats *out)
{
    out->dtls_state = dtls_state_name(peer);
    out->dtls_role = peer->conf.dtls_role == TR_DTLS_SERVER ? "server" : "client";
    out->srtp_profile = tr_srtp_profile_name(peer->profile);
    if (peer->dtls) {
        out->dtls_retransmissions = (uint32_t)tr_dtls_stats(peer->dtls)->retransmits;
        snprintf(out->dtls_cipher, sizeof out->dtls_cipher, "%s", tr_dtls_cipher(peer->dtls));
    }
    const struct tr_dtls_fingerprint *f = &peer->fingerprint;
    char *text = out->remote_fingerprint;
    size_t room = sizeof out->remote_fingerprint;
    if (!peer->remote_set)
        return;
    size_t n = (size_t)snprintf(text, room, "%s", tr_dtls_digest_name(f->digest));
    for (size_t i = 0; i < f->len && n + 4 < room; i++)
        n += (size_t)snprintf(text + n, room - n, "%c%02X", i ? ':' : ' ', f->bytes[i]);
}

static void layer_stats(const struct tr_peer *peer, const struct peer_track *t, int layer,
                        struct tr_stats_layer *out)
{
    memcpy(out->rid, t->conf.layers[layer].rid, sizeof out->rid);
    out->ssrc = t->conf.layers[layer].ssrc;
    out->rtx_ssrc = t->conf.layers[layer].rtx_ssrc;
    if (t->streams[layer] == PEER_SSRC_NONE)
        return;
    const struct peer_stream *s = &peer->streams[t->streams[layer]];
    int rtx = peer_stream_of_layer(peer, s->mline, layer, true);
    if (rtx >= 0)
        out->rtx_ssrc = peer->streams[rtx].ssrc;
    int64_t lost = tr_rtp_recv_lost(&s->recv);
    out->ssrc = s->ssrc;
    out->packets = s->packets;
    out->bytes = s->bytes;
    out->lost = lost > 0 ? (uint64_t)lost : 0;
    out->rtx_packets = s->rtx_packets;
    out->jitter_rtp = tr_rtp_recv_jitter(&s->recv);
    out->bitrate_bps = s->bitrate_bps;
    out->nacks = s->nacks_sent;
    out->plis = s->plis_sent;
    out->firs = s->firs_sent;
    out->last_us = s->last_us;
}

static void out_stats(const struct peer_track *t, struct tr_stats_track *out)
{
    const struct peer_tx *tx = t->tx;
    out->sending = t->conf.send && tx;
    if (!out->sending)
        return;
    out->out_ssrc = t->conf.out_ssrc;
    out->out_rtx_ssrc = t->conf.out_rtx_ssrc;
    out->out_packets = tx->packets;
    out->out_bytes = tx->octets;
    out->out_rtx_packets = tx->rtx_packets;
    out->out_bitrate_bps = tx->bitrate_bps;
    out->out_nacks = tx->nacks_received;
    out->out_plis = tx->plis_received;
    out->out_firs = tx->firs_received;
    out->remote_lost = tx->remote_lost > 0 ? (uint32_t)tx->remote_lost : 0;
    out->remote_fraction_lost = tx->remote_fraction;
    out->remote_jitter_rtp = tx->remote_jitter;
    out->rtt_us = tx->rtt_us;
}

static void track_stats(const struct tr_peer *peer, const struct peer_track *t,
                        struct tr_stats_track *out)
{
    out->used = t->conf.used;
    out->video = t->conf.video;
    out->pt = t->conf.pt;
    out->rtx_pt = t->conf.rtx_pt;
    out->clock_rate = t->conf.clock_rate;
    memcpy(out->mid, t->conf.mid, sizeof out->mid);
    snprintf(out->codec, sizeof out->codec, "%s", tr_codec_info(t->conf.codec)->name);
    out->layers_count = t->conf.recv ? t->conf.layers_count : 0;
    for (int i = 0; i < out->layers_count; i++)
        layer_stats(peer, t, i, &out->layers[i]);
    out_stats(t, out);
}

static void bandwidth_stats(const struct tr_peer *peer, struct tr_stats_bandwidth *out)
{
    struct tr_bwe_stats bwe;
    if (!peer->bwe)
        return;
    tr_bwe_stats(peer->bwe, &bwe);
    *out = (struct tr_stats_bandwidth){
        .known = bwe.known,
        .transport_cc = peer->bwe_conf.transport_cc,
        .estimate_bps = bwe.target_bps,
        .delay_bps = bwe.delay_bps,
        .loss_bps = bwe.loss_bps,
        .acked_bps = bwe.acked_bps,
        .sent_bps = bwe.sent_bps,
        .loss_ppm = bwe.loss_ppm,
        .overuses = bwe.overuses,
        .probes = bwe.probes,
        .probes_good = bwe.probes_good,
    };
}

void tr_peer_stats(const struct tr_peer *peer, struct tr_media_peer_stats *out)
{
    memset(out, 0, sizeof *out);
    ice_stats(peer, out);
    dtls_stats(peer, out);
    out->packets_in = peer->packets_in;
    out->bytes_in = peer->bytes_in;
    out->packets_out = peer->packets_out;
    out->bytes_out = peer->bytes_out;
    memcpy(out->drops, peer->drops, sizeof out->drops);
    out->remb_bps = peer->remb_bps;
    out->remb_sent_bps = peer_bound(peer);
    out->twcc_sent = peer->twcc != NULL;
    bandwidth_stats(peer, &out->bandwidth);
    out->created_us = peer->created_us;
    out->connected_us = peer->connected_us;
    out->tracks_count = peer->tracks_count;
    for (int i = 0; i < peer->tracks_count; i++)
        track_stats(peer, &peer->tracks[i], &out->tracks[i]);
}

void tr_counters_add(struct tr_media_counters *sum, const struct tr_media_counters *add)
{
    sum->datagrams_in += add->datagrams_in;
    sum->bytes_in += add->bytes_in;
    sum->datagrams_out += add->datagrams_out;
    sum->bytes_out += add->bytes_out;
    sum->sends += add->sends;
    sum->receives += add->receives;
    sum->rtp_in += add->rtp_in;
    sum->rtp_out += add->rtp_out;
    sum->rtx_out += add->rtx_out;
    sum->nacks_in += add->nacks_in;
    sum->nacks_out += add->nacks_out;
    sum->plis_in += add->plis_in;
    sum->plis_out += add->plis_out;
    sum->data_in += add->data_in;
    sum->data_out += add->data_out;
    sum->streams_accepted += add->streams_accepted;
    sum->streams_refused += add->streams_refused;
    sum->catch_ups += add->catch_ups;
    sum->catch_ups_refused += add->catch_ups_refused;
    for (int i = 0; i < TR_DROP_COUNT; i++)
        sum->drops[i] += add->drops[i];
    sum->streams += add->streams;
    sum->peers += add->peers;
    sum->routes += add->routes;
    sum->packets_in_use += add->packets_in_use;
}

void tr_peer_take_counters(struct tr_peer *peer, struct tr_media_counters *sums)
{
    peer->counters.rtp_out = peer->rtp_out;
    peer->counters.rtx_out = peer->rtx_out;
    peer->rtp_out = peer->rtx_out = 0;
    tr_counters_add(sums, &peer->counters);
    memset(&peer->counters, 0, sizeof peer->counters);
}

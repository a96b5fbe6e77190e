/* The connection as a whole. ICE finds the path, DTLS on that path makes the keys, and from then on
 * RTP and RTCP flow. The parts are machines of their own; this file passes datagrams down to them
 * and what they say up, in one poll:
 *
 *   datagram -> demultiplex (RFC 7983) -> ice | dtls | rtcp        (RTP goes by tr_peer_rtp)
 *   poll     <- ice, then dtls, then RTCP that is due, then events for the owner
 *
 * Nothing but STUN is looked at before a path has proved itself; the owner sees to that by mapping
 * only VALID paths to this peer. */
#include "peer/peer.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "ice/cand.h"
#include "peer/peer_impl.h"
#include "rtp/rtp.h"

void peer_drop(struct tr_peer *peer, enum tr_drop why)
{
    peer->drops[why]++;
    peer->counters.drops[why]++;
}

void peer_fail(struct tr_peer *peer, const char *reason)
{
    if (peer->down)
        return;
    peer->down = true;
    peer->down_reason = reason;
}

static void peer_check(const struct tr_peer *peer)
{
    TR_ASSERT(!peer->up || (peer->in && peer->out));
    TR_ASSERT(peer->streams_count <= peer->streams_size);
    TR_ASSERT(peer->tracks_count <= TR_PEER_TRACKS_MAX);
    TR_ASSERT(!peer->down || peer->down_reason);
}

struct tr_peer *tr_peer_create(const struct tr_peer_conf *conf, tr_usec now)
{
    struct tr_arena *arena = tr_arena_create(PEER_ARENA_MAX);
    struct tr_peer *peer = arena ? tr_arena_alloc(arena, sizeof *peer) : NULL;
    if (!peer) {
        tr_arena_destroy(arena);
        return NULL;
    }
    peer->arena = arena;
    peer->conf = *conf;
    peer->created_us = now;
    peer->report_due = TR_NEVER;
    peer->padding_mline = -1;
    peer->rtcp_ssrc = tr_rng_u32(conf->rng) | 1;
    memset(peer->slots, PEER_SSRC_NONE, sizeof peer->slots);
    struct tr_ice_conf ice = {
        .role = conf->ice_role,
        .lite = conf->lite,
        .consent_us = conf->consent_us,
        .ufrag = conf->ufrag,
        .pwd = conf->pwd,
        .rng = conf->rng,
    };
    peer->ice = tr_ice_create(arena, &ice);
    if (!peer->ice) {
        tr_peer_destroy(peer);
        return NULL;
    }
    /* The strings are the caller's; the agent has its own copies. */
    peer->conf.ufrag = peer->conf.pwd = NULL;
    return peer;
}

void tr_peer_destroy(struct tr_peer *peer)
{
    if (!peer)
        return;
    tr_bwe_destroy(peer->bwe);
    tr_srtp_destroy(peer->in);
    tr_srtp_destroy(peer->out);
    tr_dtls_destroy(peer->dtls);
    tr_free(peer->early.p);
    tr_ice_destroy(peer->ice);
    tr_arena_destroy(peer->arena);
}

tr_id tr_peer_id(const struct tr_peer *peer)
{
    return peer->conf.id;
}

/* The digest's name decides how the bytes are compared: one that we do not know proves nothing. */
static enum tr_err read_fingerprint(const struct tr_peer_remote *remote,
                                    struct tr_dtls_fingerprint *out)
{
    static const struct {
        enum tr_dtls_digest digest;
        uint8_t len;
    } known[] = {
        { TR_DTLS_SHA1, 20 }, { TR_DTLS_SHA256, 32 }, { TR_DTLS_SHA384, 48 }, { TR_DTLS_SHA512, 64 }
    };
    for (size_t i = 0; i < TR_ARRAY_LEN(known); i++) {
        if (strcmp(remote->fingerprint_alg, tr_dtls_digest_name(known[i].digest)) != 0)
            continue;
        if (remote->fingerprint_len != known[i].len)
            return TR_ERR_INVAL;
        *out = (struct tr_dtls_fingerprint){ .digest = known[i].digest, .len = known[i].len };
        memcpy(out->bytes, remote->fingerprint, known[i].len);
        return TR_OK;
    }
    return TR_ERR_INVAL;
}

/*= rfc5763#5
 *# The endpoint that is the offerer MUST [...] be prepared to receive a client_hello before it
 *# receives the answer.
 * What is dropped comes again only after a time-out, and an answer is often the later one. One
 * datagram holds a client_hello; only a proven path may leave it here. */
static enum tr_err keep_early(struct tr_peer *peer, struct tr_slice datagram)
{
    if (peer->remote_set || !peer->have_path || peer->early.p || datagram.n > TR_PEER_PACKET_MAX)
        return TR_ERR_IGNORED;
    peer->early.p = tr_alloc(datagram.n);
    if (!peer->early.p)
        return TR_ERR_NOMEM;
    memcpy(peer->early.p, datagram.p, datagram.n);
    peer->early.n = datagram.n;
    return TR_OK;
}

static void play_early(struct tr_peer *peer, tr_usec now)
{
    if (!peer->early.p)
        return;
    if (tr_dtls_input(peer->dtls, now, tr_slice(peer->early.p, peer->early.n)) != TR_OK)
        peer_drop(peer, TR_DROP_DTLS);
    tr_free(peer->early.p);
    peer->early = (struct tr_buf){ 0 };
}

/* DTLS runs once there are both a path and the other side's fingerprint. */
static void start_dtls(struct tr_peer *peer, tr_usec now)
{
    if (peer->dtls || !peer->remote_set || !peer->have_path)
        return;
    if (peer->remote_passive)
        peer->conf.dtls_role = TR_DTLS_CLIENT;
    struct tr_dtls_conf conf = { .ctx = peer->conf.dtls_ctx, .role = peer->conf.dtls_role };
    memcpy(conf.profiles, peer->conf.profiles, sizeof conf.profiles);
    conf.remote = peer->fingerprint;
    peer->dtls = tr_dtls_create(&conf);
    if (!peer->dtls) {
        peer_fail(peer, "DTLS error");
        return;
    }
    tr_dtls_start(peer->dtls, now);
    play_early(peer, now);
}

enum tr_err tr_peer_set_remote(struct tr_peer *peer, tr_usec now,
                               const struct tr_peer_remote *remote)
{
    struct tr_dtls_fingerprint fingerprint;
    enum tr_err err = read_fingerprint(remote, &fingerprint);
    if (err == TR_OK)
        err = tr_ice_set_remote(peer->ice, now, remote->ufrag, remote->pwd, remote->lite);
    if (err != TR_OK)
        return err;
    peer->remote_passive = remote->passive;
    peer->fingerprint = fingerprint;
    peer->remote_set = true;
    start_dtls(peer, now);
    peer_check(peer);
    return TR_OK;
}

enum tr_err tr_peer_restart(struct tr_peer *peer, tr_usec now, const char *ufrag, const char *pwd)
{
    return tr_ice_restart(peer->ice, now, ufrag, pwd);
}

enum tr_err tr_peer_add_local(struct tr_peer *peer, tr_usec now, const struct tr_ice_cand *cand)
{
    return tr_ice_add_local(peer->ice, now, cand);
}

enum tr_err tr_peer_add_remote(struct tr_peer *peer, tr_usec now, const struct tr_ice_cand *cand)
{
    return tr_ice_add_remote(peer->ice, now, cand);
}

static bool is_usable(const struct tr_track_conf *t)
{
    return !t->used ||
           (t->clock_rate > 0 && t->pt < 128 && t->rtx_pt < 128 && t->codec < TR_CODEC_COUNT &&
            (!t->recv || t->layers_count > 0) && t->layers_count <= TR_TRACK_LAYERS);
}

/* Feedback goes out in the name of a stream that we send, of video where there is some: Janus tells
 * by the sender's SSRC which m-line it is about, and takes NACKs from no other. */
static void choose_rtcp_ssrc(struct tr_peer *peer)
{
    uint32_t found = 0;
    bool video = false;
    for (int i = 0; i < peer->tracks_count; i++) {
        const struct tr_track_conf *conf = &peer->tracks[i].conf;
        if (!conf->used || !conf->send || !conf->out_ssrc || (found && (video || !conf->video)))
            continue;
        found = conf->out_ssrc;
        video = conf->video;
    }
    if (found)
        peer->rtcp_ssrc = found;
}

enum tr_err tr_peer_set_tracks(struct tr_peer *peer, tr_usec now,
                               const struct tr_track_conf *tracks, int count)
{
    if (count < peer->tracks_count || count > TR_PEER_TRACKS_MAX)
        return TR_ERR_INVAL; /* m-lines never go away (RFC 8829 section 5.2.2) */
    for (int i = 0; i < count; i++) {
        if (!is_usable(&tracks[i]))
            return TR_ERR_INVAL;
    }
    if (count > peer->tracks_count) {
        struct peer_track *grown = tr_arena_alloc(peer->arena, (size_t)count * sizeof *grown);
        if (!grown)
            return TR_ERR_NOMEM;
        for (int i = 0; i < count; i++)
            memset(grown[i].streams, PEER_SSRC_NONE, sizeof grown[i].streams);
        if (peer->tracks_count > 0)
            memcpy(grown, peer->tracks, (size_t)peer->tracks_count * sizeof *grown);
        peer->tracks = grown;
        peer->tracks_count = count;
    }
    for (int i = 0; i < count; i++)
        peer->tracks[i].conf = tracks[i];
    peer_streams_reset(peer);
    enum tr_err err = peer_bwe_tracks(peer, now);
    for (int i = 0; i < count && err == TR_OK; i++) {
        err = peer_rx_track(peer, i);
        if (err == TR_OK)
            err = peer_tx_track(peer, i);
    }
    if (err != TR_OK) { /* half of the m-lines are as before, and what they share is not */
        peer_fail(peer, err == TR_ERR_NOMEM ? "Out of memory" : "Invalid SDP");
        return err;
    }
    choose_rtcp_ssrc(peer);
    peer_check(peer);
    return TR_OK;
}

void tr_peer_close(struct tr_peer *peer, tr_usec now)
{
    (void)now;
    peer->closing = true;
    if (peer->dtls)
        tr_dtls_close(peer->dtls);
}

void tr_peer_input(struct tr_peer *peer, tr_usec now, struct tr_path path, struct tr_slice datagram)
{
    enum tr_err err = TR_OK;
    enum tr_demux kind = tr_demux(datagram);
    if (kind == TR_DEMUX_STUN) {
        err = tr_ice_input(peer->ice, now, path, datagram);
        if (err == TR_ERR_AUTH)
            peer_drop(peer, TR_DROP_STUN_AUTH);
        else if (err != TR_OK && err != TR_ERR_AGAIN)
            peer_drop(peer, TR_DROP_STUN_BAD);
    } else if (kind == TR_DEMUX_DTLS) {
        err = peer->dtls ? tr_dtls_input(peer->dtls, now, datagram) : keep_early(peer, datagram);
        if (err != TR_OK)
            peer_drop(peer, TR_DROP_DTLS);
    } else if (kind == TR_DEMUX_RTCP) {
        peer_rtcp_input(peer, now, datagram);
    } else {
        peer_drop(peer, TR_DROP_RTP_BAD);
    }
    peer_check(peer);
}

static const char *dtls_reason(enum tr_dtls_reason reason)
{
    switch (reason) {
    case TR_DTLS_REASON_ALERT: return "DTLS alert";
    case TR_DTLS_REASON_TIMEOUT: return "DTLS timeout";
    case TR_DTLS_REASON_LOCAL: return "Close PC";
    case TR_DTLS_REASON_NONE:
    case TR_DTLS_REASON_FINGERPRINT:
    case TR_DTLS_REASON_PROFILE:
    case TR_DTLS_REASON_LIMIT:
    case TR_DTLS_REASON_ERROR: break;
    }
    return "DTLS error";
}

static void connected(struct tr_peer *peer, tr_usec now, const struct tr_dtls_out *dtls)
{
    bool server = peer->conf.dtls_role == TR_DTLS_SERVER;
    peer->profile = dtls->profile;
    peer->in = tr_srtp_create(peer->conf.engine, dtls->profile, TR_SRTP_IN,
                              server ? &dtls->client : &dtls->server);
    peer->out = tr_srtp_create(peer->conf.engine, dtls->profile, TR_SRTP_OUT,
                               server ? &dtls->server : &dtls->client);
    if (!peer->in || !peer->out) {
        peer_fail(peer, "DTLS-SRTP stack error");
        return;
    }
    peer->up = true;
    peer->connected_us = peer->rate_at = now;
    peer->report_due = now + PEER_REPORT_US / 10;
}

/* DTLS need not wait for the nomination: a valid path is the other side's (RFC 8445 section 12.1.1
 * lets data go on one), and a client that starts at its first answered check is heard at once. Once
 * there are keys only the agent says where media goes: it has new paths proven. */
static void path_valid(struct tr_peer *peer, tr_usec now, const struct tr_path *path)
{
    if (peer->have_path || peer->up)
        return;
    peer->path = *path;
    peer->have_path = true;
    start_dtls(peer, now);
}

static void path_invalid(struct tr_peer *peer, const struct tr_path *path)
{
    if (tr_path_eq(&peer->path, path))
        peer->have_path = peer->selected = false;
}

static void path_selected(struct tr_peer *peer, tr_usec now, const struct tr_path *path)
{
    if (peer->up && !tr_path_eq(&peer->path, path))
        peer_bwe_moved(peer, now);
    peer->path = *path;
    peer->have_path = peer->selected = true;
    start_dtls(peer, now);
}

static bool poll_ice(struct tr_peer *peer, tr_usec now, struct tr_peer_out *out)
{
    struct tr_ice_out ice;
    for (;;) {
        tr_ice_poll(peer->ice, &ice);
        switch (ice.kind) {
        case TR_ICE_NONE: return false;
        case TR_ICE_SEND:
            *out = (struct tr_peer_out){ .kind = TR_PEER_SEND, .path = ice.path, .data = ice.data };
            return true;
        case TR_ICE_VALID:
            path_valid(peer, now, &ice.path);
            *out = (struct tr_peer_out){ .kind = TR_PEER_VALID, .path = ice.path };
            return true;
        case TR_ICE_INVALID:
            path_invalid(peer, &ice.path);
            *out = (struct tr_peer_out){ .kind = TR_PEER_INVALID, .path = ice.path };
            return true;
        case TR_ICE_SELECTED: path_selected(peer, now, &ice.path); break;
        case TR_ICE_FAILED: peer_fail(peer, "ICE failed"); break;
        }
    }
}

static bool poll_dtls(struct tr_peer *peer, tr_usec now, struct tr_peer_out *out)
{
    struct tr_dtls_out dtls;
    if (!peer->dtls)
        return false;
    for (;;) {
        tr_dtls_poll(peer->dtls, &dtls);
        switch (dtls.kind) {
        case TR_DTLS_NONE: return false;
        case TR_DTLS_SEND:
            *out =
                (struct tr_peer_out){ .kind = TR_PEER_SEND, .path = peer->path, .data = dtls.data };
            return true;
        case TR_DTLS_CONNECTED: connected(peer, now, &dtls); break;
        case TR_DTLS_DATA:
            *out = (struct tr_peer_out){ .kind = TR_PEER_DATA, .data = dtls.data };
            return true;
        case TR_DTLS_CLOSED: peer_fail(peer, dtls_reason(dtls.reason)); break;
        }
    }
}

/* Events of one m-line: key frame asked, NACKs; true when one was put out. */
static bool poll_track(struct tr_peer *peer, int mline, struct tr_peer_out *out)
{
    struct peer_tx *tx = peer->tracks[mline].tx;
    if (!tx)
        return false;
    if (tx->keyframe_asked) {
        tx->keyframe_asked = false;
        *out = (struct tr_peer_out){ .kind = TR_PEER_KEYFRAME, .mline = mline };
        return true;
    }
    if (tx->nacks_count > 0) {
        *out = (struct tr_peer_out){
            .kind = TR_PEER_NACK, .mline = mline, .seqs = tx->nacks, .seqs_count = tx->nacks_count
        };
        tx->nacks_count = 0;
        return true;
    }
    return false;
}

static bool poll_stream(struct peer_stream *s, bool video, struct tr_peer_out *out)
{
    *out = (struct tr_peer_out){ .mline = s->mline, .layer = s->layer, .ssrc = s->ssrc };
    if (s->sr_new) {
        s->sr_new = false;
        out->kind = TR_PEER_SR;
        out->sr = &s->sr;
        return true;
    }
    if (s->nack && tr_rtp_recv_take_keyframe_needed(&s->recv) && video) {
        out->kind = TR_PEER_KEYFRAME_NEEDED;
        return true;
    }
    out->kind = TR_PEER_NONE;
    return false;
}

static bool poll_events(struct tr_peer *peer, tr_usec now, struct tr_peer_out *out)
{
    if (peer_bwe_dropped(peer, now)) {
        *out = (struct tr_peer_out){ .kind = TR_PEER_BANDWIDTH };
        return true;
    }
    for (; peer->poll_mline < peer->tracks_count; peer->poll_mline++) {
        if (poll_track(peer, peer->poll_mline, out))
            return true;
    }
    for (int i = 0; i < peer->streams_count; i++) {
        struct peer_stream *s = &peer->streams[i];
        if (poll_stream(s, peer->tracks[s->mline].conf.video, out))
            return true;
    }
    peer->poll_mline = 0;
    return false;
}

void tr_peer_poll(struct tr_peer *peer, tr_usec now, struct tr_peer_out *out)
{
    if (poll_ice(peer, now, out) || poll_dtls(peer, now, out))
        return;
    *out = (struct tr_peer_out){ .kind = TR_PEER_NONE };
    if (peer->up && !peer->up_told) {
        peer->up_told = true;
        out->kind = TR_PEER_UP;
        return;
    }
    if (peer->down) {
        if (!peer->down_told && !peer->closing) {
            out->kind = TR_PEER_DOWN;
            out->reason = peer->down_reason;
        }
        peer->down_told = true;
        return;
    }
    struct tr_slice data = peer_rtcp_output(peer, now);
    if (data.n == 0)
        data = peer_bwe_output(peer, now);
    if (data.n > 0) {
        *out = (struct tr_peer_out){ .kind = TR_PEER_SEND, .path = peer->path, .data = data };
        return;
    }
    if (!poll_events(peer, now, out))
        out->kind = TR_PEER_NONE;
    peer_check(peer);
}

enum tr_err tr_peer_send_data(struct tr_peer *peer, struct tr_slice data)
{
    return peer->dtls && !peer->down ? tr_dtls_send(peer->dtls, data) : TR_ERR_AGAIN;
}

void tr_peer_path_gone(struct tr_peer *peer, tr_usec now, const struct tr_path *path)
{
    tr_ice_path_gone(peer->ice, now, path);
}

void tr_peer_timeout(struct tr_peer *peer, tr_usec now)
{
    if (tr_ice_next_timeout(peer->ice) <= now)
        tr_ice_timeout(peer->ice, now);
    if (peer->dtls && tr_dtls_next_timeout(peer->dtls) <= now)
        tr_dtls_timeout(peer->dtls, now);
    peer_check(peer);
}

tr_usec tr_peer_next_timeout(const struct tr_peer *peer)
{
    if (peer->down)
        return TR_NEVER;
    tr_usec next = tr_ice_next_timeout(peer->ice);
    if (peer->dtls)
        next = tr_usec_min(next, tr_dtls_next_timeout(peer->dtls));
    return tr_usec_min(next, tr_usec_min(peer_rtcp_next(peer), peer_bwe_next(peer)));
}

bool tr_peer_path(const struct tr_peer *peer, struct tr_path *path)
{
    *path = peer->path;
    return peer->have_path;
}

void tr_peer_set_bitrate(struct tr_peer *peer, uint32_t bps)
{
    peer->bitrate_bps = bps;
    peer->report_due = peer->up ? 0 : peer->report_due;
}

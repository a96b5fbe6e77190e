/* The owner of one peer. After each thing that happens to the peer it is polled until it has
 * nothing more to say; a peer that never ends talking is a bug and asserted. */
#include "sim/peer.h"

#include "base/assert.h"
#include "base/mem.h"
#include "ice/cand.h"
#include "peer/peer_impl.h"
#include "rtp/rtp.h"

enum { POOL_PACKETS = 8192, SPEAK_MAX = 10000, TIMEOUTS_MAX = 100, CERT_UNIX_S = 1700000000 };

enum tr_err sim_identity_init(struct sim_identity *id)
{
    *id = (struct sim_identity){ .cert = tr_dtls_cert_create(CERT_UNIX_S) };
    id->ctx = id->cert ? tr_dtls_ctx_create(id->cert) : NULL;
    id->engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    if (id->ctx && id->engine)
        return TR_OK;
    sim_identity_deinit(id);
    return TR_ERR_NOMEM;
}

void sim_identity_deinit(struct sim_identity *id)
{
    tr_srtp_engine_destroy(id->engine);
    tr_dtls_ctx_destroy(id->ctx);
    tr_dtls_cert_destroy(id->cert);
    *id = (struct sim_identity){ 0 };
}

static void timer_fired(void *arg)
{
    struct sim_peer *p = arg;
    p->timeouts = p->timer_us == sim_now(p->sim) ? p->timeouts + 1 : 0;
    p->timer_us = sim_now(p->sim);
    TR_ASSERT(p->timeouts < TIMEOUTS_MAX); /* a timeout that comes again and again */
    tr_peer_timeout(p->peer, sim_now(p->sim));
    sim_peer_speak(p);
}

static void new_credentials(struct sim_peer *p)
{
    tr_rng_ice_chars(sim_rng(p->sim), p->ufrag, 16);
    tr_rng_ice_chars(sim_rng(p->sim), p->pwd, 24);
}

enum tr_err sim_peer_init(struct sim_peer *p, struct sim *sim, const struct sim_peer_conf *conf)
{
    *p = (struct sim_peer){ .sim = sim, .addr = conf->addr, .identity = conf->identity };
    p->hooks = conf->hooks;
    p->lite = conf->server;
    p->timer = (struct sim_timer){ .fire = timer_fired, .arg = p };
    new_credentials(p);
    struct tr_peer_conf peer = {
        .ufrag = p->ufrag,
        .pwd = p->pwd,
        .lite = conf->server,
        .ice_role = TR_ICE_CONTROLLING,
        .dtls_role = conf->server ? TR_DTLS_SERVER : TR_DTLS_CLIENT,
        .dtls_ctx = conf->identity->ctx,
        .engine = conf->identity->engine,
        .rng = sim_rng(sim),
        .consent_us = conf->consent_us,
        .wall_offset_us = conf->wall_offset_us,
    };
    memcpy(peer.profiles, conf->profiles, sizeof peer.profiles);
    p->pool = tr_pkt_pool_create(POOL_PACKETS);
    p->peer = p->pool ? tr_peer_create(&peer, sim_now(sim)) : NULL;
    p->endpoint = p->peer ? sim_endpoint_create(sim, conf->addr, sim_peer_receive, p) : NULL;
    if (!p->endpoint) {
        sim_peer_deinit(p);
        return TR_ERR_NOMEM;
    }
    if (conf->server)
        return TR_OK;
    struct tr_ice_cand cand = sim_peer_candidate(p);
    return tr_peer_add_local(p->peer, sim_now(sim), &cand);
}

void sim_peer_deinit(struct sim_peer *p)
{
    if (!p->sim)
        return;
    sim_timer_set(p->sim, &p->timer, TR_NEVER);
    sim_endpoint_destroy(p->endpoint);
    tr_peer_destroy(p->peer);
    tr_pkt_pool_destroy(p->pool);
    *p = (struct sim_peer){ 0 };
}

struct tr_peer_remote sim_peer_description(const struct sim_peer *p)
{
    const struct tr_dtls_fingerprint *f = tr_dtls_cert_fingerprint(p->identity->cert);
    struct tr_peer_remote r = { .lite = p->lite, .fingerprint_len = (uint8_t)f->len };
    memcpy(r.ufrag, p->ufrag, sizeof p->ufrag);
    memcpy(r.pwd, p->pwd, sizeof p->pwd);
    const char *name = tr_dtls_digest_name(f->digest);
    memcpy(r.fingerprint_alg, name, strlen(name));
    memcpy(r.fingerprint, f->bytes, f->len);
    return r;
}

enum tr_err sim_peer_restart(struct sim_peer *p)
{
    new_credentials(p);
    return tr_peer_restart(p->peer, sim_now(p->sim), p->ufrag, p->pwd);
}

struct tr_ice_cand sim_peer_candidate(const struct sim_peer *p)
{
    return tr_ice_cand_make(TR_ICE_HOST, &p->addr, NULL, 65535);
}

/* --- the owner's map of paths --- */

static int find_path(const struct sim_peer *p, const struct tr_path *path)
{
    for (int i = 0; i < p->paths_count; i++) {
        if (tr_path_eq(&p->paths[i], path))
            return i;
    }
    return -1;
}

static void add_path(struct sim_peer *p, const struct tr_path *path)
{
    TR_ASSERT(find_path(p, path) < 0 && p->paths_count < TR_ICE_PATH_MAX);
    p->paths[p->paths_count++] = *path;
    p->valid++;
}

static void remove_path(struct sim_peer *p, const struct tr_path *path)
{
    int i = find_path(p, path);
    TR_ASSERT(i >= 0);
    p->paths[i] = p->paths[--p->paths_count];
    p->invalid++;
}

/* --- in and out --- */

void sim_peer_send(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct sim_peer *p = arg;
    TR_ASSERT(p->lite || tr_addr_eq(&path->local, &p->addr));
    sim_send(p->endpoint, &path->remote, datagram);
}

static void note_event(struct sim_peer *p, const struct tr_peer_out *out)
{
    switch (out->kind) {
    case TR_PEER_SEND: sim_peer_send(p, &out->path, out->data); return;
    case TR_PEER_VALID: add_path(p, &out->path); return;
    case TR_PEER_INVALID: remove_path(p, &out->path); return;
    case TR_PEER_UP:
        TR_ASSERT(!p->up && !p->down);
        p->up = true;
        p->up_us = sim_now(p->sim);
        break;
    case TR_PEER_DOWN:
        TR_ASSERT(!p->down);
        p->down = out->reason;
        p->down_us = sim_now(p->sim);
        break;
    case TR_PEER_KEYFRAME: p->keyframes++; break;
    case TR_PEER_NACK: p->nacks += (uint64_t)out->seqs_count; break;
    case TR_PEER_SR: p->reports++; break;
    case TR_PEER_KEYFRAME_NEEDED: p->keyframes_needed++; break;
    case TR_PEER_DATA: p->data++; break;
    case TR_PEER_BANDWIDTH:
    case TR_PEER_NONE: break;
    }
    if (p->hooks.event)
        p->hooks.event(p->hooks.arg, out);
}

void sim_peer_speak(struct sim_peer *p)
{
    struct tr_peer_out out;
    int said = 0;
    for (;;) {
        tr_peer_poll(p->peer, sim_now(p->sim), &out);
        if (out.kind == TR_PEER_NONE)
            break;
        note_event(p, &out);
        TR_ASSERT(++said < SPEAK_MAX);
    }
    tr_usec next = tr_peer_next_timeout(p->peer);
    sim_timer_set(p->sim, &p->timer, next);
}

static void media_in(struct sim_peer *p, struct tr_slice datagram)
{
    struct tr_pkt *pkt = tr_pkt_alloc(p->pool);
    int mline = -1;
    if (!pkt)
        return;
    if (tr_peer_rtp(p->peer, sim_now(p->sim), datagram, pkt, &mline) == TR_OK && p->hooks.rtp)
        p->hooks.rtp(p->hooks.arg, mline, pkt);
    tr_pkt_unref(&pkt);
}

static void rtcp_in(struct sim_peer *p, struct tr_slice datagram)
{
    uint8_t plain[TR_PEER_PACKET_MAX];
    struct tr_buf out = { .p = plain, .n = sizeof plain };
    size_t n;
    if (p->peer->in && tr_srtcp_unprotect(p->peer->in, datagram, out, &n) == TR_OK)
        p->hooks.rtcp(p->hooks.arg, tr_slice(plain, n));
}

void sim_peer_receive(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct sim_peer *p = arg;
    enum tr_demux kind = tr_demux(datagram);
    if (kind != TR_DEMUX_STUN && find_path(p, path) < 0) {
        p->foreign++;
        return;
    }
    if (kind == TR_DEMUX_RTP)
        media_in(p, datagram);
    else if (kind == TR_DEMUX_RTCP && p->hooks.rtcp)
        rtcp_in(p, datagram);
    else
        tr_peer_input(p->peer, sim_now(p->sim), *path, datagram);
    sim_peer_speak(p);
}

enum tr_err sim_peer_send_rtp(struct sim_peer *p, struct tr_slice plain)
{
    uint8_t out[TR_PEER_PACKET_MAX];
    struct tr_rtp rtp;
    if (!p->peer->out || !p->peer->have_path || tr_rtp_parse(&rtp, plain) != TR_OK ||
        plain.n + TR_SRTP_OVERHEAD_MAX > sizeof out)
        return TR_ERR_INVAL;
    memcpy(out, plain.p, plain.n);
    struct tr_srtp_job job = { .out = out,
                               .out_size = sizeof out,
                               .hdr_len = rtp.hdr_len,
                               .payload = tr_slice(out + rtp.hdr_len, plain.n - rtp.hdr_len),
                               .index = TR_SRTP_AUTO };
    enum tr_err err = tr_srtp_protect(p->peer->out, &job);
    if (err == TR_OK)
        sim_peer_send(p, &p->peer->path, tr_slice(out, job.out_len));
    return err;
}

enum tr_err sim_peer_send_rtcp(struct sim_peer *p, struct tr_slice plain)
{
    uint8_t out[TR_PEER_PACKET_MAX];
    size_t n;
    if (!p->peer->out || !p->peer->have_path)
        return TR_ERR_INVAL;
    enum tr_err err = tr_srtcp_protect(p->peer->out, plain, (struct tr_buf){ out, sizeof out }, &n);
    if (err == TR_OK)
        sim_peer_send(p, &p->peer->path, tr_slice(out, n));
    return err;
}

/* Signalling: the client offers at once, the server gets the offer after one delay, the client the
 * answer after two. A restart of ICE goes the same way. */
#include "sim/call.h"

#include <string.h>

#include "base/assert.h"
#include "ice/cand.h"

enum signal_step { STEP_OFFER, STEP_ANSWER, STEP_DONE };

#define POLL_US (5 * TR_MSEC) /* how often sim_call_connect looks */

struct sim_peer *sim_server(struct sim_call *call)
{
    return &call->sides[SIM_SERVER].peer;
}

struct sim_peer *sim_client(struct sim_call *call)
{
    return &call->sides[SIM_CLIENT].peer;
}

/* --- tracks --- */

static struct tr_ext_map extensions(bool video)
{
    struct tr_ext_map map = { 0 };
    map.id[TR_EXT_MID] = 1;
    map.id[TR_EXT_ABS_SEND_TIME] = 2;
    if (video) {
        map.id[TR_EXT_RID] = 4;
        map.id[TR_EXT_RRID] = 5;
        map.id[TR_EXT_TRANSPORT_CC] = 6;
    } else {
        map.id[TR_EXT_AUDIO_LEVEL] = 3;
    }
    return map;
}

static struct tr_track_conf make_track(const struct sim_call_conf *conf, int side, int mline)
{
    bool video = mline == SIM_VIDEO, rtx = video && !conf->no_rtx;
    uint32_t own = (side == SIM_SERVER ? SIM_SSRC_SERVER : SIM_SSRC_CLIENT) + (uint32_t)mline * 10;
    uint32_t other =
        (side == SIM_SERVER ? SIM_SSRC_CLIENT : SIM_SSRC_SERVER) + (uint32_t)mline * 10;
    struct tr_track_conf t = {
        .used = true,
        .video = video,
        .codec = video ? TR_CODEC_VP8 : TR_CODEC_OPUS,
        .clock_rate = video ? 90000 : 48000,
        .pt = video ? SIM_PT_VIDEO : SIM_PT_AUDIO,
        .rtx_pt = rtx ? SIM_PT_RTX : 0,
        .ext = extensions(video),
        .ext_send = extensions(video),
        .fb_nack = video && !conf->no_nack,
        .fb_pli = video,
        .fb_fir = video,
        .fb_remb = video,
        .fb_transport_cc = video,
        .recv = true,
        .layers_count = 1,
        .send = true,
        .out_ssrc = own,
        .out_rtx_ssrc = rtx ? own + 1 : 0,
    };
    memcpy(t.mid, video ? "v" : "a", 2);
    memcpy(t.cname, side == SIM_SERVER ? "server" : "client", 7);
    if (side == SIM_CLIENT || !conf->unannounced) {
        t.layers[0].ssrc = other;
        t.layers[0].rtx_ssrc = rtx ? other + 1 : 0;
    }
    return t;
}

enum tr_err sim_call_set_tracks(struct sim_call *call)
{
    for (int i = 0; i < SIM_SIDES; i++) {
        struct sim_side *s = &call->sides[i];
        enum tr_err err =
            tr_peer_set_tracks(s->peer.peer, sim_now(call->sim), s->tracks, SIM_MLINES);
        if (err != TR_OK)
            return err;
    }
    return TR_OK;
}

/* --- media --- */

static void media_timer(void *arg)
{
    struct sim_side *s = arg;
    tr_usec next = TR_NEVER;
    for (int i = 0; i < SIM_MLINES; i++) {
        sim_sender_run(&s->senders[i], sim_now(s->call->sim));
        next = tr_usec_min(next, sim_sender_next(&s->senders[i]));
    }
    if (s->sending)
        sim_timer_set(s->call->sim, &s->media, next);
}

static void start_media(struct sim_side *s)
{
    struct tr_rng *rng = sim_rng(s->call->sim);
    for (int i = 0; i < SIM_MLINES; i++) {
        struct sim_sender_conf conf = { .peer = s->peer.peer,
                                        .mline = i,
                                        .video = i == SIM_VIDEO,
                                        .bitrate_bps = s->call->conf.video_bps,
                                        .first_ts = tr_rng_u32(rng),
                                        .first_seq = (uint16_t)(tr_rng_u32(rng) & 0x7fff),
                                        .pool = s->peer.pool,
                                        .send = sim_peer_send,
                                        .arg = &s->peer };
        sim_sender_init(&s->senders[i], &conf, sim_now(s->call->sim));
    }
    s->started = s->sending = true;
    sim_timer_set(s->call->sim, &s->media, sim_now(s->call->sim));
}

void sim_call_stop_media(struct sim_call *call)
{
    for (int i = 0; i < SIM_SIDES; i++) {
        call->sides[i].sending = false;
        sim_timer_set(call->sim, &call->sides[i].media, TR_NEVER);
    }
}

static void on_rtp(void *arg, int mline, struct tr_pkt *pkt)
{
    struct sim_side *s = arg;
    sim_receiver_packet(&s->receivers[mline], sim_now(s->call->sim), pkt);
}

static void on_event(void *arg, const struct tr_peer_out *out)
{
    struct sim_side *s = arg;
    if (out->kind == TR_PEER_UP && !s->call->conf.no_media)
        start_media(s);
    else if (out->kind == TR_PEER_KEYFRAME && s->started)
        sim_sender_keyframe(&s->senders[out->mline]);
    else if (out->kind == TR_PEER_NACK && s->started)
        sim_sender_nack(&s->senders[out->mline], sim_now(s->call->sim), out->seqs, out->seqs_count);
    else if (out->kind == TR_PEER_SR)
        s->last_sr[out->mline] = *out->sr;
    else if (out->kind == TR_PEER_KEYFRAME_NEEDED)
        tr_peer_request_keyframe(s->peer.peer, out->mline, out->layer);
}

/* --- signalling --- */

static void describe(struct sim_call *call, int to)
{
    struct sim_peer *p = &call->sides[to].peer, *other = &call->sides[!to].peer;
    struct tr_peer_remote remote = sim_peer_description(other);
    struct tr_ice_cand cand = sim_peer_candidate(other);
    tr_usec now = sim_now(call->sim);
    if (to == SIM_SERVER && call->conf.wrong_fingerprint)
        remote.fingerprint[0] ^= 1;
    enum tr_err err = tr_peer_set_remote(p->peer, now, &remote);
    if (err == TR_OK && to == SIM_CLIENT)
        err = tr_peer_add_remote(p->peer, now, &cand);
    TR_ASSERT(err == TR_OK || err == TR_ERR_NOMEM || err == TR_ERR_EXISTS);
    sim_peer_speak(p);
}

static void next_step(void *arg)
{
    struct sim_call *call = arg;
    bool offer = call->step == STEP_OFFER;
    describe(call, offer == call->conf.server_offers ? SIM_CLIENT : SIM_SERVER);
    if (++call->step < STEP_DONE)
        sim_timer_set(call->sim, &call->signal, sim_now(call->sim) + call->conf.signal_us);
}

void sim_call_restart_ice(struct sim_call *call)
{
    for (int i = 0; i < SIM_SIDES; i++) {
        enum tr_err err = sim_peer_restart(&call->sides[i].peer);
        TR_ASSERT(err == TR_OK);
        sim_peer_speak(&call->sides[i].peer);
    }
    call->step = STEP_OFFER;
    sim_timer_set(call->sim, &call->signal, sim_now(call->sim) + call->conf.signal_us);
}

static enum tr_err init_side(struct sim_call *call, int side)
{
    struct sim_side *s = &call->sides[side];
    bool server = side == SIM_SERVER;
    s->call = call;
    s->media = (struct sim_timer){ .fire = media_timer, .arg = s };
    struct sim_peer_conf conf = {
        .identity = &call->identities[side],
        .addr = server ? tr_addr_v4(192, 0, 2, 1, 443) : tr_addr_v4(198, 51, 100, 7, 50000),
        .server = server,
        .consent_us = call->conf.consent_us,
        .wall_offset_us = SIM_WALL_OFFSET,
        .hooks = { .rtp = on_rtp, .event = on_event, .arg = s },
    };
    if (server)
        memcpy(conf.profiles, call->conf.profiles, sizeof conf.profiles);
    enum tr_err err = sim_peer_init(&s->peer, call->sim, &conf);
    for (int i = 0; i < SIM_MLINES; i++) {
        s->tracks[i] = make_track(&call->conf, side, i);
        s->receivers[i].video = i == SIM_VIDEO;
    }
    return err;
}

enum tr_err sim_call_init(struct sim_call *call, struct sim *sim, struct sim_identity *identities,
                          const struct sim_call_conf *conf)
{
    memset(call, 0, sizeof *call);
    call->sim = sim;
    call->conf = *conf;
    call->identities = identities;
    call->signal = (struct sim_timer){ .fire = next_step, .arg = call };
    enum tr_err err = init_side(call, SIM_SERVER);
    if (err == TR_OK)
        err = init_side(call, SIM_CLIENT);
    if (err == TR_OK)
        err = sim_call_set_tracks(call);
    if (err != TR_OK) {
        sim_call_deinit(call);
        return err;
    }
    sim_endpoint_links(sim_client(call)->endpoint, &conf->up, &conf->down);
    sim_timer_set(sim, &call->signal, sim_now(sim) + conf->signal_us);
    return TR_OK;
}

void sim_call_deinit(struct sim_call *call)
{
    if (!call->sim)
        return;
    sim_timer_set(call->sim, &call->signal, TR_NEVER);
    for (int i = 0; i < SIM_SIDES; i++) {
        sim_timer_set(call->sim, &call->sides[i].media, TR_NEVER);
        for (int m = 0; m < SIM_MLINES; m++)
            sim_sender_deinit(&call->sides[i].senders[m]);
        sim_peer_deinit(&call->sides[i].peer);
    }
    call->sim = NULL;
}

bool sim_call_connect(struct sim_call *call, tr_usec us)
{
    struct sim_peer *server = sim_server(call), *client = sim_client(call);
    for (tr_usec waited = 0; waited < us; waited += POLL_US) {
        if ((server->up && client->up) || server->down || client->down)
            break;
        sim_run(call->sim, POLL_US);
    }
    return server->up && client->up && !server->down && !client->down;
}

/* A connected peer under everything that the other side, and strangers, may send, and that its
 * owner may ask of it. The input is a list of steps; packets are made with the other side's keys,
 * so that what lies behind the authentication is reached, or sent as they are. */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "ice/cand.h"
#include "peer/peer_impl.h"
#include "peer/stats.h"
#include "rtp/rtp.h"
#include "sim/call.h"
#include "stun/stun.h"

enum { STEPS_MAX = 100, PLAIN_MAX = 400, MEMORY_MAX = 64 << 20 };

static struct sim_identity identities[SIM_SIDES];
static struct sim_call call;
static uint16_t in_seq;
static int64_t out_seq;

static struct sim_peer *server(void)
{
    return sim_server(&call);
}

static void on_rtp(void *arg, int mline, struct tr_pkt *pkt)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    (void)arg;
    TR_ASSERT(mline >= 0 && mline < server()->peer->tracks_count);
    TR_ASSERT(pkt->len <= TR_PKT_DATA_MAX && pkt->off + pkt->len <= TR_PKT_BYTES);
    TR_ASSERT(m->layer < TR_TRACK_LAYERS);
}

/* --- steps --- */

static void raw_datagram(struct tr_rd *in, const struct tr_path *path)
{
    struct tr_slice bytes = tr_rd_take(in, tr_rd_u8(in));
    sim_peer_receive(server(), path, bytes);
}

static const uint32_t ssrcs[] = { SIM_SSRC_CLIENT,
                                  SIM_SSRC_CLIENT + 10,
                                  SIM_SSRC_CLIENT + 11,
                                  SIM_SSRC_SERVER,
                                  SIM_SSRC_SERVER + 10,
                                  1,
                                  2,
                                  3 };
static const uint8_t pts[] = { SIM_PT_AUDIO, SIM_PT_VIDEO, SIM_PT_RTX, 0 };

static void protected_rtp(struct tr_rd *in)
{
    uint8_t plain[PLAIN_MAX];
    struct tr_wr w = tr_wr(plain, sizeof plain);
    uint8_t what = tr_rd_u8(in), jump = tr_rd_u8(in), flags = tr_rd_u8(in);
    struct tr_slice ext = tr_rd_take(in, (flags & 3) * 4u);
    struct tr_slice payload = tr_rd_take(in, tr_rd_u8(in));
    in_seq = (uint16_t)(in_seq + (jump < 128 ? jump & 7 : jump * 97));
    tr_rtp_put(&w, flags & 4, pts[what & 3], in_seq, in_seq * 3000u, ssrcs[what >> 2 & 7],
               ext.n > 0);
    plain[0] |= flags & 8 ? 0x20 : 0;
    if (ext.n > 0) {
        tr_wr_u16(&w, flags & 16 ? 0x1000 : 0xbede);
        tr_wr_u16(&w, (uint16_t)(ext.n / 4));
        tr_wr_bytes(&w, ext.p, ext.n);
    }
    tr_wr_bytes(&w, payload.p, payload.n);
    (void)!sim_peer_send_rtp(sim_client(&call), tr_wr_slice(&w));
}

static void protected_rtcp(struct tr_rd *in)
{
    uint8_t plain[PLAIN_MAX];
    struct tr_wr w = tr_wr(plain, sizeof plain);
    uint8_t what = tr_rd_u8(in);
    struct tr_slice body = tr_rd_take(in, (tr_rd_u8(in) & 63) * 4u);
    tr_wr_u8(&w, (uint8_t)(0x80 | (what & 0x1f)));
    tr_wr_u8(&w, (uint8_t)(200 + (what >> 5)));
    tr_wr_u16(&w, (uint16_t)(body.n / 4 + 2));
    tr_wr_u32(&w, ssrcs[what & 7]);
    tr_wr_u32(&w, ssrcs[3 + (what >> 7)]);
    tr_wr_bytes(&w, body.p, body.n);
    (void)!sim_peer_send_rtcp(sim_client(&call), tr_wr_slice(&w));
}

static void check_packet(struct tr_rd *in, const struct tr_path *path)
{
    uint8_t msg[300], flags = tr_rd_u8(in), txid[TR_STUN_TXID] = { flags };
    char name[80];
    struct tr_wr w = tr_wr(msg, sizeof msg);
    snprintf(name, sizeof name, "%s:%s", server()->ufrag, sim_client(&call)->ufrag);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str(name));
    if (flags & 1)
        tr_stun_put_u32(&w, TR_STUN_PRIORITY, tr_rd_u32(in));
    tr_stun_put_u64(&w, flags & 2 ? TR_STUN_ICE_CONTROLLED : TR_STUN_ICE_CONTROLLING, 1);
    if (flags & 4)
        tr_stun_put(&w, TR_STUN_USE_CANDIDATE, tr_slice(NULL, 0));
    if (flags & 8)
        tr_stun_put(&w, tr_rd_u16(in), tr_rd_take(in, tr_rd_u8(in) & 31));
    tr_stun_put_integrity(&w, tr_slice_str(flags & 16 ? "wrong" : server()->pwd), flags & 32);
    tr_stun_put_fingerprint(&w);
    sim_peer_receive(server(), path, tr_stun_end(&w));
}

static void new_tracks(struct tr_rd *in)
{
    struct sim_side *s = &call.sides[SIM_SERVER];
    uint8_t flags = tr_rd_u8(in), more = tr_rd_u8(in);
    struct tr_track_conf *t = &s->tracks[flags & 1];
    t->used = flags & 2 || flags & 4;
    t->recv = flags & 8;
    t->send = flags & 16;
    t->fb_nack = flags & 32;
    t->rtx_pt = flags & 64 ? SIM_PT_RTX : 0;
    t->fb_transport_cc = flags & 128;
    t->layers_count = 1 + more % 3;
    for (int i = 0; i < t->layers_count; i++) {
        t->layers[i].ssrc = ssrcs[((more >> 2) + i) & 7];
        t->layers[i].rtx_ssrc = more & 32 ? ssrcs[((more >> 3) + i) & 7] : 0;
        t->layers[i].rid[0] = more & 64 ? (char)('a' + i) : 0;
    }
    t->clock_rate = more & 128 ? 48000 : 90000;
    enum tr_err err = tr_peer_set_tracks(server()->peer, sim_now(call.sim), s->tracks, SIM_MLINES);
    TR_ASSERT(err == TR_OK || err == TR_ERR_LIMIT);
}

static void send_run(struct tr_rd *in)
{
    static uint8_t room[TR_PEER_RUN_MAX * TR_PEER_PACKET_MAX];
    struct tr_tx_item items[TR_PEER_RUN_MAX];
    struct tr_tx_msg msgs[TR_PEER_RUN_MAX];
    uint8_t flags = tr_rd_u8(in);
    int n = 1 + flags % 7, total = 0;
    for (int i = 0; i < n; i++) {
        struct tr_pkt *pkt = tr_pkt_alloc(server()->pool);
        TR_ASSERT(pkt);
        pkt->len = (uint16_t)(tr_rd_u8(in) * 6);
        memset(pkt->meta, 0, sizeof pkt->meta);
        memset(tr_pkt_data(pkt), flags, pkt->len);
        items[i] = (struct tr_tx_item){ .pkt = pkt, .ext_seq = out_seq++, .rewrite = flags & 8 };
        items[i].resend = flags & 16;
        if (items[i].resend)
            items[i].ext_seq -= 8;
    }
    struct tr_buf out = { .p = room, .n = (size_t)n * TR_PEER_PACKET_MAX };
    int count =
        tr_peer_send_run(server()->peer, sim_now(call.sim), flags >> 5, items, n, out, msgs);
    TR_ASSERT(count <= n);
    for (int i = 0; i < count; i++) {
        TR_ASSERT(msgs[i].p + msgs[i].len <= out.p + out.n && msgs[i].segment > 0);
        TR_ASSERT(msgs[i].len <= msgs[i].count * (uint32_t)msgs[i].segment);
        total += msgs[i].count;
    }
    TR_ASSERT(total <= n);
    for (int i = 0; i < n; i++)
        tr_pkt_unref(&items[i].pkt);
}

static void ask(struct tr_rd *in)
{
    struct tr_media_peer_stats stats;
    uint8_t what = tr_rd_u8(in);
    int mline = (what >> 2) % 5 - 1;
    switch (what & 3) {
    case 0: tr_peer_request_keyframe(server()->peer, mline, what >> 6); break;
    case 1: tr_peer_set_bitrate(server()->peer, tr_rd_u32(in)); break;
    case 2: (void)tr_peer_take_lost(server()->peer, mline, what & 128); break;
    default: tr_peer_stats(server()->peer, &stats); break;
    }
}

static void step(struct tr_rd *in, struct sim *sim)
{
    struct tr_path own = { .local = server()->addr, .remote = sim_client(&call)->addr };
    struct tr_path other = { .local = server()->addr, .remote = tr_addr_v4(203, 0, 113, 5, 9) };
    uint8_t what = tr_rd_u8(in);
    other.remote.port = (uint16_t)(1 + (what >> 4));
    switch (what % 12) {
    case 0: sim_run(sim, tr_rd_u8(in) * TR_MSEC); break;
    case 1: sim_run(sim, tr_rd_u8(in) * 40 * TR_MSEC); break;
    case 2: raw_datagram(in, &own); break;
    case 3: raw_datagram(in, &other); break;
    case 4:
    case 5: protected_rtp(in); break;
    case 6: protected_rtcp(in); break;
    case 7: check_packet(in, what & 64 ? &own : &other); break;
    case 8: new_tracks(in); break;
    case 9: send_run(in); break;
    case 10: ask(in); break;
    default:
        if (what & 128)
            sim_call_restart_ice(&call);
        else if (what & 64)
            tr_peer_close(server()->peer, sim_now(sim));
        break;
    }
    sim_peer_speak(server());
    sim_run(sim, TR_MSEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_rd in = tr_rd(tr_slice(data, size));
    sim_seed_openssl(1);
    if (!identities[0].ctx &&
        (sim_identity_init(&identities[0]) != TR_OK || sim_identity_init(&identities[1]) != TR_OK))
        return 0;
    in_seq = 0;
    out_seq = 0;
    size_t before = tr_mem_in_use();
    struct sim_call_conf conf = { .no_media = true, .unannounced = size & 1 };
    struct sim *sim = sim_create(1);
    enum tr_err err = sim_call_init(&call, sim, identities, &conf);
    TR_ASSERT(err == TR_OK);
    server()->hooks = (struct sim_peer_hooks){ .rtp = on_rtp };
    sim_client(&call)->hooks = (struct sim_peer_hooks){ 0 };
    TR_ASSERT(sim_call_connect(&call, 5 * TR_SECOND));
    for (int i = 0; i < STEPS_MAX && tr_rd_left(&in) > 0; i++)
        step(&in, sim);
    TR_ASSERT(tr_mem_in_use() < before + MEMORY_MAX);
    sim_call_deinit(&call);
    sim_destroy(sim);
    TR_ASSERT(tr_mem_in_use() == before);
    return 0;
}

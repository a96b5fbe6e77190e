/* Goal: what is sent arrives, whole and once, and what is lost comes again; reports and feedback
 * say what happened; streams are found by SSRC, MID and RID; nothing of it depends on luck.
 * Method: virtual time, simulated access link, many seeds. Replay one: test_peer_media seed=17 */
#include <stdlib.h>

#include "base/mem.h"
#include "payload/vp8.h"
#include "peer/peer_impl.h"
#include "peer/stats.h"
#include "rtp/rtp.h"
#include "sim/test_raw.h"

/* --- delivery --- */

TEST(media_flows_both_ways)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 100) {
        struct sim_call_conf conf = { .up = link_of(0, 25 * TR_MSEC),
                                      .down = link_of(0, 25 * TR_MSEC),
                                      .unannounced = seed % 2 };
        conf.up.reorder_ppm = 10000;
        conf.up.reorder_us = 4 * TR_MSEC;
        conf.up.duplicate_ppm = 5000;
        struct sim *sim = call_begin(seed, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        sim_run(sim, 5 * TR_SECOND);
        sim_call_stop_media(&call);
        sim_run(sim, TR_SECOND);
        for (int i = 0; i < SIM_SIDES; i++) {
            struct sim_side *to = &call.sides[i], *from = &call.sides[!i];
            for (int m = 0; m < SIM_MLINES; m++) {
                const struct sim_receiver *r = &to->receivers[m];
                CHECK_INT(r->corrupt, 0);
                CHECK_INT(r->duplicate, 0);
                CHECK_INT(sim_receiver_missing(r), 0);
                CHECK(r->packets + 60 >= from->senders[m].packets); /* less the very first */
                CHECK_INT(r->ts_back, 0);
                CHECK(r->delay_us < 100 * TR_MSEC);
                CHECK(r->gap_us < 100 * TR_MSEC);
            }
        }
        call_end(sim);
    }
    world_end();
}

static void check_repaired(const struct sim_receiver *r, uint64_t seed)
{
    uint64_t expected = (uint64_t)(r->last - r->first + 1);
    bool whole = (r->packets + 1) * 1000 >= expected * 999; /* of a short call one more may lack */
    CHECK(whole);
    CHECK(r->repaired > 0 || call.conf.no_rtx);
    CHECK_INT(r->corrupt, 0);
    CHECK_INT(r->duplicate, 0);
    if (!whole)
        unit_note("    seed %d: %d of %d", (int)seed, (int)r->packets, (int)expected);
}

/* 5 % loss each way, 100 ms round trip. */
TEST(losses_are_repaired)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 60) {
        struct sim_call_conf conf = { .up = link_of(5, 50 * TR_MSEC),
                                      .down = link_of(5, 50 * TR_MSEC),
                                      .no_rtx = seed % 3 == 2 };
        struct sim *sim = call_begin(seed, &conf);
        if (!CHECK(sim_call_connect(&call, 15 * TR_SECOND)))
            continue;
        sim_run(sim, 10 * TR_SECOND);
        sim_call_stop_media(&call);
        sim_run(sim, TR_SECOND);
        for (int i = 0; i < SIM_SIDES; i++) {
            check_repaired(&call.sides[i].receivers[SIM_VIDEO], seed);
            const struct sim_sender *s = &call.sides[i].senders[SIM_VIDEO];
            CHECK(s->resent < s->packets / 4); /* no storm: 5 % are lost, some twice */
        }
        call_end(sim);
    }
    world_end();
}

TEST(a_bottleneck_delays_and_drops_but_does_not_break)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 20) {
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC), .video_bps = 1500000 };
        conf.up.rate_bps = 1200000;
        conf.up.queue_bytes = 40000;
        struct sim *sim = call_begin(seed, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        sim_run(sim, 5 * TR_SECOND);
        CHECK(sim_stats(sim)->queue_full > 0);
        CHECK(server_side()->receivers[SIM_VIDEO].delay_us > 200 * TR_MSEC);
        CHECK_INT(server_side()->receivers[SIM_VIDEO].corrupt, 0);
        CHECK(!sim_server(&call)->down && !sim_client(&call)->down);
        call_end(sim);
    }
    world_end();
}

/* --- sending again without RTX --- */

static struct tr_pkt *payload_packet(struct tr_pkt_pool *pool)
{
    struct tr_pkt *pkt = tr_pkt_alloc(pool);
    struct sim_payload p = { .video = true, .keyframe = true, .start = true };
    *tr_rtp_meta(pkt) = (struct tr_rtp_meta){ .codec = TR_CODEC_VP8 };
    pkt->len = 200;
    sim_payload_write(&p, tr_pkt_data(pkt), pkt->len);
    return pkt;
}

static uint32_t send_one(struct tr_peer *peer, const struct tr_tx_item *item, uint8_t *out)
{
    struct tr_tx_msg msg = { 0 };
    struct tr_buf room = { .p = out, .n = TR_PEER_PACKET_MAX };
    int n = tr_peer_send_run(peer, sim_now(call.sim), SIM_VIDEO, item, 1, room, &msg);
    return n == 1 ? msg.len : 0;
}

/* One key and index may protect one packet only. */
TEST(without_rtx_the_same_bytes_or_none)
{
    uint8_t first[TR_PEER_PACKET_MAX], again[TR_PEER_PACKET_MAX];
    if (!world_begin())
        return;
    struct sim_call_conf conf = { .no_rtx = true, .no_media = true };
    struct sim *sim = call_begin(1, &conf);
    CHECK(sim_call_connect(&call, 5 * TR_SECOND));
    struct tr_peer *peer = sim_server(&call)->peer;
    struct tr_tx_item item = { .pkt = payload_packet(sim_server(&call)->pool),
                               .ext_seq = 100,
                               .ts = 77,
                               .picture_id = 5,
                               .rewrite = true,
                               .marker = true };
    uint32_t len = send_one(peer, &item, first);
    CHECK(len > 200);
    sim_run(sim, TR_SECOND);
    item.resend = true;
    CHECK_INT(send_one(peer, &item, again), len);
    CHECK(memcmp(first, again, len) == 0);
    item.resend = false; /* nor is it sent as a new one */
    CHECK_INT(send_one(peer, &item, again), 0);
    item.resend = true;
    item.ext_seq = 101; /* never sent */
    CHECK_INT(send_one(peer, &item, again), 0);
    /* The id of MID changes, and with it the packet: the old one is gone for good. */
    server_side()->tracks[SIM_VIDEO].ext_send.id[TR_EXT_MID] = 9;
    CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    item.ext_seq = 100;
    CHECK_INT(send_one(peer, &item, again), 0);
    item = (struct tr_tx_item){ .pkt = item.pkt, .ext_seq = 101, .ts = 78 };
    len = send_one(peer, &item, first);
    item.resend = true;
    CHECK_INT(send_one(peer, &item, again), len);
    CHECK(len > 0 && memcmp(first, again, len) == 0);
    tr_pkt_unref(&item.pkt);
    call_end(sim);
    world_end();
}

TEST(with_rtx_a_new_packet_each_time)
{
    uint8_t first[TR_PEER_PACKET_MAX], again[TR_PEER_PACKET_MAX];
    struct tr_rtp rtp;
    if (!world_begin())
        return;
    struct sim_call_conf conf = { .no_media = true };
    struct sim *sim = call_begin(1, &conf);
    CHECK(sim_call_connect(&call, 5 * TR_SECOND));
    struct tr_peer *peer = sim_server(&call)->peer;
    struct tr_tx_item item = { .pkt = payload_packet(sim_server(&call)->pool), .ext_seq = 100 };
    CHECK(send_one(peer, &item, first) > 0);
    item.resend = true;
    uint32_t len = send_one(peer, &item, first);
    CHECK(tr_rtp_parse(&rtp, tr_slice(first, len)) == TR_OK && rtp.pt == SIM_PT_RTX);
    uint16_t seq = rtp.seq;
    len = send_one(peer, &item, again);
    CHECK(tr_rtp_parse(&rtp, tr_slice(again, len)) == TR_OK);
    CHECK_INT(rtp.seq, (uint16_t)(seq + 1));
    CHECK_INT(rtp.ssrc, SIM_SSRC_SERVER + 11);
    tr_pkt_unref(&item.pkt);
    call_end(sim);
    world_end();
}

/* A packet that no datagram can hold is left out; its neighbours go. */
TEST(a_packet_too_long_does_not_stop_the_run)
{
    static uint8_t out[3 * TR_PEER_PACKET_MAX];
    struct tr_tx_msg msgs[3];
    struct tr_tx_item items[3];
    if (!world_begin())
        return;
    struct sim_call_conf conf = { .no_media = true };
    struct sim *sim = call_begin(1, &conf);
    CHECK(sim_call_connect(&call, 5 * TR_SECOND));
    for (int i = 0; i < 3; i++)
        items[i] =
            (struct tr_tx_item){ .pkt = payload_packet(sim_server(&call)->pool), .ext_seq = i };
    items[1].pkt->len = TR_PKT_DATA_MAX;
    int n = tr_peer_send_run(sim_server(&call)->peer, sim_now(sim), SIM_VIDEO, items, 3,
                             (struct tr_buf){ out, sizeof out }, msgs);
    CHECK_INT(n, 2);
    CHECK_INT(msgs[0].count + msgs[1].count, 2);
    for (int i = 0; i < 3; i++)
        tr_pkt_unref(&items[i].pkt);
    call_end(sim);
    world_end();
}

/* --- feedback --- */

TEST(requests_for_key_frames_arrive)
{
    if (!world_begin())
        return;
    for (int fir = 0; fir < 2; fir++) {
        struct sim_call_conf conf = { .up = link_of(0, 30 * TR_MSEC) };
        struct sim *sim = call_begin((uint64_t)fir, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        client_side()->tracks[SIM_VIDEO].fb_pli = server_side()->tracks[SIM_VIDEO].fb_pli = !fir;
        CHECK_INT(sim_call_set_tracks(&call), TR_OK);
        sim_run(sim, TR_SECOND);
        for (int i = 0; i < 3; i++) {
            uint64_t keyframes = server_side()->receivers[SIM_VIDEO].keyframes;
            tr_peer_request_keyframe(sim_server(&call)->peer, SIM_VIDEO, 0);
            sim_peer_speak(sim_server(&call));
            sim_run(sim, 150 * TR_MSEC);
            CHECK_INT(server_side()->receivers[SIM_VIDEO].keyframes, keyframes + 1);
        }
        CHECK_INT(sim_client(&call)->keyframes, 3);
        CHECK_INT(stats_of(sim_server(&call)).tracks[SIM_VIDEO].layers[0].plis, 3);
        CHECK_INT(stats_of(sim_client(&call)).tracks[SIM_VIDEO].out_plis, 3);
        tr_peer_request_keyframe(sim_server(&call)->peer, 7, 0); /* no such track, layer */
        tr_peer_request_keyframe(sim_server(&call)->peer, SIM_VIDEO, 2);
        tr_peer_request_keyframe(sim_server(&call)->peer, -1, -1);
        call_end(sim);
    }
    world_end();
}

TEST(loss_for_good_asks_for_a_key_frame)
{
    if (!world_begin())
        return;
    struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC) };
    struct sim_link dead = { .loss_ppm = 1000000 }, up = conf.up;
    struct sim *sim = call_begin(1, &conf);
    CHECK(sim_call_connect(&call, 5 * TR_SECOND));
    sim_run(sim, TR_SECOND);
    uint64_t keyframes = server_side()->receivers[SIM_VIDEO].keyframes;
    sim_endpoint_links(sim_client(&call)->endpoint, &dead, &conf.down);
    sim_run(sim, 3 * TR_SECOND / 2);
    sim_endpoint_links(sim_client(&call)->endpoint, &up, &conf.down);
    sim_run(sim, 3 * TR_SECOND);
    CHECK(sim_server(&call)->keyframes_needed > 0 ||
          sim_receiver_missing(&server_side()->receivers[SIM_VIDEO]) == 0);
    CHECK(server_side()->receivers[SIM_VIDEO].keyframes > keyframes ||
          sim_receiver_missing(&server_side()->receivers[SIM_VIDEO]) == 0);
    call_end(sim);
    world_end();
}

TEST(reports_tell_the_truth)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 20) {
        tr_usec delay = (tr_usec)(10 + seed * 7) * TR_MSEC;
        struct sim_call_conf conf = { 0 };
        conf.up.delay_us = conf.down.delay_us = delay;
        conf.up.loss_ppm = 20000;
        struct sim *sim = call_begin(seed, &conf);
        CHECK(sim_call_connect(&call, 10 * TR_SECOND));
        tr_peer_set_bitrate(sim_server(&call)->peer, 700000);
        sim_peer_speak(sim_server(&call));
        sim_run(sim, 20 * TR_SECOND);
        for (int i = 0; i < SIM_SIDES; i++) {
            struct tr_media_peer_stats s = stats_of(&call.sides[i].peer);
            const struct sim_side *to = &call.sides[!i];
            for (int m = 0; m < SIM_MLINES; m++) {
                const struct tr_stats_track *t = &s.tracks[m];
                CHECK(t->rtt_us > 2 * delay - TR_MSEC && t->rtt_us < 2 * delay + 2 * TR_MSEC);
                /* The clock in the other side's sender reports is this side's. */
                const struct tr_sr *sr = &to->last_sr[m];
                int64_t sent = tr_ntp_to_unix_us(sr->ntp) - SIM_WALL_OFFSET;
                CHECK(sr->valid && sr->at - sent >= delay && sr->at - sent < delay + TR_MSEC);
                const struct sim_sender *out = &call.sides[i].senders[m];
                uint32_t clock = m == SIM_VIDEO ? 90000 : 48000;
                int64_t ticks = (int64_t)(sent - out->next_us) * clock / TR_SECOND;
                CHECK(abs((int32_t)(sr->rtp - out->ts) - (int32_t)ticks) < (int32_t)clock / 250);
            }
        }
        struct tr_media_peer_stats c = stats_of(sim_client(&call));
        uint64_t sent = client_side()->senders[SIM_AUDIO].packets;
        CHECK(c.tracks[SIM_AUDIO].remote_lost > sent / 200 &&
              c.tracks[SIM_AUDIO].remote_lost < sent / 20);
        CHECK_INT(c.remb_bps / 1000, 700);
        CHECK(c.tracks[SIM_VIDEO].out_bitrate_bps > 800000 &&
              c.tracks[SIM_VIDEO].out_bitrate_bps < 1300000);
        CHECK(tr_peer_take_lost(sim_server(&call)->peer, SIM_AUDIO, true) > 0);
        CHECK_INT(tr_peer_take_lost(sim_server(&call)->peer, SIM_AUDIO, true), 0);
        call_end(sim);
    }
    world_end();
}

/* --- packets of another make --- */

TEST(simulcast_layers_are_learnt_by_rid)
{
    static const char *const rids[] = { "l", "m", "h" };
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    simulcast(true);
    for (int i = 0; i < 3; i++) {
        struct raw r = { .ssrc = 100 + (uint32_t)i, .seq = 65530, .pt = SIM_PT_VIDEO };
        send_many(r, 1); /* says nothing of its layer: nobody's */
        r.mid = "v";
        r.rid = rids[i];
        r.seq++;
        send_many(r, 2);
        r.mid = r.rid = NULL;          /* known from now on */
        r.seq = (uint16_t)(r.seq + 3); /* one is missing */
        send_many(r, 8);
        struct raw x = { .ssrc = 200 + (uint32_t)i, .seq = 9, .pt = SIM_PT_RTX, .mid = "v" };
        x.rrid = rids[i];
        x.osn = (uint16_t)(r.seq - 1);
        send_many(x, 1);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(layer_packets(i), 11);
        CHECK_INT(stats_of(sim_server(&call)).tracks[SIM_VIDEO].layers[i].rtx_packets, 1);
        CHECK_INT(stats_of(sim_server(&call)).tracks[SIM_VIDEO].layers[i].ssrc, 100 + i);
    }
    CHECK_INT(stats_of(sim_server(&call)).drops[TR_DROP_RTP_UNKNOWN_SSRC], 3);
    send_many((struct raw){ .ssrc = 999, .pt = SIM_PT_VIDEO, .mid = "v", .rid = "x" }, 1);
    CHECK_INT(stats_of(sim_server(&call)).drops[TR_DROP_RTP_UNKNOWN_SSRC], 4);
    call_end(sim);
    world_end();
}

TEST(simulcast_layers_by_ssrc)
{
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    simulcast(false);
    for (int i = 0; i < 3; i++) {
        struct raw r = { .ssrc = 100 + (uint32_t)i, .seq = 1, .pt = SIM_PT_VIDEO };
        send_many(r, 5);
        struct raw x = { .ssrc = 200 + (uint32_t)i, .seq = 9, .pt = SIM_PT_RTX, .osn = 3 };
        send_many(x, 1); /* it was not missing */
        CHECK_INT(layer_packets(i), 5);
    }
    send_many((struct raw){ .ssrc = 300, .seq = 1, .pt = SIM_PT_VIDEO }, 2);
    CHECK_INT(layer_packets(0) + layer_packets(1) + layer_packets(2), 15);
    call_end(sim);
    world_end();
}

TEST(a_new_ssrc_takes_over)
{
    struct sim_call_conf conf = { .no_media = true, .unannounced = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    struct sim_receiver *got = &server_side()->receivers[SIM_VIDEO];
    send_many((struct raw){ .ssrc = 1, .seq = 60000, .pt = SIM_PT_VIDEO, .mid = "v" }, 10);
    send_many((struct raw){ .ssrc = 3, .seq = 9, .pt = SIM_PT_RTX, .mid = "v", .osn = 60009 }, 1);
    CHECK_INT(got->packets, 10);
    sim_run(sim, TR_SECOND);
    send_many((struct raw){ .ssrc = 2, .seq = 5, .pt = SIM_PT_VIDEO, .mid = "v" }, 10);
    CHECK_INT(got->ssrc_changes, 1);
    CHECK_INT(got->packets, 10);
    CHECK_INT(got->corrupt, 0);
    CHECK_INT(sim_server(&call)->peer->streams_count, 2);
    sim_run(sim, TR_SECOND);
    /* One m-line: the payload type alone says which. A MID of none is nobody's. */
    send_many((struct raw){ .ssrc = 4, .seq = 5, .pt = SIM_PT_VIDEO }, 3);
    CHECK_INT(got->ssrc_changes, 2);
    send_many((struct raw){ .ssrc = 5, .seq = 5, .pt = SIM_PT_VIDEO, .mid = "z" }, 3);
    CHECK_INT(got->ssrc_changes, 2);
    CHECK_INT(stats_of(sim_server(&call)).drops[TR_DROP_RTP_UNKNOWN_SSRC], 3);
    call_end(sim);
    world_end();
}

TEST(a_retransmission_before_its_stream_is_left)
{
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    struct sim_receiver *got = &server_side()->receivers[SIM_VIDEO];
    uint32_t ssrc = SIM_SSRC_CLIENT + 10;
    send_many((struct raw){ .ssrc = ssrc + 1, .seq = 9, .pt = SIM_PT_RTX, .osn = 40000 }, 1);
    CHECK_INT(got->packets, 0);
    send_many((struct raw){ .ssrc = ssrc, .seq = 40001, .pt = SIM_PT_VIDEO }, 3);
    send_many((struct raw){ .ssrc = ssrc + 1, .seq = 10, .pt = SIM_PT_RTX, .osn = 40000 }, 1);
    CHECK_INT(got->packets, 4);
    CHECK_INT(got->first, 40000);
    call_end(sim);
    world_end();
}

TEST(padding_keeps_its_place)
{
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    struct sim_receiver *got = &server_side()->receivers[SIM_VIDEO];
    struct raw r = { .ssrc = SIM_SSRC_CLIENT + 10, .seq = 10, .pt = SIM_PT_VIDEO };
    send_many(r, 5);
    r.seq = 15;
    r.padding = 200;
    send_many(r, 5);
    r.seq = 20;
    r.padding = 0;
    send_many(r, 5);
    sim_run(sim, 200 * TR_MSEC);
    CHECK_INT(got->packets, 15);
    CHECK_INT(got->padding, 5);
    CHECK_INT(sim_receiver_missing(got), 0);
    CHECK_INT(sim_client(&call)->nacks, 0);
    call_end(sim);
    world_end();
}

/* --- transport-cc --- */

struct feedback {
    int received[64], lost;
    int64_t at[64];
    bool broken;
};

static void on_rtcp(void *arg, struct tr_slice plain)
{
    struct feedback *f = arg;
    struct tr_rd it;
    struct tr_rtcp_pkt pkt;
    struct tr_rtcp_fb fb;
    struct tr_twcc_fb head;
    struct tr_twcc_item items[256];
    f->broken |= tr_rtcp_iter_init(&it, plain) != TR_OK;
    while (!f->broken && tr_rtcp_next(&it, &pkt)) {
        if (pkt.type != TR_RTCP_RTPFB || pkt.count != TR_RTPFB_TWCC)
            continue;
        if (tr_rtcp_fb(&pkt, &fb) != TR_OK || tr_twcc_read(&fb, &head, items, 256) != TR_OK) {
            f->broken = true;
            return;
        }
        f->broken |= fb.media != SIM_SSRC_CLIENT + 10;
        for (uint32_t i = 0; i < head.count; i++) {
            uint16_t n = (uint16_t)(items[i].seq - 65500);
            if (n >= 64)
                f->broken = true;
            else if (items[i].received)
                f->received[n]++, f->at[n] = items[i].at_us;
            else
                f->lost++;
        }
    }
}

TEST(transport_feedback_reaches_the_sender)
{
    struct sim_call_conf conf = { .no_media = true };
    struct feedback f = { 0 };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    sim_client(&call)->hooks.rtcp = on_rtcp;
    sim_client(&call)->hooks.arg = &f;
    struct raw r = { .ssrc = SIM_SSRC_CLIENT + 10, .seq = 1, .pt = SIM_PT_VIDEO, .has_twcc = true };
    for (uint16_t i = 0; i < 60; i++, r.seq++) {
        if (i == 30)
            continue; /* never sent */
        r.twcc = (uint16_t)(65500 + i);
        CHECK_INT(send_raw(&r), TR_OK);
        sim_run(sim, 3 * TR_MSEC);
    }
    sim_run(sim, 300 * TR_MSEC);
    CHECK(!f.broken);
    for (int i = 0; i < 60; i++)
        CHECK_INT(f.received[i], i != 30);
    CHECK_INT(f.lost, 1);
    for (int i = 1; i < 30; i++)
        CHECK(llabs(f.at[i] - f.at[i - 1] - 4 * TR_MSEC) <= 250);
    call_end(sim);
    world_end();
}

/* --- many tracks, many renegotiations --- */

enum { MANY_TRACKS = 32 }; /* with their RTX as many SSRCs as the client takes */

static void many_tracks(struct tr_track_conf *tracks, int n, bool server)
{
    for (int i = 0; i < n; i++) {
        struct tr_track_conf *t = &tracks[i];
        *t = server_side()->tracks[SIM_VIDEO];
        if (!server)
            *t = client_side()->tracks[SIM_VIDEO];
        snprintf(t->mid, sizeof t->mid, "%d", i);
        uint32_t out = (server ? 9000u : 7000u) + (uint32_t)i * 2;
        uint32_t in = (server ? 7000u : 9000u) + (uint32_t)i * 2;
        t->out_ssrc = out;
        t->out_rtx_ssrc = out + 1;
        t->layers[0].ssrc = in;
        t->layers[0].rtx_ssrc = in + 1;
    }
}

/* Reports of all tracks do not fit one packet. */
TEST(every_track_is_reported)
{
    static struct tr_track_conf tracks[SIM_SIDES][MANY_TRACKS];
    static struct sim_sender senders[MANY_TRACKS];
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    for (int i = 0; i < SIM_SIDES; i++) {
        many_tracks(tracks[i], MANY_TRACKS, i == SIM_SERVER);
        CHECK_INT(tr_peer_set_tracks(call.sides[i].peer.peer, sim_now(sim), tracks[i], MANY_TRACKS),
                  TR_OK);
    }
    struct sim_peer *server = sim_server(&call);
    for (int i = 0; i < MANY_TRACKS; i++) {
        struct sim_sender_conf s = { .peer = server->peer, .mline = i, .video = true };
        s.bitrate_bps = 100000;
        s.pool = server->pool;
        s.send = sim_peer_send;
        s.arg = server;
        sim_sender_init(&senders[i], &s, sim_now(sim));
    }
    sim_client(&call)->hooks = (struct sim_peer_hooks){ 0 };
    for (int n = 0; n < 300; n++) {
        for (int i = 0; i < MANY_TRACKS; i++)
            sim_sender_run(&senders[i], sim_now(sim));
        sim_run(sim, 10 * TR_MSEC);
    }
    CHECK(sim_client(&call)->reports >= 2 * MANY_TRACKS);
    struct tr_media_peer_stats s = stats_of(server);
    for (int i = 0; i < MANY_TRACKS; i++)
        CHECK(s.tracks[i].rtt_us > 0);
    CHECK(s.remb_bps > 0);
    for (int i = 0; i < MANY_TRACKS; i++)
        sim_sender_deinit(&senders[i]);
    call_end(sim);
    world_end();
}

/* More streams than a peer takes, and no transport-cc any more: m-lines that were not reached still
 * have a place for its numbers in their packets. */
TEST(tracks_that_are_too_many_end_the_peer)
{
    static struct tr_track_conf tracks[MANY_TRACKS];
    static struct sim_sender sender;
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    struct sim_peer *server = sim_server(&call);
    many_tracks(tracks, MANY_TRACKS, true);
    CHECK_INT(tr_peer_set_tracks(server->peer, sim_now(sim), tracks, MANY_TRACKS), TR_OK);
    for (int i = 0; i < MANY_TRACKS; i++) {
        tracks[i].fb_transport_cc = false;
        tracks[i].layers_count = TR_TRACK_LAYERS;
        for (uint32_t l = 0; l < TR_TRACK_LAYERS; l++)
            tracks[i].layers[l].ssrc = 20000 + (uint32_t)i * TR_TRACK_LAYERS + l;
    }
    CHECK_INT(tr_peer_set_tracks(server->peer, sim_now(sim), tracks, MANY_TRACKS), TR_ERR_LIMIT);
    struct sim_sender_conf s = { .peer = server->peer, .mline = MANY_TRACKS - 1, .video = true };
    s.bitrate_bps = 100000;
    s.pool = server->pool;
    s.send = sim_peer_send;
    s.arg = server;
    sim_sender_init(&sender, &s, sim_now(sim));
    for (int n = 0; n < 10; n++) {
        sim_sender_run(&sender, sim_now(sim));
        sim_run(sim, 10 * TR_MSEC);
    }
    CHECK(!tr_peer_can_send(server->peer, MANY_TRACKS - 1));
    sim_sender_deinit(&sender);
    call_end(sim);
    world_end();
}

TEST(renegotiation_neither_grows_nor_wears_out)
{
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    struct tr_track_conf *t = &server_side()->tracks[SIM_VIDEO];
    size_t memory = 0;
    for (int i = 0; i < 1000; i++) {
        t->recv = i % 2 == 0;
        t->layers[0].ssrc = 50000 + (uint32_t)i;
        CHECK_INT(sim_call_set_tracks(&call), TR_OK);
        if (i == 10)
            memory = tr_mem_in_use();
    }
    CHECK_INT(tr_mem_in_use(), memory);
    t->recv = true;
    t->layers[0].ssrc = 77;
    CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    send_many((struct raw){ .ssrc = 77, .seq = 1, .pt = SIM_PT_VIDEO }, 3);
    send_many((struct raw){ .ssrc = 77, .seq = 5, .pt = SIM_PT_VIDEO }, 3);
    sim_run(sim, 100 * TR_MSEC);
    CHECK(sim_client(&call)->nacks == 0); /* of 77 it knows nothing */
    CHECK(stats_of(sim_server(&call)).tracks[SIM_VIDEO].layers[0].nacks > 0);
    call_end(sim);
    world_end();
}

TEST(renegotiation_keeps_what_did_not_change)
{
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    uint32_t ssrc = SIM_SSRC_CLIENT + 10;
    send_many((struct raw){ .ssrc = ssrc, .seq = 65534, .pt = SIM_PT_VIDEO }, 4);
    CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    send_many((struct raw){ .ssrc = ssrc, .seq = 2, .pt = SIM_PT_VIDEO }, 4);
    CHECK_INT(layer_packets(0), 8);
    CHECK_INT(server_side()->receivers[SIM_VIDEO].packets, 8);
    /* The SSRC now belongs to the other m-line. */
    server_side()->tracks[SIM_AUDIO].layers[0].ssrc = ssrc;
    server_side()->tracks[SIM_VIDEO].layers[0].ssrc = 4;
    CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    CHECK_INT(
        sim_server(&call)->peer->streams[peer_stream_find(sim_server(&call)->peer, ssrc)].mline,
        SIM_AUDIO);
    call_end(sim);
    world_end();
}

TEST_OOM(set_tracks)
{
    struct sim_call_conf conf = { .no_media = true };
    struct sim_identity id[SIM_SIDES] = { 0 };
    struct tr_track_conf tracks[4];
    sim_seed_openssl(1);
    struct sim *sim = sim_create(1);
    enum tr_err err = sim ? sim_identity_init(&id[0]) : TR_ERR_NOMEM;
    if (err == TR_OK)
        err = sim_identity_init(&id[1]);
    if (err == TR_OK)
        err = sim_call_init(&call, sim, id, &conf);
    if (err == TR_OK) {
        many_tracks(tracks, 4, true);
        err = tr_peer_set_tracks(sim_server(&call)->peer, sim_now(sim), tracks, 4);
        sim_call_deinit(&call);
    }
    for (int i = 0; i < SIM_SIDES; i++)
        sim_identity_deinit(&id[i]);
    sim_destroy(sim);
    return err;
}

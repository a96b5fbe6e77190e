/* Goal: whatever a client sends that has the keys, its streams stay within their bounds, what is
 * wrong is counted, and what is right beside it arrives whole.
 * Method: virtual time; audio of the client is the innocent, its video the liar: packets and
 * feedback that no browser sends, written byte by byte. */
#include "peer/peer_impl.h"
#include "rtp/rtcp.h"
#include "sim/test_raw.h"

enum { AUDIO_PRIMARY = SIM_SSRC_CLIENT, VIDEO_PRIMARY = SIM_SSRC_CLIENT + 10 };

static struct sim *hostile_begin(const struct sim_call_conf *conf)
{
    struct sim *sim = raw_begin(conf);
    client_side()->senders[SIM_VIDEO].next_us = TR_NEVER;
    sim_run(sim, TR_SECOND); /* what came first may be replaced from now on */
    return sim;
}

/* The call still stands and its audio has lost nothing. */
static void check_innocent(void)
{
    const struct sim_receiver *r = &server_side()->receivers[SIM_AUDIO];
    CHECK(!sim_server(&call)->down);
    CHECK_INT(r->corrupt, 0);
    CHECK_INT(sim_receiver_missing(r), 0);
    CHECK(r->packets + 3 >= client_side()->senders[SIM_AUDIO].packets);
    CHECK(sim_server(&call)->peer->streams_count <= 2 * SIM_MLINES + 2);
}

static void hostile_end(struct sim *sim)
{
    sim_run(sim, TR_SECOND);
    check_innocent();
    call_end(sim);
    world_end();
}

static uint64_t dropped(enum tr_drop why)
{
    return stats_of(sim_server(&call)).drops[why];
}

/* --- who is who --- */

/* Video under the SSRC of audio, plain and with the MID of video: it stays audio's, where its
 * payload type is unknown. */
TEST(an_ssrc_belongs_to_one_m_line)
{
    struct sim_call_conf conf = { 0 };
    if (!world_begin())
        return;
    struct sim *sim = hostile_begin(&conf);
    uint64_t before = server_side()->receivers[SIM_VIDEO].packets;
    int streams = sim_server(&call)->peer->streams_count;
    struct raw r = { .ssrc = AUDIO_PRIMARY, .seq = 30000, .pt = SIM_PT_VIDEO, .mid = "v" };
    for (int i = 0; i < 50; i++)
        (void)!send_raw(&r);
    CHECK_INT(server_side()->receivers[SIM_VIDEO].packets, before);
    CHECK(dropped(TR_DROP_RTP_UNKNOWN_PT) > 0);
    CHECK_INT(sim_server(&call)->peer->streams_count, streams);
    CHECK(!sim_server(&call)->down);
    call_end(sim);
    world_end();
}

/* In SDP: retransmissions under the SSRC of what they repair, and two m-lines with one. */
TEST(ssrcs_that_collide_in_sdp)
{
    struct sim_call_conf conf = { .no_media = true };
    if (!world_begin())
        return;
    struct sim *sim = raw_begin(&conf);
    struct tr_track_conf *video = &server_side()->tracks[SIM_VIDEO];
    video->layers[0].rtx_ssrc = video->layers[0].ssrc;
    for (int i = 0; i < 3; i++) /* each description again */
        CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    struct raw r = { .ssrc = VIDEO_PRIMARY, .seq = 10, .pt = SIM_PT_VIDEO };
    send_many(r, 5);
    r.pt = SIM_PT_RTX;
    r.seq += 5;
    send_many(r, 5);
    CHECK_INT(server_side()->receivers[SIM_VIDEO].packets, 5);
    video->layers[0].ssrc = video->layers[0].rtx_ssrc = AUDIO_PRIMARY;
    for (int i = 0; i < 3; i++)
        CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    CHECK(sim_server(&call)->peer->streams_count <= 3);
    CHECK(!sim_server(&call)->down);
    call_end(sim);
    world_end();
}

TEST(mids_and_rids_of_nobody)
{
    struct sim_call_conf conf = { .unannounced = true };
    if (!world_begin())
        return;
    struct sim *sim = hostile_begin(&conf);
    simulcast(true);
    int streams = sim_server(&call)->peer->streams_count;
    uint64_t before = dropped(TR_DROP_RTP_UNKNOWN_SSRC);
    static const struct raw lies[] = {
        { .pt = SIM_PT_VIDEO, .mid = "z", .rid = "l" },
        { .pt = SIM_PT_VIDEO, .mid = "v", .rid = "x" },
        { .pt = SIM_PT_VIDEO, .mid = "v" },
        { .pt = SIM_PT_VIDEO, .mid = "a" },
        { .pt = 100, .mid = "v", .rid = "l" },
        { .pt = SIM_PT_VIDEO, .rid = "lll" },
    };
    enum { LIES = sizeof lies / sizeof lies[0], TIMES = 100 };
    for (unsigned i = 0; i < LIES * TIMES; i++) {
        struct raw r = lies[i % LIES];
        r.ssrc = 7000 + i;
        send_many(r, 1);
    }
    CHECK_INT(dropped(TR_DROP_RTP_UNKNOWN_SSRC) - before, LIES * TIMES);
    CHECK_INT(sim_server(&call)->peer->streams_count, streams);
    hostile_end(sim);
}

/* Two streams and then very many that all claim to be layer "l": it begins anew twice a second at
 * most, and the table does not grow. */
TEST(streams_that_fight_for_a_layer)
{
    struct sim_call_conf conf = { .unannounced = true };
    if (!world_begin())
        return;
    struct sim *sim = hostile_begin(&conf);
    struct sim_receiver *got = &server_side()->receivers[SIM_VIDEO];
    simulcast(true);
    uint64_t changes = got->ssrc_changes;
    for (unsigned i = 0; i < 2000; i++) {
        struct raw r = { .ssrc = 100 + i % 2, .seq = (uint16_t)i, .pt = SIM_PT_VIDEO };
        r.mid = "v";
        r.rid = "l";
        send_many(r, 1);
    }
    CHECK(got->ssrc_changes - changes <= 5);
    uint64_t unknown = dropped(TR_DROP_RTP_UNKNOWN_SSRC);
    CHECK(unknown >= 900);
    for (unsigned i = 0; i < 900; i++)
        send_many((struct raw){ .ssrc = 9000 + i, .pt = SIM_PT_VIDEO, .mid = "v", .rid = "l" }, 1);
    CHECK(got->ssrc_changes - changes <= 10);
    CHECK(dropped(TR_DROP_RTP_UNKNOWN_SSRC) - unknown >= 890);
    hostile_end(sim);
}

/* The RID counts when the stream is learnt. */
TEST(a_rid_that_changes_in_mid_stream)
{
    struct sim_call_conf conf = { .unannounced = true };
    if (!world_begin())
        return;
    struct sim *sim = hostile_begin(&conf);
    static const char *const rids[] = { "l", "m", "h", "x" };
    simulcast(true);
    for (unsigned i = 0; i < 40; i++) {
        struct raw r = { .ssrc = 100, .seq = (uint16_t)i, .pt = SIM_PT_VIDEO, .mid = "v" };
        r.rid = rids[i % 4];
        send_many(r, 1);
    }
    CHECK_INT(layer_packets(0), 40);
    CHECK_INT(layer_packets(1) + layer_packets(2), 0);
    hostile_end(sim);
}

/* --- header extensions --- */

TEST(header_extensions_are_a_hint)
{
    static const uint8_t garbage[][16] = {
        { 0x1f, 'v' },                         /* longer than all that follows */
        { 0x10, 'v', 0x20, 0x30, 0x40, 0x50 }, /* elements of the wrong size */
        { 0xff, 0xff, 0xff, 0xff },            /* id 15 ends it */
        { 0x00, 0x00, 0x00, 0x1f },            /* at the end */
        { 0xe3, 1, 2, 3, 0xd0, 9, 0xc0, 9 },   /* ids that are not negotiated */
        { 1, 0, 4, 255, 5, 200 },              /* two-byte form: empty, and too long */
        { 60, 5, 0, 0, 0 },                    /* a truncated something */
    };
    static const uint16_t profiles[] = { 0xbede, 0x1000, 0x100f, 0x0000, 0xffff };
    enum { FORMS = sizeof garbage / sizeof garbage[0] * 5 };
    struct sim_call_conf conf = { 0 };
    if (!world_begin())
        return;
    struct sim *sim = hostile_begin(&conf);
    uint64_t before = layer_packets(0);
    uint16_t seq = (uint16_t)client_side()->senders[SIM_VIDEO].ext_seq;
    struct raw r = { .ssrc = VIDEO_PRIMARY, .pt = SIM_PT_VIDEO, .ext_len = 16 };
    for (unsigned i = 0; i < FORMS; i++) {
        r.seq = (uint16_t)(seq + i);
        r.ext = garbage[i / 5];
        r.profile = profiles[i % 5];
        send_many(r, 1);
    }
    CHECK_INT(layer_packets(0) - before, FORMS);
    hostile_end(sim);
}

static void random_dd(struct raw *r, struct tr_rng *rng, uint8_t ext[48])
{
    size_t n = 1 + tr_rng_below(rng, 40);
    tr_rng_fill(rng, ext, 48);
    ext[0] = 9;
    ext[1] = (uint8_t)(tr_rng_below(rng, 4) ? n : n + 60); /* truncated now and then */
    if (tr_rng_below(rng, 2) && n > 4)
        ext[5] |= 0x80; /* a structure follows */
    r->ext = ext;
    r->ext_len = 48;
    r->profile = 0x1000;
}

TEST(dependency_descriptors_of_random_bytes)
{
    struct sim_call_conf conf = { 0 };
    uint8_t ext[48];
    if (!world_begin())
        return;
    struct sim *sim = hostile_begin(&conf);
    struct tr_rng rng = tr_rng_seeded(5);
    for (int side = 0; side < SIM_SIDES; side++) {
        struct tr_track_conf *t = &call.sides[side].tracks[SIM_VIDEO];
        t->ext.id[TR_EXT_DEPENDENCY_DESCRIPTOR] = 9;
    }
    CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    uint64_t before = layer_packets(0);
    uint16_t seq = (uint16_t)client_side()->senders[SIM_VIDEO].ext_seq;
    struct raw r = { .ssrc = VIDEO_PRIMARY, .pt = SIM_PT_VIDEO };
    for (unsigned i = 0; i < 3000; i++) {
        random_dd(&r, &rng, ext);
        r.seq = (uint16_t)(seq + i);
        send_many(r, 1);
    }
    CHECK_INT(layer_packets(0) - before, 3000);
    hostile_end(sim);
}

/* --- numbers and times --- */

TEST(numbers_that_leap_and_timestamps_that_jump)
{
    static const int leaps[] = { 30000, -30000, 1, 3000, -3000, 0, 0, 32767, -32768, 65535, 20000 };
    struct sim_call_conf conf = { 0 };
    if (!world_begin())
        return;
    struct sim *sim = hostile_begin(&conf);
    struct tr_rng rng = tr_rng_seeded(9);
    struct raw r = { .ssrc = VIDEO_PRIMARY, .pt = SIM_PT_VIDEO };
    r.seq = (uint16_t)client_side()->senders[SIM_VIDEO].ext_seq;
    for (unsigned i = 0; i < 5000; i++) {
        r.seq = (uint16_t)(r.seq + leaps[tr_rng_below(&rng, 11)]);
        r.ts = tr_rng_u32(&rng);
        (void)!send_raw(&r); /* our own SRTP does not send a number twice */
    }
    CHECK(dropped(TR_DROP_RTP_DUPLICATE) + dropped(TR_DROP_SRTP_REPLAY) > 100);
    struct tr_media_counters sums = { 0 };
    tr_peer_take_counters(sim_server(&call)->peer, &sums);
    CHECK(sums.nacks_out < 5000 * 64);
    hostile_end(sim);
}

/* --- feedback --- */

static struct sim *feedback_begin(void)
{
    struct sim_call_conf conf = { 0 };
    struct sim *sim = raw_begin(&conf);
    sim_run(sim, TR_SECOND);
    return sim;
}

static void tell(struct tr_wr *w)
{
    CHECK_INT(sim_peer_send_rtcp(sim_client(&call), tr_wr_slice(w)), TR_OK);
    sim_run(call.sim, 10 * TR_MSEC);
}

static uint32_t bandwidth(void)
{
    uint32_t bps = 0;
    (void)tr_peer_bandwidth(sim_server(&call)->peer, sim_now(call.sim), &bps);
    return bps;
}

TEST(remb_of_nothing_and_of_everything)
{
    uint8_t buf[200];
    uint32_t ssrc = SIM_SSRC_SERVER + 10;
    if (!world_begin())
        return;
    struct sim *sim = feedback_begin();
    for (int i = 0; i < 20; i++) {
        struct tr_wr w = tr_wr(buf, sizeof buf);
        tr_rtcp_put_rr(&w, 1, NULL, 0);
        tr_rtcp_put_remb(&w, 1, i % 2 ? UINT32_MAX : 0, &ssrc, 1);
        if (i % 4 == 3) /* 2^63 times 2^18 */
            memset(buf + tr_wr_len(&w) - 7, 0xff, 3);
        tell(&w);
        CHECK(bandwidth() == 0 || bandwidth() >= 10000); /* 0: not bounded by it */
    }
    hostile_end(sim);
}

TEST(transport_feedback_of_random_bytes)
{
    uint8_t buf[400];
    if (!world_begin())
        return;
    struct sim *sim = feedback_begin();
    struct tr_rng rng = tr_rng_seeded(4);
    for (int i = 0; i < 500; i++) {
        unsigned words = 2 + tr_rng_below(&rng, 60);
        struct tr_wr w = tr_wr(buf, sizeof buf);
        tr_rtcp_put_rr(&w, 1, NULL, 0);
        tr_wr_u8(&w, 0x80 | TR_RTPFB_TWCC);
        tr_wr_u8(&w, TR_RTCP_RTPFB);
        tr_wr_u16(&w, (uint16_t)words);
        tr_rng_fill(&rng, tr_wr_skip(&w, words * 4), words * 4);
        tell(&w);
    }
    CHECK(dropped(TR_DROP_RTCP_BAD) > 0);
    CHECK(bandwidth() == 0 || bandwidth() >= 10000);
    hostile_end(sim);
}

/* Each number there is, again and again: 128 of them wait at most, the rest is counted. */
TEST(a_client_that_asks_for_everything_again)
{
    uint8_t buf[1100];
    uint16_t seqs[2000];
    if (!world_begin())
        return;
    struct sim *sim = feedback_begin();
    uint64_t resent = server_side()->senders[SIM_VIDEO].resent;
    for (int i = 0; i < 100; i++) {
        struct tr_wr w = tr_wr(buf, sizeof buf);
        for (unsigned k = 0; k < 2000; k++)
            seqs[k] = (uint16_t)(i * 2000u + k);
        tr_rtcp_put_rr(&w, 1, NULL, 0);
        tr_rtcp_put_nack(&w, 1, SIM_SSRC_SERVER + 10, seqs, 2000);
        tell(&w);
    }
    CHECK(dropped(TR_DROP_RESEND) >= 100 * (2000 - TR_PEER_NACKS_MAX));
    CHECK(server_side()->senders[SIM_VIDEO].resent - resent <= 100 * TR_PEER_NACKS_MAX);
    CHECK_INT(sim_receiver_missing(&client_side()->receivers[SIM_AUDIO]), 0);
    hostile_end(sim);
}

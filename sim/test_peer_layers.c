/* Goal: what rides beside the payload arrives: the dependency descriptor with its frame number
 * moved on and its mask replaced, RED for who takes it and plain Opus for who does not.
 * Method: packets as ingress leaves them, formed by one side of a simulated call, opened by the
 * other. */
#include <stdlib.h>

#include "payload/dd_tables.h"
#include "peer/ingress.h"
#include "sim/test_world.h"

enum { DD_ID = 9, PT_RED = 63, FRAME = 500, PAYLOAD = 300, RED_HEADER = 5, OLD = 40 };

struct pair {
    struct tr_peer *from, *to;
    struct tr_pkt_pool *pool;
    struct tr_dd_structure st;
    int64_t seq;
};

static void begin(struct pair *p, bool descriptors, bool red)
{
    static struct sim_call_conf conf = { .no_media = true };
    call_begin(1, &conf);
    CHECK(sim_call_connect(&call, 5 * TR_SECOND));
    for (int i = 0; i < SIM_SIDES; i++) {
        struct tr_track_conf *video = &call.sides[i].tracks[SIM_VIDEO];
        video->ext.id[TR_EXT_DEPENDENCY_DESCRIPTOR] = descriptors ? DD_ID : 0;
        video->ext_send.id[TR_EXT_DEPENDENCY_DESCRIPTOR] = descriptors ? DD_ID : 0;
        call.sides[i].tracks[SIM_AUDIO].red_pt = red ? PT_RED : 0;
    }
    CHECK_INT(sim_call_set_tracks(&call), TR_OK);
    *p = (struct pair){ .from = sim_client(&call)->peer,
                        .to = sim_server(&call)->peer,
                        .pool = sim_server(&call)->pool,
                        .seq = 100 };
}

/* A frame of this template, of one packet. */
static struct tr_pkt *frame(struct pair *p, unsigned index, bool attach, size_t n)
{
    uint8_t ext[TR_DD_BYTES_MAX];
    struct tr_pkt *pkt = tr_pkt_alloc(p->pool);
    struct ddt_frame f = { .start = true, .end = true, .index = index, .attach = attach };
    f.frame = FRAME;
    *tr_rtp_meta(pkt) = (struct tr_rtp_meta){ .codec = TR_CODEC_VP8, .ext_seq = p->seq };
    pkt->len = (uint16_t)n;
    struct sim_payload payload = { .video = true, .keyframe = attach, .start = true };
    sim_payload_write(&payload, tr_pkt_data(pkt), n);
    tr_ingress_dependency(pkt, tr_pkt_slice(pkt), &p->st,
                          tr_slice(ext, ddt_write(ext, &ddt_l3t3, &f)));
    CHECK(tr_rtp_dd(pkt) != NULL);
    return pkt;
}

static struct tr_tx_item item_of(struct pair *p, struct tr_pkt *pkt)
{
    return (struct tr_tx_item){ .pkt = pkt, .ext_seq = p->seq++ };
}

/* Sends the items as one run; the packets as the other side has opened them, which are the
 * caller's. */
static void pass(struct pair *p, int mline, const struct tr_tx_item *items, int n,
                 struct tr_pkt **out)
{
    static uint8_t room[8 * TR_PEER_PACKET_MAX];
    struct tr_tx_msg msgs[8];
    int got = 0, line;
    int count = tr_peer_send_run(p->from, sim_now(call.sim), mline, items, n,
                                 (struct tr_buf){ room, sizeof room }, msgs);
    for (int i = 0; i < count; i++) {
        for (uint32_t at = 0; at < msgs[i].len && got < n; at += msgs[i].segment) {
            uint32_t left = msgs[i].len - at;
            out[got] = tr_pkt_alloc(p->pool);
            CHECK_INT(tr_peer_rtp(
                          p->to, sim_now(call.sim),
                          tr_slice(msgs[i].p + at, left < msgs[i].segment ? left : msgs[i].segment),
                          out[got], &line),
                      TR_OK);
            CHECK_INT(line, mline);
            got++;
        }
    }
    CHECK_INT(got, n);
}

static void drop(struct tr_pkt **pkts, int n)
{
    for (int i = 0; i < n; i++)
        tr_pkt_unref(&pkts[i]);
}

TEST(descriptors_arrive_as_they_were_or_masked)
{
    struct pair p;
    struct tr_pkt *got[4], *sent[4];
    struct tr_tx_item items[4];
    if (!world_begin())
        return;
    begin(&p, true, false);
    sent[0] = frame(&p, 0, true, PAYLOAD);
    sent[1] = frame(&p, 1, false, PAYLOAD - 20);
    sent[2] = frame(&p, 5, false, PAYLOAD);
    sent[3] = frame(&p, 11, false, PAYLOAD);
    for (int i = 0; i < 4; i++)
        items[i] = item_of(&p, sent[i]);
    items[1].frame_off = 7;
    items[2].masked = items[3].masked = true;
    items[2].mask = 0x38;
    items[3].mask = 0x1f8;
    pass(&p, SIM_VIDEO, items, 4, got);
    for (int i = 0; i < 4; i++) {
        const struct tr_rtp_dd *was = tr_rtp_dd(sent[i]), *is = tr_rtp_dd(got[i]);
        if (!CHECK(is != NULL))
            continue;
        CHECK(tr_slice_eq(tr_pkt_slice(got[i]), tr_pkt_slice(sent[i])));
        CHECK_INT(is->dd.frame, FRAME + (i == 1 ? 7 : 0));
        CHECK(is->dd.dtis == was->dd.dtis && is->dd.refs == was->dd.refs);
        CHECK_INT(is->dd.has_mask, i >= 2);
        CHECK_INT(is->dd.active, i == 2 ? 0x38 : i == 3 ? 0x1f8 : 0x1ff);
        CHECK_INT(is->dd.has_structure, i == 0);
        CHECK_INT((tr_rtp_meta(got[i])->flags & TR_RTP_KEYFRAME) != 0, i == 0);
        CHECK_INT(tr_rtp_meta(got[i])->spatial, was->dd.spatial);
        CHECK(memcmp(is->target, was->target, sizeof *is->target * 9) == 0);
    }
    CHECK(tr_slice_eq(tr_slice(tr_rtp_dd(got[0])->bytes, tr_rtp_dd(got[0])->len),
                      tr_slice(tr_rtp_dd(sent[0])->bytes, tr_rtp_dd(sent[0])->len)));
    drop(got, 4);
    drop(sent, 4);
    call_end(call.sim);
    world_end();
}

TEST(without_the_extension_nothing_is_sent_of_it)
{
    struct pair p;
    struct tr_pkt *got, *sent;
    if (!world_begin())
        return;
    begin(&p, false, false);
    sent = frame(&p, 0, true, PAYLOAD);
    struct tr_tx_item item = item_of(&p, sent);
    item.masked = true;
    pass(&p, SIM_VIDEO, &item, 1, &got);
    CHECK(tr_rtp_dd(got) == NULL);
    CHECK(tr_slice_eq(tr_pkt_slice(got), tr_pkt_slice(sent)));
    drop(&got, 1);
    drop(&sent, 1);
    call_end(call.sim);
    world_end();
}

/* One redundant block before the newest. */
static struct tr_pkt *red_packet(struct pair *p)
{
    struct tr_pkt *pkt = tr_pkt_alloc(p->pool);
    struct tr_rtp_meta *m = tr_rtp_meta(pkt);
    uint8_t *at = tr_pkt_data(pkt);
    struct sim_payload payload = { .frame = 3 };
    struct tr_slice data = tr_slice(at, RED_HEADER + OLD + PAYLOAD);
    *m = (struct tr_rtp_meta){ .codec = TR_CODEC_OPUS, .ext_seq = p->seq, .pt = SIM_PT_AUDIO };
    at[0] = 0x80 | SIM_PT_AUDIO;
    tr_put24(at + 1, 960u << 10 | OLD);
    at[4] = SIM_PT_AUDIO;
    memset(at + RED_HEADER, 0x5a, OLD);
    sim_payload_write(&payload, at + RED_HEADER + OLD, PAYLOAD);
    CHECK_INT(tr_ingress_red(m, &call.sides[SIM_SERVER].tracks[SIM_AUDIO], &data), TR_OK);
    pkt->off = (uint16_t)(data.p - pkt->buf);
    pkt->len = (uint16_t)data.n;
    return pkt;
}

TEST(red_goes_on_or_is_left_out)
{
    if (!world_begin())
        return;
    for (int red = 0; red < 2; red++) {
        struct pair p;
        struct tr_pkt *got, *sent;
        begin(&p, false, red);
        sent = red_packet(&p);
        CHECK_INT(tr_rtp_meta(sent)->red_len, RED_HEADER + OLD);
        struct tr_tx_item item = item_of(&p, sent);
        pass(&p, SIM_AUDIO, &item, 1, &got);
        const struct tr_rtp_meta *m = tr_rtp_meta(got);
        CHECK_INT(m->red_len, red ? RED_HEADER + OLD : 0);
        CHECK(tr_slice_eq(tr_pkt_slice(got), tr_pkt_slice(sent)));
        CHECK(memcmp(got->buf + got->off - m->red_len, sent->buf + sent->off - m->red_len,
                     m->red_len) == 0);
        drop(&got, 1);
        drop(&sent, 1);
        call_end(call.sim);
    }
    world_end();
}

/* RED of something else than the Opus that was agreed on is nobody's. */
TEST(red_of_another_codec_is_refused)
{
    static const uint8_t other[] = { 0x80 | 9, 0, 0, 1, SIM_PT_AUDIO, 'a', 'b' };
    static const uint8_t wrong[] = { 9, 'b' };
    struct tr_track_conf conf = { .pt = SIM_PT_AUDIO, .red_pt = PT_RED };
    struct tr_rtp_meta m = { 0 };
    struct tr_slice s = tr_slice(other, sizeof other);
    CHECK_INT(tr_ingress_red(&m, &conf, &s), TR_ERR_BADMSG);
    s = tr_slice(wrong, sizeof wrong);
    CHECK_INT(tr_ingress_red(&m, &conf, &s), TR_ERR_BADMSG);
    CHECK_INT(m.red_len, 0);
}

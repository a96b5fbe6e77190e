/* Goal: plain RTP is judged as it should be: streams by port and SSRC, numbers unwrapped, restarts
 * seen, losses asked for, senders that nobody knows left out; and nothing of it in bounds that a
 * sender sets.
 * Method: the state machine alone, in virtual time, with packets made here. */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "peer/plain.h"
#include "peer/rtp_meta.h"
#include "peer/stats.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "unit.h"

enum { AUDIO, VIDEO, TRACKS };

struct rig {
    struct tr_rng rng;
    struct tr_plain *plain;
    struct tr_pkt_pool *pool;
    struct tr_pkt *pkt;
    struct tr_addr sender;
    tr_usec now;
    int mline;
};

static void fill_tracks(struct tr_track_conf *t, int layers)
{
    memset(t, 0, TRACKS * sizeof *t);
    for (int i = 0; i < TRACKS; i++) {
        t[i].used = t[i].recv = true;
        t[i].video = i == VIDEO;
        t[i].codec = i == VIDEO ? TR_CODEC_VP8 : TR_CODEC_OPUS;
        t[i].clock_rate = i == VIDEO ? 90000 : 48000;
        t[i].pt = i == VIDEO ? 96 : 111;
        t[i].fb_nack = t[i].fb_pli = i == VIDEO;
        t[i].layers_count = i == VIDEO ? layers : 1;
    }
}

static enum tr_err rig_open(struct rig *r, const struct tr_plain_port *ports, int count, int layers)
{
    struct tr_track_conf tracks[TRACKS];
    *r = (struct rig){ .rng = tr_rng_seeded(9), .now = 10 * TR_SECOND };
    r->sender = tr_addr_v4(192, 0, 2, 1, 4000);
    struct tr_plain_conf conf = { .ports = ports, .ports_count = count, .rng = &r->rng };
    r->pool = tr_pkt_pool_create(4);
    r->pkt = r->pool ? tr_pkt_alloc(r->pool) : NULL;
    r->plain = r->pkt ? tr_plain_create(&conf, r->now) : NULL;
    fill_tracks(tracks, layers);
    return r->plain ? tr_plain_set_tracks(r->plain, tracks, TRACKS) : TR_ERR_NOMEM;
}

static void rig_close(struct rig *r)
{
    tr_pkt_unref(&r->pkt);
    tr_plain_destroy(r->plain);
    if (r->pool)
        tr_pkt_pool_destroy(r->pool);
}

static enum tr_err input(struct rig *r, int port, const uint8_t *p, size_t n)
{
    return tr_plain_input(r->plain, r->now, port, &r->sender, tr_slice(p, n), r->pkt, &r->mline);
}

static enum tr_err rtp(struct rig *r, int port, uint16_t seq, uint32_t ssrc, uint8_t pt)
{
    uint8_t buf[100];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rtp_put(&w, false, pt, seq, seq * 160u, ssrc, false);
    tr_wr_zero(&w, 20);
    return input(r, port, buf, tr_wr_len(&w));
}

static const struct tr_rtp_meta *meta(const struct rig *r)
{
    return tr_rtp_meta_const(r->pkt);
}

/* What it has to say, by kind; the last RTCP is left in rtcp. */
static int poll_all(struct rig *r, enum tr_plain_kind kind, uint8_t *rtcp, size_t *n)
{
    struct tr_plain_out out;
    int count = 0;
    for (int i = 0; i < 100; i++) {
        tr_plain_poll(r->plain, r->now, &out);
        if (out.kind == TR_PLAIN_NONE)
            return count;
        count += out.kind == kind;
        if (out.kind == TR_PLAIN_SEND && rtcp) {
            memcpy(rtcp, out.data.p, out.data.n);
            *n = out.data.n;
        }
    }
    return -1; /* it does not come to an end */
}

static const struct tr_plain_port by_port[] = { { .mline = AUDIO, .layer = 0 },
                                                { .mline = VIDEO, .layer = 0 } };

TEST(plain_numbers_go_on_over_wraps_and_begin_anew_after_restarts)
{
    struct rig r;
    CHECK(rig_open(&r, by_port, 2, 1) == TR_OK);
    CHECK(rtp(&r, 0, 65534, 5, 0) == TR_OK);
    int64_t first = meta(&r)->ext_seq;
    CHECK_INT(first & 0xffff, 65534);
    CHECK_INT(r.mline, AUDIO);
    CHECK_INT(meta(&r)->ssrc, 5);
    CHECK_INT(meta(&r)->pt, 111);
    CHECK(rtp(&r, 0, 1, 5, 0) == TR_OK);
    CHECK_INT(meta(&r)->ext_seq, first + 3);
    CHECK(rtp(&r, 0, 65535, 5, 0) == TR_OK); /* late */
    CHECK_INT(meta(&r)->ext_seq, first + 1);
    CHECK(rtp(&r, 0, 65535, 5, 0) == TR_ERR_EXISTS);
    CHECK(rtp(&r, 0, 65530, 5, 0) == TR_OK); /* before the first */
    CHECK_INT(meta(&r)->ext_seq, first - 4);
    CHECK(meta(&r)->ext_seq > 0);
    CHECK(rtp(&r, 0, 30000, 5, 0) == TR_ERR_EXISTS); /* a jump, to be confirmed */
    CHECK(rtp(&r, 0, 30001, 5, 0) == TR_OK);
    CHECK(meta(&r)->ssrc != 5);
    uint32_t alias = meta(&r)->ssrc;
    CHECK(rtp(&r, 0, 30002, 5, 0) == TR_OK);
    CHECK_INT(meta(&r)->ssrc, alias);
    rig_close(&r);
}

TEST(plain_another_ssrc_payload_type_or_sender_only_after_silence)
{
    struct rig r;
    CHECK(rig_open(&r, by_port, 2, 1) == TR_OK);
    CHECK(rtp(&r, 0, 1, 5, 0) == TR_OK);
    CHECK(rtp(&r, 0, 2, 6, 0) == TR_ERR_NOTFOUND);
    CHECK(rtp(&r, 0, 2, 5, 101) == TR_ERR_NOTFOUND); /* a digit, say */
    struct tr_addr known = r.sender;
    r.sender = tr_addr_v4(192, 0, 2, 2, 4000);
    CHECK(rtp(&r, 0, 2, 5, 0) == TR_ERR_AUTH);
    r.now += TR_PLAIN_SSRC_US;
    CHECK(rtp(&r, 0, 2, 5, 0) == TR_ERR_AUTH);
    r.sender = known;
    CHECK(rtp(&r, 0, 900, 6, 0) == TR_OK);
    CHECK_INT(meta(&r)->ssrc, 6);
    r.now += TR_PLAIN_SENDER_US;
    r.sender = tr_addr_v4(192, 0, 2, 2, 4000);
    CHECK(rtp(&r, 0, 901, 6, 0) == TR_OK);
    struct tr_media_peer_stats *stats = tr_alloc(sizeof *stats);
    tr_plain_stats(r.plain, stats);
    CHECK_INT(stats->drops[TR_DROP_RTP_UNKNOWN_SSRC], 2);
    CHECK_INT(stats->drops[TR_DROP_UNKNOWN_ADDR], 2);
    CHECK_INT(stats->tracks[AUDIO].layers[0].packets, 3);
    CHECK_INT(stats->tracks_count, TRACKS);
    tr_free(stats);
    rig_close(&r);
}

TEST(plain_rtcp_on_the_rtp_port)
{
    struct rig r;
    uint8_t buf[200], rtcp[1500];
    size_t n = 0;
    CHECK(rig_open(&r, by_port, 2, 1) == TR_OK);
    CHECK(tr_plain_next_timeout(r.plain) == TR_NEVER);
    CHECK(rtp(&r, 1, 1, 5, 96) == TR_OK);
    tr_plain_request_keyframe(r.plain, VIDEO, 0);
    CHECK_INT(poll_all(&r, TR_PLAIN_SEND, NULL, NULL), 0); /* nobody to ask yet */
    struct tr_wr w = tr_wr(buf, sizeof buf);
    struct tr_rtcp_report sr = { .ssrc = 5, .ntp = 1ull << 40, .rtp_ts = 160 };
    tr_rtcp_put_sr(&w, &sr, NULL, 0);
    r.sender = tr_addr_v4(192, 0, 2, 9, 4001);
    CHECK(input(&r, 1, buf, tr_wr_len(&w)) == TR_ERR_IGNORED); /* from another host than media */
    CHECK_INT(poll_all(&r, TR_PLAIN_SR, NULL, NULL), 0);
    r.sender = tr_addr_v4(192, 0, 2, 1, 4001);
    CHECK(input(&r, 1, buf, tr_wr_len(&w)) == TR_ERR_IGNORED);
    CHECK_INT(poll_all(&r, TR_PLAIN_SR, rtcp, &n), 1);
    struct tr_rd it;
    struct tr_rtcp_pkt pkt;
    bool report = false, pli = false;
    CHECK(tr_rtcp_iter_init(&it, tr_slice(rtcp, n)) == TR_OK);
    while (tr_rtcp_next(&it, &pkt)) {
        report |= pkt.type == TR_RTCP_RR && pkt.count == 1;
        pli |= pkt.type == TR_RTCP_PSFB && pkt.count == TR_PSFB_PLI;
    }
    CHECK(report && pli);
    /* Losses are asked for, once they are sure. */
    for (uint16_t seq = 4; seq < 9; seq++)
        CHECK(rtp(&r, 1, seq, 5, 96) == TR_ERR_AUTH); /* media comes from port 4000 */
    r.sender.port = 4000;
    for (uint16_t seq = 4; seq < 9; seq++)
        CHECK(rtp(&r, 1, seq, 5, 96) == TR_OK);
    CHECK(tr_plain_next_timeout(r.plain) <= r.now + 10 * TR_MSEC);
    r.now += 10 * TR_MSEC;
    CHECK_INT(poll_all(&r, TR_PLAIN_SEND, NULL, NULL), 1);
    CHECK_INT(tr_plain_take_lost(r.plain, VIDEO), 2);
    /* Years of silence and nobody who answers: it goes on at its pace. */
    for (int i = 0; i < 50; i++) {
        r.now = tr_plain_next_timeout(r.plain);
        CHECK(r.now != TR_NEVER && poll_all(&r, TR_PLAIN_SEND, NULL, NULL) >= 0);
    }
    rig_close(&r);
}

TEST(plain_refuses_ports_and_tracks_that_make_no_sense)
{
    static const struct tr_plain_port odd[] = { { .mline = -2 },
                                                { .layer = 3 },
                                                { .mline = 1000 } };
    struct rig r;
    struct tr_track_conf tracks[TRACKS];
    for (int i = 0; i < 3; i++) {
        CHECK(rig_open(&r, &odd[i], 1, 1) == TR_ERR_NOMEM);
        rig_close(&r);
    }
    CHECK(rig_open(&r, by_port, 2, 1) == TR_OK);
    fill_tracks(tracks, 4);
    CHECK(tr_plain_set_tracks(r.plain, tracks, TRACKS) == TR_ERR_INVAL);
    CHECK(tr_plain_set_tracks(r.plain, tracks, 1) == TR_ERR_LIMIT);
    /* A stream whose facts stay keeps its numbers; another begins anew. */
    CHECK(rtp(&r, 0, 65535, 5, 0) == TR_OK);
    CHECK(rtp(&r, 1, 65535, 7, 0) == TR_OK);
    fill_tracks(tracks, 1);
    tracks[VIDEO].codec = TR_CODEC_H264;
    CHECK(tr_plain_set_tracks(r.plain, tracks, TRACKS) == TR_OK);
    CHECK(rtp(&r, 0, 0, 5, 0) == TR_OK);
    CHECK_INT(meta(&r)->ext_seq, 131072);
    CHECK(rtp(&r, 1, 0, 8, 0) == TR_OK);
    CHECK_INT(meta(&r)->ext_seq, 65536);
    rig_close(&r);
}

TEST_OOM(plain_without_memory)
{
    struct rig r;
    enum tr_err err = rig_open(&r, by_port, 2, 3);
    rig_close(&r);
    return err;
}

/* Goal: RTCP goes both ways between plain RTP's senders and receivers: key frames are asked for,
 * clocks are told, what is missed is sent again, within bounds.
 * Method: the engine with real sockets (test_plain_rig.h). */
#include "media/test_plain_rig.h"
#include "unit.h"

static void send_rtcp(struct host *h, const struct tr_addr *to, uint32_t ssrc, tr_ntp ntp,
                      uint32_t rtp_ts)
{
    uint8_t buf[200];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    struct tr_rtcp_report sr = { .ssrc = ssrc, .ntp = ntp, .rtp_ts = rtp_ts };
    if (ntp)
        tr_rtcp_put_sr(&w, &sr, NULL, 0);
    else
        tr_rtcp_put_rr(&w, ssrc, NULL, 0);
    send_bytes(h, to, buf, tr_wr_len(&w));
}

static void send_pli(struct host *h, const struct tr_addr *to, uint32_t media)
{
    uint8_t buf[100];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rtcp_put_rr(&w, 1, NULL, 0);
    tr_rtcp_put_pli(&w, 1, media);
    send_bytes(h, to, buf, tr_wr_len(&w));
}

/* A receiver's PLI reaches the sender; the sender's clock reaches the receiver. */
TEST(rtcp_both_ways)
{
    struct rig r;
    struct host in, in_rtcp, out, out_rtcp;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&in_rtcp);
    host_open(&out);
    host_open(&out_rtcp);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.rtcp_port = out_rtcp.addr.port;
        conf.ssrc = 77;
        tr_id id = forward(&r, peer, VIDEO, &conf);
        struct tr_forward_info info;
        CHECK(tr_media_forward_info(r.media, id, &info) && info.local_rtcp_port);
        WAIT_FOR(&r, &out_rtcp, out_rtcp.reports >= 1); /* opens the way */
        CHECK_INT(out_rtcp.rtcp_from.port, info.local_rtcp_port);
        send_video(&in, &ports[1], 1, 5, true);
        WAIT_FOR(&r, &out, out.count == 1);
        send_rtcp(&in_rtcp, &ports[2], 5, 0, 0); /* latches */
        WAIT_FOR(&r, &in_rtcp, in_rtcp.reports >= 1);
        int before = in_rtcp.plis;
        send_pli(&out_rtcp, &out_rtcp.rtcp_from, 77);
        WAIT_FOR(&r, &in_rtcp, in_rtcp.plis > before);
        CHECK(tr_media_forward_info(r.media, id, &info));
        CHECK_INT(info.keyframes, 1);
        for (int i = 0; i < 50; i++)
            send_pli(&out_rtcp, &out_rtcp.rtcp_from, 77);
        tr_clock_sleep(50 * TR_MSEC);
        host_turn(&in_rtcp);
        CHECK(in_rtcp.plis <= before + 2); /* one per 500 ms */

        tr_ntp wall = tr_ntp_from_unix_us(tr_clock_unix_us());
        send_rtcp(&in_rtcp, &ports[2], 5, wall, 1 * 3000u);
        WAIT_FOR(&r, &out_rtcp, out_rtcp.sender_reports >= 1);
        CHECK_INT(out_rtcp.sr.ssrc, 77);
        CHECK_INT(out_rtcp.sr.packets, 1);
        /* The report's clock reading is the forwarded packet's timestamp plus what has passed. */
        int64_t passed = tr_ntp_to_unix_us(out_rtcp.sr.ntp) - tr_ntp_to_unix_us(wall);
        int64_t ticks = tr_ts_diff(out_rtcp.sr.rtp_ts, out.got[0].rtp.ts);
        CHECK(ticks - passed * 90000 / TR_SECOND > -450);
        CHECK(ticks - passed * 90000 / TR_SECOND < 450);

        send_video(&in, &ports[1], 2, 5, false);
        for (uint16_t seq = 5; seq < 12; seq++)
            send_video(&in, &ports[1], seq, 5, false);
        WAIT_FOR(&r, &in_rtcp, in_rtcp.nacks >= 1); /* 3 and 4 are missed */
        struct tr_addr other = tr_addr_v4(127, 0, 0, 1, info.local_rtcp_port);
        uint8_t junk[50] = { 0x80, 205 };
        send_bytes(&in, &other, junk, sizeof junk);
        WAIT_FOR(&r, &out, tr_media_forward_info(r.media, id, &info) && info.rtcp_bad == 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&in_rtcp);
    host_close(&out);
    host_close(&out_rtcp);
}

static void send_nack(struct host *h, const struct tr_addr *to, uint32_t media, uint16_t seq)
{
    uint8_t buf[100];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rtcp_put_rr(&w, 1, NULL, 0);
    tr_rtcp_put_nack(&w, 1, media, &seq, 1);
    send_bytes(h, to, buf, tr_wr_len(&w));
}

/* The same packet again, also for a stream that has no RTCP port of its own; up to a fifth. */
TEST(what_a_receiver_misses_is_sent_again)
{
    struct rig r;
    struct host in, out, rtcp;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&out);
    host_open(&rtcp);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 2, ports);
        struct tr_forward_info info = { 0 };
        struct tr_forward_conf conf = forward_to(&out);
        conf.rtcp_port = rtcp.addr.port;
        conf.ssrc = 1010;
        tr_id first = forward(&r, peer, VIDEO, &conf);
        conf.rtcp_port = 0;
        conf.ssrc = 1011;
        conf.layer = 1;
        tr_id second = forward(&r, peer, VIDEO, &conf);
        WAIT_FOR(&r, &rtcp, rtcp.reports >= 1);
        send_video(&in, &ports[2], 0, 101, true);
        WAIT_FOR(&r, &out, out.count == 1);
        send_nack(&rtcp, &rtcp.rtcp_from, 1011, out.got[0].rtp.seq); /* it was not kept */
        tr_clock_sleep(20 * TR_MSEC);
        for (uint16_t i = 1; i < 10; i++)
            send_video(&in, &ports[2], i, 101, false);
        WAIT_FOR(&r, &out, out.count == 10);
        CHECK(is_continuous(&out));
        send_nack(&rtcp, &rtcp.rtcp_from, 1011, out.got[5].rtp.seq);
        WAIT_FOR(&r, &out, out.count == 11);
        CHECK_INT(out.got[10].rtp.seq, out.got[5].rtp.seq);
        CHECK_INT(out.got[10].rtp.ts, out.got[5].rtp.ts);
        CHECK_INT(out.got[10].number, 5);
        CHECK(tr_media_forward_info(r.media, second, &info) && info.resent == 1);
        for (int i = 0; i < 200; i++)
            send_nack(&rtcp, &rtcp.rtcp_from, 1011, out.got[5].rtp.seq);
        WAIT_FOR(&r, &out, out.count >= 12);
        tr_clock_sleep(100 * TR_MSEC);
        host_turn(&out);
        CHECK(out.count < 20);
        CHECK(tr_media_forward_info(r.media, first, &info) && info.resent == 0);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
    host_close(&rtcp);
}

/* A renegotiation takes layers away whose packets are kept for who might miss them. */
TEST(layers_that_are_gone_keep_no_packets)
{
    struct rig r;
    struct host in, out, rtcp;
    struct tr_addr ports[8];
    struct tr_track_conf tracks[TRACKS];
    host_open(&in);
    host_open(&out);
    host_open(&rtcp);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 2, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.rtcp_port = rtcp.addr.port;
        conf.ssrc = 1010;
        conf.layer = 1;
        forward(&r, peer, VIDEO, &conf);
        WAIT_FOR(&r, &rtcp, rtcp.reports >= 1);
        send_nack(&rtcp, &rtcp.rtcp_from, 1010, 1); /* from now on */
        tr_clock_sleep(20 * TR_MSEC);
        for (uint16_t i = 0; i < 10; i++)
            send_video(&in, &ports[2], i, 101, i == 0);
        WAIT_FOR(&r, &out, out.count == 10);
        CHECK(counters(&r).packets_in_use >= 10);
        fill_tracks(tracks, 1);
        CHECK(tr_media_peer_tracks(r.media, peer, tracks, TRACKS) == TR_OK);
        tr_media_flush(r.media);
        tr_clock_sleep(2 * TR_SECOND + 200 * TR_MSEC);
        CHECK(counters(&r).packets_in_use < 10);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
    host_close(&rtcp);
}

/* Goal: what is hostile or makes no sense is refused, or dropped under its cause, and hurts nobody
 * else; a sender that begins anew is not taken for hostile.
 * Method: the engine with real sockets (test_plain_rig.h). */
#include "base/rng.h"
#include "media/test_plain_rig.h"
#include "unit.h"

TEST(what_is_hostile_is_counted_and_hurts_nobody_else)
{
    struct rig r;
    struct host in, stranger, out, fine_in, fine_out;
    struct tr_addr ports[8], fine[8];
    host_open(&in);
    host_open(&stranger);
    host_open(&out);
    host_open(&fine_in);
    host_open(&fine_out);
    if (rig_open(&r)) {
        struct tr_rng rng = tr_rng_seeded(1);
        tr_id peer = open_source(&r, 1, ports), other = open_source(&r, 1, fine);
        struct tr_forward_conf conf = forward_to(&out);
        forward(&r, peer, AUDIO, &conf);
        conf = forward_to(&fine_out);
        forward(&r, other, AUDIO, &conf);
        send_audio(&in, &ports[0], 1, 5);
        WAIT_FOR(&r, &out, out.count == 1);
        send_audio(&in, &ports[0], 2, 5);
        for (uint16_t i = 0; i < 20; i++) {
            uint8_t junk[300];
            tr_rng_fill(&rng, junk, sizeof junk);
            junk[0] &= 0x3f; /* no RTP */
            send_bytes(&in, &ports[0], junk, 1 + tr_rng_below(&rng, sizeof junk));
            send_audio(&in, &ports[0], i, 666);     /* another SSRC */
            send_audio(&stranger, &ports[0], i, 5); /* another sender */
            send_audio(&in, &ports[0], 2, 5);       /* again */
        }
        uint8_t rtcp_junk[60] = { 0x81, 200, 0, 44 };
        send_bytes(&in, &ports[2], rtcp_junk, sizeof rtcp_junk);
        CHECK_INT(dropped(&r, TR_DROP_RTCP_BAD, 1), 1); /* it came last */
        struct tr_media_counters c = counters(&r);
        CHECK_INT(c.drops[TR_DROP_RTP_BAD], 20);
        CHECK_INT(c.drops[TR_DROP_RTP_UNKNOWN_SSRC], 20);
        CHECK_INT(c.drops[TR_DROP_UNKNOWN_ADDR], 20);
        CHECK_INT(c.drops[TR_DROP_RTP_DUPLICATE], 20);
        CHECK_INT(c.drops[TR_DROP_RTCP_BAD], 1);

        /* As much as the machine can send, until it is too much. */
        uint8_t big[1500];
        struct packet k = { .ssrc = 5, .len = 1300 };
        tr_usec until = tr_clock_now() + WAIT_US;
        for (uint16_t seq = 3; c.drops[TR_DROP_RATE] == 0 && tr_clock_now() < until;) {
            for (int i = 0; i < 64; i++) {
                k.seq = seq++;
                struct tr_path path = { .local = in.addr, .remote = ports[0] };
                tr_udp_send(in.udp, &path, tr_slice(big, put_packet(&k, big)));
            }
            tr_udp_flush(in.udp);
            tr_media_counters(r.media, &c);
        }
        CHECK(c.drops[TR_DROP_RATE] > 0);
        for (uint16_t i = 0; i < 50; i++) {
            send_audio(&fine_in, &fine[0], i, 5);
            tr_clock_sleep(TR_MSEC);
        }
        WAIT_FOR(&r, &fine_out, fine_out.count == 50);
        CHECK(is_continuous(&fine_out));
    }
    rig_close(&r);
    host_close(&in);
    host_close(&stranger);
    host_close(&out);
    host_close(&fine_in);
    host_close(&fine_out);
}

/* A new SSRC, the same one with other numbers, another sender: all after silence, or not at all. */
TEST(a_sender_that_begins_anew_goes_on_as_one_stream)
{
    struct rig r;
    struct host in, next, out;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&next);
    host_open(&out);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        forward(&r, peer, AUDIO, &conf);
        for (uint16_t i = 0; i < 10; i++)
            send_audio(&in, &ports[0], (uint16_t)(100 + i), 5);
        WAIT_FOR(&r, &out, out.count == 10);
        tr_clock_sleep(TR_PLAIN_SSRC_US + 20 * TR_MSEC);
        for (uint16_t i = 0; i < 10; i++)
            send_audio(&in, &ports[0], (uint16_t)(40000 + i), 6);
        WAIT_FOR(&r, &out, out.count == 20);
        for (uint16_t i = 0; i < 11; i++) /* the first one is not believed */
            send_audio(&in, &ports[0], (uint16_t)(10000 + i), 6);
        WAIT_FOR(&r, &out, out.count == 30);
        tr_clock_sleep(TR_PLAIN_SENDER_US + 20 * TR_MSEC);
        for (uint16_t i = 0; i < 10; i++)
            send_audio(&next, &ports[0], i, 7);
        WAIT_FOR(&r, &out, out.count == 40);
        CHECK(is_continuous(&out));
        CHECK_INT(out.got[39].number, 9);
        CHECK_INT(out.got[39].rtp.ssrc, 5);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&next);
    host_close(&out);
}

TEST(senders_that_are_given_are_the_only_ones)
{
    struct rig r;
    struct host in, other, out;
    struct tr_addr local;
    host_open(&in);
    host_open(&other);
    host_open(&out);
    if (rig_open(&r)) {
        struct tr_media_port port = port_for(AUDIO, 0, false);
        port.feeds.sender = in.addr;
        tr_id peer = open_port(&r, &port, &local);
        struct tr_forward_conf f = forward_to(&out);
        forward(&r, peer, AUDIO, &f);
        send_audio(&other, &local, 1, 5);
        send_audio(&in, &local, 2, 5);
        WAIT_FOR(&r, &out, out.count == 1);
        CHECK_INT(out.got[0].number, 2);
        CHECK_INT(dropped(&r, TR_DROP_UNKNOWN_ADDR, 1), 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&other);
    host_close(&out);
}

TEST(what_makes_no_sense_is_refused)
{
    struct rig r;
    if (rig_open(&r)) {
        struct tr_track_conf tracks[TRACKS];
        struct tr_addr ports[8];
        tr_id id = 0, peer = open_source(&r, 1, ports);
        struct tr_media_end source = { peer, AUDIO }, nobody = { 12345, AUDIO };
        struct tr_forward_conf conf = { .host = "127.0.0.1", .port = 9 };
        struct tr_media_port port = port_for(AUDIO, 0, false);
        struct tr_media_plain_conf plain = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = &port, .ports_count = 1
        };
        fill_tracks(tracks, 1);
        CHECK(tr_media_forward_create(r.media, nobody, &conf, &id) == TR_ERR_NOTFOUND);
        conf.port = 0;
        CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_ERR_INVAL);
        conf.port = 9;
        conf.layer = 3;
        CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_ERR_INVAL);
        conf.layer = 0;
        conf.host = "";
        CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_ERR_INVAL);
        port.bind = ports[0]; /* taken */
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_IO);
        port.bind = tr_addr_v4(127, 0, 0, 1, 0);
        port.group = tr_addr_v4(10, 0, 0, 1, 0);
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_INVAL);
        port.group = (struct tr_addr){ 0 };
        plain.ports_count = 0;
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_LIMIT);
        plain.ports_count = 1;
        tracks[VIDEO].clock_rate = 0;
        CHECK(tr_media_plain_create(r.media, &plain, ports, &id) == TR_ERR_INVAL);
        /* More than a source takes: the rest is silent, and goes like the others. */
        conf.host = "127.0.0.1";
        for (int i = 0; i < TR_FORWARDS_SOURCE_MAX + 3; i++)
            CHECK(tr_media_forward_create(r.media, source, &conf, &id) == TR_OK);
        tr_clock_sleep(20 * TR_MSEC);
        tr_media_peer_close(r.media, peer);
        tr_media_forward_close(r.media, id);
        take_events(&r);
    }
    rig_close(&r);
}

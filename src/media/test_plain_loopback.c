/* Goal: plain RTP gets into the graph and out of it: by port or by SSRC, in the clear or with SRTP,
 * simulcast by layer or at its best, by name, IPv6 and multicast.
 * Method: the engine with real sockets (test_plain_rig.h). */
#include <stdio.h>

#include "media/test_plain_rig.h"
#include "unit.h"

TEST(audio_goes_through)
{
    struct rig r;
    struct host in, out;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&out);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.ssrc = 7777;
        conf.pt = 33;
        conf.audio_level_id = 1;
        tr_id id = forward(&r, peer, AUDIO, &conf);
        for (uint16_t i = 0; i < 100; i++) {
            uint16_t seq = (uint16_t)(65500u + i);
            struct packet k = {
                .seq = seq, .ts = i, .ssrc = 5, .number = seq, .level = 0x85, .len = 80
            };
            send_packet(&in, &ports[0], &k);
        }
        WAIT_FOR(&r, &out, out.count == 100);
        CHECK(is_continuous(&out));
        CHECK_INT(out.got[0].rtp.ssrc, 7777);
        CHECK_INT(out.got[0].rtp.pt, 33);
        CHECK(out.got[0].rtp.marker);
        CHECK_INT(out.got[50].number, (uint16_t)(65500u + 50));
        CHECK_INT(out.got[50].level, 0x85);
        CHECK_INT(out.got[50].len, 84);
        struct tr_forward_info info;
        CHECK(tr_media_forward_info(r.media, id, &info));
        CHECK_INT(info.state, TR_FORWARD_READY);
        CHECK_INT(info.packets, 100);
        CHECK_INT(info.dropped, 0);
        tr_media_forward_close(r.media, id);
        CHECK(!tr_media_forward_info(r.media, id, &info));
        tr_clock_sleep(20 * TR_MSEC);
        send_audio(&in, &ports[0], 200, 5);
        tr_clock_sleep(50 * TR_MSEC);
        host_turn(&out);
        CHECK_INT(out.count, 100);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
}

/* SRTP in by one suite, out by another; what is in the clear is not believed. */
TEST(srtp_in_and_out)
{
    static const enum tr_srtp_profile suites[] = { TR_SRTP_AES128_CM_SHA1_32,
                                                   TR_SRTP_AES128_CM_SHA1_80,
                                                   TR_SRTP_AEAD_AES_128_GCM };
    for (int i = 0; i < 3; i++) {
        struct rig r;
        struct host in, out;
        struct tr_track_conf tracks[TRACKS];
        struct tr_addr local;
        struct tr_srtp_keys key_in = { .key = "0123456789abcdef", .salt = "salt, inwards" };
        struct tr_srtp_keys key_out = { .key = "fedcba9876543210", .salt = "salt outwards" };
        enum tr_srtp_profile suite_in = suites[i], suite_out = suites[(i + 1) % 3];
        host_open(&in);
        host_open(&out);
        if (rig_open(&r)) {
            struct tr_media_port port = port_for(AUDIO, 0, false);
            struct tr_media_plain_conf conf = { .tracks = tracks,
                                                .tracks_count = TRACKS,
                                                .ports = &port,
                                                .ports_count = 1,
                                                .srtp = suite_in,
                                                .keys = key_in };
            tr_id peer = 0;
            fill_tracks(tracks, 1);
            CHECK(tr_media_plain_create(r.media, &conf, &local, &peer) == TR_OK);
            struct tr_srtp *protect = tr_srtp_create(r.engine, suite_in, TR_SRTP_OUT, &key_in);
            struct tr_forward_conf f = forward_to(&out);
            f.srtp = suite_out;
            f.keys = key_out;
            out.in = tr_srtp_create(r.engine, suite_out, TR_SRTP_IN, &key_out);
            forward(&r, peer, AUDIO, &f);
            for (uint16_t seq = 0; seq < 50; seq++) {
                uint8_t buf[1500];
                struct packet k = { .seq = seq, .ssrc = 9, .number = seq, .len = 100 };
                size_t n = put_packet(&k, buf);
                struct tr_srtp_job job = { .out = buf,
                                           .out_size = sizeof buf,
                                           .hdr_len = TR_RTP_HDR_MIN,
                                           .payload = tr_slice(buf + 12, n - 12),
                                           .index = TR_SRTP_AUTO };
                send_bytes(&in, &local, buf, n); /* in the clear */
                CHECK(tr_srtp_protect(protect, &job) == TR_OK);
                send_bytes(&in, &local, buf, job.out_len);
            }
            WAIT_FOR(&r, &out, out.count == 50);
            CHECK(is_continuous(&out));
            CHECK_INT(out.bad, 0);
            CHECK_INT(out.got[49].number, 49);
            CHECK_INT(dropped(&r, TR_DROP_SRTP_AUTH, 50), 50);
            tr_srtp_destroy(protect);
        }
        host_close(&in);
        host_close(&out); /* its SRTP uses the rig's engine */
        rig_close(&r);
    }
}

/* Or a second stream would begin with the key stream of the first. */
TEST(a_key_protects_an_ssrc_once)
{
    struct rig r;
    struct host in, out;
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&out);
    if (rig_open(&r)) {
        struct tr_forward_info info = { 0 };
        struct tr_srtp_keys key = { .key = "fedcba9876543210", .salt = "salt outwards" };
        struct tr_srtp_keys other = { .key = "0123456789abcdef", .salt = "salt outwards" };
        tr_id id = 0, peer = open_source(&r, 1, ports);
        struct tr_media_end source = { peer, AUDIO };
        struct tr_forward_conf f = forward_to(&out);
        f.srtp = TR_SRTP_AES128_CM_SHA1_80;
        f.keys = key;
        f.ssrc = 4242;

        f.host = "no-such-name.invalid"; /* nothing is ever sent */
        CHECK(tr_media_forward_create(r.media, source, &f, &id) == TR_OK);
        tr_media_forward_close(r.media, id);
        f.host = "127.0.0.1";
        id = forward(&r, peer, AUDIO, &f);
        CHECK(tr_media_forward_create(r.media, source, &f, &id) == TR_ERR_EXISTS);
        send_audio(&in, &ports[0], 1, 5);
        WAIT_FOR(&r, &out, out.count == 1);

        tr_media_forward_close(r.media, id);
        tr_clock_sleep(20 * TR_MSEC);
        take_events(&r); /* it is gone */
        CHECK(tr_media_forward_create(r.media, source, &f, &id) == TR_ERR_EXISTS);
        f.srtp = TR_SRTP_AES128_CM_SHA1_32; /* the same key stream */
        CHECK(tr_media_forward_create(r.media, source, &f, &id) == TR_ERR_EXISTS);
        f.keys = other;
        CHECK(tr_media_forward_create(r.media, source, &f, &id) == TR_OK);
        f.keys = key;
        f.ssrc = 0;
        CHECK(tr_media_forward_create(r.media, source, &f, &id) == TR_OK);
        CHECK(tr_media_forward_info(r.media, id, &info) && info.ssrc && info.ssrc != 4242);
        uint32_t random = info.ssrc;
        CHECK(tr_media_forward_create(r.media, source, &f, &id) == TR_OK);
        CHECK(tr_media_forward_info(r.media, id, &info) && info.ssrc != random);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
}

static void send_layers(struct host *in, const struct tr_addr *ports, int layers, uint16_t seq,
                        bool keyframe)
{
    for (int l = 0; l < layers; l++)
        send_video(in, &ports[1 + l], seq, 100u + (uint32_t)l, keyframe);
}

/* The best layer that flows, as one stream; and each layer by itself. */
TEST(simulcast_at_its_best_and_layer_by_layer)
{
    struct rig r;
    struct host in, best, each[LAYERS];
    struct tr_addr ports[8];
    host_open(&in);
    host_open(&best);
    for (int i = 0; i < LAYERS; i++)
        host_open(&each[i]);
    if (rig_open(&r)) {
        tr_id peer = open_source(&r, LAYERS, ports);
        struct tr_forward_conf conf = forward_to(&best);
        conf.layer = TR_FORWARD_BEST;
        forward(&r, peer, VIDEO, &conf);
        for (int i = 0; i < LAYERS; i++) {
            conf = forward_to(&each[i]);
            conf.layer = i;
            forward(&r, peer, VIDEO, &conf);
        }
        uint16_t seq = 10;
        for (int i = 0; i < 40; i++, seq++) {
            send_layers(&in, ports, LAYERS, seq, i % 10 == 0);
            tr_clock_sleep(2 * TR_MSEC);
        }
        WAIT_FOR(&r, &each[2], each[2].count == 40);
        WAIT_FOR(&r, &each[0], each[0].count == 40);
        WAIT_FOR(&r, &best, best.count >= 30);
        tr_clock_sleep(400 * TR_MSEC); /* the best one falls silent */
        for (int i = 0; i < 40; i++, seq++) {
            send_layers(&in, ports, 1, seq, i % 10 == 0);
            tr_clock_sleep(10 * TR_MSEC);
        }
        WAIT_FOR(&r, &best, best.count >= 30 + 30);
        CHECK(is_continuous(&best) && is_continuous(&each[0]) && is_continuous(&each[2]));
        host_turn(&each[2]);
        CHECK_INT(each[2].count, 40);
        CHECK_INT(each[1].got[0].rtp.ssrc == 101 || each[1].count == 0, 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&best);
    for (int i = 0; i < LAYERS; i++)
        host_close(&each[i]);
}

/* As remote publishers have it: one port, SSRCs agreed upon. */
TEST(one_port_for_all_by_ssrc)
{
    struct rig r;
    struct host in, audio, video;
    struct tr_track_conf tracks[TRACKS];
    struct tr_addr locals[2];
    host_open(&in);
    host_open(&audio);
    host_open(&video);
    if (rig_open(&r)) {
        struct tr_media_port ports[2] = { port_for(TR_PLAIN_BY_SSRC, TR_PLAIN_BY_SSRC, false),
                                          port_for(TR_PLAIN_BY_SSRC, TR_PLAIN_BY_SSRC, true) };
        struct tr_media_plain_conf conf = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = ports, .ports_count = 2
        };
        tr_id peer = 0;
        fill_tracks(tracks, LAYERS);
        tracks[AUDIO].layers[0].ssrc = 1000;
        for (uint32_t l = 0; l < LAYERS; l++)
            tracks[VIDEO].layers[l].ssrc = 1010 + l;
        CHECK(tr_media_plain_create(r.media, &conf, locals, &peer) == TR_OK);
        struct tr_forward_conf f = forward_to(&audio);
        forward(&r, peer, AUDIO, &f);
        f = forward_to(&video);
        f.layer = 2;
        forward(&r, peer, VIDEO, &f);
        for (uint16_t i = 0; i < 30; i++) {
            send_audio(&in, &locals[0], i, 1000);
            for (uint32_t l = 0; l < LAYERS; l++)
                send_video(&in, &locals[0], i, 1010 + l, i == 0);
            send_video(&in, &locals[0], i, 1013, true); /* nobody's */
        }
        WAIT_FOR(&r, &audio, audio.count == 30);
        WAIT_FOR(&r, &video, video.count == 30);
        CHECK_INT(video.got[0].rtp.ssrc, 1012);
        CHECK(is_continuous(&audio) && is_continuous(&video));
        CHECK_INT(dropped(&r, TR_DROP_RTP_UNKNOWN_SSRC, 30), 30);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&audio);
    host_close(&video);
}

TEST(names_and_ipv6)
{
    struct rig r;
    struct host in, out, six;
    struct tr_addr ports[8], loopback;
    host_open(&in);
    host_open(&out);
    CHECK(tr_addr_parse_ip(&loopback, "::1", 0) == TR_OK);
    bool have_six = host_open_at(&six, loopback);
    if (rig_open(&r)) {
        struct tr_forward_info info = { 0 };
        tr_id peer = open_source(&r, 1, ports);
        struct tr_forward_conf conf = forward_to(&out);
        conf.host = "localhost";
        conf.family = 4;
        tr_id id = forward(&r, peer, AUDIO, &conf);
        conf.host = "no-such-name.invalid";
        tr_id never = forward(&r, peer, AUDIO, &conf);
        conf.host = "::1";
        conf.port = six.addr.port;
        if (have_six)
            forward(&r, peer, AUDIO, &conf);
        WAIT_FOR(&r, &out,
                 tr_media_forward_info(r.media, id, &info) && info.state == TR_FORWARD_READY);
        CHECK(tr_addr_is_loopback(&info.to));
        WAIT_FOR(&r, &out,
                 tr_media_forward_info(r.media, never, &info) &&
                     info.state == TR_FORWARD_UNRESOLVED);
        tr_clock_sleep(20 * TR_MSEC);
        for (uint16_t i = 0; i < 5; i++)
            send_audio(&in, &ports[0], i, 5);
        WAIT_FOR(&r, &out, out.count == 5);
        if (have_six)
            WAIT_FOR(&r, &six, six.count == 5);
        conf.host = "localhost";
        forward(&r, peer, AUDIO, &conf); /* under way when everything ends */
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
    if (have_six)
        host_close(&six);
}

TEST(multicast)
{
    struct rig r;
    struct host in, out;
    struct tr_addr local;
    host_open(&in);
    host_open(&out);
    if (rig_open(&r)) {
        struct tr_media_port port = port_for(AUDIO, 0, false);
        port.group = tr_addr_v4(239, 255, 77, 1, 0);
        snprintf(port.iface, sizeof port.iface, "lo");
        tr_id peer = open_port(&r, &port, &local);
        CHECK(tr_addr_ip_eq(&local, &port.group));
        struct tr_forward_conf f = forward_to(&out);
        forward(&r, peer, AUDIO, &f);
        send_audio(&in, &local, 2, 5); /* from 127.0.0.1 it goes by lo */
        WAIT_FOR(&r, &out, out.count == 1);
    }
    rig_close(&r);
    host_close(&in);
    host_close(&out);
}

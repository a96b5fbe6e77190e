/* Goal: the engine as the server runs it (two workers, real sockets and threads) connects real
 * clients, forwards between them, repairs losses, limits key frame requests, follows a client to
 * another address, and ends without a trace.
 * Method: clients over sockets on 127.0.0.1 (test_rig.h). */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "media/plain.h"
#include "media/test_rig.h"
#include "net/waiter.h"
#include "rtp/rtp.h"
#include "stun/stun.h"

TEST(echo)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, AUDIO); /* waits until the peer is there */
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        WAIT_FOR(r, events_of(r, TR_MEDIA_PEER_UP, c->id) == 1);
        send_frames(r, c, 20);
        WAIT_FOR(r, c->in[VIDEO].packets == 200 && c->in[AUDIO].packets == 20);
        CHECK_INT(c->in[VIDEO].damaged + c->in[AUDIO].damaged, 0);
        CHECK_INT(c->in[VIDEO].last - c->in[VIDEO].first, 199);
        CHECK_INT(c->in[VIDEO].keyframes, 1);
        WAIT_FOR(r, events_of(r, TR_MEDIA_RECEIVING, c->id) == 2);
        ask_stats(r, c->id);
        CHECK(r->stats && r->stats->tracks_count == TRACKS);
        CHECK_STR(r->stats->ice_state, "connected");
        CHECK_STR(r->stats->dtls_state, "connected");
        CHECK_STR(r->stats->srtp_profile, "AEAD_AES_128_GCM");
        CHECK_INT(r->stats->tracks[VIDEO].layers[0].packets, 200);
        CHECK_INT(r->stats->tracks[VIDEO].out_packets, 200);
        tr_media_peer_close(r->media, c->id);
        WAIT_FOR(r, c->down);
        ask_stats(r, c->id);
        CHECK(r->stats == NULL);
    }
    rig_close(r);
    tr_free(r);
}

TEST(echo_with_each_profile)
{
    static const enum tr_srtp_profile profiles[] = { TR_SRTP_AES128_CM_SHA1_80,
                                                     TR_SRTP_AEAD_AES_256_GCM };
    static const char *const names[] = { "AES128_CM_SHA1_80", "AEAD_AES_256_GCM" };
    struct rig *r = tr_alloc(sizeof *r);
    for (int i = 0; i < 2; i++) {
        enum tr_srtp_profile only[TR_SRTP_PROFILES] = { profiles[i] };
        if (rig_open(r, only)) {
            struct client *c = client_open(r);
            route(r, c, c, VIDEO);
            WAIT_FOR(r, c->up);
            client_send(c, VIDEO, 10, true);
            WAIT_FOR(r, c->in[VIDEO].packets == 10);
            CHECK_INT(c->in[VIDEO].damaged, 0);
            ask_stats(r, c->id);
            CHECK(r->stats && strcmp(r->stats->srtp_profile, names[i]) == 0);
        }
        rig_close(r);
    }
    tr_free(r);
}

TEST(call_across_workers)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && open_two_apart(r, &a, &b)) {
        for (int i = 0; i < TRACKS; i++) {
            route(r, a, b, i);
            route(r, b, a, i);
        }
        run_for(r, 20 * TR_MSEC); /* the routes are wired */
        for (int i = 0; i < 20; i++) {
            client_send(a, VIDEO, 10, i == 0);
            client_send(b, VIDEO, 10, i == 0);
            client_send(a, AUDIO, 1, false);
            run_for(r, 3 * TR_MSEC);
        }
        WAIT_FOR(r, a->in[VIDEO].packets == 200 && b->in[VIDEO].packets == 200);
        WAIT_FOR(r, b->in[AUDIO].packets == 20);
        CHECK_INT(a->in[VIDEO].damaged + b->in[VIDEO].damaged, 0);
        CHECK_INT(b->in[VIDEO].last - b->in[VIDEO].first, 199);
        tr_media_peer_close(r->media, a->id);
        WAIT_FOR(r, a->down);
        client_send(b, VIDEO, 10, true); /* to nobody */
        run_for(r, 50 * TR_MSEC);
        CHECK(!b->down);
    }
    rig_close(r);
    tr_free(r);
}

/* A loses every 7th datagram that it gets: all come in the end, by RTX, under their old numbers. */
static void check_repair(struct rig *r, struct client *from, struct client *to)
{
    route(r, from, to, VIDEO);
    run_for(r, 20 * TR_MSEC);
    to->drop_every = 7;
    uint16_t first = (uint16_t)from->next_seq[VIDEO];
    send_frames(r, from, 20);
    int missing = 200;
    tr_usec until = tr_clock_now() + WAIT_US;
    while (missing > 0 && tr_clock_now() < until) {
        rig_turn(r);
        missing = 0;
        for (int i = 0; i < 190; i++) /* what no later packet shows missing cannot be asked for */
            missing += to->in[VIDEO].seen[(uint16_t)(first + i) % SEQS_MAX] == 0;
    }
    CHECK_INT(missing, 0);
    CHECK(to->in[VIDEO].repaired > 10);
    CHECK_INT(to->in[VIDEO].damaged, 0);
}

TEST(losses_are_repaired_here_and_across_workers)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && open_two_apart(r, &a, &b)) {
        check_repair(r, a, b);
        check_repair(r, b, b);
        struct tr_media_counters sums;
        run_for(r, 150 * TR_MSEC);
        tr_media_counters(r->media, &sums);
        CHECK(sums.rtx_out > 20 && sums.nacks_in > 20);
        CHECK_INT(sums.peers, r->clients_count);
        CHECK_INT(sums.routes, 1); /* the second took the sink of the first */
    }
    rig_close(r);
    tr_free(r);
}

/* Half of all is lost, retransmissions too, so the client asks again and again. What it does not
 * get in the end takes a key frame, though this client never asks for one. */
TEST(what_is_sent_again_is_a_part_of_what_is_sent)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        c->drop_every = 2;
        int asked = c->keyframes_asked;
        send_frames(r, c, 80);
        struct tr_media_counters sums = counters(r);
        CHECK(sums.drops[TR_DROP_RESEND] > 0);
        CHECK(c->keyframes_asked > asked);
        CHECK(sums.rtx_out > 50 && sums.rtx_out < 64 + 32 + 80 * 10 / 5);
    }
    rig_close(r);
    tr_free(r);
}

TEST(a_client_that_floods_is_held_to_a_multiple_of_what_it_was_told)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r), *other = client_open(r);
        WAIT_FOR(r, c->up && other->up);
        struct tr_media_counters sums = { 0 };
        tr_usec until = tr_clock_now() + WAIT_US;
        while (sums.drops[TR_DROP_RATE] == 0 && tr_clock_now() < until) {
            client_send(c, VIDEO, TR_PEER_RUN_MAX, false);
            rig_turn(r);
            tr_media_counters(r->media, &sums);
        }
        CHECK(sums.drops[TR_DROP_RATE] > 0);
        CHECK(sums.bytes_in > 4000000);
        route(r, other, other, VIDEO);
        send_frames(r, other, 5);
        WAIT_FOR(r, other->in[VIDEO].packets == 50);
        CHECK(!c->down);
    }
    rig_close(r);
    tr_free(r);
}

/* What the client loses on its way up is asked for by the engine. */
TEST(losses_of_the_uplink_are_asked_for)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 5, true);
        c->next_seq[VIDEO] += 3;
        for (int i = 0; i < 5; i++) {
            client_send(c, VIDEO, 5, false);
            run_for(r, 5 * TR_MSEC);
        }
        WAIT_FOR(r, c->nacks >= 3);
    }
    rig_close(r);
    tr_free(r);
}

TEST(key_frames_are_asked_for_but_not_more_often_than_every_500_ms)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 5, true); /* the stream is known */
        run_for(r, 50 * TR_MSEC);
        tr_usec start = tr_clock_now();
        for (int i = 0; i < 100; i++) {
            tr_media_keyframe(r->media, end(c, VIDEO));
            run_for(r, 10 * TR_MSEC);
        }
        int asked = c->keyframes_asked;
        CHECK(asked >= 2 && asked <= (int)((tr_clock_now() - start) / (500 * TR_MSEC)) + 1);
    }
    rig_close(r);
    tr_free(r);
}

/* --- held streams --- */

/* The client's video is taken by the engine (recv), and sent to it (send), or not. */
static void hold(struct rig *r, struct client *c, bool recv, bool send)
{
    struct tr_track_conf tracks[TRACKS];
    fill_tracks(tracks, (int)(c - r->clients), false);
    tracks[VIDEO].recv = recv;
    tracks[VIDEO].send = send;
    CHECK(tr_media_peer_tracks(r->media, c->id, tracks, TRACKS) == TR_OK);
    run_for(r, 20 * TR_MSEC);
}

/* a is asked for a key frame, once more than before and at once: the tick would be later. */
static void check_asked(struct rig *r, struct client *a, int before)
{
    tr_usec start = tr_clock_now();
    WAIT_FOR(r, a->keyframes_asked == before + 1);
    CHECK(tr_clock_now() - start < 400 * TR_MSEC);
}

static void check_held_sender(struct rig *r, struct client *a, struct client *b)
{
    hold(r, a, false, true);
    hold(r, a, true, true);
    run_for(r, 600 * TR_MSEC);
    int asked = a->keyframes_asked;
    client_send(a, VIDEO, 2, false); /* b cannot begin with it */
    check_asked(r, a, asked);
    client_send(a, VIDEO, 10, true);
    WAIT_FOR(r, b->in[VIDEO].packets == 22);
}

static void check_held_receiver(struct rig *r, struct client *a, struct client *b)
{
    hold(r, b, true, false);
    client_send(a, VIDEO, 5, false);
    run_for(r, 600 * TR_MSEC);
    int asked = a->keyframes_asked;
    hold(r, b, true, true);
    check_asked(r, a, asked);
    client_send(a, VIDEO, 2, false);
    client_send(a, VIDEO, 10, true);
    WAIT_FOR(r, b->in[VIDEO].packets == 32);
}

static void check_paused(struct rig *r, struct client *a, tr_id id)
{
    struct tr_route_conf conf = tr_route_conf_default();
    conf.paused = true;
    tr_media_route_set(r->media, id, &conf);
    run_for(r, 600 * TR_MSEC);
    int asked = a->keyframes_asked;
    conf.paused = false;
    tr_media_route_set(r->media, id, &conf);
    check_asked(r, a, asked);
}

static void check_holds(struct rig *r, struct client *a, struct client *b)
{
    tr_id id = route(r, a, b, VIDEO);
    b->in[VIDEO] = (struct received){ 0 };
    run_for(r, 20 * TR_MSEC);
    client_send(a, VIDEO, 10, true);
    WAIT_FOR(r, b->in[VIDEO].packets == 10);
    check_held_sender(r, a, b);
    check_held_receiver(r, a, b);
    check_paused(r, a, id);
    CHECK_INT(b->in[VIDEO].last - b->in[VIDEO].first, 31);
    CHECK_INT(b->in[VIDEO].damaged, 0);
}

TEST(a_stream_that_was_held_comes_back_with_a_key_frame)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && open_two_apart(r, &a, &b)) {
        check_holds(r, a, b);
        check_holds(r, b, b);
    }
    rig_close(r);
    tr_free(r);
}

TEST(who_is_held_again_and_again_is_asked_every_500_ms_at_most)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 5, true);
        run_for(r, 50 * TR_MSEC);
        tr_usec start = tr_clock_now();
        int before = c->keyframes_asked;
        for (int i = 0; i < 20; i++) {
            hold(r, c, false, true);
            hold(r, c, true, true);
            client_send(c, VIDEO, 2, false);
        }
        run_for(r, 10 * TR_MSEC);
        int asked = c->keyframes_asked - before;
        CHECK(asked >= 1 && asked <= (int)((tr_clock_now() - start) / (500 * TR_MSEC)) + 1);
    }
    rig_close(r);
    tr_free(r);
}

/* --- who talks --- */

TEST(who_talks_is_told_though_it_was_asked_before_the_client_came)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        const struct tr_talk_conf loud = { .packets = 5, .level = AUDIO_LEVEL + 10 };
        struct tr_track_conf tracks[TRACKS];
        struct client *a = client_open(r), *b = client_open(r);
        tr_media_talk(r->media, end(a, AUDIO), &loud);
        tr_media_talk(r->media, end(b, AUDIO), &loud);
        fill_tracks(tracks, (int)(b - r->clients), false);
        tracks[AUDIO].recv = false; /* b's audio is negotiated later */
        CHECK(tr_media_peer_tracks(r->media, b->id, tracks, TRACKS) == TR_OK);
        WAIT_FOR(r, a->up && b->up);
        run_for(r, 20 * TR_MSEC);
        tracks[AUDIO].recv = true;
        CHECK(tr_media_peer_tracks(r->media, b->id, tracks, TRACKS) == TR_OK);
        run_for(r, 20 * TR_MSEC);
        client_send(a, AUDIO, 5, false);
        client_send(b, AUDIO, 5, false);
        WAIT_FOR(r, events_of(r, TR_MEDIA_TALKING, a->id) == 1);
        WAIT_FOR(r, events_of(r, TR_MEDIA_TALKING, b->id) == 1);
    }
    rig_close(r);
    tr_free(r);
}

/* --- taps --- */

enum { HELD_MAX = 512 };

struct tap_log {
    _Atomic int packets, damaged, reports;
    _Atomic bool closed;
    struct tr_pkt *held[HELD_MAX]; /* by the worker's thread, until closed */
    int held_count;
};

static void check_late(struct rig *r, struct client *a, struct client *b, struct client *c)
{
    route(r, a, b, VIDEO);
    client_send(a, VIDEO, 10, true);
    client_send(a, VIDEO, 10, false);
    WAIT_FOR(r, b->in[VIDEO].packets == 20);
    int asked = a->keyframes_asked;
    route(r, a, c, VIDEO);
    WAIT_FOR(r, c->in[VIDEO].packets == 20);
    CHECK_INT(c->in[VIDEO].keyframes, 1);
    client_send(a, VIDEO, 10, false);
    WAIT_FOR(r, b->in[VIDEO].packets == 30 && c->in[VIDEO].packets == 30);
    CHECK_INT(c->in[VIDEO].last - c->in[VIDEO].first, 29);
    CHECK_INT(c->in[VIDEO].damaged, 0);
    CHECK_INT(a->keyframes_asked, asked);
    /* When it has left the ring, the publisher is asked. */
    run_for(r, 1300 * TR_MSEC);
    client_send(a, VIDEO, 10, false);
    WAIT_FOR(r, b->in[VIDEO].packets == 40);
    route(r, a, a, VIDEO);
    WAIT_FOR(r, a->keyframes_asked > asked);
    CHECK_INT(a->in[VIDEO].packets, 0);
}

/* The second of two listeners finds the key frame of the first in the ring. */
TEST(who_comes_late_begins_with_the_last_key_frame)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *three[3] = { 0 };
        if (open_on_one_worker(r, three, 3))
            check_late(r, three[0], three[1], three[2]);
    }
    rig_close(r);
    tr_free(r);
}
static void tap_packets(void *arg, uint16_t track, struct tr_pkt *const *pkts, int count)
{
    struct tap_log *log = arg;
    if (track != 7)
        log->damaged++;
    for (int i = 0; i < count && log->held_count < HELD_MAX; i++)
        log->held[log->held_count++] = tr_pkt_ref(pkts[i]);
    log->packets += count;
}

static void tap_report(void *arg, uint16_t track, const struct tr_tap_sr *sr)
{
    struct tap_log *log = arg;
    log->reports++;
}

static void tap_closed(void *arg)
{
    struct tap_log *log = arg;
    for (int i = 0; i < log->held_count; i++)
        tr_pkt_unref(&log->held[i]);
    log->closed = true;
}

static struct tr_tap tap_of(struct tap_log *log)
{
    return (struct tr_tap){
        .packets = tap_packets, .sender_report = tap_report, .closed = tap_closed, .arg = log
    };
}

TEST(a_tap_gets_packets_and_reports_until_it_is_closed)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct tap_log *log = tr_alloc(sizeof *log);
    if (rig_open(r, NULL)) {
        struct tr_tap to = tap_of(log);
        struct client *c = client_open(r);
        tr_id tap = tr_media_tap_create(r->media, &to);
        tr_media_tap_route(r->media, end(c, VIDEO), tap, 7); /* before the peer is up */
        WAIT_FOR(r, c->up);
        tr_peer_set_tx_clock(c->peer, VIDEO, c->ts[VIDEO], tr_clock_now());
        send_frames(r, c, 10);
        WAIT_FOR(r, log->packets == 100);
        WAIT_FOR(r, log->reports >= 1);
        tr_media_tap_close(r->media, tap);
        WAIT_FOR(r, log->closed);
        client_send(c, VIDEO, 10, false);
        run_for(r, 50 * TR_MSEC);
        CHECK_INT(log->packets, 100);
        CHECK_INT(log->damaged, 0);
    }
    rig_close(r);
    tr_free(log);
    tr_free(r);
}

TEST(a_tap_that_is_open_at_the_end_lets_go_of_its_packets)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct tap_log *log = tr_alloc(sizeof *log);
    if (rig_open(r, NULL)) {
        struct tr_tap to = tap_of(log);
        struct client *c = client_open(r);
        tr_media_tap_route(r->media, end(c, VIDEO), tr_media_tap_create(r->media, &to), 7);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, log->packets == 10);
    }
    rig_close(r);
    CHECK(log->closed);
    tr_free(log);
    tr_free(r);
}

/* --- a second path --- */

static int unknown(struct rig *r)
{
    struct tr_media_counters sums; /* the workers publish them ten times a second */
    tr_media_counters(r->media, &sums);
    return (int)sums.drops[TR_DROP_UNKNOWN_ADDR];
}

/* Media from four more sockets, of which the kernel gives some to the other worker. */
TEST(a_second_path_may_arrive_at_another_worker)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, c->in[VIDEO].packets == 10);
        for (int i = 1; i <= 6; i++) {
            struct tr_path path;
            if (!client_other(c, &path))
                break;
            send_some(c, c->other, &path, VIDEO, 1, false); /* not proven yet: dropped */
            WAIT_FOR(r, unknown(r) >= i);
            CHECK_INT(unknown(r), i);
            send_check(c, c->other, &path);
            run_for(r, 120 * TR_MSEC);
            int have = c->in[VIDEO].packets;
            send_some(c, c->other, &path, VIDEO, 10, false);
            WAIT_FOR(r, c->in[VIDEO].packets >= have + 10);
            run_for(r, 120 * TR_MSEC);
            CHECK_INT(unknown(r), i);
        }
        ask_stats(r, c->id);
        CHECK(r->stats && r->stats->pairs_count >= 7);
    }
    rig_close(r);
    tr_free(r);
}

/* More paths than the agent keeps: the newest one works, the oldest makes room for it. */
TEST(a_client_may_move_often)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, c->in[VIDEO].packets == 10);
        for (int i = 1; i <= TR_ICE_PATH_MAX + 2; i++) {
            struct tr_path path;
            if (!client_other(c, &path))
                break;
            send_check(c, c->other, &path);
            int have = c->in[VIDEO].packets;
            tr_usec end = tr_clock_now() + WAIT_US;
            do { /* what overtakes the check is from nobody */
                send_some(c, c->other, &path, VIDEO, 10, false);
                run_for(r, 20 * TR_MSEC);
            } while (c->in[VIDEO].packets < have + 10 && tr_clock_now() < end);
            CHECK(c->in[VIDEO].packets >= have + 10);
        }
    }
    rig_close(r);
    tr_free(r);
}

/* A client that dies without a word, and another at the same address; see ADDR_QUIET_US. */
TEST(an_address_is_given_away_only_when_it_is_silent)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct tr_path path;
        struct client *a = client_open(r), *b = client_open(r);
        route(r, a, a, VIDEO);
        WAIT_FOR(r, a->up && b->up);
        tr_peer_path(a->peer, &path);
        send_check(b, a->udp, &path); /* it is in use */
        client_send(a, VIDEO, 10, true);
        WAIT_FOR(r, a->in[VIDEO].packets == 10);

        tr_peer_destroy(a->peer);
        a->peer = NULL;
        tr_usec quiet = tr_clock_now() + 5 * TR_SECOND + 100 * TR_MSEC;
        while (tr_clock_now() < quiet)
            rig_turn(r);
        struct client *c = client_open(r);
        tr_udp_close(c->udp);
        c->udp = a->udp;
        c->local = a->local;
        a->udp = NULL;
        tr_peer_destroy(c->peer);
        c->up = false;
        CHECK(client_start(c));
        route(r, c, c, VIDEO);
        WAIT_FOR(r, c->up);
        client_send(c, VIDEO, 10, true);
        WAIT_FOR(r, c->in[VIDEO].packets == 10);
    }
    rig_close(r);
    tr_free(r);
}

/* --- plain RTP --- */

static void send_plain(struct tr_udp *udp, const struct tr_path *path, uint16_t number,
                       bool keyframe)
{
    uint8_t buf[1200];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_rtp_put(&w, true, 100, number, number * 3000u, 77, false);
    uint8_t *payload = tr_wr_skip(&w, 1000);
    for (size_t i = payload_head(VIDEO, keyframe, number, payload); i < 1000; i++)
        payload[i] = pattern(number, i);
    tr_udp_send(udp, path, tr_wr_slice(&w));
    tr_udp_flush(udp);
}

/* A source of plain RTP is like a client's: it is routed, its losses are repaired from the ring. */
TEST(plain_rtp_reaches_a_client)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct tr_udp *udp = NULL;
    if (rig_open(r, NULL) && open_socket(r, &udp)) {
        struct tr_route_conf conf = tr_route_conf_default();
        struct tr_track_conf tracks[TRACKS];
        struct tr_media_port port = { .feeds = { .mline = VIDEO },
                                      .bind = tr_addr_v4(127, 0, 0, 1, 0) };
        struct tr_media_plain_conf plain = {
            .tracks = tracks, .tracks_count = TRACKS, .ports = &port, .ports_count = 1
        };
        struct tr_path path = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(udp)) };
        tr_id peer = 0;
        struct client *c = client_open(r);
        fill_tracks(tracks, CLIENTS_MAX, false);
        for (int i = 0; i < TRACKS; i++) {
            tracks[i].send = false;
            tracks[i].layers[0] = (struct tr_track_layer){ 0 };
        }
        CHECK(tr_media_plain_create(r->media, &plain, &path.remote, &peer) == TR_OK);
        tr_media_route(r->media, (struct tr_media_end){ peer, VIDEO }, end(c, VIDEO), &conf);
        WAIT_FOR(r, c->up);
        run_for(r, 20 * TR_MSEC);
        c->drop_every = 5;
        for (uint16_t number = 0; number < 50; number++) {
            send_plain(udp, &path, number, number == 0);
            run_for(r, 2 * TR_MSEC);
        }
        WAIT_FOR(r, c->in[VIDEO].packets >= 49 && c->in[VIDEO].repaired >= 5);
        CHECK_INT(c->in[VIDEO].damaged, 0);
        WAIT_FOR(r, events_of(r, TR_MEDIA_RECEIVING, peer) >= 1);
        ask_stats(r, peer);
        CHECK(r->stats && r->stats->tracks[VIDEO].layers[0].packets == 50);
        tr_media_peer_close(r->media, peer);
        ask_stats(r, peer);
        CHECK(r->stats == NULL);
    }
    tr_udp_close(udp);
    rig_close(r);
    tr_free(r);
}

/* --- ends --- */

TEST(peers_that_never_came_and_peers_in_mid_handshake_go_without_a_trace)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        struct tr_media_peer_conf creds = { .ufrag = "nobody", .pwd = "0123456789012345678901" };
        tr_id never = tr_media_peer_create(r->media, &creds);
        CHECK(never != 0);
        CHECK(tr_media_peer_create(r->media, &creds) == 0); /* the ufrag is taken */
        ask_stats(r, never);
        CHECK(r->stats && r->stats->worker == -1);
        tr_media_peer_close(r->media, never);
        struct client *c = client_open(r);
        rig_turn(r);
        tr_media_peer_close(r->media, c->id); /* taken over or not: control cannot know yet */
        ask_stats(r, c->id);
        CHECK(r->stats == NULL);
        client_open(r);
        rig_turn(r);
    }
    rig_close(r); /* the second one is in its handshake */
    tr_free(r);
}

TEST(a_silent_peer_is_reported_gone)
{
    struct rig *r = tr_alloc(sizeof *r);
    memset(r, 0, sizeof *r);
    if (rig_open(r, NULL)) {
        struct client *c = client_open(r);
        WAIT_FOR(r, c->up);
        tr_peer_close(c->peer, tr_clock_now()); /* close_notify */
        WAIT_FOR(r, events_of(r, TR_MEDIA_PEER_DOWN, c->id) == 1);
        tr_media_peer_close(r->media, c->id);
    }
    rig_close(r);
    tr_free(r);
}

/* A route that is made before its sink has m-lines waits for them. */
TEST(a_route_waits_for_the_m_lines_of_both_ends)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && (a = client_open(r)) && (b = client_open(r))) {
        struct tr_track_conf tracks[TRACKS];
        WAIT_FOR(r, a->up && b->up);
        fill_tracks(tracks, (int)(b - r->clients), false);
        tracks[VIDEO].send = false;
        CHECK(tr_media_peer_tracks(r->media, b->id, tracks, TRACKS) == TR_OK);
        fill_tracks(tracks, (int)(a - r->clients), false);
        tracks[VIDEO].recv = false;
        CHECK(tr_media_peer_tracks(r->media, a->id, tracks, TRACKS) == TR_OK);
        route(r, a, b, VIDEO);
        run_for(r, 20 * TR_MSEC);
        fill_tracks(tracks, (int)(a - r->clients), false);
        CHECK(tr_media_peer_tracks(r->media, a->id, tracks, TRACKS) == TR_OK);
        fill_tracks(tracks, (int)(b - r->clients), false);
        CHECK(tr_media_peer_tracks(r->media, b->id, tracks, TRACKS) == TR_OK);
        run_for(r, 20 * TR_MSEC);
        b->drop_every = 5; /* the ring is kept, too */
        send_frames(r, a, 10);
        WAIT_FOR(r, b->in[VIDEO].repaired > 5);
    }
    rig_close(r);
    tr_free(r);
}

/* A client that had one layer gets a second: who listens on another worker is told of it. */
TEST(a_renegotiation_reaches_those_who_listen_on_another_worker)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct client *a, *b;
    if (rig_open(r, NULL) && open_two_apart(r, &a, &b)) {
        struct tr_track_conf tracks[TRACKS];
        int n = (int)(a - r->clients);
        uint32_t better = ssrc_of(CLIENTS_MAX, VIDEO, false, false);
        route(r, a, b, VIDEO);
        run_for(r, 20 * TR_MSEC);
        client_send(a, VIDEO, 10, true);
        WAIT_FOR(r, b->in[VIDEO].packets == 10);
        fill_tracks(tracks, n, false);
        tracks[VIDEO].layers_count = 2;
        tracks[VIDEO].layers[1].ssrc = better;
        CHECK(tr_media_peer_tracks(r->media, a->id, tracks, TRACKS) == TR_OK);
        run_for(r, 20 * TR_MSEC);
        fill_tracks(tracks, n, true);
        tracks[VIDEO].out_ssrc = better;
        CHECK(tr_peer_set_tracks(a->peer, tr_clock_now(), tracks, TRACKS) == TR_OK);
        b->drop_every = 5; /* and the new layer is kept for retransmission */
        send_frames(r, a, 5);
        WAIT_FOR(r, b->in[VIDEO].packets > 50 && b->in[VIDEO].repaired > 5);
        CHECK(events_of(r, TR_MEDIA_LAYER, b->id) >= 1);
    }
    rig_close(r);
    tr_free(r);
}

TEST(a_failed_start_leaves_other_descriptors_alone)
{
    struct tr_media *media = NULL;
    struct tr_dtls_cert *cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    struct tr_media_conf conf = {
        .workers = 2, .bind = { tr_addr_v4(192, 0, 2, 77, 0) }, .bind_count = 1, .cert = cert
    };
    int before = tr_waiter_open();
    tr_waiter_close(before);
    CHECK(tr_media_create(&media, &conf) == TR_ERR_IO);
    CHECK(media == NULL);
    int after = tr_waiter_open(); /* the lowest free one: 0 if standard input was closed */
    CHECK_INT(after, before);
    tr_waiter_close(after);
    tr_dtls_cert_destroy(cert);
}

/* Goal: clients whose network lets no UDP through connect over TCP (RFC 6544), whichever worker the
 * kernel gives their stream to; a stream that has no authenticated check to show is closed; a
 * stream and its path end together, and a client that connects again goes on. IPv6 as well.
 * Method: the engine with two workers, clients over streams on loopback (test_rig.h). */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "media/test_rig.h"

static void check_echo(struct rig *r, struct client *c, int frames)
{
    int before = c->in[VIDEO].packets;
    send_frames(r, c, frames);
    WAIT_FOR(r, c->in[VIDEO].packets >= before + frames * 10);
    CHECK_INT(c->in[VIDEO].damaged + c->in[AUDIO].damaged, 0);
}

static void echo_routes(struct rig *r, const struct client *c)
{
    route(r, c, c, AUDIO);
    route(r, c, c, VIDEO);
}

/* Enough of them, so that about half begin at the wrong worker. */
static void echo_of_some(struct rig *r)
{
    enum { SOME = 12 };
    struct client *all[SOME];
    for (int i = 0; i < SOME; i++) {
        all[i] = client_open_tcp(r);
        echo_routes(r, all[i]);
        WAIT_FOR(r, all[i]->up);
    }
    for (int i = 0; i < SOME; i++) {
        check_echo(r, all[i], 10);
        ask_stats(r, all[i]->id);
        CHECK(r->stats && r->stats->pairs_count == 1 && r->stats->pairs[0].selected);
        CHECK_INT(r->stats->pairs[0].remote.proto, TR_PROTO_TCP);
        CHECK_INT(all[i]->streams_closed, 0);
    }
    WAIT_FOR(r, counters(r).streams == SOME);
    for (int i = 0; i < SOME; i++) {
        tr_media_peer_close(r->media, all[i]->id);
        WAIT_FOR(r, all[i]->down && all[i]->streams_closed == 1);
    }
    WAIT_FOR(r, counters(r).streams == 0);
}

TEST(echo_over_tcp)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL))
        echo_of_some(r);
    rig_close(r);
    tr_free(r);
}

TEST(echo_over_tcp_and_ipv6)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open_at(r, "::1"))
        echo_of_some(r);
    rig_close(r);
    tr_free(r);
}

TEST(call_over_udp_and_ipv6)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open_at(r, "::1")) {
        struct client *a = client_open(r), *b = client_open_tcp(r);
        route(r, a, b, VIDEO);
        route(r, b, a, VIDEO);
        WAIT_FOR(r, a->up && b->up);
        send_frames(r, a, 10);
        send_frames(r, b, 10);
        WAIT_FOR(r, a->in[VIDEO].packets >= 100 && b->in[VIDEO].packets >= 100);
        CHECK_INT(a->in[VIDEO].damaged + b->in[VIDEO].damaged, 0);
    }
    rig_close(r);
    tr_free(r);
}

/* As browsers do when a stream breaks; the peer stays where it is. */
TEST(a_client_connects_again)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (rig_open(r, NULL)) {
        uint8_t check[CHECK_BYTES];
        struct client *c = client_open_tcp(r);
        echo_routes(r, c);
        WAIT_FOR(r, c->up);
        check_echo(r, c, 5);
        for (int i = 0; i < 6; i++) {
            tr_stream_end(c->streams, tr_clock_now(), c->stream, false);
            c->stream = 0;
            client_stream_send(c, check_of(r, &c->creds, true, check));
            WAIT_FOR(r, counters(r).streams == 1);
            check_echo(r, c, 5);
            CHECK_INT(events_of(r, TR_MEDIA_PEER_DOWN, c->id), 0);
        }
    }
    rig_close(r);
    tr_free(r);
}

struct stranger {
    struct rig *rig;
    struct tr_streams *set;
    tr_id id;
    int closed;
};

static void stranger_event(void *arg, const struct tr_stream_event *ev)
{
    struct stranger *s = arg;
    CHECK(ev->kind != TR_STREAM_FRAME); /* nobody is answered */
    s->closed += ev->kind == TR_STREAM_CLOSED;
}

static void stranger_says(struct stranger *s, struct tr_slice first)
{
    struct tr_stream_conf conf = { .framing = TR_FRAMING_RFC4571 };
    struct tr_addr from = s->rig->ip, to = s->rig->ip;
    tr_usec now = tr_clock_now(), end = now + WAIT_US;
    from.proto = to.proto = TR_PROTO_TCP;
    to.port = tr_media_tcp_port(s->rig->media);
    s->closed = 0;
    CHECK_INT(tr_streams_dial(s->set, now, &from, &to, &conf, NULL, 5 * TR_SECOND, &s->id), TR_OK);
    (void)!tr_stream_write(s->set, now, s->id, tr_slice(NULL, 0), first, TR_STREAM_KEEP);
    while (!s->closed && (now = tr_clock_now()) < end) {
        tr_streams_flush(s->set, now);
        tr_streams_run(s->set, now);
        rig_turn(s->rig);
    }
    CHECK_INT(s->closed, 1);
}

/* Each counts by its own cause, and as a stream that was refused. */
TEST(strangers_are_closed_and_counted)
{
    struct rig *r = tr_alloc(sizeof *r);
    struct stranger s = { .rig = r };
    uint8_t junk[200], check[CHECK_BYTES];
    if (rig_open(r, NULL) && CHECK(tr_streams_open(&s.set, &(struct tr_streams_conf){ 0 },
                                                   stranger_event, &s) == TR_OK)) {
        struct client *c = client_open_tcp(r);
        WAIT_FOR(r, c->up);
        memset(junk, 0x80, sizeof junk); /* RTP */
        stranger_says(&s, tr_slice(junk, sizeof junk));
        memset(junk, 22, sizeof junk); /* DTLS */
        stranger_says(&s, tr_slice(junk, sizeof junk));
        memset(junk, 0, sizeof junk); /* of STUN's kind */
        stranger_says(&s, tr_slice(junk, sizeof junk));
        struct tr_media_peer_conf creds = c->creds;
        creds.pwd[0] ^= 1;
        stranger_says(&s, check_of(r, &creds, true, check));
        snprintf(creds.ufrag, sizeof creds.ufrag, "nobody");
        stranger_says(&s, check_of(r, &creds, true, check));
        WAIT_FOR(r, counters(r).streams_refused == 5);
        struct tr_media_counters sums = counters(r);
        CHECK_INT(sums.streams, 1);
        CHECK_INT(sums.drops[TR_DROP_UNKNOWN_ADDR], 2);
        CHECK_INT(sums.drops[TR_DROP_STUN_BAD], 1);
        CHECK_INT(sums.drops[TR_DROP_STUN_AUTH], 1);
        CHECK_INT(sums.drops[TR_DROP_STUN_UNKNOWN_UFRAG], 1);
        CHECK(!c->down);
    }
    tr_streams_close(s.set);
    rig_close(r);
    tr_free(r);
}

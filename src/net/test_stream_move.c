/* Goal: a connection goes from one thread to another without losing or doubling a byte, and two
 * that are joined are one pipe that neither end can flood. Method: handing over inside of the
 * handler and between two threads; megabytes through a pipe with a slow reader. */
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dtls/dtls.h"
#include "net/clock.h"
#include "net/mailbox.h"
#include "net/stream_test.h"
#include "net/thread.h"
#include "net/waiter.h"

enum { PAIR = 77 };

struct hand {
    struct tr_stream_moved *moved;
    bool again;
};

static void send_away(struct rig *rig, const struct tr_stream_event *event)
{
    struct hand *hand = rig->arg;
    if (event->kind == TR_STREAM_FRAME)
        hand->moved = tr_stream_detach(rig->set, event->id, hand->again);
}

TEST(what_was_read_goes_along)
{
    for (int again = 0; again < 2; again++) {
        struct rig from, to;
        struct hand hand = { .again = again };
        tr_id id;
        rig_init(&from, NULL, TR_FRAMING_TURN, NULL);
        rig_init(&to, NULL, TR_FRAMING_TURN, NULL);
        from.on_event = send_away;
        from.arg = &hand;
        to.echo = true;
        int fd = client_socket(&from.at, 0);
        uint8_t bytes[3 * sizeof hello];
        for (size_t i = 0; i < 3; i++)
            memcpy(bytes + i * sizeof hello, hello, sizeof hello);
        client_send(fd, bytes, sizeof bytes - 5); /* the last is cut */
        CHECK(rig_until(&from, &from.frames, 1));
        CHECK(hand.moved != NULL);
        CHECK_INT(from.frames, 1);
        CHECK_INT(tr_streams_counters(from.set)->connections_now, 0);
        CHECK_INT(tr_stream_adopt(to.set, to.now, hand.moved, &hand, &id), TR_OK);
        CHECK(rig_until(&to, &to.frames, again ? 2 : 1));
        CHECK(tr_streams_find(to.set, &from.path) == id);
        client_send(fd, bytes, 5); /* not its real end, but as many bytes */
        CHECK(rig_until(&to, &to.frames, again ? 3 : 2));
        CHECK_INT(to.accepted, 0);
        CHECK(client_read(&to, fd, bytes, (again ? 3 : 2) * sizeof hello));
        close(fd);
        CHECK(rig_until(&to, &to.closed, 1));
        CHECK_INT(from.closed, 0);
        rig_deinit(&from);
        rig_deinit(&to);
    }
}

TEST(output_that_waits_goes_along)
{
    enum { COUNT = 2000, SIZE = 1004 };
    static uint8_t in[COUNT * SIZE];
    uint8_t frame[SIZE] = { 0x40, 1, 0x3, 0xe8 };
    struct rig from, to;
    tr_id id;
    rig_init(&from, NULL, TR_FRAMING_TURN, NULL);
    rig_init(&to, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_accepted(&from, 4096);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(tr_stream_write(from.set, from.now, from.last, tr_slice(NULL, 0),
                                  tr_slice(frame, SIZE), TR_STREAM_MEDIA),
                  TR_OK);
        if (i < COUNT - 1) /* the last one is not even tried */
            tr_streams_flush(from.set, from.now);
    }
    size_t n = (COUNT - tr_streams_counters(from.set)->dropped_full) * SIZE;
    CHECK(tr_streams_counters(from.set)->queued_now > 0);
    struct tr_stream_moved *moved = tr_stream_detach(from.set, from.last, false);
    CHECK_INT(tr_streams_counters(from.set)->queued_now, 0);
    CHECK_INT(tr_stream_adopt(to.set, to.now, moved, NULL, &id), TR_OK);
    CHECK(client_read(&to, fd, in, n));
    CHECK_INT(tr_streams_counters(to.set)->queued_now, 0);
    close(fd);
    rig_deinit(&from);
    rig_deinit(&to);
}

TEST(moved_to_nowhere_is_closed)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_accepted(&rig, 0);
    struct tr_stream_moved *moved = tr_stream_detach(rig.set, rig.last, false);
    CHECK(moved != NULL);
    CHECK(tr_stream_detach(rig.set, rig.last, false) == NULL);
    tr_stream_moved_destroy(moved);
    CHECK(client_sees_end(&rig, fd));
    close(fd);
    rig_deinit(&rig);
}

/* --- framing, pausing, joining --- */

static void turn_raw(struct rig *rig, const struct tr_stream_event *event)
{
    if (event->kind == TR_STREAM_FRAME)
        tr_stream_set_framing(rig->set, event->id, TR_FRAMING_RAW);
}

TEST(what_is_behind_the_message_is_raw)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    rig.on_event = turn_raw;
    int fd = client_socket(&rig.at, 0);
    uint8_t bytes[sizeof hello + 6];
    memcpy(bytes, hello, sizeof hello);
    memcpy(bytes + sizeof hello, "\xff\xfe raw", 6);
    client_send(fd, bytes, sizeof bytes);
    CHECK(rig_until_bytes(&rig, HELLO + 6));
    CHECK(memcmp(rig.got + HELLO, "\xff\xfe raw", 6) == 0);
    close(fd);
    rig_deinit(&rig);
}

TEST(a_paused_one_is_not_read)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    tr_streams_unlisten(rig.set, rig.listener);
    rig_listen(&rig, &(struct tr_stream_conf){ .framing = TR_FRAMING_TURN, .paused = true });
    int fd = client_socket(&rig.at, 0);
    client_send(fd, hello, sizeof hello);
    CHECK(rig_until(&rig, &rig.accepted, 1));
    for (int i = 0; i < 5; i++)
        rig_turn(&rig);
    CHECK_INT(rig.frames, 0);
    tr_stream_pause(rig.set, rig.last, false);
    CHECK(rig_until(&rig, &rig.frames, 1));
    close(fd);
    rig_deinit(&rig);
}

/* A client whose first frame joins it to what `arg` names. */
static void join(struct rig *rig, const struct tr_stream_event *event)
{
    const tr_id *peer = rig->arg;
    if (event->kind == TR_STREAM_FRAME)
        CHECK_INT(tr_stream_join(rig->set, rig->now, event->id, *peer, PAIR), TR_OK);
}

struct pipe {
    struct rig rig;
    tr_id peer;
    int client_fd, peer_fd;
};

static void pipe_init(struct pipe *p, const struct tr_streams_conf *conf, int peer_bytes)
{
    rig_init(&p->rig, conf, TR_FRAMING_TURN, NULL);
    p->rig.on_event = join;
    p->rig.arg = &p->peer;
    struct tr_addr client_at = p->rig.at;
    rig_listen(&p->rig, &(struct tr_stream_conf){
                            .framing = TR_FRAMING_RAW, .paused = true, .proven = true });
    p->peer_fd = client_socket(&p->rig.at, peer_bytes);
    CHECK(rig_until(&p->rig, &p->rig.accepted, 1));
    p->peer = p->rig.last;
    p->client_fd = client_socket(&client_at, 0);
}

static void pipe_deinit(struct pipe *p)
{
    close(p->client_fd);
    close(p->peer_fd);
    rig_deinit(&p->rig);
}

TEST(joined_ones_are_a_pipe_both_ways)
{
    struct pipe p;
    uint8_t bytes[sizeof hello + 5], in[32];
    pipe_init(&p, NULL, 0);
    client_send(p.peer_fd, "early", 5); /* before it is joined */
    memcpy(bytes, hello, sizeof hello);
    memcpy(bytes + sizeof hello, "there", 5);
    client_send(p.client_fd, bytes, sizeof bytes);
    CHECK(client_read(&p.rig, p.client_fd, in, 5));
    CHECK(memcmp(in, "early", 5) == 0);
    CHECK(client_read(&p.rig, p.peer_fd, in, 5));
    CHECK(memcmp(in, "there", 5) == 0);
    CHECK_INT(p.rig.frames, 1);
    client_send(p.client_fd, "the end", 7);
    shutdown(p.client_fd, SHUT_WR);
    CHECK(client_read(&p.rig, p.peer_fd, in, 7));
    CHECK(client_sees_end(&p.rig, p.peer_fd));
    shutdown(p.peer_fd, SHUT_WR);
    CHECK(rig_until(&p.rig, &p.rig.closed, 2));
    CHECK_INT(p.rig.reasons[TR_STREAM_REMOTE], 1);
    CHECK_INT(p.rig.reasons[TR_STREAM_JOINED], 1);
    pipe_deinit(&p);
}

TEST(a_pipe_is_no_faster_than_its_reader)
{
    enum { TOTAL = 12 << 20 };
    struct pipe p;
    static uint8_t chunk[8192];
    pipe_init(&p, NULL, 4096);
    client_send(p.client_fd, hello, sizeof hello);
    CHECK(rig_until(&p.rig, &p.rig.frames, 1));
    size_t sent = 0, got = 0, wrong = 0;
    uint64_t most = 0;
    for (int i = 0; i < 40000 && got < TOTAL; i++) {
        for (size_t n = 0; n < sizeof chunk; n++)
            chunk[n] = (uint8_t)((sent + n) * 7 >> 3);
        size_t left = TOTAL - sent;
        ssize_t n = left == 0 ? 0
                              : send(p.client_fd, chunk, left < sizeof chunk ? left : sizeof chunk,
                                     MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        if (i < 3000 && n > 0)
            continue; /* the reader sleeps at first */
        rig_turn(&p.rig);
        if (tr_streams_counters(p.rig.set)->queued_now > most)
            most = tr_streams_counters(p.rig.set)->queued_now;
        n = recv(p.peer_fd, chunk, sizeof chunk, MSG_DONTWAIT);
        for (ssize_t k = 0; k < n; k++)
            wrong += chunk[k] != (uint8_t)((got + (size_t)k) * 7 >> 3);
        got += n > 0 ? (size_t)n : 0;
    }
    CHECK_INT(got, TOTAL);
    CHECK_INT(wrong, 0);
    CHECK(most > 0 && most <= 512 << 10);
    pipe_deinit(&p);
}

struct bucket { /* a meter that gives so much each time it is filled */
    size_t room[2], passed[2];
    unsigned asked;
};

static size_t bucket_room(void *arg, uint64_t pair, bool forth, size_t n)
{
    struct rig *rig = arg;
    struct bucket *b = rig->meter;
    CHECK_INT(pair, PAIR);
    b->asked++;
    return n < b->room[forth] ? n : b->room[forth];
}

static void bucket_passed(void *arg, uint64_t pair, bool forth, size_t n)
{
    struct rig *rig = arg;
    struct bucket *b = rig->meter;
    CHECK_INT(pair, PAIR);
    CHECK(n <= b->room[forth]);
    b->room[forth] -= n;
    b->passed[forth] += n;
}

static const struct tr_stream_meter meter = { .room = bucket_room, .passed = bucket_passed };

TEST(a_pipe_is_no_faster_than_the_meter)
{
    enum { ROUNDS_MAX = 50, A_ROUND = 3000, TOTAL = 40000 };
    static uint8_t in[TOTAL], out[TOTAL];
    struct pipe p;
    struct bucket bucket = { .room = { A_ROUND, A_ROUND } };
    size_t got = 0;
    pipe_init(&p, &(struct tr_streams_conf){ .meter = &meter }, 0);
    p.rig.meter = &bucket;
    client_send(p.client_fd, hello, sizeof hello);
    CHECK(rig_until(&p.rig, &p.rig.frames, 1));
    for (size_t i = 0; i < TOTAL; i++)
        out[i] = (uint8_t)(i * 7 >> 3);
    client_send(p.client_fd, out, TOTAL);
    shutdown(p.client_fd, SHUT_WR);
    client_send(p.peer_fd, out, 100); /* the other way has room of its own */
    for (unsigned round = 1; round <= ROUNDS_MAX && got < TOTAL; round++) {
        for (int i = 0; i < 8; i++)
            rig_turn(&p.rig);
        ssize_t n = recv(p.peer_fd, in + got, TOTAL - got, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        CHECK(got <= round * A_ROUND);
        bucket.room[1] = A_ROUND;
        rig_pass(&p.rig, 20 * TR_MSEC);
    }
    CHECK_INT(got, TOTAL);
    CHECK(memcmp(in, out, TOTAL) == 0);
    CHECK_INT(bucket.passed[1], TOTAL);
    CHECK_INT(bucket.passed[0], 100);
    CHECK(bucket.asked < 60); /* it is not asked in each turn */
    CHECK(client_sees_end(&p.rig, p.peer_fd));
    pipe_deinit(&p);
}

TEST(a_pipe_that_the_meter_stops_is_idle_in_the_end)
{
    struct pipe p;
    struct bucket bucket = { .room = { 100, 0 } };
    pipe_init(&p, &(struct tr_streams_conf){ .meter = &meter }, 0);
    p.rig.meter = &bucket;
    client_send(p.client_fd, hello, sizeof hello);
    CHECK(rig_until(&p.rig, &p.rig.frames, 1));
    client_send(p.client_fd, "there", 5);
    for (int i = 0; i < 66; i++) {
        CHECK_INT(p.rig.closed, 0);
        rig_pass(&p.rig, 10 * TR_SECOND);
    }
    rig_pass(&p.rig, TR_SECOND);
    CHECK(rig_until(&p.rig, &p.rig.closed, 1));
    CHECK(p.rig.reasons[TR_STREAM_IDLE] >= 1);
    CHECK_INT(bucket.passed[1], 0);
    pipe_deinit(&p);
}

/* --- two threads --- */

enum { THREADED = 40, ROUNDS = 20 };

struct side { /* one thread: a set, and a mailbox of connections that others hand to it */
    struct rig rig;
    struct tr_mailbox *inbox, *other;
    _Atomic bool *stop;
    unsigned passed;
};

static void pass_on(struct rig *rig, const struct tr_stream_event *event)
{
    struct side *side = rig->arg;
    rig->got_n = 0;
    /* Each third frame is not handled here but over there, with its connection. */
    if (event->kind != TR_STREAM_FRAME)
        return;
    if (rig->frames % 3 != 0) {
        CHECK_INT(tr_stream_write(rig->set, rig->now, event->id, tr_slice(NULL, 0), event->data,
                                  TR_STREAM_KEEP),
                  TR_OK);
        return;
    }
    struct tr_stream_moved *moved = tr_stream_detach(rig->set, event->id, true);
    if (CHECK(moved != NULL) && CHECK(tr_mailbox_post(side->other, &moved) == TR_OK))
        side->passed++;
}

static void adopt_all(struct side *side)
{
    struct tr_stream_moved *moved;
    tr_id id;
    while (tr_mailbox_take(side->inbox, &moved))
        CHECK_INT(tr_stream_adopt(side->rig.set, side->rig.now, moved, NULL, &id), TR_OK);
}

static void run_side(void *arg)
{
    struct side *side = arg;
    while (!atomic_load(side->stop)) {
        adopt_all(side);
        rig_turn(&side->rig);
    }
}

static void talk(struct side *side)
{
    int fds[THREADED];
    uint8_t back[sizeof hello];
    for (int i = 0; i < THREADED; i++)
        fds[i] = client_socket(&side->rig.at, 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < THREADED; i++)
            client_send(fds[i], hello, sizeof hello);
        for (int i = 0; i < THREADED; i++) {
            CHECK(recv(fds[i], back, sizeof back, MSG_WAITALL) == sizeof back);
            CHECK(memcmp(back, hello, sizeof hello) == 0);
        }
    }
    for (int i = 0; i < THREADED; i++)
        close(fds[i]);
}

TEST(connections_go_between_threads)
{
    static struct side sides[2];
    static _Atomic bool stop;
    struct tr_thread threads[2];
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++) {
        sides[i] = (struct side){ .stop = &stop };
        rig_init(&sides[i].rig, NULL, TR_FRAMING_TURN, NULL);
        sides[i].rig.on_event = pass_on;
        sides[i].rig.arg = &sides[i];
        sides[i].inbox = tr_mailbox_create(1024, sizeof(struct tr_stream_moved *), NULL, NULL);
    }
    for (int i = 0; i < 2; i++)
        sides[i].other = sides[!i].inbox;
    for (int i = 0; i < 2; i++)
        CHECK_INT(tr_thread_start(&threads[i], "side", run_side, &sides[i]), TR_OK);
    talk(&sides[0]);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        tr_thread_join(&threads[i]);
    CHECK(sides[0].passed > 10 && sides[1].passed > 10);
    for (int i = 0; i < 2; i++) {
        adopt_all(&sides[i]);
        rig_deinit(&sides[i].rig);
        tr_mailbox_destroy(sides[i].inbox);
    }
}

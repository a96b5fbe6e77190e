/* Goal: streams over plain TCP: frames whole however they come, and every way to misuse a
 * connection ends it under its cause. Method: real sockets on loopback, time of our own. */
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_test.h"

enum { NODE_CLIENTS = 24 };

TEST(frames_come_whole_byte_by_byte)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    rig.echo = true;
    int fd = client_socket(&rig.at, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof hello; i++) {
            CHECK_INT(rig.frames, round);
            client_send(fd, hello + i, 1);
            rig_turn(&rig);
            rig_turn(&rig);
        }
        CHECK(rig_until(&rig, &rig.frames, round + 1));
    }
    CHECK_INT(rig.got_n, 3 * HELLO);
    CHECK(memcmp(rig.got + HELLO, hello, HELLO) == 0);
    uint8_t back[3 * sizeof hello];
    CHECK(client_read(&rig, fd, back, sizeof back));
    CHECK(memcmp(back + sizeof hello, hello, sizeof hello) == 0); /* padded again */
    CHECK_INT(counters(&rig)->queued_now, 0);
    close(fd);
    CHECK(rig_until(&rig, &rig.closed, 1));
    CHECK_INT(rig.reasons[TR_STREAM_REMOTE], 1);
    CHECK_INT(counters(&rig)->connections_now, 0);
    rig_deinit(&rig);
}

TEST(many_frames_in_one_piece)
{
    enum { COUNT = 2000 };
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_socket(&rig.at, 0);
    client_send(fd, hello, sizeof hello);
    CHECK(rig_until(&rig, &rig.frames, 1));
    static uint8_t many[COUNT * sizeof hello];
    for (size_t i = 0; i < COUNT; i++)
        memcpy(many + i * sizeof hello, hello, sizeof hello);
    client_send(fd, many, sizeof many);
    CHECK(rig_until(&rig, &rig.frames, COUNT + 1));
    CHECK_INT(rig.got_n, (COUNT + 1) * HELLO);
    CHECK(counters(&rig)->reads < 30);
    close(fd);
    rig_deinit(&rig);
}

TEST(rfc4571_and_the_path)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_RFC4571, NULL);
    rig.echo = true;
    int fd = client_socket(&rig.at, 0);
    client_send(fd, "\0\3abc\0\0\0\1d", 10);
    uint8_t back[8];
    CHECK(client_read(&rig, fd, back, 8));
    CHECK(memcmp(back, "\0\3abc\0\1d", 8) == 0);
    CHECK(tr_streams_find(rig.set, &rig.path) == rig.last);
    CHECK(tr_addr_ip_eq(&rig.path.local, &rig.at) && rig.path.local.port == rig.at.port);
    struct tr_path other = rig.path;
    other.remote.proto = TR_PROTO_UDP;
    CHECK_INT(tr_streams_find(rig.set, &other), 0);
    close(fd);
    CHECK(rig_until(&rig, &rig.closed, 1));
    CHECK_INT(tr_streams_find(rig.set, &rig.path), 0);
    rig_deinit(&rig);
}

static void ends_for(struct rig *rig, int fd, enum tr_stream_reason reason)
{
    CHECK(rig_until(rig, &rig->closed, 1));
    if (!CHECK(rig->reasons[reason] == 1))
        unit_note("    want %s", tr_stream_reason_name(reason));
    CHECK(client_sees_end(rig, fd));
    CHECK_INT(counters(rig)->ended[reason], 1);
    CHECK_INT(tr_stream_write(rig->set, rig->now, rig->last, tr_slice(NULL, 0), tr_slice("x", 1),
                              TR_STREAM_KEEP),
              TR_ERR_CLOSED);
    close(fd);
}

TEST(rubbish_ends_it)
{
    static const struct {
        enum tr_framing framing;
        const char *bytes;
        size_t n;
        enum tr_stream_reason reason;
    } rows[] = {
        { TR_FRAMING_TURN, "\x16\x03\x01\x02\x00\x01\x00\x01", 8, TR_STREAM_MALFORMED },
        { TR_FRAMING_TURN, "GET / HTTP/1.1\r\n", 16, TR_STREAM_OVERSIZED },
        { TR_FRAMING_TURN, "\xff", 1, TR_STREAM_MALFORMED },
        { TR_FRAMING_RFC4571, "\xff\xff", 2, TR_STREAM_OVERSIZED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        rig_init(&rig, NULL, rows[i].framing, NULL);
        tr_streams_unlisten(rig.set, rig.listener);
        rig_listen(&rig, &(struct tr_stream_conf){ .framing = rows[i].framing, .frame_max = 2000 });
        int fd = client_socket(&rig.at, 0);
        client_send(fd, rows[i].bytes, rows[i].n);
        ends_for(&rig, fd, rows[i].reason);
        rig_deinit(&rig);
    }
}

/* --- time and bytes before proof, and after --- */

TEST(silence_before_proof_ends_it)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_accepted(&rig, 0);
    rig_pass(&rig, 9 * TR_SECOND);
    CHECK_INT(rig.closed, 0);
    rig_pass(&rig, 2 * TR_SECOND);
    ends_for(&rig, fd, TR_STREAM_UNPROVEN);
    rig_deinit(&rig);
}

TEST(too_many_bytes_before_proof_end_it)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    rig.proves = false;
    int fd = client_socket(&rig.at, 0);
    for (int i = 0; i < 4096 / (int)sizeof hello + 1; i++)
        client_send(fd, hello, sizeof hello);
    ends_for(&rig, fd, TR_STREAM_UNPROVEN);
    CHECK(rig.got_n <= 4096);
    rig_deinit(&rig);
}

TEST(a_frame_begun_must_be_ended)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_socket(&rig.at, 0);
    client_send(fd, hello, sizeof hello);
    CHECK(rig_until(&rig, &rig.frames, 1));
    rig_pass(&rig, 60 * TR_SECOND); /* proven: silence is fine */
    CHECK_INT(rig.closed, 0);
    for (size_t i = 0; i < 4; i++) { /* a byte each three seconds */
        CHECK_INT(rig.closed, 0);
        client_send(fd, hello + i, 1);
        rig_turn(&rig);
        rig_pass(&rig, 3 * TR_SECOND);
    }
    ends_for(&rig, fd, TR_STREAM_SLOW);
    rig_deinit(&rig);
}

TEST(idle_ends_it)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_socket(&rig.at, 0);
    for (unsigned i = 0; i < 3; i++) {
        client_send(fd, hello, sizeof hello);
        CHECK(rig_until(&rig, &rig.frames, i + 1));
        rig_pass(&rig, 600 * TR_SECOND);
        CHECK_INT(rig.closed, 0);
    }
    rig_pass(&rig, 61 * TR_SECOND);
    ends_for(&rig, fd, TR_STREAM_IDLE);
    rig_deinit(&rig);
}

TEST(limits_of_connections)
{
    const struct tr_stream_bounds five = { .connections_max = 8, .address_max = 5 };
    struct rig rig;
    int fds[6];
    rig_init_bounded(&rig, &five, TR_FRAMING_TURN, NULL);
    for (int i = 0; i < 6; i++)
        fds[i] = client_socket(&rig.at, 0);
    CHECK(client_sees_end(&rig, fds[5])); /* the address has five */
    CHECK_INT(rig.accepted, 5);
    CHECK_INT(counters(&rig)->ended[TR_STREAM_NO_ROOM], 1);
    close(fds[5]);
    close(fds[0]);
    CHECK(rig_until(&rig, &rig.closed, 1));
    fds[0] = client_socket(&rig.at, 0);
    CHECK(rig_until(&rig, &rig.accepted, 6));
    CHECK_INT(counters(&rig)->connections_now, 5);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    rig_deinit(&rig);
}

struct node { /* two sets at one port, as two workers are */
    struct rig a, b;
    int fds[NODE_CLIENTS];
};

static void node_init(struct node *n, const struct tr_stream_bounds *bounds)
{
    rig_init_bounded(&n->a, bounds, TR_FRAMING_TURN, NULL);
    rig_init_beside(&n->b, &n->a, TR_FRAMING_TURN);
    for (int i = 0; i < NODE_CLIENTS; i++) {
        n->fds[i] = client_socket(&n->a.at, 0);
        rig_turn(&n->a);
        rig_turn(&n->b);
    }
}

static void node_deinit(struct node *n)
{
    for (int i = 0; i < NODE_CLIENTS; i++)
        close(n->fds[i]);
    rig_deinit(&n->b);
    rig_deinit(&n->a);
}

static uint64_t no_room(const struct node *n)
{
    return counters(&n->a)->ended[TR_STREAM_NO_ROOM] + counters(&n->b)->ended[TR_STREAM_NO_ROOM];
}

static uint64_t connections(const struct node *n)
{
    return counters(&n->a)->connections_now + counters(&n->b)->connections_now;
}

TEST(limits_are_those_of_the_node)
{
    static const struct tr_stream_bounds rows[] = {
        { .connections_max = 7 }, { .address_max = 7 }, { .network_max = 7 }, { .unproven_max = 7 }
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct node n;
        node_init(&n, &rows[i]);
        CHECK_INT(connections(&n), 7);
        CHECK_INT(no_room(&n), NODE_CLIENTS - 7);
        CHECK(counters(&n.a)->accepted > 0 && counters(&n.b)->accepted > 0);
        node_deinit(&n);
    }
}

TEST(the_oldest_unproven_makes_room)
{
    const struct tr_stream_bounds three = { .unproven_max = 3 };
    struct rig rig;
    int fds[6];
    rig_init_bounded(&rig, &three, TR_FRAMING_TURN, NULL);
    for (int i = 0; i < 3; i++)
        fds[i] = client_accepted(&rig, 0);
    client_send(fds[0], hello, sizeof hello); /* proves itself */
    CHECK(rig_until(&rig, &rig.frames, 1));
    for (int i = 3; i < 6; i++)
        fds[i] = client_accepted(&rig, 0);
    CHECK_INT(rig.closed, 2);
    CHECK_INT(rig.reasons[TR_STREAM_NO_ROOM], 2);
    CHECK(client_sees_end(&rig, fds[1]) && client_sees_end(&rig, fds[2]));
    client_send(fds[0], hello, sizeof hello);
    CHECK(rig_until(&rig, &rig.frames, 2));
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    rig_deinit(&rig);
}

/* --- writing --- */

static bool whole_frames(const uint8_t *p, size_t n, unsigned *count, unsigned *last)
{
    while (n >= 1004) {
        unsigned number = tr_get32(p + 4);
        if (tr_get32(p) != 0x400103e8 || (*count > 0 && number <= *last))
            return false;
        *last = number;
        *count += 1;
        p += 1004, n -= 1004;
    }
    return n == 0;
}

static enum tr_err write_number(struct rig *rig, unsigned number, enum tr_stream_worth worth)
{
    uint8_t data[1000] = { 0 };
    tr_put32(data, number);
    enum tr_err err = tr_stream_write(rig->set, rig->now, rig->last, tr_slice("\x40\1\x3\xe8", 4),
                                      tr_slice(data, sizeof data), worth);
    return err;
}

TEST(media_is_dropped_oldest_first_in_whole_frames)
{
    enum { COUNT = 8000 };
    const struct tr_streams_conf conf = { .queue_us = 1000 * TR_SECOND };
    static uint8_t in[COUNT * 1004];
    struct rig rig;
    rig_init(&rig, &conf, TR_FRAMING_TURN, NULL);
    int fd = client_socket(&rig.at, 4096); /* takes little */
    CHECK(rig_until(&rig, &rig.accepted, 1));
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_INT(write_number(&rig, i, TR_STREAM_MEDIA), TR_OK);
        tr_streams_flush(rig.set, rig.now);
    }
    uint64_t dropped = counters(&rig)->dropped_full;
    CHECK(dropped > 1000 && counters(&rig)->dropped_old == 0);
    CHECK(counters(&rig)->queued_now <= 512 << 10);
    size_t n = (COUNT - dropped) * 1004;
    CHECK(client_read(&rig, fd, in, n));
    unsigned count = 0, last = 0;
    CHECK(whole_frames(in, n, &count, &last));
    CHECK_INT(last, COUNT - 1); /* the newest came */
    CHECK_INT(counters(&rig)->queued_now, 0);
    close(fd);
    rig_deinit(&rig);
}

TEST(media_too_old_is_dropped)
{
    static uint8_t in[4000 * 1004];
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_accepted(&rig, 4096);
    unsigned i = 0;
    while (counters(&rig)->queued_now < 100 << 10 && i < 4000) {
        CHECK_INT(write_number(&rig, i++, TR_STREAM_MEDIA), TR_OK);
        tr_streams_flush(rig.set, rig.now);
    }
    CHECK_INT(write_number(&rig, i++, TR_STREAM_KEEP), TR_OK);
    rig_pass(&rig, 501 * TR_MSEC);
    CHECK_INT(write_number(&rig, i++, TR_STREAM_MEDIA), TR_OK);
    uint64_t dropped = counters(&rig)->dropped_old;
    CHECK(dropped > 10 && counters(&rig)->dropped_full == 0);
    size_t n = (i - dropped) * 1004;
    CHECK(client_read(&rig, fd, in, n));
    unsigned count = 0, last = 0;
    CHECK(whole_frames(in, n, &count, &last));
    CHECK_INT(last, i - 1);
    CHECK_INT(tr_get32(in + n - 2 * 1004 + 4), i - 2); /* what must be kept */
    close(fd);
    rig_deinit(&rig);
}

TEST(what_must_be_kept_and_finds_no_room_ends_it)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_accepted(&rig, 4096);
    enum tr_err err = TR_OK;
    for (unsigned i = 0; i < 10000 && err == TR_OK; i++) {
        err = write_number(&rig, i, TR_STREAM_KEEP);
        tr_streams_flush(rig.set, rig.now);
    }
    CHECK_INT(err, TR_ERR_CLOSED);
    CHECK(rig_until(&rig, &rig.closed, 1));
    CHECK_INT(rig.reasons[TR_STREAM_CONGESTED], 1);
    close(fd);
    rig_deinit(&rig);
}

TEST(one_who_takes_nothing_is_ended)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_accepted(&rig, 4096);
    tr_stream_proven(rig.set, rig.last);
    for (unsigned i = 0; i < 8000; i++) {
        CHECK_INT(write_number(&rig, i, TR_STREAM_MEDIA), TR_OK);
        tr_streams_flush(rig.set, rig.now);
    }
    for (int i = 0; i < 31; i++)
        rig_pass(&rig, TR_SECOND);
    CHECK_INT(rig.reasons[TR_STREAM_CONGESTED], 1);
    close(fd);
    rig_deinit(&rig);
}

TEST(a_turn_is_one_write)
{
    struct rig rig;
    uint8_t in[10 * 1004];
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_accepted(&rig, 0);
    uint64_t writes = counters(&rig)->writes;
    for (unsigned i = 0; i < 10; i++)
        CHECK_INT(write_number(&rig, i, TR_STREAM_MEDIA), TR_OK);
    CHECK_INT(counters(&rig)->writes, writes);
    CHECK(client_read(&rig, fd, in, sizeof in));
    CHECK_INT(counters(&rig)->writes, writes + 1);
    CHECK_INT(counters(&rig)->frames_out, 10);
    close(fd);
    rig_deinit(&rig);
}

TEST(raw_waits_for_room)
{
    static uint8_t chunk[30000], in[30000];
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_RAW, NULL);
    int fd = client_accepted(&rig, 4096);
    tr_stream_proven(rig.set, rig.last);
    enum tr_err err = TR_OK;
    unsigned taken = 0;
    while (taken < 1000 && err == TR_OK) {
        memset(chunk, (int)(taken & 0xff), sizeof chunk);
        err = tr_stream_write(rig.set, rig.now, rig.last, tr_slice(NULL, 0),
                              tr_slice(chunk, sizeof chunk), TR_STREAM_MEDIA);
        tr_streams_flush(rig.set, rig.now);
        taken += err == TR_OK;
    }
    CHECK_INT(err, TR_ERR_AGAIN);
    CHECK_INT(rig.writable, 0);
    for (unsigned i = 0; i < taken; i++) {
        if (!CHECK(client_read(&rig, fd, in, sizeof in) && in[0] == (i & 0xff) &&
                   in[sizeof in - 1] == (i & 0xff)))
            break;
    }
    CHECK_INT(rig.writable, 1);
    close(fd);
    rig_deinit(&rig);
}

TEST(lingering_gives_all_before_the_end)
{
    enum { COUNT = 150 };
    static uint8_t in[COUNT * 1004];
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    int fd = client_socket(&rig.at, 4096);
    client_send(fd, hello, 7); /* unread input must not cut the output */
    CHECK(rig_until(&rig, &rig.accepted, 1));
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_INT(write_number(&rig, i, TR_STREAM_KEEP), TR_OK);
    tr_stream_end(rig.set, rig.now, rig.last, true);
    CHECK_INT(write_number(&rig, COUNT, TR_STREAM_KEEP), TR_ERR_CLOSED);
    client_send(fd, hello, sizeof hello);
    CHECK(client_read(&rig, fd, in, sizeof in));
    CHECK(client_sees_end(&rig, fd));
    CHECK_INT(rig.closed, 0); /* the owner's own doing is not told */
    CHECK_INT(rig.frames, 0);
    close(fd);
    for (int i = 0; i < 100 && counters(&rig)->connections_now > 0; i++)
        rig_turn(&rig);
    CHECK_INT(counters(&rig)->connections_now, 0);
    rig_deinit(&rig);
}

TEST(closing_while_writing)
{
    for (int linger = 0; linger < 2; linger++) {
        struct rig rig;
        rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
        int fd = client_accepted(&rig, 4096);
        for (unsigned i = 0; i < 4000; i++) {
            CHECK_INT(write_number(&rig, i, TR_STREAM_MEDIA), TR_OK);
            tr_streams_flush(rig.set, rig.now);
        }
        tr_stream_end(rig.set, rig.now, rig.last, linger);
        tr_stream_end(rig.set, rig.now, rig.last, linger);
        if (linger) { /* who takes nothing is not waited for long */
            rig_turn(&rig);
            CHECK_INT(counters(&rig)->connections_now, 1);
            rig_pass(&rig, 6 * TR_SECOND);
        }
        rig_turn(&rig);
        CHECK_INT(counters(&rig)->connections_now, 0);
        CHECK_INT(counters(&rig)->queued_now, 0);
        close(fd);
        rig_deinit(&rig);
    }
}

/* --- dialing, sharing a port, many --- */

TEST(dialing_and_being_refused)
{
    struct rig rig, client;
    rig_init(&rig, NULL, TR_FRAMING_RFC4571, NULL);
    rig_init(&client, NULL, TR_FRAMING_RAW, NULL);
    rig.echo = true;
    tr_id id = rig_dial(&client, &rig.at, TR_FRAMING_RFC4571, NULL);
    CHECK_INT(tr_stream_write(client.set, client.now, id, tr_slice("a", 1), tr_slice("bc", 2),
                              TR_STREAM_KEEP),
              TR_OK); /* goes out when connected */
    for (int i = 0; i < 1000 && client.frames == 0; i++) {
        rig_turn(&client);
        rig_turn(&rig);
    }
    CHECK_INT(client.connected, 1);
    CHECK(client.got_n == 3 && memcmp(client.got, "abc", 3) == 0);
    struct tr_addr nobody = rig.at;
    tr_streams_unlisten(rig.set, rig.listener);
    rig_dial(&client, &nobody, TR_FRAMING_RAW, NULL);
    CHECK(rig_until(&client, &client.closed, 1));
    CHECK_INT(client.reasons[TR_STREAM_ERROR], 1);
    rig_deinit(&client);
    rig_deinit(&rig);
}

TEST(a_port_is_dialed_from_where_one_listens)
{
    struct rig relay, peer;
    rig_init(&relay, NULL, TR_FRAMING_RAW, NULL);
    rig_init(&peer, NULL, TR_FRAMING_RAW, NULL);
    tr_id id;
    const struct tr_stream_conf conf = { .framing = TR_FRAMING_RAW };
    CHECK_INT(
        tr_streams_dial(relay.set, relay.now, &relay.at, &peer.at, &conf, NULL, TR_SECOND, &id),
        TR_OK);
    CHECK(rig_until(&peer, &peer.accepted, 1));
    CHECK_INT(peer.path.remote.port, relay.at.port);
    CHECK(rig_until(&relay, &relay.connected, 1));
    int fd = client_socket(&relay.at, 0); /* and it still listens */
    CHECK(rig_until(&relay, &relay.accepted, 1));
    close(fd);
    rig_deinit(&relay);
    rig_deinit(&peer);
}

TEST(several_sets_share_a_port)
{
    struct rig a, b;
    rig_init(&a, NULL, TR_FRAMING_RAW, NULL);
    rig_init(&b, NULL, TR_FRAMING_RAW, NULL);
    tr_id again;
    struct tr_addr at = a.at;
    CHECK_INT(tr_streams_listen(b.set, &at, true, &(struct tr_stream_conf){ 0 }, &again), TR_OK);
    int fds[40];
    for (int i = 0; i < 40; i++)
        fds[i] = client_socket(&at, 0);
    for (int i = 0; i < 1000 && a.accepted + b.accepted < 40; i++) {
        rig_turn(&a);
        rig_turn(&b);
    }
    CHECK_INT(a.accepted + b.accepted, 40);
    CHECK(a.accepted > 0 && b.accepted > 0);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
    rig_deinit(&a);
    rig_deinit(&b);
}

TEST(ipv6)
{
    struct rig rig;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    struct tr_addr at;
    CHECK_INT(tr_addr_parse_ip(&at, "::1", 0), TR_OK);
    tr_id id;
    enum tr_err err =
        tr_streams_listen(rig.set, &at, true, &(struct tr_stream_conf){ .proven = true }, &id);
    if (err != TR_OK) { /* no IPv6 here */
        CHECK_INT(err, TR_ERR_IO);
    } else {
        int fd = client_socket(&at, 0);
        CHECK(rig_until(&rig, &rig.accepted, 1));
        CHECK(tr_addr_is_loopback(&rig.path.remote) && !tr_addr_is_v4(&rig.path.remote));
        close(fd);
    }
    rig_deinit(&rig);
}

TEST(many_connections_come_talk_and_go)
{
    enum { COUNT = 400 };
    struct rig rig, client;
    rig_init(&rig, NULL, TR_FRAMING_TURN, NULL);
    rig_init(&client, NULL, TR_FRAMING_TURN, NULL);
    rig.echo = true;
    for (int i = 0; i < COUNT; i++) {
        tr_id id = rig_dial(&client, &rig.at, TR_FRAMING_TURN, NULL);
        CHECK_INT(tr_stream_write(client.set, client.now, id, tr_slice(NULL, 0),
                                  tr_slice(hello, sizeof hello), TR_STREAM_KEEP),
                  TR_OK);
    }
    for (int i = 0; i < 4000 && client.frames < COUNT; i++) {
        rig_turn(&client);
        rig_turn(&rig);
    }
    CHECK_INT(client.frames, COUNT);
    CHECK_INT(counters(&rig)->connections_now, COUNT);
    tr_streams_close(client.set);
    client.set = NULL;
    CHECK(rig_until(&rig, &rig.closed, COUNT));
    CHECK_INT(counters(&rig)->connections_now, 0);
    rig_deinit(&client);
    rig_deinit(&rig);
}

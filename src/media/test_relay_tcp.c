/* Goal: what passes between a client and a TCP peer (RFC 6062) keeps to the bounds of the
 * allocation, without losing a byte; and as many connections as one node may have are not had by
 * each of its workers.
 * Method: plain sockets of the test's thread, while the workers run by themselves. */
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "media/test_relay_ask.h"
#include "net/sockaddr.h"

enum {
    WAIT_S = 5,
    RATE = 1000000, /* bytes a second; a quarter of that may come at once */
    BURST = RATE / 4,
    SLACK = 70000, /* one read, and what a turn is late */
    TOTAL = 800000,
};

static struct tr_addr loopback(uint16_t port)
{
    return tr_addr_v4(127, 0, 0, 1, port);
}

static int tcp_socket(void)
{
    const struct timeval wait = { .tv_sec = WAIT_S };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    return fd;
}

static int dial(const struct net *net)
{
    struct tr_addr to = loopback(tr_media_turn_port(net->rig->media));
    struct sockaddr_storage ss;
    socklen_t n = tr_sockaddr_put(&ss, &to);
    int fd = tcp_socket();
    CHECK(connect(fd, (struct sockaddr *)&ss, n) == 0);
    return fd;
}

static int listen_anywhere(uint16_t *port)
{
    struct tr_addr at = loopback(0);
    struct sockaddr_storage ss;
    socklen_t n = tr_sockaddr_put(&ss, &at);
    int fd = tcp_socket();
    CHECK(bind(fd, (struct sockaddr *)&ss, n) == 0 && listen(fd, 1) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&ss, &n) == 0);
    *port = tr_sockaddr_get(&ss).port;
    return fd;
}

/* --- requests --- */

struct answer {
    uint8_t bytes[1000];
    struct tr_stun m; /* borrows from them */
};

static bool read_answer(int fd, struct answer *a)
{
    if (recv(fd, a->bytes, 20, MSG_WAITALL) != 20)
        return false;
    size_t n = tr_get16(a->bytes + 2);
    return n + 20 <= sizeof a->bytes && recv(fd, a->bytes + 20, n, MSG_WAITALL) == (ssize_t)n &&
           tr_stun_parse(&a->m, tr_slice(a->bytes, n + 20), TR_STUN_FOR_TURN) == TR_OK;
}

static bool ask_once(int fd, const struct request *q, const struct tr_stun *challenge,
                     struct answer *a)
{
    uint8_t bytes[1000];
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    struct tr_slice msg = write_request(&w, q, 1, challenge);
    return send(fd, msg.p, msg.n, MSG_NOSIGNAL) == (ssize_t)msg.n && read_answer(fd, a);
}

/* The code of the answer; 0: success. */
static int ask_by(int fd, const struct request *q, struct answer *a)
{
    struct answer challenge;
    if (!ask_once(fd, q, NULL, &challenge) || !ask_once(fd, q, &challenge.m, a))
        return -1;
    return a->m.error_code;
}

static struct request connect_to(uint16_t port)
{
    uint8_t bytes[64], txid[TR_STUN_TXID] = { 1 };
    struct tr_addr peer = loopback(port);
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    struct tr_stun m;
    struct tr_slice value = { 0 };
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_TURN_CONNECT, txid);
    tr_stun_put_addr(&w, TR_TURN_XOR_PEER_ADDRESS, &peer, true); /* IPv4: whatever the txid */
    CHECK(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_TURN) == TR_OK &&
          tr_stun_find(&m, TR_TURN_XOR_PEER_ADDRESS, &value));
    return request_of(TR_TURN_CONNECT, TR_TURN_XOR_PEER_ADDRESS, value);
}

struct joined {
    int control, data, listener, peer;
};

static bool join(const struct net *net, struct joined *j)
{
    const struct request allocate_tcp = { .method = TR_TURN_ALLOCATE, .tcp = true };
    struct answer a;
    struct tr_slice number = { 0 };
    uint16_t port;
    *j = (struct joined){ .control = dial(net), .data = dial(net), .peer = -1 };
    j->listener = listen_anywhere(&port);
    const struct request connect_request = connect_to(port);
    CHECK_INT(ask_by(j->control, &allocate_tcp, &a), 0);
    CHECK_INT(ask_by(j->control, &connect_request, &a), 0);
    j->peer = accept(j->listener, NULL, NULL);
    if (!CHECK(j->peer >= 0 && tr_stun_find(&a.m, TR_TURN_CONNECTION_ID, &number)))
        return false;
    const struct request bind_request =
        request_of(TR_TURN_CONNECTION_BIND, TR_TURN_CONNECTION_ID, number);
    return CHECK(ask_by(j->data, &bind_request, &a) == 0);
}

static void leave(struct joined *j)
{
    close(j->data);
    close(j->peer);
    close(j->listener);
    close(j->control);
}

/* --- tests --- */

struct stream { /* one way */
    int from, to;
    size_t sent, got, wrong;
};

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 >> 3);
}

static void push(struct stream *s)
{
    uint8_t bytes[8192];
    size_t n = TOTAL - s->sent < sizeof bytes ? TOTAL - s->sent : sizeof bytes;
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(s->sent + i);
    ssize_t took = n > 0 ? send(s->from, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    s->sent += took > 0 ? (size_t)took : 0;
    ssize_t came = recv(s->to, bytes, sizeof bytes, MSG_DONTWAIT);
    for (ssize_t i = 0; i < came; i++)
        s->wrong += bytes[i] != byte_at(s->got + (size_t)i);
    s->got += came > 0 ? (size_t)came : 0;
}

TEST(joined_connections_keep_to_the_bounds)
{
    const struct net_conf conf = { .allow = "127.0.0.1", .tcp = true, .allocation_bps = RATE * 8 };
    struct net net;
    struct joined j;
    if (net_open_with(&net, &conf) && join(&net, &j)) {
        struct stream ways[2] = { { .from = j.data, .to = j.peer },
                                  { .from = j.peer, .to = j.data } };
        tr_usec begun = tr_clock_now(), until = begun + WAIT_US;
        while (ways[0].got + ways[1].got < 2 * TOTAL && tr_clock_now() < until) {
            for (int i = 0; i < 2; i++) {
                push(&ways[i]);
                size_t most = BURST + SLACK + (size_t)((tr_clock_now() - begun) * RATE / TR_SECOND);
                CHECK(ways[i].got <= most);
            }
            tr_clock_sleep(TR_MSEC / 4);
        }
        for (int i = 0; i < 2; i++) {
            CHECK_INT(ways[i].got, TOTAL);
            CHECK_INT(ways[i].wrong, 0);
        }
        struct tr_turn_counters c = relay_counters(&net);
        CHECK_INT(c.bytes_to_peers, TOTAL);
        CHECK_INT(c.bytes_to_clients, TOTAL);
        CHECK(c.refused[TR_TURN_REFUSED_RATE] > 0);
        leave(&j);
    }
    net_close(&net);
}

TEST(connections_are_bounded_for_all_workers)
{
    enum { MOST = 6, COUNT = 24 };
    const struct net_conf conf = { .tcp = true, .streams = { .address_max = MOST } };
    struct net net;
    if (net_open_with(&net, &conf)) {
        int fds[COUNT];
        for (int i = 0; i < COUNT; i++)
            fds[i] = dial(&net);
        WAIT_FOR(net.rig, all_counters(&net).streams.accepted == COUNT);
        struct tr_streams_counters c = all_counters(&net).streams;
        CHECK_INT(c.connections_now, MOST);
        CHECK_INT(c.ended[TR_STREAM_NO_ROOM], COUNT - MOST);
        for (int i = 0; i < COUNT; i++)
            close(fds[i]);
    }
    net_close(&net);
}

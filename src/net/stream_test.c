/* See stream_test.h. */
#include "net/stream_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dtls/dtls.h"
#include "net/sockaddr.h"
#include "net/waiter.h"

enum { TURNS_MAX = 4000 };

const uint8_t hello[12] = { 0x40, 0x01, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o' };

const struct tr_streams_counters *counters(const struct rig *rig)
{
    return tr_streams_counters(rig->set);
}

static void note(struct rig *rig, const struct tr_stream_event *event)
{
    switch (event->kind) {
    case TR_STREAM_CONNECTED:
    case TR_STREAM_ACCEPTED:
        rig->accepted += event->kind == TR_STREAM_ACCEPTED;
        rig->connected += event->kind == TR_STREAM_CONNECTED;
        rig->last = event->id;
        rig->path = event->path;
        rig->tls = event->tls;
        break;
    case TR_STREAM_FRAME:
        rig->frames++;
        if (CHECK(rig->got_n + event->data.n <= RIG_BYTES)) {
            memcpy(rig->got + rig->got_n, event->data.p, event->data.n);
            rig->got_n += event->data.n;
        }
        break;
    case TR_STREAM_WRITABLE: rig->writable++; break;
    case TR_STREAM_CLOSED:
        rig->closed++;
        rig->reasons[event->reason]++;
        break;
    }
}

static void on_event(void *arg, const struct tr_stream_event *event)
{
    struct rig *rig = arg;
    CHECK(event->id != 0);
    CHECK_INT(event->path.local.proto, TR_PROTO_TCP);
    CHECK_INT(event->path.remote.proto, TR_PROTO_TCP);
    note(rig, event);
    if (event->kind == TR_STREAM_FRAME && rig->proves)
        tr_stream_proven(rig->set, event->id);
    if (event->kind == TR_STREAM_FRAME && rig->echo)
        CHECK_INT(tr_stream_write(rig->set, rig->now, event->id, tr_slice(NULL, 0), event->data,
                                  TR_STREAM_KEEP),
                  TR_OK);
    if (rig->on_event)
        rig->on_event(rig, event);
}

void rig_init(struct rig *rig, const struct tr_streams_conf *conf, enum tr_framing framing,
              struct tr_tls *tls)
{
    static const struct tr_streams_conf defaults;
    *rig = (struct rig){ .now = 1000 * TR_SECOND, .proves = true };
    rig->got = malloc(RIG_BYTES);
    CHECK_INT(tr_streams_open(&rig->set, conf ? conf : &defaults, on_event, rig), TR_OK);
    const struct tr_stream_conf stream = { .framing = framing, .tls = tls, .tag = 7 };
    rig_listen(rig, &stream);
}

void rig_listen(struct rig *rig, const struct tr_stream_conf *conf)
{
    rig->at = tr_addr_v4(127, 0, 0, 1, 0);
    CHECK_INT(tr_streams_listen(rig->set, &rig->at, true, conf, &rig->listener), TR_OK);
    CHECK(rig->at.port != 0);
}

void rig_init_bounded(struct rig *rig, const struct tr_stream_bounds *bounds,
                      enum tr_framing framing, struct tr_tls *tls)
{
    struct tr_streams_conf conf = { .quota = tr_stream_quota_create(bounds, 1) };
    rig_init(rig, &conf, framing, tls);
    rig->quota = conf.quota;
}

void rig_init_beside(struct rig *rig, const struct rig *first, enum tr_framing framing)
{
    const struct tr_streams_conf conf = { .quota = first->quota };
    rig_init(rig, &conf, framing, NULL);
    tr_streams_unlisten(rig->set, rig->listener);
    rig->at = first->at;
    CHECK_INT(tr_streams_listen(rig->set, &rig->at, true,
                                &(struct tr_stream_conf){ .framing = framing }, &rig->listener),
              TR_OK);
}

void rig_deinit(struct rig *rig)
{
    tr_streams_close(rig->set);
    tr_stream_quota_destroy(rig->quota);
    free(rig->got);
}

void rig_turn(struct rig *rig)
{
    int waiter = tr_waiter_open();
    bool at_once = tr_streams_next_timeout(rig->set) <= rig->now;
    if (CHECK(tr_waiter_add(waiter, tr_streams_fd(rig->set), 0) == TR_OK))
        tr_waiter_wait(waiter, at_once ? 0 : TR_MSEC);
    tr_waiter_close(waiter);
    tr_streams_run(rig->set, rig->now);
    tr_streams_flush(rig->set, rig->now);
}

bool rig_until(struct rig *rig, const unsigned *count, unsigned n)
{
    for (int i = 0; i < TURNS_MAX && *count < n; i++)
        rig_turn(rig);
    return *count >= n;
}

bool rig_until_bytes(struct rig *rig, size_t n)
{
    for (int i = 0; i < TURNS_MAX && rig->got_n < n; i++)
        rig_turn(rig);
    return rig->got_n >= n;
}

void rig_pass(struct rig *rig, tr_usec us)
{
    rig->now += us;
    rig_turn(rig);
}

tr_id rig_dial(struct rig *rig, const struct tr_addr *to, enum tr_framing framing,
               struct tr_tls *tls)
{
    const struct tr_stream_conf conf = { .framing = framing, .tls = tls };
    struct tr_addr from = { 0 };
    tr_id id = 0;
    CHECK_INT(tr_streams_dial(rig->set, rig->now, &from, to, &conf, "turn.example.com",
                              10 * TR_SECOND, &id),
              TR_OK);
    return id;
}

int client_socket(const struct tr_addr *to, int receive_bytes)
{
    struct sockaddr_storage ss;
    socklen_t n = tr_sockaddr_put(&ss, to);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&ss, n) == 0);
    return fd;
}

int client_accepted(struct rig *rig, int receive_bytes)
{
    unsigned before = rig->accepted;
    int fd = client_socket(&rig->at, receive_bytes);
    CHECK(rig_until(rig, &rig->accepted, before + 1));
    return fd;
}

void client_send(int fd, const void *p, size_t n)
{
    CHECK(send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n);
}

bool client_read(struct rig *rig, int fd, void *p, size_t n)
{
    size_t have = 0;
    for (int i = 0; i < TURNS_MAX && have < n; i++) {
        rig_turn(rig);
        ssize_t got = recv(fd, (uint8_t *)p + have, n - have, MSG_DONTWAIT);
        if (got == 0)
            return false;
        have += got > 0 ? (size_t)got : 0;
    }
    return have == n;
}

bool client_sees_end(struct rig *rig, int fd)
{
    uint8_t rubbish[4096];
    for (int i = 0; i < TURNS_MAX; i++) {
        rig_turn(rig);
        ssize_t got = recv(fd, rubbish, sizeof rubbish, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

struct tr_tls *server_tls(struct tr_dtls_cert **cert, const char *alpn)
{
    *cert = tr_dtls_cert_create(1700000000);
    struct tr_tls *tls = tr_tls_create(&(struct tr_tls_conf){ .cert = *cert, .alpn = { alpn } });
    CHECK(tls != NULL);
    return tls;
}

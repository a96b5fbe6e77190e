/* Sockets are non-blocking. A datagram that the kernel does not take at once is dropped and
 * counted: media that waits is worse than media that is lost, and a queue of our own would only
 * hide it.
 *
 * Addresses stay in the kernel's form next to each queued message; converting is a few stores. */
#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/burst.h"
#include "net/sockaddr.h"

enum {
    RECV_BATCH = 16,
    RECV_BYTES = 65536,
    SEND_BATCH = 64,
    SEND_BYTES = 1 << 20,
    KERNEL_BUFFER_BYTES = 4 << 20,
    CONTROL_BYTES = 64,
    PORT_TRIES = 32,
};

struct socket {
    int fd;
    struct tr_addr local;
    bool gro;
};

struct out_msg {
    struct sockaddr_storage to;
    socklen_t to_len;
    int socket;
    struct iovec iov;
    uint16_t segment;
    _Alignas(8) uint8_t control[TR_BURST_CONTROL];
};

struct tr_udp {
    struct socket sockets[TR_UDP_SOCKETS_MAX];
    int count;
    uint16_t port;
    bool gso;
    struct tr_udp_counters counters;
    uint8_t *in;  /* RECV_BATCH buffers */
    uint8_t *out; /* SEND_BYTES */
    size_t out_used;
    struct out_msg msgs[SEND_BATCH];
    int msgs_count;
};

static bool is_v6(const struct socket *s)
{
    return !tr_addr_is_v4(&s->local);
}

static enum tr_err open_socket(struct tr_udp *udp, struct socket *s, const struct tr_addr *bind_to,
                               uint16_t port)
{
    int on = 1, bytes = KERNEL_BUFFER_BYTES;
    struct sockaddr_storage ss;
    s->local = *bind_to;
    s->local.port = port;
    s->fd = socket(is_v6(s) ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return TR_ERR_IO;
    if (port != 0 && setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return TR_ERR_IO;
    if (is_v6(s))
        setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    /* Best effort: the kernel caps these at net.core.*mem_max unless we may force it. */
    if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    s->gro = setsockopt(s->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
    if (bind(s->fd, (struct sockaddr *)&ss, tr_sockaddr_put(&ss, &s->local)) != 0)
        return TR_ERR_IO;
    /* Only now: a port counts as free for SO_REUSEPORT when another program shares it likewise. */
    if (port == 0 && setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return TR_ERR_IO;
    socklen_t len = sizeof ss;
    if (getsockname(s->fd, (struct sockaddr *)&ss, &len) != 0)
        return TR_ERR_IO;
    s->local = tr_sockaddr_get(&ss);
    if (udp->gso) {
        int segment = 0;
        udp->gso = setsockopt(s->fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0;
    }
    return TR_OK;
}

static void close_sockets(struct tr_udp *udp)
{
    for (int i = 0; i < udp->count; i++) {
        if (udp->sockets[i].fd >= 0)
            close(udp->sockets[i].fd);
    }
    udp->count = 0;
}

static enum tr_err open_sockets(struct tr_udp *udp, const struct tr_addr *bind_to, int count,
                                uint16_t port)
{
    for (int i = 0; i < count; i++) {
        udp->sockets[i].fd = -1;
        udp->count = i + 1;
        enum tr_err err = open_socket(udp, &udp->sockets[i], &bind_to[i], port);
        if (err != TR_OK)
            return err;
        port = udp->sockets[i].local.port;
    }
    udp->port = port;
    return TR_OK;
}

enum tr_err tr_udp_open(struct tr_udp **out, const struct tr_addr *bind_to, int count,
                        uint16_t port, bool gso)
{
    if (count < 0 || count > TR_UDP_SOCKETS_MAX)
        return TR_ERR_INVAL;
    struct tr_udp *udp = tr_alloc(sizeof *udp);
    if (!udp)
        return TR_ERR_NOMEM;
    udp->gso = gso;
    udp->in = tr_alloc((size_t)RECV_BATCH * RECV_BYTES);
    udp->out = tr_alloc(SEND_BYTES);
    enum tr_err err = udp->in && udp->out ? TR_ERR_IO : TR_ERR_NOMEM;
    /* A free port of one address may be taken on another: look for one that is free on all. */
    for (int i = 0; err == TR_ERR_IO && i < (port ? 1 : PORT_TRIES); i++) {
        close_sockets(udp);
        err = open_sockets(udp, bind_to, count, port);
    }
    if (err != TR_OK) {
        tr_udp_close(udp);
        return err;
    }
    *out = udp;
    return TR_OK;
}

void tr_udp_close(struct tr_udp *udp)
{
    if (!udp)
        return;
    int saved = errno; /* the caller may want to say why */
    close_sockets(udp);
    tr_free(udp->in);
    tr_free(udp->out);
    tr_free(udp);
    errno = saved;
}

uint16_t tr_udp_port(const struct tr_udp *udp)
{
    return udp->port;
}

int tr_udp_fd(const struct tr_udp *udp, int socket)
{
    return socket < udp->count ? udp->sockets[socket].fd : -1;
}

const struct tr_udp_counters *tr_udp_counters(const struct tr_udp *udp)
{
    return &udp->counters;
}

/* --- in --- */

static void split(struct tr_udp *udp, const struct tr_path *path, struct tr_slice bytes,
                  size_t size, tr_udp_h *handler, void *arg)
{
    while (bytes.n > 0) {
        size_t n = bytes.n < size ? bytes.n : size;
        udp->counters.datagrams_in++;
        udp->counters.bytes_in += n;
        handler(arg, path, tr_slice(bytes.p, n));
        bytes = tr_slice(bytes.p + n, bytes.n - n);
    }
}

bool tr_udp_receive(struct tr_udp *udp, int socket, tr_udp_h *handler, void *arg)
{
    struct mmsghdr msgs[RECV_BATCH];
    struct iovec iov[RECV_BATCH];
    struct sockaddr_storage from[RECV_BATCH];
    _Alignas(8) uint8_t control[RECV_BATCH][CONTROL_BYTES];
    const struct socket *s = &udp->sockets[socket];
    for (int i = 0; i < RECV_BATCH; i++) {
        iov[i] = (struct iovec){ udp->in + (size_t)i * RECV_BYTES, RECV_BYTES };
        msgs[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
                                           .msg_namelen = sizeof from[i],
                                           .msg_iov = &iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = control[i],
                                           .msg_controllen = sizeof control[i] };
    }
    int n = recvmmsg(s->fd, msgs, RECV_BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    udp->counters.receives++;
    for (int i = 0; i < n; i++) {
        struct tr_path path = { .local = s->local, .remote = tr_sockaddr_get(&from[i]) };
        struct tr_slice bytes = tr_slice(iov[i].iov_base, msgs[i].msg_len);
        split(udp, &path, bytes, tr_gro_size(&msgs[i].msg_hdr, bytes.n), handler, arg);
    }
    return n == RECV_BATCH;
}

/* --- out --- */

static int socket_of(const struct tr_udp *udp, const struct tr_addr *local)
{
    for (int i = 0; i < udp->count; i++) {
        if (tr_addr_eq(&udp->sockets[i].local, local))
            return i;
    }
    return -1;
}

uint8_t *tr_udp_reserve(struct tr_udp *udp, size_t n)
{
    if (n > SEND_BYTES)
        return NULL;
    if (SEND_BYTES - udp->out_used < n)
        tr_udp_flush(udp);
    return udp->out + udp->out_used;
}

void tr_udp_hold(struct tr_udp *udp, const uint8_t *end)
{
    TR_ASSERT(end >= udp->out + udp->out_used && end <= udp->out + SEND_BYTES);
    udp->out_used = (size_t)(end - udp->out);
}

static void queue(struct tr_udp *udp, int socket, const struct tr_addr *to, const uint8_t *p,
                  size_t len, uint16_t segment)
{
    if (udp->msgs_count == SEND_BATCH) {
        /* Sends what is queued, but keeps the buffer: p is in it. */
        size_t used = udp->out_used;
        tr_udp_flush(udp);
        udp->out_used = used;
    }
    struct out_msg *m = &udp->msgs[udp->msgs_count++];
    m->to_len = tr_sockaddr_put(&m->to, to);
    m->socket = socket;
    m->iov = (struct iovec){ (void *)(uintptr_t)p, len };
    m->segment = segment;
}

void tr_udp_commit(struct tr_udp *udp, const struct tr_path *path, const uint8_t *p, size_t len,
                   uint16_t segment)
{
    int socket = socket_of(udp, &path->local);
    TR_ASSERT(p >= udp->out && p + len <= udp->out + SEND_BYTES);
    if (socket < 0 || len == 0)
        return;
    size_t end = (size_t)(p + len - udp->out);
    if (end > udp->out_used)
        udp->out_used = end;
    if (segment == 0 || segment >= len) {
        queue(udp, socket, &path->remote, p, len, 0);
        return;
    }
    size_t step = udp->gso ? (size_t)segment * TR_UDP_SEGMENTS_MAX : segment;
    if (udp->gso && step > TR_BURST_BYTES_MAX)
        step = TR_BURST_BYTES_MAX / segment * segment;
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        queue(udp, socket, &path->remote, p + at, n, n > segment ? segment : 0);
    }
}

void tr_udp_send(struct tr_udp *udp, const struct tr_path *path, struct tr_slice datagram)
{
    if (datagram.n == 0 || datagram.n > TR_BURST_BYTES_MAX)
        return;
    uint8_t *p = tr_udp_reserve(udp, datagram.n);
    memcpy(p, datagram.p, datagram.n);
    tr_udp_commit(udp, path, p, datagram.n, 0);
}

/* Hands over the messages first .. end - 1, all of one socket. */
static void send_batch(struct tr_udp *udp, int first, int end)
{
    struct mmsghdr hdrs[SEND_BATCH];
    for (int i = first; i < end; i++) {
        struct out_msg *m = &udp->msgs[i];
        hdrs[i].msg_hdr = (struct msghdr){
            .msg_name = &m->to, .msg_namelen = m->to_len, .msg_iov = &m->iov, .msg_iovlen = 1
        };
        if (m->segment)
            tr_burst_segment(&hdrs[i].msg_hdr, m->control, m->segment);
    }
    tr_burst_send(udp->sockets[udp->msgs[first].socket].fd, hdrs + first, end - first,
                  &udp->counters, &udp->gso);
}

void tr_udp_flush(struct tr_udp *udp)
{
    for (int first = 0; first < udp->msgs_count;) {
        int end = first + 1;
        while (end < udp->msgs_count && udp->msgs[end].socket == udp->msgs[first].socket)
            end++;
        send_batch(udp, first, end);
        first = end;
    }
    udp->msgs_count = 0;
    udp->out_used = 0;
}

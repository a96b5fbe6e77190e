/* One epoll over all sockets, level triggered: a socket that was not read dry is reported again, so
 * a busy one cannot starve the others. */
#include "net/swarm.h"

#include <errno.h>
#include <time.h> /* the next one needs it */

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/burst.h"
#include "net/sockaddr.h"

enum {
    READY_MAX = 64,
    RECV_BATCH = 16,
    RECV_BYTES = 65536,
    SEND_BATCH = 64,
    DATAGRAM_MAX = 2048,
    KERNEL_BUFFER_BYTES = 1 << 20,
    CONTROL_BYTES = 64,
    ERRORS_A_TURN = 16, /* of one socket */
    ERROR_CONTROL = 512,
};

#define NO_SLOT UINT32_MAX

#define WAIT_MAX_US (60 * TR_SECOND)

struct member {
    int fd; /* -1: free */
    uint32_t next_free;
    void *arg;
    struct tr_addr local;
};

struct inbound { /* what recvmmsg needs; set up once, and after each use what that has changed */
    struct mmsghdr msgs[RECV_BATCH];
    struct iovec iov[RECV_BATCH];
    struct sockaddr_storage from[RECV_BATCH];
    _Alignas(8) uint8_t control[RECV_BATCH][CONTROL_BYTES];
};

struct waiting {
    uint32_t socket;
    struct sockaddr_storage to;
    socklen_t to_len;
    struct iovec iov;
};

struct tr_swarm {
    struct member *members;
    uint32_t max, count; /* slots ever used */
    uint32_t free;       /* NO_SLOT: none of those */
    int epoll;
    bool gro;
    tr_swarm_icmp_h *icmp; /* NULL: nobody asks */
    struct inbound inbound;
    struct tr_swarm_counters counters;
    uint8_t *in;  /* RECV_BATCH buffers */
    uint8_t *out; /* SEND_BATCH datagrams */
    struct waiting queue[SEND_BATCH];
    int queued;
};

static void prepare(struct tr_swarm *s, int i)
{
    struct inbound *in = &s->inbound;
    in->iov[i] = (struct iovec){ s->in + (size_t)i * RECV_BYTES, RECV_BYTES };
    in->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &in->from[i],
                                           .msg_namelen = sizeof in->from[i],
                                           .msg_iov = &in->iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = in->control[i],
                                           .msg_controllen = sizeof in->control[i] };
}

enum tr_err tr_swarm_open(struct tr_swarm **out, uint32_t sockets_max, bool gro)
{
    struct tr_swarm *s = tr_alloc(sizeof *s);
    if (!s)
        return TR_ERR_NOMEM;
    s->max = sockets_max;
    s->free = NO_SLOT;
    s->gro = gro;
    s->members = tr_alloc(sockets_max * sizeof *s->members);
    s->in = tr_alloc((size_t)RECV_BATCH * RECV_BYTES);
    s->out = tr_alloc((size_t)SEND_BATCH * DATAGRAM_MAX);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    bool memory = s->members && s->in && s->out;
    for (int i = 0; memory && i < RECV_BATCH; i++)
        prepare(s, i);
    if (!memory || s->epoll < 0) {
        tr_swarm_close(s);
        return memory ? TR_ERR_IO : TR_ERR_NOMEM;
    }
    *out = s;
    return TR_OK;
}

void tr_swarm_close(struct tr_swarm *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->count; i++)
        tr_swarm_remove(s, i);
    if (s->epoll >= 0)
        close(s->epoll);
    tr_free(s->members);
    tr_free(s->in);
    tr_free(s->out);
    tr_free(s);
}

const struct tr_swarm_counters *tr_swarm_counters(const struct tr_swarm *s)
{
    return &s->counters;
}

/* --- sockets --- */

static int open_socket(const struct tr_addr *ip, struct tr_addr *local)
{
    int bytes = KERNEL_BUFFER_BYTES;
    struct sockaddr_storage ss;
    struct tr_addr any_port = *ip;
    any_port.port = 0;
    socklen_t len = tr_sockaddr_put(&ss, &any_port);
    int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (bind(fd, (struct sockaddr *)&ss, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&ss, &len) != 0) {
        close(fd);
        return -1;
    }
    *local = tr_sockaddr_get(&ss);
    return fd;
}

static bool take_slot(struct tr_swarm *s, uint32_t *slot)
{
    *slot = s->free;
    if (*slot != NO_SLOT) {
        s->free = s->members[*slot].next_free;
        return true;
    }
    if (s->count == s->max)
        return false;
    *slot = s->count++;
    return true;
}

static void give_slot(struct tr_swarm *s, uint32_t slot)
{
    s->members[slot].fd = -1;
    s->members[slot].next_free = s->free;
    s->free = slot;
}

enum tr_err tr_swarm_adopt(struct tr_swarm *s, int fd, const struct tr_addr *local, void *arg,
                           uint32_t *socket)
{
    int on = 1;
    uint32_t slot;
    if (!take_slot(s, &slot))
        return TR_ERR_LIMIT;
    struct epoll_event ev = { .events = EPOLLIN, .data.u32 = slot };
    s->members[slot] = (struct member){ .fd = fd, .arg = arg, .local = *local };
    if (fd < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        give_slot(s, slot);
        return TR_ERR_IO;
    }
    if (s->gro)
        setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    *socket = slot;
    return TR_OK;
}

enum tr_err tr_swarm_add(struct tr_swarm *s, const struct tr_addr *ip, void *arg, uint32_t *socket,
                         struct tr_addr *local)
{
    int fd = open_socket(ip, local);
    enum tr_err err = tr_swarm_adopt(s, fd, local, arg, socket);
    if (err != TR_OK && fd >= 0)
        close(fd);
    return err;
}

enum tr_err tr_swarm_watch(struct tr_swarm *s, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u32 = NO_SLOT };
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? TR_OK : TR_ERR_IO;
}

int tr_swarm_fd(const struct tr_swarm *s)
{
    return s->epoll;
}

void tr_swarm_remove(struct tr_swarm *s, uint32_t socket)
{
    struct member *m = &s->members[socket];
    tr_swarm_flush(s); /* what waits for this socket */
    if (m->fd < 0)
        return;
    close(m->fd);
    give_slot(s, socket);
}

int tr_swarm_socket_fd(const struct tr_swarm *s, uint32_t socket)
{
    return s->members[socket].fd;
}

void tr_swarm_on_icmp(struct tr_swarm *s, tr_swarm_icmp_h *handler)
{
    s->icmp = handler;
}

/* --- in --- */

static void deliver(struct tr_swarm *s, void *arg, const struct tr_path *path, struct tr_slice in,
                    size_t size, tr_udp_h *handler)
{
    while (in.n > 0) {
        size_t n = in.n < size ? in.n : size;
        s->counters.datagrams_in++;
        s->counters.bytes_in += n;
        handler(arg, path, tr_slice(in.p, n));
        in = tr_slice(in.p + n, in.n - n);
    }
}

static void read_socket(struct tr_swarm *s, uint32_t socket, tr_udp_h *handler)
{
    const struct member m = s->members[socket]; /* the handler may add, which moves nothing */
    struct inbound *in = &s->inbound;
    int n = recvmmsg(m.fd, in->msgs, RECV_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        struct msghdr *hdr = &in->msgs[i].msg_hdr;
        struct tr_path path = { .local = m.local, .remote = tr_sockaddr_get(&in->from[i]) };
        struct tr_slice bytes = tr_slice(in->iov[i].iov_base, in->msgs[i].msg_len);
        deliver(s, m.arg, &path, bytes, tr_gro_size(hdr, bytes.n), handler);
        prepare(s, i);
    }
}

/* --- ICMP --- */

/* Our own link says no by the call that sends, not by ICMP; but a client of the relay, who wished
 * that nobody cuts his datagram, must hear of it like of any other link on the way. */
static bool as_icmp(const struct sock_extended_err *e, bool v6, uint8_t *type, uint8_t *code)
{
    bool ours = e->ee_origin == SO_EE_ORIGIN_LOCAL && e->ee_errno == EMSGSIZE;
    *type = !ours ? e->ee_type : v6 ? ICMP6_PACKET_TOO_BIG : ICMP_DEST_UNREACH;
    *code = !ours ? e->ee_code : v6 ? 0 : ICMP_FRAG_NEEDED;
    return ours || e->ee_origin == SO_EE_ORIGIN_ICMP || e->ee_origin == SO_EE_ORIGIN_ICMP6;
}

static void tell_icmp(struct tr_swarm *s, void *arg, struct msghdr *hdr, const struct tr_addr *peer)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        struct sock_extended_err e;
        uint8_t type, code;
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6)
            continue;
        memcpy(&e, CMSG_DATA(c), sizeof e);
        if (s->icmp && as_icmp(&e, v6, &type, &code))
            s->icmp(arg, peer, type, code, e.ee_info);
    }
}

static void read_errors(struct tr_swarm *s, uint32_t socket)
{
    const struct member m = s->members[socket];
    for (int i = 0; i < ERRORS_A_TURN; i++) {
        struct sockaddr_storage to;
        _Alignas(8) uint8_t control[ERROR_CONTROL];
        struct iovec iov = { s->in, RECV_BYTES }; /* the datagram that it is about */
        struct msghdr hdr = { .msg_name = &to,
                              .msg_namelen = sizeof to,
                              .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof control };
        if (recvmsg(m.fd, &hdr, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return;
        struct tr_addr peer = tr_sockaddr_get(&to);
        tell_icmp(s, m.arg, &hdr, &peer);
    }
}

void tr_swarm_wait(struct tr_swarm *s, tr_usec timeout_us, tr_udp_h *handler)
{
    struct epoll_event ready[READY_MAX];
    tr_usec us = timeout_us > WAIT_MAX_US ? WAIT_MAX_US : timeout_us;
    struct timespec t = { .tv_sec = us / TR_SECOND, .tv_nsec = us % TR_SECOND * 1000 };
    int n = epoll_pwait2(s->epoll, ready, READY_MAX, &t, NULL);
    if (n < 0 && errno == ENOSYS) /* Linux before 5.11 */
        n = epoll_wait(s->epoll, ready, READY_MAX, (int)((us + 999) / 1000));
    for (int i = 0; i < n; i++) {
        if (ready[i].data.u32 == NO_SLOT)
            continue;
        if (ready[i].events & EPOLLERR)
            read_errors(s, ready[i].data.u32);
        read_socket(s, ready[i].data.u32, handler);
    }
}

/* --- out --- */

void tr_swarm_send(struct tr_swarm *s, uint32_t socket, const struct tr_addr *to,
                   struct tr_slice datagram)
{
    if (datagram.n > DATAGRAM_MAX || socket >= s->count)
        return;
    if (s->queued == SEND_BATCH)
        tr_swarm_flush(s);
    struct waiting *w = &s->queue[s->queued];
    uint8_t *p = s->out + (size_t)s->queued * DATAGRAM_MAX;
    memcpy(p, datagram.p, datagram.n);
    w->socket = socket;
    w->to_len = tr_sockaddr_put(&w->to, to);
    w->iov = (struct iovec){ p, datagram.n };
    s->queued++;
}

static void send_run(struct tr_swarm *s, int first, int end)
{
    struct mmsghdr hdrs[SEND_BATCH];
    for (int i = first; i < end; i++) {
        struct waiting *w = &s->queue[i];
        hdrs[i].msg_hdr = (struct msghdr){
            .msg_name = &w->to, .msg_namelen = w->to_len, .msg_iov = &w->iov, .msg_iovlen = 1
        };
    }
    struct tr_udp_counters sent = { 0 };
    bool gso = false;
    tr_burst_send(s->members[s->queue[first].socket].fd, hdrs + first, end - first, &sent, &gso);
    s->counters.datagrams_out += sent.datagrams_out;
    s->counters.bytes_out += sent.bytes_out;
    s->counters.send_dropped += sent.send_dropped;
}

void tr_swarm_flush(struct tr_swarm *s)
{
    for (int first = 0; first < s->queued;) {
        int end = first + 1;
        while (end < s->queued && s->queue[end].socket == s->queue[first].socket)
            end++;
        send_run(s, first, end);
        first = end;
    }
    s->queued = 0;
}

/* How connections come about: listeners, dialing, TLS handshakes. What a listener's socket is set
 * to, its connections inherit. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "net/sockaddr.h"
#include "net/stream_int.h"
#include "net/tls_int.h"

enum {
    ACCEPTS_A_TURN = 64,
    BACKLOG = 1024,
    NOT_SENT_BYTES = 16384,    /* what the kernel may hold that is not on the wire yet */
    UNANSWERED_MS = 30 * 1000, /* data that the other side does not acknowledge */
    HANDSHAKE_BYTES_MAX = 32768,
};

#define ACCEPT_REST_US (100 * TR_MSEC) /* when descriptors or memory are out */
#define LISTENER_BIT (UINT64_C(1) << 63)

static void set_options(int fd)
{
    int on = 1, unsent = NOT_SENT_BYTES, unanswered = UNANSWERED_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

enum port_use { PORT_OWN, PORT_SHARED, PORT_ANY };

static bool bind_to(int fd, const struct sockaddr_storage *ss, socklen_t n, enum port_use use)
{
    int on = 1;
    if (use == PORT_SHARED && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return false;
    if (use == PORT_ANY) /* chosen when it connects, by where to */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)ss, n) != 0)
        return false;
    /* Only now, or a free port would be one that others share already. Connections from here to
     * elsewhere share it later. */
    return use != PORT_OWN || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
}

/* A socket that is bound. -1: errno says why. */
static int open_socket(const struct tr_addr *at, enum port_use use)
{
    struct sockaddr_storage ss;
    int on = 1;
    socklen_t n = tr_sockaddr_put(&ss, at);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ss.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    set_options(fd);
    if (bind_to(fd, &ss, n, use))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static bool local_of(int fd, struct tr_addr *local)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0)
        return false;
    *local = tr_sockaddr_get(&ss);
    local->proto = TR_PROTO_TCP;
    return true;
}

/* --- listeners --- */

static enum tr_err listen_at(struct tr_streams *set, struct listener *l, bool shared)
{
    l->fd = open_socket(&l->at, shared && l->at.port != 0 ? PORT_SHARED : PORT_OWN);
    if (l->fd < 0 || listen(l->fd, BACKLOG) != 0 || !local_of(l->fd, &l->at))
        return TR_ERR_IO;
    tr_id id = tr_idtab_add(set->listeners, l);
    if (!id)
        return TR_ERR_LIMIT;
    l->id = id | LISTENER_BIT;
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = l->id };
    if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, l->fd, &ev) == 0)
        return TR_OK;
    tr_idtab_remove(set->listeners, id);
    return TR_ERR_IO;
}

static void listener_free(struct listener *l)
{
    int saved = errno;
    if (l->fd >= 0)
        close(l->fd);
    tr_free(l);
    errno = saved;
}

enum tr_err tr_streams_listen(struct tr_streams *set, struct tr_addr *at, bool shared,
                              const struct tr_stream_conf *conf, tr_id *listener)
{
    struct listener *l = tr_alloc(sizeof *l);
    if (!l)
        return TR_ERR_NOMEM;
    *l = (struct listener){ .at = *at, .conf = *conf, .fd = -1 };
    enum tr_err err = listen_at(set, l, shared);
    if (err != TR_OK) {
        listener_free(l);
        return err;
    }
    *at = l->at;
    *listener = l->id;
    return TR_OK;
}

void tr_streams_unlisten(struct tr_streams *set, tr_id listener)
{
    struct listener *l = tr_idtab_remove(set->listeners, listener & ~LISTENER_BIT);
    if (!l)
        return;
    tr_heap_remove(&set->listener_timers, &l->timer);
    listener_free(l);
}

/* Without descriptors the listener stays readable and would keep us busy. */
static void rest(struct tr_streams *set, struct listener *l)
{
    struct epoll_event ev = { .events = 0, .data.u64 = l->id };
    set->counters.accept_failed++;
    if (tr_heap_set(&set->listener_timers, &l->timer, set->now + ACCEPT_REST_US) == TR_OK)
        epoll_ctl(set->epoll, EPOLL_CTL_MOD, l->fd, &ev);
}

void listener_due(struct tr_streams *set, struct listener *l)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = l->id };
    tr_heap_remove(&set->listener_timers, &l->timer);
    epoll_ctl(set->epoll, EPOLL_CTL_MOD, l->fd, &ev);
}

/* --- accepting --- */

static enum tr_err start_tls(struct tr_streams *set, struct conn *c, struct tr_tls *tls,
                             const char *server_name)
{
    c->ssl = tls_ssl(tls, c->fd, server_name);
    return c->ssl ? conn_crowd(set, c, STREAM_HANDSHAKES) : TR_ERR_NOMEM;
}

static enum tr_err enter_accepted(struct tr_streams *set, struct conn *c, struct tr_tls *tls)
{
    c->state = tls ? CONN_HANDSHAKE : CONN_OPEN;
    enum tr_err err = conn_count(set, c);
    if (err == TR_OK && !c->proven)
        err = conn_crowd(set, c, STREAM_UNPROVEN);
    if (err == TR_OK && tls)
        err = start_tls(set, c, tls, NULL);
    if (err == TR_OK)
        err = conn_enter(set, c);
    if (err != TR_OK)
        conn_uncrowd_all(set, c);
    return err;
}

static void accepted(struct tr_streams *set, const struct listener *l, int fd,
                     const struct tr_addr *remote)
{
    struct tr_path path = { .local = l->at, .remote = *remote };
    struct conn *c = NULL;
    enum tr_err err = TR_ERR_IO;
    set->counters.accepted++;
    if (!tr_addr_is_any(&l->at) || local_of(fd, &path.local)) {
        c = conn_create(&l->conf, fd, &path);
        err = c ? enter_accepted(set, c, l->conf.tls) : TR_ERR_NOMEM;
    }
    if (err != TR_OK) {
        set->counters.ended[err == TR_ERR_LIMIT ? TR_STREAM_NO_ROOM : TR_STREAM_NO_MEMORY]++;
        if (c)
            conn_free(c);
        else
            close(fd);
    } else if (c->state == CONN_OPEN) {
        c->told = true;
        conn_tell(set, c, TR_STREAM_ACCEPTED, tr_slice(NULL, 0));
    }
}

static bool is_of_one_client(int why) /* the next one may be fine */
{
    return why == ECONNABORTED || why == EPROTO || why == EINTR || why == EPERM ||
           why == ENETDOWN || why == EHOSTUNREACH || why == ENETUNREACH || why == EHOSTDOWN;
}

void listener_accept(struct tr_streams *set, tr_id id)
{
    struct listener *l;
    /* Looked up again and again: the handler may end it. */
    for (int i = 0; i < ACCEPTS_A_TURN && (l = tr_idtab_get(set->listeners, id & ~LISTENER_BIT));
         i++) {
        struct sockaddr_storage ss;
        socklen_t n = sizeof ss;
        int fd = accept4(l->fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            struct tr_addr remote = tr_sockaddr_get(&ss);
            accepted(set, l, fd, &remote);
        } else if (!is_of_one_client(errno)) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                rest(set, l);
            return;
        }
    }
}

/* --- dialing --- */

static enum tr_err dial(struct tr_streams *set, int fd, const struct tr_addr *to,
                        const struct tr_stream_conf *conf, const char *server_name,
                        tr_usec timeout_us, tr_id *id)
{
    struct sockaddr_storage ss;
    struct tr_path path = { .remote = *to };
    socklen_t n = tr_sockaddr_put(&ss, to);
    if (connect(fd, (struct sockaddr *)&ss, n) != 0 && errno != EINPROGRESS)
        return TR_ERR_IO;
    if (!local_of(fd, &path.local))
        return TR_ERR_IO;
    struct conn *c = conn_create(conf, fd, &path);
    if (!c)
        return TR_ERR_NOMEM;
    c->state = CONN_DIALING;
    c->dial_us = timeout_us;
    c->client = c->told = c->proven = true;
    enum tr_err err = conn_count(set, c);
    if (err == TR_OK && conf->tls)
        err = start_tls(set, c, conf->tls, server_name);
    if (err == TR_OK)
        err = conn_enter(set, c);
    if (err != TR_OK) {
        conn_uncrowd_all(set, c);
        c->fd = -1; /* the caller's */
        conn_free(c);
        return err;
    }
    set->counters.dialed++;
    *id = c->id;
    return TR_OK;
}

enum tr_err tr_streams_dial(struct tr_streams *set, tr_usec now, const struct tr_addr *from,
                            const struct tr_addr *to, const struct tr_stream_conf *conf,
                            const char *server_name, tr_usec timeout_us, tr_id *id)
{
    struct tr_addr at = *from;
    set->now = now > set->now ? now : set->now;
    if (tr_addr_is_any(&at) && tr_addr_is_v4(to))
        at = tr_addr_v4(0, 0, 0, 0, at.port);
    int fd = open_socket(&at, at.port != 0 ? PORT_SHARED : PORT_ANY);
    if (fd < 0)
        return TR_ERR_IO;
    enum tr_err err = dial(set, fd, to, conf, server_name, timeout_us, id);
    if (err != TR_OK) {
        int why = errno;
        close(fd);
        errno = why;
    }
    return err;
}

static void opened(struct tr_streams *set, struct conn *c)
{
    c->state = CONN_OPEN;
    c->since = c->last_in = set->now;
    conn_arm(set, c);
    if (stream_queue_n(&c->out) > 0)
        conn_list_add(set, c, LIST_DIRTY);
    if (c->ssl)
        conn_list_add(set, c, LIST_MORE); /* what OpenSSL may have read already */
    conn_watch(set, c);
    if (c->state != CONN_OPEN)
        return;
    c->told = true;
    conn_tell(set, c, c->client ? TR_STREAM_CONNECTED : TR_STREAM_ACCEPTED, tr_slice(NULL, 0));
}

void conn_dialed(struct tr_streams *set, struct conn *c)
{
    int why = 0;
    socklen_t n = sizeof why;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &n) != 0 || why != 0 ||
        !local_of(c->fd, &c->path.local)) {
        conn_fail(set, c, TR_STREAM_ERROR);
    } else if (c->ssl) {
        c->state = CONN_HANDSHAKE;
        c->since = set->now;
        conn_handshake(set, c);
    } else {
        opened(set, c);
    }
}

void conn_handshake(struct tr_streams *set, struct conn *c)
{
    ERR_clear_error();
    int done = SSL_do_handshake(c->ssl), why = SSL_get_error(c->ssl, done);
    if (done == 1) {
        set->counters.handshakes++;
        conn_uncrowd(set, c, STREAM_HANDSHAKES);
        c->read_wants_write = false;
        opened(set, c);
    } else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
        conn_fail(set, c, TR_STREAM_TLS);
    } else if (BIO_number_read(SSL_get_rbio(c->ssl)) > HANDSHAKE_BYTES_MAX) {
        conn_fail(set, c, TR_STREAM_TLS);
    } else {
        c->read_wants_write = why == SSL_ERROR_WANT_WRITE;
        conn_watch(set, c);
    }
}

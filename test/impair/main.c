/* tring-impair: a UDP proxy that is a bad network. Usage: tring-impair SERVER:PORT [SEED]
 *
 * Listens on a free port of 127.0.0.1 and says "listening on PORT". Lines on stdin change the
 * conditions (impair.h); each is answered by one line. It ends with its stdin, and so with the
 * test that started it.
 *
 * A client's datagrams leave by a socket of its own, so that the server sees as many addresses as
 * there are clients. It has the server's own address: all is on one machine, and some servers do
 * not talk to 127.0.0.1 from another one. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "impair/impair.h"
#include "net/clock.h"
#include "net/udp.h"
#include "net/waiter.h"

enum { TAG_STDIN, TAG_FRONT, TAG_FLOWS, INPUT_MAX = 4096 };
_Static_assert(TAG_FLOWS + IMPAIR_FLOWS_MAX <= TR_WAITER_MAX, "a tag for each flow");

struct proxy {
    int waiter;
    struct impair *impair;
    struct tr_addr here, server;
    struct tr_udp *front;
    struct tr_udp *flows[IMPAIR_FLOWS_MAX];
    unsigned reading; /* the flow whose socket is read */
    char input[INPUT_MAX];
    size_t input_n;
};

static enum tr_err open_port(struct proxy *proxy, struct tr_udp **udp, const struct tr_addr *here,
                             unsigned tag)
{
    enum tr_err err = tr_udp_open(udp, here, 1, 0, false);
    return err ? err : tr_waiter_add(proxy->waiter, tr_udp_fd(*udp, 0), tag);
}

static void send_from(struct tr_udp *udp, struct tr_addr here, const struct tr_addr *to,
                      struct tr_slice datagram)
{
    here.port = tr_udp_port(udp);
    tr_udp_send(udp, &(struct tr_path){ .local = here, .remote = *to }, datagram);
}

static void to_server(void *arg, unsigned flow, struct tr_slice datagram)
{
    struct proxy *proxy = arg;
    struct tr_udp **udp = &proxy->flows[flow];
    if (!*udp && open_port(proxy, udp, &proxy->server, TAG_FLOWS + flow)) {
        fprintf(stderr, "tring-impair: no socket for flow %u\n", flow);
        return;
    }
    send_from(*udp, proxy->server, &proxy->server, datagram);
}

static void to_client(void *arg, const struct tr_addr *client, struct tr_slice datagram)
{
    struct proxy *proxy = arg;
    send_from(proxy->front, proxy->here, client, datagram);
}

static void from_client(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct proxy *proxy = arg;
    enum tr_err err = impair_from_client(proxy->impair, tr_clock_now(), &path->remote, datagram);
    if (err)
        fprintf(stderr, "tring-impair: a datagram was refused: %s\n", tr_err_str(err));
}

static void from_server(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct proxy *proxy = arg;
    enum tr_err err = TR_ERR_IGNORED;
    if (tr_addr_eq(&path->remote, &proxy->server))
        err = impair_from_server(proxy->impair, tr_clock_now(), proxy->reading, datagram);
    if (err)
        fprintf(stderr, "tring-impair: a datagram was refused: %s\n", tr_err_str(err));
}

static void flush(struct proxy *proxy)
{
    tr_udp_flush(proxy->front);
    for (unsigned i = 0; i < IMPAIR_FLOWS_MAX && proxy->flows[i]; i++)
        tr_udp_flush(proxy->flows[i]);
}

/* false: stdin has ended. */
static bool read_lines(struct proxy *proxy)
{
    ssize_t n = read(STDIN_FILENO, proxy->input + proxy->input_n, INPUT_MAX - 1 - proxy->input_n);
    if (n <= 0)
        return false;
    proxy->input_n += (size_t)n;
    proxy->input[proxy->input_n] = '\0';
    char *line = proxy->input;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
        char reply[IMPAIR_REPLY_MAX];
        *end = '\0';
        (void)impair_control(proxy->impair, tr_clock_now(), line, reply);
        printf("%s\n", reply);
    }
    proxy->input_n -= (size_t)(line - proxy->input);
    memmove(proxy->input, line, proxy->input_n);
    return proxy->input_n < INPUT_MAX - 1; /* no line is as long as that */
}

static tr_usec patience(const struct proxy *proxy)
{
    tr_usec next = impair_next(proxy->impair), now = tr_clock_now();
    if (next == TR_NEVER)
        return TR_NEVER;
    return next > now ? next - now : 0;
}

static void serve(struct proxy *proxy)
{
    for (bool open = true; open;) {
        uint32_t ready = tr_waiter_wait(proxy->waiter, patience(proxy));
        if (ready & 1u << TAG_STDIN)
            open = read_lines(proxy);
        if (ready & 1u << TAG_FRONT)
            (void)tr_udp_receive(proxy->front, 0, from_client, proxy);
        for (proxy->reading = 0; proxy->reading < IMPAIR_FLOWS_MAX; proxy->reading++) {
            if (ready & 1u << (TAG_FLOWS + proxy->reading))
                (void)tr_udp_receive(proxy->flows[proxy->reading], 0, from_server, proxy);
        }
        impair_run(proxy->impair, tr_clock_now());
        flush(proxy);
    }
}

static bool open_proxy(struct proxy *proxy, uint64_t seed)
{
    struct impair_out out = { .to_server = to_server, .to_client = to_client, .arg = proxy };
    proxy->here = tr_addr_v4(127, 0, 0, 1, 0);
    proxy->waiter = tr_waiter_open();
    proxy->impair = impair_create(seed, tr_clock_now(), &out);
    return proxy->waiter >= 0 && proxy->impair &&
           !open_port(proxy, &proxy->front, &proxy->here, TAG_FRONT) &&
           !tr_waiter_add(proxy->waiter, STDIN_FILENO, TAG_STDIN);
}

static void close_proxy(struct proxy *proxy)
{
    for (unsigned i = 0; i < IMPAIR_FLOWS_MAX; i++)
        tr_udp_close(proxy->flows[i]);
    tr_udp_close(proxy->front);
    impair_destroy(proxy->impair);
    tr_waiter_close(proxy->waiter);
}

int main(int argc, char **argv)
{
    static struct proxy proxy;
    if (argc < 2 || argc > 3 || tr_addr_parse(&proxy.server, argv[1])) {
        fprintf(stderr, "usage: tring-impair SERVER:PORT [SEED]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool ok = open_proxy(&proxy, argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
    if (ok) {
        printf("listening on %u\n", tr_udp_port(proxy.front));
        serve(&proxy);
    } else {
        fprintf(stderr, "tring-impair: cannot open its port\n");
    }
    close_proxy(&proxy);
    return ok ? 0 : 1;
}

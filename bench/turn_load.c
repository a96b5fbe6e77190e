/* TURN clients for any server, in one thread, each on a socket of its own.
 *   turn_load --server 127.0.0.1:3478 --user U --password P --allocate 1000
 *   turn_load --server 127.0.0.1:3478 --user U --password P --relay 20 --bytes 1100 --seconds 5
 *
 * --allocate N: N allocations, of which WINDOW wait for an answer at a time. It then says how long
 * that took, and keeps them until its standard input ends.
 * --relay N: N clients, each with a channel to one peer, an echo that lives in here as well. Each
 * keeps WINDOW messages on their way and sends the next when one is back, so that the server sets
 * the pace; those that are lost are replaced after a while. With --rate R instead: R messages a
 * second, in bursts of WINDOW, as frames of a video are.
 * --gro: what the server sends as one message (UDP_SEGMENT) is taken as one (UDP_GRO). Without it
 * the kernel cuts it, which costs the server, as loopback has receivers' work done by who sends;
 * packets of a network are cut by its cards or by another machine.
 * --joined: also, what a client or the echo sends in one go is one message to the kernel: so
 * packets come and go in runs, as through network cards that join and cut them.
 *
 * One line of JSON goes to standard output. */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "net/clock.h"
#include "net/gather.h"
#include "net/random.h"
#include "net/swarm.h"
#include "turn/client.h"

enum { CLIENTS_MAX = 16384, BYTES_MAX = 1400, WINDOW_MAX = 256, SPEAK_MAX = 64 };

#define TICK_US (20 * TR_MSEC)
#define LOST_US (100 * TR_MSEC)
#define SETTLE_US TR_SECOND
#define PATIENCE_US (60 * TR_SECOND)

struct options {
    struct tr_addr server;
    const char *user, *password;
    int allocate, relay, window, rate, bytes, seconds;
    bool gro, joined;
};

struct world;

struct client {
    struct world *world;
    struct tr_turn_client *turn;
    uint32_t socket;
    bool allocated, failed;
    tr_usec heard_us; /* when an echo came last; with a rate: when the next burst is due */
};

struct world {
    struct options o;
    struct tr_swarm *swarm;
    struct tr_gather *runs; /* NULL: each datagram is a message of its own */
    struct tr_rng rng;
    struct client *clients, echo;
    struct tr_addr echo_address;
    int started, allocated, failed, code;
    bool flowing; /* what comes back is answered by the next message */
    uint64_t sent, back;
};

static void die(const char *what)
{
    fprintf(stderr, "turn_load: %s\n", what);
    exit(1);
}

/* --- a client --- */

static void send_datagram(struct client *c, const struct tr_addr *to, struct tr_slice datagram)
{
    struct world *w = c->world;
    if (w->runs)
        tr_gather_put(w->runs,
                      &(struct tr_gather_out){ .fd = tr_swarm_socket_fd(w->swarm, c->socket),
                                               .to = *to,
                                               .data = datagram });
    else
        tr_swarm_send(w->swarm, c->socket, to, datagram);
}

static void handle(struct client *c, tr_usec now, const struct tr_turn_client_out *out)
{
    struct world *w = c->world;
    switch (out->kind) {
    case TR_TURN_CLIENT_SEND: send_datagram(c, &w->o.server, out->data); break;
    case TR_TURN_CLIENT_ALLOCATED:
        c->allocated = true;
        w->allocated++;
        break;
    case TR_TURN_CLIENT_DATA:
        w->back++;
        if (!w->o.rate)
            c->heard_us = now;
        break;
    case TR_TURN_CLIENT_FAILED:
        c->failed = true;
        w->failed++;
        w->code = out->code;
        break;
    case TR_TURN_CLIENT_NONE: break;
    }
}

static void speak(struct client *c, tr_usec now)
{
    struct tr_turn_client_out out;
    for (int i = 0; i < SPEAK_MAX; i++) {
        tr_turn_client_poll(c->turn, now, &out);
        if (out.kind == TR_TURN_CLIENT_NONE)
            return;
        handle(c, now, &out);
    }
}

static void send_message(struct client *c, tr_usec now)
{
    static uint8_t zeros[BYTES_MAX];
    struct tr_slice data = { zeros, (size_t)c->world->o.bytes };
    if (tr_turn_client_send(c->turn, now, &c->world->echo_address, data) == TR_OK)
        c->world->sent++;
    speak(c, now);
}

static void start_client(struct world *w, tr_usec now)
{
    struct client *c = &w->clients[w->started++];
    struct tr_addr ip = w->o.server;
    struct tr_turn_client_conf conf = { .server.remote = w->o.server,
                                        .username = w->o.user,
                                        .password = w->o.password,
                                        .rng = &w->rng };
    ip.port = 0;
    c->world = w;
    if (tr_swarm_add(w->swarm, &ip, c, &c->socket, &conf.server.local) != TR_OK)
        die("no socket");
    c->turn = tr_turn_client_create(&conf, now);
    if (!c->turn)
        die("no client");
    speak(c, now);
}

static void on_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct client *c = arg;
    struct world *w = c->world;
    if (c == &w->echo) {
        send_datagram(c, &path->remote, datagram);
        return;
    }
    tr_usec now = tr_clock_now();
    uint64_t before = w->back;
    if (tr_turn_client_input(c->turn, now, datagram) != TR_OK)
        return;
    speak(c, now);
    if (w->flowing && !w->o.rate && w->back > before) {
        send_message(c, now);
    }
}

/* --- the loop --- */

static void run_timers(struct world *w, tr_usec now)
{
    for (int i = 0; i < w->started; i++) {
        struct client *c = &w->clients[i];
        if (tr_turn_client_next_timeout(c->turn) <= now) {
            tr_turn_client_timeout(c->turn, now);
            speak(c, now);
        }
    }
}

static void flush(struct world *w)
{
    if (w->runs)
        tr_gather_flush(w->runs);
    else
        tr_swarm_flush(w->swarm);
}

static void turn(struct world *w, tr_usec wait)
{
    static tr_usec timers_due;
    tr_usec now = tr_clock_now();
    if (now >= timers_due) {
        run_timers(w, now);
        timers_due = now + TICK_US;
    }
    flush(w);
    tr_swarm_wait(w->swarm, wait, on_datagram);
    flush(w);
}

/* Returns how long it took. */
static double allocate(struct world *w, int count, int window)
{
    tr_usec start = tr_clock_now();
    while (w->allocated + w->failed < count) {
        tr_usec now = tr_clock_now();
        if (now - start > PATIENCE_US)
            die("the server does not answer");
        while (w->started < count && w->started - w->allocated - w->failed < window)
            start_client(w, now);
        turn(w, TICK_US);
    }
    return (double)(tr_clock_now() - start) / TR_SECOND;
}

static void send_window(struct client *c, tr_usec now)
{
    for (int k = 0; k < c->world->o.window; k++)
        send_message(c, now);
}

/* Clients that have heard nothing for so long have nothing on its way any more. */
static void refill(struct world *w, tr_usec now)
{
    for (int i = 0; i < w->started; i++) {
        struct client *c = &w->clients[i];
        if (c->failed || now - c->heard_us < LOST_US)
            continue;
        c->heard_us = now;
        send_window(c, now);
    }
}

/* Bursts that are due; returns when the next one is. */
static tr_usec send_bursts(struct world *w, tr_usec now)
{
    tr_usec period = w->o.window * TR_SECOND / w->o.rate, next = now + period;
    for (int i = 0; i < w->started; i++) {
        struct client *c = &w->clients[i];
        if (c->failed)
            continue;
        if (c->heard_us < now - TR_SECOND) /* the first, or far behind: spread over a period */
            c->heard_us = now + period * i / w->started;
        if (c->heard_us <= now) {
            send_window(c, now);
            c->heard_us += period;
        }
        next = tr_usec_min(next, c->heard_us);
    }
    return next;
}

static void flow_until(struct world *w, tr_usec end)
{
    for (tr_usec now = tr_clock_now(), due = now; now < end; now = tr_clock_now()) {
        if (w->o.rate) {
            due = send_bursts(w, now);
        } else if (now >= due) {
            refill(w, now);
            due = now + TICK_US;
        }
        turn(w, tr_usec_min(due > now ? due - now : 0, TICK_US));
    }
}

static void relay(struct world *w)
{
    tr_usec now = tr_clock_now();
    for (int i = 0; i < w->started; i++) /* the first message binds the channel */
        send_message(&w->clients[i], now);
    for (tr_usec end = now + SETTLE_US; tr_clock_now() < end;)
        turn(w, TICK_US);
    w->flowing = true;
    flow_until(w, tr_clock_now() + SETTLE_US);
    w->sent = w->back = 0;
    printf("{\"begin\": true}\n");
    fflush(stdout);
    tr_usec from = tr_clock_now();
    flow_until(w, from + w->o.seconds * TR_SECOND);
    double s = (double)(tr_clock_now() - from) / TR_SECOND;
    printf("{\"clients\": %d, \"failed\": %d, \"code\": %d, \"seconds\": %.3f, \"sent\": %llu, "
           "\"back\": %llu}\n",
           w->allocated, w->failed, w->code, s, (unsigned long long)w->sent,
           (unsigned long long)w->back);
}

/* Keeps what was allocated until standard input ends. */
static void hold(struct world *w)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    char c;
    while (poll(&in, 1, 0) == 0 || read(STDIN_FILENO, &c, 1) > 0)
        turn(w, TICK_US);
    tr_usec now = tr_clock_now();
    for (int i = 0; i < w->started; i++) {
        tr_turn_client_close(w->clients[i].turn, now);
        speak(&w->clients[i], now);
        if (i % 64 == 0)
            turn(w, TICK_US);
    }
    turn(w, TICK_US);
}

/* --- the command line --- */

static int number(const char *text, int max)
{
    long n = strtol(text, NULL, 10);
    if (n < 1 || n > max)
        die("a number is out of bounds");
    return (int)n;
}

static void parse(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        { "server", required_argument, NULL, 's' },   { "user", required_argument, NULL, 'u' },
        { "password", required_argument, NULL, 'p' }, { "allocate", required_argument, NULL, 'a' },
        { "relay", required_argument, NULL, 'r' },    { "window", required_argument, NULL, 'w' },
        { "bytes", required_argument, NULL, 'b' },    { "rate", required_argument, NULL, 'R' },
        { "seconds", required_argument, NULL, 't' },  { "gro", no_argument, NULL, 'g' },
        { "joined", no_argument, NULL, 'j' },         { NULL, 0, NULL, 0 },
    };
    int c;
    *o = (struct options){ .window = 4, .bytes = 1100, .seconds = 5 };
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 's':
            if (tr_addr_parse(&o->server, optarg) != TR_OK)
                die("--server IP:PORT");
            break;
        case 'u': o->user = optarg; break;
        case 'p': o->password = optarg; break;
        case 'a': o->allocate = number(optarg, CLIENTS_MAX); break;
        case 'r': o->relay = number(optarg, CLIENTS_MAX); break;
        case 'w': o->window = number(optarg, WINDOW_MAX); break;
        case 'R': o->rate = number(optarg, 1000000); break;
        case 'b': o->bytes = number(optarg, BYTES_MAX); break;
        case 't': o->seconds = number(optarg, 3600); break;
        case 'g': o->gro = true; break;
        case 'j': o->gro = o->joined = true; break;
        default: exit(2);
        }
    }
    if (!o->server.port || !o->user || !o->password || !o->allocate == !o->relay)
        die("--server, --user, --password, and one of --allocate and --relay");
}

int main(int argc, char **argv)
{
    static struct world w;
    parse(&w.o, argc, argv);
    int count = w.o.allocate ? w.o.allocate : w.o.relay;
    struct tr_addr ip = w.o.server;
    ip.port = 0;
    w.rng = tr_random_system();
    w.clients = tr_alloc((size_t)count * sizeof *w.clients);
    w.echo.world = &w;
    w.runs = w.o.joined ? tr_gather_create(true, tr_rng_u64(&w.rng)) : NULL;
    if (!w.clients || (w.o.joined && !w.runs) ||
        tr_swarm_open(&w.swarm, (uint32_t)count + 1, w.o.gro) != TR_OK ||
        tr_swarm_add(w.swarm, &ip, &w.echo, &w.echo.socket, &w.echo_address) != TR_OK)
        die("no sockets");
    double s = allocate(&w, count, w.o.allocate ? w.o.window : count);
    if (w.o.allocate) {
        printf("{\"allocated\": %d, \"failed\": %d, \"code\": %d, \"seconds\": %.3f}\n",
               w.allocated, w.failed, w.code, s);
        fflush(stdout);
        hold(&w);
    } else {
        relay(&w);
    }
    for (int i = 0; i < w.started; i++)
        tr_turn_client_destroy(w.clients[i].turn);
    tr_swarm_close(w.swarm);
    tr_gather_destroy(w.runs);
    tr_free(w.clients);
    return w.failed > 0;
}

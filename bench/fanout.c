/* The packet path without the gateway: one publisher, N subscribers, on 127.0.0.1.
 *   ninja -C build bench/fanout && build/bench/fanout --subscribers 40 --burst 10
 *
 * The engine (src/media) runs in this process, whose CPU time and memory are measured; all clients
 * live in a child process. They are peers of our own with a socket each. What both sides must know
 * of each other is derived from a client's number, so that only the port is told, by a pipe.
 * --floor: no engine, the same datagrams are just handed to the kernel: what cannot be saved; with
 * --connected by a connected socket for each receiver. --uneven: half of a burst is a byte longer,
 * as browsers cut frames; with --no-pad it is not made even. */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/slice.h"
#include "ice/cand.h"
#include "media/media.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/swarm.h"
#include "peer/peer.h"
#include "peer/remote_test.h"
#include "peer/rtp_meta.h"
#include "rtp/rtp.h"
#include "srtp/srtp.h"

enum { CLIENTS_MAX = 1024, PT = 96, PT_RTX = 97, POOL = 4096, SETTLE_S = 2 };

struct options {
    int subscribers, burst, rate, bytes, seconds, workers;
    bool audio, gro, gso, twcc, floor, connected, uneven, no_pad;
    enum tr_srtp_profile profile;
};

static const struct options defaults = { .subscribers = 40,
                                         .burst = 10,
                                         .rate = 300,
                                         .bytes = 1100,
                                         .seconds = 8,
                                         .workers = 1,
                                         .gso = true,
                                         .profile = TR_SRTP_AEAD_AES_128_GCM };

static void die(const char *what)
{
    fprintf(stderr, "fanout: %s\n", what);
    exit(1);
}

/* --- what both sides know --- */

static struct tr_media_peer_conf creds_of(int client)
{
    struct tr_media_peer_conf c;
    snprintf(c.ufrag, sizeof c.ufrag, "s%07d", client);
    snprintf(c.pwd, sizeof c.pwd, "passwordpasswordpass%04d", client);
    return c;
}

static void track_of(const struct options *o, int client, bool mirrored, struct tr_track_conf *t)
{
    bool publisher = client == 0;
    uint32_t ssrc = 0x10000u + (uint32_t)client * 4;
    *t = (struct tr_track_conf){
        .used = true,
        .video = !o->audio,
        .mid = "0",
        .codec = o->audio ? TR_CODEC_OPUS : TR_CODEC_VP8,
        .clock_rate = o->audio ? 48000 : 90000,
        .pt = PT,
        .rtx_pt = o->audio ? 0 : PT_RTX,
        .recv = publisher != mirrored,
        .send = publisher == mirrored,
        .layers_count = 1,
        .layers = { { .ssrc = ssrc, .rtx_ssrc = o->audio ? 0 : ssrc + 1 } },
        .out_ssrc = ssrc,
        .out_rtx_ssrc = o->audio ? 0 : ssrc + 1,
        .cname = "cname",
    };
    t->fb_nack = !o->audio && !mirrored;         /* clients that skip packets would ask for them */
    if (o->uneven && (o->no_pad || publisher)) { /* a NACK without RTX: nobody may pad */
        t->fb_nack = true;
        t->rtx_pt = 0;
        t->layers[0].rtx_ssrc = t->out_rtx_ssrc = 0;
    }
    t->fb_pli = t->fb_remb = !o->audio;
    t->fb_transport_cc = o->twcc;
    t->ext.id[TR_EXT_MID] = t->ext_send.id[TR_EXT_MID] = 4;
    if (o->twcc)
        t->ext.id[TR_EXT_TRANSPORT_CC] = t->ext_send.id[TR_EXT_TRANSPORT_CC] = 5;
}

/* --- the clients: a process of their own --- */

struct client {
    struct crowd *crowd;
    struct tr_peer *peer;
    struct tr_addr local;
    uint32_t socket;
};

struct crowd {
    const struct options *o;
    struct tr_swarm *swarm;
    struct tr_srtp_engine *engine;
    struct tr_dtls_ctx *ctx;
    struct tr_rng rng;
    struct tr_pkt_pool *pool;
    struct client clients[CLIENTS_MAX];
    int count;
    int64_t seq;
    uint32_t ts;
    uint64_t received, opened;
};

static void speak(struct client *c, tr_usec now)
{
    struct tr_peer_out out;
    for (tr_peer_poll(c->peer, now, &out); out.kind != TR_PEER_NONE;
         tr_peer_poll(c->peer, now, &out)) {
        if (out.kind == TR_PEER_SEND)
            tr_swarm_send(c->crowd->swarm, c->socket, &out.path.remote, out.data);
    }
}

/* All are opened: a client that skips some reports them lost, and is sent less. */
static void take_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct client *c = arg;
    struct crowd *w = c->crowd;
    tr_usec now = tr_clock_now();
    int mline;
    if (tr_demux(datagram) != TR_DEMUX_RTP) {
        tr_peer_input(c->peer, now, *path, datagram);
        speak(c, now);
    } else {
        w->received++;
        struct tr_pkt *pkt = tr_pkt_alloc(w->pool);
        w->opened += tr_peer_rtp(c->peer, now, datagram, pkt, &mline) == TR_OK;
        tr_pkt_unref(&pkt);
    }
}

static void open_client(struct crowd *w, int number, const struct tr_dtls_cert *server,
                        uint16_t port)
{
    struct client *c = &w->clients[w->count++];
    struct tr_addr ip = tr_addr_v4(127, 0, 0, 1, 0), there = tr_addr_v4(127, 0, 0, 1, port);
    struct tr_media_peer_conf creds = creds_of(number);
    struct tr_peer_remote remote = remote_of(creds.ufrag, creds.pwd, server);
    tr_usec now = tr_clock_now();
    struct tr_peer_conf conf = { .dtls_ctx = w->ctx,
                                 .ufrag = "clientufrag",
                                 .pwd = "clientpasswordclientpassword",
                                 .ice_role = TR_ICE_CONTROLLING,
                                 .dtls_role = TR_DTLS_CLIENT,
                                 .engine = w->engine,
                                 .rng = &w->rng };
    struct tr_track_conf track;
    c->crowd = w;
    remote.lite = remote.passive = true;
    track_of(w->o, number, true, &track);
    c->peer = tr_peer_create(&conf, now);
    if (!c->peer || tr_swarm_add(w->swarm, &ip, c, &c->socket, &c->local) != TR_OK)
        die("no client");
    struct tr_ice_cand here = tr_ice_cand_make(TR_ICE_HOST, &c->local, NULL, 65535);
    struct tr_ice_cand server_cand = tr_ice_cand_make(TR_ICE_HOST, &there, NULL, 65535);
    if (tr_peer_set_tracks(c->peer, now, &track, 1) != TR_OK ||
        tr_peer_set_remote(c->peer, now, &remote) != TR_OK ||
        tr_peer_add_local(c->peer, now, &here) != TR_OK ||
        tr_peer_add_remote(c->peer, now, &server_cand) != TR_OK)
        die("a client's peer");
    speak(c, now);
}

static void send_burst(struct crowd *w)
{
    struct client *c = &w->clients[0];
    struct tr_tx_item items[TR_PEER_RUN_MAX];
    struct tr_tx_msg msgs[TR_PEER_RUN_MAX];
    static uint8_t bytes[TR_PEER_RUN_MAX * TR_PEER_PACKET_MAX];
    struct tr_path path;
    if (!tr_peer_path(c->peer, &path) || !tr_peer_can_send(c->peer, 0))
        return;
    for (int i = 0; i < w->o->burst; i++) {
        struct tr_pkt *pkt = tr_pkt_alloc(w->pool);
        uint8_t *p = tr_pkt_data(pkt);
        pkt->len = (uint16_t)(w->o->bytes + (w->o->uneven && i >= w->o->burst / 2));
        memset(p, i, pkt->len);
        memset(pkt->meta, 0, sizeof pkt->meta);
        p[0] = 0x10; /* VP8: S, then a key frame now and then */
        p[1] = w->seq % 300 == 0 ? 0x00 : 0x01;
        bool last = i == w->o->burst - 1;
        items[i] =
            (struct tr_tx_item){ .pkt = pkt, .ext_seq = w->seq++, .ts = w->ts, .marker = last };
    }
    w->ts += 3000;
    int n = tr_peer_send_run(c->peer, tr_clock_now(), 0, items, w->o->burst,
                             (struct tr_buf){ .p = bytes, .n = sizeof bytes }, msgs);
    for (int i = 0; i < n; i++) {
        for (uint32_t at = 0; at < msgs[i].len; at += msgs[i].segment) {
            uint32_t left = msgs[i].len - at;
            tr_swarm_send(
                w->swarm, c->socket, &path.remote,
                tr_slice(msgs[i].p + at, left < msgs[i].segment ? left : msgs[i].segment));
        }
    }
    for (int i = 0; i < w->o->burst; i++)
        tr_pkt_unref(&items[i].pkt);
}

static void run_crowd(const struct options *o, struct tr_dtls_cert *server,
                      struct tr_dtls_cert *cert, int port_fd)
{
    static struct crowd w;
    uint16_t port;
    if (read(port_fd, &port, sizeof port) != sizeof port)
        exit(0);
    w.o = o;
    w.rng = tr_random_system();
    w.engine = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    w.ctx = tr_dtls_ctx_create(cert);
    w.pool = tr_pkt_pool_create(POOL);
    if (tr_swarm_open(&w.swarm, CLIENTS_MAX, o->gro) != TR_OK)
        die("no sockets");
    /* The publisher first; the others wait until the memory without them is known. */
    open_client(&w, 0, server, port);
    tr_usec period = TR_SECOND * o->burst / o->rate, next = tr_clock_now() + period;
    tr_usec more = tr_clock_now() + TR_SECOND;
    for (;;) {
        tr_usec now = tr_clock_now();
        if (now >= more && w.count <= o->subscribers) {
            open_client(&w, w.count, server, port);
            more = now + 5 * TR_MSEC;
            now = tr_clock_now();
        }
        for (int i = 0; i < w.count; i++) {
            struct client *c = &w.clients[i];
            if (tr_peer_next_timeout(c->peer) <= now) {
                tr_peer_timeout(c->peer, now);
                speak(c, now);
            }
        }
        for (; next <= now; next += period)
            send_burst(&w);
        tr_swarm_flush(w.swarm);
        tr_usec wait = next - tr_clock_now();
        tr_swarm_wait(w.swarm,
                      wait > 5 * TR_MSEC ? 5 * TR_MSEC
                      : wait > 0         ? wait
                                         : 0,
                      take_datagram);
    }
}

/* --- the engine: this process --- */

static double cpu_s(bool system)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    struct timeval t = system ? u.ru_stime : u.ru_utime;
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static long rss_kib(void)
{
    long pages = 0, rss = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &pages, &rss) != 2)
        rss = 0;
    if (f)
        fclose(f);
    return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

static int drain(struct tr_media *media)
{
    struct tr_media_event ev;
    int up = 0;
    for (tr_media_poll(media, &ev); ev.kind != TR_MEDIA_NONE; tr_media_poll(media, &ev)) {
        up += ev.kind == TR_MEDIA_PEER_UP;
        if (ev.kind == TR_MEDIA_PEER_DOWN)
            die(ev.reason);
    }
    return up;
}

static void no_wake(void *arg)
{
}

static tr_id add_peer(struct tr_media *media, const struct options *o, int client,
                      const struct tr_peer_remote *remote)
{
    struct tr_media_peer_conf creds = creds_of(client);
    struct tr_track_conf track;
    tr_id id = tr_media_peer_create(media, &creds);
    track_of(o, client, false, &track);
    if (tr_media_peer_tracks(media, id, &track, 1) != TR_OK)
        die("no tracks");
    tr_media_peer_remote(media, id, remote);
    return id;
}

static void wait_up(struct tr_media *media, int count)
{
    for (int up = 0, i = 0; up < count; i++) {
        up += drain(media);
        usleep(10000);
        if (i == 2000)
            die("clients did not connect");
    }
}

static void report(const struct options *o, const struct tr_media_counters *a,
                   const struct tr_media_counters *b, double user, double sys, long kib)
{
    double packets = (double)(b->rtp_out - a->rtp_out);
    printf("{\"subscribers\":%d,\"burst\":%d,\"packets_per_s\":%.0f,\"us_per_packet\":%.3f,"
           "\"user\":%.3f,\"system\":%.3f,\"sends_per_packet\":%.3f,\"send_dropped\":%llu,"
           "\"kib_per_subscriber\":%.1f}\n",
           o->subscribers, o->burst, packets / o->seconds, (user + sys) / packets * 1e6,
           user / packets * 1e6, sys / packets * 1e6, (double)(b->sends - a->sends) / packets,
           (unsigned long long)(b->drops[TR_DROP_SEND] - a->drops[TR_DROP_SEND]),
           (double)kib / o->subscribers);
}

static void run_engine(const struct options *o, struct tr_dtls_cert *server,
                       struct tr_dtls_cert *cert, int port_fd)
{
    struct tr_media *media;
    struct tr_media_counters a, b;
    struct tr_media_conf conf = {
        .workers = o->workers,
        .bind = { tr_addr_v4(127, 0, 0, 1, 0) },
        .bind_count = 1,
        .cert = server,
        .profiles = { o->profile },
        .gso = o->gso,
        .wake = no_wake,
    };
    struct tr_peer_remote remote = remote_of("clientufrag", "clientpasswordclientpassword", cert);
    struct tr_route_conf route = tr_route_conf_default();
    if (tr_media_create(&media, &conf) != TR_OK)
        die("no engine");
    uint16_t port = tr_media_port(media);
    tr_id publisher = add_peer(media, o, 0, &remote);
    if (write(port_fd, &port, sizeof port) != sizeof port)
        die("no pipe");
    wait_up(media, 1);
    long before = rss_kib();
    for (int i = 1; i <= o->subscribers; i++) {
        tr_id id = add_peer(media, o, i, &remote);
        tr_media_route(media, (struct tr_media_end){ publisher, 0 }, (struct tr_media_end){ id, 0 },
                       &route);
    }
    wait_up(media, o->subscribers);
    sleep(SETTLE_S);
    drain(media);
    long kib = rss_kib() - before;
    double user = cpu_s(false), sys = cpu_s(true);
    tr_media_counters(media, &a);
    sleep((unsigned)o->seconds);
    tr_media_counters(media, &b);
    report(o, &a, &b, cpu_s(false) - user, cpu_s(true) - sys, kib);
    tr_media_destroy(media);
}

/* --- the floor: the kernel alone, with the same datagrams to the same kind of receivers --- */

static void ignore_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
}

static void run_receivers(const struct options *o, int port_fd)
{
    struct tr_addr ip = tr_addr_v4(127, 0, 0, 1, 0), local;
    struct tr_swarm *swarm;
    uint32_t socket;
    if (tr_swarm_open(&swarm, CLIENTS_MAX, o->gro) != TR_OK)
        die("no sockets");
    for (int i = 0; i < o->subscribers; i++) {
        if (tr_swarm_add(swarm, &ip, NULL, &socket, &local) != TR_OK ||
            write(port_fd, &local.port, sizeof local.port) != sizeof local.port)
            die("no receiver");
    }
    for (;;)
        tr_swarm_wait(swarm, TR_SECOND, ignore_datagram);
}

static uint16_t floor_size(const struct options *o)
{
    return (uint16_t)(o->bytes + TR_RTP_HDR_MIN + 8 + TR_SRTP_TAG_MAX);
}

static void send_floor(struct tr_udp *udp, const struct options *o, const uint16_t *ports)
{
    uint16_t size = floor_size(o);
    struct tr_path path = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(udp)) };
    for (int i = 0; i < o->subscribers; i++) {
        size_t n = (size_t)size * (size_t)o->burst;
        uint8_t *p = tr_udp_reserve(udp, n);
        path.remote = tr_addr_v4(127, 0, 0, 1, ports[i]);
        memset(p, i, n);
        tr_udp_commit(udp, &path, p, n, o->burst > 1 ? size : 0);
    }
    tr_udp_flush(udp);
}

static int connected_socket(uint16_t port, int segment)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        (segment && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0))
        die("no connected socket");
    return fd;
}

/* A socket for each receiver spares the way's look-up, but takes a system call for each. */
static uint64_t send_connected(const struct options *o, const uint16_t *ports)
{
    static int fds[CLIENTS_MAX];
    static uint8_t bytes[TR_PEER_RUN_MAX * TR_PEER_PACKET_MAX];
    size_t size = floor_size(o), n = size * (size_t)o->burst;
    uint64_t sent = 0;
    for (int i = 0; i < o->subscribers; i++) {
        if (fds[i] == 0)
            fds[i] = connected_socket(ports[i], o->burst > 1 ? (int)size : 0);
        memset(bytes, i, n);
        sent += send(fds[i], bytes, n, 0) == (ssize_t)n ? (uint64_t)o->burst : 0;
    }
    return sent;
}

static void run_floor(const struct options *o, int port_fd)
{
    static uint16_t ports[CLIENTS_MAX];
    struct tr_addr ip = tr_addr_v4(127, 0, 0, 1, 0);
    struct tr_udp *udp;
    struct tr_media_counters a = { 0 }, b = { 0 };
    for (int i = 0; i < o->subscribers; i++) {
        if (read(port_fd, &ports[i], sizeof ports[i]) != sizeof ports[i])
            die("no receivers");
    }
    if (tr_udp_open(&udp, &ip, 1, 0, o->gso) != TR_OK)
        die("no socket");
    tr_usec period = TR_SECOND * o->burst / o->rate, next = tr_clock_now();
    double user = cpu_s(false), sys = cpu_s(true);
    for (tr_usec end = next + o->seconds * TR_SECOND; next < end; next += period) {
        tr_usec wait = next - tr_clock_now();
        if (wait > 0)
            usleep((unsigned)wait);
        if (o->connected)
            b.rtp_out += send_connected(o, ports);
        else
            send_floor(udp, o, ports);
    }
    if (!o->connected)
        b.rtp_out = tr_udp_counters(udp)->datagrams_out;
    b.sends = o->connected ? b.rtp_out / (uint64_t)o->burst : tr_udp_counters(udp)->sends;
    report(o, &a, &b, cpu_s(false) - user, cpu_s(true) - sys, 0);
    tr_udp_close(udp);
}

static const struct option long_options[] = {
    { "subscribers", required_argument, NULL, 's' },
    { "burst", required_argument, NULL, 'b' },
    { "rate", required_argument, NULL, 'r' },
    { "bytes", required_argument, NULL, 'n' },
    { "seconds", required_argument, NULL, 't' },
    { "workers", required_argument, NULL, 'w' },
    { "audio", no_argument, NULL, 'a' },
    { "sha1", no_argument, NULL, '1' },
    { "gro", no_argument, NULL, 'g' },
    { "no-gso", no_argument, NULL, 'x' },
    { "twcc", no_argument, NULL, 'c' },
    { "floor", no_argument, NULL, 'f' },
    { "connected", no_argument, NULL, 'k' },
    { "uneven", no_argument, NULL, 'u' },
    { "no-pad", no_argument, NULL, 'p' },
    { 0 },
};

static void read_options(struct options *o, int argc, char **argv)
{
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        int n = optarg ? atoi(optarg) : 0;
        switch (c) {
        case 's': o->subscribers = n; break;
        case 'b': o->burst = n; break;
        case 'r': o->rate = n; break;
        case 'n': o->bytes = n; break;
        case 't': o->seconds = n; break;
        case 'w': o->workers = n; break;
        case 'a':
            o->audio = true;
            o->burst = 1;
            o->rate = 50;
            o->bytes = 80;
            break;
        case '1': o->profile = TR_SRTP_AES128_CM_SHA1_80; break;
        case 'g': o->gro = true; break;
        case 'x': o->gso = false; break;
        case 'c': o->twcc = true; break;
        case 'f': o->floor = true; break;
        case 'k': o->connected = true; break;
        case 'u': o->uneven = true; break;
        case 'p': o->no_pad = true; break;
        default: die("see the head of bench/fanout.c");
        }
    }
    if (o->subscribers < 1 || o->subscribers >= CLIENTS_MAX || o->burst < 1 ||
        o->burst > TR_PEER_RUN_MAX || o->rate < 1 || o->bytes < 16 || o->bytes > 1200 ||
        o->seconds < 1)
        die("a value out of range");
}

int main(int argc, char **argv)
{
    struct options o = defaults;
    int port[2];
    read_options(&o, argc, argv);
    int64_t unix_s = tr_clock_unix_us() / TR_SECOND;
    struct tr_dtls_cert *server = tr_dtls_cert_create(unix_s), *cert = tr_dtls_cert_create(unix_s);
    if (!server || !cert || pipe(port) != 0)
        die("no certificate or pipe");
    pid_t child = fork();
    if (child == 0 && o.floor)
        run_receivers(&o, port[1]);
    else if (child == 0)
        run_crowd(&o, server, cert, port[0]);
    else if (o.floor)
        run_floor(&o, port[0]);
    else
        run_engine(&o, server, cert, port[1]);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return 0;
}

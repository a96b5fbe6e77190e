/* Goal: data channels through the engine as the server runs it (workers, data thread, sockets):
 * what clients say is relayed, control hears and speaks, clients come and go meanwhile, and the end
 * leaves no trace.
 * Method: usrsctp is one a process, so the engine runs in a child process and the clients (peers of
 * our own with associations of their own) in this one. The child does what control would, and ends
 * when this process lets go of a pipe; its exit code says whether all was well there. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "ice/cand.h"
#include "media/data.h"
#include "media/media.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/udp.h"
#include "net/waiter.h"
#include "peer/peer.h"
#include "peer/remote_test.h"
#include "rtp/rtp.h"
#include "sctp/sctp.h"
#include "unit.h"

enum { CLIENTS = 6, COUNT = 2000, SIZE = 1000 };

#define WAIT_US (30 * TR_SECOND)
#define PWD "passwordpasswordpassword"

static struct tr_dtls_cert *server_cert, *client_cert;

static const char *ufrag_of(int client, bool server)
{
    static char text[16];
    snprintf(text, sizeof text, "%s%04d", server ? "srv" : "cli", client);
    return text;
}

static struct tr_peer_remote remote_side(int client, bool server)
{
    struct tr_peer_remote remote =
        remote_of(ufrag_of(client, server), PWD, server ? server_cert : client_cert);
    remote.lite = remote.passive = server;
    return remote;
}

/* --- the engine's process --- */

struct engine {
    struct tr_media *media;
    tr_id peers[CLIENTS];
    int opened, messages, closed;
};

static void engine_peer(struct engine *e, int i)
{
    struct tr_media_peer_conf conf = { .pwd = PWD };
    struct tr_data_conf data = { .port = 5000 };
    struct tr_peer_remote remote = remote_side(i, false);
    snprintf(conf.ufrag, sizeof conf.ufrag, "%s", ufrag_of(i, true));
    e->peers[i] = tr_media_peer_create(e->media, &conf);
    CHECK(e->peers[i] != 0);
    tr_media_peer_remote(e->media, e->peers[i], &remote);
    CHECK_INT(tr_media_data_open(e->media, e->peers[i], &data), TR_OK);
}

/* Client 0 has an echo; 1 and 2 are in a call; 3 speaks to 4 and 5, and 5 to control as well. */
static void engine_wire(struct engine *e)
{
    struct tr_data_route_conf echo = { .patient = true, .prefix = "> " };
    struct tr_data_route_conf call = { .patient = true }, room = { .label = "three" };
    struct tr_data_message hello = { .bytes = "hello", .len = 5 };
    const tr_id *p = e->peers;
    for (int i = 0; i < CLIENTS; i++)
        engine_peer(e, i);
    CHECK(tr_media_data_route(e->media, p[0], p[0], &echo) != 0);
    tr_id old = tr_media_data_route(e->media, p[1], p[2], &room);
    CHECK(tr_media_data_route(e->media, p[1], p[2], &call) != old); /* takes its place */
    CHECK(tr_media_data_route(e->media, p[2], p[1], &call) != 0);
    CHECK(tr_media_data_route(e->media, p[3], p[4], &room) != 0);
    tr_id paused = tr_media_data_route(e->media, p[3], p[5], &room);
    tr_media_data_route_pause(e->media, paused, true);
    tr_media_data_route_pause(e->media, paused, false);
    tr_media_data_route_remove(e->media, old);
    tr_media_data_listen(e->media, p[5], true);
    CHECK_INT(tr_media_data_send(e->media, p[5], &hello), TR_OK);
    CHECK_INT(tr_media_data_send(e->media, 0, &hello), TR_ERR_NOTFOUND);
    CHECK_INT(tr_media_data_route(e->media, p[0], 0, &call), 0);
}

static void engine_events(struct engine *e)
{
    struct tr_media_event ev;
    for (tr_media_poll(e->media, &ev); ev.kind != TR_MEDIA_NONE; tr_media_poll(e->media, &ev)) {
        e->opened += ev.kind == TR_MEDIA_DATA_OPEN;
        e->closed += ev.kind == TR_MEDIA_DATA_CLOSED;
        e->messages += ev.kind == TR_MEDIA_DATA_MESSAGE && ev.data->len == 3 &&
                       strcmp(ev.data->bytes, "abc") == 0 && strcmp(ev.data->label, "five") == 0;
        tr_free(ev.data);
        tr_free(ev.stats);
    }
}

/* stop is readable when the test lets go of it, or writes the number of a client that leaves. */
static int engine_run(int say, int stop)
{
    struct tr_media_conf conf = { .workers = 2,
                                  .bind = { tr_addr_v4(127, 0, 0, 1, 0) },
                                  .bind_count = 1,
                                  .cert = server_cert,
                                  .packets_max = 8192 };
    struct engine e = { 0 };
    size_t before = tr_mem_in_use();
    int waiter = tr_waiter_open();
    if (!CHECK(tr_waiter_add(waiter, stop, 0) == TR_OK) ||
        !CHECK(tr_media_create(&e.media, &conf) == TR_OK))
        return 1;
    engine_wire(&e);
    uint16_t port = tr_media_port(e.media);
    CHECK(write(say, &port, sizeof port) == sizeof port);
    for (uint8_t leaver;;) {
        uint32_t ready = tr_waiter_wait(waiter, 2 * TR_MSEC);
        engine_events(&e);
        if (ready && read(stop, &leaver, 1) != 1)
            break;
        if (ready)
            tr_media_peer_close(e.media, e.peers[leaver]);
    }
    struct tr_media_counters counters;
    tr_media_counters(e.media, &counters);
    bool well = CHECK(e.opened >= 1) && CHECK(e.messages == 1) &&
                CHECK(counters.data_in > COUNT && counters.data_out > COUNT);
    tr_media_destroy(e.media);
    tr_waiter_close(waiter);
    return well && CHECK(tr_mem_in_use() == before) ? 0 : 1;
}

/* --- the clients' process --- */

struct client {
    struct tr_udp *udp;
    struct tr_peer *peer;
    struct tr_sctp *sctp;
    bool up, down;
    int messages, unordered, opened;
    uint32_t next;
    char label[16], text[64];
};

struct rig {
    pid_t engine;
    int say; /* to the engine */
    uint16_t port;
    struct tr_dtls_ctx *ctx;
    struct tr_srtp_engine *srtp;
    struct tr_sctp_stack *stack;
    struct tr_rng rng;
    int waiter;
    struct client clients[CLIENTS];
};

static bool start_engine(struct rig *r)
{
    int up[2], down[2];
    if (!CHECK(pipe(up) == 0 && pipe(down) == 0))
        return false;
    fflush(stdout);
    r->engine = fork();
    if (r->engine == 0) {
        close(up[0]);
        close(down[1]);
        int code = engine_run(up[1], down[0]);
        fflush(stdout);
        _exit(code);
    }
    close(up[1]);
    close(down[0]);
    r->say = down[1];
    bool ok = CHECK(read(up[0], &r->port, sizeof r->port) == sizeof r->port);
    close(up[0]);
    return ok;
}

static void client_open(struct rig *r, int i)
{
    struct client *c = &r->clients[i];
    tr_usec now = tr_clock_now();
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, 0);
    struct tr_addr there = tr_addr_v4(127, 0, 0, 1, r->port);
    struct tr_peer_conf conf = { .dtls_ctx = r->ctx,
                                 .ice_role = TR_ICE_CONTROLLING,
                                 .dtls_role = TR_DTLS_CLIENT,
                                 .engine = r->srtp,
                                 .rng = &r->rng,
                                 .ufrag = ufrag_of(i, false),
                                 .pwd = PWD };
    *c = (struct client){ 0 };
    c->peer = tr_peer_create(&conf, now);
    CHECK(c->peer && tr_udp_open(&c->udp, &loopback, 1, 0, false) == TR_OK);
    struct tr_addr here = tr_addr_v4(127, 0, 0, 1, tr_udp_port(c->udp));
    struct tr_ice_cand local = tr_ice_cand_make(TR_ICE_HOST, &here, NULL, 65535);
    struct tr_ice_cand remote = tr_ice_cand_make(TR_ICE_HOST, &there, NULL, 65535);
    struct tr_peer_remote server = remote_side(i, true);
    CHECK(tr_peer_set_remote(c->peer, now, &server) == TR_OK &&
          tr_peer_add_local(c->peer, now, &local) == TR_OK &&
          tr_peer_add_remote(c->peer, now, &remote) == TR_OK);
}

static void client_up(struct rig *r, struct client *c, tr_usec now)
{
    struct tr_sctp_conf conf = { .local_port = 5000, .remote_port = 5000, .even = true, .user = c };
    c->sctp = tr_sctp_create(r->stack, now, &conf);
    CHECK(c->sctp != NULL);
}

static void client_speak(struct rig *r, struct client *c, tr_usec now)
{
    struct tr_peer_out out;
    for (tr_peer_poll(c->peer, now, &out); out.kind != TR_PEER_NONE;
         tr_peer_poll(c->peer, now, &out)) {
        if (out.kind == TR_PEER_SEND)
            tr_udp_send(c->udp, &out.path, out.data);
        else if (out.kind == TR_PEER_DATA && c->sctp)
            (void)!tr_sctp_input(c->sctp, now, out.data);
        else if (out.kind == TR_PEER_UP)
            client_up(r, c, now);
        c->down |= out.kind == TR_PEER_DOWN;
    }
    tr_udp_flush(c->udp);
}

static void hear(struct client *c, const struct tr_sctp_out *out)
{
    c->messages++;
    snprintf(c->label, sizeof c->label, "%s", out->channel->label);
    snprintf(c->text, sizeof c->text, "%.*s", (int)out->data.n, (const char *)out->data.p);
    if (!out->binary)
        return;
    uint32_t number = tr_get32(out->data.p);
    c->unordered += number != c->next;
    c->next = number + 1;
}

static void associations_speak(struct rig *r, tr_usec now)
{
    struct tr_sctp_out out;
    struct tr_sctp *sctp;
    while ((sctp = tr_sctp_stack_next(r->stack))) {
        struct client *c = tr_sctp_user(sctp);
        for (tr_sctp_poll(sctp, &out); out.kind != TR_SCTP_NONE; tr_sctp_poll(sctp, &out)) {
            if (out.kind == TR_SCTP_SEND && tr_peer_send_data(c->peer, out.data) == TR_OK)
                client_speak(r, c, now);
            else if (out.kind == TR_SCTP_MESSAGE)
                hear(c, &out);
            c->up |= out.kind == TR_SCTP_UP;
            c->opened += out.kind == TR_SCTP_OPEN;
        }
    }
}

struct arrival {
    struct rig *rig;
    struct client *client;
};

static void on_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct arrival *a = arg;
    tr_usec now = tr_clock_now();
    if (tr_demux(datagram) != TR_DEMUX_RTP)
        tr_peer_input(a->client->peer, now, *path, datagram);
    client_speak(a->rig, a->client, now);
}

static void turn(struct rig *r)
{
    tr_usec now = tr_clock_now();
    for (int i = 0; i < CLIENTS; i++) {
        struct arrival a = { r, &r->clients[i] };
        if (!a.client->peer)
            continue;
        while (tr_udp_receive(a.client->udp, 0, on_datagram, &a)) {
        }
        if (tr_peer_next_timeout(a.client->peer) <= now)
            tr_peer_timeout(a.client->peer, now);
        client_speak(r, a.client, now);
    }
    if (tr_sctp_stack_next_timeout(r->stack) <= now)
        tr_sctp_stack_timeout(r->stack, now);
    associations_speak(r, now);
    (void)tr_waiter_wait(r->waiter, TR_MSEC);
}

#define WAIT_FOR(r, cond)                                                                          \
    do {                                                                                           \
        tr_usec wait_end = tr_clock_now() + WAIT_US;                                               \
        while (!(cond) && tr_clock_now() < wait_end)                                               \
            turn(r);                                                                               \
        CHECK(cond);                                                                               \
    } while (0)

static bool open_rig(struct rig *r)
{
    memset(r, 0, sizeof *r);
    server_cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    client_cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    if (!start_engine(r)) /* before this process has threads */
        return false;
    r->rng = tr_random_system();
    r->ctx = tr_dtls_ctx_create(client_cert);
    r->srtp = tr_srtp_engine_create(TR_SRTP_ENGINE_BEST);
    r->stack = tr_sctp_stack_create(tr_clock_now());
    r->waiter = tr_waiter_open();
    for (int i = 0; i < CLIENTS; i++)
        client_open(r, i);
    return CHECK(r->ctx && r->srtp && r->stack && r->waiter >= 0);
}

static void client_close(struct client *c)
{
    tr_sctp_destroy(c->sctp);
    tr_peer_destroy(c->peer);
    tr_udp_close(c->udp);
    *c = (struct client){ 0 };
}

static void close_rig(struct rig *r)
{
    int status = -1;
    for (int i = 0; i < CLIENTS; i++)
        client_close(&r->clients[i]);
    tr_sctp_stack_destroy(r->stack);
    close(r->say);
    CHECK(waitpid(r->engine, &status, 0) == r->engine);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    tr_waiter_close(r->waiter);
    tr_srtp_engine_destroy(r->srtp);
    tr_dtls_ctx_destroy(r->ctx);
    tr_dtls_cert_destroy(server_cert);
    tr_dtls_cert_destroy(client_cert);
}

static uint16_t open_channel(struct client *c, const char *label)
{
    const struct tr_sctp_channel *channel = NULL;
    struct tr_sctp_open open = { .label = label, .protocol = "", .stream = -1 };
    CHECK_INT(tr_sctp_open(c->sctp, &open, &channel), TR_OK);
    return channel ? channel->id : 0;
}

static void say(struct client *c, uint16_t channel, const char *text)
{
    CHECK_INT(tr_sctp_send(c->sctp, channel, false, tr_slice_str(text)), TR_OK);
}

/* COUNT numbered messages, as there is room. */
static void pour(struct rig *r, struct client *c, uint16_t channel)
{
    uint8_t bytes[SIZE] = { 0 };
    tr_usec end = tr_clock_now() + WAIT_US;
    for (uint32_t i = 0; i < COUNT && tr_clock_now() < end;) {
        tr_put32(bytes, i);
        if (tr_sctp_send(c->sctp, channel, true, tr_slice(bytes, sizeof bytes)) == TR_OK)
            i++;
        else
            turn(r);
    }
}

static bool all_up(const struct rig *r)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (!r->clients[i].up)
            return false;
    }
    return true;
}

TEST(clients_speak_to_each_other_through_the_engine)
{
    struct rig *r = tr_alloc(sizeof *r);
    if (open_rig(r)) {
        struct client *c = r->clients;
        WAIT_FOR(r, all_up(r));
        WAIT_FOR(r, strcmp(c[5].text, "hello") == 0); /* control's */
        uint16_t echo = open_channel(&c[0], "x");
        say(&c[0], echo, "abc");
        WAIT_FOR(r, strcmp(c[0].text, "> abc") == 0);
        pour(r, &c[0], echo);
        WAIT_FOR(r, c[0].messages == COUNT + 1);
        pour(r, &c[1], open_channel(&c[1], "call"));
        WAIT_FOR(r, c[2].messages == COUNT && strcmp(c[2].label, "call") == 0);
        pour(r, &c[3], open_channel(&c[3], "any"));
        WAIT_FOR(r, c[4].messages == COUNT && strcmp(c[4].label, "three") == 0);
        WAIT_FOR(r, c[5].messages == COUNT + 1);
        CHECK_INT(c[0].unordered + c[2].unordered + c[4].unordered + c[5].unordered, 0);
        say(&c[5], open_channel(&c[5], "five"), "abc"); /* control hears it */
        WAIT_FOR(r, tr_sctp_stats(c[5].sctp)->packets_out > 0);
        uint8_t leaver = 4;
        CHECK(write(r->say, &leaver, 1) == 1); /* in the middle of what it hears */
        pour(r, &c[3], 0);
        WAIT_FOR(r, c[4].down);
        WAIT_FOR(r, c[5].messages == 2 * COUNT + 1);
    }
    close_rig(r);
    tr_free(r);
}

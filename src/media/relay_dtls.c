/* Clients of the relay over DTLS (RFC 7350): at the relay's UDP port, where the first byte tells
 * them apart, and at the port of TLS. An association makes datagrams of a path to a flow of its own
 * (TR_PROTO_DTLS), which the server knows like any other. It lives on the worker that the kernel
 * gives the path to and stays there; when its client's allocation lives on another one, what is
 * inside of the datagrams goes from worker to worker, both ways.
 *
 * Before the cookie nothing is kept of a client. After it, at most HANDSHAKES_MAX are in their
 * handshake at once: one more ends the oldest, since an honest one is done after two round trips.
 * A good cookie can be shown again and again, so a handshake, which costs a signature, is throttled
 * as the cookie was. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "media/control.h"
#include "media/msg.h"
#include "media/path_key.h"
#include "media/relay_int.h"
#include "net/waiter.h"
#include "turn/throttle.h"

enum {
    ASSOCIATIONS_MAX = 1 << 14,
    HANDSHAKES_MAX = 256, /* 40 KiB each */
    UNPROVEN_BYTES = 4096,
    BATCHES_A_TURN = 16, /* per socket */
};

#define PROOF_US (10 * TR_SECOND) /* from the handshake's end to an allocation */
#define IDLE_US (660 * TR_SECOND) /* without data of the client */

struct assoc {
    struct tr_dtls *dtls;
    struct path_key key;
    struct tr_path flow;
    struct tr_heap_node timer;   /* never later than what is due */
    struct assoc *older, *newer; /* in their handshake */
    tr_usec last_in;             /* or since when it is connected */
    uint32_t unproven_bytes;
    bool connected, proven;
    bool busy; /* what it wants to send goes out further down the stack */
};

struct relay_dtls {
    struct tr_dtls_ctx *ctx; /* of those that come */
    struct tr_udp *udp;      /* NULL: no port of its own */
    struct tr_map *flows;
    struct tr_heap timers;
    struct assoc *oldest, *newest;
    uint32_t handshakes;
};

static void count(struct relay *r, enum tr_media_dtls_refusal why)
{
    r->dtls_counters.refused[why]++;
}

/* --- tables --- */

static struct assoc *find(const struct relay *r, const struct tr_path *flow)
{
    struct path_key key = path_key(flow);
    return r->dtls ? tr_map_get(r->dtls->flows, path_key_slice(&key)) : NULL;
}

static void handshake_begins(struct relay_dtls *d, struct assoc *a)
{
    a->older = d->newest;
    if (d->newest)
        d->newest->newer = a;
    else
        d->oldest = a;
    d->newest = a;
    d->handshakes++;
}

static void handshake_ends(struct relay_dtls *d, struct assoc *a)
{
    if (a->newer)
        a->newer->older = a->older;
    else
        d->newest = a->older;
    if (a->older)
        a->older->newer = a->newer;
    else
        d->oldest = a->newer;
    d->handshakes--;
}

static void assoc_free(struct relay_dtls *d, struct assoc *a)
{
    tr_map_remove(d->flows, path_key_slice(&a->key));
    tr_heap_remove(&d->timers, &a->timer);
    if (!a->connected)
        handshake_ends(d, a);
    tr_dtls_destroy(a->dtls);
    tr_free(a);
}

/* Its allocation goes with it. */
static void assoc_end(struct relay *r, struct assoc *a)
{
    struct tr_path flow = a->flow;
    assoc_free(r->dtls, a);
    r->dtls_counters.associations_now = tr_map_count(r->dtls->flows);
    relay_flow_gone(r, &flow);
}

static struct assoc *assoc_add(struct relay_dtls *d, const struct tr_path *flow,
                               struct tr_dtls *dtls, tr_usec now)
{
    struct assoc *a = tr_alloc(sizeof *a);
    if (!a)
        return NULL;
    *a = (struct assoc){ .dtls = dtls, .flow = *flow, .key = path_key(flow), .last_in = now };
    if (tr_heap_set(&d->timers, &a->timer, TR_NEVER - 1) == TR_OK &&
        tr_map_add(d->flows, path_key_slice(&a->key), a) == TR_OK) {
        handshake_begins(d, a);
        return a;
    }
    tr_heap_remove(&d->timers, &a->timer);
    tr_free(a);
    return NULL;
}

/* --- time --- */

static tr_usec due(const struct assoc *a)
{
    tr_usec own = !a->connected ? TR_NEVER : a->last_in + (a->proven ? IDLE_US : PROOF_US);
    return tr_usec_min(own, tr_dtls_next_timeout(a->dtls));
}

static void set_timer(struct relay_dtls *d, struct assoc *a, tr_usec at)
{
    enum tr_err err = tr_heap_set(&d->timers, &a->timer, at < TR_NEVER ? at : TR_NEVER - 1);
    TR_ASSERT(err == TR_OK); /* it is in there */
}

static void arm(struct relay_dtls *d, struct assoc *a)
{
    tr_usec at = due(a);
    if (at < a->timer.key)
        set_timer(d, a, at);
}

/* --- in and out --- */

static int fd_of(const struct relay *r, const struct tr_addr *local)
{
    bool own = r->dtls->udp && local->port == tr_udp_port(r->dtls->udp);
    for (int i = 0; i < r->conf->bind_count; i++) {
        if (tr_addr_ip_eq(&r->conf->bind[i], local))
            return tr_udp_fd(own ? r->dtls->udp : r->udp, i);
    }
    return NO_SOCKET;
}

static void send_datagram(struct relay *r, const struct tr_path *path, struct tr_slice datagram)
{
    const struct tr_gather_out out = { .fd = fd_of(r, &path->local),
                                       .to = path->remote,
                                       .data = datagram };
    if (out.fd >= 0)
        tr_gather_put(r->to_clients, &out);
}

static void take_data(struct relay *r, struct assoc *a, struct tr_slice data)
{
    uint8_t copy[TR_DTLS_DATAGRAM_MAX]; /* the answer may be by the same association */
    a->last_in = a->proven ? r->worker->now : a->last_in;
    a->unproven_bytes += a->proven ? 0 : (uint32_t)data.n;
    if (data.n > sizeof copy || a->unproven_bytes > UNPROVEN_BYTES)
        return;
    memcpy(copy, data.p, data.n);
    relay_input(r, &a->flow, tr_slice(copy, data.n));
}

/* Does what the association wants done. false: it is gone. */
static bool settle(struct relay *r, struct assoc *a)
{
    struct tr_dtls_out out;
    bool closed = false;
    a->busy = true;
    for (tr_dtls_poll(a->dtls, &out); out.kind != TR_DTLS_NONE; tr_dtls_poll(a->dtls, &out)) {
        switch (out.kind) {
        case TR_DTLS_SEND: send_datagram(r, &a->flow, out.data); break;
        case TR_DTLS_CONNECTED:
            handshake_ends(r->dtls, a);
            a->connected = true;
            r->dtls_counters.handshakes++;
            a->last_in = r->worker->now;
            break;
        case TR_DTLS_DATA: take_data(r, a, out.data); break;
        case TR_DTLS_CLOSED: closed = true; break;
        case TR_DTLS_NONE: break;
        }
    }
    a->busy = false;
    if (closed || a->unproven_bytes > UNPROVEN_BYTES) {
        if (!a->connected)
            count(r, TR_MEDIA_DTLS_REFUSED_HANDSHAKE);
        else if (a->unproven_bytes > UNPROVEN_BYTES)
            count(r, TR_MEDIA_DTLS_REFUSED_UNPROVEN);
        assoc_end(r, a);
        return false;
    }
    arm(r->dtls, a);
    return true;
}

/* What is too long or finds no room is lost, as over UDP. */
static void encrypt(struct relay *r, const struct tr_path *flow, struct tr_slice text)
{
    struct assoc *a = find(r, flow);
    if (a && tr_dtls_send(a->dtls, text) == TR_OK && !a->busy)
        settle(r, a);
}

void relay_dtls_send(struct relay *r, const struct tr_path *flow, struct tr_slice head,
                     struct tr_slice data, uint8_t pad)
{
    uint8_t bytes[TR_DTLS_ANYBODY_MAX];
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    tr_wr_bytes(&w, head.p, head.n);
    tr_wr_bytes(&w, data.p, data.n);
    tr_wr_zero(&w, pad);
    if (!w.bad)
        encrypt(r, flow, tr_wr_slice(&w));
}

bool relay_dtls_proven(struct relay *r, const struct tr_path *flow)
{
    struct assoc *a = find(r, flow);
    if (a)
        a->proven = true;
    return a != NULL;
}

static void accept_client(struct relay *r, const struct tr_path *flow, struct tr_slice hello)
{
    struct relay_dtls *d = r->dtls;
    struct assoc *old = find(r, flow);
    if (old)
        assoc_end(r, old);
    if (d->handshakes >= HANDSHAKES_MAX) {
        count(r, TR_MEDIA_DTLS_REFUSED_HANDSHAKES);
        assoc_end(r, d->oldest);
    }
    struct tr_dtls *dtls = tr_dtls_accept(d->ctx, r->worker->now, hello);
    struct assoc *a = dtls ? assoc_add(d, flow, dtls, r->worker->now) : NULL;
    r->dtls_counters.associations_now = tr_map_count(d->flows);
    if (a) {
        settle(r, a);
        return;
    }
    count(r, dtls ? TR_MEDIA_DTLS_REFUSED_NO_ROOM : TR_MEDIA_DTLS_REFUSED_HANDSHAKE);
    tr_dtls_destroy(dtls);
}

static bool throttled(struct relay *r, const struct tr_path *flow)
{
    bool allowed = tr_throttle_allow(r->throttle, r->worker->now, &flow->remote);
    if (!allowed)
        count(r, TR_MEDIA_DTLS_REFUSED_THROTTLED);
    return !allowed;
}

static void greet(struct relay *r, const struct tr_path *flow, struct tr_slice datagram)
{
    uint8_t bytes[TR_DTLS_VERIFY_MAX];
    struct tr_wr answer = tr_wr(bytes, sizeof bytes);
    switch (tr_dtls_hello(&r->conf->cookies, r->worker->now, flow, datagram, &answer)) {
    case TR_DTLS_HELLO_NONE: count(r, TR_MEDIA_DTLS_REFUSED_MALFORMED); break;
    case TR_DTLS_HELLO_FRAGMENT: count(r, TR_MEDIA_DTLS_REFUSED_FRAGMENT); break;
    case TR_DTLS_HELLO_STALE: count(r, TR_MEDIA_DTLS_REFUSED_COOKIE); /* fall through */
    case TR_DTLS_HELLO_ANSWER:
        if (!throttled(r, flow))
            send_datagram(r, flow, tr_wr_slice(&answer));
        break;
    case TR_DTLS_HELLO_PROVEN:
        if (!throttled(r, flow))
            accept_client(r, flow, datagram);
        break;
    }
}

bool relay_dtls_input(struct relay *r, const struct tr_path *path, struct tr_slice datagram)
{
    struct tr_path flow = *path;
    /*= rfc7983#7: DTLS starts with 20..63 */
    if (!r->dtls || datagram.n == 0 || datagram.p[0] < 20 || datagram.p[0] > 63)
        return false;
    flow.local.proto = flow.remote.proto = TR_PROTO_DTLS;
    struct assoc *a = find(r, &flow);
    if (!a || !tr_dtls_hello_is(a->dtls, datagram))
        greet(r, &flow, datagram);
    else if (tr_dtls_input(a->dtls, r->worker->now, datagram) == TR_OK)
        settle(r, a);
    return true;
}

/* --- the turn --- */

static void client_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    relay_dtls_input(arg, path, datagram);
}

bool relay_dtls_read(struct relay *r, uint32_t ready)
{
    bool more = false;
    for (int i = 0; r->dtls && r->dtls->udp && tr_udp_fd(r->dtls->udp, i) >= 0; i++) {
        bool again = (ready >> (WORKER_TAG_RELAY_DTLS + i) & 1) != 0;
        for (int n = 0; again && n < BATCHES_A_TURN; n++)
            again = tr_udp_receive(r->dtls->udp, i, client_in, r);
        more |= again;
    }
    return more;
}

void relay_dtls_timers(struct relay *r)
{
    struct tr_heap_node *node;
    tr_usec now = r->worker->now;
    while (r->dtls && (node = tr_heap_min(&r->dtls->timers)) && node->key <= now) {
        struct assoc *a = TR_CONTAINER_OF(node, struct assoc, timer);
        bool over = a->connected && now >= a->last_in + (a->proven ? IDLE_US : PROOF_US);
        if (over && !a->proven)
            count(r, TR_MEDIA_DTLS_REFUSED_UNPROVEN);
        if (over)
            tr_dtls_close(a->dtls);
        else if (now >= tr_dtls_next_timeout(a->dtls))
            tr_dtls_timeout(a->dtls, now);
        if (settle(r, a))
            set_timer(r->dtls, a, due(a));
    }
}

tr_usec relay_dtls_next_timeout(const struct relay *r)
{
    const struct tr_heap_node *node = r->dtls ? tr_heap_min(&r->dtls->timers) : NULL;
    return node ? node->key : TR_NEVER;
}

/* --- life --- */

static enum tr_err open_port(struct relay *r)
{
    struct tr_udp **udp = &r->dtls->udp;
    if (r->conf->tls_ports_count == 0)
        return TR_OK;
    enum tr_err err = tr_udp_open(udp, r->conf->bind, r->conf->bind_count, r->conf->tls_ports[0],
                                  r->worker->media->conf.gso);
    for (int i = 0; err == TR_OK && tr_udp_fd(*udp, i) >= 0; i++)
        err = tr_waiter_add(r->worker->waiter, tr_udp_fd(*udp, i),
                            (unsigned)(WORKER_TAG_RELAY_DTLS + i));
    return err;
}

enum tr_err relay_dtls_open(struct relay *r)
{
    if (!r->conf->dtls)
        return TR_OK;
    r->dtls = tr_alloc(sizeof *r->dtls);
    if (!r->dtls)
        return TR_ERR_NOMEM;
    r->dtls->ctx = tr_dtls_ctx_ref(r->conf->dtls);
    tr_heap_init(&r->dtls->timers, ASSOCIATIONS_MAX);
    r->dtls->flows = tr_map_create(ASSOCIATIONS_MAX, tr_rng_u64(&r->worker->rng));
    return r->dtls->flows ? open_port(r) : TR_ERR_NOMEM;
}

void relay_dtls_close(struct relay *r)
{
    struct tr_heap_node *node;
    if (!r->dtls)
        return;
    while ((node = tr_heap_min(&r->dtls->timers)))
        assoc_free(r->dtls, TR_CONTAINER_OF(node, struct assoc, timer));
    tr_heap_deinit(&r->dtls->timers);
    tr_map_destroy(r->dtls->flows);
    tr_udp_close(r->dtls->udp);
    tr_dtls_ctx_destroy(r->dtls->ctx);
    tr_free(r->dtls);
    r->dtls = NULL;
}

/* --- renewal --- */

void relay_dtls_renew(struct relay *r, struct tr_dtls_ctx *ctx)
{
    if (r->dtls) {
        struct tr_dtls_ctx *old = r->dtls->ctx;
        r->dtls->ctx = ctx;
        ctx = old;
    }
    tr_dtls_ctx_destroy(ctx);
}

enum tr_err tr_media_turn_renew(struct tr_media *media, struct tr_dtls_ctx *dtls)
{
    enum tr_err err = TR_OK;
    for (int i = 0; i < media->workers_count; i++) {
        const struct msg m = { .kind = MSG_RELAY_RENEW, .u.dtls = tr_dtls_ctx_ref(dtls) };
        enum tr_err one = ctl_post(media, i, &m);
        if (one != TR_OK)
            tr_dtls_ctx_destroy(dtls);
        err = err == TR_OK ? one : err;
    }
    return err;
}

/* The rig of the tests of lib/dtls, all inline. tidy: allow header-size - no contract, no readers
 * but two tests. Two associations and the network between them, in virtual time. */
#ifndef TR_DTLS_TEST_H
#define TR_DTLS_TEST_H

#include <stdlib.h>

#include "base/rng.h"
#include "dtls/dtls.h"
#include "unit.h"

enum { FLYING_MAX = 256, NOW_UNIX = 1700000000 };

struct end {
    struct tr_dtls *dtls;
    bool connected;
    enum tr_dtls_reason reason; /* CLOSED was polled */
    enum tr_srtp_profile profile;
    struct tr_srtp_keys client, server;
    uint8_t data[4096]; /* what arrived, one record behind the other */
    size_t data_n;
    unsigned sent;
};

struct flying {
    tr_usec at;
    size_t n;
    uint8_t p[TR_DTLS_DATAGRAM_MAX];
    struct end *to;
};

struct net {
    tr_usec now;
    struct tr_rng rng;
    unsigned loss_pct, dup_pct;
    tr_usec delay, jitter; /* jitter reorders */
    unsigned lost;
    int drop_nth; /* > 0: lose exactly the nth datagram sent, counted down */
    size_t count;
    struct flying *flying;
    struct end a, b; /* server, client */
};

struct id { /* a certificate with its context */
    struct tr_dtls_cert *cert;
    struct tr_dtls_ctx *ctx;
};

static inline struct id id_create(void)
{
    struct id id = { .cert = tr_dtls_cert_create(NOW_UNIX) };

    id.ctx = tr_dtls_ctx_create(id.cert);
    return id;
}

static inline void id_destroy(struct id *id)
{
    tr_dtls_ctx_destroy(id->ctx);
    tr_dtls_cert_destroy(id->cert);
}

static inline struct tr_dtls_conf conf_of(const struct id *own, const struct id *peer,
                                          enum tr_dtls_role role)
{
    struct tr_dtls_conf conf = { .ctx = own->ctx, .role = role };

    conf.remote = *tr_dtls_cert_fingerprint(peer->cert);
    return conf;
}

static inline void net_init(struct net *net, uint64_t seed)
{
    *net = (struct net){ .now = TR_SECOND, .delay = 20 * TR_MSEC };
    net->rng = tr_rng_seeded(seed);
    net->flying = calloc(FLYING_MAX, sizeof(*net->flying));
}

static inline void net_deinit(struct net *net)
{
    tr_dtls_destroy(net->a.dtls);
    tr_dtls_destroy(net->b.dtls);
    free(net->flying);
}

static inline void net_put(struct net *net, struct end *to, struct tr_slice data)
{
    if (net->drop_nth > 0 && --net->drop_nth == 0) {
        net->lost++;
        return;
    }
    if (tr_rng_below(&net->rng, 100) < net->loss_pct) {
        net->lost++;
        return;
    }
    for (int copies = tr_rng_below(&net->rng, 100) < net->dup_pct ? 2 : 1; copies > 0; copies--) {
        if (net->count == FLYING_MAX)
            return;
        struct flying *f = &net->flying[net->count++];
        f->at = net->now + net->delay + (tr_usec)tr_rng_below(&net->rng, (uint64_t)net->jitter + 1);
        f->n = data.n;
        memcpy(f->p, data.p, data.n);
        f->to = to;
    }
}

static inline void end_poll(struct net *net, struct end *end)
{
    struct tr_dtls_out out;

    for (tr_dtls_poll(end->dtls, &out); out.kind != TR_DTLS_NONE; tr_dtls_poll(end->dtls, &out)) {
        if (out.kind == TR_DTLS_SEND) {
            end->sent++;
            CHECK(out.data.n <= TR_DTLS_MTU);
            net_put(net, end == &net->a ? &net->b : &net->a, out.data);
        } else if (out.kind == TR_DTLS_CONNECTED) {
            CHECK(!end->connected);
            end->connected = true;
            end->profile = out.profile;
            end->client = out.client;
            end->server = out.server;
        } else if (out.kind == TR_DTLS_DATA) {
            CHECK(end->data_n + out.data.n <= sizeof(end->data));
            memcpy(end->data + end->data_n, out.data.p, out.data.n);
            end->data_n += out.data.n;
        } else {
            CHECK_INT(end->reason, TR_DTLS_REASON_NONE);
            end->reason = out.reason;
        }
    }
}

static inline void net_poll(struct net *net)
{
    end_poll(net, &net->a);
    end_poll(net, &net->b);
}

static inline void net_start(struct net *net)
{
    tr_dtls_start(net->a.dtls, net->now);
    tr_dtls_start(net->b.dtls, net->now);
    net_poll(net);
}

/* Delivers and fires timers until `until` or until nothing is left to happen. */
static inline void net_run(struct net *net, tr_usec until)
{
    for (;;) {
        tr_usec next =
            tr_usec_min(tr_dtls_next_timeout(net->a.dtls), tr_dtls_next_timeout(net->b.dtls));
        size_t first = net->count;
        for (size_t i = 0; i < net->count; i++)
            if (net->flying[i].at < next || (first == net->count && net->flying[i].at == next)) {
                next = net->flying[i].at; /* of several at once, the oldest */
                first = i;
            }
        if (next > until)
            break;
        net->now = next > net->now ? next : net->now;
        if (first < net->count) {
            struct flying f = net->flying[first];
            net->count--;
            memmove(&net->flying[first], &net->flying[first + 1], (net->count - first) * sizeof(f));
            enum tr_err err = tr_dtls_input(f.to->dtls, net->now, tr_slice(f.p, f.n));
            (void)err;
        } else {
            tr_dtls_timeout(net->a.dtls, net->now);
            tr_dtls_timeout(net->b.dtls, net->now);
        }
        net_poll(net);
    }
    net->now = until;
}

#endif

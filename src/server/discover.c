/* A name is looked up for both families, and each that it has is asked over, both at once. Each
 * address of our own of that family is asked for by a request of its own, again and again until it
 * is answered or the tries are over: 250 ms, 500 ms, then each second. All this happens before the
 * first client is offered anything, so waiting harms nobody, and nothing changes later. */
#include "server/discover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "net/clock.h"
#include "net/log.h"
#include "net/resolve.h"

enum { TRIES = 5, RESOLVE_MS = 3000, STEP_MS = 5, FAMILIES = 2 };

#define FIRST_WAIT (250 * TR_MSEC)
#define WAIT_MAX TR_SECOND

enum tr_err tr_discovery_init(struct tr_discovery *d, const struct tr_addr *server, uint16_t port,
                              struct tr_rng *rng, const struct tr_addr *bind, int count,
                              tr_usec now)
{
    *d = (struct tr_discovery){ .server = *server, .next_us = now };
    for (int i = 0; i < count; i++) {
        if (tr_addr_is_v4(&bind[i]) == tr_addr_is_v4(server))
            d->bind[d->count++] = bind[i];
    }
    if (d->count == 0)
        return TR_OK;
    tr_rng_fill(rng, d->txid, sizeof d->txid);
    enum tr_err err = tr_udp_open(&d->udp, d->bind, d->count, port, false);
    for (int i = 0; err == TR_OK && i < d->count; i++)
        d->bind[i].port = tr_udp_port(d->udp);
    return err;
}

void tr_discovery_deinit(struct tr_discovery *d)
{
    tr_udp_close(d->udp);
    d->udp = NULL;
}

static void ask(struct tr_discovery *d, int i)
{
    uint8_t buf[64];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    struct tr_path path = { .local = d->bind[i], .remote = d->server };
    d->txid[TR_STUN_TXID - 1] = (uint8_t)i;
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, d->txid);
    tr_stun_put_fingerprint(&w);
    tr_udp_send(d->udp, &path, tr_stun_end(&w));
}

static void take(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct tr_discovery *d = arg;
    struct tr_stun m;
    if (!tr_addr_eq(&path->remote, &d->server) ||
        tr_stun_parse(&m, datagram, TR_STUN_FOR_ICE) != TR_OK || m.cls != TR_STUN_SUCCESS ||
        !(m.has & TR_STUN_HAS_XOR_MAPPED) || memcmp(m.txid, d->txid, TR_STUN_TXID - 1) != 0)
        return;
    unsigned i = m.txid[TR_STUN_TXID - 1];
    if (i < (unsigned)d->count && tr_addr_eq(&path->local, &d->bind[i]) &&
        tr_addr_is_v4(&m.xor_mapped) == tr_addr_is_v4(&d->bind[i]))
        d->seen[i] = m.xor_mapped;
}

bool tr_discovery_step(struct tr_discovery *d, tr_usec now)
{
    bool all = true;
    for (int i = 0; i < d->count; i++) {
        while (tr_udp_receive(d->udp, i, take, d)) {
        }
        all = all && !tr_addr_is_any(&d->seen[i]);
    }
    if (all || (now >= d->next_us && d->tries == TRIES))
        return true;
    if (now < d->next_us)
        return false;
    for (int i = 0; i < d->count; i++) {
        if (tr_addr_is_any(&d->seen[i]))
            ask(d, i);
    }
    tr_udp_flush(d->udp);
    d->next_us = now + tr_usec_min(FIRST_WAIT << d->tries, WAIT_MAX);
    d->tries++;
    return false;
}

/* "host:port", "1.2.3.4:3478", "[2001:db8::1]:3478": one address of each family that the name has.
 * Returns how many. */
static int find_servers(const char *server, struct tr_addr out[FAMILIES])
{
    char host[TR_RESOLVE_NAME_MAX + 1];
    int count = 0, waiting = 0;
    if (tr_addr_parse(out, server) == TR_OK)
        return 1;
    const char *colon = strrchr(server, ':');
    if (!colon || (size_t)(colon - server) >= sizeof host)
        return 0;
    memcpy(host, server, (size_t)(colon - server));
    host[colon - server] = '\0';
    struct tr_resolver *resolver = tr_resolver_create(NULL, NULL);
    for (int family = 4; resolver && family <= 6; family += 2)
        waiting += tr_resolver_ask(resolver, host, family, (uint64_t)family) == TR_OK;
    for (int ms = 0; waiting > 0 && ms < RESOLVE_MS; ms += STEP_MS) {
        struct tr_resolved found;
        tr_clock_sleep(STEP_MS * TR_MSEC);
        while (tr_resolver_take(resolver, &found)) {
            waiting--;
            if (!found.found || tr_addr_is_v4(&found.addr) != (found.cookie == 4))
                continue;
            out[count] = found.addr;
            out[count++].port = (uint16_t)strtoul(colon + 1, NULL, 10);
        }
    }
    tr_resolver_destroy(resolver);
    return count;
}

static void note(const struct tr_discovery *d, const struct tr_addr *bind, struct tr_addr *known)
{
    char local[TR_ADDR_STR_MAX], public[TR_ADDR_STR_MAX];
    for (int i = 0; i < d->count; i++) {
        if (!tr_addr_ip_eq(&d->bind[i], bind))
            continue;
        tr_addr_str(&d->bind[i], local);
        if (tr_addr_is_any(&d->seen[i])) {
            tr_log(TR_LOG_WARN, "server", "media.stun_server does not answer address=%s", local);
            continue;
        }
        tr_log(TR_LOG_INFO, "server", "public address found address=%s public=%s", local,
               tr_addr_str(&d->seen[i], public));
        if (d->seen[i].port != d->bind[i].port)
            tr_log(TR_LOG_WARN, "server",
                   "the NAT changes ports: it must send port %u on to this machine public=%s",
                   d->bind[i].port, public);
        if (tr_addr_ip_eq(&d->seen[i], bind))
            continue;
        *known = d->seen[i];
        known->port = 0;
    }
}

static void begin(struct tr_discovery *d, const struct tr_addr *server, uint16_t port,
                  struct tr_rng *rng, const struct tr_addr *bind, int count)
{
    if (tr_discovery_init(d, server, port, rng, bind, count, tr_clock_now()) != TR_OK)
        tr_log(TR_LOG_WARN, "server", "public addresses cannot be asked for why=\"%s\"",
               strerrordesc_np(errno));
}

static bool step_all(struct tr_discovery *d, int n, tr_usec now)
{
    bool over = true;
    for (int i = 0; i < n; i++)
        over = (!d[i].udp || tr_discovery_step(&d[i], now)) && over;
    return over;
}

void tr_discover(const char *server, uint16_t port, struct tr_rng *rng, const struct tr_addr *bind,
                 struct tr_addr *known, int count)
{
    struct tr_discovery d[FAMILIES] = { 0 };
    struct tr_addr servers[FAMILIES];
    int n = find_servers(server, servers), asked = 0;
    for (int i = 0; i < n; i++) {
        begin(&d[i], &servers[i], port, rng, bind, count);
        asked += d[i].count;
    }
    if (n == 0)
        tr_log(TR_LOG_WARN, "server", "media.stun_server cannot be found server=\"%s\"", server);
    else if (asked == 0)
        tr_log(TR_LOG_WARN, "server", "no address of the family of media.stun_server server=\"%s\"",
               server);
    while (!step_all(d, n, tr_clock_now()))
        tr_clock_sleep(STEP_MS * TR_MSEC);
    for (int i = 0; i < n; i++) {
        for (int k = 0; d[i].udp && k < count; k++)
            note(&d[i], &bind[k], &known[k]);
        tr_discovery_deinit(&d[i]);
    }
}

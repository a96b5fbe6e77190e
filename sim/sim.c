/* Two heaps: datagrams in flight by arrival, timers by due time; the earlier top is next. Events of
 * one instant run in the order in which they were made: the key of a flight carries nothing else,
 * so flights of one arrival time are kept apart by a microsecond at the link (a wire is serial).
 *
 * A datagram passes the sender's up link, then the receiver's down link (as a second event, unless
 * that one is perfect). Each has a clock of when
 * its bottleneck is free again, and the arrival of its newest datagram, before which jitter lets no
 * later one arrive. */
#include "sim/sim.h"

#include "base/assert.h"
#include "base/mem.h"
#include "sim/nat_int.h"

enum { QUEUE_DEFAULT = 65536, TIMERS_MAX = 65536, MILLION = 1000000 };

struct link {
    struct sim_link conf;
    tr_usec free_at;
    tr_usec newest;
};

struct sim_endpoint {
    struct sim *sim;
    struct sim_endpoint *next;
    struct tr_addr inside, outside;
    struct sim_nat *nat; /* behind which it is; NULL: none */
    struct link up, down;
    sim_receive receive;
    void *arg;
};

struct flight {
    struct tr_heap_node node;
    struct flight *next_free;
    struct tr_path path;    /* as the receiver sees it, before its NAT */
    struct sim_nat *domain; /* in whose network that address is; NULL: the world */
    bool at_down_link;      /* else it arrives */
    size_t n;
    uint8_t data[SIM_DATAGRAM_MAX];
};

struct sim {
    struct tr_rng rng;
    tr_usec now;
    struct tr_heap flights, timers;
    struct flight *free;
    uint32_t flights_made;
    struct sim_endpoint *endpoints;
    struct sim_nat *nats;
    struct sim_stats stats;
};

struct sim *sim_create(uint64_t seed)
{
    struct sim *sim = tr_alloc(sizeof *sim);
    if (!sim)
        return NULL;
    sim->rng = tr_rng_seeded(seed ^ UINT64_C(0x51a7e11e5));
    sim->now = SIM_START;
    sim->stats.trace = UINT64_C(1469598103934665603);
    tr_heap_init(&sim->flights, SIM_FLIGHTS_MAX);
    tr_heap_init(&sim->timers, TIMERS_MAX);
    return sim;
}

void sim_destroy(struct sim *sim)
{
    struct tr_heap_node *node;
    if (!sim)
        return;
    while (sim->endpoints)
        sim_endpoint_destroy(sim->endpoints);
    while (sim->nats) {
        struct sim_nat *nat = sim->nats;
        sim->nats = nat->next;
        tr_free(nat);
    }
    while ((node = tr_heap_min(&sim->flights))) {
        tr_heap_remove(&sim->flights, node);
        tr_free(TR_CONTAINER_OF(node, struct flight, node));
    }
    while ((node = tr_heap_min(&sim->timers)))
        tr_heap_remove(&sim->timers, node);
    while (sim->free) {
        struct flight *f = sim->free;
        sim->free = f->next_free;
        tr_free(f);
    }
    tr_heap_deinit(&sim->flights);
    tr_heap_deinit(&sim->timers);
    tr_free(sim);
}

tr_usec sim_now(const struct sim *sim)
{
    return sim->now;
}

struct tr_rng *sim_rng(struct sim *sim)
{
    return &sim->rng;
}

const struct sim_stats *sim_stats(const struct sim *sim)
{
    return &sim->stats;
}

void sim_timer_set(struct sim *sim, struct sim_timer *timer, tr_usec at)
{
    enum tr_err err = tr_heap_set(&sim->timers, &timer->node, at);
    TR_ASSERT(err == TR_OK || err == TR_ERR_NOMEM);
}

/* --- endpoints --- */

static bool is_taken(const struct sim *sim, const struct tr_addr *addr)
{
    for (const struct sim_endpoint *e = sim->endpoints; e; e = e->next) {
        if (tr_addr_eq(&e->outside, addr))
            return true;
    }
    return false;
}

struct sim_endpoint *sim_endpoint_create(struct sim *sim, struct tr_addr addr, sim_receive receive,
                                         void *arg)
{
    TR_ASSERT(!is_taken(sim, &addr));
    struct sim_endpoint *e = tr_alloc(sizeof *e);
    if (!e)
        return NULL;
    *e = (struct sim_endpoint){ .sim = sim,
                                .next = sim->endpoints,
                                .inside = addr,
                                .outside = addr,
                                .receive = receive,
                                .arg = arg };
    sim->endpoints = e;
    return e;
}

void sim_endpoint_destroy(struct sim_endpoint *endpoint)
{
    if (!endpoint)
        return;
    for (struct sim_endpoint **at = &endpoint->sim->endpoints; *at; at = &(*at)->next) {
        if (*at == endpoint) {
            *at = endpoint->next;
            break;
        }
    }
    tr_free(endpoint);
}

void sim_endpoint_links(struct sim_endpoint *endpoint, const struct sim_link *up,
                        const struct sim_link *down)
{
    endpoint->up.conf = *up;
    endpoint->down.conf = *down;
}

void sim_endpoint_nat(struct sim_endpoint *endpoint, struct tr_addr outside)
{
    TR_ASSERT(tr_addr_eq(&endpoint->outside, &outside) || !is_taken(endpoint->sim, &outside));
    endpoint->outside = outside;
}

void sim_endpoint_behind(struct sim_endpoint *endpoint, struct sim_nat *nat)
{
    endpoint->nat = nat;
}

static struct sim_endpoint *find_endpoint(struct sim *sim, const struct sim_nat *domain,
                                          const struct tr_addr *addr)
{
    for (struct sim_endpoint *e = sim->endpoints; e; e = e->next) {
        if (e->nat == domain && tr_addr_eq(&e->outside, addr))
            return e;
    }
    return NULL;
}

/* --- NATs --- */

void sim_add_nat(struct sim *sim, struct sim_nat *nat)
{
    nat->next = sim->nats;
    sim->nats = nat;
}

static struct sim_nat *find_nat(struct sim *sim, const struct sim_nat *domain,
                                const struct tr_addr *addr)
{
    for (struct sim_nat *n = sim->nats; n; n = n->next) {
        if (n->conf.outer == domain && tr_addr_ip_eq(&n->conf.ip, addr))
            return n;
    }
    return NULL;
}

enum way { WAY_FOUND, WAY_BLOCKED, WAY_NOBODY };

/* From the sender out to the network where the destination is, or a NAT that has its address. */
static enum way go_out(struct sim *sim, const struct tr_addr *to, struct tr_addr *from,
                       struct sim_nat **domain)
{
    for (;;) {
        struct sim_nat *nat = *domain;
        if (find_endpoint(sim, nat, to) || find_nat(sim, nat, to))
            return WAY_FOUND;
        if (!nat)
            return WAY_NOBODY;
        if ((tr_addr_ip_eq(&nat->conf.ip, to) && !nat->conf.hairpin) ||
            !sim_nat_out(nat, sim->now, from, to))
            return WAY_BLOCKED;
        *domain = nat->conf.outer;
    }
}

/* From there in to the endpoint, by what the NATs know now. */
static enum way go_in(struct sim *sim, struct sim_nat *domain, struct tr_addr to,
                      const struct tr_addr *from, struct sim_endpoint **endpoint)
{
    for (;;) {
        *endpoint = find_endpoint(sim, domain, &to);
        if (*endpoint)
            return WAY_FOUND;
        domain = find_nat(sim, domain, &to);
        if (!domain)
            return WAY_NOBODY;
        if (!sim_nat_in(domain, sim->now, &to, from))
            return WAY_BLOCKED;
    }
}

static bool count_way(struct sim *sim, enum way way)
{
    sim->stats.blocked += way == WAY_BLOCKED;
    sim->stats.nobody += way == WAY_NOBODY;
    return way == WAY_FOUND;
}

/* --- links --- */

static bool is_perfect(const struct sim_link *c)
{
    return !(c->loss_ppm || c->reorder_ppm || c->delay_us || c->jitter_us || c->rate_bps);
}

static bool chance(struct sim *sim, unsigned ppm)
{
    return ppm > 0 && tr_rng_below(&sim->rng, MILLION) < ppm;
}

static tr_usec in_order(struct link *l, tr_usec at)
{
    if (at <= l->newest)
        at = l->newest + 1;
    l->newest = at;
    return at;
}

/* When a datagram that enters now leaves; TR_NEVER: it does not. */
static tr_usec pass_link(struct sim *sim, struct link *l, size_t bytes, bool stream)
{
    const struct sim_link *c = &l->conf;
    tr_usec at = sim->now;
    if (stream)
        return in_order(l, at + c->delay_us + c->jitter_us);
    if (chance(sim, c->loss_ppm)) {
        sim->stats.lost++;
        return TR_NEVER;
    }
    if (c->rate_bps > 0) {
        tr_usec wait = l->free_at > at ? l->free_at - at : 0;
        uint64_t waiting = (uint64_t)wait * c->rate_bps / 8 / MILLION;
        if (waiting + bytes > (c->queue_bytes ? c->queue_bytes : QUEUE_DEFAULT)) {
            sim->stats.queue_full++;
            return TR_NEVER;
        }
        l->free_at = at + wait + (tr_usec)((uint64_t)bytes * 8 * MILLION / c->rate_bps);
        at = l->free_at;
    }
    at += c->delay_us;
    if (c->jitter_us > 0)
        at += (tr_usec)tr_rng_below(&sim->rng, (uint64_t)c->jitter_us + 1);
    if (chance(sim, c->reorder_ppm))
        return at + c->reorder_us;
    return in_order(l, at);
}

static struct flight *take_flight(struct sim *sim)
{
    struct flight *f = sim->free;
    if (f) {
        sim->free = f->next_free;
    } else if (sim->flights_made < SIM_FLIGHTS_MAX) {
        f = tr_alloc(sizeof *f);
        sim->flights_made += f != NULL;
    }
    return f;
}

static void give_flight(struct sim *sim, struct flight *f)
{
    f->next_free = sim->free;
    sim->free = f;
}

static void launch(struct sim *sim, tr_usec at, const struct tr_path *path, struct sim_nat *domain,
                   bool at_down_link, struct tr_slice datagram)
{
    struct flight *f = take_flight(sim);
    if (!f) {
        sim->stats.queue_full++;
        return;
    }
    f->node = (struct tr_heap_node){ 0 };
    f->path = *path;
    f->domain = domain;
    f->at_down_link = at_down_link;
    f->n = datagram.n;
    memcpy(f->data, datagram.p, datagram.n);
    if (tr_heap_set(&sim->flights, &f->node, at) != TR_OK)
        give_flight(sim, f);
}

static void trace(struct sim *sim, struct tr_slice bytes)
{
    uint64_t h = sim->stats.trace ^ (uint64_t)sim->now;
    for (size_t i = 0; i < bytes.n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes.p + i, bytes.n - i < 8 ? bytes.n - i : 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    sim->stats.trace = h;
}

void sim_send(struct sim_endpoint *endpoint, const struct tr_addr *to, struct tr_slice datagram)
{
    struct sim *sim = endpoint->sim;
    TR_ASSERT(datagram.n <= SIM_DATAGRAM_MAX);
    sim->stats.sent++;
    sim->stats.bytes += datagram.n;
    trace(sim, datagram);
    struct tr_path path = { .local = *to, .remote = endpoint->outside };
    struct sim_nat *domain = endpoint->nat;
    if (!count_way(sim, go_out(sim, to, &path.remote, &domain)))
        return;
    bool stream = to->proto == TR_PROTO_TCP;
    size_t bytes = datagram.n + SIM_OVERHEAD;
    tr_usec at = pass_link(sim, &endpoint->up, bytes, stream);
    if (at == TR_NEVER)
        return;
    const struct sim_endpoint *receiver = find_endpoint(sim, domain, to);
    bool down_link = !receiver || !is_perfect(&receiver->down.conf);
    int copies = !stream && chance(sim, endpoint->up.conf.duplicate_ppm) ? 2 : 1;
    for (int i = 0; i < copies; i++)
        launch(sim, at, &path, domain, down_link, datagram);
}

/* --- running --- */

static void deliver(struct sim *sim, struct flight *f)
{
    struct sim_endpoint *e;
    /* It may be gone, or its address moved while this was under way. */
    if (!count_way(sim, go_in(sim, f->domain, f->path.local, &f->path.remote, &e))) {
        give_flight(sim, f);
        return;
    }
    if (f->at_down_link) {
        bool stream = f->path.local.proto == TR_PROTO_TCP;
        tr_usec at = pass_link(sim, &e->down, f->n + SIM_OVERHEAD, stream);
        f->at_down_link = false;
        if (at == TR_NEVER || tr_heap_set(&sim->flights, &f->node, at) != TR_OK)
            give_flight(sim, f);
        return;
    }
    struct tr_path path = { .local = e->inside, .remote = f->path.remote };
    sim->stats.delivered++;
    e->receive(e->arg, &path, tr_slice(f->data, f->n));
    give_flight(sim, f);
}

static bool step(struct sim *sim, tr_usec end)
{
    struct tr_heap_node *flight = tr_heap_min(&sim->flights);
    struct tr_heap_node *timer = tr_heap_min(&sim->timers);
    bool is_timer = timer && (!flight || timer->key <= flight->key);
    struct tr_heap_node *next = is_timer ? timer : flight;
    if (!next || next->key > end)
        return false;
    if (next->key > sim->now)
        sim->now = next->key;
    tr_heap_remove(is_timer ? &sim->timers : &sim->flights, next);
    if (is_timer) {
        struct sim_timer *t = TR_CONTAINER_OF(next, struct sim_timer, node);
        t->fire(t->arg);
    } else {
        deliver(sim, TR_CONTAINER_OF(next, struct flight, node));
    }
    return true;
}

void sim_run(struct sim *sim, tr_usec us)
{
    tr_usec end = sim->now + us;
    while (step(sim, end))
        continue;
    sim->now = end;
}

tr_usec sim_next(const struct sim *sim)
{
    struct tr_heap_node *flight = tr_heap_min(&sim->flights);
    struct tr_heap_node *timer = tr_heap_min(&sim->timers);
    return tr_usec_min(flight ? flight->key : TR_NEVER, timer ? timer->key : TR_NEVER);
}

/* The life of a server: made, woken by its timers, ended. One heap holds a timer for each
 * allocation, TCP peer and reserved port; permissions and channels need none (turn_peers.c).
 *
 * What a request may do before it has proven itself is nothing: it is parsed, its credential is
 * checked (auth.h, without state), and at most one answer leaves, if the throttle lets it. */
#include "turn/turn.h"

#include "base/assert.h"
#include "base/mem.h"
#include "turn/turn_int.h"

enum {
    PERMISSIONS = 256,
    CHANNELS = 256,
    CONNECTIONS = 16,
    LIFETIME_S = 600,
    LIFETIME_MAX_S = 3600,
    CONNS_MAX = 1 << 20,
    ALLOCS_MAX = 1 << 22,
    TIMEOUT_STEPS = 64, /* objects ended in one call: the owner polls in between */
};

static void set_default(uint32_t *v, uint32_t def)
{
    if (*v == 0)
        *v = def;
}

static struct tr_turn_conf with_defaults(const struct tr_turn_conf *conf)
{
    struct tr_turn_conf c = *conf;
    set_default(&c.permissions_max, PERMISSIONS);
    set_default(&c.channels_max, CHANNELS);
    set_default(&c.connections_max, CONNECTIONS);
    set_default(&c.lifetime_s, LIFETIME_S);
    set_default(&c.lifetime_max_s, LIFETIME_MAX_S);
    return c;
}

static bool usable(const struct tr_turn_conf *c)
{
    return c->index >= 0 && c->index < TR_TURN_SERVERS_MAX && c->auth && c->policy && c->rng &&
           c->allocations_max > 0 && c->allocations_max <= ALLOCS_MAX &&
           c->permissions_max <= TURN_PEERS_MAX && c->channels_max <= TURN_PEERS_MAX &&
           c->lifetime_s <= c->lifetime_max_s && !c->quota.take == !c->quota.give;
}

static bool make_tables(struct tr_turn *t)
{
    uint32_t allocs = t->conf.allocations_max;
    uint64_t conns = (uint64_t)allocs * t->conf.connections_max, seed[3];
    uint32_t conns_max = conns < CONNS_MAX ? (uint32_t)conns : CONNS_MAX;
    t->conf.rng->fill(t->conf.rng, seed, sizeof seed);
    t->flows.key = seed[0];
    t->txids = tr_rng_seeded(seed[1]);
    t->allocs = tr_idtab_create(allocs);
    t->relays = tr_idtab_create(TURN_RELAYS * allocs);
    t->conns = tr_idtab_create(conns_max);
    t->conn_numbers = tr_map_create(conns_max, seed[2]);
    t->tokens = tr_map_create(allocs, seed[2]);
    tr_heap_init(&t->timers, 2 * allocs + conns_max);
    return t->allocs && t->relays && t->conns && t->conn_numbers && t->tokens;
}

struct tr_turn *tr_turn_create(const struct tr_turn_conf *conf, tr_usec now)
{
    struct tr_turn_conf c = with_defaults(conf);
    struct tr_turn *t = usable(&c) ? tr_alloc(sizeof *t) : NULL;
    if (!t)
        return NULL;
    t->conf = c;
    turn_rate_conf(&c, t->bound);
    if (turn_queue_init(t) == TR_OK && make_tables(t))
        return t;
    tr_turn_destroy(t);
    return NULL;
}

static void end_all(struct tr_turn *t)
{
    struct tr_turn_out out;
    struct tr_slice key;
    void *value;
    for (tr_id id; (id = tr_idtab_next(t->allocs, 0)) != 0;)
        turn_alloc_close(t, tr_idtab_get(t->allocs, id));
    for (uint32_t at = 0; tr_map_next(t->tokens, &at, &key, &value); at = 0)
        turn_token_end(t, value);
    do
        tr_turn_poll(t, &out);
    while (out.kind != TR_TURN_NONE);
}

void tr_turn_destroy(struct tr_turn *t)
{
    if (!t)
        return;
    if (t->tokens) /* it was made whole */
        end_all(t);
    tr_idtab_destroy(t->allocs);
    tr_idtab_destroy(t->relays);
    tr_idtab_destroy(t->conns);
    tr_map_destroy(t->conn_numbers);
    tr_map_destroy(t->tokens);
    tr_heap_deinit(&t->timers);
    tr_free(t->flows.slots);
    tr_free(t->sends);
    tr_free(t);
}

enum tr_err turn_refused(struct tr_turn *t, enum tr_turn_refusal why, enum tr_err err)
{
    t->counters.refused[why]++;
    return err;
}

enum tr_err turn_timer_set(struct tr_turn *t, struct turn_timer *timer, enum turn_timer_kind kind,
                           tr_usec at)
{
    timer->kind = kind;
    return tr_heap_set(&t->timers, &timer->node, at);
}

static void fire(struct tr_turn *t, tr_usec now, struct turn_timer *timer)
{
    switch (timer->kind) {
    case TURN_TIMER_ALLOC:
        turn_alloc_timeout(t, now, TR_CONTAINER_OF(timer, struct turn_alloc, timer));
        break;
    case TURN_TIMER_CONN:
        turn_conn_timeout(t, TR_CONTAINER_OF(timer, struct turn_conn, timer));
        break;
    case TURN_TIMER_TOKEN:
        turn_token_end(t, TR_CONTAINER_OF(timer, struct turn_token, timer));
        break;
    }
}

void tr_turn_timeout(struct tr_turn *t, tr_usec now)
{
    for (int i = 0; i < TIMEOUT_STEPS; i++) {
        struct tr_heap_node *node = tr_heap_min(&t->timers);
        if (!node || node->key > now)
            break;
        fire(t, now, TR_CONTAINER_OF(node, struct turn_timer, node));
    }
    turn_check(t);
}

tr_usec tr_turn_next_timeout(const struct tr_turn *t)
{
    struct tr_heap_node *node = tr_heap_min(&t->timers);
    return node ? node->key : TR_NEVER;
}

const struct tr_turn_counters *tr_turn_counters(const struct tr_turn *t)
{
    return &t->counters;
}

void turn_check(const struct tr_turn *t)
{
    uint32_t allocs = tr_idtab_count(t->allocs), relays = tr_idtab_count(t->relays);
    TR_ASSERT(t->counters.allocations_now == allocs);
    TR_ASSERT(relays >= allocs && relays <= TURN_RELAYS * allocs);
    TR_ASSERT(t->flows.count <= TURN_FLOWS * allocs);
    TR_ASSERT(tr_idtab_count(t->conns) == tr_map_count(t->conn_numbers));
    TR_ASSERT(t->timers.count >= allocs + tr_map_count(t->tokens));
}

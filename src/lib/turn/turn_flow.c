/* Which allocation a flow belongs to: open addressing with linear probing and backward-shift
 * deletion, never more than half full, sixteen bytes a slot. The path itself stands in the
 * allocation. */
#include "base/mem.h"
#include "turn/turn_hash.h"
#include "turn/turn_int.h"

enum { FIRST_SIZE = 16 };

static uint64_t hash_of(const struct turn_flows *flows, const struct tr_path *flow)
{
    const struct tr_addr *l = &flow->local, *r = &flow->remote;
    uint64_t ports =
        (uint64_t)r->proto << 48 | (uint64_t)l->proto << 40 | (uint64_t)r->port << 16 | l->port;
    return turn_hash(r->ip, turn_hash(l->ip, ports, flows->key), flows->key);
}

static bool has_flow(const struct turn_alloc *a, const struct tr_path *flow)
{
    return tr_path_eq(&a->flow[0], flow) || (a->flows > 1 && tr_path_eq(&a->flow[1], flow));
}

struct turn_alloc *turn_flow_find(const struct tr_turn *t, const struct tr_path *flow)
{
    const struct turn_flows *f = &t->flows;
    if (f->count == 0)
        return NULL;
    uint64_t hash = hash_of(f, flow);
    for (uint32_t i = (uint32_t)hash;; i++) {
        const struct turn_flow_slot *s = &f->slots[i & (f->size - 1)];
        if (!s->alloc || (s->hash == hash && has_flow(s->alloc, flow)))
            return s->alloc;
    }
}

static void put(struct turn_flows *f, struct turn_flow_slot slot)
{
    uint32_t i = (uint32_t)slot.hash;
    while (f->slots[i & (f->size - 1)].alloc)
        i++;
    f->slots[i & (f->size - 1)] = slot;
}

static enum tr_err grow(struct turn_flows *f)
{
    struct turn_flows larger = { .size = f->size ? 2 * f->size : FIRST_SIZE,
                                 .count = f->count,
                                 .key = f->key };
    larger.slots = tr_alloc(larger.size * sizeof *larger.slots);
    if (!larger.slots)
        return TR_ERR_NOMEM;
    for (uint32_t i = 0; i < f->size; i++)
        if (f->slots[i].alloc)
            put(&larger, f->slots[i]);
    tr_free(f->slots);
    *f = larger;
    return TR_OK;
}

enum tr_err turn_flow_add(struct tr_turn *t, struct turn_alloc *a, const struct tr_path *flow)
{
    struct turn_flows *f = &t->flows;
    if (2 * (f->count + 1) > f->size) {
        enum tr_err err = grow(f);
        if (err != TR_OK)
            return err;
    }
    put(f, (struct turn_flow_slot){ .alloc = a, .hash = hash_of(f, flow) });
    f->count++;
    a->flow[a->flows++] = *flow;
    return TR_OK;
}

static void unlink_slot(struct turn_flows *f, struct turn_alloc *a, const struct tr_path *flow)
{
    uint32_t mask = f->size - 1, hole;
    uint64_t hash = hash_of(f, flow);
    for (hole = (uint32_t)hash & mask; f->slots[hole].alloc != a || f->slots[hole].hash != hash;)
        hole = (hole + 1) & mask;
    for (uint32_t i = (hole + 1) & mask; f->slots[i].alloc; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)f->slots[i].hash & mask;
        /* An entry may fill the hole unless its home lies behind the hole on its way here. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            f->slots[hole] = f->slots[i];
            hole = i;
        }
    }
    f->slots[hole].alloc = NULL;
    f->count--;
}

void turn_flow_remove(struct tr_turn *t, struct turn_alloc *a, int which)
{
    unlink_slot(&t->flows, a, &a->flow[which]);
    if (which == 0)
        a->flow[0] = a->flow[1];
    a->flows--;
}

void turn_flow_confirm(struct tr_turn *t, struct turn_alloc *a, const struct tr_path *flow)
{
    if (a->flows < 2 || !tr_path_eq(&a->flow[1], flow))
        return;
    turn_flow_remove(t, a, 0);
    turn_flows_changed(t, a);
    a->has_last_ticket = false;
}

void turn_flows_changed(struct tr_turn *t, struct turn_alloc *a)
{
    for (int i = 0; i < TURN_RELAYS; i++) {
        struct turn_relay *r = &a->relay[i];
        if (r->state != TURN_RELAY_UP)
            continue;
        turn_event_drop(&r->event);
        turn_event_push(t, &r->event, TR_TURN_MOVED);
    }
}

/* All sockets are one swarm, whose descriptor lies in the worker's waiter. It is read a batch a
 * socket in a turn, so no port can keep the others waiting. */
#include "media/ports.h"

#include "base/assert.h"
#include "base/mem.h"
#include "media/worker.h"
#include "net/waiter.h"

enum { SOCKETS_MAX = 8192, TIMERS_MAX = 16384, PLAINS_MAX = 4096 };

struct ports *ports_of(struct worker *w)
{
    if (w->ports)
        return w->ports;
    struct ports *p = tr_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->worker = w;
    w->ports = p;
    tr_heap_init(&p->timers, TIMERS_MAX);
    p->plains = tr_map_create(PLAINS_MAX, tr_rng_u64(&w->rng));
    if (p->plains && tr_swarm_open(&p->swarm, SOCKETS_MAX, true) == TR_OK &&
        tr_waiter_add(w->waiter, tr_swarm_fd(p->swarm), WORKER_TAG_PORTS) == TR_OK)
        return p;
    ports_destroy(w);
    return NULL;
}

void ports_empty(struct worker *w)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *p;
    while (w->ports && tr_map_next(w->ports->plains, &cursor, &key, &p)) {
        plain_destroy(p);
        cursor = 0; /* the map has changed */
    }
}

void ports_destroy(struct worker *w)
{
    struct ports *p = w->ports;
    if (!p)
        return;
    tr_swarm_close(p->swarm);
    tr_udp_close(p->out);
    tr_map_destroy(p->plains);
    tr_heap_deinit(&p->timers);
    tr_free(p);
    w->ports = NULL;
}

static void datagram_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct port *port = arg;
    port->in(port, path, datagram);
}

void ports_read(struct worker *w)
{
    tr_swarm_wait(w->ports->swarm, 0, datagram_in);
}

void ports_timers(struct worker *w)
{
    struct tr_heap_node *node;
    while (w->ports && (node = tr_heap_min(&w->ports->timers)) && node->key <= w->now) {
        struct port_timer *timer = TR_CONTAINER_OF(node, struct port_timer, node);
        tr_heap_remove(&w->ports->timers, node); /* whom it concerns sets it again */
        timer->due(timer);
    }
}

void ports_speak(struct worker *w)
{
    struct ports *p = w->ports;
    if (!p)
        return;
    while (p->dirty) {
        struct plain *plain = p->dirty;
        p->dirty = plain_next_dirty(plain);
        plain_speak(plain);
    }
    tr_swarm_flush(p->swarm);
    if (p->out)
        tr_udp_flush(p->out);
}

void ports_tick(struct worker *w)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *p;
    while (w->ports && tr_map_next(w->ports->plains, &cursor, &key, &p))
        plain_tick(p);
}

tr_usec ports_next_timeout(const struct worker *w)
{
    const struct tr_heap_node *node = w->ports ? tr_heap_min(&w->ports->timers) : NULL;
    return node ? node->key : TR_NEVER;
}

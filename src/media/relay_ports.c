/* The relayed addresses of a worker. The range of ports is cut into pairs, an even port and the one
 * behind it, which are dealt to the workers in turn: so a port tells its worker without a table,
 * and pairs stay together. Which port a client gets is chosen at random among those of its worker:
 * who does not know it cannot send to it. */
#include <string.h>

#include "base/mem.h"
#include "media/relay_int.h"
#include "net/port.h"

enum { BIND_TRIES = 16 };

#define FOREIGN_US (30 * TR_SECOND) /* until a port that another program has is tried again */

/* --- ports --- */

static uint32_t first_port(const struct tr_media_turn_conf *conf)
{
    return (conf->min_port + 1u) & ~1u;
}

static uint32_t pairs_of(const struct tr_media_turn_conf *conf)
{
    uint32_t first = first_port(conf), end = conf->max_port + 1u;
    return end > first ? (end - first) / 2 : 0;
}

int relay_port_worker(const struct tr_media *media, uint16_t port)
{
    const struct tr_media_turn_conf *conf = &media->conf.turn;
    uint32_t pair = (port - first_port(conf)) / 2;
    if (port < first_port(conf) || pair >= pairs_of(conf))
        return -1;
    return (int)(pair % (uint32_t)media->workers_count);
}

static uint16_t port_of(const struct relay *r, uint32_t slot)
{
    uint32_t workers = (uint32_t)r->worker->media->workers_count;
    uint32_t pair = slot / 2 * workers + (uint32_t)r->worker->index;
    return (uint16_t)(first_port(r->conf) + pair * 2 + slot % 2);
}

/* NULL: the port is not one of this worker's. */
static struct rslot *slot_of(struct relay *r, uint16_t port)
{
    const struct tr_media *media = r->worker->media;
    if (relay_port_worker(media, port) != r->worker->index)
        return NULL;
    uint32_t offset = port - first_port(r->conf);
    return &r->slots[offset / 2 / (uint32_t)media->workers_count * 2 + offset % 2];
}

static bool is_free(const struct relay *r, uint32_t slot)
{
    return !r->slots[slot].port && r->slots[slot].held <= r->worker->now;
}

/* A free slot of this kind; false: there is none. */
static bool find_free(struct relay *r, enum tr_turn_port kind, uint32_t *slot)
{
    uint32_t step = kind == TR_TURN_PORT_ANY ? 1 : 2;
    uint32_t at = r->slots_count > 0 ? (uint32_t)tr_rng_below(&r->worker->rng, r->slots_count) : 0;
    at -= at % step;
    for (uint32_t n = 0; n < r->slots_count; n += step, at = (at + step) % r->slots_count) {
        *slot = at;
        if (is_free(r, at) && (kind != TR_TURN_PORT_PAIR || is_free(r, at + 1)))
            return true;
    }
    return false;
}

struct rport *relay_port_at(struct relay *r, uint16_t port)
{
    const struct rslot *slot = slot_of(r, port);
    return slot ? slot->port : NULL;
}

struct rport *relay_port_find(struct relay *r, const struct tr_addr *relayed)
{
    struct rport *p = relay_port_at(r, relayed->port);
    return p && tr_addr_ip_eq(&p->relayed, relayed) ? p : NULL;
}

void relay_port_unreserve(struct relay *r, uint16_t port)
{
    struct rslot *slot = slot_of(r, port);
    if (slot)
        slot->held = 0;
}

/* --- addresses --- */

/* Which of our addresses the client is relayed from: the one that it speaks to, if that is of the
 * right family. -1: there is none. */
static int address_for(const struct relay *r, bool v6)
{
    int found = -1;
    for (int i = r->conf->bind_count - 1; i >= 0; i--) {
        if (tr_addr_is_v4(&r->conf->bind[i]) == v6)
            continue;
        found = i;
        if (tr_addr_ip_eq(&r->conf->bind[i], &r->flow.local))
            return i;
    }
    return found;
}

static struct rport *make_port(struct relay *r, int address, uint16_t port)
{
    struct rport *p = tr_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->relay = r;
    p->fd = NO_SOCKET;
    p->at = r->conf->bind[address];
    p->relayed = tr_addr_is_any(&r->conf->known[address]) ? p->at : r->conf->known[address];
    p->at.port = p->relayed.port = port;
    return p;
}

bool relay_port_bind(struct rport *p)
{
    const struct tr_port_conf conf = { .bind = p->at, .relay = true };
    struct tr_addr local;
    int fd;
    if (p->fd >= 0)
        return true;
    if (tr_port_open(&conf, &fd, &local) != TR_OK)
        return false;
    if (tr_swarm_adopt(p->relay->swarm, fd, &local, p, &p->socket) != TR_OK) {
        tr_port_close(fd);
        return false;
    }
    p->fd = fd;
    return true;
}

static struct rport *open_at(struct relay *r, int address, uint32_t slot, bool tcp)
{
    struct rport *p = make_port(r, address, port_of(r, slot));
    if (!p || (tcp ? relay_stream_listen(p) == TR_OK : relay_port_bind(p)))
        return p;
    tr_free(p);
    r->slots[slot].held = r->worker->now + FOREIGN_US;
    return NULL;
}

static struct rport *open_any(struct relay *r, const struct tr_turn_out *out, int address)
{
    uint32_t slot;
    for (int i = 0; i < BIND_TRIES && find_free(r, out->port, &slot); i++) {
        struct rport *p = open_at(r, address, slot, out->tcp);
        if (!p)
            continue;
        r->slots[slot].port = p;
        if (out->port == TR_TURN_PORT_PAIR)
            r->slots[slot + 1].held = TR_NEVER; /* until it is taken, or given back */
        return p;
    }
    return NULL;
}

static struct rport *open_reserved(struct relay *r, const struct tr_turn_out *out, int address)
{
    struct rslot *slot = slot_of(r, out->reserved);
    if (!slot || slot->port || slot->held != TR_NEVER)
        return NULL;
    slot->held = 0;
    slot->port = open_at(r, address, (uint32_t)(slot - r->slots), out->tcp);
    return slot->port;
}

struct rport *relay_port_open(struct relay *r, const struct tr_turn_out *out)
{
    int address = address_for(r, out->v6);
    struct rport *p = NULL;
    enum tr_err err = address < 0 || (out->tcp && !r->streams) ? TR_ERR_UNSUPPORTED : TR_ERR_LIMIT;
    if (err == TR_ERR_LIMIT && out->port == TR_TURN_PORT_RESERVED)
        p = open_reserved(r, out, address);
    else if (err == TR_ERR_LIMIT)
        p = open_any(r, out, address);
    if (p)
        p->id = out->relay;
    tr_turn_opened(r->turn, r->worker->now, out->relay, p ? TR_OK : err, p ? &p->relayed : NULL, p);
    return p;
}

void relay_port_close(struct rport *p)
{
    if (!p)
        return;
    struct relay *r = p->relay;
    if (p->fd >= 0) {
        tr_gather_flush(r->to_peers);
        tr_swarm_remove(r->swarm, p->socket);
    }
    relay_stream_unlisten(p);
    slot_of(r, p->at.port)->port = NULL;
    tr_free(p);
}

/* --- life --- */

enum tr_err relay_ports_init(struct relay *r)
{
    uint32_t workers = (uint32_t)r->worker->media->workers_count;
    uint32_t index = (uint32_t)r->worker->index, pairs = pairs_of(r->conf);
    if (pairs <= index)
        return TR_ERR_INVAL;
    r->slots_count = (pairs - index + workers - 1) / workers * 2;
    r->slots = tr_alloc(r->slots_count * sizeof *r->slots);
    return r->slots ? TR_OK : TR_ERR_NOMEM;
}

void relay_ports_deinit(struct relay *r)
{
    for (uint32_t i = 0; r->slots && i < r->slots_count; i++)
        relay_port_close(r->slots[i].port);
    tr_free(r->slots);
}

/* Permissions and channels are two small arrays; three tables of 16-bit indexes lead into them: by
 * IP, by address and by channel number (whose low bits are the hash: clients count upwards, so each
 * finds its place at once). All is one block of memory.
 *
 * Changes are rare and the arrays short, so each change builds the tables anew instead of mending
 * them, and then also notes in each channel until when it may be used: packets look at one entry
 * and at one time. What has expired stays until room is needed. */
#include "turn/turn_peers.h"

#include <string.h>

#include "base/mem.h"
#include "turn/turn_hash.h"

enum { FIRST_SIZE = 4 };

struct turn_perm *turn_perm_find(const struct turn_peers *peers, const uint8_t ip[16])
{
    if (!peers)
        return NULL;
    for (uint32_t i = (uint32_t)turn_hash(ip, 0, peers->key);; i++) {
        uint16_t at = peers->by_ip[i & peers->mask];
        if (at == 0)
            return NULL;
        if (memcmp(peers->perm[at - 1].ip, ip, 16) == 0)
            return &peers->perm[at - 1];
    }
}

struct turn_chan *turn_chan_by_peer(const struct turn_peers *peers, const struct tr_addr *peer)
{
    if (!peers)
        return NULL;
    for (uint32_t i = (uint32_t)turn_hash(peer->ip, peer->port, peers->key);; i++) {
        uint16_t at = peers->by_peer[i & peers->mask];
        if (at == 0)
            return NULL;
        if (tr_addr_ip_eq(&peers->chan[at - 1].peer, peer) &&
            peers->chan[at - 1].peer.port == peer->port)
            return &peers->chan[at - 1];
    }
}

struct turn_chan *turn_chan_by_number(const struct turn_peers *peers, uint16_t number)
{
    if (!peers)
        return NULL;
    for (uint32_t i = number;; i++) {
        uint16_t at = peers->by_number[i & peers->mask];
        if (at == 0)
            return NULL;
        if (peers->chan[at - 1].number == number)
            return &peers->chan[at - 1];
    }
}

bool turn_perm_holds(const struct turn_peers *peers, tr_usec now, const struct tr_addr *peer)
{
    const struct turn_perm *perm = turn_perm_find(peers, peer->ip);
    return perm && perm->expires > now;
}

static void set(const struct turn_peers *peers, uint16_t *table, uint32_t hash, uint32_t index)
{
    while (table[hash & peers->mask])
        hash++;
    table[hash & peers->mask] = (uint16_t)(index + 1);
}

void turn_peers_link(struct turn_peers *peers)
{
    memset(peers->by_ip, 0, 3 * sizeof *peers->by_ip * (peers->mask + 1));
    for (uint32_t i = 0; i < peers->perm_n; i++)
        set(peers, peers->by_ip, (uint32_t)turn_hash(peers->perm[i].ip, 0, peers->key), i);
    for (uint32_t i = 0; i < peers->chan_n; i++) {
        struct turn_chan *c = &peers->chan[i];
        const struct turn_perm *perm = turn_perm_find(peers, c->peer.ip);
        set(peers, peers->by_peer, (uint32_t)turn_hash(c->peer.ip, c->peer.port, peers->key), i);
        set(peers, peers->by_number, c->number, i);
        c->until = perm ? tr_usec_min(c->expires, perm->expires) : 0;
    }
}

static void forget_expired(struct turn_peers *peers, tr_usec now)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < peers->perm_n; i++)
        if (peers->perm[i].expires > now)
            peers->perm[n++] = peers->perm[i];
    peers->perm_n = n;
    n = 0;
    for (uint16_t i = 0; i < peers->chan_n; i++)
        if (peers->chan[i].expires > now)
            peers->chan[n++] = peers->chan[i];
    peers->chan_n = n;
}

/* An empty set of this size; size is a power of two, the tables are at most half full. */
static struct turn_peers *create(uint32_t size, uint64_t key)
{
    size_t perm = size * sizeof(struct turn_perm), chan = size * sizeof(struct turn_chan);
    size_t table = 2 * size * sizeof(uint16_t);
    struct turn_peers *peers = tr_alloc(sizeof *peers + perm + chan + 3 * table);
    if (!peers)
        return NULL;
    peers->size = (uint16_t)size;
    peers->mask = 2 * size - 1;
    peers->key = key;
    peers->perm = (struct turn_perm *)(void *)(peers + 1);
    peers->chan = (struct turn_chan *)(void *)(peers->perm + size);
    peers->by_ip = (uint16_t *)(void *)(peers->chan + size);
    peers->by_peer = peers->by_ip + 2 * size;
    peers->by_number = peers->by_peer + 2 * size;
    return peers;
}

static enum tr_err grow(struct turn_peers **peers, uint64_t key, uint32_t need)
{
    struct turn_peers *old = *peers;
    uint32_t size = old ? old->size : FIRST_SIZE;
    while (size < need)
        size *= 2;
    if (size > TURN_PEERS_MAX)
        return TR_ERR_LIMIT;
    struct turn_peers *larger = create(size, key);
    if (!larger)
        return TR_ERR_NOMEM;
    if (old) {
        larger->perm_n = old->perm_n;
        larger->chan_n = old->chan_n;
        memcpy(larger->perm, old->perm, old->perm_n * sizeof *old->perm);
        memcpy(larger->chan, old->chan, old->chan_n * sizeof *old->chan);
    }
    tr_free(old);
    *peers = larger;
    return TR_OK;
}

enum tr_err turn_peers_reserve(struct turn_peers **peers, tr_usec now, uint64_t key, uint32_t perms,
                               uint32_t perms_max, uint32_t chans, uint32_t chans_max)
{
    enum tr_err err = TR_OK;
    if (*peers)
        forget_expired(*peers, now);
    uint32_t perm_n = perms + (*peers ? (*peers)->perm_n : 0);
    uint32_t chan_n = chans + (*peers ? (*peers)->chan_n : 0);
    uint32_t need = perm_n > chan_n ? perm_n : chan_n;
    if ((perms > 0 && perm_n > perms_max) || (chans > 0 && chan_n > chans_max))
        err = TR_ERR_LIMIT;
    else if (!*peers || need > (*peers)->size)
        err = grow(peers, key, need);
    if (*peers)
        turn_peers_link(*peers);
    return err;
}

void turn_perm_put(struct turn_peers *peers, tr_usec now, const struct tr_addr *peer)
{
    struct turn_perm *perm = turn_perm_find(peers, peer->ip);
    if (!perm) {
        perm = &peers->perm[peers->perm_n++];
        memcpy(perm->ip, peer->ip, sizeof perm->ip);
        set(peers, peers->by_ip, (uint32_t)turn_hash(perm->ip, 0, peers->key), peers->perm_n - 1u);
    }
    perm->expires = now + TURN_PERMISSION_US;
}

void turn_chan_put(struct turn_peers *peers, tr_usec now, const struct tr_addr *peer,
                   uint16_t number, bool own)
{
    struct turn_chan *c = turn_chan_by_number(peers, number);
    if (!c) {
        c = &peers->chan[peers->chan_n++];
        *c = (struct turn_chan){ .peer = *peer, .number = number };
    }
    c->own = own;
    c->expires = now + TURN_CHANNEL_US;
}

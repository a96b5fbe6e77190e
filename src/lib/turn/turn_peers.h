/* Inside of the TURN server: to whom an allocation may send, and the channels to them. */
#ifndef TR_TURN_PEERS_H
#define TR_TURN_PEERS_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/time.h"

#define TURN_PERMISSION_US (300 * TR_SECOND)
#define TURN_CHANNEL_US (600 * TR_SECOND)

enum { TURN_PEERS_MAX = 16384 }; /* permissions, and channels, of an allocation */

struct turn_perm {
    uint8_t ip[16];
    tr_usec expires;
};

struct turn_chan {
    struct tr_addr peer;
    uint16_t number;
    bool own; /* one of our own media ports */
    tr_usec expires;
    tr_usec until; /* the binding and the permission of the peer hold */
};

struct turn_peers {                /* one block of memory with its tables */
    uint16_t perm_n, chan_n, size; /* size: room for so many of each */
    uint32_t mask;
    uint64_t key;
    struct turn_perm *perm;
    struct turn_chan *chan;
    uint16_t *by_ip, *by_peer, *by_number; /* open addressed, index + 1 */
};

/* The lookups find what has expired, too; *peers may be NULL. */
struct turn_perm *turn_perm_find(const struct turn_peers *peers, const uint8_t ip[16]);
struct turn_chan *turn_chan_by_peer(const struct turn_peers *peers, const struct tr_addr *peer);
struct turn_chan *turn_chan_by_number(const struct turn_peers *peers, uint16_t number);
bool turn_perm_holds(const struct turn_peers *peers, tr_usec now, const struct tr_addr *peer);

/* Forgets what has expired and makes room for so many more. LIMIT, NOMEM: nothing was changed but
 * what had expired. *peers: NULL at first. */
TR_MUST_USE enum tr_err turn_peers_reserve(struct turn_peers **peers, tr_usec now, uint64_t key,
                                           uint32_t perms, uint32_t perms_max, uint32_t chans,
                                           uint32_t chans_max);
/* New or refreshed; there is room. Call turn_peers_link at the end. */
void turn_perm_put(struct turn_peers *peers, tr_usec now, const struct tr_addr *peer);
void turn_chan_put(struct turn_peers *peers, tr_usec now, const struct tr_addr *peer,
                   uint16_t number, bool own);
void turn_peers_link(struct turn_peers *peers);

#endif

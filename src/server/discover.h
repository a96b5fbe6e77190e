/* Which public addresses the media port has, as a STUN server sees it from outside (RFC 8489): for
 * machines behind a 1:1 NAT whose operator does not want to write them down. Control thread, at
 * start, before the port is opened for media. */
#ifndef TR_SERVER_DISCOVER_H
#define TR_SERVER_DISCOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/time.h"
#include "media/media.h"
#include "net/udp.h"
#include "stun/stun.h"

struct tr_rng;

/* Asks and waits for some seconds at most; what does not come is warned of in the log. server:
 * "host:port", asked over each family that the host has. known[i] becomes the address that stands
 * for bind[i], where it is another one. */
void tr_discover(const char *server, uint16_t port, struct tr_rng *rng, const struct tr_addr *bind,
                 struct tr_addr *known, int count);

/* One server over one family, without waiting; for the above, and for tests. */
struct tr_discovery {
    struct tr_udp *udp; /* the media port itself: a NAT may tell by it */
    struct tr_addr server;
    struct tr_addr bind[TR_MEDIA_ADDRS_MAX], seen[TR_MEDIA_ADDRS_MAX]; /* seen: any: no answer */
    int count, tries;
    uint8_t txid[TR_STUN_TXID]; /* the last byte is the index of the address */
    tr_usec next_us;
};

/* IO (errno): the port cannot be opened; NOMEM. */
TR_MUST_USE enum tr_err tr_discovery_init(struct tr_discovery *d, const struct tr_addr *server,
                                          uint16_t port, struct tr_rng *rng,
                                          const struct tr_addr *bind, int count, tr_usec now);
void tr_discovery_deinit(struct tr_discovery *d);
/* Sends what is due, reads what came. true: over. */
bool tr_discovery_step(struct tr_discovery *d, tr_usec now);

#endif

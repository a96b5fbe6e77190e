/* Inside of the TURN server: how much an allocation may relay. */
#ifndef TR_TURN_RATE_H
#define TR_TURN_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct tr_turn_conf;

enum turn_way { TURN_TO_PEER, TURN_TO_CLIENT };

enum { /* what is bounded; bytes and packets: plus enum turn_way */
       TURN_BOUND_BYTES = 0,
       TURN_BOUND_PACKETS = 2,
       TURN_BOUND_PEERS = 4,
       TURN_BOUNDS = 5,
};

struct turn_bound {
    int64_t rate;  /* a second; 0: no bound */
    int64_t burst; /* times 1e6 */
};

struct turn_rate {
    tr_usec at;
    int64_t room[TURN_BOUNDS]; /* times 1e6 */
    uint32_t chunk;            /* bytes drawn from the quota and not used yet */
    tr_usec dry_until;         /* the quota had nothing: not asked before */
};

void turn_rate_conf(const struct tr_turn_conf *conf, struct turn_bound bound[TURN_BOUNDS]);
void turn_rate_init(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS],
                    tr_usec now);
/* Takes n of one kind, all or nothing. */
bool turn_rate_take(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS], tr_usec now,
                    int which, uint32_t n);
/* A packet of n bytes may pass. share: of the quota. */
bool turn_rate_pass(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS],
                    const struct tr_turn_conf *conf, void *share, tr_usec now, enum turn_way way,
                    uint32_t n);
/* How many of n bytes of a stream may pass as one packet. */
uint32_t turn_rate_room(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS],
                        const struct tr_turn_conf *conf, void *share, tr_usec now,
                        enum turn_way way, uint32_t n);
/* So many did, whether or not there was room. */
void turn_rate_passed(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS],
                      const struct tr_turn_conf *conf, enum turn_way way, uint32_t n);

#endif

/* How much of the relay anybody may have: allocations and bytes, by credential, by address and in
 * all. One for all threads of a node; taken, given back and drawn from under one lock, so in large
 * pieces only. The functions fit struct tr_turn_quota. */
#ifndef TR_QUOTA_H
#define TR_QUOTA_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

struct tr_quota;

struct tr_quota_conf {       /* 0: no bound */
    uint32_t per_credential; /* allocations */
    uint32_t per_address;    /* IPv6: per /64 */
    uint32_t total;
    uint64_t credential_bps, node_bps;
    uint64_t seed; /* random */
};

/* NULL: memory is out. */
struct tr_quota *tr_quota_create(const struct tr_quota_conf *conf);
void tr_quota_destroy(struct tr_quota *quota); /* all shares must be back; NULL is fine */
/* One allocation more; *share is what it is known by. LIMIT; NOMEM. */
TR_MUST_USE enum tr_err tr_quota_take(void *quota, struct tr_slice credential,
                                      const struct tr_addr *client, void **share);
void tr_quota_give(void *quota, void *share);
/* How many of so many bytes may be relayed now: a second's worth can be saved up. */
uint32_t tr_quota_draw(void *quota, void *share, tr_usec now, uint32_t bytes);

#endif

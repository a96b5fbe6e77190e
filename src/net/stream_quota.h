/* How many streams there are from an address and from its network. Inside of src/net. */
#ifndef TR_STREAM_QUOTA_H
#define TR_STREAM_QUOTA_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct tr_map;

struct stream_quota {
    struct tr_map *counts; /* key: prefix */
    uint32_t address_max, network_max;
};

/* NOMEM. most: streams at most. */
TR_MUST_USE enum tr_err stream_quota_init(struct stream_quota *quota, uint32_t most,
                                          uint32_t address_max, uint32_t network_max,
                                          uint64_t seed);
void stream_quota_deinit(struct stream_quota *quota);
/* LIMIT: there are as many as there may be; NOMEM. */
TR_MUST_USE enum tr_err stream_quota_take(struct stream_quota *quota, const struct tr_addr *addr);
void stream_quota_give(struct stream_quota *quota, const struct tr_addr *addr); /* one taken */

#endif

/* Datagrams of one turn toward many receivers, by many sockets: collected, sorted by flow (socket
 * and receiver), and sent so that those of one flow and one size leave as one message that the
 * kernel cuts (UDP_SEGMENT), however they were mixed when they came. Within a flow the order stays.
 * Messages of one socket that stand together share a call.
 *
 * At most TR_GATHER_DATAGRAMS and TR_GATHER_FLOWS wait; one more flushes. One thread. */
#ifndef TR_GATHER_H
#define TR_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"
#include "net/udp.h"

struct tr_gather;

enum {
    TR_GATHER_DATAGRAMS = 512,
    TR_GATHER_FLOWS = 256,
    TR_GATHER_DATAGRAM_MAX = 65000, /* longer ones are dropped */
};

/* NULL: memory is out. gso: use UDP_SEGMENT where the kernel has it. */
struct tr_gather *tr_gather_create(bool gso, uint64_t seed);
void tr_gather_destroy(struct tr_gather *gather); /* what waits is lost; NULL is fine */
struct tr_gather_out {                            /* one datagram */
    int fd;
    struct tr_addr to;
    struct tr_slice head, data; /* copied, one behind the other */
    uint8_t pad;                /* zero bytes behind them */
    bool df;                    /* nobody may fragment it, not even we */
};

void tr_gather_put(struct tr_gather *gather, const struct tr_gather_out *out);
void tr_gather_flush(struct tr_gather *gather); /* also before a socket is closed */
const struct tr_udp_counters *tr_gather_counters(const struct tr_gather *gather);

#endif

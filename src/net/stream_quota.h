/* How many streams a node has: in all, from one address and its network, in their TLS handshake,
 * and unproven. One for all sets of a kind (stream.h), each in its thread: counted under one lock,
 * which is taken when a connection comes, proves itself, or goes. */
#ifndef TR_STREAM_QUOTA_H
#define TR_STREAM_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct tr_stream_quota;

struct tr_stream_bounds {     /* 0: the default in brackets */
    uint32_t connections_max; /* 32768 */
    uint32_t address_max;     /* from one address (IPv6: /64): 1024 */
    uint32_t network_max;     /* from one /24 (IPv6: /56): four times as many */
    uint32_t handshakes_max;  /* in their TLS handshake: 512 */
    uint32_t unproven_max;    /* accepted, and without tr_stream_proven: 4096 */
};

/* NULL: memory is out. seed: random. */
struct tr_stream_quota *tr_stream_quota_create(const struct tr_stream_bounds *bounds,
                                               uint64_t seed);
void tr_stream_quota_destroy(struct tr_stream_quota *quota); /* all is back; NULL is fine */

/* --- inside of src/net --- */

uint32_t stream_quota_most(const struct tr_stream_quota *quota); /* connections */
/* One connection more; addr NULL: one that was dialed, counted in all alone. LIMIT: there are as
 * many as there may be; NOMEM. */
TR_MUST_USE enum tr_err stream_quota_take(struct tr_stream_quota *quota,
                                          const struct tr_addr *addr);
void stream_quota_give(struct tr_stream_quota *quota, const struct tr_addr *addr); /* one taken */

enum stream_crowd { STREAM_HANDSHAKES, STREAM_UNPROVEN, STREAM_CROWDS };

bool stream_quota_enter(struct tr_stream_quota *quota, enum stream_crowd crowd); /* false: full */
void stream_quota_leave(struct tr_stream_quota *quota, enum stream_crowd crowd);

#endif

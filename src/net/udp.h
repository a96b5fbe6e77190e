/* UDP in batches. A port is a set of sockets, one a bound address, that one worker reads and
 * writes; other workers open the same port and the kernel spreads the clients over them
 * (SO_REUSEPORT).
 *
 * In: recvmmsg with UDP_GRO: one call fills many buffers, each may hold many datagrams of one
 * sender. Out: messages are queued in one buffer and handed over by sendmmsg at flush, each may be
 * cut into many datagrams by the kernel (UDP_SEGMENT). One thread. */
#ifndef TR_UDP_H
#define TR_UDP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    TR_UDP_SOCKETS_MAX = 8,
    TR_UDP_SEGMENTS_MAX = 64 /* datagrams in one message, either way */
};

struct tr_udp;

struct tr_udp_counters {
    uint64_t datagrams_in, bytes_in, receives;
    uint64_t datagrams_out, bytes_out, sends;
    uint64_t send_dropped; /* datagrams that the kernel did not take */
};

/* Binds every address to port; 0 takes a free one, the same for all (tr_udp_port). No address: no
 * socket, and what is sent goes nowhere. gso: use UDP_SEGMENT where the kernel has it. IO: the
 * system's reason is in errno. */
TR_MUST_USE enum tr_err tr_udp_open(struct tr_udp **udp, const struct tr_addr *bind, int count,
                                    uint16_t port, bool gso);
void tr_udp_close(struct tr_udp *udp); /* NULL is fine */
uint16_t tr_udp_port(const struct tr_udp *udp);
int tr_udp_fd(const struct tr_udp *udp, int socket); /* -1: no such socket */

/* Called for each datagram; data is valid during the call. */
typedef void tr_udp_h(void *arg, const struct tr_path *path, struct tr_slice datagram);
/* Reads one batch of one socket. true: the socket may have more. */
bool tr_udp_receive(struct tr_udp *udp, int socket, tr_udp_h *handler, void *arg);

/* Room for a message of up to n bytes, written in place; flushes when the queue is full. NULL: n is
 * more than a message can hold. */
uint8_t *tr_udp_reserve(struct tr_udp *udp, size_t n);
/* Queues `len` bytes at p, inside of what the last reserve gave, for path (its local address picks
 * the socket). segment: cut into datagrams of this size; 0: one datagram. */
void tr_udp_commit(struct tr_udp *udp, const struct tr_path *path, const uint8_t *p, size_t len,
                   uint16_t segment);
/* What the last reserve gave is taken up to `end`: a reserve before the commits goes behind it. */
void tr_udp_hold(struct tr_udp *udp, const uint8_t *end);
/* Copies one datagram into the queue. */
void tr_udp_send(struct tr_udp *udp, const struct tr_path *path, struct tr_slice datagram);
void tr_udp_flush(struct tr_udp *udp);
const struct tr_udp_counters *tr_udp_counters(const struct tr_udp *udp);

#endif

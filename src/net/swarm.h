/* Many UDP sockets of one thread, one for each client, over one set of buffers: what a load
 * generator holds, and a media worker for ports of plain RTP and of its relay. (udp.h is for few
 * sockets with much traffic each.) A datagram is one system message, as from a browser: no
 * UDP_SEGMENT; UDP_GRO only when asked for.
 *
 * Out: datagrams are copied into one queue and handed over by sendmmsg, in runs of one socket. */
#ifndef TR_SWARM_H
#define TR_SWARM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "net/udp.h"

struct tr_swarm;

struct tr_swarm_counters {
    uint64_t datagrams_in, bytes_in;
    uint64_t datagrams_out, bytes_out;
    uint64_t send_dropped; /* that the kernel did not take */
};

/* IO, NOMEM. */
TR_MUST_USE enum tr_err tr_swarm_open(struct tr_swarm **swarm, uint32_t sockets_max, bool gro);
void tr_swarm_close(struct tr_swarm *swarm); /* its sockets too; NULL is fine */
/* A socket at ip with a free port. *local is its address; arg goes to the handler. LIMIT, IO. */
TR_MUST_USE enum tr_err tr_swarm_add(struct tr_swarm *swarm, const struct tr_addr *ip, void *arg,
                                     uint32_t *socket, struct tr_addr *local);
/* The same for a socket that was opened elsewhere (port.h), which is the swarm's from then on; on
 * error it stays the caller's. */
TR_MUST_USE enum tr_err tr_swarm_adopt(struct tr_swarm *swarm, int fd, const struct tr_addr *local,
                                       void *arg, uint32_t *socket);
void tr_swarm_remove(struct tr_swarm *swarm, uint32_t socket);
int tr_swarm_socket_fd(const struct tr_swarm *swarm, uint32_t socket); /* to send by (gather.h) */
/* Waits until something can be read, timeout_us at most (0: only look), and reads it. The handler
 * may send and add, but not remove. */
void tr_swarm_wait(struct tr_swarm *swarm, tr_usec timeout_us, tr_udp_h *handler);
/* An ICMP error to what a socket has sent to peer; data: its second word, such as an MTU. What our
 * own link did not take whole (gather.h, df) is told in the same form; port 0: of IPv4 the system
 * only says the address then. */
typedef void tr_swarm_icmp_h(void *arg, const struct tr_addr *peer, uint8_t type, uint8_t code,
                             uint32_t data);
/* tr_swarm_wait calls it for sockets that ask for such errors (port.h, relay). */
void tr_swarm_on_icmp(struct tr_swarm *swarm, tr_swarm_icmp_h *handler);
/* tr_swarm_wait also returns when fd can be read, which stays the caller's; one of them. IO. */
TR_MUST_USE enum tr_err tr_swarm_watch(struct tr_swarm *swarm, int fd);
/* Copies one datagram into the queue. */
void tr_swarm_send(struct tr_swarm *swarm, uint32_t socket, const struct tr_addr *to,
                   struct tr_slice datagram);
void tr_swarm_flush(struct tr_swarm *swarm);
int tr_swarm_fd(const struct tr_swarm *swarm); /* readable when tr_swarm_wait finds something */
const struct tr_swarm_counters *tr_swarm_counters(const struct tr_swarm *swarm);

#endif

/* Addresses in the kernel's form, and what a datagram's control messages say. Inside of src/net
 * only. */
#ifndef TR_SOCKADDR_H
#define TR_SOCKADDR_H

#include <stddef.h>
#include <sys/socket.h>

#include "base/addr.h"

/* IPv4 (mapped) addresses become AF_INET. Returns the length. */
socklen_t tr_sockaddr_put(struct sockaddr_storage *ss, const struct tr_addr *a);
struct tr_addr tr_sockaddr_get(const struct sockaddr_storage *ss);
/* The size of the datagrams that UDP_GRO has put into one message of len bytes. */
size_t tr_gro_size(struct msghdr *hdr, size_t len);

#endif

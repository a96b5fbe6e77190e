/* The addresses of this machine, for host candidates. */
#ifndef TR_IFADDR_H
#define TR_IFADDR_H

#include <stdbool.h>

#include "base/addr.h"

/* Up to max addresses of interfaces that are up, IPv4 first, without link-local and multicast ones;
 * loopback ones only when asked for. Returns how many. */
int tr_ifaddr_list(struct tr_addr *out, int max, bool loopback);

/* False: an IPv6 address that will go by itself: a temporary one (RFC 8981), one that is deprecated
 * or that another machine has as well. table: a file like /proc/net/if_inet6; NULL: that one. What
 * does not stand there lasts. */
bool tr_ifaddr_lasts(const struct tr_addr *addr, const char *table);

/* An interface that is up, by its name (its first address, IPv4 before IPv6) or by one of its
 * addresses. index: as the system numbers it. false: there is none. */
bool tr_ifaddr_find(const char *iface, struct tr_addr *addr, unsigned *index);

#endif

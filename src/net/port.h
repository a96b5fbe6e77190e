/* One UDP port for plain RTP or of a relay: opened by who decides on it, read by swarm.h.
 * Opening it does not block. */
#ifndef TR_PORT_H
#define TR_PORT_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

struct tr_port_conf {
    struct tr_addr bind;  /* port 0: a free one */
    struct tr_addr group; /* multicast group to join; any: none */
    /* An interface, by name or by an address of it: it joins the group, or without one its address
     * is bound. NULL or "": the system's choice. */
    const char *iface;
    bool relay; /* of a TURN server: ICMP errors are told (swarm.h), routers may fragment */
};

/* A non-blocking socket and where it is. With a group the socket hears only the group, and shares
 * its port with others who do. IO: the reason is in errno; INVAL: a group that is none;
 * NOTFOUND: no such interface. */
TR_MUST_USE enum tr_err tr_port_open(const struct tr_port_conf *conf, int *fd,
                                     struct tr_addr *local);
void tr_port_close(int fd); /* -1 is fine */
/* Whether nobody has the port (TCP or UDP, by its proto), not even one who would share it. No: the
 * reason is in errno. */
bool tr_port_is_free(const struct tr_addr *addr);

#endif

/* One UDP port for plain RTP: opened by who decides on it, read by another thread (swarm.h).
 * Opening it does not block. */
#ifndef TR_PORT_H
#define TR_PORT_H

#include "base/addr.h"
#include "base/err.h"

struct tr_port_conf {
    struct tr_addr bind;  /* port 0: a free one */
    struct tr_addr group; /* multicast group to join; any: none */
    const char *iface;    /* name of the interface that joins it; NULL or "": the system's choice */
};

/* A non-blocking socket and where it is. With a group the socket hears only the group, and shares
 * its port with others who do. IO: the reason is in errno; INVAL: a group that is none, or of the
 * other IP version. */
TR_MUST_USE enum tr_err tr_port_open(const struct tr_port_conf *conf, int *fd,
                                     struct tr_addr *local);
void tr_port_close(int fd); /* -1 is fine */

#endif

/* Plain conversions; both kinds of UDP sockets (udp.c, swarm.c) need them. */
#include "net/sockaddr.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

socklen_t tr_sockaddr_put(struct sockaddr_storage *ss, const struct tr_addr *a)
{
    if (tr_addr_is_v4(a)) {
        struct sockaddr_in *in = (struct sockaddr_in *)ss;
        *in = (struct sockaddr_in){ 0 };
        in->sin_family = AF_INET;
        in->sin_port = htons(a->port);
        memcpy(&in->sin_addr, a->ip + 12, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
    *in6 = (struct sockaddr_in6){ 0 };
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(a->port);
    memcpy(&in6->sin6_addr, a->ip, 16);
    return sizeof *in6;
}

struct tr_addr tr_sockaddr_get(const struct sockaddr_storage *ss)
{
    struct tr_addr a = { 0 };
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
        const uint8_t *b = (const uint8_t *)&in->sin_addr;
        return tr_addr_v4(b[0], b[1], b[2], b[3], ntohs(in->sin_port));
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
    memcpy(a.ip, &in6->sin6_addr, 16);
    a.port = ntohs(in6->sin6_port);
    return a;
}

size_t tr_gro_size(struct msghdr *hdr, size_t len)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        int size;
        if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
            continue;
        memcpy(&size, CMSG_DATA(c), sizeof size);
        return size > 0 ? (size_t)size : len;
    }
    return len;
}

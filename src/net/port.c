/* A socket of a group is bound to the group's address: bound to all addresses it would also get
 * what is sent to the port otherwise, and to other groups that a program on this host joined. */
#include "net/port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/ifaddr.h"
#include "net/sockaddr.h"

enum { KERNEL_BUFFER_BYTES = 1 << 20, RELAY_BUFFER_BYTES = 1 << 20 };

static bool is_group(const struct tr_addr *a)
{
    return tr_addr_is_v4(a) ? a->ip[12] >> 4 == 14 : a->ip[0] == 0xff;
}

static int join_v4(int fd, const struct tr_addr *group, unsigned iface)
{
    struct ip_mreqn req = { .imr_ifindex = (int)iface };
    memcpy(&req.imr_multiaddr, group->ip + 12, 4);
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &req, sizeof req);
}

static int join_v6(int fd, const struct tr_addr *group, unsigned iface)
{
    struct ipv6_mreq req = { .ipv6mr_interface = iface };
    memcpy(&req.ipv6mr_multiaddr, group->ip, 16);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &req, sizeof req);
}

static bool join(int fd, const struct tr_addr *group, unsigned iface)
{
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return false;
    return (tr_addr_is_v4(group) ? join_v4(fd, group, iface) : join_v6(fd, group, iface)) == 0;
}

static bool bind_to(int fd, const struct tr_addr *addr, struct tr_addr *local)
{
    struct sockaddr_storage ss;
    socklen_t len = tr_sockaddr_put(&ss, addr);
    if (bind(fd, (struct sockaddr *)&ss, len) != 0)
        return false;
    len = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
        return false;
    *local = tr_sockaddr_get(&ss);
    return true;
}

static void set_relay(int fd, bool v4)
{
    int on = 1, how = IP_PMTUDISC_DONT, bytes = RELAY_BUFFER_BYTES;
    setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on);
    if (v4)
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof how);
    else
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    /* Best effort: the kernel caps these unless we may force it. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

enum tr_err tr_port_open(const struct tr_port_conf *conf, int *out, struct tr_addr *local)
{
    bool group = !tr_addr_is_any(&conf->group);
    int bytes = KERNEL_BUFFER_BYTES;
    unsigned iface = 0;
    struct tr_addr addr = conf->bind;
    if (conf->iface && conf->iface[0] && !tr_ifaddr_find(conf->iface, &addr, &iface))
        return TR_ERR_NOTFOUND;
    if (group)
        addr = conf->group;
    addr.port = conf->bind.port;
    if (group && !is_group(&addr))
        return TR_ERR_INVAL;
    int family = tr_addr_is_v4(&addr) ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return TR_ERR_IO;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (conf->relay)
        set_relay(fd, family == AF_INET);
    if ((group && !join(fd, &conf->group, iface)) || !bind_to(fd, &addr, local)) {
        tr_port_close(fd);
        return TR_ERR_IO;
    }
    *out = fd;
    return TR_OK;
}

bool tr_port_is_free(const struct tr_addr *addr)
{
    struct sockaddr_storage ss;
    int on = 1;
    bool tcp = addr->proto == TR_PROTO_TCP;
    socklen_t len = tr_sockaddr_put(&ss, addr);
    int fd = socket(ss.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (tcp) /* connections of a server before this one may linger */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ss.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    bool ok = bind(fd, (struct sockaddr *)&ss, len) == 0 && (!tcp || listen(fd, 1) == 0);
    tr_port_close(fd);
    return ok;
}

void tr_port_close(int fd)
{
    int saved = errno; /* the caller may want to say why */
    if (fd >= 0)
        close(fd);
    errno = saved;
}

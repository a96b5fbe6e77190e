/* getifaddrs lists every address; link-local ones reach nobody and are left out. */
#include "net/ifaddr.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static bool convert(const struct ifaddrs *ifa, int family, struct tr_addr *out)
{
    if (!ifa->ifa_addr || ifa->ifa_addr->sa_family != family || !(ifa->ifa_flags & IFF_UP))
        return false;
    if (family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)ifa->ifa_addr;
        const uint8_t *b = (const uint8_t *)&in->sin_addr;
        *out = tr_addr_v4(b[0], b[1], b[2], b[3], 0);
        return !(b[0] == 169 && b[1] == 254);
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)ifa->ifa_addr;
    memset(out, 0, sizeof *out);
    memcpy(out->ip, &in6->sin6_addr, 16);
    return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
}

int tr_ifaddr_list(struct tr_addr *out, int max, bool loopback)
{
    struct ifaddrs *list;
    int n = 0;
    if (getifaddrs(&list) != 0)
        return 0;
    static const int families[] = { AF_INET, AF_INET6 };
    for (int f = 0; f < 2; f++) {
        for (const struct ifaddrs *ifa = list; ifa && n < max; ifa = ifa->ifa_next) {
            if (convert(ifa, families[f], &out[n]) && (loopback || !tr_addr_is_loopback(&out[n])))
                n++;
        }
    }
    freeifaddrs(list);
    return n;
}

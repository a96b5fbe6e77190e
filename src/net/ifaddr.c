/* getifaddrs lists every address; link-local ones reach nobody and are left out. */
#include "net/ifaddr.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEX = 32, TEMPORARY = 0x01, DUPLICATE = 0x08, DEPRECATED = 0x20 }; /* IFA_F_* */

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

/* Behind the address: index, prefix, scope and flags in hex, the name of the interface. */
static bool read_flags(const char *at, unsigned long *flags)
{
    for (int field = 0; field < 4; field++) {
        char *end;
        *flags = strtoul(at, &end, 16);
        if (end == at)
            return false;
        at = end;
    }
    return true;
}

bool tr_ifaddr_lasts(const struct tr_addr *addr, const char *table)
{
    char line[128], hex[HEX + 1];
    unsigned long flags;
    bool lasts = true;
    FILE *f = tr_addr_is_v4(addr) ? NULL : fopen(table ? table : "/proc/net/if_inet6", "re");
    for (int i = 0; i < HEX / 2; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", addr->ip[i]);
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, hex, HEX) == 0 && read_flags(line + HEX, &flags))
            lasts = (flags & (TEMPORARY | DUPLICATE | DEPRECATED)) == 0;
    }
    if (f)
        fclose(f);
    return lasts;
}

static bool is_it(const struct ifaddrs *ifa, const char *iface, const struct tr_addr *addr)
{
    struct tr_addr wanted;
    if (tr_addr_parse_ip(&wanted, iface, 0) == TR_OK)
        return tr_addr_ip_eq(&wanted, addr);
    return strcmp(ifa->ifa_name, iface) == 0;
}

bool tr_ifaddr_find(const char *iface, struct tr_addr *addr, unsigned *index)
{
    struct ifaddrs *list;
    bool found = false;
    if (getifaddrs(&list) != 0)
        return false;
    static const int families[] = { AF_INET, AF_INET6 };
    for (int f = 0; f < 2; f++) {
        for (const struct ifaddrs *ifa = list; ifa && !found; ifa = ifa->ifa_next) {
            found = convert(ifa, families[f], addr) && is_it(ifa, iface, addr);
            if (found)
                *index = if_nametoindex(ifa->ifa_name);
        }
    }
    freeifaddrs(list);
    return found;
}

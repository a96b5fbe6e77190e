/* Every function works on the one canonical form; text in any other spelling (an IPv4-mapped
 * literal, leading zeros in IPv6) turns into it when it is parsed. inet_pton judges literals: it
 * takes no names, no zones, no octal, no missing parts. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct tr_addr tr_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    struct tr_addr r = { .port = port };
    memcpy(r.ip, v4_prefix, sizeof v4_prefix);
    r.ip[12] = a;
    r.ip[13] = b;
    r.ip[14] = c;
    r.ip[15] = d;
    return r;
}

bool tr_addr_is_v4(const struct tr_addr *a)
{
    return memcmp(a->ip, v4_prefix, sizeof v4_prefix) == 0;
}

bool tr_addr_is_any(const struct tr_addr *a)
{
    static const uint8_t zero[16];
    size_t skip = tr_addr_is_v4(a) ? sizeof v4_prefix : 0;
    return memcmp(a->ip + skip, zero, sizeof zero - skip) == 0;
}

bool tr_addr_is_loopback(const struct tr_addr *a)
{
    static const uint8_t v6_loopback[16] = { [15] = 1 };
    if (tr_addr_is_v4(a))
        return a->ip[12] == 127;
    return memcmp(a->ip, v6_loopback, sizeof v6_loopback) == 0;
}

bool tr_addr_ip_eq(const struct tr_addr *a, const struct tr_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool tr_addr_eq(const struct tr_addr *a, const struct tr_addr *b)
{
    return a->port == b->port && a->proto == b->proto && tr_addr_ip_eq(a, b);
}

bool tr_path_eq(const struct tr_path *a, const struct tr_path *b)
{
    return tr_addr_eq(&a->local, &b->local) && tr_addr_eq(&a->remote, &b->remote);
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull;
    return h ^ (h >> 32);
}

uint64_t tr_addr_hash(const struct tr_addr *a, uint64_t key)
{
    uint64_t hi, lo;
    memcpy(&hi, a->ip, 8);
    memcpy(&lo, a->ip + 8, 8);
    return mix(mix(mix(hi ^ key) ^ lo) ^ (uint64_t)a->proto << 16 ^ a->port);
}

enum tr_err tr_addr_parse_ip(struct tr_addr *out, const char *ip, uint16_t port)
{
    struct tr_addr r = { .port = port };
    if (inet_pton(AF_INET, ip, r.ip + sizeof v4_prefix) == 1)
        memcpy(r.ip, v4_prefix, sizeof v4_prefix);
    else if (inet_pton(AF_INET6, ip, r.ip) != 1)
        return TR_ERR_BADMSG;
    *out = r;
    return TR_OK;
}

enum tr_err tr_addr_parse(struct tr_addr *out, const char *text)
{
    char ip[TR_ADDR_STR_MAX];
    const char *colon = strrchr(text, ':');
    bool bracket = text[0] == '[';
    if (!colon || colon == text || (bracket && colon[-1] != ']'))
        return TR_ERR_BADMSG;
    size_t n = (size_t)(colon - text) - (bracket ? 2 : 0);
    if (n >= sizeof ip)
        return TR_ERR_BADMSG;
    memcpy(ip, text + (bracket ? 1 : 0), n);
    ip[n] = '\0';
    if (bracket != (strchr(ip, ':') != NULL)) /* brackets belong to IPv6, and IPv6 to brackets */
        return TR_ERR_BADMSG;
    const char *digits = colon + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 5 || digits[count] != '\0')
        return TR_ERR_BADMSG;
    unsigned long port = strtoul(digits, NULL, 10);
    if (port > UINT16_MAX)
        return TR_ERR_BADMSG;
    return tr_addr_parse_ip(out, ip, (uint16_t)port);
}

const char *tr_addr_ip_str(const struct tr_addr *a, char out[TR_ADDR_STR_MAX])
{
    bool v4 = tr_addr_is_v4(a);
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + sizeof v4_prefix : a->ip, out,
                   TR_ADDR_STR_MAX))
        out[0] = '\0';
    return out;
}

const char *tr_addr_str(const struct tr_addr *a, char out[TR_ADDR_STR_MAX])
{
    char ip[TR_ADDR_STR_MAX];
    tr_addr_ip_str(a, ip);
    snprintf(out, TR_ADDR_STR_MAX, tr_addr_is_v4(a) ? "%.45s:%u" : "[%.45s]:%u", ip,
             (unsigned)a->port);
    return out;
}

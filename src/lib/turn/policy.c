/* One decision for every way a peer can be named: permission, channel, Send, Connect.
 *
 * An IPv6 address can carry an IPv4 address that some translator on the way, or the kernel itself,
 * will send to. So an address is judged together with all that it carries (`views`), and one denied
 * view is enough. IPv4-mapped addresses need nothing here: they are our one form of IPv4.
 *
 * Of IPv6 only what is assigned for global unicast is open by default, and the well-known NAT64
 * prefix, by which hosts without IPv4 reach the IPv4 world. Ranges of IPv6 never match IPv4
 * addresses, though these lie in one space here: "::/0" in `allow` must not open 10.0.0.0/8.
 *
 * From the strongest: our media port; never; `deny`; our own addresses unless named in `allow` one
 * by one; `allow`; what is denied by default. */
#include "turn/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { VIEWS_MAX = 8, V4_BITS = 96, ALL_BITS = 128 };

struct range {
    uint8_t ip[16];
    uint8_t bits; /* of 128 */
};

struct ranges {
    struct range r[TR_TURN_RANGES_MAX];
    int count;
};

struct tr_turn_policy {
    struct ranges allow, deny;
    struct tr_addr media[TR_TURN_OWN_MAX], own[TR_TURN_OWN_MAX];
    int media_count, own_count;
    uint16_t media_tcp_port;
    bool private, issued_private;
};

#define V4(a, b, c, d, prefix)                                                                     \
    {                                                                                              \
        { [10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d }, V4_BITS + (prefix)   \
    }

static const struct range never[] = {
    V4(0, 0, 0, 0, 8),   /* 0.0.0.0 is this machine to the kernel */
    V4(224, 0, 0, 0, 4), /* multicast */
    V4(240, 0, 0, 0, 4), /* reserved, and broadcast */
    { { 0 }, 128 },      /* :: is this machine, too */
    { { 0xff }, 8 },     /* multicast */
};

static const struct range denied[] = {
    /* IANA's special-purpose registries and loopback */
    V4(10, 0, 0, 0, 8),
    V4(100, 64, 0, 0, 10), /* shared: behind carriers' NATs */
    V4(127, 0, 0, 0, 8),
    V4(169, 254, 0, 0, 16), /* link local; metadata services */
    V4(172, 16, 0, 0, 12),
    V4(192, 0, 0, 0, 24),
    V4(192, 0, 2, 0, 24),
    V4(192, 88, 99, 0, 24), /* relays of 6to4 */
    V4(192, 168, 0, 0, 16),
    V4(198, 18, 0, 0, 15),
    V4(198, 51, 100, 0, 24),
    V4(203, 0, 113, 0, 24),
    { { 0x20, 0x01 }, 23 },             /* protocols; Teredo is in it */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x3f, 0xff }, 20 }              /* documentation */
};

static const struct range open_v6[] = { /* what there is but for `denied` */
                                        { { 0x20 }, 3 },
                                        { { 0x00, 0x64, 0xff, 0x9b }, 96 }
};

/* --- ranges --- */

static bool matches(const struct range *r, const struct tr_addr *a)
{
    size_t whole = r->bits / 8, rest = r->bits % 8;
    if (r->bits < V4_BITS && tr_addr_is_v4(a))
        return false;
    return memcmp(r->ip, a->ip, whole) == 0 &&
           (rest == 0 || (r->ip[whole] ^ a->ip[whole]) >> (8 - rest) == 0);
}

static bool in(const struct range *r, size_t count, const struct tr_addr *a)
{
    for (size_t i = 0; i < count; i++)
        if (matches(&r[i], a))
            return true;
    return false;
}

static bool in_ranges(const struct ranges *ranges, const struct tr_addr *a)
{
    return in(ranges->r, (size_t)ranges->count, a);
}

static bool names(const struct ranges *ranges, const struct tr_addr *a)
{
    for (int i = 0; i < ranges->count; i++)
        if (ranges->r[i].bits == ALL_BITS && matches(&ranges->r[i], a))
            return true;
    return false;
}

static bool host_bits_are_zero(const struct range *r)
{
    for (int i = r->bits; i < ALL_BITS; i++)
        if (r->ip[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

static bool parse_range(const char *text, struct range *out)
{
    char ip[TR_ADDR_STR_MAX];
    struct tr_addr a;
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof ip)
        return false;
    memcpy(ip, text, n);
    ip[n] = '\0';
    if (tr_addr_parse_ip(&a, ip, 0) != TR_OK)
        return false;
    unsigned long most = strchr(ip, ':') ? ALL_BITS : ALL_BITS - V4_BITS, bits = most;
    if (slash) {
        size_t digits = strspn(slash + 1, "0123456789");
        bits = strtoul(slash + 1, NULL, 10);
        if (digits == 0 || digits > 3 || slash[1 + digits] != '\0' || bits > most)
            return false;
    }
    memcpy(out->ip, a.ip, sizeof out->ip);
    out->bits = (uint8_t)(ALL_BITS - most + bits);
    return host_bits_are_zero(out);
}

bool tr_turn_policy_takes(const char *range)
{
    struct range r;
    return parse_range(range, &r);
}

static enum tr_err parse_ranges(struct ranges *out, const char *const *texts, int count,
                                const char **bad)
{
    if (count < 0 || count > TR_TURN_RANGES_MAX)
        return TR_ERR_LIMIT;
    for (int i = 0; i < count; i++) {
        if (!parse_range(texts[i], &out->r[out->count++])) {
            *bad = texts[i];
            return TR_ERR_BADMSG;
        }
    }
    return TR_OK;
}

enum tr_err tr_turn_policy_create(struct tr_turn_policy **policy,
                                  const struct tr_turn_policy_conf *conf, const char **bad)
{
    *policy = NULL;
    *bad = NULL;
    if (conf->media_count < 0 || conf->media_count > TR_TURN_OWN_MAX || conf->own_count < 0 ||
        conf->own_count > TR_TURN_OWN_MAX)
        return TR_ERR_LIMIT;
    struct tr_turn_policy *p = tr_alloc(sizeof *p);
    if (!p)
        return TR_ERR_NOMEM;
    memcpy(p->media, conf->media, sizeof p->media);
    memcpy(p->own, conf->own, sizeof p->own);
    p->media_count = conf->media_count;
    p->own_count = conf->own_count;
    p->media_tcp_port = conf->media_tcp_port;
    p->private = conf->private;
    p->issued_private = conf->issued_private;
    enum tr_err err = parse_ranges(&p->allow, conf->allow, conf->allow_count, bad);
    if (err == TR_OK)
        err = parse_ranges(&p->deny, conf->deny, conf->deny_count, bad);
    if (err == TR_OK)
        *policy = p;
    else
        tr_turn_policy_destroy(p);
    return err;
}

void tr_turn_policy_destroy(struct tr_turn_policy *policy)
{
    tr_free(policy);
}

/* --- disguises --- */

struct views {
    struct tr_addr a[VIEWS_MAX]; /* the first is the address itself */
    int count;
};

static void add_view(struct views *v, const uint8_t *ip, uint8_t mask)
{
    TR_ASSERT(v->count < VIEWS_MAX);
    v->a[v->count++] = tr_addr_v4((uint8_t)(ip[0] ^ mask), (uint8_t)(ip[1] ^ mask),
                                  (uint8_t)(ip[2] ^ mask), (uint8_t)(ip[3] ^ mask), v->a[0].port);
}

static bool starts(const uint8_t *ip, const void *with, size_t n)
{
    return memcmp(ip, with, n) == 0;
}

static void find_views(const struct tr_addr *a, struct views *v)
{
    static const uint8_t zero[12], translated[12] = { [8] = 0xff, [9] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    static const uint8_t nat64_local[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };
    const uint8_t *ip = a->ip;
    *v = (struct views){ .a = { *a }, .count = 1 };
    if (tr_addr_is_v4(a) || tr_addr_is_any(a) || tr_addr_is_loopback(a))
        return;
    if (starts(ip, zero, 12) || starts(ip, translated, 12) || starts(ip, nat64, 12) ||
        starts(ip, nat64_local, 6))
        add_view(v, ip + 12, 0);
    if (starts(ip, nat64_local, 6)) { /* RFC 6052 2.2, by a prefix of 48 bits; byte 8 is skipped */
        const uint8_t split[4] = { ip[6], ip[7], ip[9], ip[10] };
        add_view(v, split, 0);
    }
    if (starts(ip, "\x20\x02", 2)) /* 6to4 */
        add_view(v, ip + 2, 0);
    if (starts(ip, "\x20\x01\0\0", 4)) { /* Teredo: the client, upside down; its server */
        add_view(v, ip + 12, 0xff);
        add_view(v, ip + 4, 0);
    }
    if ((ip[8] & 0xfd) == 0 && starts(ip + 9, "\0\x5e\xfe", 3)) /* ISATAP */
        add_view(v, ip + 12, 0);
}

struct tr_addr tr_addr_unwrap(const struct tr_addr *a)
{
    struct views v;
    find_views(a, &v);
    v.a[0].proto = a->proto;
    if (v.count > 1)
        v.a[1].proto = a->proto;
    return v.a[v.count > 1 ? 1 : 0];
}

/* --- the verdict --- */

/* At the number of our UDP port somebody else may listen over TCP. */
static bool is_media_port(const struct tr_turn_policy *p, const struct tr_addr *media,
                          const struct tr_addr *a)
{
    uint16_t port = a->proto == TR_PROTO_TCP ? p->media_tcp_port : media->port;
    return port != 0 && (a->port == 0 || a->port == port);
}

static bool is_media(const struct tr_turn_policy *p, const struct tr_addr *a)
{
    for (int i = 0; i < p->media_count; i++)
        if (tr_addr_ip_eq(&p->media[i], a) && is_media_port(p, &p->media[i], a))
            return true;
    return false;
}

static bool is_own(const struct tr_turn_policy *p, const struct tr_addr *a)
{
    for (int i = 0; i < p->own_count; i++)
        if (tr_addr_ip_eq(&p->own[i], a))
            return true;
    for (int i = 0; i < p->media_count; i++)
        if (tr_addr_ip_eq(&p->media[i], a))
            return true;
    return false;
}

static bool is_denied(const struct tr_turn_policy *p, const struct tr_addr *a, bool issued)
{
    if (in(never, TR_ARRAY_LEN(never), a) || in_ranges(&p->deny, a))
        return true;
    if (is_own(p, a))
        return !names(&p->allow, a);
    if (in_ranges(&p->allow, a))
        return false;
    return p->private || (issued && p->issued_private) || in(denied, TR_ARRAY_LEN(denied), a) ||
           (!tr_addr_is_v4(a) && !in(open_v6, TR_ARRAY_LEN(open_v6), a));
}

enum tr_turn_verdict tr_turn_policy_judge(const struct tr_turn_policy *policy,
                                          const struct tr_addr *peer, bool issued)
{
    struct views v;
    if (is_media(policy, peer))
        return TR_TURN_PEER_OWN;
    find_views(peer, &v);
    for (int i = 0; i < v.count; i++)
        if (is_denied(policy, &v.a[i], issued))
            return TR_TURN_PEER_DENIED;
    return TR_TURN_PEER_ALLOWED;
}

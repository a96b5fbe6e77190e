/* A client takes what stands first for the best, and tries it first: IPv4 before IPv6 as the system
 * lists them, the public address before the private one, UDP before TCP. */
#include "server/addresses.h"

#include <stdio.h>
#include <string.h>

#include "net/ifaddr.h"
#include "net/log.h"
#include "server/config.h"
#include "server/discover.h"

enum { MACHINE_ADDRS_MAX = 64 };

struct offered { /* by one protocol */
    struct tr_addr ip[2 * TR_MEDIA_ADDRS_MAX];
    int count;
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int count_family(const struct tr_addr *all, int count, bool v4)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += tr_addr_is_v4(&all[i]) == v4;
    return n;
}

static int take(const struct tr_addr *all, int count, bool v4, int most, struct tr_addr *out)
{
    int n = 0;
    for (int i = 0; i < count && n < most; i++) {
        if (tr_addr_is_v4(&all[i]) == v4)
            out[n++] = all[i];
    }
    return n;
}

int tr_server_choose(const struct tr_addr *all, int count, struct tr_addr *out, int room)
{
    int v4 = count_family(all, count, true), v6 = count - v4;
    v4 = least(v4, room - least(v6, room / 2));
    v6 = least(v6, room - v4);
    take(all, count, true, v4, out);
    take(all, count, false, v6, out + v4);
    return v4 + v6;
}

static int add_all(struct tr_addr *out, int n, const struct tr_addr *any)
{
    struct tr_addr all[MACHINE_ADDRS_MAX];
    int count = 0, found = tr_ifaddr_list(all, MACHINE_ADDRS_MAX, false);
    for (int i = 0; i < found; i++) {
        bool asked = !any || tr_addr_is_v4(any) == tr_addr_is_v4(&all[i]);
        if (asked && tr_ifaddr_lasts(&all[i], NULL))
            all[count++] = all[i];
    }
    int chosen = tr_server_choose(all, count, out + n, TR_MEDIA_ADDRS_MAX - n);
    if (chosen < count)
        tr_log(TR_LOG_WARN, "server",
               "too many addresses; media.bind says which are used left_out=%d", count - chosen);
    return n + chosen;
}

int tr_server_addresses(const struct tr_config *config, struct tr_addr *out)
{
    int n = 0;
    for (int i = 0; i < config->media.bind.count && n < TR_MEDIA_ADDRS_MAX; i++) {
        if (tr_addr_parse_ip(&out[n], config->media.bind.items[i], 0) != TR_OK)
            continue;
        struct tr_addr any = out[n];
        if (tr_addr_is_any(&any)) /* nobody can be told to send to 0.0.0.0 */
            n = add_all(out, n, &any);
        else
            n++;
    }
    if (config->media.bind.count == 0)
        n = add_all(out, n, NULL);
    if (n == 0) /* a machine without a network: calls on it still work */
        n = tr_ifaddr_list(out, TR_MEDIA_ADDRS_MAX, true);
    return n;
}

/* "public" or "public/private": whether it stands for this address. */
static bool mapped(const char *mapping, const struct tr_addr *private_ip, struct tr_addr *public_ip)
{
    char copy[2 * TR_ADDR_STR_MAX];
    struct tr_addr for_ip;
    snprintf(copy, sizeof copy, "%s", mapping);
    char *slash = strchr(copy, '/');
    if (slash)
        *slash = '\0';
    if (tr_addr_parse_ip(public_ip, copy, 0) != TR_OK)
        return false;
    if (slash)
        return tr_addr_parse_ip(&for_ip, slash + 1, 0) == TR_OK &&
               tr_addr_ip_eq(&for_ip, private_ip);
    return tr_addr_is_v4(public_ip) == tr_addr_is_v4(private_ip);
}

bool tr_server_map_address(const struct tr_config *config, const struct tr_addr *private_ip,
                           struct tr_addr *known)
{
    const struct tr_config_list *mappings = &config->media.nat_1_1_mapping;
    struct tr_addr public_ip;
    for (int k = 0; k < mappings->count; k++) {
        if (!mapped(mappings->items[k], private_ip, &public_ip))
            continue;
        *known = public_ip;
        return true;
    }
    return false;
}

void tr_server_map_addresses(const struct tr_config *config, struct tr_rng *rng,
                             const struct tr_addr *bind_to, struct tr_addr *known, int count)
{
    if (config->media.stun_server[0])
        tr_discover(config->media.stun_server, (uint16_t)config->media.port, rng, bind_to, known,
                    count);
    for (int i = 0; i < count; i++)
        tr_server_map_address(config, &bind_to[i], &known[i]);
}

static void add_cand(struct tr_server_cands *cands, const struct tr_ice_cand *cand)
{
    if (cands->count == TR_SERVER_CANDS_MAX)
        return;
    char *text = cands->text[cands->count];
    tr_ice_cand_print(cand, text);
    cands->list[cands->count++] = text;
}

/* Several of our addresses may be known as one public one. */
static bool is_new(struct offered *offered, const struct tr_addr *ip)
{
    for (int i = 0; i < offered->count; i++) {
        if (tr_addr_ip_eq(&offered->ip[i], ip))
            return false;
    }
    offered->ip[offered->count++] = *ip;
    return true;
}

/* rank: 0 is the best. */
static void add_address(struct tr_server_cands *cands, struct offered *offered,
                        const struct tr_addr *ip, uint16_t port, int rank, bool tcp)
{
    struct tr_addr addr = *ip;
    struct tr_ice_cand cand;
    if (!is_new(offered, ip))
        return;
    addr.port = port;
    if (tcp)
        cand = tr_ice_cand_make_tcp(TR_ICE_HOST, TR_ICE_TCP_PASSIVE, &addr, NULL,
                                    (uint16_t)(8191 - rank));
    else
        cand = tr_ice_cand_make(TR_ICE_HOST, &addr, NULL, (uint16_t)(65535 - rank));
    add_cand(cands, &cand);
}

void tr_server_cands(struct tr_server_cands *cands, const struct tr_media_conf *conf, uint16_t port,
                     uint16_t tcp_port, bool keep_private)
{
    cands->count = 0;
    for (int tcp = 0; tcp < (tcp_port ? 2 : 1); tcp++) {
        struct offered offered = { .count = 0 };
        for (int i = 0; i < conf->bind_count; i++) {
            bool found = !tr_addr_is_any(&conf->known[i]);
            uint16_t at = tcp ? tcp_port : port;
            if (found)
                add_address(cands, &offered, &conf->known[i], at, i * 256, tcp);
            if (!found || keep_private)
                add_address(cands, &offered, &conf->bind[i], at, i * 256 + 1, tcp);
        }
    }
}

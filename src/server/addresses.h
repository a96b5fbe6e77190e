/* Where media is taken, as what clients know these addresses, and the candidates that say so.
 * Control thread, at start. */
#ifndef TR_SERVER_ADDRESSES_H
#define TR_SERVER_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "ice/cand.h"
#include "media/media.h"

struct tr_config;
struct tr_rng;

/* Each address and, where it is kept beside its public one, that; over UDP and TCP. */
enum { TR_SERVER_CANDS_MAX = TR_MEDIA_ADDRS_MAX * 4 };

struct tr_server_cands {
    char text[TR_SERVER_CANDS_MAX][TR_ICE_CAND_LINE_MAX];
    const char *list[TR_SERVER_CANDS_MAX];
    int count;
};

/* media.bind, or all of this machine; out: TR_MEDIA_ADDRS_MAX. Returns how many. */
int tr_server_addresses(const struct tr_config *config, struct tr_addr *out);
/* Of all addresses, IPv4 first, as many as there is room for. Bridges of containers may be many: a
 * family leaves the other one half of the room. Returns how many. */
int tr_server_choose(const struct tr_addr *all, int count, struct tr_addr *out, int room);
/* As clients know them, where a NAT maps them: by media.nat_1_1_mapping, else as media.stun_server
 * sees them, which may take some seconds; the others stay. known: zeroed. */
void tr_server_map_addresses(const struct tr_config *config, struct tr_rng *rng,
                             const struct tr_addr *bind_to, struct tr_addr *known, int count);
/* By media.nat_1_1_mapping alone; false: it says nothing of this address, *known stays. */
bool tr_server_map_address(const struct tr_config *config, const struct tr_addr *private_ip,
                           struct tr_addr *known);
/* Host candidates, each address once; tcp_port 0: of UDP alone. */
void tr_server_cands(struct tr_server_cands *cands, const struct tr_media_conf *conf, uint16_t port,
                     uint16_t tcp_port, bool keep_private);

#endif

/* ICE candidates: priority, foundation (RFC 8445 5.1) and the candidate line of SDP (RFC 8839 5.1).
 * Values only: no memory of its own, thread safe. */
#ifndef TR_ICE_CAND_H
#define TR_ICE_CAND_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

enum tr_ice_cand_limits {
    TR_ICE_FOUNDATION_MAX = 32,
    TR_ICE_CAND_UFRAG_MAX = 32, /* of the ufrag extension; a longer one is dropped */
    TR_ICE_CAND_LINE_MAX = 320, /* printed line and the NUL fit */
    TR_ICE_TCP_ACTIVE_PORT = 9  /* RFC 6544 4.5: stands for a port that nobody connects to */
};

enum tr_ice_cand_type { TR_ICE_HOST, TR_ICE_SRFLX, TR_ICE_PRFLX, TR_ICE_RELAY };
enum tr_ice_proto { TR_ICE_UDP, TR_ICE_TCP };
enum tr_ice_tcptype { TR_ICE_TCP_NONE, TR_ICE_TCP_ACTIVE, TR_ICE_TCP_PASSIVE, TR_ICE_TCP_SO };

struct tr_ice_cand {
    enum tr_ice_cand_type type;
    enum tr_ice_proto proto;
    enum tr_ice_tcptype tcptype;
    struct tr_addr addr; /* its proto goes with `proto` */
    struct tr_addr rel;  /* base of srflx and relay; zeroed (::, port 0) when absent */
    uint32_t priority;
    uint16_t component; /* 1..256 */
    char foundation[TR_ICE_FOUNDATION_MAX + 1];
    char ufrag[TR_ICE_CAND_UFRAG_MAX + 1]; /* extension of RFC 8838 / WebRTC; empty when absent */
};

/* RFC 8445 5.1.2.1. local_pref: 65535 for the only or the best address. component 1..256. */
uint32_t tr_ice_priority(enum tr_ice_cand_type type, uint16_t local_pref, unsigned component);
/* RFC 8445 6.1.2.3; g: priority of the controlling side's candidate, d: of the controlled one's. */
uint64_t tr_ice_pair_priority(uint32_t g, uint32_t d);
/* RFC 8445 5.1.1.3: equal for the same type, base address, protocol and server. Writes a decimal
 * text of at most 10 digits. server: of STUN or TURN, or NULL. */
void tr_ice_foundation(enum tr_ice_cand_type type, const struct tr_addr *base,
                       enum tr_ice_proto proto, const struct tr_addr *server,
                       char out[TR_ICE_FOUNDATION_MAX + 1]);
/* Fills a UDP candidate of component 1 with computed priority and foundation. rel NULL: none. */
struct tr_ice_cand tr_ice_cand_make(enum tr_ice_cand_type type, const struct tr_addr *addr,
                                    const struct tr_addr *rel, uint16_t local_pref);
/* The same for TCP (RFC 6544), below every UDP candidate that is no relay's. other_pref: 8191 for
 * the best address. An active one has no port of its own (9). */
struct tr_ice_cand tr_ice_cand_make_tcp(enum tr_ice_cand_type type, enum tr_ice_tcptype tcptype,
                                        const struct tr_addr *addr, const struct tr_addr *rel,
                                        uint16_t other_pref);

/* Takes "candidate:..." with or without "a=" before it. BADMSG: broken. UNSUPPORTED: well formed
 * but not usable here: a name instead of an address (".local" or any), another transport than UDP
 * or TCP, an unknown type. A TCP candidate parses; whoever cannot use it looks at proto. */
TR_MUST_USE enum tr_err tr_ice_cand_parse(struct tr_ice_cand *out, struct tr_slice line);
/* "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"; returns out. */
const char *tr_ice_cand_print(const struct tr_ice_cand *cand, char out[TR_ICE_CAND_LINE_MAX]);
const char *tr_ice_cand_type_str(enum tr_ice_cand_type type); /* "host", "srflx" ... */

#endif

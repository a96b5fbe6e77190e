/* Transport addresses. One canonical form: 16 bytes, IPv4 as ::ffff:a.b.c.d, port in host order, so
 * that equality, hashing and access checks have no second spelling to forget. */
#ifndef TR_ADDR_H
#define TR_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TR_ADDR_STR_MAX = 64 }; /* "[ipv6]:port" and the NUL fit */

/* What a port belongs to: the same numbers over another one are another address. RELAY: a relayed
 * address of our own TURN server, which is reached inside of the process. DTLS: inside of an
 * association over UDP. */
enum tr_proto { TR_PROTO_UDP, TR_PROTO_TCP, TR_PROTO_RELAY, TR_PROTO_DTLS };

struct tr_addr {
    uint8_t ip[16];
    uint16_t port;
    uint8_t proto; /* enum tr_proto */
};

struct tr_path { /* a 4-tuple as seen from here */
    struct tr_addr local;
    struct tr_addr remote;
};

struct tr_addr tr_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);
bool tr_addr_is_v4(const struct tr_addr *a);
bool tr_addr_is_any(const struct tr_addr *a); /* 0.0.0.0 or :: */
bool tr_addr_is_loopback(const struct tr_addr *a);
bool tr_addr_eq(const struct tr_addr *a, const struct tr_addr *b);
bool tr_addr_ip_eq(const struct tr_addr *a, const struct tr_addr *b);
bool tr_path_eq(const struct tr_path *a, const struct tr_path *b);
uint64_t tr_addr_hash(const struct tr_addr *a, uint64_t key);
/* An IP literal, e.g. "192.0.2.1", "2001:db8::1"; no names, no zone. BADMSG otherwise. */
TR_MUST_USE enum tr_err tr_addr_parse_ip(struct tr_addr *out, const char *ip, uint16_t port);
/* "192.0.2.1:5000", "[2001:db8::1]:5000". BADMSG otherwise. */
TR_MUST_USE enum tr_err tr_addr_parse(struct tr_addr *out, const char *text);
/* Both return out. */
const char *tr_addr_str(const struct tr_addr *a, char out[TR_ADDR_STR_MAX]);
const char *tr_addr_ip_str(const struct tr_addr *a, char out[TR_ADDR_STR_MAX]);

#endif

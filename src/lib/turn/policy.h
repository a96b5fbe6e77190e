/* To whom the relay may send: one canonical address, one function. Denied are loopback, private,
 * link-local, CGNAT, multicast, reserved and documentation ranges, also where they are wrapped in
 * an IPv6 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP), and this server's own
 * addresses, except its media port. Made at start, read by all threads. */
#ifndef TR_TURN_POLICY_H
#define TR_TURN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct tr_turn_policy;

enum { TR_TURN_RANGES_MAX = 64, TR_TURN_OWN_MAX = 32 };

enum tr_turn_verdict {
    TR_TURN_PEER_ALLOWED,
    TR_TURN_PEER_OWN, /* our media port: handed over in the process */
    TR_TURN_PEER_DENIED,
};

struct tr_turn_policy_conf { /* copied */
    const char *const *allow,
        *const *deny; /* "10.1.0.0/16", "2001:db8::/32", "192.0.2.7"; deny wins */
    int allow_count, deny_count;
    bool private;        /* media and what is allowed, and no address besides */
    bool issued_private; /* that, for those whose credential we have handed out (auth.h) */
    struct tr_addr media[TR_TURN_OWN_MAX]; /* with port: where media is taken, as clients know it */
    int media_count;
    uint16_t media_tcp_port; /* of the same addresses, for TCP peers; 0: media is not taken there */
    struct tr_addr own[TR_TURN_OWN_MAX]; /* all addresses of this machine, known from outside */
    int own_count;
};

/* Whether the text is an address or a range, with no bits behind the prefix. */
bool tr_turn_policy_takes(const char *range);
/* BADMSG: a range is none, *bad says which. LIMIT: too many. */
TR_MUST_USE enum tr_err tr_turn_policy_create(struct tr_turn_policy **policy,
                                              const struct tr_turn_policy_conf *conf,
                                              const char **bad);
void tr_turn_policy_destroy(struct tr_turn_policy *policy); /* NULL is fine */
/* peer->proto: TCP for what is to be connected to. port 0: the address in general (permissions have
 * none). issued: as of the credential. */
enum tr_turn_verdict tr_turn_policy_judge(const struct tr_turn_policy *policy,
                                          const struct tr_addr *peer, bool issued);
/* The address that really is meant: an IPv4 address out of its IPv6 disguises, else itself. */
struct tr_addr tr_addr_unwrap(const struct tr_addr *a);

#endif

/* TURN and STUN on the media workers: a server of lib/turn for each, all at the same ports. What
 * the control thread sets and sees of it; relay.h is what the workers do. */
#ifndef TR_MEDIA_TURN_H
#define TR_MEDIA_TURN_H

#include <stdbool.h>

#include "base/addr.h"
#include "dtls/listen.h"
#include "net/stream_conf.h"
#include "net/stream_quota.h"
#include "turn/counters.h"

struct tr_media;
struct tr_quota;
struct tr_tls;
struct tr_turn_auth;
struct tr_turn_policy;

enum { TR_MEDIA_TURN_ADDRS_MAX = 8, TR_MEDIA_TURN_TLS_MAX = 4 };

struct tr_media_turn_conf { /* pointers are borrowed as long as the engine lives */
    const struct tr_turn_auth *auth;
    const struct tr_turn_policy *policy;
    struct tr_quota *quota; /* NULL: no bounds */
    uint16_t port;          /* UDP, and TCP where `tcp`; 0: any free one (tests) */
    bool tcp;               /* clients over TCP, and TCP peers */
    uint16_t other_port;    /* UDP, RFC 5780; 0: none. bind has two addresses of a family first */
    uint16_t tls_ports[TR_MEDIA_TURN_TLS_MAX];
    int tls_ports_count;
    struct tr_tls *tls;       /* NULL: no TLS */
    struct tr_dtls_ctx *dtls; /* NULL: no DTLS; at `port`, and the first of tls_ports; the first of
                               * them: tr_media_turn_renew */
    struct tr_dtls_cookies cookies;
    struct tr_addr bind[TR_MEDIA_TURN_ADDRS_MAX];  /* to listen at and to relay from */
    struct tr_addr known[TR_MEDIA_TURN_ADDRS_MAX]; /* bind[i] as clients know it; any: the same */
    int bind_count;
    uint16_t min_port, max_port; /* of relayed addresses */
    uint32_t allocations_max;    /* of all workers */
    uint32_t lifetime_s, lifetime_max_s;
    uint32_t allocation_bps, allocation_pps;
    uint32_t unproven_per_second;    /* answers to an address that has proven nothing */
    struct tr_stream_bounds streams; /* connections of all workers */
    bool mobility;
};

/* The UDP port; 0: there is no relay. */
uint16_t tr_media_turn_port(const struct tr_media *media);

/* Clients over DTLS that come from now on are served by this context, the others by theirs; both
 * live as long as somebody needs them. NOMEM, LIMIT: some workers have the old one still. */
TR_MUST_USE enum tr_err tr_media_turn_renew(struct tr_media *media, struct tr_dtls_ctx *dtls);

/* Of clients over DTLS. */
enum tr_media_dtls_refusal {
    TR_MEDIA_DTLS_REFUSED_MALFORMED,  /* of no association, and no ClientHello */
    TR_MEDIA_DTLS_REFUSED_FRAGMENT,   /* a piece of one */
    TR_MEDIA_DTLS_REFUSED_COOKIE,     /* with a cookie that is not good: it gets a new one */
    TR_MEDIA_DTLS_REFUSED_THROTTLED,  /* a ClientHello, too many of its neighbours or its kind */
    TR_MEDIA_DTLS_REFUSED_HANDSHAKES, /* too many at once: the oldest has ended */
    TR_MEDIA_DTLS_REFUSED_HANDSHAKE,  /* one that failed, or took too long */
    TR_MEDIA_DTLS_REFUSED_UNPROVEN,   /* too long, or too many bytes, without an allocation */
    TR_MEDIA_DTLS_REFUSED_NO_ROOM,    /* associations or memory are out */
    TR_MEDIA_DTLS_REFUSED_COUNT
};

const char *tr_media_dtls_refusal_name(enum tr_media_dtls_refusal refusal); /* "cookie" ... */

struct tr_media_dtls_counters {
    uint64_t handshakes, associations_now;
    uint64_t refused[TR_MEDIA_DTLS_REFUSED_COUNT];
};

struct tr_media_turn_counters { /* of 64-bit words only: they are summed so */
    struct tr_turn_counters turn;
    struct tr_streams_counters streams; /* of clients and of TCP peers */
    struct tr_media_dtls_counters dtls;
};

/* Sums over the workers; cheap. */
void tr_media_turn_counters(const struct tr_media *media, struct tr_media_turn_counters *out);

#endif

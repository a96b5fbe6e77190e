/* ICE agent as a state machine: no sockets, no clock, no threads.
 * RFC 8445 (ICE), 8838 (trickle), 7675 (consent). One component: BUNDLE + rtcp-mux assumed.
 * Drive: one of add/input/timeout/... -> poll until TR_ICE_NONE -> sleep to next_timeout.
 * One owner, one thread. Addresses come from outside; a TURN relay is just another one.
 *
 * Lite (the server) answers authenticated checks; it is always controlled. Of its own it sends one
 * kind of check: media moves from one UDP path to another only when the new one has answered it.
 * Full (test client, load generator) forms and checks pairs. Both tell the owner which 4-tuples
 * belong to this peer (VALID, INVALID), on which one to send (SELECTED), and when the peer is gone
 * (FAILED). */
#ifndef TR_ICE_H
#define TR_ICE_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

struct tr_arena;
struct tr_rng;
struct tr_ice_cand;

enum tr_ice_limits {
    TR_ICE_LOCAL_MAX = 16,
    TR_ICE_REMOTE_MAX = 32,
    TR_ICE_PAIR_MAX = 100,
    TR_ICE_PATH_MAX = 16,        /* valid 4-tuples; the longest silent unselected one makes room */
    TR_ICE_LOCAL_UFRAG_MAX = 32, /* ours; at least 4 */
    TR_ICE_LOCAL_PWD_MAX = 64,   /* ours; at least 22 */
    TR_ICE_UFRAG_MAX = 256,      /* the peer's, RFC 8839 5.4 */
    TR_ICE_PWD_MAX = 256
};

enum tr_ice_role { TR_ICE_CONTROLLED, TR_ICE_CONTROLLING };

/* In this order when one call causes several. */
enum tr_ice_kind {
    TR_ICE_NONE,
    TR_ICE_SEND,     /* send data on path */
    TR_ICE_VALID,    /* path has proved to be this peer's: accept its packets */
    TR_ICE_SELECTED, /* send media on path from now on; again after every change and restart */
    TR_ICE_INVALID,  /* path is forgotten: accept nothing from it */
    TR_ICE_FAILED    /* no consent, or never connected; silent until tr_ice_restart */
};

struct tr_ice_conf {
    enum tr_ice_role role; /* of a full agent at first; lite is always controlled */
    bool lite;             /* RFC 8445 2.5: answers checks, forms no pairs */
    tr_usec consent_us;    /* silence that ends a path; 0 means RFC 7675's 30 s */
    tr_usec setup_us;      /* from set_remote to a selected path; 0 means 30 s */
    const char *ufrag;     /* ours; NULL: random ones of 16 and 24 characters */
    const char *pwd;
    struct tr_rng *rng; /* borrowed; seeded in tests */
};

struct tr_ice_out { /* valid until the next call on the same agent */
    enum tr_ice_kind kind;
    struct tr_path path;  /* SEND, VALID, SELECTED, INVALID */
    struct tr_slice data; /* SEND: borrowed from the agent */
};

/* NULL: memory is out, or ufrag/pwd break RFC 8839 5.4. */
struct tr_ice *tr_ice_create(struct tr_arena *arena, const struct tr_ice_conf *conf);
void tr_ice_destroy(struct tr_ice *ice); /* NULL is fine; wipes keys, memory is the arena's */

/* The peer's credentials, once for each start or restart (the same again is fine). peer_lite makes
 * a full agent controlling. INVAL: not as in RFC 8839 5.4. EXISTS: others are set, so restart. */
TR_MUST_USE enum tr_err tr_ice_set_remote(struct tr_ice *ice, tr_usec now, const char *ufrag,
                                          const char *pwd, bool peer_lite);
/* New local credentials (NULL, NULL: random), then set_remote and add_remote again. Local
 * candidates stay. The old path goes on flowing, and its checks are answered, until a new one is
 * selected. */
TR_MUST_USE enum tr_err tr_ice_restart(struct tr_ice *ice, tr_usec now, const char *ufrag,
                                       const char *pwd);
const char *tr_ice_ufrag(const struct tr_ice *ice); /* ours, of the current generation */
const char *tr_ice_pwd(const struct tr_ice *ice);

/* LIMIT: table full. UNSUPPORTED: not component 1, or TCP without its type. EXISTS: known. Relay
 * candidates send from their own addr, srflx from rel (their base). Of TCP (RFC 6544) only an
 * active local and a passive remote one make a pair: the owner connects when it is first told to
 * send there, and goes on calling the local end by its candidate (port 9), whatever port it got. */
TR_MUST_USE enum tr_err tr_ice_add_local(struct tr_ice *ice, tr_usec now,
                                         const struct tr_ice_cand *cand);
TR_MUST_USE enum tr_err tr_ice_add_remote(struct tr_ice *ice, tr_usec now,
                                          const struct tr_ice_cand *cand);
/* path: as seen from here (local is the address that received).
 * IGNORED: not STUN for this agent. BADMSG, AUTH, PROTO, CLOSED: counted, dropped, state unchanged
 * (though an error answer may be waiting in poll). AGAIN: poll first, then offer it again. */
TR_MUST_USE enum tr_err tr_ice_input(struct tr_ice *ice, tr_usec now, struct tr_path path,
                                     struct tr_slice pkt);
/* The stream that was this path is gone: as if it had been silent for too long, but a lite agent
 * waits for another path for as long as silence may last. */
void tr_ice_path_gone(struct tr_ice *ice, tr_usec now, const struct tr_path *path);
void tr_ice_timeout(struct tr_ice *ice, tr_usec now);
tr_usec tr_ice_next_timeout(const struct tr_ice *ice); /* absolute; TR_NEVER when idle */
void tr_ice_poll(struct tr_ice *ice, struct tr_ice_out *out);

/* Full and controlling (else INVAL): move to this pair, checking it first. NOTFOUND: no such. */
TR_MUST_USE enum tr_err tr_ice_nominate(struct tr_ice *ice, tr_usec now, struct tr_path path);
bool tr_ice_selected(const struct tr_ice *ice, struct tr_path *path); /* false: none */
enum tr_ice_role tr_ice_role(const struct tr_ice *ice);

/* For a worker that has no agent for an address yet. peek: our part of the USERNAME of a Binding
 * request, borrowed and unproven; IGNORED when pkt is none. check_auth: AUTH, NOTFOUND (no MI). */
TR_MUST_USE enum tr_err tr_ice_peek_ufrag(struct tr_slice pkt, struct tr_slice *ufrag);
TR_MUST_USE enum tr_err tr_ice_check_auth(struct tr_slice pkt, struct tr_slice password);

#endif

/* Who owns a peer. Control registers each ICE ufrag; the media worker that sees the first
 * authenticated check for it takes the peer over and owns it from then on; other workers learn
 * where to pass datagrams of that ufrag. This table and the packet pool are the only memory that
 * workers share, and this the only lock: it is taken for checks from addresses that are not known
 * yet. */
#ifndef TR_CLAIM_H
#define TR_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tr_claims;

enum { TR_CLAIM_NOBODY = -1, TR_CLAIM_PWD_MAX = 64 };

struct tr_claim_result {
    int owner;  /* worker, after the call */
    void *peer; /* not NULL: the caller has just taken it over */
};

/* max: ufrags registered at once. NULL when memory is out. */
struct tr_claims *tr_claims_create(uint32_t max, uint64_t seed);
void tr_claims_destroy(struct tr_claims *claims); /* NULL is fine */
/* owner: TR_CLAIM_NOBODY and a peer, or the worker that owns it already (a new ufrag of an ICE
 * restart). EXISTS, LIMIT, NOMEM. */
TR_MUST_USE enum tr_err tr_claims_add(struct tr_claims *claims, struct tr_slice ufrag,
                                      const char *pwd, int owner, void *peer);
/* The check: proof(arg, pwd) judges the MESSAGE-INTEGRITY outside of the lock. NOTFOUND: no such
 * ufrag; AUTH: not proven, nothing changed. When nobody owned the peer, worker does now. */
TR_MUST_USE enum tr_err tr_claims_take(struct tr_claims *claims, struct tr_slice ufrag, int worker,
                                       bool (*proof)(void *arg, const char *pwd), void *arg,
                                       struct tr_claim_result *result);
/* Forgets the ufrag. Returns the peer when nobody had taken it: it is the caller's again. */
void *tr_claims_remove(struct tr_claims *claims, struct tr_slice ufrag);

#endif

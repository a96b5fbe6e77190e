/* STUN Binding answers without state (RFC 8489; 5780 where there is another address). */
#ifndef TR_TURN_BINDING_H
#define TR_TURN_BINDING_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

struct tr_stun;

struct tr_binding_conf {
    struct tr_addr other; /* RFC 5780: both differ from the main one; port 0: none */
    struct tr_addr main;
};

/* The answer to a Binding request that came by path, never longer than twice the request; *from:
 * the address that it has to leave by. IGNORED: no Binding request, or one that needs no answer. */
TR_MUST_USE enum tr_err tr_binding_answer(const struct tr_binding_conf *conf,
                                          const struct tr_path *path, const struct tr_stun *request,
                                          struct tr_wr *answer, struct tr_addr *from);

#endif

/* STUN Binding answers without state (RFC 8489; 5780 where there is another address). */
#ifndef TR_TURN_BINDING_H
#define TR_TURN_BINDING_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

struct tr_stun;

struct tr_binding_conf {
    struct tr_addr other; /* RFC 5780: IP and port differ from those of main; port 0: none */
    struct tr_addr main;  /* of the same family */
    struct tr_addr other_known, main_known; /* these IPs as clients know them; any: the same */
};

/* The answer to a Binding request (parsed as TR_STUN_FOR_TURN) that came by path, for an empty
 * writer. On the wire, with the headers of IP and UDP, it is at most twice as long as the request.
 * *out: by which path it leaves; CHANGE-REQUEST moves its local end, RESPONSE-PORT its remote one.
 * IGNORED: no Binding request. LIMIT: the writer is too small. */
TR_MUST_USE enum tr_err tr_binding_answer(const struct tr_binding_conf *conf,
                                          const struct tr_path *path, const struct tr_stun *request,
                                          struct tr_wr *answer, struct tr_path *out);

#endif

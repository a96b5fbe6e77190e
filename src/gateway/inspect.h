/* What goes on in the gateway, for those who look after it: each handle and its PeerConnection. For
 * src/ops; plugins have no use for it. Control thread, like all of the gateway. */
#ifndef TR_GATEWAY_INSPECT_H
#define TR_GATEWAY_INSPECT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/time.h"
#include "gateway/gateway.h"

struct tr_handle;
struct tr_media_peer_stats;

/* Every PeerConnection is told of twice. The handle may be used during the call-back only, and
 * nothing of it may be changed from there. */
struct tr_gateway_observer {
    void (*opened)(void *arg, struct tr_handle *handle, tr_id peer);
    /* Its peer can still be asked (tr_media_query), and what was negotiated can still be read. */
    void (*closing)(void *arg, struct tr_handle *handle, tr_id peer, const char *reason);
    void *arg;
};

/* observer: copied; NULL: none from now on. */
void tr_gateway_observe(struct tr_gateway *gw, const struct tr_gateway_observer *observer);

struct tr_handle_facts { /* texts are the handle's; NULL where there is none */
    uint64_t session, handle;
    const char *plugin, *opaque_id, *transport;
    struct tr_addr client; /* of the API connection; zeroed: not connected now */
    tr_usec created, up;   /* up 0: no media can flow */
    tr_id peer;            /* 0: no PeerConnection */
};

void tr_handle_facts(const struct tr_handle *handle, struct tr_handle_facts *out);
/* plugin_specific of handle_info; a new reference, never NULL but for memory. */
json_t *tr_handle_query(struct tr_handle *handle);
/* All of handle_info. stats NULL: no word of the media worker. New reference. */
json_t *tr_handle_describe(struct tr_handle *handle, const struct tr_media_peer_stats *stats,
                           tr_usec now);
/* Calls back for each handle until that returns false. The call-back must not end any. */
void tr_gateway_each_handle(struct tr_gateway *gw,
                            bool (*each)(void *arg, struct tr_handle *handle), void *arg);

/* Whether a request from this address brings the Admin secret (NULL: none). AUTH: it does not.
 * LIMIT: too many wrong ones came from there, so this one was not looked at. */
TR_MUST_USE enum tr_err tr_gateway_admin_check(struct tr_gateway *gw, const struct tr_addr *from,
                                               const char *secret, tr_usec now);

#endif

/* What the files of the API core share: sessions, handles, and their owner, the gateway. More for
 * requests is in api.h. Nothing outside src/gateway includes this. */
#ifndef TR_GATEWAY_CORE_H
#define TR_GATEWAY_CORE_H

#include <sys/queue.h>

#include "base/heap.h"
#include "base/map.h"
#include "gateway/auth.h"
#include "gateway/error.h"
#include "gateway/inspect.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "gateway/ratelimit.h"

/* One past the largest id: 53 bits, which a JavaScript number holds. */
#define TR_API_ID_END (1ull << 53)

struct tr_event_text { /* queued for a session */
    TAILQ_ENTRY(tr_event_text) link;
    size_t n;
    char text[];
};

struct tr_waiting { /* a long poll */
    struct tr_client *client;
    struct tr_session *session;
    uint32_t events_max;
    tr_usec deadline;
    TAILQ_ENTRY(tr_waiting) of_session;
    TAILQ_ENTRY(tr_waiting) of_gateway; /* oldest first, which is the order of the deadlines */
};

struct tr_pending { /* an Admin handle_info that waits for its media worker */
    uint64_t cookie;
    struct tr_client *client;
    uint64_t session_id, handle_id;
    tr_usec deadline;
    LIST_ENTRY(tr_pending) of_client;
    TAILQ_ENTRY(tr_pending) of_gateway;
    char transaction[];
};

struct tr_session {
    struct tr_gateway *gw;
    uint64_t id;
    struct tr_client *client; /* events go there; NULL: they are queued */
    bool polled;              /* queued for long polls */
    bool orphan;              /* its connection is lost; it waits to be claimed */
    bool ending;              /* nothing is pushed any more */
    const char *transport;
    tr_usec created, last_activity, timeout;
    struct tr_heap_node timer;
    TAILQ_HEAD(, tr_event_text) events;
    uint32_t event_count;
    size_t event_bytes;
    TAILQ_HEAD(, tr_waiting) polls;
    uint32_t poll_count;
    TAILQ_HEAD(, tr_handle) handles;
    uint32_t handle_count;
    LIST_ENTRY(tr_session) of_client;
    TAILQ_ENTRY(tr_session) of_gateway;
};

struct tr_handle {
    struct tr_session *session;
    uint64_t id;
    struct tr_plugin *plugin;
    void *user;
    char *opaque_id; /* NULL when none */
    struct tr_pc *pc;
    tr_id peer;                 /* 0: none */
    tr_usec created, up;        /* up: 0 until media can flow */
    const char *down, *closing; /* why pc_down is due, why the pc is being closed; or NULL */
    TAILQ_ENTRY(tr_handle) of_down;
    TAILQ_ENTRY(tr_handle) of_session;
};

struct tr_gateway {
    struct tr_gateway_conf conf; /* its texts are owned */
    struct tr_gateway_services services;
    struct tr_auth *auth;
    struct tr_ratelimit *limit, *wrong_secrets;
    struct tr_gateway_observer observer;
    struct tr_plugin *plugins[TR_GATEWAY_PLUGINS_MAX];
    int plugin_count;
    bool accepting;
    struct tr_map *sessions_by_id; /* keys are the 8 bytes of an id */
    struct tr_map *handles_by_id;
    struct tr_map *handles_by_peer;
    struct tr_heap timers; /* of sessions */
    TAILQ_HEAD(, tr_session) sessions;
    TAILQ_HEAD(, tr_waiting) polls;
    TAILQ_HEAD(, tr_pending) pending;
    TAILQ_HEAD(, tr_handle) downs;
    uint32_t pending_count;
    uint64_t cookie, event_bytes; /* queued for all sessions */
    struct tr_gateway_counters counters;
};

void tr_client_send(struct tr_gateway *gw, struct tr_client *client, json_t *message); /* takes */
json_t *tr_error_object(int code, const char *reason);
struct tr_plugin *tr_gateway_plugin(const struct tr_gateway *gw, const char *package);

/* --- sessions (session.c) --- */

struct tr_session *tr_session_find(const struct tr_gateway *gw, uint64_t id);
/* NULL: too many, or memory. id 0: a random one. */
struct tr_session *tr_session_create(struct tr_gateway *gw, struct tr_client *client, uint64_t id,
                                     tr_usec now);
/* Detaches the handles; nothing more is pushed. Long polls get error 458. */
void tr_session_destroy(struct tr_session *session, tr_usec now);
void tr_session_touch(struct tr_session *session, tr_usec now);
void tr_session_set_timeout(struct tr_session *session, tr_usec timeout);
void tr_session_claim(struct tr_session *session, struct tr_client *client, tr_usec now);
void tr_session_push(struct tr_session *session, json_t *event); /* takes event */
/* Sends what waits to the client; after a claim. */
void tr_session_flush(struct tr_session *session);
void tr_session_expire(struct tr_gateway *gw, tr_usec now); /* all timers that are due */
/* Ends a long poll with a keepalive. */
void tr_poll_end(struct tr_gateway *gw, struct tr_waiting *poll);
/* {"janus":kind,"session_id","sender"} */
json_t *tr_handle_push(const struct tr_handle *handle, const char *kind);

/* --- handles (handle.c) --- */

struct tr_handle *tr_handle_by_id(const struct tr_gateway *gw, uint64_t id);
struct tr_handle *tr_handle_by_peer(const struct tr_gateway *gw, tr_id peer);
/* *code is the API error when the result is NULL. */
struct tr_handle *tr_handle_attach(struct tr_session *session, struct tr_plugin *plugin,
                                   const char *opaque_id, tr_usec now, int *code);
/* Closes the PeerConnection and tells the plugin; pushes "detached". */
void tr_handle_detach(struct tr_handle *handle, tr_usec now);
/* Pushes "hangup" when there was a PeerConnection; pc_down follows when the gateway settles. */
void tr_handle_hangup(struct tr_handle *handle, const char *reason, tr_usec now);
/* Calls what was put off (pc_down), so that no plugin is called from within itself. */
void tr_gateway_settle(struct tr_gateway *gw, tr_usec now);

/* --- Admin (admin_info.c, admin_webrtc.c) --- */

/* "webrtc" of handle_info; a new reference. */
json_t *tr_admin_webrtc(const struct tr_gateway *gw, const struct tr_media_peer_stats *stats);
/* stats NULL: the worker does not know the peer, or did not answer. */
void tr_admin_answer(struct tr_gateway *gw, struct tr_pending *pending,
                     const struct tr_media_peer_stats *stats, tr_usec now);
void tr_pending_free(struct tr_gateway *gw, struct tr_pending *pending);
struct tr_pending *tr_pending_find(const struct tr_gateway *gw, uint64_t cookie);

#endif

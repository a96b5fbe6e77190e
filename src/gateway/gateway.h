/* The API core: sessions, handles, requests, events, authentication and the Admin API, as a state
 * machine without sockets, clock or threads. Speaks the Janus API.
 *
 * Transports embed a struct tr_client in their connection, hand in what it says by
 * tr_gateway_input and are called back on client->ops. Everything runs on the control thread, and
 * no callback of a client is made after tr_gateway_client_gone.
 * Drive: input, poll, media_event or timeout -> sleep to next_timeout. */
#ifndef TR_GATEWAY_H
#define TR_GATEWAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/slice.h"
#include "base/time.h"

struct tr_gateway;
struct tr_media_event;
struct tr_pc_services;
struct tr_rng;
struct tr_pending;
struct tr_session;
struct tr_waiting;

enum {
    TR_GATEWAY_JSON_DEPTH_MAX = 32,   /* nesting of a request; deeper is error 454 */
    TR_GATEWAY_TEXT_MAX = 256 * 1024, /* bytes of one request that the core looks at */
    TR_GATEWAY_TRANSACTION_MAX = 256, /* characters */
    TR_GATEWAY_OPAQUE_ID_MAX = 1024,  /* bytes */
    TR_GATEWAY_PLUGINS_MAX = 32,
    TR_GATEWAY_POLLS_MAX = 8,     /* long polls waiting on one session; more push out the oldest */
    TR_GATEWAY_POLL_EVENTS = 100, /* maxev above this is cut */
    TR_GATEWAY_EVENT_BYTES_MAX = 1024 * 1024, /* queued for one session, beside events_max */
    TR_GATEWAY_PENDING_MAX = 256,             /* Admin requests that wait for a media worker */
    TR_GATEWAY_TOKENS_MAX = 65536             /* stored tokens */
};
#define TR_GATEWAY_POLL_US (30 * TR_SECOND)

struct tr_gateway_conf { /* texts are copied; zero is "off" where not said otherwise */
    const char *server_name;
    const char *version;           /* "0.1.0"; NULL: "0.0.0" */
    const char *api_secret;        /* NULL, "": none */
    const char *admin_secret;      /* NULL, "": every Admin request is refused */
    bool token_auth;               /* stored tokens, managed by the Admin API */
    const char *token_auth_secret; /* signed tokens; NULL, "": none */
    tr_usec session_timeout;
    tr_usec reclaim_session_timeout;
    tr_usec candidates_timeout; /* told in server_info */
    bool opaqueid_in_api;
    bool hide_dependencies;
    uint32_t sessions_max;            /* 0: 65536 */
    uint32_t handles_per_session_max; /* 0: 256 */
    uint32_t events_max;              /* queued for a session that is not connected; 0: 1000 */
    uint64_t events_bytes_max;        /* queued for all of them; 0: 256 MiB */
    uint32_t rate_per_s, rate_burst;  /* requests of one address; 0: no limit; 2 * rate_per_s */
    const char *local_ip;             /* told in server_info */
    const char *public_ip;            /* NULL: no 1:1 NAT */
    bool ipv6;
};

struct tr_gateway_services { /* borrowed */
    struct tr_rng *rng;
    const struct tr_pc_services *pc;
    /* Wall clock for tokens and log files: Unix microseconds at `now`. */
    int64_t (*unix_us)(void *arg, tr_usec now);
    void *arg;
};

struct tr_gateway_counters {
    uint64_t requests, requests_admin, errors, auth_failures, rate_limited;
    uint64_t events, events_dropped, sessions_created, sessions_timed_out, sessions_claimed;
    uint64_t handles_attached, webrtc_up, webrtc_down;
    uint32_t sessions, handles, peers; /* now */
};

struct tr_client;

struct tr_client_ops {
    const char *package; /* "janus.transport.websockets" */
    /* A reply or event, whole and compact JSON, borrowed. Must not call back into the gateway. */
    void (*send)(struct tr_client *client, struct tr_slice json);
    /* Whether the other side is still there, asked before events are given to a long poll, which
     * would lose them. NULL: yes. */
    bool (*alive)(struct tr_client *client);
};

/* One connection (WebSocket), or one request (HTTP). Embedded in the transport's own; zero it, fill
 * the first part. */
struct tr_client {
    const struct tr_client_ops *ops;
    struct tr_addr addr; /* of the other side, for the rate limit */
    bool admin;          /* speaks the Admin API */
    bool polls;          /* HTTP: sessions made here keep their events until a long poll asks */
    /* of the core: */
    LIST_HEAD(tr_client_sessions, tr_session) sessions; /* that push to this client */
    LIST_HEAD(tr_client_pending, tr_pending) pending;   /* replies that are still to come */
    struct tr_waiting *waiting;                         /* a long poll that waits */
};

struct tr_request_path { /* what the URL says; ids 0 when absent */
    uint64_t session_id;
    uint64_t handle_id;
};

TR_MUST_USE enum tr_err tr_gateway_create(struct tr_gateway **gw,
                                          const struct tr_gateway_conf *conf,
                                          const struct tr_gateway_services *services);
/* Destroys all sessions without telling anybody, then the plugins. NULL is fine. */
void tr_gateway_destroy(struct tr_gateway *gw, tr_usec now);
/* Graceful end: no new sessions; PeerConnections close; sessions end. */
void tr_gateway_stop(struct tr_gateway *gw, tr_usec now);

/* One message of a client. path: of the URL, NULL when the ids are in the message (then several
 * JSON objects in a row are as many messages). What is wrong with it is told to the client, except:
 * LIMIT: the source asks too often; nothing was read and nothing sent. */
TR_MUST_USE enum tr_err tr_gateway_input(struct tr_gateway *gw, tr_usec now,
                                         struct tr_client *client,
                                         const struct tr_request_path *path, struct tr_slice text);
/* The same for a request that is an object already (GET /janus/info ...). request is borrowed. */
void tr_gateway_request(struct tr_gateway *gw, tr_usec now, struct tr_client *client,
                        const struct tr_request_path *path, json_t *request);

struct tr_poll {
    uint64_t session_id;
    uint32_t events_max;   /* 1: one bare object; more: an array */
    const char *apisecret; /* NULL when absent */
    const char *token;
};
/* A long poll. One reply follows, at once or within TR_GATEWAY_POLL_US; events or a keepalive.
 * AUTH, LIMIT: nothing was sent. */
TR_MUST_USE enum tr_err tr_gateway_poll(struct tr_gateway *gw, tr_usec now,
                                        struct tr_client *client, const struct tr_poll *poll);
/* The connection ended: its sessions end or wait for claim, its replies are forgotten. */
void tr_gateway_client_gone(struct tr_gateway *gw, tr_usec now, struct tr_client *client);

void tr_gateway_timeout(struct tr_gateway *gw, tr_usec now);
tr_usec tr_gateway_next_timeout(const struct tr_gateway *gw); /* absolute; TR_NEVER */
/* Takes a STATS event's stats (and frees it). */
void tr_gateway_media_event(struct tr_gateway *gw, tr_usec now, const struct tr_media_event *event);

void tr_gateway_set_accepting(struct tr_gateway *gw, bool accepting); /* new sessions; else 472 */
bool tr_gateway_accepting(const struct tr_gateway *gw);
void tr_gateway_counters(const struct tr_gateway *gw, struct tr_gateway_counters *out);

#endif

/* What the files of transport/ share. */
#ifndef TR_WEB_IMPL_H
#define TR_WEB_IMPL_H

#include <libwebsockets.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/idtab.h"
#include "gateway/gateway.h"
#include "gateway/transport/crowd.h"
#include "gateway/transport/metrics.h"
#include "gateway/transport/routes.h"
#include "gateway/transport/web.h"

enum {
    HTTP_ARGS_COUNT_MAX = 16,
    HTTP_HEADERS_MAX = 12, /* of a reply, added by handlers */
    HTTP_ARENA_MAX = 64 * 1024,
    HTTP_BODY_DEADLINE_S = 60, /* for a body to come in */
    HTTP_WRITE_CHUNK = 32 * 1024,
    HTTP_IDLE_S = 60 /* a client that takes nothing is cut off */
};

enum listener_kind { LISTEN_MAIN, LISTEN_WS, LISTEN_ADMIN };

struct listener {
    struct tr_web *web;
    enum listener_kind kind;
    bool tls;
    struct tr_routes *routes; /* NULL: no HTTP */
    struct lws_vhost *vhost;
    lws_retry_bo_t pings;
};

enum { LISTENERS_MAX = 6 };

struct tr_web_counters {
    uint64_t http_requests, http_by_class[6]; /* [n]: status nxx */
    uint64_t ws_opened, ws_messages_in, ws_messages_out, ws_overflows, refused_connections;
    uint32_t connections, ws_connections;
};

struct tr_web {
    struct tr_web_conf conf; /* texts are in the arena */
    struct tr_arena *arena;
    struct tr_web_loop *loop; /* loop.h */
    struct lws_context *context;
    struct listener listeners[LISTENERS_MAX];
    int listener_count;
    struct tr_routes *routes, *admin_routes;
    struct tr_idtab *requests; /* struct tr_http */
    struct tr_crowd *crowd;    /* connections of each address */
    struct tr_dtls_cert *cert; /* of the TLS listeners; NULL: none yet */
    int root;                  /* folder of the pages, or -1 */
    _Atomic bool woken, stopping;
    uint64_t callbacks;  /* that the library made, but for those of a wake-up */
    uint32_t idle_turns; /* in a row without one */
    tr_usec nap_until;   /* 0: nobody sleeps */
    uint32_t busy;       /* replies and WebSockets with bytes to send */
    struct tr_web_counters counters;
    uint8_t scratch[LWS_PRE + HTTP_WRITE_CHUNK];
};

struct tr_http_field {
    const char *name, *value;
};

struct tr_http {
    struct lws *wsi;
    struct listener *listener;
    tr_id id;
    struct tr_arena *arena; /* texts of the request and of reply headers */
    struct tr_http_request request;
    const struct tr_route *route;
    const char *args[HTTP_ARGS_COUNT_MAX];
    int arg_count;
    uint8_t *body;
    size_t body_n, body_room, body_max;
    tr_usec started;
    bool body_ended, dispatched, replied, headers_sent;
    bool close; /* the connection ends with this reply */
    int status;
    const char *type;
    struct tr_http_field fields[HTTP_HEADERS_MAX];
    int field_count;
    uint8_t *out; /* body of the reply, or NULL */
    size_t out_n, out_pos;
    int fd; /* or a file's part; -1: none */
    uint64_t file_pos, file_end;
    struct tr_client client; /* of the API core; in use when client.ops is set */
};

struct tr_ws_message {
    STAILQ_ENTRY(tr_ws_message) link;
    size_t n;
    uint8_t bytes[]; /* LWS_PRE of room, then the text */
};

struct tr_ws { /* a WebSocket; memory of the library */
    struct tr_client client;
    struct lws *wsi;
    struct tr_web *web;
    uint8_t *in; /* what of a message has come */
    size_t in_n, in_room;
    STAILQ_HEAD(, tr_ws_message) out;
    size_t out_bytes;
    bool open, overflow;
};

static inline tr_usec web_now(const struct tr_web *web)
{
    return web->conf.clock();
}

/* http.c: the callback of protocols[0] */
int tr_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                     size_t len);
/* After many turns in which nothing happened. */
void tr_http_nap(struct tr_web *web);
void tr_http_nap_end(struct tr_web *web); /* at web->nap_until */
/* ws.c: of janus-protocol and janus-admin-protocol */
int tr_ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len);
/* tls.c: of a listener that is being made */
int tr_web_tls_made(const struct listener *listener, void *ssl_ctx);
/* rest.c */
TR_MUST_USE enum tr_err tr_rest_routes(struct tr_web *web);
bool tr_web_origin_allowed(const struct tr_web *web, const char *origin); /* NULL: no Origin */
/* static.c: answers from the folder of the pages */
void tr_static_reply(struct tr_web *web, const struct tr_http_request *request);
TR_MUST_USE enum tr_err tr_static_admin_routes(struct tr_web *web, struct tr_routes *routes);
/* ops.c: health and metrics */
TR_MUST_USE enum tr_err tr_ops_routes(struct tr_web *web, struct tr_routes *routes);
struct listener *tr_web_listener(struct lws *wsi);
struct tr_addr tr_web_peer(struct lws *wsi);
bool tr_web_trusted(const struct tr_web *web, const struct tr_addr *addr); /* a proxy of ours */
/* The same; behind a trusted proxy whom it forwards for. While the request's headers are there. */
struct tr_addr tr_web_client(const struct tr_web *web, struct lws *wsi);
void tr_web_busy(struct tr_web *web, int change);

#endif

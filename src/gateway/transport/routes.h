/* HTTP endpoints as rows: method, path pattern, handler. Whoever has endpoints (the Janus API, the
 * health probes, the support desk) registers rows; nobody but transport/ sees a socket.
 *
 * A handler gets the whole request (body included) and answers by exactly one tr_http_reply_*, now
 * or later. Later: keep tr_http_id and look it up, as the connection may be gone by then.
 * Control thread only. */
#ifndef TR_ROUTES_H
#define TR_ROUTES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/slice.h"
#include "base/time.h"

enum tr_http_method {                  /* bits */
                      TR_HTTP_GET = 1, /* HEAD is answered from GET without the body */
                      TR_HTTP_POST = 2,
                      TR_HTTP_PUT = 4,
                      TR_HTTP_DELETE = 8,
                      TR_HTTP_PATCH = 16,
                      TR_HTTP_OPTIONS = 32,
                      TR_HTTP_ANY = 63
};

enum {
    TR_ROUTES_MAX = 128,
    TR_ROUTE_PARAMS_MAX = 4,
    TR_HTTP_PATH_MAX = 1024,
    TR_HTTP_ARGS_MAX = 1024
};

enum tr_http_header { /* request headers that handlers may ask for */
                      TR_HTTP_AUTHORIZATION,
                      TR_HTTP_RANGE,
                      TR_HTTP_IF_RANGE,
                      TR_HTTP_IF_NONE_MATCH,
                      TR_HTTP_IF_MODIFIED_SINCE,
                      TR_HTTP_ORIGIN,
                      TR_HTTP_CONTENT_TYPE,
                      TR_HTTP_X_FORWARDED_FOR,
                      TR_HTTP_USER_AGENT,
                      TR_HTTP_AC_METHOD,  /* Access-Control-Request-Method */
                      TR_HTTP_AC_HEADERS, /* Access-Control-Request-Headers */
                      TR_HTTP_HOST,
                      TR_HTTP_FORWARDED, /* the next three: only proxies send them */
                      TR_HTTP_X_REAL_IP,
                      TR_HTTP_VIA,
                      TR_HTTP_HEADER_COUNT
};

struct tr_http; /* one request and its reply; opaque */

struct tr_http_request { /* valid until the reply is made */
    enum tr_http_method method;
    bool head;
    const char *path; /* percent-decoded, no query; begins with '/' */
    int param_count;  /* what ':name' and '*' of the pattern matched, in order */
    const char *params[TR_ROUTE_PARAMS_MAX];
    const char *headers[TR_HTTP_HEADER_COUNT]; /* NULL when absent */
    struct tr_slice body;
    struct tr_addr client; /* of the other side; behind a trusted proxy: what it forwards for */
    bool secure;           /* came by TLS */
    tr_usec now;
    struct tr_http *http; /* for the reply */
};

typedef void (*tr_http_handler)(void *arg, const struct tr_http_request *request);

struct tr_route {
    unsigned methods;    /* enum tr_http_method */
    const char *pattern; /* "/api/calls/:id"; ":name" is one component, a last "*" is the rest */
    size_t body_max;     /* 0: the server's default; larger is answered 413 */
    tr_http_handler handle;
    void *arg;
};

struct tr_routes;

struct tr_routes *tr_routes_create(void);
void tr_routes_destroy(struct tr_routes *routes); /* NULL is fine */
/* Rows are tried in the order of their registration; where two fit, the first one wins. pattern is
 * borrowed. LIMIT: those that had room are registered. */
TR_MUST_USE enum tr_err tr_routes_add(struct tr_routes *routes, const struct tr_route *rows,
                                      size_t count);
/* The row for a path, or NULL with *status 404 or 405. Fills params from `path`, whose bytes are
 * changed ('/' to NUL) and which must outlive them. */
const struct tr_route *tr_routes_match(const struct tr_routes *routes, unsigned method, char *path,
                                       struct tr_http_request *request, int *status);

/* A query argument, percent-decoded, or NULL. Valid until the reply is made. */
const char *tr_http_arg(const struct tr_http_request *request, const char *name);
/* A query argument as a number; `otherwise` when absent or malformed. */
uint64_t tr_http_arg_uint(const struct tr_http_request *request, const char *name,
                          uint64_t otherwise);
/* "Bearer xyz" -> "xyz", or NULL. */
const char *tr_http_bearer(const struct tr_http_request *request);

/* --- replies: each ends the request --- */

void tr_http_reply_json(struct tr_http *http, int status, json_t *body); /* takes body */
void tr_http_reply_text(struct tr_http *http, int status, const char *type, struct tr_slice text);
void tr_http_reply_empty(struct tr_http *http, int status); /* 204, 304 ... */
/* {"error":{"code":code,"message":text}}; code is a short stable word such as "not_found". */
void tr_http_reply_error(struct tr_http *http, int status, const char *code, const char *message);
void tr_http_reply_redirect(struct tr_http *http, const char *location); /* 302 */
/* A header for the reply that follows; bounded, further ones are dropped. Values with control
 * characters are dropped. */
void tr_http_add_header(struct tr_http *http, const char *name, const char *value);

struct tr_http_file {
    int fd;           /* a regular file, taken: closed after the reply */
    const char *type; /* MIME type */
    const char *name; /* Content-Disposition: attachment; filename=...; NULL: inline */
    bool immutable;   /* may be cached for a year */
    bool no_store;    /* must not be cached (private recordings) */
};
/* Sends a file: 200, 206 (one range), 304, 416; ETag and Last-Modified from the file. */
void tr_http_reply_file(struct tr_http *http, const struct tr_http_request *request,
                        const struct tr_http_file *file);

tr_id tr_http_id(const struct tr_http *http);

#endif

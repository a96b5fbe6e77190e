/* The Janus API and the Admin API over HTTP: paths, long polls, CORS. Each request is a client of
 * the core; the core's one message to it is the reply. */
#include <poll.h> /* tidy: allow home - one look at a socket that the library owns */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "gateway/error.h"
#include "gateway/transport/http_parse.h"
#include "gateway/transport/web_impl.h"

static void client_send(struct tr_client *client, struct tr_slice json)
{
    struct tr_http *http = TR_CONTAINER_OF(client, struct tr_http, client);
    tr_http_reply_text(http, 200, "application/json", json);
}

/* Nothing is read from a connection whose reply is due, so its end is looked for here. */
static bool client_alive(struct tr_client *client)
{
    const struct tr_http *http = TR_CONTAINER_OF(client, struct tr_http, client);
    struct pollfd fd = { .fd = lws_get_socket_fd(http->wsi), .events = POLLRDHUP };
    return poll(&fd, 1, 0) <= 0;
}

static const struct tr_client_ops client_ops = { "janus.transport.http", client_send,
                                                 client_alive };

bool tr_web_origin_allowed(const struct tr_web *web, const char *origin)
{
    const char *allowed = web->conf.allow_origin;
    if (!web->conf.enforce_cors || !origin || !*allowed || strcmp(allowed, "*") == 0)
        return true;
    return strcmp(origin, allowed) == 0;
}

static void add_cors(const struct tr_web *web, const struct tr_http_request *r)
{
    const char *origin = web->conf.allow_origin;
    bool any = !*origin || strcmp(origin, "*") == 0;

    if (!r->headers[TR_HTTP_ORIGIN])
        return;
    tr_http_add_header(r->http, "access-control-allow-origin", any ? "*" : origin);
    if (!any) {
        tr_http_add_header(r->http, "access-control-allow-credentials", "true");
        tr_http_add_header(r->http, "vary", "Origin");
    }
    tr_http_add_header(r->http, "access-control-max-age", "86400");
    tr_http_add_header(r->http, "access-control-allow-methods", r->headers[TR_HTTP_AC_METHOD]);
    tr_http_add_header(r->http, "access-control-allow-headers", r->headers[TR_HTTP_AC_HEADERS]);
}

static void reply_api_error(const struct tr_http_request *r, int status, int code,
                            const char *reason)
{
    tr_http_reply_json(r->http, status,
                       json_pack("{s:s, s:{s:i, s:s}}", "janus", "error", "error", "code", code,
                                 "reason", reason));
}

static void reply_busy(const struct tr_http_request *r)
{
    tr_http_add_header(r->http, "retry-after", "1");
    reply_api_error(r, 429, TR_API_UNKNOWN, "Too many requests from this address");
}

static struct tr_client *make_client(const struct tr_http_request *r, bool admin)
{
    struct tr_client *client = &r->http->client;
    *client =
        (struct tr_client){ .ops = &client_ops, .addr = r->client, .admin = admin, .polls = true };
    return client;
}

static void send_text(const struct tr_web *web, const struct tr_http_request *r, bool admin,
                      const struct tr_request_path *path, struct tr_slice text)
{
    if (tr_gateway_input(web->conf.gw, r->now, make_client(r, admin), path, text) != TR_OK)
        reply_busy(r);
}

/* GET /janus/info and /janus/ping are the requests of these names, with what the query says. */
static void get_verb(const struct tr_web *web, const struct tr_http_request *r, bool admin,
                     const char *verb)
{
    static const char *const keys[] = { "apisecret", "token", "admin_secret" };
    json_t *request = json_pack("{s:s, s:s}", "janus", verb, "transaction", verb);

    for (int i = 0; i < 3; i++)
        if (tr_http_arg(r, keys[i]))
            json_object_set_new(request, keys[i], json_string(tr_http_arg(r, keys[i])));
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    send_text(web, r, admin, &(struct tr_request_path){ 0, 0 }, tr_slice_str(text ? text : ""));
    free(text); /* tidy: allow free - jansson hands out malloc memory */
}

static void get_poll(const struct tr_web *web, const struct tr_http_request *r, uint64_t session_id)
{
    const struct tr_poll poll = { .session_id = session_id,
                                  .events_max = (uint32_t)tr_http_arg_uint(r, "maxev", 1) & 0xffff,
                                  .apisecret = tr_http_arg(r, "apisecret"),
                                  .token = tr_http_arg(r, "token") };
    switch ((int)tr_gateway_poll(web->conf.gw, r->now, make_client(r, false), &poll)) {
    case TR_OK: break;
    case TR_ERR_AUTH:
        reply_api_error(r, 403, TR_API_UNAUTHORIZED,
                        "Unauthorized request (wrong or missing secret/token)");
        break;
    default: reply_busy(r); break;
    }
}

static void get_request(const struct tr_web *web, const struct tr_http_request *r, bool admin,
                        const char *rest)
{
    uint64_t ids[2];
    int count = tr_http_path_ids(rest, ids);
    char location[128];

    if (strcmp(rest, "/info") == 0 || strcmp(rest, "/ping") == 0)
        get_verb(web, r, admin, rest + 1);
    else if (count <= 0 || admin)
        reply_api_error(r, 200, TR_API_TRANSPORT_SPECIFIC, "Invalid HTTP method here (use POST)");
    else if (count == 1)
        get_poll(web, r, ids[0]);
    else {
        snprintf(location, sizeof(location), "%s/%llu", web->conf.base_path,
                 (unsigned long long)ids[0]);
        tr_http_reply_redirect(r->http, location);
    }
}

static void post_request(const struct tr_web *web, const struct tr_http_request *r, bool admin,
                         const char *rest)
{
    uint64_t ids[2];
    int count = tr_http_path_ids(rest, ids);

    if ((count >= 1 && !ids[0]) || (count == 2 && !ids[1])) {
        reply_api_error(r, 200, ids[0] ? TR_API_HANDLE_NOT_FOUND : TR_API_SESSION_NOT_FOUND,
                        ids[0] ? "No such handle" : "No such session");
        return;
    }
    const struct tr_request_path path = { ids[0], ids[1] };
    send_text(web, r, admin, &path, r->body);
}

static void handle(const struct tr_web *web, const struct tr_http_request *r, bool admin)
{
    const char *base = admin ? web->conf.admin_path : web->conf.base_path;
    const char *rest = r->path + strlen(base);
    uint64_t ids[2];

    add_cors(web, r);
    if (!tr_web_origin_allowed(web, r->headers[TR_HTTP_ORIGIN]))
        reply_api_error(r, 403, TR_API_UNAUTHORIZED, "This origin is not allowed");
    else if (tr_http_path_ids(rest, ids) < 0)
        tr_http_reply_error(r->http, 404, "not_found", "There is nothing here.");
    else if (r->method == TR_HTTP_OPTIONS)
        tr_http_reply_empty(r->http, 200);
    else if (r->method == TR_HTTP_GET)
        get_request(web, r, admin, rest);
    else if (r->method == TR_HTTP_POST)
        post_request(web, r, admin, rest);
    else
        reply_api_error(r, 200, TR_API_TRANSPORT_SPECIFIC, "Invalid HTTP method");
}

static void handle_api(void *arg, const struct tr_http_request *r)
{
    handle(arg, r, false);
}

static void handle_admin(void *arg, const struct tr_http_request *r)
{
    handle(arg, r, true);
}

static enum tr_err add_both(struct tr_web *web, struct tr_routes *routes, const char *base,
                            tr_http_handler handler)
{
    size_t n = strlen(base) + 3;
    char *deep = tr_arena_alloc(web->arena, n);
    if (!deep)
        return TR_ERR_NOMEM;
    snprintf(deep, n, "%s/*", base);
    const struct tr_route rows[] = {
        { .methods = TR_HTTP_ANY, .pattern = base, .handle = handler, .arg = web },
        { .methods = TR_HTTP_ANY, .pattern = deep, .handle = handler, .arg = web },
    };
    return tr_routes_add(routes, rows, TR_ARRAY_LEN(rows));
}

enum tr_err tr_rest_routes(struct tr_web *web)
{
    enum tr_err err = add_both(web, web->routes, web->conf.base_path, handle_api);
    if (err == TR_OK)
        err = add_both(web, web->admin_routes, web->conf.admin_path, handle_admin);
    return err;
}

/* One HTTP request and its reply, between libwebsockets' callbacks and the rows of routes.h.
 *
 * A struct tr_http is made when the headers are in and freed when the last byte of the reply is
 * handed to the library (or the connection goes). Its texts live in one arena. Bodies grow with
 * what has really come, up to the limit of the row. Replies are sent piece by piece as the socket
 * takes them, so a file of any size costs one buffer for the whole server. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/transport/http_parse.h"
#include "gateway/transport/web_impl.h"

#define NAP_US (20 * TR_MSEC)

struct slot { /* libwebsockets' room for a connection */
    struct tr_http *http;
};

/* --- making and end --- */

static void http_free(struct tr_http *http, tr_usec now)
{
    struct tr_web *web = http->listener->web;

    if (http->client.ops)
        tr_gateway_client_gone(web->conf.gw, now, &http->client);
    if (http->replied)
        tr_web_busy(web, -1);
    tr_idtab_remove(web->requests, http->id);
    if (http->fd >= 0)
        close(http->fd);
    tr_free(http->body);
    tr_free(http->out);
    tr_arena_destroy(http->arena);
    tr_free(http);
}

static void slot_drop(struct slot *slot)
{
    if (!slot || !slot->http)
        return;
    struct tr_http *http = slot->http;
    slot->http = NULL;
    http_free(http, web_now(http->listener->web));
}

static struct tr_http *http_new(struct lws *wsi)
{
    struct tr_http *http = tr_alloc(sizeof(*http));
    if (!http)
        return NULL;
    http->wsi = wsi;
    http->fd = -1;
    http->listener = tr_web_listener(wsi);
    http->arena = tr_arena_create(HTTP_ARENA_MAX);
    http->id = tr_idtab_add(http->listener->web->requests, http);
    if (!http->arena || !http->id) {
        http_free(http, 0);
        return NULL;
    }
    http->started = web_now(http->listener->web);
    return http;
}

/* --- the request --- */

/* The library has tokens for some names; the others are looked up by their text. */
static const char *const header_names[TR_HTTP_HEADER_COUNT] = {
    [TR_HTTP_AC_METHOD] = "access-control-request-method:",
    [TR_HTTP_FORWARDED] = "forwarded:",
};
static const int header_tokens[TR_HTTP_HEADER_COUNT] = {
    [TR_HTTP_AUTHORIZATION] = WSI_TOKEN_HTTP_AUTHORIZATION,
    [TR_HTTP_RANGE] = WSI_TOKEN_HTTP_RANGE,
    [TR_HTTP_IF_RANGE] = WSI_TOKEN_HTTP_IF_RANGE,
    [TR_HTTP_IF_NONE_MATCH] = WSI_TOKEN_HTTP_IF_NONE_MATCH,
    [TR_HTTP_IF_MODIFIED_SINCE] = WSI_TOKEN_HTTP_IF_MODIFIED_SINCE,
    [TR_HTTP_ORIGIN] = WSI_TOKEN_ORIGIN,
    [TR_HTTP_CONTENT_TYPE] = WSI_TOKEN_HTTP_CONTENT_TYPE,
    [TR_HTTP_X_FORWARDED_FOR] = WSI_TOKEN_X_FORWARDED_FOR,
    [TR_HTTP_USER_AGENT] = WSI_TOKEN_HTTP_USER_AGENT,
    [TR_HTTP_AC_HEADERS] = WSI_TOKEN_HTTP_AC_REQUEST_HEADERS,
    [TR_HTTP_HOST] = WSI_TOKEN_HOST,
    [TR_HTTP_X_REAL_IP] = WSI_TOKEN_HTTP_X_REAL_IP,
    [TR_HTTP_VIA] = WSI_TOKEN_HTTP_VIA,
};

static const char *copy_header(struct tr_http *http, int token)
{
    int n = lws_hdr_total_length(http->wsi, (enum lws_token_indexes)token);
    char *text = n > 0 ? tr_arena_alloc(http->arena, (size_t)n + 1) : NULL;
    if (!text || lws_hdr_copy(http->wsi, text, n + 1, (enum lws_token_indexes)token) < 0)
        return NULL;
    return text;
}

static const char *copy_custom(struct tr_http *http, const char *name)
{
    char text[256];
    int n = lws_hdr_custom_copy(http->wsi, text, sizeof(text), name, (int)strlen(name));
    return n > 0 ? tr_arena_strdup(http->arena, text) : NULL;
}

static void take_headers(struct tr_http *http)
{
    for (int i = 0; i < TR_HTTP_HEADER_COUNT; i++)
        http->request.headers[i] = header_names[i] ? copy_custom(http, header_names[i])
                                                   : copy_header(http, header_tokens[i]);
}

static void take_args(struct tr_http *http)
{
    char text[TR_HTTP_ARGS_MAX];
    int n;
    while (http->arg_count < HTTP_ARGS_COUNT_MAX &&
           (n = lws_hdr_copy_fragment(http->wsi, text, sizeof(text), WSI_TOKEN_HTTP_URI_ARGS,
                                      http->arg_count)) > 0) {
        char *copy = tr_arena_strdup(http->arena, text);
        if (!copy)
            return;
        http->args[http->arg_count++] = copy;
    }
}

static bool take_method(struct tr_http *http, char **uri, int *uri_len)
{
    static const unsigned methods[] = {
        [LWSHUMETH_GET] = TR_HTTP_GET,         [LWSHUMETH_POST] = TR_HTTP_POST,
        [LWSHUMETH_OPTIONS] = TR_HTTP_OPTIONS, [LWSHUMETH_PUT] = TR_HTTP_PUT,
        [LWSHUMETH_PATCH] = TR_HTTP_PATCH,     [LWSHUMETH_DELETE] = TR_HTTP_DELETE,
        [LWSHUMETH_HEAD] = TR_HTTP_GET,
    };
    int n = lws_http_get_uri_and_method(http->wsi, uri, uri_len);
    if (n < 0 || n >= (int)(sizeof(methods) / sizeof(methods[0])) || !methods[n])
        return false;
    http->request.method = (enum tr_http_method)methods[n];
    http->request.head = n == LWSHUMETH_HEAD;
    return true;
}

static void take_client(struct tr_http *http)
{
    http->request.client = tr_web_client(http->listener->web, http->wsi);
    http->request.secure = lws_is_ssl(http->wsi) != 0;
}

/* The status that refuses the request at once, or 0. */
static int take_request(struct tr_http *http)
{
    char *uri = NULL;
    int uri_len = 0;

    http->request.http = http;
    if (!take_method(http, &uri, &uri_len))
        return 405;
    if (uri_len >= TR_HTTP_PATH_MAX)
        return 414;
    if (memchr(uri, 0, (size_t)uri_len))
        return 404; /* %00 */
    char *path = tr_arena_alloc(http->arena, (size_t)uri_len + 1);
    char *cut = tr_arena_alloc(http->arena, (size_t)uri_len + 1);
    if (!path || !cut)
        return 503;
    memcpy(path, uri, (size_t)uri_len);
    memcpy(cut, uri, (size_t)uri_len);
    http->request.path = path;
    take_headers(http);
    take_args(http);
    take_client(http);
    if (!http->listener->routes)
        return 403; /* a port for WebSocket */
    int status;
    http->route =
        tr_routes_match(http->listener->routes, http->request.method, cut, &http->request, &status);
    bool page = http->listener->kind == LISTEN_MAIN && http->request.method == TR_HTTP_GET &&
                status == 404 && http->listener->web->root >= 0;
    return http->route || page ? 0 : status;
}

static void refuse(struct tr_http *http, int status)
{
    static const struct {
        int status;
        const char *code, *message;
    } texts[] = {
        { 403, "forbidden", "This port speaks WebSocket (janus-protocol) only." },
        { 404, "not_found", "There is nothing here." },
        { 405, "method_not_allowed", "This method is not known here." },
        { 408, "timeout", "The body did not come in time." },
        { 411, "length_required", "The body has no Content-Length." },
        { 413, "too_large", "The body is too large." },
        { 414, "uri_too_long", "The path is too long." },
        { 503, "no_memory", "The server is out of memory." },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].status == status) {
            tr_http_reply_error(http, status, texts[i].code, texts[i].message);
            return;
        }
    tr_http_reply_empty(http, status);
}

static void dispatch(struct tr_http *http)
{
    struct tr_web *web = http->listener->web;

    if (http->dispatched || http->replied)
        return;
    http->dispatched = true;
    http->request.body = tr_slice(http->body, http->body_n);
    http->request.now = web_now(web);
    lws_set_timeout(http->wsi, NO_PENDING_TIMEOUT, 0); /* a long poll takes its time */
    /* Until then nothing is read: the library (4.1) would not read either, but spin. */
    lws_rx_flow_control(http->wsi, 0);
    if (http->route)
        http->route->handle(http->route->arg, &http->request);
    else
        tr_static_reply(web, &http->request);
}

static void start_body(struct tr_http *http, const char *length)
{
    const struct tr_route *route = http->route;
    size_t max = route && route->body_max ? route->body_max : http->listener->web->conf.body_max;
    unsigned long long n = strtoull(length, NULL, 10);

    http->body_max = max;
    if (n > max) {
        http->close = true;
        refuse(http, 413);
    } else if (n == 0) {
        dispatch(http);
    }
}

static int on_request(struct lws *wsi, struct slot *slot)
{
    slot_drop(slot); /* never with this library; cheap to be sure */
    struct tr_http *http = slot->http = http_new(wsi);
    if (!http)
        return -1;
    http->listener->web->counters.http_requests++;
    int status = take_request(http);
    const char *length = copy_header(http, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (copy_header(http, WSI_TOKEN_HTTP_TRANSFER_ENCODING)) {
        http->close = true;
        refuse(http, 411);
    } else if (status) {
        http->close = length != NULL; /* its body will not be read */
        refuse(http, status);
    } else if (length) {
        start_body(http, length);
    } else {
        dispatch(http);
    }
    return 0;
}

static int on_body(struct tr_http *http, const uint8_t *p, size_t n)
{
    struct tr_web *web = http->listener->web;

    if (http->replied || http->dispatched)
        return 0; /* of a request that is refused already */
    if (web_now(web) - http->started > HTTP_BODY_DEADLINE_S * TR_SECOND ||
        n > http->body_max - http->body_n) {
        http->close = true;
        refuse(http, n > http->body_max - http->body_n ? 413 : 408);
        return 0;
    }
    if (http->body_n + n > http->body_room) {
        size_t room = (http->body_n + n) * 2 > 4096 ? (http->body_n + n) * 2 : 4096;
        uint8_t *grown = http->body ? tr_realloc(http->body, room) : tr_alloc(room);
        if (!grown)
            return -1;
        http->body = grown;
        http->body_room = room;
    }
    memcpy(http->body + http->body_n, p, n);
    http->body_n += n;
    return 0;
}

/* A body ends once. The library (4.1) can be brought, by a request behind a broken one, to tell it
 * for ever; only the end of the connection gets it out of that loop. */
static int on_body_end(struct tr_http *http)
{
    if (http->body_ended)
        return -1;
    http->body_ended = true;
    dispatch(http);
    return 0;
}

const char *tr_http_arg(const struct tr_http_request *request, const char *name)
{
    const struct tr_http *http = request->http;
    size_t n = strlen(name);
    for (int i = 0; i < http->arg_count; i++)
        if (strncmp(http->args[i], name, n) == 0 && http->args[i][n] == '=')
            return http->args[i] + n + 1;
    return NULL;
}

uint64_t tr_http_arg_uint(const struct tr_http_request *request, const char *name,
                          uint64_t otherwise)
{
    const char *text = tr_http_arg(request, name);
    if (!text || strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 18)
        return otherwise;
    return strtoull(text, NULL, 10);
}

const char *tr_http_bearer(const struct tr_http_request *request)
{
    const char *text = request->headers[TR_HTTP_AUTHORIZATION];
    if (!text || strncasecmp(text, "Bearer ", 7) != 0)
        return NULL;
    text += 7;
    return text + strspn(text, " ");
}

/* --- the reply --- */

static bool begin_reply(struct tr_http *http, int status)
{
    struct tr_web *web = http->listener->web;

    if (http->replied)
        return false;
    http->replied = true;
    http->dispatched = true;
    http->status = status;
    web->counters.http_by_class[status / 100 % 6]++;
    tr_web_busy(web, 1);
    lws_rx_flow_control(http->wsi, 1); /* without it nothing can be written */
    lws_set_timeout(http->wsi, PENDING_TIMEOUT_HTTP_CONTENT, HTTP_IDLE_S);
    lws_callback_on_writable(http->wsi);
    return true;
}

/* The library wants names in lower case with their colon. */
static char *field_name(struct tr_arena *arena, const char *name)
{
    size_t n = strcspn(name, ":");
    char *out = tr_arena_alloc(arena, n + 2);
    for (size_t i = 0; out && i < n; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    if (out)
        out[n] = ':';
    return out;
}

void tr_http_add_header(struct tr_http *http, const char *name, const char *value)
{
    if (http->field_count == HTTP_HEADERS_MAX || !value || !tr_http_value_safe(value))
        return;
    const char *copy = tr_arena_strdup(http->arena, value);
    const char *field = field_name(http->arena, name);
    if (copy && field)
        http->fields[http->field_count++] = (struct tr_http_field){ field, copy };
}

void tr_http_reply_text(struct tr_http *http, int status, const char *type, struct tr_slice text)
{
    if (!begin_reply(http, status))
        return;
    http->type = type;
    http->out = text.n ? tr_alloc(text.n) : NULL;
    if (http->out) {
        memcpy(http->out, text.p, text.n);
        http->out_n = text.n;
    } else if (text.n) {
        http->status = 503;
    }
}

void tr_http_reply_json(struct tr_http *http, int status, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text)
        tr_http_reply_text(http, status, "application/json", tr_slice_str(text));
    else
        tr_http_reply_empty(http, 503);
    free(text); /* tidy: allow free - jansson hands out malloc memory */
}

void tr_http_reply_empty(struct tr_http *http, int status)
{
    begin_reply(http, status);
}

void tr_http_reply_error(struct tr_http *http, int status, const char *code, const char *message)
{
    tr_http_reply_json(http, status,
                       json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message));
}

void tr_http_reply_redirect(struct tr_http *http, const char *location)
{
    tr_http_add_header(http, "location", location);
    tr_http_reply_empty(http, 302);
}

tr_id tr_http_id(const struct tr_http *http)
{
    return http->id;
}

/* Whether the client's copy is still good. If-None-Match decides when it is there. */
static bool unchanged(const struct tr_http_request *request, const char *etag, const char *modified)
{
    const char *tags = request->headers[TR_HTTP_IF_NONE_MATCH];
    const char *since = request->headers[TR_HTTP_IF_MODIFIED_SINCE];
    if (tags)
        return tr_http_etag_in(tags, etag);
    return since && strcmp(since, modified) == 0;
}

static void take_file(struct tr_http *http, const struct tr_http_request *request,
                      const struct tr_http_file *file, uint64_t size, bool ranges)
{
    uint64_t first = 0, last = 0;
    char text[96];

    switch (ranges ? tr_http_range(request->headers[TR_HTTP_RANGE], size, &first, &last)
                   : TR_RANGE_NONE) {
    case TR_RANGE_NONE:
        if (begin_reply(http, 200))
            http->file_end = size;
        break;
    case TR_RANGE_ONE:
        snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)first,
                 (unsigned long long)last, (unsigned long long)size);
        tr_http_add_header(http, "content-range", text);
        if (begin_reply(http, 206)) {
            http->file_pos = first;
            http->file_end = last + 1;
        }
        break;
    case TR_RANGE_UNSATISFIABLE:
        snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
        tr_http_add_header(http, "content-range", text);
        begin_reply(http, 416);
        break;
    }
    http->type = file->type;
}

void tr_http_reply_file(struct tr_http *http, const struct tr_http_request *request,
                        const struct tr_http_file *file)
{
    struct stat st;
    char etag[64], modified[TR_HTTP_DATE_MAX], name[160];

    if (http->replied || fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(file->fd);
        refuse(http, 404);
        return;
    }
    http->fd = file->fd;
    snprintf(etag, sizeof(etag), "\"%llx-%lx-%llx\"", (unsigned long long)st.st_mtim.tv_sec,
             (unsigned long)st.st_mtim.tv_nsec, (unsigned long long)st.st_size);
    tr_http_date(modified, st.st_mtim.tv_sec);
    tr_http_add_header(http, "etag", etag);
    tr_http_add_header(http, "last-modified", modified);
    tr_http_add_header(http, "accept-ranges", "bytes");
    tr_http_add_header(http, "cache-control",
                       file->no_store    ? "private, no-store"
                       : file->immutable ? "public, max-age=31536000, immutable"
                                         : "no-cache");
    if (file->name) {
        tr_http_disposition(name, sizeof(name), file->name);
        tr_http_add_header(http, "content-disposition", name);
    }
    if (unchanged(request, etag, modified)) {
        tr_http_reply_empty(http, 304);
        return;
    }
    const char *if_range = request->headers[TR_HTTP_IF_RANGE];
    bool ranges = !if_range || strcmp(if_range, etag) == 0 || strcmp(if_range, modified) == 0;
    take_file(http, request, file, (uint64_t)st.st_size, ranges);
}

/* --- out --- */

static const struct tr_http_field safe_fields[] = {
    { "x-content-type-options:", "nosniff" },
    { "referrer-policy:", "no-referrer" },
    { "content-security-policy:",
      "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; "
      "img-src 'self' data:; frame-ancestors 'none'" },
};

static bool put_field(struct lws *wsi, const struct tr_http_field *field, uint8_t **p, uint8_t *end)
{
    return lws_add_http_header_by_name(wsi, (const uint8_t *)field->name,
                                       (const uint8_t *)field->value, (int)strlen(field->value), p,
                                       end) == 0;
}

static uint64_t reply_length(const struct tr_http *http)
{
    return http->fd >= 0 ? http->file_end - http->file_pos : http->out_n;
}

/* Without the body: HEAD, and where there is none by definition. */
static bool bodyless(const struct tr_http *http)
{
    return http->request.head || http->status == 204 || http->status == 304;
}

static int send_headers(struct tr_http *http)
{
    struct tr_web *web = http->listener->web;
    struct lws *wsi = http->wsi;
    uint8_t *start = web->scratch + LWS_PRE, *p = start;
    uint8_t *end = web->scratch + sizeof(web->scratch) - 1;
    bool ok = lws_add_http_header_status(wsi, (unsigned)http->status, &p, end) == 0;
    const struct tr_http_field type = { "content-type:", http->type };
    const struct tr_http_field close_field = { "connection:", "close" };

    if (http->type)
        ok = ok && put_field(wsi, &type, &p, end);
    for (size_t i = 0; i < sizeof(safe_fields) / sizeof(safe_fields[0]); i++)
        ok = ok && put_field(wsi, &safe_fields[i], &p, end);
    for (int i = 0; i < http->field_count; i++)
        ok = ok && put_field(wsi, &http->fields[i], &p, end);
    if (http->close)
        ok = ok && put_field(wsi, &close_field, &p, end);
    if (http->status != 204 && http->status != 304)
        ok = ok && lws_add_http_header_content_length(wsi, reply_length(http), &p, end) == 0;
    ok = ok && lws_finalize_http_header(wsi, &p, end) == 0;
    http->headers_sent = true;
    return ok && lws_write(wsi, start, (size_t)(p - start), LWS_WRITE_HTTP_HEADERS) >= 0 ? 0 : -1;
}

/* The next piece into scratch; its length, 0 at the end, -1 when a file is shorter than it was. */
static ssize_t next_piece(struct tr_http *http, bool *last)
{
    uint8_t *to = http->listener->web->scratch + LWS_PRE;
    ssize_t n = 0;

    if (http->fd >= 0) {
        uint64_t left = http->file_end - http->file_pos;
        size_t want = left < HTTP_WRITE_CHUNK ? (size_t)left : HTTP_WRITE_CHUNK;
        n = want ? pread(http->fd, to, want, (off_t)http->file_pos) : 0;
        if (want && n <= 0)
            return -1;
        http->file_pos += (uint64_t)n;
        *last = http->file_pos == http->file_end;
    } else {
        size_t left = http->out_n - http->out_pos;
        n = left < HTTP_WRITE_CHUNK ? (ssize_t)left : HTTP_WRITE_CHUNK;
        if (n > 0)
            memcpy(to, http->out + http->out_pos, (size_t)n);
        http->out_pos += (size_t)n;
        *last = http->out_pos == http->out_n;
    }
    return n;
}

static int finish(struct slot *slot)
{
    struct lws *wsi = slot->http->wsi;
    bool end = slot->http->close;
    slot_drop(slot);
    return end || lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int on_writable(struct slot *slot)
{
    struct tr_http *http = slot->http;
    bool last = false;

    if (!http->replied)
        return 0;
    if (!http->headers_sent) {
        if (send_headers(http) != 0)
            return -1;
        if (bodyless(http) || reply_length(http) == 0)
            return finish(slot);
        lws_callback_on_writable(http->wsi);
        return 0;
    }
    ssize_t n = next_piece(http, &last);
    if (n < 0)
        return -1;
    lws_set_timeout(http->wsi, PENDING_TIMEOUT_HTTP_CONTENT, HTTP_IDLE_S);
    if (lws_write(http->wsi, http->listener->web->scratch + LWS_PRE, (size_t)n,
                  last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    if (last)
        return finish(slot);
    lws_callback_on_writable(http->wsi);
    return 0;
}

/* The library (4.1) spins on a client that sends or closes while its reply is on the way and is not
 * being taken: it neither reads that nor waits. Such connections are put to sleep, again and again,
 * which leaves a few percent of the spinning and loses nothing. */
void tr_http_nap(struct tr_web *web)
{
    web->nap_until = web_now(web) + NAP_US;
    for (tr_id id = 0; (id = tr_idtab_next(web->requests, id));) {
        struct tr_http *http = tr_idtab_get(web->requests, id);
        if (http->headers_sent)
            lws_rx_flow_control(http->wsi, 0);
    }
}

void tr_http_nap_end(struct tr_web *web)
{
    web->nap_until = 0;
    for (tr_id id = 0; (id = tr_idtab_next(web->requests, id));) {
        struct tr_http *http = tr_idtab_get(web->requests, id);
        if (http->headers_sent)
            lws_rx_flow_control(http->wsi, 1);
    }
}

/* --- callbacks --- */

/* A WebSocket without our sub-protocol lands here: refused. So is h2c. */
static int on_upgrade(struct lws *wsi, const char *kind)
{
    return kind && strcmp(kind, "websocket") == 0 &&
                   lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) > 0
               ? 0
               : -1;
}

static int on_connection(struct lws *wsi, enum lws_callback_reasons reason)
{
    struct listener *listener = tr_web_listener(wsi);
    struct tr_web_counters *c = listener ? &listener->web->counters : NULL;

    if (!c)
        return 0;
    if (reason == LWS_CALLBACK_WSI_CREATE)
        c->connections++;
    else if (reason == LWS_CALLBACK_WSI_DESTROY)
        c->connections--;
    else if (c->connections >= listener->web->conf.connections_max) {
        c->refused_connections++;
        return -1;
    }
    return 0;
}

/* Loopback may be a proxy that brings everybody. */
static int on_arrival(struct lws *wsi, struct listener *listener)
{
    const struct tr_addr addr = tr_web_peer(wsi);
    struct tr_web *web = listener->web;

    if (tr_addr_is_loopback(&addr) || tr_web_trusted(web, &addr))
        return 0;
    struct tr_crowd_source *source = tr_crowd_enter(web->crowd, &addr);
    lws_set_opaque_user_data(wsi, source);
    if (!source)
        web->counters.refused_connections++;
    return source ? 0 : -1;
}

static int on_departure(struct lws *wsi, struct listener *listener)
{
    if (listener) {
        tr_crowd_leave(listener->web->crowd, lws_get_opaque_user_data(wsi));
        lws_set_opaque_user_data(wsi, NULL);
    }
    return on_connection(wsi, LWS_CALLBACK_WSI_DESTROY);
}

int tr_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                     size_t len)
{
    struct slot *slot = user;
    struct listener *listener = tr_web_listener(wsi);

    if (listener && reason != LWS_CALLBACK_EVENT_WAIT_CANCELLED)
        listener->web->callbacks++;
    switch ((int)reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
    case LWS_CALLBACK_WSI_CREATE: return on_connection(wsi, reason);
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        return tr_web_tls_made(lws_vhost_user(in), user);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return on_upgrade(wsi, in);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return -1;
    case LWS_CALLBACK_HTTP: return on_request(wsi, slot);
    case LWS_CALLBACK_HTTP_BODY: return slot->http ? on_body(slot->http, in, len) : -1;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION: return slot->http ? on_body_end(slot->http) : -1;
    case LWS_CALLBACK_HTTP_WRITEABLE: return slot && slot->http ? on_writable(slot) : 0;
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL: slot_drop(slot); return 0;
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return listener ? on_arrival(wsi, listener) : 0;
    case LWS_CALLBACK_WSI_DESTROY: return on_departure(wsi, listener);
    default: return 0;
    }
}

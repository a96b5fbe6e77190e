/* The endpoints of the Admin port; shapes and units in doc/api/operators.md.
 *
 *   GET /api/v1/here                                      204; needs no secret
 *   GET /api/v1/server
 *   GET /api/v1/connections?q=&limit=
 *   GET /api/v1/connections/<session>/<handle>            asks its media worker: up to 2 s
 *   GET /api/v1/connections/<session>/<handle>/samples
 *   GET /api/v1/past-connections?q=&call=&before=&limit=
 *   GET /api/v1/past-connections/<id>
 *
 * All others want "Authorization: Bearer <Admin secret>". A header, so that the secret stands in no
 * address, log or history, and no page of another site can have it sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "gateway/transport/web.h"
#include "media/media.h"
#include "ops/ops_int.h"
#include "store/calls.h"

enum { ROWS_DEFAULT = 500, ROWS_MAX = 2000, PAST_DEFAULT = 50, QUERY_MAX = 128 };

#define VIEW_US (2 * TR_SECOND)

/* --- who may --- */

static bool refused(const struct tr_ops *ops, const struct tr_http_request *request)
{
    tr_http_add_header(request->http, "cache-control", "no-store");
    switch ((int)tr_gateway_admin_check(ops->conf.gw, &request->client, tr_http_bearer(request),
                                        request->now)) {
    case TR_OK: return false;
    case TR_ERR_LIMIT:
        tr_http_add_header(request->http, "retry-after", "1");
        tr_http_reply_error(request->http, 429, "too_many",
                            "Too many wrong secrets came from here.");
        return true;
    default:
        tr_http_reply_error(request->http, 403, "forbidden", "Send the Admin secret.");
        return true;
    }
}

static void not_found(const struct tr_http_request *request)
{
    tr_http_reply_error(request->http, 404, "not_found", "There is no such connection.");
}

static uint32_t limit_of(const struct tr_http_request *request, uint32_t otherwise, uint32_t max)
{
    uint64_t limit = tr_http_arg_uint(request, "limit", otherwise);
    return limit < 1 ? 1 : limit > max ? max : (uint32_t)limit;
}

/* What is searched for; NULL: nothing, or too long to be anything. */
static const char *text_arg(const struct tr_http_request *request, const char *name)
{
    const char *text = tr_http_arg(request, name);
    return text && *text && strlen(text) < QUERY_MAX ? text : NULL;
}

/* For the page: so that it asks nobody for the secret where it is of no use. */
static void get_here(void *arg, const struct tr_http_request *request)
{
    tr_http_reply_empty(request->http, 204);
}

/* --- the server --- */

static json_t *drops_json(const uint64_t drops[TR_DROP_COUNT])
{
    json_t *o = json_object();
    for (int i = 0; i < TR_DROP_COUNT; i++)
        json_object_set_new(o, tr_drop_name((enum tr_drop)i), json_integer((json_int_t)drops[i]));
    return o;
}

static json_t *counters_json(const struct tr_media_counters *c)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "datagrams_in", c->datagrams_in },
        { "bytes_in", c->bytes_in },
        { "datagrams_out", c->datagrams_out },
        { "bytes_out", c->bytes_out },
        { "sends", c->sends },
        { "receives", c->receives },
        { "rtp_in", c->rtp_in },
        { "rtp_out", c->rtp_out },
        { "retransmitted", c->rtx_out },
        { "nacks_in", c->nacks_in },
        { "nacks_out", c->nacks_out },
        { "plis_in", c->plis_in },
        { "plis_out", c->plis_out },
        { "peers", c->peers },
        { "routes", c->routes },
        { "packets_in_use", c->packets_in_use },
    };
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_object_set_new(o, rows[i].name, json_integer((json_int_t)rows[i].value));
    json_object_set_new(o, "drops", drops_json(c->drops));
    return o;
}

static json_t *workers_json(const struct tr_ops *ops)
{
    json_t *list = json_array();
    struct tr_media_counters c;
    for (int i = 0; tr_media_worker_counters(ops->conf.media, i, &c); i++)
        json_array_append_new(list, counters_json(&c));
    return list;
}

/* Of this process, in bytes; 0: not known. */
static int64_t memory_used(void)
{
    char line[128] = "";
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && !fgets(line, sizeof line, f))
        line[0] = '\0';
    if (f)
        fclose(f);
    const char *resident = strchr(line, ' '); /* the second number, in pages */
    return resident ? strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static void get_server(void *arg, const struct tr_http_request *request)
{
    const struct tr_ops *ops = arg;
    struct tr_media_counters all;
    struct tr_gateway_counters gw;
    if (refused(ops, request))
        return;
    tr_media_counters(ops->conf.media, &all);
    tr_gateway_counters(ops->conf.gw, &gw);
    tr_http_reply_json(
        request->http, 200,
        json_pack(
            "{s:s, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I, "
            "s:I, s:I, s:I}}",
            "version", ops->version, "now_ms", (json_int_t)(ops->conf.unix_us() / 1000), "uptime_s",
            (json_int_t)((request->now - ops->started) / TR_SECOND), "memory_bytes",
            (json_int_t)memory_used(), "accepting", tr_gateway_accepting(ops->conf.gw), "sessions",
            (json_int_t)gw.sessions, "handles", (json_int_t)gw.handles, "peers",
            (json_int_t)gw.peers, "auth_failures", (json_int_t)gw.auth_failures, "rate_limited",
            (json_int_t)gw.rate_limited, "media", counters_json(&all), "workers", workers_json(ops),
            "watching", "peers", (json_int_t)tr_map_count(ops->by_peer), "interval_ms",
            (json_int_t)(TR_OPS_SAMPLE_US / 1000), "samples", (json_int_t)ops->counters.samples,
            "unwatched", (json_int_t)ops->counters.unwatched, "written",
            (json_int_t)ops->counters.written, "lost", (json_int_t)ops->counters.lost));
}

/* --- connections of now --- */

struct listing {
    struct tr_ops *ops;
    const char *text; /* NULL: all */
    uint32_t limit, total, matching;
    tr_usec now;
    int64_t unix_us;
    json_t *rows;
};

static bool contains(const char *text, const char *part)
{
    return text && strcasestr(text, part) != NULL;
}

static bool matches(const char *text, const struct tr_handle_facts *facts,
                    const struct ops_who *who, const struct ops_watched *w)
{
    char id[24], session[24];
    snprintf(id, sizeof id, "%llu", (unsigned long long)facts->handle);
    snprintf(session, sizeof session, "%llu", (unsigned long long)facts->session);
    return !text || contains(who->user, text) || contains(who->room, text) ||
           contains(who->peer, text) || contains(facts->plugin, text) ||
           contains(facts->opaque_id, text) || (w && contains(w->client, text)) ||
           (w && contains(w->call, text)) || strcmp(id, text) == 0 || strcmp(session, text) == 0;
}

static json_t *row_json(const struct listing *list, const struct tr_handle_facts *facts,
                        const struct ops_who *who, const struct ops_watched *w)
{
    char client[TR_ADDR_STR_MAX] = "";
    const char *ice = w && w->ice_state ? w->ice_state : "new";
    if (!tr_addr_is_any(&facts->client))
        tr_addr_ip_str(&facts->client, client);
    else if (w)
        snprintf(client, sizeof client, "%s", w->client);
    return json_pack(
        "{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:s, s:s, s:o}", "session_id",
        (json_int_t)facts->session, "handle_id", (json_int_t)facts->handle, "plugin", facts->plugin,
        "who", who->user, "peer", who->peer, "room", who->room, "role", who->role, "opaque_id",
        facts->opaque_id ? facts->opaque_id : "", "call", w ? w->call : "", "client", client,
        "created_ms", (json_int_t)((list->unix_us - (list->now - facts->created)) / 1000), "up_ms",
        facts->up ? json_integer((list->unix_us - (list->now - facts->up)) / 1000) : json_null(),
        "state",
        !facts->peer ? "idle"
        : facts->up  ? "up"
                     : "connecting",
        "ice_state", facts->peer ? ice : "", "latest",
        w && w->count ? ops_sample_json(ops_ring_get(w, w->count - 1)) : json_null());
}

static bool list_one(void *arg, struct tr_handle *handle)
{
    struct listing *list = arg;
    struct tr_handle_facts facts;
    struct ops_who who = { 0 };
    tr_handle_facts(handle, &facts);
    const struct ops_watched *w = facts.peer ? ops_find(list->ops, facts.peer) : NULL;
    json_t *query = tr_handle_query(handle);
    ops_who_read(&who, query);
    json_decref(query);
    list->total++;
    if (!matches(list->text, &facts, &who, w))
        return true;
    if (list->matching++ < list->limit)
        json_array_append_new(list->rows, row_json(list, &facts, &who, w));
    return true;
}

static void list_connections(void *arg, const struct tr_http_request *request)
{
    struct tr_ops *ops = arg;
    struct tr_gateway_counters gw;
    if (refused(ops, request))
        return;
    struct listing list = { .ops = ops,
                            .text = text_arg(request, "q"),
                            .limit = limit_of(request, ROWS_DEFAULT, ROWS_MAX),
                            .now = request->now,
                            .unix_us = ops->conf.unix_us(),
                            .rows = json_array() };
    tr_gateway_each_handle(ops->conf.gw, list_one, &list);
    tr_gateway_counters(ops->conf.gw, &gw);
    tr_http_reply_json(request->http, 200,
                       json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "now_ms",
                                 (json_int_t)(list.unix_us / 1000), "sessions",
                                 (json_int_t)gw.sessions, "handles", (json_int_t)list.total,
                                 "peers", (json_int_t)gw.peers, "matching",
                                 (json_int_t)list.matching, "connections", list.rows));
}

/* An id of the path; 0: it is none. */
static uint64_t id_param(const struct tr_http_request *request, int i)
{
    char *end;
    const char *text = request->params[i];
    uint64_t id = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    return id > 0 && *end == '\0' && id < 1ull << 53 ? id : 0;
}

static struct tr_handle *find_handle(const struct tr_ops *ops,
                                     const struct tr_http_request *request)
{
    uint64_t session = id_param(request, 0), handle = id_param(request, 1);
    struct tr_handle *found =
        session && handle ? tr_handle_find(ops->conf.gw, session, handle) : NULL;
    if (!found)
        not_found(request);
    return found;
}

static void reply_view(struct tr_ops *ops, struct tr_http *http, struct tr_handle *handle,
                       const struct tr_media_peer_stats *stats, tr_usec now)
{
    struct tr_handle_facts facts;
    tr_handle_facts(handle, &facts);
    const struct ops_watched *w = facts.peer ? ops_find(ops, facts.peer) : NULL;
    tr_http_reply_json(http, 200,
                       json_pack("{s:I, s:s, s:o}", "now_ms",
                                 (json_int_t)(ops->conf.unix_us() / 1000), "call", w ? w->call : "",
                                 "info", tr_handle_describe(handle, stats, now)));
}

void ops_view_answer(struct tr_ops *ops, struct ops_view *view,
                     const struct tr_media_peer_stats *stats, tr_usec now)
{
    struct tr_http *http = tr_web_http(ops->conf.web, view->http);
    struct tr_handle *handle = tr_handle_find(ops->conf.gw, view->session, view->handle);
    if (http && handle)
        reply_view(ops, http, handle, stats, now);
    else if (http)
        tr_http_reply_error(http, 404, "not_found", "The connection has just ended.");
    TAILQ_REMOVE(&ops->views, view, link);
    ops->views_count--;
    tr_free(view);
}

static void get_connection(void *arg, const struct tr_http_request *request)
{
    struct tr_ops *ops = arg;
    struct tr_handle_facts facts;
    struct tr_handle *handle = refused(ops, request) ? NULL : find_handle(ops, request);
    if (!handle)
        return;
    tr_handle_facts(handle, &facts);
    if (!facts.peer) {
        reply_view(ops, request->http, handle, NULL, request->now);
        return;
    }
    struct ops_view *view = ops->views_count < TR_OPS_VIEWS_MAX ? tr_alloc(sizeof *view) : NULL;
    if (!view) {
        tr_http_reply_error(request->http, 503, "busy", "Too many requests wait for the workers.");
        return;
    }
    view->cookie = ops->next_view++;
    view->session = facts.session;
    view->handle = facts.handle;
    view->http = tr_http_id(request->http);
    view->deadline = request->now + VIEW_US;
    TAILQ_INSERT_TAIL(&ops->views, view, link);
    ops->views_count++;
    tr_media_query(ops->conf.media, facts.peer, view->cookie);
}

static void get_samples(void *arg, const struct tr_http_request *request)
{
    const struct tr_ops *ops = arg;
    struct tr_handle_facts facts;
    const struct tr_handle *handle = refused(ops, request) ? NULL : find_handle(ops, request);
    if (!handle)
        return;
    tr_handle_facts(handle, &facts);
    const struct ops_watched *w = facts.peer ? ops_find(ops, facts.peer) : NULL;
    const struct ops_watched none = { 0 };
    json_t *series = ops_series_json(w ? w : &none, TR_OPS_SAMPLES_MAX);
    json_object_set_new(series, "interval_ms", json_integer(TR_OPS_SAMPLE_US / 1000));
    tr_http_reply_json(request->http, 200, series);
}

/* --- those that are over --- */

static json_t *past_json(const struct tr_connection *c)
{
    json_t *o = json_loads(c->summary, 0, NULL);
    if (!json_is_object(o)) { /* somebody wrote into the database */
        json_decref(o);
        o = json_object();
    }
    json_object_update_new(o, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:I}", "id",
                                        c->id, "plugin", c->plugin, "call", c->call, "room",
                                        c->room, "who", c->who, "reason", c->reason, "started_ms",
                                        (json_int_t)(c->started_us / 1000), "up_ms",
                                        c->up_us ? json_integer(c->up_us / 1000) : json_null(),
                                        "ended_ms", (json_int_t)(c->ended_us / 1000)));
    return o;
}

static void append_past(void *user, const struct tr_connection *c)
{
    json_array_append_new(user, past_json(c));
}

static void keep_row(void *user, const struct tr_connection *c)
{
    *(struct tr_connection *)user = *c;
}

static void reply_unreadable(const struct tr_http_request *request)
{
    tr_http_reply_error(request->http, 500, "internal", "The summaries cannot be read.");
}

static void list_past(void *arg, const struct tr_http_request *request)
{
    const struct tr_ops *ops = arg;
    const char *before = text_arg(request, "before");
    struct tr_connection last;
    struct tr_connection_filter filter = {
        .text = text_arg(request, "q"),
        .call = text_arg(request, "call"),
        .limit = limit_of(request, PAST_DEFAULT, TR_CONNECTIONS_LIST_MAX),
    };
    if (refused(ops, request))
        return;
    if (before) {
        if (tr_connections_get(ops->conf.db, before, keep_row, &last) != TR_OK) {
            tr_http_reply_error(request->http, 400, "bad_request", "before: no such connection.");
            return;
        }
        filter.before_us = last.ended_us;
        filter.before_id = last.id;
    }
    json_t *rows = json_array();
    if (tr_connections_list(ops->conf.db, &filter, append_past, rows) == TR_OK) {
        tr_http_reply_json(request->http, 200, json_pack("{s:o}", "connections", rows));
        return;
    }
    json_decref(rows);
    reply_unreadable(request);
}

static void fill_past(void *user, const struct tr_connection *c)
{
    json_t *o = past_json(c);
    json_t *series = json_loads(c->series, 0, NULL);
    json_object_set_new(o, "series", json_is_object(series) ? json_incref(series) : json_object());
    json_decref(series);
    *(json_t **)user = o;
}

static json_t *call_json(const struct tr_ops *ops, const char *id)
{
    struct tr_call call;
    if (!id || !*id || tr_calls_get(ops->conf.db, id, &call) != TR_OK)
        return json_null();
    return json_pack("{s:s, s:s%, s:s%, s:s}", "id", call.id, "caller", call.caller,
                     strlen(call.caller), "callee", call.callee, strlen(call.callee), "recording",
                     tr_call_rec_str(call.rec));
}

static void get_past(void *arg, const struct tr_http_request *request)
{
    const struct tr_ops *ops = arg;
    json_t *found = NULL;
    if (refused(ops, request))
        return;
    enum tr_err err = tr_connections_get(ops->conf.db, request->params[0], fill_past, &found);
    if (err == TR_ERR_NOTFOUND) {
        not_found(request);
    } else if (err != TR_OK || !found) {
        reply_unreadable(request);
    } else {
        json_object_set_new(found, "of_call",
                            call_json(ops, json_string_value(json_object_get(found, "call"))));
        tr_http_reply_json(request->http, 200, found);
    }
}

enum tr_err ops_routes(struct tr_ops *ops)
{
    const struct tr_route rows[] = {
        { TR_HTTP_GET, "/api/v1/here", 0, get_here, ops },
        { TR_HTTP_GET, "/api/v1/server", 0, get_server, ops },
        { TR_HTTP_GET, "/api/v1/connections", 0, list_connections, ops },
        { TR_HTTP_GET, "/api/v1/connections/:session/:handle", 0, get_connection, ops },
        { TR_HTTP_GET, "/api/v1/connections/:session/:handle/samples", 0, get_samples, ops },
        { TR_HTTP_GET, "/api/v1/past-connections", 0, list_past, ops },
        { TR_HTTP_GET, "/api/v1/past-connections/:id", 0, get_past, ops },
    };
    return tr_routes_add(ops->conf.routes, rows, TR_ARRAY_LEN(rows));
}

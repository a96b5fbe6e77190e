/* Reports of /diag; see diag.h. Anybody may hand one in, so what it costs is bounded before it is
 * looked at: by the route's body limit, by address, and by all addresses together, as each one
 * kept is a write to the disk. A page of another site cannot have its visitors send them:
 * application/json makes a browser ask first, and nobody answers.
 *
 * What is in a report is the page's affair: any object with a verdict. It is parsed and printed
 * again, so what an admin gets is JSON and nothing else. */
#include "contact/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gateway/gateway.h"
#include "gateway/inspect.h"
#include "gateway/json.h"
#include "gateway/ratelimit.h"
#include "gateway/transport/routes.h"
#include "net/log.h"
#include "store/reports.h"

enum { LIST_DEFAULT = 50 };

struct tr_diag {
    struct tr_diag_conf conf;
    struct tr_ratelimit *by_address, *all;
    struct tr_diag_counters counters;
};

/* --- a report comes --- */

static bool is_json(const struct tr_http_request *request)
{
    static const char json[] = "application/json";
    const char *type = request->headers[TR_HTTP_CONTENT_TYPE];
    size_t n = sizeof json - 1;
    return type && strncasecmp(type, json, n) == 0 && (!type[n] || strchr("; \t", type[n]));
}

static bool in_time(struct tr_diag *d, const struct tr_http_request *request)
{
    static const struct tr_addr everybody;
    return tr_ratelimit_take(d->by_address, &request->client, request->now) &&
           tr_ratelimit_take(d->all, &everybody, request->now);
}

/* "192.0.2.0/24", "2001:db8:1::/48": enough to see whose network it was. */
static void network_of(const struct tr_addr *client, char out[TR_REPORT_SOURCE_MAX])
{
    struct tr_addr net = *client;
    char text[TR_ADDR_STR_MAX];
    bool v4 = tr_addr_is_v4(client);
    if (v4)
        net.ip[15] = 0;
    else
        memset(net.ip + 6, 0, 10);
    snprintf(out, TR_REPORT_SOURCE_MAX, "%.50s/%d", tr_addr_ip_str(&net, text), v4 ? 24 : 48);
}

static bool is_word(const char *text)
{
    return text && *text && strlen(text) < TR_REPORT_VERDICT_MAX &&
           !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

/* The body as compact JSON (to be freed with free) and its verdict; NULL: it is no report. */
static char *read_report(struct tr_slice body, char verdict[TR_REPORT_VERDICT_MAX])
{
    if (tr_json_too_deep(body, TR_GATEWAY_JSON_DEPTH_MAX))
        return NULL;
    json_t *report = json_loadb((const char *)body.p, body.n, 0, NULL);
    const char *word = json_string_value(json_object_get(report, "verdict"));
    char *text = NULL;
    if (is_word(word)) {
        snprintf(verdict, TR_REPORT_VERDICT_MAX, "%s", word);
        text = json_dumps(report, JSON_COMPACT);
    }
    json_decref(report);
    return text;
}

static void refuse_bad(struct tr_diag *d, const struct tr_http_request *request, int status,
                       const char *code, const char *message)
{
    d->counters.refused_bad++;
    tr_http_reply_error(request->http, status, code, message);
}

static void keep(struct tr_diag *d, const struct tr_http_request *request, struct tr_report *report,
                 const char *text)
{
    report->at_us = d->conf.unix_us();
    network_of(&request->client, report->source);
    enum tr_err err = tr_reports_put(d->conf.db, d->conf.rng, report, text);
    if (err == TR_ERR_LIMIT) {
        refuse_bad(d, request, 413, "too_large", "The report is too large.");
        return;
    }
    if (err != TR_OK) {
        d->counters.failed++;
        tr_log(TR_LOG_ERROR, "diag", "a report is not kept error=\"%s\"", tr_sql_error(d->conf.db));
        tr_http_reply_error(request->http, 500, "internal", "The report cannot be kept now.");
        return;
    }
    d->counters.kept++;
    tr_log(TR_LOG_INFO, "diag", "a report code=%s verdict=%s from=%s", report->code,
           report->verdict, report->source);
    tr_http_reply_json(request->http, 201,
                       json_pack("{s:s s:I}", "code", report->code, "kept_until_ms",
                                 (json_int_t)((report->at_us + TR_REPORT_KEEP_US) / 1000)));
}

static void post_report(void *arg, const struct tr_http_request *request)
{
    struct tr_diag *d = arg;
    struct tr_report report = { 0 };
    tr_http_add_header(request->http, "Cache-Control", "no-store");
    if (!is_json(request)) {
        refuse_bad(d, request, 415, "not_json", "Send it as application/json.");
        return;
    }
    if (!in_time(d, request)) {
        d->counters.refused_rate++;
        tr_http_add_header(request->http, "Retry-After", "20");
        tr_http_reply_error(request->http, 429, "too_many", "Too many reports; wait a little.");
        return;
    }
    char *text = read_report(request->body, report.verdict);
    if (text)
        keep(d, request, &report, text);
    else
        refuse_bad(d, request, 400, "bad_request", "This is no report.");
    free(text); /* tidy: allow free - jansson hands out malloc memory */
}

/* --- an admin reads --- */

static bool refused(const struct tr_diag *d, const struct tr_http_request *request)
{
    enum tr_err err =
        tr_gateway_admin_check(d->conf.gw, &request->client, tr_http_bearer(request), request->now);
    tr_http_add_header(request->http, "Cache-Control", "no-store");
    if (err == TR_ERR_LIMIT)
        tr_http_reply_error(request->http, 429, "too_many", "Too many wrong secrets; wait.");
    else if (err != TR_OK)
        tr_http_reply_error(request->http, 403, "forbidden", "Send the Admin secret.");
    return err != TR_OK;
}

static json_t *report_json(const struct tr_report *report)
{
    return json_pack("{s:s s:I s:s s:s}", "code", report->code, "at_ms",
                     (json_int_t)(report->at_us / 1000), "source", report->source, "verdict",
                     report->verdict);
}

static void append(void *user, const struct tr_report *report)
{
    json_array_append_new(user, report_json(report));
}

static void list_reports(void *arg, const struct tr_http_request *request)
{
    const struct tr_diag *d = arg;
    if (refused(d, request))
        return;
    uint64_t limit = tr_http_arg_uint(request, "limit", LIST_DEFAULT);
    json_t *list = json_array();
    uint32_t count = (uint32_t)(limit < TR_REPORTS_LIST_MAX ? limit : TR_REPORTS_LIST_MAX);
    if (tr_reports_list(d->conf.db, d->conf.unix_us(), count, append, list) == TR_OK) {
        tr_http_reply_json(request->http, 200, json_pack("{s:o}", "reports", list));
        return;
    }
    json_decref(list);
    tr_http_reply_error(request->http, 500, "internal", "The reports cannot be read.");
}

static void reply_report(struct tr_diag *d, const struct tr_http_request *request, const char *code,
                         char *body)
{
    struct tr_report report;
    enum tr_err err = tr_reports_get(d->conf.db, d->conf.unix_us(), code, &report, body);
    if (err == TR_ERR_NOTFOUND) {
        tr_http_reply_error(request->http, 404, "not_found", "There is no report with this code.");
        return;
    }
    json_t *content = err ? NULL : json_loads(body, 0, NULL);
    if (!content) {
        tr_http_reply_error(request->http, 500, "internal", "The report cannot be read.");
        return;
    }
    json_t *reply = report_json(&report);
    json_object_set_new(reply, "report", content);
    tr_http_reply_json(request->http, 200, reply);
}

static void get_report(void *arg, const struct tr_http_request *request)
{
    struct tr_diag *d = arg;
    char code[TR_REPORT_CODE_MAX];
    if (refused(d, request))
        return;
    char *body = tr_alloc(TR_REPORT_BODY_MAX);
    if (!body)
        tr_http_reply_error(request->http, 500, "internal", "Out of memory.");
    else if (!tr_report_code_read(request->params[0], code))
        tr_http_reply_error(request->http, 404, "not_found", "This is no code.");
    else
        reply_report(d, request, code, body);
    tr_free(body);
}

/* --- life --- */

static enum tr_err init(struct tr_diag *d, const struct tr_diag_conf *conf)
{
    d->conf = *conf;
    d->by_address = tr_ratelimit_create_every(TR_DIAG_INTERVAL_US, TR_DIAG_BURST,
                                              TR_DIAG_SOURCES_MAX, tr_rng_u64(conf->rng));
    d->all = tr_ratelimit_create_every(TR_DIAG_ALL_INTERVAL_US, TR_DIAG_ALL_BURST, 1, 0);
    if (!d->by_address || !d->all)
        return TR_ERR_NOMEM;
    const char *const path = "/api/v1/diag-reports";
    const struct tr_route post = { TR_HTTP_POST, path, TR_REPORT_BODY_MAX - 1, post_report, d };
    const struct tr_route reads[] = {
        { TR_HTTP_GET, path, 0, list_reports, d },
        { TR_HTTP_GET, "/api/v1/diag-reports/:code", 0, get_report, d },
    };
    enum tr_err err = tr_reports_init(conf->db);
    if (!err)
        err = tr_routes_add(conf->routes, &post, 1);
    return err ? err : tr_routes_add(conf->admin_routes, reads, TR_ARRAY_LEN(reads));
}

enum tr_err tr_diag_create(struct tr_diag **out, const struct tr_diag_conf *conf)
{
    struct tr_diag *d = tr_alloc(sizeof *d);
    if (!d)
        return TR_ERR_NOMEM;
    enum tr_err err = init(d, conf);
    if (err) {
        tr_diag_destroy(d);
        return err;
    }
    *out = d;
    return TR_OK;
}

void tr_diag_destroy(struct tr_diag *d)
{
    if (!d)
        return;
    tr_ratelimit_destroy(d->by_address);
    tr_ratelimit_destroy(d->all);
    tr_free(d);
}

void tr_diag_counters(const struct tr_diag *d, struct tr_diag_counters *out)
{
    *out = d->counters;
}

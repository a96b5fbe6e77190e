/* /api: what the agent page reads.
 *
 *   GET  /api/calls?limit=50&before=<id>      {"calls":[call ...]}, newest first; before: the last
 *                                             id of the page before
 *   GET  /api/calls/<id>                      call
 *   GET  /api/calls/<id>/recording.webm       the file, with ranges; ?download=1: as an attachment
 *   POST /api/calls/<id>/recording-link       {"url"}: plays without a key for TR_CONTACT_LINK_US
 *   GET  /api/status                          version and counts
 * call:
 * {"id","caller","callee","started_ms","answered_ms","ended_ms","duration_ms","end_reason",
 *   "recording":{"state","progress","error","bytes","duration_ms","url"}}; times in Unix
 *   milliseconds, null while unknown; state as tr_call_rec_str.
 * Errors: 400 bad_request, 403 forbidden, 404 not_found, 409 not_ready, 500 internal.
 *
 * Loopback alone is not enough to be let in: a page of another site that runs in a browser on
 * this machine also comes from there. What such a page sends carries its Origin, so that one
 * must be of this machine, too. A page whose name was made to lead here (DNS rebinding) is of the
 * same origin and sends none, but its name is in the Host. And a proxy on this machine brings
 * everybody in by loopback: so where there is a key, it is asked of all. */
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/assert.h"
#include "contact/contact_int.h"
#include "gateway/auth.h"
#include "gateway/gateway.h"
#include "net/log.h"
#include "record/recorder.h"
#include "store/calls.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200, SIGNATURE_CHARS = 64 };

/* --- who may --- */

static bool is_host(const char *text, const char *host)
{
    size_t n = strlen(host);
    return strncasecmp(text, host, n) == 0 && (text[n] == 0 || text[n] == ':');
}

static bool own_host(const char *host)
{
    return host &&
           (is_host(host, "localhost") || is_host(host, "127.0.0.1") || is_host(host, "[::1]"));
}

static bool own_origin(const char *origin)
{
    if (!origin)
        return true;
    const char *host = strstr(origin, "://");
    if (!host)
        return false; /* "null": a sandboxed page, a file */
    return own_host(host + 3);
}

static bool from_proxy(const struct tr_http_request *request)
{
    static const enum tr_http_header signs[] = { TR_HTTP_X_FORWARDED_FOR, TR_HTTP_FORWARDED,
                                                 TR_HTTP_X_REAL_IP, TR_HTTP_VIA };
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (request->headers[signs[i]])
            return true;
    return false;
}

bool tr_contact_allowed(const struct tr_contact *c, const struct tr_http_request *request)
{
    const char *key = tr_http_bearer(request);
    if (c->agent_key[0])
        return key && tr_secret_equal(key, c->agent_key);
    return tr_addr_is_loopback(&request->client) && !from_proxy(request) &&
           own_host(request->headers[TR_HTTP_HOST]) && own_origin(request->headers[TR_HTTP_ORIGIN]);
}

static bool refused(const struct tr_contact *c, const struct tr_http_request *request)
{
    if (tr_contact_allowed(c, request))
        return false;
    tr_http_reply_error(request->http, 403, "forbidden",
                        "Only agents may see this: send the agent key.");
    return true;
}

/* The row that the path names; false: the reply was made. */
static bool find(const struct tr_contact *c, const struct tr_http_request *request,
                 struct tr_call *row)
{
    const char *id = request->params[0];
    enum tr_err err =
        strlen(id) < TR_CALL_ID_MAX ? tr_calls_get(c->conf.db, id, row) : TR_ERR_NOTFOUND;
    if (err == TR_ERR_NOTFOUND)
        tr_http_reply_error(request->http, 404, "not_found", "There is no such call.");
    else if (err)
        tr_http_reply_error(request->http, 500, "internal", "The call log cannot be read.");
    return err == TR_OK;
}

static bool is_ready(const struct tr_http_request *request, const struct tr_call *row)
{
    if (row->rec == TR_CALL_REC_READY)
        return true;
    if (row->rec == TR_CALL_REC_NONE)
        tr_http_reply_error(request->http, 404, "not_found", "The call was not recorded.");
    else
        tr_http_reply_error(request->http, 409, "not_ready", "The recording is not ready.");
    return false;
}

/* --- rows as JSON --- */

/* Names come from clients and may have been cut inside of a character. */
static json_t *text(const char *s)
{
    char ascii[1024];
    json_t *value = json_string(s);
    if (value)
        return value;
    size_t n = 0;
    for (; s[n] && n < sizeof ascii - 1; n++)
        ascii[n] = s[n] & 0x80 ? '?' : s[n];
    ascii[n] = 0;
    return json_string(ascii);
}

static json_t *ms_or_null(int64_t us)
{
    return us ? json_integer(us / 1000) : json_null();
}

static json_t *recording_of(const struct tr_call *row)
{
    char url[128];
    bool ready = row->rec == TR_CALL_REC_READY;
    snprintf(url, sizeof url, "/api/calls/%s/recording.webm", row->id);
    return json_pack("{s:s s:i s:o s:o s:o s:o}", "state", tr_call_rec_str(row->rec), "progress",
                     ready ? 100 : row->progress, "error",
                     row->rec == TR_CALL_REC_FAILED ? text(row->error) : json_null(), "bytes",
                     ready ? json_integer(row->bytes) : json_null(), "duration_ms",
                     ready ? json_integer(row->duration_ms) : json_null(), "url",
                     ready ? json_string(url) : json_null());
}

static json_t *call_json(const struct tr_call *row)
{
    bool spoken = row->answered_us && row->ended_us > row->answered_us;
    return json_pack("{s:o s:o s:o s:I s:o s:o s:o s:o s:o}", "id", text(row->id), "caller",
                     text(row->caller), "callee", text(row->callee), "started_ms",
                     (json_int_t)(row->started_us / 1000), "answered_ms",
                     ms_or_null(row->answered_us), "ended_ms", ms_or_null(row->ended_us),
                     "duration_ms",
                     spoken ? json_integer((row->ended_us - row->answered_us) / 1000) : json_null(),
                     "end_reason", text(row->end_reason), "recording", recording_of(row));
}

static void append(void *user, const struct tr_call *row)
{
    json_array_append_new(user, call_json(row));
}

/* --- handlers --- */

static void list_calls(void *arg, const struct tr_http_request *request)
{
    const struct tr_contact *c = arg;
    const char *before = tr_http_arg(request, "before");
    uint64_t limit = tr_http_arg_uint(request, "limit", LIMIT_DEFAULT);
    struct tr_call last;
    struct tr_call_filter filter = { .limit = (uint32_t)(limit < LIMIT_MAX ? limit : LIMIT_MAX) };
    if (refused(c, request))
        return;
    if (before && *before) {
        if (strlen(before) >= TR_CALL_ID_MAX || tr_calls_get(c->conf.db, before, &last) != TR_OK) {
            tr_http_reply_error(request->http, 400, "bad_request", "before: no such call.");
            return;
        }
        filter.before_us = last.started_us;
        filter.before_id = last.id;
    }
    json_t *calls = json_array();
    enum tr_err err = tr_calls_list(c->conf.db, &filter, append, calls);
    tr_http_add_header(request->http, "Cache-Control", "no-store");
    if (err == TR_OK) {
        tr_http_reply_json(request->http, 200, json_pack("{s:o}", "calls", calls));
        return;
    }
    json_decref(calls);
    tr_http_reply_error(request->http, 500, "internal", "The call log cannot be read.");
}

static void get_call(void *arg, const struct tr_http_request *request)
{
    const struct tr_contact *c = arg;
    struct tr_call row;
    if (refused(c, request) || !find(c, request, &row))
        return;
    tr_http_add_header(request->http, "Cache-Control", "no-store");
    tr_http_reply_json(request->http, 200, call_json(&row));
}

static void sign(const struct tr_contact *c, const char *id, uint64_t expires,
                 char out[SIGNATURE_CHARS + 1])
{
    char said[TR_CALL_ID_MAX + 64];
    uint8_t mac[32] = { 0 };
    unsigned n = sizeof mac;
    int len = snprintf(said, sizeof said, "recording\n%.40s\n%" PRIu64, id, expires);
    HMAC(EVP_sha256(), c->link_key, sizeof c->link_key, (const uint8_t *)said, (size_t)len, mac,
         &n);
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

static bool signed_link(const struct tr_contact *c, const struct tr_http_request *request)
{
    char want[SIGNATURE_CHARS + 1];
    const char *signature = tr_http_arg(request, "sig");
    uint64_t expires = tr_http_arg_uint(request, "expires", 0);
    if (!signature || strlen(signature) != SIGNATURE_CHARS ||
        strlen(request->params[0]) >= TR_CALL_ID_MAX ||
        expires < (uint64_t)(c->conf.unix_us() / 1000000))
        return false;
    sign(c, request->params[0], expires, want);
    return CRYPTO_memcmp(want, signature, SIGNATURE_CHARS) == 0;
}

static void make_link(void *arg, const struct tr_http_request *request)
{
    const struct tr_contact *c = arg;
    struct tr_call row;
    char signature[SIGNATURE_CHARS + 1], url[256];
    if (refused(c, request) || !find(c, request, &row) || !is_ready(request, &row))
        return;
    uint64_t expires = (uint64_t)((c->conf.unix_us() + TR_CONTACT_LINK_US) / 1000000);
    sign(c, row.id, expires, signature);
    snprintf(url, sizeof url, "/api/calls/%s/recording.webm?expires=%" PRIu64 "&sig=%s", row.id,
             expires, signature);
    tr_http_add_header(request->http, "Cache-Control", "no-store");
    tr_http_reply_json(request->http, 200, json_pack("{s:s}", "url", url));
}

static void get_recording(void *arg, const struct tr_http_request *request)
{
    const struct tr_contact *c = arg;
    struct tr_call row;
    char name[TR_CALL_ID_MAX + 16];
    if (!signed_link(c, request) && refused(c, request))
        return;
    if (!find(c, request, &row) || !is_ready(request, &row))
        return;
    int fd = open(row.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        tr_log(TR_LOG_ERROR, "contact", "a recording is missing call=%s", row.id);
        tr_http_reply_error(request->http, 404, "not_found", "The file of the recording is gone.");
        return;
    }
    snprintf(name, sizeof name, "call-%s.webm", row.id);
    struct tr_http_file file = { .fd = fd, .type = "video/webm", .no_store = true };
    file.name = tr_http_arg_uint(request, "download", 0) ? name : NULL;
    tr_http_reply_file(request->http, request, &file);
}

static void get_status(void *arg, const struct tr_http_request *request)
{
    const struct tr_contact *c = arg;
    struct tr_gateway_counters gw = { 0 };
    struct tr_recorder_counters rec = { 0 };
    if (refused(c, request))
        return;
    if (c->conf.gw)
        tr_gateway_counters(c->conf.gw, &gw);
    if (c->conf.recorder)
        tr_recorder_counters(c->conf.recorder, &rec);
    tr_http_add_header(request->http, "Cache-Control", "no-store");
    tr_http_reply_json(
        request->http, 200,
        json_pack("{s:o s:I s:I s:I s:I s:{s:b s:I s:I s:I s:I s:I}}", "version", text(c->version),
                  "uptime_s", (json_int_t)((c->conf.unix_us() - c->started_us) / 1000000),
                  "sessions", (json_int_t)gw.sessions, "handles", (json_int_t)gw.handles, "peers",
                  (json_int_t)gw.peers, "recording", "enabled",
                  c->conf.record_calls && c->conf.recorder, "open", (json_int_t)rec.open,
                  "rendering", (json_int_t)rec.rendering, "rendered", (json_int_t)rec.rendered,
                  "failed", (json_int_t)rec.failed, "packets_dropped",
                  (json_int_t)rec.packets_dropped));
}

enum tr_err tr_contact_routes(struct tr_contact *c)
{
    const struct tr_route rows[] = {
        { TR_HTTP_GET, "/api/calls", 0, list_calls, c },
        { TR_HTTP_GET, "/api/calls/:id", 0, get_call, c },
        { TR_HTTP_GET, "/api/calls/:id/recording.webm", 0, get_recording, c },
        { TR_HTTP_POST, "/api/calls/:id/recording-link", 0, make_link, c },
        { TR_HTTP_GET, "/api/status", 0, get_status, c },
    };
    return tr_routes_add(c->conf.routes, rows, TR_ARRAY_LEN(rows));
}

/* Requests of the Janus API: the way that every one of them takes (form, verb, level, secret,
 * session, handle, fields), and the verbs themselves. A verb finds everything checked. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/api.h"
#include "gateway/json.h"

/* --- replies --- */

void tr_client_send(struct tr_gateway *gw, struct tr_client *client, json_t *message)
{
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    json_decref(message);
    if (!text) {
        gw->counters.events_dropped++;
        return;
    }
    client->ops->send(client, tr_slice_str(text));
    free(text); /* tidy: allow free - jansson hands out malloc memory */
}

json_t *tr_error_object(int code, const char *reason)
{
    return json_pack("{s:i, s:s}", "code", code, "reason", reason);
}

json_t *tr_api_reply(const struct tr_api *api, const char *kind)
{
    json_t *reply = json_pack("{s:s}", "janus", kind);
    if (api->session_id)
        json_object_set_new(reply, "session_id", json_integer((json_int_t)api->session_id));
    if (api->transaction)
        json_object_set_new(reply, "transaction", json_string(api->transaction));
    return reply;
}

void tr_api_send(const struct tr_api *api, json_t *reply)
{
    tr_client_send(api->gw, api->client, reply);
}

void tr_api_success(const struct tr_api *api, const char *key, json_t *value)
{
    json_t *reply = tr_api_reply(api, "success");
    if (key)
        json_object_set_new(reply, key, value);
    tr_api_send(api, reply);
}

void tr_api_error(const struct tr_api *api, int code, const char *fmt, ...)
{
    char reason[TR_REASON_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    json_t *object = tr_error_object(code, reason);
    if (!object) /* a cut in the middle of a UTF-8 sequence */
        object = tr_error_object(code, "Error");
    json_t *reply = tr_api_reply(api, "error");
    json_object_set_new(reply, "error", object);
    api->gw->counters.errors++;
    tr_api_send(api, reply);
}

/* --- the way of a request --- */

static const struct tr_field common_fields[] = {
    { "transaction", TR_FIELD_STRING, true }, { "janus", TR_FIELD_STRING, true },
    { "session_id", TR_FIELD_UINT, false },   { "handle_id", TR_FIELD_UINT, false },
    { "apisecret", TR_FIELD_STRING, false },  { "admin_secret", TR_FIELD_STRING, false },
    { "token", TR_FIELD_STRING, false },      { NULL },
};

static bool check_fields(struct tr_api *api, const struct tr_field *fields)
{
    char reason[TR_REASON_MAX];
    switch (tr_schema_check(api->request, fields, reason)) {
    case TR_SCHEMA_OK: return true;
    case TR_SCHEMA_MISSING:
        tr_api_error(api, TR_API_MISSING_MANDATORY_ELEMENT, "%s", reason);
        break;
    case TR_SCHEMA_TYPE: tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE, "%s", reason); break;
    }
    return false;
}

static const char *text_of(const struct tr_api *api, const char *key)
{
    return json_string_value(json_object_get(api->request, key));
}

static uint64_t uint_of(const struct tr_api *api, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(api->request, key));
}

static bool has(const struct tr_api *api, const char *key)
{
    const json_t *value = json_object_get(api->request, key);
    return value && !json_is_null(value);
}

/* An id in the body must be that of the path; where there is no path, the body's are taken. */
static bool take_ids(struct tr_api *api, const struct tr_request_path *path)
{
    if (!path) {
        api->session_id = uint_of(api, "session_id");
        api->handle_id = uint_of(api, "handle_id");
        return true;
    }
    api->session_id = path->session_id;
    api->handle_id = path->handle_id;
    if ((has(api, "session_id") && uint_of(api, "session_id") != path->session_id) ||
        (has(api, "handle_id") && uint_of(api, "handle_id") != path->handle_id)) {
        tr_api_error(api, TR_API_INVALID_REQUEST_PATH,
                     "The ids of the request are not those of its path");
        return false;
    }
    return true;
}

static bool take_envelope(struct tr_api *api, const struct tr_request_path *path)
{
    if (!json_is_object(api->request)) {
        tr_api_error(api, TR_API_INVALID_JSON_OBJECT, "Invalid request (not an object)");
        return false;
    }
    const char *transaction = text_of(api, "transaction");
    if (transaction && strlen(transaction) > TR_GATEWAY_TRANSACTION_MAX) {
        tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE, "Invalid element (transaction is too long)");
        return false;
    }
    api->transaction = transaction;
    return check_fields(api, common_fields) && take_ids(api, path);
}

static const struct tr_verb *find_verb(const struct tr_verb *verbs, const char *name)
{
    for (; verbs->name; verbs++)
        if (strcasecmp(verbs->name, name) == 0)
            return verbs;
    return NULL;
}

static unsigned level_of(const struct tr_api *api)
{
    if (api->handle_id)
        return TR_LEVEL_HANDLE;
    return api->session_id ? TR_LEVEL_SESSION : TR_LEVEL_NONE;
}

static const struct tr_verb *take_verb(const struct tr_api *api)
{
    const char *name = text_of(api, "janus");
    const struct tr_verb *verb =
        find_verb(api->client->admin ? tr_admin_verbs : tr_api_verbs, name);
    if (!verb) {
        tr_api_error(api, TR_API_UNKNOWN_REQUEST, "Unknown request '%.100s'", name);
        return NULL;
    }
    if (!(verb->levels & level_of(api))) {
        tr_api_error(api, TR_API_INVALID_REQUEST_PATH, "Unhandled request '%s' at this path",
                     verb->name);
        return NULL;
    }
    return verb;
}

static int64_t unix_s(const struct tr_api *api)
{
    return api->gw->services.unix_us(api->gw->services.arg, api->now) / 1000000;
}

static bool authorised(const struct tr_api *api)
{
    struct tr_gateway *gw = api->gw;

    if (!api->client->admin)
        return tr_auth_check(gw->auth, text_of(api, "apisecret"), text_of(api, "token"),
                             unix_s(api));
    const char *secret = text_of(api, "admin_secret");
    return tr_gateway_admin_check(gw, &api->client->addr, secret, api->now) == TR_OK;
}

static bool take_targets(struct tr_api *api)
{
    if (!api->session_id && !api->handle_id)
        return true;
    api->session = tr_session_find(api->gw, api->session_id);
    if (!api->session) {
        tr_api_error(api, TR_API_SESSION_NOT_FOUND, "No such session %" JSON_INTEGER_FORMAT,
                     (json_int_t)api->session_id);
        return false;
    }
    if (!api->client->admin)
        tr_session_touch(api->session, api->now);
    if (!api->handle_id)
        return true;
    api->handle = tr_handle_find(api->gw, api->session_id, api->handle_id);
    if (!api->handle) {
        tr_api_error(api, TR_API_HANDLE_NOT_FOUND,
                     "No such handle %" JSON_INTEGER_FORMAT " in session %" JSON_INTEGER_FORMAT,
                     (json_int_t)api->handle_id, (json_int_t)api->session_id);
        return false;
    }
    return true;
}

static void dispatch(struct tr_api *api, const struct tr_request_path *path)
{
    if (!take_envelope(api, path))
        return;
    const struct tr_verb *verb = take_verb(api);
    if (!verb)
        return;
    if (!verb->open && !authorised(api)) {
        api->gw->counters.auth_failures += !api->client->admin;
        tr_api_error(api, TR_API_UNAUTHORIZED,
                     "Unauthorized request (wrong or missing secret/token)");
        return;
    }
    if (take_targets(api) && check_fields(api, verb->fields))
        verb->handle(api);
}

void tr_gateway_request(struct tr_gateway *gw, tr_usec now, struct tr_client *client,
                        const struct tr_request_path *path, json_t *request)
{
    struct tr_api api = { .gw = gw, .client = client, .now = now, .request = request };

    if (client->admin)
        gw->counters.requests_admin++;
    else
        gw->counters.requests++;
    dispatch(&api, path);
    tr_gateway_settle(gw, now);
}

static void refuse_json(struct tr_gateway *gw, struct tr_client *client, const char *reason)
{
    const struct tr_api api = { .gw = gw, .client = client };
    tr_api_error(&api, TR_API_INVALID_JSON, "%s", reason);
}

enum tr_err tr_gateway_input(struct tr_gateway *gw, tr_usec now, struct tr_client *client,
                             const struct tr_request_path *path, struct tr_slice text)
{
    bool any = false;

    do {
        if (!tr_ratelimit_take(gw->limit, &client->addr, now)) {
            gw->counters.rate_limited++;
            return TR_ERR_LIMIT;
        }
        json_t *request = NULL;
        const char *reason = "JSON error: nothing there";
        if (!any &&
            (text.n > TR_GATEWAY_TEXT_MAX || tr_json_too_deep(text, TR_GATEWAY_JSON_DEPTH_MAX))) {
            refuse_json(gw, client, "JSON error: too long or too deep");
            return TR_OK;
        }
        enum tr_err err = tr_json_next(&text, &request, &reason);
        bool extra = err == TR_OK && path && !tr_json_blank(text);
        if (err != TR_OK || !request || extra) {
            json_decref(request);
            if (!any || err != TR_OK)
                refuse_json(gw, client, extra ? "JSON error: end of text expected" : reason);
            return TR_OK;
        }
        tr_gateway_request(gw, now, client, path, request);
        json_decref(request);
        any = true;
    } while (!tr_json_blank(text));
    return TR_OK;
}

/* --- verbs without a session --- */

static void verb_info(struct tr_api *api)
{
    tr_api_send(api, tr_gateway_info(api->gw, api));
}

static void verb_ping(struct tr_api *api)
{
    tr_api_send(api, tr_api_reply(api, "pong"));
}

static void verb_create(struct tr_api *api)
{
    uint64_t id = uint_of(api, "id");

    if (!api->gw->accepting) {
        tr_api_error(api, TR_API_NOT_ACCEPTING_SESSIONS, "Not accepting new sessions");
        return;
    }
    if (id >= TR_API_ID_END) {
        tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE,
                     "Invalid element (id has more than 53 bits)");
        return;
    }
    if (id && tr_session_find(api->gw, id)) {
        tr_api_error(api, TR_API_SESSION_CONFLICT, "Session ID already in use");
        return;
    }
    struct tr_session *session = tr_session_create(api->gw, api->client, id, api->now);
    if (!session)
        tr_api_error(api, TR_API_NOT_ACCEPTING_SESSIONS, "Too many sessions");
    else
        tr_api_success(api, "data", json_pack("{s:I}", "id", (json_int_t)session->id));
}

/* --- verbs of a session --- */

static void verb_keepalive(struct tr_api *api)
{
    tr_api_send(api, tr_api_reply(api, "ack"));
}

static void verb_attach(struct tr_api *api)
{
    const char *package = text_of(api, "plugin");
    struct tr_plugin *plugin = tr_gateway_plugin(api->gw, package);

    const char *opaque_id = text_of(api, "opaque_id");

    if (!plugin) {
        tr_api_error(api, TR_API_PLUGIN_NOT_FOUND, "No such plugin '%.100s'", package);
        return;
    }
    if (opaque_id && strlen(opaque_id) > TR_GATEWAY_OPAQUE_ID_MAX) {
        tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE, "Invalid element (opaque_id is too long)");
        return;
    }
    if (!tr_auth_plugin(api->gw->auth, text_of(api, "apisecret"), text_of(api, "token"), package,
                        unix_s(api))) {
        api->gw->counters.auth_failures++;
        tr_api_error(api, TR_API_UNAUTHORIZED_PLUGIN, "Provided token can't access plugin '%s'",
                     package);
        return;
    }
    int code = 0;
    struct tr_handle *handle = tr_handle_attach(api->session, plugin, opaque_id, api->now, &code);
    if (!handle)
        tr_api_error(api, code, "Couldn't attach to plugin '%s'", package);
    else
        tr_api_success(api, "data", json_pack("{s:I}", "id", (json_int_t)handle->id));
}

static void verb_destroy(struct tr_api *api)
{
    tr_api_success(api, NULL, NULL);
    tr_session_destroy(api->session, api->now);
}

static void verb_claim(struct tr_api *api)
{
    tr_session_claim(api->session, api->client, api->now);
    tr_api_success(api, NULL, NULL);
    tr_session_flush(api->session);
}

/* --- verbs of a handle --- */

static void verb_detach(struct tr_api *api)
{
    tr_api_success(api, NULL, NULL);
    tr_handle_detach(api->handle, api->now);
}

static void verb_hangup(struct tr_api *api)
{
    tr_api_success(api, NULL, NULL);
    tr_handle_hangup(api->handle, "Janus API", api->now);
}

static bool trickle_one(struct tr_api *api, const json_t *candidate)
{
    int code = TR_API_UNKNOWN;
    const char *reason = "Invalid candidate";
    if (tr_pc_trickle(api->handle->pc, candidate, api->now, &code, &reason) == TR_OK)
        return true;
    tr_api_error(api, code, "%s", reason);
    return false;
}

static void verb_trickle(struct tr_api *api)
{
    const json_t *one = json_object_get(api->request, "candidate");
    const json_t *many = json_object_get(api->request, "candidates");

    if (one && many) {
        tr_api_error(api, TR_API_INVALID_JSON, "Can't have both candidate and candidates");
        return;
    }
    if (!one && !many) {
        tr_api_error(api, TR_API_MISSING_MANDATORY_ELEMENT,
                     "Missing mandatory element (candidate|candidates)");
        return;
    }
    if (many && !json_is_array(many)) {
        tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE,
                     "Invalid element type (candidates should be an array)");
        return;
    }
    if (one && !trickle_one(api, one))
        return;
    for (size_t i = 0; i < json_array_size(many); i++)
        if (!trickle_one(api, json_array_get(many, i)))
            return;
    tr_api_send(api, tr_api_reply(api, "ack"));
}

static const struct tr_field create_fields[] = { { "id", TR_FIELD_UINT, false }, { NULL } };
static const struct tr_field attach_fields[] = {
    { "plugin", TR_FIELD_STRING, true },
    { "opaque_id", TR_FIELD_STRING, false },
    { "loop_index", TR_FIELD_UINT, false },
    { NULL },
};
static const struct tr_field message_fields[] = { { "body", TR_FIELD_OBJECT, true }, { NULL } };

const struct tr_verb tr_api_verbs[] = {
    { "info", TR_LEVEL_NONE, false, NULL, verb_info },
    { "ping", TR_LEVEL_NONE, true, NULL, verb_ping },
    { "create", TR_LEVEL_NONE, false, create_fields, verb_create },
    { "keepalive", TR_LEVEL_SESSION | TR_LEVEL_HANDLE, false, NULL, verb_keepalive },
    { "attach", TR_LEVEL_SESSION, false, attach_fields, verb_attach },
    { "destroy", TR_LEVEL_SESSION, false, NULL, verb_destroy },
    { "claim", TR_LEVEL_SESSION, false, NULL, verb_claim },
    { "detach", TR_LEVEL_HANDLE, false, NULL, verb_detach },
    { "hangup", TR_LEVEL_HANDLE, false, NULL, verb_hangup },
    { "message", TR_LEVEL_HANDLE, false, message_fields, tr_api_message },
    { "trickle", TR_LEVEL_HANDLE, false, NULL, verb_trickle },
    { NULL },
};

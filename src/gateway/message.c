/* The verb "message": the jsep is parsed, the row of the plugin's table is found and its fields are
 * checked, then the plugin runs. What is wrong with the jsep is an error of the API; what is wrong
 * with the body is told in the plugin's own numbers, in the form that the plugin's answers have. */
#include <string.h>
#include <strings.h>

#include "gateway/api.h"

static const struct tr_field jsep_fields[] = {
    { "type", TR_FIELD_STRING, true },       { "sdp", TR_FIELD_STRING, true },
    { "trickle", TR_FIELD_BOOL, false },     { "rid_order", TR_FIELD_STRING, false },
    { "force_relay", TR_FIELD_BOOL, false }, { "e2ee", TR_FIELD_BOOL, false },
    { "svc", TR_FIELD_ARRAY, false },        { NULL },
};

static bool take_jsep(struct tr_api *api, const json_t *jsep, struct tr_jsep *out)
{
    char reason[TR_REASON_MAX];

    if (!json_is_object(jsep)) {
        tr_api_error(api, TR_API_INVALID_JSON_OBJECT, "Invalid jsep object");
        return false;
    }
    enum tr_schema_result result = tr_schema_check(jsep, jsep_fields, reason);
    if (result != TR_SCHEMA_OK) {
        tr_api_error(api,
                     result == TR_SCHEMA_MISSING ? TR_API_MISSING_MANDATORY_ELEMENT
                                                 : TR_API_INVALID_ELEMENT_TYPE,
                     "JSEP error: %s", reason);
        return false;
    }
    int code = TR_API_UNKNOWN;
    const char *text = "cannot be used";
    if (tr_pc_parse_jsep(api->handle->pc, jsep, out, &code, &text) == TR_OK)
        return true;
    tr_api_error(api, code, "JSEP error: %s", text);
    return false;
}

static const struct tr_plugin_request *find_row(const struct tr_plugin_ops *ops, const char *name)
{
    if (ops->single_request)
        return &ops->requests[0];
    for (const struct tr_plugin_request *row = ops->requests; row->name; row++)
        if (name && strcasecmp(row->name, name) == 0)
            return row;
    return NULL;
}

static bool answers_at_once(const struct tr_plugin_ops *ops)
{
    for (const struct tr_plugin_request *row = ops->requests; row->name && !ops->single_request;
         row++)
        if (row->sync)
            return true;
    return false;
}

static void send_data(struct tr_api *api, json_t *data)
{
    json_t *reply = tr_api_reply(api, "success");
    json_object_set_new(reply, "sender", json_integer((json_int_t)api->handle->id));
    json_object_set_new(
        reply, "plugindata",
        json_pack("{s:s, s:o}", "plugin", api->handle->plugin->ops->package, "data", data));
    tr_api_send(api, reply);
}

static void refuse(struct tr_api *api, bool sync, int code, const char *reason)
{
    if (!sync) {
        tr_api_send(api, tr_api_reply(api, "ack"));
        tr_handle_error(api->handle, api->transaction, code, "%s", reason);
        return;
    }
    send_data(api, json_pack("{s:s, s:i, s:s}", api->handle->plugin->ops->tag, "event",
                             "error_code", code, "error", reason));
}

/* The row for the body, its fields checked; NULL when that was told to the client. */
static const struct tr_plugin_request *take_row(struct tr_api *api, const json_t *body)
{
    static const struct tr_field name_fields[] = { { "request", TR_FIELD_STRING, true }, { NULL } };
    const struct tr_plugin_ops *ops = api->handle->plugin->ops;
    char reason[TR_REASON_MAX];

    enum tr_schema_result result =
        tr_schema_check(body, ops->single_request ? NULL : name_fields, reason);
    const struct tr_plugin_request *row = NULL;
    bool sync = answers_at_once(ops);
    if (result == TR_SCHEMA_OK) {
        row = find_row(ops, json_string_value(json_object_get(body, "request")));
        if (!row) {
            refuse(api, sync, ops->errors.invalid_request, "Unknown request");
            return NULL;
        }
        sync = row->sync;
        result = tr_schema_check(body, row->fields, reason);
    }
    switch (result) {
    case TR_SCHEMA_OK: return row;
    case TR_SCHEMA_MISSING: refuse(api, sync, ops->errors.missing_element, reason); break;
    case TR_SCHEMA_TYPE: refuse(api, sync, ops->errors.invalid_element, reason); break;
    }
    return NULL;
}

void tr_api_message(struct tr_api *api)
{
    json_t *body = json_object_get(api->request, "body");
    const json_t *jsep = json_object_get(api->request, "jsep");
    struct tr_jsep parsed = { 0 };
    bool has_jsep = jsep && !json_is_null(jsep);

    if (has_jsep && !take_jsep(api, jsep, &parsed))
        return;
    const struct tr_plugin_request *row = take_row(api, body);
    if (!row)
        return;
    struct tr_plugin *plugin = api->handle->plugin;
    const struct tr_msg msg = { .gw = api->gw,
                                .handle = api->handle,
                                .transaction = api->transaction,
                                .body = body,
                                .jsep = has_jsep ? &parsed : NULL,
                                .now = api->now };
    if (!row->sync)
        tr_api_send(api, tr_api_reply(api, "ack"));
    json_t *data = row->handle(plugin, &msg);
    if (row->sync && data)
        send_data(api, data);
    else if (row->sync)
        tr_api_error(api, TR_API_PLUGIN_MESSAGE, "The plugin has no answer");
    else
        json_decref(data);
}

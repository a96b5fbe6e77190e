/* The Admin API: the same way of a request (api.c) with verbs of its own. Settings of Janus that
 * have no meaning here are unknown requests rather than answers that promise something. */
#include <string.h>

#include "gateway/api.h"
#include "net/log.h"

/* --- without a session --- */

static void verb_info(struct tr_api *api)
{
    tr_api_send(api, tr_gateway_info(api->gw, api));
}

static void verb_ping(struct tr_api *api)
{
    tr_api_send(api, tr_api_reply(api, "pong"));
}

static void verb_get_status(struct tr_api *api)
{
    const struct tr_gateway *gw = api->gw;
    json_t *status = json_pack(
        "{s:b, s:I, s:I, s:I, s:i, s:b, s:I, s:I}", "token_auth", tr_auth_tokens_on(gw->auth),
        "session_timeout", (json_int_t)(gw->conf.session_timeout / TR_SECOND),
        "reclaim_session_timeout", (json_int_t)(gw->conf.reclaim_session_timeout / TR_SECOND),
        "candidates_timeout", (json_int_t)(gw->conf.candidates_timeout / TR_SECOND), "log_level",
        (int)tr_log_get_level(), "accepting_new_sessions", gw->accepting, "sessions",
        (json_int_t)gw->counters.sessions, "handles", (json_int_t)gw->counters.handles);
    tr_api_success(api, "status", status);
}

static void verb_set_session_timeout(struct tr_api *api)
{
    json_int_t seconds = json_integer_value(json_object_get(api->request, "timeout"));

    if (seconds > 1000000000) {
        tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE, "Invalid element (timeout is too long)");
        return;
    }
    if (api->session) {
        tr_session_set_timeout(api->session, seconds * TR_SECOND);
    } else {
        api->gw->conf.session_timeout = seconds * TR_SECOND;
        for (struct tr_session *s = TAILQ_FIRST(&api->gw->sessions); s;
             s = TAILQ_NEXT(s, of_gateway))
            tr_session_set_timeout(s, seconds * TR_SECOND);
    }
    tr_api_success(api, "timeout", json_integer(seconds));
}

/* 0 is silent and 7 is everything in the field; ours are four. */
static void verb_set_log_level(struct tr_api *api)
{
    json_int_t level = json_integer_value(json_object_get(api->request, "level"));

    if (level > 7) {
        tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE,
                     "Invalid element type (level should be between 0 and 7)");
        return;
    }
    if (level <= 2)
        tr_log_set_level(TR_LOG_ERROR);
    else if (level == 3)
        tr_log_set_level(TR_LOG_WARN);
    else
        tr_log_set_level(level <= 5 ? TR_LOG_INFO : TR_LOG_DEBUG);
    tr_api_success(api, "level", json_integer(level));
}

static void verb_accept_new_sessions(struct tr_api *api)
{
    bool accept = json_is_true(json_object_get(api->request, "accept"));
    tr_gateway_set_accepting(api->gw, accept);
    tr_api_success(api, "accept", json_boolean(accept));
}

static void verb_message_plugin(struct tr_api *api)
{
    const char *package = json_string_value(json_object_get(api->request, "plugin"));
    struct tr_plugin *plugin = tr_gateway_plugin(api->gw, package);

    if (!plugin) {
        tr_api_error(api, TR_API_PLUGIN_NOT_FOUND, "No such plugin '%.100s'", package);
        return;
    }
    json_t *response = NULL;
    if (plugin->ops->admin)
        response = plugin->ops->admin(plugin, json_object_get(api->request, "request"), api->now);
    if (response)
        tr_api_success(api, "response", response);
    else
        tr_api_error(api, TR_API_UNKNOWN, "Plugin '%s' doesn't support Admin API messages",
                     package);
}

static void verb_list_sessions(struct tr_api *api)
{
    json_t *list = json_array();
    for (const struct tr_session *s = TAILQ_FIRST(&api->gw->sessions); s;
         s = TAILQ_NEXT(s, of_gateway))
        json_array_append_new(list, json_integer((json_int_t)s->id));
    tr_api_success(api, "sessions", list);
}

static void verb_custom_logline(struct tr_api *api)
{
    const char *line = json_string_value(json_object_get(api->request, "line"));
    tr_log(TR_LOG_INFO, "admin", "%s", line);
    tr_api_success(api, NULL, NULL);
}

/* --- tokens --- */

static const char *token_of(const struct tr_api *api)
{
    return json_string_value(json_object_get(api->request, "token"));
}

static bool tokens_on(const struct tr_api *api)
{
    if (api->gw->conf.token_auth)
        return true;
    tr_api_error(api, TR_API_UNKNOWN, "Token based authentication disabled");
    return false;
}

/* Every name in "plugins" must be one that is there. */
static bool check_plugins(const struct tr_api *api, const json_t *plugins)
{
    for (size_t i = 0; i < json_array_size(plugins); i++) {
        const char *name = json_string_value(json_array_get(plugins, i));
        if (!name) {
            tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE,
                         "Invalid element type (plugins should be an array of strings)");
            return false;
        }
        if (!tr_gateway_plugin(api->gw, name)) {
            tr_api_error(api, TR_API_PLUGIN_NOT_FOUND, "No such plugin '%.100s'", name);
            return false;
        }
    }
    return true;
}

static void token_answer(const struct tr_api *api, enum tr_err err)
{
    switch ((int)err) {
    case TR_OK:
        tr_api_success(
            api, "data",
            json_pack("{s:o}", "plugins", tr_auth_allowed(api->gw->auth, token_of(api))));
        break;
    case TR_ERR_NOTFOUND: tr_api_error(api, TR_API_TOKEN_NOT_FOUND, "No such token"); break;
    case TR_ERR_EXISTS: tr_api_error(api, TR_API_UNKNOWN, "The token exists"); break;
    case TR_ERR_LIMIT: tr_api_error(api, TR_API_UNKNOWN, "Too many tokens or plugins"); break;
    case TR_ERR_INVAL: tr_api_error(api, TR_API_INVALID_ELEMENT_TYPE, "Invalid token"); break;
    default: tr_api_error(api, TR_API_UNKNOWN, "%s", tr_err_str(err)); break;
    }
}

static json_t *all_plugins(const struct tr_gateway *gw)
{
    json_t *list = json_array();
    for (int i = 0; i < gw->plugin_count; i++)
        json_array_append_new(list, json_string(gw->plugins[i]->ops->package));
    return list;
}

static void verb_add_token(struct tr_api *api)
{
    json_t *plugins = json_object_get(api->request, "plugins");

    if (!tokens_on(api) || !check_plugins(api, plugins))
        return;
    plugins = json_is_array(plugins) ? json_incref(plugins) : all_plugins(api->gw);
    token_answer(api, tr_auth_add(api->gw->auth, token_of(api), plugins));
    json_decref(plugins);
}

static void change_token(struct tr_api *api, bool allow)
{
    const json_t *plugins = json_object_get(api->request, "plugins");
    if (tokens_on(api) && check_plugins(api, plugins))
        token_answer(api, tr_auth_allow(api->gw->auth, token_of(api), plugins, allow));
}

static void verb_allow_token(struct tr_api *api)
{
    change_token(api, true);
}

static void verb_disallow_token(struct tr_api *api)
{
    change_token(api, false);
}

static void verb_remove_token(struct tr_api *api)
{
    if (!tokens_on(api))
        return;
    enum tr_err err = tr_auth_remove(api->gw->auth, token_of(api));
    if (err == TR_OK)
        tr_api_success(api, NULL, NULL);
    else
        token_answer(api, err);
}

static void verb_list_tokens(struct tr_api *api)
{
    if (tokens_on(api))
        tr_api_success(api, "data", json_pack("{s:o}", "tokens", tr_auth_list(api->gw->auth)));
}

/* --- of a session and of a handle --- */

static void verb_destroy_session(struct tr_api *api)
{
    tr_api_success(api, NULL, NULL);
    tr_session_push(api->session, json_pack("{s:s, s:I}", "janus", "timeout", "session_id",
                                            (json_int_t)api->session->id));
    tr_session_destroy(api->session, api->now);
}

static void verb_list_handles(struct tr_api *api)
{
    json_t *list = json_array();
    for (const struct tr_handle *h = TAILQ_FIRST(&api->session->handles); h;
         h = TAILQ_NEXT(h, of_session))
        json_array_append_new(list, json_integer((json_int_t)h->id));
    tr_api_success(api, "handles", list);
}

static void verb_detach_handle(struct tr_api *api)
{
    tr_api_success(api, NULL, NULL);
    tr_handle_detach(api->handle, api->now);
}

static void verb_hangup_webrtc(struct tr_api *api)
{
    tr_api_success(api, NULL, NULL);
    tr_handle_hangup(api->handle, "Admin API", api->now);
}

static const struct tr_field timeout_fields[] = { { "timeout", TR_FIELD_UINT, true }, { NULL } };
static const struct tr_field level_fields[] = { { "level", TR_FIELD_UINT, true }, { NULL } };
static const struct tr_field accept_fields[] = { { "accept", TR_FIELD_BOOL, true }, { NULL } };
static const struct tr_field message_fields[] = {
    { "plugin", TR_FIELD_STRING, true },
    { "request", TR_FIELD_OBJECT, true },
    { NULL },
};
static const struct tr_field line_fields[] = { { "line", TR_FIELD_STRING, true }, { NULL } };
static const struct tr_field token_fields[] = { { "token", TR_FIELD_STRING, true }, { NULL } };
static const struct tr_field new_token_fields[] = {
    { "token", TR_FIELD_STRING, true },
    { "plugins", TR_FIELD_ARRAY, false },
    { NULL },
};
static const struct tr_field change_token_fields[] = {
    { "token", TR_FIELD_STRING, true },
    { "plugins", TR_FIELD_ARRAY, true },
    { NULL },
};
static const struct tr_field handle_info_fields[] = { { "plugin_only", TR_FIELD_BOOL, false },
                                                      { NULL } };

const struct tr_verb tr_admin_verbs[] = {
    { "info", TR_LEVEL_NONE, false, NULL, verb_info },
    { "ping", TR_LEVEL_NONE, true, NULL, verb_ping },
    { "get_status", TR_LEVEL_NONE, false, NULL, verb_get_status },
    { "set_session_timeout", TR_LEVEL_NONE | TR_LEVEL_SESSION, false, timeout_fields,
      verb_set_session_timeout },
    { "set_log_level", TR_LEVEL_NONE, false, level_fields, verb_set_log_level },
    { "accept_new_sessions", TR_LEVEL_NONE, false, accept_fields, verb_accept_new_sessions },
    { "message_plugin", TR_LEVEL_NONE, false, message_fields, verb_message_plugin },
    { "list_sessions", TR_LEVEL_NONE, false, NULL, verb_list_sessions },
    { "custom_logline", TR_LEVEL_NONE, false, line_fields, verb_custom_logline },
    { "add_token", TR_LEVEL_NONE, false, new_token_fields, verb_add_token },
    { "list_tokens", TR_LEVEL_NONE, false, NULL, verb_list_tokens },
    { "allow_token", TR_LEVEL_NONE, false, change_token_fields, verb_allow_token },
    { "disallow_token", TR_LEVEL_NONE, false, change_token_fields, verb_disallow_token },
    { "remove_token", TR_LEVEL_NONE, false, token_fields, verb_remove_token },
    { "destroy_session", TR_LEVEL_SESSION, false, NULL, verb_destroy_session },
    { "list_handles", TR_LEVEL_SESSION, false, NULL, verb_list_handles },
    { "detach_handle", TR_LEVEL_HANDLE, false, NULL, verb_detach_handle },
    { "hangup_webrtc", TR_LEVEL_HANDLE, false, NULL, verb_hangup_webrtc },
    { "handle_info", TR_LEVEL_HANDLE, false, handle_info_fields, tr_admin_handle_info },
    { NULL },
};

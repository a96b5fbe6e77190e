/* The answer to "info". What this server has no notion of is told as off. */
#include <stdlib.h>

#include "gateway/api.h"

/* "1.2.3" -> 10203 in decimal places of two: 1.4.2 is 1402 as in the field, 0.1.0 is 100. */
static int version_number(const char *text)
{
    char *end;
    long major = strtol(text, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, &end, 10) : 0;
    long patch = *end == '.' ? strtol(end + 1, &end, 10) : 0;
    return (int)(major * 1000 + minor * 100 + patch);
}

static json_t *component(const char *name, const char *author, const char *description,
                         const char *version)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", name, "author", author, "description",
                     description, "version_string", version, "version", version_number(version));
}

static json_t *plugins_of(const struct tr_gateway *gw)
{
    json_t *map = json_object();
    for (int i = 0; i < gw->plugin_count; i++) {
        const struct tr_plugin_ops *ops = gw->plugins[i]->ops;
        json_t *plugin = component(ops->name, ops->author, ops->description, ops->version_string);
        json_object_set_new(plugin, "version", json_integer(ops->version));
        json_object_set_new(map, ops->package, plugin);
    }
    return map;
}

static json_t *transports_of(const char *version)
{
    json_t *map = json_object();
    json_object_set_new(map, "janus.transport.http",
                        component("HTTP transport", "The Tring authors",
                                  "REST API with long polling for events", version));
    json_object_set_new(map, "janus.transport.websockets",
                        component("WebSocket transport", "The Tring authors",
                                  "Messages and events over one WebSocket", version));
    return map;
}

static void add_facts(json_t *info, const struct tr_gateway *gw)
{
    const struct tr_gateway_conf *c = &gw->conf;
    const struct {
        const char *name;
        bool value;
    } flags[] = {
        { "log-to-stdout", false },
        { "log-to-file", false },
        { "log-rotate-sighup", false },
        { "data_channels", true },
        { "accepting-new-sessions", gw->accepting },
        { "ipv6", c->ipv6 },
        { "ipv6-link-local", false },
        { "ice-lite", true },
        { "ice-tcp", false },
        { "ice-consent-freshness", true },
        { "ice-keepalive-conncheck", false },
        { "hangup-on-failed", false },
        { "full-trickle", false },
        { "mdns-enabled", false },
        { "nack-optimizations", true },
        { "allow-force-relay", false },
        { "loop-indication", false },
        { "api_secret", c->api_secret && *c->api_secret },
        { "auth_token", tr_auth_tokens_on(gw->auth) },
        { "event_handlers", false },
        { "opaqueid_in_api", c->opaqueid_in_api },
        { "webrtc_encryption", true },
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        json_object_set_new(info, flags[i].name, json_boolean(flags[i].value));
}

static void add_numbers(json_t *info, const struct tr_gateway_conf *c)
{
    json_object_set_new(info, "session-timeout", json_integer(c->session_timeout / TR_SECOND));
    json_object_set_new(info, "reclaim-session-timeout",
                        json_integer(c->reclaim_session_timeout / TR_SECOND));
    json_object_set_new(info, "candidates-timeout",
                        json_integer(c->candidates_timeout / TR_SECOND));
    json_object_set_new(info, "server-name", json_string(c->server_name));
    json_object_set_new(info, "local-ip", json_string(c->local_ip));
    if (c->public_ip && *c->public_ip)
        json_object_set_new(info, "public-ip", json_string(c->public_ip));
    json_object_set_new(info, "ice-nomination", json_string("aggressive"));
    json_object_set_new(info, "static-event-loops", json_integer(0));
}

json_t *tr_gateway_info(const struct tr_gateway *gw, const struct tr_api *api)
{
    const char *version = gw->conf.version;
    json_t *info = json_pack("{s:s}", "janus", "server_info");

    if (api && api->transaction)
        json_object_set_new(info, "transaction", json_string(api->transaction));
    json_object_set_new(info, "name", json_string("Tring"));
    json_object_set_new(info, "version", json_integer(version_number(version)));
    json_object_set_new(info, "version_string", json_string(version));
    json_object_set_new(info, "author", json_string("The Tring authors"));
    add_facts(info, gw);
    add_numbers(info, &gw->conf);
    json_t *dependencies = json_object();
    if (!gw->conf.hide_dependencies)
        json_object_set_new(dependencies, "jansson", json_string(JANSSON_VERSION));
    json_object_set_new(info, "dependencies", dependencies);
    json_object_set_new(info, "transports", transports_of(version));
    json_object_set_new(info, "events", json_object());
    json_object_set_new(info, "loggers", json_object());
    json_object_set_new(info, "plugins", plugins_of(gw));
    return info;
}

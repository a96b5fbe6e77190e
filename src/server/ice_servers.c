/* What clients are told of the relay: where it is, and credentials that last for a while. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "gateway/transport/routes.h"
#include "net/clock.h"
#include "server/turn_int.h"
#include "turn/auth.h"

enum { ID_CHARS = 16, HOST_MAX = 256, URL_MAX = HOST_MAX + 64 };

/* The name of a Host header, without its port; "": none that can be put into a URL. */
static void host_of(const char *header, char host[HOST_MAX])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t n = 0;
    host[0] = '\0';
    if (!header)
        return;
    if (header[0] == '[') {
        n = strspn(header + 1, "0123456789abcdefABCDEF:.") + 2;
        if (header[n - 1] != ']')
            return;
    } else {
        n = strspn(header, allowed);
    }
    if (n > 0 && n < HOST_MAX && (header[n] == '\0' || header[n] == ':'))
        snprintf(host, HOST_MAX, "%.*s", (int)n, header);
}

static bool is_this_machine(const char *host)
{
    return host[0] == '\0' || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* The relay does not listen at loopback addresses unless it has no other. */
static void choose_host(const struct tr_turn_service *s, const char *header, char host[HOST_MAX])
{
    char text[TR_ADDR_STR_MAX];
    host_of(s->config->turn.host[0] ? s->config->turn.host : header, host);
    if (s->config->turn.host[0] || !is_this_machine(host))
        return;
    const struct tr_addr *a = &s->known[0];
    snprintf(host, HOST_MAX, tr_addr_is_v4(a) ? "%s" : "[%s]", tr_addr_ip_str(a, text));
}

static void add_url(json_t *urls, const char *scheme, const char *host, int port, const char *query)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "%s:%s:%d%s", scheme, host, port, query);
    json_array_append_new(urls, json_string(url));
}

/* The port that gets through most first: some clients try only the first few. */
static void add_tls_urls(const struct tr_turn_service *s, json_t *urls, const char *host)
{
    const struct tr_config *c = s->config;
    if (!s->tls)
        return;
    for (int i = 0; i < c->turn.tls_ports.count && i < TR_MEDIA_TURN_TLS_MAX - 1; i++)
        add_url(urls, "turns", host, turn_tls_port(c, i), "?transport=tcp");
    if (c->turn.tls_port > 0)
        add_url(urls, "turns", host, (int)c->turn.tls_port, "?transport=tcp");
}

static json_t *servers(const struct tr_turn_service *s, const char *header)
{
    char host[HOST_MAX], id[ID_CHARS + 1] = "";
    char name[TR_TURN_CREDENTIAL_MAX], password[TR_TURN_CREDENTIAL_MAX];
    int port = tr_media_turn_port(s->media);
    tr_usec life = s->config->turn.credential_life * TR_SECOND;
    json_t *stun = json_array(), *turn = json_array(), *list = json_array();
    choose_host(s, header, host);
    add_url(stun, "stun", host, port, "");
    json_array_append_new(list, json_pack("{s:o}", "urls", stun));
    tr_rng_ice_chars(s->rng, id, ID_CHARS);
    for (char *at = id; *at; at++)
        *at = isalnum((unsigned char)*at) ? *at : 'x';
    add_url(turn, "turn", host, port, "?transport=udp");
    add_url(turn, "turn", host, port, "?transport=tcp");
    add_tls_urls(s, turn, host);
    if (tr_turn_auth_issue(s->auth, tr_clock_now(), life, id, name, password) == TR_OK)
        json_array_append_new(list, json_pack("{s:o s:s s:s}", "urls", turn, "username", name,
                                              "credential", password));
    else
        json_decref(turn);
    return list;
}

void tr_turn_service_ice_servers(void *arg, const struct tr_http_request *request)
{
    const struct tr_turn_service *s = arg;
    json_t *list = s ? servers(s, request->headers[TR_HTTP_HOST]) : json_array();
    tr_http_add_header(request->http, "Cache-Control", "no-store");
    tr_http_reply_json(request->http, 200,
                       json_pack("{s:o s:I}", "iceServers", list, "ttl",
                                 (json_int_t)(s ? s->config->turn.credential_life : 0)));
}

/* The control thread's loop: libwebsockets' context, its listeners and one way to be woken. A turn
 * is: run what is due, wait for the library (loop.h) until something else is, run what other
 * threads asked for. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "dtls/dtls.h"
#include "gateway/transport/http_parse.h"
#include "gateway/transport/loop.h"
#include "gateway/transport/web_impl.h"
#include "net/clock.h"
#include "net/log.h"
#include "net/random.h"

enum {
    ARENA_MAX = 64 * 1024,
    REQUESTS_MAX = 1 << 20,
    HEADER_BYTES_MAX = 8192, /* of one request */
    HEADER_SECONDS = 15,     /* for them to come in */
    KEEPALIVE_SECONDS = 65,
    RX_BYTES = 16 * 1024,
    WS_RX_BYTES = 2 * 1024, /* each WebSocket has so many; longer messages come in pieces */
    FORWARDED_MAX = 2048,   /* of X-Forwarded-For; a longer one is not believed */
    IDLE_TURNS_MAX = 64     /* more can only be spinning, or many timers: see tr_http_nap */
};
#define FLUSH_US (2 * TR_SECOND)

/* --- helpers of the other files --- */

struct listener *tr_web_listener(struct lws *wsi)
{
    struct lws_vhost *vhost = lws_get_vhost(wsi);
    return vhost ? lws_vhost_user(vhost) : NULL;
}

struct tr_addr tr_web_peer(struct lws *wsi)
{
    char ip[TR_ADDR_STR_MAX];
    struct tr_addr addr = { 0 };

    ip[0] = 0;
    lws_get_peer_simple(wsi, ip, sizeof(ip));
    ip[strcspn(ip, "%")] = 0; /* a zone says nothing about who it is */
    if (tr_addr_parse_ip(&addr, ip, 0) != TR_OK)
        return (struct tr_addr){ 0 };
    return addr;
}

bool tr_web_trusted(const struct tr_web *web, const struct tr_addr *addr)
{
    for (int i = 0; i < web->conf.proxy_count; i++)
        if (tr_addr_ip_eq(&web->conf.proxies[i], addr))
            return true;
    return false;
}

struct tr_addr tr_web_client(const struct tr_web *web, struct lws *wsi)
{
    char forwarded[FORWARDED_MAX];
    struct tr_addr addr = tr_web_peer(wsi), said;

    if (tr_web_trusted(web, &addr) &&
        lws_hdr_copy(wsi, forwarded, sizeof(forwarded), WSI_TOKEN_X_FORWARDED_FOR) > 0 &&
        tr_http_forwarded(forwarded, &said) == TR_OK)
        addr = said;
    return addr;
}

void tr_web_busy(struct tr_web *web, int change)
{
    web->busy += (uint32_t)change;
}

static void emit(int level, const char *line)
{
    size_t n = strcspn(line, "\n");
    char text[512];

    if (n > sizeof(text) - 1)
        n = sizeof(text) - 1;
    memcpy(text, line, n);
    text[n] = 0;
    tr_log(level == LLL_ERR ? TR_LOG_WARN : TR_LOG_DEBUG, "web", "library says \"%s\"", text);
}

/* --- making --- */

static const struct lws_protocols main_protocols[] = {
    { .name = "http", .callback = tr_http_callback, .per_session_data_size = sizeof(void *) },
    { .name = "janus-protocol",
      .callback = tr_ws_callback,
      .per_session_data_size = sizeof(struct tr_ws),
      .rx_buffer_size = WS_RX_BYTES },
    { .name = NULL },
};
static const struct lws_protocols admin_protocols[] = {
    { .name = "http", .callback = tr_http_callback, .per_session_data_size = sizeof(void *) },
    { .name = "janus-admin-protocol",
      .callback = tr_ws_callback,
      .per_session_data_size = sizeof(struct tr_ws),
      .rx_buffer_size = WS_RX_BYTES },
    { .name = NULL },
};

static const char *text_or(struct tr_arena *arena, const char *text, const char *otherwise)
{
    return tr_arena_strdup(arena, text && *text ? text : otherwise);
}

static enum tr_err copy_conf(struct tr_web *web, const struct tr_web_conf *conf)
{
    struct tr_web_conf *c = &web->conf;

    *c = *conf;
    c->clock = conf->clock ? conf->clock : tr_clock_now;
    c->listen = text_or(web->arena, conf->listen, "");
    c->admin_listen = text_or(web->arena, conf->admin_listen, "127.0.0.1");
    c->base_path = text_or(web->arena, conf->base_path, "/janus");
    c->admin_path = text_or(web->arena, conf->admin_path, "/admin");
    c->allow_origin = text_or(web->arena, conf->allow_origin, "");
    c->body_max = conf->body_max ? conf->body_max : 256 * 1024;
    c->ws_message_max = conf->ws_message_max ? conf->ws_message_max : 256 * 1024;
    c->ws_queue_max = conf->ws_queue_max ? conf->ws_queue_max : 1024 * 1024;
    c->connections_max = conf->connections_max ? conf->connections_max : 4096;
    c->ping_us = conf->ping_us ? conf->ping_us : 30 * TR_SECOND;
    bool ok = c->listen && c->admin_listen && c->base_path && c->admin_path && c->allow_origin;
    return ok ? TR_OK : TR_ERR_NOMEM;
}

static enum tr_err make_context(struct tr_web *web)
{
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   LWS_SERVER_OPTION_LIBUV |
                   (web->conf.tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
        .user = web,
        .max_http_header_data = HEADER_BYTES_MAX,
        .max_http_header_pool =
            web->conf.connections_max < 65535 ? (unsigned short)web->conf.connections_max : 65535,
        .pt_serv_buf_size = RX_BYTES,
        .port = CONTEXT_PORT_NO_LISTEN,
        .pcontext = &web->context,
    };
    lws_set_log_level(LLL_ERR | LLL_WARN, emit);
    web->loop = tr_web_loop_create();
    if (!web->loop)
        return TR_ERR_NOMEM;
    info.foreign_loops = tr_web_loop_foreign(web->loop);
    web->context = lws_create_context(&info);
    if (!web->context)
        tr_log(TR_LOG_ERROR, "web", "cannot start; is the package libwebsockets-evlib-uv there?");
    return web->context ? TR_OK : TR_ERR_IO;
}

struct listen_args {
    enum listener_kind kind;
    const char *address;
    int port; /* -1: any free one */
    bool tls;
};

static struct lws_vhost *make_vhost(struct tr_web *web, struct listener *listener,
                                    const struct listen_args *args, bool ipv6)
{
    const bool admin = args->kind == LISTEN_ADMIN;
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   (ipv6 ? 0 : LWS_SERVER_OPTION_DISABLE_IPV6),
        .port = args->port < 0 ? 0 : args->port,
        .iface = *args->address ? args->address : NULL,
        .protocols = admin ? admin_protocols : main_protocols,
        .vhost_name = args->kind == LISTEN_ADMIN ? "admin"
                      : args->kind == LISTEN_WS  ? "ws"
                                                 : "web",
        .user = listener,
        .server_string = "tring",
        .alpn = "http/1.1",
        .timeout_secs = HEADER_SECONDS,
        .keepalive_timeout = KEEPALIVE_SECONDS,
        .retry_and_idle_policy = &listener->pings,
    };
    if (args->tls) /* its certificate: tls.c */
        info.options |=
            LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
    return lws_create_vhost(web->context, &info);
}

static enum tr_err add_listener(struct tr_web *web, const struct listen_args *args)
{
    struct listener *listener = &web->listeners[web->listener_count];
    struct tr_addr addr;
    bool v4 = *args->address && tr_addr_parse_ip(&addr, args->address, 0) == TR_OK &&
              tr_addr_is_v4(&addr);
    uint16_t ping_s = (uint16_t)(web->conf.ping_us / TR_SECOND);

    *listener = (struct listener){ .web = web, .kind = args->kind, .tls = args->tls };
    listener->pings.secs_since_valid_ping = ping_s;
    listener->pings.secs_since_valid_hangup = (uint16_t)(ping_s + 20);
    if (args->kind != LISTEN_WS)
        listener->routes = args->kind == LISTEN_ADMIN ? web->admin_routes : web->routes;
    listener->vhost = v4 ? NULL : make_vhost(web, listener, args, true);
    if (!listener->vhost) /* this machine may have no IPv6 */
        listener->vhost = make_vhost(web, listener, args, false);
    if (!listener->vhost) {
        tr_log(TR_LOG_ERROR, "web", "cannot listen address=%s port=%d",
               *args->address ? args->address : "*", args->port);
        return TR_ERR_IO;
    }
    web->listener_count++;
    return TR_OK;
}

static enum tr_err add_listeners(struct tr_web *web)
{
    const struct tr_web_conf *c = &web->conf;
    const struct listen_args all[] = {
        { LISTEN_MAIN, c->listen, c->port, false },
        { LISTEN_WS, c->listen, c->ws_port, false },
        { LISTEN_ADMIN, c->admin_listen, c->admin_port, false },
        { LISTEN_MAIN, c->listen, c->tls ? c->tls_port : 0, true },
        { LISTEN_WS, c->listen, c->tls ? c->tls_ws_port : 0, true },
    };
    enum tr_err err = TR_OK;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && err == TR_OK; i++)
        if (all[i].port != 0)
            err = add_listener(web, &all[i]);
    return err;
}

static enum tr_err make_routes(struct tr_web *web)
{
    web->routes = tr_routes_create();
    web->admin_routes = tr_routes_create();
    web->requests = tr_idtab_create(REQUESTS_MAX);
    const uint32_t connections = web->conf.connections_max;
    struct tr_rng rng = tr_random_system();
    web->crowd = tr_crowd_create(connections, connections / 4, tr_rng_u64(&rng));
    if (!web->routes || !web->admin_routes || !web->requests || !web->crowd)
        return TR_ERR_NOMEM;
    enum tr_err err = tr_rest_routes(web);
    if (err == TR_OK)
        err = tr_ops_routes(web, web->routes);
    if (err == TR_OK)
        err = tr_ops_routes(web, web->admin_routes);
    return err == TR_OK ? tr_static_admin_routes(web, web->admin_routes) : err;
}

enum tr_err tr_web_create(struct tr_web **out, const struct tr_web_conf *conf)
{
    *out = NULL;
    struct tr_web *web = tr_alloc(sizeof(*web));
    if (!web)
        return TR_ERR_NOMEM;
    web->root = -1;
    web->arena = tr_arena_create(ARENA_MAX);
    enum tr_err err = web->arena ? copy_conf(web, conf) : TR_ERR_NOMEM;
    if (err == TR_OK)
        err = make_routes(web);
    if (err == TR_OK && conf->root && *conf->root) {
        web->root = open(conf->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (web->root < 0)
            tr_log(TR_LOG_WARN, "web", "no web pages: the folder cannot be opened root=%s",
                   conf->root);
    }
    if (err == TR_OK)
        err = make_context(web);
    if (err == TR_OK)
        err = add_listeners(web);
    if (err != TR_OK) {
        tr_web_destroy(web);
        return err;
    }
    *out = web;
    return TR_OK;
}

void tr_web_destroy(struct tr_web *web)
{
    if (!web)
        return;
    if (web->context)
        tr_web_loop_end(web->loop, &web->context);
    tr_web_loop_destroy(web->loop);
    if (web->root >= 0)
        close(web->root);
    tr_dtls_cert_destroy(web->cert);
    tr_crowd_destroy(web->crowd);
    tr_idtab_destroy(web->requests);
    tr_routes_destroy(web->routes);
    tr_routes_destroy(web->admin_routes);
    tr_arena_destroy(web->arena);
    tr_free(web);
}

struct tr_routes *tr_web_routes(struct tr_web *web)
{
    return web->routes;
}

struct tr_routes *tr_web_admin_routes(struct tr_web *web)
{
    return web->admin_routes;
}

static int port_of(const struct tr_web *web, enum listener_kind kind, bool tls)
{
    for (int i = 0; i < web->listener_count; i++)
        if (web->listeners[i].kind == kind && web->listeners[i].tls == tls)
            return lws_get_vhost_listen_port(web->listeners[i].vhost);
    return 0;
}

int tr_web_port(const struct tr_web *web)
{
    return port_of(web, LISTEN_MAIN, false);
}

int tr_web_ws_port(const struct tr_web *web)
{
    return port_of(web, LISTEN_WS, false);
}

int tr_web_admin_port(const struct tr_web *web)
{
    return port_of(web, LISTEN_ADMIN, false);
}

int tr_web_tls_port(const struct tr_web *web)
{
    return port_of(web, LISTEN_MAIN, true);
}

struct tr_http *tr_web_http(const struct tr_web *web, tr_id id)
{
    return tr_idtab_get(web->requests, id);
}

/* --- the loop --- */

/* Does what is due; returns when next. */
static tr_usec run_timers(struct tr_web *web)
{
    tr_usec now = web_now(web);
    tr_usec next = TR_NEVER;

    tr_gateway_timeout(web->conf.gw, now);
    if (web->conf.timers)
        next = web->conf.timers(web->conf.arg, now);
    next = tr_usec_min(next, tr_gateway_next_timeout(web->conf.gw));
    if (web->nap_until && web->nap_until <= now)
        tr_http_nap_end(web);
    if (web->nap_until)
        next = tr_usec_min(next, web->nap_until);
    if (atomic_load(&web->stopping))
        next = tr_usec_min(next, now + TR_SECOND / 20);
    return next;
}

static void turn(struct tr_web *web, bool wait)
{
    uint64_t before = web->callbacks;
    tr_usec next = run_timers(web), now = web_now(web);

    if (!wait || next <= now)
        tr_web_loop_turn(web->loop, web->context, 0);
    else
        tr_web_loop_turn(web->loop, web->context, next == TR_NEVER ? TR_NEVER : next - now);
    web->idle_turns = web->callbacks == before ? web->idle_turns + 1 : 0;
    if (web->idle_turns >= IDLE_TURNS_MAX) {
        web->idle_turns = 0;
        if (web->nap_until)
            tr_http_nap_end(web); /* one of the sleepers can be written to */
        else
            tr_http_nap(web);
    }
    if (atomic_exchange(&web->woken, false)) {
        web->idle_turns = 0;
        if (web->conf.woken)
            web->conf.woken(web->conf.arg, web_now(web));
    }
}

void tr_web_turn(struct tr_web *web)
{
    turn(web, true);
}

void tr_web_poll(struct tr_web *web)
{
    turn(web, false);
}

void tr_web_run(struct tr_web *web)
{
    while (!atomic_load(&web->stopping))
        turn(web, true);
    if (web->conf.stopping)
        web->conf.stopping(web->conf.arg, web_now(web));
    tr_usec end = web_now(web) + FLUSH_US;
    while (web->busy > 0 && web_now(web) < end)
        turn(web, true);
}

void tr_web_wake(struct tr_web *web)
{
    atomic_store(&web->woken, true);
    lws_cancel_service(web->context);
}

void tr_web_stop(struct tr_web *web)
{
    atomic_store(&web->stopping, true);
    lws_cancel_service(web->context);
}

bool tr_web_adopt(struct tr_web *web, int fd, int listener)
{
    return lws_adopt_socket_vhost(web->listeners[listener].vhost, fd) != NULL;
}

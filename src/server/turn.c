/* Where no secret is configured one is made at each start: it serves our own clients, who ask for
 * credentials when they begin a call, and nobody else needs to know it. They are issued to whoever
 * asks, as the pages of customers are; so by default what they open leads to this server's media
 * port alone, which everybody can reach anyway.
 *
 * A port that another program has costs the relay, not the calls: the server starts without it and
 * says so. */
#include "server/turn.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "dtls/dtls.h"
#include "gateway/transport/metrics.h"
#include "gateway/transport/routes.h"
#include "media/media.h"
#include "net/clock.h"
#include "net/ifaddr.h"
#include "net/log.h"
#include "net/port.h"
#include "net/quota.h"
#include "net/tls.h"
#include "server/addresses.h"
#include "server/config.h"
#include "turn/auth.h"
#include "turn/policy.h"

enum {
    SECRET_CHARS = 32,
    ID_CHARS = 16,
    HOST_MAX = 256,
    URL_MAX = HOST_MAX + 64,
    WHY_MAX = 256,
};

struct tr_turn_service {
    const struct tr_config *config; /* borrowed */
    struct tr_rng *rng;
    struct tr_turn_auth *auth;
    struct tr_turn_policy *policy;
    struct tr_quota *quota;
    struct tr_tls *tls; /* NULL: no certificate */
    struct tr_dtls_ctx *dtls;
    const struct tr_media *media;
    struct tr_addr known[TR_MEDIA_TURN_ADDRS_MAX]; /* our addresses, as clients know them */
    int known_count;
};

static char why_text[WHY_MAX];

static enum tr_err fail(const char **why, enum tr_err err, const char *what, const char *detail)
{
    snprintf(why_text, sizeof why_text, "%s%s%s", what, detail[0] ? ": " : "", detail);
    *why = why_text;
    return err;
}

/* --- what the relay is given --- */

static enum tr_err make_auth(struct tr_turn_service *s, const char **why)
{
    const struct tr_config *c = s->config;
    struct tr_turn_user users[TR_CONFIG_LIST_MAX];
    char names[TR_CONFIG_LIST_MAX][TR_TURN_CREDENTIAL_MAX], secret[SECRET_CHARS + 1] = "";
    struct tr_turn_auth_conf conf = {
        .realm = c->turn.realm,
        .users = users,
        .users_count = c->turn.users.count,
        .wall_offset_us = tr_clock_unix_us() - tr_clock_now(),
    };
    if (c->turn.secrets.count > TR_TURN_SECRETS_MAX)
        return fail(why, TR_ERR_INVAL, "turn.secrets", "two at most");
    for (int i = 0; i < c->turn.secrets.count; i++)
        conf.secrets[i] = c->turn.secrets.items[i];
    if (c->turn.secrets.count == 0) {
        tr_rng_ice_chars(s->rng, secret, SECRET_CHARS);
        conf.secrets[0] = secret;
    }
    for (int i = 0; i < c->turn.users.count; i++) {
        const char *text = c->turn.users.items[i], *colon = strchr(text, ':');
        snprintf(names[i], sizeof names[i], "%.*s", (int)(colon - text), text);
        users[i] = (struct tr_turn_user){ .name = names[i], .password = colon + 1 };
    }
    s->auth = tr_turn_auth_create(&conf, s->rng);
    explicit_bzero(secret, sizeof secret);
    return s->auth ? TR_OK
                   : fail(why, TR_ERR_INVAL, "the relay's credentials cannot be used",
                          "see turn.realm, turn.secrets and turn.users");
}

static void add_media(struct tr_turn_policy_conf *policy, const struct tr_addr *ip, uint16_t port)
{
    if (tr_addr_is_any(ip) || policy->media_count == TR_TURN_OWN_MAX)
        return;
    policy->media[policy->media_count] = *ip;
    policy->media[policy->media_count++].port = port;
}

static enum tr_err make_policy(struct tr_turn_service *s, bool alone,
                               const struct tr_media_conf *media, const char **why)
{
    const struct tr_config *c = s->config;
    const char *bad = "";
    struct tr_turn_policy_conf conf = {
        .allow = (const char *const *)c->turn.allow_peers.items,
        .allow_count = c->turn.allow_peers.count,
        .deny = (const char *const *)c->turn.deny_peers.items,
        .deny_count = c->turn.deny_peers.count,
        .private = !alone && strcmp(c->turn.peers, "public") != 0,
        .media_tcp_port = media->tcp ? media->tcp_port : 0,
    };
    for (int i = 0; i < media->bind_count && !alone; i++) {
        add_media(&conf, &media->bind[i], media->port);
        add_media(&conf, &media->known[i], media->port);
    }
    for (int i = 0; i < s->known_count; i++)
        conf.own[conf.own_count++] = s->known[i];
    conf.own_count +=
        tr_ifaddr_list(conf.own + conf.own_count, TR_TURN_OWN_MAX - conf.own_count, true);
    enum tr_err err = tr_turn_policy_create(&s->policy, &conf, &bad);
    return err == TR_OK ? TR_OK
                        : fail(why, err, "turn.allow_peers, turn.deny_peers", bad ? bad : "");
}

static enum tr_err make_quota(struct tr_turn_service *s, const char **why)
{
    const struct tr_config *c = s->config;
    const struct tr_quota_conf conf = {
        .per_credential = (uint32_t)c->turn.allocations_per_credential,
        .per_address = (uint32_t)c->turn.allocations_per_address,
        .total = (uint32_t)c->turn.allocations_max,
        .credential_bps = (uint64_t)c->turn.credential_bps,
        .node_bps = (uint64_t)c->turn.node_bps,
        .seed = tr_rng_u64(s->rng),
    };
    s->quota = tr_quota_create(&conf);
    return s->quota ? TR_OK : fail(why, TR_ERR_NOMEM, "out of memory", "");
}

static enum tr_err make_tls(struct tr_turn_service *s, const char **why)
{
    static const char what[] = "the relay's TLS certificate or key cannot be used";
    const struct tr_config *c = s->config;
    bool own = c->turn.tls_cert[0] != '\0';
    const char *cert_file = own ? c->turn.tls_cert : c->http.tls_cert;
    const char *key_file = own ? c->turn.tls_key : c->http.tls_key;
    struct tr_tls_conf conf = { .alpn = { "stun.turn", "stun.nat-discovery" }, .ktls = true };
    struct tr_dtls_cert *cert;
    if (!cert_file[0] || (c->turn.tls_port == 0 && c->turn.tls_ports.count == 0))
        return TR_OK;
    enum tr_err err = tr_tls_cert_load(&cert, cert_file, key_file);
    if (err != TR_OK) /* not IO: this is no port that can be done without */
        return fail(why, TR_ERR_INVAL, what, err == TR_ERR_IO ? cert_file : tr_err_str(err));
    conf.cert = cert;
    s->tls = tr_tls_create(&conf);
    s->dtls = tr_dtls_ctx_create(cert);
    tr_dtls_cert_destroy(cert);
    return s->tls && s->dtls ? TR_OK : fail(why, TR_ERR_INVAL, what, "");
}

/* Those of turn.bind, else those of media; and how they are known. */
static void set_addresses(struct tr_turn_service *s, const struct tr_media_conf *media,
                          struct tr_media_turn_conf *conf)
{
    const struct tr_config_list *list = &s->config->turn.bind;
    for (int i = 0; i < list->count && conf->bind_count < TR_MEDIA_TURN_ADDRS_MAX; i++) {
        struct tr_addr *a = &conf->bind[conf->bind_count];
        if (tr_addr_parse_ip(a, list->items[i], 0) == TR_OK)
            conf->bind_count++;
    }
    for (int i = 0; list->count == 0 && i < media->bind_count; i++)
        conf->bind[conf->bind_count++] = media->bind[i];
    for (int i = 0; i < conf->bind_count; i++) {
        for (int k = 0; k < media->bind_count; k++) {
            if (tr_addr_ip_eq(&media->bind[k], &conf->bind[i]))
                conf->known[i] = media->known[k];
        }
        tr_server_map_address(s->config, &conf->bind[i], &conf->known[i]);
        bool mapped = !tr_addr_is_any(&conf->known[i]);
        s->known[s->known_count++] = mapped ? conf->known[i] : conf->bind[i];
    }
}

static uint16_t tls_port(const struct tr_config *config, int i) /* one that was checked */
{
    return (uint16_t)strtoul(config->turn.tls_ports.items[i], NULL, 10);
}

/* At each of our addresses. */
static bool is_free(const struct tr_media_turn_conf *conf, uint16_t port, enum tr_proto proto)
{
    for (int i = 0; i < conf->bind_count; i++) {
        struct tr_addr at = conf->bind[i];
        at.port = port;
        at.proto = (uint8_t)proto;
        if (!tr_port_is_free(&at))
            return false;
    }
    return true;
}

/* Workers share their ports, and so would another server of ours: each would get a part of it all.
 * So nobody may have one of them. */
static enum tr_err check_ports(const struct tr_media_turn_conf *conf, const char **why)
{
    static char what[96];
    uint16_t taken = conf->port;
    bool ok = is_free(conf, taken, TR_PROTO_UDP) && is_free(conf, taken, TR_PROTO_TCP);
    if (ok && conf->other_port > 0)
        ok = is_free(conf, taken = conf->other_port, TR_PROTO_UDP);
    for (int i = 0; ok && conf->tls && i < conf->tls_ports_count; i++)
        ok = is_free(conf, taken = conf->tls_ports[i], TR_PROTO_TCP);
    if (ok)
        return TR_OK;
    const char *reason = strerrordesc_np(errno);
    snprintf(what, sizeof what, "port %d (turn.port, .other_port, .tls_port, .tls_ports)", taken);
    return fail(why, TR_ERR_IO, what, reason);
}

static void fill(struct tr_turn_service *s, struct tr_media_turn_conf *conf)
{
    const struct tr_config *c = s->config;
    conf->auth = s->auth;
    conf->policy = s->policy;
    conf->quota = s->quota;
    conf->min_port = (uint16_t)c->turn.min_port;
    conf->max_port = (uint16_t)c->turn.max_port;
    conf->allocations_max = (uint32_t)c->turn.allocations_max;
    conf->lifetime_s = (uint32_t)c->turn.lifetime;
    conf->lifetime_max_s = (uint32_t)c->turn.lifetime_max;
    conf->allocation_bps = (uint32_t)c->turn.allocation_bps;
    conf->allocation_pps = (uint32_t)c->turn.allocation_pps;
    conf->unproven_per_second = (uint32_t)c->turn.unproven_per_second;
    conf->mobility = c->turn.mobility;
    conf->tcp = true;
    conf->other_port = conf->bind_count > 1 ? (uint16_t)c->turn.other_port : 0;
    conf->tls = s->tls;
    conf->dtls = s->dtls;
    tr_rng_fill(s->rng, conf->cookies.key, sizeof conf->cookies.key);
    if (c->turn.tls_port > 0)
        conf->tls_ports[conf->tls_ports_count++] = (uint16_t)c->turn.tls_port;
    for (int i = 0; i < c->turn.tls_ports.count && conf->tls_ports_count < TR_MEDIA_TURN_TLS_MAX;
         i++)
        conf->tls_ports[conf->tls_ports_count++] = tls_port(c, i);
}

enum tr_err tr_turn_service_create(struct tr_turn_service **out, const struct tr_config *config,
                                   struct tr_rng *rng, bool alone, struct tr_media_conf *media,
                                   const char **why)
{
    struct tr_media_turn_conf conf = { .port = (uint16_t)config->turn.port };
    *out = NULL;
    if (!config->turn.enabled && !alone)
        return TR_OK;
    struct tr_turn_service *s = tr_alloc(sizeof *s);
    if (!s)
        return fail(why, TR_ERR_NOMEM, "out of memory", "");
    s->config = config;
    s->rng = rng;
    set_addresses(s, media, &conf);
    enum tr_err err = make_auth(s, why);
    if (err == TR_OK)
        err = make_policy(s, alone, media, why);
    if (err == TR_OK)
        err = make_quota(s, why);
    if (err == TR_OK)
        err = make_tls(s, why);
    fill(s, &conf);
    if (err == TR_OK)
        err = check_ports(&conf, why);
    if (err != TR_OK) {
        tr_turn_service_destroy(s);
        if (err != TR_ERR_IO || alone)
            return err;
        tr_log(TR_LOG_ERROR, "turn", "there is no relay: %s", *why);
        return TR_OK;
    }
    media->turn = conf;
    *out = s;
    return TR_OK;
}

void tr_turn_service_destroy(struct tr_turn_service *s)
{
    if (!s)
        return;
    tr_turn_auth_destroy(s->auth);
    tr_turn_policy_destroy(s->policy);
    tr_quota_destroy(s->quota);
    tr_tls_destroy(s->tls);
    tr_dtls_ctx_destroy(s->dtls);
    tr_free(s);
}

void tr_turn_service_media(struct tr_turn_service *s, const struct tr_media *media)
{
    if (s)
        s->media = media;
}

/* --- what clients are told --- */

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
        add_url(urls, "turns", host, tls_port(c, i), "?transport=tcp");
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

/* --- counters --- */

struct row {
    const char *name, *help;
    uint64_t value;
};

static void put_rows(struct tr_metrics *m, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tr_metrics_one(m, rows[i].name, "counter", rows[i].help, (double)rows[i].value);
}

static void relay_metrics(const struct tr_turn_counters *c, struct tr_metrics *m)
{
    tr_metrics_one(m, "tring_turn_allocations", "gauge", "Relayed addresses.",
                   (double)c->allocations_now);
    const struct row rows[] = {
        { "tring_turn_bindings_total", "Binding requests answered.", c->bindings },
        { "tring_turn_allocations_total", "Relayed addresses given out.", c->allocations },
        { "tring_turn_refreshes_total", "Allocations refreshed.", c->refreshes },
        { "tring_turn_permissions_total", "Permissions made or renewed.", c->permissions },
        { "tring_turn_channels_total", "Channels bound or renewed.", c->channels },
        { "tring_turn_moves_total", "Clients that came by another address.", c->moves },
        { "tring_turn_packets_to_peers_total", "Packets of clients.", c->packets_to_peers },
        { "tring_turn_bytes_to_peers_total", "Their bytes.", c->bytes_to_peers },
        { "tring_turn_packets_to_clients_total", "Packets of peers.", c->packets_to_clients },
        { "tring_turn_bytes_to_clients_total", "Their bytes.", c->bytes_to_clients },
    };
    put_rows(m, rows, sizeof rows / sizeof rows[0]);
    tr_metrics_family(m, "tring_turn_refused_total", "counter", "What was not done, and why.");
    for (int i = 0; i < TR_TURN_REFUSED_COUNT; i++)
        tr_metrics_sample(m, "tring_turn_refused_total", "reason",
                          tr_turn_refusal_name((enum tr_turn_refusal)i), (double)c->refused[i]);
}

static void stream_metrics(const struct tr_streams_counters *c, struct tr_metrics *m)
{
    tr_metrics_one(m, "tring_turn_streams", "gauge", "Connections over TCP and TLS.",
                   (double)c->connections_now);
    const struct row rows[] = {
        { "tring_turn_streams_accepted_total", "Connections accepted.", c->accepted },
        { "tring_turn_streams_dialed_total", "Connections to TCP peers begun.", c->dialed },
        { "tring_turn_streams_handshakes_total", "TLS handshakes done.", c->handshakes },
        { "tring_turn_streams_dropped_total", "Packets that a connection was too slow for.",
          c->dropped_full + c->dropped_old },
        { "tring_turn_streams_accept_failed_total", "No descriptor or memory for a connection.",
          c->accept_failed },
    };
    put_rows(m, rows, sizeof rows / sizeof rows[0]);
    tr_metrics_family(m, "tring_turn_streams_ended_total", "counter", "What ended connections.");
    for (int i = 0; i < TR_STREAM_REASON_COUNT; i++)
        tr_metrics_sample(m, "tring_turn_streams_ended_total", "reason",
                          tr_stream_reason_name((enum tr_stream_reason)i), (double)c->ended[i]);
}

static void dtls_metrics(const struct tr_media_dtls_counters *c, struct tr_metrics *m)
{
    tr_metrics_one(m, "tring_turn_dtls", "gauge", "Associations over DTLS.",
                   (double)c->associations_now);
    const struct row rows[] = {
        { "tring_turn_dtls_handshakes_total", "DTLS handshakes done.", c->handshakes },
    };
    put_rows(m, rows, sizeof rows / sizeof rows[0]);
    tr_metrics_family(m, "tring_turn_dtls_refused_total", "counter", "Whom DTLS refused, and why.");
    for (int i = 0; i < TR_MEDIA_DTLS_REFUSED_COUNT; i++)
        tr_metrics_sample(m, "tring_turn_dtls_refused_total", "reason",
                          tr_media_dtls_refusal_name((enum tr_media_dtls_refusal)i),
                          (double)c->refused[i]);
}

void tr_turn_service_metrics(const struct tr_turn_service *s, struct tr_metrics *m)
{
    struct tr_media_turn_counters c;
    if (!s)
        return;
    tr_media_turn_counters(s->media, &c);
    relay_metrics(&c.turn, m);
    stream_metrics(&c.streams, m);
    dtls_metrics(&c.dtls, m);
}

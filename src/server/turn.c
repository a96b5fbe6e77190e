/* What the relay of the engine is given: addresses, ports, bounds.
 *
 * A port that another program has costs the relay, not the calls: the server starts without it and
 * says so. */
#include "server/turn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "dtls/dtls.h"
#include "net/log.h"
#include "net/port.h"
#include "net/quota.h"
#include "net/tls.h"
#include "server/addresses.h"
#include "server/turn_int.h"
#include "turn/auth.h"
#include "turn/policy.h"

enum { WHY_MAX = 256 };

static char why_text[WHY_MAX];

enum tr_err turn_fail(const char **why, enum tr_err err, const char *what, const char *detail)
{
    snprintf(why_text, sizeof why_text, "%s%s%s", what, detail[0] ? ": " : "", detail);
    *why = why_text;
    return err;
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

static void swap(struct tr_media_turn_conf *conf, int i, int k)
{
    struct tr_addr bind = conf->bind[i], known = conf->known[i];
    conf->bind[i] = conf->bind[k];
    conf->known[i] = conf->known[k];
    conf->bind[k] = bind;
    conf->known[k] = known;
}

/* The two addresses of RFC 5780, which are of one family, go first; false: there are no two. */
static bool put_pair_first(struct tr_media_turn_conf *conf)
{
    for (int k = 1; k < conf->bind_count; k++) {
        for (int i = 0; i < k; i++) {
            if (tr_addr_is_v4(&conf->bind[i]) != tr_addr_is_v4(&conf->bind[k]))
                continue;
            swap(conf, 0, i);
            swap(conf, 1, k);
            return true;
        }
    }
    return false;
}

static void set_other_port(const struct tr_config *c, struct tr_media_turn_conf *conf)
{
    if (c->turn.other_port == 0)
        return;
    if (put_pair_first(conf))
        conf->other_port = (uint16_t)c->turn.other_port;
    else
        tr_log(TR_LOG_WARN, "turn",
               "turn.other_port is not used: there are no two addresses of one family");
}

uint16_t turn_tls_port(const struct tr_config *config, int i) /* one that was checked */
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
    for (int i = 0; ok && i < conf->tls_ports_count; i++)
        ok = is_free(conf, taken = conf->tls_ports[i], TR_PROTO_TCP);
    if (ok)
        return TR_OK;
    const char *reason = strerrordesc_np(errno);
    snprintf(what, sizeof what, "port %d (turn.port, .other_port, .tls_port, .tls_ports)", taken);
    return turn_fail(why, TR_ERR_IO, what, reason);
}

static void set_tls_ports(const struct tr_config *c, struct tr_media_turn_conf *conf)
{
    if (c->turn.tls_port > 0)
        conf->tls_ports[conf->tls_ports_count++] = (uint16_t)c->turn.tls_port;
    for (int i = 0; i < c->turn.tls_ports.count && conf->tls_ports_count < TR_MEDIA_TURN_TLS_MAX;
         i++)
        conf->tls_ports[conf->tls_ports_count++] = turn_tls_port(c, i);
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
    /* A connection, like an allocation, is somebody's behind that address. */
    conf->streams.address_max = c->turn.allocations_per_address > 0
                                    ? (uint32_t)c->turn.allocations_per_address
                                    : UINT32_MAX;
    conf->mobility = c->turn.mobility;
    conf->tcp = true;
    set_other_port(c, conf);
    tr_rng_fill(s->rng, conf->cookies.key, sizeof conf->cookies.key);
    if (turn_has_cert(c))
        set_tls_ports(c, conf);
}

/* The certificate comes last: who watches its files must stay. */
static enum tr_err make(struct tr_turn_service *s, struct tr_certs *certs, bool alone,
                        const struct tr_media_conf *media, struct tr_media_turn_conf *conf,
                        const char **why)
{
    set_addresses(s, media, conf);
    enum tr_err err = turn_make_auth(s, why);
    if (err == TR_OK)
        err = turn_make_policy(s, alone, media, why);
    if (err == TR_OK)
        err = turn_make_quota(s, why);
    fill(s, conf);
    if (err == TR_OK)
        err = check_ports(conf, why);
    if (err == TR_OK && conf->tls_ports_count > 0)
        err = turn_make_tls(s, certs, why);
    conf->tls = s->tls;
    conf->dtls = s->dtls;
    return err;
}

enum tr_err tr_turn_service_create(struct tr_turn_service **out, const struct tr_config *config,
                                   struct tr_rng *rng, struct tr_certs *certs, bool alone,
                                   struct tr_media_conf *media, const char **why)
{
    struct tr_media_turn_conf conf = { .port = (uint16_t)config->turn.port };
    *out = NULL;
    if (!config->turn.enabled && !alone)
        return TR_OK;
    struct tr_turn_service *s = tr_alloc(sizeof *s);
    if (!s)
        return turn_fail(why, TR_ERR_NOMEM, "out of memory", "");
    s->config = config;
    s->rng = rng;
    enum tr_err err = make(s, certs, alone, media, &conf, why);
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

void tr_turn_service_media(struct tr_turn_service *s, struct tr_media *media)
{
    if (s)
        s->media = media;
}

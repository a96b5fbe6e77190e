/* Whom the relay serves, where it sends to, and how much.
 *
 * Where no secret is configured one is made at each start: it serves our own clients, who ask for
 * credentials when they begin a call, and nobody else needs to know it. They are issued to whoever
 * asks, as the pages of customers are; so by default what they open leads to this server's media
 * port alone, which everybody can reach anyway. Who has a credential that somebody has given to him
 * may reach public addresses (ADR 0012). */
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "net/clock.h"
#include "net/ifaddr.h"
#include "net/quota.h"
#include "server/turn_int.h"
#include "turn/auth.h"
#include "turn/policy.h"

enum { SECRET_CHARS = 32 };

enum tr_err turn_make_auth(struct tr_turn_service *s, const char **why)
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
        return turn_fail(why, TR_ERR_INVAL, "turn.secrets", "two at most");
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
                   : turn_fail(why, TR_ERR_INVAL, "the relay's credentials cannot be used",
                               "see turn.realm, turn.secrets and turn.users");
}

static void add_media(struct tr_turn_policy_conf *policy, const struct tr_addr *ip, uint16_t port)
{
    if (tr_addr_is_any(ip) || policy->media_count == TR_TURN_OWN_MAX)
        return;
    policy->media[policy->media_count] = *ip;
    policy->media[policy->media_count++].port = port;
}

enum tr_err turn_make_policy(struct tr_turn_service *s, bool alone,
                             const struct tr_media_conf *media, const char **why)
{
    const struct tr_config *c = s->config;
    const char *bad = "";
    struct tr_turn_policy_conf conf = {
        .allow = (const char *const *)c->turn.allow_peers.items,
        .allow_count = c->turn.allow_peers.count,
        .deny = (const char *const *)c->turn.deny_peers.items,
        .deny_count = c->turn.deny_peers.count,
        .private = !alone && strcmp(c->turn.peers, "own") == 0,
        .issued_private = !alone && strcmp(c->turn.peers, "public") != 0,
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
                        : turn_fail(why, err, "turn.allow_peers, turn.deny_peers", bad ? bad : "");
}

enum tr_err turn_make_quota(struct tr_turn_service *s, const char **why)
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
    return s->quota ? TR_OK : turn_fail(why, TR_ERR_NOMEM, "out of memory", "");
}

/* A mapping is looked up by what it depends on: the inner address and, by the rule, nothing of the
 * destination, its IP, or all of it. What comes in must find a mapping by its port, and somebody
 * among those that were sent to over it, again by the rule. Only what goes out keeps a mapping
 * alive (RFC 4787, REQ-6). */
#include "sim/nat_int.h"

#include "base/assert.h"
#include "base/mem.h"

enum { FIRST_PORT = 20000 };

#define TIMEOUT_US (120 * TR_SECOND)

struct sim_nat *sim_nat_create(struct sim *sim, const struct sim_nat_conf *conf)
{
    struct sim_nat *nat = tr_alloc(sizeof *nat);
    if (!nat)
        return NULL;
    nat->conf = *conf;
    if (nat->conf.timeout_us == 0)
        nat->conf.timeout_us = TIMEOUT_US;
    nat->next_port = FIRST_PORT;
    sim_add_nat(sim, nat);
    return nat;
}

void sim_nat_forget(struct sim_nat *nat)
{
    memset(nat->mappings, 0, sizeof nat->mappings);
    nat->conf.preserves_ports = false; /* else the old ports would come back */
}

void sim_nat_set_timeout(struct sim_nat *nat, tr_usec us)
{
    nat->conf.timeout_us = us;
}

static struct tr_addr depends_on(enum sim_nat_rule rule, const struct tr_addr *a)
{
    struct tr_addr r = *a;
    if (rule == SIM_NAT_ANY)
        return (struct tr_addr){ 0 };
    if (rule == SIM_NAT_ADDRESS)
        r.port = 0;
    return r;
}

static bool is_live(const struct sim_nat *nat, const struct sim_nat_mapping *m, tr_usec now)
{
    return m->used && now - m->last_us < nat->conf.timeout_us;
}

static struct sim_nat_mapping *find(struct sim_nat *nat, tr_usec now, const struct tr_addr *inside,
                                    const struct tr_addr *key)
{
    for (int i = 0; i < SIM_NAT_MAPPINGS_MAX; i++) {
        struct sim_nat_mapping *m = &nat->mappings[i];
        if (is_live(nat, m, now) && tr_addr_eq(&m->inside, inside) && tr_addr_eq(&m->to, key))
            return m;
    }
    return NULL;
}

static bool is_free(const struct sim_nat *nat, tr_usec now, uint16_t port, uint8_t proto)
{
    for (int i = 0; i < SIM_NAT_MAPPINGS_MAX; i++) {
        const struct sim_nat_mapping *m = &nat->mappings[i];
        if (is_live(nat, m, now) && m->port == port && m->inside.proto == proto)
            return false;
    }
    return true;
}

static struct sim_nat_mapping *add(struct sim_nat *nat, tr_usec now, const struct tr_addr *inside,
                                   const struct tr_addr *key)
{
    struct sim_nat_mapping *m = &nat->mappings[0];
    for (int i = 0; i < SIM_NAT_MAPPINGS_MAX && is_live(nat, m, now); i++) {
        struct sim_nat_mapping *other = &nat->mappings[i];
        if (!is_live(nat, other, now) || other->last_us < m->last_us)
            m = other;
    }
    bool preserve = nat->conf.preserves_ports && is_free(nat, now, inside->port, inside->proto);
    *m = (struct sim_nat_mapping){ .used = true,
                                   .inside = *inside,
                                   .to = *key,
                                   .port = preserve ? inside->port : nat->next_port };
    nat->next_port = (uint16_t)(nat->next_port + (preserve ? 0 : 7));
    return m;
}

bool sim_nat_out(struct sim_nat *nat, tr_usec now, struct tr_addr *from, const struct tr_addr *to)
{
    struct tr_addr key = depends_on(nat->conf.mapping, to);
    if (nat->conf.no_udp && from->proto == TR_PROTO_UDP)
        return false;
    struct sim_nat_mapping *m = find(nat, now, from, &key);
    if (!m)
        m = add(nat, now, from, &key);
    m->last_us = now;
    int known = m->remotes_count < SIM_NAT_REMOTES_MAX ? m->remotes_count : SIM_NAT_REMOTES_MAX;
    while (known > 0 && !tr_addr_eq(&m->remotes[known - 1], to))
        known--;
    if (known == 0)
        m->remotes[m->remotes_count++ % SIM_NAT_REMOTES_MAX] = *to;
    *from = (struct tr_addr){ .port = m->port, .proto = from->proto };
    memcpy(from->ip, nat->conf.ip.ip, sizeof from->ip);
    return true;
}

static bool lets_in(const struct sim_nat *nat, const struct sim_nat_mapping *m,
                    const struct tr_addr *from)
{
    struct tr_addr want = depends_on(nat->conf.filtering, from);
    for (int i = 0; i < m->remotes_count && i < SIM_NAT_REMOTES_MAX; i++) {
        struct tr_addr known = depends_on(nat->conf.filtering, &m->remotes[i]);
        if (tr_addr_eq(&known, &want))
            return true;
    }
    return false;
}

bool sim_nat_in(const struct sim_nat *nat, tr_usec now, struct tr_addr *to,
                const struct tr_addr *from)
{
    for (int i = 0; i < SIM_NAT_MAPPINGS_MAX; i++) {
        const struct sim_nat_mapping *m = &nat->mappings[i];
        if (is_live(nat, m, now) && m->port == to->port && m->inside.proto == to->proto &&
            lets_in(nat, m, from)) {
            *to = m->inside;
            return true;
        }
    }
    return false;
}

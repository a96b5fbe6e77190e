/* Allocate and Refresh (RFC 8656 7, 8). An Allocate request is read whole, then judged, then the
 * quota is asked, then the relays are; the answer leaves when the owner has opened them. A
 * retransmission finds the allocation with its transaction id, and is answered from what that
 * holds. */
#include "turn/turn_int.h"

enum { UDP = 17, TCP = 6, V4 = 1, V6 = 2, RESERVE_NEXT = 0x80 };

struct ask {
    unsigned transport, family, additional; /* 0: not there */
    bool even, pair, mobile, has_token, dont_fragment, bad;
    uint32_t lifetime_s;
    struct tr_slice token;
};

static unsigned first_of(struct tr_slice value, size_t n, bool *bad)
{
    *bad |= value.n != n;
    return value.n == n ? value.p[0] : 0;
}

static void read_attr(struct ask *k, uint16_t type, struct tr_slice value)
{
    switch (type) {
    case TR_TURN_REQUESTED_TRANSPORT: k->transport = first_of(value, 4, &k->bad); break;
    case TR_TURN_REQUESTED_ADDRESS_FAMILY: k->family = first_of(value, 4, &k->bad); break;
    case TR_TURN_ADDITIONAL_ADDRESS_FAMILY:
        k->additional = first_of(value, 4, &k->bad);
        k->bad |= k->additional != V6;
        break;
    case TR_TURN_EVEN_PORT:
        k->even = true;
        k->pair = (first_of(value, 1, &k->bad) & RESERVE_NEXT) != 0;
        break;
    case TR_TURN_RESERVATION_TOKEN:
        k->has_token = true;
        k->token = value;
        k->bad |= value.n != TURN_TOKEN;
        break;
    case TR_TURN_LIFETIME:
        k->bad |= value.n != 4;
        k->lifetime_s = value.n == 4 ? tr_get32(value.p) : 0;
        break;
    case TR_TURN_MOBILITY_TICKET:
        k->mobile = true;
        k->bad |= value.n != 0;
        break;
    case TR_TURN_DONT_FRAGMENT: k->dont_fragment = true; break;
    default: break;
    }
}

static void read_ask(const struct tr_stun *m, struct ask *k)
{
    uint16_t at = 0, type;
    struct tr_slice value;
    *k = (struct ask){ 0 };
    while (tr_stun_next(m, &at, &type, &value))
        read_attr(k, type, value);
    k->bad |= k->transport == 0;
    k->bad |= k->has_token && (k->even || k->family || k->additional);
    k->bad |= k->additional && (k->family || k->pair);
    k->bad |= k->transport == TCP && (k->even || k->has_token || k->dont_fragment);
}

static bool family_served(const struct tr_turn_conf *conf, const struct ask *k)
{
    if (k->additional)
        return conf->relay_v4 || conf->relay_v6;
    return k->family == V6 ? conf->relay_v6 : k->family <= V4 && conf->relay_v4;
}

/* 0, or why the request cannot be granted. */
static enum tr_stun_code judge(const struct turn_req *q, const struct ask *k,
                               enum tr_turn_refusal *why)
{
    const struct tr_turn_conf *conf = &q->t->conf;
    *why = TR_TURN_REFUSED_MALFORMED;
    if (k->bad)
        return TR_STUN_BAD_REQUEST;
    *why = TR_TURN_REFUSED_TRANSPORT;
    if (k->transport != UDP && !(k->transport == TCP && conf->tcp_peers))
        return TR_TURN_UNSUPPORTED_TRANSPORT;
    if (k->transport == TCP && q->flow->remote.proto != TR_PROTO_TCP)
        return TR_STUN_BAD_REQUEST; /* RFC 6062 5.1 */
    *why = TR_TURN_REFUSED_MOBILITY;
    if (k->mobile && (!conf->mobility || k->transport == TCP))
        return TR_TURN_MOBILITY_FORBIDDEN;
    *why = TR_TURN_REFUSED_FAMILY;
    if (!k->has_token && !family_served(conf, k))
        return TR_TURN_FAMILY_NOT_SUPPORTED;
    return (enum tr_stun_code)0;
}

static enum tr_err take(struct turn_req *q, void **share)
{
    const struct tr_turn_quota *quota = &q->t->conf.quota;
    struct tr_slice name = tr_slice(q->who.name, q->who.name_n);
    *share = NULL;
    return quota->take ? quota->take(quota->arg, name, &q->flow->remote, share) : TR_OK;
}

static void give(struct turn_req *q, void *share)
{
    if (q->t->conf.quota.give)
        q->t->conf.quota.give(q->t->conf.quota.arg, share);
}

static enum tr_err no_room(struct turn_req *q)
{
    return turn_refuse(q, TR_TURN_INSUFFICIENT_CAPACITY, TR_TURN_REFUSED_CAPACITY);
}

/* A place of the server and of the quota for one port more. */
static enum tr_err take_place(struct turn_req *q, void **share)
{
    if (tr_idtab_count(q->t->allocs) + tr_map_count(q->t->tokens) >= q->t->conf.allocations_max)
        return no_room(q);
    enum tr_err err = take(q, share);
    if (err == TR_ERR_LIMIT)
        return turn_refuse(q, TR_TURN_QUOTA_REACHED, TR_TURN_REFUSED_QUOTA);
    return err == TR_OK ? err : no_room(q);
}

static enum tr_err open_relays(struct turn_req *q, struct turn_alloc *a, const struct ask *k)
{
    const struct tr_turn_conf *conf = &q->t->conf;
    enum tr_turn_port port = k->pair   ? TR_TURN_PORT_PAIR
                             : k->even ? TR_TURN_PORT_EVEN
                                       : TR_TURN_PORT_ANY;
    if (!k->additional)
        return turn_relay_open(q->t, a, k->family == V6, port);
    for (int v6 = 0; v6 < TURN_RELAYS; v6++) {
        if (!(v6 ? conf->relay_v6 : conf->relay_v4))
            turn_relay_fail(a, v6, TR_TURN_FAMILY_NOT_SUPPORTED);
        else if (turn_relay_open(q->t, a, v6, port) != TR_OK)
            return TR_ERR_NOMEM;
    }
    return TR_OK;
}

/* The allocation of a granted request, with share or without a trace. */
static enum tr_err make(struct turn_req *q, const struct ask *k, void *share,
                        struct turn_alloc **out)
{
    enum tr_err err = turn_alloc_create(q, share, out);
    if (err != TR_OK)
        return err;
    (*out)->lifetime_s = k->lifetime_s;
    (*out)->tcp = k->transport == TCP;
    (*out)->mobile = k->mobile;
    if (k->mobile)
        turn_new_ticket(q->t, *out);
    return TR_OK;
}

static enum tr_err allocate_reserved(struct turn_req *q, const struct ask *k)
{
    struct turn_token *token = turn_token_find(q->t, k->token);
    struct turn_alloc *a;
    if (!token || token->port == 0 || !turn_req_owns(q, &token->cred))
        return no_room(q);
    if (make(q, k, token->share, &a) != TR_OK)
        return no_room(q);
    if (turn_relay_open(q->t, a, token->v6, TR_TURN_PORT_RESERVED) != TR_OK) {
        a->lent = true;
        turn_alloc_close(q->t, a);
        return no_room(q);
    }
    turn_token_use(q->t, token, &a->relay[token->v6]);
    return TR_OK;
}

static enum tr_err allocate(struct turn_req *q, const struct ask *k)
{
    struct turn_alloc *a;
    void *share, *second;
    enum tr_err err = take_place(q, &share);
    if (err != TR_OK)
        return err;
    if (make(q, k, share, &a) != TR_OK) {
        give(q, share);
        return no_room(q);
    }
    if (k->pair) {
        err = take_place(q, &second);
        if (err != TR_OK) {
            turn_alloc_close(q->t, a);
            return err;
        }
        if (turn_token_create(q, a, second) != TR_OK) {
            give(q, second);
            turn_alloc_close(q->t, a);
            return no_room(q);
        }
    }
    if (open_relays(q, a, k) != TR_OK) {
        turn_alloc_close(q->t, a);
        return no_room(q);
    }
    return TR_OK;
}

/* RFC 8656 7.2: a retransmission is no mismatch. */
static enum tr_err answer_again(struct turn_req *q)
{
    struct turn_alloc *a = q->alloc;
    bool same = memcmp(a->txid, q->m->txid, sizeof a->txid) == 0 && turn_req_owns(q, &a->cred);
    if (!same)
        return turn_refuse(q, TR_TURN_ALLOCATION_MISMATCH, TR_TURN_REFUSED_MALFORMED);
    if (a->up)
        turn_alloc_answer(q->t, q->now, a);
    return TR_OK;
}

enum tr_err turn_on_allocate(struct turn_req *q)
{
    struct ask ask;
    enum tr_turn_refusal why;
    if (q->alloc)
        return answer_again(q);
    read_ask(q->m, &ask);
    enum tr_stun_code code = judge(q, &ask, &why);
    if (code != 0)
        return turn_refuse(q, code, why);
    return ask.has_token ? allocate_reserved(q, &ask) : allocate(q, &ask);
}

/* -- Refresh -------------------------------------------------------------------------------------
 */

struct renewal {
    uint32_t asked_s;
    bool has_lifetime, bad;
    unsigned family;
    struct tr_slice ticket;
};

static void read_renewal(const struct tr_stun *m, struct renewal *k)
{
    uint16_t at = 0, type;
    struct tr_slice value;
    *k = (struct renewal){ 0 };
    while (tr_stun_next(m, &at, &type, &value)) {
        if (type == TR_TURN_LIFETIME) {
            k->has_lifetime = true;
            k->bad |= value.n != 4;
            k->asked_s = value.n == 4 ? tr_get32(value.p) : 0;
        } else if (type == TR_TURN_REQUESTED_ADDRESS_FAMILY) {
            k->family = first_of(value, 4, &k->bad);
        } else if (type == TR_TURN_MOBILITY_TICKET) {
            k->ticket = value;
        }
    }
}

static void renew(struct turn_req *q, struct turn_alloc *a, const struct renewal *k, uint32_t *left)
{
    bool end = k->has_lifetime && k->asked_s == 0;
    tr_usec life = turn_lifetime(&q->t->conf, k->asked_s);
    bool alive[TURN_RELAYS], others = false;
    for (int v6 = 0; v6 < TURN_RELAYS; v6++) {
        bool up = turn_alloc_relay(a, v6) != NULL;
        alive[v6] = up && (k->family == 0 || k->family == (v6 ? V6 : V4));
        others |= up && !alive[v6];
    }
    *left = end ? 0 : (uint32_t)(life / TR_SECOND);
    if (end && !others) {
        turn_alloc_close(q->t, a);
        return;
    }
    for (int v6 = 0; v6 < TURN_RELAYS; v6++) {
        if (alive[v6] && end)
            turn_relay_close(q->t, &a->relay[v6]);
        else if (alive[v6])
            a->relay[v6].expires = q->now + life;
    }
    turn_alloc_renew(q->t, a);
}

enum tr_err turn_on_refresh(struct turn_req *q)
{
    struct turn_alloc *a = q->alloc;
    struct turn_answer ans;
    struct renewal k;
    uint32_t left;
    read_renewal(q->m, &k);
    if (k.bad)
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    if (k.ticket.n > 0) {
        enum tr_err err = turn_move(q, k.ticket, &a);
        if (err != TR_OK)
            return err;
    } else if (a) {
        turn_flow_confirm(q->t, a, q->flow);
    }
    if (!a || !a->up)
        return turn_refuse(q, TR_TURN_ALLOCATION_MISMATCH, TR_TURN_REFUSED_MALFORMED);
    if (k.family != 0 && !(k.family <= V6 && turn_alloc_relay(a, k.family == V6)))
        return turn_refuse(q, TR_TURN_PEER_FAMILY_MISMATCH, TR_TURN_REFUSED_FAMILY);
    turn_accept_begin(q, &ans);
    q->t->counters.refreshes++;
    uint8_t ticket[TURN_TICKET_VALUE];
    bool with_ticket = k.ticket.n > 0;
    if (with_ticket)
        turn_ticket_value(q->t, a, ticket);
    renew(q, a, &k, &left);
    tr_stun_put_u32(&ans.w, TR_TURN_LIFETIME, left);
    if (with_ticket && left > 0)
        tr_stun_put(&ans.w, TR_TURN_MOBILITY_TICKET, tr_slice(ticket, sizeof ticket));
    turn_accept_end(q, &ans);
    return TR_OK;
}

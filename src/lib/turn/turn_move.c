/* What names an allocation or a port of this server from elsewhere: mobility tickets (RFC 8016) and
 * reservation tokens (RFC 8656 7.2). Both begin with the index of the server, so that whichever
 * server gets them knows whose they are, and their secret part is random and kept in the object
 * that they name: they cannot be made up or altered, and end with it. Tickets are text, six bits a
 * character, because coturn's client keeps them as strings of at most 32.
 *
 * A move: the Refresh with the ticket comes by a new flow and has the credential of the allocation.
 * From then on the client may speak on either flow; what peers send goes by the old one until it
 * has spoken on the new one, which shows that it got the answer, and the next ticket. Until then
 * the old ticket holds, too, because that answer may be lost. */
#include <openssl/crypto.h>

#include "base/mem.h"
#include "turn/turn_int.h"

enum { DIGIT_BITS = 6, DIGIT_MASK = 63, ID_AT = 1, ID_DIGITS = 11, SECRET_AT = 12 };

_Static_assert(SECRET_AT + TURN_TICKET == TURN_TICKET_VALUE, "a ticket is made of its parts");
_Static_assert(TR_TURN_SERVERS_MAX <= DIGIT_MASK + 1, "one digit names a server");

static uint8_t digit(uint64_t v)
{
    return (uint8_t)('0' + (v & DIGIT_MASK));
}

void turn_new_ticket(struct tr_turn *t, struct turn_alloc *a)
{
    t->conf.rng->fill(t->conf.rng, a->ticket, sizeof a->ticket);
    for (size_t i = 0; i < sizeof a->ticket; i++)
        a->ticket[i] = digit(a->ticket[i]);
}

void turn_ticket_value(const struct tr_turn *t, const struct turn_alloc *a,
                       uint8_t out[TURN_TICKET_VALUE])
{
    out[0] = digit((unsigned)t->conf.index);
    for (int i = 0; i < ID_DIGITS; i++)
        out[ID_AT + i] = digit(a->id >> (DIGIT_BITS * i));
    memcpy(out + SECRET_AT, a->ticket, TURN_TICKET);
}

static tr_id ticket_id(const uint8_t *p)
{
    tr_id id = 0;
    for (int i = 0; i < ID_DIGITS; i++)
        id |= (tr_id)((p[ID_AT + i] - '0') & DIGIT_MASK) << (DIGIT_BITS * i);
    return id;
}

static bool is_ticket(const uint8_t *secret, const uint8_t *p)
{
    return CRYPTO_memcmp(secret, p + SECRET_AT, TURN_TICKET) == 0;
}

/* The allocation that the ticket names; *last: by the ticket before its newest. */
static struct turn_alloc *find(struct turn_req *q, struct tr_slice v, bool *last)
{
    if (v.n != TURN_TICKET_VALUE || v.p[0] != digit((unsigned)q->t->conf.index))
        return NULL;
    struct turn_alloc *a = tr_idtab_get(q->t->allocs, ticket_id(v.p));
    if (!a || !a->up || !a->mobile)
        return NULL;
    *last = a->has_last_ticket && is_ticket(a->last_ticket, v.p);
    return *last || is_ticket(a->ticket, v.p) ? a : NULL;
}

static enum tr_err attach(struct turn_req *q, struct turn_alloc *a)
{
    struct tr_turn *t = q->t;
    if (a->flows == TURN_FLOWS)
        turn_flow_remove(t, a, 1); /* it has moved on before it arrived */
    enum tr_err err = turn_flow_add(t, a, q->flow);
    turn_flows_changed(t, a);
    if (err != TR_OK)
        return turn_refuse(q, TR_TURN_INSUFFICIENT_CAPACITY, TR_TURN_REFUSED_CAPACITY);
    t->counters.moves++;
    return TR_OK;
}

enum tr_err turn_move(struct turn_req *q, struct tr_slice ticket, struct turn_alloc **out)
{
    bool last = false;
    if (!q->t->conf.mobility)
        return turn_refuse(q, TR_TURN_MOBILITY_FORBIDDEN, TR_TURN_REFUSED_MOBILITY);
    struct turn_alloc *a = find(q, ticket, &last);
    if (!a)
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MOBILITY);
    if (!turn_req_owns(q, &a->cred))
        return turn_refuse(q, TR_TURN_WRONG_CREDENTIALS, TR_TURN_REFUSED_CREDENTIAL);
    if (q->alloc && q->alloc != a)
        return turn_refuse(q, TR_TURN_ALLOCATION_MISMATCH, TR_TURN_REFUSED_MOBILITY);
    bool again = q->alloc && a->flows == TURN_FLOWS && tr_path_eq(&a->flow[1], q->flow);
    if (q->alloc && !again) /* it has not moved */
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MOBILITY);
    *out = a;
    if (again)
        return TR_OK;
    enum tr_err err = attach(q, a);
    if (err != TR_OK || last)
        return err;
    memcpy(a->last_ticket, a->ticket, sizeof a->ticket);
    a->has_last_ticket = true;
    turn_new_ticket(q->t, a);
    return TR_OK;
}

/* -- Reserved ports ------------------------------------------------------------------------------
 */

struct turn_token *turn_token_find(const struct tr_turn *t, struct tr_slice value)
{
    return tr_map_get(t->tokens, value);
}

enum tr_err turn_token_create(struct turn_req *q, struct turn_alloc *a, void *share)
{
    struct tr_turn *t = q->t;
    struct turn_token *k = tr_alloc(sizeof *k);
    if (!k)
        return TR_ERR_NOMEM;
    t->conf.rng->fill(t->conf.rng, k->token, sizeof k->token);
    k->token[0] = (uint8_t)t->conf.index;
    k->cred = turn_req_cred(q);
    k->share = share;
    /* The allocation gives up first: 30 s for its relay, then 30 s for the client to come. */
    if (turn_timer_set(t, &k->timer, TURN_TIMER_TOKEN, q->now + 2 * TURN_PENDING_US) != TR_OK ||
        tr_map_add(t->tokens, tr_slice(k->token, sizeof k->token), k) != TR_OK)
        goto out;
    memcpy(a->token, k->token, sizeof a->token);
    a->has_token = true;
    return TR_OK;
out:
    tr_heap_remove(&t->timers, &k->timer.node);
    tr_free(k);
    return TR_ERR_NOMEM;
}

void turn_token_start(struct tr_turn *t, tr_usec now, struct turn_alloc *a)
{
    struct turn_token *k = turn_token_find(t, tr_slice(a->token, sizeof a->token));
    struct turn_relay *r = a->relay[0].state == TURN_RELAY_UP ? &a->relay[0] : &a->relay[1];
    k->port = (uint16_t)(r->addr.port + 1);
    k->v6 = r->v6;
    (void)!turn_timer_set(t, &k->timer, TURN_TIMER_TOKEN, now + TURN_PENDING_US);
}

static void forget(struct tr_turn *t, struct turn_token *k)
{
    tr_map_remove(t->tokens, tr_slice(k->token, sizeof k->token));
    tr_heap_remove(&t->timers, &k->timer.node);
    OPENSSL_cleanse(&k->cred, sizeof k->cred);
}

void turn_token_end(struct tr_turn *t, struct turn_token *k)
{
    forget(t, k);
    if (t->conf.quota.give)
        t->conf.quota.give(t->conf.quota.arg, k->share);
    if (k->port == 0)
        tr_free(k);
    else
        turn_event_push(t, &k->event, TR_TURN_UNRESERVE);
}

void turn_token_use(struct tr_turn *t, struct turn_token *k, struct turn_relay *r)
{
    forget(t, k);
    r->token = k;
}

/* -- Whose is it? --------------------------------------------------------------------------------
 */

static uint16_t naming_attr(const struct tr_stun *m)
{
    switch (m->method) {
    case TR_TURN_ALLOCATE: return TR_TURN_RESERVATION_TOKEN;
    case TR_TURN_REFRESH: return TR_TURN_MOBILITY_TICKET;
    case TR_TURN_CONNECTION_BIND: return TR_TURN_CONNECTION_ID;
    default: return 0;
    }
}

static bool is_proven(const struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                      const struct tr_stun *m)
{
    struct tr_turn_identity who;
    bool fresh = m->method == TR_TURN_ALLOCATE;
    bool proven = tr_turn_auth_check(t->conf.auth, now, flow, m, fresh, &who) == TR_TURN_PROOF_OK;
    OPENSSL_cleanse(&who, sizeof who);
    return proven;
}

int tr_turn_home(const struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                 struct tr_slice msg)
{
    struct tr_stun m;
    struct tr_slice value;
    if (msg.n > TR_TURN_MESSAGE_MAX || tr_stun_parse(&m, msg, TR_STUN_FOR_TURN) != TR_OK)
        return -1;
    uint16_t attr = m.cls == TR_STUN_REQUEST ? naming_attr(&m) : 0;
    if (attr == 0 || turn_flow_find(t, flow) || !tr_stun_find(&m, attr, &value) || value.n < 4)
        return -1;
    int index = attr == TR_TURN_MOBILITY_TICKET ? value.p[0] - '0' : value.p[0];
    bool foreign = index >= 0 && index < TR_TURN_SERVERS_MAX && index != t->conf.index;
    return foreign && is_proven(t, now, flow, &m) ? index : -1;
}

/* The life of an allocation: made for a proven request, up when its relays are open, gone when the
 * last relay has gone. A closed allocation leaves all tables at once; its memory stays until the
 * owner has been told of its relays. */
#include <openssl/crypto.h>

#include "base/assert.h"
#include "base/mem.h"
#include "turn/turn_int.h"

static void release(struct turn_alloc *a)
{
    tr_free(a->peers);
    OPENSSL_cleanse(a, sizeof *a);
    tr_free(a);
}

enum tr_err turn_alloc_create(struct turn_req *q, void *share, struct turn_alloc **out)
{
    struct tr_turn *t = q->t;
    struct turn_alloc *a = tr_alloc(sizeof *a);
    if (!a)
        return TR_ERR_NOMEM;
    a->cred = turn_req_cred(q);
    a->share = share;
    a->issued = q->who.issued;
    a->fingerprint = (q->m->has & TR_STUN_HAS_FINGERPRINT) != 0;
    memcpy(a->txid, q->m->txid, sizeof a->txid);
    turn_rate_init(&a->rate, t->bound, q->now);
    a->id = tr_idtab_add(t->allocs, a);
    if (!a->id || turn_flow_add(t, a, q->flow) != TR_OK ||
        turn_timer_set(t, &a->timer, TURN_TIMER_ALLOC, q->now + TURN_PENDING_US) != TR_OK)
        goto out;
    t->counters.allocations_now++;
    *out = a;
    return TR_OK;
out:
    if (a->flows > 0)
        turn_flow_remove(t, a, 0);
    tr_idtab_remove(t->allocs, a->id);
    release(a);
    return TR_ERR_NOMEM;
}

enum tr_err turn_relay_open(struct tr_turn *t, struct turn_alloc *a, bool v6,
                            enum tr_turn_port port)
{
    struct turn_relay *r = &a->relay[v6];
    r->id = tr_idtab_add(t->relays, r);
    if (!r->id)
        return TR_ERR_NOMEM;
    r->alloc = a;
    r->v6 = v6;
    r->port = (uint8_t)port;
    r->state = TURN_RELAY_OPENING;
    turn_event_push(t, &r->event, TR_TURN_OPEN);
    return TR_OK;
}

void turn_relay_fail(struct turn_alloc *a, bool v6, enum tr_stun_code code)
{
    a->relay[v6].v6 = v6;
    a->relay[v6].state = TURN_RELAY_FAILED;
    a->relay[v6].code = (uint16_t)code;
}

struct turn_relay *turn_alloc_relay(struct turn_alloc *a, bool v6)
{
    return a->relay[v6].state == TURN_RELAY_UP ? &a->relay[v6] : NULL;
}

static bool any(const struct turn_alloc *a, enum turn_relay_state state)
{
    return a->relay[0].state == state || a->relay[1].state == state;
}

void turn_relay_told(struct turn_relay *r)
{
    r->state = TURN_RELAY_NONE;
    if (r->alloc->dead && !any(r->alloc, TURN_RELAY_CLOSING))
        release(r->alloc);
}

/* The relay leaves the tables; CLOSE follows unless the owner has never heard of it. */
static void end_relay(struct tr_turn *t, struct turn_relay *r)
{
    if (r->state != TURN_RELAY_UP && r->state != TURN_RELAY_OPENING)
        return;
    tr_idtab_remove(t->relays, r->id);
    turn_event_drop(&r->event);
    r->state = r->told ? TURN_RELAY_CLOSING : TURN_RELAY_NONE;
    if (r->told)
        turn_event_push(t, &r->event, TR_TURN_CLOSE);
    if (r->token)
        turn_event_push(t, &r->token->event, TR_TURN_UNRESERVE);
}

void turn_alloc_close(struct tr_turn *t, struct turn_alloc *a)
{
    while (a->conns)
        turn_conn_close(t, a->conns, true);
    while (a->flows > 0)
        turn_flow_remove(t, a, 0);
    if (!a->up && a->has_token)
        turn_token_end(t, turn_token_find(t, tr_slice(a->token, sizeof a->token)));
    tr_heap_remove(&t->timers, &a->timer.node);
    tr_idtab_remove(t->allocs, a->id);
    t->counters.allocations_now--;
    if (t->conf.quota.give && !a->lent)
        t->conf.quota.give(t->conf.quota.arg, a->share);
    for (int i = 0; i < TURN_RELAYS; i++)
        end_relay(t, &a->relay[i]);
    a->dead = true;
    if (!any(a, TURN_RELAY_CLOSING))
        release(a);
}

void turn_relay_close(struct tr_turn *t, struct turn_relay *r)
{
    struct turn_alloc *a = r->alloc;
    struct turn_relay *other = &a->relay[!r->v6];
    if (other->state != TURN_RELAY_UP && other->state != TURN_RELAY_OPENING) {
        turn_alloc_close(t, a);
        return;
    }
    for (struct turn_conn *c = a->conns, *next; c; c = next) {
        next = c->next;
        if (c->relay == r)
            turn_conn_close(t, c, true);
    }
    end_relay(t, r);
    turn_alloc_renew(t, a);
}

void turn_alloc_renew(struct tr_turn *t, struct turn_alloc *a)
{
    tr_usec at = TR_NEVER;
    for (int i = 0; i < TURN_RELAYS; i++)
        if (a->relay[i].state == TURN_RELAY_UP)
            at = tr_usec_min(at, a->relay[i].expires);
    enum tr_err err = turn_timer_set(t, &a->timer, TURN_TIMER_ALLOC, at);
    TR_ASSERT(err == TR_OK); /* the timer is in the heap already */
}

static void answer_failure(struct tr_turn *t, struct turn_alloc *a, enum tr_stun_code code)
{
    struct turn_answer ans;
    turn_answer_begin(&ans, t, &a->flow[0], TR_STUN_ERROR, TR_TURN_ALLOCATE, a->txid);
    tr_stun_put_error(&ans.w, code);
    turn_answer_end(&ans, &a->cred, a->fingerprint);
}

void turn_alloc_timeout(struct tr_turn *t, tr_usec now, struct turn_alloc *a)
{
    if (!a->up) { /* the owner did not open the relays */
        turn_refused(t, TR_TURN_REFUSED_CAPACITY, TR_OK);
        answer_failure(t, a, TR_TURN_INSUFFICIENT_CAPACITY);
        turn_alloc_close(t, a);
        return;
    }
    for (int i = 0; i < TURN_RELAYS; i++) {
        struct turn_relay *r = &a->relay[i];
        bool last = a->relay[!i].state != TURN_RELAY_UP;
        if (r->state == TURN_RELAY_UP && r->expires <= now) {
            turn_relay_close(t, r);
            if (last)
                return;
        }
    }
}

tr_usec turn_lifetime(const struct tr_turn_conf *conf, uint32_t asked_s)
{
    uint32_t s = asked_s < conf->lifetime_max_s ? asked_s : conf->lifetime_max_s;
    return (s > conf->lifetime_s ? s : conf->lifetime_s) * TR_SECOND;
}

/* RFC 8656 18.12: like ERROR-CODE, with the family in front. */
static void put_failed_family(const struct turn_relay *r, struct tr_wr *w)
{
    uint8_t v[4] = { r->v6 ? 2 : 1, 0, (uint8_t)(r->code / 100), (uint8_t)(r->code % 100) };
    tr_stun_put(w, TR_TURN_ADDRESS_ERROR_CODE, tr_slice(v, sizeof v));
}

void turn_alloc_answer(struct tr_turn *t, tr_usec now, struct turn_alloc *a)
{
    struct turn_answer ans;
    tr_usec left = 0;
    turn_answer_begin(&ans, t, &a->flow[0], TR_STUN_SUCCESS, TR_TURN_ALLOCATE, a->txid);
    for (int i = 0; i < TURN_RELAYS; i++) {
        const struct turn_relay *r = &a->relay[i];
        if (r->state == TURN_RELAY_UP) {
            tr_stun_put_addr(&ans.w, TR_TURN_XOR_RELAYED_ADDRESS, &r->addr, true);
            left = r->expires - now;
        } else if (r->state == TURN_RELAY_FAILED) {
            put_failed_family(r, &ans.w);
        }
    }
    tr_stun_put_u32(&ans.w, TR_TURN_LIFETIME, (uint32_t)(left / TR_SECOND));
    tr_stun_put_addr(&ans.w, TR_STUN_XOR_MAPPED_ADDRESS, &a->flow[0].remote, true);
    if (a->has_token)
        tr_stun_put(&ans.w, TR_TURN_RESERVATION_TOKEN, tr_slice(a->token, sizeof a->token));
    if (a->mobile) {
        uint8_t ticket[TURN_TICKET_VALUE];
        turn_ticket_value(t, a, ticket);
        tr_stun_put(&ans.w, TR_TURN_MOBILITY_TICKET, tr_slice(ticket, sizeof ticket));
    }
    turn_answer_end(&ans, &a->cred, a->fingerprint);
}

/* All relays of an Allocate request are decided. */
static void settle(struct tr_turn *t, tr_usec now, struct turn_alloc *a)
{
    if (!any(a, TURN_RELAY_UP)) {
        enum tr_stun_code code =
            (enum tr_stun_code)(a->relay[0].code ? a->relay[0].code : a->relay[1].code);
        turn_refused(t,
                     code == TR_TURN_FAMILY_NOT_SUPPORTED ? TR_TURN_REFUSED_FAMILY
                                                          : TR_TURN_REFUSED_CAPACITY,
                     TR_OK);
        answer_failure(t, a, code);
        turn_alloc_close(t, a);
        return;
    }
    a->up = true;
    t->counters.allocations++;
    turn_alloc_renew(t, a);
    turn_alloc_answer(t, now, a);
}

void tr_turn_opened(struct tr_turn *t, tr_usec now, tr_id relay, enum tr_err err,
                    const struct tr_addr *relayed, void *user)
{
    struct turn_relay *r = tr_idtab_get(t->relays, relay);
    if (!r || r->state != TURN_RELAY_OPENING || !r->told)
        return;
    struct turn_alloc *a = r->alloc;
    if (err == TR_OK) {
        TR_ASSERT(tr_addr_is_v4(relayed) == !r->v6);
        r->state = TURN_RELAY_UP;
        r->addr = *relayed;
        r->user = user;
        r->expires = now + turn_lifetime(&t->conf, a->lifetime_s);
        if (r->port == TR_TURN_PORT_PAIR)
            turn_token_start(t, now, a);
    } else {
        tr_idtab_remove(t->relays, r->id);
        turn_relay_fail(a, r->v6,
                        err == TR_ERR_UNSUPPORTED ? TR_TURN_FAMILY_NOT_SUPPORTED
                                                  : TR_TURN_INSUFFICIENT_CAPACITY);
    }
    if (!any(a, TURN_RELAY_OPENING))
        settle(t, now, a);
    turn_check(t);
}

/* What the owner is to be told: a ring of nodes that are part of the objects, oldest first.
 * Messages take one of TURN_SENDS buffers; when none is free (the owner did not poll), the message
 * is lost as any datagram may be. */
#include "base/assert.h"
#include "base/mem.h"
#include "turn/turn_int.h"

enum tr_err turn_queue_init(struct tr_turn *t)
{
    t->events.next = t->events.prev = &t->events;
    t->sends = tr_alloc(TURN_SENDS * sizeof *t->sends);
    if (!t->sends)
        return TR_ERR_NOMEM;
    for (int i = 0; i < TURN_SENDS; i++) {
        t->sends[i].next_free = t->free_sends;
        t->free_sends = &t->sends[i];
    }
    return TR_OK;
}

void turn_event_push(struct tr_turn *t, struct turn_event *e, enum tr_turn_kind kind)
{
    TR_ASSERT(!e->next);
    e->kind = kind;
    e->next = &t->events;
    e->prev = t->events.prev;
    e->prev->next = e;
    t->events.prev = e;
}

bool turn_event_drop(struct turn_event *e)
{
    if (!e->next)
        return false;
    e->next->prev = e->prev;
    e->prev->next = e->next;
    e->next = e->prev = NULL;
    return true;
}

void turn_answer_begin(struct turn_answer *a, struct tr_turn *t, const struct tr_path *flow,
                       enum tr_stun_class cls, uint16_t method, const uint8_t txid[TR_STUN_TXID])
{
    *a = (struct turn_answer){ .t = t, .send = t->free_sends };
    if (a->send) {
        a->send->flow = *flow;
        a->w = tr_wr(a->send->bytes, sizeof a->send->bytes);
    } else {
        a->w = tr_wr(NULL, 0);
    }
    if (txid)
        tr_stun_begin(&a->w, cls, method, txid);
}

void turn_indicate_begin(struct turn_answer *a, struct tr_turn *t, const struct tr_path *flow,
                         uint16_t method)
{
    uint8_t txid[TR_STUN_TXID];
    tr_rng_fill(&t->txids, txid, sizeof txid);
    turn_answer_begin(a, t, flow, TR_STUN_INDICATION, method, txid);
}

void turn_answer_queue(struct turn_answer *a)
{
    struct tr_slice msg = a->send ? tr_stun_end(&a->w) : tr_slice(NULL, 0);
    if (msg.n == 0)
        return;
    a->send->n = msg.n;
    a->t->free_sends = a->send->next_free;
    turn_event_push(a->t, &a->send->event, TR_TURN_MESSAGE);
}

void turn_answer_end(struct turn_answer *a, const struct turn_cred *cred, bool fingerprint)
{
    if (cred)
        tr_stun_put_integrity(&a->w, tr_slice(cred->key, cred->key_n), cred->sha256);
    if (fingerprint)
        tr_stun_put_fingerprint(&a->w);
    turn_answer_queue(a);
}

static void tell_relay(struct turn_relay *r, struct tr_turn_out *out)
{
    out->relay = r->id;
    out->user = r->user;
    out->v6 = r->v6;
    out->tcp = r->alloc->tcp;
    if (out->kind == TR_TURN_OPEN) {
        out->port = (enum tr_turn_port)r->port;
        out->reserved = r->token ? r->token->port : 0;
        r->told = true;
        tr_free(r->token);
        r->token = NULL;
    } else if (out->kind == TR_TURN_MOVED) {
        out->flows_count = r->alloc->flows;
        memcpy(out->flows, r->alloc->flow, sizeof out->flows);
    } else {
        turn_relay_told(r);
    }
}

static void tell_conn(struct turn_conn *c, struct tr_turn_out *out)
{
    out->relay = c->relay->id;
    out->user = c->relay->user;
    out->connection = c->id;
    out->peer = c->peer;
    out->flow = c->flow;
    if (out->kind == TR_TURN_UNDIAL)
        tr_free(c);
    else if (out->kind == TR_TURN_DIAL)
        c->told = true;
}

static void tell_send(struct tr_turn *t, struct turn_send *s, struct tr_turn_out *out)
{
    out->flow = s->flow;
    out->data = tr_slice(s->bytes, s->n);
    t->held = s;
}

static void tell_token(struct turn_token *k, struct tr_turn_out *out)
{
    out->reserved = k->port;
    out->v6 = k->v6;
    tr_free(k);
}

void tr_turn_poll(struct tr_turn *t, struct tr_turn_out *out)
{
    struct turn_event *e = t->events.next;
    *out = (struct tr_turn_out){ .kind = TR_TURN_NONE };
    if (t->held) {
        t->held->next_free = t->free_sends;
        t->free_sends = t->held;
        t->held = NULL;
    }
    if (e == &t->events)
        return;
    turn_event_drop(e);
    out->kind = e->kind;
    switch (e->kind) {
    case TR_TURN_MESSAGE: tell_send(t, TR_CONTAINER_OF(e, struct turn_send, event), out); break;
    case TR_TURN_OPEN:
    case TR_TURN_MOVED:
    case TR_TURN_CLOSE: tell_relay(TR_CONTAINER_OF(e, struct turn_relay, event), out); break;
    case TR_TURN_DIAL:
    case TR_TURN_JOIN:
    case TR_TURN_UNDIAL: tell_conn(TR_CONTAINER_OF(e, struct turn_conn, event), out); break;
    case TR_TURN_UNRESERVE: tell_token(TR_CONTAINER_OF(e, struct turn_token, event), out); break;
    case TR_TURN_NONE: TR_ASSERT(false);
    }
}

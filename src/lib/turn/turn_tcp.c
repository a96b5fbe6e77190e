/* TCP peers (RFC 6062). A connection is dialed for a client, or a peer opens it; the client then
 * has 30 seconds to bind it to a stream of its own, by the CONNECTION-ID that names it: the index
 * of the server in the first byte and 24 random bits, worth nothing without the credential. */
#include <openssl/crypto.h>

#include "base/mem.h"
#include "turn/turn_int.h"

enum { NUMBER_TRIES = 8, READ_MAX = 1 << 16 };

static struct tr_slice key_of(const uint32_t *number)
{
    return tr_slice(number, sizeof *number);
}

static enum tr_err add_number(struct tr_turn *t, struct turn_conn *c)
{
    for (int i = 0; i < NUMBER_TRIES; i++) {
        c->number = (uint32_t)t->conf.index << 24 | tr_rng_u32(t->conf.rng) >> 8;
        enum tr_err err = tr_map_add(t->conn_numbers, key_of(&c->number), c);
        if (err != TR_ERR_EXISTS)
            return err;
    }
    return TR_ERR_LIMIT;
}

static enum tr_err create(struct tr_turn *t, tr_usec now, struct turn_relay *r,
                          const struct tr_addr *peer, struct turn_conn **out)
{
    if (r->alloc->conn_count >= t->conf.connections_max)
        return TR_ERR_LIMIT;
    struct turn_conn *c = tr_alloc(sizeof *c);
    if (!c)
        return TR_ERR_NOMEM;
    c->relay = r;
    c->peer = *peer;
    c->id = tr_idtab_add(t->conns, c);
    if (!c->id || turn_timer_set(t, &c->timer, TURN_TIMER_CONN, now + TURN_PENDING_US) != TR_OK ||
        add_number(t, c) != TR_OK)
        goto out;
    c->next = r->alloc->conns;
    r->alloc->conns = c;
    r->alloc->conn_count++;
    *out = c;
    return TR_OK;
out:
    tr_heap_remove(&t->timers, &c->timer.node);
    tr_idtab_remove(t->conns, c->id);
    tr_free(c);
    return TR_ERR_NOMEM;
}

void turn_conn_close(struct tr_turn *t, struct turn_conn *c, bool tell)
{
    struct turn_conn **at = &c->relay->alloc->conns;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->relay->alloc->conn_count--;
    tr_heap_remove(&t->timers, &c->timer.node);
    tr_map_remove(t->conn_numbers, key_of(&c->number));
    tr_idtab_remove(t->conns, c->id);
    turn_event_drop(&c->event);
    OPENSSL_cleanse(&c->cred, sizeof c->cred);
    if (tell && c->told)
        turn_event_push(t, &c->event, TR_TURN_UNDIAL);
    else
        tr_free(c);
}

static struct turn_conn *conn_to(const struct turn_alloc *a, const struct tr_addr *peer)
{
    struct turn_conn *c = a->conns;
    while (c && !tr_addr_eq(&c->peer, peer))
        c = c->next;
    return c;
}

enum tr_err turn_on_connect(struct turn_req *q)
{
    struct turn_alloc *a = q->alloc;
    struct tr_slice value;
    struct tr_addr peer;
    struct turn_conn *c;
    bool own;
    if (!a || !a->up)
        return turn_refuse(q, TR_TURN_ALLOCATION_MISMATCH, TR_TURN_REFUSED_MALFORMED);
    if (!a->tcp || !tr_stun_find(q->m, TR_TURN_XOR_PEER_ADDRESS, &value))
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    enum tr_err err = turn_req_peer(q, value, true, &peer, &own);
    if (err != TR_OK)
        return err;
    if (conn_to(a, &peer))
        return turn_refuse(q, TR_TURN_CONNECTION_EXISTS, TR_TURN_REFUSED_MALFORMED);
    if (!turn_rate_take(&a->rate, q->t->bound, q->now, TURN_BOUND_PEERS, 1))
        return turn_refuse(q, TR_TURN_INSUFFICIENT_CAPACITY, TR_TURN_REFUSED_RATE);
    if (create(q->t, q->now, turn_alloc_relay(a, !tr_addr_is_v4(&peer)), &peer, &c) != TR_OK)
        return turn_refuse(q, TR_TURN_INSUFFICIENT_CAPACITY, TR_TURN_REFUSED_CAPACITY);
    c->state = TURN_CONN_DIALING;
    c->cred = turn_req_cred(q);
    c->fingerprint = (q->m->has & TR_STUN_HAS_FINGERPRINT) != 0;
    memcpy(c->txid, q->m->txid, sizeof c->txid);
    turn_event_push(q->t, &c->event, TR_TURN_DIAL);
    return TR_OK;
}

static void put_number(struct tr_wr *w, const struct turn_conn *c)
{
    tr_stun_put_u32(w, TR_TURN_CONNECTION_ID, c->number);
}

static void answer_connect(struct tr_turn *t, const struct turn_conn *c, bool ok)
{
    struct turn_answer ans;
    turn_answer_begin(&ans, t, &c->relay->alloc->flow[0], ok ? TR_STUN_SUCCESS : TR_STUN_ERROR,
                      TR_TURN_CONNECT, c->txid);
    if (ok)
        put_number(&ans.w, c);
    else
        tr_stun_put_error(&ans.w, TR_TURN_CONNECTION_TIMEOUT);
    turn_answer_end(&ans, &c->cred, c->fingerprint);
}

void tr_turn_connected(struct tr_turn *t, tr_usec now, tr_id connection, enum tr_err err)
{
    struct turn_conn *c = tr_idtab_get(t->conns, connection);
    if (!c || c->state != TURN_CONN_DIALING)
        return;
    answer_connect(t, c, err == TR_OK);
    if (err == TR_OK) {
        c->state = TURN_CONN_WAITING;
        (void)!turn_timer_set(t, &c->timer, TURN_TIMER_CONN, now + TURN_PENDING_US);
    } else {
        turn_conn_close(t, c, false);
    }
    turn_check(t);
}

void turn_conn_timeout(struct tr_turn *t, struct turn_conn *c)
{
    if (c->state == TURN_CONN_DIALING)
        answer_connect(t, c, false);
    turn_conn_close(t, c, true);
}

enum tr_err tr_turn_incoming(struct tr_turn *t, tr_usec now, tr_id relay,
                             const struct tr_addr *peer, tr_id *connection)
{
    struct turn_relay *r = tr_idtab_get(t->relays, relay);
    struct turn_answer ans;
    struct turn_conn *c;
    if (!r || r->state != TURN_RELAY_UP || !r->alloc->tcp || r->alloc->flows == 0)
        return TR_ERR_NOTFOUND;
    if (!turn_perm_holds(r->alloc->peers, now, peer))
        return turn_refused(t, TR_TURN_REFUSED_NO_PERMISSION, TR_ERR_AUTH);
    if (create(t, now, r, peer, &c) != TR_OK)
        return turn_refused(t, TR_TURN_REFUSED_CAPACITY, TR_ERR_LIMIT);
    c->state = TURN_CONN_WAITING;
    c->told = true;
    *connection = c->id;
    turn_indicate_begin(&ans, t, &r->alloc->flow[0], TR_TURN_CONNECTION_ATTEMPT);
    put_number(&ans.w, c);
    tr_stun_put_addr(&ans.w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    turn_answer_end(&ans, NULL, false);
    turn_check(t);
    return TR_OK;
}

enum tr_err turn_on_connection_bind(struct turn_req *q)
{
    struct tr_slice value;
    struct turn_answer ans;
    if (q->alloc || q->flow->remote.proto != TR_PROTO_TCP ||
        !tr_stun_find(q->m, TR_TURN_CONNECTION_ID, &value) || value.n != 4)
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    uint32_t number = tr_get32(value.p);
    struct turn_conn *c = tr_map_get(q->t->conn_numbers, key_of(&number));
    if (!c || c->state != TURN_CONN_WAITING)
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    if (!turn_req_owns(q, &c->relay->alloc->cred))
        return turn_refuse(q, TR_TURN_WRONG_CREDENTIALS, TR_TURN_REFUSED_CREDENTIAL);
    turn_accept_begin(q, &ans);
    turn_accept_end(q, &ans);
    c->state = TURN_CONN_JOINED;
    c->flow = *q->flow;
    tr_heap_remove(&q->t->timers, &c->timer.node);
    turn_event_push(q->t, &c->event, TR_TURN_JOIN);
    return TR_OK;
}

void tr_turn_hangup(struct tr_turn *t, tr_usec now, tr_id connection)
{
    struct turn_conn *c = tr_idtab_get(t->conns, connection);
    (void)now;
    if (!c)
        return;
    if (c->state == TURN_CONN_DIALING)
        answer_connect(t, c, false);
    turn_conn_close(t, c, false);
    turn_check(t);
}

/* The allocation of a joined connection; NULL: it is none. */
static struct turn_alloc *joined(const struct tr_turn *t, tr_id connection)
{
    const struct turn_conn *c = tr_idtab_get(t->conns, connection);
    return c && c->state == TURN_CONN_JOINED ? c->relay->alloc : NULL;
}

size_t tr_turn_stream_room(struct tr_turn *t, tr_usec now, tr_id connection, bool to_peer, size_t n)
{
    struct turn_alloc *a = joined(t, connection);
    uint32_t want = n < READ_MAX ? (uint32_t)n : READ_MAX;
    if (!a || n == 0)
        return 0;
    uint32_t may = turn_rate_room(&a->rate, t->bound, &t->conf, a->share, now,
                                  to_peer ? TURN_TO_PEER : TURN_TO_CLIENT, want);
    if (may == 0)
        turn_refused(t, TR_TURN_REFUSED_RATE, TR_OK);
    return may;
}

void tr_turn_stream_passed(struct tr_turn *t, tr_id connection, bool to_peer, size_t n)
{
    struct turn_alloc *a = joined(t, connection);
    if (!a || n == 0)
        return;
    turn_rate_passed(&a->rate, t->bound, &t->conf, to_peer ? TURN_TO_PEER : TURN_TO_CLIENT,
                     (uint32_t)n);
    *(to_peer ? &t->counters.bytes_to_peers : &t->counters.bytes_to_clients) += n;
}

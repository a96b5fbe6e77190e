/* Each connection has one place in the heap, at or before the time when it is due next. Most of
 * what happens only puts that off, so the heap is touched when something is due earlier than it
 * says, or when it fires. */
#include "net/stream_int.h"

#define BLOCKED_US (30 * TR_SECOND) /* without a byte taken */
#define LINGER_US (5 * TR_SECOND)
#define REST_US (20 * TR_MSEC)

/* When it ends unless something happens, and what for. */
static tr_usec due(const struct tr_streams *set, const struct conn *c,
                   enum tr_stream_reason *reason)
{
    *reason = TR_STREAM_SLOW;
    if (c->state == CONN_DIALING)
        return c->since + c->dial_us;
    if (c->state == CONN_HANDSHAKE)
        return c->since + set->conf.handshake_us;
    if (c->state == CONN_LINGER)
        return c->since + LINGER_US;
    tr_usec at = c->last_in + c->idle_us;
    *reason = TR_STREAM_IDLE;
    if (!c->proven && c->since + set->conf.proof_us < at) {
        at = c->since + set->conf.proof_us;
        *reason = TR_STREAM_UNPROVEN;
    }
    if (c->frame_begun && c->frame_begun + set->conf.frame_us < at) {
        at = c->frame_begun + set->conf.frame_us;
        *reason = TR_STREAM_SLOW;
    }
    if (c->blocked_since && c->blocked_since + BLOCKED_US < at) {
        at = c->blocked_since + BLOCKED_US;
        *reason = TR_STREAM_CONGESTED;
    }
    return at;
}

/* A node that is in the heap can always be moved. */
static void set_timer(struct tr_streams *set, struct conn *c, tr_usec at)
{
    if (tr_heap_set(&set->timers, &c->timer, at) != TR_OK)
        conn_fail(set, c, TR_STREAM_NO_MEMORY);
}

void conn_arm(struct tr_streams *set, struct conn *c)
{
    enum tr_stream_reason reason;
    tr_usec at = due(set, c, &reason);
    if (at < c->timer.key)
        set_timer(set, c, at);
}

void conn_rest(struct tr_streams *set, struct conn *c)
{
    c->rests_until = set->now + REST_US;
    if (c->rests_until < c->timer.key)
        set_timer(set, c, c->rests_until);
}

static void rested(struct tr_streams *set, struct conn *c)
{
    c->rests_until = 0;
    conn_list_add(set, c, LIST_MORE);
}

void conn_due(struct tr_streams *set, struct conn *c)
{
    enum tr_stream_reason reason;
    tr_usec at = due(set, c, &reason);
    if (at <= set->now) {
        conn_fail(set, c, reason);
        return;
    }
    if (c->rests_until && c->rests_until <= set->now)
        rested(set, c);
    set_timer(set, c, c->rests_until ? tr_usec_min(at, c->rests_until) : at);
}

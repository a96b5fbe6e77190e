/* Goal: what names an allocation or a port from elsewhere leads to it, and to nobody else's:
 * reserved ports, clients that move, and which server a message is for.
 * Method: as test_turn.c. */
#include "turn/turn.h"
#include "turn/turn_test.h"
#include "unit.h"

static const uint8_t reserve_next[1] = { 0x80 };

static bool reserve(struct rig *rig, const struct tr_path *flow, uint8_t token[8])
{
    struct tr_slice value;
    CHECK_INT(rig_allocate_with(rig, flow, TR_TURN_EVEN_PORT, tr_slice(reserve_next, 1)), 0);
    if (!CHECK(tr_stun_find(&rig->m, TR_TURN_RESERVATION_TOKEN, &value) && value.n == 8))
        return false;
    memcpy(token, value.p, 8);
    return true;
}

TEST(turn_reserved_port_is_used)
{
    static const struct tr_turn_conf conf = { .relay_v4 = true, .index = 3 };
    struct rig rig;
    struct tr_path flow = rig_flow(1), second = rig_flow(2), third = rig_flow(3);
    uint8_t token[8];
    CHECK_INT(rig_open(&rig, &conf), TR_OK);
    if (!reserve(&rig, &flow, token))
        return;
    CHECK_INT(rig.shares, 2); /* a port that is kept counts */
    CHECK_INT(rig.last[TR_TURN_OPEN].port, TR_TURN_PORT_PAIR);
    CHECK_INT(rig_refresh(&rig, &flow, 0), 0); /* the reservation outlives its allocation */
    rig.user = RIG_OTHER_USER;
    CHECK_INT(rig_allocate_with(&rig, &second, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 508);
    rig.user = RIG_USER;
    CHECK_INT(rig_allocate_with(&rig, &second, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 0);
    CHECK_INT(rig.last[TR_TURN_OPEN].port, TR_TURN_PORT_RESERVED);
    CHECK_INT(rig.last[TR_TURN_OPEN].reserved, 50003);
    CHECK_INT(rig_allocate_with(&rig, &third, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 508);
    rig_wait(&rig, 60 * TR_SECOND);
    CHECK_INT(rig.seen[TR_TURN_UNRESERVE], 0);
    CHECK_INT(rig.reserved_now, 0);
    CHECK_INT(rig.shares, 1);
    rig_close(&rig);
}

TEST(turn_reserved_port_is_given_back)
{
    static const struct tr_turn_conf conf = { .relay_v4 = true, .allocations_max = 2 };
    struct rig rig;
    struct tr_path flow = rig_flow(1), second = rig_flow(2);
    uint8_t token[8];
    CHECK_INT(rig_open(&rig, &conf), TR_OK);
    if (!reserve(&rig, &flow, token))
        return;
    CHECK_INT(rig_allocate(&rig, &second), 508); /* the kept port has the place */
    rig_wait(&rig, 31 * TR_SECOND);
    CHECK_INT(rig.seen[TR_TURN_UNRESERVE], 1);
    CHECK_INT(rig.last[TR_TURN_UNRESERVE].reserved, 50003);
    CHECK_INT(rig.reserved_now, 0);
    CHECK_INT(rig.shares, 1);
    CHECK_INT(rig_allocate_with(&rig, &second, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 508);
    CHECK_INT(rig_allocate(&rig, &second), 0);
    struct tr_path third = rig_flow(3);
    CHECK_INT(rig_refresh(&rig, &second, 0), 0);
    rig.open_err = TR_ERR_LIMIT; /* a pair that cannot be had leaves no reservation */
    CHECK_INT(rig_allocate_with(&rig, &third, TR_TURN_EVEN_PORT, tr_slice(reserve_next, 1)), 508);
    CHECK_INT(rig.shares, 1);
    rig_close(&rig);
}

/* The client is gone before the owner has heard of its relay: the port must not stay kept. */
TEST(turn_reserved_port_is_given_back_untold)
{
    static const struct tr_turn_conf conf = { .relay_v4 = true };
    struct rig rig;
    struct tr_path flow = rig_flow(1), stream = rig_tcp(2);
    struct rig_msg msg;
    struct tr_turn_data data;
    uint8_t token[8];
    CHECK_INT(rig_open(&rig, &conf), TR_OK);
    if (!reserve(&rig, &flow, token))
        return;
    rig_begin(&msg, &rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    tr_stun_put(&msg.w, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8));
    struct tr_slice request = rig_sign(&rig, &stream, &msg);
    CHECK_INT(tr_turn_input(rig.turn, rig.now, &stream, request, &data), TR_OK);
    tr_turn_flow_gone(rig.turn, rig.now, &stream);
    rig_poll(&rig);
    CHECK_INT(rig.seen[TR_TURN_OPEN], 1);
    CHECK_INT(rig.seen[TR_TURN_UNRESERVE], 1);
    CHECK_INT(rig.reserved_now, 0);
    CHECK_INT(rig.shares, 1);
    rig_close(&rig);
}

/* -- Moving clients ------------------------------------------------------------------------------
 */

static const struct tr_turn_conf mobile = { .relay_v4 = true, .mobility = true, .index = 5 };

static bool frames_go_to(struct rig *rig, tr_id relay, const struct tr_path *flow)
{
    struct tr_turn_frame frame;
    struct tr_addr peer = rig_peer(1);
    return tr_turn_deliver(rig->turn, rig->now, relay, &peer, 1, &frame) == TR_OK &&
           tr_path_eq(&frame.flow, flow);
}

/* As the owner was told last. next NULL: it has arrived. */
static bool moved(const struct rig *rig, const struct tr_path *flow, const struct tr_path *next)
{
    const struct tr_turn_out *out = &rig->last[TR_TURN_MOVED];
    return out->flows_count == (next ? 2 : 1) && tr_path_eq(&out->flows[0], flow) &&
           (!next || tr_path_eq(&out->flows[1], next));
}

TEST(turn_client_moves)
{
    struct rig rig;
    struct tr_path home = rig_flow(1), away = rig_flow(2), third = rig_flow(3);
    struct tr_addr peer = rig_peer(1);
    struct rig_ticket first, second, forged;
    struct tr_turn_data data;
    CHECK_INT(rig_open(&rig, &mobile), TR_OK);
    CHECK_INT(rig_allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0)), 0);
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
    if (!CHECK(rig_keep_ticket(&rig, &first)))
        return;
    CHECK_INT(rig_bind(&rig, &home, &peer, 0x4000), 0);
    CHECK_INT(rig_move(&rig, &home, &first), 400); /* it has not moved */
    forged = first;
    forged.p[forged.n - 1] ^= 1;
    CHECK_INT(rig_move(&rig, &away, &forged), 400);
    rig.user = RIG_OTHER_USER;
    CHECK_INT(rig_move(&rig, &away, &first), 441);
    rig.user = RIG_USER;

    CHECK_INT(rig_move(&rig, &away, &first), 0);
    CHECK(rig_keep_ticket(&rig, &second) && memcmp(first.p, second.p, first.n) != 0);
    CHECK(rig.last[TR_TURN_MOVED].relay == relay);
    CHECK(moved(&rig, &home, &away));
    CHECK_INT(rig_move(&rig, &away, &first), 0); /* its answer was lost */
    CHECK_INT(rig.seen[TR_TURN_MOVED], 1);
    CHECK(frames_go_to(&rig, relay, &home));
    CHECK_INT(rig_channel_data(&rig, &home, 0x4000, &data), TR_OK);
    CHECK(frames_go_to(&rig, relay, &home));
    CHECK_INT(rig_channel_data(&rig, &away, 0x4000, &data), TR_OK);
    rig_poll(&rig);
    CHECK(moved(&rig, &away, NULL));
    CHECK(frames_go_to(&rig, relay, &away));
    CHECK_INT(rig_channel_data(&rig, &home, 0x4000, &data), TR_ERR_NOTFOUND);
    CHECK_INT(rig_move(&rig, &third, &first), 400); /* the old ticket is over now */
    CHECK_INT(rig_move(&rig, &third, &second), 0);
    CHECK(moved(&rig, &away, &third));
    CHECK_INT(rig_refresh(&rig, &third, 600), 0);
    CHECK(moved(&rig, &third, NULL));
    CHECK(frames_go_to(&rig, relay, &third));
    CHECK_INT(tr_turn_counters(rig.turn)->moves, 2);
    CHECK_INT(rig.shares, 1);
    rig_close(&rig);
}

TEST(turn_move_is_bounded)
{
    struct rig rig;
    struct tr_path home = rig_flow(1), busy = rig_flow(2), plain = rig_flow(3);
    struct rig_ticket ticket;
    CHECK_INT(rig_open(&rig, &mobile), TR_OK);
    rig_allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0));
    if (!CHECK(rig_keep_ticket(&rig, &ticket)))
        return;
    CHECK_INT(rig_allocate(&rig, &busy), 0);
    CHECK_INT(rig_move(&rig, &busy, &ticket), 437);
    for (unsigned i = 10; i < 30; i++) { /* each of them replaces the one before */
        struct tr_path flow = rig_flow(i);
        CHECK_INT(rig_move(&rig, &flow, &ticket), 0);
    }
    CHECK_INT(rig_refresh(&rig, &plain, 600), 437);
    struct tr_path last = rig_flow(29), early = rig_flow(28);
    CHECK_INT(rig_refresh(&rig, &early, 600), 437);
    CHECK_INT(rig_refresh(&rig, &last, 0), 0);
    CHECK_INT(rig_refresh(&rig, &home, 600), 437);
    CHECK_INT(rig.shares, 1);
    rig_close(&rig);
}

TEST(turn_stream_breaks_and_the_client_comes_back)
{
    struct rig rig;
    struct tr_path home = rig_tcp(1), away = rig_tcp(2);
    struct tr_addr peer = rig_peer(1);
    struct tr_turn_frame frame;
    struct rig_ticket ticket;
    CHECK_INT(rig_open(&rig, &mobile), TR_OK);
    rig_allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0));
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
    rig_permit(&rig, &home, &peer);
    if (!CHECK(rig.seen[TR_TURN_OPEN] == 1))
        return;
    rig_refresh(&rig, &home, 600);
    rig_allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0)); /* 437: no ticket */
    CHECK_INT(rig.m.error_code, 437);
    struct tr_path mover = rig_tcp(3);
    rig_allocate_with(&rig, &mover, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0));
    CHECK(rig_keep_ticket(&rig, &ticket));
    rig_permit(&rig, &mover, &peer);
    tr_id mover_relay = rig.last[TR_TURN_OPEN].relay;
    tr_turn_flow_gone(rig.turn, rig.now, &mover);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, mover_relay, &peer, 1, &frame), TR_ERR_NOTFOUND);
    CHECK_INT(rig_refresh(&rig, &mover, 600), 437); /* another client has the port now */
    CHECK_INT(rig_move(&rig, &away, &ticket), 0);
    CHECK(frames_go_to(&rig, mover_relay, &away));
    CHECK(frames_go_to(&rig, relay, &home));
    rig_wait(&rig, 601 * TR_SECOND);
    CHECK_INT(rig.open_now, 0);
    rig_close(&rig);
}

static int home_of(const struct rig *rig, const struct tr_path *flow, struct tr_slice msg)
{
    return tr_turn_home(rig->turn, rig->now, flow, msg);
}

TEST(turn_home_is_named_by_tickets_tokens_and_connections)
{
    struct rig rig;
    struct rig_msg msg;
    static const struct {
        uint16_t method, attr;
    } cases[] = { { TR_TURN_REFRESH, TR_TURN_MOBILITY_TICKET },
                  { TR_TURN_ALLOCATE, TR_TURN_RESERVATION_TOKEN },
                  { TR_TURN_CONNECTION_BIND, TR_TURN_CONNECTION_ID } };
    uint8_t value[32] = { 9, 1, 2, 3 };
    struct tr_path flow = rig_flow(1), busy = rig_flow(2);
    CHECK_INT(rig_open(&rig, &mobile), TR_OK);
    CHECK_INT(rig_allocate(&rig, &busy), 0);
    for (size_t i = 0; i < 3; i++) {
        for (int index = 0; index < 70; index++) {
            value[0] = (uint8_t)(index + (i == 0 ? '0' : 0)); /* tickets are text */
            rig_begin(&msg, &rig, cases[i].method);
            tr_stun_put(&msg.w, cases[i].attr, tr_slice(value, i == 2 ? 4 : sizeof value));
            CHECK_INT(home_of(&rig, &flow, tr_stun_end(&msg.w)), -1); /* of a stranger */
            CHECK_INT(home_of(&rig, &flow, rig_sign(&rig, &flow, &msg)),
                      index == 5 || index >= 64 ? -1 : index);
            CHECK_INT(home_of(&rig, &busy, tr_stun_end(&msg.w)), -1);
        }
    }
    CHECK_INT(home_of(&rig, &flow, tr_slice(value, sizeof value)), -1);
    rig_begin(&msg, &rig, TR_TURN_REFRESH);
    CHECK_INT(home_of(&rig, &flow, tr_stun_end(&msg.w)), -1);
    rig_close(&rig);
}

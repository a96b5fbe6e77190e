/* Goal: what a TURN server does before proof, with reserved ports, for clients that move, with TCP
 * peers, and when memory is out.
 * Method: as test_turn.c; the random lives at the end compare the server with a small model. */
#include "turn/throttle.h"
#include "turn/turn.h"
#include "turn/turn_test.h"
#include "unit.h"

/* -- Before proof --------------------------------------------------------------------------------
 */

static size_t challenge_size(struct rig *rig, const struct tr_path *flow, bool transport)
{
    struct rig_msg msg;
    int before = rig->seen[TR_TURN_MESSAGE];
    rig_begin(&msg, rig, TR_TURN_ALLOCATE);
    if (transport)
        rig_put_transport(&msg, 17);
    (void)!rig_send(rig, flow, tr_stun_end(&msg.w));
    return rig->seen[TR_TURN_MESSAGE] > before ? rig->m.raw.n : 0;
}

TEST(turn_unproven_answers_are_short_and_few)
{
    struct tr_throttle *throttle = tr_throttle_create(64, 10, 1);
    struct tr_turn_conf conf = { .relay_v4 = true, .throttle = throttle };
    struct rig rig;
    struct tr_path flow = rig_flow(1), tcp = rig_tcp(1), elsewhere = rig_flow(20000);
    int answers = 0;
    CHECK_INT(rig_open(&rig, &conf), TR_OK);
    size_t n = challenge_size(&rig, &flow, true);
    CHECK_INT(n, 88); /* to 28 bytes of request; turn_request.c says why it may be longer */
    CHECK_INT(rig.m.error_code, 401);
    CHECK(rig.m.reason.n == 0 && rig.m.nonce.n > 0 && rig.m.realm.n == 4);
    CHECK_INT(challenge_size(&rig, &flow, false), 0); /* a bare header gets nothing */
    rig_wait(&rig, 10 * TR_SECOND);
    for (int i = 0; i < 100; i++)
        answers += challenge_size(&rig, &flow, true) > 0;
    CHECK_INT(answers, 10);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_THROTTLED), 91);
    CHECK(challenge_size(&rig, &elsewhere, true) > 0);
    rig_wait(&rig, 10 * TR_SECOND);
    CHECK_INT(rig_allocate(&rig, &flow), 0);
    for (int i = 0; i < 20; i++) /* it has proven its address */
        CHECK(challenge_size(&rig, &flow, true) > 0);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_THROTTLED), 91);
    CHECK(challenge_size(&rig, &tcp, false) > 0); /* a handshake has proven the address */
    rig_close(&rig);
    tr_throttle_destroy(throttle);
}

TEST(turn_wrong_credentials)
{
    static const struct tr_turn_conf plain = { .relay_v4 = true };
    struct rig rig;
    struct tr_path flow = rig_flow(1), other = rig_flow(2);
    struct rig_msg msg;
    CHECK_INT(rig_open(&rig, &plain), TR_OK);
    rig_begin(&msg, &rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    struct tr_slice request = rig_sign(&rig, &flow, &msg);
    msg.bytes[request.n - 1] ^= 1;
    CHECK_INT(rig_send(&rig, &flow, request), 401);
    msg.bytes[request.n - 1] ^= 1;
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_CREDENTIAL), 1);
    CHECK_INT(rig_send(&rig, &other, request), 438); /* the nonce was for another address */
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_NONCE), 1);
    CHECK_INT(rig.seen[TR_TURN_OPEN], 0);
    CHECK_INT(rig_send(&rig, &flow, request), 0);
    rig_close(&rig);
}

TEST(turn_other_integrity_and_fingerprint)
{
    static const struct tr_turn_conf plain = { .relay_v4 = true };
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    CHECK_INT(rig_open(&rig, &plain), TR_OK);
    rig.sha256 = rig.fingerprint = true;
    CHECK_INT(rig_allocate(&rig, &flow), 0);
    CHECK((rig.m.has & TR_STUN_HAS_MI256) && !(rig.m.has & TR_STUN_HAS_MI));
    CHECK(rig.m.has & TR_STUN_HAS_FINGERPRINT);
    rig.sha256 = rig.fingerprint = false;
    CHECK_INT(rig_refresh(&rig, &flow, 600), 0);
    CHECK((rig.m.has & TR_STUN_HAS_MI) && !(rig.m.has & TR_STUN_HAS_FINGERPRINT));
    rig_close(&rig);
}

TEST(turn_binding_is_answered)
{
    static const struct tr_turn_conf plain = { .relay_v4 = true };
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct rig_msg msg;
    CHECK_INT(rig_open(&rig, &plain), TR_OK);
    rig_begin(&msg, &rig, TR_STUN_BINDING);
    CHECK_INT(rig_send(&rig, &flow, tr_stun_end(&msg.w)), 0);
    CHECK(tr_addr_eq(&rig.m.xor_mapped, &flow.remote));
    CHECK_INT(tr_turn_counters(rig.turn)->bindings, 1);
    rig_close(&rig);
}

/* -- Reserved ports ------------------------------------------------------------------------------
 */

static int allocate_with(struct rig *rig, const struct tr_path *flow, uint16_t type,
                         struct tr_slice value)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    tr_stun_put(&msg.w, type, value);
    return rig_ask(rig, flow, &msg);
}

static const uint8_t reserve_next[1] = { 0x80 };

static bool reserve(struct rig *rig, const struct tr_path *flow, uint8_t token[8])
{
    struct tr_slice value;
    CHECK_INT(allocate_with(rig, flow, TR_TURN_EVEN_PORT, tr_slice(reserve_next, 1)), 0);
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
    CHECK_INT(allocate_with(&rig, &second, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 508);
    rig.user = RIG_USER;
    CHECK_INT(allocate_with(&rig, &second, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 0);
    CHECK_INT(rig.last[TR_TURN_OPEN].port, TR_TURN_PORT_RESERVED);
    CHECK_INT(rig.last[TR_TURN_OPEN].reserved, 50003);
    CHECK_INT(allocate_with(&rig, &third, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 508);
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
    CHECK_INT(allocate_with(&rig, &second, TR_TURN_RESERVATION_TOKEN, tr_slice(token, 8)), 508);
    CHECK_INT(rig_allocate(&rig, &second), 0);
    struct tr_path third = rig_flow(3);
    CHECK_INT(rig_refresh(&rig, &second, 0), 0);
    rig.open_err = TR_ERR_LIMIT; /* a pair that cannot be had leaves no reservation */
    CHECK_INT(allocate_with(&rig, &third, TR_TURN_EVEN_PORT, tr_slice(reserve_next, 1)), 508);
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

struct ticket {
    uint8_t p[64];
    size_t n;
};

static bool keep_ticket(const struct rig *rig, struct ticket *ticket)
{
    struct tr_slice value;
    if (!CHECK(tr_stun_find(&rig->m, TR_TURN_MOBILITY_TICKET, &value) && value.n <= 64))
        return false;
    memcpy(ticket->p, value.p, value.n);
    ticket->n = value.n;
    return true;
}

static int move(struct rig *rig, const struct tr_path *flow, const struct ticket *ticket)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_REFRESH);
    tr_stun_put(&msg.w, TR_TURN_MOBILITY_TICKET, tr_slice(ticket->p, ticket->n));
    return rig_ask(rig, flow, &msg);
}

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
    struct ticket first, second, forged;
    struct tr_turn_data data;
    CHECK_INT(rig_open(&rig, &mobile), TR_OK);
    CHECK_INT(allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0)), 0);
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
    if (!keep_ticket(&rig, &first))
        return;
    CHECK_INT(rig_bind(&rig, &home, &peer, 0x4000), 0);
    CHECK_INT(move(&rig, &home, &first), 400); /* it has not moved */
    forged = first;
    forged.p[forged.n - 1] ^= 1;
    CHECK_INT(move(&rig, &away, &forged), 400);
    rig.user = RIG_OTHER_USER;
    CHECK_INT(move(&rig, &away, &first), 441);
    rig.user = RIG_USER;

    CHECK_INT(move(&rig, &away, &first), 0);
    CHECK(keep_ticket(&rig, &second) && memcmp(first.p, second.p, first.n) != 0);
    CHECK(rig.last[TR_TURN_MOVED].relay == relay);
    CHECK(moved(&rig, &home, &away));
    CHECK_INT(move(&rig, &away, &first), 0); /* its answer was lost */
    CHECK_INT(rig.seen[TR_TURN_MOVED], 1);
    CHECK(frames_go_to(&rig, relay, &home));
    CHECK_INT(rig_channel_data(&rig, &home, 0x4000, &data), TR_OK);
    CHECK(frames_go_to(&rig, relay, &home));
    CHECK_INT(rig_channel_data(&rig, &away, 0x4000, &data), TR_OK);
    rig_poll(&rig);
    CHECK(moved(&rig, &away, NULL));
    CHECK(frames_go_to(&rig, relay, &away));
    CHECK_INT(rig_channel_data(&rig, &home, 0x4000, &data), TR_ERR_NOTFOUND);
    CHECK_INT(move(&rig, &third, &first), 400); /* the old ticket is over now */
    CHECK_INT(move(&rig, &third, &second), 0);
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
    struct ticket ticket;
    CHECK_INT(rig_open(&rig, &mobile), TR_OK);
    allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0));
    if (!keep_ticket(&rig, &ticket))
        return;
    CHECK_INT(rig_allocate(&rig, &busy), 0);
    CHECK_INT(move(&rig, &busy, &ticket), 437);
    for (unsigned i = 10; i < 30; i++) { /* each of them replaces the one before */
        struct tr_path flow = rig_flow(i);
        CHECK_INT(move(&rig, &flow, &ticket), 0);
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
    struct ticket ticket;
    CHECK_INT(rig_open(&rig, &mobile), TR_OK);
    allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0));
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
    rig_permit(&rig, &home, &peer);
    if (!CHECK(rig.seen[TR_TURN_OPEN] == 1))
        return;
    rig_refresh(&rig, &home, 600);
    allocate_with(&rig, &home, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0)); /* 437: no ticket */
    CHECK_INT(rig.m.error_code, 437);
    struct tr_path mover = rig_tcp(3);
    allocate_with(&rig, &mover, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0));
    keep_ticket(&rig, &ticket);
    rig_permit(&rig, &mover, &peer);
    tr_id mover_relay = rig.last[TR_TURN_OPEN].relay;
    tr_turn_flow_gone(rig.turn, rig.now, &mover);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, mover_relay, &peer, 1, &frame), TR_ERR_NOTFOUND);
    CHECK_INT(rig_refresh(&rig, &mover, 600), 437); /* another client has the port now */
    CHECK_INT(move(&rig, &away, &ticket), 0);
    CHECK(frames_go_to(&rig, mover_relay, &away));
    CHECK(frames_go_to(&rig, relay, &home));
    rig_wait(&rig, 601 * TR_SECOND);
    CHECK_INT(rig.open_now, 0);
    rig_close(&rig);
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
            CHECK_INT(tr_turn_home(rig.turn, &flow, tr_stun_end(&msg.w)),
                      index == 5 || index >= 64 ? -1 : index);
            CHECK_INT(tr_turn_home(rig.turn, &busy, tr_stun_end(&msg.w)), -1);
        }
    }
    CHECK_INT(tr_turn_home(rig.turn, &flow, tr_slice(value, sizeof value)), -1);
    rig_begin(&msg, &rig, TR_TURN_REFRESH);
    CHECK_INT(tr_turn_home(rig.turn, &flow, tr_stun_end(&msg.w)), -1);
    rig_close(&rig);
}

/* -- TCP peers -----------------------------------------------------------------------------------
 */

static const struct tr_turn_conf tcp_peers = { .relay_v4 = true,
                                               .tcp_peers = true,
                                               .connections_max = 2 };

static int connect_to(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_CONNECT);
    tr_stun_put_addr(&msg.w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    return rig_ask(rig, flow, &msg);
}

static int connection_bind(struct rig *rig, const struct tr_path *flow, uint32_t number)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_CONNECTION_BIND);
    tr_stun_put_u32(&msg.w, TR_TURN_CONNECTION_ID, number);
    return rig_ask(rig, flow, &msg);
}

TEST(turn_connects_to_tcp_peers)
{
    struct rig rig;
    struct tr_path flow = rig_tcp(1), data = rig_tcp(2), third = rig_tcp(3), udp = rig_flow(4);
    struct tr_addr a = rig_peer(1), b = rig_peer(2), c = rig_peer(3);
    struct tr_addr inside = tr_addr_v4(10, 0, 0, 1, 80);
    CHECK_INT(rig_open(&rig, &tcp_peers), TR_OK);
    CHECK_INT(rig_allocate_tcp(&rig, &udp), 400);
    CHECK_INT(connect_to(&rig, &flow, &a), 437);
    CHECK_INT(rig_allocate_tcp(&rig, &flow), 0);
    CHECK(rig.last[TR_TURN_OPEN].tcp);
    CHECK_INT(connect_to(&rig, &flow, &inside), 403);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x4000), 400);
    CHECK_INT(connect_to(&rig, &flow, &a), 0);
    uint32_t number = rig_u32(&rig, TR_TURN_CONNECTION_ID);
    tr_id connection = rig.last[TR_TURN_DIAL].connection;
    CHECK(tr_addr_ip_eq(&rig.last[TR_TURN_DIAL].peer, &a));
    CHECK_INT(rig.last[TR_TURN_DIAL].peer.proto, TR_PROTO_TCP);
    CHECK_INT(connect_to(&rig, &flow, &a), 446);
    CHECK_INT(tr_turn_stream_room(rig.turn, rig.now, connection, true, 1000), 0);
    CHECK_INT(connection_bind(&rig, &data, number ^ 1), 400);
    CHECK_INT(connection_bind(&rig, &udp, number), 400);
    CHECK_INT(connection_bind(&rig, &flow, number), 400);
    rig.user = RIG_OTHER_USER;
    CHECK_INT(connection_bind(&rig, &data, number), 441);
    rig.user = RIG_USER;
    CHECK_INT(connection_bind(&rig, &data, number), 0);
    CHECK(rig.last[TR_TURN_JOIN].connection == connection);
    CHECK(tr_path_eq(&rig.last[TR_TURN_JOIN].flow, &data));
    CHECK_INT(connection_bind(&rig, &third, number), 400);
    CHECK_INT(tr_turn_stream_room(rig.turn, rig.now, connection, true, 1000), 1000);

    CHECK_INT(connect_to(&rig, &flow, &b), 0); /* and nobody binds it */
    CHECK_INT(connect_to(&rig, &flow, &c), 508);
    rig_wait(&rig, 31 * TR_SECOND);
    CHECK_INT(rig.seen[TR_TURN_UNDIAL], 1);
    rig.open_err = TR_ERR_IO;
    CHECK_INT(connect_to(&rig, &flow, &c), 447);
    rig.open_err = TR_OK;
    rig.hold = true;
    CHECK_INT(connect_to(&rig, &flow, &c), RIG_NO_ANSWER);
    rig_wait(&rig, 31 * TR_SECOND);
    CHECK_INT(rig.m.error_code, 447);
    CHECK_INT(rig.seen[TR_TURN_UNDIAL], 2);
    rig.hold = false;
    tr_turn_flow_gone(rig.turn, rig.now, &flow);
    rig_poll(&rig);
    CHECK_INT(rig.seen[TR_TURN_UNDIAL], 3);
    CHECK_INT(rig.seen[TR_TURN_CLOSE], 1);
    rig_hangup(&rig, connection); /* stale */
    rig_close(&rig);
}

TEST(turn_takes_tcp_peers)
{
    struct rig rig;
    struct tr_path flow = rig_tcp(1), data = rig_tcp(2);
    struct tr_addr peer = rig_peer(1);
    tr_id connection = 0;
    CHECK_INT(rig_open(&rig, &tcp_peers), TR_OK);
    rig_allocate_tcp(&rig, &flow);
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
    CHECK_INT(rig_incoming(&rig, relay, &peer, &connection), TR_ERR_AUTH);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    CHECK_INT(rig_incoming(&rig, relay, &peer, &connection), TR_OK);
    rig_poll(&rig);
    CHECK_INT(rig.m.method, TR_TURN_CONNECTION_ATTEMPT);
    uint32_t number = rig_u32(&rig, TR_TURN_CONNECTION_ID);
    CHECK_INT(connection_bind(&rig, &data, number), 0);
    CHECK(rig.last[TR_TURN_JOIN].connection == connection);
    rig_hangup(&rig, connection);
    rig_poll(&rig);
    CHECK_INT(rig.seen[TR_TURN_UNDIAL], 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(rig_incoming(&rig, relay, &peer, &connection), i < 2 ? TR_OK : TR_ERR_LIMIT);
    rig_poll(&rig);
    rig_close(&rig);
}

/* A joined connection to the peer, of the allocation of that flow. */
static tr_id join(struct rig *rig, const struct tr_path *flow, unsigned peer)
{
    struct tr_addr addr = rig_peer(peer);
    struct tr_path data = rig_tcp(100 + peer);
    CHECK_INT(connect_to(rig, flow, &addr), 0);
    tr_id connection = rig->last[TR_TURN_DIAL].connection;
    CHECK_INT(connection_bind(rig, &data, rig_u32(rig, TR_TURN_CONNECTION_ID)), 0);
    return connection;
}

static size_t pass(struct rig *rig, tr_id connection, bool to_peer, size_t n)
{
    size_t may = tr_turn_stream_room(rig->turn, rig->now, connection, to_peer, n);
    tr_turn_stream_passed(rig->turn, connection, to_peer, may);
    return may;
}

TEST(turn_streams_share_the_bounds)
{
    struct tr_turn_conf conf = tcp_peers;
    struct rig rig;
    struct tr_path flow = rig_tcp(1);
    size_t passed = 0;
    conf.allocation_bps = 80000 * 8;
    CHECK_INT(rig_open(&rig, &conf), TR_OK);
    rig_allocate_tcp(&rig, &flow);
    tr_id first = join(&rig, &flow, 1), second = join(&rig, &flow, 2);
    for (int i = 0; i < 100; i++) {
        passed += pass(&rig, i % 3 ? first : second, true, 100000);
        CHECK(pass(&rig, first, false, 10) == 10); /* the ways are apart */
        rig_wait(&rig, TR_SECOND / 100);
    }
    CHECK(passed > 144000 && passed < 147000); /* the burst of 64 KiB and one second */
    CHECK_INT(tr_turn_counters(rig.turn)->bytes_to_peers, passed);
    CHECK_INT(tr_turn_counters(rig.turn)->bytes_to_clients, 1000);
    CHECK(pass(&rig, first, true, 100000) > 0);
    CHECK_INT(pass(&rig, second, true, 100000), 0);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_RATE), 1);
    rig_hangup(&rig, first);
    CHECK_INT(pass(&rig, first, false, 10), 0);
    rig_close(&rig);
}

TEST(turn_streams_are_read_in_packets_and_by_the_quota)
{
    struct tr_turn_conf conf = tcp_peers;
    struct rig rig;
    struct tr_path flow = rig_tcp(1);
    int reads = 0;
    conf.allocation_pps = 100;
    CHECK_INT(rig_open(&rig, &conf), TR_OK);
    rig_allocate_tcp(&rig, &flow);
    tr_id connection = join(&rig, &flow, 1);
    for (int i = 0; i < 500; i++) /* single bytes are no way around the bounds */
        reads += pass(&rig, connection, true, 1) > 0;
    CHECK_INT(reads, 64); /* the burst */
    rig_wait(&rig, TR_SECOND);
    rig.draw = 10; /* all that the credential and the node have left */
    while (pass(&rig, connection, true, 20000) == 20000)
        continue; /* the rest of what was drawn before */
    rig_wait(&rig, TR_SECOND);
    CHECK_INT(pass(&rig, connection, true, 20000), 0);
    rig.draw = 5000;
    rig_wait(&rig, TR_SECOND);
    CHECK_INT(pass(&rig, connection, true, 20000), 5000);
    CHECK_INT(pass(&rig, connection, true, 20000), 0);
    rig_close(&rig);
}

/* -- Memory --------------------------------------------------------------------------------------
 */

/* A life that touches everything; RIG_NO_ANSWER and 508 are what a lack of memory may lead to. */
static bool fine(int code, bool *short_of)
{
    *short_of |= code == 508 || code == RIG_NO_ANSWER || code == 447;
    return code == 0;
}

static void live(struct rig *rig, bool *short_of)
{
    struct tr_path flow = rig_flow(1), away = rig_flow(2), pair = rig_flow(3), tcp = rig_tcp(4);
    struct tr_addr peer = rig_peer(1), next = rig_peer(2);
    struct ticket ticket = { .n = 0 };
    struct tr_slice value;
    tr_id connection;
    if (fine(allocate_with(rig, &flow, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0)), short_of) &&
        tr_stun_find(&rig->m, TR_TURN_MOBILITY_TICKET, &value)) {
        memcpy(ticket.p, value.p, value.n);
        ticket.n = value.n;
        fine(rig_bind(rig, &flow, &peer, 0x4000), short_of);
        for (unsigned i = 1; i < 9; i++) {
            next = rig_peer(i);
            fine(rig_permit(rig, &flow, &next), short_of);
        }
        fine(move(rig, &away, &ticket), short_of);
    }
    fine(allocate_with(rig, &pair, TR_TURN_EVEN_PORT, tr_slice(reserve_next, 1)), short_of);
    if (fine(rig_allocate_tcp(rig, &tcp), short_of)) {
        tr_id relay = rig->last[TR_TURN_OPEN].relay;
        fine(connect_to(rig, &tcp, &peer), short_of);
        if (fine(rig_permit(rig, &tcp, &next), short_of))
            *short_of |= rig_incoming(rig, relay, &next, &connection) != TR_OK;
    }
    rig_wait(rig, 40 * TR_SECOND);
}

TEST_OOM(turn_survives_without_memory)
{
    static const struct tr_turn_conf all = {
        .relay_v4 = true, .relay_v6 = true, .tcp_peers = true, .mobility = true
    };
    struct rig rig;
    bool short_of = false;
    enum tr_err err = rig_open(&rig, &all);
    if (err != TR_OK)
        return err;
    live(&rig, &short_of);
    rig_wait(&rig, 601 * TR_SECOND);
    CHECK_INT(rig.open_now, 0);
    CHECK_INT(rig.reserved_now, 0);
    CHECK_INT(rig.shares, 0);
    rig_close(&rig);
    return short_of ? TR_ERR_NOMEM : TR_OK;
}

/* -- Random lives --------------------------------------------------------------------------------
 */

enum { FLOWS = 4, PEERS = 6, CHANNELS = 5 };

struct model { /* what a client may expect of its allocation */
    bool up;
    tr_usec expires, permitted[PEERS], bound[PEERS];
    uint16_t number[PEERS];
    tr_id relay;
};

static void model_reset(struct model *m, tr_usec now)
{
    if (m->up && m->expires <= now)
        m->up = false;
    if (!m->up)
        *m = (struct model){ 0 };
}

static bool may_bind(const struct model *m, tr_usec now, unsigned peer, uint16_t number)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (m->bound[i] > now && (i == peer) != (m->number[i] == number))
            return false;
    return true;
}

static void step_request(struct rig *rig, struct model *m, const struct tr_path *flow, unsigned i,
                         unsigned op)
{
    struct tr_addr peer = rig_peer(i);
    uint16_t number = (uint16_t)(0x4000 + tr_rng_below(&rig->rng, CHANNELS));
    uint32_t life = tr_rng_below(&rig->rng, 4) ? 700 : 0;
    tr_usec now = rig->now;
    if (op == 0) {
        CHECK_INT(rig_allocate(rig, flow), m->up ? 437 : 0);
        if (!m->up)
            *m = (struct model){ .up = true,
                                 .expires = now + 600 * TR_SECOND,
                                 .relay = rig->last[TR_TURN_OPEN].relay };
    } else if (op == 1) {
        CHECK_INT(rig_permit(rig, flow, &peer), m->up ? 0 : 437);
        m->permitted[i] = now + 300 * TR_SECOND;
    } else if (op == 2) {
        bool may = may_bind(m, now, i, number);
        CHECK_INT(rig_bind(rig, flow, &peer, number), !m->up ? 437 : may ? 0 : 400);
        if (may) {
            m->permitted[i] = now + 300 * TR_SECOND;
            m->bound[i] = now + 600 * TR_SECOND;
            m->number[i] = number;
        }
    } else {
        CHECK_INT(rig_refresh(rig, flow, life), m->up ? 0 : 437);
        m->expires = now + life * TR_SECOND;
    }
    model_reset(m, now);
}

static void step_data(struct rig *rig, const struct model *m, const struct tr_path *flow,
                      unsigned i)
{
    struct tr_addr peer = rig_peer(i);
    struct tr_turn_data data;
    struct tr_turn_frame frame;
    bool permitted = m->permitted[i] > rig->now, bound = m->bound[i] > rig->now;
    CHECK_INT(rig_send_data(rig, flow, &peer, &data) == TR_OK, permitted);
    if (bound)
        CHECK_INT(rig_channel_data(rig, flow, m->number[i], &data) == TR_OK, permitted);
    CHECK(!data.data.p || tr_addr_eq(&data.peer, &peer));
    if (!m->up)
        return;
    bool came = tr_turn_deliver(rig->turn, rig->now, m->relay, &peer, 9, &frame) == TR_OK;
    CHECK_INT(came, permitted);
    if (came) {
        CHECK_INT(frame.head_n, bound ? 4 : 36);
        CHECK(tr_path_eq(&frame.flow, flow));
    }
}

TEST(turn_random_lives_follow_the_model)
{
    static const struct tr_turn_conf plain = { .relay_v4 = true };
    FOR_EACH_SEED (seed, 30) {
        struct rig rig;
        struct model models[FLOWS] = { 0 };
        CHECK_INT(rig_open(&rig, &plain), TR_OK);
        rig.rng = tr_rng_seeded(seed);
        for (int step = 0; step < 300; step++) {
            unsigned f = (unsigned)tr_rng_below(&rig.rng, FLOWS);
            struct tr_path flow = rig_flow(f);
            step_request(&rig, &models[f], &flow, (unsigned)tr_rng_below(&rig.rng, PEERS),
                         (unsigned)tr_rng_below(&rig.rng, 4));
            step_data(&rig, &models[f], &flow, (unsigned)tr_rng_below(&rig.rng, PEERS));
            rig_wait(&rig, (tr_usec)tr_rng_below(&rig.rng, 100) * TR_SECOND);
            int up = 0;
            for (int k = 0; k < FLOWS; k++) {
                model_reset(&models[k], rig.now);
                up += models[k].up;
            }
            CHECK_INT(tr_turn_counters(rig.turn)->allocations_now, up);
            CHECK_INT(rig.open_now, up);
            CHECK_INT(rig.shares, up);
        }
        rig_close(&rig);
    }
}

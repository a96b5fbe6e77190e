/* Goal: TCP peers (RFC 6062): who may connect to whom, how long each step may take, and how much
 * may pass.
 * Method: as test_turn.c. */
#include "turn/turn.h"
#include "turn/turn_test.h"
#include "unit.h"

static const struct tr_turn_conf tcp_peers = { .relay_v4 = true,
                                               .tcp_peers = true,
                                               .connections_max = 2 };

TEST(turn_connects_to_tcp_peers)
{
    struct rig rig;
    struct tr_path flow = rig_tcp(1), data = rig_tcp(2), third = rig_tcp(3), udp = rig_flow(4);
    struct tr_addr a = rig_peer(1), b = rig_peer(2), c = rig_peer(3);
    struct tr_addr inside = tr_addr_v4(10, 0, 0, 1, 80);
    CHECK_INT(rig_open(&rig, &tcp_peers), TR_OK);
    CHECK_INT(rig_allocate_tcp(&rig, &udp), 400);
    CHECK_INT(rig_connect(&rig, &flow, &a), 437);
    CHECK_INT(rig_allocate_tcp(&rig, &flow), 0);
    CHECK(rig.last[TR_TURN_OPEN].tcp);
    CHECK_INT(rig_connect(&rig, &flow, &inside), 403);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x4000), 400);
    CHECK_INT(rig_connect(&rig, &flow, &a), 0);
    uint32_t number = rig_u32(&rig, TR_TURN_CONNECTION_ID);
    tr_id connection = rig.last[TR_TURN_DIAL].connection;
    CHECK(tr_addr_ip_eq(&rig.last[TR_TURN_DIAL].peer, &a));
    CHECK_INT(rig.last[TR_TURN_DIAL].peer.proto, TR_PROTO_TCP);
    CHECK_INT(rig_connect(&rig, &flow, &a), 446);
    CHECK_INT(tr_turn_stream_room(rig.turn, rig.now, connection, true, 1000), 0);
    CHECK_INT(rig_connection_bind(&rig, &data, number ^ 1), 400);
    CHECK_INT(rig_connection_bind(&rig, &udp, number), 400);
    CHECK_INT(rig_connection_bind(&rig, &flow, number), 400);
    rig.user = RIG_OTHER_USER;
    CHECK_INT(rig_connection_bind(&rig, &data, number), 441);
    rig.user = RIG_USER;
    CHECK_INT(rig_connection_bind(&rig, &data, number), 0);
    CHECK(rig.last[TR_TURN_JOIN].connection == connection);
    CHECK(tr_path_eq(&rig.last[TR_TURN_JOIN].flow, &data));
    CHECK_INT(rig_connection_bind(&rig, &third, number), 400);
    CHECK_INT(tr_turn_stream_room(rig.turn, rig.now, connection, true, 1000), 1000);

    CHECK_INT(rig_connect(&rig, &flow, &b), 0); /* and nobody binds it */
    CHECK_INT(rig_connect(&rig, &flow, &c), 508);
    rig_wait(&rig, 31 * TR_SECOND);
    CHECK_INT(rig.seen[TR_TURN_UNDIAL], 1);
    rig.open_err = TR_ERR_IO;
    CHECK_INT(rig_connect(&rig, &flow, &c), 447);
    rig.open_err = TR_OK;
    rig.hold = true;
    CHECK_INT(rig_connect(&rig, &flow, &c), RIG_NO_ANSWER);
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
    CHECK_INT(rig_connection_bind(&rig, &data, number), 0);
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
    CHECK_INT(rig_connect(rig, flow, &addr), 0);
    tr_id connection = rig->last[TR_TURN_DIAL].connection;
    CHECK_INT(rig_connection_bind(rig, &data, rig_u32(rig, TR_TURN_CONNECTION_ID)), 0);
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

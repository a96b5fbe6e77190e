/* Goal: each rule of RFC 8656 that a server has to keep, its lifetimes, bounds and refusals.
 * Method: signed requests of a few clients against the real credentials and policy, virtual time,
 * relays opened by the rig (turn_test.h). */
#include "turn/turn.h"

#include "turn/auth.h"
#include "turn/turn_test.h"
#include "unit.h"

static void open_plain(struct rig *rig)
{
    CHECK_INT(rig_open(rig, &rig_plain), TR_OK);
}

/* With an allocation of this flow; its relay. */
static tr_id open_allocated(struct rig *rig, const struct tr_path *flow)
{
    open_plain(rig);
    CHECK_INT(rig_allocate(rig, flow), 0);
    return rig->last[TR_TURN_OPEN].relay;
}

static struct tr_addr relayed(const struct rig *rig)
{
    struct tr_addr a = { 0 };
    struct tr_slice value;
    if (CHECK(tr_stun_find(&rig->m, TR_TURN_XOR_RELAYED_ADDRESS, &value)))
        CHECK_INT(tr_stun_read_addr(&rig->m, value, true, &a), TR_OK);
    return a;
}

TEST(turn_relays_both_ways)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr peer = rig_peer(1), other = rig_peer(2);
    struct tr_turn_data data;
    struct tr_turn_frame frame;
    tr_id relay = open_allocated(&rig, &flow);
    CHECK_INT(relayed(&rig).port, 50002);
    CHECK_INT(rig_u32(&rig, TR_TURN_LIFETIME), 600);
    CHECK(tr_addr_eq(&rig.m.xor_mapped, &flow.remote));

    CHECK_INT(rig_send_data(&rig, &flow, &peer, &data), TR_ERR_AUTH);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 5, &frame), TR_ERR_AUTH);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    CHECK_INT(rig_send_data(&rig, &flow, &peer, &data), TR_OK);
    CHECK(data.relay == relay && data.user == &rig && tr_addr_eq(&data.peer, &peer) && !data.own);
    CHECK(tr_slice_eq_str(data.data, "hello"));
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 5, &frame), TR_OK);
    CHECK_INT(frame.head_n, 36);
    CHECK_INT(frame.pad, 3);
    CHECK(tr_path_eq(&frame.flow, &flow));

    CHECK_INT(rig_bind(&rig, &flow, &peer, 0x4001), 0);
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4001, &data), TR_OK);
    CHECK(tr_addr_eq(&data.peer, &peer) && tr_slice_eq_str(data.data, "hello"));
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4002, &data), TR_ERR_NOTFOUND);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 5, &frame), TR_OK);
    CHECK_INT(frame.head_n, 4);
    CHECK_INT(frame.pad, 0);
    CHECK_INT(tr_get32(frame.head), 0x40010005);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &other, 5, &frame), TR_ERR_AUTH);

    CHECK_INT(rig_refresh(&rig, &flow, 0), 0);
    CHECK_INT(rig.seen[TR_TURN_CLOSE], 1);
    CHECK_INT(rig.open_now, 0);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 5, &frame), TR_ERR_NOTFOUND);
    rig_close(&rig);
}

/* An Allocate with one more attribute of n bytes, the first of them v. */
static int allocate_with(struct rig *rig, const struct tr_path *flow, uint16_t type, uint8_t v,
                         size_t n)
{
    const uint8_t value[4] = { v };
    return rig_allocate_with(rig, flow, type, tr_slice(value, n));
}

TEST(turn_allocate_refuses_what_it_cannot_grant)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct rig_msg msg;
    open_plain(&rig);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_REQUESTED_ADDRESS_FAMILY, 2, 4), 440);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_REQUESTED_ADDRESS_FAMILY, 3, 4), 440);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_FAMILY), 2);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_REQUESTED_ADDRESS_FAMILY, 1, 3), 400);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_LIFETIME, 1, 3), 400);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_EVEN_PORT, 0, 2), 400);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_RESERVATION_TOKEN, 0, 4), 400);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_ADDITIONAL_ADDRESS_FAMILY, 1, 4), 400);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_MOBILITY_TICKET, 0, 0), 405);
    CHECK_INT(allocate_with(&rig, &flow, 0x7abc, 0, 4), 420);
    CHECK_INT(rig_allocate_tcp(&rig, &flow), 442);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_TRANSPORT), 1);
    rig_begin(&msg, &rig, TR_TURN_ALLOCATE);
    CHECK_INT(rig_ask(&rig, &flow, &msg), 400); /* no transport */
    rig_begin(&msg, &rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    rig_put_byte(&msg, TR_TURN_EVEN_PORT, 0x80, 1);
    rig_put_byte(&msg, TR_TURN_ADDITIONAL_ADDRESS_FAMILY, 2, 4);
    CHECK_INT(rig_ask(&rig, &flow, &msg), 400);
    rig.open_err = TR_ERR_LIMIT;
    CHECK_INT(rig_allocate(&rig, &flow), 508);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_CAPACITY), 1);
    CHECK_INT(tr_turn_counters(rig.turn)->allocations_now, 0);
    CHECK_INT(rig.open_now + rig.shares, 0);
    rig.open_err = TR_OK;
    CHECK_INT(rig_allocate(&rig, &flow), 0);
    rig_close(&rig);
}

TEST(turn_allocate_is_answered_again)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct rig_msg msg;
    struct tr_addr a;
    open_plain(&rig);
    rig_begin(&msg, &rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    struct tr_slice request = rig_sign(&rig, &flow, &msg);
    CHECK_INT(rig_send(&rig, &flow, request), 0);
    a = relayed(&rig);
    rig_wait(&rig, TR_SECOND);
    CHECK_INT(rig_send(&rig, &flow, request), 0);
    CHECK_INT(relayed(&rig).port, a.port);
    CHECK_INT(rig_u32(&rig, TR_TURN_LIFETIME), 599);
    CHECK_INT(rig.seen[TR_TURN_OPEN], 1);
    CHECK_INT(rig_allocate(&rig, &flow), 437);
    rig.user = RIG_OTHER_USER;
    CHECK_INT(rig_allocate(&rig, &flow), 437);
    CHECK_INT(rig_refresh(&rig, &flow, 600), 441);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_CREDENTIAL), 1);
    rig_close(&rig);
}

TEST(turn_retransmission_waits_for_the_relay)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct rig_msg msg;
    open_plain(&rig);
    rig.hold = true;
    rig_begin(&msg, &rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    struct tr_slice request = rig_sign(&rig, &flow, &msg);
    CHECK_INT(rig_send(&rig, &flow, request), RIG_NO_ANSWER);
    CHECK_INT(rig_send(&rig, &flow, request), RIG_NO_ANSWER);
    CHECK_INT(rig.seen[TR_TURN_OPEN], 1);
    CHECK_INT(rig_refresh(&rig, &flow, 600), 437);
    rig_wait(&rig, 31 * TR_SECOND);
    CHECK_INT(rig.m.error_code, 508);
    CHECK_INT(rig.seen[TR_TURN_CLOSE], 1);
    struct tr_addr a = tr_addr_v4(192, 0, 2, 1, 50000);
    tr_turn_opened(rig.turn, rig.now, rig.last[TR_TURN_OPEN].relay, TR_OK, &a, &rig);
    rig_poll(&rig);
    CHECK_INT(tr_turn_counters(rig.turn)->allocations, 0);
    rig_close(&rig);
}

TEST(turn_lifetimes)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    open_plain(&rig);
    CHECK_INT(rig_refresh(&rig, &flow, 600), 437);
    CHECK_INT(rig_allocate(&rig, &flow), 0);
    CHECK_INT(rig_refresh(&rig, &flow, 10), 0);
    CHECK_INT(rig_u32(&rig, TR_TURN_LIFETIME), 600);
    CHECK_INT(rig_refresh(&rig, &flow, 1800), 0);
    CHECK_INT(rig_u32(&rig, TR_TURN_LIFETIME), 1800);
    CHECK_INT(rig_refresh(&rig, &flow, 1000000), 0);
    CHECK_INT(rig_u32(&rig, TR_TURN_LIFETIME), 3600);
    rig_wait(&rig, 3599 * TR_SECOND);
    CHECK_INT(tr_turn_counters(rig.turn)->allocations_now, 1);
    rig_wait(&rig, TR_SECOND);
    CHECK_INT(tr_turn_counters(rig.turn)->allocations_now, 0);
    CHECK_INT(rig.seen[TR_TURN_CLOSE], 1);
    CHECK_INT(rig.open_now + rig.shares, 0);
    CHECK(tr_turn_next_timeout(rig.turn) == TR_NEVER);
    rig_close(&rig);
}

TEST(turn_permissions_and_channels_expire)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr peer = rig_peer(1);
    struct tr_turn_data data;
    struct tr_turn_frame frame;
    tr_id relay = open_allocated(&rig, &flow);
    rig_refresh(&rig, &flow, 3600);
    CHECK_INT(rig_bind(&rig, &flow, &peer, 0x4000), 0);
    rig_wait(&rig, 299 * TR_SECOND);
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4000, &data), TR_OK);
    rig_wait(&rig, TR_SECOND);
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4000, &data), TR_ERR_AUTH);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 1, &frame), TR_ERR_AUTH);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4000, &data), TR_OK);
    rig_wait(&rig, 299 * TR_SECOND);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 1, &frame), TR_OK);
    CHECK_INT(frame.head_n, 4);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    rig_wait(&rig, 2 * TR_SECOND); /* the channel is over, the permission holds */
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4000, &data), TR_ERR_NOTFOUND);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 1, &frame), TR_OK);
    CHECK_INT(frame.head_n, 36);
    CHECK_INT(rig_bind(&rig, &flow, &peer, 0x4001), 0);
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4001, &data), TR_OK);
    rig_close(&rig);
}

TEST(turn_channel_rules)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr a = rig_peer(1), b = rig_peer(2), no_port = a, v6 = rig_peer_v6(1);
    struct tr_addr inside = tr_addr_v4(10, 0, 0, 1, 80), loop = tr_addr_v4(127, 0, 0, 1, 80);
    struct rig_msg msg;
    no_port.port = 0;
    open_plain(&rig);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x4000), 437);
    rig_allocate(&rig, &flow);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x3fff), 400);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x8000), 400);
    CHECK_INT(rig_bind(&rig, &flow, &no_port, 0x4000), 400);
    CHECK_INT(rig_bind(&rig, &flow, &v6, 0x4000), 443);
    CHECK_INT(rig_bind(&rig, &flow, &inside, 0x4000), 403);
    CHECK_INT(rig_bind(&rig, &flow, &loop, 0x4000), 403);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_PEER), 2);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x7fff), 0);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x7fff), 0); /* refreshed */
    CHECK_INT(rig_bind(&rig, &flow, &b, 0x7fff), 400);
    CHECK_INT(rig_bind(&rig, &flow, &a, 0x4000), 400);
    CHECK_INT(rig_bind(&rig, &flow, &b, 0x4000), 0);
    rig_begin(&msg, &rig, TR_TURN_CHANNEL_BIND);
    tr_stun_put_addr(&msg.w, TR_TURN_XOR_PEER_ADDRESS, &a, true);
    CHECK_INT(rig_ask(&rig, &flow, &msg), 400);
    rig_begin(&msg, &rig, TR_TURN_CHANNEL_BIND);
    tr_stun_put_u32(&msg.w, TR_TURN_CHANNEL_NUMBER, 0x4001u << 16);
    CHECK_INT(rig_ask(&rig, &flow, &msg), 400);
    rig_close(&rig);
}

/* All peers of a request get a permission, or none of them. */
TEST(turn_permission_rules)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr inside = tr_addr_v4(192, 168, 1, 1, 0), v6 = rig_peer_v6(1);
    struct rig_msg msg;
    struct tr_turn_data data;
    open_plain(&rig);
    CHECK_INT(rig_permit(&rig, &flow, &inside), 437);
    rig_allocate(&rig, &flow);
    CHECK_INT(rig_permit(&rig, &flow, &inside), 403);
    CHECK_INT(rig_permit(&rig, &flow, &v6), 443);
    rig_begin(&msg, &rig, TR_TURN_CREATE_PERMISSION);
    CHECK_INT(rig_ask(&rig, &flow, &msg), 400);
    for (int bad = 1; bad >= 0; bad--) {
        rig_begin(&msg, &rig, TR_TURN_CREATE_PERMISSION);
        for (unsigned i = 1; i <= 20; i++) {
            struct tr_addr peer = rig_peer(i % 10);
            tr_stun_put_addr(&msg.w, TR_TURN_XOR_PEER_ADDRESS, &peer, true);
        }
        if (bad)
            tr_stun_put_addr(&msg.w, TR_TURN_XOR_PEER_ADDRESS, &inside, true);
        CHECK_INT(rig_ask(&rig, &flow, &msg), bad ? 403 : 0);
        for (unsigned i = 0; i < 10; i++) {
            struct tr_addr peer = rig_peer(i);
            peer.port++; /* a permission is for all ports */
            CHECK_INT(rig_send_data(&rig, &flow, &peer, &data), bad ? TR_ERR_AUTH : TR_OK);
        }
    }
    rig_close(&rig);
}

TEST(turn_own_media_port_is_told)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr media = tr_addr_v4(192, 0, 2, 1, 10000), ssh = tr_addr_v4(192, 0, 2, 1, 22);
    struct tr_turn_data data;
    open_allocated(&rig, &flow);
    CHECK_INT(rig_permit(&rig, &flow, &media), 0);
    CHECK_INT(rig_send_data(&rig, &flow, &media, &data), TR_OK);
    CHECK(data.own);
    CHECK_INT(rig_send_data(&rig, &flow, &ssh, &data), TR_ERR_AUTH);
    CHECK(!data.data.p);
    CHECK_INT(rig_bind(&rig, &flow, &ssh, 0x4001), 403);
    CHECK_INT(rig_bind(&rig, &flow, &media, 0x4000), 0);
    CHECK_INT(rig_channel_data(&rig, &flow, 0x4000, &data), TR_OK);
    CHECK(data.own);
    rig_close(&rig);
}

TEST(turn_issued_credentials_lead_to_our_media_alone)
{
    char name[TR_TURN_CREDENTIAL_MAX], password[TR_TURN_CREDENTIAL_MAX];
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr media = tr_addr_v4(192, 0, 2, 1, 10000), peer = rig_peer(1);
    struct tr_turn_data data;
    open_plain(&rig);
    rig.now = 2000 * TR_SECOND;
    CHECK_INT(tr_turn_auth_issue(rig.auth, rig.now, TR_SECOND, "x", name, password), TR_OK);
    rig.name = name;
    rig.password = password;
    CHECK_INT(rig_allocate(&rig, &flow), 0);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 403);
    CHECK_INT(rig_bind(&rig, &flow, &peer, 0x4000), 403);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_PEER), 2);
    CHECK_INT(rig_permit(&rig, &flow, &media), 0);
    CHECK_INT(rig_send_data(&rig, &flow, &media, &data), TR_OK);
    CHECK(data.own);
    rig_close(&rig);
}

TEST(turn_bounds_of_an_allocation)
{
    static const struct tr_turn_conf small = {
        .relay_v4 = true, .permissions_max = 60, .channels_max = 3, .peers_a_second = 10
    };
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr peer;
    CHECK_INT(rig_open(&rig, &small), TR_OK);
    rig_allocate(&rig, &flow);
    for (unsigned i = 0; i < 10; i++) {
        peer = rig_peer(i);
        CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    }
    peer = rig_peer(10);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 508);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_RATE), 1);
    peer = rig_peer(9);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 0); /* it is none that is new */
    for (unsigned i = 10; i < 60; i++) {
        rig_wait(&rig, TR_SECOND / 10);
        peer = rig_peer(i);
        CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    }
    rig_wait(&rig, TR_SECOND);
    peer = rig_peer(60);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 508);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_CAPACITY), 1);
    for (unsigned i = 0; i < 4; i++) {
        peer = rig_peer(i);
        CHECK_INT(rig_bind(&rig, &flow, &peer, (uint16_t)(0x4000 + i)), i < 3 ? 0 : 508);
    }
    rig_wait(&rig, 300 * TR_SECOND); /* they expire and make room */
    peer = rig_peer(61);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    rig_close(&rig);
}

TEST(turn_bounds_of_data)
{
    static const struct tr_turn_conf slow = { .relay_v4 = true,
                                              .allocation_bps = 8000 * 8,
                                              .allocation_pps = 100 };
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr peer = rig_peer(1);
    struct tr_turn_data data;
    struct tr_turn_frame frame;
    int passed = 0;
    size_t bytes = 0;
    CHECK_INT(rig_open(&rig, &slow), TR_OK);
    rig_allocate(&rig, &flow);
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
    rig_bind(&rig, &flow, &peer, 0x4000);
    for (int i = 0; i < 1000; i++) { /* one second: the burst of 64 and 100 more */
        passed += rig_channel_data(&rig, &flow, 0x4000, &data) == TR_OK;
        rig_wait(&rig, TR_SECOND / 1000);
    }
    CHECK(passed >= 160 && passed <= 166);
    for (int i = 0; i < 100; i++) { /* ten seconds: 64 KiB and 80000 bytes */
        for (int k = 0; k < 3; k++)
            if (tr_turn_deliver(rig.turn, rig.now, relay, &peer, 1200, &frame) == TR_OK)
                bytes += 1200;
        rig_wait(&rig, TR_SECOND / 10);
    }
    CHECK(bytes > 140000 && bytes < 146000);
    CHECK(rig_refused(&rig, TR_TURN_REFUSED_RATE) > 900);
    CHECK_INT(tr_turn_counters(rig.turn)->bytes_to_clients, bytes);
    rig_close(&rig);
}

TEST(turn_quota_is_drawn_in_chunks)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr peer = rig_peer(1);
    struct tr_turn_frame frame;
    size_t bytes = 0;
    tr_id relay = open_allocated(&rig, &flow);
    rig_permit(&rig, &flow, &peer);
    rig.draw = 100000;
    for (int i = 0; i < 1000; i++)
        if (tr_turn_deliver(rig.turn, rig.now, relay, &peer, 1000, &frame) == TR_OK)
            bytes += 1000;
    CHECK_INT(bytes, 100000);
    CHECK(rig.draws <= 5);
    rig.draw = 5000;
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 1000, &frame), TR_ERR_LIMIT);
    rig_wait(&rig, 10 * TR_MSEC);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 1000, &frame), TR_OK);
    rig_close(&rig);
}

TEST(turn_quota_and_capacity)
{
    static const struct tr_turn_conf few = { .relay_v4 = true, .allocations_max = 3 };
    struct rig rig;
    CHECK_INT(rig_open(&rig, &few), TR_OK);
    rig.shares_max = 2;
    for (unsigned i = 0; i < 3; i++) {
        struct tr_path flow = rig_flow(i);
        CHECK_INT(rig_allocate(&rig, &flow), i < 2 ? 0 : 486);
    }
    rig.shares_max = 10;
    for (unsigned i = 2; i < 4; i++) {
        struct tr_path flow = rig_flow(i);
        CHECK_INT(rig_allocate(&rig, &flow), i < 3 ? 0 : 508);
    }
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_QUOTA), 1);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_CAPACITY), 1);
    CHECK_INT(rig.shares, 3);
    rig_close(&rig);
}

static const struct tr_turn_conf dual = { .relay_v4 = true, .relay_v6 = true };

TEST(turn_dual_allocation)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr v4 = rig_peer(1), v6 = rig_peer_v6(1);
    struct tr_turn_data data;
    struct rig_msg msg;
    CHECK_INT(rig_open(&rig, &dual), TR_OK);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_ADDITIONAL_ADDRESS_FAMILY, 2, 4), 0);
    CHECK_INT(rig.open_now, 2);
    CHECK_INT(rig.shares, 1);
    tr_id relay_v6 = rig.last[TR_TURN_OPEN].relay;
    CHECK_INT(rig_permit(&rig, &flow, &v4), 0);
    CHECK_INT(rig_permit(&rig, &flow, &v6), 0);
    CHECK_INT(rig_send_data(&rig, &flow, &v6, &data), TR_OK);
    CHECK(data.relay == relay_v6);
    CHECK_INT(rig_send_data(&rig, &flow, &v4, &data), TR_OK);
    CHECK(data.relay != relay_v6);

    rig_begin(&msg, &rig, TR_TURN_REFRESH);
    tr_stun_put_u32(&msg.w, TR_TURN_LIFETIME, 1200);
    rig_put_byte(&msg, TR_TURN_REQUESTED_ADDRESS_FAMILY, 2, 4);
    CHECK_INT(rig_ask(&rig, &flow, &msg), 0);
    rig_permit(&rig, &flow, &v6);
    rig_wait(&rig, 600 * TR_SECOND); /* only the IPv6 relay was refreshed */
    CHECK_INT(rig.open_now, 1);
    CHECK_INT(rig_permit(&rig, &flow, &v4), 443);
    CHECK_INT(rig_permit(&rig, &flow, &v6), 0);
    CHECK_INT(rig_send_data(&rig, &flow, &v6, &data), TR_OK);
    rig_begin(&msg, &rig, TR_TURN_REFRESH);
    rig_put_byte(&msg, TR_TURN_REQUESTED_ADDRESS_FAMILY, 1, 4);
    CHECK_INT(rig_ask(&rig, &flow, &msg), 443);
    CHECK_INT(rig_refresh(&rig, &flow, 0), 0);
    CHECK_INT(rig.open_now + rig.shares, 0);
    rig_close(&rig);
}

TEST(turn_dual_allocation_may_be_half)
{
    struct tr_slice value;
    for (int v6 = 0; v6 < 2; v6++) {
        struct rig rig;
        struct tr_path flow = rig_flow(1);
        CHECK_INT(rig_open(&rig, &dual), TR_OK);
        rig.fail_v6 = v6;
        CHECK_INT(allocate_with(&rig, &flow, TR_TURN_ADDITIONAL_ADDRESS_FAMILY, 2, 4), 0);
        if (CHECK(tr_stun_find(&rig.m, TR_TURN_ADDRESS_ERROR_CODE, &value)))
            CHECK_INT(tr_get32(value.p), (uint32_t)(v6 + 1) << 24 | 5 << 8 | 8);
        CHECK_INT(rig.open_now, 1);
        rig_close(&rig);
    }
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    open_plain(&rig);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_ADDITIONAL_ADDRESS_FAMILY, 2, 4), 0);
    if (CHECK(tr_stun_find(&rig.m, TR_TURN_ADDRESS_ERROR_CODE, &value)))
        CHECK_INT(tr_get32(value.p), 2u << 24 | 4 << 8 | 40);
    rig_close(&rig);
}

TEST(turn_data_over_ipv6)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr peer = rig_peer_v6(1);
    struct tr_turn_frame frame;
    struct tr_stun m;
    struct tr_slice value;
    struct tr_addr from;
    uint8_t bytes[TR_TURN_HEAD_MAX + 8];
    CHECK_INT(rig_open(&rig, &dual), TR_OK);
    CHECK_INT(allocate_with(&rig, &flow, TR_TURN_REQUESTED_ADDRESS_FAMILY, 2, 4), 0);
    CHECK_INT(rig_permit(&rig, &flow, &peer), 0);
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 5, &frame), TR_OK);
    CHECK_INT(frame.head_n, TR_TURN_HEAD_MAX);
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    tr_wr_bytes(&w, frame.head, frame.head_n);
    tr_wr_str(&w, "hello");
    tr_wr_zero(&w, frame.pad);
    CHECK_INT(tr_stun_parse(&m, tr_wr_slice(&w), TR_STUN_FOR_TURN), TR_OK);
    CHECK(m.method == TR_TURN_DATA && m.cls == TR_STUN_INDICATION);
    CHECK(tr_stun_find(&m, TR_TURN_DATA_ATTR, &value) && tr_slice_eq_str(value, "hello"));
    CHECK(tr_stun_find(&m, TR_TURN_XOR_PEER_ADDRESS, &value));
    CHECK(tr_stun_read_addr(&m, value, true, &from) == TR_OK && tr_addr_eq(&from, &peer));
    rig_close(&rig);
}

TEST(turn_icmp_is_told)
{
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct tr_addr peer = rig_peer(1);
    struct tr_slice value;
    tr_id relay = open_allocated(&rig, &flow);
    int before = rig.seen[TR_TURN_MESSAGE];
    tr_turn_icmp(rig.turn, rig.now, relay, &peer, 3, 4, 1400);
    rig_poll(&rig);
    CHECK_INT(rig.seen[TR_TURN_MESSAGE], before); /* no permission */
    rig_permit(&rig, &flow, &peer);
    tr_turn_icmp(rig.turn, rig.now, relay, &peer, 3, 4, 1400);
    tr_turn_icmp(rig.turn, rig.now, relay, &peer, 8, 0, 0); /* none to tell */
    rig_poll(&rig);
    CHECK_INT(rig.m.method, TR_TURN_DATA);
    CHECK_INT(rig.m.cls, TR_STUN_INDICATION);
    if (CHECK(tr_stun_find(&rig.m, TR_TURN_ICMP, &value)))
        CHECK_INT(tr_get64(value.p), (uint64_t)(3 << 9 | 4) << 32 | 1400);
    CHECK_INT(rig.seen[TR_TURN_MESSAGE], before + 2);
    rig_close(&rig);
}

TEST(turn_streams_are_padded_and_end_with_their_client)
{
    struct rig rig;
    struct tr_path flow = rig_tcp(1);
    struct tr_addr peer = rig_peer(1);
    struct tr_turn_frame frame;
    tr_id relay = open_allocated(&rig, &flow);
    rig_bind(&rig, &flow, &peer, 0x4000);
    CHECK_INT(tr_turn_deliver(rig.turn, rig.now, relay, &peer, 5, &frame), TR_OK);
    CHECK_INT(frame.pad, 3);
    tr_turn_flow_gone(rig.turn, rig.now, &flow);
    rig_poll(&rig);
    CHECK_INT(rig.open_now, 0);
    rig_close(&rig);
}

/* What is odd is dropped and counted, and changes nothing. */
TEST(turn_rubbish_is_counted)
{
    static const struct tr_turn_conf none = { .relay_v4 = true };
    struct rig rig;
    struct tr_path flow = rig_flow(1), other = rig_flow(2);
    struct tr_addr peer = rig_peer(1);
    struct tr_turn_data data;
    static const uint8_t txid[TR_STUN_TXID] = "rubbish";
    static const uint8_t long_text[900];
    uint8_t junk[2000] = { 0x40, 0x00, 0x00, 0x10 };
    CHECK_INT(rig_open(&rig, &none), TR_OK);
    rig_allocate(&rig, &flow);
    rig_bind(&rig, &flow, &peer, 0x4000);
    CHECK_INT(tr_turn_input(rig.turn, rig.now, &flow, tr_slice(junk, 10), &data), TR_ERR_BADMSG);
    CHECK_INT(rig_channel_data(&rig, &other, 0x4000, &data), TR_ERR_NOTFOUND);
    CHECK_INT(rig_send_data(&rig, &other, &peer, &data), TR_ERR_NOTFOUND);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_UNKNOWN_FLOW), 2);
    junk[0] = 0x80;
    CHECK_INT(tr_turn_input(rig.turn, rig.now, &flow, tr_slice(junk, 10), &data), TR_ERR_IGNORED);
    CHECK_INT(tr_turn_input(rig.turn, rig.now, &flow, tr_slice(junk, 0), &data), TR_ERR_IGNORED);
    struct tr_wr w = tr_wr(junk, sizeof junk);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_TURN_ALLOCATE, txid);
    tr_stun_put(&w, 0x8101, tr_slice(long_text, 900));
    tr_stun_put(&w, 0x8100, tr_slice(long_text, 900));
    CHECK_INT(tr_turn_input(rig.turn, rig.now, &flow, tr_stun_end(&w), &data), TR_ERR_BADMSG);
    w = tr_wr(junk, sizeof junk);
    tr_stun_begin(&w, TR_STUN_SUCCESS, TR_TURN_ALLOCATE, txid);
    CHECK_INT(tr_turn_input(rig.turn, rig.now, &flow, tr_stun_end(&w), &data), TR_ERR_PROTO);
    w = tr_wr(junk, sizeof junk);
    tr_stun_begin(&w, TR_STUN_REQUEST, 0x0f, txid);
    CHECK_INT(tr_turn_input(rig.turn, rig.now, &flow, tr_stun_end(&w), &data), TR_ERR_UNSUPPORTED);
    CHECK_INT(rig_refused(&rig, TR_TURN_REFUSED_MALFORMED), 6);
    CHECK_INT(tr_turn_counters(rig.turn)->packets_to_peers, 0);
    rig_close(&rig);
}

/* Goal: each rule of RFC 8656 that a server has to keep, its lifetimes, bounds and refusals.
 * Method: signed requests of a few clients against the real credentials and policy, virtual time,
 * relays opened by the rig (turn_test.h). */
#include "turn/turn.h"

#include "turn/turn_test.h"
#include "unit.h"

static const struct tr_turn_conf plain = { .relay_v4 = true };

static void open_plain(struct rig *rig)
{
    CHECK_INT(rig_open(rig, &plain), TR_OK);
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
    open_plain(&rig);
    CHECK_INT(rig_allocate(&rig, &flow), 0);
    tr_id relay = rig.last[TR_TURN_OPEN].relay;
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

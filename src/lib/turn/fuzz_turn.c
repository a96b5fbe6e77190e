/* The whole life of a TURN server from bytes. Each step is one operation byte with its arguments:
 * requests of several flows with valid integrity and chosen attributes, raw datagrams, data both
 * ways, what an owner answers late or never, streams that end, and time.
 *
 * The server's own assertions are the oracle, with these: the quota is balanced, data reaches only
 * peers with a permission that the fuzzer has seen granted, each relay that was opened is closed
 * once, kept ports and TCP peers are given back, and timers make progress. */
#include "turn/turn.h"

#include "base/assert.h"
#include "turn/auth.h"
#include "turn/policy.h"
#include "turn/throttle.h"
#include "turn/turn_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { STEPS = 150, FLOWS = 8, PEERS = 12, RELAYS = 64, CONNS = 16 };

#define LIFE_US (3000 * TR_SECOND) /* of the credential that is issued; expiry is wall time */

struct world {
    struct rig rig;
    struct tr_rd in;
    struct tr_path flow[FLOWS];
    tr_id relays[RELAYS], conns[CONNS];
    unsigned relays_n, conns_n;
    uint8_t ticket[64], token[8], number[4];
    size_t ticket_n;
    tr_usec permitted[PEERS]; /* by anybody: the latest end of a permission */
    char name[TR_TURN_CREDENTIAL_MAX], password[TR_TURN_CREDENTIAL_MAX]; /* issued */
};

static unsigned take(struct world *w, unsigned below)
{
    return tr_rd_u8(&w->in) % below;
}

static struct tr_addr peer_of(unsigned i)
{
    if (i == PEERS - 1)
        return tr_addr_v4(10, 0, 0, 1, 80); /* forbidden */
    if (i == PEERS - 2)
        return tr_addr_v4(192, 0, 2, 1, 10000); /* our own media port */
    return i % 3 == 2 ? rig_peer_v6(i) : rig_peer(i);
}

static void keep(const struct rig *rig, uint16_t type, uint8_t *out, size_t max, size_t *n)
{
    struct tr_slice value;
    if (!tr_stun_find(&rig->m, type, &value) || value.n > max)
        return;
    memcpy(out, value.p, value.n);
    *n = value.n;
}

/* Notes what the events of the last step gave. */
static void note(struct world *w)
{
    size_t n = 0;
    const struct rig *rig = &w->rig;
    w->relays[w->relays_n++ % RELAYS] = rig->last[TR_TURN_OPEN].relay;
    w->conns[w->conns_n++ % CONNS] = rig->last[TR_TURN_DIAL].connection;
    if (rig->m.raw.n == 0)
        return;
    keep(rig, TR_TURN_MOBILITY_TICKET, w->ticket, sizeof w->ticket, &w->ticket_n);
    keep(rig, TR_TURN_RESERVATION_TOKEN, w->token, sizeof w->token, &n);
    keep(rig, TR_TURN_CONNECTION_ID, w->number, sizeof w->number, &n);
}

static void put_attr(struct world *w, struct rig_msg *msg)
{
    struct tr_addr peer;
    switch (take(w, 14)) {
    case 0:
    case 1:
    case 2:
        peer = peer_of(take(w, PEERS));
        tr_stun_put_addr(&msg->w, TR_TURN_XOR_PEER_ADDRESS, &peer, true);
        break;
    case 3: tr_stun_put_u32(&msg->w, TR_TURN_CHANNEL_NUMBER, (0x4000u + take(w, 8)) << 16); break;
    case 4: tr_stun_put_u32(&msg->w, TR_TURN_LIFETIME, take(w, 16) * 300); break;
    case 5: rig_put_byte(msg, TR_TURN_EVEN_PORT, (uint8_t)(take(w, 2) << 7), 1); break;
    case 6:
        tr_stun_put(&msg->w, TR_TURN_RESERVATION_TOKEN, tr_slice(w->token, sizeof w->token));
        break;
    case 7: rig_put_byte(msg, TR_TURN_REQUESTED_ADDRESS_FAMILY, (uint8_t)take(w, 4), 4); break;
    case 8: rig_put_byte(msg, TR_TURN_ADDITIONAL_ADDRESS_FAMILY, 2, 4); break;
    case 9: tr_stun_put(&msg->w, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0)); break;
    case 10: tr_stun_put(&msg->w, TR_TURN_MOBILITY_TICKET, tr_slice(w->ticket, w->ticket_n)); break;
    case 11:
        tr_stun_put(&msg->w, TR_TURN_CONNECTION_ID, tr_slice(w->number, sizeof w->number));
        break;
    case 12: rig_put_transport(msg, take(w, 2) ? 17 : 6); break;
    default: rig_put_byte(msg, (uint16_t)tr_rd_u16(&w->in), 1, take(w, 5)); break;
    }
}

static void grant(struct world *w, uint16_t method)
{
    uint16_t at = 0, type;
    struct tr_slice value;
    struct tr_addr peer;
    struct tr_stun m;
    bool gives = method == TR_TURN_CREATE_PERMISSION || method == TR_TURN_CHANNEL_BIND;
    if (!gives || tr_stun_parse(&m, w->rig.sent, TR_STUN_FOR_TURN) != TR_OK)
        return;
    while (tr_stun_next(&m, &at, &type, &value))
        if (type == TR_TURN_XOR_PEER_ADDRESS && tr_stun_read_addr(&m, value, true, &peer) == TR_OK)
            for (unsigned i = 0; i < PEERS; i++) {
                struct tr_addr p = peer_of(i);
                if (tr_addr_ip_eq(&p, &peer))
                    w->permitted[i] = w->rig.now + 300 * TR_SECOND;
            }
}

static void request(struct world *w)
{
    static const uint16_t methods[] = { TR_TURN_ALLOCATE,          TR_TURN_REFRESH,
                                        TR_TURN_CREATE_PERMISSION, TR_TURN_CHANNEL_BIND,
                                        TR_TURN_CONNECT,           TR_TURN_CONNECTION_BIND,
                                        TR_STUN_BINDING,           TR_TURN_ALLOCATE };
    struct rig *rig = &w->rig;
    struct rig_msg msg;
    unsigned v = tr_rd_u8(&w->in), attrs = take(w, 12);
    bool late = attrs >= 6; /* the owner does not poll now */
    uint16_t method = methods[v & 7];
    const struct tr_path *flow = &w->flow[v >> 3 & 7];
    rig->user = (v >> 6) == 3 ? RIG_OTHER_USER : RIG_USER;
    rig->sha256 = (v >> 6) == 1;
    rig->name = (v >> 6) == 2 ? w->name : NULL;
    rig->password = w->password;
    rig_begin(&msg, rig, method);
    if (method == TR_TURN_ALLOCATE)
        rig_put_transport(&msg, flow->remote.proto == TR_PROTO_TCP && (v & 7) == 7 ? 6 : 17);
    if (method == TR_STUN_BINDING && attrs & 1)
        tr_stun_put_u32(&msg.w, TR_STUN_CHANGE_REQUEST, attrs & 6);
    for (unsigned i = 0; i < attrs % 6; i++)
        put_attr(w, &msg);
    (void)!tr_turn_home(rig->turn, rig->now, flow, tr_wr_slice(&msg.w));
    if (late || method == TR_STUN_BINDING) { /* whose answer may go elsewhere (RFC 5780) */
        struct tr_turn_data out;
        rig->sent = rig_sign(rig, flow, &msg);
        (void)!tr_turn_input(rig->turn, rig->now, flow, rig->sent, &out);
        grant(w, method);
        return;
    }
    if (rig_ask(rig, flow, &msg) == 0)
        grant(w, method);
    note(w);
}

static void raw(struct world *w)
{
    struct tr_turn_data out;
    const struct tr_path *flow = &w->flow[take(w, FLOWS)];
    size_t n = tr_rd_u8(&w->in), left = tr_rd_left(&w->in);
    struct tr_slice msg = tr_rd_take(&w->in, n < left ? n : left);
    (void)!tr_turn_home(w->rig.turn, w->rig.now, flow, msg);
    (void)!tr_turn_input(w->rig.turn, w->rig.now, flow, msg, &out);
    TR_ASSERT(!out.data.p || (out.data.p >= msg.p && out.data.p + out.data.n <= msg.p + msg.n));
    rig_poll(&w->rig);
}

static void check_permitted(const struct world *w, const struct tr_addr *peer)
{
    for (unsigned i = 0; i < PEERS; i++) {
        struct tr_addr p = peer_of(i);
        if (tr_addr_ip_eq(&p, peer) && w->permitted[i] > w->rig.now)
            return;
    }
    TR_ASSERT(!"data for a peer without a permission");
}

static void client_data(struct world *w)
{
    struct tr_turn_data out;
    const struct tr_path *flow = &w->flow[take(w, FLOWS)];
    unsigned v = tr_rd_u8(&w->in);
    struct tr_addr peer = peer_of(v % PEERS);
    enum tr_err err = v & 128 ? rig_send_data(&w->rig, flow, &peer, &out)
                              : rig_channel_data(&w->rig, flow, 0x4000 + (v & 7), &out);
    TR_ASSERT((err == TR_OK) == (out.data.p != NULL));
    if (err != TR_OK)
        return;
    check_permitted(w, &out.peer);
    TR_ASSERT(out.own == (out.peer.port == 10000));
    TR_ASSERT(out.user == &w->rig && out.data.n == 5);
}

static void peer_data(struct world *w)
{
    struct tr_turn_frame frame;
    tr_id relay = w->relays[take(w, RELAYS)];
    struct tr_addr peer = peer_of(take(w, PEERS));
    size_t n = tr_rd_u8(&w->in);
    if (tr_turn_deliver(w->rig.turn, w->rig.now, relay, &peer, n, &frame) != TR_OK)
        return;
    check_permitted(w, &peer);
    TR_ASSERT(frame.head_n <= TR_TURN_HEAD_MAX && frame.pad < 4);
    TR_ASSERT(frame.head_n == 4 || (frame.head_n + n + frame.pad) % 4 == 0);
}

static void owner(struct world *w)
{
    struct rig *rig = &w->rig;
    unsigned v = tr_rd_u8(&w->in);
    tr_id relay = w->relays[take(w, RELAYS)], conn = w->conns[take(w, CONNS)];
    struct tr_addr peer = peer_of(v % PEERS);
    switch (v >> 4) {
    case 0: rig->hold = v & 1; break;
    case 1: rig->open_err = v & 1 ? TR_ERR_LIMIT : TR_OK; break;
    case 2: rig->fail_v6 = (int)(v & 3) - 1; break;
    case 3: rig_connected(rig, conn, v & 1 ? TR_OK : TR_ERR_IO); break;
    case 4: rig_hangup(rig, conn); break;
    case 5: (void)!rig_incoming(rig, relay, &peer, &w->conns[w->conns_n++ % CONNS]); break;
    case 6: tr_turn_flow_gone(rig->turn, rig->now, &w->flow[v % FLOWS]); break;
    case 7: tr_turn_icmp(rig->turn, rig->now, relay, &peer, 3, (uint8_t)v, 1400); break;
    case 8: rig->shares_max = v & 15; break;
    case 9: rig->draw = (v & 15) * 1000; break;
    case 10: rig_answer_held(rig); break;
    default:
        tr_turn_stream_passed(rig->turn, conn, v & 1,
                              tr_turn_stream_room(rig->turn, rig->now, conn, v & 1, v * 1000));
        break;
    }
    if (v & 8)
        rig_poll(rig);
}

static void operate(struct world *w)
{
    switch (tr_rd_u8(&w->in) % 9) {
    case 0:
    case 1:
    case 2: request(w); break;
    case 3: client_data(w); break;
    case 4: peer_data(w); break;
    case 5: owner(w); break;
    case 6: raw(w); break;
    case 7: rig_wait(&w->rig, tr_rd_u8(&w->in) * TR_SECOND / 4); break;
    default: rig_wait(&w->rig, tr_rd_u8(&w->in) * 10 * TR_SECOND); break;
    }
}

/* The four addresses of RFC 5780; clients speak to the first. */
static void discover(struct tr_binding_conf *conf)
{
    conf->main = tr_addr_v4(192, 0, 2, 1, 3478);
    conf->other = tr_addr_v4(192, 0, 2, 2, 3479);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world w; /* large */
    struct tr_turn_conf conf = { .relay_v4 = true,
                                 .relay_v6 = true,
                                 .allocations_max = 6,
                                 .permissions_max = 4,
                                 .channels_max = 4,
                                 .connections_max = 3 };
    w = (struct world){ .in = tr_rd(tr_slice(data, n)) };
    unsigned v = tr_rd_u8(&w.in);
    conf.tcp_peers = v & 1;
    conf.mobility = v & 2;
    conf.allocation_bps = v & 4 ? 80000 : 0;
    conf.allocation_pps = v & 8 ? 50 : 0;
    struct tr_throttle *throttle = v & 16 ? tr_throttle_create(4, 2, 1) : NULL;
    conf.throttle = throttle;
    if (v & 32)
        discover(&conf.binding);
    TR_ASSERT(rig_open(&w.rig, &conf) == TR_OK);
    TR_ASSERT(tr_turn_auth_issue(w.rig.auth, w.rig.now, LIFE_US, "x", w.name, w.password) == TR_OK);
    for (unsigned i = 0; i < FLOWS; i++)
        w.flow[i] = i % 2 ? rig_tcp(i) : rig_flow(i);
    for (int step = 0; step < STEPS && tr_rd_left(&w.in) > 0; step++) {
        operate(&w);
        TR_ASSERT(w.rig.shares >= (int)tr_turn_counters(w.rig.turn)->allocations_now);
    }
    w.rig.hold = false;
    rig_wait(&w.rig, 4000 * TR_SECOND);
    TR_ASSERT(w.rig.open_now == 0 && w.rig.reserved_now == 0 && w.rig.shares == 0);
    TR_ASSERT(rig_conns(&w.rig) == 0 && tr_turn_counters(w.rig.turn)->allocations_now == 0);
    rig_close(&w.rig);
    tr_throttle_destroy(throttle);
    return 0;
}

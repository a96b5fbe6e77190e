/* Goal: what a TURN server does before proof, and when memory is out.
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
    struct rig rig;
    struct tr_path flow = rig_flow(1), other = rig_flow(2);
    struct rig_msg msg;
    CHECK_INT(rig_open(&rig, &rig_plain), TR_OK);
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
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    CHECK_INT(rig_open(&rig, &rig_plain), TR_OK);
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
    struct rig rig;
    struct tr_path flow = rig_flow(1);
    struct rig_msg msg;
    CHECK_INT(rig_open(&rig, &rig_plain), TR_OK);
    rig_begin(&msg, &rig, TR_STUN_BINDING);
    CHECK_INT(rig_send(&rig, &flow, tr_stun_end(&msg.w)), 0);
    CHECK(tr_addr_eq(&rig.m.xor_mapped, &flow.remote));
    CHECK_INT(tr_turn_counters(rig.turn)->bindings, 1);
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
    struct rig_ticket ticket = { .n = 0 };
    tr_id connection;
    if (fine(rig_allocate_with(rig, &flow, TR_TURN_MOBILITY_TICKET, tr_slice(NULL, 0)), short_of) &&
        rig_keep_ticket(rig, &ticket)) {
        fine(rig_bind(rig, &flow, &peer, 0x4000), short_of);
        for (unsigned i = 1; i < 9; i++) {
            next = rig_peer(i);
            fine(rig_permit(rig, &flow, &next), short_of);
        }
        fine(rig_move(rig, &away, &ticket), short_of);
    }
    fine(rig_allocate_with(rig, &pair, TR_TURN_EVEN_PORT, tr_slice("\x80", 1)), short_of);
    if (fine(rig_allocate_tcp(rig, &tcp), short_of)) {
        tr_id relay = rig->last[TR_TURN_OPEN].relay;
        fine(rig_connect(rig, &tcp, &peer), short_of);
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
    FOR_EACH_SEED (seed, 30) {
        struct rig rig;
        struct model models[FLOWS] = { 0 };
        CHECK_INT(rig_open(&rig, &rig_plain), TR_OK);
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

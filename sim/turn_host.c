/* Peers may be anywhere in the ranges that the tests use for the world; private addresses are as
 * forbidden here as in the server. */
#include "sim/turn_host.h"

#include "base/assert.h"
#include "turn/auth.h"
#include "turn/policy.h"

enum { FIRST_PORT = 50000, FRAME_MAX = SIM_DATAGRAM_MAX };

static void peer_data(void *arg, const struct tr_path *path, struct tr_slice datagram);

static void open_relay(struct sim_turn_host *h, const struct tr_turn_out *out)
{
    struct sim_turn_relay *r = NULL;
    for (int i = 0; i < SIM_TURN_RELAYS_MAX && !r; i++)
        r = h->relays[i].endpoint ? NULL : &h->relays[i];
    struct tr_addr addr = h->addr;
    addr.port = h->next_port++;
    if (r) {
        r->host = h;
        r->id = out->relay;
        r->endpoint = sim_endpoint_create(h->sim, addr, peer_data, r);
    }
    enum tr_err err = r && r->endpoint ? TR_OK : TR_ERR_LIMIT;
    tr_turn_opened(h->turn, sim_now(h->sim), out->relay, err, &addr, r);
}

static void speak(struct sim_turn_host *h)
{
    struct tr_turn_out out;
    for (;;) {
        tr_turn_poll(h->turn, &out);
        if (out.kind == TR_TURN_NONE)
            break;
        if (out.kind == TR_TURN_MESSAGE) {
            bool tcp = out.flow.remote.proto == TR_PROTO_TCP;
            sim_send(tcp ? h->tcp : h->udp, &out.flow.remote, out.data);
        } else if (out.kind == TR_TURN_OPEN) {
            open_relay(h, &out);
        } else if (out.kind == TR_TURN_CLOSE && out.user) {
            struct sim_turn_relay *r = out.user;
            sim_endpoint_destroy(r->endpoint);
            r->endpoint = NULL;
        }
    }
    sim_timer_set(h->sim, &h->timer, tr_turn_next_timeout(h->turn));
}

static void timer_fired(void *arg)
{
    struct sim_turn_host *h = arg;
    tr_turn_timeout(h->turn, sim_now(h->sim));
    speak(h);
}

static void client_data(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct sim_turn_host *h = arg;
    struct tr_turn_data data = { .relay = 0 };
    enum tr_err err = tr_turn_input(h->turn, sim_now(h->sim), path, datagram, &data);
    if (err == TR_OK && data.data.p) {
        struct sim_turn_relay *r = data.user;
        sim_send(r->endpoint, &data.peer, data.data);
    }
    speak(h);
}

static void peer_data(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct sim_turn_relay *r = arg;
    struct sim_turn_host *h = r->host;
    struct tr_turn_frame f;
    uint8_t frame[FRAME_MAX];
    if (tr_turn_deliver(h->turn, sim_now(h->sim), r->id, &path->remote, datagram.n, &f) != TR_OK)
        return;
    struct tr_wr w = tr_wr(frame, sizeof frame);
    tr_wr_bytes(&w, f.head, f.head_n);
    tr_wr_bytes(&w, datagram.p, datagram.n);
    tr_wr_zero(&w, f.pad);
    bool tcp = f.flow.remote.proto == TR_PROTO_TCP;
    if (!w.bad)
        sim_send(tcp ? h->tcp : h->udp, &f.flow.remote, tr_wr_slice(&w));
}

static enum tr_err create_server(struct sim_turn_host *h)
{
    static const char *const world[] = { "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24" };
    static const struct tr_turn_user user = { SIM_TURN_USER, SIM_TURN_PASSWORD };
    struct tr_turn_auth_conf auth = { .realm = "sim", .users = &user, .users_count = 1 };
    struct tr_turn_policy_conf policy = { .allow = world, .allow_count = TR_ARRAY_LEN(world) };
    const char *bad;
    h->auth = tr_turn_auth_create(&auth, &h->rng);
    if (!h->auth || tr_turn_policy_create(&h->policy, &policy, &bad) != TR_OK)
        return TR_ERR_NOMEM;
    struct tr_turn_conf conf = { .auth = h->auth,
                                 .policy = h->policy,
                                 .rng = &h->rng,
                                 .allocations_max = SIM_TURN_RELAYS_MAX,
                                 .relay_v4 = true };
    h->turn = tr_turn_create(&conf, sim_now(h->sim));
    return h->turn ? TR_OK : TR_ERR_NOMEM;
}

enum tr_err sim_turn_host_init(struct sim_turn_host *h, struct sim *sim, struct tr_addr addr)
{
    struct tr_addr tcp = addr;
    tcp.proto = TR_PROTO_TCP;
    *h = (struct sim_turn_host){ .sim = sim, .addr = addr, .next_port = FIRST_PORT };
    h->timer = (struct sim_timer){ .fire = timer_fired, .arg = h };
    h->rng = tr_rng_seeded(tr_rng_u64(sim_rng(sim)));
    enum tr_err err = create_server(h);
    if (err == TR_OK) {
        h->udp = sim_endpoint_create(sim, addr, client_data, h);
        h->tcp = sim_endpoint_create(sim, tcp, client_data, h);
    }
    if (h->udp && h->tcp)
        return TR_OK;
    sim_turn_host_deinit(h);
    return TR_ERR_NOMEM;
}

void sim_turn_host_deinit(struct sim_turn_host *h)
{
    if (!h->sim)
        return;
    sim_timer_set(h->sim, &h->timer, TR_NEVER);
    for (int i = 0; i < SIM_TURN_RELAYS_MAX; i++)
        sim_endpoint_destroy(h->relays[i].endpoint);
    sim_endpoint_destroy(h->udp);
    sim_endpoint_destroy(h->tcp);
    tr_turn_destroy(h->turn);
    tr_turn_policy_destroy(h->policy);
    tr_turn_auth_destroy(h->auth);
    *h = (struct sim_turn_host){ 0 };
}

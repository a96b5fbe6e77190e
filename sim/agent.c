/* The agent and its TURN client over UDP share one socket, as in browsers; so the address that the
 * TURN server sees is also the agent's server-reflexive candidate. TCP has an endpoint of its own,
 * and is tried when UDP has not answered for a second. */
#include "sim/agent.h"

#include "base/arena.h"
#include "base/assert.h"
#include "sim/turn_host.h"

enum { UDP, TCP, ARENA_BYTES = 1 << 18, SPEAK_MAX = 1000, FIRST_BYTE = 0x80, DATA_BYTES = 200 };

#define FALL_BACK_US TR_SECOND

static void speak(struct sim_agent *a);
static void take(struct sim_agent *a, const struct tr_path *path, struct tr_slice datagram);

static struct sim_agent_way *relay_of(struct sim_agent *a, const struct tr_addr *addr)
{
    for (int i = 0; i < SIM_AGENT_WAYS; i++)
        if (a->ways[i].ready && tr_addr_eq(&a->ways[i].relayed, addr))
            return &a->ways[i];
    return NULL;
}

/* --- candidates --- */

static void signal_fired(void *arg)
{
    struct sim_agent *a = arg, *b = a->other;
    for (; a->signalled < a->cands_count; a->signalled++) {
        enum tr_err err = tr_ice_add_remote(b->ice, sim_now(a->sim), &a->cands[a->signalled]);
        TR_ASSERT(err == TR_OK || err == TR_ERR_EXISTS);
    }
    speak(b);
}

static void add_candidate(struct sim_agent *a, enum tr_ice_cand_type type,
                          const struct tr_addr *addr, uint16_t preference)
{
    const struct tr_addr *base = type == TR_ICE_HOST ? NULL : &a->conf.addr;
    TR_ASSERT(a->cands_count < SIM_AGENT_CANDS_MAX);
    struct tr_ice_cand *cand = &a->cands[a->cands_count++];
    *cand = tr_ice_cand_make(type, addr, base, preference);
    enum tr_err err = tr_ice_add_local(a->ice, sim_now(a->sim), cand);
    TR_ASSERT(err == TR_OK || err == TR_ERR_EXISTS);
    if (a->other)
        sim_timer_set(a->sim, &a->signal, sim_now(a->sim) + a->conf.signal_us);
}

/* --- TURN --- */

static void allocated(struct sim_agent_way *w, const struct tr_turn_client_out *out)
{
    struct sim_agent *a = w->agent;
    bool udp = w == &a->ways[UDP];
    w->ready = true;
    w->relayed = out->relayed;
    if (udp && !tr_addr_eq(&out->mapped, &a->conf.addr)) {
        a->mapped = out->mapped;
        add_candidate(a, TR_ICE_SRFLX, &out->mapped, 65535);
    }
    add_candidate(a, TR_ICE_RELAY, &w->relayed, udp ? 65535 : 60000);
    speak(a);
}

static void speak_turn(struct sim_agent_way *w)
{
    struct tr_turn_client_out out;
    for (;;) {
        tr_turn_client_poll(w->turn, sim_now(w->agent->sim), &out);
        if (out.kind == TR_TURN_CLIENT_NONE)
            break;
        if (out.kind == TR_TURN_CLIENT_SEND)
            sim_send(w->endpoint, &w->server, out.data);
        else if (out.kind == TR_TURN_CLIENT_ALLOCATED)
            allocated(w, &out);
        else if (out.kind == TR_TURN_CLIENT_DATA)
            take(w->agent, &(struct tr_path){ .local = w->relayed, .remote = out.peer }, out.data);
    }
    sim_timer_set(w->agent->sim, &w->timer, tr_turn_client_next_timeout(w->turn));
}

static void turn_timer(void *arg)
{
    struct sim_agent_way *w = arg;
    tr_turn_client_timeout(w->turn, sim_now(w->agent->sim));
    speak_turn(w);
}

static void begin_turn(struct sim_agent_way *w)
{
    struct sim_agent *a = w->agent;
    w->server = a->conf.turn;
    w->server.proto = w == &a->ways[TCP] ? TR_PROTO_TCP : TR_PROTO_UDP;
    struct tr_turn_client_conf conf = { .server = { .local = a->conf.addr, .remote = w->server },
                                        .username = SIM_TURN_USER,
                                        .password = SIM_TURN_PASSWORD,
                                        .sha256 = true,
                                        .rng = sim_rng(a->sim) };
    w->turn = tr_turn_client_create(&conf, sim_now(a->sim));
    TR_ASSERT(w->turn);
    speak_turn(w);
}

static void fall_back_fired(void *arg)
{
    struct sim_agent *a = arg;
    if (!a->ways[UDP].ready)
        begin_turn(&a->ways[TCP]);
}

/* --- the agent --- */

static void send_on(struct sim_agent *a, const struct tr_path *path, struct tr_slice datagram)
{
    struct sim_agent_way *w = relay_of(a, &path->local);
    if (!w) {
        sim_send(a->ways[UDP].endpoint, &path->remote, datagram);
        return;
    }
    /* What is refused or finds no room is lost. */
    (void)!tr_turn_client_send(w->turn, sim_now(a->sim), &path->remote, datagram);
    speak_turn(w);
}

static void speak(struct sim_agent *a)
{
    struct tr_ice_out out;
    for (int said = 0;; said++) {
        TR_ASSERT(said < SPEAK_MAX);
        tr_ice_poll(a->ice, &out);
        if (out.kind == TR_ICE_NONE)
            break;
        if (out.kind == TR_ICE_SEND) {
            send_on(a, &out.path, out.data);
        } else if (out.kind == TR_ICE_SELECTED) {
            a->selected_us = a->selected ? a->selected_us : sim_now(a->sim);
            a->selected = true;
            a->path = out.path;
            a->selections++;
        } else if (out.kind == TR_ICE_FAILED) {
            a->failed = true;
        }
    }
    sim_timer_set(a->sim, &a->timer, tr_ice_next_timeout(a->ice));
}

static void take(struct sim_agent *a, const struct tr_path *path, struct tr_slice datagram)
{
    if (datagram.n > 0 && datagram.p[0] == FIRST_BYTE) {
        a->got++;
        return;
    }
    (void)!tr_ice_input(a->ice, sim_now(a->sim), *path, datagram);
    speak(a);
}

static void receive(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct sim_agent_way *w = arg;
    if (w->turn && tr_addr_eq(&path->remote, &w->server) &&
        tr_turn_client_input(w->turn, sim_now(w->agent->sim), datagram) != TR_ERR_IGNORED)
        speak_turn(w);
    else
        take(w->agent, path, datagram);
}

static void timer_fired(void *arg)
{
    struct sim_agent *a = arg;
    tr_ice_timeout(a->ice, sim_now(a->sim));
    speak(a);
}

static bool make_way(struct sim_agent *a, int i)
{
    struct sim_agent_way *w = &a->ways[i];
    struct tr_addr addr = a->conf.addr;
    addr.proto = i == TCP ? TR_PROTO_TCP : TR_PROTO_UDP;
    w->agent = a;
    w->timer = (struct sim_timer){ .fire = turn_timer, .arg = w };
    w->endpoint = sim_endpoint_create(a->sim, addr, receive, w);
    if (w->endpoint)
        sim_endpoint_behind(w->endpoint, a->conf.nat);
    return w->endpoint != NULL;
}

enum tr_err sim_agent_init(struct sim_agent *a, struct sim *sim, const struct sim_agent_conf *conf)
{
    *a = (struct sim_agent){ .sim = sim, .conf = *conf };
    a->timer = (struct sim_timer){ .fire = timer_fired, .arg = a };
    a->signal = (struct sim_timer){ .fire = signal_fired, .arg = a };
    a->fall_back = (struct sim_timer){ .fire = fall_back_fired, .arg = a };
    struct tr_ice_conf ice = { .role = conf->role, .lite = conf->lite, .rng = sim_rng(sim) };
    a->arena = tr_arena_create(ARENA_BYTES);
    a->ice = a->arena ? tr_ice_create(a->arena, &ice) : NULL;
    if (a->ice && make_way(a, UDP) && make_way(a, TCP)) {
        add_candidate(a, TR_ICE_HOST, &conf->addr, 65535);
        return TR_OK;
    }
    sim_agent_deinit(a);
    return TR_ERR_NOMEM;
}

void sim_agent_deinit(struct sim_agent *a)
{
    if (!a->sim)
        return;
    sim_timer_set(a->sim, &a->timer, TR_NEVER);
    sim_timer_set(a->sim, &a->signal, TR_NEVER);
    sim_timer_set(a->sim, &a->fall_back, TR_NEVER);
    for (int i = 0; i < SIM_AGENT_WAYS; i++) {
        sim_timer_set(a->sim, &a->ways[i].timer, TR_NEVER);
        tr_turn_client_destroy(a->ways[i].turn);
        sim_endpoint_destroy(a->ways[i].endpoint);
    }
    tr_ice_destroy(a->ice);
    tr_arena_destroy(a->arena);
    *a = (struct sim_agent){ 0 };
}

static void meet(struct sim_agent *a, struct sim_agent *b)
{
    tr_usec now = sim_now(a->sim);
    a->other = b;
    enum tr_err err =
        tr_ice_set_remote(a->ice, now, tr_ice_ufrag(b->ice), tr_ice_pwd(b->ice), b->conf.lite);
    TR_ASSERT(err == TR_OK);
    sim_timer_set(a->sim, &a->signal, now + a->conf.signal_us);
    if (a->conf.turn.port) {
        begin_turn(&a->ways[UDP]);
        sim_timer_set(a->sim, &a->fall_back, now + FALL_BACK_US);
    }
    speak(a);
}

void sim_agents_meet(struct sim_agent *a, struct sim_agent *b)
{
    meet(a, b);
    meet(b, a);
}

void sim_agent_say(struct sim_agent *a)
{
    uint8_t data[DATA_BYTES] = { FIRST_BYTE };
    if (a->selected)
        send_on(a, &a->path, tr_slice(data, sizeof data));
}

bool sim_agent_is_relayed(const struct sim_agent *a)
{
    return relay_of((struct sim_agent *)a, &a->path.local) != NULL;
}

const char *sim_agent_type(const struct sim_agent *a)
{
    const struct tr_addr *remote = &a->path.remote;
    if (!a->selected)
        return "-";
    if (sim_agent_is_relayed(a) || relay_of(a->other, remote))
        return "relay";
    if (tr_addr_eq(remote, &a->other->conf.addr))
        return "host";
    return tr_addr_eq(remote, &a->other->mapped) ? "srflx" : "prflx";
}

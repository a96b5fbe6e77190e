/* Goal: every call connects, from behind whatever NAT, directly where that can be and by the relay
 * where it must; a call follows its client when the NAT in front of it forgets.
 * Method: NATs by the rules of RFC 4787 in virtual time, a TURN server, agents that trickle.
 * What is to be expected of a pair is derived from the rules alone. Replay one: test_nat <test>
 * seed=17 */
#include "sim/agent.h"
#include "sim/turn_host.h"
#include "unit.h"

enum kind {
    OPEN,
    FULL_CONE,
    ADDRESS_RESTRICTED,
    PORT_RESTRICTED,
    SYMMETRIC_OPEN, /* maps by address and port, lets everybody in */
    SYMMETRIC_BY_ADDRESS,
    SYMMETRIC,
    SYMMETRIC_PRESERVING,
    DOUBLE,
    NO_UDP,
    KINDS
};

static const struct {
    const char *name;
    struct sim_nat_conf conf;
} kinds[KINDS] = {
    [OPEN] = { "none", { .mapping = SIM_NAT_ANY } },
    [FULL_CONE] = { "full cone", { .mapping = SIM_NAT_ANY, .filtering = SIM_NAT_ANY } },
    [ADDRESS_RESTRICTED] = { "address", { .mapping = SIM_NAT_ANY, .filtering = SIM_NAT_ADDRESS } },
    [PORT_RESTRICTED] = { "port",
                          { .mapping = SIM_NAT_ANY,
                            .filtering = SIM_NAT_PORT,
                            .preserves_ports = true } },
    [SYMMETRIC_OPEN] = { "sym open", { .mapping = SIM_NAT_PORT, .filtering = SIM_NAT_ANY } },
    [SYMMETRIC_BY_ADDRESS] = { "sym addr",
                               { .mapping = SIM_NAT_ADDRESS, .filtering = SIM_NAT_ADDRESS } },
    [SYMMETRIC] = { "symmetric", { .mapping = SIM_NAT_PORT, .filtering = SIM_NAT_PORT } },
    [SYMMETRIC_PRESERVING] = { "sym pres",
                               { .mapping = SIM_NAT_PORT,
                                 .filtering = SIM_NAT_PORT,
                                 .preserves_ports = true } },
    [DOUBLE] = { "double", { .mapping = SIM_NAT_ANY, .filtering = SIM_NAT_PORT } },
    [NO_UDP] = { "no UDP", { .mapping = SIM_NAT_ANY, .no_udp = true } },
};

static struct sim_agent agents[2];
static struct sim_turn_host host;
static struct sim_nat *nats[2]; /* the outermost of each side */

static struct tr_addr turn_addr(void)
{
    return tr_addr_v4(192, 0, 2, 1, 3478);
}

/* Puts a NAT of the kind in front of a host, or two of them. */
static struct sim_nat *make_nat(struct sim *sim, enum kind kind, int side, bool hairpin)
{
    struct sim_nat_conf conf = kinds[kind].conf;
    if (kind == OPEN)
        return nats[side] = NULL;
    conf.ip = tr_addr_v4(203, 0, 113, (uint8_t)(10 + side), 0);
    conf.hairpin = hairpin;
    nats[side] = sim_nat_create(sim, &conf);
    if (kind != DOUBLE)
        return nats[side];
    conf.outer = nats[side];
    conf.ip = tr_addr_v4(100, 64, 0, (uint8_t)(10 + side), 0);
    return sim_nat_create(sim, &conf);
}

static struct tr_addr host_addr(enum kind kind, int side)
{
    uint8_t n = (uint8_t)(10 + side);
    return kind == OPEN ? tr_addr_v4(198, 51, 100, n, 5000) : tr_addr_v4(10, n, 0, 2, 5000);
}

static void add_agent(struct sim *sim, int side, enum kind kind, struct sim_nat *nat, bool lite,
                      bool turn)
{
    struct sim_agent_conf conf = { .addr = host_addr(kind, side),
                                   .nat = nat,
                                   .role = side ? TR_ICE_CONTROLLED : TR_ICE_CONTROLLING,
                                   .lite = lite,
                                   .signal_us = 30 * TR_MSEC };
    if (turn)
        conf.turn = turn_addr();
    CHECK_INT(sim_agent_init(&agents[side], sim, &conf), TR_OK);
    struct sim_link link = { .delay_us = (tr_usec)tr_rng_below(sim_rng(sim), 60) * TR_MSEC };
    link.jitter_us = link.delay_us / 4;
    for (int i = 0; i < SIM_AGENT_WAYS; i++)
        sim_endpoint_links(agents[side].ways[i].endpoint, &link, &link);
}

static void set_loss(unsigned ppm)
{
    for (int i = 0; i < 2; i++) {
        struct sim_link link = { .loss_ppm = ppm, .delay_us = 20 * TR_MSEC };
        sim_endpoint_links(agents[i].ways[0].endpoint, &link, &link);
    }
}

static bool connect(struct sim *sim, tr_usec us)
{
    sim_agents_meet(&agents[0], &agents[1]);
    for (tr_usec t = 0; t < us && !(agents[0].selected && agents[1].selected); t += 20 * TR_MSEC)
        sim_run(sim, 20 * TR_MSEC);
    return agents[0].selected && agents[1].selected;
}

/* Both hear each other. */
static bool talk(struct sim *sim)
{
    uint64_t before[2] = { agents[0].got, agents[1].got };
    for (int i = 0; i < 10; i++) {
        sim_agent_say(&agents[0]);
        sim_agent_say(&agents[1]);
        sim_run(sim, 20 * TR_MSEC);
    }
    sim_run(sim, 500 * TR_MSEC);
    return agents[0].got == before[0] + 10 && agents[1].got == before[1] + 10;
}

static void end(struct sim *sim)
{
    sim_agent_deinit(&agents[0]);
    sim_agent_deinit(&agents[1]);
    sim_turn_host_deinit(&host);
    sim_destroy(sim);
}

/* What the tests find, for the reader. */
static void print_types(const char *type[KINDS][KINDS])
{
    printf("%10s", "");
    for (int b = 0; b < KINDS; b++)
        printf("%11s", kinds[b].name);
    for (int a = 0; a < KINDS; a++) {
        printf("\n%10s", kinds[a].name);
        for (int b = 0; b < KINDS; b++)
            printf("%11s", type[a][b] ? type[a][b] : "-");
    }
    puts("");
}

/* --- client to client --- */

/* Whether b's packets get to a: a's address must be known, and a must let b in as it comes. */
static bool gets_in(const struct sim_nat_conf *a, const struct sim_nat_conf *b)
{
    return a->mapping == SIM_NAT_ANY && (a->filtering != SIM_NAT_PORT || b->mapping == SIM_NAT_ANY);
}

enum expected { BY_RELAY, DIRECT, EITHER };

static enum expected expect(enum kind a, enum kind b)
{
    const struct sim_nat_conf *x = &kinds[a].conf, *y = &kinds[b].conf;
    if (x->no_udp || y->no_udp)
        return BY_RELAY;
    if (gets_in(x, y) || gets_in(y, x))
        return DIRECT;
    /* Where packets come in at a port that is mapped to somebody else, chance decides. */
    bool lax = (a == SYMMETRIC_OPEN && y->filtering != SIM_NAT_PORT) ||
               (b == SYMMETRIC_OPEN && x->filtering != SIM_NAT_PORT);
    return lax ? EITHER : BY_RELAY;
}

static bool run_pair(uint64_t seed, enum kind a, enum kind b, unsigned loss_ppm)
{
    struct sim *sim = sim_create(seed);
    CHECK_INT(sim_turn_host_init(&host, sim, turn_addr()), TR_OK);
    add_agent(sim, 0, a, make_nat(sim, a, 0, false), false, true);
    add_agent(sim, 1, b, make_nat(sim, b, 1, false), false, true);
    if (loss_ppm)
        set_loss(loss_ppm);
    bool up = connect(sim, 30 * TR_SECOND);
    if (loss_ppm)
        set_loss(0);
    sim_run(sim, 3 * TR_SECOND);
    if (!CHECK(up) || !CHECK(talk(sim)))
        unit_note("    %s - %s: %s", kinds[a].name, kinds[b].name, sim_agent_type(&agents[0]));
    bool direct = strcmp(sim_agent_type(&agents[0]), "relay") != 0;
    CHECK(!direct || expect(a, b) != BY_RELAY);
    return direct;
}

TEST(nat_every_pair_of_clients_connects)
{
    int direct[KINDS][KINDS] = { 0 }, runs[KINDS][KINDS] = { 0 };
    const char *type[KINDS][KINDS] = { 0 };
    FOR_EACH_SEED (seed, 1000) {
        enum kind a = (enum kind)(seed % KINDS), b = (enum kind)(seed / KINDS % KINDS);
        direct[a][b] += run_pair(seed, a, b, 0);
        runs[a][b]++;
        type[a][b] = sim_agent_type(&agents[0]);
        end(agents[0].sim);
    }
    print_types(type);
    for (int a = 0; a < KINDS; a++) {
        for (int b = 0; b < KINDS; b++) {
            enum expected e = expect((enum kind)a, (enum kind)b);
            int least = e == DIRECT ? runs[a][b] * 8 / 10 : 0; /* the relay may be too quick */
            int most = e == BY_RELAY ? 0 : runs[a][b];
            if (!CHECK(direct[a][b] >= least && direct[a][b] <= most))
                unit_note("    %s - %s: %d of %d", kinds[a].name, kinds[b].name, direct[a][b],
                          runs[a][b]);
        }
    }
}

/* Where checks are lost the relay may win though there is a direct way. */
TEST(nat_every_pair_connects_over_lossy_links)
{
    FOR_EACH_SEED (seed, 1000) {
        enum kind a = (enum kind)(seed % KINDS), b = (enum kind)(seed / KINDS % KINDS);
        run_pair(seed, a, b, 100000);
        end(agents[0].sim);
    }
}

/* --- one network --- */

/* Two homes behind one carrier's NAT: by its outer addresses only if that sends them back in. */
TEST(nat_neighbours_behind_one_carrier)
{
    FOR_EACH_SEED (seed, 200) {
        bool hairpin = seed % 2, one_home = seed % 4 >= 2;
        struct sim *sim = sim_create(seed);
        struct sim_nat_conf conf = kinds[FULL_CONE].conf;
        CHECK_INT(sim_turn_host_init(&host, sim, turn_addr()), TR_OK);
        conf.ip = tr_addr_v4(203, 0, 113, 1, 0);
        conf.hairpin = hairpin;
        conf.outer = sim_nat_create(sim, &conf);
        struct sim_nat *homes[2];
        for (int i = 0; i < 2; i++) {
            conf.ip = tr_addr_v4(100, 64, 0, (uint8_t)(1 + i), 0);
            homes[i] = i && one_home ? homes[0] : sim_nat_create(sim, &conf);
            add_agent(sim, i, FULL_CONE, homes[i], false, true);
        }
        CHECK(connect(sim, 10 * TR_SECOND));
        sim_run(sim, 3 * TR_SECOND);
        CHECK(talk(sim));
        CHECK_STR(sim_agent_type(&agents[0]), one_home ? "host" : hairpin ? "srflx" : "relay");
        end(sim);
    }
}

/* --- client to server --- */

static struct sim *call_server(uint64_t seed, enum kind kind, tr_usec timeout_us)
{
    struct sim *sim = sim_create(seed);
    CHECK_INT(sim_turn_host_init(&host, sim, turn_addr()), TR_OK);
    struct sim_nat *nat = make_nat(sim, kind, 0, false);
    add_agent(sim, 0, kind, nat, false, kind == NO_UDP);
    add_agent(sim, 1, OPEN, NULL, true, false);
    if (timeout_us)
        sim_nat_set_timeout(nat, timeout_us);
    return sim;
}

TEST(nat_every_client_reaches_the_server)
{
    FOR_EACH_SEED (seed, 400) {
        enum kind kind = (enum kind)(seed % KINDS);
        struct sim *sim = call_server(seed, kind, 0);
        CHECK(connect(sim, 10 * TR_SECOND));
        sim_run(sim, TR_SECOND);
        CHECK(talk(sim));
        CHECK_STR(sim_agent_type(&agents[0]), kind == NO_UDP ? "relay" : "host");
        if (kind != NO_UDP)
            CHECK(agents[0].selected_us - SIM_START < 800 * TR_MSEC);
        end(sim);
    }
}

/* The server learns of it by the client's next check, which nominates the new address. */
TEST(nat_that_forgets_does_not_end_a_call)
{
    FOR_EACH_SEED (seed, 200) {
        enum kind kind = (enum kind)(FULL_CONE + seed % (NO_UDP - FULL_CONE));
        struct sim *sim = call_server(seed, kind, 0);
        CHECK(connect(sim, 10 * TR_SECOND) && talk(sim));
        for (int i = 0; i < 3; i++) {
            struct tr_addr before = agents[1].path.remote;
            sim_nat_forget(nats[0]);
            sim_run(sim, 7 * TR_SECOND);
            CHECK(!tr_addr_eq(&before, &agents[1].path.remote));
            CHECK(talk(sim));
        }
        sim_run(sim, 60 * TR_SECOND);
        CHECK(talk(sim));
        CHECK(!agents[0].failed && !agents[1].failed);
        end(sim);
    }
}

/* Consent keeps the mappings of a silent call alive, a second longer than its checks are apart. */
TEST(nat_mappings_are_kept_alive)
{
    FOR_EACH_SEED (seed, 50) {
        enum kind kind = (enum kind)(FULL_CONE + seed % (DOUBLE - FULL_CONE));
        struct sim *sim = call_server(seed, kind, 7 * TR_SECOND);
        CHECK(connect(sim, 10 * TR_SECOND));
        sim_run(sim, 600 * TR_SECOND);
        CHECK(talk(sim));
        CHECK_INT(agents[1].selections, 1);
        end(sim);
    }
}

/* --- the NATs themselves --- */

struct probe {
    struct sim_endpoint *endpoint;
    struct tr_addr from; /* of the newest */
    int got;
};

static void probe_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct probe *p = arg;
    (void)datagram;
    p->from = path->remote;
    p->got++;
}

/* One host inside; two addresses outside with two ports each, of which one is sent to. */
TEST(nat_obeys_its_rules)
{
    for (int kind = FULL_CONE; kind < DOUBLE; kind++) {
        const struct sim_nat_conf *rules = &kinds[kind].conf;
        struct sim *sim = sim_create(1);
        struct sim_nat *nat = make_nat(sim, (enum kind)kind, 0, false);
        struct probe in = { 0 }, out[4] = { 0 };
        struct tr_addr addr = host_addr((enum kind)kind, 0), outside[4], mapped[4];
        in.endpoint = sim_endpoint_create(sim, addr, probe_in, &in);
        sim_endpoint_behind(in.endpoint, nat);
        for (int i = 0; i < 4; i++) {
            outside[i] = tr_addr_v4(198, 51, 100, (uint8_t)(1 + i / 2), (uint16_t)(7000 + i % 2));
            out[i].endpoint = sim_endpoint_create(sim, outside[i], probe_in, &out[i]);
        }
        sim_send(in.endpoint, &outside[0], tr_slice("x", 1));
        sim_run(sim, TR_MSEC);
        for (int i = 0; i < 4; i++)
            sim_send(out[i].endpoint, &out[0].from, tr_slice("x", 1));
        sim_run(sim, TR_MSEC);
        CHECK_INT(in.got, rules->filtering == SIM_NAT_ANY       ? 4
                          : rules->filtering == SIM_NAT_ADDRESS ? 2
                                                                : 1);
        for (int i = 0; i < 4; i++) {
            sim_send(in.endpoint, &outside[i], tr_slice("x", 1));
            sim_run(sim, TR_MSEC);
            mapped[i] = out[i].from;
        }
        CHECK(mapped[0].port == addr.port || !rules->preserves_ports);
        CHECK_INT(tr_addr_eq(&mapped[0], &mapped[1]), rules->mapping != SIM_NAT_PORT);
        CHECK_INT(tr_addr_eq(&mapped[0], &mapped[2]), rules->mapping == SIM_NAT_ANY);
        int got = in.got;
        sim_run(sim, 121 * TR_SECOND);
        sim_send(out[0].endpoint, &mapped[0], tr_slice("x", 1));
        sim_run(sim, TR_MSEC);
        CHECK_INT(in.got, got); /* the mapping has timed out */
        sim_destroy(sim);
    }
}

/* Goal: data channels over a bad network: reliable ones lose nothing and keep the order, unreliable
 * ones give up as they were told to, large messages arrive whole.
 * Method: two associations, each behind a simulated access link, in virtual time (usrsctp's clock
 * is the test's, too); many seeds for the network, though usrsctp draws its own numbers besides. */
#include <stdlib.h>

#include "base/mem.h"
#include "sctp/sctp.h"
#include "sctp/sctp_clock.h"
#include "sim/sim.h"
#include "unit.h"

enum { MESSAGES_MAX = 4096 };

struct end {
    struct sim_endpoint *endpoint;
    struct tr_addr addr, other;
    struct tr_sctp *sctp;
    bool up, down;
    int messages, unordered, damaged;
    uint32_t next;
    uint8_t seen[MESSAGES_MAX];
    tr_usec latest; /* the longest that a message took */
};

static struct {
    struct sim *sim;
    struct tr_sctp_stack *stack;
    struct end a, b;
} w;

static const struct tr_dcep_delivery reliable = { .reliability = TR_DCEP_RELIABLE };

/* number, when it was sent, and bytes that follow from the number */
static void fill(uint8_t *p, size_t n, uint32_t number)
{
    tr_put32(p, number);
    tr_put64(p + 4, (uint64_t)sim_now(w.sim));
    for (size_t i = 12; i < n; i++)
        p[i] = (uint8_t)(number * 31u + i * 7u);
}

static void check(struct end *e, struct tr_slice message)
{
    uint32_t number = tr_get32(message.p);
    tr_usec took = sim_now(w.sim) - (tr_usec)tr_get64(message.p + 4);
    e->messages++;
    e->unordered += number != e->next;
    e->next = number + 1;
    e->seen[number % MESSAGES_MAX]++;
    e->latest = took > e->latest ? took : e->latest;
    for (size_t i = 12; i < message.n; i++) {
        if (message.p[i] != (uint8_t)(number * 31u + i * 7u)) {
            e->damaged++;
            return;
        }
    }
}

static void let_speak(void)
{
    struct tr_sctp_out out;
    struct tr_sctp *sctp;
    while ((sctp = tr_sctp_stack_next(w.stack))) {
        struct end *e = tr_sctp_user(sctp);
        for (tr_sctp_poll(sctp, &out); out.kind != TR_SCTP_NONE; tr_sctp_poll(sctp, &out)) {
            if (out.kind == TR_SCTP_SEND)
                sim_send(e->endpoint, &e->other, out.data);
            else if (out.kind == TR_SCTP_MESSAGE)
                check(e, out.data);
            e->up |= out.kind == TR_SCTP_UP;
            e->down |= out.kind == TR_SCTP_DOWN;
        }
    }
}

static void on_datagram(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct end *e = arg;
    (void)path;
    sctp_clock_now = sim_now(w.sim);
    (void)!tr_sctp_input(e->sctp, sim_now(w.sim), datagram);
    let_speak();
}

static void on_timer(void *arg);
static struct sim_timer timer = { .fire = on_timer };

static void on_timer(void *arg)
{
    (void)arg;
    sctp_clock_now = sim_now(w.sim);
    tr_sctp_stack_timeout(w.stack, sim_now(w.sim));
    let_speak();
    sim_timer_set(w.sim, &timer, tr_sctp_stack_next_timeout(w.stack));
}

static void open_end(struct end *e, struct end *other, const struct sim_link *link)
{
    struct tr_sctp_conf conf = {
        .local_port = 5000, .remote_port = 5000, .even = e == &w.a, .user = e
    };
    e->other = other->addr;
    e->endpoint = sim_endpoint_create(w.sim, e->addr, on_datagram, e);
    sim_endpoint_links(e->endpoint, link, &(struct sim_link){ 0 });
    e->sctp = tr_sctp_create(w.stack, sim_now(w.sim), &conf);
}

static bool open_world(uint64_t seed, const struct sim_link *link)
{
    memset(&w, 0, sizeof w);
    w.sim = sim_create(seed);
    sctp_clock_now = sim_now(w.sim);
    w.stack = tr_sctp_stack_create(sim_now(w.sim));
    w.a.addr = tr_addr_v4(10, 0, 0, 1, 1000);
    w.b.addr = tr_addr_v4(10, 0, 0, 2, 1000);
    open_end(&w.a, &w.b, link);
    open_end(&w.b, &w.a, link);
    let_speak();
    sim_timer_set(w.sim, &timer, tr_sctp_stack_next_timeout(w.stack));
    sim_run(w.sim, 30 * TR_SECOND);
    return CHECK(w.a.up && w.b.up);
}

static void close_world(void)
{
    sim_timer_set(w.sim, &timer, TR_NEVER);
    tr_sctp_destroy(w.a.sctp);
    tr_sctp_destroy(w.b.sctp);
    tr_sctp_stack_destroy(w.stack);
    sim_destroy(w.sim);
}

static uint16_t open_channel(struct tr_dcep_delivery delivery)
{
    const struct tr_sctp_channel *channel = NULL;
    struct tr_sctp_open open = { .label = "x", .protocol = "", .delivery = delivery, .stream = -1 };
    CHECK_INT(tr_sctp_open(w.a.sctp, &open, &channel), TR_OK);
    let_speak();
    sim_run(w.sim, 10 * TR_SECOND);
    return channel ? channel->id : 0;
}

/* One after another, as there is room, then time for the last. */
static void send_all(uint16_t channel, int count, size_t size, tr_usec gap)
{
    static uint8_t bytes[TR_SCTP_MESSAGE_MAX];
    for (int i = 0, tries = 0; i < count && CHECK(tries < 100000); tries++) {
        fill(bytes, size, (uint32_t)i);
        i += tr_sctp_send(w.a.sctp, channel, true, tr_slice(bytes, size)) == TR_OK;
        let_speak();
        sim_run(w.sim, gap);
    }
    sim_run(w.sim, 30 * TR_SECOND);
}

static struct sim_link bad_link(unsigned loss_pct)
{
    return (struct sim_link){ .loss_ppm = loss_pct * 10000,
                              .duplicate_ppm = 10000,
                              .reorder_ppm = 20000,
                              .reorder_us = 15 * TR_MSEC,
                              .delay_us = 20 * TR_MSEC,
                              .jitter_us = 5 * TR_MSEC };
}

TEST(reliable_channels_lose_nothing_and_keep_the_order)
{
    enum { COUNT = 500 };
    FOR_EACH_SEED (seed, 20) {
        struct sim_link link = bad_link((unsigned)seed % 4 * 2);
        if (open_world(seed, &link)) {
            send_all(open_channel(reliable), COUNT, 700, TR_MSEC);
            CHECK_INT(w.b.messages, COUNT);
            CHECK_INT(w.b.unordered, 0);
            CHECK_INT(w.b.damaged, 0);
            CHECK(!w.a.down && !w.b.down);
        }
        close_world();
    }
}

TEST(large_messages_arrive_whole)
{
    enum { COUNT = 8 };
    FOR_EACH_SEED (seed, 8) {
        struct sim_link link = bad_link((unsigned)seed % 3);
        if (open_world(seed, &link)) {
            send_all(open_channel(reliable), COUNT, TR_SCTP_MESSAGE_MAX, 10 * TR_MSEC);
            sim_run(w.sim, 60 * TR_SECOND);
            CHECK_INT(w.b.messages, COUNT);
            CHECK_INT(w.b.unordered, 0);
            CHECK_INT(w.b.damaged, 0);
        }
        close_world();
    }
}

TEST(a_bottleneck_is_shared_out_by_congestion_control)
{
    enum { COUNT = 300 };
    struct sim_link link = { .delay_us = 20 * TR_MSEC, .rate_bps = 1000000 };
    if (open_world(1, &link)) {
        tr_usec began = sim_now(w.sim);
        send_all(open_channel(reliable), COUNT, 4000, TR_MSEC);
        CHECK_INT(w.b.messages, COUNT);
        CHECK(sim_now(w.sim) - began < 60 * TR_SECOND); /* 10 s at the link's rate, and the ends */
    }
    close_world();
}

TEST(unreliable_channels_give_up)
{
    enum { COUNT = 1000 };
    static const struct tr_dcep_delivery kinds[] = { { true, TR_DCEP_RETRANSMITS, 0 },
                                                     { false, TR_DCEP_RETRANSMITS, 0 },
                                                     { true, TR_DCEP_LIFETIME, 100 } };
    for (size_t k = 0; k < 3; k++) {
        FOR_EACH_SEED (seed, 5) {
            struct sim_link link = { .loss_ppm = 100000, .delay_us = 20 * TR_MSEC };
            if (open_world(seed, &link)) {
                send_all(open_channel(kinds[k]), COUNT, 500, 10 * TR_MSEC);
                CHECK(w.b.messages > COUNT * 80 / 100);
                CHECK(w.b.messages < COUNT || k == 2);
                CHECK_INT(w.b.damaged, 0);
                for (int i = 0; i < COUNT; i++)
                    CHECK(w.b.seen[i] <= 1);
                CHECK(!w.a.down && !w.b.down);
            }
            close_world();
        }
    }
}

TEST(an_outage_of_seconds_is_outlived)
{
    enum { COUNT = 100 };
    struct sim_link none = { .loss_ppm = 1000000 }, good = { .delay_us = 20 * TR_MSEC };
    if (open_world(1, &good)) {
        uint16_t channel = open_channel(reliable);
        sim_endpoint_links(w.a.endpoint, &none, &(struct sim_link){ 0 });
        for (int i = 0; i < COUNT; i++) {
            uint8_t bytes[100];
            fill(bytes, sizeof bytes, (uint32_t)i);
            CHECK_INT(tr_sctp_send(w.a.sctp, channel, true, tr_slice(bytes, sizeof bytes)), TR_OK);
        }
        let_speak();
        sim_run(w.sim, 10 * TR_SECOND);
        CHECK_INT(w.b.messages, 0);
        sim_endpoint_links(w.a.endpoint, &good, &(struct sim_link){ 0 });
        sim_run(w.sim, 15 * TR_SECOND);
        CHECK_INT(w.b.messages, COUNT);
        CHECK_INT(w.b.unordered, 0);
    }
    close_world();
}

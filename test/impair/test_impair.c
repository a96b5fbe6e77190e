/* Goal: clients are kept apart; each condition does what it says, both ways, from the moment at
 * which it is set; nonsense changes nothing.
 * Method: a clock of the test's own; what comes out is counted by destination. */
#include "base/mem.h"
#include "impair/impair.h"
#include "sim/sim.h"
#include "unit.h"

enum { BYTES = 972 }; /* 1000 with the headers that the simulator counts */

struct seen {
    tr_usec now, last;
    unsigned to_server[IMPAIR_FLOWS_MAX];
    unsigned to_client[4]; /* by the client's port */
};

struct world {
    struct seen seen;
    struct impair *impair;
};

static void saw_server(void *arg, unsigned flow, struct tr_slice datagram)
{
    struct seen *seen = arg;
    CHECK(datagram.p[0] == flow); /* the tests put the flow into what they send */
    seen->to_server[flow]++;
    seen->last = seen->now;
}

static void saw_client(void *arg, const struct tr_addr *client, struct tr_slice datagram)
{
    struct seen *seen = arg;
    CHECK(datagram.p[0] == client->port);
    seen->to_client[client->port]++;
    seen->last = seen->now;
}

static struct tr_addr client(unsigned flow)
{
    return tr_addr_v4(127, 0, 0, 1, (uint16_t)flow);
}

static void begin(struct world *w)
{
    struct impair_out out = { saw_server, saw_client, &w->seen };
    *w = (struct world){ .seen.now = 5 * TR_SECOND };
    w->impair = impair_create(1, w->seen.now, &out);
    CHECK(w->impair != NULL);
}

static void control(struct world *w, const char *line, const char *want)
{
    char reply[IMPAIR_REPLY_MAX];
    enum tr_err err = impair_control(w->impair, w->seen.now, line, reply);
    CHECK_STR(reply, want);
    CHECK((err == TR_OK) == (strncmp(want, "error", 5) != 0));
}

static void send_up(struct world *w, unsigned flow)
{
    struct tr_addr from = client(flow);
    uint8_t data[BYTES] = { (uint8_t)flow };
    CHECK_INT(impair_from_client(w->impair, w->seen.now, &from, tr_slice(data, sizeof data)),
              TR_OK);
}

static void send_down(struct world *w, unsigned flow)
{
    uint8_t data[BYTES] = { (uint8_t)flow };
    CHECK_INT(impair_from_server(w->impair, w->seen.now, flow, tr_slice(data, sizeof data)), TR_OK);
}

/* As main does: sleeps until something is due. */
static void pass(struct world *w, tr_usec us)
{
    tr_usec end = w->seen.now + us;
    while (impair_next(w->impair) <= end) {
        if (impair_next(w->impair) > w->seen.now)
            w->seen.now = impair_next(w->impair);
        impair_run(w->impair, w->seen.now);
    }
    w->seen.now = end;
    impair_run(w->impair, end);
}

TEST(impair_keeps_clients_apart)
{
    struct world w;
    begin(&w);
    for (unsigned flow = 0; flow < 3; flow++)
        send_up(&w, flow);
    send_up(&w, 1);
    pass(&w, TR_MSEC);
    for (unsigned flow = 0; flow < 3; flow++)
        send_down(&w, flow);
    pass(&w, TR_MSEC);
    CHECK_INT(w.seen.to_server[0], 1);
    CHECK_INT(w.seen.to_server[1], 2);
    CHECK_INT(w.seen.to_server[2], 1);
    CHECK_INT(w.seen.to_client[0] + w.seen.to_client[1] + w.seen.to_client[2], 3);
    CHECK(impair_next(w.impair) == TR_NEVER);
    impair_destroy(w.impair);
}

TEST(impair_delays_each_way)
{
    struct world w;
    begin(&w);
    control(&w, "up delay_ms 20", "ok");
    control(&w, "down delay_ms 70.5", "ok");
    tr_usec sent = w.seen.now;
    send_up(&w, 0);
    pass(&w, TR_SECOND);
    CHECK_INT(w.seen.last - sent, 20 * TR_MSEC);
    sent = w.seen.now;
    send_down(&w, 0);
    pass(&w, TR_SECOND);
    CHECK_INT(w.seen.last - sent, 70500);
    impair_destroy(w.impair);
}

TEST(impair_jitter_keeps_the_order)
{
    struct world w;
    begin(&w);
    control(&w, "both delay_ms 10 jitter_ms 30", "ok");
    for (int i = 0; i < 100; i++) {
        send_up(&w, 0);
        pass(&w, TR_MSEC);
    }
    pass(&w, 40 * TR_MSEC);
    CHECK_INT(w.seen.to_server[0], 100);
    impair_destroy(w.impair);
}

/* 1000 datagrams of 1000 bytes in a second are 8 Mbit/s. */
static void flood_down(struct world *w)
{
    for (int i = 0; i < 1000; i++) {
        send_down(w, 0);
        pass(w, TR_MSEC);
    }
}

TEST(impair_rate_changes_while_it_runs)
{
    struct world w;
    begin(&w);
    send_up(&w, 0);
    control(&w, "down rate_kbps 1000 queue_bytes 4000", "ok");
    flood_down(&w);
    CHECK(w.seen.to_client[0] >= 123 && w.seen.to_client[0] <= 130);
    w.seen.to_client[0] = 0;
    control(&w, "down rate_kbps 200", "ok"); /* the queue stays as it is */
    flood_down(&w);
    CHECK(w.seen.to_client[0] >= 23 && w.seen.to_client[0] <= 30);
    pass(&w, TR_SECOND);
    w.seen.to_client[0] = 0;
    control(&w, "clear", "ok");
    flood_down(&w);
    CHECK_INT(w.seen.to_client[0], 1000);
    impair_destroy(w.impair);
}

TEST(impair_loses_so_many_percent)
{
    struct world w;
    begin(&w);
    send_up(&w, 0);
    control(&w, "down loss_percent 5", "ok");
    for (int i = 0; i < 10; i++)
        flood_down(&w);
    CHECK(w.seen.to_client[0] > 9400 && w.seen.to_client[0] < 9600);
    impair_destroy(w.impair);
}

TEST(impair_refuses_nonsense)
{
    static const char *const lines[] = {
        "",
        "sideways rate_kbps 1",
        "up rate_kbps",
        "up rate_kbps x",
        "up rate_kbps -1",
        "clear 1",
        "down loss_percent 101",
        "down delay_ms nan",
        "both speed 1",
        "stats up",
    };
    struct world w;
    begin(&w);
    send_up(&w, 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        control(&w, lines[i], "error: not understood");
    flood_down(&w);
    CHECK_INT(w.seen.to_client[0], 1000);
    control(&w, "stats",
            "{\"flows\":1,\"sent\":1001,\"delivered\":1001,\"lost\":0,\"queue_full\":0,"
            "\"refused\":0,\"bytes\":972972}");
    impair_destroy(w.impair);
}

TEST(impair_has_limits)
{
    struct world w;
    uint8_t huge[SIM_DATAGRAM_MAX + 1] = { 0 };
    struct tr_addr from = client(0), stranger = client(IMPAIR_FLOWS_MAX);
    begin(&w);
    for (unsigned flow = 0; flow < IMPAIR_FLOWS_MAX; flow++)
        send_up(&w, flow);
    pass(&w, TR_MSEC);
    struct tr_slice too_long = tr_slice(huge, sizeof huge);
    CHECK_INT(impair_from_client(w.impair, w.seen.now, &stranger, tr_slice(huge, 1)), TR_ERR_LIMIT);
    CHECK_INT(impair_from_client(w.impair, w.seen.now, &from, too_long), TR_ERR_INVAL);
    CHECK_INT(impair_from_server(w.impair, w.seen.now, 0, too_long), TR_ERR_INVAL);
    impair_destroy(w.impair);
}

TEST_OOM(impair_survives_oom)
{
    struct seen seen = { 0 };
    struct impair_out out = { saw_server, saw_client, &seen };
    struct tr_addr from = client(0);
    struct impair *impair = impair_create(1, 0, &out);
    if (!impair)
        return TR_ERR_NOMEM;
    uint8_t data[1] = { 0 };
    enum tr_err err = impair_from_client(impair, 0, &from, tr_slice(data, 1));
    impair_run(impair, TR_SECOND);
    impair_destroy(impair);
    if (err == TR_ERR_LIMIT || seen.to_server[0] == 0)
        return TR_ERR_NOMEM;
    return err;
}

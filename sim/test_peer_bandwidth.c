/* Goal: a peer finds out what its client can take, by real feedback packets through the whole
 * stack, and its probes disturb nobody. Method: a call of two whose video is far below what the
 * client's link can do, or was; the owner wants more. */
#include "sim/test_world.h"

#define WANT 3000000
#define TICK (100 * TR_MSEC)

static void run(struct sim *sim, tr_usec us)
{
    struct sim_peer *server = sim_server(&call);
    for (tr_usec at = 0; at < us; at += TICK) {
        tr_peer_want(server->peer, sim_now(sim), WANT);
        sim_peer_speak(server);
        sim_run(sim, TICK);
    }
}

static uint32_t bandwidth(struct sim *sim)
{
    uint32_t bps;
    CHECK(tr_peer_bandwidth(sim_server(&call)->peer, sim_now(sim), &bps));
    return bps;
}

static void set_rate(struct sim_call *c, uint32_t bps)
{
    c->conf.down.rate_bps = bps;
    sim_endpoint_links(sim_client(c)->endpoint, &c->conf.up, &c->conf.down);
}

TEST(bandwidth_is_found_by_probes)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 20) {
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC),
                                      .down = link_of(0, 20 * TR_MSEC),
                                      .video_bps = 120000 };
        conf.down.rate_bps = 1000000;
        struct sim *sim = call_begin(seed, &conf);
        CHECK(sim_call_connect(&call, 10 * TR_SECOND));
        run(sim, 5 * TR_SECOND);
        CHECK(bandwidth(sim) > 700000 && bandwidth(sim) < 1100000);
        set_rate(&call, 300000);
        run(sim, 10 * TR_SECOND);
        CHECK(bandwidth(sim) < 400000);
        set_rate(&call, 1000000);
        run(sim, 10 * TR_SECOND);
        CHECK(bandwidth(sim) > 700000 && bandwidth(sim) < 1100000);
        struct sim_receiver *r = client_side()->receivers;
        CHECK_INT(r[SIM_VIDEO].corrupt + r[SIM_AUDIO].corrupt, 0);
        CHECK_INT(sim_receiver_missing(&r[SIM_AUDIO]), 0);
        CHECK(r[SIM_AUDIO].gap_us < 500 * TR_MSEC);
        call_end(sim);
    }
    world_end();
}

TEST(bandwidth_without_retransmission_stream_needs_no_probes)
{
    if (!world_begin())
        return;
    struct sim_call_conf conf = { .video_bps = 400000, .no_rtx = true, .no_nack = true };
    conf.down.rate_bps = 1000000;
    struct sim *sim = call_begin(1, &conf);
    CHECK(sim_call_connect(&call, 10 * TR_SECOND));
    run(sim, 20 * TR_SECOND);
    CHECK(bandwidth(sim) > 700000);
    call_end(sim);
    world_end();
}

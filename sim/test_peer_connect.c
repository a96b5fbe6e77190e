/* Goal: two peers find each other, prove who they are, move and part, over any link; nothing else
 * gets in.
 * Method: virtual time, simulated access link, many seeds. Replay one: test_peer_connect seed=17 */
#include "base/mem.h"
#include "ice/cand.h"
#include "peer/peer_impl.h"
#include "rtp/rtp.h"
#include "sim/test_world.h"
#include "stun/stun.h"

static void outcome(unsigned loss)
{
    unit_note("    loss %u %%, server %s, client %s", loss,
              sim_server(&call)->down ? sim_server(&call)->down : "-",
              sim_client(&call)->down ? sim_client(&call)->down : "-");
}

/* DTLS gives up after 15 s: with 30 % lost each way that still happens to a call in some
 * hundreds. */
TEST(connects_over_lossy_links)
{
    int hopeless = 0;
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 1200) {
        unsigned loss = (unsigned)(seed % 31);
        struct sim_call_conf conf = { .no_media = true, .signal_us = 50 * TR_MSEC };
        conf.up = conf.down = link_of(loss, (tr_usec)(10 + seed % 7 * 20) * TR_MSEC);
        conf.up.duplicate_ppm = 10000;
        conf.up.reorder_ppm = 20000;
        conf.up.reorder_us = 30 * TR_MSEC;
        struct sim *sim = call_begin(seed, &conf);
        bool up = sim_call_connect(&call, 40 * TR_SECOND);
        hopeless += !up && loss > 20;
        if (!CHECK(up || loss > 20))
            outcome(loss);
        if (loss == 0) /* the signalling, ICE, then DTLS at once */
            CHECK(sim_client(&call)->up_us - SIM_START < 150 * TR_MSEC + 12 * conf.up.delay_us);
        CHECK_INT(sim_server(&call)->foreign, 0);
        CHECK(sim_stats(sim)->sent < 1500);
        call_end(sim);
    }
    CHECK(hopeless <= 4);
    world_end();
}

TEST(runs_replay_from_their_seed)
{
    uint64_t traces[3];
    if (!world_begin())
        return;
    for (uint64_t i = 0; i < 3; i++) {
        struct sim_call_conf conf = { .up = link_of(5, 20 * TR_MSEC) };
        struct sim *sim = call_begin(i == 2 ? 8 : 7, &conf);
        CHECK(sim_call_connect(&call, 20 * TR_SECOND));
        sim_run(sim, 2 * TR_SECOND);
        traces[i] = sim_stats(sim)->trace;
        call_end(sim);
    }
    CHECK(traces[0] == traces[1]);
    CHECK(traces[0] != traces[2]);
    world_end();
}

TEST(every_srtp_profile_carries_media)
{
    static const enum tr_srtp_profile profiles[] = { TR_SRTP_AES128_CM_SHA1_80,
                                                     TR_SRTP_AEAD_AES_128_GCM,
                                                     TR_SRTP_AEAD_AES_256_GCM };
    if (!world_begin())
        return;
    for (uint64_t i = 0; i < 3; i++) {
        struct sim_call_conf conf = { .profiles = { profiles[i] } };
        struct sim *sim = call_begin(i, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        CHECK_INT(sim_server(&call)->peer->profile, profiles[i]);
        CHECK_INT(sim_client(&call)->peer->profile, profiles[i]);
        sim_run(sim, TR_SECOND);
        for (int m = 0; m < SIM_MLINES; m++) {
            CHECK(server_side()->receivers[m].packets > 40);
            CHECK(client_side()->receivers[m].packets > 40);
            CHECK_INT(server_side()->receivers[m].corrupt, 0);
            CHECK_INT(client_side()->receivers[m].corrupt, 0);
        }
        call_end(sim);
    }
    world_end();
}

TEST(silence_ends_both_sides)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 20) {
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC) };
        struct sim_link dead = { .loss_ppm = 1000000 };
        struct sim *sim = call_begin(seed, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        sim_run(sim, TR_SECOND);
        tr_usec cut = sim_now(sim);
        sim_endpoint_links(sim_client(&call)->endpoint, &dead, &dead);
        sim_run(sim, 20 * TR_SECOND);
        CHECK(!sim_server(&call)->down && !sim_client(&call)->down);
        sim_run(sim, 20 * TR_SECOND);
        for (int i = 0; i < SIM_SIDES; i++) {
            struct sim_peer *p = &call.sides[i].peer;
            CHECK_STR(p->down, "ICE failed");
            CHECK(p->down_us - cut < 37 * TR_SECOND);
            CHECK_INT(tr_peer_next_timeout(p->peer), TR_NEVER);
            CHECK(!tr_peer_can_send(p->peer, SIM_VIDEO));
        }
        CHECK_INT(sim_server(&call)->paths_count, 0);
        call_end(sim);
    }
    world_end();
}

/* The client answers and begins at once; its ClientHello is there before its answer. */
TEST(a_handshake_may_begin_before_the_answer)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 10) {
        struct sim_call_conf conf = { .up = link_of(0, TR_MSEC),
                                      .down = link_of(0, TR_MSEC),
                                      .signal_us = 20 * TR_MSEC,
                                      .server_offers = true };
        struct sim *sim = call_begin(seed, &conf);
        tr_usec start = sim_now(sim);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        /* Twice the signalling, and some round trips: nobody waited for a time-out. */
        CHECK(sim_now(sim) - start < 60 * TR_MSEC);
        CHECK_INT(tr_dtls_stats(sim_client(&call)->peer->dtls)->retransmits, 0);
        call_end(sim);
    }
    world_end();
}

TEST(wrong_fingerprint_is_no_call)
{
    if (!world_begin())
        return;
    struct sim_call_conf conf = { .wrong_fingerprint = true };
    struct sim *sim = call_begin(1, &conf);
    CHECK(!sim_call_connect(&call, 20 * TR_SECOND));
    CHECK_STR(sim_server(&call)->down, "DTLS error");
    CHECK(!sim_server(&call)->up && !sim_client(&call)->up);
    CHECK(!sim_server(&call)->peer->in && !sim_server(&call)->peer->out);
    call_end(sim);
    world_end();
}

TEST(fingerprints_that_prove_nothing_are_refused)
{
    if (!world_begin())
        return;
    struct sim_call_conf conf = { .signal_us = TR_SECOND };
    struct sim *sim = call_begin(1, &conf);
    struct tr_peer_remote good = sim_peer_description(sim_client(&call)), bad = good;
    struct tr_peer *peer = sim_server(&call)->peer;
    memcpy(bad.fingerprint_alg, "md5", 4);
    CHECK_INT(tr_peer_set_remote(peer, sim_now(sim), &bad), TR_ERR_INVAL);
    bad = good;
    bad.fingerprint_len = 16;
    CHECK_INT(tr_peer_set_remote(peer, sim_now(sim), &bad), TR_ERR_INVAL);
    /* Nothing was kept of those. */
    CHECK(sim_call_connect(&call, 10 * TR_SECOND));
    call_end(sim);
    world_end();
}

TEST(close_tells_the_other_side)
{
    if (!world_begin())
        return;
    for (int closer = 0; closer < SIM_SIDES; closer++) {
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC) };
        struct sim *sim = call_begin((uint64_t)closer, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        struct sim_peer *p = &call.sides[closer].peer;
        tr_peer_close(p->peer, sim_now(sim));
        sim_peer_speak(p);
        sim_run(sim, TR_SECOND);
        CHECK(!p->down); /* who closes need not be told */
        CHECK_STR(call.sides[!closer].peer.down, "DTLS alert");
        CHECK_INT(tr_peer_next_timeout(p->peer), TR_NEVER);
        call_end(sim);
    }
    world_end();
}

/* --- other addresses --- */

struct stranger {
    struct sim_endpoint *endpoint;
    struct tr_slice seen;
    int answers;
};

static void stranger_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct stranger *s = arg;
    (void)path;
    (void)datagram;
    s->answers++;
}

/* A client whose ClientHello comes from nowhere must not win the race (CVE-2023-49786), and media
 * from elsewhere must not redirect the call. */
TEST(foreign_addresses_are_not_looked_at)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 50) {
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC), .signal_us = 20 * TR_MSEC };
        struct sim *sim = call_begin(seed, &conf);
        struct stranger s = { 0 };
        s.endpoint = sim_endpoint_create(sim, tr_addr_v4(203, 0, 113, 9, 666), stranger_in, &s);
        struct tr_addr to = sim_server(&call)->addr;
        for (int i = 0; i < 200; i++) {
            uint8_t junk[200] = { 0 };
            static const uint8_t first[] = { 22, 0x80, 0x80, 20, 63 };
            tr_rng_fill(sim_rng(sim), junk, sizeof junk);
            junk[0] = first[i % 5];
            junk[1] = i % 5 == 1 ? 96 : i % 5 == 2 ? 200 : 254;
            sim_send(s.endpoint, &to, tr_slice(junk, sizeof junk));
            sim_run(sim, 5 * TR_MSEC);
        }
        CHECK(sim_server(&call)->up && sim_client(&call)->up);
        CHECK_INT(sim_server(&call)->foreign, 200);
        CHECK_INT(s.answers, 0);
        CHECK_INT(server_side()->receivers[SIM_VIDEO].corrupt, 0);
        struct tr_path path;
        CHECK(tr_peer_path(sim_server(&call)->peer, &path));
        CHECK(tr_addr_eq(&path.remote, &sim_client(&call)->addr));
        call_end(sim);
    }
    world_end();
}

/* The client's address changes under it, as by a NAT. */
static struct tr_addr move_client(void)
{
    struct tr_addr elsewhere = tr_addr_v4(203, 0, 113, 77, 4242);
    sim_endpoint_nat(sim_client(&call)->endpoint, elsewhere);
    return elsewhere;
}

/* What a browser does in the same place: a check of the selected pair with USE-CANDIDATE. */
static struct tr_slice nomination(uint8_t msg[300])
{
    struct sim_peer *server = sim_server(&call), *client = sim_client(&call);
    uint8_t txid[TR_STUN_TXID];
    char name[80];
    struct tr_wr w = tr_wr(msg, 300);
    tr_rng_fill(sim_rng(call.sim), txid, sizeof txid);
    snprintf(name, sizeof name, "%s:%s", server->ufrag, client->ufrag);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str(name));
    tr_stun_put_u32(&w, TR_STUN_PRIORITY, tr_ice_priority(TR_ICE_PRFLX, 65535, 1));
    tr_stun_put_u64(&w, TR_STUN_ICE_CONTROLLING, 1);
    tr_stun_put(&w, TR_STUN_USE_CANDIDATE, tr_slice(NULL, 0));
    tr_stun_put_integrity(&w, tr_slice_str(server->pwd), false);
    tr_stun_put_fingerprint(&w);
    return tr_stun_end(&w);
}

static void send_nomination(void)
{
    uint8_t msg[300];
    sim_send(sim_client(&call)->endpoint, &sim_server(&call)->addr, nomination(msg));
}

TEST(call_follows_a_nominated_check)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 50) {
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC) };
        struct sim *sim = call_begin(seed, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        sim_run(sim, TR_SECOND);
        struct tr_path before, after;
        CHECK(tr_peer_path(sim_server(&call)->peer, &before));
        struct tr_addr elsewhere = move_client();
        sim_run(sim, 200 * TR_MSEC); /* media alone moves nothing */
        CHECK(tr_peer_path(sim_server(&call)->peer, &after) && tr_path_eq(&before, &after));
        CHECK(sim_server(&call)->foreign > 0 || sim_server(&call)->valid > 1);
        send_nomination();
        uint64_t got = client_side()->receivers[SIM_VIDEO].packets;
        sim_run(sim, 200 * TR_MSEC);
        CHECK(tr_peer_path(sim_server(&call)->peer, &after));
        CHECK(tr_addr_eq(&after.remote, &elsewhere));
        CHECK(client_side()->receivers[SIM_VIDEO].packets > got);
        CHECK_INT(server_side()->receivers[SIM_VIDEO].corrupt, 0);
        CHECK(!sim_server(&call)->down && !sim_client(&call)->down);
        call_end(sim);
    }
    world_end();
}

struct victim {
    struct sim_endpoint *endpoint;
    int checks, answers, others;
    size_t bytes;
};

static void victim_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct victim *v = arg;
    bool stun = tr_stun_is(datagram);
    (void)path;
    v->bytes += datagram.n;
    v->checks += stun && datagram.p[0] == 0;
    v->answers += stun && datagram.p[0] == 1;
    v->others += !stun;
}

/* The client's own check, nominating and with the right password, but in another's name: a client
 * that wants the server to flood somebody, or a check that was caught and is sent again. After an
 * ICE restart it is no different. */
TEST(a_nomination_in_anothers_name_moves_no_media)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 50) {
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC), .signal_us = 30 * TR_MSEC };
        struct sim *sim = call_begin(seed, &conf);
        struct sim_peer *server = sim_server(&call);
        struct victim v = { 0 };
        uint8_t msg[300];
        v.endpoint = sim_endpoint_create(sim, tr_addr_v4(203, 0, 113, 9, 666), victim_in, &v);
        struct tr_path path = { .local = server->addr, .remote = tr_addr_v4(203, 0, 113, 9, 666) };
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        sim_run(sim, TR_SECOND);
        if (seed % 2 == 1)
            sim_call_restart_ice(&call);
        client_side()->receivers[SIM_VIDEO].gap_us = 0;
        struct tr_slice caught = nomination(msg);
        int sent = 0;
        for (; sent < 100; sent++) {
            sim_peer_receive(server, &path, seed % 3 ? nomination(msg) : caught);
            sim_run(sim, 20 * TR_MSEC);
        }
        CHECK_INT(v.others, 0);
        CHECK(v.checks > 0 && v.checks <= 6);
        CHECK(v.answers <= sent);
        CHECK(v.bytes < (size_t)sent * 100); /* less than what the liar has sent */
        CHECK(tr_peer_path(server->peer, &path));
        CHECK(tr_addr_eq(&path.remote, &sim_client(&call)->addr));
        CHECK(client_side()->receivers[SIM_VIDEO].gap_us < 150 * TR_MSEC);
        CHECK(!server->down && !sim_client(&call)->down);
        call_end(sim);
    }
    world_end();
}

TEST(ice_restart_does_not_interrupt)
{
    if (!world_begin())
        return;
    FOR_EACH_SEED (seed, 50) {
        bool moves = seed % 2 == 1;
        struct sim_call_conf conf = { .up = link_of(0, 20 * TR_MSEC), .signal_us = 30 * TR_MSEC };
        struct sim *sim = call_begin(seed, &conf);
        CHECK(sim_call_connect(&call, 5 * TR_SECOND));
        sim_run(sim, TR_SECOND);
        for (int m = 0; m < SIM_MLINES; m++)
            server_side()->receivers[m].gap_us = client_side()->receivers[m].gap_us = 0;
        if (moves)
            move_client();
        sim_call_restart_ice(&call);
        sim_run(sim, 3 * TR_SECOND);
        tr_usec most = moves ? 400 * TR_MSEC : 60 * TR_MSEC;
        for (int m = 0; m < SIM_MLINES; m++) {
            CHECK(server_side()->receivers[m].gap_us < most);
            CHECK(client_side()->receivers[m].gap_us < most);
        }
        CHECK(!sim_server(&call)->down && !sim_client(&call)->down);
        CHECK(sim_server(&call)->peer->in != NULL);
        sim_run(sim, 40 * TR_SECOND); /* consent goes on with the new credentials */
        CHECK(!sim_server(&call)->down && !sim_client(&call)->down);
        CHECK_INT(sim_server(&call)->paths_count, 1);
        call_end(sim);
    }
    world_end();
}

/* --- memory --- */

TEST_OOM(create_and_set)
{
    sim_seed_openssl(1);
    struct sim_identity id[SIM_SIDES];
    struct sim_call_conf conf = { .no_media = true };
    struct sim *sim = sim_create(1);
    enum tr_err err = sim ? sim_identity_init(&id[0]) : TR_ERR_NOMEM;
    if (err != TR_OK) {
        sim_destroy(sim);
        return err;
    }
    err = sim_identity_init(&id[1]);
    if (err == TR_OK)
        err = sim_call_init(&call, sim, id, &conf);
    if (err == TR_OK) {
        /* Whatever lacks memory on the way ends the peer and nothing else. */
        bool up = sim_call_connect(&call, 20 * TR_SECOND);
        bool down = sim_server(&call)->down || sim_client(&call)->down;
        err = up ? TR_OK : TR_ERR_NOMEM;
        CHECK(up || down || sim_stats(sim)->sent < 1000);
        sim_call_deinit(&call);
    }
    sim_identity_deinit(&id[0]);
    if (id[1].cert)
        sim_identity_deinit(&id[1]);
    sim_destroy(sim);
    return err;
}

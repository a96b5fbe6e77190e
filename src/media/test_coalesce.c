/* Goal: datagrams that come at short intervals share turns of the worker, and all are handled; a
 * worker that coalesces wakes up for far fewer of them. Who asks the relay is not put off.
 * Method: strangers' datagrams, which are counted and dropped, sent to an engine at 10 000 a
 * second; the number of its calls to the kernel tells how many turns they took. Requests to a
 * relay with a very long interval, each when the last was answered. */
#include "base/rng.h"
#include "media/media.h"
#include "media/turn.h"
#include "net/clock.h"
#include "net/quota.h"
#include "net/udp.h"
#include "turn/auth.h"
#include "turn/policy.h"
#include "unit.h"

enum { DATAGRAMS = 2000, REQUESTS = 50 };

#define SPACING_US 100
#define WAIT_US (20 * TR_SECOND)

struct world {
    struct tr_dtls_cert *cert;
    struct tr_media *media;
    struct tr_udp *udp;
    struct tr_path path;
    int answers;
};

static bool open_world(struct world *w, tr_usec coalesce_us, const struct tr_media_turn_conf *turn)
{
    struct tr_addr ip = tr_addr_v4(127, 0, 0, 1, 0);
    *w = (struct world){ .cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND) };
    struct tr_media_conf conf = { .workers = 1,
                                  .bind = { ip },
                                  .bind_count = 1,
                                  .cert = w->cert,
                                  .packets_max = 1024,
                                  .coalesce_us = coalesce_us };
    if (turn)
        conf.turn = *turn;
    if (!CHECK(tr_media_create(&w->media, &conf) == TR_OK) ||
        !CHECK(tr_udp_open(&w->udp, &ip, 1, 0, false) == TR_OK))
        return false;
    w->path = (struct tr_path){ .local = ip, .remote = ip };
    w->path.local.port = tr_udp_port(w->udp);
    w->path.remote.port = tr_media_port(w->media);
    return true;
}

static void close_world(struct world *w)
{
    tr_media_destroy(w->media);
    tr_udp_close(w->udp);
    tr_dtls_cert_destroy(w->cert);
}

static uint64_t dropped(struct world *w)
{
    struct tr_media_counters c;
    tr_media_counters(w->media, &c);
    return c.drops[TR_DROP_UNKNOWN_ADDR];
}

/* Without sleeping: its own wake-ups would come late. */
static void send_spaced(struct world *w)
{
    static const uint8_t rtp[20] = { 0x80, 96 };
    tr_usec next = tr_clock_now();
    for (int i = 0; i < DATAGRAMS; i++, next += SPACING_US) {
        while (tr_clock_now() < next)
            ;
        tr_udp_send(w->udp, &w->path, tr_slice(rtp, sizeof rtp));
        tr_udp_flush(w->udp);
    }
}

/* Calls to the kernel that it took to read them all. */
static uint64_t receives_for(tr_usec coalesce_us)
{
    struct world w;
    struct tr_media_counters c = { 0 };
    if (open_world(&w, coalesce_us, NULL)) {
        send_spaced(&w);
        tr_usec end = tr_clock_now() + WAIT_US;
        while (dropped(&w) < DATAGRAMS && tr_clock_now() < end)
            tr_clock_sleep(TR_MSEC);
        CHECK_INT(dropped(&w), DATAGRAMS);
        tr_media_counters(w.media, &c);
    }
    close_world(&w);
    return c.receives;
}

TEST(datagrams_at_short_intervals_share_turns)
{
    /* Twenty come in an interval, and a call takes sixteen. */
    uint64_t receives = receives_for(20 * SPACING_US);
    CHECK(receives < DATAGRAMS / 4);
}

TEST(without_coalescing_all_are_handled_too)
{
    (void)receives_for(0);
}

static void count_answer(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct world *w = arg;
    (void)path;
    w->answers += datagram.n > 0;
}

static void ask_in_turn(struct world *w)
{
    static const uint8_t binding[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };
    w->path.remote.port = tr_media_turn_port(w->media);
    for (int i = 0; i < REQUESTS && w->answers == i; i++) {
        tr_udp_send(w->udp, &w->path, tr_slice(binding, sizeof binding));
        tr_udp_flush(w->udp);
        tr_usec end = tr_clock_now() + WAIT_US;
        while (w->answers == i && tr_clock_now() < end) {
            tr_clock_sleep(100);
            tr_udp_receive(w->udp, 0, count_answer, w);
        }
    }
    CHECK_INT(w->answers, REQUESTS);
}

TEST(who_asks_the_relay_is_not_put_off)
{
    struct world w;
    const char *bad;
    struct tr_turn_auth_conf auth_conf = { .realm = "test" };
    struct tr_rng rng = tr_rng_seeded(1);
    struct tr_turn_auth *auth = tr_turn_auth_create(&auth_conf, &rng);
    struct tr_turn_policy_conf policy = { .private = true };
    struct tr_quota_conf quota = { .per_credential = 1 };
    struct tr_turn_policy *peers = NULL;
    struct tr_media_turn_conf turn = {
        .auth = auth,
        .quota = tr_quota_create(&quota),
        .bind = { tr_addr_v4(127, 0, 0, 1, 0) },
        .bind_count = 1,
        .min_port = 43000,
        .max_port = 43009,
        .allocations_max = 1,
    };
    CHECK(tr_turn_policy_create(&peers, &policy, &bad) == TR_OK);
    turn.policy = peers;
    if (open_world(&w, TR_SECOND, &turn)) {
        tr_usec begin = tr_clock_now();
        ask_in_turn(&w);
        CHECK(tr_clock_now() - begin < REQUESTS / 2 * TR_SECOND);
    }
    close_world(&w);
    tr_turn_auth_destroy(auth);
    tr_turn_policy_destroy(peers);
    tr_quota_destroy(turn.quota);
}

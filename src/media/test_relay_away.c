/* Goal: a client whose allocation lives on one worker, who is heard by a second one and moves to
 * where a third one hears it, can send and be sent to all the while; over UDP and over DTLS.
 * Method: three workers; the relayed port tells the home, and a port had for a moment who hears. */
#include "dtls/dtls.h"
#include "media/test_relay_ask.h"

static const struct net_conf three = { .allow = "127.0.0.1", .workers = 3 };

struct move {
    struct tunnel *a, *c; /* where the client was, and where it goes */
    int home;
    struct request ticket;
};

/* An allocation that is heard by another worker than its home: its port was reserved there. */
static bool begin(struct net *net, bool dtls, struct move *m)
{
    const uint8_t pair = RESERVE_NEXT;
    struct request first = request_of(TR_TURN_ALLOCATE, TR_TURN_EVEN_PORT, tr_slice(&pair, 1));
    struct request second = { .method = TR_TURN_ALLOCATE };
    struct tunnel *owner = tunnel_open_raw(net, dtls);
    uint16_t port = owner ? allocate(owner, &first, TR_TURN_RESERVATION_TOKEN, &second) : 0;
    *m =
        (struct move){ .home = worker_of_port(net, port), .ticket = { .method = TR_TURN_REFRESH } };
    m->a = port ? tunnel_beside(net, dtls, m->home, -1) : NULL;
    if (!CHECK(m->a != NULL))
        return false;
    second.mobile = true;
    CHECK_INT(allocate(m->a, &second, TR_TURN_MOBILITY_TICKET, &m->ticket), port + 1);
    m->c = tunnel_beside(net, dtls, m->home, m->a->worker);
    return CHECK(m->c != NULL);
}

static void leave(struct tunnel *t)
{
    if (t->dtls)
        tr_dtls_close(t->dtls);
    tunnel_speak(t);
}

TEST(a_move_between_three_workers)
{
    const struct request stay = { .method = TR_TURN_REFRESH };
    for (int dtls = 0; dtls < 2; dtls++) {
        struct net net;
        struct tr_stun m;
        struct move move;
        if (net_open_with(&net, &three) && begin(&net, dtls, &move)) {
            check_data(move.a);
            CHECK_INT(ask(move.c, &move.ticket, &m), 0);
            check_data(move.a); /* it has not arrived yet */
            CHECK_INT(ask(move.c, &stay, &m), 0);
            check_data(move.c);
            CHECK_INT(ask(move.a, &stay, &m), TR_TURN_ALLOCATION_MISMATCH);
            leave(move.a);
            check_data(move.c);
            CHECK_INT(relay_counters(&net).allocations_now, 2);
            CHECK_INT(relay_counters(&net).moves, 1);
        }
        net_close(&net);
    }
}

/* What was the client's is somebody else's as soon as it has left. */
TEST(a_flow_that_was_left_is_free)
{
    const struct request plain = { .method = TR_TURN_ALLOCATE };
    const struct request stay = { .method = TR_TURN_REFRESH };
    const struct request stop =
        request_of(TR_TURN_REFRESH, TR_TURN_LIFETIME, tr_slice("\0\0\0", 4));
    struct net net;
    struct tr_stun m;
    struct move move;
    if (net_open_with(&net, &three) && begin(&net, false, &move)) {
        CHECK_INT(ask(move.c, &move.ticket, &m), 0);
        CHECK_INT(ask(move.c, &stay, &m), 0);
        run_for(net.rig, 20 * TR_MSEC);
        CHECK_INT(worker_of_port(&net, allocate(move.a, &plain, 0, NULL)), move.a->worker);
        CHECK_INT(ask(move.c, &stop, &m), 0); /* takes nothing of it along */
        run_for(net.rig, 20 * TR_MSEC);
        check_data(move.a);
        CHECK_INT(relay_counters(&net).allocations_now, 2);
    }
    net_close(&net);
}

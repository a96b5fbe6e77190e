/* Goal: datagrams of mixed flows arrive whole, in the order of their flow, with few system calls;
 * and whoever holds shares of a quota never gets more than its bounds. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/gather.h"
#include "net/port.h"
#include "net/quota.h"
#include "net/swarm.h"
#include "unit.h"

enum { FLOWS = 20, ROUNDS = 12, MESSAGE = 1100, BIG = 60000 };

struct seen {
    int next[FLOWS], wrong, got;
};

static void take(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct seen *seen = arg;
    int flow = datagram.n > 2 ? datagram.p[2] : FLOWS;
    (void)path;
    seen->got++;
    if (flow >= FLOWS || datagram.p[0] != 'h' || datagram.p[3] != seen->next[flow]++)
        seen->wrong++;
    else if (datagram.n != (size_t)(datagram.p[3] == 5 ? 600 : MESSAGE) + 2)
        seen->wrong++;
}

static void put(struct tr_gather *g, int fd, const struct tr_addr *to, struct tr_slice head,
                struct tr_slice data)
{
    tr_gather_put(g, &(struct tr_gather_out){ .fd = fd, .to = *to, .head = head, .data = data });
}

static uint64_t send_mixed(bool gso, struct seen *seen)
{
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, 0), to;
    struct tr_swarm *in = NULL;
    uint32_t sockets[FLOWS + 1];
    struct tr_addr at[FLOWS + 1];
    struct tr_gather *g = tr_gather_create(gso, 7);
    CHECK(g && tr_swarm_open(&in, FLOWS + 1, true) == TR_OK);
    for (int i = 0; i <= FLOWS; i++)
        CHECK(tr_swarm_add(in, &loopback, seen, &sockets[i], &at[i]) == TR_OK);
    to = at[FLOWS];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < FLOWS; i++) {
            uint8_t data[MESSAGE] = { (uint8_t)i, (uint8_t)round };
            size_t n = round == 5 ? 600 : MESSAGE;
            put(g, tr_swarm_socket_fd(in, sockets[i]), &to, tr_slice("hd", 2), tr_slice(data, n));
        }
    }
    tr_gather_flush(g);
    for (int i = 0; i < 1000 && seen->got < FLOWS * ROUNDS; i++)
        tr_swarm_wait(in, TR_MSEC, take);
    uint64_t sends = tr_gather_counters(g)->sends;
    CHECK_INT(tr_gather_counters(g)->datagrams_out, FLOWS * ROUNDS);
    CHECK_INT(tr_gather_counters(g)->bytes_out, FLOWS * ((ROUNDS - 1) * (MESSAGE + 2) + 602));
    tr_gather_destroy(g);
    tr_swarm_close(in);
    return sends;
}

TEST(gather_keeps_flows_apart_and_in_order)
{
    struct seen cut = { 0 }, whole = { 0 };
    CHECK_INT(send_mixed(true, &cut), FLOWS); /* two messages each, which share a call */
    CHECK_INT(cut.got, FLOWS * ROUNDS);
    CHECK_INT(cut.wrong, 0);
    CHECK_INT(send_mixed(false, &whole), FLOWS);
    CHECK_INT(whole.got, FLOWS * ROUNDS);
    CHECK_INT(whole.wrong, 0);
}

TEST(gather_sends_early_when_it_is_full)
{
    static uint8_t data[TR_GATHER_DATAGRAM_MAX];
    struct tr_addr loopback = tr_addr_v4(127, 0, 0, 1, 0), at;
    struct tr_swarm *swarm = NULL;
    uint32_t socket;
    struct tr_gather *g = tr_gather_create(true, 7);
    CHECK(g && tr_swarm_open(&swarm, 1, true) == TR_OK);
    CHECK(tr_swarm_add(swarm, &loopback, NULL, &socket, &at) == TR_OK);
    for (int i = 0; i < TR_GATHER_DATAGRAMS + 1; i++)
        put(g, tr_swarm_socket_fd(swarm, socket), &at, tr_slice(NULL, 0), tr_slice(data, 100));
    CHECK_INT(tr_gather_counters(g)->datagrams_out + tr_gather_counters(g)->send_dropped,
              TR_GATHER_DATAGRAMS);
    for (int i = 0; i < 40; i++)
        put(g, tr_swarm_socket_fd(swarm, socket), &at, tr_slice(NULL, 0), tr_slice(data, BIG));
    put(g, tr_swarm_socket_fd(swarm, socket), &at, tr_slice("12", 2),
        tr_slice(data, TR_GATHER_DATAGRAM_MAX - 1));
    put(g, tr_swarm_socket_fd(swarm, socket), &at, tr_slice(NULL, 0), tr_slice(data, 0));
    tr_gather_flush(g);
    CHECK_INT(tr_gather_counters(g)->datagrams_out + tr_gather_counters(g)->send_dropped,
              TR_GATHER_DATAGRAMS + 1 + 40 + 2);
    tr_gather_destroy(g);
    tr_swarm_close(swarm);
}

struct icmp {
    struct tr_addr peer;
    int type, code, count;
    uint32_t data;
};

static void take_icmp(void *arg, const struct tr_addr *peer, uint8_t type, uint8_t code,
                      uint32_t data)
{
    struct icmp *icmp = arg;
    *icmp = (struct icmp){
        .peer = *peer, .type = type, .code = code, .data = data, .count = icmp->count + 1
    };
}

static void ignore(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    (void)arg;
    (void)path;
    (void)datagram;
}

/* The port of nobody answers by ICMP; what is sent after that still goes out. */
TEST(relay_ports_tell_icmp)
{
    struct tr_port_conf conf = { .bind = tr_addr_v4(127, 0, 0, 1, 0), .relay = true };
    struct tr_addr at, nobody;
    struct tr_swarm *swarm = NULL;
    struct icmp icmp = { 0 };
    uint32_t socket;
    int fd, other;
    struct tr_gather *g = tr_gather_create(true, 7);
    CHECK(tr_port_open(&conf, &other, &nobody) == TR_OK);
    tr_port_close(other);
    CHECK(g && tr_swarm_open(&swarm, 1, true) == TR_OK);
    CHECK(tr_port_open(&conf, &fd, &at) == TR_OK);
    CHECK(tr_swarm_adopt(swarm, fd, &at, &icmp, &socket) == TR_OK);
    tr_swarm_on_icmp(swarm, take_icmp);
    for (int i = 0; i < 2; i++) {
        tr_gather_put(
            g, &(struct tr_gather_out){
                   .fd = fd, .to = nobody, .data = { (const uint8_t *)"x", 1 }, .df = i == 1 });
        tr_gather_flush(g);
    }
    for (int i = 0; i < 1000 && icmp.count < 2; i++)
        tr_swarm_wait(swarm, TR_MSEC, ignore);
    CHECK_INT(icmp.count, 2);
    CHECK(icmp.type == 3 && icmp.code == 3 && tr_addr_eq(&icmp.peer, &nobody));
    CHECK_INT(tr_gather_counters(g)->datagrams_out, 2);
    tr_gather_destroy(g);
    tr_swarm_close(swarm);
}

/* A small MTU of our own link (here: of the socket) is told of like one on the way, once for each
 * datagram that may not be cut; those that may are. */
TEST(relay_ports_tell_our_own_mtu)
{
    enum { MTU = 1280, ASKED = 6, LONG = 1400 };
    static uint8_t data[LONG];
    struct tr_port_conf conf = { .bind = { .ip = { [15] = 1 } }, .relay = true };
    struct tr_addr at, to;
    struct tr_swarm *swarm = NULL;
    struct icmp icmp = { 0 };
    uint32_t sockets[2];
    int fd, other, mtu = MTU;
    struct tr_gather *g = tr_gather_create(true, 7);
    CHECK(g && tr_swarm_open(&swarm, 2, true) == TR_OK);
    if (tr_port_open(&conf, &fd, &at) != TR_OK)
        goto out; /* this machine has no IPv6 */
    CHECK(tr_port_open(&conf, &other, &to) == TR_OK);
    CHECK(setsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, sizeof mtu) == 0);
    CHECK(tr_swarm_adopt(swarm, fd, &at, &icmp, &sockets[0]) == TR_OK);
    CHECK(tr_swarm_adopt(swarm, other, &to, &icmp, &sockets[1]) == TR_OK);
    tr_swarm_on_icmp(swarm, take_icmp);
    for (int i = 0; i < ASKED; i++) {
        struct tr_gather_out out = { .fd = fd, .to = to, .data = { data, LONG }, .df = i % 2 == 1 };
        tr_gather_put(g, &out);
    }
    tr_gather_flush(g);
    for (int i = 0;
         i < 1000 && (icmp.count < ASKED / 2 || tr_swarm_counters(swarm)->datagrams_in < ASKED / 2);
         i++)
        tr_swarm_wait(swarm, TR_MSEC, ignore);
    CHECK_INT(icmp.count, ASKED / 2);
    CHECK_INT(tr_swarm_counters(swarm)->datagrams_in, ASKED / 2);
    CHECK(icmp.type == 2 && icmp.code == 0 && tr_addr_eq(&icmp.peer, &to));
    CHECK_INT(icmp.data, MTU);
    CHECK_INT(tr_gather_counters(g)->datagrams_out, ASKED / 2);
    CHECK_INT(tr_gather_counters(g)->send_dropped, ASKED / 2);
out:
    tr_gather_destroy(g);
    tr_swarm_close(swarm);
}

static struct tr_quota *make_quota(uint64_t credential_bps, uint64_t node_bps)
{
    return tr_quota_create(&(struct tr_quota_conf){ .per_credential = 2,
                                                    .per_address = 3,
                                                    .total = 4,
                                                    .credential_bps = credential_bps,
                                                    .node_bps = node_bps });
}

static enum tr_err take_share(struct tr_quota *q, const char *name, uint8_t host, void **share)
{
    struct tr_addr client = tr_addr_v4(192, 0, 2, host, 1000);
    return tr_quota_take(q, tr_slice_str(name), &client, share);
}

TEST(quota_bounds_allocations)
{
    struct tr_quota *q = make_quota(0, 0);
    void *s[5] = { 0 };
    CHECK(take_share(q, "ann", 1, &s[0]) == TR_OK);
    CHECK(take_share(q, "ann", 1, &s[1]) == TR_OK);
    CHECK(take_share(q, "ann", 2, &s[4]) == TR_ERR_LIMIT); /* of the credential */
    CHECK(take_share(q, "bob", 1, &s[2]) == TR_OK);
    CHECK(take_share(q, "eve", 1, &s[4]) == TR_ERR_LIMIT); /* of the address */
    CHECK(take_share(q, "eve", 2, &s[3]) == TR_OK);
    CHECK(take_share(q, "joe", 3, &s[4]) == TR_ERR_LIMIT); /* in all */
    tr_quota_give(q, s[0]);
    CHECK(take_share(q, "ann", 2, &s[0]) == TR_OK);
    CHECK(tr_quota_draw(q, s[0], 1, 5000) == 5000); /* no bound */
    for (int i = 0; i < 4; i++)
        tr_quota_give(q, s[i]);
    tr_quota_destroy(q);
}

TEST(quota_bounds_bytes)
{
    struct tr_quota *q = make_quota(8000, 12000); /* 1000 and 1500 bytes a second */
    void *ann = NULL, *bob = NULL;
    tr_usec now = TR_SECOND;
    CHECK(take_share(q, "ann", 1, &ann) == TR_OK && take_share(q, "bob", 2, &bob) == TR_OK);
    CHECK_INT(tr_quota_draw(q, ann, now, 800), 800);
    CHECK_INT(tr_quota_draw(q, ann, now, 800), 200);
    CHECK_INT(tr_quota_draw(q, ann, now, 800), 0);
    CHECK_INT(tr_quota_draw(q, bob, now, 800), 500); /* what the node has left */
    CHECK_INT(tr_quota_draw(q, ann, now + TR_SECOND / 2, 800), 500);
    CHECK_INT(tr_quota_draw(q, ann, now + 100 * TR_SECOND, 5000), 1000); /* no more is saved */
    tr_quota_give(q, ann);
    tr_quota_give(q, bob);
    tr_quota_destroy(q);
}

static enum tr_err use_quota(struct tr_quota *q)
{
    void *share = NULL;
    if (!q)
        return TR_ERR_NOMEM;
    enum tr_err err = take_share(q, "ann", 1, &share);
    if (err == TR_OK)
        tr_quota_give(q, share);
    return err;
}

TEST_OOM(quota_without_memory)
{
    struct tr_quota *q = make_quota(0, 0);
    enum tr_err err = use_quota(q);
    tr_quota_destroy(q);
    return err;
}

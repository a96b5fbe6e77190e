/* Goal: clients are offered the right addresses in the right order: mapped or not, over UDP and
 * TCP, IPv4 and IPv6; public ones that a STUN server sees are found, and lies about them are not
 * believed.
 * Method: the configuration as text; a STUN server of our own on loopback, step by step. */
#include "server/addresses.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/rng.h"
#include "net/clock.h"
#include "net/thread.h"
#include "server/config.h"
#include "server/discover.h"
#include "unit.h"

static struct tr_addr ip_of(const char *text)
{
    struct tr_addr a = { 0 };
    CHECK_INT(tr_addr_parse_ip(&a, text, 0), TR_OK);
    return a;
}

static struct tr_server_cands cands;
static struct tr_config config;

static void offer(const char *yaml, uint16_t tcp_port)
{
    struct tr_config_problems problems = { 0 };
    struct tr_media_conf conf = { 0 };
    struct tr_rng rng = tr_rng_seeded(1);
    CHECK_INT(tr_config_parse(&config, "f.yaml", yaml, strlen(yaml), NULL, &problems), TR_OK);
    conf.bind_count = tr_server_addresses(&config, conf.bind);
    tr_server_map_addresses(&config, &rng, conf.bind, conf.known, conf.bind_count);
    tr_server_cands(&cands, &conf, 10000, tcp_port, config.media.keep_private_host);
    tr_config_deinit(&config);
}

static bool offers(int i, const char *part)
{
    return i < cands.count && strstr(cands.list[i], part) != NULL;
}

static uint32_t priority(int i)
{
    struct tr_ice_cand cand = { 0 };
    CHECK_INT(tr_ice_cand_parse(&cand, tr_slice_str(cands.list[i])), TR_OK);
    return cand.priority;
}

TEST(udp_before_tcp_and_first_before_second)
{
    offer("media: {bind: [192.0.2.1, '2001:db8::1', '::ffff:192.0.2.3']}", 443);
    CHECK_INT(cands.count, 6);
    CHECK(offers(0, " udp ") && offers(0, " 192.0.2.1 10000 typ host"));
    CHECK(offers(1, " 2001:db8::1 10000 typ host") && offers(2, " 192.0.2.3 10000 typ host"));
    CHECK(offers(3, " tcp ") && offers(3, " 192.0.2.1 443 typ host tcptype passive"));
    CHECK(offers(4, " 2001:db8::1 443 typ host tcptype passive"));
    for (int i = 1; i < cands.count; i++)
        CHECK(priority(i) < priority(i - 1));
    offer("media: {bind: [192.0.2.1]}", 0);
    CHECK_INT(cands.count, 1);
}

TEST(addresses_behind_a_nat)
{
    offer("media: {bind: [10.0.0.1, 10.0.0.2, '2001:db8::1'], nat_1_1_mapping: "
          "[198.51.100.1/10.0.0.1]}",
          443);
    CHECK_INT(cands.count, 6);
    CHECK(offers(0, " 198.51.100.1 10000 ") && offers(1, " 10.0.0.2 ") &&
          offers(2, " 2001:db8::1 "));
    CHECK(offers(3, " 198.51.100.1 443 "));
    offer("media: {bind: [10.0.0.1, 'fd00::1'], keep_private_host: true, nat_1_1_mapping: "
          "[198.51.100.1, '2001:db8:1111:2222:3333:4444:5555:6666/fd00:0:0:0:0:0:0:1']}",
          0);
    CHECK_INT(cands.count, 4);
    CHECK(offers(0, " 198.51.100.1 ") && offers(1, " 10.0.0.1 "));
    CHECK(offers(2, " 2001:db8:1111:2222:3333:4444:5555:6666 ") && offers(3, " fd00::1 "));
}

TEST(a_family_does_not_crowd_out_the_other)
{
    static const struct {
        int v4, v6, room, want_v4, want_v6;
    } cases[] = { { 2, 1, 8, 2, 1 },  { 10, 1, 8, 7, 1 }, { 1, 10, 8, 1, 7 }, { 10, 10, 8, 4, 4 },
                  { 12, 0, 8, 8, 0 }, { 0, 9, 8, 0, 8 },  { 4, 4, 8, 4, 4 },  { 3, 3, 1, 1, 0 },
                  { 3, 3, 0, 0, 0 },  { 0, 0, 8, 0, 0 } };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct tr_addr all[32], out[8];
        int n = 0, v4 = 0;
        for (int i = 0; i < cases[c].v6; i++)
            all[n++] = (struct tr_addr){ .ip = { 0x20, 1, [15] = (uint8_t)i } };
        for (int i = 0; i < cases[c].v4; i++)
            all[n++] = tr_addr_v4(192, 0, 2, (uint8_t)i, 0);
        int chosen = tr_server_choose(all, n, out, cases[c].room);
        while (v4 < chosen && tr_addr_is_v4(&out[v4]))
            v4++;
        CHECK_INT(v4, cases[c].want_v4);
        CHECK_INT(chosen - v4, cases[c].want_v6);
        for (int i = v4; i < chosen; i++)
            CHECK(!tr_addr_is_v4(&out[i]));
    }
}

/* A machine with bridges of containers, behind one public address. */
TEST(several_addresses_known_as_one)
{
    offer("media: {bind: [10.0.0.1, 172.17.0.1, 172.18.0.1], nat_1_1_mapping: [198.51.100.1]}",
          443);
    CHECK_INT(cands.count, 2);
    CHECK(offers(0, " udp ") && offers(0, " 198.51.100.1 10000 "));
    CHECK(offers(1, " tcp ") && offers(1, " 198.51.100.1 443 "));
    offer("media: {bind: [10.0.0.1, 172.17.0.1], keep_private_host: true, nat_1_1_mapping: "
          "[198.51.100.1]}",
          0);
    CHECK_INT(cands.count, 3);
    CHECK(offers(0, " 198.51.100.1 ") && offers(1, " 10.0.0.1 ") && offers(2, " 172.17.0.1 "));
}

TEST(an_address_is_mapped_by_its_own_name_or_its_family)
{
    static const char yaml[] =
        "media: {nat_1_1_mapping: [198.51.100.2/10.0.0.2, 198.51.100.1, '2001:db8::1/fd00::1']}";
    struct tr_config_problems problems = { 0 };
    struct tr_addr known = { 0 }, ip = ip_of("10.0.0.2");
    CHECK_INT(tr_config_parse(&config, "f.yaml", yaml, strlen(yaml), NULL, &problems), TR_OK);
    CHECK(tr_server_map_address(&config, &ip, &known));
    ip = ip_of("198.51.100.2");
    CHECK(tr_addr_ip_eq(&known, &ip));
    ip = ip_of("10.0.0.3");
    CHECK(tr_server_map_address(&config, &ip, &known));
    ip = ip_of("198.51.100.1");
    CHECK(tr_addr_ip_eq(&known, &ip));
    ip = ip_of("fd00::2");
    CHECK(!tr_server_map_address(&config, &ip, &known));
    tr_config_deinit(&config);
}

/* What cannot be told to anybody stands for all that can. */
TEST(addresses_of_this_machine)
{
    offer("media: {bind: [0.0.0.0]}", 0);
    for (int i = 0; i < cands.count; i++)
        CHECK(!offers(i, " 0.0.0.0 ") && !offers(i, " 169.254.") && !offers(i, "::"));
    offer("media: {port: 10000}", 0);
    CHECK(cands.count > 0);
    for (int i = 0; i < cands.count; i++)
        CHECK(!offers(i, " fe80:") && !offers(i, " 0.0.0.0 "));
}

/* --- found by STUN --- */

struct server {
    struct tr_udp *udp;
    int asked, deaf; /* the first so many are not heard */
    bool wrong_txid, error;
    bool stop; /* of its thread */
};

static void answer(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct server *s = arg;
    struct tr_stun m;
    uint8_t buf[100], txid[TR_STUN_TXID];
    struct tr_addr seen = ip_of(tr_addr_is_v4(&path->local) ? "198.51.100.9" : "2001:db8::9");
    struct tr_wr w = tr_wr(buf, sizeof buf);
    if (!CHECK(tr_stun_parse(&m, datagram, TR_STUN_FOR_ICE) == TR_OK) || s->asked++ < s->deaf)
        return;
    seen.port = path->remote.port;
    memcpy(txid, m.txid, sizeof txid);
    txid[0] ^= s->wrong_txid;
    tr_stun_begin(&w, s->error ? TR_STUN_ERROR : TR_STUN_SUCCESS, TR_STUN_BINDING, txid);
    tr_stun_put_addr(&w, TR_STUN_XOR_MAPPED_ADDRESS, &seen, true);
    tr_udp_send(s->udp, path, tr_stun_end(&w));
    tr_udp_flush(s->udp);
}

/* In steps of 50 ms that do not pass. Returns the address that was found. */
static struct tr_addr discover(struct server *s)
{
    struct tr_addr bind[2] = { ip_of("127.0.0.1"), ip_of("::1") };
    struct tr_rng rng = tr_rng_seeded(1);
    struct tr_discovery d = { 0 };
    tr_usec now = TR_SECOND;
    if (!CHECK(tr_udp_open(&s->udp, bind, 1, 0, false) == TR_OK))
        return bind[0];
    struct tr_addr at = bind[0];
    at.port = tr_udp_port(s->udp);
    CHECK_INT(tr_discovery_init(&d, &at, 0, &rng, bind, 2, now), TR_OK);
    CHECK_INT(d.count, 1);
    while (!tr_discovery_step(&d, now) && now < 60 * TR_SECOND) {
        while (tr_udp_receive(s->udp, 0, answer, s)) {
        }
        now += 50 * TR_MSEC;
    }
    CHECK(now < 6 * TR_SECOND);
    tr_discovery_deinit(&d);
    tr_udp_close(s->udp);
    return d.seen[0];
}

TEST(a_stun_server_tells)
{
    struct server good = { .deaf = 2 }, liar = { .wrong_txid = true }, sick = { .error = true },
                  dead = { .deaf = 99 };
    struct tr_addr public = ip_of("198.51.100.9"), found = discover(&good);
    CHECK(tr_addr_ip_eq(&found, &public));
    CHECK_INT(good.asked, 3);
    struct server *bad[] = { &liar, &sick, &dead };
    for (int i = 0; i < 3; i++) {
        found = discover(bad[i]);
        CHECK(tr_addr_is_any(&found));
        CHECK_INT(bad[i]->asked, 5);
    }
}

static void serve(void *arg)
{
    struct server *s = arg;
    while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
        for (int i = 0; i < 2; i++) {
            while (tr_udp_receive(s->udp, i, answer, s)) {
            }
        }
        tr_clock_sleep(TR_MSEC);
    }
}

static bool has_name(const char *name, int family)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM }, *found = NULL;
    bool has = getaddrinfo(name, NULL, &hints, &found) == 0;
    if (has)
        freeaddrinfo(found);
    return has;
}

TEST(a_stun_server_is_asked_over_both_families)
{
    struct tr_addr bind[2] = { ip_of("::1"), ip_of("127.0.0.1") }, known[2] = { 0 };
    struct tr_addr v4 = ip_of("198.51.100.9"), v6 = ip_of("2001:db8::9");
    struct tr_rng rng = tr_rng_seeded(1);
    struct tr_thread thread = { 0 };
    struct server s = { .asked = 0 };
    char name[32];
    if (!has_name("localhost", AF_INET6) || tr_udp_open(&s.udp, bind, 2, 0, false) != TR_OK)
        return; /* this machine has no IPv6 */
    snprintf(name, sizeof name, "localhost:%d", tr_udp_port(s.udp));
    CHECK(tr_thread_start(&thread, "server", serve, &s) == TR_OK);
    tr_discover(name, 0, &rng, bind, known, 2);
    __atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
    tr_thread_join(&thread);
    tr_udp_close(s.udp);
    CHECK_INT(s.asked, 2);
    CHECK(tr_addr_ip_eq(&known[0], &v6) && tr_addr_ip_eq(&known[1], &v4));
}

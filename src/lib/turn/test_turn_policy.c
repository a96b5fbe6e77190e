/* Goal: no address that leads into our network, or to ourselves, gets past in any spelling or
 * disguise; and ordinary addresses do.
 * Method: a table made by other software; random addresses of each range in each disguise; the
 * order of allow, deny and own. */
#include "turn/policy.h"

#include "base/assert.h"
#include "base/rng.h"
#include "base/slice.h"
#include "turn/policy_test.h"
#include "unit.h"

static struct tr_turn_policy *make(const char *allow, const char *deny)
{
    struct tr_turn_policy_conf conf = { .allow = &allow,
                                        .deny = &deny,
                                        .allow_count = allow != NULL,
                                        .deny_count = deny != NULL,
                                        .media = { tr_addr_v4(10, 0, 0, 5, 7000) },
                                        .media_count = 1,
                                        .own = { tr_addr_v4(8, 8, 4, 4, 0) },
                                        .own_count = 2 };
    struct tr_turn_policy *p;
    const char *bad;
    CHECK_INT(tr_addr_parse_ip(&conf.own[1], "2600::5", 0), TR_OK);
    CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_OK);
    return p;
}

static enum tr_turn_verdict judge(const struct tr_turn_policy *p, const char *ip, uint16_t port)
{
    struct tr_addr a = { 0 };
    if (tr_addr_parse_ip(&a, ip, port) != TR_OK)
        CHECK(!"a literal");
    return tr_turn_policy_judge(p, &a, false);
}

TEST(policy_agrees_with_the_table)
{
    struct tr_turn_policy *p = make(NULL, NULL);
    for (size_t i = 0; i < policy_vectors_count; i++) {
        bool open = judge(p, policy_vectors[i].ip, 5000) == TR_TURN_PEER_ALLOWED;
        if (!CHECK(open == policy_vectors[i].open))
            unit_note("    %s", policy_vectors[i].ip);
    }
    tr_turn_policy_destroy(p);
}

/* --- random addresses, told apart by arithmetic on 32-bit numbers instead of prefixes --- */

static bool between(uint32_t v, uint32_t low, uint32_t high)
{
    return v >= low && v <= high;
}

static bool v4_is_open(uint32_t v)
{
    return !(v <= 0x00ffffff || between(v, 0x0a000000, 0x0affffff) ||
             between(v, 0x64400000, 0x647fffff) || between(v, 0x7f000000, 0x7fffffff) ||
             between(v, 0xa9fe0000, 0xa9feffff) || between(v, 0xac100000, 0xac1fffff) ||
             between(v, 0xc0000000, 0xc00000ff) || between(v, 0xc0000200, 0xc00002ff) ||
             between(v, 0xc0586300, 0xc05863ff) || between(v, 0xc0a80000, 0xc0a8ffff) ||
             between(v, 0xc6120000, 0xc613ffff) || between(v, 0xc6336400, 0xc63364ff) ||
             between(v, 0xcb007100, 0xcb0071ff) || v >= 0xe0000000 || v == 0x08080404);
}

enum disguise {
    BARE,
    NAT64,
    SIXTOFOUR,
    ISATAP,
    ISATAP_GLOBAL,
    FIRST_SHUT,
    COMPATIBLE = FIRST_SHUT,
    TRANSLATED,
    NAT64_LOCAL,
    TEREDO,
    DISGUISES
};

static struct tr_addr wrap(struct tr_rng *rng, enum disguise d, uint32_t v)
{
    struct tr_addr a = { .port = 5000 };
    uint8_t *ip = a.ip;
    tr_rng_fill(rng, ip, sizeof a.ip);
    ip[0] = 0x26; /* of the global ones */
    tr_put32(ip + 12, v);
    switch (d) {
    case BARE: return tr_addr_v4(ip[12], ip[13], ip[14], ip[15], 5000);
    case COMPATIBLE: memset(ip, 0, 12); break;
    case TRANSLATED:
        memset(ip, 0, 12);
        ip[8] = ip[9] = 0xff;
        break;
    case NAT64:
        memset(ip, 0, 12);
        tr_put32(ip, 0x0064ff9b);
        break;
    case NAT64_LOCAL:
        tr_put32(ip, 0x0064ff9b);
        tr_put16(ip + 4, 1);
        break;
    case SIXTOFOUR:
        tr_put32(ip + 12, 0x11223344);
        tr_put16(ip, 0x2002);
        tr_put32(ip + 2, v);
        break;
    case TEREDO:
        tr_put32(ip, 0x20010000);
        tr_put32(ip + 12, ~v);
        break;
    case ISATAP: tr_put32(ip + 8, 0x00005efe); break;
    case ISATAP_GLOBAL: tr_put32(ip + 8, 0x02005efe); break;
    case DISGUISES: break;
    }
    return a;
}

TEST(policy_sees_through_disguises)
{
    static const uint32_t bases[] = { 0x00000000, 0x0a000000, 0x64400000, 0x7f000000,
                                      0xa9fe0000, 0xac100000, 0xc0000000, 0xc0000200,
                                      0xc0586300, 0xc0a80000, 0xc6120000, 0xc6336400,
                                      0xcb007100, 0xe0000000, 0xf0000000, 0x08080000 };
    struct tr_turn_policy *p = make(NULL, NULL);
    FOR_EACH_SEED (seed, 2000) {
        struct tr_rng rng = tr_rng_seeded(seed);
        uint32_t base = bases[seed % TR_ARRAY_LEN(bases)];
        uint32_t v = base ^ (tr_rng_u32(&rng) >> (8 + tr_rng_below(&rng, 16)));
        if (seed % 5 == 0)
            v = tr_rng_u32(&rng);
        for (int d = 0; d < DISGUISES; d++) {
            struct tr_addr a = wrap(&rng, (enum disguise)d, v), plain = wrap(&rng, BARE, v);
            bool open = v4_is_open(v) && d < FIRST_SHUT;
            if (d == COMPATIBLE && v <= 1) /* :: and ::1 are what they are */
                plain = a;
            struct tr_addr inside = tr_addr_unwrap(&a);
            enum tr_turn_verdict want = open ? TR_TURN_PEER_ALLOWED : TR_TURN_PEER_DENIED;
            if (!CHECK(tr_turn_policy_judge(p, &a, false) == want) ||
                !CHECK(tr_addr_eq(&inside, &plain)))
                unit_note("    %08x in disguise %d", v, d);
        }
    }
    tr_turn_policy_destroy(p);
}

/* --- the order of the rules --- */

struct row {
    const char *allow, *deny, *ip;
    uint16_t port;
    enum tr_turn_verdict want;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct tr_turn_policy *p = make(rows[i].allow, rows[i].deny);
        if (!CHECK(judge(p, rows[i].ip, rows[i].port) == rows[i].want))
            unit_note("    row %zu: %s", i, rows[i].ip);
        tr_turn_policy_destroy(p);
    }
}

TEST(policy_knows_its_own)
{
    static const struct row rows[] = {
        { NULL, NULL, "10.0.0.5", 7000, TR_TURN_PEER_OWN },
        { NULL, NULL, "10.0.0.5", 0, TR_TURN_PEER_OWN },
        { NULL, NULL, "10.0.0.5", 22, TR_TURN_PEER_DENIED },
        { NULL, NULL, "::ffff:10.0.0.5", 7000, TR_TURN_PEER_OWN },
        { NULL, NULL, "64:ff9b::10.0.0.5", 7000, TR_TURN_PEER_DENIED },
        { NULL, "10.0.0.0/8", "10.0.0.5", 7000, TR_TURN_PEER_OWN },
        { NULL, NULL, "8.8.4.4", 7000, TR_TURN_PEER_DENIED },
        { NULL, NULL, "2600::5", 7000, TR_TURN_PEER_DENIED },
        { NULL, NULL, "2600::6", 7000, TR_TURN_PEER_ALLOWED },
        { "10.0.0.0/8", NULL, "10.0.0.5", 22, TR_TURN_PEER_DENIED },
        { "8.8.4.0/24", NULL, "8.8.4.4", 7000, TR_TURN_PEER_DENIED },
        { "8.8.4.4", NULL, "8.8.4.4", 7000, TR_TURN_PEER_ALLOWED },
        { "8.8.4.4/32", NULL, "64:ff9b::8.8.4.4", 7000, TR_TURN_PEER_ALLOWED },
        { "2600::5/128", NULL, "2600::5", 7000, TR_TURN_PEER_ALLOWED },
    };
    check_rows(rows, TR_ARRAY_LEN(rows));
}

TEST(policy_confines_whom_we_have_handed_credentials_out)
{
    struct tr_addr media = tr_addr_v4(8, 8, 4, 4, 7000), public = tr_addr_v4(9, 9, 9, 9, 5000);
    struct tr_addr named = tr_addr_v4(9, 9, 9, 1, 5000), inside = tr_addr_v4(10, 0, 0, 1, 5000);
    const char *allow = "9.9.9.1", *bad;
    for (int private = 0; private < 2; private ++) {
        const struct tr_turn_policy_conf conf = { .allow = &allow,
                                                  .allow_count = 1,
                                                  .private = private,
                                                  .issued_private = true,
                                                  .media = { media },
                                                  .media_count = 1 };
        struct tr_turn_policy *p;
        CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_OK);
        for (int issued = 0; issued < 2; issued++) {
            bool open = !issued && !private;
            CHECK_INT(tr_turn_policy_judge(p, &media, issued), TR_TURN_PEER_OWN);
            CHECK_INT(tr_turn_policy_judge(p, &named, issued), TR_TURN_PEER_ALLOWED);
            CHECK_INT(tr_turn_policy_judge(p, &inside, issued), TR_TURN_PEER_DENIED);
            CHECK_INT(tr_turn_policy_judge(p, &public, issued),
                      open ? TR_TURN_PEER_ALLOWED : TR_TURN_PEER_DENIED);
        }
        tr_turn_policy_destroy(p);
    }
}

/* The number of the media port means nothing over TCP, where another program may have it. */
TEST(policy_tells_tcp_from_udp)
{
    const char *bad;
    struct tr_turn_policy_conf conf = { .private = true,
                                        .media = { tr_addr_v4(8, 8, 4, 4, 7000) },
                                        .media_count = 1 };
    for (int with_tcp = 0; with_tcp < 2; with_tcp++) {
        struct tr_addr peer = tr_addr_v4(8, 8, 4, 4, 7000);
        struct tr_turn_policy *p;
        conf.media_tcp_port = with_tcp ? 443 : 0;
        CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_OK);
        CHECK_INT(tr_turn_policy_judge(p, &peer, false), TR_TURN_PEER_OWN);
        peer.proto = TR_PROTO_TCP;
        CHECK_INT(tr_turn_policy_judge(p, &peer, false), TR_TURN_PEER_DENIED);
        peer.port = 443;
        CHECK_INT(tr_turn_policy_judge(p, &peer, false),
                  with_tcp ? TR_TURN_PEER_OWN : TR_TURN_PEER_DENIED);
        peer.port = 0;
        CHECK_INT(tr_turn_policy_judge(p, &peer, false),
                  with_tcp ? TR_TURN_PEER_OWN : TR_TURN_PEER_DENIED);
        tr_turn_policy_destroy(p);
    }
}

TEST(policy_orders_its_rules)
{
    static const struct row rows[] = {
        { "10.0.0.0/8", NULL, "10.9.9.9", 1, TR_TURN_PEER_ALLOWED },
        { "10.0.0.0/8", NULL, "11.0.0.0", 1, TR_TURN_PEER_ALLOWED },
        { "10.0.0.0/8", NULL, "192.168.0.1", 1, TR_TURN_PEER_DENIED },
        { "10.0.0.0/8", "10.9.0.0/16", "10.9.9.9", 1, TR_TURN_PEER_DENIED },
        { "10.0.0.0/8", NULL, "2002:a09:909::1", 1, TR_TURN_PEER_ALLOWED },
        { "127.0.0.0/8", NULL, "127.0.0.1", 1, TR_TURN_PEER_ALLOWED },
        { "::1", NULL, "::1", 1, TR_TURN_PEER_ALLOWED },
        { "0.0.0.0/0", NULL, "169.254.169.254", 1, TR_TURN_PEER_ALLOWED },
        { "0.0.0.0/0", NULL, "0.0.0.0", 1, TR_TURN_PEER_DENIED },
        { "0.0.0.0/0", NULL, "255.255.255.255", 1, TR_TURN_PEER_DENIED },
        { "0.0.0.0/0", NULL, "224.0.0.1", 1, TR_TURN_PEER_DENIED },
        { "0.0.0.0/0", NULL, "fd00::1", 1, TR_TURN_PEER_DENIED },
        { "::/0", NULL, "fd00::1", 1, TR_TURN_PEER_ALLOWED },
        { "::/0", NULL, "ff02::1", 1, TR_TURN_PEER_DENIED },
        { "::/0", NULL, "::", 1, TR_TURN_PEER_DENIED },
        { "::/0", NULL, "10.1.1.1", 1, TR_TURN_PEER_DENIED },
        { "::/0", NULL, "2002:a01:101::1", 1, TR_TURN_PEER_DENIED },
        { "2001::/32", NULL, "2001:0:808:808::f7f7:f7f7", 1, TR_TURN_PEER_ALLOWED },
        { "2001::/32", NULL, "2001:0:808:808::f5ff:fffe", 1, TR_TURN_PEER_DENIED },
        { "2001::/32", NULL, "2001:0:a01:101::f7f7:f7f7", 1, TR_TURN_PEER_DENIED },
        { NULL, "8.8.8.0/24", "8.8.8.8", 1, TR_TURN_PEER_DENIED },
        { NULL, "8.8.8.0/24", "::ffff:808:808", 1, TR_TURN_PEER_DENIED },
        { NULL, "::ffff:8.8.8.0/120", "8.8.8.8", 1, TR_TURN_PEER_DENIED },
        { NULL, "8.8.8.8/31", "8.8.8.9", 1, TR_TURN_PEER_DENIED },
        { NULL, "8.8.8.8/31", "8.8.8.10", 1, TR_TURN_PEER_ALLOWED },
        { NULL, "2600::/12", "260f:ffff::1", 1, TR_TURN_PEER_DENIED },
        { NULL, "2600::/12", "2610::1", 1, TR_TURN_PEER_ALLOWED },
    };
    check_rows(rows, TR_ARRAY_LEN(rows));
}

TEST(policy_may_be_of_our_own_media_alone)
{
    const char *allow[] = { "198.51.100.0/24" }, *bad;
    struct tr_turn_policy_conf conf = { .allow = allow,
                                        .allow_count = 1,
                                        .private = true,
                                        .media = { tr_addr_v4(8, 8, 4, 4, 7000) },
                                        .media_count = 1 };
    struct tr_turn_policy *p;
    CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_OK);
    CHECK_INT(judge(p, "8.8.4.4", 7000), TR_TURN_PEER_OWN);
    CHECK_INT(judge(p, "8.8.4.4", 7001), TR_TURN_PEER_DENIED);
    CHECK_INT(judge(p, "8.8.8.8", 7000), TR_TURN_PEER_DENIED);
    CHECK_INT(judge(p, "2600::1", 7000), TR_TURN_PEER_DENIED);
    CHECK_INT(judge(p, "198.51.100.7", 7000), TR_TURN_PEER_ALLOWED);
    tr_turn_policy_destroy(p);
}

TEST(policy_refuses_broken_ranges)
{
    static const char *const broken[] = {
        "",           "10.0.0.0/",     "10.0.0.0/33",  "10.0.0/8",    "10.0.0.1/8",  "2600::/129",
        "2600::1/64", "localhost",     "/8",           "10.0.0.0/8 ", "10.0.0.0/-8", "10.0.0.0/+8",
        "010.0.0.0",  "10.0.0.0/0008", "2600::%lo/64", "::/0/0"
    };
    for (size_t i = 0; i < TR_ARRAY_LEN(broken); i++) {
        const char *ranges[] = { "10.0.0.0/8", broken[i] }, *bad = NULL;
        struct tr_turn_policy_conf conf = { .deny = ranges, .deny_count = 2 };
        struct tr_turn_policy *p;
        CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_ERR_BADMSG);
        CHECK(bad == broken[i] && !p && !tr_turn_policy_takes(broken[i]));
        conf = (struct tr_turn_policy_conf){ .allow = ranges, .allow_count = 2 };
        CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_ERR_BADMSG);
    }
    struct tr_turn_policy *p;
    const char *bad;
    struct tr_turn_policy_conf conf = { .own_count = TR_TURN_OWN_MAX + 1 };
    CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_ERR_LIMIT);
    conf = (struct tr_turn_policy_conf){ .allow_count = TR_TURN_RANGES_MAX + 1 };
    CHECK_INT(tr_turn_policy_create(&p, &conf, &bad), TR_ERR_LIMIT);
    tr_turn_policy_destroy(NULL);
}

TEST_OOM(policy_create)
{
    struct tr_turn_policy_conf conf = { 0 };
    struct tr_turn_policy *p;
    const char *bad;
    enum tr_err err = tr_turn_policy_create(&p, &conf, &bad);
    tr_turn_policy_destroy(p);
    return err;
}

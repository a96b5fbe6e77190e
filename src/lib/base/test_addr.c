/* Goal: each address has one form in memory, and its text leads back to it; hostile text is
 * refused. Method: tables of good and bad spellings, then random addresses there and back. */
#include "unit.h"

#include "base/addr.h"
#include "base/assert.h"
#include "base/rng.h"

TEST(addr_text)
{
    static const struct {
        const char *text;
        const char *canonical; /* NULL: refused */
    } rows[] = {
        { "192.0.2.1:5000", "192.0.2.1:5000" },
        { "0.0.0.0:0", "0.0.0.0:0" },
        { "[2001:db8::1]:65535", "[2001:db8::1]:65535" },
        { "[2001:0DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:1" },
        { "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
        { "[::]:9", "[::]:9" },
        { "192.0.2.1:00080", "192.0.2.1:80" },
        { "", NULL },
        { ":", NULL },
        { ":80", NULL },
        { "[", NULL },
        { "[:80", NULL },
        { "[]:80", NULL },
        { "]:80", NULL },
        { "192.0.2.1", NULL },
        { "192.0.2.1:", NULL },
        { "192.0.2.1:65536", NULL },
        { "192.0.2.1:000080", NULL },
        { "192.0.2.1:-1", NULL },
        { "192.0.2.1:+1", NULL },
        { "192.0.2.1: 1", NULL },
        { "192.0.2.1:80x", NULL },
        { "192.0.2:80", NULL },
        { "192.0.2.256:80", NULL },
        { "[192.0.2.1]:80", NULL },
        { "2001:db8::1:80", NULL },
        { "[2001:db8::1]", NULL },
        { "[2001:db8::1%eth0]:80", NULL },
        { "[2001:db8::1]]:80", NULL },
        { "localhost:80", NULL },
        { "[0000000000000000000000000000000000000000000000000000000000000000000000::1]:80", NULL },
    };
    for (size_t i = 0; i < TR_ARRAY_LEN(rows); i++) {
        struct tr_addr a = { .port = 4711 };
        char text[TR_ADDR_STR_MAX];
        enum tr_err err = tr_addr_parse(&a, rows[i].text);
        if (!CHECK(err == (rows[i].canonical ? TR_OK : TR_ERR_BADMSG)))
            unit_note("    for %s", rows[i].text);
        if (err == TR_OK && rows[i].canonical)
            CHECK_STR(tr_addr_str(&a, text), rows[i].canonical);
        if (err != TR_OK)
            CHECK_INT(a.port, 4711); /* left as it was */
    }
}

TEST(addr_ip_text)
{
    struct tr_addr a, b;
    char text[TR_ADDR_STR_MAX];
    CHECK_INT(tr_addr_parse_ip(&a, "::ffff:10.1.2.3", 7), TR_OK);
    b = tr_addr_v4(10, 1, 2, 3, 7);
    CHECK(tr_addr_is_v4(&a) && tr_addr_eq(&a, &b));
    CHECK_STR(tr_addr_ip_str(&a, text), "10.1.2.3");
    CHECK_INT(tr_addr_parse_ip(&a, "10.1.2.3.4", 7), TR_ERR_BADMSG);
    CHECK_INT(tr_addr_parse_ip(&a, "", 7), TR_ERR_BADMSG);
    CHECK_INT(tr_addr_parse_ip(&a, "fe80::1%lo", 7), TR_ERR_BADMSG);
}

TEST(addr_kinds)
{
    static const struct {
        const char *ip;
        bool v4, any, loopback;
    } rows[] = {
        { "0.0.0.0", true, true, false },       { "::", false, true, false },
        { "127.0.0.1", true, false, true },     { "127.9.9.9", true, false, true },
        { "::1", false, false, true },          { "::ffff:127.0.0.1", true, false, true },
        { "192.0.2.1", true, false, false },    { "2001:db8::", false, false, false },
        { "::127.0.0.1", false, false, false },
    };
    for (size_t i = 0; i < TR_ARRAY_LEN(rows); i++) {
        struct tr_addr a;
        CHECK_INT(tr_addr_parse_ip(&a, rows[i].ip, 0), TR_OK);
        CHECK_INT(tr_addr_is_v4(&a), rows[i].v4);
        CHECK_INT(tr_addr_is_any(&a), rows[i].any);
        CHECK_INT(tr_addr_is_loopback(&a), rows[i].loopback);
    }
}

static struct tr_addr random_addr(struct tr_rng *rng)
{
    struct tr_addr a = { .proto = TR_PROTO_UDP };
    uint64_t shape = tr_rng_u64(rng);
    a.port = (uint16_t)tr_rng_u32(rng);
    tr_rng_fill(rng, a.ip, sizeof a.ip);
    if (shape & 1)
        a = tr_addr_v4(a.ip[0], a.ip[1], a.ip[2], a.ip[3], a.port);
    for (size_t i = 0; i < sizeof a.ip; i++) { /* runs of zeros, for the "::" */
        if (shape & 2 && shape >> (8 + i) & 1)
            a.ip[i] = 0;
    }
    return a;
}

TEST(addr_round_trip)
{
    FOR_EACH_SEED (seed, 2000) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct tr_addr a = random_addr(&rng), b;
        char text[TR_ADDR_STR_MAX];
        CHECK_INT(tr_addr_parse(&b, tr_addr_str(&a, text)), TR_OK);
        CHECK(tr_addr_eq(&a, &b));
        CHECK_INT(tr_addr_parse_ip(&b, tr_addr_ip_str(&a, text), a.port), TR_OK);
        CHECK(tr_addr_eq(&a, &b));
        CHECK(tr_addr_hash(&a, seed) == tr_addr_hash(&b, seed));
    }
}

TEST(addr_hash_depends_on_everything)
{
    struct tr_addr a = tr_addr_v4(10, 0, 0, 1, 5000), b = a;
    b.port++;
    CHECK(tr_addr_hash(&a, 1) != tr_addr_hash(&b, 1));
    CHECK(tr_addr_hash(&a, 1) != tr_addr_hash(&a, 2));
    CHECK(!tr_addr_eq(&a, &b) && tr_addr_ip_eq(&a, &b));
    for (size_t i = 0; i < sizeof a.ip; i++) {
        b = a;
        b.ip[i] ^= 1;
        CHECK(tr_addr_hash(&a, 1) != tr_addr_hash(&b, 1));
        CHECK(!tr_addr_eq(&a, &b));
    }
    struct tr_path p = { .local = a, .remote = a }, q = p;
    CHECK(tr_path_eq(&p, &q));
    q.remote.port++;
    CHECK(!tr_path_eq(&p, &q));
}

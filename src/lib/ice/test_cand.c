/* Goal: candidates of browsers and of other stacks are read, ours are printed as RFC 8839 says.
 * Method: lines as they occur, tables of broken ones, print and read back. */
#include "ice/cand.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static enum tr_err parse(const char *line, struct tr_ice_cand *cand)
{
    return tr_ice_cand_parse(cand, tr_slice_str(line));
}

TEST(cand_chrome_srflx)
{
    struct tr_ice_cand c;
    char text[TR_ADDR_STR_MAX];
    CHECK_INT(
        parse("candidate:842163049 1 udp 1677729535 203.0.113.5 46154 typ srflx raddr 10.0.0.17 "
              "rport 46155 generation 0 ufrag EEtu network-cost 999",
              &c),
        TR_OK);
    CHECK_INT(c.type, TR_ICE_SRFLX);
    CHECK_STR(c.foundation, "842163049");
    CHECK_INT(c.priority, 1677729535);
    CHECK_STR(tr_addr_str(&c.addr, text), "203.0.113.5:46154");
    CHECK_STR(tr_addr_str(&c.rel, text), "10.0.0.17:46155");
    CHECK_STR(c.ufrag, "EEtu");
}

TEST(cand_firefox_tcp)
{
    struct tr_ice_cand c;
    CHECK_INT(parse("a=candidate:1 2 TCP 2105524479 2001:db8::1 9 typ host tcptype active\r\n", &c),
              TR_OK);
    CHECK_INT(c.proto, TR_ICE_TCP);
    CHECK_INT(c.tcptype, TR_ICE_TCP_ACTIVE);
    CHECK_INT(c.component, 2);
}

TEST(cand_table)
{
    static const struct {
        const char *line;
        enum tr_err want;
    } table[] = {
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ host", TR_OK },
        { "candidate:1 1 UDP 1 192.0.2.1 5000 typ relay raddr 0.0.0.0 rport 0", TR_OK },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr abc.local rport 9", TR_OK },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ host x-name", TR_OK },
        { "candidate:1 1 udp 1 0ab1c2d3-aaaa-bbbb-cccc-001122334455.local 5000 typ host",
          TR_ERR_UNSUPPORTED },
        { "candidate:1 1 udp 1 host.example.org 5000 typ host", TR_ERR_UNSUPPORTED },
        { "candidate:1 1 sctp 1 192.0.2.1 5000 typ host", TR_ERR_UNSUPPORTED },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ token", TR_ERR_UNSUPPORTED },
        { "candidate:1 1 sctp 1 192.0.2.1 5000 typ", TR_ERR_BADMSG },
        { "", TR_ERR_BADMSG },
        { "candidate:", TR_ERR_BADMSG },
        { "1 1 udp 1 192.0.2.1 5000 typ host", TR_ERR_BADMSG },
        { "candidate: 1 udp 1 192.0.2.1 5000 typ host", TR_ERR_BADMSG },
        { "candidate:1-2 1 udp 1 192.0.2.1 5000 typ host", TR_ERR_BADMSG },
        { "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 5000 typ host",
          TR_ERR_BADMSG },
        { "candidate:1 0 udp 1 192.0.2.1 5000 typ host", TR_ERR_BADMSG },
        { "candidate:1 257 udp 1 192.0.2.1 5000 typ host", TR_ERR_BADMSG },
        { "candidate:1 1 udp 4294967296 192.0.2.1 5000 typ host", TR_ERR_BADMSG },
        { "candidate:1 1 udp -1 192.0.2.1 5000 typ host", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 65536 typ host", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 5000 host", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 5000", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 fe80::1%eth0 5000 typ host", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 -1 typ host", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 5000x typ host", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 99999999999 typ host", TR_ERR_BADMSG },
        { "candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype odd", TR_ERR_BADMSG },
        { "candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype", TR_ERR_BADMSG },
        { "candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype passive2", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ host raddr % rport 1", TR_ERR_BADMSG },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ host raddr 10.0.0.1 rport x", TR_ERR_BADMSG },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tr_ice_cand c;
        if (!CHECK(parse(table[i].line, &c) == table[i].want))
            unit_note("    %s", table[i].line);
    }
}

/* Each is refused whole, whatever stands behind it. */
TEST(cand_hostile_lines)
{
    enum { LONG = 70000 };
    static const struct {
        const char *before, *after; /* of a run of one letter */
        char letter;
    } table[] = {
        { "candidate:", " 1 udp 1 192.0.2.1 5000 typ host", 'a' },
        { "candidate:1 ", " udp 1 192.0.2.1 5000 typ host", '1' },
        { "candidate:1 1 ", " 1 192.0.2.1 5000 typ host", 'u' },
        { "candidate:1 1 udp ", " 192.0.2.1 5000 typ host", '9' },
        { "candidate:1 1 udp 1 ", ".local 5000 typ host", 'a' },
        { "candidate:1 1 udp 1 ", " 5000 typ host", ':' },
        { "candidate:1 1 udp 1 192.0.2.1 ", " typ host", '0' },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ ", "", 'h' },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag ", "", 'u' },
        { "candidate:1 1 udp 1 192.0.2.1 5000 typ host ", "", ' ' },
    };
    static char line[LONG + 100];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tr_ice_cand c;
        size_t n = strlen(table[i].before);
        memcpy(line, table[i].before, n);
        memset(line + n, table[i].letter, LONG);
        snprintf(line + n + LONG, sizeof line - n - LONG, "%s", table[i].after);
        if (!CHECK(parse(line, &c) == TR_ERR_BADMSG))
            unit_note("    line %zu", i);
    }
}

/* What Chromium sends in place of its private addresses; nobody is asked for the name. */
TEST(cand_mdns_names_are_no_addresses)
{
    static const char *const names[] = {
        "4f6ad2a4-3b6a-4b6f-9f0c-0c7f4a0c1d2e.local",
        "A.LOCAL",
        "a.local.",
        "localhost",
        "192.0.2.1.local",
        "2001-db8--1.local",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[200];
        struct tr_ice_cand c = { .component = 77 };
        for (int tcp = 0; tcp < 2; tcp++) {
            snprintf(line, sizeof line, "candidate:1 1 %s 2113937151 %s 54321 typ host%s",
                     tcp ? "tcp" : "udp", names[i], tcp ? " tcptype active" : "");
            if (!CHECK(parse(line, &c) == TR_ERR_UNSUPPORTED))
                unit_note("    %s", line);
            CHECK_INT(c.component, 77); /* nothing was written */
        }
    }
}

TEST(cand_every_truncation_ends)
{
    static const char line[] =
        "a=candidate:1 1 tcp 2105524479 2001:db8::1 9 typ srflx raddr 10.0.0.1 "
        "rport 1 tcptype so ufrag abcd";
    for (size_t n = 0; n < sizeof line; n++) {
        struct tr_ice_cand c;
        enum tr_err err = tr_ice_cand_parse(&c, tr_slice(line, n));
        CHECK(err == TR_OK || err == TR_ERR_BADMSG || err == TR_ERR_UNSUPPORTED);
    }
}

TEST(cand_priorities_of_rfc)
{
    CHECK_INT(tr_ice_priority(TR_ICE_HOST, 65535, 1), 2130706431);
    CHECK_INT(tr_ice_priority(TR_ICE_SRFLX, 65535, 1), 1694498815);
    CHECK_INT(tr_ice_priority(TR_ICE_PRFLX, 65535, 1), 1862270975);
    CHECK_INT(tr_ice_priority(TR_ICE_RELAY, 65535, 256), 16776960);
    CHECK(tr_ice_pair_priority(2, 1) == (1ull << 32) + 5);
    CHECK(tr_ice_pair_priority(1, 2) == (1ull << 32) + 4);
}

TEST(cand_prints_what_it_parses)
{
    struct tr_addr addr = tr_addr_v4(192, 0, 2, 1, 5000), rel;
    CHECK_INT(tr_addr_parse(&rel, "[2001:db8::9]:1234"), TR_OK);
    for (int type = TR_ICE_HOST; type <= TR_ICE_RELAY; type++) {
        char line[TR_ICE_CAND_LINE_MAX], again[TR_ICE_CAND_LINE_MAX];
        struct tr_ice_cand b, a = tr_ice_cand_make((enum tr_ice_cand_type)type, &addr,
                                                   type == TR_ICE_HOST ? NULL : &rel, 65535);
        snprintf(a.ufrag, sizeof a.ufrag, "abcd");
        CHECK_INT(parse(tr_ice_cand_print(&a, line), &b), TR_OK);
        CHECK_STR(tr_ice_cand_print(&b, again), line);
    }
}

TEST(cand_longest_line_fits)
{
    struct tr_ice_cand c = { .type = TR_ICE_SRFLX, .proto = TR_ICE_TCP, .component = 256 };
    char line[TR_ICE_CAND_LINE_MAX];
    struct tr_ice_cand again;
    c.tcptype = TR_ICE_TCP_PASSIVE;
    c.priority = UINT32_MAX;
    memset(c.foundation, 'f', TR_ICE_FOUNDATION_MAX);
    memset(c.ufrag, 'u', TR_ICE_CAND_UFRAG_MAX);
    CHECK_INT(tr_addr_parse(&c.addr, "[2001:db80:1111:2222:3333:4444:5555:6666]:65535"), TR_OK);
    c.rel = c.addr;
    CHECK_INT(parse(tr_ice_cand_print(&c, line), &again), TR_OK);
    CHECK_STR(again.ufrag, c.ufrag);
}

TEST(cand_foundations_differ_where_they_must)
{
    char a[TR_ICE_FOUNDATION_MAX + 1], b[TR_ICE_FOUNDATION_MAX + 1];
    struct tr_addr one = tr_addr_v4(10, 0, 0, 1, 1), port = tr_addr_v4(10, 0, 0, 1, 2);
    struct tr_addr two = tr_addr_v4(10, 0, 0, 2, 1);
    tr_ice_foundation(TR_ICE_HOST, &one, TR_ICE_UDP, NULL, a);
    tr_ice_foundation(TR_ICE_HOST, &port, TR_ICE_UDP, NULL, b);
    CHECK_STR(a, b);
    tr_ice_foundation(TR_ICE_HOST, &two, TR_ICE_UDP, NULL, b);
    CHECK(strcmp(a, b) != 0);
    tr_ice_foundation(TR_ICE_SRFLX, &one, TR_ICE_UDP, NULL, b);
    CHECK(strcmp(a, b) != 0);
    tr_ice_foundation(TR_ICE_HOST, &one, TR_ICE_TCP, NULL, b);
    CHECK(strcmp(a, b) != 0);
    tr_ice_foundation(TR_ICE_HOST, &one, TR_ICE_UDP, &two, b);
    CHECK(strcmp(a, b) != 0);
}

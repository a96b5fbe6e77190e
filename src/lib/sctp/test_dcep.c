/* Goal: DCEP messages are read and written as RFC 8832 lays them out, and nothing else is taken for
 * one. The filter in front of usrsctp lets in what it should and no more.
 * Method: bytes written by hand. */
#include "sctp/dcep.h"
#include "sctp/filter.h"
#include "unit.h"

static struct tr_slice open_of(uint8_t *buf, size_t n, const struct tr_dcep *m)
{
    struct tr_wr w = tr_wr(buf, n);
    tr_dcep_write(&w, m);
    return tr_wr_slice(&w);
}

TEST(dcep_open_as_in_the_rfc)
{
    static const uint8_t wanted[] = { 3, 0x81, 1, 0,   0,   0,   0,   7,   0,
                                      4, 0,    2, 'c', 'h', 'a', 't', 'v', '1' };
    uint8_t buf[TR_DCEP_OPEN_MAX];
    struct tr_dcep m = { .type = TR_DCEP_OPEN,
                         .delivery = { .unordered = true, TR_DCEP_RETRANSMITS, 7 },
                         .priority = 256,
                         .label = tr_slice_str("chat"),
                         .protocol = tr_slice_str("v1") };
    struct tr_slice bytes = open_of(buf, sizeof buf, &m);
    CHECK(tr_slice_eq(bytes, tr_slice(wanted, sizeof wanted)));

    struct tr_dcep back;
    CHECK_INT(tr_dcep_parse(&back, bytes), TR_OK);
    CHECK_INT(back.type, TR_DCEP_OPEN);
    CHECK(tr_dcep_delivery_eq(back.delivery, m.delivery));
    CHECK_INT(back.priority, 256);
    CHECK(tr_slice_eq_str(back.label, "chat"));
    CHECK(tr_slice_eq_str(back.protocol, "v1"));
}

TEST(dcep_reliable_has_no_limit)
{
    static const uint8_t bytes[] = { 3, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0 };
    struct tr_dcep m;
    CHECK_INT(tr_dcep_parse(&m, tr_slice(bytes, sizeof bytes)), TR_OK);
    CHECK_INT(m.delivery.limit, 0);
    CHECK_INT(m.label.n, 0);
}

TEST(dcep_refuses_what_is_broken)
{
    uint8_t good[] = { 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 'l', 'p' };
    struct tr_dcep m;
    CHECK_INT(tr_dcep_parse(&m, tr_slice(good, sizeof good)), TR_OK);
    for (size_t n = 0; n < sizeof good; n++)
        CHECK_INT(tr_dcep_parse(&m, tr_slice(good, n)), TR_ERR_BADMSG);
    static const struct {
        size_t at;
        uint8_t byte;
    } changes[] = { { 0, 1 },  { 0, 4 },  { 1, 3 },     { 1, 0x83 }, { 9, 2 },
                    { 11, 0 }, { 12, 0 }, { 12, 0xff }, { 13, 0xc0 } };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t bad[sizeof good];
        memcpy(bad, good, sizeof good);
        bad[changes[i].at] = changes[i].byte;
        CHECK_INT(tr_dcep_parse(&m, tr_slice(bad, sizeof bad)), TR_ERR_BADMSG);
    }
    CHECK_INT(tr_dcep_parse(&m, tr_slice("\2", 1)), TR_OK);
    CHECK_INT(m.type, TR_DCEP_ACK);
}

TEST(dcep_refuses_long_names)
{
    uint8_t bytes[12 + 256] = { 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 };
    memset(bytes + 12, 'x', 256);
    struct tr_dcep m;
    CHECK_INT(tr_dcep_parse(&m, tr_slice(bytes, sizeof bytes)), TR_ERR_LIMIT);
}

/* --- the filter --- */

static bool passes(const uint8_t *chunks, size_t n)
{
    uint8_t packet[64] = { 0x13, 0x88, 0x13, 0x89 }; /* 5000 to 5001 */
    memcpy(packet + 12, chunks, n);
    return sctp_filter_packet(tr_slice(packet, 12 + n), 5001, 5000);
}

#define PASSES(...)                                                                                \
    passes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define INIT_HEAD 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1

TEST(filter_takes_what_webrtc_needs)
{
    CHECK(PASSES(10, 0, 0, 8, 1, 2, 3, 4));                             /* COOKIE ECHO */
    CHECK(PASSES(11, 0, 0, 4));                                         /* COOKIE ACK */
    CHECK(PASSES(1, 0, 0, 20, INIT_HEAD));                              /* INIT */
    CHECK(PASSES(1, 0, 0, 24, INIT_HEAD, 0xc0, 0, 0, 4));               /* forward TSN supported */
    CHECK(PASSES(1, 0, 0, 25, INIT_HEAD, 0x80, 8, 0, 5, 130, 0, 0, 0)); /* extensions, padded */
    CHECK(PASSES(0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 51, 'x', 0, 0, 0));
    CHECK(PASSES(3, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)); /* SACK */
    CHECK(PASSES(3, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 3));
    CHECK(PASSES(0xc0, 0, 0, 12, 0, 0, 0, 1, 0, 1, 0, 2)); /* FORWARD TSN */
    CHECK(PASSES(11, 0, 0, 4, 14 - 8, 0, 0, 4));           /* bundled: ABORT behind */
}

TEST(filter_refuses_the_rest)
{
    CHECK(!PASSES(0x0f, 0, 0, 8, 0, 0, 0, 0));                        /* AUTH */
    CHECK(!PASSES(0xc1, 0, 0, 8, 0, 0, 0, 0));                        /* ASCONF */
    CHECK(!PASSES(0x81, 0, 0, 8, 0, 0, 0, 0));                        /* PKTDROP */
    CHECK(!PASSES(0x10, 0, 0, 8, 0, 0, 0, 0));                        /* NR-SACK */
    CHECK(!PASSES(10, 0, 0, 3, 1, 2, 3, 4));                          /* shorter than its header */
    CHECK(!PASSES(10, 0, 0, 9, 1, 2, 3, 4));                          /* longer than the packet */
    CHECK(!PASSES(10, 0, 0, 5, 1));                                   /* no padding */
    CHECK(!PASSES(0, 3, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 51)); /* DATA without data */
    CHECK(!PASSES(3, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0));  /* more blocks than bytes */
    CHECK(!PASSES(1, 0, 0, 28, INIT_HEAD, 0, 5, 0, 8, 10, 0, 0, 1));  /* an IPv4 address */
    CHECK(!PASSES(1, 0, 0, 24, INIT_HEAD, 0, 7, 0, 3));               /* a short parameter */
    CHECK(!PASSES(1, 0, 0, 24, INIT_HEAD, 0, 7, 0, 5));               /* a long one */
    CHECK(!PASSES(1, 0, 0, 20, INIT_HEAD, 11, 0, 0, 4));              /* INIT and another */
    CHECK(!PASSES(11, 0, 0, 4, 1, 0, 0, 20, INIT_HEAD));
    CHECK(!PASSES(0xc0, 0, 0, 10, 0, 0, 0, 1, 0, 1, 0, 0));
    CHECK(!sctp_filter_packet(tr_slice(NULL, 0), 5000, 5000));
}

TEST(filter_refuses_other_ports)
{
    uint8_t packet[16] = { 0x13, 0x88, 0x13, 0x89, [12] = 11, [15] = 4 };
    CHECK(sctp_filter_packet(tr_slice(packet, 16), 5001, 5000));
    CHECK(!sctp_filter_packet(tr_slice(packet, 16), 5000, 5000));
    CHECK(!sctp_filter_packet(tr_slice(packet, 16), 5001, 5001));
}

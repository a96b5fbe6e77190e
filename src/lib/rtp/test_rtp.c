/* Goal: RTP headers, the demultiplexing of one port, sequence arithmetic and RTX.
 * Method: a packet with every field, cut at every length; random walks of sequence numbers against
 * a 64-bit count. */
#include "rtp/rtp.h"

#include "rtp/rtx.h"
#include "unit.h"

/* P, X, one CSRC, marker, pt 96; extension of one word; payload "hi" with two bytes of padding */
static const uint8_t full[] = { 0xb1, 0xe0, 0x12, 0x34, 0x00, 0x01, 0x02, 0x03, 0xde, 0xad,
                                0xbe, 0xef, 0x00, 0x00, 0x00, 0x07, 0xbe, 0xde, 0x00, 0x01,
                                0x10, 0xaa, 0x00, 0x00, 'h',  'i',  0x00, 0x02 };

TEST(rtp_header)
{
    struct tr_rtp h;
    struct tr_slice pkt = tr_slice(full, sizeof(full));
    CHECK_INT(tr_rtp_parse(&h, pkt), TR_OK);
    CHECK(h.padding && h.marker && h.has_ext);
    CHECK_INT(h.pt, 96);
    CHECK_INT(h.seq, 0x1234);
    CHECK_INT(h.ts, 0x00010203);
    CHECK_INT(h.ssrc, 0xdeadbeef);
    CHECK_INT(h.csrc_count, 1);
    CHECK_INT(tr_rtp_csrc(pkt, 0), 7);
    CHECK_INT(h.ext_profile, 0xbede);
    CHECK_INT(h.ext.n, 4);
    CHECK_INT(h.hdr_len, 24);
    struct tr_slice payload = tr_slice(full + h.hdr_len, sizeof(full) - h.hdr_len);
    CHECK_INT(tr_rtp_strip_padding(&payload), TR_OK);
    CHECK(tr_slice_eq_str(payload, "hi"));
}

TEST(rtp_every_truncation)
{
    struct tr_rtp h;
    for (size_t n = 0; n <= sizeof(full); n++) {
        uint8_t copy[sizeof(full)];
        memcpy(copy, full, n);
        CHECK_INT(tr_rtp_parse(&h, tr_slice(copy, n)), n >= 24 ? TR_OK : TR_ERR_BADMSG);
    }
    uint8_t v1[12] = { 0x40 };
    CHECK_INT(tr_rtp_parse(&h, tr_slice(v1, sizeof(v1))), TR_ERR_BADMSG);
}

TEST(rtp_padding_counts)
{
    const uint8_t all[] = { 0, 0, 3 }, zero[] = { 1, 0 }, beyond[] = { 1, 3 };
    struct tr_slice s = tr_slice(all, 3);
    CHECK_INT(tr_rtp_strip_padding(&s), TR_OK);
    CHECK_INT(s.n, 0);
    CHECK_INT(tr_rtp_strip_padding(&s), TR_ERR_BADMSG);
    s = tr_slice(zero, 2);
    CHECK_INT(tr_rtp_strip_padding(&s), TR_ERR_BADMSG);
    s = tr_slice(beyond, 2);
    CHECK_INT(tr_rtp_strip_padding(&s), TR_ERR_BADMSG);
    CHECK_INT(s.n, 2);
}

TEST(rtp_put_round_trip)
{
    uint8_t buf[12];
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    struct tr_rtp h;
    tr_rtp_put(&w, true, 111, 65535, 0xfffffffe, 42, false);
    CHECK_INT(tr_rtp_parse(&h, tr_wr_slice(&w)), TR_OK);
    CHECK(h.marker && !h.padding && !h.has_ext);
    CHECK_INT(h.pt, 111);
    CHECK_INT(h.seq, 65535);
    CHECK_INT(h.ts, 0xfffffffe);
    CHECK_INT(h.ssrc, 42);
    w = tr_wr(buf, 11);
    tr_rtp_put(&w, true, 111, 65535, 1, 42, false);
    CHECK(w.bad);
}

TEST(demux_by_first_bytes) /* RFC 7983 section 7, RFC 5761 section 4 */
{
    static const struct {
        uint8_t p[2];
        enum tr_demux want;
    } t[] = {
        { { 0, 1 }, TR_DEMUX_STUN },          { { 3, 0 }, TR_DEMUX_STUN },
        { { 4, 0 }, TR_DEMUX_UNKNOWN },       { { 19, 0 }, TR_DEMUX_UNKNOWN },
        { { 20, 254 }, TR_DEMUX_DTLS },       { { 63, 0 }, TR_DEMUX_DTLS },
        { { 64, 0 }, TR_DEMUX_TURN_CHANNEL }, { { 79, 0 }, TR_DEMUX_TURN_CHANNEL },
        { { 80, 0 }, TR_DEMUX_UNKNOWN },      { { 127, 0 }, TR_DEMUX_UNKNOWN },
        { { 128, 96 }, TR_DEMUX_RTP },        { { 191, 191 }, TR_DEMUX_RTP },
        { { 128, 192 }, TR_DEMUX_RTCP },      { { 128, 200 }, TR_DEMUX_RTCP },
        { { 129, 223 }, TR_DEMUX_RTCP },      { { 128, 224 }, TR_DEMUX_RTP },
        { { 192, 0 }, TR_DEMUX_UNKNOWN },     { { 255, 255 }, TR_DEMUX_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        CHECK_INT(tr_demux(tr_slice(t[i].p, 2)), t[i].want);
    CHECK_INT(tr_demux(tr_slice(full, 1)), TR_DEMUX_UNKNOWN);
    CHECK_INT(tr_demux(tr_slice(NULL, 0)), TR_DEMUX_UNKNOWN);
}

TEST(seq_arithmetic_wraps)
{
    CHECK_INT(tr_seq_diff(0, 65535), 1);
    CHECK_INT(tr_seq_diff(65535, 0), -1);
    CHECK_INT(tr_seq_diff(32768, 0), -32768);
    CHECK(tr_seq_newer(5, 65530) && !tr_seq_newer(65530, 5) && !tr_seq_newer(5, 5));
    CHECK(tr_ts_newer(1, 0xffffffff) && !tr_ts_newer(0xffffffff, 1));

    struct tr_unwrap u = { 0 };
    CHECK_INT(tr_unwrap16(&u, 65534), 65534);
    CHECK_INT(tr_unwrap16(&u, 1), 65537);
    CHECK_INT(tr_unwrap16(&u, 65535), 65535);
    struct tr_unwrap b = { 0 };
    CHECK_INT(tr_unwrap16(&b, 0), 0);
    CHECK_INT(tr_unwrap16(&b, 65535), -1);
    CHECK_INT(tr_unwrap16(&b, 0), 0);
    struct tr_unwrap t = { 0 };
    CHECK_INT(tr_unwrap32(&t, 0xfffffff0), 0xfffffff0ll);
    CHECK_INT(tr_unwrap32(&t, 0x10), 0x100000010ll);
}

TEST(seq_unwrap_follows_any_walk)
{
    FOR_EACH_SEED (seed, 50) {
        struct tr_unwrap u = { 0 };
        int64_t v = 70000 + (int64_t)seed * 1000;
        int64_t base = v - tr_unwrap16(&u, (uint16_t)v);
        uint64_t x = seed * 2654435761u + 1;
        for (int i = 0; i < 2000; i++) {
            x = x * 6364136223846793005ull + 1442695040888963407ull;
            v += (int64_t)(x >> 48) % 40000 - 18000;
            if (v < 0)
                v = 0;
            int64_t got = tr_unwrap16(&u, (uint16_t)v) + base;
            int64_t off =
                got - v; /* a step beyond half a circle may lose a whole circle, no less */
            CHECK(off % 65536 == 0);
        }
    }
}

TEST(rtx_round_trip)
{
    uint8_t buf[64];
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    uint8_t orig[sizeof(full) - 2];
    memcpy(orig, full, sizeof(orig)); /* without its padding */
    orig[0] &= (uint8_t)~0x20;
    CHECK_INT(tr_rtx_wrap(&w, tr_slice(orig, sizeof(orig)), 97, 7, 0x1111), TR_OK);
    struct tr_rtp h;
    CHECK_INT(tr_rtp_parse(&h, tr_wr_slice(&w)), TR_OK);
    CHECK_INT(h.pt, 97);
    CHECK_INT(h.seq, 7);
    CHECK_INT(h.ssrc, 0x1111);
    struct tr_buf b = { buf, tr_wr_len(&w) };
    CHECK_INT(tr_rtx_unwrap(&b, 96, 0xdeadbeef), TR_OK);
    CHECK(tr_slice_eq(tr_slice(b.p, b.n), tr_slice(orig, sizeof(orig))));
    w = tr_wr(buf, sizeof(orig) + 1);
    CHECK_INT(tr_rtx_wrap(&w, tr_slice(orig, sizeof(orig)), 97, 7, 0x1111), TR_ERR_LIMIT);
}

TEST(rtx_padding_and_probes)
{
    /* P bit: OSN 0x0102, payload 'x', padding of three */
    uint8_t padded[] = { 0xa0, 97, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 'x', 0, 0, 3 };
    struct tr_buf b = { padded, sizeof(padded) };
    CHECK_INT(tr_rtx_unwrap(&b, 96, 5), TR_OK);
    CHECK_INT(b.n, 13);
    CHECK_INT(b.p[0], 0x80);
    CHECK_INT(tr_get16(b.p + 2), 0x0102);
    CHECK_INT(b.p[12], 'x');

    uint8_t probe[] = { 0xa0, 97, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 3 };
    b = (struct tr_buf){ probe, sizeof(probe) };
    CHECK_INT(tr_rtx_unwrap(&b, 96, 5), TR_ERR_IGNORED);
    b.n = 12;
    b.p[0] = 0x80;
    CHECK_INT(tr_rtx_unwrap(&b, 96, 5), TR_ERR_IGNORED);
    b.n = 13;
    CHECK_INT(tr_rtx_unwrap(&b, 96, 5), TR_ERR_BADMSG);
    b.n = 11;
    CHECK_INT(tr_rtx_unwrap(&b, 96, 5), TR_ERR_BADMSG);
}

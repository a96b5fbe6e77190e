/* Goal: what we write of RTCP reads back the same, and hostile compounds end without harm.
 * Method: round trips, packets written by hand, sums that would overflow. */
#include "rtp/rtcp.h"

#include "unit.h"

static struct tr_rtcp_pkt first_of(struct tr_slice s)
{
    struct tr_rd it;
    struct tr_rtcp_pkt p = { 0 };
    CHECK_INT(tr_rtcp_iter_init(&it, s), TR_OK);
    CHECK(tr_rtcp_next(&it, &p));
    return p;
}

TEST(rtcp_compound_round_trip)
{
    uint8_t buf[512];
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    struct tr_rtcp_report sr = {
        .ssrc = 1, .ntp = 0x1122334455667788, .rtp_ts = 3, .packets = 4, .octets = 5
    };
    struct tr_rtcp_block blocks[2] = {
        { .ssrc = 9,
          .fraction = 128,
          .lost = -3,
          .ext_seq = 0x10002,
          .jitter = 7,
          .lsr = 8,
          .dlsr = 9 },
        { .ssrc = 10, .fraction = 255, .lost = 0x7fffff },
    };
    uint32_t gone[2] = { 1, 2 };
    tr_rtcp_put_sr(&w, &sr, blocks, 2);
    tr_rtcp_put_sdes(&w, 1, tr_slice_str("a@b"));
    tr_rtcp_put_bye(&w, gone, 2);
    CHECK(!w.bad);

    struct tr_rd it;
    struct tr_rtcp_pkt p;
    struct tr_rtcp_report r;
    struct tr_rtcp_block b;
    CHECK_INT(tr_rtcp_iter_init(&it, tr_wr_slice(&w)), TR_OK);
    CHECK(tr_rtcp_next(&it, &p));
    CHECK_INT(tr_rtcp_report(&p, &r), TR_OK);
    CHECK(r.sender && r.ssrc == 1 && r.ntp == sr.ntp && r.rtp_ts == 3);
    CHECK(r.packets == 4 && r.octets == 5 && r.block_count == 2);
    tr_rtcp_report_block(&r, 0, &b);
    CHECK(b.ssrc == 9 && b.fraction == 128 && b.lost == -3 && b.ext_seq == 0x10002);
    CHECK(b.jitter == 7 && b.lsr == 8 && b.dlsr == 9);
    tr_rtcp_report_block(&r, 1, &b);
    CHECK_INT(b.lost, 0x7fffff);

    uint32_t at = 0;
    struct tr_rtcp_sdes sdes;
    CHECK(tr_rtcp_next(&it, &p));
    CHECK(tr_rtcp_sdes_next(&p, &at, &sdes));
    CHECK_INT(sdes.ssrc, 1);
    CHECK(tr_slice_eq_str(sdes.cname, "a@b"));
    CHECK(!tr_rtcp_sdes_next(&p, &at, &sdes));

    uint32_t ssrcs[TR_RTCP_SSRCS_MAX];
    unsigned n;
    CHECK(tr_rtcp_next(&it, &p));
    CHECK_INT(tr_rtcp_bye(&p, ssrcs, &n), TR_OK);
    CHECK(n == 2 && ssrcs[0] == 1 && ssrcs[1] == 2);
    CHECK(!tr_rtcp_next(&it, &p));

    for (size_t i = 0; i < tr_wr_len(&w); i++) { /* only whole packets are a compound */
        uint8_t copy[512];
        memcpy(copy, buf, i);
        bool whole = i == 76 || i == 76 + 16;
        CHECK_INT(tr_rtcp_iter_init(&it, tr_slice(copy, i)), whole ? TR_OK : TR_ERR_BADMSG);
    }
}

TEST(rtcp_full_rr_and_no_room)
{
    uint8_t buf[8 + 31 * 24];
    struct tr_rtcp_block blocks[TR_RTCP_BLOCKS_MAX] = { { .ssrc = 1 } };
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    struct tr_rtcp_report r;
    tr_rtcp_put_rr(&w, 77, blocks, TR_RTCP_BLOCKS_MAX);
    struct tr_rtcp_pkt p = first_of(tr_wr_slice(&w));
    CHECK_INT(tr_rtcp_report(&p, &r), TR_OK);
    CHECK(!r.sender && r.ssrc == 77 && r.block_count == 31);
    p.body.n--;
    CHECK_INT(tr_rtcp_report(&p, &r), TR_ERR_BADMSG);
    for (size_t n = 0; n < sizeof(buf); n++) {
        w = tr_wr(buf, n);
        tr_rtcp_put_rr(&w, 77, blocks, TR_RTCP_BLOCKS_MAX);
        CHECK(w.bad);
    }
}

TEST(rtcp_padding)
{
    /* An RR with four bytes of padding, and with one (as libwebrtc pads transport-cc). */
    uint8_t p[] = { 0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4 };
    struct tr_rd it;
    CHECK_INT(first_of(tr_slice(p, sizeof(p))).body.n, 4);
    p[11] = 1;
    CHECK_INT(first_of(tr_slice(p, sizeof(p))).body.n, 7);
    p[11] = 0;
    CHECK_INT(tr_rtcp_iter_init(&it, tr_slice(p, sizeof(p))), TR_ERR_BADMSG);
    p[11] = 9;
    CHECK_INT(tr_rtcp_iter_init(&it, tr_slice(p, sizeof(p))), TR_ERR_BADMSG);
    CHECK(!tr_rtcp_next(&it, &(struct tr_rtcp_pkt){ 0 }));
}

TEST(rtcp_nack_round_trip)
{
    static const uint16_t seqs[] = { 65530, 65535, 0, 10, 11, 27, 44, 1000 };
    enum { N = sizeof(seqs) / sizeof(seqs[0]) };
    uint8_t buf[64];
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    tr_rtcp_put_nack(&w, 1, 2, seqs, N);
    CHECK_INT(tr_wr_len(&w), 12 + 4 * 4); /* from 65530, 11, 44 and 1000 on */
    struct tr_rtcp_pkt p = first_of(tr_wr_slice(&w));
    struct tr_rtcp_fb fb;
    struct tr_rtcp_nack_iter it;
    uint16_t seq;
    unsigned n = 0;
    CHECK_INT(p.count, TR_RTPFB_NACK);
    CHECK_INT(tr_rtcp_fb(&p, &fb), TR_OK);
    CHECK(fb.sender == 1 && fb.media == 2);
    tr_rtcp_nack_init(&it, &fb);
    while (tr_rtcp_nack_next(&it, &seq) && n < N)
        CHECK_INT(seq, seqs[n++]);
    CHECK_INT(n, N);
}

TEST(rtcp_keyframe_requests_and_remb)
{
    uint8_t buf[256];
    struct tr_wr w = tr_wr(buf, sizeof(buf));
    const uint32_t ssrcs[] = { 7, 8, 9 };
    tr_rtcp_put_pli(&w, 1, 2);
    tr_rtcp_put_fir(&w, 3, 4, 5);
    tr_rtcp_put_remb(&w, 6, 2500000, ssrcs, 3);
    tr_rtcp_put_remb(&w, 6, UINT64_MAX, ssrcs, 0);

    struct tr_rd it;
    struct tr_rtcp_pkt p;
    struct tr_rtcp_fb fb;
    struct tr_rtcp_remb remb;
    uint32_t ssrc;
    uint8_t nr;
    CHECK_INT(tr_rtcp_iter_init(&it, tr_wr_slice(&w)), TR_OK);
    CHECK(tr_rtcp_next(&it, &p) && p.type == TR_RTCP_PSFB && p.count == TR_PSFB_PLI);
    CHECK_INT(tr_rtcp_fb(&p, &fb), TR_OK);
    CHECK(fb.sender == 1 && fb.media == 2 && fb.fci.n == 0);
    CHECK_INT(tr_rtcp_remb(&fb, &remb), TR_ERR_IGNORED);
    CHECK(tr_rtcp_next(&it, &p) && p.count == TR_PSFB_FIR);
    CHECK_INT(tr_rtcp_fb(&p, &fb), TR_OK);
    CHECK(tr_rtcp_fir(&fb, 0, &ssrc, &nr) && ssrc == 4 && nr == 5);
    CHECK(!tr_rtcp_fir(&fb, 1, &ssrc, &nr));
    CHECK(tr_rtcp_next(&it, &p) && p.count == TR_PSFB_AFB);
    CHECK_INT(tr_rtcp_fb(&p, &fb), TR_OK);
    CHECK_INT(tr_rtcp_remb(&fb, &remb), TR_OK);
    CHECK(remb.bps <= 2500000 && remb.bps > 2499900);
    CHECK_INT(remb.ssrc_count, 3);
    CHECK_INT(tr_get32(remb.ssrcs.p + 8), 9);
    CHECK(tr_rtcp_next(&it, &p));
    CHECK_INT(tr_rtcp_fb(&p, &fb), TR_OK);
    CHECK_INT(tr_rtcp_remb(&fb, &remb), TR_OK);
    CHECK(remb.bps > UINT64_MAX / 2);
}

TEST(rtcp_tmmbr_has_an_entry_for_each_stream)
{
    uint8_t buf[64];
    struct tr_wr w = tr_wr(buf, sizeof buf);
    const uint32_t ssrcs[] = { 7, 8 };
    tr_rtcp_put_tmmbr(&w, 6, 300001, ssrcs, 2);
    struct tr_rd it;
    struct tr_rtcp_pkt p;
    struct tr_rtcp_fb fb;
    CHECK_INT(tr_rtcp_iter_init(&it, tr_wr_slice(&w)), TR_OK);
    CHECK(tr_rtcp_next(&it, &p) && p.type == TR_RTCP_RTPFB && p.count == TR_RTPFB_TMMBR);
    CHECK_INT(tr_rtcp_fb(&p, &fb), TR_OK);
    CHECK(fb.sender == 6 && fb.media == 0 && fb.fci.n == 16);
    CHECK_INT(tr_get32(fb.fci.p), 7);
    CHECK_INT(tr_get32(fb.fci.p + 8), 8);
    uint32_t v = tr_get32(fb.fci.p + 4);
    uint64_t bps = (uint64_t)(v >> 9 & 0x1ffff) << (v >> 26);
    CHECK(bps <= 300001 && bps > 299900);
    CHECK_INT(v & 0x1ff, 40);
}

TEST(rtcp_remb_overflow_is_refused)
{
    const uint8_t fci[] = { 'R', 'E', 'M', 'B', 0, 0xff, 0xff, 0xff };
    struct tr_rtcp_fb fb = { .fci = tr_slice(fci, sizeof(fci)) };
    struct tr_rtcp_remb remb;
    CHECK_INT(tr_rtcp_remb(&fb, &remb), TR_ERR_BADMSG);
}

TEST(rtcp_sdes_hostile)
{
    /* no end mark; a text beyond the end; two chunks of which one has no CNAME */
    uint8_t open[] = { 0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 'a', 'b' };
    uint8_t beyond[] = { 0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, 'a', 0 };
    uint8_t two[] = { 0x82, 202, 0, 4, 0, 0, 0, 1, 2, 1, 'n', 0, 0, 0, 0, 2, 1, 0, 0, 0 };
    struct tr_rtcp_sdes s;
    uint32_t at = 0;
    struct tr_rtcp_pkt p = first_of(tr_slice(open, sizeof(open)));
    CHECK(!tr_rtcp_sdes_next(&p, &at, &s));
    at = 0;
    p = first_of(tr_slice(beyond, sizeof(beyond)));
    CHECK(!tr_rtcp_sdes_next(&p, &at, &s));
    at = 0;
    p = first_of(tr_slice(two, sizeof(two)));
    CHECK(tr_rtcp_sdes_next(&p, &at, &s) && s.ssrc == 1 && s.cname.n == 0);
    CHECK(tr_rtcp_sdes_next(&p, &at, &s) && s.ssrc == 2 && s.cname.n == 0);
    CHECK(!tr_rtcp_sdes_next(&p, &at, &s));
}

TEST(rtcp_rtt)
{
    tr_ntp sent = tr_ntp_from_unix_us(1700000000000000);
    tr_ntp back = tr_ntp_from_unix_us(1700000000000000 + 350000);
    struct tr_rtcp_block b = { .lsr = tr_ntp_middle(sent), .dlsr = 65536 / 4 };
    tr_usec rtt = tr_rtcp_rtt(&b, back);
    CHECK(rtt > 99900 && rtt < 100100);
    b.dlsr = 65536;
    CHECK_INT(tr_rtcp_rtt(&b, back), -1);
    b.lsr = 0;
    CHECK_INT(tr_rtcp_rtt(&b, back), -1);
}

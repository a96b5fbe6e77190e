/* The first byte chooses: even, the rest is a compound packet for all readers; odd, it is a script
 * of arrivals (three bytes each: step of time, step of sequence number) for the reception and
 * transport-cc state machines, whose feedback our reader must accept. */
#include "base/assert.h"
#include "rtp/recv.h"
#include "rtp/rtcp.h"
#include "rtp/twcc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tr_twcc_item items[65535];

static void read_feedback(const struct tr_rtcp_pkt *pkt)
{
    struct tr_rtcp_fb fb;
    struct tr_rtcp_nack_iter it;
    struct tr_rtcp_remb remb;
    struct tr_twcc_fb twcc;
    uint16_t seq;
    uint32_t ssrc;
    uint8_t nr;
    if (tr_rtcp_fb(pkt, &fb) != TR_OK)
        return;
    tr_rtcp_nack_init(&it, &fb);
    while (tr_rtcp_nack_next(&it, &seq))
        ;
    for (unsigned i = 0; tr_rtcp_fir(&fb, i, &ssrc, &nr); i++)
        ;
    if (tr_rtcp_remb(&fb, &remb) == TR_OK && remb.ssrc_count > 0)
        (void)tr_get32(remb.ssrcs.p + 4u * (remb.ssrc_count - 1u));
    if (tr_twcc_read(&fb, &twcc, items, 65535) == TR_OK)
        TR_ASSERT(items[twcc.count - 1].seq == (uint16_t)(twcc.base_seq + twcc.count - 1));
}

static void read_compound(struct tr_slice s)
{
    struct tr_rd it;
    struct tr_rtcp_pkt pkt;
    struct tr_rtcp_report report;
    struct tr_rtcp_block block;
    struct tr_rtcp_sdes sdes;
    uint32_t ssrcs[TR_RTCP_SSRCS_MAX];
    unsigned n;
    if (tr_rtcp_iter_init(&it, s) != TR_OK)
        return;
    while (tr_rtcp_next(&it, &pkt)) {
        if (tr_rtcp_report(&pkt, &report) == TR_OK) {
            for (unsigned i = 0; i < report.block_count; i++) {
                tr_rtcp_report_block(&report, i, &block);
                (void)tr_rtcp_rtt(&block, report.ntp);
            }
        }
        for (uint32_t at = 0; tr_rtcp_sdes_next(&pkt, &at, &sdes);)
            ;
        (void)!tr_rtcp_bye(&pkt, ssrcs, &n);
        read_feedback(&pkt);
    }
    TR_ASSERT(!it.bad); /* what init let pass must be walkable to its end */
}

static void flush_twcc(struct tr_twcc_recv *r)
{
    uint8_t buf[TR_TWCC_BYTES_MAX];
    for (;;) {
        struct tr_wr w = tr_wr(buf, sizeof(buf));
        if (!tr_twcc_recv_build(r, &w, 1, 2))
            break;
        struct tr_rd it;
        struct tr_rtcp_pkt pkt;
        struct tr_rtcp_fb fb;
        struct tr_twcc_fb twcc;
        TR_ASSERT(tr_rtcp_iter_init(&it, tr_wr_slice(&w)) == TR_OK && tr_rtcp_next(&it, &pkt));
        TR_ASSERT(tr_rtcp_fb(&pkt, &fb) == TR_OK);
        TR_ASSERT(tr_twcc_read(&fb, &twcc, items, 65535) == TR_OK);
    }
    TR_ASSERT(tr_twcc_recv_next_timeout(r) == TR_NEVER);
}

static void run_script(struct tr_rd rd)
{
    static struct tr_twcc_recv twcc;
    static struct tr_nack nack;
    struct tr_rtp_recv recv;
    struct tr_rtcp_block block;
    uint16_t out[64], seq = 65000;
    tr_usec now = TR_SECOND;
    tr_twcc_recv_init(&twcc, 100 * TR_MSEC);
    tr_rtp_recv_init(&recv, 90000, &nack);
    while (tr_rd_left(&rd) >= 3) {
        uint8_t step = tr_rd_u8(&rd);
        now += (tr_usec)(step & 0x3f) * (step & 0x40 ? 97 * TR_MSEC : 331);
        uint16_t move = tr_rd_u16(&rd);
        seq = (uint16_t)(seq + (move & 0x8000 ? (int16_t)(move << 1) : (int8_t)move));
        tr_twcc_recv_packet(&twcc, now, seq);
        (void)tr_rtp_recv_packet(&recv, now, seq, (uint32_t)now, (step & 0x80) != 0);
        if (now >= tr_twcc_recv_next_timeout(&twcc))
            flush_twcc(&twcc);
        if (now >= tr_rtp_recv_next_timeout(&recv)) {
            TR_ASSERT(tr_rtp_recv_nacks(&recv, now, 30 * TR_MSEC, out, 64) <= 64);
            TR_ASSERT(nack.count <= TR_NACK_MAX);
            for (uint32_t i = 1; i < nack.count; i++)
                TR_ASSERT(nack.entries[i - 1].seq < nack.entries[i].seq);
        }
        if (step == 0)
            (void)tr_rtp_recv_report(&recv, now, 1, NULL, &block);
    }
    flush_twcc(&twcc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        run_script(tr_rd(tr_slice(data + 1, size - 1)));
    else
        read_compound(tr_slice(data + 1, size - 1));
    return 0;
}

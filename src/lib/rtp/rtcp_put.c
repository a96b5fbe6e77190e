/* Writing. Each packet leaves room for its header, writes its body, and fills the header in when
 * the length is known. All bodies come out in whole words. */
#include "base/assert.h"
#include "rtp/rtcp.h"

enum {
    HDR = 4,
    TMMBR_OVERHEAD = 20 + 8 + 12, /* IPv4, UDP and RTP headers, which its rate counts */
};

static uint8_t *begin(struct tr_wr *w)
{
    return tr_wr_skip(w, HDR);
}

static void finish(struct tr_wr *w, uint8_t *h, unsigned type, unsigned count)
{
    if (w->bad)
        return;
    size_t words = (size_t)(w->p - h) / 4 - 1;
    h[0] = (uint8_t)(0x80 | count);
    h[1] = (uint8_t)type;
    tr_put16(h + 2, (uint16_t)words);
}

static void put_blocks(struct tr_wr *w, const struct tr_rtcp_block *blocks, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct tr_rtcp_block *b = &blocks[i];
        tr_wr_u32(w, b->ssrc);
        tr_wr_u8(w, b->fraction);
        tr_wr_u24(w, (uint32_t)b->lost & 0xffffff);
        tr_wr_u32(w, b->ext_seq);
        tr_wr_u32(w, b->jitter);
        tr_wr_u32(w, b->lsr);
        tr_wr_u32(w, b->dlsr);
    }
}

void tr_rtcp_put_sr(struct tr_wr *w, const struct tr_rtcp_report *sr,
                    const struct tr_rtcp_block *blocks, unsigned n)
{
    TR_ASSERT(n <= TR_RTCP_BLOCKS_MAX);
    uint8_t *h = begin(w);
    tr_wr_u32(w, sr->ssrc);
    tr_wr_u64(w, sr->ntp);
    tr_wr_u32(w, sr->rtp_ts);
    tr_wr_u32(w, sr->packets);
    tr_wr_u32(w, sr->octets);
    put_blocks(w, blocks, n);
    finish(w, h, TR_RTCP_SR, n);
}

void tr_rtcp_put_rr(struct tr_wr *w, uint32_t ssrc, const struct tr_rtcp_block *blocks, unsigned n)
{
    TR_ASSERT(n <= TR_RTCP_BLOCKS_MAX);
    uint8_t *h = begin(w);
    tr_wr_u32(w, ssrc);
    put_blocks(w, blocks, n);
    finish(w, h, TR_RTCP_RR, n);
}

void tr_rtcp_put_sdes(struct tr_wr *w, uint32_t ssrc, struct tr_slice cname)
{
    TR_ASSERT(cname.n <= TR_RTCP_CNAME_MAX);
    uint8_t *h = begin(w);
    tr_wr_u32(w, ssrc);
    tr_wr_u8(w, 1); /* CNAME */
    tr_wr_u8(w, (uint8_t)cname.n);
    tr_wr_bytes(w, cname.p, cname.n);
    tr_wr_zero(w, 4 - (cname.n + 2) % 4); /* the end mark and up to three more */
    finish(w, h, TR_RTCP_SDES, 1);
}

void tr_rtcp_put_bye(struct tr_wr *w, const uint32_t *ssrcs, unsigned n)
{
    TR_ASSERT(n <= TR_RTCP_SSRCS_MAX);
    uint8_t *h = begin(w);
    for (unsigned i = 0; i < n; i++)
        tr_wr_u32(w, ssrcs[i]);
    finish(w, h, TR_RTCP_BYE, n);
}

void tr_rtcp_put_nack(struct tr_wr *w, uint32_t sender, uint32_t media, const uint16_t *seqs,
                      unsigned n)
{
    TR_ASSERT(n > 0);
    uint8_t *h = begin(w);
    tr_wr_u32(w, sender);
    tr_wr_u32(w, media);
    for (unsigned i = 0; i < n;) {
        uint16_t pid = seqs[i++];
        uint32_t blp = 0;
        for (; i < n; i++) {
            uint16_t d = (uint16_t)(seqs[i] - pid - 1);
            if (d > 15)
                break;
            blp |= 1u << d;
        }
        tr_wr_u16(w, pid);
        tr_wr_u16(w, (uint16_t)blp);
    }
    finish(w, h, TR_RTCP_RTPFB, TR_RTPFB_NACK);
}

void tr_rtcp_put_pli(struct tr_wr *w, uint32_t sender, uint32_t media)
{
    uint8_t *h = begin(w);
    tr_wr_u32(w, sender);
    tr_wr_u32(w, media);
    finish(w, h, TR_RTCP_PSFB, TR_PSFB_PLI);
}

void tr_rtcp_put_fir(struct tr_wr *w, uint32_t sender, uint32_t media, uint8_t seq_nr)
{
    uint8_t *h = begin(w);
    tr_wr_u32(w, sender);
    tr_wr_u32(w, 0); /* RFC 5104 section 4.3.1.2: the media source is in the entry */
    tr_wr_u32(w, media);
    tr_wr_u8(w, seq_nr);
    tr_wr_zero(w, 3);
    finish(w, h, TR_RTCP_PSFB, TR_PSFB_FIR);
}

/* The exponent with which a rate fits a mantissa; what is cut makes it less, never more. */
static unsigned exponent(uint64_t bps, uint64_t mantissa_max)
{
    unsigned exp = 0;
    while (bps >> exp > mantissa_max)
        exp++;
    return exp;
}

void tr_rtcp_put_tmmbr(struct tr_wr *w, uint32_t sender, uint64_t bps, const uint32_t *ssrcs,
                       unsigned n)
{
    TR_ASSERT(n <= TR_RTCP_SSRCS_MAX);
    unsigned exp = exponent(bps, 0x1ffff);
    uint8_t *h = begin(w);
    tr_wr_u32(w, sender);
    tr_wr_u32(w, 0); /* the media sources are in the entries */
    for (unsigned i = 0; i < n; i++) {
        tr_wr_u32(w, ssrcs[i]);
        tr_wr_u32(w, (uint32_t)exp << 26 | (uint32_t)(bps >> exp) << 9 | TMMBR_OVERHEAD);
    }
    finish(w, h, TR_RTCP_RTPFB, TR_RTPFB_TMMBR);
}

void tr_rtcp_put_remb(struct tr_wr *w, uint32_t sender, uint64_t bps, const uint32_t *ssrcs,
                      unsigned n)
{
    TR_ASSERT(n <= TR_RTCP_SSRCS_MAX);
    unsigned exp = exponent(bps, 0x3ffff);
    uint8_t *h = begin(w);
    tr_wr_u32(w, sender);
    tr_wr_u32(w, 0);
    tr_wr_str(w, "REMB");
    tr_wr_u8(w, (uint8_t)n);
    tr_wr_u24(w, (uint32_t)exp << 18 | (uint32_t)(bps >> exp));
    for (unsigned i = 0; i < n; i++)
        tr_wr_u32(w, ssrcs[i]);
    finish(w, h, TR_RTCP_PSFB, TR_PSFB_AFB);
}

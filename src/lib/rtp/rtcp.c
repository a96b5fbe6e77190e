/* Reading. The whole compound packet is checked once, at the start: then the walk cannot fail, and
 * each reader has to check only its own packet's inside. */
#include "rtp/rtcp.h"

enum {
    HDR = 4,
    BLOCK = 24,
    SENDER_INFO = 20,
    FB_HDR = 8,
    SDES_CNAME = 1,
    NACK_ENTRY = 4,
    FIR_ENTRY = 8
};

enum tr_err tr_rtcp_iter_init(struct tr_rd *it, struct tr_slice pkt)
{
    struct tr_rd rd = tr_rd(pkt);
    *it = tr_rd(tr_slice(NULL, 0));
    if (pkt.n < HDR)
        return TR_ERR_BADMSG;
    while (tr_rd_left(&rd) > 0) {
        uint32_t h = tr_rd_u32(&rd);
        struct tr_slice body = tr_rd_take(&rd, 4u * (h & 0xffff));
        if (rd.bad || h >> 30 != 2)
            return TR_ERR_BADMSG;
        if (!(h >> 29 & 1))
            continue;
        /* RFC 3550 has padding on the last packet only and in whole words; but libwebrtc pads
         * transport-cc feedback by one to three bytes wherever it stands in a compound. */
        if (body.n == 0)
            return TR_ERR_BADMSG;
        uint8_t n = body.p[body.n - 1];
        if (n == 0 || n > body.n)
            return TR_ERR_BADMSG;
    }
    *it = tr_rd(pkt);
    return TR_OK;
}

bool tr_rtcp_next(struct tr_rd *it, struct tr_rtcp_pkt *out)
{
    if (it->bad || tr_rd_left(it) == 0)
        return false;
    uint32_t h = tr_rd_u32(it);
    *out = (struct tr_rtcp_pkt){ .type = (uint8_t)(h >> 16), .count = h >> 24 & 0x1f };
    out->body = tr_rd_take(it, 4u * (h & 0xffff));
    if (h >> 29 & 1 && out->body.n > 0)
        out->body.n -= out->body.p[out->body.n - 1];
    return !it->bad;
}

enum tr_err tr_rtcp_report(const struct tr_rtcp_pkt *pkt, struct tr_rtcp_report *out)
{
    struct tr_rd rd = tr_rd(pkt->body);
    *out = (struct tr_rtcp_report){ .sender = pkt->type == TR_RTCP_SR, .block_count = pkt->count };
    out->ssrc = tr_rd_u32(&rd);
    if (out->sender) {
        out->ntp = tr_rd_u64(&rd);
        out->rtp_ts = tr_rd_u32(&rd);
        out->packets = tr_rd_u32(&rd);
        out->octets = tr_rd_u32(&rd);
    }
    out->blocks = tr_rd_take(&rd, (size_t)BLOCK * pkt->count);
    if (rd.bad || (pkt->type != TR_RTCP_SR && pkt->type != TR_RTCP_RR))
        return TR_ERR_BADMSG;
    return TR_OK;
}

void tr_rtcp_report_block(const struct tr_rtcp_report *report, unsigned i,
                          struct tr_rtcp_block *out)
{
    struct tr_rd rd = tr_rd(tr_slice(report->blocks.p + (size_t)BLOCK * i, BLOCK));
    out->ssrc = tr_rd_u32(&rd);
    out->fraction = tr_rd_u8(&rd);
    uint32_t lost = tr_rd_u24(&rd);
    out->lost = (int32_t)(lost ^ 0x800000) - 0x800000; /* sign of 24 bits */
    out->ext_seq = tr_rd_u32(&rd);
    out->jitter = tr_rd_u32(&rd);
    out->lsr = tr_rd_u32(&rd);
    out->dlsr = tr_rd_u32(&rd);
}

tr_usec tr_rtcp_rtt(const struct tr_rtcp_block *block, tr_ntp now_ntp)
{
    if (block->lsr == 0)
        return -1;
    /* In 1/65536 s on a circle of 18 hours; the upper half is a reply from the future. */
    uint32_t rtt = tr_ntp_middle(now_ntp) - block->lsr - block->dlsr;
    if (rtt > UINT32_MAX / 2)
        return UINT32_MAX - rtt < 65536 / 100 ? 0 : -1; /* rounding on a fast link */
    return (tr_usec)((uint64_t)rtt * (uint64_t)TR_SECOND >> 16);
}

/* Items of one chunk up to its end mark; false where they run out of the packet. */
static bool read_chunk(struct tr_rd *rd, const uint8_t *start, struct tr_rtcp_sdes *out)
{
    out->ssrc = tr_rd_u32(rd);
    for (;;) {
        uint8_t type = tr_rd_u8(rd);
        if (type == 0)
            break;
        struct tr_slice text = tr_rd_take(rd, tr_rd_u8(rd));
        if (type == SDES_CNAME)
            out->cname = text;
    }
    size_t used = (size_t)(rd->p - start);
    (void)tr_rd_take(rd, (4 - used % 4) % 4);
    return !rd->bad;
}

bool tr_rtcp_sdes_next(const struct tr_rtcp_pkt *pkt, uint32_t *at, struct tr_rtcp_sdes *out)
{
    if (pkt->type != TR_RTCP_SDES || *at >= pkt->body.n)
        return false;
    struct tr_rd rd = tr_rd(pkt->body);
    (void)tr_rd_take(&rd, *at);
    *out = (struct tr_rtcp_sdes){ 0 };
    if (!read_chunk(&rd, rd.p, out)) {
        *at = (uint32_t)pkt->body.n;
        return false;
    }
    *at = (uint32_t)(rd.p - pkt->body.p);
    return true;
}

enum tr_err tr_rtcp_bye(const struct tr_rtcp_pkt *pkt, uint32_t out[TR_RTCP_SSRCS_MAX], unsigned *n)
{
    struct tr_rd rd = tr_rd(pkt->body);
    *n = 0;
    if (pkt->type != TR_RTCP_BYE || tr_rd_left(&rd) < 4u * pkt->count)
        return TR_ERR_BADMSG;
    while (*n < pkt->count)
        out[(*n)++] = tr_rd_u32(&rd);
    return TR_OK;
}

enum tr_err tr_rtcp_fb(const struct tr_rtcp_pkt *pkt, struct tr_rtcp_fb *out)
{
    if ((pkt->type != TR_RTCP_RTPFB && pkt->type != TR_RTCP_PSFB) || pkt->body.n < FB_HDR)
        return TR_ERR_BADMSG;
    out->sender = tr_get32(pkt->body.p);
    out->media = tr_get32(pkt->body.p + 4);
    out->fci = tr_slice(pkt->body.p + FB_HDR, pkt->body.n - FB_HDR);
    return TR_OK;
}

void tr_rtcp_nack_init(struct tr_rtcp_nack_iter *it, const struct tr_rtcp_fb *fb)
{
    *it = (struct tr_rtcp_nack_iter){ .fci = fb->fci };
}

bool tr_rtcp_nack_next(struct tr_rtcp_nack_iter *it, uint16_t *seq)
{
    if (it->bits == 0) {
        if (it->fci.n < NACK_ENTRY)
            return false;
        it->pid = tr_get16(it->fci.p);
        it->bits = 1u | (uint32_t)tr_get16(it->fci.p + 2) << 1;
        it->fci = tr_slice(it->fci.p + NACK_ENTRY, it->fci.n - NACK_ENTRY);
    }
    *seq = (uint16_t)(it->pid + __builtin_ctz(it->bits));
    it->bits &= it->bits - 1;
    return true;
}

bool tr_rtcp_fir(const struct tr_rtcp_fb *fb, unsigned i, uint32_t *ssrc, uint8_t *seq_nr)
{
    if (i >= fb->fci.n / FIR_ENTRY)
        return false;
    *ssrc = tr_get32(fb->fci.p + (size_t)FIR_ENTRY * i);
    *seq_nr = fb->fci.p[(size_t)FIR_ENTRY * i + 4];
    return true;
}

enum tr_err tr_rtcp_remb(const struct tr_rtcp_fb *fb, struct tr_rtcp_remb *out)
{
    struct tr_rd rd = tr_rd(fb->fci);
    if (tr_rd_u32(&rd) != 0x52454d42) /* "REMB" */
        return TR_ERR_IGNORED;
    uint32_t v = tr_rd_u32(&rd);
    out->ssrc_count = (uint8_t)(v >> 24);
    unsigned exp = v >> 18 & 0x3f;
    uint64_t mantissa = v & 0x3ffff;
    out->ssrcs = tr_rd_take(&rd, 4u * out->ssrc_count);
    if (rd.bad || (mantissa << exp) >> exp != mantissa)
        return TR_ERR_BADMSG;
    out->bps = mantissa << exp;
    return TR_OK;
}

/* Parsing reads each length once and compares it with what is left before anything behind it is
 * touched. The payload is never looked at: under SRTP it is ciphertext when the header is read. */
#include "rtp/rtp.h"

enum { VERSION_2 = 0x80, VERSION_MASK = 0xc0, EXT_HDR = 4 };

/* RFC 5761 section 4: with the marker bit, RTCP's types are the payload types 64-95, which are kept
 * free of RTP. */
static bool is_rtcp_type(uint8_t b)
{
    return b >= 192 && b <= 223;
}

enum tr_demux tr_demux(struct tr_slice pkt)
{
    if (pkt.n < 2)
        return TR_DEMUX_UNKNOWN;
    uint8_t b = pkt.p[0];
    if (b >= 128 && b <= 191)
        return is_rtcp_type(pkt.p[1]) ? TR_DEMUX_RTCP : TR_DEMUX_RTP;
    if (b <= 3)
        return TR_DEMUX_STUN;
    if (b >= 20 && b <= 63)
        return TR_DEMUX_DTLS;
    if (b >= 64 && b <= 79)
        return TR_DEMUX_TURN_CHANNEL;
    return TR_DEMUX_UNKNOWN;
}

enum tr_err tr_rtp_parse(struct tr_rtp *out, struct tr_slice pkt)
{
    if (pkt.n < TR_RTP_HDR_MIN || (pkt.p[0] & VERSION_MASK) != VERSION_2)
        return TR_ERR_BADMSG;
    const uint8_t *p = pkt.p;
    *out = (struct tr_rtp){
        .padding = (p[0] & 0x20) != 0,
        .has_ext = (p[0] & 0x10) != 0,
        .csrc_count = p[0] & 0x0f,
        .marker = (p[1] & 0x80) != 0,
        .pt = p[1] & 0x7f,
        .seq = tr_get16(p + 2),
        .ts = tr_get32(p + 4),
        .ssrc = tr_get32(p + 8),
    };
    size_t hdr = TR_RTP_HDR_MIN + 4u * out->csrc_count;
    if (pkt.n < hdr)
        return TR_ERR_BADMSG;
    if (out->has_ext) {
        if (pkt.n - hdr < EXT_HDR)
            return TR_ERR_BADMSG;
        size_t n = 4u * tr_get16(p + hdr + 2);
        if (pkt.n - hdr - EXT_HDR < n)
            return TR_ERR_BADMSG;
        out->ext_profile = tr_get16(p + hdr);
        out->ext = tr_slice(p + hdr + EXT_HDR, n);
        hdr += EXT_HDR + n;
    }
    out->hdr_len = (uint32_t)hdr;
    return TR_OK;
}

enum tr_err tr_rtp_strip_padding(struct tr_slice *payload)
{
    if (payload->n == 0)
        return TR_ERR_BADMSG;
    uint8_t n = payload->p[payload->n - 1];
    if (n == 0 || n > payload->n)
        return TR_ERR_BADMSG;
    payload->n -= n;
    return TR_OK;
}

uint32_t tr_rtp_csrc(struct tr_slice pkt, unsigned i)
{
    return tr_get32(pkt.p + TR_RTP_HDR_MIN + 4u * i);
}

void tr_rtp_put(struct tr_wr *w, bool marker, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc,
                bool x)
{
    uint8_t *p = tr_wr_skip(w, TR_RTP_HDR_MIN);
    if (!p)
        return;
    p[0] = (uint8_t)(VERSION_2 | (x ? 0x10 : 0));
    p[1] = (uint8_t)((marker ? 0x80 : 0) | (pt & 0x7f));
    tr_put16(p + 2, seq);
    tr_put32(p + 4, ts);
    tr_put32(p + 8, ssrc);
}

int64_t tr_unwrap16(struct tr_unwrap *u, uint16_t seq)
{
    u->last = u->started ? u->last + tr_seq_diff(seq, (uint16_t)u->last) : seq;
    u->started = true;
    return u->last;
}

int64_t tr_unwrap32(struct tr_unwrap *u, uint32_t ts)
{
    u->last = u->started ? u->last + tr_ts_diff(ts, (uint32_t)u->last) : ts;
    u->started = true;
    return u->last;
}

/* A retransmission is the original with two bytes, its sequence number, between header and payload.
 * Taking them out by moving the header (some 20 bytes) instead of the payload keeps it cheap. */
#include "rtp/rtx.h"

#include "rtp/rtp.h"

enum { OSN = 2 };

enum tr_err tr_rtx_unwrap(struct tr_buf *pkt, uint8_t pt, uint32_t ssrc)
{
    struct tr_rtp h;
    if (tr_rtp_parse(&h, tr_slice(pkt->p, pkt->n)) != TR_OK)
        return TR_ERR_BADMSG;
    struct tr_slice payload = tr_slice(pkt->p + h.hdr_len, pkt->n - h.hdr_len);
    if (h.padding && tr_rtp_strip_padding(&payload) != TR_OK)
        return TR_ERR_BADMSG;
    if (payload.n == 0)
        return TR_ERR_IGNORED;
    if (payload.n < OSN)
        return TR_ERR_BADMSG;
    if (payload.n == OSN)
        return TR_ERR_IGNORED; /* the repetition of a packet of padding */
    uint16_t osn = tr_get16(payload.p);
    memmove(pkt->p + OSN, pkt->p, h.hdr_len);
    pkt->p += OSN;
    pkt->n = h.hdr_len + payload.n - OSN;
    pkt->p[0] = (uint8_t)(pkt->p[0] & ~0x20);
    pkt->p[1] = (uint8_t)((h.marker ? 0x80 : 0) | (pt & 0x7f));
    tr_put16(pkt->p + 2, osn);
    tr_put32(pkt->p + 8, ssrc);
    return TR_OK;
}

enum tr_err tr_rtx_wrap(struct tr_wr *w, struct tr_slice orig, uint8_t pt, uint16_t seq,
                        uint32_t ssrc)
{
    struct tr_rtp h;
    if (tr_rtp_parse(&h, orig) != TR_OK)
        return TR_ERR_BADMSG;
    uint8_t *p = tr_wr_skip(w, orig.n + OSN);
    if (!p)
        return TR_ERR_LIMIT;
    memcpy(p, orig.p, h.hdr_len);
    p[1] = (uint8_t)((h.marker ? 0x80 : 0) | (pt & 0x7f));
    tr_put16(p + 2, seq);
    tr_put32(p + 8, ssrc);
    tr_put16(p + h.hdr_len, h.seq);
    memcpy(p + h.hdr_len + OSN, orig.p + h.hdr_len, orig.n - h.hdr_len);
    return TR_OK;
}

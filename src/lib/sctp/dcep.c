/* DATA_CHANNEL_OPEN and DATA_CHANNEL_ACK, as bytes and back (RFC 8832 section 5). */
#include "sctp/dcep.h"

#include "base/utf8.h"

enum { UNORDERED = 0x80 };

static bool is_name(struct tr_slice name)
{
    return (name.n == 0 || !memchr(name.p, 0, name.n)) && tr_utf8_valid(name);
}

static enum tr_err parse_open(struct tr_dcep *out, struct tr_rd *r)
{
    uint8_t type = tr_rd_u8(r);
    out->priority = tr_rd_u16(r);
    uint32_t limit = tr_rd_u32(r);
    uint16_t label = tr_rd_u16(r);
    uint16_t protocol = tr_rd_u16(r);
    out->label = tr_rd_take(r, label);
    out->protocol = tr_rd_take(r, protocol);
    if (r->bad || tr_rd_left(r) > 0 || (type & ~UNORDERED) > TR_DCEP_LIFETIME)
        return TR_ERR_BADMSG;
    if (!is_name(out->label) || !is_name(out->protocol))
        return TR_ERR_BADMSG;
    out->delivery = (struct tr_dcep_delivery){
        .unordered = (type & UNORDERED) != 0,
        .reliability = (enum tr_dcep_reliability)(type & ~UNORDERED),
    };
    /*= rfc8832#5.1 */
    /*# For reliable data channels, this field MUST be set to 0 on the sending side and MUST be
     *# ignored on the receiving side. */
    if (out->delivery.reliability != TR_DCEP_RELIABLE)
        out->delivery.limit = limit;
    return label > TR_DCEP_NAME_MAX || protocol > TR_DCEP_NAME_MAX ? TR_ERR_LIMIT : TR_OK;
}

enum tr_err tr_dcep_parse(struct tr_dcep *out, struct tr_slice message)
{
    struct tr_rd r = tr_rd(message);
    uint8_t type = tr_rd_u8(&r);
    *out = (struct tr_dcep){ .type = type == TR_DCEP_OPEN ? TR_DCEP_OPEN : TR_DCEP_ACK };
    if (r.bad || (type != TR_DCEP_OPEN && type != TR_DCEP_ACK))
        return TR_ERR_BADMSG;
    return type == TR_DCEP_OPEN ? parse_open(out, &r) : TR_OK;
}

void tr_dcep_write(struct tr_wr *w, const struct tr_dcep *m)
{
    tr_wr_u8(w, (uint8_t)m->type);
    if (m->type == TR_DCEP_ACK)
        return;
    tr_wr_u8(
        w, (uint8_t)((unsigned)m->delivery.reliability | (m->delivery.unordered ? UNORDERED : 0u)));
    tr_wr_u16(w, m->priority);
    tr_wr_u32(w, m->delivery.reliability == TR_DCEP_RELIABLE ? 0 : m->delivery.limit);
    tr_wr_u16(w, (uint16_t)m->label.n);
    tr_wr_u16(w, (uint16_t)m->protocol.n);
    tr_wr_bytes(w, m->label.p, m->label.n);
    tr_wr_bytes(w, m->protocol.p, m->protocol.n);
}

/* The length of a TURN message is known from its first four bytes; four more, the magic cookie,
 * tell whether it is STUN at all, so that a stranger's protocol ends at its first packet. */
#include "base/frame.h"

enum {
    LENGTH_FIELD = 2, /* RFC 4571 */
    HEAD = 4,         /* type or channel, length */
    STUN_HEAD = 20,
    STUN_COOKIE_END = 8,
    STUN_COOKIE = 0x2112a442,
};

static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* The frame of *in is `whole` bytes, of which `frame_n` from `at` on are the packet. */
static enum tr_err take(struct tr_slice *in, size_t at, size_t frame_n, size_t whole,
                        struct tr_slice *frame, size_t *need)
{
    *need = whole;
    if (in->n < whole)
        return TR_ERR_AGAIN;
    *frame = tr_slice(in->p + at, frame_n);
    *in = tr_slice(in->p + whole, in->n - whole);
    return TR_OK;
}

static enum tr_err next_rfc4571(size_t max, struct tr_slice *in, struct tr_slice *frame,
                                size_t *need)
{
    *need = LENGTH_FIELD;
    if (in->n < LENGTH_FIELD)
        return TR_ERR_AGAIN;
    size_t n = tr_get16(in->p);
    if (n > max)
        return TR_ERR_LIMIT;
    return take(in, LENGTH_FIELD, n, LENGTH_FIELD + n, frame, need);
}

/*= rfc8656#12.5: over TCP the ChannelData message is padded to a multiple of four bytes, which the
 *# length does not count */
static enum tr_err next_turn(size_t max, struct tr_slice *in, struct tr_slice *frame, size_t *need)
{
    if (in->n > 0 && in->p[0] >= 0x80) /* neither 00 nor 01 at the top */
        return TR_ERR_BADMSG;
    *need = HEAD;
    if (in->n < HEAD)
        return TR_ERR_AGAIN;
    bool stun = in->p[0] < 0x40;
    size_t length = tr_get16(in->p + 2), n = (stun ? STUN_HEAD : HEAD) + length;
    if (stun && length % 4 != 0)
        return TR_ERR_BADMSG;
    if (n > max)
        return TR_ERR_LIMIT;
    if (stun && in->n < STUN_COOKIE_END) {
        *need = STUN_COOKIE_END;
        return TR_ERR_AGAIN;
    }
    if (stun && tr_get32(in->p + 4) != STUN_COOKIE)
        return TR_ERR_BADMSG;
    return take(in, 0, n, padded(n), frame, need);
}

enum tr_err tr_frame_next(enum tr_framing framing, size_t max, struct tr_slice *in,
                          struct tr_slice *frame, size_t *need)
{
    switch (framing) {
    case TR_FRAMING_RFC4571: return next_rfc4571(max, in, frame, need);
    case TR_FRAMING_TURN: return next_turn(max, in, frame, need);
    case TR_FRAMING_RAW: break;
    }
    *need = 1;
    if (in->n == 0)
        return TR_ERR_AGAIN;
    *frame = *in;
    *in = tr_slice(in->p + in->n, 0);
    return TR_OK;
}

enum tr_err tr_frame_wrap(enum tr_framing framing, size_t n, struct tr_frame_wrap *out)
{
    *out = (struct tr_frame_wrap){ 0 };
    if (framing == TR_FRAMING_RFC4571) {
        if (n > UINT16_MAX)
            return TR_ERR_LIMIT;
        tr_put16(out->head, (uint16_t)n);
        out->head_n = LENGTH_FIELD;
    } else if (framing == TR_FRAMING_TURN) {
        if (n < HEAD || n > STUN_HEAD + UINT16_MAX)
            return TR_ERR_LIMIT;
        out->pad = (uint8_t)(padded(n) - n);
    }
    return TR_OK;
}

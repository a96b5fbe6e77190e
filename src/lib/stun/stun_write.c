/* Writing of STUN messages. The length field is set anew wherever a digest covers it (it must then
 * count the digest's own attribute, RFC 8489 14.5 to 14.7) and once at the end. Errors stick in the
 * writer; a bad writer never hashes. */
#include "stun/stun.h"

#include "base/assert.h"
#include "stun/stun_int.h"

static void set_length(struct tr_wr *w, size_t more)
{
    if (w->bad)
        return;
    TR_ASSERT(tr_wr_len(w) >= TR_STUN_HEADER);
    size_t len = tr_wr_len(w) - TR_STUN_HEADER + more;
    if (len > UINT16_MAX - TR_STUN_HEADER)
        w->bad = true;
    else
        tr_put16(w->start + 2, (uint16_t)len);
}

void tr_stun_begin(struct tr_wr *w, enum tr_stun_class cls, uint16_t method,
                   const uint8_t txid[TR_STUN_TXID])
{
    unsigned m = method, c = (unsigned)cls;
    TR_ASSERT(m <= 0xfff && w->p == w->start);
    unsigned type = (m & 0xf) | (m & 0x70) << 1 | (m & 0xf80) << 2 | (c & 1) << 4 | (c & 2) << 7;
    tr_wr_u16(w, (uint16_t)type);
    tr_wr_u16(w, 0);
    tr_wr_u32(w, TR_STUN_COOKIE);
    tr_wr_bytes(w, txid, TR_STUN_TXID);
}

static void put_header(struct tr_wr *w, uint16_t type, size_t n)
{
    if (n > UINT16_MAX)
        w->bad = true;
    tr_wr_u16(w, type);
    tr_wr_u16(w, (uint16_t)n);
}

void tr_stun_put(struct tr_wr *w, uint16_t type, struct tr_slice value)
{
    put_header(w, type, value.n);
    if (value.n > 0)
        tr_wr_bytes(w, value.p, value.n);
    tr_wr_zero(w, -value.n & 3);
}

void tr_stun_put_u32(struct tr_wr *w, uint16_t type, uint32_t v)
{
    put_header(w, type, 4);
    tr_wr_u32(w, v);
}

void tr_stun_put_u64(struct tr_wr *w, uint16_t type, uint64_t v)
{
    put_header(w, type, 8);
    tr_wr_u64(w, v);
}

void tr_stun_put_addr(struct tr_wr *w, uint16_t type, const struct tr_addr *addr, bool xored)
{
    bool v4 = tr_addr_is_v4(addr);
    size_t bytes = v4 ? 4 : 16;
    const uint8_t *ip = addr->ip + (16 - bytes);
    put_header(w, type, 4 + bytes);
    tr_wr_u16(w, v4 ? 1 : 2);
    tr_wr_u16(w, (uint16_t)(addr->port ^ (xored ? TR_STUN_COOKIE >> 16 : 0)));
    uint8_t *out = tr_wr_skip(w, bytes);
    for (size_t i = 0; out && i < bytes; i++)
        out[i] = (uint8_t)(ip[i] ^ (xored ? w->start[4 + i] : 0));
}

static const char *phrase(enum tr_stun_code code)
{
    switch (code) {
    case TR_STUN_TRY_ALTERNATE: return "Try Alternate";
    case TR_STUN_BAD_REQUEST: return "Bad Request";
    case TR_STUN_UNAUTHENTICATED: return "Unauthenticated";
    case TR_TURN_FORBIDDEN: return "Forbidden";
    case TR_TURN_MOBILITY_FORBIDDEN: return "Mobility Forbidden";
    case TR_STUN_UNKNOWN_ATTRIBUTE: return "Unknown Attribute";
    case TR_TURN_ALLOCATION_MISMATCH: return "Allocation Mismatch";
    case TR_STUN_STALE_NONCE: return "Stale Nonce";
    case TR_TURN_FAMILY_NOT_SUPPORTED: return "Address Family not Supported";
    case TR_TURN_WRONG_CREDENTIALS: return "Wrong Credentials";
    case TR_TURN_UNSUPPORTED_TRANSPORT: return "Unsupported Transport Protocol";
    case TR_TURN_PEER_FAMILY_MISMATCH: return "Peer Address Family Mismatch";
    case TR_TURN_CONNECTION_EXISTS: return "Connection Already Exists";
    case TR_TURN_CONNECTION_TIMEOUT: return "Connection Timeout or Failure";
    case TR_TURN_QUOTA_REACHED: return "Allocation Quota Reached";
    case TR_STUN_ROLE_CONFLICT: return "Role Conflict";
    case TR_STUN_SERVER_ERROR: return "Server Error";
    case TR_TURN_INSUFFICIENT_CAPACITY: return "Insufficient Capacity";
    }
    return "";
}

void tr_stun_put_error(struct tr_wr *w, enum tr_stun_code code)
{
    const char *text = phrase(code);
    size_t n = strlen(text);
    put_header(w, TR_STUN_ERROR_CODE, 4 + n);
    tr_wr_u16(w, 0);
    tr_wr_u8(w, (uint8_t)((unsigned)code / 100));
    tr_wr_u8(w, (uint8_t)((unsigned)code % 100));
    tr_wr_bytes(w, text, n);
    tr_wr_zero(w, -n & 3);
}

void tr_stun_put_unknown(struct tr_wr *w, const uint16_t *types, size_t n)
{
    put_header(w, TR_STUN_UNKNOWN_ATTRIBUTES, 2 * n);
    for (size_t i = 0; i < n; i++)
        tr_wr_u16(w, types[i]);
    tr_wr_zero(w, -(2 * n) & 3);
}

void tr_stun_put_integrity(struct tr_wr *w, struct tr_slice key, bool sha256)
{
    size_t n = sha256 ? TR_STUN_SHA256 : TR_STUN_SHA1;
    uint8_t mac[TR_STUN_SHA256];
    set_length(w, TR_STUN_ATTR_HEADER + n);
    if (w->bad)
        return;
    struct tr_slice msg = tr_wr_slice(w);
    tr_stun_hmac(sha256, key, msg, tr_get16(msg.p + 2), mac);
    put_header(w, sha256 ? TR_STUN_MESSAGE_INTEGRITY_SHA256 : TR_STUN_MESSAGE_INTEGRITY, n);
    tr_wr_bytes(w, mac, n);
}

void tr_stun_put_fingerprint(struct tr_wr *w)
{
    set_length(w, TR_STUN_ATTR_HEADER + 4);
    if (!w->bad)
        tr_stun_put_u32(w, TR_STUN_FINGERPRINT,
                        tr_stun_crc32(tr_wr_slice(w)) ^ TR_STUN_FINGERPRINT_XOR);
}

struct tr_slice tr_stun_end(struct tr_wr *w)
{
    set_length(w, 0);
    return tr_wr_slice(w);
}

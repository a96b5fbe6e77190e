/* Parsing of STUN messages. One pass over the attributes; each one is checked for its length and
 * noted in the struct, the first of a kind wins. Nothing is copied.
 *
 * What counts as trusted ends at the first integrity attribute: an attacker on the path could add
 * anything behind it and only fix the length and the CRC. Behind it only the other integrity
 * attribute and FINGERPRINT are looked at. */
#include "stun/stun.h"

#include <openssl/crypto.h>

#include "stun/stun_int.h"

enum { FAMILY_V4 = 1, FAMILY_V6 = 2, ADDR_V4 = 8, ADDR_V6 = 20 };

bool tr_stun_is(struct tr_slice pkt)
{
    /* RFC 7983 leaves STUN the first bytes 0 to 3, and so only the methods below 0x100. */
    return pkt.n >= TR_STUN_HEADER && pkt.p[0] < 4 && (pkt.p[3] & 3) == 0 &&
           tr_get32(pkt.p + 4) == TR_STUN_COOKIE;
}

static bool is_known(uint16_t type, enum tr_stun_usage usage)
{
    switch (type) {
    case TR_STUN_MAPPED_ADDRESS:
    case TR_STUN_USERNAME:
    case TR_STUN_MESSAGE_INTEGRITY:
    case TR_STUN_ERROR_CODE:
    case TR_STUN_UNKNOWN_ATTRIBUTES:
    case TR_STUN_REALM:
    case TR_STUN_NONCE:
    case TR_STUN_MESSAGE_INTEGRITY_SHA256:
    case TR_STUN_PASSWORD_ALGORITHM:
    case TR_STUN_USERHASH:
    case TR_STUN_XOR_MAPPED_ADDRESS: return true;
    case TR_STUN_PRIORITY:
    case TR_STUN_USE_CANDIDATE: return usage == TR_STUN_FOR_ICE;
    case TR_STUN_CHANGE_REQUEST:
    case TR_STUN_PADDING:
    case TR_STUN_RESPONSE_PORT:
    case TR_TURN_CHANNEL_NUMBER:
    case TR_TURN_LIFETIME:
    case TR_TURN_XOR_PEER_ADDRESS:
    case TR_TURN_DATA_ATTR:
    case TR_TURN_XOR_RELAYED_ADDRESS:
    case TR_TURN_REQUESTED_ADDRESS_FAMILY:
    case TR_TURN_EVEN_PORT:
    case TR_TURN_REQUESTED_TRANSPORT:
    case TR_TURN_DONT_FRAGMENT:
    case TR_TURN_RESERVATION_TOKEN:
    case TR_TURN_CONNECTION_ID: return usage == TR_STUN_FOR_TURN;
    default: return type >= 0x8000;
    }
}

static void note_unknown(struct tr_stun *m, uint16_t type)
{
    for (int i = 0; i < m->unknown_count; i++)
        if (m->unknown[i] == type)
            return;
    if (m->unknown_count < TR_STUN_UNKNOWN_MAX)
        m->unknown[m->unknown_count++] = type;
}

static bool read_text(struct tr_slice value, size_t max, struct tr_slice *out)
{
    *out = value;
    return value.n <= max;
}

static bool read_error(struct tr_stun *m, struct tr_slice value)
{
    if (value.n < 4 || value.n > 4 + TR_STUN_TEXT_MAX)
        return false;
    unsigned cls = value.p[2] & 7, number = value.p[3];
    m->error_code = (uint16_t)(cls * 100 + number);
    m->reason = tr_slice(value.p + 4, value.n - 4);
    return cls >= 3 && cls <= 6 && number <= 99;
}

static bool read_tie_breaker(struct tr_stun *m, struct tr_slice value)
{
    if (value.n != 8)
        return false;
    m->tie_breaker = tr_get64(value.p);
    return true;
}

/* The bit of an attribute that struct tr_stun decodes, 0 for the others. */
static uint32_t has_bit(uint16_t type)
{
    switch (type) {
    case TR_STUN_USERNAME: return TR_STUN_HAS_USERNAME;
    case TR_STUN_REALM: return TR_STUN_HAS_REALM;
    case TR_STUN_NONCE: return TR_STUN_HAS_NONCE;
    case TR_STUN_SOFTWARE: return TR_STUN_HAS_SOFTWARE;
    case TR_STUN_XOR_MAPPED_ADDRESS: return TR_STUN_HAS_XOR_MAPPED;
    case TR_STUN_MAPPED_ADDRESS: return TR_STUN_HAS_MAPPED;
    case TR_STUN_ERROR_CODE: return TR_STUN_HAS_ERROR;
    case TR_STUN_PRIORITY: return TR_STUN_HAS_PRIORITY;
    case TR_STUN_USE_CANDIDATE: return TR_STUN_HAS_USE_CANDIDATE;
    case TR_STUN_ICE_CONTROLLING: return TR_STUN_HAS_CONTROLLING;
    case TR_STUN_ICE_CONTROLLED: return TR_STUN_HAS_CONTROLLED;
    default: return 0;
    }
}

static bool decode(struct tr_stun *m, uint16_t type, struct tr_slice value)
{
    switch (type) {
    case TR_STUN_USERNAME: return read_text(value, TR_STUN_USERNAME_MAX, &m->username);
    case TR_STUN_REALM: return read_text(value, TR_STUN_TEXT_MAX, &m->realm);
    case TR_STUN_NONCE: return read_text(value, TR_STUN_TEXT_MAX, &m->nonce);
    case TR_STUN_SOFTWARE: return read_text(value, TR_STUN_TEXT_MAX, &m->software);
    case TR_STUN_XOR_MAPPED_ADDRESS:
        return tr_stun_read_addr(m, value, true, &m->xor_mapped) == TR_OK;
    case TR_STUN_MAPPED_ADDRESS: return tr_stun_read_addr(m, value, false, &m->mapped) == TR_OK;
    case TR_STUN_ERROR_CODE: return read_error(m, value);
    case TR_STUN_PRIORITY: m->priority = value.n == 4 ? tr_get32(value.p) : 0; return value.n == 4;
    case TR_STUN_USE_CANDIDATE: return value.n == 0;
    case TR_STUN_ICE_CONTROLLING:
    case TR_STUN_ICE_CONTROLLED: return read_tie_breaker(m, value);
    default: return true;
    }
}

static bool on_trusted(struct tr_stun *m, uint16_t type, struct tr_slice value,
                       enum tr_stun_usage usage)
{
    uint32_t bit = has_bit(type);
    if (!is_known(type, usage))
        note_unknown(m, type);
    if (!bit || (m->has & bit))
        return true;
    m->has |= bit;
    return decode(m, type, value);
}

static bool on_fingerprint(struct tr_stun *m, size_t at, struct tr_slice value)
{
    /*= rfc8489#14.7
     *# the FINGERPRINT attribute MUST be the last attribute in the message */
    if (value.n != 4 || at + 8 != m->raw.n)
        return false;
    m->has |= TR_STUN_HAS_FINGERPRINT;
    m->fingerprint_at = (uint16_t)at;
    return tr_get32(value.p) == (tr_stun_crc32(tr_slice(m->raw.p, at)) ^ TR_STUN_FINGERPRINT_XOR);
}

static bool on_integrity(struct tr_stun *m, size_t at, bool sha256, struct tr_slice value)
{
    if (m->has & TR_STUN_HAS_MI256 || (!sha256 && (m->has & TR_STUN_HAS_MI)))
        return true; /* not covered by the one that came before */
    /*= rfc8489#14.6
     *# The value MUST be the full 32 bytes unless the STUN Usage explicitly specifies that
     *# truncation is allowed. */
    if (value.n != (sha256 ? TR_STUN_SHA256 : TR_STUN_SHA1))
        return false;
    m->has |= sha256 ? TR_STUN_HAS_MI256 : TR_STUN_HAS_MI;
    if (sha256)
        m->mi256_at = (uint16_t)at;
    else
        m->mi_at = (uint16_t)at;
    return true;
}

/* The attribute at this offset, padding skipped; 0 when it does not fit, else the next offset. */
static size_t attr_at(struct tr_slice raw, size_t at, uint16_t *type, struct tr_slice *value)
{
    if (raw.n - at < TR_STUN_ATTR_HEADER)
        return 0;
    size_t len = tr_get16(raw.p + at + 2), padded = (len + 3) & ~(size_t)3;
    if (raw.n - at - TR_STUN_ATTR_HEADER < padded)
        return 0;
    *type = tr_get16(raw.p + at);
    *value = tr_slice(raw.p + at + TR_STUN_ATTR_HEADER, len);
    return at + TR_STUN_ATTR_HEADER + padded;
}

static bool parse_attrs(struct tr_stun *m, enum tr_stun_usage usage)
{
    size_t at = TR_STUN_HEADER, next;
    bool sealed = false;
    for (int count = 0; at < m->raw.n; at = next) {
        uint16_t type;
        struct tr_slice value;
        next = attr_at(m->raw, at, &type, &value);
        if (next == 0 || ++count > TR_STUN_ATTRS_MAX)
            return false;
        bool sha256 = type == TR_STUN_MESSAGE_INTEGRITY_SHA256, ok = true;
        bool integrity = sha256 || type == TR_STUN_MESSAGE_INTEGRITY;
        if (!sealed && (integrity || type == TR_STUN_FINGERPRINT)) {
            sealed = true;
            m->trusted_end = (uint16_t)at;
        }
        if (type == TR_STUN_FINGERPRINT)
            ok = on_fingerprint(m, at, value);
        else if (integrity)
            ok = on_integrity(m, at, sha256, value);
        else if (!sealed)
            ok = on_trusted(m, type, value, usage);
        /*= rfc8489#9
         *# agents MUST ignore all attributes that follow MESSAGE-INTEGRITY, with the exception of
         *# the MESSAGE-INTEGRITY-SHA256 and FINGERPRINT attributes. */
        if (!ok)
            return false;
    }
    if (!sealed)
        m->trusted_end = (uint16_t)m->raw.n;
    return true;
}

enum tr_err tr_stun_parse(struct tr_stun *m, struct tr_slice pkt, enum tr_stun_usage usage)
{
    *m = (struct tr_stun){ .raw = pkt };
    if (!tr_stun_is(pkt))
        return TR_ERR_IGNORED;
    if (tr_get16(pkt.p + 2) + (size_t)TR_STUN_HEADER != pkt.n || pkt.n > UINT16_MAX)
        return TR_ERR_BADMSG;
    unsigned type = tr_get16(pkt.p);
    m->cls = (enum tr_stun_class)((type >> 4 & 1) | (type >> 7 & 2));
    m->method = (uint16_t)((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
    m->txid = pkt.p + 8;
    return parse_attrs(m, usage) ? TR_OK : TR_ERR_BADMSG;
}

bool tr_stun_next(const struct tr_stun *m, uint16_t *at, uint16_t *type, struct tr_slice *value)
{
    size_t from = *at ? *at : TR_STUN_HEADER;
    if (from >= m->trusted_end)
        return false;
    size_t next = attr_at(tr_slice(m->raw.p, m->trusted_end), from, type, value);
    *at = (uint16_t)next;
    return next != 0;
}

bool tr_stun_find(const struct tr_stun *m, uint16_t type, struct tr_slice *value)
{
    uint16_t at = 0, found;
    while (tr_stun_next(m, &at, &found, value))
        if (found == type)
            return true;
    *value = tr_slice(NULL, 0);
    return false;
}

enum tr_err tr_stun_read_addr(const struct tr_stun *m, struct tr_slice value, bool xored,
                              struct tr_addr *out)
{
    if (value.n < 4)
        return TR_ERR_BADMSG;
    unsigned family = value.p[1];
    size_t want = family == FAMILY_V4 ? ADDR_V4 : ADDR_V6, bytes = want - 4;
    if ((family != FAMILY_V4 && family != FAMILY_V6) || value.n != want)
        return TR_ERR_BADMSG;
    /* XOR runs over cookie and transaction id, which stand next to each other in the header. */
    const uint8_t *mask = m->raw.p + 4;
    uint8_t ip[16];
    for (size_t i = 0; i < bytes; i++)
        ip[i] = (uint8_t)(value.p[4 + i] ^ (xored ? mask[i] : 0));
    uint16_t port = (uint16_t)(tr_get16(value.p + 2) ^ (xored ? TR_STUN_COOKIE >> 16 : 0));
    if (family == FAMILY_V4) {
        *out = tr_addr_v4(ip[0], ip[1], ip[2], ip[3], port);
    } else {
        *out = (struct tr_addr){ .port = port };
        memcpy(out->ip, ip, sizeof ip);
    }
    return TR_OK;
}

enum tr_err tr_stun_check_integrity(const struct tr_stun *m, struct tr_slice key)
{
    bool sha256 = (m->has & TR_STUN_HAS_MI256) != 0;
    if (!sha256 && !(m->has & TR_STUN_HAS_MI))
        return TR_ERR_NOTFOUND;
    size_t at = sha256 ? m->mi256_at : m->mi_at, n = sha256 ? TR_STUN_SHA256 : TR_STUN_SHA1;
    size_t end = at + TR_STUN_ATTR_HEADER + n;
    uint8_t mac[TR_STUN_SHA256];
    tr_stun_hmac(sha256, key, tr_slice(m->raw.p, at), (uint16_t)(end - TR_STUN_HEADER), mac);
    return CRYPTO_memcmp(mac, m->raw.p + at + TR_STUN_ATTR_HEADER, n) == 0 ? TR_OK : TR_ERR_AUTH;
}

/* See filter.h. One pass over the chunks; each kind has a row with its smallest length and, where
 * its inside has a shape, a function for that. */
#include "sctp/filter.h"

#include "base/assert.h"

enum { HEADER = 12, CHUNK_HEADER = 4 };

enum chunk_type {
    CHUNK_DATA = 0,
    CHUNK_INIT = 1,
    CHUNK_INIT_ACK = 2,
    CHUNK_SACK = 3,
    CHUNK_HEARTBEAT = 4,
    CHUNK_HEARTBEAT_ACK = 5,
    CHUNK_ABORT = 6,
    CHUNK_SHUTDOWN = 7,
    CHUNK_SHUTDOWN_ACK = 8,
    CHUNK_ERROR = 9,
    CHUNK_COOKIE_ECHO = 10,
    CHUNK_COOKIE_ACK = 11,
    CHUNK_SHUTDOWN_COMPLETE = 14,
    CHUNK_RE_CONFIG = 0x82,
    CHUNK_PAD = 0x84,
    CHUNK_FORWARD_TSN = 0xc0
};

enum parameter_type { PARAM_IPV4 = 5, PARAM_IPV6 = 6, PARAM_HOST_NAME = 11 };

static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* A list of type-length-value up to the end of the body; the last one may lack its padding. */
static bool has_parameters(struct tr_slice list, bool addresses)
{
    struct tr_rd r = tr_rd(list);
    while (tr_rd_left(&r) > 0) {
        uint16_t type = tr_rd_u16(&r);
        uint16_t length = tr_rd_u16(&r);
        if (r.bad || length < 4 || length - 4u > tr_rd_left(&r))
            return false;
        if (!addresses && (type == PARAM_IPV4 || type == PARAM_IPV6 || type == PARAM_HOST_NAME))
            return false;
        size_t skip = padded(length) - 4;
        tr_rd_take(&r, skip < tr_rd_left(&r) ? skip : tr_rd_left(&r));
    }
    return true;
}

static bool is_init(struct tr_slice body)
{
    return has_parameters(tr_slice(body.p + 16, body.n - 16), false);
}

static bool is_sack(struct tr_slice body)
{
    size_t blocks = tr_get16(body.p + 8), dups = tr_get16(body.p + 10);
    return body.n == 12 + 4 * (blocks + dups);
}

static bool is_list(struct tr_slice body)
{
    return has_parameters(body, true);
}

static bool is_forward_tsn(struct tr_slice body)
{
    return (body.n - 4) % 4 == 0;
}

static const struct kind {
    uint8_t type;
    uint8_t body_min;
    bool alone; /* RFC 9260 section 6.10: not bundled with others */
    bool (*is_sound)(struct tr_slice body);
} kinds[] = {
    { CHUNK_DATA, 13, false, NULL },
    { CHUNK_INIT, 16, true, is_init },
    { CHUNK_INIT_ACK, 16, true, is_init },
    { CHUNK_SACK, 12, false, is_sack },
    { CHUNK_HEARTBEAT, 4, false, is_list },
    { CHUNK_HEARTBEAT_ACK, 4, false, is_list },
    { CHUNK_ABORT, 0, false, is_list },
    { CHUNK_SHUTDOWN, 4, false, NULL },
    { CHUNK_SHUTDOWN_ACK, 0, false, NULL },
    { CHUNK_ERROR, 4, false, is_list },
    { CHUNK_COOKIE_ECHO, 4, false, NULL },
    { CHUNK_COOKIE_ACK, 0, false, NULL },
    { CHUNK_SHUTDOWN_COMPLETE, 0, true, NULL },
    { CHUNK_RE_CONFIG, 4, false, is_list },
    { CHUNK_PAD, 0, false, NULL },
    { CHUNK_FORWARD_TSN, 4, false, is_forward_tsn },
};

static const struct kind *kind_of(uint8_t type)
{
    for (size_t i = 0; i < TR_ARRAY_LEN(kinds); i++) {
        if (kinds[i].type == type)
            return &kinds[i];
    }
    return NULL;
}

/* Takes the next chunk off r; false: it is not to be let in. */
static bool check_chunk(struct tr_rd *r, bool first)
{
    uint8_t type = tr_rd_u8(r);
    tr_rd_u8(r); /* flags */
    uint16_t length = tr_rd_u16(r);
    const struct kind *k = kind_of(type);
    if (r->bad || !k || length < CHUNK_HEADER + k->body_min)
        return false;
    struct tr_slice body = tr_rd_take(r, length - CHUNK_HEADER);
    if (r->bad || (k->is_sound && !k->is_sound(body)))
        return false;
    size_t padding = padded(length) - length;
    tr_rd_take(r, padding);
    return !r->bad && !(k->alone && (!first || tr_rd_left(r) > 0));
}

bool sctp_filter_packet(struct tr_slice packet, uint16_t local_port, uint16_t remote_port)
{
    struct tr_rd r = tr_rd(packet);
    if (packet.n < HEADER + CHUNK_HEADER || packet.n > SCTP_FILTER_PACKET_MAX)
        return false;
    if (tr_rd_u16(&r) != remote_port || tr_rd_u16(&r) != local_port)
        return false;
    tr_rd_take(&r, 8); /* tag and checksum */
    for (bool first = true; tr_rd_left(&r) > 0; first = false) {
        if (!check_chunk(&r, first))
            return false;
    }
    return true;
}

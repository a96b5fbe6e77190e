/* The scanner of one segment. A record counts when its magic, length and CRC hold; anything else is
 * damage, and the scan goes on at the next magic that starts a good record.
 *
 * A file made of nothing but magics would cost a CRC of 16 KiB at every fourth byte. So the bytes
 * that may be checksummed are bounded by eight times the file's size, which no real damage comes
 * near; past that the rest counts as torn. */
#include "record/reader.h"

#include <string.h>

#include "record/crc32c.h"

enum { CRC_BUDGET_FACTOR = 8 };

static bool parse_header(struct tr_scan *scan)
{
    struct tr_rd r = tr_rd(scan->bytes);
    struct tr_slice head = tr_rd_take(&r, TR_JOURNAL_HEADER);
    if (r.bad || memcmp(head.p, "TCJ1", 4) != 0)
        return false;
    if (tr_get32(head.p + 52) != tr_crc32c(0, head.p, 52))
        return false;
    if (tr_get16(head.p + 4) != TR_JOURNAL_VERSION)
        return false;
    struct tr_segment *s = &scan->segment;
    s->flags = tr_get16(head.p + 6);
    s->epoch = tr_get64(head.p + 8);
    s->number = tr_get32(head.p + 16);
    memcpy(s->call, head.p + 20, sizeof(s->call));
    s->mono0_us = (tr_usec)tr_get64(head.p + 36);
    s->wall0_us = (int64_t)tr_get64(head.p + 44);
    return true;
}

void tr_scan_init(struct tr_scan *scan, struct tr_slice bytes)
{
    memset(scan, 0, sizeof(*scan));
    scan->bytes = bytes;
    scan->crc_budget = (uint64_t)bytes.n * CRC_BUDGET_FACTOR;
    scan->has_header = parse_header(scan);
    scan->pos = scan->has_header ? TR_JOURNAL_HEADER : 0;
}

/* A whole good record at p? Its length with header, or 0. */
static size_t good_record(struct tr_scan *scan, size_t pos)
{
    const uint8_t *p = scan->bytes.p + pos;
    size_t left = scan->bytes.n - pos;
    if (left < TR_JOURNAL_RECORD || tr_get32(p) != TR_JOURNAL_MAGIC)
        return 0;
    size_t len = tr_get32(p + 8);
    if (len > TR_JOURNAL_PAYLOAD_MAX || len > left - TR_JOURNAL_RECORD)
        return 0;
    size_t n = TR_JOURNAL_RECORD + len;
    if (scan->crc_budget < n)
        return 0;
    scan->crc_budget -= n;
    return tr_get32(p + 4) == tr_crc32c(0, p + 8, n - 8) ? n : 0;
}

/* Moves to the next good record after damage; false when none follows. */
static bool resync(struct tr_scan *scan)
{
    static const uint8_t magic[4] = { 0x43, 0x4a, 0x52, 0x31 };
    size_t from = scan->pos, pos = from + 1;
    while (pos < scan->bytes.n) {
        const uint8_t *hit = memmem(scan->bytes.p + pos, scan->bytes.n - pos, magic, sizeof(magic));
        if (!hit)
            break;
        pos = (size_t)(hit - scan->bytes.p);
        if (good_record(scan, pos)) {
            scan->holes++;
            scan->hole_bytes += pos - from;
            scan->pos = pos;
            return true;
        }
        pos++;
    }
    scan->torn = true;
    scan->pos = scan->bytes.n;
    return false;
}

static bool known_type(uint8_t type)
{
    return (type >= TR_JOURNAL_META && type <= TR_JOURNAL_LOSS) || type == TR_JOURNAL_END;
}

bool tr_scan_next(struct tr_scan *scan, struct tr_record *rec)
{
    while (scan->pos < scan->bytes.n) {
        size_t n = good_record(scan, scan->pos);
        if (!n) {
            if (!resync(scan))
                return false;
            continue;
        }
        const uint8_t *p = scan->bytes.p + scan->pos;
        scan->pos += n;
        scan->records++;
        if (!known_type(p[12]))
            continue;
        rec->type = (enum tr_journal_type)p[12];
        rec->track = tr_get16(p + 14);
        rec->recv_us = (tr_usec)tr_get64(p + 16);
        rec->ext_seq = tr_get64(p + 24);
        rec->payload = tr_slice(p + TR_JOURNAL_RECORD, n - TR_JOURNAL_RECORD);
        if (rec->type == TR_JOURNAL_END) {
            scan->ended = true;
            if (rec->payload.n == 20)
                scan->closed = tr_get32(rec->payload.p + 16) == TR_JOURNAL_END_CLOSED;
        }
        return true;
    }
    return false;
}

bool tr_record_sr(const struct tr_record *rec, uint32_t *ssrc, tr_ntp *ntp, uint32_t *rtp)
{
    if (rec->type != TR_JOURNAL_SR || rec->payload.n != 16)
        return false;
    *ssrc = tr_get32(rec->payload.p);
    *ntp = tr_get64(rec->payload.p + 4);
    *rtp = tr_get32(rec->payload.p + 12);
    return true;
}

bool tr_record_clock(const struct tr_record *rec, int64_t *wall_us)
{
    if (rec->type != TR_JOURNAL_CLOCK || rec->payload.n != 8)
        return false;
    *wall_us = (int64_t)tr_get64(rec->payload.p);
    return true;
}

bool tr_record_loss(const struct tr_record *rec, uint64_t *last_ext_seq)
{
    if (rec->type != TR_JOURNAL_LOSS || rec->payload.n != 8)
        return false;
    *last_ext_seq = tr_get64(rec->payload.p);
    return true;
}

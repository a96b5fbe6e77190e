/* Reading journals, two layers.
 * tr_scan walks the bytes of one segment: no I/O, no allocation, never trusts a length. Damage (bad
 * CRC, garbage) is skipped to the next record that proves itself and is counted as a hole; a torn
 * end (kill -9, power loss) is normal.
 * tr_reader maps the segments of a directory (or a list of files) in order and walks all of them;
 * payloads point into the mapped files and live as long as the reader. One owner, one thread. */
#ifndef TR_RECORD_READER_H
#define TR_RECORD_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "record/journal.h"

enum tr_reader_limits { TR_READER_SEGMENTS_MAX = 4096 };

struct tr_segment { /* the header of a segment */
    uint16_t flags;
    uint64_t epoch;
    uint32_t number;
    uint8_t call[16];
    tr_usec mono0_us;
    int64_t wall0_us;
};

struct tr_record {
    enum tr_journal_type type;
    uint16_t track;
    tr_usec recv_us;
    uint64_t ext_seq;
    struct tr_slice payload; /* borrowed */
};

struct tr_scan {
    struct tr_slice bytes;
    size_t pos;
    struct tr_segment segment; /* valid when has_header */
    bool has_header;
    bool ended;          /* END was seen */
    bool torn;           /* the end is cut inside a record, or garbage */
    uint64_t records;    /* good ones so far */
    uint64_t holes;      /* damaged stretches */
    uint64_t hole_bytes; /* and their size */
    uint64_t crc_budget; /* bytes that may still be checksummed */
    bool closed;         /* END said CLOSED, not ROTATED */
};

/* A damaged header is a hole; records are looked for all the same. */
void tr_scan_init(struct tr_scan *scan, struct tr_slice bytes);
/* false at the end. A record of an unknown type is skipped. */
bool tr_scan_next(struct tr_scan *scan, struct tr_record *rec);

/* Typed views of payloads; false when the size is wrong. */
bool tr_record_sr(const struct tr_record *rec, uint32_t *ssrc, tr_ntp *ntp, uint32_t *rtp);
bool tr_record_clock(const struct tr_record *rec, int64_t *wall_us);
bool tr_record_loss(const struct tr_record *rec, uint64_t *last_ext_seq);

struct tr_reader_stats {
    uint32_t segments;
    uint32_t missing; /* numbers left out between segments */
    uint64_t records;
    uint64_t holes;
    uint64_t hole_bytes;
    bool closed; /* the last segment has its END with reason CLOSED */
    bool e2ee;
};

struct tr_reader;

/* paths: directories (all seg-*.cj and seg-*.cj.part in them) or single files.
 * NOTFOUND: no segment at all; LIMIT: too many; NOMEM; IO: could not be read, or not a regular
 * file; PROTO: segments of different calls. */
TR_MUST_USE enum tr_err tr_reader_open(struct tr_reader **out, const char *const *paths,
                                       uint32_t count);
void tr_reader_close(struct tr_reader *reader); /* NULL is fine */
bool tr_reader_next(struct tr_reader *reader, struct tr_record *rec);
void tr_reader_rewind(struct tr_reader *reader);
/* Counts are complete once next() has returned false. */
struct tr_reader_stats tr_reader_stats(const struct tr_reader *reader);
/* The first readable header; false when every header is damaged. */
bool tr_reader_segment(const struct tr_reader *reader, struct tr_segment *segment);

#endif

/* The capture journal: what a recorded call leaves on the disk while it runs.
 * A directory per call with segments seg-000001.cj of about a minute; the one that is being written
 * is called .cj.part. A segment is a header and CRC-protected records and is only ever appended to,
 * so whatever a crash leaves is readable up to the last complete record (reader.h).
 *
 * The writer is a state machine: one owner, one thread (the disk thread), no clock. Drive it with
 *   append calls as packets come  ->  tr_journal_flush(now) every 250 ms  ->  tr_journal_sync(now)
 * An append copies into a 64 KiB buffer and does I/O only when that is full.
 * I/O failure is sticky: the journal stops, error() says why, and later appends are counted drops;
 * what was written before stays valid.
 *
 * All integers are in network byte order.
 *   segment header, 56 bytes: "TCJ1" u16 version, u16 flags, u64 epoch, u32 segment, u8[16] call,
 *       u64 mono0_us, u64 wall0_us, u32 crc32c of the 52 bytes before
 *   record: u32 magic, u32 crc32c of all that follows, u32 payload length, u8 type, u8 0, u16
 *   track, u64 recv_us (monotonic), u64 ext_seq, payload */
#ifndef TR_RECORD_JOURNAL_H
#define TR_RECORD_JOURNAL_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "record/fileops.h"

enum tr_journal_limits {
    TR_JOURNAL_PAYLOAD_MAX = 16384,
    TR_JOURNAL_TRACKS_MAX = 64, /* with META in one journal */
    TR_JOURNAL_BUFFER = 65536,
    TR_JOURNAL_HEADER = 56,
    TR_JOURNAL_RECORD = 32, /* bytes before the payload */
    TR_JOURNAL_VERSION = 1,
    TR_JOURNAL_PATH_MAX = 1024
};
enum { TR_JOURNAL_MAGIC = 0x434a5231 }; /* "CJR1" */

enum tr_journal_flags { TR_JOURNAL_E2EE = 1 }; /* payloads are sealed by the clients */

enum tr_journal_type {
    TR_JOURNAL_META = 1,  /* JSON, see meta.h; repeated at the start of each segment */
    TR_JOURNAL_RTP = 2,   /* header and payload, after decryption and RTX unwrapping, as received */
    TR_JOURNAL_SR = 3,    /* u32 ssrc, u64 ntp, u32 rtp: the publisher's own sender report */
    TR_JOURNAL_EVENT = 4, /* JSON {"event": "mute" | "unmute" | ..., ...} */
    TR_JOURNAL_CLOCK = 5, /* u64 wall_us that belongs to recv_us */
    TR_JOURNAL_LOSS = 6,  /* u64 last_ext_seq; ext_seq is the first: given up by retransmission */
    TR_JOURNAL_END = 9    /* u64 records before it, u64 drops of the whole journal, u32 reason */
};

enum tr_journal_end { TR_JOURNAL_END_ROTATED = 0, TR_JOURNAL_END_CLOSED = 1 };

struct tr_journal_conf {
    const char *dir;               /* made when absent; its parent must exist */
    uint8_t call[16];              /* the call's id */
    uint64_t epoch;                /* fencing token of the room's owner; 0 on a single node */
    uint16_t flags;                /* enum tr_journal_flags */
    tr_usec segment_us;            /* 0: 60 s */
    const struct tr_file_ops *ops; /* NULL: the system's; borrowed */
};

struct tr_journal_stats {
    uint64_t records; /* accepted */
    uint64_t dropped; /* refused: failed journal, or too large */
    uint64_t bytes;   /* written to files */
    uint32_t segments;
    bool low_space; /* the file system refused to reserve more room: warn before it is full */
};

struct tr_journal;

/* Opens the first segment (one above any that the directory holds).
 * INVAL: path too long; NOMEM; IO: nothing was opened, *reason says why (static text). */
TR_MUST_USE enum tr_err tr_journal_open(struct tr_journal **out, const struct tr_journal_conf *conf,
                                        tr_usec now, int64_t wall_us, const char **reason);
/* Ends the segment, renames it, syncs file and directory, frees. IO: the journal had failed or
 * failed now; what is on the disk is readable all the same. NULL is fine. */
enum tr_err tr_journal_close(struct tr_journal *j, tr_usec now, int64_t wall_us);

/* Appends. LIMIT: payload or track table too large (counted); IO: the journal has failed
 * (counted). recv_us need not be in order. */
enum tr_err tr_journal_meta(struct tr_journal *j, tr_usec now, uint16_t track,
                            struct tr_slice json);
enum tr_err tr_journal_rtp(struct tr_journal *j, tr_usec recv_us, uint16_t track, uint64_t ext_seq,
                           struct tr_slice packet);
enum tr_err tr_journal_sr(struct tr_journal *j, tr_usec recv_us, uint16_t track, uint32_t ssrc,
                          tr_ntp ntp, uint32_t rtp);
enum tr_err tr_journal_event(struct tr_journal *j, tr_usec now, uint16_t track,
                             struct tr_slice json);
enum tr_err tr_journal_loss(struct tr_journal *j, tr_usec now, uint16_t track, uint64_t first,
                            uint64_t last);

/* Writes what is buffered, adds a CLOCK record every 10 s, rotates when the segment is old. */
enum tr_err tr_journal_flush(struct tr_journal *j, tr_usec now, int64_t wall_us);
/* fdatasync when the last one is 1 s old and something was written since. Blocks on the disk. */
enum tr_err tr_journal_sync(struct tr_journal *j, tr_usec now);

bool tr_journal_failed(const struct tr_journal *j);
/* "write: No space left on device"; "" while all is well. Valid as long as the journal. */
const char *tr_journal_error(const struct tr_journal *j);
struct tr_journal_stats tr_journal_stats(const struct tr_journal *j);

/* Whether a file's name is that of a segment, completed or not: at most six digits. */
bool tr_journal_segment(const char *name, uint32_t *number);

#endif

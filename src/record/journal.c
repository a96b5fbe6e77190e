/* The writer of capture journals.
 *
 * Records are put together in one 64 KiB buffer; a record that does not fit makes the buffer go to
 * the file first, so the file always grows by whole buffers of whole records and a process crash
 * loses at most the 250 ms between two flushes. A short write is continued; if the continuation
 * fails, the file ends in a torn record, which readers expect.
 *
 * Rotation happens in flush() only: one place decides, and appends stay cheap. META records are
 * remembered and written again at the head of each segment, so a segment that travelled alone (or
 * whose predecessor is lost) still says what its tracks are.
 *
 * Room is reserved ahead in steps of 8 MiB, keeping the file's size. A refusal is only a warning
 * (low_space): the write that really fails is what stops the journal. */
#include "record/journal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "record/crc32c.h"

enum {
    SEGMENT_US_DEFAULT = 60000000,
    CLOCK_EVERY_US = 10000000,
    SYNC_EVERY_US = 1000000,
    RESERVE_STEP = 8 << 20,
    ERROR_MAX = 160
};

struct meta_copy {
    uint16_t track;
    uint16_t len;
    uint8_t *json;
};

struct tr_journal {
    struct tr_file_ops const *ops;
    char dir[TR_JOURNAL_PATH_MAX];
    uint8_t call[16];
    uint64_t epoch;
    uint16_t flags;
    tr_usec segment_us;

    int fd; /* -1: none */
    uint32_t number;
    tr_usec opened_at, clock_at, synced_at;
    bool dirty; /* written since the last sync */
    bool can_reserve;
    int64_t size, reserved;
    uint64_t seg_records;

    struct meta_copy metas[TR_JOURNAL_TRACKS_MAX];
    uint32_t meta_count;
    struct tr_journal_stats stats;
    enum tr_err failed;
    int code; /* errno of the failure */
    char error[ERROR_MAX];
    size_t used;
    uint8_t buf[TR_JOURNAL_BUFFER];
};

static enum tr_err fail(struct tr_journal *j, const char *what, int code)
{
    if (!j->failed) {
        j->failed = TR_ERR_IO;
        j->code = code;
        snprintf(j->error, sizeof(j->error), "%s: %s", what, strerrordesc_np(code));
    }
    return TR_ERR_IO;
}

static void segment_path(const struct tr_journal *j, bool part, char *out, size_t size)
{
    snprintf(out, size, "%s/seg-%06u.cj%s", j->dir, j->number, part ? ".part" : "");
}

/* Writes all of p; the reserve is best effort. */
static enum tr_err write_all(struct tr_journal *j, const uint8_t *p, size_t n)
{
    if (j->can_reserve && j->size + (int64_t)n > j->reserved) {
        int r = j->ops->reserve(j->ops, j->fd, j->reserved, RESERVE_STEP);
        j->stats.low_space = r == -ENOSPC || r == -EDQUOT;
        if (r >= 0)
            j->reserved += RESERVE_STEP;
        else if (!j->stats.low_space)
            j->can_reserve = false; /* this file system has no such thing */
    }
    while (n) {
        ssize_t r = j->ops->write(j->ops, j->fd, p, n);
        if (r <= 0)
            return fail(j, "write", r < 0 ? (int)-r : EIO);
        p += r;
        n -= (size_t)r;
        j->size += r;
        j->stats.bytes += (uint64_t)r;
        j->dirty = true;
    }
    return TR_OK;
}

static enum tr_err drain(struct tr_journal *j)
{
    if (j->failed)
        return j->failed;
    size_t n = j->used;
    j->used = 0;
    return n ? write_all(j, j->buf, n) : TR_OK;
}

/* Room for a record in the buffer, header filled in but for the CRC; NULL after a failure. */
static uint8_t *begin(struct tr_journal *j, enum tr_journal_type type, uint16_t track, tr_usec at,
                      uint64_t ext_seq, size_t len)
{
    if (j->used + TR_JOURNAL_RECORD + len > sizeof(j->buf) && drain(j) != TR_OK)
        return NULL;
    uint8_t *p = j->buf + j->used;
    tr_put32(p, TR_JOURNAL_MAGIC);
    tr_put32(p + 8, (uint32_t)len);
    p[12] = (uint8_t)type;
    p[13] = 0;
    tr_put16(p + 14, track);
    tr_put64(p + 16, (uint64_t)at);
    tr_put64(p + 24, ext_seq);
    return p;
}

static void commit(struct tr_journal *j, uint8_t *p)
{
    size_t n = TR_JOURNAL_RECORD + tr_get32(p + 8);
    tr_put32(p + 4, tr_crc32c(0, p + 8, n - 8));
    j->used += n;
    j->seg_records++;
    j->stats.records++;
}

static enum tr_err append(struct tr_journal *j, enum tr_journal_type type, uint16_t track,
                          tr_usec at, uint64_t ext_seq, struct tr_slice payload)
{
    bool large = payload.n > TR_JOURNAL_PAYLOAD_MAX;
    uint8_t *p = NULL;
    if (!j->failed && !large)
        p = begin(j, type, track, at, ext_seq, payload.n);
    if (!p) {
        j->stats.dropped++;
        return large ? TR_ERR_LIMIT : TR_ERR_IO;
    }
    if (payload.n)
        memcpy(p + TR_JOURNAL_RECORD, payload.p, payload.n);
    commit(j, p);
    return TR_OK;
}

static enum tr_err put_clock(struct tr_journal *j, tr_usec now, int64_t wall_us)
{
    uint8_t p[8];
    tr_put64(p, (uint64_t)wall_us);
    j->clock_at = now;
    return append(j, TR_JOURNAL_CLOCK, 0, now, 0, tr_slice(p, sizeof(p)));
}

static void put_header(struct tr_journal *j, tr_usec now, int64_t wall_us)
{
    struct tr_wr w = tr_wr(j->buf, TR_JOURNAL_HEADER);
    tr_wr_bytes(&w, "TCJ1", 4);
    tr_wr_u16(&w, TR_JOURNAL_VERSION);
    tr_wr_u16(&w, j->flags);
    tr_wr_u64(&w, j->epoch);
    tr_wr_u32(&w, j->number);
    tr_wr_bytes(&w, j->call, sizeof(j->call));
    tr_wr_u64(&w, (uint64_t)now);
    tr_wr_u64(&w, (uint64_t)wall_us);
    tr_wr_u32(&w, tr_crc32c(0, j->buf, TR_JOURNAL_HEADER - 4));
    TR_ASSERT(!w.bad && tr_wr_len(&w) == TR_JOURNAL_HEADER);
    j->used = TR_JOURNAL_HEADER;
}

static enum tr_err open_segment(struct tr_journal *j, tr_usec now, int64_t wall_us)
{
    char path[TR_JOURNAL_PATH_MAX + 32];
    j->number++;
    segment_path(j, true, path, sizeof(path));
    j->fd = j->ops->create(j->ops, path);
    if (j->fd < 0)
        return fail(j, "create segment", -j->fd);
    int r = j->ops->sync_dir(j->ops, j->dir);
    if (r < 0)
        return fail(j, "sync directory", -r);
    j->size = j->reserved = 0;
    j->can_reserve = true;
    j->seg_records = 0;
    j->opened_at = now;
    j->stats.segments++;
    put_header(j, now, wall_us);
    for (uint32_t i = 0; i < j->meta_count; i++) {
        struct meta_copy *m = &j->metas[i];
        append(j, TR_JOURNAL_META, m->track, now, 0, tr_slice(m->json, m->len));
    }
    put_clock(j, now, wall_us);
    return drain(j);
}

/* END, sync, give the unused reserve back, close, take the name that says complete. */
static enum tr_err finish_segment(struct tr_journal *j, tr_usec now, enum tr_journal_end reason)
{
    uint8_t p[20];
    tr_put64(p, j->seg_records);
    tr_put64(p + 8, j->stats.dropped);
    tr_put32(p + 16, reason);
    append(j, TR_JOURNAL_END, 0, now, 0, tr_slice(p, sizeof(p)));
    if (drain(j) != TR_OK)
        return TR_ERR_IO;
    if (j->reserved > j->size)
        j->ops->truncate(j->ops, j->fd, j->size);
    int r = j->ops->sync(j->ops, j->fd);
    if (r < 0)
        return fail(j, "fdatasync", -r);
    j->dirty = false;
    r = j->ops->close(j->ops, j->fd);
    j->fd = -1;
    if (r < 0)
        return fail(j, "close", -r);
    char from[TR_JOURNAL_PATH_MAX + 32], to[TR_JOURNAL_PATH_MAX + 32];
    segment_path(j, true, from, sizeof(from));
    segment_path(j, false, to, sizeof(to));
    r = j->ops->rename(j->ops, from, to);
    if (r < 0)
        return fail(j, "rename", -r);
    r = j->ops->sync_dir(j->ops, j->dir);
    return r < 0 ? fail(j, "sync directory", -r) : TR_OK;
}

bool tr_journal_segment(const char *name, uint32_t *number)
{
    char *end;
    if (strncmp(name, "seg-", 4) != 0 || !isdigit((unsigned char)name[4]))
        return false;
    unsigned long n = strtoul(name + 4, &end, 10);
    if (end - name > 10 || (strcmp(end, ".cj") != 0 && strcmp(end, ".cj.part") != 0))
        return false;
    *number = (uint32_t)n;
    return true;
}

/* The highest segment number in the directory: a second journal of a call goes on after it. */
static uint32_t last_number(const char *dir)
{
    uint32_t last = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        uint32_t n = 0;
        if (tr_journal_segment(e->d_name, &n) && n > last)
            last = n;
    }
    if (d)
        closedir(d);
    return last;
}

static void release(struct tr_journal *j)
{
    if (j->fd >= 0)
        j->ops->close(j->ops, j->fd);
    for (uint32_t i = 0; i < j->meta_count; i++)
        tr_free(j->metas[i].json);
    tr_free(j);
}

enum tr_err tr_journal_open(struct tr_journal **out, const struct tr_journal_conf *conf,
                            tr_usec now, int64_t wall_us, const char **reason)
{
    *reason = "";
    size_t dir_n = conf->dir ? strlen(conf->dir) : TR_JOURNAL_PATH_MAX;
    if (dir_n >= TR_JOURNAL_PATH_MAX)
        return TR_ERR_INVAL;
    struct tr_journal *j = tr_alloc(sizeof(*j));
    if (!j)
        return TR_ERR_NOMEM;
    j->ops = conf->ops ? conf->ops : &tr_file_ops_system;
    memcpy(j->dir, conf->dir, dir_n);
    memcpy(j->call, conf->call, sizeof(j->call));
    j->epoch = conf->epoch;
    j->flags = conf->flags;
    j->segment_us = conf->segment_us ? conf->segment_us : SEGMENT_US_DEFAULT;
    j->fd = -1;
    j->synced_at = now;
    int r = j->ops->mkdir(j->ops, j->dir);
    if (r < 0) {
        *reason = strerrordesc_np(-r);
        release(j);
        return TR_ERR_IO;
    }
    j->number = last_number(j->dir);
    if (open_segment(j, now, wall_us) != TR_OK) {
        *reason = strerrordesc_np(j->code);
        release(j);
        return TR_ERR_IO;
    }
    *out = j;
    return TR_OK;
}

enum tr_err tr_journal_close(struct tr_journal *j, tr_usec now, int64_t wall_us)
{
    if (!j)
        return TR_OK;
    if (!j->failed && put_clock(j, now, wall_us) == TR_OK)
        finish_segment(j, now, TR_JOURNAL_END_CLOSED);
    enum tr_err err = j->failed;
    release(j);
    return err;
}

static enum tr_err remember_meta(struct tr_journal *j, uint16_t track, struct tr_slice json)
{
    struct meta_copy *m = NULL;
    for (uint32_t i = 0; i < j->meta_count && !m; i++)
        m = j->metas[i].track == track ? &j->metas[i] : NULL;
    if (!m && j->meta_count == TR_JOURNAL_TRACKS_MAX)
        return TR_ERR_LIMIT;
    uint8_t *copy = tr_alloc(json.n);
    if (!copy)
        return TR_ERR_NOMEM;
    memcpy(copy, json.p, json.n);
    if (m)
        tr_free(m->json);
    else
        m = &j->metas[j->meta_count++];
    *m = (struct meta_copy){ .track = track, .len = (uint16_t)json.n, .json = copy };
    return TR_OK;
}

enum tr_err tr_journal_meta(struct tr_journal *j, tr_usec now, uint16_t track, struct tr_slice json)
{
    enum tr_err err = json.n == 0 || json.n > TR_JOURNAL_PAYLOAD_MAX ? TR_ERR_LIMIT : TR_OK;
    if (!err && !j->failed)
        err = remember_meta(j, track, json);
    if (err) {
        j->stats.dropped++;
        return err;
    }
    return append(j, TR_JOURNAL_META, track, now, 0, json);
}

enum tr_err tr_journal_rtp(struct tr_journal *j, tr_usec recv_us, uint16_t track, uint64_t ext_seq,
                           struct tr_slice packet)
{
    return append(j, TR_JOURNAL_RTP, track, recv_us, ext_seq, packet);
}

enum tr_err tr_journal_sr(struct tr_journal *j, tr_usec recv_us, uint16_t track, uint32_t ssrc,
                          tr_ntp ntp, uint32_t rtp)
{
    uint8_t p[16];
    tr_put32(p, ssrc);
    tr_put64(p + 4, ntp);
    tr_put32(p + 12, rtp);
    return append(j, TR_JOURNAL_SR, track, recv_us, 0, tr_slice(p, sizeof(p)));
}

enum tr_err tr_journal_event(struct tr_journal *j, tr_usec now, uint16_t track,
                             struct tr_slice json)
{
    return append(j, TR_JOURNAL_EVENT, track, now, 0, json);
}

enum tr_err tr_journal_loss(struct tr_journal *j, tr_usec now, uint16_t track, uint64_t first,
                            uint64_t last)
{
    uint8_t p[8];
    tr_put64(p, last);
    return append(j, TR_JOURNAL_LOSS, track, now, first, tr_slice(p, sizeof(p)));
}

enum tr_err tr_journal_flush(struct tr_journal *j, tr_usec now, int64_t wall_us)
{
    if (j->failed)
        return j->failed;
    if (now - j->opened_at >= j->segment_us) {
        enum tr_err err = finish_segment(j, now, TR_JOURNAL_END_ROTATED);
        return err ? err : open_segment(j, now, wall_us);
    }
    if (now - j->clock_at >= CLOCK_EVERY_US && put_clock(j, now, wall_us) != TR_OK)
        return TR_ERR_IO;
    return drain(j);
}

enum tr_err tr_journal_sync(struct tr_journal *j, tr_usec now)
{
    if (j->failed)
        return j->failed;
    if (!j->dirty || now - j->synced_at < SYNC_EVERY_US)
        return TR_OK;
    j->synced_at = now;
    j->dirty = false;
    int r = j->ops->sync(j->ops, j->fd);
    return r < 0 ? fail(j, "fdatasync", -r) : TR_OK;
}

bool tr_journal_failed(const struct tr_journal *j)
{
    return j->failed != TR_OK;
}

const char *tr_journal_error(const struct tr_journal *j)
{
    return j->error;
}

struct tr_journal_stats tr_journal_stats(const struct tr_journal *j)
{
    return j->stats;
}

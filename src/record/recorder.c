/* Recordings that are open.
 *
 * A recording is a tap on the media engine, an id under which the disk thread keeps its journal,
 * and the row of its call. The tap's callbacks run on media workers; they look at nothing but the
 * disk and the id, which do not change while the tap lives.
 *
 * It ends in steps, each of which may take its time: the tap is closed; when the engine has let go
 * of it the disk is told to close the journal (behind all packets); when that is reported the
 * recording is freed and its render job queued. A journal that fails goes the same way at once,
 * with the row saying why, while the call goes on.
 *
 * The disk thread's reports are polled: 200 ms are soon enough for a row. */
#include "record/recorder.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/log.h"
#include "record/recorder_int.h"
#include "store/calls.h"

#define POLL_US (200 * TR_MSEC)

struct track {
    struct tr_media_end source;
    tr_id route;
    uint8_t pt;
    char codec[16];
};

struct recording {
    struct tr_disk *disk; /* for the tap, as is id */
    tr_id id;
    _Atomic bool released; /* by the engine */
    struct tr_recorder *rec;
    char call[TR_CALL_ID_MAX];
    tr_id tap;
    bool own_row;  /* made by start_new: nobody else ends it */
    bool stopping; /* the tap is closed, or being closed */
    bool closing;  /* the disk was told */
    bool failed;   /* the row says why */
    int track_count;
    struct track tracks[TR_JOURNAL_TRACKS_MAX];
};

/* --- on media workers --- */

static void tap_packets(void *arg, uint16_t track, struct tr_pkt *const *pkts, int count)
{
    const struct recording *r = arg;
    tr_disk_packets(r->disk, r->id, track, pkts, count);
}

static void tap_sender_report(void *arg, uint16_t track, const struct tr_tap_sr *sr)
{
    const struct recording *r = arg;
    tr_disk_sr(r->disk, r->id, track, sr);
}

static void tap_closed(void *arg)
{
    struct recording *r = arg;
    atomic_store(&r->released, true);
}

/* --- rows --- */

static void must_store(const struct tr_recorder *rec, enum tr_err err, const char *call)
{
    if (err != TR_OK && err != TR_ERR_NOTFOUND)
        tr_log(TR_LOG_ERROR, "record", "the database refused call=%s error=\"%s\"", call,
               tr_sql_error(rec->db));
}

static void row_failed(struct tr_recorder *rec, const char *call, const char *reason)
{
    rec->failed++;
    tr_log(TR_LOG_WARN, "record", "recording failed call=%s: %s", call, reason);
    must_store(rec, tr_calls_failed(rec->db, call, reason), call);
}

/* "write: No space left on device" in plain words. */
static void disk_reason(const char *error, char *out, size_t size)
{
    const char *colon = strstr(error, ": ");
    bool full = strstr(error, "No space left") || strstr(error, "quota");
    snprintf(out, size, "%s: %s", full ? "Disk full" : "Disk error", colon ? colon + 2 : error);
}

/* --- the life of a recording --- */

bool tr_recorder_valid_id(const char *id)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return n > 0 && n < TR_CALL_ID_MAX && !id[n] && id[0] != '-';
}

/* The id in the journal's headers: the bytes of a UUID, or the start of another text. */
static void call_bytes(const char *id, uint8_t out[16])
{
    bool hex = strspn(id, "0123456789abcdef") == 32 && !id[32];
    memset(out, 0, 16);
    for (int i = 0; i < 16 && (hex || id[i]); i++) {
        const char pair[3] = { hex ? id[2 * i] : 0, hex ? id[2 * i + 1] : 0, 0 };
        out[i] = hex ? (uint8_t)strtoul(pair, NULL, 16) : (uint8_t)id[i];
    }
}

static void free_recording(struct recording *r)
{
    if (r->id)
        tr_idtab_remove(r->rec->recordings, r->id);
    tr_free(r);
}

/* Everything but the row. */
static struct recording *make_recording(struct tr_recorder *rec, const char *id, const char *dir)
{
    uint8_t call[16];
    struct recording *r = tr_alloc(sizeof *r);
    if (!r)
        return NULL;
    r->rec = rec;
    r->disk = rec->disk;
    snprintf(r->call, sizeof r->call, "%s", id);
    r->id = tr_idtab_add(rec->recordings, r);
    call_bytes(id, call);
    if (!r->id || tr_disk_open(rec->disk, r->id, dir, call) != TR_OK) {
        free_recording(r);
        return NULL;
    }
    struct tr_tap tap = {
        .packets = tap_packets, .sender_report = tap_sender_report, .closed = tap_closed, .arg = r
    };
    r->tap = tr_media_tap_create(rec->media, &tap);
    if (!r->tap) { /* its journal is open: it ends like any other */
        atomic_store(&r->released, true);
        r->stopping = r->failed = true;
    }
    return r;
}

static bool disk_has_room(struct tr_recorder *rec, char *reason, size_t size)
{
    int64_t room = tr_disk_free_bytes(rec->disk);
    if (room < 0 || room >= rec->disk_min_free)
        return true;
    snprintf(reason, size, "Disk full: %" PRId64 " MB are free, and recording needs %" PRId64 " MB",
             room / 1000000, rec->disk_min_free / 1000000);
    return false;
}

tr_id tr_recorder_start(struct tr_recorder *rec, const char *id, tr_usec now)
{
    char dir[TR_RECORDER_DIR_MAX + 64], reason[160];
    if (!tr_recorder_valid_id(id)) {
        row_failed(rec, id, "The call's id cannot name a file");
        return 0;
    }
    snprintf(dir, sizeof dir, "%s/journal/%s", rec->dir, id);
    if (!disk_has_room(rec, reason, sizeof reason)) {
        row_failed(rec, id, reason);
        return 0;
    }
    enum tr_err err = tr_calls_recording(rec->db, id, dir);
    if (err != TR_OK) {
        rec->failed++;
        tr_log(TR_LOG_ERROR, "record", "not recorded, as the database refused call=%s error=\"%s\"",
               id, err == TR_ERR_NOTFOUND ? "there is no such call" : tr_sql_error(rec->db));
        return 0;
    }
    struct recording *r = make_recording(rec, id, dir);
    if (!r || r->failed) {
        row_failed(rec, id, "Too many recordings at once");
        return 0;
    }
    rec->started++;
    rec->polled_at = now;
    return r->id;
}

tr_id tr_recorder_start_new(struct tr_recorder *rec, const char *plugin, const char *label,
                            tr_usec now)
{
    struct tr_call row = { .started_us = rec->unix_us() };
    tr_call_id_make(rec->rng, row.id);
    snprintf(row.plugin, sizeof row.plugin, "%s", plugin);
    snprintf(row.caller, sizeof row.caller, "%s", label);
    enum tr_err err = tr_calls_add(rec->db, &row);
    if (err == TR_OK)
        err = tr_calls_answered(rec->db, row.id, row.started_us);
    must_store(rec, err, row.id);
    tr_id id = err == TR_OK ? tr_recorder_start(rec, row.id, now) : 0;
    struct recording *r = tr_idtab_get(rec->recordings, id);
    if (r)
        r->own_row = true;
    else if (err == TR_OK)
        must_store(rec, tr_calls_ended(rec->db, row.id, row.started_us, "not recorded"), row.id);
    return id;
}

/* The track that takes packets of this end; NULL: none. */
static struct track *find_track(struct recording *r, struct tr_media_end source)
{
    for (int i = 0; i < r->track_count; i++) {
        struct track *t = &r->tracks[i];
        if (t->route && t->source.peer == source.peer && t->source.mline == source.mline)
            return t;
    }
    return NULL;
}

static void let_go(struct tr_recorder *rec, struct track *t)
{
    tr_media_route_remove(rec->media, t->route);
    t->route = 0;
}

/* Whether an m-line has a track; one whose codec has changed since is let go. */
static bool has_track(struct tr_recorder *rec, struct recording *r, struct tr_media_end source,
                      const struct tr_meta *meta)
{
    struct track *t = find_track(r, source);
    if (t && t->pt == meta->pt && strcmp(t->codec, meta->codec) == 0)
        return true;
    if (t)
        let_go(rec, t);
    return false;
}

enum tr_err tr_recorder_track(struct tr_recorder *rec, tr_id id, struct tr_media_end source,
                              const struct tr_meta *meta, tr_usec now)
{
    char buf[TR_META_JSON_MAX];
    struct tr_slice json;
    struct recording *r = tr_idtab_get(rec->recordings, id);
    if (!r || r->stopping)
        return TR_ERR_NOTFOUND;
    if (has_track(rec, r, source, meta))
        return TR_OK;
    if (r->track_count == TR_JOURNAL_TRACKS_MAX)
        return TR_ERR_LIMIT;
    uint16_t number = (uint16_t)(r->track_count + 1);
    enum tr_err err = tr_meta_encode(meta, (struct tr_buf){ (uint8_t *)buf, sizeof buf }, &json);
    if (!err)
        err = tr_disk_meta(rec->disk, id, number, json);
    if (err)
        return err;
    struct track *t = &r->tracks[r->track_count++];
    *t = (struct track){ .source = source, .pt = meta->pt };
    snprintf(t->codec, sizeof t->codec, "%s", meta->codec);
    t->route = tr_media_tap_route(rec->media, source, r->tap, number);
    return t->route ? TR_OK : TR_ERR_NOMEM;
}

void tr_recorder_untrack(struct tr_recorder *rec, tr_id id, struct tr_media_end source)
{
    struct recording *r = tr_idtab_get(rec->recordings, id);
    struct track *t = r ? find_track(r, source) : NULL;
    if (t)
        let_go(rec, t);
}

static void close_released(struct tr_recorder *rec, struct recording *r)
{
    if (r->stopping && !r->closing && atomic_load(&r->released))
        r->closing = tr_disk_close(rec->disk, r->id) == TR_OK;
}

static void stop(struct tr_recorder *rec, struct recording *r)
{
    if (r->stopping)
        return;
    r->stopping = true;
    tr_media_tap_close(rec->media, r->tap);
    close_released(rec, r);
}

void tr_recorder_stop(struct tr_recorder *rec, tr_id id, tr_usec now)
{
    struct recording *r = tr_idtab_get(rec->recordings, id);
    if (r)
        stop(rec, r);
}

void tr_recorder_stop_all(struct tr_recorder *rec, tr_usec now)
{
    for (tr_id id = 0; (id = tr_idtab_next(rec->recordings, id));)
        stop(rec, tr_idtab_get(rec->recordings, id));
}

bool tr_recorder_idle(const struct tr_recorder *rec)
{
    return tr_idtab_count(rec->recordings) == 0;
}

/* --- reports of the disk --- */

static void journal_failed(struct tr_recorder *rec, struct recording *r, const char *error)
{
    char reason[256];
    disk_reason(error, reason, sizeof reason);
    if (!r->failed)
        row_failed(rec, r->call, reason);
    r->failed = true;
    stop(rec, r);
}

static void journal_closed(struct tr_recorder *rec, struct recording *r,
                           const struct tr_disk_report *report)
{
    if (report->dropped)
        tr_log(TR_LOG_WARN, "record", "packets are missing call=%s dropped=%" PRIu64, r->call,
               report->dropped);
    if (r->own_row)
        must_store(rec, tr_calls_ended(rec->db, r->call, rec->unix_us(), "stopped"), r->call);
    if (!r->failed && report->error[0])
        journal_failed(rec, r, report->error);
    else if (!r->failed && report->packets == 0)
        row_failed(rec, r->call, "Nothing was received from either side");
    else if (!r->failed)
        tr_renderer_enqueue(rec->renderer, r->call);
    free_recording(r);
}

static void take_report(struct tr_recorder *rec, const struct tr_disk_report *report, tr_usec now)
{
    if (report->kind == TR_DISK_PUBLISHED || report->kind == TR_DISK_REMOVED) {
        tr_renderer_report(rec->renderer, report, now);
        return;
    }
    struct recording *r = tr_idtab_get(rec->recordings, report->id);
    if (r && report->kind == TR_DISK_FAILED)
        journal_failed(rec, r, report->error);
    else if (r)
        journal_closed(rec, r, report);
}

static void poll(struct tr_recorder *rec, tr_usec now)
{
    struct tr_disk_report report;
    rec->polled_at = now;
    for (tr_id id = 0; (id = tr_idtab_next(rec->recordings, id));)
        close_released(rec, tr_idtab_get(rec->recordings, id));
    while (tr_disk_poll(rec->disk, &report))
        take_report(rec, &report, now);
}

void tr_recorder_timeout(struct tr_recorder *rec, tr_usec now)
{
    poll(rec, now);
    tr_renderer_timeout(rec->renderer, now);
}

tr_usec tr_recorder_next_timeout(const struct tr_recorder *rec)
{
    tr_usec next = tr_renderer_next_timeout(rec->renderer);
    return tr_recorder_idle(rec) ? next : tr_usec_min(next, rec->polled_at + POLL_US);
}

void tr_recorder_counters(const struct tr_recorder *rec, struct tr_recorder_counters *out)
{
    struct tr_disk_counters disk;
    struct tr_renderer_counters renders;
    tr_disk_counters(rec->disk, &disk);
    tr_renderer_counters(rec->renderer, &renders);
    *out = (struct tr_recorder_counters){
        .open = tr_idtab_count(rec->recordings),
        .rendering = renders.rendering,
        .started = rec->started,
        .failed = rec->failed,
        .rendered = renders.rendered,
        .render_failures = renders.failures,
        .packets = disk.packets,
        .packets_dropped = disk.dropped,
        .bytes = disk.bytes,
    };
}

/* --- life --- */

static int64_t system_free_bytes(const char *dir)
{
    struct statvfs st;
    if (statvfs(dir, &st) != 0)
        return -1; /* not known: let the write decide */
    return (int64_t)st.f_bavail * (int64_t)st.f_frsize;
}

static enum tr_err make_folders(const struct tr_recorder *rec, const struct tr_file_ops *ops)
{
    char path[TR_RECORDER_DIR_MAX + 16];
    snprintf(path, sizeof path, "%s/journal", rec->dir);
    if (ops->mkdir(ops, rec->dir) < 0 || ops->mkdir(ops, path) < 0)
        return TR_ERR_IO;
    return TR_OK;
}

static enum tr_err create_parts(struct tr_recorder *rec, const struct tr_recorder_conf *conf)
{
    struct tr_disk_conf disk = {
        .dir = rec->dir,
        .free_bytes = conf->free_bytes ? conf->free_bytes : system_free_bytes,
        .ops = conf->ops,
    };
    rec->recordings = tr_idtab_create(TR_RECORDINGS_MAX);
    enum tr_err err = rec->recordings ? tr_disk_create(&rec->disk, &disk) : TR_ERR_NOMEM;
    if (err)
        return err;
    struct tr_renderer_conf renderer = {
        .db = conf->db,
        .rng = conf->rng,
        .disk = rec->disk,
        .unix_us = conf->unix_us,
        .dir = rec->dir,
        .render_path = conf->render_path,
        .renders_max = conf->renders_max,
        .nice = conf->nice,
        .threads = conf->threads,
        .fps = conf->fps,
        .height = conf->height,
        .keep_originals_us = conf->keep_originals_us,
        .backoff_us = conf->backoff_us,
    };
    return tr_renderer_create(&rec->renderer, &renderer);
}

enum tr_err tr_recorder_create(struct tr_recorder **out, const struct tr_recorder_conf *conf)
{
    if (strlen(conf->dir) >= TR_RECORDER_DIR_MAX || strlen(conf->render_path) >= TR_CALL_PATH_MAX)
        return TR_ERR_INVAL;
    struct tr_recorder *rec = tr_alloc(sizeof *rec);
    if (!rec)
        return TR_ERR_NOMEM;
    rec->media = conf->media;
    rec->db = conf->db;
    rec->rng = conf->rng;
    rec->unix_us = conf->unix_us;
    rec->disk_min_free = conf->disk_min_free;
    snprintf(rec->dir, sizeof rec->dir, "%s", conf->dir);
    enum tr_err err = make_folders(rec, conf->ops ? conf->ops : &tr_file_ops_system);
    if (!err)
        err = create_parts(rec, conf);
    if (err) {
        tr_recorder_destroy(rec);
        return err;
    }
    *out = rec;
    return TR_OK;
}

void tr_recorder_destroy(struct tr_recorder *rec)
{
    if (!rec)
        return;
    tr_renderer_destroy(rec->renderer);
    tr_disk_destroy(rec->disk);
    for (tr_id id; rec->recordings && (id = tr_idtab_next(rec->recordings, 0));) {
        struct recording *r = tr_idtab_get(rec->recordings, id);
        TR_ASSERT(atomic_load(&r->released)); /* else a worker may still call it */
        free_recording(r);
    }
    tr_idtab_destroy(rec->recordings);
    tr_free(rec);
}

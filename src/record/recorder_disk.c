/* The disk thread.
 *
 * One mailbox carries everything, so that a META comes before its packets and a close after the
 * last one. A turn takes what is in it, flushes all journals every 250 ms, and syncs at most one
 * journal: on a slow disk syncs become rarer, and the queue is emptied between two of them.
 *
 * A journal is named by the recording's id; its slot in the table says whether that id is still
 * the one that is open. Packets for another id are dropped and counted.
 *
 * Packets are counted while they wait: the pools of the media workers are sized for what is in
 * flight, and a disk that stalls for a second must not keep all of it. */
#include "record/recorder_disk.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/clock.h"
#include "net/log.h"
#include "net/mailbox.h"
#include "net/thread.h"
#include "net/waiter.h"
#include "peer/rtp_meta.h"
#include "record/recorder.h"

enum {
    RUN_MAX = 24,      /* packets of a message */
    TURN_MAX = 1024,   /* messages of a turn */
    REPORTS_MAX = 256, /* slots; more wait in the outbox */
    RTP_HEADER = 12
};
#define FLUSH_US (250 * TR_MSEC)
#define SYNC_US (1 * TR_SECOND)
#define SPACE_US (3 * TR_SECOND)

enum kind { OPEN, META, PACKETS, SENDER_REPORT, CLOSE, PUBLISH, REMOVE, CLEAN, WAKE };

struct texts { /* owned by the message */
    uint8_t call[16];
    int64_t bytes; /* CLEAN: of the product */
    size_t len;
    char *second; /* in text */
    char text[];
};

struct message {
    uint8_t kind;
    uint8_t count;
    uint16_t track;
    uint64_t id;
    union {
        struct tr_pkt *pkts[RUN_MAX];
        struct tr_tap_sr sr;
        struct texts *texts;
    } u;
};

struct slot {
    tr_id id; /* 0: free */
    struct tr_journal *journal;
    bool told; /* that it failed */
    tr_usec synced_at;
    uint64_t packets, bytes;
    uint64_t drops_noted;
    _Atomic uint64_t dropped; /* by the media workers */
};

struct tr_disk {
    struct tr_disk_conf conf;
    char dir[TR_JOURNAL_PATH_MAX];
    struct tr_mailbox *in;
    struct tr_mailbox *out;
    struct tr_outbox to_disk; /* of the control thread */
    struct tr_outbox reports; /* of the disk thread */
    struct tr_thread thread;
    int waiter;
    tr_usec flush_at, space_at;
    uint32_t sync_next; /* place in open[] */
    uint32_t open_count;
    uint32_t open[TR_RECORDINGS_MAX]; /* slots in use */
    _Atomic bool stop;
    _Atomic int64_t free_bytes;
    _Atomic uint32_t held; /* packets that wait */
    _Atomic uint64_t packets, dropped, bytes;
    struct slot slots[TR_RECORDINGS_MAX];
};

/* --- disk thread: reports --- */

static void report(struct tr_disk *d, const struct tr_disk_report *r)
{
    if (tr_outbox_post(&d->reports, r) != TR_OK)
        tr_log(TR_LOG_ERROR, "record", "no memory to report on a recording");
}

static void tell_failed(struct tr_disk *d, struct slot *s, const char *error)
{
    struct tr_disk_report r = { .kind = TR_DISK_FAILED, .id = s->id };
    snprintf(r.error, sizeof r.error, "%s", error);
    s->told = true;
    report(d, &r);
}

static void check_failed(struct tr_disk *d, struct slot *s)
{
    if (s->journal && !s->told && tr_journal_failed(s->journal))
        tell_failed(d, s, tr_journal_error(s->journal));
}

static void tell_done(struct tr_disk *d, enum tr_disk_kind kind, uint64_t cookie, int result)
{
    struct tr_disk_report r = { .kind = kind, .id = cookie };
    if (result < 0)
        snprintf(r.error, sizeof r.error, "%s", strerrordesc_np(-result));
    report(d, &r);
}

/* --- disk thread: journals --- */

static struct slot *slot_of(struct tr_disk *d, tr_id id)
{
    TR_ASSERT(id != 0 && tr_id_slot(id) < TR_RECORDINGS_MAX);
    return &d->slots[tr_id_slot(id)];
}

static struct slot *open_slot(struct tr_disk *d, tr_id id)
{
    struct slot *s = slot_of(d, id);
    return s->id == id ? s : NULL;
}

static void open_journal(struct tr_disk *d, tr_id id, const struct texts *t)
{
    struct slot *s = slot_of(d, id);
    struct tr_journal_conf conf = { .dir = t->text, .ops = d->conf.ops };
    const char *reason;
    memcpy(conf.call, t->call, sizeof conf.call);
    TR_ASSERT(s->id == 0 && d->open_count < TR_RECORDINGS_MAX);
    s->id = id;
    s->journal = NULL;
    s->told = false;
    s->packets = s->bytes = s->drops_noted = 0;
    s->synced_at = tr_clock_now();
    d->open[d->open_count++] = tr_id_slot(id);
    enum tr_err err =
        tr_journal_open(&s->journal, &conf, s->synced_at, tr_clock_unix_us(), &reason);
    if (err != TR_OK)
        tell_failed(d, s, reason[0] ? reason : tr_err_str(err));
}

static void count_bytes(struct tr_disk *d, struct slot *s)
{
    uint64_t bytes = tr_journal_stats(s->journal).bytes;
    atomic_fetch_add_explicit(&d->bytes, bytes - s->bytes, memory_order_relaxed);
    s->bytes = bytes;
}

/* The journal says itself where it has gaps that no network made. */
static void note_drops(struct slot *s)
{
    char json[64];
    uint64_t dropped = atomic_load_explicit(&s->dropped, memory_order_relaxed);
    if (dropped == s->drops_noted)
        return;
    int n = snprintf(json, sizeof json, "{\"event\":\"dropped\",\"packets\":%llu}",
                     (unsigned long long)(dropped - s->drops_noted));
    s->drops_noted = dropped;
    tr_journal_event(s->journal, tr_clock_now(), 0, tr_slice(json, (size_t)n));
}

static void close_journal(struct tr_disk *d, struct slot *s)
{
    struct tr_disk_report r = { .kind = TR_DISK_CLOSED, .id = s->id, .packets = s->packets };
    if (s->journal) {
        note_drops(s);
        tr_journal_flush(s->journal, tr_clock_now(), tr_clock_unix_us());
        count_bytes(d, s);
        check_failed(d, s);
        r.dropped = tr_journal_stats(s->journal).dropped;
        if (tr_journal_close(s->journal, tr_clock_now(), tr_clock_unix_us()) != TR_OK && !s->told)
            snprintf(r.error, sizeof r.error, "the journal could not be completed");
        s->journal = NULL;
    }
    r.dropped += atomic_load_explicit(&s->dropped, memory_order_relaxed);
    for (uint32_t i = 0; i < d->open_count; i++) {
        if (d->open[i] == tr_id_slot(s->id)) {
            d->open[i] = d->open[--d->open_count];
            break;
        }
    }
    s->id = 0;
    report(d, &r);
}

/* The packet holds the payload alone; the header is made again of what its meta kept. */
static bool write_packet(struct tr_journal *j, uint16_t track, const struct tr_pkt *pkt)
{
    uint8_t buf[RTP_HEADER + TR_PKT_BYTES];
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    struct tr_slice payload = tr_pkt_slice(pkt);
    buf[0] = 0x80;
    buf[1] = (uint8_t)((m->flags & TR_RTP_MARKER ? 0x80 : 0) | (m->pt & 0x7f));
    tr_put16(buf + 2, (uint16_t)m->ext_seq);
    tr_put32(buf + 4, m->ts);
    tr_put32(buf + 8, m->ssrc);
    memcpy(buf + RTP_HEADER, payload.p, payload.n);
    return tr_journal_rtp(j, pkt->recv_us, track, (uint64_t)m->ext_seq,
                          tr_slice(buf, RTP_HEADER + payload.n)) == TR_OK;
}

static void take_packets(struct tr_disk *d, struct message *m)
{
    struct slot *s = open_slot(d, m->id);
    uint64_t written = 0;
    for (int i = 0; i < m->count; i++) {
        if (s && s->journal && write_packet(s->journal, m->track, m->u.pkts[i]))
            written++;
        tr_pkt_unref(&m->u.pkts[i]);
    }
    atomic_fetch_sub_explicit(&d->held, m->count, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->packets, written, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->dropped, m->count - written, memory_order_relaxed);
    if (!s)
        return;
    s->packets += written;
    check_failed(d, s);
}

static void take_journal(struct tr_disk *d, const struct message *m)
{
    struct slot *s = open_slot(d, m->id);
    if (m->kind == OPEN)
        open_journal(d, m->id, m->u.texts);
    else if (s && m->kind == CLOSE)
        close_journal(d, s);
    else if (s && s->journal && m->kind == META)
        tr_journal_meta(s->journal, tr_clock_now(), m->track,
                        tr_slice(m->u.texts->text, m->u.texts->len));
    else if (s && s->journal)
        tr_journal_sr(s->journal, m->u.sr.recv_us, m->track, m->u.sr.ssrc, m->u.sr.ntp,
                      m->u.sr.rtp_ts);
    if (open_slot(d, m->id))
        check_failed(d, slot_of(d, m->id));
}

/* --- disk thread: files --- */

static int remove_journal(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    int r = 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (strncmp(e->d_name, "seg-", 4) == 0 && unlinkat(dirfd(dir), e->d_name, 0) != 0)
            r = -errno;
    }
    closedir(dir);
    return rmdir(path) == 0 ? 0 : r ? r : -errno;
}

/* Writers put their file together under a longer name; what a killed one left goes as well. */
static int remove_begins(const char *path)
{
    char folder[TR_JOURNAL_PATH_MAX];
    const char *base = strrchr(path, '/');
    size_t n = base ? (size_t)(base - path) : sizeof folder;
    if (n >= sizeof folder || !base[1])
        return -EINVAL;
    memcpy(folder, path, n);
    folder[n] = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    int r = 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (strncmp(e->d_name, base + 1, strlen(base + 1)) == 0 &&
            unlinkat(dirfd(dir), e->d_name, 0) != 0)
            r = -errno;
    }
    closedir(dir);
    return r;
}

int tr_disk_remove_path(const char *path)
{
    struct stat st;
    bool folder = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
    return folder ? remove_journal(path) : remove_begins(path);
}

/* The last look before originals go: a product may have been moved or cut since it was verified. */
static void clean(struct tr_disk *d, uint64_t cookie, const struct texts *t)
{
    struct stat st;
    if (stat(t->second, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == t->bytes) {
        tell_done(d, TR_DISK_REMOVED, cookie, tr_disk_remove_path(t->text));
        return;
    }
    struct tr_disk_report r = { .kind = TR_DISK_REMOVED, .id = cookie };
    snprintf(r.error, sizeof r.error, "the finished file is not there, or not whole");
    report(d, &r);
}

static int publish(const struct tr_disk *d, const char *from, const char *to)
{
    int r = d->conf.ops->rename(d->conf.ops, from, to);
    return r < 0 ? r : d->conf.ops->sync_dir(d->conf.ops, d->dir);
}

/* --- disk thread: turns --- */

static void take(struct tr_disk *d, struct message *m)
{
    bool texts = false;
    switch ((enum kind)m->kind) {
    case OPEN:
    case META:
        take_journal(d, m);
        texts = true;
        break;
    case SENDER_REPORT:
    case CLOSE: take_journal(d, m); break;
    case PACKETS: take_packets(d, m); break;
    case PUBLISH:
        tell_done(d, TR_DISK_PUBLISHED, m->id, publish(d, m->u.texts->text, m->u.texts->second));
        texts = true;
        break;
    case REMOVE:
        tell_done(d, TR_DISK_REMOVED, m->id, tr_disk_remove_path(m->u.texts->text));
        texts = true;
        break;
    case CLEAN:
        clean(d, m->id, m->u.texts);
        texts = true;
        break;
    case WAKE: break;
    }
    if (texts)
        tr_free(m->u.texts);
}

static bool drain(struct tr_disk *d)
{
    struct message m;
    for (int i = 0; i < TURN_MAX; i++) {
        if (!tr_mailbox_take(d->in, &m))
            return i > 0;
        take(d, &m);
    }
    return true;
}

static void flush_all(struct tr_disk *d)
{
    for (uint32_t i = 0; i < d->open_count; i++) {
        struct slot *s = &d->slots[d->open[i]];
        if (!s->journal)
            continue;
        note_drops(s);
        tr_journal_flush(s->journal, tr_clock_now(), tr_clock_unix_us());
        count_bytes(d, s);
        check_failed(d, s);
    }
}

/* Syncs the next journal that is due; false: none is. */
static bool sync_one(struct tr_disk *d, tr_usec now)
{
    for (uint32_t i = 0; i < d->open_count; i++) {
        struct slot *s = &d->slots[d->open[d->sync_next++ % d->open_count]];
        if (!s->journal || now - s->synced_at < SYNC_US)
            continue;
        s->synced_at = now;
        tr_journal_sync(s->journal, now);
        check_failed(d, s);
        return true;
    }
    return false;
}

static void wait_for_more(struct tr_disk *d, tr_usec now)
{
    tr_usec until = d->reports.head ? now + 10 * TR_MSEC : d->space_at;
    if (d->open_count > 0)
        until = tr_usec_min(until, d->flush_at);
    if (!tr_mailbox_sleep(d->in))
        return;
    if (!atomic_load(&d->stop))
        tr_waiter_wait(d->waiter, until > now ? until - now : 0);
    tr_mailbox_awake(d->in);
}

static void disk_run(void *arg)
{
    struct tr_disk *d = arg;
    while (!atomic_load(&d->stop)) {
        bool busy = drain(d);
        tr_usec now = tr_clock_now();
        if (now >= d->flush_at) {
            flush_all(d);
            d->flush_at = now + FLUSH_US;
        }
        if (now >= d->space_at) {
            atomic_store(&d->free_bytes, d->conf.free_bytes(d->dir));
            d->space_at = now + SPACE_US;
        }
        busy = sync_one(d, now) || busy;
        tr_outbox_flush(&d->reports);
        if (!busy)
            wait_for_more(d, now);
    }
}

/* --- control thread --- */

static enum tr_err post(struct tr_disk *d, const struct message *m)
{
    return tr_outbox_post(&d->to_disk, m);
}

struct more { /* beside the first text */
    const char *second;
    const uint8_t *call;
    int64_t bytes;
};

/* A message with a copy of one or two texts. */
static enum tr_err post_texts(struct tr_disk *d, struct message m, struct tr_slice first,
                              const struct more *also)
{
    const char *second = also->second;
    size_t more = second ? strlen(second) + 1 : 0;
    struct texts *t = tr_alloc(sizeof *t + first.n + 1 + more);
    if (!t)
        return TR_ERR_NOMEM;
    t->len = first.n;
    memcpy(t->text, first.p, first.n);
    t->second = t->text + first.n + 1;
    if (second)
        memcpy(t->second, second, more);
    if (also->call)
        memcpy(t->call, also->call, sizeof t->call);
    t->bytes = also->bytes;
    m.u.texts = t;
    enum tr_err err = post(d, &m);
    if (err)
        tr_free(t);
    return err;
}

enum tr_err tr_disk_open(struct tr_disk *d, tr_id id, const char *dir, const uint8_t call[16])
{
    atomic_store(&slot_of(d, id)->dropped, 0);
    struct message m = { .kind = OPEN, .id = id };
    return post_texts(d, m, tr_slice_str(dir), &(struct more){ .call = call });
}

enum tr_err tr_disk_meta(struct tr_disk *d, tr_id id, uint16_t track, struct tr_slice json)
{
    struct message m = { .kind = META, .id = id, .track = track };
    return post_texts(d, m, json, &(struct more){ .second = NULL });
}

enum tr_err tr_disk_close(struct tr_disk *d, tr_id id)
{
    return post(d, &(struct message){ .kind = CLOSE, .id = id });
}

enum tr_err tr_disk_publish(struct tr_disk *d, uint64_t cookie, const char *from, const char *to)
{
    struct message m = { .kind = PUBLISH, .id = cookie };
    return post_texts(d, m, tr_slice_str(from), &(struct more){ .second = to });
}

enum tr_err tr_disk_remove(struct tr_disk *d, uint64_t cookie, const char *path)
{
    struct message m = { .kind = REMOVE, .id = cookie };
    return post_texts(d, m, tr_slice_str(path), &(struct more){ .second = NULL });
}

enum tr_err tr_disk_clean(struct tr_disk *d, uint64_t cookie, const char *journal,
                          const char *product, int64_t bytes)
{
    struct message m = { .kind = CLEAN, .id = cookie };
    return post_texts(d, m, tr_slice_str(journal),
                      &(struct more){ .second = product, .bytes = bytes });
}

bool tr_disk_poll(struct tr_disk *d, struct tr_disk_report *r)
{
    tr_outbox_flush(&d->to_disk);
    return tr_mailbox_take(d->out, r);
}

int64_t tr_disk_free_bytes(const struct tr_disk *d)
{
    return atomic_load(&d->free_bytes);
}

void tr_disk_counters(const struct tr_disk *d, struct tr_disk_counters *out)
{
    out->packets = atomic_load_explicit(&d->packets, memory_order_relaxed);
    out->dropped = atomic_load_explicit(&d->dropped, memory_order_relaxed);
    out->bytes = atomic_load_explicit(&d->bytes, memory_order_relaxed);
}

/* --- media workers --- */

static void count_drops(struct tr_disk *d, tr_id id, int count)
{
    atomic_fetch_add_explicit(&slot_of(d, id)->dropped, (unsigned)count, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->dropped, (unsigned)count, memory_order_relaxed);
}

static void post_run(struct tr_disk *d, tr_id id, uint16_t track, struct tr_pkt *const *pkts,
                     unsigned n)
{
    struct message m = { .kind = PACKETS, .count = (uint8_t)n, .track = track, .id = id };
    uint32_t held = atomic_fetch_add_explicit(&d->held, n, memory_order_relaxed);
    for (unsigned i = 0; i < n; i++)
        m.u.pkts[i] = tr_pkt_ref(pkts[i]);
    if (held + n <= TR_DISK_PACKETS_MAX && tr_mailbox_post(d->in, &m) == TR_OK)
        return;
    for (unsigned i = 0; i < n; i++)
        tr_pkt_unref(&m.u.pkts[i]);
    atomic_fetch_sub_explicit(&d->held, n, memory_order_relaxed);
    count_drops(d, id, (int)n);
}

void tr_disk_packets(struct tr_disk *d, tr_id id, uint16_t track, struct tr_pkt *const *pkts,
                     int count)
{
    for (int at = 0; at < count; at += RUN_MAX)
        post_run(d, id, track, pkts + at, (unsigned)(count - at < RUN_MAX ? count - at : RUN_MAX));
}

void tr_disk_sr(struct tr_disk *d, tr_id id, uint16_t track, const struct tr_tap_sr *sr)
{
    struct message m = { .kind = SENDER_REPORT, .track = track, .id = id, .u.sr = *sr };
    if (tr_mailbox_post(d->in, &m) != TR_OK)
        count_drops(d, id, 1);
}

/* --- life --- */

static enum tr_err start(struct tr_disk *d)
{
    d->in = tr_mailbox_create(TR_RECORDER_QUEUE, sizeof(struct message), NULL, NULL);
    d->out = tr_mailbox_create(REPORTS_MAX, sizeof(struct tr_disk_report), NULL, NULL);
    d->waiter = tr_waiter_open();
    if (!d->in || !d->out || d->waiter < 0)
        return TR_ERR_NOMEM;
    tr_outbox_init(&d->to_disk, d->in);
    tr_outbox_init(&d->reports, d->out);
    enum tr_err err = tr_waiter_add(d->waiter, tr_mailbox_fd(d->in), 0);
    return err ? err : tr_thread_start(&d->thread, "tring-disk", disk_run, d);
}

enum tr_err tr_disk_create(struct tr_disk **out, const struct tr_disk_conf *conf)
{
    struct tr_disk *d = tr_alloc(sizeof *d);
    if (!d)
        return TR_ERR_NOMEM;
    d->conf = *conf;
    if (!d->conf.ops)
        d->conf.ops = &tr_file_ops_system;
    snprintf(d->dir, sizeof d->dir, "%s", conf->dir);
    d->waiter = -1;
    atomic_store(&d->free_bytes, d->conf.free_bytes(d->dir));
    enum tr_err err = start(d);
    if (err) {
        tr_disk_destroy(d);
        return err;
    }
    *out = d;
    return TR_OK;
}

/* After the thread: what was handed over and not taken, and the journals that are open. */
static void finish(struct tr_disk *d)
{
    do {
        while (drain(d)) {
        }
    } while (!tr_outbox_flush(&d->to_disk));
    while (drain(d)) {
    }
    while (d->open_count > 0)
        close_journal(d, &d->slots[d->open[0]]);
}

void tr_disk_destroy(struct tr_disk *d)
{
    if (!d)
        return;
    if (d->thread.started) {
        atomic_store(&d->stop, true);
        /* Full: then it is awake. */
        (void)!tr_mailbox_post(d->in, &(struct message){ .kind = WAKE });
        tr_thread_join(&d->thread);
        finish(d);
    }
    tr_outbox_deinit(&d->to_disk);
    tr_outbox_deinit(&d->reports);
    if (d->waiter >= 0)
        tr_waiter_close(d->waiter);
    tr_mailbox_destroy(d->in);
    tr_mailbox_destroy(d->out);
    tr_free(d);
}

/* Parts that the tests of the recorder share (recorder_test.h). */
#include "record/recorder_test.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/random.h"
#include "peer/rtp_meta.h"
#include "record/reader.h"
#include "rtp/rtp.h"
#include "unit.h"

enum { WAIT_MS = 10000, TAPS_MAX = 16 };

const struct tr_meta desk_opus = {
    .kind = TR_META_AUDIO, .codec = "opus", .pt = 111, .clock = 48000, .channels = 2
};

/* --- the double of the engine --- */

static struct fake {
    struct tr_tap tap;
    bool used, closing;
    int routes;
} taps[TAPS_MAX];
static bool holding;

tr_id tr_media_tap_create(struct tr_media *media, const struct tr_tap *tap)
{
    for (int i = 0; i < TAPS_MAX; i++) {
        if (!taps[i].used) {
            taps[i] = (struct fake){ .tap = *tap, .used = true };
            return (tr_id)i + 1;
        }
    }
    return 0;
}

tr_id tr_media_tap_route(struct tr_media *media, struct tr_media_end source, tr_id tap,
                         uint16_t track)
{
    taps[tap - 1].routes++;
    return tap * 1000 + track;
}

void tr_media_route_remove(struct tr_media *media, tr_id route)
{
    taps[route / 1000 - 1].routes--;
}

static void let_go(struct fake *f)
{
    if (!f->closing || holding)
        return;
    f->used = f->closing = false;
    f->tap.closed(f->tap.arg);
}

void tr_media_tap_close(struct tr_media *media, tr_id tap)
{
    taps[tap - 1].closing = true;
    taps[tap - 1].routes = 0;
    let_go(&taps[tap - 1]);
}

struct tr_tap *fake_tap(void)
{
    for (int i = TAPS_MAX - 1; i >= 0; i--) {
        if (taps[i].used && !taps[i].closing)
            return &taps[i].tap;
    }
    return NULL;
}

int fake_routes(void)
{
    int n = 0;
    for (int i = 0; i < TAPS_MAX; i++)
        n += taps[i].used ? taps[i].routes : 0;
    return n;
}

void fake_hold(bool hold)
{
    holding = hold;
    for (int i = 0; i < TAPS_MAX && !hold; i++)
        let_go(&taps[i]);
}

/* --- the desk --- */

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char full[600];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(full, sizeof full, "%s/%s", path, e->d_name);
        if (unlink(full) != 0)
            remove_tree(full);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

void desk_open(struct desk *d)
{
    char path[128];
    memset(d, 0, sizeof *d);
    memset(taps, 0, sizeof taps);
    strcpy(d->dir, "/tmp/tring-desk-XXXXXX");
    CHECK(mkdtemp(d->dir) != NULL);
    snprintf(path, sizeof path, "%s/db", d->dir);
    snprintf(d->render, sizeof d->render, "%s/render", d->dir);
    CHECK(tr_sql_open(&d->db, path) == TR_OK);
    CHECK(tr_calls_init(d->db) == TR_OK);
    d->rng = tr_random_system();
    d->pool = tr_pkt_pool_create(65536);
    d->conf = (struct tr_recorder_conf){
        .db = d->db,
        .rng = &d->rng,
        .unix_us = tr_clock_unix_us,
        .dir = d->dir,
        .render_path = d->render,
        .keep_originals_us = 3600 * TR_SECOND,
        .backoff_us = 1 * TR_MSEC,
    };
    desk_script(d, "exit 1");
}

void desk_start(struct desk *d)
{
    CHECK(tr_recorder_create(&d->rec, &d->conf) == TR_OK);
    CHECK(tr_recorder_recover(d->rec, tr_clock_now()) == TR_OK);
}

void desk_stop(struct desk *d)
{
    tr_recorder_stop_all(d->rec, tr_clock_now());
    CHECK(desk_wait_idle(d));
    tr_recorder_destroy(d->rec);
    d->rec = NULL;
}

/* The journals get an END all the same, which is cut off again; nothing else was told to the
 * rows. */
void desk_crash(struct desk *d)
{
    for (int i = 0; i < TAPS_MAX; i++)
        taps[i].closing = taps[i].used;
    fake_hold(false);
    tr_recorder_destroy(d->rec);
    d->rec = NULL;
}

void desk_close(struct desk *d)
{
    if (d->rec)
        desk_stop(d);
    tr_sql_close(d->db);
    CHECK_INT(tr_pkt_pool_in_use(d->pool), 0);
    tr_pkt_pool_destroy(d->pool);
    remove_tree(d->dir);
}

void desk_script(struct desk *d, const char *lines)
{
    char tmp[128];
    snprintf(tmp, sizeof tmp, "%s.new", d->render);
    FILE *f = fopen(tmp, "w");
    CHECK(f != NULL);
    fprintf(f,
            "#!/bin/sh\n"
            "verify=0\n"
            "while [ $# -gt 0 ]; do case $1 in\n"
            "-o) out=$2; shift;; --verify) verify=1; out=$2; shift;;\n"
            "--expect-ms) expect=$2; shift;; --*-fd|--height|--fps|--threads) shift;;\n"
            "--) journal=$2; shift;; esac; shift; done\n"
            "%s\n",
            lines);
    fclose(f);
    chmod(tmp, 0700);
    CHECK(rename(tmp, d->render) == 0);
}

void desk_call(struct desk *d, const char *id, const char *caller, const char *callee)
{
    struct tr_call row = { .started_us = tr_clock_unix_us() };
    snprintf(row.id, sizeof row.id, "%s", id);
    snprintf(row.plugin, sizeof row.plugin, "videocall");
    snprintf(row.caller, sizeof row.caller, "%s", caller);
    snprintf(row.callee, sizeof row.callee, "%s", callee);
    CHECK(tr_calls_add(d->db, &row) == TR_OK);
}

struct tr_call desk_row(struct desk *d, const char *id)
{
    struct tr_call row = { .rec = TR_CALL_REC_NONE };
    CHECK(tr_calls_get(d->db, id, &row) == TR_OK);
    return row;
}

bool desk_wait(struct desk *d, const char *id, enum tr_call_rec rec)
{
    for (int ms = 0; ms < WAIT_MS; ms += 5) {
        struct tr_call row = desk_row(d, id);
        if (row.rec == rec)
            return true;
        tr_recorder_timeout(d->rec, tr_clock_now());
        tr_clock_sleep(5 * TR_MSEC);
    }
    return false;
}

bool desk_wait_idle(struct desk *d)
{
    for (int ms = 0; ms < WAIT_MS && !tr_recorder_idle(d->rec); ms += 2) {
        tr_recorder_timeout(d->rec, tr_clock_now());
        tr_clock_sleep(2 * TR_MSEC);
    }
    return tr_recorder_idle(d->rec);
}

struct tr_pkt *desk_packet(struct desk *d, uint32_t ssrc, int64_t seq, uint32_t ts, size_t size)
{
    struct tr_pkt *pkt = tr_pkt_alloc(d->pool);
    CHECK(pkt != NULL);
    pkt->len = (uint16_t)size;
    pkt->recv_us = tr_clock_now();
    memset(tr_pkt_data(pkt), (int)(seq & 0xff), size);
    *tr_rtp_meta(pkt) = (struct tr_rtp_meta){ .ext_seq = seq, .ts = ts, .ssrc = ssrc, .pt = 111 };
    return pkt;
}

void desk_feed(struct desk *d, uint16_t track, int packets)
{
    const struct tr_tap *tap = fake_tap();
    for (int i = 0; i < packets && tap; i++) {
        struct tr_pkt *pkt = desk_packet(d, 7, i, (uint32_t)i * 960, 50);
        tap->packets(tap->arg, track, &pkt, 1);
        tr_pkt_unref(&pkt);
    }
}

static void replay_track(struct desk *d, tr_id recording, const struct tr_record *record,
                         uint16_t tracks[], int *count)
{
    struct tr_meta meta;
    for (int i = 0; i < *count; i++) {
        if (tracks[i] == record->track)
            return;
    }
    CHECK(tr_meta_decode(&meta, record->payload) == TR_OK);
    tracks[(*count)++] = record->track;
    struct tr_media_end end = { (tr_id)record->track + 100, 0 };
    CHECK(tr_recorder_track(d->rec, recording, end, &meta, tr_clock_now()) == TR_OK);
}

static void replay_packet(struct desk *d, uint16_t track, tr_usec at,
                          const struct tr_record *record)
{
    struct tr_rtp h;
    struct tr_pkt *pkt = tr_pkt_alloc(d->pool);
    CHECK(pkt && tr_rtp_parse(&h, record->payload) == TR_OK);
    pkt->recv_us = at;
    pkt->len = (uint16_t)(record->payload.n - h.hdr_len);
    memcpy(tr_pkt_data(pkt), record->payload.p + h.hdr_len, pkt->len);
    *tr_rtp_meta(pkt) =
        (struct tr_rtp_meta){ .ext_seq = h.seq, /* synthetic journals have no more */
                              .ts = h.ts,
                              .ssrc = h.ssrc,
                              .pt = h.pt,
                              .flags = h.marker ? TR_RTP_MARKER : 0 };
    fake_tap()->packets(fake_tap()->arg, track, &pkt, 1);
    tr_pkt_unref(&pkt);
}

int desk_replay(struct desk *d, tr_id recording, const char *journal)
{
    struct tr_reader *reader;
    struct tr_record r;
    uint16_t tracks[TR_JOURNAL_TRACKS_MAX], track;
    int count = 0, packets = 0;
    tr_usec shift = 0;
    if (!CHECK(tr_reader_open(&reader, &journal, 1) == TR_OK))
        return 0;
    while (tr_reader_next(reader, &r)) {
        shift = shift ? shift : tr_clock_now() - r.recv_us;
        for (track = 1; track <= count && tracks[track - 1] != r.track; track++) {
        }
        struct tr_tap_sr sr = { .recv_us = r.recv_us + shift };
        if (r.type == TR_JOURNAL_META)
            replay_track(d, recording, &r, tracks, &count);
        else if (r.type == TR_JOURNAL_SR && tr_record_sr(&r, &sr.ssrc, &sr.ntp, &sr.rtp_ts))
            fake_tap()->sender_report(fake_tap()->arg, track, &sr);
        else if (r.type == TR_JOURNAL_RTP)
            replay_packet(d, track, r.recv_us + shift, &r);
        packets += r.type == TR_JOURNAL_RTP;
    }
    tr_reader_close(reader);
    return packets;
}

bool desk_file_exists(struct desk *d, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", d->dir, name);
    return access(path, F_OK) == 0;
}

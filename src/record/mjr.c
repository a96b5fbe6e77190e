/* One walk over the journal; a track's file is opened by its first packet, under a name that ends
 * in .part until all of it is written. */
#include "record/mjr.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "record/journal.h"
#include "record/meta.h"
#include "record/reader.h"

enum { PATH_BYTES = 512, RTP_MAX = UINT16_MAX };

struct mjr {
    bool known; /* meta is valid */
    struct tr_meta meta;
    FILE *file; /* NULL: no packet yet, or failed */
    bool failed;
    tr_usec first_us;
    char path[PATH_BYTES];
};

struct export
{
    const char *dir;
    int64_t wall_off; /* Unix microseconds minus the journal's clock */
    tr_usec start_us;
    struct mjr tracks[TR_JOURNAL_TRACKS_MAX];
    uint32_t files;
};

static char last_failed[PATH_BYTES];

static void part_name(const struct mjr *m, char out[PATH_BYTES + 8])
{
    snprintf(out, PATH_BYTES + 8, "%s.part", m->path);
}

static void give_up(struct mjr *m)
{
    char part[PATH_BYTES + 8];
    part_name(m, part);
    if (m->file)
        fclose(m->file);
    remove(part);
    m->file = NULL;
    m->failed = true;
    memcpy(last_failed, m->path, sizeof last_failed);
}

/* A label is a stranger's text; as part of a file's name it keeps letters and digits. */
static void name_in(const struct export *e, uint16_t track, struct mjr *m)
{
    char label[sizeof m->meta.label];
    size_t n = 0;
    for (const char *s = m->meta.label; *s; s++)
        label[n++] = isalnum((unsigned char)*s) || *s == '-' ? *s : '_';
    label[n] = '\0';
    snprintf(m->path, sizeof m->path, "%s/%s-%s-%u.mjr", e->dir, label[0] ? label : "track",
             m->meta.kind == TR_META_VIDEO ? "video" : "audio", track);
}

static void take_meta(struct export *e, const struct tr_record *rec)
{
    struct mjr *m = rec->track < TR_JOURNAL_TRACKS_MAX ? &e->tracks[rec->track] : NULL;
    struct tr_meta meta;
    if (!m || m->known || tr_meta_decode(&meta, rec->payload) != TR_OK)
        return;
    m->known = meta.kind != TR_META_DATA;
    m->meta = meta;
    if (e->dir)
        name_in(e, rec->track, m);
    else if (meta.mjr[0])
        snprintf(m->path, sizeof m->path, "%s", meta.mjr);
    else
        m->known = false;
}

static void put(FILE *f, const void *p, size_t n)
{
    (void)!fwrite(p, 1, n, f); /* ferror tells at the end */
}

static void put_header(const struct export *e, struct mjr *m)
{
    char codec[sizeof m->meta.codec], text[512];
    uint8_t len[2];
    for (size_t i = 0; i < sizeof codec; i++)
        codec[i] = (char)tolower((unsigned char)m->meta.codec[i]);
    json_t *o = json_pack("{s:s,s:s,s:I,s:I}", "t", m->meta.kind == TR_META_VIDEO ? "v" : "a", "c",
                          codec, "s", (json_int_t)(e->start_us + e->wall_off), "u",
                          (json_int_t)(m->first_us + e->wall_off));
    if (o && m->meta.fmtp[0])
        json_object_set_new(o, "f", json_string(m->meta.fmtp));
    size_t n = json_dumpb(o, text, sizeof text, JSON_COMPACT);
    json_decref(o);
    if (n == 0 || n > sizeof text) {
        give_up(m);
        return;
    }
    tr_put16(len, (uint16_t)n);
    put(m->file, "MJR00002", 8);
    put(m->file, len, sizeof len);
    put(m->file, text, n);
}

static void open_file(struct export *e, struct mjr *m, tr_usec first_us)
{
    char part[PATH_BYTES + 8], *slash = strrchr(m->path, '/');
    if (slash && slash != m->path) {
        *slash = '\0';
        (void)!mkdir(m->path, 0750); /* opening the file tells whether it is there */
        *slash = '/';
    }
    part_name(m, part);
    m->file = fopen(part, "wb");
    m->first_us = first_us;
    if (m->file)
        put_header(e, m);
    else
        give_up(m);
}

static void take_packet(struct export *e, const struct tr_record *rec)
{
    struct mjr *m = rec->track < TR_JOURNAL_TRACKS_MAX ? &e->tracks[rec->track] : NULL;
    uint8_t head[10] = { 'M', 'E', 'E', 'T' };
    if (!m || !m->known || m->failed || rec->payload.n > RTP_MAX)
        return;
    if (!m->file)
        open_file(e, m, rec->recv_us);
    if (!m->file)
        return;
    tr_usec since = rec->recv_us - m->first_us;
    tr_put32(head + 4, since > 0 ? (uint32_t)(since / TR_MSEC) : 0);
    tr_put16(head + 8, (uint16_t)rec->payload.n);
    put(m->file, head, sizeof head);
    put(m->file, rec->payload.p, rec->payload.n);
}

static void finish(struct export *e, struct mjr *m)
{
    char part[PATH_BYTES + 8];
    if (!m->file)
        return;
    part_name(m, part);
    bool bad = ferror(m->file);
    bad |= fclose(m->file) != 0;
    m->file = NULL;
    if (bad || rename(part, m->path) != 0)
        give_up(m);
    else
        e->files++;
}

enum tr_err tr_mjr_export(struct tr_reader *reader, const char *dir, uint32_t *files,
                          const char **failed)
{
    struct export *e = tr_alloc(sizeof *e);
    struct tr_segment segment;
    struct tr_record rec;
    bool any_failed = false;
    if (!e)
        return TR_ERR_NOMEM;
    e->dir = dir;
    if (tr_reader_segment(reader, &segment)) {
        e->start_us = segment.mono0_us;
        e->wall_off = segment.wall0_us - segment.mono0_us;
    }
    tr_reader_rewind(reader);
    while (tr_reader_next(reader, &rec)) {
        if (rec.type == TR_JOURNAL_META)
            take_meta(e, &rec);
        else if (rec.type == TR_JOURNAL_RTP)
            take_packet(e, &rec);
    }
    for (int i = 0; i < TR_JOURNAL_TRACKS_MAX; i++) {
        finish(e, &e->tracks[i]);
        any_failed |= e->tracks[i].failed;
    }
    tr_reader_rewind(reader);
    *files = e->files;
    *failed = any_failed ? last_failed : NULL;
    tr_free(e);
    return any_failed ? TR_ERR_IO : TR_OK;
}

/* The manifest as JSON, by jansson. */
#include "record/manifest.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *sync_name(bool sr)
{
    return sr ? "sr" : "arrival";
}

static void utc_text(int64_t unix_us, char *out, size_t size)
{
    time_t s = (time_t)(unix_us / 1000000);
    struct tm tm = { 0 };
    char day[40];
    gmtime_r(&s, &tm);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, size, "%s.%06dZ", day, (int)(unix_us % 1000000));
}

static json_t *encode_track(const struct tr_manifest_track *t)
{
    static const char *const kinds[] = { "audio", "video", "data" };
    return json_pack("{s:i s:i s:s s:s s:s s:f s:I s:I s:I s:I s:I s:I s:I s:i s:i s:s s:s}", "id",
                     t->id, "participant", t->meta.participant, "kind", kinds[t->meta.kind],
                     "codec", t->meta.codec, "sync", sync_name(t->sync_sr), "drift_ppm",
                     round(t->drift_ppm * 10) / 10 + 0.0, /* no -0 */ "packets",
                     (json_int_t)t->packets, "lost", (json_int_t)t->lost, "duplicates",
                     (json_int_t)t->duplicates, "frames", (json_int_t)t->frames, "dropped_frames",
                     (json_int_t)t->dropped_frames, "start_ms", (json_int_t)t->start_ms, "end_ms",
                     (json_int_t)t->end_ms, "width", t->width, "height", t->height, "label",
                     t->meta.label, "role", t->meta.role);
}

/* "sr" only when every media track with packets was placed by sender reports. */
static bool all_sr(const struct tr_manifest *m)
{
    for (uint32_t i = 0; i < m->track_count; i++) {
        if (m->tracks[i].packets && !m->tracks[i].sync_sr)
            return false;
    }
    return true;
}

char *tr_manifest_encode(const struct tr_manifest *m)
{
    char call[33], start[64];
    for (int i = 0; i < 16; i++)
        snprintf(call + 2 * i, 3, "%02x", m->call[i]);
    utc_text(m->start_wall_us, start, sizeof(start));
    json_t *o = json_pack("{s:i s:s s:I s:s s:I s:i s:i s:s s:I s:s s:b s:i s:I s:I s:I s:[]}", "v",
                          1, "call", call, "epoch", (json_int_t)m->epoch, "start", start,
                          "duration_ms", (json_int_t)m->duration_ms, "width", m->width, "height",
                          m->height, "file", m->file, "bytes", (json_int_t)m->bytes, "sync",
                          sync_name(all_sr(m)), "truncated", m->truncated, "segments",
                          (int)m->segments, "holes", (json_int_t)m->holes, "hole_bytes",
                          (json_int_t)m->hole_bytes, "cpu_ms", (json_int_t)m->cpu_ms, "tracks");
    json_t *tracks = json_object_get(o, "tracks");
    bool ok = o != NULL;
    for (uint32_t i = 0; i < m->track_count && ok; i++)
        ok = json_array_append_new(tracks, encode_track(&m->tracks[i])) == 0;
    char *text = ok ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static int64_t get_int(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

enum tr_err tr_manifest_decode(struct tr_manifest *m, struct tr_slice json)
{
    memset(m, 0, sizeof(*m));
    json_t *o = json_loadb((const char *)json.p, json.n, 0, NULL);
    const char *file = json_string_value(json_object_get(o, "file"));
    size_t n = file ? strlen(file) : 0;
    bool ok = file && get_int(o, "v") == 1 && n < sizeof(m->file);
    if (ok) {
        memcpy(m->file, file, n);
        m->duration_ms = get_int(o, "duration_ms");
        m->bytes = get_int(o, "bytes");
        m->width = (int)get_int(o, "width");
        m->height = (int)get_int(o, "height");
        m->segments = (uint32_t)get_int(o, "segments");
        m->holes = (uint64_t)get_int(o, "holes");
        m->hole_bytes = (uint64_t)get_int(o, "hole_bytes");
        m->cpu_ms = get_int(o, "cpu_ms");
        m->truncated = json_is_true(json_object_get(o, "truncated"));
    }
    json_decref(o);
    return ok ? TR_OK : TR_ERR_BADMSG;
}

/* Time runs in chunks of 20 ms of sound. Before each chunk the frames due in it are made: at a
 * fixed rate, but a frame that would repeat the one before is left out for up to half a second
 * (WebM needs no constant rate), which makes calls without video cheap.
 *
 * The layout is a function of who takes part: one cell, two side by side, else a grid, in the order
 * of participant numbers. Cells are 16:9 when the first picture with a known size is wide, else
 * 4:3. */
#include "record/render/compose.h"

#include <stdio.h>

#include "base/mem.h"
#include "payload/codec.h"
#include "record/render/audio.h"
#include "record/render/mux.h"
#include "record/render/timeline.h"
#include "record/render/video.h"

enum { REPEAT_US = 500000, CHUNK_US = 20000 };

struct composer {
    struct rn_call *call;
    const struct rn_options *opt;
    struct rn_mux *mux;
    uint16_t people[RN_CELLS_MAX];
    uint32_t person_count;
    struct rn_cell *cells[RN_CELLS_MAX];
    struct rn_audio *audios[TR_JOURNAL_TRACKS_MAX];
    float left[TR_JOURNAL_TRACKS_MAX], right[TR_JOURNAL_TRACKS_MAX]; /* gains */
    uint32_t audio_count;
    int width, height;
    int64_t duration_us, frame, last_video_us;
};

static void find_people(struct composer *c)
{
    for (uint16_t p = 0; p <= TR_META_PARTICIPANT_MAX && c->person_count < RN_CELLS_MAX; p++) {
        for (uint32_t i = 0; i < c->call->track_count; i++) {
            if (c->call->tracks[i]->meta.participant == p) {
                c->people[c->person_count++] = p;
                break;
            }
        }
    }
    if (c->person_count == 0)
        c->people[c->person_count++] = 0;
}

static bool first_size(const struct rn_track *t, uint16_t *w, uint16_t *h)
{
    for (uint32_t k = 0; k < t->part_count; k++) {
        const struct rn_part *p = t->parts[k];
        for (uint32_t i = 0; i < p->count; i++) {
            const struct rn_packet *pkt = &p->packets[i];
            if (pkt->len && tr_payload_frame_size(t->codec, tr_slice(pkt->p, pkt->len), w, h) &&
                *w && *h)
                return true;
        }
    }
    return false;
}

static bool is_wide(const struct rn_call *call)
{
    uint16_t w, h;
    for (uint32_t i = 0; i < call->track_count; i++) {
        if (call->tracks[i]->meta.kind == TR_META_VIDEO && first_size(call->tracks[i], &w, &h))
            return w * 2 >= h * 3;
    }
    return false;
}

static enum tr_err make_cells(struct composer *c)
{
    int n = (int)c->person_count, cols = 1;
    while (cols * cols < n)
        cols++;
    int rows = (n + cols - 1) / cols;
    int cell_h = c->opt->height / rows & ~1;
    int cell_w = (is_wide(c->call) ? cell_h * 16 / 9 : cell_h * 4 / 3) & ~1;
    c->width = cell_w * cols;
    c->height = cell_h * rows;
    for (int i = 0; i < n; i++) {
        int row = i / cols, in_row = row == rows - 1 ? n - row * cols : cols;
        int x = (c->width - in_row * cell_w) / 2 + (i % cols) * cell_w;
        struct rn_rect r = { x & ~1, row * cell_h, cell_w, cell_h };
        c->cells[i] = rn_cell_create(c->call, c->people[i], r);
        if (!c->cells[i])
            return TR_ERR_NOMEM;
    }
    return TR_OK;
}

static enum tr_err make_audios(struct composer *c)
{
    for (uint32_t i = 0; i < c->call->track_count; i++) {
        struct rn_track *t = c->call->tracks[i];
        if (t->meta.kind != TR_META_AUDIO)
            continue;
        uint32_t n = c->audio_count++;
        c->left[n] = c->right[n] = 1;
        if (c->opt->audio == RN_AUDIO_SPLIT) {
            bool first = t->meta.participant == c->people[0];
            bool second = c->person_count > 1 && t->meta.participant == c->people[1];
            c->left[n] = second ? 0 : 1;
            c->right[n] = first ? 0 : 1;
        }
        c->audios[n] = rn_audio_create(t);
        if (!c->audios[n])
            return TR_ERR_NOMEM;
    }
    return TR_OK;
}

static enum tr_err start_canvas(struct composer *c)
{
    struct rn_canvas canvas;
    enum tr_err err = rn_mux_canvas(c->mux, &canvas);
    for (int p = 0; p < 3 && !err; p++)
        memset(canvas.plane[p], p ? 128 : 16,
               (size_t)canvas.stride[p] * (size_t)(p ? canvas.height / 2 : canvas.height));
    return err;
}

static enum tr_err one_frame(struct composer *c, int64_t at_us, bool last)
{
    bool changed[RN_CELLS_MAX], any = false;
    struct rn_canvas canvas;
    enum tr_err err = TR_OK;
    int64_t near_us = at_us + 500000 / c->opt->fps; /* the nearest frame, not the last before */
    for (uint32_t i = 0; i < c->person_count && !err; i++) {
        err = rn_cell_advance(c->cells[i], near_us, &changed[i]);
        any |= changed[i];
    }
    if (err || (!any && !last && at_us - c->last_video_us < REPEAT_US))
        return err;
    err = rn_mux_canvas(c->mux, &canvas);
    for (uint32_t i = 0; i < c->person_count && !err; i++) {
        if (changed[i])
            rn_cell_paint(c->cells[i], &canvas);
    }
    c->last_video_us = at_us;
    return err ? err : rn_mux_video(c->mux, at_us);
}

static enum tr_err frames_until(struct composer *c, int64_t to_us)
{
    enum tr_err err = TR_OK;
    while (!err) {
        int64_t at = c->frame * 1000000 / c->opt->fps;
        int64_t after = (c->frame + 1) * 1000000 / c->opt->fps;
        if (at >= to_us || at >= c->duration_us)
            break;
        c->frame++;
        err = one_frame(c, at, after >= c->duration_us);
    }
    return err;
}

static float clip(float v)
{
    return v > 1 ? 1 : v < -1 ? -1 : v;
}

static enum tr_err one_chunk(struct composer *c)
{
    float stereo[2 * RN_CHUNK] = { 0 };
    for (uint32_t n = 0; n < c->audio_count; n++) {
        float mono[RN_CHUNK] = { 0 };
        if (!rn_audio_mix(c->audios[n], mono))
            continue;
        for (int i = 0; i < RN_CHUNK; i++) {
            stereo[2 * i] += mono[i] * c->left[n];
            stereo[2 * i + 1] += mono[i] * c->right[n];
        }
    }
    for (int i = 0; i < 2 * RN_CHUNK; i++)
        stereo[i] = clip(stereo[i]);
    return rn_mux_audio(c->mux, stereo);
}

static enum tr_err run(struct composer *c)
{
    enum tr_err err = start_canvas(c);
    double told = -1;
    for (int64_t at = 0; at < c->duration_us && !err; at += CHUNK_US) {
        err = frames_until(c, at + CHUNK_US);
        if (!err)
            err = one_chunk(c);
        double percent = 100.0 * (double)at / (double)c->duration_us;
        if (c->opt->progress && percent >= told + 0.5) {
            c->opt->progress(c->opt->user, percent);
            told = percent;
        }
    }
    return err;
}

static void fill_track(const struct composer *c, const struct rn_track *t,
                       struct tr_manifest_track *m)
{
    *m = (struct tr_manifest_track){ .id = t->id,
                                     .meta = t->meta,
                                     .sync_sr = t->sync_sr,
                                     .drift_ppm = t->drift_ppm,
                                     .packets = t->packets,
                                     .lost = t->lost,
                                     .duplicates = t->duplicates };
    bool any = false;
    for (uint32_t i = 0; i < t->part_count; i++) {
        const struct rn_part *p = t->parts[i];
        if (p->count == 0)
            continue;
        int64_t from = rn_timeline_at(p, p->packets[0].ts) / 1000;
        int64_t to = rn_timeline_at(p, p->packets[p->count - 1].ts) / 1000;
        m->start_ms = !any || from < m->start_ms ? from : m->start_ms;
        m->end_ms = !any || to > m->end_ms ? to : m->end_ms;
        any = true;
    }
    for (uint32_t i = 0; i < c->person_count; i++) {
        if (c->people[i] != t->meta.participant || t->meta.kind != TR_META_VIDEO)
            continue;
        struct rn_video_stats v = rn_cell_stats(c->cells[i], t);
        m->frames = v.frames;
        m->dropped_frames = v.dropped;
        m->width = v.width;
        m->height = v.height;
    }
}

static void fill_manifest(const struct composer *c, struct tr_manifest *m)
{
    struct tr_reader_stats s = tr_reader_stats(c->call->reader);
    memcpy(m->call, c->call->segment.call, sizeof(m->call));
    m->epoch = c->call->segment.epoch;
    m->start_wall_us = c->call->start_wall_us;
    m->duration_ms = c->duration_us / 1000;
    m->width = c->width;
    m->height = c->height;
    snprintf(m->file, sizeof(m->file), "%s", c->opt->out);
    m->truncated = !s.closed;
    m->segments = s.segments;
    m->holes = s.holes + s.missing;
    m->hole_bytes = s.hole_bytes;
    m->track_count = c->call->track_count;
    uint32_t audio = 0;
    for (uint32_t i = 0; i < c->call->track_count; i++) {
        const struct rn_track *t = c->call->tracks[i];
        fill_track(c, t, &m->tracks[i]);
        if (t->meta.kind == TR_META_AUDIO) {
            m->tracks[i].frames = rn_audio_frames(c->audios[audio]);
            m->tracks[i].dropped_frames = rn_audio_errors(c->audios[audio++]);
        }
    }
}

static enum tr_err compose(struct composer *c, struct tr_manifest *m, char *reason, size_t size)
{
    enum tr_err err = rn_timeline_solve(c->call);
    if (!err)
        err = make_cells(c);
    if (!err)
        err = make_audios(c);
    if (err)
        return err;
    struct rn_mux_conf conf = { .path = c->opt->out,
                                .width = c->width,
                                .height = c->height,
                                .fps = c->opt->fps,
                                .threads = c->opt->threads };
    err = rn_mux_open(&c->mux, &conf);
    if (!err)
        err = run(c);
    if (!err)
        err = rn_mux_finish(c->mux, &m->bytes);
    if (err)
        snprintf(reason, size, "%s", rn_mux_error(c->mux));
    else
        fill_manifest(c, m);
    return err;
}

enum tr_err rn_compose(struct rn_call *call, const struct rn_options *opt,
                       struct tr_manifest *manifest, char *reason, size_t reason_size)
{
    snprintf(reason, reason_size, "%s", "");
    memset(manifest, 0, sizeof(*manifest));
    if (opt->height < RN_HEIGHT_MIN || opt->height > RN_HEIGHT_MAX || opt->fps < 1 ||
        opt->fps > RN_FPS_MAX)
        return TR_ERR_INVAL;
    struct composer *c = tr_alloc(sizeof(*c));
    if (!c)
        return TR_ERR_NOMEM;
    c->call = call;
    c->opt = opt;
    c->last_video_us = -REPEAT_US;
    c->duration_us = call->end_us - call->start_us;
    if (c->duration_us < CHUNK_US) /* a file needs at least one frame */
        c->duration_us = CHUNK_US;
    find_people(c);
    enum tr_err err = compose(c, manifest, reason, reason_size);
    if (!err && opt->progress)
        opt->progress(opt->user, 100);
    for (uint32_t i = 0; i < c->audio_count; i++)
        rn_audio_destroy(c->audios[i]);
    for (uint32_t i = 0; i < c->person_count; i++)
        rn_cell_destroy(c->cells[i]);
    rn_mux_close(c->mux);
    tr_free(c);
    return err;
}

/* A cell has a stream for each video track of its participant (camera, screen, or the camera again
 * after a renegotiation). All advance together; the one whose first frame came last and that is
 * not stalled or muted is shown.
 *
 * Decoders are fed only complete frames (depacketise.h), one thread each, and must give a frame for
 * a packet at once. What they refuse is counted, and the picture stands until the next keyframe:
 * libvpx and the others conceal nothing that we did not ask for. The scaler is made again when the
 * size of the pictures changes, so a change of resolution is nothing special. */
#include "record/render/video.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>

#include "base/mem.h"
#include "record/render/depacketise.h"
#include "record/render/timeline.h"

enum { TILE_Y = 34, TILE_UV = 128, BLACK_Y = 16, CELL_TRACKS_MAX = 16 };

struct stream {
    struct rn_track *track;
    uint32_t part; /* whose frames are read */
    bool open;     /* depack is set */
    struct rn_depack depack;
    struct rn_frame next;
    bool has_next;
    int64_t next_us;
    AVCodecContext *dec;
    AVFrame *shown; /* the last decoded */
    bool has_shown;
    int64_t first_us, last_us; /* of decoded frames; first of this appearance */
    uint32_t mute_at;          /* next of the track's mutes */
    bool muted;
    struct rn_video_stats stats;
};

struct rn_cell {
    struct rn_call *call;
    struct rn_rect rect;
    struct stream streams[CELL_TRACKS_MAX];
    uint32_t count;
    AVPacket *pkt;
    AVFrame *frame;
    struct SwsContext *sws;
    struct stream *visible; /* NULL: tile */
    bool painted;           /* at least once */
    int64_t seen_us;        /* last_us of what was painted */
    struct rn_rect inner;   /* where the picture lies in the cell */
};

static const AVCodec *find_decoder(enum tr_codec codec)
{
    const AVCodec *c = NULL;
    switch ((int)codec) {
    case TR_CODEC_VP8: return avcodec_find_decoder(AV_CODEC_ID_VP8);
    case TR_CODEC_VP9: /* libvpx takes spatial layers without an index */
        c = avcodec_find_decoder_by_name("libvpx-vp9");
        return c ? c : avcodec_find_decoder(AV_CODEC_ID_VP9);
    case TR_CODEC_H264: return avcodec_find_decoder(AV_CODEC_ID_H264);
    case TR_CODEC_AV1:
        c = avcodec_find_decoder_by_name("libdav1d");
        return c ? c : avcodec_find_decoder(AV_CODEC_ID_AV1);
    default: return NULL;
    }
}

static bool open_decoder(struct stream *s)
{
    const AVCodec *codec = find_decoder(s->track->codec);
    if (!codec)
        return true; /* a tile */
    s->dec = avcodec_alloc_context3(codec);
    if (!s->dec)
        return false;
    s->dec->thread_count = 1;
    s->dec->flags |= AV_CODEC_FLAG_LOW_DELAY;
    s->dec->max_pixels = (int64_t)RN_SIDE_MAX * RN_SIDE_MAX;
    if (avcodec_open2(s->dec, codec, NULL) < 0)
        avcodec_free_context(&s->dec);
    return true;
}

static bool add_stream(struct rn_cell *cell, struct rn_track *track)
{
    struct stream *s = &cell->streams[cell->count++];
    s->track = track;
    s->shown = av_frame_alloc();
    return s->shown && open_decoder(s);
}

struct rn_cell *rn_cell_create(struct rn_call *call, uint16_t participant, struct rn_rect rect)
{
    struct rn_cell *cell = tr_alloc(sizeof(*cell));
    if (!cell)
        return NULL;
    cell->call = call;
    cell->rect = rect;
    cell->pkt = av_packet_alloc();
    cell->frame = av_frame_alloc();
    bool ok = cell->pkt && cell->frame;
    for (uint32_t i = 0; i < call->track_count && ok && cell->count < CELL_TRACKS_MAX; i++) {
        struct rn_track *t = call->tracks[i];
        if (t->meta.kind == TR_META_VIDEO && t->meta.participant == participant &&
            rn_depack_knows(t->codec))
            ok = add_stream(cell, t);
    }
    if (!ok) {
        rn_cell_destroy(cell);
        return NULL;
    }
    return cell;
}

void rn_cell_destroy(struct rn_cell *cell)
{
    if (!cell)
        return;
    for (uint32_t i = 0; i < cell->count; i++) {
        struct stream *s = &cell->streams[i];
        rn_depack_deinit(&s->depack);
        avcodec_free_context(&s->dec);
        av_frame_free(&s->shown);
    }
    av_packet_free(&cell->pkt);
    av_frame_free(&cell->frame);
    sws_freeContext(cell->sws);
    tr_free(cell);
}

/* Gets the next frame of the stream, over the ends of parts. */
static enum tr_err peek(struct stream *s)
{
    while (!s->has_next && s->part < s->track->part_count) {
        struct rn_part *part = s->track->parts[s->part];
        if (!s->open)
            rn_depack_init(&s->depack, part, s->track->codec);
        s->open = true;
        enum tr_err err = rn_depack_next(&s->depack, &s->next);
        if (err == TR_ERR_NOTFOUND) {
            s->stats.dropped += s->depack.dropped;
            rn_depack_deinit(&s->depack);
            s->open = false;
            s->part++;
            continue;
        }
        if (err)
            return err;
        s->has_next = true;
        s->next_us = rn_timeline_at(part, s->next.ts);
    }
    return TR_OK;
}

static bool usable(const AVFrame *f)
{
    return f->width > 0 && f->height > 0 && f->width <= RN_SIDE_MAX && f->height <= RN_SIDE_MAX;
}

static void decode(struct rn_cell *cell, struct stream *s)
{
    bool got = false;
    s->has_next = false;
    if (!s->dec)
        return;
    /* the data is borrowed: the decoder copies what has no reference count */
    cell->pkt->data = (uint8_t *)(uintptr_t)s->next.data.p;
    cell->pkt->size = (int)s->next.data.n;
    cell->pkt->flags = s->next.keyframe ? AV_PKT_FLAG_KEY : 0;
    int r = avcodec_send_packet(s->dec, cell->pkt);
    while (r >= 0 && (r = avcodec_receive_frame(s->dec, cell->frame)) >= 0) {
        if (!usable(cell->frame)) {
            av_frame_unref(cell->frame);
            continue;
        }
        av_frame_unref(s->shown);
        av_frame_move_ref(s->shown, cell->frame);
        got = true;
    }
    av_packet_unref(cell->pkt);
    if (!got) {
        s->stats.dropped++;
        return;
    }
    s->stats.frames++;
    s->stats.width = s->shown->width > s->stats.width ? s->shown->width : s->stats.width;
    s->stats.height = s->shown->height > s->stats.height ? s->shown->height : s->stats.height;
    if (!s->has_shown || s->next_us - s->last_us > RN_STALL_US)
        s->first_us = s->next_us;
    s->has_shown = true;
    s->last_us = s->next_us;
}

static enum tr_err advance(struct rn_cell *cell, struct stream *s, int64_t at_us)
{
    enum tr_err err;
    while ((err = peek(s)) == TR_OK && s->has_next && s->next_us <= at_us)
        decode(cell, s);
    const struct rn_track *t = s->track;
    while (s->mute_at < t->mute_count && t->mutes[s->mute_at].at_us - cell->call->start_us <= at_us)
        s->muted = t->mutes[s->mute_at++].muted;
    return err;
}

enum tr_err rn_cell_advance(struct rn_cell *cell, int64_t at_us, bool *changed)
{
    struct stream *best = NULL;
    for (uint32_t i = 0; i < cell->count; i++) {
        struct stream *s = &cell->streams[i];
        enum tr_err err = advance(cell, s, at_us);
        if (err)
            return err;
        bool fit = s->has_shown && !s->muted && at_us - s->last_us <= RN_STALL_US;
        if (fit && (!best || s->first_us >= best->first_us))
            best = s;
    }
    *changed = !cell->painted || best != cell->visible || (best && best->last_us != cell->seen_us);
    cell->visible = best;
    return TR_OK;
}

static void fill_rect(struct rn_canvas *c, struct rn_rect r, uint8_t y, uint8_t uv)
{
    for (int i = 0; i < r.h; i++)
        memset(c->plane[0] + (ptrdiff_t)(r.y + i) * c->stride[0] + r.x, y, (size_t)r.w);
    for (int p = 1; p < 3; p++) {
        for (int i = 0; i < r.h / 2; i++)
            memset(c->plane[p] + (ptrdiff_t)(r.y / 2 + i) * c->stride[p] + r.x / 2, uv,
                   (size_t)(r.w / 2));
    }
}

static void paint_tile(struct rn_canvas *canvas, struct rn_rect r)
{
    fill_rect(canvas, r, BLACK_Y, TILE_UV);
    fill_rect(canvas, (struct rn_rect){ r.x + 2, r.y + 2, r.w - 4, r.h - 4 }, TILE_Y, TILE_UV);
}

/* The largest even rectangle of the picture's shape in the cell, centred on even places. */
static struct rn_rect fit_rect(struct rn_rect cell, int w, int h)
{
    int64_t fw = cell.w, fh = (int64_t)cell.w * h / w;
    if (fh > cell.h) {
        fh = cell.h;
        fw = (int64_t)cell.h * w / h;
    }
    fw = fw < 2 ? 2 : fw & ~1;
    fh = fh < 2 ? 2 : fh & ~1;
    return (struct rn_rect){ cell.x + (int)((cell.w - fw) / 2 & ~1),
                             cell.y + (int)((cell.h - fh) / 2 & ~1), (int)fw, (int)fh };
}

static void paint_picture(struct rn_cell *cell, struct rn_canvas *canvas, const AVFrame *f)
{
    struct rn_rect r = fit_rect(cell->rect, f->width, f->height);
    if (memcmp(&r, &cell->inner, sizeof(r)) != 0) { /* the bars beside it */
        fill_rect(canvas, cell->rect, BLACK_Y, TILE_UV);
        cell->inner = r;
    }
    uint8_t *dst[4] = { 0 };
    int stride[4] = { 0 };
    for (int p = 0; p < 3; p++) {
        int half = p ? 2 : 1;
        dst[p] = canvas->plane[p] + (ptrdiff_t)(r.y / half) * canvas->stride[p] + r.x / half;
        stride[p] = canvas->stride[p];
    }
    if (f->format == AV_PIX_FMT_YUV420P && f->width == r.w && f->height == r.h) {
        av_image_copy(dst, stride, (const uint8_t **)f->data, f->linesize, AV_PIX_FMT_YUV420P, r.w,
                      r.h);
        return;
    }
    cell->sws =
        sws_getCachedContext(cell->sws, f->width, f->height, (enum AVPixelFormat)f->format, r.w,
                             r.h, AV_PIX_FMT_YUV420P, SWS_FAST_BILINEAR, NULL, NULL, NULL);
    if (cell->sws)
        sws_scale(cell->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, dst,
                  stride);
}

void rn_cell_paint(struct rn_cell *cell, struct rn_canvas *canvas)
{
    if (cell->visible) {
        paint_picture(cell, canvas, cell->visible->shown);
        cell->seen_us = cell->visible->last_us;
    } else {
        paint_tile(canvas, cell->rect);
        cell->inner = (struct rn_rect){ 0 };
    }
    cell->painted = true;
}

struct rn_video_stats rn_cell_stats(const struct rn_cell *cell, const struct rn_track *track)
{
    for (uint32_t i = 0; i < cell->count; i++) {
        const struct stream *s = &cell->streams[i];
        if (s->track == track) {
            struct rn_video_stats st = s->stats;
            st.dropped += s->open ? s->depack.dropped : 0;
            return st;
        }
    }
    return (struct rn_video_stats){ 0 };
}

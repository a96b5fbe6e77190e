/* Clips are encoded once and reused by all tests; packets get their times and numbers for each
 * journal anew. All packets of a journal are gathered, sorted by arrival, and written. */
#include "record/render/synth_test.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/time.h"
#include "record/journal.h"
#include "record/meta.h"

enum { W = 160, H = 120, CLIP_SECONDS = 60, MTU = 300, LEAD_US = 500000, AUDIO_PACKETS_S = 50 };
#define MONO0 7000000000ll
#define WALL0 1700000000000000ll

struct clip {
    struct tr_slice *units; /* one for each frame or 20 ms */
    int count;
};

static struct clip video_clips[2][2][2]; /* phase, double size, h264 */
static struct clip audio_clips[2];

static void add_unit(struct clip *c, const AVPacket *pkt)
{
    uint8_t *p = malloc((size_t)pkt->size);
    memcpy(p, pkt->data, (size_t)pkt->size);
    c->units[c->count++] = tr_slice(p, (size_t)pkt->size);
}

static void encode(struct clip *c, AVCodecContext *enc, const AVFrame *frame, AVPacket *pkt)
{
    if (avcodec_send_frame(enc, frame) < 0)
        abort();
    while (avcodec_receive_packet(enc, pkt) >= 0) {
        add_unit(c, pkt);
        av_packet_unref(pkt);
    }
}

static const struct clip *video_clip(int phase, bool twice, bool h264)
{
    struct clip *c = &video_clips[phase][twice][h264];
    if (c->count)
        return c;
    const AVCodec *codec = avcodec_find_encoder_by_name(h264 ? "libx264" : "libvpx");
    AVCodecContext *enc = avcodec_alloc_context3(codec);
    enc->width = W << twice;
    enc->height = H << twice;
    enc->pix_fmt = AV_PIX_FMT_YUV420P;
    enc->time_base = (AVRational){ 1, SYNTH_FPS };
    enc->gop_size = SYNTH_FPS;
    enc->bit_rate = 100000;
    enc->thread_count = 1;
    av_opt_set(enc->priv_data, "deadline", "realtime", 0);
    av_opt_set(enc->priv_data, "cpu-used", "8", 0);
    av_opt_set(enc->priv_data, "lag-in-frames", "0", 0);
    av_opt_set(enc->priv_data, "preset", "ultrafast", 0);
    av_opt_set(enc->priv_data, "tune", "zerolatency", 0);
    if (avcodec_open2(enc, codec, NULL) < 0)
        abort();
    AVFrame *f = av_frame_alloc();
    AVPacket *pkt = av_packet_alloc();
    f->width = enc->width;
    f->height = enc->height;
    f->format = enc->pix_fmt;
    av_frame_get_buffer(f, 0);
    c->units = calloc(CLIP_SECONDS * SYNTH_FPS + 1, sizeof(*c->units));
    for (int n = 0; n < CLIP_SECONDS * SYNTH_FPS; n++) {
        int in = (n + SYNTH_FPS - phase * SYNTH_FPS / 2) % SYNTH_FPS;
        av_frame_make_writable(f);
        for (int y = 0; y < f->height; y++)
            memset(f->data[0] + y * f->linesize[0], in < 5 ? 225 : 60 + (n + y) % 16,
                   (size_t)f->width);
        for (int p = 1; p < 3; p++)
            memset(f->data[p], 128, (size_t)(f->height / 2 * f->linesize[p]));
        f->pts = n;
        encode(c, enc, f, pkt);
    }
    av_frame_free(&f);
    av_packet_free(&pkt);
    avcodec_free_context(&enc);
    return c;
}

static const struct clip *audio_clip(int phase)
{
    struct clip *c = &audio_clips[phase];
    if (c->count)
        return c;
    const AVCodec *codec = avcodec_find_encoder_by_name("libopus");
    AVCodecContext *enc = avcodec_alloc_context3(codec);
    enc->sample_rate = 48000;
    enc->sample_fmt = AV_SAMPLE_FMT_FLT;
    enc->bit_rate = 32000;
    enc->compression_level = 1;
    av_channel_layout_default(&enc->ch_layout, 1);
    if (avcodec_open2(enc, codec, NULL) < 0)
        abort();
    AVFrame *f = av_frame_alloc();
    AVPacket *pkt = av_packet_alloc();
    f->format = AV_SAMPLE_FMT_FLT;
    f->nb_samples = 960;
    f->sample_rate = 48000;
    av_channel_layout_default(&f->ch_layout, 1);
    av_frame_get_buffer(f, 0);
    c->units = calloc(CLIP_SECONDS * AUDIO_PACKETS_S + 8, sizeof(*c->units));
    for (int n = 0; n < CLIP_SECONDS * AUDIO_PACKETS_S; n++) {
        av_frame_make_writable(f);
        for (int i = 0; i < 960; i++) {
            int at = n * 960 + i, in = (at + 48000 - phase * 24000) % 48000;
            double s = in < 7200 ? 0.5 * sin(2 * M_PI * (phase ? 2000 : 1000) * at / 48000.0) : 0;
            ((float *)(void *)f->data[0])[i] = (float)s;
        }
        f->pts = (int64_t)n * 960;
        encode(c, enc, f, pkt);
    }
    av_frame_free(&f);
    av_packet_free(&pkt);
    avcodec_free_context(&enc);
    return c;
}

static void free_clip(struct clip *c)
{
    for (int i = 0; i < c->count; i++)
        free((void *)(uintptr_t)c->units[i].p);
    free(c->units);
    *c = (struct clip){ 0 };
}

void synth_cleanup(void)
{
    for (int i = 0; i < 8; i++)
        free_clip(&video_clips[i & 1][i >> 1 & 1][i >> 2]);
    free_clip(&audio_clips[0]);
    free_clip(&audio_clips[1]);
}

struct item { /* a record to be written */
    int64_t at;
    uint32_t order;
    uint16_t track;
    bool sr;
    tr_ntp ntp;
    uint32_t rtp, ssrc;
    uint16_t len;
    uint8_t data[MTU + 64];
};

struct maker {
    const struct synth_person *p;
    struct tr_rng rng;
    struct item *items;
    uint32_t count, size;
    uint16_t track, seq;
    uint32_t ts0, clock, ssrc;
    int delay_us;
    uint8_t pt;
};

static struct item *new_item(struct maker *m)
{
    if (m->count == m->size) {
        m->size = m->size ? m->size * 2 : 4096;
        m->items = realloc(m->items, m->size * sizeof(*m->items));
    }
    struct item *it = &m->items[m->count];
    memset(it, 0, sizeof(*it));
    it->order = m->count++;
    it->track = m->track;
    return it;
}

static uint32_t ts_at(const struct maker *m, int64_t true_us)
{
    double ticks = (double)true_us * m->clock / 1e6 * (1 + m->p->media_ppm / 1e6);
    return m->ts0 + (uint32_t)(int64_t)llrint(ticks);
}

static int64_t arrival(struct maker *m, int64_t true_us)
{
    double u = (double)(tr_rng_below(&m->rng, 1000000) + 1) / 1000001.0;
    int64_t at = true_us + m->delay_us + (int64_t)(-log(u) * m->p->jitter_us);
    if (at >= m->p->stall_from_us && at < m->p->stall_to_us)
        at = m->p->stall_to_us;
    return at + LEAD_US;
}

static void put_packet(struct maker *m, int64_t true_us, bool marker, const void *head,
                       size_t head_n, const void *data, size_t n)
{
    struct item *it = new_item(m);
    struct tr_wr w = tr_wr(it->data, sizeof(it->data));
    tr_wr_u8(&w, 0x80);
    tr_wr_u8(&w, (uint8_t)((marker ? 0x80 : 0) | m->pt));
    tr_wr_u16(&w, m->seq++);
    tr_wr_u32(&w, ts_at(m, true_us));
    tr_wr_u32(&w, m->ssrc);
    tr_wr_bytes(&w, head, head_n);
    tr_wr_bytes(&w, data, n);
    if (w.bad)
        abort();
    it->len = (uint16_t)tr_wr_len(&w);
    it->at = arrival(m, true_us);
    if (tr_rng_below(&m->rng, 100) < (uint64_t)m->p->corrupt_pct && it->len > 32)
        tr_rng_fill(&m->rng, it->data + 12 + tr_rng_below(&m->rng, it->len - 20u), 8);
    bool lost = tr_rng_below(&m->rng, 100) < (uint64_t)m->p->loss_pct;
    if (lost && tr_rng_below(&m->rng, 100) < 70)
        it->at += 80000;
    else if (lost)
        m->count--;
    else if (tr_rng_below(&m->rng, 100) < (uint64_t)m->p->duplicate_pct) {
        struct item *copy = new_item(m);
        uint32_t order = copy->order;
        *copy = m->items[m->count - 2];
        copy->order = order;
        copy->at += 30000;
    }
}

static void put_vp8(struct maker *m, int64_t us, struct tr_slice unit, int n)
{
    for (size_t at = 0; at < unit.n; at += MTU) {
        size_t len = unit.n - at < MTU ? unit.n - at : MTU;
        uint8_t head[4] = { at == 0 ? 0x90 : 0x80, 0x80, (uint8_t)(0x80 | (n >> 8 & 0x7f)),
                            (uint8_t)n };
        put_packet(m, us, at + len == unit.n, head, sizeof(head), unit.p + at, len);
    }
}

static void put_nal(struct maker *m, int64_t us, struct tr_slice nal, bool last)
{
    if (nal.n <= MTU) {
        put_packet(m, us, last, NULL, 0, nal.p, nal.n);
        return;
    }
    for (size_t at = 1; at < nal.n; at += MTU) {
        size_t len = nal.n - at < MTU ? nal.n - at : MTU;
        bool end = at + len == nal.n;
        uint8_t head[2] = { (uint8_t)((nal.p[0] & 0xe0) | 28),
                            (uint8_t)((at == 1 ? 0x80 : 0) | (end ? 0x40 : 0) |
                                      (nal.p[0] & 0x1f)) };
        put_packet(m, us, last && end, head, sizeof(head), nal.p + at, len);
    }
}

/* Annex B start codes of three or four bytes. */
static void put_h264(struct maker *m, int64_t us, struct tr_slice unit)
{
    size_t start = 0;
    for (size_t i = 0; i + 2 <= unit.n; i++) {
        bool code = i + 3 <= unit.n && unit.p[i] == 0 && unit.p[i + 1] == 0 && unit.p[i + 2] == 1;
        bool end = i + 2 == unit.n;
        if (!code && !end)
            continue;
        size_t stop = end ? unit.n : i;
        while (!end && stop > start && unit.p[stop - 1] == 0)
            stop--;
        if (start && stop > start)
            put_nal(m, us, tr_slice(unit.p + start, stop - start), end);
        start = i + 3;
        i += code ? 2 : 0;
    }
}

static void put_reports(struct maker *m, int64_t seconds)
{
    const struct synth_person *p = m->p;
    for (int64_t us = p->first_sr_us; p->first_sr_us >= 0 && us < seconds * 1000000;
         us += 1000000) {
        struct item *it = new_item(m);
        int64_t wall = WALL0 + us + p->wall_offset_us + (int64_t)((double)us * p->wall_ppm / 1e6);
        if (p->wall_step_at_us && us >= p->wall_step_at_us)
            wall += p->wall_step_us;
        it->sr = true;
        it->ssrc = m->ssrc;
        it->ntp = tr_ntp_from_unix_us(wall);
        it->rtp = ts_at(m, us);
        it->at = arrival(m, us);
    }
}

static bool quiet(const struct synth_person *p, int64_t us)
{
    return us >= p->mute_from_us && us < p->mute_to_us;
}

static void make_person(struct maker *m, const struct synth_conf *conf, int i)
{
    const struct synth_person *p = m->p = &conf->person[i];
    int phase = i % 2;
    m->track = (uint16_t)(2 * i + 1);
    m->seq = p->seq0;
    m->ts0 = p->ts0;
    m->clock = 48000;
    m->ssrc = 1000u + (uint32_t)i;
    m->delay_us = p->audio_delay_us;
    m->pt = 111;
    for (int n = 0; n < conf->seconds * AUDIO_PACKETS_S && !p->no_audio; n++) {
        int64_t us = (int64_t)n * 20000;
        struct tr_slice u = audio_clip(phase)->units[n];
        if (!quiet(p, us))
            put_packet(m, us, false, NULL, 0, u.p, u.n);
    }
    if (!p->no_audio)
        put_reports(m, conf->seconds);
    m->track++;
    m->seq = (uint16_t)(p->seq0 + 77);
    m->ts0 = p->ts0 + 123456789;
    m->clock = 90000;
    m->ssrc = 2000u + (uint32_t)i;
    m->delay_us = p->video_delay_us;
    m->pt = 96;
    for (int n = 0; n < conf->seconds * SYNTH_FPS && !p->no_video; n++) {
        int64_t us = (int64_t)n * 1000000 / SYNTH_FPS;
        bool twice = p->resize_at_us && us >= p->resize_at_us;
        struct tr_slice u = video_clip(phase, twice, p->h264)->units[n];
        if (quiet(p, us))
            continue;
        if (p->h264)
            put_h264(m, us, u);
        else
            put_vp8(m, us, u, n);
    }
    if (!p->no_video)
        put_reports(m, conf->seconds);
}

static int by_arrival(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void put_metas(struct tr_journal *j, const struct synth_conf *conf)
{
    for (int i = 0; i < conf->people; i++) {
        struct tr_meta audio = { .kind = TR_META_AUDIO,
                                 .codec = "opus",
                                 .pt = 111,
                                 .clock = 48000,
                                 .channels = 2,
                                 .participant = (uint16_t)i };
        struct tr_meta video = { .kind = TR_META_VIDEO,
                                 .codec = "VP8",
                                 .pt = 96,
                                 .clock = 90000,
                                 .participant = (uint16_t)i };
        uint8_t buf[TR_META_JSON_MAX];
        struct tr_slice json;
        if (conf->person[i].h264)
            strcpy(video.codec, "H264");
        if (tr_meta_encode(&audio, (struct tr_buf){ buf, sizeof(buf) }, &json) == TR_OK)
            tr_journal_meta(j, MONO0, (uint16_t)(2 * i + 1), json);
        if (tr_meta_encode(&video, (struct tr_buf){ buf, sizeof(buf) }, &json) == TR_OK)
            tr_journal_meta(j, MONO0, (uint16_t)(2 * i + 2), json);
    }
}

bool synth_journal(const char *dir, const struct synth_conf *conf)
{
    struct maker m = { .rng = tr_rng_seeded(conf->seed) };
    struct tr_journal_conf jc = { .dir = dir, .segment_us = 7 * TR_SECOND };
    struct tr_journal *j = NULL;
    const char *reason;
    for (int i = 0; i < conf->people; i++)
        make_person(&m, conf, i);
    qsort(m.items, m.count, sizeof(*m.items), by_arrival);
    if (tr_journal_open(&j, &jc, MONO0, WALL0, &reason) != TR_OK)
        return false;
    put_metas(j, conf);
    int64_t flushed = 0, end = conf->seconds * 1000000ll + LEAD_US;
    for (uint32_t i = 0; i < m.count; i++) {
        const struct item *it = &m.items[i];
        if (it->at > end)
            break;
        if (it->sr)
            tr_journal_sr(j, MONO0 + it->at, it->track, it->ssrc, it->ntp, it->rtp);
        else
            tr_journal_rtp(j, MONO0 + it->at, it->track, 0, tr_slice(it->data, it->len));
        if (it->at - flushed > 250000) {
            flushed = it->at;
            if (tr_journal_flush(j, MONO0 + it->at, WALL0 + it->at) != TR_OK)
                return false;
        }
    }
    free(m.items);
    return tr_journal_close(j, MONO0 + end, WALL0 + end) == TR_OK;
}

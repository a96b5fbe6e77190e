/* Decodes a product and finds, for each participant, where its cell turns bright and where its
 * channel turns loud. */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/render/synth_test.h"

enum { ONSETS_MAX = 200, QUIET_MS = 200, BRIGHT = 150 };

struct onsets {
    double at_ms[ONSETS_MAX];
    int count;
    bool on;
    double off_ms; /* since when it is off */
};

static void feed(struct onsets *o, double at_ms, bool on)
{
    if (on && !o->on && at_ms - o->off_ms >= QUIET_MS && o->count < ONSETS_MAX)
        o->at_ms[o->count++] = at_ms;
    if (on || o->on)
        o->off_ms = at_ms;
    o->on = on;
}

static void feed_picture(struct onsets flash[2], int people, const AVFrame *f, double at_ms)
{
    for (int p = 0; p < 2 && p < people; p++) {
        int x = f->width * (2 * p + 1) / (2 * people), y = f->height / 2;
        long sum = 0;
        for (int i = -8; i < 8; i++) {
            for (int k = -8; k < 8; k++)
                sum += f->data[0][(y + i) * f->linesize[0] + x + k];
        }
        feed(&flash[p], at_ms, sum / 256 > BRIGHT);
    }
}

static void feed_sound(struct onsets beep[2], const AVFrame *f, double at_ms)
{
    for (int p = 0; p < 2 && p < f->ch_layout.nb_channels; p++) {
        const float *planar = (const float *)(const void *)f->extended_data[p];
        for (int i = 0; i < f->nb_samples; i++) {
            bool loud = fabsf(planar[i]) > 0.1f;
            double at = at_ms + i * 1000.0 / f->sample_rate;
            if (loud)
                feed(&beep[p], at, true);
            else if (at - beep[p].off_ms > 5) /* longer than a wave */
                beep[p].on = false;
        }
    }
}

static void pair_up(const struct onsets *flash, const struct onsets *beep, struct synth_result *r)
{
    double sum = 0;
    r->flashes = flash->count;
    r->beeps = beep->count;
    for (int i = 0; i < flash->count; i++) {
        for (int k = 0; k < beep->count; k++) {
            double d = flash->at_ms[i] - beep->at_ms[k];
            if (fabs(d) > 300)
                continue;
            r->pairs++;
            sum += d;
            if (fabs(d) > fabs(r->worst_ms))
                r->worst_ms = d;
        }
    }
    r->mean_ms = r->pairs ? sum / r->pairs : 0;
    r->first_flash_ms = flash->count ? flash->at_ms[0] : -1;
    r->last_flash_ms = flash->count ? flash->at_ms[flash->count - 1] : -1;
}

struct meter {
    AVFormatContext *file;
    AVCodecContext *dec[2];
    struct onsets flash[2], beep[2];
    int people;
    int64_t end_ms;
};

static bool open_all(struct meter *m, const char *path)
{
    if (avformat_open_input(&m->file, path, NULL, NULL) < 0 ||
        avformat_find_stream_info(m->file, NULL) < 0 || m->file->nb_streams != 2)
        return false;
    for (int i = 0; i < 2; i++) {
        const AVCodecParameters *par = m->file->streams[i]->codecpar;
        /* the native decoder: planar floats */
        const AVCodec *c = avcodec_find_decoder_by_name(i ? "opus" : "vp8");
        m->dec[i] = avcodec_alloc_context3(c);
        avcodec_parameters_to_context(m->dec[i], par);
        m->dec[i]->pkt_timebase = m->file->streams[i]->time_base;
        if (avcodec_open2(m->dec[i], c, NULL) < 0)
            return false;
    }
    return true;
}

static void take_frames(struct meter *m, int i, AVFrame *f)
{
    while (avcodec_receive_frame(m->dec[i], f) >= 0) {
        double at = (double)f->pts * av_q2d(m->file->streams[i]->time_base) * 1000;
        if (i == 0)
            feed_picture(m->flash, m->people, f, at);
        else
            feed_sound(m->beep, f, at);
        double end = at + (i ? f->nb_samples / 48.0 : 0);
        m->end_ms = end > (double)m->end_ms ? (int64_t)end : m->end_ms;
    }
}

bool synth_measure(const char *path, int people, struct synth_result out[2])
{
    struct meter *m = calloc(1, sizeof(*m));
    m->people = people;
    memset(out, 0, 2 * sizeof(*out));
    for (int p = 0; p < 2; p++)
        m->flash[p].off_ms = m->beep[p].off_ms = -1000;
    bool ok = open_all(m, path);
    AVPacket *pkt = av_packet_alloc();
    AVFrame *f = av_frame_alloc();
    while (ok && av_read_frame(m->file, pkt) >= 0) {
        ok = avcodec_send_packet(m->dec[pkt->stream_index], pkt) >= 0;
        take_frames(m, pkt->stream_index, f);
        av_packet_unref(pkt);
    }
    for (int p = 0; p < 2 && ok; p++) {
        pair_up(&m->flash[p], &m->beep[p], &out[p]);
        out[p].duration_ms = m->end_ms;
        out[p].width = m->dec[0]->width;
        out[p].height = m->dec[0]->height;
    }
    av_packet_free(&pkt);
    av_frame_free(&f);
    avcodec_free_context(&m->dec[0]);
    avcodec_free_context(&m->dec[1]);
    avformat_close_input(&m->file);
    free(m);
    return ok;
}

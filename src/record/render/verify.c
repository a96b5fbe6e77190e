/* Decodes every packet, since a container can be fine around broken frames. The tolerance is one
 * second or 0.2 %: the last frame's length is not known to a video stream. */
#include "record/render/verify.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct stream {
    int index;
    AVCodecContext *dec;
    int64_t end_ms;
    uint64_t frames;
};

static bool open_stream(AVFormatContext *file, enum AVMediaType type, struct stream *s)
{
    const AVCodec *codec = NULL;
    s->index = av_find_best_stream(file, type, -1, -1, &codec, 0);
    if (s->index < 0 || !codec)
        return false;
    s->dec = avcodec_alloc_context3(codec);
    const AVStream *st = file->streams[s->index];
    if (!s->dec || avcodec_parameters_to_context(s->dec, st->codecpar) < 0)
        return false;
    s->dec->pkt_timebase = st->time_base;
    s->dec->thread_count = 1;
    return avcodec_open2(s->dec, codec, NULL) >= 0;
}

static void drain(struct stream *s, const AVStream *st, AVFrame *frame, uint64_t *errors)
{
    int r;
    while ((r = avcodec_receive_frame(s->dec, frame)) >= 0) {
        AVRational ms = { 1, 1000 };
        int64_t len = frame->nb_samples && frame->sample_rate
                          ? (int64_t)frame->nb_samples * 1000 / frame->sample_rate
                          : 0;
        if (frame->pts != AV_NOPTS_VALUE)
            s->end_ms = av_rescale_q(frame->pts, st->time_base, ms) + len;
        s->frames++;
    }
    *errors += r != AVERROR(EAGAIN) && r != AVERROR_EOF;
}

static void decode_all(AVFormatContext *file, struct stream s[2], struct rn_verify *out)
{
    AVPacket *pkt = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int r = pkt && frame ? 0 : -1;
    while (r >= 0 && (r = av_read_frame(file, pkt)) >= 0) {
        for (int i = 0; i < 2; i++) {
            if (pkt->stream_index != s[i].index)
                continue;
            out->errors += avcodec_send_packet(s[i].dec, pkt) < 0;
            drain(&s[i], file->streams[s[i].index], frame, &out->errors);
        }
        av_packet_unref(pkt);
    }
    out->errors += r != AVERROR_EOF;
    for (int i = 0; i < 2 && pkt && frame; i++) {
        avcodec_send_packet(s[i].dec, NULL);
        drain(&s[i], file->streams[s[i].index], frame, &out->errors);
    }
    av_packet_free(&pkt);
    av_frame_free(&frame);
}

static bool near(int64_t got, int64_t want)
{
    int64_t slack = 1000 + want / 500;
    return got >= want - slack && got <= want + slack;
}

static enum tr_err judge(const struct rn_verify *v, int64_t expect_ms, char *reason, size_t size)
{
    if (v->errors)
        snprintf(reason, size, "%llu decoding errors", (unsigned long long)v->errors);
    else if (!v->video_frames || !v->audio_frames)
        snprintf(reason, size, "a stream is empty");
    else if (expect_ms >= 0 && (!near(v->audio_ms, expect_ms) || !near(v->video_ms, expect_ms)))
        snprintf(reason, size, "length is %lld (audio) and %lld (video) ms, not %lld",
                 (long long)v->audio_ms, (long long)v->video_ms, (long long)expect_ms);
    else
        return TR_OK;
    return TR_ERR_BADMSG;
}

enum tr_err rn_verify(const char *path, int64_t expect_ms, struct rn_verify *out, char *reason,
                      size_t reason_size)
{
    struct stream s[2] = { { .index = -1 }, { .index = -1 } };
    AVFormatContext *file = NULL;
    memset(out, 0, sizeof(*out));
    snprintf(reason, reason_size, "cannot be opened");
    char url[1100];
    snprintf(url, sizeof(url), "file:%s", path);
    if (avformat_open_input(&file, url, NULL, NULL) < 0)
        return TR_ERR_IO;
    enum tr_err err = TR_ERR_BADMSG;
    if (avformat_find_stream_info(file, NULL) >= 0 &&
        open_stream(file, AVMEDIA_TYPE_VIDEO, &s[0]) &&
        open_stream(file, AVMEDIA_TYPE_AUDIO, &s[1])) {
        decode_all(file, s, out);
        out->video_frames = s[0].frames;
        out->audio_frames = s[1].frames;
        out->video_ms = s[0].end_ms;
        out->audio_ms = s[1].end_ms;
        out->width = s[0].dec->width;
        out->height = s[0].dec->height;
        err = judge(out, expect_ms, reason, reason_size);
    } else {
        snprintf(reason, reason_size, "a video or audio stream is missing");
    }
    avcodec_free_context(&s[0].dec);
    avcodec_free_context(&s[1].dec);
    avformat_close_input(&file);
    return err;
}

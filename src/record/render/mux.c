/* libvpx in its real-time mode without look-ahead: a frame in, a packet out, and several times
 * faster than its "good" mode at sizes that people watch side by side. Keyframes at least every 5 s
 * make the product seekable; the muxer puts the index (cues) at the end. */
#include "record/render/mux.h"

#include <errno.h>
#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/journal.h"

enum { AUDIO_BPS = 64000, KEY_SECONDS = 5 };

struct rn_mux {
    char path[TR_JOURNAL_PATH_MAX], tmp[TR_JOURNAL_PATH_MAX + 32];
    AVFormatContext *file;
    AVCodecContext *video, *audio;
    AVStream *video_st, *audio_st;
    AVFrame *picture, *samples;
    AVPacket *pkt;
    int64_t audio_pts;
    bool created, finished;
    char error[128];
};

static enum tr_err fail(struct rn_mux *m, const char *what, int code)
{
    char text[80];
    av_strerror(code, text, sizeof(text));
    snprintf(m->error, sizeof(m->error), "%s: %s", what, text);
    return code == AVERROR(ENOMEM) ? TR_ERR_NOMEM : TR_ERR_IO;
}

static enum tr_err open_video(struct rn_mux *m, const struct rn_mux_conf *conf)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libvpx");
    if (!codec)
        return TR_ERR_UNSUPPORTED;
    AVCodecContext *c = m->video = avcodec_alloc_context3(codec);
    if (!c)
        return TR_ERR_NOMEM;
    c->width = conf->width;
    c->height = conf->height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){ 1, 1000 };
    c->framerate = (AVRational){ conf->fps, 1 };
    c->gop_size = conf->fps * KEY_SECONDS;
    c->bit_rate = (int64_t)conf->width * conf->height * conf->fps / 12;
    c->qmin = 4;
    c->qmax = 50;
    c->thread_count = conf->threads;
    AVDictionary *opt = NULL;
    av_dict_set(&opt, "deadline", "realtime", 0);
    /* Negative: this speed always. A positive one follows the machine's load. */
    av_dict_set(&opt, "cpu-used", "-8", 0);
    av_dict_set(&opt, "lag-in-frames", "0", 0);
    av_dict_set(&opt, "auto-alt-ref", "0", 0);
    av_dict_set(&opt, "static-thresh", "100", 0);
    int r = avcodec_open2(c, codec, &opt);
    av_dict_free(&opt);
    return r < 0 ? fail(m, "libvpx", r) : TR_OK;
}

static enum tr_err open_audio(struct rn_mux *m)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libopus");
    if (!codec)
        return TR_ERR_UNSUPPORTED;
    AVCodecContext *c = m->audio = avcodec_alloc_context3(codec);
    if (!c)
        return TR_ERR_NOMEM;
    c->sample_rate = RN_RATE;
    c->sample_fmt = AV_SAMPLE_FMT_FLT;
    c->time_base = (AVRational){ 1, RN_RATE };
    c->bit_rate = AUDIO_BPS;
    c->compression_level = 5; /* of 10; the ear does not tell, the clock does */
    av_channel_layout_default(&c->ch_layout, 2);
    int r = avcodec_open2(c, codec, NULL);
    return r < 0 ? fail(m, "libopus", r) : TR_OK;
}

static enum tr_err add_stream(struct rn_mux *m, AVCodecContext *c, AVStream **st)
{
    *st = avformat_new_stream(m->file, NULL);
    if (!*st)
        return TR_ERR_NOMEM;
    (*st)->time_base = c->time_base;
    int r = avcodec_parameters_from_context((*st)->codecpar, c);
    return r < 0 ? fail(m, "stream", r) : TR_OK;
}

static enum tr_err open_file(struct rn_mux *m)
{
    int r = avformat_alloc_output_context2(&m->file, NULL, "webm", m->tmp);
    if (r < 0)
        return fail(m, "webm", r);
    m->file->flags |= AVFMT_FLAG_BITEXACT; /* no version strings, no random ids */
    enum tr_err err = add_stream(m, m->video, &m->video_st);
    if (!err)
        err = add_stream(m, m->audio, &m->audio_st);
    if (err)
        return err;
    m->video_st->avg_frame_rate = m->video->framerate;
    r = avio_open(&m->file->pb, m->tmp, AVIO_FLAG_WRITE);
    if (r < 0)
        return fail(m, "create file", r);
    m->created = true;
    r = avformat_write_header(m->file, NULL);
    return r < 0 ? fail(m, "header", r) : TR_OK;
}

static enum tr_err make_frames(struct rn_mux *m)
{
    m->pkt = av_packet_alloc();
    m->picture = av_frame_alloc();
    m->samples = av_frame_alloc();
    if (!m->pkt || !m->picture || !m->samples)
        return TR_ERR_NOMEM;
    m->picture->width = m->video->width;
    m->picture->height = m->video->height;
    m->picture->format = m->video->pix_fmt;
    m->samples->format = m->audio->sample_fmt;
    m->samples->nb_samples = RN_CHUNK;
    m->samples->sample_rate = RN_RATE;
    int r = av_channel_layout_copy(&m->samples->ch_layout, &m->audio->ch_layout);
    if (r >= 0)
        r = av_frame_get_buffer(m->picture, 0);
    if (r >= 0)
        r = av_frame_get_buffer(m->samples, 0);
    return r < 0 ? fail(m, "frames", r) : TR_OK;
}

enum tr_err rn_mux_open(struct rn_mux **out, const struct rn_mux_conf *conf)
{
    struct rn_mux *m = tr_alloc(sizeof(*m));
    *out = m;
    if (!m)
        return TR_ERR_NOMEM;
    if (snprintf(m->path, sizeof(m->path), "%s", conf->path) >= (int)sizeof(m->path))
        return TR_ERR_INVAL;
    snprintf(m->tmp, sizeof(m->tmp), "%s.%d.tmp", conf->path, (int)getpid());
    enum tr_err err = open_video(m, conf);
    if (!err)
        err = open_audio(m);
    if (!err)
        err = make_frames(m);
    return err ? err : open_file(m);
}

enum tr_err rn_mux_canvas(struct rn_mux *m, struct rn_canvas *canvas)
{
    int r = av_frame_make_writable(m->picture);
    if (r < 0)
        return fail(m, "canvas", r);
    for (int i = 0; i < 3; i++) {
        canvas->plane[i] = m->picture->data[i];
        canvas->stride[i] = m->picture->linesize[i];
    }
    canvas->width = m->picture->width;
    canvas->height = m->picture->height;
    return TR_OK;
}

/* Encodes a frame (NULL: the end) and writes what comes out. */
static enum tr_err encode(struct rn_mux *m, AVCodecContext *c, const AVStream *st, AVFrame *frame)
{
    int r = avcodec_send_frame(c, frame);
    if (r < 0)
        return fail(m, "encode", r);
    while ((r = avcodec_receive_packet(c, m->pkt)) >= 0) {
        m->pkt->stream_index = st->index;
        av_packet_rescale_ts(m->pkt, c->time_base, st->time_base);
        r = av_interleaved_write_frame(m->file, m->pkt);
        if (r < 0)
            return fail(m, "write", r);
    }
    return r == AVERROR(EAGAIN) || r == AVERROR_EOF ? TR_OK : fail(m, "encode", r);
}

enum tr_err rn_mux_video(struct rn_mux *m, int64_t at_us)
{
    m->picture->pts = at_us / 1000;
    return encode(m, m->video, m->video_st, m->picture);
}

enum tr_err rn_mux_audio(struct rn_mux *m, const float stereo[2 * RN_CHUNK])
{
    int r = av_frame_make_writable(m->samples);
    if (r < 0)
        return fail(m, "samples", r);
    memcpy(m->samples->data[0], stereo, 2 * RN_CHUNK * sizeof(*stereo));
    m->samples->pts = m->audio_pts;
    m->audio_pts += RN_CHUNK;
    return encode(m, m->audio, m->audio_st, m->samples);
}

static enum tr_err sync_and_rename(struct rn_mux *m, int64_t *bytes)
{
    struct stat st;
    int fd = open(m->tmp, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0 && fstat(fd, &st) == 0;
    if (fd >= 0)
        close(fd);
    if (!ok || rename(m->tmp, m->path) != 0)
        return fail(m, "finish", AVERROR(errno));
    *bytes = st.st_size;
    m->finished = true;
    char dir[TR_JOURNAL_PATH_MAX];
    memcpy(dir, m->path, sizeof(dir));
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[1] = 0;
    int r = tr_file_ops_system.sync_dir(&tr_file_ops_system, slash ? dir : ".");
    return r < 0 ? fail(m, "sync directory", AVERROR(-r)) : TR_OK;
}

enum tr_err rn_mux_finish(struct rn_mux *m, int64_t *bytes)
{
    enum tr_err err = encode(m, m->video, m->video_st, NULL);
    if (!err)
        err = encode(m, m->audio, m->audio_st, NULL);
    if (err)
        return err;
    int r = av_write_trailer(m->file);
    int c = avio_closep(&m->file->pb); /* shows the errors of buffered writes */
    if (r < 0 || c < 0)
        return fail(m, "end of file", r < 0 ? r : c);
    return sync_and_rename(m, bytes);
}

void rn_mux_close(struct rn_mux *m)
{
    if (!m)
        return;
    if (m->file && m->file->pb)
        avio_closep(&m->file->pb);
    if (m->created && !m->finished)
        unlink(m->tmp);
    avformat_free_context(m->file);
    avcodec_free_context(&m->video);
    avcodec_free_context(&m->audio);
    av_frame_free(&m->picture);
    av_frame_free(&m->samples);
    av_packet_free(&m->pkt);
    tr_free(m);
}

const char *rn_mux_error(const struct rn_mux *m)
{
    return m ? m->error : "";
}

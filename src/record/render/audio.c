/* Each track has a window of samples [base, base + WINDOW) on the time line. rn_audio_mix() takes
 * the first RN_CHUNK of them, but only after the packets have been decoded some way beyond, so that
 * when a gap shows, the end of what came before it can still be faded out.
 *
 * A packet has a place (its timestamp on the time line) and the resampler has a place (where the
 * next input sample will come out). Up to 5 ms between the two are made good by stretching by at
 * most 0.5 %: that is clock drift. More is a hole or a jump: the resampler is drained, the edge
 * faded, and the run starts anew at the packet's place. A packet that lies behind is dropped.
 *
 * A hole is silent; libavcodec offers no way to ask Opus for concealment or its in-band FEC. */
#include "record/render/audio.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "payload/opus.h"
#include "record/render/timeline.h"

enum {
    WINDOW = 3 * RN_RATE,
    MEMORY = 3 * WINDOW,
    AHEAD = RN_RATE / 50 + RN_RATE / 200, /* decoded beyond the chunk, for fades */
    FADE = RN_RATE / 200,                 /* 5 ms */
    SLACK = RN_RATE / 200,                /* what stretching may make good */
    STRETCH_MAX_PER_MILLE = 5,
    PACKET_MAX = RN_RATE /* samples of one packet that are believed */
};

struct rn_audio {
    struct rn_track *track;
    uint32_t part, at; /* next packet */
    AVCodecContext *dec;
    AVPacket *pkt;
    AVFrame *frame;
    SwrContext *swr;
    int in_rate;
    AVChannelLayout in_layout;
    enum AVSampleFormat in_format;
    bool running; /* a run is going on: swr holds state */
    int64_t pos;  /* where the next sample out of swr goes */
    int64_t base; /* of the window */
    int64_t run_start;
    uint64_t errors, frames;
    float *memory, *window; /* the window slides through the memory */
    float out[PACKET_MAX];
};

static const AVCodec *find_decoder(enum tr_codec codec)
{
    const AVCodec *opus;
    switch ((int)codec) {
    case TR_CODEC_OPUS:
    case TR_CODEC_RED:
        opus = avcodec_find_decoder_by_name("libopus");
        return opus ? opus : avcodec_find_decoder(AV_CODEC_ID_OPUS);
    case TR_CODEC_PCMU: return avcodec_find_decoder(AV_CODEC_ID_PCM_MULAW);
    case TR_CODEC_PCMA: return avcodec_find_decoder(AV_CODEC_ID_PCM_ALAW);
    case TR_CODEC_G722: return avcodec_find_decoder(AV_CODEC_ID_ADPCM_G722);
    case TR_CODEC_L16: return avcodec_find_decoder(AV_CODEC_ID_PCM_S16BE);
    default: return NULL;
    }
}

static bool open_decoder(struct rn_audio *a)
{
    const struct tr_meta *meta = &a->track->meta;
    const AVCodec *codec = find_decoder(a->track->codec);
    if (!codec)
        return true; /* silence */
    bool opus = a->track->codec == TR_CODEC_OPUS || a->track->codec == TR_CODEC_RED;
    int channels = opus ? 2 : meta->channels == 2 ? 2 : 1;
    a->dec = avcodec_alloc_context3(codec);
    if (!a->dec)
        return false;
    /* G.722's RTP clock is 8000 although it samples at 16000 (RFC 3551 section 4.5.2) */
    a->dec->sample_rate = opus                               ? RN_RATE
                          : a->track->codec == TR_CODEC_G722 ? 16000
                                                             : (int)meta->clock;
    av_channel_layout_default(&a->dec->ch_layout, channels);
    a->dec->thread_count = 1;
    if (avcodec_open2(a->dec, codec, NULL) < 0)
        avcodec_free_context(&a->dec);
    return true;
}

struct rn_audio *rn_audio_create(struct rn_track *track)
{
    struct rn_audio *a = tr_alloc(sizeof(*a));
    if (!a)
        return NULL;
    a->track = track;
    a->pos = INT64_MIN / 2; /* nothing was placed yet */
    a->window = a->memory = tr_alloc(MEMORY * sizeof(*a->memory));
    a->pkt = av_packet_alloc();
    a->frame = av_frame_alloc();
    if (!a->window || !a->pkt || !a->frame || !open_decoder(a)) {
        rn_audio_destroy(a);
        return NULL;
    }
    return a;
}

void rn_audio_destroy(struct rn_audio *a)
{
    if (!a)
        return;
    swr_free(&a->swr);
    avcodec_free_context(&a->dec);
    av_packet_free(&a->pkt);
    av_frame_free(&a->frame);
    av_channel_layout_uninit(&a->in_layout);
    tr_free(a->memory);
    tr_free(a);
}

/* Stores n samples at a->pos, faded in at the start of a run. Outside of the window they are lost,
 * which only a packet far from its place can cause. */
static void store(struct rn_audio *a, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t at = a->pos + i - a->base, into = a->pos + i - a->run_start;
        float gain = into < FADE ? (float)into / FADE : 1;
        if (at >= 0 && at < WINDOW)
            a->window[at] = a->out[i] * gain;
    }
    a->pos += n;
}

static void end_run(struct rn_audio *a)
{
    if (!a->running)
        return;
    uint8_t *out = (uint8_t *)a->out;
    int n = swr_convert(a->swr, &out, PACKET_MAX, NULL, 0);
    if (n > 0)
        store(a, n);
    for (int i = 1; i <= FADE; i++) {
        int64_t at = a->pos - i - a->base;
        if (at >= 0 && at < WINDOW && a->pos - i >= a->run_start)
            a->window[at] *= (float)i / FADE;
    }
    a->running = false;
}

static bool same_input(const struct rn_audio *a)
{
    return a->swr && a->in_rate == a->frame->sample_rate && a->in_format == a->frame->format &&
           av_channel_layout_compare(&a->in_layout, &a->frame->ch_layout) == 0;
}

/* A resampler from the frame's format that starts with nothing inside. */
static bool start_run(struct rn_audio *a, int64_t target)
{
    AVFrame *f = a->frame;
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    if (!same_input(a)) {
        swr_free(&a->swr);
        if (swr_alloc_set_opts2(&a->swr, &mono, AV_SAMPLE_FMT_FLT, RN_RATE, &f->ch_layout,
                                (enum AVSampleFormat)f->format, f->sample_rate, 0, NULL) < 0)
            return false;
        /* compensation needs the resampler also between equal rates */
        av_opt_set_int(a->swr, "flags", SWR_FLAG_RESAMPLE, 0);
        a->in_rate = f->sample_rate;
        a->in_format = (enum AVSampleFormat)f->format;
        if (av_channel_layout_copy(&a->in_layout, &f->ch_layout) < 0)
            return false;
    }
    if (swr_init(a->swr) < 0)
        return false;
    a->running = true;
    a->pos = a->run_start = target;
    return true;
}

/* The decoded frame goes to its place. */
static void place_frame(struct rn_audio *a, int64_t target)
{
    const AVFrame *f = a->frame;
    if (f->sample_rate <= 0 || f->nb_samples <= 0 ||
        (int64_t)f->nb_samples * RN_RATE / f->sample_rate > PACKET_MAX / 2)
        return;
    int64_t off = a->running ? target - (a->pos + swr_get_delay(a->swr, RN_RATE)) : 0;
    if (a->running && off < -SLACK)
        return; /* behind what is there */
    if (a->running && (off > SLACK || !same_input(a))) {
        end_run(a);
    }
    if (!a->running) {
        if (a->pos - target > SLACK)
            return;
        if (!start_run(a, target > a->pos ? target : a->pos))
            return;
        off = 0;
    }
    int n = (int)((int64_t)f->nb_samples * RN_RATE / f->sample_rate);
    int most = n * STRETCH_MAX_PER_MILLE / 1000;
    int64_t fix = off > most ? most : off < -most ? -most : off;
    if (swr_set_compensation(a->swr, (int)fix, n) < 0)
        return;
    uint8_t *out = (uint8_t *)a->out;
    n = swr_convert(a->swr, &out, PACKET_MAX, (const uint8_t **)f->extended_data, f->nb_samples);
    if (n > 0)
        store(a, n);
}

static bool next_packet(struct rn_audio *a, const struct rn_packet **pkt,
                        const struct rn_part **part)
{
    for (; a->part < a->track->part_count; a->part++, a->at = 0) {
        *part = a->track->parts[a->part];
        while (a->at < (*part)->count && (*part)->packets[a->at].len == 0)
            a->at++;
        if (a->at < (*part)->count) {
            *pkt = &(*part)->packets[a->at];
            return true;
        }
    }
    return false;
}

static void decode(struct rn_audio *a, const struct rn_packet *k, int64_t target)
{
    struct tr_slice payload = tr_slice(k->p, k->len);
    struct tr_red red;
    if (a->track->codec == TR_CODEC_RED) {
        if (tr_red_parse(&red, payload) != TR_OK || red.primary.n == 0)
            return;
        payload = red.primary;
    }
    if (!a->dec || av_new_packet(a->pkt, (int)payload.n) < 0)
        return;
    memcpy(a->pkt->data, payload.p, payload.n);
    int r = avcodec_send_packet(a->dec, a->pkt);
    av_packet_unref(a->pkt);
    bool got = false;
    while (r >= 0 && (r = avcodec_receive_frame(a->dec, a->frame)) >= 0) {
        place_frame(a, target);
        target += a->frame->sample_rate > 0
                      ? (int64_t)a->frame->nb_samples * RN_RATE / a->frame->sample_rate
                      : 0;
        got = true;
    }
    a->frames += got;
    a->errors += !got;
}

/* Where the next input sample of the run comes out; the base when there is no run. */
static int64_t reach(const struct rn_audio *a)
{
    return a->running ? a->pos : a->base;
}

static void fill(struct rn_audio *a)
{
    const struct rn_packet *k;
    const struct rn_part *part;
    int64_t need = a->base + RN_CHUNK + AHEAD;
    while (reach(a) < need) {
        if (!next_packet(a, &k, &part)) {
            end_run(a);
            return;
        }
        int64_t target = llrint((double)rn_timeline_at(part, k->ts) * RN_RATE / 1e6);
        if (target >= need + AHEAD) { /* not yet: what there is ends here */
            end_run(a);
            return;
        }
        a->at++;
        if (target >= a->base - RN_RATE)
            decode(a, k, target);
    }
}

bool rn_audio_mix(struct rn_audio *a, float out[RN_CHUNK])
{
    fill(a);
    bool any = false;
    for (int i = 0; i < RN_CHUNK; i++) {
        out[i] += a->window[i];
        any |= a->window[i] != 0;
    }
    a->window += RN_CHUNK;
    a->base += RN_CHUNK;
    if (a->window + WINDOW > a->memory + MEMORY) { /* seldom, so that moving costs nothing */
        size_t kept = (size_t)(a->memory + MEMORY - a->window);
        memcpy(a->memory, a->window, kept * sizeof(*a->window));
        memset(a->memory + kept, 0, (MEMORY - kept) * sizeof(*a->window));
        a->window = a->memory;
    }
    return any;
}

uint64_t rn_audio_errors(const struct rn_audio *a)
{
    return a->errors;
}

uint64_t rn_audio_frames(const struct rn_audio *a)
{
    return a->frames;
}

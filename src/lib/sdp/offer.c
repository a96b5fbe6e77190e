/* The lines become a description as a client might have offered it, with our numbers in it, and
 * that goes through the same builder as a relayed call (negotiate.h), which knows how an offer
 * continues the one before.
 *
 * Numbers: a format (codec, parameters) that has a payload type anywhere in this offer keeps it,
 * next the one that it had in the former description, then the one that was wished for, then any
 * dynamic number that neither uses. */
#include "sdp/offer.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "sdp/parse_int.h"

#define TOKEN_EXTRA "!#$%&'*+-.^_`{|}~" /* beside letters and digits: RFC 8866 token-char */

enum {
    PT_COUNT = 128,
    MID_TEXT = 8,
    MSID_MAX = 64, /* RFC 8830 section 2 */
    EXTS_AUDIO = 1u << TR_EXT_MID | 1u << TR_EXT_ABS_SEND_TIME | 1u << TR_EXT_TRANSPORT_CC |
                 1u << TR_EXT_AUDIO_LEVEL,
    EXTS_VIDEO = 1u << TR_EXT_MID | 1u << TR_EXT_ABS_SEND_TIME | 1u << TR_EXT_TRANSPORT_CC |
                 1u << TR_EXT_VIDEO_ORIENTATION | 1u << TR_EXT_PLAYOUT_DELAY,
    FEEDBACK_VIDEO =
        TR_SDP_FB_NACK | TR_SDP_FB_PLI | TR_SDP_FB_FIR | TR_SDP_FB_REMB | TR_SDP_FB_TWCC
};

struct making {
    struct tr_arena *arena; /* of the model, which is gone at the end */
    const struct tr_sdp *prev;
    struct tr_sdp model;
    const struct tr_sdp_codec *formats[PT_COUNT]; /* of this offer, by payload type */
    const struct tr_sdp_codec *former[PT_COUNT];  /* of the one before */
};

struct tr_sdp_offer_line tr_sdp_offer_line(enum tr_sdp_kind kind, enum tr_codec codec)
{
    bool video = kind == TR_SDP_VIDEO, audio = kind == TR_SDP_AUDIO;
    return (struct tr_sdp_offer_line){
        .kind = kind,
        .send = true,
        .codec = codec,
        .pt = TR_SDP_PT_NONE,
        .rtx = video,
        .feedback = video   ? FEEDBACK_VIDEO
                    : audio ? TR_SDP_FB_TWCC
                            : 0,
        .exts = video   ? EXTS_VIDEO
                : audio ? EXTS_AUDIO
                        : 0,
    };
}

/* --- payload types --- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_format(const struct tr_sdp_codec *a, const struct tr_sdp_codec *b)
{
    return a && a->codec == b->codec && a->clock == b->clock && a->channels == b->channels &&
           a->apt == b->apt && (b->codec == TR_CODEC_RTX || same_text(a->fmtp, b->fmtp));
}

static int find_format(const struct tr_sdp_codec *const table[PT_COUNT],
                       const struct tr_sdp_codec *c)
{
    for (int pt = 0; pt < PT_COUNT; pt++)
        if (same_format(table[pt], c))
            return pt;
    return -1;
}

/*= rfc5761#4
 *# payload types 64 to 95 would look like RTCP once the marker bit is set
 * The other numbers below 96 and above 34 are unassigned. */
static bool dynamic(int pt)
{
    return (pt >= 96 && pt < PT_COUNT) || (pt >= 35 && pt < 64);
}

static int free_number(const struct making *m, bool shy)
{
    static const int start = 96;
    for (int i = 0; i < PT_COUNT; i++) {
        int pt = (start + i) % PT_COUNT;
        if (dynamic(pt) && !m->formats[pt] && !(shy && m->former[pt]))
            return pt;
    }
    return -1;
}

/* -1: none is left. */
static int choose_pt(const struct making *m, const struct tr_sdp_codec *c, int wish)
{
    int pt = tr_codec_info(c->codec)->static_pt;
    if (pt >= 0)
        return pt;
    pt = find_format(m->formats, c);
    if (pt < 0) {
        pt = find_format(m->former, c);
        pt = pt >= 0 && m->formats[pt] ? -1 : pt;
    }
    if (pt < 0 && wish < PT_COUNT && dynamic(wish) && !m->formats[wish] && !m->former[wish])
        pt = wish;
    if (pt < 0)
        pt = free_number(m, true);
    return pt < 0 ? free_number(m, false) : pt;
}

static enum tr_err add_codec(struct making *m, struct tr_sdp_media *media, struct tr_sdp_codec *c,
                             int wish)
{
    int pt = choose_pt(m, c, wish);
    if (pt < 0)
        return TR_ERR_LIMIT;
    c->pt = (uint8_t)pt;
    media->codecs[media->codec_count] = *c;
    m->formats[pt] = &media->codecs[media->codec_count++];
    return TR_OK;
}

static void note_former(struct making *m)
{
    for (unsigned i = 0; m->prev && i < m->prev->media_count; i++) {
        const struct tr_sdp_media *media = &m->prev->media[i];
        for (unsigned k = 0; k < media->codec_count; k++)
            if (media->codecs[k].pt < PT_COUNT)
                m->former[media->codecs[k].pt] = &media->codecs[k];
    }
}

/* --- m-lines --- */

/* As the parser would have read it. */
static struct tr_sdp_codec format(enum tr_codec codec, uint32_t clock, const char *fmtp)
{
    const struct tr_codec_info *info = tr_codec_info(codec);
    struct tr_sdp_codec c;
    tr_sdp_codec_init(&c, TR_SDP_PT_NONE);
    tr_sdp_codec_name(&c, info->name, clock, info->channels ? info->channels : 1);
    c.fmtp = fmtp && fmtp[0] ? fmtp : NULL;
    tr_sdp_codec_facts(&c);
    return c;
}

static enum tr_err model_codecs(struct making *m, struct tr_sdp_media *media,
                                const struct tr_sdp_offer_line *line)
{
    struct tr_sdp_codec c = format(line->codec, tr_codec_info(line->codec)->clock, line->fmtp);
    c.feedback = line->feedback;
    media->codecs = tr_arena_alloc(m->arena, 2 * sizeof *media->codecs);
    char *fmtp = tr_arena_alloc(m->arena, MID_TEXT);
    if (!media->codecs || !fmtp)
        return TR_ERR_NOMEM;
    enum tr_err err = add_codec(m, media, &c, line->pt);
    if (err != TR_OK || (!line->rtx && !line->red))
        return err;
    (void)snprintf(fmtp, MID_TEXT, line->rtx ? "apt=%u" : "%u/%u", c.pt, c.pt);
    struct tr_sdp_codec more = format(line->rtx ? TR_CODEC_RTX : TR_CODEC_RED, c.clock, fmtp);
    more.channels = c.channels;
    return add_codec(m, media, &more, c.pt + 1);
}

/* The ids that are ours from the start; where the former description has others, those go on. */
static enum tr_err model_exts(struct making *m, struct tr_sdp_media *media, uint32_t exts)
{
    media->exts = tr_arena_alloc(m->arena, TR_EXT_COUNT * sizeof *media->exts);
    if (!media->exts)
        return TR_ERR_NOMEM;
    for (unsigned ext = 0; ext < TR_EXT_COUNT; ext++)
        if (exts & 1u << ext)
            media->exts[media->ext_count++] =
                (struct tr_sdp_ext){ .id = (uint8_t)(ext + 1),
                                     .dir = TR_SDP_SENDRECV,
                                     .ext = (enum tr_ext)ext,
                                     .uri = tr_ext_uri((enum tr_ext)ext) };
    return TR_OK;
}

static const char *model_mid(struct making *m, const char *wish, unsigned index)
{
    char *mid = wish ? tr_arena_strdup(m->arena, wish) : tr_arena_alloc(m->arena, MID_TEXT);
    if (mid && !wish)
        (void)snprintf(mid, MID_TEXT, "%u", index);
    return mid;
}

static bool is_token(const char *text, size_t max)
{
    return tr_sdp_length_ok(text, 1, max) && tr_sdp_all_of(text, TOKEN_EXTRA);
}

/* Parameters may stem from a client's request: none may end the line. */
static bool is_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            return false;
    return true;
}

static bool can_carry(enum tr_codec codec, enum tr_codec_kind kind)
{
    const struct tr_codec_info *info = tr_codec_info(codec);
    return info->main && info->clock && (info->kind & kind);
}

static bool writable(const struct tr_sdp_offer_line *line)
{
    if ((line->mid && !is_token(line->mid, TR_SDP_MID_MAX)) || (line->fmtp && !is_line(line->fmtp)))
        return false;
    switch (line->kind) {
    case TR_SDP_DATA: return true;
    case TR_SDP_AUDIO:
        return can_carry(line->codec, TR_CODEC_KIND_AUDIO) &&
               (!line->red || line->codec == TR_CODEC_OPUS);
    case TR_SDP_VIDEO: return can_carry(line->codec, TR_CODEC_KIND_VIDEO);
    case TR_SDP_OTHER: break;
    }
    return false;
}

static enum tr_err model_line(struct making *m, const struct tr_sdp_offer_line *line, unsigned i)
{
    static const char *const names[] = { "audio", "video", "application" };
    struct tr_sdp_media *media = &m->model.media[i];
    if (!writable(line))
        return TR_ERR_INVAL;
    *media = (struct tr_sdp_media){ .kind = line->kind,
                                    .kind_name = names[line->kind],
                                    .dir = line->send ? TR_SDP_SEND : TR_SDP_INACTIVE,
                                    .proto = "UDP/TLS/RTP/SAVPF",
                                    .format = "0",
                                    .mid = model_mid(m, line->mid, i),
                                    .bundled = true,
                                    .rtcp_rsize = true };
    if (!media->mid)
        return TR_ERR_NOMEM;
    for (unsigned k = 0; k < i; k++)
        if (strcmp(m->model.media[k].mid, media->mid) == 0)
            return TR_ERR_INVAL;
    if (line->kind == TR_SDP_DATA) {
        media->proto = "UDP/DTLS/SCTP";
        media->format = "webrtc-datachannel";
        return TR_OK;
    }
    enum tr_err err = model_codecs(m, media, line);
    return err == TR_OK ? model_exts(m, media, line->exts) : err;
}

/* Everything that a line may ask for. */
static struct tr_sdp_policy all(void)
{
    struct tr_sdp_policy policy = { .exts = UINT32_MAX, .rtx = true, .red = true, .data = true };
    for (enum tr_codec c = TR_CODEC_NONE + 1; c < TR_CODEC_COUNT; c++) {
        if (can_carry(c, TR_CODEC_KIND_AUDIO) && policy.audio_count < TR_SDP_POLICY_MAX)
            policy.audio[policy.audio_count++] = c;
        if (can_carry(c, TR_CODEC_KIND_VIDEO) && policy.video_count < TR_SDP_POLICY_MAX)
            policy.video[policy.video_count++] = c;
    }
    return policy;
}

/* Names that are no tokens (a room's string ids may be anything) stay out: the builder's hold. */
static enum tr_err name_streams(struct tr_arena *arena, const struct tr_sdp_offer_line *lines,
                                struct tr_sdp *sdp)
{
    for (unsigned i = 0; i < sdp->media_count; i++) {
        struct tr_sdp_media *media = &sdp->media[i];
        const char *stream = lines[i].stream, *track = lines[i].stream_track;
        if (!media->msid || !stream || !track || !is_token(stream, MSID_MAX) ||
            !is_token(track, MSID_MAX))
            continue;
        size_t n = strlen(stream) + strlen(track) + 2;
        char *msid = tr_arena_alloc(arena, n);
        if (!msid)
            return TR_ERR_NOMEM;
        (void)snprintf(msid, n, "%s %s", stream, track);
        media->msid = msid;
    }
    return TR_OK;
}

static enum tr_err make_model(struct making *m, const struct tr_sdp_offer_line *lines,
                              unsigned count)
{
    m->model.media = tr_arena_alloc(m->arena, count * sizeof *m->model.media);
    m->model.media_count = (uint8_t)count;
    enum tr_err err = m->model.media ? TR_OK : TR_ERR_NOMEM;
    note_former(m);
    for (unsigned i = 0; i < count && err == TR_OK; i++)
        err = model_line(m, &lines[i], i);
    return err;
}

enum tr_err tr_sdp_offer(struct tr_arena *arena, const struct tr_sdp_offer_line *lines,
                         unsigned count, const struct tr_sdp *prev,
                         const struct tr_sdp_local *local, struct tr_sdp **out)
{
    struct tr_sdp_policy policy = all();
    *out = NULL;
    if (count == 0 || count > TR_SDP_MEDIA_MAX)
        return count ? TR_ERR_LIMIT : TR_ERR_INVAL;
    struct making m = { .arena = tr_arena_create(TR_SDP_ARENA_MAX), .prev = prev };
    enum tr_err err = m.arena ? make_model(&m, lines, count) : TR_ERR_NOMEM;
    if (err == TR_OK)
        err = tr_sdp_relay_offer(arena, &m.model, prev, &policy, local, out);
    if (err == TR_OK)
        err = name_streams(arena, lines, *out);
    tr_arena_destroy(m.arena);
    if (err != TR_OK)
        *out = NULL;
    return err;
}

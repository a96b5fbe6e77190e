/* The policy's order decides between codecs; within one codec the offered format that fits best,
 * and of equal ones the first, which the offerer likes most. */
#include "sdp/choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdp/parse_int.h"

bool tr_sdp_listed(const struct tr_sdp_policy *p, enum tr_sdp_kind kind, enum tr_codec codec)
{
    const enum tr_codec *list = kind == TR_SDP_AUDIO ? p->audio : p->video;
    unsigned count = kind == TR_SDP_AUDIO ? p->audio_count : p->video_count;
    for (unsigned i = 0; codec != TR_CODEC_NONE && i < count; i++)
        if (list[i] == codec)
            return true;
    return false;
}

/* How well an offered format fits: 0 not at all, higher is better. */
static unsigned fitness(const struct tr_sdp_codec *c, enum tr_codec codec, const char *profile)
{
    unsigned score = 1;
    char want[16];
    if (c->codec != codec)
        return 0;
    /* H.264 in mode 0 holds a frame's slices in single packets only; encoders serve it badly. */
    score += codec == TR_CODEC_H264 && c->packetization_mode == 1;
    if (!profile)
        return score;
    (void)snprintf(want, sizeof want, codec == TR_CODEC_H264 ? "%06x" : "%u", c->profile);
    if (!strcasecmp(want, profile))
        score += 8;
    else if (codec == TR_CODEC_H264 && !strncasecmp(want, profile, 4)) /* another level */
        score += 4;
    return score;
}

static const struct tr_sdp_codec *best_of(const struct tr_sdp_media *offer, enum tr_codec codec,
                                          const char *profile)
{
    const struct tr_sdp_codec *best = NULL;
    unsigned best_score = 0;
    for (unsigned i = 0; codec != TR_CODEC_NONE && i < offer->codec_count; i++) {
        unsigned score = fitness(&offer->codecs[i], codec, profile);
        if (score > best_score) {
            best = &offer->codecs[i];
            best_score = score;
        }
    }
    return best;
}

const struct tr_sdp_codec *tr_sdp_choose(const struct tr_sdp_policy *p,
                                         const struct tr_sdp_media *offer)
{
    bool audio = offer->kind == TR_SDP_AUDIO;
    const enum tr_codec *list = audio ? p->audio : p->video;
    unsigned count = audio ? p->audio_count : p->video_count;
    const char *profile = audio ? NULL : p->video_profile;
    const struct tr_sdp_codec *c = best_of(offer, audio ? p->force_audio : p->force_video, profile);
    for (unsigned i = 0; !c && i < count; i++)
        if (tr_codec_info(list[i])->main)
            c = best_of(offer, list[i], profile);
    return c;
}

/*= rfc2198#5
 *# the formats of the primary and secondary encodings, with slashes between them
 * Returns the one number that is there, or PT_NONE. */
static uint8_t wrapped_pt(const struct tr_sdp_codec *red)
{
    uint8_t only = TR_SDP_PT_NONE;
    for (const char *p = red->fmtp; p && *p;) {
        char *end;
        unsigned long pt = strtoul(p, &end, 10);
        bool number = end > p && end - p <= 3 && *p >= '0' && *p <= '9';
        if (!number || pt >= TR_SDP_PT_COUNT || (only != TR_SDP_PT_NONE && only != pt))
            return TR_SDP_PT_NONE;
        only = (uint8_t)pt;
        p = *end == '/' ? end + 1 : end;
        if (p == end && *end)
            return TR_SDP_PT_NONE;
    }
    return only;
}

bool tr_sdp_red_wraps(const struct tr_sdp_media *m, const struct tr_sdp_codec *red)
{
    const struct tr_sdp_codec *c = tr_sdp_codec_by_pt(m, wrapped_pt(red));
    return c && tr_codec_info(c->codec)->main && c->clock == red->clock;
}

const struct tr_sdp_codec *tr_sdp_red_of(const struct tr_sdp_media *m,
                                         const struct tr_sdp_codec *codec)
{
    for (unsigned i = 0; i < m->codec_count; i++) {
        const struct tr_sdp_codec *red = &m->codecs[i];
        if (red->codec == TR_CODEC_RED && red->clock == codec->clock &&
            wrapped_pt(red) == codec->pt)
            return red;
    }
    return NULL;
}

/* What rtpmap and fmtp say about a payload type, reduced to what forwarding decides on. The fmtp
 * text itself is kept beside: it is relayed as it is. */
#include <string.h>

#include "base/assert.h"
#include "sdp/parse_int.h"

void tr_sdp_codec_init(struct tr_sdp_codec *c, uint8_t pt)
{
    enum tr_codec codec = tr_codec_from_static_pt(pt);
    const struct tr_codec_info *info = tr_codec_info(codec);
    *c = (struct tr_sdp_codec){ .pt = pt, .apt = TR_SDP_PT_NONE, .channels = 1 };
    if (codec == TR_CODEC_NONE)
        return;
    c->codec = codec;
    c->clock = info->clock;
    c->name = info->name;
}

void tr_sdp_codec_name(struct tr_sdp_codec *c, const char *name, uint32_t clock, uint8_t channels)
{
    enum tr_codec codec = tr_codec_from_name(tr_slice_str(name));
    const struct tr_codec_info *info = tr_codec_info(codec);
    bool odd = info->main && info->clock && info->clock != clock;
    c->name = name;
    c->clock = clock;
    c->channels = channels;
    c->codec = odd ? TR_CODEC_NONE : codec;
}

static bool hex24(const char *text, uint32_t *out)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 6; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *at = text[i] ? strchr(digits, text[i]) : NULL;
        if (!at)
            return false;
        v = v << 4 | ((uint32_t)(at - digits) & 15u);
    }
    *out = v;
    return text[6] == '\0';
}

static bool flag(const char *value)
{
    return !strcmp(value, "1");
}

static void h264_fact(struct tr_sdp_codec *c, const char *key, const char *value)
{
    uint64_t n = 0;
    if (!strcasecmp(key, "profile-level-id"))
        (void)hex24(value, &c->profile);
    else if (!strcasecmp(key, "packetization-mode") && tr_sdp_number(value, 2, &n))
        c->packetization_mode = (uint8_t)n;
}

static void opus_fact(struct tr_sdp_codec *c, const char *key, const char *value)
{
    if (!strcasecmp(key, "useinbandfec"))
        c->inband_fec = flag(value);
    else if (!strcasecmp(key, "stereo"))
        c->stereo = flag(value);
    else if (!strcasecmp(key, "usedtx"))
        c->dtx = flag(value);
}

static void fact(struct tr_sdp_codec *c, const char *key, const char *value)
{
    uint64_t n = 0;
    bool number = tr_sdp_number(value, UINT16_MAX, &n);
    switch (c->codec) {
    case TR_CODEC_RTX:
        if (!strcasecmp(key, "apt") && number && n < TR_SDP_PT_COUNT)
            c->apt = (uint8_t)n;
        break;
    case TR_CODEC_H264: h264_fact(c, key, value); break;
    case TR_CODEC_VP9:
    case TR_CODEC_H265:
        if (!strcasecmp(key, "profile-id") && number)
            c->profile = (uint32_t)n;
        break;
    case TR_CODEC_AV1:
        if (!strcasecmp(key, "profile") && number)
            c->profile = (uint32_t)n;
        break;
    case TR_CODEC_OPUS:
    case TR_CODEC_MULTIOPUS: opus_fact(c, key, value); break;
    case TR_CODEC_NONE:
    case TR_CODEC_G722:
    case TR_CODEC_PCMU:
    case TR_CODEC_PCMA:
    case TR_CODEC_L16:
    case TR_CODEC_CN:
    case TR_CODEC_TELEPHONE_EVENT:
    case TR_CODEC_RED:
    case TR_CODEC_VP8:
    case TR_CODEC_ULPFEC:
    case TR_CODEC_FLEXFEC:
    case TR_CODEC_COUNT: break;
    }
}

/* One "key=value" out of text, copied small: what is longer than the buffers is no fact of ours. */
static void param(struct tr_sdp_codec *c, const char *text, size_t n)
{
    char key[32], value[32];
    while (n && *text == ' ')
        text++, n--;
    while (n && text[n - 1] == ' ')
        n--;
    const char *eq = memchr(text, '=', n);
    if (!eq)
        return;
    size_t key_n = (size_t)(eq - text), value_n = n - key_n - 1;
    if (key_n >= sizeof key || value_n >= sizeof value)
        return;
    memcpy(key, text, key_n);
    memcpy(value, eq + 1, value_n);
    key[key_n] = value[value_n] = '\0';
    fact(c, key, value);
}

void tr_sdp_codec_facts(struct tr_sdp_codec *c)
{
    /*= rfc6184#8.1
     *# profile-level-id absent: the Baseline profile, level 1, without constraints */
    c->profile = c->codec == TR_CODEC_H264 ? 0x42000a : c->codec == TR_CODEC_H265 ? 1 : 0;
    for (const char *p = c->fmtp; p && *p;) {
        size_t n = strcspn(p, ";");
        param(c, p, n);
        p += n + (p[n] == ';');
    }
}

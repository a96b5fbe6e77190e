/* The offer is what a browser would say, without what no server needs to see to forward media. */
#include "tring-load/rtc_sdp.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "ice/cand.h"

enum { PT_OPUS = 111, PT_VP8 = 96, PT_RTX = 97 };

static const char cname[] = "tring-load";

void rtc_sdp_candidate(const struct rtc *c, char *out, size_t size)
{
    char line[TR_ICE_CAND_LINE_MAX];
    struct tr_ice_cand cand = tr_ice_cand_make(TR_ICE_HOST, &c->local, NULL, 65535);
    tr_ice_cand_print(&cand, line);
    snprintf(out, size, "%s", line);
}

static const struct tr_sdp_codec opus = {
    .pt = PT_OPUS,
    .apt = TR_SDP_PT_NONE,
    .channels = 2,
    .codec = TR_CODEC_OPUS,
    .clock = 48000,
    .name = "opus",
    .fmtp = "minptime=10;useinbandfec=1",
};

static const struct tr_sdp_codec video_codecs[] = {
    { .pt = PT_VP8,
      .apt = TR_SDP_PT_NONE,
      .feedback = TR_SDP_FB_NACK | TR_SDP_FB_PLI | TR_SDP_FB_FIR | TR_SDP_FB_REMB,
      .codec = TR_CODEC_VP8,
      .clock = 90000,
      .name = "VP8" },
    { .pt = PT_RTX,
      .apt = PT_VP8,
      .codec = TR_CODEC_RTX,
      .clock = 90000,
      .name = "rtx",
      .fmtp = "apt=96" },
};

static const struct tr_sdp_ext exts[] = {
    { .id = 4, .dir = TR_SDP_SENDRECV, .ext = TR_EXT_MID },
    { .id = 3, .dir = TR_SDP_SENDRECV, .ext = TR_EXT_ABS_SEND_TIME },
};

static void *copy(struct tr_arena *arena, const void *from, size_t n)
{
    void *p = tr_arena_alloc(arena, n);
    if (p)
        memcpy(p, from, n);
    return p;
}

static enum tr_err add_streams(const struct rtc *c, struct tr_arena *arena, bool video,
                               struct tr_sdp_media *m)
{
    const struct tr_sdp_local_media *s = &c->ssrcs[m->mid[0] - '0'];
    m->ssrc_count = video ? 2 : 1;
    m->ssrcs = tr_arena_alloc(arena, m->ssrc_count * sizeof *m->ssrcs);
    m->groups = tr_arena_alloc(arena, sizeof *m->groups);
    if (!m->ssrcs || !m->groups)
        return TR_ERR_NOMEM;
    m->ssrcs[0] = (struct tr_sdp_ssrc){ .ssrc = s->ssrc, .cname = cname, .msid = m->msid };
    if (!video)
        return TR_OK;
    m->ssrcs[1] = (struct tr_sdp_ssrc){ .ssrc = s->rtx_ssrc, .cname = cname, .msid = m->msid };
    m->group_count = 1;
    m->groups[0] = (struct tr_sdp_ssrc_group){ .kind = TR_SDP_GROUP_FID,
                                               .count = 2,
                                               .ssrc = { s->ssrc, s->rtx_ssrc } };
    return TR_OK;
}

static enum tr_err fill_media(const struct rtc *c, struct tr_arena *arena, bool video, int index,
                              const char *candidate, struct tr_sdp_media *m)
{
    static const char *const mids[] = { "0", "1" };
    *m = (struct tr_sdp_media){
        .kind = video ? TR_SDP_VIDEO : TR_SDP_AUDIO,
        .dir = TR_SDP_SENDRECV,
        .port = 9,
        .bundled = true,
        .rtcp_mux = true,
        .rtcp_rsize = true,
        .end_of_cands = true,
        .codec_count = video ? TR_ARRAY_LEN(video_codecs) : 1,
        .ext_count = TR_ARRAY_LEN(exts),
        .cand_count = 1,
        .mid = mids[index],
        .kind_name = video ? "video" : "audio",
        .proto = "UDP/TLS/RTP/SAVPF",
        .msid = video ? "load video" : "load audio",
        .transport = { .ufrag = c->ufrag,
                       .pwd = c->pwd,
                       .fingerprint = c->world->fingerprint,
                       .setup = TR_SDP_ACTPASS },
    };
    m->codecs = copy(arena, video ? video_codecs : &opus, m->codec_count * sizeof video_codecs[0]);
    m->exts = copy(arena, exts, sizeof exts);
    m->cands = copy(arena, &candidate, sizeof candidate);
    if (!m->codecs || !m->exts || !m->cands)
        return TR_ERR_NOMEM;
    for (size_t i = 0; i < TR_ARRAY_LEN(exts); i++)
        m->exts[i].uri = tr_ext_uri(exts[i].ext);
    return add_streams(c, arena, video, m);
}

enum tr_err rtc_sdp_offer(struct rtc *c, struct tr_arena *arena, struct tr_sdp **out)
{
    char line[TR_ICE_CAND_LINE_MAX];
    const struct load_options *o = c->world->options;
    rtc_sdp_candidate(c, line, sizeof line);
    const char *candidate = tr_arena_strdup(arena, line);
    struct tr_sdp *sdp = tr_arena_alloc(arena, sizeof *sdp);
    if (!sdp || !candidate)
        return TR_ERR_NOMEM;
    *sdp = (struct tr_sdp){ .id = tr_rng_u64(&c->world->rng) >> 2, .version = 1, .trickle = true };
    sdp->media = tr_arena_alloc(arena, RTC_KINDS * sizeof *sdp->media);
    if (!sdp->media)
        return TR_ERR_NOMEM;
    for (int kind = 0; kind < RTC_KINDS; kind++) {
        if (kind == RTC_VIDEO ? !o->video : !o->audio)
            continue;
        int index = sdp->media_count++;
        enum tr_err err =
            fill_media(c, arena, kind == RTC_VIDEO, index, candidate, &sdp->media[index]);
        if (err != TR_OK)
            return err;
    }
    *out = sdp;
    return TR_OK;
}

void rtc_sdp_local(const struct rtc *c, const char *const *candidate, struct tr_sdp_local *out)
{
    *out = (struct tr_sdp_local){
        .id = 1,
        .version = 1,
        .name = "-",
        .stream = "load",
        .ufrag = c->ufrag,
        .pwd = c->pwd,
        .fingerprint = c->world->fingerprint,
        .setup = TR_SDP_ACTIVE,
        .trickle = true,
        .end_of_cands = true,
        .cand_count = 1,
        .cands = candidate,
        .media_count = RTC_KINDS,
        .media = c->ssrcs,
    };
}

/* The stream's retransmissions, where a group names them. */
static uint32_t rtx_of(const struct tr_sdp_media_params *p, uint32_t ssrc)
{
    for (int i = 0; i < p->group_count; i++) {
        const struct tr_sdp_ssrc_group *g = &p->groups[i];
        if (g->kind == TR_SDP_GROUP_FID && g->count == 2 && g->ssrc[0] == ssrc)
            return g->ssrc[1];
    }
    return 0;
}

void rtc_sdp_track(const struct rtc *c, const struct tr_sdp_media_params *p, int mline,
                   struct tr_track_conf *t)
{
    bool media = p->kind == TR_SDP_AUDIO || p->kind == TR_SDP_VIDEO;
    *t = (struct tr_track_conf){ .used = p->active && media && p->pt_count > 0 };
    if (!t->used)
        return;
    const struct tr_sdp_pt *pt = &p->pts[0];
    t->video = p->kind == TR_SDP_VIDEO;
    t->codec = pt->codec;
    t->clock_rate = pt->clock;
    t->pt = pt->pt;
    t->rtx_pt = pt->rtx_pt == TR_SDP_PT_NONE ? 0 : pt->rtx_pt;
    t->ext = p->ext_recv;
    t->ext_send = p->ext_send;
    t->fb_nack = (pt->feedback & TR_SDP_FB_NACK) != 0;
    t->fb_pli = (pt->feedback & TR_SDP_FB_PLI) != 0;
    t->fb_fir = (pt->feedback & TR_SDP_FB_FIR) != 0;
    t->fb_remb = (pt->feedback & TR_SDP_FB_REMB) != 0;
    t->recv = p->recv;
    t->send = p->send;
    t->layers_count = 1;
    t->layers[0].ssrc = p->ssrc_count > 0 ? p->ssrcs[0] : 0;
    t->layers[0].rtx_ssrc = p->ssrc_count > 0 ? rtx_of(p, p->ssrcs[0]) : 0;
    t->out_ssrc = c->ssrcs[mline].ssrc;
    t->out_rtx_ssrc = t->rtx_pt ? c->ssrcs[mline].rtx_ssrc : 0;
    snprintf(t->mid, sizeof t->mid, "%s", p->mid);
    snprintf(t->cname, sizeof t->cname, "%s", cname);
}

void rtc_sdp_remote(const struct tr_sdp *ours, const struct tr_sdp *theirs,
                    struct tr_peer_remote *out)
{
    static const char *const hashes[] = { "", "sha-256", "sha-384", "sha-512" };
    const struct tr_sdp_transport *t = &theirs->media[tr_sdp_tag(theirs)].transport;
    enum tr_sdp_setup setup = ours->media[tr_sdp_tag(ours)].transport.setup;
    *out =
        (struct tr_peer_remote){ .fingerprint_len = t->fingerprint.len, .lite = theirs->ice_lite };
    out->passive = setup == TR_SDP_ACTIVE || t->setup == TR_SDP_PASSIVE;
    snprintf(out->ufrag, sizeof out->ufrag, "%s", t->ufrag);
    snprintf(out->pwd, sizeof out->pwd, "%s", t->pwd);
    snprintf(out->fingerprint_alg, sizeof out->fingerprint_alg, "%s", hashes[t->fingerprint.hash]);
    memcpy(out->fingerprint, t->fingerprint.bytes, t->fingerprint.len);
}

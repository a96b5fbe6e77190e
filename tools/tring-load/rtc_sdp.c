/* The offer is what a browser would say, without what no server needs to see to forward media. */
#include "tring-load/rtc_sdp.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "ice/cand.h"

enum { PT_OPUS = 111, PT_VP8 = 96, PT_RTX = 97 };

const char rtc_cname[] = "tring-load";
const char *const rtc_rids[TR_TRACK_LAYERS] = { "l", "m", "h" };

int rtc_candidates(const struct rtc *c, struct tr_ice_cand out[RTC_CANDS_MAX])
{
    int count = 0;
    const struct load_options *o = c->world->options;
    struct tr_addr tcp = tcp_local(c);
    if (o->tcp)
        out[count++] = tr_ice_cand_make_tcp(TR_ICE_HOST, TR_ICE_TCP_ACTIVE, &tcp, NULL, 8191);
    else if (!o->relay_only)
        out[count++] = tr_ice_cand_make(TR_ICE_HOST, &c->local, NULL, 65535);
    if (c->relay.ready)
        out[count++] = tr_ice_cand_make(TR_ICE_RELAY, &c->relay.addr, &c->local, 65535);
    return count;
}

int rtc_sdp_candidates(const struct rtc *c, struct tr_arena *arena, const char *const **lines)
{
    struct tr_ice_cand cands[RTC_CANDS_MAX];
    char line[TR_ICE_CAND_LINE_MAX];
    int count = rtc_candidates(c, cands);
    const char **all = tr_arena_alloc(arena, RTC_CANDS_MAX * sizeof *all);
    for (int i = 0; all && i < count; i++) {
        all[i] = tr_arena_strdup(arena, tr_ice_cand_print(&cands[i], line));
        if (!all[i])
            return -1;
    }
    *lines = all;
    return all ? count : -1;
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
    { .id = 5, .dir = TR_SDP_SENDRECV, .ext = TR_EXT_TRANSPORT_CC }, /* with --twcc */
    { .id = 6, .dir = TR_SDP_SENDRECV, .ext = TR_EXT_RID },          /* with --rid */
};

static void *copy(struct tr_arena *arena, const void *from, size_t n)
{
    void *p = tr_arena_alloc(arena, n);
    if (p)
        memcpy(p, from, n);
    return p;
}

static struct tr_sdp_local_media layer_ssrcs(const struct rtc *c, const struct tr_sdp_media *m,
                                             int layer)
{
    return layer == 0 ? c->ssrcs[m->mid[0] - '0'] : c->upper[layer - 1];
}

/* What is sent: SSRCs, their retransmissions, and which of them are layers of one thing. */
static enum tr_err add_streams(const struct rtc *c, struct tr_arena *arena, bool video,
                               struct tr_sdp_media *m)
{
    int layers = video ? c->world->options->layers : 1;
    m->ssrcs = tr_arena_alloc(arena, 2 * (size_t)layers * sizeof *m->ssrcs);
    m->groups = tr_arena_alloc(arena, (size_t)(layers + 1) * sizeof *m->groups);
    if (!m->ssrcs || !m->groups)
        return TR_ERR_NOMEM;
    struct tr_sdp_ssrc_group sim = { .kind = TR_SDP_GROUP_SIM, .count = (uint8_t)layers };
    for (int i = 0; i < layers; i++) {
        struct tr_sdp_local_media s = layer_ssrcs(c, m, i);
        uint32_t both[] = { s.ssrc, s.rtx_ssrc };
        sim.ssrc[i] = s.ssrc;
        for (int k = 0; k < (video ? 2 : 1); k++)
            m->ssrcs[m->ssrc_count++] =
                (struct tr_sdp_ssrc){ .ssrc = both[k], .cname = rtc_cname, .msid = m->msid };
    }
    if (layers > 1)
        m->groups[m->group_count++] = sim;
    for (int i = 0; video && i < layers; i++)
        m->groups[m->group_count++] =
            (struct tr_sdp_ssrc_group){ .kind = TR_SDP_GROUP_FID,
                                        .count = 2,
                                        .ssrc = { layer_ssrcs(c, m, i).ssrc,
                                                  layer_ssrcs(c, m, i).rtx_ssrc } };
    return TR_OK;
}

/* The layers, best first. */
static enum tr_err add_rids(struct tr_arena *arena, struct tr_sdp_media *m)
{
    m->rids = tr_arena_alloc(arena, TR_TRACK_LAYERS * sizeof *m->rids);
    m->send = tr_arena_alloc(arena, TR_TRACK_LAYERS * sizeof *m->send);
    if (!m->rids || !m->send)
        return TR_ERR_NOMEM;
    for (uint8_t i = 0; i < TR_TRACK_LAYERS; i++) {
        const char *rid = rtc_rids[TR_TRACK_LAYERS - 1 - i];
        m->rids[i] = (struct tr_sdp_rid){ .rid = rid, .dir = TR_SDP_SEND };
        m->send[i] = (struct tr_sdp_layer){ .rid = rid, .stream = i };
    }
    m->rid_count = m->send_count = TR_TRACK_LAYERS;
    return TR_OK;
}

static bool is_wanted(const struct load_options *o, enum tr_ext ext)
{
    return ext == TR_EXT_TRANSPORT_CC ? o->twcc : ext != TR_EXT_RID || o->rids;
}

static void add_exts(const struct load_options *o, struct tr_sdp_media *m)
{
    for (size_t i = 0; i < TR_ARRAY_LEN(exts); i++) {
        if (!is_wanted(o, exts[i].ext))
            continue;
        m->exts[m->ext_count] = exts[i];
        m->exts[m->ext_count++].uri = tr_ext_uri(exts[i].ext);
    }
}

static enum tr_sdp_dir direction(const struct rtc_wish *w)
{
    return w->send && w->recv ? TR_SDP_SENDRECV : w->send ? TR_SDP_SEND : TR_SDP_RECV;
}

static enum tr_err fill_media(const struct rtc *c, struct tr_arena *arena, bool video, int index,
                              const char *const *candidates, int cands, struct tr_sdp_media *m)
{
    static const char *const mids[] = { "0", "1" };
    *m = (struct tr_sdp_media){
        .kind = video ? TR_SDP_VIDEO : TR_SDP_AUDIO,
        .dir = direction(&c->wish),
        .port = 9,
        .bundled = true,
        .rtcp_mux = true,
        .rtcp_rsize = true,
        .end_of_cands = true,
        .codec_count = video ? TR_ARRAY_LEN(video_codecs) : 1,
        .cand_count = (uint8_t)cands,
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
    m->exts = tr_arena_alloc(arena, sizeof exts);
    m->cands = copy(arena, candidates, (size_t)cands * sizeof *candidates);
    if (!m->codecs || !m->exts || !m->cands)
        return TR_ERR_NOMEM;
    add_exts(c->world->options, m);
    if (c->world->options->twcc)
        m->codecs[0].feedback |= TR_SDP_FB_TWCC;
    return video && c->world->options->rids ? add_rids(arena, m) : add_streams(c, arena, video, m);
}

enum tr_err rtc_sdp_offer(struct rtc *c, struct tr_arena *arena, struct tr_sdp **out)
{
    const struct load_options *o = c->world->options;
    const char *const *candidates;
    int cands = rtc_sdp_candidates(c, arena, &candidates);
    struct tr_sdp *sdp = tr_arena_alloc(arena, sizeof *sdp);
    if (!sdp || cands <= 0)
        return TR_ERR_NOMEM;
    *sdp = (struct tr_sdp){ .id = tr_rng_u64(&c->world->rng) >> 2, .version = 1, .trickle = true };
    sdp->media = tr_arena_alloc(arena, RTC_KINDS * sizeof *sdp->media);
    if (!sdp->media)
        return TR_ERR_NOMEM;
    for (int video = 0; video < RTC_KINDS; video++) {
        if (video ? !o->video : !o->audio)
            continue;
        int index = sdp->media_count++;
        enum tr_err err = fill_media(c, arena, video, index, candidates, cands, &sdp->media[index]);
        if (err != TR_OK)
            return err;
    }
    *out = sdp;
    return TR_OK;
}

void rtc_sdp_local(const struct rtc *c, const char *const *candidates, int count,
                   struct tr_sdp_local *out)
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
        .cand_count = (uint8_t)count,
        .cands = candidates,
        .media_count = RTC_KINDS,
        .media = c->ssrcs,
    };
}

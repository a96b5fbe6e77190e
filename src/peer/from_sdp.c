/* Each m-line's parameters become one track: codec, header extensions, feedback, and the layers of
 * what the client sends. */
#include "peer/from_sdp.h"

#include <stdio.h>
#include <string.h>

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

/* The retransmission stream that an FID group names for ssrc; 0: none. */
static uint32_t fid_of(const struct tr_sdp_media_params *p, uint32_t ssrc)
{
    for (int i = 0; i < p->group_count; i++) {
        const struct tr_sdp_ssrc_group *g = &p->groups[i];
        if (g->kind == TR_SDP_GROUP_FID && g->count == 2 && g->ssrc[0] == ssrc)
            return g->ssrc[1];
    }
    return 0;
}

static const struct tr_sdp_ssrc_group *sim_group(const struct tr_sdp_media_params *p)
{
    for (int i = 0; i < p->group_count; i++) {
        if (p->groups[i].kind == TR_SDP_GROUP_SIM)
            return &p->groups[i];
    }
    return NULL;
}

/* Layers go from the lowest to the best: RIDs are listed best first, SSRCs of a group lowest
 * first. */
static void fill_layers(const struct tr_sdp_media_params *p, struct tr_track_conf *t)
{
    const struct tr_sdp_ssrc_group *sim = sim_group(p);
    t->layers_count = 1;
    if (p->rid_count > 1) {
        t->layers_count = p->rid_count < TR_TRACK_LAYERS ? p->rid_count : TR_TRACK_LAYERS;
        for (int i = 0; i < t->layers_count; i++)
            copy_text(t->layers[i].rid, sizeof t->layers[i].rid, p->rids[t->layers_count - 1 - i]);
    } else if (sim && t->video) {
        t->layers_count = sim->count < TR_TRACK_LAYERS ? sim->count : TR_TRACK_LAYERS;
        for (int i = 0; i < t->layers_count; i++) {
            t->layers[i].ssrc = sim->ssrc[i];
            t->layers[i].rtx_ssrc = fid_of(p, sim->ssrc[i]);
        }
    } else if (p->ssrc_count > 0) {
        t->layers[0].ssrc = p->ssrcs[0];
        t->layers[0].rtx_ssrc = fid_of(p, p->ssrcs[0]);
    }
}

void tr_track_from_sdp(const struct tr_sdp_media_params *p, const struct tr_sdp_local_media *ours,
                       const char *cname, struct tr_track_conf *t)
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
    const struct tr_sdp_pt *red = pt->codec == TR_CODEC_OPUS ? tr_sdp_red(p) : NULL;
    t->red_pt = red ? red->pt : 0;
    t->rtx_pt = pt->rtx_pt == TR_SDP_PT_NONE ? 0 : pt->rtx_pt;
    t->ext = p->ext_recv;
    t->ext_send = p->ext_send;
    t->fb_nack = (pt->feedback & TR_SDP_FB_NACK) != 0;
    t->fb_pli = (pt->feedback & TR_SDP_FB_PLI) != 0;
    t->fb_fir = (pt->feedback & TR_SDP_FB_FIR) != 0;
    t->fb_remb = (pt->feedback & TR_SDP_FB_REMB) != 0;
    t->fb_tmmbr = !t->fb_remb && (pt->feedback & TR_SDP_FB_TMMBR) != 0;
    t->fb_transport_cc = (pt->feedback & TR_SDP_FB_TWCC) != 0;
    t->recv = p->recv;
    t->send = p->send;
    t->out_ssrc = ours->ssrc;
    t->out_rtx_ssrc = t->rtx_pt ? ours->rtx_ssrc : 0;
    copy_text(t->mid, sizeof t->mid, p->mid);
    copy_text(t->cname, sizeof t->cname, cname);
    fill_layers(p, t);
}

/* RFC 8842 section 5.1: who answers actpass decides; we offer actpass and answer passive, unless
 * the other side is passive itself. */
static bool is_passive(const struct tr_sdp *local, const struct tr_sdp_transport *remote)
{
    enum tr_sdp_setup ours = local->media[tr_sdp_tag(local)].transport.setup;
    return ours == TR_SDP_ACTIVE || (ours == TR_SDP_ACTPASS && remote->setup == TR_SDP_PASSIVE);
}

void tr_remote_from_sdp(const struct tr_sdp *local, const struct tr_sdp *remote,
                        struct tr_peer_remote *out)
{
    static const char *const hashes[] = { "", "sha-256", "sha-384", "sha-512" };
    const struct tr_sdp_transport *t = &remote->media[tr_sdp_tag(remote)].transport;
    *out = (struct tr_peer_remote){ .fingerprint_len = t->fingerprint.len,
                                    .passive = is_passive(local, t),
                                    .lite = remote->ice_lite };
    copy_text(out->ufrag, sizeof out->ufrag, t->ufrag);
    copy_text(out->pwd, sizeof out->pwd, t->pwd);
    copy_text(out->fingerprint_alg, sizeof out->fingerprint_alg, hashes[t->fingerprint.hash]);
    memcpy(out->fingerprint, t->fingerprint.bytes, t->fingerprint.len);
}

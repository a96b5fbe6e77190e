/* Two descriptions agree on what is in both. The order of codecs is the answerer's, because that is
 * the order that both sides know last. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sdp/negotiate.h"

/* The same format under whatever number. */
static const struct tr_sdp_codec *equivalent(const struct tr_sdp_media *m,
                                             const struct tr_sdp_codec *c)
{
    for (unsigned i = 0; i < m->codec_count; i++) {
        const struct tr_sdp_codec *x = &m->codecs[i];
        if (x->codec == c->codec && x->clock == c->clock && x->channels == c->channels &&
            x->profile == c->profile && x->packetization_mode == c->packetization_mode)
            return x;
    }
    return NULL;
}

static bool takes_part(const struct tr_sdp_codec *c)
{
    return c->codec != TR_CODEC_NONE && c->codec != TR_CODEC_RTX;
}

/*= rfc3264#6.1
 *# the answerer may use other payload type numbers, and then wants to be sent those
 * Where it sends as well, we would need two numbers for one format: there they must be equal. */
static void params_pts(const struct tr_sdp_media *order, const struct tr_sdp_media *other,
                       bool own_numbers, struct tr_sdp_media_params *out)
{
    for (unsigned i = 0; i < order->codec_count && out->pt_count < TR_SDP_PARAM_PTS_MAX; i++) {
        const struct tr_sdp_codec *a = &order->codecs[i];
        const struct tr_sdp_codec *b = tr_sdp_codec_by_pt(other, a->pt);
        if (!takes_part(a))
            continue;
        if (own_numbers && (!b || b->codec != a->codec))
            b = equivalent(other, a);
        if (!b || a->codec != b->codec)
            continue;
        const struct tr_sdp_codec *rtx = tr_sdp_rtx_of(order, a->pt);
        const struct tr_sdp_codec *rtx_other = tr_sdp_rtx_of(other, b->pt);
        bool has_rtx = rtx && rtx_other && (own_numbers || rtx->pt == rtx_other->pt);
        out->pts[out->pt_count++] =
            (struct tr_sdp_pt){ .codec = a->codec,
                                .pt = a->pt,
                                .rtx_pt = has_rtx ? rtx->pt : (uint8_t)TR_SDP_PT_NONE,
                                .channels = a->channels,
                                .feedback = a->feedback & b->feedback,
                                .clock = a->clock,
                                .profile = a->profile };
    }
}

/* RED in front only says that it is what the client would rather be sent. */
static void main_first(struct tr_sdp_media_params *out)
{
    if (out->pt_count < 2 || out->pts[0].codec != TR_CODEC_RED)
        return;
    struct tr_sdp_pt red = out->pts[0];
    out->pts[0] = out->pts[1];
    out->pts[1] = red;
}

const struct tr_sdp_pt *tr_sdp_red(const struct tr_sdp_media_params *params)
{
    for (unsigned i = 1; i < params->pt_count; i++)
        if (params->pts[i].codec == TR_CODEC_RED && params->pts[i].clock == params->pts[0].clock)
            return &params->pts[i];
    return NULL;
}

static void params_exts(const struct tr_sdp_media *local, const struct tr_sdp_media *remote,
                        struct tr_sdp_media_params *out)
{
    for (unsigned i = 0; i < local->ext_count; i++) {
        const struct tr_sdp_ext *ours = &local->exts[i];
        for (unsigned k = 0; k < remote->ext_count && ours->ext < TR_EXT_COUNT; k++) {
            const struct tr_sdp_ext *theirs = &remote->exts[k];
            if (theirs->ext != ours->ext || theirs->id != ours->id)
                continue;
            if ((ours->dir & TR_SDP_SEND) && (theirs->dir & TR_SDP_RECV))
                out->ext_send.id[ours->ext] = ours->id;
            if ((ours->dir & TR_SDP_RECV) && (theirs->dir & TR_SDP_SEND))
                out->ext_recv.id[ours->ext] = ours->id;
        }
    }
}

static void params_ssrcs(const struct tr_sdp_media *remote, struct tr_sdp_media_params *out)
{
    for (unsigned i = 0; i < remote->ssrc_count && i < TR_SDP_PARAM_SSRC_MAX; i++)
        out->ssrcs[out->ssrc_count++] = remote->ssrcs[i].ssrc;
    for (unsigned i = 0; i < remote->group_count && i < TR_SDP_PARAM_SSRC_MAX; i++)
        if (remote->groups[i].kind != TR_SDP_GROUP_OTHER)
            out->groups[out->group_count++] = remote->groups[i];
}

static bool received(const struct tr_sdp_media *local, const char *rid)
{
    for (unsigned i = 0; i < local->recv_count; i++)
        if (!strcmp(local->recv[i].rid, rid))
            return true;
    return false;
}

/* One rid per stream: the first alternative, which is the sender's favourite. */
static void params_rids(const struct tr_sdp_media *local, const struct tr_sdp_media *remote,
                        bool lmh, struct tr_sdp_media_params *out)
{
    int stream = -1;
    const char *rids[TR_SDP_PARAM_RID_MAX];
    for (unsigned i = 0; i < remote->send_count && out->rid_count < TR_SDP_PARAM_RID_MAX; i++) {
        const struct tr_sdp_layer *l = &remote->send[i];
        if (l->stream == stream || !received(local, l->rid))
            continue;
        stream = l->stream;
        rids[out->rid_count++] = l->rid;
    }
    for (unsigned i = 0; i < out->rid_count; i++) {
        const char *rid = rids[lmh ? out->rid_count - 1 - i : i];
        (void)snprintf(out->rids[i], sizeof out->rids[i], "%s", rid);
    }
}

void tr_sdp_media_params(const struct tr_sdp *local, const struct tr_sdp *remote, unsigned index,
                         bool rid_lmh, struct tr_sdp_media_params *out)
{
    TR_ASSERT(index < local->media_count);
    const struct tr_sdp_media *ours = &local->media[index];
    const struct tr_sdp_media *theirs = index < remote->media_count ? &remote->media[index] : NULL;
    *out = (struct tr_sdp_media_params){ .kind = ours->kind };
    (void)snprintf(out->mid, sizeof out->mid, "%s", ours->mid);
    if (ours->rejected || !theirs || theirs->rejected || ours->kind == TR_SDP_OTHER)
        return;
    out->active = true;
    if (ours->kind == TR_SDP_DATA) {
        out->send = out->recv = true;
        out->sctp_port = theirs->sctp_port;
        out->max_message_size = theirs->max_message_size ? theirs->max_message_size : 65536;
        return;
    }
    out->send = (ours->dir & TR_SDP_SEND) && (theirs->dir & TR_SDP_RECV);
    out->recv = (ours->dir & TR_SDP_RECV) && (theirs->dir & TR_SDP_SEND);
    params_pts(local->answer ? ours : theirs, local->answer ? theirs : ours,
               !local->answer && !out->recv, out);
    main_first(out);
    params_exts(ours, theirs, out);
    params_ssrcs(theirs, out);
    params_rids(ours, theirs, rid_lmh, out);
}

/* What both sides of a PeerConnection have said becomes what holds, and is told to the media engine
 * whole. Four ways lead there: we answer a client's offer; a client's offer is relayed to another
 * client, and that one's answer back; we offer on our own account (sdp/offer.h).
 *
 * An offer of ours replaces the local description at once, since the next one must continue it even
 * when it was never answered; what the engine does follows the answer. */
#include "gateway/gateway.h"
#include "gateway/pc_impl.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "media/data.h"
#include "peer/from_sdp.h"
#include "sdp/write.h"

enum { UFRAG_CHARS = 16, PWD_CHARS = 24 };

/* --- towards the media engine --- */

static void make_creds(struct tr_pc *pc)
{
    tr_rng_ice_chars(pc->services->rng, pc->creds.ufrag, UFRAG_CHARS);
    tr_rng_ice_chars(pc->services->rng, pc->creds.pwd, PWD_CHARS);
}

static enum tr_err ensure_peer(struct tr_pc *pc)
{
    if (pc->peer)
        return TR_OK;
    make_creds(pc);
    tr_rng_ice_chars(pc->services->rng, pc->cname, TR_PC_CNAME_CHARS);
    pc->sdp_id = tr_rng_u64(pc->services->rng) >> 2;
    pc->sdp_version = 1;
    pc->last_ssrc = tr_rng_u32(pc->services->rng);
    pc->peer = tr_media_peer_create(pc->services->media, &pc->creds);
    if (!pc->peer)
        return TR_ERR_LIMIT;
    enum tr_err err = tr_handle_set_peer(pc->handle, pc->peer);
    if (err != TR_OK) {
        tr_media_peer_close(pc->services->media, pc->peer);
        pc->peer = 0;
    }
    return err;
}

/* From a random one on, in steps that meet each number before any comes again: one that was used on
 * this connection is never used for another stream (srtp/srtp.h). */
static uint32_t new_ssrc(struct tr_pc *pc)
{
    enum { STEP = 0x3c6ef373 }; /* odd */
    do {
        pc->last_ssrc += STEP;
    } while (pc->last_ssrc == 0);
    return pc->last_ssrc;
}

static void renew_ssrcs(struct tr_pc *pc, int mline)
{
    pc->media[mline].ssrc = new_ssrc(pc);
    pc->media[mline].rtx_ssrc = new_ssrc(pc);
}

static enum tr_err allot_ssrcs(struct tr_pc *pc, int count)
{
    if (count <= pc->media_count)
        return TR_OK;
    void *media = tr_realloc(pc->media, (size_t)count * sizeof *pc->media);
    if (!media)
        return TR_ERR_NOMEM;
    pc->media = media;
    for (; pc->media_count < count; pc->media_count++)
        renew_ssrcs(pc, pc->media_count);
    return TR_OK;
}

/* What every description of ours says, with room for `count` m-lines. */
static enum tr_err local_facts(struct tr_pc *pc, int count, struct tr_sdp_local *out)
{
    enum tr_err err = allot_ssrcs(pc, count);
    *out = (struct tr_sdp_local){
        .id = pc->sdp_id,
        .version = pc->sdp_version++,
        .name = pc->services->session_name,
        .stream = "janus",
        .ufrag = pc->creds.ufrag,
        .pwd = pc->creds.pwd,
        .fingerprint = pc->services->fingerprint,
        .setup = TR_SDP_PASSIVE, /* the DTLS server picks the SRTP profile */
        .ice_lite = true,
        .trickle = true,
        .end_of_cands = true,
        .cand_count = pc->services->cand_count,
        .cands = pc->services->cands,
        .max_message_size = TR_DATA_MESSAGE_MAX,
        .media_count = (uint8_t)pc->media_count,
        .media = pc->media,
    };
    return err;
}

/* Two descriptions that can hold together: m-line by m-line, and with a transport that is not
 * refused on either side. */
static bool match(const struct tr_sdp *local, const struct tr_sdp *remote)
{
    return local->media_count <= TR_PC_MLINES_MAX && local->media_count == remote->media_count &&
           tr_sdp_tag(local) >= 0 && tr_sdp_tag(remote) >= 0;
}

/* The m-line of data channels, if one was agreed on (there is one at most). */
static enum tr_err open_data(const struct tr_pc *pc)
{
    for (int i = 0; i < pc->mlines; i++) {
        const struct tr_sdp_media_params *p = &pc->params[i];
        struct tr_data_conf conf = { .port = p->sctp_port, .message_max = p->max_message_size };
        if (p->active && p->kind == TR_SDP_DATA)
            return tr_media_data_open(pc->services->media, pc->peer, &conf);
    }
    return TR_OK;
}

/* local and remote have become what holds: tell the engine. */
static enum tr_err apply(struct tr_pc *pc)
{
    struct tr_track_conf tracks[TR_PC_MLINES_MAX];
    struct tr_peer_remote remote;
    const struct tr_sdp *local = pc->local.sdp;
    int count = local->media_count;
    if (count > pc->mlines) { /* m-lines only ever become more */
        void *params = tr_realloc(pc->params, (size_t)count * sizeof *pc->params);
        if (!params)
            return TR_ERR_NOMEM;
        pc->params = params;
    }
    pc->mlines = count;
    for (int i = 0; i < count; i++) {
        tr_sdp_media_params(local, pc->remote.sdp, (unsigned)i, pc->rid_lmh, &pc->params[i]);
        tr_track_from_sdp(&pc->params[i], &pc->media[i], pc->cname, &tracks[i]);
    }
    enum tr_err err = tr_media_peer_tracks(pc->services->media, pc->peer, tracks, count);
    if (err != TR_OK)
        return err;
    tr_remote_from_sdp(local, pc->remote.sdp, &remote);
    tr_media_peer_remote(pc->services->media, pc->peer, &remote);
    return open_data(pc);
}

static enum tr_err renew_creds(struct tr_pc *pc)
{
    make_creds(pc);
    return tr_media_peer_restart(pc->services->media, pc->peer, &pc->creds);
}

/* RFC 8839 section 4.4.1.1.1: new credentials of the other side ask for new ones of ours. */
static enum tr_err follow_restart(struct tr_pc *pc, const struct tr_sdp *offer)
{
    int tag = tr_sdp_tag(offer);
    if (!pc->remote.sdp || tag < 0)
        return TR_OK;
    const struct tr_sdp_transport *was =
        &pc->remote.sdp->media[tr_sdp_tag(pc->remote.sdp)].transport;
    const struct tr_sdp_transport *is = &offer->media[tag].transport;
    if (strcmp(was->ufrag, is->ufrag) == 0 && strcmp(was->pwd, is->pwd) == 0)
        return TR_OK;
    return renew_creds(pc);
}

static json_t *jsep_object(const char *type, const char *text)
{
    return json_pack("{s:s,s:s}", "type", type, "sdp", text);
}

/* Makes `made` the local description and its text the jsep. */
static enum tr_err put_local(struct tr_pc *pc, struct tr_pc_box *made, const char *type,
                             json_t **jsep)
{
    enum tr_err err = tr_sdp_text(made->arena, made->sdp, &made->text);
    *jsep = err == TR_OK ? jsep_object(type, made->text) : NULL;
    if (!*jsep)
        return err == TR_OK ? TR_ERR_NOMEM : err;
    tr_pc_box_move(&pc->local, made);
    return TR_OK;
}

static struct tr_pc *pc_of(const struct tr_handle *handle)
{
    return tr_handle_pc(handle);
}

/* The client's description becomes the remote one, and with the local one what holds. One that
 * cannot (an answer that refuses everything) changes nothing: what was in effect stays so. */
static enum tr_err agree(struct tr_pc *pc, struct tr_pc_box *from, bool rid_lmh)
{
    pc->offered = false;
    if (!match(pc->local.sdp, from->sdp))
        return TR_ERR_PROTO;
    pc->rid_lmh = rid_lmh;
    tr_pc_box_move(&pc->remote, from);
    return apply(pc);
}

/* Exactly these, or the one that is forced. */
static uint8_t take_codecs(enum tr_codec out[TR_SDP_POLICY_MAX], const enum tr_codec *list,
                           uint8_t count, enum tr_codec forced)
{
    if (forced != TR_CODEC_NONE) {
        out[0] = forced;
        return 1;
    }
    count = count < TR_SDP_POLICY_MAX ? count : TR_SDP_POLICY_MAX;
    memcpy(out, list, count * sizeof *list);
    return count;
}

static struct tr_sdp_policy policy_of(const struct tr_pc_policy *wish)
{
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    if (wish) {
        policy.force_audio = wish->audio_codec;
        policy.force_video = wish->video_codec;
        policy.video_profile = wish->video_profile;
        policy.exts &= ~wish->exts_off;
        policy.recv_only = wish->recv_only;
        policy.opus_off = wish->opus_off;
        policy.red_first = wish->red;
        if (wish->audio)
            policy.audio_count =
                take_codecs(policy.audio, wish->audio, wish->audio_count, wish->audio_codec);
        if (wish->video)
            policy.video_count =
                take_codecs(policy.video, wish->video, wish->video_count, wish->video_codec);
    }
    return policy;
}

/* A PeerConnection that an offer has made ends with it when it comes to nothing. */
static enum tr_err finish(struct tr_pc *pc, bool fresh, enum tr_err err, json_t **jsep, tr_usec now)
{
    if (err == TR_OK)
        return TR_OK;
    if (jsep) {
        json_decref(*jsep);
        *jsep = NULL;
    }
    if (fresh)
        tr_pc_close(pc, "Close PC", now);
    return err;
}

/* Room for a description of ours with `count` m-lines, and what it will say. */
static enum tr_err begin(struct tr_pc *pc, int count, struct tr_pc_box *made,
                         struct tr_sdp_local *local)
{
    if (count > TR_PC_MLINES_MAX)
        return TR_ERR_LIMIT;
    made->arena = tr_arena_create(TR_SDP_ARENA_MAX);
    return made->arena ? local_facts(pc, count, local) : TR_ERR_NOMEM;
}

enum tr_err tr_pc_answer(struct tr_handle *handle, const struct tr_jsep *offer,
                         const struct tr_pc_policy *wish, tr_usec now, json_t **jsep)
{
    struct tr_pc *pc = pc_of(handle);
    struct tr_sdp_policy policy = policy_of(wish);
    struct tr_pc_box made = { 0 };
    struct tr_sdp_local local;
    bool fresh = !pc->peer;
    *jsep = NULL;
    enum tr_err err = ensure_peer(pc);
    if (err == TR_OK)
        err = follow_restart(pc, offer->sdp);
    if (err == TR_OK)
        err = begin(pc, offer->sdp->media_count, &made, &local);
    if (err == TR_OK)
        err = tr_sdp_answer(made.arena, offer->sdp, &policy, &local, &made.sdp);
    if (err == TR_OK && tr_sdp_tag(made.sdp) < 0)
        err = TR_ERR_UNSUPPORTED; /* nothing in common */
    if (err == TR_OK)
        err = put_local(pc, &made, "answer", jsep);
    if (err == TR_OK)
        err = agree(pc, &pc->jsep, offer->rid_order_lmh);
    tr_pc_box_free(&made);
    return finish(pc, fresh, err, jsep, now);
}

enum tr_err tr_pc_keep_offer(struct tr_handle *handle, const struct tr_jsep *offer)
{
    struct tr_pc *pc = pc_of(handle);
    enum tr_err err = ensure_peer(pc);
    if (err == TR_OK)
        err = follow_restart(pc, offer->sdp);
    if (err != TR_OK)
        return err;
    pc->rid_lmh = offer->rid_order_lmh;
    tr_pc_box_move(&pc->kept, &pc->jsep);
    return TR_OK;
}

/* Our description that the next offer continues; NULL: the client has agreed to none yet. */
static const struct tr_sdp *former(const struct tr_pc *pc)
{
    return pc->remote.sdp ? pc->local.sdp : NULL;
}

/* The end of both ways to offer; err: how the making went. Takes made. */
static enum tr_err put_offer(struct tr_pc *pc, struct tr_pc_box *made, enum tr_err err,
                             json_t **jsep)
{
    if (err == TR_OK && tr_sdp_tag(made->sdp) < 0)
        err = TR_ERR_UNSUPPORTED;
    if (err == TR_OK)
        err = put_local(pc, made, "offer", jsep);
    if (err == TR_OK)
        pc->offered = true;
    tr_pc_box_free(made);
    return err;
}

enum tr_err tr_pc_offer_from(struct tr_handle *handle, struct tr_handle *from, tr_usec now,
                             json_t **jsep)
{
    struct tr_pc *pc = pc_of(handle);
    const struct tr_sdp *offer = pc_of(from)->kept.sdp;
    struct tr_sdp_policy policy = policy_of(NULL);
    struct tr_pc_box made = { 0 };
    struct tr_sdp_local local;
    bool fresh = !pc->peer;
    *jsep = NULL;
    enum tr_err err = offer ? ensure_peer(pc) : TR_ERR_PROTO;
    if (err == TR_OK)
        err = begin(pc, offer->media_count, &made, &local);
    if (err == TR_OK)
        err = tr_sdp_relay_offer(made.arena, offer, former(pc), &policy, &local, &made.sdp);
    return finish(pc, fresh, put_offer(pc, &made, err, jsep), jsep, now);
}

/* An m-line that sends again after a=inactive is a new stream to the client, with SSRCs of its own:
 * Chromium does not show a picture that comes back under the SSRC that it knew. */
static void renew_paused(struct tr_pc *pc, const struct tr_sdp_offer_line *lines, int count)
{
    const struct tr_sdp *was = former(pc);
    for (int i = 0; was && i < was->media_count && i < count; i++)
        if (lines[i].send && !(was->media[i].dir & TR_SDP_SEND))
            renew_ssrcs(pc, i);
}

enum tr_err tr_pc_offer(struct tr_handle *handle, const struct tr_sdp_offer_line *lines, int count,
                        bool restart, tr_usec now, json_t **jsep)
{
    struct tr_pc *pc = pc_of(handle);
    struct tr_pc_box made = { 0 };
    struct tr_sdp_local local;
    bool fresh = !pc->peer;
    *jsep = NULL;
    enum tr_err err = ensure_peer(pc);
    if (err == TR_OK && restart && pc->remote.sdp && !pc->offered)
        err = renew_creds(pc);
    renew_paused(pc, lines, count);
    if (err == TR_OK)
        err = begin(pc, count, &made, &local);
    if (err == TR_OK)
        err = tr_sdp_offer(made.arena, lines, (unsigned)count, former(pc), &local, &made.sdp);
    return finish(pc, fresh, put_offer(pc, &made, err, jsep), jsep, now);
}

bool tr_pc_offered(const struct tr_handle *handle)
{
    return pc_of(handle)->offered;
}

enum tr_err tr_pc_accept_answer(struct tr_handle *handle, const struct tr_jsep *answer, tr_usec now)
{
    struct tr_pc *pc = pc_of(handle);
    (void)now;
    if (!pc->offered || answer->offer)
        return TR_ERR_PROTO;
    return agree(pc, &pc->jsep, answer->rid_order_lmh);
}

enum tr_err tr_pc_answer_from(struct tr_handle *handle, struct tr_handle *other, tr_usec now,
                              json_t **jsep)
{
    struct tr_pc *pc = pc_of(handle);
    const struct tr_sdp *answer = pc_of(other)->remote.sdp;
    struct tr_sdp_policy policy = policy_of(NULL);
    struct tr_pc_box made = { 0 };
    struct tr_sdp_local local;
    *jsep = NULL;
    enum tr_err err =
        pc->kept.sdp && answer ? begin(pc, pc->kept.sdp->media_count, &made, &local) : TR_ERR_PROTO;
    if (err == TR_OK)
        err = tr_sdp_relay_answer(made.arena, pc->kept.sdp, answer, &policy, &local, &made.sdp);
    if (err == TR_OK && tr_sdp_tag(made.sdp) < 0)
        err = TR_ERR_UNSUPPORTED;
    if (err == TR_OK)
        err = put_local(pc, &made, "answer", jsep);
    if (err == TR_OK)
        err = agree(pc, &pc->kept, pc->rid_lmh);
    tr_pc_box_free(&made);
    return finish(pc, false, err, jsep, now);
}

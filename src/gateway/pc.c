/* One PeerConnection of a handle: SDP on the one side, the media engine on the other.
 *
 * A description that the client has sent is parsed into the `jsep` box and judged; when it takes
 * effect the box becomes `remote`. What we have written is `local`. Both together say what was
 * agreed (sdp/negotiate.h), and that goes to the media engine whole, each time it changes. */
#include "gateway/pc.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gateway/error.h"
#include "gateway/gateway.h"
#include "ice/cand.h"
#include "peer/from_sdp.h"
#include "sdp/write.h"

enum { UFRAG_CHARS = 16, PWD_CHARS = 24, CNAME_CHARS = 16 };

struct box { /* a description and the memory that it lives in */
    struct tr_arena *arena;
    struct tr_sdp *sdp;
    char *text; /* ours only, or the client's for describe; in the arena */
};

struct tr_pc {
    struct tr_handle *handle;
    const struct tr_pc_services *services;
    tr_id peer; /* 0: no PeerConnection */
    struct tr_media_peer_conf creds;
    char cname[CNAME_CHARS + 1];
    uint64_t sdp_id, sdp_version;
    struct box jsep;   /* what the client sent last, not in effect yet */
    struct box kept;   /* an offer that waits for another's answer */
    struct box local;  /* in effect, or offered */
    struct box remote; /* in effect */
    bool offered;      /* local is an offer without answer */
    bool rid_lmh;
    bool trickle_done;
    struct tr_sdp_local_media media[TR_PC_MLINES_MAX];
    int mlines;
    struct tr_sdp_media_params *params; /* of `mlines` m-lines; large, so only once negotiated */
};

static void box_free(struct box *box)
{
    tr_arena_destroy(box->arena);
    *box = (struct box){ 0 };
}

static void box_move(struct box *to, struct box *from)
{
    box_free(to);
    *to = *from;
    *from = (struct box){ 0 };
}

struct tr_pc *tr_pc_create(struct tr_handle *handle, const struct tr_pc_services *services)
{
    struct tr_pc *pc = tr_alloc(sizeof *pc);
    if (!pc)
        return NULL;
    pc->handle = handle;
    pc->services = services;
    return pc;
}

void tr_pc_destroy(struct tr_pc *pc, tr_usec now)
{
    if (!pc)
        return;
    tr_pc_close(pc, "Detach", now);
    box_free(&pc->jsep);
    tr_free(pc);
}

bool tr_pc_exists(const struct tr_pc *pc)
{
    return pc->peer != 0;
}

tr_id tr_pc_peer(const struct tr_pc *pc)
{
    return pc->peer;
}

void tr_pc_close(struct tr_pc *pc, const char *reason, tr_usec now)
{
    (void)reason;
    (void)now;
    if (pc->peer) {
        (void)!tr_handle_set_peer(pc->handle, 0);
        tr_media_peer_close(pc->services->media, pc->peer);
    }
    box_free(&pc->kept);
    box_free(&pc->local);
    box_free(&pc->remote);
    pc->peer = 0;
    pc->offered = pc->trickle_done = false;
    pc->mlines = 0;
    tr_free(pc->params);
    pc->params = NULL;
    memset(pc->media, 0, sizeof pc->media);
}

/* --- what the client says --- */

struct judged {
    enum tr_err err;
    int code;
    const char *reason;
};

static struct judged refuse(enum tr_err err, int code, const char *reason)
{
    return (struct judged){ .err = err, .code = code, .reason = reason };
}

static struct judged check_type(const struct tr_pc *pc, const json_t *jsep, bool *offer)
{
    const json_t *type = json_object_get(jsep, "type");
    const json_t *sdp = json_object_get(jsep, "sdp");
    if (!type || !sdp)
        return refuse(TR_ERR_BADMSG, TR_API_MISSING_MANDATORY_ELEMENT,
                      type ? "JSEP error: missing mandatory element (sdp)"
                           : "JSEP error: missing mandatory element (type)");
    if (!json_is_string(type) || !json_is_string(sdp))
        return refuse(TR_ERR_BADMSG, TR_API_INVALID_ELEMENT_TYPE,
                      "JSEP error: type and sdp should be strings");
    *offer = strcmp(json_string_value(type), "offer") == 0;
    if (!*offer && strcmp(json_string_value(type), "answer") != 0)
        return refuse(TR_ERR_UNSUPPORTED, TR_API_JSEP_UNKNOWN_TYPE,
                      "JSEP error: only offers and answers are supported");
    if (!*offer && !pc->offered)
        return refuse(TR_ERR_PROTO, TR_API_UNEXPECTED_ANSWER, "Unexpected ANSWER (did we offer?)");
    return refuse(TR_OK, 0, NULL);
}

static struct judged parse_sdp(struct tr_pc *pc, const json_t *text, bool offer)
{
    const char *reason = "the SDP is invalid";
    box_free(&pc->jsep);
    pc->jsep.arena = tr_arena_create(TR_SDP_ARENA_MAX);
    if (!pc->jsep.arena)
        return refuse(TR_ERR_NOMEM, TR_API_UNKNOWN, "Out of memory");
    struct tr_slice bytes = tr_slice(json_string_value(text), json_string_length(text));
    enum tr_err err = tr_sdp_parse(pc->jsep.arena, bytes, &pc->jsep.sdp, &reason);
    if (err != TR_OK)
        return refuse(err, TR_API_JSEP_INVALID_SDP, reason);
    if (pc->jsep.sdp->media_count > TR_PC_MLINES_MAX)
        return refuse(TR_ERR_LIMIT, TR_API_JSEP_INVALID_SDP, "too many m-lines in the SDP");
    if (!offer && tr_sdp_check_answer(pc->local.sdp, pc->jsep.sdp, &reason) != TR_OK)
        return refuse(TR_ERR_PROTO, TR_API_JSEP_INVALID_SDP, reason);
    pc->jsep.text = tr_arena_strdup(pc->jsep.arena, json_string_value(text));
    return refuse(TR_OK, 0, NULL);
}

static bool member_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

enum tr_err tr_pc_parse_jsep(struct tr_pc *pc, const json_t *jsep, struct tr_jsep *out, int *error,
                             const char **reason)
{
    bool offer = false;
    struct judged j = check_type(pc, jsep, &offer);
    if (j.err == TR_OK)
        j = parse_sdp(pc, json_object_get(jsep, "sdp"), offer);
    *error = j.code;
    *reason = j.reason;
    if (j.err != TR_OK) {
        box_free(&pc->jsep);
        return j.err;
    }
    const char *order = json_string_value(json_object_get(jsep, "rid_order"));
    *out = (struct tr_jsep){
        .offer = offer,
        .trickle = !json_is_false(json_object_get(jsep, "trickle")),
        .e2ee = member_true(jsep, "e2ee"),
        .rid_order_lmh = order && strcmp(order, "lmh") == 0,
        .update = pc->remote.sdp != NULL,
        .sdp = pc->jsep.sdp,
    };
    return TR_OK;
}

/* The server is an ICE-lite agent: it never sends to a candidate, so they are judged and let go. */
enum tr_err tr_pc_trickle(struct tr_pc *pc, const json_t *candidate, tr_usec now, int *error,
                          const char **reason)
{
    (void)now;
    *error = 0;
    *reason = NULL;
    if (!json_is_object(candidate) || member_true(candidate, "completed")) {
        pc->trickle_done = true;
        return TR_OK;
    }
    const json_t *mid = json_object_get(candidate, "sdpMid");
    const json_t *index = json_object_get(candidate, "sdpMLineIndex");
    const json_t *line = json_object_get(candidate, "candidate");
    if ((!mid || json_is_null(mid)) && (!index || json_is_null(index))) {
        *error = TR_API_MISSING_MANDATORY_ELEMENT;
        *reason = "Trickle error: missing mandatory element (sdpMid or sdpMLineIndex)";
    } else if ((mid && !json_is_null(mid) && !json_is_string(mid)) ||
               (index && !json_is_null(index) &&
                (!json_is_integer(index) || json_integer_value(index) < 0))) {
        *error = TR_API_INVALID_ELEMENT_TYPE;
        *reason = "Trickle error: invalid element type (sdpMid should be a string, "
                  "sdpMLineIndex a positive integer)";
    } else if (!line) {
        *error = TR_API_MISSING_MANDATORY_ELEMENT;
        *reason = "Trickle error: missing mandatory element (candidate)";
    } else if (!json_is_string(line)) {
        *error = TR_API_INVALID_ELEMENT_TYPE;
        *reason = "Trickle error: invalid element type (candidate should be a string)";
    }
    return *error ? TR_ERR_BADMSG : TR_OK;
}

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
    tr_rng_ice_chars(pc->services->rng, pc->cname, CNAME_CHARS);
    pc->sdp_id = tr_rng_u64(pc->services->rng) >> 2;
    pc->sdp_version = 1;
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

static uint32_t random_ssrc(struct tr_pc *pc)
{
    uint32_t ssrc;
    do {
        ssrc = tr_rng_u32(pc->services->rng);
    } while (ssrc == 0);
    return ssrc;
}

static void allot_ssrcs(struct tr_pc *pc, int count)
{
    for (int i = 0; i < count; i++) {
        if (pc->media[i].ssrc == 0) {
            pc->media[i].ssrc = random_ssrc(pc);
            pc->media[i].rtx_ssrc = random_ssrc(pc);
        }
    }
}

static struct tr_sdp_local local_facts(struct tr_pc *pc, int count)
{
    allot_ssrcs(pc, count);
    return (struct tr_sdp_local){
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
        .media_count = (uint8_t)count,
        .media = pc->media,
    };
}

/* Two descriptions that can hold together: m-line by m-line, and with a transport that is not
 * refused on either side. */
static bool match(const struct tr_sdp *local, const struct tr_sdp *remote)
{
    return local->media_count <= TR_PC_MLINES_MAX && local->media_count == remote->media_count &&
           tr_sdp_tag(local) >= 0 && tr_sdp_tag(remote) >= 0;
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
    return TR_OK;
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
    make_creds(pc);
    return tr_media_peer_restart(pc->services->media, pc->peer, &pc->creds);
}

static json_t *jsep_object(const char *type, const char *text)
{
    return json_pack("{s:s,s:s}", "type", type, "sdp", text);
}

/* Makes `made` the local description and its text the jsep. */
static enum tr_err put_local(struct tr_pc *pc, struct box *made, const char *type, json_t **jsep)
{
    enum tr_err err = tr_sdp_text(made->arena, made->sdp, &made->text);
    *jsep = err == TR_OK ? jsep_object(type, made->text) : NULL;
    if (!*jsep)
        return err == TR_OK ? TR_ERR_NOMEM : err;
    box_move(&pc->local, made);
    return TR_OK;
}

static struct tr_pc *pc_of(const struct tr_handle *handle)
{
    return tr_handle_pc(handle);
}

/* The client's description becomes the remote one, and with the local one what holds. One that
 * cannot (an answer that refuses everything) changes nothing: what was in effect stays so. */
static enum tr_err agree(struct tr_pc *pc, struct box *from, bool rid_lmh)
{
    pc->offered = false;
    if (!match(pc->local.sdp, from->sdp))
        return TR_ERR_PROTO;
    pc->rid_lmh = rid_lmh;
    box_move(&pc->remote, from);
    return apply(pc);
}

static struct tr_sdp_policy policy_of(const struct tr_pc_policy *wish)
{
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    policy.data = false; /* no SCTP yet: a data m-line is answered with port 0 */
    if (wish) {
        policy.force_audio = wish->audio_codec;
        policy.force_video = wish->video_codec;
        policy.video_profile = wish->video_profile;
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

static enum tr_err open_box(struct box *box)
{
    *box = (struct box){ .arena = tr_arena_create(TR_SDP_ARENA_MAX) };
    return box->arena ? TR_OK : TR_ERR_NOMEM;
}

enum tr_err tr_pc_answer(struct tr_handle *handle, const struct tr_jsep *offer,
                         const struct tr_pc_policy *wish, tr_usec now, json_t **jsep)
{
    struct tr_pc *pc = pc_of(handle);
    struct tr_sdp_policy policy = policy_of(wish);
    struct box made = { 0 };
    bool fresh = !pc->peer;
    *jsep = NULL;
    enum tr_err err = ensure_peer(pc);
    if (err == TR_OK)
        err = follow_restart(pc, offer->sdp);
    if (err == TR_OK)
        err = open_box(&made);
    if (err != TR_OK)
        return finish(pc, fresh, err, NULL, now);
    struct tr_sdp_local local = local_facts(pc, offer->sdp->media_count);
    err = tr_sdp_answer(made.arena, offer->sdp, &policy, &local, &made.sdp);
    if (err == TR_OK && tr_sdp_tag(made.sdp) < 0)
        err = TR_ERR_UNSUPPORTED; /* nothing in common */
    if (err == TR_OK)
        err = put_local(pc, &made, "answer", jsep);
    if (err == TR_OK)
        err = agree(pc, &pc->jsep, offer->rid_order_lmh);
    box_free(&made);
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
    box_move(&pc->kept, &pc->jsep);
    return TR_OK;
}

enum tr_err tr_pc_offer_from(struct tr_handle *handle, struct tr_handle *from, tr_usec now,
                             json_t **jsep)
{
    struct tr_pc *pc = pc_of(handle);
    const struct tr_sdp *offer = pc_of(from)->kept.sdp;
    struct tr_sdp_policy policy = policy_of(NULL);
    struct box made = { 0 };
    bool fresh = !pc->peer;
    *jsep = NULL;
    enum tr_err err = offer ? ensure_peer(pc) : TR_ERR_PROTO;
    if (err == TR_OK)
        err = open_box(&made);
    if (err != TR_OK)
        return finish(pc, fresh, err, NULL, now);
    struct tr_sdp_local local = local_facts(pc, offer->media_count);
    const struct tr_sdp *prev = pc->remote.sdp ? pc->local.sdp : NULL;
    err = tr_sdp_relay_offer(made.arena, offer, prev, &policy, &local, &made.sdp);
    if (err == TR_OK && tr_sdp_tag(made.sdp) < 0)
        err = TR_ERR_UNSUPPORTED;
    if (err == TR_OK)
        err = put_local(pc, &made, "offer", jsep);
    if (err == TR_OK)
        pc->offered = true;
    box_free(&made);
    return finish(pc, fresh, err, jsep, now);
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
    struct box made = { 0 };
    *jsep = NULL;
    enum tr_err err = pc->kept.sdp && answer ? open_box(&made) : TR_ERR_PROTO;
    if (err != TR_OK)
        return err;
    struct tr_sdp_local local = local_facts(pc, pc->kept.sdp->media_count);
    err = tr_sdp_relay_answer(made.arena, pc->kept.sdp, answer, &policy, &local, &made.sdp);
    if (err == TR_OK && tr_sdp_tag(made.sdp) < 0)
        err = TR_ERR_UNSUPPORTED;
    if (err == TR_OK)
        err = put_local(pc, &made, "answer", jsep);
    if (err == TR_OK)
        err = agree(pc, &pc->kept, pc->rid_lmh);
    box_free(&made);
    return finish(pc, false, err, jsep, now);
}

/* --- what is known --- */

struct tr_media *tr_pc_media(const struct tr_handle *handle)
{
    return pc_of(handle)->services->media;
}

int tr_pc_mline_count(const struct tr_handle *handle)
{
    return pc_of(handle)->mlines;
}

const struct tr_sdp_media_params *tr_pc_mline(const struct tr_handle *handle, int mline)
{
    const struct tr_pc *pc = pc_of(handle);
    if (mline < 0 || mline >= pc->mlines || !pc->params[mline].active)
        return NULL;
    return &pc->params[mline];
}

struct tr_media_end tr_pc_end(const struct tr_handle *handle, int mline)
{
    return (struct tr_media_end){ .peer = pc_of(handle)->peer, .mline = mline };
}

json_t *tr_pc_describe(const struct tr_pc *pc)
{
    json_t *sdps = json_object();
    json_t *out =
        json_pack("{s:{s:b,s:b,s:b,s:b},s:o}", "flags", "got-offer", pc->remote.sdp != NULL,
                  "got-answer", pc->remote.sdp && pc->local.sdp && !pc->offered, "negotiated",
                  pc->mlines > 0, "all-trickles", pc->trickle_done, "sdps", sdps);
    if (!out)
        return NULL;
    if (pc->local.text)
        json_object_set_new(sdps, "local", json_string(pc->local.text));
    if (pc->remote.text)
        json_object_set_new(sdps, "remote", json_string(pc->remote.text));
    return out;
}

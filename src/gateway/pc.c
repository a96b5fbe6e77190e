/* One PeerConnection of a handle: SDP on the one side, the media engine on the other.
 *
 * A description that the client has sent is parsed into the `jsep` box and judged; when it takes
 * effect the box becomes `remote`. What we have written is `local`. Both together say what was
 * agreed (sdp/negotiate.h), and that goes to the media engine whole, each time it changes. */
#include "gateway/pc.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/error.h"
#include "gateway/gateway.h"
#include "gateway/pc_impl.h"
#include "gateway/plugin.h"
#include "net/log.h"

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
    tr_pc_box_free(&pc->jsep);
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
    tr_pc_box_free(&pc->kept);
    tr_pc_box_free(&pc->local);
    tr_pc_box_free(&pc->remote);
    pc->peer = 0;
    pc->offered = pc->trickle_done = false;
    json_decref(pc->trickled);
    pc->trickled = NULL;
    pc->mlines = 0;
    tr_free(pc->params);
    pc->params = NULL;
    tr_free(pc->media);
    pc->media = NULL;
    pc->media_count = 0;
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
    tr_pc_box_free(&pc->jsep);
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
        tr_pc_box_free(&pc->jsep);
        return j.err;
    }
    const char *order = json_string_value(json_object_get(jsep, "rid_order"));
    *out = (struct tr_jsep){
        .offer = offer,
        .trickle = !json_is_false(json_object_get(jsep, "trickle")),
        .e2ee = member_true(jsep, "e2ee"),
        .rid_order_lmh = order && strcmp(order, "lmh") == 0,
        .update = pc->remote.sdp != NULL,
        .svc = json_object_get(jsep, "svc"),
        .sdp = pc->jsep.sdp,
    };
    return TR_OK;
}

static void note_candidate(struct tr_pc *pc, const json_t *line)
{
    if (!pc->trickled)
        pc->trickled = json_array();
    size_t n = json_string_length(line);
    if (n > 0 && n <= TR_PC_TRICKLED_LINE_MAX && json_array_size(pc->trickled) < TR_PC_TRICKLED_MAX)
        (void)json_array_append_new(pc->trickled, json_string(json_string_value(line)));
    else if (n > 0) /* "" ends them in some browsers */
        tr_log(TR_LOG_DEBUG, "gateway", "a candidate is not shown handle=%" PRIu64 " bytes=%zu",
               tr_handle_id(pc->handle), n);
}

/* The server is an ICE-lite agent: it never sends to a candidate, nor asks for the address of a
 * name (.local, mDNS). So the lines are nothing to it but text, which is kept to be shown. */
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
    } else {
        note_candidate(pc, line);
    }
    return *error ? TR_ERR_BADMSG : TR_OK;
}

/* --- what is known --- */

static struct tr_pc *pc_of(const struct tr_handle *handle)
{
    return tr_handle_pc(handle);
}

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

static json_t *candidates_of(const struct tr_pc *pc)
{
    json_t *local = json_array(), *remote = json_array();
    for (int i = 0; i < pc->services->cand_count; i++)
        json_array_append_new(local, json_string(pc->services->cands[i]));
    for (int m = 0; pc->remote.sdp && m < pc->remote.sdp->media_count; m++) {
        const struct tr_sdp_media *media = &pc->remote.sdp->media[m];
        for (int i = 0; i < media->cand_count; i++)
            json_array_append_new(remote, json_string(media->cands[i]));
    }
    if (pc->trickled)
        json_array_extend(remote, pc->trickled);
    return json_pack("{s:o, s:o}", "local", local, "remote", remote);
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
    json_object_set_new(out, "candidates", candidates_of(pc));
    if (pc->local.text)
        json_object_set_new(sdps, "local", json_string(pc->local.text));
    if (pc->remote.text)
        json_object_set_new(sdps, "remote", json_string(pc->remote.text));
    return out;
}

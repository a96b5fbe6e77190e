/* The PeerConnection of a handle as the control thread sees it: SDP in and out, and the ids under
 * which the media workers know its ends. Written between the API core (gateway.h), the SDP library
 * and media/media.h; plugins use the part under "for plugins".
 *
 * One PeerConnection a handle, one transport (BUNDLE + rtcp-mux). Ends are named by the index of
 * the m-line in the SDP. */
#ifndef TR_PC_H
#define TR_PC_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/time.h"
#include "media/media.h"
#include "sdp/negotiate.h"
#include "sdp/offer.h"
#include "sdp/sdp.h"

struct tr_handle;
struct tr_pc;
struct tr_rng;

enum { TR_PC_MLINES_MAX = TR_SDP_MEDIA_MAX };

struct tr_jsep {
    bool offer; /* else an answer */
    bool trickle;
    bool e2ee;
    bool rid_order_lmh;
    bool update;              /* renegotiation of a PeerConnection that exists */
    const json_t *svc;        /* [{"mindex" or "mid", "svc": "L3T3"}], not checked; NULL: none */
    const struct tr_sdp *sdp; /* parsed */
};

struct tr_pc_services { /* one for all handles; borrowed */
    struct tr_media *media;
    struct tr_rng *rng;
    const char *session_name;              /* s= line */
    struct tr_sdp_fingerprint fingerprint; /* of the server's certificate */
    const char *const *cands;              /* our host candidates, "candidate:..." */
    uint8_t cand_count;
};

/* --- for the API core --- */

struct tr_pc *tr_pc_create(struct tr_handle *handle, const struct tr_pc_services *services);
void tr_pc_destroy(struct tr_pc *pc, tr_usec now); /* closes what is open; NULL is fine */
/* Parses and judges a client's jsep. *error is a Janus code (464, 465, 469 ...) with reason when
 * the result is not TR_OK. The parsed jsep lives until the next call on the same pc. */
TR_MUST_USE enum tr_err tr_pc_parse_jsep(struct tr_pc *pc, const json_t *jsep, struct tr_jsep *out,
                                         int *error, const char **reason);
/* One candidate object {sdpMid|sdpMLineIndex, candidate} or {completed:true}; null ends trickling.
 * Errors as of section 1.5: *error is the Janus code. Candidates before the SDP are kept
 * (bounded). */
TR_MUST_USE enum tr_err tr_pc_trickle(struct tr_pc *pc, const json_t *candidate, tr_usec now,
                                      int *error, const char **reason);
bool tr_pc_exists(const struct tr_pc *pc); /* a PeerConnection is up or being made */
void tr_pc_close(struct tr_pc *pc, const char *reason, tr_usec now);
/* What this side knows now: sdps and flags for handle_info. The media part (ICE, DTLS, SRTP, RTP
 * statistics) is asked from the worker by tr_media_query and arrives later. New reference. */
json_t *tr_pc_describe(const struct tr_pc *pc);
tr_id tr_pc_peer(const struct tr_pc *pc); /* 0 when there is none */

/* --- for plugins (by handle) --- */

struct tr_pc_policy {
    enum tr_codec audio_codec; /* TR_CODEC_NONE: the best of the offer */
    enum tr_codec video_codec;
    const char *video_profile; /* fmtp profile text or NULL */
    /* the codecs that are taken, best first; NULL: all that this build knows */
    const enum tr_codec *audio, *video;
    uint8_t audio_count, video_count;
    const char *const *opus_off; /* fmtp parameters of Opus that are not agreed to, NULL ends; or
                                    NULL */
    uint32_t exts_off;           /* header extensions that are not wanted: bits 1u << enum tr_ext */
    bool recv_only;              /* this side sends nothing */
    bool red;                    /* the client should send Opus as RED, where it can */
};

/* Answers an offer (first or renegotiation) from the server's own abilities. *jsep: {type, sdp},
 * new reference. */
TR_MUST_USE enum tr_err tr_pc_answer(struct tr_handle *handle, const struct tr_jsep *offer,
                                     const struct tr_pc_policy *policy, tr_usec now, json_t **jsep);
/* Keeps a client's offer to be relayed, and answered later by tr_pc_answer_from. */
TR_MUST_USE enum tr_err tr_pc_keep_offer(struct tr_handle *handle, const struct tr_jsep *offer);
/* Offers to `handle` the offer that was kept on `from` (a relayed call); on a PeerConnection that
 * exists it is a renegotiation. */
TR_MUST_USE enum tr_err tr_pc_offer_from(struct tr_handle *handle, struct tr_handle *from,
                                         tr_usec now, json_t **jsep);
/* Offers these m-lines (sdp/offer.h) on our own account: all of them by index, on a PeerConnection
 * that exists those of the former offer first. restart: with new ICE credentials. One offer at a
 * time: while tr_pc_offered, the changes of a next one should wait for the answer; an offer that is
 * made all the same takes the place of the one before. Errors as of tr_sdp_offer. */
TR_MUST_USE enum tr_err tr_pc_offer(struct tr_handle *handle, const struct tr_sdp_offer_line *lines,
                                    int count, bool restart, tr_usec now, json_t **jsep);
bool tr_pc_offered(const struct tr_handle *handle); /* an offer of ours waits for its answer */
/* Takes the client's answer to our offer. */
TR_MUST_USE enum tr_err tr_pc_accept_answer(struct tr_handle *handle, const struct tr_jsep *answer,
                                            tr_usec now);
/* Answers the offer kept on `handle` with what `other` has accepted. */
TR_MUST_USE enum tr_err tr_pc_answer_from(struct tr_handle *handle, struct tr_handle *other,
                                          tr_usec now, json_t **jsep);

struct tr_media *tr_pc_media(const struct tr_handle *handle);
int tr_pc_mline_count(const struct tr_handle *handle);
/* Facts of a negotiated m-line, or NULL when it is out of range or rejected. */
const struct tr_sdp_media_params *tr_pc_mline(const struct tr_handle *handle, int mline);
/* The ends of an m-line for media/media.h: what the client sends, and what it receives. */
struct tr_media_end tr_pc_end(const struct tr_handle *handle, int mline);

/* --- of the API core, for pc.c --- */

struct tr_pc *tr_handle_pc(const struct tr_handle *handle);
/* Which media peer belongs to the handle from now on (0: none), so that media events find it. */
TR_MUST_USE enum tr_err tr_handle_set_peer(struct tr_handle *handle, tr_id peer);

#endif

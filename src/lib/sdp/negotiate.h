/* Offer and answer (RFC 3264, 8829) as pure functions on session descriptions.
 *
 * One peer with the server:   answer(offer)
 * A call relayed A -> B:      relay_offer(A's offer) to B; relay_answer(A's offer, B's answer) to A
 * Then media_params(local, remote, i) tells the media engine what was agreed for m-line i.
 *
 * The m-lines of both legs of a relayed call stay in step: same order, same mids, so the same calls
 * serve renegotiations from either side. Results live in the caller's arena and borrow nothing. */
#ifndef TR_SDP_NEGOTIATE_H
#define TR_SDP_NEGOTIATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "payload/codec.h"
#include "rtp/ext.h"
#include "sdp/sdp.h"

enum tr_sdp_negotiate_limits {
    TR_SDP_POLICY_MAX = 16, /* codecs per kind */
    TR_SDP_PARAM_PTS_MAX = 16,
    TR_SDP_PARAM_SSRC_MAX = 16,
    TR_SDP_PARAM_RID_MAX = 4
};

struct tr_sdp_policy {
    uint8_t audio_count, video_count;
    enum tr_codec audio[TR_SDP_POLICY_MAX]; /* accepted, best first */
    enum tr_codec video[TR_SDP_POLICY_MAX];
    enum tr_codec force_audio, force_video; /* tried before the lists; TR_CODEC_NONE: no wish */
    const char *video_profile;   /* "42e01f" (H.264), "2" (VP9): tried first; NULL: no wish */
    uint32_t exts;               /* header extensions understood: bits 1u << enum tr_ext */
    const char *const *opus_off; /* names of fmtp parameters of Opus that are left out; NULL ends
                                    the list, or stands for none */
    bool rtx;
    bool red;       /* RED for Opus stays where it is offered: before Opus, that is what is sent */
    bool red_first; /* it goes before Opus wherever it is offered */
    bool recv_only; /* answers: nothing is sent, whatever the offer would take */
    bool simulcast; /* answer offered rid and SSRC simulcast */
    bool data;      /* answer data channels; otherwise they are rejected */
};

struct tr_sdp_local_media { /* what we send on one m-line; ssrc 0: not announced */
    uint32_t ssrc;
    uint32_t rtx_ssrc;
};

struct tr_sdp_local {     /* our side; strings are copied */
    uint64_t id, version; /* of o=; the version grows with every description of a connection */
    const char *name;     /* s= */
    const char *stream;   /* of msid and cname */
    const char *ufrag, *pwd;
    struct tr_sdp_fingerprint fingerprint;
    enum tr_sdp_setup setup; /* in answers; offers say actpass */
    bool ice_lite, trickle, end_of_cands;
    uint32_t max_message_size; /* of data channels; 0: not stated */
    uint8_t cand_count;
    const char *const *cands; /* "candidate:..." */
    uint8_t media_count;
    const struct tr_sdp_local_media *media; /* by m-line; may be shorter than the description */
};

/* The policy that accepts everything this build knows, Opus and VP8 first. */
struct tr_sdp_policy tr_sdp_policy_default(void);

/* One main codec (and its RTX) per m-line, the best of the policy's that was offered. An m-line
 * without a common codec is rejected, the rest stands; tr_sdp_tag(*out) tells when none is left.
 * INVAL: local lacks ufrag, pwd or fingerprint. NOMEM. */
TR_MUST_USE enum tr_err tr_sdp_answer(struct tr_arena *arena, const struct tr_sdp *offer,
                                      const struct tr_sdp_policy *policy,
                                      const struct tr_sdp_local *local, struct tr_sdp **out);

/* Our offer to B made of A's offer: all common codecs under A's payload types, no new simulcast.
 * prev: our former description to B, offer or answer; NULL when this is the first. Extension ids
 * and the layers that B sends stay as they are there.
 * PROTO: the m-lines do not continue those of prev. */
TR_MUST_USE enum tr_err tr_sdp_relay_offer(struct tr_arena *arena, const struct tr_sdp *offer,
                                           const struct tr_sdp *prev,
                                           const struct tr_sdp_policy *policy,
                                           const struct tr_sdp_local *local, struct tr_sdp **out);

/* Our answer to A's offer made of B's answer to our relayed offer: exactly what B accepted.
 * PROTO: B's m-lines do not match the offer. */
TR_MUST_USE enum tr_err tr_sdp_relay_answer(struct tr_arena *arena, const struct tr_sdp *offer,
                                            const struct tr_sdp *answer,
                                            const struct tr_sdp_policy *policy,
                                            const struct tr_sdp_local *local, struct tr_sdp **out);

/* Checks that a peer's answer belongs to our offer: same number, kinds and mids of m-lines. */
TR_MUST_USE enum tr_err tr_sdp_check_answer(const struct tr_sdp *offer, const struct tr_sdp *answer,
                                            const char **reason);

struct tr_sdp_pt {
    enum tr_codec codec;
    uint8_t pt, rtx_pt; /* rtx_pt TR_SDP_PT_NONE: no retransmission stream */
    uint8_t channels, feedback;
    uint32_t clock, profile;
};

struct tr_sdp_media_params {
    enum tr_sdp_kind kind;
    bool active;     /* false: rejected; the rest is then empty */
    bool send, recv; /* as we see it */
    char mid[TR_SDP_MID_MAX + 1];
    uint8_t pt_count, ssrc_count, group_count, rid_count;
    struct tr_sdp_pt pts[TR_SDP_PARAM_PTS_MAX]; /* both ways; [0] is what we send */
    struct tr_ext_map ext_send, ext_recv;
    uint32_t ssrcs[TR_SDP_PARAM_SSRC_MAX]; /* of the remote side */
    struct tr_sdp_ssrc_group groups[TR_SDP_PARAM_SSRC_MAX];
    char rids[TR_SDP_PARAM_RID_MAX][TR_SDP_RID_LEN_MAX + 1]; /* that we receive, best first */
    uint16_t sctp_port;                                      /* of the remote side */
    uint32_t max_message_size;
};

/* The format that wraps pts[0] in RED (RFC 2198); NULL: not agreed on. */
const struct tr_sdp_pt *tr_sdp_red(const struct tr_sdp_media_params *params);
/* What local and remote agreed on for an m-line (index below both media_count), whoever offered.
 * rid_lmh: the peer lists its layers from low to high (jsep.rid_order "lmh"). */
void tr_sdp_media_params(const struct tr_sdp *local, const struct tr_sdp *remote, unsigned index,
                         bool rid_lmh, struct tr_sdp_media_params *out);

#endif

/* Session descriptions as plain structs, and the parser that fills them.
 * RFC 8866 (SDP), 8829 (JSEP), 8843 (BUNDLE), 8839 (ICE), 8842 (DTLS), 8858 (rtcp-mux), 8285
 * (extmap), 4585 (rtcp-fb), 5576 (ssrc), 8851 and 8853 (rid, simulcast), 8841 (sctp).
 * Pure functions, no I/O. One transport is assumed: what is not bundled and muxed is refused.
 * Everything lives in the caller's arena and is dropped with it; strings are NUL-terminated there.
 * Work is linear in the text. Any thread, one at a time per arena. */
#ifndef TR_SDP_H
#define TR_SDP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "payload/codec.h"
#include "rtp/ext.h"
#include "sdp/fingerprint.h"

struct tr_arena;

enum tr_sdp_limits {
    TR_SDP_BYTES_MAX = 128 * 1024,
    TR_SDP_LINES_MAX = 4096,
    TR_SDP_MEDIA_MAX = 64,
    TR_SDP_CODEC_MAX = 64, /* per m-line, like the next ones */
    TR_SDP_EXT_MAX = 32,   /* further ones are ignored */
    TR_SDP_SSRC_MAX = 32,  /* further ones are ignored */
    TR_SDP_GROUP_MAX = 16, /* further ones are ignored */
    TR_SDP_GROUP_SSRC_MAX = 8,
    TR_SDP_RID_MAX = 16,
    TR_SDP_LAYER_MAX = 16,
    TR_SDP_CAND_MAX = 32, /* further ones are ignored */
    TR_SDP_MID_MAX = 32,  /* characters */
    TR_SDP_RID_LEN_MAX = 16,
    TR_SDP_UFRAG_MAX = 256,            /* RFC 8839 section 5.4, ufrag and pwd */
    TR_SDP_ARENA_MAX = 4 * 1024 * 1024 /* an arena of this size never runs out in here */
};

enum { TR_SDP_PT_NONE = 255 };
enum tr_sdp_kind { TR_SDP_AUDIO, TR_SDP_VIDEO, TR_SDP_DATA, TR_SDP_OTHER };
enum tr_sdp_dir { TR_SDP_INACTIVE = 0, TR_SDP_SEND = 1, TR_SDP_RECV = 2, TR_SDP_SENDRECV = 3 };
enum tr_sdp_setup { TR_SDP_SETUP_NONE, TR_SDP_ACTPASS, TR_SDP_ACTIVE, TR_SDP_PASSIVE };
enum tr_sdp_group_kind { TR_SDP_GROUP_FID, TR_SDP_GROUP_SIM, TR_SDP_GROUP_OTHER };

enum tr_sdp_fb { /* bits */
                 TR_SDP_FB_NACK = 1,
                 TR_SDP_FB_PLI = 2,
                 TR_SDP_FB_FIR = 4,
                 TR_SDP_FB_REMB = 8,
                 TR_SDP_FB_TWCC = 16,
                 TR_SDP_FB_TMMBR = 32 /* never offered by us */
};

struct tr_sdp_transport {
    const char *ufrag, *pwd;               /* NULL when absent */
    struct tr_sdp_fingerprint fingerprint; /* sha-256 when there are several */
    enum tr_sdp_setup setup;
};

struct tr_sdp_codec {
    uint8_t pt;
    uint8_t apt; /* RTX: the payload type that it repairs; else TR_SDP_PT_NONE */
    uint8_t channels;
    uint8_t feedback;    /* enum tr_sdp_fb */
    enum tr_codec codec; /* TR_CODEC_NONE: not one of ours */
    uint32_t clock;
    uint32_t profile; /* H.264 profile-level-id, VP9 profile-id, AV1 profile; or default */
    uint8_t packetization_mode;   /* H.264 */
    bool inband_fec, stereo, dtx; /* Opus */
    const char *name;             /* as in rtpmap; NULL when absent */
    const char *fmtp;             /* parameters as written; NULL when absent */
};

struct tr_sdp_ext {
    uint8_t id; /* 1..255 */
    enum tr_sdp_dir dir;
    enum tr_ext ext; /* TR_EXT_COUNT: not one of ours */
    const char *uri;
};

struct tr_sdp_ssrc {
    uint32_t ssrc;
    const char *cname, *msid; /* NULL when absent */
};

struct tr_sdp_ssrc_group {
    enum tr_sdp_group_kind kind;
    uint8_t count;
    uint32_t ssrc[TR_SDP_GROUP_SSRC_MAX];
};

struct tr_sdp_rid {
    const char *rid;
    enum tr_sdp_dir dir; /* SEND or RECV */
};

struct tr_sdp_layer { /* one entry of a simulcast list; alternatives share their stream number */
    const char *rid;
    uint8_t stream;
    bool paused;
};

struct tr_sdp_media {
    enum tr_sdp_kind kind;
    enum tr_sdp_dir dir; /* as seen from the writer of the description */
    uint16_t port;
    bool rejected; /* port 0 without bundle-only; the rest is then mostly absent */
    bool bundled, bundle_only, rtcp_mux, rtcp_rsize, end_of_cands, extmap_allow_mixed;
    uint8_t codec_count, ext_count, ssrc_count, group_count, rid_count;
    uint8_t send_count, recv_count, cand_count;
    uint16_t ptime, maxptime; /* ms; 0 when absent */
    uint16_t sctp_port;
    uint32_t max_message_size;         /* 0 when absent: RFC 8841's 64 KiB; UINT32_MAX: any */
    uint32_t bandwidth_bps;            /* b=TIAS, else b=AS; 0 when absent */
    const char *mid;                   /* never NULL; "" when absent */
    const char *kind_name, *proto;     /* as on the m-line */
    const char *format;                /* the first one, which a rejected m-line repeats */
    const char *msid;                  /* "stream track"; NULL when absent */
    struct tr_sdp_transport transport; /* own, else the session's, else the tagged m-line's */
    struct tr_sdp_codec *codecs;       /* in order of preference */
    struct tr_sdp_ext *exts;
    struct tr_sdp_ssrc *ssrcs;
    struct tr_sdp_ssrc_group *groups;
    struct tr_sdp_rid *rids;
    struct tr_sdp_layer *send, *recv; /* simulcast lists in order */
    const char **cands;               /* "candidate:..." */
};

struct tr_sdp {
    uint64_t id, version; /* of o= */
    const char *name;     /* s= */
    bool ice_lite, trickle, extmap_allow_mixed;
    bool answer; /* set by negotiate.h on the answers that it builds; never by the parser */
    uint8_t media_count;
    struct tr_sdp_media *media;
};

/* On failure *out is NULL and *reason a plain static sentence for the peer.
 * BADMSG: does not parse. LIMIT: more than a stated maximum. PROTO: parses, but cannot be used
 * here: no ufrag, fingerprint, mux, bundle, or an unsupported protocol. NOMEM. */
TR_MUST_USE enum tr_err tr_sdp_parse(struct tr_arena *arena, struct tr_slice text,
                                     struct tr_sdp **out, const char **reason);

/* The m-line whose transport the bundle uses: the first that is not rejected; -1: all are. */
int tr_sdp_tag(const struct tr_sdp *sdp);
/* NULL when absent. */
const struct tr_sdp_codec *tr_sdp_codec_by_pt(const struct tr_sdp_media *m, uint8_t pt);
const struct tr_sdp_codec *tr_sdp_rtx_of(const struct tr_sdp_media *m, uint8_t pt);

#endif

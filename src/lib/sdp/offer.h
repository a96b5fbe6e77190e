/* Offers of the server's own making (RFC 3264, 8829): for a client that receives and has offered
 * nothing itself, a list of m-lines that the server wants to send becomes a description.
 *
 * Payload types and extension ids keep their meaning over the whole connection and all m-lines
 * (RFC 8843 section 9): a number that is taken by another format is replaced by a free one, so
 * lines may be made of any publishers. What the client answers holds, its own numbers included
 * (tr_sdp_media_params). Pure functions; any thread. */
#ifndef TR_SDP_OFFER_H
#define TR_SDP_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "payload/codec.h"
#include "sdp/negotiate.h"
#include "sdp/sdp.h"

struct tr_sdp_offer_line { /* texts are borrowed for the call */
    enum tr_sdp_kind kind; /* audio, video or data */
    bool send;             /* else a=inactive; nothing to data */
    enum tr_codec codec;   /* audio and video: what is sent, one codec, also when inactive */
    const char *fmtp;      /* its parameters as a=fmtp has them; NULL: none */
    uint8_t pt;            /* wished for; another one where it is taken or out of range */
    bool rtx;
    bool red;                          /* Opus: the client may be sent it as RED (RFC 2198) */
    uint8_t feedback;                  /* bits, enum tr_sdp_fb */
    uint32_t exts;                     /* bits, 1u << enum tr_ext */
    const char *mid;                   /* NULL: its index */
    const char *stream, *stream_track; /* of msid; NULL: "janus janus<mid>" */
};

/* What a line of its kind usually offers; the rest is for the caller to fill in. */
struct tr_sdp_offer_line tr_sdp_offer_line(enum tr_sdp_kind kind, enum tr_codec codec);

/* lines: all m-lines by index. prev: our former description on this connection, NULL for the first;
 * its m-lines stay, in their places and with their kinds and mids, though a line may now carry
 * another codec or become inactive (RFC 3264 section 8).
 * INVAL: a line that cannot be written. LIMIT: more than TR_SDP_MEDIA_MAX lines, or no payload type
 * is left. PROTO: the lines do not continue those of prev. NOMEM. */
TR_MUST_USE enum tr_err tr_sdp_offer(struct tr_arena *arena, const struct tr_sdp_offer_line *lines,
                                     unsigned count, const struct tr_sdp *prev,
                                     const struct tr_sdp_local *local, struct tr_sdp **out);

#endif

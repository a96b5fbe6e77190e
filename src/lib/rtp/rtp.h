/* RTP packets (RFC 3550 section 5.1), demultiplexing of one port (RFC 7983, RFC 5761) and sequence
 * arithmetic. Stateless but for the unwrappers, which are the caller's; any thread. */
#ifndef TR_RTP_H
#define TR_RTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { TR_RTP_HDR_MIN = 12, TR_RTP_CSRC_MAX = 15 };

enum tr_demux {
    TR_DEMUX_UNKNOWN, /* drop and count */
    TR_DEMUX_STUN,
    TR_DEMUX_DTLS,
    TR_DEMUX_TURN_CHANNEL,
    TR_DEMUX_RTP,
    TR_DEMUX_RTCP
};

/* By the first two bytes. Says nothing about the rest of the packet. */
enum tr_demux tr_demux(struct tr_slice pkt);

struct tr_rtp {
    bool padding; /* the P bit; how much there is only shows after decryption */
    bool marker;
    bool has_ext; /* the X bit */
    uint8_t pt;
    uint8_t csrc_count;
    uint16_t seq;
    uint32_t ts;
    uint32_t ssrc;
    uint16_t ext_profile; /* "defined by profile", 0xbede for one-byte elements */
    struct tr_slice ext;  /* data of the extension, without its four-byte header */
    uint32_t hdr_len; /* with CSRCs and extension: where the payload (and the ciphertext) starts */
};

/* Parses the header, which SRTP leaves in the clear; slices borrow from pkt. The payload is
 * pkt.p + hdr_len up to the end. BADMSG: not version 2, or the header does not fit. */
TR_MUST_USE enum tr_err tr_rtp_parse(struct tr_rtp *out, struct tr_slice pkt);
/* For a packet with the P bit, after decryption: cuts the padding off the end of the payload, which
 * may leave nothing. BADMSG: a count of 0 or beyond the payload; payload is left as it was. */
TR_MUST_USE enum tr_err tr_rtp_strip_padding(struct tr_slice *payload);
/* CSRC i < h->csrc_count of the packet that h was parsed from. */
uint32_t tr_rtp_csrc(struct tr_slice pkt, unsigned i);

/* Writes the fixed header with version 2; x announces an extension that the caller writes next. */
void tr_rtp_put(struct tr_wr *w, bool marker, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc,
                bool x);

/* a - b on the circle: positive when a is newer. Half a circle apart counts as older. */
static inline int32_t tr_seq_diff(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(a - b);
}

static inline bool tr_seq_newer(uint16_t a, uint16_t b)
{
    return tr_seq_diff(a, b) > 0;
}

static inline int64_t tr_ts_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

static inline bool tr_ts_newer(uint32_t a, uint32_t b)
{
    return tr_ts_diff(a, b) > 0;
}

/* Unwrapping: each value is taken as the one nearest to the value before. The first is taken as it
 * is, so values from before it may be negative. Zeroed means: nothing seen. */
struct tr_unwrap {
    int64_t last;
    bool started;
};

int64_t tr_unwrap16(struct tr_unwrap *u, uint16_t seq);
int64_t tr_unwrap32(struct tr_unwrap *u, uint32_t ts);

#endif

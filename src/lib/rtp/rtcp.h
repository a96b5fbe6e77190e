/* RTCP (RFC 3550 section 6, RFC 4585, RFC 5104, draft-alvestrand-rmcat-remb-03): walk a compound
 * packet, read and write what WebRTC uses. Reduced-size packets (RFC 5506) are accepted.
 * Transport-cc is in twcc.h. Stateless; any thread; slices borrow from the packet. */
#ifndef TR_RTCP_H
#define TR_RTCP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

enum tr_rtcp_type {
    TR_RTCP_SR = 200,
    TR_RTCP_RR = 201,
    TR_RTCP_SDES = 202,
    TR_RTCP_BYE = 203,
    TR_RTCP_APP = 204,
    TR_RTCP_RTPFB = 205,
    TR_RTCP_PSFB = 206,
    TR_RTCP_XR = 207
};
enum tr_rtcp_rtpfb { TR_RTPFB_NACK = 1, TR_RTPFB_TMMBR = 3, TR_RTPFB_TWCC = 15 };
enum tr_rtcp_psfb { TR_PSFB_PLI = 1, TR_PSFB_FIR = 4, TR_PSFB_AFB = 15 };
enum tr_rtcp_limits { TR_RTCP_BLOCKS_MAX = 31, TR_RTCP_SSRCS_MAX = 31, TR_RTCP_CNAME_MAX = 255 };

struct tr_rtcp_pkt {
    uint8_t type;         /* enum tr_rtcp_type, or one that we do not know */
    uint8_t count;        /* report count, source count or feedback format (FMT) */
    struct tr_slice body; /* after the four-byte header, without padding */
};

/* BADMSG unless the whole compound packet adds up: versions, lengths, padding. */
TR_MUST_USE enum tr_err tr_rtcp_iter_init(struct tr_rd *it, struct tr_slice pkt);
bool tr_rtcp_next(struct tr_rd *it, struct tr_rtcp_pkt *out); /* false at the end */

struct tr_rtcp_block { /* report block */
    uint32_t ssrc;
    uint8_t fraction; /* lost since the last report, of 256 */
    int32_t lost;     /* cumulative, 24 bits signed */
    uint32_t ext_seq; /* cycles << 16 | highest sequence number */
    uint32_t jitter;  /* RTP ticks */
    uint32_t lsr;     /* middle of the last sender report's NTP; 0: none */
    uint32_t dlsr;    /* 1/65536 s */
};

struct tr_rtcp_report { /* SR or RR */
    uint32_t ssrc;
    bool sender; /* SR: the next four are there */
    tr_ntp ntp;
    uint32_t rtp_ts;
    uint32_t packets;
    uint32_t octets;
    uint8_t block_count;
    struct tr_slice blocks;
};

TR_MUST_USE enum tr_err tr_rtcp_report(const struct tr_rtcp_pkt *pkt, struct tr_rtcp_report *out);
/* i < block_count */
void tr_rtcp_report_block(const struct tr_rtcp_report *report, unsigned i,
                          struct tr_rtcp_block *out);
/* Round trip from a report block that names our sender report (RFC 3550 6.4.1); -1 when it names
 * none or is absurd. now_ntp is our wall clock at its arrival. */
tr_usec tr_rtcp_rtt(const struct tr_rtcp_block *block, tr_ntp now_ntp);

struct tr_rtcp_sdes {
    uint32_t ssrc;
    struct tr_slice cname; /* empty when the chunk has none */
};

/* *at starts at 0. False at the end or where the chunks break. */
bool tr_rtcp_sdes_next(const struct tr_rtcp_pkt *pkt, uint32_t *at, struct tr_rtcp_sdes *out);
/* The number of SSRCs in out. BADMSG: shorter than its count says. */
TR_MUST_USE enum tr_err tr_rtcp_bye(const struct tr_rtcp_pkt *pkt, uint32_t out[TR_RTCP_SSRCS_MAX],
                                    unsigned *n);

struct tr_rtcp_fb { /* RTPFB or PSFB */
    uint32_t sender;
    uint32_t media;
    struct tr_slice fci;
};

TR_MUST_USE enum tr_err tr_rtcp_fb(const struct tr_rtcp_pkt *pkt, struct tr_rtcp_fb *out);

struct tr_rtcp_nack_iter { /* zeroed, fb set */
    struct tr_slice fci;
    uint32_t bits; /* still to yield of the current entry: bit 0 is pid, 1-16 is BLP */
    uint16_t pid;
};

void tr_rtcp_nack_init(struct tr_rtcp_nack_iter *it, const struct tr_rtcp_fb *fb);
bool tr_rtcp_nack_next(struct tr_rtcp_nack_iter *it, uint16_t *seq);

/* FIR entry i; false at the end. */
bool tr_rtcp_fir(const struct tr_rtcp_fb *fb, unsigned i, uint32_t *ssrc, uint8_t *seq_nr);

struct tr_rtcp_remb {
    uint64_t bps;
    uint8_t ssrc_count;
    struct tr_slice ssrcs; /* four bytes each */
};

/* IGNORED: an application feedback message of another kind. */
TR_MUST_USE enum tr_err tr_rtcp_remb(const struct tr_rtcp_fb *fb, struct tr_rtcp_remb *out);

/* Writers: append one packet; the writer's sticky error says whether all fitted. */
void tr_rtcp_put_sr(struct tr_wr *w, const struct tr_rtcp_report *sr,
                    const struct tr_rtcp_block *blocks, unsigned n); /* uses ssrc .. octets */
void tr_rtcp_put_rr(struct tr_wr *w, uint32_t ssrc, const struct tr_rtcp_block *blocks, unsigned n);
void tr_rtcp_put_sdes(struct tr_wr *w, uint32_t ssrc, struct tr_slice cname);
void tr_rtcp_put_bye(struct tr_wr *w, const uint32_t *ssrcs, unsigned n);
/* seqs sorted, oldest first; n > 0. */
void tr_rtcp_put_nack(struct tr_wr *w, uint32_t sender, uint32_t media, const uint16_t *seqs,
                      unsigned n);
void tr_rtcp_put_pli(struct tr_wr *w, uint32_t sender, uint32_t media);
void tr_rtcp_put_fir(struct tr_wr *w, uint32_t sender, uint32_t media, uint8_t seq_nr);
void tr_rtcp_put_remb(struct tr_wr *w, uint32_t sender, uint64_t bps, const uint32_t *ssrcs,
                      unsigned n);
/* TMMBR (RFC 5104 section 4.2.1): each of the streams alone may take up to bps. */
void tr_rtcp_put_tmmbr(struct tr_wr *w, uint32_t sender, uint64_t bps, const uint32_t *ssrcs,
                       unsigned n);

#endif

/* The contexts' table of SSRCs. Inside of lib/srtp. */
#ifndef TR_SRTP_STREAM_H
#define TR_SRTP_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "srtp/engine.h"
#include "srtp/srtp.h"
#include "srtp/window.h"

struct srtp_stream {
    uint64_t rtp_top; /* highest index opened or protected */
    uint64_t rtp_ring[TR_SRTP_WINDOW / 64];
    uint64_t rtcp_top; /* inbound: highest index opened; outbound: the next one */
    uint64_t rtcp_ring[TR_SRTCP_WINDOW / 64];
    bool rtp_used;
    bool rtcp_used;
};

struct tr_srtp {
    struct tr_srtp_engine *engine;
    enum tr_srtp_profile profile;
    enum tr_srtp_dir dir;
    struct srtp_key *rtp;
    struct srtp_key *rtcp;
    uint32_t last; /* where the previous lookup hit */
    uint32_t count;
    uint32_t size;
    uint32_t *ssrcs; /* searched linearly, apart from the fat entries */
    struct srtp_stream *streams;
    struct tr_srtp_stats stats;
};

struct srtp_stream *srtp_stream_find(struct tr_srtp *srtp, uint32_t ssrc); /* NULL when unknown */
/* Finds or adds. Pointers into the table end with the next add. LIMIT, NOMEM. */
TR_MUST_USE enum tr_err srtp_stream_get(struct tr_srtp *srtp, uint32_t ssrc,
                                        struct srtp_stream **out);

#endif

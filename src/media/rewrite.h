/* One continuous RTP stream out of several: when the source or the simulcast layer behind a sink
 * changes, or packets are left out on purpose, sequence numbers, timestamps, picture ids of VP8 and
 * VP9 and frame numbers go on as if nothing had happened. A pure machine: no I/O, no clock.
 *
 * History is a list of epochs. Within an epoch the way from incoming to outgoing numbers is
 * constant, so late packets and NACKs find their way through the same list, and nothing is kept
 * per packet. */
#ifndef TR_REWRITE_H
#define TR_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "media/svc.h"
#include "peer/rtp_meta.h"

enum {
    TR_REWRITE_EPOCHS = 32,    /* the oldest is forgotten: its late packets and NACKs are dropped */
    TR_REWRITE_GAP_MAX = 1024, /* what leaps further ahead goes on behind a hole of one packet */
};

struct tr_rewrite_epoch {
    int64_t in_start; /* first incoming number */
    int64_t in_end;   /* one past the last; INT64_MAX while it is the newest */
    int64_t out_start;
    uint32_t origin; /* which source and layer: numbers of different origins do not compare */
    uint32_t ts_off;
    uint32_t mask; /* active decode targets for the dependency descriptor, when `masked` */
    uint16_t picture_off;
    uint16_t frame_off;
    uint8_t tl0_off;
    uint8_t top; /* as in struct tr_svc_out */
    bool masked;
};

struct tr_rewrite {
    uint32_t count; /* epochs ever started */
    uint32_t ts_last;
    int64_t out_next; /* next outgoing number */
    int64_t begun;    /* first one since the newest switch */
    tr_usec last_us;
    uint16_t picture_last, frame_last;
    uint8_t tl0_last;
    struct tr_rewrite_epoch epochs[TR_REWRITE_EPOCHS]; /* ring; newest at (count - 1) mod size */
};

struct tr_rewritten {
    int64_t ext_seq;
    uint32_t ts;
    uint16_t picture_id;
    uint8_t tl0picidx;
    uint16_t frame_off; /* frame numbers keep their gaps: differences between them are references */
    uint32_t mask;
    bool masked;
    bool marker;
    bool payload; /* picture_id or tl0picidx differ from what the packet says */
};

/* first_seq: of the outgoing stream, 0..32767. */
void tr_rewrite_init(struct tr_rewrite *rw, uint16_t first_seq, uint32_t first_ts);
/* The packet starts a new epoch: the first of another source or layer. */
void tr_rewrite_switch(struct tr_rewrite *rw, tr_usec now, uint32_t origin, uint32_t clock_rate,
                       const struct tr_rtp_meta *m);
/* NOTFOUND: no epoch knows the packet (too old, or of another origin). */
TR_MUST_USE enum tr_err tr_rewrite_packet(struct tr_rewrite *rw, tr_usec now, uint32_t origin,
                                          const struct tr_rtp_meta *m, struct tr_rewritten *out);
/* What the receiver has to be told of the layers that it gets, from this packet on, which is to go
 * out now: markers, and the descriptor's active decode targets. Late packets change nothing. */
void tr_rewrite_layers(struct tr_rewrite *rw, uint32_t origin, const struct tr_rtp_meta *m,
                       const struct tr_svc_out *layers);
/* The packet is left out on purpose: what follows closes up. Newest packets only; others are
 * ignored. */
void tr_rewrite_skip(struct tr_rewrite *rw, uint32_t origin, const struct tr_rtp_meta *m);
/* seq was sent before the newest switch: nothing after it needs it. */
bool tr_rewrite_is_past(const struct tr_rewrite *rw, uint16_t seq);
/* What the client calls seq: origin and number on our side. NOTFOUND as above. */
TR_MUST_USE enum tr_err tr_rewrite_reverse(const struct tr_rewrite *rw, uint16_t seq,
                                           uint32_t *origin, int64_t *in_seq);
/* Rewrites again a packet that was sent before (same epoch as then). */
TR_MUST_USE enum tr_err tr_rewrite_again(const struct tr_rewrite *rw, uint16_t seq,
                                         const struct tr_rtp_meta *m, struct tr_rewritten *out);
/* Offset that turns a timestamp of the current origin into an outgoing one; false: no epoch yet. */
bool tr_rewrite_ts_offset(const struct tr_rewrite *rw, uint32_t origin, uint32_t *offset);

#endif

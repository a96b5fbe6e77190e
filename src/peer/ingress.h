/* From an RTP packet to what the graph keeps of it (rtp_meta.h): the one place where header,
 * extensions and payload descriptors become facts, for WebRTC peers and plain RTP alike.
 * Any thread; what cannot be read is not known. */
#ifndef TR_INGRESS_H
#define TR_INGRESS_H

#include "base/slice.h"
#include "peer/rtp_meta.h"
#include "peer/track.h"
#include "rtp/ext.h"
#include "rtp/rtp.h"

/* What the header of a packet of conf's m-line says. ext: its extensions, for who needs more of
 * them. */
void tr_ingress_header(struct tr_rtp_meta *m, const struct tr_track_conf *conf,
                       const struct tr_rtp *rtp, int layer, int64_t ext_seq,
                       struct tr_ext_vals *ext);
/* RED as it came: *payload becomes the newest block, which is what readers see. BADMSG. */
TR_MUST_USE enum tr_err tr_ingress_red(struct tr_rtp_meta *m, const struct tr_track_conf *conf,
                                       struct tr_slice *payload);
/* What the opened payload says. */
void tr_ingress_payload(struct tr_rtp_meta *m, struct tr_slice payload);
/* Keeps the dependency descriptor behind the payload, which lies in pkt's buffer, and lets it say
 * what the frame is, rather than the payload. st: of the stream. Not kept: what does not parse, or
 * has no room. */
void tr_ingress_dependency(struct tr_pkt *pkt, struct tr_slice payload, struct tr_dd_structure *st,
                           struct tr_slice ext);

#endif

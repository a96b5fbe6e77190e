/* From an RTP packet to what the graph keeps of it (rtp_meta.h): the one place where header,
 * extensions and payload descriptors become facts, for WebRTC peers and plain RTP alike.
 * Stateless; any thread; nothing here fails: what cannot be read is not known. */
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
/* What the opened payload says. */
void tr_ingress_payload(struct tr_rtp_meta *m, struct tr_slice payload);

#endif

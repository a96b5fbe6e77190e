/* From a negotiated session description to what a peer is told: the one place where the words of
 * SDP become those of the engine. Pure functions. */
#ifndef TR_FROM_SDP_H
#define TR_FROM_SDP_H

#include "peer/track.h"
#include "sdp/negotiate.h"
#include "sdp/sdp.h"

/* ours: the SSRCs that we announced on the m-line; cname: ours. */
void tr_track_from_sdp(const struct tr_sdp_media_params *params,
                       const struct tr_sdp_local_media *ours, const char *cname,
                       struct tr_track_conf *out);
/* Both descriptions must have an m-line that is not rejected (tr_sdp_tag). */
void tr_remote_from_sdp(const struct tr_sdp *local, const struct tr_sdp *remote,
                        struct tr_peer_remote *out);

#endif

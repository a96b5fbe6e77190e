/* Puts the payloads of one complete frame together as a decoder wants them: VP8 and VP9 without
 * descriptors, H.264 as Annex B, AV1 as sized OBUs. Stateless. */
#ifndef TR_RENDER_ASSEMBLE_H
#define TR_RENDER_ASSEMBLE_H

#include "record/render/load.h"

/* BADMSG: a payload does not parse. LIMIT: out is too small; never more than 2 * all payloads +
 * 32 * packets are needed. */
TR_MUST_USE enum tr_err rn_assemble(enum tr_codec codec, const struct rn_packet *packets,
                                    uint32_t count, struct tr_wr *out);

#endif

/* Retransmission payload format (RFC 4588, SSRC-multiplexed). Stateless; any thread. */
#ifndef TR_RTX_H
#define TR_RTX_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* Turns a decrypted retransmission into the packet that it repeats, in place: *pkt then starts two
 * bytes further on, without padding, with the original's sequence number, pt and ssrc.
 * IGNORED: nothing but padding, as sent to probe for bandwidth. BADMSG: malformed. On error the
 * packet is as it was. */
TR_MUST_USE enum tr_err tr_rtx_unwrap(struct tr_buf *pkt, uint8_t pt, uint32_t ssrc);
/* Appends the retransmission of a plain packet: its header with the given seq, pt and ssrc, its
 * sequence number, its payload. BADMSG: orig is no RTP packet; LIMIT: no room. */
TR_MUST_USE enum tr_err tr_rtx_wrap(struct tr_wr *w, struct tr_slice orig, uint8_t pt, uint16_t seq,
                                    uint32_t ssrc);

#endif

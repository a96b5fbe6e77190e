/* Inside lib/stun: digests over messages. */
#ifndef TR_STUN_INT_H
#define TR_STUN_INT_H

#include "base/slice.h"
#include "stun/stun_proto.h"

/* HMAC over a message whose length field reads len_field instead of what msg holds; msg.n >= 4.
 * Writes 20 bytes, or 32 when sha256. */
void tr_stun_hmac(bool sha256, struct tr_slice key, struct tr_slice msg, uint16_t len_field,
                  uint8_t out[TR_STUN_SHA256]);
uint32_t tr_stun_crc32(struct tr_slice s);

#endif

/* What may reach usrsctp: packets whose every chunk is well formed, of a kind that WebRTC needs
 * (RFC 9260, RFC 6525, RFC 3758, RFC 4820), and without addresses. usrsctp implements a good deal
 * more (multihoming, address changes, packet-drop reports); none of that is for the other end of a
 * DTLS connection to reach. Checksums and verification tags are usrsctp's to check. Inside of
 * src/lib/sctp only. */
#ifndef TR_SCTP_FILTER_H
#define TR_SCTP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { SCTP_FILTER_PACKET_MAX = 2048 };

bool sctp_filter_packet(struct tr_slice packet, uint16_t local_port, uint16_t remote_port);

#endif

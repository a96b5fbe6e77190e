/* Handing many datagrams over to the kernel: sendmmsg, whose messages may each be cut into many
 * datagrams (UDP_SEGMENT). What the kernel does not take is left out and counted; a message that it
 * cannot cut goes datagram by datagram. Inside of src/net only. */
#ifndef TR_BURST_H
#define TR_BURST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/udp.h"

enum { TR_BURST_CONTROL = 24, TR_BURST_BYTES_MAX = 65000 }; /* of one message */

/* Cuts the message every `segment` bytes; control: TR_BURST_CONTROL bytes, aligned to 8. Where the
 * message has several parts, each but the last is a multiple of `segment`. */
void tr_burst_segment(struct msghdr *hdr, void *control, uint16_t segment);
/* Sends n messages of one socket. *gso becomes false when this machine cannot cut. */
void tr_burst_send(int fd, struct mmsghdr *msgs, int n, struct tr_udp_counters *counters,
                   bool *gso);

#endif

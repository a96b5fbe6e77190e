/* The one way out for what peers say, whatever their path is made of (`proto` of its remote
 * address): a datagram of the UDP port, a frame of a TCP stream, or a packet for a client of our
 * own relay. Nobody in src/media hands bytes of a WebRTC peer to a socket himself. Inside of
 * src/media only; of one worker. Nothing is kept of what does not go out: it is counted.
 *
 * UDP is the case that counts: runs lie in the send queue (tr_udp_reserve) and stay where they are.
 * For the others each datagram needs a head in front of it, which no room was left for: tcp.c and
 * relay.c copy datagrams, once, into the place that they leave from. */
#ifndef TR_MEDIA_OUT_H
#define TR_MEDIA_OUT_H

#include "base/addr.h"
#include "base/slice.h"
#include "peer/tx.h"

struct worker;

/* A run that lies in the send queue. For UDP the bytes must stay until the queue is flushed. */
void out_run(struct worker *w, const struct tr_tx_msg *msg);
/* One datagram that lies anywhere; it is copied. */
void out_datagram(struct worker *w, const struct tr_path *path, struct tr_slice datagram);

#endif

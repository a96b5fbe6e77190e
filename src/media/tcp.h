/* ICE-TCP (RFC 6544): clients whose network lets no UDP through connect to a TCP port of ours, and
 * send and get the same packets there, in the frames of RFC 4571. Inside of src/media only; of one
 * worker.
 *
 * Nothing is read from a stream before an authenticated check, no more than a few kilobytes and
 * seconds are given for it, and a frame that is none ends the stream. From then on the stream is a
 * path of its peer, on the peer's worker, like any other: it ends with the path, and the path with
 * it. A peer has as many as paths (TR_ICE_PATH_MAX). What a stream cannot take in time is dropped,
 * whole packets, the oldest first (net/stream.h). */
#ifndef TR_MEDIA_TCP_H
#define TR_MEDIA_TCP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

struct msg;
struct tcp;
struct tr_media_counters;
struct tr_stream_moved;
struct worker;

/* Listens on all addresses of the engine; *port 0: a free one, which it is then. IO (errno), LIMIT,
 * NOMEM. */
TR_MUST_USE enum tr_err tcp_open(struct worker *w, uint16_t *port);
void tcp_close(struct worker *w);
bool tcp_read(struct worker *w, uint32_t ready); /* true: there may be more at once */
tr_usec tcp_next_timeout(const struct worker *w);
void tcp_flush(struct worker *w);
void tcp_count(const struct worker *w, struct tr_media_counters *c);

/* Datagrams of `segment` bytes, the last maybe shorter, each as a frame; copied. */
void tcp_out(struct worker *w, const struct tr_path *path, struct tr_slice datagrams,
             uint16_t segment);
void tcp_path_valid(struct worker *w, const struct tr_path *path);
void tcp_path_gone(struct worker *w, const struct tr_path *path);
/* While a frame of this path is being handled: its peer lives there. */
void tcp_hand_over(struct worker *w, const struct tr_path *path, int to);
void tcp_take_over(struct worker *w, struct tr_stream_moved *moved); /* MSG_STREAM */

#endif

/* Who is in a room as a publisher, and what becomes of them. A publisher has joined; it publishes
 * from its first answered offer to the end of its PeerConnection. */
#ifndef TR_VIDEOROOM_PUBLISHER_H
#define TR_VIDEOROOM_PUBLISHER_H

#include "plugin/videoroom/impl.h"

struct tr_vr_error;

/* Adds one to the room. session NULL: a dummy or a remote one. id none: a random one. NULL with
 * error 436 (the id is taken), 432 (the room is full), 499 (memory). */
struct tr_vr_publisher *tr_vr_publisher_add(struct tr_vr_room *room, struct tr_vr_session *session,
                                            const struct tr_vr_id *id, struct tr_vr_error *e);
/* How many of the room publish, beside dummies. */
uint32_t tr_vr_publishing(const struct tr_vr_room *room);
/* Media can flow: the others hear of its streams. */
void tr_vr_publisher_up(struct tr_vr_publisher *publisher, tr_usec now);
/* The others hear of its streams, which have changed. */
void tr_vr_publisher_announce(const struct tr_vr_publisher *publisher);
/* Its media is gone: streams end, the others are told "unpublished". It stays in the room. */
void tr_vr_publisher_down(struct tr_vr_publisher *publisher, tr_usec now);
/* It leaves; how: what the others are told ("leaving", "kicked"), NULL: nothing. Subscribers lose
 * it, it is freed, its session is nobody again. Its PeerConnection is the caller's to close. */
void tr_vr_publisher_leave(struct tr_vr_publisher *publisher, const char *how, tr_usec now);
/* Tells the media engine how much it may send. */
void tr_vr_publisher_bound(const struct tr_vr_publisher *publisher);
/* ... and whether somebody wants to know who talks. */
void tr_vr_publisher_listen(const struct tr_vr_publisher *publisher);
/* Asks for key frames of its video; mid NULL: of all streams. */
void tr_vr_publisher_keyframe(const struct tr_vr_publisher *publisher, const char *mid);
/* Talk on an m-line has started or ended; the room hears of it where its settings say so. */
void tr_vr_publisher_talking(struct tr_vr_publisher *publisher, int mline, bool on, int level,
                             tr_usec now);
void tr_vr_publisher_slow_link(const struct tr_vr_publisher *publisher);
json_t *tr_vr_publisher_query(const struct tr_vr_publisher *publisher);

/* --- its streams (streams.c) --- */

/* After a negotiation: a stream for every m-line, with the facts that were agreed. NOMEM leaves the
 * rest of the streams out. */
TR_MUST_USE enum tr_err tr_vr_streams_follow(struct tr_vr_publisher *publisher,
                                             const struct tr_jsep *offer);
/* Adds a stream behind the others; NULL when memory is out or there are TR_PC_MLINES_MAX. */
struct tr_vr_stream *tr_vr_stream_add(struct tr_vr_publisher *publisher, enum tr_sdp_kind kind,
                                      const char *mid);
void tr_vr_streams_free(struct tr_vr_publisher *publisher); /* links are gone already */

#endif

/* Who is in a room as a publisher, and what becomes of them. A publisher has joined; it publishes
 * from its first answered offer to the end of its PeerConnection. */
#ifndef TR_VIDEOROOM_PUBLISHER_H
#define TR_VIDEOROOM_PUBLISHER_H

#include "plugin/videoroom/impl.h"

struct tr_vr_error;

/* Adds one to the room. session NULL: a dummy or a remote one. id none: a random one. NULL with
 * error 436 (the id is taken) or 499 (the room is full, memory). */
struct tr_vr_publisher *tr_vr_publisher_add(struct tr_vr_room *room, struct tr_vr_session *session,
                                            const struct tr_vr_id *id, struct tr_vr_error *e);
/* Its media is gone: streams end, the others are told "unpublished". It stays in the room. */
void tr_vr_publisher_down(struct tr_vr_publisher *publisher, tr_usec now);
/* It leaves: the others are told, subscribers lose it, it is freed; its session is nobody again. */
void tr_vr_publisher_leave(struct tr_vr_publisher *publisher, tr_usec now);
/* The same without a word to the others. */
void tr_vr_publisher_remove(struct tr_vr_publisher *publisher, tr_usec now);
/* Media can flow: the others hear of its streams. */
void tr_vr_publisher_up(struct tr_vr_publisher *publisher, tr_usec now);
void tr_vr_publisher_slow_link(const struct tr_vr_publisher *publisher);
json_t *tr_vr_publisher_query(const struct tr_vr_publisher *publisher);
/* Tells the others of its streams, which are new or changed. */
void tr_vr_publisher_announce(const struct tr_vr_publisher *publisher);

/* --- its streams (streams.c) --- */

/* After a negotiation: a stream for every m-line, with the facts that were agreed. offer: what the
 * client wrote. NOMEM leaves streams out. */
void tr_vr_streams_follow(struct tr_vr_publisher *publisher, const struct tr_sdp *offer);
void tr_vr_streams_free(struct tr_vr_publisher *publisher); /* links are gone already */

#endif

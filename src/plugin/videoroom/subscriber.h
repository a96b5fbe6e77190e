/* Subscribers of a video room: one PeerConnection with streams of many publishers. What the rest of
 * the plugin calls; the other way is room.h, publisher.h and reply.h.
 *
 * A subscriber is in its room's list from its join to tr_vr_sub_gone, and its links hang on the
 * streams that it takes; whoever ends a publisher or a room calls the hooks below first, while
 * everything they look at still lives. */
#ifndef TR_VIDEOROOM_SUBSCRIBER_H
#define TR_VIDEOROOM_SUBSCRIBER_H

#include "plugin/videoroom/impl.h"

/* --- requests; they answer by tr_handle_event or tr_vr_refuse (reply.h) --- */

/* "join" with ptype subscriber or listener, on a handle that is nobody yet; nothing else of it was
 * checked (for room, pin and token: tr_vr_room_enter). Makes the session a SUBSCRIBER. */
void tr_vr_sub_join(struct tr_vr_session *session, const struct tr_msg *msg);
/* Any other asynchronous request on a subscriber's handle, by body.request: configure, start,
 * pause, switch, subscribe, unsubscribe, update, leave. Unknown ones: error 423. */
void tr_vr_sub_request(struct tr_vr_session *session, const struct tr_msg *msg);

/* --- the life of its handle --- */

void tr_vr_sub_pc_up(struct tr_vr_session *session, tr_usec now);
void tr_vr_sub_pc_down(struct tr_vr_session *session, const char *reason, tr_usec now);
void tr_vr_sub_slow_link(struct tr_vr_session *session, int mline, bool uplink, uint32_t lost,
                         tr_usec now);
void tr_vr_sub_layer(struct tr_vr_session *session, int mline, int substream, int temporal,
                     tr_usec now);
json_t *tr_vr_sub_query(const struct tr_vr_session *session); /* new reference */
/* The handle detaches: frees the subscriber; nobody is told. The session becomes NOBODY. */
void tr_vr_sub_gone(struct tr_vr_session *session, tr_usec now);

/* --- what happened to publishers --- */

/* Its streams changed by a negotiation: new ones, disabled ones, other codecs; also called when it
 * came up. */
void tr_vr_subs_published(struct tr_vr_publisher *publisher, tr_usec now);
/* Whether the stream flows has changed (send, moderated), or its playout delay. */
void tr_vr_subs_stream_set(struct tr_vr_stream *stream, tr_usec now);
/* It stops to publish (unpublish, hangup, leave, kick): its streams are freed after this, so all
 * links to them end here. */
void tr_vr_subs_unpublished(struct tr_vr_publisher *publisher, tr_usec now);
/* It leaves the room: subscribers that joined with its private id go with it where the room
 * requires one. Called after subs_unpublished. */
void tr_vr_subs_owner_left(struct tr_vr_publisher *publisher, tr_usec now);
/* The room ends; its publishers are gone already. Each subscriber is told "destroyed" and its
 * PeerConnection closed; it must not look at the room again. */
void tr_vr_subs_room_destroyed(struct tr_vr_room *room, tr_usec now);

#endif

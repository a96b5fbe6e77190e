/* The table of rooms: finding one, and whether a request may use it. */
#ifndef TR_VIDEOROOM_ROOM_H
#define TR_VIDEOROOM_ROOM_H

#include "plugin/videoroom/impl.h"
#include "plugin/videoroom/reply.h"

struct tr_vr_room *tr_vr_room_find(const struct tr_vr *vr, const struct tr_vr_id *id);
/* The room that body.room names; NULL with error 426, 429, 430. */
struct tr_vr_room *tr_vr_room_of(struct tr_vr *vr, const json_t *body, struct tr_vr_error *e);
/* The same for requests that change the room: its secret is right, or error 433. */
struct tr_vr_room *tr_vr_room_owned(struct tr_vr *vr, const json_t *body, struct tr_vr_error *e);
/* The same for a join of either kind: pin and token are right, and the room is not flooded.
 * Errors also 433, 499. */
struct tr_vr_room *tr_vr_room_enter(struct tr_vr *vr, const json_t *body, tr_usec now,
                                    struct tr_vr_error *e);

struct tr_vr_publisher *tr_vr_publisher_find(const struct tr_vr_room *room,
                                             const struct tr_vr_id *id);
/* Who got this private id at its join; NULL: nobody. */
struct tr_vr_publisher *tr_vr_private_owner(const struct tr_vr_room *room, uint64_t private_id);
struct tr_vr_stream *tr_vr_stream_by_mid(const struct tr_vr_publisher *publisher, const char *mid);

#endif

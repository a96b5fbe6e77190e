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
/* Whether body.name is this secret; "" asks for nothing. Errors 429, 430, 433. */
bool tr_vr_secret_ok(const json_t *body, const char *name, const char *secret,
                     struct tr_vr_error *e);

/* Takes so many events from a budget; a zeroed one is full. Error 499: nothing was taken, and they
 * should try again later. */
bool tr_vr_pay(struct tr_vr_budget *budget, uint64_t events, tr_usec now, struct tr_vr_error *e);

struct tr_vr_publisher *tr_vr_publisher_find(const struct tr_vr_room *room,
                                             const struct tr_vr_id *id);
/* Who got this private id at its join; NULL: nobody. */
struct tr_vr_publisher *tr_vr_private_owner(const struct tr_vr_room *room, uint64_t private_id);
struct tr_vr_stream *tr_vr_stream_by_mid(const struct tr_vr_publisher *publisher, const char *mid);

/* --- making and ending --- */

/* A room with the settings of a "create" body. id none: a random one. NULL with error 427 (the id
 * is taken), 430, 499 (too many rooms, memory). */
struct tr_vr_room *tr_vr_room_make(struct tr_vr *vr, const struct tr_vr_id *id, const json_t *body,
                                   tr_usec now, struct tr_vr_error *e);
/* Everybody in it is told "destroyed" and loses the PeerConnection. */
void tr_vr_room_destroy(struct tr_vr_room *room, tr_usec now);
void tr_vr_random_id(const struct tr_vr *vr, struct tr_vr_id *id);
/* After fir_freq may have changed. */
void tr_vr_room_schedule(struct tr_vr_room *room, tr_usec now);

/* --- who may join: the list of tokens --- */

/* Whether "allowed", if it is there, is an array of texts; else error 430. */
bool tr_vr_tokens_check(const json_t *body, struct tr_vr_error *e);
/* Adds the tokens of a checked "allowed", or takes them out. Error 499: too many, memory. */
bool tr_vr_tokens_change(struct tr_vr_room *room, const json_t *body, bool more,
                         struct tr_vr_error *e);
/* "allowed" of a "create": with it, only who has one of these tokens may join. */
bool tr_vr_tokens_take(struct tr_vr_room *room, const json_t *body, struct tr_vr_error *e);
bool tr_vr_token_known(const struct tr_vr_room *room, const char *token);
json_t *tr_vr_tokens_json(const struct tr_vr_room *room);
void tr_vr_tokens_free(struct tr_vr_room *room);

/* --- all rooms --- */

void tr_vr_rooms_destroy(struct tr_vr *vr, tr_usec now);
tr_usec tr_vr_rooms_next_timeout(const struct tr_vr *vr);
void tr_vr_rooms_timeout(struct tr_vr *vr, tr_usec now);

#endif

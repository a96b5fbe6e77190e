/* What join, publish and configure share: the settings and the SDP of a publisher. */
#ifndef TR_VIDEOROOM_PUBLISH_H
#define TR_VIDEOROOM_PUBLISH_H

#include "plugin/videoroom/impl.h"
#include "plugin/videoroom/reply.h"

/* Checks all that a body may say about publishing, nested objects as well, and whether it may (a
 * room's lock_record, its budget). Errors 429, 430, 433, 499. */
bool tr_vr_publish_check(struct tr_vr_room *room, const struct tr_msg *msg, struct tr_vr_error *e);
/* Answers the message's offer, if it has one; *jsep: the answer (new reference) or NULL. Errors
 * 431, 432, 433, 437. */
bool tr_vr_publish_negotiate(struct tr_vr_publisher *publisher, const struct tr_msg *msg,
                             json_t **jsep, struct tr_vr_error *e);
/* Does what a checked body says; whether display or metadata were in it. */
bool tr_vr_publish_obey(struct tr_vr_publisher *publisher, const struct tr_msg *msg);

#endif

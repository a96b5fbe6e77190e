/* Recording of a room: one recording for all that is recorded in it, a participant each publisher.
 * It starts with the first of them that has media and ends with the last. */
#ifndef TR_VIDEOROOM_RECORD_H
#define TR_VIDEOROOM_RECORD_H

#include "plugin/videoroom/impl.h"

/* After its wish or its streams have changed: starts, goes on, or ends what has to. */
void tr_vr_record_update(struct tr_vr_publisher *publisher, tr_usec now);
/* Its media ends; with the last one the recording does, too. */
void tr_vr_record_leave(struct tr_vr_publisher *publisher, tr_usec now);
void tr_vr_record_stop(struct tr_vr_room *room, tr_usec now); /* the whole room's; none is fine */
/* From now on all are recorded, or nobody is. */
void tr_vr_record_all(struct tr_vr_room *room, bool on, tr_usec now);

#endif

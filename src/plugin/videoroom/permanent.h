/* Rooms that are there when the server starts: those of the configuration, the demo room, and those
 * that were made permanent (store/rooms.h). */
#ifndef TR_VIDEOROOM_PERMANENT_H
#define TR_VIDEOROOM_PERMANENT_H

#include "plugin/videoroom/impl.h"

/* Writes the room to the database; room->permanent says whether that worked, as does the result. */
bool tr_vr_permanent_save(struct tr_vr_room *room);
void tr_vr_permanent_forget(struct tr_vr_room *room);
/* Makes all of them. IO, NOMEM: the database cannot be read. */
TR_MUST_USE enum tr_err tr_vr_permanent_load(struct tr_vr *vr, tr_usec now);

#endif

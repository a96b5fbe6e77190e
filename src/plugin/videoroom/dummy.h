/* Dummy publishers: streams without media, which subscribers can take as placeholders and switch
 * to somebody's later. */
#ifndef TR_VIDEOROOM_DUMMY_H
#define TR_VIDEOROOM_DUMMY_H

#include "plugin/videoroom/impl.h"

/* Adds one when the room's settings say so. Without memory the room goes without. */
void tr_vr_dummy_make(struct tr_vr_room *room);

#endif

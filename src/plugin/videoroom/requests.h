/* The requests of a video room; plugin.c has the table. Synchronous ones return their answer's data
 * and may come from the Admin API, too: then msg->handle is NULL, so they look at body and now
 * only. Asynchronous ones answer by tr_handle_event. */
#ifndef TR_VIDEOROOM_REQUESTS_H
#define TR_VIDEOROOM_REQUESTS_H

#include "plugin/videoroom/impl.h"

typedef json_t *tr_vr_sync(struct tr_plugin *plugin, const struct tr_msg *msg);
typedef void tr_vr_async(struct tr_vr_session *session, const struct tr_msg *msg);

/* --- rooms (room_requests.c) --- */

tr_vr_sync tr_vr_create, tr_vr_edit, tr_vr_destroy, tr_vr_list, tr_vr_exists, tr_vr_allowed;

/* --- who is in one (people.c) --- */

tr_vr_sync tr_vr_kick, tr_vr_moderate, tr_vr_listparticipants, tr_vr_enable_recording;

/* --- publishers (join.c, publish.c) --- */

/* join with ptype publisher, joinandconfigure; on a handle that is nobody yet */
tr_vr_async tr_vr_join_publisher;
tr_vr_async tr_vr_publish, tr_vr_configure, tr_vr_unpublish, tr_vr_leave;

#endif

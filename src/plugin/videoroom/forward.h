/* RTP out of a room and into it: forwarders of a publisher's streams, remotizations (a forwarder
 * for each stream, towards another server's room), and remote publishers, whose media comes as
 * plain RTP from such a remotization. */
#ifndef TR_VIDEOROOM_FORWARD_H
#define TR_VIDEOROOM_FORWARD_H

#include "plugin/videoroom/requests.h"

enum {
    TR_VR_FORWARDS_MAX = 64, /* of one publisher, those of its remotizations included */
    TR_VR_REMOTES_MAX = 16,  /* remotizations of one publisher */
};

/* --- requests --- */

/* forward.c */
tr_vr_sync tr_vr_rtp_forward, tr_vr_stop_rtp_forward, tr_vr_listforwarders;
/* remote.c */
tr_vr_sync tr_vr_publish_remotely, tr_vr_unpublish_remotely, tr_vr_list_remotes;
/* remote_publisher.c */
tr_vr_sync tr_vr_add_remote_publisher, tr_vr_update_remote_publisher, tr_vr_remove_remote_publisher;

/* --- what happens to publishers --- */

/* It has negotiated: its remotizations get forwarders for new streams. */
void tr_vr_forwards_follow(struct tr_vr_publisher *publisher);
/* Whether the stream flows has changed (send, moderated, disabled). */
void tr_vr_forwards_flow(const struct tr_vr_stream *stream);
/* It stops to publish: its forwarders and remotizations end. Before its streams are freed. */
void tr_vr_forwards_end(struct tr_vr_publisher *publisher);
/* It is freed: ends a remote publisher's source. Any publisher is fine. */
void tr_vr_remote_end(struct tr_vr_publisher *publisher);

#endif

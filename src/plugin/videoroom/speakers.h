/* The speakers of a large room (audio_speakers: N): N slots for those who talk. A subscriber that
 * asks for speakers gets a line for each slot, which stays, and hears whoever has the slot; so a
 * meeting of hundreds costs each client N audio streams and no renegotiation.
 *
 * A slot goes to who begins to talk: a free one, or that of whoever has been silent longest. While
 * all who have one talk, others wait. */
#ifndef TR_VIDEOROOM_SPEAKERS_H
#define TR_VIDEOROOM_SPEAKERS_H

#include "plugin/videoroom/impl.h"

struct tr_vr_line;

/* A line of its own for a slot (subscriber_line.c). LIMIT, NOMEM. */
TR_MUST_USE enum tr_err tr_vr_line_reserve(struct tr_vr_subscriber *sub, int slot,
                                           struct tr_vr_line **out);
/* stream->talking has changed. */
void tr_vr_speakers_talk(struct tr_vr_stream *stream, tr_usec now);
/* The stream ends: before its links do. */
void tr_vr_speakers_leave(struct tr_vr_stream *stream, tr_usec now);
/* Lines of the first `count` slots that the subscriber has none for yet. LIMIT, NOMEM. */
TR_MUST_USE enum tr_err tr_vr_speakers_lines(struct tr_vr_subscriber *sub, int count);

#endif

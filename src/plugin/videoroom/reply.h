/* What a video room says: errors, and the JSON of ids, rooms, publishers and streams. */
#ifndef TR_VIDEOROOM_REPLY_H
#define TR_VIDEOROOM_REPLY_H

#include "plugin/videoroom/impl.h"

enum tr_vr_error_code {
    TR_VR_UNKNOWN_ERROR = 499,
    TR_VR_NO_MESSAGE = 421,
    TR_VR_INVALID_JSON = 422,
    TR_VR_INVALID_REQUEST = 423,
    TR_VR_JOIN_FIRST = 424,
    TR_VR_ALREADY_JOINED = 425,
    TR_VR_NO_SUCH_ROOM = 426,
    TR_VR_ROOM_EXISTS = 427,
    TR_VR_NO_SUCH_FEED = 428,
    TR_VR_MISSING_ELEMENT = 429,
    TR_VR_INVALID_ELEMENT = 430,
    TR_VR_INVALID_SDP_TYPE = 431,
    TR_VR_PUBLISHERS_FULL = 432,
    TR_VR_UNAUTHORIZED = 433,
    TR_VR_ALREADY_PUBLISHED = 434,
    TR_VR_NOT_PUBLISHED = 435,
    TR_VR_ID_EXISTS = 436,
    TR_VR_INVALID_SDP = 437,
    TR_VR_INVALID_FEED = 438,
};

struct tr_vr_error {
    int code; /* enum tr_vr_error_code */
    char text[TR_REASON_MAX];
};

/* Notes what is wrong; always false, so that a check can end with it. */
bool tr_vr_fail(struct tr_vr_error *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Checks an object's fields against a table: 429 or 430. */
bool tr_vr_check(const json_t *object, const struct tr_field *fields, struct tr_vr_error *e);
/* The error as the data of a synchronous answer; new reference. */
json_t *tr_vr_error_json(const struct tr_vr_error *e);
/* ... and as the event that answers an asynchronous request. */
void tr_vr_refuse(const struct tr_msg *msg, const struct tr_vr_error *e);

/* --- ids --- */

/* A user's or room's id under `name`: a positive integer, or with string_ids a text. Absent and not
 * required: true with an id that is none. Errors 429, 430. */
bool tr_vr_id_read(const struct tr_vr *vr, const json_t *object, const char *name, bool required,
                   struct tr_vr_id *out, struct tr_vr_error *e);
bool tr_vr_id_none(const struct tr_vr_id *id);
bool tr_vr_id_eq(const struct tr_vr_id *a, const struct tr_vr_id *b);
struct tr_slice tr_vr_id_key(const struct tr_vr_id *id); /* for maps; borrows from id */
json_t *tr_vr_id_json(const struct tr_vr_id *id);
enum { TR_VR_ID_TEXT = TR_VR_ID_MAX + 1 };
const char *tr_vr_id_text(const struct tr_vr_id *id, char out[TR_VR_ID_TEXT]); /* for errors */

/* --- objects; new references --- */

/* {"videoroom":kind,"room":id} */
json_t *tr_vr_data(const char *kind, const struct tr_vr_room *room);
/* What others see of a publisher: id, display, metadata, streams ... */
json_t *tr_vr_publisher_json(const struct tr_vr_publisher *publisher);
/* Adds "streams", and "audio_codec" and "video_codec" of the single-feed form. */
void tr_vr_add_streams(json_t *object, const struct tr_vr_publisher *publisher);
/* Adds display and metadata where there are some. */
void tr_vr_add_names(json_t *object, const struct tr_vr_publisher *publisher);
/* Whether the room tells of talk on this stream. */
/* ... or the room gives the word to who talks (speakers.h). */
bool tr_vr_stream_is_heard(const struct tr_vr_stream *stream);
bool tr_vr_stream_tells_talking(const struct tr_vr_stream *stream);
const char *tr_vr_kind_name(enum tr_sdp_kind kind); /* "audio", "video", "data" */
const char *tr_vr_codec_name(enum tr_codec codec);  /* in lower case, as the API has them */

/* --- events --- */

/* To one publisher's handle; data is taken. Nobody for dummies and remote ones. */
void tr_vr_tell(const struct tr_vr_publisher *publisher, json_t *data);
/* To all publishers of the room but one (NULL: all); data is taken. */
void tr_vr_tell_others(const struct tr_vr_room *room, const struct tr_vr_publisher *but,
                       json_t *data);

#endif

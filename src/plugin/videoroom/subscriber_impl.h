/* What the files of the subscriber half share; nobody else includes it.
 *
 * A subscriber has lines, one for each m-line that was ever offered to it; a line is never removed,
 * but may be empty, and is then taken for the next stream of its kind. A link joins a line to the
 * publisher's stream that goes out on it, and is a route of the media engine once both sides have
 * negotiated. Audio and video lines have one link at most, the data line one for each publisher. */
#ifndef TR_VIDEOROOM_SUBSCRIBER_IMPL_H
#define TR_VIDEOROOM_SUBSCRIBER_IMPL_H

#include "plugin/videoroom/impl.h"
#include "plugin/videoroom/reply.h"
#include "plugin/videoroom/room.h"
#include "plugin/videoroom/subscriber.h"

enum {
    TR_VR_LAYER_MAX = 2,      /* simulcast and SVC layers count from 0 */
    TR_VR_CROSSREF_MAX = 255, /* bytes */
    TR_VR_FMTP_MAX = 96,
    TR_VR_LINE_MID = 12,    /* room for a line's mid, which is its index */
    TR_VR_SOURCES_MAX = 128 /* publishers on one data line */
};

struct tr_vr_format { /* what a line carries; of an empty one, what it carried last */
    enum tr_codec codec;
    uint8_t pt; /* the publisher's, as a wish */
    bool svc, descriptor, red;
    char fmtp[TR_VR_FMTP_MAX];
};

struct tr_vr_wish { /* of a client for one of its lines; -1: nothing said */
    int send;
    int substream, temporal, spatial_layer, temporal_layer;
    tr_usec fallback_us;
    int min_delay, max_delay;
    const char *crossrefid; /* borrowed from the request; NULL: none */
};

struct tr_vr_link {
    struct tr_vr_line *line;
    struct tr_vr_stream *stream;
    tr_id route; /* 0: none; of data.h on a data line, else of media.h */
    LIST_ENTRY(tr_vr_link) of_stream;
    LIST_ENTRY(tr_vr_link) of_line;
};

struct tr_vr_line {
    struct tr_vr_subscriber *sub;
    int mindex;
    enum tr_sdp_kind kind;
    struct tr_vr_format format;
    char *crossrefid; /* NULL: none */
    bool send;
    bool speaker; /* is for who has the room's slot, see speakers.h */
    int slot;
    bool offered;                  /* not a=inactive in the offer that was made last */
    bool leaving;                  /* an update in the making takes its links away */
    int substream, temporal;       /* upper bounds; of SVC, spatial and temporal layer */
    tr_usec fallback_us;           /* 0: the engine's */
    int min_delay, max_delay;      /* ms; -1: the publisher's */
    int substream_is, temporal_is; /* forwarded at present; -1: not known */
    struct tr_vr_links links;
};

struct tr_vr_subscriber {
    struct tr_vr_session *session;
    struct tr_vr_room *room;
    uint64_t private_id; /* 0: none */
    bool paused;
    bool autoupdate, use_msid, close_pc, e2ee;
    bool changed;              /* the lines are not those of the offer that was made last */
    bool restart;              /* the next offer is an ICE restart */
    bool touched;              /* is in a list of those that a publisher's change concerns */
    struct tr_vr_line **lines; /* [mindex] */
    int line_count;
    SLIST_ENTRY(tr_vr_subscriber) of_touched;
    TAILQ_ENTRY(tr_vr_subscriber) of_room;
};

struct tr_vr_want { /* a stream that a request asks for */
    struct tr_vr_stream *stream;
    struct tr_vr_wish wish;
};

struct tr_vr_wants {
    struct tr_vr_want list[TR_PC_MLINES_MAX + TR_VR_SOURCES_MAX];
    int count;
    int speakers; /* lines for so many of the room's speakers */
};

/* --- wishes (subscriber_wish.c) --- */

struct tr_vr_wish tr_vr_wish_none(void);
/* The fields were checked by type. Error 430. */
bool tr_vr_wish_read(struct tr_vr_wish *wish, const json_t *object, struct tr_vr_error *e);
/* The streams that an array of {feed, mid?, ...} names. Errors 428, 429, 430. */
bool tr_vr_wants_read(struct tr_vr_wants *wants, const struct tr_vr_room *room, const json_t *list,
                      struct tr_vr_error *e);
/* The streams that the single-feed form of a join names. */
bool tr_vr_wants_legacy(struct tr_vr_wants *wants, const struct tr_vr_room *room,
                        const json_t *body, struct tr_vr_error *e);
/* The feed under `name`, which has to publish. Errors 428, 429, 430. */
struct tr_vr_publisher *tr_vr_feed_read(const struct tr_vr_room *room, const json_t *object,
                                        struct tr_vr_error *e);

/* --- lines (subscriber_line.c) --- */

const char *tr_vr_line_mid(const struct tr_vr_line *line, char out[TR_VR_LINE_MID]);
struct tr_vr_line *tr_vr_line_by_mid(const struct tr_vr_subscriber *sub, const char *mid);
/* Whether the subscriber has room for all of it, beside what is not `leaving`. */
bool tr_vr_lines_suffice(const struct tr_vr_subscriber *sub, const struct tr_vr_wants *wants);
/* Takes the stream onto an empty line of its kind, or a new one. EXISTS: it is there already with
 * the same crossrefid. LIMIT, NOMEM. */
TR_MUST_USE enum tr_err tr_vr_line_take(struct tr_vr_subscriber *sub,
                                        const struct tr_vr_want *want);
/* Puts another stream of the same kind and codec in the place of what a line carries. EXISTS:
 * it carries that stream already. UNSUPPORTED: another kind or codec. NOMEM. */
TR_MUST_USE enum tr_err tr_vr_line_switch(struct tr_vr_line *line, const struct tr_vr_want *want);
void tr_vr_line_wish(struct tr_vr_line *line, const struct tr_vr_wish *wish);
/* The stream's facts are others than they were. */
void tr_vr_line_follow(struct tr_vr_link *link);
/* The one stream of an audio or video line; NULL when it is empty, and of a data line. */
struct tr_vr_stream *tr_vr_line_stream(const struct tr_vr_line *line);
bool tr_vr_line_active(const struct tr_vr_line *line);
/* The playout delay of a video line: its own wish, else the publisher's; false: none. */
bool tr_vr_line_delay(const struct tr_vr_line *line, int *min_ms, int *max_ms);
void tr_vr_link_end(struct tr_vr_link *link);
void tr_vr_line_end(struct tr_vr_line *line); /* ends its links; the line stays */
void tr_vr_line_free(struct tr_vr_line *line);
/* Routes as they should be now: after a negotiation, a wish, or a change of the stream. */
void tr_vr_line_wire(struct tr_vr_line *line);
void tr_vr_lines_wire(const struct tr_vr_subscriber *sub);
/* An offer of all lines, which takes up `changed` and `restart`. */
TR_MUST_USE enum tr_err tr_vr_lines_offer(struct tr_vr_subscriber *sub, tr_usec now, json_t **jsep);

/* --- what is told (subscriber_json.c) --- */

json_t *tr_vr_sub_streams(const struct tr_vr_subscriber *sub); /* new reference */
/* {"videoroom":kind,"room":id,"streams":[...]} */
json_t *tr_vr_sub_data(const char *kind, const struct tr_vr_subscriber *sub);
/* "updated" with an offer, or "updating" when one waits for its answer already. transaction NULL: a
 * push, which then waits without a word. */
void tr_vr_sub_update(struct tr_vr_subscriber *sub, const char *transaction, tr_usec now);
/* The layers of a line that the client gets; -1: not said. */
void tr_vr_sub_tell_layers(const struct tr_vr_line *line, int substream, int temporal);

/* --- requests (subscriber_request.c) --- */

void tr_vr_sub_leave(struct tr_vr_session *session, tr_usec now); /* it is nobody again */

#endif

/* What the files of the video room share: the plugin, its rooms, who is in them, and what they
 * publish. Nothing outside of this folder includes it.
 *
 * A handle has a session; by its first "join" it becomes a publisher (which may only listen and
 * talk to nobody: an attendee) or a subscriber. A room owns its publishers, a publisher its
 * streams, one for each m-line that it ever negotiated. A link (of subscriber.h) joins a stream to
 * an m-line of a subscriber, and hangs on the stream. All of it lives on the control thread. */
#ifndef TR_VIDEOROOM_IMPL_H
#define TR_VIDEOROOM_IMPL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/heap.h"
#include "base/map.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "plugin/videoroom/room_conf.h"
#include "plugin/videoroom/videoroom.h"

#define TR_VR_PACKAGE "janus.plugin.videoroom"

enum {
    TR_VR_ID_MAX = 63,        /* bytes of a string id: what a map's key holds */
    TR_VR_TOKENS_MAX = 10000, /* in one room's list */
    TR_VR_SPEAKERS_MAX = 16,  /* slots of a room, see speakers.h */
    TR_VR_TEXT_MAX = 1024,    /* bytes of a description, secret, pin, display or folder */
    TR_VR_METADATA_MAX = 8192 /* bytes as JSON: it goes to everybody, again and again */
};

struct tr_vr_id { /* of a room or a user */
    uint64_t num; /* integer ids; unused with string_ids */
    char text[TR_VR_ID_MAX + 1];
};

struct tr_vr_stream;
struct tr_vr_link; /* a stream on its way to a subscriber; subscriber.h */
struct tr_vr_subscriber;
struct tr_vr_forwards;
struct tr_vr_source;
LIST_HEAD(tr_vr_links, tr_vr_link);
TAILQ_HEAD(tr_vr_publishers, tr_vr_publisher);
TAILQ_HEAD(tr_vr_subscribers, tr_vr_subscriber);

/* What may be told to many in a short time. Each request that makes the server tell many pays for
 * it; an attacker may exhaust it, and hurts one room only. */
struct tr_vr_budget {
    uint64_t left;
    tr_usec at;
};

struct tr_vr { /* the plugin */
    struct tr_plugin plugin;
    struct tr_videoroom_conf conf; /* its texts are those below */
    char *token_secret, *admin_key, *mjr_dir;
    struct tr_map *rooms;
    struct tr_heap timers;      /* rooms with fir_freq */
    struct tr_vr_budget budget; /* for lists of rooms */
};

struct tr_vr_slot { /* of a speaker; stream NULL: nobody has it */
    struct tr_vr_stream *stream;
    tr_usec heard; /* when it last began or ceased to talk */
};
struct tr_vr_room {
    struct tr_vr *vr;
    struct tr_vr_id id;
    struct tr_vr_room_conf conf;
    bool permanent;
    struct tr_map *users;       /* publishers by id */
    struct tr_map *private_ids; /* publishers by their private id */
    struct tr_vr_publishers publishers;
    uint32_t publisher_count; /* in the list above: attendees count, too */
    struct tr_vr_subscribers subscribers;
    uint32_t subscriber_count;
    bool check_tokens;     /* "allowed" is on */
    struct tr_map *tokens; /* digest -> text; NULL: none yet */
    tr_id recording;       /* of the whole room; 0: none */
    uint16_t recorded;     /* participants in it so far */
    uint16_t tracks;       /* ... and m-lines of theirs */
    struct tr_vr_slot slots[TR_VR_SPEAKERS_MAX];
    struct tr_vr_budget budget;
    struct tr_heap_node timer;
};

enum tr_vr_role { TR_VR_NOBODY, TR_VR_PUBLISHER, TR_VR_SUBSCRIBER };

struct tr_vr_session { /* a handle's user */
    struct tr_vr *vr;
    struct tr_handle *handle;
    enum tr_vr_role role;
    struct tr_vr_publisher *publisher;   /* of role PUBLISHER */
    struct tr_vr_subscriber *subscriber; /* of role SUBSCRIBER */
};

struct tr_vr_publisher {
    struct tr_vr_room *room;
    struct tr_vr_session *session; /* NULL: a dummy, or one of another server */
    struct tr_vr_id id;
    uint64_t private_id;
    char *display;    /* NULL: none */
    json_t *metadata; /* NULL: none */
    bool dummy, remote, e2ee;
    bool negotiated;         /* its SDP was answered: it counts as a publisher */
    bool up;                 /* media can flow: the others know its streams */
    bool audio, video, data; /* of the legacy requests: passed on */
    uint32_t bitrate;        /* its wish; 0: none */
    bool record;             /* its wish */
    bool recorded;           /* is part of the room's recording */
    uint16_t participant;    /* ... under this number */
    uint16_t tracks;         /* ... with so many m-lines */
    char *filename;          /* its wish for the recording's name; NULL: none */
    struct tr_vr_stream *streams[TR_PC_MLINES_MAX]; /* [mindex] */
    int stream_count;
    struct tr_vr_forwards *forwards; /* RTP to elsewhere (forward.h); NULL: none */
    struct tr_vr_source *source;     /* remote: where its media comes from (forward.h) */
    TAILQ_ENTRY(tr_vr_publisher) of_room;
};

struct tr_vr_stream {
    struct tr_vr_publisher *publisher;
    int mindex;
    char mid[TR_SDP_MID_MAX + 1];
    enum tr_sdp_kind kind;
    struct tr_sdp_pt pt; /* main codec as negotiated with the publisher; kind DATA: none */
    char profile[16];    /* h264_profile or vp9_profile; "": none */
    char *description;   /* NULL: none */
    bool disabled;       /* negotiated away for now; no media */
    bool send;           /* the publisher's wish; false: nothing is passed on */
    bool moderated;      /* muted by a moderator; the same effect */
    bool opus_fec, opus_dtx, opus_stereo, opus_red;
    bool simulcast;
    bool svc;        /* layers within one stream */
    bool descriptor; /* packets may carry dependency descriptors, which subscribers want, too */
    bool talking;
    int min_delay, max_delay;               /* playout delay in ms; -1: none */
    uint32_t active_packets, level_average; /* for talking events; 0: the room's */
    struct tr_media_end end;                /* peer 0: no media ever (dummy) */
    struct tr_vr_links links;               /* subscribers of it */
};

/* Whether media of a stream is passed on at present. */
static inline bool tr_vr_stream_flows(const struct tr_vr_stream *s)
{
    return s->end.peer && s->send && !s->moderated && !s->disabled;
}

#endif

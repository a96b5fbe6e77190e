/* What forward.c and remote.c share. */
#ifndef TR_VIDEOROOM_FORWARD_IMPL_H
#define TR_VIDEOROOM_FORWARD_IMPL_H

#include "media/forward.h"
#include "plugin/videoroom/forward.h"
#include "plugin/videoroom/reply.h"

struct tr_vr_remote { /* a remotization: forwarders of all streams, to one port */
    char *id;
    char *host;
    struct tr_forward_conf to; /* its host is the one above */
    TAILQ_ENTRY(tr_vr_remote) of_publisher;
};

struct tr_vr_forward {
    uint32_t id; /* "stream_id" */
    tr_id forward;
    char *host; /* as asked for */
    struct tr_forward_conf conf;
    struct tr_vr_stream *stream;
    struct tr_vr_remote *remote; /* whose it is; NULL: asked for by itself */
    TAILQ_ENTRY(tr_vr_forward) of_publisher;
};

struct tr_vr_forwards { /* of one publisher */
    struct tr_media *media;
    TAILQ_HEAD(, tr_vr_forward) list;
    TAILQ_HEAD(tr_vr_remote_list, tr_vr_remote) remotes;
    int count, remote_count;
};

/* Streams of a remote publisher come by one port and are told apart by what both servers know, as
 * in Janus, with which either side may be played. */
static inline uint32_t tr_vr_remote_ssrc(int mindex, int layer)
{
    return (uint32_t)(1000 + 10 * mindex + layer);
}

/* Fields of a destination: host, host_family, srtp_suite, srtp_crypto. The texts borrow from the
 * body. What body does not have is left as it is. Errors 429, 430. */
bool tr_vr_destination_read(const json_t *body, struct tr_forward_conf *to, struct tr_vr_error *e);
/* SRTP of either direction. Errors 429, 430. */
bool tr_vr_srtp_read(const json_t *body, enum tr_srtp_profile *srtp, struct tr_srtp_keys *keys,
                     struct tr_vr_error *e);
/* An integer of 0 .. max under `name`; absent: 0. Error 430. */
bool tr_vr_number_read(const json_t *body, const char *name, uint32_t max, uint32_t *out,
                       struct tr_vr_error *e);
/* The admin key, where such requests are locked. Errors 429, 430, 433. */
bool tr_vr_forward_allowed(const struct tr_vr *vr, const json_t *body, struct tr_vr_error *e);
/* The publisher that body.<name> names in the room that the request may change; NULL: an error. */
struct tr_vr_publisher *tr_vr_forward_publisher(struct tr_vr *vr, const json_t *body,
                                                const char *name, struct tr_vr_error *e);
/* Starts one; NULL with error 430 or 499. */
struct tr_vr_forward *tr_vr_forward_add(struct tr_vr_stream *stream, struct tr_media *media,
                                        const struct tr_forward_conf *conf,
                                        struct tr_vr_remote *remote, struct tr_vr_error *e);
void tr_vr_forward_remove(struct tr_vr_publisher *publisher, struct tr_vr_forward *forward);
/* Makes the publisher's lists when needed; NULL: memory, error 499. */
struct tr_vr_forwards *tr_vr_forwards_of(struct tr_vr_publisher *publisher, struct tr_media *media,
                                         struct tr_vr_error *e);
/* Header extension id of audio levels, as the publisher sends them; 0: none. */
uint8_t tr_vr_forward_level_id(const struct tr_vr_stream *stream);
/* {"videoroom":"success","room","id"} */
json_t *tr_vr_success_of(const struct tr_vr_publisher *publisher);
void tr_vr_remote_remove(struct tr_vr_publisher *publisher, struct tr_vr_remote *remote);

#endif

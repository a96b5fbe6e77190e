/* Recording of what a handle sends: the part that the plugins' own "record" requests and the
 * support desk share. */
#ifndef TR_SIDE_RECORD_H
#define TR_SIDE_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/idtab.h"
#include "base/time.h"
#include "media/media.h"

struct tr_handle;
struct tr_recorder;
struct tr_sdp_pt;

/* Adds every audio and video m-line that the client sends to a recording; those that are in it
 * already stay as they are, so it may be called after each negotiation. mjr: each becomes a file
 * <mjr>-<audio|video>-<index of the m-line>.mjr, too; NULL: none does. */
void tr_record_handle(struct tr_recorder *recorder, tr_id recording, const struct tr_handle *handle,
                      uint16_t participant, const char *label, const char *role, const char *mjr,
                      tr_usec now);

struct tr_record_who {
    uint16_t participant;
    const char *label, *role;
    const char *mjr; /* base of the names of .mjr files; NULL: none */
};

/* One end, for what no handle sends. */
void tr_record_end(struct tr_recorder *recorder, tr_id recording, struct tr_media_end end,
                   const struct tr_sdp_pt *pt, const char *mid, const struct tr_record_who *who,
                   tr_usec now);

enum { TR_SIDE_RECORD_NAME_MAX = 128 };

struct tr_side_record { /* a recording that a client asked for; zeroed: none */
    bool wanted;
    char name[TR_SIDE_RECORD_NAME_MAX]; /* of the request's "filename"; "": none was given */
    tr_id recording;                    /* 0: not started */
};

/* Obeys "record" and "filename" of a request; recorder NULL: does nothing. A recording starts
 * when there is media to record, not before, so that idle handles cannot fill the list. */
void tr_side_record_read(struct tr_side_record *side, struct tr_recorder *recorder,
                         const json_t *body, tr_usec now);
/* After such a request and after a (re)negotiation. user: who is recorded, "" when not known;
 * also the recording's name when none was given. A recording that was refused is not tried
 * again. */
void tr_side_record_update(struct tr_side_record *side, struct tr_recorder *recorder,
                           const struct tr_handle *handle, const char *plugin, const char *user,
                           tr_usec now);
void tr_side_record_stop(struct tr_side_record *side, struct tr_recorder *recorder, tr_usec now);

#endif

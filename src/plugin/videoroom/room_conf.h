/* The settings of a room, and how they are read from the bodies of "create" and "edit". */
#ifndef TR_VIDEOROOM_ROOM_CONF_H
#define TR_VIDEOROOM_ROOM_CONF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "payload/codec.h"

struct tr_vr_error;

enum { TR_VR_CODECS_MAX = 5 };

struct tr_vr_codecs { /* best first; those that this build does not know are left out */
    enum tr_codec list[TR_VR_CODECS_MAX];
    uint8_t count;
};

struct tr_vr_room_conf {
    char *description, *secret, *pin, *rec_dir; /* never NULL; "": none */
    char *audiocodec, *videocodec;              /* as they were given, such as "vp8,h264" */
    char *vp9_profile, *h264_profile;           /* "": no wish */
    struct tr_vr_codecs audio, video;           /* what audiocodec and videocodec mean */
    json_t *dummy_streams;                      /* NULL: one for each codec */
    uint32_t publishers_max, bitrate;           /* bitrate 0: no bound */
    uint32_t fir_freq; /* seconds; 0: key frames only when somebody needs one */
    uint32_t audio_active_packets, audio_level_average;
    uint32_t audio_speakers; /* 0: no such lines; see speakers.h */
    bool is_private, require_pvtid, require_e2ee, signed_tokens, notify_joining;
    bool bitrate_cap, opus_fec, opus_dtx, audiolevel_event;
    bool audiolevel_ext, videoorient_ext, playoutdelay_ext, transport_wide_cc_ext;
    bool record, lock_record, dummy_publisher, dummy_e2ee;
};

/* The settings that a "create" asks for, over the defaults. False with an error (430, 499): there
 * is nothing to free. */
bool tr_vr_room_conf_read(struct tr_vr_room_conf *conf, const json_t *body, struct tr_vr_error *e);
/* Changes what an "edit" asks for; nothing on an error. */
bool tr_vr_room_conf_edit(struct tr_vr_room_conf *conf, const json_t *body, struct tr_vr_error *e);
void tr_vr_room_conf_free(struct tr_vr_room_conf *conf);
/* Header extensions that the room does without: bits 1u << enum tr_ext. */
uint32_t tr_vr_room_conf_exts_off(const struct tr_vr_room_conf *conf);
/* The members of an object of "list"; room and num_participants are the caller's. */
void tr_vr_room_conf_tell(const struct tr_vr_room_conf *conf, json_t *object);
/* All members that a "create" takes, secrets as well; new reference. */
json_t *tr_vr_room_conf_save(const struct tr_vr_room_conf *conf);

#endif

/* The settings of a room, and how they are read from the bodies of "create" and "edit". */
#ifndef TR_VIDEOROOM_ROOM_CONF_H
#define TR_VIDEOROOM_ROOM_CONF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "payload/codec.h"

struct tr_vr_error;

enum { TR_VR_CODECS_MAX = 5 };

struct tr_vr_codecs { /* what a room takes of one kind, best first */
    char text[64];    /* as it was given */
    enum tr_codec list[TR_VR_CODECS_MAX];
    int count;
};

struct tr_vr_room_conf {
    char *description, *secret, *pin, *rec_dir; /* never NULL; "": none */
    struct tr_vr_codecs audio, video;
    char vp9_profile[8], h264_profile[8]; /* "": no wish */
    uint32_t publishers_max, bitrate;     /* bitrate 0: no bound */
    uint32_t fir_freq;                    /* seconds; 0: key frames only when somebody needs one */
    uint32_t audio_active_packets, audio_level_average;
    bool is_private, require_pvtid, require_e2ee, signed_tokens, notify_joining;
    bool bitrate_cap, opus_fec, opus_dtx, audiolevel_event;
    bool audiolevel_ext, videoorient_ext, playoutdelay_ext, transport_wide_cc_ext;
    bool record, lock_record, dummy_publisher, dummy_e2ee;
};

/* The settings that a "create" asks for, over the defaults; the caller frees them in every case. */
bool tr_vr_room_conf_read(struct tr_vr_room_conf *conf, const json_t *body, struct tr_vr_error *e);
/* What an "edit" asks for; nothing is changed on an error. */
bool tr_vr_room_conf_edit(struct tr_vr_room_conf *conf, const json_t *body, struct tr_vr_error *e);
void tr_vr_room_conf_free(struct tr_vr_room_conf *conf);
/* The members of an object of "list"; room and num_participants are the caller's. */
void tr_vr_room_conf_tell(const struct tr_vr_room_conf *conf, json_t *object);
/* All members that a "create" takes, secrets as well; new reference. */
json_t *tr_vr_room_conf_save(const struct tr_vr_room_conf *conf);

#endif

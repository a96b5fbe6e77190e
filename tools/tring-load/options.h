/* What tring-load is asked to do: the command line as a struct. */
#ifndef TR_OPTIONS_H
#define TR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/time.h"
#include "srtp/profile.h"

enum {
    LOAD_CLIENTS_MAX = 20000,
    LOAD_HOST_MAX = 128,
    LOAD_PATH_MAX = 128,
    LOAD_CREDENTIAL_MAX = 256
};

enum load_scenario { LOAD_NOTHING, LOAD_ECHO, LOAD_CALLS, LOAD_ROOM, LOAD_MEETING };

struct load_turn {
    bool on, tls;
    struct tr_addr server; /* proto: UDP or TCP */
    char uri[LOAD_HOST_MAX];
    char user[LOAD_CREDENTIAL_MAX], password[LOAD_CREDENTIAL_MAX];
};

struct load_options {
    enum load_scenario scenario;
    int clients;                        /* in all */
    int rooms, publishers, subscribers; /* ROOM, MEETING: the last two of each room */
    char url[LOAD_HOST_MAX + LOAD_PATH_MAX];
    char host[LOAD_HOST_MAX];
    uint16_t port;
    bool http; /* else WebSocket */
    char path[LOAD_PATH_MAX];
    char secret[64]; /* apisecret; empty: none */
    struct tr_addr bind;
    struct load_turn turn;
    bool relay_only;              /* no candidate but the relayed one */
    bool tcp;                     /* ICE-TCP in place of UDP */
    enum tr_srtp_profile profile; /* NONE: whatever the server picks */
    tr_usec warmup, duration, setup_limit;
    double ramp; /* clients started a second */
    uint32_t video_bps, fps, packet_bytes, keyframe_every, spread_pct;
    uint32_t frame_packets; /* 0: as many as the bitrate makes */
    uint32_t audio_bytes, audio_pps;
    bool audio_even; /* audio packets are all of one size */
    int layers;      /* of video: 1, or 3 with simulcast */
    bool rids;       /* which are announced by rid, not by an SSRC group */
    bool video, audio, gro, twcc, quiet;
    uint32_t remb_bps; /* what clients say that they can take */
    double loss;       /* share of received media packets that are dropped here */
    pid_t pid;         /* of the server; 0: not measured */
};

enum load_parsed { LOAD_RUN, LOAD_HELP, LOAD_WRONG };

/* On LOAD_WRONG the reason was printed to stderr. */
enum load_parsed load_options_parse(struct load_options *o, int argc, char **argv);
void load_options_help(void);
const char *load_profile_name(enum tr_srtp_profile profile);

#endif

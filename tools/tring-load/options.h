/* What tring-load is asked to do: the command line as a struct. */
#ifndef TR_OPTIONS_H
#define TR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/time.h"
#include "srtp/profile.h"

enum { LOAD_CLIENTS_MAX = 20000, LOAD_HOST_MAX = 128, LOAD_PATH_MAX = 128 };

enum load_scenario { LOAD_ECHO, LOAD_CALLS };

struct load_options {
    enum load_scenario scenario;
    int clients;
    char url[LOAD_HOST_MAX + LOAD_PATH_MAX];
    char host[LOAD_HOST_MAX];
    uint16_t port;
    char path[LOAD_PATH_MAX];
    char secret[64]; /* apisecret; empty: none */
    struct tr_addr bind;
    enum tr_srtp_profile profile; /* NONE: whatever the server picks */
    tr_usec warmup, duration, setup_limit;
    double ramp; /* clients started a second */
    uint32_t video_bps, fps, packet_bytes, keyframe_every, audio_bytes;
    bool video, audio, gro, quiet;
    double loss; /* share of received media packets that are dropped here */
    pid_t pid;   /* of the server; 0: not measured */
};

enum load_parsed { LOAD_RUN, LOAD_HELP, LOAD_WRONG };

/* On LOAD_WRONG the reason was printed to stderr. */
enum load_parsed load_options_parse(struct load_options *o, int argc, char **argv);
void load_options_help(void);
const char *load_profile_name(enum tr_srtp_profile profile);

#endif

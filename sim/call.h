/* A call of two: a server (ICE lite, DTLS server) and a client (full agent, DTLS client) behind an
 * access link, with audio on m-line 0 and video on m-line 1, both ways. The descriptions travel
 * with a delay, as by signalling. Senders and receivers start with the connection. One thread.
 * Memory is the caller's; init/deinit. */
#ifndef TR_SIM_CALL_H
#define TR_SIM_CALL_H

#include "sim/media.h"
#include "sim/peer.h"

enum { SIM_AUDIO, SIM_VIDEO, SIM_MLINES };
enum { SIM_SERVER, SIM_CLIENT, SIM_SIDES };
enum {
    SIM_PT_AUDIO = 111,
    SIM_PT_VIDEO = 96,
    SIM_PT_RTX = 97,
    SIM_SSRC_CLIENT = 1000, /* + m-line * 10 (+ 1 for RTX) */
    SIM_SSRC_SERVER = 5000
};
#define SIM_WALL_OFFSET INT64_C(1700000000000000)

struct sim_call_conf {
    struct sim_link up, down; /* the client's access */
    tr_usec signal_us;        /* one way */
    tr_usec consent_us;
    uint32_t video_bps;
    bool server_offers; /* so the client begins before the server knows of it */
    bool no_rtx, no_nack;
    bool no_media;                                   /* nobody sends by itself */
    bool unannounced;                                /* the client's SSRCs are learnt by MID */
    bool wrong_fingerprint;                          /* the server expects another certificate */
    enum tr_srtp_profile profiles[TR_SRTP_PROFILES]; /* of the server */
};

struct sim_side {
    struct sim_peer peer;
    struct sim_call *call;
    struct tr_track_conf tracks[SIM_MLINES];
    struct sim_sender senders[SIM_MLINES];
    struct sim_receiver receivers[SIM_MLINES];
    struct sim_timer media;
    bool started, sending; /* a stopped sender still answers NACKs */
    struct tr_sr last_sr[SIM_MLINES];
};

struct sim_call {
    struct sim *sim;
    struct sim_call_conf conf;
    struct sim_identity *identities; /* borrowed: SIM_SIDES */
    struct sim_side sides[SIM_SIDES];
    struct sim_timer signal; /* the next description arrives */
    int step;
};

/* identities: an array of SIM_SIDES. Nothing has been sent yet; sim_run from here. NOMEM. */
TR_MUST_USE enum tr_err sim_call_init(struct sim_call *call, struct sim *sim,
                                      struct sim_identity *identities,
                                      const struct sim_call_conf *conf);
void sim_call_deinit(struct sim_call *call);
/* Runs until both sides are up, one is down, or us have passed; true: up. */
bool sim_call_connect(struct sim_call *call, tr_usec us);
/* Credentials of both sides change, as by a new offer and answer. */
void sim_call_restart_ice(struct sim_call *call);
/* The same tracks as tr_peer_set_tracks wants them; may be changed and set again. */
TR_MUST_USE enum tr_err sim_call_set_tracks(struct sim_call *call);
void sim_call_stop_media(struct sim_call *call);
struct sim_peer *sim_server(struct sim_call *call);
struct sim_peer *sim_client(struct sim_call *call);

#endif

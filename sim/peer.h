/* A struct tr_peer with its owner's duties, on a simulated endpoint: polls, timers, and the map of
 * valid paths, outside of which nothing but STUN is looked at.
 * One thread. Memory is the caller's; init/deinit. */
#ifndef TR_SIM_PEER_H
#define TR_SIM_PEER_H

#include "base/pkt.h"
#include "peer/peer.h"
#include "sim/sim.h"
#include "srtp/srtp.h"

struct sim_identity { /* a certificate, its context and an engine; shared by any number of peers */
    struct tr_dtls_cert *cert;
    struct tr_dtls_ctx *ctx;
    struct tr_srtp_engine *engine;
};

TR_MUST_USE enum tr_err sim_identity_init(struct sim_identity *id);
void sim_identity_deinit(struct sim_identity *id);

struct sim_peer_hooks {                                      /* all may be NULL */
    void (*rtp)(void *arg, int mline, struct tr_pkt *pkt);   /* borrowed */
    void (*event)(void *arg, const struct tr_peer_out *out); /* what is not about paths */
    void (*rtcp)(void *arg, struct tr_slice plain); /* takes all RTCP: the peer gets none */
    void *arg;
};

struct sim_peer {
    struct sim *sim;
    struct sim_endpoint *endpoint;
    struct tr_addr addr;
    struct tr_peer *peer;
    struct sim_identity *identity;
    struct tr_pkt_pool *pool;
    struct sim_timer timer;
    tr_usec timer_us; /* when it fired last, */
    int timeouts;     /* and how often in that instant */
    struct sim_peer_hooks hooks;
    char ufrag[33], pwd[33];
    bool lite;
    struct tr_path paths[TR_ICE_PATH_MAX]; /* valid now */
    int paths_count;
    bool up;
    const char *down; /* the reason; NULL: not down */
    tr_usec up_us, down_us;
    uint64_t foreign; /* not STUN, from a path that is not valid: not looked at */
    uint64_t valid, invalid, keyframes, nacks, reports, keyframes_needed, data;
};

struct sim_peer_conf {
    struct sim_identity *identity;
    struct tr_addr addr;
    bool server; /* lite and DTLS server; else a full controlling agent and DTLS client */
    enum tr_srtp_profile profiles[TR_SRTP_PROFILES];
    tr_usec consent_us;
    int64_t wall_offset_us;
    struct sim_peer_hooks hooks;
};

/* NOMEM. deinit is fine after a failed init. */
TR_MUST_USE enum tr_err sim_peer_init(struct sim_peer *p, struct sim *sim,
                                      const struct sim_peer_conf *conf);
void sim_peer_deinit(struct sim_peer *p);
/* What this side would say in its SDP. */
struct tr_peer_remote sim_peer_description(const struct sim_peer *p);
/* After any call on p->peer: polls it and sets the timer. */
void sim_peer_speak(struct sim_peer *p);
/* New credentials; exchange the descriptions again. */
TR_MUST_USE enum tr_err sim_peer_restart(struct sim_peer *p);
/* A host candidate of this peer, for itself and for the other side. */
struct tr_ice_cand sim_peer_candidate(const struct sim_peer *p);
/* As `send` of struct sim_sender_conf, with the peer as arg. */
void sim_peer_send(void *arg, const struct tr_path *path, struct tr_slice datagram);
/* A datagram as if it had come from path, straight to the owner's door. */
void sim_peer_receive(void *arg, const struct tr_path *path, struct tr_slice datagram);
/* Protects a packet with the keys of this side and sends it to its selected path: what a peer of
 * another make might send. INVAL: not up. */
TR_MUST_USE enum tr_err sim_peer_send_rtp(struct sim_peer *p, struct tr_slice plain);
TR_MUST_USE enum tr_err sim_peer_send_rtcp(struct sim_peer *p, struct tr_slice plain);

#endif

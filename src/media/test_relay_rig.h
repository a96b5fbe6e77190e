/* What the tests of the relay share: an engine with two workers and a relay, and tunnels: a socket
 * that a client (test_rig.h) takes for the server, and behind it a TURN client that brings its
 * datagrams there by the relay. */
#ifndef TR_MEDIA_TEST_RELAY_RIG_H
#define TR_MEDIA_TEST_RELAY_RIG_H

#include "media/test_rig.h"
#include "media/turn.h"

struct tr_dtls;
struct tr_quota;
struct tr_turn_auth;
struct tr_turn_client;
struct tr_turn_policy;

enum { TUNNELS_MAX = 48, QUOTA = 15, MIN_PORT = 42000, MAX_PORT = 42999 };

struct tunnel {
    struct net *net;
    struct tr_udp *front, *back;
    struct tr_turn_client *turn;
    struct tr_dtls *dtls; /* NULL: it speaks to the relay in the clear */
    struct tr_addr client, peer, relayed;
    int failed; /* code; 0: not yet */
    int answers, echoes;
    int worker; /* that hears it, if the test has found out */
    bool raw;   /* no TURN client: what comes is kept */
    uint8_t last[1500];
    size_t last_n;
};

struct net_conf {
    const char *allow; /* peers besides our own media; NULL: none */
    int workers;       /* 0: two */
    bool tcp;
    uint32_t allocation_bps, unproven_per_second;
    struct tr_stream_bounds streams;
};

struct net { /* a rig with a relay */
    struct rig *rig;
    int workers;
    struct tr_turn_auth *auth;
    struct tr_turn_policy *policy;
    struct tr_quota *quota;
    struct tr_dtls_ctx *dtls;
    struct tunnel tunnels[TUNNELS_MAX];
    int tunnels_count;
};

bool net_open_with(struct net *net, const struct net_conf *conf);
bool net_open(struct net *net, const char *allow); /* that, and the rest as it is by itself */
void net_close(struct net *net);
struct tunnel *tunnel_open(struct net *net); /* its peer is our own media port */
struct tunnel *tunnel_open_dtls(struct net *net);
struct tunnel *tunnel_open_raw(struct net *net, bool dtls);
struct tunnel *tunnel_on(struct net *net,
                         int worker); /* one whose allocation lives on that worker */
int worker_of_port(const struct net *net, uint16_t relayed_port);
void tunnel_speak(struct tunnel *t);
void to_relay(struct tunnel *t, struct tr_slice data);
struct client *client_by(struct tunnel *t);
struct tr_media_turn_counters all_counters(struct net *net);
struct tr_turn_counters relay_counters(struct net *net);

#endif

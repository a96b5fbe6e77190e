/* A rig for tests of the whole engine: it runs as in the server (two workers, real sockets and
 * threads), and clients are peers of our own (full agent, DTLS client) that the thread of the test
 * drives over sockets on 127.0.0.1. Nothing waits for a fixed time: WAIT_FOR ends when what it
 * waits for has come, and fails the test after WAIT_US. */
#ifndef TR_MEDIA_TEST_RIG_H
#define TR_MEDIA_TEST_RIG_H

#include "base/rng.h"
#include "dtls/dtls.h"
#include "media/media.h"
#include "net/clock.h"
#include "net/stream.h"
#include "net/udp.h"
#include "peer/peer.h"
#include "srtp/srtp.h"
#include "unit.h"

enum {
    CLIENTS_MAX = 24,
    EVENTS_MAX = 256,
    AUDIO = 0,
    VIDEO = 1,
    TRACKS = 2,
    PAYLOAD = 1100,
    SEQS_MAX = 4096,
    CHECK_BYTES = 300,
    PT_AUDIO = 111,
    AUDIO_LEVEL = 20, /* -dBov, of all audio that clients send */
    PT_VIDEO = 96,
    PT_RTX = 97,
};

#define WAIT_US (20 * TR_SECOND)

struct received { /* by one client on one m-line */
    int packets;
    int damaged;
    int repaired; /* came by retransmission */
    int keyframes;
    int64_t first, last;
    uint16_t number_last;   /* of the sender's, in the payload */
    uint8_t seen[SEQS_MAX]; /* by the sender's number */
};

struct client {
    struct rig *rig;
    tr_id id; /* of its peer in the engine */
    struct tr_udp *udp;
    struct tr_udp *other;       /* a second socket, for a path change */
    struct tr_streams *streams; /* instead of sockets; NULL: over UDP */
    tr_id stream;               /* 0: not connected */
    int streams_closed;
    struct tr_addr local;
    struct tr_peer *peer;
    bool up, down;
    int64_t next_seq[TRACKS];
    uint32_t ts[TRACKS];
    int keyframes_asked;
    int nacks;      /* numbers that the engine asked for again */
    int drop_every; /* of received video datagrams; 0: none */
    int drop_count;
    struct received in[TRACKS];
    struct tr_media_peer_conf creds;
};

struct rig {
    struct tr_media *media;
    struct tr_addr ip; /* of the engine and of all clients */
    struct tr_dtls_cert *server_cert, *cert;
    struct tr_dtls_ctx *ctx;
    struct tr_srtp_engine *engine;
    struct tr_pkt_pool *pool;
    struct tr_rng rng;
    int waiter;
    uint16_t via;            /* clients connect to this port instead; 0: to the engine's */
    void (*also)(void *arg); /* done in each turn; NULL: nothing */
    void *also_arg;
    struct client clients[CLIENTS_MAX];
    int clients_count;
    struct tr_media_event events[EVENTS_MAX];
    int events_count;
    struct tr_media_peer_stats *stats; /* of the last query */
    uint64_t stats_cookie;
};

/* The engine runs, with two workers; profiles NULL: the default. False: the test has failed. */
bool rig_open(struct rig *r, const enum tr_srtp_profile *profiles);
bool rig_open_at(struct rig *r, const char *ip);
/* With so many workers and a relay, on 127.0.0.1. port: of the engine. */
bool rig_open_relay(struct rig *r, int workers, uint16_t port,
                    const struct tr_media_turn_conf *turn);
/* Also after a failed open. */
void rig_close(struct rig *r);
/* How many such events came; peer 0: of all. */
int events_of(const struct rig *r, enum tr_media_event_kind kind, tr_id peer);
/* What a payload holds: a marker and the sender's number (payload_head), then bytes that follow
 * from it. */
uint8_t pattern(uint16_t number, size_t i);
size_t payload_head(int mline, bool keyframe, uint16_t number, uint8_t *p);
/* count packets of the m-line from this socket; the first may start a key frame. */
void send_some(struct client *c, struct tr_udp *udp, const struct tr_path *path, int mline,
               int count, bool keyframe);
void client_send(struct client *c, int mline, int count, bool keyframe);
/* Clients read, speak and wait for a millisecond. */
void rig_turn(struct rig *r);
void run_for(struct rig *r, tr_usec us);
uint32_t ssrc_of(int client, int mline, bool out, bool rtx);
/* The m-lines as the engine sees them, or as the client does (mirrored). */
void fill_tracks(struct tr_track_conf *t, int client, bool mirrored);
bool open_socket(const struct rig *r, struct tr_udp **udp);
/* The client begins to connect, with a new peer of its own. */
bool client_start(struct client *c);
/* A client whose peer the engine knows; it begins to connect. */
struct client *client_open(struct rig *r);
struct client *client_open_tcp(struct rig *r); /* the same by ICE-TCP alone */
/* A check for such a peer; send_check's does not nominate. */
struct tr_slice check_of(struct rig *r, const struct tr_media_peer_conf *creds, bool nominate,
                         uint8_t buf[CHECK_BYTES]);
void send_check(struct client *c, struct tr_udp *udp, const struct tr_path *path);
bool client_other(struct client *c, struct tr_path *path); /* a new socket there, and its path */
void client_stream_send(struct client *c, struct tr_slice datagram); /* connects when needed */
/* Where its streams go on the way in, as its agent calls it. */
struct tr_path client_tcp_path(const struct client *c);
tr_id route(struct rig *r, const struct client *from, const struct client *to, int mline);
/* r->stats is of this peer now. */
void ask_stats(struct rig *r, tr_id peer);
int worker_of(struct rig *r, const struct client *c);
/* Frames of 10 packets, the first a key frame, with audio. */
void send_frames(struct rig *r, struct client *c, int frames);
/* Two clients on different workers; the kernel spreads them, so open some until it has. */
bool open_two_apart(struct rig *r, struct client **a, struct client **b);
/* Waits until the workers have published them. */
struct tr_media_counters counters(struct rig *r);
bool open_on_one_worker(struct rig *r, struct client **out, int count);

/* Turns until cond holds; fails the test after WAIT_US. */
#define WAIT_FOR(r, cond)                                                                          \
    do {                                                                                           \
        tr_usec wait_end = tr_clock_now() + WAIT_US;                                               \
        while (!(cond) && tr_clock_now() < wait_end)                                               \
            rig_turn(r);                                                                           \
        CHECK(cond);                                                                               \
    } while (0)

static inline struct tr_media_end end(const struct client *c, int mline)
{
    return (struct tr_media_end){ .peer = c->id, .mline = mline };
}

#endif

/* A rig for tests of plain RTP: the engine with two workers and real sockets on 127.0.0.1; the
 * thread of the test plays the senders and receivers with sockets of its own. Each wait ends when
 * what it waits for has come, and fails after WAIT_US. */
#ifndef TR_MEDIA_TEST_PLAIN_RIG_H
#define TR_MEDIA_TEST_PLAIN_RIG_H

#include "dtls/dtls.h"
#include "media/forward.h"
#include "media/plain.h"
#include "net/clock.h"
#include "net/udp.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"

enum {
    AUDIO = 0,
    VIDEO = 1,
    TRACKS = 2,
    GOT_MAX = 1024,
    PT_IN = 102,
    LAYERS = TR_TRACK_LAYERS,
    EVENTS_MAX = 64,
};

#define WAIT_US (20 * TR_SECOND)

struct rig {
    struct tr_media *media;
    struct tr_dtls_cert *cert;
    struct tr_srtp_engine *engine;
    struct tr_media_event events[EVENTS_MAX];
    int events_count;
};

struct got {
    struct tr_rtp rtp;
    struct tr_addr from;
    uint32_t number; /* of the sender's, in the payload */
    uint8_t level;   /* of an audio level extension with id 1 */
    size_t len;
};

struct host { /* a socket with what it has received */
    struct tr_udp *udp;
    struct tr_addr addr;
    struct tr_srtp *in; /* opens what comes; NULL: in the clear */
    struct got got[GOT_MAX];
    int count;
    int bad; /* neither RTP nor RTCP, or not to be opened */
    int reports, sender_reports, plis, nacks;
    struct tr_rtcp_report sr;
    struct tr_addr rtcp_from;
};

bool rig_open(struct rig *r); /* false: the test has failed */
void rig_close(struct rig *r);
void host_open(struct host *h);
bool host_open_at(struct host *h, struct tr_addr ip); /* false: there is no such address here */
void host_close(struct host *h);
void host_turn(struct host *h); /* takes what has come */
void take_events(struct rig *r);

/* Turns until cond holds; fails the test after WAIT_US. */
#define WAIT_FOR(r, h, cond)                                                                       \
    do {                                                                                           \
        tr_usec wait_end = tr_clock_now() + WAIT_US;                                               \
        while (host_turn(h), take_events(r), !(cond) && tr_clock_now() < wait_end)                 \
            tr_clock_sleep(TR_MSEC);                                                               \
        CHECK(cond);                                                                               \
    } while (0)

/* --- packets: the number of the packet is the end of its payload --- */

struct packet {
    uint16_t seq;
    uint32_t ts, ssrc, number;
    uint8_t pt;
    bool keyframe, video;
    uint8_t level; /* audio: a level extension with id 1; 0: none */
    size_t len;
};

size_t put_packet(const struct packet *k, uint8_t *p); /* p: 1500 bytes */
void send_bytes(struct host *h, const struct tr_addr *to, const void *p, size_t n);
void send_packet(struct host *h, const struct tr_addr *to, const struct packet *k);
void send_audio(struct host *h, const struct tr_addr *to, uint16_t seq, uint32_t ssrc);
void send_video(struct host *h, const struct tr_addr *to, uint16_t seq, uint32_t ssrc,
                bool keyframe);
/* All that came is one stream: numbers without gaps or steps back. */
bool is_continuous(const struct host *h);

/* --- plain peers --- */

void fill_tracks(struct tr_track_conf *t, int layers); /* TRACKS of them */
struct tr_media_port port_for(int mline, int layer, bool rtcp);
/* Audio on a port, each video layer on one, and RTCP for the video on the last. */
tr_id open_source(struct rig *r, int layers, struct tr_addr *locals);
/* A source of this port alone. */
tr_id open_port(struct rig *r, const struct tr_media_port *port, struct tr_addr *local);
struct tr_forward_conf forward_to(const struct host *h);
tr_id forward(struct rig *r, tr_id peer, int mline, const struct tr_forward_conf *conf);
struct tr_media_counters counters(struct rig *r);
/* How many were dropped for this cause, once there are so many, or after WAIT_US. */
uint64_t dropped(struct rig *r, enum tr_drop cause, uint64_t least);

#endif

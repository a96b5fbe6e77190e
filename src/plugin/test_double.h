/* A stage for the tests of plugins: the real gateway core and the real SDP side of PeerConnections,
 * with doubles for the media engine (media/media.h) and the recorder (record/recorder.h) that write
 * down what they are asked for, and phones, which are clients with a session and a handle. */
#ifndef TR_TEST_DOUBLE_H
#define TR_TEST_DOUBLE_H

#include "base/rng.h"
#include "gateway/gateway.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "media/data.h"
#include "media/forward.h"
#include "media/plain.h"
#include "record/meta.h"

/* --- media engine and recorder --- */

enum { DOUBLE_PEERS = 64, DOUBLE_ROUTES = 128, DOUBLE_RECORDINGS = 16, DOUBLE_FORWARDS = 96 };

struct double_peer {
    tr_id id;
    bool live, remote;
    int restarts;
    uint32_t bitrate;
    struct tr_talk_conf talk; /* the last wish */
    int tracks;
    struct tr_data_conf data; /* port 0: no data channels */
};

struct double_route {
    tr_id id;
    bool live;
    struct tr_media_end source, sink;
    struct tr_route_conf conf;
};

struct double_data_route {
    tr_id id;
    bool live;
    tr_id from, to;
    bool paused, patient;
    char label[TR_DATA_NAME_MAX + 1], prefix[TR_DATA_PREFIX_MAX + 1];
};

struct double_forward {
    tr_id id;
    bool live, paused;
    struct tr_media_end source;
    struct tr_forward_conf conf;
    char host[TR_FORWARD_HOST_MAX + 1];
};

struct double_recording {
    tr_id id;
    bool live;
    char plugin[64], name[256];
    int tracks, untracked;
    struct tr_meta last; /* of the last track */
};

struct double_engine { /* reset by stage_up */
    struct double_peer peers[DOUBLE_PEERS];
    struct double_route routes[DOUBLE_ROUTES];
    struct double_data_route data_routes[DOUBLE_ROUTES];
    struct double_recording recordings[DOUBLE_RECORDINGS];
    struct double_forward forwards[DOUBLE_FORWARDS];
    struct tr_media_plain_conf plain; /* of the last plain peer; its pointers are dead */
    struct tr_track_conf plain_tracks[TR_PEER_TRACKS_MAX];
    struct tr_media_port plain_ports[TR_PLAIN_PORTS_MAX];
    int peer_count, route_count, data_route_count, recording_count, forward_count;
    int keyframes;
    bool refuse_peers, refuse_tracks, refuse_recordings;
    enum tr_err refuse_forwards; /* OK: not refused */
};
extern struct double_engine engine;

int engine_peers(void); /* that live */
int engine_routes(void);
int engine_recordings(void);
int engine_forwards(void);
struct double_peer *engine_peer(tr_id id); /* NULL when it never was */
/* The route that lives from one handle's m-line to another's; NULL: none. */
const struct double_route *engine_route(const struct tr_handle *from, const struct tr_handle *to,
                                        int mline);
const struct double_data_route *engine_data_route(const struct tr_handle *from,
                                                  const struct tr_handle *to); /* NULL: none */

/* --- the stage --- */

enum { STAGE_PHONES = 16, PHONE_MESSAGES = 64, STAGE_TEXT = 8192 };

struct phone {
    struct tr_client client;
    struct stage *stage;
    uint64_t session, id;
    struct tr_handle *handle; /* NULL when it has gone */
    json_t *got[PHONE_MESSAGES];
    int count;
    char text[STAGE_TEXT]; /* of phone_told */
    char error[512];       /* text of the last plugin error that phone_told met */
    const char *svc;       /* JSON for "svc" in the jsep of what is sent; NULL: none */
    char *sdp;             /* of the last jsep that phone_told met; NULL: none yet */
};

struct stage {
    struct tr_rng rng;
    struct tr_pc_services pc;
    struct tr_gateway *gw;
    struct tr_plugin *plugin; /* the gateway's */
    tr_usec now;
    struct phone phones[STAGE_PHONES];
    int phone_count;
};

/* plugin: taken; NULL (memory) makes it NOMEM. */
TR_MUST_USE enum tr_err stage_up(struct stage *stage, struct tr_plugin *plugin);
void stage_down(struct stage *stage);
void stage_sleep(struct stage *stage, tr_usec us); /* runs the timers on the way */
/* A phone with a session of its own; with: a phone whose session it shares, or NULL. handle is NULL
 * when memory was out. */
struct phone *stage_phone(struct stage *stage, const char *package, struct phone *with);
/* What the media engine says about a phone's PeerConnection. */
void stage_media(struct stage *stage, struct tr_media_event event, const struct phone *phone);

/* Sends a message with this body (single quotes for double ones), transaction "t", and a jsep:
 * type NULL: none. sdp: text. e2ee: the flag of the jsep. */
void phone_say(struct phone *phone, const char *body);
void phone_send(struct phone *phone, const char *body, const char *type, const char *sdp,
                bool e2ee);
void phone_verb(struct phone *phone, const char *verb); /* "hangup", "detach", or "destroy" */
void phone_trickle(struct phone *phone, const char *candidate);
/* All that came since the last time, in order, e.g.
 *   "ack; #t {'result':{'event':'calling'}}; #t error 482; {...} +offer e2ee; hangup Close PC"
 * "#t": with the transaction. The tag "videocall":"event" is checked and left out. */
const char *phone_told(struct phone *phone);
json_t *phone_query(const struct phone *phone); /* plugin_specific of handle_info; new reference */

/* A browser's offer from test/corpus/sdp; "" when it is not there. */
const char *fixture(const char *name);
/* The text with every `from` replaced. */
const char *replaced(const char *text, const char *from, const char *to);
/* What a browser answers to the offer that the phone got last. */
const char *phone_answer(const struct phone *phone);

#endif

/* Doubles for the tests of the API core: PeerConnections (pc.h) and the media engine's queries that
 * do nothing but remember, and a client and a plugin that write down what happens to them. */
#ifndef TR_TEST_FAKE_PC_H
#define TR_TEST_FAKE_PC_H

#include "base/rng.h"
#include "gateway/gateway.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"

/* --- pc and media --- */

struct fake_pc_log { /* of all handles; reset by rig_create */
    int created, destroyed, closed, trickled;
    const char *close_reason;
    int queries;
    uint64_t query_cookie;
    tr_id query_peer;
};
extern struct fake_pc_log fake_pc;

/* A PeerConnection comes to be on the handle, as it does when a plugin answers an offer. */
bool fake_pc_try_up(struct tr_handle *handle, tr_id peer); /* false: another has this peer */
void fake_pc_up(struct tr_handle *handle, tr_id peer);
/* jsep.sdp "bad" is 465; candidates: {} is 456, {"completed":true} and null are fine. */

/* --- a client --- */

enum { FAKE_CLIENT_MAX = 64 };

struct fake_client {
    struct tr_client client;
    int count;
    json_t *got[FAKE_CLIENT_MAX];
};

void fake_client_init(struct fake_client *c, bool polls, bool admin);
void fake_client_clear(struct fake_client *c); /* frees what was got */
/* The i-th message, NULL when there is none; -1: the last. */
const json_t *fake_got(const struct fake_client *c, int i);
/* Text or number at a path such as "error.code" or "data.id". */
const char *fake_text(const json_t *message, const char *path);
json_int_t fake_int(const json_t *message, const char *path);
const json_t *fake_at(const json_t *message, const char *path);

/* --- a plugin: rows "now" (sync), "later" (async), "mute" (silent), "bye" (closes its pc) --- */

struct fake_plugin {
    struct tr_plugin plugin;
    int attached, detached, ups, downs, slow, layers, destroyed;
    const char *down_reason;
    bool refuse_attach;
    bool in_call, reentered;
};

extern const struct tr_plugin_ops fake_both_ops;   /* janus.plugin.both: sync and async rows */
extern const struct tr_plugin_ops fake_async_ops;  /* janus.plugin.async: async rows alone */
extern const struct tr_plugin_ops fake_single_ops; /* janus.plugin.single: one form of message */

/* --- the whole --- */

struct rig {
    struct tr_rng rng;
    struct tr_pc_services pc;
    struct tr_gateway *gw;
    struct fake_plugin both, async, single;
    struct fake_client ws, ws2, http, admin;
    tr_usec now;
    int64_t unix_us; /* at now 0 */
};

/* conf NULL: defaults with a session timeout of 60 s and the Admin secret "boss". */
enum tr_err rig_create(struct rig *rig, const struct tr_gateway_conf *conf);
void rig_destroy(struct rig *rig);
/* Sends text with single quotes for double ones, ids in the body; the first message back. */
const json_t *rig_say(struct rig *rig, struct fake_client *client, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with ids in the path. */
const json_t *rig_post(struct rig *rig, struct fake_client *client, uint64_t session,
                       uint64_t handle, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
uint64_t rig_session(struct rig *rig, struct fake_client *client);
uint64_t rig_handle(struct rig *rig, struct fake_client *client, uint64_t session,
                    const char *package);
void rig_sleep(struct rig *rig, tr_usec us); /* runs all timers on the way */
#endif

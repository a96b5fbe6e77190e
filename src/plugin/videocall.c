/* Calls between two users. A user is a handle with a name; a call joins two users from "call" to
 * "hangup". Each side has a PeerConnection of its own with the server; the SDP of one side is
 * the model for the other's (pc.h: offer_from, answer_from), and the media is two relays.
 *
 *   caller              server               callee
 *   call + offer   ->   keep_offer, offer_from   ->   incomingcall + offer
 *                       accept_answer            <-   accept + answer
 *   accepted + answer <- answer_from, wire both ways
 *
 * What one side asks for by "set": whether its media is passed on, how much it may send, and
 * which simulcast layers it wants to get. */
#include "plugin/videocall.h"

#include <string.h>

#include <openssl/sha.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "gateway/gateway.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "plugin/relay.h"
#include "plugin/side_record.h"

enum videocall_error {
    VC_UNKNOWN_ERROR = 499,
    VC_NO_MESSAGE = 470,
    VC_INVALID_JSON = 471,
    VC_INVALID_REQUEST = 472,
    VC_REGISTER_FIRST = 473,
    VC_INVALID_ELEMENT = 474,
    VC_MISSING_ELEMENT = 475,
    VC_USERNAME_TAKEN = 476,
    VC_ALREADY_REGISTERED = 477,
    VC_NO_SUCH_USERNAME = 478,
    VC_USE_ECHO_TEST = 479,
    VC_ALREADY_IN_CALL = 480,
    VC_NO_CALL = 481,
    VC_MISSING_SDP = 482,
    VC_INVALID_SDP = 483,
};

enum { REASON_MAX = 256, MAP_SEED = 0x7472, KEY_BYTES = 33 };
#define ANSWER_US (10 * TR_SECOND) /* an offer that waits longer does not bar another */

#define VC_PACKAGE "janus.plugin.videocall"
#define REMOTE_HANGUP "Remote WebRTC hangup"

struct user {
    struct tr_handle *handle;
    char name[TR_VIDEOCALL_NAME_MAX]; /* "": not registered */
    struct user *peer;                /* in a call, from the ringing on */
    bool caller;
    bool answered;
    tr_usec asked_us; /* since when an offer of the peer waits for this side's answer; 0: none */
    uint64_t call;
    struct tr_relay_wishes wishes;
    struct tr_relay relay;         /* what this side sends, to the peer */
    struct tr_relay_layers layers; /* of what it gets */
    struct tr_side_record record;
};

struct videocall {
    struct tr_plugin plugin;
    struct tr_call_observer observer;
    struct tr_recorder *recorder;
    struct tr_map *users; /* name -> user */
    uint64_t next_call;
};

static struct videocall *self(struct tr_plugin *plugin)
{
    return (struct videocall *)plugin;
}

/* {"videocall":"event","result":{"event":name,...}}; extra: taken, may be NULL. */
static void tell(struct tr_handle *handle, const char *transaction, const char *name, json_t *extra,
                 json_t *jsep)
{
    json_t *result = extra ? extra : json_object();
    json_object_set_new(result, "event", json_string(name));
    tr_handle_event(handle, transaction, json_pack("{s:o}", "result", result), jsep);
}

static json_t *with_username(const char *username)
{
    return json_pack("{s:s}", "username", username);
}

/* who: "" has no name to tell. */
static json_t *with_reason(const char *who, const char *reason)
{
    json_t *extra = json_pack("{s:s}", "reason", reason);
    if (who[0])
        json_object_set_new(extra, "username", json_string(who));
    return extra;
}

static void error(const struct tr_msg *msg, int code, const char *text)
{
    tr_handle_error(msg->handle, msg->transaction, code, "%s", text);
}

/* --- the observer --- */

static void parties(const struct user *u, struct tr_call_party party[2])
{
    const struct user *caller = u->caller ? u : u->peer;
    const struct user *callee = caller->peer;
    party[0] = (struct tr_call_party){ .username = caller->name, .handle = caller->handle };
    party[1] = (struct tr_call_party){ .username = callee->name, .handle = callee->handle };
}

static void observe_ringing(const struct videocall *p, const struct user *u, tr_usec now)
{
    struct tr_call_party party[2];
    parties(u, party);
    if (p->observer.ringing)
        p->observer.ringing(p->observer.arg, u->call, party, now);
}

static void observe_answered(const struct videocall *p, const struct user *u, tr_usec now)
{
    struct tr_call_party party[2];
    parties(u, party);
    if (p->observer.answered)
        p->observer.answered(p->observer.arg, u->call, party, now);
}

static void observe_ended(const struct videocall *p, uint64_t call, const char *reason, tr_usec now)
{
    if (p->observer.ended)
        p->observer.ended(p->observer.arg, call, reason, now);
}

/* --- media --- */

static void wire(struct user *from)
{
    tr_relay_wire(&from->relay, tr_pc_media(from->handle), from->handle, from->peer->handle,
                  &from->wishes, &from->peer->wishes);
    tr_relay_wire_data(&from->relay, tr_pc_media(from->handle), from->handle, from->peer->handle,
                       NULL);
}

static void record(const struct videocall *p, struct user *u, tr_usec now)
{
    tr_side_record_update(&u->record, p->recorder, u->handle, VC_PACKAGE, u->name, now);
}

static void wire_both(const struct videocall *p, struct user *u, tr_usec now)
{
    wire(u);
    wire(u->peer);
    record(p, u, now);
    record(p, u->peer, now);
    observe_answered(p, u, now);
}

static void leave_call(const struct videocall *p, struct user *u, tr_usec now)
{
    tr_relay_unwire(&u->relay, tr_pc_media(u->handle));
    tr_side_record_stop(&u->record, p->recorder, now);
    tr_relay_layers_reset(&u->layers);
    u->wishes = tr_relay_wishes_default();
    u->peer = NULL;
    u->answered = u->caller = false;
    u->asked_us = 0;
    u->call = 0;
}

/* Both sides leave; the other one is told and its PeerConnection closed. */
static void end_call(const struct videocall *p, struct user *u, const char *reason, tr_usec now)
{
    struct user *peer = u->peer;
    uint64_t call = u->call;
    if (!peer)
        return;
    leave_call(p, u, now);
    leave_call(p, peer, now);
    tell(peer->handle, NULL, "hangup", with_reason(u->name, reason), NULL);
    observe_ended(p, call, reason, now);
    tr_handle_close_pc(peer->handle, now);
}

/* --- requests --- */

static const struct tr_field username_fields[] = {
    { "username", TR_FIELD_STRING, true },
    { NULL, TR_FIELD_BOOL, false },
};

/* All names, as far as an event has room for them. */
static json_t *list_users(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    json_t *list = json_array();
    uint32_t cursor = 0;
    struct tr_slice key;
    void *value;
    while (json_array_size(list) < TR_VIDEOCALL_LIST_MAX &&
           tr_map_next(self(plugin)->users, &cursor, &key, &value))
        json_array_append_new(list, json_string(((const struct user *)value)->name));
    tr_handle_event(msg->handle, msg->transaction, json_pack("{s:{s:o}}", "result", "list", list),
                    NULL);
    return NULL;
}

/* Map keys are short; a longer name is known by a digest of itself, behind a byte that no name
 * has. */
static struct tr_slice name_key(const char *name, uint8_t digest[KEY_BYTES])
{
    size_t n = strlen(name);
    if (n <= TR_MAP_KEY_MAX)
        return tr_slice(name, n);
    digest[0] = 0xff;
    SHA256((const unsigned char *)name, n, digest + 1);
    return tr_slice(digest, KEY_BYTES);
}

static struct user *find_user(const struct videocall *p, const char *name)
{
    uint8_t digest[KEY_BYTES];
    return tr_map_get(p->users, name_key(name, digest));
}

static json_t *register_user(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct videocall *p = self(plugin);
    struct user *u = tr_handle_user(msg->handle);
    const char *name = json_string_value(json_object_get(msg->body, "username"));
    uint8_t digest[KEY_BYTES];
    if (u->name[0]) {
        tr_handle_error(msg->handle, msg->transaction, VC_ALREADY_REGISTERED,
                        "Already registered (%s)", u->name);
        return NULL;
    }
    if (!name[0] || strlen(name) >= sizeof u->name) {
        tr_handle_error(msg->handle, msg->transaction, VC_INVALID_ELEMENT,
                        "Invalid element (username should have 1 to %d bytes)",
                        TR_VIDEOCALL_NAME_MAX - 1);
        return NULL;
    }
    enum tr_err err = tr_map_add(p->users, name_key(name, digest), u);
    if (err != TR_OK) {
        int code = err == TR_ERR_EXISTS ? VC_USERNAME_TAKEN : VC_UNKNOWN_ERROR;
        tr_handle_error(
            msg->handle, msg->transaction, code,
            err == TR_ERR_EXISTS ? "Username '%s' already taken" : "Too many users for '%s'", name);
        return NULL;
    }
    memcpy(u->name, name, strlen(name) + 1);
    tell(msg->handle, msg->transaction, "registered", with_username(u->name), NULL);
    return NULL;
}

/* A refused call also ends the PeerConnection that the client has begun. */
static json_t *refuse(const struct tr_msg *msg, int code, const char *text)
{
    error(msg, code, text);
    tr_handle_close_pc(msg->handle, msg->now);
    return NULL;
}

static json_t *tell_busy(const struct tr_msg *msg, const struct user *u)
{
    tell(msg->handle, msg->transaction, "hangup", with_reason(u->name, "User busy"), NULL);
    tr_handle_close_pc(msg->handle, msg->now);
    return NULL;
}

/* Passes the offer that is kept on u to its peer, as the jsep of an event that the caller tells. */
static enum tr_err pass_offer(const struct tr_msg *msg, struct tr_handle *to, json_t **jsep)
{
    enum tr_err err = tr_pc_offer_from(to, msg->handle, msg->now, jsep);
    if (err == TR_OK && msg->jsep->e2ee)
        json_object_set_new(*jsep, "e2ee", json_true());
    if (err == TR_OK)
        return TR_OK;
    json_decref(*jsep);
    *jsep = NULL;
    return err;
}

static json_t *start_call(struct videocall *p, const struct tr_msg *msg, struct user *u,
                          struct user *callee)
{
    json_t *jsep = NULL;
    if (pass_offer(msg, callee->handle, &jsep) != TR_OK) {
        /* what was begun for the callee goes unheard: it has not been told of anything */
        tr_pc_close(tr_handle_pc(callee->handle), "Close PC", msg->now);
        return refuse(msg, VC_INVALID_SDP, "The offer could not be relayed");
    }
    u->peer = callee;
    callee->peer = u;
    u->caller = true;
    callee->asked_us = msg->now;
    u->call = callee->call = ++p->next_call;
    tell(callee->handle, NULL, "incomingcall", with_username(u->name), jsep);
    tell(msg->handle, msg->transaction, "calling", NULL, NULL);
    observe_ringing(p, u, msg->now);
    return NULL;
}

/* Its fields are checked here rather than by the table, because their errors end the PeerConnection
 * as well; so the offer is kept first, and there is one to end. */
static json_t *call_user(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct videocall *p = self(plugin);
    struct user *u = tr_handle_user(msg->handle);
    char reason[TR_REASON_MAX];
    bool offers = msg->jsep && msg->jsep->offer;
    enum tr_err kept = offers ? tr_pc_keep_offer(msg->handle, msg->jsep) : TR_OK;
    if (!u->name[0])
        return refuse(msg, VC_REGISTER_FIRST, "Register a username first");
    if (u->peer)
        return refuse(msg, VC_ALREADY_IN_CALL, "Already in a call");
    enum tr_schema_result fields = tr_schema_check(msg->body, username_fields, reason);
    if (fields != TR_SCHEMA_OK)
        return refuse(msg, fields == TR_SCHEMA_TYPE ? VC_INVALID_ELEMENT : VC_MISSING_ELEMENT,
                      reason);
    const char *name = json_string_value(json_object_get(msg->body, "username"));
    struct user *callee = find_user(p, name);
    if (callee == u)
        return refuse(msg, VC_USE_ECHO_TEST, "You can't call yourself: use the EchoTest for that");
    if (!callee)
        return refuse(msg, VC_NO_SUCH_USERNAME, "No user has this username");
    if (callee->peer)
        return tell_busy(msg, u);
    if (!msg->jsep)
        return refuse(msg, VC_MISSING_SDP, "Missing SDP");
    if (!offers || kept != TR_OK)
        return refuse(msg, VC_INVALID_SDP, "A call needs an offer that can be used");
    return start_call(p, msg, u, callee);
}

/* The answer of one side becomes the answer to the other; false: the error was told. */
static bool pass_answer(const struct tr_msg *msg, struct user *u, json_t **jsep)
{
    enum tr_err err = u->asked_us ? TR_OK : TR_ERR_PROTO;
    u->asked_us = 0;
    if (err == TR_OK)
        err = tr_pc_accept_answer(msg->handle, msg->jsep, msg->now);
    if (err == TR_OK)
        err = tr_pc_answer_from(u->peer->handle, msg->handle, msg->now, jsep);
    if (err == TR_OK && msg->jsep->e2ee)
        json_object_set_new(*jsep, "e2ee", json_true());
    if (err != TR_OK) {
        json_decref(*jsep);
        *jsep = NULL;
        tr_handle_error(msg->handle, msg->transaction, VC_INVALID_SDP,
                        "Error relaying the answer: %s", tr_err_str(err));
    }
    return err == TR_OK;
}

static json_t *accept_call(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct user *u = tr_handle_user(msg->handle);
    json_t *jsep = NULL;
    if (!u->peer || u->caller || u->answered) {
        error(msg, VC_NO_CALL, "No incoming call to accept");
        return NULL;
    }
    if (!msg->jsep) {
        error(msg, VC_MISSING_SDP, "Missing SDP");
        return NULL;
    }
    if (msg->jsep->offer) {
        error(msg, VC_INVALID_SDP, "An accept needs an answer");
        return NULL;
    }
    if (!pass_answer(msg, u, &jsep)) { /* there is no second answer: the caller must not wait */
        end_call(self(plugin), u, "The answer could not be used", msg->now);
        tr_handle_close_pc(msg->handle, msg->now);
        return NULL;
    }
    u->answered = u->peer->answered = true;
    tell(u->peer->handle, NULL, "accepted", with_username(u->name), jsep);
    tell(msg->handle, msg->transaction, "accepted", NULL, NULL);
    wire_both(self(plugin), u, msg->now);
    return NULL;
}

/* Offers of both sides may cross. Then the caller's stands: the callee's is refused when it is the
 * second, and forgotten when it was the first. Clients that negotiate perfectly (RFC 8829) have the
 * callee as the polite side. */
static bool crosses(const struct user *u, tr_usec now)
{
    return !u->caller && u->asked_us && now - u->asked_us < ANSWER_US;
}

static bool pass_update(const struct tr_msg *msg, struct user *u, json_t **jsep)
{
    if (crosses(u, msg->now)) {
        error(msg, VC_INVALID_SDP, "An offer of the other side waits for an answer");
        return false;
    }
    enum tr_err err = tr_pc_keep_offer(msg->handle, msg->jsep);
    if (err == TR_OK)
        err = pass_offer(msg, u->peer->handle, jsep);
    if (err != TR_OK) {
        tr_handle_error(msg->handle, msg->transaction, VC_INVALID_SDP,
                        "Error relaying the offer: %s", tr_err_str(err));
        return false;
    }
    u->asked_us = 0;
    u->peer->asked_us = msg->now;
    return true;
}

/* A renegotiation goes through to the other side; false: the error was told. */
static bool renegotiate(const struct videocall *p, const struct tr_msg *msg, struct user *u)
{
    json_t *jsep = NULL;
    if (!u->peer || !u->answered) {
        error(msg, VC_NO_CALL, "Not in a call");
        return false;
    }
    if (msg->jsep->offer ? !pass_update(msg, u, &jsep) : !pass_answer(msg, u, &jsep))
        return false;
    if (!msg->jsep->offer)
        wire_both(p, u, msg->now);
    tell(u->peer->handle, NULL, "update", NULL, jsep);
    return true;
}

static json_t *set_media(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct videocall *p = self(plugin);
    struct user *u = tr_handle_user(msg->handle);
    struct tr_relay_wishes wishes = u->wishes;
    const char *field;
    if (tr_relay_wishes_read(&wishes, msg->body, &field) != TR_OK) {
        tr_handle_error(msg->handle, msg->transaction, VC_INVALID_ELEMENT,
                        "Invalid value (%s should be 0, 1 or 2)", field);
        return NULL;
    }
    u->wishes = wishes;
    tr_side_record_read(&u->record, p->recorder, msg->body, msg->now);
    if (u->answered) {
        wire(u);
        wire(u->peer);
        record(p, u, msg->now);
    }
    json_t *layers = tr_relay_layers_asked(&u->layers, msg->handle, msg->body);
    if (layers)
        tell(msg->handle, NULL, "simulcast", layers, NULL);
    if (msg->jsep && !renegotiate(p, msg, u))
        return NULL;
    tell(msg->handle, msg->transaction, "set", NULL, NULL);
    return NULL;
}

static json_t *hang_up(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct user *u = tr_handle_user(msg->handle);
    const char *reason = json_string_value(json_object_get(msg->body, "reason"));
    char kept[REASON_MAX];
    tr_utf8_copy(kept, sizeof kept, reason ? reason : "We did the hangup");
    tell(msg->handle, msg->transaction, "hangup", with_reason(u->name, "Explicit hangup"), NULL);
    end_call(self(plugin), u, kept, msg->now);
    tr_handle_close_pc(msg->handle, msg->now);
    return NULL;
}

/* --- life of a handle --- */

static enum tr_err attach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    (void)plugin, (void)now;
    struct user *u = tr_alloc(sizeof *u);
    if (!u)
        return TR_ERR_NOMEM;
    u->handle = handle;
    u->wishes = tr_relay_wishes_default();
    tr_relay_layers_reset(&u->layers);
    tr_handle_set_user(handle, u);
    return TR_OK;
}

static void detach(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now)
{
    struct user *u = tr_handle_user(handle);
    uint8_t digest[KEY_BYTES];
    end_call(self(plugin), u, REMOTE_HANGUP, now);
    tr_side_record_stop(&u->record, self(plugin)->recorder, now);
    if (u->name[0])
        tr_map_remove(self(plugin)->users, name_key(u->name, digest));
    tr_handle_set_user(handle, NULL);
    tr_free(u);
}

static void pc_down(struct tr_plugin *plugin, struct tr_handle *handle, const char *reason,
                    tr_usec now)
{
    (void)reason;
    end_call(self(plugin), tr_handle_user(handle), REMOTE_HANGUP, now);
}

static void layer(struct tr_plugin *plugin, struct tr_handle *handle, int mline, int substream,
                  int temporal, tr_usec now)
{
    (void)plugin, (void)now;
    struct user *u = tr_handle_user(handle);
    tell(handle, NULL, "simulcast",
         tr_relay_layers_changed(&u->layers, handle, mline, substream, temporal), NULL);
}

static void slow_link(struct tr_plugin *plugin, struct tr_handle *handle, int mline, bool uplink,
                      uint32_t lost, tr_usec now)
{
    (void)plugin, (void)lost, (void)now;
    const struct user *u = tr_handle_user(handle);
    const struct tr_sdp_media_params *p = tr_pc_mline(handle, mline);
    if (!uplink || !p)
        return;
    tell(handle, NULL, "slow_link",
         json_pack("{s:s,s:i}", "media", p->kind == TR_SDP_VIDEO ? "video" : "audio",
                   "current-bitrate", (int)u->wishes.bitrate),
         NULL);
}

static json_t *query(struct tr_plugin *plugin, struct tr_handle *handle)
{
    (void)plugin;
    const struct user *u = tr_handle_user(handle);
    json_t *out = json_pack("{s:s,s:b,s:b,s:b,s:i,s:i,s:i,s:b}", "state",
                            u->answered ? "incall"
                            : u->peer   ? "ringing"
                                        : "idle",
                            "in_call", u->peer != NULL, "audio_active", u->wishes.audio,
                            "video_active", u->wishes.video, "bitrate", (int)u->wishes.bitrate,
                            "substream-target", u->wishes.substream, "temporal-layer-target",
                            u->wishes.temporal, "recording", u->record.recording != 0);
    json_object_set_new(out, "username", u->name[0] ? json_string(u->name) : json_null());
    json_object_set_new(out, "peer", u->peer ? json_string(u->peer->name) : json_null());
    return out;
}

static void destroy(struct tr_plugin *plugin)
{
    tr_map_destroy(self(plugin)->users);
    tr_free(plugin);
}

static const struct tr_field set_fields[] = {
    { "audio", TR_FIELD_BOOL, false },      { "video", TR_FIELD_BOOL, false },
    { "bitrate", TR_FIELD_UINT, false },    { "record", TR_FIELD_BOOL, false },
    { "filename", TR_FIELD_STRING, false }, { "restart", TR_FIELD_BOOL, false },
    { "substream", TR_FIELD_UINT, false },  { "temporal", TR_FIELD_UINT, false },
    { "fallback", TR_FIELD_UINT, false },   { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_field hangup_fields[] = {
    { "reason", TR_FIELD_STRING, false },
    { NULL, TR_FIELD_BOOL, false },
};

static const struct tr_plugin_request requests[] = {
    { "list", false, NULL, list_users },
    { "register", false, username_fields, register_user },
    { "call", false, NULL, call_user },
    { "accept", false, NULL, accept_call },
    { "set", false, set_fields, set_media },
    { "hangup", false, hangup_fields, hang_up },
    { NULL, false, NULL, NULL },
};

static const struct tr_plugin_ops ops = {
    .package = VC_PACKAGE,
    .tag = "videocall",
    .name = "VideoCall",
    .description = "Audio and video calls between two users, through the server.",
    .author = "Tring",
    .version_string = "0.1.0",
    .version = 1,
    .requests = requests,
    .errors = {
        .no_message = VC_NO_MESSAGE,
        .invalid_json = VC_INVALID_JSON,
        .invalid_request = VC_INVALID_REQUEST,
        .missing_element = VC_MISSING_ELEMENT,
        .invalid_element = VC_INVALID_ELEMENT,
        .invalid_sdp = VC_INVALID_SDP,
    },
    .attach = attach,
    .detach = detach,
    .pc_down = pc_down,
    .layer = layer,
    .slow_link = slow_link,
    .query = query,
    .destroy = destroy,
};

struct tr_plugin *tr_videocall_create(const struct tr_call_observer *observer,
                                      struct tr_recorder *recorder)
{
    struct videocall *p = tr_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->plugin.ops = &ops;
    p->recorder = recorder;
    if (observer)
        p->observer = *observer;
    p->users = tr_map_create(TR_VIDEOCALL_USERS_MAX, MAP_SEED ^ (uint64_t)(uintptr_t)p);
    if (!p->users) {
        tr_free(p);
        return NULL;
    }
    return &p->plugin;
}

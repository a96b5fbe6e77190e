/* What a plugin is, and the services that it gets. All of it runs on the control thread; nothing
 * here blocks. A plugin never touches a packet: it answers requests and wires media (pc.h,
 * media/media.h).
 *
 * Life of a handle: attach -> (message | pc_up | media | slow_link | pc_down)* -> detach. */
#ifndef TR_PLUGIN_H
#define TR_PLUGIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "gateway/request.h"

struct tr_gateway;
struct tr_handle;
struct tr_jsep; /* pc.h */
struct tr_media;
struct tr_plugin;

/* One message of a client on a handle; valid only during the call. To answer later, keep the
 * handle's id and a copy of the transaction. */
struct tr_msg {
    struct tr_gateway *gw;
    struct tr_handle *handle;
    const char *transaction;
    json_t *body;               /* an object, borrowed; the row's fields were checked */
    const struct tr_jsep *jsep; /* parsed, borrowed; NULL when the message has none */
    tr_usec now;
};

/* A request of a plugin. A synchronous one returns the data (a new reference) that is sent as
 * "success"; an asynchronous one has been acknowledged already, returns NULL, and answers by
 * tr_handle_event, now or later. */
struct tr_plugin_request {
    const char *name; /* value of body.request, compared without case; NULL ends the table */
    bool sync;
    const struct tr_field *fields;
    json_t *(*handle)(struct tr_plugin *plugin, const struct tr_msg *msg);
};

/* The plugin's own numbers for what the core finds out about a message. */
struct tr_plugin_errors {
    int no_message;      /* body missing */
    int invalid_json;    /* body is not an object */
    int invalid_request; /* unknown value of body.request */
    int missing_element;
    int invalid_element;
    int invalid_sdp;
};

struct tr_plugin_ops {
    const char *package; /* "janus.plugin.echotest" */
    const char *tag;     /* key of plugindata.data: "echotest" */
    const char *name;
    const char *description;
    const char *author;
    const char *version_string;
    int version;
    /* rows; when single_request is set, rows[0] takes every message (no body.request) */
    const struct tr_plugin_request *requests;
    bool single_request;
    struct tr_plugin_errors errors;
    enum tr_err (*attach)(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now);
    void (*detach)(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now);
    void (*pc_up)(struct tr_plugin *plugin, struct tr_handle *handle, tr_usec now);
    /* the PeerConnection ended (any cause); the handle lives. Called once for each one. */
    void (*pc_down)(struct tr_plugin *plugin, struct tr_handle *handle, const char *reason,
                    tr_usec now);
    /* loss above the threshold; uplink: what the client sends. May be NULL. */
    void (*slow_link)(struct tr_plugin *plugin, struct tr_handle *handle, int mline, bool uplink,
                      uint32_t lost, tr_usec now);
    /* a simulcast layer change of what this handle receives; -1: unchanged. May be NULL. */
    void (*layer)(struct tr_plugin *plugin, struct tr_handle *handle, int mline, int substream,
                  int temporal, tr_usec now);
    /* what the client says has become talk (on), or silence; level: average, 0 (loud) to 127. May
     * be NULL. */
    void (*talking)(struct tr_plugin *plugin, struct tr_handle *handle, int mline, bool on,
                    int level, tr_usec now);
    json_t *(*query)(struct tr_plugin *plugin,
                     struct tr_handle *handle); /* plugin_specific; new ref */
    /* Admin API message_plugin: the answer (new reference). NULL: not supported. */
    json_t *(*admin)(struct tr_plugin *plugin, json_t *request, tr_usec now);
    /* When the plugin has something to do (absolute; TR_NEVER), and what it does then; both NULL:
     * never. */
    tr_usec (*next_timeout)(const struct tr_plugin *plugin);
    void (*timeout)(struct tr_plugin *plugin, tr_usec now);
    void (*destroy)(struct tr_plugin *plugin);
};

/* A plugin embeds this first. gw is set when it is registered. */
struct tr_plugin {
    const struct tr_plugin_ops *ops;
    struct tr_gateway *gw;
};

/* The gateway owns the plugin from here on and destroys it with itself. */
TR_MUST_USE enum tr_err tr_gateway_add_plugin(struct tr_gateway *gw, struct tr_plugin *plugin);

/* Of the server; for what belongs to no handle. */
struct tr_media *tr_gateway_media(const struct tr_gateway *gw);

/* --- services on a handle --- */

uint64_t tr_handle_id(const struct tr_handle *handle);
uint64_t tr_handle_session_id(const struct tr_handle *handle);
const char *tr_handle_opaque_id(const struct tr_handle *handle); /* NULL when none */
/* NULL when the handle has gone. */
struct tr_handle *tr_handle_find(struct tr_gateway *gw, uint64_t session_id, uint64_t handle_id);
/* The plugin's own state on a handle; set in attach, freed in detach. */
void *tr_handle_user(const struct tr_handle *handle);
void tr_handle_set_user(struct tr_handle *handle, void *user);

/* Pushes an "event". transaction: of the request that it answers, or NULL for a push. data: a new
 * reference, taken; its plugin tag key ("echotest":"event") is added when missing. jsep: {type,
 * sdp} object (new reference, taken) or NULL. */
void tr_handle_event(struct tr_handle *handle, const char *transaction, json_t *data, json_t *jsep);
/* The plugin error event: {"<tag>":"event","error_code":code,"error":text}. */
void tr_handle_error(struct tr_handle *handle, const char *transaction, int code, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));
/* Closes the PeerConnection of the handle as Janus' close_pc does ("Close PC"). */
void tr_handle_close_pc(struct tr_handle *handle, tr_usec now);

#endif

/* The Janus API as a client, over WebSocket or HTTP: each connection holds one session with one
 * handle.
 * One thread: all callbacks come out of janus_service. */
#ifndef TR_JANUS_H
#define TR_JANUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct janus;      /* the library's context and all connections */
struct janus_conn; /* one session, one handle */

struct janus_hooks {
    void (*attached)(void *arg);
    /* plugin: the data of the plugin's event; jsep: NULL when there is none; both borrowed */
    void (*event)(void *arg, const json_t *plugin, const json_t *jsep);
    void (*webrtcup)(void *arg);
    void (*failed)(void *arg, const char *why); /* once; no callback follows */
};

struct janus_conf {
    const char *host, *path; /* borrowed */
    uint16_t port;
    bool http;
    const char *secret; /* "" : none */
    const char *plugin;
    const struct janus_hooks *hooks;
};

struct janus *janus_create(const struct janus_conf *conf); /* NULL when memory is out */
void janus_destroy(struct janus *janus);                   /* connections too; NULL is fine */
/* Does what is due without waiting. */
void janus_service(struct janus *janus, tr_usec now);

/* Connects, creates a session, attaches; then hooks.attached. NULL when memory is out. */
struct janus_conn *janus_connect(struct janus *janus, tr_usec now, void *arg);
/* Takes body and jsep (NULL: none). */
TR_MUST_USE enum tr_err janus_message(struct janus_conn *conn, json_t *body, json_t *jsep);
/* Ends the session politely; what is queued still goes out. */
void janus_bye(struct janus_conn *conn);

#endif

/* Inside of the Janus API client: a connection over either transport.
 *   janus.c       the protocol          janus_ws.c    over a WebSocket
 *   janus_http.c  over HTTP: a POST for each request, one after the other, and a long poll */
#ifndef TR_JANUS_INT_H
#define TR_JANUS_INT_H

#include <libwebsockets.h>

#include "tring-load/janus.h"

enum {
    JANUS_RX_MAX = 256 * 1024,
    JANUS_TX_MAX = 64 * 1024,
    JANUS_TX_QUEUE = 16,
};

enum janus_step {
    JANUS_CONNECTING,
    JANUS_CREATING,
    JANUS_ATTACHING,
    JANUS_READY,
    JANUS_LEAVING,
    JANUS_GONE
};

struct janus_out {
    json_int_t session, handle; /* of the request; 0: none */
    size_t len;
    uint8_t room[]; /* LWS_PRE bytes, then the text */
};

struct janus_text { /* what has come of one message */
    char *p;
    size_t n;
};

struct janus_link { /* one connection of the library */
    struct janus_conn *conn;
    struct lws *wsi; /* NULL: none */
    struct janus_text rx;
    bool poll;
};

struct janus_conn {
    struct janus *janus;
    struct janus_conn *next;
    void *arg;
    enum janus_step step;
    json_int_t session, handle;
    uint32_t transactions;
    tr_usec keepalive_due;
    struct janus_out *queue[JANUS_TX_QUEUE];
    int queued;
    struct janus_link link; /* the WebSocket, or the POST that runs */
    struct janus_link poll; /* HTTP only */
};

struct janus {
    struct janus_conf conf;
    struct lws_context *lws;
    struct janus_conn *conns;
};

void janus_fail(struct janus_conn *c, const char *why);
/* The transport is there: begin. */
void janus_begin(struct janus_conn *c);
void janus_take(struct janus_conn *c, const json_t *message);
struct janus_out *janus_pop(struct janus_conn *c); /* the caller frees it; NULL: empty */
/* false: too long, or memory is out. */
bool janus_text_add(struct janus_text *t, const char *in, size_t n);
/* What has come, as JSON, which empties it; NULL: it is none. */
json_t *janus_text_parse(struct janus_text *t);

/* open: false when it could not even be tried. kick: there is something in the queue. */
bool janus_ws_open(struct janus_conn *c);
void janus_ws_kick(struct janus_conn *c);
bool janus_http_open(struct janus_conn *c);
void janus_http_kick(struct janus_conn *c);
lws_callback_function janus_ws_callback, janus_http_callback;

#endif

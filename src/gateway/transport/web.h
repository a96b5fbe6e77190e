/* The control thread's loop and its HTTP and WebSocket listeners, over libwebsockets.
 *
 *   tr_web_create -> tr_routes_add on tr_web_routes ... -> tr_web_run until tr_web_stop -> destroy
 *
 * Listeners: the main port (web pages, /janus, WebSocket at / and /janus, health, whatever was
 * registered), a port for WebSocket alone, the Admin port (/admin and janus-admin-protocol); the
 * first two also with TLS when a certificate is configured.
 * All on the thread that calls tr_web_run, except tr_web_wake and tr_web_stop. */
#ifndef TR_WEB_H
#define TR_WEB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/idtab.h"
#include "base/time.h"

struct tr_dtls_cert;
struct tr_gateway;
struct tr_http;
struct tr_media;
struct tr_metrics; /* metrics.h */
struct tr_routes;
struct tr_web;

enum { TR_WEB_PROXIES_MAX = 16 };

struct tr_web_conf {        /* texts are copied by the library or at creation; ports 0: off */
    struct tr_gateway *gw;  /* borrowed */
    struct tr_media *media; /* borrowed; for /metrics; may be NULL */
    tr_usec (*clock)(void); /* monotonic */
    const char *listen;     /* address for the main ports; NULL: all */
    int port, ws_port;      /* -1: any free one (tests) */
    int tls_port, tls_ws_port;
    bool tls;                 /* has a certificate: tr_web_renew, before the first connection */
    const char *admin_listen; /* NULL: 127.0.0.1 */
    int admin_port;
    const char *base_path;    /* NULL: "/janus" */
    const char *admin_path;   /* NULL: "/admin" */
    const char *allow_origin; /* NULL, "": "*" */
    bool enforce_cors;
    uint32_t body_max;        /* of a request; 0: 256 KiB */
    uint32_t ws_message_max;  /* of one WebSocket message; 0: 256 KiB */
    uint32_t ws_queue_max;    /* bytes queued to one WebSocket before it is closed; 0: 1 MiB */
    uint32_t connections_max; /* 0: 4096; of one address at most a quarter, but for this machine
                               * and trusted proxies */
    tr_usec ping_us;          /* WebSocket ping after this silence; 0: 30 s */
    struct tr_addr proxies[TR_WEB_PROXIES_MAX]; /* whose X-Forwarded-For is believed */
    int proxy_count;
    const char *root; /* folder of the web pages; NULL: none */
    /* --- hooks, on the loop's thread --- */
    void (*woken)(void *arg, tr_usec now);     /* after tr_web_wake */
    tr_usec (*timers)(void *arg, tr_usec now); /* does what is due; returns when next (absolute) */
    void (*stopping)(void *arg, tr_usec now);  /* before the loop ends: tr_gateway_stop ... */
    const char *(*unready)(void *arg);         /* NULL: ready; else why not, for /readyz */
    void (*metrics)(void *arg, struct tr_metrics *m); /* adds lines to /metrics */
    void *arg;
};

TR_MUST_USE enum tr_err tr_web_create(struct tr_web **web, const struct tr_web_conf *conf);
void tr_web_destroy(struct tr_web *web);             /* NULL is fine */
struct tr_routes *tr_web_routes(struct tr_web *web); /* of the main port */
struct tr_routes *tr_web_admin_routes(struct tr_web *web);
/* The ports that are listened on; 0: none. */
int tr_web_port(const struct tr_web *web);
int tr_web_ws_port(const struct tr_web *web);
int tr_web_admin_port(const struct tr_web *web);
int tr_web_tls_port(const struct tr_web *web);
/* Handshakes that begin from now on show this certificate, which is not kept. NOMEM: nothing has
 * changed. */
TR_MUST_USE enum tr_err tr_web_renew(struct tr_web *web, const struct tr_dtls_cert *cert);
/* Runs until tr_web_stop, then calls `stopping` and lets queued replies out for at most 2 s. */
void tr_web_run(struct tr_web *web);
void tr_web_turn(struct tr_web *web); /* waits for something and handles it */
void tr_web_poll(struct tr_web *web); /* handles what is there */
void tr_web_wake(struct tr_web *web); /* any thread, and signal handlers' threads */
void tr_web_stop(struct tr_web *web); /* any thread */
/* A request that is still to be answered, by its id; NULL when its connection has gone. */
struct tr_http *tr_web_http(const struct tr_web *web, tr_id id);
/* Tests: serves a connected socket as if it had come in on the n-th listener. Takes fd. */
bool tr_web_adopt(struct tr_web *web, int fd, int listener);

#endif

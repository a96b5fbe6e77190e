/* A rig for tests of the listeners: the real loop on a thread of its own, on free ports of
 * loopback, with pages in a temporary folder, a few routes and the gateway over doubles; and a
 * blocking client of plain sockets. */
#ifndef TR_TEST_WEB_RIG_H
#define TR_TEST_WEB_RIG_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/test_fake_pc.h"
#include "gateway/transport/web.h"

/* Real time goes by: what is tested is a server on a thread of its own that must do nothing, or has
 * to notice something that nobody can ask it about. */
void pass_ms(unsigned ms);

/* --- the server --- */

struct server {
    struct rig rig;
    struct tr_web *web;
    pthread_t thread;
    char root[64];
    int port, ws_port, admin_port;
    tr_id later;
    _Atomic int woken;
    const struct tr_dtls_cert *_Atomic fresh; /* renews the TLS listeners when woken */
};

/* Its pages are in `root`: "/", "/ops/" and "/assets/app-1234.js" with ten bytes; its routes are
 * "/api/echo/:id", which tells what it was sent, "/api/later", answered after a wake-up, and
 * "/api/file", which is the file root/big. gw: NULL for the default. */
void server_start(struct server *s, struct tr_gateway_conf *gw, struct tr_web_conf *conf);
void server_end(struct server *s);

/* --- the client --- */

struct reply {
    int status; /* 0: none; -1: it is cut short */
    char head[8192];
    char *body; /* NUL-terminated; the caller's to free */
    size_t n;
};

int dial(int port);
bool put(int fd, const void *p, size_t n);
bool get(int fd, void *p, size_t n);
/* The value of a header, until the next call; "" when it is not there. */
const char *header(const struct reply *r, const char *name);
void read_reply(int fd, struct reply *r, bool body);
void ask_on(int fd, struct reply *r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Single quotes become double ones. The caller's reference. */
json_t *post(int port, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define ASK(port, r, ...)                                                                          \
    do {                                                                                           \
        int ask_fd = dial(port);                                                                   \
        free((r)->body);                                                                           \
        ask_on(ask_fd, (r), __VA_ARGS__);                                                          \
        close(ask_fd);                                                                             \
    } while (0)
#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: x\r\n" more "\r\n"

/* Looks at the object as J, and lets go of it. */
#define ENDS(json, check)                                                                          \
    do {                                                                                           \
        json_t *ends_json = (json);                                                                \
        const json_t *J = ends_json;                                                               \
        check;                                                                                     \
        json_decref(ends_json);                                                                    \
    } while (0)

#endif

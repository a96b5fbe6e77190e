/* The parts of the server, made in order, wired together, and taken down in reverse. One object,
 * one control thread: the one that calls tr_server_run. */
#ifndef TR_SERVER_H
#define TR_SERVER_H

#include "base/err.h"

struct tr_config;
struct tr_server;

/* exe_dir: folder of the program, where tring-render and the web pages are looked for when the
 * configuration does not say. On failure *why is a sentence for the operator (valid until the next
 * call). */
TR_MUST_USE enum tr_err tr_server_create(struct tr_server **server, const struct tr_config *config,
                                         const char *exe_dir, const char **why);
void tr_server_destroy(struct tr_server *server); /* NULL is fine */
int tr_server_port(const struct tr_server *server);
/* Runs until tr_server_stop, then ends calls and recordings in good order. */
void tr_server_run(struct tr_server *server);
void tr_server_stop(struct tr_server *server); /* any thread */
void tr_server_look(struct tr_server *server); /* for new certificates, now; any thread */

#endif

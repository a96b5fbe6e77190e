/* A child process that works for the server (tring-render): started with an argument list, watched
 * without blocking, and never left behind.
 *
 * The child gets a process group of its own, /dev/null as input, pipes as output, error and
 * progress (descriptor TR_CHILD_PROGRESS_FD), no other descriptor, no environment but PATH and
 * LC_ALL (secrets of the server may stand in ours), and SIGKILL when the thread that started it
 * ends: start children on a thread that lives as long as the server.
 * One thread. Poll every 100 ms or so: a child that fills a pipe waits for us. */
#ifndef TR_CHILD_H
#define TR_CHILD_H

#include <stdbool.h>

#include "base/err.h"

struct tr_child;

enum {
    TR_CHILD_PROGRESS_FD = 3,
    TR_CHILD_OUT_MAX = 64 * 1024, /* bytes kept from the start of its output; the rest is dropped */
    TR_CHILD_ERR_MAX = 4096,      /* bytes kept from the end of its error output */
    TR_CHILD_LINE_MAX = 128       /* of a line of progress; longer ones are cut */
};

struct tr_child_conf {
    const char *const *argv; /* argv[0] is the program's path; NULL at the end */
    int nice;                /* added to ours, 0 .. 19 */
};

struct tr_child_end {
    int code;   /* exit code; -1: ended by a signal */
    int signal; /* then, this one */
};

/* NOTFOUND: no such program, or it may not be run. LIMIT: out of processes or descriptors.
 * NOMEM. */
TR_MUST_USE enum tr_err tr_child_start(struct tr_child **child, const struct tr_child_conf *conf);
/* Takes what it wrote; true when it has ended, and again on every later call. */
bool tr_child_poll(struct tr_child *child, struct tr_child_end *end);
/* What it wrote so far, as text. Valid until the next poll. */
const char *tr_child_out(const struct tr_child *child);
const char *tr_child_err(const struct tr_child *child);
const char *tr_child_progress(const struct tr_child *child); /* the newest whole line, or "" */
/* The last line of the error output that is not empty, without control characters; "" when none. */
void tr_child_last_error(const struct tr_child *child, char *out, int size);
/* SIGKILL to the whole group; poll tells when it has ended. */
void tr_child_kill(struct tr_child *child);
/* Kills what still runs, waits for it (two seconds at most) and frees. NULL is fine. */
void tr_child_destroy(struct tr_child *child);

#endif

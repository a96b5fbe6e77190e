/* Signals as calls on a thread of their own, so that no handler runs in the middle of anything.
 * Block them before any thread is made: threads inherit that. */
#ifndef TR_SIGNALS_H
#define TR_SIGNALS_H

#include "base/err.h"

struct tr_signals;

struct tr_signals_conf { /* called on the signal thread */
    /* For each SIGINT or SIGTERM, or when the terminal is gone that the program was started at;
     * count: how many so far. */
    void (*asked)(void *arg, int count);
    void (*hup)(void *arg); /* for any other SIGHUP: look at your files again */
    void *arg;
};

/* SIGINT, SIGTERM and SIGHUP wait for the signal thread; SIGPIPE is ignored. */
void tr_signals_block(void);
TR_MUST_USE enum tr_err tr_signals_start(struct tr_signals **signals,
                                         const struct tr_signals_conf *conf);
void tr_signals_stop(struct tr_signals *signals); /* NULL is fine */

#endif

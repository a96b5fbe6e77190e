/* Signals as calls on a thread of their own, so that no handler runs in the middle of anything.
 * Block them before any thread is made: threads inherit that. */
#ifndef TR_SIGNALS_H
#define TR_SIGNALS_H

#include "base/err.h"

struct tr_signals;

void tr_signals_block(void); /* SIGINT and SIGTERM wait for the signal thread; SIGPIPE is ignored */
/* asked: called once for each SIGINT or SIGTERM, on the signal thread; count: how many so far. */
TR_MUST_USE enum tr_err tr_signals_start(struct tr_signals **signals,
                                         void (*asked)(void *arg, int count), void *arg);
void tr_signals_stop(struct tr_signals *signals); /* NULL is fine */

#endif

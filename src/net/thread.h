/* Threads and the one lock. Only net/ and base/ know that threads exist; the rest is single
 * threaded code that owns what it touches. */
#ifndef TR_THREAD_H
#define TR_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

struct tr_thread {
    pthread_t id;
    bool started;
};

/* name: at most 15 characters, shown by ps and perf. Signals are blocked in the new thread: they
 * belong to the control thread. */
TR_MUST_USE enum tr_err tr_thread_start(struct tr_thread *thread, const char *name,
                                        void (*run)(void *arg), void *arg);
void tr_thread_join(struct tr_thread *thread); /* not started is fine */
int tr_thread_cores(void);                     /* that this process may use; at least 1 */

#endif

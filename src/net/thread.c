/* A thin layer over pthreads: a name, and signals blocked. */
#include "net/thread.h"

#include <sched.h>
#include <signal.h>

#include "base/mem.h"

struct start {
    void (*run)(void *arg);
    void *arg;
};

static void *trampoline(void *arg)
{
    struct start start = *(struct start *)arg;
    tr_free(arg);
    start.run(start.arg);
    return NULL;
}

enum tr_err tr_thread_start(struct tr_thread *thread, const char *name, void (*run)(void *arg),
                            void *arg)
{
    struct start *start = tr_alloc(sizeof *start);
    if (!start)
        return TR_ERR_NOMEM;
    *start = (struct start){ .run = run, .arg = arg };
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&thread->id, NULL, trampoline, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        tr_free(start);
        return TR_ERR_LIMIT;
    }
    pthread_setname_np(thread->id, name);
    thread->started = true;
    return TR_OK;
}

void tr_thread_join(struct tr_thread *thread)
{
    if (thread->started)
        pthread_join(thread->id, NULL);
    thread->started = false;
}

int tr_thread_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

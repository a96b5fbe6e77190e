/* sigwait on a thread: what it calls may lock and allocate, which a handler must not. */
#include "net/signals.h"

#include <signal.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/thread.h"

struct tr_signals {
    struct tr_thread thread;
    struct tr_signals_conf conf;
    bool at_terminal;
};

static sigset_t watched(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2); /* ends the thread */
    return set;
}

void tr_signals_block(void)
{
    sigset_t set = watched();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigaction(SIGPIPE, &ignore, NULL);
}

static void run(void *arg)
{
    struct tr_signals *s = arg;
    sigset_t set = watched();
    int sig, count = 0;
    while (sigwait(&set, &sig) == 0 && sig != SIGUSR2) {
        bool hung_up = s->at_terminal && !isatty(STDIN_FILENO);
        if (sig == SIGHUP && !hung_up)
            s->conf.hup(s->conf.arg);
        else
            s->conf.asked(s->conf.arg, ++count);
    }
}

enum tr_err tr_signals_start(struct tr_signals **out, const struct tr_signals_conf *conf)
{
    struct tr_signals *s = tr_alloc(sizeof *s);
    if (!s)
        return TR_ERR_NOMEM;
    s->conf = *conf;
    s->at_terminal = isatty(STDIN_FILENO);
    enum tr_err err = tr_thread_start(&s->thread, "tring-signals", run, s);
    if (err != TR_OK) {
        tr_free(s);
        return err;
    }
    *out = s;
    return TR_OK;
}

void tr_signals_stop(struct tr_signals *s)
{
    if (!s)
        return;
    pthread_kill(s->thread.id, SIGUSR2);
    tr_thread_join(&s->thread);
    tr_free(s);
}

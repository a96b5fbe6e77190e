/* Questions and answers are one list of jobs under a mutex; the thread takes the first that is not
 * answered. It may hang in the system's resolver for longer than anybody wants to wait for it: then
 * the owner leaves it behind, and what the two share goes with the thread. */
#include "net/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/sockaddr.h"
#include "net/thread.h"

struct job {
    char name[TR_RESOLVE_NAME_MAX + 1];
    int family;
    bool done;
    struct tr_resolved answer;
    struct job *next;
};

struct tr_resolver {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    struct job *jobs; /* oldest first */
    int count;
    struct tr_thread thread;
    bool busy;   /* it is in the system's resolver */
    bool closed; /* the owner has gone */
    void (*wake)(void *arg);
    void *arg;
};

struct tr_resolver *tr_resolver_create(void (*wake)(void *arg), void *arg)
{
    struct tr_resolver *r = tr_alloc(sizeof *r);
    if (!r)
        return NULL;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->asked, NULL);
    r->wake = wake;
    r->arg = arg;
    return r;
}

static void free_resolver(struct tr_resolver *r)
{
    while (r->jobs) {
        struct job *job = r->jobs;
        r->jobs = job->next;
        tr_free(job);
    }
    pthread_cond_destroy(&r->asked);
    pthread_mutex_destroy(&r->lock);
    tr_free(r);
}

void tr_resolver_destroy(struct tr_resolver *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    bool busy = r->busy;
    pthread_t thread = r->thread.id;
    r->closed = true;
    pthread_cond_signal(&r->asked);
    pthread_mutex_unlock(&r->lock);
    if (busy) {
        pthread_detach(thread); /* it frees r */
        return;
    }
    tr_thread_join(&r->thread);
    free_resolver(r);
}

static void look_up(const char *name, int family, struct tr_resolved *out)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found = NULL;
    hints.ai_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
    if (getaddrinfo(name, NULL, &hints, &found) != 0 || !found)
        return;
    struct sockaddr_storage ss = { 0 };
    memcpy(&ss, found->ai_addr, found->ai_addrlen);
    out->addr = tr_sockaddr_get(&ss);
    out->found = true;
    freeaddrinfo(found);
}

static struct job *unanswered(struct tr_resolver *r)
{
    struct job *job = r->jobs;
    while (job && job->done)
        job = job->next;
    return job;
}

static void run(void *arg)
{
    struct tr_resolver *r = arg;
    bool left_behind = false;
    pthread_mutex_lock(&r->lock);
    while (!r->closed) {
        struct job *job = unanswered(r);
        if (!job) {
            pthread_cond_wait(&r->asked, &r->lock);
            continue;
        }
        struct job copy = *job; /* only answered ones are taken, so it stays */
        r->busy = true;
        pthread_mutex_unlock(&r->lock);
        look_up(copy.name, copy.family, &copy.answer);
        pthread_mutex_lock(&r->lock);
        job->answer = copy.answer;
        job->done = true;
        r->busy = false;
        left_behind = r->closed;
        if (!r->closed && r->wake)
            r->wake(r->arg);
    }
    pthread_mutex_unlock(&r->lock);
    if (left_behind)
        free_resolver(r);
}

static enum tr_err start(struct tr_resolver *r)
{
    return r->thread.started ? TR_OK : tr_thread_start(&r->thread, "tring-resolve", run, r);
}

enum tr_err tr_resolver_ask(struct tr_resolver *r, const char *name, int family, uint64_t cookie)
{
    size_t n = strlen(name);
    if (n == 0 || n > TR_RESOLVE_NAME_MAX)
        return TR_ERR_INVAL;
    struct job *job = tr_alloc(sizeof *job);
    if (!job)
        return TR_ERR_NOMEM;
    memcpy(job->name, name, n);
    job->family = family;
    job->answer.cookie = cookie;
    pthread_mutex_lock(&r->lock);
    enum tr_err err = r->count == TR_RESOLVE_MAX ? TR_ERR_LIMIT : start(r);
    struct job **at = &r->jobs;
    while (*at)
        at = &(*at)->next;
    if (err == TR_OK) {
        *at = job;
        r->count++;
        pthread_cond_signal(&r->asked);
    }
    pthread_mutex_unlock(&r->lock);
    if (err != TR_OK)
        tr_free(job);
    return err;
}

bool tr_resolver_take(struct tr_resolver *r, struct tr_resolved *out)
{
    pthread_mutex_lock(&r->lock);
    struct job *job = r->jobs;
    bool done = job && job->done;
    if (done) {
        r->jobs = job->next;
        r->count--;
        *out = job->answer;
    }
    pthread_mutex_unlock(&r->lock);
    if (done)
        tr_free(job);
    return done;
}

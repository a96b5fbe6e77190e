/* Child processes.
 *
 * vfork, not fork: copying the page tables of a server with gigabytes of packets would hold up its
 * media threads. Until exec the child runs on our memory, so run_child only makes system calls and
 * reads what was prepared for it; how exec failed comes back through that memory.
 *
 * posix_spawn would do but for the death signal and the niceness, which must be set inside. */
#include "net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "net/clock.h"

enum {
    OUT,
    ERR,
    PROGRESS,
    STREAMS,
    READ_MAX = 256 * 1024, /* bytes of one stream taken in one poll */
    FD_ABOVE = 10          /* ours lie above what the child will use */
};
#define END_WAIT_US (2 * TR_SECOND)

struct tr_child {
    pid_t pid;
    bool ended;
    struct tr_child_end end;
    int fds[STREAMS]; /* our ends; -1: closed */
    size_t out_len, err_len, line_len;
    char out[TR_CHILD_OUT_MAX + 1];
    char err[TR_CHILD_ERR_MAX + 1];
    char line[TR_CHILD_LINE_MAX + 1]; /* not whole yet */
    char progress[TR_CHILD_LINE_MAX + 1];
};

struct setup { /* for the child; read only but for failed */
    const char *const *argv;
    int in, fds[STREAMS];
    int nice;
    pid_t parent;
    volatile int failed; /* errno of exec */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A descriptor that no dup2 to 0 .. 3 can hit. */
static int raise_fd(int fd)
{
    if (fd < 0 || fd >= FD_ABOVE)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
    close(fd);
    return high;
}

/* ours does not block, theirs does. */
static bool open_pipe(int *ours, int *theirs)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    *ours = raise_fd(fds[0]);
    *theirs = raise_fd(fds[1]);
    return *ours >= 0 && *theirs >= 0 && fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

/* Handlers of the server must not run in the child. */
static void reset_signals(void)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &dfl, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void run_child(struct setup *s)
{
    static const char *const env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                       NULL };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool ok = getppid() == s->parent && setpgid(0, 0) == 0;
    ok = ok && dup2(s->in, 0) == 0 && dup2(s->fds[OUT], 1) == 1 && dup2(s->fds[ERR], 2) == 2;
    ok = ok && dup2(s->fds[PROGRESS], TR_CHILD_PROGRESS_FD) == TR_CHILD_PROGRESS_FD;
    ok = ok && close_range(TR_CHILD_PROGRESS_FD + 1, ~0U, 0) == 0;
    if (ok && s->nice > 0)
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + s->nice);
    reset_signals();
    if (ok)
        execve(s->argv[0], (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)env);
    s->failed = errno ? errno : EIO;
    _exit(127); /* tidy: allow exit - the child must not return into the server */
}

static pid_t spawn(struct setup *s)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = vfork();
    if (pid == 0)
        run_child(s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pid;
}

static bool open_all(struct tr_child *child, struct setup *s)
{
    s->in = raise_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    bool ok = s->in >= 0;
    for (int i = 0; i < STREAMS && ok; i++)
        ok = open_pipe(&child->fds[i], &s->fds[i]);
    return ok;
}

enum tr_err tr_child_start(struct tr_child **out, const struct tr_child_conf *conf)
{
    struct tr_child *child = tr_alloc(sizeof *child);
    if (!child)
        return TR_ERR_NOMEM;
    struct setup setup = { .argv = conf->argv, .nice = conf->nice, .in = -1, .parent = getpid() };
    for (int i = 0; i < STREAMS; i++)
        child->fds[i] = setup.fds[i] = -1;
    child->pid = open_all(child, &setup) ? spawn(&setup) : -1;
    close_fd(&setup.in);
    for (int i = 0; i < STREAMS; i++)
        close_fd(&setup.fds[i]);
    enum tr_err err = child->pid < 0 ? TR_ERR_LIMIT : setup.failed ? TR_ERR_NOTFOUND : TR_OK;
    if (err) {
        tr_child_destroy(child);
        return err;
    }
    *out = child;
    return TR_OK;
}

static void take_out(struct tr_child *c, const char *p, size_t n)
{
    size_t room = TR_CHILD_OUT_MAX - c->out_len;
    n = n < room ? n : room;
    memcpy(c->out + c->out_len, p, n);
    c->out_len += n;
    c->out[c->out_len] = 0;
}

/* Keeps the end. */
static void take_err(struct tr_child *c, const char *p, size_t n)
{
    if (n > TR_CHILD_ERR_MAX) {
        p += n - TR_CHILD_ERR_MAX;
        n = TR_CHILD_ERR_MAX;
    }
    size_t over = c->err_len + n > TR_CHILD_ERR_MAX ? c->err_len + n - TR_CHILD_ERR_MAX : 0;
    memmove(c->err, c->err + over, c->err_len - over);
    c->err_len -= over;
    memcpy(c->err + c->err_len, p, n);
    c->err_len += n;
    c->err[c->err_len] = 0;
}

static void take_progress(struct tr_child *c, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n') {
            memcpy(c->progress, c->line, c->line_len);
            c->progress[c->line_len] = 0;
            c->line_len = 0;
        } else if (c->line_len < TR_CHILD_LINE_MAX) {
            c->line[c->line_len++] = p[i];
        }
    }
}

static void drain(struct tr_child *c, int stream)
{
    char buf[4096];
    for (size_t total = 0; c->fds[stream] >= 0 && total < READ_MAX;) {
        ssize_t n = read(c->fds[stream], buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_fd(&c->fds[stream]);
            return;
        }
        total += (size_t)n;
        if (stream == OUT)
            take_out(c, buf, (size_t)n);
        else if (stream == ERR)
            take_err(c, buf, (size_t)n);
        else
            take_progress(c, buf, (size_t)n);
    }
}

/* Ended, but not reaped: its pid still names its group, so stragglers in it can be killed. */
static bool has_ended(const struct tr_child *c)
{
    siginfo_t info = { 0 };
    int r = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return (r == 0 && info.si_pid != 0) || (r != 0 && errno == ECHILD);
}

static void reap(struct tr_child *c)
{
    int status = 0;
    kill(-c->pid, SIGKILL);
    pid_t pid = waitpid(c->pid, &status, WNOHANG);
    c->ended = true;
    c->end = (struct tr_child_end){ .code = -1 };
    if (pid == c->pid && WIFEXITED(status))
        c->end.code = WEXITSTATUS(status);
    else if (pid == c->pid)
        c->end.signal = WTERMSIG(status);
}

bool tr_child_poll(struct tr_child *c, struct tr_child_end *end)
{
    bool ended = !c->ended && has_ended(c);
    for (int i = 0; i < STREAMS; i++)
        drain(c, i);
    if (ended)
        reap(c);
    *end = c->end;
    return c->ended;
}

const char *tr_child_out(const struct tr_child *c)
{
    return c->out;
}

const char *tr_child_err(const struct tr_child *c)
{
    return c->err;
}

const char *tr_child_progress(const struct tr_child *c)
{
    return c->progress;
}

void tr_child_last_error(const struct tr_child *c, char *out, int size)
{
    size_t end = c->err_len;
    while (end && (unsigned char)c->err[end - 1] <= ' ')
        end--;
    size_t start = end;
    while (start && c->err[start - 1] != '\n' && c->err[start - 1] != '\r')
        start--;
    int n = 0;
    for (size_t i = start; i < end && n < size - 1; i++) {
        unsigned char ch = (unsigned char)c->err[i];
        out[n++] = ch < ' ' || ch == 0x7f ? ' ' : (char)ch;
    }
    out[n] = 0;
}

void tr_child_kill(struct tr_child *c)
{
    if (!c->ended && c->pid > 0)
        kill(-c->pid, SIGKILL);
}

/* A process in the kernel's hands may outlive its SIGKILL; then it is left to init. */
void tr_child_destroy(struct tr_child *c)
{
    if (!c)
        return;
    tr_child_kill(c);
    tr_usec until = tr_clock_now() + END_WAIT_US;
    while (!c->ended && c->pid > 0 && tr_clock_now() < until) {
        if (has_ended(c))
            reap(c);
        else
            tr_clock_sleep(TR_MSEC);
    }
    for (int i = 0; i < STREAMS; i++)
        close_fd(&c->fds[i]);
    tr_free(c);
}

/* epoll_pwait2 has microseconds but is young (Linux 5.11); where it is missing, milliseconds,
 * rounded up so that a deadline is never busy-waited for. */
#include "net/waiter.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

int tr_waiter_open(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

void tr_waiter_close(int waiter)
{
    if (waiter >= 0)
        close(waiter);
}

enum tr_err tr_waiter_add(int waiter, int fd, unsigned tag)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u32 = tag };
    return epoll_ctl(waiter, EPOLL_CTL_ADD, fd, &ev) == 0 ? TR_OK : TR_ERR_IO;
}

static int wait_ms(int waiter, struct epoll_event *events, int max, tr_usec timeout_us)
{
    if (timeout_us == TR_NEVER)
        return epoll_wait(waiter, events, max, -1);
    tr_usec ms = (timeout_us + 999) / 1000;
    return epoll_wait(waiter, events, max, ms > 1000000 ? 1000000 : (int)ms);
}

static int wait_some(int waiter, struct epoll_event *events, int max, tr_usec timeout_us)
{
    struct timespec t = { .tv_sec = timeout_us / TR_SECOND,
                          .tv_nsec = timeout_us % TR_SECOND * 1000 };
    int n = epoll_pwait2(waiter, events, max, timeout_us == TR_NEVER ? NULL : &t, NULL);
    return n < 0 && errno == ENOSYS ? wait_ms(waiter, events, max, timeout_us) : n;
}

uint32_t tr_waiter_wait(int waiter, tr_usec timeout_us)
{
    struct epoll_event events[TR_WAITER_MAX];
    uint32_t ready = 0;
    int n = wait_some(waiter, events, TR_WAITER_MAX, timeout_us);
    for (int i = 0; i < n; i++)
        ready |= 1u << events[i].data.u32;
    return ready;
}

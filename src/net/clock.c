/* The monotonic clock that drives all state machines, the wall clock for people, and what processes
 * have run, for measurements. */
#include "net/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

tr_usec tr_clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t tr_clock_unix_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t tr_clock_cpu_us(pid_t pid)
{
    clockid_t id;
    return clock_getcpuclockid(pid, &id) == 0 ? read_clock(id) : -1;
}

void tr_clock_sleep(tr_usec us)
{
    struct timespec t = { .tv_sec = us / TR_SECOND, .tv_nsec = us % TR_SECOND * 1000 };
    nanosleep(&t, NULL);
}

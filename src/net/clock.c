/* Two clocks: the monotonic one that drives all state machines, and the wall clock for people. */
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

void tr_clock_sleep(tr_usec us)
{
    struct timespec t = { .tv_sec = us / TR_SECOND, .tv_nsec = us % TR_SECOND * 1000 };
    nanosleep(&t, NULL);
}

/* See sctp_clock.h. */
#include "sctp/sctp_clock.h"

#include <sys/time.h>

tr_usec sctp_clock_now;

/* tidy: allow clock - this is the test's own clock, not the system's */
__attribute__((visibility("default"))) int gettimeofday(struct timeval *tv, void *tz)
{
    (void)tz;
    tv->tv_sec = sctp_clock_now / TR_SECOND;
    tv->tv_usec = sctp_clock_now % TR_SECOND;
    return 0;
}

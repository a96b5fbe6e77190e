/* Tests only: the clock that usrsctp reads (to measure round trips, and before it sends a packet
 * again) is the test's. Linking sctp_clock.c puts its gettimeofday before the C library's. */
#ifndef TR_SCTP_CLOCK_H
#define TR_SCTP_CLOCK_H

#include "base/time.h"

extern tr_usec sctp_clock_now;

#endif

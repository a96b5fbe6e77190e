/* Waiting for descriptors with a deadline: an epoll of a few descriptors. One thread. */
#ifndef TR_WAITER_H
#define TR_WAITER_H

#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

enum { TR_WAITER_MAX = 32 };

/* -1: descriptors are out. */
int tr_waiter_open(void);
void tr_waiter_close(int waiter);
/* tag: 0 .. TR_WAITER_MAX - 1, the bit that tr_waiter_wait reports. */
TR_MUST_USE enum tr_err tr_waiter_add(int waiter, int fd, unsigned tag);
/* Bits of the tags that are readable; 0 after a time-out (0: only look; TR_NEVER: no limit). */
uint32_t tr_waiter_wait(int waiter, tr_usec timeout_us);

#endif

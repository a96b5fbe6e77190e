/* The only reader of clocks. Everything else gets `now` as an argument. */
#ifndef TR_CLOCK_H
#define TR_CLOCK_H

#include <sys/types.h>

#include "base/time.h"

tr_usec tr_clock_now(void);     /* monotonic; never goes back */
int64_t tr_clock_unix_us(void); /* wall clock, microseconds since 1970 */
/* What a process has run so far, all its threads together, ended ones too; -1: not known. */
int64_t tr_clock_cpu_us(pid_t pid);

void tr_clock_sleep(tr_usec us); /* for waits of threads and tests */

#endif

/* What is measured, as numbers: a histogram of delays, lists of set-up times, the server process as
 * the kernel accounts for it. */
#ifndef TR_MEASURE_H
#define TR_MEASURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/time.h"

enum { HIST_STEP_US = 10, HIST_BUCKETS = 20000 };

struct hist { /* up to 200 ms in steps of 10 us; a percentile beyond reads as the maximum */
    uint32_t buckets[HIST_BUCKETS];
    uint64_t count;
    tr_usec max;
};

void hist_add(struct hist *h, tr_usec us);
tr_usec hist_percentile(const struct hist *h, double share);
json_t *hist_json(const struct hist *h);

struct times { /* of each client, by index; TR_NEVER: it did not get so far */
    tr_usec *us;
    int count;
};

/* p50, p90, p99, max in milliseconds; null where nobody got so far. Sorts. */
json_t *times_json(struct times *t);

struct process { /* since its start */
    bool known;
    char name[32];
    double cpu_s;                    /* to the microsecond where the system tells */
    double user_s, system_s;         /* of it, in steps of 10 ms */
    uint64_t voluntary, involuntary; /* context switches */
    long rss_kib;
};

/* Of /proc/PID; known is false when it cannot be read. */
void process_read(struct process *p, pid_t pid);

/* Seconds that all cores of this machine together were busy since it started; -1: not known. */
double machine_busy_s(void);

#endif

/* The text format of Prometheus, version 0.0.4, as a bounded writer. */
#ifndef TR_METRICS_H
#define TR_METRICS_H

#include <stdint.h>

#include "base/slice.h"

enum { TR_METRICS_BYTES_MAX = 128 * 1024 };

struct tr_metrics {
    struct tr_wr w;
};

/* Opens a family: type is "counter" or "gauge". Names are tring_*, in base units. */
void tr_metrics_family(struct tr_metrics *m, const char *name, const char *type, const char *help);
/* A sample; label NULL: none. */
void tr_metrics_sample(struct tr_metrics *m, const char *name, const char *label, const char *value,
                       double number);
/* A family of one sample without labels. */
void tr_metrics_one(struct tr_metrics *m, const char *name, const char *type, const char *help,
                    double number);

#endif

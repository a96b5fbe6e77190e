/* The table of network and device reports: what a person's browser found out on /diag, under a
 * short code that the person tells the support desk. Old ones go by age, and when there are too
 * many; those of one network go first where that network has sent most, so that nobody can push out
 * the reports of all others.
 * One owner, one thread: that of the tr_sql handed in. Times are Unix microseconds. */
#ifndef TR_STORE_REPORTS_H
#define TR_STORE_REPORTS_H

#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"
#include "store/sql.h"

enum tr_report_limits {
    TR_REPORT_CODE_MAX = 10,         /* "K7QX3M9P" and the NUL fit */
    TR_REPORT_VERDICT_MAX = 32,      /* bytes, with the NUL, as of the next two */
    TR_REPORT_SOURCE_MAX = 64,       /* a network, e.g. "192.0.2.0/24" */
    TR_REPORT_BODY_MAX = 64 * 1024,  /* a longer one is refused */
    TR_REPORTS_MAX = 2000,           /* kept in all ... */
    TR_REPORTS_PER_SOURCE_MAX = 100, /* ... and of one network */
    TR_REPORTS_LIST_MAX = 200        /* given by one tr_reports_list */
};
#define TR_REPORT_KEEP_US (30 * 24 * 3600 * TR_SECOND)

struct tr_report {
    char code[TR_REPORT_CODE_MAX];
    int64_t at_us;
    char source[TR_REPORT_SOURCE_MAX];
    char verdict[TR_REPORT_VERDICT_MAX];
};

/* Makes or updates the table. */
TR_MUST_USE enum tr_err tr_reports_init(struct tr_sql *db);
/* Stores a report under a new code, which is written to report->code; what has to go goes.
 * LIMIT: the body is too long. */
TR_MUST_USE enum tr_err tr_reports_put(struct tr_sql *db, struct tr_rng *rng,
                                       struct tr_report *report, const char *body);
/* body: TR_REPORT_BODY_MAX bytes. NOTFOUND: no such report, or it is too old at now_us. */
TR_MUST_USE enum tr_err tr_reports_get(struct tr_sql *db, int64_t now_us, const char *code,
                                       struct tr_report *report, char *body);
/* The newest first, without their bodies. The callback must not use db. */
TR_MUST_USE enum tr_err tr_reports_list(struct tr_sql *db, int64_t now_us, uint32_t limit,
                                        void (*row)(void *user, const struct tr_report *report),
                                        void *user);
/* What a person typed, as a code: upper case, without blanks and dashes. False: it is none. */
bool tr_report_code_read(const char *typed, char code[TR_REPORT_CODE_MAX]);

#endif

/* The log: one line a record on stderr, "time level area message key=value ...", made to be read by
 * people and by machines. Control characters and quotes that come from outside are escaped, so a
 * peer cannot forge a line. Secrets are never passed in here.
 *
 * Any thread; a line is one write(2). Below the level nothing is formatted. */
#ifndef TR_LOG_H
#define TR_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/time.h"

enum tr_log_level { TR_LOG_ERROR, TR_LOG_WARN, TR_LOG_INFO, TR_LOG_DEBUG };
enum { TR_LOG_LINE_MAX = 1024 }; /* longer lines are cut, with "..." at the end */

void tr_log_set_level(enum tr_log_level level);
enum tr_log_level tr_log_get_level(void);
bool tr_log_parse_level(const char *name, enum tr_log_level *out); /* "error" ... "debug" */
const char *tr_log_level_name(enum tr_log_level level);
/* Where lines go; NULL puts stderr back. sink may be called on any thread. Tests. */
void tr_log_set_sink(void (*sink)(void *arg, const char *line, size_t n), void *arg);

/* area: "gateway", "media" ...; static text. The message is written as it is formatted (escaped):
 * put variable facts into key=value form, e.g. tr_log(TR_LOG_INFO, "gateway", "session made id=%"
 * PRIu64, id). */
void tr_log(enum tr_log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The line without time, escaped; for tests and for other outputs. */
void tr_log_format(struct tr_wr *w, enum tr_log_level level, const char *area, const char *message);
/* A value of the form key=value: bare when it is made of safe characters, else quoted and escaped.
 * Returns out. */
const char *tr_log_quote(char *out, size_t size, struct tr_slice value);

/* At most `burst` lines per `period_us`; one line tells how many were swallowed. Zeroed is ready.
 *   static struct tr_log_limit limit;
 *   if (tr_log_allow(&limit, now, 10, TR_SECOND, &missed)) tr_log(..., missed)
 * One thread each. */
struct tr_log_limit {
    tr_usec window_start;
    uint32_t used;
    uint32_t missed;
};
bool tr_log_allow(struct tr_log_limit *limit, tr_usec now, uint32_t burst, tr_usec period_us,
                  uint32_t *missed);

#endif

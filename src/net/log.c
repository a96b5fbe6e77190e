/* The line is put together on the stack and written by one system call, so lines of several threads
 * do not mix and no lock is held while the other end of the pipe is slow. */
#include "net/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "net/clock.h"

static _Atomic int log_level = TR_LOG_INFO;
static void (*log_sink)(void *arg, const char *line, size_t n);
static void *log_sink_arg;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void tr_log_set_level(enum tr_log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum tr_log_level tr_log_get_level(void)
{
    return (enum tr_log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

bool tr_log_parse_level(const char *name, enum tr_log_level *out)
{
    for (int i = 0; i <= TR_LOG_DEBUG; i++)
        if (strcmp(level_names[i], name) == 0) {
            *out = (enum tr_log_level)i;
            return true;
        }
    return false;
}

const char *tr_log_level_name(enum tr_log_level level)
{
    return level_names[level];
}

void tr_log_set_sink(void (*sink)(void *arg, const char *line, size_t n), void *arg)
{
    log_sink = sink;
    log_sink_arg = arg;
}

/* Bytes of UTF-8 pass; what a terminal would obey does not (C0, DEL, and C1 in UTF-8). */
static size_t escape(char *out, size_t room, const char *s, size_t n, bool quotes)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)s[i];
        bool c1 = c == 0xc2 && i + 1 < n && (uint8_t)s[i + 1] < 0xa0;
        char code[5];
        const char *put = code;
        if (c < 0x20 || c == 0x7f || c1)
            snprintf(code, sizeof(code), "\\x%02x", c);
        else if (quotes && (c == '"' || c == '\\'))
            snprintf(code, sizeof(code), "\\%c", c);
        else
            snprintf(code, sizeof(code), "%c", c);
        size_t len = strlen(put);
        if (used + len > room)
            break;
        memcpy(out + used, put, len);
        used += len;
    }
    return used;
}

void tr_log_format(struct tr_wr *w, enum tr_log_level level, const char *area, const char *message)
{
    char text[TR_LOG_LINE_MAX];

    tr_wr_fmt(w, "%-5s %s ", level_names[level], area);
    size_t left = w->bad ? 0 : (size_t)(w->end - w->p);
    size_t room = left < sizeof(text) ? left : sizeof(text);
    tr_wr_bytes(w, text, escape(text, room, message, strlen(message), false));
}

static void put_time(struct tr_wr *w)
{
    int64_t us = tr_clock_unix_us();
    time_t s = (time_t)(us / 1000000);
    struct tm tm;

    gmtime_r(&s, &tm);
    tr_wr_fmt(w, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", tm.tm_year + 1900, tm.tm_mon + 1,
              tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us / 1000 % 1000));
}

static void write_line(const char *line, size_t n)
{
    if (log_sink) {
        log_sink(log_sink_arg, line, n);
        return;
    }
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, line, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* nobody to tell */
        line += done;
        n -= (size_t)done;
    }
}

void tr_log(enum tr_log_level level, const char *area, const char *fmt, ...)
{
    if (level > tr_log_get_level())
        return;
    char message[TR_LOG_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;

    char line[TR_LOG_LINE_MAX + 1];
    struct tr_wr w = tr_wr(line, TR_LOG_LINE_MAX - 4); /* room for "..." and the end */
    put_time(&w);
    tr_log_format(&w, level, area, message);
    bool cut = (size_t)n >= sizeof(message) || w.p + 4 > w.end;
    w.end = (uint8_t *)line + sizeof(line);
    tr_wr_str(&w, cut ? "...\n" : "\n");
    write_line(line, tr_wr_len(&w));
}

const char *tr_log_quote(char *out, size_t size, struct tr_slice value)
{
    bool bare = value.n > 0;
    for (size_t i = 0; i < value.n && bare; i++) {
        uint8_t c = value.p[i];
        bare = c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
    }
    if (size < 3) {
        if (size > 0)
            out[0] = 0;
        return out;
    }
    if (bare && value.n < size) {
        memcpy(out, value.p, value.n);
        out[value.n] = 0;
        return out;
    }
    out[0] = '"';
    size_t n = escape(out + 1, size - 3, (const char *)value.p, value.n, true);
    out[n + 1] = '"';
    out[n + 2] = 0;
    return out;
}

bool tr_log_allow(struct tr_log_limit *limit, tr_usec now, uint32_t burst, tr_usec period_us,
                  uint32_t *missed)
{
    *missed = 0;
    if (limit->used == 0 || now - limit->window_start >= period_us) {
        *missed = limit->missed;
        *limit = (struct tr_log_limit){ .window_start = now };
    }
    if (limit->used >= burst) {
        limit->missed++;
        return false;
    }
    limit->used++;
    return true;
}

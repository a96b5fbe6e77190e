/* See http_parse.h. Each function reads its text once, from left to right. */
#include "gateway/transport/http_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Decimal digits at *p; false when there are none or too many. */
static bool take_number(const char **p, uint64_t *value)
{
    const char *start = *p;
    *value = 0;
    while (isdigit((unsigned char)**p)) {
        if (*p - start >= 18)
            return false;
        *value = *value * 10 + (uint64_t)(*(*p)++ - '0');
    }
    return *p > start;
}

enum tr_http_range tr_http_range(const char *header, uint64_t size, uint64_t *first, uint64_t *last)
{
    if (!header || strncasecmp(header, "bytes=", 6) != 0)
        return TR_RANGE_NONE;
    const char *p = header + 6;
    bool has_first = take_number(&p, first);
    if (*p++ != '-')
        return TR_RANGE_NONE;
    bool has_last = take_number(&p, last);
    if (*p || (!has_first && !has_last))
        return TR_RANGE_NONE;
    if (!has_first) { /* the last n bytes */
        if (*last == 0 || size == 0)
            return TR_RANGE_UNSATISFIABLE;
        *first = *last < size ? size - *last : 0;
        *last = size - 1;
        return TR_RANGE_ONE;
    }
    if (has_last && *last < *first)
        return TR_RANGE_NONE;
    if (*first >= size)
        return TR_RANGE_UNSATISFIABLE;
    if (!has_last || *last >= size)
        *last = size - 1;
    return TR_RANGE_ONE;
}

bool tr_http_etag_in(const char *header, const char *etag)
{
    size_t n = strlen(etag);
    if (!header)
        return false;
    while (*header) {
        header += strspn(header, " \t,");
        if (*header == '*')
            return true;
        if (strncmp(header, "W/", 2) == 0)
            header += 2;
        if (strncmp(header, etag, n) == 0 && strchr(" \t,", header[n]))
            return true;
        header += strcspn(header, ",");
    }
    return false;
}

void tr_http_date(char out[TR_HTTP_DATE_MAX], time_t t)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm tm = { 0 };

    gmtime_r(&t, &tm);
    snprintf(out, TR_HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7],
             tm.tm_mday % 100, months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000,
             tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
}

const char *tr_http_mime(const char *path)
{
    static const char *const types[][2] = {
        { "html", "text/html; charset=utf-8" },
        { "js", "text/javascript; charset=utf-8" },
        { "mjs", "text/javascript; charset=utf-8" },
        { "css", "text/css; charset=utf-8" },
        { "json", "application/json" },
        { "map", "application/json" },
        { "txt", "text/plain; charset=utf-8" },
        { "md", "text/plain; charset=utf-8" },
        { "svg", "image/svg+xml" },
        { "png", "image/png" },
        { "jpg", "image/jpeg" },
        { "jpeg", "image/jpeg" },
        { "gif", "image/gif" },
        { "webp", "image/webp" },
        { "ico", "image/x-icon" },
        { "woff", "font/woff" },
        { "woff2", "font/woff2" },
        { "webm", "video/webm" },
        { "mp4", "video/mp4" },
        { "mkv", "video/x-matroska" },
        { "ogg", "audio/ogg" },
        { "opus", "audio/ogg" },
        { "mp3", "audio/mpeg" },
        { "wav", "audio/wav" },
        { "wasm", "application/wasm" },
        { "webmanifest", "application/manifest+json" },
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(dot + 1, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

bool tr_http_path_safe(const char *path)
{
    if (*path != '/')
        return false;
    for (const char *p = path; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f || c == '\\')
            return false;
        if (c == '/' && (p[1] == '.' || p[1] == '/'))
            return false;
    }
    return true;
}

static uint64_t take_id(const char *text, size_t n)
{
    uint64_t id = 0;
    if (n == 0 || n > 16)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]))
            return 0;
        id = id * 10 + (uint64_t)(text[i] - '0');
    }
    return id < 1ull << 53 ? id : 0;
}

int tr_http_path_ids(const char *rest, uint64_t ids[2])
{
    int count = 0;
    ids[0] = ids[1] = 0;
    while (*rest) {
        if (*rest == '/')
            rest++;
        size_t n = strcspn(rest, "/");
        if (n == 0 && !*rest)
            break; /* a '/' at the end */
        if (count == 2)
            return -1;
        ids[count++] = take_id(rest, n);
        rest += n;
    }
    return count;
}

enum tr_err tr_http_forwarded(const char *header, struct tr_addr *out)
{
    char ip[TR_ADDR_STR_MAX];
    const char *comma = strrchr(header, ',');
    const char *start = comma ? comma + 1 : header;
    start += strspn(start, " \t");
    size_t n = strcspn(start, " \t");
    if (n == 0 || n >= sizeof(ip))
        return TR_ERR_BADMSG;
    memcpy(ip, start, n);
    ip[n] = 0;
    return tr_addr_parse_ip(out, ip, 0);
}

bool tr_http_value_safe(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 || (unsigned char)*value >= 0x7f)
            return false;
    return true;
}

void tr_http_disposition(char *out, size_t size, const char *name)
{
    int n = snprintf(out, size, "attachment; filename=\"");
    size_t used = (size_t)n;
    for (; *name && used + 2 < size; name++) {
        unsigned char c = (unsigned char)*name;
        out[used++] = isalnum(c) || strchr("-_. ", c) ? (char)c : '_';
    }
    if (used + 1 < size)
        out[used++] = '"';
    out[used < size ? used : size - 1] = 0;
}

/* The pure parts of HTTP that libwebsockets leaves to its user: ranges, validators, types, safe
 * paths. Hostile input; no state. */
#ifndef TR_HTTP_PARSE_H
#define TR_HTTP_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/addr.h"
#include "base/err.h"

enum tr_http_range { TR_RANGE_NONE, TR_RANGE_ONE, TR_RANGE_UNSATISFIABLE };

/* "bytes=first-last" (RFC 9110 section 14.1.2) of a file. Several ranges, other units and bad
 * syntax are NONE: the whole is sent. header NULL is NONE. */
enum tr_http_range tr_http_range(const char *header, uint64_t size, uint64_t *first,
                                 uint64_t *last);
/* If-None-Match: whether a list of entity tags has this one (weak comparison), or is "*". */
bool tr_http_etag_in(const char *header, const char *etag);
enum { TR_HTTP_DATE_MAX = 48 }; /* with room for what a compiler must assume */
void tr_http_date(char out[TR_HTTP_DATE_MAX], time_t t); /* "Sun, 06 Nov 1994 08:49:37 GMT" */
const char *
tr_http_mime(const char *path); /* by its ending; application/octet-stream when unknown */
/* Whether a decoded path ("/a/b.js") names something below a root: no empty, ".", ".." or hidden
 * component, no backslash, no control character. A '/' at the end is fine. */
bool tr_http_path_safe(const char *path);
/* "", "/", "/123", "/123/456", each with a '/' at the end or without: how many ids there were
 * (0..2); ids that are no numbers below 2^53 are 0. -1: more components. */
int tr_http_path_ids(const char *rest, uint64_t ids[2]);
/* The last address of an X-Forwarded-For. BADMSG. */
TR_MUST_USE enum tr_err tr_http_forwarded(const char *header, struct tr_addr *out);
/* Whether a value may be put into a header: visible ASCII and spaces. */
bool tr_http_value_safe(const char *value);
/* Content-Disposition: attachment; filename="..." with what is not plain replaced by '_'. */
void tr_http_disposition(char *out, size_t size, const char *name);

#endif

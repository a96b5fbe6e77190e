/* See test_http.h. */
#include "gateway/transport/test_http.h"

#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

enum { ROWS_MAX = 16, ARGS_MAX = 4, CONNECTION_ID = 5 };

static struct tr_route rows[ROWS_MAX];
static int row_count;
static const char *args[ARGS_MAX][2];
static int arg_count;
static char connection; /* stands for one */
struct reply reply;
bool http_gone;

enum tr_err tr_routes_add(struct tr_routes *routes, const struct tr_route *added, size_t count)
{
    if (count > (size_t)(ROWS_MAX - row_count))
        return TR_ERR_LIMIT;
    memcpy(&rows[row_count], added, count * sizeof *added);
    row_count += (int)count;
    return TR_OK;
}

const char *tr_http_arg(const struct tr_http_request *request, const char *name)
{
    for (int i = 0; i < arg_count; i++) {
        if (strcmp(args[i][0], name) == 0)
            return args[i][1];
    }
    return NULL;
}

uint64_t tr_http_arg_uint(const struct tr_http_request *request, const char *name,
                          uint64_t otherwise)
{
    const char *v = tr_http_arg(request, name);
    return v ? strtoull(v, NULL, 10) : otherwise;
}

const char *tr_http_bearer(const struct tr_http_request *request)
{
    const char *h = request->headers[TR_HTTP_AUTHORIZATION];
    return h && strncmp(h, "Bearer ", 7) == 0 ? h + 7 : NULL;
}

void tr_http_reply_json(struct tr_http *http, int status, json_t *body)
{
    CHECK(reply.status == 0 && body != NULL);
    reply.status = status;
    reply.body = body;
}

void tr_http_reply_error(struct tr_http *http, int status, const char *code, const char *message)
{
    CHECK(reply.status == 0 && message[0]);
    reply.status = status;
    snprintf(reply.code, sizeof reply.code, "%s", code);
}

void tr_http_reply_file(struct tr_http *http, const struct tr_http_request *request,
                        const struct tr_http_file *file)
{
    char buf[64];
    CHECK(reply.status == 0);
    reply.status = 200;
    reply.file = true;
    reply.attachment = file->name != NULL;
    reply.no_store = file->no_store;
    reply.file_bytes = (size_t)read(file->fd, buf, sizeof buf);
    close(file->fd);
}

void tr_http_reply_empty(struct tr_http *http, int status)
{
    CHECK(reply.status == 0);
    reply.status = status;
}

void tr_http_add_header(struct tr_http *http, const char *name, const char *value)
{
}

tr_id tr_http_id(const struct tr_http *http)
{
    return CONNECTION_ID;
}

struct tr_http *tr_web_http(const struct tr_web *web, tr_id id)
{
    CHECK_INT(id, CONNECTION_ID);
    return http_gone ? NULL : (struct tr_http *)(void *)&connection;
}

void http_arg(const char *name, const char *value)
{
    if (CHECK(arg_count < ARGS_MAX)) {
        args[arg_count][0] = name;
        args[arg_count++][1] = value;
    }
}

int http_rows(void)
{
    return row_count;
}

const struct tr_route *http_row(const char *pattern, enum tr_http_method method)
{
    for (int i = 0; i < row_count; i++) {
        if (strcmp(rows[i].pattern, pattern) == 0 && rows[i].methods & method)
            return &rows[i];
    }
    abort();
}

int http_ask(const char *pattern, const struct tr_http_request *request)
{
    const struct tr_route *row = http_row(pattern, request->method);
    struct tr_http_request here = *request;
    here.http = (struct tr_http *)(void *)&connection;
    json_decref(reply.body);
    memset(&reply, 0, sizeof reply);
    row->handle(row->arg, &here);
    arg_count = 0;
    return reply.status;
}

void http_forget(void)
{
    json_decref(reply.body);
    memset(&reply, 0, sizeof reply);
    arg_count = 0;
}

void http_forget_rows(void)
{
    row_count = 0;
    http_gone = false;
}

const char *http_word(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "(none)";
}

json_int_t http_number(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

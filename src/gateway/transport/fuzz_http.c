/* The pure parts of HTTP: what they promise holds for any text. */
#include <stdlib.h>
#include <string.h>

#include "gateway/transport/http_parse.h"
#include "gateway/transport/routes.h"

static void nothing(void *arg, const struct tr_http_request *r)
{
}

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void try_route(struct tr_routes *routes, const char *text, unsigned method)
{
    char path[TR_HTTP_PATH_MAX];
    struct tr_http_request r = { 0 };
    int status = 0;

    strncpy(path, text, sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    const struct tr_route *row = tr_routes_match(routes, method, path, &r, &status);
    check(row || status == 404 || status == 405);
    for (int i = 0; row && i < r.param_count; i++)
        check(r.params[i] >= path && r.params[i] + strlen(r.params[i]) < path + sizeof(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tr_route rows[] = {
        { TR_HTTP_GET, "/api/calls/:id/file/:n", 0, nothing, NULL },
        { TR_HTTP_POST, "/api/:a/:b/:c/:d/:e", 0, nothing, NULL },
        { TR_HTTP_ANY, "/janus/*", 0, nothing, NULL },
    };
    uint64_t a = 0, b = 0, ids[2];
    char text[2048], out[64];
    struct tr_addr addr;

    if (size < 1 || size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    const uint64_t length = (uint64_t)data[0] * 1000;
    if (tr_http_range(text, length, &a, &b) == TR_RANGE_ONE)
        check(a <= b && b < length);
    tr_http_etag_in(text, "\"5f-1\"");
    tr_http_mime(text);
    int n = tr_http_path_ids(text, ids);
    check(n >= -1 && n <= 2 && (n < 0 || (ids[0] < 1ull << 53 && ids[1] < 1ull << 53)));
    if (tr_http_path_safe(text))
        check(text[0] == '/' && !strstr(text, "/../") && !strchr(text, '\\'));
    if (tr_http_forwarded(text, &addr) == TR_OK)
        check(addr.port == 0);
    tr_http_disposition(out, sizeof(out), text);
    check(strlen(out) < sizeof(out) && tr_http_value_safe(out));

    struct tr_routes *routes = tr_routes_create();
    check(tr_routes_add(routes, rows, sizeof(rows) / sizeof(rows[0])) == TR_OK);
    try_route(routes, text, 1u << (data[0] % 6));
    tr_routes_destroy(routes);
    return 0;
}

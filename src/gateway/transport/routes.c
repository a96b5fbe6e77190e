/* Rows and patterns. Matching cuts the path into its components in place, so that the values of
 * ":name" are plain strings without an allocation. */
#include <string.h>

#include "base/mem.h"
#include "gateway/transport/routes.h"

struct tr_routes {
    int count;
    struct tr_route rows[TR_ROUTES_MAX];
};

struct tr_routes *tr_routes_create(void)
{
    return tr_alloc(sizeof(struct tr_routes));
}

void tr_routes_destroy(struct tr_routes *routes)
{
    tr_free(routes);
}

enum tr_err tr_routes_add(struct tr_routes *routes, const struct tr_route *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (routes->count == TR_ROUTES_MAX)
            return TR_ERR_LIMIT;
        routes->rows[routes->count++] = rows[i];
    }
    return TR_OK;
}

struct capture {
    char *start;
    size_t n;
};

/* Walks pattern and path together; captures what ":name" and "*" stand for. */
static bool walk(const char *pattern, char *path, struct capture *captures, int *count)
{
    *count = 0;
    while (*pattern) {
        bool any = *pattern == '*', name = *pattern == ':';
        if (!any && !name) {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t n = any ? strlen(path) : strcspn(path, "/");
        if ((name && n == 0) || *count == TR_ROUTE_PARAMS_MAX)
            return false;
        captures[(*count)++] = (struct capture){ path, n };
        path += n;
        pattern += any ? strlen(pattern) : strcspn(pattern, "/");
    }
    return *path == 0;
}

const struct tr_route *tr_routes_match(const struct tr_routes *routes, unsigned method, char *path,
                                       struct tr_http_request *request, int *status)
{
    struct capture captures[TR_ROUTE_PARAMS_MAX];

    *status = 404;
    for (int i = 0; i < routes->count; i++) {
        const struct tr_route *row = &routes->rows[i];
        int count = 0;
        if (!walk(row->pattern, path, captures, &count))
            continue;
        if (!(row->methods & method)) {
            *status = 405;
            continue;
        }
        for (int k = 0; k < count; k++) {
            captures[k].start[captures[k].n] = 0;
            request->params[k] = captures[k].start;
        }
        request->param_count = count;
        return row;
    }
    return NULL;
}

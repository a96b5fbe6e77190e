/* Files of the web pages. The way down from the root is taken one component at a time, and no
 * symbolic link is followed, so that no name leads out of the folder. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "gateway/transport/http_parse.h"
#include "gateway/transport/web_impl.h"

/* A new descriptor of what path names below dir, or -1. path is safe (http_parse.h). */
static int open_below(int dir, const char *path)
{
    int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    while (at >= 0 && *path) {
        char name[256];
        path += *path == '/';
        size_t n = strcspn(path, "/");
        if (n == 0)
            break;
        int next = -1;
        if (n < sizeof(name)) {
            memcpy(name, path, n);
            name[n] = 0;
            next = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        }
        close(at);
        at = next;
        path += n;
    }
    return at;
}

static bool ends_with_slash(const char *path)
{
    return path[strlen(path) - 1] == '/';
}

static void reply_folder(const struct tr_http_request *r, int folder)
{
    char location[TR_HTTP_PATH_MAX + 2];

    if (!ends_with_slash(r->path)) {
        close(folder);
        snprintf(location, sizeof(location), "%s/", r->path);
        tr_http_reply_redirect(r->http, location);
        return;
    }
    int fd = openat(folder, "index.html", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    close(folder);
    if (fd < 0) {
        tr_http_reply_error(r->http, 404, "not_found", "There is nothing here.");
        return;
    }
    const struct tr_http_file file = { .fd = fd, .type = tr_http_mime("index.html") };
    tr_http_reply_file(r->http, r, &file);
}

static void handle_static(void *arg, const struct tr_http_request *r)
{
    tr_static_reply(arg, r);
}

/* Of the pages only the operators' are on the Admin port; what all pages share lies in assets. */
enum tr_err tr_static_admin_routes(struct tr_web *web, struct tr_routes *routes)
{
    const struct tr_route rows[] = {
        { TR_HTTP_GET, "/ops", 0, handle_static, web },
        { TR_HTTP_GET, "/ops/*", 0, handle_static, web },
        { TR_HTTP_GET, "/assets/*", 0, handle_static, web },
    };
    return tr_routes_add(routes, rows, TR_ARRAY_LEN(rows));
}

void tr_static_reply(struct tr_web *web, const struct tr_http_request *r)
{
    struct stat st = { 0 };
    int fd = tr_http_path_safe(r->path) ? open_below(web->root, r->path) : -1;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        reply_folder(r, fd);
    } else if (fd >= 0 && S_ISREG(st.st_mode) && !ends_with_slash(r->path)) {
        const struct tr_http_file file = { .fd = fd,
                                           .type = tr_http_mime(r->path),
                                           .immutable = strstr(r->path, "/assets/") != NULL };
        tr_http_reply_file(r->http, r, &file);
    } else {
        if (fd >= 0)
            close(fd);
        tr_http_reply_error(r->http, 404, "not_found", "There is nothing here.");
    }
}

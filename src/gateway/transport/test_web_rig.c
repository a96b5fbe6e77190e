/* See test_web_rig.h. */
#include "gateway/transport/test_web_rig.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "gateway/transport/routes.h"
#include "unit.h"

void pass_ms(unsigned ms)
{
    usleep(ms * 1000); /* tidy: allow sleep - see the header */
}

/* --- the server --- */

static void put_file(const char *root, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
}

static void make_root(char root[64])
{
    char path[128];
    snprintf(root, 64, "/tmp/tring-web-XXXXXX");
    if (!mkdtemp(root))
        abort();
    snprintf(path, sizeof(path), "%s/assets", root);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/ops", root);
    mkdir(path, 0755);
    put_file(root, "index.html", "<p>hello</p>");
    put_file(root, "ops/index.html", "<p>operators</p>");
    put_file(root, "assets/app-1234.js", "0123456789");
    snprintf(path, sizeof(path), "%s/out.txt", root);
    if (symlink("/etc/passwd", path) != 0)
        abort();
}

static void drop_root(const char *root)
{
    static const char *const names[] = { "index.html", "assets/app-1234.js", "ops/index.html",
                                         "out.txt", "big" };
    char path[128];
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/assets", root);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/ops", root);
    rmdir(path);
    rmdir(root);
}

static void on_echo(void *arg, const struct tr_http_request *r)
{
    tr_http_reply_json(
        r->http, 201,
        json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "id", r->params[0], "q",
                  tr_http_arg(r, "q") ? tr_http_arg(r, "q") : "", "body",
                  r->body.n ? (const char *)r->body.p : "", "bearer", tr_http_bearer(r), "host",
                  r->headers[TR_HTTP_HOST], "via", r->headers[TR_HTTP_VIA], "forwarded",
                  r->headers[TR_HTTP_FORWARDED], "real", r->headers[TR_HTTP_X_REAL_IP]));
}

static void on_later(void *arg, const struct tr_http_request *r)
{
    struct server *s = arg;
    s->later = tr_http_id(r->http);
    tr_web_wake(s->web);
}

static void on_file(void *arg, const struct tr_http_request *r)
{
    struct server *s = arg;
    char path[128];
    snprintf(path, sizeof(path), "%s/big", s->root);
    const struct tr_http_file file = {
        .fd = open(path, O_RDONLY), .type = "video/webm", .name = "call 1.webm", .no_store = true
    };
    tr_http_reply_file(r->http, r, &file);
}

static void on_woken(void *arg, tr_usec now)
{
    struct server *s = arg;
    s->woken++;
    const struct tr_dtls_cert *fresh = s->fresh;
    if (fresh) {
        CHECK(tr_web_renew(s->web, fresh) == TR_OK);
        s->fresh = NULL;
    }
    struct tr_http *http = tr_web_http(s->web, s->later);
    if (http)
        tr_http_reply_empty(http, 204);
    s->later = 0;
}

static void on_stopping(void *arg, tr_usec now)
{
    tr_gateway_stop(((struct server *)arg)->rig.gw, now);
}

static void *run(void *arg)
{
    tr_web_run(((struct server *)arg)->web);
    return NULL;
}

void server_start(struct server *s, struct tr_gateway_conf *gw, struct tr_web_conf *conf)
{
    *s = (struct server){ 0 };
    if (rig_create(&s->rig, gw) != TR_OK)
        abort();
    make_root(s->root);
    conf->gw = s->rig.gw;
    conf->listen = conf->listen ? conf->listen : "127.0.0.1";
    conf->port = conf->ws_port = conf->admin_port = -1;
    conf->root = s->root;
    conf->woken = on_woken;
    conf->stopping = on_stopping;
    conf->arg = s;
    if (tr_web_create(&s->web, conf) != TR_OK)
        abort();
    const struct tr_route rows[] = {
        { TR_HTTP_GET | TR_HTTP_POST, "/api/echo/:id", 64, on_echo, s },
        { TR_HTTP_GET, "/api/later", 0, on_later, s },
        { TR_HTTP_GET, "/api/file", 0, on_file, s },
    };
    if (tr_routes_add(tr_web_routes(s->web), rows, 3) != TR_OK)
        abort();
    s->port = tr_web_port(s->web);
    s->ws_port = tr_web_ws_port(s->web);
    s->admin_port = tr_web_admin_port(s->web);
    pthread_create(&s->thread, NULL, run, s);
}

void server_end(struct server *s)
{
    tr_web_stop(s->web);
    pthread_join(s->thread, NULL);
    tr_web_destroy(s->web);
    rig_destroy(&s->rig);
    drop_root(s->root);
}

/* --- the client --- */

int dial(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        abort();
    return fd;
}

bool put(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t done = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        at += (size_t)done;
    }
    return true;
}

bool get(int fd, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t done = recv(fd, (char *)p + at, n - at, 0);
        if (done <= 0)
            return false;
        at += (size_t)done;
    }
    return true;
}

const char *header(const struct reply *r, const char *name)
{
    static char value[512];
    const char *at = strcasestr(r->head, name);
    value[0] = 0;
    if (at) {
        at += strlen(name);
        at += strspn(at, ": ");
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r\n"), at);
    }
    return value;
}

void read_reply(int fd, struct reply *r, bool body)
{
    size_t n = 0;
    *r = (struct reply){ 0 };
    while (n < sizeof(r->head) - 1 && get(fd, r->head + n, 1)) {
        r->head[++n] = 0;
        if (n >= 4 && strcmp(r->head + n - 4, "\r\n\r\n") == 0)
            break;
    }
    sscanf(r->head, "HTTP/1.%*d %d", &r->status);
    r->n = body ? strtoul(header(r, "content-length"), NULL, 10) : 0;
    r->body = calloc(1, r->n + 1);
    if (!get(fd, r->body, r->n))
        r->status = -1;
}

void ask_on(int fd, struct reply *r, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put(fd, text, strlen(text));
    read_reply(fd, r, strncmp(text, "HEAD", 4) != 0);
}

json_t *post(int port, const char *path, const char *fmt, ...)
{
    char body[2048];
    struct reply r = { 0 };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(body, sizeof(body), fmt, ap);
    va_end(ap);
    for (char *p = body; *p; p++)
        if (*p == '\'')
            *p = '"';
    ASK(port, &r,
        "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
        path, strlen(body), body);
    json_t *json = json_loads(r.body, 0, NULL);
    if (r.status != 200)
        CHECK_INT(r.status, 200);
    free(r.body);
    return json;
}

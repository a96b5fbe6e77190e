/* Goal: the listeners speak HTTP and WebSocket as Janus clients, browsers and probes expect, and
 * refuse what is too large, too deep, or somewhere else.
 * Method: the real loop on a thread of its own over loopback, on free ports; a blocking client of
 * plain sockets in the test. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/test_fake_pc.h"
#include "gateway/transport/routes.h"
#include "gateway/transport/web.h"
#include "net/clock.h"
#include "unit.h"

/* Real time goes by: what is tested is a server on a thread of its own that must do nothing, or has
 * to notice something that nobody can ask it about. */
static void pass_ms(unsigned ms)
{
    usleep(ms * 1000); /* tidy: allow sleep - see above */
}

/* --- the server --- */

struct server {
    struct rig rig;
    struct tr_web *web;
    pthread_t thread;
    char root[64];
    int port, ws_port, admin_port;
    tr_id later;
    _Atomic int woken;
};

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

static void server_start(struct server *s, struct tr_gateway_conf *gw, struct tr_web_conf *conf)
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
    for (int i = 0; i < 3; i++)
        if (tr_routes_add(tr_web_routes(s->web), &rows[i]) != TR_OK)
            abort();
    s->port = tr_web_port(s->web);
    s->ws_port = tr_web_ws_port(s->web);
    s->admin_port = tr_web_admin_port(s->web);
    pthread_create(&s->thread, NULL, run, s);
}

static void server_end(struct server *s)
{
    tr_web_stop(s->web);
    pthread_join(s->thread, NULL);
    tr_web_destroy(s->web);
    rig_destroy(&s->rig);
    drop_root(s->root);
}

/* --- the client --- */

struct reply {
    int status;
    char head[8192];
    char *body; /* NUL-terminated */
    size_t n;
};

static int dial(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        abort();
    return fd;
}

static bool put(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t done = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        at += (size_t)done;
    }
    return true;
}

static bool get(int fd, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t done = recv(fd, (char *)p + at, n - at, 0);
        if (done <= 0)
            return false;
        at += (size_t)done;
    }
    return true;
}

static const char *header(const struct reply *r, const char *name)
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

static void read_reply(int fd, struct reply *r, bool body)
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

__attribute__((format(printf, 3, 4))) static void ask_on(int fd, struct reply *r, const char *fmt,
                                                         ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put(fd, text, strlen(text));
    read_reply(fd, r, strncmp(text, "HEAD", 4) != 0);
}

#define ASK(port, r, ...)                                                                          \
    do {                                                                                           \
        int ask_fd = dial(port);                                                                   \
        free((r)->body);                                                                           \
        ask_on(ask_fd, (r), __VA_ARGS__);                                                          \
        close(ask_fd);                                                                             \
    } while (0)
#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: x\r\n" more "\r\n"

__attribute__((format(printf, 3, 4))) static json_t *post(int port, const char *path,
                                                          const char *fmt, ...)
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

#define ENDS(json, check)                                                                          \
    do {                                                                                           \
        json_t *ends_json = (json);                                                                \
        const json_t *J = ends_json;                                                               \
        check;                                                                                     \
        json_decref(ends_json);                                                                    \
    } while (0)

/* --- HTTP --- */

static long long cpu_us(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000LL + use.ru_utime.tv_usec +
           use.ru_stime.tv_usec;
}

#define CHECK_CALM(spent) CHECK(cpu_us() - (spent) < 100000)

TEST(web_rest_api)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    char path[128];
    struct reply r = { 0 };
    server_start(&s, NULL, &conf);
    ENDS(post(s.port, "/janus", "{'janus':'ping','transaction':'t'}"),
         CHECK_STR(fake_text(J, "janus"), "pong"));
    json_t *made = post(s.port, "/janus", "{'janus':'create','transaction':'t'}");
    long long session = fake_int(made, "data.id");
    json_decref(made);
    snprintf(path, sizeof(path), "/janus/%lld", session);
    made =
        post(s.port, path, "{'janus':'attach','transaction':'t','plugin':'janus.plugin.single'}");
    long long handle = fake_int(made, "data.id");
    json_decref(made);
    CHECK(session > 0 && handle > 0);
    char deep[128];
    snprintf(deep, sizeof(deep), "/janus/%lld/%lld", session, handle);
    ENDS(post(s.port, deep, "{'janus':'message','transaction':'m','body':{}}"),
         CHECK_STR(fake_text(J, "janus"), "ack"));
    ASK(s.port, &r, "GET %s?rid=1&maxev=5 HTTP/1.1\r\nHost: x\r\n\r\n", path);
    ENDS(json_loads(r.body, 0, NULL), CHECK_STR(fake_text(J, "0.janus"), "event"));
    CHECK_STR(header(&r, "content-type"), "application/json");
    ASK(s.port, &r, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", deep);
    CHECK_INT(r.status, 302);
    CHECK_STR(header(&r, "location"), path);
    ASK(s.port, &r, GET("/janus/info", ""));
    ENDS(json_loads(r.body, 0, NULL), CHECK_STR(fake_text(J, "janus"), "server_info"));
    ASK(s.port, &r, GET("/janus/ping", ""));
    ENDS(json_loads(r.body, 0, NULL), CHECK_STR(fake_text(J, "janus"), "pong"));
    ASK(s.port, &r, GET("/janus/1/2/3", ""));
    CHECK_INT(r.status, 404);
    ASK(s.port, &r, GET("/janus/7", ""));
    ENDS(json_loads(r.body, 0, NULL), CHECK_INT(fake_int(J, "error.code"), 458));
    ASK(s.port, &r, "DELETE /janus HTTP/1.1\r\nHost: x\r\n\r\n");
    ENDS(json_loads(r.body, 0, NULL), CHECK_INT(fake_int(J, "error.code"), 450));
    ENDS(post(s.port, "/janus", "{"), CHECK_INT(fake_int(J, "error.code"), 454));
    ENDS(post(s.port, "/janus", "%s", ""), CHECK_INT(fake_int(J, "error.code"), 454));
    ENDS(post(s.port, "/janus/x", "{'janus':'keepalive','transaction':'t'}"),
         CHECK_INT(fake_int(J, "error.code"), 458));
    ENDS(post(s.port, path, "{'janus':'destroy','transaction':'t'}"),
         CHECK_STR(fake_text(J, "janus"), "success"));
    free(r.body);
    server_end(&s);
}

TEST(web_long_poll_waits)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    char path[128], deep[160];
    server_start(&s, NULL, &conf);
    json_t *made = post(s.port, "/janus", "{'janus':'create','transaction':'t'}");
    snprintf(path, sizeof(path), "/janus/%lld", (long long)fake_int(made, "data.id"));
    json_decref(made);
    made =
        post(s.port, path, "{'janus':'attach','transaction':'t','plugin':'janus.plugin.single'}");
    snprintf(deep, sizeof(deep), "%s/%lld", path, (long long)fake_int(made, "data.id"));
    json_decref(made);
    int gone = dial(s.port), fd = dial(s.port);
    char ask[256];
    snprintf(ask, sizeof(ask), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    put(gone, ask, strlen(ask));
    pass_ms(50);
    close(gone); /* a poll that nobody waits for takes no event */
    pass_ms(50);
    put(fd, ask, strlen(ask));
    pass_ms(50);
    ENDS(post(s.port, deep, "{'janus':'message','transaction':'m','body':{}}"),
         CHECK_STR(fake_text(J, "janus"), "ack"));
    struct reply r;
    read_reply(fd, &r, true);
    ENDS(json_loads(r.body, 0, NULL), CHECK_STR(fake_text(J, "transaction"), "m"));
    free(r.body);
    int next = dial(s.port); /* asks on while it waits */
    put(next, ask, strlen(ask));
    put(next, ask, strlen(ask));
    pass_ms(100);
    long long spent = cpu_us();
    pass_ms(300);
    CHECK_CALM(spent);
    close(next);
    put(fd, ask, strlen(ask)); /* the same connection again, and the server stops while it waits */
    pass_ms(50);
    server_end(&s);
    close(fd);
}

TEST(web_secret_and_cors)
{
    struct server s;
    struct tr_web_conf conf = { .allow_origin = "https://a.example", .enforce_cors = true };
    struct tr_gateway_conf gw = { .api_secret = "s" };
    struct reply r = { 0 };
    server_start(&s, &gw, &conf);
    ASK(s.port, &r, GET("/janus/7", ""));
    CHECK_INT(r.status, 403);
    ASK(s.port, &r, GET("/janus/7?apisecret=s", ""));
    CHECK_INT(r.status, 200);
    ASK(s.port, &r, GET("/janus/ping", "Origin: https://b.example\r\n"));
    CHECK_INT(r.status, 403);
    ASK(s.port, &r,
        "OPTIONS /janus HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: "
        "content-type\r\n\r\n");
    CHECK_INT(r.status, 200);
    CHECK_STR(header(&r, "access-control-allow-origin"), "https://a.example");
    CHECK_STR(header(&r, "access-control-allow-credentials"), "true");
    CHECK_STR(header(&r, "access-control-max-age"), "86400");
    CHECK_STR(header(&r, "access-control-allow-methods"), "POST");
    CHECK_STR(header(&r, "access-control-allow-headers"), "content-type");
    free(r.body);
    server_end(&s);
}

TEST(web_headers_of_proxies_are_seen)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r = { 0 };
    server_start(&s, NULL, &conf);
    ASK(s.port, &r,
        GET("/api/echo/1", "Via: 1.1 p\r\nForwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.2\r\n"));
    ENDS(json_loads(r.body, 0, NULL), {
        CHECK_STR(json_string_value(json_object_get(J, "host")), "x");
        CHECK_STR(json_string_value(json_object_get(J, "via")), "1.1 p");
        CHECK_STR(json_string_value(json_object_get(J, "forwarded")), "for=192.0.2.1");
        CHECK_STR(json_string_value(json_object_get(J, "real")), "192.0.2.2");
    });
    free(r.body);
    server_end(&s);
}

TEST(web_guesses_at_a_secret_are_limited)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct tr_gateway_conf gw = { .admin_secret = "s", .rate_per_s = 1, .rate_burst = 3 };
    struct reply r = { 0 };
    server_start(&s, &gw, &conf);
    int fd = dial(s.admin_port);
    for (int i = 0; i < 4; i++) {
        ask_on(fd, &r, GET("/admin/info?admin_secret=guess", ""));
        CHECK_INT(r.status, i < 3 ? 200 : 429);
        free(r.body);
    }
    close(fd);
    server_end(&s);
}

TEST(web_cors_for_all)
{
    struct server s;
    struct tr_web_conf conf = { .allow_origin = "*", .enforce_cors = true };
    struct reply r = { 0 };
    server_start(&s, NULL, &conf);
    ASK(s.port, &r, GET("/janus/ping", "Origin: https://b.example\r\n"));
    CHECK_INT(r.status, 200);
    CHECK_STR(header(&r, "access-control-allow-origin"), "*");
    CHECK_STR(header(&r, "access-control-allow-credentials"), "");
    free(r.body);
    server_end(&s);
}

TEST(web_pages)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r = { 0 };
    server_start(&s, NULL, &conf);
    ASK(s.port, &r, GET("/", ""));
    CHECK_INT(r.status, 200);
    CHECK_STR(r.body, "<p>hello</p>");
    CHECK_STR(header(&r, "content-type"), "text/html; charset=utf-8");
    CHECK_STR(header(&r, "cache-control"), "no-cache");
    CHECK_STR(header(&r, "x-content-type-options"), "nosniff");
    CHECK(strstr(header(&r, "content-security-policy"), "default-src 'self'") != NULL);
    char etag[128];
    snprintf(etag, sizeof(etag), "%s", header(&r, "etag"));
    ASK(s.port, &r, "GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n", etag);
    CHECK_INT(r.status, 304);
    ASK(s.port, &r, GET("/assets/app-1234.js", "Range: bytes=2-4\r\n"));
    CHECK_INT(r.status, 206);
    CHECK_STR(r.body, "234");
    CHECK_STR(header(&r, "content-range"), "bytes 2-4/10");
    CHECK(strstr(header(&r, "cache-control"), "immutable") != NULL);
    ASK(s.port, &r, GET("/assets/app-1234.js", "Range: bytes=10-\r\n"));
    CHECK_INT(r.status, 416);
    CHECK_STR(header(&r, "content-range"), "bytes */10");
    ASK(s.port, &r, GET("/assets/app-1234.js", "Range: bytes=2-4\r\nIf-Range: \"old\"\r\n"));
    CHECK_INT(r.status, 200);
    ASK(s.port, &r, "HEAD /assets/app-1234.js HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_INT(r.status, 200);
    CHECK_STR(header(&r, "content-length"), "10");
    ASK(s.port, &r, GET("/assets", ""));
    CHECK_INT(r.status, 302);
    CHECK_STR(header(&r, "location"), "/assets/");
    static const char *const none[] = { "/out.txt",         "/assets/",
                                        "/nothing",         "/%2e%2e/etc/passwd",
                                        "/..%2fetc/passwd", "/assets/..%2f..%2fetc/passwd",
                                        "/index.html/",     "/.hidden" };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        ASK(s.port, &r, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", none[i]);
        if (r.status != 404 && r.status != 0)
            unit_note("    %s: %d", none[i], r.status), CHECK(false);
    }
    ASK(s.port, &r, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    CHECK_INT(r.status, 404);
    free(r.body);
    server_end(&s);
}

TEST(web_routes)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r = { 0 };
    server_start(&s, NULL, &conf);
    ASK(s.port, &r,
        "POST /api/echo/17?q=a%%26b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer xyz\r\n"
        "Content-Length: 5\r\n\r\nhello");
    CHECK_INT(r.status, 201);
    ENDS(json_loads(r.body, 0, NULL), CHECK_STR(fake_text(J, "id"), "17");
         CHECK_STR(fake_text(J, "q"), "a&b"); CHECK_STR(fake_text(J, "bearer"), "xyz");
         CHECK(strncmp(fake_text(J, "body"), "hello", 5) == 0));
    ASK(s.port, &r, "PUT /api/echo/17 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    CHECK_INT(r.status, 405);
    ASK(s.port, &r, "POST /api/echo/17 HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n%065d", 0);
    CHECK_INT(r.status, 413);
    CHECK_STR(header(&r, "connection"), "close");
    ASK(s.port, &r,
        "POST /api/echo/17 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    CHECK_INT(r.status, 411);
    ASK(s.port, &r, GET("/api/later", ""));
    CHECK_INT(r.status, 204);
    CHECK(s.woken >= 1);
    int fd = dial(s.port); /* two requests at once on one connection */
    free(r.body);
    ask_on(fd, &r, GET("/api/echo/1", "") GET("/api/echo/2", ""));
    ENDS(json_loads(r.body, 0, NULL), CHECK_STR(fake_text(J, "id"), "1"));
    free(r.body);
    read_reply(fd, &r, true);
    ENDS(json_loads(r.body, 0, NULL), CHECK_STR(fake_text(J, "id"), "2"));
    close(fd);
    free(r.body);
    server_end(&s);
}

TEST(web_large_file)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r = { 0 };
    const size_t size = 30 * 1024 * 1024 + 17;
    char path[128], *bytes = malloc(size);
    server_start(&s, NULL, &conf);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 >> 3);
    snprintf(path, sizeof(path), "%s/big", s.root);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    CHECK(write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    ASK(s.port, &r, GET("/api/file", ""));
    CHECK(r.status == 200 && r.n == size && memcmp(r.body, bytes, size) == 0);
    CHECK_STR(header(&r, "content-disposition"), "attachment; filename=\"call 1.webm\"");
    CHECK_STR(header(&r, "cache-control"), "private, no-store");
    ASK(s.port, &r, GET("/api/file", "Range: bytes=-1000017\r\n"));
    CHECK(r.status == 206 && r.n == 1000017 && memcmp(r.body, bytes + size - r.n, r.n) == 0);
    fd = dial(s.port); /* takes nothing and talks on: the loop must not spin */
    put(fd, GET("/api/file", "") "x", strlen(GET("/api/file", "") "x"));
    pass_ms(300);
    long long spent = cpu_us();
    pass_ms(300);
    CHECK_CALM(spent);
    close(fd);
    fd = dial(s.port);
    put(fd, GET("/api/file", ""), strlen(GET("/api/file", "")));
    shutdown(fd, SHUT_WR);
    pass_ms(300);
    spent = cpu_us();
    pass_ms(300);
    CHECK_CALM(spent);
    free(r.body); /* and it still gets all of it */
    read_reply(fd, &r, true);
    CHECK(r.status == 200 && r.n == size && memcmp(r.body, bytes, size) == 0);
    close(fd);
    fd = dial(s.port); /* half of it, then gone */
    put(fd, GET("/api/file", ""), strlen(GET("/api/file", "")));
    CHECK(get(fd, bytes, 100000));
    close(fd);
    unlink(path);
    ASK(s.port, &r, GET("/livez", ""));
    CHECK_INT(r.status, 200);
    free(r.body);
    free(bytes);
    server_end(&s);
}

TEST(web_health_and_metrics)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r = { 0 };
    server_start(&s, NULL, &conf);
    ASK(s.port, &r, GET("/livez", ""));
    CHECK_STR(r.body, "ok\n");
    ASK(s.port, &r, GET("/readyz", ""));
    CHECK_INT(r.status, 200);
    ENDS(post(s.admin_port, "/admin",
              "{'janus':'accept_new_sessions','transaction':'t','admin_secret':'boss','accept':"
              "false}"),
         CHECK_STR(fake_text(J, "janus"), "success"));
    ASK(s.port, &r, GET("/readyz", ""));
    CHECK_INT(r.status, 503);
    CHECK_STR(r.body, "not accepting new sessions\n");
    ASK(s.admin_port, &r, GET("/metrics", ""));
    CHECK(strstr(r.body, "\ntring_admin_requests_total 1\n") != NULL);
    CHECK(strstr(r.body, "# TYPE tring_sessions gauge\ntring_sessions 0\n") != NULL);
    CHECK(strstr(r.body, "tring_http_responses_total{class=\"5xx\"} 1\n") != NULL);
    ASK(s.admin_port, &r, GET("/janus/ping", ""));
    CHECK_INT(r.status, 404);                /* the Admin port has the Admin API alone, */
    ASK(s.admin_port, &r, GET("/ops/", "")); /* and of the pages the operators' */
    CHECK_STR(r.body, "<p>operators</p>");
    ASK(s.admin_port, &r, GET("/ops", ""));
    CHECK_INT(r.status, 302);
    ASK(s.admin_port, &r, GET("/assets/app-1234.js", ""));
    CHECK_INT(r.status, 200);
    ASK(s.admin_port, &r, GET("/", ""));
    CHECK_INT(r.status, 404);
    ASK(s.admin_port, &r, GET("/ops/%%2e%%2e/index.html", ""));
    CHECK_INT(r.status, 404);
    ASK(s.port, &r, GET("/admin/ping", ""));
    CHECK_INT(r.status, 404);
    ASK(s.ws_port, &r, GET("/janus/ping", ""));
    CHECK_INT(r.status, 403);
    free(r.body);
    server_end(&s);
}

/* --- TLS --- */

static void make_cert(const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_sign(cert, key, EVP_sha256());
    FILE *f = fopen(cert_path, "w");
    PEM_write_X509(f, cert);
    fclose(f);
    f = fopen(key_path, "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
}

TEST(web_tls_on_all_addresses)
{
    struct server s;
    char dir[] = "/tmp/tring-tls-XXXXXX", cert[64], key[64], text[4096];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    make_cert(cert, key);
    struct tr_web_conf conf = { .listen = "", .tls_cert = cert, .tls_key = key, .tls_port = -1 };
    server_start(&s, NULL, &conf);
    CHECK(tr_web_tls_port(s.web) > 0);
    struct reply r = { 0 };
    ASK(s.port, &r, GET("/livez", ""));
    CHECK_INT(r.status, 200);
    free(r.body);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    int fd = dial(tr_web_tls_port(s.web));
    SSL_set_fd(ssl, fd);
    CHECK_INT(SSL_connect(ssl), 1);
    const char *ask = GET("/janus/ping", "");
    CHECK(SSL_write(ssl, ask, (int)strlen(ask)) > 0);
    int n = 0;
    while (n < (int)sizeof(text) - 1) {
        int got = SSL_read(ssl, text + n, (int)sizeof(text) - 1 - n);
        if (got <= 0)
            break;
        n += got;
        text[n] = 0;
        if (strstr(text, "pong"))
            break;
    }
    text[n] = 0;
    CHECK(strstr(text, "HTTP/1.1 200") == text && strstr(text, "pong") != NULL);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    unlink(cert);
    unlink(key);
    rmdir(dir);
    server_end(&s);
}

/* --- WebSocket --- */

static int ws_open(int port, const char *path, const char *more, struct reply *r)
{
    int fd = dial(port);
    ask_on(fd, r,
           "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
           path, more);
    free(r->body);
    r->body = NULL;
    return fd;
}

#define JANUS "Sec-WebSocket-Protocol: janus-protocol\r\n"

static void ws_frame(int fd, uint8_t first, const void *p, size_t n)
{
    uint8_t head[14] = { first, 0 };
    size_t len = 2;
    if (n < 126) {
        head[1] = (uint8_t)(0x80 | n);
    } else if (n < 65536) {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(n >> 8);
        head[3] = (uint8_t)n;
        len = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
        len = 10;
    }
    len += 4; /* a mask of zeros */
    put(fd, head, len);
    put(fd, p, n);
}

/* The payload (NUL-terminated) and the first byte of the next frame; NULL at the end. */
static char *ws_read(int fd, uint8_t *first)
{
    uint8_t head[10];
    if (!get(fd, head, 2))
        return NULL;
    size_t n = head[1] & 0x7f;
    if (n == 126) {
        get(fd, head + 2, 2);
        n = (size_t)head[2] << 8 | head[3];
    } else if (n == 127) {
        get(fd, head + 2, 8);
        n = (size_t)head[6] << 24 | (size_t)head[7] << 16 | (size_t)head[8] << 8 | head[9];
    }
    char *text = calloc(1, n + 1);
    *first = head[0];
    if (!get(fd, text, n)) {
        free(text);
        return NULL;
    }
    return text;
}

static json_t *ws_json(int fd)
{
    uint8_t first = 0;
    char *text = ws_read(fd, &first);
    CHECK_INT(first, 0x81); /* one whole text frame */
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return json;
}

static void ws_say(int fd, const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    ws_frame(fd, 0x81, copy, strlen(copy));
}

static int ws_close_code(int fd)
{
    uint8_t first = 0;
    for (;;) {
        char *text = ws_read(fd, &first);
        if (!text)
            return -1;
        int code = (uint8_t)text[0] << 8 | (uint8_t)text[1];
        free(text);
        if (first == 0x88)
            return code;
    }
}

TEST(ws_messages)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r;
    server_start(&s, NULL, &conf);
    const int ports[] = { s.port, s.ws_port };
    for (int i = 0; i < 2; i++) {
        int fd = ws_open(ports[i], i ? "/anything" : "/", JANUS, &r);
        CHECK_INT(r.status, 101);
        CHECK_STR(header(&r, "sec-websocket-protocol"), "janus-protocol");
        ws_say(fd, "{'janus':'ping','transaction':'1'}{'janus':'ping','transaction':'2'}");
        ENDS(ws_json(fd), CHECK_STR(fake_text(J, "transaction"), "1"));
        ENDS(ws_json(fd), CHECK_STR(fake_text(J, "transaction"), "2"));
        /* one message in three fragments, with a ping between */
        const char *text = "{\"janus\":\"create\",\"transaction\":\"3\"}";
        ws_frame(fd, 0x01, text, 10);
        ws_frame(fd, 0x89, "hi", 2);
        ws_frame(fd, 0x00, text + 10, 5);
        ws_frame(fd, 0x80, text + 15, strlen(text) - 15);
        uint8_t first = 0;
        char *pong = ws_read(fd, &first);
        CHECK(first == 0x8a && pong && strcmp(pong, "hi") == 0);
        free(pong);
        ENDS(ws_json(fd), CHECK_STR(fake_text(J, "janus"), "success"));
        ws_say(fd, "{");
        ENDS(ws_json(fd), CHECK_INT(fake_int(J, "error.code"), 454));
        close(fd);
    }
    int fd = ws_open(s.port, "/janus", JANUS, &r);
    CHECK_INT(r.status, 101);
    char *large = malloc(100001);
    snprintf(large, 100001, "{\"janus\":\"ping\",\"transaction\":\"x\",\"pad\":\"%0*d\"}", 90000,
             7);
    ws_frame(fd, 0x81, large, strlen(large)); /* many reads, one message */
    ENDS(ws_json(fd), CHECK_STR(fake_text(J, "janus"), "pong"));
    ws_say(fd, "{'janus':'info','transaction':'x'}"); /* a longer answer in one frame */
    ENDS(ws_json(fd), CHECK_STR(fake_text(J, "janus"), "server_info"));
    free(large);
    close(fd);
    server_end(&s);
}

TEST(ws_refusals)
{
    struct server s;
    struct tr_web_conf conf = { .enforce_cors = true, .allow_origin = "https://a.example" };
    struct reply r;
    server_start(&s, NULL, &conf);
    static const struct {
        const char *path, *more;
        bool ok;
    } cases[] = {
        { "/", JANUS, true },
        { "/", "", false },
        { "/", "Sec-WebSocket-Protocol: other\r\n", false },
        { "/", "Sec-WebSocket-Protocol: http\r\n", false },
        { "/", "Sec-WebSocket-Protocol: janus-admin-protocol\r\n", false },
        { "/elsewhere", JANUS, false },
        { "/", JANUS "Origin: https://a.example\r\n", true },
        { "/", JANUS "Origin: https://b.example\r\n", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        close(ws_open(s.port, cases[i].path, cases[i].more, &r));
        if ((r.status == 101) != cases[i].ok)
            CHECK_STR(cases[i].more, "as in the table");
    }
    static const struct {
        uint8_t first;
        const char *bytes;
        int code;
    } frames[] = {
        { 0x82, "{}", 1003 },       /* binary */
        { 0x81, "\xff\xfe", 1007 }, /* not UTF-8 */
        { 0x83, "", 1002 },         /* no such opcode */
    };
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        int fd = ws_open(s.port, "/", JANUS, &r);
        ws_frame(fd, frames[i].first, frames[i].bytes, strlen(frames[i].bytes));
        int code = ws_close_code(fd);
        CHECK(code == frames[i].code || code == -1);
        close(fd);
    }
    int fd = ws_open(s.port, "/", JANUS, &r);
    uint8_t huge[14] = { 0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0 }; /* says 4 GiB */
    put(fd, huge, 14);
    put(fd, "xxxx", 4);
    CHECK_INT(ws_close_code(fd), 1009);
    close(fd);
    fd = ws_open(s.port, "/", JANUS, &r); /* many fragments */
    char *part = calloc(1, 70000);
    memset(part, ' ', 70000);
    for (int i = 0; i < 5; i++)
        ws_frame(fd, i ? 0x00 : 0x01, part, 60000);
    CHECK_INT(ws_close_code(fd), 1009);
    close(fd);
    free(part);
    server_end(&s);
}

TEST(ws_admin)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r;
    server_start(&s, NULL, &conf);
    int fd = ws_open(s.admin_port, "/", "Sec-WebSocket-Protocol: janus-admin-protocol\r\n", &r);
    CHECK_INT(r.status, 101);
    ws_say(fd, "{'janus':'list_sessions','transaction':'x','admin_secret':'boss'}");
    ENDS(ws_json(fd), CHECK(json_is_array(fake_at(J, "sessions"))));
    close(fd);
    close(ws_open(s.admin_port, "/", JANUS, &r));
    CHECK(r.status != 101);
    server_end(&s);
}

TEST(ws_slow_reader_is_cut_off)
{
    struct server s;
    struct tr_web_conf conf = { .ws_queue_max = 20000 };
    struct reply r;
    server_start(&s, NULL, &conf);
    int fd = ws_open(s.port, "/", JANUS, &r);
    bool open = true;
    for (int i = 0; i < 20000 && open; i++) {
        static const char text[] = "{\"janus\":\"info\",\"transaction\":\"x\"}";
        uint8_t frame[64] = { 0x81, 0x80 | (sizeof(text) - 1) };
        memcpy(frame + 6, text, sizeof(text) - 1);
        open = put(fd, frame, 6 + sizeof(text) - 1);
    }
    pass_ms(200);
    close(fd);
    struct reply page = { 0 };
    ASK(s.port, &page, GET("/metrics", ""));
    CHECK(strstr(page.body, "tring_websocket_overflows_total 1\n") != NULL);
    CHECK(strstr(page.body, "tring_websocket_connections 0\n") != NULL);
    free(page.body);
    server_end(&s);
}

/* The rate limit is that of the clients, not of the proxy that they share. */
TEST(ws_behind_a_proxy)
{
    struct server s;
    struct tr_web_conf conf = { .proxies = { tr_addr_v4(127, 0, 0, 1, 0) }, .proxy_count = 1 };
    struct tr_gateway_conf gw = { .rate_per_s = 1, .rate_burst = 1 };
    static const char *const from[] = { "192.0.2.1", "9.9.9.9, 192.0.2.2", "192.0.2.1" };
    static const char *const says[] = { "pong", "pong", "error" };
    server_start(&s, &gw, &conf);
    for (int i = 0; i < 3; i++) {
        char more[128];
        struct reply r = { 0 };
        snprintf(more, sizeof(more), JANUS "X-Forwarded-For: %s\r\n", from[i]);
        int fd = ws_open(s.port, "/", more, &r);
        CHECK_INT(r.status, 101);
        ws_say(fd, "{'janus':'ping','transaction':'t'}");
        ENDS(ws_json(fd), CHECK_STR(json_string_value(json_object_get(J, "janus")), says[i]));
        close(fd);
    }
    server_end(&s);
}

TEST(ws_connection_loss_ends_the_session)
{
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct reply r;
    char path[64];
    server_start(&s, NULL, &conf);
    int fd = ws_open(s.port, "/", JANUS, &r);
    ws_say(fd, "{'janus':'create','transaction':'1'}");
    json_t *made = ws_json(fd);
    snprintf(path, sizeof(path), "/janus/%lld", (long long)fake_int(made, "data.id"));
    json_decref(made);
    ENDS(post(s.port, path, "{'janus':'keepalive','transaction':'t'}"),
         CHECK_STR(fake_text(J, "janus"), "ack"));
    close(fd);
    pass_ms(100);
    ENDS(post(s.port, path, "{'janus':'keepalive','transaction':'t'}"),
         CHECK_INT(fake_int(J, "error.code"), 458));
    server_end(&s);
}

TEST(web_connection_limit)
{
    struct server s;
    struct tr_web_conf conf = { .connections_max = 8 };
    struct reply r = { 0 };
    int fds[16];
    server_start(&s, NULL, &conf);
    for (int i = 0; i < 16; i++)
        fds[i] = dial(s.port);
    ask_on(fds[15], &r, GET("/livez", ""));
    CHECK(r.status != 200);
    free(r.body);
    for (int i = 0; i < 16; i++)
        close(fds[i]);
    pass_ms(100);
    r.body = NULL;
    ASK(s.port, &r, GET("/livez", ""));
    CHECK_INT(r.status, 200);
    free(r.body);
    server_end(&s);
}

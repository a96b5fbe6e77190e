/* Goal: the listeners speak HTTP as Janus clients, browsers and probes expect, with TLS and
 * without, and refuse what is too large, too deep, or somewhere else.
 * Method: the real loop over loopback and a blocking client (test_web_rig.h). */
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "dtls/dtls.h"
#include "gateway/transport/test_web_rig.h"
#include "unit.h"

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

/* --- TLS --- */

struct tls_client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static bool tls_dial(struct tls_client *c, const struct server *s)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = SSL_new(c->ctx);
    c->fd = dial(tr_web_tls_port(s->web));
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

static void tls_close(struct tls_client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
}

static bool tls_is_shown(const struct tls_client *c, const struct tr_dtls_cert *cert)
{
    const struct tr_dtls_fingerprint *want = tr_dtls_cert_fingerprint(cert);
    uint8_t got[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    X509 *x509 = SSL_get0_peer_certificate(c->ssl);
    return x509 && X509_digest(x509, EVP_sha256(), got, &n) == 1 && n == want->len &&
           memcmp(got, want->bytes, n) == 0;
}

/* Whether an answer of 200 comes, with this in it. */
static bool tls_reads(const struct tls_client *c, const char *what)
{
    char text[4096] = "";
    int n = 0, got = 1;
    while (got > 0 && n < (int)sizeof(text) - 1 && !strstr(text, what)) {
        got = SSL_read(c->ssl, text + n, (int)sizeof(text) - 1 - n);
        n += got > 0 ? got : 0;
        text[n] = 0;
    }
    return strstr(text, "HTTP/1.1 200") == text && strstr(text, what);
}

static bool tls_pings(const struct tls_client *c)
{
    const char *ask = GET("/janus/ping", "");
    return SSL_write(c->ssl, ask, (int)strlen(ask)) > 0 && tls_reads(c, "pong");
}

static void renew(struct server *s, const struct tr_dtls_cert *cert)
{
    s->fresh = cert;
    tr_web_wake(s->web);
    while (s->fresh)
        pass_ms(1);
}

TEST(web_tls_on_all_addresses_with_a_certificate_that_is_renewed)
{
    struct server s;
    struct tr_web_conf conf = { .listen = "", .tls = true, .tls_port = -1 };
    struct tr_dtls_cert *old = tr_dtls_cert_create(1700000000);
    struct tr_dtls_cert *fresh = tr_dtls_cert_create(1700000000);
    struct tls_client before, after;
    struct reply r = { 0 };
    server_start(&s, NULL, &conf);
    CHECK(tr_web_tls_port(s.web) > 0);
    ASK(s.port, &r, GET("/livez", ""));
    CHECK_INT(r.status, 200);
    CHECK(!tls_dial(&before, &s)); /* there is none yet */
    tls_close(&before);
    renew(&s, old);
    CHECK(tls_dial(&before, &s) && tls_is_shown(&before, old) && tls_pings(&before));
    renew(&s, fresh);
    tr_dtls_cert_destroy(old);
    CHECK(tls_dial(&after, &s) && tls_is_shown(&after, fresh) && tls_pings(&after));
    tr_dtls_cert_destroy(fresh);
    CHECK(tls_pings(&before));
    tls_close(&before);
    tls_close(&after);
    free(r.body);
    server_end(&s);
}

/* What the library has read ahead, a record of TLS with more than it takes at once, does not wait
 * for the client to say something more. */
TEST(web_tls_records_are_read_to_their_end)
{
    enum { REQUESTS = 20, BODY = 100000 };
    struct server s;
    struct tr_web_conf conf = { .tls = true, .tls_port = -1 };
    struct tr_dtls_cert *cert = tr_dtls_cert_create(1700000000);
    struct tls_client c;
    static char text[BODY + 4096];
    server_start(&s, NULL, &conf);
    renew(&s, cert);
    tr_dtls_cert_destroy(cert);
    CHECK(tls_dial(&c, &s));
    char *p = text;
    for (int i = 0; i < REQUESTS; i++)
        p = stpcpy(p, GET("/livez", ""));
    CHECK(SSL_write(c.ssl, text, (int)(p - text)) == p - text); /* one record */
    int seen = 0;
    for (int n = 0; seen < REQUESTS;) {
        int got = SSL_read(c.ssl, text + n, (int)sizeof(text) - 1 - n);
        if (!CHECK(got > 0))
            break;
        n += got;
        text[n] = 0;
        seen = 0;
        for (p = text; (p = strstr(p, "ok\n")); p++)
            seen++;
    }
    int n = snprintf(text, sizeof(text),
                     "POST /janus HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                     "{\"janus\":\"ping\",\"transaction\":\"t\"}",
                     BODY);
    size_t whole = (size_t)(strstr(text, "{") - text) + BODY;
    memset(text + n, ' ', whole - (size_t)n);
    CHECK(SSL_write(c.ssl, text, (int)whole) == (int)whole);
    CHECK(tls_reads(&c, "pong"));
    CHECK(tls_pings(&c));
    tls_close(&c);
    server_end(&s);
}

/* Goal: the listeners speak WebSocket as Janus clients and browsers expect, and refuse or cut off
 * who sends nonsense, too much, or takes nothing.
 * Method: the real loop over loopback and a blocking client (test_web_rig.h) that makes its frames
 * by hand. */
#include <sys/resource.h>
#include <time.h>

#include "gateway/transport/test_web_rig.h"
#include "unit.h"

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

/* The library's timers run while nothing else happens. */
TEST(ws_is_pinged_when_it_is_quiet)
{
    struct server s;
    struct tr_web_conf conf = { .ping_us = TR_SECOND };
    struct reply r;
    uint8_t first = 0;
    server_start(&s, NULL, &conf);
    int fd = ws_open(s.port, "/", JANUS, &r);
    for (int i = 0; i < 2; i++) {
        free(ws_read(fd, &first));
        CHECK_INT(first, 0x89);
        ws_frame(fd, 0x8a, "", 0);
    }
    close(fd);
    server_end(&s);
}

static int64_t thread_cpu_us(pthread_t thread)
{
    clockid_t id;
    struct timespec t;
    if (pthread_getcpuclockid(thread, &id) != 0 || clock_gettime(id, &t) != 0)
        abort();
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Of the loop's thread, at the best of a few times: the machine has other work. */
static int64_t cost_of_pings(const struct server *s, int fd)
{
    int64_t best = INT64_MAX;
    for (int round = 0; round < 5; round++) {
        int64_t before = thread_cpu_us(s->thread);
        for (int i = 0; i < 100; i++) {
            ws_say(fd, "{'janus':'ping','transaction':'t'}");
            json_decref(ws_json(fd));
        }
        int64_t took = thread_cpu_us(s->thread) - before;
        best = took < best ? took : best;
    }
    return best;
}

/* A message costs what it costs, however many others are connected: with poll(2) it took many times
 * as much beside these. The server ends with all of them open. */
TEST(ws_quiet_crowd_costs_nothing)
{
    enum { CROWD = 900 };
    static int crowd[CROWD];
    struct rlimit files;
    struct server s;
    struct tr_web_conf conf = { 0 };
    struct tr_gateway_conf gw = { .rate_per_s = 100000, .rate_burst = 100000 };
    struct reply r;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    server_start(&s, &gw, &conf);
    int fd = ws_open(s.port, "/", JANUS, &r);
    int64_t alone = cost_of_pings(&s, fd);
    for (int i = 0; i < CROWD; i++)
        crowd[i] = ws_open(s.port, "/", JANUS, &r);
    int64_t beside = cost_of_pings(&s, fd);
    if (!CHECK(beside < alone * 5))
        unit_note("    %" PRId64 " us alone, %" PRId64 " us beside %d", alone, beside, CROWD);
    server_end(&s);
    for (int i = 0; i < CROWD; i++)
        close(crowd[i]);
    close(fd);
}

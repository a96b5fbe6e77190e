/* Goal: the pure parts of HTTP and the routes, case by case. */
#include "base/mem.h"
#include "gateway/transport/crowd.h"
#include "gateway/transport/http_parse.h"
#include "gateway/transport/routes.h"
#include "unit.h"

TEST(http_ranges)
{
    static const struct {
        const char *header;
        enum tr_http_range result;
        uint64_t first, last;
    } cases[] = {
        { NULL, TR_RANGE_NONE, 0, 0 },
        { "bytes=0-99", TR_RANGE_ONE, 0, 99 },
        { "Bytes=10-", TR_RANGE_ONE, 10, 999 },
        { "bytes=-10", TR_RANGE_ONE, 990, 999 },
        { "bytes=-5000", TR_RANGE_ONE, 0, 999 },
        { "bytes=900-5000", TR_RANGE_ONE, 900, 999 },
        { "bytes=999-999", TR_RANGE_ONE, 999, 999 },
        { "bytes=1000-", TR_RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=-0", TR_RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=5-4", TR_RANGE_NONE, 0, 0 },
        { "bytes=0-1,5-6", TR_RANGE_NONE, 0, 0 },
        { "bytes=", TR_RANGE_NONE, 0, 0 },
        { "bytes=-", TR_RANGE_NONE, 0, 0 },
        { "bytes=a-b", TR_RANGE_NONE, 0, 0 },
        { "lines=0-1", TR_RANGE_NONE, 0, 0 },
        { "bytes=99999999999999999999-", TR_RANGE_NONE, 0, 0 },
    };
    uint64_t first, last;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum tr_http_range r = tr_http_range(cases[i].header, 1000, &first, &last);
        CHECK_INT(r, cases[i].result);
        if (r == TR_RANGE_ONE)
            CHECK(first == cases[i].first && last == cases[i].last);
    }
    CHECK_INT(tr_http_range("bytes=0-", 0, &first, &last), TR_RANGE_UNSATISFIABLE);
    CHECK_INT(tr_http_range("bytes=-1", 0, &first, &last), TR_RANGE_UNSATISFIABLE);
}

TEST(http_etags)
{
    CHECK(tr_http_etag_in("\"a\"", "\"a\""));
    CHECK(tr_http_etag_in("W/\"a\"", "\"a\""));
    CHECK(tr_http_etag_in("\"b\", \"a\"", "\"a\""));
    CHECK(tr_http_etag_in("*", "\"a\""));
    CHECK(!tr_http_etag_in("\"ab\"", "\"a\""));
    CHECK(!tr_http_etag_in("\"a\"x", "\"a\""));
    CHECK(!tr_http_etag_in("", "\"a\""));
    CHECK(!tr_http_etag_in(NULL, "\"a\""));
}

TEST(http_dates_and_types)
{
    char date[TR_HTTP_DATE_MAX];
    tr_http_date(date, 784111777);
    CHECK_STR(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK_STR(tr_http_mime("/a/b.webm"), "video/webm");
    CHECK_STR(tr_http_mime("/x.WOFF2"), "font/woff2");
    CHECK_STR(tr_http_mime("/x"), "application/octet-stream");
    char name[64];
    tr_http_disposition(name, sizeof(name), "call \"1\"\r\n.webm");
    CHECK_STR(name, "attachment; filename=\"call _1___.webm\"");
    tr_http_disposition(name, 28, "abcdefghij");
    CHECK_STR(name, "attachment; filename=\"abcd\"");
}

TEST(http_safe_paths)
{
    static const struct {
        const char *path;
        bool safe;
    } cases[] = {
        { "/", true },        { "/a/b.js", true },   { "/a/", true },     { "/..", false },
        { "/a/../b", false }, { "/.git/x", false },  { "/a/./b", false }, { "//a", false },
        { "a", false },       { "", false },         { "/a\\b", false },  { "/a\nb", false },
        { "/a..b", true },    { "/a/b\x7f", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_INT(tr_http_path_safe(cases[i].path), cases[i].safe);
}

TEST(http_path_ids)
{
    static const struct {
        const char *rest;
        int count;
        uint64_t a, b;
    } cases[] = {
        { "", 0, 0, 0 },
        { "/", 0, 0, 0 },
        { "/12", 1, 12, 0 },
        { "/12/", 1, 12, 0 },
        { "/12/34", 2, 12, 34 },
        { "/12/34/", 2, 12, 34 },
        { "/12/34/5", -1, 0, 0 },
        { "/x", 1, 0, 0 },
        { "/-1", 1, 0, 0 },
        { "//5", 2, 0, 5 },
        { "/9007199254740991", 1, 9007199254740991, 0 },
        { "/9007199254740992", 1, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ids[2];
        CHECK_INT(tr_http_path_ids(cases[i].rest, ids), cases[i].count);
        if (cases[i].count >= 0)
            CHECK(ids[0] == cases[i].a && ids[1] == cases[i].b);
    }
}

TEST(http_forwarded_for)
{
    struct tr_addr a;
    char text[TR_ADDR_STR_MAX];
    CHECK_INT(tr_http_forwarded("10.0.0.1, 192.0.2.7", &a), TR_OK);
    CHECK_STR(tr_addr_ip_str(&a, text), "192.0.2.7");
    CHECK_INT(tr_http_forwarded("2001:db8::1", &a), TR_OK);
    CHECK_INT(tr_http_forwarded("unknown", &a), TR_ERR_BADMSG);
    CHECK_INT(tr_http_forwarded("1.2.3.4, ", &a), TR_ERR_BADMSG);
}

static void nothing(void *arg, const struct tr_http_request *r)
{
}

TEST(routes_match)
{
    struct tr_routes *routes = tr_routes_create();
    static const struct tr_route rows[] = {
        { TR_HTTP_GET, "/api/calls", 0, nothing, NULL },
        { TR_HTTP_GET | TR_HTTP_DELETE, "/api/calls/:id", 0, nothing, NULL },
        { TR_HTTP_GET, "/api/calls/:id/file/:n", 0, nothing, NULL },
        { TR_HTTP_POST, "/api/calls/:id", 0, nothing, NULL },
        { TR_HTTP_ANY, "/janus/*", 0, nothing, NULL },
    };
    CHECK_INT(tr_routes_add(routes, rows, 5), TR_OK);
    static const struct {
        unsigned method;
        const char *path;
        int row, status;
        const char *params[2];
    } cases[] = {
        { TR_HTTP_GET, "/api/calls", 0, 404, { NULL } },
        { TR_HTTP_GET, "/api/calls/", -1, 404, { NULL } },
        { TR_HTTP_GET, "/api/calls/17", 1, 0, { "17" } },
        { TR_HTTP_POST, "/api/calls/17", 3, 0, { "17" } },
        { TR_HTTP_PUT, "/api/calls/17", -1, 405, { NULL } },
        { TR_HTTP_GET, "/api/calls/17/file/2", 2, 0, { "17", "2" } },
        { TR_HTTP_GET, "/api/calls/17/file/", -1, 404, { NULL } },
        { TR_HTTP_PUT, "/janus/1/2/3", 4, 0, { "1/2/3" } },
        { TR_HTTP_GET, "/", -1, 404, { NULL } },
        { TR_HTTP_GET, "", -1, 404, { NULL } },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[64];
        int status;
        struct tr_http_request r = { 0 };
        snprintf(path, sizeof(path), "%s", cases[i].path);
        const struct tr_route *row = tr_routes_match(routes, cases[i].method, path, &r, &status);
        CHECK((row ? row->pattern : NULL) ==
              (cases[i].row < 0 ? NULL : rows[cases[i].row].pattern));
        if (!row)
            CHECK_INT(status, cases[i].status);
        for (int k = 0; row && k < 2 && cases[i].params[k]; k++)
            CHECK_STR(r.params[k], cases[i].params[k]);
    }
    struct tr_route row = rows[0];
    for (int i = 5; i < TR_ROUTES_MAX; i++)
        CHECK_INT(tr_routes_add(routes, &row, 1), TR_OK);
    CHECK_INT(tr_routes_add(routes, &row, 1), TR_ERR_LIMIT);
    tr_routes_destroy(routes);
}

TEST(crowd_gives_each_address_its_share)
{
    struct tr_crowd *crowd = tr_crowd_create(3, 2, 1);
    struct tr_addr a = tr_addr_v4(192, 0, 2, 1, 1), b = tr_addr_v4(192, 0, 2, 2, 1), six, near, far;
    CHECK(tr_addr_parse_ip(&six, "2001:db8::1", 1) == TR_OK);
    CHECK(tr_addr_parse_ip(&near, "2001:db8::ffff:1", 1) == TR_OK); /* in the same /64 */
    CHECK(tr_addr_parse_ip(&far, "2001:db8:0:1::1", 1) == TR_OK);
    struct tr_crowd_source *first = tr_crowd_enter(crowd, &a);
    CHECK(first != NULL && tr_crowd_enter(crowd, &a) == first);
    CHECK(tr_crowd_enter(crowd, &a) == NULL);
    struct tr_crowd_source *other = tr_crowd_enter(crowd, &b);
    CHECK(other != NULL && other != first);
    tr_crowd_leave(crowd, NULL);
    tr_crowd_leave(crowd, first);
    CHECK(tr_crowd_enter(crowd, &a) == first);
    struct tr_crowd_source *net = tr_crowd_enter(crowd, &six);
    CHECK(net != NULL && tr_crowd_enter(crowd, &near) == net);
    CHECK(tr_crowd_enter(crowd, &six) == NULL);
    CHECK(tr_crowd_enter(crowd, &far) == NULL); /* more sources than there is room for */
    for (int i = 0; i < 2; i++) {
        tr_crowd_leave(crowd, first);
        tr_crowd_leave(crowd, net);
    }
    tr_crowd_leave(crowd, other);
    tr_crowd_destroy(crowd);
    tr_crowd_destroy(NULL);
}

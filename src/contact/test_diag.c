/* Goal: a report comes back by its code to an admin and to nobody else; what is no report, is too
 * large or comes too often is refused; and no sender can push out the reports of the others.
 * Method: requests given straight to the handlers, a database in memory, time as a number. */
#include <stdlib.h>

#include "base/addr.h"
#include "base/assert.h"
#include "base/mem.h"
#include "contact/diag.h"
#include "gateway/transport/test_http.h"
#include "gateway/inspect.h"
#include "net/log.h"
#include "store/reports.h"
#include "unit.h"

static const char reports[] = "/api/v1/diag-reports";
static const char one[] = "/api/v1/diag-reports/:code";
static int64_t wall_us;
static tr_usec clock_us;

struct rig {
    struct tr_sql *db;
    struct tr_rng rng;
    struct tr_diag *diag;
};

/* --- doubles --- */

/* The real one, with its limit, is tested with the gateway. */
enum tr_err tr_gateway_admin_check(struct tr_gateway *gw, const struct tr_addr *from,
                                   const char *secret, tr_usec now)
{
    if (secret && strcmp(secret, "guess") == 0)
        return TR_ERR_LIMIT;
    return secret && strcmp(secret, "geheim") == 0 ? TR_OK : TR_ERR_AUTH;
}

static int64_t unix_us(void)
{
    return wall_us;
}

static void quiet(void *arg, const char *line, size_t n)
{
}

static void open_rig(struct rig *r)
{
    tr_log_set_sink(quiet, NULL);
    http_forget_rows();
    wall_us = 1700000000 * TR_SECOND;
    clock_us = 3600 * TR_SECOND;
    r->rng = tr_rng_seeded(1);
    CHECK(tr_sql_open(&r->db, ":memory:") == TR_OK);
    const struct tr_diag_conf conf = { .db = r->db, .rng = &r->rng, .unix_us = unix_us };
    CHECK(tr_diag_create(&r->diag, &conf) == TR_OK);
}

static void close_rig(struct rig *r)
{
    http_forget();
    tr_diag_destroy(r->diag);
    tr_sql_close(r->db);
}

static int post_from(struct tr_addr from, const char *type, struct tr_slice body)
{
    const struct tr_http_request request = { .method = TR_HTTP_POST,
                                             .headers = { [TR_HTTP_CONTENT_TYPE] = type },
                                             .client = from,
                                             .now = clock_us,
                                             .body = body };
    return http_ask(reports, &request);
}

/* Long after the one before. */
static int post(const char *body)
{
    wall_us += 3600 * TR_SECOND;
    clock_us += 3600 * TR_SECOND;
    return post_from(tr_addr_v4(192, 0, 2, 77, 5000), "application/json", tr_slice_str(body));
}

static int get(const char *pattern, const char *code, const char *authorization)
{
    const struct tr_http_request request = {
        .method = TR_HTTP_GET,
        .params = { code },
        .headers = { [TR_HTTP_AUTHORIZATION] = authorization },
        .client = tr_addr_v4(127, 0, 0, 1, 5000),
        .now = clock_us,
    };
    return http_ask(pattern, &request);
}

TEST(diag_a_report_comes_back_by_its_code)
{
    struct rig r;
    char code[32], typed[40];
    open_rig(&r);
    CHECK_INT(post("{\"verdict\":\"relay\", \"pairs\":[1, \"\xc3\xa9\"]}"), 201);
    snprintf(code, sizeof code, "%s", http_word(reply.body, "code"));
    CHECK_INT(strlen(code), 8);
    CHECK_INT(http_number(reply.body, "kept_until_ms"), (wall_us + TR_REPORT_KEEP_US) / 1000);
    snprintf(typed, sizeof typed, " %.4s-%s", code, code + 4);
    for (char *c = typed; *c; c++)
        *c |= *c >= 'A' ? 0x20 : 0;
    CHECK_INT(get(one, typed, "Bearer geheim"), 200);
    CHECK_STR(http_word(reply.body, "code"), code);
    CHECK_STR(http_word(reply.body, "source"), "192.0.2.0/24");
    CHECK_STR(http_word(reply.body, "verdict"), "relay");
    const json_t *pairs = json_object_get(json_object_get(reply.body, "report"), "pairs");
    CHECK_STR(json_string_value(json_array_get(pairs, 1)), "\xc3\xa9");

    CHECK_INT(post("{\"verdict\":\"good\"}"), 201);
    CHECK_INT(get(reports, NULL, "Bearer geheim"), 200);
    const json_t *list = json_object_get(reply.body, "reports");
    CHECK_INT(json_array_size(list), 2);
    CHECK_STR(http_word(json_array_get(list, 0), "verdict"), "good"); /* the newest first */
    http_arg("limit", "1");
    CHECK_INT(get(reports, NULL, "Bearer geheim"), 200);
    CHECK_INT(json_array_size(json_object_get(reply.body, "reports")), 1);
    close_rig(&r);
}

TEST(diag_reports_are_for_admins)
{
    static const char *const wrong[] = { NULL,          "", "geheim", "Bearer ", "Bearer geheimer",
                                         "Basic geheim" };
    struct rig r;
    open_rig(&r);
    for (size_t i = 0; i < TR_ARRAY_LEN(wrong); i++) {
        CHECK_INT(get(reports, NULL, wrong[i]), 403);
        CHECK_INT(get(one, "22222222", wrong[i]), 403);
    }
    static const char *const codes[] = { "22222222",
                                         "",
                                         "2222222",
                                         "222222222",
                                         "2222222O",
                                         "2222 2222 2222 2222",
                                         "\xff\xff\xff\xff\xff\xff\xff\xff" };
    for (size_t i = 0; i < TR_ARRAY_LEN(codes); i++)
        CHECK_INT(get(one, codes[i], "Bearer geheim"), 404);
    CHECK_INT(get(reports, NULL, "Bearer guess"), 429);
    CHECK_INT(get(one, "22222222", "Bearer guess"), 429);
    close_rig(&r);
}

TEST(diag_what_is_no_report_is_refused)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "5",
        "null",
        "\"good\"",
        "{}",
        "{\"verdict\":5}",
        "{\"verdict\":\"\"}",
        "{\"verdict\":\"two words\"}",
        "{\"verdict\":\"GOOD\"}",
        "{\"verdict\":\"a\"} {}",
        "{\"verdict\":\"a-word-of-more-than-thirty-one-characters\"}",
        "{\"verdict\":\"good\",\"x\":\"\xff\"}",
        "{\"verdict\":\"good\",\"x\":\"\\u0000\"}",
    };
    struct rig r;
    struct tr_diag_counters counters;
    open_rig(&r);
    for (size_t i = 0; i < TR_ARRAY_LEN(bad); i++)
        CHECK_INT(post(bad[i]), 400);

    char *deep = tr_alloc(60000);
    memset(deep, '[', 59999);
    CHECK_INT(post(deep), 400);
    tr_free(deep);
    static const char *const types[] = { NULL, "", "text/plain", "application/jsonx" };
    const struct tr_slice good = tr_slice_str("{\"verdict\":\"good\"}");
    for (size_t i = 0; i < TR_ARRAY_LEN(types); i++)
        CHECK_INT(post_from(tr_addr_v4(10, 0, 0, 1, 1), types[i], good), 415);
    CHECK_INT(post_from(tr_addr_v4(10, 0, 0, 1, 1), "application/json; charset=utf-8", good), 201);
    tr_diag_counters(r.diag, &counters);
    CHECK_INT(counters.refused_bad, TR_ARRAY_LEN(bad) + 1 + TR_ARRAY_LEN(types));
    CHECK_INT(counters.kept, 1);
    close_rig(&r);
}

/* The listener refuses what is larger than the route says; a text may also grow when it is printed
 * again: 1e99 has a hundred digits. */
TEST(diag_a_large_report_is_refused)
{
    struct rig r;
    open_rig(&r);
    CHECK_INT(http_row(reports, TR_HTTP_POST)->body_max, TR_REPORT_BODY_MAX - 1);
    char *text = tr_alloc(TR_REPORT_BODY_MAX);
    int n = snprintf(text, 64, "{\"verdict\":\"good\",\"x\":[1");
    while (n < TR_REPORT_BODY_MAX - 16)
        n += snprintf(text + n, 8, ",1e15");
    snprintf(text + n, 8, "]}");
    CHECK_INT(post(text), 413);
    n = snprintf(text, 64, "{\"verdict\":\"good\",\"x\":\"");
    memset(text + n, 'x', (size_t)(TR_REPORT_BODY_MAX - 1 - n - 2));
    memcpy(text + TR_REPORT_BODY_MAX - 3, "\"}", 3);
    CHECK_INT(post(text), 201);
    tr_free(text);
    close_rig(&r);
}

TEST(diag_a_flood_is_refused)
{
    struct rig r;
    struct tr_diag_counters counters;
    const struct tr_slice good = tr_slice_str("{\"verdict\":\"good\"}");
    const struct tr_addr loud = tr_addr_v4(203, 0, 113, 9, 1);
    int kept = 0;
    open_rig(&r);
    for (int i = 0; i < 1000; i++, clock_us += TR_MSEC)
        kept += post_from(loud, "application/json", good) == 201;
    CHECK_INT(kept, TR_DIAG_BURST);
    CHECK_INT(post_from(tr_addr_v4(192, 0, 2, 1, 1), "application/json", good), 201);
    clock_us += TR_DIAG_INTERVAL_US;
    CHECK_INT(post_from(loud, "application/json", good), 201);
    CHECK_INT(post_from(loud, "application/json", good), 429);

    clock_us += 3600 * TR_SECOND; /* a flood of many addresses */
    for (int i = kept = 0; i < 1000; i++) {
        const struct tr_addr from = tr_addr_v4(10, 0, (uint8_t)(i / 250), (uint8_t)(i % 250), 1);
        kept += post_from(from, "application/json", good) == 201;
    }
    CHECK_INT(kept, TR_DIAG_ALL_BURST);
    tr_diag_counters(r.diag, &counters);
    CHECK_INT(counters.refused_rate, 1000 - TR_DIAG_BURST + 1 + 1000 - TR_DIAG_ALL_BURST);
    close_rig(&r);
}

TEST(diag_a_database_that_fails_is_said)
{
    struct rig r;
    struct tr_diag_counters counters;
    open_rig(&r);
    CHECK(tr_sql_exec(r.db, "DROP TABLE reports") == TR_OK);
    CHECK_INT(post("{\"verdict\":\"good\"}"), 500);
    CHECK_INT(get(reports, NULL, "Bearer geheim"), 500);
    CHECK_INT(get(one, "22222222", "Bearer geheim"), 500);
    tr_diag_counters(r.diag, &counters);
    CHECK_INT(counters.failed, 1);
    close_rig(&r);
}

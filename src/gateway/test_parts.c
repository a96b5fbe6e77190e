/* Goal: the small parts of the core: schema, JSON checks, rate limit. */
#include "base/mem.h"
#include "gateway/json.h"
#include "gateway/ratelimit.h"
#include "gateway/request.h"
#include "unit.h"

TEST(schema_types_and_reasons)
{
    static const struct tr_field fields[] = {
        { "s", TR_FIELD_STRING, true },
        { "i", TR_FIELD_INT, false },
        { "u", TR_FIELD_UINT, false },
        { "b", TR_FIELD_BOOL, false },
        { "o", TR_FIELD_OBJECT, false },
        { "a", TR_FIELD_ARRAY, false },
        { NULL },
    };
    static const struct {
        const char *text;
        enum tr_schema_result result;
        const char *reason;
    } cases[] = {
        { "{\"s\":\"x\",\"i\":-1,\"u\":0,\"b\":false,\"o\":{},\"a\":[],\"more\":1}", TR_SCHEMA_OK,
          "" },
        { "{\"s\":\"x\",\"i\":null}", TR_SCHEMA_OK, "" },
        { "{}", TR_SCHEMA_MISSING, "Missing mandatory element (s)" },
        { "{\"s\":null}", TR_SCHEMA_MISSING, "Missing mandatory element (s)" },
        { "{\"s\":1}", TR_SCHEMA_TYPE, "Invalid element type (s should be a string)" },
        { "{\"s\":\"\",\"i\":1.5}", TR_SCHEMA_TYPE,
          "Invalid element type (i should be an integer)" },
        { "{\"s\":\"\",\"u\":-1}", TR_SCHEMA_TYPE,
          "Invalid element type (u should be a positive integer)" },
        { "{\"s\":\"\",\"b\":1}", TR_SCHEMA_TYPE, "Invalid element type (b should be a boolean)" },
        { "{\"s\":\"\",\"o\":[]}", TR_SCHEMA_TYPE, "Invalid element type (o should be an object)" },
        { "{\"s\":\"\",\"a\":{}}", TR_SCHEMA_TYPE, "Invalid element type (a should be an array)" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char reason[TR_REASON_MAX] = "";
        json_t *object = json_loads(cases[i].text, 0, NULL);
        CHECK_INT(tr_schema_check(object, fields, reason), cases[i].result);
        CHECK_STR(reason, cases[i].reason);
        CHECK_INT(tr_schema_check(object, NULL, reason), TR_SCHEMA_OK);
        json_decref(object);
    }
}

TEST(json_depth)
{
    static const struct {
        const char *text;
        bool deep;
    } cases[] = {
        { "[[[]]]", false },       { "[[[[]]]]", true },
        { "[[],[],[[]]]", false }, { "\"[[[[[[\"", false },
        { "\"\\\"[[[[\"", false }, { "\"\\\\\"[[[[", true },
        { "]]]][[[", false },      { "{\"a\":{\"b\":{\"c\":{}}}}", true },
        { "\"\\", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_INT(tr_json_too_deep(tr_slice_str(cases[i].text), 3), cases[i].deep);
}

TEST(json_one_after_the_other)
{
    struct tr_slice text = tr_slice_str(" {\"a\":1}[2] ");
    const char *reason = NULL;
    json_t *value;
    CHECK_INT(tr_json_next(&text, &value, &reason), TR_OK);
    CHECK(json_is_object(value));
    json_decref(value);
    CHECK_INT(tr_json_next(&text, &value, &reason), TR_OK);
    CHECK(json_is_array(value));
    json_decref(value);
    CHECK_INT(tr_json_next(&text, &value, &reason), TR_OK);
    CHECK(!value);
    text = tr_slice_str("{} }");
    CHECK_INT(tr_json_next(&text, &value, &reason), TR_OK);
    json_decref(value);
    CHECK_INT(tr_json_next(&text, &value, &reason), TR_ERR_BADMSG);
    CHECK(text.n == 0 && !value && reason);
}

TEST(ratelimit_buckets)
{
    struct tr_ratelimit *limit = tr_ratelimit_create(10, 3, 2, 1);
    struct tr_addr a = tr_addr_v4(192, 0, 2, 1, 1), b = tr_addr_v4(192, 0, 2, 2, 1), c, d;
    CHECK_INT(tr_addr_parse_ip(&c, "2001:db8::1", 5), TR_OK);
    CHECK_INT(tr_addr_parse_ip(&d, "2001:db8::2", 5), TR_OK);
    tr_usec now = TR_SECOND;
    for (int i = 0; i < 3; i++)
        CHECK(tr_ratelimit_take(limit, &a, now));
    CHECK(!tr_ratelimit_take(limit, &a, now));
    CHECK(tr_ratelimit_take(limit, &b, now)); /* each its own */
    now += TR_SECOND / 10;
    CHECK(tr_ratelimit_take(limit, &a, now));
    CHECK(!tr_ratelimit_take(limit, &a, now));
    now += TR_SECOND * 3600;
    for (int i = 0; i < 3; i++)
        CHECK(tr_ratelimit_take(limit, &a, now)); /* never more than the burst */
    CHECK(!tr_ratelimit_take(limit, &a, now));
    for (int i = 0; i < 3; i++)
        CHECK(tr_ratelimit_take(limit, i % 2 ? &c : &d, now)); /* one /64, and b makes room */
    CHECK(!tr_ratelimit_take(limit, &c, now));
    CHECK(!tr_ratelimit_take(limit, &a, now));
    tr_ratelimit_destroy(limit);

    limit = tr_ratelimit_create(0, 0, 2, 1);
    for (int i = 0; i < 1000; i++)
        CHECK(tr_ratelimit_take(limit, &a, 0));
    tr_ratelimit_destroy(limit);
}

/* Goal: a log line cannot be forged or broken by what a peer sends, and a flood is bounded. */
#include "net/log.h"
#include "unit.h"

static char last[2 * TR_LOG_LINE_MAX];

static void sink(void *arg, const char *line, size_t n)
{
    int *count = arg;
    (*count)++;
    snprintf(last, sizeof(last), "%.*s", (int)n, line);
}

TEST(log_lines)
{
    int count = 0;
    enum tr_log_level before = tr_log_get_level();
    tr_log_set_sink(sink, &count);
    tr_log_set_level(TR_LOG_INFO);
    tr_log(TR_LOG_DEBUG, "test", "hidden");
    CHECK_INT(count, 0);
    tr_log(TR_LOG_WARN, "test", "hello name=%s", "x\ny\x1b[2J");
    CHECK_INT(count, 1);
    CHECK(strstr(last, "Z warn  test hello name=x\\x0ay\\x1b[2J\n") != NULL);
    CHECK(strlen(last) > 25 && last[10] == 'T');
    char big[3 * TR_LOG_LINE_MAX];
    memset(big, 'a', sizeof(big));
    big[sizeof(big) - 1] = 0;
    tr_log(TR_LOG_ERROR, "test", "%s", big);
    CHECK(strlen(last) <= TR_LOG_LINE_MAX);
    CHECK_STR(last + strlen(last) - 5, "a...\n");
    memset(big, 1, sizeof(big) - 1); /* each byte takes four */
    tr_log(TR_LOG_ERROR, "test", "%s", big);
    CHECK_STR(last + strlen(last) - 4, "...\n");
    tr_log_set_sink(NULL, NULL);
    tr_log_set_level(before);
}

TEST(log_levels)
{
    enum tr_log_level level;
    CHECK(tr_log_parse_level("debug", &level) && level == TR_LOG_DEBUG);
    CHECK(!tr_log_parse_level("loud", &level));
    CHECK_STR(tr_log_level_name(TR_LOG_WARN), "warn");
}

TEST(log_quote_values)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain", "plain" },      { "", "\"\"" },
        { "a b", "\"a b\"" },      { "a\"b", "\"a\\\"b\"" },
        { "a\nb", "\"a\\x0ab\"" }, { "k=v", "\"k=v\"" },
    };
    char out[64];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_STR(tr_log_quote(out, sizeof(out), tr_slice_str(cases[i].in)), cases[i].out);
    CHECK_STR(tr_log_quote(out, 8, tr_slice_str("abcdefghijk")), "\"abcde\"");
    CHECK_STR(tr_log_quote(out, 2, tr_slice_str("abc")), "");
}

TEST(log_rate)
{
    struct tr_log_limit limit = { 0 };
    uint32_t missed;
    for (int i = 0; i < 3; i++)
        CHECK(tr_log_allow(&limit, 5, 3, TR_SECOND, &missed) && missed == 0);
    CHECK(!tr_log_allow(&limit, 6, 3, TR_SECOND, &missed));
    CHECK(!tr_log_allow(&limit, 7, 3, TR_SECOND, &missed));
    CHECK(tr_log_allow(&limit, 5 + TR_SECOND, 3, TR_SECOND, &missed));
    CHECK_INT(missed, 2);
}

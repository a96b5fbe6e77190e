/* Tests register themselves before main() runs, in a list that keeps the order of the files. */
#include "unit.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"

/* About once in fifty runs usrsctp keeps an endpoint for good, and then refuses to end
 * (usrsctp_finish), whatever time passes: what it has then is the library's to lose. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libusrsctp\n";
}

enum { OOM_ROUNDS_MAX = 100000 };

static struct unit_test *tests;
static struct unit_test **tests_end = &tests;
static bool failed;
static bool seed_given;
static uint64_t seed_only;
static uint64_t seed_now;
static bool seed_used;
static uint64_t seed_per_cent = 100;

void unit_register(struct unit_test *test)
{
    *tests_end = test;
    tests_end = &test->next;
}

bool unit_check(bool ok, const char *expr, const char *file, int line)
{
    if (ok)
        return true;
    failed = true;
    printf("  %s:%d: %s\n", file, line, expr);
    if (seed_used)
        printf("    replay with seed=%" PRIu64 "\n", seed_now);
    return false;
}

void unit_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

uint64_t unit_seed_first(void)
{
    return seed_given ? seed_only : 0;
}

uint64_t unit_seed_end(uint64_t n)
{
    return seed_given ? seed_only + 1 : (n * seed_per_cent + 99) / 100;
}

void unit_seed_set(uint64_t seed)
{
    seed_used = true;
    seed_now = seed;
}

static void run_oom(struct unit_test *test)
{
    for (uint64_t n = 0; n < OOM_ROUNDS_MAX; n++) {
        uint64_t before = tr_mem_allocs();
        tr_mem_fail_after(n);
        enum tr_err err = test->run_oom();
        tr_mem_fail_after(UINT64_MAX);
        if (err == TR_OK && tr_mem_allocs() - before <= n)
            return;
        if (err != TR_OK && err != TR_ERR_NOMEM) {
            CHECK(err == TR_ERR_NOMEM);
            unit_note("    got \"%s\" with allocation %" PRIu64 " failing", tr_err_str(err), n);
            return;
        }
        if (failed)
            return;
    }
    CHECK(!"ended within the rounds");
}

static bool run(struct unit_test *test)
{
    size_t before = tr_mem_in_use();
    failed = false;
    seed_used = false;
    if (test->run)
        test->run();
    else
        run_oom(test);
    CHECK_INT(tr_mem_in_use(), before);
    printf("%s %s\n", failed ? "FAIL" : "ok  ", test->name);
    fflush(stdout);
    return !failed;
}

/* 1 to 100, from the environment; anything else is 100. */
static void read_seed_share(void)
{
    const char *text = getenv("TR_UNIT_SEEDS");
    unsigned long share = text ? strtoul(text, NULL, 10) : 0;
    if (share >= 1 && share <= 100)
        seed_per_cent = share;
}

int main(int argc, char **argv)
{
    const char *only = "";
    int passed = 0, bad = 0;
    read_seed_share();
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "seed=", 5) == 0) {
            seed_given = true;
            seed_only = strtoull(argv[i] + 5, NULL, 10);
        } else if (strcmp(argv[i], "-l") == 0) {
            for (struct unit_test *t = tests; t; t = t->next)
                puts(t->name);
            return 0;
        } else {
            only = argv[i];
        }
    }
    for (struct unit_test *t = tests; t; t = t->next) {
        if (!strstr(t->name, only))
            continue;
        if (run(t))
            passed++;
        else
            bad++;
    }
    printf("%d passed, %d failed\n", passed, bad);
    return bad > 0 || passed == 0;
}
